// SPDX-License-Identifier: BSD-3-Clause
//
// From a lane's results to octets that stand as they will in host memory. One per lane.
//
// A ticket says where the lane's next result goes. MAC and clear prefix, where they lead, and the blocks of text become chunks of
// up to 16 octets; a chunk is turned to its place in a line of 64 octets, and lines are put together of chunks. A PDU is handed on
// when all its lines are there, so that a burst that has begun on the bus never waits for a lane.
//
//      chunks      MMMMc | tttttttttttttttt | tttttttttttttttt | ...         M MAC, c clear prefix, t text
//      turned            |..............MMMM||c...............|  offset 14 in its 16: upper part belongs to the next 16
//      lines       [  16  |  16  |  16  |  16  ]
//
// A chunk a clock: with the lead, a PDU takes a clock or two more than it has blocks, which a lane does as well. Only a PDU whose
// last chunk begins in one line and ends in the next takes one more.
//
// Tickets wait for as long as their UE is in the lane: there is room for as many as the lane can have results.
//
`include "fan_assert.svh"
`default_nettype none

module fan_pack #(
	parameter int Lines = 64,            // 25 are the longest PDU
	parameter int Writes = 32,           // PDUs that are whole and wait
	parameter int Tickets = 512
) (
	input  wire  clk_i,
	input  wire  rst_ni,                 // synchronous
	output wire  ready_o,                // what an earlier user left has been overwritten

	input  wire  ticket_valid_i,
	output wire  ticket_ready_o,
	input  wire  fan_ticket_t ticket_i,

	input  wire  result_valid_i,
	output wire  result_ready_o,
	input  wire  fan_result_t result_i,

	output wire  write_valid_o,
	input  wire  write_ready_i,
	output fan_write_t write_o,
	output wire  fan_beat_t line_o,      // of the PDUs handed on, the oldest line not yet taken
	input  wire  line_take_i,

	output wire  ue_o                    // for one clock: a PDU is whole
);
	localparam int LineBits = $clog2(Lines);
	localparam int TicketBits = $clog2(Tickets);
	localparam int LeadBytesMax = fan_pkg::MAC_BYTES + fan_pkg::CLEAR_BYTES_MAX;

	logic scrub_q;
	logic [TicketBits:0] scrub_count_q;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			scrub_q <= 1'b1;
			scrub_count_q <= '0;
		end else if (scrub_q) begin
			scrub_q <= !scrub_count_q[TicketBits];
			scrub_count_q <= scrub_count_q + 1'b1;
		end
	end
	assign ready_o = !scrub_q;

	// ---- Tickets -----------------------------------------------------------------------------------------------------------

	logic [TicketBits:0] ticket_head_q, ticket_head_d, ticket_tail_q, ticket_written_q;
	wire [fan_engine_pkg::TICKET_BITS-1:0] ticket_bits;
	fan_ticket_t ticket;
	wire ticket_here = ticket_head_q != ticket_written_q;
	wire ticket_take;
	wire ticket_put = ticket_valid_i && ticket_ready_o;

	assign ticket_ready_o = !scrub_q && ticket_tail_q != {!ticket_head_q[TicketBits], ticket_head_q[TicketBits-1:0]};
	assign ticket_head_d = ticket_head_q + (TicketBits+1)'(ticket_take);
	assign ticket = ticket_bits;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			ticket_head_q <= '0;
			ticket_tail_q <= '0;
			ticket_written_q <= '0;
		end else begin
			ticket_head_q <= ticket_head_d;
			ticket_tail_q <= ticket_tail_q + (TicketBits+1)'(ticket_put);
			// A ticket is read the clock after it was written, at the earliest.
			ticket_written_q <= ticket_tail_q;
		end
	end

	fan_ram_sync #(.Width(fan_engine_pkg::TICKET_BITS), .Depth(Tickets)) u_tickets (
		.clk_i,
		.write_i(ticket_put || scrub_q),
		.write_address_i(scrub_q ? scrub_count_q[TicketBits-1:0] : ticket_tail_q[TicketBits-1:0]),
		.write_data_i(scrub_q ? '0 : ticket_i),
		.read_i(1'b1), .read_address_i(ticket_head_d[TicketBits-1:0]), .read_data_o(ticket_bits)
	);

	// ---- First clock: the next chunk ---------------------------------------------------------------------------------------

	typedef enum logic [1:0] { Begin, LeadRest, Text } step_t;

	logic [1:0] step_q;
	wire move;                              // the stages behind take a chunk
	wire here = ticket_here && result_valid_i;
	wire swallow = ticket.error != '0;
	wire [4:0] lead_bytes = ticket.clear_bytes + 5'(fan_pkg::MAC_BYTES);
	wire lead_now = step_q == Begin && ticket.lead && !swallow;
	wire rest_now = step_q == LeadRest;
	wire text_now = !lead_now && !rest_now;
	wire unused_tag = ^result_i.tag;        // the lane keeps the order, and so does the ticket
	wire lead_long = lead_bytes > 5'd16;
	wire [8*LeadBytesMax-1:0] lead = {result_i.mac, ticket.clear};

	logic chunk_q, chunk_void_q, chunk_first_q, chunk_last_q;
	fan_block_t chunk_data_d, chunk_data_q;
	logic [4:0] chunk_bytes_d, chunk_bytes_q;
	logic [5:0] chunk_place_q;
	fan_address_t chunk_address_q;
	fan_batch_t chunk_batch_q;
	fan_ue_t chunk_ue_q;
	logic [7:0] chunk_error_q;
	wire [4:0] before_bytes = ticket.lead ? lead_bytes : 5'd0;

	assign chunk_bytes_d = rest_now ? lead_bytes - 5'd16 : !lead_now ? result_i.bytes : lead_long ? 5'd16 : lead_bytes;

	for (genvar i = 0; i < 16; i++) begin : g_octet
		// Octet i of the chunk, in the order of memory.
		wire [7:0] of_lead = lead[8*(LeadBytesMax-1-i) +: 8];
		wire [7:0] of_rest = i < LeadBytesMax - 16 ? lead[8*(LeadBytesMax-17-(i%4)) +: 8] : 8'd0;
		wire [7:0] of_text = result_i.data[8*(15-i) +: 8];
		assign chunk_data_d[8*i +: 8] = 5'(i) >= chunk_bytes_d ? 8'd0 : rest_now ? of_rest : lead_now ? of_lead : of_text;
	end

	assign result_ready_o = here && move && text_now;
	assign ticket_take = result_ready_o && result_i.last;

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			step_q <= Begin;
		else if (here && move)
			step_q <= text_now ? (result_i.last ? Begin : Text) : lead_now && lead_long ? LeadRest : Text;
	end

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			chunk_q <= 1'b0;
			chunk_data_q <= '0;
		end else if (move) begin
			// Of a UE that is swallowed only the end goes on.
			chunk_q <= here && (!swallow || result_i.last);
			// Lane and tickets may still show what an earlier user left: memories are overwritten with what comes from here.
			chunk_data_q <= here ? chunk_data_d : '0;
		end
		if (move && here) begin
			chunk_void_q <= swallow;
			chunk_first_q <= step_q == Begin || swallow;
			chunk_last_q <= text_now && result_i.last;
			chunk_bytes_q <= chunk_bytes_d;
			chunk_place_q <= step_q == Begin ? ticket.pdu[5:0] - {1'b0, before_bytes} : chunk_place_q + {1'b0, chunk_bytes_q};
			if (step_q == Begin) begin
				chunk_address_q <= ticket.pdu - {59'd0, before_bytes};
				chunk_batch_q <= ticket.batch;
				chunk_ue_q <= ticket.ue;
				chunk_error_q <= ticket.error;
			end
		end
	end

	// ---- Second clock: turned to its place in 16 octets --------------------------------------------------------------------

	logic turned_q, turned_void_q, turned_last_q;
	logic [255:0] turned_data_q;
	logic [1:0] turned_quarter_q;
	logic [6:0] turned_end_q;               // place behind its last octet, from the line's beginning
	fan_write_t turned_write_q;             // whole only with the last chunk

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			turned_q <= 1'b0;
			turned_data_q <= '0;
		end else if (move) begin
			turned_q <= chunk_q;
			turned_data_q <= {128'd0, chunk_data_q} << {chunk_place_q[3:0], 3'd0};
		end
		if (move && chunk_q) begin
			turned_void_q <= chunk_void_q;
			turned_last_q <= chunk_last_q;
			turned_quarter_q <= chunk_place_q[5:4];
			turned_end_q <= {1'b0, chunk_place_q} + {2'd0, chunk_bytes_q};
			turned_write_q.completion <= 1'b0;
			turned_write_q.batch <= chunk_batch_q;
			turned_write_q.ue <= chunk_ue_q;
			turned_write_q.error <= chunk_error_q;
			turned_write_q.address <= chunk_address_q;
			turned_write_q.bytes <= chunk_void_q ? '0 : (chunk_first_q ? '0 : turned_write_q.bytes) + {6'd0, chunk_bytes_q};
		end
	end

	// ---- Third clock: into the line ----------------------------------------------------------------------------------------

	logic spill_q;                          // the PDU's last chunk has filled a line; what is left of it is a line of its own
	fan_beat_t gathered_q, gathered_d, line;
	wire fills = !turned_void_q && turned_end_q >= 7'd64;
	wire over = !turned_void_q && turned_end_q > 7'd64;
	wire line_put = spill_q || (turned_q && !turned_void_q && (fills || turned_last_q));
	wire write_put = spill_q || (turned_q && turned_last_q && !over);
	wire line_room, write_room;
	wire room = line_room && write_room;

	for (genvar i = 0; i < 4; i++) begin : g_quarter
		wire low = turned_quarter_q == 2'(i);
		wire high = i != 0 && turned_quarter_q == 2'(i - 1);
		assign line[128*i +: 128] = gathered_q[128*i +: 128] |
			(turned_data_q[127:0] & {128{!spill_q && low}}) | (turned_data_q[255:128] & {128{!spill_q && high}});
	end
	assign gathered_d = spill_q ? '0 : over ? {384'd0, turned_data_q[255:128]} : fills || turned_last_q ? '0 : line;
	assign move = room && (spill_q || !(turned_q && turned_last_q && over));

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			gathered_q <= '0;
			spill_q <= 1'b0;
		end else if (room && (spill_q || (turned_q && !turned_void_q))) begin
			gathered_q <= gathered_d;
			spill_q <= !spill_q && over && turned_last_q;
		end
	end

	logic [LineBits:0] line_head_q, line_tail_q;
	assign line_room = line_tail_q != {!line_head_q[LineBits], line_head_q[LineBits-1:0]};

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			line_head_q <= '0;
			line_tail_q <= '0;
		end else begin
			line_head_q <= line_head_q + (LineBits+1)'(line_take_i);
			line_tail_q <= line_tail_q + (LineBits+1)'(line_put && room);
		end
	end

	fan_ram_async #(.Width(fan_engine_pkg::BEAT_BITS), .Depth(Lines)) u_lines (
		.clk_i,
		.write_i((line_put && room) || scrub_q),
		.write_address_i(scrub_q ? scrub_count_q[LineBits-1:0] : line_tail_q[LineBits-1:0]), .write_data_i(line),
		.read_address_i(line_head_q[LineBits-1:0]), .read_data_o(line_o)
	);

	wire [fan_engine_pkg::WRITE_BITS-1:0] write_bits;
	fan_fifo #(.Width(fan_engine_pkg::WRITE_BITS), .Depth(Writes)) u_writes (
		.clk_i, .rst_ni,
		.valid_i(write_put && room), .ready_o(write_room), .data_i(turned_write_q),
		.valid_o(write_valid_o), .ready_i(write_ready_i), .data_o(write_bits)
	);
	assign write_o = write_bits;
	assign ue_o = write_put && room && turned_write_q.error == '0;

	// ---- Promises ----------------------------------------------------------------------------------------------------------

	fan_stable_check #(.Width(fan_engine_pkg::TICKET_BITS)) u_check_ticket (
		.clk_i, .rst_ni, .valid_i(ticket_valid_i), .ready_i(ticket_ready_o), .data_i(ticket_i)
	);
	`FAN_ASSERT(AssertLineThere, !line_take_i || line_head_q != line_tail_q)
	`FAN_ASSERT(AssertFirstOfResult, !(here && step_q == Begin) || result_i.first)
endmodule

`default_nettype wire
