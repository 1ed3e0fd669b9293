// SPDX-License-Identifier: BSD-3-Clause
//
// The S-box as FIPS 197 5.1.1 defines it: the inverse in GF(2^8), 0 for 0, then an affine map. Only for the proof that the table
// of rtl/aes_sbox.sv is this function.
//
`default_nettype none

// Product modulo x^8 + x^4 + x^3 + x + 1.
module gf_product (
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
		assign multiple[i+1] = {multiple[i][6:0], 1'b0} ^ (8'h1b & {8{multiple[i][7]}});
	end
	assign p_o = sum[8];
endmodule

module sbox_field (
	input  wire [7:0] x_i,
	output wire [7:0] y_o
);
	// x^254 = (x^127)^2; power[i] = x^(2^(i+1) - 1).
	wire [7:0] power [0:6];
	wire [7:0] square [0:6];
	wire [7:0] inverse;

	assign power[0] = x_i;
	for (genvar i = 0; i < 7; i++) begin : g_power
		gf_product u_square (.a_i(power[i]), .b_i(power[i]), .p_o(square[i]));
		if (i < 6) begin : g_next
			gf_product u_next (.a_i(square[i]), .b_i(x_i), .p_o(power[i+1]));
		end
	end
	assign inverse = square[6];
	assign y_o = 8'h63 ^ inverse ^ {inverse[6:0], inverse[7]} ^ {inverse[5:0], inverse[7:6]} ^
		{inverse[4:0], inverse[7:5]} ^ {inverse[3:0], inverse[7:4]};
endmodule

`default_nettype wire
