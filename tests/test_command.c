/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/command/commands.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>

struct values {
	bool flag, flatten;
	const char *text, *file, *colour, *list;
	uint64_t number;
};

static const char *
colour(unsigned index)
{
	static const char *const names[] = { "red", "green" };

	return index < 2 ? names[index] : NULL;
}

#define AT(field) .offset = offsetof(struct values, field)

static const struct fan_option options[] = {
	{ .name = "flag", .help = "a flag", .type = FAN_OPTION_FLAG, AT(flag) },
	{ .name = "flatten", .help = "another", .type = FAN_OPTION_FLAG, AT(flatten) },
	{ .name = "text", .value = "STRING", .help = "a text", .type = FAN_OPTION_TEXT, AT(text) },
	{ .name = "file", .value = "FILE", .help = "a file", .type = FAN_OPTION_FILE, AT(file) },
	{ .name = "colour",
	  .value = "NAME",
	  .help = "first line\nsecond line",
	  .type = FAN_OPTION_CHOICE,
	  .choice = colour,
	  AT(colour) },
	{ .name = "list", .value = "NAME,...", .help = "a list", .type = FAN_OPTION_LIST, .choice = colour, AT(list) },
	{ .name = "number",
	  .value = "N",
	  .help = "a number",
	  .type = FAN_OPTION_NUMBER,
	  .minimum = 3,
	  .maximum = 99,
	  AT(number) },
};

static const struct fan_command plain = { .name = "plain",
					  .summary = "Plain",
					  .operands = "",
					  .options = options,
					  .option_count = sizeof(options) / sizeof(options[0]) };
static const struct fan_command with_rest = { .name = "rest",
					      .summary = "Rest",
					      .operands = "[-- EAL...]",
					      .options = options,
					      .option_count = sizeof(options) / sizeof(options[0]),
					      .takes_rest = true };
static const struct fan_command with_operand = { .name = "operand",
						 .summary = "Operand",
						 .operands = "NAME",
						 .options = options,
						 .option_count = sizeof(options) / sizeof(options[0]) };

#define ARGUMENTS_MAX 8

static enum fan_parsed
parse(const struct fan_command *command, struct values *values, int *rest, const char *const *arguments)
{
	static char copies[ARGUMENTS_MAX + 1][64];
	char *argv[ARGUMENTS_MAX + 2] = { copies[0] };
	int argc = 1;

	snprintf(copies[0], sizeof(copies[0]), "%s", command->name);
	for (; arguments[argc - 1] != NULL; argc++) {
		snprintf(copies[argc], sizeof(copies[argc]), "%s", arguments[argc - 1]);
		argv[argc] = copies[argc];
	}
	memset(values, 0, sizeof(*values));
	return fan_command_parse(command, values, rest, argc, argv);
}

Test(command, values_arrive)
{
	static const char *const arguments[] = { "--flag",   "--text=a b", "--number",   "3",
						 "--colour", "green",      "--list=x,y", NULL };
	struct values values;
	int rest;

	cr_assert_eq(parse(&plain, &values, &rest, arguments), FAN_PARSED);
	cr_assert(values.flag && !values.flatten);
	cr_assert_str_eq(values.text, "a b");
	cr_assert_str_eq(values.colour, "green");
	cr_assert_str_eq(values.list, "x,y");
	cr_assert_eq(values.number, 3);
	cr_assert_null(values.file);
	cr_assert_eq(rest, 8);
}

Test(command, abbreviations_and_the_last_one_wins)
{
	static const char *const arguments[] = { "--num", "7", "--te=x", "--te", "--flag", "--nu=9", NULL };
	struct values values;
	int rest;

	cr_assert_eq(parse(&plain, &values, &rest, arguments), FAN_PARSED);
	cr_assert_eq(values.number, 9);
	cr_assert_str_eq(values.text, "--flag"); /* a value may look like an option */
	cr_assert(!values.flag);
}

Test(command, what_follows_the_dashes_is_handed_on)
{
	static const char *const arguments[] = { "--flag", "--", "--flatten", "x", NULL };
	static const char *const operand[] = { "--flag", "x", "--flatten", NULL };
	struct values values;
	int rest;

	cr_assert_eq(parse(&with_rest, &values, &rest, arguments), FAN_PARSED);
	cr_assert_eq(rest, 3);
	cr_assert(!values.flatten);
	cr_assert_eq(parse(&with_operand, &values, &rest, operand), FAN_PARSED);
	cr_assert_eq(rest, 2);
	cr_assert(!values.flatten);
}

static void
read_stream(char *text, size_t text_bytes, FILE *stream)
{
	size_t got = fread(text, 1, text_bytes - 1, stream);

	text[got] = '\0';
}

#define REFUSED(test_name, command, line, ...)                                                                                 \
	Test(command_refuses, test_name, .init = cr_redirect_stderr)                                                           \
	{                                                                                                                      \
		static const char *const arguments[] = { __VA_ARGS__, NULL };                                                  \
		struct values values;                                                                                          \
		char said[512];                                                                                                \
		int rest;                                                                                                      \
                                                                                                                               \
		cr_assert_eq(parse(command, &values, &rest, arguments), FAN_PARSED_WRONG);                                     \
		fflush(stderr);                                                                                                \
		fclose(stderr);                                                                                                \
		read_stream(said, sizeof(said), cr_get_redirected_stderr());                                                   \
		cr_assert_str_eq(said, line "\n");                                                                             \
	}

REFUSED(unknown, &plain, "fanfare plain: unknown option '--quux': see 'fanfare plain --help'", "--quux")
REFUSED(near_miss, &plain, "fanfare plain: unknown option '--nubmer': did you mean --number?", "--nubmer=4")
REFUSED(ambiguous, &plain, "fanfare plain: option '--fl' is ambiguous: --flag --flatten", "--fl")
REFUSED(short_option, &plain, "fanfare plain: unknown option '-x': only -h is short, see 'fanfare plain --help'", "-x")
REFUSED(no_value, &plain, "fanfare plain: --number: needs a value (N)", "--number")
REFUSED(unwanted_value, &plain, "fanfare plain: --flag: takes no value", "--flag=1")
REFUSED(below, &plain, "fanfare plain: --number 2: takes a number from 3 to 99", "--number", "2")
REFUSED(above, &plain, "fanfare plain: --number 100: takes a number from 3 to 99", "--number", "100")
REFUSED(overflow, &plain, "fanfare plain: --number 18446744073709551616: takes a number from 3 to 99", "--number",
	"18446744073709551616")
REFUSED(signed_number, &plain, "fanfare plain: --number -4: takes a number from 3 to 99", "--number", "-4")
REFUSED(trailing, &plain, "fanfare plain: --number 4k: takes a number from 3 to 99", "--number", "4k")
REFUSED(no_number, &plain, "fanfare plain: --number : takes a number from 3 to 99", "--number", "")
REFUSED(choice, &plain, "fanfare plain: --colour blue: takes one of red, green", "--colour", "blue")
REFUSED(no_file, &plain, "fanfare plain: --file: takes a file name, not an empty text", "--file=")
REFUSED(argument, &plain, "fanfare plain: unexpected argument 'x': see 'fanfare plain --help'", "--flag", "x")
REFUSED(rest, &plain, "fanfare plain: unexpected argument 'x': nothing may follow '--'", "--", "x")
REFUSED(argument_before_rest, &with_rest, "fanfare rest: unexpected argument 'x': see 'fanfare rest --help'", "x", "--", "y")

Test(command, help_names_every_option, .init = cr_redirect_stdout)
{
	static const char *const arguments[] = { "--flag", "--help", "--nonsense", NULL };
	struct values values;
	char said[2048];
	int rest;

	cr_assert_eq(parse(&with_rest, &values, &rest, arguments), FAN_PARSED_HELP);
	fflush(stdout);
	fclose(stdout);
	read_stream(said, sizeof(said), cr_get_redirected_stdout());
	cr_assert(strstr(said, "Usage: fanfare rest [OPTION...] [-- EAL...]") != NULL);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		char wanted[64];

		snprintf(wanted, sizeof(wanted), "\n  --%s", options[i].name);
		cr_assert(strstr(said, wanted) != NULL, "no %s", wanted);
	}
	cr_assert(strstr(said, "\n                            second line\n") != NULL);
}

static const char *
candidate(const void *user, unsigned index)
{
	const char *const *names = user;

	return names[index];
}

Test(command, near_names)
{
	static const char *const names[] = { "fanout", "check", "engines", "completion", NULL };
	static const struct {
		const char *typed, *meant;
	} cases[] = {
		{ "fanot", "fanout" },     { "fanuot", "fanout" }, { "chekc", "check" }, { "engine", "engines" },
		{ "compl", "completion" }, { "xyzzy", NULL },      { "q", NULL },        { "", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *nearest = fan_command_nearest(cases[i].typed, candidate, names);

		if (cases[i].meant == NULL)
			cr_assert_null(nearest, "%s: %s", cases[i].typed, nearest);
		else
			cr_assert_str_eq(nearest, cases[i].meant);
	}
}

Test(command, exit_codes)
{
	cr_assert_eq(fan_command_exit_code(0), 0);
	cr_assert_eq(fan_command_exit_code(FAN_E_INVALID), 2);
	cr_assert_eq(fan_command_exit_code(FAN_E_TOO_LONG), 2);
	cr_assert_eq(fan_command_exit_code(FAN_E_MEMORY), 1);
	cr_assert_eq(fan_command_exit_code(FAN_E_UNSUPPORTED), 1);
	cr_assert_eq(fan_command_exit_code(FAN_E_IO), 1);
}

/* Tables are made by hand: what parsing and completion take for granted must hold for every command. */
static void
check_option(const struct fan_command *command, size_t j)
{
	const struct fan_option *option = &command->options[j];

	cr_assert_eq(option->value == NULL, option->type == FAN_OPTION_FLAG, "%s --%s", command->name, option->name);
	cr_assert(option->type != FAN_OPTION_CHOICE || option->choice != NULL);
	cr_assert(option->type != FAN_OPTION_NUMBER || option->minimum < option->maximum);
	for (size_t k = 0; k < j; k++)
		cr_assert(strcmp(option->name, command->options[k].name) != 0 && option->offset != command->options[k].offset);
}

static void
check_tables(const struct fan_command *const *commands)
{
	for (size_t i = 0; commands[i] != NULL; i++) {
		const struct fan_command *command = commands[i];

		cr_assert_not_null(command->operands);
		cr_assert_eq(command->run == NULL, command->subcommands != NULL, "%s", command->name);
		cr_assert(command->option_count <= FAN_OPTIONS_MAX);
		for (size_t j = 0; j < command->option_count; j++)
			check_option(command, j);
		if (command->subcommands == NULL)
			continue;
		cr_assert_eq(command->option_count, 0);
		check_tables(command->subcommands);
		for (size_t j = 0; command->subcommands[j] != NULL; j++)
			cr_assert(strncmp(command->subcommands[j]->name, command->name, strlen(command->name)) == 0 &&
					  command->subcommands[j]->name[strlen(command->name)] == ' ',
				  "%s", command->subcommands[j]->name);
	}
}

Test(command, tables_are_sound)
{
	check_tables(fan_commands);
}

Test(command, subcommands_are_found_by_their_last_name)
{
	const struct fan_command *found = fan_subcommand_find(&fan_command_ue, "list");

	cr_assert_not_null(found);
	cr_assert_str_eq(found->name, "ue list");
	cr_assert_str_eq(fan_subcommand_name(found), "list");
	cr_assert_null(fan_subcommand_find(&fan_command_ue, "ue list"));
	cr_assert_null(fan_subcommand_find(&fan_command_fanout, "list"));
}

Test(command, options_may_stand_behind_operands)
{
	static const struct fan_command mixed = { .name = "mixed",
						  .summary = "Mixed",
						  .operands = "NAME NAME",
						  .mixes = true,
						  .options = options,
						  .option_count = sizeof(options) / sizeof(options[0]) };
	static const char *const arguments[] = { "a", "--number", "7", "b", "--flag", "--", "--flatten", NULL };
	struct values values;
	int rest;

	cr_assert_eq(parse(&mixed, &values, &rest, arguments), FAN_PARSED);
	cr_assert(values.flag && !values.flatten);
	cr_assert_eq(values.number, 7);
	cr_assert_eq(rest, 5); /* a, b and --flatten stand behind all options */
}
