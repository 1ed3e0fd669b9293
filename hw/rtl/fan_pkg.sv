// SPDX-License-Identifier: BSD-3-Clause
//
// Types and limits that the modules of the lane share, and the one place where the order of octets is stated.
//
// Octet order. A block is 16 octets in one packed vector, octet 0 (the first on the wire, in0 of FIPS 197) in the MOST
// significant bits, so that a block printed in hexadecimal reads as the standards print it:
//
//      bit    127    120 119    112                                7      0
//            +----------+----------+----------+- ... -+----------+----------+
//            |  octet 0 |  octet 1 |  octet 2 |       | octet 14 | octet 15 |
//            +----------+----------+----------+- ... -+----------+----------+
//             column 0 = bits 127..96  (s00 s10 s20 s30 of FIPS 197, 3.4)  ...  column 3 = bits 31..0
//
//      FIPS 197 Appendix C.1:   key     128'h000102030405060708090a0b0c0d0e0f
//                               block   128'h00112233445566778899aabbccddeeff
//                               output  128'h69c4e0d86a7b0430d8cdb78070b4c55a
//
// Integers (COUNT, lengths, tags) are plain binary numbers. A memory bus that carries octet 0 in its bits 7..0 reverses the
// octets of a block on the way in and out; that is wiring and belongs to the bus adapter.
//
`default_nettype none

package fan_pkg;

	// ---- Limits: those of engine.h --------------------------------------------------------------------------------------

	localparam int PDU_BYTES_MAX = 1500;  // clear prefix and text together
	localparam int CLEAR_BYTES_MAX = 16;
	localparam int HEAD_BLOCKS_MAX = 3;
	localparam int MAC_BYTES = 4;

	// ---- Widths ---------------------------------------------------------------------------------------------------------

	localparam int TAG_BITS = 16;
	// A text of 1,500 octets is 94 blocks; with a MAC-I, or with the 8 octets of EIA2's prefix, still fewer than 128.
	localparam int STEP_BITS = 7;

	// Registers between the input of aes128_pipe and its output.
	localparam int AES_LATENCY = 21;

	// Messages that may be loaded at a time, one being worked on while others are filled or drained. A message of 12 UEs or
	// more leaves no bubble with four.
	localparam int MESSAGES = 4;
	localparam int MESSAGE_BITS = 2;
	// Blocks of message RAM per message: 94, rounded up to a power of two.
	localparam int MESSAGE_BLOCKS = 128;
	// UEs in flight, at most.
	localparam int SLOTS_MAX = 32;
	localparam int SLOT_BITS = 5;

	// Widths of the structs below; $bits of a type is not understood by all tools, and lint finds a wrong one.
	localparam int MESSAGE_BEAT_BITS = 149;
	localparam int PLAN_BITS = 44;
	localparam int IDENTITY_BITS = 38;
	localparam int KEYS_BITS = 256;
	localparam int HEAD_BITS = 128 * HEAD_BLOCKS_MAX;
	localparam int ITEM_BITS = 439 + HEAD_BITS;
	localparam int RESULT_BITS = 183;
	localparam int RECORD_BITS = 61;

	// ---- Orders: values of fan_order_t that have a name ----------------------------------------------------------------

	localparam logic [2:0] CIPHER_THEN_MAC = 3'b011;  // NAS: TS 24.301 4.4.4, 4.4.5
	localparam logic [2:0] MAC_THEN_CIPHER = 3'b111;  // NR PDCP: TS 38.323 5.8, 5.9
	localparam logic [2:0] CIPHER_ONLY     = 3'b001;  // LTE PDCP DRB, NR PDCP DRB without integrity
	localparam logic [2:0] MAC_ONLY        = 3'b010;  // NAS with EEA0

endpackage

// The types stand in the compilation unit, not in the package, because Icarus 11 cannot elaborate structs of a package and yosys
// 0.23 cannot import them.

typedef logic [127:0] fan_block_t;
typedef logic [fan_pkg::TAG_BITS-1:0] fan_tag_t;
typedef logic [fan_pkg::STEP_BITS-1:0] fan_step_t;
typedef logic [fan_pkg::SLOT_BITS-1:0] fan_slot_t;
typedef logic [fan_pkg::MESSAGE_BITS-1:0] fan_message_t;

// ---- What all UEs of a message share ------------------------------------------------------------------------------------

// Three independent bits say every order the product has; the package names the ones that have a name of their own.
typedef struct packed {
	logic mac_behind;  // the MAC is over plaintext and stands behind the text, ciphered with it (NR PDCP);
	                   // otherwise it is over what the text becomes and is delivered beside it (NAS)
	logic mac;         // 128-EIA2; without it the MAC is 0 (EIA0)
	logic cipher;      // 128-EEA2; without it the text stays as it is (EEA0)
} fan_order_t;

typedef struct packed {
	fan_order_t  order;
	logic [4:0]  clear_bytes;  // 0..16
	logic [1:0]  head_blocks;  // 0..3
	logic [10:0] text_bytes;   // 1..1500 - clear_bytes
} fan_shape_t;

// One beat of a message on its way into the lane: ceil(text_bytes / 16) of them, the shape taken from the first.
// Octets under the private head and behind the text are not looked at.
typedef struct packed {
	fan_shape_t shape;
	fan_block_t data;
} fan_message_beat_t;

// What the lane makes of a shape, once per message.
typedef struct packed {
	fan_shape_t shape;
	fan_step_t  out_blocks;  // blocks of text, MAC-I included where it stands behind
	fan_step_t  steps;       // visits that issue a block: max(out_blocks, CMAC blocks + 1)
	logic       lag;         // text runs one step late: EIA2 prefix and clear prefix fill a whole block
	logic [3:0] offset;      // (8 + clear_bytes) mod 16: where text begins in a block of CMAC
	logic [3:0] tail;        // octets in the last block of CMAC, 0 when it is full
} fan_plan_t;

// ---- What is a UE's own -------------------------------------------------------------------------------------------------

// COUNT || BEARER || DIRECTION || 0^26 begins both the counter block of 128-EEA2 and the message of 128-EIA2
// (TS 33.401 B.1.3, B.2.3).
typedef struct packed {
	logic [31:0] count;
	logic [4:0]  bearer;
	logic        direction;
} fan_identity_t;

typedef struct packed {
	fan_block_t k_enc;
	fan_block_t k_int;
} fan_keys_t;

typedef struct packed {
	logic          last;      // last UE of this message: the next item belongs to the next message
	fan_tag_t      tag;       // comes back with the result
	fan_keys_t     keys;
	fan_identity_t identity;
	fan_block_t    clear;     // clear prefix, octet 0 first, left-justified
	logic [fan_pkg::HEAD_BITS-1:0]  head;      // private head, left-justified
} fan_item_t;

// One turn of one slot, see fan_carousel.sv. It may end one UE and begin another: step and message are those of the UE that
// was there before.
typedef struct packed {
	fan_slot_t    slot;
	logic         busy;     // a UE was there, and its block number `step` may be issued
	logic         retire;   // ... but all its blocks have been: what is left is to take the last results
	logic         load;     // a new UE begins: its block 0 is issued
	fan_step_t    step;
	fan_message_t message;
} fan_visit_t;

// ---- What comes out -----------------------------------------------------------------------------------------------------

// Beats of one UE follow each other without another UE's between them. bytes is 16 on all but the last. mac and tag are
// the same on every beat of a UE, so that who must put the MAC in front of the text has it in time.
typedef struct packed {
	logic        first;
	logic        last;
	logic [4:0]  bytes;  // valid octets of data, 1..16; the others are 0
	fan_tag_t    tag;
	logic [31:0] mac;    // not ciphered, as EIA2 gives it; its most significant octet is sent first
	fan_block_t  data;
} fan_result_t;

// What a retired UE leaves for the read-out.
typedef struct packed {
	logic        lap;
	logic        mac_behind;
	logic [10:0] text_bytes;
	fan_tag_t    tag;
	logic [31:0] mac;
} fan_record_t;

`default_nettype wire
