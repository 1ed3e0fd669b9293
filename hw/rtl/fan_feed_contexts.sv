// SPDX-License-Identifier: BSD-3-Clause
//
// Reads the contexts of one lane's UEs, in the order of the work items, as many at once as there is room to keep: what hides the
// way to host memory. Of a UE whose work item could not be read the context's number is not known, and none is read.
//
// at_q is where the next UE's work item begins, in granules of 32 octets from the front line: 0 or 1, or more when the lines in
// between have yet to go by.
//
`include "fan_assert.svh"
`default_nettype none

module fan_feed_contexts #(
	parameter int Place = 0,
	parameter int Contexts = 64,           // asked for and held
	localparam int ContextBits = $clog2(Contexts)
) (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  scrub_i,
	input  wire  [ContextBits-1:0] scrub_address_i,

	input  wire  push_i,
	input  wire  fan_line_t push_line_i,
	input  wire  [6:0] push_ue_count_i,
	input  wire  [1:0] push_granules_i,    // of one UE, 1..3

	input  wire  numbers_valid_i,
	output wire  numbers_ready_o,
	input  wire  numbers_error_i,
	input  wire  [63:0] numbers_i,

	output wire  read_valid_o,
	input  wire  read_ready_i,
	output fan_read_t read_o,
	input  wire  answer_valid_i,
	input  wire  answer_error_i,
	input  wire  fan_beat_t answer_i,

	output wire  valid_o,
	input  wire  ready_i,
	output wire  error_o,
	output wire  [255:0] keys_o,           // as in memory: K_ENC in the low half
	output wire  [5:0] bearer_direction_o
);
	localparam int PushBits = fan_fetch_pkg::LINE_BITS + 7 + 2;
	localparam int BearerLsb = fan_registers_pkg::CONTEXT_BEARER_DIRECTION_LSB;

	// ---- Going along the work items ----------------------------------------------------------------------------------------

	wire waiting;
	fan_line_t base;
	wire [6:0] ue_count;
	wire [1:0] granules;
	logic [6:0] ue_q;
	logic [2:0] at_q;
	logic [ContextBits:0] room_q;
	logic read_valid_q;
	fan_line_t read_line_q;

	wire here = at_q[2:1] == 2'd0;         // the next UE's work item begins in the front line
	wire last = ue_q + 7'd1 == ue_count;
	wire free = !read_valid_q || read_ready_i;
	wire step = waiting && here && numbers_valid_i && (numbers_error_i || (free && room_q != '0));
	wire ask = step && !numbers_error_i;
	// Behind the last UE the rest of its last line is skipped.
	wire [2:0] behind = at_q + {1'b0, granules};
	wire [2:0] to = !here ? at_q : !step ? '0 : last ? behind + {2'd0, behind[0]} : behind;
	wire passes = numbers_valid_i && to[2:1] != 2'd0;

	fan_fifo_reserved #(.Width(PushBits), .Depth(fan_engine_pkg::BATCHES)) u_batches (
		.clk_i, .rst_ni,
		.write_i(push_i), .data_i({push_line_i, push_ue_count_i, push_granules_i}),
		.valid_o(waiting), .ready_i(step && last), .data_o({base, ue_count, granules})
	);

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			ue_q <= '0;
			at_q <= '0;
			read_valid_q <= 1'b0;
			room_q <= (ContextBits+1)'(Contexts);
		end else begin
			if (step)
				ue_q <= last ? '0 : ue_q + 7'd1;
			if (step || !here)
				at_q <= to - (passes ? 3'd2 : 3'd0);
			if (free)
				read_valid_q <= ask;
			room_q <= room_q - (ContextBits+1)'(ask) + (ContextBits+1)'(valid_o && ready_i);
		end
		if (free)
			read_line_q <= base + {26'd0, at_q[0] ? numbers_i[63:32] : numbers_i[31:0]};
	end
	assign numbers_ready_o = passes;

	assign read_valid_o = read_valid_q;
	assign read_o.line = read_line_q;
	assign read_o.more = '0;
	assign read_o.kind = fan_fetch_pkg::READ_CONTEXT;
	assign read_o.place = 4'(Place);
	assign read_o.ends = 1'b0;

	// ---- Held --------------------------------------------------------------------------------------------------------------

	fan_fifo_block #(.Width(263), .Depth(Contexts)) u_contexts (
		.clk_i, .rst_ni, .scrub_i, .scrub_address_i,
		.write_i(answer_valid_i), .data_i({answer_error_i, answer_i[BearerLsb + 2 +: 6], answer_i[255:0]}),
		.valid_o, .ready_i, .data_o({error_o, bearer_direction_o, keys_o})
	);
	wire unused = ^{answer_i[511:BearerLsb+8], answer_i[BearerLsb+1:256]};

	`FAN_ASSERT(AssertRoomNotOver, room_q <= (ContextBits+1)'(Contexts))
	`FAN_ASSERT(AssertWithinLine, at_q <= 3'd4)
endmodule

`default_nettype wire
