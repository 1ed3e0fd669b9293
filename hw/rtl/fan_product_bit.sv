// SPDX-License-Identifier: BSD-3-Clause
//
// Sum of three products of bits: one LUT. See fan_product.sv.
//
`default_nettype none

(* keep_hierarchy *)
module fan_product_bit (
	input  wire [2:0] a_i,
	input  wire [2:0] b_i,
	output wire p_o
);
	assign p_o = ^(a_i & b_i);
endmodule

`default_nettype wire
