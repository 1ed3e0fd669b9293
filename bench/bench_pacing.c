/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Does a next hop that has a rate hold up the others? One group has all UEs, which belong to the next hops in turn. A message goes to it, first with no
 * rates, then with some next hops so slow that their members wait for seconds; the others have no rate. Meanwhile a second message goes to a thousand
 * UEs of the others. Times are taken where frames are handed to the port, which throws them away.
 *
 *	bench_pacing [engine=auto] [hops=1000] [ues=1000000] [pdus_per_s=100] [rounds=5] [bytes=100] [workers=1] [eal=ARGUMENT]..
 *
 * Prints a JSON object for each number of next hops with a rate: a tenth, a half, all but one. Of the rounds' medians, in ms: `free`, from fan_send() to the last
 * frame of a member whose next hop has no rate; `free_alone`, the same of the same members when no next hop has one; `ratio`, of a round's two, its
 * median; `second` and `second_alone`, a message to UEs of next hops without a rate, while members of the first wait, and with nothing else. `rate` is what
 * next hops with a rate got in the second from the first frame on, over what they may have: their median, lowest and highest; the depth of their
 * buckets, a fiftieth, comes on top.
 */
#include "../host-api/appliance/appliance.h"
#include "arguments.h"
#include "keys.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOPS_MAX 10000
#define SECOND_UES 1000
#define ROUNDS_MAX 20
#define EAL_ARGUMENTS_MAX 8
#define ADDRESS_AT 30 /* of the IPv4 destination in a frame */

struct options {
	const char *engine;
	unsigned long hops, ues, pdus_per_s, rounds, bytes, workers;
	const char *eal[EAL_ARGUMENTS_MAX + 1];
	unsigned eal_count;
};

/* What leaves: of any worker. The control thread sets it back while nothing does. */
static struct {
	unsigned free_hops; /* next hops below it have no rate */
	uint64_t free_count, last_free_tsc;
	uint64_t begin_tsc, second_tsc; /* of a second from the first frame */
	uint32_t in_second[HOPS_MAX];   /* by next hop */
} seen;

static struct {
	struct fanfare *fanfare;
	struct fan_group *all, *second;
	struct fan_message message;
	unsigned long free_members; /* of the group of all */
} bench;

static unsigned ended;

static uint16_t
see(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t frame_count, void *user)
{
	const uint64_t now_tsc = rte_rdtsc();

	(void)port;
	(void)queue;
	(void)user;
	for (uint16_t i = 0; i < frame_count; i++) {
		const uint8_t *address = rte_pktmbuf_mtod_offset(frames[i], const uint8_t *, ADDRESS_AT);
		const unsigned hop = (unsigned)(address[2] << 8 | address[3]);

		if (hop < seen.free_hops) {
			__atomic_fetch_add(&seen.free_count, 1, __ATOMIC_RELAXED);
			__atomic_store_n(&seen.last_free_tsc, now_tsc, __ATOMIC_RELAXED);
		} else if (now_tsc < seen.second_tsc)
			__atomic_fetch_add(&seen.in_second[hop], 1, __ATOMIC_RELAXED);
	}
	return frame_count;
}

static void
must(int error)
{
	if (error >= 0)
		return;
	fprintf(stderr, "bench_pacing: %s: %s\n", fan_error_name(error), fan_error_detail());
	exit(EXIT_FAILURE);
}

static void
count_end(void *user, const struct fan_result *result, const struct fan_outcome *outcome)
{
	(void)user;
	(void)result;
	(void)outcome;
	ended++;
}

/* Control may share a CPU with a worker: it sleeps rather than spins. */
static void
poll_once(void)
{
	const struct timespec nap = { .tv_nsec = 100000 };

	(void)fan_poll(bench.fanfare);
	nanosleep(&nap, NULL);
}

static double
ms_since(uint64_t tsc, uint64_t begin_tsc)
{
	return (double)(tsc - begin_tsc) * 1000 / (double)rte_get_tsc_hz();
}

/* ---- What there is ---------------------------------------------------------------------------------------------------------- */

static void
add_hops(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		const struct fan_next_hop relay = { .struct_bytes = sizeof(struct fan_next_hop),
						    .ethernet = { 2, 0, 0, 0, 0, 1 },
						    .address = { 198, 51, (uint8_t)(i >> 8), (uint8_t)i } };

		must(fan_next_hop_add(bench.fanfare, &relay));
	}
}

static void
add_ues(const struct options *options)
{
	uint64_t state = 1;

	must(fan_ue_reserve(bench.fanfare, FAN_KIND_NR_PDCP_18, 2, 2, options->ues));
	must(fan_group_create(bench.fanfare, &bench.all, "all@example.org"));
	must(fan_group_create(bench.fanfare, &bench.second, "second@example.org"));
	for (unsigned long i = 0, taken = 0; i < options->ues; i++) {
		struct fan_ue ue = { .struct_bytes = sizeof(struct fan_ue),
				     .kind = FAN_KIND_NR_PDCP_18,
				     .cipher = 2,
				     .integrity = 2,
				     .count = 1,
				     .count_reserved = 1 << 20,
				     .ue = (uint32_t)i,
				     .next_hop = (uint16_t)(i % options->hops),
				     .teid = (uint32_t)i + 1 };
		fan_context_id id;

		fan_keys_next(ue.k_enc, ue.k_int, &state);
		must(fan_ue_add(bench.fanfare, &id, &ue));
		must(fan_group_add_range(bench.all, id, 1, FAN_PROFILE_NR_PDCP_18));
		/* Of the first next hop, which never has a rate. */
		if (ue.next_hop == 0 && taken < SECOND_UES) {
			must(fan_group_add_range(bench.second, id, 1, FAN_PROFILE_NR_PDCP_18));
			taken++;
		}
	}
}

static void
set_rates(unsigned long hops, unsigned long paced, uint64_t pdus_per_s)
{
	for (unsigned long i = hops - paced; i < hops; i++) {
		struct fan_next_hop_rate rate;

		fan_next_hop_rate_init(&rate);
		rate.pdus_per_s = pdus_per_s;
		must(fan_next_hop_rate(bench.fanfare, (unsigned)i, &rate));
	}
}

/* ---- What is measured -------------------------------------------------------------------------------------------------------- */

/* Sends, and waits until `count` frames have left for next hops without a rate. Returns the ms to the last of them. */
static double
send_and_see(fan_message_id *id, struct fan_group *group, unsigned long count)
{
	uint64_t begin_tsc;

	seen.free_count = 0;
	begin_tsc = rte_rdtsc();
	if (group == bench.all) {
		seen.begin_tsc = begin_tsc;
		seen.second_tsc = begin_tsc + rte_get_tsc_hz();
		memset(seen.in_second, 0, sizeof(seen.in_second));
	}
	must(fan_send(bench.fanfare, id, group, &bench.message, count_end, NULL));
	while (__atomic_load_n(&seen.free_count, __ATOMIC_RELAXED) < count)
		poll_once();
	return ms_since(__atomic_load_n(&seen.last_free_tsc, __ATOMIC_RELAXED), begin_tsc);
}

static void
wait_for_ends(unsigned count)
{
	while (ended < count)
		poll_once();
	ended = 0;
}

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double
median(double *values, unsigned long count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

struct figures {
	double alone[ROUNDS_MAX], free[ROUNDS_MAX], ratio[ROUNDS_MAX], second_alone[ROUNDS_MAX], second[ROUNDS_MAX];
	double rates[HOPS_MAX]; /* of the last round, over what was asked for */
};

static void
measure_round(struct figures *figures, unsigned long round, const struct options *options, unsigned long paced)
{
	const unsigned long second = fan_group_size(bench.second);
	fan_message_id first;
	int error;

	set_rates(options->hops, paced, 0);
	figures->alone[round] = send_and_see(NULL, bench.all, bench.free_members);
	wait_for_ends(1);
	figures->second_alone[round] = send_and_see(NULL, bench.second, second);
	wait_for_ends(1);
	set_rates(options->hops, paced, options->pdus_per_s);
	figures->free[round] = send_and_see(&first, bench.all, bench.free_members);
	figures->second[round] = send_and_see(NULL, bench.second, second);
	while (rte_rdtsc() < seen.second_tsc)
		poll_once();
	error = fan_message_cancel(bench.fanfare, first);
	must(error == FAN_E_NOT_FOUND ? 0 : error); /* few members: it has ended */
	wait_for_ends(2);
	figures->ratio[round] = figures->free[round] / figures->alone[round];
}

static void
measure(const struct options *options, unsigned long paced)
{
	static struct figures figures;

	seen.free_hops = (unsigned)(options->hops - paced);
	bench.free_members = options->ues / options->hops * seen.free_hops;
	for (unsigned long round = 0; round < options->rounds; round++)
		measure_round(&figures, round, options, paced);
	for (unsigned long i = 0; i < paced; i++)
		figures.rates[i] = (double)seen.in_second[seen.free_hops + i] / (double)options->pdus_per_s;
	printf("{\"hops\": %lu, \"paced\": %lu, \"pdus_per_s\": %lu, \"free_members\": %lu, \"rounds\": %lu, ", options->hops,
	       paced, options->pdus_per_s, bench.free_members, options->rounds);
	printf("\"free_alone\": %.2f, \"free\": %.2f, \"ratio\": %.3f, \"second_alone\": %.2f, \"second\": %.2f, ",
	       median(figures.alone, options->rounds), median(figures.free, options->rounds),
	       median(figures.ratio, options->rounds), median(figures.second_alone, options->rounds),
	       median(figures.second, options->rounds));
	printf("\"rate\": {\"median\": %.3f, ", median(figures.rates, paced));
	printf("\"lowest\": %.3f, \"highest\": %.3f}}\n", figures.rates[0], figures.rates[paced - 1]);
}

static bool
parse_option(struct options *options, const char *argument)
{
	return fan_argument_engine(&options->engine, argument) ||
	       fan_argument_eal(options->eal, &options->eal_count, EAL_ARGUMENTS_MAX, argument) ||
	       fan_argument_number(&options->hops, argument, "hops", 10, HOPS_MAX) ||
	       fan_argument_number(&options->ues, argument, "ues", 1000, 100000000) ||
	       fan_argument_number(&options->pdus_per_s, argument, "pdus_per_s", 1, 1000000) ||
	       fan_argument_number(&options->rounds, argument, "rounds", 1, ROUNDS_MAX) ||
	       fan_argument_number(&options->bytes, argument, "bytes", 1, 1200) ||
	       fan_argument_number(&options->workers, argument, "workers", 1, 8);
}

int
main(int argc, char **argv)
{
	struct options options = {
		.engine = "auto", .hops = 1000, .ues = 1000000, .pdus_per_s = 100, .rounds = 5, .bytes = 100, .workers = 1
	};
	struct fan_options appliance = { .struct_bytes = sizeof(struct fan_options),
					 .program = "bench_pacing",
					 .egress = "net_null" };
	static uint8_t text[1200];
	uint16_t port;

	for (int i = 1; i < argc; i++)
		if (!parse_option(&options, argv[i])) {
			fprintf(stderr,
				"bench_pacing: cannot use \"%s\"\n"
				"usage: bench_pacing [engine=NAME] [hops=10..10000] [ues=N] [pdus_per_s=N] [rounds=1..20] [bytes=1..1200] [workers=1..8] [eal=ARGUMENT]..\n",
				argv[i]);
			return EXIT_FAILURE;
		}
	options.ues -= options.ues % options.hops;
	appliance.engines = options.engine;
	appliance.workers = (unsigned)options.workers;
	appliance.eal = options.eal;
	must(fan_open(&bench.fanfare, &appliance));
	port = (uint16_t)rte_eth_find_next(0);
	for (unsigned long queue = 0; queue < options.workers; queue++)
		if (rte_eth_add_tx_callback(port, (uint16_t)queue, see, NULL) == NULL) {
			fprintf(stderr, "bench_pacing: the port calls nobody back\n");
			return EXIT_FAILURE;
		}
	fan_message_init(&bench.message, text, options.bytes);
	add_hops(options.hops);
	add_ues(&options);
	measure(&options, options.hops / 10);
	measure(&options, options.hops / 2);
	measure(&options, options.hops - 1);
	return fan_close(bench.fanfare) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
