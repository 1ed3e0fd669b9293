/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "../host-api/fanout/terminal.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void
expect_printed(const char *lines, unsigned columns, unsigned indent, const char *expected)
{
	char *text = NULL;
	size_t text_bytes;
	FILE *out = open_memstream(&text, &text_bytes);

	cr_assert_not_null(out);
	fan_terminal_print(out, lines, columns, indent);
	cr_assert_eq(fclose(out), 0);
	cr_assert_str_eq(text, expected);
	free(text);
}

Test(terminal, lines_are_broken_at_blanks)
{
	expect_printed("", 10, 2, "");
	expect_printed("\n", 10, 2, "\n");
	expect_printed("ten octets\n", 10, 2, "ten octets\n");
	expect_printed("ten octets", 10, 2, "ten octets\n");
	expect_printed("eleven here\n", 10, 2, "eleven\n  here\n");
	expect_printed("a b\nc d\n", 10, 2, "a b\nc d\n");
	/* What follows has less room, by the indent. */
	expect_printed("one two three four\n", 10, 2, "one two\n  three\n  four\n");
	expect_printed("one two three four\n", 10, 0, "one two\nthree four\n");
	/* Blanks at a break begin no line. */
	expect_printed("one two    three\n", 10, 2, "one two   \n  three\n");
	expect_printed("one two xy \n", 10, 2, "one two xy\n");
	/* A line's own indent is no place to break it, and a longer word is not broken. */
	expect_printed("    abcdefghij klm\n", 10, 2, "    abcdefghij\n  klm\n");
	expect_printed("abcdefghijklmno pq\n", 10, 2, "abcdefghijklmno\n  pq\n");
}

Test(terminal, as_wide_as_it_says)
{
	const int terminal = posix_openpt(O_RDWR | O_NOCTTY), file = open("/dev/null", O_RDWR);
	static const struct {
		unsigned short wide;
		unsigned columns;
	} rows[] = { { 0, FAN_TERMINAL_COLUMNS },
		     { 1, FAN_TERMINAL_COLUMNS_MIN },
		     { FAN_TERMINAL_COLUMNS_MIN, FAN_TERMINAL_COLUMNS_MIN },
		     { FAN_TERMINAL_COLUMNS_MIN + 1, FAN_TERMINAL_COLUMNS_MIN + 1 },
		     { 200, 200 } };

	cr_assert_geq(file, 0);
	cr_assert_eq(fan_terminal_columns(file), FAN_TERMINAL_COLUMNS);
	close(file);
	if (terminal < 0)
		cr_skip_test("no terminal can be had here");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct winsize size = { .ws_row = 24, .ws_col = rows[i].wide };

		cr_assert_eq(ioctl(terminal, TIOCSWINSZ, &size), 0);
		cr_assert_eq(fan_terminal_columns(terminal), rows[i].columns, "%u", rows[i].wide);
	}
	close(terminal);
}
