/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which time is taken from which clock, since somebody may set the wall clock at any moment, by a day or more:
 *  - how long a message is valid: cycles of the processor, while the process runs. What a restart finds is valid until the wall clock says what
 *    was written, and never longer than at first.
 *  - how long a result is kept: until both the wall clock, and what it would say had nobody set it since the store was opened, say that it is
 *    old, or that it lies too far in the future to be true.
 *  - when a lease ends: the wall clock. One that was over stays over until it is bounded anew or the process begins anew.
 *  - what is written and shown (accepted_ms, expires_ms, ended_ms): the wall clock.
 */
#ifndef FAN_CLOCK_H
#define FAN_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds of CLOCK_REALTIME, which are since 1970 UTC, or of CLOCK_MONOTONIC. */
static inline int64_t
fan_clock_ms(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The same in nanoseconds. */
static inline uint64_t
fan_clock_ns(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#endif
