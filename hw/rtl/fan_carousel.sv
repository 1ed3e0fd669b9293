// SPDX-License-Identifier: BSD-3-Clause
//
// Whose turn it is. There is no scheduler: the slots come round in order, one a clock, and at each turn the UE in the slot issues
// its next block. A turn takes as long as an AES pipe, so that the result of a UE's last block is there when its turn comes again.
//
//      turn of one slot     1        2        3     ...    n        n+1
//      UE in it            A0       A1       A2           A(n-1)    B0       (A retires while B begins: no turn is lost)
//
// A UE whose blocks have all been issued retires at its next turn, and the same turn begins another UE if an item is there and
// its result will have room.
//
`include "fan_assert.svh"
`default_nettype none

module fan_carousel #(
	parameter int Slots = 24
) (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  scrub_i,         // no UE begins; longer than a turn, so that all slots are empty behind it

	input  wire  item_valid_i,
	output wire  item_ready_o,
	input  wire  admit_i,         // there is a message to work on and room for a result
	input  wire  fan_message_t front_i,
	input  wire  fan_step_t front_steps_i,

	output wire  fan_message_t message_o,  // of the UE whose turn is next ...
	output wire  fan_step_t step_o,        // ... its step, which is not yet known to be taken ...
	input  wire  fan_step_t steps_i,       // ... and, one clock later, how many steps that message takes

	output fan_visit_t visit_o             // one clock later
);
	typedef struct packed {
		logic              busy;
		logic              last;     // all blocks have been issued
		fan_step_t    step;     // of the next turn
		fan_message_t message;
	} state_t;

	localparam int StateBits = 2 + fan_pkg::STEP_BITS + fan_pkg::MESSAGE_BITS;

	// Slots come in order: what is known of the next one is read a clock ahead, and only what is decided in its own clock is late.
	fan_slot_t slot_q, slot_ahead_q;
	state_t state_ahead, state_q, state_next;
	wire [StateBits-1:0] state_bits;
	fan_visit_t visit_d, visit_q;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			slot_q <= '0;
			slot_ahead_q <= fan_pkg::SLOT_BITS'(1);
		end else begin
			slot_q <= slot_ahead_q;
			slot_ahead_q <= slot_ahead_q == fan_pkg::SLOT_BITS'(Slots - 1) ? '0 : slot_ahead_q + 1'b1;
		end
		state_q <= state_ahead;
	end

	fan_ram_async #(.Width(StateBits), .Depth(fan_pkg::SLOTS_MAX)) u_states (
		.clk_i,
		.write_i(1'b1), .write_address_i(slot_q), .write_data_i(state_next),
		.read_address_i(slot_ahead_q), .read_data_o(state_bits)
	);
	assign state_ahead = state_bits;
	assign message_o = state_ahead.message;
	assign step_o = state_ahead.step;

	wire stays = state_q.busy && !state_q.last;
	wire load = item_valid_i && item_ready_o;
	fan_step_t step_after;
	assign step_after = state_q.step + 7'd1;
	wire issues_last;
	fan_follows #(.Width(fan_pkg::STEP_BITS)) u_issues_last (.before_i(state_q.step), .after_i(steps_i), .follows_o(issues_last));

	assign item_ready_o = !scrub_i && !stays && admit_i;

	assign state_next.busy = (stays || load) && !scrub_i;
	assign state_next.last = load ? front_steps_i == 7'd1 : issues_last;
	assign state_next.step = load ? 7'd1 : step_after;
	assign state_next.message = load ? front_i : state_q.message;

	assign visit_d.slot = slot_q;
	assign visit_d.busy = state_q.busy;
	assign visit_d.retire = state_q.busy && state_q.last;
	assign visit_d.load = load;
	assign visit_d.step = state_q.step;
	assign visit_d.message = state_q.message;

	always_ff @(posedge clk_i) begin
		visit_q <= visit_d;
		if (!rst_ni || scrub_i) begin
			visit_q.busy <= 1'b0;
			visit_q.retire <= 1'b0;
			visit_q.load <= 1'b0;
		end
	end
	assign visit_o = visit_q;

	`FAN_ASSERT(AssertSlotInRange, slot_q < fan_pkg::SLOT_BITS'(Slots))
	`FAN_ASSERT(AssertRetireWasBusy, !visit_q.retire || visit_q.busy)
	`FAN_ASSERT(AssertNoLoadOverUe, !(visit_q.load && visit_q.busy && !visit_q.retire))

`ifdef FORMAL
	// Proved by induction, for a slot and four lengths of which nothing is assumed: a UE that begins in the slot issues its steps
	// 0, 1, 2, ... once each, one a turn, retires at the turn after its last step, and no other UE begins in between. Shorter
	// induction than a turn is not enough: what a slot's memory holds was checked when it was last read.
	(* anyconst *) fan_slot_t f_slot;
	(* anyconst *) logic [4*fan_pkg::STEP_BITS-1:0] f_steps;
	logic f_reset_q = 1'b1;
	logic [3:0] f_scrub_q = 4'd0;
	logic f_here_q = 1'b0, f_busy_q = 1'b0;
	fan_step_t f_step_q;
	fan_message_t f_message_q;
	fan_step_t f_length, f_front_length;

	assign f_length = f_steps[fan_pkg::STEP_BITS * state_q.message +: fan_pkg::STEP_BITS];
	assign f_front_length = f_steps[fan_pkg::STEP_BITS * front_i +: fan_pkg::STEP_BITS];

	always @(posedge clk_i) begin
		f_reset_q <= 1'b0;
		f_scrub_q <= f_reset_q ? 4'(Slots + 2) : f_scrub_q == 4'd0 ? 4'd0 : f_scrub_q - 4'd1;
		assume (rst_ni == !f_reset_q);
		assume (scrub_i == (f_scrub_q != 4'd0));
		assume (f_slot < fan_pkg::SLOT_BITS'(Slots));
		assume (steps_i == f_length && front_steps_i == f_front_length);
		assume (f_front_length != '0 && f_length < 7'd127 && f_front_length < 7'd127);

		// What the slot must be doing, kept apart from the module's own memory.
		f_here_q <= slot_q == f_slot;
		if (!rst_ni || scrub_i) begin
			f_busy_q <= 1'b0;
		end else if (visit_q.slot == f_slot && f_here_q) begin
			if (visit_q.load) begin
				f_busy_q <= 1'b1;
				f_step_q <= 7'd1;
			end else if (visit_q.retire) begin
				f_busy_q <= 1'b0;
			end else begin
				f_step_q <= f_step_q + 7'd1;
			end
		end
		if (load && slot_q == f_slot)
			f_message_q <= front_i;
		if (rst_ni && !scrub_i && !f_reset_q && f_here_q && f_scrub_q == 4'd0) begin
			assert (visit_q.slot == f_slot);
			AssertBusy: assert (visit_q.busy == f_busy_q);
			AssertStep: assert (!f_busy_q || visit_q.step == f_step_q);
			AssertRetire: assert (!f_busy_q ||
				visit_q.retire == (f_step_q == f_steps[fan_pkg::STEP_BITS * visit_q.message +: fan_pkg::STEP_BITS]));
			AssertInOrder: assert (!f_busy_q ||
				(f_step_q != '0 && f_step_q <= f_steps[fan_pkg::STEP_BITS * visit_q.message +: fan_pkg::STEP_BITS]));
		end
	end
`endif
endmodule

`default_nettype wire
