/* SPDX-License-Identifier: BSD-3-Clause */
#include "terminal.h"

#include <string.h>
#include <sys/ioctl.h>

unsigned
fan_terminal_columns(int descriptor)
{
	struct winsize size;

	if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return FAN_TERMINAL_COLUMNS;
	return size.ws_col > FAN_TERMINAL_COLUMNS_MIN ? size.ws_col : FAN_TERMINAL_COLUMNS_MIN;
}

/* Octets of the line that fit into `room`: up to a blank, or to its end; a longer word is not broken. */
static size_t
fitting(const char *line, size_t line_bytes, size_t room)
{
	size_t at = room;

	if (line_bytes <= room)
		return line_bytes;
	while (at > 0 && line[at] != ' ')
		at--;
	/* Blanks at the front are the line's own indent. */
	if (at > strspn(line, " "))
		return at;
	for (at = room; at < line_bytes && line[at] != ' ';)
		at++;
	return at;
}

void
fan_terminal_print(FILE *out, const char *lines, unsigned columns, unsigned indent)
{
	while (*lines != '\0') {
		size_t left = strcspn(lines, "\n");
		size_t n = fitting(lines, left, columns);

		for (unsigned shift = 0;; shift = indent) {
			fprintf(out, "%*s%.*s\n", (int)shift, "", (int)n, lines);
			lines += n;
			left -= n;
			for (; left > 0 && *lines == ' '; left--)
				lines++;
			if (left == 0)
				break;
			n = fitting(lines, left, columns - indent);
		}
		lines += *lines == '\n';
	}
}
