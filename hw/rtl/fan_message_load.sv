// SPDX-License-Identifier: BSD-3-Clause
//
// From the cache into the lanes: each lane gets the messages of its batches in their order, lanes take turns message by message.
//
// A message is begun only when it has been read and when its lane is ready for it; a lane takes the rest of a message without a
// stop, so that none keeps the others waiting. The verdict (could the message be read?) goes to the lane's feeder as the message
// goes to the lane; of a message that could not, the lane gets zeros.
//
`include "fan_assert.svh"
`default_nettype none

module fan_message_load #(
	parameter int Lanes = 1
) (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  scrub_i,

	input  wire  [Lanes-1:0] push_i,       // a batch of this lane
	input  wire  fan_cache_slot_t push_slot_i,
	input  wire  fan_shape_t push_shape_i,

	input  wire  [fan_fetch_pkg::CACHE_SLOTS-1:0] loaded_i,
	input  wire  [fan_fetch_pkg::CACHE_SLOTS-1:0] bad_i,
	output wire  release_o,
	output fan_cache_slot_t release_slot_o,
	output wire  read_o,                   // of the cache; the answer a clock later, until the next read
	output wire  [fan_fetch_pkg::CACHE_SLOT_BITS+fan_fetch_pkg::CACHE_LINE_BITS-1:0] read_address_o,
	input  wire  fan_beat_t read_data_i,

	output wire  [Lanes-1:0] verdict_valid_o,
	output wire  verdict_bad_o,
	output wire  [Lanes-1:0] message_valid_o,
	input  wire  [Lanes-1:0] message_ready_i,
	output fan_message_beat_t message_o
);
	localparam int PushBits = fan_fetch_pkg::CACHE_SLOT_BITS + fan_fetch_pkg::SHAPE_BITS;

	// ---- Whose turn --------------------------------------------------------------------------------------------------------

	logic sending_q;
	wire [Lanes-1:0] can, turn;
	wire [Lanes*PushBits-1:0] fronts;
	wire starts = !sending_q && !scrub_i && can != '0;
	fan_cache_slot_t turn_slot;
	fan_shape_t turn_shape;

	for (genvar l = 0; l < Lanes; l++) begin : g_lane
		wire waiting;
		wire [PushBits-1:0] front;
		wire fan_cache_slot_t slot = front[PushBits-1 -: fan_fetch_pkg::CACHE_SLOT_BITS];

		fan_fifo_reserved #(.Width(PushBits), .Depth(fan_engine_pkg::BATCHES)) u_batches (
			.clk_i, .rst_ni,
			.write_i(push_i[l]), .data_i({push_slot_i, push_shape_i}),
			.valid_o(waiting), .ready_i(starts && turn[l]), .data_o(front)
		);
		assign can[l] = waiting && loaded_i[slot] && message_ready_i[l];
		assign fronts[l*PushBits +: PushBits] = front;
	end
	fan_round_robin #(.Requests(Lanes)) u_turn (
		.clk_i, .rst_ni, .request_i(can), .taken_i(starts), .grant_o(turn)
	);
	fan_select #(.Width(PushBits), .Words(Lanes)) u_front (
		.select_i(turn), .words_i(fronts), .word_o({turn_slot, turn_shape})
	);

	// ---- Sending -----------------------------------------------------------------------------------------------------------

	logic there_q, bad_q;                  // the line being sent has come out of the memory
	logic [Lanes-1:0] lane_q;
	fan_cache_slot_t slot_q;
	fan_shape_t shape_q;
	logic [6:0] block_q;                   // its lowest two bits within the line
	wire [10:0] bytes_less_one = shape_q.text_bytes - 11'd1;
	wire last = block_q == bytes_less_one[10:4];
	wire taken = there_q && (message_ready_i & lane_q) != '0;
	wire line_ends = block_q[1:0] == 2'd3;
	wire unused = ^bytes_less_one[3:0];

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			sending_q <= 1'b0;
			there_q <= 1'b0;
		end else begin
			if (starts)
				sending_q <= 1'b1;
			else if (taken && last)
				sending_q <= 1'b0;
			there_q <= sending_q && !(taken && last);
		end
		if (starts) begin
			lane_q <= turn;
			slot_q <= turn_slot;
			shape_q <= turn_shape;
			bad_q <= bad_i[turn_slot];
			block_q <= '0;
		end else if (taken) begin
			block_q <= block_q + 7'd1;
		end
	end

	// The first line in the clock behind `starts`, every other as the block before it is taken.
	assign read_o = scrub_i || (sending_q && !there_q) || (taken && line_ends);
	assign read_address_o = {slot_q, block_q[6:2] + {4'd0, there_q}};
	assign release_o = taken && last;
	assign release_slot_o = slot_q;
	assign verdict_valid_o = turn & {Lanes{starts}};
	assign verdict_bad_o = bad_i[turn_slot];

	// ---- Block -------------------------------------------------------------------------------------------------------------

	fan_block_t block;
	fan_reverse #(.Bytes(16)) u_reverse (.in_i(read_data_i[128*block_q[1:0] +: 128]), .out_o(block));

	assign message_o.shape = shape_q;
	assign message_o.data = bad_q ? '0 : block;
	assign message_valid_o = lane_q & {Lanes{there_q}};

	for (genvar l = 0; l < Lanes; l++) begin : g_check
		fan_stable_check #(.Width(fan_pkg::MESSAGE_BEAT_BITS)) u_check (
			.clk_i, .rst_ni, .valid_i(message_valid_o[l]), .ready_i(message_ready_i[l]), .data_i(message_o)
		);
	end
endmodule

`default_nettype wire
