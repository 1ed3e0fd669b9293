/* SPDX-License-Identifier: BSD-3-Clause */
#include "identities.h"

#include "../../dataplane/context/table.h"

#include <string.h>

/* An entry: table + 1, slot, hash, from the top. */
enum { HASH_BITS = 28, SLOT_BITS = 27, PART_BITS = 6 };

#define HASH_MASK ((UINT64_C(1) << HASH_BITS) - 1)
#define SLOT_MASK ((UINT64_C(1) << SLOT_BITS) - 1)

static_assert(FAN_CONTEXT_SLOTS_MAX <= UINT64_C(1) << SLOT_BITS, "an entry has room for a slot");
static_assert(FAN_IDENTITY_PARTS == 1 << PART_BITS, "a part for each value of the hash's upper bits");

/* 16 octets at a time, each hash beside the next ones; an IMSI takes one. */
static uint64_t
hash(const struct fan_fingerprints *prints, const char *identity)
{
	const size_t identity_bytes = strlen(identity);
	uint64_t sum = identity_bytes;

	for (size_t at = 0; at < identity_bytes; at += FAN_KEY_BYTES) {
		uint8_t piece[FAN_KEY_BYTES] = { 0 };
		const size_t left = identity_bytes - at;

		memcpy(piece, identity + at, left < sizeof(piece) ? left : sizeof(piece));
		sum = fan_fingerprint(prints, piece, sum);
	}
	return sum;
}

uint64_t
fan_identity_entry(const struct fan_fingerprints *prints, const char *identity, unsigned table, uint32_t slot)
{
	return (uint64_t)(table + 1) << (SLOT_BITS + HASH_BITS) | (uint64_t)slot << HASH_BITS |
	       (hash(prints, identity) & HASH_MASK);
}

unsigned
fan_identity_table(uint64_t entry)
{
	return (unsigned)(entry >> (SLOT_BITS + HASH_BITS)) - 1;
}

uint32_t
fan_identity_slot(uint64_t entry)
{
	return (uint32_t)(entry >> HASH_BITS & SLOT_MASK);
}

static unsigned
part_of(uint64_t entry)
{
	return (unsigned)((entry & HASH_MASK) >> (HASH_BITS - PART_BITS));
}

int
fan_identities_reserve(struct fan_identities *identities, uint64_t entry)
{
	struct fan_places *part = &identities->part[part_of(entry)];

	if (fan_places_reserve(part, HASH_MASK))
		return 0;
	return fan_fail(FAN_E_MEMORY, "no memory for an index of %zu identities: %zu KiB", fan_places_next_count(part),
			fan_places_next_count(part) * sizeof(entry) >> 10);
}

void
fan_identities_add(struct fan_identities *identities, uint64_t entry)
{
	struct fan_places *part = &identities->part[part_of(entry)];

	part->place[fan_places_find(part, HASH_MASK, entry)] = entry;
	part->used++;
}

void
fan_identities_remove(struct fan_identities *identities, uint64_t entry)
{
	struct fan_places *part = &identities->part[part_of(entry)];
	size_t at;

	if (part->place == NULL)
		return;
	at = fan_places_find(part, HASH_MASK, entry);
	if (part->place[at] != 0)
		fan_places_remove(part, HASH_MASK, at);
}

uint64_t
fan_identities_next(const struct fan_identities *identities, size_t *at, uint64_t entry)
{
	const struct fan_places *part = &identities->part[part_of(entry)];
	const size_t mask = part->place_count - 1;

	while (part->place != NULL) {
		const uint64_t found = part->place[((entry & HASH_MASK) + *at) & mask];

		if (found == 0)
			return 0;
		++*at;
		if ((found & HASH_MASK) == (entry & HASH_MASK))
			return found;
	}
	return 0;
}

void
fan_identities_free(struct fan_identities *identities)
{
	for (unsigned i = 0; i < FAN_IDENTITY_PARTS; i++)
		fan_places_free(&identities->part[i]);
}
