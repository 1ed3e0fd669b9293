/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a simulated card may reach: ranges of its addresses (iova) and where they lie in this process. The IOMMU of a simulation: what is
 * in no range is a bus error and touches nothing, and so is a write to a range that is only to be read.
 *
 * Not locked: its owner's matter.
 */
#ifndef FAN_CARD_RANGES_H
#define FAN_CARD_RANGES_H

#include "../dataplane/context/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fan_card_range {
	uint64_t iova;
	size_t bytes;
	uint8_t *memory;
	enum fan_memory_access access;
};

/* All zero: empty. */
struct fan_card_ranges {
	struct fan_card_range *range; /* in the order of iova */
	unsigned count, room;
	unsigned last; /* where the last one was found */
};

/* INVALID: empty, past the end of the address space, or overlaps another; MEMORY. */
int fan_card_ranges_add(struct fan_card_ranges *ranges, uint64_t iova, uint8_t *memory, size_t bytes,
			enum fan_memory_access access);
/* Out: the range that began at iova, bytes 0 when there was none. */
struct fan_card_range fan_card_ranges_remove(struct fan_card_ranges *ranges, uint64_t iova);
/* Where the card finds `bytes` octets from iova on. NULL: not all of it is in one range, or the card may not do that there. */
uint8_t *fan_card_ranges_reach(struct fan_card_ranges *ranges, uint64_t iova, size_t bytes, enum fan_memory_access access);
/* Of a simulated bus. False: it does not reach all of it, and nothing was read or written. */
bool fan_card_ranges_read(struct fan_card_ranges *ranges, uint8_t *octets, uint64_t iova, size_t bytes);
/* Of 64 octets from iova on those whose bit of `strobes` is 1, at least one. */
bool fan_card_ranges_write(struct fan_card_ranges *ranges, uint64_t iova, const uint8_t *octets, uint64_t strobes);
void fan_card_ranges_free(struct fan_card_ranges *ranges);

#endif
