// SPDX-License-Identifier: BSD-3-Clause
//
// One queue's block of registers: what the host has written, and what it reads, one clock after read_i. A module of its own
// because there is one of it per queue.
//
`default_nettype none

module fan_queue_registers (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  clear_i,                // disables the queue, keeps where its rings are

	input  wire  write_i,
	input  wire  [7:0] write_word_i,     // offset, a multiple of 4
	input  wire  [31:0] data_i,
	input  wire  read_i,
	input  wire  [7:0] read_word_i,
	output wire  [31:0] word_o,          // 0 when the read was not of this queue

	output fan_queue_config_t config_o,
	input  wire  fan_queue_state_t state_i,
	output wire  fault_began_o           // for one clock
);
	localparam int Here = 256;           // the bit in front of the eight of address

	logic enable_q;
	logic [3:0] entries_log2_q;
	fan_address_t descriptors_q, completions_q;
	logic [15:0] tail_q;
	logic [2:0] fault_q;
	logic [31:0] word_q;
	wire enable_bit = data_i[fan_registers_pkg::CARD_QUEUE_CONTROL_ENABLE_LSB];

	assign config_o.enable = enable_q;
	assign config_o.entries_log2 = entries_log2_q;
	assign config_o.descriptors = descriptors_q;
	assign config_o.completions = completions_q;
	assign config_o.tail = tail_q;
	assign fault_began_o = fault_q == '0 && state_i.fault != '0;
	assign word_o = word_q;

	always_ff @(posedge clk_i) begin
		fault_q <= rst_ni ? state_i.fault : '0;
		if (!rst_ni) begin
			enable_q <= 1'b0;
			entries_log2_q <= '0;
			descriptors_q <= '0;
			completions_q <= '0;
			tail_q <= '0;
		end else if (clear_i) begin
			enable_q <= 1'b0;
			tail_q <= '0;
		end else if (write_i) begin
			case (write_word_i)
			8'(fan_registers_pkg::CARD_QUEUE_CONTROL): begin
				enable_q <= enable_bit;
				entries_log2_q <= data_i[fan_registers_pkg::CARD_QUEUE_CONTROL_ENTRIES_LOG2_LSB +: 4];
				if (!enable_q && enable_bit)
					tail_q <= '0;
			end
			8'(fan_registers_pkg::CARD_QUEUE_DESCRIPTORS_LOW):  descriptors_q[31:0] <= data_i;
			8'(fan_registers_pkg::CARD_QUEUE_DESCRIPTORS_HIGH): descriptors_q[63:32] <= data_i;
			8'(fan_registers_pkg::CARD_QUEUE_COMPLETIONS_LOW):  completions_q[31:0] <= data_i;
			8'(fan_registers_pkg::CARD_QUEUE_COMPLETIONS_HIGH): completions_q[63:32] <= data_i;
			8'(fan_registers_pkg::CARD_QUEUE_TAIL):             tail_q <= data_i[15:0];
			default: ;
			endcase
		end
	end

	always_ff @(posedge clk_i) begin
		case ({read_i, read_word_i})
		9'(Here + fan_registers_pkg::CARD_QUEUE_CONTROL):          word_q <= {20'd0, entries_log2_q, 7'd0, enable_q};
		9'(Here + fan_registers_pkg::CARD_QUEUE_STATUS):           word_q <= {25'd0, state_i.fault, 3'd0, state_i.active};
		9'(Here + fan_registers_pkg::CARD_QUEUE_DESCRIPTORS_LOW):  word_q <= descriptors_q[31:0];
		9'(Here + fan_registers_pkg::CARD_QUEUE_DESCRIPTORS_HIGH): word_q <= descriptors_q[63:32];
		9'(Here + fan_registers_pkg::CARD_QUEUE_COMPLETIONS_LOW):  word_q <= completions_q[31:0];
		9'(Here + fan_registers_pkg::CARD_QUEUE_COMPLETIONS_HIGH): word_q <= completions_q[63:32];
		9'(Here + fan_registers_pkg::CARD_QUEUE_TAIL):             word_q <= {16'd0, tail_q};
		9'(Here + fan_registers_pkg::CARD_QUEUE_HEAD):             word_q <= {16'd0, state_i.head};
		9'(Here + fan_registers_pkg::CARD_QUEUE_COMPLETED):        word_q <= {16'd0, state_i.completed};
		default:                                                   word_q <= '0;
		endcase
	end
endmodule

`default_nettype wire
