// SPDX-License-Identifier: BSD-3-Clause
//
// What the slots of the message cache hold, and who needs it.
//
// A message sent to a million UEs is thousands of descriptors with one message number: it is read once. A slot is used by every
// batch that has been given it and whose lane has not got the message yet; while it is, it keeps what it has, kept for later
// batches or not. There are as many slots as batches, so that the next batch always finds one that nobody uses.
//
`include "fan_assert.svh"
`default_nettype none

module fan_message_tags (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  [fan_engine_pkg::QUEUES_MAX-1:0] live_i,   // a queue that is not: what it left is never used again

	input  wire  fan_queue_t queue_i,      // the message in question: probe_* and commit_i
	input  wire  [31:0] number_i,
	input  wire  [10:0] text_bytes_i,      // part of the name, so that no batch sees octets that were read for another length
	input  wire  fan_cache_slot_t probe_slot_i,
	output wire  probe_match_o,
	output wire  probe_unused_o,

	input  wire  commit_i,                 // one more user of slot_i ...
	input  wire  hit_i,                    // ... which has the message already, or ...
	input  wire  keep_i,                   // ... gets it, for later batches too
	input  wire  fan_cache_slot_t slot_i,
	input  wire  release_i,                // one user less
	input  wire  fan_cache_slot_t release_slot_i,
	input  wire  loaded_i,                 // the message is there, or
	input  wire  loaded_bad_i,             // could not be read
	input  wire  fan_cache_slot_t loaded_slot_i,

	output wire  [fan_fetch_pkg::CACHE_SLOTS-1:0] loaded_o,
	output wire  [fan_fetch_pkg::CACHE_SLOTS-1:0] bad_o
);
	localparam int Slots = fan_fetch_pkg::CACHE_SLOTS;
	localparam int UserBits = fan_engine_pkg::BATCH_BITS + 1;
	localparam int TagBits = 4 + 32 + 11;

	wire [TagBits-1:0] key = {queue_i, number_i, text_bytes_i};
	wire [TagBits-1:0] tag;
	wire [Slots-1:0] kept, unused_slot;

	fan_ram_async #(.Width(TagBits), .Depth(Slots)) u_tags (
		.clk_i,
		.write_i(commit_i && !hit_i), .write_address_i(slot_i), .write_data_i(key),
		.read_address_i(probe_slot_i), .read_data_o(tag)
	);
	assign probe_match_o = kept[probe_slot_i] && tag == key;
	assign probe_unused_o = unused_slot[probe_slot_i];

	// One bit per slot: what happens to it in this clock, and how it stands.
	wire [Slots-1:0] slot_one = Slots'(1) << slot_i;
	wire [Slots-1:0] commit = commit_i ? slot_one : '0;
	wire [Slots-1:0] fill = commit_i && !hit_i ? slot_one : '0;
	wire [Slots-1:0] drop = release_i ? Slots'(1) << release_slot_i : '0;
	wire [Slots-1:0] loaded = loaded_i ? Slots'(1) << loaded_slot_i : '0;
	logic [Slots-1:0] kept_q, loaded_q, bad_q;
	wire [Slots-1:0] orphan;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			kept_q <= '0;
			loaded_q <= '0;
		end else begin
			kept_q <= (fill & {Slots{keep_i}}) | (kept_q & ~fill & ~orphan & ~(loaded & {Slots{loaded_bad_i}}));
			loaded_q <= (loaded_q | loaded) & ~fill;
		end
		bad_q <= (bad_q & ~loaded) | (loaded & {Slots{loaded_bad_i}});
	end
	assign kept = kept_q;
	assign loaded_o = loaded_q;
	assign bad_o = bad_q;

	for (genvar s = 0; s < Slots; s++) begin : g_slot
		fan_queue_t queue_q;
		logic [UserBits-1:0] users_q;

		always_ff @(posedge clk_i) begin
			if (!rst_ni)
				users_q <= '0;
			else if (commit[s] != drop[s])
				users_q <= commit[s] ? users_q + 1'b1 : users_q - 1'b1;
			if (fill[s])
				queue_q <= queue_i;
		end
		assign orphan[s] = !live_i[queue_q];
		assign unused_slot[s] = users_q == '0;

		`FAN_ASSERT(AssertUsersNotOver, users_q <= UserBits'(fan_engine_pkg::BATCHES))
	end

	`FAN_ASSERT(AssertUsersNotUnder, (drop & unused_slot) == '0)
	`FAN_ASSERT(AssertNotTakenAway, (fill & ~unused_slot) == '0)
	`FAN_ASSERT(AssertLoadedForSomebody, (loaded & (unused_slot | loaded_q)) == '0)
endmodule

`default_nettype wire
