/* SPDX-License-Identifier: BSD-3-Clause */
#include "card_ranges.h"

#include "../dataplane/context/error.h"

#include <inttypes.h>
#include <string.h>

/* Index of the first range that ends behind iova; count when there is none. */
static unsigned
first_behind(const struct fan_card_ranges *ranges, uint64_t iova)
{
	unsigned from = 0, to = ranges->count;

	while (from < to) {
		const unsigned middle = from + (to - from) / 2;

		if (ranges->range[middle].iova + (ranges->range[middle].bytes - 1) < iova)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static int
make_room(struct fan_card_ranges *ranges)
{
	const unsigned room = ranges->room == 0 ? 16 : 2 * ranges->room;
	struct fan_card_range *grown;

	if (ranges->count < ranges->room)
		return 0;
	grown = realloc(ranges->range, room * sizeof(*grown));
	if (grown == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for %u ranges that a card reaches", room);
	ranges->range = grown;
	ranges->room = room;
	return 0;
}

int
fan_card_ranges_add(struct fan_card_ranges *ranges, uint64_t iova, uint8_t *memory, size_t bytes, enum fan_memory_access access)
{
	unsigned at;
	int error;

	if (bytes == 0 || iova + (bytes - 1) < iova)
		return fan_fail(FAN_E_INVALID, "a card cannot reach %zu octets from 0x%" PRIx64, bytes, iova);
	at = first_behind(ranges, iova);
	if (at < ranges->count && ranges->range[at].iova <= iova + (bytes - 1))
		return fan_fail(FAN_E_INVALID, "a card reaches some of %zu octets from 0x%" PRIx64 " already", bytes, iova);
	error = make_room(ranges);
	if (error != 0)
		return error;
	memmove(&ranges->range[at + 1], &ranges->range[at], (ranges->count - at) * sizeof(*ranges->range));
	ranges->range[at] = (struct fan_card_range){ .iova = iova, .bytes = bytes, .memory = memory, .access = access };
	ranges->count++;
	return 0;
}

struct fan_card_range
fan_card_ranges_remove(struct fan_card_ranges *ranges, uint64_t iova)
{
	const unsigned at = first_behind(ranges, iova);
	struct fan_card_range range = { 0 };

	if (at == ranges->count || ranges->range[at].iova != iova)
		return range;
	range = ranges->range[at];
	ranges->count--;
	memmove(&ranges->range[at], &ranges->range[at + 1], (ranges->count - at) * sizeof(*ranges->range));
	return range;
}

uint8_t *
fan_card_ranges_reach(struct fan_card_ranges *ranges, uint64_t iova, size_t bytes, enum fan_memory_access access)
{
	const struct fan_card_range *range;

	if (ranges->last >= ranges->count || iova - ranges->range[ranges->last].iova >= ranges->range[ranges->last].bytes)
		ranges->last = first_behind(ranges, iova);
	if (ranges->last == ranges->count)
		return NULL;
	range = &ranges->range[ranges->last];
	if (iova < range->iova || bytes > range->bytes || iova - range->iova > range->bytes - bytes || range->access < access)
		return NULL;
	return range->memory + (iova - range->iova);
}

bool
fan_card_ranges_read(struct fan_card_ranges *ranges, uint8_t *octets, uint64_t iova, size_t bytes)
{
	const uint8_t *memory = fan_card_ranges_reach(ranges, iova, bytes, FAN_MEMORY_READ);

	if (memory != NULL)
		memcpy(octets, memory, bytes);
	return memory != NULL;
}

bool
fan_card_ranges_write(struct fan_card_ranges *ranges, uint64_t iova, const uint8_t *octets, uint64_t strobes)
{
	const unsigned first = (unsigned)__builtin_ctzll(strobes), last = 63 - (unsigned)__builtin_clzll(strobes);
	uint8_t *memory = fan_card_ranges_reach(ranges, iova + first, last - first + 1, FAN_MEMORY_WRITE);

	if (memory == NULL)
		return false;
	/* Nearly always they are a run. */
	if (strobes >> first == UINT64_MAX >> (63 - (last - first))) {
		memcpy(memory, octets + first, last - first + 1);
	} else {
		for (unsigned i = first; i <= last; i++)
			if ((strobes >> i & 1) != 0)
				memory[i - first] = octets[i];
	}
	return true;
}

void
fan_card_ranges_free(struct fan_card_ranges *ranges)
{
	free(ranges->range);
	*ranges = (struct fan_card_ranges){ 0 };
}
