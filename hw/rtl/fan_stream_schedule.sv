// SPDX-License-Identifier: BSD-3-Clause
//
// The one control of a stream lane: counts the clocks of a group of UEs, which are the same for all of them because nothing in
// them depends on a key.
//
//      launch   0..3  load | 4..35 run in | 36 | k = 0, 1, 2 ...                                      | tail
//                                               clear prefix | text, a word per clock                  |
//                                               key stream of integrity, a word per clock               | MAC ends
//                                                                                                       ^ next launch
//
// The MAC's word k is made in clock k. A clear prefix that is not whole words is turned so that it ends with one, which puts its
// first word in clock -1 and keeps text in step: with prefixes of up to 3 octets text begins in clock 0. The tail of the MAC runs
// while the next group is loaded.
//
// A group is loaded whether its results will have room or not, and waits for it at the end of running in.
//
// R is the clock of the counters, in which the message RAM is addressed; S to W follow it, see fan_stream_cell.sv.
//
`include "fan_assert.svh"
`default_nettype none

module fan_stream_schedule #(
	parameter bit Zuc = 1'b0
) (
	input  wire  clk_i,
	input  wire  rst_ni,

	input  wire  launch_valid_i,
	output wire  launch_o,                       // taken
	input  wire  room_i,                         // for the results of one more group
	output wire  begin_o,                        // ... which is used up
	input  wire  fan_stream_group_t group_i,

	output fan_message_t message_o,
	input  wire  fan_shape_t shape_i,            // of that message
	output wire  [6:0] read_block_o,             // R
	input  wire  fan_block_t read_data_i,        // S
	output wire  retire_o,                       // a UE has read the last of its message
	output fan_message_t retired_o,

	output fan_stream_step_t step_o,             // S
	output fan_stream_text_t text_o,             // T
	output wire  write_o,                        // U
	output wire  [7:0] write_row_o,
	output wire  [1:0] write_place_o,
	output wire  [1:0] turn_o,
	output fan_word_t extra_o,
	output fan_stream_mac_t mac_o,               // V
	output wire  finish_o,                       // W: results and MACs are there
	output fan_stream_finish_t finish_data_o,
	output wire  [1:0] busy_o                    // S: generators, MAC; see fan_stream_lane.sv
);
	localparam int BeginLast = fan_stream_pkg::BEGIN_CLOCKS - 1;
	localparam int Hold = BeginLast - 1;

	// ---- Group that is loaded --------------------------------------------------------------------------------------------------

	fan_stream_group_t group_q;
	logic loading_q, running_q;
	logic [5:0] load_q;
	fan_word_index_t clock_q;
	fan_word_index_t generators_end_q, run_end_q;

	wire fan_word_index_t clock_next = clock_q + 9'd1;
	wire loaded = loading_q && load_q == 6'(BeginLast);
	wire at_hold = loading_q && load_q == 6'(Hold);
	wire hold = at_hold && !room_i;
	wire run_last = running_q && clock_next == run_end_q;

	assign launch_o = launch_valid_i && !loading_q && (!running_q || clock_next >= generators_end_q);
	assign begin_o = at_hold && room_i;
	assign message_o = group_q.message;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			loading_q <= 1'b0;
			running_q <= 1'b0;
			load_q <= '0;
			clock_q <= '0;
			group_q <= '0;
		end else begin
			if (launch_o) begin
				loading_q <= 1'b1;
				load_q <= '0;
				group_q <= group_i;
			end else if (loading_q) begin
				loading_q <= !loaded;
				load_q <= hold ? load_q : load_q + 6'd1;
			end
			if (loaded) begin
				running_q <= 1'b1;
				clock_q <= '0;
			end else if (running_q) begin
				running_q <= !run_last;
				clock_q <= clock_next;
			end
		end
	end

	// ---- Plan: made while the generators run in, when the group before has ended -----------------------------------------------

	fan_stream_group_t plan_group_q;
	fan_shape_t shape_q;
	logic [10:0] covered_q;                       // octets of clear prefix and text
	fan_word_index_t out_words_q, text_end_q, stream_words_q, mac_steps_q;
	logic [2:0] begin_q;                          // clock of the first word of text
	logic [1:0] turn_q;
	fan_word_t extra_q;
	logic alone_q;

	wire [10:0] out_bytes = shape_q.text_bytes + (shape_q.order.mac_behind ? 11'(fan_pkg::MAC_BYTES) : 11'd0);
	wire [10:0] out_rounded = out_bytes + 11'd3;
	wire [10:0] covered_rounded = covered_q + 11'd3;
	wire [8:0] covered_words = covered_rounded[10:2];
	wire unused_rounded = ^{out_rounded[1:0], covered_rounded[1:0]};

	wire plan_shape = loading_q && load_q == 6'd16;
	wire plan_words = loading_q && load_q == 6'd17;
	wire plan_steps = loading_q && load_q == 6'd18;
	wire plan_generators = loading_q && load_q == 6'd19;
	wire plan_run = loading_q && load_q == 6'd20;

	always_ff @(posedge clk_i) begin
		if (plan_shape) begin
			plan_group_q <= group_q;
			shape_q <= shape_i;
		end
		if (plan_words) begin
			covered_q <= shape_q.text_bytes + {6'd0, shape_q.clear_bytes};
			out_words_q <= out_rounded[10:2];
			begin_q <= shape_q.order.mac ? shape_q.clear_bytes[4:2] : '0;
			turn_q <= shape_q.clear_bytes[1:0];
		end
		if (plan_steps) begin
			text_end_q <= out_words_q + {6'd0, begin_q};
			if (Zuc) begin
				// The bit behind the message is a bit of the MAC's last word, and two words of key stream follow.
				stream_words_q <= covered_words + 9'd2;
				mac_steps_q <= covered_q[10:2] + 9'd1;
				alone_q <= covered_q[1:0] == 2'd0;
				extra_q <= 32'h80000000 >> {covered_q[1:0], 3'd0};
			end else begin
				// Whole blocks of two words, and one of the length in bits.
				stream_words_q <= 9'd5;
				mac_steps_q <= {covered_words[8:1] + {7'd0, covered_words[0]}, 1'b0} + 9'd2;
				alone_q <= 1'b0;
				extra_q <= {18'd0, covered_q, 3'd0};
			end
			if (!shape_q.order.mac) begin
				stream_words_q <= '0;
				mac_steps_q <= '0;
			end
		end
		if (plan_generators)
			generators_end_q <= text_end_q > stream_words_q ? text_end_q : stream_words_q;
		if (plan_run)
			run_end_q <= generators_end_q > mac_steps_q ? generators_end_q : mac_steps_q;
	end

	// ---- R ---------------------------------------------------------------------------------------------------------------------

	fan_word_index_t text_word;
	fan_stream_step_t step_r, step_s;
	fan_stream_mac_t mac_r, mac_s, mac_t, mac_u, mac_v;

	assign text_word = clock_q - {6'd0, begin_q};

	wire text_here = running_q && clock_q >= {6'd0, begin_q} && clock_q < text_end_q;
	// A clear prefix turned by 1 to 3 octets begins a clock early, in the last one of running in.
	wire early = loaded && shape_q.order.mac && turn_q != '0;
	wire clear_here = early || (running_q && clock_q < {6'd0, begin_q});
	wire [1:0] clear_word = early ? 2'd0 : clock_q[1:0] + {1'b0, turn_q != '0};
	wire head_here = text_here && text_word[8:2] < {5'd0, shape_q.head_blocks};
	wire whole = text_here && text_word < shape_q.text_bytes[10:2];
	wire part = text_here && text_word == shape_q.text_bytes[10:2];
	// Bit 3 - i for octet i.
	wire [3:0] keep_r = {4{whole || clear_here}} | (~(4'hf >> shape_q.text_bytes[1:0]) & {4{part}});
	wire load_here = loading_q && load_q < 6'(fan_stream_pkg::LOAD_CLOCKS);
	wire mac_here = running_q && clock_q < mac_steps_q;
	wire mac_first = mac_here && clock_q == '0;
	wire mac_last = mac_here && clock_next == mac_steps_q;

	assign read_block_o = text_word[8:2];

	// Waiting for room is no work, and neither are the words of key stream that the tail of the MAC outlasts.
	logic [1:0] busy_q;

	always_ff @(posedge clk_i)
		busy_q <= {mac_here, (loading_q && !hold) || (running_q && clock_q < generators_end_q)};
	assign busy_o = busy_q;

	assign step_r.bank = group_q.bank;
	assign step_r.load = load_here;
	assign step_r.entry = load_here ? load_q[1:0] : clear_here ? 2'd0 : text_word[3:2] + 2'd1;
	assign step_r.word = clear_here ? clear_word : text_word[1:0];
	assign step_r.feed_back = loading_q && !loaded;
	assign step_r.step_cipher = (loading_q && !load_here && !hold) || text_here;
	assign step_r.step_mac = (loading_q && !load_here && !hold) || (running_q && clock_q < stream_words_q);

	assign mac_r.step = mac_here;
	assign mac_r.first = mac_first;
	assign mac_r.second = clock_q[0];
	assign mac_r.closing = mac_last || clock_q + 9'd2 == mac_steps_q;
	assign mac_r.last = mac_last;
	assign mac_r.alone = alone_q;

	// ---- S: the message's word -------------------------------------------------------------------------------------------------

	logic text_s, own_s, clear_s, first_s;
	logic [3:0] keep_s;
	logic [6:0] row_s, row_t;
	fan_word_t shared_s;
	fan_stream_text_t text_s_d, text_t;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			step_s <= '0;
			text_s <= 1'b0;
			own_s <= 1'b0;
			clear_s <= 1'b0;
			first_s <= 1'b0;
			keep_s <= '0;
		end else begin
			step_s <= step_r;
			text_s <= text_here;
			own_s <= clear_here || head_here;
			clear_s <= clear_here;
			first_s <= mac_first;
			keep_s <= keep_r;
		end
		row_s <= text_word[8:2];
	end
	assign step_o = step_s;

	wire [1:0] word_s = step_s.word;
	fan_word_t message_s;

	assign message_s = read_data_i[{~word_s, 5'd0} +: 32];
	for (genvar i = 0; i < 4; i++) begin : g_octet
		assign shared_s[8*i +: 8] = message_s[8*i +: 8] & {8{keep_s[i] && !own_s}};
	end
	assign text_s_d.cipher = shape_q.order.cipher && text_s;
	assign text_s_d.shared = shared_s;
	assign text_s_d.own = keep_s & {4{own_s}};
	assign text_s_d.mac_cipher = keep_s & {4{shape_q.order.cipher && !shape_q.order.mac_behind && !clear_s}};
	assign text_s_d.write = text_s;
	assign text_s_d.mac_first = first_s;
	assign text_s_d.place = step_s.word;

	// ---- T to W ----------------------------------------------------------------------------------------------------------------

	logic write_u;
	logic [6:0] row_u;
	logic [1:0] place_u;
	fan_word_t extra_u;
	logic [4:0] finish_q;                          // R's last clock, in S to W

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			text_t <= '0;
			write_u <= 1'b0;
			extra_u <= '0;
			mac_s <= '0;
			mac_t <= '0;
			mac_u <= '0;
			mac_v <= '0;
			finish_q <= '0;
		end else begin
			text_t <= text_s_d;
			write_u <= text_t.write;
			extra_u <= extra_q & {32{mac_t.last}};
			mac_s <= mac_r;
			mac_t <= mac_s;
			mac_u <= mac_t;
			mac_v <= mac_u;
			finish_q <= {finish_q[3:0], run_last};
		end
		row_t <= row_s;
		row_u <= row_t;
		place_u <= text_t.place;
	end
	assign text_o = text_t;
	assign write_o = write_u;
	assign write_row_o = {plan_group_q.bank, row_u};
	assign write_place_o = place_u;
	assign turn_o = turn_q;
	assign extra_o = extra_u;
	assign mac_o = mac_v;
	assign finish_o = finish_q[4];
	assign finish_data_o.bank = plan_group_q.bank;
	assign finish_data_o.ues = plan_group_q.ues;
	assign finish_data_o.mac = shape_q.order.mac;
	assign finish_data_o.mac_behind = shape_q.order.mac_behind;
	assign finish_data_o.text_bytes = shape_q.text_bytes;

	// ---- The message's users go one by one -------------------------------------------------------------------------------------

	logic [3:0] retire_q;

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			retire_q <= '0;
		else if (running_q && clock_next == text_end_q)
			retire_q <= plan_group_q.ues;
		else if (retire_q != '0)
			retire_q <= retire_q - 4'd1;
	end
	assign retire_o = retire_q != '0;
	assign retired_o = plan_group_q.message;

	`FAN_ASSERT(AssertPlanFree, !(plan_shape && (running_q || finish_q != '0 || retire_q != '0)))
	`FAN_ASSERT(AssertRunFree, !(loaded && running_q))
	`FAN_ASSERT(AssertEnds, !(running_q && clock_q >= run_end_q))
	`FAN_ASSERT(AssertRetireOnce, !(running_q && clock_next == text_end_q && retire_q != '0))
endmodule

`default_nettype wire
