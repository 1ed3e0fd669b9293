/* SPDX-License-Identifier: BSD-3-Clause */
#include "snow3g.h"

#include "aes128.h"

#include <string.h>

/* clang-format off */
const uint8_t fan_snow3g_sq[256] = {
	0x25, 0x24, 0x73, 0x67, 0xd7, 0xae, 0x5c, 0x30, 0xa4, 0xee, 0x6e, 0xcb, 0x7d, 0xb5, 0x82, 0xdb,
	0xe4, 0x8e, 0x48, 0x49, 0x4f, 0x5d, 0x6a, 0x78, 0x70, 0x88, 0xe8, 0x5f, 0x5e, 0x84, 0x65, 0xe2,
	0xd8, 0xe9, 0xcc, 0xed, 0x40, 0x2f, 0x11, 0x28, 0x57, 0xd2, 0xac, 0xe3, 0x4a, 0x15, 0x1b, 0xb9,
	0xb2, 0x80, 0x85, 0xa6, 0x2e, 0x02, 0x47, 0x29, 0x07, 0x4b, 0x0e, 0xc1, 0x51, 0xaa, 0x89, 0xd4,
	0xca, 0x01, 0x46, 0xb3, 0xef, 0xdd, 0x44, 0x7b, 0xc2, 0x7f, 0xbe, 0xc3, 0x9f, 0x20, 0x4c, 0x64,
	0x83, 0xa2, 0x68, 0x42, 0x13, 0xb4, 0x41, 0xcd, 0xba, 0xc6, 0xbb, 0x6d, 0x4d, 0x71, 0x21, 0xf4,
	0x8d, 0xb0, 0xe5, 0x93, 0xfe, 0x8f, 0xe6, 0xcf, 0x43, 0x45, 0x31, 0x22, 0x37, 0x36, 0x96, 0xfa,
	0xbc, 0x0f, 0x08, 0x52, 0x1d, 0x55, 0x1a, 0xc5, 0x4e, 0x23, 0x69, 0x7a, 0x92, 0xff, 0x5b, 0x5a,
	0xeb, 0x9a, 0x1c, 0xa9, 0xd1, 0x7e, 0x0d, 0xfc, 0x50, 0x8a, 0xb6, 0x62, 0xf5, 0x0a, 0xf8, 0xdc,
	0x03, 0x3c, 0x0c, 0x39, 0xf1, 0xb8, 0xf3, 0x3d, 0xf2, 0xd5, 0x97, 0x66, 0x81, 0x32, 0xa0, 0x00,
	0x06, 0xce, 0xf6, 0xea, 0xb7, 0x17, 0xf7, 0x8c, 0x79, 0xd6, 0xa7, 0xbf, 0x8b, 0x3f, 0x1f, 0x53,
	0x63, 0x75, 0x35, 0x2c, 0x60, 0xfd, 0x27, 0xd3, 0x94, 0xa5, 0x7c, 0xa1, 0x05, 0x58, 0x2d, 0xbd,
	0xd9, 0xc7, 0xaf, 0x6b, 0x54, 0x0b, 0xe0, 0x38, 0x04, 0xc8, 0x9d, 0xe7, 0x14, 0xb1, 0x87, 0x9c,
	0xdf, 0x6f, 0xf9, 0xda, 0x2a, 0xc4, 0x59, 0x16, 0x74, 0x91, 0xab, 0x26, 0x61, 0x76, 0x34, 0x2b,
	0xad, 0x99, 0xfb, 0x72, 0xec, 0x33, 0x12, 0xde, 0x98, 0x3b, 0xc0, 0x9b, 0x3e, 0x18, 0x10, 0x3a,
	0x56, 0xe1, 0x77, 0xc9, 0x1e, 0x9e, 0x95, 0xa3, 0x90, 0x19, 0xa8, 0x6c, 0x09, 0xd0, 0xf0, 0x86,
};
/* clang-format on */

/* MUL_alpha and DIV_alpha (TS 35.216 3.4.2, 3.4.3) are linear in their octet: entry i is the value at 1 << i, four MULxPOW
 * modulo 0x1a9 each (exponents 23, 245, 48, 239 and 16, 39, 6, 64). */
static const uint32_t mul_alpha_of_bit[8] = {
	0xe19fcf13, 0x6b973726, 0xd6876e4c, 0x05a7dc98, 0x0ae71199, 0x1467229b, 0x28ce449f, 0x50358897,
};
static const uint32_t div_alpha_of_bit[8] = {
	0x180f40cd, 0x301e8033, 0x603ca966, 0xc078fbcc, 0x29f05f31, 0x5249be62, 0xa492d5c4, 0xe18d0321,
};

static uint32_t
sum_of_bits(const uint32_t value_of_bit[8], uint32_t octet)
{
	uint32_t sum = 0;

	for (int i = 0; i < 8; i++)
		sum ^= value_of_bit[i] & -(octet >> i & 1);
	return sum;
}

static uint32_t
load_be32(const uint8_t bytes[4])
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* MULx of TS 35.216 3.1.1. */
static uint32_t
multiply_by_x(uint32_t octet, uint32_t reduction)
{
	return (octet << 1 & 0xff) ^ (octet >> 7) * reduction;
}

/* S1 and S2 (TS 35.216 3.3.1, 3.3.2): substitution, then the column mix r_i = 2a ^ b ^ c ^ 3d in the box's own field, where a
 * is octet i of the input and d the one before it, most significant octet first. */
static uint32_t
substitute(uint32_t word, const uint8_t box[256], uint32_t reduction)
{
	const uint32_t w[4] = { box[word >> 24], box[word >> 16 & 0xff], box[word >> 8 & 0xff], box[word & 0xff] };
	uint32_t mixed = 0;

	for (int i = 0; i < 4; i++) {
		const uint32_t a = w[i], b = w[(i + 1) % 4], c = w[(i + 2) % 4], d = w[(i + 3) % 4];

		mixed = mixed << 8 | (multiply_by_x(a, reduction) ^ b ^ c ^ multiply_by_x(d, reduction) ^ d);
	}
	return mixed;
}

/* TS 35.216 3.4.6. Returns F. */
static uint32_t
clock_fsm(struct fan_snow3g *snow)
{
	const uint32_t f = (snow->s[15] + snow->r1) ^ snow->r2;
	const uint32_t r = snow->r2 + (snow->r3 ^ snow->s[5]);

	snow->r3 = substitute(snow->r2, fan_snow3g_sq, 0x69);
	snow->r2 = substitute(snow->r1, fan_aes128_sbox, 0x1b);
	snow->r1 = r;
	return f;
}

/* TS 35.216 3.4.4 and 3.4.5: initialisation mode feeds F in, keystream mode feeds 0. */
static void
clock_lfsr(struct fan_snow3g *snow, uint32_t f)
{
	const uint32_t s0 = snow->s[0], s11 = snow->s[11];
	const uint32_t v = s0 << 8 ^ sum_of_bits(mul_alpha_of_bit, s0 >> 24) ^ snow->s[2] ^ s11 >> 8 ^
			   sum_of_bits(div_alpha_of_bit, s11 & 0xff) ^ f;

	memmove(snow->s, snow->s + 1, 15 * sizeof(snow->s[0]));
	snow->s[15] = v;
}

void
fan_snow3g_init(struct fan_snow3g *snow, const uint32_t k[4], const uint32_t iv[4])
{
	uint32_t *s = snow->s;

	for (int i = 0; i < 4; i++) {
		s[i] = s[8 + i] = ~k[i];
		s[4 + i] = s[12 + i] = k[i];
	}
	s[15] ^= iv[0];
	s[12] ^= iv[1];
	s[10] ^= iv[2];
	s[9] ^= iv[3];
	snow->r1 = snow->r2 = snow->r3 = 0;
	for (int i = 0; i < 32; i++)
		clock_lfsr(snow, clock_fsm(snow));
	clock_fsm(snow);
	clock_lfsr(snow, 0);
}

uint32_t
fan_snow3g_next(struct fan_snow3g *snow)
{
	const uint32_t z = clock_fsm(snow) ^ snow->s[0];

	clock_lfsr(snow, 0);
	return z;
}

/* The key of f8 and f9 fills K3 first, K0 last (TS 35.215 3.4, 4.4). */
static void
init_for_mode(struct fan_snow3g *snow, const uint8_t key[16], const uint32_t iv[4])
{
	uint32_t k[4];

	for (int i = 0; i < 4; i++)
		k[3 - i] = load_be32(key + 4 * i);
	fan_snow3g_init(snow, k, iv);
	explicit_bzero(k, sizeof(k));
}

void
fan_snow3g_f8(uint8_t *out, const uint8_t key[16], uint32_t count, unsigned bearer, unsigned direction, const uint8_t *in,
	      size_t bits)
{
	const size_t byte_count = (bits + 7) / 8;
	const uint32_t bearer_direction = (uint32_t)bearer << 27 | (uint32_t)direction << 26;
	const uint32_t iv[4] = { bearer_direction, count, bearer_direction, count };
	struct fan_snow3g snow;
	uint32_t z = 0;

	init_for_mode(&snow, key, iv);
	for (size_t i = 0; i < byte_count; i++) {
		z = i % 4 == 0 ? fan_snow3g_next(&snow) : z << 8;
		out[i] = (uint8_t)(in[i] ^ z >> 24);
	}
	if (bits % 8 != 0)
		out[byte_count - 1] &= (uint8_t)(0xff00 >> bits % 8);
	explicit_bzero(&snow, sizeof(snow));
	explicit_bzero(&z, sizeof(z));
}

/* MUL64 of TS 35.215 4.3.4: the product modulo x^64 + x^4 + x^3 + x + 1. */
static uint64_t
multiply_64(uint64_t v, uint64_t p)
{
	uint64_t product = 0;

	for (int i = 0; i < 64; i++) {
		product ^= v & -(p >> i & 1);
		v = v << 1 ^ (0x1b & -(v >> 63));
	}
	return product;
}

/* 64 message bits from `bit` on, a multiple of 64; zeros behind the end. */
static uint64_t
message_block(const uint8_t *message, size_t bit, size_t bits)
{
	uint64_t block = 0;

	for (size_t i = 0; i < 8; i++) {
		const size_t at = bit + 8 * i;

		block = block << 8 | (at < bits ? message[at / 8] : 0);
	}
	return bits - bit < 64 ? block & ~(UINT64_MAX >> (bits - bit)) : block;
}

uint32_t
fan_snow3g_f9(const uint8_t key[16], uint32_t count, uint32_t fresh, unsigned direction, const uint8_t *message, size_t bits)
{
	const uint32_t iv[4] = { fresh ^ (uint32_t)direction << 15, count ^ (uint32_t)direction << 31, fresh, count };
	struct fan_snow3g snow;
	uint64_t p, q, eval = 0;
	uint32_t mac;

	init_for_mode(&snow, key, iv);
	p = (uint64_t)fan_snow3g_next(&snow) << 32;
	p |= fan_snow3g_next(&snow);
	q = (uint64_t)fan_snow3g_next(&snow) << 32;
	q |= fan_snow3g_next(&snow);

	for (size_t bit = 0; bit < bits; bit += 64)
		eval = multiply_64(eval ^ message_block(message, bit, bits), p);
	eval = multiply_64(eval ^ bits, q);
	mac = (uint32_t)(eval >> 32) ^ fan_snow3g_next(&snow);
	explicit_bzero(&snow, sizeof(snow));
	explicit_bzero(&p, sizeof(p));
	explicit_bzero(&q, sizeof(q));
	return mac;
}
