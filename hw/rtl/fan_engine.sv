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
	// Body follows with the modules it joins; until then the ports stand still.
	assign {s_axil_awready, s_axil_wready, s_axil_bresp, s_axil_bvalid} = '0;
	assign {s_axil_arready, s_axil_rdata, s_axil_rresp, s_axil_rvalid} = '0;
	assign {m_axi_awid, m_axi_awaddr, m_axi_awlen, m_axi_awsize, m_axi_awburst, m_axi_awlock, m_axi_awcache, m_axi_awprot} = '0;
	assign {m_axi_awvalid, m_axi_wdata, m_axi_wstrb, m_axi_wlast, m_axi_wvalid, m_axi_bready} = '0;
	assign {m_axi_arid, m_axi_araddr, m_axi_arlen, m_axi_arsize, m_axi_arburst, m_axi_arlock, m_axi_arcache, m_axi_arprot} = '0;
	assign {m_axi_arvalid, m_axi_rready, interrupt_o} = '0;
endmodule

`default_nettype wire
