// SPDX-License-Identifier: BSD-3-Clause
//
// The place of one UE in a stream lane: what the item brought, generators and MAC, and the words of its result. It has no control
// of its own; all cells do the same thing in the same clock, each with its own key.
//
//      S   item memory read: word of the keys, or word of private head or clear prefix; generators step
//      T   text: shared | own octets; ^ key stream -> result word; what the MAC covers of it
//      U   result word into its memory; MAC's word put together of the word before and this one
//      V   MAC
//
// Two banks, of items and of results: a group's items come while the group before is worked on, and its results go out while the
// group behind is.
//
`default_nettype none

module fan_stream_cell #(
	parameter bit Zuc = 1'b0
) (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  scrub_i,                        // overwrite one word of each memory a clock; all inputs are 0 then
	input  wire  [7:0] scrub_address_i,

	input  wire  item_write_i,
	input  wire  [2:0] item_address_i,           // bank, entry
	input  wire  [fan_stream_pkg::ENTRY_BITS-1:0] item_data_i,

	input  wire  fan_stream_step_t step_i,       // S
	input  wire  fan_stream_text_t text_i,       // T
	input  wire  write_i,                        // U
	input  wire  [7:0] write_row_i,              // U: bank, block
	input  wire  [1:0] write_place_i,            // U
	input  wire  [1:0] turn_i,                   // U: octets of the word before that begin the MAC's
	input  wire  fan_word_t extra_i,             // U: for the MAC, behind the message
	input  wire  fan_stream_mac_t mac_i,         // V

	input  wire  read_i,
	input  wire  [7:0] read_row_i,
	output fan_block_t block_o,                  // one clock later
	output fan_word_t mac_o
);
	// ---- S ---------------------------------------------------------------------------------------------------------------------

	fan_stream_entry_t entry;
	wire [fan_stream_pkg::ENTRY_BITS-1:0] entry_bits;
	fan_word_t own_q;

	fan_ram_async #(.Width(fan_stream_pkg::ENTRY_BITS), .Depth(8)) u_items (
		.clk_i,
		.write_i(item_write_i || scrub_i), .write_address_i(scrub_i ? scrub_address_i[2:0] : item_address_i),
		.write_data_i(item_data_i),
		.read_address_i({step_i.bank, step_i.entry}), .read_data_o(entry_bits)
	);
	assign entry = entry_bits;

	fan_block_t block;
	wire [1:0] word = step_i.word;

	assign block = entry.block;

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			own_q <= '0;
		else
			own_q <= block[{~word, 5'd0} +: 32];
	end

	// ---- T ---------------------------------------------------------------------------------------------------------------------

	fan_word_t z, plain, own, seen, out_q, source_q;

	for (genvar i = 0; i < 4; i++) begin : g_octet
		assign own[8*i +: 8] = {8{text_i.own[i]}};
		assign seen[8*i +: 8] = {8{text_i.mac_cipher[i]}};
	end
	assign plain = text_i.shared | (own_q & own);

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			out_q <= '0;
			source_q <= '0;
		end else begin
			out_q <= plain ^ (z & {32{text_i.cipher}});
			source_q <= plain ^ (z & seen);
		end
	end

	// ---- U ---------------------------------------------------------------------------------------------------------------------

	fan_word_t before_q, mac_word, mac_word_q;

	assign mac_word = 32'({before_q, source_q} >> {turn_i, 3'd0});

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			before_q <= '0;
			mac_word_q <= '0;
		end else begin
			before_q <= source_q;
			mac_word_q <= mac_word ^ extra_i;
		end
	end

	for (genvar i = 0; i < 4; i++) begin : g_place
		fan_ram_sync #(.Width(32), .Depth(256)) u_words (
			.clk_i,
			.write_i((write_i && write_place_i == 2'(i)) || scrub_i),
			.write_address_i(scrub_i ? scrub_address_i : write_row_i), .write_data_i(out_q),
			.read_i, .read_address_i(read_row_i), .read_data_o(block_o[32*(3 - i) +: 32])
		);
	end

	// ---- Generators and MAC ----------------------------------------------------------------------------------------------------

	if (Zuc) begin : g_zuc
		fan_zuc_unit u_unit (
			.clk_i, .rst_ni, .step_i, .k_enc_i(entry.k_enc), .k_int_i(entry.k_int), .identity_i(entry.identity),
			.z_o(z), .mac_first_i(text_i.mac_first), .mac_i, .mac_word_i(mac_word_q), .mac_o
		);
	end else begin : g_snow3g
		fan_snow3g_unit u_unit (
			.clk_i, .rst_ni, .step_i, .k_enc_i(entry.k_enc), .k_int_i(entry.k_int), .identity_i(entry.identity),
			.z_o(z), .mac_first_i(text_i.mac_first), .mac_i, .mac_word_i(mac_word_q), .mac_o
		);
	end

	wire unused = ^{text_i.write, text_i.place};
endmodule

`default_nettype wire
