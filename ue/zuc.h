/* SPDX-License-Identifier: BSD-3-Clause */
/* ZUC-128 keystream (ETSI/SAGE "128-EEA3 & 128-EIA3, document 2", TS 35.222). */
#ifndef FAN_UE_ZUC_H
#define FAN_UE_ZUC_H

#include <stdint.h>

struct fan_ue_zuc {
	uint32_t s[16]; /* LFSR of 31-bit cells, 1 .. 2^31-1; s[(at + i) % 16] is s_i of the standard */
	unsigned at;
	uint32_t r1, r2;
};

/* Initialises and throws the first word away. */
void fan_ue_zuc_start(struct fan_ue_zuc *zuc, const uint8_t key[16], const uint8_t iv[16]);

/* The next 32 bits of keystream. */
uint32_t fan_ue_zuc_word(struct fan_ue_zuc *zuc);

#endif
