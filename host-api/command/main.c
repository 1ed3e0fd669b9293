/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Sanitizers trace their own process when they look for leaks, which a process that may not be dumped refuses. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define TRACED_BY_SANITIZER 1
#else
#define TRACED_BY_SANITIZER 0
#endif

/* Keys live in this process: no core file of it, and no look into its memory by other programs of the same user. */
static void
harden(void)
{
	const struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	if (!TRACED_BY_SANITIZER)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int
main(int argc, char **argv)
{
	int exit_code;

	harden();
	/* A file that may not grow (ulimit -f) is an error like a full disk, not the end of the process. */
	signal(SIGXFSZ, SIG_IGN);
	exit_code = fan_command_main(argc, argv);
	/* A result that did not reach its reader is no result. */
	if (fflush(stdout) != 0 && exit_code == FAN_EXIT_OK) {
		perror("fanfare: stdout");
		exit_code = FAN_EXIT_FAILED;
	}
	return exit_code;
}
