/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a batch, or a call by itself, has added and not committed yet: of each UE what its record has and its context has not. Keys stay in the
 * context alone. A UE takes 24 octets and its identity, an IMSI 16.
 *
 * UEs are found by table and slot, and walked in that order however they came: a commit that puts their records in the order of their keys
 * fills the store's pages to the end. Thread: the control thread.
 */
#ifndef FAN_ADDITIONS_H
#define FAN_ADDITIONS_H

#include "../../dataplane/dataplane.h"

struct fan_addition {
	size_t identity; /* where it begins among all */
	uint32_t capabilities, uplink_teid;
	bool added; /* false: no UE was added in this slot */
	bool emergency;
};

/* Zeroed: none. */
struct fan_additions {
	struct fan_addition_blocks {
		struct fan_addition **block; /* owned: of a stripe of slots each; NULL: none of them was added */
		uint32_t count;
	} tables[FAN_TABLES_MAX];
	char *identities; /* owned: each with its closing zero */
	size_t identity_bytes, identity_room;
	unsigned hops_before; /* next hops that were there */
};

/* In: a slot that was not added yet; ue->identity may be NULL. MEMORY. */
int fan_additions_put(struct fan_additions *additions, unsigned table, uint32_t slot, const struct fan_ue *ue);
/* Takes the UE out that was put last. */
void fan_additions_take_back(struct fan_additions *additions, unsigned table, uint32_t slot);
/* NULL: no UE was added there. Valid until the next one is put. */
const struct fan_addition *fan_additions_find(const struct fan_additions *additions, unsigned table, uint32_t slot);
/* "" for a UE that has none. Valid as the addition is. */
const char *fan_addition_identity(const struct fan_additions *additions, const struct fan_addition *addition);
/* No slot of a table from this one on was added. */
uint32_t fan_additions_slots(const struct fan_additions *additions, unsigned table);
/* Finds slots *first .. *end - 1 that were added one behind the other. In/Out: *first, where looking begins. False: there are none. */
bool fan_additions_run(const struct fan_additions *additions, uint32_t *first, uint32_t *end, unsigned table);
void fan_additions_free(struct fan_additions *additions);

#endif
