/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the contexts of an identity are: an index of 9 to 18 octets a context. It holds no identity, only 28 bits of a hash of it beside the
 * context's place, so that what it finds is a candidate: the store's record says whether it is the one.
 *
 * The hash is SipHash under the secret of the process (fingerprint.h), so that nobody who chooses identities can choose where they fall.
 * Thread: the control thread.
 */
#ifndef FAN_IDENTITIES_H
#define FAN_IDENTITIES_H

#include "../../dataplane/context/fingerprint.h"

#define FAN_IDENTITY_PARTS 64 /* it grows part by part, as fingerprints do */

/* Zeroed: none. */
struct fan_identities {
	struct fan_places part[FAN_IDENTITY_PARTS];
};

/* An entry: the hash's bits, and a table and slot. Never 0. In: prints, prepared; table below 511, slot below 2^27. */
uint64_t fan_identity_entry(const struct fan_fingerprints *prints, const char *identity, unsigned table, uint32_t slot);
unsigned fan_identity_table(uint64_t entry);
uint32_t fan_identity_slot(uint64_t entry);

/* Makes room for an entry. MEMORY. */
int fan_identities_reserve(struct fan_identities *identities, uint64_t entry);
/* In: an entry that room was made for since the last one was added. */
void fan_identities_add(struct fan_identities *identities, uint64_t entry);
/* Ignored when it is not there. */
void fan_identities_remove(struct fan_identities *identities, uint64_t entry);
/* The next entry whose identity has the same bits as that of `entry`; 0: there is none. In/Out: *at, 0 to begin. */
uint64_t fan_identities_next(const struct fan_identities *identities, size_t *at, uint64_t entry);
void fan_identities_free(struct fan_identities *identities);

#endif
