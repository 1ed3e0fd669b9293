// SPDX-License-Identifier: BSD-3-Clause
//
// One queue's ring of completions: where the next one goes, how many have been written, and how many batches still have none.
//
`include "fan_assert.svh"
`default_nettype none

module fan_complete_queue (
	input  wire  clk_i,
	input  wire  rst_ni,                 // synchronous

	input  wire  fan_queue_config_t config_i,
	input  wire  begins_i,               // one clock each: a batch begins;
	input  wire  make_i,                 // its completion is on its way ...
	input  wire  drop_i,                 // ... or there will be none;
	input  wire  written_i,              // the bus has answered it: ...
	input  wire  refused_i,              // ... with an error

	output wire  wanted_o,               // completions are to be written
	output fan_address_t address_o,      // of the next
	output wire  [31:0] serial_o,
	output wire  active_o,
	output wire  fault_o,
	output wire  [15:0] completed_o,
	output wire  completion_o            // for one clock
);
	logic enable_q, fault_q;
	logic [4:0] batches_q;
	logic [7:0] place_q;
	logic [31:0] serial_q;
	logic [15:0] completed_q;
	wire [7:0] place = place_q & ~(8'hff << config_i.entries_log2);
	wire [31:0] serial_next = serial_q + 32'd1;
	wire unused_config = ^{config_i.descriptors, config_i.tail};

	assign wanted_o = enable_q && config_i.enable && !fault_q;
	assign address_o = config_i.completions + {52'd0, place, 4'd0};
	assign serial_o = serial_q;
	assign active_o = batches_q != '0;
	assign fault_o = fault_q;
	assign completed_o = completed_q;
	assign completion_o = written_i && !refused_i && enable_q;

	always_ff @(posedge clk_i) begin
		enable_q <= rst_ni && config_i.enable;
		if (!rst_ni)
			batches_q <= '0;
		else
			batches_q <= batches_q + {4'd0, begins_i} - {4'd0, written_i} - {4'd0, drop_i};
		if (!rst_ni || (config_i.enable && !enable_q)) begin
			fault_q <= 1'b0;
			place_q <= '0;
			serial_q <= 32'd1;
			completed_q <= '0;
		end else begin
			fault_q <= fault_q || (written_i && refused_i && enable_q && config_i.enable);
			place_q <= place_q + {7'd0, make_i};
			if (make_i)
				serial_q <= serial_next == '0 ? 32'd1 : serial_next;
			completed_q <= completed_q + {15'd0, completion_o};
		end
	end

	`FAN_ASSERT(AssertBatchThere, !(written_i || drop_i) || batches_q != '0)

`ifdef FORMAL
	// Proved by induction: a completion lies inside the ring that the host has given, whatever its size; the next one lies behind
	// it, or at the beginning behind the last; no serial is 0. Assumed: the host leaves the ring where it is while it is enabled,
	// and only batches that have begun end.
	logic f_reset_q = 1'b1, f_was_q = 1'b0, f_make_q;
	fan_address_t f_offset_q, f_size_q, f_base_q;
	wire [63:0] f_offset = address_o - config_i.completions;
	wire [63:0] f_size = 64'd16 << config_i.entries_log2;

	always @(posedge clk_i) begin
		f_reset_q <= 1'b0;
		assume (rst_ni == !f_reset_q);
		assume (config_i.entries_log2 <= 4'd8);
		assume (!(written_i || drop_i) || batches_q != '0);
		assume (!f_was_q || (f_base_q == config_i.completions && f_size_q == f_size));
		f_was_q <= rst_ni && enable_q && config_i.enable;
		f_make_q <= make_i;
		f_offset_q <= f_offset;
		f_size_q <= f_size;
		f_base_q <= config_i.completions;
		if (rst_ni) begin
			assert (f_offset + 64'd16 <= f_size);
			assert (serial_q != '0);
			assert (!f_was_q || f_offset == (!f_make_q ? f_offset_q : f_offset_q + 64'd16 == f_size ? '0 : f_offset_q + 64'd16));
		end
	end
`endif
endmodule

`default_nettype wire
