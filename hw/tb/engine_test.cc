/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of the whole engine, through its registers and a memory that two hosts share: what the card leaves in its copy must be,
 * octet by octet, what the reference engine leaves in the other.
 *
 *	vectors    the published vectors of EEA, EIA and PDCP, through descriptors
 *	work       random batches on all queues: shapes, alignments, shared messages, ring sizes
 *	errors     refused reads and writes between good ones: who gets which error, and nobody else
 *	bus        each kind of transaction refused in each way, addresses where nothing is: error, address, and how it goes on
 *	messages   one message number for texts that are not the same message: each batch gets its own
 *	refused    descriptors of every kind that the card must refuse, between good ones
 *	queues     wrong tails, sizes and addresses of rings; doorbells beyond 65,536
 *	reset      reset, zeroise and disabled queues at random clocks: nothing is written afterwards, and what follows is right
 *	owed       a reset waits for all that the bus owes, however late, answered or refused, and begins nothing meanwhile
 *	secrets    no piece of a key, a message or a private head is anywhere in the engine behind reset or zeroise
 *	registers  values, counters, interrupts, faults
 *	rate       clocks per UE
 *
 * Usage: engine_test TEST [--seed N] [--stall P] [--latency CLOCKS] [--batches N]
 */
#include "engine_secrets.h"

#include <algorithm>
#include <cstring>

static struct : host_options {
	unsigned batches = 400;
} options;

static const char *const injection_names[] = { "nothing", "message", "items", "context", "PDU", "pair of algorithms", "descriptor", "completion",
					       "refused descriptor" };

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
	host host(options);

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

/* Random work, ended after a random time, early ones the likeliest; then some that must be right. */
static void
test_reset()
{
	host host(options);
	unsigned count[3] = {};
	uint64_t ended = 0;

	host.start();
	for (unsigned i = 0; i < options.batches; i++) {
		const unsigned how = host.pick(3);
		const uint32_t control = how == 0 ? DO_RESET : DO_ZEROISE;
		uint64_t writes;

		if (host.pick(5) == 0) {
			/* One long UE: for two thousand clocks nothing is on the bus, and all is in the lane. */
			const struct fan_shape shape = { .cipher = 2, .integrity = 2, .text_bytes = 1484 };

			host.drain();
			host.submit(0, &shape, 1, NOTHING);
			ops->run(host.model, 4 * options.latency + host.pick(2000));
		} else {
			play(host, 1 + host.pick(12), false);
			ops->run(host.model, host.pick(1u << host.pick(13)));
		}
		count[how]++;
		if (how == 2) {
			for (unsigned q = 0; q < host.queues; q++)
				host.put_queue(q, FAN_CARD_QUEUE_CONTROL, 0);
			for (unsigned clocks = 0; (host.get(FAN_CARD_STATUS) & IS_BUSY) != 0; clocks += 10)
				if (ops->run(host.model, 10), clocks > QUIET_CLOCKS_MAX)
					fail("disabled queues never end");
		} else {
			/* Now and then once more, while memories are being overwritten. */
			do {
				host.put(FAN_CARD_CONTROL, control | host.pick(2));
				while ((host.get(FAN_CARD_CONTROL) & DO_RESET) != 0)
					;
			} while (host.pick(5) == 0);
			while ((host.get(FAN_CARD_CONTROL) & control) != 0)
				;
		}
		/* What was completed before is as good as ever. */
		host.take_completions();
		writes = host.writes;
		if (how == 1 && (host.get(FAN_CARD_STATUS) & IS_READY) == 0)
			fail("zeroise is done, but memories have not been overwritten");
		if (host.get(FAN_CARD_STATUS) & IS_BUSY)
			fail("busy after reset");
		host.put(FAN_CARD_CONTROL, DO_ENABLE);
		ops->run(host.model, host.pick(2) ? 0 : 3000);
		if (host.writes != writes)
			fail("%llu writes after reset %u", (unsigned long long)(host.writes - writes), i);
		for (unsigned q = 0; q < host.queues; q++)
			if (host.get_queue(q, FAN_CARD_QUEUE_CONTROL) & 1)
				fail("queue %u is enabled after reset", q);
		host.forget();
		ended = host.batches_done;
		host.start();
		play(host, 1 + host.pick(4), false);
		host.drain();
		if (host.batches_done == ended)
			fail("nothing was done after reset %u", i);
		host.compare_all();
	}
	printf("reset: %u resets, %u zeroised, %u times all queues disabled; %llu batches ended\n", count[0], count[1], count[2],
	       (unsigned long long)host.batches_done);
}

static uint64_t
bursts_of(host &host)
{
	struct fan_model_statistics statistics;

	ops->statistics(host.model, &statistics);
	return statistics.reads + statistics.writes;
}

/* AXI has no way to take a burst back: an answer that comes after a reset would be taken for that to another question. So the reset reads
 * as 1 until the last one has come, and a host that takes the card off the bus first may wait for ever. */
static void
reset_owed(host &host)
{
	const uint32_t control = host.pick(2) != 0 ? DO_RESET : DO_ZEROISE;
	const uint64_t late = 5000;
	uint64_t bursts, writes;

	host.start();
	play(host, 6, false);
	/* The last answer is then further away than the last look below. */
	while (bursts = bursts_of(host), ops->run(host.model, 50), bursts_of(host) == bursts)
		host.take_completions();
	ops->run(host.model, host.pick(200));
	host.put(FAN_CARD_CONTROL, control);
	ops->run(host.model, 200);
	bursts = bursts_of(host);
	host.isolated = host.pick(2) != 0;
	for (unsigned clocks = 0; clocks < late - 1000; clocks += 100) {
		ops->run(host.model, 90);
		if ((host.get(FAN_CARD_CONTROL) & control) == 0 || (host.get(FAN_CARD_STATUS) & IS_READY) != 0)
			fail("reset is done, and the bus has not answered");
	}
	for (unsigned clocks = 0; (host.get(FAN_CARD_CONTROL) & control) != 0; clocks += 100)
		if (ops->run(host.model, 90), clocks > 4 * late)
			fail("reset does not end when the bus has answered");
	writes = host.writes;
	host.wait_ready();
	ops->run(host.model, 2 * late);
	if (host.writes != writes || bursts_of(host) != bursts)
		fail("%llu writes and %llu bursts after a reset was asked for", (unsigned long long)(host.writes - writes),
		     (unsigned long long)(bursts_of(host) - bursts));
	host.isolated = false;
	host.take_completions();
	host.forget();
}

static void
test_owed()
{
	struct host_options late = options;
	const unsigned rounds = 12;

	late.latency = 5000;
	host host(late);
	for (unsigned i = 0; i < rounds; i++) {
		reset_owed(host);
		host.start();
		play(host, 2, false);
		host.drain();
		host.compare_all();
	}
	printf("owed: %u resets waited for answers 5,000 clocks away, and for refusals\n", rounds);
}

static void
test_secrets()
{
	host host(options);
	unsigned before = 0;

	for (unsigned i = 0; i < options.batches; i++) {
		const uint32_t control = host.pick(2) != 0 ? DO_RESET : DO_ZEROISE;
		unsigned left;

		host.start();
		play(host, 1 + host.pick(8), false);
		ops->run(host.model, host.pick(3000));
		before += count_secrets(host) != 0;
		host.put(FAN_CARD_CONTROL, control);
		while ((host.get(FAN_CARD_CONTROL) & control) != 0)
			;
		host.wait_ready();
		left = count_secrets(host);
		if (left != 0)
			fail("%u pieces of keys, messages or private heads are in the engine after %s", left,
			     control == DO_RESET ? "reset" : "zeroise");
		host.take_completions();
		host.forget();
	}
	if (before < options.batches / 2)
		fail("secrets were found %u times in %u while the engine was at work: they are not looked for where they are", before,
		     options.batches);
	printf("secrets: none left after %u resets, found %u times while at work\n", options.batches, before);
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
	host host(options);
	const uint32_t build = ops->aes_lanes << FAN_CARD_BUILD_AES_LANES_LSB | ops->snow3g_lanes << FAN_CARD_BUILD_SNOW3G_LANES_LSB |
			       ops->zuc_lanes << FAN_CARD_BUILD_ZUC_LANES_LSB | host.queues << FAN_CARD_BUILD_QUEUES_LSB;
	uint64_t clocks;

	expect(host, "kind", FAN_CARD_KIND, 0x464e4146);
	expect(host, "version", FAN_CARD_VERSION, 0x00020000);
	expect(host, "build", FAN_CARD_BUILD, build);
	expect(host, "limits", FAN_CARD_LIMITS, 1500 | 64 << 16);
	const unsigned lanes = ops->aes_lanes + ops->snow3g_lanes + ops->zuc_lanes;
	for (unsigned l = 0; l < lanes; l++)
		expect(host, "lane kind", FAN_CARD_LANE_BASE + l * FAN_CARD_LANE_STRIDE,
		       l < ops->aes_lanes ? 2 : l < ops->aes_lanes + ops->snow3g_lanes ? 1 : 3);
	for (unsigned l = lanes; l < FAN_CARD_LANES_MAX; l++)
		expect(host, "absent lane", FAN_CARD_LANE_BASE + l * FAN_CARD_LANE_STRIDE, 0);
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
	host.enable_queue(0, 3);
	host.put(FAN_CARD_INTERRUPT_ENABLE, ON_ERROR);
	host.refuse_write[(BASE + host.queue[0].completions_at) & ~UINT64_C(63)] = FAN_MODEL_SLVERR;
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

/* ---- Published vectors ---------------------------------------------------------------------------------------------------------- */

/* Protects the text for some UEs that are all the same, but not where they lie. */
static void
run_vector(host &host, const published_vector &vector)
{
	const unsigned ue_count = 1 + host.pick(3), last = (unsigned)vector.wanted.size() - 1;

	host.fixed = &vector;
	const int at = host.submit(host.pick(host.queues), &vector.shape, ue_count, NOTHING);
	host.fixed = nullptr;
	host.drain();
	for (unsigned i = 0; i < ue_count; i++) {
		const uint8_t *const got = &host.card[host.slots[(unsigned)at].text_at[i] + (uint64_t)(int64_t)vector.wanted_at];

		if (memcmp(got, vector.wanted.data(), last) != 0 || ((got[last] ^ vector.wanted[last]) & vector.last_mask) != 0)
			fail("vector %s, clear prefix of %u, head of %u blocks", vector.id, vector.shape.clear_bytes, vector.shape.head_blocks);
	}
}

static void
test_vectors()
{
	/* As many as the files have that are whole octets (for EIA) and fit. */
	static const unsigned wanted[4][2] = { { 0, 0 }, { 15, 6 }, { 10, 7 }, { 9, 5 } };
	host host(options);
	const auto run = [&](const published_vector &vector) { run_vector(host, vector); };

	host.start();
	for (unsigned a = 1; a <= 3; a++) {
		if (lanes_of(a) == 0)
			continue;
		const unsigned ciphers = each_cipher_vector(a, run).used, macs = each_mac_vector(a, run).used;

		if (ciphers != wanted[a][0] || macs != wanted[a][1])
			fail("only %u vectors of EEA%u, %u of EIA%u", ciphers, a, macs, a);
		printf("vectors: %u of EEA%u with heads of 0..3 blocks, %u of EIA%u with clear prefixes of 0..16 octets\n", ciphers, a, macs,
		       a);
	}

	const unsigned pdcp = each_pdcp_vector(one_lane_does, run);

	if (pdcp < 48)
		fail("only %u PDUs of PDCP", pdcp);
	host.compare_all();
	printf("vectors: %u PDUs of PDCP with heads of 0..3 blocks\n", pdcp);
}

/* ---- A bus that refuses ------------------------------------------------------------------------------------------------------------ */

static void
expect_queue(host &host, unsigned queue, enum injection injected, uint32_t fault, uint32_t head)
{
	const uint32_t status = host.get_queue(queue, FAN_CARD_QUEUE_STATUS);

	if (status != fault << FAN_CARD_QUEUE_STATUS_FAULT_LSB || host.get_queue(queue, FAN_CARD_QUEUE_HEAD) != head ||
	    host.get_queue(queue, FAN_CARD_QUEUE_COMPLETED) != 0)
		fail("%s: status %x, head %u, completed %u; wanted fault %u, head %u", injection_names[injected], status,
		     host.get_queue(queue, FAN_CARD_QUEUE_HEAD), host.get_queue(queue, FAN_CARD_QUEUE_COMPLETED), fault, head);
}

static void
wait_fault(host &host, unsigned queue)
{
	for (unsigned clocks = 0; (host.get_queue(queue, FAN_CARD_QUEUE_STATUS) >> FAN_CARD_QUEUE_STATUS_FAULT_LSB) == 0 ||
	     (host.get_queue(queue, FAN_CARD_QUEUE_STATUS) & 1) != 0; clocks += 20) {
		ops->run(host.model, 20);
		host.take_completions();
		if (clocks > QUIET_CLOCKS_MAX)
			fail("queue %u has no fault", queue);
	}
}

/* Batches of other queues, which must not feel anything. */
static void
give_others(host &host, unsigned queue)
{
	for (unsigned i = 0; i < host.queues; i++)
		if (i != queue)
			host.submit(i, nullptr, 0, NOTHING);
}

/* Ends what a queue with a fault has not: its host starts it again. */
static void
restart_queue(host &host, unsigned queue)
{
	host.refuse_read.clear();
	host.refuse_write.clear();
	host.enable_queue(queue, 3);
	for (unsigned i = 0; i < 3; i++)
		host.submit(queue, nullptr, 0, NOTHING);
	host.drain();
}

/* Where the burst began that had a line of this PDU. */
static uint64_t
burst_of(const batch_slot &slot, uint64_t line)
{
	uint64_t address = 0;

	for (unsigned i = 0; i < slot.ue_count; i++) {
		const uint64_t lead = slot.shape.sequence == FAN_CIPHER_THEN_MAC ? 4u + slot.shape.clear_bytes : 0;
		const uint64_t first = (BASE + slot.text_at[i] - lead) & ~UINT64_C(63);
		const uint64_t end = BASE + slot.text_at[i] + slot.shape.text_bytes + 4;

		if (address == 0 && first <= line && line < end)
			address = first / 4096 == line / 4096 ? first : line & ~UINT64_C(4095);
	}
	return address;
}

static void
refuse_one(host &host, enum injection injected)
{
	const unsigned queue = host.pick(host.queues);
	const bool faults = injected == DESCRIPTOR || injected == COMPLETION;
	uint64_t address;

	host.reset(DO_RESET);
	host.start();
	give_others(host, queue);
	batch_slot &slot = host.slots[(unsigned)host.submit(queue, nullptr, 0, injected)];
	give_others(host, queue);
	address = injected == PDU ? burst_of(slot, slot.line) : slot.line;
	if (faults) {
		static const uint8_t good[16] = {};

		wait_fault(host, queue);
		expect_queue(host, queue, injected,
			     injected == DESCRIPTOR ? FAN_CARD_QUEUE_FAULT_READ_DESCRIPTOR : FAN_CARD_QUEUE_FAULT_WRITE_COMPLETION,
			     injected == COMPLETION);
		/* The PDUs behind a refused completion are there; behind a refused descriptor nothing is. */
		if (injected == DESCRIPTOR) {
			slot.injected = REFUSED;
			slot.error = slot.bad_ues = 0;
		}
		host.check_batch(slot, good);
		host.errors_done = 0;
		restart_queue(host, queue);
	} else {
		host.drain();
	}
	if (host.refused == 0 || host.get(FAN_CARD_BUS_ERRORS) != host.refused)
		fail("%s: %u bus errors counted, %llu made", injection_names[injected], host.get(FAN_CARD_BUS_ERRORS),
		     (unsigned long long)host.refused);
	if (host.get64(FAN_CARD_BUS_ERROR_LOW) != address)
		fail("%s: 0x%llx given as the address refused, wanted 0x%llx", injection_names[injected],
		     (unsigned long long)host.get64(FAN_CARD_BUS_ERROR_LOW), (unsigned long long)address);
	if (host.get(FAN_CARD_ERROR_BATCHES) != !faults)
		fail("%s: %u batches with errors", injection_names[injected], host.get(FAN_CARD_ERROR_BATCHES));
	host.compare_all();
}

static const uint64_t wild_addresses[] = { 0, UINT64_C(0xffffffffffffffc0), UINT64_C(1) << 63, BASE - 65536, 64, 0x1000 };

static uint64_t
pick_wild(host &host)
{
	return wild_addresses[host.pick((uint32_t)(sizeof(wild_addresses) / sizeof(wild_addresses[0])))];
}

/* An address of the descriptor or of a work item leads to nothing. */
static void
send_wild(host &host, enum injection injected)
{
	const unsigned queue = host.pick(host.queues);

	host.reset(DO_RESET);
	host.start();
	host.wild = true;
	give_others(host, queue);
	host.spoil = [&](batch_slot &slot, uint8_t *descriptor, uint64_t items) {
		const unsigned item_bytes = item_bytes_of(slot.shape), ue = host.pick(slot.ue_count);
		const uint64_t address = pick_wild(host), pdu = address + host.pick(64);
		const uint32_t number = UINT32_C(0xffffffff) - host.pick(1000);

		host.refuse_read.erase(slot.line);
		host.refuse_write.erase(slot.line);
		slot.wild = true;
		slot.bad_ues = slot.ue_count;
		if (injected == MESSAGE)
			memcpy(descriptor, &address, 8);
		else if (injected == ITEM)
			memcpy(descriptor + 8, &address, 8);
		else if (injected == CONTEXT && host.pick(2) != 0)
			memcpy(descriptor + 16, &address, 8);
		else if (injected == CONTEXT)
			memcpy(&host.card[items + ue * item_bytes + 12], &number, 4), slot.bad_ues = 1;
		else
			memcpy(&host.card[items + ue * item_bytes], &pdu, 8), slot.bad_ues = 1;
	};
	host.submit(queue, nullptr, 0, injected);
	host.spoil = nullptr;
	give_others(host, queue);
	host.drain();
	if (host.get(FAN_CARD_ERROR_BATCHES) != 1 || host.get(FAN_CARD_BUS_ERRORS) == 0)
		fail("%s where nothing is: %u batches with errors, %u bus errors", injection_names[injected],
		     host.get(FAN_CARD_ERROR_BATCHES), host.get(FAN_CARD_BUS_ERRORS));
	host.compare_all();
	host.wild = false;
}

/* A ring where nothing is: of descriptors, or of completions. */
static void
send_wild_ring(host &host, enum injection injected)
{
	const unsigned queue = host.pick(host.queues);
	const uint32_t low = injected == DESCRIPTOR ? FAN_CARD_QUEUE_DESCRIPTORS_LOW : FAN_CARD_QUEUE_COMPLETIONS_LOW;
	static const uint8_t good[16] = {};
	const uint64_t address = pick_wild(host);

	host.reset(DO_ZEROISE);
	host.start();
	host.wild = true;
	host.put_queue(queue, FAN_CARD_QUEUE_CONTROL, 0);
	host.enable_queue(queue, 3);
	host.put_queue(queue, low, (uint32_t)address);
	host.put_queue(queue, low + 4, (uint32_t)(address >> 32));
	give_others(host, queue);
	batch_slot &slot = host.slots[(unsigned)host.submit(queue, nullptr, 0, NOTHING)];
	give_others(host, queue);
	wait_fault(host, queue);
	expect_queue(host, queue, injected,
		     injected == DESCRIPTOR ? FAN_CARD_QUEUE_FAULT_READ_DESCRIPTOR : FAN_CARD_QUEUE_FAULT_WRITE_COMPLETION,
		     injected == COMPLETION);
	if (host.get64(FAN_CARD_BUS_ERROR_LOW) != address)
		fail("ring at 0x%llx: 0x%llx refused", (unsigned long long)address,
		     (unsigned long long)host.get64(FAN_CARD_BUS_ERROR_LOW));
	if (injected == DESCRIPTOR) {
		slot.injected = REFUSED;
		slot.error = slot.bad_ues = 0;
	}
	host.check_batch(slot, good);
	host.wild = false;
	restart_queue(host, queue);
	host.compare_all();
}

static void
test_bus()
{
	static const enum injection kinds[] = { MESSAGE, ITEM, CONTEXT, PDU, DESCRIPTOR, COMPLETION };
	static const unsigned errors[] = { FAN_CARD_ERROR_READ_MESSAGE, FAN_CARD_ERROR_READ_ITEM, FAN_CARD_ERROR_READ_CONTEXT,
					   FAN_CARD_ERROR_WRITE_PDU };
	host host(options);
	unsigned count = 0, wild = 0;

	host.start();
	for (unsigned round = 0; round < 8; round++) {
		for (enum injection kind : kinds) {
			for (enum fan_model_answer answer : { FAN_MODEL_SLVERR, FAN_MODEL_DECERR }) {
				host.answer = answer;
				refuse_one(host, kind);
				count++;
			}
			if (kind == DESCRIPTOR || kind == COMPLETION)
				send_wild_ring(host, kind);
			else
				send_wild(host, kind);
			wild++;
		}
	}
	for (unsigned error : errors)
		if (host.errors_seen[error] < 16)
			fail("error %u was seen %u times only", error, host.errors_seen[error]);
	printf("bus: %u transactions of %zu kinds answered SLVERR or DECERR, %u addresses where nothing is\n", count,
	       sizeof(kinds) / sizeof(kinds[0]), wild);
}

/* ---- Numbers of messages ------------------------------------------------------------------------------------------------------------- */

/* A batch of a text of its own, whatever its number says. */
static void
give_text(host &host, unsigned queue, unsigned text_bytes, uint32_t number, enum injection injected)
{
	struct fan_shape shape = {};

	shape.cipher = shape.integrity = ops->aes_lanes != 0 ? 2 : ops->snow3g_lanes != 0 ? 1 : 3;
	shape.clear_bytes = 1;
	shape.text_bytes = (uint16_t)text_bytes;
	host.spoil = [&](batch_slot &, uint8_t *descriptor, uint64_t) { memcpy(descriptor + 24, &number, sizeof(number)); };
	while (host.submit(queue, &shape, 1 + host.pick(8), injected) < 0) {
		ops->run(host.model, 100);
		host.take_completions();
	}
	host.spoil = nullptr;
	if (injected != NOTHING || host.pick(2) != 0)
		host.drain();
}

static void
test_messages()
{
	const unsigned rounds = 40;
	host host(options);

	host.start();
	for (unsigned i = 1; i <= rounds; i++) {
		const unsigned queue = host.pick(host.queues);
		const unsigned text_bytes = 20 + host.pick(200);

		give_text(host, queue, text_bytes, i, NOTHING);
		give_text(host, queue, text_bytes + 1, i, NOTHING);
		give_text(host, queue, text_bytes - 1, i, NOTHING);
		if (host.queues > 1)
			give_text(host, (queue + 1 + host.pick(host.queues - 1)) % host.queues, text_bytes - 1, i, NOTHING);
		host.drain();
		host.enable_queue(queue, 3);
		give_text(host, queue, text_bytes - 1, i, NOTHING);
		give_text(host, queue, text_bytes, rounds + i, MESSAGE);
		host.refuse_read.clear();
		give_text(host, queue, text_bytes, rounds + i, NOTHING);
		host.drain();
	}
	host.compare_all();
	printf("messages: %u times one number for texts of other lengths, queues and lives of a queue, and after a text was refused\n", rounds);
}

/* ---- Descriptors that must be refused ------------------------------------------------------------------------------------------------ */

/* The error of a descriptor, as registers.rdl says; the first that applies. */
static unsigned
judge(const uint8_t *descriptor)
{
	const unsigned ue_count = descriptor[30] | descriptor[31] << 8, text_bytes = descriptor[32] | descriptor[33] << 8;
	const unsigned clear_bytes = descriptor[34], head_blocks = descriptor[35], cipher = descriptor[36], integrity = descriptor[37];
	const unsigned sequence = descriptor[38], operation = descriptor[39];
	bool reserved = false;

	for (unsigned i = 40; i < 64; i++)
		reserved = reserved || descriptor[i] != 0;
	if (operation != 1 || reserved || sequence > FAN_CIPHER_ONLY || (sequence == FAN_CIPHER_ONLY && integrity != 0))
		return FAN_CARD_ERROR_BAD_DESCRIPTOR;
	if (ue_count < 1 || ue_count > 64 || clear_bytes > 16 || head_blocks > 3 || text_bytes < 1 || text_bytes + clear_bytes > 1500)
		return FAN_CARD_ERROR_BAD_SHAPE;
	if (!one_lane_does(cipher, integrity))
		return FAN_CARD_ERROR_UNSUPPORTED;
	if (descriptor[0] % 64 != 0 || descriptor[8] % 64 != 0 || descriptor[16] % 64 != 0)
		return FAN_CARD_ERROR_BAD_ADDRESS;
	return FAN_CARD_ERROR_NONE;
}

/* Of a descriptor that is good otherwise: sequence 0, EEA2 and EIA2, 100 octets behind a clear prefix of 4, a head of one block. */
static const struct bad_row {
	unsigned at, bytes;
	uint64_t value;
	unsigned error;
} bad_rows[] = {
	{ 39, 1, 0, FAN_CARD_ERROR_BAD_DESCRIPTOR },       { 39, 1, 2, FAN_CARD_ERROR_BAD_DESCRIPTOR },
	{ 39, 1, 0x81, FAN_CARD_ERROR_BAD_DESCRIPTOR },    { 38, 1, 3, FAN_CARD_ERROR_BAD_DESCRIPTOR },
	{ 38, 1, 2, FAN_CARD_ERROR_BAD_DESCRIPTOR },       { 38, 1, 0x80, FAN_CARD_ERROR_BAD_DESCRIPTOR },
	{ 40, 1, 1, FAN_CARD_ERROR_BAD_DESCRIPTOR },       { 47, 1, 0x80, FAN_CARD_ERROR_BAD_DESCRIPTOR },
	{ 55, 1, 1, FAN_CARD_ERROR_BAD_DESCRIPTOR },       { 63, 1, 0x80, FAN_CARD_ERROR_BAD_DESCRIPTOR },
	{ 30, 2, 0, FAN_CARD_ERROR_BAD_SHAPE },            { 30, 2, 65, FAN_CARD_ERROR_BAD_SHAPE },
	{ 30, 2, 128, FAN_CARD_ERROR_BAD_SHAPE },          { 30, 2, 0x8001, FAN_CARD_ERROR_BAD_SHAPE },
	{ 30, 2, 0xffff, FAN_CARD_ERROR_BAD_SHAPE },       { 32, 2, 0, FAN_CARD_ERROR_BAD_SHAPE },
	{ 32, 2, 1497, FAN_CARD_ERROR_BAD_SHAPE },         { 32, 2, 1501, FAN_CARD_ERROR_BAD_SHAPE },
	{ 32, 2, 2048 + 100, FAN_CARD_ERROR_BAD_SHAPE },   { 32, 2, 0xffff, FAN_CARD_ERROR_BAD_SHAPE },
	{ 32, 2, 0xfffc, FAN_CARD_ERROR_BAD_SHAPE },       { 34, 1, 17, FAN_CARD_ERROR_BAD_SHAPE },
	{ 34, 1, 32 + 4, FAN_CARD_ERROR_BAD_SHAPE },       { 34, 1, 255, FAN_CARD_ERROR_BAD_SHAPE },
	{ 35, 1, 4, FAN_CARD_ERROR_BAD_SHAPE },            { 35, 1, 255, FAN_CARD_ERROR_BAD_SHAPE },
	{ 36, 1, 4, FAN_CARD_ERROR_UNSUPPORTED },          { 36, 1, 0x82, FAN_CARD_ERROR_UNSUPPORTED },
	{ 36, 1, 1, FAN_CARD_ERROR_UNSUPPORTED },          { 36, 1, 3, FAN_CARD_ERROR_UNSUPPORTED },
	{ 37, 1, 1, FAN_CARD_ERROR_UNSUPPORTED },          { 37, 1, 3, FAN_CARD_ERROR_UNSUPPORTED },
	{ 37, 1, 4, FAN_CARD_ERROR_UNSUPPORTED },          { 37, 1, 0x82, FAN_CARD_ERROR_UNSUPPORTED },
	{ 0, 1, 1, FAN_CARD_ERROR_BAD_ADDRESS },           { 0, 1, 32, FAN_CARD_ERROR_BAD_ADDRESS },
	{ 8, 1, 4, FAN_CARD_ERROR_BAD_ADDRESS },           { 8, 1, 32, FAN_CARD_ERROR_BAD_ADDRESS },
	{ 16, 1, 16, FAN_CARD_ERROR_BAD_ADDRESS },         { 16, 1, 32, FAN_CARD_ERROR_BAD_ADDRESS },
};

/* Octets 28 and 29 are the cookie, by which the completion is known. */
static void
make_garbage(host &host, uint8_t *descriptor)
{
	const unsigned octets = host.pick(4) == 0 ? 40 : 1 + host.pick(3);
	uint8_t whole[64];

	do {
		memcpy(whole, descriptor, sizeof(whole));
		for (unsigned i = 0; i < octets; i++) {
			const unsigned at = octets == 40 ? i : host.pick(64);

			if (at != 28 && at != 29)
				whole[at] = (uint8_t)(host.pick(2) != 0 ? host.pick(256) : descriptor[at] ^ 1u << host.pick(8));
		}
	} while (judge(whole) == FAN_CARD_ERROR_NONE);
	memcpy(descriptor, whole, sizeof(whole));
}

static void
test_refused()
{
	const struct fan_shape shape = { 2, 2, FAN_CIPHER_THEN_MAC, 4, 1, 100, nullptr };
	const unsigned rows = sizeof(bad_rows) / sizeof(bad_rows[0]);
	host host(options);
	unsigned submitted = 0;

	host.start();
	while (submitted < options.batches + rows) {
		const bad_row *const row = submitted < rows ? &bad_rows[submitted] : nullptr;
		const bool good = host.pick(3) == 0;

		host.spoil = [&](batch_slot &slot, uint8_t *descriptor, uint64_t) {
			if (row != nullptr)
				memcpy(descriptor + row->at, &row->value, row->bytes);
			else
				make_garbage(host, descriptor);
			slot.error = judge(descriptor);
			if (row != nullptr && slot.error != row->error)
				fail("row %u: error %u expected, but the description says %u", submitted, row->error, slot.error);
			memcpy(&slot.bad_ues, descriptor + 30, 2);
		};
		if (good)
			host.spoil = nullptr;
		if (host.submit(host.pick(host.queues), good || row == nullptr ? nullptr : &shape, 0, good ? NOTHING : REFUSED) < 0)
			ops->run(host.model, 1 + host.pick(100));
		else if (!good)
			submitted++;
		host.take_completions();
	}
	host.spoil = nullptr;
	host.drain();
	host.compare_all();
	if (host.get(FAN_CARD_ERROR_BATCHES) != submitted)
		fail("%u batches with errors counted, %u made", host.get(FAN_CARD_ERROR_BATCHES), submitted);
	for (unsigned error = FAN_CARD_ERROR_BAD_DESCRIPTOR; error <= FAN_CARD_ERROR_BAD_ADDRESS; error++)
		if (host.errors_seen[error] == 0)
			fail("no descriptor got error %u", error);
	printf("refused: %u descriptors: %u bad descriptor, %u bad shape, %u unsupported, %u bad address; %u good ones in between\n",
	       submitted, host.errors_seen[FAN_CARD_ERROR_BAD_DESCRIPTOR], host.errors_seen[FAN_CARD_ERROR_BAD_SHAPE],
	       host.errors_seen[FAN_CARD_ERROR_UNSUPPORTED], host.errors_seen[FAN_CARD_ERROR_BAD_ADDRESS],
	       host.errors_seen[FAN_CARD_ERROR_NONE]);
}

/* ---- Queues with wrong numbers --------------------------------------------------------------------------------------------------------- */

static unsigned
expect_fault(host &host, unsigned queue, uint32_t fault)
{
	wait_fault(host, queue);
	if (host.get_queue(queue, FAN_CARD_QUEUE_STATUS) != fault << FAN_CARD_QUEUE_STATUS_FAULT_LSB)
		fail("queue %u: status %x, wanted fault %u", queue, host.get_queue(queue, FAN_CARD_QUEUE_STATUS), fault);
	/* Enabled again, it is as good as the others were all the time. */
	host.enable_queue(queue, 3);
	host.submit(queue, nullptr, 2, NOTHING);
	host.drain();
	return 1;
}

static void
give_batch(host &host)
{
	if (host.queues > 1)
		host.submit(host.pick(host.queues - 1), nullptr, 0, NOTHING);
}

/* More descriptors than a doorbell can count: nearly all of them refused, since nothing is faster, and then real ones. */
static void
go_round(host &host, unsigned queue)
{
	queue_state &state = host.queue[queue];
	unsigned done = 0;

	host.enable_queue(queue, 8);
	memset(&host.card[state.descriptors_at], 0, 256 * 64);
	while (done < 65500) {
		const unsigned burst = std::min(65500 - done, 1 + host.pick(256));

		done += burst;
		host.put_queue(queue, FAN_CARD_QUEUE_TAIL, done);
		while (host.get_queue(queue, FAN_CARD_QUEUE_COMPLETED) != done)
			ops->run(host.model, 50);
	}
	state.tail = (uint16_t)done;
	state.serial = done;
	host.want = host.card;
	for (unsigned i = 0; i < 80;) {
		if (host.submit(queue, nullptr, 1 + host.pick(3), NOTHING) >= 0)
			i++;
		else
			ops->run(host.model, 50);
		host.take_completions();
	}
	host.drain();
	if (state.tail >= 65500 || host.get_queue(queue, FAN_CARD_QUEUE_HEAD) != state.tail)
		fail("tail %u did not come round", state.tail);
}

/* Batches of disabled queues end unsaid while completions of another one are answered: what each frees must be free. */
static void
leave_one(host &host)
{
	const uint8_t algorithm = ops->aes_lanes != 0 ? 2 : ops->snow3g_lanes != 0 ? 1 : 3;
	const struct fan_shape shape = { .cipher = algorithm, .integrity = algorithm, .text_bytes = 16 };

	for (unsigned q = 0; q < host.queues; q++)
		host.enable_queue(q, 4);
	for (unsigned i = 0; i < SLOTS; i++)
		host.submit(i % host.queues, &shape, 1, NOTHING);
	ops->run(host.model, 200 + host.pick(600));
	for (unsigned q = 1; q < host.queues; q++)
		host.put_queue(q, FAN_CARD_QUEUE_CONTROL, 0);
	for (unsigned clocks = 0; (host.get(FAN_CARD_STATUS) & IS_BUSY) != 0; clocks += 10)
		if (ops->run(host.model, 10), clocks > QUIET_CLOCKS_MAX)
			fail("disabled queues never end");
	host.take_completions();
	host.forget();
}

static void
test_queues()
{
	host host(options);
	unsigned faults = 0, rings = 0;
	const unsigned queue = host.queues - 1;

	host.start();
	for (unsigned log2 = 1; log2 <= 8; log2++) {
		for (unsigned tail : { (1u << log2) + 1, 0x8000u, 0xffffu }) {
			host.enable_queue(queue, log2);
			give_batch(host);
			host.put_queue(queue, FAN_CARD_QUEUE_TAIL, tail);
			host.queue[queue].tail = 0;
			faults += expect_fault(host, queue, FAN_CARD_QUEUE_FAULT_TAIL);
		}
		/* As far ahead as the ring is long is right. */
		host.enable_queue(queue, log2);
		while (host.submit(queue, nullptr, 1, NOTHING) >= 0)
			;
		host.drain();
		rings++;
	}
	for (unsigned log2 : { 0u, 9u, 10u, 11u, 12u, 13u, 14u, 15u }) {
		host.enable_queue(queue, log2);
		give_batch(host);
		faults += expect_fault(host, queue, FAN_CARD_QUEUE_FAULT_SIZE);
	}
	for (unsigned bit = 0; bit < 6; bit++) {
		for (uint32_t low : { FAN_CARD_QUEUE_DESCRIPTORS_LOW, FAN_CARD_QUEUE_COMPLETIONS_LOW }) {
			host.enable_queue(queue, 4);
			host.put_queue(queue, FAN_CARD_QUEUE_CONTROL, 0);
			host.put_queue(queue, low, host.get_queue(queue, low) | 1u << bit);
			host.put_queue(queue, FAN_CARD_QUEUE_CONTROL, 1 | 4 << FAN_CARD_QUEUE_CONTROL_ENTRIES_LOG2_LSB);
			faults += expect_fault(host, queue, FAN_CARD_QUEUE_FAULT_SIZE);
		}
	}
	for (unsigned i = 0; i < 100; i++)
		leave_one(host);
	host.start();
	go_round(host, queue);
	host.compare_all();
	printf("queues: %u faults, %u sizes of rings filled to the last place, one queue beyond 65,536 descriptors\n", faults, rings);
}

/* ---- Rate ---------------------------------------------------------------------------------------------------------------------- */

/* Where batches come from. A ring of 256 entries has all of them from the beginning; into one of 16, as the driver has it, the host puts
 * the next when it sees one completed, so that the card cannot fetch descriptors as far ahead. */
struct rate_load {
	unsigned ue_count, queues, entries_log2;
};

/* Clocks per UE between the first batches and the last. */
static double
rate(uint8_t algorithm, unsigned text_bytes, const rate_load &load)
{
	host host(options);
	struct fan_shape shape = {};
	const unsigned ue_count = load.ue_count;
	unsigned submitted = 0;
	uint64_t from = 0, ues_from = 0;
	struct fan_model_statistics statistics;

	shape.cipher = shape.integrity = algorithm;
	shape.clear_bytes = 1;
	shape.text_bytes = (uint16_t)text_bytes;
	host.wait_ready();
	for (unsigned q = 0; q < load.queues; q++)
		host.enable_queue(q, load.entries_log2);
	while (submitted < SLOTS && host.submit(submitted % load.queues, &shape, ue_count, NOTHING) >= 0)
		submitted++;
	host.put(FAN_CARD_CONTROL, DO_ENABLE);
	while (host.ues_done < ue_count * (SLOTS - 8)) {
		ops->run(host.model, 8);
		while (submitted < SLOTS && host.submit(submitted % load.queues, &shape, ue_count, NOTHING) >= 0)
			submitted++;
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
	const rate_load loads[] = { { 64, ops->queues, 8 }, { 32, ops->queues, 8 }, { 16, ops->queues, 8 }, { 8, ops->queues, 8 },
				    { 8, 1, 4 }, { 1, ops->queues, 8 }, { 1, 1, 4 } };

	for (unsigned text_bytes : texts)
		for (const rate_load &load : loads) {
			const unsigned ue_count = load.ue_count;
			const double lanes = lane_clocks(algorithm, text_bytes, ue_count) / lanes_of(algorithm);
			const double bus = std::max(1.5, (text_bytes + 5 + 63) / 64.0);
			const double bound = std::max(lanes, bus), clocks = rate(algorithm, text_bytes, load);

			printf("rate: %s, lanes: %u, %4u octets, batches of %2u UEs, queues: %u of %u entries: %6.2f clocks per UE, bound %6.2f (%s), latency "
			       "%u\n",
			       names[algorithm], lanes_of(algorithm), text_bytes, ue_count, load.queues, 1u << load.entries_log2,
			       clocks, bound, bus > lanes ? "bus" : "lanes",
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
	const test_case test = read_command_line(argc, argv,
						 { { "vectors", test_vectors },
						   { "work", [] { test_work(false); } },
						   { "errors", [] { test_work(true); } },
						   { "bus", test_bus },
						   { "messages", test_messages },
						   { "refused", test_refused },
						   { "queues", test_queues },
						   { "reset", test_reset },
						   { "secrets", test_secrets },
						   { "owed", test_owed },
						   { "registers", test_registers },
						   { "rate", test_rate } },
						 { { "--stall", "P", &options.stall },
						   { "--latency", "CLOCKS", &options.latency },
						   { "--batches", "N", &options.batches } });

	printf("engine_test %s: seed 0x%llx, stall %g, latency %u, %s\n", test.name, (unsigned long long)test_seed, options.stall,
	       options.latency, ops->build);
	test.run();
	return 0;
}
