// SPDX-License-Identifier: BSD-3-Clause
//
// A descriptor taken apart and judged: nothing that host memory may hold reaches a lane unless it is in range. The first of these
// that applies is the batch's error: BAD_DESCRIPTOR, BAD_SHAPE, UNSUPPORTED, BAD_ADDRESS. Combinational; that there is a lane for
// the algorithm is known elsewhere and comes in.
//
`default_nettype none

module fan_descriptor (
	input  wire  [319:0] bits_i,
	input  wire  reserved_used_i,
	input  wire  lane_found_i,             // one that computes descriptor_o.algorithm
	output fan_descriptor_t descriptor_o,
	output wire  [7:0] error_o
);
	wire [63:0] message = bits_i[fan_registers_pkg::DESCRIPTOR_MESSAGE_LSB +: 64];
	wire [63:0] items = bits_i[fan_registers_pkg::DESCRIPTOR_ITEMS_LSB +: 64];
	wire [63:0] contexts = bits_i[fan_registers_pkg::DESCRIPTOR_CONTEXTS_LSB +: 64];
	wire [15:0] ue_count = bits_i[fan_registers_pkg::DESCRIPTOR_UE_COUNT_LSB +: 16];
	wire [15:0] text_bytes = bits_i[fan_registers_pkg::DESCRIPTOR_TEXT_BYTES_LSB +: 16];
	wire [7:0] clear_bytes = bits_i[fan_registers_pkg::DESCRIPTOR_CLEAR_BYTES_LSB +: 8];
	wire [7:0] head_blocks = bits_i[fan_registers_pkg::DESCRIPTOR_HEAD_BLOCKS_LSB +: 8];
	wire [7:0] cipher = bits_i[fan_registers_pkg::DESCRIPTOR_CIPHER_LSB +: 8];
	wire [7:0] integrity = bits_i[fan_registers_pkg::DESCRIPTOR_INTEGRITY_LSB +: 8];
	wire [7:0] sequence_number = bits_i[fan_registers_pkg::DESCRIPTOR_SEQUENCE_LSB +: 8];
	wire [7:0] operation = bits_i[fan_registers_pkg::DESCRIPTOR_OPERATION_LSB +: 8];
	fan_shape_t shape;

	wire cipher_only = sequence_number == 8'd2;
	wire mac_behind = sequence_number == 8'd1;

	// An integrity algorithm where there is no MAC is an octet that had to be 0.
	wire bad_descriptor = operation != 8'd1 || reserved_used_i || sequence_number > 8'd2 || (cipher_only && integrity != '0);
	wire bad_shape = ue_count == '0 || ue_count > 16'(fan_engine_pkg::UES_MAX) ||
		clear_bytes > 8'(fan_pkg::CLEAR_BYTES_MAX) || head_blocks > 8'(fan_pkg::HEAD_BLOCKS_MAX) ||
		text_bytes == '0 || text_bytes > 16'(fan_pkg::PDU_BYTES_MAX) - {8'd0, clear_bytes};
	wire unsupported = cipher > 8'd3 || integrity > 8'd3 || (cipher != '0 && integrity != '0 && cipher != integrity) ||
		!lane_found_i;
	wire bad_address = message[5:0] != '0 || items[5:0] != '0 || contexts[5:0] != '0;

	assign error_o =
		bad_descriptor ? 8'(fan_registers_pkg::CARD_ERROR_BAD_DESCRIPTOR) :
		bad_shape ? 8'(fan_registers_pkg::CARD_ERROR_BAD_SHAPE) :
		unsupported ? 8'(fan_registers_pkg::CARD_ERROR_UNSUPPORTED) :
		bad_address ? 8'(fan_registers_pkg::CARD_ERROR_BAD_ADDRESS) : 8'(fan_registers_pkg::CARD_ERROR_NONE);

	assign shape.order = {mac_behind, integrity != '0 && !cipher_only, cipher != '0};
	assign shape.clear_bytes = clear_bytes[4:0];
	assign shape.head_blocks = head_blocks[1:0];
	assign shape.text_bytes = text_bytes[10:0];

	assign descriptor_o.message = message[63:6];
	assign descriptor_o.items = items[63:6];
	assign descriptor_o.contexts = contexts[63:6];
	assign descriptor_o.message_number = bits_i[fan_registers_pkg::DESCRIPTOR_MESSAGE_NUMBER_LSB +: 32];
	assign descriptor_o.cookie = bits_i[fan_registers_pkg::DESCRIPTOR_COOKIE_LSB +: 16];
	assign descriptor_o.ue_count = ue_count[6:0];
	assign descriptor_o.shape = shape;
	assign descriptor_o.algorithm = cipher[1:0] | integrity[1:0];
	assign descriptor_o.lead = sequence_number == 8'd0;
endmodule

`default_nettype wire
