/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Techniques of the lockstep engine for AES: one file each, the technique in its name, all giving the same octets.
 */
#ifndef FAN_LOCKSTEP_H
#define FAN_LOCKSTEP_H

#include "engine.h"

#define FAN_LOCKSTEP_TECHNIQUES 3

struct fan_lockstep_scratch; /* each technique's own: key schedules of two groups, and what a walk keeps */

struct fan_lockstep {
	const char *instructions; /* what the CPU must have, as an error message names it */
	/* Whether this CPU has them and the operating system saves their registers. Any thread. */
	bool (*runs)(void);
	size_t scratch_bytes;
	/* In: zeroed memory of scratch_bytes, aligned to 64. */
	void (*init)(struct fan_lockstep_scratch *scratch);
	/* 128-EEA2 with 128-EIA2 (or cipher only), any shape of engine.h. */
	void (*protect)(struct fan_lockstep_scratch *scratch, const struct fan_batch *batch);
};

extern const struct fan_lockstep fan_lockstep_vaes512;
extern const struct fan_lockstep fan_lockstep_vaes256;
extern const struct fan_lockstep fan_lockstep_aesni;

/* Fastest first. */
extern const struct fan_lockstep *const fan_lockstep_techniques[FAN_LOCKSTEP_TECHNIQUES];

#endif
