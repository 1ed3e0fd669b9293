/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fingerprints of keys: whether a key is in use already, without keeping it twice. A fingerprint is SipHash-2-4 (Aumasson, Bernstein,
 * 2012) of the key and what stands beside it in an IV, under a key of this process, so that it tells nothing of the key to who reads it.
 * Two different keys have one fingerprint by chance once in 2^64 pairs.
 *
 * Every handle of fanfare.h has a set of its own, and all sets of the process stand in one list: what is in one can be added to none.
 * Threads: one for each set; a lock inside.
 */
#ifndef FAN_FINGERPRINT_H
#define FAN_FINGERPRINT_H

#include "error.h"
#include "places.h"

/* A set grows part by part, so that no call waits until all of it is copied: 20 million fingerprints are copied in pieces of some
 * 2 MiB. */
#define FAN_FINGERPRINT_PARTS 64

/* The fingerprints that one handle has in use. Zeroed: none. It stays where it is from the first on. */
struct fan_fingerprints {
	struct fan_places part[FAN_FINGERPRINT_PARTS]; /* by the upper bits of a fingerprint */
	uint64_t secret[2];                            /* the process's, drawn with the first set */
	struct fan_fingerprints *next, **link;         /* in the list of all sets; link NULL: not in it yet */
};

/* Of 16 octets of key and a word beside it. Never 0. In: a set that was prepared. */
uint64_t fan_fingerprint(const struct fan_fingerprints *prints, const uint8_t key[FAN_KEY_BYTES], uint64_t beside);

/* Enters a set into the list, once. IO (no random octets). */
int fan_fingerprints_prepare(struct fan_fingerprints *prints);
/* Errors: EXISTS, when it is in this set or another; MEMORY. In: a set that was prepared. */
int fan_fingerprints_add(struct fan_fingerprints *prints, uint64_t print);
/* Ignored when it is not there. */
void fan_fingerprints_remove(struct fan_fingerprints *prints, uint64_t print);
/* Wipes, and takes the set out of the list. Safe on a zeroed struct. */
void fan_fingerprints_free(struct fan_fingerprints *prints);

#endif
