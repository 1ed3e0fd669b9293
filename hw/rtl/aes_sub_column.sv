// SPDX-License-Identifier: BSD-3-Clause
//
// SubBytes of FIPS 197 (5.1.1) on the four octets of a column, two clocks from input to output: a register, the S-boxes, a register.
//
// The registers belong to the module because a block RAM has them inside: where S-boxes are better put into block RAM than into
// LUTs (parts with 4-input LUTs, ../pnr/aes_sub_column.sv), another file of this name takes the place of this one and nothing else
// changes.
//
`default_nettype none

module aes_sub_column #(
	parameter bit Schedule = 1'b0  // of the key schedule: half as many as those of the state, if there are two sorts to choose from
) (
	input  wire         clk_i,
	input  wire  [31:0] column_i,
	output wire  [31:0] column_o
);
	logic [31:0] column_q, sub_q;
	wire [31:0] sub_d;

	aes_sub_word u_sub_word (.word_i(column_q), .word_o(sub_d));

	always_ff @(posedge clk_i) begin
		column_q <= column_i;
		sub_q <= sub_d;
	end
	assign column_o = sub_q;
endmodule

`default_nettype wire
