#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Manual pages of file formats, made of the sections that describe them in the manuals of this folder, so that there is one text of each.

    manual.py NAME              prints a page of PAGES, in mdoc
    manual.py NAME --keys       only what its tables describe, a line each: "[section] key = default" or "column"
    manual.py NAME --sample     a file of that format to begin with: every key with its default, in comments but for those that must be given
    manual.py --list            the pages' names

What it understands of Markdown: paragraphs, tables, ```code```, `code`, **bold**, [links](...) and ### headings.
"""
import argparse
import datetime
import os
import pathlib
import re
import textwrap

HERE = pathlib.Path(__file__).resolve().parent
# The page, what is described, where, the sections' headings, and a file that is one.
PAGES = {
    "fanfare.ini": ("configuration of fanfare serve", "control/README.md", ("Configuration", "Roles"), "/etc/fanfare/fanfare.ini"),
    "fanfare-t8.ini": ("configuration of fanfare t8", "north/t8/README.md", ("Configuration", "Who may"), "/etc/fanfare/t8.ini"),
    "fanfare-tsp.ini": ("configuration of fanfare tsp", "north/tsp/README.md", ("Configuration",), "/etc/fanfare/tsp.ini"),
    "fanfare-keys.ini": ("configuration of fanfare keys", "north/keys/README.md", ("Configuration",), "/etc/fanfare/keys.ini"),
    "fanfare-web.ini": ("configuration of fanfare web", "north/web/README.md", ("Settings",), "/etc/fanfare/web.ini"),
    "fanfare-ues": ("files of UEs for fanfare ue import", "control/README.md", ("Files of UEs",), None),
}


def sections_of(name):
    """[(heading, lines)] of a page."""
    _, manual, headings, _ = PAGES[name]
    text = (HERE / manual).read_text()
    found = dict((part.split("\n", 1)[0], part.split("\n", 1)[1]) for part in re.split(r"^## ", text, flags=re.M)[1:])
    return [(heading, found[heading].strip().split("\n")) for heading in headings]


# ---- mdoc --------------------------------------------------------------------------------------------------------------------------


def escaped(text):
    for octet, name in (("\\", "\\e"), ("'", "\\(aq"), ("^", "\\(ha"), ("~", "\\(ti")):
        text = text.replace(octet, name)
    return re.sub(r"(^|(?<=[\s/=]))-+", lambda dashes: "\\-" * len(dashes.group()), text)


def inline(text):
    """Code and bold become bold, links their text, entities characters."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text).replace("\\|", "|")
    parts = re.split(r"`([^`]*)`|\*\*([^*]*)\*\*", text)
    return "".join(escaped(plain) + (f"\\fB{escaped(code or bold)}\\fR" if code or bold else "")
                   for plain, code, bold in zip(parts[::3], parts[1::3] + [None], parts[2::3] + [None]))


def filled(text):
    """Lines of a paragraph: each sentence begins one, and none is longer than 80 octets."""
    lines = []
    for sentence in re.split(r"(?<=[.?!]) (?=[A-Z`])", " ".join(text.split())):
        line = ""
        for word in inline(sentence).split(" "):
            if line and len(line) + len(word) > 78:
                lines.append(line)
                line = ""
            line += (" " if line else "") + word
        lines.append(line)
    return ["\\&" + line if line[0] in ".'" else line for line in lines]


# ---- Tables ------------------------------------------------------------------------------------------------------------------------


def rows_of(lines):
    """A table's rows, as dictionaries by the names of its columns; an empty first cell is that of the row before. A section whose keys are told elsewhere has a
    row without one, which is left out."""
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]
    names, before = cells[0], ""
    for row in cells[2:]:
        row[0] = before = row[0] or before
        if dict(zip(names, row)).get("key", "-"):
            yield dict(zip(names, row))


def is_needed(row):
    return row.get("default", "").startswith(("to be given", "needed"))


def told(row):
    """What a row says of its key."""
    text = row.get("meaning") or row["values"]
    if row.get("default") == "to be given":
        text += ". It must be given"
    elif is_needed(row):
        text += f". It is {row['default']}"
    elif row.get("default"):
        text += f". Default: {row['default']}"
    if row.get("reload") == "yes":
        text += ". A reload brings it into force"
    return text + "."


def table(lines):
    section, out = None, []
    for row in rows_of(lines):
        if row.get("section") != section:
            out += [".El"] * bool(out) + [f".Ss {inline(row['section'])}"]
            section = row["section"]
            out.append(".Bl -tag -width Ds")
        elif not out:
            out.append(".Bl -tag -width Ds")
        out += [f".It {inline(row.get('key') or row['column'])}"] + filled(told(row))
    return out + [".El"]


def all_rows(name):
    for _, lines in sections_of(name):
        cells = [line for line in lines if line.startswith("|")]
        yield from rows_of(cells) if cells else ()


def keys_of(row):
    """[(key, default)] of a row of keys: each has its own default, where there are as many, else all have the one. One that is said in words is none."""
    names = re.findall(r"`([^`]*)`", row["key"])
    defaults = row["default"].split(", ")
    if len(defaults) != len(names):
        defaults = [row["default"]] * len(names)
    return [(key, default.strip("`") if re.fullmatch("`[^`]*`", default) else "") for key, default in zip(names, defaults)]


def keys(name):
    for row in all_rows(name):
        if "section" in row:
            yield from (f"{row['section']} {key} = {default}".replace("`", "").rstrip() for key, default in keys_of(row))
        else:
            yield from re.findall(r"`([^`]*)`", row.get("column", ""))


# ---- Samples -----------------------------------------------------------------------------------------------------------------------


def examples(name):
    """{first word of a section's name: (its whole name, {key: value})} of the first ```ini block, which gives what a table cannot."""
    found, section = {}, None
    block = re.search(r"^```ini\n(.*?)^```", "\n".join(line for _, lines in sections_of(name) for line in lines) + "\n", re.M | re.S)
    for line in block.group(1).splitlines() if block else ():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]").split()[0], (line, {}))
        elif " = " in line:
            section[1].update([line.split(" = ", 1)])
    return found


def sample(name):
    what, _, _, file = PAGES[name]
    given, section, out = examples(name), None, []
    out += ["; SPDX-License-Identifier: BSD-3-Clause", ";"]
    out += commented(f"{what[0].upper()}{what[1:]}: every key, with its default or, where it has none, an example; what is a comment is not in force. {name}(5) describes it, and "
                     f"`{what.removeprefix('configuration of ')} --config {file} --check prints all that is in force. Secrets are in the files that are named here, never in this one.")
    for row in all_rows(name):
        title, values = given.get(row["section"].strip("`[]").split()[0], (row["section"].strip("`"), {}))
        if title != section:
            section = title
            out += ["", title]
        out += commented(re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", told(row)))
        for key, default in keys_of(row):
            out.append(f"{'' if is_needed(row) else '; '}{key} = {default or values.get(key, '')}".rstrip())
    return out


def commented(text):
    """Lines of a comment. What begins with code is not a sentence's beginning."""
    return textwrap.wrap((text[0].upper() + text[1:]).replace("`", ""), 120, initial_indent="; ", subsequent_indent="; ", break_on_hyphens=False)


# ---- Pages -------------------------------------------------------------------------------------------------------------------------


def body(lines):
    """A section's paragraphs, tables and code."""
    out, at = [], 0
    while at < len(lines):
        end = at + 1
        if lines[at].startswith("```"):
            while not lines[end].startswith("```"):
                end += 1
            out += [".Bd -literal -offset indent"] + [escaped(line) for line in lines[at + 1:end]] + [".Ed"]
            end += 1
        elif lines[at].startswith("### "):
            out.append(f".Ss {inline(lines[at][4:])}")
        elif lines[at].startswith("|"):
            while end < len(lines) and lines[end].startswith("|"):
                end += 1
            out += table(lines[at:end])
        elif lines[at]:
            while end < len(lines) and lines[end] and lines[end][0] not in "|`#" or end < len(lines) and re.match("`[^`]", lines[end]):
                end += 1
            out += [".Pp"] * (bool(out) and not out[-1].startswith(".Ss")) + filled(" ".join(lines[at:end]))
        at = end
    return out


def page(name):
    what, _, _, file = PAGES[name]
    at = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc) if os.environ.get(
        "SOURCE_DATE_EPOCH") else datetime.datetime.now(datetime.timezone.utc)
    out = [f".Dd {at:%B} {at.day}, {at.year}", f".Dt {name.upper()} 5", ".Os fanfare", ".Sh NAME", f".Nm {name}", f".Nd {what}"]
    for i, (heading, lines) in enumerate(sections_of(name)):
        out += [".Sh DESCRIPTION" if i == 0 else f".Sh {heading.upper()}"] + body(lines)
    if file:
        out += [".Sh FILES", f".Pa {file}"]
    others = sorted(other for other in PAGES if other != name)
    out += [".Sh SEE ALSO", ".Xr fanfare 1 ,", ".Xr fanfare-serve 1 ,"]
    out += [f".Xr fanfare-{command} 1 ," for command in ("t8", "tsp", "ue", "web")]
    return out + [f".Xr {other} 5 ," for other in others[:-1]] + [f".Xr {others[-1]} 5"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("page", nargs="?", choices=sorted(PAGES))
    parser.add_argument("--keys", action="store_true", help="only what its tables describe")
    parser.add_argument("--sample", action="store_true", help="a file to begin with")
    parser.add_argument("--list", action="store_true", help="the pages' names")
    chosen = parser.parse_args()
    if chosen.list or chosen.page is None:
        print("\n".join(PAGES))
    else:
        print("\n".join(keys(chosen.page) if chosen.keys else sample(chosen.page) if chosen.sample else page(chosen.page)))


if __name__ == "__main__":
    main()
