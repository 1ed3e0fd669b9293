/* SPDX-License-Identifier: BSD-3-Clause */
/* The faces are programs of their own, which no keys meet; these commands run them. */
#define _GNU_SOURCE
#include "client.h"
#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 2048
#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

struct facing {
	const char *config;
	bool check;
};

static const struct fan_option face_options[] = {
	{ .name = "config",
	  .value = "FILE",
	  .help = "its configuration, which a manual page describes: fanfare-t8.ini(5) and its like",
	  .type = FAN_OPTION_FILE,
	  .offset = offsetof(struct facing, config) },
	{ .name = "check",
	  .help = "only print the configuration that would be in force",
	  .type = FAN_OPTION_FLAG,
	  .offset = offsetof(struct facing, check) },
};

/* Runs a program of this one's folder, or of ../libexec/fanfare beside it. Returns when there is none. */
static void
run_beside(const char *program, char **argv)
{
	static const char *const folders[] = { "", "../libexec/fanfare/" };
	char own[PATH_BYTES] = "", path[PATH_BYTES + 64];
	const ssize_t own_bytes = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *name = own_bytes > 0 ? strrchr(own, '/') : NULL;

	if (name == NULL)
		return;
	name[1] = '\0';
	for (size_t i = 0; i < COUNT_OF(folders); i++) {
		(void)snprintf(path, sizeof(path), "%s%s%s", own, folders[i], program);
		(void)execv(path, argv);
	}
}

static int
run_face(const struct fan_command *command, const char *program, int argc, char **argv)
{
	struct facing chosen = { .config = NULL };
	char **operands;
	int exit_code = fan_client_parse(command, &chosen, &operands, 0, 0, argc, argv);
	char name[32], check[] = "--check", *arguments[5] = { name, name }, *file;
	unsigned count = 1;

	if (exit_code != FAN_EXIT_OK)
		return exit_code < 0 ? FAN_EXIT_OK : exit_code;
	if (chosen.config == NULL)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--config FILE: is needed");
	(void)snprintf(name, sizeof(name), "%s", command->name);
	file = strdup(chosen.config);
	arguments[count++] = name;
	if (chosen.check)
		arguments[count++] = check;
	arguments[count] = file;
	run_beside(program, arguments);
	exit_code = fan_command_fail(command, FAN_EXIT_FAILED,
				     "%s: %s: it belongs beside this program, or into ../libexec/fanfare", program,
				     strerror(errno));
	free(file);
	return exit_code;
}

static int
run_north(const struct fan_command *command, int argc, char **argv)
{
	return run_face(command, "fanfare-north", argc, argv);
}

const struct fan_command fan_command_t8 = {
	.name = "t8",
	.summary = "Takes group messages from application servers (3GPP T8, HTTP) to the daemon",
	.operands = "",
	.text = "It holds no keys, and stays in the foreground until SIGTERM or SIGINT. fanfare-t8.ini(5) and host-api/north/t8/README.md describe it.\n\n"
		"Exit codes: 0 stopped; 1 it could not start; 2 wrong options or configuration.",
	.options = face_options,
	.option_count = COUNT_OF(face_options),
	.run = run_north,
};

const struct fan_command fan_command_web = {
	.name = "web",
	.summary = "Shows what the daemon does: metrics for Prometheus, and a live page",
	.operands = "",
	.text = "It holds no keys and changes nothing, and stays in the foreground until SIGTERM or SIGINT. fanfare-web.ini(5) and host-api/north/web/README.md describe it.\n\n"
		"Exit codes: 0 stopped; 1 it could not start; 2 wrong options or configuration.",
	.options = face_options,
	.option_count = COUNT_OF(face_options),
	.run = run_north,
};

static int
run_tsp(const struct fan_command *command, int argc, char **argv)
{
	return run_face(command, "fanfare-tsp", argc, argv);
}

const struct fan_command fan_command_tsp = {
	.name = "tsp",
	.summary = "Takes device triggers from application servers (3GPP Tsp, Diameter) to the daemon",
	.operands = "",
	.text = "It holds no keys, and stays in the foreground until SIGTERM or SIGINT. fanfare-tsp.ini(5) and host-api/north/tsp/README.md describe it.\n\n"
		"Exit codes: 0 stopped; 1 it could not start; 2 wrong options or configuration.",
	.options = face_options,
	.option_count = COUNT_OF(face_options),
	.run = run_tsp,
};

static int
run_keys(const struct fan_command *command, int argc, char **argv)
{
	return run_face(command, "fanfare-keys", argc, argv);
}

const struct fan_command fan_command_keys = {
	.name = "keys",
	.summary = "Brings keys of groups from the daemon to HSSs and MMEs (Diameter)",
	.operands = "",
	.text = "It has keys in wrapped form alone, and stays in the foreground until SIGTERM or SIGINT. fanfare-keys.ini(5) and host-api/north/keys/README.md describe it.\n\n"
		"Exit codes: 0 stopped; 1 it could not start; 2 wrong options or configuration.",
	.options = face_options,
	.option_count = COUNT_OF(face_options),
	.run = run_keys,
};
