/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands that are programs of their own: faces towards application servers, which hold no keys and bring libraries that the process with
 * the keys must not map. This one's options are checked here, then it becomes the other.
 */
#define _GNU_SOURCE
#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define PATH_BYTES 2048

static const struct face {
	const char *command;
	const char *executable;
} faces[] = {
	{ "tsp", "fanfare-tsp" },
};

struct facing {
	const char *config;
	bool check;
};

static const struct fan_option options[] = {
	{ .name = "config",
	  .value = "FILE",
	  .help = "the configuration; the manual of each face describes its own",
	  .type = FAN_OPTION_FILE,
	  .offset = offsetof(struct facing, config) },
	{ .name = "check",
	  .help = "only print the configuration that would be in force",
	  .type = FAN_OPTION_FLAG,
	  .offset = offsetof(struct facing, check) },
};

static const char *
executable_of(const struct fan_command *command)
{
	for (size_t i = 0; i < COUNT_OF(faces); i++)
		if (strcmp(faces[i].command, command->name) == 0)
			return faces[i].executable;
	return NULL;
}

/* Out: folder[PATH_BYTES], where this program lies, with its closing slash. False: nobody knows. */
static bool
find_folder(char *folder)
{
	const ssize_t path_bytes = readlink("/proc/self/exe", folder, PATH_BYTES - 1);
	char *end;

	folder[path_bytes > 0 ? path_bytes : 0] = '\0';
	end = strrchr(folder, '/');
	if (end == NULL)
		return false;
	end[1] = '\0';
	return true;
}

/* Beside this program, as a build has it, and where `make install` puts it. Returns when neither can be started. */
static int
become(const struct fan_command *command, const struct facing *chosen)
{
	static const char *const places[] = { "", "../libexec/fanfare/" };
	const char *arguments[] = { "fanfare", "--config", chosen->config, chosen->check ? "--check" : NULL, NULL };
	const char *executable = executable_of(command);
	char folder[PATH_BYTES], path[PATH_BYTES + 64], *own[COUNT_OF(arguments)];

	if (!find_folder(folder))
		return fan_command_fail(command, FAN_EXIT_FAILED, "/proc/self/exe: %s", strerror(errno));
	memcpy(own, arguments, sizeof(own)); /* execv() reads them alone */
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		(void)snprintf(path, sizeof(path), "%s%s%s", folder, places[i], executable);
		(void)execv(path, own);
		if (errno != ENOENT)
			return fan_command_fail(command, FAN_EXIT_FAILED, "%s: %s", path, strerror(errno));
	}
	return fan_command_fail(command, FAN_EXIT_FAILED, "%s%s: is not there, nor in %s: this build has no such face", folder,
				executable, places[1]);
}

static int
run_face(const struct fan_command *command, int argc, char **argv)
{
	struct facing chosen = { .config = NULL };
	int rest;
	const enum fan_parsed parsed = fan_command_parse(command, &chosen, &rest, argc, argv);

	if (parsed != FAN_PARSED)
		return parsed == FAN_PARSED_HELP ? FAN_EXIT_OK : FAN_EXIT_USAGE;
	if (rest < argc)
		return fan_command_fail(command, FAN_EXIT_USAGE, "unexpected argument '%s': see 'fanfare %s --help'", argv[rest],
					command->name);
	if (chosen.config == NULL)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--config FILE: is needed");
	return become(command, &chosen);
}

const struct fan_command fan_command_tsp = {
	.name = "tsp",
	.summary = "Takes device triggers over Tsp (Diameter) and hands them to the daemon",
	.operands = "",
	.text = "It stays in the foreground until SIGTERM or SIGINT. host-api/north/tsp/README.md is its manual.\n\n"
		"Exit codes: 0 stopped; 1 it could not start; 2 wrong options or configuration.",
	.options = options,
	.option_count = COUNT_OF(options),
	.run = run_face,
};
