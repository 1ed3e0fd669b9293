// SPDX-License-Identifier: BSD-3-Clause
//
// Types and limits of the lanes that cipher with a stream of words, SNOW 3G and ZUC. Octet order as in fan_pkg.sv: octet 0 of a
// word in its most significant bits, word 0 of a block in the block's.
//
`default_nettype none

package fan_stream_pkg;

	// A generator takes its key and IV in 4 clocks, runs 32 with its output fed back and one more whose word is thrown away
	// (TS 35.216 4.1, 4.2; TS 35.222 3.6).
	localparam int LOAD_CLOCKS = 4;
	localparam int BEGIN_CLOCKS = 37;
	// Words of a PDU: ceil(1,504 / 4), and with clear prefix, EIA3's two words more or EIA1's length fewer than 512.
	localparam int WORD_BITS = 9;
	// Groups of UEs whose results have room.
	localparam int BANKS = 2;

	// Widths of the structs below, as in fan_pkg.sv.
	localparam int ENTRY_BITS = 230;

endpackage

typedef logic [31:0] fan_word_t;
typedef logic [fan_stream_pkg::WORD_BITS-1:0] fan_word_index_t;

// One of the four words of an item's memory, in the form in which it is used.
typedef struct packed {
	fan_identity_t identity;
	fan_word_t  k_enc;
	fan_word_t  k_int;
	fan_block_t block;   // clear prefix moved to end with a whole word, then the private head
} fan_stream_entry_t;

// UEs that are worked on together.
typedef struct packed {
	logic         bank;
	fan_message_t message;
	logic [3:0]   ues;
} fan_stream_group_t;

// What a finished group leaves for the read-out.
typedef struct packed {
	logic        bank;
	logic [3:0]  ues;
	logic        mac;
	logic        mac_behind;
	logic [10:0] text_bytes;
} fan_stream_finish_t;

// One clock of all generators: S in fan_stream_lane.sv. `entry` is a place in the item memory: word of the key while loading,
// else clear prefix (0) or block of the private head (1 to 3); `word` is a word of that block.
typedef struct packed {
	logic       bank;
	logic [1:0] entry;
	logic [1:0] word;
	logic       load;
	logic       feed_back;
	logic       step_cipher;
	logic       step_mac;
} fan_stream_step_t;

// One clock of text: T. What is shared comes as octets already cut to the text's length, what is the UE's own as octets to keep.
typedef struct packed {
	logic        cipher;     // what is delivered is ciphered
	fan_word_t   shared;     // 0 under the private head and in the clear prefix
	logic [3:0]  own;        // octets of the UE's own word that count
	logic [3:0]  mac_cipher; // octets of key stream that the MAC sees
	logic        write;      // a word of the result
	logic        mac_first;  // first word of the integrity key stream is there
	logic [1:0]  place;      // of the word in its block
} fan_stream_text_t;

// One word for the MAC: V.
typedef struct packed {
	logic step;
	logic first;
	logic second;    // of two words (EIA1)
	logic closing;   // EIA1: the two words of LENGTH, multiplied by Q
	logic last;      // EIA3: ends the MAC
	logic alone;     // EIA3: the last word holds nothing but the bit behind the message
} fan_stream_mac_t;

`default_nettype wire
