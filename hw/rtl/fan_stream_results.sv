// SPDX-License-Identifier: BSD-3-Clause
//
// From the cells' memories to one PDU after the other, in the order of the items: a group's UEs are in its cells in that order, and
// groups finish in theirs. A block is read from all cells at once and one cell's is taken; the MAC is laid over it where it stands
// behind the text.
//
// There are two banks, so a group may begin while another is read out.
//
`include "fan_assert.svh"
`default_nettype none

module fan_stream_results #(
	parameter int Cells = 4
) (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  scrub_i,
	input  wire  [4:0] scrub_address_i,

	input  wire  take_i,                         // an item, in order
	input  wire  fan_tag_t tag_i,
	input  wire  begin_i,                        // a group that uses up room
	output wire  room_o,                         // for one more group
	input  wire  finish_i,
	input  wire  fan_stream_finish_t finish_data_i,
	input  wire  [32*Cells-1:0] macs_i,          // steady from finish_i until the group is taken

	output wire  read_o,
	output wire  [7:0] read_row_o,
	input  wire  [128*Cells-1:0] blocks_i,       // one clock later

	output wire  valid_o,
	input  wire  ready_i,
	output fan_result_t result_o
);
	localparam int CellBits = $clog2(Cells) + 1;

	// ---- Tags ------------------------------------------------------------------------------------------------------------------

	logic [4:0] tag_in_q, tag_out_q;
	fan_tag_t tag;
	wire ue_done;

	fan_ram_async #(.Width(fan_pkg::TAG_BITS), .Depth(32)) u_tags (
		.clk_i,
		.write_i(take_i || scrub_i), .write_address_i(scrub_i ? scrub_address_i : tag_in_q),
		.write_data_i(scrub_i ? '0 : tag_i),
		.read_address_i(tag_out_q), .read_data_o(tag)
	);

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			tag_in_q <= '0;
			tag_out_q <= '0;
		end else begin
			tag_in_q <= tag_in_q + 5'(take_i);
			tag_out_q <= tag_out_q + 5'(ue_done);
		end
	end

	// ---- Groups ----------------------------------------------------------------------------------------------------------------

	logic [1:0] owed_q;                           // begun, not read
	logic waiting_q, reading_q;
	fan_stream_finish_t waiting_group_q, group_q;
	logic [32*Cells-1:0] macs_q;
	wire group_done, group_begins;

	assign room_o = owed_q != 2'(fan_stream_pkg::BANKS);
	assign group_begins = waiting_q && (!reading_q || group_done);

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			owed_q <= '0;
			waiting_q <= 1'b0;
			reading_q <= 1'b0;
			macs_q <= '0;
		end else begin
			owed_q <= owed_q + 2'(begin_i) - 2'(group_done);
			waiting_q <= finish_i || (waiting_q && !group_begins);
			reading_q <= group_begins || (reading_q && !group_done);
			if (group_begins)
				macs_q <= macs_i;
		end
		if (finish_i)
			waiting_group_q <= finish_data_i;
		if (group_begins)
			group_q <= waiting_group_q;
	end

	// ---- First clock of read-out: whose block is next --------------------------------------------------------------------------

	logic [CellBits-1:0] cell_q;
	fan_step_t beat_q;
	wire enable;
	wire [10:0] bytes = group_q.text_bytes + (group_q.mac_behind ? 11'(fan_pkg::MAC_BYTES) : 11'd0);
	wire [10:0] bytes_less_one = bytes - 11'd1;
	wire last = beat_q == bytes_less_one[10:4];
	wire advance = reading_q && enable;
	// Place of the MAC in this block: it begins here, or it began in the block before and reaches over.
	wire begins = group_q.mac_behind && beat_q == group_q.text_bytes[10:4];
	wire reaches = group_q.mac_behind && beat_q == group_q.text_bytes[10:4] + 7'd1;
	fan_word_t mac;

	assign ue_done = advance && last;
	assign group_done = ue_done && 4'(cell_q) + 4'd1 == group_q.ues;
	assign read_o = enable;
	assign read_row_o = {group_q.bank, beat_q};
	assign mac = macs_q[32*cell_q +: 32] & {32{group_q.mac}};

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			cell_q <= '0;
			beat_q <= '0;
		end else if (advance) begin
			beat_q <= last ? '0 : beat_q + 7'd1;
			if (last)
				cell_q <= group_done ? '0 : cell_q + 1'b1;
		end
	end

	// ---- Second clock: the block has been read; where its octets come from -----------------------------------------------------

	logic here_q, first_q, last_q;
	logic [CellBits-1:0] cell_read_q;
	logic [4:0] bytes_q;
	logic [15:0] keep_q, mac_place_q, keep_d, mac_place_d;  // bit 15 - i for octet i
	fan_word_t mac_q, mac_turned_q, mac_turned_d;
	fan_tag_t tag_q;

	wire [4:0] beat_bytes = last ? {1'b0, bytes_less_one[3:0]} + 5'd1 : 5'd16;
	wire [3:0] mac_at = group_q.text_bytes[3:0];
	// Four places from mac_at on: the upper half is this block, the lower half the next one.
	wire [31:0] mac_places = 32'hf0000000 >> mac_at;

	assign keep_d = ~(16'hffff >> beat_bytes);
	assign mac_place_d = (mac_places[31:16] & {16{begins}}) | (mac_places[15:0] & {16{reaches}});
	assign mac_turned_d = 32'({mac, mac} >> {mac_at[1:0], 3'd0});

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			here_q <= 1'b0;
		else if (enable)
			here_q <= reading_q;
		if (enable) begin
			cell_read_q <= cell_q;
			first_q <= beat_q == '0;
			last_q <= last;
			bytes_q <= beat_bytes;
			keep_q <= keep_d;
			mac_place_q <= mac_place_d;
			mac_q <= mac;
			mac_turned_q <= mac_turned_d;
			tag_q <= tag;
		end
	end

	// ---- Third clock: offered --------------------------------------------------------------------------------------------------

	logic valid_q;
	fan_result_t result_d, result_q;
	fan_block_t block, data_d;

	assign enable = !valid_q || ready_i;
	assign block = blocks_i[128*cell_read_q +: 128];

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

	// ---- Promises --------------------------------------------------------------------------------------------------------------

	wire [4:0] tags_used = tag_in_q - tag_out_q;

	`FAN_ASSERT(AssertBeginInRoom, !begin_i || room_o)
	`FAN_ASSERT(AssertFinishTaken, !(finish_i && waiting_q))
	`FAN_ASSERT(AssertOwedNotUnder, !(group_done && owed_q == '0))
	`FAN_ASSERT(AssertTagsNotOver, tags_used <= 5'(4 * Cells))
	`FAN_ASSERT(AssertTagsNotUnder, !(ue_done && tags_used == '0))
	fan_stable_check #(.Width(fan_pkg::RESULT_BITS)) u_check (
		.clk_i, .rst_ni, .valid_i(valid_o), .ready_i, .data_i(result_o)
	);
endmodule

`default_nettype wire
