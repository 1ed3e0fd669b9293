/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lockstep AES with AES-NI on 128-bit registers, for CPUs without VAES: 4 UEs, one a register. Key schedules are made a round key
 * at a time.
 */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

/* DPDK compiles for an older CPU; only the functions of this file may use these. */
#define TARGET __attribute__((target("sse4.1,aes")))
#define LANES 1
typedef __m128i vector;

#include "octets.h"

#include "../../context/context.h"

#define V TARGET __attribute__((always_inline)) static inline

V vector
v_zero(void)
{
	return _mm_setzero_si128();
}

V void
v_store(void *at, vector value)
{
	_mm_store_si128(at, value);
}

V vector
v_load(const void *at)
{
	return _mm_load_si128(at);
}

V vector
v_broadcast(const uint8_t *at)
{
	return _mm_loadu_si128((const void *)at);
}

V vector
v_xor(vector a, vector b)
{
	return _mm_xor_si128(a, b);
}

V vector
v_aesenc(vector state, vector key)
{
	return _mm_aesenc_si128(state, key);
}

V vector
v_aesenclast(vector state, vector key)
{
	return _mm_aesenclast_si128(state, key);
}

/* COUNT, BEARER || DIRECTION, zeros: a counter block before its number, and EIA2's prefix (TS 33.401 B.1.3, B.2.3). */
V vector
v_lead(struct fan_context *const *context, const uint32_t *count)
{
	return _mm_set_epi64x(0, (int64_t)count_prefix(context[0], count[0]));
}

/* Octets begin .. end - 1 of the block at the packet's `offset`, zeros elsewhere; nothing else is touched. */
V vector
v_gather(uint8_t *const *text, ptrdiff_t offset, unsigned begin, unsigned end)
{
	uint8_t block[16] __attribute__((aligned(16))) = { 0 };

	if (begin == 0 && end == 16)
		return _mm_loadu_si128((const void *)(text[0] + offset));
	copy_octets(block + begin, text[0] + offset + begin, end - begin);
	return _mm_load_si128((const void *)block);
}

/* The first 1..16 octets of the block into the packet at `at`. */
V void
v_scatter(uint8_t *const *text, unsigned at, vector value, unsigned octets)
{
	uint8_t block[16] __attribute__((aligned(16)));

	if (octets == 16) {
		_mm_storeu_si128((void *)(text[0] + at), value);
		return;
	}
	_mm_store_si128((void *)block, value);
	copy_octets(text[0] + at, block, octets);
}

/* The first `octets` of the block, zeros behind. */
V vector
v_keep(vector value, unsigned octets)
{
	return _mm_and_si128(value, v_broadcast(ones_then_zeros + 16 - octets));
}

/* Octets 7..15 of `before`, then 0..6 of `block`. */
V vector
v_shift7(vector block, vector before)
{
	return _mm_alignr_epi8(block, before, 7);
}

/* The first 9 octets of each block, moved to its end. */
V vector
v_raise7(vector lead)
{
	return _mm_slli_si128(lead, 7);
}

/* Doubling in GF(2^128), big endian (SP 800-38B 6.1). */
V vector
v_double(vector value)
{
	const vector reverse = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	const vector little = _mm_shuffle_epi8(value, reverse);
	/* Per 64-bit half: all ones where the other half's top bit was set. */
	const vector carry = _mm_shuffle_epi32(_mm_srai_epi32(little, 31), _MM_SHUFFLE(1, 1, 3, 3));
	const vector reduce = _mm_and_si128(carry, _mm_set_epi64x(1, 0x87));

	return _mm_shuffle_epi8(_mm_xor_si128(_mm_add_epi64(little, little), reduce), reverse);
}

/* The last round keys made. */
struct ladder {
	vector key[4];
};

V void
ladder_begin(struct ladder *ladder, vector *round_key, struct fan_context *const *context, size_t key_offset)
{
	for (unsigned i = 0; i < 4; i++)
		round_key[i] = ladder->key[i] = _mm_load_si128((const void *)((const uint8_t *)context[i] + key_offset));
}

/*
 * Out: round_key[0..3], of round `round`. The last AES round is SubBytes, ShiftRows and an XOR; on a state of four equal columns
 * ShiftRows changes nothing, so it is SubWord, and the round constant comes with it. AESKEYGENASSIST takes only a constant that
 * the compiler knows, and many more cycles.
 */
V void
ladder_step(struct ladder *ladder, vector *round_key, unsigned round)
{
	/* RotWord of the last word, in every column. */
	const vector rotate = _mm_set1_epi32(0x0c0f0e0d), constant = _mm_set1_epi32(round_constants[round]);

	for (unsigned i = 0; i < 4; i++) {
		vector key = ladder->key[i];
		const vector word = _mm_aesenclast_si128(_mm_shuffle_epi8(key, rotate), constant);

		key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
		key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
		round_key[i] = ladder->key[i] = _mm_xor_si128(key, word);
	}
}

#include "aes128_walk.h"

static bool
runs(void)
{
	return __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("aes");
}

const struct fan_lockstep fan_lockstep_aesni = {
	.instructions = "SSE4.1 and AES-NI",
	.runs = runs,
	.takes = takes_aes,
	.scratch_bytes = sizeof(struct fan_lockstep_scratch),
	.init = init_scratch,
	.protect = protect,
};
