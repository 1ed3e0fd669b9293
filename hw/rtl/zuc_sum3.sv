// SPDX-License-Identifier: BSD-3-Clause
//
// Three numbers to two with the same sum modulo 2^31 - 1: a carry out of the top is worth 1. Combinational, no carry chain.
//
`default_nettype none

module zuc_sum3 (
	input  wire [30:0] a_i,
	input  wire [30:0] b_i,
	input  wire [30:0] c_i,
	output wire [30:0] sum_o,
	output wire [30:0] carry_o
);
	wire [30:0] carry = (a_i & b_i) | (a_i & c_i) | (b_i & c_i);

	assign sum_o = a_i ^ b_i ^ c_i;
	assign carry_o = {carry[29:0], carry[30]};
endmodule

`default_nettype wire
