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
#include "slices.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
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
/* What EIA2 puts before the message (TS 33.401 B.2.3): COUNT, BEARER and DIRECTION; then the sequence number of NAS. */
#define MAC_HEADER_BYTES 8
#define SN_BYTES 1
#define MAC_BYTES 4

struct keys {
	uint8_t k_enc[16], k_int[16];
	uint32_t count;
	uint8_t rest[28];
};

_Static_assert(sizeof(struct keys) == 64, "as much memory per UE as the engines walk");

struct openssl {
	EVP_CIPHER *ctr;
	EVP_CIPHER_CTX *cipher;
	EVP_MAC *cmac;
	EVP_MAC_CTX *mac;
};

static void
require(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench_openssl: %s failed\n", what);
	exit(EXIT_FAILURE);
}

static void
open_openssl(struct openssl *openssl)
{
	char name[] = "AES-128-CBC";
	const OSSL_PARAM parameters[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, name, 0),
					  OSSL_PARAM_construct_end() };

	openssl->ctr = EVP_CIPHER_fetch(NULL, "AES-128-CTR", NULL);
	openssl->cipher = EVP_CIPHER_CTX_new();
	openssl->cmac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	require(openssl->ctr != NULL && openssl->cipher != NULL && openssl->cmac != NULL, "fetching AES-CTR and CMAC");
	openssl->mac = EVP_MAC_CTX_new(openssl->cmac);
	require(openssl->mac != NULL && EVP_MAC_CTX_set_params(openssl->mac, parameters) == 1, "choosing AES for CMAC");
}

static void
close_openssl(struct openssl *openssl)
{
	EVP_MAC_CTX_free(openssl->mac);
	EVP_MAC_free(openssl->cmac);
	EVP_CIPHER_CTX_free(openssl->cipher);
	EVP_CIPHER_free(openssl->ctr);
}

/* COUNT, then BEARER 0 and DIRECTION downlink. */
static void
write_header(uint8_t *header, uint32_t count)
{
	memset(header, 0, MAC_HEADER_BYTES);
	header[0] = (uint8_t)(count >> 24);
	header[1] = (uint8_t)(count >> 16);
	header[2] = (uint8_t)(count >> 8);
	header[3] = (uint8_t)count;
	header[4] = 4;
}

static void
protect_ue(struct openssl *openssl, uint8_t *text, struct keys *keys, const uint8_t *message, int text_bytes)
{
	uint8_t counter[16] = { 0 }, header[MAC_HEADER_BYTES], mac[16];
	uint8_t *const sn = text - SN_BYTES;
	size_t mac_bytes = 0;
	int done = 0;
	bool good;

	write_header(header, keys->count);
	memcpy(counter, header, sizeof(header));
	*sn = (uint8_t)keys->count++;
	good = EVP_EncryptInit_ex2(openssl->cipher, openssl->ctr, keys->k_enc, counter, NULL) == 1 &&
	       EVP_EncryptUpdate(openssl->cipher, text, &done, message, text_bytes) == 1;
	good = good && EVP_MAC_init(openssl->mac, keys->k_int, sizeof(keys->k_int), NULL) == 1 &&
	       EVP_MAC_update(openssl->mac, header, sizeof(header)) == 1 &&
	       EVP_MAC_update(openssl->mac, sn, SN_BYTES + (size_t)text_bytes) == 1 &&
	       EVP_MAC_final(openssl->mac, mac, &mac_bytes, sizeof(mac)) == 1;
	require(good, "protecting a UE");
	memcpy(sn - MAC_BYTES, mac, MAC_BYTES);
}

static void
fill_keys(struct keys *keys, uint32_t ue_count)
{
	uint64_t state = 1;

	for (uint32_t i = 0; i < ue_count; i++)
		fan_keys_next(keys[i].k_enc, keys[i].k_int, &state);
}

static void
run_size(struct openssl *openssl, struct keys *keys, uint8_t *packets, uint32_t ue_count, int text_bytes, uint64_t budget)
{
	static const uint8_t message[TEXT_BYTES_MAX + 1];
	const uint64_t begin = __rdtsc();
	struct fan_slices slices;
	uint32_t ue = 0;

	fan_slices_open(&slices);
	while (slices.count < 4 || (slices.count < FAN_SLICES_MAX && __rdtsc() - begin < budget)) {
		const uint64_t start = __rdtsc();

		for (unsigned i = 0; i < SLICE_UES; i++, ue = ue + 1 == ue_count ? 0 : ue + 1)
			protect_ue(openssl, packets + (size_t)(ue % PACKETS) * PACKET_STRIDE + PACKET_OFFSET, &keys[ue],
				   message, text_bytes);
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
	struct openssl openssl;
	struct keys *keys;
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
	open_openssl(&openssl);
	keys = fan_slices_map(ues * sizeof(*keys));
	packets = fan_slices_map((size_t)PACKETS * PACKET_STRIDE);
	fill_keys(keys, (uint32_t)ues);
	budget = (uint64_t)(fan_slices_tsc_hz() * (double)milliseconds / 1000);
	for (unsigned i = 0; i < size_count; i++)
		run_size(&openssl, keys, packets, (uint32_t)ues, (int)sizes[i], budget);
	close_openssl(&openssl);
	return EXIT_SUCCESS;
}
