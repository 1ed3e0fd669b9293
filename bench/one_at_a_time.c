/* SPDX-License-Identifier: BSD-3-Clause */
#include "one_at_a_time.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What EIA2 puts before the message (TS 33.401 B.2.3): COUNT, BEARER and DIRECTION; then the sequence number of NAS. */
#define MAC_HEADER_BYTES 8
#define SN_BYTES 1
#define MAC_BYTES 4

struct fan_one_at_a_time {
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
	fprintf(stderr, "OpenSSL: %s failed\n", what);
	exit(EXIT_FAILURE);
}

struct fan_one_at_a_time *
fan_one_at_a_time_open(void)
{
	struct fan_one_at_a_time *openssl = calloc(1, sizeof(*openssl));
	char name[] = "AES-128-CBC";
	const OSSL_PARAM parameters[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, name, 0),
					  OSSL_PARAM_construct_end() };

	require(openssl != NULL, "allocating");
	openssl->ctr = EVP_CIPHER_fetch(NULL, "AES-128-CTR", NULL);
	openssl->cipher = EVP_CIPHER_CTX_new();
	openssl->cmac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	require(openssl->ctr != NULL && openssl->cipher != NULL && openssl->cmac != NULL, "fetching AES-CTR and CMAC");
	openssl->mac = EVP_MAC_CTX_new(openssl->cmac);
	require(openssl->mac != NULL && EVP_MAC_CTX_set_params(openssl->mac, parameters) == 1, "choosing AES for CMAC");
	return openssl;
}

void
fan_one_at_a_time_close(struct fan_one_at_a_time *openssl)
{
	EVP_MAC_CTX_free(openssl->mac);
	EVP_MAC_free(openssl->cmac);
	EVP_CIPHER_CTX_free(openssl->cipher);
	EVP_CIPHER_free(openssl->ctr);
	free(openssl);
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

void
fan_one_at_a_time_protect(struct fan_one_at_a_time *openssl, uint8_t *text, struct fan_one_ue *ue, const uint8_t *message,
			  int text_bytes)
{
	uint8_t counter[16] = { 0 }, header[MAC_HEADER_BYTES], mac[16];
	uint8_t *const sn = text - SN_BYTES;
	size_t mac_bytes = 0;
	int done = 0;
	bool good;

	write_header(header, ue->count);
	memcpy(counter, header, sizeof(header));
	*sn = (uint8_t)ue->count++;
	good = EVP_EncryptInit_ex2(openssl->cipher, openssl->ctr, ue->k_enc, counter, NULL) == 1 &&
	       EVP_EncryptUpdate(openssl->cipher, text, &done, message, text_bytes) == 1;
	good = good && EVP_MAC_init(openssl->mac, ue->k_int, sizeof(ue->k_int), NULL) == 1 &&
	       EVP_MAC_update(openssl->mac, header, sizeof(header)) == 1 &&
	       EVP_MAC_update(openssl->mac, sn, SN_BYTES + (size_t)text_bytes) == 1 &&
	       EVP_MAC_final(openssl->mac, mac, &mac_bytes, sizeof(mac)) == 1;
	require(good, "protecting a UE");
	memcpy(sn - MAC_BYTES, mac, MAC_BYTES);
}
