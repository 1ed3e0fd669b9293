/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When leases end that are bounded in time. Of each context what its end is, 8 octets where a table has any; and a heap, the next end first,
 * so that a look costs nothing while none is near. An end that was changed leaves its entry in the heap, which is passed over when its time
 * comes. Times are milliseconds since 1970 UTC. Thread: the control thread.
 */
#ifndef FAN_LEASE_ENDS_H
#define FAN_LEASE_ENDS_H

#include "../../dataplane/dataplane.h"

#define FAN_LEASE_NEAR_MS 60000

struct fan_lease_end {
	int64_t until_ms;
	unsigned table;
	uint32_t slot;
	bool told; /* in the heap: that it is near; the end itself comes next */
};

/* Zeroed: none. */
struct fan_lease_ends {
	int64_t **until_ms
		[FAN_TABLES_MAX]; /* owned: of each table, by steps of slots, NULL where none has an end; negative: it was taken out */
	struct fan_lease_end *heap; /* owned: no entry is due later than the two below it */
	size_t count, room;
};

/* 0: it has no end. */
int64_t fan_lease_end(const struct fan_lease_ends *ends, unsigned table, uint32_t slot);
/* Makes room for an end. MEMORY. */
int fan_lease_ends_reserve(struct fan_lease_ends *ends, const struct fan_lease_end *end);
/* In: an end that room was made for since the last one was set; until_ms 0: it has none any more, which needs no room. */
void fan_lease_ends_set(struct fan_lease_ends *ends, const struct fan_lease_end *end);
/* Takes one out whose time has come by now_ms, or has come near: that is told once, and it stays. Out: *end; it is near when its until_ms is
 * later than now_ms. False: there is none. */
bool fan_lease_ends_take(struct fan_lease_ends *ends, struct fan_lease_end *end, int64_t now_ms);
void fan_lease_ends_free(struct fan_lease_ends *ends);

#endif
