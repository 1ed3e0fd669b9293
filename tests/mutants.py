#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Plants faults in a copy of the tree, one at a time, and says which of them no test sees.

tests/mutants/*.txt hold the faults:

    file: dataplane/context/count.c      the file that those behind it change
    tests: test_count test_protector     the test programs that should fail, in the order in which they are run
    mutant: what is wrong then
    - the original text, which must occur once in the file; more such lines are more lines of it
    + what stands there instead; without such a line nothing does
    & the fault has another place in the file: its lines follow
    = the reason, when no test can tell: the mutant is equivalent, and only checked to be up to date

The test `torture` is the kill loops of tests/torture, and NAME.sh a script of tests/e2e. These take minutes: only --torture plants their faults, and none
of the others.

A mutant is caught when a test fails, crashes or does not end. Exit code 1 when one survives, does not compile or is stale.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TREE = ROOT / "build-mutants"
TEST_SECONDS = 120
TORTURE = "torture"
TORTURE_COMMAND = ["timeout", "600", "tests/torture/torture.py", "--seed", "1", "--rounds", "100", "--crowd", "4000", "--traffic", "0.5", "--stop-at-fault"]
TORTURE_CARD = ROOT / "build/hw/fanfare-cosim"  # for faults of the dataplane: without it no engine fails


class Mutant:
    def __init__(self, place, file, tests, name):
        self.place, self.file, self.tests, self.name = place, file, tests, name
        self.reason, self.changes = [], []
        self.begin_change()

    def begin_change(self):
        self.original, self.replacement = [], []
        self.changes.append((self.original, self.replacement))

    def texts(self):
        return [("\n".join(original), "\n".join(replacement)) for original, replacement in self.changes]

    def applied(self, source):
        for text, instead in self.texts():
            source = source.replace(text, instead)
        return source


def read_mutants():
    mutants, file, tests = [], None, []
    for path in sorted((ROOT / "tests/mutants").glob("*.txt")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            key, _, value = line.partition(": ")
            if key == "file":
                file = value
            elif key == "tests":
                tests = value.split()
            elif key == "mutant":
                mutants.append(Mutant(f"{path.relative_to(ROOT)}:{number}", file, tests, value))
            elif line[:2] in ("- ", "+ ", "= "):
                {"-": mutants[-1].original, "+": mutants[-1].replacement, "=": mutants[-1].reason}[line[0]].append(line[2:])
            elif line == "&":
                mutants[-1].begin_change()
            elif line and not line.startswith("#"):
                sys.exit(f"{path}:{number}: not understood: {line}")
    return mutants


def staleness(mutant):
    """Why a mutant cannot be planted; None when it can."""
    path = ROOT / mutant.file
    if not path.exists():
        return f"there is no {mutant.file}"
    for text, _ in mutant.texts():
        times = path.read_text().count(text)
        if not text or times != 1:
            return f"its text occurs {times} times in {mutant.file}: {text}"
    places = lambda test: (ROOT / f"tests/{test}.c", ROOT / f"tests/{test}/{test}.py", ROOT / f"tests/e2e/{test}")
    missing = [test for test in mutant.tests if not any(map(pathlib.Path.is_file, places(test)))]
    return f"there is no {missing[0]}" if missing else None


def copy_tree():
    """Brings the copy up to date; what is the same keeps its time, so that make builds only what changed."""
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True)
    wanted = names.stdout.splitlines()
    for path in [p for p in TREE.rglob("*") if p.is_file() and p.relative_to(TREE).parts[0] != "build"]:
        if str(path.relative_to(TREE)) not in wanted:
            path.unlink()
    for name in wanted:
        source, target = ROOT / name, TREE / name
        if source.is_file() and not (target.exists() and source.read_bytes() == target.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def is_slow(mutant):
    return mutant.tests == [TORTURE] or mutant.tests[0].endswith(".sh")


def built_for(test):
    if test.endswith(".sh"):
        return ["all"]
    return ["build/fanfare", "build/tests/torture/witness"] if test == TORTURE else [f"build/tests/{test}"]


def build(tests):
    targets = [target for test in tests for target in built_for(test)]
    done = subprocess.run(["make", "-C", TREE, "WERROR=0"] + targets, capture_output=True, text=True)
    return None if done.returncode == 0 else "\n".join(re.findall(r".*error.*", done.stderr + done.stdout)[:3])


def torture(with_card):
    """What the kill loops have found; None when nothing."""
    environment = {**os.environ, "FANFARE": str(TREE / "build/fanfare")}
    command = TORTURE_COMMAND + (["--card", str(TORTURE_CARD)] if with_card and TORTURE_CARD.exists() else [])
    done = subprocess.run(command, cwd=TREE, capture_output=True, text=True, env=environment)
    if done.returncode not in (0, 1):
        sys.exit(f"the kill loops cannot run: {done.stdout.strip()} {done.stderr.strip()}")
    return done.stdout.splitlines()[0] if done.returncode == 1 else None


def script(name):
    """The first fault that a script of tests/e2e has found; None when none."""
    environment = {**os.environ, "FANFARE": str(TREE / "build/fanfare")}
    done = subprocess.run(["bash", f"tests/e2e/{name}"], cwd=TREE, capture_output=True, text=True, env=environment)
    if done.returncode == 77:
        sys.exit(f"{name} cannot run: {done.stdout.strip()}")
    return None if done.returncode == 0 else next(iter(re.findall(r"FAULT.*", done.stdout)), f"{name} ended with {done.returncode}")


def failing(tests, with_card=False):
    """The first of the tests that does not pass; None when all do."""
    for test in tests:
        try:
            if test == TORTURE:
                found = torture(with_card)
                if found:
                    return found
                continue
            if test.endswith(".sh"):
                found = script(test)
                if found:
                    return found
                continue
            command = [TREE / f"build/tests/{test}", "-j1", "--fail-fast"]
            done = subprocess.run(command, cwd=TREE, capture_output=True, timeout=TEST_SECONDS)
        except subprocess.TimeoutExpired:
            return f"{test} (does not end)"
        if done.returncode != 0:
            names = re.findall(r"\[.*?FAIL.*?\] \S*?(\w+::\w+)", done.stderr.decode(errors="replace"))
            return names[0] if names else test
    return None


def try_mutant(mutant):
    target = TREE / mutant.file
    source = target.read_text()
    target.write_text(mutant.applied(source))
    try:
        error = build(mutant.tests)
        if error is not None:
            return "DOES NOT COMPILE", error
        by = failing(mutant.tests, mutant.file.startswith("dataplane"))
        return ("caught", f"by {by}") if by else ("SURVIVED", ", ".join(mutant.tests))
    finally:
        target.write_text(source)


def run(mutants):
    copy_tree()
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    error = build(tests) or failing(tests)
    if error:
        sys.exit(f"without any fault: {error}")
    counts = {}
    for mutant in mutants:
        begin = time.time()
        verdict, detail = ("equivalent", " ".join(mutant.reason)) if mutant.reason else try_mutant(mutant)
        counts[verdict] = counts.get(verdict, 0) + 1
        print(f"{verdict:10} {mutant.file}: {mutant.name}: {detail}, {time.time() - begin:.0f} s", flush=True)
    print(", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
    return set(counts) <= {"caught", "equivalent"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only look whether every mutant can still be planted")
    parser.add_argument("--torture", action="store_true", help="those of the kill loops and of scripts, and no others")
    parser.add_argument("only", nargs="?", default="", help="a regular expression: mutants whose file or name it finds")
    arguments = parser.parse_args()
    mutants = read_mutants()
    stale = [(mutant, why) for mutant in mutants if (why := staleness(mutant))]
    for mutant, why in stale:
        print(f"{mutant.place}: {mutant.name}: {why}")
    good = True
    if not arguments.check:
        mutants = [m for m in mutants if is_slow(m) == arguments.torture]
        chosen = [m for m in mutants if not staleness(m) and re.search(arguments.only, f"{m.file}: {m.name}")]
        good = run(chosen)
    sys.exit(0 if good and not stale else 1)


main()
