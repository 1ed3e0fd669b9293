/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Context tables: the contexts of one protection, side by side. A table holds only contexts of one protection, so that batches are
 * uniform by construction and memory is walked in order.
 */
#ifndef FAN_CONTEXT_TABLE_H
#define FAN_CONTEXT_TABLE_H

#include "count.h"
#include "fingerprint.h"

/* Slots are owned by workers in turns of this many: 1,024 slots are 64 KiB, long enough to walk in order, short enough that few
 * UEs still spread over all workers. */
#define FAN_CONTEXT_STRIPE 1024

/* Written by the control thread; workers read protection and slots, which do not change while the table exists. */
struct fan_context_table {
	struct fan_protection protection;
	struct fan_context *slots; /* address space for `capacity` slots: it never moves, since workers point into it */
	uint32_t wanted;           /* slots asked for */
	uint32_t capacity;         /* slots for which there is address space */
	uint32_t ready;            /* slots 0 .. ready-1 may be touched; grows by FAN_CONTEXT_STEP */
	uint32_t used;             /* slots 0 .. used-1 have been handed out at least once */
	uint32_t present;          /* contexts in the table */
	uint32_t *generation;      /* how often a slot has been freed; demand-zero, made with the first; NULL: none has been */
	uint32_t free_first;       /* head of the list of freed slots, linked through `ue`; FAN_SLOT_NONE when empty */
	/* Of MBMS, and NULL otherwise: what a UE's B-TID begins with, for which its cache line has no room, by slot. Filled and wiped as the slot is. */
	uint8_t (*names)[FAN_B_TID_NAME_BYTES];
	char domain[FAN_B_TID_BYTES_MAX - FAN_B_TID_NAME_BYTES +
		    1]; /* what all B-TIDs end with, from @ on; "": no UE was there yet */
	/* What may be spent before a crash is made good by a store: one octet for each block of contexts. NULL, both: there is no store. Atomic.
	 * A mark is durable before it is stored here. NULL also where no COUNT is ever spent. */
	uint8_t *marks; /* C the block's turn, and COUNTs that each of its contexts may spend in it (count.h) */
	uint8_t *waits; /* FAN_WAITS_: set by the worker that finds its block's mark too low, cleared by the control thread */
};

static_assert(FAN_CONTEXT_STRIPE % FAN_BLOCK_CONTEXTS == 0, "a block is one worker's");

#define FAN_SLOT_NONE UINT32_MAX
/* 8 GiB of address space a table. One UE is one slot, so a network of 134 M UEs under one protection fits. */
#define FAN_CONTEXT_SLOTS_MAX (1U << 27)
/* Slots that become memory at a time: 2 MiB, a huge page, and so aligned. */
#define FAN_CONTEXT_STEP (1U << 15)

/*
 * Reserves address space for `capacity` contexts, which no access reaches and which no limit of memory counts until contexts are added;
 * for fewer where the process's address space is limited (fan_memory_address_bytes()): table->capacity says how many. The memory stays out
 * of core dumps and of children of this process, and of swap where RLIMIT_MEMLOCK lets it. Errors: INVALID, MEMORY.
 */
int fan_context_table_init(struct fan_context_table *table, struct fan_protection protection, size_t capacity);
/* Wipes every key and unmaps. Safe on a zeroed table. */
void fan_context_table_free(struct fan_context_table *table);

/* Checks the fields and fills a free slot. Returns the slot or an error (INVALID; MEMORY when full, which names the limit). Control
 * thread. */
int64_t fan_context_add(struct fan_context_table *table, const struct fan_ue *ue);
/* Out: *ue, what a context was added with, keys too, which are then the caller's to wipe; COUNT, window and NR-U SN as they are now. What a
 * context does not hold (emergency, all that came with version 2, the B-TID) is as fan_ue_init() leaves it. Control thread. */
void fan_context_tell(const struct fan_context_table *table, struct fan_ue *ue, uint32_t slot);
/* Out: *b_tid, whole. In: a table of MBMS. */
void fan_context_tell_b_tid(const struct fan_context_table *table, char b_tid[FAN_B_TID_BYTES_MAX + 1], uint32_t slot);
/* Takes a context out of service: it is present no more, spends nothing, and keeps its slot. Any time. Control thread. */
void fan_context_retire(struct fan_context_table *table, uint32_t slot);
/* Takes that back, where its slot was not wiped. In: flags, as they were. Control thread. */
void fan_context_recall(struct fan_context_table *table, uint32_t slot, uint8_t flags);
/* Wipes a context that was retired, keys and all; no worker may hold it any more. Control thread. */
void fan_context_wipe(struct fan_context_table *table, uint32_t slot);
/* Gives a wiped slot back for reuse, under another generation; for ever out of use after FAN_GENERATION_MAX. Control thread. */
void fan_context_free(struct fan_context_table *table, uint32_t slot);
/* All three, for a table that no worker knows. */
void fan_context_remove(struct fan_context_table *table, uint32_t slot);

#define FAN_GENERATION_MAX ((1U << 20) - 1)

static inline uint32_t
fan_context_generation(const struct fan_context_table *table, uint32_t slot)
{
	return table->generation != NULL ? table->generation[slot] : 0;
}

#define FAN_CONTEXT_NAME_BITS 52 /* slot 32, generation 20; whoever has several tables puts a table's number above them */

/* The name, within its table, of the context that a slot holds or is to hold next. In: a slot below table->used. */
static inline fan_context_id
fan_context_name_of(const struct fan_context_table *table, uint32_t slot)
{
	return (fan_context_id)fan_context_generation(table, slot) << 32 | slot;
}

#define FAN_WAITS 1            /* for a member whose turn has come */
#define FAN_WAITS_WITH_BATCH 2 /* for one in a batch under way, which an engine has failed: nothing leaves before it */

/* Gives every block a mark, 0. MEMORY. In: a table that no worker knows, of a kind that spends COUNTs. */
int fan_context_table_mark(struct fan_context_table *table);

/* The mark under which a context spends (count.h). */
static inline uint8_t
fan_context_mark(const uint8_t *marks, uint32_t slot)
{
	return marks == NULL ? FAN_UNMARKED : __atomic_load_n(&marks[slot / FAN_BLOCK_CONTEXTS], __ATOMIC_ACQUIRE);
}

/* Whether a slot holds a context that is in service. */
bool fan_context_present(const struct fan_context_table *table, uint32_t slot);

/* Whether a name, within its table, means a context that is in service. */
static inline bool
fan_context_named(const struct fan_context_table *table, fan_context_id name)
{
	return fan_context_present(table, (uint32_t)name) && fan_context_name_of(table, (uint32_t)name) == name;
}

/* Adds a context as fan_context_add() does, and enters its keys into those in use, each that protects something with its BEARER. EXISTS,
 * with nothing entered, when one is there, in these or those of another handle: two contexts would spend the same COUNTs under it. Also
 * MEMORY, IO (no random octets). */
int64_t fan_context_add_once(struct fan_context_table *table, struct fan_fingerprints *keys, const struct fan_ue *ue);
/* Puts a context back that an earlier process had in a slot, before any worker knows the table, in ascending order of slots; slots between
 * are free. Checks and errors as fan_context_add_once(), but COUNT: the caller knows it and gives it to the context. Also INVALID: the
 * slot. */
int fan_context_restore(struct fan_context_table *table, struct fan_fingerprints *keys, uint32_t slot, const struct fan_ue *ue);
/* Takes the keys of such a context, which is not wiped yet, out of those in use. */
void fan_context_release_keys(struct fan_fingerprints *keys, const struct fan_context_table *table, uint32_t slot);

/* Whether a context may take over another place (next hop, tunnel, ids), which is checked as fan_context_add() does; takes it over.
 * No worker may be writing for it meanwhile. */
int fan_context_move(struct fan_context_table *table, uint32_t slot, const struct fan_ue *ue);
/* Whether fan_context_move() would. */
int fan_context_check_move(const struct fan_context_table *table, const struct fan_ue *ue);

#endif
