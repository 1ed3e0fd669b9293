// SPDX-License-Identifier: BSD-3-Clause
//
// Messages on their way from host memory to the lanes, and for as long as they may be wanted again: 16 slots of 2,048 octets.
//
//      fan_dispatch --probe, commit--> fan_message_tags <--loaded-- fan_message_read --> bus
//                                        |      ^ release               | lines
//                                        v      |                       v
//      lanes <--blocks----------------- fan_message_load <----------- memory
//
`default_nettype none

module fan_message_cache #(
	parameter int Lanes = 1,
	localparam int AddressBits = fan_fetch_pkg::CACHE_SLOT_BITS + fan_fetch_pkg::CACHE_LINE_BITS
) (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  scrub_i,
	input  wire  [AddressBits-1:0] scrub_address_i,
	input  wire  [fan_engine_pkg::QUEUES_MAX-1:0] live_i,

	input  wire  fan_queue_t queue_i,      // of fan_dispatch
	input  wire  fan_descriptor_t order_i,
	input  wire  fan_cache_slot_t probe_slot_i,
	output wire  probe_match_o,
	output wire  probe_unused_o,
	input  wire  commit_i,
	input  wire  hit_i,
	input  wire  keep_i,
	input  wire  fan_cache_slot_t slot_i,
	input  wire  [Lanes-1:0] lane_i,

	output wire  read_valid_o,
	input  wire  read_ready_i,
	output fan_read_t read_o,
	input  wire  answer_valid_i,           // of a message
	input  wire  fan_read_t answer_read_i,
	input  wire  answer_last_i,
	input  wire  answer_error_i,
	input  wire  fan_beat_t answer_i,

	output wire  [Lanes-1:0] verdict_valid_o,
	output wire  verdict_bad_o,
	output wire  [Lanes-1:0] message_valid_o,
	input  wire  [Lanes-1:0] message_ready_i,
	output fan_message_beat_t message_o
);
	localparam int Slots = fan_fetch_pkg::CACHE_SLOTS;

	wire release_slot_valid, loaded_valid, loaded_bad, read;
	fan_cache_slot_t release_slot, loaded_slot;
	wire [Slots-1:0] loaded, bad;
	wire [AddressBits-1:0] write_address, read_address;
	fan_beat_t read_data;
	wire [10:0] rounded = order_i.shape.text_bytes + 11'd63;
	wire unused = ^{rounded[5:0], order_i.items, order_i.contexts, order_i.cookie, order_i.ue_count, order_i.algorithm,
		order_i.lead};

	fan_message_tags u_tags (
		.clk_i, .rst_ni, .live_i,
		.queue_i, .number_i(order_i.message_number), .text_bytes_i(order_i.shape.text_bytes),
		.probe_slot_i, .probe_match_o, .probe_unused_o,
		.commit_i, .hit_i, .keep_i, .slot_i,
		.release_i(release_slot_valid), .release_slot_i(release_slot),
		.loaded_i(loaded_valid), .loaded_bad_i(loaded_bad), .loaded_slot_i(loaded_slot),
		.loaded_o(loaded), .bad_o(bad)
	);

	fan_message_read u_read (
		.clk_i, .rst_ni,
		.load_i(commit_i && !hit_i), .load_line_i(order_i.message), .load_lines_i(rounded[10:6]), .load_slot_i(slot_i),
		.read_valid_o, .read_ready_i, .read_o,
		.answer_valid_i, .answer_read_i, .answer_last_i, .answer_error_i,
		.write_address_o(write_address),
		.loaded_o(loaded_valid), .loaded_bad_o(loaded_bad), .loaded_slot_o(loaded_slot)
	);

	fan_ram_sync #(.Width(fan_engine_pkg::BEAT_BITS), .Depth(Slots * fan_fetch_pkg::CACHE_SLOT_LINES)) u_lines (
		.clk_i,
		.write_i(answer_valid_i || scrub_i), .write_address_i(scrub_i ? scrub_address_i : write_address),
		.write_data_i(scrub_i ? '0 : answer_i),
		.read_i(read), .read_address_i(read_address), .read_data_o(read_data)
	);

	fan_message_load #(.Lanes(Lanes)) u_load (
		.clk_i, .rst_ni, .scrub_i,
		.push_i(lane_i), .push_slot_i(slot_i), .push_shape_i(order_i.shape),
		.loaded_i(loaded), .bad_i(bad), .release_o(release_slot_valid), .release_slot_o(release_slot),
		.read_o(read), .read_address_o(read_address), .read_data_i(read_data),
		.verdict_valid_o, .verdict_bad_o, .message_valid_o, .message_ready_i, .message_o
	);
endmodule

`default_nettype wire
