/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 128-EEA3 and 128-EIA3 (TS 35.221, TS 33.401 B.1.4, B.2.4) of 16 UEs side by side. ZUC (TS 35.222) by vector instructions that take
 * the same time whatever they work on:
 *	S0	256 octets of table in four registers
 *	S1	an affine map of the inverse modulo 0x18b: moved to the field of GFNI's inverse by one affine instruction, and back by
 *		the one that inverts
 *	LFSR	sums of products below 2^53 in 64-bit lanes, even and odd UEs apart, folded modulo 2^31 - 1 together
 * Both S-boxes work on one register for F's two words: octets 3 and 1 of both words go through S0, 2 and 0 through S1.
 *
 * The MAC is a sum of 32-bit windows of the keystream, one per message bit that is set: a carry-less product of the reversed message
 * bits with the keystream has this sum among its coefficients, so a chunk of 64 octets takes four instructions and no reduction.
 */
#include "stream_avx512.h"

#define EVEN_OCTETS 0x5555555555555555ULL
#define ODD_LANES 0xaaaa

/* F's memory and the newest cell, while they are in use: the next clock would wait for the cell to come back from the scratch. */
struct memory {
	__m512i r1, r2;
	__m512i doubled, even, odd;
};

/* LFSR cell t of TS 35.222 lies at [t % 16], so that 16 clocks move nothing; and in the forms in which it is used. */
struct stream {
	__m512i s[16];             /* 31 bits per 32-bit lane */
	__m512i doubled[16];       /* s << 1: its high half is s_H */
	__m512i even[16], odd[16]; /* 31 bits per 64-bit lane, even and odd UEs */
	struct memory memory;
};

/* Constants of the clock. */
struct tables {
	__m512i s0[4]; /* 64 octets each */
	__m512i to_inverse, from_inverse;
	__m512i rotate_8, rotate_16, rotate_24;
	__m512i factor_8, factor_15, factor_17, factor_20, factor_21; /* 2^n */
};

struct fan_lockstep_scratch {
	struct tables tables;
	struct tile tile;
	struct stream enc, integrity;
	__m512i column[WORDS];
	__m512i row[2][TILE];          /* EIA3's keystream: chunk c of each UE in [c % 2], in big-endian numbers of 64 bits */
	__m512i low[TILE], high[TILE]; /* sums of products, MACs within */
	struct stage stage;
};

/* The 15-bit constants D of TS 35.222 3.5. */
static const uint16_t key_constants[16] = {
	0x44d7, 0x26bc, 0x626b, 0x135e, 0x5789, 0x35e2, 0x7135, 0x09af,
	0x4d78, 0x2f13, 0x6bc4, 0x1af1, 0x5e26, 0x3c4d, 0x789a, 0x47ac,
};

/* Rotates each word left by whole octets. */
INLINE __m512i
rotation(unsigned octets)
{
	uint8_t from[64] __attribute__((aligned(64)));

	for (unsigned i = 0; i < 64; i++)
		from[i] = (uint8_t)(i / 4 * 4 + (i - octets) % 4);
	return _mm512_load_si512(from);
}

/* S0: three rounds on halves of four bits, then a rotation by five (TS 35.222 3.4.2). Made of its definition, so that nothing is shared
 * with the judge. */
static void
fill_s0(uint8_t s0[256])
{
	static const uint8_t p1[16] = { 9, 15, 0, 14, 15, 15, 2, 10, 0, 4, 0, 12, 7, 5, 3, 9 };
	static const uint8_t p2[16] = { 8, 13, 6, 5, 7, 0, 12, 4, 11, 1, 14, 10, 15, 3, 9, 2 };
	static const uint8_t p3[16] = { 2, 6, 10, 6, 0, 13, 10, 15, 3, 3, 13, 5, 0, 9, 12, 13 };

	for (unsigned x = 0; x < 256; x++) {
		const unsigned high = x >> 4 ^ p1[x & 15], low = (x & 15) ^ p2[high];
		const unsigned joined = (high ^ p3[low]) << 4 | low;

		s0[x] = (uint8_t)(joined << 5 | joined >> 3);
	}
}

SEPARATE static void
init_scratch(struct fan_lockstep_scratch *scratch)
{
	struct tables *tables = &scratch->tables;
	uint8_t s0[256];

	fill_s0(s0);
	for (unsigned i = 0; i < 4; i++)
		tables->s0[i] = _mm512_loadu_si512(s0 + i * 64);
	/* x to 0x32, a root of 0x18b modulo 0x11b; then, behind the inverse, back and through S1's own matrix. */
	tables->to_inverse = _mm512_set1_epi64((long long)0xdd06c8f01eae7c70);
	tables->from_inverse = _mm512_set1_epi64((long long)0xb903e5360f14f0e3);
	tables->rotate_8 = rotation(1);
	tables->rotate_16 = rotation(2);
	tables->rotate_24 = rotation(3);
	tables->factor_8 = _mm512_set1_epi64(1 << 8);
	tables->factor_15 = _mm512_set1_epi64(1 << 15);
	tables->factor_17 = _mm512_set1_epi64(1 << 17);
	tables->factor_20 = _mm512_set1_epi64(1 << 20);
	tables->factor_21 = _mm512_set1_epi64(1 << 21);
}

/* ---- ZUC --------------------------------------------------------------------------------------------------------------------- */

INLINE __m512i
s0(__m512i octets, const struct tables *tables)
{
	const __m512i low = _mm512_permutex2var_epi8(tables->s0[0], octets, tables->s0[1]);
	const __m512i high = _mm512_permutex2var_epi8(tables->s0[2], octets, tables->s0[3]);

	return _mm512_mask_blend_epi8(_mm512_movepi8_mask(octets), low, high);
}

INLINE __m512i
s1(__m512i octets, const struct tables *tables)
{
	return _mm512_gf2p8affineinv_epi64_epi8(_mm512_gf2p8affine_epi64_epi8(octets, tables->to_inverse, 0),
						tables->from_inverse, 0x55);
}

/* New R1 and R2 from W1 and W2 (TS 35.222 3.4). The second word goes rotated by one octet and a half word, which costs nothing
 * and puts its octets for S0 between those of the first; L2 does not mind a rotation. */
INLINE void
update_memory(struct memory *memory, __m512i w1, __m512i w2, const struct tables *tables)
{
	const __m512i u = _mm512_shldi_epi32(w1, w2, 16), v = _mm512_mask_blend_epi16(0xaaaaaaaa, w2, w1);
	const __m512i u2 = _mm512_rol_epi32(u, 2), v22 = _mm512_rol_epi32(v, 22);
	const __m512i u10 = _mm512_shuffle_epi8(u2, tables->rotate_8), u18 = _mm512_shuffle_epi8(u2, tables->rotate_16);
	const __m512i u24 = _mm512_shuffle_epi8(u, tables->rotate_24), v24 = _mm512_shuffle_epi8(v, tables->rotate_24);
	const __m512i v6 = _mm512_shuffle_epi8(v22, tables->rotate_16), v14 = _mm512_shuffle_epi8(v22, tables->rotate_24);
	const __m512i l1 = _mm512_ternarylogic_epi32(_mm512_ternarylogic_epi32(u, u24, u2, 0x96), u10, u18, 0x96);
	const __m512i l2 = _mm512_ternarylogic_epi32(_mm512_ternarylogic_epi32(v, v24, v22, 0x96), v6, v14, 0x96);
	const __m512i by_s0 = s0(_mm512_mask_blend_epi8(EVEN_OCTETS, l1, l2), tables);
	const __m512i by_s1 = s1(_mm512_mask_blend_epi8(EVEN_OCTETS, l2, l1), tables);

	memory->r1 = _mm512_mask_blend_epi8(EVEN_OCTETS, by_s0, by_s1);
	memory->r2 = _mm512_shuffle_epi8(_mm512_mask_blend_epi8(EVEN_OCTETS, by_s1, by_s0), tables->rotate_24);
}

/* 1 .. 2p to 1 .. p, where p = 2^31 - 1. */
INLINE __m512i
reduce(__m512i sum)
{
	return _mm512_add_epi32(_mm512_and_si512(sum, _mm512_set1_epi32(0x7fffffff)), _mm512_srli_epi32(sum, 31));
}

/* 2^15 s15 + 2^17 s13 + 2^21 s10 + 2^20 s4 + (1 + 2^8) s0. */
INLINE __m512i
weigh(const __m512i *s, __m512i s15, const struct tables *tables, const unsigned i)
{
	__m512i sum = _mm512_madd52lo_epu64(s[i % 16], s[i % 16], tables->factor_8);

	sum = _mm512_madd52lo_epu64(sum, s[(i + 4) % 16], tables->factor_20);
	sum = _mm512_madd52lo_epu64(sum, s[(i + 10) % 16], tables->factor_21);
	sum = _mm512_madd52lo_epu64(sum, s[(i + 13) % 16], tables->factor_17);
	return _mm512_madd52lo_epu64(sum, s15, tables->factor_15);
}

/* The next cell, 1 .. p: sums below 2^53 of even and odd UEs, whose low 31 bits meet their bits from 31 on. Initialisation mode adds
 * W >> 1. */
INLINE __m512i
feedback(const struct stream *zuc, const struct memory *memory, const struct tables *tables, const unsigned i, __m512i w,
	 const bool initialises)
{
	__m512i even = weigh(zuc->even, memory->even, tables, i), odd = weigh(zuc->odd, memory->odd, tables, i);
	__m512i low, high;

	if (initialises) {
		even = _mm512_add_epi64(even, _mm512_maskz_srli_epi32((__mmask16)~ODD_LANES, w, 1));
		odd = _mm512_add_epi64(odd, _mm512_srli_epi64(w, 33));
	}
	low = _mm512_and_si512(_mm512_mask_shuffle_epi32(even, ODD_LANES, odd, _MM_PERM_CCAA), _mm512_set1_epi32(0x7fffffff));
	high = _mm512_mask_mov_epi32(_mm512_srli_epi64(even, 31), ODD_LANES, _mm512_slli_epi64(odd, 1));
	return reduce(_mm512_add_epi32(low, high));
}

INLINE void
put_cell(struct stream *zuc, struct memory *memory, __m512i cell, const unsigned i)
{
	zuc->s[i] = cell;
	zuc->doubled[i] = memory->doubled = _mm512_add_epi32(cell, cell);
	zuc->even[i] = memory->even = _mm512_maskz_mov_epi32((__mmask16)~ODD_LANES, cell);
	zuc->odd[i] = memory->odd = _mm512_srli_epi64(cell, 32);
}

/* One clock with cell 0 at [i]. Returns the keystream word; initialisation mode feeds W >> 1 in. */
INLINE __m512i
clock(struct stream *zuc, struct memory *memory, const struct tables *tables, const unsigned i, const bool initialises)
{
	const __m512i *s = zuc->s, *doubled = zuc->doubled;
	const __m512i x0 = _mm512_mask_blend_epi16(0xaaaaaaaa, s[(i + 14) % 16], memory->doubled);
	const __m512i x1 = _mm512_shldi_epi32(s[(i + 11) % 16], doubled[(i + 9) % 16], 16);
	const __m512i x2 = _mm512_shldi_epi32(s[(i + 7) % 16], doubled[(i + 5) % 16], 16);
	const __m512i x3 = _mm512_shldi_epi32(s[(i + 2) % 16], doubled[i % 16], 16);
	const __m512i w = _mm512_add_epi32(_mm512_xor_si512(x0, memory->r1), memory->r2);
	const __m512i next = feedback(zuc, memory, tables, i, w, initialises);

	update_memory(memory, _mm512_add_epi32(memory->r1, x1), _mm512_xor_si512(memory->r2, x2), tables);
	put_cell(zuc, memory, next, i % 16);
	return _mm512_xor_si512(w, x3);
}

/* Octet i of 16 in four words. */
INLINE __m512i
octet_of(const __m512i word[4], unsigned i)
{
	return _mm512_and_si512(_mm512_srli_epi32(word[i / 4], 24 - 8 * (i % 4)), _mm512_set1_epi32(0xff));
}

/* TS 35.222 3.5. */
INLINE void
load_zuc(struct stream *zuc, const __m512i key[4], const __m512i iv[4])
{
	struct memory memory;

	for (unsigned i = 0; i < 16; i++) {
		const __m512i outer = _mm512_or_si512(_mm512_slli_epi32(octet_of(key, i), 23), octet_of(iv, i));

		put_cell(zuc, &memory, _mm512_or_si512(outer, _mm512_set1_epi32(key_constants[i] << 8)), i);
	}
	memory.r1 = memory.r2 = _mm512_setzero_si512();
	zuc->memory = memory;
}

/* TS 35.221 3.3: IV of EEA3. */
INLINE void
load_enc(struct stream *zuc, const struct tile *tile)
{
	const __m512i bearer_direction = _mm512_slli_epi32(tile->bearer_direction, 24);
	const __m512i iv[4] = { tile->count, bearer_direction, tile->count, bearer_direction };

	load_zuc(zuc, tile->k_enc, iv);
}

/* TS 35.221 4.3: IV of EIA3. */
INLINE void
load_integrity(struct stream *zuc, const struct tile *tile)
{
	const __m512i direction = _mm512_and_si512(_mm512_srli_epi32(tile->bearer_direction, 2), _mm512_set1_epi32(1));
	const __m512i bearer = _mm512_slli_epi32(_mm512_srli_epi32(tile->bearer_direction, 3), 27);
	const __m512i iv[4] = { tile->count, bearer, _mm512_xor_si512(tile->count, _mm512_slli_epi32(direction, 31)),
				_mm512_xor_si512(bearer, _mm512_slli_epi32(direction, 15)) };

	load_zuc(zuc, tile->k_int, iv);
}

/* 32 clocks of initialisation and the discarded one: cell 0 is at [1] afterwards. `two` NULL: one alone. */
INLINE void
initialise(struct stream *one, struct stream *two, const struct tables *constants)
{
	const struct tables copy = *constants, *tables = &copy;
	struct memory a = one->memory, b = two != NULL ? two->memory : a;

	for (unsigned half = 0; half < 2; half++) {
#pragma GCC unroll 16
		for (unsigned i = 0; i < 16; i++) {
			clock(one, &a, tables, i, true);
			if (two != NULL)
				clock(two, &b, tables, i, true);
			settle();
		}
	}
	clock(one, &a, tables, 0, false);
	one->memory = a;
	if (two != NULL) {
		clock(two, &b, tables, 0, false);
		two->memory = b;
	}
}

/* The next keystream words, at most 16 and fewer only at the end. */
SEPARATE static void
generate(struct stream *zuc, __m512i *column, const struct tables *constants, unsigned words)
{
	const struct tables copy = *constants, *tables = &copy;
	struct memory memory = zuc->memory;

#pragma GCC unroll 16
	for (unsigned i = 0; i < WORDS; i++) {
		if (i == words)
			break;
		column[i] = clock(zuc, &memory, tables, i + 1, false);
		settle();
	}
	zuc->memory = memory;
}

/* ---- EIA3's sum -------------------------------------------------------------------------------------------------------------- */

/*
 * Adds a chunk of one UE's message. With message bit i of a 64-bit block at x^i, keystream bit p of the same 64 bits at x^(63 - p),
 * the windows' sum is in bits 63..32 of their product; what the windows reach into the next 64 keystream bits is in bits 127..96 of
 * the product with those.
 */
INLINE void
add_chunk(__m512i *low_sum, __m512i *high_sum, __m512i message, __m512i stream, __m512i next_stream)
{
	const __m512i bits = _mm512_gf2p8affine_epi64_epi8(message, _mm512_set1_epi64((long long)0x8040201008040201), 0);
	const __m512i later = _mm512_alignr_epi64(next_stream, stream, 1);

	*low_sum = _mm512_ternarylogic_epi64(*low_sum, _mm512_clmulepi64_epi128(bits, stream, 0x00),
					     _mm512_clmulepi64_epi128(bits, stream, 0x11), 0x96);
	*high_sum = _mm512_ternarylogic_epi64(*high_sum, _mm512_clmulepi64_epi128(bits, later, 0x00),
					      _mm512_clmulepi64_epi128(bits, later, 0x11), 0x96);
}

/* The MAC but for the last keystream word. */
INLINE uint32_t
collect(__m512i low_sum, __m512i high_sum)
{
	const __m512i sum = _mm512_mask_mov_epi32(low_sum, 0x8888, high_sum);
	const __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
	const __m128i quarter = _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));

	return (uint32_t)_mm_extract_epi32(quarter, 1) ^ (uint32_t)_mm_extract_epi32(quarter, 3);
}

/* Keystream of a chunk of MAC input, if that many words are needed. Out: *last, the last word so far. */
INLINE void
make_rows(struct fan_lockstep_scratch *scratch, __m512i *last, unsigned words, unsigned chunk)
{
	const unsigned now = words_of_chunk(words, chunk);

	if (now == 0)
		return;
	generate(&scratch->integrity, scratch->column, &scratch->tables, now);
	turn(scratch->row[chunk % 2], scratch->column, 1);
	*last = scratch->column[now - 1];
}

/* A bit set behind the message's end adds the window z_LENGTH. */
SEPARATE static void
protect_integrity(struct fan_lockstep_scratch *scratch, const struct walk *walk)
{
	const unsigned words = (walk->mac_bytes + 3) / 4 + 2, end = walk->mac_bytes / CHUNK;
	__m512i last = _mm512_setzero_si512();
	uint32_t mac[TILE] __attribute__((aligned(64)));

	memset(scratch->low, 0, sizeof(scratch->low));
	memset(scratch->high, 0, sizeof(scratch->high));
	make_rows(scratch, &last, words, 0);
	for (unsigned chunk = 0; chunk <= end; chunk++) {
		const __mmask64 at_end = chunk == end ? 1ULL << walk->mac_bytes % CHUNK : 0;
		const __m512i end_bit = _mm512_maskz_set1_epi8(at_end, (char)0x80);

		make_rows(scratch, &last, words, chunk + 1);
		for (unsigned i = 0; i < TILE; i++) {
			const __m512i message = mac_chunk(&scratch->tile, &scratch->stage, walk, i, chunk);

			add_chunk(&scratch->low[i], &scratch->high[i], _mm512_or_si512(message, end_bit),
				  scratch->row[chunk % 2][i], scratch->row[(chunk + 1) % 2][i]);
		}
	}
	for (unsigned i = 0; i < TILE; i++)
		mac[i] = collect(scratch->low[i], scratch->high[i]);
	store_macs(&scratch->tile, walk, _mm512_xor_si512(_mm512_load_si512(mac), last));
}

#include "stream_walk.h"

static bool
takes(const struct fan_shape *shape)
{
	return takes_algorithm(shape, 3);
}

const struct fan_lockstep fan_lockstep_zuc_avx512 = {
	.instructions = "AVX-512 with VBMI2, IFMA, GFNI, VAES and VPCLMULQDQ",
	.runs = cpu_has_avx512_stream,
	.takes = takes,
	.scratch_bytes = sizeof(struct fan_lockstep_scratch),
	.init = init_scratch,
	.protect = protect,
};
