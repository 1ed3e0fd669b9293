// SPDX-License-Identifier: BSD-3-Clause
//
// Types that the modules around the lanes share: from descriptors in host memory to completions.
//
//      fan_fetch   --begin---------------------------------------------> fan_complete   one per descriptor, refused ones too
//                  --message, item--> lane --result--> fan_pack --+
//                  --ticket--------------------------> fan_pack   +----> fan_write       one per UE, in the order of the items
//                  <-free------------------------------------------------ fan_complete   the batch's number may be used again
//
// Host memory is octet 0 in bits 7..0 of a beat; a lane's blocks have octet 0 in their most significant bits (fan_pkg.sv). The
// octets are reversed where a beat is taken apart (fan_fetch) and put together (fan_pack), nowhere else.
//
`default_nettype none

package fan_engine_pkg;
	localparam int ADDRESS_BITS = 64;
	localparam int BEAT_BYTES = 64;          // of the memory bus
	localparam int BEAT_BITS = 8 * BEAT_BYTES;
	localparam int QUEUES_MAX = 16;         // these two as the description has them (fan_engine sees to it)
	localparam int LANES_MAX = 16;
	localparam int UES_MAX = 64;             // of a batch
	localparam int BATCHES = 16;             // under way in the card
	localparam int BATCH_BITS = 4;
	localparam int UE_BITS = 6;

	// Widths of the structs below, as in fan_pkg.
	localparam int QUEUE_CONFIG_BITS = 149;
	localparam int QUEUE_STATE_BITS = 36;
	localparam int BEGIN_BITS = 55;
	localparam int TICKET_BITS = 216;
	localparam int WRITE_BITS = 94;
	localparam int DONE_BITS = 19;
endpackage

typedef logic [fan_engine_pkg::BATCH_BITS-1:0] fan_batch_t;
typedef logic [fan_engine_pkg::UE_BITS-1:0] fan_ue_t;
typedef logic [3:0] fan_queue_t;
typedef logic [63:0] fan_address_t;
typedef logic [fan_engine_pkg::BEAT_BITS-1:0] fan_beat_t;

// What the host has written into a queue's registers.
typedef struct packed {
	logic         enable;
	logic [3:0]   entries_log2;
	fan_address_t descriptors;
	fan_address_t completions;
	logic [15:0]  tail;
} fan_queue_config_t;

// What it reads there.
typedef struct packed {
	logic        active;
	logic [2:0]  fault;      // card_queue_fault
	logic [15:0] head;
	logic [15:0] completed;
} fan_queue_state_t;

// A descriptor has been taken. With an error nothing will be done: no message, no item, no ticket has been sent for it or will be.
typedef struct packed {
	fan_batch_t  batch;
	fan_queue_t  queue_number;
	logic [15:0] cookie;
	logic [6:0]  ue_count;   // 1..64; as the descriptor says, cut to 7 bits, when there is an error
	logic [7:0]  error;      // card_error
	logic [15:0] head;       // of the queue, this descriptor included
} fan_begin_t;

// Where the lane's next result belongs. A ticket with an error stands for a UE whose item the lane got with keys of 0: its result is
// taken from the lane and thrown away.
typedef struct packed {
	fan_batch_t   batch;
	fan_ue_t      ue;          // position in the batch
	logic [7:0]   error;       // card_error
	fan_address_t pdu;         // first octet of text
	logic         lead;        // MAC and clear prefix are written before the text
	logic [4:0]   clear_bytes;
	fan_block_t   clear;       // octet 0 first, left-justified
} fan_ticket_t;

// Octets for host memory, all of them there. Beside it, as lines of 64 octets that stand as in memory, the octets themselves.
typedef struct packed {
	logic         completion;
	fan_batch_t   batch;
	fan_ue_t      ue;          // of a completion: bit 5: the batch ended with an error; bits 3..0: the queue
	logic [7:0]   error;       // card_error; other than 0, nothing is written and there are no lines
	fan_address_t address;     // of the first octet
	logic [10:0]  bytes;
} fan_write_t;

// Every part of it has been answered by the bus.
typedef struct packed {
	logic         completion;
	fan_batch_t   batch;
	fan_ue_t      ue;
	logic [7:0]   error;       // that of fan_write_t, or WRITE_PDU when the bus refused a part
} fan_done_t;

`default_nettype wire
