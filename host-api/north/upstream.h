/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The face's side of the control socket: calls without waiting, a connection that is made again by itself. What is called while the daemon is away
 * is told so at once. Of face.c alone; face.h has the words.
 */
#ifndef FAN_NORTH_UPSTREAM_H
#define FAN_NORTH_UPSTREAM_H

#include "face.h"

struct fan_upstream;

/* In: path, NULL: as the commands take it. INVALID: it is too long; MEMORY. */
int fan_upstream_open(struct fan_upstream **upstream, struct fan_face *face, const char *path);
void fan_upstream_close(struct fan_upstream *upstream);
void fan_upstream_call(struct fan_upstream *upstream, const char *method, json_t *params, int descriptor,
		       void (*done)(void *user, const struct fan_face_answer *answer), void *user);
bool fan_upstream_connected(const struct fan_upstream *upstream);

#endif
