// SPDX-License-Identifier: BSD-3-Clause
//
// SNOW 3G (TS 35.216), a word of key stream per clock.
//
//        load    key words 0..3, one a clock, enter at four places at once:  s3 s7 s11 s15
//                  s0 ... s3      s4 ... s7      s8 ... s11        s12 ... s15
//                  <- ~k0..~k3    <- k0..k3      <- ~k ^ IV        <- k ^ IV
//        step    s0 <- s1 <- ... <- s15 <- alpha s0 + s2 + s11 / alpha (+ F while feed_back_i)
//                R1 <- R2 + (R3 ^ s5), R2 <- S1(R1), R3 <- S2(R2), z <- ((s15 + R1) ^ R2) ^ s0
//
// R2 and R3 are kept as they leave the S-boxes, before the column mix, which is linear and takes 0 to 0. A register directly behind
// an S-box keeps the path short, and yosys from mixing its table with what follows: a cell took 2.4 times the LUTs without.
//
// Loading all sixteen words in one clock would save 3 clocks of 78 (160 octets) and cost a multiplexer for each of 512 bits
// instead of 128. The longest path is one 32-bit addition and one XOR.
//
`default_nettype none

module fan_snow3g (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  load_i,
	input  wire  fan_word_t key_i,    // word j of K (K3 is the key's first) in the j-th clock of load_i
	input  wire  fan_word_t iv_11_i,  // what is added to s8+j ...
	input  wire  fan_word_t iv_15_i,  // ... and to s12+j
	input  wire  step_i,
	input  wire  feed_back_i,
	output fan_word_t z_o             // one clock after step_i
);
	logic [511:0] s_q;                // s0 in bits 31..0
	fan_word_t r1_q, r2_boxed_q, r3_boxed_q, z_q;
	fan_word_t s0, s2, s5, s11, s15, f, feedback, r2, r3, r1_boxed, r2_boxed, to_3, to_7, to_11, to_15;

	assign s0 = s_q[32*0 +: 32];
	assign s2 = s_q[32*2 +: 32];
	assign s5 = s_q[32*5 +: 32];
	assign s11 = s_q[32*11 +: 32];
	assign s15 = s_q[32*15 +: 32];

	// ---- Linear: multiplication and division by alpha (TS 35.216 3.4.2 to 3.4.4), one column per bit of the octet -------------

	wire [7:0] high = s0[31:24];
	wire [7:0] low = s11[7:0];
	fan_word_t multiplied, divided;

	assign multiplied = {s0[23:0], 8'd0} ^
		(32'he19fcf13 & {32{high[0]}}) ^ (32'h6b973726 & {32{high[1]}}) ^
		(32'hd6876e4c & {32{high[2]}}) ^ (32'h05a7dc98 & {32{high[3]}}) ^
		(32'h0ae71199 & {32{high[4]}}) ^ (32'h1467229b & {32{high[5]}}) ^
		(32'h28ce449f & {32{high[6]}}) ^ (32'h50358897 & {32{high[7]}});
	assign divided = {8'd0, s11[31:8]} ^
		(32'h180f40cd & {32{low[0]}}) ^ (32'h301e8033 & {32{low[1]}}) ^
		(32'h603ca966 & {32{low[2]}}) ^ (32'hc078fbcc & {32{low[3]}}) ^
		(32'h29f05f31 & {32{low[4]}}) ^ (32'h5249be62 & {32{low[5]}}) ^
		(32'ha492d5c4 & {32{low[6]}}) ^ (32'he18d0321 & {32{low[7]}});

	// ---- State machine (TS 35.216 3.4.6) ---------------------------------------------------------------------------------------

	// S1 and S2 (3.3.1, 3.3.2): the boxes of AES, and S_Q.
	aes_sub_word u_boxes_1 (.word_i(r1_q), .word_o(r1_boxed));
	snow3g_mix #(.Reduction(8'h1b)) u_mix_1 (.word_i(r2_boxed_q), .word_o(r2));
	for (genvar i = 0; i < 4; i++) begin : g_octet
		snow3g_sq u_box_2 (.x_i(r2[8*i +: 8]), .y_o(r2_boxed[8*i +: 8]));
	end
	snow3g_mix #(.Reduction(8'h69)) u_mix_2 (.word_i(r3_boxed_q), .word_o(r3));

	assign f = (s15 + r1_q) ^ r2;
	assign feedback = multiplied ^ s2 ^ divided ^ (f & {32{feed_back_i}});

	assign to_3 = load_i ? ~key_i : s_q[32*4 +: 32];
	assign to_7 = load_i ? key_i : s_q[32*8 +: 32];
	assign to_11 = load_i ? ~key_i ^ iv_11_i : s_q[32*12 +: 32];
	assign to_15 = load_i ? key_i ^ iv_15_i : feedback;

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			s_q <= '0;
		else if (load_i || step_i)
			s_q <= {to_15, s_q[511:416], to_11, s_q[383:288], to_7, s_q[255:160], to_3, s_q[127:32]};
	end

	always_ff @(posedge clk_i) begin
		if (!rst_ni || load_i) begin
			r1_q <= '0;
			r2_boxed_q <= '0;
			r3_boxed_q <= '0;
			z_q <= '0;
		end else if (step_i) begin
			r1_q <= r2 + (r3 ^ s5);
			r2_boxed_q <= r1_boxed;
			r3_boxed_q <= r2_boxed;
			z_q <= f ^ s0;
		end
	end
	assign z_o = z_q;
endmodule

`default_nettype wire
