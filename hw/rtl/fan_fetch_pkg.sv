// SPDX-License-Identifier: BSD-3-Clause
//
// Types and sizes of the read side: fan_fetch.sv and what it is made of.
//
// All that is read is a multiple of 64 octets at a multiple of 64: a line. Addresses of lines have 58 bits.
//
`default_nettype none

package fan_fetch_pkg;
	localparam int LINE_BITS = 58;

	// What a read is for. Its answer goes there.
	localparam logic [1:0] READ_DESCRIPTOR = 2'd0;
	localparam logic [1:0] READ_MESSAGE = 2'd1;
	localparam logic [1:0] READ_ITEMS = 2'd2;
	localparam logic [1:0] READ_CONTEXT = 2'd3;

	localparam int MESSAGE_LINES_MAX = 24;   // of 1,500 octets
	localparam int ITEMS_BURST_MAX = 16;     // short, so that a lane that needs contexts is not kept waiting

	localparam int CACHE_SLOTS = 16;         // one per batch under way: then one that nobody uses is there for the next
	localparam int CACHE_SLOT_BITS = 4;
	localparam int CACHE_SLOT_LINES = 32;
	localparam int CACHE_LINE_BITS = 5;

	localparam int WORK_BITS = 18;           // 16 batches of 64 UEs of 97 clocks

	// Widths of the structs below, as in fan_pkg.
	localparam int READ_BITS = 70;
	localparam int SHAPE_BITS = 21;
endpackage

typedef logic [fan_fetch_pkg::LINE_BITS-1:0] fan_line_t;
typedef logic [fan_fetch_pkg::CACHE_SLOT_BITS-1:0] fan_cache_slot_t;

// One read of the bus: asked for by the block that has room for all of it, and kept until its last beat has come.
typedef struct packed {
	fan_line_t  line;
	logic [4:0] more;    // lines less one
	logic [1:0] kind;
	logic [3:0] place;   // lane, or slot of the message cache
	logic       ends;    // no further read of this message
} fan_read_t;

// What a descriptor says, taken apart.
typedef struct packed {
	fan_line_t   message;
	fan_line_t   items;
	fan_line_t   contexts;
	logic [31:0] message_number;
	logic [15:0] cookie;
	logic [6:0]  ue_count;
	fan_shape_t  shape;
	logic [1:0]  algorithm;    // 0: neither ciphered nor protected
	logic        lead;
} fan_descriptor_t;

// What the feeder of one lane does for one batch.
typedef struct packed {
	fan_line_t  items;
	fan_line_t  contexts;
	fan_batch_t batch;
	logic [6:0] ue_count;
	logic [1:0] granules;      // of 32 octets per work item, 1..3
	logic       lead;
	logic [4:0] clear_bytes;
	logic [6:0] weight;        // about so many clocks of the lane per UE
} fan_job_t;

`default_nettype wire
