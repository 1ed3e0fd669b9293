/* SPDX-License-Identifier: BSD-3-Clause */
#include "canary.h"

#include <string.h>

#define MARK_BYTES 16U

/* splitmix64. */
static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

struct fan_canary
fan_canary_make(uint64_t seed, unsigned ue)
{
	const uint64_t words[2] = { mix(seed + 2 * (uint64_t)ue), mix(seed + 2 * (uint64_t)ue + 1) };
	struct fan_canary canary;

	memcpy(canary.octets, words, sizeof(words));
	memcpy(canary.octets + sizeof(words), words, sizeof(words));
	return canary;
}

static const uint8_t *
mark_at(const struct fan_canary *canary, unsigned at)
{
	return canary->octets + at % MARK_BYTES;
}

/* Where the MAC stands, as seen from the text; its mark is taken from the same place modulo 16. */
static int
mac_at(const struct fan_shape *shape)
{
	return shape->sequence == FAN_CIPHER_THEN_MAC ? -(int)(shape->clear_bytes + FAN_MAC_BYTES) : (int)shape->text_bytes;
}

void
fan_canary_put(const struct fan_canary *canary, const struct fan_shape *shape, uint8_t *text)
{
	const unsigned end = fan_claim_end_bytes(shape), head = fan_shape_head_bytes(shape), last = shape->text_bytes - end;
	const int mac = mac_at(shape);

	for (unsigned at = 0; at < head; at += MARK_BYTES)
		memcpy(text + at, canary->octets, head - at < MARK_BYTES ? head - at : MARK_BYTES);
	memcpy(text, canary->octets, end);
	memcpy(text + last, mark_at(canary, last), end);
	if (shape->sequence != FAN_CIPHER_ONLY)
		memcpy(text + mac, mark_at(canary, (unsigned)mac), FAN_MAC_BYTES);
}

bool
fan_canary_stands(const struct fan_canary *canary, const struct fan_shape *shape, const uint8_t *text)
{
	const unsigned end = fan_claim_end_bytes(shape), last = shape->text_bytes - end;
	const int mac = mac_at(shape);

	if (shape->sequence != FAN_CIPHER_ONLY && memcmp(text + mac, mark_at(canary, (unsigned)mac), FAN_MAC_BYTES) == 0)
		return true;
	return fan_ends_equal(text, canary->octets, end) || fan_ends_equal(text + last, mark_at(canary, last), end);
}
