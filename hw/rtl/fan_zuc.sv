// SPDX-License-Identifier: BSD-3-Clause
//
// ZUC (TS 35.222), a word of key stream per clock.
//
//        load    octets j, 4+j, 8+j, 12+j of key and IV in clock j enter at four places at once: s3, s7, s11, s15
//        step    s0 <- s1 <- ... <- s15 <- 2^15 s15 + partial (+ W / 2 while feed_back_i)     modulo 2^31 - 1
//                partial <- 2^17 s14 + 2^21 s11 + 2^20 s5 + (2^8 + 1) s1: the same terms a clock ahead
//
// Four of the five terms of the LFSR are known a clock before they are used. Adding them then leaves one carry-save adder and one
// adder behind W, which is the longest path: two additions of 32 bits.
//
`default_nettype none

module fan_zuc (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  load_i,
	input  wire  [1:0] load_clock_i,  // j
	input  wire  fan_word_t key_i,    // octets j, 4+j, 8+j, 12+j of the key ...
	input  wire  fan_word_t iv_i,     // ... and of the IV
	input  wire  step_i,
	input  wire  feed_back_i,
	output fan_word_t z_o             // one clock after step_i
);
	logic [495:0] s_q;                // s0 in bits 30..0
	logic [30:0] partial_q;
	fan_word_t r1_q, r2_q, z_q;
	fan_word_t x0, x1, x2, x3, w, w1, w2, r1_d, r2_d;

	// ---- Constants of the key (TS 35.222 3.5) ----------------------------------------------------------------------------------

	logic [59:0] constants;           // D_j, D_4+j, D_8+j, D_12+j

	always_comb begin
		unique case (load_clock_i)
			2'd0: constants = {15'h44d7, 15'h5789, 15'h4d78, 15'h5e26};
			2'd1: constants = {15'h26bc, 15'h35e2, 15'h2f13, 15'h3c4d};
			2'd2: constants = {15'h626b, 15'h7135, 15'h6bc4, 15'h789a};
			2'd3: constants = {15'h135e, 15'h09af, 15'h1af1, 15'h47ac};
		endcase
	end

	// ---- Bit reorganisation and F (3.3, 3.4) -----------------------------------------------------------------------------------

	assign x0 = {s_q[31*15 + 15 +: 16], s_q[31*14 +: 16]};
	assign x1 = {s_q[31*11 +: 16], s_q[31*9 + 15 +: 16]};
	assign x2 = {s_q[31*7 +: 16], s_q[31*5 + 15 +: 16]};
	assign x3 = {s_q[31*2 +: 16], s_q[31*0 + 15 +: 16]};
	assign w = (x0 ^ r1_q) + r2_q;
	assign w1 = r1_q + x1;
	assign w2 = r2_q ^ x2;

	wire [31:0] u = {w1[15:0], w2[31:16]};
	wire [31:0] v = {w2[15:0], w1[31:16]};
	wire [31:0] l1_of_u = u ^ {u[29:0], u[31:30]} ^ {u[21:0], u[31:22]} ^ {u[13:0], u[31:14]} ^ {u[7:0], u[31:8]};
	wire [31:0] l2_of_v = v ^ {v[23:0], v[31:24]} ^ {v[17:0], v[31:18]} ^ {v[9:0], v[31:10]} ^ {v[1:0], v[31:2]};

	zuc_substitute u_r1 (.word_i(l1_of_u), .word_o(r1_d));
	zuc_substitute u_r2 (.word_i(l2_of_v), .word_o(r2_d));

	// ---- LFSR (3.2): 2^n times a number of 31 bits is a rotation ---------------------------------------------------------------

	wire [30:0] s1 = s_q[31*1 +: 31];
	wire [30:0] s5 = s_q[31*5 +: 31];
	wire [30:0] s11 = s_q[31*11 +: 31];
	wire [30:0] s14 = s_q[31*14 +: 31];
	wire [30:0] s15 = s_q[31*15 +: 31];
	wire [30:0] sum_a, carry_a, sum_b, carry_b, sum_c, carry_c, sum_d, carry_d, partial, next;

	zuc_sum3 u_sum_a (.a_i({s14[13:0], s14[30:14]}), .b_i({s11[9:0], s11[30:10]}), .c_i({s5[10:0], s5[30:11]}),
		.sum_o(sum_a), .carry_o(carry_a));
	zuc_sum3 u_sum_b (.a_i(sum_a), .b_i({s1[22:0], s1[30:23]}), .c_i(s1), .sum_o(sum_b), .carry_o(carry_b));
	zuc_sum3 u_sum_c (.a_i(sum_b), .b_i(carry_a), .c_i(carry_b), .sum_o(sum_c), .carry_o(carry_c));
	zuc_add u_partial (.a_i(sum_c), .b_i(carry_c), .sum_o(partial));

	zuc_sum3 u_sum_d (.a_i(partial_q), .b_i({s15[15:0], s15[30:16]}), .c_i(w[31:1] & {31{feed_back_i}}),
		.sum_o(sum_d), .carry_o(carry_d));
	zuc_add u_next (.a_i(sum_d), .b_i(carry_d), .sum_o(next));

	// The low half of s0 has been used when it was s1.
	wire unused = ^s_q[14:0];

	// ---- Registers -------------------------------------------------------------------------------------------------------------

	wire [30:0] to_3 = load_i ? {key_i[31:24], constants[59:45], iv_i[31:24]} : s_q[31*4 +: 31];
	wire [30:0] to_7 = load_i ? {key_i[23:16], constants[44:30], iv_i[23:16]} : s_q[31*8 +: 31];
	wire [30:0] to_11 = load_i ? {key_i[15:8], constants[29:15], iv_i[15:8]} : s_q[31*12 +: 31];
	wire [30:0] to_15 = load_i ? {key_i[7:0], constants[14:0], iv_i[7:0]} : next;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			s_q <= '0;
			partial_q <= '0;
		end else if (load_i || step_i) begin
			s_q <= {to_15, s_q[31*13 +: 93], to_11, s_q[31*9 +: 93], to_7, s_q[31*5 +: 93], to_3, s_q[31*1 +: 93]};
			partial_q <= partial;
		end
	end

	always_ff @(posedge clk_i) begin
		if (!rst_ni || load_i) begin
			r1_q <= '0;
			r2_q <= '0;
			z_q <= '0;
		end else if (step_i) begin
			r1_q <= r1_d;
			r2_q <= r2_d;
			z_q <= w ^ x3;
		end
	end
	assign z_o = z_q;
endmodule

`default_nettype wire
