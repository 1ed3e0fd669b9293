/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Techniques of the lockstep engine: one file each, the technique in its name.
 */
#ifndef FAN_LOCKSTEP_TECHNIQUE_H
#define FAN_LOCKSTEP_TECHNIQUE_H

#include "../engine.h"

struct fan_lockstep_scratch; /* each technique's own: key schedules, cipher states, keystream of the UEs in work */

struct fan_lockstep {
	const char *instructions; /* what the CPU must have, as an error message names it */
	/* Whether this CPU has them and the operating system saves their registers. Any thread. */
	bool (*runs)(void);
	/* Whether `protect` serves a shape that is within the ranges of engine.h. */
	bool (*takes)(const struct fan_shape *shape);
	size_t scratch_bytes;
	/* In: zeroed memory of scratch_bytes, aligned to 64. */
	void (*init)(struct fan_lockstep_scratch *scratch);
	/* Any batch whose shape the technique takes. The scratch holds key-derived octets afterwards; its owner wipes it. */
	void (*protect)(struct fan_lockstep_scratch *scratch, const struct fan_batch *batch);
};

/* 128-EEA2 with 128-EIA2, or the cipher alone (NEA2, NIA2); all give the same octets. */
extern const struct fan_lockstep fan_lockstep_vaes512;
extern const struct fan_lockstep fan_lockstep_vaes256;
extern const struct fan_lockstep fan_lockstep_aesni;

/* Those for AES, fastest first. */
#define FAN_LOCKSTEP_TECHNIQUES 3
extern const struct fan_lockstep *const fan_lockstep_techniques[FAN_LOCKSTEP_TECHNIQUES];

/* 128-EEA1 and 128-EIA1 (NEA1, NIA1), both, or one of them with null or none. */
extern const struct fan_lockstep fan_lockstep_snow3g_avx512;
/* 128-EEA3 and 128-EIA3 (NEA3, NIA3), likewise. */
extern const struct fan_lockstep fan_lockstep_zuc_avx512;

#endif
