/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many members for many groups: collected one by one, joined in strides of one group and table, since each may be a write to the disk.
 */
#ifndef FAN_CONTROL_JOINS_H
#define FAN_CONTROL_JOINS_H

#include "protocol.h"

struct fan_join {
	uint32_t group; /* index into gids */
	uint32_t profile;
	fan_context_id id;
};

#define FAN_JOINS_STRIDE 16384

/* Zeroed at first. */
struct fan_joins {
	struct fan_join *joins; /* owned */
	size_t count, room, next;
	fan_context_id *stride; /* owned: FAN_JOINS_STRIDE, those that join at a time */
	bool sorted;
	char **gids; /* owned, as their texts are */
	unsigned gid_count, last_gid;
	void *gid_tree; /* tsearch(3) */
	uint64_t joined;
};

/* Notes that a context shall become a member. MEMORY, INVALID (no GID). */
int fan_joins_add(struct fan_joins *joins, const char *gid, fan_context_id id, enum fan_profile profile);
/* Joins at least one stride, and goes on for some milliseconds; groups that are not there are created when `create` is set. Returns 1 while some
 * are left, 0 at the end, or an error; what was joined before stays so, and what could not be joined is passed over by the next call. */
int fan_joins_step(struct fan_joins *joins, struct fanfare *fanfare, bool create);
void fan_joins_free(struct fan_joins *joins);

#endif
