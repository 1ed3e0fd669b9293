/* SPDX-License-Identifier: BSD-3-Clause */
#include "job.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct fan_method *const method_lists[] = { fan_service_methods, fan_hop_methods,       fan_ue_methods,
							 fan_group_methods,   fan_group_key_methods, fan_group_export_methods,
							 fan_policy_methods,  fan_message_methods,   fan_send_methods,
							 fan_result_methods };
#define LIST_COUNT (sizeof(method_lists) / sizeof(method_lists[0]))

static int
exit_code(int error)
{
	return error == FAN_E_INVALID || error == FAN_E_TOO_LONG ? 2 : 1;
}

static bool
is_denied(int code)
{
	return code == FAN_CONTROL_DENIED || code == FAN_CONTROL_FORBIDDEN;
}

/* ---- Answers ----------------------------------------------------------------------------------------------------------- */

/* Takes id and error. */
static void
put_error(struct fan_client *client, json_t *id, json_t *error)
{
	fan_client_put(client,
		       json_pack("{s:s, s:o, s:o}", "jsonrpc", "2.0", "id", id != NULL ? id : json_null(), "error", error));
}

/* Takes id and result. A notification gets no answer. */
static void
answer(struct fan_client *client, json_t *id, int code, int error, json_t *result)
{
	if (id == NULL) {
		json_decref(result);
		return;
	}
	if (error == 0) {
		fan_client_put(client, json_pack("{s:s, s:o, s:o}", "jsonrpc", "2.0", "id", id, "result",
						 result != NULL ? result : json_object()));
		return;
	}
	json_decref(result);
	put_error(client, id,
		  fan_control_error(code != 0 ? code : FAN_CONTROL_FAILED + error, fan_error_detail(),
				    code != 0 ? (is_denied(code) ? 1 : 2) : exit_code(error)));
}

/* ---- Tickets ----------------------------------------------------------------------------------------------------------- */

static struct fan_audit_act
make_act(const struct fan_request *request)
{
	return (struct fan_audit_act){ .method = request->act,
				       .user = request->client->user,
				       .subject = request->act != NULL ? fan_audit_subject(request->params) : NULL };
}

struct fan_ticket
fan_ticket_take(struct fan_request *request)
{
	const struct fan_ticket ticket = { .place = (unsigned)(request->client - request->server->clients),
					   .generation = request->client->generation,
					   .id = json_incref(request->id),
					   .act = make_act(request) };

	request->client->requests++;
	return ticket;
}

struct fan_client *
fan_ticket_client(struct fan_server *server, const struct fan_ticket *ticket)
{
	struct fan_client *client = &server->clients[ticket->place];

	return client->socket >= 0 && client->generation == ticket->generation && !client->gone ? client : NULL;
}

void
fan_ticket_answer(struct fan_server *server, struct fan_ticket *ticket, int error, json_t *result)
{
	struct fan_client *client = fan_ticket_client(server, ticket);

	fan_audit_record(&server->audit, &ticket->act, error == 0 ? "done" : "refused", error, result);
	if (client != NULL) {
		client->requests--;
		answer(client, ticket->id, 0, error, result);
	} else {
		json_decref(ticket->id);
		json_decref(result);
	}
	ticket->id = NULL;
}

void
fan_ticket_drop(struct fan_server *server, struct fan_ticket *ticket)
{
	fan_audit_record(&server->audit, &ticket->act, "abandoned", 0, NULL);
	json_decref(ticket->id);
	ticket->id = NULL;
}

void
fan_ticket_notify(struct fan_server *server, const struct fan_ticket *ticket, const char *method, json_t *params)
{
	struct fan_client *client = fan_ticket_client(server, ticket);

	if (client == NULL)
		json_decref(params);
	else
		fan_client_put(client, json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", method, "params", params));
}

/* ---- Requests ---------------------------------------------------------------------------------------------------------- */

int
fan_request_params(struct fan_request *request, void *values, const struct fan_param *table, size_t count)
{
	const int error = fan_params_read(values, table, count, request->params);

	if (error != 0)
		request->code = FAN_CONTROL_PARAMS;
	return error;
}

int
fan_request_descriptor(struct fan_request *request, int *descriptor)
{
	const uint64_t bytes_max = request->server->configuration.limits.import_bytes;
	struct stat found = { .st_size = 0 };

	*descriptor = request->client->descriptor;
	request->client->descriptor = -1;
	if (*descriptor < 0)
		return fan_fail(FAN_E_INVALID, "a descriptor of a file must come with this request (SCM_RIGHTS)");
	if (fstat(*descriptor, &found) == 0 && S_ISREG(found.st_mode) && (uint64_t)found.st_size <= bytes_max)
		return 0;
	(void)close(*descriptor);
	*descriptor = -1;
	if (!S_ISREG(found.st_mode))
		return fan_fail(FAN_E_INVALID,
				"the descriptor is not that of a regular file, which alone can be read without waiting");
	return fan_fail(FAN_E_INVALID, "the file has %llu octets, and [limits] import_bytes is %llu",
			(unsigned long long)found.st_size, (unsigned long long)bytes_max);
}

static const struct fan_method *
find_method(const char *name)
{
	for (unsigned i = 0; i < LIST_COUNT; i++)
		for (const struct fan_method *method = method_lists[i]; method->name != NULL; method++)
			if (strcmp(method->name, name) == 0)
				return method;
	return NULL;
}

static int
refuse_method(struct fan_request *request, const char *name)
{
	const char *nearest = NULL;

	for (unsigned i = 0; nearest == NULL && i < LIST_COUNT; i++)
		nearest = fan_nearest_name(name, method_lists[i], sizeof(*method_lists[i]));
	request->code = FAN_CONTROL_METHOD;
	if (nearest != NULL)
		return fan_fail(FAN_E_NOT_FOUND, "%.64s: no such method, did you mean %s?", name, nearest);
	return fan_fail(FAN_E_NOT_FOUND, "%.64s: no such method", name);
}

static int
check_role(struct fan_request *request, const struct fan_method *method)
{
	const struct fan_client *client = request->client;

	if (fan_configuration_permits(&request->server->configuration, method->role, client->user, client->groups,
				      client->group_count))
		return 0;
	request->code = FAN_CONTROL_DENIED;
	return fan_fail(FAN_E_UNSUPPORTED,
			"%s needs the role %s, which user %u has not: name it in [roles] %s of the configuration", method->name,
			fan_role_name(method->role), client->user, fan_role_name(method->role));
}

static bool
has_to_wait(const struct fan_server *server, enum fan_when when)
{
	if (server->batching)
		return when >= FAN_AFTER_BATCH;
	return when == FAN_AFTER_JOBS && (fan_jobs_running(server) || server->send_count > 0);
}

static int
call(struct fan_request *request, const char *name)
{
	const struct fan_method *method = find_method(name);
	int error = method == NULL ? refuse_method(request, name) : check_role(request, method);

	request->act = method != NULL && fan_audit_id(method->name) != NULL ? method->name : NULL;
	if (error != 0)
		return error;
	if (request->client->requests >= FAN_CONTROL_REQUESTS_MAX)
		return fan_fail(FAN_E_BUSY, "%d requests of this client wait for their answers: read those first",
				FAN_CONTROL_REQUESTS_MAX);
	if (request->server->fanfare == NULL && method->when != FAN_ANY_TIME)
		return fan_fail(FAN_E_BUSY, "loading: try again when status says ready");
	return has_to_wait(request->server, method->when) ? FAN_WAIT : method->run(request);
}

/* ---- Hello ------------------------------------------------------------------------------------------------------------- */

void
fan_dispatch_hello(struct fan_client *client)
{
	fan_client_put(client,
		       json_pack("{s:s, s:s, s:{s:s, s:i, s:s}}", "jsonrpc", "2.0", "method", "hello", "params", "protocol",
				 FAN_CONTROL_PROTOCOL, "version", FAN_CONTROL_VERSION, "program", fan_version()));
}

static json_t *
list_roles(const struct fan_request *request)
{
	const struct fan_client *client = request->client;
	json_t *roles = json_array();

	for (int role = 0; role < FAN_ROLES; role++)
		if (fan_configuration_permits(&request->server->configuration, (enum fan_role)role, client->user,
					      client->groups, client->group_count))
			(void)json_array_append_new(roles, json_string(fan_role_name((enum fan_role)role)));
	return roles;
}

/* The first request of a client. */
static int
hello(struct fan_request *request, const char *method)
{
	struct {
		int64_t version;
	} values = { 0 };
	static const struct fan_param table[] = {
		{ "version", FAN_PARAM_NUMBER, true, INT64_MIN, INT64_MAX, 0 },
	};
	int error;

	request->client->ending = true;
	if (strcmp(method, "hello") != 0) {
		request->code = FAN_CONTROL_REQUEST;
		return fan_fail(FAN_E_INVALID, "%.64s: the first request is hello, with the version that the client speaks",
				method);
	}
	error = fan_request_params(request, &values, table, 1);
	if (error != 0)
		return error;
	if (values.version != FAN_CONTROL_VERSION) {
		request->code = FAN_CONTROL_VERSIONS;
		return fan_fail(FAN_E_UNSUPPORTED, "the client speaks version %lld of %s, this daemon (fanfare %s) version %d",
				(long long)values.version, FAN_CONTROL_PROTOCOL, fan_version(), FAN_CONTROL_VERSION);
	}
	request->client->ending = false;
	request->client->greeted = true;
	request->result = json_pack("{s:i, s:o}", "version", FAN_CONTROL_VERSION, "roles", list_roles(request));
	return 0;
}

/* ---- Lines ------------------------------------------------------------------------------------------------------------- */

/* What is wrong with an object as a request; NULL: nothing. */
static const char *
find_fault(const json_t *object)
{
	static const char *const members[] = { "jsonrpc", "id", "method", "params", NULL };
	const char *version = json_string_value(json_object_get(object, "jsonrpc"));
	const json_t *id = json_object_get(object, "id"), *params = json_object_get(object, "params");
	size_t known = 0;

	if (!json_is_object(object))
		return "a request is an object: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}";
	if (version == NULL || strcmp(version, "2.0") != 0)
		return "jsonrpc: takes \"2.0\"";
	if (id != NULL && !json_is_string(id) && !json_is_integer(id))
		return "id: takes a text or a whole number";
	if (!json_is_string(json_object_get(object, "method")))
		return "method: takes a text";
	if (params != NULL && !json_is_object(params))
		return "params: takes an object of parameters by name";
	for (unsigned i = 0; members[i] != NULL; i++)
		known += json_object_get(object, members[i]) != NULL;
	return known == json_object_size(object) ? NULL : "a request has jsonrpc, id, method, params, and nothing else";
}

static void
record_act(const struct fan_request *request, int error)
{
	struct fan_audit_act act = make_act(request);
	const char *outcome = error == 0 ? "done" : is_denied(request->code) ? "denied" : "refused";

	fan_audit_record(&request->server->audit, &act, outcome, error, request->result);
}

/* False: it has to wait. */
static bool
take_request(struct fan_server *server, struct fan_client *client, json_t *object)
{
	struct fan_request request = { .server = server,
				       .client = client,
				       .id = json_incref(json_object_get(object, "id")),
				       .params = json_object_get(object, "params") };
	const char *method = json_string_value(json_object_get(object, "method"));
	const int error = client->greeted ? call(&request, method) : hello(&request, method);

	if (error == FAN_LATER || error == FAN_WAIT) {
		json_decref(request.id);
	} else {
		record_act(&request, error);
		answer(client, request.id, request.code, error, request.result);
	}
	return error != FAN_WAIT;
}

bool
fan_dispatch_line(struct fan_server *server, struct fan_client *client, char *line, size_t line_bytes)
{
	json_error_t wrong;
	json_t *object = json_loadb(line, line_bytes, JSON_REJECT_DUPLICATES, &wrong);
	const char *fault = object == NULL ? NULL : find_fault(object);
	bool done = true;
	char text[96];

	if (object == NULL) {
		/* jansson's own words may quote the line, which may hold a key. */
		(void)snprintf(text, sizeof(text), "no JSON (%s): at octet %d of the line",
			       json_error_code(&wrong) == json_error_duplicate_key ? "a member twice" : "syntax",
			       wrong.position);
		put_error(client, NULL, fan_control_error(FAN_CONTROL_PARSE, text, 2));
	} else if (fault != NULL) {
		put_error(client, NULL, fan_control_error(FAN_CONTROL_REQUEST, fault, 2));
	} else {
		done = take_request(server, client, object);
	}
	client->ending |= !client->greeted;
	json_decref(object);
	return done;
}
