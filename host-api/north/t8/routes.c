/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "../../control/log.h"
#include "authority.h"
#include "keys.h"
#include "resources.h"

#include <string.h>
#include <strings.h>

#define IDS_MAX 3
#define ALLOW_BYTES 64
#define JSON "application/json"
#define MERGE_PATCH "application/merge-patch+json"

/* What of the path is the sender's own name. */
enum owner {
	OWNER_IN_PATH, /* the first id */
	OWNER_IS_ANY,
};

struct method {
	const char *name, *media_type; /* of the body; NULL: it has none */
	void (*run)(struct fan_t8_call *call);
};

struct route {
	const char *path; /* an asterisk stands for an id */
	const char *api;  /* as tokens call it */
	enum owner owner;
	struct method methods[5];
};

/* All that there is. What is not here is not offered: RDS ports, buffered uplink data, TMGIs. */
static const struct route routes[] = {
	{ "3gpp-nidd/v1/*/configurations",
	  "3gpp-nidd",
	  OWNER_IN_PATH,
	  { { "GET", NULL, fan_t8_nidd_list }, { "POST", JSON, fan_t8_nidd_create }, { .name = NULL } } },
	{ "3gpp-nidd/v1/*/configurations/*",
	  "3gpp-nidd",
	  OWNER_IN_PATH,
	  { { "GET", NULL, fan_t8_nidd_show },
	    { "PATCH", MERGE_PATCH, fan_t8_nidd_change },
	    { "DELETE", NULL, fan_t8_nidd_delete },
	    { .name = NULL } } },
	{ "3gpp-nidd/v1/*/configurations/*/downlink-data-deliveries",
	  "3gpp-nidd",
	  OWNER_IN_PATH,
	  { { "GET", NULL, fan_t8_nidd_deliveries }, { "POST", JSON, fan_t8_nidd_deliver }, { .name = NULL } } },
	{ "3gpp-nidd/v1/*/configurations/*/downlink-data-deliveries/*",
	  "3gpp-nidd",
	  OWNER_IN_PATH,
	  { { "GET", NULL, fan_t8_nidd_delivery_show },
	    { "PUT", JSON, fan_t8_nidd_delivery_replace },
	    { "PATCH", JSON, fan_t8_nidd_delivery_change },
	    { "DELETE", NULL, fan_t8_nidd_delivery_delete },
	    { .name = NULL } } },
	{ "3gpp-nidd/v1/*/configurations/*/downlink-data-deliveries/*/results",
	  "3gpp-nidd",
	  OWNER_IN_PATH,
	  { { "GET", NULL, fan_t8_nidd_results }, { .name = NULL } } },
	{ "3gpp-device-triggering/v1/*/transactions",
	  "3gpp-device-triggering",
	  OWNER_IN_PATH,
	  { { "GET", NULL, fan_t8_trigger_list }, { "POST", JSON, fan_t8_trigger_create }, { .name = NULL } } },
	{ "3gpp-device-triggering/v1/*/transactions/*",
	  "3gpp-device-triggering",
	  OWNER_IN_PATH,
	  { { "GET", NULL, fan_t8_trigger_show },
	    { "PUT", JSON, fan_t8_trigger_replace },
	    { "PATCH", JSON, fan_t8_trigger_change },
	    { "DELETE", NULL, fan_t8_trigger_delete },
	    { .name = NULL } } },
	{ "3gpp-mbs-group-msg/v1/deliveries",
	  "3gpp-mbs-group-msg",
	  OWNER_IS_ANY,
	  { { "GET", NULL, fan_t8_mbs_list }, { "POST", JSON, fan_t8_mbs_create }, { .name = NULL } } },
	{ "3gpp-mbs-group-msg/v1/deliveries/*",
	  "3gpp-mbs-group-msg",
	  OWNER_IS_ANY,
	  { { "GET", NULL, fan_t8_mbs_show },
	    { "PATCH", MERGE_PATCH, fan_t8_mbs_change },
	    { "DELETE", NULL, fan_t8_mbs_delete },
	    { .name = NULL } } },
};

/* ---- Paths --------------------------------------------------------------------------------------------------------------------- */

static int
hex_digit(char digit)
{
	const char *digits = "0123456789abcdef", *at = digit == '\0' ? NULL : strchr(digits, digit | 0x20);

	return digit >= '0' && digit <= '9' ? digit - '0' : at != NULL ? (int)(at - digits) : -1;
}

/* A part of a path, percent signs resolved. False: it is too long, or has what no id has. */
static bool
take_id(char id[256], const char *part, size_t part_bytes)
{
	size_t bytes = 0;

	for (size_t i = 0; i < part_bytes; i++, bytes++) {
		int octet = (unsigned char)part[i];

		if (octet == '%') {
			if (i + 2 >= part_bytes || hex_digit(part[i + 1]) < 0 || hex_digit(part[i + 2]) < 0)
				return false;
			octet = hex_digit(part[i + 1]) * 16 + hex_digit(part[i + 2]);
			i += 2;
		}
		if (octet <= ' ' || octet > '~' || octet == '/' || bytes >= 254)
			return false;
		id[bytes] = (char)octet;
	}
	id[bytes] = '\0';
	return bytes > 0;
}

/* Whether a path is that of a route. Out: ids, what stands in the places of its asterisks. */
static bool
fits(char ids[IDS_MAX][256], const char *pattern, const char *path)
{
	unsigned count = 0;

	if (*path++ != '/')
		return false;
	while (*pattern != '\0') {
		const size_t pattern_bytes = strcspn(pattern, "/"), path_bytes = strcspn(path, "/");

		if (*pattern == '*') {
			if (!take_id(ids[count++], path, path_bytes))
				return false;
		} else if (pattern_bytes != path_bytes || memcmp(pattern, path, path_bytes) != 0)
			return false;
		pattern += pattern_bytes;
		path += path_bytes;
		if (*pattern != *path)
			return false;
		pattern += *pattern == '/';
		path += *path == '/';
	}
	return *path == '\0';
}

static const struct route *
find_route(struct fan_t8_call *call)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (fits(call->ids, routes[i].path, fan_http_path(call->request)))
			return &routes[i];
	return NULL;
}

static const struct method *
find_method(const struct route *route, const char *name)
{
	for (const struct method *method = route->methods; method->name != NULL; method++)
		if (strcmp(method->name, name) == 0)
			return method;
	return NULL;
}

/* ---- Who may ------------------------------------------------------------------------------------------------------------------- */

/* Anybody may cause it, as often as they like: once in a while. */
static void
say_refused(const struct fan_t8_call *call, unsigned status, const char *why)
{
	static struct fan_log_limit limit;
	uint64_t held;

	if (status < 500 && fan_log_may(&limit, &held, fan_face_now_ms(call->t8->face)))
		fan_log(FAN_LOG_CREDENTIALS_REFUSED, json_pack("{s:i, s:I}", "status", (int)status, "held", (json_int_t)held),
			"a request is refused: %s; so were %lu since this was last said", why, (unsigned long)held);
}

/* Default deny: nothing else lets a request in. */
static bool
admit(struct fan_t8_call *call, const struct route *route)
{
	struct fan_t8_verdict verdict;

	fan_t8_authorise(call->t8->authority, &verdict, call->request, route != NULL ? route->api : "",
			 route != NULL && route->owner == OWNER_IN_PATH ? call->ids[0] : NULL);
	if (verdict.finding == FAN_T8_MAY) {
		call->sender = &call->t8->settings.senders[verdict.sender - call->t8->identities];
		return true;
	}
	say_refused(call, verdict.status, verdict.why);
	(void)snprintf(call->problem.challenge, sizeof(call->problem.challenge), "%s", verdict.challenge);
	call->problem.retry_after_s = verdict.retry_after_s;
	return fan_t8_problem_set(&call->problem, verdict.status, verdict.cause, NULL, "%s", verdict.why);
}

/* A token of so many a second that a sender has. */
static bool
take_turn(struct fan_t8_call *call)
{
	struct fan_t8_account *account = fan_t8_account_of(call->t8, call->sender);

	if (call->sender->requests_per_s == 0 || account->requests >= 1) {
		account->requests -= 1;
		return true;
	}
	call->problem.retry_after_s = 1;
	return fan_t8_problem_set(&call->problem, 429, "INSUFFICIENT_RESOURCES", NULL,
				  "%lu requests a second, the most of this sender", call->sender->requests_per_s);
}

/* ---- Bodies -------------------------------------------------------------------------------------------------------------------- */

static bool
has_type(const char *field, const char *type)
{
	const size_t type_bytes = strlen(type);

	return field != NULL && strncasecmp(field, type, type_bytes) == 0 &&
	       (field[type_bytes] == '\0' || field[type_bytes] == ';' || field[type_bytes] == ' ');
}

static bool
takes_json(const char *accept)
{
	return accept == NULL || strcasestr(accept, JSON) != NULL || strstr(accept, "*/*") != NULL ||
	       strcasestr(accept, "application/*") != NULL;
}

/* It is JSON, but of a kind that the parser does not take. */
static bool
is_beyond_limits(const json_error_t *wrong)
{
	const enum json_error_code code = json_error_code(wrong);

	return code == json_error_null_byte_in_key || code == json_error_numeric_overflow;
}

static bool
read_body(struct fan_t8_call *call, const char *media_type)
{
	size_t byte_count;
	const char *text = fan_http_body(call->request, &byte_count);
	json_error_t wrong;

	if (fan_http_header(call->request, "Content-Length") == NULL &&
	    fan_http_header(call->request, "Transfer-Encoding") == NULL)
		return fan_t8_problem_set(&call->problem, 411, NULL, "Content-Length", "a body is needed, with its length");
	if (!has_type(fan_http_header(call->request, "Content-Type"), media_type))
		return fan_t8_problem_set(&call->problem, 415, NULL, "Content-Type", "takes %s", media_type);
	call->body = json_loadb(text, byte_count, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &wrong);
	if (call->body == NULL && is_beyond_limits(&wrong))
		return fan_t8_problem_set(&call->problem, 403, "OPERATION_NOT_ALLOWED", NULL,
					  "line %d column %d: a name has no octet of zero, a number is one of 64 bits",
					  wrong.line, wrong.column);
	if (call->body == NULL)
		return fan_t8_problem_set(&call->problem, 400, "INVALID_MSG_FORMAT", NULL,
					  "the body is no JSON: line %d column %d", wrong.line, wrong.column);
	return json_is_object(call->body) ||
	       fan_t8_problem_set(&call->problem, 400, "INVALID_MSG_FORMAT", NULL, "the body is no JSON object");
}

/* ---- The way of a call ----------------------------------------------------------------------------------------------------------- */

void
fan_t8_refuse(struct fan_t8_call *call)
{
	if (call->request == NULL)
		return;
	fan_t8_answer_problem(call->request, &call->problem);
}

void
fan_t8_miss(struct fan_t8_call *call, const char *what)
{
	fan_t8_problem_set(&call->problem, 404, "RESOURCE_NOT_FOUND", NULL, "there is no such %s", what);
}

static void
refuse_method(struct fan_t8_call *call, const struct route *route)
{
	char allow[ALLOW_BYTES] = "";
	size_t bytes = 0;
	const struct fan_http_field fields[] = { { "Allow", allow }, { "Content-Type", "application/problem+json" } };
	json_t *problem;
	char *text;

	for (const struct method *method = route->methods; method->name != NULL; method++)
		bytes += (size_t)snprintf(allow + bytes, sizeof(allow) - bytes, "%s%s", bytes > 0 ? ", " : "", method->name);
	fan_t8_problem_set(&call->problem, 405, NULL, NULL, "this resource takes %s", allow);
	problem = fan_t8_problem_object(&call->problem);
	text = json_dumps(problem, JSON_COMPACT);
	json_decref(problem);
	fan_http_answer(call->request, 405, fields, 2, text, text != NULL ? strlen(text) : 0);
	free(text);
}

static bool
is_ready(struct fan_t8_call *call, const struct method *method)
{
	if (!take_turn(call))
		return false;
	if (strcmp(method->name, "GET") == 0 && !takes_json(fan_http_header(call->request, "Accept")))
		return fan_t8_problem_set(&call->problem, 406, NULL, "Accept", "what there is is %s", JSON);
	return method->media_type == NULL || read_body(call, method->media_type);
}

void
fan_t8_route(void *user, struct fan_http_request *request)
{
	struct fan_t8_call call = { .t8 = user, .request = request };
	const struct route *route = find_route(&call);
	const struct method *method = route != NULL ? find_method(route, fan_http_method(request)) : NULL;

	if (admit(&call, route) && route == NULL)
		fan_t8_problem_set(&call.problem, 404, "RESOURCE_URI_STRUCTURE_NOT_FOUND", NULL, "there is no such resource");
	if (call.problem.status == 0 && method == NULL)
		refuse_method(&call, route);
	else if (call.problem.status != 0 || !is_ready(&call, method))
		fan_t8_refuse(&call);
	else if (strcmp(method->name, "POST") != 0 || !fan_t8_key_repeats(&call))
		method->run(&call);
	json_decref(call.body);
}
