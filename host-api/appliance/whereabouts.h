/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where each UE is and what it listens to, as fan_ue_place() says it: 8 octets a context, by table and slot, in memory that is taken where
 * something is known. With a store the record of a UE has it too. Thread: the control thread.
 */
#ifndef FAN_WHEREABOUTS_H
#define FAN_WHEREABOUTS_H

#include "../../dataplane/dataplane.h"

struct fan_whereabout;

/* Zeroed: nothing is known of anybody. */
struct fan_whereabouts {
	struct fan_whereabout *tables[FAN_TABLES_MAX]; /* owned, one for each slot; NULL: nothing is known there */
	size_t bytes[FAN_TABLES_MAX];
};

/* INVALID: names the field and its range. In: the kind of the context; plmn, area and broadcast_id of *place. */
int fan_whereabouts_check(const struct fan_ue_place *place, enum fan_kind kind);
/* In: a checked place, a slot of the table; zeroed: nothing is known any more. MEMORY: nothing has changed; never with a zeroed place. */
int fan_whereabouts_set(struct fan_whereabouts *whereabouts, unsigned index, const struct fan_context_table *table,
			uint32_t slot, const struct fan_ue_place *place);
/* Out: *place. */
void fan_whereabouts_get(const struct fan_whereabouts *whereabouts, struct fan_ue_place *place, unsigned index, uint32_t slot);
void fan_whereabouts_free(struct fan_whereabouts *whereabouts);

#endif
