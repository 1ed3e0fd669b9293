// SPDX-License-Identifier: BSD-3-Clause
//
// Writes to host memory: the lanes' PDUs and the completions, in turn, as bursts of lines of 64 octets.
//
//      sources --(one at a time)--> bursts --+--> addresses --> AW
//        |                                   +--> what to send --> W <-- lines of the sources
//        |                                   +--> what is owed --> B, then fan_complete is told
//        +-- UEs without a PDU: only told, in the same order
//
// A burst is begun only when its source has all its lines, so that nothing but the bus can hold up what has begun; after stop_i
// no burst begins, and idle_o says when the bus has had and given all. A PDU that crosses 4 KiB is two bursts; it crosses at most
// once, because no PDU has that many octets. Strobes keep the octets before and behind a PDU as they are.
//
// All bursts have the same ID: the bus answers them in order. W may run ahead of AW and behind it, as the bus likes.
//
`include "fan_assert.svh"
`default_nettype none

module fan_write #(
	parameter int Sources = 2,
	parameter int WritesMax = 128,       // bursts owed an answer, a power of two
	localparam int SourceBits = Sources > 1 ? $clog2(Sources) : 1
) (
	input  wire  clk_i,
	input  wire  rst_ni,                 // synchronous

	input  wire  stop_i,
	output wire  idle_o,                 // nothing is under way on the bus

	input  wire  [Sources-1:0] write_valid_i,
	output wire  [Sources-1:0] write_ready_o,
	input  wire  [Sources*fan_engine_pkg::WRITE_BITS-1:0] write_i,
	input  wire  [Sources*fan_engine_pkg::BEAT_BITS-1:0] line_i,
	output wire  [Sources-1:0] line_take_o,

	output wire  done_valid_o,
	input  wire  done_ready_i,
	output fan_done_t done_o,

	output wire  [6:0] bytes_o,          // octets that went out in this clock
	output wire  error_o,                // for one clock: a burst was refused ...
	output fan_address_t error_address_o, // ... and this was its address

	output wire  [63:0] awaddr_o,
	output wire  [7:0] awlen_o,
	output wire  awvalid_o,
	input  wire  awready_i,
	output wire  [511:0] wdata_o,
	output wire  [63:0] wstrb_o,
	output wire  wlast_o,
	output wire  wvalid_o,
	input  wire  wready_i,
	input  wire  [1:0] bresp_i,
	input  wire  bvalid_i,
	output wire  bready_o
);
	localparam int PageLines = 4096 / fan_engine_pkg::BEAT_BYTES;
	localparam int WriteBits = fan_engine_pkg::WRITE_BITS;
	localparam int BeatBits = fan_engine_pkg::BEAT_BITS;

	// ---- First clock: whose turn -------------------------------------------------------------------------------------------

	logic [SourceBits-1:0] turn_q, chosen;
	logic found;
	logic [WriteBits-1:0] chosen_bits;
	fan_write_t offered;
	wire take;                              // the next clock is free for another

	always_comb begin
		chosen = turn_q;
		found = 1'b0;
		// Twice round: the first from turn_q on counts.
		for (int i = 0; i < 2 * Sources; i++) begin
			if (!found && i >= 32'(turn_q) && write_valid_i[i % Sources]) begin
				chosen = SourceBits'(i % Sources);
				found = 1'b1;
			end
		end
	end

	always_comb begin
		chosen_bits = '0;
		for (int i = 0; i < Sources; i++)
			chosen_bits = chosen_bits | (write_i[i*WriteBits +: WriteBits] & {WriteBits{chosen == SourceBits'(i)}});
	end
	assign offered = chosen_bits;

	for (genvar s = 0; s < Sources; s++) begin : g_ready
		assign write_ready_o[s] = take && found && chosen == SourceBits'(s);
	end

	// ---- Second clock: a burst of it ---------------------------------------------------------------------------------------

	logic part_q;                           // a write, or the rest of one, waits for its burst
	fan_write_t write_q;
	logic [SourceBits-1:0] source_q;
	logic [5:0] start_q;                    // place of its first octet in its first line
	logic [6:0] lines_q;
	logic [57:0] address_q;                 // number of its first line
	wire [11:0] offered_end = {6'd0, offered.address[5:0]} + {1'b0, offered.bytes} + 12'd63;
	wire [5:0] end_place = 6'(write_q.address[5:0] + write_q.bytes[5:0] - 6'd1);
	wire [6:0] page_lines = 7'(PageLines) - {1'b0, address_q[5:0]};
	wire split = lines_q > page_lines;
	wire on_bus = write_q.error == '0;
	wire [6:0] burst_lines = split ? page_lines : lines_q;
	wire address_room, job_room, owed_room;
	wire issue = part_q && !stop_i && owed_room && (!on_bus || (address_room && job_room));
	wire issue_last = issue && (!split || !on_bus);

	assign take = !stop_i && (!part_q || issue_last);

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			turn_q <= '0;
			part_q <= 1'b0;
		end else begin
			part_q <= (part_q && !issue_last) || (take && found);
			if (take && found)
				turn_q <= chosen == SourceBits'(Sources - 1) ? '0 : chosen + 1'b1;
		end
	end

	always_ff @(posedge clk_i) begin
		if (take) begin
			write_q <= offered;
			source_q <= chosen;
			start_q <= offered.address[5:0];
			lines_q <= {1'b0, offered_end[11:6]};
			address_q <= offered.address[63:6];
		end else if (issue) begin
			start_q <= '0;
			lines_q <= lines_q - page_lines;
			address_q <= {address_q[57:6] + 52'd1, 6'd0};
		end
	end
	wire unused_end = ^offered_end[5:0];

	// ---- AW ----------------------------------------------------------------------------------------------------------------

	wire [6:0] burst_lines_less_one = burst_lines - 7'd1;
	wire [5:0] address_len;
	wire [57:0] address_line;

	fan_fifo #(.Width(58 + 6), .Depth(4)) u_addresses (
		.clk_i, .rst_ni,
		.valid_i(issue && on_bus), .ready_o(address_room), .data_i({address_q, burst_lines_less_one[5:0]}),
		.valid_o(awvalid_o), .ready_i(awready_i), .data_o({address_line, address_len})
	);
	assign awaddr_o = {address_line, 6'd0};
	assign awlen_o = {2'd0, address_len};
	wire unused_line = burst_lines_less_one[6];

	// ---- W: one line after the other, and one burst after the other, without a gap -----------------------------------------

	localparam int JobBits = SourceBits + 6 + 6 + 6;

	logic [5:0] job_line_q;
	logic data_q, data_last_q;
	fan_beat_t data_beat_q, line;
	logic [63:0] data_strobe_q;
	logic [6:0] data_bytes_q;
	wire job;
	wire [SourceBits-1:0] job_source;
	wire [5:0] job_lines_less_one, job_start, job_end;
	wire send = job && (!data_q || wready_i);
	wire send_first = job_line_q == '0;
	wire send_last = job_line_q == job_lines_less_one;
	wire [5:0] from = send_first ? job_start : 6'd0;
	wire [5:0] to = send_last ? job_end : 6'd63;

	fan_fifo #(.Width(JobBits), .Depth(16)) u_jobs (
		.clk_i, .rst_ni,
		.valid_i(issue && on_bus), .ready_o(job_room),
		.data_i({source_q, burst_lines_less_one[5:0], start_q, split ? 6'd63 : end_place}),
		.valid_o(job), .ready_i(send && send_last), .data_o({job_source, job_lines_less_one, job_start, job_end})
	);

	always_comb begin
		line = '0;
		for (int i = 0; i < Sources; i++)
			line = line | (line_i[i*BeatBits +: BeatBits] & {BeatBits{job_source == SourceBits'(i)}});
	end

	for (genvar s = 0; s < Sources; s++) begin : g_take
		assign line_take_o[s] = send && job_source == SourceBits'(s);
	end

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			job_line_q <= '0;
			data_q <= 1'b0;
			data_beat_q <= '0;
		end else begin
			if (send) begin
				job_line_q <= send_last ? '0 : job_line_q + 6'd1;
				data_beat_q <= line;
			end
			data_q <= send || (data_q && !wready_i);
		end
		if (send) begin
			data_last_q <= send_last;
			data_strobe_q <= ({64{1'b1}} << from) & ({64{1'b1}} >> ~to);
			data_bytes_q <= {1'b0, to} - {1'b0, from} + 7'd1;
		end
	end
	assign wvalid_o = data_q;
	assign wdata_o = data_beat_q;
	assign wstrb_o = data_strobe_q;
	assign wlast_o = data_last_q;
	assign bytes_o = data_q && wready_i ? data_bytes_q : '0;

	// ---- B -----------------------------------------------------------------------------------------------------------------

	typedef struct packed {
		logic         on_bus;
		logic         last;         // of its write
		logic         completion;
		fan_batch_t   batch;
		fan_ue_t      ue;
		logic [7:0]   error;
		logic [57:0]  line;
	} owed_t;

	localparam int OwedBits = 3 + fan_engine_pkg::BATCH_BITS + fan_engine_pkg::UE_BITS + 8 + 58;

	owed_t owed_new, owed;
	wire [OwedBits-1:0] owed_bits;
	wire owed_here, owed_take;
	logic refused_q;                        // the write's first burst
	wire answer = owed_here && owed.on_bus && bvalid_i && bready_o;
	wire refused = answer && bresp_i != 2'b00;

	assign owed_new.on_bus = on_bus;
	assign owed_new.last = !split || !on_bus;
	assign owed_new.completion = write_q.completion;
	assign owed_new.batch = write_q.batch;
	assign owed_new.ue = write_q.ue;
	assign owed_new.error = write_q.error;
	assign owed_new.line = address_q;

	fan_fifo #(.Width(OwedBits), .Depth(WritesMax)) u_owed (
		.clk_i, .rst_ni,
		.valid_i(issue), .ready_o(owed_room), .data_i(owed_new),
		.valid_o(owed_here), .ready_i(owed_take), .data_o(owed_bits)
	);
	assign owed = owed_bits;

	assign bready_o = owed_here && owed.on_bus && done_ready_i;
	assign owed_take = owed.on_bus ? answer : done_ready_i;
	assign done_valid_o = owed_here && owed.last && (!owed.on_bus || bvalid_i);
	assign done_o.completion = owed.completion;
	assign done_o.batch = owed.batch;
	assign done_o.ue = owed.ue;
	assign done_o.error = !owed.on_bus ? owed.error :
		refused_q || bresp_i != 2'b00 ? 8'(fan_registers_pkg::CARD_ERROR_WRITE_PDU) : '0;
	assign error_o = refused;
	assign error_address_o = {owed.line, 6'd0};

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			refused_q <= 1'b0;
		else if (answer)
			refused_q <= !owed.last && (refused_q || refused);
	end

	assign idle_o = !awvalid_o && !job && !data_q && !owed_here;

	// ---- Promises ----------------------------------------------------------------------------------------------------------

	fan_stable_check #(.Width(64 + 8)) u_check_aw (
		.clk_i, .rst_ni, .valid_i(awvalid_o), .ready_i(awready_i), .data_i({awaddr_o, awlen_o})
	);
	fan_stable_check #(.Width(512 + 64 + 1)) u_check_w (
		.clk_i, .rst_ni, .valid_i(wvalid_o), .ready_i(wready_i), .data_i({wdata_o, wstrb_o, wlast_o})
	);
	`FAN_ASSERT(AssertNoneBeginsStopped, !stop_i || !issue)
	`FAN_ASSERT(AssertInPage, !awvalid_o || {1'b0, awaddr_o[11:6]} + {1'b0, awlen_o[5:0]} < 7'(PageLines))
	`FAN_ASSERT(AssertOwed, !bvalid_i || owed_here)

`ifdef FORMAL
	// Bounded, from reset, for any addresses and lengths and any manners of the bus: AW and W stay as they are until they are
	// taken; the bursts of a write lie in its 4,096 octets and follow each other without a gap, the first from its first line and
	// the last to its last; wlast stands at the burst's last line and nowhere else. Assumed: the bus answers what it owes only,
	// and a write has 1 to 1,504 octets.
	logic f_reset_q = 1'b1;
	logic [63:0] f_first_q, f_last_q;       // octets of the write that is parted
	logic [57:0] f_next_q;                  // line where its next burst must begin
	logic [3:0] f_behind_q;                 // lines promised on AW and not yet sent on W, and those that were sent before: modulo 16
	logic [3:0] f_lasts_q;
	wire [57:0] f_last_line = f_last_q[63:6];
	wire [57:0] f_end_line = address_q + {51'd0, burst_lines_less_one};

	always @(posedge clk_i) begin
		f_reset_q <= 1'b0;
		assume (rst_ni == !f_reset_q);
		assume (!bvalid_i || (owed_here && owed.on_bus));
		for (int i = 0; i < Sources; i++) begin
			assume (write_i[i*WriteBits +: 11] != '0 && write_i[i*WriteBits +: 11] <= 11'd1504);
		end
		if (take && found) begin
			f_first_q <= offered.address;
			f_last_q <= offered.address + {53'd0, offered.bytes} - 64'd1;
			f_next_q <= offered.address[63:6];
		end else if (issue) begin
			f_next_q <= f_end_line + 58'd1;
		end
		if (!rst_ni) begin
			f_behind_q <= '0;
			f_lasts_q <= '0;
		end else begin
			f_behind_q <= f_behind_q + (issue && on_bus ? 4'(burst_lines) : '0) - 4'(wvalid_o && wready_i);
			f_lasts_q <= f_lasts_q + 4'(issue && on_bus) - 4'(wvalid_o && wready_i && wlast_o);
		end
		if (rst_ni && issue && on_bus) begin
			assert (address_q == f_next_q);
			assert (burst_lines != '0 && {1'b0, address_q[5:0]} + burst_lines <= 7'd64);
			assert (!issue_last || f_end_line == f_last_line);
		end
		// As many lines as were promised, and as many last ones as bursts: nothing is left when nothing is to be sent.
		if (rst_ni && !job && !data_q)
			assert (f_behind_q == '0 && f_lasts_q == '0);
	end
`endif
endmodule

`default_nettype wire
