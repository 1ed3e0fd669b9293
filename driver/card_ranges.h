/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a simulated card may reach: ranges of its addresses (iova) and where they lie in this process. The IOMMU of a simulation: what is
 * in no range is a bus error and touches nothing.
 *
 * Not locked: its owner's matter.
 */
#ifndef FAN_CARD_RANGES_H
#define FAN_CARD_RANGES_H

#include <stddef.h>
#include <stdint.h>

struct fan_card_range {
	uint64_t iova;
	size_t bytes;
	uint8_t *memory;
};

/* All zero: empty. */
struct fan_card_ranges {
	struct fan_card_range *range; /* in the order of iova */
	unsigned count, room;
	unsigned last; /* where the last one was found */
};

/* INVALID: empty, past the end of the address space, or overlaps another; MEMORY. */
int fan_card_ranges_add(struct fan_card_ranges *ranges, uint64_t iova, uint8_t *memory, size_t bytes);
/* Out: the range that began at iova, bytes 0 when there was none. */
struct fan_card_range fan_card_ranges_remove(struct fan_card_ranges *ranges, uint64_t iova);
/* Where `bytes` octets from iova on lie; NULL when they are not in one range. */
uint8_t *fan_card_ranges_find(struct fan_card_ranges *ranges, uint64_t iova, size_t bytes);
void fan_card_ranges_free(struct fan_card_ranges *ranges);

#endif
