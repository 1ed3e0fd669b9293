# SPDX-License-Identifier: BSD-3-Clause
"""Judges what Verilator has counted: python3 coverage.py COUNTS HOLES PERCENT.

A place in a source file is covered when any instance of its module has been there. Exits with 1 when less than PERCENT of the places
in rtl/ are covered, or when a functional point was never met that HOLES gives no reason for.
"""
import collections
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent


def read_counts(path):
    """Yields (fields, count) of each counter: f file, l line, n column, page, o what, h hierarchy."""
    with open(path, encoding="latin-1") as file:
        for line in file:
            found = re.match(r"C '(.*)' (\d+)$", line.rstrip("\n"))
            if found:
                fields = dict(part.split("\x02", 1) for part in found[1].split("\x01") if "\x02" in part)
                yield fields, int(found[2])


def read_holes(path):
    rows = [line.split("|") for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    return [tuple(cell.strip() for cell in row) for row in rows]


def point_name(fields):
    """Without the way to the instance, so that those of all lanes are one."""
    return re.sub(r"^.*\bu_cover\.", "", fields["h"])


def module_of(fields):
    source = (HERE / "sim/engine_cover.sv").read_text(encoding="utf-8").splitlines()
    for line in reversed(source[:int(fields["l"])]):
        found = re.match(r"module fan_cover_(\w+)", line)
        if found:
            return found[1]
    return "?"


def main():
    places, points, lines_of = collections.Counter(), collections.Counter(), {}
    for fields, count in read_counts(sys.argv[1]):
        file = pathlib.Path(fields["f"]).name
        if "user" in fields["page"]:
            points[module_of(fields), point_name(fields)] += count
        elif fields["f"].startswith("rtl/"):
            places[file, int(fields["l"]), fields["n"], fields["o"], fields["page"].split("/")[0]] += count
    holes, percent, failed = read_holes(sys.argv[2]), float(sys.argv[3]), False

    def reason(where, text):
        return next((why for file, part, why in holes if file == where and part in text), None)

    by_file = collections.defaultdict(list)
    for place, count in places.items():
        by_file[place[0]].append((place, count))
    for file, found in sorted(by_file.items()):
        source = (HERE / "rtl" / file).read_text(encoding="utf-8").splitlines()
        hit = sum(count != 0 for _, count in found)
        print(f"{file}: {hit} of {len(found)}")
        for (_, line, _, what, _), count in sorted(found):
            if count == 0 and percent:
                text = source[line - 1].strip()
                print(f"    {line}: {what}: {text}\n        {reason(file, text) or 'NOT EXPLAINED'}")
    for (module, name), count in sorted(points.items()):
        why = "" if count else reason(module, name) or "NEVER MET, and no reason is given"
        print(f"{module}.{name}: {count} {why}".rstrip())
        failed = failed or why.startswith("NEVER")
    total, hit = len(places), sum(count != 0 for count in places.values())
    met = sum(count != 0 for count in points.values())
    share = 100 * hit / max(total, 1)
    print(f"cover: lines and branches of rtl/: {share:.1f} % ({hit} of {total}), tables of the S-boxes left out")
    if points:
        print(f"cover: functional points: {met} of {len(points)} met")
    if share < percent or failed:
        sys.exit(f"cover: less than {percent:g} % of lines, or a point never met")


if __name__ == "__main__":
    main()
