/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MBS group message delivery (TS 29.522 5.32): its unicast leg. Fanfare sends to each member of the group whatever the areas: a UE's
 * whereabouts are the core's. A delivery may begin later; what is not sent by its end is not sent.
 */
#include "delivery.h"
#include "notices.h"
#include "resources.h"

#include <string.h>

static void
key_for(char key[FAN_T8_KEY_BYTES_MAX + 1], const char *sender, const char *id)
{
	(void)snprintf(key, FAN_T8_KEY_BYTES_MAX + 1, "mbs/%s/%.64s", sender, id);
}

static void
locate(char uri[FAN_T8_URI_BYTES], const char *key)
{
	(void)snprintf(uri, FAN_T8_URI_BYTES, "3gpp-mbs-group-msg/v1/deliveries/%s", strrchr(key, '/') + 1);
}

/* It has been sent to every member. */
static bool
succeeded(const json_t *record)
{
	return strncmp(fan_t8_delivery_status(record), "SUCCESS", 7) == 0;
}

static json_t *
show(const struct fan_t8 *t8, const char *key, const json_t *record)
{
	json_t *shown = json_deep_copy(json_object_get(record, "body"));

	(void)t8;
	(void)key;
	if (fan_t8_has_ended(record))
		(void)json_object_set_new(shown, "delStatus", json_boolean(succeeded(record)));
	return shown;
}

static json_t *
tell(const struct fan_t8 *t8, const char *key, const json_t *record)
{
	(void)t8;
	(void)key;
	return json_pack("{s:b}", "delStatus", succeeded(record));
}

const struct fan_t8_api fan_t8_mbs = { "mbs", false, locate, show, tell };

/* ---- Bodies -------------------------------------------------------------------------------------------------------------------- */

static json_t *
pick(const json_t *body)
{
	static const char *const names[] = { "afId",      "extGroupId", "payload",  "mbsServArea",
					     "startTime", "endTime",    "notifUri", "servAreaWithoutMbs" };
	json_t *picked = json_object();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		json_t *value = json_object_get(body, names[i]);

		if (value != NULL && !json_is_null(value))
			(void)json_object_set(picked, names[i], value);
	}
	if (json_object_get(body, "suppFeat") != NULL)
		(void)json_object_set_new(picked, "suppFeat", json_string("0"));
	return picked;
}

static bool
check_area(struct fan_t8_call *call, const json_t *body, const char *name, bool needed)
{
	const json_t *area = json_object_get(body, name);

	if (area == NULL && needed)
		return fan_t8_problem_set(&call->problem, 400, "MANDATORY_IE_MISSING", name, "%s: is needed", name);
	return area == NULL || json_is_object(area) ||
	       fan_t8_problem_set(&call->problem, 400, "MANDATORY_IE_INCORRECT", name, "%s: takes an object", name);
}

static bool
check_times(struct fan_t8_call *call, const json_t *body, struct fan_t8_order *order)
{
	if (!fan_t8_time(body, "startTime", true, &order->start_ms, &call->problem) ||
	    !fan_t8_time(body, "endTime", true, &order->until_ms, &call->problem))
		return false;
	if (order->until_ms <= order->start_ms)
		return fan_t8_problem_set(&call->problem, 403, "OPERATION_NOT_ALLOWED", "endTime",
					  "endTime: is not after startTime");
	return order->until_ms > fan_t8_wall_ms() ||
	       fan_t8_problem_set(&call->problem, 403, "OPERATION_NOT_ALLOWED", "endTime", "endTime: is over already");
}

static bool
take_group(const json_t *body, const char **group, struct fan_t8_problem *problem)
{
	*group = json_string_value(json_object_get(body, "extGroupId"));
	return *group != NULL ||
	       fan_t8_problem_set(problem, 400, "MANDATORY_IE_MISSING", "extGroupId", "extGroupId: is needed, local@domain");
}

/* NULL: the call has a problem. */
static json_t *
make(struct fan_t8_call *call, const json_t *body)
{
	struct fan_t8_order order = { .group = true };
	const char *group = NULL;
	size_t byte_count = 0;

	if (!take_group(body, &group, &call->problem) || !check_area(call, body, "mbsServArea", true) ||
	    !check_area(call, body, "servAreaWithoutMbs", false) || !fan_t8_any_text(body, "afId", &call->problem) ||
	    !fan_t8_link(body, "notifUri", true, &order.notify, &call->problem))
		return NULL;
	order.to = group;
	/* Whom it is for comes before what it says. */
	if (fan_t8_may_address(call, "extGroupId", group, true) && fan_t8_notice_may_call(call, order.notify, "notifUri") &&
	    check_times(call, body, &order) &&
	    fan_t8_bytes(body, "payload", true, &order.base64, &byte_count, &call->problem) &&
	    byte_count > call->sender->message_bytes)
		fan_t8_problem_set(&call->problem, 403, "DATA_TOO_LARGE", "payload", "payload: has %zu octets, the most is %lu",
				   byte_count, call->sender->message_bytes);
	return call->problem.status == 0 ? fan_t8_delivery_make(call, &fan_t8_mbs, pick(body), &order) : NULL;
}

/* ---- Methods ------------------------------------------------------------------------------------------------------------------- */

struct listing {
	const struct fan_t8 *t8;
	json_t *list;
};

static int
list_one(void *user, const char *key, json_t *record)
{
	struct listing *listing = user;

	if (!fan_t8_has_ended(record))
		(void)json_array_append_new(listing->list, show(listing->t8, key, record));
	return 0;
}

void
fan_t8_mbs_list(struct fan_t8_call *call)
{
	struct listing listing = { call->t8, json_array() };
	char begins[FAN_T8_KEY_BYTES_MAX + 1];

	key_for(begins, call->sender->name, "");
	(void)fan_t8_records_each(call->t8->records, begins, list_one, &listing);
	fan_t8_answer(call->request, 200, listing.list, NULL);
}

void
fan_t8_mbs_create(struct fan_t8_call *call)
{
	char key[FAN_T8_KEY_BYTES_MAX + 1], id[FAN_T8_ID_BYTES];
	json_t *record = make(call, call->body);

	if (record == NULL) {
		fan_t8_refuse(call);
		return;
	}
	fan_t8_make_id(id);
	key_for(key, call->sender->name, id);
	fan_t8_delivery_create_once(call, &fan_t8_mbs, key, record);
}

static bool
key_of(struct fan_t8_call *call, char key[FAN_T8_KEY_BYTES_MAX + 1])
{
	key_for(key, call->sender->name, call->ids[0]);
	if (strlen(call->ids[0]) <= 64)
		return true;
	fan_t8_problem_set(&call->problem, 404, "RESOURCE_NOT_FOUND", NULL, "there is no such delivery");
	fan_t8_refuse(call);
	return false;
}

void
fan_t8_mbs_show(struct fan_t8_call *call)
{
	char key[FAN_T8_KEY_BYTES_MAX + 1];

	if (key_of(call, key))
		fan_t8_delivery_show(call, &fan_t8_mbs, key);
}

/* JSON merge patch (RFC 7396) of what may change. */
static json_t *
merge(const json_t *body, const json_t *patch)
{
	static const char *const names[] = { "payload", "mbsServArea", "startTime", "endTime", "notifUri" };
	json_t *merged = json_deep_copy(body);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		json_t *value = json_object_get(patch, names[i]);

		if (json_is_null(value))
			(void)json_object_del(merged, names[i]);
		else if (value != NULL)
			(void)json_object_set(merged, names[i], value);
	}
	return merged;
}

void
fan_t8_mbs_change(struct fan_t8_call *call)
{
	char key[FAN_T8_KEY_BYTES_MAX + 1];
	json_t *record, *merged, *next;

	if (!key_of(call, key))
		return;
	record = fan_t8_delivery_record(call->t8, key);
	if (record == NULL) {
		fan_t8_problem_set(&call->problem, 404, "RESOURCE_NOT_FOUND", NULL, "there is no such delivery");
		fan_t8_refuse(call);
		return;
	}
	merged = merge(json_object_get(record, "body"), call->body);
	next = make(call, merged);
	if (next == NULL)
		fan_t8_refuse(call);
	else
		fan_t8_delivery_replace(call, &fan_t8_mbs, key, next);
	json_decref(merged);
	json_decref(record);
}

void
fan_t8_mbs_delete(struct fan_t8_call *call)
{
	char key[FAN_T8_KEY_BYTES_MAX + 1];

	if (key_of(call, key))
		fan_t8_delivery_delete(call, &fan_t8_mbs, key, 204);
}
