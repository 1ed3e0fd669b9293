// SPDX-License-Identifier: BSD-3-Clause
//
// A memory with one write port and one read port that answers one clock later and holds its answer while read_i is low: block
// RAM. A read of the word being written gives its old contents, or, for a user who never looks at such an answer, anything: some
// block RAMs need comparators and a register around them to give the old one.
//
// A block RAM takes most of a clock to answer. For a user who can wait, the answer goes on into the register that block RAMs have
// behind it, with the next read_i.
//
`default_nettype none

module fan_ram_sync #(
	parameter int Width = 128,
	parameter int Depth = 512,
	parameter bit Collides = 1'b1,  // a read of the word being written matters
	parameter bit Registered = 1'b0, // the answer comes out of a register, one read_i later
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
		if (read_i) begin
			read_data_q <= words[read_address_i];
			if (!Collides && write_i && write_address_i == read_address_i)
				read_data_q <= 'x;
		end
	end

	if (Registered) begin : g_register
		logic [Width-1:0] answer_q;

		always_ff @(posedge clk_i) begin
			if (read_i)
				answer_q <= read_data_q;
		end
		assign read_data_o = answer_q;
	end else begin : g_wire
		assign read_data_o = read_data_q;
	end
endmodule

`default_nettype wire
