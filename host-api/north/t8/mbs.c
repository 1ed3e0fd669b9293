/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MBS group message delivery (TS 29.522 5.32): its unicast leg. Fanfare sends to each member of the group whatever the areas: a UE's
 * whereabouts are the core's. A delivery may begin later; what is not sent by its end is not sent.
 */
#include "delivery.h"
#include "notices.h"
#include "resources.h"

#include <string.h>

/* What the keys of a sender's deliveries begin with. */
static void
begin_key(char begins[FAN_T8_KEY_BYTES_MAX + 1], const struct fan_t8_call *call)
{
	(void)snprintf(begins, FAN_T8_KEY_BYTES_MAX + 1, "mbs/%s/", call->sender->name);
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
	static const char *const names[] = { "afId",     "extGroupId",         "payload", "mbsServArea", "startTime", "endTime",
					     "notifUri", "servAreaWithoutMbs", NULL };
	json_t *picked = fan_t8_pick(body, names);

	if (json_object_get(body, "suppFeat") != NULL)
		(void)json_object_set_new(picked, "suppFeat", json_string("0"));
	return picked;
}

/* How many of these lists an area has; -1: one of them is no list, or has nothing in it. In: names, ended by NULL. */
static int
count_lists(const json_t *area, const char *const *names)
{
	int count = 0;

	for (; *names != NULL; names++) {
		const json_t *list = json_object_get(area, *names);

		if (list != NULL && json_array_size(list) == 0)
			return -1;
		count += list != NULL;
	}
	return count;
}

/* MbsServArea: cells and tracking areas, or geographic areas, or addresses. What is in the lists is the core's business. */
static bool
is_area(const json_t *area)
{
	static const char *const cells[] = { "ncgiList", "taiList", NULL }, *const further[] = { "intendedServAreaList", NULL },
				 *const places[] = { "geographicAreaList", "civicAddressList", NULL };
	const bool by_cells = count_lists(area, cells) > 0 && count_lists(area, further) >= 0;

	return json_is_object(area) && by_cells != (count_lists(area, places) == 1);
}

static bool
check_area(struct fan_t8_call *call, const json_t *body, const char *name, bool needed)
{
	const json_t *area = json_object_get(body, name);

	if (area == NULL && needed)
		return fan_t8_problem_set(&call->problem, 400, "MANDATORY_IE_MISSING", name, "%s: is needed", name);
	return area == NULL || is_area(area) ||
	       fan_t8_problem_set(&call->problem, 400, "MANDATORY_IE_INCORRECT", name,
				  "%s: takes ncgiList and taiList, or geographicAreaList, or civicAddressList", name);
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
	return order->until_ms > fan_clock_ms(CLOCK_REALTIME) ||
	       fan_t8_problem_set(&call->problem, 403, "OPERATION_NOT_ALLOWED", "endTime", "endTime: is over already");
}

static bool
take_group(const json_t *body, const char **group, struct fan_t8_problem *problem)
{
	const json_t *value = json_object_get(body, "extGroupId");

	if (!json_is_string(value))
		return fan_t8_problem_set(problem, 400, "MANDATORY_IE_MISSING", "extGroupId",
					  "extGroupId: is needed, local@domain");
	return fan_t8_name(value, "extGroupId", group, problem);
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
	    check_times(call, body, &order) && fan_t8_bytes(body, "payload", true, &order.base64, &byte_count, &call->problem))
		(void)fan_t8_may_have_size(call, "payload", byte_count);
	return call->problem.status == 0 ? fan_t8_delivery_make(call, &fan_t8_mbs, pick(body), &order) : NULL;
}

/* ---- Methods ------------------------------------------------------------------------------------------------------------------- */

void
fan_t8_mbs_list(struct fan_t8_call *call)
{
	char begins[FAN_T8_KEY_BYTES_MAX + 1];

	begin_key(begins, call);
	fan_t8_deliveries_list(call, &fan_t8_mbs, begins);
}

void
fan_t8_mbs_create(struct fan_t8_call *call)
{
	char begins[FAN_T8_KEY_BYTES_MAX + 1];

	begin_key(begins, call);
	fan_t8_delivery_create_once(call, &fan_t8_mbs, begins, make(call, call->body));
}

/* False: no id of ours looks so, and the call is answered. */
static bool
key_of(struct fan_t8_call *call, char key[FAN_T8_KEY_BYTES_MAX + 1])
{
	char begins[FAN_T8_KEY_BYTES_MAX + 1];

	begin_key(begins, call);
	if (fan_t8_delivery_key(call, key, begins, call->ids[0], "delivery"))
		return true;
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

void
fan_t8_mbs_change(struct fan_t8_call *call)
{
	static const char *const changeable[] = { "payload", "mbsServArea", "startTime", "endTime", "notifUri", NULL };
	char key[FAN_T8_KEY_BYTES_MAX + 1];
	json_t *patched;

	if (!key_of(call, key))
		return;
	patched = fan_t8_delivery_patched(call, key, changeable, "delivery");
	fan_t8_delivery_replace(call, &fan_t8_mbs, key, patched != NULL ? make(call, patched) : NULL);
	json_decref(patched);
}

void
fan_t8_mbs_delete(struct fan_t8_call *call)
{
	char key[FAN_T8_KEY_BYTES_MAX + 1];

	if (key_of(call, key))
		fan_t8_delivery_delete(call, &fan_t8_mbs, key, 204);
}
