// SPDX-License-Identifier: BSD-3-Clause
//
// From blocks of 24 UEs, interleaved, to one PDU after the other, in the order in which the UEs began.
//
// A UE gets room for its whole result when it begins, as the next blocks of one ring, and a place in a list of records. Its blocks
// are written to the ring as they come; its record, with the MAC, when it retires. The read-out walks the list: a record whose
// lap bit is the current lap's has been written, and its blocks are the next ones of the ring.
//
//      ring     | free | UE 7: 10 blocks, being read | UE 8: 10 blocks, retired | UE 9: 10 blocks, half written | ... | free |
//                       ^ read pointer                                                                           ^ allocated
//
// The ring replaces two banks of 24 full-length PDUs. When it is nearly full a UE begins as an earlier one is read out, which
// spreads the UEs evenly over their steps, and 25 PDUs of any one length then are enough for full speed: 4,096 blocks, where two
// banks of 24 PDUs of 1,504 octets would be 4,560. The list is long enough for short UEs to overtake long ones in the slots.
//
`include "fan_assert.svh"
`default_nettype none

module fan_results #(
	parameter int RingBlocks = 4096,
	parameter int Records = 512,
	localparam int RingBits = $clog2(RingBlocks),
	localparam int RecordBits = $clog2(Records)
) (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  scrub_i,              // overwrite one word a clock with what the write ports carry, which is then 0
	input  wire  [RingBits-1:0] scrub_address_i,

	input  wire  fan_step_t room_blocks_i,  // of the UE that may begin
	output wire  room_o,
	input  wire  allocate_i,
	output wire  [RingBits-1:0] ring_o,          // where its blocks begin ...
	output wire  [RecordBits:0] record_o,        // ... and its place in the list, with the lap

	input  wire  write_i,
	input  wire  [RingBits-1:0] write_address_i,
	input  wire  fan_block_t write_data_i,
	input  wire  retire_i,
	input  wire  [RecordBits:0] retire_record_i,
	input  wire  mac_behind_i,
	input  wire  [10:0] text_bytes_i,
	input  wire  fan_tag_t tag_i,
	input  wire  [31:0] mac_i,

	output wire  valid_o,
	input  wire  ready_i,
	output fan_result_t result_o
);
	// ---- Room --------------------------------------------------------------------------------------------------------------

	logic [RingBits:0] free_q;
	logic [RingBits-1:0] ring_q;
	logic [RecordBits:0] record_q, fetch_q, fetch_d;
	wire advance;

	wire listed = record_q == {!fetch_q[RecordBits], fetch_q[RecordBits-1:0]};

	assign room_o = !listed && free_q >= (RingBits+1)'(room_blocks_i);
	assign ring_o = ring_q;
	assign record_o = record_q;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			free_q <= (RingBits+1)'(RingBlocks);
			ring_q <= '0;
			record_q <= '0;
		end else begin
			free_q <= free_q - (allocate_i ? (RingBits+1)'(room_blocks_i) : '0) + (RingBits+1)'(advance);
			if (allocate_i) begin
				ring_q <= ring_q + RingBits'(room_blocks_i);
				record_q <= record_q + 1'b1;
			end
		end
	end

	// ---- Memories ----------------------------------------------------------------------------------------------------------

	logic [RingBits-1:0] read_q;
	fan_block_t block;
	wire [fan_pkg::RECORD_BITS-1:0] record_bits;
	fan_record_t record_in, record;
	wire enable;

	fan_ram_sync #(.Width(128), .Depth(RingBlocks)) u_ring (
		.clk_i,
		.write_i(write_i || scrub_i), .write_address_i(scrub_i ? scrub_address_i : write_address_i),
		.write_data_i(write_data_i),
		.read_i(enable), .read_address_i(read_q), .read_data_o(block)
	);

	assign record_in.lap = !scrub_i && !retire_record_i[RecordBits];
	assign record_in.mac_behind = mac_behind_i;
	assign record_in.text_bytes = text_bytes_i;
	assign record_in.tag = tag_i;
	assign record_in.mac = mac_i;

	fan_ram_sync #(.Width(fan_pkg::RECORD_BITS), .Depth(Records)) u_records (
		.clk_i,
		.write_i(retire_i || scrub_i),
		.write_address_i(scrub_i ? scrub_address_i[RecordBits-1:0] : retire_record_i[RecordBits-1:0]),
		.write_data_i(record_in),
		.read_i(1'b1), .read_address_i(fetch_d[RecordBits-1:0]), .read_data_o(record_bits)
	);
	assign record = record_bits;

	// ---- First clock of read-out: whose block is next, and is it there -----------------------------------------------------

	fan_step_t beat_q;
	wire [10:0] bytes = record.text_bytes + (record.mac_behind ? 11'(fan_pkg::MAC_BYTES) : 11'd0);
	wire [10:0] bytes_less_one = bytes - 11'd1;
	wire last = beat_q == bytes_less_one[10:4];
	wire written = !scrub_i && record.lap == !fetch_q[RecordBits];
	// Place of the MAC in this block: it begins here, or it began in the block before and reaches over.
	wire begins = record.mac_behind && beat_q == record.text_bytes[10:4];
	wire reaches = record.mac_behind && beat_q == record.text_bytes[10:4] + 7'd1;

	assign advance = written && enable;
	assign fetch_d = fetch_q + (RecordBits+1)'(advance && last);

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			fetch_q <= '0;
			beat_q <= '0;
			read_q <= '0;
		end else begin
			fetch_q <= fetch_d;
			if (advance) begin
				beat_q <= last ? '0 : beat_q + 7'd1;
				read_q <= read_q + 1'b1;
			end
		end
	end

	// ---- Second clock: the block has been read; where its octets come from -------------------------------------------------

	logic here_q, first_q, last_q;
	logic [4:0] bytes_q;
	logic [15:0] keep_q, mac_place_q, keep_d, mac_place_d;  // bit 15 - i for octet i
	logic [31:0] mac_q, mac_turned_q, mac_turned_d;
	fan_tag_t tag_q;

	wire [4:0] beat_bytes = last ? {1'b0, bytes_less_one[3:0]} + 5'd1 : 5'd16;
	wire [3:0] mac_at = record.text_bytes[3:0];

	assign keep_d = ~(16'hffff >> beat_bytes);
	// Four places from mac_at on: the upper half is this block, the lower half the next one.
	wire [31:0] mac_places = 32'hf0000000 >> mac_at;
	assign mac_place_d = (mac_places[31:16] & {16{begins}}) | (mac_places[15:0] & {16{reaches}});

	assign mac_turned_d = 32'({record.mac, record.mac} >> {mac_at[1:0], 3'd0});

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			here_q <= 1'b0;
		else if (enable)
			here_q <= written;
		if (enable) begin
			first_q <= beat_q == '0;
			last_q <= last;
			bytes_q <= beat_bytes;
			keep_q <= keep_d;
			mac_place_q <= mac_place_d;
			mac_q <= record.mac;
			mac_turned_q <= mac_turned_d;
			tag_q <= record.tag;
		end
	end

	// ---- Third clock: offered ----------------------------------------------------------------------------------------------

	logic valid_q;
	fan_result_t result_d, result_q;
	fan_block_t data_d;

	assign enable = !valid_q || ready_i;

	for (genvar i = 0; i < 16; i++) begin : g_octet
		assign data_d[8*i +: 8] =
			(block[8*i +: 8] & {8{keep_q[i]}}) ^ (mac_turned_q[8*(i%4) +: 8] & {8{mac_place_q[i]}});
	end
	assign result_d.data = data_d;
	assign result_d.first = first_q;
	assign result_d.last = last_q;
	assign result_d.bytes = bytes_q;
	assign result_d.tag = tag_q;
	assign result_d.mac = mac_q;

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			valid_q <= 1'b0;
		else if (enable)
			valid_q <= here_q;
		if (enable)
			result_q <= result_d;
	end
	assign valid_o = valid_q;
	assign result_o = result_q;

	// ---- Promises ----------------------------------------------------------------------------------------------------------

	wire [RecordBits:0] list_used = record_q - fetch_q;

	`FAN_ASSERT(AssertAllocateInRoom, !allocate_i || room_o)
	`FAN_ASSERT(AssertListNotOver, list_used <= (RecordBits+1)'(Records))
	`FAN_ASSERT(AssertRingNotOver, free_q <= (RingBits+1)'(RingBlocks))
	`FAN_ASSERT(AssertRingPointers, RingBits'(ring_q - read_q) == RingBits'(RingBlocks - 32'(free_q)))
	`FAN_ASSERT(AssertNoReadBeyond, !(advance && free_q == (RingBits+1)'(RingBlocks)))
	fan_stable_check #(.Width(fan_pkg::RESULT_BITS)) u_check (
		.clk_i, .rst_ni, .valid_i(valid_o), .ready_i, .data_i(result_o)
	);
endmodule

`default_nettype wire
