/* SPDX-License-Identifier: BSD-3-Clause */
/* Users and groups of this machine, as the configuration names them. */
#ifndef FAN_CONTROL_PRINCIPALS_H
#define FAN_CONTROL_PRINCIPALS_H

#include "../../dataplane/context/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define FAN_PRINCIPALS_MAX 32

struct fan_principals {
	unsigned count;
	struct {
		bool group;
		id_t id;
	} at[FAN_PRINCIPALS_MAX];
};

/* Adds those of a list: users, and groups as @GROUP, with blanks or commas between them. INVALID: there is no such one, or there are too many. */
int fan_principals_read(struct fan_principals *principals, const char *text);
/* Whether a user is one of them. In: groups[group_count], of the user, the primary one among them. */
bool fan_principals_have(const struct fan_principals *principals, uid_t user, const gid_t *groups, size_t group_count);

#endif
