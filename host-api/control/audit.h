/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The audit: one record of each act, a request that changes something or asked to: who, what, to whom, and what became of it. Never a key, a payload or a
 * file's content. Records go to systemd's journal, each field by its name, or to standard error as lines of JSON; README.md has the fields. They are written
 * when the act is answered, without waiting: one that nobody takes at that moment is lost, and counted.
 */
#ifndef FAN_CONTROL_AUDIT_H
#define FAN_CONTROL_AUDIT_H

#include "log.h"

#include <sys/types.h>

struct fan_audit {
	struct fan_log_sink sink;
	uint64_t written, lost;
};

struct fan_audit_act {
	const char *method; /* static; NULL: it is none that is recorded */
	uid_t user;
	json_t *subject; /* owned: of the request's params those that say to whom and how */
};

/* In: where, "auto" (the journal where standard error is connected to it, else lines unless that is a terminal), "journal", "lines" or "no". INVALID;
 * IO: there is no journal. */
int fan_audit_open(struct fan_audit *audit, const char *where);
void fan_audit_close(struct fan_audit *audit);

/* What an act is about: a copy of what may be told of a request's params, which may be NULL. */
json_t *fan_audit_subject(const json_t *params);
/* Records an act and frees its subject. In: outcome, "done", "refused", "denied" (the role is missing) or "abandoned" (its client has left); error, enum fan_error, of one that was refused; result, what was
 * answered, NULL: nothing. */
void fan_audit_record(struct fan_audit *audit, struct fan_audit_act *act, const char *outcome, int error, const json_t *result);
/* The journal's MESSAGE_ID of a method; NULL: its acts are not recorded. Static storage. */
const char *fan_audit_id(const char *method);

#endif
