#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# One proof. Prints one line; the log and a counter-example are left in DIRECTORY.
#
#   prove.sh DIRECTORY NAME smt TOP "READ OPTIONS" "PARAMETERS" DEPTH [induction]
#       bounded from reset and, with `induction`, for all time: by z3
#   prove.sh DIRECTORY NAME sat TOP "READ OPTIONS" "PARAMETERS" DEPTH
#       the same by SAT on gates, always with induction, and memories in block RAM may hold anything (formal/ram_free.sv). Then
#       the state that TOP names under FORMAL_REACH must be reachable, or the assumptions leave nothing to prove
#   prove.sh DIRECTORY NAME bmc TOP "READ OPTIONS" "PARAMETERS" DEPTH
#       bounded from reset, by SAT on gates, memories as they are
set -eu
directory=$1 name=$2 how=$3 top=$4 options=$5 parameters=$6 depth=$7 induction=${8:-}

mkdir -p "$directory"
log=$directory/$name.log
types="rtl/fan_pkg.sv rtl/fan_registers_pkg.sv rtl/fan_engine_pkg.sv rtl/fan_fetch_pkg.sv rtl/fan_stable_check.sv
	rtl/fan_queue_registers.sv rtl/fan_ram_async.sv rtl/fan_plan.sv rtl/fan_follows.sv"
types=$(echo $types)

fail() {
	grep -E 'ERROR|Assert|assert|FAIL|failed' "$log" | tail -n 5
	echo "formal: $name: FAILED, $1; see $log"
	exit 1
}

solve() {
	yosys-smtbmc -s z3 --presat -t "$depth" --dump-vcd "$directory/$name.vcd" "$@" "$directory/$name.smt2" >>"$log" 2>&1
}

run_smt() {
	yosys -q -p "read_verilog -sv -formal -DFORMAL -Irtl $options $types rtl/fan_ram_sync.sv rtl/$top.sv
		hierarchy -check -top $top $parameters; prep -top $top -flatten -nordff; opt_clean -purge; async2sync; dffunmap
		write_smt2 -wires $directory/$name.smt2" >"$log" 2>&1 || fail 'yosys does not read it'
	solve || fail 'a counter-example'
	[ -z "$induction" ] || solve -i || fail 'no induction'
}

# gates DEFINES RAM: the module as gates and registers without outputs, assertions kept.
gates() {
	yosys -q -p "read_verilog -sv -formal $1 -Irtl $options $types $2 rtl/$top.sv
		hierarchy -check -top $top $parameters
		prep -top $top -flatten -nordff; delete -output; memory_map; opt_clean -purge; async2sync; dffunmap
		setundef -undriven -anyseq; opt -full -keepdc; techmap; opt -fast; dffunmap; abc -g AND -fast; opt_clean
		tee -q -o $directory/$name.asserts select -list t:\$assert
		write_ilang $directory/$name.il; write_aiger -zinit $directory/$name.aig" >"$log" 2>&1 || fail 'yosys does not read it'
}

induct() {
	yosys -q -l "$log.sat" -p "read_ilang $directory/$name.il
		sat -verify -prove-asserts -set-assumes -tempinduct$1 -maxsteps $2 -show-inputs -show-regs -dump_vcd $directory/$name.vcd" \
		>/dev/null 2>&1
}

run_sat() {
	induction=induction
	gates '-DFORMAL -DFORMAL_REACH' formal/ram_free.sv
	yosys-abc -c "read_aiger $directory/$name.aig; fold; strash; bmc3 -F 60 -T 60" >>"$log" 2>&1
	grep -q 'was asserted in frame' "$log" || fail 'the assumptions let nothing happen'
	gates -DFORMAL formal/ram_free.sv
	bounded 20 20
	induct '' "$depth" || fail 'no counter-example from reset in 20 clocks, but no induction either'
}

run_bmc() {
	gates -DFORMAL rtl/fan_ram_sync.sv
	bounded "$depth" 250
	grep -q "No output asserted in $depth frames" "$log" || fail 'not finished in time'
}

# bounded CLOCKS SECONDS
bounded() {
	yosys-abc -c "read_aiger $directory/$name.aig; fold; strash; bmc3 -F $1 -T $2" >>"$log" 2>&1
	output=$(sed -n 's/^Output \([0-9]*\) .* was asserted in frame.*/\1/p' "$log")
	[ -z "$output" ] || {
		induct -baseonly "$1" || true
		fail "$(sed -n "$((output + 1))s/.*assert.\(.*\)\$.*/\1/p" "$directory/$name.asserts") does not hold from reset"
	}
}

run_"$how"
if [ -n "$induction" ]; then
	echo "formal: $name: proved by induction ($depth steps)"
else
	echo "formal: $name: holds for $depth clocks from reset"
fi
