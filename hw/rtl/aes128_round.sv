// SPDX-License-Identifier: BSD-3-Clause
//
// One round of AES-128 and of its key schedule, in two clocks: see the drawing in aes128_pipe.sv.
//
`default_nettype none

module aes128_round #(
	parameter int Round = 1  // 1..10; the tenth has no MixColumns and nobody needs its SubWord
) (
	input  wire  clk_i,
	input  wire  [127:0] state_i,    // not yet in a register: aes_sub_column has it
	input  wire  [127:0] key_i,      // round key Round - 1, of the block that is in state_i a clock later
	input  wire  [31:0]  key_sub_i,  // SubWord(RotWord(last column of key_i))
	output wire  [127:0] state_o,
	output wire  [127:0] key_o,
	output wire  [31:0]  key_sub_o
);
	localparam bit Final = Round == 10;
	// x^(Round-1) in GF(2^8) (FIPS 197, 5.2).
	localparam logic [7:0] Rcon = Round == 9 ? 8'h1b : Round == 10 ? 8'h36 : 8'(1 << (Round - 1));

	// ---- State: SubBytes in two clocks, then ShiftRows, MixColumns, AddRoundKey up to the next round's register ------------

	wire [31:0] sub0, sub1, sub2, sub3;
	wire [31:0] row0 = {sub0[31:24], sub1[23:16], sub2[15:8], sub3[7:0]};
	wire [31:0] row1 = {sub1[31:24], sub2[23:16], sub3[15:8], sub0[7:0]};
	wire [31:0] row2 = {sub2[31:24], sub3[23:16], sub0[15:8], sub1[7:0]};
	wire [31:0] row3 = {sub3[31:24], sub0[23:16], sub1[15:8], sub2[7:0]};
	wire [31:0] mix0, mix1, mix2, mix3;

	aes_sub_column u_sub0 (.clk_i, .column_i(state_i[127:96]), .column_o(sub0));
	aes_sub_column u_sub1 (.clk_i, .column_i(state_i[95:64]), .column_o(sub1));
	aes_sub_column u_sub2 (.clk_i, .column_i(state_i[63:32]), .column_o(sub2));
	aes_sub_column u_sub3 (.clk_i, .column_i(state_i[31:0]), .column_o(sub3));

	// ---- Key: the round key in the first clock, SubWord for the next one up to the second ----------------------------------

	wire [31:0] change = key_sub_i ^ {Rcon, 24'h0};
	wire [31:0] key0_d = key_i[127:96] ^ change;
	wire [31:0] key1_d = key_i[127:96] ^ key_i[95:64] ^ change;
	wire [31:0] key2_d = key_i[127:96] ^ key_i[95:64] ^ key_i[63:32] ^ change;
	wire [31:0] key3_d = key_i[127:96] ^ key_i[95:64] ^ key_i[63:32] ^ key_i[31:0] ^ change;
	logic [31:0] key0_q, key1_q, key2_q, key3_q;

	always_ff @(posedge clk_i) begin
		key0_q <= key0_d;
		key1_q <= key1_d;
		key2_q <= key2_d;
		key3_q <= key3_d;
	end
	assign state_o = {mix0 ^ key0_q, mix1 ^ key1_q, mix2 ^ key2_q, mix3 ^ key3_q};

	if (Final) begin : g_final
		assign mix0 = row0;
		assign mix1 = row1;
		assign mix2 = row2;
		assign mix3 = row3;
		assign key_o = '0;
		assign key_sub_o = '0;
	end else begin : g_middle
		logic [127:0] key_q;

		aes_mix_column u_mix0 (.column_i(row0), .column_o(mix0));
		aes_mix_column u_mix1 (.column_i(row1), .column_o(mix1));
		aes_mix_column u_mix2 (.column_i(row2), .column_o(mix2));
		aes_mix_column u_mix3 (.column_i(row3), .column_o(mix3));
		aes_sub_column #(.Schedule(1'b1)) u_sub_key (.clk_i, .column_i({key3_d[23:0], key3_d[31:24]}), .column_o(key_sub_o));

		always_ff @(posedge clk_i)
			key_q <= {key0_q, key1_q, key2_q, key3_q};
		assign key_o = key_q;
	end
endmodule

`default_nettype wire
