// SPDX-License-Identifier: BSD-3-Clause
//
// Assertions in the form that each tool takes. `property` is a plain expression over values of the current clock; what needs
// the past keeps it in a register of its own (fan_stable_check.sv), because one form of $past for all three tools does not exist.
//
//      FORMAL      (yosys)      immediate assertion in a clocked process, to be proved; without the name, which yosys refuses
//                               in a generate loop
//      VERILATOR, __ICARUS__    immediate check that stops the simulation with file, line and instance. A concurrent assertion
//                               would say the same, but Verilator copies all that it reads, twice a clock: a fifth of its time
//      otherwise   (synthesis)  nothing
//
// A clock `clk_i` and a reset `rst_ni` must be in scope.
//
`ifndef FAN_ASSERT_SVH
`define FAN_ASSERT_SVH

`ifdef FORMAL
`define FAN_ASSERT(name, property_) \
	always @(posedge clk_i) if (rst_ni) assert (property_);
`elsif VERILATOR
`define FAN_ASSERT(name, property_) \
	always @(posedge clk_i) if (rst_ni && !(property_)) $fatal(1, "assertion name");
`elsif __ICARUS__
`define FAN_ASSERT(name, property_) \
	always @(posedge clk_i) if (rst_ni && (property_) === 1'b0) $fatal(1, "assertion name");
`else
`define FAN_ASSERT(name, property_)
`endif

`endif
