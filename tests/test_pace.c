/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Buckets under a clock of the test's own: what leaves in any window, whatever is waited for between the taking of a token and the port.
 */
#include "../dataplane/eal.h"
#include "../dataplane/pace.h"
#include "batch.h"

#include <criterion/criterion.h>
#include <rte_common.h>
#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>

#define DEPARTURES_MAX 400000
#define HOP 7
#define FRAME 200 /* octets */

static struct fan_paces paces;
static struct fan_pace *pace;
static uint64_t now, ms;
static uint64_t departure[DEPARTURES_MAX];
static unsigned departure_count;

static void
set_up(void)
{
	cr_assert_eq(fan_eal_start("test_pace", 1, NULL), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_paces_make(&paces), 0);
	pace = &paces.hops[HOP];
	ms = rte_get_tsc_hz() / 1000;
	now = 1000000 * ms;
	departure_count = 0;
}

static void
tear_down(void)
{
	fan_paces_free(&paces);
}

TestSuite(pace, .init = set_up, .fini = tear_down, .timeout = 60);

static void
set_rate(uint64_t pdus_per_s, uint64_t octets_per_s, uint64_t depth_pdus, uint8_t urgent_percent)
{
	fan_next_hop_rate_init(&pace->rate);
	pace->rate.pdus_per_s = pdus_per_s;
	pace->rate.octets_per_s = octets_per_s;
	pace->rate.depth_pdus = depth_pdus;
	pace->rate.urgent_percent = urgent_percent;
	cr_assert_eq(fan_pace_check(&pace->rate), 0, "%s", fan_error_detail());
	fan_pace_enforce(&paces, HOP, now);
}

static bool
take(unsigned pdus, bool urgent)
{
	return fan_pace_take(pace, (struct fan_tokens){ pdus, (uint64_t)pdus * FRAME }, urgent, now);
}

static void
leave(unsigned pdus)
{
	for (unsigned i = 0; i < pdus; i++) {
		fan_pace_leave(pace, FRAME, 0, now);
		cr_assert_lt(departure_count, DEPARTURES_MAX);
		departure[departure_count++] = now;
	}
}

/* The most departures in any window of that length. */
static unsigned
most_within(uint64_t window)
{
	unsigned most = 0;

	for (unsigned first = 0, end = 0; end < departure_count; end++) {
		while (departure[end] - departure[first] >= window)
			first++;
		most = RTE_MAX(most, end - first + 1);
	}
	return most;
}

static void
expect_windows(unsigned depth, unsigned per_s)
{
	const double second = per_s + depth - per_s / 100.0;

	cr_assert_leq(most_within(10 * ms), depth, "%u in 10 ms of a depth of %u", most_within(10 * ms), depth);
	cr_assert_leq(most_within(1000 * ms), second + 1, "%u in a second", most_within(1000 * ms));
}

/* A clock that goes on by up to so many microseconds a step, and takes whatever there is. */
static void
run_greedy(struct fan_test_random *random, unsigned seconds, unsigned step_us)
{
	const uint64_t end = now + seconds * 1000 * ms;

	while (now < end) {
		now += ms * (1 + fan_test_random_below(random, step_us)) / 1000;
		while (take(1, true))
			leave(1);
	}
}

Test(pace, no_window_has_more_than_its_depth_and_no_second_less_than_the_rate)
{
	static const struct {
		unsigned per_s, depth_given, depth;
	} rows[] = { { 100, 0, 2 },    { 149, 0, 2 },     { 333, 0, 6 },      { 1000, 0, 20 },
		     { 1000, 11, 11 }, { 10000, 0, 200 }, { 50000, 600, 600 } };
	struct fan_test_random random = { 1 };

	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		departure_count = 0;
		set_rate(rows[i].per_s, 0, rows[i].depth_given, 20);
		run_greedy(&random, 4, 300);
		expect_windows(rows[i].depth, rows[i].per_s);
		cr_assert_geq(departure_count, 4 * rows[i].per_s * 0.98 - 2, "row %zu: %u", i, departure_count);
	}
}

Test(pace, a_second_has_the_rate_within_two_percent_from_300_pdus_on)
{
	static const unsigned rates[] = { 300, 1000, 20000 };
	struct fan_test_random random = { 2 };

	for (size_t i = 0; i < RTE_DIM(rates); i++) {
		departure_count = 0;
		set_rate(rates[i], 0, 0, 20);
		run_greedy(&random, 3, 250);
		cr_assert_leq(most_within(1000 * ms), rates[i] * 1.02);
		for (unsigned at = 0; at + rates[i] < departure_count; at += 50)
			cr_assert_leq(departure[at + (unsigned)(rates[i] * 0.98)] - departure[at], 1000 * ms,
				      "fewer than 98 %% of %u in a second", rates[i]);
	}
}

Test(pace, octets_are_bounded_as_pdus_are)
{
	struct fan_test_random random = { 3 };

	set_rate(0, FRAME * 5000, 0, 0);
	run_greedy(&random, 3, 300);
	/* 20 ms have 100 frames; the least depth is 2 x 2,048 octets beside the 10,000 of 10 ms, which is less. */
	expect_windows(100, 5000);
	cr_assert_geq(departure_count, 3 * 5000 * 0.98);
}

/* What stands between taking and leaving does not fill the bucket a second time: with a stall of a second the frames held leave at once, and with
 * what follows they are no more than the depth. */
Test(pace, tokens_that_are_out_are_not_filled_up_meanwhile)
{
	struct fan_test_random random = { 4 };
	const unsigned per_s = 2000, depth = 40;

	set_rate(per_s, 0, 0, 20);
	for (unsigned round = 0; round < 200; round++) {
		const uint64_t end = now + ms * (1 + fan_test_random_below(&random, 100));
		unsigned held = 0;

		while (now < end) {
			now += ms / 5;
			while (take(1, true))
				held++;
		}
		leave(held);
	}
	expect_windows(depth, per_s);
	cr_assert_gt(departure_count, 1000);
}

Test(pace, what_does_not_leave_gives_its_tokens_back)
{
	unsigned taken = 0, again = 0;

	set_rate(1000, FRAME * 1000, 0, 0);
	now += 1000 * ms;
	while (take(1, false))
		taken++;
	cr_assert_gt(taken, 5);
	for (unsigned i = 0; i < taken; i++)
		fan_pace_give_back(pace, (struct fan_tokens){ 1, FRAME }, now);
	cr_assert_eq(pace->pdus.out + pace->octets.out, 0);
	while (take(1, false))
		again++;
	cr_assert_eq(again, taken);
	leave(again);
	cr_assert(pace->pdus.out == 0 && pace->octets.out == 0 && pace->pdus_left == again &&
		  pace->octets_left == again * FRAME);
}

/* A shorter frame than tokens were taken for. */
Test(pace, octets_that_a_frame_did_not_need_come_back)
{
	unsigned plain = 0, spared = 0;

	for (unsigned half = 0; half < 2; half++) {
		set_rate(0, 100000, 0, 0);
		for (unsigned i = 0; i < 4000; i++, now += ms / 4)
			while (take(1, true)) {
				fan_pace_leave(pace, FRAME, half * FRAME / 2, now);
				(*(half != 0 ? &spared : &plain))++;
			}
	}
	cr_assert(plain >= 490 && plain <= 520, "%u", plain);
	cr_assert(spared >= 980 && spared <= 1040, "%u", spared);
}

Test(pace, a_pdu_that_finds_no_octets_takes_no_token_of_the_other_bucket)
{
	unsigned taken = 0;

	set_rate(10000, 2048, 0, 0);
	now += 10000 * ms;
	while (take(1, false))
		taken++;
	cr_assert_gt(taken, 5);
	for (unsigned i = 0; i < 1000; i++)
		cr_assert_not(take(1, false));
	cr_assert_eq(pace->pdus.out, taken);
	cr_assert_leq(pace->pdus.at, (now + 20 * ms) * FAN_PACE_TICKS, "the bucket of PDUs is not emptied by them");
}

Test(pace, others_leave_the_urgent_share_and_get_the_whole_rate)
{
	unsigned ordinary = 0, urgent = 0;
	struct fan_test_random random = { 5 };

	set_rate(10000, 0, 0, 50);
	now += 1000 * ms;
	while (take(1, false))
		ordinary++;
	while (take(1, true))
		urgent++;
	cr_assert(ordinary >= 49 && ordinary <= 51 && urgent >= 49 && urgent <= 51, "%u, %u", ordinary, urgent);
	leave(ordinary + urgent);
	departure_count = 0;
	for (const uint64_t end = now + 2000 * ms; now < end; now += ms * (1 + fan_test_random_below(&random, 300)) / 1000)
		while (take(1, false))
			leave(1);
	cr_assert_geq(departure_count, 2 * 10000 * 0.98);
}

Test(pace, a_message_of_more_parts_than_the_depth_goes_alone_and_is_made_good)
{
	set_rate(100, 0, 0, 20);
	now += 1000 * ms;
	cr_assert(take(7, false), "the bucket is full");
	leave(7);
	for (unsigned i = 0; i < 6; i++, now += 10 * ms)
		cr_assert_not(take(7, false) || take(1, false), "after %u0 ms", i);
	now += 10 * ms;
	cr_assert(take(1, false));
	cr_assert_not(take(7, false), "the bucket is not full");
}

Test(pace, a_change_never_lets_more_leave_than_either_rate)
{
	for (unsigned i = 0; i < 100; i++) {
		set_rate(i % 2 == 0 ? 1000 : 500, 0, 0, 20);
		for (const uint64_t end = now + 7 * ms; now < end; now += ms / 10)
			while (take(1, true))
				leave(1);
	}
	cr_assert_leq(most_within(10 * ms), 20);
	cr_assert_gt(departure_count, 200, "a bucket that begins empty fills all the same");
}

Test(pace, the_lower_of_rate_and_relays_word_is_in_force)
{
	set_rate(1000, 0, 0, 20);
	pace->told = true;
	pace->told_pdus_per_s = 5000;
	cr_assert_eq(fan_pace_pdus_per_s(pace), 1000);
	pace->told_pdus_per_s = 10;
	cr_assert_eq(fan_pace_pdus_per_s(pace), 10);
	pace->told_pdus_per_s = 0;
	fan_pace_enforce(&paces, HOP, now);
	cr_assert(pace->stopped && paces.paced[HOP] && paces.paced_count == 1);
	now += 60000 * ms;
	cr_assert_not(take(1, true));
	pace->told = false;
	fan_pace_enforce(&paces, HOP, now);
	now += 1000 * ms;
	cr_assert(take(1, true));
	pace->rate.pdus_per_s = 0;
	fan_pace_enforce(&paces, HOP, now);
	cr_assert(paces.paced_count == 0 && !paces.paced[HOP]);
}

Test(pace, a_rate_that_cannot_be_is_refused)
{
	static const struct {
		struct fan_next_hop_rate rate;
		const char *says; /* NULL: it can be */
	} rows[] = {
		{ { .pdus_per_s = 1 }, NULL },
		{ { .pdus_per_s = FAN_RATE_PDUS_MAX, .octets_per_s = FAN_RATE_OCTETS_MAX }, NULL },
		{ { .pdus_per_s = FAN_RATE_PDUS_MAX + UINT64_C(1) }, "pdus_per_s 100000001" },
		{ { .octets_per_s = FAN_RATE_OCTETS_MIN - 1 }, "octets_per_s 2047" },
		{ { .octets_per_s = FAN_RATE_OCTETS_MAX + 1 }, "octets_per_s" },
		{ { .urgent_percent = 90 }, NULL },
		{ { .urgent_percent = 91 }, "urgent_percent 91" },
		{ { .pdus_per_s = 1000, .depth_pdus = 11 }, NULL },
		{ { .pdus_per_s = 1000, .depth_pdus = 10 }, "depth_pdus 10: at 1000 a second it takes 11 or more" },
		{ { .pdus_per_s = 1000, .depth_pdus = 11001 }, "depth_pdus 11001" },
		{ { .depth_pdus = 5 }, "depth_pdus 5: there is no rate" },
		{ { .octets_per_s = 100000, .depth_octets = 3047 }, "depth_octets 3047" },
		{ { .octets_per_s = 100000, .depth_octets = 3048 }, NULL },
	};

	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		const int error = fan_pace_check(&rows[i].rate);

		cr_assert_eq(error, rows[i].says == NULL ? 0 : FAN_E_INVALID, "row %zu: %s", i, fan_error_detail());
		if (rows[i].says != NULL)
			cr_assert_not_null(strstr(fan_error_detail(), rows[i].says), "row %zu: %s", i, fan_error_detail());
	}
}
