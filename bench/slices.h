/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Time in slices. A benchmark takes the time of many short slices of its work, each well below a scheduler's turn, and states
 * what a tenth and what a half of them stayed below. On a quiet machine the two are equal; on a busy one another process had
 * the core during some slices, and the tenth is nearer the truth.
 */
#ifndef FAN_SLICES_H
#define FAN_SLICES_H

#include "../dataplane/context/clock.h"

#include <stddef.h>
#include <stdint.h>

/* 100 ms of slices of 64 UEs at 30 cycles are more than this: whoever fills it stops early. */
#define FAN_SLICES_MAX 65536

struct fan_slices {
	double *value; /* cycles per unit of work */
	size_t count;
};

/* Memory for a benchmark's data, on huge pages where the kernel has them to give. Ends the program when there is none. */
void *fan_slices_map(size_t byte_count);

void fan_slices_open(struct fan_slices *slices);
void fan_slices_close(struct fan_slices *slices);

static inline void
fan_slices_put(struct fan_slices *slices, double value)
{
	if (slices->count < FAN_SLICES_MAX)
		slices->value[slices->count++] = value;
}

/* What the given part (0..1) of all slices stayed below; sorts them. 0 when there are none. */
double fan_slices_quantile(struct fan_slices *slices, double part);

/* Of the kernel's clock, for what takes longer than a slice. */
static inline double
fan_slices_now_s(void)
{
	return 1e-9 * (double)fan_clock_ns(CLOCK_MONOTONIC);
}

/* Ticks of the time-stamp counter in a second, by comparing it with the kernel's clock for 50 ms. */
double fan_slices_tsc_hz(void);

#endif
