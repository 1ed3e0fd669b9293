/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine fpga on a fake card: every shape against the reference engine, with memory mapped and copied; and what comes of
 * batches when the card lies, hangs, dies or is pulled out.
 */
#include "../dataplane/context/memory.h"
#include "../dataplane/engine/reference/claim.h"
#include "../dataplane/engine/reference/reference.h"
#include "../driver/engine_fpga.h"
#include "batch.h"
#include "fake_card.h"

#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <criterion/redirect.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const struct fan_fake_behaviour honest;

/* The clock by which the driver knows how old a proof is, once a test has it stand still: then only the test lets it go on. */
static int64_t standing_ms;

int
clock_gettime(clockid_t clock, struct timespec *time)
{
	if (clock != CLOCK_MONOTONIC_COARSE || standing_ms == 0)
		return (int)syscall(SYS_clock_gettime, clock, time);
	*time = (struct timespec){ .tv_sec = standing_ms / 1000, .tv_nsec = standing_ms % 1000 * 1000000 };
	return 0;
}

static void
stop_the_clock(void)
{
	struct timespec now;

	cr_assert_eq(clock_gettime(CLOCK_MONOTONIC_COARSE, &now), 0);
	standing_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct fan_engine *
open_engine(void)
{
	struct fan_engine *engine;

	cr_assert_eq(fan_engine_fpga.open(&engine, NULL), 0, "%s", fan_error_detail());
	return engine;
}

/* The card is honest until it has been opened: tricks are played on batches. */
static struct fan_engine *
open_on(const struct fan_fake_behaviour *behaviour)
{
	struct fan_fake_behaviour first = *behaviour;
	struct fan_engine *engine;

	first.trick = FAN_FAKE_HONEST;
	fan_fake_install(&first);
	engine = open_engine();
	fan_fake_begin(behaviour->trick, behaviour->trick_at, behaviour->again);
	return engine;
}

/* Closes the last instance: nothing is left behind. */
static void
close_engine(struct fan_engine *engine)
{
	struct fan_fake_view view;

	engine->ops->close(engine);
	view = fan_fake_look();
	cr_assert(!view.open && view.dma_allocated == 0 && view.dma_mapped == 0);
	cr_assert_eq(view.dirty_frees, 0, "memory of the card's was freed with something in it");
}

static void
announce(const struct fan_test_batch *test)
{
	fan_memory_add(test->packets, test->packets_bytes, FAN_MEMORY_WRITE);
	fan_memory_add(test->shared, test->shared_bytes, FAN_MEMORY_READ);
}

static void
withdraw(const struct fan_test_batch *test)
{
	fan_memory_remove(test->packets);
	fan_memory_remove(test->shared);
}

/* By the card's state; statistics are shared, so a second opening sees them. */
static struct fan_card_statistics
statistics(void)
{
	struct fan_card_statistics statistics;
	struct fan_card *card;

	cr_assert_eq(fan_card_open(&card, NULL), 0, "%s", fan_error_detail());
	fan_card_statistics_read(card, &statistics);
	fan_card_close(card);
	return statistics;
}

static struct fan_batch *
poll_one(struct fan_engine *engine)
{
	struct fan_batch *batch;

	for (unsigned i = 0; i < 10000000; i++)
		if (engine->ops->poll_burst(engine, &batch, 1) == 1)
			return batch;
	cr_assert_fail("no batch comes back");
	return NULL;
}

static struct fan_batch *
submit_and_poll(struct fan_engine *engine, struct fan_test_batch *test)
{
	struct fan_batch *batch = &test->batch;

	while (engine->ops->submit_burst(engine, &batch, 1) == 0)
		;
	return poll_one(engine);
}

static double
figure(const struct fan_engine *engine, const char *name)
{
	static struct fan_figure figures[FAN_FIGURES_MAX];
	const unsigned count = engine->ops->figures(engine, figures, FAN_FIGURES_MAX);

	for (unsigned i = 0; i < count; i++)
		if (strcmp(figures[i].name, name) == 0)
			return figures[i].value;
	return -1;
}

/* ---- Shapes ------------------------------------------------------------------------------------------------------------------ */

#define ROUNDS 12
#define BURST 6

/* Of each batch a PDU is judged on the way. */
static void
compare_with_reference(const struct fan_fake_behaviour *behaviour, bool mapped)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine, *reference;
	static struct fan_test_batch one[BURST], other[BURST];

	fan_sample_every(0);
	engine = open_on(behaviour);
	cr_assert_eq(fan_engine_reference.open(&reference, NULL), 0);
	for (unsigned i = 0; i < ROUNDS * 36; i++) {
		const uint8_t algorithm = (uint8_t)(1 + i % 3), which = (uint8_t)(i / 3 % 4), sequence = (uint8_t)(i / 12 % 3);
		struct fan_batch *ones[BURST], *others[BURST];

		for (unsigned j = 0; j < BURST; j++) {
			fan_test_batch_make(&one[j], &random, which & 1 ? algorithm : 0, which & 2 ? algorithm : 0, sequence);
			fan_test_batch_clone(&other[j], &one[j]);
			ones[j] = &one[j].batch;
			others[j] = &other[j].batch;
			cr_assert(engine->ops->takes(engine, &one[j].shape), "%s", fan_error_detail());
			if (mapped)
				announce(&one[j]);
		}
		cr_assert(fan_test_engine_protect(engine, ones, BURST));
		cr_assert(fan_test_engine_protect(reference, others, BURST));
		for (unsigned j = 0; j < BURST; j++) {
			cr_assert(fan_test_batch_guards_intact(&one[j]));
			cr_assert(fan_test_batch_equal(&one[j], &other[j]));
			if (mapped)
				withdraw(&one[j]);
			fan_test_batch_free(&other[j]);
			fan_test_batch_free(&one[j]);
		}
	}
	cr_assert_eq(statistics().copied_pdus > 0, !mapped);
	cr_assert_eq(statistics().copied_contexts > 0, !mapped);
	cr_assert_eq(statistics().resets, 0);
	cr_assert_eq(statistics().batches, ROUNDS * 36 * BURST);
	reference->ops->close(reference);
	close_engine(engine);
}

Test(engine_fpga, protects_as_the_reference_does_in_place, .timeout = 3000)
{
	compare_with_reference(&honest, true);
}

Test(engine_fpga, protects_as_the_reference_does_through_copies, .timeout = 3000)
{
	compare_with_reference(&honest, false);
}

Test(engine_fpga, protects_where_nothing_can_be_mapped_and_batches_end_in_any_order, .timeout = 3000)
{
	compare_with_reference(&(struct fan_fake_behaviour){ .no_map = true, .shuffle = true }, false);
}

Test(engine_fpga, takes_what_a_lane_can_compute)
{
	static const struct {
		struct fan_shape shape;
		bool taken;
	} rows[] = {
		{ { .cipher = 2, .integrity = 2, .text_bytes = 1500 }, true },
		{ { .cipher = 2, .integrity = 2, .text_bytes = 1501 }, false },
		{ { .cipher = 2, .integrity = 2, .clear_bytes = 1, .text_bytes = 1500 }, false },
		{ { .cipher = 2, .integrity = 2, .text_bytes = 0 }, false },
		{ { .cipher = 2, .integrity = 2, .clear_bytes = 17, .text_bytes = 9 }, false },
		{ { .cipher = 2, .integrity = 2, .head_blocks = 4, .text_bytes = 99 }, false },
		{ { .cipher = 2, .integrity = 2, .sequence = 3, .text_bytes = 9 }, false },
		{ { .cipher = 2, .integrity = 0, .text_bytes = 9 }, true },
		{ { .cipher = 0, .integrity = 2, .text_bytes = 9 }, true },
		{ { .cipher = 0, .integrity = 0, .text_bytes = 9 }, true },
		{ { .cipher = 2, .integrity = 3, .text_bytes = 9 }, false },
		{ { .cipher = 2, .integrity = 3, .sequence = FAN_CIPHER_ONLY, .text_bytes = 9 }, true },
		{ { .cipher = 4, .integrity = 4, .text_bytes = 9 }, false },
		{ { .cipher = 1, .integrity = 1, .text_bytes = 9 }, true },
		{ { .cipher = 3, .integrity = 3, .text_bytes = 9 }, false }, /* this card has no ZUC */
		{ { .cipher = 0, .integrity = 3, .text_bytes = 9 }, false },
	};
	struct fan_engine *engine = open_on(&(struct fan_fake_behaviour){ .build = FAN_FAKE_BUILD(4U, 1, 1, 0) });

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct fan_shape *shape = &rows[i].shape;
		struct fan_batch batch = { .shape = shape, .ue_count = 1 }, *one = &batch, *back;

		cr_assert_eq(engine->ops->takes(engine, shape), rows[i].taken, "row %zu", i);
		if (rows[i].taken)
			continue;
		cr_assert_eq(engine->ops->submit_burst(engine, &one, 1), 1);
		cr_assert_eq(engine->ops->poll_burst(engine, &back, 1), 1);
		cr_assert_eq(batch.status, FAN_BATCH_UNTOUCHED);
	}
	cr_assert_eq(fan_fake_look().doorbells, 0);
	cr_assert_eq(fan_fake_look().queues_enabled, 0, "a queue was taken for nothing");
	close_engine(engine);
}

/* Every choice of lanes: what they compute is protected there, all else comes back, and the card never has to refuse anything. */
Test(engine_fpga, sends_a_card_what_it_has_lanes_for_and_nothing_else, .timeout = 3000)
{
	struct fan_test_random random = fan_test_random_from_environment();

	for (uint32_t lanes = 1; lanes < 8; lanes++) {
		const bool has[] = { true, (lanes & 2) != 0, (lanes & 1) != 0, (lanes & 4) != 0 };
		const uint32_t build = FAN_FAKE_BUILD(4U, lanes & 1, lanes >> 1 & 1, lanes >> 2 & 1);
		struct fan_engine *engine = open_on(&(struct fan_fake_behaviour){ .build = build });
		unsigned taken = 0;

		for (unsigned i = 0; i < 48; i++) {
			const uint8_t cipher = i & 3, integrity = i >> 2 & 3, sequence = (uint8_t)(i >> 4);
			const uint8_t with_mac = sequence == FAN_CIPHER_ONLY ? 0 : integrity;
			const bool served = (cipher == 0 || with_mac == 0 || cipher == with_mac) && has[cipher | with_mac];
			static struct fan_test_batch test;

			fan_test_batch_make(&test, &random, cipher, integrity, sequence);
			cr_assert_eq(engine->ops->takes(engine, &test.shape), served,
				     "lanes %u, cipher %u, integrity %u, sequence %u", lanes, cipher, integrity, sequence);
			cr_assert_eq(submit_and_poll(engine, &test)->status, served ? FAN_BATCH_DONE : FAN_BATCH_UNTOUCHED);
			taken += served;
			fan_test_batch_free(&test);
		}
		cr_assert_eq(fan_fake_look().batches, taken);
		cr_assert_eq(statistics().error_batches, 0);
		close_engine(engine);
	}
}

/* ---- Messages, bursts --------------------------------------------------------------------------------------------------------- */

/* One buffer whose octets change: the fake never reads a number twice, so that a number used for two messages makes wrong PDUs. */
Test(engine_fpga, a_number_names_one_message_for_ever, .timeout = 300)
{
	enum { LIVES = 200 };
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine = open_on(&honest), *reference;
	const struct fan_shape like = { .cipher = 2, .integrity = 2, .clear_bytes = 1, .text_bytes = 160 };
	static uint8_t kept[40][160 + FAN_MESSAGE_SLACK_BYTES];
	unsigned read_before;

	cr_assert_eq(fan_engine_reference.open(&reference, NULL), 0);
	fan_test_random_fill(&random, kept[0], sizeof(kept));
	for (unsigned i = 0; i < LIVES; i++) {
		static struct fan_test_batch one, other;
		struct fan_batch *ones[1] = { &one.batch }, *others[1] = { &other.batch };

		fan_test_batch_make_as(&one, &random, &like, 5, true);
		fan_test_batch_clone(&other, &one);
		kept[0][i % 160] ^= (uint8_t)(1 + i); /* only one octet differs from the last time */
		one.shape.message = other.shape.message = kept[i % 2 == 0 ? 0 : i % 40];
		cr_assert(fan_test_engine_protect(engine, ones, 1));
		cr_assert(fan_test_engine_protect(reference, others, 1));
		cr_assert(fan_test_batch_equal(&one, &other), "life %u", i);
		fan_test_batch_free(&other);
		fan_test_batch_free(&one);
	}
	/* Four messages in turns are read once each. */
	read_before = fan_fake_look().messages_read;
	for (unsigned i = 0; i < 40; i++) {
		static struct fan_test_batch one;

		fan_test_batch_make_as(&one, &random, &like, 64, true);
		one.shape.message = kept[i % 4 + 10];
		(void)submit_and_poll(engine, &one);
		fan_test_batch_free(&one);
	}
	cr_assert_leq(fan_fake_look().messages_read, read_before + 4);
	reference->ops->close(reference);
	close_engine(engine);
}

Test(engine_fpga, a_burst_rings_once_and_a_full_queue_refuses, .timeout = 300)
{
	enum { BATCHES = 40 };
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine = open_on(&(struct fan_fake_behaviour){ .lazy = true });
	static struct fan_test_batch tests[BATCHES];
	struct fan_batch *batches[BATCHES];
	unsigned taken, back = 0;

	for (unsigned i = 0; i < BATCHES; i++) {
		fan_test_batch_make(&tests[i], &random, 2, 2, FAN_CIPHER_THEN_MAC);
		batches[i] = &tests[i].batch;
	}
	taken = engine->ops->submit_burst(engine, batches, BATCHES);
	cr_assert_eq(taken, 16);
	cr_assert_eq(fan_fake_look().doorbells, 1);
	cr_assert_eq(engine->ops->submit_burst(engine, batches + taken, 1), 0);
	cr_assert_eq(fan_fake_look().doorbells, 1);
	while (back < BATCHES) {
		cr_assert_eq(poll_one(engine)->status, FAN_BATCH_DONE);
		back++;
		taken += engine->ops->submit_burst(engine, batches + taken, (uint16_t)(BATCHES - taken));
	}
	cr_assert_eq(taken, BATCHES);
	for (unsigned i = 0; i < BATCHES; i++)
		fan_test_batch_free(&tests[i]);
	close_engine(engine);
}

/* Time alone does not make a batch late: the worker may have been denied the CPU, or a simulator be slow. */
Test(engine_fpga, a_slow_card_is_not_taken_for_a_dead_one, .timeout = 300)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine = open_on(&(struct fan_fake_behaviour){ .lazy = true });
	const struct fan_card_patience patience = { .stall_clocks = 1000000,
						    .stall_ms = 1,
						    .polls = 500,
						    .standstill_ms = 1,
						    .reset_ms = 20,
						    .recoveries = 8,
						    .proof_ms = 180000 };
	struct fan_test_batch test;
	struct fan_batch *batch = &test.batch, *back;

	fan_card_patience_set(&patience);
	fan_test_batch_make(&test, &random, 2, 2, FAN_CIPHER_THEN_MAC);
	cr_assert_eq(engine->ops->submit_burst(engine, &batch, 1), 1);
	for (unsigned i = 0; i < 40; i++) {
		usleep(3000);
		cr_assert_eq(engine->ops->poll_burst(engine, &back, 1), 0);
	}
	cr_assert_eq(poll_one(engine)->status, FAN_BATCH_DONE);
	cr_assert_eq(statistics().resets, 0);
	fan_test_batch_free(&test);
	close_engine(engine);
}

/* ---- A card that lies --------------------------------------------------------------------------------------------------------- */

/* What each trick is counted as; FAN_CARD_FAULT_NONE: as no fault. */
static const struct {
	enum fan_fake_trick trick;
	enum fan_card_fault fault;
	enum fan_batch_status status;
} tricks[] = {
	{ FAN_FAKE_SERIAL, FAN_CARD_FAULT_SERIAL, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_COOKIE, FAN_CARD_FAULT_COOKIE, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_STALE, FAN_CARD_FAULT_STALE, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_ERROR, FAN_CARD_FAULT_ERROR, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_BAD_UES_MANY, FAN_CARD_FAULT_BAD_UES, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_BAD_UES_WITHOUT_ERROR, FAN_CARD_FAULT_BAD_UES, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_ERROR_WITHOUT_BAD_UES, FAN_CARD_FAULT_BAD_UES, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_REFUSED_IN_PART, FAN_CARD_FAULT_BAD_UES, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_FIRST_BAD, FAN_CARD_FAULT_FIRST_BAD, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_RESERVED, FAN_CARD_FAULT_RESERVED, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_HEAD_AHEAD, FAN_CARD_FAULT_HEAD, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_HEAD_STAYS, FAN_CARD_FAULT_HEAD, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_HEAD_FALLS, FAN_CARD_FAULT_HEAD, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_GARBAGE, FAN_CARD_FAULT_SERIAL, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_HANG, FAN_CARD_FAULT_TIMEOUT, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_LOSE, FAN_CARD_FAULT_TIMEOUT, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_STANDSTILL, FAN_CARD_FAULT_STANDSTILL, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_QUEUE_FAULT, FAN_CARD_FAULT_QUEUE, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_BUS_ERROR, FAN_CARD_FAULT_NONE, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_REFUSE, FAN_CARD_FAULT_NONE, FAN_BATCH_UNTOUCHED },
	{ FAN_FAKE_WRITE_NOTHING, FAN_CARD_FAULT_UNTOUCHED, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_WRITE_SOME, FAN_CARD_FAULT_UNTOUCHED, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_WRITE_MAC, FAN_CARD_FAULT_UNTOUCHED, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_WRITE_TEXT, FAN_CARD_FAULT_UNTOUCHED, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_WRITE_HALF, FAN_CARD_FAULT_UNTOUCHED, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_WRITE_LATE, FAN_CARD_FAULT_UNTOUCHED, FAN_BATCH_EXPOSED },
	{ FAN_FAKE_WRITE_PLAINTEXT, FAN_CARD_FAULT_UNTOUCHED, FAN_BATCH_EXPOSED },
};

#define TRICK_ROWS (sizeof(tricks) / sizeof(tricks[0]))

static unsigned
faults_of(const struct fan_card_statistics *statistics)
{
	unsigned faults = 0;

	for (unsigned i = 0; i < FAN_CARD_FAULT_COUNT; i++)
		faults += (unsigned)statistics->faults[i];
	return faults;
}

/* The trick is played on the fourth of six batches under way: those before it are done, it fails, those after it are lost with the
 * reset or served; afterwards the card works again. */
Test(engine_fpga, what_a_completion_says_is_judged, .timeout = 3000)
{
	enum { BATCHES = 6, AT = 3 };
	struct fan_test_random random = fan_test_random_from_environment();

	for (size_t i = 0; i < TRICK_ROWS; i++) {
		struct fan_engine *engine = open_on(&(struct fan_fake_behaviour){ .trick = tricks[i].trick, .trick_at = AT });
		static struct fan_test_batch tests[BATCHES];
		struct fan_batch *batches[BATCHES];
		struct fan_card_statistics seen;

		for (unsigned j = 0; j < BATCHES; j++) {
			fan_test_batch_make(&tests[j], &random, 2, 2, FAN_CIPHER_THEN_MAC);
			batches[j] = &tests[j].batch;
		}
		cr_assert_eq(engine->ops->submit_burst(engine, batches, BATCHES), BATCHES);
		for (unsigned j = 0; j < BATCHES; j++)
			(void)poll_one(engine);
		for (unsigned j = 0; j < AT; j++)
			cr_assert_eq(batches[j]->status, FAN_BATCH_DONE, "row %zu, batch %u", i, j);
		cr_assert_eq(batches[AT]->status, tricks[i].status, "row %zu: %u", i, batches[AT]->status);
		for (unsigned j = AT + 1; j < BATCHES; j++)
			cr_assert(batches[j]->status == FAN_BATCH_EXPOSED || tricks[i].trick == FAN_FAKE_LOSE ||
					  tricks[i].fault == FAN_CARD_FAULT_NONE,
				  "row %zu, batch %u: %u", i, j, batches[j]->status);
		seen = statistics();
		cr_assert_eq(faults_of(&seen), tricks[i].fault != FAN_CARD_FAULT_NONE, "row %zu", i);
		if (tricks[i].fault != FAN_CARD_FAULT_NONE)
			cr_assert_eq(seen.faults[tricks[i].fault], 1, "row %zu is counted as something else", i);
		cr_assert_eq(seen.resets, tricks[i].fault != FAN_CARD_FAULT_NONE, "row %zu", i);
		cr_assert_eq(submit_and_poll(engine, &tests[0])->status, FAN_BATCH_DONE, "row %zu: the card is of no use now",
			     i);
		for (unsigned j = 0; j < BATCHES; j++)
			fan_test_batch_free(&tests[j]);
		close_engine(engine);
	}
}

/* Seen when nothing else is under way, too: by the next batch. */
Test(engine_fpga, a_completion_that_comes_twice_is_not_believed_twice, .timeout = 300)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine = open_on(&(struct fan_fake_behaviour){ .trick = FAN_FAKE_TWICE });
	struct fan_test_batch test;

	fan_test_batch_make(&test, &random, 2, 2, FAN_CIPHER_THEN_MAC);
	cr_assert_eq(submit_and_poll(engine, &test)->status, FAN_BATCH_DONE);
	cr_assert_eq(submit_and_poll(engine, &test)->status, FAN_BATCH_EXPOSED);
	cr_assert_eq(statistics().faults[FAN_CARD_FAULT_STALE], 1);
	cr_assert_eq(submit_and_poll(engine, &test)->status, FAN_BATCH_DONE);
	fan_test_batch_free(&test);
	close_engine(engine);
}

Test(engine_fpga, each_fault_and_each_error_has_its_own_words)
{
	for (unsigned i = 0; i < FAN_CARD_FAULT_COUNT; i++)
		for (unsigned j = 0; j < i; j++)
			cr_assert_str_neq(fan_card_fault_text((enum fan_card_fault)i),
					  fan_card_fault_text((enum fan_card_fault)j));
	for (unsigned i = 0; i < FAN_CARD_ERRORS; i++)
		for (unsigned j = 0; j < i; j++)
			cr_assert_str_neq(fan_card_error_text(i), fan_card_error_text(j));
}

/* ---- A card that computes wrongly ---------------------------------------------------------------------------------------------- */

/* Whatever a card does wrongly when it is opened, it serves nobody. */
Test(engine_fpga, a_card_that_answers_wrongly_serves_nobody, .timeout = 300)
{
	static const struct {
		enum fan_fake_trick trick;
		enum fan_card_fault fault;
	} rows[] = {
		{ FAN_FAKE_WRONG, FAN_CARD_FAULT_WRONG },          { FAN_FAKE_WRONG_LONG, FAN_CARD_FAULT_WRONG },
		{ FAN_FAKE_WRONG_CORNER, FAN_CARD_FAULT_WRONG },   { FAN_FAKE_WRITE_ANOTHER, FAN_CARD_FAULT_WRONG },
		{ FAN_FAKE_WRITE_BESIDE, FAN_CARD_FAULT_BESIDE },  { FAN_FAKE_WRITE_NOTHING, FAN_CARD_FAULT_UNTOUCHED },
		{ FAN_FAKE_WRITE_LATE, FAN_CARD_FAULT_UNTOUCHED }, { FAN_FAKE_REFUSE, FAN_CARD_FAULT_WRONG },
		{ FAN_FAKE_BUS_ERROR, FAN_CARD_FAULT_WRONG },      { FAN_FAKE_WRITE_PLAINTEXT, FAN_CARD_FAULT_UNTOUCHED },
	};

	struct fan_test_random random = fan_test_random_from_environment();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_card_statistics seen;
		static struct fan_test_batch test;
		struct fan_engine *engine;
		struct fan_card *card;

		fan_fake_install(&(struct fan_fake_behaviour){ .trick = rows[i].trick, .again = true });
		cr_assert_eq(fan_card_open(&card, NULL), 0);
		engine = open_engine();
		fan_test_batch_make(&test, &random, 2, 2, FAN_CIPHER_THEN_MAC);
		cr_assert_eq(submit_and_poll(engine, &test)->status, FAN_BATCH_UNTOUCHED, "row %zu", i);
		cr_assert_not(engine->ops->takes(engine, &test.shape), "row %zu", i);
		fan_test_batch_free(&test);
		cr_assert_not_null(strstr(fan_error_detail(), "out of service"), "%s", fan_error_detail());
		fan_card_statistics_read(card, &seen);
		cr_assert_geq(seen.faults[rows[i].fault], 1, "row %zu", i);
		cr_assert(fan_card_dead(card) && fan_fake_look().isolated, "row %zu", i);
		cr_assert_eq(seen.ues, 0, "row %zu", i);
		engine->ops->close(engine);
		fan_card_close(card);
		cr_assert_eq(fan_fake_look().dirty_frees, 0);
		cr_assert_eq(fan_fake_look().dma_allocated, 0);
	}
}

/* Three AES lanes and one of SNOW 3G. The card chooses among the AES lanes, so that one takes the others along. */
#define FOUR_LANES FAN_FAKE_BUILD(4U, 3, 1, 0)

static void
check_lane_out(enum fan_fake_trick trick, unsigned lane, const char *words, uint8_t lost, uint8_t kept)
{
	struct fan_test_random random = fan_test_random_from_environment();
	static struct fan_test_batch test;
	struct fan_engine *engine;
	char said[1024] = "";

	fan_fake_install(&(struct fan_fake_behaviour){ .build = FOUR_LANES, .trick = trick, .again = true, .lane = lane });
	engine = open_engine();
	fflush(stderr);
	cr_assert_gt(fread(said, 1, sizeof(said) - 1, cr_get_redirected_stderr()), 0);
	cr_assert_not_null(strstr(said, words), "%s", said);
	fan_test_batch_make(&test, &random, lost, lost, FAN_CIPHER_THEN_MAC);
	cr_assert_not(engine->ops->takes(engine, &test.shape));
	cr_assert_not_null(strstr(fan_error_detail(), "out of service"), "%s", fan_error_detail());
	cr_assert_eq(submit_and_poll(engine, &test)->status, FAN_BATCH_UNTOUCHED);
	fan_test_batch_free(&test);
	fan_test_batch_make(&test, &random, kept, kept, FAN_CIPHER_THEN_MAC);
	cr_assert_eq(submit_and_poll(engine, &test)->status, FAN_BATCH_DONE);
	fan_test_batch_free(&test);
	cr_assert_eq(statistics().faults[FAN_CARD_FAULT_WRONG], 1);
	cr_assert_eq(figure(engine, fan_card_fault_text(FAN_CARD_FAULT_WRONG)), 1);
	cr_assert_eq(figure(engine, lost == 2 ? "lane 0 (AES): out of service" : "lane 3 (SNOW 3G): out of service"), 1);
	cr_assert_eq(figure(engine, kept == 2 ? "lane 0 (AES): out of service" : "lane 3 (SNOW 3G): out of service"), -1);
	close_engine(engine);
}

Test(engine_fpga, a_lane_that_answers_wrongly_is_named_and_out_of_service, .timeout = 300, .init = cr_redirect_stderr)
{
	check_lane_out(FAN_FAKE_WRONG_LANE, 1, "lane 1 (AES), and with it all AES lanes", 2, 1);
}

Test(engine_fpga, so_is_one_that_is_alone_with_its_algorithm, .timeout = 300, .init = cr_redirect_stderr)
{
	check_lane_out(FAN_FAKE_WRONG_LANE, 3, "lane 3 (SNOW 3G) answers wrongly and is out of service: EEA1", 1, 2);
}

Test(engine_fpga, so_is_one_that_never_works, .timeout = 300, .init = cr_redirect_stderr)
{
	check_lane_out(FAN_FAKE_IDLE_LANE, 2, "lane 2 (AES), and with it all AES lanes, among which the card chooses,", 2, 1);
}

static void
prove_every(unsigned proof_ms)
{
	struct fan_card_patience patience = fan_card_patience_get();

	patience.proof_ms = proof_ms;
	fan_card_patience_set(&patience);
}

/* Right at open and wrong later: from the moment that a question notices it no batch is done any more, nor any that was under way then. */
Test(engine_fpga, a_card_that_becomes_wrong_is_found_out, .timeout = 300)
{
	enum { BATCHES = 8 };
	struct fan_test_random random = fan_test_random_from_environment();
	static struct fan_test_batch tests[BATCHES];
	struct fan_engine *engine;
	unsigned rounds = 0, done = 0;
	bool out = false;

	fan_sample_every(UINT_MAX);
	engine = open_on(&honest);
	for (unsigned i = 0; i < BATCHES; i++)
		fan_test_batch_make(&tests[i], &random, 2, 2, FAN_CIPHER_THEN_MAC);
	cr_assert_eq(submit_and_poll(engine, &tests[0])->status, FAN_BATCH_DONE);
	prove_every(200);
	fan_fake_begin(FAN_FAKE_WRONG, 0, true);
	for (; !out; rounds++) {
		struct fan_batch *batches[BATCHES];
		unsigned taken;

		for (unsigned i = 0; i < BATCHES; i++)
			batches[i] = &tests[i].batch;
		cr_assert_lt(rounds, 100000);
		taken = engine->ops->submit_burst(engine, batches, BATCHES);
		for (unsigned i = 0; i < taken; i++) {
			const struct fan_batch *back = poll_one(engine);

			out = out || !engine->ops->takes(engine, back->shape);
			cr_assert(!out || back->status != FAN_BATCH_DONE, "done by a card that is known to lie");
			done += back->status == FAN_BATCH_DONE;
		}
	}
	cr_log_info("%u batches were done before it was noticed", done);
	for (unsigned i = 0; i < BATCHES; i++)
		cr_assert_eq(submit_and_poll(engine, &tests[i])->status, FAN_BATCH_UNTOUCHED);
	cr_assert_geq(statistics().faults[FAN_CARD_FAULT_WRONG], 1);
	for (unsigned i = 0; i < BATCHES; i++)
		fan_test_batch_free(&tests[i]);
	close_engine(engine);
}

/* Questions come beside the traffic; none of it waits, or is counted with them. */
Test(engine_fpga, questions_do_not_stop_traffic, .timeout = 300)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine = open_on(&honest), *other = open_engine();
	struct fan_card_statistics before = statistics();
	static struct fan_test_batch test;
	const struct fan_shape shape = { .cipher = 2, .integrity = 2, .clear_bytes = 1, .text_bytes = 30 };
	unsigned batches = 0, at_once;

	stop_the_clock();
	prove_every(500);
	standing_ms += 501;
	fan_test_batch_make_as(&test, &random, &shape, 1, true);
	while (statistics().questions < before.questions + 480) {
		struct fan_batch *batch = &test.batch;

		at_once = engine->ops->submit_burst(batches % 2 == 0 ? engine : other, &batch, 1);
		cr_assert_eq(at_once, 1, "a batch waits for questions");
		cr_assert_eq(poll_one(batches % 2 == 0 ? engine : other)->status, FAN_BATCH_DONE);
		batches++;
	}
	cr_assert_eq(statistics().batches, batches);
	cr_assert_eq(statistics().resets, 0);
	fan_test_batch_free(&test);
	other->ops->close(other);
	close_engine(engine);
}

/* Nothing was sent for two periods: nothing is before the card has answered again. Honest, it has the batches then; else nobody has. */
Test(engine_fpga, after_a_long_rest_a_card_is_asked_before_it_serves, .timeout = 300)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine = open_on(&honest), *other = open_engine();
	static struct fan_test_batch one, two;
	struct fan_batch *batch = &one.batch;
	uint64_t asked;

	fan_test_batch_make(&one, &random, 2, 2, FAN_CIPHER_THEN_MAC);
	fan_test_batch_make(&two, &random, 2, 2, FAN_CIPHER_THEN_MAC);
	stop_the_clock();
	prove_every(100);
	for (unsigned wrong = 0; wrong < 2; wrong++) {
		standing_ms += 201;
		asked = statistics().questions;
		fan_fake_begin(wrong ? FAN_FAKE_WRONG : FAN_FAKE_HONEST, 0, true);
		cr_assert_eq(engine->ops->submit_burst(engine, &batch, 1), 0, "a batch is taken by a card that is overdue");
		cr_assert_eq(fan_fake_look().doorbells, 1, "it asks");
		while (engine->ops->submit_burst(engine, &batch, 1) == 0)
			;
		cr_assert_eq(poll_one(engine)->status, wrong ? FAN_BATCH_UNTOUCHED : FAN_BATCH_DONE);
		cr_assert_geq(statistics().questions, asked + (wrong ? 1 : 480));
		cr_assert_eq(submit_and_poll(other, &two)->status, wrong ? FAN_BATCH_UNTOUCHED : FAN_BATCH_DONE);
	}
	cr_assert_eq(statistics().resets, 0);
	fan_test_batch_free(&two);
	fan_test_batch_free(&one);
	other->ops->close(other);
	close_engine(engine);
}

/* ---- A card that is honest to questions alone ------------------------------------------------------------------------------------ */

/* The lanes that may have made it are out of service, and no other; nothing of the batch is used. */
Test(engine_fpga, a_wrong_pdu_in_service_is_found, .timeout = 300, .init = cr_redirect_stderr)
{
	const struct fan_shape shape = { .cipher = 2, .integrity = 2, .clear_bytes = 1, .head_blocks = 1, .text_bytes = 160 };
	struct fan_test_random random = fan_test_random_from_environment();
	static struct fan_test_batch test;
	struct fan_engine *engine;
	char said[1024] = "";
	enum fan_batch_status status;
	unsigned done = 0;

	/* Two UEs for each octet: some 6 batches of 64. */
	fan_sample_every(2);
	engine = open_on(&(struct fan_fake_behaviour){ .build = FOUR_LANES });
	fan_fake_begin(FAN_FAKE_WRONG, 0, true);
	do {
		fan_test_batch_make_as(&test, &random, &shape, FAN_BATCH_UES_MAX, true);
		announce(&test);
		status = (enum fan_batch_status)submit_and_poll(engine, &test)->status;
		withdraw(&test);
		done += status == FAN_BATCH_DONE;
		cr_assert_lt(done, 1000);
		fan_test_batch_free(&test);
	} while (status == FAN_BATCH_DONE);
	cr_assert_eq(status, FAN_BATCH_EXPOSED);
	cr_assert_not(engine->ops->takes(engine, &shape));
	cr_assert_eq(statistics().batches, done);
	cr_assert_eq(statistics().faults[FAN_CARD_FAULT_WRONG], 1);
	fflush(stderr);
	cr_assert_gt(fread(said, 1, sizeof(said) - 1, cr_get_redirected_stderr()), 0);
	cr_assert_not_null(strstr(said,
				  "one of the AES lanes answers wrongly and is out of service: EEA2 with EIA2, MAC over the "
				  "ciphertext, 160 octets of text behind 1: the PDU of a UE in service is wrong"),
			   "%s", said);
	fan_test_batch_make(&test, &random, 1, 1, FAN_CIPHER_THEN_MAC);
	fan_fake_begin(FAN_FAKE_HONEST, 0, false);
	cr_assert_eq(submit_and_poll(engine, &test)->status, FAN_BATCH_DONE);
	fan_test_batch_free(&test);
	close_engine(engine);
}

/* Nor can a card spoil the octets before the text that the host had written there itself. */
Test(engine_fpga, a_clear_prefix_is_judged_with_its_pdu, .timeout = 300)
{
	const struct fan_shape shape = { .cipher = 2, .integrity = 2, .clear_bytes = 1, .text_bytes = 160 };
	struct fan_test_random random = fan_test_random_from_environment();
	static struct fan_test_batch test;
	struct fan_engine *engine;

	fan_sample_every(0);
	engine = open_on(&(struct fan_fake_behaviour){ .trick = FAN_FAKE_WRONG_PREFIX, .again = true });
	fan_test_batch_make_as(&test, &random, &shape, 3, true);
	announce(&test);
	cr_assert_eq(submit_and_poll(engine, &test)->status, FAN_BATCH_EXPOSED);
	withdraw(&test);
	fan_test_batch_free(&test);
	close_engine(engine);
}

/* A card that writes where it may only read reaches nothing: COUNT, lease and flags stay what the host made them. */
Test(engine_fpga, no_card_writes_contexts, .timeout = 300)
{
	struct fan_test_random random = fan_test_random_from_environment();

	for (unsigned mapped = 0; mapped < 2; mapped++) {
		struct fan_engine *engine = open_on(
			&(struct fan_fake_behaviour){ .trick = FAN_FAKE_WRITE_CONTEXT, .again = true });
		static struct fan_test_batch test;
		static struct fan_context before[FAN_BATCH_UES_MAX];

		fan_test_batch_make(&test, &random, 2, 2, FAN_CIPHER_THEN_MAC);
		cr_assert_eq(mprotect(test.shared, test.shared_bytes, PROT_READ | PROT_WRITE), 0);
		for (unsigned i = 0; i < test.batch.ue_count; i++) {
			test.batch.context[i]->count = test.batch.count[i] + 1;
			before[i] = *test.batch.context[i];
		}
		if (mapped != 0)
			announce(&test);
		cr_assert_eq(submit_and_poll(engine, &test)->status, FAN_BATCH_DONE);
		for (unsigned i = 0; i < test.batch.ue_count; i++)
			cr_assert_eq(memcmp(test.batch.context[i], &before[i], sizeof(before[i])), 0, "the context of UE %u",
				     i);
		cr_assert_eq(statistics().bus_errors, test.batch.ue_count);
		cr_assert_eq(statistics().copied_contexts, mapped != 0 ? 0 : test.batch.ue_count);
		if (mapped != 0)
			withdraw(&test);
		fan_test_batch_free(&test);
		close_engine(engine);
	}
}

/* ---- A card that is asked again -------------------------------------------------------------------------------------------------- */

/* In each life anew, and by somebody else when the one who asks falls silent. */
Test(engine_fpga, after_a_reset_a_card_is_asked_again, .timeout = 300)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine = open_on(&(struct fan_fake_behaviour){ .trick = FAN_FAKE_HANG, .trick_at = 1 }), *other;
	struct fan_card_statistics before = statistics();
	static struct fan_test_batch test;
	struct fan_batch *batch = &test.batch;

	other = open_engine();
	cr_assert_eq(statistics().questions, before.questions, "who comes second need not ask");
	fan_test_batch_make(&test, &random, 2, 2, FAN_CIPHER_THEN_MAC);
	cr_assert_eq(submit_and_poll(engine, &test)->status, FAN_BATCH_DONE);
	cr_assert_eq(submit_and_poll(engine, &test)->status, FAN_BATCH_EXPOSED);
	while (statistics().questions == before.questions)
		(void)engine->ops->submit_burst(engine, &batch, 1);
	cr_assert_eq(submit_and_poll(other, &test)->status, FAN_BATCH_DONE);
	cr_assert_geq(statistics().questions, before.questions + 480);
	fan_test_batch_free(&test);
	other->ops->close(other);
	close_engine(engine);
}

/* What nothing else tells of: a PDU that was not written lets nothing of its plaintext out, nor the PDU of a batch before it. */
Test(engine_fpga, what_was_not_written_holds_neither_plaintext_nor_other_pdus, .timeout = 300)
{
	struct fan_test_random random = fan_test_random_from_environment();
	const struct fan_shape shape = { .cipher = 2, .integrity = 2, .clear_bytes = 1, .head_blocks = 3, .text_bytes = 160 };

	for (unsigned no_map = 0; no_map < 2; no_map++) {
		struct fan_engine *engine = open_on(&(struct fan_fake_behaviour){ .no_map = no_map != 0 });
		static struct fan_test_batch one, other;
		uint8_t plaintext[160];

		fan_test_batch_make_as(&one, &random, &shape, 64, true);
		fan_test_batch_make_as(&other, &random, &shape, 64, true);
		announce(&other);
		cr_assert_eq(submit_and_poll(engine, &one)->status, FAN_BATCH_DONE);
		fan_fake_begin(FAN_FAKE_WRITE_NOTHING, 0, false);
		cr_assert_eq(submit_and_poll(engine, &other)->status, FAN_BATCH_EXPOSED);
		for (unsigned i = 0; i < 64 && no_map == 0; i++) {
			fan_test_batch_plaintext(&other, plaintext, i);
			cr_assert_neq(memcmp(other.batch.text[i], plaintext, 16), 0, "UE %u: its private head lies there", i);
			cr_assert_neq(memcmp(other.batch.text[i], one.batch.text[i], 16), 0);
		}
		withdraw(&other);
		fan_test_batch_free(&other);
		fan_test_batch_free(&one);
		close_engine(engine);
	}
}

/* A batch that the card writes late is not given back before it has been: who protects it then has the packets for himself. */
Test(engine_fpga, nothing_is_written_once_a_batch_has_been_given_back, .timeout = 300)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine = open_on(&(struct fan_fake_behaviour){ .trick = FAN_FAKE_WRITE_LATE }), *reference;
	static struct fan_test_batch test, other;
	struct fan_batch *batch = &test.batch, *judge = &other.batch;

	cr_assert_eq(fan_engine_reference.open(&reference, NULL), 0);
	fan_test_batch_make(&test, &random, 2, 2, FAN_CIPHER_THEN_MAC);
	announce(&test);
	cr_assert_eq(submit_and_poll(engine, &test)->status, FAN_BATCH_EXPOSED);
	fan_test_batch_clone(&other, &test);
	cr_assert(fan_test_engine_protect(reference, &judge, 1));
	cr_assert(fan_test_engine_protect(reference, &batch, 1));
	withdraw(&test);
	while (!engine->ops->takes(engine, &test.shape) || engine->ops->submit_burst(engine, &batch, 1) == 0)
		cr_assert(fan_test_batch_equal(&test, &other), "written after it was given back");
	(void)poll_one(engine);
	fan_test_batch_free(&other);
	fan_test_batch_free(&test);
	reference->ops->close(reference);
	close_engine(engine);
}

/* Somebody else takes the card through its reset and its proof; the one who only submits then gets his batch back before the next. */
Test(engine_fpga, a_batch_not_written_is_not_forgotten_over_the_reset, .timeout = 300)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine = open_on(&(struct fan_fake_behaviour){ .trick = FAN_FAKE_WRITE_NOTHING }),
			  *helper = open_engine();
	static struct fan_test_batch one, other;
	struct fan_batch *batch = &one.batch, *next = &other.batch, *back;

	fan_test_batch_make(&one, &random, 2, 2, FAN_CIPHER_THEN_MAC);
	fan_test_batch_make(&other, &random, 2, 2, FAN_CIPHER_THEN_MAC);
	cr_assert_eq(engine->ops->submit_burst(engine, &batch, 1), 1);
	while (statistics().faults[FAN_CARD_FAULT_UNTOUCHED] == 0)
		cr_assert_eq(engine->ops->poll_burst(engine, &back, 1), 0);
	cr_assert_eq(submit_and_poll(helper, &other)->status, FAN_BATCH_DONE);
	while (engine->ops->submit_burst(engine, &next, 1) == 0)
		;
	cr_assert_eq(poll_one(engine), batch);
	cr_assert_eq(batch->status, FAN_BATCH_EXPOSED);
	cr_assert_eq(poll_one(engine), next);
	cr_assert_eq(next->status, FAN_BATCH_DONE);
	fan_test_batch_free(&other);
	fan_test_batch_free(&one);
	helper->ops->close(helper);
	close_engine(engine);
}

/* ---- A card that is lost ------------------------------------------------------------------------------------------------------- */

Test(engine_fpga, a_card_that_is_lost_takes_no_more_batches, .timeout = 300)
{
	static const struct {
		struct fan_fake_behaviour behaviour;
		bool reset_hangs;
		enum fan_card_fault fault;
	} rows[] = {
		{ { .trick = FAN_FAKE_UNPLUG, .trick_at = 2 }, false, FAN_CARD_FAULT_GONE },
		{ { .trick = FAN_FAKE_HANG, .trick_at = 2 }, true, FAN_CARD_FAULT_RESET },
		{ { .trick = FAN_FAKE_GARBAGE, .trick_at = 2, .again = true }, false, FAN_CARD_FAULT_WORN },
	};
	struct fan_test_random random = fan_test_random_from_environment();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_engine *engine = open_on(&rows[i].behaviour);
		static struct fan_test_batch test;

		fan_test_batch_make(&test, &random, 2, 2, FAN_CIPHER_THEN_MAC);
		cr_assert_eq(submit_and_poll(engine, &test)->status, FAN_BATCH_DONE);
		cr_assert_eq(submit_and_poll(engine, &test)->status, FAN_BATCH_DONE);
		if (rows[i].reset_hangs)
			fan_fake_hang_resets();
		cr_assert_eq(submit_and_poll(engine, &test)->status, FAN_BATCH_EXPOSED, "row %zu", i);
		/* What is lost while the card is asked after its reset is lost before a batch is handed over. */
		for (unsigned j = 0; j < 8 && engine->ops->takes(engine, &test.shape); j++)
			cr_assert_neq(submit_and_poll(engine, &test)->status, FAN_BATCH_DONE, "row %zu", i);
		cr_assert_not(engine->ops->takes(engine, &test.shape), "row %zu", i);
		cr_assert_not_null(strstr(fan_error_detail(), "out of service"));
		cr_assert_eq(submit_and_poll(engine, &test)->status, FAN_BATCH_UNTOUCHED, "row %zu", i);
		cr_assert_eq(statistics().faults[rows[i].fault], 1, "row %zu", i);
		cr_assert(fan_fake_look().isolated, "row %zu: it can still reach memory", i);
		fan_test_batch_free(&test);
		engine->ops->close(engine);
		cr_assert_eq(fan_fake_look().dirty_frees, 0);
	}
}

/* One queue's trouble is a reset of the card: the other's batches come back exposed, and both go on. */
Test(engine_fpga, a_reset_gives_back_what_other_queues_had, .timeout = 300)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *one = open_on(&(struct fan_fake_behaviour){ .trick = FAN_FAKE_HANG, .trick_at = 2 }), *other;
	static struct fan_test_batch test[4];

	other = open_engine();
	for (unsigned i = 0; i < 4; i++)
		fan_test_batch_make(&test[i], &random, 2, 2, FAN_CIPHER_THEN_MAC);
	cr_assert_eq(submit_and_poll(one, &test[0])->status, FAN_BATCH_DONE);
	cr_assert_eq(submit_and_poll(other, &test[1])->status, FAN_BATCH_DONE);
	for (unsigned i = 0; i < 4; i++) {
		struct fan_batch *batch = &test[i].batch;
		struct fan_engine *engine = i % 2 == 0 ? one : other;

		cr_assert_eq(engine->ops->submit_burst(engine, &batch, 1), 1);
	}
	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(poll_one(one)->status, FAN_BATCH_EXPOSED);
	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(poll_one(other)->status, FAN_BATCH_EXPOSED);
	cr_assert_eq(statistics().resets, 1);
	cr_assert_eq(submit_and_poll(other, &test[0])->status, FAN_BATCH_DONE);
	cr_assert_eq(submit_and_poll(one, &test[1])->status, FAN_BATCH_DONE);
	for (unsigned i = 0; i < 4; i++)
		fan_test_batch_free(&test[i]);
	other->ops->close(other);
	close_engine(one);
}

/* ---- Life ------------------------------------------------------------------------------------------------------------------------ */

Test(engine_fpga, copies_of_keys_do_not_outlive_their_batch, .timeout = 300)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine = open_on(&(struct fan_fake_behaviour){ .no_map = true });
	struct fan_test_batch test;
	struct fan_batch *batch = &test.batch;
	const enum fan_fake_trick ends[] = { FAN_FAKE_HONEST, FAN_FAKE_BUS_ERROR, FAN_FAKE_HANG };

	for (unsigned i = 0; i < 3; i++) {
		fan_test_batch_make(&test, &random, 2, 2, FAN_CIPHER_THEN_MAC);
		fan_fake_trick(ends[i], false);
		cr_assert_eq(engine->ops->submit_burst(engine, &batch, 1), 1);
		cr_assert(fan_fake_holds(batch->context[0]->k_enc, FAN_KEY_BYTES));
		(void)poll_one(engine);
		for (unsigned j = 0; j < batch->ue_count; j++)
			cr_assert_not(fan_fake_holds(batch->context[j]->k_enc, FAN_KEY_BYTES), "end %u", i);
		fan_test_batch_free(&test);
	}
	close_engine(engine);
}

Test(engine_fpga, one_instance_more_than_there_are_queues_can_be_open)
{
	struct fan_engine *engine[6];

	fan_fake_install(&honest);
	for (unsigned i = 0; i < 5; i++)
		engine[i] = open_engine();
	cr_assert_eq(fan_engine_fpga.open(&engine[5], NULL), FAN_E_UNSUPPORTED);
	cr_assert_not_null(strstr(fan_error_detail(), "use fewer workers"), "%s", fan_error_detail());
	for (unsigned i = 1; i < 5; i++)
		engine[i]->ops->close(engine[i]);
	close_engine(engine[0]);
}

Test(engine_fpga, figures_of_all_instances_are_shown_by_each, .timeout = 300)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *control = open_on(&(struct fan_fake_behaviour){ .trick = FAN_FAKE_RESERVED, .trick_at = 10 }),
			  *worker;
	const struct fan_shape shape = { .cipher = 2, .integrity = 2, .clear_bytes = 1, .text_bytes = 160 };
	static struct fan_figure few[3];

	worker = open_engine();
	for (unsigned i = 0; i < 11; i++) {
		static struct fan_test_batch test;

		fan_test_batch_make_as(&test, &random, &shape, 64, true);
		(void)submit_and_poll(worker, &test);
		fan_test_batch_free(&test);
	}
	cr_assert_eq(figure(control, "UEs"), 640);
	cr_assert_eq(figure(control, "batches"), 10);
	cr_assert_eq(figure(control, "completions refused"), 1);
	cr_assert_eq(figure(control, fan_card_fault_text(FAN_CARD_FAULT_RESERVED)), 1);
	cr_assert_eq(figure(control, "resets"), 1);
	cr_assert_eq(figure(control, "clocks from descriptor to completion"), 500);
	cr_assert_geq(figure(control, "read per UE"), 64 + 32);
	cr_assert_geq(figure(control, "written per UE"), 165);
	cr_assert_eq(figure(control, "lane 0 (AES): UEs"), 704, "the fake counts all in its first lane");
	cr_assert_eq(control->ops->figures(control, few, 3), 3);
	worker->ops->close(worker);
	close_engine(control);
}
