// SPDX-License-Identifier: BSD-3-Clause
//
// rtl/fan_ram_sync.sv for Lattice ECP5: the same ports and the same clocks, for who can wait and does not look at the answer where
// a read met a write.
//
// yosys would infer the memory but not the register behind it, without which a DP16KD takes 5.6 ns to answer. It would also make
// the ring of fan_results.sv of two memories one behind the other, with a multiplexer; here a block RAM is a slice of the words,
// as deep as the whole: 36 bits of up to 512, 4 bits of up to 4,096. `make test-pnr` runs a lane with it.
//
`include "fan_assert.svh"
`default_nettype none

module fan_ram_sync #(
	parameter int Width = 128,
	parameter int Depth = 512,
	parameter bit Collides = 1'b1,
	parameter bit Registered = 1'b0,
	localparam int AddressBits = $clog2(Depth)
) (
	input  wire                   clk_i,
	input  wire                   write_i,
	input  wire [AddressBits-1:0] write_address_i,
	input  wire [Width-1:0]       write_data_i,
	input  wire                   read_i,
	input  wire [AddressBits-1:0] read_address_i,
	output wire [Width-1:0]       read_data_o
);
	localparam bit Wide = Depth <= 512;
	localparam int SliceWidth = Wide ? 36 : 4;
	localparam int Slices = (Width + SliceWidth - 1) / SliceWidth;

	wire rst_ni = 1'b1;

	for (genvar i = 0; i < Slices; i++) begin : g_slice
		localparam int Used = Width - i * SliceWidth < SliceWidth ? Width - i * SliceWidth : SliceWidth;
		wire [35:0] data_o;
		wire [35:0] data_i = 36'(write_data_i[i*SliceWidth +: Used]);
		wire unused = ^{data_i, data_o};

		assign read_data_o[i*SliceWidth +: Used] = data_o[Used-1:0];

		if (Wide) begin : g_wide
			wire [8:0] write_address = 9'(write_address_i);
			wire [8:0] read_address = 9'(read_address_i);

			PDPW16KD #(.DATA_WIDTH_W(36), .DATA_WIDTH_R(36), .REGMODE("OUTREG")) u_ram (
				.CLKW(clk_i), .CEW(write_i), .BE0(1'b1), .BE1(1'b1), .BE2(1'b1), .BE3(1'b1), .CSW0(1'b0), .CSW1(1'b0), .CSW2(1'b0),
				.ADW0(write_address[0]), .ADW1(write_address[1]), .ADW2(write_address[2]), .ADW3(write_address[3]),
				.ADW4(write_address[4]), .ADW5(write_address[5]), .ADW6(write_address[6]), .ADW7(write_address[7]),
				.ADW8(write_address[8]),
				.DI0(data_i[0]), .DI1(data_i[1]), .DI2(data_i[2]), .DI3(data_i[3]), .DI4(data_i[4]), .DI5(data_i[5]),
				.DI6(data_i[6]), .DI7(data_i[7]), .DI8(data_i[8]), .DI9(data_i[9]), .DI10(data_i[10]), .DI11(data_i[11]),
				.DI12(data_i[12]), .DI13(data_i[13]), .DI14(data_i[14]), .DI15(data_i[15]), .DI16(data_i[16]),
				.DI17(data_i[17]), .DI18(data_i[18]), .DI19(data_i[19]), .DI20(data_i[20]), .DI21(data_i[21]),
				.DI22(data_i[22]), .DI23(data_i[23]), .DI24(data_i[24]), .DI25(data_i[25]), .DI26(data_i[26]),
				.DI27(data_i[27]), .DI28(data_i[28]), .DI29(data_i[29]), .DI30(data_i[30]), .DI31(data_i[31]),
				.DI32(data_i[32]), .DI33(data_i[33]), .DI34(data_i[34]), .DI35(data_i[35]),
				.CLKR(clk_i), .CER(read_i), .OCER(read_i), .CSR0(1'b0), .CSR1(1'b0), .CSR2(1'b0), .RST(1'b0),
				.ADR0(1'b0), .ADR1(1'b0), .ADR2(1'b0), .ADR3(1'b0), .ADR4(1'b0),
				.ADR5(read_address[0]), .ADR6(read_address[1]), .ADR7(read_address[2]), .ADR8(read_address[3]),
				.ADR9(read_address[4]), .ADR10(read_address[5]), .ADR11(read_address[6]), .ADR12(read_address[7]),
				.ADR13(read_address[8]),
				.DO0(data_o[0]), .DO1(data_o[1]), .DO2(data_o[2]), .DO3(data_o[3]), .DO4(data_o[4]), .DO5(data_o[5]),
				.DO6(data_o[6]), .DO7(data_o[7]), .DO8(data_o[8]), .DO9(data_o[9]), .DO10(data_o[10]), .DO11(data_o[11]),
				.DO12(data_o[12]), .DO13(data_o[13]), .DO14(data_o[14]), .DO15(data_o[15]), .DO16(data_o[16]),
				.DO17(data_o[17]), .DO18(data_o[18]), .DO19(data_o[19]), .DO20(data_o[20]), .DO21(data_o[21]),
				.DO22(data_o[22]), .DO23(data_o[23]), .DO24(data_o[24]), .DO25(data_o[25]), .DO26(data_o[26]),
				.DO27(data_o[27]), .DO28(data_o[28]), .DO29(data_o[29]), .DO30(data_o[30]), .DO31(data_o[31]),
				.DO32(data_o[32]), .DO33(data_o[33]), .DO34(data_o[34]), .DO35(data_o[35])
			);
		end else begin : g_deep
			// Words of 4 bits: their address stands above 2 bits.
			wire [13:0] write_address = {12'(write_address_i), 2'd0};
			wire [13:0] read_address = {12'(read_address_i), 2'd0};
			wire [17:0] unused_a;
			wire unused_port = ^unused_a;

			assign data_o[35:18] = '0;

			DP16KD #(
				.DATA_WIDTH_A(4), .DATA_WIDTH_B(4), .REGMODE_A("NOREG"), .REGMODE_B("OUTREG")
			) u_ram (
				.CLKA(clk_i), .CEA(write_i), .OCEA(1'b0), .WEA(1'b1), .RSTA(1'b0), .CSA0(1'b0), .CSA1(1'b0), .CSA2(1'b0),
				.ADA0(write_address[0]), .ADA1(write_address[1]), .ADA2(write_address[2]), .ADA3(write_address[3]),
				.ADA4(write_address[4]), .ADA5(write_address[5]), .ADA6(write_address[6]), .ADA7(write_address[7]),
				.ADA8(write_address[8]), .ADA9(write_address[9]), .ADA10(write_address[10]), .ADA11(write_address[11]),
				.ADA12(write_address[12]), .ADA13(write_address[13]),
				.DIA0(data_i[0]), .DIA1(data_i[1]), .DIA2(data_i[2]), .DIA3(data_i[3]), .DIA4(data_i[4]), .DIA5(data_i[5]),
				.DIA6(data_i[6]), .DIA7(data_i[7]), .DIA8(data_i[8]), .DIA9(data_i[9]), .DIA10(data_i[10]), .DIA11(data_i[11]),
				.DIA12(data_i[12]), .DIA13(data_i[13]), .DIA14(data_i[14]), .DIA15(data_i[15]), .DIA16(data_i[16]),
				.DIA17(data_i[17]),
				.DOA0(unused_a[0]), .DOA1(unused_a[1]), .DOA2(unused_a[2]), .DOA3(unused_a[3]), .DOA4(unused_a[4]),
				.DOA5(unused_a[5]), .DOA6(unused_a[6]), .DOA7(unused_a[7]), .DOA8(unused_a[8]), .DOA9(unused_a[9]),
				.DOA10(unused_a[10]), .DOA11(unused_a[11]), .DOA12(unused_a[12]), .DOA13(unused_a[13]), .DOA14(unused_a[14]),
				.DOA15(unused_a[15]), .DOA16(unused_a[16]), .DOA17(unused_a[17]),
				.CLKB(clk_i), .CEB(read_i), .OCEB(read_i), .WEB(1'b0), .RSTB(1'b0), .CSB0(1'b0), .CSB1(1'b0), .CSB2(1'b0),
				.ADB0(read_address[0]), .ADB1(read_address[1]), .ADB2(read_address[2]), .ADB3(read_address[3]),
				.ADB4(read_address[4]), .ADB5(read_address[5]), .ADB6(read_address[6]), .ADB7(read_address[7]),
				.ADB8(read_address[8]), .ADB9(read_address[9]), .ADB10(read_address[10]), .ADB11(read_address[11]),
				.ADB12(read_address[12]), .ADB13(read_address[13]),
				.DIB0(1'b0), .DIB1(1'b0), .DIB2(1'b0), .DIB3(1'b0), .DIB4(1'b0), .DIB5(1'b0), .DIB6(1'b0), .DIB7(1'b0),
				.DIB8(1'b0), .DIB9(1'b0), .DIB10(1'b0), .DIB11(1'b0), .DIB12(1'b0), .DIB13(1'b0), .DIB14(1'b0), .DIB15(1'b0),
				.DIB16(1'b0), .DIB17(1'b0),
				.DOB0(data_o[0]), .DOB1(data_o[1]), .DOB2(data_o[2]), .DOB3(data_o[3]), .DOB4(data_o[4]), .DOB5(data_o[5]),
				.DOB6(data_o[6]), .DOB7(data_o[7]), .DOB8(data_o[8]), .DOB9(data_o[9]), .DOB10(data_o[10]), .DOB11(data_o[11]),
				.DOB12(data_o[12]), .DOB13(data_o[13]), .DOB14(data_o[14]), .DOB15(data_o[15]), .DOB16(data_o[16]),
				.DOB17(data_o[17])
			);
		end
	end

	`FAN_ASSERT(AssertAsked, Registered && !Collides && Depth <= 4096)
endmodule

`default_nettype wire
