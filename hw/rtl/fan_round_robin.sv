// SPDX-License-Identifier: BSD-3-Clause
//
// One of those that ask, in turn: the first behind the one that was served last. Combinational but for the memory of who that was.
//
`include "fan_assert.svh"
`default_nettype none

module fan_round_robin #(
	parameter int Requests = 4
) (
	input  wire                clk_i,
	input  wire                rst_ni,
	input  wire [Requests-1:0] request_i,
	input  wire                taken_i,     // what grant_o says has been served
	output wire [Requests-1:0] grant_o      // at most one
);
	// Ones above the place that was served last.
	logic [Requests-1:0] above_q;
	wire [Requests-1:0] above = request_i & above_q;
	// The lowest one of a number is where it and its negative agree.
	wire [Requests-1:0] first_above = above & (~above + 1'b1);
	wire [Requests-1:0] first = request_i & (~request_i + 1'b1);

	assign grant_o = above != '0 ? first_above : first;

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			above_q <= '0;
		else if (taken_i && grant_o != '0)
			above_q <= ~(grant_o | (grant_o - 1'b1));
	end

	`FAN_ASSERT(AssertOneAtMost, (grant_o & (grant_o - 1'b1)) == '0)
	`FAN_ASSERT(AssertAsked, (grant_o & ~request_i) == '0)
	`FAN_ASSERT(AssertServes, (grant_o != '0) == (request_i != '0))
endmodule

`default_nettype wire
