/* SPDX-License-Identifier: BSD-3-Clause */
/* A manual page is made of a command's table, and nothing in its texts is taken for an order of the formatter. */
#define _GNU_SOURCE
#include "../host-api/command/manual.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdlib.h>
#include <string.h>

static const struct fan_option options[] = {
	{ .name = "flag", .help = "a flag, as -x or --no-flag; 'quoted'", .type = FAN_OPTION_FLAG },
	{ .name = "mode", .value = "No|\"x\"", .help = ".dotted", .type = FAN_OPTION_TEXT },
};

static const struct fan_command plain = {
	.name = "plain",
	.summary = "Does a thing",
	.operands = "FILE|-",
	.text = "One\\two. Three 2^3 ~ `four`.\n'Five' one-two.\n\nExit codes: 0 done; 3 not.\n\nLast.",
	.options = options,
	.option_count = 2,
};

static const struct fan_command inner = { .name = "outer inner", .summary = "Does a part", .operands = "" };
static const struct fan_command *const inners[] = { &inner, NULL };
static const struct fan_command outer = { .name = "outer", .summary = "Has parts", .operands = "", .subcommands = inners };
static const struct fan_command *const commands[] = { &plain, &outer, NULL };

static char said[8192];

static void
read_page(const struct fan_command *command)
{
	FILE *out;
	size_t bytes;

	fan_manual_print(command, commands);
	(void)fflush(stdout);
	out = cr_get_redirected_stdout();
	bytes = fread(said, 1, sizeof(said) - 1, out);
	said[bytes] = '\0';
}

#define HAS(text) cr_assert_not_null(strstr(said, (text)), "%s: not in %s", (text), said)
#define LACKS(text) cr_assert_null(strstr(said, (text)), "%s: is in %s", (text), said)

TestSuite(manual, .init = cr_redirect_stdout);

Test(manual, a_page_of_a_command)
{
	cr_assert_eq(setenv("SOURCE_DATE_EPOCH", "86400", 1), 0);
	read_page(&plain);
	HAS(".Dd January 2, 1970\n.Dt FANFARE-PLAIN 1\n");
	HAS(".Nm fanfare-plain\n.Nd Does a thing\n");
	HAS(".Nm \"fanfare plain\"\n.Op Ar OPTION ...\nFILE|\\-\n");
	HAS(".Sh DESCRIPTION\nDoes a thing.\n.Pp\n");
	HAS("\n.It Fl Fl flag\na flag, as \\-x or \\-\\-no-flag; \\(aqquoted\\(aq\n");
	HAS("\n.It Fl Fl mode Ar \"\\&No|\\(dqx\\(dq\"\n\\&.dotted\n");
	HAS("\n.It Fl Fl help\n");
	HAS(".Xr fanfare 1");
}

Test(manual, texts_are_filled_and_say_exit_codes_apart)
{
	read_page(&plain);
	HAS(".Pp\nOne\\etwo.\nThree 2\\(ha3 \\(ti \\(gafour\\(ga. \\(aqFive\\(aq one-two.\n.Pp\nLast.\n");
	HAS(".Sh EXIT STATUS\n0 done; 3 not.\n.Sh");
	LACKS("Exit codes");
}

Test(manual, subcommands_are_on_the_page_of_their_command)
{
	read_page(&outer);
	HAS(".Nm \"fanfare outer\"\n.Ar SUBCOMMAND\n");
	HAS(".Ss outer inner\n.Nm \"fanfare outer inner\"\n");
	HAS("Does a part.\n");
	HAS(".Sh EXIT STATUS\n0 all well, 1 the run failed");
	LACKS(".Sh OPTIONS");
}

Test(manual, the_program_lists_its_commands)
{
	read_page(NULL);
	HAS(".Dt FANFARE 1\n");
	HAS(".It Xr fanfare-plain 1\nDoes a thing\n");
	HAS(".It Xr fanfare-outer 1\nHas parts\n");
	LACKS(".Xr fanfare 1");
}
