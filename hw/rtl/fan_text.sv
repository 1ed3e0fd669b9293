// SPDX-License-Identifier: BSD-3-Clause
//
// Text of one UE, a block per turn: private head or message, cut at its length, ciphered where the order says so.
//
//      clock   A             B                          C                              D
//      message RAM address   octets [r] -------------> --\
//      heads                 head of the slot [r] ----> --+- cut ^ key stream [r] --> out_o    to the result
//                                                          \ text that CMAC sees [r] --> mac_source_o
//
// Behind the end of the text the plain octets are 0, so that what stands in the place of a ciphered MAC-I is the bare key stream;
// fan_results.sv adds the MAC to it when that is known, and cuts what is behind.
//
`default_nettype none

module fan_text (
	input  wire  clk_i,
	input  wire  scrub_i,                       // give zeros
	input  wire  fan_visit_t visit_i,      // B
	input  wire  fan_plan_t plan_i,        // B
	input  wire  [383:0] head_i,                // B
	input  wire  fan_step_t block_i,       // B: block of text whose turn it is
	input  wire  fan_block_t message_i,    // C
	input  wire  fan_block_t key_stream_i, // C
	output wire  out_valid_o,                   // C: there will be a block at D ...
	output wire  fan_step_t out_block_o,   // C: ... and its number in the UE's result
	output wire  fan_block_t out_o,        // D
	output wire  fan_block_t mac_source_o  // D
);
	// ---- B -----------------------------------------------------------------------------------------------------------------

	wire begun = visit_i.step != '0 && !(plan_i.lag && visit_i.step == 7'd1);
	wire in_head = block_i < {5'd0, plan_i.shape.head_blocks};

	logic out_valid_q, in_head_q, whole_q, part_q, cipher_q, mac_behind_q;
	logic [3:0] part_bytes_q;
	fan_step_t block_q;
	fan_block_t head_q;

	always_ff @(posedge clk_i) begin
		out_valid_q <= visit_i.busy && begun && block_i < plan_i.out_blocks;
		block_q <= block_i;
		in_head_q <= in_head;
		head_q <= block_i[1] ? head_i[127:0] : block_i[0] ? head_i[255:128] : head_i[383:256];
		whole_q <= !scrub_i && block_i < plan_i.shape.text_bytes[10:4];
		part_q <= !scrub_i && block_i == plan_i.shape.text_bytes[10:4];
		part_bytes_q <= plan_i.shape.text_bytes[3:0];
		cipher_q <= !scrub_i && plan_i.shape.order.cipher;
		mac_behind_q <= plan_i.shape.order.mac_behind;
	end

	// ---- C -----------------------------------------------------------------------------------------------------------------

	fan_block_t plain, out, out_q, mac_source_q;

	// Bit 15 - i for octet i: the first part_bytes_q octets.
	wire [15:0] part = ~(16'hffff >> part_bytes_q);
	wire [15:0] here = {16{whole_q}} | (part & {16{part_q}});

	for (genvar i = 0; i < 16; i++) begin : g_cut
		assign plain[8*i +: 8] = (in_head_q ? head_q[8*i +: 8] : message_i[8*i +: 8]) & {8{here[i]}};
	end
	assign out = plain ^ (key_stream_i & {128{cipher_q}});

	always_ff @(posedge clk_i) begin
		out_q <= out;
		mac_source_q <= mac_behind_q ? plain : out;
	end
	assign out_valid_o = out_valid_q;
	assign out_block_o = block_q;
	assign out_o = out_q;
	assign mac_source_o = mac_source_q;
endmodule

`default_nettype wire
