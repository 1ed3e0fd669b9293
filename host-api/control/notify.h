/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a daemon tells the service manager that started it (systemd, or whoever else opens $NOTIFY_SOCKET): the protocol of sd_notify(3), a
 * datagram of NAME=VALUE lines to a UNIX socket. Without that variable all of this does nothing.
 *
 * It is written here since the process that holds the keys would else load libsystemd, and the libraries that it needs for compression and
 * ciphers, for one datagram.
 *
 * Not meant for more than one thread at a time.
 */
#ifndef FAN_CONTROL_NOTIFY_H
#define FAN_CONTROL_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define FAN_NOTIFY_BYTES_MAX 1024 /* of a datagram; a longer one is cut */

struct fan_notify {
	int socket; /* owned; -1: nobody listens */
	struct sockaddr_un to;
	socklen_t to_bytes;
	int64_t watchdog_ms; /* the manager takes a daemon for dead that has not fed it for so long; 0: it does not look */
	int64_t fed_ms;
};

/* Reads $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID, and opens the socket: before a sandbox that forbids it. What it cannot use counts as
 * not given, as sd_notify(3) has it. */
void fan_notify_open(struct fan_notify *notify);
void fan_notify_close(struct fan_notify *notify);

/* Sends one datagram, as "READY=1\nSTATUS=...". A text in it that another made must hold no LF. Never blocks: what the manager has no room for is
 * lost. */
void fan_notify_say(const struct fan_notify *notify, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Feeds the watchdog when half of its time is over. In: now_ms, by CLOCK_MONOTONIC. To be called several times as often, and by nobody who does not
 * know that the work goes on. */
void fan_notify_feed(struct fan_notify *notify, int64_t now_ms);

#endif
