/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "principals.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

/* One user or @group. */
static int
add(struct fan_principals *principals, const char *name)
{
	const bool is_group = name[0] == '@';
	const struct passwd *user = is_group ? NULL : getpwnam(name);
	const struct group *group = is_group ? getgrnam(name + 1) : NULL;

	if (principals->count == FAN_PRINCIPALS_MAX)
		return fan_fail(FAN_E_INVALID, "more than %d users and groups: name a group instead", FAN_PRINCIPALS_MAX);
	if (user == NULL && group == NULL)
		return fan_fail(FAN_E_INVALID, "%.64s: no such %s on this machine; takes users, and groups as @GROUP", name,
				is_group ? "group" : "user");
	principals->at[principals->count].group = is_group;
	principals->at[principals->count++].id = is_group ? group->gr_gid : user->pw_uid;
	return 0;
}

int
fan_principals_read(struct fan_principals *principals, const char *text)
{
	char *copy = strdup(text), *rest = copy, *name;
	int error = copy == NULL ? fan_fail(FAN_E_MEMORY, "no memory") : 0;

	while (error == 0 && (name = strsep(&rest, ", \t")) != NULL)
		if (*name != '\0')
			error = add(principals, name);
	free(copy);
	return error;
}

bool
fan_principals_have(const struct fan_principals *principals, uid_t user, const gid_t *groups, size_t group_count)
{
	for (unsigned i = 0; i < principals->count; i++) {
		if (!principals->at[i].group && principals->at[i].id == user)
			return true;
		for (size_t j = 0; principals->at[i].group && j < group_count; j++)
			if (principals->at[i].id == groups[j])
				return true;
	}
	return false;
}
