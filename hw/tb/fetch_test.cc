/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of fan_fetch against a model of host memory: what is put there must come out at the lanes, and nothing else may be read.
 *
 *	work      random batches on all queues: messages, items, tickets, begins
 *	refused   descriptors that must not be carried out, each with its error, between good ones
 *	errors    reads that the bus refuses: the right UEs get the right error and no key
 *	queues    faults, tails that run away, disable and enable at any time, message numbers used again
 *	stop      stop, idle, reset at any clock: no read begins, none is owed, no key or message stays
 *	rate      three lanes that take a UE every 12 clocks never wait, with a memory that answers after 200
 *
 * Usage: fetch_test TEST [--seed N] [--stall P] [--batches N]
 */
#include "fetch_host.h"
#include "Vfan_fetch___024root.h"

#include <algorithm>
#include <map>

static struct {
	double stall = 0;
	unsigned batches = 2000;
} options;

/* ---- Tests ------------------------------------------------------------------------------------------------------------------ */

static void
enable_all(host &h)
{
	for (unsigned q = 0; q < QUEUES; q++)
		h.enable(q, 1 + h.pick(8));
}

/* A message that several batches of a queue share. Its lines stay. */
struct shared_message {
	batch_ptr first;
	batch keeper;
};

/* Half of the batches have a number, and half of those that of an earlier one, with the same octets. */
static void
share_message(host &h, std::map<std::pair<unsigned, uint32_t>, shared_message> &shared, const batch_ptr &b)
{
	if (h.pick(2) == 0)
		return;
	b->message_number = 1 + h.pick(6);
	shared_message &s = shared[{ b->queue, b->message_number }];

	if (s.first == nullptr) {
		s.first = b;
		h.put(s.keeper, b->message_address, b->message);
		return;
	}
	b->message = s.first->message;
	b->text_bytes = s.first->text_bytes;
	b->message_address = s.first->message_address;
	b->clear_bytes = (uint8_t)std::min<unsigned>(b->clear_bytes, FAN_PDU_BYTES_MAX - b->text_bytes);
}

static void
test_work()
{
	host h(options.stall);
	std::map<std::pair<unsigned, uint32_t>, shared_message> shared;

	enable_all(h);
	for (unsigned made = 0; made < options.batches;) {
		const unsigned q = h.pick(QUEUES);

		if (h.room(q) && h.pick(30) == 0) {
			const batch_ptr b = h.make(q);

			share_message(h, shared, b);
			h.submit(b, nullptr, h.pick(3) != 0 || !h.room(q));
			made++;
		} else if (h.tail[q] != h.begun[q]) {
			h.configure(q);
		}
		h.step();
	}
	for (unsigned q = 0; q < QUEUES; q++)
		h.configure(q);
	h.drain();
	for (unsigned q = 0; q < QUEUES; q++)
		if (h.head(q) != h.tail[q] || h.fault(q) != 0)
			fail("queue %u ends with head %u want %u, fault %u", q, h.head(q), h.tail[q], h.fault(q));
	printf("work: %lu batches, %lu UEs, %lu lines read, %lu clocks\n", h.batches_done, h.ues_done, h.reads, h.cycle);
}

struct refusal {
	unsigned at, octets;
	uint64_t value;
	uint8_t error;
};

static void
test_refused()
{
	static const refusal table[] = {
		{ 39, 1, 0, FAN_CARD_ERROR_BAD_DESCRIPTOR },
		{ 39, 1, 2, FAN_CARD_ERROR_BAD_DESCRIPTOR },
		{ 39, 1, 0x81, FAN_CARD_ERROR_BAD_DESCRIPTOR },
		{ 40, 1, 1, FAN_CARD_ERROR_BAD_DESCRIPTOR },
		{ 55, 1, 0x80, FAN_CARD_ERROR_BAD_DESCRIPTOR },
		{ 63, 1, 0x80, FAN_CARD_ERROR_BAD_DESCRIPTOR },
		{ 38, 1, 3, FAN_CARD_ERROR_BAD_DESCRIPTOR },
		{ 37, 2, 0x0202, FAN_CARD_ERROR_BAD_DESCRIPTOR }, /* integrity where sequence is CIPHER_ONLY */
		{ 30, 2, 0, FAN_CARD_ERROR_BAD_SHAPE },
		{ 30, 2, 65, FAN_CARD_ERROR_BAD_SHAPE },
		{ 30, 2, 129, FAN_CARD_ERROR_BAD_SHAPE },
		{ 30, 2, 256 + 1, FAN_CARD_ERROR_BAD_SHAPE },
		{ 30, 2, 0x8001, FAN_CARD_ERROR_BAD_SHAPE },
		{ 32, 3, 0, FAN_CARD_ERROR_BAD_SHAPE },
		{ 32, 3, 1501, FAN_CARD_ERROR_BAD_SHAPE },
		{ 32, 3, 1500 | 1 << 16, FAN_CARD_ERROR_BAD_SHAPE },
		{ 32, 3, 1485 | 16 << 16, FAN_CARD_ERROR_BAD_SHAPE },
		{ 32, 3, 2048 + 100, FAN_CARD_ERROR_BAD_SHAPE },
		{ 32, 3, 65535, FAN_CARD_ERROR_BAD_SHAPE },
		{ 32, 3, 100 | 17 << 16, FAN_CARD_ERROR_BAD_SHAPE },
		{ 32, 3, 100 | 255 << 16, FAN_CARD_ERROR_BAD_SHAPE },
		{ 35, 1, 4, FAN_CARD_ERROR_BAD_SHAPE },
		{ 35, 1, 0x83, FAN_CARD_ERROR_BAD_SHAPE },
		{ 36, 3, 0x000003, FAN_CARD_ERROR_UNSUPPORTED }, /* no ZUC lane */
		{ 36, 3, 0x000303, FAN_CARD_ERROR_UNSUPPORTED },
		{ 36, 3, 0x000102, FAN_CARD_ERROR_UNSUPPORTED }, /* cipher and integrity differ */
		{ 36, 3, 0x000201, FAN_CARD_ERROR_UNSUPPORTED },
		{ 36, 3, 0x000004, FAN_CARD_ERROR_UNSUPPORTED },
		{ 36, 3, 0x000402, FAN_CARD_ERROR_UNSUPPORTED },
		{ 36, 3, 0x000082, FAN_CARD_ERROR_UNSUPPORTED },
		{ 36, 3, 0x008202, FAN_CARD_ERROR_UNSUPPORTED },
		{ 0, 1, 1, FAN_CARD_ERROR_BAD_ADDRESS },
		{ 0, 1, 32, FAN_CARD_ERROR_BAD_ADDRESS },
		{ 8, 1, 32, FAN_CARD_ERROR_BAD_ADDRESS },
		{ 16, 1, 4, FAN_CARD_ERROR_BAD_ADDRESS },
		/* What comes first wins. */
		{ 38, 2, 0x0003, FAN_CARD_ERROR_BAD_DESCRIPTOR },
		{ 34, 3, 0x040011, FAN_CARD_ERROR_BAD_SHAPE },
	};
	/* In range to the last value. */
	static const refusal edges[] = {
		{ 32, 3, 1500, 0 }, { 32, 3, 1484 | 16 << 16, 0 }, { 32, 3, 1, 0 }, { 32, 3, 1 | 16 << 16, 0 }, { 35, 1, 3, 0 },
	};
	host h(options.stall);
	unsigned refusals = 0;

	enable_all(h);
	for (unsigned turn = 0; turn < 5; turn++) {
		for (const refusal &r : table) {
			unsigned q = h.pick(QUEUES);
			batch_ptr b = h.make(q);

			while (!h.room(q))
				h.step();
			b->error = r.error;
			if (r.at == 32 || r.at == 34)
				b->cipher = 2;
			h.submit(b, [&](uint8_t *d) {
				for (unsigned i = 0; i < r.octets; i++)
					d[r.at + i] = (uint8_t)(r.value >> 8 * i);
				if (r.at == 36 && d[38] == 2)
					d[38] = 0;
			});
			refusals++;
			if (turn < 4 && h.pick(2)) {
				q = h.pick(QUEUES);
				while (!h.room(q))
					h.step();
				h.submit(h.make(q));
			}
		}
		for (const refusal &r : edges) {
			const batch_ptr b = h.make(1);

			while (!h.room(1))
				h.step();
			if (r.at == 32) {
				b->text_bytes = (uint16_t)r.value;
				b->clear_bytes = (uint8_t)(r.value >> 16);
				b->message = h.some(b->text_bytes);
				b->message_address = h.address_of(24);
			}
			h.submit(b);
		}
	}
	h.drain();
	printf("refused: %u descriptors refused, %lu batches, %lu UEs\n", refusals, h.batches_done - refusals, h.ues_done);
}

static void
test_errors()
{
	host h(options.stall);
	unsigned spoiled = 0;

	enable_all(h);
	for (unsigned made = 0; made < options.batches; made++) {
		const unsigned q = h.pick(QUEUES);
		const batch_ptr b = h.make(q);

		while (!h.room(q))
			h.step();
		if (h.pick(2))
			b->message_number = 1 + h.cycle; /* a message that cannot be read is not kept, its number not used again */
		h.submit(b, nullptr, false);
		if (h.pick(2)) {
			h.refuse_lines(b);
			spoiled++;
		}
		h.configure(q);
		h.steps(h.pick(200));
	}
	h.drain();

	/* A message that could not be read is read again for the next batch with its number. */
	for (unsigned turn = 0; turn < 20; turn++) {
		const batch_ptr bad = h.make(0), good = h.make(0);

		h.drain();
		bad->message_number = good->message_number = 0x80000000 + turn;
		good->text_bytes = bad->text_bytes;
		good->clear_bytes = bad->clear_bytes;
		good->message = h.some(good->text_bytes);
		good->message_address = h.address_of(24);
		h.submit(bad, nullptr, false);
		h.refused.insert(bad->message_address);
		bad->message_refused = true;
		for (ue &u : bad->ues)
			u.error = FAN_CARD_ERROR_READ_MESSAGE;
		h.configure(0);
		h.drain();
		h.submit(good);
	}
	h.drain();
	printf("errors: %lu batches, %u of them with a line that could not be read\n", h.batches_done, spoiled);
}

/* ---- Queues: what a host does wrong --------------------------------------------------------------------------------------------- */

static void
want_fault(host &h, unsigned q, unsigned fault)
{
	h.steps(2 * QUEUES + 4);
	if (h.fault(q) != fault)
		fail("cycle %lu: queue %u has fault %u, want %u", h.cycle, q, h.fault(q), fault);
}

static void
test_tails(host &h)
{
	for (unsigned log2 = 1; log2 <= 8; log2++) {
		const uint16_t entries = (uint16_t)(1u << log2);
		const uint16_t wild[] = { (uint16_t)(entries + 1), (uint16_t)(entries + 2), 0x7fff, 0x8000, 0xffff };

		for (uint16_t ahead : wild) {
			h.enable(2, log2);
			h.steps(10);
			h.submit(h.make(2));
			h.drain();
			h.tail[2] = (uint16_t)(h.tail[2] + ahead);
			h.configure(2);
			want_fault(h, 2, FAN_CARD_QUEUE_FAULT_TAIL);
			/* Sticky, and nothing is fetched any more: nothing is there that could be. */
			h.tail[2] = 2;
			h.configure(2);
			h.steps(200);
			want_fault(h, 2, FAN_CARD_QUEUE_FAULT_TAIL);
			if (h.head(2) != 1)
				fail("head %u after a wild tail", h.head(2));
			h.disable(2);
			h.steps(5);
		}
		/* As far ahead as the ring is long is right. */
		h.enable(2, log2);
		h.steps(3);
		while (h.room(2))
			h.submit(h.make(2), nullptr, false);
		h.configure(2);
		h.drain();
		want_fault(h, 2, FAN_CARD_QUEUE_FAULT_NONE);
		h.disable(2);
		h.steps(3);
	}
}

static void
test_sizes(host &h)
{
	for (unsigned log2 = 0; log2 < 16; log2++)
		for (unsigned base = 0; base < 3; base++) {
			const bool right = log2 >= 1 && log2 <= 8 && base == 0;

			h.enable(3, log2);
			if (base == 1)
				h.ring_address[3] += 1u << h.pick(6);
			if (base == 2)
				h.completions_address[3] += 1u << h.pick(6);
			h.configure(3);
			want_fault(h, 3, right ? FAN_CARD_QUEUE_FAULT_NONE : FAN_CARD_QUEUE_FAULT_SIZE);
			h.tail[3] = right ? 0 : 1;
			h.configure(3);
			h.steps(100);
			if (h.head(3) != 0)
				fail("a queue of a wrong size is served");
			h.disable(3);
			h.steps(3);
		}
}

/* The descriptor at `bad` cannot be read: those before it are carried out, none behind it. */
static void
test_descriptor_refused(host &h)
{
	for (unsigned bad = 0; bad < 10; bad++) {
		h.enable(1, 4);
		for (unsigned i = 0; i < 12; i++) {
			if (i == bad)
				h.refused.insert(h.ring_address[1] + 64 * i);
			h.submit(h.make(1), nullptr, false);
		}
		h.expected[1].resize(bad);
		h.steps(3);
		h.configure(1);
		h.drain();
		h.steps(1500);
		want_fault(h, 1, FAN_CARD_QUEUE_FAULT_READ_DESCRIPTOR);
		if (h.head(1) != bad)
			fail("head %u, and descriptor %u could not be read", h.head(1), bad);
		h.disable(1);
		h.steps(1 + h.pick(20));
	}
}

/* Numbers of messages mean nothing after a queue has been disabled; queues have numbers of their own. */
static void
test_numbers(host &h)
{
	for (unsigned turn = 0; turn < 30; turn++) {
		for (unsigned q = 0; q < 2; q++)
			h.enable(q, 4);
		for (unsigned q = 0; q < 2; q++) {
			for (unsigned i = 0; i < 2; i++) {
				const batch_ptr b = h.make(q);

				/* Not more octets than the first: the second is another message with the same number. */
				b->message_number = 7;
				b->clear_bytes = 0;
				b->text_bytes = (uint16_t)(100 + i);
				b->message = h.some(b->text_bytes);
				b->message_address = h.address_of(2);
				h.submit(b);
			}
		}
		h.drain();
		for (unsigned q = 0; q < 2; q++)
			h.disable(q);
		h.steps(1 + h.pick(3));
	}
}

/* Disabled in the midst of everything: what has begun ends, nothing more begins, and the next life starts afresh. */
static void
test_disable(host &h)
{
	for (unsigned turn = 0; turn < 200; turn++) {
		h.loose = false;
		for (unsigned q = 0; q < QUEUES; q++)
			if (!h.enabled[q])
				h.enable(q, 5);
		h.steps(2);
		for (unsigned i = 0; i < 20; i++) {
			const unsigned q = h.pick(QUEUES);
			const batch_ptr b = h.make(q);

			b->message_number = 1 + h.pick(2) + 2 * turn;
			b->text_bytes = (uint16_t)(200 + 4 * i + q); /* the length tells messages apart here */
			b->clear_bytes = 0;
			b->message = h.some(b->text_bytes);
			b->message_address = h.address_of(5);
			if (h.room(q))
				h.submit(b);
		}
		h.steps(h.pick(400));
		h.loose = true;
		const unsigned victim = h.pick(QUEUES);
		h.disable(victim);
		h.step();
		/* A begin that was on offer already is still made. */
		for (unsigned i = 0; i < 40; i++)
			h.step();
		h.expected[victim].clear();
		h.drain();
		h.steps(100);
	}
	h.loose = false;
	for (unsigned q = 0; q < QUEUES; q++)
		h.disable(q);
	h.steps(3);
}

/* control.enable is 0: nothing is fetched; what has begun ends. */
/* What was fetched in a queue's former life never begins in the next one, however soon that comes. */
static void
test_enabled_again(host &h)
{
	for (unsigned turn = 0; turn < 200; turn++) {
		h.enable(0, 5);
		h.steps(2);
		for (unsigned i = 0; i < 8; i++)
			h.submit(h.make(0));
		h.loose = true;
		h.steps(h.pick(200));
		h.disable(0);
		h.step();
		while (h.top->begin_valid_o)
			h.step();
		h.enable(0, 5);
		h.steps(200);
		h.drain();
		h.disable(0);
		h.steps(3);
		h.loose = false;
	}
}

static void
test_card_disabled(host &h)
{
	h.enable(0, 8);
	for (unsigned i = 0; i < 40; i++)
		h.submit(h.make(0));
	h.steps(100);
	h.top->enable_i = 0;
	h.steps(300);
	const unsigned head = h.head(0);
	h.steps(30000);
	if (h.head(0) != head || head == 40 || !h.top->bus_idle_o)
		fail("head goes on from %u to %u while the card is not enabled", head, h.head(0));
	h.top->enable_i = 1;
	h.drain();
	h.disable(0);
	h.steps(3);
}

static void
test_queues()
{
	host h(options.stall);

	test_tails(h);
	test_sizes(h);
	test_descriptor_refused(h);
	test_numbers(h);
	test_disable(h);
	test_enabled_again(h);
	test_card_disabled(h);
	printf("queues: %lu batches, %lu clocks\n", h.batches_done, h.cycle);
}

/* ---- Stop ------------------------------------------------------------------------------------------------------------------------ */

template <typename Words, size_t depth>
static void
want_zeros(const char *name, const VlUnpacked<Words, depth> &words)
{
	for (size_t i = 0; i < depth; i++)
		for (size_t w = 0; w < sizeof(Words) / 4; w++)
			if (words[i][w] != 0)
				fail("word %zu of %s is not 0 after a reset", i, name);
}

static void
test_stop()
{
	host h(options.stall);
	unsigned turns = 0;
	uint64_t waited = 0;

	for (; turns < 300; turns++) {
		enable_all(h);
		const unsigned work = h.pick(900);
		for (unsigned i = 0; i < work; i++) {
			const unsigned q = h.pick(QUEUES);

			if (h.room(q) && h.pick(10) == 0)
				h.submit(h.make(q));
			h.step();
		}
		h.top->stop_i = 1;
		h.top->clk_i = 0;
		h.top->eval();
		/* What is on offer in this clock may still be taken later. */
		h.step();
		h.stopping = true;
		const uint64_t from = h.cycle;
		while (!h.top->bus_idle_o) {
			h.step();
			if (h.cycle - from > 20000)
				fail("not idle 20,000 clocks after stop");
		}
		waited += h.cycle - from;
		h.steps(h.pick(100));
		if (!h.top->bus_idle_o)
			fail("idle, and then not");
		h.reset();
		const auto *root = h.top->rootp;
		want_zeros("message cache", root->fan_fetch__DOT__u_cache__DOT__u_lines__DOT__words);
		want_zeros("work items 0", root->fan_fetch__DOT__g_lane__BRA__0__KET____DOT__u_feed__DOT__u_items__DOT__u_lines__DOT__u_ram__DOT__words);
		want_zeros("work items 3", root->fan_fetch__DOT__g_lane__BRA__3__KET____DOT__u_feed__DOT__u_items__DOT__u_lines__DOT__u_ram__DOT__words);
		want_zeros("contexts 0", root->fan_fetch__DOT__g_lane__BRA__0__KET____DOT__u_feed__DOT__u_contexts__DOT__u_contexts__DOT__u_ram__DOT__words);
		want_zeros("contexts 3", root->fan_fetch__DOT__g_lane__BRA__3__KET____DOT__u_feed__DOT__u_contexts__DOT__u_contexts__DOT__u_ram__DOT__words);
	}
	enable_all(h);
	h.submit(h.make(0));
	h.drain();
	printf("stop: %u resets, idle after %.1f clocks on average\n", turns, (double)waited / turns);
}

/* ---- Rate ------------------------------------------------------------------------------------------------------------------------ */

/* Clocks that three AES lanes waited for. With snow3g_pace a queue full of work for a lane that slow is there as well. */
static void
rate(bool full, unsigned ue_count, unsigned text_bytes, unsigned head_blocks, unsigned pace, unsigned latency,
     unsigned snow3g_pace = 0)
{
	host h(options.stall);
	uint64_t starved = 0, taken = 0;
	bytes message = h.some(text_bytes);
	batch keeper;
	const uint64_t message_address = h.address_of(24);

	h.latency = latency;
	h.latency_spread = 0;
	h.random_pace = false;
	h.pace = pace;
	h.snow3g_pace = snow3g_pace;
	/* Through the lane, the pack and the bus until the completion has been answered. */
	h.free_delay = 24 * pace + 2 * latency;
	h.put(keeper, message_address, message);
	const unsigned queues = snow3g_pace ? 3 : 2;

	for (unsigned q = 0; q < queues; q++)
		h.enable(q, 5);
	for (unsigned i = 0; i < 30000; i++) {
		for (unsigned q = 0; q < queues; q++)
			if (h.room(q)) {
				const batch_ptr b = h.make(q);

				b->cipher = b->integrity = q == 2 ? 1 : 2;
				b->sequence = 0;
				b->message_number = 1;
				b->text_bytes = (uint16_t)text_bytes;
				b->clear_bytes = 6;
				b->head_blocks = (uint8_t)head_blocks;
				b->message = message;
				b->message_address = message_address;
				b->ue_count = (uint16_t)ue_count;
				b->ues.resize(1);
				b->ues[0].head = h.some(16 * head_blocks);
				b->ues.resize(ue_count, b->ues[0]);
				h.submit(b);
			}
		h.step();
		if (i == 5000)
			for (unsigned l = 0; l < 3; l++) {
				starved -= h.lane[l].starved;
				taken -= h.lane[l].items_taken;
			}
	}
	for (unsigned l = 0; l < 3; l++) {
		starved += h.lane[l].starved;
		taken += h.lane[l].items_taken;
	}
	printf("rate: batches of %2u UEs, %4u octets, %u blocks of head, latency %3u: a UE every %5.2f clocks and lane, of %u%s; "
	       "lanes waited %lu of 75,000 clocks\n",
	       ue_count, text_bytes, head_blocks, latency, 75000.0 / (double)taken, pace,
	       snow3g_pace ? ", beside a slow one" : "", starved);
	/* A lane that gets no batch has nothing to wait for: that it is busy is seen by what it has taken. */
	if (full && (starved != 0 || 75000.0 > 1.01 * pace * (double)taken))
		fail("lanes waited, or had nothing to do");
}

static void
test_rate()
{
	options.stall = 0;
	rate(true, 64, 160, 0, 12, 200);
	rate(true, 64, 160, 1, 12, 200);
	rate(true, 32, 160, 0, 12, 200);
	rate(true, 32, 160, 3, 12, 200);
	rate(true, 64, 160, 0, 12, 200, 400);
	/* Batches that take no multiple of as many clocks as there are queues: a number that is free again meets each queue's turn. */
	rate(true, 61, 160, 0, 13, 200, 400);
	rate(false, 24, 160, 0, 12, 200);
	rate(false, 16, 160, 0, 12, 200);
	rate(false, 8, 160, 0, 12, 200);
	rate(false, 64, 160, 0, 12, 400);
	rate(true, 64, 64, 0, 6, 200);
	rate(false, 64, 16, 0, 3, 200);
	rate(false, 64, 1400, 0, 90, 200);
}

int
main(int argc, char **argv)
{
	const test_case test = read_command_line(argc, argv,
						 { { "work", test_work },
						   { "refused", test_refused },
						   { "errors", test_errors },
						   { "queues", test_queues },
						   { "stop", test_stop },
						   { "rate", test_rate } },
						 { { "--stall", "P", &options.stall }, { "--batches", "N", &options.batches } });

	printf("%s: seed 0x%lx, stall %g\n", test.name, test_seed, options.stall);
	test.run();
	return 0;
}
