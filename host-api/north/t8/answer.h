/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers of T8 (TS 29.122 5.2.6): JSON, or ProblemDetails that names the attribute, its rule and the way out. And the attributes of a body,
 * each read with its rule: what is wrong becomes a problem, of which the first stays.
 */
#ifndef FAN_T8_ANSWER_H
#define FAN_T8_ANSWER_H

#include "../http.h"

struct fan_t8_problem {
	unsigned status;             /* 0: there is none */
	const char *cause;           /* static; NULL: none */
	char detail[256], param[64]; /* param "": no attribute is at fault */
	unsigned retry_after_s;      /* 0: the field is left out */
	char challenge[256];         /* of 401 and 403: WWW-Authenticate; "": the field is left out */
};

/* Records a problem, unless there is one. Returns false, so that a check can end with it. */
bool fan_t8_problem_set(struct fan_t8_problem *problem, unsigned status, const char *cause, const char *param,
			const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Answers and lets go of the request. Takes body; NULL: none. In: location, NULL: the field is left out. */
void fan_t8_answer(struct fan_http_request *request, unsigned status, json_t *body, const char *location);
void fan_t8_answer_problem(struct fan_http_request *request, const struct fan_t8_problem *problem);
/* The problem within NiddDownlinkDataDeliveryFailure, as deliveries want it for status 500. */
void fan_t8_answer_failure(struct fan_http_request *request, const struct fan_t8_problem *problem);
/* ProblemDetails: the caller's. */
json_t *fan_t8_problem_object(const struct fan_t8_problem *problem);

/* Attributes of an object. Each returns whether it is there and right; one that is missing and not needed is no problem. JSON null is as if it
 * were missing. In: needed; the longest text, the range of a number. Out: the value, the object's own. */
bool fan_t8_number(const json_t *object, const char *name, bool needed, json_int_t least, json_int_t most, json_int_t *number,
		   struct fan_t8_problem *problem);
bool fan_t8_flag(const json_t *object, const char *name, bool *flag, struct fan_t8_problem *problem);
/* Base64 with its padding (RFC 4648 4). Out: *byte_count that it stands for. */
bool fan_t8_bytes(const json_t *object, const char *name, bool needed, const char **base64, size_t *byte_count,
		  struct fan_t8_problem *problem);
/* Whether it is a text, if it is there. */
bool fan_t8_any_text(const json_t *object, const char *name, struct fan_t8_problem *problem);
/* RFC 3339 date and time. Out: milliseconds since 1970 UTC. */
bool fan_t8_time(const json_t *object, const char *name, bool needed, int64_t *ms, struct fan_t8_problem *problem);
/* A URI. Whether it may be called back is fan_t8_notice_may_call()'s to say. */
bool fan_t8_link(const json_t *object, const char *name, bool needed, const char **uri, struct fan_t8_problem *problem);
/* The name of somebody, of a text. False: it has an octet of zero, which the schema allows and no name has; 403 is set. */
bool fan_t8_name(const json_t *value, const char *attribute, const char **name, struct fan_t8_problem *problem);
/* externalId or msisdn, and where `group` externalGroupId: exactly one of them. Out: *name of the attribute; *id, any text: whether there is such a UE
 * or group is seen later. */
bool fan_t8_whom(const json_t *object, bool group, const char **name, const char **id, struct fan_t8_problem *problem);

/* The attributes of these names that a body has, and no others (TS 29.122 5.2.7): the caller's. In: names, ended by NULL. */
json_t *fan_t8_pick(const json_t *body, const char *const *names);
/* A body with a patch's attributes of these names in the place of its own (JSON merge patch, RFC 7396): the caller's. */
json_t *fan_t8_merge(const json_t *body, const json_t *patch, const char *const *names);

#endif
