/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The instructions of AVX-512, VAES and GFNI that the engines use, in AVX2, AES-NI and plain C: valgrind knows no wider ones. A file of
 * an engine that is compiled with this folder first in its include path gives the same octets (tests/ctime/constant_time.c compares
 * them with the reference) and has the same flow of data, so what depends on a secret there depends on it here.
 *
 * Whatever an instruction does with data in registers is free of branches and addresses here too. A mask of a load or store
 * decides which octets are touched: here it is branched on, so that a secret mask is reported.
 */
#ifndef FAN_PORTABLE_IMMINTRIN_H
#define FAN_PORTABLE_IMMINTRIN_H

/* The compilers' own parts up to AVX2, which ask for this to be set by their own file of this name. */
#define _IMMINTRIN_H_INCLUDED
#define __IMMINTRIN_H
#include <wmmintrin.h>

#include <smmintrin.h>

#include <avxintrin.h>

#include <avx2intrin.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Functions keep the instructions that this build is compiled for, and their techniques run on any CPU that has those. */
#define target(instructions) unused
#define __builtin_cpu_supports(name) 1
#define __get_cpuid_count(leaf, subleaf, a, b, c, d) (*(a) = *(b) = *(c) = *(d) = ~0U, 1)

#define P __attribute__((unused)) static

typedef long long __m512i __attribute__((vector_size(64), may_alias));
typedef uint8_t octets64 __attribute__((vector_size(64)));
typedef uint32_t words16 __attribute__((vector_size(64)));
typedef uint64_t numbers8 __attribute__((vector_size(64)));
typedef int32_t signed16 __attribute__((vector_size(64)));
typedef uint16_t __mmask16;
typedef uint32_t __mmask32;
typedef uint64_t __mmask64;

union wide {
	__m512i all;
	__m128i lane[4];
	__m256i half[2];
	octets64 o;
	uint8_t octet[64];
	uint16_t pair[32];
	uint32_t word[16];
	uint64_t number[8];
};

enum { _MM_PERM_BADC = 0x4e, _MM_PERM_CCAA = 0xa0, _MM_PERM_DDDD = 0xff };

#define EACH(i, n) for (unsigned i = 0; i < (n); i++)

/* A function of two registers that works on each 128 bits alone. */
#define BY_LANE(name, of_lane)                                                                                                 \
	P __m512i name(__m512i a, __m512i b)                                                                                   \
	{                                                                                                                      \
		union wide x = { a }, y = { b };                                                                               \
                                                                                                                               \
		EACH(i, 4)                                                                                                     \
		x.lane[i] = of_lane(x.lane[i], y.lane[i]);                                                                     \
		return x.all;                                                                                                  \
	}

BY_LANE(_mm512_shuffle_epi8, _mm_shuffle_epi8)
BY_LANE(_mm512_unpacklo_epi32, _mm_unpacklo_epi32)
BY_LANE(_mm512_unpackhi_epi32, _mm_unpackhi_epi32)
BY_LANE(_mm512_unpacklo_epi64, _mm_unpacklo_epi64)
BY_LANE(_mm512_unpackhi_epi64, _mm_unpackhi_epi64)
BY_LANE(_mm512_aesenc_epi128, _mm_aesenc_si128)
BY_LANE(_mm512_aesenclast_epi128, _mm_aesenclast_si128)

/* An expression of a and b. */
#define BY_EXPRESSION(name, expression)                                                                                        \
	P __m512i name(__m512i a, __m512i b)                                                                                   \
	{                                                                                                                      \
		return (__m512i)(expression);                                                                                  \
	}

BY_EXPRESSION(_mm512_xor_si512, a ^ b)
BY_EXPRESSION(_mm512_and_si512, a &b)
BY_EXPRESSION(_mm512_or_si512, a | b)
BY_EXPRESSION(_mm512_add_epi32, (words16)a + (words16)b)
BY_EXPRESSION(_mm512_add_epi64, (numbers8)a + (numbers8)b)

/* An expression of a and a constant n. */
#define BY_COUNT(name, expression)                                                                                             \
	P __m512i name(__m512i a, const unsigned n)                                                                            \
	{                                                                                                                      \
		return (__m512i)(expression);                                                                                  \
	}

BY_COUNT(_mm512_slli_epi32, (words16)a << n)
BY_COUNT(_mm512_srli_epi32, (words16)a >> n)
BY_COUNT(_mm512_srai_epi32, (signed16)a >> (int)n)
BY_COUNT(_mm512_slli_epi64, (numbers8)a << n)
BY_COUNT(_mm512_srli_epi64, (numbers8)a >> n)
BY_COUNT(_mm512_srai_epi64, a >> (long long)n)
BY_COUNT(_mm512_rol_epi32, (words16)a << n | (words16)a >> (32 - n))
BY_COUNT(_mm512_ror_epi32, (words16)a >> n | (words16)a << (32 - n))

/* ---- Constants, loads, stores, parts --------------------------------------------------------------------------------------- */

P __m512i
_mm512_setzero_si512(void)
{
	return (__m512i){ 0 };
}

P __m512i
_mm512_set1_epi64(long long value)
{
	return (__m512i){ value, value, value, value, value, value, value, value };
}

P __m512i
_mm512_set1_epi32(int value)
{
	return _mm512_set1_epi64((long long)((uint32_t)value * 0x100000001ULL));
}

#define _mm512_set_epi32(p, o, n, m, l, k, j, i, h, g, f, e, d, c, b, a)                                                       \
	((__m512i)(signed16){ a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p })

P __m512i
_mm512_loadu_si512(const void *from)
{
	__m512i out;

	memcpy(&out, from, sizeof(out));
	return out;
}

P void
_mm512_storeu_si512(void *to, __m512i value)
{
	memcpy(to, &value, sizeof(value));
}

#define _mm512_load_si512 _mm512_loadu_si512
#define _mm512_store_si512 _mm512_storeu_si512

P __m512i
_mm512_zextsi128_si512(__m128i low)
{
	union wide x = { _mm512_setzero_si512() };

	x.lane[0] = low;
	return x.all;
}

#define _mm512_castsi128_si512 _mm512_zextsi128_si512

P __m512i
_mm512_broadcast_i32x4(__m128i block)
{
	union wide x;

	EACH(i, 4)
	x.lane[i] = block;
	return x.all;
}

P __m512i
_mm512_inserti32x4(__m512i a, __m128i block, const unsigned lane)
{
	union wide x = { a };

	x.lane[lane] = block;
	return x.all;
}

P __m128i
_mm512_extracti32x4_epi32(__m512i a, const unsigned lane)
{
	return ((union wide){ a }).lane[lane];
}

P __m256i
_mm512_extracti64x4_epi64(__m512i a, const unsigned half)
{
	return ((union wide){ a }).half[half];
}

#define _mm512_castsi512_si128(a) _mm512_extracti32x4_epi32(a, 0)
#define _mm512_castsi512_si256(a) _mm512_extracti64x4_epi64(a, 0)
#define _mm512_castsi512_ps(a) (a)
#define _mm512_castps_si512(a) (a)
/* One 16-octet lane of a register to memory of any alignment. */
#define STORE_BLOCK(to, value, lane) _mm_storeu_si128((void *)(to), _mm512_extracti32x4_epi32(value, lane))

/* ---- Masks ----------------------------------------------------------------------------------------------------------------- */

/* a, with the elements of b where the mask is set; the mask may be data. */
#define BY_MASK(name, mask_type, member, count)                                                                                \
	P __m512i name(mask_type mask, __m512i a, __m512i b)                                                                   \
	{                                                                                                                      \
		union wide x = { a }, y = { b }, all = { _mm512_setzero_si512() };                                             \
                                                                                                                               \
		EACH(i, count)                                                                                                 \
		all.member[i] = (__typeof__(all.member[0]))(0 - (mask >> i & 1));                                              \
		return (x.all & ~all.all) | (y.all & all.all);                                                                 \
	}

BY_MASK(_mm512_mask_blend_epi8, __mmask64, octet, 64)
BY_MASK(_mm512_mask_blend_epi16, __mmask32, pair, 32)
BY_MASK(_mm512_mask_blend_epi32, __mmask16, word, 16)

#define _mm512_mask_mov_epi32(a, mask, b) _mm512_mask_blend_epi32(mask, a, b)
#define _mm512_maskz_mov_epi32(mask, b) _mm512_mask_blend_epi32(mask, _mm512_setzero_si512(), b)
#define _mm512_maskz_mov_epi8(mask, b) _mm512_mask_blend_epi8(mask, _mm512_setzero_si512(), b)
#define _mm512_maskz_set1_epi8(mask, value)                                                                                    \
	_mm512_maskz_mov_epi8(mask, _mm512_set1_epi32((int)(0x01010101U * (uint8_t)(value))))
#define _mm512_maskz_srli_epi32(mask, a, n) _mm512_maskz_mov_epi32(mask, _mm512_srli_epi32(a, n))

P __mmask64
_mm512_movepi8_mask(__m512i a)
{
	union wide x = { a };
	__mmask64 mask = 0;

	EACH(i, 64)
	mask |= (__mmask64)(x.octet[i] >> 7) << i;
	return mask;
}

/* Also stores, which are loads of the register. */
P void
load_octets(uint8_t *to, uint64_t mask, const uint8_t *from, unsigned octets)
{
	EACH(i, octets)
	if (mask >> i & 1)
		to[i] = from[i];
}

P __m512i
_mm512_mask_loadu_epi8(__m512i a, __mmask64 mask, const void *from)
{
	union wide x = { a };

	load_octets(x.octet, mask, from, 64);
	return x.all;
}

#define _mm512_maskz_loadu_epi8(mask, from) _mm512_mask_loadu_epi8(_mm512_setzero_si512(), mask, from)

P void
_mm512_mask_storeu_epi8(void *to, __mmask64 mask, __m512i value)
{
	const union wide x = { value };

	load_octets(to, mask, x.octet, 64);
}

P __m128i
_mm_maskz_loadu_epi8(__mmask16 mask, const void *from)
{
	union wide x = { _mm512_setzero_si512() };

	load_octets(x.octet, mask, from, 16);
	return x.lane[0];
}

P void
_mm_mask_storeu_epi8(void *to, __mmask16 mask, __m128i value)
{
	const union wide x = { _mm512_zextsi128_si512(value) };

	load_octets(to, mask, x.octet, 16);
}

/* ---- Moving elements ------------------------------------------------------------------------------------------------------- */

P __m512i
_mm512_shuffle_i32x4(__m512i a, __m512i b, const unsigned order)
{
	const union wide x = { a }, y = { b };
	union wide out;

	EACH(i, 4)
	out.lane[i] = (i < 2 ? &x : &y)->lane[order >> (2 * i) & 3];
	return out.all;
}

#define _mm512_shuffle_i64x2 _mm512_shuffle_i32x4

P __m512i
_mm512_shuffle_ps(__m512i a, __m512i b, const unsigned order)
{
	const union wide x = { a }, y = { b };
	union wide out;

	EACH(i, 16)
	out.word[i] = (i % 4 < 2 ? &x : &y)->word[i / 4 * 4 + (order >> (2 * (i % 4)) & 3)];
	return out.all;
}

#define _mm512_shuffle_epi32(a, order) _mm512_shuffle_ps(a, a, order)
#define _mm512_mask_shuffle_epi32(a, mask, b, order) _mm512_mask_blend_epi32(mask, a, _mm512_shuffle_epi32(b, order))

/* Octets n .. n + 15 of b's lane followed by a's. */
P __m512i
_mm512_alignr_epi8(__m512i a, __m512i b, const unsigned n)
{
	const union wide x = { a }, y = { b };
	union wide out;

	EACH(i, 64)
	out.octet[i] = i % 16 + n < 16 ? y.octet[i + n] : x.octet[i + n - 16];
	return out.all;
}

#define _mm512_bslli_epi128(a, n) _mm512_alignr_epi8(a, _mm512_setzero_si512(), 16 - (n))

P __m512i
_mm512_alignr_epi64(__m512i a, __m512i b, const unsigned n)
{
	const union wide x = { a }, y = { b };
	union wide out;

	EACH(i, 8)
	out.number[i] = i + n < 8 ? y.number[i + n] : x.number[i + n - 8];
	return out.all;
}

/* Octets of a table of `blocks` times 16, in registers; an index is data, so every block is looked at. */
P __m512i
look_up(const __m128i *table, const unsigned blocks, __m512i index)
{
	const union wide x = { index };
	union wide out = { _mm512_setzero_si512() };

	EACH(i, 4)
	{
		const __m128i within = _mm_and_si128(x.lane[i], _mm_set1_epi8(15));
		const __m128i block = _mm_and_si128(x.lane[i], _mm_set1_epi8((char)(16 * (blocks - 1))));

		EACH(b, blocks)
		out.lane[i] = _mm_or_si128(out.lane[i], _mm_and_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8((char)(16 * b))),
								      _mm_shuffle_epi8(table[b], within)));
	}
	return out.all;
}

P __m512i
_mm512_permutexvar_epi8(__m512i index, __m512i a)
{
	const union wide table = { a };

	return look_up(table.lane, 4, index);
}

P __m512i
_mm512_permutex2var_epi8(__m512i a, __m512i index, __m512i b)
{
	const union wide table[2] = { { a }, { b } };

	return look_up(table[0].lane, 8, index);
}

/* ---- Arithmetic ------------------------------------------------------------------------------------------------------------ */

/* The engines take the three-way XOR alone of the 256 functions. */
P __m512i
_mm512_ternarylogic_epi32(__m512i a, __m512i b, __m512i c, const unsigned function)
{
	if (function != 0x96)
		abort();
	return a ^ b ^ c;
}

#define _mm512_ternarylogic_epi64 _mm512_ternarylogic_epi32
#define _mm_ternarylogic_epi64(a, b, c, function)                                                                              \
	_mm512_castsi512_si128(_mm512_ternarylogic_epi32(_mm512_zextsi128_si512(a), _mm512_zextsi128_si512(b),                 \
							 _mm512_zextsi128_si512(c), function))

P __m512i
_mm512_shldi_epi32(__m512i a, __m512i b, const unsigned n)
{
	return (__m512i)((words16)a << n | (words16)b >> (32 - n));
}

P __m512i
_mm512_madd52lo_epu64(__m512i a, __m512i b, __m512i c)
{
	const union wide x = { b }, y = { c };
	union wide out = { a };

	EACH(i, 8)
	out.number[i] += x.number[i] * y.number[i] & 0xfffffffffffff;
	return out.all;
}

P __m512i
_mm512_clmulepi64_epi128(__m512i a, __m512i b, const unsigned which)
{
	union wide x = { a }, y = { b };

	if (which != 0x00 && which != 0x11)
		abort();
	EACH(i, 4)
	x.lane[i] = which == 0 ? _mm_clmulepi64_si128(x.lane[i], y.lane[i], 0x00)
			       : _mm_clmulepi64_si128(x.lane[i], y.lane[i], 0x11);
	return x.all;
}

/* Bit i of each octet of the result: the parity of the octet and octet 7 - i of its qword of `rows`; then `add` is added. */
P __m512i
_mm512_gf2p8affine_epi64_epi8(__m512i a, __m512i rows, const unsigned add)
{
	octets64 out = (octets64){ 0 } + (uint8_t)add;

	EACH(i, 8)
	{
		union wide from;
		octets64 bits;

		EACH(k, 64)
		from.octet[k] = (uint8_t)(k / 8 % 2 * 8 + 7 - i);
		bits = (octets64)(a & _mm512_shuffle_epi8(rows, from.all));
		bits ^= bits >> 4;
		bits ^= bits >> 2;
		bits ^= bits >> 1;
		out ^= (bits & 1) << (uint8_t)i;
	}
	return (__m512i)out;
}

/* Inverses modulo 0x11b from AES's S-box, with its affine map undone (FIPS 197 5.1.1, 5.3.2). */
P __m512i
invert(__m512i a)
{
	union wide unshift;
	octets64 s;

	EACH(i, 64)
	unshift.octet[i] = (uint8_t)((i / 4 - i % 4) % 4 * 4 + i % 4);
	s = (octets64)_mm512_aesenclast_epi128(_mm512_shuffle_epi8(a, unshift.all), _mm512_setzero_si512());
	return (__m512i)((s << 1 | s >> 7) ^ (s << 3 | s >> 5) ^ (s << 6 | s >> 2) ^ 5);
}

#define _mm512_gf2p8affineinv_epi64_epi8(a, rows, add) _mm512_gf2p8affine_epi64_epi8(invert(a), rows, add)

/* ---- VAES on 256 bits ------------------------------------------------------------------------------------------------------ */

#define BY_HALF(name, of_lane)                                                                                                 \
	P __m256i name(__m256i a, __m256i b)                                                                                   \
	{                                                                                                                      \
		const __m128i low = of_lane(_mm256_castsi256_si128(a), _mm256_castsi256_si128(b));                             \
		const __m128i high = of_lane(_mm256_extracti128_si256(a, 1), _mm256_extracti128_si256(b, 1));                  \
                                                                                                                               \
		return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);                                          \
	}

BY_HALF(_mm256_aesenc_epi128, _mm_aesenc_si128)
BY_HALF(_mm256_aesenclast_epi128, _mm_aesenclast_si128)

#undef P
#undef EACH
#endif
