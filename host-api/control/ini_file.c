/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "ini_file.h"

#include "params.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

char *
fan_ini_line(char *line, int room, FILE *stream, unsigned *number, bool *whole)
{
	size_t blanks;

	if (fgets(line, room, stream) == NULL)
		return NULL;
	++*number;
	*whole = strchr(line, '\n') != NULL || feof(stream);
	blanks = strspn(line, " \t");
	memmove(line, line + blanks, strlen(line + blanks) + 1);
	return line;
}

int
fan_ini_number(uint64_t *number, const char *text, int base, uint64_t minimum, uint64_t maximum)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, base);
	if (errno == 0 && *text >= '0' && *text <= '9' && *end == '\0' && *number >= minimum && *number <= maximum)
		return 0;
	return fan_fail(FAN_E_INVALID, "takes a number from %llu to %llu", (unsigned long long)minimum,
			(unsigned long long)maximum);
}

int
fan_ini_flag(bool *flag, const char *text)
{
	*flag = strcmp(text, "yes") == 0;
	return *flag || strcmp(text, "no") == 0 ? 0 : fan_fail(FAN_E_INVALID, "takes yes or no");
}

int
fan_ini_label(const char *label, size_t bytes_max, const char *word)
{
	static const char *const characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

	if (*label != '\0' && strlen(label) <= bytes_max && strspn(label, characters) == strlen(label))
		return 0;
	return fan_fail(FAN_E_INVALID, "takes a name of 1 to %zu letters, digits, -, _ and . behind %s", bytes_max, word);
}

int
fan_ini_refuse_key(const char *key, const void *names, size_t stride)
{
	const char *nearest = fan_nearest_name(key, names, stride);

	if (nearest != NULL)
		return fan_fail(FAN_E_INVALID, "no such key, did you mean %s?", nearest);
	return fan_fail(FAN_E_INVALID, "no such key in this section");
}

bool
fan_ini_matches(const char *patterns, const char *name)
{
	char *copy = patterns != NULL && name != NULL ? strdup(patterns) : NULL, *rest = copy, *pattern;
	bool found = false;

	while (!found && (pattern = strsep(&rest, ", \t")) != NULL)
		found = *pattern != '\0' && fnmatch(pattern, name, FNM_NOESCAPE | FNM_CASEFOLD) == 0;
	free(copy);
	return found;
}

int
fan_ini_text(char **place, const char *text)
{
	free(*place);
	*place = strdup(text);
	return *place != NULL ? 0 : fan_fail(FAN_E_MEMORY, "no memory");
}
