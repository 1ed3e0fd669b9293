#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Gives the S-boxes' block RAMs of a yosys netlist their places on an LFE5UM-85: floorplan.py IN.json OUT.json

Left to itself nextpnr finds places for the block RAMs first by wires and then by what is free, which throws rounds that follow one
another across the whole part: 7.5 ns of wires where 3 are enough. Here a round is two groups of four neighbours, and a pipe is
ten rounds to the left in one row and back in the next, so that both its ends are on the right, where two groups in each row are
left to the lane's own memories.
"""
import json
import re
import sys

# Left edges of the groups of four; the same in all four rows.
GROUPS = (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114)
GROUP_OFFSETS = (0, 2, 4, 6)


def there_and_back(y_there, y_back):
    """Rounds 1..5 to the left in one row, 6..10 back in another, each two groups beside each other."""
    return [((10 - 2 * r, y_there), (11 - 2 * r, y_there)) for r in range(1, 6)] + [
        ((2 * r - 12, y_back), (2 * r - 11, y_back)) for r in range(6, 11)]


# Of each round, the groups that its first and its last two columns are in, as (number in the row, row). A pipe that is alone is
# the first. In the upper rows, which are near each other, a round is one group above another and the next one is beside it.
PIPES = {
    "": [((10 - r, 70), (10 - r, 82)) for r in range(1, 11)],
    "u_ctr.": there_and_back(70, 82),
    "u_cmac.": there_and_back(22, 46),
}
NAME = re.compile(r"^(u_cmac\.|u_ctr\.|)g_round\[(\d+)\]\.u_round\.u_sub(\d)\.g_block_ram\.g_pair\[(\d)\]\.u_pair\.u_ram$")


def place_of(pipe, round_, column, pair):
    """The name of a place, for a round of 1..10, a column of the state and a pair of its octets."""
    half, member = divmod(2 * column + pair, 4)
    group, y = PIPES[pipe][round_ - 1][half]
    return f"X{GROUPS[group] + GROUP_OFFSETS[member]}/Y{y}/EBR{member}"


def main():
    source, target = sys.argv[1:]
    with open(source, encoding="ascii") as file:
        netlist = json.load(file)
    placed = 0
    for module in netlist["modules"].values():
        for name, cell in module["cells"].items():
            match = NAME.match(name)
            if cell["type"] == "DP16KD" and match:
                pipe, *numbers = match.groups()
                cell["attributes"]["BEL"] = place_of(pipe, *map(int, numbers))
                placed += 1
    if placed not in (80, 160):
        sys.exit(f"floorplan: {placed} block RAMs of S-boxes instead of 80 a pipe: have names in the RTL changed?")
    with open(target, "w", encoding="ascii") as file:
        json.dump(netlist, file)


if __name__ == "__main__":
    main()
