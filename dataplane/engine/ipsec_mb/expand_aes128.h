/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AES-128 key schedules (FIPS 197 5.2) and CMAC subkeys (NIST SP 800-38B 6.1) of many keys side by side.
 *
 * Contexts hold raw keys. One key at a time costs a chain of ten dependent rounds, about a hundred cycles; many keys in step
 * hide that latency. One technique per file, the technique in its name; all give the same octets. Every address and branch
 * depends on counts only, never on keys.
 */
#ifndef FAN_EXPAND_AES128_H
#define FAN_EXPAND_AES128_H

#include <stdbool.h>
#include <stdint.h>

#define FAN_AES128_ROUND_KEYS 11
/* Keys go through in steps of this many: `out` must have room for key_count rounded up to a multiple; all of that may be
 * written. */
#define FAN_EXPAND_STEP 16

struct fan_aes128_schedule {
	uint8_t round_key[FAN_AES128_ROUND_KEYS][16];
} __attribute__((aligned(16)));

struct fan_cmac_schedule {
	struct fan_aes128_schedule aes;
	uint8_t k1[16]; /* closes a message of whole blocks */
	uint8_t k2[16]; /* closes a padded one */
} __attribute__((aligned(16)));

struct fan_expand_aes128 {
	const char *name;
	/* Whether this CPU has the instructions. */
	bool (*runs)(void);
	/* Out: out[i] is the schedule of the 16 octets at key[i], i < key_count, which is 1 or more. Keys may repeat; any
	 * alignment. */
	void (*schedules)(struct fan_aes128_schedule *out, const uint8_t *const *key, unsigned key_count);
	void (*cmac_schedules)(struct fan_cmac_schedule *out, const uint8_t *const *key, unsigned key_count);
};

/* Fastest first, NULL-terminated; the last runs wherever there is AES-NI. */
extern const struct fan_expand_aes128 *const fan_expand_aes128_techniques[];

extern const struct fan_expand_aes128 fan_expand_aes128_gfni;
extern const struct fan_expand_aes128 fan_expand_aes128_aesni;

/* The fastest that runs here; NULL when the CPU has no AES instructions. */
const struct fan_expand_aes128 *fan_expand_aes128_choose(void);

#endif
