/* SPDX-License-Identifier: BSD-3-Clause */
#include "command.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define HELP_COLUMN 28
#define OPTION_VALUE_BASE 256 /* getopt values of long options start above all characters */
#define NEAREST_BYTES_MAX 32

int
fan_command_fail(const struct fan_command *command, int exit_code, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "fanfare %s: ", command->name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return exit_code;
}

int
fan_command_exit_code(int error)
{
	if (error == 0)
		return FAN_EXIT_OK;
	return error == FAN_E_INVALID || error == FAN_E_TOO_LONG ? FAN_EXIT_USAGE : FAN_EXIT_FAILED;
}

bool
fan_command_number(uint64_t *number, const char *text)
{
	char *end;
	unsigned long long value;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0')
		return false;
	*number = value;
	return true;
}

/* ---- Near misses ------------------------------------------------------------------------------------------------------- */

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Edit distance with neighbouring transpositions counted once (optimal string alignment); both at most NEAREST_BYTES_MAX. */
static unsigned
edit_distance(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
	uint8_t distance[NEAREST_BYTES_MAX + 1][NEAREST_BYTES_MAX + 1];

	for (size_t i = 0; i <= a_bytes; i++)
		distance[i][0] = (uint8_t)i;
	for (size_t j = 0; j <= b_bytes; j++)
		distance[0][j] = (uint8_t)j;
	for (size_t i = 1; i <= a_bytes; i++) {
		for (size_t j = 1; j <= b_bytes; j++) {
			unsigned replace = distance[i - 1][j - 1] + (unsigned)(a[i - 1] != b[j - 1]);
			unsigned shift = least(distance[i - 1][j], distance[i][j - 1]) + 1;
			unsigned best = least(replace, shift);

			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = least(best, distance[i - 2][j - 2] + 1U);
			distance[i][j] = (uint8_t)best;
		}
	}
	return distance[a_bytes][b_bytes];
}

const char *
fan_command_nearest(const char *text, const char *(*candidate)(const void *user, unsigned index), const void *user)
{
	size_t text_bytes = strlen(text);
	const char *nearest = NULL;
	unsigned nearest_distance = 3;
	const char *name;

	if (text_bytes < 2 || text_bytes > NEAREST_BYTES_MAX)
		return NULL;
	for (unsigned i = 0; (name = candidate(user, i)) != NULL; i++) {
		size_t name_bytes = strlen(name);
		unsigned distance;

		if (name_bytes > NEAREST_BYTES_MAX)
			continue;
		/* The front of a name counts as one slip: who types `check-pcap` or `fan` had the start right. */
		if (strncmp(text, name, least((unsigned)text_bytes, (unsigned)name_bytes)) == 0)
			distance = 1;
		else
			distance = edit_distance(text, text_bytes, name, name_bytes);
		if (distance < nearest_distance) {
			nearest_distance = distance;
			nearest = name;
		}
	}
	return nearest;
}

static const char *
option_candidate(const void *user, unsigned index)
{
	const struct fan_command *command = user;

	if (index == command->option_count)
		return "help";
	return index < command->option_count ? command->options[index].name : NULL;
}

/* ---- Parsing ----------------------------------------------------------------------------------------------------------- */

static void
print_choices(const struct fan_option *option)
{
	const char *name;

	for (unsigned i = 0; (name = option->choice(i)) != NULL; i++)
		fprintf(stderr, "%s%s", i == 0 ? "" : ", ", name);
}

static bool
choice_known(const struct fan_option *option, const char *text)
{
	const char *name;

	for (unsigned i = 0; (name = option->choice(i)) != NULL; i++) {
		if (strcmp(name, text) == 0)
			return true;
	}
	return false;
}

static bool
store_number(const struct fan_command *command, const struct fan_option *option, void *values, const char *text)
{
	uint64_t number;

	if (!fan_command_number(&number, text) || number < option->minimum || number > option->maximum) {
		fan_command_fail(command, FAN_EXIT_USAGE, "--%s %s: takes a number from %llu to %llu", option->name, text,
				 (unsigned long long)option->minimum, (unsigned long long)option->maximum);
		return false;
	}
	memcpy((char *)values + option->offset, &number, sizeof(number));
	return true;
}

static bool
store_value(const struct fan_command *command, const struct fan_option *option, void *values, const char *text)
{
	char *place = (char *)values + option->offset;
	bool yes = true;

	switch (option->type) {
	case FAN_OPTION_FLAG:
		memcpy(place, &yes, sizeof(yes));
		return true;
	case FAN_OPTION_NUMBER:
		return store_number(command, option, values, text);
	case FAN_OPTION_CHOICE:
		if (!choice_known(option, text)) {
			fprintf(stderr, "fanfare %s: --%s %s: takes one of ", command->name, option->name, text);
			print_choices(option);
			fputc('\n', stderr);
			return false;
		}
		break;
	case FAN_OPTION_FILE:
		if (*text == '\0') {
			fan_command_fail(command, FAN_EXIT_USAGE, "--%s: takes a file name, not an empty text", option->name);
			return false;
		}
		break;
	case FAN_OPTION_TEXT:
	case FAN_OPTION_LIST:
		break;
	}
	memcpy(place, &text, sizeof(text));
	return true;
}

/* getopt_long answers an unknown and an ambiguous option alike; this tells them apart and says what there is instead. */
static void
print_unknown(const struct fan_command *command, const char *argument)
{
	size_t name_bytes;
	unsigned matches = 0;
	char name[64];
	const char *nearest;

	if (strncmp(argument, "--", 2) != 0) {
		fan_command_fail(command, FAN_EXIT_USAGE, "unknown option '%s': only -h is short, see 'fanfare %s --help'",
				 argument, command->name);
		return;
	}
	name_bytes = strcspn(argument + 2, "=");
	snprintf(name, sizeof(name), "%.*s", (int)(name_bytes < sizeof(name) ? name_bytes : sizeof(name) - 1), argument + 2);
	for (size_t i = 0; i < command->option_count; i++)
		matches += strncmp(command->options[i].name, name, strlen(name)) == 0;
	if (matches > 1) {
		fprintf(stderr, "fanfare %s: option '--%s' is ambiguous:", command->name, name);
		for (size_t i = 0; i < command->option_count; i++) {
			if (strncmp(command->options[i].name, name, strlen(name)) == 0)
				fprintf(stderr, " --%s", command->options[i].name);
		}
		fputc('\n', stderr);
		return;
	}
	nearest = fan_command_nearest(name, option_candidate, command);
	if (nearest != NULL)
		fan_command_fail(command, FAN_EXIT_USAGE, "unknown option '--%s': did you mean --%s?", name, nearest);
	else
		fan_command_fail(command, FAN_EXIT_USAGE, "unknown option '--%s': see 'fanfare %s --help'", name,
				 command->name);
}

static void
fill_long_options(struct option *longs, const struct fan_command *command)
{
	for (size_t i = 0; i < command->option_count; i++) {
		longs[i] = (struct option){
			.name = command->options[i].name,
			.has_arg = command->options[i].type == FAN_OPTION_FLAG ? no_argument : required_argument,
			.val = OPTION_VALUE_BASE + (int)i,
		};
	}
	longs[command->option_count] = (struct option){ .name = "help", .val = 'h' };
	longs[command->option_count + 1] = (struct option){ 0 };
}

/* The option that a value of getopt_long() stands for, NULL for anything else. */
static const struct fan_option *
option_of(const struct fan_command *command, int got)
{
	if (command->options == NULL || got < OPTION_VALUE_BASE || (size_t)(got - OPTION_VALUE_BASE) >= command->option_count)
		return NULL;
	return &command->options[got - OPTION_VALUE_BASE];
}

/* What getopt_long() could not use: a missing value (':'), an unwanted one, or no option of ours. */
static enum fan_parsed
refuse(const struct fan_command *command, int got, const char *argument)
{
	const struct fan_option *option = option_of(command, optopt);

	if (option == NULL)
		print_unknown(command, argument);
	else if (got == ':')
		fan_command_fail(command, FAN_EXIT_USAGE, "--%s: needs a value (%s)", option->name, option->value);
	else
		fan_command_fail(command, FAN_EXIT_USAGE, "--%s: takes no value", option->name);
	return FAN_PARSED_WRONG;
}

enum fan_parsed
fan_command_parse(const struct fan_command *command, void *values, int *rest, int argc, char **argv)
{
	struct option longs[FAN_OPTIONS_MAX + 2];
	bool has_operands = command->operands[0] != '\0' && !command->takes_rest;

	fill_long_options(longs, command);
	opterr = 0;
	optind = 0; /* glibc: start anew, which tests and `help` rely on */
	for (;;) {
		const struct fan_option *option;
		int before = optind == 0 ? 1 : optind;
		int got = getopt_long(argc, argv, command->mixes ? ":h" : has_operands ? "+:h" : "-:h", longs, NULL);

		/* Operands that it has passed over were moved behind what it looked at. */
		if (command->mixes)
			before = optind > 1 ? optind - 1 : 1;
		if (got == -1)
			break;
		if (got == 'h') {
			fan_command_help_print(command, stdout);
			return FAN_PARSED_HELP;
		}
		if (got == 1) {
			fan_command_fail(command, FAN_EXIT_USAGE, "unexpected argument '%s': see 'fanfare %s --help'", optarg,
					 command->name);
			return FAN_PARSED_WRONG;
		}
		option = option_of(command, got);
		if (option == NULL)
			return refuse(command, got, argv[before]);
		if (!store_value(command, option, values, optarg))
			return FAN_PARSED_WRONG;
	}
	if (!has_operands && !command->takes_rest && optind < argc) {
		fan_command_fail(command, FAN_EXIT_USAGE, "unexpected argument '%s': nothing may follow '--'", argv[optind]);
		return FAN_PARSED_WRONG;
	}
	*rest = optind;
	return FAN_PARSED;
}

/* ---- Subcommands -------------------------------------------------------------------------------------------- */

const char *
fan_subcommand_name(const struct fan_command *subcommand)
{
	return strchr(subcommand->name, ' ') + 1;
}

const struct fan_command *
fan_subcommand_find(const struct fan_command *command, const char *name)
{
	for (size_t i = 0; command->subcommands != NULL && command->subcommands[i] != NULL; i++)
		if (strcmp(fan_subcommand_name(command->subcommands[i]), name) == 0)
			return command->subcommands[i];
	return NULL;
}

/* ---- Help -------------------------------------------------------------------------------------------------- */

static void
print_option(const struct fan_option *option, FILE *out)
{
	const char *help = option->help;
	int printed = fprintf(out, "  --%s%s%s", option->name, option->value == NULL ? "" : " ",
			      option->value == NULL ? "" : option->value);

	if (printed >= HELP_COLUMN) {
		fputc('\n', out);
		printed = 0;
	}
	for (;;) {
		size_t line_bytes = strcspn(help, "\n");

		fprintf(out, "%*s%.*s\n", HELP_COLUMN - printed, "", (int)line_bytes, help);
		if (help[line_bytes] == '\0')
			return;
		help += line_bytes + 1;
		printed = 0;
	}
}

static void
print_subcommands(const struct fan_command *command, FILE *out)
{
	fprintf(out, "Usage: fanfare %s SUBCOMMAND [OPTION...]\n\n%s.\n\nSubcommands:\n", command->name, command->summary);
	for (size_t i = 0; command->subcommands[i] != NULL; i++)
		fprintf(out, "  %-12s%s\n", fan_subcommand_name(command->subcommands[i]), command->subcommands[i]->summary);
	fprintf(out, "\n'fanfare %s SUBCOMMAND --help' lists the options of one.\n", command->name);
}

void
fan_command_help_print(const struct fan_command *command, FILE *out)
{
	static const struct fan_option help = { .name = "help", .help = "this text", .type = FAN_OPTION_FLAG };

	if (command->subcommands != NULL) {
		print_subcommands(command, out);
		return;
	}
	fprintf(out, "Usage: fanfare %s [OPTION...]%s%s\n\n%s.\n\nOptions:\n", command->name,
		command->operands[0] == '\0' ? "" : " ", command->operands, command->summary);
	for (size_t i = 0; i < command->option_count; i++)
		print_option(&command->options[i], out);
	print_option(&help, out);
	if (command->text != NULL)
		fprintf(out, "\n%s\n", command->text);
}
