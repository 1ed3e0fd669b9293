/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What does it cost to do as open MME and AMF code does today: one UE at a time, through OpenSSL's EVP, a key set per UE?
 * 128-EEA2 then 128-EIA2 over NAS, the same sizes and distinct UEs as bench_engine. The EVP contexts and fetched algorithms are
 * kept from UE to UE, which is kinder than such code often is.
 *
 *	bench_openssl [ues=1048576] [bytes=20,40,80,160,320,640,1280] [milliseconds=100]
 *
 * Prints one JSON object per size and line.
 */
#include "arguments.h"
#include "keys.h"
#include "one_at_a_time.h"
#include "slices.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

/* About 200,000 cycles at 3,000 per UE. */
#define SLICE_UES 64
#define SIZES_MAX 32
#define TEXT_BYTES_MAX 1499
#define PACKETS 256
/* 29 cache lines: packets spread over all cache sets. */
#define PACKET_STRIDE 1856
#define PACKET_OFFSET 208
static void
fill_keys(struct fan_one_ue *keys, uint32_t ue_count)
{
	uint64_t state = 1;

	for (uint32_t i = 0; i < ue_count; i++)
		fan_keys_next(keys[i].k_enc, keys[i].k_int, &state);
}

static void
run_size(struct fan_one_at_a_time *openssl, struct fan_one_ue *keys, uint8_t *packets, uint32_t ue_count, int text_bytes,
	 uint64_t budget)
{
	static const uint8_t message[TEXT_BYTES_MAX + 1];
	const uint64_t begin = __rdtsc();
	struct fan_slices slices;
	uint32_t ue = 0;

	fan_slices_open(&slices);
	while (slices.count < 4 || (slices.count < FAN_SLICES_MAX && __rdtsc() - begin < budget)) {
		const uint64_t start = __rdtsc();

		for (unsigned i = 0; i < SLICE_UES; i++, ue = ue + 1 == ue_count ? 0 : ue + 1)
			fan_one_at_a_time_protect(openssl, packets + (size_t)(ue % PACKETS) * PACKET_STRIDE + PACKET_OFFSET,
						  &keys[ue], message, text_bytes);
		fan_slices_put(&slices, (double)(__rdtsc() - start) / SLICE_UES);
	}
	printf("{\"engine\": \"openssl-evp\", \"bytes\": %d, \"ues\": %u, \"cycles_per_ue\": %.2f, \"median\": %.2f}\n",
	       text_bytes, ue_count, fan_slices_quantile(&slices, 0.1), fan_slices_quantile(&slices, 0.5));
	fflush(stdout);
	fan_slices_close(&slices);
}

/* "bytes=N,N.." Returns how many numbers there are, 0 when it is not that. */
static unsigned
parse_sizes(unsigned long *out, const char *argument)
{
	const char *at = argument + strlen("bytes=");

	if (strncmp(argument, "bytes=", strlen("bytes=")) != 0)
		return 0;
	for (unsigned count = 0; count < SIZES_MAX;) {
		char *end;

		out[count] = strtoul(at, &end, 10);
		if (end == at || out[count] < 1 || out[count] > TEXT_BYTES_MAX)
			return 0;
		count++;
		if (*end != ',')
			return *end == '\0' ? count : 0;
		at = end + 1;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	unsigned long sizes[SIZES_MAX] = { 20, 40, 80, 160, 320, 640, 1280 }, ues = 1 << 20, milliseconds = 100;
	unsigned size_count = 7;
	struct fan_one_at_a_time *openssl;
	struct fan_one_ue *keys;
	uint8_t *packets;
	uint64_t budget;

	for (int i = 1; i < argc; i++) {
		unsigned long found[SIZES_MAX];
		const unsigned count = parse_sizes(found, argv[i]);

		if (count > 0) {
			memcpy(sizes, found, count * sizeof(*sizes));
			size_count = count;
		} else if (!fan_argument_number(&ues, argv[i], "ues", 1, 100000000) &&
			   !fan_argument_number(&milliseconds, argv[i], "milliseconds", 1, 10000)) {
			fprintf(stderr,
				"bench_openssl: cannot use \"%s\"\n"
				"usage: bench_openssl [ues=N] [bytes=N,N..] [milliseconds=1..10000]\n",
				argv[i]);
			return EXIT_FAILURE;
		}
	}
	openssl = fan_one_at_a_time_open();
	keys = fan_slices_map(ues * sizeof(*keys));
	packets = fan_slices_map((size_t)PACKETS * PACKET_STRIDE);
	fill_keys(keys, (uint32_t)ues);
	budget = (uint64_t)(fan_slices_tsc_hz() * (double)milliseconds / 1000);
	for (unsigned i = 0; i < size_count; i++)
		run_size(openssl, keys, packets, (uint32_t)ues, (int)sizes[i], budget);
	fan_one_at_a_time_close(openssl);
	return EXIT_SUCCESS;
}
