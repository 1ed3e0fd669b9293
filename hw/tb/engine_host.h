/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host of a whole engine (sim/model.h): its memory, which may refuse, and its side of the queues. The memory is there twice: what the
 * card leaves in `card` must be, octet by octet, what the reference engine leaves in `want`.
 */
#ifndef FAN_ENGINE_HOST_H
#define FAN_ENGINE_HOST_H

#include "../sim/model.h"
#include "published_vectors.h"
#include "test_program.h"

extern "C" {
#include "../../dataplane/engine/reference/reference.h"
#include "../../tests/batch.h"
#include "../registers.h"
}

#include <functional>
#include <map>
#include <vector>

#define BASE UINT64_C(0x12300000000)
#define SLOTS 40                /* batches that the host keeps under way, at most */
#define MESSAGE_BYTES 2048
#define ITEMS_BYTES (64 * 96)
#define CONTEXTS_BYTES (64 * 64)
#define PACKET_BYTES 2112       /* no power of two: PDUs meet all places of a page */
#define SLOT_BYTES (MESSAGE_BYTES + ITEMS_BYTES + CONTEXTS_BYTES + 64 * PACKET_BYTES)
#define RINGS_BYTES (16 * (256 * 64 + 256 * 16))
#define QUIET_CLOCKS_MAX 200000

enum : uint32_t {
	IS_READY = 1u << FAN_CARD_STATUS_READY_LSB,
	IS_BUSY = 1u << FAN_CARD_STATUS_BUSY_LSB,
	DO_ENABLE = 1u << FAN_CARD_CONTROL_ENABLE_LSB,
	DO_RESET = 1u << FAN_CARD_CONTROL_RESET_LSB,
	DO_ZEROISE = 1u << FAN_CARD_CONTROL_ZEROISE_LSB,
	ON_ERROR = 1u << FAN_CARD_INTERRUPT_ENABLE_ERROR_LSB,
};

inline const struct fan_model_ops *const ops = &fan_model_table;

struct host_options {
	double stall = 0;
	unsigned latency = 200;
};

/* What is wrong with a batch: a refused transaction, a pair of algorithms that no lane of this card computes, or all else that a descriptor
 * may have. */
enum injection { NOTHING, MESSAGE, ITEM, CONTEXT, PDU, UNSERVED, DESCRIPTOR, COMPLETION, REFUSED };

struct batch_slot {
	bool busy = false;
	unsigned queue, ue_count;
	unsigned error, bad_ues;        /* of a refused descriptor */
	enum injection injected;
	bool wild;                      /* nothing is at an address that was given; line is not meant */
	uint64_t line;                  /* refused */
	struct fan_shape shape;
	uint32_t message_number;
	uint64_t message_at;            /* places in memory, from BASE */
	uint64_t text_at[64];
	std::vector<uint8_t> before;    /* the packets */
};

struct queue_state {
	unsigned entries_log2, entries;
	uint64_t descriptors_at, completions_at;
	uint16_t tail = 0;
	uint32_t serial = 0;            /* completions seen */
	unsigned under_way = 0;
	int last_slot = -1;             /* whose message may be used again */
	uint32_t messages = 0;          /* numbers given: each queue, enabled again, begins with the same ones */
};

class host
{
      public:
	explicit host(const host_options &options);
	~host();

	uint32_t get(uint32_t offset) { return ops->mmio_read32(model, offset); }
	void put(uint32_t offset, uint32_t value) { ops->mmio_write32(model, offset, value); }
	uint32_t get_queue(unsigned number, uint32_t offset) { return get(queue_base(number) + offset); }
	void put_queue(unsigned number, uint32_t offset, uint32_t value) { put(queue_base(number) + offset, value); }
	uint64_t
	get64(uint32_t low)
	{
		const uint32_t bits = get(low);

		return bits | (uint64_t)get(low + 4) << 32;
	}
	static uint32_t queue_base(unsigned number) { return FAN_CARD_QUEUE_BASE + number * FAN_CARD_QUEUE_STRIDE; }
	uint32_t pick(uint32_t limit) { return fan_test_random_below(&random, limit); }

	void wait_ready();
	void enable_queue(unsigned queue, unsigned entries_log2);
	/* Waits, enables all queues, rings of random size, and the card. */
	void start();
	/* how: DO_RESET or DO_ZEROISE. Behind it all registers but those of configuration are as at power-up. */
	void reset(uint32_t how);
	/* Gives a batch to the card, the doorbell included; its shape is random where none is given, its number of UEs where that is 0.
	 * Returns the slot, -1: no room. */
	int submit(unsigned queue, const struct fan_shape *given, unsigned ue_count, enum injection injected);
	/* Checks each batch that has been completed. Returns how many there were. */
	unsigned take_completions();
	void check_batch(batch_slot &slot, const uint8_t *completion);
	/* Until nothing is under way; then the registers must say so. */
	void drain();
	/* Everything but the completions' rings, which only the card writes. */
	void compare_all();
	/* After a reset: what was under way is nobody's. */
	void forget();

	struct fan_test_random random;
	struct fan_model *model;
	struct fan_engine *engine;
	std::vector<uint8_t> card, want;
	std::vector<batch_slot> slots = std::vector<batch_slot>(SLOTS);
	queue_state queue[16];
	unsigned queues;
	std::map<uint64_t, enum fan_model_answer> refuse_read, refuse_write; /* by line */
	enum fan_model_answer answer = FAN_MODEL_OKAY; /* to the next injection; OKAY: a random one of the others */
	bool isolated = false;          /* the card reaches nothing any more: all is refused */
	bool wild = false;              /* the card may ask for what is not there */
	const published_vector *fixed = nullptr;       /* message and UEs of the next batches, which are not random then */
	/* Changes a batch before its doorbell: descriptor and work items in `card`. */
	std::function<void(batch_slot &slot, uint8_t *descriptor, uint64_t items)> spoil;
	uint64_t writes = 0, octets_written = 0, reads = 0;
	uint64_t batches_done = 0, ues_done = 0, bad_done = 0, refused = 0, errors_done = 0, unserved_done = 0;
	struct {
		uint64_t ues = 0, cipher_busy = 0, mac_busy = 0;
	} counted_of[4];                 /* by algorithm: what all its lanes must have counted */
	std::map<unsigned, unsigned> errors_seen;      /* completions, by error */

      private:
	static enum fan_model_answer read_memory(void *user, uint64_t address, uint8_t *octets);
	static enum fan_model_answer write_memory(void *user, uint64_t address, const uint8_t *octets, uint64_t strobes);
	void count_batch(const batch_slot &slot, unsigned untouched);
	uint16_t pick_unserved(bool cipher_only);
	void check_refused(batch_slot &slot, const uint8_t *completion);
	void inject(batch_slot &slot, uint64_t base, uint64_t descriptor);
	enum fan_model_answer refusal();
	void set64(uint64_t at, uint64_t value);
	void set32(uint64_t at, uint32_t value);
	void fill_ue(batch_slot &slot, uint64_t base, unsigned ue);

	const host_options options;
};

/* Of the model; algorithm: 1..3, or 0, what any lane does. */
unsigned lanes_of(unsigned algorithm);
bool one_lane_does(unsigned cipher, unsigned integrity);
/* Octets of a work item, as they follow each other. */
unsigned item_bytes_of(const struct fan_shape &shape);

#endif
