/* SPDX-License-Identifier: BSD-3-Clause */
/* Device triggering (TS 29.122 5.7): a short message to an application of one UE. DELETE recalls it, PUT replaces it. */
#include "delivery.h"
#include "notices.h"
#include "resources.h"

#include <string.h>

#define PRIORITY_OF_PRIORITY 4

/* What the keys of a sender's triggers begin with. */
static void
begin_key(char begins[FAN_T8_KEY_BYTES_MAX + 1], const struct fan_t8_call *call)
{
	(void)snprintf(begins, FAN_T8_KEY_BYTES_MAX + 1, "trigger/%s/", call->sender->name);
}

static void
locate(char uri[FAN_T8_URI_BYTES], const char *key)
{
	const char *sender = strchr(key, '/') + 1, *id = strchr(sender, '/') + 1;

	(void)snprintf(uri, FAN_T8_URI_BYTES, "3gpp-device-triggering/v1/%.*s/transactions/%s", (int)(id - 1 - sender), sender,
		       id);
}

/* DeliveryResult. That a trigger was sent says nothing of its reception. */
static const char *
result_of(const json_t *record)
{
	const char *outcome = json_string_value(json_object_get(record, "outcome"));
	const char *status = fan_t8_delivery_status(record);

	if (outcome != NULL && strcmp(outcome, "cancelled") == 0)
		return "TERMINATE";
	if (!fan_t8_has_ended(record))
		return json_is_true(json_object_get(record, "replaces")) ? "REPLACED" : "TRIGGERED";
	if (strcmp(status, "FAILURE_TIMEOUT") == 0)
		return "EXPIRED";
	if (strncmp(status, "SUCCESS", 7) == 0)
		return "UNCONFIRMED";
	return strcmp(status, "FAILURE") == 0 && outcome != NULL && strcmp(outcome, "unknown") != 0 ? "FAILURE" : "UNKNOWN";
}

static json_t *
show(const struct fan_t8 *t8, const char *key, const json_t *record)
{
	json_t *shown = json_deep_copy(json_object_get(record, "body"));
	char uri[FAN_T8_URI_BYTES];

	fan_t8_delivery_uri(t8, &fan_t8_trigger, uri, key);
	(void)json_object_set_new(shown, "self", json_string(uri));
	(void)json_object_set_new(shown, "deliveryResult", json_string(result_of(record)));
	return shown;
}

static json_t *
tell(const struct fan_t8 *t8, const char *key, const json_t *record)
{
	char uri[FAN_T8_URI_BYTES];

	fan_t8_delivery_uri(t8, &fan_t8_trigger, uri, key);
	return json_pack("{s:s, s:s}", "transaction", uri, "result", result_of(record));
}

const struct fan_t8_api fan_t8_trigger = { "trigger", false, locate, show, tell };

/* ---- Bodies -------------------------------------------------------------------------------------------------------------------- */

static json_t *
pick(const json_t *body)
{
	static const char *const names[] = {
		"externalId",   "msisdn",         "validityPeriod",          "priority", "applicationPortId",
		"appSrcPortId", "triggerPayload", "notificationDestination", NULL
	};
	json_t *picked = fan_t8_pick(body, names);

	if (json_object_get(body, "supportedFeatures") != NULL)
		(void)json_object_set_new(picked, "supportedFeatures", json_string("0"));
	return picked;
}

/* An open enumeration. */
static bool
take_priority(const json_t *body, const char **priority, struct fan_t8_problem *problem)
{
	*priority = json_string_value(json_object_get(body, "priority"));
	return *priority != NULL || fan_t8_problem_set(problem, 400, "MANDATORY_IE_INCORRECT", "priority",
						       "priority: is needed, NO_PRIORITY or PRIORITY");
}

static bool
check(struct fan_t8_call *call, const json_t *body, struct fan_t8_order *order, json_int_t *port)
{
	const char *name = NULL, *priority = NULL;
	json_int_t validity_s = 0, source = 0;
	size_t byte_count = 0;

	if (!fan_t8_whom(body, false, &name, &order->to, &call->problem) ||
	    !fan_t8_link(body, "notificationDestination", true, &order->notify, &call->problem) ||
	    !fan_t8_number(body, "validityPeriod", true, 0, INT64_MAX, &validity_s, &call->problem) ||
	    !fan_t8_number(body, "applicationPortId", true, 0, 65535, port, &call->problem) ||
	    !take_priority(body, &priority, &call->problem))
		return false;
	(void)fan_t8_number(body, "appSrcPortId", false, 0, 65535, &source, &call->problem);
	/* Whom it is for comes before what it says. */
	if (call->problem.status != 0 || !fan_t8_may_address(call, name, order->to, false))
		return false;
	if (!fan_t8_notice_may_call(call, order->notify, "notificationDestination") ||
	    !fan_t8_bytes(body, "triggerPayload", true, &order->base64, &byte_count, &call->problem) ||
	    !fan_t8_may_have_size(call, "triggerPayload", byte_count))
		return false;
	order->priority = strcmp(priority, "PRIORITY") == 0 ? PRIORITY_OF_PRIORITY : 0;
	order->until_ms = fan_t8_until_ms(validity_s);
	return true;
}

/* NULL: the call has a problem. */
static json_t *
make(struct fan_t8_call *call, const json_t *body)
{
	struct fan_t8_order order = { .group = false };
	json_int_t port = 0;
	json_t *record, *params;

	if (!check(call, body, &order, &port))
		return NULL;
	record = fan_t8_delivery_make(call, &fan_t8_trigger, pick(body), &order);
	params = json_object_get(record, "params");
	(void)json_object_set_new(params, "device_trigger", json_true());
	(void)json_object_set_new(params, "application_port", json_integer(port));
	/* Octets for an application: also those that would pass for a text arrive as they are. */
	(void)json_object_set_new(params, "coding", json_string("8bit"));
	return record;
}

/* ---- Methods ------------------------------------------------------------------------------------------------------------------- */

void
fan_t8_trigger_list(struct fan_t8_call *call)
{
	char begins[FAN_T8_KEY_BYTES_MAX + 1];

	begin_key(begins, call);
	fan_t8_deliveries_list(call, &fan_t8_trigger, begins);
}

void
fan_t8_trigger_create(struct fan_t8_call *call)
{
	char begins[FAN_T8_KEY_BYTES_MAX + 1];

	begin_key(begins, call);
	fan_t8_delivery_create_once(call, &fan_t8_trigger, begins, make(call, call->body));
}

/* False: no id of ours looks so, and the call is answered. */
static bool
key_of(struct fan_t8_call *call, char key[FAN_T8_KEY_BYTES_MAX + 1])
{
	char begins[FAN_T8_KEY_BYTES_MAX + 1];

	begin_key(begins, call);
	if (fan_t8_delivery_key(call, key, begins, call->ids[1], "transaction"))
		return true;
	fan_t8_refuse(call);
	return false;
}

void
fan_t8_trigger_show(struct fan_t8_call *call)
{
	char key[FAN_T8_KEY_BYTES_MAX + 1];

	if (key_of(call, key))
		fan_t8_delivery_show(call, &fan_t8_trigger, key);
}

void
fan_t8_trigger_replace(struct fan_t8_call *call)
{
	char key[FAN_T8_KEY_BYTES_MAX + 1];

	if (key_of(call, key))
		fan_t8_delivery_replace(call, &fan_t8_trigger, key, make(call, call->body));
}

/* Whom it is for is no attribute of a patch. */
void
fan_t8_trigger_change(struct fan_t8_call *call)
{
	static const char *const changeable[] = {
		"validityPeriod",          "priority", "applicationPortId", "appSrcPortId", "triggerPayload",
		"notificationDestination", NULL
	};
	char key[FAN_T8_KEY_BYTES_MAX + 1];
	json_t *patched;

	if (!key_of(call, key))
		return;
	patched = fan_t8_delivery_patched(call, key, changeable, "transaction");
	fan_t8_delivery_replace(call, &fan_t8_trigger, key, patched != NULL ? make(call, patched) : NULL);
	json_decref(patched);
}

void
fan_t8_trigger_delete(struct fan_t8_call *call)
{
	char key[FAN_T8_KEY_BYTES_MAX + 1];

	if (key_of(call, key))
		fan_t8_delivery_delete(call, &fan_t8_trigger, key, 200);
}
