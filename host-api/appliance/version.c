/* SPDX-License-Identifier: BSD-3-Clause */
/* Alone in its file, so that a client of the control socket can say its version without linking an appliance. */
#include "../fanfare.h"

const char *
fan_version(void)
{
	return FAN_VERSION;
}

unsigned
fan_api_version(void)
{
	return FAN_API_VERSION;
}
