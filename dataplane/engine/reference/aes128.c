/* SPDX-License-Identifier: BSD-3-Clause */
#include "aes128.h"

#include <string.h>

/* clang-format off */
const uint8_t fan_aes128_sbox[256] = {
	0x63, 0x7c, 0x77, 0x7b, 0xf2, 0x6b, 0x6f, 0xc5, 0x30, 0x01, 0x67, 0x2b, 0xfe, 0xd7, 0xab, 0x76,
	0xca, 0x82, 0xc9, 0x7d, 0xfa, 0x59, 0x47, 0xf0, 0xad, 0xd4, 0xa2, 0xaf, 0x9c, 0xa4, 0x72, 0xc0,
	0xb7, 0xfd, 0x93, 0x26, 0x36, 0x3f, 0xf7, 0xcc, 0x34, 0xa5, 0xe5, 0xf1, 0x71, 0xd8, 0x31, 0x15,
	0x04, 0xc7, 0x23, 0xc3, 0x18, 0x96, 0x05, 0x9a, 0x07, 0x12, 0x80, 0xe2, 0xeb, 0x27, 0xb2, 0x75,
	0x09, 0x83, 0x2c, 0x1a, 0x1b, 0x6e, 0x5a, 0xa0, 0x52, 0x3b, 0xd6, 0xb3, 0x29, 0xe3, 0x2f, 0x84,
	0x53, 0xd1, 0x00, 0xed, 0x20, 0xfc, 0xb1, 0x5b, 0x6a, 0xcb, 0xbe, 0x39, 0x4a, 0x4c, 0x58, 0xcf,
	0xd0, 0xef, 0xaa, 0xfb, 0x43, 0x4d, 0x33, 0x85, 0x45, 0xf9, 0x02, 0x7f, 0x50, 0x3c, 0x9f, 0xa8,
	0x51, 0xa3, 0x40, 0x8f, 0x92, 0x9d, 0x38, 0xf5, 0xbc, 0xb6, 0xda, 0x21, 0x10, 0xff, 0xf3, 0xd2,
	0xcd, 0x0c, 0x13, 0xec, 0x5f, 0x97, 0x44, 0x17, 0xc4, 0xa7, 0x7e, 0x3d, 0x64, 0x5d, 0x19, 0x73,
	0x60, 0x81, 0x4f, 0xdc, 0x22, 0x2a, 0x90, 0x88, 0x46, 0xee, 0xb8, 0x14, 0xde, 0x5e, 0x0b, 0xdb,
	0xe0, 0x32, 0x3a, 0x0a, 0x49, 0x06, 0x24, 0x5c, 0xc2, 0xd3, 0xac, 0x62, 0x91, 0x95, 0xe4, 0x79,
	0xe7, 0xc8, 0x37, 0x6d, 0x8d, 0xd5, 0x4e, 0xa9, 0x6c, 0x56, 0xf4, 0xea, 0x65, 0x7a, 0xae, 0x08,
	0xba, 0x78, 0x25, 0x2e, 0x1c, 0xa6, 0xb4, 0xc6, 0xe8, 0xdd, 0x74, 0x1f, 0x4b, 0xbd, 0x8b, 0x8a,
	0x70, 0x3e, 0xb5, 0x66, 0x48, 0x03, 0xf6, 0x0e, 0x61, 0x35, 0x57, 0xb9, 0x86, 0xc1, 0x1d, 0x9e,
	0xe1, 0xf8, 0x98, 0x11, 0x69, 0xd9, 0x8e, 0x94, 0x9b, 0x1e, 0x87, 0xe9, 0xce, 0x55, 0x28, 0xdf,
	0x8c, 0xa1, 0x89, 0x0d, 0xbf, 0xe6, 0x42, 0x68, 0x41, 0x99, 0x2d, 0x0f, 0xb0, 0x54, 0xbb, 0x16,
};
/* clang-format on */

/* Multiplication by x modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197 4.2.1). */
static uint8_t
multiply_by_x(uint8_t value)
{
	return (uint8_t)(value << 1 ^ (value >> 7) * 0x1b);
}

void
fan_aes128_expand(struct fan_aes128 *aes, const uint8_t key[16])
{
	uint8_t rcon = 1;

	memcpy(aes->round_key[0], key, 16);
	for (int round = 1; round <= FAN_AES128_ROUNDS; round++) {
		const uint8_t *last = aes->round_key[round - 1];
		uint8_t *next = aes->round_key[round];

		/* RotWord, SubWord and Rcon on the last word. */
		for (int i = 0; i < 4; i++)
			next[i] = last[i] ^ fan_aes128_sbox[last[12 + (i + 1) % 4]];
		next[0] ^= rcon;
		for (int i = 4; i < 16; i++)
			next[i] = last[i] ^ next[i - 4];
		rcon = multiply_by_x(rcon);
	}
}

static void
add_round_key(uint8_t state[16], const uint8_t round_key[16])
{
	for (int i = 0; i < 16; i++)
		state[i] ^= round_key[i];
}

/* State octet (row, column) is number row + 4 * column (FIPS 197 3.4); row r moves left by r columns. */
static void
substitute_and_shift_rows(uint8_t state[16])
{
	uint8_t before[16];

	memcpy(before, state, 16);
	for (int column = 0; column < 4; column++)
		for (int row = 0; row < 4; row++)
			state[row + 4 * column] = fan_aes128_sbox[before[row + 4 * ((column + row) % 4)]];
}

/* Each column times 3x^3 + x^2 + x + 2 (FIPS 197 5.1.3): 2a ^ 3b ^ c ^ d = a ^ (a ^ b ^ c ^ d) ^ 2(a ^ b). */
static void
mix_columns(uint8_t state[16])
{
	for (uint8_t *column = state; column < state + 16; column += 4) {
		const uint8_t first = column[0], all = column[0] ^ column[1] ^ column[2] ^ column[3];

		for (int row = 0; row < 4; row++)
			column[row] ^= all ^ multiply_by_x(column[row] ^ (row < 3 ? column[row + 1] : first));
	}
}

void
fan_aes128_encrypt(const struct fan_aes128 *aes, uint8_t block[16], const uint8_t input[16])
{
	memmove(block, input, 16);
	add_round_key(block, aes->round_key[0]);
	for (int round = 1; round < FAN_AES128_ROUNDS; round++) {
		substitute_and_shift_rows(block);
		mix_columns(block);
		add_round_key(block, aes->round_key[round]);
	}
	substitute_and_shift_rows(block);
	add_round_key(block, aes->round_key[FAN_AES128_ROUNDS]);
}

void
fan_aes128_ctr(uint8_t *out, const uint8_t key[16], const uint8_t counter[16], const uint8_t *in, size_t byte_count)
{
	struct fan_aes128 aes;
	uint8_t block[16], keystream[16];

	fan_aes128_expand(&aes, key);
	memcpy(block, counter, 16);
	for (size_t done = 0; done < byte_count; done += 16) {
		fan_aes128_encrypt(&aes, keystream, block);
		for (size_t i = 0; i < 16 && done + i < byte_count; i++)
			out[done + i] = in[done + i] ^ keystream[i];
		for (int i = 15; i >= 8 && ++block[i] == 0; i--)
			;
	}
	explicit_bzero(&aes, sizeof(aes));
	explicit_bzero(keystream, sizeof(keystream));
}

/* Multiplication by x modulo x^128 + x^7 + x^2 + x + 1, most significant bit first (SP 800-38B 5.3, R_128). */
static void
double_block(uint8_t twice[16], const uint8_t block[16])
{
	const uint8_t carry = block[0] >> 7;

	for (int i = 0; i < 15; i++)
		twice[i] = (uint8_t)(block[i] << 1 | block[i + 1] >> 7);
	twice[15] = (uint8_t)(block[15] << 1 ^ carry * 0x87);
}

static void
derive_subkeys(const struct fan_aes128 *aes, uint8_t k1[16], uint8_t k2[16])
{
	uint8_t l[16] = { 0 };

	fan_aes128_encrypt(aes, l, l);
	double_block(k1, l);
	double_block(k2, k1);
	explicit_bzero(l, sizeof(l));
}

void
fan_aes128_cmac_subkeys(uint8_t k1[16], uint8_t k2[16], const uint8_t key[16])
{
	struct fan_aes128 aes;

	fan_aes128_expand(&aes, key);
	derive_subkeys(&aes, k1, k2);
	explicit_bzero(&aes, sizeof(aes));
}

void
fan_aes128_cmac_begin(struct fan_aes128_cmac *cmac, const uint8_t key[16])
{
	memset(cmac, 0, sizeof(*cmac));
	fan_aes128_expand(&cmac->aes, key);
}

static void
chain_pending(struct fan_aes128_cmac *cmac)
{
	add_round_key(cmac->chain, cmac->pending);
	fan_aes128_encrypt(&cmac->aes, cmac->chain, cmac->chain);
	cmac->pending_bytes = 0;
}

void
fan_aes128_cmac_add(struct fan_aes128_cmac *cmac, const uint8_t *bytes, size_t byte_count)
{
	for (size_t i = 0; i < byte_count; i++) {
		if (cmac->pending_bytes == 16)
			chain_pending(cmac);
		cmac->pending[cmac->pending_bytes++] = bytes[i];
	}
}

/* A last block of 128 bits takes K1; a shorter one, the empty one too, a bit 1, zeros and K2 (SP 800-38B 6.2 step 4). */
void
fan_aes128_cmac_end(struct fan_aes128_cmac *cmac, uint8_t mac[16], uint8_t last_octet, unsigned last_bits)
{
	uint8_t k1[16], k2[16];

	derive_subkeys(&cmac->aes, k1, k2);
	if (last_bits > 0 && cmac->pending_bytes == 16)
		chain_pending(cmac);
	if (cmac->pending_bytes == 16) {
		add_round_key(cmac->pending, k1);
	} else {
		const unsigned one = 0x80u >> last_bits;

		memset(cmac->pending + cmac->pending_bytes, 0, 16 - cmac->pending_bytes);
		cmac->pending[cmac->pending_bytes] = (uint8_t)((last_octet & ~(2 * one - 1)) | one);
		add_round_key(cmac->pending, k2);
	}
	chain_pending(cmac);
	memcpy(mac, cmac->chain, 16);
	explicit_bzero(cmac, sizeof(*cmac));
	explicit_bzero(k1, sizeof(k1));
	explicit_bzero(k2, sizeof(k2));
}
