/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands.h"

#include "completion.h"
#include "manual.h"

#include <string.h>

#ifndef FAN_VERSION
#define FAN_VERSION "0.1.0"
#endif

static const struct fan_command completion;
static const struct fan_command version;
static const struct fan_command help;

const struct fan_command *const fan_commands[] = {
	&fan_command_fanout,
	&fan_command_check,
	&fan_command_population,
	&fan_command_engines,
	&fan_command_serve,
	&fan_command_tsp,
	&fan_command_keys,
	&fan_command_ue,
	&fan_command_lease,
	&fan_command_release,
	&fan_command_ack,
	&fan_command_group,
	&fan_command_group_key,
	&fan_command_next_hop,
	&fan_command_send,
	&fan_command_message,
	&fan_command_status,
	&fan_command_top,
	&fan_command_reload,
	&fan_command_stop,
	&fan_command_store,
	&fan_command_t8,
	&fan_command_web,
	&completion,
	&version,
	&help,
	NULL,
};

static const char *
command_candidate(const void *user, unsigned index)
{
	(void)user;
	return fan_commands[index] == NULL ? NULL : fan_commands[index]->name;
}

/* ---- Help, version, completion ----------------------------------------------------------------------------------------- */

static void
print_commands(FILE *out)
{
	fputs("Usage: fanfare COMMAND [OPTION...]\n\n" FAN_PROGRAM_SUMMARY ".\n\nCommands:\n", out);
	for (size_t i = 0; fan_commands[i] != NULL; i++)
		fprintf(out, "  %-12s%s\n", fan_commands[i]->name, fan_commands[i]->summary);
	fputs("\n'fanfare COMMAND --help' lists the options of a command.\n"
	      "Exit codes: " FAN_EXIT_CODES_TEXT "\n",
	      out);
}

static const struct fan_command *
find_command(const char *name)
{
	for (size_t i = 0; fan_commands[i] != NULL; i++) {
		if (strcmp(fan_commands[i]->name, name) == 0)
			return fan_commands[i];
	}
	return NULL;
}

static int
refuse_command(const char *name)
{
	const char *nearest = fan_command_nearest(name, command_candidate, NULL);

	if (nearest != NULL)
		fprintf(stderr, "fanfare: unknown command '%s': did you mean '%s'?\n", name, nearest);
	else
		fprintf(stderr, "fanfare: unknown command '%s': 'fanfare help' lists them\n", name);
	return FAN_EXIT_USAGE;
}

static const char *
subcommand_candidate(const void *user, unsigned index)
{
	const struct fan_command *command = user;

	return command->subcommands[index] == NULL ? NULL : fan_subcommand_name(command->subcommands[index]);
}

static int
refuse_subcommand(const struct fan_command *command, const char *name)
{
	const char *nearest = fan_command_nearest(name, subcommand_candidate, command);

	if (nearest != NULL)
		return fan_command_fail(command, FAN_EXIT_USAGE, "unknown subcommand '%s': did you mean '%s'?", name, nearest);
	return fan_command_fail(command, FAN_EXIT_USAGE, "unknown subcommand '%s': 'fanfare help %s' lists them", name,
				command->name);
}

/* In: argv[0], the command's name, behind which its subcommand stands. */
static int
run_subcommand(const struct fan_command *command, int argc, char **argv)
{
	const struct fan_command *subcommand;

	if (argc < 2)
		return fan_command_fail(command, FAN_EXIT_USAGE, "a subcommand is needed: 'fanfare help %s' lists them",
					command->name);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		fan_command_help_print(command, stdout);
		return FAN_EXIT_OK;
	}
	subcommand = fan_subcommand_find(command, argv[1]);
	return subcommand != NULL ? subcommand->run(subcommand, argc - 1, argv + 1) : refuse_subcommand(command, argv[1]);
}

/* Where the values of commands without options go: none. */
struct no_values {
	char none;
};

struct helping {
	bool man;
};

static const struct fan_option help_options[] = {
	{ .name = "man",
	  .help = "a manual page, for 'man -l -'",
	  .type = FAN_OPTION_FLAG,
	  .offset = offsetof(struct helping, man) },
};

static int
print_help_of(const struct helping *chosen, const char *name, const char *subname)
{
	const struct fan_command *about = find_command(name), *subcommand;

	if (about == NULL)
		return refuse_command(name);
	subcommand = subname != NULL ? fan_subcommand_find(about, subname) : NULL;
	if (subname != NULL && about->subcommands != NULL && subcommand == NULL)
		return refuse_subcommand(about, subname);
	/* The page of a command has its subcommands on it. */
	if (chosen->man)
		fan_manual_print(about, fan_commands);
	else
		fan_command_help_print(subcommand != NULL ? subcommand : about, stdout);
	return FAN_EXIT_OK;
}

static int
run_help(const struct fan_command *command, int argc, char **argv)
{
	struct helping chosen = { false };
	int rest;

	switch (fan_command_parse(command, &chosen, &rest, argc, argv)) {
	case FAN_PARSED:
		break;
	case FAN_PARSED_HELP:
		return FAN_EXIT_OK;
	case FAN_PARSED_WRONG:
		return FAN_EXIT_USAGE;
	}
	if (rest < argc)
		return print_help_of(&chosen, argv[rest], rest + 1 < argc ? argv[rest + 1] : NULL);
	if (chosen.man)
		fan_manual_print(NULL, fan_commands);
	else
		print_commands(stdout);
	return FAN_EXIT_OK;
}

static const char *
command_operand(unsigned index)
{
	return command_candidate(NULL, index);
}

static const struct fan_command help = {
	.name = "help",
	.summary = "Lists the commands, or the options of one",
	.operands = "[COMMAND [SUBCOMMAND]]",
	.mixes = true,
	.options = help_options,
	.option_count = sizeof(help_options) / sizeof(help_options[0]),
	.operand = command_operand,
	.run = run_help,
};

static int
run_version(const struct fan_command *command, int argc, char **argv)
{
	struct no_values no_values;
	int rest;
	enum fan_parsed parsed = fan_command_parse(command, &no_values, &rest, argc, argv);

	if (parsed == FAN_PARSED)
		printf("fanfare %s\n", FAN_VERSION);
	return parsed == FAN_PARSED_WRONG ? FAN_EXIT_USAGE : FAN_EXIT_OK;
}

static const struct fan_command version = {
	.name = "version",
	.summary = "Prints the version",
	.operands = "",
	.run = run_version,
};

static int
run_completion(const struct fan_command *command, int argc, char **argv)
{
	struct no_values no_values;
	int rest;
	enum fan_parsed parsed = fan_command_parse(command, &no_values, &rest, argc, argv);

	if (parsed != FAN_PARSED)
		return parsed == FAN_PARSED_HELP ? FAN_EXIT_OK : FAN_EXIT_USAGE;
	if (rest != argc - 1 || !fan_completion_print(argv[rest], fan_commands))
		return fan_command_fail(command, FAN_EXIT_USAGE, "%s: takes the name of one shell: bash, zsh or fish",
					rest < argc ? argv[rest] : "no shell named");
	return FAN_EXIT_OK;
}

static const struct fan_command completion = {
	.name = "completion",
	.summary = "Prints a completion script for a shell",
	.operands = "bash|zsh|fish",
	.text = "An installed program has them where the shells look. Elsewhere: 'source <(fanfare completion bash)', the same with zsh,\n"
		"and 'fanfare completion fish | source'.",
	.operand = fan_completion_shell,
	.run = run_completion,
};

/* ---- Choosing one ----------------------------------------------------------------------------------------------------- */

int
fan_command_main(int argc, char **argv)
{
	const struct fan_command *command;

	if (argc < 2) {
		print_commands(stderr);
		return FAN_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_commands(stdout);
		return FAN_EXIT_OK;
	}
	if (strcmp(argv[1], "--version") == 0)
		return run_version(&version, 1, argv + 1);
	if (argv[1][0] == '-') {
		fprintf(stderr, "fanfare: unknown option '%s': a command comes first, 'fanfare help' lists them\n", argv[1]);
		return FAN_EXIT_USAGE;
	}
	command = find_command(argv[1]);
	if (command == NULL)
		return refuse_command(argv[1]);
	return command->subcommands != NULL ? run_subcommand(command, argc - 1, argv + 1)
					    : command->run(command, argc - 1, argv + 1);
}
