// SPDX-License-Identifier: BSD-3-Clause
//
// The messages being sent: their octets in block RAM, their plans in registers.
//
// A message enters once and is read once per step by every UE in turn. Messages are worked on in the order in which they came:
// items belong to the front one until an item says it is the last, and a message's place is free again when the last of its UEs
// has retired. While one is worked on, the next ones are filled and the ones before drained, so that the slots never wait at a
// change of message.
//
//               first beat         last beat written        last item taken       its UEs retired
//      empty ---------------> held ------------------> open ----------------> held --------------> empty
//
`include "fan_assert.svh"
`default_nettype none

module fan_messages #(
	parameter int Slots = 24,
	parameter bit Registered = 1'b0  // octets come two clocks later instead of one, out of a register
) (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  scrub_i,           // overwrite the octets at scrub_address_i with zeros
	input  wire  [$clog2(fan_pkg::MESSAGES * fan_pkg::MESSAGE_BLOCKS)-1:0] scrub_address_i,

	input  wire  valid_i,
	output wire  ready_o,
	input  wire  fan_message_beat_t beat_i,

	output wire  open_o,            // the front message is there and takes items
	output wire  fan_message_t front_o,
	output fan_plan_t front_plan_o,
	input  wire  take_i,            // an item of the front message has been taken ...
	input  wire  take_last_i,       // ... and it was the last
	input  wire  retire_i,          // a UE of message retired_i has been served
	input  wire  fan_message_t retired_i,

	input  wire  fan_message_t plan_message_i,
	output fan_plan_t plan_o,
	input  wire  fan_message_t read_message_i,
	input  wire  fan_step_t read_block_i,
	output wire  fan_block_t read_data_o
);
	localparam int Messages = fan_pkg::MESSAGES;
	localparam int PlanBits = fan_pkg::PLAN_BITS;
	localparam int FlightBits = $clog2(Slots + 2);

	// ---- Filling: a beat is registered, then written -----------------------------------------------------------------------

	logic [Messages-1:0] held_q, open_q, closed_q;
	fan_message_t fill_q, write_message_q;
	fan_step_t fill_block_q, fill_last_q, write_block_q;
	logic filling_q, write_q, write_first_q, write_last_q;
	fan_shape_t write_shape_q;
	fan_block_t write_data_q;

	wire [10:0] beat_rounded = beat_i.shape.text_bytes + 11'd15;
	fan_step_t beat_blocks;
	assign beat_blocks = beat_rounded[10:4];
	wire unused = ^beat_rounded[3:0];
	wire beat_last = filling_q ? fill_block_q == fill_last_q : beat_blocks == 7'd1;
	wire beat_taken = valid_i && ready_o;

	assign ready_o = !scrub_i && (filling_q || !held_q[fill_q]);

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			fill_q <= '0;
			filling_q <= 1'b0;
			write_q <= 1'b0;
			fill_block_q <= '0;
		end else begin
			write_q <= beat_taken;
			if (beat_taken) begin
				filling_q <= !beat_last;
				fill_block_q <= beat_last ? '0 : fill_block_q + 7'd1;
				if (beat_last)
					fill_q <= fill_q + 1'b1;
			end
		end
	end

	always_ff @(posedge clk_i) begin
		if (!filling_q)
			fill_last_q <= beat_blocks - 7'd1;
		write_message_q <= fill_q;
		write_block_q <= fill_block_q;
		write_first_q <= !filling_q;
		write_last_q <= beat_last;
		write_shape_q <= beat_i.shape;
		write_data_q <= scrub_i ? '0 : beat_i.data;
	end

	localparam int AddressBits = $clog2(fan_pkg::MESSAGES * fan_pkg::MESSAGE_BLOCKS);
	wire [AddressBits-1:0] write_address = scrub_i ? scrub_address_i : {write_message_q, write_block_q};

	fan_ram_sync #(.Width(128), .Depth(fan_pkg::MESSAGES * fan_pkg::MESSAGE_BLOCKS), .Collides(1'b0), .Registered(Registered)) u_octets (
		.clk_i,
		.write_i(write_q || scrub_i), .write_address_i(write_address), .write_data_i(write_data_q),
		.read_i(1'b1), .read_address_i({read_message_i, read_block_i}), .read_data_o(read_data_o)
	);

	// ---- Plans -------------------------------------------------------------------------------------------------------------

	logic [PlanBits-1:0] plan_q [0:Messages-1];
	fan_plan_t write_plan;
	fan_message_t front_q;

	fan_plan u_plan (.shape_i(write_shape_q), .plan_o(write_plan));

	always_ff @(posedge clk_i) begin
		if (write_q && write_first_q)
			plan_q[write_message_q] <= write_plan;
	end
	assign front_plan_o = plan_q[front_q];
	assign plan_o = plan_q[plan_message_i];

	// ---- Life of a message -------------------------------------------------------------------------------------------------

	assign open_o = open_q[front_q];
	assign front_o = front_q;

	always_ff @(posedge clk_i) begin
		if (!rst_ni)
			front_q <= '0;
		else if (take_i && take_last_i)
			front_q <= front_q + 1'b1;
	end

	for (genvar m = 0; m < Messages; m++) begin : g_message
		logic [FlightBits-1:0] flight_q;  // UEs of the message that have been taken and not retired
		wire fill_here = fill_q == fan_pkg::MESSAGE_BITS'(m);
		wire take_here = take_i && front_q == fan_pkg::MESSAGE_BITS'(m);
		wire retire_here = retire_i && retired_i == fan_pkg::MESSAGE_BITS'(m);

		always_ff @(posedge clk_i) begin
			if (!rst_ni) begin
				held_q[m] <= 1'b0;
				open_q[m] <= 1'b0;
				closed_q[m] <= 1'b0;
				flight_q <= '0;
			end else begin
				flight_q <= flight_q + FlightBits'(take_here) - FlightBits'(retire_here);
				if (beat_taken && fill_here)
					held_q[m] <= 1'b1;
				else if (closed_q[m] && flight_q == '0)
					held_q[m] <= 1'b0;
				if (write_q && write_last_q && write_message_q == fan_pkg::MESSAGE_BITS'(m))
					open_q[m] <= 1'b1;
				else if (take_here && take_last_i)
					open_q[m] <= 1'b0;
				if (take_here && take_last_i)
					closed_q[m] <= 1'b1;
				else if (flight_q == '0)
					closed_q[m] <= 1'b0;
			end
		end

		// One more than there are slots: a UE is counted out one clock after the next one in its slot has been counted in.
		`FAN_ASSERT(AssertFlightNotOver, flight_q <= FlightBits'(Slots + 1))
		`FAN_ASSERT(AssertFlightNotUnder, !(retire_here && flight_q == '0))
		`FAN_ASSERT(AssertOpenIsHeld, !open_q[m] || held_q[m])
		`FAN_ASSERT(AssertClosedIsHeld, !closed_q[m] || (held_q[m] && !open_q[m]))
		`FAN_ASSERT(AssertNotOverwritten, !(beat_taken && fill_here && !filling_q && held_q[m]))
	end

	`FAN_ASSERT(AssertTakenFromOpen, !take_i || open_o)
	`FAN_ASSERT(AssertFillingIsHeld, !filling_q || (held_q[fill_q] && !open_q[fill_q] && !closed_q[fill_q]))
	`FAN_ASSERT(AssertWriteIsHeld,
		!write_q || (held_q[write_message_q] && !open_q[write_message_q] && !closed_q[write_message_q]))
	fan_stable_check #(.Width(fan_pkg::MESSAGE_BEAT_BITS), .Given(1'b1)) u_check (
		.clk_i, .rst_ni, .valid_i, .ready_i(ready_o), .data_i(beat_i)
	);

`ifdef FORMAL
	// Proved by induction, with anything in the message RAM (formal/ram_free.sv): who may send a beat may send it until it has been
	// taken; a message's beats are written once each, in order; its plan and its octets stay while it is open or a UE of it is
	// under way. Assumed: shapes within the limits, items taken from an open message only, as many UEs as there are slots and one
	// more, and that who retires had begun.
	(* anyconst *) fan_message_t f_message;
	logic f_reset_q = 1'b1, f_was_q = 1'b0, f_offer_q, f_fixed_q;
	logic [FlightBits-1:0] f_flight_q;
	logic [PlanBits-1:0] f_plan_q;
	fan_step_t f_beat_q;
	wire [Messages*FlightBits-1:0] f_flights;
	logic [FlightBits+1:0] f_total;
	fan_message_t f_writing;
	assign f_writing = fill_q - fan_pkg::MESSAGE_BITS'(write_last_q);
	wire f_fixed = open_q[f_message] || f_flight_q != '0;

	for (genvar m = 0; m < Messages; m++) begin : g_prove
		assign f_flights[FlightBits*m +: FlightBits] = g_message[m].flight_q;
		always @(posedge clk_i) begin
			assume (!retire_i || retired_i != fan_pkg::MESSAGE_BITS'(m) || g_message[m].flight_q != '0);
			if (rst_ni)
				assert (g_message[m].flight_q == '0 || (held_q[m] && (open_q[m] || closed_q[m])));
		end
	end
	always @* begin
		f_total = '0;
		for (int m = 0; m < Messages; m++)
			f_total = f_total + (FlightBits+2)'(f_flights[FlightBits*m +: FlightBits]);
	end

	always @(posedge clk_i) begin
		f_reset_q <= 1'b0;
		assume (rst_ni == !f_reset_q);
		assume (!valid_i || filling_q || (beat_i.shape.text_bytes != '0 && beat_i.shape.text_bytes <= 11'd1500));
		assume (!take_i || (open_o && !scrub_i && f_total <= (FlightBits+2)'(Slots)));
		assume (!scrub_i || !write_q);

		// Of one message: UEs that have begun and not retired; beats written.
		if (!rst_ni)
			f_flight_q <= '0;
		else
			f_flight_q <= f_flight_q + FlightBits'(take_i && front_q == f_message) - FlightBits'(retire_i && retired_i == f_message);
		if (beat_taken)
			f_beat_q <= filling_q ? f_beat_q + 7'd1 : 7'd1;

		f_was_q <= rst_ni;
		f_offer_q <= ready_o && !valid_i;
		f_fixed_q <= f_fixed;
		f_plan_q <= plan_q[f_message];
		if (rst_ni) begin
			assert (f_total <= (FlightBits+2)'(Slots + 1));
			assert (f_flight_q == f_flights[FlightBits*f_message +: FlightBits]);
			assert (!write_q || write_message_q == f_writing);
			assert (!write_q || write_last_q == !filling_q);
			assert (!filling_q || fill_block_q == f_beat_q);
			assert (filling_q || fill_block_q == '0);
			assert (!filling_q || (fill_block_q != '0 && fill_block_q <= fill_last_q));
			if (f_was_q) begin
				assert (!f_offer_q || scrub_i || ready_o);
				assert (!(f_fixed_q && f_fixed) || plan_q[f_message] == f_plan_q);
			end
			assert (!(f_fixed && write_q && write_message_q == f_message));
		end
	end
`ifdef FORMAL_REACH
	always @(posedge clk_i) assert (!(rst_ni && front_q == 2'd1 && f_flight_q == FlightBits'(3) && !open_q[f_message] && &held_q));
`endif
`endif
endmodule

`default_nettype wire
