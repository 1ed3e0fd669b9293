// SPDX-License-Identifier: BSD-3-Clause
//
// Arithmetic in GF(2^8), for the proofs that tables of S-boxes are what their standards define. Modulus: the polynomial without its x^8.
//
`default_nettype none

module field_product #(
	parameter logic [7:0] Modulus = 8'h1b
) (
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
		assign multiple[i+1] = {multiple[i][6:0], 1'b0} ^ (Modulus & {8{multiple[i][7]}});
	end
	assign p_o = sum[8];
endmodule

// 0 for 0.
module field_inverse #(
	parameter logic [7:0] Modulus = 8'h1b
) (
	input  wire [7:0] x_i,
	output wire [7:0] inverse_o
);
	// x^254 = (x^127)^2; power[i] = x^(2^(i+1) - 1).
	wire [7:0] power [0:6];
	wire [7:0] square [0:6];

	assign power[0] = x_i;
	for (genvar i = 0; i < 7; i++) begin : g_power
		field_product #(.Modulus(Modulus)) u_square (.a_i(power[i]), .b_i(power[i]), .p_o(square[i]));
		if (i < 6) begin : g_next
			field_product #(.Modulus(Modulus)) u_next (.a_i(square[i]), .b_i(x_i), .p_o(power[i+1]));
		end
	end
	assign inverse_o = square[6];
endmodule

`default_nettype wire
