// SPDX-License-Identifier: BSD-3-Clause
//
// How much of what is left one read may ask for: never across a multiple of 4,096 octets (AXI), and no more than Most lines.
// Combinational.
//
`default_nettype none

module fan_burst #(
	parameter int Most = 16,
	parameter int LeftBits = 7
) (
	input  wire [5:0]          line_i,    // within its 4,096 octets
	input  wire [LeftBits-1:0] left_i,    // lines, not 0
	output wire [4:0]          lines_o,
	output wire                ends_o     // all that is left
);
	wire [6:0] page = 7'd64 - {1'b0, line_i};
	wire [6:0] bound = page < 7'(Most) ? page : 7'(Most);

	assign ends_o = 7'(left_i) <= bound;
	assign lines_o = ends_o ? 5'(left_i) : 5'(bound);

`ifdef FORMAL
	// For all inputs: a burst has a line at least, asks for no more than is left and ends in the 4,096 octets in which it begins.
	always @* begin
		assume (left_i != '0);
		assert (lines_o != '0 && lines_o <= 5'(Most) && 7'(lines_o) <= 7'(left_i));
		assert ({1'b0, line_i} + 7'(lines_o) <= 7'd64);
		assert (ends_o == (7'(lines_o) == 7'(left_i)));
		assert (ends_o || lines_o == 5'(Most) || {1'b0, line_i} + 7'(lines_o) == 7'd64);
	end
`endif
endmodule

`default_nettype wire
