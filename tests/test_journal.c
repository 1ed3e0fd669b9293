/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * COUNT and messages across the deaths of a process: lives are lived in children, which end without a word, and what they leave behind is
 * judged by the next one and by the test.
 */
#define _GNU_SOURCE
#include "../dataplane/context/count.h"
#include "../host-api/appliance/handles.h"
#include "appliance_fixture.h"
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* What is known of a message is large, and a life asks for it several times. */
#pragma GCC diagnostic ignored "-Wframe-larger-than="

TestSuite(journal, .init = fan_test_store_set_up, .fini = fan_test_store_tear_down, .timeout = 120);

#define UES 600 /* three blocks, the last one not full */
#define FIRST_COUNT 1000
#define VALLEY "valley@flood.example"

/* What all lives see. */
struct seen {
	uint32_t count[UES];          /* next COUNT, as the last life left it */
	uint16_t unacknowledged[UES]; /* ... */
	fan_message_id message;
	uint64_t frames; /* that came out of the port, in all lives */
};

static struct seen *seen;
static struct fanfare *fanfare;
static fan_context_id ids[UES];

static void
check(bool right, const char *what, long number)
{
	if (right)
		return;
	fprintf(stderr, "%s %ld: %s\n", what, number, fan_error_detail());
	_exit(9);
}

static void
done(int error)
{
	check(error == 0, "error", error);
}

/* ---- One life ---------------------------------------------------------------------------------------------------------------------- */

static void
name_ue(char identity[FAN_IDENTITY_BYTES], unsigned number)
{
	(void)snprintf(identity, FAN_IDENTITY_BYTES, "00101%010u", number);
}

static void
add_ues(enum fan_kind kind)
{
	const struct fan_next_hop hop = fan_test_hop(0, false);

	done(fan_begin(fanfare));
	check(fan_next_hop_add(fanfare, &hop) == 0, "next hop", 0);
	for (unsigned i = 0; i < UES; i++) {
		char identity[FAN_IDENTITY_BYTES];
		struct fan_ue ue;

		name_ue(identity, i);
		fan_ue_init(&ue, kind);
		ue.cipher = 2;
		ue.integrity = 2;
		ue.count = FIRST_COUNT;
		ue.count_reserved = 1 << 20;
		ue.bearer_id = fan_kind_is_nas(kind) ? 5 : 0;
		ue.teid = i + 1;
		ue.nru_sn = 77;
		ue.mme_ue_id = i;
		ue.ran_ue_id = i;
		ue.ue = i;
		ue.identity = identity;
		memcpy(ue.k_enc, &i, sizeof(i));
		memcpy(ue.k_int, &i, sizeof(i));
		ue.k_enc[15] = 1;
		ue.k_int[15] = 2;
		done(fan_ue_add(fanfare, &ids[i], &ue));
	}
	done(fan_commit(fanfare));
}

/* Opens the store, with the UEs that are there. */
static void
open_on(const char *egress, unsigned workers, uint32_t retention_s)
{
	struct fan_options options = fan_test_store_options();

	options.egress = egress;
	options.workers = workers;
	options.retention_s = retention_s;
	done(fan_open(&fanfare, &options));
	for (unsigned i = 0; i < UES; i++) {
		char identity[FAN_IDENTITY_BYTES];

		name_ue(identity, i);
		(void)fan_ue_lookup(fanfare, &ids[i], 1, identity);
	}
}

static void
take_counts(void)
{
	for (unsigned i = 0; i < UES; i++)
		done(fan_ue_count(fanfare, &seen->count[i], NULL, &seen->unacknowledged[i], ids[i]));
}

static void
count_frame(void *user, const uint8_t *frame, size_t frame_bytes)
{
	(void)user, (void)frame, (void)frame_bytes;
	seen->frames++;
}

/* Polls, and receives what comes back, until so many messages are in flight. */
static void
run_until(int in_flight)
{
	const double end = fan_test_now_s() + 30;

	while (fan_poll(fanfare) > in_flight) {
		while (fan_loops_back(fanfare) && fan_loop_receive(fanfare, count_frame, NULL, 1024) > 0)
			;
		check(fan_test_now_s() < end, "messages do not end", in_flight);
	}
	while (fan_loops_back(fanfare) && fan_loop_receive(fanfare, count_frame, NULL, 1024) > 0)
		;
}

static struct fan_group *
valley(enum fan_profile profile)
{
	struct fan_group *group = fan_group_find(fanfare, VALLEY);

	if (group != NULL)
		return group;
	done(fan_group_create(fanfare, &group, VALLEY));
	done(fan_group_add_list(group, ids, UES, profile));
	return group;
}

static fan_message_id
send_text(const char *text, uint32_t valid_for_ms, enum fan_profile profile)
{
	struct fan_message message;
	fan_message_id id;

	fan_test_message(&message, text, strlen(text));
	message.valid_for_ms = valid_for_ms;
	done(fan_send(fanfare, &id, valley(profile), &message, NULL, NULL));
	done(fan_sync(fanfare));
	return id;
}

/* Polls until every block has come to rest. */
static void
rest(void)
{
	const double end = fan_test_now_s() + 30;
	bool at_rest = false;

	while (!at_rest) {
		check(fan_poll(fanfare) >= 0, "poll", 0);
		check(fan_test_now_s() < end, "blocks do not rest", 0);
		at_rest = true;
		for (unsigned i = 0; i < 3; i++)
			at_rest = at_rest && fanfare->ledger.tables[0].blocks[i].kept == 0;
		usleep(1000);
	}
}

static struct fan_message_status
status_of(fan_message_id id)
{
	struct fan_message_status status;

	fan_message_status_init(&status);
	done(fan_message_status(fanfare, &status, id));
	return status;
}

/* The first COUNT that a context may not spend under the mark that workers see. While nothing is spent. */
static uint32_t
room_of(unsigned ue)
{
	const struct fan_context_table *table = &fanfare->dataplane->tables[0];
	const uint8_t mark = fan_context_mark(table->marks, ue);
	const struct fan_context *context = &table->slots[ue];

	return fan_count_next(context) - fan_count_spent(context, mark) + (mark & FAN_MARK_COUNTS);
}

/* What is on the disk covers every COUNT that was spent, and by no more than a mark; and when nothing is under way, every COUNT that may be
 * spent without asking. */
static void
expect_covered(bool still)
{
	struct fan_record checkpoint = { .kind = FAN_RECORD_CHECKPOINT }, marks = { .kind = FAN_RECORD_MARKS };

	checkpoint.checkpoint.table = marks.marks.table = fanfare->dataplane->tables[0].protection;
	check(fan_store_get(fanfare->store, &marks) == 0 || fan_error_detail()[0] != '\0', "marks", 0);
	for (unsigned i = 0; i < UES; i++) {
		const unsigned block = i / FAN_BLOCK_CONTEXTS;
		uint32_t covered;

		if (i % FAN_BLOCK_CONTEXTS == 0) {
			checkpoint.checkpoint.block = block;
			done(fan_store_get(fanfare->store, &checkpoint));
		}
		covered = checkpoint.checkpoint.count[i % FAN_BLOCK_CONTEXTS] + marks.marks.mark[block];
		check(fan_count_next(&fanfare->dataplane->tables[0].slots[i]) <= covered, "a COUNT is not covered, UE", i);
		check(covered <= fan_count_next(&fanfare->dataplane->tables[0].slots[i]) + FAN_MARK_MAX,
		      "too much is covered, UE", i);
		check(!still || room_of(i) <= covered, "a COUNT that may be spent is not covered, UE", i);
	}
}

static void
die(void)
{
	(void)kill(getpid(), SIGKILL);
}

static void
share(void)
{
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(seen != MAP_FAILED);
}

/* ---- COUNT ------------------------------------------------------------------------------------------------------------------------- */

static void
begin_nas(void)
{
	open_on("net_null", 1, 0);
	add_ues(FAN_KIND_EPS_NAS);
	(void)valley(FAN_PROFILE_EPS_NAS_NIDD);
}

static void
begin_and_send_at_rest(void)
{
	begin_nas();
	(void)send_text("hello", 0, FAN_PROFILE_EPS_NAS_NIDD);
	check(fanfare->ledger.tables[0].blocks[2].kept == 4, "marks are raised before workers need them",
	      fanfare->ledger.tables[0].blocks[2].kept);
	for (unsigned i = 0; i < 2; i++)
		(void)send_text("hello", 0, FAN_PROFILE_EPS_NAS_NIDD);
	run_until(0);
	rest();
	take_counts();
	die();
}

static void
look_and_die(void)
{
	open_on("net_null", 1, 0);
	for (unsigned i = 0; i < UES; i++) {
		uint32_t count;
		uint16_t unacknowledged;

		done(fan_ue_count(fanfare, &count, NULL, &unacknowledged, ids[i]));
		check(count == seen->count[i] && unacknowledged == seen->unacknowledged[i], "a COUNT moved at rest, UE", i);
	}
	die();
}

Test(journal, counts_at_rest_do_not_move_however_often_a_process_dies)
{
	share();
	fan_test_live(begin_and_send_at_rest);
	cr_assert_eq(seen->count[UES - 1], FIRST_COUNT + 3);
	for (unsigned i = 0; i < 10; i++)
		fan_test_live(look_and_die);
}

/* Sends some messages, which end, and dies before any block rests. */
static void
send_some_and_die(void)
{
	open_on("net_null", 1, 0);
	if (fan_group_find(fanfare, VALLEY) == NULL) {
		add_ues(FAN_KIND_EPS_NAS);
		(void)valley(FAN_PROFILE_EPS_NAS_NIDD);
		take_counts();
	}
	for (unsigned i = 0; i < UES; i++) {
		uint32_t count;

		done(fan_ue_count(fanfare, &count, NULL, NULL, ids[i]));
		check(count >= seen->count[i], "a COUNT comes again, UE", i);
		check(count - seen->count[i] <= FAN_MARK_MAX, "COUNTs were skipped, UE", i);
		if (count > FIRST_COUNT)
			done(fan_ue_acknowledged(fanfare, ids[i], count - 1));
	}
	expect_covered(true);
	for (unsigned i = 0; i < 1U + (unsigned)getpid() % 7; i++) {
		(void)send_text("hello", 0, FAN_PROFILE_EPS_NAS_NIDD);
		expect_covered(false);
		run_until(0);
		expect_covered(true);
	}
	take_counts();
	die();
}

Test(journal, no_count_comes_again_and_few_are_skipped)
{
	share();
	for (unsigned i = 0; i < 20; i++)
		fan_test_live(send_some_and_die);
}

static void
send_many(void)
{
	begin_nas();
	for (unsigned i = 0; i < 100; i++) {
		(void)send_text("hello", 0, FAN_PROFILE_EPS_NAS_NIDD);
		run_until(i % 3 == 0 ? 5 : 0);
		expect_covered(i % 3 != 0);
	}
	run_until(0);
	take_counts();
}

/* Marks run out and blocks come to rest while messages are on their way. */
Test(journal, what_is_on_the_disk_covers_every_count_all_the_time)
{
	share();
	fan_test_live(send_many);
	for (unsigned i = 0; i < UES; i++)
		cr_assert_eq(seen->count[i], FIRST_COUNT + 100, "UE %u", i);
}

/* One UE is never acknowledged and one not reachable, in blocks that are busy when the process dies, again and again. */
static void
burn(void)
{
	open_on("net_null", 1, 0);
	if (fan_group_find(fanfare, VALLEY) == NULL) {
		add_ues(FAN_KIND_EPS_NAS);
		(void)valley(FAN_PROFILE_EPS_NAS_NIDD);
		done(fan_ue_reachable(fanfare, ids[1], false));
	}
	for (unsigned i = 2; i < UES; i++) {
		uint32_t count;

		done(fan_ue_count(fanfare, &count, NULL, NULL, ids[i]));
		if (count > FIRST_COUNT)
			done(fan_ue_acknowledged(fanfare, ids[i], count - 1));
	}
	for (unsigned i = 0; i < 11; i++)
		(void)send_text("hello", 0, FAN_PROFILE_EPS_NAS_NIDD);
	run_until(0);
	take_counts();
	die();
}

Test(journal, no_mixture_of_crashes_and_losses_pushes_a_ue_out_of_its_window)
{
	share();
	for (unsigned i = 0; i < 24; i++)
		fan_test_live(burn);
	cr_assert(seen->count[0] >= FIRST_COUNT + 200, "its window is used up: %u", seen->count[0]);
	cr_assert_leq(seen->count[0], FIRST_COUNT + 200 + FAN_MARK_MAX, "COUNTs that it could still follow are skipped");
	cr_assert_eq(seen->count[1], FIRST_COUNT, "unreachable: nothing was spent");
}

static void
use_up_windows(void)
{
	begin_nas();
	for (unsigned i = 0; i < 205; i++)
		(void)send_text("hello", 0, FAN_PROFILE_EPS_NAS_NIDD), run_until(0);
	rest();
	done(fan_ue_acknowledged(fanfare, ids[5], FIRST_COUNT + 150));
	take_counts();
	check(seen->unacknowledged[5] == 200, "it counts before it is durable", seen->unacknowledged[5]);
	check(fan_ue_acknowledged(fanfare, ids[5], FIRST_COUNT + 200) == FAN_E_INVALID, "a COUNT that was not spent", 0);
	run_until(0);
	take_counts();
	check(seen->unacknowledged[5] == 49, "it does not count", seen->unacknowledged[5]);
	(void)send_text("again", 0, FAN_PROFILE_EPS_NAS_NIDD);
	run_until(0);
	take_counts();
	die();
}

static void
look_at_windows(void)
{
	uint32_t count;
	uint16_t unacknowledged;

	open_on("net_null", 1, 0);
	done(fan_ue_count(fanfare, &count, NULL, &unacknowledged, ids[5]));
	check(count >= FIRST_COUNT + 201 && count <= FIRST_COUNT + 216, "its COUNT", count);
	done(fan_ue_count(fanfare, &count, NULL, &unacknowledged, ids[6]));
	check(count == FIRST_COUNT + 200 && unacknowledged == 200, "a window that was used up spends nothing", count);
}

Test(journal, an_acknowledgement_that_opens_a_used_up_window_counts_once_it_is_durable)
{
	share();
	fan_test_live(use_up_windows);
	cr_assert_eq(seen->count[5], FIRST_COUNT + 201);
	cr_assert_eq(seen->count[6], FIRST_COUNT + 200);
	fan_test_live(look_at_windows);
}

static void
send_to_bearers(void)
{
	open_on("net_null", 1, 0);
	add_ues(FAN_KIND_NR_PDCP_18);
	(void)valley(FAN_PROFILE_NR_PDCP_18);
	for (unsigned i = 0; i < 3; i++)
		(void)send_text("hello", 0, FAN_PROFILE_NR_PDCP_18);
	run_until(0);
	check(fanfare->dataplane->tables[0].slots[9].drb.nru_sn == 80, "NR-U SN", 0);
	rest();
	die();
}

static void
look_at_bearers(void)
{
	open_on("net_null", 1, 0);
	check(fanfare->dataplane->tables[0].slots[9].count == FIRST_COUNT + 3, "COUNT", 9);
	check(fanfare->dataplane->tables[0].slots[9].drb.nru_sn == 80, "NR-U SN after a crash", 0);
}

Test(journal, nr_u_sn_goes_on_with_count)
{
	share();
	fan_test_live(send_to_bearers);
	fan_test_live(look_at_bearers);
}

/* ---- Events ------------------------------------------------------------------------------------------------------------------------ */

static void
hear_events(void)
{
	struct fan_event event = { .number = 0 };
	unsigned windows = 0, leases = 0;

	begin_nas();
	for (unsigned i = 0; i < 160; i++)
		(void)send_text("hello", 0, FAN_PROFILE_EPS_NAS_NIDD), run_until(0);
	rest();
	while (fan_event_next(fanfare, &event, event.number + 1) == 1) {
		windows += event.kind == FAN_EVENT_WINDOW;
		leases += event.kind == FAN_EVENT_LEASE_END;
		check(event.kind != FAN_EVENT_WINDOW || (event.value >= 150 && event.value < 170), "value", event.value);
	}
	check(windows == UES, "one event for each UE", windows);
	check(leases == 0, "no lease is near its end", leases);
}

Test(journal, an_event_tells_of_each_window_once)
{
	share();
	fan_test_live(hear_events);
}

/* ---- Messages ------------------------------------------------------------------------------------------------------------------------ */

/* A UE was sent no more than it has from the messages of which anything left; a mark more may be lost to a crash, and what an engine or the port
 * still has is not lost beside it. */
static void
expect_few_beyond_what_left(void)
{
	struct fan_record checkpoint = { .kind = FAN_RECORD_CHECKPOINT }, marks = { .kind = FAN_RECORD_MARKS };
	unsigned begun = 0;
	fan_message_id id;

	for (id = 1; fan_message_next(fanfare, &id, id) == 1; id++)
		begun += status_of(id).result.sent > 0;
	check(begun > 1 && begun < 21, "messages of which some left", begun);
	checkpoint.checkpoint.table = marks.marks.table = fanfare->dataplane->tables[0].protection;
	done(fan_store_get(fanfare->store, &marks));
	for (checkpoint.checkpoint.block = 0; checkpoint.checkpoint.block < 3; checkpoint.checkpoint.block++) {
		done(fan_store_get(fanfare->store, &checkpoint));
		for (unsigned i = 0; i < FAN_BLOCK_CONTEXTS && checkpoint.checkpoint.count[i] != 0; i++)
			check(checkpoint.checkpoint.count[i] + marks.marks.mark[checkpoint.checkpoint.block] <=
				      FIRST_COUNT + begun + FAN_MARK_MAX,
			      "more may be skipped than a mark", checkpoint.checkpoint.count[i]);
	}
}

/* Nobody takes frames from the port's ring, so that the message stays on its way. */
static void
send_into_a_full_port(void)
{
	open_on("net_ring", 2, 0);
	add_ues(FAN_KIND_EPS_NAS);
	done(fan_ue_reachable(fanfare, ids[3], false));
	(void)send_text("first", 0, FAN_PROFILE_EPS_NAS_NIDD);
	run_until(0);
	for (unsigned i = 0; i < 20; i++)
		seen->message = send_text("hello", 0, FAN_PROFILE_EPS_NAS_NIDD);
	for (unsigned i = 0; i < 100; i++) {
		(void)fan_poll(fanfare);
		usleep(2000);
	}
	check(fan_poll(fanfare) > 0, "all messages have left", 0);
	expect_covered(true);
	expect_few_beyond_what_left();
	die();
}

static void
count_unserved(void *user, fan_context_id id, uint32_t ue, enum fan_drop drop)
{
	check(id == ids[3] && ue == 3 && drop == FAN_DROP_UNREACHABLE, "unserved", ue);
	++*(unsigned *)user;
}

static void
go_on(void)
{
	fan_message_id id;
	unsigned resumed = 0, unserved = 0;

	open_on("net_ring", 3, 0);
	run_until(0);
	for (id = 1; fan_message_next(fanfare, &id, id) == 1; id++) {
		const struct fan_message_status status = status_of(id);
		uint64_t dropped = 0;

		check(status.state == FAN_MESSAGE_SENT && status.ended_ms != 0, "state of message", (long)id);
		check(status.result.ues == UES, "UEs", (long)status.result.ues);
		for (unsigned i = 0; i < FAN_DROPS_MAX; i++)
			dropped += status.result.dropped[i];
		check(status.result.created == status.result.sent + dropped, "created = sent + dropped, message", (long)id);
		check(status.result.sent >= UES - 1, "everybody has it", (long)status.result.sent);
		check(status.result.sent <= UES - 1 + status.in_doubt, "repeats", (long)status.result.sent);
		resumed += status.resumed > 0;
	}
	check(id == seen->message + 1, "messages", (long)id);
	check(resumed > 0 && resumed < seen->message, "messages that were gone on with", resumed);
	done(fan_message_not_served(fanfare, seen->message, FAN_DROP_NONE, count_unserved, &unserved));
	check(unserved == 1, "UEs that were not served", unserved);
	check(send_text("next", 0, FAN_PROFILE_EPS_NAS_NIDD) == seen->message + 1, "ids go on", 0);
}

Test(journal, messages_go_on_after_a_crash)
{
	share();
	fan_test_live(send_into_a_full_port);
	fan_test_live(go_on);
}

/* ---- What became of each member ------------------------------------------------------------------------------------------------- */

/* What fan_message_results() tells. */
struct told {
	uint8_t times[UES], drop[UES];
	unsigned removed, count, strangers;
};

static void
take_result(void *user, const struct fan_member_result *result)
{
	struct told *told = user;
	char identity[FAN_IDENTITY_BYTES];

	told->count++;
	if (result->identity[0] == '\0') {
		check(result->id == 0 && result->ue == 0, "a UE that has gone is named", (long)result->id);
		told->removed++;
		return;
	}
	name_ue(identity, result->ue);
	if (strcmp(identity, result->identity) != 0 || result->ue >= UES) {
		told->strangers++;
		return;
	}
	check(result->id == ids[result->ue], "id of UE", result->ue);
	told->times[result->ue]++;
	told->drop[result->ue] = (uint8_t)result->drop;
}

/* In steps of so many members: each but those of the last has as many. */
static struct told
results_of(fan_message_id id, size_t limit)
{
	struct told told = { .count = 0 };
	uint64_t next = 0;

	do {
		const unsigned before = told.count;

		done(fan_message_results(fanfare, id, &next, limit, take_result, &told));
		check(told.count - before == limit || next == 0, "members in a step", (long)(told.count - before));
		check(told.count > before, "a step without members", before);
	} while (next != 0);
	return told;
}

/* Each member once; UE 3 has not got it for one reason, all others for another, NONE: they have. */
static void
expect_told(const struct told *told, enum fan_drop third, enum fan_drop others)
{
	check(told->count == UES && told->removed == 0 && told->strangers == 0, "members", told->count);
	for (unsigned i = 0; i < UES; i++) {
		check(told->times[i] == 1, "how often UE", i);
		check(told->drop[i] == (i == 3 ? third : others), "what became of UE", i);
	}
}

static void
ask_for_results(void)
{
	struct told told;
	struct fan_message message;
	uint64_t next = 0;

	open_on("net_ring", 1, 0);
	add_ues(FAN_KIND_EPS_NAS);
	done(fan_ue_reachable(fanfare, ids[3], false));
	seen->message = send_text("hello", 0, FAN_PROFILE_EPS_NAS_NIDD);
	check(fan_message_results(fanfare, seen->message, &next, 1, take_result, &told) == FAN_E_BUSY, "it has not ended", 0);
	run_until(0);
	for (size_t limit = 1; limit < 3 * UES; limit = 7 * limit) {
		told = results_of(seen->message, limit);
		expect_told(&told, FAN_DROP_UNREACHABLE, FAN_DROP_NONE);
	}
	check(fan_message_results(fanfare, seen->message + 1, &next, 1, take_result, &told) == FAN_E_NOT_FOUND, "no message",
	      0);
	next = UINT64_MAX;
	check(fan_message_results(fanfare, seen->message, &next, 1, take_result, &told) == FAN_E_INVALID, "no place", 0);
	/* To one UE: the others are no members. */
	fan_test_message(&message, "hello", 5);
	done(fan_send_to_ue(fanfare, &seen->message, ids[UES - 1], FAN_PROFILE_EPS_NAS_SMS, &message, NULL, NULL));
	run_until(0);
	told = results_of(seen->message, 10);
	check(told.count == 1 && told.times[UES - 1] == 1 && told.drop[UES - 1] == FAN_DROP_NONE, "one UE", told.count);
	die();
}

/* UEs that were there are gone, and another has a slot of theirs. */
static void
remove_some(void)
{
	struct fan_ue ue;
	fan_context_id id;
	uint32_t count;
	uint16_t unacknowledged;
	struct told told;

	open_on("net_ring", 1, 0);
	told = results_of(1, 100);
	expect_told(&told, FAN_DROP_UNREACHABLE, FAN_DROP_NONE);
	for (unsigned i = 10; i < 13; i++)
		done(fan_ue_remove(fanfare, &count, &unacknowledged, ids[i]));
	told = results_of(1, 100);
	check(told.count == UES && told.removed == 3 && told.times[9] == 1 && told.times[10] == 0, "removed", told.removed);
	done(fan_close(fanfare));
	open_on("net_null", 1, 0);
	fan_ue_init(&ue, FAN_KIND_EPS_NAS);
	ue.cipher = ue.integrity = 2;
	ue.count_reserved = 1 << 20;
	ue.bearer_id = 5;
	ue.identity = "stranger@example.org";
	memset(ue.k_enc, 7, sizeof(ue.k_enc));
	done(fan_ue_add(fanfare, &id, &ue));
	check((uint32_t)id >= 10 && (uint32_t)id < 13, "it has a slot that was free", (long)id);
	told = results_of(1, 100);
	check(told.count == UES && told.removed == 3 && told.strangers == 0, "a stranger has its results", told.strangers);
	die();
}

Test(journal, each_member_is_told_of_once)
{
	share();
	fan_test_live(ask_for_results);
	fan_test_live(remove_some);
}

/* Of those that had not ended when the process died, no result is lost, and none is better than what happened. */
static void
ask_after_a_crash(void)
{
	open_on("net_ring", 3, 0);
	run_until(0);
	for (fan_message_id id = 1; id <= seen->message; id++) {
		const struct told told = results_of(id, 1000);

		expect_told(&told, FAN_DROP_UNREACHABLE, FAN_DROP_NONE);
	}
}

Test(journal, each_member_is_told_of_once_after_a_crash)
{
	share();
	fan_test_live(send_into_a_full_port);
	fan_test_live(ask_after_a_crash);
}

/* A process dies in the middle of one message after the other. */
static void
send_in_pieces(void)
{
	open_on("net_ring", 1, 0);
	if (seen->message == 0)
		add_ues(FAN_KIND_EPS_NAS);
	for (unsigned i = 0; seen->message < 20 && i < 20; i++)
		seen->message = send_text("hello", 0, FAN_PROFILE_EPS_NAS_NIDD);
	for (unsigned i = 0; i < 60; i++) {
		(void)fan_poll(fanfare);
		usleep(2000);
		(void)fan_loop_receive(fanfare, count_frame, NULL, 17);
	}
	check(fan_poll(fanfare) > 0, "all messages have ended", 0);
	die();
}

static void
ask_after_pieces(void)
{
	open_on("net_ring", 1, 0);
	run_until(0);
	for (fan_message_id id = 1; id <= seen->message; id++) {
		const struct told told = results_of(id, 1000);

		expect_told(&told, FAN_DROP_NONE, FAN_DROP_NONE);
	}
}

Test(journal, results_are_put_together_from_several_lives)
{
	share();
	for (unsigned i = 0; i < 3; i++)
		fan_test_live(send_in_pieces);
	fan_test_live(ask_after_pieces);
}

/* A member is told of as served or as cancelled, and so often as the message counts it. */
static void
expect_cut(fan_message_id id)
{
	const struct told told = results_of(id, 1000);
	const struct fan_message_status status = status_of(id);
	unsigned sent = 0;

	check(told.count == UES, "members", told.count);
	for (unsigned i = 0; i < UES; i++) {
		check(told.times[i] == 1 && (told.drop[i] == FAN_DROP_NONE || told.drop[i] == FAN_DROP_CANCELLED), "UE", i);
		sent += told.drop[i] == FAN_DROP_NONE;
	}
	check(status.result.sent == sent, "those that were sent it", sent);
	check(status.result.dropped[FAN_DROP_CANCELLED] == UES - sent, "those that were not", UES - sent);
}

/* Whether the disk has results of some message, and not all of them. */
static bool
any_written_in_the_middle(void)
{
	for (unsigned i = 0; i < FAN_FLIGHTS_MAX; i++)
		if (fanfare->journal.entries[i].flight != NULL && fanfare->journal.entries[i].kept_place > 0)
			return true;
	return false;
}

static void
cancel_in_the_middle(void)
{
	unsigned cut = 0;

	open_on("net_ring", 1, 0);
	add_ues(FAN_KIND_EPS_NAS);
	for (unsigned i = 0; i < 20; i++)
		seen->message = send_text("hello", 0, FAN_PROFILE_EPS_NAS_NIDD);
	while (!any_written_in_the_middle()) {
		check(fan_poll(fanfare) > 0, "none was written in the middle", 0);
		usleep(2000);
		(void)fan_loop_receive(fanfare, count_frame, NULL, 17);
	}
	for (fan_message_id id = 1; id <= seen->message; id++)
		(void)fan_message_cancel(fanfare, id);
	run_until(0);
	for (fan_message_id id = 1; id <= seen->message; id++) {
		expect_cut(id);
		cut += status_of(id).result.sent > 0 && status_of(id).result.sent < UES;
	}
	check(cut > 0, "no message was in the middle", cut);
}

Test(journal, results_of_what_was_cancelled_add_up)
{
	share();
	fan_test_live(cancel_in_the_middle);
}

/* As version 1 had it, of all messages: what is not known is not made up. */
static void
forget_that_served_is_kept(void)
{
	struct fan_record record = { .kind = FAN_RECORD_OUTCOME };
	struct fan_store *store;

	cr_assert_eq(fan_store_open(&store, &(struct fan_store_options){ .directory = fan_test_store.directory,
									 .key_file = fan_test_store.key }),
		     0, "%s", fan_error_detail());
	cr_assert_eq(fan_store_begin(store), 0);
	for (; fan_store_next(store, &record) == 0; record.outcome.id++) {
		cr_assert(record.outcome.served_kept);
		record.outcome.served_kept = false;
		cr_assert_eq(fan_store_put(store, &record), 0);
	}
	cr_assert_eq(fan_store_commit(store), 0);
	fan_store_close(store);
}

static void
ask_what_is_not_known(void)
{
	struct told told;
	uint64_t next = 0;

	open_on("net_ring", 1, 0);
	run_until(0);
	for (fan_message_id id = 1; id <= seen->message; id++)
		check(fan_message_results(fanfare, id, &next, 1, take_result, &told) == FAN_E_UNSUPPORTED, "made up", (long)id);
}

Test(journal, results_of_version_1_are_not_made_up)
{
	share();
	fan_test_live(send_into_a_full_port);
	forget_that_served_is_kept();
	fan_test_live(ask_what_is_not_known);
}

static void
send_to_ues_behind_others(void)
{
	struct fan_message message;
	uint32_t count;
	uint16_t unacknowledged;

	open_on("net_ring", 1, 0);
	add_ues(FAN_KIND_EPS_NAS);
	for (unsigned i = 0; i < 40; i++)
		(void)send_text("hello", 0, FAN_PROFILE_EPS_NAS_NIDD);
	fan_test_message(&message, "hello", 5);
	for (unsigned i = 5; i < 7; i++)
		done(fan_send_to_ue(fanfare, &seen->message, ids[i], FAN_PROFILE_EPS_NAS_SMS, &message, NULL, NULL));
	done(fan_sync(fanfare));
	check(status_of(seen->message).result.created == 0, "it has begun", 0);
	check(strcmp(status_of(seen->message).identity, "001010000000006") == 0, "identity", 0);
	done(fan_ue_remove(fanfare, &count, &unacknowledged, ids[5]));
	die();
}

static void
find_one_ue_served(void)
{
	struct fan_message_status status;

	open_on("net_ring", 1, 0);
	run_until(0);
	status = status_of(seen->message);
	check(strcmp(status.identity, "001010000000006") == 0 && status.gid[0] == '\0', "whom it is for", 0);
	check(status.state == FAN_MESSAGE_SENT && status.result.ues == 1 && status.resumed == 1, "state", status.state);
	check(status.profile[FAN_PROFILE_EPS_NAS_SMS].sent == 1 && status.result.sent == 1, "sent", (long)status.result.sent);
	status = status_of(seen->message - 1);
	check(strcmp(status.identity, "001010000000005") == 0, "the UE that has gone", 0);
	check(status.state == FAN_MESSAGE_CANCELLED && status.ended_ms != 0 && status.result.sent == 0, "it has gone",
	      status.state);
	check(status_of(seen->message - 2).gid[0] != '\0' && status_of(seen->message - 2).identity[0] == '\0', "a group", 0);
}

Test(journal, a_message_to_one_ue_goes_on_after_a_crash)
{
	share();
	fan_test_live(send_to_ues_behind_others);
	fan_test_live(find_one_ue_served);
}

static void
cancel_and_die(void)
{
	open_on("net_ring", 1, 0);
	add_ues(FAN_KIND_EPS_NAS);
	for (unsigned i = 0; i < 40; i++)
		seen->message = send_text("hello", 0, FAN_PROFILE_EPS_NAS_NIDD);
	check(status_of(seen->message).result.created == 0, "the last message has begun", 0);
	done(fan_message_cancel(fanfare, seen->message));
	die();
}

static void
find_it_cancelled(void)
{
	struct fan_message_status status;

	open_on("net_ring", 1, 0);
	run_until(0);
	status = status_of(seen->message);
	check(status.state == FAN_MESSAGE_CANCELLED && status.result.sent == 0, "state", status.state);
	/* Those that the first life had given up already are counted again. */
	check(status.result.dropped[FAN_DROP_CANCELLED] >= UES, "cancelled", (long)status.result.dropped[FAN_DROP_CANCELLED]);
	check(status_of(seen->message - 1).state == FAN_MESSAGE_SENT, "the one before", 0);
}

Test(journal, what_was_cancelled_stays_cancelled)
{
	share();
	fan_test_live(cancel_and_die);
	fan_test_live(find_it_cancelled);
}

static void
send_and_close(void)
{
	open_on("net_ring", 1, 0);
	add_ues(FAN_KIND_EPS_NAS);
	for (unsigned i = 0; i < 5; i++)
		seen->message = send_text("hello", 0, FAN_PROFILE_EPS_NAS_NIDD);
	done(fan_close(fanfare));
}

static void
find_all_sent(void)
{
	open_on("net_ring", 1, 0);
	run_until(0);
	for (fan_message_id id = 1; id <= seen->message; id++)
		check(status_of(id).state == FAN_MESSAGE_SENT && status_of(id).result.sent >= UES, "message", (long)id);
}

Test(journal, a_close_loses_no_message)
{
	share();
	fan_test_live(send_and_close);
	fan_test_live(find_all_sent);
}

static void
send_with_little_time(void)
{
	open_on("net_ring", 1, 0);
	add_ues(FAN_KIND_EPS_NAS);
	for (unsigned i = 0; i < 10; i++)
		seen->message = send_text("hello", 300, FAN_PROFILE_EPS_NAS_NIDD);
	die();
}

static void
find_it_expired(void)
{
	struct fan_message_status status;

	usleep(400000);
	open_on("net_ring", 1, 0);
	run_until(0);
	status = status_of(seen->message);
	check(status.state == FAN_MESSAGE_EXPIRED, "state", status.state);
	check(status.result.sent == 0 && status.result.dropped[FAN_DROP_EXPIRED] == UES, "sent", (long)status.result.sent);
}

Test(journal, what_is_late_after_a_crash_is_reported_and_not_sent)
{
	share();
	fan_test_live(send_with_little_time);
	seen->frames = 0;
	fan_test_live(find_it_expired);
	cr_assert_eq(seen->frames, 0);
}

/* Sends under a reference. Out: *id, of this message or the one that has it. */
static int
send_referred(fan_message_id *id, const char *reference)
{
	struct fan_message message;

	*id = 0;
	fan_test_message(&message, "hello", 5);
	message.reference = reference;
	return fan_send(fanfare, id, valley(FAN_PROFILE_EPS_NAS_NIDD), &message, NULL, NULL);
}

static void
expect_repeated(const char *reference, fan_message_id first)
{
	fan_message_id id = 0;

	check(send_referred(&id, reference) == FAN_E_EXISTS, "sent again", (long)id);
	check(id == first, "another has it", (long)id);
	done(fan_message_find(fanfare, &id, reference));
	check(id == first && strcmp(status_of(id).reference, reference) == 0, "found", (long)id);
}

static void
send_referred_and_die(void)
{
	fan_message_id id;

	open_on("net_ring", 1, 0);
	add_ues(FAN_KIND_EPS_NAS);
	check(fan_message_find(fanfare, &id, "order 7") == FAN_E_NOT_FOUND, "found before it is sent", 0);
	done(send_referred(&seen->message, "order 7"));
	expect_repeated("order 7", seen->message);
	done(fan_sync(fanfare));
	expect_repeated("order 7", seen->message);
	done(send_referred(&id, "order 8"));
	done(fan_sync(fanfare));
	die();
}

static void
find_referred(void)
{
	fan_message_id id;

	open_on("net_ring", 1, 0);
	expect_repeated("order 7", seen->message);
	run_until(0);
	expect_repeated("order 7", seen->message);
	expect_repeated("order 8", seen->message + 1);
	done(send_referred(&id, "order 9"));
	check(id == seen->message + 2, "ids go on", (long)id);
	die();
}

/* What was not durable was never accepted. */
static void
find_what_is_durable_alone(void)
{
	fan_message_id id;

	open_on("net_ring", 1, 0);
	expect_repeated("order 8", seen->message + 1);
	check(fan_message_find(fanfare, &id, "order 9") == FAN_E_NOT_FOUND, "order 9", 0);
	done(send_referred(&id, "order 9"));
	run_until(0);
}

Test(journal, a_reference_is_sent_once_whatever_ends_the_process)
{
	share();
	fan_test_live(send_referred_and_die);
	fan_test_live(find_referred);
	fan_test_live(find_what_is_durable_alone);
}

static void
refer_on_a_full_disk(void)
{
	fan_message_id first, second;

	begin_nas();
	rest();
	fan_test_disk_fail(1, 1000000, ENOSPC);
	done(send_referred(&first, "order 7"));
	check(fan_sync(fanfare) == FAN_E_IO, "a full disk takes it", 0);
	expect_repeated("order 7", first);
	done(fan_message_cancel(fanfare, first));
	check(fan_message_find(fanfare, &second, "order 7") == FAN_E_NOT_FOUND, "it was never accepted", 0);
	done(send_referred(&second, "order 7"));
	check(second == first + 1, "it is another", (long)second);
	check(fan_poll(fanfare) == 1, "the first has ended", 0);
	expect_repeated("order 7", second);
	fan_test_disk_fail(0, 0, 0);
	done(fan_sync(fanfare));
	run_until(0);
	expect_repeated("order 7", second);
}

Test(journal, what_was_cancelled_before_it_was_durable_leaves_its_reference_free)
{
	share();
	fan_test_live(refer_on_a_full_disk);
}

static void
refuse_references(void)
{
	static const char *const bad[] = { "", "a\tb", "caf\303\251", "\177",
					   "12345678901234567890123456789012345678901234567890123456789012345" };
	fan_message_id id;

	begin_nas();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check(send_referred(&id, bad[i]) == FAN_E_INVALID && strstr(fan_error_detail(), "1 to 64 octets") != NULL,
		      "a reference that is none, row", (long)i);
	done(send_referred(&id, bad[4] + 1));
	done(send_referred(&id, " ~"));
	/* One that is refused for another reason has no reference either. */
	done(fan_drain(fanfare, false));
	check(send_referred(&id, "late") == FAN_E_BUSY, "draining", 0);
	check(fan_message_find(fanfare, &id, "late") == FAN_E_NOT_FOUND, "refused", 0);
	expect_repeated(" ~", 2);
}

Test(journal, a_reference_is_printable)
{
	share();
	fan_test_live(refuse_references);
}

static void
forget(void)
{
	struct fan_message_status status;
	const double end = fan_test_now_s() + 20;
	fan_message_id id;

	fan_message_status_init(&status);
	open_on("net_null", 1, 1);
	add_ues(FAN_KIND_EPS_NAS);
	(void)valley(FAN_PROFILE_EPS_NAS_NIDD);
	done(fan_ue_reachable(fanfare, ids[3], false));
	done(send_referred(&seen->message, "order 7"));
	(void)send_text("hello", 0, FAN_PROFILE_EPS_NAS_NIDD);
	run_until(0);
	done(fan_message_status(fanfare, &status, seen->message));
	while (fan_message_status(fanfare, &status, seen->message) == 0) {
		(void)fan_poll(fanfare);
		usleep(10000);
		check(fan_test_now_s() < end, "results are not forgotten", 0);
	}
	check(fan_message_next(fanfare, &seen->message, 1) == 1 && seen->message == 2, "the last one stays: ids go on from it",
	      0);
	check(send_text("hello", 0, FAN_PROFILE_EPS_NAS_NIDD) == 3, "no id is given twice", 0);
	check(fan_message_find(fanfare, &id, "order 7") == FAN_E_NOT_FOUND, "a reference outlives its message", 0);
	done(send_referred(&id, "order 7"));
	check(id == 4, "the reference is free again", (long)id);
}

Test(journal, results_are_forgotten_after_their_time)
{
	share();
	fan_test_live(forget);
}

/* ---- A disk that fails --------------------------------------------------------------------------------------------------------------- */

static void
send_on_a_full_disk(void)
{
	struct fan_message message;
	struct fan_message_status status;
	struct fan_health health;
	fan_message_id first, second;

	begin_nas();
	rest();
	fan_message_status_init(&status);
	fan_health_init(&health);
	fan_test_message(&message, "hello", 5);
	fan_test_disk_fail(1, 1000000, ENOSPC);
	done(fan_send(fanfare, &first, valley(FAN_PROFILE_EPS_NAS_NIDD), &message, NULL, NULL));
	done(fan_send(fanfare, &second, valley(FAN_PROFILE_EPS_NAS_NIDD), &message, NULL, NULL));
	for (unsigned i = 0; i < 20; i++) {
		check(fan_sync(fanfare) == FAN_E_IO, "a full disk takes it", i);
		check(fan_poll(fanfare) == 2, "messages wait", i);
	}
	done(fan_health(fanfare, &health));
	check(health.store_error == FAN_E_IO && strstr(health.store_detail, "No space left") != NULL, "health", 0);
	status = status_of(first);
	check(!status.durable && status.state == FAN_MESSAGE_ACCEPTED && status.result.created == 0, "status", status.state);
	done(fan_message_cancel(fanfare, second));
	check(fan_poll(fanfare) == 1, "it was cancelled", 0);
	check(fan_message_status(fanfare, &status, second) == FAN_E_NOT_FOUND, "it was never accepted", 0);
	take_counts();
	check(seen->count[7] == FIRST_COUNT, "something was spent", seen->count[7]);
	fan_test_disk_fail(0, 0, 0);
	done(fan_sync(fanfare));
	run_until(0);
	check(status_of(first).result.sent == UES, "it goes on", 0);
	expect_covered(true);
	for (const double end = fan_test_now_s() + 20; health.store_error != 0; usleep(50000)) {
		check(fan_poll(fanfare) == 0, "poll", 0);
		done(fan_health(fanfare, &health));
		check(fan_test_now_s() < end, "health", health.store_error);
	}
}

Test(journal, nothing_is_accepted_or_spent_on_a_full_disk)
{
	share();
	fan_test_live(send_on_a_full_disk);
}

/* The disk fails at each write in turn while marks run out and blocks rest; then the process dies. */
static void
fail_here_and_there(void)
{
	open_on("net_null", 1, 0);
	if (fan_group_find(fanfare, VALLEY) == NULL) {
		add_ues(FAN_KIND_EPS_NAS);
		(void)valley(FAN_PROFILE_EPS_NAS_NIDD);
		take_counts();
	}
	for (unsigned i = 0; i < UES; i++) {
		uint32_t count;

		done(fan_ue_count(fanfare, &count, NULL, NULL, ids[i]));
		check(count >= seen->count[i], "a COUNT comes again, UE", i);
		check(count - seen->count[i] <= FAN_MARK_MAX, "COUNTs were skipped, UE", i);
		if (count > FIRST_COUNT)
			done(fan_ue_acknowledged(fanfare, ids[i], count - 1));
	}
	for (unsigned i = 0; i < 18; i++) {
		struct fan_message message;
		const double end = fan_test_now_s() + 30;

		fan_test_message(&message, "hello", 5);
		fan_test_disk_fail(1 + (i * 7 + (unsigned)getpid()) % 12, 1 + i % 3, i % 2 == 0 ? ENOSPC : EIO);
		done(fan_send(fanfare, NULL, valley(FAN_PROFILE_EPS_NAS_NIDD), &message, NULL, NULL));
		for (unsigned polls = 0; polls < 5; polls++) {
			(void)fan_poll(fanfare);
			usleep(5000);
		}
		take_counts();
		if (i == 17)
			break;
		fan_test_disk_fail(0, 0, 0);
		while (fan_poll(fanfare) > 0)
			check(fan_test_now_s() < end, "a message does not go on after the disk was mended", i);
	}
	take_counts();
	die();
}

Test(journal, a_disk_that_fails_anywhere_costs_no_count)
{
	share();
	for (unsigned i = 0; i < 8; i++)
		fan_test_live(fail_here_and_there);
}
