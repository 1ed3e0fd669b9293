// SPDX-License-Identifier: BSD-3-Clause
//
// One lane: two AES pipes in lockstep, one for the counters of 128-EEA2 and one for the chain of 128-EIA2, and 24 UEs that go
// round in them. A message is loaded once; then every UE is one work item in and one protected PDU out, a UE every
// max(counter blocks, CMAC blocks + 1) clocks, without a bubble between UEs or between messages.
//
//   message_* --> fan_messages --(plan, octets)----------------+
//                                                              v
//   item_* --> slot memories --(head)--------------------> fan_text --(protected block)--------------> fan_results --> result_*
//      |            |   \                                   |      ^ key stream                              ^ MAC
//      v            |    \--(identity, clear prefix)--> fan_mac_block  |                                     |
//   fan_carousel    |                                       |     aes128_pipe (CTR)                          |
//   (whose turn)    +--(keys)------------------------------>+--> aes128_pipe (CMAC) --> chain --> fan_subkey  |
//                                                                                         +------------------+
//
// Clocks of one turn of a slot. The same letters name the registers: x_c is used in clock C.
//
//      -  plan read, the block of text whose turn is next worked out
//      A  carousel: the slot's UE goes on, retires, or makes place for the item that is offered; message RAM addressed
//      B  old contents of the slot memories are read, new contents written; message RAM reads
//      C  text from message or head, ^ key stream (result of the CTR pipe for the turn before)
//      D  protected block to fan_results; text rotated for CMAC; L kept; MAC of a UE that retires taken
//      E  block of CMAC put together; keys read and given to the pipes
//      F  blocks into both pipes; CMAC chained (result of the CMAC pipe for the turn before)
//
// F plus the 21 clocks of a pipe is C of the next turn: hence 24 slots at least. More slots are possible, up to 32, and only make
// the delays longer.
//
// After reset the lane overwrites all its memories, keys first, and is not ready until it has (4,128 clocks); nothing of an earlier user is
// left in it then.
//
`include "fan_assert.svh"
`default_nettype none

module fan_lane #(
	parameter int Slots = 24,           // UEs in flight, 24..32
	parameter int RingBlocks = 4096,    // result blocks in flight: 25 PDUs of the greatest length
	parameter int Records = 512         // results in flight
) (
	input  wire  clk_i,
	input  wire  rst_ni,                // synchronous

	input  wire  message_valid_i,
	output wire  message_ready_o,
	input  wire  fan_message_beat_t message_i,

	input  wire  item_valid_i,
	output wire  item_ready_o,
	input  wire  fan_item_t item_i,

	output wire  result_valid_o,
	input  wire  result_ready_i,
	output fan_result_t result_o,

	output wire  [1:0] busy_o           // pipe 0, the cipher's, or pipe 1, the MAC's, took a block of a UE's; for counters
);
	localparam int RingBits = $clog2(RingBlocks);
	localparam int RecordBits = $clog2(Records);
	localparam int LedgerBits = RingBits + RecordBits + 1 + fan_pkg::TAG_BITS;

	// ---- Scrub -------------------------------------------------------------------------------------------------------------

	logic scrub_q;
	logic [RingBits:0] scrub_count_q;
	wire [RingBits-1:0] scrub_address = scrub_count_q[RingBits-1:0];

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			scrub_q <= 1'b1;
			scrub_count_q <= '0;
		end else if (scrub_q) begin
			// The longest memory once, and a turn more, because the first clocks still write what was under way.
			scrub_q <= !(scrub_count_q[RingBits] && scrub_count_q[5]);
			scrub_count_q <= scrub_count_q + 1'b1;
		end
	end

	// ---- A: whose turn -----------------------------------------------------------------------------------------------------

	fan_visit_t visit_b;
	fan_plan_t front_plan, plan_next, plan_a, plan_b;
	fan_message_t front, message_next, message_a;
	fan_step_t step_next, text_block_next, text_block_a, text_block_b;
	fan_block_t message_c;
	wire open, room;
	wire take = item_valid_i && item_ready_o;

	fan_carousel #(.Slots(Slots)) u_carousel (
		.clk_i, .rst_ni, .scrub_i(scrub_q),
		.item_valid_i, .item_ready_o,
		.admit_i(open && room), .front_i(front), .front_steps_i(front_plan.steps),
		.message_o(message_next), .step_o(step_next), .steps_i(plan_a.steps),
		.visit_o(visit_b)
	);

	localparam int MessageBits = $clog2(fan_pkg::MESSAGES * fan_pkg::MESSAGE_BLOCKS);

	fan_messages #(.Slots(Slots), .Registered(1'b1)) u_messages (
		.clk_i, .rst_ni, .scrub_i(scrub_q), .scrub_address_i(scrub_address[MessageBits-1:0]),
		.valid_i(message_valid_i), .ready_o(message_ready_o), .beat_i(message_i),
		.open_o(open), .front_o(front), .front_plan_o(front_plan),
		.take_i(take), .take_last_i(item_i.last),
		.retire_i(visit_b.retire), .retired_i(visit_b.message),
		.plan_message_i(message_next), .plan_o(plan_next),
		.read_message_i(message_a), .read_block_i(text_block_a), .read_data_o(message_c)
	);

	// Block k's key stream comes back in the turn after the one that issued it.
	assign text_block_next = step_next - (plan_next.lag ? 7'd2 : 7'd1);
	always_ff @(posedge clk_i) begin
		message_a <= message_next;
		plan_a <= plan_next;
		plan_b <= plan_a;
		text_block_a <= text_block_next;
		text_block_b <= text_block_a;
	end

	// ---- B: the slot's memories --------------------------------------------------------------------------------------------

	typedef struct packed {
		logic [RingBits-1:0]          ring;
		logic [RecordBits:0]          record;
		fan_tag_t tag;
	} ledger_t;

	wire [RingBits-1:0] ring_a;
	wire [RecordBits:0] record_a;
	fan_item_t item_b;
	ledger_t ledger_new_b, ledger_b;
	wire [LedgerBits-1:0] ledger_bits_b;
	wire [383:0] head_b;
	wire unused_last = item_b.last;
	logic write_b;

	always_ff @(posedge clk_i) begin
		write_b <= take || scrub_q;
		if (scrub_q) begin
			item_b <= '0;
			ledger_new_b <= '0;
		end else begin
			item_b <= item_i;
			ledger_new_b.ring <= ring_a;
			ledger_new_b.record <= record_a;
			ledger_new_b.tag <= item_i.tag;
		end
	end

	fan_ram_async #(.Width(LedgerBits), .Depth(fan_pkg::SLOTS_MAX)) u_ledger (
		.clk_i,
		.write_i(write_b), .write_address_i(visit_b.slot), .write_data_i(ledger_new_b),
		.read_address_i(visit_b.slot), .read_data_o(ledger_bits_b)
	);
	assign ledger_b = ledger_bits_b;

	fan_ram_async #(.Width(384), .Depth(fan_pkg::SLOTS_MAX)) u_heads (
		.clk_i,
		.write_i(write_b), .write_address_i(visit_b.slot), .write_data_i(item_b.head),
		.read_address_i(visit_b.slot), .read_data_o(head_b)
	);

	// ---- C..F: what travels with the turn ----------------------------------------------------------------------------------

	fan_visit_t visit_c, visit_d, visit_e;
	fan_plan_t plan_c, plan_d, plan_e;
	ledger_t ledger_c;
	logic [RecordBits:0] record_d;
	fan_tag_t tag_d;
	fan_step_t step_d;
	fan_step_t step_e, counter_f;
	logic last_d, last_e, chains_f;
	wire follows_c;

	fan_follows #(.Width(fan_pkg::STEP_BITS)) u_follows (.before_i(visit_c.step), .after_i(plan_c.steps), .follows_o(follows_c));

	always_ff @(posedge clk_i) begin
		visit_c <= visit_b;
		visit_d <= visit_c;
		visit_e <= visit_d;
		if (scrub_q)
			plan_c <= '0;
		else
			plan_c <= plan_b;
		plan_d <= plan_c;
		plan_e <= plan_d;
		ledger_c <= ledger_b;
		record_d <= ledger_c.record;
		tag_d <= ledger_c.tag;
		step_e <= step_d;
		// Step 0 is no UE's last, whatever the plan read with it says: it is that of the slot's former message, or, before the first,
		// what was there at power-up.
		last_d <= plan_c.shape.order.mac && !visit_c.load && follows_c;
		last_e <= last_d && step_d != '0;
		chains_f <= step_e >= 7'd2;
		// Step 0 follows another UE, whose plan is not this one's: its block is counter 0, or, with lag, nobody's.
		counter_f <= step_e == '0 ? '0 : step_e - {6'd0, plan_e.lag};
	end
	// The step that is issued; the one that fan_text finishes is the old UE's.
	assign step_d = visit_d.load ? '0 : visit_d.step;

	// ---- C, D: text --------------------------------------------------------------------------------------------------------

	fan_block_t key_stream, key_stream_c, out_d, mac_source_d;
	fan_step_t out_block_c;
	wire out_valid_c;
	logic ring_write_d;
	logic [RingBits-1:0] ring_address_d;

	fan_text u_text (
		.clk_i, .scrub_i(scrub_q),
		.visit_i(visit_b), .plan_i(plan_b), .head_i(head_b), .block_i(text_block_b),
		.message_i(message_c), .key_stream_i(key_stream_c),
		.out_valid_o(out_valid_c), .out_block_o(out_block_c), .out_o(out_d), .mac_source_o(mac_source_d)
	);

	// The ring is spread over many block RAMs, far from here: all but the wires to it is done in the clock before.
	always_ff @(posedge clk_i) begin
		ring_write_d <= out_valid_c || scrub_q;
		ring_address_d <= scrub_q ? scrub_address : ledger_c.ring + RingBits'(out_block_c);
	end

	// ---- D, E: block of CMAC and subkey ------------------------------------------------------------------------------------

	fan_block_t chain, chain_d, chain_f, mac_block_f, subkey_f;
	wire [fan_pkg::IDENTITY_BITS+127:0] identity_clear_d;
	fan_identity_t identity_e, identity_f;
	fan_block_t clear_e;

	fan_ram_async #(.Width(fan_pkg::IDENTITY_BITS + 128), .Depth(fan_pkg::SLOTS_MAX)) u_identities (
		.clk_i,
		.write_i(write_b), .write_address_i(visit_b.slot), .write_data_i({item_b.identity, item_b.clear}),
		.read_address_i(visit_d.slot), .read_data_o(identity_clear_d)
	);

	always_ff @(posedge clk_i) begin
		{identity_e, clear_e} <= identity_clear_d;
		identity_f <= identity_e;
	end

	fan_mac_block u_mac_block (
		.clk_i, .source_i(mac_source_d), .offset_i(plan_d.offset),
		.slot_i(visit_e.slot), .step_i(step_e), .lag_i(plan_e.lag), .last_i(last_e), .tail_i(plan_e.tail),
		.identity_i(identity_e), .clear_i(clear_e), .block_o(mac_block_f)
	);

	fan_subkey u_subkey (
		.clk_i,
		.keep_i(step_d == 7'd1 || scrub_q), .keep_slot_i(visit_d.slot), .chain_i(chain_d),
		.slot_i(visit_e.slot), .use_i(last_e), .padded_i(plan_e.tail != '0), .subkey_o(subkey_f)
	);

	// ---- E, F: into the pipes ----------------------------------------------------------------------------------------------

	wire [fan_pkg::KEYS_BITS-1:0] keys_bits_e;
	fan_keys_t keys_e;
	fan_block_t counter_block_f;
	assign counter_block_f = {identity_f, 26'd0, 57'd0, counter_f};
	fan_block_t chained_f;
	assign chained_f = mac_block_f ^ subkey_f ^ (chains_f ? chain_f : '0);

	// A UE's block 0 is issued before its plan is read as that of its slot: it is the plan that the item found open.
	logic [1:0] begins_b, busy_q;
	wire goes_on_b = visit_b.busy && !visit_b.retire;
	wire counter_issued_b = plan_b.lag ? visit_b.step <= plan_b.out_blocks : visit_b.step < plan_b.out_blocks;

	always_ff @(posedge clk_i) begin
		begins_b <= {front_plan.shape.order.mac, front_plan.shape.order.cipher && !front_plan.lag};
		busy_q[0] <= visit_b.load ? begins_b[0] :
			goes_on_b && plan_b.shape.order.cipher && counter_issued_b;
		busy_q[1] <= visit_b.load ? begins_b[1] : goes_on_b && plan_b.shape.order.mac;
	end
	assign busy_o = busy_q;

	fan_ram_async #(.Width(fan_pkg::KEYS_BITS), .Depth(fan_pkg::SLOTS_MAX)) u_keys (
		.clk_i,
		.write_i(write_b), .write_address_i(visit_b.slot), .write_data_i(item_b.keys),
		.read_address_i(visit_e.slot), .read_data_o(keys_bits_e)
	);

	assign keys_e = keys_bits_e;

	aes128_pipe u_ctr (.clk_i, .key_i(keys_e.k_enc), .block_i(counter_block_f), .block_o(key_stream));
	aes128_pipe u_cmac (.clk_i, .key_i(keys_e.k_int), .block_i(chained_f), .block_o(chain));

	localparam int Spare = Slots - fan_pkg::AES_LATENCY - 3;

	fan_delay #(.Clocks(Spare)) u_delay_key_stream (.clk_i, .value_i(key_stream), .value_o(key_stream_c));
	fan_delay #(.Clocks(Spare + 1)) u_delay_chain_d (.clk_i, .value_i(chain), .value_o(chain_d));
	fan_delay #(.Clocks(2)) u_delay_chain_f (.clk_i, .value_i(chain_d), .value_o(chain_f));

	// ---- D: results --------------------------------------------------------------------------------------------------------

	fan_results #(.RingBlocks(RingBlocks), .Records(Records)) u_results (
		.clk_i, .rst_ni, .scrub_i(scrub_q), .scrub_record_i(scrub_address[RecordBits-1:0]),
		.room_blocks_i(front_plan.out_blocks), .room_o(room),
		.allocate_i(take), .ring_o(ring_a), .record_o(record_a),
		.write_i(ring_write_d), .write_address_i(ring_address_d), .write_data_i(out_d),
		.retire_i(visit_d.retire), .retire_record_i(record_d),
		.mac_behind_i(plan_d.shape.order.mac_behind), .text_bytes_i(plan_d.shape.text_bytes), .tag_i(tag_d),
		.mac_i(plan_d.shape.order.mac ? chain_d[127:96] : '0),
		.valid_o(result_valid_o), .ready_i(result_ready_i), .result_o(result_o)
	);

	fan_stable_check #(.Width(fan_pkg::ITEM_BITS), .Given(1'b1)) u_check_item (
		.clk_i, .rst_ni, .valid_i(item_valid_i), .ready_i(item_ready_o), .data_i(item_i)
	);
	`FAN_ASSERT(AssertSlotsEnough, Slots >= fan_pkg::AES_LATENCY + 3 && Slots <= fan_pkg::SLOTS_MAX)
endmodule

`default_nettype wire
