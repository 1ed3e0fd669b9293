/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the commands have in common that are clients of `fanfare serve`: where it is, a call, and how its answer is shown.
 */
#ifndef FAN_COMMAND_CLIENT_H
#define FAN_COMMAND_CLIENT_H

#include "../control/caller.h"
#include "command.h"

/* First in the struct of every such command. */
struct fan_client_options {
	const char *socket; /* NULL: as fan_caller_open() has it */
	bool json;
};

/* The rows of a command's table that fill it. */
#define FAN_CLIENT_OPTIONS                                                                                                     \
	{ .name = "socket",                                                                                                    \
	  .value = "PATH",                                                                                                     \
	  .help = "the daemon's control socket ($FANFARE_SOCKET, else\n" FAN_CONTROL_SOCKET ")",                               \
	  .type = FAN_OPTION_FILE,                                                                                             \
	  .offset = offsetof(struct fan_client_options, socket) },                                                             \
	{                                                                                                                      \
		.name = "json", .help = "the answer as one JSON object on stdout", .type = FAN_OPTION_FLAG,                    \
		.offset = offsetof(struct fan_client_options, json)                                                            \
	}

/* Parses, and checks how many operands there are. Out: *operands, the first. Returns FAN_EXIT_OK, an exit code with a line printed, or -1: help was
 * asked for. */
int fan_client_parse(const struct fan_command *command, void *values, char ***operands, unsigned least, unsigned most, int argc,
		     char **argv);

/* One call of one connection. Takes params; closes descriptor, unless it is -1. Out: *result, the caller's. Returns an exit code, with a line
 * printed unless it is 0. */
int fan_client_call(const struct fan_command *command, const struct fan_client_options *options, json_t **result,
		    const char *method, json_t *params, int descriptor);

/* Shows a result, which it takes: as JSON, or as lines and tables for people. In: columns of the tables, NULL-terminated; NULL: all. */
int fan_client_show(const struct fan_command *command, const struct fan_client_options *options, json_t *result,
		    const char *const *columns);

/* A call and its answer, shown. */
int fan_client_run(const struct fan_command *command, const struct fan_client_options *options, const char *method,
		   json_t *params, int descriptor, const char *const *columns);

/* For commands that take a GID alone, beside the options of every client: their `run` calls this, with the method that takes a GID. */
int fan_client_by_gid(const struct fan_command *command, const char *method, int argc, char **argv);
extern const struct fan_option fan_client_options_alone[2];
#define FAN_CLIENT_BY_GID(command_name, command_summary, command_run)                                                          \
	{                                                                                                                      \
		.name = (command_name), .summary = (command_summary), .operands = "GID", .mixes = true,                        \
		.options = fan_client_options_alone, .option_count = 2, .run = (command_run)                                   \
	}

/* The id of a message, which an operand is to be. Returns an exit code, with a line printed unless it is 0. */
int fan_client_read_id(const struct fan_command *command, uint64_t *id, const char *text);

/* Opens a file that goes along with a call, "-": all of stdin. Out: *descriptor. Returns an exit code, with a line printed unless it is 0. */
int fan_client_file(const struct fan_command *command, int *descriptor, const char *path);

#endif
