// SPDX-License-Identifier: BSD-3-Clause
//
// The lane of 128-EEA3 and 128-EIA3: fan_stream_lane.sv with generators of ZUC.
//
`default_nettype none

module fan_zuc_lane #(
	parameter int Cells = 7
) (
	input  wire  clk_i,
	input  wire  rst_ni,

	input  wire  message_valid_i,
	output wire  message_ready_o,
	input  wire  fan_message_beat_t message_i,

	input  wire  item_valid_i,
	output wire  item_ready_o,
	input  wire  fan_item_t item_i,

	output wire  result_valid_o,
	input  wire  result_ready_i,
	output fan_result_t result_o,

	output wire  [1:0] busy_o
);
	fan_stream_lane #(.Zuc(1'b1), .Cells(Cells)) u_lane (
		.clk_i, .rst_ni,
		.message_valid_i, .message_ready_o, .message_i,
		.item_valid_i, .item_ready_o, .item_i,
		.result_valid_o, .result_ready_i, .result_o,
		.busy_o
	);
endmodule

`default_nettype wire
