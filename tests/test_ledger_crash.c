/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * COUNT, and messages, across processes that end at an ill moment. Each step of a test is a process of its own, which ends without closing
 * anything; the next one begins with what is on the disk.
 */
#define _GNU_SOURCE
#include "../dataplane/context/clock.h"
#include "../host-api/appliance/handles.h"
#include "appliance_fixture.h"
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(ledger_crash, .init = fan_test_store_set_up, .fini = fan_test_store_tear_down, .timeout = 120);

#define GROUP "all@crash.example"
#define FIRST_COUNT 1000
#define SECONDS_MAX 10.0

static struct fanfare *fanfare;
static const char *egress = "net_null";
static uint32_t retention_s;

/* In a process that the test runner does not know. */
static void
check(bool right, const char *what, long number)
{
	if (right)
		return;
	fprintf(stderr, "%s: %ld; %s\n", what, number, fan_error_detail());
	_exit(9);
}

static void
run(void (*step)(void))
{
	const pid_t child = fork();
	int how;

	if (child == 0) {
		step();
		_exit(0);
	}
	cr_assert(waitpid(child, &how, 0) == child && how == 0, "a step has failed, see above: %#x", (unsigned)how);
}

/* The rate that next hops begin with; NULL: none. */
static void (*first_rate)(void *user, struct fan_next_hop_rate *rate, const uint8_t address[16]);

static void
open_appliance(void)
{
	struct fan_options options = fan_test_store_options();

	options.egress = egress;
	options.rate = first_rate;
	options.retention_s = retention_s;
	check(fan_open(&fanfare, &options) == 0, "open", 0);
}

static void
name_ue(char identity[FAN_IDENTITY_BYTES], unsigned number)
{
	(void)snprintf(identity, FAN_IDENTITY_BYTES, "00101%010u", number);
}

static struct fan_ue
make_ue(enum fan_kind kind, unsigned number)
{
	static char identity[FAN_IDENTITY_BYTES];
	struct fan_ue ue;

	name_ue(identity, number);
	fan_ue_init(&ue, kind);
	if (fan_kind_is_plain(kind)) {
		ue.integrity = FAN_INTEGRITY_NONE;
		memcpy(ue.ipv4, (uint8_t[]){ 10, 1, (uint8_t)(number >> 8), (uint8_t)number }, sizeof(ue.ipv4));
		ue.ue = number;
		ue.identity = identity;
		return ue;
	}
	ue.cipher = 2;
	ue.integrity = fan_kind_is_nas(kind) ? 2 : FAN_INTEGRITY_NONE;
	ue.count = FIRST_COUNT;
	ue.count_reserved = 1U << 24;
	ue.bearer_id = 5;
	ue.ue = number;
	ue.teid = 1 + number;
	ue.identity = identity;
	for (unsigned i = 0; i < FAN_KEY_BYTES; i++) {
		ue.k_enc[i] = (uint8_t)((number + 1) * 0x9e3779b1U >> (i % 4 * 8)) ^ (uint8_t)(i * 17);
		ue.k_int[i] = (uint8_t)((number + 1) * 0x85ebca6bU >> (i % 4 * 8)) ^ (uint8_t)(i * 29 + 1);
	}
	return ue;
}

static fan_context_id
id_of(unsigned number)
{
	char identity[FAN_IDENTITY_BYTES];
	fan_context_id id;

	name_ue(identity, number);
	check(fan_ue_lookup(fanfare, &id, 1, identity) == 1, "UE is gone", number);
	return id;
}

/* The first UE is as given, and another one as any, in its block. Both are members. */
static void
provision(const struct fan_ue *first, enum fan_profile profile)
{
	const struct fan_next_hop hop = fan_test_hop(0, false);
	struct fan_group *group;
	fan_context_id id;
	struct fan_ue ue;

	check(fan_next_hop_add(fanfare, &hop) == 0, "hop", 0);
	check(fan_group_create(fanfare, &group, GROUP) == 0, "group", 0);
	check(fan_ue_add(fanfare, &id, first) == 0, "UE", 0);
	check(fan_group_add(group, id, profile) == 0, "member", 0);
	ue = make_ue(first->kind, 1);
	check(fan_ue_add(fanfare, &id, &ue) == 0, "UE", 1);
	check(fan_group_add(group, id, profile) == 0, "member", 1);
}

static fan_message_id
begin_valid_for(const char *text, uint32_t valid_for_ms)
{
	struct fan_message message;
	fan_message_id id = 0;

	fan_test_message(&message, text, strlen(text));
	message.valid_for_ms = valid_for_ms;
	check(fan_send(fanfare, &id, fan_group_find(fanfare, GROUP), &message, NULL, NULL) == 0, "send", 0);
	return id;
}

static fan_message_id
begin(const char *text)
{
	return begin_valid_for(text, 0);
}

static void
poll_to_the_end(void)
{
	const double deadline = fan_test_now_s() + SECONDS_MAX;

	while (fan_poll(fanfare) > 0) {
		check(fan_test_now_s() < deadline, "a message waits for ever", fan_poll(fanfare));
		usleep(200);
	}
}

static struct fan_result
send_to_the_end(void)
{
	struct fan_message_status status;
	const fan_message_id id = begin("hello");

	poll_to_the_end();
	fan_message_status_init(&status);
	check(fan_message_status(fanfare, &status, id) == 0, "status", (long)id);
	return status.result;
}

static uint32_t
count_of(unsigned number)
{
	uint32_t next_count;

	check(fan_ue_count(fanfare, &next_count, NULL, NULL, id_of(number)) == 0, "count", number);
	return next_count;
}

static uint16_t
gap_of(unsigned number)
{
	uint16_t unacknowledged;

	check(fan_ue_count(fanfare, NULL, NULL, &unacknowledged, id_of(number)) == 0, "count", number);
	return unacknowledged;
}

/* ---- A window that was used up ---------------------------------------------------------------------------------------------- */

static void
begin_with_a_window_used_up(void)
{
	struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS, 0);

	ue.unacknowledged = 200;
	open_appliance();
	provision(&ue, FAN_PROFILE_EPS_NAS_NIDD);
	check(send_to_the_end().dropped[FAN_DROP_WINDOW] == 1, "its window is used up", 0);
}

static void
acknowledge_and_spend(void)
{
	open_appliance();
	check(count_of(0) == FIRST_COUNT, "it has spent nothing", count_of(0));
	check(fan_ue_acknowledged(fanfare, id_of(0), FIRST_COUNT - 1) == 0, "acknowledge", 0);
	(void)fan_poll(fanfare);
	check(send_to_the_end().sent == 2, "both get it", 0);
	check(count_of(0) == FIRST_COUNT + 1, "COUNT", count_of(0));
}

static void
go_on_above(void)
{
	open_appliance();
	check(count_of(0) > FIRST_COUNT && count_of(0) <= FIRST_COUNT + 1 + FAN_MARK_MAX, "COUNT comes again", count_of(0));
}

/* The block's mark says nothing of it: it goes on at its checkpoint, and what opens its window has to be durable first. */
Test(ledger_crash, a_window_used_up_opens_after_a_crash)
{
	run(begin_with_a_window_used_up);
	run(acknowledge_and_spend);
	run(go_on_above);
}

static void
outlast_eight_checkpoints(void)
{
	const struct fan_ledger_block *block;
	struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS, 0);
	bool moved = false;
	uint8_t turn;

	ue.unacknowledged = 199;
	open_appliance();
	provision(&ue, FAN_PROFILE_EPS_NAS_NIDD);
	check(send_to_the_end().sent == 2, "both get it", 0);
	block = &fanfare->ledger.tables[0].blocks[0];
	turn = block->turn;
	while (!moved || block->turn != turn) {
		check(send_to_the_end().dropped[FAN_DROP_WINDOW] == 1, "its window is used up", 0);
		check(fan_ue_acknowledged(fanfare, id_of(1), count_of(1) - 1) == 0, "acknowledge", 1);
		usleep(1000);
		moved = moved || block->turn != turn;
	}
	check(fan_ue_acknowledged(fanfare, id_of(0), FIRST_COUNT) == 0, "acknowledge", 0);
	check(gap_of(0) == 200, "its window opens before the disk knows", gap_of(0));
	(void)fan_poll(fanfare);
	check(gap_of(0) == 0, "its window stays closed", gap_of(0));
}

/* A turn has the number of the one eight before: what was spent in that does not count in this. */
Test(ledger_crash, what_was_spent_eight_checkpoints_ago_does_not_count)
{
	run(outlast_eight_checkpoints);
}

/* ---- Old proofs --------------------------------------------------------------------------------------------------------------- */

static void
acknowledge_what_is_old(void)
{
	struct fan_ue ue = make_ue(FAN_KIND_LTE_PDCP_18, 0);

	ue.count = 200000;
	ue.unacknowledged = 60000;
	open_appliance();
	provision(&ue, FAN_PROFILE_LTE_PDCP_18);
	check(fan_ue_acknowledged(fanfare, id_of(0), 200000 - 1 - 65536 - 5) == 0, "an old proof", 0);
	(void)fan_poll(fanfare);
	check(gap_of(0) == 60000, "it changes nothing", gap_of(0));
}

static void
still_has_its_gap(void)
{
	open_appliance();
	check(gap_of(0) >= 60000, "the window has opened by itself", gap_of(0));
}

Test(ledger_crash, an_old_proof_opens_no_window)
{
	run(acknowledge_what_is_old);
	run(still_has_its_gap);
}

/* ---- The end of COUNT --------------------------------------------------------------------------------------------------------- */

static void
begin_at_the_end_of_count(void)
{
	struct fan_ue ue = make_ue(FAN_KIND_LTE_PDCP_18, 0);

	ue.count = UINT32_MAX - 2;
	ue.count_reserved = UINT32_MAX;
	open_appliance();
	provision(&ue, FAN_PROFILE_LTE_PDCP_18);
	check(send_to_the_end().dropped[FAN_DROP_COUNT_END] == 1, "its COUNT is at its end", 0);
}

static void
is_at_its_end(void)
{
	open_appliance();
	check(send_to_the_end().dropped[FAN_DROP_COUNT_END] == 1, "COUNT began anew", count_of(0));
	check(count_of(0) >= UINT32_MAX - 2, "COUNT began anew", count_of(0));
}

Test(ledger_crash, count_does_not_begin_anew)
{
	run(begin_at_the_end_of_count);
	run(is_at_its_end);
}

/* ---- UEs that go ---------------------------------------------------------------------------------------------------------------- */

static void
remove_one_that_waits(void)
{
	const struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS, 0);
	const double deadline = fan_test_now_s() + SECONDS_MAX;
	struct fan_message_status status;
	uint16_t unacknowledged;
	fan_message_id id = 0;
	uint32_t next_count;

	open_appliance();
	provision(&ue, FAN_PROFILE_EPS_NAS_NIDD);
	for (unsigned i = 0; i < FAN_MARK_MAX + 1; i++)
		id = begin("hello");
	check(fan_sync(fanfare) == 0, "sync", 0);
	while (count_of(0) < FIRST_COUNT + FAN_MARK_MAX)
		check(fan_test_now_s() < deadline, "the messages do not go", count_of(0));
	check(fan_ue_remove(fanfare, &next_count, &unacknowledged, id_of(0)) == 0, "remove", 0);
	check(next_count == FIRST_COUNT + FAN_MARK_MAX, "the last message waits for its mark", next_count);
	poll_to_the_end();
	fan_message_status_init(&status);
	check(fan_message_status(fanfare, &status, id) == 0, "status", (long)id);
	check(status.result.sent == 1 && status.result.dropped[FAN_DROP_REMOVED] == 1, "sent", (long)status.result.sent);
}

/* It has spent all that its mark covers, and will spend nothing more: nobody waits for a higher one. */
Test(ledger_crash, nobody_waits_for_a_ue_that_went)
{
	run(remove_one_that_waits);
}

/* ---- Names of messages ---------------------------------------------------------------------------------------------------------- */

static void
forget_a_message(void)
{
	const struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS, 0);
	const double deadline = fan_test_now_s() + SECONDS_MAX;

	open_appliance();
	provision(&ue, FAN_PROFILE_EPS_NAS_NIDD);
	check(begin("one") == 1, "the first", 0);
	poll_to_the_end();
	while (fan_test_now_s() < deadline - SECONDS_MAX + 3.5) {
		(void)fan_poll(fanfare);
		usleep(10000);
	}
}

static void
name_another(void)
{
	open_appliance();
	check(begin("two") == 2, "a name is given again", 0);
}

Test(ledger_crash, a_message_that_is_forgotten_keeps_its_name)
{
	retention_s = 1;
	run(forget_a_message);
	run(name_another);
}

/* ---- Whom a message was not served to --------------------------------------------------------------------------------------------- */

#define MANY 3000 /* more than the port of the tests holds */
#define EVERY 20  /* ... of which each such is unreachable at first */

/* Shared by the steps. */
static struct {
	fan_message_id message;
	uint64_t kept_place;
	unsigned reported;
} * seen;

/* A message to all of them waits for the port. */
static void
provision_many(void)
{
	const struct fan_next_hop hop = fan_test_hop(0, false);
	struct fan_group *group;
	fan_context_id id;

	egress = "net_ring";
	open_appliance();
	check(fan_next_hop_add(fanfare, &hop) == 0, "hop", 0);
	check(fan_group_create(fanfare, &group, GROUP) == 0, "group", 0);
	check(fan_begin(fanfare) == 0, "batch", 0);
	for (unsigned i = 0; i < MANY; i++) {
		struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS, i);

		ue.unreachable = i % EVERY == 0;
		check(fan_ue_add(fanfare, &id, &ue) == 0, "UE", i);
	}
	check(fan_commit(fanfare) == 0, "batch", 0);
	check(fan_group_add_range(group, id_of(0), MANY, FAN_PROFILE_EPS_NAS_NIDD) == 0, "members", 0);
}

/* Some were found unreachable behind the position on the disk. */
static void
leave_some_unserved(void)
{
	const double begin_s = fan_test_now_s();

	provision_many();
	seen->message = begin("hello");
	while (fan_test_now_s() < begin_s + 2) {
		check(fan_poll(fanfare) == 1, "it goes on", 0);
		usleep(1000);
	}
	for (unsigned i = 0; i < MANY; i += EVERY)
		check(fan_ue_reachable(fanfare, id_of(i), true) == 0, "reachable", i);
	seen->kept_place = fanfare->journal.entries[0].kept_place;
	check(seen->kept_place > 0 && seen->kept_place < MANY, "position", (long)seen->kept_place);
}

static void
look_at_unserved(void *user, fan_context_id id, uint32_t ue, enum fan_drop drop)
{
	(void)user;
	check(drop == FAN_DROP_UNREACHABLE && (uint32_t)id < seen->kept_place, "it was served", ue);
	seen->reported++;
}

static void
serve_them(void)
{
	open_appliance();
	poll_to_the_end();
	check(fan_message_not_served(fanfare, seen->message, FAN_DROP_NONE, look_at_unserved, NULL) == 0, "report", 0);
	check(seen->reported == (seen->kept_place + EVERY - 1) / EVERY, "reported", seen->reported);
}

Test(ledger_crash, who_is_served_after_a_crash_is_not_reported)
{
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	run(leave_some_unserved);
	run(serve_them);
}

/* ---- Who has no COUNT ----------------------------------------------------------------------------------------------------------------- */

/* Members over SGi have even numbers, the others are of EPS. */
static void
provision_with_some_over_sgi(void)
{
	const struct fan_next_hop hop = fan_test_hop(0, false);
	struct fan_group *group;
	fan_context_id id;

	check(fan_next_hop_add(fanfare, &hop) == 0, "hop", 0);
	check(fan_group_create(fanfare, &group, GROUP) == 0, "group", 0);
	check(fan_begin(fanfare) == 0, "batch", 0);
	for (unsigned i = 0; i < MANY; i++) {
		const struct fan_ue ue = make_ue(i % 2 == 0 ? FAN_KIND_SGI : FAN_KIND_EPS_NAS, i);

		check(fan_ue_add(fanfare, &id, &ue) == 0, "UE", i);
	}
	check(fan_commit(fanfare) == 0, "batch", 0);
	check(fan_group_add_range(group, id_of(0), MANY / 2, FAN_PROFILE_SGI_IP) == 0, "members over SGi", 0);
	check(fan_group_add_range(group, id_of(1), MANY / 2, FAN_PROFILE_EPS_NAS_NIDD) == 0, "members", 0);
}

static void
end_while_the_port_is_full(void)
{
	const double deadline = fan_test_now_s() + SECONDS_MAX;
	struct fan_message_status status;

	egress = "net_ring";
	open_appliance();
	provision_with_some_over_sgi();
	seen->message = begin("hello");
	fan_message_status_init(&status);
	while (status.waits_for != FAN_WAIT_PORT) {
		check(fan_test_now_s() < deadline, "the port has room", status.waits_for);
		(void)fan_poll(fanfare);
		check(fan_message_status(fanfare, &status, seen->message) == 0, "status", 0);
	}
	check(status.result.sent > 0 && status.result.sent < MANY, "some have left", (long)status.result.sent);
}

static void
count_served(void *user, const struct fan_member_result *result)
{
	unsigned *const served = user;

	check(result->drop == FAN_DROP_NONE, "a member was dropped", result->drop);
	served[result->profile == FAN_PROFILE_SGI_IP]++;
}

static void
serve_all_and_count(void)
{
	struct fan_message_status status;
	unsigned served[2] = { 0, 0 };
	uint64_t next = 0;

	open_appliance();
	poll_to_the_end();
	fan_message_status_init(&status);
	check(fan_message_status(fanfare, &status, seen->message) == 0, "status", 0);
	check(status.state == FAN_MESSAGE_SENT && status.resumed == 1, "resumed", status.resumed);
	check(status.profile[FAN_PROFILE_SGI_IP].ues == MANY / 2, "members over SGi",
	      (long)status.profile[FAN_PROFILE_SGI_IP].ues);
	check(fan_message_results(fanfare, seen->message, &next, SIZE_MAX, count_served, served) == 0, "results", 0);
	check(served[0] == MANY / 2 && served[1] == MANY / 2, "served", served[1]);
	for (unsigned i = 0; i < MANY; i += 2) {
		check(count_of(i) == 0 && gap_of(i) == 0, "a COUNT over SGi", count_of(i));
		check(count_of(i + 1) > FIRST_COUNT && count_of(i + 1) <= FIRST_COUNT + FAN_MARK_MAX + 1, "COUNT",
		      count_of(i + 1));
	}
}

/* Nothing is spent for it, so that no mark is waited for, kept or raised; and what has marks beside it keeps its own. */
Test(ledger_crash, what_goes_over_sgi_goes_on_after_a_crash_without_a_count)
{
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	run(end_while_the_port_is_full);
	run(serve_all_and_count);
}

/* ---- T of MIKEY messages ------------------------------------------------------------------------------------------------------------- */

static void
provision_mbms(void)
{
	const struct fan_next_hop hop = fan_test_hop(0, false);
	struct fan_ue ue = make_ue(FAN_KIND_MBMS, 0);
	struct fan_group *group;
	fan_context_id id;

	ue.integrity = FAN_INTEGRITY_HMAC_SHA_1;
	ue.teid = 0;
	ue.b_tid = "AAAAAAAAAAAAAAAAAAAAAA==@" FAN_TEST_BSF;
	memcpy(ue.ipv4, (uint8_t[]){ 10, 0, 0, 1 }, sizeof(ue.ipv4));
	check(fan_next_hop_add(fanfare, &hop) == 0, "hop", 0);
	check(fan_group_create(fanfare, &group, GROUP) == 0, "group", 0);
	check(fan_ue_add(fanfare, &id, &ue) == 0, "UE", 0);
	check(fan_group_add(group, id, FAN_PROFILE_MBMS_MSK) == 0, "member", 0);
}

static fan_message_id
send_msk(void)
{
	uint8_t octets[FAN_MSK_BYTES_MAX];
	struct fan_message message;
	fan_message_id id = 0;
	struct fan_msk msk;
	int octet_count;

	fan_msk_init(&msk);
	msk.bm_sc = FAN_TEST_BM_SC;
	msk.bsf = FAN_TEST_BSF;
	octet_count = fan_msk_write(octets, &msk);
	check(octet_count > 0, "an MSK", octet_count);
	fan_test_message(&message, octets, (size_t)octet_count);
	message.group_keys = true;
	check(fan_send(fanfare, &id, fan_group_find(fanfare, GROUP), &message, NULL, NULL) == 0, "send", 0);
	poll_to_the_end();
	return id;
}

static void
send_an_msk_and_end(void)
{
	struct fan_message_status status;

	open_appliance();
	provision_mbms();
	fan_message_status_init(&status);
	check(fan_message_status(fanfare, &status, send_msk()) == 0, "status", 0);
	check(status.profile[FAN_PROFILE_MBMS_MSK].sent == 1, "sent", (long)status.result.sent);
	check(count_of(0) == FIRST_COUNT + 1, "T", count_of(0));
}

static void
send_another_under_a_later_t(void)
{
	const uint32_t next = (open_appliance(), count_of(0));

	check(next > FIRST_COUNT && next <= FIRST_COUNT + FAN_MARK_MAX + 1, "T comes again, or skips too many", next);
	(void)send_msk();
	check(count_of(0) == next + 1, "T", count_of(0));
}

/* T makes the keystream of what is under one MUK and RAND: it is a COUNT by another name, and kept as one. */
Test(ledger_crash, a_t_of_mikey_does_not_come_again)
{
	run(send_an_msk_and_end);
	run(send_another_under_a_later_t);
	run(send_another_under_a_later_t);
}

/* ---- Repeats ------------------------------------------------------------------------------------------------------------------------ */

static char three_parts[400];

/* All of it has left, and the disk does not know. */
static void
send_three_parts(void)
{
	const struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS, 0);
	const double deadline = fan_test_now_s() + SECONDS_MAX;

	open_appliance();
	provision(&ue, FAN_PROFILE_EPS_NAS_SMS);
	seen->message = begin(three_parts);
	check(fan_sync(fanfare) == 0, "sync", 0);
	while (count_of(0) < FIRST_COUNT + 3 || count_of(1) < FIRST_COUNT + 3)
		check(fan_test_now_s() < deadline, "the message does not go", count_of(0));
}

static void
count_what_is_in_doubt(void)
{
	struct fan_message_status status;

	open_appliance();
	poll_to_the_end();
	fan_message_status_init(&status);
	check(fan_message_status(fanfare, &status, seen->message) == 0, "status", 0);
	check(status.resumed == 1 && status.in_doubt == 2 * 3, "in doubt", (long)status.in_doubt);
}

Test(ledger_crash, every_part_may_be_a_repeat)
{
	memset(three_parts, 'x', sizeof(three_parts) - 1);
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	run(send_three_parts);
	run(count_what_is_in_doubt);
}

static void
close_behind_a_message(void)
{
	struct fan_progress progress;

	send_three_parts();
	fan_progress_init(&progress);
	while (fan_message_progress(fanfare, &progress, seen->message) == 0)
		usleep(1000);
	check(fan_close(fanfare) == 0, "close", 0);
}

static void
find_it_sent(void)
{
	struct fan_message_status status;

	open_appliance();
	fan_message_status_init(&status);
	check(fan_message_status(fanfare, &status, seen->message) == 0, "status", 0);
	check(status.state == FAN_MESSAGE_SENT && status.result.sent == 2 * 3, "sent", (long)status.result.sent);
	check(count_of(0) == FIRST_COUNT + 3, "it went again", count_of(0));
}

/* Though nobody asked what had become of it. */
Test(ledger_crash, what_has_left_before_the_end_is_not_repeated)
{
	memset(three_parts, 'x', sizeof(three_parts) - 1);
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	run(close_behind_a_message);
	run(find_it_sent);
}

/* ---- Clocks that are set ------------------------------------------------------------------------------------------------------- */

#define DAY_S INT64_C(86400)
#define VALID_MS 500

static int64_t set_forward_s; /* the wall clock, by so much */

/* In the place of the C library's. */
int
clock_gettime(clockid_t clock, struct timespec *now)
{
	const int answer = (int)syscall(SYS_clock_gettime, clock, now);

	if (clock == CLOCK_REALTIME)
		now->tv_sec += set_forward_s;
	return answer;
}

static void
poll_for(double seconds)
{
	const double end_s = fan_test_now_s() + seconds;

	while (fan_test_now_s() < end_s) {
		(void)fan_poll(fanfare);
		usleep(1000);
	}
}

/* The message ends as expired, not before and not after so many seconds. */
static void
expires_within(fan_message_id id, double least_s, double most_s)
{
	const double begin_s = fan_test_now_s();
	struct fan_message_status status;

	while (fan_poll(fanfare) > 0) {
		check(fan_test_now_s() < begin_s + most_s, "it lives too long", (long)id);
		usleep(1000);
	}
	check(fan_test_now_s() >= begin_s + least_s, "it expires too early", (long)id);
	fan_message_status_init(&status);
	check(fan_message_status(fanfare, &status, id) == 0 && status.state == FAN_MESSAGE_EXPIRED, "state", status.state);
}

static void
set_the_clock_under_a_message(void)
{
	fan_message_id id;

	provision_many();
	for (unsigned i = 0; i < 2; i++) {
		set_forward_s = 0;
		id = begin_valid_for("hello", VALID_MS);
		check(fan_sync(fanfare) == 0, "sync", 0);
		set_forward_s = i == 0 ? DAY_S : -DAY_S;
		expires_within(id, VALID_MS * 0.7e-3, VALID_MS * 1e-3 + 2);
	}
}

/* It is valid as long as it says while the process runs. */
Test(ledger_crash, a_message_does_not_see_a_clock_that_is_set)
{
	run(set_the_clock_under_a_message);
}

static void
leave_a_message(void)
{
	set_forward_s = 0;
	provision_many();
	seen->message = begin_valid_for("hello", VALID_MS);
	check(fan_sync(fanfare) == 0, "sync", 0);
	poll_for(0.1);
}

static void
find_it_a_day_earlier(void)
{
	set_forward_s = -DAY_S;
	egress = "net_ring";
	open_appliance();
	expires_within(seen->message, VALID_MS * 0.7e-3, VALID_MS * 1e-3 + 2);
}

/* What is left of its time cannot be known: not more than it had at first. */
Test(ledger_crash, a_message_does_not_outlive_a_clock_that_is_set_back)
{
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	run(leave_a_message);
	run(find_it_a_day_earlier);
}

static void
find_it_a_day_later(void)
{
	set_forward_s = DAY_S;
	open_appliance();
	expires_within(seen->message, 0, 1);
}

Test(ledger_crash, a_message_is_over_when_the_clock_says_so_at_a_restart)
{
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	run(leave_a_message);
	run(find_it_a_day_later);
}

static void
set_the_clock_over_results(void)
{
	const struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS, 0);
	static struct fan_message_status status; /* a large one */

	open_appliance();
	provision(&ue, FAN_PROFILE_EPS_NAS_NIDD);
	for (unsigned i = 0; i < 3; i++) {
		set_forward_s = i == 0 ? 0 : i == 1 ? DAY_S : -DAY_S;
		check(send_to_the_end().sent == 2, "both get it", i);
		poll_for(i == 0 ? 0.1 : 1.1); /* old results are looked at every second */
		fan_message_status_init(&status);
		check(fan_message_status(fanfare, &status, 1) == 0, "its result is forgotten", i);
		check(count_of(0) == FIRST_COUNT + 1 + i, "COUNT", count_of(0));
	}
}

Test(ledger_crash, results_are_kept_while_the_clock_is_set)
{
	retention_s = 3600;
	run(set_the_clock_over_results);
}

static void
end_in_ten_years(void)
{
	const struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS, 0);

	set_forward_s = 3650 * DAY_S;
	open_appliance();
	provision(&ue, FAN_PROFILE_EPS_NAS_NIDD);
	check(send_to_the_end().sent == 2, "both get it", 0);
	check(fan_close(fanfare) == 0, "close", 0);
}

static void
forget_it_today(void)
{
	struct fan_message_status status;

	open_appliance();
	check(send_to_the_end().sent == 2, "both get it", 0);
	poll_for(1.1);
	fan_message_status_init(&status);
	check(fan_message_status(fanfare, &status, 1) == FAN_E_NOT_FOUND, "its result is kept for ten years", 0);
	check(fan_message_status(fanfare, &status, 2) == 0, "the next is forgotten", 0);
	check(count_of(0) == FIRST_COUNT + 2, "COUNT", count_of(0));
}

/* Or no result behind it would ever go. */
Test(ledger_crash, a_result_from_the_future_is_forgotten)
{
	retention_s = 3600;
	run(end_in_ten_years);
	run(forget_it_today);
}

static void
set_the_clock_over_a_lease(void)
{
	const struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS, 0);
	const int64_t in_an_hour_ms = fan_clock_ms(CLOCK_REALTIME) + 3600 * 1000;

	open_appliance();
	provision(&ue, FAN_PROFILE_EPS_NAS_NIDD);
	check(fan_ue_lease_until(fanfare, id_of(0), in_an_hour_ms) == 0, "lease", 0);
	check(send_to_the_end().sent == 2, "both get it", 0);
	set_forward_s = DAY_S;
	(void)fan_poll(fanfare); /* sees that the time has come */
	check(send_to_the_end().dropped[FAN_DROP_RESERVATION] == 1, "its lease is over", 0);
	set_forward_s = 0;
	(void)fan_poll(fanfare);
	check(send_to_the_end().dropped[FAN_DROP_RESERVATION] == 1, "its lease has been over", 0);
	check(fan_ue_lease_until(fanfare, id_of(0), in_an_hour_ms) == 0, "lease", 0);
	check(send_to_the_end().sent == 2, "both get it again", 0);
	check(count_of(0) == FIRST_COUNT + 2 && count_of(1) == FIRST_COUNT + 4, "COUNT", count_of(0));
}

Test(ledger_crash, a_lease_ends_by_the_wall_clock)
{
	run(set_the_clock_over_a_lease);
}

/* ---- Members that are put off ------------------------------------------------------------------------------------------------------ */

#define PACED 3000 /* UEs, of which every other one is behind the next hop that stands */

/* Shared by the steps: what left to each UE. */
static struct {
	uint32_t pdus[PACED], last_sn[PACED];
	uint32_t wrong; /* PDUs under an SN that is not above the last, or to nobody */
	uint64_t first_message;
} * left;

/* LTE PDCP in GTP-U over IPv4: the TEID and the SN of 18 bits. */
static uint16_t
note_departures(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t frame_count, void *user)
{
	(void)port;
	(void)queue;
	(void)user;
	for (uint16_t i = 0; i < frame_count; i++) {
		const uint8_t *gtpu = rte_pktmbuf_mtod(frames[i], const uint8_t *) + 14 + 20 + 8;
		const uint32_t ue = ((uint32_t)gtpu[6] << 8 | gtpu[7]) - 1;
		const uint32_t sn = (gtpu[8] & 3U) << 16 | (uint32_t)gtpu[9] << 8 | gtpu[10];

		if (ue >= PACED || (left->pdus[ue] > 0 && sn <= left->last_sn[ue])) {
			left->wrong++;
			continue;
		}
		left->pdus[ue]++;
		left->last_sn[ue] = sn;
	}
	return frame_count;
}

static void
open_and_record(void)
{
	uint16_t port;

	open_appliance();
	check(rte_eth_dev_get_port_by_name("net_null0", &port) == 0, "port", 0);
	check(rte_eth_add_tx_callback(port, 0, note_departures, NULL) != NULL, "callback", 0);
}

static void
provision_paced(void)
{
	struct fan_group *group;
	fan_context_id id;

	for (unsigned i = 0; i < 2; i++) {
		const struct fan_next_hop hop = fan_test_hop(i, false);

		check(fan_next_hop_add(fanfare, &hop) == (int)i, "hop", i);
	}
	check(fan_group_create(fanfare, &group, GROUP) == 0, "group", 0);
	check(fan_begin(fanfare) == 0, "batch", 0);
	for (unsigned i = 0; i < PACED; i++) {
		struct fan_ue ue = make_ue(FAN_KIND_LTE_PDCP_18, i);

		ue.next_hop = (uint16_t)(i % 2);
		check(fan_ue_add(fanfare, &id, &ue) == 0, "UE", i);
	}
	check(fan_commit(fanfare) == 0, "batch", 0);
	check(fan_group_add_range(group, id_of(0), PACED, FAN_PROFILE_LTE_PDCP_18) == 0, "members", 0);
}

static void
poll_until(bool (*is_so)(void), const char *what)
{
	const double deadline = fan_test_now_s() + 10 * SECONDS_MAX;

	while (!is_so()) {
		check(fan_test_now_s() < deadline, what, 0);
		(void)fan_poll(fanfare);
		usleep(1000);
	}
}

static bool
others_have_left(void)
{
	for (unsigned i = 0; i < 2; i++)
		if (fanfare->journal.entries[i].kept_place < PACED - 1)
			return false;
	return true;
}

static bool
some_have_left(void)
{
	struct fan_next_hop_pace pace;

	fan_next_hop_pace_init(&pace);
	check(fan_next_hop_pace(fanfare, &pace, 1) == 0, "pace", 0);
	return pace.pdus > 300;
}

/* The next hop stands again, and the disk knows who has not had the messages. */
static bool
all_is_known(void)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct fan_entry *entry = &fanfare->journal.entries[i];
		const struct fan_late_share *share = &entry->flight->legs[0].late.shares[0];

		if (__atomic_load_n(&share->members, __ATOMIC_ACQUIRE) != entry->put_off_left || entry->put_off_unsure ||
		    share->members != share->waiting)
			return false;
	}
	return true;
}

/* Two messages wait for a next hop that stands, which holds up nobody else's: their position goes past those that are put off. Then one PDU in 2 ms
 * leaves to it, and it stands again; blocks come to rest, too. */
static void
end_with_some_put_off(void)
{
	struct fan_next_hop_rate rate;

	open_and_record();
	provision_paced();
	check(fan_next_hop_relay(fanfare, 1, 0, FAN_RELAY_MS_MAX) == 0, "relay", 0);
	left->first_message = begin("first");
	(void)begin("second");
	poll_until(others_have_left, "the position stays at the first that is put off");
	for (unsigned i = 0; i < PACED; i++)
		check(left->pdus[i] == (i % 2 == 0 ? 2 : 0), "it is not all of one next hop that left", i);
	fan_next_hop_rate_init(&rate);
	rate.pdus_per_s = 500;
	check(fan_next_hop_rate(fanfare, 1, &rate) == 0, "rate", 0);
	check(fan_next_hop_relay(fanfare, 1, 0, 0) == 0, "relay", 0);
	poll_until(some_have_left, "nobody of those put off is served");
	check(fan_next_hop_relay(fanfare, 1, 0, FAN_RELAY_MS_MAX) == 0, "relay", 0);
	poll_for(0.1);
	poll_until(all_is_known, "the disk is not told who is put off");
}

/* A bucket begins empty: nothing leaves in the first second. */
static void
begin_slowly(void *user, struct fan_next_hop_rate *rate, const uint8_t address[16])
{
	(void)user;
	(void)address;
	rate->pdus_per_s = 1;
}

struct told {
	unsigned served, cancelled;
};

static void
count_told(void *user, const struct fan_member_result *result)
{
	struct told *told = user;

	check(result->drop == FAN_DROP_NONE || result->drop == FAN_DROP_CANCELLED, "a member was dropped", result->drop);
	told->served += result->drop == FAN_DROP_NONE;
	told->cancelled += result->drop == FAN_DROP_CANCELLED;
}

static void
expect_ended(fan_message_id id, enum fan_message_state state)
{
	struct told told = { 0, 0 };
	struct fan_message_status status;
	uint64_t next = 0;

	fan_message_status_init(&status);
	check(fan_message_status(fanfare, &status, id) == 0, "status", (long)id);
	check(status.state == state && status.resumed == 1 && status.in_doubt > 0, "state", status.state);
	check(fan_message_results(fanfare, id, &next, SIZE_MAX, count_told, &told) == 0, "results", (long)id);
	check(told.served + told.cancelled == PACED, "members are told of", told.served + told.cancelled);
	check(told.served == status.result.sent, "members are told to have been served", told.served);
	check(told.cancelled == status.result.dropped[FAN_DROP_CANCELLED], "cancelled", told.cancelled);
	check((told.cancelled > 0) == (state == FAN_MESSAGE_CANCELLED), "cancelled", told.cancelled);
}

/* Messages go on within fan_open(): none is to leave before the recorder is there. The second is cancelled then. */
static void
go_on_with_those_put_off(void)
{
	struct fan_next_hop_rate none;

	first_rate = begin_slowly;
	open_and_record();
	check(fan_message_cancel(fanfare, left->first_message + 1) == 0, "cancel", 0);
	fan_next_hop_rate_init(&none);
	for (unsigned i = 0; i < 2; i++)
		check(fan_next_hop_rate(fanfare, i, &none) == 0, "rate", i);
	poll_to_the_end();
	expect_ended(left->first_message, FAN_MESSAGE_SENT);
	expect_ended(left->first_message + 1, FAN_MESSAGE_CANCELLED);
}

/* Each UE has the first, and before it was cancelled the second, under COUNTs that rise, and nobody has one twice: the disk knew. */
Test(ledger_crash, nobody_who_was_put_off_is_lost)
{
	left = mmap(NULL, sizeof(*left), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(left, MAP_FAILED);
	run(end_with_some_put_off);
	run(go_on_with_those_put_off);
	cr_assert_eq(left->wrong, 0, "%u PDUs are out of order, or repeat a COUNT", left->wrong);
	for (unsigned i = 0; i < PACED; i++)
		cr_assert(left->pdus[i] == 2 || (i % 2 == 1 && left->pdus[i] == 1), "UE %u has %u", i, left->pdus[i]);
}
