/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FAN_BENCH_ARGUMENTS_H
#define FAN_BENCH_ARGUMENTS_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* "NAME=N" with N in first..last. Out: the number. False: the argument is not that. */
static inline bool
fan_argument_number(unsigned long *out, const char *argument, const char *name, unsigned long first, unsigned long last)
{
	const size_t name_bytes = strlen(name);
	char *end;

	if (strncmp(argument, name, name_bytes) != 0 || argument[name_bytes] != '=')
		return false;
	*out = strtoul(argument + name_bytes + 1, &end, 10);
	return end != argument + name_bytes + 1 && *end == '\0' && *out >= first && *out <= last;
}

#endif
