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

`ifdef FORMAL
	// Proved by induction, for a request of which nothing is assumed: while it waits every other is served once at most.
	(* anyconst *) logic [Requests-1:0] f_who;
	logic f_reset_q = 1'b1;
	logic [Requests-1:0] f_served_q = '0;      // others, since it asks
	wire f_waits = (request_i & f_who) != '0 && grant_o != f_who;

	always @(posedge clk_i) begin
		f_reset_q <= 1'b0;
		assume (rst_ni == !f_reset_q);
		assume (f_who != '0 && (f_who & (f_who - 1'b1)) == '0);
		if (f_reset_q || (request_i & f_who) == '0 || (taken_i && grant_o == f_who))
			f_served_q <= '0;
		else if (taken_i)
			f_served_q <= f_served_q | grant_o;
		if (!f_reset_q) begin
			assert (!(f_waits && taken_i) || (grant_o & f_served_q) == '0);
			// What makes it so: above_q is all from some place up; before it has passed who waits, none between it and that
			// place has been served, and after it, none below that place.
			assert ((above_q | (above_q << 1)) == above_q);
			assert ((f_served_q & f_who) == '0);
			assert ((above_q & f_who) != '0 ? (f_served_q & above_q & (f_who - 1'b1)) == '0 :
				(f_served_q & (above_q | (f_who - 1'b1))) == '0);
		end
	end
`endif
endmodule

`default_nettype wire
