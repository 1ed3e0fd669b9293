/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a power loss may leave of the store's file: all that a sync or a write through an O_DSYNC descriptor has returned for; of what was
 * written since, any part, in any order, torn between sectors of 512 octets; and a length of the file between the two. LMDB's meta page cannot
 * be torn: it writes 120 octets of it, which lie in one sector.
 */
#define _GNU_SOURCE
#include "../host-api/store/store.h"
#include "appliance_fixture.h"
#include "batch.h"
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Records are large. */
#pragma GCC diagnostic ignored "-Wframe-larger-than="

TestSuite(store_crash, .init = fan_test_store_set_up, .fini = fan_test_store_tear_down, .timeout = 120);

#define STEPS 29
#define IMAGES 8 /* of each point */

/* ---- Steps of a store ---------------------------------------------------------------------------------------------------------- */

static unsigned
	returned[STEPS + 1]; /* writes and syncs when the commit of a step returned; of step 0, when the store was made */

static int
open_store(struct fan_store **store)
{
	return fan_store_open(store, &(struct fan_store_options){ .directory = fan_test_store.directory,
								  .key_file = fan_test_store.key,
								  .create = true });
}

static int
commit_step(struct fan_store *store, uint32_t n)
{
	int error = fan_store_begin(store);

	if (error == 0)
		error = fan_test_step_put(store, n);
	return fan_store_end(store, error);
}

/* Records STEPS steps of a new store. Every fifth fails first: at its first write or sync, at its second, and so on. */
static void
record_steps(bool lies)
{
	struct fan_store *store;

	fan_test_record_begin(NULL);
	cr_assert_eq(open_store(&store), 0, "%s", fan_error_detail());
	returned[0] = fan_test_record_count();
	fan_test_disk_lie(lies);
	for (uint32_t n = 1; n <= STEPS; n++) {
		fan_test_disk_fail(n / 5, n % 5 == 0, EIO);
		cr_assert_eq(commit_step(store, n), n % 5 == 0 ? FAN_E_IO : 0, "step %u: %s", n, fan_error_detail());
		if (n % 5 == 0)
			cr_assert_eq(commit_step(store, n), 0, "%s", fan_error_detail());
		returned[n] = fan_test_record_count();
	}
	fan_store_close(store);
	fan_test_record_end();
	cr_assert_geq(fan_test_record_durable_writes(), STEPS, "meta pages are not written through an O_DSYNC descriptor");
}

/* The last step whose commit had returned. */
static uint32_t
acknowledged(unsigned point)
{
	uint32_t n = 0;

	while (n < STEPS && returned[n + 1] <= point)
		n++;
	return n;
}

/* Whether the store opens, shows the last step that was acknowledged or the one that was under way, and takes the next. */
static bool
stands(unsigned point)
{
	const uint32_t least = acknowledged(point);
	struct fan_store *store;
	uint32_t n = FAN_TEST_STEP_NONE;
	bool right = open_store(&store) == 0;

	if (right)
		n = fan_test_step_of(store);
	right = n == least || (n == least + 1 && point >= returned[0]);
	right = right && (point % 8 != 0 || (commit_step(store, n + 1) == 0 && fan_test_step_of(store) == n + 1));
	if (!right)
		fprintf(stderr, "point %u: step %u instead of %u: %s\n", point, n, least, fan_error_detail());
	fan_store_close(store);
	return right;
}

/* From the end on: a file that has to be made once more, for want of a finished one, is another file. */
static unsigned
count_losses(void)
{
	struct fan_test_random random = fan_test_random_from_environment();
	unsigned losses = 0;

	for (unsigned point = fan_test_record_count() + 1; point-- > 0;)
		for (unsigned image = 0; image < IMAGES; image++) {
			fan_test_record_replay(point, &random);
			losses += !stands(point);
		}
	return losses;
}

Test(store_crash, shows_the_last_step_after_any_power_loss)
{
	record_steps(false);
	cr_assert_eq(count_losses(), 0);
}

/* The fault that the test above is there for. */
Test(store_crash, a_sync_that_lies_is_found)
{
	record_steps(true);
	cr_assert_gt(count_losses(), 10);
}

/* ---- COUNTs and messages of an appliance --------------------------------------------------------------------------------------- */

#define GROUP "all@crash.example"
#define UES 300 /* of two blocks; the first and the last are looked at */
#define MESSAGES 20
#define FIRST_COUNT 1000
#define POINTS_MAX 8192

static struct fanfare *fanfare;
static fan_context_id ids[UES];
static const unsigned watched[2] = { 0, UES - 1 };

/* What was so when as many writes and syncs had returned. */
static struct {
	uint32_t count[2];     /* every COUNT below may have left */
	fan_message_id synced; /* each message up to this one is accepted for sure */
} seen[POINTS_MAX];

static void
look(void)
{
	const unsigned point = fan_test_record_count();

	cr_assert_lt(point, POINTS_MAX);
	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(fan_ue_count(fanfare, &seen[point].count[i], NULL, NULL, ids[watched[i]]), 0);
}

/* What may be sent before the disk has gone on is sent. */
static void
wait_and_look(void)
{
	(void)usleep(300);
	look();
}

static void
open_appliance(void)
{
	const struct fan_options options = fan_test_store_options();

	cr_assert_eq(fan_open(&fanfare, &options), 0, "%s", fan_error_detail());
}

static struct fan_ue
make_ue(unsigned number)
{
	struct fan_ue ue;

	fan_ue_init(&ue, FAN_KIND_EPS_NAS);
	ue.cipher = 2;
	ue.integrity = 2;
	ue.count = FIRST_COUNT;
	ue.count_reserved = 1U << 24;
	ue.bearer_id = 5;
	ue.ue = number;
	ue.mme_ue_id = number;
	memcpy(ue.k_enc, &number, sizeof(number));
	memcpy(ue.k_int, &number, sizeof(number));
	return ue;
}

static struct fan_group *
provision(void)
{
	const struct fan_next_hop hop = fan_test_hop(0, false);
	struct fan_group *group;

	cr_assert_eq(fan_next_hop_add(fanfare, &hop), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_group_create(fanfare, &group, GROUP), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_begin(fanfare), 0);
	for (unsigned i = 0; i < UES; i++) {
		struct fan_ue ue = make_ue(i);
		char identity[FAN_IDENTITY_BYTES];

		(void)snprintf(identity, sizeof(identity), "00101%010u", i);
		ue.identity = identity;
		cr_assert_eq(fan_ue_add(fanfare, &ids[i], &ue), 0, "%s", fan_error_detail());
	}
	cr_assert_eq(fan_commit(fanfare), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_group_add_range(group, ids[0], UES, FAN_PROFILE_EPS_NAS_NIDD), 0, "%s", fan_error_detail());
	return group;
}

/* Sends messages at all paces, so that blocks rest at times; what was accepted is noted once it is synced. */
static void
send_messages(struct fan_group *group, struct fan_test_random *random)
{
	for (fan_message_id id = 0; id < MESSAGES;) {
		const double end_s = fan_test_now_s() + fan_test_random_below(random, 10) * 3e-3;
		struct fan_message message;

		fan_test_message(&message, "hello", 5);
		cr_assert_eq(fan_send(fanfare, &id, group, &message, NULL, NULL), 0, "%s", fan_error_detail());
		if (fan_test_random_below(random, 2) == 0) {
			cr_assert_eq(fan_sync(fanfare), 0, "%s", fan_error_detail());
			seen[fan_test_record_count()].synced = id;
		}
		do {
			(void)fan_poll(fanfare);
			look();
		} while (fan_test_now_s() < end_s);
		if (fan_test_random_below(random, 4) == 0)
			(void)fan_ue_received(fanfare, ids[0], UES);
	}
}

/* Returns the COUNT that the i-th watched UE goes on with, or 0 where its records are not there. */
static uint32_t
resumed_count(struct fan_store *store, unsigned i)
{
	const uint32_t slot = (uint32_t)ids[watched[i]];
	const struct fan_protection table = { .kind = FAN_KIND_EPS_NAS, .cipher = 2, .integrity = 2, .bearer_id = 5 };
	struct fan_record checkpoint = { .kind = FAN_RECORD_CHECKPOINT, .checkpoint.table = table };
	struct fan_record marks = { .kind = FAN_RECORD_MARKS, .marks.table = table };
	struct fan_ue ue = make_ue(watched[i]);

	checkpoint.checkpoint.block = slot / FAN_BLOCK_CONTEXTS;
	if (fan_store_get(store, &checkpoint) != 0)
		return 0;
	(void)fan_store_get(store, &marks); /* none: all are 0 */
	fan_resume(&ue, &checkpoint.checkpoint, marks.marks.mark[slot / FAN_BLOCK_CONTEXTS], slot % FAN_BLOCK_CONTEXTS);
	return ue.count;
}

/* Whether no COUNT that had left comes again, and every message that was accepted is there. */
static bool
keeps(unsigned point, const uint32_t left[2], fan_message_id synced)
{
	struct fan_store *store;
	bool right = open_store(&store) == 0;

	for (unsigned i = 0; right && i < 2; i++)
		right = resumed_count(store, i) >= left[i];
	for (fan_message_id id = 1; right && id <= synced; id++) {
		struct fan_record message = { .kind = FAN_RECORD_MESSAGE, .message.id = id };

		right = fan_store_get(store, &message) == 0;
	}
	if (!right)
		fprintf(stderr, "point %u: COUNT %u and %u had left, message %lu was accepted: %s\n", point, left[0], left[1],
			synced, fan_error_detail());
	fan_store_close(store);
	return right;
}

Test(store_crash, no_count_comes_again_after_any_power_loss)
{
	struct fan_test_random random = fan_test_random_from_environment();
	fan_message_id synced = 0;
	uint32_t left[2] = { FIRST_COUNT, FIRST_COUNT };
	struct fan_group *group;

	open_appliance();
	group = provision();
	fan_test_record_begin(wait_and_look);
	send_messages(group, &random);
	while (fan_poll(fanfare) > 0)
		look();
	cr_assert_eq(fan_close(fanfare), 0, "%s", fan_error_detail());
	fan_test_record_end();
	for (unsigned point = 0; point <= fan_test_record_count(); point++) {
		for (unsigned i = 0; i < 2; i++)
			left[i] = seen[point].count[i] > left[i] ? seen[point].count[i] : left[i];
		synced = seen[point].synced > synced ? seen[point].synced : synced;
		for (unsigned image = 0; image < 3; image++) {
			fan_test_record_replay(point, &random);
			cr_assert(keeps(point, left, synced));
		}
	}
	cr_log_info("%u writes and syncs, COUNT %u", fan_test_record_count(), left[0]);
	cr_assert(left[0] == FIRST_COUNT + MESSAGES && left[1] == left[0], "COUNT %u, %u", left[0], left[1]);
}
