// SPDX-License-Identifier: BSD-3-Clause
//
// Two S-boxes of AES (FIPS 197, 5.1.1) in one block RAM of an ECP5, two clocks from input to output.
//
// yosys infers the memory but not the register behind it, without which a DP16KD takes longer to answer than all the rest of a
// round; hence the primitive by its name. In words of 9 bits the address stands in bits 13..3, and two words are 18 of each 20 bits
// of INITVAL. The contents are worked out here from the definition, not from rtl/aes_sbox.sv; `make test-pnr` runs the pipe with them,
// through the model of the primitive in pnr/dp16kd.sv.
//
`default_nettype none

module aes_sbox_pair (
	input  wire        clk_i,
	input  wire  [7:0] x0_i,
	input  wire  [7:0] x1_i,
	output wire  [7:0] y0_o,
	output wire  [7:0] y1_o
);
	// 3 generates the octets of GF(2^8) but 0: from 1, times 3 and divided by 3 walk through all x and 1/x side by side. For the
	// division of v, bit 7 of the quotient is the parity of v, and from there each bit is the sum of the lower ones.
	function automatic [8*320-1:0] table_of(input [7:0] affine);
		logic [7:0] x, inverse, image;

		table_of = '0;
		table_of[7:0] = affine;
		x = 8'h01;
		inverse = 8'h01;
		for (int i = 0; i < 255; i++) begin
			image = affine ^ inverse ^ {inverse[6:0], inverse[7]} ^ {inverse[5:0], inverse[7:6]} ^
				{inverse[4:0], inverse[7:5]} ^ {inverse[3:0], inverse[7:4]};
			table_of = table_of | ((8*320)'(image) << (20 * x[7:1] + 9 * x[0]));
			x = x ^ {x[6:0], 1'b0} ^ (8'h1b & {8{x[7]}});
			inverse = inverse ^ (8'h1b & {8{^inverse}});
			inverse = inverse ^ {inverse[6:0], 1'b0};
			inverse = inverse ^ {inverse[5:0], 2'b0};
			inverse = inverse ^ {inverse[3:0], 4'b0};
		end
	endfunction

	localparam logic [8*320-1:0] Table = table_of(8'h63);

	wire [9:0] unused0, unused1;

	DP16KD #(
		.DATA_WIDTH_A(9), .DATA_WIDTH_B(9), .REGMODE_A("OUTREG"), .REGMODE_B("OUTREG"),
		.INITVAL_00(Table[0 +: 320]),
		.INITVAL_01(Table[320 +: 320]),
		.INITVAL_02(Table[640 +: 320]),
		.INITVAL_03(Table[960 +: 320]),
		.INITVAL_04(Table[1280 +: 320]),
		.INITVAL_05(Table[1600 +: 320]),
		.INITVAL_06(Table[1920 +: 320]),
		.INITVAL_07(Table[2240 +: 320])
	) u_ram (
		.CLKA(clk_i), .CEA(1'b1), .OCEA(1'b1), .WEA(1'b0), .RSTA(1'b0), .CSA0(1'b0), .CSA1(1'b0), .CSA2(1'b0),
		.ADA0(1'b0), .ADA1(1'b0), .ADA2(1'b0), .ADA11(1'b0), .ADA12(1'b0), .ADA13(1'b0),
		.ADA3(x0_i[0]), .ADA4(x0_i[1]), .ADA5(x0_i[2]), .ADA6(x0_i[3]), .ADA7(x0_i[4]), .ADA8(x0_i[5]), .ADA9(x0_i[6]), .ADA10(x0_i[7]),
		.DIA0(1'b0), .DIA1(1'b0), .DIA2(1'b0), .DIA3(1'b0), .DIA4(1'b0), .DIA5(1'b0), .DIA6(1'b0), .DIA7(1'b0), .DIA8(1'b0),
		.DIA9(1'b0), .DIA10(1'b0), .DIA11(1'b0), .DIA12(1'b0), .DIA13(1'b0), .DIA14(1'b0), .DIA15(1'b0), .DIA16(1'b0), .DIA17(1'b0),
		.DOA0(y0_o[0]), .DOA1(y0_o[1]), .DOA2(y0_o[2]), .DOA3(y0_o[3]), .DOA4(y0_o[4]), .DOA5(y0_o[5]), .DOA6(y0_o[6]), .DOA7(y0_o[7]),
		.DOA8(unused0[0]), .DOA9(unused0[1]), .DOA10(unused0[2]), .DOA11(unused0[3]), .DOA12(unused0[4]), .DOA13(unused0[5]), .DOA14(unused0[6]), .DOA15(unused0[7]), .DOA16(unused0[8]), .DOA17(unused0[9]),
		.CLKB(clk_i), .CEB(1'b1), .OCEB(1'b1), .WEB(1'b0), .RSTB(1'b0), .CSB0(1'b0), .CSB1(1'b0), .CSB2(1'b0),
		.ADB0(1'b0), .ADB1(1'b0), .ADB2(1'b0), .ADB11(1'b0), .ADB12(1'b0), .ADB13(1'b0),
		.ADB3(x1_i[0]), .ADB4(x1_i[1]), .ADB5(x1_i[2]), .ADB6(x1_i[3]), .ADB7(x1_i[4]), .ADB8(x1_i[5]), .ADB9(x1_i[6]), .ADB10(x1_i[7]),
		.DIB0(1'b0), .DIB1(1'b0), .DIB2(1'b0), .DIB3(1'b0), .DIB4(1'b0), .DIB5(1'b0), .DIB6(1'b0), .DIB7(1'b0), .DIB8(1'b0),
		.DIB9(1'b0), .DIB10(1'b0), .DIB11(1'b0), .DIB12(1'b0), .DIB13(1'b0), .DIB14(1'b0), .DIB15(1'b0), .DIB16(1'b0), .DIB17(1'b0),
		.DOB0(y1_o[0]), .DOB1(y1_o[1]), .DOB2(y1_o[2]), .DOB3(y1_o[3]), .DOB4(y1_o[4]), .DOB5(y1_o[5]), .DOB6(y1_o[6]), .DOB7(y1_o[7]),
		.DOB8(unused1[0]), .DOB9(unused1[1]), .DOB10(unused1[2]), .DOB11(unused1[3]), .DOB12(unused1[4]), .DOB13(unused1[5]), .DOB14(unused1[6]), .DOB15(unused1[7]), .DOB16(unused1[8]), .DOB17(unused1[9])
	);
	wire unused = ^{unused0, unused1};
endmodule

`default_nettype wire
