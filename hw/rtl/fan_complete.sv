// SPDX-License-Identifier: BSD-3-Clause
//
// Batches under way, from their descriptors to their completions.
//
//      begin ----> table: queue, cookie, UEs, when <---- done, one per UE, when the bus has answered all its writes
//                                |
//                         all of them done
//                                v
//                  completion: 16 octets for the queue's ring ----> fan_write ----> done ----> interrupt, free
//
// The batch's number is free again when the bus has answered its completion too. A queue whose completion was refused, or that has
// been disabled meanwhile, gets no more: its host could not tell which is missing. Its batches end unsaid.
//
`include "fan_assert.svh"
`default_nettype none

module fan_complete #(
	parameter int Queues = 4
) (
	input  wire  clk_i,
	input  wire  rst_ni,                 // synchronous

	input  wire  begin_valid_i,
	output wire  begin_ready_o,
	input  wire  fan_begin_t begin_i,
	input  wire  done_valid_i,
	output wire  done_ready_o,
	input  wire  fan_done_t done_i,
	output wire  free_valid_o,           // the batch's number may be used again
	output wire  fan_batch_t free_batch_o,

	input  wire  [Queues*fan_engine_pkg::QUEUE_CONFIG_BITS-1:0] queue_config_i,
	input  wire  [16*Queues-1:0] queue_head_i,
	output wire  [Queues-1:0] queue_active_o,
	output wire  [Queues-1:0] queue_fault_o,      // a completion was refused, since the queue was enabled
	output wire  [16*Queues-1:0] queue_completed_o,

	output wire  write_valid_o,          // of a completion
	input  wire  write_ready_i,
	output fan_write_t write_o,
	output wire  fan_beat_t line_o,
	input  wire  line_take_i,

	output wire  [Queues-1:0] completion_o,       // for one clock: it has been written
	output wire  error_batch_o,          // for one clock: a batch ended with an error
	output wire  busy_o                  // batches are under way
);
	localparam int QueueConfigBits = fan_engine_pkg::QUEUE_CONFIG_BITS;

	logic [31:0] clock_q;
	always_ff @(posedge clk_i)
		clock_q <= rst_ni ? clock_q + 32'd1 : '0;

	// ---- Table: one batch changes a clock ----------------------------------------------------------------------------------

	typedef struct packed {
		logic [6:0]  done;          // UEs
		logic [7:0]  error;         // the first
		logic [7:0]  bad;
		fan_ue_t     first_bad;
	} progress_t;

	typedef struct packed {
		fan_queue_t  queue_number;
		logic [15:0] cookie;
		logic [31:0] since;
	} batch_t;

	typedef struct packed {
		fan_batch_t  batch;
		logic [7:0]  error;
		logic [7:0]  bad;
		fan_ue_t     first_bad;
	} ended_t;

	localparam int ProgressBits = 7 + 8 + 8 + fan_engine_pkg::UE_BITS;
	localparam int BatchBits = 4 + 16 + 32;
	localparam int EndedBits = fan_engine_pkg::BATCH_BITS + 8 + 8 + fan_engine_pkg::UE_BITS;

	progress_t progress, progress_new, progress_begun, progress_done;
	wire [ProgressBits-1:0] progress_bits;
	wire [6:0] ue_count;
	batch_t batch_new, batch;
	wire [BatchBits-1:0] batch_bits;
	ended_t ended_new, ended;
	wire [EndedBits-1:0] ended_bits;
	wire ended_here, ended_take, unused_ended_room;
	wire starts = begin_valid_i && begin_ready_o;
	wire pdu_done = done_valid_i && !done_i.completion;
	wire bad = done_i.error != '0;
	wire ends = starts ? begin_i.error != '0 : pdu_done && progress_done.done == ue_count;

	assign done_ready_o = 1'b1;
	assign begin_ready_o = !done_valid_i;

	assign progress = progress_bits;
	assign progress_begun.done = '0;
	assign progress_begun.error = begin_i.error;
	assign progress_begun.bad = begin_i.error == '0 ? '0 : {1'b0, begin_i.ue_count};
	assign progress_begun.first_bad = '0;
	assign progress_done.done = progress.done + 7'd1;
	assign progress_done.error = progress.error == '0 ? done_i.error : progress.error;
	assign progress_done.bad = progress.bad + {7'd0, bad};
	// A batch has one lane, and all behind it keeps the order: the first to come is the lowest.
	assign progress_done.first_bad = progress.bad == '0 ? done_i.ue : progress.first_bad;
	assign progress_new = starts ? progress_begun : progress_done;

	fan_ram_async #(.Width(ProgressBits), .Depth(fan_engine_pkg::BATCHES)) u_progress (
		.clk_i,
		.write_i(starts || pdu_done), .write_address_i(starts ? begin_i.batch : done_i.batch), .write_data_i(progress_new),
		.read_address_i(done_i.batch), .read_data_o(progress_bits)
	);
	fan_ram_async #(.Width(7), .Depth(fan_engine_pkg::BATCHES)) u_ue_counts (
		.clk_i,
		.write_i(starts), .write_address_i(begin_i.batch), .write_data_i(begin_i.ue_count),
		.read_address_i(done_i.batch), .read_data_o(ue_count)
	);

	assign batch_new.queue_number = begin_i.queue_number;
	assign batch_new.cookie = begin_i.cookie;
	assign batch_new.since = clock_q;
	wire unused_head = ^begin_i.head;       // the completion tells the head of its own time

	fan_ram_async #(.Width(BatchBits), .Depth(fan_engine_pkg::BATCHES)) u_batches (
		.clk_i,
		.write_i(starts), .write_address_i(begin_i.batch), .write_data_i(batch_new),
		.read_address_i(ended.batch), .read_data_o(batch_bits)
	);
	assign batch = batch_bits;

	// As many places as batches: there always is one.
	assign ended_new.batch = starts ? begin_i.batch : done_i.batch;
	assign ended_new.error = progress_new.error;
	assign ended_new.bad = progress_new.bad;
	assign ended_new.first_bad = progress_new.first_bad;
	fan_fifo #(.Width(EndedBits), .Depth(fan_engine_pkg::BATCHES)) u_ended (
		.clk_i, .rst_ni,
		.valid_i(ends), .ready_o(unused_ended_room), .data_i(ended_new),
		.valid_o(ended_here), .ready_i(ended_take), .data_o(ended_bits)
	);
	assign ended = ended_bits;

	// ---- The completion of a batch that has ended --------------------------------------------------------------------------

	logic make_q;
	ended_t make_ended_q;
	batch_t make_batch_q;
	fan_write_t make_write;
	wire [Queues-1:0] make_here;            // it is this queue's
	wire [Queues-1:0] wanted;
	wire [64*Queues-1:0] addresses;         // of the queue's next completion, ...
	wire [32*Queues-1:0] serials;
	logic [15:0] head;                      // ... of the one whose completion is made
	fan_address_t address;
	logic [31:0] serial;
	wire write_wanted = (make_here & wanted) != '0;
	wire make_end, drop;
	wire [127:0] octets, octets_out;
	wire line_room, write_room, unused_line_here;
	wire [fan_engine_pkg::WRITE_BITS-1:0] write_bits;
	wire completion_done = done_valid_i && done_i.completion;
	wire make_put = make_q && write_wanted;

	assign ended_take = !make_q || make_end;
	// Freeing waits for the other one's turn.
	assign drop = make_q && !write_wanted && !completion_done;
	assign make_end = drop || (make_put && line_room && write_room);

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			make_q <= 1'b0;
		else if (ended_take)
			make_q <= ended_here;
		if (ended_take) begin
			make_ended_q <= ended;
			make_batch_q <= batch;
		end
	end

	always_comb begin
		head = '0;
		address = '0;
		serial = '0;
		for (int q = 0; q < Queues; q++) begin
			head = head | (queue_head_i[16*q +: 16] & {16{make_here[q]}});
			address = address | (addresses[64*q +: 64] & {64{make_here[q]}});
			serial = serial | (serials[32*q +: 32] & {32{make_here[q]}});
		end
	end

	assign octets = {serial, clock_q - make_batch_q.since, head, 8'd0, 2'd0, make_ended_q.first_bad,
		make_ended_q.bad, make_ended_q.error, make_batch_q.cookie};
	assign make_write.completion = 1'b1;
	assign make_write.batch = make_ended_q.batch;
	assign make_write.ue = {make_ended_q.error != '0, 1'b0, make_batch_q.queue_number};
	assign make_write.error = '0;
	assign make_write.address = address;
	assign make_write.bytes = 11'(fan_registers_pkg::COMPLETION_BYTES);

	fan_fifo #(.Width(128), .Depth(fan_engine_pkg::BATCHES)) u_octets (
		.clk_i, .rst_ni,
		.valid_i(make_put && write_room), .ready_o(line_room), .data_i(octets),
		.valid_o(unused_line_here), .ready_i(line_take_i), .data_o(octets_out)
	);
	fan_fifo #(.Width(fan_engine_pkg::WRITE_BITS), .Depth(fan_engine_pkg::BATCHES)) u_writes (
		.clk_i, .rst_ni,
		.valid_i(make_put && line_room), .ready_o(write_room), .data_i(make_write),
		.valid_o(write_valid_o), .ready_i(write_ready_i), .data_o(write_bits)
	);
	assign write_o = write_bits;
	// Strobes choose the quarter.
	assign line_o = {4{octets_out}};

	assign free_valid_o = completion_done || drop;
	assign free_batch_o = completion_done ? done_i.batch : make_ended_q.batch;
	assign error_batch_o = completion_done ? done_i.ue[5] : drop && make_ended_q.error != '0;

	// ---- Queues ------------------------------------------------------------------------------------------------------------

	for (genvar q = 0; q < Queues; q++) begin : g_queue
		wire [QueueConfigBits-1:0] config_bits = queue_config_i[q*QueueConfigBits +: QueueConfigBits];

		fan_complete_queue u_queue (
			.clk_i, .rst_ni, .config_i(config_bits),
			.begins_i(starts && begin_i.queue_number == 4'(q)),
			.make_i(make_put && make_end && make_here[q]),
			.drop_i(drop && make_here[q]),
			.written_i(completion_done && done_i.ue[3:0] == 4'(q)), .refused_i(done_i.error != '0),
			.wanted_o(wanted[q]), .address_o(addresses[64*q +: 64]), .serial_o(serials[32*q +: 32]),
			.active_o(queue_active_o[q]), .fault_o(queue_fault_o[q]), .completed_o(queue_completed_o[16*q +: 16]),
			.completion_o(completion_o[q])
		);
		assign make_here[q] = make_batch_q.queue_number == 4'(q);
	end
	assign busy_o = queue_active_o != '0;

	// ---- Promises ----------------------------------------------------------------------------------------------------------

	fan_stable_check #(.Width(fan_engine_pkg::BEGIN_BITS)) u_check_begin (
		.clk_i, .rst_ni, .valid_i(begin_valid_i), .ready_i(begin_ready_o), .data_i(begin_i)
	);
	// There is one free_batch_o: a second number would be lost.
	`FAN_ASSERT(AssertOneFreed, !(completion_done && drop))
	`FAN_ASSERT(AssertUeOfBatch, !pdu_done || {1'b0, done_i.ue} < ue_count)
	`FAN_ASSERT(AssertUesInOrder, !pdu_done || {1'b0, done_i.ue} == progress.done)
	`FAN_ASSERT(AssertQueueExists, !starts || 32'(begin_i.queue_number) < Queues)
endmodule

`default_nettype wire
