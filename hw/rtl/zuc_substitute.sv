// SPDX-License-Identifier: BSD-3-Clause
//
// S of ZUC (TS 35.222 3.4): S0, S1, S0, S1 on the octets of a word, most significant first. Combinational.
//
`default_nettype none

module zuc_substitute (
	input  wire [31:0] word_i,
	output wire [31:0] word_o
);
	zuc_s0 u_box_3 (.x_i(word_i[31:24]), .y_o(word_o[31:24]));
	zuc_s1 u_box_2 (.x_i(word_i[23:16]), .y_o(word_o[23:16]));
	zuc_s0 u_box_1 (.x_i(word_i[15:8]), .y_o(word_o[15:8]));
	zuc_s1 u_box_0 (.x_i(word_i[7:0]), .y_o(word_o[7:0]));
endmodule

`default_nettype wire
