/* SPDX-License-Identifier: BSD-3-Clause */
#include "pace.h"

#include <assert.h>
#include <rte_common.h>
#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HOPS_BYTES (FAN_NEXT_HOPS_MAX * sizeof(struct fan_pace))
#define WINDOWS_A_SECOND 100.0
#define FRAME_OCTETS 2048    /* more than any frame has: a bucket has room for one */
#define DEFAULT_WINDOWS 2    /* whose PDUs or octets the depth is, unless it is given */
#define LEAST_DEPTH_PDUS 2   /* the same: one may go late without being lost */
#define LEAST_DEPTH_FRAMES 2 /* the same, of octets, beside what a window has */
#define DEPTH_SECONDS_MAX 10 /* and so many PDUs or frames, where the rate is low: more would be no pace */
#define DEPTHS_MAX 1000
#define JUST_BELOW_ONE 0.999 /* of a PDU: a depth of D lets the (D+1)th pass not quite */

static_assert(FAN_PACE_WINDOW_MS == 10, "a second has WINDOWS_A_SECOND of them");

int
fan_paces_make(struct fan_paces *paces)
{
	void *hops = mmap(NULL, HOPS_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	*paces = (struct fan_paces){ .hops = hops == MAP_FAILED ? NULL : hops, .paced = calloc(FAN_NEXT_HOPS_MAX, 1) };
	return paces->hops != NULL && paces->paced != NULL ? 0 : fan_fail(FAN_E_MEMORY, "no memory for the rates of next hops");
}

void
fan_paces_free(struct fan_paces *paces)
{
	if (paces->hops != NULL)
		munmap(paces->hops, HOPS_BYTES);
	free(paces->paced);
	*paces = (struct fan_paces){ .hops = NULL };
}

/* ---- Rates ------------------------------------------------------------------------------------------------------------------- */

/* What leaves in a window at a rate. */
static double
of_window(uint64_t per_s)
{
	return (double)per_s / WINDOWS_A_SECOND;
}

/* A depth that leaves no room for a token, beside those that come in the window itself, would make the rate a lower one. */
static int
check_depth(const char *what, uint64_t depth, uint64_t per_s, double room)
{
	const double least = of_window(per_s) + room;
	const double most = per_s == 0 ? 0 : (double)per_s * DEPTH_SECONDS_MAX + DEPTHS_MAX * room;

	if (depth == 0 || ((double)depth >= least && (double)depth <= most))
		return 0;
	if (per_s == 0)
		return fan_fail(FAN_E_INVALID, "depth_%s %llu: there is no rate of %s that it could bound", what,
				(unsigned long long)depth, what);
	if ((double)depth > most)
		return fan_fail(FAN_E_INVALID, "depth_%s %llu: at %llu a second it takes %.0f at most", what,
				(unsigned long long)depth, (unsigned long long)per_s, most);
	return fan_fail(FAN_E_INVALID, "depth_%s %llu: at %llu a second it takes %llu or more, or 0 for the usual", what,
			(unsigned long long)depth, (unsigned long long)per_s, (unsigned long long)(least + JUST_BELOW_ONE));
}

int
fan_pace_check(const struct fan_next_hop_rate *rate)
{
	int error;

	if (rate->pdus_per_s > FAN_RATE_PDUS_MAX)
		return fan_fail(FAN_E_INVALID, "pdus_per_s %llu: %d at most, or 0 for no limit",
				(unsigned long long)rate->pdus_per_s, FAN_RATE_PDUS_MAX);
	if (rate->octets_per_s > FAN_RATE_OCTETS_MAX || (rate->octets_per_s != 0 && rate->octets_per_s < FAN_RATE_OCTETS_MIN))
		return fan_fail(FAN_E_INVALID, "octets_per_s %llu: %d to %llu, or 0 for no limit",
				(unsigned long long)rate->octets_per_s, FAN_RATE_OCTETS_MIN,
				(unsigned long long)FAN_RATE_OCTETS_MAX);
	if (rate->urgent_percent > FAN_RATE_URGENT_MAX)
		return fan_fail(FAN_E_INVALID, "urgent_percent %u: %d at most", rate->urgent_percent, FAN_RATE_URGENT_MAX);
	error = check_depth("pdus", rate->depth_pdus, rate->pdus_per_s, 1.0);
	return error != 0 ? error : check_depth("octets", rate->depth_octets, rate->octets_per_s, FRAME_OCTETS);
}

static double
ticks_a_second(void)
{
	return (double)rte_get_tsc_hz() * FAN_PACE_TICKS;
}

/* In: tokens that a full bucket has, and how many of them urgent messages leave to others at the least. The bucket begins empty; what was owed
 * beyond its depth stays owed. */
static void
set_bucket(struct fan_bucket *bucket, uint64_t per_s, double tokens, double least, unsigned urgent_percent, uint64_t now)
{
	const double cost = per_s == 0 ? 0 : ticks_a_second() / (double)per_s;
	const double owed = bucket->cost > 0 && bucket->at > now + bucket->depth
				    ? (double)(bucket->at - now - bucket->depth) / bucket->cost
				    : 0;
	const double ordinary = RTE_MAX(tokens * (100 - urgent_percent) / 100, least);

	bucket->cost = cost;
	bucket->depth = (uint64_t)(tokens * cost);
	bucket->depth_ordinary = (uint64_t)(RTE_MIN(ordinary, tokens) * cost);
	bucket->at = now + bucket->depth + (uint64_t)(owed * cost);
}

static double
depth_of(uint64_t given, uint64_t per_s, double least)
{
	return given != 0 ? (double)given : RTE_MAX(DEFAULT_WINDOWS * of_window(per_s), least);
}

uint64_t
fan_pace_pdus_per_s(const struct fan_pace *pace)
{
	const uint64_t set = pace->rate.pdus_per_s;

	return pace->told && (set == 0 || pace->told_pdus_per_s < set) ? pace->told_pdus_per_s : set;
}

void
fan_pace_enforce(struct fan_paces *paces, unsigned hop, uint64_t now_tsc)
{
	struct fan_pace *pace = &paces->hops[hop];
	const struct fan_next_hop_rate *rate = &pace->rate;
	const uint64_t pdus_per_s = fan_pace_pdus_per_s(pace), octets_per_s = rate->octets_per_s;
	const uint64_t depth_given = pdus_per_s == rate->pdus_per_s ? rate->depth_pdus : 0;
	/* Whole PDUs: the bucket of a depth D is as deep as can be without a window that has D + 1. */
	const double pdus = (double)(uint64_t)depth_of(depth_given, pdus_per_s, LEAST_DEPTH_PDUS) + JUST_BELOW_ONE -
			    of_window(pdus_per_s);
	const double octets = depth_of(rate->depth_octets, octets_per_s,
				       of_window(octets_per_s) + LEAST_DEPTH_FRAMES * FRAME_OCTETS) -
			      of_window(octets_per_s);
	const unsigned urgent_percent = rate->struct_bytes != 0 ? rate->urgent_percent : FAN_RATE_URGENT;
	const bool paced = pace->told || pdus_per_s != 0 || octets_per_s != 0;

	set_bucket(&pace->pdus, pdus_per_s, pdus, 1, urgent_percent, now_tsc * FAN_PACE_TICKS);
	set_bucket(&pace->octets, octets_per_s, octets, FRAME_OCTETS, urgent_percent, now_tsc * FAN_PACE_TICKS);
	pace->stopped = pace->told && pace->told_pdus_per_s == 0;
	paces->paced_count += (unsigned)paced - paces->paced[hop];
	paces->paced[hop] = paced;
	pace->news = false;
}

/* ---- Tokens ------------------------------------------------------------------------------------------------------------------ */

/* The bucket is no fuller than it can be with so many tokens out. */
static uint64_t
earliest(const struct fan_bucket *bucket, uint64_t out, uint64_t now)
{
	return now + (uint64_t)((double)out * bucket->cost);
}

/* What is more than a bucket holds is let pass by a full one. */
static bool
take(struct fan_bucket *bucket, uint64_t tokens, bool urgent, uint64_t now)
{
	const uint64_t out = __atomic_fetch_add(&bucket->out, tokens, __ATOMIC_ACQ_REL);
	const uint64_t cost = (uint64_t)((double)tokens * bucket->cost + JUST_BELOW_ONE);
	const uint64_t depth = urgent ? bucket->depth : bucket->depth_ordinary, from_least = earliest(bucket, out, now);
	uint64_t at = __atomic_load_n(&bucket->at, __ATOMIC_ACQUIRE), from;

	if (cost == 0)
		return true;
	do {
		from = RTE_MAX(at, from_least);
		if (from + cost > now + depth && from != now) {
			__atomic_fetch_sub(&bucket->out, tokens, __ATOMIC_ACQ_REL);
			return false;
		}
	} while (!__atomic_compare_exchange_n(&bucket->at, &at, from + cost, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return true;
}

/* So many tokens are out no more, and of these some were not used. Time that they were out has not filled what they left. */
static void
let_in(struct fan_bucket *bucket, uint64_t tokens, uint64_t unused, uint64_t now)
{
	const uint64_t least = earliest(bucket, __atomic_load_n(&bucket->out, __ATOMIC_ACQUIRE), now);
	const uint64_t spare = (uint64_t)((double)unused * bucket->cost);
	uint64_t at = __atomic_load_n(&bucket->at, __ATOMIC_ACQUIRE), next;

	do
		next = RTE_MAX(at, least) - spare;
	while (next != at && !__atomic_compare_exchange_n(&bucket->at, &at, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	__atomic_fetch_sub(&bucket->out, tokens, __ATOMIC_ACQ_REL);
}

bool
fan_pace_take(struct fan_pace *pace, struct fan_tokens tokens, bool urgent, uint64_t now_tsc)
{
	const uint64_t now = now_tsc * FAN_PACE_TICKS;

	if (pace->stopped || !take(&pace->pdus, tokens.pdus, urgent, now))
		return false;
	if (take(&pace->octets, tokens.octets, urgent, now))
		return true;
	let_in(&pace->pdus, tokens.pdus, tokens.pdus, now);
	return false;
}

void
fan_pace_leave(struct fan_pace *pace, unsigned octets, unsigned octets_spare, uint64_t now_tsc)
{
	const uint64_t now = now_tsc * FAN_PACE_TICKS;

	let_in(&pace->pdus, 1, 0, now);
	let_in(&pace->octets, octets, octets_spare, now);
	__atomic_fetch_add(&pace->pdus_left, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&pace->octets_left, octets - octets_spare, __ATOMIC_RELAXED);
}

void
fan_pace_give_back(struct fan_pace *pace, struct fan_tokens tokens, uint64_t now_tsc)
{
	const uint64_t now = now_tsc * FAN_PACE_TICKS;

	let_in(&pace->pdus, tokens.pdus, tokens.pdus, now);
	let_in(&pace->octets, tokens.octets, tokens.octets, now);
}
