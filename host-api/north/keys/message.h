/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The AVPs of ours as messages hold them: written and read, for this node and for the HSS and MME of the tests. What is read was parsed by the
 * dictionary, so that each value is in its range; what a peer has left out or put in twice is refused. Any thread.
 */
#ifndef FAN_NORTH_KEYS_MESSAGE_H
#define FAN_NORTH_KEYS_MESSAGE_H

#include "../diameter/avp.h"
#include "dictionary.h"

/* A group's keys as they were read. */
struct fan_keys_told {
	char gid[FAN_KEYS_GID_BYTES];
	uint64_t revision;
	unsigned set_count;
	struct fan_keys_set sets[FAN_KEYS_SETS_MAX];
};

/* Adds a Group-Keys AVP. False: no memory. */
bool fan_keys_add_told(msg_or_avp *parent, const char *gid, uint64_t revision, const struct fan_keys_set *sets,
		       unsigned set_count);
/* Adds a User-Identifier that names a group: by Group-Identifier, and, where it is LOCAL@DOMAIN, as External-Identifier of type group. */
bool fan_keys_add_group(msg_or_avp *parent, const char *gid);
/* Reads a Group-Keys AVP. False: a set too many, or two of one index. */
bool fan_keys_read_told(struct fan_keys_told *told, struct avp *group_keys);
/* The GID that a User-Identifier of fan_keys_add_group() names. Out: gid[FAN_KEYS_GID_BYTES]. False: it names none. */
bool fan_keys_read_group(char *gid, struct avp *user_identifier);

#endif
