// SPDX-License-Identifier: BSD-3-Clause
//
// From a descriptor to a lane: judges it, lets the batch begin, finds its message in the cache or a place for it, and gives the
// batch to the lane of its algorithm that has the least to do.
//
//      IDLE --descriptor--> SCAN, 16 clocks --> BEGIN --begin taken--> COMMIT --> IDLE
//       | dead or unread      a slot of the       |   (dead by now: dropped)                      ^ cache and lane take their parts
//       +--> dropped          cache and a lane    +--> IDLE when refused
//                             per clock
//
// Everybody behind it has room for as many batches as there are numbers: it waits for nobody but for who takes begins.
//
`include "fan_assert.svh"
`default_nettype none

module fan_dispatch #(
	parameter int Lanes = 1,
	parameter logic [2*Lanes-1:0] LaneAlgorithm = {Lanes{2'd2}}
) (
	input  wire  clk_i,
	input  wire  rst_ni,

	input  wire  valid_i,                  // the descriptor in front: fan_queues
	input  wire  dead_i,
	input  wire  unread_i,
	input  wire  fan_queue_t queue_i,
	input  wire  fan_batch_t batch_i,
	input  wire  [15:0] head_i,
	input  wire  [319:0] descriptor_i,
	input  wire  reserved_used_i,
	output wire  begun_o,
	output wire  pop_o,
	output wire  drop_o,

	output wire  begin_valid_o,
	input  wire  begin_ready_i,
	output fan_begin_t begin_o,

	output wire  fan_descriptor_t order_o, // what is to be done; constant from SCAN to COMMIT
	output wire  commit_o,                 // do it
	output wire  fan_cache_slot_t probe_slot_o,
	input  wire  probe_match_i,            // the slot has this message
	input  wire  probe_unused_i,           // nobody needs what the slot has
	output wire  hit_o,                    // with commit_o: it is in `slot_o` already; otherwise read it into there
	output fan_cache_slot_t slot_o,
	output wire  keep_o,                   // later batches may use it too

	input  wire  [Lanes*fan_fetch_pkg::WORK_BITS-1:0] work_i,
	output wire  [Lanes-1:0] lane_o,       // with commit_o: whose it is
	output fan_job_t job_o,
	output wire  [fan_fetch_pkg::WORK_BITS-1:0] job_work_o
);
	localparam int WorkBits = fan_fetch_pkg::WORK_BITS;
	localparam logic [1:0] AES = 2'd2;
	localparam logic [1:0] IDLE = 2'd0, SCAN = 2'd1, BEGIN = 2'd2, COMMIT = 2'd3;

	logic [1:0] state_q;
	logic [3:0] step_q;
	wire scanned = state_q == SCAN && step_q == 4'd15;
	fan_descriptor_t order;
	wire [7:0] error;

	// ---- Lanes: one per clock of the scan ----------------------------------------------------------------------------------

	// What is neither ciphered nor protected goes to AES lanes, because they are the fastest, or to whatever there is.
	wire [Lanes-1:0] is_aes;
	wire [Lanes-1:0] suits, chosen_here;
	logic [Lanes-1:0] lane_q;
	logic [WorkBits-1:0] least_q;
	wire [WorkBits-1:0] work_here;
	wire better = (suits & chosen_here) != '0 && (lane_q == '0 || work_here < least_q);

	for (genvar l = 0; l < Lanes; l++) begin : g_lane
		localparam logic [1:0] Algorithm = LaneAlgorithm[2*l +: 2];
		assign is_aes[l] = Algorithm == AES;
		assign suits[l] = order.algorithm == '0 ? is_aes[l] || is_aes == '0 : order.algorithm == Algorithm;
		assign chosen_here[l] = step_q == 4'(l);
	end
	fan_select #(.Width(WorkBits), .Words(Lanes)) u_work (.select_i(chosen_here), .words_i(work_i), .word_o(work_here));

	// ---- Slots of the message cache: likewise ------------------------------------------------------------------------------

	fan_cache_slot_t oldest_q, slot_q, probe;
	logic hit_q, found_q;

	// From the slot that was filled the longest ago, so that the first unused one is the one to give up.
	assign probe = oldest_q + step_q;
	assign probe_slot_o = probe;

	always_ff @(posedge clk_i) begin
		if (state_q == IDLE) begin
			lane_q <= '0;
			hit_q <= 1'b0;
			found_q <= 1'b0;
		end else if (state_q == SCAN) begin
			if (better) begin
				lane_q <= chosen_here;
				least_q <= work_here;
			end
			if (probe_match_i)
				hit_q <= 1'b1;
			if (probe_unused_i)
				found_q <= 1'b1;
			if (probe_match_i || (probe_unused_i && !found_q && !hit_q))
				slot_q <= probe;
		end
	end

	// ---- Descriptor --------------------------------------------------------------------------------------------------------

	fan_descriptor u_descriptor (
		.bits_i(descriptor_i), .reserved_used_i, .lane_found_i(lane_q != '0),
		.descriptor_o(order), .error_o(error)
	);

	wire [10:0] rounded = order.shape.text_bytes + 11'd15;
	wire [6:0] weight = rounded[10:4] + 7'd2;
	logic [WorkBits-1:0] job_work_q;
	wire unused = ^rounded[3:0];

	always_ff @(posedge clk_i)
		job_work_q <= WorkBits'(order.ue_count) * WorkBits'(weight);

	// ---- Steps -------------------------------------------------------------------------------------------------------------

	logic dead_q;    // the queue was disabled under way: finish, but keep nothing
	logic [15:0] head_q;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			state_q <= IDLE;
			step_q <= '0;
			oldest_q <= '0;
		end else begin
			step_q <= state_q == SCAN ? step_q + 4'd1 : '0;
			case (state_q)
			IDLE:
				if (valid_i && !drop_o)
					state_q <= SCAN;
			SCAN:
				if (scanned)
					state_q <= dead_i ? IDLE : BEGIN;
			BEGIN:
				if (begin_ready_i)
					state_q <= error == '0 ? COMMIT : IDLE;
			default:
				state_q <= IDLE;
			endcase
			if (commit_o && !hit_q)
				oldest_q <= slot_q + 4'd1;
		end
		dead_q <= state_q != IDLE && (dead_q || dead_i);
		if (state_q == IDLE)
			head_q <= head_i;
	end

	assign drop_o = valid_i && ((state_q == IDLE && (dead_i || unread_i)) || (scanned && dead_i));
	assign begin_valid_o = state_q == BEGIN;
	assign begun_o = state_q == BEGIN && begin_ready_i;
	assign commit_o = state_q == COMMIT;
	assign pop_o = drop_o || commit_o || (begun_o && error != '0);

	assign begin_o.batch = batch_i;
	assign begin_o.queue_number = queue_i;
	assign begin_o.cookie = order.cookie;
	assign begin_o.ue_count = order.ue_count;
	assign begin_o.error = error;
	assign begin_o.head = head_q;

	assign order_o = order;
	assign hit_o = hit_q;
	assign slot_o = slot_q;
	assign keep_o = order.message_number != '0 && !dead_q && !dead_i;
	assign lane_o = lane_q & {Lanes{commit_o}};
	assign job_work_o = job_work_q;
	assign job_o.items = order.items;
	assign job_o.contexts = order.contexts;
	assign job_o.batch = batch_i;
	assign job_o.ue_count = order.ue_count;
	assign job_o.granules = order.shape.head_blocks == 2'd0 ? 2'd1 : order.shape.head_blocks == 2'd3 ? 2'd3 : 2'd2;
	assign job_o.lead = order.lead;
	assign job_o.clear_bytes = order.shape.clear_bytes;
	assign job_o.weight = weight;

	`FAN_ASSERT(AssertSlotForAll, !commit_o || hit_q || found_q)
	`FAN_ASSERT(AssertLaneForAll, !commit_o || lane_q != '0)
	fan_stable_check #(.Width(fan_engine_pkg::BEGIN_BITS)) u_check (
		.clk_i, .rst_ni, .valid_i(begin_valid_o), .ready_i(begin_ready_i), .data_i(begin_o)
	);
endmodule

`default_nettype wire
