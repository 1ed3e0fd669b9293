// SPDX-License-Identifier: BSD-3-Clause
//
// Reads the work items of one lane's batches, in order, as far ahead as there is room, and holds them until the join takes them.
// Only the numbers of the contexts are needed earlier, to ask for those: they have a queue of their own.
//
`include "fan_assert.svh"
`default_nettype none

module fan_feed_items #(
	parameter int Place = 0,               // the lane's number
	parameter int Lines = 64,              // of work items, asked for and held
	localparam int LineBits = $clog2(Lines)
) (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  scrub_i,
	input  wire  [LineBits-1:0] scrub_address_i,

	input  wire  push_i,
	input  wire  fan_line_t push_line_i,
	input  wire  [6:0] push_lines_i,       // 1..96

	output wire  read_valid_o,
	input  wire  read_ready_i,
	output fan_read_t read_o,
	input  wire  answer_valid_i,
	input  wire  answer_error_i,
	input  wire  fan_beat_t answer_i,

	output wire  numbers_valid_o,          // two context numbers of every line
	input  wire  numbers_ready_i,
	output wire  numbers_error_o,
	output wire  [63:0] numbers_o,
	output wire  line_valid_o,
	input  wire  line_ready_i,
	output wire  line_error_o,
	output fan_beat_t line_o
);
	// ---- Asking ------------------------------------------------------------------------------------------------------------

	localparam int NumberLsb = fan_registers_pkg::ITEM_CONTEXT_NUMBER_LSB;

	wire waiting, ends, next;
	fan_line_t next_line, line_q;
	wire [6:0] next_left;
	wire [4:0] lines;
	logic [6:0] left_q;
	logic [LineBits:0] room_q;
	wire room = room_q >= (LineBits+1)'(lines);
	wire unused = ends;

	fan_fifo_reserved #(.Width(fan_fetch_pkg::LINE_BITS + 7), .Depth(fan_engine_pkg::BATCHES)) u_batches (
		.clk_i, .rst_ni,
		.write_i(push_i), .data_i({push_line_i, push_lines_i}),
		.valid_o(waiting), .ready_i(next), .data_o({next_line, next_left})
	);
	fan_burst #(.Most(fan_fetch_pkg::ITEMS_BURST_MAX), .LeftBits(7)) u_burst (
		.line_i(line_q[5:0]), .left_i(left_q), .lines_o(lines), .ends_o(ends)
	);
	assign next = left_q == '0;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			left_q <= '0;
			room_q <= (LineBits+1)'(Lines);
		end else begin
			if (next)
				left_q <= waiting ? next_left : '0;
			else if (read_ready_i)
				left_q <= left_q - {2'd0, lines};
			room_q <= room_q - (read_ready_i ? (LineBits+1)'(lines) : '0) +
				(LineBits+1)'(line_valid_o && line_ready_i);
		end
		if (next)
			line_q <= next_line;
		else if (read_ready_i)
			line_q <= line_q + fan_fetch_pkg::LINE_BITS'(lines);
	end
	assign read_valid_o = left_q != '0 && room;
	assign read_o.line = line_q;
	assign read_o.more = lines - 5'd1;
	assign read_o.kind = fan_fetch_pkg::READ_ITEMS;
	assign read_o.place = 4'(Place);
	assign read_o.ends = 1'b0;

	// ---- Held --------------------------------------------------------------------------------------------------------------

	fan_fifo_reserved #(.Width(65), .Depth(Lines)) u_numbers (
		.clk_i, .rst_ni,
		.write_i(answer_valid_i),
		.data_i({answer_error_i, answer_i[256 + NumberLsb +: 32], answer_i[NumberLsb +: 32]}),
		.valid_o(numbers_valid_o), .ready_i(numbers_ready_i), .data_o({numbers_error_o, numbers_o})
	);
	fan_fifo_block #(.Width(513), .Depth(Lines)) u_lines (
		.clk_i, .rst_ni, .scrub_i, .scrub_address_i,
		.write_i(answer_valid_i), .data_i({answer_error_i, answer_i}),
		.valid_o(line_valid_o), .ready_i(line_ready_i), .data_o({line_error_o, line_o})
	);

	`FAN_ASSERT(AssertReadInRoom, !read_ready_i || read_valid_o)
	`FAN_ASSERT(AssertRoomNotOver, room_q <= (LineBits+1)'(Lines))
endmodule

`default_nettype wire
