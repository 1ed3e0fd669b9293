/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An engine that fails a batch while blocks come to rest. The engine `reference` gets operations of this file, which hold one batch of the first
 * 64 UEs back until the test says how it ends.
 */
#include "../dataplane/engine/reference/reference.h"
#include "../host-api/appliance/handles.h"
#include "appliance_fixture.h"
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define UES 320 /* 64 of block 1 */
#define MEMBERS 64
#define WAIT_SECONDS 20
#define WATCH_SECONDS 0.5

TestSuite(ledger_engine, .init = fan_test_store_set_up, .fini = fan_test_store_tear_down, .timeout = 120);

static struct fan_engine_ops reference;
static const struct fan_context *slots;
static struct fan_batch *held;      /* the worker's alone */
static unsigned begun;              /* batches of the first UEs; the worker's alone */
static unsigned hold_at;            /* which of these is held, counted from 1 */
static const uint8_t *watched_mark; /* instead of holding it, the worker watches this */
static bool in_turn;                /* it does; atomic */
static bool mark_fell;
static int end_as = -1; /* how the batch that is held ends; the test stores it, atomically */

/* The worker waits in the middle of a turn, and looks at the mark of its block meanwhile. */
static void
watch_mark(void)
{
	const double end = fan_test_now_s() + WATCH_SECONDS;

	__atomic_store_n(&in_turn, true, __ATOMIC_RELEASE);
	while (fan_test_now_s() < end && !mark_fell)
		mark_fell = (__atomic_load_n(watched_mark, __ATOMIC_RELAXED) & FAN_MARK_COUNTS) == 0;
}

static uint16_t
submit(struct fan_engine *engine, struct fan_batch *const *batches, uint16_t batch_count)
{
	(void)batch_count;
	if (batches[0]->context[0] >= slots + MEMBERS || ++begun != hold_at)
		return reference.submit_burst(engine, batches, 1);
	if (watched_mark != NULL) {
		watch_mark();
		return reference.submit_burst(engine, batches, 1);
	}
	held = batches[0];
	return 1;
}

static uint16_t
poll_held(struct fan_engine *engine, struct fan_batch **batches, uint16_t room)
{
	const int status = __atomic_load_n(&end_as, __ATOMIC_RELAXED);

	if (held == NULL || status < 0)
		return reference.poll_burst(engine, batches, room);
	batches[0] = held;
	batches[0]->status = (uint16_t)status;
	held = NULL;
	return 1;
}

/* They are constant, in memory that is not written after the start: the compiler is not to know whose they are. */
static void
take_operations(void)
{
	struct fan_engine_ops *ops;

	__asm__ volatile("" : "=r"(ops) : "0"(&fan_engine_reference));
	reference = *ops;
	cr_assert_eq(mprotect((char *)ops - ((uintptr_t)ops & 4095), 8192, PROT_READ | PROT_WRITE), 0);
	ops->submit_burst = submit;
	ops->poll_burst = poll_held;
}

static void
add_ues(struct fanfare *fanfare, fan_context_id ids[UES])
{
	const struct fan_next_hop hop = fan_test_hop(0, false);

	cr_assert_eq(fan_begin(fanfare), 0);
	cr_assert_eq(fan_next_hop_add(fanfare, &hop), 0);
	for (unsigned i = 0; i < UES; i++) {
		char identity[FAN_IDENTITY_BYTES];
		struct fan_ue ue;

		(void)snprintf(identity, sizeof(identity), "00101%010u", i);
		fan_ue_init(&ue, FAN_KIND_EPS_NAS);
		ue.cipher = ue.integrity = 2;
		ue.count_reserved = 1 << 20;
		ue.bearer_id = 5;
		ue.mme_ue_id = ue.ran_ue_id = ue.ue = i;
		ue.identity = identity;
		memset(ue.k_enc, 1, sizeof(ue.k_enc));
		memset(ue.k_int, 2, sizeof(ue.k_int));
		memcpy(ue.k_enc, &i, sizeof(i));
		memcpy(ue.k_int, &i, sizeof(i));
		cr_assert_eq(fan_ue_add(fanfare, &ids[i], &ue), 0, "%s", fan_error_detail());
	}
	cr_assert_eq(fan_commit(fanfare), 0, "%s", fan_error_detail());
	slots = fanfare->dataplane->tables[0].slots;
}

static void
send_to(struct fanfare *fanfare, struct fan_group *group, unsigned messages)
{
	struct fan_message message;

	fan_test_message(&message, "hello", 5);
	for (unsigned i = 0; i < messages; i++)
		cr_assert_eq(fan_send(fanfare, NULL, group, &message, NULL, NULL), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_sync(fanfare), 0);
}

/* Polls for so long at the most, until no message is on its way and, if asked, a rest has begun. Returns messages on their way. */
static int
run(struct fanfare *fanfare, double seconds, bool until_stopped)
{
	const double end = fan_test_now_s() + seconds;
	int left = 1;

	while (left > 0 && fan_test_now_s() < end && !(until_stopped && fanfare->ledger.stopped))
		left = fan_poll(fanfare);
	return left;
}

static struct fanfare *
open_appliance(fan_context_id ids[UES], unsigned held_batch)
{
	struct fan_options options = fan_test_store_options();
	struct fanfare *fanfare;

	hold_at = held_batch;
	take_operations();
	options.engines = "reference,ipsec-mb";
	cr_assert_eq(fan_open(&fanfare, &options), 0, "%s", fan_error_detail());
	add_ues(fanfare, ids);
	return fanfare;
}

/* Block 1 has one message more than block 0: it asks for its 17th COUNT while block 0's 16th is with the engine. Its rest waits for all that is
 * under way to leave. */
static void
fail_while_resting(enum fan_batch_status status)
{
	fan_context_id ids[UES];
	struct fanfare *fanfare = open_appliance(ids, FAN_MARK_MAX);
	struct fan_group *one, *both;

	cr_assert_eq(fan_group_create(fanfare, &one, "one@engine.example"), 0);
	cr_assert_eq(fan_group_create(fanfare, &both, "both@engine.example"), 0);
	cr_assert_eq(fan_group_add_list(one, ids + FAN_BLOCK_CONTEXTS, MEMBERS, FAN_PROFILE_EPS_NAS_NIDD), 0);
	cr_assert_eq(fan_group_add_list(both, ids, MEMBERS, FAN_PROFILE_EPS_NAS_NIDD), 0);
	cr_assert_eq(fan_group_add_list(both, ids + FAN_BLOCK_CONTEXTS, MEMBERS, FAN_PROFILE_EPS_NAS_NIDD), 0);
	send_to(fanfare, one, 1);
	send_to(fanfare, both, FAN_MARK_MAX);
	cr_assert_gt(run(fanfare, WAIT_SECONDS, true), 0);
	cr_assert(fanfare->ledger.stopped && fanfare->ledger.resting_count == 1 && fanfare->ledger.resting[0].block == 1,
		  "block 1 rests alone");
	__atomic_store_n(&end_as, (int)status, __ATOMIC_RELAXED);
	cr_assert_eq(run(fanfare, WAIT_SECONDS, false), 0, "messages wait for ever");
	for (unsigned i = 0; i < MEMBERS; i++) {
		cr_assert_geq(fan_count_next(&slots[i]), FAN_MARK_MAX);
		cr_assert_eq(fan_count_next(&slots[FAN_BLOCK_CONTEXTS + i]), FAN_MARK_MAX + 1);
	}
	cr_assert_eq(fan_close(fanfare), 0);
}

/* What a turn of a worker is at may need the mark that it has seen more than once. */
Test(ledger_engine, a_mark_stays_while_a_worker_is_in_its_turn)
{
	fan_context_id ids[UES];
	struct fanfare *fanfare = open_appliance(ids, 2);
	struct fan_group *group;
	double end;

	watched_mark = fanfare->dataplane->tables[0].marks;
	cr_assert_eq(fan_group_create(fanfare, &group, "group@engine.example"), 0);
	cr_assert_eq(fan_group_add_list(group, ids, MEMBERS, FAN_PROFILE_EPS_NAS_NIDD), 0);
	send_to(fanfare, group, FAN_MARK_MAX);
	for (end = fan_test_now_s() + WAIT_SECONDS; !__atomic_load_n(&in_turn, __ATOMIC_ACQUIRE) && fan_test_now_s() < end;)
		(void)fan_poll(fanfare);
	/* Its block has the highest mark: it is to rest. */
	__atomic_store_n(fanfare->dataplane->tables[0].waits, FAN_WAITS, __ATOMIC_RELAXED);
	cr_assert_eq(run(fanfare, WAIT_SECONDS, false), 0);
	cr_assert(in_turn && !mark_fell);
	cr_assert_geq(fanfare->ledger.checkpoints, 1);
	cr_assert_eq(fan_close(fanfare), 0);
}

Test(ledger_engine, a_batch_that_is_done_lets_the_rest_end)
{
	fail_while_resting(FAN_BATCH_DONE);
}

/* Its fresh COUNTs are of a block that may not join the rest. */
Test(ledger_engine, a_batch_that_fails_lets_the_rest_end)
{
	fail_while_resting(FAN_BATCH_EXPOSED);
}

Test(ledger_engine, a_batch_that_was_not_touched_lets_the_rest_end)
{
	fail_while_resting(FAN_BATCH_UNTOUCHED);
}

/* ---- One block, of which some UEs wait behind the batch of others ------------------------------------------------------------ */

#define BLOCK_MEMBERS 128 /* two batches a message */
#define LEFT 8            /* messages before the one that is held; so many fill the ring behind it */
#define SPENT (2 * LEFT)  /* when the ring is full: the highest mark */
#define BEHIND 100        /* a UE of the second batch */
#define MORE 12           /* messages to that batch alone: with those in the ring more than a mark covers */

static_assert(SPENT == FAN_MARK_MAX, "the batch that fails finds its block's mark used up");

/* Out: what the disk says of block 0; COUNTs below C + m may have been spent. Returns m. */
static unsigned
read_block(const struct fanfare *fanfare, struct fan_record_checkpoint *checkpoint)
{
	const struct fan_protection *protection = &fanfare->dataplane->tables[0].protection;
	struct fan_record marks = { .kind = FAN_RECORD_MARKS, .marks = { .table = *protection } };
	struct fan_record record = { .kind = FAN_RECORD_CHECKPOINT, .checkpoint = { .table = *protection } };

	cr_assert_eq(fan_store_get(fanfare->store, &record), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_store_get(fanfare->store, &marks), 0, "%s", fan_error_detail());
	*checkpoint = record.checkpoint;
	return marks.marks.mark[0];
}

/* A crash at this moment would begin behind what was spent. */
static void
assert_covered(const struct fanfare *fanfare)
{
	struct fan_record_checkpoint checkpoint;
	const unsigned mark = read_block(fanfare, &checkpoint);

	for (unsigned i = 0; i < BLOCK_MEMBERS; i++)
		cr_assert_leq(fan_count_next(&slots[i]), checkpoint.count[i] + mark, "UE %u", i);
}

static void
wait_until_spent(struct fanfare *fanfare)
{
	const double end = fan_test_now_s() + WAIT_SECONDS;

	while (fan_test_now_s() < end && fan_count_next(&slots[BEHIND]) < SPENT)
		(void)fan_poll(fanfare);
	cr_assert_eq(fan_count_next(&slots[BEHIND]), SPENT);
}

/* Eight messages have left and eight are in the ring when the first batch of the ninth fails. Its block must rest before it gets fresh COUNTs, and
 * the UEs behind, whose PDUs cannot leave before it, are not to lose them and a mark to a crash. */
Test(ledger_engine, a_ue_behind_a_batch_that_fails_skips_no_more_than_a_mark)
{
	fan_context_id ids[UES];
	struct fanfare *fanfare = open_appliance(ids, LEFT + 1);
	struct fan_record_checkpoint checkpoint;
	struct fan_group *all, *behind;
	uint64_t checkpoints;
	double end;

	cr_assert_eq(fan_group_create(fanfare, &all, "all@engine.example"), 0);
	cr_assert_eq(fan_group_create(fanfare, &behind, "behind@engine.example"), 0);
	cr_assert_eq(fan_group_add_list(all, ids, BLOCK_MEMBERS, FAN_PROFILE_EPS_NAS_NIDD), 0);
	cr_assert_eq(fan_group_add_list(behind, ids + MEMBERS, MEMBERS, FAN_PROFILE_EPS_NAS_NIDD), 0);
	send_to(fanfare, all, SPENT);
	send_to(fanfare, behind, MORE);
	wait_until_spent(fanfare);
	checkpoints = fanfare->ledger.checkpoints;
	__atomic_store_n(&end_as, (int)FAN_BATCH_EXPOSED, __ATOMIC_RELAXED);
	for (end = fan_test_now_s() + WAIT_SECONDS; fan_test_now_s() < end && fanfare->ledger.checkpoints == checkpoints;)
		(void)fan_poll(fanfare);
	cr_assert_eq(read_block(fanfare, &checkpoint), FAN_MARK_MAX);
	cr_assert_eq(checkpoint.count[0], SPENT, "what failed is spent");
	cr_assert_eq(checkpoint.count[BEHIND], LEFT, "%u", checkpoint.count[BEHIND]);
	cr_assert_eq(checkpoint.unacknowledged[BEHIND], LEFT);
	for (int left = 1; left > 0 && fan_test_now_s() < end;) {
		assert_covered(fanfare);
		left = fan_poll(fanfare);
	}
	cr_assert_eq(fan_count_next(&slots[0]), SPENT + SPENT - LEFT);
	cr_assert_eq(fan_count_next(&slots[BEHIND]), SPENT + MORE);
	cr_assert_eq(fan_close(fanfare), 0);
}
