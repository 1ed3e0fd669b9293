/* SPDX-License-Identifier: BSD-3-Clause */
#include "identities.h"

#include "../../dataplane/context/table.h"

#include <string.h>

/* An entry: table + 1, slot, hash, from the top. */
enum { HASH_BITS = 28, SLOT_BITS = 27, PART_BITS = 6, PLACES_MIN = 64 };

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

/* The free place nearest to where an entry belongs. */
static void
place(uint64_t *places, size_t place_count, uint64_t entry)
{
	size_t at = entry & HASH_MASK & (place_count - 1);

	while (places[at] != 0)
		at = (at + 1) & (place_count - 1);
	places[at] = entry;
}

int
fan_identities_reserve(struct fan_identities *identities, uint64_t entry)
{
	struct fan_identity_part *part = &identities->part[part_of(entry)];
	const size_t place_count = part->place_count == 0 ? PLACES_MIN : 2 * part->place_count;
	uint64_t *places;

	if (part->used + 1 <= part->place_count / 8 * 7)
		return 0;
	places = calloc(place_count, sizeof(*places));
	if (places == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for an index of %zu identities: %zu KiB", place_count,
				place_count * sizeof(*places) >> 10);
	for (size_t i = 0; i < part->place_count; i++)
		if (part->place[i] != 0)
			place(places, place_count, part->place[i]);
	free(part->place);
	part->place = places;
	part->place_count = place_count;
	return 0;
}

void
fan_identities_add(struct fan_identities *identities, uint64_t entry)
{
	struct fan_identity_part *part = &identities->part[part_of(entry)];

	place(part->place, part->place_count, entry);
	part->used++;
}

/* Those behind the gap that belong before it move up, so that every search still ends at the first free place. */
static void
close_gap(struct fan_identity_part *part, size_t gap)
{
	const size_t mask = part->place_count - 1;

	part->place[gap] = 0;
	for (size_t at = (gap + 1) & mask; part->place[at] != 0; at = (at + 1) & mask) {
		const size_t home = part->place[at] & HASH_MASK & mask;

		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		part->place[gap] = part->place[at];
		part->place[at] = 0;
		gap = at;
	}
}

void
fan_identities_remove(struct fan_identities *identities, uint64_t entry)
{
	struct fan_identity_part *part = &identities->part[part_of(entry)];
	const size_t mask = part->place_count - 1;
	size_t at = entry & HASH_MASK & mask;

	if (part->place == NULL)
		return;
	while (part->place[at] != 0 && part->place[at] != entry)
		at = (at + 1) & mask;
	if (part->place[at] == 0)
		return;
	close_gap(part, at);
	part->used--;
}

uint64_t
fan_identities_next(const struct fan_identities *identities, size_t *at, uint64_t entry)
{
	const struct fan_identity_part *part = &identities->part[part_of(entry)];
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
		free(identities->part[i].place);
	memset(identities, 0, sizeof(*identities));
}
