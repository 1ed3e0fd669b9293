/* SPDX-License-Identifier: BSD-3-Clause */
#include "notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A number of $NAME; 0: there is none. */
static uint64_t
number_of(const char *name)
{
	const char *text = getenv(name);
	char *end;
	uint64_t number;

	if (text == NULL || *text < '0' || *text > '9')
		return 0;
	number = strtoull(text, &end, 10);
	return *end == '\0' ? number : 0;
}

/* Out: the address that $NOTIFY_SOCKET names: a path, or, behind an @, a name that is in no file system. False: it names none of these. */
static bool
find_listener(struct fan_notify *notify)
{
	const char *path = getenv("NOTIFY_SOCKET");
	const size_t path_bytes = path != NULL ? strlen(path) : 0;

	if (path_bytes < 2 || path_bytes >= sizeof(notify->to.sun_path) || (path[0] != '/' && path[0] != '@'))
		return false;
	notify->to.sun_family = AF_UNIX;
	memcpy(notify->to.sun_path, path, path_bytes);
	if (path[0] == '@')
		notify->to.sun_path[0] = '\0';
	notify->to_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_bytes);
	return true;
}

void
fan_notify_open(struct fan_notify *notify)
{
	const uint64_t process = number_of("WATCHDOG_PID");

	*notify = (struct fan_notify){ .socket = -1 };
	if (!find_listener(notify))
		return;
	notify->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (process == 0 || process == (uint64_t)getpid())
		notify->watchdog_ms = (int64_t)(number_of("WATCHDOG_USEC") / 1000);
}

void
fan_notify_close(struct fan_notify *notify)
{
	if (notify->socket >= 0)
		(void)close(notify->socket);
	notify->socket = -1;
}

void
fan_notify_say(const struct fan_notify *notify, const char *format, ...)
{
	char text[FAN_NOTIFY_BYTES_MAX];
	va_list arguments;
	int text_bytes;

	if (notify->socket < 0)
		return;
	va_start(arguments, format);
	text_bytes = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (text_bytes > 0)
		(void)sendto(notify->socket, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
			     (const struct sockaddr *)&notify->to, notify->to_bytes);
}

void
fan_notify_feed(struct fan_notify *notify, int64_t now_ms)
{
	if (notify->watchdog_ms == 0 || (notify->fed_ms != 0 && now_ms - notify->fed_ms < notify->watchdog_ms / 2))
		return;
	notify->fed_ms = now_ms;
	fan_notify_say(notify, "WATCHDOG=1");
}
