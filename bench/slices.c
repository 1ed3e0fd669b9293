/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "slices.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <x86intrin.h>

void *
fan_slices_map(size_t byte_count)
{
	void *memory = mmap(NULL, byte_count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		fprintf(stderr, "bench: no %zu octets of memory\n", byte_count);
		exit(EXIT_FAILURE);
	}
	madvise(memory, byte_count, MADV_HUGEPAGE);
	return memory;
}

void
fan_slices_open(struct fan_slices *slices)
{
	slices->value = fan_slices_map(FAN_SLICES_MAX * sizeof(*slices->value));
	slices->count = 0;
}

void
fan_slices_close(struct fan_slices *slices)
{
	munmap(slices->value, FAN_SLICES_MAX * sizeof(*slices->value));
	slices->value = NULL;
	slices->count = 0;
}

static int
compare_doubles(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

double
fan_slices_quantile(struct fan_slices *slices, double part)
{
	if (slices->count == 0)
		return 0;
	qsort(slices->value, slices->count, sizeof(*slices->value), compare_doubles);
	return slices->value[(size_t)(part * (double)(slices->count - 1))];
}

static double
now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double
fan_slices_tsc_hz(void)
{
	const double begin_s = now_seconds();
	const uint64_t begin = __rdtsc();
	double end_s;

	while ((end_s = now_seconds()) - begin_s < 0.05)
		;
	return (double)(__rdtsc() - begin) / (end_s - begin_s);
}
