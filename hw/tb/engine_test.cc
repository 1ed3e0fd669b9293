/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of the whole engine, through its registers and a memory that two hosts share: what the card leaves in its copy must be,
 * octet by octet, what the reference engine leaves in the other.
 *
 *	work       random batches on all queues: shapes, alignments, shared messages, ring sizes
 *	errors     refused reads and writes: who gets which error, and nobody else
 *	reset      reset and zeroise at random clocks: nothing is written afterwards, and what follows is right
 *	registers  values, counters, interrupts, faults
 *	rate       clocks per UE
 *
 * Usage: engine_test TEST [--seed N] [--stall P] [--latency CLOCKS] [--batches N]
 */
#include "../sim/model.h"

extern "C" {
#include "../../dataplane/engine_reference.h"
#include "../../tests/batch.h"
#include "../registers.h"
}

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <string>
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

static const struct fan_model_ops *const ops = &fan_model_table;

struct test_options {
	uint64_t seed = 0x46414e;
	double stall = 0;
	unsigned latency = 200;
	unsigned batches = 400;
} options;

[[noreturn]] static void __attribute__((format(printf, 1, 2)))
fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "FAILED: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, " (seed 0x%llx)\n", (unsigned long long)options.seed);
	va_end(arguments);
	exit(1);
}

/* What is wrong with a batch: a line that the bus refuses, or a pair of algorithms that no lane of this card computes. */
enum injection { NOTHING, MESSAGE, ITEM, CONTEXT, PDU, UNSERVED };

struct batch_slot {
	bool busy = false;
	unsigned queue, ue_count, error;
	enum injection injected;
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
};

class host
{
      public:
	host() : random{ options.seed }, card(RINGS_BYTES + (size_t)SLOTS * SLOT_BYTES)
	{
		struct fan_model_options model_options = {};
		char error[FAN_MODEL_ERROR_BYTES];

		fan_engine_reference.open(&engine);
		fan_test_random_fill(&random, card.data(), card.size());
		want = card;
		model_options.memory.user = this;
		model_options.memory.read = read_memory;
		model_options.memory.write = write_memory;
		model_options.seed = options.seed;
		model_options.stall = options.stall;
		model_options.latency = options.latency;
		model_options.max_cycles = QUIET_CLOCKS_MAX;
		if (ops->open(&model, &model_options, error) != 0)
			fail("%s", error);
		queues = ops->queues;
	}
	~host()
	{
		ops->close(model);
		fan_engine_reference.close(engine);
	}

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
	void start();
	int submit(unsigned queue, const struct fan_shape *given, unsigned ue_count, enum injection injected);
	unsigned take_completions();
	void drain();
	void compare_all();
	void forget();

	struct fan_test_random random;
	struct fan_model *model;
	struct fan_engine *engine;
	std::vector<uint8_t> card, want;
	std::vector<batch_slot> slots = std::vector<batch_slot>(SLOTS);
	queue_state queue[16];
	unsigned queues;
	std::set<uint64_t> refuse_read, refuse_write; /* lines */
	uint64_t writes = 0, octets_written = 0, reads = 0;
	uint64_t batches_done = 0, ues_done = 0, bad_done = 0, refused = 0, errors_done = 0, unserved_done = 0;
	struct {
		uint64_t ues = 0, cipher_busy = 0, mac_busy = 0;
	} counted_of[4];                 /* by algorithm: what all its lanes must have counted */
	bool free_rings = false;        /* a completion ring's line was refused: serials may be missing */

      private:
	static enum fan_model_answer read_memory(void *user, uint64_t address, uint8_t *octets);
	static enum fan_model_answer write_memory(void *user, uint64_t address, const uint8_t *octets, uint64_t strobes);
	void check_batch(batch_slot &slot, const uint8_t *completion);
	void count_batch(const batch_slot &slot, unsigned untouched);
	uint16_t pick_unserved(bool cipher_only);
	void set64(uint64_t at, uint64_t value);
	void set32(uint64_t at, uint32_t value);
	void fill_ue(batch_slot &slot, uint64_t base, unsigned ue);
};

/* ---- Memory ------------------------------------------------------------------------------------------------------------------ */

enum fan_model_answer
host::read_memory(void *user, uint64_t address, uint8_t *octets)
{
	host *const self = (host *)user;

	self->reads++;
	if (address < BASE || address - BASE + 64 > self->card.size())
		fail("read of 0x%llx, where nothing is", (unsigned long long)address);
	if (self->refuse_read.count(address) != 0) {
		self->refused++;
		fan_test_random_fill(&self->random, octets, 64);
		return FAN_MODEL_SLVERR;
	}
	memcpy(octets, self->card.data() + (address - BASE), 64);
	return FAN_MODEL_OKAY;
}

enum fan_model_answer
host::write_memory(void *user, uint64_t address, const uint8_t *octets, uint64_t strobes)
{
	host *const self = (host *)user;

	self->writes++;
	self->octets_written += (unsigned)__builtin_popcountll(strobes);
	if (address < BASE || address - BASE + 64 > self->card.size())
		fail("write to 0x%llx, where nothing is", (unsigned long long)address);
	if (self->refuse_write.count(address) != 0) {
		self->refused++;
		return FAN_MODEL_DECERR;
	}
	for (unsigned i = 0; i < 64; i++)
		if (strobes >> i & 1)
			self->card[address - BASE + i] = octets[i];
	return FAN_MODEL_OKAY;
}

void
host::set64(uint64_t at, uint64_t value)
{
	memcpy(&card[at], &value, 8);
	memcpy(&want[at], &value, 8);
}

void
host::set32(uint64_t at, uint32_t value)
{
	memcpy(&card[at], &value, 4);
	memcpy(&want[at], &value, 4);
}

/* ---- The host's side of the queues --------------------------------------------------------------------------------------------- */

void
host::wait_ready()
{
	for (unsigned i = 0; (get(FAN_CARD_STATUS) & IS_READY) == 0; i++)
		if (i > 10000)
			fail("never ready");
}

void
host::enable_queue(unsigned number, unsigned entries_log2)
{
	queue_state &state = queue[number];
	const uint64_t at = number * (256 * 64 + 256 * 16);

	state = {};
	state.entries_log2 = entries_log2;
	state.entries = 1u << entries_log2;
	state.descriptors_at = at;
	state.completions_at = at + 256 * 64;
	memset(&card[state.completions_at], 0, 256 * 16);
	put_queue(number, FAN_CARD_QUEUE_CONTROL, 0);
	put_queue(number, FAN_CARD_QUEUE_DESCRIPTORS_LOW, (uint32_t)(BASE + state.descriptors_at));
	put_queue(number, FAN_CARD_QUEUE_DESCRIPTORS_HIGH, (BASE + state.descriptors_at) >> 32);
	put_queue(number, FAN_CARD_QUEUE_COMPLETIONS_LOW, (uint32_t)(BASE + state.completions_at));
	put_queue(number, FAN_CARD_QUEUE_COMPLETIONS_HIGH, (BASE + state.completions_at) >> 32);
	put_queue(number, FAN_CARD_QUEUE_CONTROL, 1 | entries_log2 << FAN_CARD_QUEUE_CONTROL_ENTRIES_LOG2_LSB);
}

void
host::start()
{
	wait_ready();
	for (unsigned q = 0; q < queues; q++)
		enable_queue(q, 1 + pick(8));
	put(FAN_CARD_INTERRUPT_ENABLE, ~0u);
	put(FAN_CARD_CONTROL, DO_ENABLE);
}

/* One UE's work item, context and packet. In `want` the packet holds what the reference engine wants to find there. */
void
host::fill_ue(batch_slot &slot, uint64_t base, unsigned ue)
{
	const unsigned item_bytes = (32 + 16u * slot.shape.head_blocks + 31) / 32 * 32;
	const uint64_t item = base + MESSAGE_BYTES + ue * item_bytes, contexts = base + MESSAGE_BYTES + ITEMS_BYTES;
	const uint64_t packet = contexts + CONTEXTS_BYTES + ue * (uint64_t)PACKET_BYTES;
	const unsigned room = PACKET_BYTES - 2 * 32 - 1510;
	const uint64_t text = packet + 32 + pick(room);
	const unsigned context_number = 63 - ue;
	uint8_t clear[16], head[48];

	slot.text_at[ue] = text;
	set64(item, BASE + text);
	set32(item + 8, fan_test_random_count(&random));
	set32(item + 12, context_number);
	fan_test_random_fill(&random, clear, sizeof(clear));
	fan_test_random_fill(&random, head, sizeof(head));
	memcpy(&card[item + 16], clear, 16);
	memcpy(&card[item + 32], head, 16u * slot.shape.head_blocks);
	memcpy(&want[item], &card[item], item_bytes);
	fan_test_random_fill(&random, &card[contexts + 64 * context_number], 64);
	memcpy(&want[contexts + 64 * context_number], &card[contexts + 64 * context_number], 64);
	memcpy(&want[packet], &card[packet], PACKET_BYTES);
	memcpy(&want[text - slot.shape.clear_bytes], clear, slot.shape.clear_bytes);
	if (slot.shape.sequence != FAN_CIPHER_THEN_MAC)
		memcpy(&card[text - slot.shape.clear_bytes], clear, slot.shape.clear_bytes);
	memcpy(&want[text], head, std::min<unsigned>(16u * slot.shape.head_blocks, slot.shape.text_bytes));
}

static unsigned
lanes_of(unsigned algorithm)
{
	const unsigned lanes[] = { 1, ops->snow3g_lanes, ops->aes_lanes, ops->zuc_lanes };

	return lanes[algorithm];
}

static uint8_t
pick_algorithm(host &host)
{
	uint8_t algorithm;

	do
		algorithm = (uint8_t)(1 + host.pick(3));
	while (lanes_of(algorithm) == 0);
	return algorithm;
}

/* Cipher in bits 7..0, integrity above: both computed by no one lane, or one of them by no lane at all. */
uint16_t
host::pick_unserved(bool cipher_only)
{
	unsigned cipher, integrity;

	do {
		cipher = pick(8) != 0 ? pick(4) : pick(256);
		integrity = cipher_only ? 0 : pick(8) != 0 ? pick(4) : pick(256);
	} while (cipher < 4 && integrity < 4 && (cipher == 0 || integrity == 0 || cipher == integrity) &&
		 lanes_of(cipher | integrity) != 0);
	return (uint16_t)(cipher | integrity << 8);
}

/* Gives the batch to the card, the doorbell included. -1: no room. */
int
host::submit(unsigned number, const struct fan_shape *given, unsigned ue_count, enum injection injected)
{
	queue_state &state = queue[number];
	int at = -1;

	if (state.under_way == state.entries)
		return -1;
	for (int i = 0; i < SLOTS && at < 0; i++) {
		bool needed = slots[i].busy;

		/* A message that is being used, or may be once more, stays. */
		for (unsigned q = 0; q < queues; q++)
			needed = needed || queue[q].last_slot == i;
		for (const batch_slot &slot : slots)
			needed = needed || (slot.busy && slot.message_at == RINGS_BYTES + (uint64_t)i * SLOT_BYTES);
		if (!needed)
			at = i;
	}
	if (at < 0)
		return -1;

	batch_slot &slot = slots[(unsigned)at];
	const uint64_t base = RINGS_BYTES + (uint64_t)at * SLOT_BYTES;
	const uint64_t contexts = base + MESSAGE_BYTES + ITEMS_BYTES;
	const uint64_t descriptor = state.descriptors_at + 64 * (state.tail % state.entries);
	struct fan_batch batch = {}, *batches[1] = { &batch }, *done;
	static const unsigned bytes_max[] = { 40, 200, 200, FAN_PDU_BYTES_MAX };

	slot = {};
	slot.busy = true;
	slot.queue = number;
	slot.ue_count = ue_count != 0 ? ue_count : pick(2) != 0 ? 64 : 1 + pick(64);
	slot.injected = injected;
	if (state.last_slot >= 0 && given == nullptr && injected == NOTHING && pick(2) != 0) {
		slot.shape = slots[(unsigned)state.last_slot].shape;
		slot.message_at = slots[(unsigned)state.last_slot].message_at;
		slot.message_number = slots[(unsigned)state.last_slot].message_number;
	} else {
		if (given != nullptr) {
			slot.shape = *given;
		} else {
			const uint8_t algorithm = pick_algorithm(*this);

			slot.shape = fan_test_random_shape(&random, pick(4) ? algorithm : 0, pick(4) ? algorithm : 0, (uint8_t)pick(3));
			slot.shape.text_bytes = fan_test_random_text_bytes(
				&random, std::min(bytes_max[pick(4)], (unsigned)FAN_PDU_BYTES_MAX - slot.shape.clear_bytes));
			/* So long that no packet is right by chance before it is written. */
			if (injected != NOTHING)
				slot.shape.text_bytes = std::max<uint16_t>(slot.shape.text_bytes, 12);
			if (slot.shape.sequence == FAN_CIPHER_ONLY)
				slot.shape.integrity = 0;
		}
		slot.message_at = base;
		slot.message_number = injected == NOTHING && pick(4) != 0 ? (uint32_t)fan_test_random_next(&random) : 0;
		fan_test_random_fill(&random, &card[base], MESSAGE_BYTES);
		memcpy(&want[base], &card[base], MESSAGE_BYTES);
		if (injected == NOTHING && slot.message_number != 0)
			state.last_slot = at;
	}
	slot.shape.message = &want[slot.message_at];
	for (unsigned i = 0; i < slot.ue_count; i++) {
		fill_ue(slot, base, i);
		batch.context[i] = (struct fan_context *)&want[contexts + 64 * (63 - i)];
		memcpy(&batch.count[i], &want[base + MESSAGE_BYTES + i * ((32 + 16u * slot.shape.head_blocks + 31) / 32 * 32) + 8], 4);
		batch.text[i] = &want[slot.text_at[i]];
	}
	slot.before.assign(card.begin() + (long)(contexts + CONTEXTS_BYTES),
			   card.begin() + (long)(contexts + CONTEXTS_BYTES + slot.ue_count * (uint64_t)PACKET_BYTES));
	batch.shape = &slot.shape;
	batch.ue_count = (uint16_t)slot.ue_count;
	if (fan_engine_reference.submit_burst(engine, batches, 1) != 1 || fan_engine_reference.poll_burst(engine, &done, 1) != 1)
		fail("the reference engine did not take a batch");

	const unsigned ue = pick(slot.ue_count);
	unsigned algorithms = slot.shape.cipher | (slot.shape.sequence == FAN_CIPHER_ONLY ? 0u : slot.shape.integrity) << 8;
	switch (injected) {
	case NOTHING:
		break;
	case UNSERVED:
		algorithms = pick_unserved(slot.shape.sequence == FAN_CIPHER_ONLY);
		break;
	case MESSAGE:
		refuse_read.insert(slot.line = BASE + base + pick((slot.shape.text_bytes + 63) / 64) * 64);
		break;
	case ITEM:
		refuse_read.insert(slot.line = (BASE + base + MESSAGE_BYTES +
						ue * ((32 + 16u * slot.shape.head_blocks + 31) / 32 * 32)) & ~UINT64_C(63));
		break;
	case CONTEXT:
		refuse_read.insert(slot.line = BASE + contexts + 64 * (63 - ue));
		break;
	case PDU:
		refuse_write.insert(slot.line = (BASE + slot.text_at[ue] + pick(slot.shape.text_bytes)) & ~UINT64_C(63));
		break;
	}

	memset(&card[descriptor], 0, 64);
	set64(descriptor, BASE + slot.message_at);
	set64(descriptor + 8, BASE + base + MESSAGE_BYTES);
	set64(descriptor + 16, BASE + contexts);
	set32(descriptor + 24, slot.message_number);
	set32(descriptor + 28, (uint32_t)at | slot.ue_count << 16);
	set32(descriptor + 32, slot.shape.text_bytes | (uint32_t)slot.shape.clear_bytes << 16 | (uint32_t)slot.shape.head_blocks << 24);
	set32(descriptor + 36, algorithms | (uint32_t)slot.shape.sequence << 16 | 1u << 24);
	memcpy(&want[descriptor], &card[descriptor], 64);
	state.under_way++;
	put_queue(number, FAN_CARD_QUEUE_TAIL, ++state.tail);
	return at;
}

/* ---- What the card made of it --------------------------------------------------------------------------------------------------- */

/* What a lane's counters gain by a batch: registers.rdl. Neither cipher nor integrity is what AES lanes do. */
void
host::count_batch(const batch_slot &slot, unsigned untouched)
{
	const struct fan_shape &shape = slot.shape;
	const bool mac = shape.integrity != 0 && shape.sequence != FAN_CIPHER_ONLY;
	const unsigned algorithm = shape.cipher != 0 || mac ? shape.cipher | (mac ? shape.integrity : 0u) : 2;
	const unsigned out = shape.text_bytes + (shape.sequence == FAN_MAC_THEN_CIPHER ? 4u : 0u);
	const unsigned covered = shape.clear_bytes + shape.text_bytes, words = (covered + 3) / 4;
	const unsigned groups = (slot.ue_count + STREAM_CELLS - 1) / STREAM_CELLS;
	auto &lanes = counted_of[algorithm];

	lanes.ues += slot.ue_count - untouched;
	if (algorithm == 2) {
		lanes.cipher_busy += shape.cipher != 0 ? slot.ue_count * ((out + 15) / 16) : 0;
		lanes.mac_busy += mac ? slot.ue_count * ((covered + 8 + 15) / 16 + 1) : 0;
		return;
	}
	/* 37 clocks to begin; then a word a clock, behind as many as the clear prefix has, or what the MAC needs. */
	const unsigned text = (out + 3) / 4 + (mac ? shape.clear_bytes / 4u : 0);
	const unsigned key_stream = !mac ? 0 : algorithm == 3 ? words + 2 : 5;
	lanes.cipher_busy += groups * (37 + std::max(text, key_stream));
	lanes.mac_busy += groups * (!mac ? 0 : algorithm == 3 ? covered / 4 + 1 : (words + 1) / 2 * 2 + 2);
}

void
host::check_batch(batch_slot &slot, const uint8_t *completion)
{
	static const unsigned errors[] = { FAN_CARD_ERROR_NONE, FAN_CARD_ERROR_READ_MESSAGE, FAN_CARD_ERROR_READ_ITEM,
					   FAN_CARD_ERROR_READ_CONTEXT, FAN_CARD_ERROR_WRITE_PDU, FAN_CARD_ERROR_UNSUPPORTED };
	const unsigned error = completion[2], bad_ues = completion[3], first_bad = completion[4];
	const uint64_t at = (uint64_t)(&slot - slots.data());
	const uint64_t packets = RINGS_BYTES + at * SLOT_BYTES + MESSAGE_BYTES + ITEMS_BYTES + CONTEXTS_BYTES;
	unsigned untouched = 0, first_untouched = 0, hit = 0, first_hit = 0;

	if (error != errors[slot.injected])
		fail("batch of queue %u: error %u, wanted %u", slot.queue, error, errors[slot.injected]);
	for (unsigned i = slot.ue_count; i-- > 0;) {
		const uint64_t packet = packets + i * (uint64_t)PACKET_BYTES;
		const bool lead = slot.shape.sequence == FAN_CIPHER_THEN_MAC;
		const uint64_t first = slot.text_at[i] - (lead ? 4u + slot.shape.clear_bytes : 0);
		const uint64_t end = slot.text_at[i] + slot.shape.text_bytes + (slot.shape.sequence == FAN_MAC_THEN_CIPHER ? 4 : 0);
		const bool right = memcmp(&card[packet], &want[packet], PACKET_BYTES) == 0;
		const bool same = memcmp(&card[packet], &slot.before[i * (size_t)PACKET_BYTES], PACKET_BYTES) == 0;

		if (slot.injected == PDU && slot.line < BASE + end && slot.line + 64 > BASE + first) {
			/* Octets that did not arrive, and no others, are missing. */
			for (uint64_t o = packet; o < packet + PACKET_BYTES; o++) {
				const uint8_t wanted = (BASE + o) / 64 * 64 == slot.line ? slot.before[o - packets] : want[o];

				if (card[o] != wanted)
					fail("UE %u, octet %lld of its text beside a refused write", i,
					     (long long)(o - slot.text_at[i]));
			}
			hit++;
			first_hit = i;
		} else if (!right && same && slot.injected != NOTHING) {
			untouched++;
			first_untouched = i;
		} else if (!right) {
			uint64_t o = packet;

			while (card[o] == want[o])
				o++;
			fail("queue %u, UE %u of %u, text of %u octets at place %u, sequence %u cipher %u integrity %u clear %u head %u: "
			     "octet %lld of text is %02x, wanted %02x", slot.queue, i, slot.ue_count, slot.shape.text_bytes,
			     (unsigned)slot.text_at[i] % 64, slot.shape.sequence, slot.shape.cipher, slot.shape.integrity,
			     slot.shape.clear_bytes, slot.shape.head_blocks, (long long)(o - slot.text_at[i]), card[o], want[o]);
		}
		memcpy(&want[packet], &card[packet], PACKET_BYTES);
	}
	if (bad_ues != untouched + hit)
		fail("error %u: %u bad UEs, %u counted", error, bad_ues, untouched + hit);
	if (bad_ues != 0 && first_bad != (hit != 0 ? first_hit : first_untouched))
		fail("error %u: first bad UE %u, in memory %u", error, first_bad, hit != 0 ? first_hit : first_untouched);
	if ((slot.injected == MESSAGE || slot.injected == UNSERVED) && bad_ues != slot.ue_count)
		fail("error %u, but only %u of %u UEs are bad", error, bad_ues, slot.ue_count);
	if (slot.injected == CONTEXT && bad_ues != 1)
		fail("one context not read, but %u UEs are bad", bad_ues);
	if (slot.injected == ITEM && bad_ues == 0)
		fail("items not read, but no UE is bad");
	refuse_read.erase(slot.line);
	refuse_write.erase(slot.line);
	batches_done++;
	errors_done += error != 0;
	bad_done += untouched;
	ues_done += slot.ue_count;
	unserved_done += slot.injected == UNSERVED;
	if (slot.injected != UNSERVED)
		count_batch(slot, untouched);
	slot.busy = false;
}

/* Returns how many there were. */
unsigned
host::take_completions()
{
	unsigned count = 0;

	for (unsigned q = 0; q < queues; q++) {
		queue_state &state = queue[q];

		for (;;) {
			const uint64_t at = state.completions_at + 16 * (state.serial % state.entries);
			uint8_t completion[16];
			uint32_t serial, clocks;
			uint16_t cookie, head;

			memcpy(completion, &card[at], 16);
			memcpy(&cookie, completion, 2);
			memcpy(&head, completion + 6, 2);
			memcpy(&clocks, completion + 8, 4);
			memcpy(&serial, completion + 12, 4);
			if (state.entries == 0 || serial != state.serial + 1)
				break;
			if (cookie >= SLOTS || !slots[cookie].busy || slots[cookie].queue != q)
				fail("queue %u: completion %u has cookie %u, which is not under way", q, serial, cookie);
			if (completion[5] != 0 || clocks == 0 || clocks > 1000000 ||
			    (uint16_t)(head - state.serial) > state.under_way || (uint16_t)(state.tail - head) > state.entries)
				fail("queue %u: completion %u: reserved %u, head %u, %u clocks", q, serial, completion[5], head, clocks);
			state.serial++;
			state.under_way--;
			check_batch(slots[cookie], completion);
			count++;
		}
	}
	return count;
}

void
host::drain()
{
	uint64_t waited = 0;

	for (;;) {
		bool under_way = false;

		if (take_completions() != 0)
			waited = 0;
		for (const batch_slot &slot : slots)
			under_way = under_way || slot.busy;
		if (!under_way)
			break;
		ops->run_until(model, ~0u, 300);
		put(FAN_CARD_INTERRUPT_STATUS, ~0u);
		if ((waited += 300) > QUIET_CLOCKS_MAX)
			fail("batches under way do not end");
	}
	ops->run(model, 2 * options.latency + 100);
	put(FAN_CARD_INTERRUPT_STATUS, ~0u);
	for (unsigned q = 0; q < queues; q++) {
		if ((uint16_t)get_queue(q, FAN_CARD_QUEUE_COMPLETED) != (uint16_t)queue[q].serial ||
		    get_queue(q, FAN_CARD_QUEUE_HEAD) != queue[q].tail || get_queue(q, FAN_CARD_QUEUE_STATUS) != 0)
			fail("queue %u: completed %u, head %u, status %x; %u completions seen, tail %u", q,
			     get_queue(q, FAN_CARD_QUEUE_COMPLETED), get_queue(q, FAN_CARD_QUEUE_HEAD),
			     get_queue(q, FAN_CARD_QUEUE_STATUS), queue[q].serial, queue[q].tail);
	}
	if (get(FAN_CARD_STATUS) != IS_READY)
		fail("status %x with nothing to do", get(FAN_CARD_STATUS));
}

/* Everything but the completions' rings, which only the card writes. */
void
host::compare_all()
{
	for (unsigned q = 0; q < 16; q++) {
		const uint64_t at = q * (256 * 64 + 256 * 16) + 256 * 64;

		memcpy(&want[at], &card[at], 256 * 16);
	}
	for (size_t i = 0; i < card.size(); i++)
		if (card[i] != want[i])
			fail("octet 0x%zx of memory has been written", i);
}

/* After a reset: what was under way is nobody's. */
void
host::forget()
{
	for (batch_slot &slot : slots)
		slot.busy = false;
	refuse_read.clear();
	refuse_write.clear();
	want = card;
}

/* ---- Tests ---------------------------------------------------------------------------------------------------------------------- */

static void
play(host &host, unsigned batches, bool inject)
{
	unsigned submitted = 0;

	while (submitted < batches) {
		const enum injection injected = inject && host.pick(2) != 0 ? (enum injection)(1 + host.pick(4)) :
					       host.pick(12) == 0 ? UNSERVED : NOTHING;

		if (host.submit(host.pick(host.queues), nullptr, 0, injected) >= 0)
			submitted++;
		else
			ops->run(host.model, 1 + host.pick(400));
		host.take_completions();
	}
}

/* What the lanes of each algorithm have counted. busy: that of all clocks, which only whole batches make predictable. */
static void
check_lanes(host &host, bool busy)
{
	uint64_t ues[4] = {}, cipher_busy[4] = {}, mac_busy[4] = {};

	for (unsigned l = 0; l < ops->aes_lanes + ops->snow3g_lanes + ops->zuc_lanes; l++) {
		const uint32_t base = FAN_CARD_LANE_BASE + l * FAN_CARD_LANE_STRIDE;
		const uint32_t algorithm = host.get(base + FAN_CARD_LANE_KIND) & 3;

		ues[algorithm] += host.get(base + FAN_CARD_LANE_UES);
		cipher_busy[algorithm] += host.get64(base + FAN_CARD_LANE_CIPHER_BUSY_LOW);
		mac_busy[algorithm] += host.get64(base + FAN_CARD_LANE_MAC_BUSY_LOW);
	}
	for (unsigned a = 0; a < 4; a++) {
		const auto &want = host.counted_of[a];

		if (ues[a] != want.ues || (busy && (cipher_busy[a] != want.cipher_busy || mac_busy[a] != want.mac_busy)))
			fail("lanes of algorithm %u counted %llu UEs, %llu and %llu clocks busy, wanted %llu, %llu and %llu", a,
			     (unsigned long long)ues[a], (unsigned long long)cipher_busy[a], (unsigned long long)mac_busy[a],
			     (unsigned long long)want.ues, (unsigned long long)want.cipher_busy, (unsigned long long)want.mac_busy);
	}
}

static void
test_work(bool inject)
{
	host host;

	host.start();
	play(host, options.batches, inject);
	host.drain();
	host.compare_all();
	if (host.get(FAN_CARD_ERROR_BATCHES) != host.errors_done)
		fail("%u batches with errors counted, %llu seen", host.get(FAN_CARD_ERROR_BATCHES), (unsigned long long)host.errors_done);
	if (!inject && host.get(FAN_CARD_BUS_ERRORS) != 0)
		fail("bus errors without any");
	if (inject && (host.get(FAN_CARD_BUS_ERRORS) == 0 || host.get(FAN_CARD_BUS_ERRORS) > host.refused))
		fail("%u bus errors counted, %llu made", host.get(FAN_CARD_BUS_ERRORS), (unsigned long long)host.refused);
	if (host.get64(FAN_CARD_READ_BYTES_LOW) != 64 * host.reads || host.get64(FAN_CARD_WRITTEN_BYTES_LOW) != host.octets_written)
		fail("octets: %llu read, %llu written; counted %llu, %llu", (unsigned long long)(64 * host.reads),
		     (unsigned long long)host.octets_written, (unsigned long long)host.get64(FAN_CARD_READ_BYTES_LOW),
		     (unsigned long long)host.get64(FAN_CARD_WRITTEN_BYTES_LOW));

	check_lanes(host, !inject);
	printf("%s: %llu batches, %llu UEs, %llu without a PDU, %llu refused beats, %llu batches that no lane serves\n",
	       inject ? "errors" : "work", (unsigned long long)host.batches_done, (unsigned long long)host.ues_done,
	       (unsigned long long)host.bad_done, (unsigned long long)host.refused, (unsigned long long)host.unserved_done);
}

static void
test_reset()
{
	host host;
	unsigned resets = 0;

	host.start();
	for (unsigned done = 0; done < options.batches; resets++) {
		const unsigned batches = 1 + host.pick(40);
		const uint32_t how = host.pick(2) != 0 ? DO_RESET : DO_ZEROISE;
		uint64_t writes;

		play(host, batches, false);
		done += batches;
		ops->run(host.model, host.pick(3000));
		host.put(FAN_CARD_CONTROL, how | host.pick(2));
		while ((host.get(FAN_CARD_CONTROL) & how) != 0)
			;
		/* What was completed before the reset was done is as good as ever. */
		host.take_completions();
		writes = host.writes;
		if (how == DO_ZEROISE && (host.get(FAN_CARD_STATUS) & IS_READY) == 0)
			fail("zeroise is done, but memories have not been overwritten");
		if (host.get(FAN_CARD_STATUS) & IS_BUSY)
			fail("busy after reset");
		host.put(FAN_CARD_CONTROL, DO_ENABLE);
		ops->run(host.model, 3000);
		if (host.writes != writes)
			fail("%llu writes after reset %u", (unsigned long long)(host.writes - writes), resets);
		for (unsigned q = 0; q < host.queues; q++)
			if (host.get_queue(q, FAN_CARD_QUEUE_CONTROL) & 1)
				fail("queue %u is enabled after reset", q);
		host.forget();
		host.start();
	}
	host.drain();
	host.compare_all();
	printf("reset: %u resets, %llu batches ended in between\n", resets, (unsigned long long)host.batches_done);
}

static void
expect(host &host, const char *what, uint32_t offset, uint32_t value)
{
	if (host.get(offset) != value)
		fail("%s reads 0x%x, wanted 0x%x", what, host.get(offset), value);
}

static void
test_registers()
{
	host host;
	const uint32_t lanes = ops->aes_lanes | ops->snow3g_lanes << 4 | ops->zuc_lanes << 8;
	uint64_t clocks;

	expect(host, "kind", FAN_CARD_KIND, 0x464e4146);
	expect(host, "version", FAN_CARD_VERSION, 0x00010000);
	expect(host, "build", FAN_CARD_BUILD, lanes | host.queues << 16);
	expect(host, "limits", FAN_CARD_LIMITS, 1500 | 64 << 16);
	for (unsigned l = 0; l < ops->aes_lanes + ops->snow3g_lanes + ops->zuc_lanes; l++)
		expect(host, "lane kind", FAN_CARD_LANE_BASE + l * FAN_CARD_LANE_STRIDE,
		       l < ops->aes_lanes ? 2 : l < ops->aes_lanes + ops->snow3g_lanes ? 1 : 3);
	expect(host, "absent lane", FAN_CARD_LANE_BASE + 15 * FAN_CARD_LANE_STRIDE, 0);
	host.put(FAN_CARD_SCRATCH, 0x5a17c0de);
	expect(host, "scratch", FAN_CARD_SCRATCH, 0x5a17c0de);
	host.put(FAN_CARD_KIND, 1);
	expect(host, "kind", FAN_CARD_KIND, 0x464e4146);
	expect(host, "hole", 0x8000, 0);
	host.wait_ready();
	clocks = host.get64(FAN_CARD_CLOCKS_LOW);
	ops->run(host.model, 1000);
	clocks = host.get64(FAN_CARD_CLOCKS_LOW) - clocks;
	if (clocks < 1000 || clocks > 1100)
		fail("1,000 clocks are %llu", (unsigned long long)clocks);

	/* An interrupt of the queue's own, level until it is cleared, and only when enabled. */
	struct fan_shape shape = {};
	shape.cipher = 2;
	shape.integrity = 2;
	shape.clear_bytes = 1;
	shape.text_bytes = 160;
	host.put(FAN_CARD_CONTROL, DO_ENABLE);
	for (unsigned q = 0; q < host.queues; q++)
		host.enable_queue(q, 3);
	host.submit(host.queues - 1, &shape, 3, NOTHING);
	if (ops->run(host.model, 3000 + 10 * options.latency) != 0)
		fail("an interrupt that is not enabled");
	expect(host, "interrupt_status", FAN_CARD_INTERRUPT_STATUS, 1u << (host.queues - 1));
	host.put(FAN_CARD_INTERRUPT_ENABLE, 1u << (host.queues - 1));
	if (ops->run(host.model, 2) != 1u << (host.queues - 1))
		fail("no interrupt");
	host.put(FAN_CARD_INTERRUPT_STATUS, 1u << (host.queues - 1));
	if (ops->run(host.model, 2) != 0)
		fail("interrupt after it was cleared");
	host.take_completions();

	/* A refused completion stops its queue and nobody else's. */
	host.put(FAN_CARD_INTERRUPT_ENABLE, ON_ERROR);
	host.refuse_write.insert((BASE + host.queue[0].completions_at) & ~UINT64_C(63));
	host.submit(0, &shape, 3, NOTHING);
	if (ops->run_until(host.model, ~0u, 100000) != 1u << host.queues)
		fail("no interrupt for a refused completion");
	expect(host, "queue status", host.queue_base(0) + FAN_CARD_QUEUE_STATUS, FAN_CARD_QUEUE_FAULT_WRITE_COMPLETION << 4);
	expect(host, "completed", host.queue_base(0) + FAN_CARD_QUEUE_COMPLETED, 0);
	expect(host, "head", host.queue_base(0) + FAN_CARD_QUEUE_HEAD, 1);
	expect(host, "bus_errors", FAN_CARD_BUS_ERRORS, 1);
	expect(host, "bus_error_low", FAN_CARD_BUS_ERROR_LOW, (uint32_t)(BASE + host.queue[0].completions_at));
	expect(host, "bus_error_high", FAN_CARD_BUS_ERROR_HIGH, (BASE + host.queue[0].completions_at) >> 32);
	host.refuse_write.clear();
	host.submit(0, &shape, 3, NOTHING);
	ops->run(host.model, 3000 + 10 * options.latency);
	expect(host, "head of a stopped queue", host.queue_base(0) + FAN_CARD_QUEUE_HEAD, 1);
	for (batch_slot &slot : host.slots)
		slot.busy = false;
	host.put(FAN_CARD_INTERRUPT_STATUS, ~0u);
	for (unsigned q = 0; q < host.queues; q++)
		host.enable_queue(q, 3);
	host.want = host.card;
	for (unsigned q = 0; q < host.queues; q++)
		host.submit(q, &shape, 5, NOTHING);
	host.drain();

	/* A tail too far ahead, and a ring of a size that there is not. */
	host.enable_queue(0, 2);
	host.put_queue(0, FAN_CARD_QUEUE_TAIL, 5);
	ops->run(host.model, 100);
	expect(host, "queue status", host.queue_base(0) + FAN_CARD_QUEUE_STATUS, FAN_CARD_QUEUE_FAULT_TAIL << 4);
	host.enable_queue(0, 9);
	ops->run(host.model, 100);
	expect(host, "queue status", host.queue_base(0) + FAN_CARD_QUEUE_STATUS, FAN_CARD_QUEUE_FAULT_SIZE << 4);
	host.enable_queue(0, 4);
	ops->run(host.model, 100);
	expect(host, "queue status", host.queue_base(0) + FAN_CARD_QUEUE_STATUS, 0);
	host.submit(0, &shape, 64, NOTHING);
	host.drain();
	printf("registers: as described\n");
}

/* Clocks per UE between the first batches and the last, without a host in the way. */
static double
rate(uint8_t algorithm, unsigned text_bytes, unsigned ue_count)
{
	host host;
	struct fan_shape shape = {};
	uint64_t from = 0, ues_from = 0;
	struct fan_model_statistics statistics;

	shape.cipher = shape.integrity = algorithm;
	shape.clear_bytes = 1;
	shape.text_bytes = (uint16_t)text_bytes;
	host.wait_ready();
	for (unsigned q = 0; q < host.queues; q++)
		host.enable_queue(q, 8);
	/* All are announced before the engine is switched on; after that only the engine is at work. */
	for (unsigned i = 0; i < SLOTS; i++)
		host.submit(i % host.queues, &shape, ue_count, NOTHING);
	host.put(FAN_CARD_CONTROL, DO_ENABLE);
	while (host.ues_done < ue_count * (SLOTS - 8)) {
		ops->run(host.model, 8);
		if (host.take_completions() != 0 && from == 0 && host.ues_done >= ue_count * 8) {
			ops->statistics(host.model, &statistics);
			from = statistics.clocks;
			ues_from = host.ues_done;
		}
	}
	ops->statistics(host.model, &statistics);
	const double clocks = (double)(statistics.clocks - from) / (double)(host.ues_done - ues_from);

	host.drain();
	host.compare_all();
	return clocks;
}

/* What a lane needs for a UE with one octet of clear prefix: AES max(counter blocks, CMAC blocks + 1). The others work on groups, which take
 * the clocks that README.md says, or a clock for each block of their results where those are more. */
static double
lane_clocks(uint8_t algorithm, unsigned text_bytes, unsigned ue_count)
{
	const unsigned blocks = (text_bytes + 15) / 16, words = (text_bytes + 3) / 4;
	const unsigned full = ue_count / STREAM_CELLS, rest = ue_count % STREAM_CELLS;
	unsigned group = std::max(37 + words, 42U);

	if (algorithm == 2)
		return std::max(blocks, (text_bytes + 1 + 15) / 16 + 1);
	if (algorithm == 3)
		group = std::max(group, 39 + (text_bytes + 1 + 3) / 4);
	return (full * std::max(group, STREAM_CELLS * blocks) + (rest != 0 ? std::max(group, rest * blocks) : 0)) / (double)ue_count;
}

/* The bound is that of the lanes, or of the bus's busier channel: an item's 32 octets and a context are one beat and a half, and a
 * PDU with its MAC and clear prefix lies anywhere. */
static void
rate_of(uint8_t algorithm)
{
	static const char *const names[] = { "", "SNOW 3G", "AES", "ZUC" };
	static const unsigned texts[] = { 16, 32, 64, 160, 512, 1024, 1480 };
	static const unsigned counts[] = { 64, 32, 16, 8, 1 };

	for (unsigned text_bytes : texts)
		for (unsigned ue_count : counts) {
			const double lanes = lane_clocks(algorithm, text_bytes, ue_count) / lanes_of(algorithm);
			const double bus = std::max(1.5, (text_bytes + 5 + 63) / 64.0);
			const double bound = std::max(lanes, bus), clocks = rate(algorithm, text_bytes, ue_count);

			printf("rate: %s, lanes: %u, %4u octets, batches of %2u UEs: %6.2f clocks per UE, bound %6.2f (%s), latency %u\n",
			       names[algorithm], lanes_of(algorithm), text_bytes, ue_count, clocks, bound, bus > lanes ? "bus" : "lanes",
			       options.latency);
			/* Changing between descriptors, items and contexts costs the bus some clocks in a hundred. */
			if (ue_count == 64 && options.stall == 0 && clocks > (bus > lanes ? 1.1 : 1.05) * bound)
				fail("slower than the bound");
		}
}

static void
test_rate()
{
	for (uint8_t algorithm = 1; algorithm < 4; algorithm++)
		if (lanes_of(algorithm) != 0)
			rate_of(algorithm);
}

int
main(int argc, char **argv)
{
	const std::string test = argc > 1 ? argv[1] : "";

	for (int i = 2; i + 1 < argc; i += 2) {
		const std::string name = argv[i];

		if (name == "--seed")
			options.seed = strtoull(argv[i + 1], nullptr, 0);
		else if (name == "--stall")
			options.stall = strtod(argv[i + 1], nullptr);
		else if (name == "--latency")
			options.latency = (unsigned)strtoul(argv[i + 1], nullptr, 0);
		else if (name == "--batches")
			options.batches = (unsigned)strtoul(argv[i + 1], nullptr, 0);
		else
			fail("%s is not an option", argv[i]);
	}
	printf("engine_test %s: seed 0x%llx, stall %g, latency %u, %s\n", test.c_str(), (unsigned long long)options.seed, options.stall,
	       options.latency, ops->build);
	if (test == "work" || test == "errors")
		test_work(test == "errors");
	else if (test == "reset")
		test_reset();
	else if (test == "registers")
		test_registers();
	else if (test == "rate")
		test_rate();
	else
		fail("no such test: '%s'", test.c_str());
	return 0;
}
