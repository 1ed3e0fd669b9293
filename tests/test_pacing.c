/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Paces, from fan_next_hop_rate() to the port. What is said of time is measured where frames are handed to the port, by the worker's own
 * thread and TSC, so that no load of the machine can bring two of them nearer than they were.
 */
#include "../host-api/appliance/handles.h"
#include "appliance_fixture.h"
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(pacing, .timeout = 120);

#define GROUP "all@pacing.example"
#define WAIT_SECONDS 60.0
#define DEPARTURES_MAX 2000000

/* ---- What leaves, and when -------------------------------------------------------------------------------------------------- */

struct departure {
	uint64_t tsc;
	uint16_t hop, octets;
};

static struct departure *departures;
static unsigned departure_count; /* one place for each, taken by any worker */

/* Next hop n has the address 198.51.x.y with n = x * 256 + y. */
static uint16_t
note_departures(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t frame_count, void *user)
{
	(void)port;
	(void)queue;
	(void)user;
	for (uint16_t i = 0; i < frame_count; i++) {
		const unsigned at = __atomic_fetch_add(&departure_count, 1, __ATOMIC_RELAXED);
		const uint8_t *address = rte_pktmbuf_mtod(frames[i], const uint8_t *) + 14 + 16;

		if (at < DEPARTURES_MAX)
			departures[at] = (struct departure){ rte_rdtsc(), (uint16_t)(address[2] << 8 | address[3]),
							     (uint16_t)frames[i]->pkt_len };
	}
	return frame_count;
}

static void
record(const char *port_name, unsigned queues)
{
	uint16_t port;

	departures = calloc(DEPARTURES_MAX, sizeof(*departures));
	departure_count = 0;
	cr_assert_not_null(departures);
	cr_assert_eq(rte_eth_dev_get_port_by_name(port_name, &port), 0);
	for (uint16_t queue = 0; queue < (uint16_t)queues; queue++)
		cr_assert_not_null(rte_eth_add_tx_callback(port, queue, note_departures, NULL));
}

static int
compare_departures(const void *a, const void *b)
{
	const struct departure *x = a, *y = b;

	return x->tsc < y->tsc ? -1 : x->tsc > y->tsc;
}

/* Keeps those to one next hop, in order. */
static void
sort_departures_to(unsigned hop)
{
	unsigned kept = 0;

	cr_assert_leq(departure_count, DEPARTURES_MAX);
	for (unsigned i = 0; i < departure_count; i++)
		if (departures[i].hop == hop)
			departures[kept++] = departures[i];
	departure_count = kept;
	qsort(departures, kept, sizeof(*departures), compare_departures);
}

/* The most PDUs and octets in any window of so many ms. */
static void
find_most(uint64_t *pdus, uint64_t *octets, unsigned window_ms)
{
	const uint64_t window = window_ms * (rte_get_tsc_hz() / 1000);
	uint64_t sum = 0;

	*pdus = *octets = 0;
	for (unsigned first = 0, end = 0; end < departure_count; end++) {
		sum += departures[end].octets;
		while (departures[end].tsc - departures[first].tsc >= window)
			sum -= departures[first++].octets;
		*pdus = RTE_MAX(*pdus, (uint64_t)end - first + 1);
		*octets = RTE_MAX(*octets, sum);
	}
}

static double
span_s(void)
{
	return (double)(departures[departure_count - 1].tsc - departures[0].tsc) / (double)rte_get_tsc_hz();
}

/* ---- An appliance with next hops of its own ---------------------------------------------------------------------------------- */

static struct fanfare *fanfare;
static struct fan_group *all;
static struct fan_result result;
static unsigned ended;

static void
note_end(void *user, const struct fan_result *given, const struct fan_outcome *outcome)
{
	uint64_t dropped = 0;

	(void)user;
	(void)outcome;
	for (unsigned i = 0; i < FAN_DROP_COUNT; i++)
		dropped += given->dropped[i];
	cr_assert_eq(given->created, given->sent + dropped);
	result = *given;
	ended++;
}

static void
add_hops(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct fan_next_hop hop;

		fan_next_hop_init(&hop);
		hop.ethernet[0] = 2;
		hop.ethernet[5] = 1;
		memcpy(hop.address, (uint8_t[]){ 198, 51, (uint8_t)(i >> 8), (uint8_t)i }, 4);
		cr_assert_eq(fan_next_hop_add(fanfare, &hop), (int)i, "%s", fan_error_detail());
	}
}

/* UE i is served by next hop i % hops. */
static void
add_ues(unsigned count, unsigned hops)
{
	cr_assert_eq(fan_group_create(fanfare, &all, GROUP), 0);
	for (unsigned i = 0; i < count; i++) {
		fan_context_id id;
		struct fan_ue ue;

		fan_ue_init(&ue, FAN_KIND_EPS_NAS);
		ue.cipher = ue.integrity = 2;
		ue.count = 1;
		ue.count_reserved = 1 << 20;
		ue.ue = i;
		ue.mme_ue_id = i;
		ue.ran_ue_id = i & 0xffffff;
		ue.bearer_id = 5;
		ue.next_hop = (uint16_t)(i % hops);
		memcpy(ue.k_enc, &i, sizeof(i));
		memcpy(ue.k_int, &i, sizeof(i));
		cr_assert_eq(fan_ue_add(fanfare, &id, &ue), 0, "%s", fan_error_detail());
		cr_assert_eq(fan_group_add(all, id, FAN_PROFILE_EPS_NAS_NIDD), 0);
	}
}

static void
open_appliance(unsigned workers, unsigned ues, unsigned hops)
{
	struct fan_options options;

	fan_options_init(&options);
	options.egress = "net_null";
	options.workers = workers;
	options.engines = "reference";
	cr_assert_eq(fan_open(&fanfare, &options), 0, "%s", fan_error_detail());
	add_hops(hops);
	add_ues(ues, hops);
	ended = 0;
	record("net_null0", workers);
}

static void
close_appliance(void)
{
	cr_assert_eq(fan_close(fanfare), 0);
	free(departures);
}

static void
set_rate(unsigned hop, uint64_t pdus_per_s, uint64_t octets_per_s)
{
	struct fan_next_hop_rate rate;

	fan_next_hop_rate_init(&rate);
	rate.pdus_per_s = pdus_per_s;
	rate.octets_per_s = octets_per_s;
	cr_assert_eq(fan_next_hop_rate(fanfare, hop, &rate), 0, "%s", fan_error_detail());
}

static struct fan_next_hop_pace
pace_of(unsigned hop)
{
	struct fan_next_hop_pace pace;

	fan_next_hop_pace_init(&pace);
	cr_assert_eq(fan_next_hop_pace(fanfare, &pace, hop), 0, "%s", fan_error_detail());
	return pace;
}

static fan_message_id
begin(uint8_t priority, uint32_t valid_for_ms)
{
	struct fan_message message;
	fan_message_id id;

	fan_message_init(&message, "the river is rising", 19);
	message.priority = priority;
	message.valid_for_ms = valid_for_ms;
	cr_assert_eq(fan_send(fanfare, &id, all, &message, note_end, NULL), 0, "%s", fan_error_detail());
	return id;
}

static void
poll_until(unsigned ends)
{
	const double deadline = fan_test_now_s() + WAIT_SECONDS;

	while (ended < ends) {
		cr_assert_geq(fan_poll(fanfare), 0);
		cr_assert_lt(fan_test_now_s(), deadline, "messages in flight do not end");
		usleep(200);
	}
}

static void
poll_for(double seconds)
{
	for (const double end = fan_test_now_s() + seconds; fan_test_now_s() < end; usleep(200))
		cr_assert_geq(fan_poll(fanfare), 0);
}

/* Until so many members wait for a next hop. */
static void
poll_until_waiting(unsigned hop, uint64_t members)
{
	const double deadline = fan_test_now_s() + WAIT_SECONDS;

	while (pace_of(hop).waiting < members) {
		cr_assert_geq(fan_poll(fanfare), 0);
		cr_assert_lt(fan_test_now_s(), deadline, "%lu of %lu wait", pace_of(hop).waiting, members);
		usleep(200);
	}
}

/* Until so many PDUs have left to a next hop. */
static void
poll_until_left(unsigned hop, uint64_t pdus)
{
	const double deadline = fan_test_now_s() + WAIT_SECONDS;

	while (pace_of(hop).pdus < pdus) {
		cr_assert_geq(fan_poll(fanfare), 0);
		cr_assert_lt(fan_test_now_s(), deadline, "%lu of %lu left", pace_of(hop).pdus, pdus);
		usleep(200);
	}
}

/* ---- Rates ------------------------------------------------------------------------------------------------------------------- */

static void
expect_pace(unsigned workers, uint64_t pdus_per_s, uint64_t octets_per_s, unsigned ues)
{
	uint64_t pdus, octets, second_pdus, second_octets;

	open_appliance(workers, ues, 1);
	set_rate(0, pdus_per_s, octets_per_s);
	(void)begin(0, 0);
	(void)begin(0, 0);
	poll_until(2);
	cr_assert_eq(result.sent, ues);
	cr_assert_eq(pace_of(0).pdus, 2 * ues);
	sort_departures_to(0);
	cr_assert_eq(departure_count, 2 * ues);
	find_most(&pdus, &octets, 10);
	find_most(&second_pdus, &second_octets, 1000);
	if (pdus_per_s != 0) {
		cr_assert_leq(pdus, pdus_per_s / 50, "%lu PDUs in 10 ms", pdus);
		cr_assert_leq((double)second_pdus, (double)pdus_per_s * 1.02, "%lu PDUs in a second", second_pdus);
		/* The machine may stand still for longer than a bucket holds: generous. */
		cr_assert_lt(span_s(), 20 * ues / (double)pdus_per_s, "%.3f s", span_s());
	}
	if (octets_per_s != 0) {
		cr_assert_leq(octets, octets_per_s / 50, "%lu octets in 10 ms", octets);
		cr_assert_leq((double)second_octets, (double)octets_per_s * 1.02, "%lu octets in a second", second_octets);
	}
	fprintf(stderr, "%u worker(s), %lu PDUs/s, %lu octets/s: %u PDUs in %.4f s, %.2f/s; 10 ms %lu, 1 s %lu\n", workers,
		pdus_per_s, octets_per_s, departure_count, span_s(), (departure_count - 1) / span_s(), pdus, second_pdus);
	close_appliance();
}

Test(pacing, one_worker_keeps_pdus_a_second)
{
	expect_pace(1, 2000, 0, 2500);
}

Test(pacing, two_workers_keep_one_rate_together)
{
	expect_pace(2, 10000, 0, 9000);
}

Test(pacing, octets_a_second_are_kept)
{
	expect_pace(2, 0, 1000000, 4000);
}

Test(pacing, the_stricter_of_two_rates_counts)
{
	expect_pace(1, 3000, 100000000, 3000);
}

/* ---- Others go on ------------------------------------------------------------------------------------------------------------- */

/* Members to one next hop of a thousand wait; all others are there at once. */
Test(pacing, a_next_hop_that_stands_holds_up_none_of_999_others)
{
	const unsigned ues = 20000, hops = 1000, to_each = ues / hops;
	struct fan_progress progress;
	fan_message_id id;

	open_appliance(2, ues, hops);
	for (unsigned i = 0; i < hops; i++)
		set_rate(i, i == 77 ? 1 : 1000000, 0);
	id = begin(0, 0);
	fan_progress_init(&progress);
	do {
		poll_for(0.01);
		cr_assert_eq(fan_message_progress(fanfare, &progress, id), 0, "it has ended: nobody waited");
	} while (progress.sent < ues - to_each);
	cr_assert_lt(progress.sent, ues);
	cr_assert_eq(pace_of(77).pdus + pace_of(77).waiting, to_each);
	cr_assert_eq(fan_message_cancel(fanfare, id), 0);
	poll_until(1);
	cr_assert_gt(result.dropped[FAN_DROP_CANCELLED], 0);
	cr_assert_eq(result.sent + result.dropped[FAN_DROP_CANCELLED], ues);
	cr_assert_eq(pace_of(77).waiting, 0);
	close_appliance();
}

/* All of a thousand have a rate that binds: none has more than its depth, and none starves. */
Test(pacing, a_thousand_next_hops_keep_a_rate_each)
{
	const unsigned ues = 40000, hops = 1000, per_s = 100;
	struct departure *all_departures;
	unsigned count;

	open_appliance(2, ues, hops);
	for (unsigned i = 0; i < hops; i++)
		set_rate(i, per_s, 0);
	(void)begin(0, 0);
	poll_until(1);
	cr_assert_eq(result.sent, ues);
	count = departure_count;
	all_departures = malloc(count * sizeof(*all_departures));
	cr_assert_not_null(all_departures);
	memcpy(all_departures, departures, count * sizeof(*all_departures));
	for (unsigned i = 0; i < hops; i += 50) {
		uint64_t pdus, octets;

		memcpy(departures, all_departures, count * sizeof(*all_departures));
		departure_count = count;
		sort_departures_to(i);
		find_most(&pdus, &octets, 10);
		cr_assert_leq(pdus, 2, "next hop %u: %lu in 10 ms", i, pdus);
		cr_assert_eq(departure_count, ues / hops);
		cr_assert_lt(span_s(), 30.0 * ues / hops / per_s, "next hop %u: %.3f s", i, span_s());
	}
	free(all_departures);
	close_appliance();
}

Test(pacing, what_is_put_off_is_cancelled_and_expires_as_all_else)
{
	fan_message_id id;

	open_appliance(1, 1000, 2);
	set_rate(1, 1, 0);
	id = begin(0, 0);
	poll_until_waiting(1, 400);
	cr_assert_eq(ended, 0);
	cr_assert_eq(fan_message_cancel(fanfare, id), 0);
	poll_until(1);
	cr_assert_eq(result.dropped[FAN_DROP_CANCELLED] + result.sent, 1000);
	cr_assert_lt(result.sent, 600);
	(void)begin(0, 300);
	poll_until(2);
	cr_assert_eq(result.dropped[FAN_DROP_EXPIRED] + result.sent, 1000);
	cr_assert_eq(pace_of(1).waiting, 0);
	/* Tokens of what was refused are not lost. */
	set_rate(1, 0, 0);
	(void)begin(0, 0);
	poll_until(3);
	cr_assert_eq(result.sent, 1000);
	close_appliance();
}

/* Until the port takes no more of a message. */
static void
poll_until_blocked(fan_message_id id)
{
	const double deadline = fan_test_now_s() + WAIT_SECONDS;
	struct fan_progress progress;

	fan_progress_init(&progress);
	do {
		cr_assert_eq(fan_poll(fanfare), 1);
		cr_assert_eq(fan_message_progress(fanfare, &progress, id), 0);
		cr_assert_lt(fan_test_now_s(), deadline, "the port takes all");
		usleep(200);
	} while (progress.waits_for != FAN_WAIT_PORT || progress.waits_ns < 1000000);
}

/* The port takes no more, often in the middle of a batch, so that members have tokens and do not go; then the message is cancelled. In every other
 * round next to nobody is put off. */
Test(pacing, tokens_of_what_does_not_leave_come_back)
{
	struct fan_test_appliance appliance;
	struct fan_test_side side;
	struct fan_message message;
	struct fan_group *group;
	const unsigned ues = 4000;
	uint64_t sent = 0, left = 0;
	fan_message_id id;

	fan_test_side_open(&side, ues);
	fan_test_appliance_open(&appliance, &side, NULL);
	fanfare = appliance.fanfare;
	for (unsigned i = 0; i < ues; i++)
		fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_5GS_NAS, 2, 2));
	group = fan_test_group(&appliance, GROUP, 0, ues, FAN_PROFILE_5GS_NAS_CIOT);
	fan_test_message(&message, "hello", 5);
	for (unsigned round = 0; round < 8; round++) {
		for (unsigned hop = 0; hop < FAN_TEST_HOPS; hop++)
			set_rate(hop, round % 2 == 0 ? 20000 + 777 * round + hop : FAN_RATE_PDUS_MAX, 0);
		poll_for(0.02); /* buckets begin empty */
		cr_assert_eq(fan_send(fanfare, &id, group, &message, fan_test_done, &appliance), 0);
		poll_until_blocked(id);
		cr_assert_eq(fan_message_cancel(fanfare, id), 0);
		poll_for(0.02); /* the port stays full until the worker has let go of what it holds */
		fan_test_run(&appliance, 0);
		cr_assert_gt(appliance.result.dropped[FAN_DROP_CANCELLED], 0);
		sent += appliance.result.sent;
	}
	for (unsigned hop = 0; hop < FAN_TEST_HOPS; hop++) {
		const struct fan_pace *pace = &fanfare->dataplane->paces.hops[hop];

		cr_assert(pace->pdus.out == 0 && pace->octets.out == 0 && pace->waiting == 0, "next hop %u: %lu out", hop,
			  pace->pdus.out);
		left += pace->pdus_left;
	}
	cr_assert_eq(left, sent);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

/* ---- Changes ------------------------------------------------------------------------------------------------------------------ */

Test(pacing, a_rate_changes_while_a_message_runs)
{
	open_appliance(2, 20000, 1);
	set_rate(0, 100, 0);
	(void)begin(0, 0);
	poll_until_left(0, 10);
	cr_assert_leq(pace_of(0).pdus, 1000);
	set_rate(0, 5000, 0);
	poll_until_left(0, 3000);
	cr_assert_eq(ended, 0);
	set_rate(0, 0, 0);
	poll_until(1);
	cr_assert_eq(result.sent, 20000);
	cr_assert_not(pace_of(0).paced);
	close_appliance();
}

/* A message that began when no next hop had a rate: the port holds it up until there is one. */
Test(pacing, a_first_rate_binds_messages_that_run_already)
{
	struct fan_test_appliance appliance;
	struct fan_test_side side;
	struct fan_message message;
	struct fan_group *group;
	const unsigned ues = 6000;

	fan_test_side_open(&side, ues);
	fan_test_appliance_open(&appliance, &side, NULL);
	fanfare = appliance.fanfare;
	for (unsigned i = 0; i < ues; i++)
		fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_5GS_NAS, 2, 2));
	group = fan_test_group(&appliance, GROUP, 0, ues, FAN_PROFILE_5GS_NAS_CIOT);
	fan_test_message(&message, "hello", 5);
	message.valid_for_ms = 2000;
	cr_assert_eq(fan_send(fanfare, NULL, group, &message, fan_test_done, &appliance), 0);
	poll_for(0.05);
	for (unsigned hop = 0; hop < FAN_TEST_HOPS; hop++)
		set_rate(hop, 1, 0);
	fan_test_run(&appliance, 0);
	cr_assert_gt(appliance.result.dropped[FAN_DROP_EXPIRED], 1000);
	cr_assert_gt(pace_of(0).put_off, 0);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

Test(pacing, a_relays_word_counts_until_its_time_is_over)
{
	struct fan_next_hop_pace pace;

	open_appliance(1, 5000, 1);
	cr_assert_eq(fan_next_hop_relay(fanfare, 0, 0, 60000), 0);
	(void)begin(0, 0);
	poll_until_waiting(0, 5000);
	pace = pace_of(0);
	cr_assert(pace.stopped && pace.paced && pace.relay_ms > 0 && pace.relay_ms <= 60000 && pace.pdus_per_s == 0);
	cr_assert_eq(departure_count, 0);
	cr_assert_eq(fan_next_hop_relay(fanfare, 0, 0, 100), 0);
	poll_until(1);
	pace = pace_of(0);
	cr_assert(!pace.stopped && !pace.paced && pace.relay_ms == 0);
	cr_assert_eq(result.sent, 5000);
	/* The lower one of rate and word; the latest word; its end. */
	set_rate(0, 1000, 0);
	cr_assert_eq(fan_next_hop_relay(fanfare, 0, 5000, 60000), 0);
	poll_for(0.01);
	cr_assert_eq(pace_of(0).pdus_per_s, 1000);
	cr_assert_eq(fan_next_hop_relay(fanfare, 0, 10, 60000), 0);
	poll_for(0.01);
	cr_assert_eq(pace_of(0).pdus_per_s, 10);
	cr_assert_eq(fan_next_hop_relay(fanfare, 0, 0, 0), 0);
	poll_for(0.01);
	cr_assert(pace_of(0).pdus_per_s == 1000 && pace_of(0).relay_ms == 0);
	close_appliance();
}

Test(pacing, what_cannot_be_is_refused_and_changes_nothing)
{
	struct fan_next_hop_rate rate;
	struct fan_next_hop_pace pace = { .struct_bytes = 0 };

	open_appliance(1, 1, 1);
	set_rate(0, 10, 0);
	fan_next_hop_rate_init(&rate);
	rate.urgent_percent = 91;
	cr_assert_eq(fan_next_hop_rate(fanfare, 0, &rate), FAN_E_INVALID);
	rate.urgent_percent = 0;
	cr_assert_eq(fan_next_hop_rate(fanfare, 1, &rate), FAN_E_NOT_FOUND);
	memset(&rate, 0, sizeof(rate));
	cr_assert_eq(fan_next_hop_rate(fanfare, 0, &rate), FAN_E_INVALID);
	cr_assert_eq(fan_next_hop_relay(fanfare, 70000, 0, 1), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_next_hop_relay(fanfare, 0, 0, FAN_RELAY_MS_MAX + 1), FAN_E_INVALID);
	cr_assert_eq(fan_next_hop_pace(fanfare, &pace, 0), FAN_E_INVALID);
	fan_next_hop_pace_init(&pace);
	cr_assert_eq(fan_next_hop_pace(fanfare, &pace, 1), FAN_E_NOT_FOUND);
	cr_assert(pace_of(0).rate.pdus_per_s == 10 && pace_of(0).rate.urgent_percent == FAN_RATE_URGENT);
	close_appliance();
}

/* ---- Urgent messages ----------------------------------------------------------------------------------------------------------- */

/* Which of the two has its last frame first; both are to the same UEs. */
Test(pacing, an_urgent_message_passes_those_that_wait)
{
	double sent_at_s[2], last_s[2];

	open_appliance(1, 600, 1);
	set_rate(0, 300, 0);
	sent_at_s[0] = fan_test_now_s();
	(void)begin(0, 0);
	poll_until_left(0, 20);
	sent_at_s[1] = fan_test_now_s();
	(void)begin(FAN_PRIORITY_URGENT, 0);
	poll_until(1);
	cr_assert_eq(result.sent, 600);
	last_s[1] = sent_at_s[1] + (double)result.last_ns / 1e9;
	poll_until(2);
	last_s[0] = sent_at_s[0] + (double)result.last_ns / 1e9;
	cr_assert_lt(last_s[1], last_s[0], "the urgent one ends %.3f s later", last_s[1] - last_s[0]);
	close_appliance();
}

/* ---- Order, UEs that move ------------------------------------------------------------------------------------------------------ */

static void
move_to(unsigned hop, fan_context_id id, unsigned ue_index)
{
	struct fan_ue ue;

	fan_ue_init(&ue, FAN_KIND_EPS_NAS);
	ue.mme_ue_id = ue_index;
	ue.ran_ue_id = ue_index;
	ue.bearer_id = 5;
	ue.next_hop = (uint16_t)hop;
	cr_assert_eq(fan_ue_move(fanfare, id, &ue), 0, "%s", fan_error_detail());
}

/* The first of each worker stays, and the others stood behind it. */
Test(pacing, ues_that_leave_a_next_hop_that_stands_are_served_by_their_new_one)
{
	fan_context_id id = 0;

	open_appliance(2, 4000, 2);
	cr_assert_eq(fan_next_hop_relay(fanfare, 1, 0, 60000), 0);
	(void)begin(0, 0);
	(void)begin(0, 0);
	poll_until_waiting(1, 2 * 2000);
	while (fan_ue_next(fanfare, &id, id) == 1) {
		struct fan_ue_status status;

		fan_ue_status_init(&status);
		cr_assert_eq(fan_ue_status(fanfare, &status, id), 0);
		if (status.next_hop == 1 && status.ue != 1 && status.ue != FAN_CONTEXT_STRIPE + 1)
			move_to(0, id, status.ue);
		id++;
	}
	while (__atomic_load_n(&departure_count, __ATOMIC_RELAXED) < 2 * 4000 - 2 * 2)
		poll_for(0.01); /* the test's own time is its deadline */
	cr_assert(ended == 0 && departure_count == 2 * 4000 - 2 * 2, "%u", departure_count);
	cr_assert_eq(pace_of(1).waiting, 2 * 2);
	cr_assert_eq(fan_next_hop_relay(fanfare, 1, 0, 0), 0);
	poll_until(2);
	cr_assert_eq(result.sent, 4000);
	cr_assert_eq(pace_of(1).waiting, 0);
	cr_assert_eq(pace_of(1).pdus, 0);
	close_appliance();
}

#define STEPS 6 /* PDUs of four messages, of which the second and the fourth are short messages of two parts */

static struct {
	struct fan_test_side side;
	unsigned step[1024]; /* of each UE: so many PDUs of the sequence have come */
	unsigned wrong;      /* that were not the next */
} order;

/* Messages begin with their numbers; 0 stands for a second part. */
static bool
is_next(const struct fan_ue_delivery *delivery, char begin)
{
	return begin == 0 ? delivery->sms_part == 2 : delivery->data[0] == (uint8_t)begin;
}

static void
take_next(void *user, const uint8_t *frame, size_t frame_bytes)
{
	static const char begins[STEPS] = { '1', '2', 0, '3', '4', 0 };
	const struct fan_ue_delivery *delivery = &order.side.last;
	const struct fan_test_subscriber *subscriber;
	unsigned *step;

	(void)user;
	if (fan_test_side_receive(&order.side, frame, frame_bytes) != FAN_UE_ACCEPTED) {
		order.wrong++;
		return;
	}
	subscriber = (const void *)((const char *)delivery->state - offsetof(struct fan_test_subscriber, state));
	step = &order.step[subscriber->ue.ue];
	if (*step == STEPS || !is_next(delivery, begins[*step]))
		order.wrong++;
	++*step;
}

/* In: hop 0 has the lowest rate, hop 2 none. Returns messages that have not ended. */
static void
send_in_turn(struct fan_group *data, struct fan_group *sms)
{
	static const char two_parts[2][200] = { "2 The river will pass 6.2 m at 18:40 today.", "4 The river falls." };

	for (unsigned i = 0; i < 4; i++) {
		struct fan_message message;
		char text[200];

		memset(text, '.', sizeof(text));
		if (i % 2 != 0)
			memcpy(text, two_parts[i / 2], strlen(two_parts[i / 2]));
		else
			text[0] = (char)('1' + i);
		fan_test_message(&message, text, i % 2 != 0 ? sizeof(text) : 20);
		cr_assert_eq(fan_send(fanfare, NULL, i % 2 != 0 ? sms : data, &message, note_end, NULL), 0, "%s",
			     fan_error_detail());
	}
}

/* Each UE gets all messages, whole, in the order of acceptance, and COUNT rises, over next hops of three paces, while half of the UEs move to
 * another one. */
Test(pacing, each_ue_gets_its_messages_whole_and_in_order)
{
	struct fan_test_appliance appliance;
	struct fan_group *data, *sms;
	const unsigned ues = 900;
	const double deadline = fan_test_now_s() + WAIT_SECONDS;

	memset(&order, 0, sizeof(order));
	fan_test_side_open(&order.side, ues);
	order.side.moves = true;
	fan_test_appliance_open(&appliance, &order.side, &(struct fan_options){ .workers = 2 });
	fanfare = appliance.fanfare;
	for (unsigned i = 0; i < ues; i++) {
		struct fan_test_subscriber *subscriber = fan_test_subscribe(&order.side, FAN_KIND_EPS_NAS, 2, 2);

		subscriber->ue.ran_ue_id &= 0xffffff;
		subscriber->ue.bearer_id = 5;
		fan_test_provision(&appliance, subscriber);
	}
	data = fan_test_group(&appliance, GROUP, 0, ues, FAN_PROFILE_EPS_NAS_NIDD);
	sms = fan_test_group(&appliance, "sms@pacing.example", 0, ues, FAN_PROFILE_EPS_NAS_SMS);
	set_rate(0, 1000, 0);
	set_rate(1, 3000, 0);
	ended = 0;
	send_in_turn(data, sms);
	for (unsigned turn = 0; ended < 4 || order.side.frames < STEPS * ues; turn++) {
		(void)fan_poll(fanfare);
		(void)fan_loop_receive(fanfare, take_next, NULL, 64);
		if (turn % 8 == 0 && turn / 8 < ues / 2) {
			struct fan_ue moved = order.side.subscribers[turn / 8].ue;

			moved.next_hop = (uint16_t)((moved.next_hop + 1) % FAN_TEST_HOPS);
			cr_assert_eq(fan_ue_move(fanfare, order.side.subscribers[turn / 8].id, &moved), 0, "%s",
				     fan_error_detail());
		}
		cr_assert_lt(fan_test_now_s(), deadline, "%u ended, %lu frames, %u wrong", ended, order.side.frames,
			     order.wrong);
	}
	for (unsigned i = 1; i < FAN_UE_VERDICT_COUNT; i++)
		cr_assert_eq(order.side.verdicts[i], 0, "%lu x %s", order.side.verdicts[i],
			     fan_ue_verdict_name((enum fan_ue_verdict)i));
	cr_assert_eq(order.wrong, 0, "%u", order.wrong);
	for (unsigned i = 0; i < ues; i++)
		cr_assert_eq(order.step[i], STEPS, "UE %u", i);
	cr_assert(pace_of(0).put_off > 0 && pace_of(0).waiting == 0 && pace_of(1).waiting == 0 && pace_of(2).waiting == 0);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&order.side);
}

/* ---- All at once ---------------------------------------------------------------------------------------------------------------- */

static void
expect_nothing_left(unsigned hops)
{
	const struct fan_dataplane *dataplane = fanfare->dataplane;

	for (unsigned hop = 0; hop < hops; hop++) {
		const struct fan_pace *pace = &dataplane->paces.hops[hop];

		cr_assert(pace->pdus.out == 0 && pace->octets.out == 0 && pace->waiting == 0,
			  "next hop %u: %lu PDUs and %lu octets are out, %lu wait", hop, pace->pdus.out, pace->octets.out,
			  pace->waiting);
	}
	cr_assert_eq(rte_mempool_avail_count(dataplane->egress.frames), dataplane->egress.frames->size, "frames are lost");
}

/* One of many things that may happen at any moment. In: messages, some of which have ended. */
static void
disturb(struct fan_test_random *random, const fan_message_id *messages, unsigned message_count)
{
	struct fan_test_subscriber *subscriber =
		&order.side.subscribers[fan_test_random_below(random, order.side.subscriber_count)];
	const unsigned hop = fan_test_random_below(random, FAN_TEST_HOPS);

	switch (fan_test_random_below(random, 8)) {
	case 0:
		set_rate(hop, 1 + fan_test_random_below(random, 3000), 0);
		break;
	case 1:
		set_rate(hop, 0, fan_test_random_below(random, 2) * (2048 + fan_test_random_below(random, 300000)));
		break;
	case 2:
		cr_assert_eq(fan_next_hop_relay(fanfare, hop, fan_test_random_below(random, 2) * 500,
						fan_test_random_below(random, 60)),
			     0);
		break;
	case 3:
		if (message_count > 0 && fan_test_random_below(random, 4) == 0)
			(void)fan_message_cancel(fanfare, messages[fan_test_random_below(random, message_count)]);
		break;
	default:
		subscriber->ue.next_hop = (uint16_t)hop;
		cr_assert_eq(fan_ue_move(fanfare, subscriber->id, &subscriber->ue), 0, "%s", fan_error_detail());
	}
}

static void
take_any(void *user, const uint8_t *frame, size_t frame_bytes)
{
	(void)user;
	order.wrong += fan_test_side_receive(&order.side, frame, frame_bytes) != FAN_UE_ACCEPTED;
}

static fan_message_id
send_any(struct fan_test_random *random, struct fan_group *data, struct fan_group *sms)
{
	const bool parts = fan_test_random_below(random, 3) == 0;
	struct fan_message message;
	fan_message_id id;
	char text[200];

	memset(text, 'a', sizeof(text));
	fan_test_message(&message, text, parts ? sizeof(text) : 20);
	message.priority = (uint8_t)(fan_test_random_below(random, 4) == 0 ? FAN_PRIORITY_URGENT : 0);
	message.valid_for_ms = fan_test_random_below(random, 3) == 0 ? 1 + fan_test_random_below(random, 300) : 0;
	cr_assert_eq(fan_send(fanfare, &id, parts ? sms : data, &message, note_end, NULL), 0, "%s", fan_error_detail());
	return id;
}

/* Messages of all kinds, cancelled and expired, rates that change, relays that stop and UEs that move, over a port that is read now and then:
 * all messages end, every PDU is accounted for, UEs refuse nothing, and no token, frame or member is left over. */
Test(pacing, nothing_is_left_over_whatever_happens)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_test_appliance appliance;
	struct fan_group *data, *sms;
	fan_message_id messages[24];
	const double deadline = fan_test_now_s() + WAIT_SECONDS;
	unsigned message_count = 0;

	memset(&order, 0, sizeof(order));
	fan_test_side_open(&order.side, 3000);
	order.side.moves = true;
	fan_test_appliance_open(&appliance, &order.side, &(struct fan_options){ .workers = 2 });
	fanfare = appliance.fanfare;
	for (unsigned i = 0; i < 3000; i++) {
		struct fan_test_subscriber *subscriber = fan_test_subscribe(&order.side, FAN_KIND_EPS_NAS, 2, 2);

		subscriber->ue.ran_ue_id &= 0xffffff;
		subscriber->ue.bearer_id = 5;
		fan_test_provision(&appliance, subscriber);
	}
	data = fan_test_group(&appliance, GROUP, 0, 3000, FAN_PROFILE_EPS_NAS_NIDD);
	sms = fan_test_group(&appliance, "sms@pacing.example", 1000, 1500, FAN_PROFILE_EPS_NAS_SMS);
	ended = 0;
	for (unsigned turn = 0; message_count < RTE_DIM(messages) || ended < message_count; turn++) {
		disturb(&random, messages, message_count);
		if (message_count < RTE_DIM(messages) && turn % 40 == 0)
			messages[message_count++] = send_any(&random, data, sms);
		/* In the end nothing stands in the way. */
		for (unsigned hop = 0; turn > 2000 && hop < FAN_TEST_HOPS; hop++)
			set_rate(hop, 100000, 0);
		for (unsigned i = 0; i < 1 + turn / 1000; i++)
			(void)fan_loop_receive(fanfare, take_any, NULL, fan_test_random_below(&random, 64));
		cr_assert_geq(fan_poll(fanfare), 0);
		cr_assert_lt(fan_test_now_s(), deadline, "%u of %u messages ended", ended, message_count);
	}
	while (fan_loop_receive(fanfare, take_any, NULL, 64) > 0)
		;
	expect_nothing_left(FAN_TEST_HOPS);
	cr_assert_eq(order.wrong, 0, "UEs refuse %u PDUs", order.wrong);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&order.side);
}
