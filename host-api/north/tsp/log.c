/* SPDX-License-Identifier: BSD-3-Clause */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_BYTES 1024

void
fan_tsp_log(const char *format, ...)
{
	char line[LINE_BYTES];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	/* What a peer said may be in it: one line stays one. */
	for (char *at = line; *at != '\0'; at++)
		if ((unsigned char)*at < ' ')
			*at = ' ';
	(void)fprintf(stderr, "fanfare tsp: %s\n", line);
}
