/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Marks in packets that a device is to overwrite. A device that says that it wrote a PDU and did not leaves the marks standing; without
 * them it would leave the private head in clear, or the PDU of somebody else, for the host to send.
 *
 * Marked are all of the private head, both ends of the text (claim.h), and the MAC. They are looked for one by one, so that a device cannot
 * pass with the MAC alone, or with half a text. A device that writes plaintext there passes: fan_claim_is_plaintext().
 */
#ifndef FAN_CANARY_H
#define FAN_CANARY_H

#include "../dataplane/engine/reference/claim.h"

/* One PDU's: random, and another for each PDU. */
struct fan_canary {
	uint8_t octets
		[32]; /* 16, twice, so that they can be taken from anywhere: octet i of a text is marked with octet i modulo 16 */
};

/* seed: another for each batch. */
struct fan_canary fan_canary_make(uint64_t seed, unsigned ue);
/* Overwrites the private head among others: it has been copied. */
void fan_canary_put(const struct fan_canary *canary, const struct fan_shape *shape, uint8_t *text);
/*
 * Whether one of the marks still stands. A PDU may have the same octets by chance, with a probability of 2^-32 where there is a MAC, and
 * of 2^-8 for a text of two octets or one: whoever gets true asks fan_reference_protect() what the PDU should be.
 */
bool fan_canary_stands(const struct fan_canary *canary, const struct fan_shape *shape, const uint8_t *text);

/* Asks the cache for the octets that fan_canary_stands() looks at: a card has written them into memory. */
static inline void
fan_canary_fetch(const struct fan_shape *shape, const uint8_t *text)
{
	__builtin_prefetch(text);
	__builtin_prefetch(text + shape->text_bytes);
}

#endif
