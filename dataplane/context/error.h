/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Set-up and control errors (DESIGN: three error channels, this is the first): recorded once where they are detected, in one
 * line that names the offending thing, its limit and the way out; handed up as a negative enum fan_error.
 */
#ifndef FAN_ERROR_H
#define FAN_ERROR_H

#include "../../host-api/fanfare.h"

#include <stdio.h>
#include <stdlib.h>

#define FAN_ERROR_BYTES 512 /* room for a line, its closing zero included; a longer one is cut */

/* Records the line for fan_error_detail() of this thread. Never pass key material. */
void fan_error_record(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Records a line and has the value of `error`: `return fan_fail(FAN_E_INVALID, "BEARER %u: 0 to 31", bearer)`. */
#define fan_fail(error, ...) (fan_error_record(__VA_ARGS__), (int)(error))

/* Says that a part of the machine is out of service, a card or a device: a line without its end, to whoever listens, else on standard error. Any
 * thread; once for each. */
void fan_outage_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* NULL: standard error again. The listener is called in the thread that says it. */
void fan_outage_listen(void (*listener)(const char *line));

/* Always on, cold paths only: the caller inside this program broke a contract. Never on bytes from outside. */
#define FAN_REQUIRE(condition)                                                                                                 \
	do {                                                                                                                   \
		if (!(condition)) {                                                                                            \
			fprintf(stderr, "%s:%d: requirement failed: %s\n", __FILE__, __LINE__, #condition);                    \
			abort();                                                                                               \
		}                                                                                                              \
	} while (0)

#endif
