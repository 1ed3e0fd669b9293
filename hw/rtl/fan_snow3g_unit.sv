// SPDX-License-Identifier: BSD-3-Clause
//
// What one UE needs of SNOW 3G: a generator for 128-EEA1, one for 128-EIA1 beside it, and the MAC. Letters of clocks as in
// fan_stream_lane.sv.
//
`default_nettype none

module fan_snow3g_unit (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  fan_stream_step_t step_i,      // S
	input  wire  fan_word_t k_enc_i,            // S: word `entry` of the key while it is loaded
	input  wire  fan_word_t k_int_i,
	input  wire  fan_identity_t identity_i,
	output fan_word_t z_o,                      // T
	input  wire  mac_first_i,                   // T
	input  wire  fan_stream_mac_t mac_i,        // V
	input  wire  fan_word_t mac_word_i,         // V
	output fan_word_t mac_o
);
	// IV3 = IV1 = COUNT, IV2 = IV0 = BEARER || DIRECTION || 0^26 for f8 (TS 35.215 3.4). For f9 IV2 = FRESH = BEARER || 0^27,
	// IV1 and IV0 have DIRECTION added in bits 31 and 15 (4.4; TS 33.401 B.2.2). They go to s15, s12, s10, s9.
	wire [3:0] at = 4'b0001 << step_i.entry;
	fan_word_t count, bearer, direction;
	fan_word_t z_int;

	assign count = identity_i.count;
	assign bearer = {identity_i.bearer, 27'd0};
	assign direction = {5'd0, identity_i.direction, 26'd0};

	fan_snow3g u_cipher (
		.clk_i, .rst_ni, .load_i(step_i.load), .key_i(k_enc_i),
		.iv_11_i((count & {32{at[1]}}) | ((bearer | direction) & {32{at[2]}})),
		.iv_15_i((count & {32{at[0]}}) | ((bearer | direction) & {32{at[3]}})),
		.step_i(step_i.step_cipher), .feed_back_i(step_i.feed_back), .z_o
	);
	fan_snow3g u_integrity (
		.clk_i, .rst_ni, .load_i(step_i.load), .key_i(k_int_i),
		.iv_11_i((count & {32{at[1]}}) | (bearer & {32{at[2]}})),
		.iv_15_i(((count ^ {identity_i.direction, 31'd0}) & {32{at[0]}}) |
			((bearer ^ {16'd0, identity_i.direction, 15'd0}) & {32{at[3]}})),
		.step_i(step_i.step_mac), .feed_back_i(step_i.feed_back), .z_o(z_int)
	);
	fan_eia1_mac u_mac (
		.clk_i, .rst_ni, .stream_first_i(mac_first_i), .stream_i(z_int), .mac_i, .word_i(mac_word_i), .mac_o
	);
	wire unused = ^{step_i.bank, step_i.word};
endmodule

`default_nettype wire
