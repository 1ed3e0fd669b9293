/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Under which COUNT a key of a group went to each of its members: who acknowledges exactly that one has the key. It outlives the flight, since
 * answers come later, and several flights of one key share it.
 *
 * Who writes: the worker of a slot, before the frame is handed to the port; a later PDU to the same member writes over it. The control thread reads,
 * and takes slots out that no flight writes any more.
 */
#ifndef FAN_KEY_COUNTS_H
#define FAN_KEY_COUNTS_H

#include "context/error.h"

#include <stdint.h>

struct fan_key_counts {
	uint32_t *next; /* by slot: the COUNT after it; 0: none. Owned, by mmap(): zero pages until a member is sent the key */
	size_t slots;
	unsigned references; /* the control thread's */
};

/* Out: *counts, with one reference. MEMORY. */
int fan_key_counts_make(struct fan_key_counts **counts, size_t slots);
struct fan_key_counts *fan_key_counts_hold(struct fan_key_counts *counts);
/* Gives a reference back; the last one frees it. NULL is ignored. */
void fan_key_counts_release(struct fan_key_counts *counts);

/* Of a worker. A NAS COUNT has 24 bits. */
static inline void
fan_key_counts_note(const struct fan_key_counts *counts, size_t slot, uint32_t count)
{
	if (slot < counts->slots)
		__atomic_store_n(&counts->next[slot], count + 1, __ATOMIC_RELAXED);
}

/* Whether a slot was sent the key under this COUNT. */
static inline bool
fan_key_counts_is(const struct fan_key_counts *counts, size_t slot, uint32_t count)
{
	return slot < counts->slots && __atomic_load_n(&counts->next[slot], __ATOMIC_RELAXED) == count + 1;
}

static inline void
fan_key_counts_forget(const struct fan_key_counts *counts, size_t slot)
{
	if (slot < counts->slots)
		__atomic_store_n(&counts->next[slot], 0, __ATOMIC_RELAXED);
}

#endif
