// SPDX-License-Identifier: BSD-3-Clause
//
// The MAC of 128-EIA1 (TS 35.215 4.4) from five words of key stream and the message: a polynomial over GF(2^64) evaluated at
// P = z1 z2, times Q = z3 z4 with the length added, its upper half plus z5.
//
// A block of 64 bits takes two clocks, as it takes two to come: V P = (V_high P) x^32 + V_low P. Each half is a product of 32 by
// 64 bits; at a word per clock there is no time in which a smaller multiplier could catch up.
//
`include "fan_assert.svh"
`default_nettype none

module fan_eia1_mac (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  stream_first_i,         // stream_i is z1; the others follow, one a clock
	input  wire  fan_word_t stream_i,
	input  wire  fan_stream_mac_t mac_i,
	input  wire  fan_word_t word_i,
	output fan_word_t mac_o              // after the last step, until the next first one
);
	// ---- Key stream ----------------------------------------------------------------------------------------------------------

	logic [3:0] turn_q;
	logic [63:0] p_q, q_q;
	fan_word_t otp_q;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			turn_q <= '0;
			p_q <= '0;
			q_q <= '0;
			otp_q <= '0;
		end else begin
			turn_q <= {turn_q[2:0], stream_first_i};
			if (stream_first_i)
				p_q[63:32] <= stream_i;
			if (turn_q[0])
				p_q[31:0] <= stream_i;
			if (turn_q[1])
				q_q[63:32] <= stream_i;
			if (turn_q[2])
				q_q[31:0] <= stream_i;
			if (turn_q[3])
				otp_q <= stream_i;
		end
	end

	// ---- Polynomial ------------------------------------------------------------------------------------------------------------

	logic [63:0] sum_q, factor, sum_d;
	fan_word_t low_q, digit;
	wire [95:0] product;
	wire [95:0] wide = product ^ (mac_i.second ? {sum_q, 32'd0} : 96'd0);
	wire [31:0] over = wide[95:64];
	// x^64 = x^4 + x^3 + x + 1; what goes over a second time is 4 bits.
	wire [35:0] folded = {4'd0, over} ^ {3'd0, over, 1'b0} ^ {1'd0, over, 3'd0} ^ {over, 4'd0};

	assign factor = mac_i.closing ? q_q : p_q;
	assign digit = (mac_i.second ? low_q : sum_q[63:32] & {32{!mac_i.first}}) ^ word_i;
	fan_product #(.A(64), .B(32)) u_product (.a_i(factor), .b_i(digit), .p_o(product));
	assign sum_d = wide[63:0] ^ {28'd0, folded};

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			sum_q <= '0;
			low_q <= '0;
		end else if (mac_i.step) begin
			sum_q <= sum_d;
			low_q <= sum_q[31:0] & {32{!mac_i.first}};
		end
	end
	assign mac_o = sum_q[63:32] ^ otp_q;

	wire unused = mac_i.last ^ mac_i.alone;

	`FAN_ASSERT(AssertStreamBeforeUse, !(mac_i.step && mac_i.first && (stream_first_i || turn_q[0])))
endmodule

`default_nettype wire
