// SPDX-License-Identifier: BSD-3-Clause
//
// The promise of every valid/ready port in this design: what is offered stays offered, unchanged, until it is taken. Instantiated
// at each port; vanishes in synthesis.
//
`include "fan_assert.svh"
`default_nettype none

module fan_stable_check #(
	parameter int Width = 1,
	parameter bit Given = 1'b0  // a port that others drive: a proof of the module that it belongs to assumes it
) (
	input wire             clk_i,
	input wire             rst_ni,
	input wire             valid_i,
	input wire             ready_i,
	input wire [Width-1:0] data_i
);
	logic waiting_q;
	logic [Width-1:0] data_q;

	always_ff @(posedge clk_i) begin
		waiting_q <= rst_ni && valid_i && !ready_i;
		// A reset clears the copy too: a search for secrets in a model would find it here.
		if (!rst_ni)
			data_q <= '0;
		else if (valid_i && !ready_i)
			data_q <= data_i;
	end

	wire kept = !waiting_q || (valid_i && data_i == data_q);

`ifdef FORMAL
	if (Given) begin : g_given
		always @(posedge clk_i) assume (!rst_ni || kept);
	end else begin : g_kept
		`FAN_ASSERT(AssertKept, kept)
	end
`else
	`FAN_ASSERT(AssertKept, kept)
`endif
endmodule

`default_nettype wire
