// SPDX-License-Identifier: BSD-3-Clause
//
// AES-128 encryption (FIPS 197), one block and one key per clock, 21 clocks from input to output.
//
// Fan-out gives every block a key of its own owner, so there is no schedule to keep: the raw key enters with the block and is
// expanded beside it, one round key per round. Nothing here is reset and nothing stalls; who feeds the pipe counts clocks.
//
//      clock     0              1        2            3        4                         20         21
//      state  in ^ key --[r]-- Sub --[r]-- Mix ^ k1 --[r]-- Sub --[r]-- Mix ^ k2 -- ... --[r]-- Rows ^ k10 --[r]-- out
//      key    Sub(w3)  --[r]-- k1  --[r]-- Sub(w3)  --[r]-- k2  --[r]-- Sub(w3)  -- ... --
//
// The register after SubBytes halves the path, and without it yosys' LUT mapper duplicates S-boxes into MixColumns (3.6 times
// the area). The key schedule runs half a round ahead of the state, so that its S-box and its XORs are not in one clock either.
// The state is four 32-bit columns, not sixteen octets or one vector of 128: that is what simulates fast.
//
`default_nettype none

module aes128_pipe (
	input  wire clk_i,
	input  wire fan_block_t key_i,
	input  wire fan_block_t block_i,
	output wire fan_block_t block_o
);
	// Round r takes what stands before its two registers and gives what stands behind them.
	wire [127:0] state [0:10];
	wire [127:0] key [0:10];
	wire [31:0] key_sub [0:10];

	logic [127:0] state_q, key_q;
	logic [31:0] key_sub_q;
	wire [31:0] key_sub_d;

	aes_sub_word u_sub (.word_i({key_i[23:0], key_i[31:24]}), .word_o(key_sub_d));

	always_ff @(posedge clk_i) begin
		state_q <= block_i ^ key_i;
		key_q <= key_i;
		key_sub_q <= key_sub_d;
	end
	assign state[0] = state_q;
	assign key[0] = key_q;
	assign key_sub[0] = key_sub_q;

	for (genvar r = 1; r <= 10; r++) begin : g_round
		aes128_round #(.Round(r)) u_round (
			.clk_i,
			.state_i(state[r-1]), .key_i(key[r-1]), .key_sub_i(key_sub[r-1]),
			.state_o(state[r]), .key_o(key[r]), .key_sub_o(key_sub[r])
		);
	end
	assign block_o = state[10];
endmodule

`default_nettype wire
