// SPDX-License-Identifier: BSD-3-Clause
//
// A value some clocks later; Clocks = 0 is a wire. It makes the round trip through an AES pipe as long as one turn of the slots.
//
`default_nettype none

module fan_delay #(
	parameter int Width = 128,
	parameter int Clocks = 1
) (
	input  wire             clk_i,
	input  wire [Width-1:0] value_i,
	output wire [Width-1:0] value_o
);
	if (Clocks == 0) begin : g_wire
		assign value_o = value_i;
		wire unused = clk_i;
	end else begin : g_registers
		logic [Width-1:0] value_q;

		always_ff @(posedge clk_i)
			value_q <= value_i;
		fan_delay #(.Width(Width), .Clocks(Clocks - 1)) u_rest (.clk_i, .value_i(value_q), .value_o);
	end
endmodule

`default_nettype wire
