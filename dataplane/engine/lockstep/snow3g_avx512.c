/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 128-EEA1 and 128-EIA1 (TS 35.215, TS 33.401 B.1.2, B.2.2) of 16 UEs side by side. SNOW 3G (TS 35.216) by vector instructions that
 * take the same time whatever they work on:
 *	S1		one AES round (S-box and column mix are AES's own), ShiftRows undone before
 *	S2		256 octets of table in four registers
 *	MUL, DIV alpha	linear in one octet: an 8x8 bit matrix per octet of the result, one affine instruction for 16 UEs
 * The MAC is a polynomial in P of GF(2^64): 8 blocks of a chunk meet P^8 .. P^1 in four carry-less products, reduced once.
 */
#include "stream_avx512.h"

/* LFSR cell t of TS 35.216 lies in s[t % 16]: 16 clocks move nothing. */
struct stream {
	__m512i s[16];
	__m512i r1, r2, r3;
};

/* Constants of the clock. */
struct tables {
	__m512i sq[4];                          /* S_Q, 64 octets each */
	__m512i sq_double;                      /* matrix of MULx in S_Q's field */
	__m512i mul_alpha, div_alpha;           /* matrices, qword q for octet q % 4 of the result */
	__m512i pick_highest, pick_lowest, put; /* octet 3, or 0, of each UE to where the matrices want it, and back */
	__m512i unshift_rows;
};

struct fan_lockstep_scratch {
	struct tables tables;
	struct tile tile;
	struct stream enc, integrity;
	__m512i column[WORDS];
	__m512i hash[5];             /* z1 .. z5 of f9 */
	uint64_t power[TILE + 1][8]; /* P^8 .. P^1 of each UE; what is read behind the last meets zeros */
	uint64_t value[TILE] __attribute__((aligned(64)));
	struct stage stage;
};

/* ---- Constants ------------------------------------------------------------------------------------------------------------- */

/* TS 35.216 3.4.2, 3.4.3: the values at the octets 1 << i; both maps are linear. */
static const uint32_t mul_alpha_of_bit[8] = {
	0xe19fcf13, 0x6b973726, 0xd6876e4c, 0x05a7dc98, 0x0ae71199, 0x1467229b, 0x28ce449f, 0x50358897,
};
static const uint32_t div_alpha_of_bit[8] = {
	0x180f40cd, 0x301e8033, 0x603ca966, 0xc078fbcc, 0x29f05f31, 0x5249be62, 0xa492d5c4, 0xe18d0321,
};
/* MULx modulo 0x169. */
static const uint32_t sq_double_of_bit[8] = { 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x69 };

/* The matrix of a linear map, for octet `octet` of its result, as GFNI wants it: row of result bit i in octet 7 - i. */
static uint64_t
matrix(const uint32_t value_of_bit[8], unsigned octet)
{
	uint64_t rows = 0;

	for (unsigned i = 0; i < 8; i++)
		for (unsigned k = 0; k < 8; k++)
			rows |= (uint64_t)(value_of_bit[k] >> (8 * octet + i) & 1) << (8 * (7 - i) + k);
	return rows;
}

/* a b in GF(2^8) by the field polynomial of S_Q (TS 35.216 3.1.2). */
static uint8_t
product(uint8_t a, uint8_t b)
{
	unsigned sum = 0;

	for (int bit = 7; bit >= 0; bit--) {
		sum = sum << 1 ^ (sum & 0x80 ? 0x169 : 0);
		sum ^= b >> bit & 1 ? a : 0U;
	}
	return (uint8_t)sum;
}

/* S_Q: 0x25 and nine powers of x (TS 35.216 3.3.2). Made of its definition, so that nothing is shared with the judge. */
static void
fill_sq(uint8_t sq[256])
{
	static const uint64_t exponents = UINT64_C(1) << 1 | UINT64_C(1) << 9 | UINT64_C(1) << 13 | UINT64_C(1) << 15 |
					  UINT64_C(1) << 33 | UINT64_C(1) << 41 | UINT64_C(1) << 45 | UINT64_C(1) << 47 |
					  UINT64_C(1) << 49;

	for (unsigned x = 0; x < 256; x++) {
		uint8_t power = 1;

		sq[x] = 0x25;
		for (unsigned exponent = 1; exponent <= 49; exponent++) {
			power = product(power, (uint8_t)x);
			sq[x] ^= exponents >> exponent & 1 ? power : 0;
		}
	}
}

SEPARATE static void
init_scratch(struct fan_lockstep_scratch *scratch)
{
	struct tables *tables = &scratch->tables;
	uint8_t highest[64], lowest[64], put[64], unshift[64], sq[256];
	uint64_t mul[8], div[8];

	fill_sq(sq);
	for (unsigned q = 0; q < 8; q++) {
		mul[q] = matrix(mul_alpha_of_bit, q % 4);
		div[q] = matrix(div_alpha_of_bit, q % 4);
		for (unsigned k = 0; k < 8; k++) {
			const unsigned ue = q / 4 * 8 + k;

			lowest[8 * q + k] = (uint8_t)(4 * ue);
			highest[8 * q + k] = (uint8_t)(4 * ue + 3);
			put[4 * ue + q % 4] = (uint8_t)(8 * q + k);
		}
	}
	for (unsigned i = 0; i < 64; i++)
		unshift[i] = (uint8_t)((i / 4 - i % 4) % 4 * 4 + i % 4);
	for (unsigned i = 0; i < 4; i++)
		tables->sq[i] = _mm512_loadu_si512(sq + i * 64);
	tables->sq_double = _mm512_set1_epi64((long long)matrix(sq_double_of_bit, 0));
	tables->mul_alpha = _mm512_loadu_si512(mul);
	tables->div_alpha = _mm512_loadu_si512(div);
	tables->pick_highest = _mm512_loadu_si512(highest);
	tables->pick_lowest = _mm512_loadu_si512(lowest);
	tables->put = _mm512_loadu_si512(put);
	tables->unshift_rows = _mm512_loadu_si512(unshift);
}

/* ---- SNOW 3G --------------------------------------------------------------------------------------------------------------- */

INLINE __m512i
s1(__m512i words, const struct tables *tables)
{
	return _mm512_aesenc_epi128(_mm512_shuffle_epi8(words, tables->unshift_rows), _mm512_setzero_si512());
}

/* The column mix 2a ^ b ^ c ^ 3d, with y = a ^ d, is 2y ^ (b ^ c) ^ d, where b ^ c is y two octets on. */
INLINE __m512i
s2(__m512i words, const struct tables *tables)
{
	const __m512i low = _mm512_permutex2var_epi8(tables->sq[0], words, tables->sq[1]);
	const __m512i high = _mm512_permutex2var_epi8(tables->sq[2], words, tables->sq[3]);
	const __m512i a = _mm512_mask_blend_epi8(_mm512_movepi8_mask(words), low, high), d = _mm512_rol_epi32(a, 24);
	const __m512i y = _mm512_xor_si512(a, d);

	return _mm512_ternarylogic_epi32(_mm512_gf2p8affine_epi64_epi8(y, tables->sq_double, 0), _mm512_rol_epi32(y, 16), d,
					 0x96);
}

/* What the LFSR feeds back in keystream mode (TS 35.216 3.4.5). */
INLINE __m512i
feedback(__m512i s0, __m512i s2, __m512i s11, const struct tables *tables)
{
	const __m512i mul = _mm512_gf2p8affine_epi64_epi8(_mm512_permutexvar_epi8(tables->pick_highest, s0), tables->mul_alpha,
							  0);
	const __m512i div = _mm512_gf2p8affine_epi64_epi8(_mm512_permutexvar_epi8(tables->pick_lowest, s11), tables->div_alpha,
							  0);
	const __m512i shifted = _mm512_ternarylogic_epi32(_mm512_slli_epi32(s0, 8), s2, _mm512_srli_epi32(s11, 8), 0x96);

	return _mm512_xor_si512(shifted, _mm512_permutexvar_epi8(tables->put, _mm512_xor_si512(mul, div)));
}

/* FSM registers, while they are in use. */
struct fsm {
	__m512i r1, r2, r3;
};

/* One clock with cell 0 in s[i]. Returns F XOR s0, the keystream word; initialisation mode feeds F in. */
INLINE __m512i
clock(__m512i *s, struct fsm *fsm, const struct tables *tables, const unsigned i, const bool initialises)
{
	const __m512i s0 = s[i % 16], s15 = s[(i + 15) % 16];
	const __m512i sum = _mm512_add_epi32(s15, fsm->r1);
	const __m512i r = _mm512_add_epi32(fsm->r2, _mm512_xor_si512(fsm->r3, s[(i + 5) % 16]));
	const __m512i next = feedback(s0, s[(i + 2) % 16], s[(i + 11) % 16], tables);
	const __m512i z = _mm512_ternarylogic_epi32(sum, fsm->r2, s0, 0x96);

	s[i % 16] = initialises ? _mm512_ternarylogic_epi32(next, sum, fsm->r2, 0x96) : next;
	fsm->r3 = s2(fsm->r2, tables);
	fsm->r2 = s1(fsm->r1, tables);
	fsm->r1 = r;
	return z;
}

/* TS 35.216 4.1. The key of f8 and f9 fills K3 first, K0 last. */
INLINE void
load_snow(struct stream *snow, const __m512i key[4], __m512i iv0, __m512i iv1, __m512i iv2, __m512i iv3)
{
	__m512i *s = snow->s;

	for (unsigned i = 0; i < 4; i++) {
		s[4 + i] = s[12 + i] = key[3 - i];
		s[i] = s[8 + i] = _mm512_xor_si512(key[3 - i], _mm512_set1_epi32(-1));
	}
	s[15] = _mm512_xor_si512(s[15], iv0);
	s[12] = _mm512_xor_si512(s[12], iv1);
	s[10] = _mm512_xor_si512(s[10], iv2);
	s[9] = _mm512_xor_si512(s[9], iv3);
	snow->r1 = snow->r2 = snow->r3 = _mm512_setzero_si512();
}

/* TS 35.215 3.4: IV of f8. */
INLINE void
load_enc(struct stream *snow, const struct tile *tile)
{
	const __m512i bearer_direction = _mm512_slli_epi32(tile->bearer_direction, 24);

	load_snow(snow, tile->k_enc, bearer_direction, tile->count, bearer_direction, tile->count);
}

/* TS 35.215 4.4: IV of f9, with FRESH = BEARER << 27. */
INLINE void
load_integrity(struct stream *snow, const struct tile *tile)
{
	const __m512i direction = _mm512_and_si512(_mm512_srli_epi32(tile->bearer_direction, 2), _mm512_set1_epi32(1));
	const __m512i fresh = _mm512_slli_epi32(_mm512_srli_epi32(tile->bearer_direction, 3), 27);

	load_snow(snow, tile->k_int, _mm512_xor_si512(fresh, _mm512_slli_epi32(direction, 15)),
		  _mm512_xor_si512(tile->count, _mm512_slli_epi32(direction, 31)), fresh, tile->count);
}

/* 32 clocks of initialisation and the discarded one: cell 0 is in s[1] afterwards. `two` NULL: one alone. */
INLINE void
initialise(struct stream *one, struct stream *two, const struct tables *constants)
{
	const struct tables copy = *constants, *tables = &copy;
	struct fsm a = { one->r1, one->r2, one->r3 }, b = a;

	for (unsigned half = 0; half < 2; half++) {
#pragma GCC unroll 16
		for (unsigned i = 0; i < 16; i++) {
			clock(one->s, &a, tables, i, true);
			if (two != NULL)
				clock(two->s, &b, tables, i, true);
			settle();
		}
	}
	clock(one->s, &a, tables, 0, false);
	one->r1 = a.r1;
	one->r2 = a.r2;
	one->r3 = a.r3;
	if (two != NULL) {
		clock(two->s, &b, tables, 0, false);
		two->r1 = b.r1;
		two->r2 = b.r2;
		two->r3 = b.r3;
	}
}

/* The next keystream words, at most 16 and fewer only at the end. */
SEPARATE static void
generate(struct stream *snow, __m512i *column, const struct tables *constants, unsigned words)
{
	const struct tables copy = *constants, *tables = &copy;
	struct fsm fsm = { snow->r1, snow->r2, snow->r3 };

#pragma GCC unroll 16
	for (unsigned i = 0; i < WORDS; i++) {
		if (i == words)
			break;
		column[i] = clock(snow->s, &fsm, tables, i + 1, false);
		settle();
	}
	snow->r1 = fsm.r1;
	snow->r2 = fsm.r2;
	snow->r3 = fsm.r3;
}

/* ---- UIA2's polynomial ------------------------------------------------------------------------------------------------------- */

/* Products of 8 pairs in GF(2^64) modulo x^64 + x^4 + x^3 + x + 1 (TS 35.215 4.3.4). */
INLINE __m512i
multiply_64(__m512i a, __m512i b)
{
	const __m512i even = _mm512_clmulepi64_epi128(a, b, 0x00), odd = _mm512_clmulepi64_epi128(a, b, 0x11);
	const __m512i high = _mm512_unpackhi_epi64(even, odd), low = _mm512_unpacklo_epi64(even, odd);
	const __m512i over = _mm512_ternarylogic_epi64(_mm512_srli_epi64(high, 63), _mm512_srli_epi64(high, 61),
						       _mm512_srli_epi64(high, 60), 0x96);
	const __m512i fold = _mm512_xor_si512(high, over);
	const __m512i shifted = _mm512_ternarylogic_epi64(_mm512_slli_epi64(fold, 1), _mm512_slli_epi64(fold, 3),
							  _mm512_slli_epi64(fold, 4), 0x96);

	return _mm512_ternarylogic_epi64(low, fold, shifted, 0x96);
}

/* 64 bits of each UE from two words: UEs 4l and 4l + 1 in lane l of out[0], 4l + 2 and 4l + 3 in out[1]. */
INLINE void
join_words(__m512i out[2], __m512i high, __m512i low)
{
	out[0] = _mm512_unpacklo_epi32(low, high);
	out[1] = _mm512_unpackhi_epi32(low, high);
}

/* 8 registers of 8 numbers: number u of register k to number k of register u. */
INLINE void
turn_numbers(__m512i out[8], const __m512i in[8])
{
	__m512i pair[8];

	for (unsigned k = 0; k < 8; k += 2) {
		pair[k] = _mm512_unpacklo_epi64(in[k], in[k + 1]);
		pair[k + 1] = _mm512_unpackhi_epi64(in[k], in[k + 1]);
	}
	for (unsigned odd = 0; odd < 2; odd++) {
		const __m512i low0 = _mm512_shuffle_i64x2(pair[odd], pair[2 + odd], 0x44);
		const __m512i low1 = _mm512_shuffle_i64x2(pair[4 + odd], pair[6 + odd], 0x44);
		const __m512i high0 = _mm512_shuffle_i64x2(pair[odd], pair[2 + odd], 0xee);
		const __m512i high1 = _mm512_shuffle_i64x2(pair[4 + odd], pair[6 + odd], 0xee);

		out[odd] = _mm512_shuffle_i64x2(low0, low1, 0x88);
		out[2 + odd] = _mm512_shuffle_i64x2(low0, low1, 0xdd);
		out[4 + odd] = _mm512_shuffle_i64x2(high0, high1, 0x88);
		out[6 + odd] = _mm512_shuffle_i64x2(high0, high1, 0xdd);
	}
}

/* P^8 .. P^1 per UE, or as many as the message has blocks. Half h holds UEs 4l + 2h and 4l + 2h + 1 in its lane l. */
INLINE void
make_powers(struct fan_lockstep_scratch *scratch, unsigned blocks)
{
	__m512i p[2], power[2][8], row[8];

	join_words(p, scratch->hash[0], scratch->hash[1]);
	for (unsigned h = 0; h < 2; h++) {
		for (unsigned k = 0; k < 8; k++)
			power[h][k] = p[h];
		if (blocks > 1)
			power[h][6] = multiply_64(p[h], p[h]);
		if (blocks > 2) {
			power[h][5] = multiply_64(power[h][6], p[h]);
			power[h][4] = multiply_64(power[h][6], power[h][6]);
		}
		if (blocks > 4) {
			power[h][3] = multiply_64(power[h][4], p[h]);
			power[h][2] = multiply_64(power[h][5], power[h][5]);
			power[h][1] = multiply_64(power[h][4], power[h][5]);
			power[h][0] = multiply_64(power[h][4], power[h][4]);
		}
		turn_numbers(row, power[h]);
		for (unsigned u = 0; u < 8; u++)
			_mm512_store_si512(scratch->power[u / 2 * 4 + 2 * h + u % 2], row[u]);
	}
}

/* value * P^blocks + the chunk's blocks times P^blocks .. P^1, for one UE. */
INLINE uint64_t
evaluate(uint64_t value, __m512i chunk, const uint64_t *powers)
{
	const __m128i reduction = _mm_cvtsi64_si128(0x1b);
	const __m512i reverse = _mm512_broadcast_i32x4(_mm_set_epi8(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
	const __m512i start = _mm512_zextsi128_si512(_mm_cvtsi64_si128((long long)value));
	const __m512i blocks = _mm512_xor_si512(_mm512_shuffle_epi8(chunk, reverse), start);
	const __m512i p = _mm512_loadu_si512(powers);
	const __m512i product = _mm512_xor_si512(_mm512_clmulepi64_epi128(blocks, p, 0x00),
						 _mm512_clmulepi64_epi128(blocks, p, 0x11));
	const __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(product), _mm512_extracti64x4_epi64(product, 1));
	const __m128i sum = _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
	const __m128i fold = _mm_clmulepi64_si128(sum, reduction, 0x01);

	return (uint64_t)_mm_cvtsi128_si64(
		_mm_ternarylogic_epi64(sum, fold, _mm_clmulepi64_si128(fold, reduction, 0x01), 0x96));
}

/* The end of f9: XOR LENGTH, times Q, its high half XOR z5 (TS 35.215 4.4). */
INLINE __m512i
finish_macs(const struct fan_lockstep_scratch *scratch, unsigned mac_bytes)
{
	const __m512i bits = _mm512_set1_epi64(8 * (long long)mac_bytes);
	__m512i q[2], product[2];

	join_words(q, scratch->hash[2], scratch->hash[3]);
	for (unsigned h = 0; h < 2; h++)
		product[h] = multiply_64(_mm512_xor_si512(_mm512_load_si512(scratch->value + 8 * h), bits), q[h]);
	return _mm512_xor_si512(_mm512_castps_si512(_mm512_shuffle_ps(_mm512_castsi512_ps(product[0]),
								      _mm512_castsi512_ps(product[1]), 0xdd)),
				scratch->hash[4]);
}

/* Where finish_macs() wants a UE's value. */
static inline unsigned
value_place(unsigned ue)
{
	return ue / 2 % 2 * 8 + ue / 4 * 2 + ue % 2;
}

SEPARATE static void
protect_integrity(struct fan_lockstep_scratch *scratch, const struct walk *walk)
{
	const unsigned blocks = (walk->mac_bytes + 7) / 8;

	generate(&scratch->integrity, scratch->hash, &scratch->tables, 5);
	make_powers(scratch, blocks);
	memset(scratch->value, 0, sizeof(scratch->value));
	for (unsigned chunk = 0; chunk < chunks_of(walk->mac_bytes); chunk++) {
		const unsigned left = blocks - 8 * chunk, skip = left < 8 ? 8 - left : 0;

		for (unsigned i = 0; i < TILE; i++) {
			uint64_t *value = &scratch->value[value_place(i)];

			*value = evaluate(*value, mac_chunk(&scratch->tile, &scratch->stage, walk, i, chunk),
					  scratch->power[i] + skip);
		}
	}
	store_macs(&scratch->tile, walk, finish_macs(scratch, walk->mac_bytes));
}

#include "stream_walk.h"

static bool
takes(const struct fan_shape *shape)
{
	return takes_algorithm(shape, 1);
}

const struct fan_lockstep fan_lockstep_snow3g_avx512 = {
	.instructions = "AVX-512 with VBMI2, IFMA, GFNI, VAES and VPCLMULQDQ",
	.runs = cpu_has_avx512_stream,
	.takes = takes,
	.scratch_bytes = sizeof(struct fan_lockstep_scratch),
	.init = init_scratch,
	.protect = protect,
};
