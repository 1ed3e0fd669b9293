/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Jobs: files of lines that clients hand in, worked on some lines a turn, so that everything else goes on. A client has one at a time.
 */
#ifndef FAN_CONTROL_JOB_H
#define FAN_CONTROL_JOB_H

#include "daemon.h"
#include "joins.h"

#include <stdio.h>

#define FAN_JOB_LINES_A_TURN 2000
#define FAN_JOB_OCTETS_A_TURN (8U << 20) /* and a line more, or a piece of one that is too long */
#define FAN_JOB_FIELD_BYTES 32

struct fan_job;

struct fan_job_kind {
	const char *name; /* the method's */
	/* One line without LF, closed by a zero. 0, or an error of this line alone, with job->field set where one is to blame; or an error of
	 * all, with job->fatal set. */
	int (*line)(struct fan_job *job, char *line, size_t line_bytes);
	/* After the last line, again and again until it answers 0 or an error; FAN_LATER: not yet. */
	int (*end)(struct fan_job *job);
	/* The answer's own members. */
	int (*report)(const struct fan_job *job, json_t *result);
	/* It is over, well or not: undoes what is not done, frees what it owns. */
	void (*close)(struct fan_job *job, bool good);
};

struct fan_job {
	const struct fan_job_kind *kind;
	struct fan_server *server;
	struct fan_ticket ticket;
	FILE *file;        /* owned */
	char *buffer;      /* owned: the file's, since it may hold keys */
	bool skip;         /* bad lines are passed over; else the first ends it */
	bool at_end;       /* all lines are read */
	bool in_long_line; /* its first octets were read, and are refused */
	bool fatal;
	uint64_t octets, line_number, taken;
	json_t *errors; /* owned: the first FAN_CONTROL_ERRORS_MAX */
	uint64_t error_count;
	char field[FAN_JOB_FIELD_BYTES];
	int64_t notified_ms;
	struct fan_joins joins;
	void *own; /* the kind's */
};

/* Begins a job with the descriptor that came with a request. Out: *out, the job, for its kind to fill in; NULL is allowed. Returns FAN_LATER,
 * FAN_WAIT (this client has one), or an error: INVALID, BUSY (draining), MEMORY. */
int fan_job_begin(struct fan_request *request, struct fan_job **out, const struct fan_job_kind *kind, bool skip);
/* Some lines of every job. */
void fan_jobs_step(struct fan_server *server);
bool fan_jobs_running(const struct fan_server *server);
/* A client has gone; or the daemon ends. */
void fan_job_abandon(struct fan_server *server, struct fan_client *client);
void fan_jobs_abandon(struct fan_server *server);

/* Notes what is wrong with a line. In: field "" for none. */
void fan_job_note(struct fan_job *job, uint64_t line_number, const char *field, const char *why);

#endif
