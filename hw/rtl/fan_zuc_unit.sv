// SPDX-License-Identifier: BSD-3-Clause
//
// What one UE needs of ZUC: a generator for 128-EEA3, one for 128-EIA3 beside it, and the MAC. Letters of clocks as in
// fan_stream_lane.sv.
//
`default_nettype none

module fan_zuc_unit (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  fan_stream_step_t step_i,      // S
	input  wire  fan_word_t k_enc_i,            // S: octets `entry`, 4 and 8 and 12 behind it, of the key while it is loaded
	input  wire  fan_word_t k_int_i,
	input  wire  fan_identity_t identity_i,
	output fan_word_t z_o,                      // T
	input  wire  mac_first_i,                   // T
	input  wire  fan_stream_mac_t mac_i,        // V
	input  wire  fan_word_t mac_word_i,         // V
	output fan_word_t mac_o
);
	// IV[0..3] = COUNT, IV[4] = BEARER || DIRECTION || 00, IV[5..7] = 0, IV[8..15] the same again for EEA3 (TS 35.221 3).
	// For EIA3 IV[4] is without DIRECTION, which is added to the top bits of IV[8] and IV[14] (4).
	wire [31:0] counts = identity_i.count;
	wire [1:0] entry = step_i.entry;
	wire [7:0] count = counts[{~entry, 3'd0} +: 8];
	fan_word_t z_int;
	wire zeroth = step_i.entry == 2'd0;
	wire second = step_i.entry == 2'd2;
	wire [7:0] bearer = {identity_i.bearer, 3'd0} & {8{zeroth}};
	wire [7:0] direction = {5'd0, identity_i.direction && zeroth, 2'd0};

	fan_zuc u_cipher (
		.clk_i, .rst_ni, .load_i(step_i.load), .load_clock_i(step_i.entry), .key_i(k_enc_i),
		.iv_i({count, bearer | direction, count, bearer | direction}),
		.step_i(step_i.step_cipher), .feed_back_i(step_i.feed_back), .z_o
	);
	fan_zuc u_integrity (
		.clk_i, .rst_ni, .load_i(step_i.load), .load_clock_i(step_i.entry), .key_i(k_int_i),
		.iv_i({count, bearer, count ^ {identity_i.direction && zeroth, 7'd0}, bearer ^ {identity_i.direction && second, 7'd0}}),
		.step_i(step_i.step_mac), .feed_back_i(step_i.feed_back), .z_o(z_int)
	);
	fan_eia3_mac u_mac (.clk_i, .rst_ni, .stream_i(z_int), .mac_i, .word_i(mac_word_i), .mac_o);

	wire unused = ^{step_i.bank, step_i.word, mac_first_i};
endmodule

`default_nettype wire
