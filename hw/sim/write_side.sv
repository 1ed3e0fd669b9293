// SPDX-License-Identifier: BSD-3-Clause
//
// For simulation only: the write side alone, with as many lanes as a test wants to play, see tb/write_test.cc.
//
`default_nettype none

module write_side #(
	parameter int Lanes = 3,
	parameter int Queues = 2
) (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  stop_i,
	output wire  idle_o,
	output wire  [Lanes-1:0] ready_o,

	input  wire  [Lanes-1:0] ticket_valid_i,
	output wire  [Lanes-1:0] ticket_ready_o,
	input  wire  [Lanes*fan_engine_pkg::TICKET_BITS-1:0] ticket_i,
	input  wire  [Lanes-1:0] result_valid_i,
	output wire  [Lanes-1:0] result_ready_o,
	input  wire  [Lanes*fan_pkg::RESULT_BITS-1:0] result_i,
	output wire  [Lanes-1:0] ue_o,

	input  wire  begin_valid_i,
	output wire  begin_ready_o,
	input  wire  [fan_engine_pkg::BEGIN_BITS-1:0] begin_i,
	output wire  free_valid_o,
	output wire  [fan_engine_pkg::BATCH_BITS-1:0] free_batch_o,
	input  wire  [Queues*fan_engine_pkg::QUEUE_CONFIG_BITS-1:0] queue_config_i,
	input  wire  [16*Queues-1:0] queue_head_i,
	output wire  [Queues-1:0] queue_active_o,
	output wire  [Queues-1:0] queue_fault_o,
	output wire  [16*Queues-1:0] queue_completed_o,
	output wire  [Queues-1:0] completion_o,
	output wire  error_batch_o,
	output wire  [6:0] bytes_o,
	output wire  error_o,
	output wire  [63:0] error_address_o,

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
	localparam int Sources = Lanes + 1;
	localparam int WriteBits = fan_engine_pkg::WRITE_BITS;
	localparam int BeatBits = fan_engine_pkg::BEAT_BITS;
	localparam int TicketBits = fan_engine_pkg::TICKET_BITS;

	wire [Sources-1:0] write_valid, write_ready, line_take;
	wire [Sources*WriteBits-1:0] write_bits;
	wire [Sources*BeatBits-1:0] line_bits;
	wire done_valid, done_ready, unused_busy;
	fan_done_t done;
	fan_write_t completion_write;

	for (genvar l = 0; l < Lanes; l++) begin : g_lane
		fan_pack u_pack (
			.clk_i, .rst_ni, .ready_o(ready_o[l]),
			.ticket_valid_i(ticket_valid_i[l]), .ticket_ready_o(ticket_ready_o[l]),
			.ticket_i(ticket_i[l*TicketBits +: TicketBits]),
			.result_valid_i(result_valid_i[l]), .result_ready_o(result_ready_o[l]),
			.result_i(result_i[l*fan_pkg::RESULT_BITS +: fan_pkg::RESULT_BITS]),
			.write_valid_o(write_valid[l]), .write_ready_i(write_ready[l]), .write_o(write_bits[l*WriteBits +: WriteBits]),
			.line_o(line_bits[l*BeatBits +: BeatBits]), .line_take_i(line_take[l]),
			.ue_o(ue_o[l])
		);
	end

	fan_complete #(.Queues(Queues)) u_complete (
		.clk_i, .rst_ni,
		.begin_valid_i, .begin_ready_o, .begin_i,
		.done_valid_i(done_valid), .done_ready_o(done_ready), .done_i(done),
		.free_valid_o, .free_batch_o,
		.queue_config_i, .queue_head_i, .queue_active_o, .queue_fault_o, .queue_completed_o,
		.write_valid_o(write_valid[Lanes]), .write_ready_i(write_ready[Lanes]), .write_o(completion_write),
		.line_o(line_bits[Lanes*BeatBits +: BeatBits]), .line_take_i(line_take[Lanes]),
		.completion_o, .error_batch_o, .busy_o(unused_busy)
	);
	assign write_bits[Lanes*WriteBits +: WriteBits] = completion_write;

	fan_write #(.Sources(Sources)) u_write (
		.clk_i, .rst_ni, .stop_i, .idle_o,
		.write_valid_i(write_valid), .write_ready_o(write_ready), .write_i(write_bits), .line_i(line_bits),
		.line_take_o(line_take),
		.done_valid_o(done_valid), .done_ready_i(done_ready), .done_o(done),
		.bytes_o, .error_o, .error_address_o,
		.awaddr_o, .awlen_o, .awvalid_o, .awready_i, .wdata_o, .wstrb_o, .wlast_o, .wvalid_o, .wready_i,
		.bresp_i, .bvalid_i, .bready_o
	);
endmodule

`default_nettype wire
