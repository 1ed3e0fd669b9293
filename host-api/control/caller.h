/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The other end of the control socket: what the commands, and other programs of this project, call the daemon with. Blocks.
 */
#ifndef FAN_CONTROL_CALLER_H
#define FAN_CONTROL_CALLER_H

#include "protocol.h"

struct fan_caller {
	int socket;
	int next_id;
	char *in; /* owned */
	size_t in_bytes, in_room;
};

/* Connects and says hello. In: path, NULL: the environment's FANFARE_SOCKET, else FAN_CONTROL_SOCKET. IO: nobody answers there; UNSUPPORTED: another
 * version. */
int fan_caller_open(struct fan_caller *caller, const char *path);
void fan_caller_close(struct fan_caller *caller);

/*
 * Calls a method. In: params, which it takes, NULL: none; descriptor, that goes with it, -1: none. Out: *result, the caller's. Notifications that come meanwhile go to `each`, NULL: nowhere. Errors, with the daemon's own line: INVALID for exit
 * code 2, IO for all else.
 */
int fan_caller_call(struct fan_caller *caller, json_t **result, const char *method, json_t *params, int descriptor,
		    void (*each)(void *user, const char *method, const json_t *params), void *user);
/* Waits for the next notification. Out: *object, the caller's, as it came. IO: the daemon has gone. */
int fan_caller_wait(struct fan_caller *caller, json_t **object);

#endif
