/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SNOW 3G (TS 35.216) and what stands on it: f8 = UEA2 = 128-EEA1 and f9 = UIA2 = 128-EIA1 (TS 35.215, TS 33.401 B.1.2, B.2.2).
 * Portable C for the reference engine: S-boxes are tables, so it is not constant time; see reference.h.
 */
#ifndef FAN_SNOW3G_H
#define FAN_SNOW3G_H

#include <stddef.h>
#include <stdint.h>

/* S_Q of TS 35.216 3.3.2: x ^ x^9 ^ x^13 ^ x^15 ^ x^33 ^ x^41 ^ x^45 ^ x^47 ^ x^49 ^ 0x25 modulo x^8 + x^6 + x^5 + x^3 + 1. */
extern const uint8_t fan_snow3g_sq[256];

struct fan_snow3g {
	uint32_t s[16];      /* LFSR, s0 first */
	uint32_t r1, r2, r3; /* FSM */
};

/* TS 35.216 4.1 and the discarded clock of 4.2, words numbered as there. The caller wipes *snow. */
void fan_snow3g_init(struct fan_snow3g *snow, const uint32_t k[4], const uint32_t iv[4]);
/* The next keystream word z (TS 35.216 4.2); its most significant octet is the first. */
uint32_t fan_snow3g_next(struct fan_snow3g *snow);

/* TS 35.215 3.4. Out: out[(bits + 7) / 8], bits behind the last are 0; may be `in`. */
void fan_snow3g_f8(uint8_t *out, const uint8_t key[16], uint32_t count, unsigned bearer, unsigned direction, const uint8_t *in,
		   size_t bits);
/* TS 35.215 4.4. 128-EIA1 is this with FRESH = BEARER << 27. */
uint32_t fan_snow3g_f9(const uint8_t key[16], uint32_t count, uint32_t fresh, unsigned direction, const uint8_t *message,
		       size_t bits);

#endif
