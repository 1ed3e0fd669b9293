// SPDX-License-Identifier: BSD-3-Clause
//
// S1 of ZUC (TS 35.222 3.4): the inverse modulo x^8 + x^7 + x^3 + x + 1, 0 for 0, then an affine map. Only for the proof that the
// table of rtl/zuc_s1.sv is this function.
//
`default_nettype none

module zuc_s1_field (
	input  wire [7:0] x_i,
	output wire [7:0] y_o
);
	wire [7:0] inverse;

	field_inverse #(.Modulus(8'h8b)) u_inverse (.x_i, .inverse_o(inverse));
	assign y_o = 8'h55 ^
		(8'h97 & {8{inverse[0]}}) ^ (8'h3e & {8{inverse[1]}}) ^ (8'h6d & {8{inverse[2]}}) ^ (8'hcb & {8{inverse[3]}}) ^
		(8'hee & {8{inverse[4]}}) ^ (8'hdd & {8{inverse[5]}}) ^ (8'hbb & {8{inverse[6]}}) ^ (8'h77 & {8{inverse[7]}});
endmodule

`default_nettype wire
