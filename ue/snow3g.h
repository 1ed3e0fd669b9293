/* SPDX-License-Identifier: BSD-3-Clause */
/* SNOW 3G keystream (ETSI/SAGE "UEA2 & UIA2, document 2", the cipher of TS 35.215/35.216). */
#ifndef FAN_UE_SNOW3G_H
#define FAN_UE_SNOW3G_H

#include <stddef.h>
#include <stdint.h>

/* Computed from the definitions of the S-boxes and of alpha rather than listed: 4 KiB, filled once, read only afterwards. */
struct fan_ue_snow3g_tables {
	uint32_t s1[256];  /* S1 of the octet in the most significant place; other places are rotations of it */
	uint32_t s2[256];  /* the same for S2 */
	uint32_t mul[256]; /* MULalpha */
	uint32_t div[256]; /* DIValpha */
};

struct fan_ue_snow3g {
	uint32_t s[16]; /* LFSR; s[(at + i) % 16] is s_i of the standard */
	unsigned at;
	uint32_t r[3];
	const struct fan_ue_snow3g_tables *tables;
};

void fan_ue_snow3g_tables_fill(struct fan_ue_snow3g_tables *tables);

/* Initialises and throws the first word away. In: key and IV as the octet strings of f8 and f9, where words 3 come first. */
void fan_ue_snow3g_start(struct fan_ue_snow3g *snow, const struct fan_ue_snow3g_tables *tables, const uint8_t key[16],
			 const uint8_t iv[16]);

/* The next 32 bits of keystream. */
uint32_t fan_ue_snow3g_word(struct fan_ue_snow3g *snow);

#endif
