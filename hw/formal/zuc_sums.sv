// SPDX-License-Identifier: BSD-3-Clause
//
// What rtl/zuc_add.sv and rtl/zuc_sum3.sv promise, said in whole numbers: the same modulo 2^31 - 1, and from zuc_add never 0 for a
// multiple of it that is not 0 + 0, because TS 35.222 3.2 stores a cell that would be 0 as 2^31 - 1.
//
`default_nettype none

module zuc_add_promise (
	input  wire [30:0] a_i,
	input  wire [30:0] b_i,
	output wire        kept_o
);
	localparam logic [31:0] Modulus = 32'h7fffffff;

	wire [30:0] sum;
	wire [31:0] whole = {1'b0, a_i} + {1'b0, b_i};

	zuc_add u_add (.a_i, .b_i, .sum_o(sum));
	assign kept_o = ({1'b0, sum} == whole || {1'b0, sum} + Modulus == whole) && (sum != '0 || whole == '0);
endmodule

module zuc_sum3_promise (
	input  wire [30:0] a_i,
	input  wire [30:0] b_i,
	input  wire [30:0] c_i,
	output wire        kept_o
);
	localparam logic [32:0] Modulus = 33'h07fffffff;

	wire [30:0] sum, carry;
	wire [32:0] whole = {2'd0, a_i} + {2'd0, b_i} + {2'd0, c_i};
	wire [32:0] made = {2'd0, sum} + {2'd0, carry};

	zuc_sum3 u_sum (.a_i, .b_i, .c_i, .sum_o(sum), .carry_o(carry));
	assign kept_o = made == whole || made + Modulus == whole;
endmodule

`default_nettype wire
