/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What does it cost to hand one MBMS service key (MSK) to many UEs, each under its own MUK? Side by side through ipsec-mb (mikey_burst.h), and one UE at
 * a time through OpenSSL's EVP (host-api/keys/mikey.h), whose contexts and algorithms are kept from UE to UE. They take turns, slice by slice, over
 * the same UEs, each of which has a MUK and a B-TID of its own and one cache line of memory; before that, both write the same octets to the first UEs.
 *
 *	bench_mikey [ues=1048576] [batch=64] [milliseconds=1000]
 *
 * Prints one JSON object for each and line.
 */
#include "../dataplane/engine/ipsec_mb/mikey_burst.h"
#include "../host-api/keys/mikey.h"
#include "arguments.h"
#include "keys.h"
#include "slices.h"

#include <stdio.h>
#include <string.h>
#include <x86intrin.h>

#define BATCH_MAX 512
#define SLICE_UES 1024      /* of ipsec-mb: about 2 million cycles */
#define SLICE_UES_SINGLY 64 /* of OpenSSL: about half a million */

static const char bm_sc[] = "bmsc.mnc001.mcc001.pub.3gppnetwork.org";
static char b_tid[] = "AAAAAAAAAAAAAAAAAAAAAA==@bsf.mnc001.mcc001.pub.3gppnetwork.org";

/* What a UE has beside its context. */
struct ue {
	uint8_t name[FAN_B_TID_NAME_BYTES];
	uint32_t counter;
};

struct bench {
	struct fan_mikey *mikey;
	struct fan_mikey_burst *burst;
	struct fan_mikey_head head;
	struct fan_mikey_msk msk;
	struct fan_mikey_user user;
	struct fan_mikey_template template;
	struct fan_shape shape;
	struct fan_context *contexts;
	struct ue *ues;
	unsigned long ue_count, batch;
	unsigned long next; /* UE */
	uint8_t *out[BATCH_MAX];
};

static void
require(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench_mikey: %s: %s\n", what, fan_error_detail());
	exit(EXIT_FAILURE);
}

static void
fill_ues(struct fan_context *contexts, struct ue *ues, unsigned long ue_count)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint64_t state = 1;

	for (unsigned long i = 0; i < ue_count; i++) {
		fan_keys_next(contexts[i].k_enc, contexts[i].k_int, &state);
		for (unsigned j = 0; j < 22; j++)
			ues[i].name[j] = (uint8_t)digits[contexts[i].k_enc[j % 16] % 64];
		memcpy(ues[i].name + 22, "==", 2);
		ues[i].counter = 1;
	}
}

static void
open_bench(struct bench *bench)
{
	const struct fan_mikey_template *const template = &bench->template;

	bench->head = (struct fan_mikey_head){ { 0x00, 0xf1, 0x10 }, 0xc0ffee01, 1, true, "RAND of an MSK." };
	bench->msk = (struct fan_mikey_msk){ 0x00010001, 1, 1000, "an MSK of a test" };
	bench->user.idi = (struct fan_mikey_identity){ bm_sc, sizeof(bm_sc) - 1 };
	bench->user.idr = (struct fan_mikey_identity){ b_tid, sizeof(b_tid) - 1 };
	require(fan_mikey_open(&bench->mikey) == 0 && fan_mikey_burst_open(&bench->burst, NULL) == 0, "opening");
	require(fan_mikey_template(&bench->template, &bench->head, &bench->msk, &bench->user) == 0, "a template");
	bench->shape = (struct fan_shape){ .sequence = FAN_MIKEY,
					   .text_bytes = template->octet_count,
					   .message = template->octets,
					   .mikey = template->places };
	bench->ues = fan_slices_map(bench->ue_count * sizeof(*bench->ues));
	bench->contexts = fan_slices_map(bench->ue_count * sizeof(*bench->contexts));
	require(bench->ues != NULL && bench->contexts != NULL, "memory for UEs");
	fill_ues(bench->contexts, bench->ues, bench->ue_count);
	for (unsigned i = 0; i < BATCH_MAX; i++)
		bench->out[i] = malloc(FAN_MIKEY_BYTES_MAX);
}

/* The next UEs, in whole batches. */
static unsigned long
take_ues(struct bench *bench, unsigned long count)
{
	const unsigned long first = bench->next + count > bench->ue_count ? 0 : bench->next;

	bench->next = first + count;
	return first;
}

/* With T and name, which a plan has put into the packet before. */
static void
run_batch(struct bench *bench, unsigned long first)
{
	struct fan_context *context[BATCH_MAX];

	for (unsigned long i = 0; i < bench->batch; i++) {
		const struct ue *ue = &bench->ues[first + i];
		const uint32_t counter = __builtin_bswap32(ue->counter);

		context[i] = &bench->contexts[first + i];
		memcpy(bench->out[i] + bench->shape.mikey.counter_at, &counter, sizeof(counter));
		memcpy(bench->out[i] + bench->shape.mikey.name_at, ue->name, sizeof(ue->name));
	}
	require(fan_mikey_burst_run(bench->burst, bench->out, &bench->shape, context, (unsigned)bench->batch), "a burst");
}

static void
run_side_by_side(struct bench *bench)
{
	for (unsigned long done = 0; done < SLICE_UES; done += bench->batch)
		run_batch(bench, take_ues(bench, bench->batch));
}

static void
write_one(struct bench *bench, uint8_t *octets, unsigned long i)
{
	memcpy(bench->user.muk, bench->contexts[i].k_enc, FAN_KEY_BYTES);
	memcpy(bench->user.muk + FAN_KEY_BYTES, bench->contexts[i].k_int, FAN_KEY_BYTES);
	memcpy(b_tid, bench->ues[i].name, sizeof(bench->ues[i].name));
	bench->head.counter = bench->ues[i].counter;
	require(fan_mikey_write_msk(bench->mikey, octets, &bench->head, &bench->msk, &bench->user) == bench->shape.text_bytes,
		"a message");
}

static void
run_one_by_one(struct bench *bench)
{
	for (unsigned i = 0; i < SLICE_UES_SINGLY; i++)
		write_one(bench, bench->out[i], take_ues(bench, 1));
}

static void
compare(struct bench *bench)
{
	uint8_t octets[FAN_MIKEY_BYTES_MAX];

	run_batch(bench, 0);
	for (unsigned i = 0; i < bench->batch; i++) {
		write_one(bench, octets, i);
		require(memcmp(octets, bench->out[i], bench->shape.text_bytes) == 0, "they do not write the same");
	}
}

static void
print(const struct bench *bench, const char *engine, struct fan_slices *slices, double tsc_hz)
{
	const double cycles = fan_slices_quantile(slices, 0.1);

	printf("{\"engine\": \"%s\", \"bytes\": %u, \"ues\": %lu, \"batch\": %lu, \"cycles_per_ue\": %.0f, \"median\": %.0f, "
	       "\"ues_per_second\": %.0f}\n",
	       engine, bench->shape.text_bytes, bench->ue_count, bench->batch, cycles, fan_slices_quantile(slices, 0.5),
	       tsc_hz / cycles);
}

static void
measure(struct bench *bench, double tsc_hz, unsigned long milliseconds)
{
	const uint64_t begin = __rdtsc(), budget = (uint64_t)(tsc_hz * (double)milliseconds / 1000);
	struct fan_slices side_by_side, one_by_one;

	fan_slices_open(&side_by_side);
	fan_slices_open(&one_by_one);
	while (side_by_side.count < 4 || (side_by_side.count < FAN_SLICES_MAX && __rdtsc() - begin < budget)) {
		const uint64_t first = __rdtsc();
		uint64_t second;

		run_side_by_side(bench);
		second = __rdtsc();
		fan_slices_put(&side_by_side, (double)(second - first) / SLICE_UES);
		run_one_by_one(bench);
		fan_slices_put(&one_by_one, (double)(__rdtsc() - second) / SLICE_UES_SINGLY);
	}
	print(bench, "ipsec-mb", &side_by_side, tsc_hz);
	print(bench, "openssl-evp", &one_by_one, tsc_hz);
	fan_slices_close(&side_by_side);
	fan_slices_close(&one_by_one);
}

int
main(int argc, char **argv)
{
	struct bench bench = { .ue_count = 1 << 20, .batch = 64 };
	unsigned long milliseconds = 1000;

	for (int i = 1; i < argc; i++) {
		if (!fan_argument_number(&bench.ue_count, argv[i], "ues", SLICE_UES, 100000000) &&
		    !fan_argument_number(&bench.batch, argv[i], "batch", 1, BATCH_MAX) &&
		    !fan_argument_number(&milliseconds, argv[i], "milliseconds", 1, 100000)) {
			fprintf(stderr,
				"bench_mikey: cannot use \"%s\"\n"
				"usage: bench_mikey [ues=%d..] [batch=1..%d, a power of two] [milliseconds=1..100000]\n",
				argv[i], SLICE_UES, BATCH_MAX);
			return EXIT_FAILURE;
		}
	}
	require((bench.batch & (bench.batch - 1)) == 0, "batch is a power of two");
	open_bench(&bench);
	compare(&bench);
	measure(&bench, fan_slices_tsc_hz(), milliseconds);
	fan_mikey_close(bench.mikey);
	fan_mikey_burst_close(bench.burst);
	return EXIT_SUCCESS;
}
