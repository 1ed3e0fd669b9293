// SPDX-License-Identifier: BSD-3-Clause
//
// What rtl/fan_follows.sv means.
//
`default_nettype none

module follows_sum #(
	parameter int Width = 7
) (
	input  wire [Width-1:0] before_i,
	input  wire [Width-1:0] after_i,
	output wire             follows_o
);
	assign follows_o = after_i == before_i + 1'b1;
endmodule

`default_nettype wire
