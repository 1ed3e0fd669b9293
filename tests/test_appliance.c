/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What programs rely on for years: names that are never given twice, keys that are in use once, messages that can be followed and
 * stopped, UEs that come, move and go while messages run.
 */
#define _GNU_SOURCE
#include "../host-api/appliance/handles.h"
#include "appliance_fixture.h"
#include "residue.h"
#include "sanitizers.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <malloc.h>
#include <poll.h>
#include <roaring/roaring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define GROUP "all@example.org"
#define UES 3000 /* more than the port of the tests holds, so that a message waits until it is received */

static struct fan_test_side side;
static struct fan_test_appliance appliance;
static struct fan_message message;
static struct fan_group *group;

static void
open_all(unsigned ues, const struct fan_options *options)
{
	fan_test_side_open(&side, ues + 2000);
	fan_test_appliance_open(&appliance, &side, options);
	fan_message_init(&message, "hello", 5);
	side.message = &message;
	for (unsigned i = 0; i < ues; i++) {
		struct fan_test_subscriber *subscriber = fan_test_subscribe(&side, FAN_KIND_EPS_NAS, 2, 2);

		subscriber->ue.bearer_id = 5;
		fan_test_provision(&appliance, subscriber);
	}
	group = fan_test_group(&appliance, GROUP, 0, ues, FAN_PROFILE_EPS_NAS_NIDD);
}

static void
close_all(void)
{
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

static fan_message_id
begin(void)
{
	fan_message_id id = 0;

	cr_assert_eq(fan_send(appliance.fanfare, &id, group, &message, fan_test_done, &appliance), 0, "%s", fan_error_detail());
	cr_assert_neq(id, 0);
	return id;
}

static struct fan_progress
progress_of(fan_message_id id)
{
	struct fan_progress progress;

	fan_progress_init(&progress);
	cr_assert_eq(fan_message_progress(appliance.fanfare, &progress, id), 0, "%s", fan_error_detail());
	return progress;
}

/* Until the port is full and the message goes no further. */
static struct fan_progress
wait_for_full_port(fan_message_id id)
{
	struct fan_progress progress;

	do {
		usleep(1000);
		progress = progress_of(id);
	} while (progress.waits_for == FAN_WAIT_NOTHING || progress.waits_ns < 5000000);
	return progress;
}

/* Nobody receives meanwhile. */
static void
poll_to_the_end(void)
{
	const double deadline = fan_test_now_s() + 10;

	while (fan_poll(appliance.fanfare) > 0) {
		cr_assert_lt(fan_test_now_s(), deadline, "messages in flight do not end");
		usleep(1000);
	}
}

/* ---- Messages ---------------------------------------------------------------------------------------------------------- */

Test(appliance, a_message_in_trouble_says_so_and_can_be_cancelled, .timeout = 60)
{
	struct fan_progress progress;
	fan_message_id id;
	unsigned kept = 0;

	open_all(UES, NULL);
	id = begin();
	progress = wait_for_full_port(id);
	cr_assert_eq(progress.waits_for, FAN_WAIT_PORT, "%s", fan_wait_name(progress.waits_for));
	cr_assert_eq(progress.ues, UES);
	cr_assert(progress.sent > 0 && progress.sent < UES && progress.dropped == 0);
	cr_assert_geq(progress.created, progress.sent);
	cr_assert_eq(fan_message_cancel(appliance.fanfare, id), 0);
	/* Nobody receives: what the port has taken stays taken, all else ends. */
	poll_to_the_end();
	cr_assert_eq(appliance.ended, 1);
	cr_assert_eq(appliance.result.created, UES);
	cr_assert_eq(appliance.result.sent, progress.sent);
	cr_assert_eq(appliance.result.dropped[FAN_DROP_CANCELLED], UES - progress.sent);
	cr_assert_eq(appliance.not_served, UES - progress.sent);
	cr_assert_eq(fan_message_cancel(appliance.fanfare, id), FAN_E_NOT_FOUND, "it has ended");
	/* What was never begun spent no COUNT. */
	for (unsigned i = 0; i < UES; i++) {
		uint32_t next_count;

		cr_assert_eq(fan_ue_count(appliance.fanfare, &next_count, NULL, NULL, side.subscribers[i].id), 0);
		kept += next_count == FAN_TEST_FIRST_COUNT;
	}
	cr_assert_geq(kept, UES - progress.sent - 16 * FAN_BATCH_UES_MAX);
	fan_test_run(&appliance, 0);
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(appliance.result.sent, UES, "the next one is as any");
	close_all();
}

Test(appliance, what_is_dropped_is_seen_at_once, .timeout = 60)
{
	struct fan_totals totals;
	fan_message_id id;

	open_all(UES, NULL);
	cr_assert_eq(fan_ue_reachable(appliance.fanfare, side.subscribers[0].id, false), 0);
	id = begin();
	cr_assert_eq(wait_for_full_port(id).dropped, 1);
	fan_test_run(&appliance, 0);
	fan_totals_read(appliance.fanfare, &totals);
	cr_assert(totals.created == UES && totals.sent == UES - 1 && totals.dropped == 1);
	close_all();
}

Test(appliance, a_message_ends_with_its_validity, .timeout = 60)
{
	double deadline;

	open_all(UES, NULL);
	message.valid_for_ms = 100;
	(void)begin();
	message.valid_for_ms = 0;
	(void)begin(); /* behind it, for ever valid */
	deadline = fan_test_now_s() + 10;
	while (appliance.ended == 0) {
		cr_assert_lt(fan_test_now_s(), deadline, "it does not end");
		usleep(1000);
		(void)fan_poll(appliance.fanfare);
	}
	cr_assert_gt(appliance.result.dropped[FAN_DROP_EXPIRED], 0);
	cr_assert_eq(appliance.result.sent + appliance.result.dropped[FAN_DROP_EXPIRED], UES);
	fan_test_run(&appliance, 0);
	cr_assert_eq(appliance.ended, 2);
	cr_assert_eq(appliance.result.sent, UES);
	close_all();
}

Test(appliance, the_descriptor_tells_when_there_is_something_to_poll, .timeout = 60)
{
	struct fan_progress progress;
	struct pollfd ready;
	fan_message_id id;

	open_all(100, NULL);
	ready = (struct pollfd){ .fd = fan_event_fd(appliance.fanfare), .events = POLLIN };
	cr_assert_eq(poll(&ready, 1, 0), 0, "nothing has ended");
	id = begin();
	cr_assert_eq(poll(&ready, 1, 10000), 1, "it does not tell");
	fan_progress_init(&progress);
	cr_assert_eq(fan_message_progress(appliance.fanfare, &progress, id), FAN_E_NOT_FOUND, "it has ended");
	cr_assert_eq(fan_message_cancel(appliance.fanfare, id), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_poll(appliance.fanfare), 0);
	cr_assert_eq(appliance.ended, 1);
	cr_assert_eq(poll(&ready, 1, 0), 0, "it was told");
	close_all();
}

Test(appliance, draining_loses_nothing, .timeout = 60)
{
	fan_message_id id;

	open_all(UES, NULL);
	id = begin();
	cr_assert_eq(fan_drain(appliance.fanfare, false), 0);
	cr_assert_eq(fan_send(appliance.fanfare, &id, group, &message, fan_test_done, &appliance), FAN_E_BUSY);
	cr_assert_not_null(strstr(fan_error_detail(), "draining"), "%s", fan_error_detail());
	fan_test_run(&appliance, 0);
	cr_assert_eq(appliance.result.sent, UES);
	close_all();
	open_all(UES, NULL);
	for (unsigned i = 0; i < 3; i++)
		(void)begin();
	cr_assert_eq(fan_drain(appliance.fanfare, true), 0);
	poll_to_the_end();
	cr_assert_eq(appliance.ended, 3);
	cr_assert_gt(appliance.result.dropped[FAN_DROP_CANCELLED], 0);
	close_all();
}

/* Its keys are needed as long as a message that knows it runs, and no longer. */
Test(appliance, a_removed_ue_leaves_no_keys, .timeout = 60)
{
	static const uint8_t wiped[FAN_KEY_BYTES];
	const struct fan_context *context;
	uint32_t next_count;
	uint16_t unacknowledged;
	fan_message_id id;

	open_all(UES, NULL);
	for (unsigned i = 0; i < 2; i++) {
		const fan_context_id gone = side.subscribers[i].id;

		context = &appliance.fanfare->dataplane->tables[gone >> 52].slots[(uint32_t)gone];
		id = i == 0 ? begin() : 0;
		if (i == 0)
			(void)wait_for_full_port(id);
		cr_assert_eq(memcmp(context->k_enc, side.subscribers[i].ue.k_enc, FAN_KEY_BYTES), 0);
		cr_assert_eq(fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, gone), 0);
		if (i == 0)
			cr_assert_eq(memcmp(context->k_enc, side.subscribers[i].ue.k_enc, FAN_KEY_BYTES), 0, "it is in use");
		fan_test_run(&appliance, 0);
		cr_assert_eq(memcmp(context->k_enc, wiped, FAN_KEY_BYTES), 0);
		cr_assert_eq(memcmp(context->k_int, wiped, FAN_KEY_BYTES), 0);
	}
	close_all();
}

static unsigned visited;
static uint64_t counts_given_back;

static void
visit(void *user, fan_context_id id, uint32_t ue, uint32_t next_count, uint16_t unacknowledged)
{
	(void)user;
	cr_assert_eq(id, side.subscribers[ue].id);
	cr_assert_eq(unacknowledged, next_count - FAN_TEST_FIRST_COUNT);
	counts_given_back += next_count;
	visited++;
	cr_assert_eq(fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, id), FAN_E_BUSY, "while all are visited");
}

static int in_callback[4];
static fan_message_id sent_in_callback;

static void
misuse(void *user, const struct fan_result *result, const struct fan_outcome *outcome)
{
	uint32_t next_count;
	uint16_t unacknowledged;

	(void)user;
	(void)result;
	(void)outcome;
	fan_ue_each(appliance.fanfare, visit, NULL);
	in_callback[0] = fan_close(appliance.fanfare);
	in_callback[1] = fan_poll(appliance.fanfare);
	in_callback[2] = fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, side.subscribers[0].id);
	in_callback[3] = fan_drain(appliance.fanfare, true);
	cr_assert_eq(fan_send(appliance.fanfare, &sent_in_callback, group, &message, fan_test_done, &appliance), 0, "%s",
		     fan_error_detail());
}

Test(appliance, a_callback_may_send_and_is_refused_what_would_harm_it, .timeout = 60)
{
	open_all(10, NULL);
	cr_assert_eq(fan_send(appliance.fanfare, NULL, group, &message, misuse, NULL), 0);
	while (sent_in_callback == 0)
		(void)fan_poll(appliance.fanfare);
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(in_callback[i], FAN_E_BUSY, "call %u", i);
	fan_test_run(&appliance, 0);
	cr_assert_eq(appliance.result.sent, 10);
	close_all();
}

/* ---- Names and keys ---------------------------------------------------------------------------------------------------- */

/* So many are removed and added that slots are used again; no old name means a new UE. */
Test(appliance, a_name_is_never_given_to_another, .timeout = 60)
{
	static fan_context_id old[1500];
	uint32_t next_count;
	uint16_t unacknowledged;
	unsigned same_slot = 0;

	open_all(1500, NULL);
	for (unsigned i = 0; i < 1500; i++) {
		old[i] = side.subscribers[i].id;
		cr_assert_eq(fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, old[i]), 0);
	}
	cr_assert_eq(fan_group_size(group), 0);
	for (unsigned i = 0; i < 1500; i++) {
		struct fan_test_subscriber *subscriber = fan_test_subscribe(&side, FAN_KIND_EPS_NAS, 2, 2);

		subscriber->ue.bearer_id = 5;
		subscriber->ue.count_reserved = FAN_TEST_FIRST_COUNT + 1;
		fan_test_provision(&appliance, subscriber);
	}
	for (unsigned i = 0; i < 1500; i++) {
		fan_context_id now = side.subscribers[1500 + i].id;

		for (unsigned j = 0; j < 1500; j++) {
			cr_assert_neq(now, old[j], "a name was given twice");
			same_slot += (uint32_t)now == (uint32_t)old[j];
		}
	}
	cr_assert_gt(same_slot, 1000, "slots are used again");
	for (unsigned i = 0; i < 1500; i++) {
		cr_assert_eq(fan_ue_lease(appliance.fanfare, old[i], 1U << 24), FAN_E_NOT_FOUND, "a late lease");
		cr_assert_eq(fan_ue_acknowledged(appliance.fanfare, old[i], 1), FAN_E_NOT_FOUND);
		cr_assert_eq(fan_ue_reachable(appliance.fanfare, old[i], false), FAN_E_NOT_FOUND);
		cr_assert_eq(fan_group_add(group, old[i], FAN_PROFILE_EPS_NAS_NIDD), FAN_E_NOT_FOUND);
	}
	cr_assert_eq(fan_group_size(group), 0, "a new UE is in no group");
	/* Nor does a late proof of an old one hold for it. */
	group = fan_test_group(&appliance, GROUP, 1500, 1500, FAN_PROFILE_EPS_NAS_NIDD);
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(appliance.result.sent, 1500);
	cr_assert_eq(fan_ue_received(appliance.fanfare, old[0], 1500), 0, "names in between may be free: %s",
		     fan_error_detail());
	for (unsigned i = 0; i < 1500; i++) {
		cr_assert_eq(fan_ue_count(appliance.fanfare, NULL, NULL, &unacknowledged, side.subscribers[1500 + i].id), 0);
		cr_assert_eq(unacknowledged, 1, "UE %u", i);
	}
	close_all();
}

Test(appliance, a_key_is_in_use_once, .timeout = 60)
{
	struct fan_protector *protector;
	struct fan_ue ue;
	fan_context_id id;
	uint32_t next_count;
	uint16_t unacknowledged;

	open_all(10, NULL);
	ue = side.subscribers[3].ue;
	cr_assert_eq(fan_ue_add(appliance.fanfare, &id, &ue), FAN_E_EXISTS);
	cr_assert_not_null(strstr(fan_error_detail(), "COUNT"), "%s", fan_error_detail());
	ue.bearer_id = 6; /* another table, the same key */
	cr_assert_eq(fan_ue_add(appliance.fanfare, &id, &ue), FAN_E_EXISTS);
	ue.k_int[0] ^= 1; /* the cipher's keystream is the same all the same */
	cr_assert_eq(fan_ue_add(appliance.fanfare, &id, &ue), FAN_E_EXISTS);
	ue.k_int[0] ^= 1;
	ue.k_enc[15] ^= 1; /* and so is what the MAC is made of */
	cr_assert_eq(fan_ue_add(appliance.fanfare, &id, &ue), FAN_E_EXISTS);
	ue.k_int[0] ^= 1; /* what was refused entered no key */
	cr_assert_eq(fan_ue_add(appliance.fanfare, &id, &ue), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, id), 0);
	cr_assert_eq(fan_ue_add(appliance.fanfare, &id, &ue), 0, "given back, it may come again: %s", fan_error_detail());
	/* Bearers of a UE have one key, and each its BEARER. */
	ue = fan_test_subscribe(&side, FAN_KIND_NR_PDCP_12, 2, 2)->ue;
	for (ue.bearer = 0; ue.bearer < 8; ue.bearer++)
		cr_assert_eq(fan_ue_add(appliance.fanfare, &id, &ue), 0, "%s", fan_error_detail());
	ue.bearer = 3;
	cr_assert_eq(fan_ue_add(appliance.fanfare, &id, &ue), FAN_E_EXISTS);
	/* Also where the one is a protector's. */
	cr_assert_eq(fan_protector_open(&protector, "reference", FAN_KIND_EPS_NAS, 2, 2, 2), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_protector_add(protector, &id, &side.subscribers[4].ue), FAN_E_EXISTS);
	cr_assert_eq(fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, side.subscribers[4].id), 0);
	cr_assert_eq(fan_protector_add(protector, &id, &side.subscribers[4].ue), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_ue_add(appliance.fanfare, &id, &side.subscribers[4].ue), FAN_E_EXISTS);
	fan_protector_close(protector);
	/* Keys that protect nothing are nobody's. */
	ue = fan_test_subscribe(&side, FAN_KIND_EPS_NAS, 0, 0)->ue;
	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(fan_ue_add(appliance.fanfare, &id, &ue), 0, "%s", fan_error_detail());
	close_all();
}

static struct fan_ue added;

static void
add_one(void *user)
{
	fan_context_id id;

	(void)user;
	cr_assert_eq(fan_ue_add(appliance.fanfare, &id, &added), 0, "%s", fan_error_detail());
}

Test(appliance, keys_do_not_stay_on_the_stack, .timeout = 60)
{
	open_all(1, NULL);
	added = fan_test_subscribe(&side, FAN_KIND_EPS_NAS, 2, 2)->ue;
	added.bearer_id = 5;
	cr_assert_not(fan_test_left_on_stack(add_one, NULL, added.k_enc, FAN_KEY_BYTES), "K_enc");
	added = fan_test_subscribe(&side, FAN_KIND_EPS_NAS, 2, 2)->ue;
	added.bearer_id = 5;
	cr_assert_not(fan_test_left_on_stack(add_one, NULL, added.k_int, FAN_KEY_BYTES), "K_int");
	close_all();
}

/* Slots of UEs that went are free once every group was walked, which no call does to the end. */
Test(appliance, slots_are_freed_in_steps, .timeout = 60)
{
	enum { GROUPS = 500, GONE = 1024 };
	static struct fan_group *groups[GROUPS];
	static fan_context_id gone[GONE];
	struct fan_test_subscriber *subscriber;
	uint32_t next_count;
	uint16_t unacknowledged;
	unsigned calls = 0;
	char gid[32];

	(void)mallopt(M_PERTURB, 0x5a); /* what is freed is overwritten */
	open_all(2 * GONE, NULL);
	for (unsigned i = 0; i < GROUPS; i++) {
		snprintf(gid, sizeof(gid), "g%u@example.org", i);
		groups[i] = fan_test_group(&appliance, gid, GONE - 10, 20, FAN_PROFILE_EPS_NAS_NIDD);
	}
	for (unsigned i = 0; i < GONE; i++) {
		gone[i] = side.subscribers[i].id;
		cr_assert_eq(fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, gone[i]), 0);
	}
	subscriber = fan_test_subscribe(&side, FAN_KIND_EPS_NAS, 2, 2);
	subscriber->ue.bearer_id = 5;
	fan_test_provision(&appliance, subscriber);
	cr_assert_eq((uint32_t)subscriber->id, 2 * GONE, "all groups were walked in one call");
	/* Groups that come and go meanwhile, among them the next to be walked: groups are walked from the newest on. */
	for (unsigned i = 300; i < GROUPS; i++)
		fan_group_delete(groups[i]);
	(void)fan_test_group(&appliance, "new@example.org", GONE, 20, FAN_PROFILE_EPS_NAS_NIDD);
	do {
		cr_assert_eq(fan_poll(appliance.fanfare), 0);
		subscriber = fan_test_subscribe(&side, FAN_KIND_EPS_NAS, 2, 2);
		subscriber->ue.bearer_id = 5;
		fan_test_provision(&appliance, subscriber);
		calls++;
	} while ((uint32_t)subscriber->id >= 2 * GONE && calls < 100);
	cr_assert(calls > 1 && calls <= 8, "%u calls", calls);
	for (unsigned i = 0; i < 300; i++)
		cr_assert_eq(fan_group_size(groups[i]), 10);
	cr_assert_eq(fan_group_size(group), GONE);
	side.message = NULL;
	fan_test_send(&appliance, groups[0], &message);
	cr_assert_eq(appliance.result.sent, 10, "the new UE is in no group, though the old one in its slot was");
	close_all();
}

/* ---- Memory short ------------------------------------------------------------------------------------------------------ */

static unsigned bitmaps_left = UINT32_MAX; /* that can be made */

/* Take the place of CRoaring's in this program. */
roaring_bitmap_t *
roaring_bitmap_create_with_capacity(uint32_t capacity)
{
	static roaring_bitmap_t *(*next)(uint32_t);

	if (next == NULL)
		next = (roaring_bitmap_t * (*)(uint32_t)) dlsym(RTLD_NEXT, "roaring_bitmap_create_with_capacity");
	if (bitmaps_left == 0)
		return NULL;
	bitmaps_left--;
	return next(capacity);
}

#ifndef CROARING_DEPRECATED /* CRoaring 3 brought this macro, and calls the former */
roaring_bitmap_t *
roaring_bitmap_create(void)
{
	return roaring_bitmap_create_with_capacity(0);
}
#endif

Test(appliance, a_ue_whose_removal_fails_stays_in_service, .timeout = 60)
{
	uint32_t next_count = 7;
	uint16_t unacknowledged;

	open_all(10, NULL);
	for (unsigned i = 0; i < 2; i++) {
		bitmaps_left = i;
		cr_assert_eq(fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, side.subscribers[0].id),
			     FAN_E_MEMORY);
	}
	bitmaps_left = UINT32_MAX;
	cr_assert_eq(next_count, 7);
	cr_assert_eq(fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, side.subscribers[1].id), 0);
	cr_assert_eq(fan_group_size(group), 9);
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(appliance.result.sent, 9);
	cr_assert_eq(side.subscribers[0].accepted, 1, "half removed: it got nothing, and is not reported");
	cr_assert_eq(fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, side.subscribers[0].id), 0);
	close_all();
}

struct block {
	struct block *next;
};

/* A block that is given back by give_back(). */
static bool
take(struct block **taken, size_t bytes)
{
	struct block *block = malloc(bytes);

	if (block == NULL)
		return false;
	block->next = *taken;
	*taken = block;
	return true;
}

static void
give_back(struct block **taken)
{
	while (*taken != NULL) {
		struct block *block = *taken;

		*taken = block->next;
		free(block);
	}
}

/* All memory is gone but for some small blocks, in which CRoaring finds room for the first of what it needs and not for the next. */
Test(appliance, short_memory_is_an_error_and_changes_nothing, .timeout = 60)
{
	static const struct {
		unsigned blocks, bytes;
	} rows[] = { { 0, 16 }, { 8, 24 }, { 8, 56 }, { 12, 120 }, { 6, 250 }, { 2, 4000 }, { 1, 9000 } };
	const size_t row_count = sizeof(rows) / sizeof(rows[0]);
	int errors[sizeof(rows) / sizeof(rows[0])][3];
	struct rlimit limit;

	if (!fan_test_space_can_be_limited())
		cr_skip_test("no limit of memory can be set here");
	open_all(UES, NULL);
	cr_assert_eq(getrlimit(RLIMIT_AS, &limit), 0);
	for (size_t i = 0; i < row_count; i++) {
		struct block *left = NULL, *taken = NULL;
		const struct rlimit none = { 1, limit.rlim_max };
		uint32_t next_count;
		uint16_t unacknowledged;

		for (unsigned j = 0; j < rows[i].blocks; j++)
			cr_assert(take(&left, rows[i].bytes));
		(void)setrlimit(RLIMIT_AS, &none);
		for (size_t bytes = 1 << 20; bytes >= sizeof(struct block); bytes = bytes > 32768 ? bytes / 2 : bytes - 8)
			while (take(&taken, bytes))
				;
		give_back(&left);
		errors[i][0] = fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, side.subscribers[5].id);
		errors[i][1] = fan_group_remove(group, side.subscribers[6].id);
		errors[i][2] = fan_send(appliance.fanfare, NULL, group, &message, fan_test_done, &appliance);
		(void)setrlimit(RLIMIT_AS, &limit);
		give_back(&taken);
	}
	for (size_t i = 0; i < row_count; i++)
		for (unsigned j = 0; j < 3; j++)
			cr_assert_eq(errors[i][j], FAN_E_MEMORY, "row %zu, call %u: %s", i, j, fan_error_name(errors[i][j]));
	cr_assert_eq(fan_group_size(group), UES);
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(appliance.result.sent, UES);
	close_all();
}

/* ---- UEs come, move and go while messages run ----------------------------------------------------------------------------- */

Test(appliance, a_ue_is_removed_while_a_message_runs, .timeout = 60)
{
	const unsigned last = UES - 1;
	uint32_t next_count, again;
	uint16_t unacknowledged;
	fan_message_id id;

	open_all(UES, NULL);
	id = begin();
	(void)wait_for_full_port(id);
	cr_assert_eq(fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, side.subscribers[last].id), 0, "%s",
		     fan_error_detail());
	cr_assert_eq(next_count, FAN_TEST_FIRST_COUNT, "it had not been reached");
	cr_assert_eq(unacknowledged, 0);
	cr_assert_eq(fan_ue_remove(appliance.fanfare, &again, &unacknowledged, side.subscribers[last].id), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, side.subscribers[0].id), 0);
	cr_assert_eq(next_count, FAN_TEST_FIRST_COUNT + 1, "its PDU is on the way");
	cr_assert_eq(fan_group_size(group), UES - 2);
	fan_test_run(&appliance, 0);
	cr_assert_eq(appliance.result.sent, UES - 1);
	cr_assert_eq(appliance.result.dropped[FAN_DROP_REMOVED], 1);
	cr_assert_eq(side.subscribers[last].accepted, 0);
	cr_assert_eq(side.subscribers[last].drop, FAN_DROP_REMOVED);
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(appliance.result.ues, UES - 2);
	close_all();
}

Test(appliance, every_count_can_be_read_and_given_back, .timeout = 60)
{
	uint32_t next_count, count_reserved;
	uint16_t unacknowledged;

	open_all(100, NULL);
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(fan_ue_count(appliance.fanfare, &next_count, &count_reserved, &unacknowledged, side.subscribers[5].id), 0);
	cr_assert(next_count == FAN_TEST_FIRST_COUNT + 1 && count_reserved == 1U << 24 && unacknowledged == 1);
	cr_assert_eq(fan_ue_count(appliance.fanfare, NULL, NULL, NULL, UINT64_MAX), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, side.subscribers[7].id), 0);
	fan_ue_each(appliance.fanfare, visit, NULL);
	cr_assert_eq(visited, 99);
	cr_assert_eq(counts_given_back, 99 * (FAN_TEST_FIRST_COUNT + 1));
	close_all();
}

/* A UE goes to another relay under other ids; the UE side finds it by these. */
Test(appliance, a_ue_moves, .timeout = 60)
{
	struct fan_test_subscriber *subscriber;
	struct fan_ue ue;

	open_all(10, NULL);
	fan_test_send(&appliance, group, &message);
	subscriber = &side.subscribers[4];
	ue = subscriber->ue;
	ue.next_hop = (uint16_t)((ue.next_hop + 1) % FAN_TEST_HOPS);
	ue.ran_ue_id = 0xabcdef;
	memset(ue.k_enc, 0, sizeof(ue.k_enc)); /* only the place is taken over */
	ue.count = 0;
	cr_assert_eq(fan_ue_move(appliance.fanfare, subscriber->id, &ue), 0, "%s", fan_error_detail());
	subscriber->ue.next_hop = ue.next_hop;
	subscriber->ue.ran_ue_id = ue.ran_ue_id;
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(subscriber->accepted, 2, "it is not found at its new place");
	ue.next_hop = FAN_TEST_HOPS;
	cr_assert_eq(fan_ue_move(appliance.fanfare, subscriber->id, &ue), FAN_E_INVALID);
	ue.next_hop = 0;
	ue.ran_ue_id = 1U << 24;
	cr_assert_eq(fan_ue_move(appliance.fanfare, subscriber->id, &ue), FAN_E_INVALID);
	ue.kind = FAN_KIND_5GS_NAS;
	cr_assert_eq(fan_ue_move(appliance.fanfare, subscriber->id, &ue), FAN_E_INVALID);
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(subscriber->accepted, 3, "a refused move changes nothing");
	close_all();
}

Test(appliance, a_next_hop_changes_its_address, .timeout = 60)
{
	struct fan_next_hop hop = fan_test_hop(1, false);

	open_all(30, NULL);
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(fan_next_hop_change(appliance.fanfare, 0, &hop), FAN_E_EXISTS);
	cr_assert_eq(fan_next_hop_change(appliance.fanfare, 1, &hop), 0, "its own address is no clash");
	hop.address[3] = 99;
	cr_assert_eq(fan_next_hop_change(appliance.fanfare, FAN_TEST_HOPS, &hop), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_next_hop_change(appliance.fanfare, 1, &hop), 0, "%s", fan_error_detail());
	side.message = NULL;
	cr_assert_eq(fan_send(appliance.fanfare, NULL, group, &message, fan_test_done, &appliance), 0);
	fan_test_run(&appliance, 0);
	cr_assert_eq(appliance.result.sent, 30);
	/* A third of the UEs is behind an address that the UE side does not know them at. */
	cr_assert_eq(side.verdicts[FAN_UE_ACCEPTED], 30 + 20);
	close_all();
}

/* ---- Processes --------------------------------------------------------------------------------------------------------- */

/* Every call in a child of the process that opened the appliance; how many did not answer as they should. */
static unsigned
call_as_child(void)
{
	const struct fan_test_subscriber *subscriber = &side.subscribers[0];
	const fan_context_id id = subscriber->id;
	const struct fan_next_hop hop = fan_test_hop(2, false);
	struct fan_progress progress;
	struct fan_options options;
	struct fan_group *none;
	struct fanfare *second;
	fan_context_id new_id;
	uint32_t count;
	uint16_t unacknowledged;
	unsigned wrong = 0;

	fan_progress_init(&progress);
	fan_options_init(&options);
	options.egress = "net_null";
	wrong += fan_send(appliance.fanfare, NULL, group, &message, fan_test_done, &appliance) != FAN_E_NOT_FOUND;
	wrong += strstr(fan_error_detail(), "parent") == NULL;
	wrong += fan_poll(appliance.fanfare) != FAN_E_NOT_FOUND;
	wrong += fan_drain(appliance.fanfare, true) != FAN_E_NOT_FOUND;
	wrong += fan_event_fd(appliance.fanfare) != FAN_E_NOT_FOUND;
	wrong += fan_message_cancel(appliance.fanfare, 1) != FAN_E_NOT_FOUND;
	wrong += fan_message_progress(appliance.fanfare, &progress, 1) != FAN_E_NOT_FOUND;
	wrong += fan_next_hop_add(appliance.fanfare, &hop) != FAN_E_NOT_FOUND;
	wrong += fan_next_hop_change(appliance.fanfare, 0, &hop) != FAN_E_NOT_FOUND;
	wrong += fan_ue_reserve(appliance.fanfare, FAN_KIND_EPS_NAS, 2, 2, 1) != FAN_E_NOT_FOUND;
	wrong += fan_ue_add(appliance.fanfare, &new_id, &subscriber->ue) != FAN_E_NOT_FOUND;
	wrong += fan_ue_remove(appliance.fanfare, &count, &unacknowledged, id) != FAN_E_NOT_FOUND;
	wrong += fan_ue_count(appliance.fanfare, &count, NULL, NULL, id) != FAN_E_NOT_FOUND;
	wrong += fan_ue_move(appliance.fanfare, id, &subscriber->ue) != FAN_E_NOT_FOUND;
	wrong += fan_ue_lease(appliance.fanfare, id, 1U << 24) != FAN_E_NOT_FOUND;
	wrong += fan_ue_reachable(appliance.fanfare, id, false) != FAN_E_NOT_FOUND;
	wrong += fan_ue_acknowledged(appliance.fanfare, id, FAN_TEST_FIRST_COUNT) != FAN_E_NOT_FOUND;
	wrong += fan_ue_received(appliance.fanfare, id, 1) != FAN_E_NOT_FOUND;
	fan_ue_each(appliance.fanfare, visit, NULL);
	wrong += visited != 0;
	wrong += fan_group_create(appliance.fanfare, &none, "b@example.org") != FAN_E_NOT_FOUND;
	wrong += fan_group_find(appliance.fanfare, GROUP) != NULL;
	wrong += fan_group_add(group, id, FAN_PROFILE_EPS_NAS_NIDD) != FAN_E_NOT_FOUND;
	wrong += fan_group_remove(group, id) != FAN_E_NOT_FOUND;
	fan_group_delete(group);
	wrong += fan_close(appliance.fanfare) != FAN_E_NOT_FOUND;
	wrong += fan_open(&second, &options) != FAN_E_UNSUPPORTED;
	wrong += strstr(fan_error_detail(), "fork first") == NULL;
	return wrong;
}

Test(appliance, a_child_of_the_process_is_refused_everything, .timeout = 60)
{
	int status;

	open_all(10, NULL);
	if (fork() == 0) {
		alarm(20);
		_exit((int)call_as_child());
	}
	cr_assert_gt(wait(&status), 0);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", (unsigned)status);
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(appliance.result.sent, 10, "the parent's goes on");
	close_all();
}

/* ---- Structs ----------------------------------------------------------------------------------------------------------- */

/* What a program of tomorrow fills, and what one that forgot. */
Test(appliance, structs_say_how_long_they_are, .timeout = 60)
{
	struct {
		struct fan_ue ue;
		uint64_t tomorrow;
	} longer;
	struct fan_message zeroed = { .bytes = (const uint8_t *)"x", .byte_count = 1 };
	struct fan_options options = { .egress = "net_null" };
	struct fanfare *none;
	fan_context_id id;

	cr_assert_eq(fan_api_version(), FAN_API_VERSION);
	cr_assert_str_not_empty(fan_version());
	cr_assert_eq(fan_open(&none, &options), FAN_E_INVALID, "only zeroed");
	cr_assert_not_null(strstr(fan_error_detail(), "fan_options_init"), "%s", fan_error_detail());
	cr_assert_eq(fan_open(&none, NULL), FAN_E_INVALID);
	fan_options_init(&options);
	cr_assert_eq(fan_open(&none, &options), FAN_E_INVALID, "frames would go nowhere, unsaid");
	cr_assert_not_null(strstr(fan_error_detail(), "egress"), "%s", fan_error_detail());
	open_all(2, NULL);
	cr_assert_eq(fan_send(appliance.fanfare, NULL, group, &zeroed, fan_test_done, &appliance), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "fan_message_init"), "%s", fan_error_detail());
	memset(&longer, 0, sizeof(longer));
	longer.ue = fan_test_subscribe(&side, FAN_KIND_EPS_NAS, 2, 2)->ue;
	longer.ue.struct_bytes = sizeof(longer);
	longer.tomorrow = 1;
	cr_assert_eq(fan_ue_add(appliance.fanfare, &id, &longer.ue), FAN_E_UNSUPPORTED, "a field that is not known here");
	longer.tomorrow = 0;
	cr_assert_eq(fan_ue_add(appliance.fanfare, &id, &longer.ue), 0, "nothing is asked that is not known: %s",
		     fan_error_detail());
	close_all();
}

/* A program of version 2 has shorter structs: what lies behind them is its own. */
Test(appliance, structs_of_version_2_are_taken, .timeout = 60)
{
	struct fan_message_status status;
	fan_message_id id;

	open_all(2, NULL);
	fan_test_message(&message, "hello", 5);
	message.struct_bytes = offsetof(struct fan_message, reference);
	message.reference = (const char *)1;
	cr_assert_eq(fan_send(appliance.fanfare, &id, group, &message, fan_test_done, &appliance), 0, "%s", fan_error_detail());
	fan_message_status_init(&status);
	status.struct_bytes = offsetof(struct fan_message_status, reference);
	memset(status.reference, 'x', sizeof(status.reference));
	cr_assert_eq(fan_message_status(appliance.fanfare, &status, id), 0, "%s", fan_error_detail());
	cr_assert(status.id == id && status.struct_bytes == offsetof(struct fan_message_status, reference));
	cr_assert(status.reference[0] == 'x' && status.reference[sizeof(status.reference) - 1] == 'x');
	status.struct_bytes--;
	cr_assert_eq(fan_message_status(appliance.fanfare, &status, id), FAN_E_INVALID);
	fan_test_run(&appliance, 0);
	close_all();
}

/* Without a store it is known for as long as it is on its way. */
Test(appliance, a_reference_is_free_when_its_message_has_ended, .timeout = 60)
{
	fan_message_id id, again;

	open_all(2, NULL);
	fan_test_message(&message, "hello", 5);
	message.reference = "order 7";
	cr_assert_eq(fan_send(appliance.fanfare, &id, group, &message, fan_test_done, &appliance), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_send(appliance.fanfare, &again, group, &message, fan_test_done, &appliance), FAN_E_EXISTS);
	cr_assert_eq(again, id);
	fan_test_run(&appliance, 0);
	cr_assert_eq(fan_message_find(appliance.fanfare, &again, "order 7"), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_send(appliance.fanfare, &again, group, &message, fan_test_done, &appliance), 0, "%s",
		     fan_error_detail());
	cr_assert_eq(again, id + 1);
	fan_test_run(&appliance, 0);
	close_all();
}

/* VLAN tag, DSCP, source addresses and port stand in every frame. */
static uint8_t last_frame[2048];
static size_t last_frame_bytes;

static void
keep_frame(void *user, const uint8_t *frame, size_t frame_bytes)
{
	(void)user;
	memcpy(last_frame, frame, frame_bytes);
	last_frame_bytes = frame_bytes;
}

Test(appliance, frames_say_who_sends_them, .timeout = 60)
{
	struct fan_options options;
	static const uint8_t ethernet[14 + 4] = {
		2, 0, 0, 0, 1, 0, 2, 9, 9, 9, 9, 9, 0x81, 0x00, 0xa0 | 0x01, 0x23, 0x08, 0x00
	};

	fan_options_init(&options);
	options.source_address[0] = 192;
	options.source_address[2] = 2;
	options.source_address[3] = 77;
	memcpy(options.source_ethernet, ethernet + 6, 6);
	options.vlan = 0x123;
	options.vlan_priority = 5;
	options.dscp = 46;
	options.udp_source_port = 5555;
	open_all(1, &options);
	cr_assert_eq(fan_send(appliance.fanfare, NULL, group, &message, fan_test_done, &appliance), 0, "%s",
		     fan_error_detail());
	while (last_frame_bytes == 0)
		(void)fan_loop_receive(appliance.fanfare, keep_frame, NULL, 1);
	cr_assert_arr_eq(last_frame, ethernet, sizeof(ethernet));
	cr_assert_eq(last_frame[18 + 1], 46 << 2);
	cr_assert_arr_eq(last_frame + 18 + 12, options.source_address, 4);
	cr_assert_eq(last_frame[18 + 20] << 8 | last_frame[18 + 21], 5555);
	cr_assert_eq(last_frame[18 + 22] << 8 | last_frame[18 + 23], 36412);
	cr_assert_eq(fan_test_side_receive(&side, last_frame, last_frame_bytes), FAN_UE_ACCEPTED);
	fan_test_run(&appliance, 0);
	close_all();
	options.vlan = 4095;
	options.egress = "net_null";
	cr_assert_eq(fan_open(&appliance.fanfare, &options), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "4094"), "%s", fan_error_detail());
	options.vlan = 0;
	options.dscp = 64;
	cr_assert_eq(fan_open(&appliance.fanfare, &options), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "63"), "%s", fan_error_detail());
}

static void
count_frame(void *user, const uint8_t *frame, size_t frame_bytes)
{
	(void)frame;
	(void)frame_bytes;
	++*(unsigned *)user;
}

Test(appliance, frames_come_as_many_as_were_asked_for, .timeout = 60)
{
	static const unsigned got[] = { 4, 4, 2, 0 };

	open_all(10, NULL);
	(void)begin();
	poll_to_the_end();
	for (unsigned i = 0; i < 4; i++) {
		unsigned frames = 0;

		cr_assert_eq(fan_loop_receive(appliance.fanfare, count_frame, &frames, 4), got[i]);
		cr_assert_eq(frames, got[i]);
	}
	close_all();
}

Test(appliance, a_capture_that_is_not_whole_is_told_of, .timeout = 60)
{
	struct fan_options options;

	fan_options_init(&options);
	options.capture = "/dev/full";
	open_all(UES, &options);
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(fan_close(appliance.fanfare), FAN_E_IO);
	cr_assert_not_null(strstr(fan_error_detail(), "No space left"), "%s", fan_error_detail());
	fan_test_side_close(&side);
}

/* A group's neighbours stay what they are when it goes, whatever the order. */
Test(appliance, groups_go_in_any_order, .timeout = 60)
{
	static const struct {
		unsigned count, deleted[2];
	} rows[] = { { 1, { 1 } }, { 2, { 2, 1 } }, { 2, { 0, 1 } }, { 2, { 2, 0 } } };

	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		static const char *const gids[3] = { "a@example.org", "b@example.org", "c@example.org" };
		struct fan_group *groups[3];

		open_all(2, NULL);
		for (unsigned i = 0; i < 3; i++)
			groups[i] = fan_test_group(&appliance, gids[i], 0, 2, FAN_PROFILE_EPS_NAS_NIDD);
		for (unsigned i = 0; i < rows[row].count; i++) {
			fan_group_delete(groups[rows[row].deleted[i]]);
			groups[rows[row].deleted[i]] = NULL;
		}
		for (unsigned i = 0; i < 3; i++) {
			cr_assert_eq(fan_group_find(appliance.fanfare, gids[i]), groups[i], "%s", gids[i]);
			cr_assert(groups[i] == NULL || fan_group_size(groups[i]) == 2);
		}
		close_all();
	}
}

Test(appliance, a_short_message_names_its_sender, .timeout = 60)
{
	open_all(2, NULL);
	/* In a group of which it is not the first profile, too. */
	(void)fan_test_group(&appliance, "sms@example.org", 0, 1, FAN_PROFILE_EPS_NAS_NIDD);
	group = fan_test_group(&appliance, "sms@example.org", 1, 1, FAN_PROFILE_EPS_NAS_SMS);
	cr_assert_eq(fan_send(appliance.fanfare, NULL, group, &message, fan_test_done, &appliance), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "originator"), "%s", fan_error_detail());
	message.originator = "Flood";
	cr_assert_eq(fan_send(appliance.fanfare, NULL, group, &message, fan_test_done, &appliance), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "service_centre"), "%s", fan_error_detail());
	message.service_centre = "+491710760000";
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(appliance.result.sent, 2);
	close_all();
}
