/* SPDX-License-Identifier: BSD-3-Clause */
/* Manual pages, made from the option tables as --help is: in mdoc, for mandoc(1) and groff(1). */
#ifndef FAN_MANUAL_H
#define FAN_MANUAL_H

#include "command.h"

/* Prints the page of a command with its subcommands, fanfare-COMMAND(1), on stdout, or fanfare(1), for NULL. In: all commands, NULL-terminated. The
 * page bears the date of $SOURCE_DATE_EPOCH, else of today. */
void fan_manual_print(const struct fan_command *command, const struct fan_command *const *commands);

/* What the exit codes of a command mean that says nothing of them. */
#define FAN_EXIT_CODES_TEXT "0 all well, 1 the run failed or found a fault, 2 the request was wrong."

#endif
