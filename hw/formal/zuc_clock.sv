// SPDX-License-Identifier: BSD-3-Clause
//
// One clock of ZUC as TS 35.222 has it, in the registers of rtl/fan_zuc.sv: the sum of four of the LFSR's five terms is in `partial_q`,
// made a clock ahead. The sums modulo 2^31 - 1 (formal/zuc_sums.sv) and the tables of the S-boxes have proofs of their own.
//
`default_nettype none

module zuc_clock (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  load_i,
	input  wire  [1:0] load_clock_i,
	input  wire  [31:0] key_i,
	input  wire  [31:0] iv_i,
	input  wire  step_i,
	input  wire  feed_back_i,
	output wire  [31:0] z_o
);
	// 3.5: the constants d_0 to d_15, d_0 in the low bits.
	localparam logic [239:0] Constants = {15'h47ac, 15'h789a, 15'h3c4d, 15'h5e26, 15'h1af1, 15'h6bc4, 15'h2f13, 15'h4d78,
		15'h09af, 15'h7135, 15'h35e2, 15'h5789, 15'h135e, 15'h626b, 15'h26bc, 15'h44d7};

	logic [495:0] s_q;
	logic [30:0] partial_q;
	logic [31:0] r1_q, r2_q, z_q;
	wire [30:0] s [0:15];

	for (genvar i = 0; i < 16; i++) begin : g_cell
		assign s[i] = s_q[31*i +: 31];
	end

	// 3.3: the upper and the lower half of a cell.
	wire [31:0] x0 = {s[15][30:15], s[14][15:0]};
	wire [31:0] x1 = {s[11][15:0], s[9][30:15]};
	wire [31:0] x2 = {s[7][15:0], s[5][30:15]};
	wire [31:0] x3 = {s[2][15:0], s[0][30:15]};

	// 3.4: F. L1 and L2 are sums of rotations.
	wire [31:0] w = (x0 ^ r1_q) + r2_q;
	wire [31:0] w1 = r1_q + x1;
	wire [31:0] w2 = r2_q ^ x2;
	wire [31:0] u = {w1[15:0], w2[31:16]};
	wire [31:0] v = {w2[15:0], w1[31:16]};
	wire [31:0] l1 = u ^ (u << 2 | u >> 30) ^ (u << 10 | u >> 22) ^ (u << 18 | u >> 14) ^ (u << 24 | u >> 8);
	wire [31:0] l2 = v ^ (v << 8 | v >> 24) ^ (v << 14 | v >> 18) ^ (v << 22 | v >> 10) ^ (v << 30 | v >> 2);
	wire [31:0] r1_next, r2_next;

	zuc_substitute u_r1 (.word_i(l1), .word_o(r1_next));
	zuc_substitute u_r2 (.word_i(l2), .word_o(r2_next));

	// 3.2: 2^15 s15 + 2^17 s13 + 2^21 s10 + 2^20 s4 + (1 + 2^8) s0, and W / 2 while the key is run in. Of the next clock's cells all
	// but s15 are this clock's, one further. 2^n s modulo 2^31 - 1 is a rotation.
	wire [30:0] term_13 = s[14] << 17 | s[14] >> 14;
	wire [30:0] term_10 = s[11] << 21 | s[11] >> 10;
	wire [30:0] term_4 = s[5] << 20 | s[5] >> 11;
	wire [30:0] term_0 = s[1] << 8 | s[1] >> 23;
	wire [30:0] term_15 = s[15] << 15 | s[15] >> 16;
	wire [30:0] half = feed_back_i ? w[31:1] : 31'd0;
	wire [30:0] sum_a, carry_a, sum_b, carry_b, sum_c, carry_c, sum_d, carry_d, partial, next;

	zuc_sum3 u_a (.a_i(term_13), .b_i(term_10), .c_i(term_4), .sum_o(sum_a), .carry_o(carry_a));
	zuc_sum3 u_b (.a_i(sum_a), .b_i(term_0), .c_i(s[1]), .sum_o(sum_b), .carry_o(carry_b));
	zuc_sum3 u_c (.a_i(sum_b), .b_i(carry_a), .c_i(carry_b), .sum_o(sum_c), .carry_o(carry_c));
	zuc_add u_partial (.a_i(sum_c), .b_i(carry_c), .sum_o(partial));
	zuc_sum3 u_d (.a_i(partial_q), .b_i(term_15), .c_i(half), .sum_o(sum_d), .carry_o(carry_d));
	zuc_add u_next (.a_i(sum_d), .b_i(carry_d), .sum_o(next));

	// 3.5: cell i is key octet i, d_i, IV octet i. In the clock j of four, cells j, 4 + j, 8 + j and 12 + j are made.
	wire [3:0] j = {2'd0, load_clock_i};
	wire [30:0] in_3 = {key_i[31:24], Constants[15*j +: 15], iv_i[31:24]};
	wire [30:0] in_7 = {key_i[23:16], Constants[15*(j+4) +: 15], iv_i[23:16]};
	wire [30:0] in_11 = {key_i[15:8], Constants[15*(j+8) +: 15], iv_i[15:8]};
	wire [30:0] in_15 = {key_i[7:0], Constants[15*(j+12) +: 15], iv_i[7:0]};

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			s_q <= '0;
		else if (load_i)
			s_q <= {in_15, s_q[495:403], in_11, s_q[371:279], in_7, s_q[247:155], in_3, s_q[123:31]};
		else if (step_i)
			s_q <= {next, s_q[495:31]};
		if (!rst_ni)
			partial_q <= '0;
		else if (load_i || step_i)
			partial_q <= partial;
		if (!rst_ni || load_i) begin
			r1_q <= '0;
			r2_q <= '0;
			z_q <= '0;
		end else if (step_i) begin
			r1_q <= r1_next;
			r2_q <= r2_next;
			z_q <= w ^ x3;
		end
	end
	assign z_o = z_q;
endmodule

`default_nettype wire
