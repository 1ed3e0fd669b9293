/* SPDX-License-Identifier: BSD-3-Clause */
/* The faces of fanfare-north. Each takes its configuration file, and returns the exit code: 0 ended by a signal, or `check` and all well; 1 it
 * could not start; 2 the file is at fault. With `check` it prints what would be in force, without secrets, and does nothing else. */
#ifndef FAN_NORTH_FACES_H
#define FAN_NORTH_FACES_H

#include <stdbool.h>

int fan_t8_main(const char *file, bool check);
int fan_web_main(const char *file, bool check);

#endif
