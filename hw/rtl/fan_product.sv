// SPDX-License-Identifier: BSD-3-Clause
//
// Product of two polynomials over GF(2), not reduced. Combinational.
//
`default_nettype none

module fan_product #(
	parameter int A = 64,
	parameter int B = 32
) (
	input  wire  [A-1:0] a_i,
	input  wire  [B-1:0] b_i,
	output wire  [A+B-1:0] p_o
);
	logic [A+B-1:0] sum;

	always_comb begin
		sum = '0;
		for (int i = 0; i < B; i++)
			sum = sum ^ ({{B{1'b0}}, a_i & {A{b_i[i]}}} << i);
	end
	assign p_o = sum;
endmodule

`default_nettype wire
