// SPDX-License-Identifier: BSD-3-Clause
//
// The host's rings of descriptors: whose turn it is, and which descriptors are on their way.
//
//                  tail (host)                              begun_i
//      ring  ... | 7 | 6 | 5 | 4 | 3 | 2 | 1 | 0           head moves on
//                          next: read asked for
//
// Some descriptors are asked for ahead, of all queues in turn, so that their way through the bus is not felt between batches. They
// are handed on in the order in which they were asked for. One whose queue has been disabled or has stopped since is `dead`: it
// must be dropped, and never begins.
//
// One queue is looked at in a clock; a fault is therefore seen some clocks after its cause, as many as there are queues.
//
`include "fan_assert.svh"
`default_nettype none

module fan_queues #(
	parameter int Queues = 4,
	parameter int Ahead = 8                // descriptors asked for and not begun, a power of two
) (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  enable_i,                 // 0: nothing new is asked for
	input  wire  [Queues*fan_engine_pkg::QUEUE_CONFIG_BITS-1:0] config_i,
	output wire  [16*Queues-1:0] head_o,
	output wire  [3*Queues-1:0] fault_o,
	output wire  [fan_engine_pkg::QUEUES_MAX-1:0] live_o,   // enabled, and in this clock not just being so

	input  wire  free_valid_i,
	input  wire  fan_batch_t free_batch_i,

	output wire  read_valid_o,
	input  wire  read_ready_i,
	output fan_read_t read_o,
	input  wire  answer_valid_i,
	input  wire  answer_error_i,
	input  wire  fan_beat_t answer_i,

	output wire  valid_o,
	output wire  dead_o,                   // may rise at any time
	output wire  error_o,                  // it could not be read
	output wire  fan_queue_t queue_o,
	output wire  fan_batch_t batch_o,
	output wire  [15:0] head_after_o,      // of the queue, once this one has begun
	output wire  [319:0] descriptor_o,
	output wire  reserved_used_o,          // some octet behind it is not 0
	input  wire  begun_i,                  // head may move on
	input  wire  pop_i,                    // taken, begun or not
	input  wire  drop_i                    // with pop_i: not begun, its batch number is free
);
	localparam int ConfigBits = fan_engine_pkg::QUEUE_CONFIG_BITS;
	localparam int Max = fan_engine_pkg::QUEUES_MAX;
	localparam int Batches = fan_engine_pkg::BATCHES;
	localparam int AheadBits = $clog2(Ahead);

	// ---- Whose turn --------------------------------------------------------------------------------------------------------

	fan_queue_t turn_q;
	wire [ConfigBits-1:0] turn_bits;
	wire [Max-1:0] enabled, faulty;
	logic [Max-1:0] enabled_q;
	wire [Max-1:0] live = enabled & enabled_q;
	wire [Queues-1:0] rises = enabled[Queues-1:0] & ~enabled_q[Queues-1:0];
	fan_queue_config_t turn;
	assign turn = turn_bits;

	wire [Queues-1:0] turn_here;
	fan_select #(.Width(ConfigBits), .Words(Queues)) u_turn (
		.select_i(turn_here), .words_i(config_i), .word_o(turn_bits)
	);
	for (genvar q = 0; q < Queues; q++) begin : g_config
		assign turn_here[q] = turn_q == 4'(q);
		assign enabled[q] = config_i[(q+1)*ConfigBits-1];
	end
	if (Queues < Max) begin : g_absent
		assign enabled[Max-1:Queues] = '0;
		assign faulty[Max-1:Queues] = '0;
	end
	assign live_o = live;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			turn_q <= '0;
			enabled_q <= '0;
		end else begin
			turn_q <= turn_q == 4'(Queues - 1) ? '0 : turn_q + 4'd1;
			enabled_q <= enabled;
		end
	end

	// ---- What it wants -----------------------------------------------------------------------------------------------------

	logic [16*Queues-1:0] head_q, next_q;     // begun; asked for
	logic [3*Queues-1:0] fault_q;
	wire [15:0] turn_next = next_q[16*turn_q +: 16];
	wire [15:0] waiting = turn.tail - turn_next;
	wire [15:0] entries = 16'd1 << turn.entries_log2;
	wire size_wrong = turn.entries_log2 == '0 || turn.entries_log2 > 4'd8 || turn.descriptors[5:0] != '0 ||
		turn.completions[5:0] != '0;
	wire tail_wrong = waiting > entries;
	wire serves = live[turn_q] && !faulty[turn_q];
	wire [15:0] place = turn_next & (entries - 16'd1);
	wire unused = ^{turn.enable, turn.completions[63:6]};

	// ---- Batch numbers -----------------------------------------------------------------------------------------------------

	logic [Batches-1:0] busy_q;
	fan_queue_t owner_q [0:Batches-1];
	wire [Batches-1:0] free_one = ~busy_q & (busy_q + 1'b1);
	wire [Batches-1:0] held;               // by the queue whose turn it is
	logic [4:0] held_count;
	fan_batch_t number;
	// Queues that have more to do, each as it was at its last turn, share the numbers out evenly: one that waits for a slow lane
	// must not hold them all while others have work for other lanes.
	logic [Queues-1:0] wants_q;
	logic [4:0] wants_count, share;
	wire number_left = busy_q != '1 && held_count < share;

	for (genvar b = 0; b < Batches; b++) begin : g_batch
		assign held[b] = busy_q[b] && owner_q[b] == turn_q;
	end
	always_comb begin
		held_count = '0;
		number = '0;
		wants_count = '0;
		for (int q = 0; q < Queues; q++)
			wants_count = wants_count + {4'd0, wants_q[q]};
		case (wants_count)
		5'd0, 5'd1:       share = 5'd16;
		5'd2:             share = 5'd8;
		5'd3:             share = 5'd5;
		5'd4:             share = 5'd4;
		5'd5:             share = 5'd3;
		5'd6, 5'd7, 5'd8: share = 5'd2;
		default:          share = 5'd1;
		endcase
		for (int b = 0; b < Batches; b++) begin
			held_count = held_count + {4'd0, held[b]};
			number = number | (free_one[b] ? 4'(b) : 4'd0);
		end
	end

	// ---- Asking ------------------------------------------------------------------------------------------------------------

	logic read_valid_q;
	fan_line_t read_line_q;
	logic [AheadBits:0] ask_q, take_q;
	wire [AheadBits:0] ahead = ask_q - take_q;
	wire ask = enable_i && serves && !size_wrong && !tail_wrong && waiting != '0 && number_left && !ahead[AheadBits] &&
		(!read_valid_q || read_ready_i);

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			read_valid_q <= 1'b0;
		else if (!read_valid_q || read_ready_i)
			read_valid_q <= ask;
		if (!read_valid_q || read_ready_i)
			read_line_q <= turn.descriptors[63:6] + fan_fetch_pkg::LINE_BITS'(place);
	end
	assign read_valid_o = read_valid_q;
	assign read_o.line = read_line_q;
	assign read_o.more = '0;
	assign read_o.kind = fan_fetch_pkg::READ_DESCRIPTOR;
	assign read_o.place = '0;
	assign read_o.ends = 1'b1;

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			wants_q <= '0;
		else
			wants_q <= (wants_q & ~turn_here) | (turn_here & {Queues{serves && !size_wrong && !tail_wrong && waiting != '0}});
		if (!rst_ni)
			busy_q <= '0;
		else
			busy_q <= (busy_q | (ask ? free_one : '0)) & ~(free_valid_i ? Batches'(1) << free_batch_i : '0) &
				~(pop_i && drop_i ? Batches'(1) << batch_o : '0);
		if (ask)
			owner_q[number] <= turn_q;
	end

	// ---- On their way ------------------------------------------------------------------------------------------------------

	fan_queue_t queue_q [0:Ahead-1];
	fan_batch_t batch_q [0:Ahead-1];
	logic [Ahead-1:0] dead_q;
	wire [AheadBits-1:0] front = take_q[AheadBits-1:0];
	wire stored;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			ask_q <= '0;
			take_q <= '0;
		end else begin
			ask_q <= ask_q + (AheadBits+1)'(ask);
			take_q <= take_q + (AheadBits+1)'(pop_i);
		end
		if (ask) begin
			queue_q[ask_q[AheadBits-1:0]] <= turn_q;
			batch_q[ask_q[AheadBits-1:0]] <= number;
		end
	end
	for (genvar i = 0; i < Ahead; i++) begin : g_ahead
		wire fan_queue_t owner = queue_q[i];

		always_ff @(posedge clk_i) begin
			if (ask && ask_q[AheadBits-1:0] == AheadBits'(i))
				dead_q[i] <= 1'b0;
			else if (!live[owner] || faulty[owner])
				dead_q[i] <= 1'b1;
		end
	end

	fan_fifo_reserved #(.Width(322), .Depth(Ahead)) u_descriptors (
		.clk_i, .rst_ni,
		.write_i(answer_valid_i), .data_i({answer_error_i, answer_i[511:320] != '0, answer_i[319:0]}),
		.valid_o(stored), .ready_i(pop_i), .data_o({error_o, reserved_used_o, descriptor_o})
	);
	assign valid_o = stored;
	assign dead_o = dead_q[front] || !live[queue_o] || faulty[queue_o];
	assign queue_o = queue_q[front];
	assign batch_o = batch_q[front];
	assign head_after_o = head_q[16*queue_o +: 16] + 16'd1;

	// ---- Heads and faults --------------------------------------------------------------------------------------------------

	wire refused = pop_i && drop_i && error_o && !dead_o;

	for (genvar q = 0; q < Queues; q++) begin : g_queue
		wire front_here = queue_o == 4'(q);

		always_ff @(posedge clk_i) begin
			if (!rst_ni || rises[q]) begin
				next_q[16*q +: 16] <= '0;
				head_q[16*q +: 16] <= '0;
				fault_q[3*q +: 3] <= '0;
			end else begin
				if (ask && turn_here[q])
					next_q[16*q +: 16] <= next_q[16*q +: 16] + 16'd1;
				if (begun_i && front_here && !dead_o)
					head_q[16*q +: 16] <= head_q[16*q +: 16] + 16'd1;
				if (!faulty[q] && refused && front_here)
					fault_q[3*q +: 3] <= 3'(fan_registers_pkg::CARD_QUEUE_FAULT_READ_DESCRIPTOR);
				else if (serves && turn_here[q] && size_wrong)
					fault_q[3*q +: 3] <= 3'(fan_registers_pkg::CARD_QUEUE_FAULT_SIZE);
				else if (serves && turn_here[q] && tail_wrong)
					fault_q[3*q +: 3] <= 3'(fan_registers_pkg::CARD_QUEUE_FAULT_TAIL);
			end
		end
		assign faulty[q] = fault_q[3*q +: 3] != '0;
	end
	assign head_o = head_q;
	assign fault_o = fault_q;

	// ---- Promises ----------------------------------------------------------------------------------------------------------

	`FAN_ASSERT(AssertAheadInRing, ahead <= (AheadBits+1)'(Ahead))
	`FAN_ASSERT(AssertPopOfValid, !pop_i || valid_o)
	`FAN_ASSERT(AssertFreeOfBusy, !free_valid_i || busy_q[free_batch_i])
	`FAN_ASSERT(AssertNumberUnused, !ask || !busy_q[number])
	`FAN_ASSERT(AssertAnswerAsked, !answer_valid_i || ahead != '0)
endmodule

`default_nettype wire
