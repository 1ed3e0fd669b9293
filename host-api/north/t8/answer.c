/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "answer.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#define LINK_BYTES_MAX 2000

/* ---- Problems ------------------------------------------------------------------------------------------------------------------ */

static const char *
title_of(unsigned status)
{
	static const struct {
		unsigned status;
		const char *title;
	} titles[] = {
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" },
		{ 409, "Conflict" },
		{ 411, "Length Required" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 429, "Too Many Requests" },
		{ 500, "Internal Server Error" },
		{ 503, "Service Unavailable" },
	};

	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (titles[i].status == status)
			return titles[i].title;
	return "Error";
}

bool
fan_t8_problem_set(struct fan_t8_problem *problem, unsigned status, const char *cause, const char *param, const char *format,
		   ...)
{
	va_list arguments;

	if (problem->status != 0)
		return false;
	problem->status = status;
	problem->cause = cause;
	(void)snprintf(problem->param, sizeof(problem->param), "%s", param != NULL ? param : "");
	va_start(arguments, format);
	(void)vsnprintf(problem->detail, sizeof(problem->detail), format, arguments);
	va_end(arguments);
	return false;
}

json_t *
fan_t8_problem_object(const struct fan_t8_problem *problem)
{
	json_t *object = json_pack("{s:s, s:i, s:o}", "title", title_of(problem->status), "status", (int)problem->status,
				   "detail", fan_control_text(problem->detail));

	if (problem->cause != NULL)
		(void)json_object_set_new(object, "cause", json_string(problem->cause));
	if (problem->param[0] != '\0')
		(void)json_object_set_new(object, "invalidParams",
					  json_pack("[{s:o, s:o}]", "param", fan_control_text(problem->param), "reason",
						    fan_control_text(problem->detail)));
	return object;
}

/* ---- Answers ------------------------------------------------------------------------------------------------------------------- */

static void
answer(struct fan_http_request *request, unsigned status, const char *type, json_t *body, const char *location,
       const struct fan_t8_problem *problem)
{
	char *text = body != NULL ? json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY) : NULL, after[16];
	struct fan_http_field fields[6];
	size_t count = 0;

	if (text != NULL)
		fields[count++] = (struct fan_http_field){ "Content-Type", type };
	if (location != NULL)
		fields[count++] = (struct fan_http_field){ "Location", location };
	if (problem != NULL && problem->retry_after_s > 0) {
		(void)snprintf(after, sizeof(after), "%u", problem->retry_after_s);
		fields[count++] = (struct fan_http_field){ "Retry-After", after };
	}
	if (problem != NULL && (problem->challenge[0] != '\0' || status == 401))
		fields[count++] = (struct fan_http_field){ "WWW-Authenticate",
							   problem->challenge[0] != '\0' ? problem->challenge : "Bearer" };
	fields[count++] = (struct fan_http_field){ "Cache-Control", "no-store" };
	fan_http_answer(request, status, fields, count, text, text != NULL ? strlen(text) : 0);
	free(text);
	json_decref(body);
}

void
fan_t8_answer(struct fan_http_request *request, unsigned status, json_t *body, const char *location)
{
	answer(request, status, "application/json", body, location, NULL);
}

void
fan_t8_answer_problem(struct fan_http_request *request, const struct fan_t8_problem *problem)
{
	answer(request, problem->status, "application/problem+json", fan_t8_problem_object(problem), NULL, problem);
}

void
fan_t8_answer_failure(struct fan_http_request *request, const struct fan_t8_problem *problem)
{
	if (problem->status != 500) {
		fan_t8_answer_problem(request, problem);
		return;
	}
	answer(request, 500, "application/json", json_pack("{s:o}", "problemDetail", fan_t8_problem_object(problem)), NULL,
	       problem);
}

/* ---- Attributes ---------------------------------------------------------------------------------------------------------------- */

/* NULL: it is missing, which is a problem where it is needed. */
static const json_t *
find(const json_t *object, const char *name, bool needed, struct fan_t8_problem *problem)
{
	const json_t *value = json_object_get(object, name);

	if (value != NULL && !json_is_null(value))
		return value;
	if (needed)
		fan_t8_problem_set(problem, 400, "MANDATORY_IE_MISSING", name, "%s: is needed", name);
	return NULL;
}

static bool
wrong(struct fan_t8_problem *problem, const char *name, const char *rule)
{
	return fan_t8_problem_set(problem, 400, "MANDATORY_IE_INCORRECT", name, "%s: %s", name, rule);
}

static bool
take_text(const json_t *object, const char *name, bool needed, size_t most, const char **text, struct fan_t8_problem *problem)
{
	const json_t *value = find(object, name, needed, problem);

	if (value == NULL)
		return false;
	if (!json_is_string(value) || json_string_length(value) == 0)
		return wrong(problem, name, "takes a text");
	if (json_string_length(value) > most)
		return fan_t8_problem_set(problem, 400, "MANDATORY_IE_INCORRECT", name, "%s: is longer than %zu octets", name,
					  most);
	if (strlen(json_string_value(value)) != json_string_length(value))
		return wrong(problem, name, "has an octet of zero");
	*text = json_string_value(value);
	return true;
}

bool
fan_t8_number(const json_t *object, const char *name, bool needed, json_int_t least, json_int_t most, json_int_t *number,
	      struct fan_t8_problem *problem)
{
	const json_t *value = find(object, name, needed, problem);

	if (value == NULL)
		return false;
	if (!json_is_integer(value) || json_integer_value(value) < least || json_integer_value(value) > most)
		return fan_t8_problem_set(problem, 400, "MANDATORY_IE_INCORRECT", name, "%s: takes a number from %lld to %lld",
					  name, (long long)least, (long long)most);
	*number = json_integer_value(value);
	return true;
}

bool
fan_t8_flag(const json_t *object, const char *name, bool *flag, struct fan_t8_problem *problem)
{
	const json_t *value = find(object, name, false, problem);

	if (value == NULL)
		return false;
	if (!json_is_boolean(value))
		return wrong(problem, name, "takes true or false");
	*flag = json_is_true(value);
	return true;
}

bool
fan_t8_bytes(const json_t *object, const char *name, bool needed, const char **base64, size_t *byte_count,
	     struct fan_t8_problem *problem)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *text = "";
	size_t bytes, signs, padding;

	/* It is base64, of no octets: the schema allows that. */
	if (json_is_string(json_object_get(object, name)) && json_string_length(json_object_get(object, name)) == 0)
		return fan_t8_problem_set(problem, 403, "MANDATORY_IE_INCORRECT", name, "%s: has no octets", name);
	if (!take_text(object, name, needed, FAN_CONTROL_LINE_BYTES_MAX, &text, problem))
		return false;
	bytes = strlen(text);
	signs = strspn(text, alphabet);
	padding = bytes - signs;
	if (bytes % 4 != 0 || padding > 2 || strspn(text + signs, "=") != padding)
		return wrong(problem, name, "takes octets in base64 (RFC 4648 4), with its padding");
	/* What is left over of the last octet is zero: or two texts would stand for the same octets. */
	if ((padding == 1 && (strchr(alphabet, text[signs - 1]) - alphabet) % 4 != 0) ||
	    (padding == 2 && (strchr(alphabet, text[signs - 1]) - alphabet) % 16 != 0))
		return wrong(problem, name, "ends with bits that are of no octet");
	*base64 = text;
	*byte_count = bytes / 4 * 3 - padding;
	return true;
}

bool
fan_t8_any_text(const json_t *object, const char *name, struct fan_t8_problem *problem)
{
	const json_t *value = find(object, name, false, problem);

	return value == NULL || json_is_string(value) || wrong(problem, name, "takes a text");
}

/* Digits from *text on, so many. -1: there are others. */
static int
take_digits(const char **text, unsigned count)
{
	int number = 0;

	for (unsigned i = 0; i < count; i++, (*text)++) {
		if (**text < '0' || **text > '9')
			return -1;
		number = number * 10 + (**text - '0');
	}
	return number;
}

static bool
take_sign(const char **text, const char *signs)
{
	if (**text == '\0' || strchr(signs, **text) == NULL)
		return false;
	(*text)++;
	return true;
}

/* "Z", "+01:00": seconds east of UTC. */
static bool
take_zone(const char **text, int *east_s)
{
	const char sign = **text;
	int hours, minutes;

	*east_s = 0;
	if (take_sign(text, "Zz"))
		return true;
	if (!take_sign(text, "+-"))
		return false;
	hours = take_digits(text, 2);
	if (hours < 0 || hours > 23 || !take_sign(text, ":"))
		return false;
	minutes = take_digits(text, 2);
	*east_s = (sign == '-' ? -60 : 60) * (hours * 60 + minutes);
	return minutes >= 0 && minutes < 60;
}

static bool
parse_time(int64_t *ms, const char *text)
{
	struct tm parts = { .tm_year = take_digits(&text, 4) - 1900 };
	const bool has_month = take_sign(&text, "-");
	int east_s, fraction_ms = 0;

	parts.tm_mon = take_digits(&text, 2) - 1;
	if (!has_month || !take_sign(&text, "-"))
		return false;
	parts.tm_mday = take_digits(&text, 2);
	if (!take_sign(&text, "Tt"))
		return false;
	parts.tm_hour = take_digits(&text, 2);
	if (!take_sign(&text, ":"))
		return false;
	parts.tm_min = take_digits(&text, 2);
	if (!take_sign(&text, ":"))
		return false;
	parts.tm_sec = take_digits(&text, 2);
	if (take_sign(&text, "."))
		for (int scale = 100; *text >= '0' && *text <= '9'; text++, scale /= 10)
			fraction_ms += (*text - '0') * scale;
	if (!take_zone(&text, &east_s) || *text != '\0' || parts.tm_year < 0 || parts.tm_mon < 0 || parts.tm_mon > 11 ||
	    parts.tm_mday < 1 || parts.tm_mday > 31 || parts.tm_hour < 0 || parts.tm_hour > 23 || parts.tm_min < 0 ||
	    parts.tm_min > 59 || parts.tm_sec < 0 || parts.tm_sec > 60)
		return false;
	*ms = ((int64_t)timegm(&parts) - east_s) * 1000 + fraction_ms;
	return true;
}

bool
fan_t8_time(const json_t *object, const char *name, bool needed, int64_t *ms, struct fan_t8_problem *problem)
{
	const char *text = "";

	if (!take_text(object, name, needed, 64, &text, problem))
		return false;
	return parse_time(ms, text) || wrong(problem, name, "takes a date and time of RFC 3339, like 2026-01-31T18:40:00Z");
}

bool
fan_t8_link(const json_t *object, const char *name, bool needed, const char **uri, struct fan_t8_problem *problem)
{
	const json_t *value = find(object, name, needed, problem);

	if (value == NULL)
		return false;
	if (!json_is_string(value))
		return wrong(problem, name, "takes a text, a URI");
	if (json_string_length(value) > LINK_BYTES_MAX || strlen(json_string_value(value)) != json_string_length(value))
		return fan_t8_problem_set(problem, 403, "OPERATION_NOT_ALLOWED", name, "%s: takes a URI of up to %d octets",
					  name, LINK_BYTES_MAX);
	*uri = json_string_value(value);
	return true;
}

bool
fan_t8_name(const json_t *value, const char *attribute, const char **name, struct fan_t8_problem *problem)
{
	*name = json_string_value(value);
	return strlen(*name) == json_string_length(value) ||
	       fan_t8_problem_set(problem, 403, "OPERATION_NOT_ALLOWED", attribute, "%s: has an octet of zero", attribute);
}

bool
fan_t8_whom(const json_t *object, bool group, const char **name, const char **id, struct fan_t8_problem *problem)
{
	static const char *const names[] = { "externalId", "msisdn", "externalGroupId" };
	unsigned found = 0;

	for (unsigned i = 0; i < (group ? 3 : 2); i++) {
		const json_t *value = find(object, names[i], false, problem);

		if (value == NULL)
			continue;
		if (!json_is_string(value))
			return wrong(problem, names[i], "takes a text");
		if (!fan_t8_name(value, names[i], id, problem))
			return false;
		*name = names[i];
		found++;
	}
	return found == 1 || fan_t8_problem_set(problem, 400, found == 0 ? "MANDATORY_IE_MISSING" : "INVALID_MSG_FORMAT",
						group ? "externalGroupId" : "externalId", "%s: exactly one of them is needed",
						group ? "externalId, msisdn, externalGroupId" : "externalId, msisdn");
}

/* ---- Bodies -------------------------------------------------------------------------------------------------------------------- */

json_t *
fan_t8_pick(const json_t *body, const char *const *names)
{
	json_t *picked = json_object();

	for (; *names != NULL; names++) {
		json_t *value = json_object_get(body, *names);

		if (value != NULL && !json_is_null(value))
			(void)json_object_set(picked, *names, value);
	}
	return picked;
}

json_t *
fan_t8_merge(const json_t *body, const json_t *patch, const char *const *names)
{
	json_t *merged = json_deep_copy(body);

	for (; *names != NULL; names++) {
		json_t *value = json_object_get(patch, *names);

		if (json_is_null(value))
			(void)json_object_del(merged, *names);
		else if (value != NULL)
			(void)json_object_set(merged, *names, value);
	}
	return merged;
}
