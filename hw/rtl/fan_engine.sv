// SPDX-License-Identifier: BSD-3-Clause
//
// The engine: registers for the host on one side, its memory on the other, lanes in between. What host and engine share is
// described in registers.rdl; this is the block that a board's PCIe core or a simulator is put around.
//
// The names of the two AXI ports are those that tools look for, without the suffixes of the ports inside.
//
`include "fan_assert.svh"
`default_nettype none

module fan_engine #(
	parameter int AesLanes = 1,
	parameter int Snow3gLanes = 0,
	parameter int ZucLanes = 0,
	parameter int Queues = 4
) (
	input  wire  clk_i,
	input  wire  rst_ni,                // synchronous

	// Registers: AXI4-Lite.
	input  wire  [15:0] s_axil_awaddr,
	input  wire  [2:0] s_axil_awprot,
	input  wire  s_axil_awvalid,
	output wire  s_axil_awready,
	input  wire  [31:0] s_axil_wdata,
	input  wire  [3:0] s_axil_wstrb,
	input  wire  s_axil_wvalid,
	output wire  s_axil_wready,
	output wire  [1:0] s_axil_bresp,
	output wire  s_axil_bvalid,
	input  wire  s_axil_bready,
	input  wire  [15:0] s_axil_araddr,
	input  wire  [2:0] s_axil_arprot,
	input  wire  s_axil_arvalid,
	output wire  s_axil_arready,
	output wire  [31:0] s_axil_rdata,
	output wire  [1:0] s_axil_rresp,
	output wire  s_axil_rvalid,
	input  wire  s_axil_rready,

	// Host memory: AXI4, bursts of 64 octets a beat that never cross 4 KiB.
	output wire  [0:0] m_axi_awid,
	output wire  [63:0] m_axi_awaddr,
	output wire  [7:0] m_axi_awlen,
	output wire  [2:0] m_axi_awsize,
	output wire  [1:0] m_axi_awburst,
	output wire  m_axi_awlock,
	output wire  [3:0] m_axi_awcache,
	output wire  [2:0] m_axi_awprot,
	output wire  m_axi_awvalid,
	input  wire  m_axi_awready,
	output wire  [511:0] m_axi_wdata,
	output wire  [63:0] m_axi_wstrb,
	output wire  m_axi_wlast,
	output wire  m_axi_wvalid,
	input  wire  m_axi_wready,
	input  wire  [0:0] m_axi_bid,
	input  wire  [1:0] m_axi_bresp,
	input  wire  m_axi_bvalid,
	output wire  m_axi_bready,
	output wire  [0:0] m_axi_arid,
	output wire  [63:0] m_axi_araddr,
	output wire  [7:0] m_axi_arlen,
	output wire  [2:0] m_axi_arsize,
	output wire  [1:0] m_axi_arburst,
	output wire  m_axi_arlock,
	output wire  [3:0] m_axi_arcache,
	output wire  [2:0] m_axi_arprot,
	output wire  m_axi_arvalid,
	input  wire  m_axi_arready,
	input  wire  [0:0] m_axi_rid,
	input  wire  [511:0] m_axi_rdata,
	input  wire  [1:0] m_axi_rresp,
	input  wire  m_axi_rlast,
	input  wire  m_axi_rvalid,
	output wire  m_axi_rready,

	output wire  [Queues:0] interrupt_o // level; the last is that of errors
);
	localparam int Lanes = AesLanes + Snow3gLanes + ZucLanes;
	localparam int Sources = Lanes + 1;
	localparam int ConfigBits = fan_engine_pkg::QUEUE_CONFIG_BITS;
	localparam int StateBits = fan_engine_pkg::QUEUE_STATE_BITS;
	localparam int ItemBits = fan_pkg::ITEM_BITS;
	localparam int TicketBits = fan_engine_pkg::TICKET_BITS;
	localparam int WriteBits = fan_engine_pkg::WRITE_BITS;
	localparam int BeatBits = fan_engine_pkg::BEAT_BITS;

	// Lane 0 in the low bits: AES lanes first, then SNOW 3G, then ZUC. The ones are counted out: yosys 0.23 shifts a single bit where it
	// reads '1 << n.
	localparam int AlgorithmBits = 2 * fan_engine_pkg::LANES_MAX;
	localparam logic [AlgorithmBits-1:0] BehindAes = {AlgorithmBits{1'b1}} << 2 * AesLanes;
	localparam logic [AlgorithmBits-1:0] BehindSnow3g = {AlgorithmBits{1'b1}} << 2 * (AesLanes + Snow3gLanes);
	localparam logic [AlgorithmBits-1:0] Algorithms = ({fan_engine_pkg::LANES_MAX{2'd2}} & ~BehindAes) |
		({fan_engine_pkg::LANES_MAX{2'd1}} & BehindAes & ~BehindSnow3g) |
		({fan_engine_pkg::LANES_MAX{2'd3}} & BehindSnow3g);

	// ---- Reset -------------------------------------------------------------------------------------------------------------

	wire enable, reset_asked, zeroise_asked, reset_pending, zeroise_pending, stop, hold, core_rst_n, ready;
	wire fetch_idle, fetch_ready, write_idle, complete_busy;
	wire [Lanes-1:0] lane_scrubbed, pack_scrubbed;

	fan_reset u_reset (
		.clk_i, .rst_ni,
		.reset_i(reset_asked), .zeroise_i(zeroise_asked),
		.reset_pending_o(reset_pending), .zeroise_pending_o(zeroise_pending),
		.stop_o(stop), .idle_i(fetch_idle && write_idle), .hold_o(hold), .core_rst_no(core_rst_n),
		.scrubbed_i(fetch_ready && (&lane_scrubbed) && (&pack_scrubbed)), .ready_o(ready)
	);

	// ---- Registers ---------------------------------------------------------------------------------------------------------

	wire [Lanes-1:0] lane_ue;
	wire [2*Lanes-1:0] lane_busy;
	wire [Queues*ConfigBits-1:0] config_bits, fetch_config_bits;
	wire [Queues*StateBits-1:0] state_bits;
	wire [16*Queues-1:0] queue_head, queue_completed;
	wire [3*Queues-1:0] queue_fault;
	wire [Queues-1:0] queue_active, queue_refused, completion;
	wire error_batch, read_beat, read_error, write_error;
	wire [63:0] read_error_address, write_error_address;
	wire [6:0] written_bytes;
	wire unused_axil = ^{s_axil_awprot, s_axil_arprot, s_axil_wstrb};

	fan_registers #(.AesLanes(AesLanes), .Snow3gLanes(Snow3gLanes), .ZucLanes(ZucLanes), .Queues(Queues)) u_registers (
		.clk_i, .rst_ni,
		.awaddr_i(s_axil_awaddr), .awvalid_i(s_axil_awvalid), .awready_o(s_axil_awready),
		.wdata_i(s_axil_wdata), .wvalid_i(s_axil_wvalid), .wready_o(s_axil_wready),
		.bvalid_o(s_axil_bvalid), .bready_i(s_axil_bready),
		.araddr_i(s_axil_araddr), .arvalid_i(s_axil_arvalid), .arready_o(s_axil_arready),
		.rdata_o(s_axil_rdata), .rvalid_o(s_axil_rvalid), .rready_i(s_axil_rready),
		.enable_o(enable), .reset_o(reset_asked), .zeroise_o(zeroise_asked),
		.reset_pending_i(reset_pending), .zeroise_pending_i(zeroise_pending), .clear_i(hold),
		.ready_i(ready), .busy_i(!fetch_idle || !write_idle || complete_busy),
		.lane_algorithm_i(Algorithms[2*Lanes-1:0]), .lane_ue_i(lane_ue), .lane_busy_i(lane_busy),
		.queue_config_o(config_bits), .queue_state_i(state_bits), .completion_i(completion), .error_batch_i(error_batch),
		.read_beat_i(read_beat), .read_error_i(read_error), .read_error_address_i(read_error_address),
		.written_bytes_i(written_bytes), .write_error_i(write_error), .write_error_address_i(write_error_address),
		.interrupt_o
	);
	assign s_axil_bresp = 2'b00;
	assign s_axil_rresp = 2'b00;

	for (genvar q = 0; q < Queues; q++) begin : g_queue
		fan_queue_view u_view (
			.config_i(config_bits[q*ConfigBits +: ConfigBits]), .head_i(queue_head[16*q +: 16]),
			.fault_i(queue_fault[3*q +: 3]), .under_way_i(queue_active[q]), .refused_i(queue_refused[q]),
			.completed_i(queue_completed[16*q +: 16]),
			.config_o(fetch_config_bits[q*ConfigBits +: ConfigBits]), .state_o(state_bits[q*StateBits +: StateBits])
		);
	end

	// ---- From host memory --------------------------------------------------------------------------------------------------

	wire begin_valid, begin_ready, free_valid;
	fan_begin_t begun;
	fan_batch_t free_batch;
	wire [Lanes-1:0] message_valid, message_ready, item_valid, item_ready, ticket_valid, ticket_ready;
	fan_message_beat_t message;
	wire [Lanes*ItemBits-1:0] item_bits;
	wire [Lanes*TicketBits-1:0] ticket_bits;

	fan_fetch #(.Lanes(Lanes), .LaneAlgorithm(Algorithms[2*Lanes-1:0]), .Queues(Queues)) u_fetch (
		.clk_i, .rst_ni(core_rst_n), .stop_i(stop), .bus_idle_o(fetch_idle), .ready_o(fetch_ready), .enable_i(enable && ready),
		.queue_config_i(fetch_config_bits), .queue_head_o(queue_head), .queue_fault_o(queue_fault),
		.begin_valid_o(begin_valid), .begin_ready_i(begin_ready), .begin_o(begun),
		.free_valid_i(free_valid), .free_batch_i(free_batch),
		.message_valid_o(message_valid), .message_ready_i(message_ready), .message_o(message),
		.item_valid_o(item_valid), .item_ready_i(item_ready), .item_o(item_bits),
		.ticket_valid_o(ticket_valid), .ticket_ready_i(ticket_ready), .ticket_o(ticket_bits),
		.read_beats_o(read_beat), .read_error_o(read_error), .read_error_address_o(read_error_address),
		.m_axi_arid, .m_axi_araddr, .m_axi_arlen, .m_axi_arsize, .m_axi_arburst, .m_axi_arlock, .m_axi_arcache, .m_axi_arprot,
		.m_axi_arvalid, .m_axi_arready,
		.m_axi_rid, .m_axi_rdata, .m_axi_rresp, .m_axi_rlast, .m_axi_rvalid, .m_axi_rready
	);

	// ---- Lanes, and what each of them has for host memory ------------------------------------------------------------------

	wire [Sources-1:0] write_valid, write_ready, line_take;
	wire [Sources*WriteBits-1:0] write_bits;
	wire [Sources*BeatBits-1:0] line_bits;

	for (genvar l = 0; l < Lanes; l++) begin : g_lane
		wire result_valid, result_ready;
		fan_result_t result;
		fan_write_t whole;
		logic scrubbed_q;

		if (l < AesLanes) begin : g_aes
			fan_lane u_lane (
				.clk_i, .rst_ni(core_rst_n),
				.message_valid_i(message_valid[l]), .message_ready_o(message_ready[l]), .message_i(message),
				.item_valid_i(item_valid[l]), .item_ready_o(item_ready[l]), .item_i(item_bits[l*ItemBits +: ItemBits]),
				.result_valid_o(result_valid), .result_ready_i(result_ready), .result_o(result),
				.busy_o(lane_busy[2*l +: 2])
			);
		end else if (l < AesLanes + Snow3gLanes) begin : g_snow3g
			fan_snow3g_lane u_lane (
				.clk_i, .rst_ni(core_rst_n),
				.message_valid_i(message_valid[l]), .message_ready_o(message_ready[l]), .message_i(message),
				.item_valid_i(item_valid[l]), .item_ready_o(item_ready[l]), .item_i(item_bits[l*ItemBits +: ItemBits]),
				.result_valid_o(result_valid), .result_ready_i(result_ready), .result_o(result),
				.busy_o(lane_busy[2*l +: 2])
			);
		end else begin : g_zuc
			fan_zuc_lane u_lane (
				.clk_i, .rst_ni(core_rst_n),
				.message_valid_i(message_valid[l]), .message_ready_o(message_ready[l]), .message_i(message),
				.item_valid_i(item_valid[l]), .item_ready_o(item_ready[l]), .item_i(item_bits[l*ItemBits +: ItemBits]),
				.result_valid_o(result_valid), .result_ready_i(result_ready), .result_o(result),
				.busy_o(lane_busy[2*l +: 2])
			);
		end

		// A lane takes its first message when it has overwritten its memories, not before.
		always_ff @(posedge clk_i)
			scrubbed_q <= core_rst_n && (scrubbed_q || message_ready[l]);
		assign lane_scrubbed[l] = scrubbed_q;

		fan_pack u_pack (
			.clk_i, .rst_ni(core_rst_n), .ready_o(pack_scrubbed[l]),
			.ticket_valid_i(ticket_valid[l]), .ticket_ready_o(ticket_ready[l]),
			.ticket_i(ticket_bits[l*TicketBits +: TicketBits]),
			.result_valid_i(result_valid), .result_ready_o(result_ready), .result_i(result),
			.write_valid_o(write_valid[l]), .write_ready_i(write_ready[l]), .write_o(whole),
			.line_o(line_bits[l*BeatBits +: BeatBits]), .line_take_i(line_take[l]),
			.ue_o(lane_ue[l])
		);
		assign write_bits[l*WriteBits +: WriteBits] = whole;
	end

	// ---- To host memory ----------------------------------------------------------------------------------------------------

	wire done_valid, done_ready;
	fan_done_t done;
	fan_write_t completion_write;

	fan_complete #(.Queues(Queues)) u_complete (
		.clk_i, .rst_ni(core_rst_n),
		.begin_valid_i(begin_valid), .begin_ready_o(begin_ready), .begin_i(begun),
		.done_valid_i(done_valid), .done_ready_o(done_ready), .done_i(done),
		.free_valid_o(free_valid), .free_batch_o(free_batch),
		.queue_config_i(config_bits), .queue_head_i(queue_head), .queue_active_o(queue_active),
		.queue_fault_o(queue_refused), .queue_completed_o(queue_completed),
		.write_valid_o(write_valid[Lanes]), .write_ready_i(write_ready[Lanes]), .write_o(completion_write),
		.line_o(line_bits[Lanes*BeatBits +: BeatBits]), .line_take_i(line_take[Lanes]),
		.completion_o(completion), .error_batch_o(error_batch), .busy_o(complete_busy)
	);
	assign write_bits[Lanes*WriteBits +: WriteBits] = completion_write;

	fan_write #(.Sources(Sources)) u_write (
		.clk_i, .rst_ni(core_rst_n), .stop_i(stop), .idle_o(write_idle),
		.write_valid_i(write_valid), .write_ready_o(write_ready), .write_i(write_bits), .line_i(line_bits),
		.line_take_o(line_take),
		.done_valid_o(done_valid), .done_ready_i(done_ready), .done_o(done),
		.bytes_o(written_bytes), .error_o(write_error), .error_address_o(write_error_address),
		.awaddr_o(m_axi_awaddr), .awlen_o(m_axi_awlen), .awvalid_o(m_axi_awvalid), .awready_i(m_axi_awready),
		.wdata_o(m_axi_wdata), .wstrb_o(m_axi_wstrb), .wlast_o(m_axi_wlast), .wvalid_o(m_axi_wvalid), .wready_i(m_axi_wready),
		.bresp_i(m_axi_bresp), .bvalid_i(m_axi_bvalid), .bready_o(m_axi_bready)
	);
	assign m_axi_awid = 1'b0;
	assign m_axi_awsize = 3'd6;             // 64 octets
	assign m_axi_awburst = 2'b01;           // INCR
	assign m_axi_awlock = 1'b0;
	assign m_axi_awcache = 4'b0011;         // bufferable, may be changed on the way; as PCIe cores want it
	assign m_axi_awprot = 3'b010;           // not privileged, not secure, data
	wire unused_bid = m_axi_bid[0];

	`FAN_ASSERT(AssertLanes, Lanes >= 1 && Lanes <= fan_engine_pkg::LANES_MAX)
	`FAN_ASSERT(AssertLimitsAsDescribed, fan_engine_pkg::LANES_MAX == fan_registers_pkg::CARD_LANES_MAX &&
		fan_engine_pkg::QUEUES_MAX == fan_registers_pkg::CARD_QUEUES_MAX)
	`FAN_ASSERT(AssertQueues, Queues >= 1 && Queues <= fan_engine_pkg::QUEUES_MAX)
endmodule

`default_nettype wire
