/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A face: a process that the network talks to, and that holds no keys. One thread does everything, in one loop over epoll(7). What it wants done
 * it asks of `fanfare serve`, by the control socket, without waiting: the answer comes by a call from the loop. When the daemon goes away, the face
 * stays and connects again by itself.
 */
#ifndef FAN_NORTH_FACE_H
#define FAN_NORTH_FACE_H

#include "../control/protocol.h"

#include <sys/epoll.h>

struct fan_face;

struct fan_face_options {
	const char *name;   /* "t8", of its messages */
	const char *socket; /* of the daemon; NULL: as the commands take it (protocol.h) */
	const char *user;   /* whom fan_face_become() makes it, if root starts it; NULL or "": nobody else */
};

/* Makes the loop. It need not find the daemon. From here on SIGTERM and SIGINT end it. In: options, whose texts outlive it. IO, MEMORY. */
int fan_face_open(struct fan_face **face, const struct fan_face_options *options);
/* NULL is ignored. Calls that are not answered are told that the daemon has gone. */
void fan_face_close(struct fan_face *face);
/* Gives root up, once what needs it is open. NOT_FOUND: there is no such user. */
int fan_face_become(struct fan_face *face);
/* The loop. Returns 0 when a signal has ended it. */
int fan_face_run(struct fan_face *face);
/* Ends the loop after this turn. */
void fan_face_stop(struct fan_face *face);
/* Milliseconds of CLOCK_MONOTONIC when this turn began. */
int64_t fan_face_now_ms(const struct fan_face *face);

/* Calls `ready` from the loop when a descriptor has EPOLL events. It is to be taken off before it is closed; `ready` may do so. Up to
 * FAN_FACE_WATCHES_MAX. IO. */
#define FAN_FACE_WATCHES_MAX 1024
int fan_face_watch(struct fan_face *face, int descriptor, uint32_t events, void (*ready)(void *user, uint32_t events),
		   void *user);
/* Other events of one that is watched. */
void fan_face_rewatch(struct fan_face *face, int descriptor, uint32_t events);
void fan_face_unwatch(struct fan_face *face, int descriptor);
/* Calls `tick` from the loop, so often or somewhat less. Up to FAN_FACE_TICKS_MAX, for good. */
#define FAN_FACE_TICKS_MAX 8
void fan_face_every(struct fan_face *face, unsigned period_ms, void (*tick)(void *user), void *user);

/* Calls `turn` once in each turn of the loop before it waits; it returns how many milliseconds that may take, -1: any. Up to FAN_FACE_TICKS_MAX, for
 * good. */
void fan_face_each_turn(struct fan_face *face, int (*turn)(void *user), void *user);

/* The next wait is none: there is something to do in the next turn. */
void fan_face_hurry(struct fan_face *face);

/* ---- The daemon -------------------------------------------------------------------------------------------------------------- */

#define FAN_FACE_CALLS_MAX 4096 /* waiting for an answer; the daemon is told of FAN_CONTROL_REQUESTS_MAX of them at a time */
#define FAN_FACE_CALL_MS 10000  /* a call that has waited so long has failed */

enum fan_face_failure {
	FAN_FACE_DONE,    /* result */
	FAN_FACE_REFUSED, /* code and why */
	FAN_FACE_GONE, /* the daemon is not there, or has gone before it answered: what was asked may have been done or not */
};

struct fan_face_answer {
	enum fan_face_failure failure;
	json_t *result;  /* of DONE; the face's */
	int code;        /* of REFUSED: enum fan_control_code, or FAN_CONTROL_FAILED + enum fan_error */
	const char *why; /* one line, unless DONE */
};

/* Asks the daemon. In: params, which it takes, NULL: none; descriptor, which goes with it, the caller's until then and closed by the face
 * after that, -1: none. `done` is called once, from the loop, never from here; what it is told is there for that long. */
void fan_face_call(struct fan_face *face, const char *method, json_t *params, int descriptor,
		   void (*done)(void *user, const struct fan_face_answer *answer), void *user);
/* Ends the connection: calls that are not answered are told that the daemon has gone. At the end of a face. */
void fan_face_hang_up(struct fan_face *face);
/* Whether the daemon has greeted us. */
bool fan_face_connected(const struct fan_face *face);

/* ---- Its configuration ------------------------------------------------------------------------------------------------------- */

/* Reads an INI file: each key goes to `take`, which returns an error for one that it does not know or whose value is wrong; *line and key are then put
 * before what it recorded. A section that comes twice goes on. In: take, which is handed the section's name without brackets. NOT_FOUND, INVALID. */
int fan_face_read_file(const char *file, int (*take)(void *user, const char *section, const char *key, const char *value),
		       void *user);

#endif
