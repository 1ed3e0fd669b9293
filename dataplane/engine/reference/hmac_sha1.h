/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HMAC-SHA-1 (RFC 2104, FIPS 180-4 6.1) as the standards write it, for the reference engine: portable C, no table, no branch on octets of the key.
 */
#ifndef FAN_HMAC_SHA1_H
#define FAN_HMAC_SHA1_H

#include <stddef.h>
#include <stdint.h>

#define FAN_SHA1_BYTES 20
#define FAN_SHA1_BLOCK_BYTES 64

struct fan_sha1 {
	uint32_t hash[5];
	uint8_t block[FAN_SHA1_BLOCK_BYTES];
	uint64_t byte_count; /* so far, those in the block included */
};

void fan_sha1_begin(struct fan_sha1 *sha1);
void fan_sha1_add(struct fan_sha1 *sha1, const uint8_t *bytes, size_t byte_count);
/* Wipes the state. */
void fan_sha1_end(struct fan_sha1 *sha1, uint8_t digest[FAN_SHA1_BYTES]);

/* Over `first` and then `second`, which may be of no octets. In: a key of 1..FAN_SHA1_BLOCK_BYTES octets. */
void fan_hmac_sha1(uint8_t mac[FAN_SHA1_BYTES], const uint8_t *key, size_t key_bytes, const uint8_t *first, size_t first_bytes,
		   const uint8_t *second, size_t second_bytes);

#endif
