#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# One proof: prove.sh DIRECTORY NAME TOP "YOSYS READ OPTIONS" "PARAMETERS" DEPTH [induction]
# Bounded from reset, and with `induction` for all time. Prints one line; the counter-example is left in DIRECTORY.
set -eu
directory=$1 name=$2 top=$3 options=$4 parameters=$5 depth=$6 induction=${7:-}

mkdir -p "$directory"
log=$directory/$name.log
read_files="rtl/fan_pkg.sv rtl/fan_registers_pkg.sv rtl/fan_engine_pkg.sv rtl/fan_fetch_pkg.sv rtl/fan_stable_check.sv rtl/fan_queue_registers.sv rtl/fan_ram_async.sv rtl/fan_ram_sync.sv rtl/fan_plan.sv rtl/$top.sv"
yosys -q -p "read_verilog -sv -formal -DFORMAL $options -Irtl $read_files; hierarchy -check -top $top $parameters
	prep -top $top -flatten -nordff; opt_clean -purge; async2sync; dffunmap; write_smt2 -wires $directory/$name.smt2" >"$log" 2>&1 || {
	tail -n 5 "$log"
	exit 1
}
run() {
	if ! yosys-smtbmc -s z3 --presat -t "$depth" --dump-vcd "$directory/$name.vcd" "$@" "$directory/$name.smt2" >>"$log" 2>&1; then
		grep -E 'Assert|assert|FAILED' "$log" | tail -n 5
		echo "formal: $name: FAILED, see $log"
		exit 1
	fi
}
run
if [ -n "$induction" ]; then
	run -i
	echo "formal: $name: proved by induction ($depth steps)"
else
	echo "formal: $name: holds for $depth clocks from reset"
fi
