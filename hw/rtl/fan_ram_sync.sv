// SPDX-License-Identifier: BSD-3-Clause
//
// A memory with one write port and one read port that answers one clock later and holds its answer while read_i is low: block
// RAM. A read of the word being written gives its old contents.
//
`default_nettype none

module fan_ram_sync #(
	parameter int Width = 128,
	parameter int Depth = 512,
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
	(* ram_style = "block" *) logic [Width-1:0] words [0:Depth-1] /* verilator public_flat_rd */;
	logic [Width-1:0] read_data_q;

	always_ff @(posedge clk_i) begin
		if (write_i)
			words[write_address_i] <= write_data_i;
		if (read_i)
			read_data_q <= words[read_address_i];
	end
	assign read_data_o = read_data_q;
endmodule

`default_nettype wire
