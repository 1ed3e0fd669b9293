// SPDX-License-Identifier: BSD-3-Clause
//
// Reads messages into slots of the cache, one after the other, in at most two bursts each (4 KiB). A slot has room for the longest
// message, so that its answer is never refused.
//
`include "fan_assert.svh"
`default_nettype none

module fan_message_read (
	input  wire  clk_i,
	input  wire  rst_ni,

	input  wire  load_i,
	input  wire  fan_line_t load_line_i,
	input  wire  [4:0] load_lines_i,       // 1..24
	input  wire  fan_cache_slot_t load_slot_i,

	output wire  read_valid_o,
	input  wire  read_ready_i,
	output fan_read_t read_o,
	input  wire  answer_valid_i,           // of a message
	input  wire  fan_read_t answer_read_i,
	input  wire  answer_last_i,
	input  wire  answer_error_i,

	output wire  [fan_fetch_pkg::CACHE_SLOT_BITS+fan_fetch_pkg::CACHE_LINE_BITS-1:0] write_address_o,  // of this answer
	output wire  loaded_o,
	output wire  loaded_bad_o,
	output fan_cache_slot_t loaded_slot_o
);
	localparam int LoadBits = fan_fetch_pkg::LINE_BITS + 5 + fan_fetch_pkg::CACHE_SLOT_BITS;

	// ---- Asking ------------------------------------------------------------------------------------------------------------

	wire waiting, ends, next;
	fan_line_t next_line, line_q;
	wire [4:0] next_lines, lines;
	logic [4:0] left_q;
	fan_cache_slot_t next_slot, slot_q;

	fan_fifo_reserved #(.Width(LoadBits), .Depth(fan_engine_pkg::BATCHES)) u_loads (
		.clk_i, .rst_ni,
		.write_i(load_i), .data_i({load_line_i, load_lines_i, load_slot_i}),
		.valid_o(waiting), .ready_i(next), .data_o({next_line, next_lines, next_slot})
	);
	fan_burst #(.Most(fan_fetch_pkg::MESSAGE_LINES_MAX), .LeftBits(5)) u_burst (
		.line_i(line_q[5:0]), .left_i(left_q), .lines_o(lines), .ends_o(ends)
	);
	assign next = left_q == '0;

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			left_q <= '0;
		else if (next)
			left_q <= waiting ? next_lines : '0;
		else if (read_ready_i)
			left_q <= left_q - lines;
		if (next) begin
			line_q <= next_line;
			slot_q <= next_slot;
		end else if (read_ready_i) begin
			line_q <= line_q + fan_fetch_pkg::LINE_BITS'(lines);
		end
	end
	assign read_valid_o = left_q != '0;
	assign read_o.line = line_q;
	assign read_o.more = lines - 5'd1;
	assign read_o.kind = fan_fetch_pkg::READ_MESSAGE;
	assign read_o.place = slot_q;
	assign read_o.ends = ends;

	// ---- Answers -----------------------------------------------------------------------------------------------------------

	logic [4:0] at_q;
	logic bad_q;
	wire complete = answer_valid_i && answer_last_i && answer_read_i.ends;
	wire unused = ^{answer_read_i.line, answer_read_i.more, answer_read_i.kind};

	always_ff @(posedge clk_i) begin
		if (!rst_ni || complete) begin
			at_q <= '0;
			bad_q <= 1'b0;
		end else if (answer_valid_i) begin
			at_q <= at_q + 5'd1;
			bad_q <= bad_q || answer_error_i;
		end
	end
	assign write_address_o = {answer_read_i.place, at_q};
	assign loaded_o = complete;
	assign loaded_bad_o = bad_q || answer_error_i;
	assign loaded_slot_o = answer_read_i.place;

	`FAN_ASSERT(AssertInSlot, !answer_valid_i || at_q < 5'(fan_fetch_pkg::MESSAGE_LINES_MAX))
endmodule

`default_nettype wire
