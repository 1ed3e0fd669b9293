// SPDX-License-Identifier: BSD-3-Clause
//
// Subkeys of CMAC (SP 800-38B 6.1). A UE's step 0 encrypts the zero block; the result L comes back in its step 1 and waits in a
// memory of one block per slot until the last step, where K1 = 2 L goes onto a whole block and K2 = 4 L onto a padded one.
//
`default_nettype none

module fan_subkey (
	input  wire  clk_i,
	input  wire  keep_i,                     // D: chain_i is L of the UE in slot keep_slot_i
	input  wire  fan_slot_t keep_slot_i,
	input  wire  fan_block_t chain_i,   // D
	input  wire  fan_slot_t slot_i,     // E
	input  wire  use_i,                      // E
	input  wire  padded_i,                   // E
	output wire  fan_block_t subkey_o   // F; 0 unless used
);
	fan_block_t l;
	// In GF(2^128) modulo x^128 + x^7 + x^2 + x + 1: 0x87 for each bit that a shift pushes out.
	fan_block_t k1;
	assign k1 = {l[126:0], 1'b0} ^ {120'd0, {8{l[127]}} & 8'h87};
	fan_block_t k2;
	assign k2 = {l[125:0], 2'b0} ^ {119'd0, {9{l[127]}} & 9'h10e} ^ {120'd0, {8{l[126]}} & 8'h87};
	fan_block_t subkey_q;

	fan_ram_async #(.Width(128), .Depth(fan_pkg::SLOTS_MAX)) u_l (
		.clk_i,
		.write_i(keep_i), .write_address_i(keep_slot_i), .write_data_i(chain_i),
		.read_address_i(slot_i), .read_data_o(l)
	);

	always_ff @(posedge clk_i)
		subkey_q <= !use_i ? '0 : padded_i ? k2 : k1;
	assign subkey_o = subkey_q;
endmodule

`default_nettype wire
