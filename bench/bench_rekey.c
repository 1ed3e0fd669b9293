/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long does it take to give a group a new key? From fan_group_key_rotate() to the last frame at a port that throws them away: the key is made,
 * and one message with its entry goes to every member under its own NAS context, whose COUNT is noted; and in turns with it the same number of
 * UEs get an entry of that length protected one at a time on OpenSSL, which makes no frames and sends nothing.
 *
 *	bench_rekey [engine=auto] [ues=1000000] [rounds=5] [workers=1] [eal=ARGUMENT]..
 *
 * DOWNLINK GENERIC NAS TRANSPORT, EEA2 and EIA2. Prints one JSON object: the best and the median round of both, in seconds; of the fan-out by
 * the clock, and what the workers were busy.
 */
#include "../host-api/appliance/appliance.h"
#include "../host-api/keys/group_key.h"
#include "arguments.h"
#include "keys.h"
#include "one_at_a_time.h"
#include "slices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GID "C0DE0001-262-01-ABCD"
#define ROUNDS_MAX 100
#define EAL_ARGUMENTS_MAX 8
#define NAS_BYTES 5 /* before the entry: discriminator, message type, container type, length */
#define PACKETS 256
#define PACKET_STRIDE 1856
#define PACKET_OFFSET 208

struct options {
	const char *engine;
	unsigned long ues, rounds, workers;
	const char *eal[EAL_ARGUMENTS_MAX + 1];
	unsigned eal_count;
};

struct rounds {
	double clock_s[ROUNDS_MAX], busy_s[ROUNDS_MAX], openssl_s[ROUNDS_MAX];
};

/* Out: message[], as EPS members get it: NAS_BYTES, then the entry. Returns the octets of the entry, or an error. */
static int
make_entry(uint8_t *message)
{
	static const uint8_t master[32] = { 1 };
	struct fan_group_entry entry = {
		.key = { .gki = 1, .cipher = 2, .integrity = 2, .tag_bytes = FAN_GROUP_TAG_BYTES, .duration_min = 60 }
	};
	int octet_count = fan_group_gid_write(&entry.key.gid, GID);

	if (octet_count == 0)
		octet_count = fan_group_key_derive(&entry.key, master, sizeof(master));
	if (octet_count == 0)
		octet_count = fan_group_entry_write(message + NAS_BYTES, &entry, NULL);
	if (octet_count > 0)
		memcpy(message, (const uint8_t[]){ 0x07, 0x68, 0x7f, 0, (uint8_t)octet_count }, NAS_BYTES);
	return octet_count;
}

static int
add_ues(struct fanfare *fanfare, fan_context_id *first, struct fan_one_ue *same, unsigned long ues)
{
	uint64_t state = 1;
	int error = fan_ue_reserve(fanfare, FAN_KIND_EPS_NAS, 2, 2, ues);

	for (unsigned long i = 0; error >= 0 && i < ues; i++) {
		struct fan_ue ue = { .struct_bytes = sizeof(struct fan_ue),
				     .kind = FAN_KIND_EPS_NAS,
				     .cipher = 2,
				     .integrity = 2,
				     .count = 1,
				     .count_reserved = 1 << 20,
				     .ue = (uint32_t)i,
				     .mme_ue_id = i,
				     .ran_ue_id = i & 0xffffff,
				     .bearer_id = 5 };
		fan_context_id id;

		fan_keys_next(ue.k_enc, ue.k_int, &state);
		memcpy(same[i].k_enc, ue.k_enc, sizeof(ue.k_enc));
		memcpy(same[i].k_int, ue.k_int, sizeof(ue.k_int));
		error = fan_ue_add(fanfare, &id, &ue);
		*first = i == 0 ? id : *first;
	}
	return error;
}

/* Out: *group, and same[], the same UEs for OpenSSL. */
static int
populate(struct fanfare *fanfare, struct fan_group **group, struct fan_one_ue *same, unsigned long ues)
{
	const struct fan_next_hop relay = { .struct_bytes = sizeof(struct fan_next_hop),
					    .ethernet = { 2, 0, 0, 0, 0, 1 },
					    .address = { 198, 51, 100, 1 } };
	fan_context_id first = 0;
	int error = fan_next_hop_add(fanfare, &relay);

	if (error >= 0)
		error = add_ues(fanfare, &first, same, ues);
	if (error >= 0)
		error = fan_group_create(fanfare, group, GID);
	return error < 0 ? error : fan_group_add_range(*group, first, ues, FAN_PROFILE_EPS_NAS_KEY);
}

/* Whether the current key has left for all members. */
static bool
is_sent(const struct fan_group *group)
{
	struct fan_group_key_status status;

	fan_group_key_status_init(&status);
	return fan_group_key_status(group, &status) == 0 && status.is_sent;
}

static int
set_key(struct fanfare *fanfare, struct fan_group *group)
{
	struct fan_group_key_options options;
	int error;

	fan_group_key_options_init(&options);
	/* Without it the order to forget the key before goes with each. */
	options.overlap_s = 3600;
	error = fan_group_key_set(group, &options);
	while (error == 0 && (fan_poll(fanfare) > 0 || !is_sent(group)))
		;
	return error;
}

static int
renew(struct rounds *rounds, unsigned long round, struct fanfare *fanfare, struct fan_group *group, unsigned long ues)
{
	/* Control may share a CPU with a worker: it sleeps rather than spins. */
	const struct timespec nap = { .tv_nsec = 100000 };
	struct fan_totals before, after;
	double begin_s;
	int error;

	fan_totals_read(fanfare, &before);
	begin_s = fan_slices_now_s();
	error = fan_group_key_rotate(group);
	while (error == 0 && (fan_poll(fanfare) > 0 || !is_sent(group)))
		nanosleep(&nap, NULL);
	rounds->clock_s[round] = fan_slices_now_s() - begin_s;
	fan_totals_read(fanfare, &after);
	rounds->busy_s[round] = (double)(after.busy_cycles - before.busy_cycles) / fan_slices_tsc_hz();
	return error != 0 ? error : after.sent - before.sent == ues ? 0 : FAN_E_IO;
}

static double
protect_one_at_a_time(struct fan_one_at_a_time *openssl, struct fan_one_ue *same, uint8_t *packets, unsigned long ues,
		      const uint8_t *message, int message_bytes)
{
	const double begin_s = fan_slices_now_s();

	for (unsigned long i = 0; i < ues; i++)
		fan_one_at_a_time_protect(openssl, packets + i % PACKETS * PACKET_STRIDE + PACKET_OFFSET, &same[i], message,
					  message_bytes);
	return fan_slices_now_s() - begin_s;
}

static int
ascending(const void *a, const void *b)
{
	const double difference = *(const double *)a - *(const double *)b;

	return difference < 0 ? -1 : difference > 0;
}

/* "NAME": [best, median] */
static void
print_seconds(const char *name, double *seconds, unsigned long rounds)
{
	qsort(seconds, rounds, sizeof(*seconds), ascending);
	printf(", \"%s\": {\"best\": %.4f, \"median\": %.4f}", name, seconds[0], seconds[rounds / 2]);
}

static void
print(const struct options *options, struct rounds *rounds, const struct fanfare *fanfare, int message_bytes)
{
	printf("{\"engine\": \"%s\", \"ues\": %lu, \"workers\": %lu, \"rounds\": %lu, \"nas_bytes\": %d",
	       fan_engine_serving(fanfare, FAN_KIND_EPS_NAS, 2, 2), options->ues, options->workers, options->rounds,
	       message_bytes);
	print_seconds("rekey_s", rounds->clock_s, options->rounds);
	print_seconds("workers_busy_s", rounds->busy_s, options->rounds);
	print_seconds("openssl_one_at_a_time_s", rounds->openssl_s, options->rounds);
	printf("}\n");
}

static int
run(const struct options *options, struct fanfare *fanfare)
{
	struct fan_one_at_a_time *openssl = fan_one_at_a_time_open();
	struct fan_one_ue *same = fan_slices_map(options->ues * sizeof(*same));
	uint8_t *packets = fan_slices_map((size_t)PACKETS * PACKET_STRIDE), message[NAS_BYTES + FAN_GROUP_ENTRY_BYTES_MAX];
	struct rounds rounds = { 0 };
	struct fan_group *group = NULL;
	const int entry_bytes = make_entry(message);
	int error = entry_bytes < 0 ? entry_bytes : populate(fanfare, &group, same, options->ues);

	/* The first key is not timed: with it memory is touched for the first time. */
	if (error == 0)
		error = set_key(fanfare, group);
	for (unsigned long round = 0; error == 0 && round < options->rounds; round++) {
		error = renew(&rounds, round, fanfare, group, options->ues);
		rounds.openssl_s[round] = protect_one_at_a_time(openssl, same, packets, options->ues, message,
								NAS_BYTES + entry_bytes);
	}
	if (error == 0)
		print(options, &rounds, fanfare, NAS_BYTES + entry_bytes);
	fan_one_at_a_time_close(openssl);
	return error;
}

static bool
parse_option(struct options *options, const char *argument)
{
	return fan_argument_engine(&options->engine, argument) ||
	       fan_argument_eal(options->eal, &options->eal_count, EAL_ARGUMENTS_MAX, argument) ||
	       fan_argument_number(&options->ues, argument, "ues", 64, 100000000) ||
	       fan_argument_number(&options->rounds, argument, "rounds", 1, ROUNDS_MAX) ||
	       fan_argument_number(&options->workers, argument, "workers", 1, 8);
}

int
main(int argc, char **argv)
{
	struct options options = { .engine = FAN_ENGINE_AUTO, .ues = 1000000, .rounds = 5, .workers = 1 };
	struct fan_options appliance = { .struct_bytes = sizeof(struct fan_options),
					 .program = "bench_rekey",
					 .egress = "net_null" };
	struct fanfare *fanfare = NULL;
	int error;

	for (int i = 1; i < argc; i++) {
		if (!parse_option(&options, argv[i])) {
			fprintf(stderr,
				"bench_rekey: cannot use \"%s\"\n"
				"usage: bench_rekey [engine=NAME] [ues=N] [rounds=1..100] [workers=1..8] [eal=ARGUMENT]..\n",
				argv[i]);
			return EXIT_FAILURE;
		}
	}
	appliance.engines = options.engine;
	appliance.workers = (unsigned)options.workers;
	appliance.eal = options.eal;
	error = fan_open(&fanfare, &appliance);
	if (error >= 0)
		error = run(&options, fanfare);
	if (error < 0)
		fprintf(stderr, "bench_rekey: %s: %s\n", fan_error_name(error), fan_error_detail());
	if (fanfare != NULL)
		fan_close(fanfare);
	return error < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
