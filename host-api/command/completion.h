/* SPDX-License-Identifier: BSD-3-Clause */
/* The completion script for bash. */
#ifndef FAN_COMPLETION_H
#define FAN_COMPLETION_H

#include "command.h"

/* Prints the script for these commands, NULL-terminated, on stdout. */
void fan_completion_print(const struct fan_command *const *commands);

#endif
