// SPDX-License-Identifier: BSD-3-Clause
//
// First in, first out, in distributed RAM: what is oldest stands at the output. Room is counted from registers, so that a full one
// takes nothing in the clock in which it is read.
//
`include "fan_assert.svh"
`default_nettype none

module fan_fifo #(
	parameter int Width = 8,
	parameter int Depth = 16,            // a power of two
	localparam int Bits = $clog2(Depth)
) (
	input  wire              clk_i,
	input  wire              rst_ni,

	input  wire              valid_i,
	output wire              ready_o,
	input  wire [Width-1:0]  data_i,

	output wire              valid_o,
	input  wire              ready_i,
	output wire [Width-1:0]  data_o
);
	logic [Bits:0] head_q, tail_q;

	assign ready_o = tail_q != {!head_q[Bits], head_q[Bits-1:0]};
	assign valid_o = tail_q != head_q;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			head_q <= '0;
			tail_q <= '0;
		end else begin
			head_q <= head_q + (Bits+1)'(valid_o && ready_i);
			tail_q <= tail_q + (Bits+1)'(valid_i && ready_o);
		end
	end

	fan_ram_async #(.Width(Width), .Depth(Depth)) u_words (
		.clk_i,
		.write_i(valid_i && ready_o), .write_address_i(tail_q[Bits-1:0]), .write_data_i(data_i),
		.read_address_i(head_q[Bits-1:0]), .read_data_o(data_o)
	);

	`FAN_ASSERT(AssertPowerOfTwo, Depth == 1 << Bits)

`ifdef FORMAL_FIFO
	// Proved by induction: never more than Depth words, and what is offered stays. Bounded (FORMAL_ORDER): the word that went in
	// at any one place comes out there, once.
	logic f_reset_q = 1'b1;
	wire [Bits:0] f_words = tail_q - head_q;

	always @(posedge clk_i) begin
		f_reset_q <= 1'b0;
		assume (rst_ni == !f_reset_q);
		if (!f_reset_q) begin
			assert (f_words <= (Bits+1)'(Depth));
			assert (ready_o == (f_words != (Bits+1)'(Depth)) && valid_o == (f_words != '0));
		end
	end
	fan_stable_check #(.Width(Width)) u_check (.clk_i, .rst_ni, .valid_i(valid_o), .ready_i, .data_i(data_o));
`ifdef FORMAL_ORDER
	(* anyconst *) logic [Bits:0] f_place;
	logic f_held_q;
	logic [Width-1:0] f_word_q;

	always @(posedge clk_i) begin
		if (f_reset_q)
			f_held_q <= 1'b0;
		else if (valid_i && ready_o && tail_q == f_place)
			f_held_q <= 1'b1;
		else if (valid_o && ready_i && head_q == f_place)
			f_held_q <= 1'b0;
		if (valid_i && ready_o && tail_q == f_place)
			f_word_q <= data_i;
		if (!f_reset_q && valid_o && head_q == f_place)
			assert (f_held_q && data_o == f_word_q);
	end
`endif
`endif
endmodule

`default_nettype wire
