// SPDX-License-Identifier: BSD-3-Clause
//
// The MAC of 128-EIA3 (TS 35.221 4) from its key stream and the message, a word of each per clock: where bit i of the message is
// set, the 32 bits of key stream that begin at bit i are added. The bit behind the message adds its own, which is what the
// standard's z_LENGTH is: here it comes as one more set bit of the message. The word after those of the message and that bit is
// added last.
//
//      key stream    | z(m) ............. | z(m+1) ........... | z(m+2)          while message word m is here
//      bit i of m        [ 32 bits from i ......... ]
//
`default_nettype none

module fan_eia3_mac (
	input  wire  clk_i,
	input  wire  rst_ni,
	input  wire  fan_word_t stream_i,           // z(m+2) when word m is here
	input  wire  fan_stream_mac_t mac_i,
	input  wire  fan_word_t word_i,
	output fan_word_t mac_o                     // after the last step, until the next first one
);
	fan_word_t z0_q, z1_q, mac_q, added;
	wire [63:0] window = {z0_q, z1_q};

	always_comb begin
		added = '0;
		for (int i = 0; i < 32; i++)
			added = added ^ (window[32 - i +: 32] & {32{word_i[31 - i]}});
	end

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			z0_q <= '0;
			z1_q <= '0;
			mac_q <= '0;
		end else begin
			z0_q <= z1_q;
			z1_q <= stream_i;
			// A last word of message and bit leaves z(m+2); one of the bit alone began a word later, and leaves z(m+1).
			if (mac_i.step)
				mac_q <= (mac_q & {32{!mac_i.first}}) ^ added ^
					((mac_i.alone ? z1_q : stream_i) & {32{mac_i.last}});
		end
	end
	assign mac_o = mac_q;

	wire unused = mac_i.second ^ mac_i.closing;
endmodule

`default_nettype wire
