// SPDX-License-Identifier: BSD-3-Clause
//
// A small memory with one write port and one read port that answers in the same clock: what FPGAs make of LUTs. A read of the
// word being written gives its old contents, on which the lane relies where one UE follows another in a slot.
//
`default_nettype none

module fan_ram_async #(
	parameter int Width = 8,
	parameter int Depth = 32,
	localparam int AddressBits = $clog2(Depth)
) (
	input  wire                   clk_i,
	input  wire                   write_i,
	input  wire [AddressBits-1:0] write_address_i,
	input  wire [Width-1:0]       write_data_i,
	input  wire [AddressBits-1:0] read_address_i,
	output wire [Width-1:0]       read_data_o
);
	(* ram_style = "distributed" *) logic [Width-1:0] words [0:Depth-1] /* verilator public_flat_rd */;

	always_ff @(posedge clk_i) begin
		if (write_i)
			words[write_address_i] <= write_data_i;
	end
	assign read_data_o = words[read_address_i];
endmodule

`default_nettype wire
