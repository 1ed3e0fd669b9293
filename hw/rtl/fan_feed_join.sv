// SPDX-License-Identifier: BSD-3-Clause
//
// Puts a UE together: work item, private head and context become the lane's item and the ticket that says where its result goes.
//
// Granules of 32 octets are taken one a clock. What could not be read does not change how many there are, so a bad line spoils only
// the UEs it belongs to: those reach the lane with keys of 0, and their tickets say why.
//
`include "fan_assert.svh"
`default_nettype none

module fan_feed_join (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  scrub_i,

	input  wire  push_i,
	input  wire  fan_job_t push_job_i,
	input  wire  verdict_valid_i,          // of the batches in turn: its message is going into the lane ...
	input  wire  verdict_bad_i,            // ... as zeros, because it could not be read

	input  wire  line_valid_i,
	output wire  line_ready_o,
	input  wire  line_error_i,
	input  wire  fan_beat_t line_i,
	input  wire  context_valid_i,
	output wire  context_ready_o,
	input  wire  context_error_i,
	input  wire  [255:0] context_keys_i,
	input  wire  [5:0] context_bearer_direction_i,

	output wire  item_valid_o,
	input  wire  item_ready_i,
	output fan_item_t item_o,
	output wire  ticket_valid_o,
	input  wire  ticket_ready_i,
	output fan_ticket_t ticket_o,
	output wire  done_o,                   // both have been taken
	output wire  [6:0] done_weight_o
);
	localparam int JobBits = fan_engine_pkg::BATCH_BITS + 7 + 2 + 1 + 5 + 7;

	// ---- Batch -------------------------------------------------------------------------------------------------------------

	wire job_valid, verdict_valid, message_bad, take, takes_last;
	fan_batch_t batch, batch_q;
	wire [6:0] ue_count, weight;
	wire [1:0] granules;
	wire lead;
	wire [4:0] clear_bytes;

	fan_fifo_reserved #(.Width(JobBits), .Depth(fan_engine_pkg::BATCHES)) u_batches (
		.clk_i, .rst_ni,
		.write_i(push_i),
		.data_i({push_job_i.batch, push_job_i.ue_count, push_job_i.granules, push_job_i.lead, push_job_i.clear_bytes,
			push_job_i.weight}),
		.valid_o(job_valid), .ready_i(takes_last), .data_o({batch, ue_count, granules, lead, clear_bytes, weight})
	);
	fan_fifo_reserved #(.Width(1), .Depth(fan_engine_pkg::BATCHES)) u_verdicts (
		.clk_i, .rst_ni,
		.write_i(verdict_valid_i), .data_i(verdict_bad_i),
		.valid_o(verdict_valid), .ready_i(takes_last), .data_o(message_bad)
	);
	wire unused = ^{push_job_i.items, push_job_i.contexts};

	// ---- Granules ----------------------------------------------------------------------------------------------------------

	logic half_q, full_q;
	logic [1:0] granule_q;
	logic [6:0] ue_q;
	wire done;
	wire [255:0] granule = half_q ? line_i[511:256] : line_i[255:0];
	wire ue_last = granule_q + 2'd1 == granules;
	wire batch_last = ue_q + 7'd1 == ue_count;

	assign take = job_valid && verdict_valid && line_valid_i && (!full_q || done);
	assign takes_last = take && ue_last && batch_last;
	assign line_ready_o = take && (half_q || (ue_last && batch_last));

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			half_q <= 1'b0;
			full_q <= 1'b0;
			granule_q <= '0;
			ue_q <= '0;
		end else begin
			if (take) begin
				half_q <= !half_q && !takes_last;
				granule_q <= ue_last ? '0 : granule_q + 2'd1;
				if (ue_last)
					ue_q <= batch_last ? '0 : ue_q + 7'd1;
			end
			full_q <= (take && ue_last) || (full_q && !done);
		end
	end

	// ---- UE ----------------------------------------------------------------------------------------------------------------

	logic [223:0] first_q;                 // pdu, COUNT, clear prefix
	logic [383:0] head_q;
	logic bad_q, unknown_q;                // some granule could not be read; the first could not
	logic message_bad_q, last_q, lead_q;
	logic [4:0] clear_bytes_q;
	logic [6:0] weight_q;
	fan_ue_t place_q;

	always_ff @(posedge clk_i) begin
		if (scrub_i) begin
			first_q <= '0;
			head_q <= '0;
		end else if (take) begin
			if (granule_q == 2'd0)
				first_q <= {granule[255:128], granule[95:0]};
			if (granule_q == 2'd1)
				head_q[255:0] <= granule;
			if (granule_q == 2'd2)
				head_q[383:256] <= granule[127:0];
		end
		if (take) begin
			bad_q <= line_error_i || (granule_q != 2'd0 && bad_q);
			if (granule_q == 2'd0)
				unknown_q <= line_error_i;
			message_bad_q <= message_bad;
			batch_q <= batch;
			place_q <= ue_q[5:0];
			last_q <= batch_last;
			lead_q <= lead;
			clear_bytes_q <= clear_bytes;
			weight_q <= weight;
		end
	end

	wire [7:0] error =
		message_bad_q ? 8'(fan_registers_pkg::CARD_ERROR_READ_MESSAGE) :
		bad_q ? 8'(fan_registers_pkg::CARD_ERROR_READ_ITEM) :
		context_error_i ? 8'(fan_registers_pkg::CARD_ERROR_READ_CONTEXT) : 8'(fan_registers_pkg::CARD_ERROR_NONE);

	// ---- Offered -----------------------------------------------------------------------------------------------------------

	logic item_taken_q, ticket_taken_q;
	wire whole = full_q && (unknown_q || context_valid_i);

	assign item_valid_o = whole && !item_taken_q;
	assign ticket_valid_o = whole && !ticket_taken_q;
	assign done = whole && (item_taken_q || item_ready_i) && (ticket_taken_q || ticket_ready_i);
	assign context_ready_o = done && !unknown_q;
	assign done_o = done;
	assign done_weight_o = weight_q;

	always_ff @(posedge clk_i) begin
		if (!rst_ni || done) begin
			item_taken_q <= 1'b0;
			ticket_taken_q <= 1'b0;
		end else begin
			item_taken_q <= item_taken_q || (item_valid_o && item_ready_i);
			ticket_taken_q <= ticket_taken_q || (ticket_valid_o && ticket_ready_i);
		end
	end

	fan_block_t k_enc, k_int, clear;
	fan_keys_t keys;
	fan_identity_t identity;
	wire [383:0] head;

	fan_reverse #(.Bytes(16)) u_k_enc (.in_i(context_keys_i[127:0]), .out_o(k_enc));
	fan_reverse #(.Bytes(16)) u_k_int (.in_i(context_keys_i[255:128]), .out_o(k_int));
	fan_reverse #(.Bytes(16)) u_clear (.in_i(first_q[223:96]), .out_o(clear));
	fan_reverse #(.Bytes(48)) u_head (.in_i(head_q), .out_o(head));

	wire good = error == '0 && !unknown_q;
	assign keys.k_enc = good ? k_enc : '0;
	assign keys.k_int = good ? k_int : '0;
	assign identity.count = first_q[95:64];
	assign {identity.bearer, identity.direction} = good ? context_bearer_direction_i : '0;

	assign item_o.last = last_q;
	assign item_o.tag = fan_pkg::TAG_BITS'({batch_q, place_q});
	assign item_o.keys = keys;
	assign item_o.identity = identity;
	assign item_o.clear = clear;
	assign item_o.head = head;

	assign ticket_o.batch = batch_q;
	assign ticket_o.ue = place_q;
	assign ticket_o.error = error;
	assign ticket_o.pdu = first_q[63:0];
	assign ticket_o.lead = lead_q;
	assign ticket_o.clear_bytes = clear_bytes_q;
	assign ticket_o.clear = clear;

	fan_stable_check #(.Width(fan_pkg::ITEM_BITS)) u_check_item (
		.clk_i, .rst_ni, .valid_i(item_valid_o), .ready_i(item_ready_i), .data_i(item_o)
	);
	fan_stable_check #(.Width(fan_engine_pkg::TICKET_BITS)) u_check_ticket (
		.clk_i, .rst_ni, .valid_i(ticket_valid_o), .ready_i(ticket_ready_i), .data_i(ticket_o)
	);
	`FAN_ASSERT(AssertVerdictOfJob, !verdict_valid || job_valid)
endmodule

`default_nettype wire
