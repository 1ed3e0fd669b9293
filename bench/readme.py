#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The measured figures of README.md, taken from stored results of the bench.

    readme.py            writes the blocks between <!-- NAME --> and <!-- end NAME --> anew
    readme.py --check    exit 1 when a block is not what the results say, or when a measured figure stands outside the blocks;
                         changes nothing

To publish other results, name them in FIGURES and SAMPLE below.
"""

import argparse
import difflib
import os
import re
import sys

sys.dont_write_bytecode = True
import run  # noqa: E402

README = os.path.join(run.ROOT, "README.md")
BENCH_README = os.path.join(run.ROOT, "bench", "README.md")
# Results in bench/results: the one that every measured figure comes from, and the one whose `make run` is shown.
FIGURES = "intel-xeon-processor-2-cpus"
SAMPLE = "amd-epyc-2-cpus"

# Rows of the table of engines: the name in the result, and what README calls it.
ENGINES = (
    ("lockstep", "`lockstep`, the fastest instructions of this CPU"),
    ("lockstep-vaes256", "`lockstep` limited to AVX2 with VAES"),
    (run.YARDSTICK, "`ipsec-mb`"),
    (run.STORED, "the same library, the keys of every UE expanded beforehand"),
    (run.PEERS["crypto_aesni_mb"], "`dpdk-test-crypto-perf`, crypto_aesni_mb, **one** key for all packets"),
    ("openssl-evp", "OpenSSL EVP, keys set for each UE"),
)

# What a measured figure looks like: a number and a unit of speed, time or memory per UE.
MEASURED = re.compile(r"\d[\d.,]*\*{0,2}\s+(?:(?:thousand|million)\s+)?"
                      r"(?:(?:TSC )?cycles\b|clocks\b|UEs/s|UEs (?:a|per) second|[GM]bit/s|[GM]Hz|octets (?:of memory )?(?:per|a) UE"
                      r"|seconds\b|m?s\b|times (?:as|the)\b|%)")


class ReadmeError(Exception):
    """Said in one line; ends the program."""


def row_of(result, question, engine, **wanted):
    row = run.find_row(result, question, engine, **wanted)
    if row is None:
        raise ReadmeError(f"result {result['machine']['name']} has no row {question}, {engine}, {wanted}: measure it, or publish another")
    return row


def rounded(value):
    """27.1, 134, 1,610: more digits than that the rounds do not bear out."""
    if value >= 100:
        return f"{round(value):,}"
    return f"{value:.1f}"


def span(values):
    low, high = rounded(min(values)), rounded(max(values))
    return low if low == high else f"{low} to {high}"


def load_most():
    """The load that bench/README.md allows for a result to be published."""
    with open(BENCH_README, encoding="utf-8") as file:
        found = re.search(r"load\s+below\s+([\d.]+)", file.read())
    if found is None:
        raise ReadmeError("bench/README.md does not say any more below which load to measure")
    return float(found.group(1).rstrip("."))


def provenance(result):
    """Where and when a result was taken, and how much else the machine had to do."""
    machine, most = result["machine"], load_most()
    loads = (machine["load_before"], machine["load_after"])
    text = (f"{machine['cpu']}, {machine['cpus']} CPUs, {machine['huge_pages_free']} free huge pages, {machine['date']}; "
            f"load {loads[0]} before and {loads[1]} after.")
    if max(loads) >= most:
        text += f" **The machine was not idle**: [`bench/README.md`](bench/README.md) asks for a load below {most}."
    return text


def speed(figures, _):
    """What a newcomer wants to know first."""
    checked = row_of(figures, "path", "lockstep", profile="mixed, net_ring", workers=1)
    alone = row_of(figures, "path", "lockstep", profile="mixed, net_null", workers=1)
    many = max(run.rows_of(figures, "path-growth"), key=lambda row: (row["ues"], row["engine"] == "lockstep"))
    return [f"On a shared machine with {figures['machine']['cpus']} cores ({figures['machine']['cpu']}), one worker thread made "
            f"and sent the messages of **{alone['ues_per_second'] / 1e6:.1f} million devices a second**, in eight formats mixed, to a port "
            f"that throws packets away. When a second thread opened and checked every message, that check set the pace: "
            f"{checked['ues_per_second'] / 1e6:.1f} million a second. At {many['ues']:,} devices the program took "
            f"{rounded(many['memory_bytes_per_ue'])} octets of memory for each, the check aside."]


def sample(_, shown):
    """What `make run` printed."""
    if not shown.get("sample"):
        raise ReadmeError(f"result {shown['machine']['name']} has no sample of make run: bench/run.py --questions sample")
    return ["```", *shown["sample"], "```", "", f"({provenance(shown)})"]


def size(figures, _):
    """Cycles per UE by size, a row per engine."""
    rows = [row for row in run.rows_of(figures, "engine") if row["profile"] == run.MAIN_PROFILE]
    sizes = sorted({row["bytes"] for row in rows})
    lines = [f"| octets | {' | '.join(f'{octets:,}' for octets in sizes)} |", "|---|" + "---|" * len(sizes)]
    for engine, name in ENGINES:
        cycles = [row_of(figures, "engine", engine, bytes=octets)["cycles_per_ue"] for octets in sizes]
        lines.append(f"| {name} | {' | '.join(rounded(value) for value in cycles)} |")
    most = max(row["ues"] for row in rows)
    hz = figures["limits"]["tsc_hz"]
    return [*lines, "",
            f"{most:,} UEs, each with keys of its own, one thread; the time-stamp counter (TSC) counts {hz / 1e9:.1f} GHz. A figure is "
            f"the median of {figures['machine']['rounds']} rounds, and a round the tenth percentile of short slices. All rows come from "
            f"[one run](bench/results/{figures['machine']['name']}.json) of `make bench` at commit `{figures['commit']}`:",
            provenance(figures)]


def path(figures, _):
    """The whole path, and what a second worker adds."""
    def cycles(engine):
        return [row["cycles_per_ue"] for question in ("path", "path-growth") for row in run.rows_of(figures, question)
                if row["engine"] == engine and row["workers"] == 1 and row["profile"] == "eps-nas-nidd, net_null"]
    growth = [row["ues"] for row in run.rows_of(figures, "path-growth")]
    one, two = (row_of(figures, "path", "lockstep", profile="eps-nas-nidd, net_null", workers=workers) for workers in (1, 2))
    return [f"In the same run a worker's whole turn, from choosing members to a port that throws packets away (`net_null`), took "
            f"{span(cycles('lockstep'))} cycles per UE with `lockstep` and {span(cycles(run.YARDSTICK))} with `ipsec-mb`, for "
            f"{one['bytes']} octets and from {min(growth):,} to {max(growth):,} UEs. Two workers on two cores served "
            f"{two['ues_per_second'] / one['ues_per_second']:.2f} times as many UEs a second as one."]


BLOCKS = {"speed": speed, "sample": sample, "size": size, "path": path}


def replaced(text, name, lines):
    """README with another block `name`."""
    pattern = re.compile(rf"^(<!-- {name} -->\n).*?^(<!-- end {name} -->)$", re.S | re.M)
    if len(pattern.findall(text)) != 1:
        raise ReadmeError(f"README.md must have <!-- {name} --> and <!-- end {name} --> once, each on a line of its own")
    return pattern.sub(lambda m: m.group(1) + "\n".join(lines) + "\n" + m.group(2), text)


def loose_figures(text):
    """Lines outside all blocks that hold what looks like a measured figure."""
    bare = re.sub(r"^<!-- (\S+) -->$.*?^<!-- end \1 -->$", lambda m: "\n" * m.group().count("\n"), text, flags=re.S | re.M)
    return [f"README.md:{number}: {line.strip()}" for number, line in enumerate(bare.splitlines(), 1) if MEASURED.search(line)]


def check(old, new):
    """0 when README says what the results say."""
    sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), new.splitlines(True), "README.md", "bench/results"))
    loose = loose_figures(old)
    for line in loose:
        print(f"{line}\nreadme: a measured figure stands outside the generated blocks: let bench/readme.py write it, or take it out")
    if new != old:
        print("readme: README.md does not say what bench/results say: change nothing between its markers, run bench/readme.py")
    return 1 if loose or new != old else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether README.md has the figures of the results")
    arguments = parser.parse_args()
    try:
        figures, shown = (run.load(os.path.join(run.RESULTS, f"{name}.json")) for name in (FIGURES, SAMPLE))
        with open(README, encoding="utf-8") as file:
            old = file.read()
        new = old
        for name, make in BLOCKS.items():
            new = replaced(new, name, make(figures, shown))
        if arguments.check:
            return check(old, new)
        with open(README, "w", encoding="utf-8") as file:
            file.write(new)
        return 0
    except (ReadmeError, run.BenchError, OSError) as error:
        print(f"readme: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
