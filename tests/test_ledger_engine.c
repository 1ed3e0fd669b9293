/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An engine that fails a batch while blocks come to rest. The engine `reference` gets operations of this file, which hold one batch of block 0
 * back; meanwhile block 1 has used up its mark and rests, which waits for all that is under way to leave.
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

TestSuite(ledger_engine, .init = fan_test_store_set_up, .fini = fan_test_store_tear_down, .timeout = 120);

static struct fan_engine_ops reference;
static const struct fan_context *slots;
static struct fan_batch *held; /* the worker's alone */
static unsigned begun;         /* batches of block 0; the worker's alone */
static int end_as = -1;        /* how the batch that is held ends; the test stores it, atomically */

static uint16_t
submit(struct fan_engine *engine, struct fan_batch *const *batches, uint16_t batch_count)
{
	(void)batch_count;
	if (batches[0]->context[0] >= slots + FAN_BLOCK_CONTEXTS || ++begun != FAN_MARK_MAX)
		return reference.submit_burst(engine, batches, 1);
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

/* Block 1 has one message more than block 0: it asks for its 17th COUNT while block 0's 16th is with the engine. */
static void
fail_while_resting(enum fan_batch_status status)
{
	fan_context_id ids[UES];
	struct fan_options options = fan_test_store_options();
	struct fanfare *fanfare;
	struct fan_group *one, *both;

	take_operations();
	options.engines = "reference,ipsec-mb";
	cr_assert_eq(fan_open(&fanfare, &options), 0, "%s", fan_error_detail());
	add_ues(fanfare, ids);
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
