// SPDX-License-Identifier: BSD-3-Clause
//
// The read side: from the descriptors that the host's doorbells announce to messages and UEs at the lanes.
//
//      fan_queues --descriptor--> fan_dispatch --begin--> (fan_complete)
//                                   |      |
//                     message_number|      |batch, to the lane with the least to do
//                                   v      v
//               fan_message_cache (1)     fan_feed (one per lane)
//                      | blocks                | items, tickets
//                      v                       v
//                    lane                lane, (fan_pack)
//
//      all of them <--answers-- fan_read --> bus
//
// Everything is asked for as far ahead as there is room: descriptors by fan_queues, messages and work items as soon as a batch has
// its lane, contexts as soon as the work items are there. With 64 contexts under way per lane a bus that answers after 200 clocks
// keeps three lanes busy whose UEs take 12 clocks each.
//
// After a reset all memories that held keys or messages are overwritten before ready_o rises. A reset with reads under way needs
// stop_i first, then idle: what the bus owes would otherwise be taken for the answer to something else.
//
`include "fan_assert.svh"
`default_nettype none

module fan_fetch #(
	parameter int Lanes = 1,
	parameter logic [2*Lanes-1:0] LaneAlgorithm = {Lanes{2'd2}},  // 1 SNOW 3G, 2 AES, 3 ZUC; lane 0 in the low bits
	parameter int Queues = 4,
	parameter int ReadsMax = 256
) (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  stop_i,
	output wire  bus_idle_o,
	output wire  ready_o,
	input  wire  enable_i,

	input  wire  [Queues*fan_engine_pkg::QUEUE_CONFIG_BITS-1:0] queue_config_i,
	output wire  [16*Queues-1:0] queue_head_o,
	output wire  [3*Queues-1:0] queue_fault_o,

	output wire  begin_valid_o,
	input  wire  begin_ready_i,
	output fan_begin_t begin_o,
	input  wire  free_valid_i,
	input  wire  fan_batch_t free_batch_i,

	output wire  [Lanes-1:0] message_valid_o,
	input  wire  [Lanes-1:0] message_ready_i,
	output fan_message_beat_t message_o,
	output wire  [Lanes-1:0] item_valid_o,
	input  wire  [Lanes-1:0] item_ready_i,
	output wire  [Lanes*fan_pkg::ITEM_BITS-1:0] item_o,
	output wire  [Lanes-1:0] ticket_valid_o,
	input  wire  [Lanes-1:0] ticket_ready_i,
	output wire  [Lanes*fan_engine_pkg::TICKET_BITS-1:0] ticket_o,

	output wire  read_beats_o,             // a line has come
	output wire  read_error_o,             // and the bus said that it is not good
	output wire  [63:0] read_error_address_o,

	output wire  [0:0]   m_axi_arid,
	output wire  [63:0]  m_axi_araddr,
	output wire  [7:0]   m_axi_arlen,
	output wire  [2:0]   m_axi_arsize,
	output wire  [1:0]   m_axi_arburst,
	output wire          m_axi_arlock,
	output wire  [3:0]   m_axi_arcache,
	output wire  [2:0]   m_axi_arprot,
	output wire          m_axi_arvalid,
	input  wire          m_axi_arready,
	input  wire  [0:0]   m_axi_rid,
	input  wire  [511:0] m_axi_rdata,
	input  wire  [1:0]   m_axi_rresp,
	input  wire          m_axi_rlast,
	input  wire          m_axi_rvalid,
	output wire          m_axi_rready
);
	localparam int WorkBits = fan_fetch_pkg::WORK_BITS;
	localparam int ReadBits = fan_fetch_pkg::READ_BITS;
	localparam int ScrubBits = fan_fetch_pkg::CACHE_SLOT_BITS + fan_fetch_pkg::CACHE_LINE_BITS;
	localparam int FeedBits = 7;           // of 64 lines and 64 contexts
	localparam int Requests = 2 + 2 * Lanes;

	// ---- Scrub -------------------------------------------------------------------------------------------------------------

	logic scrub_q;
	logic [ScrubBits:0] scrub_count_q;
	wire [ScrubBits-1:0] scrub_address = scrub_count_q[ScrubBits-1:0];

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			scrub_q <= 1'b1;
			scrub_count_q <= '0;
		end else if (scrub_q) begin
			// The longest memory once, and a little more, because output registers still hold what was read before.
			scrub_q <= !(scrub_count_q[ScrubBits] && scrub_count_q[2]);
			scrub_count_q <= scrub_count_q + 1'b1;
		end
	end
	assign ready_o = !scrub_q;

	// ---- Bus ---------------------------------------------------------------------------------------------------------------

	wire [Requests-1:0] request_valid, request_ready;
	wire [Requests*ReadBits-1:0] request;
	fan_read_t queue_read, message_read, answer_read;
	wire answer_valid, answer_last, answer_error;
	fan_beat_t answer;
	wire answer_message = answer_valid && answer_read.kind == fan_fetch_pkg::READ_MESSAGE;
	wire answer_items = answer_valid && answer_read.kind == fan_fetch_pkg::READ_ITEMS;
	wire answer_context = answer_valid && answer_read.kind == fan_fetch_pkg::READ_CONTEXT;
	wire answer_descriptor = answer_valid && answer_read.kind == fan_fetch_pkg::READ_DESCRIPTOR;

	fan_read #(.Requests(Requests), .ReadsMax(ReadsMax)) u_read (
		.clk_i, .rst_ni, .stop_i, .idle_o(bus_idle_o),
		.request_valid_i(request_valid), .request_ready_o(request_ready), .request_i(request),
		.answer_valid_o(answer_valid), .answer_read_o(answer_read), .answer_last_o(answer_last),
		.answer_error_o(answer_error), .answer_o(answer), .answer_address_o(read_error_address_o),
		.m_axi_arid, .m_axi_araddr, .m_axi_arlen, .m_axi_arsize, .m_axi_arburst, .m_axi_arlock, .m_axi_arcache,
		.m_axi_arprot, .m_axi_arvalid, .m_axi_arready,
		.m_axi_rid, .m_axi_rdata, .m_axi_rresp, .m_axi_rlast, .m_axi_rvalid, .m_axi_rready
	);
	assign request[0 +: ReadBits] = queue_read;
	assign request[ReadBits +: ReadBits] = message_read;
	assign read_beats_o = answer_valid;
	assign read_error_o = answer_valid && answer_error;

	// ---- Batches -----------------------------------------------------------------------------------------------------------

	wire [fan_engine_pkg::QUEUES_MAX-1:0] live;
	wire descriptor_valid, dead, unread, reserved_used, begun, pop, drop, commit, match, unused_slot, hit, keep;
	fan_queue_t queue_number;
	fan_batch_t batch;
	wire [15:0] head;
	wire [319:0] descriptor;
	fan_descriptor_t order;
	fan_cache_slot_t probe_slot, slot;
	wire [Lanes-1:0] lane, verdict_valid;
	wire verdict_bad;
	wire [Lanes*WorkBits-1:0] work;
	wire [WorkBits-1:0] job_work;
	fan_job_t job;

	fan_queues #(.Queues(Queues)) u_queues (
		.clk_i, .rst_ni, .enable_i(enable_i && !scrub_q && !stop_i), .config_i(queue_config_i),
		.head_o(queue_head_o), .fault_o(queue_fault_o), .live_o(live),
		.free_valid_i, .free_batch_i,
		.read_valid_o(request_valid[0]), .read_ready_i(request_ready[0]), .read_o(queue_read),
		.answer_valid_i(answer_descriptor), .answer_error_i(answer_error), .answer_i(answer),
		.valid_o(descriptor_valid), .dead_o(dead), .error_o(unread), .queue_o(queue_number), .batch_o(batch),
		.head_after_o(head), .descriptor_o(descriptor), .reserved_used_o(reserved_used),
		.begun_i(begun), .pop_i(pop), .drop_i(drop)
	);

	fan_dispatch #(.Lanes(Lanes), .LaneAlgorithm(LaneAlgorithm)) u_dispatch (
		.clk_i, .rst_ni,
		.valid_i(descriptor_valid), .dead_i(dead), .unread_i(unread), .queue_i(queue_number), .batch_i(batch),
		.head_i(head), .descriptor_i(descriptor), .reserved_used_i(reserved_used),
		.begun_o(begun), .pop_o(pop), .drop_o(drop),
		.begin_valid_o, .begin_ready_i, .begin_o,
		.order_o(order), .commit_o(commit), .probe_slot_o(probe_slot), .probe_match_i(match),
		.probe_unused_i(unused_slot), .hit_o(hit), .slot_o(slot), .keep_o(keep),
		.work_i(work), .lane_o(lane), .job_o(job), .job_work_o(job_work)
	);

	fan_message_cache #(.Lanes(Lanes)) u_cache (
		.clk_i, .rst_ni, .scrub_i(scrub_q), .scrub_address_i(scrub_address), .live_i(live),
		.queue_i(queue_number), .order_i(order), .probe_slot_i(probe_slot), .probe_match_o(match),
		.probe_unused_o(unused_slot), .commit_i(commit), .hit_i(hit), .keep_i(keep), .slot_i(slot), .lane_i(lane),
		.read_valid_o(request_valid[1]), .read_ready_i(request_ready[1]), .read_o(message_read),
		.answer_valid_i(answer_message), .answer_read_i(answer_read), .answer_last_i(answer_last),
		.answer_error_i(answer_error), .answer_i(answer),
		.verdict_valid_o(verdict_valid), .verdict_bad_o(verdict_bad), .message_valid_o, .message_ready_i, .message_o
	);

	// ---- Lanes -------------------------------------------------------------------------------------------------------------

	for (genvar l = 0; l < Lanes; l++) begin : g_lane
		fan_read_t items_read, context_read;
		fan_item_t item;
		fan_ticket_t ticket;
		wire here = answer_read.place == 4'(l);

		fan_feed #(.Place(l)) u_feed (
			.clk_i, .rst_ni, .scrub_i(scrub_q), .scrub_address_i(scrub_address[FeedBits-1:0]),
			.push_i(lane[l]), .push_job_i(job), .push_work_i(job_work), .work_o(work[WorkBits*l +: WorkBits]),
			.verdict_valid_i(verdict_valid[l]), .verdict_bad_i(verdict_bad),
			.items_read_valid_o(request_valid[2+2*l]), .items_read_ready_i(request_ready[2+2*l]),
			.items_read_o(items_read),
			.context_read_valid_o(request_valid[3+2*l]), .context_read_ready_i(request_ready[3+2*l]),
			.context_read_o(context_read),
			.items_answer_valid_i(answer_items && here), .context_answer_valid_i(answer_context && here),
			.answer_error_i(answer_error), .answer_i(answer),
			.item_valid_o(item_valid_o[l]), .item_ready_i(item_ready_i[l]), .item_o(item),
			.ticket_valid_o(ticket_valid_o[l]), .ticket_ready_i(ticket_ready_i[l]), .ticket_o(ticket)
		);
		assign request[(2+2*l)*ReadBits +: ReadBits] = items_read;
		assign request[(3+2*l)*ReadBits +: ReadBits] = context_read;
		assign item_o[l*fan_pkg::ITEM_BITS +: fan_pkg::ITEM_BITS] = item;
		assign ticket_o[l*fan_engine_pkg::TICKET_BITS +: fan_engine_pkg::TICKET_BITS] = ticket;
	end

	`FAN_ASSERT(AssertAnswerHasLane, !(answer_items || answer_context) || 32'(answer_read.place) < Lanes)
endmodule

`default_nettype wire
