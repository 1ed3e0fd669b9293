#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Gives the block RAMs of a yosys netlist their places on an LFE5UM-85: floorplan.py IN.json OUT.json

Left to itself nextpnr finds places for the block RAMs first by wires and then by what is free, which throws rounds that follow one
another across the whole part: 7.5 ns of wires where 3 are enough.

A round is two groups of four neighbours. A pipe of a lane is four rounds to the left in the inner row of its half of the part and
six back to the right in the outer one, and the lane's own memories are in the inner rows, where both pipes begin:

      y 82   |  r5 --> r6 --> r7 --> r8 --> r9 --> r10       |
      y 70   |  r4 <-- r3 <-- r2 <-- r1 of CTR  |  ring, ... |
      y 46   |  r4 <-- r3 <-- r2 <-- r1 of CMAC |  ring, ... |
      y 22   |  r5 --> r6 --> r7 --> r8 --> r9 --> r10       |
"""
import json
import re
import sys

# Left edges of the groups of four; the same in all four rows.
GROUPS = (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114)
GROUP_OFFSETS = (0, 2, 4, 6)
GROUP = len(GROUP_OFFSETS)


def there_and_back(y_there, y_back):
    """Rounds 1..4 to the left in one row, 5..10 back in another, each two groups beside each other."""
    return [((8 - 2 * r, y_there), (9 - 2 * r, y_there)) for r in range(1, 5)] + [
        ((2 * r - 10, y_back), (2 * r - 9, y_back)) for r in range(5, 11)]


# Of each round, the groups that its first and its last two columns are in, as (number in the row, row). A pipe that is alone is
# in the upper rows, which are near each other: a round is one group above another and the next one is beside it.
PIPES = {
    "": [((10 - r, 70), (10 - r, 82)) for r in range(1, 11)],
    "u_ctr.": there_and_back(70, 82),
    "u_cmac.": there_and_back(46, 22),
}
SBOXES = re.compile(r"^(u_cmac\.|u_ctr\.|)g_round\[(\d+)\]\.u_round\.u_sub(\d)\.g_block_ram\.g_pair\[(\d)\]\.u_pair\.u_ram$")

# Of each memory of the lane, the groups that its slices fill one after the other.
MEMORIES = {
    "u_results.u_ring": [(8, 70), (8, 46), (9, 70), (9, 46), (10, 70), (10, 46), (11, 70), (11, 46)],
    "u_messages.u_octets": [(12, 46)],
    "u_results.u_records": [(12, 70)],
}
SLICES = re.compile(r"^(u_[a-z_.]+)\.g_slice\[(\d+)\]\.g_\w+\.u_ram$")


def bel(group, member):
    """The name of a place: a group as (number in the row, row) and one of its four."""
    number, y = group
    return f"X{GROUPS[number] + GROUP_OFFSETS[member]}/Y{y}/EBR{member}"


def place_of(name):
    """Where the block RAM of that name stands."""
    match = SBOXES.match(name)
    if match:
        pipe, *numbers = match.groups()
        round_, column, pair = map(int, numbers)
        half, member = divmod(2 * column + pair, GROUP)
        return bel(PIPES[pipe][round_ - 1][half], member)
    match = SLICES.match(name)
    if match and match[1] in MEMORIES:
        group, member = divmod(int(match[2]), GROUP)
        return bel(MEMORIES[match[1]][group], member)
    sys.exit(f"floorplan: no place for the block RAM {name}: have names in the RTL changed?")


def main():
    source, target = sys.argv[1:]
    with open(source, encoding="ascii") as file:
        netlist = json.load(file)
    for module in netlist["modules"].values():
        for name, cell in module["cells"].items():
            if cell["type"] in ("DP16KD", "PDPW16KD"):
                cell["attributes"]["BEL"] = place_of(name)
    with open(target, "w", encoding="ascii") as file:
        json.dump(netlist, file)


if __name__ == "__main__":
    main()
