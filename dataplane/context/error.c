/* SPDX-License-Identifier: BSD-3-Clause */
#include "error.h"

#include <stdarg.h>

static _Thread_local char detail[FAN_ERROR_BYTES];

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
