/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Context tables: the contexts of one protection, side by side. A table holds only contexts of one protection, so that batches are
 * uniform by construction and memory is walked in order.
 */
#ifndef FAN_CONTEXT_TABLE_H
#define FAN_CONTEXT_TABLE_H

#include "context.h"

/* Slots are owned by workers in turns of this many: 1,024 slots are 64 KiB, long enough to walk in order, short enough that few
 * UEs still spread over all workers. */
#define FAN_CONTEXT_STRIPE 1024

/* Written by the control thread; workers read protection and slots, which do not change while the table exists. */
struct fan_context_table {
	struct fan_protection protection;
	struct fan_context *slots; /* demand-zero mapping of `capacity` slots, excluded from core dumps */
	uint32_t capacity;         /* slots mapped */
	uint32_t used;             /* slots 0 .. used-1 have been handed out at least once */
	uint32_t present;          /* contexts in the table */
	uint32_t free_first;       /* head of the list of freed slots, linked through `ue`; FAN_SLOT_NONE when empty */
};

#define FAN_SLOT_NONE UINT32_MAX
/* 8 GiB of address space a table. One UE is one slot, so a network of 134 M UEs under one protection fits. */
#define FAN_CONTEXT_SLOTS_MAX (1U << 27)

/* Maps room for `capacity` contexts; address space only until a slot is used. MEMORY says how much is needed. */
int fan_context_table_init(struct fan_context_table *table, struct fan_protection protection, size_t capacity);
/* Wipes every key and unmaps. Safe on a zeroed table. */
void fan_context_table_free(struct fan_context_table *table);

/* Checks the fields and fills a free slot. Returns the slot or an error (INVALID, MEMORY when full). Control thread. */
int64_t fan_context_add(struct fan_context_table *table, const struct fan_ue *ue);
/* Wipes a slot and gives it back for reuse; no worker may hold it any more. Control thread. */
void fan_context_remove(struct fan_context_table *table, uint32_t slot);
bool fan_context_present(const struct fan_context_table *table, uint32_t slot);

#endif
