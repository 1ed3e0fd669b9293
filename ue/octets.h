/* SPDX-License-Identifier: BSD-3-Clause */
/* Octets in network order, and a cursor over octets from outside that cannot be moved past their end. */
#ifndef FAN_UE_OCTETS_H
#define FAN_UE_OCTETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What is left to read. Every parser of the UE side walks its input through one of these. */
struct fan_ue_octets {
	const uint8_t *at;
	size_t left;
};

/* The next `count` octets, or NULL, with nothing consumed, when fewer are left. */
static inline const uint8_t *
fan_ue_octets_take(struct fan_ue_octets *octets, size_t count)
{
	const uint8_t *taken = octets->at;

	if (count > octets->left)
		return NULL;
	octets->at += count;
	octets->left -= count;
	return taken;
}

/* The next octet, or -1 at the end. */
static inline int
fan_ue_octets_next(struct fan_ue_octets *octets)
{
	const uint8_t *taken = fan_ue_octets_take(octets, 1);

	return taken ? *taken : -1;
}

/* Cuts `count` octets off the front into *piece. False, with nothing consumed, when fewer are left. */
static inline bool
fan_ue_octets_cut(struct fan_ue_octets *piece, struct fan_ue_octets *octets, size_t count)
{
	const uint8_t *taken = fan_ue_octets_take(octets, count);

	if (!taken)
		return false;
	piece->at = taken;
	piece->left = count;
	return true;
}

static inline uint16_t
fan_ue_octets_load16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t
fan_ue_octets_load24(const uint8_t *at)
{
	return (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
}

static inline uint32_t
fan_ue_octets_load32(const uint8_t *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return __builtin_bswap32(word);
}

static inline void
fan_ue_octets_store32(uint8_t *at, uint32_t word)
{
	word = __builtin_bswap32(word);
	memcpy(at, &word, sizeof(word));
}

#endif
