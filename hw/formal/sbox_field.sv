// SPDX-License-Identifier: BSD-3-Clause
//
// The S-box as FIPS 197 5.1.1 defines it: the inverse in GF(2^8), 0 for 0, then an affine map. Only for the proof that the table
// of rtl/aes_sbox.sv is this function.
//
`default_nettype none

module sbox_field (
	input  wire [7:0] x_i,
	output wire [7:0] y_o
);
	wire [7:0] inverse;

	field_inverse #(.Modulus(8'h1b)) u_inverse (.x_i, .inverse_o(inverse));
	assign y_o = 8'h63 ^ inverse ^ {inverse[6:0], inverse[7]} ^ {inverse[5:0], inverse[7:6]} ^
		{inverse[4:0], inverse[7:5]} ^ {inverse[3:0], inverse[7:4]};
endmodule

`default_nettype wire
