// SPDX-License-Identifier: BSD-3-Clause
//
// S1 of ZUC (TS 35.222 3.4): the inverse modulo x^8 + x^7 + x^3 + x + 1, 0 for 0, then an affine map. Only for the proof that the
// table of rtl/zuc_s1.sv is this function.
//
`default_nettype none

module s1_product (
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
		assign multiple[i+1] = {multiple[i][6:0], 1'b0} ^ (8'h8b & {8{multiple[i][7]}});
	end
	assign p_o = sum[8];
endmodule

module zuc_s1_field (
	input  wire [7:0] x_i,
	output wire [7:0] y_o
);
	// x^254 = (x^127)^2; power[i] = x^(2^(i+1) - 1).
	wire [7:0] power [0:6];
	wire [7:0] square [0:6];
	wire [7:0] inverse;

	assign power[0] = x_i;
	for (genvar i = 0; i < 7; i++) begin : g_power
		s1_product u_square (.a_i(power[i]), .b_i(power[i]), .p_o(square[i]));
		if (i < 6) begin : g_next
			s1_product u_next (.a_i(square[i]), .b_i(x_i), .p_o(power[i+1]));
		end
	end
	assign inverse = square[6];
	assign y_o = 8'h55 ^
		(8'h97 & {8{inverse[0]}}) ^ (8'h3e & {8{inverse[1]}}) ^ (8'h6d & {8{inverse[2]}}) ^ (8'hcb & {8{inverse[3]}}) ^
		(8'hee & {8{inverse[4]}}) ^ (8'hdd & {8{inverse[5]}}) ^ (8'hbb & {8{inverse[6]}}) ^ (8'h77 & {8{inverse[7]}});
endmodule

`default_nettype wire
