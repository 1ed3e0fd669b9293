/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lockstep AES with VAES on 256-bit registers, for CPUs without AVX-512: 8 UEs in four registers. Key schedules are made a round
 * key at a time in the lane it will be used from.
 */
#include <cpuid.h>
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

/* DPDK compiles for an older CPU; only the functions of this file may use these. */
#define TARGET __attribute__((target("avx2,aes,vaes")))
#define LANES 2
typedef __m256i vector;

#include "octets.h"

#include "../../context/context.h"

#define V TARGET __attribute__((always_inline)) static inline

V vector
v_zero(void)
{
	return _mm256_setzero_si256();
}

V void
v_store(void *at, vector value)
{
	_mm256_store_si256(at, value);
}

V vector
v_load(const void *at)
{
	return _mm256_load_si256(at);
}

/* The same block for every UE. */
V vector
v_broadcast(const uint8_t *at)
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)at));
}

V vector
v_xor(vector a, vector b)
{
	return _mm256_xor_si256(a, b);
}

V vector
v_aesenc(vector state, vector key)
{
	return _mm256_aesenc_epi128(state, key);
}

V vector
v_aesenclast(vector state, vector key)
{
	return _mm256_aesenclast_epi128(state, key);
}

V vector
load_pair(const uint8_t *low, const uint8_t *high)
{
	return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)low)),
				       _mm_loadu_si128((const void *)high), 1);
}

/* COUNT, BEARER || DIRECTION, zeros: a counter block before its number, and EIA2's prefix (TS 33.401 B.1.3, B.2.3). */
V vector
v_lead(struct fan_context *const *context, const uint32_t *count)
{
	return _mm256_set_epi64x(0, (int64_t)count_prefix(context[1], count[1]), 0,
				 (int64_t)count_prefix(context[0], count[0]));
}

/* Octets begin .. end - 1 of the block at each packet's `offset`, zeros elsewhere; nothing else is touched. */
V vector
v_gather(uint8_t *const *text, ptrdiff_t offset, unsigned begin, unsigned end)
{
	uint8_t block[LANES][16] __attribute__((aligned(32))) = { { 0 } };

	if (begin == 0 && end == 16)
		return load_pair(text[0] + offset, text[1] + offset);
	for (unsigned i = 0; i < LANES; i++)
		copy_octets(block[i] + begin, text[i] + offset + begin, end - begin);
	return _mm256_load_si256((const void *)block);
}

/* The first 1..16 octets of each UE's block into its packet at `at`. */
V void
v_scatter(uint8_t *const *text, unsigned at, vector value, unsigned octets)
{
	uint8_t block[LANES][16] __attribute__((aligned(32)));

	if (octets == 16) {
		_mm_storeu_si128((void *)(text[0] + at), _mm256_castsi256_si128(value));
		_mm_storeu_si128((void *)(text[1] + at), _mm256_extracti128_si256(value, 1));
		return;
	}
	_mm256_store_si256((void *)block, value);
	for (unsigned i = 0; i < LANES; i++)
		copy_octets(text[i] + at, block[i], octets);
}

/* The first `octets` of each block, zeros behind. */
V vector
v_keep(vector value, unsigned octets)
{
	return _mm256_and_si256(value, v_broadcast(ones_then_zeros + 16 - octets));
}

/* Octets 7..15 of `before`, then 0..6 of `block`, per lane. */
V vector
v_shift7(vector block, vector before)
{
	return _mm256_alignr_epi8(block, before, 7);
}

/* The first 9 octets of each block, moved to its end. */
V vector
v_raise7(vector lead)
{
	return _mm256_bslli_epi128(lead, 7);
}

/* Doubling in GF(2^128), big endian (SP 800-38B 6.1). */
V vector
v_double(vector value)
{
	const vector reverse = _mm256_broadcastsi128_si256(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
	const vector little = _mm256_shuffle_epi8(value, reverse);
	/* Per 64-bit half: all ones where the other half's top bit was set. */
	const vector carry = _mm256_shuffle_epi32(_mm256_srai_epi32(little, 31), _MM_SHUFFLE(1, 1, 3, 3));
	const vector reduce = _mm256_and_si256(carry, _mm256_broadcastsi128_si256(_mm_set_epi64x(1, 0x87)));

	return _mm256_shuffle_epi8(_mm256_xor_si256(_mm256_add_epi64(little, little), reduce), reverse);
}

/* The last round keys made. */
struct ladder {
	vector key[4];
};

V void
ladder_begin(struct ladder *ladder, vector *round_key, struct fan_context *const *context, size_t key_offset)
{
	for (unsigned i = 0; i < 4; i++)
		round_key[i] = ladder->key[i] = load_pair((const uint8_t *)context[2 * i] + key_offset,
							  (const uint8_t *)context[2 * i + 1] + key_offset);
}

/*
 * Out: round_key[0..3], of round `round`. The last AES round is SubBytes, ShiftRows and an XOR; on a state of four equal columns
 * ShiftRows changes nothing, so it is SubWord, and the round constant comes with it. AESKEYGENASSIST has no vector form.
 */
V void
ladder_step(struct ladder *ladder, vector *round_key, unsigned round)
{
	/* RotWord of the last word, in every column. */
	const vector rotate = _mm256_set1_epi32(0x0c0f0e0d), constant = _mm256_set1_epi32(round_constants[round]);

	for (unsigned i = 0; i < 4; i++) {
		vector key = ladder->key[i];
		const vector word = _mm256_aesenclast_epi128(_mm256_shuffle_epi8(key, rotate), constant);

		key = _mm256_xor_si256(key, _mm256_bslli_epi128(key, 4));
		key = _mm256_xor_si256(key, _mm256_bslli_epi128(key, 8));
		round_key[i] = ladder->key[i] = _mm256_xor_si256(key, word);
	}
}

#include "aes128_walk.h"

static bool
runs(void)
{
	unsigned eax, ebx, ecx = 0, edx;

	/* The first also tells that the operating system saves the registers. clang 14 has no name for the last. */
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("aes") &&
	       __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ecx & bit_VAES) != 0;
}

const struct fan_lockstep fan_lockstep_vaes256 = {
	.instructions = "AVX2 and VAES",
	.runs = runs,
	.takes = takes_aes,
	.scratch_bytes = sizeof(struct fan_lockstep_scratch),
	.init = init_scratch,
	.protect = protect,
};
