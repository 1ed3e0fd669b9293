/* SPDX-License-Identifier: BSD-3-Clause */
/* Completion scripts for shells. */
#ifndef FAN_COMPLETION_H
#define FAN_COMPLETION_H

#include "command.h"

/* The index-th shell that there is a script for; NULL past the last. */
const char *fan_completion_shell(unsigned index);
/* Prints the script of a shell for these commands, NULL-terminated, on stdout. False: there is none for that shell. */
bool fan_completion_print(const char *shell, const struct fan_command *const *commands);

#endif
