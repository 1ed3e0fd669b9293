/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What does the whole path cost per UE, from a message at fan_send() to frames handed to a port that throws them away? The UEs
 * are spread over groups small enough that one message to one group is a slice (slices.h); messages go to one group after the
 * other, so that contexts come from memory. A worker's own cycles while it works are counted, from counters that are exact
 * once a message has ended.
 *
 *	bench_path [profile=eps-nas-nidd] [engine=ipsec-mb] [ues=1048576] [bytes=155] [workers=1] [passes=3] [hops=1] [paced=0] [eal=ARGUMENT]..
 *
 * UEs belong to the next hops in turn. So many of these, the last ones, have a rate that is never reached: what it costs to keep one.
 *
 * EPS NAS, data over NAS (5 octets more than the message are ciphered), EEA2 and EIA2; or profile=sgi-ip (28 octets more, nothing is ciphered: what
 * is left is the path itself); or profile=mbms-msk, an MSK to each UE under its own MUK, whatever `bytes` says. Prints one JSON object; with mbms-msk
 * another for OpenSSL's EVP, one message at a time (host-api/keys/mikey.h), which takes its turn on the control thread after each group.
 */
#include "../host-api/appliance/appliance.h"
#include "../host-api/keys/mikey.h"
#include "arguments.h"
#include "keys.h"
#include "slices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

/* About 2 million cycles of one worker at 250 per UE; twice as many UEs for two of them. */
#define GROUP_UES 8192
#define EAL_ARGUMENTS_MAX 8

struct options {
	enum fan_profile profile;
	const char *engine;
	unsigned long ues, bytes, workers, passes, hops, paced;
	const char *eal[EAL_ARGUMENTS_MAX + 1];
	unsigned eal_count;
};

struct figures {
	uint64_t ended, served;
};

static void
count_message(void *user, const struct fan_result *result, const struct fan_outcome *outcome)
{
	struct figures *figures = user;

	(void)outcome;
	figures->ended++;
	figures->served += result->sent;
}

static bool
parse_profile(enum fan_profile *profile, const char *argument)
{
	static const char name[] = "profile=";
	const int found = strncmp(argument, name, sizeof(name) - 1) == 0 ? fan_profile_find(argument + sizeof(name) - 1) : -1;

	if (found != FAN_PROFILE_EPS_NAS_NIDD && found != FAN_PROFILE_SGI_IP && found != FAN_PROFILE_MBMS_MSK)
		return false;
	*profile = (enum fan_profile)found;
	return true;
}

static bool
parse_option(struct options *options, const char *argument)
{
	return parse_profile(&options->profile, argument) || fan_argument_engine(&options->engine, argument) ||
	       fan_argument_eal(options->eal, &options->eal_count, EAL_ARGUMENTS_MAX, argument) ||
	       fan_argument_number(&options->ues, argument, "ues", 64, 100000000) ||
	       fan_argument_number(&options->bytes, argument, "bytes", 1, 1200) ||
	       fan_argument_number(&options->workers, argument, "workers", 1, 8) ||
	       fan_argument_number(&options->hops, argument, "hops", 1, 60000) ||
	       fan_argument_number(&options->paced, argument, "paced", 0, 60000) ||
	       /* a UE follows 200 messages that it does not acknowledge */
	       fan_argument_number(&options->passes, argument, "passes", 1, 200);
}

static int
add_hop(struct fanfare *fanfare, unsigned long i, bool paced)
{
	const struct fan_next_hop relay = { .struct_bytes = sizeof(struct fan_next_hop),
					    .ethernet = { 2, 0, 0, 0, 0, 1 },
					    .address = { 198, 51, (uint8_t)(i >> 8), (uint8_t)i } };
	struct fan_next_hop_rate rate;
	const int index = fan_next_hop_add(fanfare, &relay);

	fan_next_hop_rate_init(&rate);
	rate.pdus_per_s = FAN_RATE_PDUS_MAX;
	return index >= 0 && paced ? fan_next_hop_rate(fanfare, (unsigned)index, &rate) : index;
}

static int
add_plain_ue(fan_context_id *id, struct fanfare *fanfare, uint32_t i, unsigned long hops)
{
	const struct fan_ue ue = { .struct_bytes = sizeof(struct fan_ue),
				   .kind = FAN_KIND_SGI,
				   .integrity = FAN_INTEGRITY_NONE,
				   .ue = i,
				   .next_hop = (uint16_t)(hops > 0 ? i % hops : 0),
				   .ipv4 = { (uint8_t)(10 + (i >> 24)), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };

	return fan_ue_add(fanfare, id, &ue);
}

static int
add_ue(fan_context_id *id, struct fanfare *fanfare, uint32_t i, unsigned long hops, uint64_t *state)
{
	struct fan_ue ue = { .struct_bytes = sizeof(struct fan_ue),
			     .kind = FAN_KIND_EPS_NAS,
			     .cipher = 2,
			     .integrity = 2,
			     .count = 1,
			     .count_reserved = 1 << 20,
			     .ue = i,
			     .next_hop = (uint16_t)(hops > 0 ? i % hops : 0),
			     .mme_ue_id = i,
			     .ran_ue_id = i & 0xffffff,
			     .bearer_id = 5 };

	fan_keys_next(ue.k_enc, ue.k_int, state);
	return fan_ue_add(fanfare, id, &ue);
}

#define BM_SC "bmsc.mnc001.mcc001.pub.3gppnetwork.org"
#define BSF "bsf.mnc001.mcc001.pub.3gppnetwork.org"

static int
add_mbms_ue(fan_context_id *id, struct fanfare *fanfare, uint32_t i, unsigned long hops, uint64_t *state)
{
	char b_tid[FAN_B_TID_NAME_BYTES + sizeof("@" BSF)];
	struct fan_ue ue = { .struct_bytes = sizeof(struct fan_ue),
			     .kind = FAN_KIND_MBMS,
			     .cipher = 2,
			     .integrity = FAN_INTEGRITY_HMAC_SHA_1,
			     .count = 1,
			     .count_reserved = 1 << 20,
			     .ue = i,
			     .next_hop = (uint16_t)(hops > 0 ? i % hops : 0),
			     .ipv4 = { (uint8_t)(10 + (i >> 24)), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i },
			     .b_tid = b_tid };

	(void)snprintf(b_tid, sizeof(b_tid), "%022u==@" BSF, i);
	fan_keys_next(ue.k_enc, ue.k_int, state);
	return fan_ue_add(fanfare, id, &ue);
}

static int
add_one(fan_context_id *id, struct fanfare *fanfare, uint32_t i, const struct options *options, uint64_t *state)
{
	if (options->profile == FAN_PROFILE_SGI_IP)
		return add_plain_ue(id, fanfare, i, options->hops);
	if (options->profile == FAN_PROFILE_MBMS_MSK)
		return add_mbms_ue(id, fanfare, i, options->hops, state);
	return add_ue(id, fanfare, i, options->hops, state);
}

/* The kind and algorithms of a profile. */
static struct fan_protection
protection_of(enum fan_profile profile)
{
	if (profile == FAN_PROFILE_SGI_IP)
		return (struct fan_protection){ FAN_KIND_SGI, 0, FAN_INTEGRITY_NONE, 0 };
	if (profile == FAN_PROFILE_MBMS_MSK)
		return (struct fan_protection){ FAN_KIND_MBMS, 2, FAN_INTEGRITY_HMAC_SHA_1, 0 };
	return (struct fan_protection){ FAN_KIND_EPS_NAS, 2, 2, 0 };
}

/* Out: group[], one for every GROUP_UES UEs. Returns 0 or an error. */
static int
populate(struct fan_group **group, struct fanfare *fanfare, const struct options *options)
{
	const unsigned long ues = options->ues;
	const struct fan_protection protection = protection_of(options->profile);
	uint64_t state = 1;
	int error = 0;

	for (unsigned long i = 0; error >= 0 && i < options->hops; i++)
		error = add_hop(fanfare, i, i + options->paced >= options->hops);
	if (error >= 0)
		error = fan_ue_reserve(fanfare, protection.kind, protection.cipher, protection.integrity, ues);
	for (unsigned long at = 0; error >= 0 && at < ues; at += GROUP_UES, group++) {
		const unsigned long count = ues - at < GROUP_UES ? ues - at : GROUP_UES;
		fan_context_id first = 0, id = 0;
		char gid[48];

		snprintf(gid, sizeof(gid), "slice-%lu@example.org", at);
		error = fan_group_create(fanfare, group, gid);
		for (unsigned long i = 0; error >= 0 && i < count; i++) {
			error = add_one(&id, fanfare, (uint32_t)(at + i), options, &state);
			first = i == 0 ? id : first;
		}
		if (error >= 0)
			error = fan_group_add_range(*group, first, count, options->profile);
	}
	return error;
}

/* One message to one group of so many, waited for. Returns 0 or an error. */
static int
send_slice(struct fan_slices *slices, struct fanfare *fanfare, struct fan_group *group, uint64_t ues,
	   const struct fan_message *message)
{
	/* Control may share a CPU with a worker: it sleeps rather than spins. */
	const struct timespec nap = { .tv_nsec = 100000 };
	struct fan_totals before, after;
	struct figures figures = { 0 };
	int error;

	fan_totals_read(fanfare, &before);
	error = fan_send(fanfare, NULL, group, message, count_message, &figures);
	if (error != 0)
		return error;
	while (fan_poll(fanfare), figures.ended == 0)
		nanosleep(&nap, NULL);
	fan_totals_read(fanfare, &after);
	if (figures.served != ues)
		return FAN_E_IO;
	fan_slices_put(slices, (double)(after.busy_cycles - before.busy_cycles) / (double)figures.served);
	return 0;
}

#define UES_SINGLY 64 /* of one slice of OpenSSL: about half a million cycles */

/* MSK messages one at a time; the context and the algorithms are kept from UE to UE. */
struct singly {
	struct fan_mikey *mikey;
	struct fan_slices slices;
	uint64_t state;
};

static int
write_singly(struct singly *singly)
{
	static uint8_t octets[FAN_MIKEY_BYTES_MAX];
	static const char b_tid[] = "0000000000000000000000==@" BSF;
	const struct fan_mikey_msk msk = { .id = 1, .mtk_last = 1000 };
	struct fan_mikey_head head = { .counter = 1 };
	struct fan_mikey_user user = { .idi = { BM_SC, sizeof(BM_SC) - 1 }, .idr = { b_tid, sizeof(b_tid) - 1 } };
	const uint64_t begin = __rdtsc();

	for (unsigned i = 0; i < UES_SINGLY; i++) {
		fan_keys_next(user.muk, user.muk + FAN_KEY_BYTES, &singly->state);
		if (fan_mikey_write_msk(singly->mikey, octets, &head, &msk, &user) < 0)
			return FAN_E_IO;
	}
	fan_slices_put(&singly->slices, (double)(__rdtsc() - begin) / UES_SINGLY);
	return 0;
}

/* Out: octets[FAN_MSK_BYTES_MAX], *message. */
static int
make_msk(struct fan_message *message, uint8_t *octets)
{
	struct fan_msk msk;
	int octet_count;

	fan_msk_init(&msk);
	msk.bm_sc = BM_SC;
	msk.bsf = BSF;
	octet_count = fan_msk_write(octets, &msk);
	fan_message_init(message, octets, octet_count > 0 ? (size_t)octet_count : 0);
	message->group_keys = true;
	return octet_count > 0 ? 0 : octet_count;
}

static void
print(const char *engine, size_t bytes, const struct options *options, struct fan_slices *slices)
{
	printf("{\"engine\": \"%s\", \"bytes\": %zu, \"ues\": %lu, \"workers\": %lu, \"cycles_per_ue\": %.2f, "
	       "\"median\": %.2f, \"slices\": %zu}\n",
	       engine, bytes, options->ues, options->workers, fan_slices_quantile(slices, 0.1),
	       fan_slices_quantile(slices, 0.5), slices->count);
}

static int
run_passes(const struct options *options, struct fanfare *fanfare)
{
	const size_t group_count = (options->ues + GROUP_UES - 1) / GROUP_UES;
	struct fan_group **group = fan_slices_map(group_count * sizeof(struct fan_group *));
	uint8_t *text = fan_slices_map(options->bytes > FAN_MSK_BYTES_MAX ? options->bytes : FAN_MSK_BYTES_MAX);
	const struct fan_protection protection = protection_of(options->profile);
	const bool msk = options->profile == FAN_PROFILE_MBMS_MSK, plain = options->profile == FAN_PROFILE_SGI_IP;
	struct singly singly = { .state = 2 };
	struct fan_message message;
	struct fan_slices slices;
	int error = populate(group, fanfare, options);

	fan_message_init(&message, text, options->bytes);
	fan_slices_open(&slices);
	fan_slices_open(&singly.slices);
	if (error >= 0 && msk)
		error = make_msk(&message, text);
	if (error >= 0 && msk)
		error = fan_mikey_open(&singly.mikey);
	for (unsigned long pass = 0; error >= 0 && pass < options->passes; pass++) {
		for (size_t g = 0; error >= 0 && g < group_count; g++) {
			error = send_slice(&slices, fanfare, group[g],
					   options->ues - g * GROUP_UES < GROUP_UES ? options->ues - g * GROUP_UES : GROUP_UES,
					   &message);
			if (error >= 0 && msk)
				error = write_singly(&singly);
		}
	}
	if (error >= 0)
		print(fan_engine_serving(fanfare, protection.kind, protection.cipher, protection.integrity),
		      message.byte_count + (msk     ? 0
					    : plain ? 28
						    : 5),
		      options, &slices);
	if (error >= 0 && msk)
		print("openssl-evp", message.byte_count, options, &singly.slices);
	fan_slices_close(&slices);
	fan_slices_close(&singly.slices);
	fan_mikey_close(singly.mikey);
	return error;
}

int
main(int argc, char **argv)
{
	struct options options = { .engine = "ipsec-mb", .ues = 1 << 20, .bytes = 155, .workers = 1, .passes = 3, .hops = 1 };
	struct fan_options appliance = { .struct_bytes = sizeof(struct fan_options),
					 .program = "bench_path",
					 .egress = "net_null" };
	struct fanfare *fanfare = NULL;
	int error;

	for (int i = 1; i < argc; i++) {
		if (!parse_option(&options, argv[i])) {
			fprintf(stderr,
				"bench_path: cannot use \"%s\"\n"
				"usage: bench_path [profile=eps-nas-nidd|sgi-ip|mbms-msk] [engine=NAME] [ues=N] [bytes=1..1200] [workers=1..8] [passes=1..200] [hops=1..60000] [paced=0..60000] [eal=ARGUMENT]..\n",
				argv[i]);
			return EXIT_FAILURE;
		}
	}
	appliance.engines = options.engine;
	appliance.workers = (unsigned)options.workers;
	appliance.eal = options.eal;
	error = fan_open(&fanfare, &appliance);
	if (error >= 0)
		error = run_passes(&options, fanfare);
	if (error < 0)
		fprintf(stderr, "bench_path: %s: %s\n", fan_error_name(error), fan_error_detail());
	if (fanfare != NULL)
		fan_close(fanfare);
	return error < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
