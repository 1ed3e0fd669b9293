// SPDX-License-Identifier: BSD-3-Clause
//
// The read master: one AXI read channel for all that is fetched. Who asks has room for all of the answer, so that an answer is
// never kept waiting and no requester can hold up another's.
//
//   request_* --round robin--> AR
//                  |
//                  +--> list of reads under way, in order --+
//                                                           v
//                                              R --> answer_*, to whom the list says
//
// All reads have one ID: answers come in the order of the requests. When stop_i is high no further read begins; those that have
// begun are answered, and idle_o says when the last one is.
//
`include "fan_assert.svh"
`default_nettype none

module fan_read #(
	parameter int Requests = 4,
	parameter int ReadsMax = 256,          // under way at once, a power of two
	localparam int CountBits = $clog2(ReadsMax) + 1
) (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  stop_i,
	output wire  idle_o,

	input  wire  [Requests-1:0] request_valid_i,
	output wire  [Requests-1:0] request_ready_o,
	input  wire  [Requests*fan_fetch_pkg::READ_BITS-1:0] request_i,

	output wire  answer_valid_o,           // one line; nobody can refuse it
	output fan_read_t answer_read_o,       // of this read
	output wire  answer_last_o,            // the read's last
	output wire  answer_error_o,
	output fan_beat_t answer_o,
	output fan_address_t answer_address_o,

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
	localparam int ReadBits = fan_fetch_pkg::READ_BITS;

	// ---- Requests ----------------------------------------------------------------------------------------------------------

	logic [CountBits-1:0] under_way_q;
	logic address_valid_q;
	fan_read_t address_q, chosen;
	wire [Requests-1:0] grant;
	wire open = !stop_i && (!address_valid_q || m_axi_arready) && under_way_q != CountBits'(ReadsMax);
	wire begins = open && request_valid_i != '0;
	wire done;

	fan_round_robin #(.Requests(Requests)) u_turn (
		.clk_i, .rst_ni, .request_i(request_valid_i), .taken_i(open), .grant_o(grant)
	);
	assign request_ready_o = grant & {Requests{open}};

	wire [ReadBits-1:0] chosen_bits;
	fan_select #(.Width(ReadBits), .Words(Requests)) u_chosen (
		.select_i(grant), .words_i(request_i), .word_o(chosen_bits)
	);
	assign chosen = chosen_bits;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			address_valid_q <= 1'b0;
			under_way_q <= '0;
		end else begin
			if (!address_valid_q || m_axi_arready)
				address_valid_q <= begins;
			under_way_q <= under_way_q + CountBits'(begins) - CountBits'(done);
		end
		if (!address_valid_q || m_axi_arready)
			address_q <= chosen;
	end

	assign m_axi_arid = 1'b0;
	assign m_axi_araddr = {address_q.line, 6'd0};
	assign m_axi_arlen = {3'd0, address_q.more};
	assign m_axi_arsize = 3'd6;
	assign m_axi_arburst = 2'b01;
	assign m_axi_arlock = 1'b0;
	assign m_axi_arcache = 4'b0011;
	assign m_axi_arprot = 3'b000;
	assign m_axi_arvalid = address_valid_q;

	// ---- Answers -----------------------------------------------------------------------------------------------------------

	wire [ReadBits-1:0] owed;
	wire owed_valid;
	fan_read_t owed_read;
	logic [4:0] beat_q;
	wire answered = m_axi_rvalid && m_axi_rready;

	fan_fifo_block #(.Width(ReadBits), .Depth(ReadsMax)) u_owed (
		.clk_i, .rst_ni, .scrub_i(1'b0), .scrub_address_i({$clog2(ReadsMax){1'b0}}),
		.write_i(begins), .data_i(chosen),
		.valid_o(owed_valid), .ready_i(done), .data_o(owed)
	);
	assign owed_read = owed;

	// Counted here: a bus that ends a burst too early or too late would else put every later answer in the wrong place.
	assign answer_last_o = beat_q == owed_read.more;
	assign done = answered && answer_last_o;

	always_ff @(posedge clk_i) begin
		if (!rst_ni || done)
			beat_q <= '0;
		else if (answered)
			beat_q <= beat_q + 5'd1;
	end

	assign m_axi_rready = owed_valid;
	assign answer_valid_o = answered;
	assign answer_read_o = owed_read;
	assign answer_error_o = m_axi_rresp != 2'b00;
	assign answer_o = m_axi_rdata;
	assign answer_address_o = {owed_read.line + fan_fetch_pkg::LINE_BITS'(beat_q), 6'd0};
	assign idle_o = under_way_q == '0;
	wire unused = ^{m_axi_rid, m_axi_rlast};

	// ---- Promises ----------------------------------------------------------------------------------------------------------

	fan_stable_check #(.Width(ReadBits)) u_check (
		.clk_i, .rst_ni, .valid_i(m_axi_arvalid), .ready_i(m_axi_arready), .data_i(address_q)
	);
	`FAN_ASSERT(AssertUnderWayNotOver, under_way_q <= CountBits'(ReadsMax))
	`FAN_ASSERT(AssertUnderWayNotUnder, !done || under_way_q != '0)
	`FAN_ASSERT(AssertWithinPage, !m_axi_arvalid || {1'b0, address_q.line[5:0]} + {2'd0, address_q.more} < 7'd64)
	`FAN_ASSERT(AssertIdleOwesNothing, !idle_o || (!owed_valid && !address_valid_q))
	`FAN_ASSERT(AssertNoneBeginsStopped, !stop_i || (request_valid_i & request_ready_o) == '0)

`ifdef FORMAL
	// Bounded, from reset, for any requests within their pages and any manners of the bus: no answer is ever kept waiting, and the
	// f_nth read comes back to who asked it, each of its lines once, at its address, the last one marked. Assumed: the bus answers
	// only what it has taken.
	(* anyconst *) logic [CountBits:0] f_nth;
	logic f_reset_q = 1'b1;
	logic [CountBits:0] f_begun_q, f_done_q;
	logic [CountBits+4:0] f_lines_q;       // taken on AR and not yet answered
	logic [4:0] f_beat_q;
	fan_read_t f_read_q;

	always @(posedge clk_i) begin
		f_reset_q <= 1'b0;
		assume (rst_ni == !f_reset_q);
		assume (!m_axi_rvalid || f_lines_q != '0);
		assume (!begins || {1'b0, chosen.line[5:0]} + {2'd0, chosen.more} < 7'd64);
		if (!rst_ni) begin
			f_begun_q <= '0;
			f_done_q <= '0;
			f_lines_q <= '0;
			f_beat_q <= '0;
		end else begin
			f_begun_q <= f_begun_q + (CountBits+1)'(begins);
			f_done_q <= f_done_q + (CountBits+1)'(answer_valid_o && answer_last_o);
			f_lines_q <= f_lines_q + (m_axi_arvalid && m_axi_arready ? (CountBits+5)'(m_axi_arlen) + 1'b1 : '0) -
				(CountBits+5)'(m_axi_rvalid && m_axi_rready);
			if (answer_valid_o)
				f_beat_q <= answer_last_o ? '0 : f_beat_q + 5'd1;
			if (begins && f_begun_q == f_nth)
				f_read_q <= chosen;
			assert (!m_axi_rvalid || m_axi_rready);
			assert ((request_ready_o & (request_ready_o - 1'b1)) == '0);
			assert (!idle_o || f_lines_q == '0);
			if (answer_valid_o && f_done_q == f_nth) begin
				assert (f_begun_q != f_nth && answer_read_o == f_read_q);
				assert (answer_last_o == (f_beat_q == f_read_q.more));
				assert (answer_address_o == {f_read_q.line + fan_fetch_pkg::LINE_BITS'(f_beat_q), 6'd0});
			end
		end
	end
`endif
endmodule

`default_nettype wire
