// SPDX-License-Identifier: BSD-3-Clause
//
// fan_fifo for writers that have reserved their room beforehand, by what they have asked the bus for or because there are no more
// batches than places: nobody looks whether it is full, and an assertion holds them to it.
//
`include "fan_assert.svh"
`default_nettype none

module fan_fifo_reserved #(
	parameter int Width = 8,
	parameter int Depth = 16               // a power of two
) (
	input  wire             clk_i,
	input  wire             rst_ni,
	input  wire             write_i,
	input  wire [Width-1:0] data_i,
	output wire             valid_o,
	input  wire             ready_i,
	output wire [Width-1:0] data_o
);
	wire room;
	wire unused = room;

	fan_fifo #(.Width(Width), .Depth(Depth)) u_fifo (
		.clk_i, .rst_ni,
		.valid_i(write_i), .ready_o(room), .data_i,
		.valid_o, .ready_i, .data_o
	);

	`FAN_ASSERT(AssertRoom, !write_i || room)
endmodule

`default_nettype wire
