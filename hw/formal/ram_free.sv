// SPDX-License-Identifier: BSD-3-Clause
//
// Takes the place of rtl/fan_ram_sync.sv in proofs: it answers anything. What is proved with it holds whatever the contents are;
// a proof that needs some contents says so itself.
//
`default_nettype none

module fan_ram_sync #(
	parameter int Width = 128,
	parameter int Depth = 512,
	parameter bit Collides = 1'b1,
	parameter bit Registered = 1'b0,
	localparam int AddressBits = $clog2(Depth)
) (
	input  wire                   clk_i,
	input  wire                   write_i,
	input  wire [AddressBits-1:0] write_address_i,
	input  wire [Width-1:0]       write_data_i,
	input  wire                   read_i,
	input  wire [AddressBits-1:0] read_address_i,
	output wire [Width-1:0]       read_data_o
);
	(* anyseq *) wire [Width-1:0] anything;

	assign read_data_o = anything;
	wire unused = ^{clk_i, write_i, write_address_i, write_data_i, read_i, read_address_i};
endmodule

`default_nettype wire
