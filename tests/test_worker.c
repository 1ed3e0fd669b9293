/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One or more workers on a real port, with engines that fail, wait and shuffle as the test asks. The engines protect with the
 * reference engine, so that the UE side judges every frame that leaves; and they keep a record of every (context, COUNT) they
 * were handed, which is the safety rule itself.
 */
#include "../dataplane/context/count.h"
#include "../dataplane/eal.h"
#include "../dataplane/engine/reference/reference.h"
#include "../dataplane/worker.h"
#include "appliance_fixture.h"

#include <criterion/criterion.h>
#include <rte_launch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAKES 3
#define HELD_MAX 64
#define RECORDS_MAX 400000
#define WAIT_SECONDS 30.0

/* ---- Engines --------------------------------------------------------------------------------------------------------------- */

struct record {
	const struct fan_context *context;
	uint32_t count;
	uint64_t text; /* hash of clear prefix and plaintext */
	uint16_t text_bytes;
	uint16_t status; /* with which the engine gave it back; PENDING while it has it */
};

static struct record records[RECORDS_MAX];
static unsigned record_count;

/* How a fake engine behaves; set before the worker is made. Counted by batches. */
struct behaviour {
	unsigned refuse;       /* so many submissions are refused before each one that is taken */
	unsigned hold;         /* so many batches are kept before any is given back */
	bool shuffle;          /* given back last in, first out */
	bool null;             /* does not protect */
	bool takes_nothing;    /* no shape */
	uint16_t takes_text;   /* only shapes with so many octets of text; 0: all */
	unsigned dies_after;   /* so many batches are protected; then all fail, and no shape is taken any more; 0: never */
	unsigned leaves_after; /* so many batches are taken; then no shape is any more, but what it has it finishes; 0: never */
	unsigned fail_every;   /* each n-th batch fails, 0: none, 1: all */
	bool fail_first;       /* the first that is given back fails, and no other */
	enum fan_batch_status fail_as;
	unsigned refuse_first; /* so many submissions are refused at the very beginning, then none */
	double latency_s;      /* nothing is given back until so long after the last submission */
};

struct fake {
	struct fan_engine engine;
	struct behaviour behaviour;
	struct fan_engine *reference;
	struct fan_batch *held[HELD_MAX];
	unsigned record_at[HELD_MAX]; /* first record of each held batch */
	unsigned held_count;
	unsigned submissions, taken, given_back, polls_since;
	double submitted_at;
	unsigned refused_in_row;
	bool open;
	bool closed_with_batches;
};

static struct fake fakes[FAKES];

static bool
fake_takes(const struct fan_engine *engine, const struct fan_shape *shape)
{
	const struct fake *fake = (const void *)engine;
	const struct behaviour *behaviour = &fake->behaviour;

	return !behaviour->takes_nothing && (behaviour->leaves_after == 0 || fake->taken <= behaviour->leaves_after) &&
	       (behaviour->dies_after == 0 || fake->taken <= behaviour->dies_after) &&
	       (behaviour->takes_text == 0 || behaviour->takes_text == shape->text_bytes);
}

static uint64_t
hash(uint64_t sum, const uint8_t *octets, size_t octet_count)
{
	for (size_t i = 0; i < octet_count; i++)
		sum = (sum ^ octets[i]) * UINT64_C(0x100000001b3);
	return sum;
}

/* Of what an engine is asked to protect: clear prefix, private head, shared tail. */
static uint64_t
hash_text(const struct fan_batch *batch, unsigned ue)
{
	const struct fan_shape *shape = batch->shape;
	const unsigned head_bytes = fan_shape_head_bytes(shape);
	const uint64_t lead = hash(UINT64_C(0xcbf29ce484222325), batch->text[ue] - shape->clear_bytes, shape->clear_bytes);

	return hash(hash(lead, batch->text[ue], head_bytes), shape->message + head_bytes, shape->text_bytes - head_bytes);
}

static bool
refuses(struct fake *fake)
{
	const struct behaviour *behaviour = &fake->behaviour;

	fake->submissions++;
	if (fake->held_count == HELD_MAX || fake->submissions <= behaviour->refuse_first)
		return true;
	if (fake->refused_in_row < behaviour->refuse) {
		fake->refused_in_row++;
		return true;
	}
	fake->refused_in_row = 0;
	return false;
}

/* Whether a batch may come to this engine: of a shape that it takes, or takes no more. */
static bool
behaves_well(const struct fake *fake, const struct fan_shape *shape)
{
	return !fake->behaviour.takes_nothing &&
	       (fake->behaviour.takes_text == 0 || fake->behaviour.takes_text == shape->text_bytes);
}

static uint16_t
fake_submit_burst(struct fan_engine *engine, struct fan_batch *const *batches, uint16_t batch_count)
{
	struct fake *fake = (struct fake *)(void *)engine;
	struct fan_batch *batch = batches[0];

	cr_assert_geq(batch_count, 1);
	cr_assert(behaves_well(fake, batch->shape), "a batch for another engine");
	if (refuses(fake))
		return 0;
	cr_assert(batch->ue_count >= 1 && batch->ue_count <= FAN_BATCH_UES_MAX);
	cr_assert_eq(batch->status, FAN_BATCH_PENDING);
	cr_assert_lt(record_count + batch->ue_count, RECORDS_MAX);
	fake->record_at[fake->held_count] = record_count;
	fake->held[fake->held_count++] = batch;
	fake->taken++;
	fake->submitted_at = fan_test_now_s();
	for (unsigned i = 0; i < batch->ue_count; i++)
		records[record_count++] = (struct record){ batch->context[i], batch->count[i], hash_text(batch, i),
							   batch->shape->text_bytes, FAN_BATCH_PENDING };
	return 1;
}

/* Protects, or fails: then the packets are spoilt, as an engine in trouble may leave them. */
static void
fake_finish(struct fake *fake, struct fan_batch *batch, unsigned record_at)
{
	const struct behaviour *behaviour = &fake->behaviour;
	struct fan_batch *finished = batch;

	batch->status = FAN_BATCH_DONE;
	fake->given_back++;
	if ((behaviour->fail_every != 0 && fake->taken % behaviour->fail_every == 0) ||
	    (behaviour->fail_first && fake->given_back == 1) ||
	    (behaviour->dies_after != 0 && fake->taken > behaviour->dies_after)) {
		batch->status = (uint16_t)behaviour->fail_as;
		for (unsigned i = 0; i < batch->ue_count; i++)
			memset(batch->text[i] - batch->shape->clear_bytes, 0xe5,
			       batch->shape->text_bytes + batch->shape->clear_bytes);
	} else if (!behaviour->null) {
		cr_assert_eq(fake->reference->ops->submit_burst(fake->reference, &batch, 1), 1);
		cr_assert_eq(fake->reference->ops->poll_burst(fake->reference, &finished, 1), 1);
	}
	for (unsigned i = 0; i < batch->ue_count; i++)
		records[record_at + i].status = batch->status;
}

static uint16_t
fake_poll_burst(struct fan_engine *engine, struct fan_batch **batches, uint16_t batch_max)
{
	struct fake *fake = (struct fake *)(void *)engine;
	uint16_t n = 0;

	/* What is held for company goes out all the same when no more comes. */
	if (fake->held_count == 0 || (fake->held_count <= fake->behaviour.hold && fake->polls_since++ < 50) ||
	    (fake->behaviour.latency_s > 0 && fan_test_now_s() < fake->submitted_at + fake->behaviour.latency_s))
		return 0;
	fake->polls_since = 0;
	while (fake->held_count > 0 && n < batch_max) {
		const unsigned at = fake->behaviour.shuffle ? fake->held_count - 1 : 0;

		batches[n] = fake->held[at];
		fake_finish(fake, batches[n], fake->record_at[at]);
		fake->held_count--;
		for (unsigned i = at; i < fake->held_count; i++) {
			fake->held[i] = fake->held[i + 1];
			fake->record_at[i] = fake->record_at[i + 1];
		}
		n++;
	}
	return n;
}

static void
fake_close(struct fan_engine *engine)
{
	struct fake *fake = (struct fake *)(void *)engine;

	fake->closed_with_batches = fake->held_count > 0;
	fake->open = false;
	fake->reference->ops->close(fake->reference);
}

static int fake_open(struct fan_engine **engine, const char *device);

static const struct fan_engine_ops fake_ops = {
	.name = "fake",
	.description = "a fake; its device is its number",
	.has_devices = true,
	.open = fake_open,
	.close = fake_close,
	.takes = fake_takes,
	.submit_burst = fake_submit_burst,
	.poll_burst = fake_poll_burst,
};
static const struct fan_engine_choice fake_choices[] = { { &fake_ops, "fake:0", "0" },
							 { &fake_ops, "fake:1", "1" },
							 { &fake_ops, "fake:2", "2" } };
static_assert(sizeof(fake_choices) / sizeof(fake_choices[0]) == FAKES, "one for each");

static int
fake_open(struct fan_engine **engine, const char *device)
{
	struct fake *fake = &fakes[device[0] - '0'];
	const struct behaviour behaviour = fake->behaviour;

	memset(fake, 0, sizeof(*fake));
	fake->behaviour = behaviour;
	fake->engine.ops = &fake_ops;
	fake->open = true;
	*engine = &fake->engine;
	return fan_engine_reference.open(&fake->reference, NULL);
}

static int
compare_records(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	if (x->context != y->context)
		return x->context < y->context ? -1 : 1;
	return x->count < y->count ? -1 : x->count > y->count;
}

/* Whether any (context, COUNT) was given to an engine again after an engine had used it, or may have let it out, or with another text.
 * Sorts. */
static void
expect_no_count_twice(void)
{
	for (unsigned i = 0; i < record_count; i++)
		records[i].status = records[i].status == FAN_BATCH_UNTOUCHED ? 0 : 1; /* 1: that COUNT is gone */
	qsort(records, record_count, sizeof(records[0]), compare_records);
	for (unsigned i = 0, gone = 0; i < record_count; i++) {
		gone = i > 0 && compare_records(&records[i - 1], &records[i]) == 0 ? gone : 0;
		gone += records[i].status;
		cr_assert_leq(gone, 1, "COUNT %u of UE %u was used twice", records[i].count, records[i].context->ue);
		if (i > 0 && compare_records(&records[i - 1], &records[i]) == 0)
			cr_assert_eq(records[i].text, records[i - 1].text, "COUNT %u of UE %u protected two texts",
				     records[i].count, records[i].context->ue);
	}
}

/* ---- A bench: a table of UEs, a port, workers ---------------------------------------------------------------------------- */

static struct bench {
	struct fan_test_side side;
	struct fan_context_table table;
	struct fan_hop hops[FAN_TEST_HOPS];
	struct fan_link link;
	struct fan_egress egress;
	struct fan_engine_list engines;
	struct fan_flights flights;
	struct fan_paces paces; /* none has a rate unless a test gives it one */
	struct fan_worker *worker[4];
	unsigned lcore[4];
	unsigned worker_count;
} bench;

/* EPS NAS UEs, which take NIDD as well as SMS in parts. */
static void
open_bench(const char *egress, unsigned ues, unsigned worker_count)
{
	const struct fan_protection protection = { FAN_KIND_EPS_NAS, 2, 2, 5 };

	memset(&bench, 0, sizeof(bench));
	memset(fakes, 0, sizeof(fakes));
	record_count = 0;
	bench.worker_count = worker_count;
	bench.link = (struct fan_link){ .ethernet = { 2, 0, 0, 0, 0, 9 }, .address = { 192, 0, 2, 1 } };
	cr_assert_eq(fan_eal_start("test_worker", worker_count, NULL), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_egress_open(&bench.egress, egress, worker_count, NULL), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_context_table_init(&bench.table, protection, ues), 0, "%s", fan_error_detail());
	fan_test_side_open(&bench.side, ues);
	for (unsigned i = 0; i < FAN_TEST_HOPS; i++) {
		const struct fan_next_hop hop = fan_test_hop(i, false);

		fan_hop_make(&bench.hops[i], &hop);
	}
	for (unsigned i = 0; i < ues; i++) {
		struct fan_test_subscriber *subscriber = fan_test_subscribe(&bench.side, FAN_KIND_EPS_NAS, 2, 2);

		subscriber->ue.bearer_id = 5;
		subscriber->ue.ran_ue_id &= 0xffffff;
		cr_assert_eq(fan_context_add(&bench.table, &subscriber->ue), (int64_t)i, "%s", fan_error_detail());
	}
}

static void
close_bench(void)
{
	fan_context_table_free(&bench.table);
	cr_assert_eq(fan_egress_close(&bench.egress), 0);
	fan_test_side_close(&bench.side);
}

static void
start_workers(unsigned engine_count)
{
	unsigned lcore = rte_get_next_lcore((unsigned)-1, 1, 0);

	bench.engines.count = engine_count;
	for (unsigned i = 0; i < engine_count; i++)
		bench.engines.choice[i] = fake_choices[i];
	for (unsigned i = 0; i < bench.worker_count; i++, lcore = rte_get_next_lcore(lcore, 1, 0)) {
		const struct fan_worker_config config = {
			.index = i,
			.worker_count = bench.worker_count,
			.engines = &bench.engines,
			.egress = &bench.egress,
			.link = &bench.link,
			.hops = bench.hops,
			.paces = &bench.paces,
		};

		cr_assert_eq(fan_worker_make(&bench.worker[i], &config), 0, "%s", fan_error_detail());
		bench.lcore[i] = lcore;
		cr_assert_eq(rte_eal_remote_launch(fan_worker_run, bench.worker[i], lcore), 0);
	}
}

static void
stop_workers(void)
{
	for (unsigned i = 0; i < bench.worker_count; i++)
		fan_worker_stop(bench.worker[i]);
	for (unsigned i = 0; i < bench.worker_count; i++) {
		cr_assert_eq(rte_eal_wait_lcore(bench.lcore[i]), 0);
		fan_worker_free(bench.worker[i]);
	}
	for (unsigned i = 0; i < FAKES; i++) {
		cr_assert_not(fakes[i].open, "engine %u is left open", i);
		cr_assert_not(fakes[i].closed_with_batches, "engine %u was closed with batches in flight", i);
	}
}

/* A flight for UEs first .. first + count - 1. */
static struct fan_flight *
make_flight(const struct fan_message *message, enum fan_profile profile, unsigned first, unsigned count)
{
	struct fan_members members = { .set_count = 0 };
	struct fan_snapshot *snapshot;
	struct fan_flight *flight;

	cr_assert_eq(fan_members_add_range(&members, 0, profile, first, count), 0);
	cr_assert_eq(fan_snapshot_make(&snapshot, &members), 0);
	fan_members_free(&members);
	cr_assert_eq(fan_flight_make(&flight, snapshot, &bench.table, message, &bench.link, bench.worker_count), 0, "%s",
		     fan_error_detail());
	fan_snapshot_release(snapshot);
	return flight;
}

static void
hand(struct fan_flight *flight)
{
	fan_flights_add(&bench.flights, flight);
	for (unsigned i = 0; i < bench.worker_count; i++)
		fan_worker_hand(bench.worker[i], flight);
}

static bool
ended(const struct fan_flight *flight)
{
	return __atomic_load_n(&flight->workers_left, __ATOMIC_ACQUIRE) == 0;
}

static unsigned
receive(void)
{
	unsigned received = 0;

	for (uint16_t queue = 0; queue < bench.egress.receive_queues; queue++) {
		struct rte_mbuf *frames[64];
		const uint16_t n = rte_eth_rx_burst(bench.egress.port, queue, frames, RTE_DIM(frames));

		for (uint16_t i = 0; i < n; i++)
			(void)fan_test_side_receive(&bench.side, rte_pktmbuf_mtod(frames[i], const uint8_t *),
						    frames[i]->pkt_len);
		rte_pktmbuf_free_bulk(frames, n);
		received += n;
	}
	return received;
}

static void
take_ended(void)
{
	struct fan_flight *flight;

	while ((flight = fan_flights_ended(&bench.flights)) != NULL) {
		flight->settled = true;
		(void)fan_flights_take_settled(&bench.flights);
	}
}

/* Receives until a flight has ended and all its frames are in; then checks its accounts. */
static struct fan_result
finish(struct fan_flight *flight)
{
	const double deadline = fan_test_now_s() + WAIT_SECONDS;
	struct fan_result result;
	uint64_t dropped = 0;

	while (!ended(flight)) {
		(void)receive();
		cr_assert_lt(fan_test_now_s(), deadline, "the flight does not end");
	}
	while (receive() > 0)
		;
	take_ended();
	fan_flight_result(flight, &result, FAN_PROFILE_COUNT);
	for (unsigned i = 0; i < FAN_DROP_COUNT; i++)
		dropped += result.dropped[i];
	cr_assert_eq(result.created, result.sent + dropped, "created %lu, sent %lu, dropped %lu", result.created, result.sent,
		     dropped);
	return result;
}

static void
wait_until_still(void)
{
	struct fan_worker_counters before, now;

	fan_worker_counters_read(bench.worker[0], &now);
	do {
		before = now;
		usleep(20000);
		fan_worker_counters_read(bench.worker[0], &now);
	} while (now.created != before.created || now.sent != before.sent || now.created == 0);
}

static void
expect_all_accepted(uint64_t frames)
{
	cr_assert_eq(bench.side.frames, frames, "%lu frames of %lu", bench.side.frames, frames);
	for (unsigned i = 1; i < FAN_UE_VERDICT_COUNT; i++)
		cr_assert_eq(bench.side.verdicts[i], 0, "%lu x %s", bench.side.verdicts[i],
			     fan_ue_verdict_name((enum fan_ue_verdict)i));
	cr_assert_eq(bench.side.differing, 0);
}

static void
expect_pool_full(void)
{
	cr_assert_eq(rte_mempool_avail_count(bench.egress.frames), bench.egress.frames->size, "frames are lost");
}

/* 200 characters: two parts. */
static const char two_parts[] =
	"The river will pass 6.2 m at 18:40 today. Leave the low streets now and go to Hill School; take water, "
	"medicine and papers with you. This is a test of the flood warning system, nobody needs to do anything.";

/* ---- Tests ------------------------------------------------------------------------------------------------------------------ */

/* Every way in which engines that do not fail may behave: all is delivered, once, COUNTs rising for each UE. */
Test(worker, engines_that_wait_or_shuffle_lose_and_reorder_nothing, .timeout = 60)
{
	static const struct {
		unsigned engine_count;
		struct behaviour behaviour[FAKES];
	} rows[] = {
		{ 1, { { .refuse = 0 } } },
		{ 1, { { .refuse = 1 } } },
		{ 1, { { .refuse = 7, .hold = 3 } } },
		{ 1, { { .hold = 5, .shuffle = true } } },
		{ 1, { { .hold = 15, .shuffle = true } } },
		{ 2, { { .refuse = 1, .hold = 4, .shuffle = true }, { .hold = 6 } } },
		{ 2, { { .latency_s = 0.001 }, { .latency_s = 0.0001 } } },
		{ 2, { { .takes_nothing = true }, { .shuffle = true, .hold = 2 } } },
	};
	struct fan_message message;
	const unsigned ues = 700;
	uint64_t frames = 0;

	open_bench("net_ring", ues, 1);
	fan_message_init(&message, two_parts, sizeof(two_parts) - 1);
	bench.side.message = &message;
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		struct fan_flight *flight = make_flight(&message, FAN_PROFILE_EPS_NAS_SMS, 0, ues);
		struct fan_result result;

		cr_assert_eq(flight->legs[0].plans.part_count, 2);
		record_count = 0;
		for (unsigned j = 0; j < FAKES; j++)
			fakes[j].behaviour = rows[i].behaviour[j];
		start_workers(rows[i].engine_count);
		hand(flight);
		result = finish(flight);
		stop_workers();
		frames += 2 * ues;
		cr_assert(result.ues == ues && result.created == 2 * ues && result.sent == 2 * ues, "row %zu", i);
		cr_assert_eq(result.bytes_out, bench.side.frame_bytes);
		cr_assert_lt(result.first_ns, result.last_ns, "some 20 batches leave at one time");
		bench.side.frame_bytes = 0;
		expect_all_accepted(frames);
		cr_assert_eq(record_count, 2 * ues);
		expect_no_count_twice();
		expect_pool_full();
		cr_assert_eq(bench.side.complete, (i + 1) * ues);
		for (unsigned j = 0; j < ues; j++)
			fan_count_acknowledge_all(&bench.table.slots[j]);
		fan_flight_free(flight);
	}
	close_bench();
}

/* Failing engines: another one gets the work, under the same COUNTs only when nothing can have left; UEs see COUNTs rise. */
Test(worker, a_failed_batch_is_served_by_the_next_engine, .timeout = 60)
{
	static const struct {
		unsigned engine_count;
		struct behaviour behaviour[FAKES];
		bool fresh; /* COUNTs are spent anew */
		bool all;   /* every batch fails once */
	} rows[] = {
		{ 2, { { .fail_every = 1, .fail_as = FAN_BATCH_UNTOUCHED } }, false, true },
		{ 2,
		  { { .fail_every = 3, .fail_as = FAN_BATCH_UNTOUCHED, .hold = 5, .shuffle = true }, { .hold = 2 } },
		  false,
		  false },
		{ 2, { { .fail_every = 1, .fail_as = FAN_BATCH_EXPOSED } }, true, true },
		{ 2, { { .fail_every = 3, .fail_as = FAN_BATCH_EXPOSED } }, true, false },
		{ 2,
		  { { .fail_every = 3, .fail_as = FAN_BATCH_EXPOSED, .hold = 5, .shuffle = true }, { .hold = 2 } },
		  true,
		  false },
		{ 2,
		  { { .fail_every = 2, .fail_as = FAN_BATCH_EXPOSED, .hold = 15, .shuffle = true }, { .refuse = 3 } },
		  true,
		  false },
		{ 3,
		  { { .fail_every = 1, .fail_as = FAN_BATCH_EXPOSED, .hold = 3 },
		    { .fail_every = 2, .fail_as = FAN_BATCH_EXPOSED } },
		  true,
		  true },
	};
	struct fan_message message;
	const unsigned ues = 700;
	uint64_t frames = 0;

	open_bench("net_ring", ues, 1);
	fan_message_init(&message, two_parts, sizeof(two_parts) - 1);
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		struct fan_flight *flight = make_flight(&message, FAN_PROFILE_EPS_NAS_SMS, 0, ues);
		const uint32_t count = bench.table.slots[7].count;
		struct fan_result result;

		record_count = 0;
		for (unsigned j = 0; j < FAKES; j++)
			fakes[j].behaviour = rows[i].behaviour[j];
		start_workers(rows[i].engine_count);
		hand(flight);
		result = finish(flight);
		stop_workers();
		frames += 2 * ues;
		cr_assert(result.created == 2 * ues && result.sent == 2 * ues, "row %zu: %lu sent", i, result.sent);
		cr_assert_eq(result.bytes_out, bench.side.frame_bytes, "row %zu", i);
		bench.side.frame_bytes = 0;
		expect_all_accepted(frames);
		if (!rows[i].fresh)
			cr_assert_eq(bench.table.slots[7].count, count + 2, "row %zu: an untouched batch keeps its COUNT", i);
		else if (rows[i].all)
			cr_assert_geq(bench.table.slots[7].count, count + 4, "row %zu: an exposed batch needs fresh COUNTs", i);
		expect_no_count_twice();
		expect_pool_full();
		for (unsigned j = 0; j < ues; j++)
			bench.table.slots[j].awaited = (uint16_t)bench.table.slots[j].count;
		fan_flight_free(flight);
	}
	for (unsigned i = 0; i < ues; i++)
		cr_assert_eq(bench.side.subscribers[i].accepted, 2 * RTE_DIM(rows));
	close_bench();
}

Test(worker, what_no_engine_can_protect_is_dropped_with_that_reason, .timeout = 60)
{
	static const struct {
		unsigned engine_count;
		struct behaviour behaviour[FAKES];
	} rows[] = {
		{ 1, { { .fail_every = 1, .fail_as = FAN_BATCH_UNTOUCHED } } },
		{ 1, { { .fail_every = 1, .fail_as = FAN_BATCH_EXPOSED } } },
		{ 1, { { .takes_nothing = true } } },
		{ 3,
		  { { .fail_every = 1, .fail_as = FAN_BATCH_EXPOSED, .hold = 4, .shuffle = true },
		    { .fail_every = 1, .fail_as = FAN_BATCH_UNTOUCHED },
		    { .fail_every = 1, .fail_as = FAN_BATCH_EXPOSED } } },
	};
	struct fan_message message;
	const unsigned ues = 300;

	open_bench("net_ring", ues, 1);
	fan_message_init(&message, "hello", 5);
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		struct fan_flight *flight = make_flight(&message, FAN_PROFILE_EPS_NAS_NIDD, 0, ues);
		struct fan_result result;

		record_count = 0;
		for (unsigned j = 0; j < FAKES; j++)
			fakes[j].behaviour = rows[i].behaviour[j];
		start_workers(rows[i].engine_count);
		hand(flight);
		result = finish(flight);
		stop_workers();
		cr_assert(result.created == ues && result.sent == 0 && result.dropped[FAN_DROP_ENGINE] == ues, "row %zu", i);
		for (unsigned j = 0; j < ues; j++)
			cr_assert_eq(fan_leg_reason(&flight->legs[0], j), FAN_DROP_ENGINE);
		cr_assert_eq(bench.side.frames, 0);
		expect_no_count_twice();
		expect_pool_full();
		fan_flight_free(flight);
	}
	close_bench();
}

/* An engine that was merely busy when another one failed has failed nothing: it gets the work. */
Test(worker, an_engine_that_was_busy_is_asked_again, .timeout = 60)
{
	struct fan_message message;
	struct fan_flight *flight;
	struct fan_result result;

	open_bench("net_ring", 64, 1);
	fan_message_init(&message, "hello", 5);
	fakes[0].behaviour = (struct behaviour){ .refuse_first = 1 };
	fakes[1].behaviour = (struct behaviour){ .fail_every = 1, .fail_as = FAN_BATCH_UNTOUCHED };
	start_workers(2);
	flight = make_flight(&message, FAN_PROFILE_EPS_NAS_NIDD, 0, 64);
	hand(flight);
	result = finish(flight);
	stop_workers();
	cr_assert_eq(result.sent, 64, "%lu sent", result.sent);
	fan_flight_free(flight);
	close_bench();
}

/* A replay under fresh COUNTs is subject to the same rules as any spending. */
Test(worker, fresh_counts_of_a_replay_respect_the_lease, .timeout = 60)
{
	struct fan_message message;
	struct fan_flight *flight;
	struct fan_result result;

	open_bench("net_ring", 64, 1);
	fan_message_init(&message, "hello", 5);
	for (unsigned i = 0; i < 64; i += 2)
		bench.table.slots[i].count_reserved = bench.table.slots[i].count + 1;
	fakes[0].behaviour = (struct behaviour){ .fail_every = 1, .fail_as = FAN_BATCH_EXPOSED };
	start_workers(2);
	flight = make_flight(&message, FAN_PROFILE_EPS_NAS_NIDD, 0, 64);
	hand(flight);
	result = finish(flight);
	stop_workers();
	cr_assert(result.sent == 32 && result.dropped[FAN_DROP_RESERVATION] == 32);
	for (unsigned i = 0; i < 64; i++) {
		cr_assert_eq(fan_leg_reason(&flight->legs[0], i), i % 2 == 0 ? FAN_DROP_RESERVATION : FAN_DROP_NONE);
		cr_assert_eq(bench.side.subscribers[i].accepted, i % 2);
		cr_assert_leq(bench.table.slots[i].count, bench.table.slots[i].count_reserved);
	}
	expect_all_accepted(32);
	expect_no_count_twice();
	expect_pool_full();
	fan_flight_free(flight);
	close_bench();
}

/* A port that takes nothing for a while, then an empty pool of frames: all waits, nothing is lost, order stays. */
Test(worker, back_pressure_loses_nothing, .timeout = 60)
{
	static struct rte_mbuf *hostages[8192];
	struct fan_worker_counters counters;
	struct fan_message message;
	const unsigned ues = 3000;
	struct fan_flight *flight;
	unsigned hostage_count = 0;

	open_bench("net_ring", ues, 1);
	fan_message_init(&message, two_parts, sizeof(two_parts) - 1);
	bench.side.message = &message;
	fakes[0].behaviour = (struct behaviour){ .hold = 3, .shuffle = true };
	start_workers(1);
	flight = make_flight(&message, FAN_PROFILE_EPS_NAS_SMS, 0, ues);
	hand(flight);
	do {
		wait_until_still(); /* or until the machine has been busy elsewhere */
		fan_worker_counters_read(bench.worker[0], &counters);
	} while (counters.sent == 0);
	cr_assert_not(ended(flight));
	cr_assert(counters.sent < ues && counters.dropped == 0);
	cr_assert_eq(finish(flight).sent, 2 * ues);
	expect_all_accepted(2 * ues);
	fan_flight_free(flight);

	while (hostage_count < RTE_DIM(hostages) && (hostages[hostage_count] = rte_pktmbuf_alloc(bench.egress.frames)) != NULL)
		hostage_count++;
	cr_assert_lt(hostage_count, RTE_DIM(hostages));
	flight = make_flight(&message, FAN_PROFILE_EPS_NAS_SMS, 0, ues);
	hand(flight);
	for (unsigned i = 0; i < 100; i++) {
		usleep(1000);
		(void)receive(); /* what the worker's own cache of frames lets it send comes in, and the frames stay out */
	}
	cr_assert_not(ended(flight));
	for (unsigned i = 0; i < hostage_count; i++)
		rte_pktmbuf_free(hostages[i]);
	cr_assert_eq(finish(flight).sent, 2 * ues);
	stop_workers();
	expect_all_accepted(4 * ues);
	expect_no_count_twice();
	expect_pool_full();
	fan_flight_free(flight);
	close_bench();
}

/* Stopped while the port is full, batches wait and engines are at work: every frame goes back, no engine is closed at work. */
Test(worker, a_stop_in_the_middle_frees_everything, .timeout = 60)
{
	static const struct behaviour behaviours[] = {
		{ .refuse = 0 },
		{ .latency_s = 0.3 },
		{ .refuse = 1000000000 },
	};
	struct fan_message message;
	const unsigned ues = 3000;

	fan_message_init(&message, "hello", 5);
	for (size_t i = 0; i < RTE_DIM(behaviours); i++) {
		struct fan_flight *flight, *queued;

		open_bench("net_ring", ues, 1);
		fakes[0].behaviour = behaviours[i];
		start_workers(1);
		flight = make_flight(&message, FAN_PROFILE_EPS_NAS_NIDD, 0, ues);
		queued = make_flight(&message, FAN_PROFILE_EPS_NAS_NIDD, 0, ues);
		hand(flight);
		wait_until_still();
		hand(queued);
		stop_workers();
		cr_assert(!ended(flight) && !ended(queued));
		while (receive() > 0)
			;
		expect_pool_full();
		expect_no_count_twice();
		fan_flight_free(flight);
		fan_flight_free(queued);
		close_bench();
	}
}

/* The order in which flights' frames leave, told apart by their lengths. */
struct sequence {
	size_t frame_bytes[3]; /* of each flight */
	unsigned seen[3];
	unsigned position;     /* frames so far */
	unsigned last_at[3];   /* position of the last frame of a flight */
	unsigned run, run_max; /* frames of one flight in a row; the longest while the first two flights were both at it */
	unsigned previous;
};

static void
note_frame(struct sequence *sequence, size_t frame_bytes, unsigned first, unsigned second)
{
	unsigned which = 0;

	while (which < 3 && sequence->frame_bytes[which] != frame_bytes)
		which++;
	cr_assert_lt(which, 3, "a frame of %zu octets", frame_bytes);
	sequence->run = which == sequence->previous ? sequence->run + 1 : 1;
	sequence->previous = which;
	sequence->seen[which]++;
	sequence->last_at[which] = ++sequence->position;
	if (sequence->seen[1] > 0 && sequence->seen[0] < first && sequence->seen[1] < second)
		sequence->run_max = RTE_MAX(sequence->run_max, sequence->run);
}

static void
drain_sequence(struct sequence *sequence, unsigned first, unsigned second)
{
	struct rte_mbuf *frames[64];
	uint16_t n;

	while ((n = rte_eth_rx_burst(bench.egress.port, 0, frames, RTE_DIM(frames))) > 0) {
		for (uint16_t i = 0; i < n; i++)
			note_frame(sequence, frames[i]->pkt_len, first, second);
		rte_pktmbuf_free_bulk(frames, n);
	}
}

/* Three flights, of `counts` UEs each: the first fills the port, then the others come, then the port is emptied. */
static struct sequence
run_three(const unsigned counts[3], const uint8_t priorities[3])
{
	static const char text[] = "hello";
	struct sequence sequence = { .position = 0 };
	struct fan_flight *flight[3];
	struct fan_message message[3];

	start_workers(1);
	for (unsigned i = 0; i < 3; i++) {
		fan_message_init(&message[i], text, 1 + i);
		message[i].priority = priorities[i];
		flight[i] = make_flight(&message[i], FAN_PROFILE_EPS_NAS_NIDD, 300, counts[i]);
		sequence.frame_bytes[i] = flight[i]->legs[0].plans.part[0].header[3 * FAN_RAN_ID_LENGTHS + 2].frame_bytes;
	}
	hand(flight[0]);
	wait_until_still();
	hand(flight[1]);
	hand(flight[2]);
	usleep(20000);
	while (!ended(flight[0]) || !ended(flight[1]) || !ended(flight[2]))
		drain_sequence(&sequence, counts[0], counts[1]);
	drain_sequence(&sequence, counts[0], counts[1]);
	stop_workers();
	for (unsigned i = 0; i < 3; i++) {
		cr_assert_eq(finish(flight[i]).sent, counts[i]);
		cr_assert_eq(sequence.seen[i], counts[i]);
		fan_flight_free(flight[i]);
	}
	return sequence;
}

/* What a full port and the worker's own batches hold when a flight arrives: it cannot be overtaken. */
#define AHEAD (1024 + 17 * 64)

/* The ids are 4 and 3 octets long for all UEs, so that a flight's frames have one length. */
Test(worker, urgent_flights_go_first_and_equal_ones_in_turns, .timeout = 60)
{
	static const unsigned urgent_counts[3] = { 200000, 64, 640 };
	static const uint8_t urgent_priorities[3] = { 0, 7, 3 }, equal_priorities[3] = { 2, 2, 2 };
	static const unsigned equal_counts[3] = { 12000, 12000, 64 };
	struct sequence sequence;

	open_bench("net_ring", 200300, 1);
	for (unsigned i = 0; i < 200300; i++) {
		bench.table.slots[i].nas.mme_ue_id_low = 0x01000000 + i;
		bench.table.slots[i].nas.ran_ue_id = 0x00100000 + i;
	}
	fakes[0].behaviour = (struct behaviour){ .null = true };
	sequence = run_three(urgent_counts, urgent_priorities);
	cr_assert_leq(sequence.last_at[1], AHEAD + 64, "the urgent flight ended after %u frames", sequence.last_at[1]);
	cr_assert_leq(sequence.last_at[2], AHEAD + 64 + 640, "the next one ended after %u frames", sequence.last_at[2]);
	record_count = 0;
	sequence = run_three(equal_counts, equal_priorities);
	cr_assert_leq(sequence.last_at[2], AHEAD + 3 * 512, "the small flight ended after %u frames", sequence.last_at[2]);
	cr_assert_leq(sequence.run_max, 512, "a turn of %u frames", sequence.run_max);
	expect_pool_full();
	close_bench();
}

/* Each member is served by the one worker that owns its stripe. Fake engines are shared memory, so the reference does it here. */
Test(worker, workers_share_the_members_out, .timeout = 60)
{
	static const unsigned worker_counts[] = { 1, 2, 4 };
	const unsigned ues = 5 * FAN_CONTEXT_STRIPE + 100;
	struct fan_message message;

	cr_assert_eq(fan_eal_start("test_worker", 4, NULL), 0, "%s", fan_error_detail());
	fan_message_init(&message, "h", 1);
	for (size_t i = 0; i < RTE_DIM(worker_counts); i++) {
		struct fan_engine_list engines = { .count = 1 };
		struct fan_flight *flight;
		struct fan_result result;
		unsigned lcore = rte_get_next_lcore((unsigned)-1, 1, 0), active = 0;

		cr_assert_eq(fan_engine_find(&engines.choice[0], "ipsec-mb"), 0);
		open_bench("net_null", ues, worker_counts[i]);
		for (unsigned j = 0; j < worker_counts[i]; j++, lcore = rte_get_next_lcore(lcore, 1, 0)) {
			const struct fan_worker_config config = {
				.index = j,
				.worker_count = worker_counts[i],
				.engines = &engines,
				.egress = &bench.egress,
				.link = &bench.link,
				.hops = bench.hops,
			};

			cr_assert_eq(fan_worker_make(&bench.worker[j], &config), 0, "%s", fan_error_detail());
			bench.lcore[j] = lcore;
			cr_assert_eq(rte_eal_remote_launch(fan_worker_run, bench.worker[j], lcore), 0);
		}
		flight = make_flight(&message, FAN_PROFILE_EPS_NAS_NIDD, 10, ues - 20);
		hand(flight);
		result = finish(flight);
		stop_workers();
		cr_assert(result.ues == ues - 20 && result.created == ues - 20 && result.sent == ues - 20);
		for (unsigned j = 0; j < ues; j++)
			cr_assert_eq(fan_count_gap(&bench.table.slots[j]), j >= 10 && j < ues - 10 ? 1 : 0, "slot %u", j);
		for (unsigned j = 0; j < worker_counts[i]; j++)
			active += flight->legs[0].tally[j].sent > 0;
		cr_assert_eq(active, worker_counts[i]);
		expect_pool_full();
		fan_flight_free(flight);
		close_bench();
	}
}

/* ---- Order of messages and parts ------------------------------------------------------------------------------------------ */

/* Two legs whose shapes different engines take: each batch goes to one that takes it, those of the first leg's end too. */
Test(worker, the_last_batches_of_a_leg_go_to_its_own_engines, .timeout = 60)
{
	const unsigned ues = 200;
	struct fan_members members = { .set_count = 0 };
	struct fan_snapshot *snapshot;
	struct fan_message message;
	struct fan_flight *flight;

	open_bench("net_ring", ues, 1);
	fan_message_init(&message, "hello", 5);
	cr_assert_eq(fan_members_add_range(&members, 0, FAN_PROFILE_EPS_NAS_NIDD, 0, 100), 0);
	cr_assert_eq(fan_members_add_range(&members, 0, FAN_PROFILE_EPS_NAS_SMS, 100, 100), 0);
	cr_assert_eq(fan_snapshot_make(&snapshot, &members), 0);
	fan_members_free(&members);
	cr_assert_eq(fan_flight_make(&flight, snapshot, &bench.table, &message, &bench.link, 1), 0, "%s", fan_error_detail());
	fan_snapshot_release(snapshot);
	cr_assert_eq(flight->leg_count, 2);
	for (unsigned i = 0; i < 2; i++)
		fakes[i].behaviour = (struct behaviour){ .takes_text = flight->legs[i].plans.part[0].shape.text_bytes,
							 .hold = 3 };
	start_workers(2);
	hand(flight);
	cr_assert_eq(finish(flight).sent, ues);
	stop_workers();
	expect_all_accepted(ues);
	expect_pool_full();
	fan_flight_free(flight);
	close_bench();
}

/* An engine serves a message when it takes every part of it, not only the first or the last. */
Test(worker, an_engine_that_takes_some_parts_gets_none, .timeout = 60)
{
	const unsigned ues = 200;
	struct fan_message message;

	for (unsigned part = 0; part < 2; part++) {
		struct fan_flight *flight;

		open_bench("net_ring", ues, 1);
		fan_message_init(&message, two_parts, sizeof(two_parts) - 1);
		flight = make_flight(&message, FAN_PROFILE_EPS_NAS_SMS, 0, ues);
		cr_assert_eq(flight->legs[0].plans.part_count, 2);
		fakes[0].behaviour = (struct behaviour){ .takes_text = flight->legs[0].plans.part[part].shape.text_bytes };
		start_workers(2);
		hand(flight);
		cr_assert_eq(finish(flight).sent, 2 * ues);
		stop_workers();
		cr_assert_eq(fakes[0].taken, 0, "an engine that takes part %u alone", part);
		fan_flight_free(flight);
		close_bench();
	}
}

/* An urgent message does not wait for the end of a turn: what is begun of the other is all that goes before it. A first message of four
 * batches leaves room for one turn and a half of the second in the ring, where the engine keeps them until the urgent one is there. */
Test(worker, an_urgent_message_ends_the_turn_of_another, .timeout = 60)
{
	const unsigned ues = 4000, begun = 16 * FAN_BATCH_UES_MAX;
	struct fan_message message;
	struct fan_flight *flights[3];
	unsigned before = 0;

	open_bench("net_ring", ues, 1);
	fan_message_init(&message, "x", 1);
	flights[0] = make_flight(&message, FAN_PROFILE_EPS_NAS_NIDD, 0, 4 * FAN_BATCH_UES_MAX);
	flights[1] = make_flight(&message, FAN_PROFILE_EPS_NAS_NIDD, 256, 3000);
	message.priority = 7;
	flights[2] = make_flight(&message, FAN_PROFILE_EPS_NAS_NIDD, 3500, 300);
	fakes[0].behaviour.refuse_first = UINT_MAX;
	start_workers(1);
	hand(flights[0]);
	hand(flights[1]);
	while (fan_count_gap(&bench.table.slots[begun - 1]) == 0)
		;
	hand(flights[2]);
	rte_delay_ms(20);
	cr_assert_eq(fan_count_gap(&bench.table.slots[begun]), 0, "the ring holds more than it should");
	__atomic_store_n(&fakes[0].behaviour.refuse_first, 0, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(finish(flights[i]).dropped[FAN_DROP_ENGINE], 0);
	stop_workers();
	while (before < record_count && records[before].context < &bench.table.slots[3500])
		before++;
	cr_assert_eq(before, begun, "%u frames went before the urgent ones", before);
	expect_pool_full();
	for (unsigned i = 0; i < 3; i++)
		fan_flight_free(flights[i]);
	close_bench();
}

/* Texts of one UE's records, in the order in which they were protected, must rise in length: messages are as long as they are late. */
static void
expect_lengths_rise(unsigned ues)
{
	uint16_t *last = calloc(ues, sizeof(*last));

	for (unsigned i = 0; i < record_count; i++) {
		const size_t slot = (size_t)(records[i].context - bench.table.slots);

		cr_assert_gt(records[i].text_bytes, last[slot], "UE %zu sees a later message before an earlier one", slot);
		last[slot] = records[i].text_bytes;
	}
	free(last);
}

/* Five messages of one priority to groups that share members: begun in the order of acceptance, and seen in it by every UE. */
Test(worker, equal_messages_are_seen_in_the_order_of_acceptance, .timeout = 60)
{
	static const struct {
		unsigned first, count;
	} groups[5] = { { 0, 3000 }, { 2500, 1500 }, { 2900, 64 }, { 0, 4000 }, { 3999, 1 } };
	struct fan_message message[5];
	struct fan_flight *flight[5];

	open_bench("net_ring", 4000, 1);
	fakes[0].behaviour = (struct behaviour){ .hold = 2, .shuffle = true };
	for (unsigned round = 0; round < 20; round++) {
		start_workers(1);
		record_count = 0;
		for (unsigned i = 0; i < 5; i++) {
			/* In odd rounds all go to one group. */
			const unsigned first = round % 2 == 0 ? groups[i].first : 0,
				       count = round % 2 == 0 ? groups[i].count : 4000;

			fan_message_init(&message[i], "hello", 1 + i);
			flight[i] = make_flight(&message[i], FAN_PROFILE_EPS_NAS_NIDD, first, count);
			hand(flight[i]);
		}
		for (unsigned i = 0; i < 5; i++) {
			(void)finish(flight[i]);
			fan_flight_free(flight[i]);
		}
		stop_workers();
		expect_lengths_rise(4000);
		for (unsigned i = 0; i < 4000; i++)
			fan_count_acknowledge_all(&bench.table.slots[i]);
	}
	expect_pool_full();
	close_bench();
}

/* Frames that each UE got, from the records: of a message of two parts it must be none or two, with nothing between them. */
static void
expect_whole_messages(unsigned ues, uint16_t one_part_bytes)
{
	uint8_t *got = calloc(ues, sizeof(*got));

	for (unsigned i = 0; i < record_count; i++) {
		const size_t slot = (size_t)(records[i].context - bench.table.slots);

		if (records[i].text_bytes == one_part_bytes)
			cr_assert_neq(got[slot], 1, "UE %zu gets another message between two parts", slot);
		else
			got[slot]++;
	}
	for (unsigned i = 0; i < ues; i++)
		cr_assert(got[i] == 0 || got[i] == 2, "UE %u was sent %u of 2 parts", i, got[i]);
	free(got);
}

/* Reachability and leases change while parts are on their way, and another message of the same priority comes: whole or not at all. */
Test(worker, parts_of_a_message_reach_a_ue_whole_or_not_at_all, .timeout = 60)
{
	const unsigned ues = 2000;
	struct fan_message message, other;
	uint64_t sent = 0;

	open_bench("net_ring", ues, 1);
	fan_message_init(&message, two_parts, sizeof(two_parts) - 1);
	fan_message_init(&other, "x", 1);
	fakes[0].behaviour = (struct behaviour){ .refuse = 3 };
	for (unsigned round = 0; round < 10; round++) {
		struct fan_flight *flight = make_flight(&message, FAN_PROFILE_EPS_NAS_SMS, 0, ues);
		struct fan_worker_counters counters = { .created = 0 };
		struct fan_flight *short_one;
		uint16_t short_bytes;

		/* In odd rounds it is urgent, and would come between parts if anything could. */
		other.priority = round % 2 == 0 ? 0 : 3;
		short_one = make_flight(&other, FAN_PROFILE_EPS_NAS_NIDD, 0, ues);
		short_bytes = short_one->legs[0].plans.part[0].shape.text_bytes;
		for (unsigned i = 0; i < ues; i++) /* room for one part alone, for some */
			bench.table.slots[i].count_reserved = bench.table.slots[i].count + 1 + i % 7;
		record_count = 0;
		start_workers(1);
		hand(flight);
		while (counters.created == 0)
			fan_worker_counters_read(bench.worker[0], &counters);
		hand(short_one);
		for (unsigned turn = 0; !ended(flight) || !ended(short_one); turn++) {
			for (unsigned i = turn % 3; i < ues; i += 3)
				__atomic_store_n(&bench.table.slots[i].flags,
						 FAN_CONTEXT_PRESENT | (turn / 3 % 2 == 0 ? FAN_CONTEXT_UNREACHABLE : 0),
						 __ATOMIC_RELAXED);
			(void)receive();
		}
		sent += finish(flight).sent;
		(void)finish(short_one);
		stop_workers();
		expect_whole_messages(ues, short_bytes);
		expect_no_count_twice();
		fan_flight_free(flight);
		fan_flight_free(short_one);
		for (unsigned i = 0; i < ues; i++) {
			bench.table.slots[i].flags = FAN_CONTEXT_PRESENT;
			fan_count_acknowledge_all(&bench.table.slots[i]);
		}
	}
	cr_assert_gt(sent, 0);
	expect_pool_full();
	close_bench();
}

/* A replay that takes fresh COUNTs in the middle of a message: those of the parts behind it must be higher still. */
Test(worker, fresh_counts_between_parts_leave_none_too_low, .timeout = 60)
{
	static const struct behaviour behaviours[] = {
		{ .fail_every = 1, .fail_as = FAN_BATCH_EXPOSED },
		{ .fail_every = 2, .fail_as = FAN_BATCH_EXPOSED },
		{ .fail_every = 5, .fail_as = FAN_BATCH_EXPOSED, .hold = 3, .shuffle = true },
		{ .fail_every = 1, .fail_as = FAN_BATCH_EXPOSED, .hold = 15 },
	};
	static char text[153 * FAN_TRANSACTIONS_MAX];
	struct fan_message message;
	const unsigned ues = 450;
	uint64_t frames = 0;

	memset(text, 'a', sizeof(text));
	open_bench("net_ring", ues, 1);
	fan_message_init(&message, text, sizeof(text));
	for (size_t i = 0; i < RTE_DIM(behaviours); i++) {
		struct fan_flight *flight = make_flight(&message, FAN_PROFILE_EPS_NAS_SMS, 0, ues);
		struct fan_result result;

		cr_assert_eq(flight->legs[0].plans.part_count, FAN_TRANSACTIONS_MAX,
			     "three times as many batches as a worker has");
		record_count = 0;
		fakes[0].behaviour = behaviours[i];
		start_workers(2);
		hand(flight);
		result = finish(flight);
		stop_workers();
		cr_assert_eq(result.created, FAN_TRANSACTIONS_MAX * ues);
		frames += result.sent;
		expect_all_accepted(frames);
		expect_no_count_twice();
		expect_pool_full();
		for (unsigned j = 0; j < ues; j++)
			fan_count_acknowledge_all(&bench.table.slots[j]);
		fan_flight_free(flight);
	}
	cr_assert_eq(frames, RTE_DIM(behaviours) * FAN_TRANSACTIONS_MAX * ues);
	close_bench();
}

/* The last short message that a UE accepted has the transaction and reference that it was given last. */
static void
expect_last_number(unsigned ue)
{
	const struct fan_test_subscriber *subscriber = &bench.side.subscribers[ue];
	const struct fan_context *context = &bench.table.slots[ue];

	cr_assert_eq((subscriber->transaction + 1) % 7, context->nas.transaction, "UE %u", ue);
	cr_assert_eq((uint8_t)(subscriber->rp_reference + 1), context->nas.rp_reference, "UE %u", ue);
}

/* Leases that end while the parts of a message take fresh COUNTs: a UE without a COUNT for each of them gets none. A transaction is opened
 * once for a part, whatever COUNTs it takes, and is closed when the part never left. */
Test(worker, parts_that_take_fresh_counts_reach_a_ue_whole_or_not_at_all, .timeout = 60)
{
	static char text[153 * 3];
	struct fan_message message;
	const unsigned ues = 300;
	struct fan_flight *flight;
	struct fan_result result;
	unsigned whole = 0;

	memset(text, 'a', sizeof(text));
	open_bench("net_ring", ues, 1);
	fan_message_init(&message, text, sizeof(text));
	for (unsigned hold = 1; hold < 15; hold++) {
		const bool first_part = hold % 2 !=
					0; /* that of the first UEs fails; else a part behind others that were protected */

		flight = make_flight(&message, FAN_PROFILE_EPS_NAS_SMS, 0, ues);
		cr_assert_eq(flight->legs[0].plans.part_count, 3);
		for (unsigned i = 0; i < ues; i++)
			bench.table.slots[i].count_reserved = bench.table.slots[i].count + 2 + i % 6;
		record_count = 0;
		fakes[0].behaviour = (struct behaviour){
			.fail_first = true, .fail_as = FAN_BATCH_EXPOSED, .hold = hold, .shuffle = !first_part
		};
		start_workers(2);
		hand(flight);
		result = finish(flight);
		stop_workers();
		cr_assert_eq(result.created, result.sent + result.dropped[FAN_DROP_RESERVATION]);
		for (unsigned i = 0; i < ues; i++) {
			const struct fan_context *context = &bench.table.slots[i];
			const uint64_t got = bench.side.subscribers[i].accepted;

			bench.side.subscribers[i].accepted = 0;
			cr_assert(got == 0 || got == 3, "hold %u: UE %u was sent %lu of 3 parts", hold, i, got);
			cr_assert(got == 0 || i % 6 > 0, "UE %u has no COUNTs for three parts", i);
			if (got == 3)
				cr_assert_eq(context->transactions_open, 3, "hold %u: UE %u has %u open", hold, i,
					     context->transactions_open);
			if (got == 3)
				expect_last_number(i);
			whole += first_part && got == 3 && i < 64 && i % 6 > 3;
			cr_assert(!first_part || i >= 64 || i % 6 > 3 || got == 0, "UE %u has no COUNTs for three parts twice",
				  i);
			fan_count_acknowledge_all(&bench.table.slots[i]);
		}
		expect_no_count_twice();
		expect_pool_full();
		fan_flight_free(flight);
	}
	cr_assert_gt(whole, 0, "no UE of the batch that failed had its parts");
	close_bench();
}

/* Engines that fail a part, of the only kind there is or of the last that took it: the message is sent to a UE whole or not at all, and what
 * was not sent opened no transaction. */
Test(worker, a_part_that_no_engine_protects_ends_its_message, .timeout = 60)
{
	static const struct behaviour behaviours[] = {
		{ .fail_every = 2, .fail_as = FAN_BATCH_UNTOUCHED },
		{ .fail_every = 5, .fail_as = FAN_BATCH_UNTOUCHED, .hold = 6, .shuffle = true },
		{ .fail_every = 4, .fail_as = FAN_BATCH_UNTOUCHED, .refuse = 2, .hold = 2 },
		{ .fail_every = 3, .fail_as = FAN_BATCH_EXPOSED },
		{ .dies_after = 8, .fail_as = FAN_BATCH_UNTOUCHED },
		{ .dies_after = 11, .fail_as = FAN_BATCH_EXPOSED, .hold = 4 },
		{ .dies_after = 9, .fail_as = FAN_BATCH_UNTOUCHED, .latency_s = 0.01 },
		{ .leaves_after = 3, .fail_first = true, .fail_as = FAN_BATCH_UNTOUCHED, .hold = 4 },
	};
	static char text[153 * FAN_TRANSACTIONS_MAX];
	const unsigned ues = 400;
	struct fan_message message;
	unsigned failed = 0;

	memset(text, 'a', sizeof(text));
	for (size_t row = 0; row < RTE_DIM(behaviours); row++)
		for (unsigned parts = 2; parts <= FAN_TRANSACTIONS_MAX; parts += row % 2 == 0 ? 5 : 3) {
			unsigned whole = 0;
			struct fan_flight *flight;
			struct fan_result result;

			open_bench("net_ring", ues, 1);
			fan_message_init(&message, text, 153 * parts);
			fakes[0].behaviour = behaviours[row];
			start_workers(1);
			flight = make_flight(&message, FAN_PROFILE_EPS_NAS_SMS, 0, ues);
			cr_assert_eq(flight->legs[0].plans.part_count, parts);
			hand(flight);
			result = finish(flight);
			stop_workers();
			cr_assert_eq(result.created, result.sent + result.dropped[FAN_DROP_ENGINE], "row %zu", row);
			for (unsigned i = 0; i < ues; i++) {
				const uint64_t got = bench.side.subscribers[i].accepted;

				cr_assert(got == 0 || got == parts, "row %zu: UE %u was sent %lu of %u parts", row, i, got,
					  parts);
				/* Of what did not leave, as many as could be given back. */
				cr_assert(bench.table.slots[i].transactions_open >= got &&
						  bench.table.slots[i].transactions_open <= parts,
					  "row %zu: UE %u has %u open", row, i, bench.table.slots[i].transactions_open);
				whole += got == parts;
			}
			cr_assert_eq(whole * parts, result.sent);
			failed += whole < ues;
			expect_no_count_twice();
			expect_pool_full();
			fan_flight_free(flight);
			close_bench();
		}
	cr_assert_geq(failed, RTE_DIM(behaviours), "hardly a part failed");
}

static struct fan_result
send_to_all(const char *text, size_t byte_count, enum fan_profile profile, unsigned ues)
{
	struct fan_flight *flight;
	struct fan_message message;
	struct fan_result result;

	fan_message_init(&message, text, byte_count);
	flight = make_flight(&message, profile, 0, ues);
	hand(flight);
	result = finish(flight);
	fan_flight_free(flight);
	return result;
}

/* Three short messages are open at each UE; what never left gives its identifiers back, or keeps them: no open one is given again. */
Test(worker, no_open_transaction_is_given_again, .timeout = 60)
{
	static const struct behaviour behaviours[] = {
		{ .fail_every = 1, .fail_as = FAN_BATCH_UNTOUCHED },
		{ .fail_every = 1, .fail_as = FAN_BATCH_UNTOUCHED, .latency_s = 0.01 },
		{ .fail_every = 1, .fail_as = FAN_BATCH_UNTOUCHED, .hold = 3, .shuffle = true },
		{ .fail_every = 1, .fail_as = FAN_BATCH_EXPOSED },
	};
	static char text[153 * 4];

	memset(text, 'a', sizeof(text));
	for (size_t row = 0; row < RTE_DIM(behaviours); row++) {
		bool open[7] = { false };
		unsigned sent = 0;

		open_bench("net_ring", 64, 1);
		start_workers(1);
		for (unsigned i = 0; i < 3; i++) {
			cr_assert_eq(send_to_all("first", 5, FAN_PROFILE_EPS_NAS_SMS, 64).sent, 64);
			open[bench.side.subscribers[7].transaction] = true;
		}
		fakes[0].behaviour = behaviours[row];
		cr_assert_eq(send_to_all(text, sizeof(text), FAN_PROFILE_EPS_NAS_SMS, 64).dropped[FAN_DROP_ENGINE], 4 * 64);
		cr_assert_leq(bench.table.slots[7].transactions_open, 7);
		fakes[0].behaviour = (struct behaviour){ .hold = 0 };
		while (send_to_all("next", 4, FAN_PROFILE_EPS_NAS_SMS, 64).sent == 64) {
			const uint8_t now = bench.side.subscribers[7].transaction;

			cr_assert_not(open[now], "row %zu: transaction %u is open", row, now);
			open[now] = true;
			sent++;
		}
		cr_assert_gt(sent, 0, "row %zu", row);
		stop_workers();
		expect_pool_full();
		close_bench();
	}
}

/* A lease of just seven COUNTs, and a message of as many parts that an engine fails: what is left open is what may be at the UE. */
Test(worker, parts_that_had_no_fresh_counts_open_nothing, .timeout = 60)
{
	static char text[153 * FAN_TRANSACTIONS_MAX];

	memset(text, 'a', sizeof(text));
	for (unsigned hold = 0; hold < 8; hold += 3) {
		open_bench("net_ring", 64, 1);
		for (unsigned i = 0; i < 64; i++)
			bench.table.slots[i].count_reserved = bench.table.slots[i].count + FAN_TRANSACTIONS_MAX;
		fakes[0].behaviour = (struct behaviour){ .fail_first = true, .fail_as = FAN_BATCH_EXPOSED, .hold = hold };
		start_workers(2);
		cr_assert_eq(send_to_all(text, sizeof(text), FAN_PROFILE_EPS_NAS_SMS, 64).dropped[FAN_DROP_RESERVATION],
			     FAN_TRANSACTIONS_MAX * 64);
		for (unsigned i = 0; i < 64; i++) {
			cr_assert_eq(bench.table.slots[i].transactions_open, 1, "hold %u: UE %u has %u open", hold, i,
				     bench.table.slots[i].transactions_open);
			cr_assert_eq(fan_count_lease(&bench.table.slots[i], FAN_KIND_EPS_NAS, bench.table.slots[i].count + 10),
				     0);
		}
		cr_assert_eq(send_to_all("hello", 5, FAN_PROFILE_EPS_NAS_SMS, 64).sent, 64);
		stop_workers();
		expect_pool_full();
		close_bench();
	}
}

/* Fifteen messages and the first part of another fill the ring when the first batch fails; UEs that cannot be reached any more when the
 * second part is begun have its COUNT already. */
Test(worker, a_ue_lost_between_parts_gets_all_or_none, .timeout = 60)
{
	struct fan_message message;
	struct fan_flight *flights[16];
	const double deadline = fan_test_now_s() + WAIT_SECONDS;
	uint32_t count;

	open_bench("net_ring", 64, 1);
	count = fan_count_next(&bench.table.slots[63]);
	fakes[0].behaviour = (struct behaviour){ .latency_s = 0.05, .fail_first = true, .fail_as = FAN_BATCH_EXPOSED };
	fakes[1].behaviour = (struct behaviour){ .latency_s = 0.2 };
	start_workers(2);
	for (unsigned i = 0; i < 16; i++) {
		if (i < 15)
			fan_message_init(&message, "hello", 5);
		else
			fan_message_init(&message, two_parts, sizeof(two_parts) - 1);
		flights[i] = make_flight(&message, i < 15 ? FAN_PROFILE_EPS_NAS_NIDD : FAN_PROFILE_EPS_NAS_SMS, 0, 64);
		hand(flights[i]);
	}
	while (fan_count_next(&bench.table.slots[63]) < count + 17 + 17)
		cr_assert_lt(fan_test_now_s(), deadline, "no fresh COUNTs were taken");
	for (unsigned i = 0; i < 32; i++)
		__atomic_store_n(&bench.table.slots[i].flags, FAN_CONTEXT_PRESENT | FAN_CONTEXT_UNREACHABLE, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 16; i++)
		while (!ended(flights[i])) {
			cr_assert_lt(fan_test_now_s(), deadline);
			(void)receive();
		}
	while (receive() > 0)
		;
	stop_workers();
	for (unsigned i = 0; i < 64; i++)
		cr_assert_eq(bench.side.subscribers[i].accepted, 17, "UE %u", i);
	expect_no_count_twice();
	for (unsigned i = 0; i < 16; i++) {
		take_ended();
		fan_flight_free(flights[i]);
	}
	expect_pool_full();
	close_bench();
}

/* The only engine fails a batch: nobody else takes fresh COUNTs for it, and the reason is the engine. */
Test(worker, a_batch_without_an_engine_costs_others_nothing, .timeout = 60)
{
	struct fan_message message;
	struct fan_flight *first, *second;

	open_bench("net_ring", 64, 1);
	for (unsigned i = 0; i < 64; i++)
		bench.table.slots[i].count_reserved = bench.table.slots[i].count + 2;
	fakes[0].behaviour = (struct behaviour){ .latency_s = 0.05, .fail_first = true, .fail_as = FAN_BATCH_EXPOSED };
	fan_message_init(&message, "a", 1);
	start_workers(1);
	first = make_flight(&message, FAN_PROFILE_EPS_NAS_NIDD, 0, 64);
	second = make_flight(&message, FAN_PROFILE_EPS_NAS_NIDD, 0, 64);
	hand(first);
	hand(second);
	cr_assert_eq(finish(first).dropped[FAN_DROP_ENGINE], 64);
	cr_assert_eq(finish(second).sent, 64);
	stop_workers();
	expect_no_count_twice();
	expect_pool_full();
	fan_flight_free(first);
	fan_flight_free(second);
	close_bench();
}

/* A pair of UTF-16 that would be cut makes the first part shorter than the second: where that is too long now, neither leaves. */
Test(worker, no_part_leaves_while_another_is_too_long, .timeout = 60)
{
	static char text[1000];
	struct fan_message message;
	struct fan_flight *flight;
	char *at = text;

	for (unsigned i = 0; i < 132; i++)
		at += sprintf(at, "%s", i == 66 ? "\U0001f600" : "\u0416");
	open_bench("net_ring", 64, 1);
	fan_message_init(&message, text, strlen(text));
	flight = make_flight(&message, FAN_PROFILE_EPS_NAS_SMS, 0, 64);
	cr_assert_eq(flight->legs[0].plans.part_count, 2);
	cr_assert_lt(flight->legs[0].plans.part[0].frame_bytes_max, flight->legs[0].plans.part[1].frame_bytes_max);
	bench.egress.frame_bytes_max = flight->legs[0].plans.part[0].frame_bytes_max;
	start_workers(1);
	hand(flight);
	usleep(20000);
	cr_assert_eq(receive(), 0, "the first part has left");
	__atomic_store_n(&flight->stop, FAN_DROP_EXPIRED, __ATOMIC_RELAXED);
	cr_assert_eq(finish(flight).dropped[FAN_DROP_EXPIRED], 128);
	stop_workers();
	expect_pool_full();
	fan_flight_free(flight);
	close_bench();
}

/* PDUs that may have left are the UE's to answer: their transactions stay open, although the flight was stopped before they left again. */
Test(worker, an_exposed_short_message_may_be_open, .timeout = 60)
{
	static bool exposed[3000];
	const unsigned ues = 3000;
	struct fan_message message;
	struct fan_flight *flight;
	unsigned kept_back = 0;

	open_bench("net_ring", ues, 1);
	fan_message_init(&message, "hello", 5);
	fakes[0].behaviour = (struct behaviour){ .fail_every = 1, .fail_as = FAN_BATCH_EXPOSED };
	start_workers(2);
	flight = make_flight(&message, FAN_PROFILE_EPS_NAS_SMS, 0, ues);
	hand(flight);
	wait_until_still();
	__atomic_store_n(&flight->stop, FAN_DROP_CANCELLED, __ATOMIC_RELAXED);
	while (!ended(flight))
		;
	(void)finish(flight);
	stop_workers();
	for (unsigned i = 0; i < record_count; i++)
		if (records[i].status == FAN_BATCH_EXPOSED)
			exposed[records[i].context - bench.table.slots] = true;
	for (unsigned i = 0; i < ues; i++) {
		const bool accepted = bench.side.subscribers[i].accepted > 0;

		cr_assert_eq(bench.table.slots[i].transactions_open, accepted || exposed[i], "UE %u", i);
		kept_back += exposed[i] && !accepted;
	}
	cr_assert_gt(kept_back, 0);
	fan_flight_free(flight);
	close_bench();
}

/* NIDD and short messages of one message are cancelled while an engine takes its time: no UE has a part. */
Test(worker, a_stop_of_one_leg_cuts_no_message_of_another, .timeout = 60)
{
	const unsigned ues = 64 * 13;
	struct fan_members members = { .set_count = 0 };
	struct fan_snapshot *snapshot;
	struct fan_message message;
	struct fan_flight *flight;
	struct fan_result result;

	fan_message_init(&message, two_parts, sizeof(two_parts) - 1);
	open_bench("net_ring", ues, 1);
	fakes[0].behaviour = (struct behaviour){ .latency_s = 0.05 };
	start_workers(1);
	cr_assert_eq(fan_members_add_range(&members, 0, FAN_PROFILE_EPS_NAS_NIDD, 0, 64), 0);
	cr_assert_eq(fan_members_add_range(&members, 0, FAN_PROFILE_EPS_NAS_SMS, 64, ues - 64), 0);
	cr_assert_eq(fan_snapshot_make(&snapshot, &members), 0);
	fan_members_free(&members);
	message.originator = "+49123";
	message.service_centre = "+49123";
	cr_assert_eq(fan_flight_make(&flight, snapshot, &bench.table, &message, &bench.link, 1), 0, "%s", fan_error_detail());
	fan_snapshot_release(snapshot);
	hand(flight);
	usleep(10000);
	__atomic_store_n(&flight->stop, FAN_DROP_CANCELLED, __ATOMIC_RELAXED);
	result = finish(flight);
	cr_assert_eq(result.created, result.sent + result.dropped[FAN_DROP_CANCELLED]);
	for (unsigned i = 64; i < ues; i++)
		cr_assert_neq(bench.side.subscribers[i].accepted, 1, "UE %u has one of two parts", i);
	stop_workers();
	expect_pool_full();
	fan_flight_free(flight);
	close_bench();
}

/* The only engine dies in the middle: only what was under way has spent COUNT, all else is reported with its window whole. */
Test(worker, no_count_is_spent_once_no_engine_is_left, .timeout = 60)
{
	const unsigned ues = 5000;
	struct fan_message message;
	struct fan_flight *flight;
	struct fan_result result;
	unsigned spent = 0;

	open_bench("net_ring", ues, 1);
	fan_message_init(&message, "hello", 5);
	fakes[0].behaviour = (struct behaviour){ .dies_after = 10, .fail_as = FAN_BATCH_EXPOSED };
	start_workers(1);
	flight = make_flight(&message, FAN_PROFILE_EPS_NAS_NIDD, 0, ues);
	hand(flight);
	result = finish(flight);
	stop_workers();
	cr_assert_eq(result.created, ues);
	cr_assert_eq(result.sent, 640);
	cr_assert_eq(result.dropped[FAN_DROP_ENGINE], ues - 640);
	for (unsigned i = 0; i < ues; i++)
		spent += fan_count_next(&bench.table.slots[i]) != bench.side.subscribers[i].ue.count;
	cr_assert_leq(spent, 640 + 16 * 64, "%u UEs spent a COUNT, of %lu that were sent something", spent, result.sent);
	expect_pool_full();
	fan_flight_free(flight);
	close_bench();
}

/* The lengths of the frames that one UE gets of three messages and one of two parts. */
static unsigned
lengths_seen(uint16_t lengths[8], const struct behaviour *behaviour)
{
	static const char *const texts[] = { "a", "bb", two_parts, "cccc" };
	const double deadline = fan_test_now_s() + WAIT_SECONDS;
	struct fan_flight *flights[RTE_DIM(texts)];
	struct rte_mbuf *frame;
	unsigned seen = 0;

	fakes[0].behaviour = *behaviour;
	start_workers(2);
	for (size_t i = 0; i < RTE_DIM(texts); i++) {
		struct fan_message message;

		fan_message_init(&message, texts[i], strlen(texts[i]));
		flights[i] = make_flight(&message, i == 2 ? FAN_PROFILE_EPS_NAS_SMS : FAN_PROFILE_EPS_NAS_NIDD, 0, 1);
		hand(flights[i]);
	}
	while (!ended(flights[0]) || !ended(flights[1]) || !ended(flights[2]) || !ended(flights[3]))
		cr_assert_lt(fan_test_now_s(), deadline, "the flights do not end");
	while (seen < 8 && rte_eth_rx_burst(bench.egress.port, 0, &frame, 1) == 1) {
		lengths[seen++] = (uint16_t)frame->pkt_len;
		(void)fan_test_side_receive(&bench.side, rte_pktmbuf_mtod(frame, const uint8_t *), frame->pkt_len);
		rte_pktmbuf_free(frame);
	}
	stop_workers();
	for (size_t i = 0; i < RTE_DIM(texts); i++) {
		take_ended();
		fan_flight_free(flights[i]);
	}
	fan_count_acknowledge_all(&bench.table.slots[0]);
	return seen;
}

/* A batch that needs fresh COUNTs while later messages to its UE, and later parts, are under way: the UE sees the order all the same. */
Test(worker, fresh_counts_keep_the_order_of_messages_and_parts, .timeout = 60)
{
	static const struct behaviour honest = { .hold = 0 };
	static const struct behaviour behaviours[] = {
		{ .fail_first = true, .fail_as = FAN_BATCH_EXPOSED, .hold = 4 },
		{ .fail_first = true, .fail_as = FAN_BATCH_EXPOSED, .hold = 4, .shuffle = true },
		{ .fail_first = true, .fail_as = FAN_BATCH_EXPOSED, .latency_s = 0.1 },
		{ .fail_every = 2, .fail_as = FAN_BATCH_EXPOSED, .hold = 1 },
		{ .fail_every = 1, .fail_as = FAN_BATCH_EXPOSED, .hold = 4 },
	};
	uint16_t wanted[8], got[8];

	open_bench("net_ring", 1, 1);
	cr_assert_eq(lengths_seen(wanted, &honest), 5);
	for (size_t i = 0; i < RTE_DIM(behaviours); i++) {
		record_count = 0;
		cr_assert_eq(lengths_seen(got, &behaviours[i]), 5);
		cr_assert_arr_eq(got, wanted, 5 * sizeof(got[0]), "row %zu: %u %u %u %u %u octets", i, got[0], got[1], got[2],
				 got[3], got[4]);
		expect_no_count_twice();
	}
	expect_all_accepted(5 * (1 + RTE_DIM(behaviours)));
	expect_pool_full();
	close_bench();
}

/* While workers stand, tunnels and next hops may change: a batch from before is not replayed as another text under its COUNTs. */
Test(worker, a_replay_after_a_pause_takes_fresh_counts, .timeout = 60)
{
	struct fan_message message;

	fan_message_init(&message, "hello", 5);
	open_bench("net_ring", 64, 1);
	for (unsigned pauses = 0; pauses < 2; pauses++) {
		const uint32_t count = bench.table.slots[7].count;
		struct fan_worker_counters counters = { .created = 0 };
		struct fan_flight *flight = make_flight(&message, FAN_PROFILE_EPS_NAS_NIDD, 0, 64);

		record_count = 0;
		fakes[0].behaviour = (struct behaviour){ .fail_first = true, .fail_as = FAN_BATCH_UNTOUCHED, .latency_s = 0.3 };
		start_workers(2);
		hand(flight);
		while (counters.created < 64)
			fan_worker_counters_read(bench.worker[0], &counters);
		if (pauses > 0) {
			fan_workers_pause(bench.worker, 1);
			fan_workers_resume(bench.worker, 1);
		}
		cr_assert_eq(finish(flight).sent, 64);
		stop_workers();
		cr_assert_eq(bench.table.slots[7].count, count + 1 + pauses);
		expect_no_count_twice();
		fan_flight_free(flight);
	}
	expect_all_accepted(2 * 64);
	expect_pool_full();
	close_bench();
}

/* Stops a message of two parts in the middle, with the port full. Out: the result. Returns for how long the port stood still, at most. */
static double
stop_in_the_middle(struct fan_result *result, const struct fan_message *message, unsigned ues, bool stuck)
{
	struct fan_flight *flight = make_flight(message, FAN_PROFILE_EPS_NAS_SMS, 0, ues);
	struct fan_worker_counters counters = { .sent = 0 };
	double still_since = fan_test_now_s(), still_s, deadline;

	hand(flight);
	while (counters.sent < 1000) { /* of 1023 */
		still_since = fan_test_now_s();
		fan_worker_counters_read(bench.worker[0], &counters);
	}
	__atomic_store_n(&flight->stop, FAN_DROP_CANCELLED, __ATOMIC_RELAXED);
	usleep(2000);
	deadline = fan_test_now_s() + 10; /* a hundred times what the worker waits for the port */
	while (stuck && !ended(flight))
		cr_assert_lt(fan_test_now_s(), deadline, "a port that stands still holds a cancelled message");
	(void)receive();
	still_s = fan_test_now_s() - still_since;
	*result = finish(flight);
	fan_flight_free(flight);
	return still_s;
}

/* Members that have a part get the rest, as long as the port takes anything; from one that stands still nobody waits for it. */
Test(worker, a_message_that_is_stopped_leaves_no_ue_with_a_part, .timeout = 60)
{
	const unsigned ues = 3000;
	struct fan_message message;
	unsigned judged = 0;

	fan_message_init(&message, two_parts, sizeof(two_parts) - 1);
	for (unsigned attempt = 0; attempt < 20; attempt++) {
		const bool stuck = attempt == 0;
		struct fan_result result;
		bool moved;
		unsigned whole = 0;

		open_bench("net_ring", ues, 1);
		start_workers(1);
		moved = stop_in_the_middle(&result, &message, ues, stuck) < 0.09; /* a busy machine may be slower */
		judged += moved;
		cr_assert_eq(result.sent + result.dropped[FAN_DROP_CANCELLED], result.created);
		for (unsigned i = 0; i < ues; i++) {
			const uint64_t accepted = bench.side.subscribers[i].accepted;

			cr_assert(!moved || accepted != 1, "UE %u has one of two parts", i);
			cr_assert_eq(bench.table.slots[i].transactions_open, accepted, "UE %u: what never left opens nothing",
				     i);
			whole += accepted == 2;
		}
		cr_assert_gt(whole, 0);
		stop_workers();
		expect_no_count_twice();
		expect_pool_full();
		close_bench();
		if (judged > 0)
			return;
	}
	cr_assert_fail("a port that moved was never seen");
}

/* The limit is told by members, and between those of one batch may lie any number of other workers': it begins before the limit. */
Test(worker, a_batch_that_begins_before_the_limit_goes, .timeout = 60)
{
	static const char text[] = "before the limit";
	struct fan_message message;
	struct fan_flight *flight;

	open_bench("net_ring", 200, 1);
	cr_assert_eq(fan_context_table_mark(&bench.table), 0);
	bench.table.marks[0] = FAN_MARK_MAX;
	start_workers(1);
	fan_message_init(&message, text, sizeof(text));
	flight = make_flight(&message, FAN_PROFILE_EPS_NAS_NIDD, 0, 200);
	flight->limit = fan_flight_place(0, 30);
	hand(flight);
	wait_until_still();
	while (receive() > 0)
		;
	cr_assert_eq(bench.side.frames, FAN_BATCH_UES_MAX, "%lu frames", bench.side.frames);
	cr_assert_eq(fan_flight_position(flight), fan_flight_place(0, FAN_BATCH_UES_MAX));
	__atomic_store_n(&flight->limit, UINT64_MAX, __ATOMIC_RELAXED);
	cr_assert_eq(finish(flight).sent, 200);
	fan_flight_free(flight);
	stop_workers();
	close_bench();
}

/* Members that were put off in an earlier process are served beside those from a slot on; of the former no more than the control thread allows, but
 * for a batch that begins before that. */
Test(worker, those_put_off_are_served_up_to_their_limit, .timeout = 60)
{
	static const char text[] = "some of them waited";
	const uint32_t from = 100, ues = 200;
	struct fan_message message;
	struct fan_flight *flight;

	open_bench("net_ring", ues, 1);
	cr_assert_eq(fan_paces_make(&bench.paces), 0);
	start_workers(1);
	fan_test_message(&message, text, sizeof(text) - 1);
	flight = make_flight(&message, FAN_PROFILE_EPS_NAS_NIDD, 0, ues);
	cr_assert_eq(fan_flight_make_late(flight), 0);
	flight->legs[0].from = from;
	flight->span[0].late_limit = 10;
	for (uint32_t slot = 0; slot < from; slot++) {
		fan_late_put_off(&flight->legs[0].late, 0, bench.table.slots[slot].next_hop, slot);
		bench.paces.hops[bench.table.slots[slot].next_hop].waiting++;
	}
	hand(flight);
	wait_until_still();
	while (receive() > 0)
		;
	cr_assert_eq(bench.side.frames, ues - from + FAN_BATCH_UES_MAX, "%lu frames", bench.side.frames);
	cr_assert_eq(flight->span[0].late_taken, FAN_BATCH_UES_MAX);
	__atomic_store_n(&flight->span[0].late_limit, UINT64_MAX, __ATOMIC_RELAXED);
	cr_assert_eq(finish(flight).sent, ues);
	for (unsigned hop = 0; hop < FAN_TEST_HOPS; hop++)
		cr_assert_eq(bench.paces.hops[hop].waiting, 0);
	fan_flight_free(flight);
	stop_workers();
	fan_paces_free(&bench.paces);
	close_bench();
}

/* What the ledger does for a worker that waits, on a disk that takes everything: a higher mark, or a checkpoint. Returns how many there were. */
static unsigned
serve_marks(unsigned ues)
{
	uint8_t *const mark = &bench.table.marks[0], *const waits = &bench.table.waits[0];
	uint8_t turn;

	if (__atomic_exchange_n(waits, 0, __ATOMIC_RELAXED) == 0)
		return 0;
	if ((*mark & FAN_MARK_COUNTS) < FAN_MARK_MAX) {
		__atomic_store_n(mark, (uint8_t)(*mark + 4), __ATOMIC_RELEASE);
		return 0;
	}
	turn = *mark & FAN_MARK_TURN;
	__atomic_store_n(mark, 0, __ATOMIC_RELEASE);
	fan_workers_pause(bench.worker, bench.worker_count);
	fan_workers_resume(bench.worker, bench.worker_count);
	for (unsigned i = 0; i < ues; i++)
		cr_assert_leq(fan_count_spent(&bench.table.slots[i], turn), FAN_MARK_MAX);
	__atomic_store_n(mark, (uint8_t)(turn + FAN_MARK_NEXT_TURN), __ATOMIC_RELEASE);
	return 1;
}

/* Fresh COUNTs are covered too, however many messages take them together. */
Test(worker, fresh_counts_wait_for_their_mark, .timeout = 60)
{
	static const struct behaviour behaviours[] = {
		{ .fail_first = true, .fail_as = FAN_BATCH_EXPOSED, .hold = 15 },
		{ .fail_every = 1, .fail_as = FAN_BATCH_EXPOSED, .hold = 15 },
		{ .fail_every = 3, .fail_as = FAN_BATCH_EXPOSED, .hold = 4, .shuffle = true },
		{ .fail_every = 2, .fail_as = FAN_BATCH_UNTOUCHED, .hold = 7 },
	};
	enum { UES_OF_BLOCK = 70, FLIGHTS = 24 };
	struct fan_flight *flights[FLIGHTS];
	struct fan_message message;

	open_bench("net_ring", UES_OF_BLOCK, 1);
	cr_assert_eq(fan_context_table_mark(&bench.table), 0);
	for (size_t row = 0; row < RTE_DIM(behaviours); row++) {
		const double deadline = fan_test_now_s() + WAIT_SECONDS;
		unsigned checkpoints = 0;
		uint64_t pdus = 0;

		record_count = 0;
		bench.side.frames = 0;
		fakes[0].behaviour = behaviours[row];
		start_workers(2);
		for (unsigned i = 0; i < FLIGHTS; i++) {
			const bool parts = i % 8 == 5;

			fan_test_message(&message, two_parts, parts ? strlen(two_parts) : 20 + i);
			flights[i] = make_flight(&message, parts ? FAN_PROFILE_EPS_NAS_SMS : FAN_PROFILE_EPS_NAS_NIDD, i % 3,
						 UES_OF_BLOCK - 3);
			pdus += (UES_OF_BLOCK - 3) * (parts ? 2U : 1U);
			hand(flights[i]);
		}
		for (unsigned i = 0; i < FLIGHTS; i++)
			while (!ended(flights[i])) {
				(void)receive();
				checkpoints += serve_marks(UES_OF_BLOCK);
				cr_assert_lt(fan_test_now_s(), deadline, "row %zu: flight %u waits for ever", row, i);
			}
		for (unsigned i = 0; i < FLIGHTS; i++)
			cr_assert_eq(finish(flights[i]).dropped[FAN_DROP_NONE], 0);
		cr_assert_gt(checkpoints, 0);
		expect_all_accepted(pdus);
		expect_no_count_twice();
		stop_workers();
		for (unsigned i = 0; i < FLIGHTS; i++)
			fan_flight_free(flights[i]);
		for (unsigned i = 0; i < UES_OF_BLOCK; i++)
			fan_count_acknowledge_all(&bench.table.slots[i]);
	}
	expect_pool_full();
	close_bench();
}

/* Engines fail while next hops have rates: what takes fresh COUNTs, is tried again or given up keeps its tokens or gives them back, once. */
Test(worker, tokens_are_counted_whatever_engines_do, .timeout = 60)
{
	static const struct behaviour behaviours[] = {
		{ .fail_every = 3, .fail_as = FAN_BATCH_EXPOSED, .hold = 3, .shuffle = true },
		{ .fail_every = 2, .fail_as = FAN_BATCH_UNTOUCHED, .refuse = 1 },
		{ .dies_after = 7, .fail_as = FAN_BATCH_EXPOSED, .hold = 2 },
		{ .fail_every = 1, .fail_as = FAN_BATCH_UNTOUCHED },
	};
	const unsigned ues = 1200;
	struct fan_message message;

	open_bench("net_ring", ues, 1);
	cr_assert_eq(fan_paces_make(&bench.paces), 0);
	fan_test_message(&message, two_parts, sizeof(two_parts) - 1);
	bench.side.message = &message;
	for (unsigned hop = 0; hop < FAN_TEST_HOPS; hop++) {
		fan_next_hop_rate_init(&bench.paces.hops[hop].rate);
		bench.paces.hops[hop].rate.pdus_per_s = hop == 0 ? 0 : 5000 * hop;
		fan_pace_enforce(&bench.paces, hop, rte_rdtsc());
	}
	for (size_t i = 0; i < RTE_DIM(behaviours); i++) {
		struct fan_flight *flights[2];
		struct fan_result result;
		uint64_t left = 0, sent = 0;

		fakes[0].behaviour = behaviours[i];
		fakes[1].behaviour = (struct behaviour){ .hold = 1 };
		start_workers(i < 3 ? 2 : 1);
		for (unsigned j = 0; j < 2; j++) {
			flights[j] = make_flight(&message, FAN_PROFILE_EPS_NAS_SMS, 0, ues);
			cr_assert_eq(fan_flight_make_late(flights[j]), 0);
			hand(flights[j]);
		}
		for (unsigned j = 0; j < 2; j++) {
			result = finish(flights[j]);
			sent += result.sent;
			cr_assert(result.created == 2 * ues);
			cr_assert(i == 3 ? result.dropped[FAN_DROP_ENGINE] == 2 * ues : result.sent > 0, "row %zu", i);
			fan_flight_free(flights[j]);
		}
		stop_workers();
		for (unsigned hop = 0; hop < FAN_TEST_HOPS; hop++) {
			const struct fan_pace *pace = &bench.paces.hops[hop];

			cr_assert(pace->pdus.out == 0 && pace->octets.out == 0 && pace->waiting == 0,
				  "row %zu: next hop %u: %lu out", i, hop, pace->pdus.out);
			left += pace->pdus_left;
			bench.paces.hops[hop].pdus_left = 0;
		}
		cr_assert_leq(left, sent);
		cr_assert(i == 3 || left > sent / 2, "row %zu: %lu of %lu under a rate", i, left, sent);
		expect_pool_full();
		for (unsigned j = 0; j < ues; j++)
			fan_count_acknowledge_all(&bench.table.slots[j]);
	}
	expect_no_count_twice();
	for (unsigned i = 1; i < FAN_UE_VERDICT_COUNT; i++)
		cr_assert_eq(bench.side.verdicts[i], 0, "%lu x %s", bench.side.verdicts[i],
			     fan_ue_verdict_name((enum fan_ue_verdict)i));
	fan_paces_free(&bench.paces);
	close_bench();
}
