/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many requests a second one peer may make: a token bucket that holds one second's worth. One thread at a time.
 */
#ifndef FAN_NORTH_DIAMETER_RATE_H
#define FAN_NORTH_DIAMETER_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct fan_rate {
	uint64_t per_s;
	uint64_t tokens_ns; /* a request costs 1e9 / per_s of them; at most one second's */
	uint64_t filled_ns; /* when tokens_ns was right */
};

/* It begins full. In: per_s, 1 or more; now_ns, a clock that only rises. */
void fan_rate_init(struct fan_rate *rate, uint64_t per_s, uint64_t now_ns);
/* Takes one request's worth; false: it is not there. */
bool fan_rate_take(struct fan_rate *rate, uint64_t now_ns);

#endif
