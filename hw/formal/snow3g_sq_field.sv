// SPDX-License-Identifier: BSD-3-Clause
//
// S_Q as TS 35.216 3.3.2 defines it, a sum of powers modulo x^8 + x^6 + x^5 + x^3 + 1. Only for the proof that the table of
// rtl/snow3g_sq.sv is this function.
//
`default_nettype none

module sq_product (
	input  wire [7:0] a_i,
	input  wire [7:0] b_i,
	output wire [7:0] p_o
);
	wire [7:0] sum [0:8];
	wire [7:0] multiple [0:8];

	assign sum[0] = 8'h00;
	assign multiple[0] = a_i;
	for (genvar i = 0; i < 8; i++) begin : g_bit
		assign sum[i+1] = sum[i] ^ (multiple[i] & {8{b_i[i]}});
		assign multiple[i+1] = {multiple[i][6:0], 1'b0} ^ (8'h69 & {8{multiple[i][7]}});
	end
	assign p_o = sum[8];
endmodule

module snow3g_sq_field (
	input  wire [7:0] x_i,
	output wire [7:0] y_o
);
	wire [7:0] power [1:49];

	assign power[1] = x_i;
	for (genvar i = 2; i <= 49; i++) begin : g_power
		sq_product u_next (.a_i(power[i-1]), .b_i(x_i), .p_o(power[i]));
	end
	assign y_o = 8'h25 ^ power[1] ^ power[9] ^ power[13] ^ power[15] ^ power[33] ^ power[41] ^ power[45] ^ power[47] ^ power[49];
endmodule

`default_nettype wire
