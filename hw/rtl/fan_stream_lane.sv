// SPDX-License-Identifier: BSD-3-Clause
//
// A lane for an algorithm that is a stream of words, SNOW 3G or ZUC: one message, and as many UEs at a time as there are cells. The
// cells run in lockstep. One word of the message is read once and goes to all of them in the same clock; one schedule serves all.
//
//   message_* --> fan_messages <--(block)-- fan_stream_schedule --+--(step, word of text, MAC step)--> all cells
//                        \--(shape, octets)------> ^               |
//                                                  | launch        |      cell 0     cell 1    ...  cell n
//   item_* --> filling: one item per 4 clocks -----+-(item)--------|----> [ item memory, two banks         ]
//                                                                  |      [ cipher generator -> text -> MAC ] <- integrity generator
//                                                                  |      [ result memory, two banks       ]
//                                                finish, MACs      v                  |
//                                                 +--> fan_stream_results <--(blocks)-+            --> result_*
//
// Three groups are under way: one being filled, one worked on, one read out. A group is launched when it is full or its message has
// no more UEs; a group of fewer UEs takes as long as a full one.
//
// Ports, order of results and meaning of all types are those of fan_lane.sv. After reset the lane overwrites all its memories and is
// not ready until it has (545 clocks); registers that a key has been through are cleared by reset itself.
//
`include "fan_assert.svh"
`default_nettype none

module fan_stream_lane #(
	parameter bit Zuc = 1'b0,
	parameter int Cells = 6                       // 2..7
) (
	input  wire  clk_i,
	input  wire  rst_ni,                          // synchronous

	input  wire  message_valid_i,
	output wire  message_ready_o,
	input  wire  fan_message_beat_t message_i,

	input  wire  item_valid_i,
	output wire  item_ready_o,
	input  wire  fan_item_t item_i,

	output wire  result_valid_o,
	input  wire  result_ready_i,
	output fan_result_t result_o,

	// For counters, as fan_lane.sv's. Bit 0: the generators of the cells are at work, taking a key, running in or making key stream, of
	// whichever of cipher and integrity the order has. Bit 1: the MACs take a word. A clock counts once for all cells.
	output wire  [1:0] busy_o
);
	// ---- Scrub -----------------------------------------------------------------------------------------------------------------

	localparam int MessageBits = $clog2(fan_pkg::MESSAGES * fan_pkg::MESSAGE_BLOCKS);

	logic scrub_q;
	logic [MessageBits:0] scrub_count_q;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			scrub_q <= 1'b1;
			scrub_count_q <= '0;
		end else if (scrub_q) begin
			// The longest memory once, and 32 clocks more, because the first clocks still write what was under way.
			scrub_q <= !(scrub_count_q[MessageBits] && scrub_count_q[5]);
			scrub_count_q <= scrub_count_q + 1'b1;
		end
	end

	// ---- Messages --------------------------------------------------------------------------------------------------------------

	fan_message_t front, message, retired;
	fan_plan_t front_plan, plan;
	fan_block_t message_block;
	wire [6:0] read_block;
	wire open, take, retire;

	fan_messages #(.Slots(3 * Cells)) u_messages (
		.clk_i, .rst_ni, .scrub_i(scrub_q), .scrub_address_i(scrub_count_q[MessageBits-1:0]),
		.valid_i(message_valid_i), .ready_o(message_ready_o), .beat_i(message_i),
		.open_o(open), .front_o(front), .front_plan_o(front_plan),
		.take_i(take), .take_last_i(item_i.last),
		.retire_i(retire), .retired_i(retired),
		.plan_message_i(message), .plan_o(plan),
		.read_message_i(message), .read_block_i(read_block), .read_data_o(message_block)
	);

	// ---- Filling: an item is written to its cell in four clocks ------------------------------------------------------------------

	logic full_q, bank_q, storing_q, store_bank_q;
	logic [3:0] fill_q, store_cell_q;
	logic [1:0] store_entry_q;
	fan_message_t fill_message_q;
	fan_item_t store_q;
	fan_stream_group_t group;
	fan_block_t clear;
	wire launch;
	wire store_last = store_entry_q == 2'd3;
	wire [3:0] fill_next = fill_q + 4'd1;

	assign item_ready_o = !scrub_q && open && !full_q && (!storing_q || store_last);
	assign take = item_valid_i && item_ready_o;
	assign group.bank = bank_q;
	assign group.message = fill_message_q;
	assign group.ues = fill_q;

	// The clear prefix is moved by 0 to 3 octets, so that it ends with a whole word.
	wire [1:0] clear_move = 2'd0 - front_plan.shape.clear_bytes[1:0];
	assign clear = item_i.clear >> {clear_move, 3'd0};

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			full_q <= 1'b0;
			bank_q <= 1'b0;
			fill_q <= '0;
			storing_q <= 1'b0;
			store_entry_q <= '0;
			store_q <= '0;
		end else begin
			if (launch) begin
				full_q <= 1'b0;
				bank_q <= !bank_q;
				fill_q <= '0;
			end else if (take) begin
				full_q <= item_i.last || fill_next == 4'(Cells);
				fill_q <= fill_next;
			end
			storing_q <= take || (storing_q && !store_last);
			store_entry_q <= take ? '0 : store_entry_q + 2'd1;
			if (take) begin
				store_q <= item_i;
				store_q.clear <= clear;
			end
		end
		if (take) begin
			store_cell_q <= fill_q;
			store_bank_q <= bank_q;
			fill_message_q <= front;
		end
	end

	fan_stream_entry_t entry;
	wire unused_store = ^{store_q.last, store_q.tag};
	wire [511:0] blocks = {store_q.clear, store_q.head};
	wire [127:0] k_enc, k_int;                       // entry 0 in bits 31..0

	for (genvar j = 0; j < 4; j++) begin : g_key
		if (Zuc) begin : g_zuc
			// Octets j, 4+j, 8+j, 12+j.
			for (genvar i = 0; i < 4; i++) begin : g_octet
				assign k_enc[32*j + 8*(3 - i) +: 8] = store_q.keys.k_enc[8*(15 - 4*i - j) +: 8];
				assign k_int[32*j + 8*(3 - i) +: 8] = store_q.keys.k_int[8*(15 - 4*i - j) +: 8];
			end
		end else begin : g_snow3g
			// The key fills K3 first, K0 last (TS 35.215 3.4).
			assign k_enc[32*j +: 32] = store_q.keys.k_enc[32*j +: 32];
			assign k_int[32*j +: 32] = store_q.keys.k_int[32*j +: 32];
		end
	end
	assign entry.identity = store_q.identity;
	assign entry.k_enc = k_enc[{store_entry_q, 5'd0} +: 32];
	assign entry.k_int = k_int[{store_entry_q, 5'd0} +: 32];
	assign entry.block = blocks[{~store_entry_q, 7'd0} +: 128];

	// ---- Schedule, cells, results ------------------------------------------------------------------------------------------------

	fan_stream_step_t step;
	fan_stream_text_t text;
	fan_stream_mac_t mac;
	fan_stream_finish_t finish_data;
	fan_word_t extra;
	wire begins, room, write, finish, read;
	wire [7:0] write_row, read_row;
	wire [1:0] write_place, turn;
	wire [128*Cells-1:0] result_blocks;
	wire [32*Cells-1:0] macs;

	fan_stream_schedule #(.Zuc(Zuc)) u_schedule (
		.clk_i, .rst_ni,
		.launch_valid_i(full_q), .launch_o(launch), .group_i(group), .room_i(room), .begin_o(begins),
		.message_o(message), .shape_i(plan.shape), .read_block_o(read_block), .read_data_i(message_block),
		.retire_o(retire), .retired_o(retired),
		.step_o(step), .text_o(text),
		.write_o(write), .write_row_o(write_row), .write_place_o(write_place), .turn_o(turn), .extra_o(extra),
		.mac_o(mac), .finish_o(finish), .finish_data_o(finish_data),
		.busy_o
	);

	for (genvar c = 0; c < Cells; c++) begin : g_cell
		fan_stream_cell #(.Zuc(Zuc)) u_cell (
			.clk_i, .rst_ni, .scrub_i(scrub_q), .scrub_address_i(scrub_count_q[7:0]),
			.item_write_i(storing_q && store_cell_q == 4'(c)), .item_address_i({store_bank_q, store_entry_q}),
			.item_data_i(entry),
			.step_i(step), .text_i(text),
			.write_i(write), .write_row_i(write_row), .write_place_i(write_place), .turn_i(turn), .extra_i(extra),
			.mac_i(mac),
			.read_i(read), .read_row_i(read_row),
			.block_o(result_blocks[128*c +: 128]), .mac_o(macs[32*c +: 32])
		);
	end

	fan_stream_results #(.Cells(Cells)) u_results (
		.clk_i, .rst_ni, .scrub_i(scrub_q), .scrub_address_i(scrub_count_q[4:0]),
		.take_i(take), .tag_i(item_i.tag), .begin_i(begins), .room_o(room),
		.finish_i(finish), .finish_data_i(finish_data), .macs_i(macs),
		.read_o(read), .read_row_o(read_row), .blocks_i(result_blocks),
		.valid_o(result_valid_o), .ready_i(result_ready_i), .result_o
	);

	fan_stable_check #(.Width(fan_pkg::ITEM_BITS)) u_check_item (
		.clk_i, .rst_ni, .valid_i(item_valid_i), .ready_i(item_ready_o), .data_i(item_i)
	);
	`FAN_ASSERT(AssertCells, Cells >= 2 && Cells <= 7)
	`FAN_ASSERT(AssertStoredInTime, !(storing_q && step.load && step.bank == store_bank_q && step.entry >= store_entry_q))
endmodule

`default_nettype wire
