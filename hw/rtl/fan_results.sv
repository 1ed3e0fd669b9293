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
	parameter int MostBlocks = 128,     // of one UE: a power of two
	localparam int RingBits = $clog2(RingBlocks),
	localparam int RecordBits = $clog2(Records)
) (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  scrub_i,              // overwrite one record a clock with what the write port carries, which is then 0
	input  wire  [RecordBits-1:0] scrub_record_i,

	input  wire  fan_step_t room_blocks_i,  // of the UE that may begin, at most MostBlocks
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
	logic [RecordBits:0] record_q, fetch_q;  // next place in the list to be given away, and to be read out
	wire advance;

	// The lane decides on a UE in the clock in which it asks for room, so that what can be is worked out before: a place in the list
	// and a block of the ring that have become free count a clock later, and there must be room for the longest, whoever asks.
	logic listed_q, freed_q;
	logic [RecordBits:0] record_after_q;
	fan_step_t room_more;
	assign room_more = room_blocks_i - fan_pkg::STEP_BITS'(freed_q);
	wire [RecordBits:0] record_over = {!fetch_q[RecordBits], fetch_q[RecordBits-1:0]};

	assign room_o = !listed_q && free_q[RingBits:$clog2(MostBlocks)] != '0;
	assign ring_o = ring_q;
	assign record_o = record_q;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			free_q <= (RingBits+1)'(RingBlocks);
			ring_q <= '0;
			record_q <= '0;
			record_after_q <= (RecordBits+1)'(1);
			listed_q <= 1'b0;
			freed_q <= 1'b0;
		end else begin
			freed_q <= advance;
			free_q <= allocate_i ? free_q - (RingBits+1)'(room_more) : free_q + (RingBits+1)'(freed_q);
			listed_q <= allocate_i ? record_after_q == record_over : record_q == record_over;
			if (allocate_i) begin
				ring_q <= ring_q + RingBits'(room_blocks_i);
				record_q <= record_after_q;
				record_after_q <= record_after_q + 1'b1;
			end
		end
	end

	// ---- Memories ----------------------------------------------------------------------------------------------------------

	logic [RingBits-1:0] read_q;
	fan_block_t block;
	fan_record_t record_in, next;
	logic [RecordBits:0] look_q;
	wire look, enable;

	fan_ram_sync #(.Width(128), .Depth(RingBlocks), .Collides(1'b0), .Registered(1'b1)) u_ring (
		.clk_i,
		.write_i(write_i), .write_address_i(write_address_i),
		.write_data_i(write_data_i),
		.read_i(enable), .read_address_i(read_q), .read_data_o(block)
	);

	assign record_in.lap = !scrub_i && !retire_record_i[RecordBits];
	assign record_in.mac_behind = mac_behind_i;
	assign record_in.text_bytes = text_bytes_i;
	assign record_in.tag = tag_i;
	assign record_in.mac = mac_i;

	fan_ram_sync #(.Width(fan_pkg::RECORD_BITS), .Depth(Records), .Collides(1'b0), .Registered(1'b1)) u_records (
		.clk_i,
		.write_i(retire_i || scrub_i),
		.write_address_i(scrub_i ? scrub_record_i : retire_record_i[RecordBits-1:0]),
		.write_data_i(record_in),
		.read_i(look), .read_address_i(look_q[RecordBits-1:0]), .read_data_o(next)
	);

	// ---- Looking ahead: records are read before they are needed ------------------------------------------------------------

	// A block RAM takes most of a clock to answer, so that nothing is decided on its answer before that is in a register: records
	// are read one after the other as if they had been written, and again from the first one that has not. One that was read in the
	// clock in which it was written counts as not written, whatever the memory gave.
	//
	//      look_q       looked_q               next
	//      address ---> answer of the RAM ---> lap: written? ---> now_q, when the UE before has been read out
	logic looked_q, looked_unsure_q, next_valid_q, next_unsure_q;
	wire found = next_valid_q && !next_unsure_q && next.lap == !fetch_q[RecordBits];
	wire begin_next;
	wire again = next_valid_q && !found;

	assign look = !found || begin_next;

	always_ff @(posedge clk_i) begin
		if (!rst_ni || scrub_i) begin
			look_q <= '0;
			fetch_q <= '0;
			looked_q <= 1'b0;
			next_valid_q <= 1'b0;
		end else if (again) begin
			look_q <= fetch_q;
			looked_q <= 1'b0;
			next_valid_q <= 1'b0;
		end else if (look) begin
			look_q <= look_q + 1'b1;
			looked_q <= 1'b1;
			next_valid_q <= looked_q;
			if (begin_next)
				fetch_q <= fetch_q + 1'b1;
		end
		if (look) begin
			looked_unsure_q <= retire_i && retire_record_i[RecordBits-1:0] == look_q[RecordBits-1:0];
			next_unsure_q <= looked_unsure_q;
		end
	end

	// ---- First clock of read-out: whose block is next ----------------------------------------------------------------------

	logic busy_q, mac_behind_q;
	logic [31:0] now_mac_q;
	fan_tag_t now_tag_q;
	logic [10:0] text_bytes_q, bytes_less_one_q;
	fan_step_t beat_q;
	wire last = beat_q == bytes_less_one_q[10:4];
	// Place of the MAC in this block: it begins here, or it began in the block before and reaches over.
	wire begins = mac_behind_q && beat_q == text_bytes_q[10:4];
	wire follows;
	fan_follows #(.Width(fan_pkg::STEP_BITS)) u_follows (.before_i(text_bytes_q[10:4]), .after_i(beat_q), .follows_o(follows));
	wire reaches = mac_behind_q && follows;

	assign advance = busy_q && enable;
	assign begin_next = found && (!busy_q || (enable && last));

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			busy_q <= 1'b0;
			beat_q <= '0;
			read_q <= '0;
		end else begin
			if (begin_next)
				busy_q <= 1'b1;
			else if (advance && last)
				busy_q <= 1'b0;
			if (advance) begin
				beat_q <= last ? '0 : beat_q + 7'd1;
				read_q <= read_q + 1'b1;
			end
		end
		if (begin_next) begin
			mac_behind_q <= next.mac_behind;
			text_bytes_q <= next.text_bytes;
			bytes_less_one_q <= next.text_bytes + (next.mac_behind ? 11'(fan_pkg::MAC_BYTES - 1) : 11'h7ff);
			now_tag_q <= next.tag;
			now_mac_q <= next.mac;
		end
	end

	// ---- Second clock: the block is being read; where its octets come from -------------------------------------------------

	logic here_q, first_q, last_q;
	logic [4:0] bytes_q;
	logic [15:0] keep_q, mac_place_q, keep_d, mac_place_d;  // bit 15 - i for octet i
	logic [31:0] mac_q, mac_turned_q, mac_turned_d;
	fan_tag_t tag_q;

	wire [4:0] beat_bytes = last ? {1'b0, bytes_less_one_q[3:0]} + 5'd1 : 5'd16;
	wire [3:0] mac_at = text_bytes_q[3:0];

	assign keep_d = ~(16'hffff >> beat_bytes);
	// Four places from mac_at on: the upper half is this block, the lower half the next one.
	wire [31:0] mac_places = 32'hf0000000 >> mac_at;
	assign mac_place_d = (mac_places[31:16] & {16{begins}}) | (mac_places[15:0] & {16{reaches}});

	assign mac_turned_d = 32'({now_mac_q, now_mac_q} >> {mac_at[1:0], 3'd0});

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			here_q <= 1'b0;
		else if (enable)
			here_q <= busy_q;
		if (enable) begin
			first_q <= beat_q == '0;
			last_q <= last;
			bytes_q <= beat_bytes;
			keep_q <= keep_d;
			mac_place_q <= mac_place_d;
			mac_q <= now_mac_q;
			mac_turned_q <= mac_turned_d;
			tag_q <= now_tag_q;
		end
	end

	// ---- Third clock: all is in registers ----------------------------------------------------------------------------------

	logic there_q;
	logic [15:0] there_keep_q, there_mac_place_q;
	logic [31:0] there_mac_turned_q;
	logic [fan_pkg::RESULT_BITS-129:0] there_beside_q;  // of the result, all but the block

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			there_q <= 1'b0;
		else if (enable)
			there_q <= here_q;
		if (enable) begin
			there_keep_q <= keep_q;
			there_mac_place_q <= mac_place_q;
			there_mac_turned_q <= mac_turned_q;
			there_beside_q <= {first_q, last_q, bytes_q, tag_q, mac_q};
		end
	end

	// ---- Fourth clock: offered ---------------------------------------------------------------------------------------------

	logic valid_q;
	fan_result_t result_q;
	fan_block_t data_d;

	assign enable = !valid_q || ready_i;

	for (genvar i = 0; i < 16; i++) begin : g_octet
		assign data_d[8*i +: 8] = (block[8*i +: 8] & {8{there_keep_q[i]}}) ^
			(there_mac_turned_q[8*(i%4) +: 8] & {8{there_mac_place_q[i]}});
	end

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			valid_q <= 1'b0;
		else if (enable)
			valid_q <= there_q;
		if (enable)
			result_q <= {there_beside_q, data_d};
	end
	assign valid_o = valid_q;
	assign result_o = result_q;

	// ---- Promises ----------------------------------------------------------------------------------------------------------

	wire [RecordBits:0] list_used = record_q - fetch_q;

	`FAN_ASSERT(AssertAllocateInRoom, !allocate_i || room_o)
	`FAN_ASSERT(AssertListNotOver, list_used <= (RecordBits+1)'(Records))
	`FAN_ASSERT(AssertRingNotOver, free_q <= (RingBits+1)'(RingBlocks))
	`FAN_ASSERT(AssertRingPointers, RingBits'(ring_q - read_q) == RingBits'(RingBlocks - 32'(free_q) - 32'(freed_q)))
	`FAN_ASSERT(AssertNoReadBeyond, !(advance && free_q + (RingBits+1)'(freed_q) == (RingBits+1)'(RingBlocks)))
	fan_stable_check #(.Width(fan_pkg::RESULT_BITS)) u_check (
		.clk_i, .rst_ni, .valid_i(valid_o), .ready_i, .data_i(result_o)
	);

`ifdef FORMAL
	// Proved by induction for a ring of 8 blocks, UEs of 1 to 4, and a list of 2 records; formal/ram_free.sv takes the memories' place and answers anything,
	// but for the list, whose answers are what fan_ram_sync.sv would give. Who uses this block is assumed to begin a UE only in
	// room, with 1 block at least, and to retire every UE once, with a length that fills its room. Then a UE's blocks are read
	// once each, in order, where its room is, after it has retired and before anybody else gets the place.
	(* anyconst *) logic [RingBits-1:0] f_place;
	logic f_reset_q = 1'b1, f_scrubbed_q = 1'b0;
	logic [RecordBits-1:0] f_scrub_q = '0;
	logic [fan_pkg::RECORD_BITS-1:0] f_word [0:Records-1];
	logic [fan_pkg::RECORD_BITS-1:0] f_answer_q, f_next_q;
	(* anyseq *) wire [fan_pkg::RECORD_BITS-1:0] f_anything;
	// Of each place in the list: blocks and beginning of its room, and whether its UE has retired; the same of the UE read out.
	logic [Records-1:0] f_retired_q;
	logic [RingBits:0] f_blocks [0:Records-1];
	logic [RingBits-1:0] f_begin [0:Records-1];
	logic [RingBits:0] f_now_blocks;
	logic [RingBits-1:0] f_now_begin;
	logic f_owed_q;  // f_place is in a UE's room and has not been read

	wire [RecordBits-1:0] f_fetch = fetch_q[RecordBits-1:0];
	wire [RecordBits-1:0] f_retire = retire_record_i[RecordBits-1:0];
	wire [RecordBits:0] f_retire_behind = retire_record_i - fetch_q;
	wire [10:0] f_retire_bytes = text_bytes_i + (mac_behind_i ? 11'd4 : 11'd0) + 11'd15;
	wire [RingBits-1:0] f_from_ring = f_place - ring_q;
	wire f_given = allocate_i && (RingBits+1)'(f_from_ring) < (RingBits+1)'(room_blocks_i);

	always @(posedge clk_i) begin
		f_reset_q <= 1'b0;
		assume (rst_ni == !f_reset_q);
		if (!f_reset_q && !f_scrubbed_q) begin
			f_scrub_q <= f_scrub_q + 1'b1;
			f_scrubbed_q <= f_scrub_q == RecordBits'(Records - 1);
		end
		assume (scrub_i == !f_scrubbed_q);
		assume (scrub_record_i == f_scrub_q);

		// What the user promises.
		assume (room_blocks_i != '0 && room_blocks_i <= fan_pkg::STEP_BITS'(MostBlocks));
		assume (!allocate_i || (room_o && !scrub_i));
		assume (!retire_i || (!scrub_i && f_retire_behind < list_used && !f_retired_q[f_retire] &&
			text_bytes_i != '0 && text_bytes_i <= 11'd1500 && f_retire_bytes[10:4] == fan_pkg::STEP_BITS'(f_blocks[f_retire])));
		// The list, as the memory it is.
		assume (next == f_next_q);
		if (look) begin
			f_answer_q <= retire_i && f_retire == look_q[RecordBits-1:0] ? f_anything : f_word[look_q[RecordBits-1:0]];
			f_next_q <= f_answer_q;
		end
		if (retire_i || scrub_i)
			f_word[scrub_i ? f_scrub_q : f_retire] <= record_in;

		if (allocate_i) begin
			f_blocks[record_q[RecordBits-1:0]] <= (RingBits+1)'(room_blocks_i);
			f_begin[record_q[RecordBits-1:0]] <= ring_q;
		end
		if (begin_next) begin
			f_now_blocks <= f_blocks[f_fetch];
			f_now_begin <= f_begin[f_fetch];
		end
		if (f_reset_q) begin
			f_retired_q <= '0;
		end else begin
			if (retire_i)
				f_retired_q[f_retire] <= 1'b1;
			if (begin_next)
				f_retired_q[f_fetch] <= 1'b0;
		end
		f_owed_q <= !f_reset_q && (f_given || (f_owed_q && !(advance && read_q == f_place)));
	end

	// The promise.
	always @(posedge clk_i) begin
		if (rst_ni) begin
			assert (!f_given || !f_owed_q);
			assert (!(advance && read_q == f_place) || f_owed_q);
			assert (!begin_next || (list_used != '0 && f_retired_q[f_fetch]));
			assert (!advance || read_q == f_now_place);
			assert (!advance || last == (beat_q + 7'd1 == 7'(f_now_blocks)));
		end
	end

	// What else is true, that the proof finds its way: where each UE's room is and how much of the ring they have together; that a
	// word of the list is of this lap if its UE has retired and of the lap before if not; what is on its way from the list.
	logic [RingBits+1:0] f_used;
	logic [Records-1:0] f_new;
	wire [Records-1:0] f_waits, f_fits;
	wire [RecordBits-1:0] f_looked = f_fetch + RecordBits'(next_valid_q);
	// Sums modulo the ring have wires of their own: yosys 0.23 would compare them with the carry.
	wire [RingBits-1:0] f_now_place = f_now_begin + RingBits'(beat_q);
	wire [RingBits-1:0] f_now_end = f_now_begin + f_now_blocks;
	wire [RingBits-1:0] f_to_place = f_place - read_q;
	wire [RingBits:0] f_free = free_q + (RingBits+1)'(freed_q);
	wire [RecordBits:0] f_record_after = record_q + 1'b1;
	wire f_looked_new = looked_q && !looked_unsure_q && f_answer_q[fan_pkg::RECORD_BITS-1] == f_new[f_looked];

	always @* begin
		f_used = busy_q ? (RingBits+2)'(f_now_blocks) - (RingBits+2)'(beat_q) : '0;
		for (int i = 0; i < Records; i++) begin
			f_new[i] = RecordBits'(i) >= f_fetch ? !fetch_q[RecordBits] : fetch_q[RecordBits];
			if (f_waits[i])
				f_used = f_used + (RingBits+2)'(f_blocks[i]);
		end
	end

	for (genvar i = 0; i < Records; i++) begin : g_prove
		wire [fan_pkg::RECORD_BITS-1:0] word = f_word[i];
		wire [10:0] bytes = word[58:48] + (word[59] ? 11'd4 : 11'd0) + 11'd15;
		wire [RecordBits-1:0] after = RecordBits'(i) + 1'b1;
		wire [RecordBits-1:0] behind = RecordBits'(i) - f_fetch;
		wire [RingBits-1:0] room_end = f_begin[i] + f_blocks[i];

		assign f_waits[i] = (RecordBits+1)'(behind) < list_used;
		assign f_fits[i] = (RingBits+1)'(bytes[10:4]) == f_blocks[i] && word[58:48] != '0 && word[58:48] <= 11'd1500;
		always @(posedge clk_i) begin
			if (!f_reset_q && !f_scrubbed_q)
				assert (RecordBits'(i) >= f_scrub_q || !word[60]);
			if (!f_reset_q && f_scrubbed_q) begin
				assert ((word[60] == f_new[i]) == f_retired_q[i]);
				assert (!f_retired_q[i] || (f_waits[i] && f_fits[i] && bytes[10:4] <= 7'(RingBlocks)));
				assert (!f_waits[i] || (f_blocks[i] != '0 && f_blocks[i] <= (RingBits+1)'(RingBlocks)));
				assert (!f_waits[i] || room_end == (after == record_q[RecordBits-1:0] ? ring_q : f_begin[after]));
			end
		end
	end

	always @(posedge clk_i) begin
		if (f_reset_q)
			assert (!f_scrubbed_q && f_scrub_q == '0);
		if (!f_reset_q && !f_scrubbed_q)
			assert (list_used == '0 && fetch_q == '0 && !busy_q && f_retired_q == '0 && !looked_q && !next_valid_q);
		if (!f_reset_q) begin
			assert (f_used == (RingBits+2)'(RingBlocks) - (RingBits+2)'(f_free));
			assert (f_owed_q == ((RingBits+1)'(f_to_place) < (RingBits+1)'(RingBlocks) - f_free));
			assert (record_after_q == f_record_after);
			assert (listed_q || list_used != (RecordBits+1)'(Records));
			assert (busy_q ? read_q == f_now_place && beat_q < 7'(f_now_blocks) &&
				f_now_blocks <= (RingBits+1)'(RingBlocks) && 7'(f_now_blocks) == bytes_less_one_q[10:4] + 7'd1 : beat_q == '0);
			assert (list_used == '0 || f_begin[f_fetch] == (busy_q ? f_now_end : read_q));
			assert (list_used != '0 || ring_q == (busy_q ? f_now_end : read_q));
			assert (look_q == fetch_q + (RecordBits+1)'(looked_q) + (RecordBits+1)'(next_valid_q));
			assert (!next_valid_q || looked_q);
			assert (!f_looked_new || (f_retired_q[f_looked] && f_answer_q == f_word[f_looked]));
			assert (!found || (f_retired_q[f_fetch] && next == f_word[f_fetch]));
		end
	end
`ifdef FORMAL_REACH
	always @(posedge clk_i) assert (!(rst_ni && fetch_q[RecordBits] && free_q == '0 && valid_o && !ready_i));
`endif
`endif
endmodule

`default_nettype wire
