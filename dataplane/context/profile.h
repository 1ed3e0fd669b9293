/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Protections and profiles. A protection is how a context's PDUs are made safe: NAS or PDCP, and its algorithms. A profile is a kind of
 * protection and the form that a message takes in it (fanfare.h has the enums and the names).
 */
#ifndef FAN_PROFILE_H
#define FAN_PROFILE_H

#include "error.h"

/* A protection: what all contexts of one table have in common, so that batches are uniform by construction. */
struct fan_protection {
	uint8_t kind;      /* enum fan_kind */
	uint8_t cipher;    /* 0..3 */
	uint8_t integrity; /* 0..3, FAN_INTEGRITY_HMAC_SHA_1 or FAN_INTEGRITY_NONE */
	uint8_t bearer_id; /* NAS: the EPS bearer or PDU session identity that stands inside ciphered user data, in CIoT behind it where
			      no private head can reach; a table per identity keeps batches uniform. 0 for bearers */
};

/* INVALID, naming the value and the rule, for combinations the standards do not have. */
int fan_protection_check(struct fan_protection protection, bool emergency);

/* Whether messages take the form of short messages (TS 23.040). */
bool fan_profile_is_sms(enum fan_profile profile);

#endif
