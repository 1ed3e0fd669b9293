/* SPDX-License-Identifier: BSD-3-Clause */
#include "manual.h"

#include "commands.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_BYTES 64 /* of the source of a page, as it is read; 80 are a good page's most */
#define EXIT_CODES "Exit codes: "

/* ---- Text -------------------------------------------------------------------------------------------------------------- */

/* What a formatter would take for an order, or set as another character. */
static void
print_octet(char octet, bool dash)
{
	switch (octet) {
	case '\\':
		fputs("\\e", stdout);
		break;
	case '\'':
		fputs("\\(aq", stdout);
		break;
	case '"':
		fputs("\\(dq", stdout);
		break;
	case '`':
		fputs("\\(ga", stdout);
		break;
	case '^':
		fputs("\\(ha", stdout);
		break;
	case '~':
		fputs("\\(ti", stdout);
		break;
	case '-':
		fputs(dash ? "\\-" : "-", stdout);
		break;
	default:
		putchar(octet);
	}
}

/* Dashes before a name, as of options, are to be typed as they are. */
static void
print_octets(const char *octets, size_t count)
{
	bool dash = true;

	for (size_t i = 0; i < count; i++) {
		dash = octets[i] == '-' ? dash || (i + 1 < count && octets[i + 1] == '-') : !isalnum((unsigned char)octets[i]);
		print_octet(octets[i], dash);
	}
}

/* An argument of a macro, none of which is taken for a macro itself. */
static void
print_argument(const char *text)
{
	fputs(" \"\\&", stdout);
	print_octets(text, strlen(text));
	putchar('"');
}

static bool
ends_sentence(const char *word, size_t word_bytes)
{
	return word_bytes > 1 && strchr(".?!", word[word_bytes - 1]) != NULL;
}

/* Words, filled; each sentence begins a line. In: text[text_bytes]. */
static void
print_paragraph(const char *text, size_t text_bytes)
{
	const char *const end = text + text_bytes;
	size_t column = 0;
	bool sentence_over = false;

	for (;;) {
		size_t word_bytes = 0;

		while (text < end && isspace((unsigned char)*text))
			text++;
		while (text + word_bytes < end && !isspace((unsigned char)text[word_bytes]))
			word_bytes++;
		if (word_bytes == 0)
			break;
		if (column > 0 && (column + word_bytes > LINE_BYTES || (sentence_over && isupper((unsigned char)*text)))) {
			putchar('\n');
			column = 0;
		}
		fputs(column > 0 ? " " : *text == '.' || *text == '\'' ? "\\&" : "", stdout);
		print_octets(text, word_bytes);
		column += word_bytes + 1;
		sentence_over = ends_sentence(text, word_bytes);
		text += word_bytes;
	}
	putchar('\n');
}

/* A summary, which has no full stop. */
static void
print_sentence(const char *text)
{
	char sentence[256];

	(void)snprintf(sentence, sizeof(sentence), "%s.", text);
	print_paragraph(sentence, strlen(sentence));
}

/* Whether a paragraph of a command's text says what its exit codes mean. */
static bool
tells_exit_codes(const char *paragraph)
{
	return strncmp(paragraph, EXIT_CODES, strlen(EXIT_CODES)) == 0;
}

static size_t
paragraph_bytes(const char *text)
{
	const char *end = strstr(text, "\n\n");

	return end != NULL ? (size_t)(end - text) : strlen(text);
}

/* The paragraphs of a text, but for the one of exit codes. */
static void
print_text(const char *text)
{
	while (text != NULL && *text != '\0') {
		const size_t bytes = paragraph_bytes(text);

		if (!tells_exit_codes(text)) {
			puts(".Pp");
			print_paragraph(text, bytes);
		}
		text += bytes;
		text += strspn(text, "\n");
	}
}

static void
print_exit_codes(const char *text)
{
	while (text != NULL && *text != '\0' && !tells_exit_codes(text)) {
		text += paragraph_bytes(text);
		text += strspn(text, "\n");
	}
	puts(".Sh EXIT STATUS");
	if (text == NULL || *text == '\0')
		print_paragraph(FAN_EXIT_CODES_TEXT, strlen(FAN_EXIT_CODES_TEXT));
	else
		print_paragraph(text + strlen(EXIT_CODES), paragraph_bytes(text) - strlen(EXIT_CODES));
}

/* ---- Parts of a page --------------------------------------------------------------------------------------------------- */

static time_t
page_time(void)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	uint64_t seconds;

	return epoch != NULL && fan_command_number(&seconds, epoch) ? (time_t)seconds : time(NULL);
}

/* In: name, of the page; summary, of what it describes. */
static void
print_head(const char *name, const char *summary)
{
	const time_t at = page_time();
	char month[16];
	struct tm date;

	(void)gmtime_r(&at, &date);
	(void)strftime(month, sizeof(month), "%B", &date);
	printf(".Dd %s %d, %d\n.Dt ", month, date.tm_mday, date.tm_year + 1900);
	for (const char *letter = name; *letter != '\0'; letter++)
		putchar(toupper((unsigned char)*letter));
	printf(" 1\n.Os fanfare\\ %s\n.Sh NAME\n.Nm %s\n.Nd ", fan_version(), name);
	print_octets(summary, strlen(summary));
	putchar('\n');
}

static void
print_synopsis(const struct fan_command *command)
{
	printf(".Nm \"fanfare %s\"\n.Op Ar OPTION ...\n", command->name);
	if (command->operands[0] != '\0')
		print_paragraph(command->operands, strlen(command->operands));
}

static void
print_options(const struct fan_command *command)
{
	puts(".Bl -tag -width Ds");
	for (size_t i = 0; i < command->option_count; i++) {
		const struct fan_option *option = &command->options[i];

		printf(".It Fl Fl %s", option->name);
		if (option->value != NULL) {
			fputs(" Ar", stdout);
			print_argument(option->value);
		}
		putchar('\n');
		print_paragraph(option->help, strlen(option->help));
	}
	puts(".It Fl Fl help\nthe same in short\n.El");
}

static void
print_subcommands(const struct fan_command *command)
{
	puts(".Sh SUBCOMMANDS");
	for (size_t i = 0; command->subcommands[i] != NULL; i++) {
		const struct fan_command *subcommand = command->subcommands[i];

		printf(".Ss %s\n", subcommand->name);
		print_synopsis(subcommand);
		puts(".Pp");
		print_sentence(subcommand->summary);
		print_text(subcommand->text);
		print_options(subcommand);
	}
}

/* ---- Pages ------------------------------------------------------------------------------------------------------------- */

static void
print_command_page(const struct fan_command *command)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "fanfare-%s", command->name);
	print_head(name, command->summary);
	puts(".Sh SYNOPSIS");
	if (command->subcommands == NULL)
		print_synopsis(command);
	else
		printf(".Nm \"fanfare %s\"\n.Ar SUBCOMMAND\n.Op Ar OPTION ...\n", command->name);
	puts(".Sh DESCRIPTION");
	print_sentence(command->summary);
	print_text(command->text);
	if (command->subcommands != NULL) {
		print_subcommands(command);
	} else {
		puts(".Sh OPTIONS");
		print_options(command);
	}
	print_exit_codes(command->text);
	puts(".Sh SEE ALSO\n.Xr fanfare 1 ,\n.Xr fanfare-ues 5 ,\n.Xr fanfare.ini 5");
}

static void
print_program_page(const struct fan_command *const *commands)
{
	print_head("fanfare", FAN_PROGRAM_SUMMARY);
	puts(".Sh SYNOPSIS\n.Nm fanfare\n.Ar COMMAND\n.Op Ar OPTION ...\n.Sh DESCRIPTION");
	print_sentence(FAN_PROGRAM_SUMMARY);
	puts(".Pp\nThe commands are:\n.Bl -tag -width Ds");
	for (size_t i = 0; commands[i] != NULL; i++) {
		printf(".It Xr fanfare-%s 1\n", commands[i]->name);
		print_paragraph(commands[i]->summary, strlen(commands[i]->summary));
	}
	puts(".El");
	print_exit_codes(NULL);
	puts(".Sh SEE ALSO\n.Xr fanfare-ues 5 ,\n.Xr fanfare.ini 5");
}

void
fan_manual_print(const struct fan_command *command, const struct fan_command *const *commands)
{
	if (command != NULL)
		print_command_page(command);
	else
		print_program_page(commands);
}
