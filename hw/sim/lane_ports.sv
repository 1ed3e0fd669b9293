// SPDX-License-Identifier: BSD-3-Clause
//
// The ports of the three lanes with nothing behind them. With these in the place of the lanes, lint reads an engine of sixteen in a
// second; what is in a lane is read with the lane. One that does not fit the engine's ports does not elaborate.
//
`default_nettype none

`define FAN_LANE_PORTS(name) \
module name ( \
	input  wire  clk_i, \
	input  wire  rst_ni, \
	input  wire  message_valid_i, \
	output wire  message_ready_o, \
	input  wire  fan_message_beat_t message_i, \
	input  wire  item_valid_i, \
	output wire  item_ready_o, \
	input  wire  fan_item_t item_i, \
	output wire  result_valid_o, \
	input  wire  result_ready_i, \
	output fan_result_t result_o, \
	output wire  [1:0] busy_o \
); \
	wire unused = ^{clk_i, rst_ni, message_valid_i, message_i, item_valid_i, item_i, result_ready_i}; \
	assign message_ready_o = 1'b0; \
	assign item_ready_o = 1'b0; \
	assign result_valid_o = 1'b0; \
	assign result_o = '0; \
	assign busy_o = '0; \
endmodule

`FAN_LANE_PORTS(fan_lane)
`FAN_LANE_PORTS(fan_snow3g_lane)
`FAN_LANE_PORTS(fan_zuc_lane)

`default_nettype wire
