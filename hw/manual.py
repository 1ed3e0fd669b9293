#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What the manual (README.md) says of modules and results, taken from the files and from the last run of the checks.

    manual.py            writes the blocks between <!-- NAME --> and <!-- end NAME --> anew
    manual.py --check    exit 1 when the list of modules is not what rtl/ has; measures nothing, so results are not looked at

The list of modules is made of the first sentence of each file's heading. Results are the lines that the checks print, kept in
BUILD/results by `make results`; a block whose check has not been run stays as it is.
"""
import argparse
import difflib
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
MANUAL = HERE / "README.md"
# Rooms of rtl/: a heading and who belongs there, in this order; what no pattern takes is an error.
ROOMS = (
    ("Types and limits", r".*_pkg"),
    ("The whole", r"fan_engine|fan_reset|fan_registers|fan_queue_(registers|view)"),
    ("Read side", r"fan_(fetch|queues|descriptor|dispatch|message_.*|feed.*|read|burst|select|round_robin|reverse)"),
    ("AES lane", r"fan_(lane|messages|plan|carousel|follows|text|mac_block|subkey|results)|aes.*"),
    ("SNOW 3G and ZUC lanes", r"fan_(stream|snow3g|zuc|product|eia1|eia3).*|snow3g.*|zuc.*"),
    ("Write side", r"fan_(pack|write|complete|complete_queue)"),
    ("Memories, delays, checks", r"fan_(ram|fifo|delay|stable|assert|axi).*"),
)


def first_sentence(path):
    """The first sentence of the comment that a file begins with, behind the licence."""
    words = []
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        if not line.startswith("//"):
            break
        text = line[2:].strip()
        if not text and words:
            break
        words += text.split()
    sentence = " ".join(words)
    end = re.search(r"[.:](\s|$)", sentence)
    if not sentence or not end:
        sys.exit(f"manual: {path.name} does not begin with a sentence that says what it is")
    return sentence[: end.start()].replace("|", "\\|")


def modules():
    """The table of modules."""
    files = sorted(list((HERE / "rtl").glob("*.sv")) + list((HERE / "rtl").glob("*.svh")))
    lines, seen = [], set()
    for room, pattern in ROOMS:
        lines += ["", f"**{room}**", "", "| file | what it is |", "|---|---|"]
        for path in files:
            if path not in seen and re.fullmatch(pattern, path.stem):
                seen.add(path)
                lines.append(f"| [`{path.stem}`](rtl/{path.name}) | {first_sentence(path)} |")
    lost = [path.name for path in files if path not in seen]
    if lost:
        sys.exit(f"manual: no room for {', '.join(lost)}: name it in ROOMS of {pathlib.Path(__file__).name}")
    return lines[1:]


def thousands(text):
    """1234567 -> 1,234,567 wherever a number of five digits or more stands."""
    return re.sub(r"\b\d{4,}\b", lambda m: f"{int(m.group()):,}", text)


def synth(log):
    """LUT, FF and BRAM of each top."""
    lines = ["| yosys `synth_xilinx -family xcup -flatten` | LUT | of them memory | FF | RAMB36 | budget, LUT |", "|---|---|---|---|---|---|"]
    for name, *figures in re.findall(r"^synth: (.+?): (\d+) LUT \((\d+) as memory\), (\d+) FF, ([\d.]+) RAMB36(?:; budget (\d+) LUT)?", log, re.M):
        lines.append(f"| `{name}` | " + " | ".join(thousands(figure) or "-" for figure in figures) + " |")
    return lines


def rate(log):
    """Clocks per UE of the lanes alone: the tables that the lane tests print, one after the other, in the order of LANES."""
    lines, lane = [], iter(("AES", "SNOW 3G", "ZUC"))
    rows = log.splitlines()
    for i, row in enumerate(rows):
        if not row.startswith("rate: clocks per UE (and over the bound)"):
            continue
        name = next(lane)
        if not lines:
            lines += [f"| lane | order | {' | '.join(rows[i + 1].split())} |", "|---|---|" + "---|" * len(rows[i + 1].split())]
        for order in rows[i + 2 : i + 6]:
            match = re.match(r"(.+?)\s{2,}(.*)", order)
            lines.append(f"| {name} | {match.group(1)} | {' | '.join(re.findall(r'([0-9.]+) +[(]', match.group(2)))} |")
    return lines


def engine(log):
    """Clocks per UE of the whole engine, by size, size of batch and number of queues that the batches came from."""
    found = re.findall(r"^rate: (.+), lanes: (\d+), +(\d+) octets, batches of +(\d+) UEs, queues: (\d+ of \d+) entries: +([\d.]+) clocks per UE, "
                       r"bound +([\d.]+) \((\w+)\)", log, re.M)
    loads = sorted({(int(row[3]), row[4]) for row in found}, reverse=True)
    names = [f"{count} a batch, {re.sub(' of', ' queues of' if queues[0] != '1' else ' queue of', queues)}" for count, queues in loads]
    lines = ["| lanes | octets | bound, 64 UEs a batch | " + " | ".join(names) + " |", "|---|---|---|" + "---|" * len(loads)]
    table = {}
    for algorithm, lanes, octets, count, queues, clocks, bound, why in found:
        row = table.setdefault((f"{lanes} {algorithm}", octets), {})
        row[int(count), queues] = clocks
        if (int(count), queues) == loads[0]:
            row["bound"] = f"{bound} ({why})"
    for (lanes, octets), row in table.items():
        lines.append(f"| {lanes} | {thousands(octets)} | {row['bound']} | " + " | ".join(row.get(load, "-") for load in loads) + " |")
    return lines


def as_table(prefix, left, right):
    """A reader of lines `prefix: name: text`."""

    def read(log):
        lines = [f"| {left} | {right} |", "|---|---|"]
        for name, text in re.findall(rf"^{prefix}: ([^:\n]+): (.+)$", log, re.M):
            lines.append(f"| {name} | {text.replace('|', chr(92) + '|')} |")
        return lines

    return read


def pnr(log):
    """What nextpnr reached, and the path that limits it: its beginning and its end."""
    lines = ["| top | placed and routed | cells | the path that limits it |", "|---|---|---|---|"]
    for block in re.split(r"^(?=pnr: \w+: )", log, flags=re.M)[1:]:
        name, reached = re.match(r"pnr: (\w+): (.+)", block).groups()
        cells = re.search(r"^pnr: (\d.+)$", block, re.M).group(1)
        limit = re.search(r"^pnr: the path that limits it, (.+):$", block, re.M).group(1)
        steps = re.findall(r"^ +[\d.]+ +[\d.]+ +\S+ +\(\d+,\d+\) (\S+)$", block, re.M)
        lines.append(f"| `{name}` | {reached} | {cells} | {limit}: `{steps[0]}` to `{steps[-1]}` |")
    return lines


RESULTS = {
    "synth": synth,
    "rate": rate,
    "engine": engine,
    "formal": as_table("formal", "what", "proved"),
    "cover": as_table("cover", "what", "covered"),
    "pnr": pnr,
}


def replaced(text, name, lines):
    """The manual with another block `name`."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- end {name} -->)", re.S)
    if not pattern.search(text):
        sys.exit(f"manual: {MANUAL.name} has no place <!-- {name} --> for this")
    return pattern.sub(lambda m: m.group(1) + "\n".join(lines) + m.group(2), text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether the list of modules is that of rtl/")
    parser.add_argument("--results", type=pathlib.Path, default=HERE.parent / "build/hw/results", help="where the checks' output is")
    arguments = parser.parse_args()
    old = MANUAL.read_text(encoding="utf-8")
    new = replaced(old, "modules", modules())
    if arguments.check:
        sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), new.splitlines(True), "README.md", "rtl/"))
        if new != old:
            sys.exit("manual: the list of modules in hw/README.md is not that of rtl/: run make -C hw manual")
        print("manual: every file of rtl/ is in the manual")
        return
    for name, read in RESULTS.items():
        log = arguments.results / f"{name}.log"
        if log.exists():
            lines = read(log.read_text(encoding="utf-8"))
            if len(lines) < 3:
                sys.exit(f"manual: nothing in {log} to make a table of")
            new = replaced(new, name, lines)
    MANUAL.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
