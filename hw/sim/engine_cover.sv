// SPDX-License-Identifier: BSD-3-Clause
//
// Functional coverage: what the tests of the engine must have met at least once, beyond every line of rtl/. Bound into the modules
// for `make cover` only. A point's name is what the report shows; one that was never met needs a reason in coverage_holes.txt.
//
`default_nettype none

`define FAN_COVER(name, property_) \
	name: cover property (@(posedge clk_i) disable iff (!rst_ni) (property_));

// An order with private heads of 0 to 3 blocks. (A loop would be one point: Verilator adds up what generate blocks of one name count.)
`define FAN_COVER_HEADS(name, order_) \
	`FAN_COVER(name``Head0, commit_o && shape.order == order_ && shape.head_blocks == 2'd0) \
	`FAN_COVER(name``Head1, commit_o && shape.order == order_ && shape.head_blocks == 2'd1) \
	`FAN_COVER(name``Head2, commit_o && shape.order == order_ && shape.head_blocks == 2'd2) \
	`FAN_COVER(name``Head3, commit_o && shape.order == order_ && shape.head_blocks == 2'd3)

// Every order that a batch may give, and each error of a descriptor.
module fan_cover_dispatch (
	input wire clk_i,
	input wire rst_ni,
	input wire commit_o,
	input wire fan_descriptor_t order_o,
	input wire hit_o,
	input wire keep_o,
	input wire begun_o,
	input wire begin_valid_o,
	input wire begin_ready_i,
	input wire fan_begin_t begin_o,
	input wire drop_o,
	input wire dead_i,
	input wire unread_i
);
	wire fan_shape_t shape = order_o.shape;
	wire [10:0] text_bytes = shape.text_bytes;

	`FAN_COVER_HEADS(CoverNothing, 3'b000)
	`FAN_COVER_HEADS(CoverCipherOnly, fan_pkg::CIPHER_ONLY)
	`FAN_COVER_HEADS(CoverMacOnly, fan_pkg::MAC_ONLY)
	`FAN_COVER_HEADS(CoverCipherThenMac, fan_pkg::CIPHER_THEN_MAC)
	`FAN_COVER_HEADS(CoverNullMacBehind, 3'b100)
	`FAN_COVER_HEADS(CoverCipherNullMacBehind, 3'b101)
	`FAN_COVER_HEADS(CoverMacBehindOnly, 3'b110)
	`FAN_COVER_HEADS(CoverMacThenCipher, fan_pkg::MAC_THEN_CIPHER)
	`FAN_COVER(CoverAlgorithmSnow3g, commit_o && order_o.algorithm == 2'd1)
	`FAN_COVER(CoverAlgorithmAes, commit_o && order_o.algorithm == 2'd2)
	`FAN_COVER(CoverAlgorithmZuc, commit_o && order_o.algorithm == 2'd3)
	`FAN_COVER(CoverAlgorithmNone, commit_o && order_o.algorithm == 2'd0)
	`FAN_COVER(CoverTextOneOctet, commit_o && text_bytes == 11'd1)
	`FAN_COVER(CoverTextBelowBlock, commit_o && text_bytes < 11'd16)
	`FAN_COVER(CoverTextOneBlock, commit_o && text_bytes == 11'd16)
	`FAN_COVER(CoverTextWholeBlocks, commit_o && text_bytes > 11'd16 && text_bytes[3:0] == '0)
	`FAN_COVER(CoverTextPartOfBlock, commit_o && text_bytes > 11'd16 && text_bytes[3:0] != '0)
	`FAN_COVER(CoverTextOneLine, commit_o && text_bytes == 11'd64)
	`FAN_COVER(CoverTextBeyond1024, commit_o && text_bytes > 11'd1024)
	`FAN_COVER(CoverTextLongest, commit_o && text_bytes + {6'd0, shape.clear_bytes} == 11'd1500)
	`FAN_COVER(CoverHeadLongerThanText, commit_o && text_bytes < {5'd0, shape.head_blocks, 4'd0})
	`FAN_COVER(CoverClearNone, commit_o && shape.clear_bytes == '0)
	`FAN_COVER(CoverClearSome, commit_o && shape.clear_bytes != '0 && shape.clear_bytes < 5'd16)
	`FAN_COVER(CoverClearLongest, commit_o && shape.clear_bytes == 5'd16)
	`FAN_COVER(CoverUesOne, commit_o && order_o.ue_count == 7'd1)
	`FAN_COVER(CoverUesMost, commit_o && order_o.ue_count == 7'd64)
	`FAN_COVER(CoverMessageAgain, commit_o && hit_o)
	`FAN_COVER(CoverMessageKept, commit_o && !hit_o && keep_o)
	`FAN_COVER(CoverMessageNotKept, commit_o && !hit_o && !keep_o)
	`FAN_COVER(CoverBadDescriptor, begun_o && begin_o.error == 8'(fan_registers_pkg::CARD_ERROR_BAD_DESCRIPTOR))
	`FAN_COVER(CoverBadShape, begun_o && begin_o.error == 8'(fan_registers_pkg::CARD_ERROR_BAD_SHAPE))
	`FAN_COVER(CoverUnsupported, begun_o && begin_o.error == 8'(fan_registers_pkg::CARD_ERROR_UNSUPPORTED))
	`FAN_COVER(CoverBadAddress, begun_o && begin_o.error == 8'(fan_registers_pkg::CARD_ERROR_BAD_ADDRESS))
	`FAN_COVER(CoverDroppedUnread, drop_o && unread_i)
	`FAN_COVER(CoverDroppedDead, drop_o && dead_i)
	`FAN_COVER(CoverBeginWaits, begin_valid_o && !begin_ready_i)
endmodule

// Rings and doorbells.
module fan_cover_queues (
	input wire clk_i,
	input wire rst_ni,
	input wire ask,
	input wire serves,
	input wire size_wrong,
	input wire tail_wrong,
	input wire refused,
	input wire [15:0] place,
	input wire [15:0] entries,
	input wire [15:0] turn_next,
	input wire [15:0] waiting,
	input wire [fan_engine_pkg::BATCHES-1:0] busy_q,
	input wire read_valid_o,
	input wire read_ready_i
);
	`FAN_COVER(CoverRingWraps, ask && place == entries - 16'd1)
	`FAN_COVER(CoverRingFull, ask && waiting == entries)
	`FAN_COVER(CoverDoorbellWraps, ask && turn_next == '1)
	`FAN_COVER(CoverRingSmallest, ask && entries == 16'd2)
	`FAN_COVER(CoverRingMiddle, ask && entries > 16'd2 && entries < 16'd256)
	`FAN_COVER(CoverRingGreatest, ask && entries == 16'd256)
	`FAN_COVER(CoverFaultSize, serves && size_wrong)
	`FAN_COVER(CoverFaultTail, serves && !size_wrong && tail_wrong)
	`FAN_COVER(CoverFaultDescriptor, refused)
	`FAN_COVER(CoverAllBatchNumbers, busy_q == '1)
	`FAN_COVER(CoverDescriptorReadWaits, read_valid_o && !read_ready_i)
endmodule

// A lane's messages.
module fan_cover_messages (
	input wire clk_i,
	input wire rst_ni,
	input wire take_i,
	input wire take_last_i,
	input wire [fan_pkg::MESSAGES-1:0] held_q,
	input wire valid_i,
	input wire ready_o
);
	logic last_q;

	always_ff @(posedge clk_i)
		last_q <= rst_ni && take_i && take_last_i;
	`FAN_COVER(CoverBackToBack, last_q && take_i)
	`FAN_COVER(CoverSeveralMessages, (held_q & (held_q - 1'b1)) != '0)
	`FAN_COVER(CoverAllMessages, held_q == '1)
	`FAN_COVER(CoverMessageWaits, valid_i && !ready_o)
endmodule

`define FAN_COVER_ERRORS(name, kind_) \
	`FAN_COVER(CoverSlverr``name, answer_valid_o && answer_read_o.kind == kind_ && m_axi_rresp == 2'd2) \
	`FAN_COVER(CoverDecerr``name, answer_valid_o && answer_read_o.kind == kind_ && m_axi_rresp == 2'd3)

// Each way in which the bus can refuse or hold up.
module fan_cover_read (
	input wire clk_i,
	input wire rst_ni,
	input wire answer_valid_o,
	input wire fan_read_t answer_read_o,
	input wire [1:0] m_axi_rresp,
	input wire m_axi_arvalid,
	input wire m_axi_arready,
	input wire m_axi_rvalid,
	input wire m_axi_rready
);
	`FAN_COVER_ERRORS(Descriptor, fan_fetch_pkg::READ_DESCRIPTOR)
	`FAN_COVER_ERRORS(Message, fan_fetch_pkg::READ_MESSAGE)
	`FAN_COVER_ERRORS(Items, fan_fetch_pkg::READ_ITEMS)
	`FAN_COVER_ERRORS(Context, fan_fetch_pkg::READ_CONTEXT)
	`FAN_COVER(CoverArWaits, m_axi_arvalid && !m_axi_arready)
	`FAN_COVER(CoverRGap, !m_axi_rvalid && m_axi_rready)
	`FAN_COVER(CoverBurst, m_axi_arvalid && answer_valid_o)
endmodule

module fan_cover_write (
	input wire clk_i,
	input wire rst_ni,
	input wire issue,
	input wire on_bus,
	input wire split,
	input wire fan_write_t write_q,
	input wire answer,
	input wire refused,
	input wire [1:0] bresp_i,
	input wire awvalid_o,
	input wire awready_i,
	input wire wvalid_o,
	input wire wready_i,
	input wire bvalid_i,
	input wire bready_o,
	input wire owed_room
);
	`FAN_COVER(CoverPageCrossed, issue && on_bus && split)
	`FAN_COVER(CoverUeWithoutPdu, issue && !on_bus)
	`FAN_COVER(CoverCompletion, issue && write_q.completion)
	`FAN_COVER(CoverSlverr, refused && bresp_i == 2'd2)
	`FAN_COVER(CoverDecerr, refused && bresp_i == 2'd3)
	`FAN_COVER(CoverAwWaits, awvalid_o && !awready_i)
	`FAN_COVER(CoverWWaits, wvalid_o && !wready_i)
	`FAN_COVER(CoverWBeforeAw, wvalid_o && wready_i && awvalid_o && !awready_i)
	`FAN_COVER(CoverBGap, !bvalid_i && bready_o)
	`FAN_COVER(CoverOwedFull, !owed_room)
	`FAN_COVER(CoverAnswerWhileSending, answer && wvalid_o)
endmodule

module fan_cover_complete (
	input wire clk_i,
	input wire rst_ni,
	input wire pdu_done,
	input wire completion_done,
	input wire fan_done_t done_i,
	input wire drop
);
	`FAN_COVER(CoverUeReadMessage, pdu_done && done_i.error == 8'(fan_registers_pkg::CARD_ERROR_READ_MESSAGE))
	`FAN_COVER(CoverUeReadItem, pdu_done && done_i.error == 8'(fan_registers_pkg::CARD_ERROR_READ_ITEM))
	`FAN_COVER(CoverUeReadContext, pdu_done && done_i.error == 8'(fan_registers_pkg::CARD_ERROR_READ_CONTEXT))
	`FAN_COVER(CoverUeWritePdu, pdu_done && done_i.error == 8'(fan_registers_pkg::CARD_ERROR_WRITE_PDU))
	`FAN_COVER(CoverCompletionWritten, completion_done && done_i.error == '0)
	`FAN_COVER(CoverCompletionRefused, completion_done && done_i.error != '0)
	`FAN_COVER(CoverCompletionUnsaid, drop)
endmodule

module fan_cover_registers (
	input wire clk_i,
	input wire rst_ni,
	input wire awvalid_i,
	input wire awready_o,
	input wire wvalid_i,
	input wire wready_o,
	input wire bvalid_o,
	input wire bready_i,
	input wire arvalid_i,
	input wire arready_o,
	input wire rvalid_o,
	input wire rready_i,
	input wire address_full_q,
	input wire data_full_q
);
	`FAN_COVER(CoverAddressFirst, address_full_q && !data_full_q)
	`FAN_COVER(CoverDatumFirst, !address_full_q && data_full_q)
	`FAN_COVER(CoverBWaits, bvalid_o && !bready_i)
	`FAN_COVER(CoverRWaits, rvalid_o && !rready_i)
	`FAN_COVER(CoverAwWaits, awvalid_i && !awready_o)
	`FAN_COVER(CoverWWaits, wvalid_i && !wready_o)
	`FAN_COVER(CoverArWaits, arvalid_i && !arready_o)
endmodule

// Ports between the blocks, and a reset in each phase.
module fan_cover_engine #(
	parameter int Lanes = 1
) (
	input wire clk_i,
	input wire rst_ni,
	input wire reset_asked,
	input wire zeroise_asked,
	input wire ready,
	input wire fetch_idle,
	input wire write_idle,
	input wire complete_busy,
	input wire [Lanes-1:0] item_valid,
	input wire [Lanes-1:0] item_ready,
	input wire [Lanes-1:0] ticket_valid,
	input wire [Lanes-1:0] ticket_ready,
	input wire [Lanes:0] write_valid,
	input wire [Lanes:0] write_ready
);
	`FAN_COVER(CoverItemWaits, (item_valid & ~item_ready) != '0)
	`FAN_COVER(CoverTicketWaits, (ticket_valid & ~ticket_ready) != '0)
	`FAN_COVER(CoverWriteWaits, (write_valid & ~write_ready) != '0)
	`FAN_COVER(CoverLanesTogether, (write_valid[Lanes-1:0] & (write_valid[Lanes-1:0] - 1'b1)) != '0)
	`FAN_COVER(CoverResetIdle, reset_asked && fetch_idle && write_idle && !complete_busy && ready)
	`FAN_COVER(CoverResetReading, reset_asked && !fetch_idle)
	`FAN_COVER(CoverResetComputing, reset_asked && fetch_idle && write_idle && complete_busy)
	`FAN_COVER(CoverResetWriting, reset_asked && !write_idle)
	`FAN_COVER(CoverResetNotReady, reset_asked && !ready)
	`FAN_COVER(CoverZeroiseIdle, zeroise_asked && fetch_idle && write_idle && !complete_busy && ready)
	`FAN_COVER(CoverZeroiseReading, zeroise_asked && !fetch_idle)
	`FAN_COVER(CoverZeroiseComputing, zeroise_asked && fetch_idle && write_idle && complete_busy)
	`FAN_COVER(CoverZeroiseWriting, zeroise_asked && !write_idle)
	`FAN_COVER(CoverZeroiseNotReady, zeroise_asked && !ready)
endmodule

bind fan_dispatch fan_cover_dispatch u_cover (.*);
bind fan_queues fan_cover_queues u_cover (.*);
bind fan_messages fan_cover_messages u_cover (.*);
bind fan_read fan_cover_read u_cover (.*);
bind fan_write fan_cover_write u_cover (.*);
bind fan_complete fan_cover_complete u_cover (.*);
bind fan_registers fan_cover_registers u_cover (.*);
bind fan_engine fan_cover_engine #(.Lanes(Lanes)) u_cover (.*);

`default_nettype wire
