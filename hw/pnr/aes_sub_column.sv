// SPDX-License-Identifier: BSD-3-Clause
//
// rtl/aes_sub_column.sv for Lattice ECP5: same ports, same function, same two clocks.
//
// A LUT of an ECP5 has four inputs: an S-box is 17 of them for each bit, five levels and their wires. A block RAM (DP16KD) is two
// S-boxes, one per port, and the two registers around an S-box are the ones it has inside, before its address and behind its data.
//
// An LFE5UM-85 has 208 block RAMs and a lane of two pipes would need 200, which leaves too few for its message and its ring. So the
// S-boxes of the key schedule stay in LUTs, with the second register moved forward to where it parts the path better: behind four
// tables of 64 octets, before the multiplexer, which shares its clock with the XORs of the round key.
//
`default_nettype none

module aes_sub_column #(
	parameter bit Schedule = 1'b0
) (
	input  wire         clk_i,
	input  wire  [31:0] column_i,
	output wire  [31:0] column_o
);
	if (Schedule) begin : g_lut
		for (genvar i = 0; i < 4; i++) begin : g_octet
			logic [7:0] octet_q, part0_q, part1_q, part2_q, part3_q;
			logic [1:0] select_q;
			wire [7:0] part0_d, part1_d, part2_d, part3_d;

			aes_sbox u_part0 (.x_i({2'd0, octet_q[5:0]}), .y_o(part0_d));
			aes_sbox u_part1 (.x_i({2'd1, octet_q[5:0]}), .y_o(part1_d));
			aes_sbox u_part2 (.x_i({2'd2, octet_q[5:0]}), .y_o(part2_d));
			aes_sbox u_part3 (.x_i({2'd3, octet_q[5:0]}), .y_o(part3_d));

			always_ff @(posedge clk_i) begin
				octet_q <= column_i[8*i +: 8];
				select_q <= octet_q[7:6];
				part0_q <= part0_d;
				part1_q <= part1_d;
				part2_q <= part2_d;
				part3_q <= part3_d;
			end
			assign column_o[8*i +: 8] = select_q[1] ? (select_q[0] ? part3_q : part2_q) : (select_q[0] ? part1_q : part0_q);
		end
	end else begin : g_block_ram
		for (genvar i = 0; i < 2; i++) begin : g_pair
			aes_sbox_pair u_pair (
				.clk_i,
				.x0_i(column_i[16*i +: 8]), .x1_i(column_i[16*i+8 +: 8]),
				.y0_o(column_o[16*i +: 8]), .y1_o(column_o[16*i+8 +: 8])
			);
		end
	end
endmodule

`default_nettype wire
