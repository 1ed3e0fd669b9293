/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the readers of INI files have in common: `fanfare serve` and its faces each have keys, sections and words of their own, and libinih takes the
 * lines apart. Any thread.
 */
#ifndef FAN_CONTROL_INI_FILE_H
#define FAN_CONTROL_INI_FILE_H

#include "../../dataplane/context/error.h"

/* libinih cuts the name of a section that has more, and what is meant for two would be one's. */
#define FAN_INI_SECTION_BYTES_MAX 48

/* A line for libinih's ini_reader, as fgets(3). Blanks in front are taken off: libinih would take the line for a continuation of the one before.
 * Out: *number, one more; *whole, false: it has more than room - 2 octets and was cut. NULL: the stream has ended. */
char *fan_ini_line(char *line, int room, FILE *stream, unsigned *number, bool *whole);

/* A value of nothing but digits, within a range. Out: *number. In: base, 8 or 10. INVALID: says which numbers it takes. */
int fan_ini_number(uint64_t *number, const char *text, int base, uint64_t minimum, uint64_t maximum);
/* "yes" or "no". INVALID. */
int fan_ini_flag(bool *flag, const char *text);
/* The name of a section that stands in a file more than once, behind its word. INVALID: other than 1 to bytes_max letters, digits, - _ and . */
int fan_ini_label(const char *label, size_t bytes_max, const char *word);
/* For a key that is none of a section's. In: names, ended by NULL, and from one to the next `stride` octets. Returns INVALID, with the nearest one. */
int fan_ini_refuse_key(const char *key, const void *names, size_t stride);
/* Whether a name is among patterns (glob(7), blanks or commas between them), without regard to case. NULL, either, is none. */
bool fan_ini_matches(const char *patterns, const char *name);
/* A copy of a text in the place of what was there, which is freed. MEMORY. */
int fan_ini_text(char **place, const char *text);

#endif
