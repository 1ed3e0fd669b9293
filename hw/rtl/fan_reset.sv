// SPDX-License-Identifier: BSD-3-Clause
//
// Reset and zeroise that the host asks for while the bus is being used.
//
//      run --asked--> stop: nothing begins on the bus --both sides idle--> hold: all but the registers is reset --> run
//
// Nothing is cut off: what has begun on the bus is ended first, because AXI knows no way to take a burst back and an answer that came
// after a reset would be taken for that to another question. So a host must let the card use the bus until reset is done. If the bus
// never answers, neither reset ends; that is for the reset of the bus to put right. After hold the blocks overwrite their memories, as
// after power-up: reset is done when hold is, zeroise when the memories are.
//
`include "fan_assert.svh"
`default_nettype none

module fan_reset #(
	parameter int HoldClocks = 16
) (
	input  wire  clk_i,
	input  wire  rst_ni,             // synchronous

	input  wire  reset_i,            // for one clock: asked for
	input  wire  zeroise_i,
	output wire  reset_pending_o,
	output wire  zeroise_pending_o,

	output wire  stop_o,
	input  wire  idle_i,             // nothing is owed on the bus
	output wire  hold_o,
	output wire  core_rst_no,        // of all but the registers
	input  wire  scrubbed_i,         // memories have been overwritten
	output wire  ready_o
);
	localparam int CountBits = $clog2(HoldClocks);

	logic stop_q, hold_q, reset_q, zeroise_q, core_rst_nq, settled_q;
	logic [CountBits-1:0] count_q;
	wire asked = reset_i || zeroise_i;
	wire hold_ends = hold_q && count_q == CountBits'(HoldClocks - 1);

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			stop_q <= 1'b0;
			hold_q <= 1'b0;
			reset_q <= 1'b0;
			zeroise_q <= 1'b0;
			settled_q <= 1'b0;
		end else begin
			// stop_q must have been seen by both sides before idle means that nothing will begin.
			settled_q <= stop_q;
			stop_q <= stop_q ? !(settled_q && idle_i) : asked && !hold_q;
			hold_q <= hold_q ? !hold_ends : stop_q && settled_q && idle_i;
			reset_q <= reset_i || (reset_q && !hold_ends);
			zeroise_q <= zeroise_i || (zeroise_q && !ready_o);
		end
		count_q <= hold_q ? count_q + 1'b1 : '0;
		core_rst_nq <= rst_ni && !hold_q;
	end

	assign stop_o = stop_q || hold_q;
	assign hold_o = hold_q;
	assign core_rst_no = rst_ni && core_rst_nq;
	assign reset_pending_o = reset_q;
	assign zeroise_pending_o = zeroise_q;
	assign ready_o = !stop_q && !hold_q && core_rst_nq && scrubbed_i;

	`FAN_ASSERT(AssertOneState, !(stop_q && hold_q))

`ifdef FORMAL
	// Proved by induction, for any host: once the core has run, it is reset only while the bus owes nothing; what was asked for reads as
	// asked for until a hold has been and gone behind it, a zeroise until the memories have been overwritten too. Assumed: where a stop
	// has been seen or the core is held, an idle bus stays idle.
	logic f_reset_q = 1'b1, f_quiet_q, f_reset_owed_q, f_zeroise_owed_q, f_zeroise_held_q;

	always @(posedge clk_i) begin
		f_reset_q <= 1'b0;
		assume (rst_ni == !f_reset_q);
		assume (!f_quiet_q || idle_i);
		f_quiet_q <= !rst_ni || (idle_i && ((stop_q && settled_q) || hold_q)) || !core_rst_no;
		f_reset_owed_q <= rst_ni && (reset_i || (f_reset_owed_q && !hold_ends));
		f_zeroise_owed_q <= rst_ni && (zeroise_i || (f_zeroise_owed_q && !(f_zeroise_held_q && ready_o)));
		f_zeroise_held_q <= rst_ni && !(zeroise_i && !hold_q) && (hold_q || f_zeroise_held_q);
		if (rst_ni) begin
			AssertIdleInReset: assert (core_rst_no || idle_i);
			AssertResetPending: assert (reset_pending_o || !f_reset_owed_q);
			AssertZeroisePending: assert (zeroise_pending_o || !f_zeroise_owed_q);
			AssertSettled: assert (!hold_q || f_quiet_q);
			AssertCoreHeld: assert (hold_q || core_rst_nq || f_quiet_q);
			AssertStops: assert (!(reset_q || zeroise_q) || stop_q || hold_q || f_zeroise_held_q);
			AssertZeroiseHeld: assert (!(zeroise_q && f_zeroise_held_q && stop_q) || reset_q);
		end
	end
`endif
endmodule

`default_nettype wire
