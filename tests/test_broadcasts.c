/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages that go by cell broadcast and by unicast at once: facts of UEs and policies of groups choose the way of each member, and last; what a
 * relay answers, or does not, decides who gets a message by unicast after all; and it is so whenever the process dies.
 */
#define _GNU_SOURCE
#include "../dataplane/context/clock.h"
#include "../host-api/appliance/handles.h"
#include "appliance_fixture.h"
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What is known of a message is large, and a test asks for it several times. */
#pragma GCC diagnostic ignored "-Wframe-larger-than="

TestSuite(broadcasts, .init = fan_test_store_set_up, .fini = fan_test_store_tear_down, .timeout = 120);

#define VALLEY "valley@flood.example"
#define UES 12 /* 0..5 of EPS, 6..11 of 5GS */
#define OF_EPS 6
#define TEXT "The river is rising."
#define BROADCAST_ID 0xa123
#define AREA 0x1234

static const uint8_t plmn[3] = { 0x62, 0xf2, 0x10 };

/* What relays were handed, and what they are to answer. */
static struct relay {
	unsigned starts[FAN_RADIO_COUNT], stops[FAN_RADIO_COUNT];
	uint8_t octets[FAN_RADIO_COUNT][FAN_BROADCAST_REQUEST_BYTES_MAX]; /* of the last start */
	size_t octet_count[FAN_RADIO_COUNT];
} relay;

static struct fanfare *fanfare;
static struct fan_group *group;
static fan_context_id ids[UES];
static bool is_child;

static void
check(bool right, const char *what, long number)
{
	if (right)
		return;
	if (!is_child)
		cr_assert_fail("%s %ld: %s", what, number, fan_error_detail());
	fprintf(stderr, "%s %ld: %s\n", what, number, fan_error_detail());
	_exit(9);
}

static void
done(int error)
{
	check(error == 0, "error", error);
}

static void
hear(void *user, enum fan_radio radio, const uint8_t *octets, size_t octet_count)
{
	const uint8_t start = radio == FAN_RADIO_LTE ? 36 : 51;

	(void)user;
	check(octet_count < sizeof(relay.octets[0]), "octets", (long)octet_count);
	if (octets[1] != start) {
		relay.stops[radio]++;
		return;
	}
	relay.starts[radio]++;
	memcpy(relay.octets[radio], octets, octet_count);
	relay.octet_count[radio] = octet_count;
}

static struct fan_options
make_options(bool kept)
{
	struct fan_options options = fan_test_store_options();

	if (!kept) {
		fan_options_init(&options);
		options.egress = "net_null";
	}
	options.broadcast = hear;
	options.broadcast_radios = 3;
	options.broadcast_wait_ms = 60000;
	return options;
}

static void
name_ue(char identity[FAN_IDENTITY_BYTES], unsigned number)
{
	(void)snprintf(identity, FAN_IDENTITY_BYTES, "00101%010u", number);
}

static struct fan_ue
make_ue(char identity[FAN_IDENTITY_BYTES], unsigned number)
{
	struct fan_ue ue;

	name_ue(identity, number);
	fan_ue_init(&ue, number < OF_EPS ? FAN_KIND_EPS_NAS : FAN_KIND_5GS_NAS);
	ue.cipher = ue.integrity = 2;
	ue.count_reserved = 1 << 20;
	ue.bearer = number >= OF_EPS;
	ue.bearer_id = 5;
	ue.mme_ue_id = ue.ran_ue_id = ue.ue = number;
	ue.identity = identity;
	memset(ue.k_enc, (int)number + 1, sizeof(ue.k_enc));
	memset(ue.k_int, (int)number + 101, sizeof(ue.k_int));
	memcpy(ue.plmn, plmn, sizeof(plmn));
	ue.area = AREA;
	ue.broadcast_id = BROADCAST_ID;
	return ue;
}

static struct fan_policy
make_policy(void)
{
	struct fan_policy policy;

	fan_policy_init(&policy);
	policy.radios = 3;
	policy.open = true;
	policy.broadcast_id = BROADCAST_ID;
	memcpy(policy.plmn, plmn, sizeof(plmn));
	policy.period_s = 10;
	policy.broadcasts = 100;
	policy.area_count[FAN_RADIO_LTE] = 2;
	policy.areas[FAN_RADIO_LTE][0] = AREA;
	policy.areas[FAN_RADIO_LTE][1] = AREA + 1;
	policy.area_count[FAN_RADIO_NR] = 1;
	policy.areas[FAN_RADIO_NR][0] = AREA;
	return policy;
}

static enum fan_profile
profile_of(unsigned number)
{
	return number < OF_EPS ? FAN_PROFILE_EPS_NAS_NIDD : FAN_PROFILE_5GS_NAS_CIOT;
}

/* All members can be served by broadcast but for numbers 2 and 8, which listen to nothing. */
static void
populate(void)
{
	const struct fan_next_hop hop = fan_test_hop(0, false);
	const struct fan_policy policy = make_policy();

	check(fan_next_hop_add(fanfare, &hop) == 0, "next hop", 0);
	done(fan_group_create(fanfare, &group, VALLEY));
	done(fan_group_policy_set(group, &policy));
	for (unsigned i = 0; i < UES; i++) {
		char identity[FAN_IDENTITY_BYTES];
		struct fan_ue ue = make_ue(identity, i);

		if (i == 2 || i == 8)
			ue.broadcast_id = 0;
		done(fan_ue_add(fanfare, &ids[i], &ue));
		done(fan_group_add(group, ids[i], profile_of(i)));
	}
}

static void
open_with(const struct fan_options *options)
{
	done(fan_open(&fanfare, options));
	group = fan_group_find(fanfare, VALLEY);
	if (group == NULL)
		populate();
	for (unsigned i = 0; options->store != NULL && i < UES; i++) {
		char identity[FAN_IDENTITY_BYTES];

		name_ue(identity, i);
		check(fan_ue_lookup(fanfare, &ids[i], 1, identity) == 1, "no UE", i);
	}
}

static void
open_kept(void)
{
	const struct fan_options options = make_options(true);

	open_with(&options);
}

static void
close_appliance(void)
{
	done(fan_close(fanfare));
	fanfare = NULL;
}

static fan_message_id
send_text(uint32_t valid_for_ms)
{
	struct fan_message message;
	fan_message_id id = 0;

	fan_test_message(&message, TEXT, strlen(TEXT));
	message.valid_for_ms = valid_for_ms;
	done(fan_send(fanfare, &id, group, &message, NULL, NULL));
	done(fan_sync(fanfare));
	check(fan_poll(fanfare) >= 0, "poll", 0);
	return id;
}

static struct fan_message_status
status_of(fan_message_id id)
{
	struct fan_message_status status;

	fan_message_status_init(&status);
	done(fan_message_status(fanfare, &status, id));
	return status;
}

static void
run_to_end(void)
{
	const struct timespec while_workers_run = { .tv_nsec = 1000000 };
	const double until = fan_test_now_s() + 60;

	while (fan_poll(fanfare) > 0 && fan_test_now_s() < until)
		(void)nanosleep(&while_workers_run, NULL);
	check(fan_poll(fanfare) == 0, "messages are still in flight", fan_poll(fanfare));
}

/* ---- A relay's answers -------------------------------------------------------------------------------------------------------- */

static size_t
put_area(uint8_t *at, enum fan_radio radio, uint32_t area)
{
	const unsigned area_bytes = radio == FAN_RADIO_LTE ? 2 : 3, cell_bytes = radio == FAN_RADIO_LTE ? 4 : 5;
	size_t n = 0;

	memcpy(at, plmn, sizeof(plmn));
	n += sizeof(plmn);
	for (unsigned i = area_bytes; i-- > 0;)
		at[n++] = (uint8_t)(area >> 8 * i);
	memcpy(at + n, "\0\0\0", 3); /* one cell; no extensions */
	n += 3;
	memcpy(at + n, plmn, sizeof(plmn));
	n += sizeof(plmn);
	/* The nibble behind 28 or 36 bits is that of the next area, without extensions. */
	memset(at + n, 0x10, cell_bytes);
	at[n + cell_bytes - 1] = 0x10;
	return n + cell_bytes;
}

/* Answers the last request: completed in these areas; area_count 0: nowhere. Returns what the library says. */
static int
answer(enum fan_radio radio, const uint32_t *areas, unsigned area_count)
{
	const bool lte = radio == FAN_RADIO_LTE;
	uint8_t list[512], value[640], octets[700];
	size_t list_bytes = 0, value_bytes = 0, n = 0;
	/* Identifier and serial number are the first two elements of every request. */
	const uint8_t *request = relay.octets[radio];
	const size_t skip = 3 + ((request[3] & 0x80) != 0 ? 2 : 1) + 3;

	memcpy(value, "\0\0", 2);
	value[2] = area_count > 0 ? 3 : 2;
	memcpy(value + 3, request + skip, 12);
	value_bytes = 15;
	if (area_count > 0) {
		list[list_bytes++] = lte ? 0x20 : 0x80;
		list[list_bytes++] = 0;
		list[list_bytes++] = (uint8_t)(area_count - 1);
		list[list_bytes++] = 0;
		for (unsigned i = 0; i < area_count; i++)
			list_bytes += put_area(list + list_bytes, radio, areas[i]);
		value[value_bytes++] = 0;
		value[value_bytes++] = lte ? 120 : 13;
		value[value_bytes++] = 0x40;
		value[value_bytes++] = (uint8_t)list_bytes;
		memcpy(value + value_bytes, list, list_bytes);
		value_bytes += list_bytes;
	}
	memcpy(octets, "\x20\0\0", 3);
	octets[1] = lte ? 36 : 51;
	n = 3;
	if (value_bytes >= 128)
		octets[n++] = (uint8_t)(0x80 | value_bytes >> 8);
	octets[n++] = (uint8_t)value_bytes;
	memcpy(octets + n, value, value_bytes);
	return fan_broadcast_answer(fanfare, radio, octets, n + value_bytes);
}

static int
complete(enum fan_radio radio)
{
	static const uint32_t areas[] = { AREA, AREA + 1 };

	return answer(radio, areas, radio == FAN_RADIO_LTE ? 2 : 1);
}

/* ---- Who got it how -------------------------------------------------------------------------------------------------------------- */

static enum fan_way ways[UES];
static enum fan_drop drops[UES];
static unsigned told;

static void
note_member(void *user, const struct fan_member_result *result)
{
	(void)user;
	check(result->ue < UES, "no such UE", (long)result->ue);
	ways[result->ue] = result->way;
	drops[result->ue] = result->drop;
	told++;
}

/* Numbers first .. last - 1 went a way. */
static void
went(unsigned first, unsigned last, enum fan_way way)
{
	for (unsigned i = first; i < last; i++) {
		const enum fan_way expected = i == 2 || i == 8 ? FAN_WAY_UNICAST : way;

		check(ways[i] == expected && drops[i] == FAN_DROP_NONE, fan_way_name(ways[i]), (long)i);
	}
}

/* In pages of five, so that places among ways are walked across. */
static void
read_ways(fan_message_id id)
{
	uint64_t next = 0;

	told = 0;
	do
		done(fan_message_results(fanfare, id, &next, 5, note_member, NULL));
	while (next != 0);
	check(told == UES, "members told of", (long)told);
}

static void
counted(fan_message_id id, uint64_t unicast, uint64_t lte, uint64_t nr)
{
	const struct fan_message_status status = status_of(id);

	check(status.state == FAN_MESSAGE_SENT, fan_message_state_name(status.state), 0);
	check(status.result.ues == UES, "members", (long)status.result.ues);
	check(status.way_ues[FAN_WAY_UNICAST] == unicast, "by unicast", (long)status.way_ues[FAN_WAY_UNICAST]);
	check(status.way_ues[FAN_WAY_BROADCAST_LTE] == lte, "by LTE", (long)status.way_ues[FAN_WAY_BROADCAST_LTE]);
	check(status.way_ues[FAN_WAY_BROADCAST_NR] == nr, "by NR", (long)status.way_ues[FAN_WAY_BROADCAST_NR]);
	check(status.result.sent == unicast, "PDUs sent", (long)status.result.sent);
}

/* ---- Tests ------------------------------------------------------------------------------------------------------------------------ */

Test(broadcasts, members_whose_broadcast_was_completed_get_no_unicast)
{
	fan_message_id id;

	open_kept();
	id = send_text(0);
	cr_assert_eq(relay.starts[FAN_RADIO_LTE], 1);
	cr_assert_eq(relay.starts[FAN_RADIO_NR], 1);
	cr_assert_eq(status_of(id).state, FAN_MESSAGE_SENDING);
	cr_assert_eq(status_of(id).result.created, 0, "nothing goes by unicast before the broadcast is known of");
	done(complete(FAN_RADIO_NR));
	done(complete(FAN_RADIO_LTE));
	run_to_end();
	counted(id, 2, 5, 5);
	read_ways(id);
	went(0, OF_EPS, FAN_WAY_BROADCAST_LTE);
	went(OF_EPS, UES, FAN_WAY_BROADCAST_NR);
	cr_assert_eq(relay.stops[FAN_RADIO_LTE] + relay.stops[FAN_RADIO_NR], 0);
	close_appliance();
	open_kept();
	counted(id, 2, 5, 5);
	read_ways(id);
	went(OF_EPS, UES, FAN_WAY_BROADCAST_NR);
	close_appliance();
}

Test(broadcasts, a_refused_broadcast_falls_back_to_unicast_of_its_members_alone)
{
	fan_message_id id;

	open_kept();
	id = send_text(0);
	done(answer(FAN_RADIO_LTE, NULL, 0));
	done(complete(FAN_RADIO_NR));
	run_to_end();
	counted(id, 7, 0, 5);
	read_ways(id);
	went(0, OF_EPS, FAN_WAY_UNICAST);
	went(OF_EPS, UES, FAN_WAY_BROADCAST_NR);
	close_appliance();
}

Test(broadcasts, one_area_that_was_left_out_is_no_broadcast_until_another_answer_has_it)
{
	static const uint32_t areas[] = { AREA, AREA + 1, AREA + 2 };
	fan_message_id id;

	open_kept();
	id = send_text(0);
	done(complete(FAN_RADIO_NR));
	done(answer(FAN_RADIO_LTE, areas, 1));
	cr_assert_eq(fan_poll(fanfare), 1);
	cr_assert_eq(status_of(id).result.created, 0);
	/* The same once more, and one that nobody asked for. */
	done(answer(FAN_RADIO_LTE, areas, 1));
	done(answer(FAN_RADIO_LTE, areas + 2, 1));
	cr_assert_eq(fan_poll(fanfare), 1);
	cr_assert_eq(status_of(id).result.created, 0);
	done(answer(FAN_RADIO_LTE, areas + 1, 1));
	run_to_end();
	counted(id, 2, 5, 5);
	close_appliance();
}

Test(broadcasts, a_relay_that_says_nothing_is_asked_again_and_then_left_alone)
{
	struct fan_options options = make_options(true);
	fan_message_id id;

	options.broadcast_wait_ms = 4000;
	open_with(&options);
	id = send_text(0);
	done(complete(FAN_RADIO_NR));
	run_to_end();
	cr_assert_geq(relay.starts[FAN_RADIO_LTE], 2, "once more after a second");
	cr_assert_eq(relay.starts[FAN_RADIO_NR], 1, "the one that has answered is not asked again");
	counted(id, 7, 0, 5);
	cr_assert_eq(complete(FAN_RADIO_LTE), FAN_E_NOT_FOUND, "too late");
	memset(&relay, 0, sizeof(relay));
	id = send_text(0);
	cr_assert_eq(relay.starts[FAN_RADIO_LTE], 0);
	done(complete(FAN_RADIO_NR));
	run_to_end();
	counted(id, 7, 0, 5);
	close_appliance();
}

Test(broadcasts, the_wait_leaves_half_of_the_validity_to_unicast)
{
	fan_message_id id;

	open_kept();
	id = send_text(8000);
	run_to_end();
	counted(id, UES, 0, 0);
	close_appliance();
}

Test(broadcasts, a_message_goes_on_the_air_no_longer_than_it_is_valid)
{
	static const uint8_t four_times[] = { 0, 115, 0, 2, 0, 4 };

	open_kept();
	(void)send_text(35000);
	cr_assert_not_null(memmem(relay.octets[FAN_RADIO_LTE], relay.octet_count[FAN_RADIO_LTE], four_times,
				  sizeof(four_times)),
			   "at 0, 10, 20 and 30 of 35 seconds");
	done(complete(FAN_RADIO_LTE));
	done(complete(FAN_RADIO_NR));
	run_to_end();
	close_appliance();
}

Test(broadcasts, a_message_that_is_cancelled_is_taken_off_the_air)
{
	struct fan_message_status status;
	fan_message_id id;

	open_kept();
	id = send_text(0);
	done(fan_message_cancel(fanfare, id));
	run_to_end();
	cr_assert_eq(relay.stops[FAN_RADIO_LTE], 1);
	cr_assert_eq(relay.stops[FAN_RADIO_NR], 1);
	status = status_of(id);
	cr_assert_eq(status.state, FAN_MESSAGE_CANCELLED);
	cr_assert_eq(status.result.dropped[FAN_DROP_CANCELLED], UES);
	cr_assert_eq(status.result.sent, 0);
	close_appliance();
}

/* UEs get messages of one priority in order: the second has no broadcast, and waits for the first one's. */
Test(broadcasts, a_message_behind_one_that_waits_does_not_overtake_it)
{
	fan_message_id first, second;
	struct fan_policy none;

	open_kept();
	first = send_text(0);
	fan_policy_init(&none);
	done(fan_group_policy_set(group, &none));
	second = send_text(0);
	for (unsigned i = 0; i < 20; i++)
		cr_assert_eq(fan_poll(fanfare), 2);
	cr_assert_not(fan_flight_find(fanfare, second)->handed, "workers have the second");
	cr_assert_eq(status_of(second).result.created, 0);
	cr_assert(status_of(second).durable);
	done(complete(FAN_RADIO_LTE));
	done(complete(FAN_RADIO_NR));
	run_to_end();
	counted(first, 2, 5, 5);
	counted(second, UES, 0, 0);
	close_appliance();
}

static void
note_result(void *user, const struct fan_result *result, const struct fan_outcome *outcome)
{
	uint64_t *counts = user;

	for (unsigned way = 0; way < FAN_WAY_COUNT; way++)
		counts[way] = fan_outcome_way(outcome, (enum fan_way)way);
	counts[FAN_WAY_COUNT] = result->ues;
}

Test(broadcasts, without_a_store_it_is_the_same)
{
	const struct fan_options options = make_options(false);
	uint64_t counts[FAN_WAY_COUNT + 1] = { 0 };
	struct fan_message message;

	open_with(&options);
	fan_test_message(&message, TEXT, strlen(TEXT));
	done(fan_send(fanfare, NULL, group, &message, note_result, counts));
	cr_assert_eq(fan_poll(fanfare), 1);
	done(complete(FAN_RADIO_LTE));
	done(answer(FAN_RADIO_NR, NULL, 0));
	run_to_end();
	cr_assert_eq(counts[FAN_WAY_UNICAST], 7);
	cr_assert_eq(counts[FAN_WAY_BROADCAST_LTE], 5);
	cr_assert_eq(counts[FAN_WAY_BROADCAST_NR], 0);
	cr_assert_eq(counts[FAN_WAY_COUNT], UES);
	close_appliance();
}

Test(broadcasts, what_is_no_matter_of_broadcast_goes_to_all_by_unicast)
{
	static const char long_text[FAN_BROADCAST_BYTES_MAX + 1] = { 'x' };
	struct fan_message message;
	fan_message_id id;

	open_kept();
	fan_test_message(&message, long_text, sizeof(long_text));
	done(fan_send(fanfare, &id, group, &message, NULL, NULL));
	run_to_end();
	counted(id, UES, 0, 0);
	cr_assert_eq(relay.starts[FAN_RADIO_LTE] + relay.starts[FAN_RADIO_NR], 0);
	close_appliance();
}

/* ---- Facts ------------------------------------------------------------------------------------------------------------------------ */

static void
sizes(uint64_t unicast, uint64_t lte, uint64_t nr)
{
	check(fan_group_way_size(group, FAN_WAY_UNICAST) == unicast, "by unicast",
	      (long)fan_group_way_size(group, FAN_WAY_UNICAST));
	check(fan_group_way_size(group, FAN_WAY_BROADCAST_LTE) == lte, "by LTE",
	      (long)fan_group_way_size(group, FAN_WAY_BROADCAST_LTE));
	check(fan_group_way_size(group, FAN_WAY_BROADCAST_NR) == nr, "by NR",
	      (long)fan_group_way_size(group, FAN_WAY_BROADCAST_NR));
}

static void
move_to(unsigned number, uint32_t area, uint16_t broadcast_id)
{
	struct fan_ue_place place;

	fan_ue_place_init(&place);
	memcpy(place.plmn, plmn, sizeof(plmn));
	place.area = area;
	place.broadcast_id = broadcast_id;
	done(fan_ue_place(fanfare, ids[number], &place));
}

Test(broadcasts, a_member_changes_its_way_when_a_fact_does_and_that_lasts)
{
	struct fan_ue_status status;
	struct fan_policy policy;

	open_kept();
	sizes(2, 5, 5);
	move_to(0, AREA + 7, BROADCAST_ID);
	sizes(3, 4, 5);
	move_to(8, AREA, BROADCAST_ID);
	sizes(2, 4, 6);
	close_appliance();
	open_kept();
	sizes(2, 4, 6);
	fan_ue_status_init(&status);
	done(fan_ue_status(fanfare, &status, ids[0]));
	cr_assert_eq(status.area, AREA + 7);
	cr_assert_eq(status.broadcast_id, BROADCAST_ID);
	cr_assert_eq(memcmp(status.plmn, plmn, sizeof(plmn)), 0);
	fan_policy_init(&policy);
	done(fan_group_policy(group, &policy));
	cr_assert_eq(policy.broadcasts, 100);
	cr_assert_eq(policy.areas[FAN_RADIO_LTE][1], AREA + 1);
	policy.radios = 1;
	done(fan_group_policy_set(group, &policy));
	sizes(8, 4, 0);
	close_appliance();
	open_kept();
	sizes(8, 4, 0);
	close_appliance();
}

Test(broadcasts, a_message_takes_the_ways_of_when_it_was_sent)
{
	fan_message_id first, second;

	open_kept();
	first = send_text(0);
	move_to(0, AREA + 7, BROADCAST_ID);
	done(complete(FAN_RADIO_LTE));
	done(complete(FAN_RADIO_NR));
	run_to_end();
	counted(first, 2, 5, 5);
	second = send_text(0);
	done(complete(FAN_RADIO_LTE));
	done(complete(FAN_RADIO_NR));
	run_to_end();
	counted(second, 3, 4, 5);
	close_appliance();
}

Test(broadcasts, who_leaves_a_group_or_the_appliance_leaves_its_way_too)
{
	uint32_t next_count;
	uint16_t unacknowledged;

	open_kept();
	done(fan_group_remove(group, ids[0]));
	sizes(2, 4, 5);
	done(fan_group_add(group, ids[0], FAN_PROFILE_EPS_NAS_SMS));
	sizes(2, 5, 5);
	done(fan_ue_remove(fanfare, &next_count, &unacknowledged, ids[1]));
	sizes(2, 4, 5);
	close_appliance();
}

Test(broadcasts, a_place_that_cannot_be_is_refused_and_changes_nothing)
{
	struct fan_ue_place place;

	open_kept();
	fan_ue_place_init(&place);
	place.area = 5;
	cr_assert_eq(fan_ue_place(fanfare, ids[0], &place), FAN_E_INVALID, "an area of no PLMN");
	memcpy(place.plmn, plmn, sizeof(plmn));
	place.area = 0x10000;
	cr_assert_eq(fan_ue_place(fanfare, ids[0], &place), FAN_E_INVALID, "17 bits in EPS");
	done(fan_ue_place(fanfare, ids[OF_EPS], &place));
	place.area = 0x1000000;
	cr_assert_eq(fan_ue_place(fanfare, ids[OF_EPS], &place), FAN_E_INVALID, "25 bits in 5GS");
	place.area = 5;
	place.broadcast_id = 0x1112;
	cr_assert_eq(fan_ue_place(fanfare, ids[0], &place), FAN_E_INVALID, "a warning of an authority");
	sizes(3, 5, 4);
	close_appliance();
}

Test(broadcasts, a_group_without_a_key_is_broadcast_to_only_where_its_policy_is_open)
{
	struct fan_policy policy = make_policy();

	open_kept();
	policy.open = false;
	done(fan_group_policy_set(group, &policy));
	sizes(UES, 0, 0);
	close_appliance();
}

/* ---- Under the group's key ------------------------------------------------------------------------------------------------------- */

/* All are able to take keys, and the key has left to them. */
static void
give_key(void)
{
	struct fan_policy policy = make_policy();
	struct fan_group_key_options options;

	policy.open = false;
	done(fan_group_policy_set(group, &policy));
	for (unsigned i = 0; i < UES; i++)
		done(fan_group_add(group, ids[i], i < OF_EPS ? FAN_PROFILE_EPS_NAS_KEY : FAN_PROFILE_5GS_NAS_KEY));
	fan_group_key_options_init(&options);
	options.has_session = true;
	memcpy(options.plmn, plmn, sizeof(plmn));
	done(fan_group_key_set(group, &options));
}

static struct fan_group_key_status
key_status(void)
{
	struct fan_group_key_status status;

	fan_group_key_status_init(&status);
	done(fan_group_key_status(group, &status));
	return status;
}

/* Until the current key has gone to all. */
static void
hand_out(void)
{
	const struct timespec while_workers_run = { .tv_nsec = 1000000 };
	const double until = fan_test_now_s() + 60;

	while ((fan_poll(fanfare) > 0 || !key_status().is_sent) && fan_test_now_s() < until)
		(void)nanosleep(&while_workers_run, NULL);
	check(key_status().is_sent, "the key has not left", 0);
}

/* Proves that it has the last that was sent to it: the key. */
static void
prove(unsigned number)
{
	uint32_t next_count;

	done(fan_ue_count(fanfare, &next_count, NULL, NULL, ids[number]));
	done(fan_ue_acknowledged(fanfare, ids[number], next_count - 1));
}

Test(broadcasts, members_that_proved_the_key_are_broadcast_to_under_it_and_no_others)
{
	fan_message_id id;

	open_kept();
	give_key();
	hand_out();
	sizes(UES, 0, 0);
	for (unsigned i = 0; i < UES; i++)
		if (i != 1)
			prove(i);
	sizes(3, 4, 5);
	close_appliance();
	open_kept();
	sizes(3, 4, 5);
	id = send_text(0);
	cr_assert_eq(relay.starts[FAN_RADIO_LTE], 1);
	cr_assert_null(memmem(relay.octets[FAN_RADIO_LTE], relay.octet_count[FAN_RADIO_LTE], TEXT, strlen(TEXT)),
		       "the text is on the air");
	done(complete(FAN_RADIO_LTE));
	done(complete(FAN_RADIO_NR));
	run_to_end();
	counted(id, 3, 4, 5);
	close_appliance();
}

/* Both radios have one PDU: one (GID, Gki, COUNT) is one plaintext. */
Test(broadcasts, both_radios_carry_the_same_octets)
{
	/* Where contents begin in a request of one page: number of pages, then the page. */
	static const uint8_t one_page = 1;
	const uint8_t *lte, *nr;

	open_kept();
	give_key();
	hand_out();
	for (unsigned i = 0; i < UES; i++)
		prove(i);
	(void)send_text(0);
	/* 82 octets, their number, and the concurrent indicator's 5 octets stand at the end. */
	lte = relay.octets[FAN_RADIO_LTE] + relay.octet_count[FAN_RADIO_LTE] - 89;
	nr = relay.octets[FAN_RADIO_NR] + relay.octet_count[FAN_RADIO_NR] - 89;
	cr_assert_eq(lte[0], one_page);
	cr_assert_eq(memcmp(lte, nr, 84), 0);
	done(complete(FAN_RADIO_LTE));
	done(complete(FAN_RADIO_NR));
	run_to_end();
	close_appliance();
}

Test(broadcasts, a_key_that_nobody_has_proved_yet_is_not_broadcast_under)
{
	fan_message_id id;

	open_kept();
	give_key();
	hand_out();
	for (unsigned i = 0; i < UES; i++)
		prove(i);
	sizes(2, 5, 5);
	done(fan_group_key_rotate(group));
	sizes(UES, 0, 0);
	hand_out();
	for (unsigned i = 0; i < UES; i++)
		prove(i);
	sizes(2, 5, 5);
	/* One that had the key is removed: another is due, which the next message must not make and use. */
	done(fan_group_remove(group, ids[0]));
	{
		struct fan_message message;

		fan_test_message(&message, TEXT, strlen(TEXT));
		done(fan_send(fanfare, &id, group, &message, NULL, NULL));
	}
	run_to_end();
	cr_assert_eq(relay.starts[FAN_RADIO_LTE] + relay.starts[FAN_RADIO_NR], 0, "broadcast under a key that is due");
	cr_assert_eq(status_of(id).way_ues[FAN_WAY_UNICAST], UES - 1);
	done(fan_group_key_remove(group));
	sizes(UES - 1, 0, 0);
	close_appliance();
}

/* ---- Deaths ------------------------------------------------------------------------------------------------------------------------- */

/* A life that ends without a word, after it has answered for so many radios, and polled once more or not. */
static void
die_after(unsigned answers, bool polls)
{
	const pid_t child = fork();
	int status;

	cr_assert_geq(child, 0);
	if (child == 0) {
		is_child = true;
		open_kept();
		(void)send_text(0);
		if (answers > 0)
			done(complete(FAN_RADIO_NR));
		if (answers > 1)
			done(complete(FAN_RADIO_LTE));
		if (polls)
			(void)fan_poll(fanfare);
		(void)kill(getpid(), SIGKILL);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %#x", status);
}

Test(broadcasts, a_death_before_the_broadcast_is_known_of_sends_to_all_by_unicast)
{
	die_after(1, true);
	open_kept();
	run_to_end();
	counted(1, UES, 0, 0);
	read_ways(1);
	went(0, UES, FAN_WAY_UNICAST);
	close_appliance();
}

Test(broadcasts, a_death_before_it_is_durable_that_it_is_known_of_does_too)
{
	die_after(2, false);
	open_kept();
	run_to_end();
	counted(1, UES, 0, 0);
	close_appliance();
}

/* The commit that hands the rest over has who was served by broadcast. */
Test(broadcasts, a_death_after_that_sends_to_nobody_who_was_served_by_broadcast)
{
	struct fan_message_status status;

	die_after(2, true);
	open_kept();
	run_to_end();
	status = status_of(1);
	cr_assert_eq(status.way_ues[FAN_WAY_BROADCAST_LTE], 5);
	cr_assert_eq(status.way_ues[FAN_WAY_BROADCAST_NR], 5);
	cr_assert_leq(status.result.sent, 4, "two members, or one of them twice");
	read_ways(1);
	went(0, OF_EPS, FAN_WAY_BROADCAST_LTE);
	went(OF_EPS, UES, FAN_WAY_BROADCAST_NR);
	close_appliance();
}
