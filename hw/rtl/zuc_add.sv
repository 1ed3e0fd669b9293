// SPDX-License-Identifier: BSD-3-Clause
//
// Sum modulo 2^31 - 1 with the carry brought round. Combinational. Zero has the form 2^31 - 1, as TS 35.222 3.2 wants it, unless
// both operands are 0.
//
`default_nettype none

module zuc_add (
	input  wire [30:0] a_i,
	input  wire [30:0] b_i,
	output wire [30:0] sum_o
);
	wire [31:0] sum = {1'b0, a_i} + {1'b0, b_i};

	assign sum_o = sum[30:0] + {30'd0, sum[31]};
endmodule

`default_nettype wire
