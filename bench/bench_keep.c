/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What does it cost to keep COUNTs and messages on the disk? One group of all UEs is sent messages back to back, some in flight at a time, to
 * a port that throws them away: by an appliance that keeps nothing and by one with a store, in turns in one run. Each message moves every
 * COUNT by one, so that marks are raised with every fourth message and every block rests with every sixteenth.
 *
 *	bench_keep DIR [ues=1000000] [messages=192] [rounds=5] [bytes=160] [engine=auto] [workers=1] [eal=ARGUMENT]..
 *
 * DIR: an empty folder on the file system that is to be measured, of mode 0700. Prints one JSON object; `ratio` is the median of the rounds'
 * UEs a second with a store over those without. A CPU that answers the disk's interrupts (/proc/interrupts) is none for a worker: with two,
 * eal=--lcores=0@1,1@0 exchanges them.
 */
#include "../host-api/appliance/appliance.h"
#include "arguments.h"
#include "keys.h"
#include "slices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define IN_FLIGHT 4
#define ROUNDS_MAX 32
#define EAL_ARGUMENTS_MAX 16

struct options {
	const char *directory, *engine;
	unsigned long ues, messages, rounds, bytes, workers;
	const char *eal[EAL_ARGUMENTS_MAX + 1];
	unsigned eal_count;
};

static unsigned long ended, sent;
static double cycles_per_ue; /* of workers, while they are at work */

static void
must(int error)
{
	if (error >= 0)
		return;
	fprintf(stderr, "bench_keep: %s: %s\n", fan_error_name(error), fan_error_detail());
	exit(EXIT_FAILURE);
}

static void
count_message(void *user, const struct fan_result *result, const struct fan_outcome *outcome)
{
	(void)user;
	(void)outcome;
	ended++;
	sent += result->sent;
}

/* Out: the group of all UEs. They are in the store already but for the first time. */
static struct fan_group *
populate(struct fanfare *fanfare, const struct options *options)
{
	struct fan_next_hop gnb;
	struct fan_group *group = fan_group_find(fanfare, "all@example.org");
	uint64_t state = 1;
	fan_context_id first = 0, id;

	if (group != NULL)
		return group;
	fan_next_hop_init(&gnb);
	memcpy(gnb.ethernet, (const uint8_t[]){ 2, 0, 0, 0, 0, 1 }, 6);
	memcpy(gnb.address, (const uint8_t[]){ 198, 51, 100, 1 }, 4);
	must(fan_begin(fanfare));
	must(fan_next_hop_add(fanfare, &gnb));
	for (unsigned long i = 0; i < options->ues; i++) {
		struct fan_ue ue;
		char identity[32];

		fan_ue_init(&ue, FAN_KIND_NR_PDCP_18);
		fan_keys_next(ue.k_enc, ue.k_int, &state);
		(void)snprintf(identity, sizeof(identity), "00101%010lu", i);
		ue.cipher = ue.integrity = 2;
		ue.count_reserved = UINT32_MAX;
		ue.teid = (uint32_t)i + 1;
		ue.identity = identity;
		must(fan_ue_add(fanfare, &id, &ue));
		first = i == 0 ? id : first;
	}
	must(fan_commit(fanfare));
	must(fan_group_create(fanfare, &group, "all@example.org"));
	must(fan_group_add_range(group, first, options->ues, FAN_PROFILE_NR_PDCP_18));
	return group;
}

/* Sends all messages. Returns UEs a second. */
static double
measure(const struct options *options, struct fan_options *appliance)
{
	const struct timespec nap = { .tv_nsec = 200000 };
	static uint8_t text[1200];
	struct fan_message message;
	struct fanfare *fanfare;
	struct fan_group *group;
	struct fan_totals totals;
	unsigned long given = 0;
	double begin;

	must(fan_open(&fanfare, appliance));
	group = populate(fanfare, options);
	fan_message_init(&message, text, options->bytes);
	ended = sent = 0;
	begin = fan_slices_now_s();
	while (ended < options->messages) {
		while (given < options->messages && given - ended < IN_FLIGHT) {
			must(fan_send(fanfare, NULL, group, &message, count_message, NULL));
			given++;
		}
		must(fan_poll(fanfare));
		nanosleep(&nap, NULL);
	}
	begin = fan_slices_now_s() - begin;
	fan_totals_read(fanfare, &totals);
	cycles_per_ue = (double)totals.busy_cycles / (double)sent;
	must(fan_close(fanfare));
	if (sent != options->ues * options->messages) {
		fprintf(stderr, "bench_keep: %lu of %lu PDUs were sent\n", sent, options->ues * options->messages);
		exit(EXIT_FAILURE);
	}
	return (double)sent / begin;
}

static int
compare(const void *a, const void *b)
{
	const double one = *(const double *)a, other = *(const double *)b;

	return one < other ? -1 : one > other;
}

static void
run(const struct options *options)
{
	static char store[4096], key[4096];
	struct fan_options without, with;
	double ratio[ROUNDS_MAX], cycles[2] = { 0 }, bare = 0, kept = 0;
	FILE *file;

	(void)snprintf(store, sizeof(store), "%s/store", options->directory);
	(void)snprintf(key, sizeof(key), "%s/kek", options->directory);
	file = fopen(key, "we");
	if (file == NULL || fchmod(fileno(file), 0600) != 0 || fputs("0123456789abcdef0123456789abcdef", file) == EOF ||
	    fclose(file) != 0) {
		fprintf(stderr, "bench_keep: %s: %s\n", key, strerror(errno));
		exit(EXIT_FAILURE);
	}
	fan_options_init(&without);
	without.egress = "net_null";
	without.engines = options->engine;
	without.workers = (unsigned)options->workers;
	without.eal = options->eal;
	with = without;
	with.store = store;
	with.store_key_file = key;
	with.store_create = true;
	for (unsigned long i = 0; i < options->rounds; i++) {
		bare = measure(options, &without);
		cycles[0] = cycles_per_ue;
		kept = measure(options, &with);
		cycles[1] = cycles_per_ue;
		ratio[i] = kept / bare;
	}
	qsort(ratio, options->rounds, sizeof(ratio[0]), compare);
	printf("{\"ues\": %lu, \"messages\": %lu, \"rounds\": %lu, \"ues_per_s_without\": %.0f, \"ues_per_s_with\": %.0f, "
	       "\"cycles_per_ue_without\": %.1f, \"cycles_per_ue_with\": %.1f, "
	       "\"ratio\": %.3f}\n",
	       options->ues, options->messages, options->rounds, bare, kept, cycles[0], cycles[1], ratio[options->rounds / 2]);
}

int
main(int argc, char **argv)
{
	struct options options = { .ues = 1000000, .messages = 192, .rounds = 5, .bytes = 160, .workers = 1 };

	if (argc < 2) {
		fprintf(stderr, "usage: bench_keep DIR [ues=N] [messages=N] [rounds=1..32] [bytes=1..1200] [engine=NAME] "
				"[workers=1..8] [eal=ARGUMENT]..\n");
		return EXIT_FAILURE;
	}
	options.directory = argv[1];
	for (int i = 2; i < argc; i++) {
		if (!fan_argument_engine(&options.engine, argv[i]) &&
		    !fan_argument_eal(options.eal, &options.eal_count, EAL_ARGUMENTS_MAX, argv[i]) &&
		    !fan_argument_number(&options.ues, argv[i], "ues", 1, 100000000) &&
		    !fan_argument_number(&options.messages, argv[i], "messages", 1, 50000) &&
		    !fan_argument_number(&options.rounds, argv[i], "rounds", 1, ROUNDS_MAX) &&
		    !fan_argument_number(&options.bytes, argv[i], "bytes", 1, 1200) &&
		    !fan_argument_number(&options.workers, argv[i], "workers", 1, 8)) {
			fprintf(stderr, "bench_keep: cannot use \"%s\"\n", argv[i]);
			return EXIT_FAILURE;
		}
	}
	run(&options);
	return EXIT_SUCCESS;
}
