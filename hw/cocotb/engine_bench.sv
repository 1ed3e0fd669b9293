// SPDX-License-Identifier: BSD-3-Clause
//
// fan_engine for cocotb. Its ports are variables here because what cocotb writes into a port of Verilator 5.006's top module does not
// arrive; only they are public, because a model with everything public is many times slower.
//
`default_nettype none

module engine_bench;
	localparam int Queues = 4;

	logic clk_i /*verilator public_flat_rw*/;
	logic rst_ni /*verilator public_flat_rw*/;
	logic [15:0] s_axil_awaddr /*verilator public_flat_rw*/;
	logic [2:0] s_axil_awprot /*verilator public_flat_rw*/;
	logic s_axil_awvalid /*verilator public_flat_rw*/;
	wire s_axil_awready /*verilator public_flat_rw*/;
	logic [31:0] s_axil_wdata /*verilator public_flat_rw*/;
	logic [3:0] s_axil_wstrb /*verilator public_flat_rw*/;
	logic s_axil_wvalid /*verilator public_flat_rw*/;
	wire s_axil_wready /*verilator public_flat_rw*/;
	wire [1:0] s_axil_bresp /*verilator public_flat_rw*/;
	wire s_axil_bvalid /*verilator public_flat_rw*/;
	logic s_axil_bready /*verilator public_flat_rw*/;
	logic [15:0] s_axil_araddr /*verilator public_flat_rw*/;
	logic [2:0] s_axil_arprot /*verilator public_flat_rw*/;
	logic s_axil_arvalid /*verilator public_flat_rw*/;
	wire s_axil_arready /*verilator public_flat_rw*/;
	wire [31:0] s_axil_rdata /*verilator public_flat_rw*/;
	wire [1:0] s_axil_rresp /*verilator public_flat_rw*/;
	wire s_axil_rvalid /*verilator public_flat_rw*/;
	logic s_axil_rready /*verilator public_flat_rw*/;
	wire [0:0] m_axi_awid /*verilator public_flat_rw*/;
	wire [63:0] m_axi_awaddr /*verilator public_flat_rw*/;
	wire [7:0] m_axi_awlen /*verilator public_flat_rw*/;
	wire [2:0] m_axi_awsize /*verilator public_flat_rw*/;
	wire [1:0] m_axi_awburst /*verilator public_flat_rw*/;
	wire m_axi_awlock /*verilator public_flat_rw*/;
	wire [3:0] m_axi_awcache /*verilator public_flat_rw*/;
	wire [2:0] m_axi_awprot /*verilator public_flat_rw*/;
	wire m_axi_awvalid /*verilator public_flat_rw*/;
	logic m_axi_awready /*verilator public_flat_rw*/;
	wire [511:0] m_axi_wdata /*verilator public_flat_rw*/;
	wire [63:0] m_axi_wstrb /*verilator public_flat_rw*/;
	wire m_axi_wlast /*verilator public_flat_rw*/;
	wire m_axi_wvalid /*verilator public_flat_rw*/;
	logic m_axi_wready /*verilator public_flat_rw*/;
	logic [0:0] m_axi_bid /*verilator public_flat_rw*/;
	logic [1:0] m_axi_bresp /*verilator public_flat_rw*/;
	logic m_axi_bvalid /*verilator public_flat_rw*/;
	wire m_axi_bready /*verilator public_flat_rw*/;
	wire [0:0] m_axi_arid /*verilator public_flat_rw*/;
	wire [63:0] m_axi_araddr /*verilator public_flat_rw*/;
	wire [7:0] m_axi_arlen /*verilator public_flat_rw*/;
	wire [2:0] m_axi_arsize /*verilator public_flat_rw*/;
	wire [1:0] m_axi_arburst /*verilator public_flat_rw*/;
	wire m_axi_arlock /*verilator public_flat_rw*/;
	wire [3:0] m_axi_arcache /*verilator public_flat_rw*/;
	wire [2:0] m_axi_arprot /*verilator public_flat_rw*/;
	wire m_axi_arvalid /*verilator public_flat_rw*/;
	logic m_axi_arready /*verilator public_flat_rw*/;
	logic [0:0] m_axi_rid /*verilator public_flat_rw*/;
	logic [511:0] m_axi_rdata /*verilator public_flat_rw*/;
	logic [1:0] m_axi_rresp /*verilator public_flat_rw*/;
	logic m_axi_rlast /*verilator public_flat_rw*/;
	logic m_axi_rvalid /*verilator public_flat_rw*/;
	wire m_axi_rready /*verilator public_flat_rw*/;
	wire [Queues:0] interrupt_o /*verilator public_flat_rw*/;

	fan_engine #(.Queues(Queues)) u_engine (.*);
endmodule

`default_nettype wire
