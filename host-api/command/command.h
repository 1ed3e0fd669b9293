/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line: `fanfare COMMAND [OPTION...]`. A command describes its options once, in a table; parsing, --help and the
 * completion script are all made from that table, so none of them can say something that the others do not know.
 *
 * Exit codes, for all commands: 0 done and all well; 1 the request was sound but the run failed or found a fault; 2 the request
 * itself was wrong (options, values, message, or a file named on the command line that breaks its format).
 */
#ifndef FAN_COMMAND_H
#define FAN_COMMAND_H

#include "../fanfare.h"

#include <stdio.h>

enum fan_exit {
	FAN_EXIT_OK = 0,
	FAN_EXIT_FAILED = 1,
	FAN_EXIT_USAGE = 2,
};

enum fan_option_type {
	FAN_OPTION_FLAG,   /* bool */
	FAN_OPTION_TEXT,   /* const char * */
	FAN_OPTION_FILE,   /* const char *, completed as a file name */
	FAN_OPTION_NUMBER, /* uint64_t, decimal, minimum..maximum */
	FAN_OPTION_CHOICE, /* const char *, one of choice(0), choice(1), ... */
	FAN_OPTION_LIST,   /* const char *, comma-separated; only completion looks at choice(), the command checks */
};

#define FAN_OPTIONS_MAX 64

struct fan_option {
	const char *name;  /* without the dashes */
	const char *value; /* how --help calls the value; NULL for flags */
	const char *help;  /* one or more lines, without a default (the command's text says it) */
	enum fan_option_type type;
	uint64_t minimum, maximum;
	const char *(*choice)(unsigned index); /* the index-th name, NULL past the last */
	size_t offset;                         /* of the value in the command's own struct */
};

struct fan_command {
	const char *name;
	const char *summary;  /* one line for `fanfare help` */
	const char *operands; /* for the usage line, "" when there are none */
	const char *text;     /* what --help says below the options, NULL: nothing */
	const struct fan_option *options;
	size_t option_count;
	bool takes_rest;                        /* arguments after "--" are handed on (EAL) */
	bool mixes;                             /* options may also stand behind operands */
	const char *(*operand)(unsigned index); /* fixed operand values for completion; NULL: none */
	bool operand_is_file;                   /* operands are completed as file names */
	int (*run)(const struct fan_command *command, int argc, char **argv);
	/* NULL-terminated; each of them is named "COMMAND SUBCOMMAND". Such a command is nothing of itself: it has no options and no run(). */
	const struct fan_command *const *subcommands;
};

enum fan_parsed {
	FAN_PARSED,       /* go on */
	FAN_PARSED_HELP,  /* --help was asked for and printed: exit 0 */
	FAN_PARSED_WRONG, /* one line was printed on stderr: exit 2 */
};

/* Parses argv[1..argc-1] into *values, which holds the defaults before. Out: *rest, index of the first argument that is no
 * option: operands when the command has them, else what follows "--". Long options may be abbreviated while unambiguous, and
 * the last one given wins. */
enum fan_parsed fan_command_parse(const struct fan_command *command, void *values, int *rest, int argc, char **argv);

/* The subcommand of that last name; NULL: there is none. */
const struct fan_command *fan_subcommand_find(const struct fan_command *command, const char *name);
/* What a subcommand is called behind its command's name. */
const char *fan_subcommand_name(const struct fan_command *subcommand);

void fan_command_help_print(const struct fan_command *command, FILE *out);

/* Prints "fanfare COMMAND: ..." and a newline on stderr and returns exit_code. */
int fan_command_fail(const struct fan_command *command, int exit_code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The exit code that a library error stands for: wrong values are usage, all else is a failed run. */
int fan_command_exit_code(int error);

/* Strict decimal: digits only, no sign, no blank. False when it is not, or exceeds 64 bits. */
bool fan_command_number(uint64_t *number, const char *text);

/* The candidate nearest to `text`, when near enough to be a slip of the fingers; else NULL. */
const char *fan_command_nearest(const char *text, const char *(*candidate)(const void *user, unsigned index), const void *user);

#endif
