/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the lockstep techniques without masked loads and stores need instead.
 */
#ifndef FAN_LOCKSTEP_OCTETS_H
#define FAN_LOCKSTEP_OCTETS_H

#include "../../context/context.h"

#include <stdint.h>
#include <string.h>

/* Octets 0..7 of a counter block and of EIA2's prefix: COUNT, BEARER || DIRECTION, zeros. */
static inline uint64_t
count_prefix(const struct fan_context *context, uint32_t count)
{
	return __builtin_bswap32(count) | (uint64_t)context->bearer_direction << 32;
}

/* FIPS 197 5.2. */
static const uint8_t round_constants[11] = { 0, 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36 };

/* Read from 16 - n: a mask of n octets. */
static const uint8_t ones_then_zeros[32] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* Copies 0..15 octets as two pieces that may overlap, touching nothing else. Branches on a length, which is no secret; a call of
 * memcpy() per UE costs more. */
static inline void
copy_octets(uint8_t *to, const uint8_t *from, unsigned octets)
{
	if (octets >= 8) {
		uint64_t low, high;

		memcpy(&low, from, 8);
		memcpy(&high, from + octets - 8, 8);
		memcpy(to, &low, 8);
		memcpy(to + octets - 8, &high, 8);
	} else if (octets >= 4) {
		uint32_t low, high;

		memcpy(&low, from, 4);
		memcpy(&high, from + octets - 4, 4);
		memcpy(to, &low, 4);
		memcpy(to + octets - 4, &high, 4);
	} else if (octets > 0) {
		const uint8_t first = from[0], middle = from[octets / 2], last = from[octets - 1];

		to[0] = first;
		to[octets / 2] = middle;
		to[octets - 1] = last;
	}
}

#endif
