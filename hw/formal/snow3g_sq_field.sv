// SPDX-License-Identifier: BSD-3-Clause
//
// S_Q as TS 35.216 3.3.2 defines it, a sum of powers modulo x^8 + x^6 + x^5 + x^3 + 1. Only for the proof that the table of
// rtl/snow3g_sq.sv is this function.
//
`default_nettype none

module snow3g_sq_field (
	input  wire [7:0] x_i,
	output wire [7:0] y_o
);
	wire [7:0] power [1:49];

	assign power[1] = x_i;
	for (genvar i = 2; i <= 49; i++) begin : g_power
		field_product #(.Modulus(8'h69)) u_next (.a_i(power[i-1]), .b_i(x_i), .p_o(power[i]));
	end
	assign y_o = 8'h25 ^ power[1] ^ power[9] ^ power[13] ^ power[15] ^ power[33] ^ power[41] ^ power[45] ^ power[47] ^ power[49];
endmodule

`default_nettype wire
