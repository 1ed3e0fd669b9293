/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Late members: those of a leg that found no token of their next hop (pace.h) when their turn came, and are taken when there is one, while others
 * go on. Each worker has a list for each next hop, so that it finds the next member of one that has tokens without a look at those of others.
 *
 * A bit says of each member that it was put off and is not done with: it lies in a list, was taken out of it and waits for its batch, or is on
 * its way. So a leg's members that are still to be served are those with a bit and those from the worker's position on; what a crash may not lose
 * is found by that alone (journal.c), and so is whether a UE waits for an earlier message (put_off.c).
 *
 * Who writes: the worker that owns the slot, and the control thread while workers pause (fan_late_move()). Bits are stored atomically: the control
 * thread reads them at any time. Slots of two workers share no cache line of bits or links, since a stripe is whole lines of either.
 */
#ifndef FAN_LATE_H
#define FAN_LATE_H

#include "context/table.h"
#include "pace.h"

/* Slots and one; 0: none. */
struct fan_late_list {
	uint32_t first, last;
};

/* Of one worker. */
struct fan_late_share {
	uint64_t members;           /* put off and not done with; stored atomically */
	uint64_t waiting;           /* of these, in a list */
	unsigned hop_count, hop_at; /* of hops[]; where the worker looks next */
	struct fan_late_list list[FAN_NEXT_HOPS_MAX];
	uint16_t hops[FAN_NEXT_HOPS_MAX]; /* those that have a list */
	uint8_t listed[FAN_NEXT_HOPS_MAX];
} __attribute__((aligned(64)));

struct fan_late_link {
	uint32_t next, previous; /* slots and one; 0: none */
};

/* Of one leg: one mapping of demand-zero pages, of which the members that are put off touch theirs. */
struct fan_late {
	uint8_t *bits;
	struct fan_late_link *links;
	struct fan_late_share *shares;
	size_t slots;
	unsigned worker_count;
};

/* Out: late, for slots 0 .. slots - 1. MEMORY. */
int fan_late_make(struct fan_late *late, size_t slots, unsigned worker_count);
/* Safe on a zeroed struct. */
void fan_late_free(struct fan_late *late);

/* Whether there can be any: the leg was there when some next hop had a rate. */
static inline bool
fan_late_ready(const struct fan_late *late)
{
	return late->bits != NULL;
}

static inline bool
fan_late_has(const struct fan_late *late, uint32_t slot)
{
	return (__atomic_load_n(&late->bits[slot / 8], __ATOMIC_RELAXED) >> slot % 8 & 1) != 0;
}

/* Puts a member off, behind others of its next hop. In: one without a bit. */
void fan_late_put_off(struct fan_late *late, unsigned worker, uint32_t hop, uint32_t slot);
/* The first of a next hop. False: there is none. */
bool fan_late_first(const struct fan_late *late, unsigned worker, uint32_t hop, uint32_t *slot);
/* Takes a member out of its list; it is not done with yet. */
void fan_late_take(struct fan_late *late, unsigned worker, uint32_t hop, uint32_t slot);
/* ... it comes back, before all others of its next hop. */
void fan_late_put_back(struct fan_late *late, unsigned worker, uint32_t hop, uint32_t slot);
/* The member is done with, or was not put off at all: false. In: it lies in no list. */
bool fan_late_done(struct fan_late *late, unsigned worker, uint32_t slot);

/* The next next hop that a worker has a list for, in turn; call it hop_count times for all. Those whose lists are empty are let go of. FAN_NO_HOP:
 * none has one. */
uint32_t fan_late_next_hop(struct fan_late *late, unsigned worker);

/* A UE has another next hop from now on: it goes with that one's members. False: it is in no list. Control thread, while workers pause. */
bool fan_late_move(struct fan_late *late, uint32_t slot, uint32_t from, uint32_t to);
/* Which of 64 slots have one that is not done with, a bit each; what became of the others is there to be read. In: first, a multiple of 64 below
 * `slots`. Any thread. */
uint64_t fan_late_word(const struct fan_late *late, uint64_t first);
/* Whether slots first .. first + count - 1 have a member that is not done with. In: first and count multiples of 64. Any thread. */
bool fan_late_any(const struct fan_late *late, uint64_t first, uint64_t count);

#endif
