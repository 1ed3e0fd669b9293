/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon.h"

#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define AT(struct_name, field) offsetof(struct struct_name, field)

bool
fan_message_has_ended(const struct fan_message_status *status)
{
	return status->state != FAN_MESSAGE_ACCEPTED && status->state != FAN_MESSAGE_SENDING;
}

int
fan_message_read(const struct fan_server *server, struct fan_message_status *status, fan_message_id id)
{
	fan_message_status_init(status);
	return fan_message_status(server->fanfare, status, id);
}

/* The next message from an id on; 0: none. */
static fan_message_id
next_message(const struct fan_server *server, fan_message_id from)
{
	fan_message_id next;

	return fan_message_next(server->fanfare, &next, from) == 1 ? next : 0;
}

/* ---- Showing ----------------------------------------------------------------------------------------------------------- */

static json_t *
describe_result(const struct fan_result *result)
{
	json_t *dropped = json_object();

	for (int i = 1; i < FAN_DROP_COUNT; i++)
		if (result->dropped[i] > 0)
			(void)json_object_set_new(dropped, fan_drop_name((enum fan_drop)i),
						  json_integer((json_int_t)result->dropped[i]));
	return json_pack("{s:I, s:I, s:I, s:o, s:I, s:I, s:I}", "ues", (json_int_t)result->ues, "created",
			 (json_int_t)result->created, "sent", (json_int_t)result->sent, "dropped", dropped, "bytes_out",
			 (json_int_t)result->bytes_out, "first_ns", (json_int_t)result->first_ns, "last_ns",
			 (json_int_t)result->last_ns);
}

static json_t *
describe_ways(const struct fan_message_status *status)
{
	json_t *ways = json_object();

	for (unsigned way = 0; way < FAN_WAY_COUNT; way++)
		if (status->way_ues[way] > 0)
			(void)json_object_set_new(ways, fan_way_name((enum fan_way)way),
						  json_integer((json_int_t)status->way_ues[way]));
	return ways;
}

json_t *
fan_message_describe(const struct fan_message_status *status)
{
	json_t *object = json_pack("{s:I, s:s, s:s, s:b, s:i, s:I}", "id", (json_int_t)status->id, "state",
				   fan_message_state_name(status->state), status->gid[0] != '\0' ? "gid" : "identity",
				   status->gid[0] != '\0' ? status->gid : status->identity, "durable", status->durable,
				   "priority", status->priority, "byte_count", (json_int_t)status->byte_count);
	json_t *times = json_pack("{s:I, s:I, s:I, s:I, s:I, s:s, s:I}", "accepted_ms", (json_int_t)status->accepted_ms,
				  "expires_ms", (json_int_t)status->expires_ms, "ended_ms", (json_int_t)status->ended_ms,
				  "resumed", (json_int_t)status->resumed, "in_doubt", (json_int_t)status->in_doubt, "waits_for",
				  fan_wait_name(status->waits_for), "waits_ns", (json_int_t)status->waits_ns);
	const char *const reference = status->reference[0] != '\0' ? status->reference : NULL;
	json_t *names = json_pack("{s:s*}", "reference", reference);
	json_t *result = describe_result(&status->result);

	(void)json_object_update(object, names);
	(void)json_object_update(object, times);
	(void)json_object_update(object, result);
	(void)json_object_set_new(object, "ways", describe_ways(status));
	(void)json_object_set_new(object, "ended", json_boolean(fan_message_has_ended(status)));
	json_decref(names);
	json_decref(times);
	json_decref(result);
	return object;
}

static json_t *
describe(struct fan_message_status *status)
{
	json_t *object = fan_message_describe(status), *profiles = json_object();

	for (int i = 0; i < FAN_PROFILE_COUNT; i++) {
		const struct fan_result *result = &status->profile[i];
		json_t *described;

		if (result->created == 0)
			continue;
		described = describe_result(result);
		if (fan_kind_is_plain(fan_profile_kind((enum fan_profile)i)))
			(void)json_object_set_new(described, "protected", json_false());
		(void)json_object_set_new(profiles, fan_profile_name((enum fan_profile)i), described);
	}
	(void)json_object_set_new(object, "profiles", profiles);
	return object;
}

struct by_id {
	int64_t id;
};

static const struct fan_param id_params[] = {
	{ "id", FAN_PARAM_NUMBER, true, 1, INT64_MAX, AT(by_id, id) },
};

static int
read_message(struct fan_request *request, struct fan_message_status *status)
{
	struct by_id values = { 0 };
	const int error = fan_request_params(request, &values, id_params, COUNT_OF(id_params));

	return error != 0 ? error : fan_message_read(request->server, status, (fan_message_id)values.id);
}

static int
run_show(struct fan_request *request)
{
	struct fan_message_status status;
	const int error = read_message(request, &status);

	if (error == 0)
		request->result = describe(&status);
	return error;
}

struct by_reference {
	const char *reference;
};

static const struct fan_param reference_params[] = {
	{ "reference", FAN_PARAM_TEXT, true, 1, FAN_REFERENCE_BYTES - 1, AT(by_reference, reference) },
};

static int
run_find(struct fan_request *request)
{
	struct by_reference values = { NULL };
	struct fan_message_status status;
	fan_message_id id;
	int error = fan_request_params(request, &values, reference_params, COUNT_OF(reference_params));

	if (error == 0)
		error = fan_message_find(request->server->fanfare, &id, values.reference);
	if (error == 0)
		error = fan_message_read(request->server, &status, id);
	if (error == 0)
		request->result = describe(&status);
	return error;
}

struct listing {
	int64_t from, limit;
};

static const struct fan_param list_params[] = {
	{ "from", FAN_PARAM_NUMBER, false, 0, INT64_MAX, AT(listing, from) },
	{ "limit", FAN_PARAM_NUMBER, false, 1, FAN_CONTROL_LIST_MAX, AT(listing, limit) },
};

static int
run_list(struct fan_request *request)
{
	struct listing values = { .limit = 100 };
	json_t *messages = json_array();
	const int error = fan_request_params(request, &values, list_params, COUNT_OF(list_params));
	fan_message_id id = error == 0 ? next_message(request->server, (fan_message_id)values.from) : 0;

	while (id != 0 && json_array_size(messages) < (size_t)values.limit) {
		struct fan_message_status status;

		if (fan_message_read(request->server, &status, id) == 0)
			(void)json_array_append_new(messages, fan_message_describe(&status));
		id = next_message(request->server, id + 1);
	}
	/* `next` is 0 at the end of the list. */
	request->result = json_pack("{s:o, s:I}", "messages", messages, "next", (json_int_t)id);
	return error;
}

static int
run_cancel(struct fan_request *request)
{
	struct by_id values = { 0 };
	int error = fan_request_params(request, &values, id_params, COUNT_OF(id_params));

	if (error != 0)
		return error;
	error = fan_message_cancel(request->server->fanfare, (fan_message_id)values.id);
	/* In a batch it is cancelled at once, and durable after that; it may have ended by then. */
	if (error == FAN_E_BUSY && request->server->batching)
		return FAN_WAIT;
	return error == FAN_E_NOT_FOUND && request->client->put_off != 0 ? 0 : error;
}

/* ---- Not served -------------------------------------------------------------------------------------------------------- */

struct asking {
	int64_t id, from, limit;
	const char *reason;
};

static const struct fan_param not_served_params[] = {
	{ "id", FAN_PARAM_NUMBER, true, 1, INT64_MAX, AT(asking, id) },
	{ "reason", FAN_PARAM_TEXT, false, 1, 32, AT(asking, reason) },
	{ "from", FAN_PARAM_NUMBER, false, 0, INT64_MAX, AT(asking, from) },
	{ "limit", FAN_PARAM_NUMBER, false, 1, FAN_CONTROL_LIST_MAX, AT(asking, limit) },
};

struct not_served {
	struct fanfare *fanfare;
	json_t *ues;
	uint64_t from, limit, count;
};

static void
take_not_served(void *user, fan_context_id id, uint32_t ue, enum fan_drop drop)
{
	struct not_served *list = user;
	struct fan_ue_status status;

	if (list->count++ < list->from || json_array_size(list->ues) >= list->limit)
		return;
	fan_ue_status_init(&status);
	/* One that was removed since has no identity any more. */
	if (fan_ue_status(list->fanfare, &status, id) != 0)
		status.identity[0] = '\0';
	(void)json_array_append_new(list->ues, json_pack("{s:s, s:I, s:I, s:s}", "identity", status.identity, "id",
							 (json_int_t)id, "ue", (json_int_t)ue, "reason", fan_drop_name(drop)));
}

/* NONE for no name; -1: there is none of it. */
static int
find_drop(const char *name)
{
	for (int i = 0; i < FAN_DROP_COUNT; i++)
		if (name == NULL || (i > 0 && strcmp(fan_drop_name((enum fan_drop)i), name) == 0))
			return i;
	return -1;
}

static int
run_not_served(struct fan_request *request)
{
	struct asking values = { .limit = 100 };
	struct not_served list = { .fanfare = request->server->fanfare, .ues = json_array() };
	int error = fan_request_params(request, &values, not_served_params, COUNT_OF(not_served_params));
	const int drop = error == 0 ? find_drop(values.reason) : 0;
	uint64_t end;

	list.from = (uint64_t)values.from;
	list.limit = (uint64_t)values.limit;
	if (drop < 0)
		error = fan_fail(FAN_E_INVALID,
				 "reason %.32s: there is none of this name; unreachable, window, expired for example",
				 values.reason);
	if (error == 0)
		error = fan_message_not_served(request->server->fanfare, (fan_message_id)values.id, (enum fan_drop)drop,
					       take_not_served, &list);
	end = list.from + json_array_size(list.ues);
	request->result = json_pack("{s:I, s:o, s:I}", "count", (json_int_t)list.count, "ues", list.ues, "next",
				    (json_int_t)(end < list.count ? end : 0));
	return error;
}

/* ---- Watching ---------------------------------------------------------------------------------------------------------- */

static int
run_watch(struct fan_request *request)
{
	struct fan_server *server = request->server;
	struct fan_message_status status;
	const int error = read_message(request, &status);

	if (error != 0)
		return error;
	if (!fan_message_has_ended(&status) && server->watch_count == FAN_SERVER_WATCHES_MAX)
		return fan_fail(FAN_E_BUSY, "%d messages are watched: try again when some have ended", FAN_SERVER_WATCHES_MAX);
	if (!fan_message_has_ended(&status))
		server->watches[server->watch_count++] = (struct fan_watch){
			.ticket = { .place = (unsigned)(request->client - server->clients),
				    .generation = request->client->generation },
			.id = status.id,
		};
	request->result = describe(&status);
	return 0;
}

/* False: it is over. */
static bool
notify(struct fan_server *server, const struct fan_watch *watch)
{
	struct fan_message_status status;

	if (fan_ticket_client(server, &watch->ticket) == NULL || fan_message_read(server, &status, watch->id) != 0)
		return false;
	fan_ticket_notify(server, &watch->ticket, "message", describe(&status));
	return !fan_message_has_ended(&status);
}

void
fan_watches_notify(struct fan_server *server)
{
	unsigned left = 0;

	if (server->now_ms - server->watched_ms < FAN_SERVER_PROGRESS_MS && server->stops == 0)
		return;
	server->watched_ms = server->now_ms;
	for (unsigned i = 0; i < server->watch_count; i++)
		if (notify(server, &server->watches[i]))
			server->watches[left++] = server->watches[i];
	server->watch_count = left;
}

const struct fan_method fan_message_methods[] = {
	{ "message.list", FAN_ROLE_READ, FAN_LOADED, run_list },
	{ "message.show", FAN_ROLE_READ, FAN_LOADED, run_show },
	{ "message.find", FAN_ROLE_READ, FAN_LOADED, run_find },
	{ "message.cancel", FAN_ROLE_SEND, FAN_LOADED, run_cancel },
	{ "message.not_served", FAN_ROLE_READ, FAN_LOADED, run_not_served },
	{ "message.watch", FAN_ROLE_READ, FAN_LOADED, run_watch },
	{ .name = NULL },
};
