// SPDX-License-Identifier: BSD-3-Clause
//
// The next block of the message of CMAC: COUNT || BEARER || DIRECTION || 0^26, clear prefix, text, then 1 and zeros to a whole
// block (TS 33.401 B.2.3, SP 800-38B 6.2).
//
// Text stands at a fixed offset in the blocks of CMAC, the same for a whole message. So every block of text is rotated by that
// offset once; its front part completes the block of CMAC under way and its back part begins the next one, a turn later:
//
//      text       | a0 ................. a15 | b0 ................. b15 |
//      rotated    | a(16-o)..a15 | a0 ...    | b(16-o)..b15 | b0 ...    |
//      CMAC          ... before  | a0 ... a(15-o)|  a(16-o)..a15 | b0 ...
//                                ^ offset o
//
// The back part waits in a memory of one block per slot. In the first step (and with `lag` the second) the prefix takes the place
// of what would be waiting.
//
`default_nettype none

module fan_mac_block (
	input  wire  clk_i,
	input  wire  fan_block_t source_i,      // D
	input  wire  [3:0] offset_i,                 // D
	input  wire  fan_slot_t slot_i,         // E, and so are the others
	input  wire  fan_step_t step_i,
	input  wire  lag_i,
	input  wire  last_i,
	input  wire  [3:0] tail_i,
	input  wire  fan_identity_t identity_i,
	input  wire  fan_block_t clear_i,
	output wire  fan_block_t block_o        // F
);
	// ---- D: rotate right by offset octets ----------------------------------------------------------------------------------

	fan_block_t by_words, by_octets, rotated_q;

	assign by_words = 128'({source_i, source_i} >> {offset_i[3:2], 5'd0});
	assign by_octets = 128'({by_words, by_words} >> {offset_i[1:0], 3'd0});

	logic [3:0] offset_q;

	always_ff @(posedge clk_i) begin
		rotated_q <= by_octets;
		offset_q <= offset_i;
	end

	// ---- E: put together, pad ----------------------------------------------------------------------------------------------

	fan_block_t kept;
	fan_block_t waiting, block, block_q;

	fan_ram_async #(.Width(128), .Depth(fan_pkg::SLOTS_MAX)) u_kept (
		.clk_i,
		.write_i(1'b1), .write_address_i(slot_i), .write_data_i(rotated_q),
		.read_address_i(slot_i), .read_data_o(kept)
	);

	wire first = step_i == 7'd1;
	wire second = step_i == 7'd2 && lag_i;

	assign waiting[127:64] = first ? {identity_i, 26'd0} : second ? clear_i[63:0] : kept[127:64];
	assign waiting[63:0] = first ? clear_i[127:64] : kept[63:0];

	// Bit 15 - i for octet i.
	wire [15:0] text = {16{!(first && lag_i)}} & (16'hffff >> offset_q);
	wire [15:0] part = ~(16'hffff >> tail_i);
	wire        padded = last_i && tail_i != '0;
	wire [15:0] here = {16{step_i != '0}} & (padded ? part : 16'hffff);
	wire [15:0] pad = padded ? 16'h8000 >> tail_i : '0;

	for (genvar i = 0; i < 16; i++) begin : g_octet
		assign block[8*i +: 8] =
			((text[i] ? rotated_q[8*i +: 8] : waiting[8*i +: 8]) & {8{here[i]}}) | {pad[i], 7'd0};
	end

	always_ff @(posedge clk_i)
		block_q <= block;
	assign block_o = block_q;
endmodule

`default_nettype wire
