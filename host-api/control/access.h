/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who may send what to whom, and when: rules of the configuration, one section [access NAME] each.
 *
 * With no rule, everyone who has the role `send` sends everything. With one, nothing is sent that no rule is for: the first rule, in the order of
 * the file, whose users, senders and addressees are a message's decides, and its limits bind. Rules bind root and the user who runs this, too: a face
 * may run as that user, and speaks for others.
 *
 * A sender is who a face says that it sends for (`sender` of the method `send`): the scsAsId of T8, the identity of an SCS on Tsp. Nobody proves
 * it here: a rule that names senders should name the user that the face runs as as well.
 *
 * Not meant for more than one thread.
 */
#ifndef FAN_CONTROL_ACCESS_H
#define FAN_CONTROL_ACCESS_H

#include "principals.h"

#include <stdio.h>
#include <time.h>

#define FAN_ACCESS_RULES_MAX 64
#define FAN_ACCESS_NAME_BYTES 33 /* closed by a zero */
#define FAN_ACCESS_HOURS_MAX 16  /* stretches of one rule */

/* A stretch of the day, of some days: from..to - 1 in minutes since midnight; with from >= to it ends on the next day. */
struct fan_access_hours {
	uint8_t days; /* bit tm_wday */
	uint16_t from, to;
};

/* Texts are as in the file, owned; NULL: not given. */
struct fan_access_rule {
	char name[FAN_ACCESS_NAME_BYTES];
	uint32_t given; /* bit of each key that the file has */
	char *users, *senders, *groups, *ues, *hours;
	struct fan_principals principals; /* of `users` */
	struct fan_access_hours stretches[FAN_ACCESS_HOURS_MAX];
	unsigned stretch_count;                        /* 0: at any time */
	uint64_t octets, priority, messages, period_s; /* octets, messages 0: no limit */
	int64_t full_ns; /* `messages` is used up for what was sent so far until then, by CLOCK_MONOTONIC */
};

struct fan_access {
	unsigned count;
	struct fan_access_rule *rules; /* owned */
};

/* Begins a rule. INVALID: a name of other than 1 to 32 letters, digits, - _ and ., one that is there, or too many rules. */
int fan_access_begin(struct fan_access *access, const char *name);
/* Sets a key of the rule that was begun last. INVALID: no such key, given twice, or what it takes. */
int fan_access_set(struct fan_access *access, const char *key, const char *value);
/* Whether each rule is whole. INVALID: names the rule and what it lacks. */
int fan_access_check(const struct fan_access *access);
/* As sections of a file. */
void fan_access_print(const struct fan_access *access, FILE *out);
/* What was sent so far counts on, for rules of the same name. */
void fan_access_keep(struct fan_access *next, const struct fan_access *now);
void fan_access_free(struct fan_access *access);

/* A message that somebody asks to send. */
struct fan_access_question {
	uid_t user;
	const gid_t *groups; /* of the user, the primary one among them */
	size_t group_count;
	const char *sender;   /* NULL: none is named */
	const char *gid;      /* canonical; NULL: to one UE, */
	const char *identity; /* ... which this is */
	size_t octet_count;
	unsigned priority;
	const struct tm *local; /* the time of day where this machine is */
	int64_t now_ns;         /* CLOCK_MONOTONIC */
};

/* Judges. Out: *rule, the one that decided, to be charged by fan_access_charge() once the message is sent; NULL: there are none. Returns 0, or, with a line
 * that says why and until when: INVALID: forbidden; TOO_LONG: the message; BUSY: later. */
int fan_access_judge(struct fan_access *access, struct fan_access_rule **rule, const struct fan_access_question *question);
/* Counts a message that was sent. NULL is ignored. */
void fan_access_charge(struct fan_access_rule *rule, int64_t now_ns);

#endif
