// SPDX-License-Identifier: BSD-3-Clause
//
// One of several words, chosen by a one-hot vector; 0 when none is. Ands and ors, not a chain of decisions.
//
`default_nettype none

module fan_select #(
	parameter int Width = 8,
	parameter int Words = 4
) (
	input  wire  [Words-1:0] select_i,
	input  wire  [Words*Width-1:0] words_i,
	output logic [Width-1:0] word_o
);
	always_comb begin
		word_o = '0;
		for (int w = 0; w < Words; w++)
			word_o = word_o | (words_i[w*Width +: Width] & {Width{select_i[w]}});
	end
endmodule

`default_nettype wire
