/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lockstep AES with VAES on 512-bit registers: 16 UEs in four registers. Key schedules are made word by word: word w of all 16 keys
 * in one register, where SubWord is one GFNI instruction, and turned into rows of round keys by unpacking.
 */
#include <cpuid.h>
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

/* DPDK compiles for an older CPU; only the functions of this file may use these. */
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,gfni,vaes")))
#define LANES 4
typedef __m512i vector;

#include "../../context/context.h"

#define BEARER_AT offsetof(struct fan_context, bearer_direction)

#define V TARGET __attribute__((always_inline)) static inline

V vector
v_zero(void)
{
	return _mm512_setzero_si512();
}

V void
v_store(void *at, vector value)
{
	_mm512_store_si512(at, value);
}

V vector
v_load(const void *at)
{
	return _mm512_load_si512(at);
}

/* The same block for every UE. */
V vector
v_broadcast(const uint8_t *at)
{
	return _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)at));
}

V vector
v_xor(vector a, vector b)
{
	return _mm512_xor_si512(a, b);
}

V vector
v_aesenc(vector state, vector key)
{
	return _mm512_aesenc_epi128(state, key);
}

V vector
v_aesenclast(vector state, vector key)
{
	return _mm512_aesenclast_epi128(state, key);
}

/* Octets begin .. end - 1 of the block at each packet's `offset`, zeros elsewhere; nothing else is touched. */
V vector
v_gather(uint8_t *const *text, ptrdiff_t offset, unsigned begin, unsigned end)
{
	const __mmask16 mask = (__mmask16)((1U << end) - (1U << begin));
	vector out = _mm512_castsi128_si512(_mm_maskz_loadu_epi8(mask, text[0] + offset));

	out = _mm512_inserti32x4(out, _mm_maskz_loadu_epi8(mask, text[1] + offset), 1);
	out = _mm512_inserti32x4(out, _mm_maskz_loadu_epi8(mask, text[2] + offset), 2);
	return _mm512_inserti32x4(out, _mm_maskz_loadu_epi8(mask, text[3] + offset), 3);
}

/* One UE's block to memory of any alignment. gcc 12 would take two instructions, one of them on the port that shuffles need. */
#ifndef STORE_BLOCK /* tests/ctime/portable brings its own */
#define STORE_BLOCK(to, value, lane) __asm__("vextracti32x4 $" #lane ", %1, %0" : "=m"(*(__m128i_u *)(to)) : "v"(value))
#endif

/* The first 1..16 octets of each UE's block into its packet at `at`. */
V void
v_scatter(uint8_t *const *text, unsigned at, vector value, unsigned octets)
{
	if (octets == 16) {
		_mm_storeu_si128((void *)(text[0] + at), _mm512_castsi512_si128(value));
		STORE_BLOCK(text[1] + at, value, 1);
		STORE_BLOCK(text[2] + at, value, 2);
		STORE_BLOCK(text[3] + at, value, 3);
	} else {
		const __mmask16 mask = (__mmask16)((1U << octets) - 1);

		_mm_mask_storeu_epi8(text[0] + at, mask, _mm512_castsi512_si128(value));
		_mm_mask_storeu_epi8(text[1] + at, mask, _mm512_extracti32x4_epi32(value, 1));
		_mm_mask_storeu_epi8(text[2] + at, mask, _mm512_extracti32x4_epi32(value, 2));
		_mm_mask_storeu_epi8(text[3] + at, mask, _mm512_extracti32x4_epi32(value, 3));
	}
}

/* The first `octets` of each block, zeros behind. */
V vector
v_keep(vector value, unsigned octets)
{
	return _mm512_maskz_mov_epi8((1ULL << octets) * 0x0001000100010001ULL - 0x0001000100010001ULL, value);
}

/* Octets 7..15 of `before`, then 0..6 of `block`, per lane. */
V vector
v_shift7(vector block, vector before)
{
	return _mm512_alignr_epi8(block, before, 7);
}

/* The first 9 octets of each block, moved to its end. */
V vector
v_raise7(vector lead)
{
	return _mm512_bslli_epi128(lead, 7);
}

/* Doubling in GF(2^128), big endian (SP 800-38B 6.1). */
V vector
v_double(vector value)
{
	const vector reverse = _mm512_broadcast_i32x4(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
	const vector little = _mm512_shuffle_epi8(value, reverse);
	/* Per 64-bit half: all ones where its top bit was set, then the halves change places. */
	const vector carry = _mm512_shuffle_epi32(_mm512_srai_epi64(little, 63), _MM_PERM_BADC);
	const vector reduce = _mm512_and_si512(carry, _mm512_broadcast_i32x4(_mm_set_epi64x(1, 0x87)));

	return _mm512_shuffle_epi8(_mm512_xor_si512(_mm512_add_epi64(little, little), reduce), reverse);
}

/* Word w of all keys of the tile in column[w]. */
struct ladder {
	vector column[4];
};

/* Rows to columns and, being its own inverse, columns to rows. */
V void
turn(vector out[4], const vector in[4])
{
	const vector low01 = _mm512_unpacklo_epi32(in[0], in[1]), low23 = _mm512_unpacklo_epi32(in[2], in[3]);
	const vector high01 = _mm512_unpackhi_epi32(in[0], in[1]), high23 = _mm512_unpackhi_epi32(in[2], in[3]);

	out[0] = _mm512_unpacklo_epi64(low01, low23);
	out[1] = _mm512_unpackhi_epi64(low01, low23);
	out[2] = _mm512_unpacklo_epi64(high01, high23);
	out[3] = _mm512_unpackhi_epi64(high01, high23);
}

V __m128i
load_block(const struct fan_context *context, size_t offset)
{
	return _mm_load_si128((const void *)((const uint8_t *)context + offset));
}

/* 16 octets of each UE's context. */
V vector
load_blocks(struct fan_context *const *context, size_t offset)
{
	vector out = _mm512_castsi128_si512(load_block(context[0], offset));

	out = _mm512_inserti32x4(out, load_block(context[1], offset), 1);
	out = _mm512_inserti32x4(out, load_block(context[2], offset), 2);
	return _mm512_inserti32x4(out, load_block(context[3], offset), 3);
}

/* COUNT, BEARER || DIRECTION, zeros: a counter block before its number, and EIA2's prefix (TS 33.401 B.1.3, B.2.3). */
V vector
v_lead(struct fan_context *const *context, const uint32_t *count)
{
	const vector big_endian = _mm512_set_epi32(-1, -1, -1, 0x0c0d0e0f, -1, -1, -1, 0x08090a0b, -1, -1, -1, 0x04050607, -1,
						   -1, -1, 0x00010203);
	const vector bearer = _mm512_broadcast_i32x4(_mm_set_epi32(-1, -1, ~0xff | (int)(BEARER_AT % 16), -1));

	return _mm512_xor_si512(_mm512_shuffle_epi8(v_broadcast((const void *)count), big_endian),
				_mm512_shuffle_epi8(load_blocks(context, BEARER_AT & ~15UL), bearer));
}

V void
ladder_begin(struct ladder *ladder, vector *round_key, struct fan_context *const *context, size_t key_offset)
{
	vector rows[4];

	for (unsigned i = 0; i < 4; i++)
		round_key[i] = rows[i] = load_blocks(context + 4 * i, key_offset);
	turn(ladder->column, rows);
}

/* The affine map of the S-box as GFNI wants it: output bit i is the parity of row 7 - i and the input; then 0x63 is added. */
V vector
substitute(vector words)
{
	return _mm512_gf2p8affineinv_epi64_epi8(words, _mm512_set1_epi64((long long)0xF1E3C78F1F3E7CF8ULL), 0x63);
}

/* Out: round_key[0..3], of round `round`. */
V void
ladder_step(struct ladder *ladder, vector *round_key, unsigned round)
{
	static const uint8_t constants[11] = { 0, 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36 };
	vector *column = ladder->column;
	const vector word = substitute(_mm512_ror_epi32(column[3], 8));

	column[0] = _mm512_ternarylogic_epi32(column[0], word, _mm512_set1_epi32(constants[round]), 0x96);
	for (unsigned i = 1; i < 4; i++)
		column[i] = _mm512_xor_si512(column[i], column[i - 1]);
	turn(round_key, column);
}

#include "aes128_walk.h"

static bool
runs(void)
{
	unsigned eax, ebx, ecx = 0, edx;

	/* The first four also tell that the operating system saves the registers. clang 14 has no names for the last two. */
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl") && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ecx & bit_GFNI) != 0 &&
	       (ecx & bit_VAES) != 0;
}

const struct fan_lockstep fan_lockstep_vaes512 = {
	.instructions = "AVX-512, VAES and GFNI",
	.runs = runs,
	.takes = takes_aes,
	.scratch_bytes = sizeof(struct fan_lockstep_scratch),
	.init = init_scratch,
	.protect = protect,
};
