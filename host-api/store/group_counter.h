/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * COUNTs of a group's keys, kept in the group's record: each is given once, ever. They are reserved FAN_GROUP_COUNTS at a time, one durable write
 * for so many, and only then given; whoever opens the counter again, after whatever ended the process, goes on behind all that was reserved. A
 * COUNT that is passed over costs nothing: a member accepts any that is higher.
 *
 * One counter of a group at a time, and no open transaction of the store while it gives one that is not reserved yet.
 *
 * What it does not know: the key. Deleting the group's record forgets its COUNTs, and so what its keys are made of goes with it: a group of the same
 * GID that is made later has others.
 */
#ifndef FAN_GROUP_COUNTER_H
#define FAN_GROUP_COUNTER_H

#include "store.h"

#define FAN_GROUP_COUNTS 256 /* a write for so many messages of one group; 2^32 of them outlast any crash loop */

struct fan_group_counter {
	struct fan_store *store;
	char gid[FAN_GROUP_BYTES];
	uint8_t gki;
	uint64_t next, reserved; /* COUNTs next .. reserved - 1 may be given */
};

/*
 * Begins, or goes on, with the COUNTs of a key. In: the group's GID, whose record is there; first, the lowest COUNT that may be given. Out:
 * *counter. Writes nothing. NOT_FOUND: there is no such group. EXISTS: COUNTs of this Gki were given and then those of another: it is never used
 * again.
 */
int fan_group_counter_open(struct fan_group_counter *counter, struct fan_store *store, const char *gid, uint8_t gki,
			   uint32_t first);

/* Returns a COUNT, which is on stable storage as spent, or an error with none given: INVALID at their end, BUSY in a transaction, IO, MEMORY; NOT_FOUND
 * when the group was deleted, EXISTS when another counter has taken the group on to another key. */
int64_t fan_group_counter_take(struct fan_group_counter *counter);

#endif
