/* SPDX-License-Identifier: BSD-3-Clause */
/* What a terminal shows: its width, and lines that fit into it. */
#ifndef FAN_TERMINAL_H
#define FAN_TERMINAL_H

#include <stdio.h>

#define FAN_TERMINAL_COLUMNS 80     /* of what is no terminal, or does not say */
#define FAN_TERMINAL_COLUMNS_MIN 40 /* a narrower one wraps by itself */

/* Columns of the terminal behind a descriptor as it is now. */
unsigned fan_terminal_columns(int descriptor);

/* Prints lines of ASCII, each ended by LF; what is too long for `columns` goes on after a blank in lines of its own, `indent` blanks from
 * the left. */
void fan_terminal_print(FILE *out, const char *lines, unsigned columns, unsigned indent);

#endif
