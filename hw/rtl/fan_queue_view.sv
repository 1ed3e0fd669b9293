// SPDX-License-Identifier: BSD-3-Clause
//
// What each side sees of a queue. A queue that has stopped because a completion was refused shows the read side a tail that it has
// reached already: nothing more is asked for, and the head stays for the host to read.
//
`default_nettype none

module fan_queue_view (
	input  wire  fan_queue_config_t config_i,   // as the host has written it
	input  wire  [15:0] head_i,
	input  wire  [2:0] fault_i,                 // of the read side
	input  wire  under_way_i,                   // batches of it
	input  wire  refused_i,                     // a completion of it
	input  wire  [15:0] completed_i,

	output fan_queue_config_t config_o,         // for the read side
	output fan_queue_state_t state_o            // for the host
);
	wire [2:0] fault = refused_i ? 3'(fan_registers_pkg::CARD_QUEUE_FAULT_WRITE_COMPLETION) : fault_i;
	wire waits = config_i.enable && fault == '0 && head_i != config_i.tail;

	assign config_o.enable = config_i.enable;
	assign config_o.entries_log2 = config_i.entries_log2;
	assign config_o.descriptors = config_i.descriptors;
	assign config_o.completions = config_i.completions;
	assign config_o.tail = refused_i ? head_i : config_i.tail;

	assign state_o.active = under_way_i || waits;
	assign state_o.fault = fault;
	assign state_o.head = head_i;
	assign state_o.completed = completed_i;
endmodule

`default_nettype wire
