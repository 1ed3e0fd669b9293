// SPDX-License-Identifier: BSD-3-Clause
//
// What the host sees of the engine: the registers of registers.rdl behind AXI4-Lite, the counters among them, and interrupts.
//
// Address and data of a write may come in any order; each waits in a register for the other. One write and one read are under way
// at a time, which is all that a host does with registers. A read takes two clocks more than it must, so that the choice between
// some hundred words is not in anybody's way.
//
// Counters of 64 bits are read in halves: reading the low half keeps the high half for the next read of it, each counter its own,
// so that two threads that read two counters do not disturb each other.
//
`include "fan_assert.svh"
`default_nettype none

module fan_registers #(
	parameter int AesLanes = 1,
	parameter int Snow3gLanes = 0,
	parameter int ZucLanes = 0,
	parameter int Queues = 4,
	localparam int Lanes = AesLanes + Snow3gLanes + ZucLanes
) (
	input  wire  clk_i,
	input  wire  rst_ni,                        // synchronous

	input  wire  [15:0] awaddr_i,
	input  wire  awvalid_i,
	output wire  awready_o,
	input  wire  [31:0] wdata_i,
	input  wire  wvalid_i,
	output wire  wready_o,
	output wire  bvalid_o,
	input  wire  bready_i,
	input  wire  [15:0] araddr_i,
	input  wire  arvalid_i,
	output wire  arready_o,
	output wire  [31:0] rdata_o,
	output wire  rvalid_o,
	input  wire  rready_i,

	output wire  enable_o,
	output wire  reset_o,                       // for one clock: the host asks for it ...
	output wire  zeroise_o,
	input  wire  reset_pending_i,               // ... and has not got it yet
	input  wire  zeroise_pending_i,
	input  wire  clear_i,                       // reset is being done: queues are disabled, counters and interrupts 0
	input  wire  ready_i,
	input  wire  busy_i,

	input  wire  [2*Lanes-1:0] lane_algorithm_i,
	input  wire  [Lanes-1:0] lane_ue_i,         // for one clock: a UE has been served
	input  wire  [2*Lanes-1:0] lane_busy_i,     // busy_o of the lanes

	output wire  [Queues*fan_engine_pkg::QUEUE_CONFIG_BITS-1:0] queue_config_o,
	input  wire  [Queues*fan_engine_pkg::QUEUE_STATE_BITS-1:0] queue_state_i,
	input  wire  [Queues-1:0] completion_i,     // for one clock: the queue's completion has been written
	input  wire  error_batch_i,                 // for one clock: a batch ended with an error

	input  wire  read_beat_i,                   // for one clock: 64 octets came
	input  wire  read_error_i,                  // for one clock: they were refused, and their address
	input  wire  fan_address_t read_error_address_i,
	input  wire  [6:0] written_bytes_i,         // octets that went out in this clock
	input  wire  write_error_i,                 // for one clock: a write was refused
	input  wire  fan_address_t write_error_address_i,

	output wire  [Queues:0] interrupt_o
);
	localparam int Counters = 3 + 2 * Lanes;    // of 64 bits: clocks, octets read, octets written, two of each lane

	// ---- Writes ------------------------------------------------------------------------------------------------------------

	logic address_full_q, data_full_q, answer_q;
	logic [15:0] write_address_q;
	logic [31:0] data_q;
	wire write = address_full_q && data_full_q && !answer_q;
	wire [15:0] write_word = {write_address_q[15:2], 2'b00};

	assign awready_o = !address_full_q;
	assign wready_o = !data_full_q;
	assign bvalid_o = answer_q;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			address_full_q <= 1'b0;
			data_full_q <= 1'b0;
			answer_q <= 1'b0;
		end else begin
			address_full_q <= address_full_q ? !write : awvalid_i;
			data_full_q <= data_full_q ? !write : wvalid_i;
			answer_q <= answer_q ? !bready_i : write;
		end
		if (!address_full_q)
			write_address_q <= awaddr_i;
		if (!data_full_q)
			data_q <= wdata_i;
	end
	wire unused_write_address = ^write_address_q[1:0];

	// ---- Reads: state of the one under way ---------------------------------------------------------------------------------

	logic read_choose_q, read_join_q, read_valid_q;
	logic [15:0] read_address_q;
	logic [31:0] card_word_q, read_data_q, joined;
	wire [15:0] read_word = {read_address_q[15:2], 2'b00};
	wire unused_read_address = ^read_address_q[1:0];

	// ---- What the host writes ----------------------------------------------------------------------------------------------

	wire write_control = write && write_word == 16'(fan_registers_pkg::CARD_CONTROL);
	wire write_scratch = write && write_word == 16'(fan_registers_pkg::CARD_SCRATCH);
	wire write_status = write && write_word == 16'(fan_registers_pkg::CARD_INTERRUPT_STATUS);
	wire write_enable = write && write_word == 16'(fan_registers_pkg::CARD_INTERRUPT_ENABLE);
	logic enable_q;
	logic [31:0] scratch_q;
	logic [Queues:0] pending_q, interrupt_enable_q, pending_set;
	wire [Queues:0] interrupt_bits = {data_q[fan_registers_pkg::CARD_INTERRUPT_STATUS_ERROR_LSB], data_q[Queues-1:0]};
	wire [Queues-1:0] fault_began;

	assign enable_o = enable_q;
	assign reset_o = write_control && data_q[fan_registers_pkg::CARD_CONTROL_RESET_LSB];
	assign zeroise_o = write_control && data_q[fan_registers_pkg::CARD_CONTROL_ZEROISE_LSB];
	assign pending_set = {error_batch_i || fault_began != '0, completion_i};
	assign interrupt_o = pending_q & interrupt_enable_q;

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			enable_q <= 1'b0;
			scratch_q <= '0;
			interrupt_enable_q <= '0;
		end else begin
			if (write_control)
				enable_q <= data_q[fan_registers_pkg::CARD_CONTROL_ENABLE_LSB];
			if (write_scratch)
				scratch_q <= data_q;
			if (write_enable)
				interrupt_enable_q <= interrupt_bits;
		end
		if (!rst_ni || clear_i)
			pending_q <= '0;
		else
			pending_q <= (pending_q & ~(write_status ? interrupt_bits : '0)) | pending_set;
	end

	// ---- Queues ------------------------------------------------------------------------------------------------------------

	wire [32*Queues-1:0] queue_words;

	for (genvar q = 0; q < Queues; q++) begin : g_queue
		localparam int Base = fan_registers_pkg::CARD_QUEUE_BASE + q * fan_registers_pkg::CARD_QUEUE_STRIDE;

		fan_queue_registers u_queue (
			.clk_i, .rst_ni, .clear_i,
			.write_i(write && write_word[15:8] == 8'(Base >> 8)), .write_word_i(write_word[7:0]), .data_i(data_q),
			.read_i(read_word[15:8] == 8'(Base >> 8)), .read_word_i(read_word[7:0]), .word_o(queue_words[32*q +: 32]),
			.config_o(queue_config_o[q*fan_engine_pkg::QUEUE_CONFIG_BITS +: fan_engine_pkg::QUEUE_CONFIG_BITS]),
			.state_i(queue_state_i[q*fan_engine_pkg::QUEUE_STATE_BITS +: fan_engine_pkg::QUEUE_STATE_BITS]),
			.fault_began_o(fault_began[q])
		);
	end

	// ---- Counters ----------------------------------------------------------------------------------------------------------

	logic [31:0] error_batches_q, bus_errors_q;
	fan_address_t bus_error_address_q;
	logic [64*Counters-1:0] counter_q;
	logic [32*Counters-1:0] kept_q;
	logic [32*Lanes-1:0] ues_q;
	wire [7*Counters-1:0] add;
	wire [Counters-1:0] keep;

	always_ff @(posedge clk_i) begin
		if (!rst_ni || clear_i) begin
			error_batches_q <= '0;
			bus_errors_q <= '0;
			bus_error_address_q <= '0;
		end else begin
			error_batches_q <= error_batches_q + {31'd0, error_batch_i};
			bus_errors_q <= bus_errors_q + {31'd0, read_error_i} + {31'd0, write_error_i};
			if (bus_errors_q == '0 && read_error_i)
				bus_error_address_q <= read_error_address_i;
			else if (bus_errors_q == '0 && write_error_i)
				bus_error_address_q <= write_error_address_i;
		end
	end

	assign add[0 +: 7] = 7'd1;
	assign add[7 +: 7] = {read_beat_i, 6'd0};
	assign add[14 +: 7] = written_bytes_i;
	assign keep[0] = read_choose_q && read_word == 16'(fan_registers_pkg::CARD_CLOCKS_LOW);
	assign keep[1] = read_choose_q && read_word == 16'(fan_registers_pkg::CARD_READ_BYTES_LOW);
	assign keep[2] = read_choose_q && read_word == 16'(fan_registers_pkg::CARD_WRITTEN_BYTES_LOW);

	for (genvar c = 0; c < Counters; c++) begin : g_counter
		always_ff @(posedge clk_i) begin
			if (!rst_ni || clear_i)
				counter_q[64*c +: 64] <= '0;
			else
				counter_q[64*c +: 64] <= counter_q[64*c +: 64] + {57'd0, add[7*c +: 7]};
			if (!rst_ni)
				kept_q[32*c +: 32] <= '0;
			else if (keep[c])
				kept_q[32*c +: 32] <= counter_q[64*c+32 +: 32];
		end
	end

	// ---- Lanes -------------------------------------------------------------------------------------------------------------

	logic [32*Lanes-1:0] lane_words_q;

	for (genvar l = 0; l < Lanes; l++) begin : g_lane
		localparam int Base = fan_registers_pkg::CARD_LANE_BASE + l * fan_registers_pkg::CARD_LANE_STRIDE;

		localparam int Here = 32;  // the bit in front of a lane's five of address

		wire read_here = read_word[15:5] == 11'(Base >> 5);

		assign add[7*(3+2*l) +: 7] = {6'd0, lane_busy_i[2*l]};
		assign add[7*(4+2*l) +: 7] = {6'd0, lane_busy_i[2*l+1]};
		assign keep[3+2*l] = read_choose_q && read_here && read_word[4:0] == 5'(fan_registers_pkg::CARD_LANE_CIPHER_BUSY_LOW);
		assign keep[4+2*l] = read_choose_q && read_here && read_word[4:0] == 5'(fan_registers_pkg::CARD_LANE_MAC_BUSY_LOW);

		always_ff @(posedge clk_i) begin
			if (!rst_ni || clear_i)
				ues_q[32*l +: 32] <= '0;
			else
				ues_q[32*l +: 32] <= ues_q[32*l +: 32] + {31'd0, lane_ue_i[l]};
			case ({read_here, read_word[4:0]})
			6'(Here + fan_registers_pkg::CARD_LANE_KIND):             lane_words_q[32*l +: 32] <= {30'd0, lane_algorithm_i[2*l +: 2]};
			6'(Here + fan_registers_pkg::CARD_LANE_UES):              lane_words_q[32*l +: 32] <= ues_q[32*l +: 32];
			6'(Here + fan_registers_pkg::CARD_LANE_CIPHER_BUSY_LOW):  lane_words_q[32*l +: 32] <= counter_q[64*(3+2*l) +: 32];
			6'(Here + fan_registers_pkg::CARD_LANE_CIPHER_BUSY_HIGH): lane_words_q[32*l +: 32] <= kept_q[32*(3+2*l) +: 32];
			6'(Here + fan_registers_pkg::CARD_LANE_MAC_BUSY_LOW):     lane_words_q[32*l +: 32] <= counter_q[64*(4+2*l) +: 32];
			6'(Here + fan_registers_pkg::CARD_LANE_MAC_BUSY_HIGH):    lane_words_q[32*l +: 32] <= kept_q[32*(4+2*l) +: 32];
			default:                                                  lane_words_q[32*l +: 32] <= '0;
			endcase
		end
	end

	// ---- Reads: address kept, words chosen, words joined -------------------------------------------------------------------

	localparam logic [31:0] Version = {16'(fan_registers_pkg::CARD_VERSION_MAJOR), 16'd0};
	localparam logic [31:0] Build = (32'(Queues) << fan_registers_pkg::CARD_BUILD_QUEUES_LSB) |
		(32'(ZucLanes) << fan_registers_pkg::CARD_BUILD_ZUC_LANES_LSB) |
		(32'(Snow3gLanes) << fan_registers_pkg::CARD_BUILD_SNOW3G_LANES_LSB) |
		(32'(AesLanes) << fan_registers_pkg::CARD_BUILD_AES_LANES_LSB);
	localparam logic [31:0] Limits = {9'd0, 7'(fan_registers_pkg::CARD_LIMITS_UES_MAX), 5'd0,
		11'(fan_registers_pkg::CARD_LIMITS_PDU_BYTES_MAX)};

	wire idle = !read_choose_q && !read_join_q && !read_valid_q;

	assign arready_o = idle;
	assign rvalid_o = read_valid_q;
	assign rdata_o = read_data_q;

	always_ff @(posedge clk_i) begin
		case (read_word)
		16'(fan_registers_pkg::CARD_KIND):               card_word_q <= 32'(fan_registers_pkg::CARD_KIND_VALUE);
		16'(fan_registers_pkg::CARD_VERSION):            card_word_q <= Version;
		16'(fan_registers_pkg::CARD_BUILD):              card_word_q <= Build;
		16'(fan_registers_pkg::CARD_LIMITS):             card_word_q <= Limits;
		16'(fan_registers_pkg::CARD_CONTROL):            card_word_q <= {29'd0, zeroise_pending_i, reset_pending_i, enable_q};
		16'(fan_registers_pkg::CARD_STATUS):             card_word_q <= {30'd0, busy_i, ready_i};
		16'(fan_registers_pkg::CARD_SCRATCH):            card_word_q <= scratch_q;
		16'(fan_registers_pkg::CARD_INTERRUPT_STATUS):   card_word_q <= {15'd0, pending_q[Queues], 16'(pending_q[Queues-1:0])};
		16'(fan_registers_pkg::CARD_INTERRUPT_ENABLE):
			card_word_q <= {15'd0, interrupt_enable_q[Queues], 16'(interrupt_enable_q[Queues-1:0])};
		16'(fan_registers_pkg::CARD_ERROR_BATCHES):      card_word_q <= error_batches_q;
		16'(fan_registers_pkg::CARD_BUS_ERRORS):         card_word_q <= bus_errors_q;
		16'(fan_registers_pkg::CARD_BUS_ERROR_LOW):      card_word_q <= bus_error_address_q[31:0];
		16'(fan_registers_pkg::CARD_BUS_ERROR_HIGH):     card_word_q <= bus_error_address_q[63:32];
		16'(fan_registers_pkg::CARD_CLOCKS_LOW):         card_word_q <= counter_q[0 +: 32];
		16'(fan_registers_pkg::CARD_CLOCKS_HIGH):        card_word_q <= kept_q[0 +: 32];
		16'(fan_registers_pkg::CARD_READ_BYTES_LOW):     card_word_q <= counter_q[64 +: 32];
		16'(fan_registers_pkg::CARD_READ_BYTES_HIGH):    card_word_q <= kept_q[32 +: 32];
		16'(fan_registers_pkg::CARD_WRITTEN_BYTES_LOW):  card_word_q <= counter_q[128 +: 32];
		16'(fan_registers_pkg::CARD_WRITTEN_BYTES_HIGH): card_word_q <= kept_q[64 +: 32];
		default:                                         card_word_q <= '0;
		endcase
	end

	always_comb begin
		joined = card_word_q;
		for (int l = 0; l < Lanes; l++)
			joined = joined | lane_words_q[32*l +: 32];
		for (int q = 0; q < Queues; q++)
			joined = joined | queue_words[32*q +: 32];
	end

	always_ff @(posedge clk_i) begin
		if (!rst_ni) begin
			read_choose_q <= 1'b0;
			read_join_q <= 1'b0;
			read_valid_q <= 1'b0;
		end else begin
			read_choose_q <= idle && arvalid_i;
			read_join_q <= read_choose_q;
			read_valid_q <= read_valid_q ? !rready_i : read_join_q;
		end
		if (idle)
			read_address_q <= araddr_i;
		if (read_join_q)
			read_data_q <= joined;
	end

	// ---- Promises ----------------------------------------------------------------------------------------------------------

	fan_stable_check #(.Width(1)) u_check_b (
		.clk_i, .rst_ni, .valid_i(bvalid_o), .ready_i(bready_i), .data_i(1'b0)
	);
	fan_stable_check #(.Width(32)) u_check_r (
		.clk_i, .rst_ni, .valid_i(rvalid_o), .ready_i(rready_i), .data_i(rdata_o)
	);

`ifdef FORMAL
	// Proved by induction, with nothing assumed about the host but a reset at the beginning: every address and every datum of a
	// write is taken once and gets one answer, every read one, no answer comes unasked, all of them within some clocks of being
	// asked for, and a read of `scratch` gives what the last write of it brought. A counter of 64 bits counts whatever it holds, beyond
	// 2^32 too, and the high half that is read is that of the clock in which the low half was read last. No interrupt is
	// lost, not even one that comes in the clock in which another is cleared.
	logic f_reset_q = 1'b1;
	logic [1:0] f_addresses_q, f_data_q, f_reads_q;   // taken, and without an answer
	logic [1:0] f_write_waits_q;
	logic [2:0] f_read_waits_q;
	logic [31:0] f_scratch_q, f_read_scratch_q;
	logic [15:0] f_address_q, f_read_q;
	logic [31:0] f_datum_q;
	wire f_answered = bvalid_o && bready_i;
	logic [64*Counters-1:0] f_counter_q;
	logic [32*Counters-1:0] f_high_q;
	logic [32*Lanes-1:0] f_ues_q;
	logic [31:0] f_word_q;
	logic f_chosen_q, f_counter_read_q;
	logic [Queues:0] f_came_q;
	wire [Counters-1:0] f_low_here, f_high_here;

	for (genvar l = 0; l < Lanes; l++) begin : g_f_ues
		always @(posedge clk_i)
			f_ues_q[32*l +: 32] <= !rst_ni || clear_i ? '0 : f_ues_q[32*l +: 32] + {31'd0, lane_ue_i[l]};
	end

	for (genvar c = 0; c < Counters; c++) begin : g_f_counter
		localparam int At = c < 3 ? fan_registers_pkg::CARD_CLOCKS_LOW + 8 * c :
			fan_registers_pkg::CARD_LANE_BASE + (c - 3) / 2 * fan_registers_pkg::CARD_LANE_STRIDE +
			fan_registers_pkg::CARD_LANE_CIPHER_BUSY_LOW + (c - 3) % 2 * 8;
		wire [63:0] amount = c == 0 ? 64'd1 : c == 1 ? {57'd0, read_beat_i, 6'd0} : c == 2 ? {57'd0, written_bytes_i} :
			{63'd0, lane_busy_i[c < 3 ? 0 : c - 3]};

		always @(posedge clk_i) begin
			f_counter_q[64*c +: 64] <= !rst_ni || clear_i ? '0 : f_counter_q[64*c +: 64] + amount;
			if (!rst_ni)
				f_high_q[32*c +: 32] <= '0;
			else if (f_chosen_q && f_low_here[c])
				f_high_q[32*c +: 32] <= f_counter_q[64*c+32 +: 32];
		end
		assign f_low_here[c] = f_read_q[15:2] == 14'(At >> 2);
		assign f_high_here[c] = f_read_q[15:2] == 14'((At >> 2) + 1);
	end

	always @(posedge clk_i) begin
		f_reset_q <= 1'b0;
		assume (rst_ni == !f_reset_q);
		if (!rst_ni) begin
			f_addresses_q <= '0;
			f_data_q <= '0;
			f_reads_q <= '0;
			f_write_waits_q <= '0;
			f_read_waits_q <= '0;
			f_scratch_q <= '0;
			f_chosen_q <= 1'b0;
			f_came_q <= '0;
		end else begin
			f_came_q <= clear_i ? '0 : {error_batch_i || fault_began != '0, completion_i};
			AssertInterrupts: assert ((f_came_q & ~pending_q) == '0);
			f_chosen_q <= arvalid_i && arready_o;
			if (f_chosen_q)
				f_counter_read_q <= f_low_here != '0 || f_high_here != '0;
			for (int c = 0; c < Counters; c++) begin
				if (f_chosen_q && f_low_here[c])
					f_word_q <= f_counter_q[64*c +: 32];
				if (f_chosen_q && f_high_here[c])
					f_word_q <= f_high_q[32*c +: 32];
			end
			f_addresses_q <= f_addresses_q + {1'b0, awvalid_i && awready_o} - {1'b0, f_answered};
			f_data_q <= f_data_q + {1'b0, wvalid_i && wready_o} - {1'b0, f_answered};
			f_reads_q <= f_reads_q + {1'b0, arvalid_i && arready_o} - {1'b0, rvalid_o && rready_i};
			f_write_waits_q <= f_addresses_q != '0 && f_data_q != '0 && !bvalid_o ? f_write_waits_q + 2'd1 : '0;
			f_read_waits_q <= f_reads_q != '0 && !rvalid_o ? f_read_waits_q + 3'd1 : '0;
			if (awvalid_i && awready_o)
				f_address_q <= awaddr_i;
			if (wvalid_i && wready_o)
				f_datum_q <= wdata_i;
			if (arvalid_i && arready_o)
				f_read_q <= araddr_i;
			if (write && f_address_q[15:2] == 14'(fan_registers_pkg::CARD_SCRATCH >> 2))
				f_scratch_q <= f_datum_q;
			if (read_choose_q)
				f_read_scratch_q <= f_scratch_q;
			AssertAnswersOwed: assert (!bvalid_o || (f_addresses_q != '0 && f_data_q != '0));
			AssertAddresses: assert (f_addresses_q == {1'b0, address_full_q} + {1'b0, answer_q});
			AssertData: assert (f_data_q == {1'b0, data_full_q} + {1'b0, answer_q});
			AssertReads: assert (f_reads_q == {1'b0, read_choose_q} + {1'b0, read_join_q} + {1'b0, read_valid_q});
			AssertOneRead: assert (f_reads_q <= 2'd1);
			AssertWriteAnswered: assert (f_write_waits_q <= 2'd1);
			AssertReadAnswered: assert (f_read_waits_q <= 3'd2);
			AssertAddressKept: assert (!address_full_q || write_address_q == f_address_q);
			AssertDatumKept: assert (!data_full_q || data_q == f_datum_q);
			AssertReadKept: assert (f_reads_q == '0 || read_address_q == f_read_q);
			AssertChosen: assert (f_chosen_q == read_choose_q);
			AssertCounters: assert (counter_q == f_counter_q);
			AssertKept: assert (kept_q == f_high_q);
			AssertUes: assert (ues_q == f_ues_q);
			AssertCounterRead: assert (!rvalid_o || !f_counter_read_q || rdata_o == f_word_q);
			AssertScratchKept: assert (scratch_q == f_scratch_q);
			AssertScratch: assert (!rvalid_o || f_read_q[15:2] != 14'(fan_registers_pkg::CARD_SCRATCH >> 2) ||
				rdata_o == f_read_scratch_q);
		end
	end
`endif
endmodule

`default_nettype wire
