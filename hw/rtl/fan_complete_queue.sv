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
endmodule

`default_nettype wire
