#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Says how fast a placed and routed part is and which path limits it: report.py NAME REPORT.json LEAST_MHZ

Exit status 1 below LEAST_MHZ. REPORT.json is what `nextpnr-ecp5 --report` writes.
"""
import json
import re
import sys

# What yosys puts behind the name of a signal or an instance to tell a cell of its own making.
MADE_BY_YOSYS = re.compile(r"(_(LUT4|PFUMX|L6MUX21|TRELLIS_FF|CCU2C|DI|Z|Q|A|B|C|D|M|ALUT|BLUT)\d*(?=_|$|\$))+.*")


def steps_of(path):
    """Lines of a table: time of arrival, delay, what takes it, where; the free steps inside one slice left out."""
    arrival = 0.0
    for step in path:
        arrival += step["delay"]
        if step["delay"] < 0.01 and step["type"] != "setup":
            continue
        (x, y), cell = step["to"]["loc"], MADE_BY_YOSYS.sub("", step["to"]["cell"])
        yield f"  {arrival:6.2f} {step['delay']:6.2f}  {step['type']:9} ({x},{y}) {cell}"


def main():
    name, report_name, least_mhz = sys.argv[1], sys.argv[2], float(sys.argv[3])
    with open(report_name, encoding="utf-8") as file:
        report = json.load(file)
    achieved_mhz = report["fmax"]["clk_i"]["achieved"]
    path = next(p["path"] for p in report["critical_paths"] if p["from"] == p["to"] == "posedge clk_i")
    wires_ns = sum(step["delay"] for step in path if step["type"] == "routing")
    all_ns = sum(step["delay"] for step in path)
    used = report["utilization"]

    print(f"pnr: {name}: {achieved_mhz:.1f} MHz on LFE5UM-85, speed grade 6; at least {least_mhz:.0f}")
    print("pnr: " + ", ".join(f"{used[cell]['used']} of {used[cell]['available']} {cell}" for cell in ("TRELLIS_COMB", "TRELLIS_FF", "DP16KD")))
    print(f"pnr: the path that limits it, {all_ns:.2f} ns, of them {wires_ns:.2f} in wires:")
    print("      ns  delay  (x,y) and cell at its end")
    print("\n".join(steps_of(path)))
    return achieved_mhz < least_mhz


if __name__ == "__main__":
    sys.exit(main())
