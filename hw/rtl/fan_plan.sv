// SPDX-License-Identifier: BSD-3-Clause
//
// What a shape means for the steps of a UE, worked out once per message. Combinational.
//
// The message of CMAC is EIA2's prefix of 8 octets, the clear prefix, the text. With up to 7 clear octets text begins in the
// first block of CMAC; with 8 and more that block holds no text (`lag`), and the text, its key stream and all that follows run
// one step later, so that a block of CMAC is never made of more than the current block of text and the one before.
//
`default_nettype none

module fan_plan (
	input  wire  fan_shape_t shape_i,
	output fan_plan_t plan_o
);
	// One sum each, as what is not text is a small number of octets: rounded up to blocks, and for CMAC its prefix and the step more.
	wire [5:0] out_more = 6'd15 + (shape_i.order.mac_behind ? 6'(fan_pkg::MAC_BYTES) : 6'd0);
	wire [5:0] step_more = shape_i.order.mac ? {1'b0, shape_i.clear_bytes} + 6'd39 : out_more;
	wire [10:0] out_rounded = shape_i.text_bytes + {5'd0, out_more};
	wire [10:0] steps_rounded = shape_i.text_bytes + {5'd0, step_more};
	wire [3:0] offset = shape_i.clear_bytes[3:0] ^ 4'd8;
	wire unused = ^{out_rounded[3:0], steps_rounded[3:0]};

	assign plan_o.shape = shape_i;
	assign plan_o.out_blocks = out_rounded[10:4];
	assign plan_o.steps = steps_rounded[10:4];
	assign plan_o.lag = shape_i.order.mac && shape_i.clear_bytes >= 5'd8;
	assign plan_o.offset = offset;
	assign plan_o.tail = shape_i.text_bytes[3:0] + offset;
endmodule

`default_nettype wire
