// SPDX-License-Identifier: BSD-3-Clause
//
// SubWord of FIPS 197: the S-box on each octet of a column. Combinational.
//
`default_nettype none

module aes_sub_word (
	input  wire [31:0] word_i,
	output wire [31:0] word_o
);
	for (genvar i = 0; i < 4; i++) begin : g_octet
		aes_sbox u_sbox (.x_i(word_i[8*i +: 8]), .y_o(word_o[8*i +: 8]));
	end
endmodule

`default_nettype wire
