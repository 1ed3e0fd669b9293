/* SPDX-License-Identifier: BSD-3-Clause */
#include "ini_file.h"

#include <errno.h>
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
fan_ini_text(char **place, const char *text)
{
	free(*place);
	*place = strdup(text);
	return *place != NULL ? 0 : fan_fail(FAN_E_MEMORY, "no memory");
}
