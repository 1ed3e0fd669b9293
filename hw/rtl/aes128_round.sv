// SPDX-License-Identifier: BSD-3-Clause
//
// One round of AES-128 and of its key schedule, in two clocks: see the drawing in aes128_pipe.sv.
//
`default_nettype none

module aes128_round #(
	parameter int Round = 1  // 1..10; the tenth has no MixColumns and nobody needs its SubWord
) (
	input  wire  clk_i,
	input  wire  [127:0] state_i,
	input  wire  [127:0] key_i,      // round key Round - 1
	input  wire  [31:0]  key_sub_i,  // SubWord(RotWord(last column of key_i))
	output wire  [127:0] state_o,
	output wire  [127:0] key_o,
	output wire  [31:0]  key_sub_o
);
	localparam bit Final = Round == 10;
	// x^(Round-1) in GF(2^8) (FIPS 197, 5.2).
	localparam logic [7:0] Rcon = Round == 9 ? 8'h1b : Round == 10 ? 8'h36 : 8'(1 << (Round - 1));

	// ---- First clock: SubBytes; the round key ----------------------------------------------------------------------------

	logic [31:0] sub0_q, sub1_q, sub2_q, sub3_q;
	logic [31:0] key0_q, key1_q, key2_q, key3_q;
	wire [31:0] sub0_d, sub1_d, sub2_d, sub3_d;
	wire [31:0] change = key_sub_i ^ {Rcon, 24'h0};

	aes_sub_word u_sub0 (.word_i(state_i[127:96]), .word_o(sub0_d));
	aes_sub_word u_sub1 (.word_i(state_i[95:64]), .word_o(sub1_d));
	aes_sub_word u_sub2 (.word_i(state_i[63:32]), .word_o(sub2_d));
	aes_sub_word u_sub3 (.word_i(state_i[31:0]), .word_o(sub3_d));

	always_ff @(posedge clk_i) begin
		sub0_q <= sub0_d;
		sub1_q <= sub1_d;
		sub2_q <= sub2_d;
		sub3_q <= sub3_d;
		key0_q <= key_i[127:96] ^ change;
		key1_q <= key_i[127:96] ^ key_i[95:64] ^ change;
		key2_q <= key_i[127:96] ^ key_i[95:64] ^ key_i[63:32] ^ change;
		key3_q <= key_i[127:96] ^ key_i[95:64] ^ key_i[63:32] ^ key_i[31:0] ^ change;
	end

	// ---- Second clock: ShiftRows, MixColumns, AddRoundKey; SubWord for the next round key ----------------------------------

	wire [31:0] row0 = {sub0_q[31:24], sub1_q[23:16], sub2_q[15:8], sub3_q[7:0]};
	wire [31:0] row1 = {sub1_q[31:24], sub2_q[23:16], sub3_q[15:8], sub0_q[7:0]};
	wire [31:0] row2 = {sub2_q[31:24], sub3_q[23:16], sub0_q[15:8], sub1_q[7:0]};
	wire [31:0] row3 = {sub3_q[31:24], sub0_q[23:16], sub1_q[15:8], sub2_q[7:0]};
	wire [31:0] mix0, mix1, mix2, mix3;
	logic [31:0] out0_q, out1_q, out2_q, out3_q;

	always_ff @(posedge clk_i) begin
		out0_q <= mix0 ^ key0_q;
		out1_q <= mix1 ^ key1_q;
		out2_q <= mix2 ^ key2_q;
		out3_q <= mix3 ^ key3_q;
	end
	assign state_o = {out0_q, out1_q, out2_q, out3_q};

	if (Final) begin : g_final
		assign mix0 = row0;
		assign mix1 = row1;
		assign mix2 = row2;
		assign mix3 = row3;
		assign key_o = '0;
		assign key_sub_o = '0;
	end else begin : g_middle
		wire [31:0] key_sub_d;
		logic [31:0] key_sub_q;
		logic [127:0] key_q;

		aes_mix_column u_mix0 (.column_i(row0), .column_o(mix0));
		aes_mix_column u_mix1 (.column_i(row1), .column_o(mix1));
		aes_mix_column u_mix2 (.column_i(row2), .column_o(mix2));
		aes_mix_column u_mix3 (.column_i(row3), .column_o(mix3));
		aes_sub_word u_sub_key (.word_i({key3_q[23:0], key3_q[31:24]}), .word_o(key_sub_d));

		always_ff @(posedge clk_i) begin
			key_sub_q <= key_sub_d;
			key_q <= {key0_q, key1_q, key2_q, key3_q};
		end
		assign key_o = key_q;
		assign key_sub_o = key_sub_q;
	end
endmodule

`default_nettype wire
