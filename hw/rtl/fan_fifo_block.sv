// SPDX-License-Identifier: BSD-3-Clause
//
// A queue in block RAM. The RAM's own output register is the place at the front, so that a word is offered two clocks after it was
// written, and one a clock goes through. As in fan_fifo, who writes has reserved room.
//
// What it carries may be keys: while scrub_i is high, after a reset, zeros go over all of it and into the output register.
//
`include "fan_assert.svh"
`default_nettype none

module fan_fifo_block #(
	parameter int Width = 2,
	parameter int Depth = 4,               // a power of two
	localparam int AddressBits = $clog2(Depth)
) (
	input  wire                   clk_i,
	input  wire                   rst_ni,
	input  wire                   scrub_i,
	input  wire [AddressBits-1:0] scrub_address_i,
	input  wire                   write_i,
	input  wire [Width-1:0]       data_i,
	output wire                   valid_o,
	input  wire                   ready_i,
	output wire [Width-1:0]       data_o
);
	// read_q counts what has left the RAM for the output register, taken or not.
	logic [AddressBits:0] write_q, read_q;
	logic valid_q;
	wire fetch = !valid_q || ready_i;
	wire stored = write_q != read_q;

	assign valid_o = valid_q;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			write_q <= '0;
			read_q <= '0;
			valid_q <= 1'b0;
		end else begin
			if (write_i)
				write_q <= write_q + 1'b1;
			if (fetch) begin
				valid_q <= stored;
				read_q <= read_q + (AddressBits+1)'(stored);
			end
		end
	end

	fan_ram_sync #(.Width(Width), .Depth(Depth)) u_ram (
		.clk_i,
		.write_i(write_i || scrub_i), .write_address_i(scrub_i ? scrub_address_i : write_q[AddressBits-1:0]),
		.write_data_i(scrub_i ? '0 : data_i),
		.read_i(fetch || scrub_i), .read_address_i(read_q[AddressBits-1:0]), .read_data_o(data_o)
	);

	wire [AddressBits:0] used = write_q - read_q;

	`FAN_ASSERT(AssertUsedInRing, used <= (AddressBits+1)'(Depth))
	`FAN_ASSERT(AssertRoom, !write_i || used != (AddressBits+1)'(Depth))
	`FAN_ASSERT(AssertScrubbedEmpty, !scrub_i || (!write_i && !valid_q && used == '0))
`ifdef FORMAL_FIFO
	// From reset: what was written as the f_nth word since some reset comes out as the f_nth, unchanged.
	(* anyconst *) logic [AddressBits+1:0] f_nth;
	logic f_reset_q = 1'b1;
	logic [AddressBits+1:0] f_in_q = '0, f_out_q = '0;
	logic [Width-1:0] f_word_q;

	always @(posedge clk_i) begin
		f_reset_q <= 1'b0;
		assume (rst_ni == !f_reset_q);
		assume (!(write_i && used == (AddressBits+1)'(Depth)));   // room has been reserved
		assume (!scrub_i);
		if (write_i && !f_reset_q) begin
			f_in_q <= f_in_q + 1'b1;
			if (f_in_q == f_nth)
				f_word_q <= data_i;
		end
		if (valid_o && ready_i && !f_reset_q)
			f_out_q <= f_out_q + 1'b1;
		if (!f_reset_q && valid_o && f_out_q == f_nth)
			assert (f_in_q != f_nth && data_o == f_word_q);
	end
`endif
	fan_stable_check #(.Width(Width)) u_check (.clk_i, .rst_ni, .valid_i(valid_o), .ready_i, .data_i(data_o));
endmodule

`default_nettype wire
