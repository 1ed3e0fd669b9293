// SPDX-License-Identifier: BSD-3-Clause
//
// Column mix of SNOW 3G's S1 and S2 (TS 35.216 3.3), combinational: r_i = 2 w_i + w_(i+1) + w_(i+2) + 3 w_(i+3), octet 0 the most
// significant, in the field of degree 8 whose polynomial ends in Reduction.
//
`default_nettype none

module snow3g_mix #(
	parameter logic [7:0] Reduction = 8'h1b
) (
	input  wire [31:0] word_i,
	output wire [31:0] word_o
);
	wire [31:0] doubled;
	wire [31:0] by_one = {word_i[23:0], word_i[31:24]};    // octet i holds w_(i+1)
	wire [31:0] by_two = {word_i[15:0], word_i[31:16]};
	wire [31:0] by_three = {word_i[7:0], word_i[31:8]};

	for (genvar i = 0; i < 4; i++) begin : g_octet
		assign doubled[8*i +: 8] = {word_i[8*i +: 7], 1'b0} ^ (Reduction & {8{word_i[8*i + 7]}});
	end
	assign word_o = doubled ^ by_one ^ by_two ^ {doubled[7:0], doubled[31:8]} ^ by_three;
endmodule

`default_nettype wire
