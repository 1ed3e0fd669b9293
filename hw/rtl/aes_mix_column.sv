// SPDX-License-Identifier: BSD-3-Clause
//
// MixColumns of FIPS 197 (5.1.3) for one column, octet 0 in bits 31..24. Combinational.
//
//      out(i) = 2 in(i) + 3 in(i+1) + in(i+2) + in(i+3)    in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1
//
// Five bits of each octet depend on five inputs and leave the sixth of a LUT6 to AddRoundKey.
//
`default_nettype none

module aes_mix_column (
	input  wire [31:0] column_i,
	output wire [31:0] column_o
);
	wire [31:0] next1 = {column_i[23:0], column_i[31:24]};
	wire [31:0] next2 = {column_i[15:0], column_i[31:16]};
	wire [31:0] next3 = {column_i[7:0], column_i[31:8]};
	wire [31:0] both = column_i ^ next1;
	// Doubling of all four octets at once: shift, and 0x1b where a top bit falls out.
	wire [31:0] top = (both >> 7) & 32'h01010101;
	wire [31:0] doubled = ((both << 1) & 32'hfefefefe) ^ (top << 4) ^ (top << 3) ^ (top << 1) ^ top;

	assign column_o = doubled ^ next1 ^ next2 ^ next3;
endmodule

`default_nettype wire
