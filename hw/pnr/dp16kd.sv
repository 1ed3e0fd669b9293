// SPDX-License-Identifier: BSD-3-Clause
//
// Model of an ECP5's block RAM as pnr/ uses it: port A reads or writes, port B reads, words of 4 or 9 bits, the same at both, of
// words of 9 bits the first 256 with contents from the start. A read that meets a write gives nonsense. For lint and simulation;
// place and route knows the primitive itself.
//
`default_nettype none

module DP16KD #(
	parameter int DATA_WIDTH_A = 18,
	parameter int DATA_WIDTH_B = 18,
	parameter REGMODE_A = "NOREG",
	parameter REGMODE_B = "NOREG",
	parameter logic [319:0] INITVAL_00 = '0,
	parameter logic [319:0] INITVAL_01 = '0,
	parameter logic [319:0] INITVAL_02 = '0,
	parameter logic [319:0] INITVAL_03 = '0,
	parameter logic [319:0] INITVAL_04 = '0,
	parameter logic [319:0] INITVAL_05 = '0,
	parameter logic [319:0] INITVAL_06 = '0,
	parameter logic [319:0] INITVAL_07 = '0
) (
	input  wire CLKA, CEA, OCEA, WEA, RSTA, CSA0, CSA1, CSA2,
	input  wire ADA0, ADA1, ADA2, ADA3, ADA4, ADA5, ADA6, ADA7, ADA8, ADA9, ADA10, ADA11, ADA12, ADA13,
	input  wire DIA0, DIA1, DIA2, DIA3, DIA4, DIA5, DIA6, DIA7, DIA8, DIA9, DIA10, DIA11, DIA12, DIA13, DIA14, DIA15, DIA16, DIA17,
	output wire DOA0, DOA1, DOA2, DOA3, DOA4, DOA5, DOA6, DOA7, DOA8, DOA9, DOA10, DOA11, DOA12, DOA13, DOA14, DOA15, DOA16, DOA17,
	input  wire CLKB, CEB, OCEB, WEB, RSTB, CSB0, CSB1, CSB2,
	input  wire ADB0, ADB1, ADB2, ADB3, ADB4, ADB5, ADB6, ADB7, ADB8, ADB9, ADB10, ADB11, ADB12, ADB13,
	input  wire DIB0, DIB1, DIB2, DIB3, DIB4, DIB5, DIB6, DIB7, DIB8, DIB9, DIB10, DIB11, DIB12, DIB13, DIB14, DIB15, DIB16, DIB17,
	output wire DOB0, DOB1, DOB2, DOB3, DOB4, DOB5, DOB6, DOB7, DOB8, DOB9, DOB10, DOB11, DOB12, DOB13, DOB14, DOB15, DOB16, DOB17
);
	localparam logic [8*320-1:0] Words = {
		INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
	};
	// A word's number is what is left of the address when the bits within the word are gone.
	localparam int Within = DATA_WIDTH_A == 9 ? 3 : 2;
	localparam int Bits = 14 - Within;

	wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
	wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
	wire [17:0] data_in = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
	wire [Bits-1:0] word_a = address_a[13:Within];
	wire [Bits-1:0] word_b = address_b[13:Within];
	wire writes = CEA && WEA;

	logic [DATA_WIDTH_A-1:0] words [0:2**Bits-1];
	logic [DATA_WIDTH_A-1:0] inside_a_q, inside_b_q, data_a_q, data_b_q;

	initial begin
		for (int i = 0; i < 256; i++)
			words[i] = DATA_WIDTH_A'(DATA_WIDTH_A == 9 ? Words[20*(i/2) + 9*(i%2) +: 9] : '0);
	end

	always_ff @(posedge CLKA) begin
		if (CEA) begin
			if (writes)
				words[word_a] <= data_in[DATA_WIDTH_A-1:0];
			else
				inside_a_q <= words[word_a];
		end
		if (OCEA)
			data_a_q <= inside_a_q;
	end

	always_ff @(posedge CLKB) begin
		if (CEB) begin
			inside_b_q <= words[word_b];
			if (writes && word_a == word_b)
				inside_b_q <= 'x;
		end
		if (OCEB)
			data_b_q <= inside_b_q;
	end
	wire [DATA_WIDTH_A-1:0] data_a = 48'(REGMODE_A) == "OUTREG" ? data_a_q : inside_a_q;
	wire [DATA_WIDTH_A-1:0] data_b = 48'(REGMODE_B) == "OUTREG" ? data_b_q : inside_b_q;
	assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = 18'(data_a);
	assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = 18'(data_b);
endmodule

`default_nettype wire
