// SPDX-License-Identifier: BSD-3-Clause
//
// Whether one number is the next one after another, modulo 2 to the Width, without a carry: for clocks that have no time for one.
//
// after - before - 1 is after + ~before. That sum is 0 when each bit of it, without its carry, equals the carry, and the carry into a
// bit of a sum whose bits below are all 0 is there if any of the two bits below was 1.
//
`default_nettype none

module fan_follows #(
	parameter int Width = 7
) (
	input  wire [Width-1:0] before_i,
	input  wire [Width-1:0] after_i,
	output wire             follows_o
);
	wire [Width-1:0] carry = Width'({after_i | ~before_i, 1'b0});

	assign follows_o = (after_i ^ ~before_i) == carry;
endmodule

`default_nettype wire
