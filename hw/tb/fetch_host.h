/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A host of fan_fetch and all that stands around it: memory, registers of the queues, lanes. It knows what it has put into memory, and so
 * what must come out at the lanes and that nothing else may be read.
 *
 * The model is built with four lanes: AES, AES, AES, SNOW 3G; four queues.
 */
#ifndef FAN_FETCH_HOST_H
#define FAN_FETCH_HOST_H

#include "Vfan_fetch.h"
#include "test_program.h"

extern "C" {
#include "../../tests/batch.h"
#include "../registers.h"
}

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <unordered_map>

enum { LANES = 4, QUEUES = 4, BATCHES = 16, LANE_MESSAGES = 4 };

using line = std::array<uint8_t, 64>;
using bytes = std::vector<uint8_t>;

struct ue {
	uint64_t pdu;
	uint32_t count;
	uint8_t bearer_direction;
	bytes clear, head, k_enc, k_int;
	uint8_t error;
};

struct batch {
	unsigned queue;
	uint16_t cookie;
	uint8_t error;   /* of the descriptor */
	uint16_t ue_count;
	uint16_t text_bytes;
	uint8_t clear_bytes, head_blocks, cipher, integrity, sequence;
	uint32_t message_number;
	uint64_t message_address, items_address, contexts_address;
	bytes message;
	std::vector<ue> ues;
	std::set<uint64_t> lines; /* of its own */
	bool message_refused = false;
	/* As it goes: */
	int lane = -1;
	unsigned ues_done = 0;
};

using batch_ptr = std::shared_ptr<batch>;

/* A message as a lane has got it. */
struct lane_message {
	uint32_t shape;
	bytes octets;
	unsigned blocks;
};

struct lane_state {
	std::deque<lane_message> messages;
	bool filling = false;
	std::deque<uint64_t> releases; /* clocks at which it lets go of messages that are done */
	std::deque<std::vector<uint32_t>> items, tickets;
	uint64_t next_item = 0;    /* first clock at which it may take another */
	uint64_t items_taken = 0, starved = 0;
};

class host
{
      public:
	explicit host(double stall);
	~host() { top->final(); }

	/* One clock. */
	void step();
	void steps(unsigned count) { while (count--) step(); }
	/* Forgets all that was put into memory, and waits until memories have been overwritten. */
	void reset();
	/* Until nothing is owed; then the bus must be idle. */
	void drain();

	/* Queue `q` as the registers would have it. */
	void enable(unsigned q, unsigned entries_log2);
	void disable(unsigned q);
	void configure(unsigned q);
	unsigned head(unsigned q) const { return (unsigned)(top->queue_head_o >> 16 * q & 0xffff); }
	unsigned fault(unsigned q) const { return (unsigned)(top->queue_fault_o >> 3 * q & 7); }
	bool room(unsigned q) const { return outstanding[q] < (1u << entries_log2[q]); }

	/* A random batch of queue `q`, which is nowhere yet. */
	batch_ptr make(unsigned q);
	/* Into memory, the descriptor into the ring; the doorbell unless told otherwise. */
	void submit(const batch_ptr &b, const std::function<void(uint8_t *)> &spoil = nullptr, bool ring = true);
	/* One of its lines cannot be read; the batch knows what must come of it. */
	void refuse_lines(const batch_ptr &b);
	/* Lines in a row that nobody else has; close to the end of a page every now and then. */
	uint64_t address_of(uint64_t line_count);
	void put(batch &b, uint64_t address, const bytes &octets);

	uint32_t pick(uint32_t limit) { return fan_test_random_below(&random, limit); }
	bytes some(unsigned count);
	bool stalls() { return stall > 0 && (fan_test_random_next(&random) >> 11) * 0x1p-53 < stall; }

	const double stall;
	struct fan_test_random random;
	std::unique_ptr<VerilatedContext> context;
	std::unique_ptr<Vfan_fetch> top;
	uint64_t cycle = 0, progress = 0, reads = 0, batches_done = 0, ues_done = 0;

	unsigned entries_log2[QUEUES] = {}, outstanding[QUEUES] = {};
	uint64_t ring_address[QUEUES] = {}, completions_address[QUEUES] = {};
	uint16_t tail[QUEUES] = {}, begun[QUEUES] = {};
	bool enabled[QUEUES] = {};
	std::deque<batch_ptr> expected[QUEUES]; /* begins to come, in order */
	std::unordered_map<uint64_t, line> memory;
	std::set<uint64_t> refused;
	batch_ptr under_way[BATCHES];
	lane_state lane[LANES];

	/* Times of memory and lanes, in clocks. */
	unsigned latency = 20, latency_spread = 60, pace = 0, snow3g_pace = 0, free_delay = 0;
	bool random_pace = true;
	bool stopping = false;
	bool loose = false; /* queues are being disabled: what is read may be gone, begins may fail to come */

      private:
	struct read {
		uint64_t address, ready;
		unsigned left;
	};

	bool owes() const;
	void drive();
	void drive_answer();
	void sample();
	void sample_address();
	void sample_begin();
	void sample_message(unsigned l);
	void check_pair(unsigned l);
	void check_ue(const batch &b, unsigned l, const std::vector<uint32_t> &item, const std::vector<uint32_t> &ticket);
	void check_message(const batch &b, const lane_message &message);
	void end_batch(unsigned number);

	std::deque<read> reading;
	std::deque<std::pair<uint64_t, unsigned>> freeing;
	uint64_t next_address;
	bool answering = false, answer_refused = false, address_held = false;
};

#endif
