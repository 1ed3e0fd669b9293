// SPDX-License-Identifier: BSD-3-Clause
//
// What keeps one lane busy: reads the work items and contexts of its batches ahead of it and offers it one UE after the other. Each
// lane has its own, so that a slow lane holds up no other.
//
//      batch --> fan_feed_items --numbers--> fan_feed_contexts
//                      | lines                      | keys
//                      +--------> fan_feed_join <---+
//                                   |       |
//                                 item    ticket
//
`include "fan_assert.svh"
`default_nettype none

module fan_feed #(
	parameter int Place = 0,
	parameter int Lines = 128,
	parameter int Contexts = 128,
	localparam int ScrubBits = $clog2(Lines > Contexts ? Lines : Contexts)
) (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  scrub_i,
	input  wire  [ScrubBits-1:0] scrub_address_i,

	input  wire  push_i,
	input  wire  fan_job_t push_job_i,
	input  wire  [fan_fetch_pkg::WORK_BITS-1:0] push_work_i,
	output wire  [fan_fetch_pkg::WORK_BITS-1:0] work_o,    // what the lane has yet to do, in clocks or so
	input  wire  verdict_valid_i,
	input  wire  verdict_bad_i,

	output wire  items_read_valid_o,
	input  wire  items_read_ready_i,
	output fan_read_t items_read_o,
	output wire  context_read_valid_o,
	input  wire  context_read_ready_i,
	output fan_read_t context_read_o,
	input  wire  items_answer_valid_i,
	input  wire  context_answer_valid_i,
	input  wire  answer_error_i,
	input  wire  fan_beat_t answer_i,

	output wire  item_valid_o,
	input  wire  item_ready_i,
	output fan_item_t item_o,
	output wire  ticket_valid_o,
	input  wire  ticket_ready_i,
	output fan_ticket_t ticket_o
);
	localparam int WorkBits = fan_fetch_pkg::WORK_BITS;

	wire numbers_valid, numbers_ready, numbers_error, line_valid, line_ready, line_error, context_valid, context_ready,
		context_error, done;
	wire [63:0] numbers;
	fan_beat_t line;
	wire [255:0] context_keys;
	wire [5:0] context_bearer_direction;
	wire [6:0] done_weight;
	logic [WorkBits-1:0] work_q;

	wire [8:0] granules = push_job_i.ue_count * {7'd0, push_job_i.granules};
	wire [8:0] granules_even = granules + 9'd1;
	wire unused = ^{granules_even[8], granules_even[0]};

	fan_feed_items #(.Place(Place), .Lines(Lines)) u_items (
		.clk_i, .rst_ni, .scrub_i, .scrub_address_i(scrub_address_i[$clog2(Lines)-1:0]),
		.push_i, .push_line_i(push_job_i.items), .push_lines_i(granules_even[7:1]),
		.read_valid_o(items_read_valid_o), .read_ready_i(items_read_ready_i), .read_o(items_read_o),
		.answer_valid_i(items_answer_valid_i), .answer_error_i, .answer_i,
		.numbers_valid_o(numbers_valid), .numbers_ready_i(numbers_ready), .numbers_error_o(numbers_error),
		.numbers_o(numbers),
		.line_valid_o(line_valid), .line_ready_i(line_ready), .line_error_o(line_error), .line_o(line)
	);

	fan_feed_contexts #(.Place(Place), .Contexts(Contexts)) u_contexts (
		.clk_i, .rst_ni, .scrub_i, .scrub_address_i(scrub_address_i[$clog2(Contexts)-1:0]),
		.push_i, .push_line_i(push_job_i.contexts), .push_ue_count_i(push_job_i.ue_count),
		.push_granules_i(push_job_i.granules),
		.numbers_valid_i(numbers_valid), .numbers_ready_o(numbers_ready), .numbers_error_i(numbers_error),
		.numbers_i(numbers),
		.read_valid_o(context_read_valid_o), .read_ready_i(context_read_ready_i), .read_o(context_read_o),
		.answer_valid_i(context_answer_valid_i), .answer_error_i, .answer_i,
		.valid_o(context_valid), .ready_i(context_ready), .error_o(context_error), .keys_o(context_keys),
		.bearer_direction_o(context_bearer_direction)
	);

	fan_feed_join u_join (
		.clk_i, .rst_ni, .scrub_i,
		.push_i, .push_job_i, .verdict_valid_i, .verdict_bad_i,
		.line_valid_i(line_valid), .line_ready_o(line_ready), .line_error_i(line_error), .line_i(line),
		.context_valid_i(context_valid), .context_ready_o(context_ready), .context_error_i(context_error),
		.context_keys_i(context_keys), .context_bearer_direction_i(context_bearer_direction),
		.item_valid_o, .item_ready_i, .item_o, .ticket_valid_o, .ticket_ready_i, .ticket_o,
		.done_o(done), .done_weight_o(done_weight)
	);

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			work_q <= '0;
		else
			work_q <= work_q + (push_i ? push_work_i : '0) - (done ? WorkBits'(done_weight) : '0);
	end
	assign work_o = work_q;

	`FAN_ASSERT(AssertWorkNotUnder, !done || work_q >= WorkBits'(done_weight))
endmodule

`default_nettype wire
