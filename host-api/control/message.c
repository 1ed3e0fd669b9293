/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define AT(struct_name, field) offsetof(struct struct_name, field)

static bool
has_ended(const struct fan_message_status *status)
{
	return status->state != FAN_MESSAGE_ACCEPTED && status->state != FAN_MESSAGE_SENDING;
}

static int
read_status(const struct fan_server *server, struct fan_message_status *status, fan_message_id id)
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

/* Without what each profile had, which would be too long in a list. */
static json_t *
describe_briefly(const struct fan_message_status *status)
{
	json_t *object = json_pack("{s:I, s:s, s:s, s:b, s:i, s:I}", "id", (json_int_t)status->id, "state",
				   fan_message_state_name(status->state), "gid", status->gid, "durable", status->durable,
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
	(void)json_object_set_new(object, "ended", json_boolean(has_ended(status)));
	json_decref(names);
	json_decref(times);
	json_decref(result);
	return object;
}

static json_t *
describe(const struct fan_message_status *status)
{
	json_t *object = describe_briefly(status), *profiles = json_object();

	for (int i = 0; i < FAN_PROFILE_COUNT; i++)
		if (status->profile[i].created > 0)
			(void)json_object_set_new(profiles, fan_profile_name((enum fan_profile)i),
						  describe_result(&status->profile[i]));
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

	return error != 0 ? error : read_status(request->server, status, (fan_message_id)values.id);
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
		error = read_status(request->server, &status, id);
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

		if (read_status(request->server, &status, id) == 0)
			(void)json_array_append_new(messages, describe_briefly(&status));
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
	if (!has_ended(&status) && server->watch_count == FAN_SERVER_WATCHES_MAX)
		return fan_fail(FAN_E_BUSY, "%d messages are watched: try again when some have ended", FAN_SERVER_WATCHES_MAX);
	if (!has_ended(&status))
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

	if (fan_ticket_client(server, &watch->ticket) == NULL || read_status(server, &status, watch->id) != 0)
		return false;
	fan_ticket_notify(server, &watch->ticket, "message", describe(&status));
	return !has_ended(&status);
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

/* ---- Sending ----------------------------------------------------------------------------------------------------------- */

struct sending {
	const char *gid, *text, *message, *reference, *coding, *originator, *service_centre, *source_ipv4;
	int64_t priority, valid_for_ms, application_port, timestamp_s, sdap_qfi, source_port, destination_port;
	bool device_trigger, raw;
};

static const struct fan_param send_params[] = {
	{ "gid", FAN_PARAM_TEXT, true, 1, 255, AT(sending, gid) },
	{ "text", FAN_PARAM_TEXT, false, 1, FAN_CONTROL_LINE_BYTES_MAX, AT(sending, text) },
	{ "message", FAN_PARAM_TEXT, false, 1, FAN_CONTROL_LINE_BYTES_MAX, AT(sending, message) },
	{ "reference", FAN_PARAM_TEXT, false, 1, FAN_REFERENCE_BYTES - 1, AT(sending, reference) },
	{ "priority", FAN_PARAM_NUMBER, false, 0, 7, AT(sending, priority) },
	{ "valid_for_ms", FAN_PARAM_NUMBER, false, 0, UINT32_MAX, AT(sending, valid_for_ms) },
	{ "coding", FAN_PARAM_TEXT, false, 1, 8, AT(sending, coding) },
	{ "originator", FAN_PARAM_TEXT, false, 1, 32, AT(sending, originator) },
	{ "service_centre", FAN_PARAM_TEXT, false, 1, 32, AT(sending, service_centre) },
	{ "device_trigger", FAN_PARAM_BOOLEAN, false, 0, 0, AT(sending, device_trigger) },
	{ "application_port", FAN_PARAM_NUMBER, false, 0, UINT16_MAX, AT(sending, application_port) },
	{ "timestamp_s", FAN_PARAM_NUMBER, false, 0, 4102444799, AT(sending, timestamp_s) },
	{ "raw", FAN_PARAM_BOOLEAN, false, 0, 0, AT(sending, raw) },
	{ "sdap_qfi", FAN_PARAM_NUMBER, false, -1, 63, AT(sending, sdap_qfi) },
	{ "source_ipv4", FAN_PARAM_TEXT, false, 7, 15, AT(sending, source_ipv4) },
	{ "source_port", FAN_PARAM_NUMBER, false, 0, UINT16_MAX, AT(sending, source_port) },
	{ "destination_port", FAN_PARAM_NUMBER, false, 0, UINT16_MAX, AT(sending, destination_port) },
};

static int
read_coding(struct fan_message *message, const char *name)
{
	static const char *const names[] = { "auto", "gsm7", "ucs2", "8bit" };

	for (unsigned i = 0; i < COUNT_OF(names); i++) {
		if (name != NULL && strcmp(names[i], name) != 0)
			continue;
		message->coding = (enum fan_coding)i;
		return 0;
	}
	return fan_fail(FAN_E_INVALID, "coding: takes auto, gsm7, ucs2 or 8bit");
}

/* The octets of a message, in room for FAN_CONTROL_LINE_BYTES_MAX. Returns how many, or an error. */
static int
read_octets(uint8_t *octets, const struct sending *values)
{
	const char *base64 = values->message;
	size_t base64_bytes;
	int byte_count;

	if ((values->text == NULL) == (base64 == NULL))
		return fan_fail(FAN_E_INVALID, "text or message (octets in base64): give one of the two");
	if (values->text != NULL) {
		memcpy(octets, values->text, strlen(values->text));
		return (int)strlen(values->text);
	}
	base64_bytes = strlen(base64);
	byte_count = EVP_DecodeBlock(octets, (const unsigned char *)base64, (int)base64_bytes);
	if (byte_count <= 0 || base64_bytes % 4 != 0)
		return fan_fail(FAN_E_INVALID, "message: takes octets in base64 (RFC 4648, with its padding)");
	/* OpenSSL counts what padding stands for. */
	return byte_count - (base64[base64_bytes - 1] == '=') - (base64[base64_bytes - 2] == '=');
}

static int
fill_message(struct fan_message *message, const struct fan_configuration *configuration, const struct sending *values)
{
	message->reference = values->reference;
	message->priority = (uint8_t)values->priority;
	message->valid_for_ms = (uint32_t)values->valid_for_ms;
	message->originator = values->originator != NULL ? values->originator : configuration->sms.originator;
	message->service_centre = values->service_centre != NULL ? values->service_centre : configuration->sms.service_centre;
	message->device_trigger = values->device_trigger;
	message->application_port = (uint16_t)values->application_port;
	message->timestamp_s = values->timestamp_s;
	message->raw = values->raw;
	message->sdap_qfi = (int)values->sdap_qfi;
	message->source_port = (uint16_t)values->source_port;
	message->destination_port = (uint16_t)values->destination_port;
	if (values->source_ipv4 != NULL && inet_pton(AF_INET, values->source_ipv4, message->source_ipv4) != 1)
		return fan_fail(FAN_E_INVALID, "source_ipv4: takes an IPv4 address");
	return read_coding(message, values->coding);
}

static int
reserve_send(struct fan_server *server)
{
	const unsigned room = server->send_room == 0 ? 64 : 2 * server->send_room;
	struct fan_sent *sends;

	if (server->send_count < server->send_room)
		return 0;
	sends = reallocarray(server->sends, room, sizeof(*sends));
	if (sends == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for a message");
	server->sends = sends;
	server->send_room = room;
	return 0;
}

/* The answer waits for the end of the turn. In: room that was made for it. */
static int
answer_later(struct fan_request *request, fan_message_id id, bool repeated)
{
	struct fan_server *server = request->server;

	server->sends[server->send_count++] = (struct fan_sent){ .ticket = fan_ticket_take(request),
								 .id = id,
								 .repeated = repeated };
	return FAN_LATER;
}

static json_t *
describe_sent(fan_message_id id, bool repeated)
{
	json_t *object = json_pack("{s:I}", "id", (json_int_t)id);

	if (repeated)
		(void)json_object_set_new(object, "repeated", json_true());
	return object;
}

/* It was sent before: in this turn, and is not durable, or in another. */
static int
repeat(struct fan_request *request, fan_message_id id)
{
	struct fan_message_status status;
	const int error = read_status(request->server, &status, id);

	if (error != 0)
		return error;
	if (!status.durable && !has_ended(&status))
		return answer_later(request, id, true);
	request->result = describe_sent(id, true);
	return 0;
}

/* In: message, ready. */
static int
send_it(struct fan_request *request, const char *gid, const struct fan_message *message)
{
	struct fan_server *server = request->server;
	struct fan_group *group;
	fan_message_id id = 0;
	int error = reserve_send(server);

	if (error == 0 && message->reference != NULL && fan_message_find(server->fanfare, &id, message->reference) == 0)
		return repeat(request, id);
	group = fan_group_find(server->fanfare, gid);
	if (error == 0 && group == NULL)
		error = FAN_E_NOT_FOUND;
	if (error == 0)
		error = fan_send(server->fanfare, &id, group, message, NULL, NULL);
	return error != 0 ? error : answer_later(request, id, false);
}

static int
run_send(struct fan_request *request)
{
	static uint8_t octets[FAN_CONTROL_LINE_BYTES_MAX];
	struct sending values = { .sdap_qfi = -1 };
	struct fan_message message;
	int error = fan_request_params(request, &values, send_params, COUNT_OF(send_params));
	const int byte_count = error != 0 ? error : read_octets(octets, &values);

	if (byte_count < 0)
		return byte_count;
	fan_message_init(&message, octets, (size_t)byte_count);
	error = fill_message(&message, &request->server->configuration, &values);
	return error != 0 ? error : send_it(request, values.gid, &message);
}

void
fan_sends_answer(struct fan_server *server)
{
	const int error = server->send_count > 0 ? fan_sync(server->fanfare) : 0;
	char detail[FAN_ERROR_BYTES];

	(void)snprintf(detail, sizeof(detail), "%s", fan_error_detail());
	for (unsigned i = 0; i < server->send_count; i++) {
		struct fan_sent *sent = &server->sends[i];

		/* What is answered by an error must not be sent after all. */
		if (error != 0 && !sent->repeated)
			(void)fan_message_cancel(server->fanfare, sent->id);
		if (error != 0)
			fan_error_record("%s", detail);
		fan_ticket_answer(server, &sent->ticket, error, describe_sent(sent->id, sent->repeated));
	}
	server->send_count = 0;
}

const struct fan_method fan_message_methods[] = {
	{ "send", FAN_ROLE_SEND, FAN_AFTER_BATCH, run_send },
	{ "message.list", FAN_ROLE_READ, FAN_LOADED, run_list },
	{ "message.show", FAN_ROLE_READ, FAN_LOADED, run_show },
	{ "message.find", FAN_ROLE_READ, FAN_LOADED, run_find },
	{ "message.cancel", FAN_ROLE_SEND, FAN_LOADED, run_cancel },
	{ "message.not_served", FAN_ROLE_READ, FAN_LOADED, run_not_served },
	{ "message.watch", FAN_ROLE_READ, FAN_LOADED, run_watch },
	{ .name = NULL },
};
