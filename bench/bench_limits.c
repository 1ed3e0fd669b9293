/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What can no engine on this machine beat? One thread's rate of AES rounds in each register width that the CPU has, and how
 * fast it reads memory that no cache holds. Both per tick of the time-stamp counter, the unit of all other figures; the counter
 * does not follow the core's clock, so a core in turbo does more per tick.
 *
 *	bench_limits [megabytes=1024] [milliseconds=150]
 *
 * Prints one JSON object.
 */
#include "arguments.h"
#include "slices.h"

#include <cpuid.h>
#include <immintrin.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

/* A slice is about 30,000 cycles: short beside a scheduler's turn of a millisecond or more, long beside reading the counter. */
#define ROUNDS_PER_SLICE 1024
/* Chains in flight: more than latency (3..5 cycles) times instructions per cycle (1 or 2), fewer than there are registers. */
#define CHAINS 12
#define STREAM_SLICE_BYTES (1U << 20)

struct width {
	const char *name;
	bool (*there)(void);
	void (*spin)(void); /* CHAINS * ROUNDS_PER_SLICE instructions */
};

static bool
aesni_there(void)
{
	return __builtin_cpu_supports("aes") && __builtin_cpu_supports("avx");
}

/* Leaf 7, ECX bit 9; clang 14 has no name for it. */
static bool
vaes_there(void)
{
	unsigned a = 0, b = 0, c = 0, d = 0;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) == 1 && (c & 1U << 9) != 0;
}

static bool
vaes256_there(void)
{
	return vaes_there() && __builtin_cpu_supports("avx2");
}

static bool
vaes512_there(void)
{
	return vaes_there() && __builtin_cpu_supports("avx512f");
}

/* The asm keeps the compiler from seeing through the chains; the values do not matter. */
#define SPIN(name, features, type, zero, round)                                                                                \
	__attribute__((target(features))) static void name(void)                                                               \
	{                                                                                                                      \
		type chain[CHAINS], key = zero;                                                                                \
                                                                                                                               \
		for (unsigned c = 0; c < CHAINS; c++)                                                                          \
			chain[c] = zero;                                                                                       \
		__asm__ volatile("" : "+x"(key));                                                                              \
		for (unsigned r = 0; r < ROUNDS_PER_SLICE; r++) {                                                              \
			_Pragma("GCC unroll 12") for (unsigned c = 0; c < CHAINS; c++) chain[c] = round(chain[c], key);        \
		}                                                                                                              \
		_Pragma("GCC unroll 12") for (unsigned c = 0; c < CHAINS; c++) __asm__ volatile("" : : "x"(chain[c]));         \
	}

SPIN(spin_xmm, "aes,avx", __m128i, _mm_setzero_si128(), _mm_aesenc_si128)
SPIN(spin_ymm, "vaes,avx2", __m256i, _mm256_setzero_si256(), _mm256_aesenc_epi128)
SPIN(spin_zmm, "vaes,avx512f", __m512i, _mm512_setzero_si512(), _mm512_aesenc_epi128)

static const struct width widths[] = {
	{ "xmm", aesni_there, spin_xmm },
	{ "ymm", vaes256_there, spin_ymm },
	{ "zmm", vaes512_there, spin_zmm },
};

/* Instructions per tick that a tenth of all slices reached. */
static double
measure_width(const struct width *width, double tsc_hz, double seconds)
{
	const uint64_t begin = __rdtsc(), budget = (uint64_t)(tsc_hz * seconds);
	struct fan_slices slices;
	double cycles;

	fan_slices_open(&slices);
	/* The first third only warms up: wide registers take a while to be powered. */
	while (__rdtsc() - begin < budget) {
		const uint64_t start = __rdtsc();

		width->spin();
		if (start - begin > budget / 3)
			fan_slices_put(&slices, (double)(__rdtsc() - start) / (CHAINS * ROUNDS_PER_SLICE));
	}
	cycles = fan_slices_quantile(&slices, 0.1);
	fan_slices_close(&slices);
	return cycles > 0 ? 1 / cycles : 0;
}

/* In the widest registers: a core reads memory no faster by narrower ones. */
__attribute__((target("avx512f"))) static void
read_zmm(const uint8_t *from)
{
	__m512i sum[4] = { _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512() };

	for (size_t at = 0; at < STREAM_SLICE_BYTES; at += 256) {
		for (unsigned i = 0; i < 4; i++)
			sum[i] = _mm512_or_si512(sum[i], _mm512_load_si512(from + at + 64 * (size_t)i));
	}
	__asm__ volatile("" : : "x"(sum[0]), "x"(sum[1]), "x"(sum[2]), "x"(sum[3]));
}

static void
read_xmm(const uint8_t *from)
{
	__m128i sum[4] = { _mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128() };

	for (size_t at = 0; at < STREAM_SLICE_BYTES; at += 64) {
		for (unsigned i = 0; i < 4; i++)
			sum[i] = _mm_or_si128(sum[i], _mm_load_si128((const void *)(from + at + 16 * (size_t)i)));
	}
	__asm__ volatile("" : : "x"(sum[0]), "x"(sum[1]), "x"(sum[2]), "x"(sum[3]));
}

/* Octets per tick, front to back, at least twice. */
static double
measure_stream(size_t byte_count, double tsc_hz, double seconds)
{
	void (*const read_slice)(const uint8_t *) = __builtin_cpu_supports("avx512f") ? read_zmm : read_xmm;
	const uint64_t budget = (uint64_t)(tsc_hz * seconds);
	uint8_t *memory = fan_slices_map(byte_count);
	struct fan_slices slices;
	uint64_t begin;
	double cycles;

	memset(memory, 1, byte_count);
	fan_slices_open(&slices);
	begin = __rdtsc();
	for (unsigned pass = 0; pass < 2 || __rdtsc() - begin < budget; pass++) {
		for (size_t at = 0; at < byte_count; at += STREAM_SLICE_BYTES) {
			const uint64_t start = __rdtsc();

			read_slice(memory + at);
			fan_slices_put(&slices, (double)(__rdtsc() - start) / STREAM_SLICE_BYTES);
		}
	}
	cycles = fan_slices_quantile(&slices, 0.1);
	fan_slices_close(&slices);
	return cycles > 0 ? 1 / cycles : 0;
}

int
main(int argc, char **argv)
{
	unsigned long megabytes = 1024, milliseconds = 150;
	double tsc_hz, seconds, bytes_per_cycle;

	for (int i = 1; i < argc; i++) {
		if (!fan_argument_number(&megabytes, argv[i], "megabytes", 256, 65536) &&
		    !fan_argument_number(&milliseconds, argv[i], "milliseconds", 1, 10000)) {
			fprintf(stderr,
				"bench_limits: cannot use \"%s\"\n"
				"usage: bench_limits [megabytes=256..65536] [milliseconds=1..10000]\n",
				argv[i]);
			return EXIT_FAILURE;
		}
	}
	seconds = (double)milliseconds / 1000;
	tsc_hz = fan_slices_tsc_hz();
	printf("{\"tsc_hz\": %.0f, \"vaesenc_per_cycle\": {", tsc_hz);
	for (size_t i = 0, shown = 0; i < sizeof(widths) / sizeof(*widths); i++) {
		if (widths[i].there())
			printf("%s\"%s\": %.4f", shown++ > 0 ? ", " : "", widths[i].name,
			       measure_width(&widths[i], tsc_hz, seconds));
	}
	bytes_per_cycle = measure_stream((size_t)megabytes << 20, tsc_hz, seconds);
	printf("}, \"read_bytes_per_cycle\": %.4f, \"read_bytes_per_second\": %.0f, \"read_megabytes\": %lu}\n",
	       bytes_per_cycle, bytes_per_cycle * tsc_hz, megabytes);
	return EXIT_SUCCESS;
}
