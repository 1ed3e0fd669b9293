/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory of the dataplane's that the card reaches as it lies. What is announced in dataplane/context/memory.h is mapped once per card, when an
 * address in it is first asked for, and unmapped once it has been withdrawn. Each queue remembers the few mappings it uses, so that
 * the shared table and its lock are asked only about new ones. What the card may do there is what was announced.
 */
#ifndef FAN_CARD_MAP_H
#define FAN_CARD_MAP_H

#include "../dataplane/context/memory.h"
#include "card_transport.h"

#include <pthread.h>

struct fan_card_mapping {
	struct fan_memory_region region;
	uint64_t iova;
};

/* The card's own table. Every worker asks it; whoever is the first to ask for an address maps it. */
struct fan_card_maps {
	struct fan_card_transport *transport; /* R all; W the opener, before others know of the card */
	bool refused;                         /* R, W workers; atomic: the transport maps nothing, and will not */

	pthread_mutex_t lock; /* R, W workers: all that follows, under it */
	struct fan_card_mapping mapping[FAN_MEMORY_REGIONS_MAX];
	unsigned count;
	uint64_t withdrawals; /* that have been heeded */
};

void fan_card_maps_init(struct fan_card_maps *maps, struct fan_card_transport *transport);
/* Unmaps all. At the card's end, when nobody asks any more. */
void fan_card_maps_free(struct fan_card_maps *maps);

#define FAN_CARD_REACH_RECENT 8

/* What one queue remembers; one thread. */
struct fan_card_reach {
	struct fan_card_maps *maps;
	uint64_t withdrawals;
	struct fan_card_mapping recent[FAN_CARD_REACH_RECENT];
	unsigned recent_count, replace_at;
};

void fan_card_reach_init(struct fan_card_reach *reach, struct fan_card_maps *maps);
/* Forgets what has been withdrawn. Before the addresses of each burst. */
void fan_card_reach_renew(struct fan_card_reach *reach);
/* Out: iova of `address`. False when not all of [address, address + bytes) lies in one region that is mapped, or the card may not do
 * there what it is to do: to be copied. */
bool fan_card_reach_find(struct fan_card_reach *reach, uint64_t *iova, const void *address, size_t bytes,
			 enum fan_memory_access access);

#endif
