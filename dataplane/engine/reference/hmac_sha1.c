/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "hmac_sha1.h"

#include "../../context/error.h"

#include <string.h>

#define LENGTH_BYTES 8

static uint32_t
rotate_left(uint32_t word, unsigned bits)
{
	return word << bits | word >> (32 - bits);
}

/* FIPS 180-4 4.1.1 and 4.2.1: what step t adds. */
static uint32_t
mixed(const uint32_t work[5], unsigned t)
{
	const uint32_t b = work[1], c = work[2], d = work[3];

	if (t < 20)
		return ((b & c) ^ (~b & d)) + 0x5a827999;
	if (t < 40)
		return (b ^ c ^ d) + 0x6ed9eba1;
	if (t < 60)
		return ((b & c) ^ (b & d) ^ (c & d)) + 0x8f1bbcdc;
	return (b ^ c ^ d) + 0xca62c1d6;
}

/* FIPS 180-4 6.1.2. */
static void
compress(struct fan_sha1 *sha1)
{
	uint32_t schedule[80], work[5];

	for (unsigned t = 0; t < 16; t++)
		schedule[t] = (uint32_t)sha1->block[4 * t] << 24 | (uint32_t)sha1->block[4 * t + 1] << 16 |
			      (uint32_t)sha1->block[4 * t + 2] << 8 | sha1->block[4 * t + 3];
	for (unsigned t = 16; t < 80; t++)
		schedule[t] = rotate_left(schedule[t - 3] ^ schedule[t - 8] ^ schedule[t - 14] ^ schedule[t - 16], 1);
	memcpy(work, sha1->hash, sizeof(work));
	for (unsigned t = 0; t < 80; t++) {
		const uint32_t next = rotate_left(work[0], 5) + mixed(work, t) + work[4] + schedule[t];

		work[4] = work[3];
		work[3] = work[2];
		work[2] = rotate_left(work[1], 30);
		work[1] = work[0];
		work[0] = next;
	}
	for (unsigned i = 0; i < 5; i++)
		sha1->hash[i] += work[i];
	explicit_bzero(schedule, sizeof(schedule));
	explicit_bzero(work, sizeof(work));
}

void
fan_sha1_begin(struct fan_sha1 *sha1)
{
	static const uint32_t initial[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };

	memset(sha1, 0, sizeof(*sha1));
	memcpy(sha1->hash, initial, sizeof(initial));
}

void
fan_sha1_add(struct fan_sha1 *sha1, const uint8_t *bytes, size_t byte_count)
{
	for (size_t i = 0; i < byte_count; i++) {
		sha1->block[sha1->byte_count++ % FAN_SHA1_BLOCK_BYTES] = bytes[i];
		if (sha1->byte_count % FAN_SHA1_BLOCK_BYTES == 0)
			compress(sha1);
	}
}

/* FIPS 180-4 5.1.1: a bit 1, zeros, and the number of bits in 64. */
void
fan_sha1_end(struct fan_sha1 *sha1, uint8_t digest[FAN_SHA1_BYTES])
{
	static const uint8_t pad[FAN_SHA1_BLOCK_BYTES] = { 0x80 };
	const uint64_t bits = 8 * sha1->byte_count;
	const size_t used = sha1->byte_count % FAN_SHA1_BLOCK_BYTES;
	const size_t end = FAN_SHA1_BLOCK_BYTES - LENGTH_BYTES;
	uint8_t length[LENGTH_BYTES];

	for (unsigned i = 0; i < LENGTH_BYTES; i++)
		length[i] = (uint8_t)(bits >> (56 - 8 * i));
	fan_sha1_add(sha1, pad, used < end ? end - used : FAN_SHA1_BLOCK_BYTES + end - used);
	fan_sha1_add(sha1, length, sizeof(length));
	for (unsigned i = 0; i < FAN_SHA1_BYTES; i++)
		digest[i] = (uint8_t)(sha1->hash[i / 4] >> (24 - 8 * (i % 4)));
	explicit_bzero(sha1, sizeof(*sha1));
}

static void
begin_padded(struct fan_sha1 *sha1, const uint8_t *key, size_t key_bytes, uint8_t pad)
{
	uint8_t block[FAN_SHA1_BLOCK_BYTES];

	memset(block, pad, sizeof(block));
	for (size_t i = 0; i < key_bytes; i++)
		block[i] ^= key[i];
	fan_sha1_begin(sha1);
	fan_sha1_add(sha1, block, sizeof(block));
	explicit_bzero(block, sizeof(block));
}

void
fan_hmac_sha1(uint8_t mac[FAN_SHA1_BYTES], const uint8_t *key, size_t key_bytes, const uint8_t *first, size_t first_bytes,
	      const uint8_t *second, size_t second_bytes)
{
	uint8_t inner[FAN_SHA1_BYTES];
	struct fan_sha1 sha1;

	FAN_REQUIRE(key_bytes >= 1 && key_bytes <= FAN_SHA1_BLOCK_BYTES);
	begin_padded(&sha1, key, key_bytes, 0x36);
	fan_sha1_add(&sha1, first, first_bytes);
	fan_sha1_add(&sha1, second, second_bytes);
	fan_sha1_end(&sha1, inner);
	begin_padded(&sha1, key, key_bytes, 0x5c);
	fan_sha1_add(&sha1, inner, sizeof(inner));
	fan_sha1_end(&sha1, mac);
	explicit_bzero(inner, sizeof(inner));
}
