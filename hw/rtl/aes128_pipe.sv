// SPDX-License-Identifier: BSD-3-Clause
//
// AES-128 encryption (FIPS 197), one block and one key per clock, 21 clocks from input to output; the key comes a clock ahead of
// its block.
//
// Fan-out gives every block a key of its own owner, so there is no schedule to keep: the raw key enters with the block and is
// expanded beside it, one round key per round. Nothing here is reset and nothing stalls; who feeds the pipe counts clocks.
//
//      clock     -1            0               1             2             3                   19            20
//      state               in ^ key --[r]--   Sub --[r]-- Mix ^ k1 --[r]-- Sub -- ... --[r]-- Sub --[r]-- Rows ^ k10 --[r]-- out
//      key       in --[r]--  Sub(w3) --[r]--  k1  --[r]-- Sub(w3) --[r]--  k2  -- ... --[r]-- k10 --[r]--
//
// The register after SubBytes halves the path, and without it yosys' LUT mapper duplicates S-boxes into MixColumns (3.6 times
// the area). The key schedule runs half a round ahead of the state, so that its S-box and its XORs are not in one clock either.
// Both registers around an S-box are in aes_sub_column.sv, which says why.
// The state is four 32-bit columns, not sixteen octets or one vector of 128: that is what simulates fast.
//
`default_nettype none

module aes128_pipe (
	input  wire clk_i,
	input  wire fan_block_t key_i,    // of the block that comes with the next clock
	input  wire fan_block_t block_i,
	output wire fan_block_t block_o
);
	// Round r takes what stands before its two registers; its state stands before the next round's, its key behind its own.
	wire [127:0] state [0:10];
	wire [127:0] key [0:10];
	wire [31:0] key_sub [0:10];

	logic [127:0] key_q, key_qq, block_q;

	aes_sub_column #(.Schedule(1'b1)) u_sub (.clk_i, .column_i({key_i[23:0], key_i[31:24]}), .column_o(key_sub[0]));

	always_ff @(posedge clk_i) begin
		key_q <= key_i;
		key_qq <= key_q;
		block_q <= state[10];
	end
	assign state[0] = block_i ^ key_q;
	assign key[0] = key_qq;

	for (genvar r = 1; r <= 10; r++) begin : g_round
		aes128_round #(.Round(r)) u_round (
			.clk_i,
			.state_i(state[r-1]), .key_i(key[r-1]), .key_sub_i(key_sub[r-1]),
			.state_o(state[r]), .key_o(key[r]), .key_sub_o(key_sub[r])
		);
	end
	assign block_o = block_q;
endmodule

`default_nettype wire
