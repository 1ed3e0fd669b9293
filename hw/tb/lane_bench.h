/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Drives one Verilated lane: queues of beats and items in, whole PDUs out, random gaps on all three ports. Compiled once per lane:
 * LANE_MODEL is its Verilated class, whose header the compiler is told to include first, LANE_ALGORITHM its 1, 2 or 3 of
 * 128-EEAn and 128-EIAn. One thread.
 */
#ifndef FAN_LANE_BENCH_H
#define FAN_LANE_BENCH_H

#include "test_program.h"

extern "C" {
#include "../../dataplane/engine/reference/reference.h"
#include "../../tests/batch.h"
}

#include <array>
#include <deque>
#include <functional>
#include <memory>

using lane_model = LANE_MODEL;

struct bench_options {
	double stall = 0;                   /* probability of a gap, per port and clock */
	uint64_t max_cycles = 100000;       /* with nothing taken on any port */
};

struct bench_pdu {
	uint16_t tag;
	uint32_t mac;
	std::vector<uint8_t> octets; /* text, with the MAC-I where it stands behind */
};

struct bench_ue {
	uint8_t k_enc[16], k_int[16];
	uint32_t count;
	uint8_t bearer_direction;
	uint16_t tag;
	uint8_t clear[16];
	uint8_t head[48];
};

class lane_bench
{
      public:
	explicit lane_bench(const bench_options &options);
	~lane_bench();

	/* Holds reset for `cycles`, forgetting all that was queued. */
	void reset(unsigned cycles);
	/* Clocks until the lane takes a message: the scrub behind a reset. Returns how many. */
	uint64_t wait_ready();
	/* octets: ceil(shape.text_bytes / 16) whole blocks. */
	void queue_message(const struct fan_shape &shape, const uint8_t *octets);
	void queue_item(const bench_ue &ue, bool last);
	/* One clock. */
	void step();
	bool idle() const { return beats.empty() && items.empty(); }

	std::function<void(const bench_pdu &)> on_pdu;    /* last beat of a PDU has been taken */
	std::function<void(uint64_t cycle)> on_item;      /* an item has been taken in this clock */

	uint64_t cycle = 0;
	uint64_t result_beats = 0;
	std::deque<std::array<uint32_t, 5>> beats;
	std::deque<std::array<uint32_t, 26>> items;
	std::unique_ptr<VerilatedContext> context;
	std::unique_ptr<lane_model> lane;

      private:
	bool chance_to_stall();
	void take_result();

	bench_options options;
	uint64_t stall_below;
	struct fan_test_random random;
	bool message_offered = false, item_offered = false;
	uint64_t moved_at = 0;              /* the last cycle in which something was taken */
	bench_pdu pdu;
	bool in_pdu = false;
};

#endif
