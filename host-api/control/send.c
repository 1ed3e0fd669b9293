/* SPDX-License-Identifier: BSD-3-Clause */
#include "../../dataplane/context/clock.h"
#include "../../dataplane/context/profile.h"
#include "daemon.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define AT(struct_name, field) offsetof(struct struct_name, field)

struct sending {
	const char *gid, *identity, *profile, *text, *message, *sender, *reference, *traceparent, *coding, *originator,
		*service_centre, *source_ipv4;
	int64_t priority, valid_for_ms, application_port, timestamp_s, sdap_qfi, source_port, destination_port;
	bool device_trigger, raw;
};

static const struct fan_param send_params[] = {
	{ "gid", FAN_PARAM_TEXT, false, 1, 255, AT(sending, gid) },
	{ "identity", FAN_PARAM_TEXT, false, 5, FAN_IDENTITY_BYTES - 1, AT(sending, identity) },
	{ "profile", FAN_PARAM_TEXT, false, 1, 32, AT(sending, profile) },
	{ "text", FAN_PARAM_TEXT, false, 1, FAN_CONTROL_LINE_BYTES_MAX, AT(sending, text) },
	{ "message", FAN_PARAM_TEXT, false, 1, FAN_CONTROL_LINE_BYTES_MAX, AT(sending, message) },
	{ "sender", FAN_PARAM_TEXT, false, 1, 255, AT(sending, sender) },
	{ "reference", FAN_PARAM_TEXT, false, 1, FAN_REFERENCE_BYTES - 1, AT(sending, reference) },
	{ "traceparent", FAN_PARAM_TEXT, false, 55, 55, AT(sending, traceparent) },
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
	const int error = fan_message_read(request->server, &status, id);

	if (error != 0)
		return error;
	if (!status.durable && !fan_message_has_ended(&status))
		return answer_later(request, id, true);
	request->result = describe_sent(id, true);
	return 0;
}

/* Whether a message to one UE may take a profile: the one that is named; else those of its capabilities, of which a device trigger, which is a
 * short message, takes no others. */
static bool
may_take(const struct sending *values, const struct fan_ue_status *status, enum fan_profile profile)
{
	if (fan_profile_kind(profile) != status->kind)
		return false;
	if (values->profile != NULL)
		return strcmp(fan_profile_name(profile), values->profile) == 0;
	return (status->capabilities >> profile & 1) != 0 && (!values->device_trigger || fan_profile_is_sms(profile));
}

static int
refuse_contexts(const struct sending *values)
{
	if (values->profile != NULL)
		return fan_fail(FAN_E_INVALID, "%.127s: has no context of the kind of %s", values->identity, values->profile);
	if (values->device_trigger)
		return fan_fail(FAN_E_INVALID,
				"%.127s: is reached by no short message, which a device trigger is: name a profile for it",
				values->identity);
	return fan_fail(FAN_E_INVALID, "%.127s: its capabilities name no profile of its kind: name one", values->identity);
}

/* One of a UE's contexts and its profile: a reachable one before others, and then the lowest profile, so that NAS goes before bearers. */
static int
choose_context(struct fan_server *server, fan_context_id *id, enum fan_profile *profile, const struct sending *values)
{
	fan_context_id ids[FAN_CONTEXTS_OF_ONE_MAX];
	const int count = fan_contexts_find(server, ids, values->identity);
	unsigned best = 2 * FAN_PROFILE_COUNT;

	for (int i = 0; i < count; i++) {
		struct fan_ue_status status;
		int error;

		fan_ue_status_init(&status);
		error = fan_ue_status(server->fanfare, &status, ids[i]);
		if (error != 0)
			return error;
		for (unsigned at = 0; at < FAN_PROFILE_COUNT; at++) {
			const unsigned rank = at + (status.reachable ? 0 : FAN_PROFILE_COUNT);

			if (rank >= best || !may_take(values, &status, (enum fan_profile)at))
				continue;
			best = rank;
			*id = ids[i];
			*profile = (enum fan_profile)at;
		}
	}
	return count < 0 ? count : best < 2 * FAN_PROFILE_COUNT ? 0 : refuse_contexts(values);
}

static int
send_to_ue(struct fan_server *server, fan_message_id *id, const struct sending *values, const struct fan_message *message)
{
	fan_context_id context = 0;
	enum fan_profile profile = FAN_PROFILE_EPS_NAS_NIDD;
	const int error = choose_context(server, &context, &profile, values);

	return error != 0 ? error : fan_send_to_ue(server->fanfare, id, context, profile, message, NULL, NULL);
}

int
fan_request_judge(struct fan_request *request, struct fan_access_rule **rule, struct fan_access_question *question)
{
	const time_t now = time(NULL);
	struct tm local;
	int error;

	question->user = request->client->user;
	question->groups = request->client->groups;
	question->group_count = request->client->group_count;
	question->local = localtime_r(&now, &local);
	question->now_ns = (int64_t)fan_clock_ns(CLOCK_MONOTONIC);
	error = fan_access_judge(&request->server->configuration.access, rule, question);
	question->local = NULL;
	if (error == FAN_E_INVALID)
		request->code = FAN_CONTROL_FORBIDDEN;
	return error;
}

/* Whether the rules of access let this one send it. In: group, NULL: to one UE. Out: *rule, to be charged for it. */
static int
judge(struct fan_request *request, struct fan_access_rule **rule, const struct fan_group *group, const struct sending *values,
      const struct fan_message *message)
{
	return fan_request_judge(request, rule,
				 &(struct fan_access_question){ .sender = values->sender,
								.gid = group != NULL ? fan_group_gid(group) : NULL,
								.identity = values->identity,
								.octet_count = message->byte_count,
								.priority = message->priority });
}

/* In: message, ready. */
static int
send_it(struct fan_request *request, const struct sending *values, const struct fan_message *message)
{
	struct fan_server *server = request->server;
	struct fan_access_rule *rule = NULL;
	struct fan_group *group = NULL;
	fan_message_id id = 0;
	int error = reserve_send(server);

	if (error == 0 && message->reference != NULL && fan_message_find(server->fanfare, &id, message->reference) == 0)
		return repeat(request, id);
	if (values->gid != NULL)
		group = fan_request_find_group(request, &error, values->gid);
	if (error == 0)
		error = judge(request, &rule, group, values, message);
	if (error == 0)
		error = group != NULL ? fan_send(server->fanfare, &id, group, message, NULL, NULL)
				      : send_to_ue(server, &id, values, message);
	if (error != 0)
		return error;
	fan_access_charge(rule, (int64_t)fan_clock_ns(CLOCK_MONOTONIC));
	return answer_later(request, id, false);
}

static int
check_addressee(const struct sending *values)
{
	if ((values->gid == NULL) == (values->identity == NULL))
		return fan_fail(FAN_E_INVALID, "gid or identity (of one UE): give one of the two");
	if (values->profile == NULL)
		return 0;
	if (values->gid != NULL)
		return fan_fail(FAN_E_INVALID, "profile: goes with identity; members of a group have theirs");
	return fan_profile_find(values->profile) >= 0
		       ? 0
		       : fan_fail(FAN_E_INVALID, "profile %.32s: there is none of this name", values->profile);
}

/* It is kept in the audit's record alone, where it leads from a sender's trace to a message (W3C Trace Context, 3.2). */
static int
check_trace(const char *traceparent)
{
	static const char form[] = "00-________________________________-________________-__";

	for (size_t i = 0; traceparent != NULL && i < sizeof(form) - 1; i++)
		if (form[i] == '_' ? strchr("0123456789abcdef", traceparent[i]) == NULL : traceparent[i] != form[i])
			return fan_fail(FAN_E_INVALID, "traceparent: takes 00-TRACE-PARENT-FLAGS of 32, 16 and 2 hex digits");
	return 0;
}

static int
run_send(struct fan_request *request)
{
	static uint8_t octets[FAN_CONTROL_LINE_BYTES_MAX];
	struct sending values = { .sdap_qfi = -1 };
	struct fan_message message;
	int error = fan_request_params(request, &values, send_params, COUNT_OF(send_params)), byte_count;

	if (error == 0)
		error = check_addressee(&values);
	if (error == 0)
		error = check_trace(values.traceparent);
	byte_count = error != 0 ? error : read_octets(octets, &values);
	if (byte_count < 0)
		return byte_count;
	fan_message_init(&message, octets, (size_t)byte_count);
	error = fill_message(&message, &request->server->configuration, &values);
	return error != 0 ? error : send_it(request, &values, &message);
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

const struct fan_method fan_send_methods[] = {
	{ "send", FAN_ROLE_SEND, FAN_AFTER_BATCH, run_send },
	{ .name = NULL },
};
