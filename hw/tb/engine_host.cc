/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine_host.h"

#include <algorithm>
#include <cstring>

unsigned
lanes_of(unsigned algorithm)
{
	const unsigned lanes[] = { 1, ops->snow3g_lanes, ops->aes_lanes, ops->zuc_lanes };

	return lanes[algorithm];
}

bool
one_lane_does(unsigned cipher, unsigned integrity)
{
	return cipher < 4 && integrity < 4 && (cipher == 0 || integrity == 0 || cipher == integrity) && lanes_of(cipher | integrity) != 0;
}

unsigned
item_bytes_of(const struct fan_shape &shape)
{
	return (32 + 16u * shape.head_blocks + 31) / 32 * 32;
}

host::host(const host_options &options_) : random{ test_seed }, card(RINGS_BYTES + (size_t)SLOTS * SLOT_BYTES), options(options_)
{
	struct fan_model_options model_options = {};
	char error[FAN_MODEL_ERROR_BYTES];

	fan_engine_reference.open(&engine, NULL);
	fan_test_random_fill(&random, card.data(), card.size());
	want = card;
	model_options.memory = { this, read_memory, write_memory };
	model_options.seed = test_seed;
	model_options.stall = options.stall;
	model_options.latency = options.latency;
	model_options.max_cycles = QUIET_CLOCKS_MAX;
	if (ops->open(&model, &model_options, error) != 0)
		fail("%s", error);
	queues = ops->queues;
}

host::~host()
{
	ops->close(model);
	fan_engine_reference.close(engine);
}

/* ---- Memory ------------------------------------------------------------------------------------------------------------------ */

enum fan_model_answer
host::read_memory(void *user, uint64_t address, uint8_t *octets)
{
	host *const self = (host *)user;

	self->reads++;
	const auto refusal = self->refuse_read.find(address);
	const bool here = address >= BASE && address - BASE + 64 <= self->card.size();

	if (!here && !self->wild)
		fail("read of 0x%llx, where nothing is", (unsigned long long)address);
	if (!here || self->isolated || refusal != self->refuse_read.end()) {
		self->refused++;
		fan_test_random_fill(&self->random, octets, 64);
		return here && !self->isolated ? refusal->second : FAN_MODEL_DECERR;
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
	const auto refusal = self->refuse_write.find(address);
	const bool here = address >= BASE && address - BASE + 64 <= self->card.size();

	if (!here && !self->wild)
		fail("write to 0x%llx, where nothing is", (unsigned long long)address);
	if (!here || self->isolated || refusal != self->refuse_write.end()) {
		self->refused++;
		return here && !self->isolated ? refusal->second : FAN_MODEL_DECERR;
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

void
host::reset(uint32_t how)
{
	put(FAN_CARD_CONTROL, how);
	for (unsigned i = 0; (get(FAN_CARD_CONTROL) & how) != 0; i++)
		if (i > 10000)
			fail("reset does not end");
	take_completions();
	forget();
	refused = 0;
	errors_done = 0;
}

/* One UE's work item, context and packet. In `want` the packet holds what the reference engine wants to find there. */
void
host::fill_ue(batch_slot &slot, uint64_t base, unsigned ue)
{
	const unsigned item_bytes = item_bytes_of(slot.shape);
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
	if (fixed != nullptr) {
		memcpy(clear, fixed->clear, sizeof(clear));
		memcpy(head, fixed->head, sizeof(head));
		set32(item + 8, fixed->count);
	}
	memcpy(&card[item + 16], clear, 16);
	memcpy(&card[item + 32], head, 16u * slot.shape.head_blocks);
	memcpy(&want[item], &card[item], item_bytes);
	fan_test_random_fill(&random, &card[contexts + 64 * context_number], 64);
	if (fixed != nullptr) {
		struct fan_context *const context = (struct fan_context *)&card[contexts + 64 * context_number];

		memcpy(context->k_enc, fixed->k_enc, 16);
		memcpy(context->k_int, fixed->k_int, 16);
		context->bearer_direction = fixed->bearer_direction;
	}
	memcpy(&want[contexts + 64 * context_number], &card[contexts + 64 * context_number], 64);
	memcpy(&want[packet], &card[packet], PACKET_BYTES);
	memcpy(&want[text - slot.shape.clear_bytes], clear, slot.shape.clear_bytes);
	if (slot.shape.sequence != FAN_CIPHER_THEN_MAC)
		memcpy(&card[text - slot.shape.clear_bytes], clear, slot.shape.clear_bytes);
	memcpy(&want[text], head, std::min<unsigned>(16u * slot.shape.head_blocks, slot.shape.text_bytes));
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
	} while (one_lane_does(cipher, integrity));
	return (uint16_t)(cipher | integrity << 8);
}

enum fan_model_answer
host::refusal()
{
	return answer != FAN_MODEL_OKAY ? answer : pick(2) != 0 ? FAN_MODEL_SLVERR : FAN_MODEL_DECERR;
}

/* One line of what the batch's transactions go to is refused. */
void
host::inject(batch_slot &slot, uint64_t base, uint64_t descriptor)
{
	const unsigned ue = pick(slot.ue_count), item_bytes = item_bytes_of(slot.shape);
	const queue_state &state = queue[slot.queue];

	switch (slot.injected) {
	case NOTHING:
	case UNSERVED:
	case REFUSED:
		return;
	case MESSAGE:
		slot.line = BASE + base + pick((slot.shape.text_bytes + 63) / 64) * 64;
		break;
	case ITEM:
		slot.line = (BASE + base + MESSAGE_BYTES + ue * item_bytes) & ~UINT64_C(63);
		break;
	case CONTEXT:
		slot.line = BASE + base + MESSAGE_BYTES + ITEMS_BYTES + 64 * (63 - ue);
		break;
	case PDU:
		slot.line = (BASE + slot.text_at[ue] + pick(slot.shape.text_bytes)) & ~UINT64_C(63);
		break;
	case DESCRIPTOR:
		slot.line = BASE + descriptor;
		break;
	case COMPLETION:
		slot.line = (BASE + state.completions_at + 16 * ((state.serial + state.under_way) % state.entries)) & ~UINT64_C(63);
		break;
	}
	(slot.injected == PDU || slot.injected == COMPLETION ? refuse_write : refuse_read)[slot.line] = refusal();
}

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
		slot.message_number = injected == NOTHING && pick(4) != 0 ? ++state.messages * 0x9e3779b1u : 0;
		fan_test_random_fill(&random, &card[base], MESSAGE_BYTES);
		if (fixed != nullptr)
			memcpy(&card[base], fixed->message, slot.shape.text_bytes);
		memcpy(&want[base], &card[base], MESSAGE_BYTES);
		if (injected == NOTHING && slot.message_number != 0)
			state.last_slot = at;
	}
	slot.shape.message = &want[slot.message_at];
	for (unsigned i = 0; i < slot.ue_count; i++) {
		fill_ue(slot, base, i);
		batch.context[i] = (struct fan_context *)&want[contexts + 64 * (63 - i)];
		memcpy(&batch.count[i], &want[base + MESSAGE_BYTES + i * item_bytes_of(slot.shape) + 8], 4);
		batch.text[i] = &want[slot.text_at[i]];
	}
	slot.before.assign(card.begin() + (long)(contexts + CONTEXTS_BYTES),
			   card.begin() + (long)(contexts + CONTEXTS_BYTES + slot.ue_count * (uint64_t)PACKET_BYTES));
	batch.shape = &slot.shape;
	batch.ue_count = (uint16_t)slot.ue_count;
	if (fan_engine_reference.submit_burst(engine, batches, 1) != 1 || fan_engine_reference.poll_burst(engine, &done, 1) != 1)
		fail("the reference engine did not take a batch");

	unsigned algorithms = slot.shape.cipher | (slot.shape.sequence == FAN_CIPHER_ONLY ? 0u : slot.shape.integrity) << 8;

	if (injected == UNSERVED)
		algorithms = pick_unserved(slot.shape.sequence == FAN_CIPHER_ONLY);
	memset(&card[descriptor], 0, 64);
	set64(descriptor, BASE + slot.message_at);
	set64(descriptor + 8, BASE + base + MESSAGE_BYTES);
	set64(descriptor + 16, BASE + contexts);
	set32(descriptor + 24, slot.message_number);
	set32(descriptor + 28, (uint32_t)at | slot.ue_count << 16);
	set32(descriptor + 32, slot.shape.text_bytes | (uint32_t)slot.shape.clear_bytes << 16 | (uint32_t)slot.shape.head_blocks << 24);
	set32(descriptor + 36, algorithms | (uint32_t)slot.shape.sequence << 16 | 1u << 24);
	if (!slot.wild)
		inject(slot, base, descriptor);
	if (spoil)
		spoil(slot, &card[descriptor], base + MESSAGE_BYTES);
	memcpy(&want[descriptor], &card[descriptor], 64);
	memcpy(&want[base + MESSAGE_BYTES], &card[base + MESSAGE_BYTES], ITEMS_BYTES);
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

/* Nothing was done. */
void
host::check_refused(batch_slot &slot, const uint8_t *completion)
{
	const uint64_t packets = RINGS_BYTES + (uint64_t)(&slot - slots.data()) * SLOT_BYTES + MESSAGE_BYTES + ITEMS_BYTES +
		CONTEXTS_BYTES;

	if (completion[2] != slot.error)
		fail("descriptor of queue %u: error %u, wanted %u", slot.queue, completion[2], slot.error);
	if (completion[3] != (slot.bad_ues & 0x7f) || completion[4] != 0)
		fail("error %u: %u bad UEs from %u on, wanted %u from 0 on", slot.error, completion[3], completion[4], slot.bad_ues);
	if (memcmp(&card[packets], slot.before.data(), slot.before.size()) != 0)
		fail("error %u, but a packet was written", slot.error);
	memcpy(&want[packets], &card[packets], slot.before.size());
	batches_done++;
	errors_done++;
	slot.busy = false;
}

void
host::check_batch(batch_slot &slot, const uint8_t *completion)
{
	errors_seen[completion[2]]++;
	if (slot.injected == REFUSED) {
		check_refused(slot, completion);
		return;
	}

	static const unsigned errors[] = { FAN_CARD_ERROR_NONE, FAN_CARD_ERROR_READ_MESSAGE, FAN_CARD_ERROR_READ_ITEM,
					   FAN_CARD_ERROR_READ_CONTEXT, FAN_CARD_ERROR_WRITE_PDU, FAN_CARD_ERROR_UNSUPPORTED,
					   FAN_CARD_ERROR_NONE, FAN_CARD_ERROR_NONE };
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

		if (slot.injected == PDU && !slot.wild && slot.line < BASE + end && slot.line + 64 > BASE + first) {
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
	if (slot.injected == CONTEXT && !slot.wild && bad_ues != 1)
		fail("one context not read, but %u UEs are bad", bad_ues);
	if (slot.wild && bad_ues != slot.bad_ues)
		fail("address where nothing is for %u UEs, but %u are bad", slot.bad_ues, bad_ues);
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

void
host::compare_all()
{
	for (unsigned q = 0; q < 16; q++) {
		const uint64_t at = q * (256 * 64 + 256 * 16) + 256 * 64;

		memcpy(&want[at], &card[at], 256 * 16);
	}
	if (memcmp(card.data(), want.data(), card.size()) == 0)
		return;
	for (size_t i = 0; i < card.size(); i++)
		if (card[i] != want[i])
			fail("octet 0x%zx of memory has been written", i);
}

void
host::forget()
{
	for (batch_slot &slot : slots)
		slot.busy = false;
	refuse_read.clear();
	refuse_write.clear();
	want = card;
}
