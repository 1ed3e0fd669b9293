/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What other nodes are told of groups: keys, wrapped under a key-encryption key that a node shares with this one, who is able to take them, and what
 * has changed since it was told last.
 *
 * Each change has a number, which rises also from one run to the next: a run begins at its start in milliseconds since 1970, times 2^20. A node that knows
 * the number of the last change that it was told asks for the next.
 *
 * Control thread.
 */
#ifndef FAN_EXPORT_H
#define FAN_EXPORT_H

#include "../keys/group_key.h"
#include "appliance.h"

struct fan_group_changes {
	uint64_t keys; /* the last one of its keys, and of whether a message has gone to it under them */
	uint64_t able; /* ... of who is able to take them */
	bool is_used;  /* a message has gone to it since its keys changed */
};

/* The first number. Once, when an appliance is opened, before it has a group. */
void fan_changes_begin(struct fanfare *fanfare);
void fan_changes_note_keys(struct fan_group *group);
void fan_changes_note_able(struct fan_group *group);
/* A message that is none of keys has been accepted for a group. */
void fan_changes_note_message(struct fan_group *group);
/* A context is removed, which is in its groups until its slot is freed. */
void fan_changes_note_removal(struct fanfare *fanfare, unsigned table, uint32_t slot);
/* A group is no more. */
void fan_changes_note_deletion(struct fanfare *fanfare);

/* The group whose last change comes first behind a number; NULL: there is none. Out: *number, that change's. Some nanoseconds for each group. */
const struct fan_group *fan_changes_next(const struct fanfare *fanfare, uint64_t *number, uint64_t after);
/* The last deletion of a group, or the first number of this run. */
uint64_t fan_changes_deletion(const struct fanfare *fanfare);
const struct fan_group_changes *fan_group_changes(const struct fan_group *group);
bool fan_group_has_key(const struct fan_group *group);

/* The first from a name on of a group's contexts that are able to take its keys. In: *id, 0 for all; of one that was told, its name + 1. Out: *id. False: there
 * is none. */
bool fan_group_able_next(const struct fan_group *group, fan_context_id *id);

/* A key for another node. */
struct fan_exported_key {
	uint8_t gki;
	uint16_t duration_min;
	int64_t start_s;
	uint16_t octet_count;
	uint8_t octets[FAN_GROUP_ENTRY_BYTES_MAX]; /* fan_group_entry_wrap()'s */
};

/* Wraps a group's current key. In: the path of a file with the key-encryption key: 32 octets or 64 hex digits, mode 0600 or 0400, this user's. NOT_FOUND: the
 * group has no key, or there is no such file; INVALID, IO: the file; MEMORY. */
int fan_group_key_export(const struct fan_group *group, struct fan_exported_key *exported, const char *kek_file);

#endif
