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
	int code; /* of the last error that the daemon answered (enum fan_control_code); 0: none came from it */
	char *in; /* owned */
	size_t in_bytes, in_room;
};

/* Connects and says hello. In: path, NULL: the environment's FANFARE_SOCKET, else FAN_CONTROL_SOCKET. IO: nobody answers there; UNSUPPORTED: another
 * version. */
int fan_caller_open(struct fan_caller *caller, const char *path);
/* The same, and neither this nor any later call waits longer than timeout_ms for the daemon; 0: for ever. One that was waited for so long is gone: IO. */
int fan_caller_open_within(struct fan_caller *caller, const char *path, unsigned timeout_ms);
void fan_caller_close(struct fan_caller *caller);

/*
 * Calls a method. In: params, which it takes, NULL: none; descriptor, that goes with it, -1: none. Out: *result, the caller's. Notifications that come meanwhile go to `each`, NULL: nowhere. Errors, with the daemon's own line: INVALID for exit
 * code 2, IO for all else.
 */
int fan_caller_call(struct fan_caller *caller, json_t **result, const char *method, json_t *params, int descriptor,
		    void (*each)(void *user, const char *method, const json_t *params), void *user);
/*
 * Sends a request and does not wait. In: params, which it takes. Out: *id, that of its answer. At most FAN_CONTROL_REQUESTS_MAX may be without their
 * answers, which come by fan_caller_wait(), in any order. INVALID: longer than a line; IO: the daemon has gone.
 */
int fan_caller_post(struct fan_caller *caller, int *id, const char *method, json_t *params);
/* Whether fan_caller_wait() has an object without reading the socket, for which poll(2) would not wake. */
bool fan_caller_pending(const struct fan_caller *caller);
/* Waits for the next notification or posted request's answer. Out: *object, the caller's, as it came. IO: the daemon has gone. */
int fan_caller_wait(struct fan_caller *caller, json_t **object);

#endif
