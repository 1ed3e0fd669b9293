/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Group membership: which context slots a group's message goes to, by table and profile. Bitmaps are CRoaring's.
 *
 * All calls come from the control thread. A snapshot is a private copy: workers read it without locks while the group changes.
 *
 * Memory: CRoaring reports a failed allocation when it creates or copies a bitmap and not when it changes one, be it to take a slot
 * out. Changes are therefore preceded by a trial allocation of the most that they can take, so that MEMORY is reported with nothing
 * changed. On a machine that overcommits, the kernel may still end the process later: fan_memory_available_bytes() is the check for that.
 */
#ifndef FAN_MEMBERS_H
#define FAN_MEMBERS_H

#include "context/error.h"

#include <roaring/roaring.h>

/* Iterators by their names of CRoaring 3, which brought this macro. */
#ifndef CROARING_DEPRECATED
#define roaring_iterator_init roaring_init_iterator
#define roaring_uint32_iterator_advance roaring_advance_uint32_iterator
#define roaring_uint32_iterator_read roaring_read_uint32_iterator
#define roaring_uint32_iterator_move_equalorlarger roaring_move_uint32_iterator_equalorlarger
#endif

/* One bitmap of slots: the members that receive in `profile` and whose contexts lie in table `table`. */
struct fan_member_set {
	uint16_t table;
	uint8_t profile; /* enum fan_profile */
	roaring_bitmap_t *slots;
};

/* Zeroed: no members. A (table, profile) has one set at most, and a slot of a table is in one set at most. */
struct fan_members {
	struct fan_member_set *sets; /* owned; empty sets are dropped */
	unsigned set_count;
};

/*
 * Adds slots first .. first + count - 1 under a profile; a slot of the same table that is there under another profile moves, so
 * that a member can never be served twice. count 0 changes nothing. Costs as many steps as blocks of 65,536 slots touched.
 * INVALID (slots beyond 2^32, no such profile), MEMORY; nothing is changed on error.
 */
int fan_members_add_range(struct fan_members *members, uint16_t table, enum fan_profile profile, uint32_t first,
			  uint64_t count);
/* NOT_FOUND when the slot was no member; MEMORY; nothing is changed on error. */
int fan_members_remove(struct fan_members *members, uint16_t table, uint32_t slot);
/* Takes slots out that are not to be members any more. MEMORY: some may still be there. */
int fan_members_subtract(struct fan_members *members, uint16_t table, const roaring_bitmap_t *slots);
/* Keeps those alone that others have in the same table under a profile. MEMORY: some may be there that are not to be. */
int fan_members_keep(struct fan_members *members, const struct fan_members *others, unsigned profile);
/* Adds slots, in ascending order, that are members under no profile yet: as many at a time as are known. MEMORY; nothing is changed then. */
int fan_members_add_many(struct fan_members *members, uint16_t table, enum fan_profile profile, const uint32_t *slots,
			 size_t count);
/* The first member of a table and profile from *slot on. Out: *slot. False: there is none. */
bool fan_members_next(const struct fan_members *members, uint32_t *slot, uint16_t table, enum fan_profile profile);
/* The first of these that is one of `others` too. */
bool fan_members_next_of(const struct fan_members *members, uint32_t *slot, uint16_t table, enum fan_profile profile,
			 const roaring_bitmap_t *others);
/* As fan_slots_read(), of the members of a table under a profile. */
void fan_members_read(const struct fan_members *members, uint8_t *bitmap, uint16_t table, enum fan_profile profile,
		      uint32_t first, uint32_t count);
bool fan_members_has(const struct fan_members *members, uint16_t table, uint32_t slot);
uint64_t fan_members_count(const struct fan_members *members);
/* Deep copy, run-optimised, shares nothing with the original. Out: *copy, whatever it held before is not released; zeroed on
 * error. MEMORY. */
int fan_members_snapshot(struct fan_members *copy, const struct fan_members *members);
/* Safe on a zeroed struct, and twice. */
void fan_members_free(struct fan_members *members);

/* The most octets that a change of one slot may take. */
size_t fan_slots_change_bytes_max(const roaring_bitmap_t *slots);
/* Whether so many octets can be allocated now. */
bool fan_slots_have_room(size_t bytes);
/* Out: bitmap[(count + 7) / 8], which of first .. first + count - 1 are among the slots: bit i & 7 of octet i >> 3. */
void fan_slots_read(const roaring_bitmap_t *slots, uint8_t *bitmap, uint32_t first, uint32_t count);
/* Takes slots out of others. False, with nothing changed, when memory is short. */
bool fan_slots_subtract(roaring_bitmap_t *slots, const roaring_bitmap_t *less);

/* Members as they were, for those that began with them: shared, never changed. References are the control thread's to count. */
struct fan_snapshot {
	struct fan_members members;
	uint64_t *ues; /* owned: members in each set */
	unsigned references;
};

/* Out: *snapshot, with one reference. MEMORY. */
int fan_snapshot_make(struct fan_snapshot **snapshot, const struct fan_members *members);
struct fan_snapshot *fan_snapshot_hold(struct fan_snapshot *snapshot);
/* Gives a reference back; the last one frees it. NULL is ignored. */
void fan_snapshot_release(struct fan_snapshot *snapshot);

/*
 * Walks the slots that belong to one worker: stripes of FAN_CONTEXT_STRIPE slots go to workers in turn (context.h), stripe s to
 * worker s mod worker_count. One cursor per worker; the bitmap must not change meanwhile and must outlive the cursor. Neither
 * call allocates or locks; a skipped stripe costs nothing by itself.
 */
struct fan_member_cursor {
	roaring_uint32_iterator_t at;
	uint32_t stripe_last; /* last slot of the stripe that `at` is in, when that stripe is the worker's; inclusive */
	uint16_t worker, worker_count;
};

/* worker 0..worker_count-1. */
void fan_member_cursor_init(struct fan_member_cursor *cursor, const roaring_bitmap_t *slots, unsigned worker,
			    unsigned worker_count);
/* Moves to the worker's first member at or behind a slot. */
void fan_member_cursor_move(struct fan_member_cursor *cursor, uint32_t slot);
/* Out: slots[] in rising order. Returns how many, 0..slot_max; fewer than slot_max only at the end, 0 from then on. */
unsigned fan_member_cursor_next_burst(struct fan_member_cursor *cursor, uint32_t *slots, unsigned slot_max);

#endif
