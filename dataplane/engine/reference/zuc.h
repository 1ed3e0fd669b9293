/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ZUC (TS 35.222) and what stands on it: 128-EEA3 and 128-EIA3 (TS 35.221, TS 33.401 B.1.4, B.2.4).
 * Portable C for the reference engine: S-boxes are tables, so it is not constant time; see reference.h.
 */
#ifndef FAN_ZUC_H
#define FAN_ZUC_H

#include <stddef.h>
#include <stdint.h>

/* TS 35.222 3.4. S0 is a Feistel network of three rounds on nibbles, S1 an affine map of the inverse modulo 0x18b. */
extern const uint8_t fan_zuc_s0[256], fan_zuc_s1[256];

struct fan_zuc {
	uint32_t s[16];  /* LFSR over 2^31 - 1, s0 first; 1 .. 2^31 - 1 each */
	uint32_t r1, r2; /* memory of F */
};

/* TS 35.222 3.5 and 3.6.1, with the discarded step of 3.6.2. The caller wipes *zuc. */
void fan_zuc_init(struct fan_zuc *zuc, const uint8_t key[16], const uint8_t iv[16]);
/* The next keystream word; its most significant octet is the first. */
uint32_t fan_zuc_next(struct fan_zuc *zuc);

/* TS 35.221 3. Out: out[(bits + 7) / 8], bits behind the last are 0; may be `in`. */
void fan_zuc_eea3(uint8_t *out, const uint8_t key[16], uint32_t count, unsigned bearer, unsigned direction, const uint8_t *in,
		  size_t bits);
/* TS 35.221 4. */
uint32_t fan_zuc_eia3(const uint8_t key[16], uint32_t count, unsigned bearer, unsigned direction, const uint8_t *message,
		      size_t bits);

#endif
