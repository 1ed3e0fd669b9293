/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 16 keys side by side: word w of all keys in one 512-bit register. SubWord is then one GFNI instruction for all of them
 * (inversion in GF(2^8) and the affine map of FIPS 197 5.1.1), RotWord one rotation, and the ladder four XORs. Each round is
 * turned back into rows of round keys, which VAES also uses at once to encipher the zero block that the CMAC subkeys come from.
 * Measured: 8 cycles per key, 9 with CMAC subkeys.
 */
#include "expand_aes128.h"

#include <cpuid.h>
#include <immintrin.h>

/* DPDK compiles for an older CPU; only the functions of this file may use these. */
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,gfni,vaes")))
#define TARGET_INLINE TARGET __attribute__((always_inline)) static inline

/* The affine map of the S-box as GFNI wants it: output bit i is the parity of input and octet 7 - i; then 0x63 is added. */
#define SBOX_MATRIX ((long long)0xF1E3C78F1F3E7CF8ULL)
#define SBOX_CONSTANT 0x63

/* Without it gcc 12 at -O2 keeps the registers of a quad in memory: 28 instead of 19 cycles for two keys. */
#define EACH_REGISTER _Pragma("GCC unroll 4")

static const uint8_t round_constants[FAN_AES128_ROUND_KEYS] = { 0, 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36 };

/* Four registers. As rows, 128-bit lane l of v[j] is one round key of key 4 * j + l; as columns, v[w] is word w of all 16. */
struct quad {
	__m512i v[4];
};

static bool
runs(void)
{
	unsigned eax, ebx, ecx = 0, edx;

	/* The first four also tell that the operating system saves the registers. clang 14 has no names for the last two. */
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl") && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ecx & bit_GFNI) != 0 &&
	       (ecx & bit_VAES) != 0;
}

TARGET_INLINE __m128i
load_key(const uint8_t *const *key, unsigned index, unsigned key_count)
{
	return _mm_loadu_si128((const void *)key[index < key_count ? index : 0]);
}

TARGET_INLINE struct quad
load_rows(const uint8_t *const *key, unsigned key_count)
{
	struct quad rows;

	EACH_REGISTER
	for (unsigned j = 0; j < 4; j++) {
		__m512i row = _mm512_castsi128_si512(load_key(key, 4 * j, key_count));

		row = _mm512_inserti32x4(row, load_key(key, 4 * j + 1, key_count), 1);
		row = _mm512_inserti32x4(row, load_key(key, 4 * j + 2, key_count), 2);
		rows.v[j] = _mm512_inserti32x4(row, load_key(key, 4 * j + 3, key_count), 3);
	}
	return rows;
}

/* Rows to columns and, being its own inverse, columns to rows. */
TARGET_INLINE struct quad
turn(struct quad in)
{
	__m512i low01 = _mm512_unpacklo_epi32(in.v[0], in.v[1]);
	__m512i low23 = _mm512_unpacklo_epi32(in.v[2], in.v[3]);
	__m512i high01 = _mm512_unpackhi_epi32(in.v[0], in.v[1]);
	__m512i high23 = _mm512_unpackhi_epi32(in.v[2], in.v[3]);
	struct quad out;

	out.v[0] = _mm512_unpacklo_epi64(low01, low23);
	out.v[1] = _mm512_unpackhi_epi64(low01, low23);
	out.v[2] = _mm512_unpacklo_epi64(high01, high23);
	out.v[3] = _mm512_unpackhi_epi64(high01, high23);
	return out;
}

TARGET_INLINE void
advance(struct quad *column, uint8_t round_constant)
{
	__m512i word = _mm512_gf2p8affineinv_epi64_epi8(_mm512_ror_epi32(column->v[3], 8), _mm512_set1_epi64(SBOX_MATRIX),
							SBOX_CONSTANT);

	/* 0x96 is the three-way XOR. */
	column->v[0] = _mm512_ternarylogic_epi32(column->v[0], word, _mm512_set1_epi32(round_constant), 0x96);
	EACH_REGISTER
	for (unsigned w = 1; w < 4; w++)
		column->v[w] = _mm512_xor_si512(column->v[w], column->v[w - 1]);
}

/* Lane l of v[j] goes to first + (4 * j + l) * stride. */
TARGET_INLINE void
store_rows(uint8_t *first, size_t stride, const struct quad *rows)
{
	EACH_REGISTER
	for (unsigned j = 0; j < 4; j++) {
		uint8_t *at = first + 4 * j * stride;

		_mm_store_si128((void *)at, _mm512_castsi512_si128(rows->v[j]));
		_mm_store_si128((void *)(at + stride), _mm512_extracti32x4_epi32(rows->v[j], 1));
		_mm_store_si128((void *)(at + 2 * stride), _mm512_extracti32x4_epi32(rows->v[j], 2));
		_mm_store_si128((void *)(at + 3 * stride), _mm512_extracti32x4_epi32(rows->v[j], 3));
	}
}

/* Times x in GF(2^128), of a big-endian block in each lane (SP 800-38B 6.1). */
TARGET_INLINE __m512i
times_x(__m512i block)
{
	const __m512i reverse = _mm512_broadcast_i32x4(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
	const __m512i reduction = _mm512_broadcast_i32x4(_mm_set_epi32(0, 0, 0, 0x87));
	__m512i value = _mm512_shuffle_epi8(block, reverse);
	__m512i carry = _mm512_bslli_epi128(_mm512_srli_epi64(value, 63), 8);
	__m512i overflow = _mm512_shuffle_epi32(_mm512_srai_epi32(value, 31), _MM_PERM_DDDD);

	value = _mm512_or_si512(_mm512_slli_epi64(value, 1), carry);
	value = _mm512_xor_si512(value, _mm512_and_si512(overflow, reduction));
	return _mm512_shuffle_epi8(value, reverse);
}

TARGET_INLINE void
encipher_round(struct quad *state, const struct quad *round_keys, unsigned round)
{
	EACH_REGISTER
	for (unsigned j = 0; j < 4; j++) {
		state->v[j] = round < FAN_AES128_ROUND_KEYS - 1 ? _mm512_aesenc_epi128(state->v[j], round_keys->v[j])
								: _mm512_aesenclast_epi128(state->v[j], round_keys->v[j]);
	}
}

TARGET static void
schedules(struct fan_aes128_schedule *out, const uint8_t *const *key, unsigned key_count)
{
	for (unsigned done = 0; done < key_count; done += FAN_EXPAND_STEP) {
		struct quad rows = load_rows(key + done, key_count - done);
		struct quad columns = turn(rows);

		store_rows(out[done].round_key[0], sizeof(*out), &rows);
		for (unsigned round = 1; round < FAN_AES128_ROUND_KEYS; round++) {
			advance(&columns, round_constants[round]);
			rows = turn(columns);
			store_rows(out[done].round_key[round], sizeof(*out), &rows);
		}
	}
}

TARGET static void
cmac_schedules(struct fan_cmac_schedule *out, const uint8_t *const *key, unsigned key_count)
{
	for (unsigned done = 0; done < key_count; done += FAN_EXPAND_STEP) {
		struct quad rows = load_rows(key + done, key_count - done);
		struct quad columns = turn(rows);
		struct quad subkey = rows; /* the zero block after the first round key was added */

		store_rows(out[done].aes.round_key[0], sizeof(*out), &rows);
		for (unsigned round = 1; round < FAN_AES128_ROUND_KEYS; round++) {
			advance(&columns, round_constants[round]);
			rows = turn(columns);
			store_rows(out[done].aes.round_key[round], sizeof(*out), &rows);
			encipher_round(&subkey, &rows, round);
		}
		EACH_REGISTER
		for (unsigned j = 0; j < 4; j++)
			subkey.v[j] = times_x(subkey.v[j]);
		store_rows(out[done].k1, sizeof(*out), &subkey);
		EACH_REGISTER
		for (unsigned j = 0; j < 4; j++)
			subkey.v[j] = times_x(subkey.v[j]);
		store_rows(out[done].k2, sizeof(*out), &subkey);
	}
}

const struct fan_expand_aes128 fan_expand_aes128_gfni = {
	.name = "gfni",
	.runs = runs,
	.schedules = schedules,
	.cmac_schedules = cmac_schedules,
};
