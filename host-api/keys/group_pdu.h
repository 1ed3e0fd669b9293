/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A message under a group key: one PDU that all members open, on whatever broadcast or unicast brings it to them. It is always integrity
 * protected and has a COUNT against replay; it is ciphered when the key says so, and signed when members must not be able to speak for the
 * sender. A key that is shared protects nobody from those who share it: without the signature every member can make messages that every other
 * member takes.
 *
 *	octet 1     version 1 in the high half; 128-EEA and 128-EIA, two bits each
 *	      2-5   group tag: the first 4 octets of SHA-256 over the GID's octets
 *	      6     Gki
 *	      7-10  COUNT
 *	      11..  payload, ciphered unless EEA is 0
 *	            tag: 128-EIA over all before it; 8 octets, or 4 where the key says so
 *	            in signed mode Ed25519, 64 octets, over "fanfare group message 1", the GID's length, the GID, and all before it
 *
 * Cipher and integrity take COUNT as it stands, BEARER FAN_GROUP_BEARER and DIRECTION 1. A tag of 8 octets is CMAC of the input of 128-EIA2 (TS
 * 33.401 B.2.3), cut at 8 instead of 4. The receiving side is ue/group.h.
 *
 * COUNT safety: one (GID, Gki, COUNT) is one plaintext, ever. So a COUNT is taken from who keeps it on stable storage, after all else was
 * checked and before anything is ciphered; when what follows fails, it stays spent. COUNT does not wrap: at its end another key is due.
 */
#ifndef FAN_KEYS_GROUP_PDU_H
#define FAN_KEYS_GROUP_PDU_H

#include "group_key.h"

#include <assert.h>

enum {
	FAN_GROUP_BEARER = 31, /* NAS has 0 to 2 here: a keystream of NAS is none of a group, even where keys were mixed up */
	FAN_GROUP_HEADER_BYTES = 10,
	FAN_GROUP_SIGNATURE_BYTES = 64,
};

/* With all around it a PDU fits each profile but short messages. */
static_assert(FAN_GROUP_PDU_BYTES_MAX ==
		      FAN_GROUP_HEADER_BYTES + FAN_GROUP_PAYLOAD_BYTES_MAX + FAN_GROUP_TAG_BYTES + FAN_GROUP_SIGNATURE_BYTES,
	      "fanfare.h says how long a PDU is");

/*
 * Takes a COUNT of a key: key->first_count or higher, higher than each that was taken of (GID, Gki) before, and on stable storage as taken
 * when this returns, so that no crash gives it out again. Gaps are free. Returns it, or a negative enum fan_error with nothing taken.
 */
typedef int64_t (*fan_group_count_take)(void *user, const struct fan_group_key *key);

/* An Ed25519 key pair (RFC 8032) of a sender. */
struct fan_group_signer;

/* In: the secret key, copied. Out: *out, owned by the caller. MEMORY. */
int fan_group_signer_open(struct fan_group_signer **out, const uint8_t secret[32]);
/* Wipes. NULL is ignored. */
void fan_group_signer_close(struct fan_group_signer *signer);
/* Out: the public key, which goes into fan_group_key.verifier. */
void fan_group_signer_verifier(uint8_t verifier[FAN_GROUP_VERIFIER_BYTES], const struct fan_group_signer *signer);

struct fan_group_sending {
	fan_group_count_take take;
	void *user;
	const struct fan_group_signer *signer; /* of a signed key; else not used */
	int64_t now_s;                         /* since 1970 UTC */
};

/*
 * Protects a payload of 1..FAN_GROUP_PAYLOAD_BYTES_MAX octets under the current key. Out: pdu[], wiped on an error. In/Out: *keys, which
 * remembers the highest COUNT of this process and refuses another that is not above it, whoever gave it. Returns the octets of the PDU.
 * NOT_FOUND: there is no current key. INVALID: the payload, a key that is not valid now, another signer's key. Errors of `take`. One thread at
 * a time for each *keys; blocks as `take` does.
 */
int fan_group_pdu_seal(uint8_t pdu[FAN_GROUP_PDU_BYTES_MAX], struct fan_group_keys *keys,
		       const struct fan_group_sending *sending, const void *payload, size_t payload_bytes);

#endif
