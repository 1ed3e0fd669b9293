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

/* "engine=NAME". Out: the name, of the argument's own octets. */
static inline bool
fan_argument_engine(const char **out, const char *argument)
{
	if (strncmp(argument, "engine=", 7) != 0)
		return false;
	*out = argument + 7;
	return true;
}

/* "eal=ARGUMENT", which goes behind others; false, too, when there are as many as may be. */
static inline bool
fan_argument_eal(const char **out, unsigned *count, unsigned most, const char *argument)
{
	if (strncmp(argument, "eal=", 4) != 0 || *count == most)
		return false;
	out[(*count)++] = argument + 4;
	return true;
}

#endif
