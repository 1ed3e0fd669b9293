#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Rooms and arrows: which folder may include and call which. The table stands in the Makefile (define arrows).

    rooms.py --check [BUILD]   exit 1 for an #include, or with BUILD's objects a call, along an arrow that the table does not have, for
                               a circle of folders, and when README.md does not show the table
    rooms.py --write           puts the table into README.md, between <!-- rooms --> and <!-- end rooms -->
"""
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(<!-- rooms -->\n)(.*?)(<!-- end rooms -->)", re.S)


def read_table():
    """Row by row: a folder, or one file that may do more than its folder, and the folders that it may include."""
    text = (TOP / "Makefile").read_text(encoding="utf-8")
    rows = {}
    for line in re.search(r"^define arrows\n(.*?)^endef$", text, re.S | re.M).group(1).splitlines():
        name, _, allowed = line.partition(":")
        rows[name.strip()] = allowed.split()
    return rows


def room_of(path, rows):
    """The row that speaks for a file: its own, else that of the nearest folder above it."""
    for name in (path, *path.parents):
        if str(name) in rows:
            return str(name)
    return None


def folder(row):
    """The folder of a row, which may be that of one file."""
    return str(pathlib.PurePath(row).parent) if pathlib.PurePath(row).suffix else row


def includes(rows):
    """(file, what it includes) of all sources, relative to the top."""
    for path in sorted(TOP.rglob("*.[ch]")) + sorted(TOP.rglob("*.cc")):
        at = path.relative_to(TOP)
        if at.parts[0].startswith("build") or room_of(at, rows) is None:
            continue
        for name in re.findall(r'^\s*#include "([^"]+)"', path.read_text(encoding="utf-8"), re.M):
            target = (path.parent / name).resolve()
            if target.exists():
                yield at, target.relative_to(TOP)


def calls(build):
    """(file, file that defines what it calls) between the library's and the program's objects."""
    objects = [o for o in sorted((TOP / build).rglob("*.o")) if o.relative_to(TOP / build).parts[0] in ("dataplane", "driver", "host-api", "ue")]
    wants, has = [], {}
    for path in objects:
        at = path.relative_to(TOP / build).with_suffix(".c")
        if not (TOP / at).exists():
            continue
        for line in subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout.splitlines():
            kind, symbol = line.split()[-2:]
            if kind == "U":
                wants.append((at, symbol))
            elif kind.isupper():
                has[symbol] = at
    return sorted({(at, has[symbol]) for at, symbol in wants if has.get(symbol, at) != at})


def reached(row, rows):
    """All folders that arrows lead to from a row: what fanfare.h declares is called from anywhere above where it stands."""
    found, at = {folder(row)}, [row]
    while at:
        for name in rows.get(at.pop(), ()):
            if name not in found:
                found.add(name)
                at.append(name)
                at += [other for other in rows if folder(other) == name]
    return found


def wrong_arrows(rows, pairs, verb, allowed):
    """A line for each pair that the table does not allow."""
    for at, target in pairs:
        row, room = room_of(at, rows), folder(room_of(target, rows) or "")
        if "*" not in rows[row] and room not in allowed(row):
            yield f"{at} {verb} {target}: {row} may reach {', '.join(rows[row]) or 'nothing'}"


def circle(rows):
    """The folders of a circle, or nothing."""
    arrows = {}
    for row, allowed in rows.items():
        arrows.setdefault(folder(row), set()).update(set(allowed) - {folder(row)})
    while True:
        leaves = [room for room in arrows if not arrows[room] & arrows.keys()]
        if not leaves:
            return sorted(arrows)
        for room in leaves:
            del arrows[room]


def drawing(rows):
    """The table as README shows it."""
    lines = ["| in | may be included, beside its own |", "|---|---|"]
    for row, allowed in rows.items():
        lines.append(f"| `{row}` | {', '.join('anything' if name == '*' else f'`{name}`' for name in allowed) or 'nothing'} |")
    return "\n".join(lines) + "\n"


def main():
    rows = read_table()
    readme = TOP / "README.md"
    text = readme.read_text(encoding="utf-8")
    wanted = BLOCK.sub(lambda m: m.group(1) + drawing(rows) + m.group(3), text)
    if sys.argv[1:2] == ["--write"]:
        readme.write_text(wanted, encoding="utf-8")
        return 0
    faults = list(wrong_arrows(rows, includes(rows), "includes", lambda row: (folder(row), *rows[row])))
    if len(sys.argv) > 2:
        faults += wrong_arrows(rows, calls(sys.argv[2]), "calls", lambda row: reached(row, rows))
    if circle(rows):
        faults.append("the table has a circle: " + ", ".join(circle(rows)))
    if not BLOCK.search(text) or text != wanted:
        faults.append("README.md does not show the table of rooms: make rooms")
    for fault in faults:
        print(f"rooms: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
