/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "daemon.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Out: *user and *group, those that [serve] names, else as they are. */
static int
find_identity(uid_t *user, gid_t *group, const struct fan_configuration *configuration)
{
	const struct passwd *by_user = configuration->serve.user != NULL ? getpwnam(configuration->serve.user) : NULL;
	const struct group *by_group = configuration->serve.group != NULL ? getgrnam(configuration->serve.group) : NULL;

	if (configuration->serve.user != NULL && by_user == NULL)
		return fan_fail(FAN_E_INVALID, "[serve] user %s: no such user", configuration->serve.user);
	if (configuration->serve.group != NULL && by_group == NULL)
		return fan_fail(FAN_E_INVALID, "[serve] group %s: no such group", configuration->serve.group);
	*user = by_user != NULL ? by_user->pw_uid : geteuid();
	*group = by_group != NULL ? by_group->gr_gid : by_user != NULL ? by_user->pw_gid : getegid();
	return 0;
}

/* The C library does this in every thread of the process, workers included. */
static int
become(const struct fan_server *server, uid_t user, gid_t group)
{
	const struct fan_configuration *configuration = &server->configuration;

	if (configuration->serve.user == NULL && configuration->serve.group == NULL)
		return 0;
	if (server->bound && chown(configuration->serve.socket, user, group) != 0)
		return fan_fail(FAN_E_IO, "%s: %s", configuration->serve.socket, strerror(errno));
	if (setgroups(0, NULL) != 0 || setresgid(group, group, group) != 0 || setresuid(user, user, user) != 0)
		return fan_fail(FAN_E_IO, "[serve] user and group: root alone can become another: %s", strerror(errno));
	return 0;
}

int
fan_server_confine(struct fan_server *server)
{
	uid_t user;
	gid_t group;
	int error = find_identity(&user, &group, &server->configuration);

	if (error == 0)
		error = become(server, user, group);
	if (error == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		error = fan_fail(FAN_E_IO, "no_new_privs: %s", strerror(errno));
	/* Becoming another user made the process dumpable again; main() sees to the rest. */
	if (error == 0)
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return error;
}
