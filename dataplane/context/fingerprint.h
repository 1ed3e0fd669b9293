/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fingerprints of keys: whether a key is in use already, without keeping it twice. A fingerprint is SipHash-2-4 (Aumasson, Bernstein,
 * 2012) of the key and what stands beside it in an IV, under a key of this process, so that it tells nothing of the key to who reads it.
 * Two different keys have one fingerprint by chance once in 2^64 pairs.
 */
#ifndef FAN_FINGERPRINT_H
#define FAN_FINGERPRINT_H

#include "error.h"

/* The fingerprints in use: an open-addressing table of at most 7/8 of its places, 9 to 18 octets for each. Zeroed: none. One thread. */
struct fan_fingerprints {
	uint64_t *place; /* owned; 0: free */
	size_t place_count, used;
	uint64_t secret[2]; /* drawn with the first fingerprint */
};

/* Of 16 octets of key and a word beside it. Never 0. */
uint64_t fan_fingerprint(const struct fan_fingerprints *prints, const uint8_t key[FAN_KEY_BYTES], uint64_t beside);

/* Makes room for two more, which a context may have, and draws the secret. MEMORY, IO (no random octets). */
int fan_fingerprints_prepare(struct fan_fingerprints *prints);
/* False when it is there. In: room was made. */
bool fan_fingerprints_add(struct fan_fingerprints *prints, uint64_t print);
/* Ignored when it is not there. */
void fan_fingerprints_remove(struct fan_fingerprints *prints, uint64_t print);
/* Wipes. Safe on a zeroed struct. */
void fan_fingerprints_free(struct fan_fingerprints *prints);

#endif
