/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client of the control socket as the server sees it: octets in, lines out, who it is, and what it has not read yet. Nothing here blocks,
 * and no client takes more than the limits of protocol.h.
 */
#ifndef FAN_CONTROL_CLIENT_H
#define FAN_CONTROL_CLIENT_H

#include "protocol.h"

#include <sys/types.h>

#define FAN_CLIENT_GROUPS_MAX 64

struct fan_job;

struct fan_client {
	int socket;          /* -1: the place is free */
	uint32_t generation; /* of the place: tells a client from the one before */
	uid_t user;
	gid_t groups[FAN_CLIENT_GROUPS_MAX];
	unsigned group_count;
	char *in; /* owned: FAN_CONTROL_LINE_BYTES_MAX octets */
	size_t in_start, in_bytes;
	char *out; /* owned */
	size_t out_bytes, out_room;
	int descriptor;        /* of the line that was handed out last, until it is taken; -1: none */
	int coming;            /* a descriptor of a line that was not handed out yet; -1: none */
	size_t coming_at;      /* the octet of `in` with which it came */
	int64_t line_since_ms; /* since when the line that is coming in is not whole; 0: none is */
	bool greeted;          /* hello was said */
	bool ending;           /* closed once it has read what there is for it */
	bool gone;             /* to be closed now */
	bool writes_awaited;   /* the loop waits for room to write */
	unsigned requests;     /* not answered yet */
	uint64_t put_off;      /* the number of its first line in the order of those that wait; 0: it does not */
	bool events;           /* subscribed */
	uint64_t event_next;
	struct fan_job *job; /* its file in work; NULL: none */
};

/* Takes a connected socket over. MEMORY, IO. */
int fan_client_open(struct fan_client *client, int socket, int64_t now_ms);
/* Wipes and closes all but `generation`. */
void fan_client_close(struct fan_client *client);

/* Reads once. A client that has closed, or that said more than a line without end, is `gone` or `ending` after it. */
void fan_client_receive(struct fan_client *client, int64_t now_ms);
/* The next whole line without its LF, closed by a zero; NULL: none is there. Out: *line_bytes. The next call wipes it, and closes its descriptor
 * if nobody has taken that. */
char *fan_client_line(struct fan_client *client, size_t *line_bytes);
/* The line that was handed out last is the next one again, with its descriptor. */
void fan_client_put_back(struct fan_client *client, size_t line_bytes);
/* Whether a whole line waits. */
bool fan_client_has_line(const struct fan_client *client);

/* Queues an object, which it takes, for the client. NULL stands for no memory, and cuts the client off. */
void fan_client_put(struct fan_client *client, json_t *object);
/* Writes what the client takes now. */
void fan_client_flush(struct fan_client *client);

#endif
