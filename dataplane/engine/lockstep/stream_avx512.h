/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the AVX-512 techniques of both stream ciphers have in common: a tile of 16 UEs, one per 32-bit lane, and the way between lanes
 * and packets. Keystream is made word by word for all UEs (column w: word w of each UE), 16 columns are turned into 16 rows of 64
 * octets, one per UE, and each row meets 64 octets of the UE's packet in one store.
 *
 *	column 0:  UE0 UE1 ... UE15		row UE0:   word 0, word 1, ... word 15
 *	  ...				--turn-->	  ...
 *	column 15: UE0 UE1 ... UE15		row UE15:  word 0, word 1, ... word 15
 *
 * A chunk is 64 octets of a PDU: counted from the text when it is ciphered, from the clear prefix when it is authenticated. What a
 * UE does not share with the others (clear prefix, private head, MAC-I) is loaded from its packet under a mask, which touches
 * nothing else.
 *
 * No branch and no address depends on a key, a COUNT or the text; only on lengths and counts.
 */
#ifndef FAN_LOCKSTEP_STREAM_AVX512_H
#define FAN_LOCKSTEP_STREAM_AVX512_H

#include "technique.h"

#include <cpuid.h>
#include <immintrin.h>
#include <string.h>

/* DPDK compiles for an older CPU; only functions so marked may use these. Ice Lake, Zen 4 and what came after have them all. */
#define TARGET                                                                                                                 \
	__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,avx512ifma,gfni,vaes,vpclmulqdq,"     \
			      "pclmul")))
#define INLINE TARGET __attribute__((always_inline)) static inline
#define SEPARATE TARGET __attribute__((noinline))
#define TILE 16
#define CHUNK 64
#define WORDS (CHUNK / 4)
#define CLEAR_AND_HEAD_MAX (FAN_CLEAR_BYTES_MAX + 16 * FAN_HEAD_BLOCKS_MAX)

static_assert(CLEAR_AND_HEAD_MAX <= CHUNK, "all that is a UE's own lies in the first chunk");

struct tile {
	uint8_t *text[TILE]; /* lanes without a UE write into a spare packet */
	__m512i count;
	__m512i bearer_direction;   /* fan_context's octet, one per lane */
	__m512i k_enc[4], k_int[4]; /* word w of each UE's key in [w], most significant octet first */
	unsigned ue_count;
};

/* The same for all tiles of a batch. */
struct walk {
	const struct fan_shape *shape;
	unsigned cipher_bytes; /* text and MAC-I, when that is ciphered */
	unsigned mac_bytes;    /* clear prefix and text */
	unsigned head_bytes;   /* of the text, the UE's own */
	bool ciphers, has_mac; /* cipher is not null; there is a MAC, perhaps of zeros */
};

/* Packets of lanes without a UE, and the shared plaintext as the MAC sees it: behind room for the clear prefix. */
struct stage {
	uint8_t spare[CHUNK + FAN_PDU_BYTES_MAX + CHUNK] __attribute__((aligned(64)));
	uint8_t shared[FAN_CLEAR_BYTES_MAX + FAN_PDU_BYTES_MAX + 2 * CHUNK] __attribute__((aligned(64)));
};

static inline bool
cpu_has_avx512_stream(void)
{
	const unsigned wanted = 1U << 1 | 1U << 6 | 1U << 8 | 1U << 9 | 1U << 10; /* VBMI, VBMI2, GFNI, VAES, VPCLMULQDQ */
	unsigned eax, ebx = 0, ecx = 0, edx;

	/* The first four also tell that the operating system saves the registers. clang 14 has no names for all of the others. */
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl") && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) &&
	       (ecx & wanted) == wanted && (ebx & 1U << 21) != 0; /* IFMA */
}

static inline bool
takes_algorithm(const struct fan_shape *shape, unsigned algorithm)
{
	const bool has_mac = shape->sequence != FAN_CIPHER_ONLY;

	if ((shape->cipher != algorithm && shape->cipher != 0) ||
	    (has_mac && shape->integrity != algorithm && shape->integrity != 0))
		return false;
	return shape->cipher == algorithm || (has_mac && shape->integrity == algorithm);
}

static inline struct walk
plan_walk(const struct fan_shape *shape)
{
	return (struct walk){
		.shape = shape,
		.cipher_bytes = shape->text_bytes + fan_shape_trailer_bytes(shape),
		.mac_bytes = (unsigned)shape->clear_bytes + shape->text_bytes,
		.head_bytes = fan_shape_head_bytes(shape),
		.ciphers = shape->cipher != 0,
		.has_mac = shape->sequence != FAN_CIPHER_ONLY,
	};
}

/* Between clocks: cells are read from the scratch, where they are wiped, and not from copies that the compiler would keep on the
 * stack for want of registers. */
INLINE void
settle(void)
{
	__asm__ volatile("" : : : "memory");
}

/* ---- Octets ---------------------------------------------------------------------------------------------------------------- */

/* Octets 0 .. octets - 1 of 64. */
static inline __mmask64
first_octets(unsigned octets)
{
	return octets >= CHUNK ? ~0ULL : (1ULL << octets) - 1;
}

/* Of a chunk, the octets before `end`, which is counted from the first chunk. */
static inline __mmask64
octets_before(unsigned end, unsigned chunk)
{
	return end <= chunk * CHUNK ? 0 : first_octets(end - chunk * CHUNK);
}

static inline unsigned
chunks_of(unsigned octets)
{
	return (octets + CHUNK - 1) / CHUNK;
}

/* Words to be made for the chunk, of so many that the PDU needs. */
static inline unsigned
words_of_chunk(unsigned words, unsigned chunk)
{
	return words <= chunk * WORDS ? 0 : words - chunk * WORDS < WORDS ? words - chunk * WORDS : WORDS;
}

INLINE __m512i
swap_octets(__m512i words)
{
	return _mm512_shuffle_epi8(words,
				   _mm512_broadcast_i32x4(_mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3)));
}

/* ---- Turning --------------------------------------------------------------------------------------------------------------- */

/* Four columns of words to four registers in which lane l of out[j] holds the words of UE 4l + j. */
INLINE void
turn_quarter(__m512i out[4], __m512i a, __m512i b, __m512i c, __m512i d)
{
	const __m512i ab_low = _mm512_unpacklo_epi32(a, b), cd_low = _mm512_unpacklo_epi32(c, d);
	const __m512i ab_high = _mm512_unpackhi_epi32(a, b), cd_high = _mm512_unpackhi_epi32(c, d);

	out[0] = _mm512_unpacklo_epi64(ab_low, cd_low);
	out[1] = _mm512_unpackhi_epi64(ab_low, cd_low);
	out[2] = _mm512_unpacklo_epi64(ab_high, cd_high);
	out[3] = _mm512_unpackhi_epi64(ab_high, cd_high);
}

/* 16 columns to 16 rows. `flip` 1 changes the two words of each 64 bits, so that these are one big-endian number. */
INLINE void
turn(__m512i row[TILE], const __m512i column[WORDS], const unsigned flip)
{
	__m512i part[4][4];

	for (unsigned b = 0; b < 4; b++)
		turn_quarter(part[b], column[(4 * b) ^ flip], column[(4 * b + 1) ^ flip], column[(4 * b + 2) ^ flip],
			     column[(4 * b + 3) ^ flip]);
	for (unsigned j = 0; j < 4; j++) {
		const __m512i low01 = _mm512_shuffle_i32x4(part[0][j], part[1][j], 0x44);
		const __m512i low23 = _mm512_shuffle_i32x4(part[2][j], part[3][j], 0x44);
		const __m512i high01 = _mm512_shuffle_i32x4(part[0][j], part[1][j], 0xee);
		const __m512i high23 = _mm512_shuffle_i32x4(part[2][j], part[3][j], 0xee);

		row[j] = _mm512_shuffle_i32x4(low01, low23, 0x88);
		row[4 + j] = _mm512_shuffle_i32x4(low01, low23, 0xdd);
		row[8 + j] = _mm512_shuffle_i32x4(high01, high23, 0x88);
		row[12 + j] = _mm512_shuffle_i32x4(high01, high23, 0xdd);
	}
}

/* ---- Tiles ----------------------------------------------------------------------------------------------------------------- */

INLINE __m512i
four_keys(const uint8_t *const key[TILE], unsigned first)
{
	__m512i out = _mm512_castsi128_si512(_mm_loadu_si128((const void *)key[first]));

	out = _mm512_inserti32x4(out, _mm_loadu_si128((const void *)key[first + 4]), 1);
	out = _mm512_inserti32x4(out, _mm_loadu_si128((const void *)key[first + 8]), 2);
	return _mm512_inserti32x4(out, _mm_loadu_si128((const void *)key[first + 12]), 3);
}

INLINE void
turn_keys(__m512i word[4], const uint8_t *const key[TILE])
{
	turn_quarter(word, four_keys(key, 0), four_keys(key, 1), four_keys(key, 2), four_keys(key, 3));
	for (unsigned w = 0; w < 4; w++)
		word[w] = swap_octets(word[w]);
}

/* UEs `first` and on of the batch; lanes behind the last repeat UE `first`, into the spare packet. */
TARGET static void
load_tile(struct tile *tile, struct stage *stage, const struct fan_batch *batch, unsigned first)
{
	const uint8_t *k_enc[TILE], *k_int[TILE];
	uint32_t count[TILE] __attribute__((aligned(64))), bearer_direction[TILE] __attribute__((aligned(64)));

	tile->ue_count = batch->ue_count - first < TILE ? batch->ue_count - first : TILE;
	for (unsigned i = 0; i < TILE; i++) {
		const unsigned ue = i < tile->ue_count ? first + i : first;

		k_enc[i] = batch->context[ue]->k_enc;
		k_int[i] = batch->context[ue]->k_int;
		tile->text[i] = i < tile->ue_count ? batch->text[ue] : stage->spare + CHUNK;
		count[i] = batch->count[ue];
		bearer_direction[i] = batch->context[ue]->bearer_direction;
	}
	turn_keys(tile->k_enc, k_enc);
	turn_keys(tile->k_int, k_int);
	tile->count = _mm512_load_si512(count);
	tile->bearer_direction = _mm512_load_si512(bearer_direction);
}

/* MAC input that the UEs share, with zeros where clear prefix and end of the last chunk are. */
static inline void
stage_shared(struct stage *stage, const struct walk *walk)
{
	const struct fan_shape *shape = walk->shape;

	memset(stage->shared, 0, FAN_CLEAR_BYTES_MAX);
	memcpy(stage->shared + shape->clear_bytes, shape->message, shape->text_bytes);
	memset(stage->shared + walk->mac_bytes, 0, CHUNK);
}

/* ---- Chunks ---------------------------------------------------------------------------------------------------------------- */

/* Ciphers a chunk: keystream columns XOR plaintext, into the packets. MAC-I, when it is ciphered, lies in the packet already. */
INLINE void
cipher_chunk(const struct tile *tile, const struct walk *walk, const __m512i column[WORDS], unsigned chunk)
{
	const struct fan_shape *shape = walk->shape;
	const unsigned text_bytes = shape->text_bytes, at = chunk * CHUNK;
	const __mmask64 text = octets_before(text_bytes, chunk), all = octets_before(walk->cipher_bytes, chunk);
	const __mmask64 own = octets_before(walk->head_bytes, chunk) | (all & ~text);
	const __m512i shared = _mm512_maskz_loadu_epi8(text, shape->message + (text != 0 ? at : 0));
	__m512i row[TILE];

	turn(row, column, 0);
	if (own == 0 && all == ~0ULL) {
		for (unsigned i = 0; i < TILE; i++)
			_mm512_storeu_si512(tile->text[i] + at, _mm512_xor_si512(swap_octets(row[i]), shared));
		return;
	}
	for (unsigned i = 0; i < TILE; i++) {
		const __m512i plain = _mm512_mask_loadu_epi8(shared, own, tile->text[i] + at);

		_mm512_mask_storeu_epi8(tile->text[i] + at, all, _mm512_xor_si512(swap_octets(row[i]), plain));
	}
}

/* Null ciphering. */
INLINE void
place_text(const struct tile *tile, const struct walk *walk)
{
	const struct fan_shape *shape = walk->shape;

	for (unsigned i = 0; i < tile->ue_count; i++)
		memcpy(tile->text[i] + walk->head_bytes, shape->message + walk->head_bytes,
		       shape->text_bytes - walk->head_bytes);
}

/* A chunk of a UE's MAC input, zeros behind its end. */
INLINE __m512i
mac_chunk(const struct tile *tile, const struct stage *stage, const struct walk *walk, unsigned ue, unsigned chunk)
{
	const uint8_t *input = tile->text[ue] - walk->shape->clear_bytes;

	if (walk->shape->sequence == FAN_CIPHER_THEN_MAC)
		return _mm512_maskz_loadu_epi8(octets_before(walk->mac_bytes, chunk), input + chunk * CHUNK);
	if (chunk == 0)
		return _mm512_mask_loadu_epi8(_mm512_load_si512(stage->shared),
					      first_octets(walk->shape->clear_bytes + walk->head_bytes), input);
	return _mm512_load_si512(stage->shared + chunk * CHUNK);
}

/* In: a MAC per lane. */
INLINE void
store_macs(const struct tile *tile, const struct walk *walk, __m512i macs)
{
	const struct fan_shape *shape = walk->shape;
	const ptrdiff_t at = shape->sequence == FAN_CIPHER_THEN_MAC ? -(ptrdiff_t)shape->clear_bytes - FAN_MAC_BYTES
								    : (ptrdiff_t)shape->text_bytes;
	uint32_t octets[TILE] __attribute__((aligned(64)));

	_mm512_store_si512(octets, swap_octets(macs));
	for (unsigned i = 0; i < TILE; i++)
		memcpy(tile->text[i] + at, &octets[i], sizeof(octets[i]));
}

#endif
