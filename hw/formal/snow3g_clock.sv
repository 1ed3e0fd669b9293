// SPDX-License-Identifier: BSD-3-Clause
//
// One clock of SNOW 3G as TS 35.216 has it, in the registers of rtl/fan_snow3g.sv: R2 and R3 without the column mix that S1 and S2 end
// with. Products with alpha are made of the definition, MULxPOW, not of columns. The tables of S-boxes have proofs of their own, and the
// mixes are linear, so that vectors see all of them.
//
`default_nettype none

// MULxPOW(V, Times, c) of 3.1.2: V times x, so often.
module snow3g_power #(
	parameter int Times = 1,
	parameter logic [7:0] Modulus = 8'ha9
) (
	input  wire [7:0] v_i,
	output wire [7:0] v_o
);
	wire [8*Times+7:0] v;

	assign v[7:0] = v_i;
	for (genvar i = 0; i < Times; i++) begin : g_times
		assign v[8*i+8 +: 8] = {v[8*i +: 7], 1'b0} ^ (v[8*i+7] ? Modulus : 8'h00);
	end
	assign v_o = v[8*Times +: 8];
endmodule

module snow3g_clock (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  load_i,
	input  wire  [31:0] key_i,
	input  wire  [31:0] iv_11_i,
	input  wire  [31:0] iv_15_i,
	input  wire  step_i,
	input  wire  feed_back_i,
	output wire  [31:0] z_o
);
	logic [511:0] s_q;
	logic [31:0] r1_q, r2_boxed_q, r3_boxed_q, z_q;
	wire [31:0] s [0:15];
	wire [31:0] r2, r3, r1_boxed, r2_boxed, multiplied, divided;

	for (genvar i = 0; i < 16; i++) begin : g_cell
		assign s[i] = s_q[32*i +: 32];
	end

	// MULalpha of s0's first octet, DIValpha of s11's last (3.4.2, 3.4.3).
	snow3g_power #(.Times(23)) u_m3 (.v_i(s[0][31:24]), .v_o(multiplied[31:24]));
	snow3g_power #(.Times(245)) u_m2 (.v_i(s[0][31:24]), .v_o(multiplied[23:16]));
	snow3g_power #(.Times(48)) u_m1 (.v_i(s[0][31:24]), .v_o(multiplied[15:8]));
	snow3g_power #(.Times(239)) u_m0 (.v_i(s[0][31:24]), .v_o(multiplied[7:0]));
	snow3g_power #(.Times(16)) u_d3 (.v_i(s[11][7:0]), .v_o(divided[31:24]));
	snow3g_power #(.Times(39)) u_d2 (.v_i(s[11][7:0]), .v_o(divided[23:16]));
	snow3g_power #(.Times(6)) u_d1 (.v_i(s[11][7:0]), .v_o(divided[15:8]));
	snow3g_power #(.Times(64)) u_d0 (.v_i(s[11][7:0]), .v_o(divided[7:0]));

	aes_sub_word u_boxes_1 (.word_i(r1_q), .word_o(r1_boxed));
	snow3g_mix #(.Reduction(8'h1b)) u_mix_1 (.word_i(r2_boxed_q), .word_o(r2));
	for (genvar i = 0; i < 4; i++) begin : g_octet
		snow3g_sq u_box_2 (.x_i(r2[8*i +: 8]), .y_o(r2_boxed[8*i +: 8]));
	end
	snow3g_mix #(.Reduction(8'h69)) u_mix_2 (.word_i(r3_boxed_q), .word_o(r3));

	// 3.4.6: F = (s15 [+] R1) ^ R2, r = R2 [+] (R3 ^ s5). 3.4.4 and 3.4.5: v, with F while the key is run in.
	wire [31:0] f = (s[15] + r1_q) ^ r2;
	wire [31:0] v = {s[0][23:0], 8'h00} ^ multiplied ^ s[2] ^ {8'h00, s[11][31:8]} ^ divided ^ (feed_back_i ? f : 32'd0);

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			s_q <= '0;
		else if (load_i)
			s_q <= {key_i ^ iv_15_i, s_q[511:416], ~key_i ^ iv_11_i, s_q[383:288], key_i, s_q[255:160], ~key_i, s_q[127:32]};
		else if (step_i)
			s_q <= {v, s_q[511:32]};
		if (!rst_ni || load_i) begin
			r1_q <= '0;
			r2_boxed_q <= '0;
			r3_boxed_q <= '0;
			z_q <= '0;
		end else if (step_i) begin
			r1_q <= r2 + (r3 ^ s[5]);
			r2_boxed_q <= r1_boxed;
			r3_boxed_q <= r2_boxed;
			z_q <= f ^ s[0];
		end
	end
	assign z_o = z_q;
endmodule

`default_nettype wire
