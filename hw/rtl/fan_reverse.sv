// SPDX-License-Identifier: BSD-3-Clause
//
// Octets in the opposite order: host memory has octet 0 in the least significant bits, a block of the lanes in the most significant.
// Wiring.
//
`default_nettype none

module fan_reverse #(
	parameter int Bytes = 16
) (
	input  wire [8*Bytes-1:0] in_i,
	output wire [8*Bytes-1:0] out_o
);
	for (genvar i = 0; i < Bytes; i++) begin : g_octet
		assign out_o[8*i +: 8] = in_i[8*(Bytes-1-i) +: 8];
	end
endmodule

`default_nettype wire
