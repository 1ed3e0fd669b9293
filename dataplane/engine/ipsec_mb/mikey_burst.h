/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One MBMS service key (MSK) to many UEs, each under its own MUK: MIKEY messages (RFC 3830, TS 33.246) side by side. The shape is that of every
 * batch of this program: one text, many keys, one length. What differs from UE to UE is MUK, T, and the beginning of the B-TID.
 *
 * No branch and no address depends on a MUK or on the MSK: tests/ctime shows it, for the library's SSE and AVX2 code.
 *
 * Of a message this file knows the holes and the two transforms, AES-CM-128 and HMAC-SHA-1-160; its octets are host-api/keys/mikey.h's.
 */
#ifndef FAN_MIKEY_BURST_H
#define FAN_MIKEY_BURST_H

#include "../../context/error.h"

#include <assert.h>
#include <stdint.h>

#define FAN_MIKEY_BURST_NAME_BYTES 24 /* a B-TID up to its @: 16 octets in base64 */
#define FAN_MIKEY_BURST_BYTES_MAX 1024
#define FAN_MIKEY_BURST_SECRET_BYTES_MAX 64

/* One cache line. */
struct fan_mikey_burst_ue {
	uint8_t muk[32];
	uint8_t name[FAN_MIKEY_BURST_NAME_BYTES];
	uint32_t counter; /* T: spent by the caller, never again under this MUK */
	uint32_t spare;
};

static_assert(sizeof(struct fan_mikey_burst_ue) == 64, "a UE is one cache line");

/* What all UEs share; struct fan_mikey_template has the same octets and places. CSB-ID stands at octet 4. */
struct fan_mikey_burst_shape {
	const uint8_t *message; /* the key data in clear; T, name and MAC hold anything */
	uint16_t message_bytes; /* the last 20 are the MAC */
	uint16_t counter_at, rand_at, name_at, secret_at, secret_bytes;
};

/* The library's state, and keys of the last tile. One thread. */
struct fan_mikey_burst;

/* UNSUPPORTED: this CPU has no AES-NI or SSE4.2; MEMORY. */
int fan_mikey_burst_open(struct fan_mikey_burst **out);
/* Wipes. NULL is ignored. */
void fan_mikey_burst_close(struct fan_mikey_burst *burst);

/*
 * Out: out[i], message_bytes of it, the message to ues[i]; nothing beside it is written. In: distinct buffers, any alignment; ue_count, 0 or more.
 * INVALID: a shape whose places do not lie in the message in this order. IO: the library failed, and no buffer holds anything to be sent. Does not block.
 */
int fan_mikey_burst_run(struct fan_mikey_burst *burst, uint8_t *const *out, const struct fan_mikey_burst_shape *shape,
			const struct fan_mikey_burst_ue *ues, unsigned ue_count);
/* Wipes what the last run left of keys. The next one may follow. */
void fan_mikey_burst_wipe(struct fan_mikey_burst *burst);

#endif
