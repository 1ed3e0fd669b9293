/* SPDX-License-Identifier: BSD-3-Clause */
#include "error.h"

#include <stdarg.h>

static _Thread_local char detail[FAN_ERROR_BYTES];
static void (*outage_listener)(const char *line); /* set and read atomically */

void
fan_error_record(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(detail, sizeof(detail), format, arguments);
	va_end(arguments);
}

const char *
fan_error_detail(void)
{
	return detail;
}

void
fan_outage_say(const char *format, ...)
{
	void (*listener)(const char *line) = __atomic_load_n(&outage_listener, __ATOMIC_ACQUIRE);
	char line[FAN_ERROR_BYTES];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (listener != NULL)
		listener(line);
	else
		(void)fprintf(stderr, "fanfare: %s\n", line);
}

void
fan_outage_listen(void (*listener)(const char *line))
{
	__atomic_store_n(&outage_listener, listener, __ATOMIC_RELEASE);
}

const char *
fan_error_name(int error)
{
	switch (error) {
	case 0:
		return "ok";
	case FAN_E_INVALID:
		return "invalid";
	case FAN_E_MEMORY:
		return "memory";
	case FAN_E_UNSUPPORTED:
		return "unsupported";
	case FAN_E_TOO_LONG:
		return "too-long";
	case FAN_E_EXISTS:
		return "exists";
	case FAN_E_NOT_FOUND:
		return "not-found";
	case FAN_E_BUSY:
		return "busy";
	case FAN_E_IO:
		return "io";
	default:
		return "unknown";
	}
}
