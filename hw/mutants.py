#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Plants the faults of mutants.txt in the RTL, one at a time, and sees whether the check that is named beside each notices.

    mutants.py                   all of them; exit 1 when one survives, does not build, or is stale
    mutants.py --only PATTERN    those whose name or file matches (a regular expression)
    mutants.py --check           only whether each still fits the RTL; plants nothing

A fault is planted in a copy of the tree below build/, never in the tree. Its check must pass on the copy as it is, build with the fault
in it, and then fail. One marked `equivalent` cannot be noticed, for the reason given, and is only looked at for whether it still fits.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
LIST = HERE / "mutants.txt"
TREE = ROOT / "build/mutants/tree"
LINKED = ("dataplane", "driver", "tests")  # what benches read beside hw/
TIMEOUT_S = 900
LEAST = 30


class Mutant:
    """One stanza of the list."""

    def __init__(self, place, header):
        match = re.fullmatch(r"(\w+): (rtl/\w+\.sv): (.+)", header)
        if not match:
            sys.exit(f"mutants: {place}: not `name: rtl/file.sv: check`: {header}")
        self.name, self.file, check = match.groups()
        self.reason = check[len("equivalent: "):] if check.startswith("equivalent: ") else None
        self.check = None if self.reason else check
        self.old, self.new = [], []

    def fault(self):
        """What is wrong with it, or None."""
        path = HERE / self.file
        if not path.exists():
            return f"{self.file} is not there"
        if not self.old or self.old == self.new:
            return "it changes nothing"
        found = path.read_text(encoding="utf-8").count(self.text(self.old))
        return None if found == 1 else f"its original text is in {self.file} {found} times, not once"

    @staticmethod
    def text(lines):
        return "".join(line + "\n" for line in lines)

    def planted(self):
        return (HERE / self.file).read_text(encoding="utf-8").replace(self.text(self.old), self.text(self.new))


def read_list():
    mutants = []
    for number, line in enumerate(LIST.read_text(encoding="utf-8").splitlines(), 1):
        place = f"{LIST.name}:{number}"
        if not line.strip() or line.startswith("#"):
            continue
        if line[0] not in "-+":
            mutants.append(Mutant(place, line))
        elif not mutants:
            sys.exit(f"mutants: {place}: a line of nobody's")
        else:
            (mutants[-1].old if line[0] == "-" else mutants[-1].new).append(line[1:])
    names = [mutant.name for mutant in mutants]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        sys.exit(f"mutants: {LIST.name}: one name for two: {', '.join(twice)}")
    return mutants


def stale(mutants):
    """Says which do not fit. True when there are some."""
    faults = [(mutant, fault) for mutant in mutants if (fault := mutant.fault())]
    for mutant, fault in faults:
        print(f"mutants: {LIST.name} is stale: {mutant.name}: {fault}: write it anew for the RTL of today")
    return bool(faults)


def copy_tree():
    """A file that is the same is not touched, so that what was built before stays built; one that differs gets the time of today, because
    what was built last may have had a fault in it."""
    (TREE / "build").mkdir(parents=True, exist_ok=True)
    for name in LINKED:
        link = TREE / name
        if not link.is_symlink():
            link.symlink_to(ROOT / name)
    here = {path.relative_to(HERE) for path in HERE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    copy = TREE / "hw"
    for path in sorted(here):
        if not (copy / path).exists() or (copy / path).read_bytes() != (HERE / path).read_bytes():
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(HERE / path, copy / path)
    for path in copy.rglob("*"):
        if path.is_file() and path.relative_to(copy) not in here:
            path.unlink()


def run(command, log):
    """Exit code; 124 when it took too long."""
    try:
        return subprocess.run(command, cwd=TREE / "hw", stdout=log, stderr=subprocess.STDOUT, timeout=TIMEOUT_S, check=False).returncode
    except subprocess.TimeoutExpired:
        return 124


def try_check(check, name):
    """In the copy as it stands. A check is a goal of make, or a program of build/hw with its arguments, which is built first.
    "passes", "fails", or "does not build"."""
    program, *arguments = check.split()
    make = ["make", f"-j{len(os.sched_getaffinity(0))}", "MODEL_OPT=-O0", "BENCH_OPT=-O0", "MODEL_WARNINGS=-Wno-fatal"]
    with (TREE.parent / f"{name}.log").open("wb") as log:
        if not arguments:
            code = run(make + [program], log)
        elif run(make + [f"../build/hw/{program}"], log) != 0:
            return "does not build"
        else:
            code = run([f"../build/hw/{program}", *arguments], log)
    if not arguments and "does not read it" in (TREE.parent / f"{name}.log").read_text(encoding="utf-8", errors="replace"):
        return "does not build"
    return "passes" if code == 0 else "fails"


def plant(mutant):
    """The word for how it went."""
    file = TREE / "hw" / mutant.file
    file.write_text(mutant.planted(), encoding="utf-8")
    try:
        return {"passes": "SURVIVED", "fails": "caught", "does not build": "DOES NOT BUILD"}[try_check(mutant.check, mutant.name)]
    finally:
        shutil.copyfile(HERE / mutant.file, file)  # with a new time: what was built with the fault is built again


def run_all(mutants):
    """How many went how. Checks first, on the copy as it is, so that nothing is built twice for them."""
    checks = sorted({mutant.check for mutant in mutants if mutant.check})
    sound = {}
    for number, check in enumerate(checks, 1):
        sound[check] = try_check(check, "none") == "passes"
        print(f"mutants: check {number}/{len(checks)}: {check}: {'passes' if sound[check] else 'FAILS'} without a fault", flush=True)
    counts = {}
    for number, mutant in enumerate(mutants, 1):
        began = time.monotonic()
        if mutant.reason:
            word = "equivalent"
        else:
            word = plant(mutant) if sound[mutant.check] else "ITS CHECK FAILS WITHOUT IT"
        counts[word] = counts.get(word, 0) + 1
        print(f"mutants: {number:2}/{len(mutants)} {word:10} {mutant.name}: {mutant.reason or mutant.check}, "
              f"{time.monotonic() - began:.0f} s", flush=True)
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether each still fits the RTL")
    parser.add_argument("--only", metavar="PATTERN", default="", help="those whose name or file matches")
    arguments = parser.parse_args()
    mutants = read_list()
    if stale(mutants):
        sys.exit(1)
    if len(mutants) < LEAST:
        sys.exit(f"mutants: only {len(mutants)}, at least {LEAST} are to be there")
    if arguments.check:
        print(f"mutants: each of {len(mutants)} fits the RTL")
        return
    chosen = [m for m in mutants if re.search(arguments.only, m.name) or re.search(arguments.only, m.file)]
    if not chosen:
        sys.exit(f"mutants: none matches {arguments.only}")
    copy_tree()
    counts = run_all(chosen)
    print("mutants: " + ", ".join(f"{count} {word}" for word, count in sorted(counts.items())))
    if set(counts) - {"caught", "equivalent"}:
        sys.exit(f"mutants: see {TREE.parent.relative_to(ROOT)}/NAME.log of each that was not caught")


if __name__ == "__main__":
    main()
