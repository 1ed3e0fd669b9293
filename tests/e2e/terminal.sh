#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What a terminal shows of a run, at several widths and while its width changes: no line wraps, progress leaves nothing behind and the
# table begins where the command did. Takes the program's path from FANFARE.
set -u

fanfare=${FANFARE:-build/fanfare}
[ -x "$fanfare" ] || { echo "no program at $fanfare"; exit 77; }
command -v python3 >/dev/null || { echo 'no python3, which plays the terminal'; exit 77; }

python3 - "$fanfare" <<'PYTHON' || exit 1
import fcntl, os, pty, re, struct, sys, termios

FANFARE = sys.argv[1]
faults = 0


def fault(text):
    global faults
    faults += 1
    print("FAULT:", text)


def set_width(descriptor, columns):
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


class Terminal:
    """Rows of characters; what does not fit into `columns` goes on in the next row, as terminals have it."""

    def __init__(self, columns):
        self.columns, self.rows, self.x, self.wraps, self.shown = columns, [""], 0, 0, set()

    def take(self, text):
        for character in text:
            if character == "\r":
                self.x = 0
            elif character == "\n":
                self.rows.append("")  # the terminal driver makes CR LF of it
            else:
                if self.x >= self.columns:
                    self.wraps += 1
                    self.rows.append("")
                    self.x = 0
                row = self.rows[-1].ljust(self.x)
                self.rows[-1] = row[:self.x] + character + row[self.x + 1:]
                self.x += 1
                self.shown.add(self.rows[-1])


def run(columns, arguments, later=None):
    """What a terminal of so many columns shows; `later` columns once progress was seen."""
    meet_read, meet_write = os.pipe()
    pid, descriptor = pty.fork()
    if pid == 0:
        os.read(meet_read, 1)
        os.execv(FANFARE, [FANFARE, "fanout"] + arguments)
    set_width(descriptor, columns)
    os.write(meet_write, b".")
    terminal = Terminal(columns)
    while True:
        try:
            octets = os.read(descriptor, 65536)
        except OSError:
            break
        if not octets:
            break
        terminal.take(octets.decode())
        if later and any("%" in row for row in terminal.shown):
            set_width(descriptor, later)
            # What was on its way was made for the old width.
            terminal.take(os.read(descriptor, 65536).decode())
            terminal.columns, later = later, None
    _, status = os.waitpid(pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        fault(f"{columns} columns: exit {os.waitstatus_to_exitcode(status)}: {terminal.rows}")
    return terminal


for columns in 60, 80, 91, 120, 200:
    for arguments in (["--ues", "300000"], ["--ues", "2000", "--repeat", "20"], ["--ues", "20", "--profile", "eps-nas-sms", "--no-verify"]):
        terminal = run(columns, arguments)
        where = f"{columns} columns, {' '.join(arguments)}"
        if terminal.wraps:
            fault(f"{where}: {terminal.wraps} lines wrap: " + "\n".join(terminal.rows))
        if not terminal.rows[0].startswith("One message of "):
            fault(f"{where}: begins with {terminal.rows[0]!r}")
        table = [row.rstrip() for row in terminal.rows]
        head = next((i for i, row in enumerate(table) if row.startswith("  profile")), None)
        if head is None or not re.search(r"UEs .*created .*sent .*verified .*dropped$", table[head]):
            fault(f"{where}: no head of the table")
            continue
        rows = [row for row in table[head:] if re.match(r"  (profile|all|eps-|5gs-|lte-|nr-)", row)]
        if len({len(row) for row in rows}) != 1:
            fault(f"{where}: columns do not stand in line: " + "\n".join(rows))

# Progress, at a width that changes under it.
for columns, later in ((80, None), (60, None), (120, 60)):
    terminal = run(columns, ["--ues", "1000000"], later)
    if terminal.wraps:
        fault(f"{columns} columns, then {later}: {terminal.wraps} lines wrap: " + "\n".join(terminal.rows))
    if not terminal.rows[0].startswith("One message of "):
        fault(f"{columns} columns, then {later}: begins with {terminal.rows[0]!r}")
    if not any("sending" in row and "%" in row for row in terminal.shown):
        fault(f"{columns} columns, then {later}: no progress was seen")
print("terminal: all as it should be" if faults == 0 else f"{faults} faults")
sys.exit(faults != 0)
PYTHON
