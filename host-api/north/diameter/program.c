/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "node.h"

#include "../../control/log.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	EXIT_GOOD = 0,
	EXIT_BAD = 1,
	EXIT_WRONG = 2,
};

static int
fail_detail(int error)
{
	fan_log(error == FAN_E_INVALID ? FAN_LOG_CONFIGURATION_REFUSED : FAN_LOG_START_FAILED, NULL, "%s", fan_error_detail());
	return error == FAN_E_INVALID ? EXIT_WRONG : EXIT_BAD;
}

/* Payloads and wrapped keys pass through this process: no core file of it. */
static void
harden(void)
{
	const struct rlimit no_core = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int
become(const char *name, const char *section)
{
	const struct passwd *user = name != NULL ? getpwnam(name) : NULL;

	if (name == NULL || (user != NULL && user->pw_uid == geteuid()))
		return 0;
	if (user == NULL)
		return fan_fail(FAN_E_INVALID, "[%s] user %.64s: no such user on this machine", section, name);
	if (initgroups(name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)
		return fan_fail(FAN_E_IO, "[%s] user %.64s: %s: only root can become another", section, name, strerror(errno));
	return 0;
}

static int
serve(const struct fan_node_program *program, const struct fan_diameter_settings *settings)
{
	struct fan_notify notify;
	sigset_t signals;
	int error, got;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	fan_notify_open(&notify);
	error = become(settings->user, program->name);
	if (error == 0)
		error = program->open(&notify);
	if (error == 0) {
		fan_log(FAN_LOG_READY, NULL, "listening as %s", settings->identity);
		fan_notify_say(&notify, "READY=1");
		(void)sigwait(&signals, &got);
		fan_notify_say(&notify, "STOPPING=1");
		if (fan_node_broke())
			error = fan_fail(FAN_E_IO, "freeDiameter has ended by itself; its own line is above");
		else
			fan_log(FAN_LOG_STOPPED, NULL, "ends");
	}
	if (error != 0)
		error = fail_detail(error);
	program->close();
	fan_notify_close(&notify);
	return error;
}

int
fan_node_main(const struct fan_node_program *program, int argc, char **argv)
{
	const bool check = argc == 4 && strcmp(argv[2], "--check") == 0;
	const struct fan_diameter_settings *settings = NULL;
	int error;

	harden();
	if (argc != 3 && !check) {
		(void)fprintf(stderr, "usage: fanfare-%s %s [--check] FILE; it is what `fanfare %s` runs\n", program->name,
			      program->name, program->name);
		return EXIT_WRONG;
	}
	error = fan_log_open(program->name, check ? "plain" : "early");
	if (error == 0)
		error = program->read(argv[argc - 1], &settings);
	if (error == 0 && !check)
		error = fan_log_open(program->name, settings->log);
	if (error != 0) /* the file was named on the command line */
		error = fail_detail(FAN_E_INVALID);
	else if (check)
		program->print(stdout);
	else
		error = serve(program, settings);
	program->forget();
	fan_log_close();
	return error;
}
