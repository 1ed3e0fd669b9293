/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FAN_BENCH_KEYS_H
#define FAN_BENCH_KEYS_H

#include <stdint.h>
#include <string.h>

/* The next UE's keys, distinct from all others; what they are does not matter to any engine's time. In and out: *state, 1 at first. */
static inline void
fan_keys_next(uint8_t k_enc[16], uint8_t k_int[16], uint64_t *state)
{
	uint64_t words[4];

	for (unsigned w = 0; w < 4; w++) {
		*state = *state * 6364136223846793005U + 1442695040888963407U;
		words[w] = *state ^ *state >> 29;
	}
	memcpy(k_enc, words, 16);
	memcpy(k_int, words + 2, 16);
}

#endif
