/* SPDX-License-Identifier: BSD-3-Clause */
/* Non-IP data delivery (TS 29.122 5.6): configurations, and messages to their group or UE. */
#include "delivery.h"
#include "notices.h"
#include "resources.h"

#include <string.h>

#define PRIORITY_MAX 7

/* ---- Configurations -------------------------------------------------------------------------------------------------------------- */

static void
configuration_key(char key[FAN_T8_KEY_BYTES_MAX + 1], const char *sender, const char *id)
{
	(void)snprintf(key, FAN_T8_KEY_BYTES_MAX + 1, "conf/%s/%.64s", sender, id);
}

static const char *const configuration_names[] = { "mtcProviderId",
						   "externalId",
						   "msisdn",
						   "externalGroupId",
						   "duration",
						   "reliableDataService",
						   "pdnEstablishmentOption",
						   "notificationDestination",
						   NULL };
static const char *const transfer_names[] = {
	"externalId",     "msisdn",   "externalGroupId",        "data", "reliableDataService",
	"maximumLatency", "priority", "pdnEstablishmentOption", NULL
};

static json_t *
show_configuration(const struct fan_t8_call *call, const char *id, const json_t *record)
{
	json_t *shown = json_deep_copy(json_object_get(record, "body"));
	char path[FAN_T8_URI_BYTES], uri[FAN_T8_URI_BYTES];

	(void)snprintf(path, sizeof(path), "3gpp-nidd/v1/%s/configurations/%s", call->sender->name, id);
	fan_t8_make_uri(call->t8, uri, path);
	(void)json_object_set_new(shown, "self", json_string(uri));
	(void)json_object_set_new(shown, "status", json_string("ACTIVE"));
	(void)json_object_set_new(shown, "maximumPacketSize", json_integer((json_int_t)call->sender->message_bytes * 8));
	/* None of the optional features (TS 29.122 5.6.4): those of another kind of configuration are not offered. */
	if (json_object_get(json_object_get(record, "asked"), "supportedFeatures") != NULL)
		(void)json_object_set_new(shown, "supportedFeatures", json_string("0"));
	return shown;
}

static bool
check_reliable(struct fan_t8_call *call, const json_t *body, bool group)
{
	bool reliable = false;

	(void)fan_t8_flag(body, "reliableDataService", &reliable, &call->problem);
	if (group && reliable)
		return fan_t8_problem_set(&call->problem, 403, "OPERATION_NOT_ALLOWED", "reliableDataService",
					  "reliableDataService: a group's UEs acknowledge nothing by it (TS 23.682 5.5.3)");
	return call->problem.status == 0;
}

static bool
check_configuration(struct fan_t8_call *call, const json_t *body)
{
	const char *name = NULL, *id = NULL, *uri = NULL;
	int64_t until_ms = 0;
	bool group;

	if (!fan_t8_link(body, "notificationDestination", true, &uri, &call->problem) ||
	    !fan_t8_whom(body, true, &name, &id, &call->problem) || !fan_t8_any_text(body, "mtcProviderId", &call->problem) ||
	    !fan_t8_any_text(body, "pdnEstablishmentOption", &call->problem))
		return false;
	group = strcmp(name, "externalGroupId") == 0;
	if (!fan_t8_may_address(call, name, id, group))
		return false;
	if (fan_t8_time(body, "duration", false, &until_ms, &call->problem) && until_ms <= fan_clock_ms(CLOCK_REALTIME))
		return fan_t8_problem_set(&call->problem, 403, "OPERATION_NOT_ALLOWED", "duration",
					  "duration: is over already");
	if (group && json_object_get(body, "niddDownlinkDataTransfers") != NULL)
		return fan_t8_problem_set(
			&call->problem, 403, "OPERATION_NOT_ALLOWED", "niddDownlinkDataTransfers",
			"niddDownlinkDataTransfers: comes after the configuration of a group (TS 23.682 5.13.2)");
	return fan_t8_notice_may_call(call, uri, "notificationDestination") && check_reliable(call, body, group);
}

static bool
is_over(const json_t *record)
{
	struct fan_t8_problem none = { 0 };
	int64_t until_ms = INT64_MAX;

	(void)fan_t8_time(json_object_get(record, "body"), "duration", false, &until_ms, &none);
	return until_ms <= fan_clock_ms(CLOCK_REALTIME);
}

/* The configuration of a call; NULL: there is none, or no longer, and the call has a problem. The caller's. */
static json_t *
find_configuration(struct fan_t8_call *call)
{
	char key[FAN_T8_KEY_BYTES_MAX + 1];
	json_t *record;

	configuration_key(key, call->sender->name, call->ids[1]);
	record = strlen(call->ids[1]) <= FAN_T8_PATH_ID_BYTES_MAX ? fan_t8_records_get(call->t8->records, key) : NULL;
	if (record != NULL && !is_over(record))
		return record;
	json_decref(record);
	fan_t8_miss(call, "configuration");
	return NULL;
}

static bool
keep(struct fan_t8_call *call, const char *key, const json_t *record)
{
	if (!fan_t8_may_store(call, record))
		return false;
	if (fan_t8_records_put(call->t8->records, key, record) == 0)
		return true;
	call->problem.retry_after_s = 5;
	return fan_t8_problem_set(&call->problem, 503, "NF_CONGESTION", NULL, "%s", fan_error_detail());
}

struct listing {
	const struct fan_t8_call *call;
	json_t *list;
};

static int
list_configuration(void *user, const char *key, json_t *record)
{
	struct listing *listing = user;

	if (!is_over(record))
		(void)json_array_append_new(listing->list, show_configuration(listing->call, strrchr(key, '/') + 1, record));
	return 0;
}

void
fan_t8_nidd_list(struct fan_t8_call *call)
{
	struct listing listing = { call, json_array() };
	char begins[FAN_T8_KEY_BYTES_MAX + 1];

	configuration_key(begins, call->sender->name, "");
	(void)fan_t8_records_each(call->t8->records, begins, list_configuration, &listing);
	fan_t8_answer(call->request, 200, listing.list, NULL);
}

static json_t *make_delivery(struct fan_t8_call *call, const json_t *configuration, const json_t *body);
static void begin_key(char begins[FAN_T8_KEY_BYTES_MAX + 1], const struct fan_t8_call *call, const char *configuration);

/* Of one UE, its first message may come with it. NULL: none does, or it is wrong. */
static json_t *
first_transfer(struct fan_t8_call *call, const json_t *configuration)
{
	const json_t *list = json_object_get(call->body, "niddDownlinkDataTransfers");
	json_t *delivery;

	if (list == NULL)
		return NULL;
	if (!json_is_array(list) || json_array_size(list) != 1 || !json_is_object(json_array_get(list, 0))) {
		fan_t8_problem_set(&call->problem, 400, "MANDATORY_IE_INCORRECT", "niddDownlinkDataTransfers",
				   "niddDownlinkDataTransfers: takes one transfer");
		return NULL;
	}
	delivery = make_delivery(call, configuration, json_array_get(list, 0));
	if (delivery == NULL || fan_t8_delivery_may(call, delivery))
		return delivery;
	json_decref(delivery);
	return NULL;
}

/* A message that comes with its configuration: nobody waits for its answer. */
static void
deliver_first(struct fan_t8_call *call, const char *configuration, json_t *delivery)
{
	struct fan_t8_call silent = *call;
	char begins[FAN_T8_KEY_BYTES_MAX + 1];

	silent.request = NULL;
	begin_key(begins, call, configuration);
	fan_t8_delivery_create(&silent, &fan_t8_nidd, begins, delivery);
}

void
fan_t8_nidd_create(struct fan_t8_call *call)
{
	char id[FAN_T8_ID_BYTES], key[FAN_T8_KEY_BYTES_MAX + 1];
	json_t *record, *shown, *delivery;
	bool test = false;

	record = check_configuration(call, call->body)
			 ? json_pack("{s:o, s:{s:O*}}", "body", fan_t8_pick(call->body, configuration_names), "asked",
				     "supportedFeatures", json_object_get(call->body, "supportedFeatures"))
			 : NULL;
	delivery = record != NULL ? first_transfer(call, record) : NULL;
	fan_t8_make_id(id);
	configuration_key(key, call->sender->name, id);
	if (record == NULL || call->problem.status != 0 || !keep(call, key, record)) {
		json_decref(record);
		json_decref(delivery);
		fan_t8_refuse(call);
		return;
	}
	shown = show_configuration(call, id, record);
	if (fan_t8_flag(call->body, "requestTestNotification", &test, &call->problem) && test)
		fan_t8_notice_test(call->t8, call->sender, json_string_value(json_object_get(shown, "notificationDestination")),
				   json_string_value(json_object_get(shown, "self")));
	if (delivery != NULL)
		deliver_first(call, id, delivery);
	fan_t8_answer(call->request, 201, json_incref(shown), json_string_value(json_object_get(shown, "self")));
	json_decref(shown);
	json_decref(record);
}

void
fan_t8_nidd_show(struct fan_t8_call *call)
{
	json_t *record = find_configuration(call);

	if (record == NULL)
		fan_t8_refuse(call);
	else
		fan_t8_answer(call->request, 200, show_configuration(call, call->ids[1], record), NULL);
	json_decref(record);
}

void
fan_t8_nidd_change(struct fan_t8_call *call)
{
	static const char *const changeable[] = { "duration", "reliableDataService", "pdnEstablishmentOption",
						  "notificationDestination", NULL };
	char key[FAN_T8_KEY_BYTES_MAX + 1];
	json_t *record = find_configuration(call);

	if (record != NULL) {
		configuration_key(key, call->sender->name, call->ids[1]);
		(void)json_object_set_new(record, "body",
					  fan_t8_merge(json_object_get(record, "body"), call->body, changeable));
	}
	if (record == NULL || !check_configuration(call, json_object_get(record, "body")) || !keep(call, key, record))
		fan_t8_refuse(call);
	else
		fan_t8_answer(call->request, 200, show_configuration(call, call->ids[1], record), NULL);
	json_decref(record);
}

/* ---- Deliveries -------------------------------------------------------------------------------------------------------------------- */

/* What the keys of a configuration's deliveries begin with. */
static void
begin_key(char begins[FAN_T8_KEY_BYTES_MAX + 1], const struct fan_t8_call *call, const char *configuration)
{
	(void)snprintf(begins, FAN_T8_KEY_BYTES_MAX + 1, "nidd/%s/%.64s/", call->sender->name, configuration);
}

/* nidd/SENDER/CONFIGURATION/ID */
static void
locate(char uri[FAN_T8_URI_BYTES], const char *key)
{
	const char *sender = strchr(key, '/') + 1, *configuration = strchr(sender, '/') + 1,
		   *id = strchr(configuration, '/') + 1;

	(void)snprintf(uri, FAN_T8_URI_BYTES, "3gpp-nidd/v1/%.*s/configurations/%.*s/downlink-data-deliveries/%s",
		       (int)(configuration - 1 - sender), sender, (int)(id - 1 - configuration), configuration, id);
}

static json_t *
show(const struct fan_t8 *t8, const char *key, const json_t *record)
{
	json_t *shown = json_deep_copy(json_object_get(record, "body"));
	char uri[FAN_T8_URI_BYTES];

	fan_t8_delivery_uri(t8, &fan_t8_nidd, uri, key);
	(void)json_object_set_new(shown, "self", json_string(uri));
	(void)json_object_set_new(shown, "deliveryStatus", json_string(fan_t8_delivery_status(record)));
	return shown;
}

/* A group is told of page by page, unless its sender wants the one outcome of all (TS 23.682 5.5.3) or there is none of single UEs, since
 * nothing was handed to the daemon. */
static bool
is_told_by_pages(const struct fan_t8 *t8, const json_t *record)
{
	const struct fan_t8_sender *sender = fan_t8_settings_sender(&t8->settings,
								    json_string_value(json_object_get(record, "sender")));

	return json_is_true(json_object_get(record, "group")) && json_object_get(record, "message") != NULL &&
	       sender->outcomes != FAN_T8_OUTCOMES_SUMMARY;
}

static json_t *
tell(const struct fan_t8 *t8, const char *key, const json_t *record)
{
	char uri[FAN_T8_URI_BYTES];

	if (is_told_by_pages(t8, record))
		return NULL;
	fan_t8_delivery_uri(t8, &fan_t8_nidd, uri, key);
	return json_pack("{s:s, s:s}", "niddDownlinkDataTransfer", uri, "deliveryStatus", fan_t8_delivery_status(record));
}

const struct fan_t8_api fan_t8_nidd = { "nidd", true, locate, show, tell };

/* Of the UE or group that its configuration is for. */
static bool
check_whom(struct fan_t8_call *call, const json_t *configuration, const json_t *body, const char **name, const char **id)
{
	const char *of_name = NULL, *of_id = NULL;

	if (!fan_t8_whom(body, true, name, id, &call->problem) ||
	    !fan_t8_whom(json_object_get(configuration, "body"), true, &of_name, &of_id, &call->problem))
		return false;
	if (strcmp(*name, of_name) != 0 || strcmp(*id, of_id) != 0)
		return fan_t8_problem_set(&call->problem, 403, "OPERATION_NOT_ALLOWED", *name,
					  "%s: the configuration is for %s %.64s", *name, of_name, of_id);
	return fan_t8_may_address(call, *name, *id, strcmp(*name, "externalGroupId") == 0);
}

/* NULL: the call has a problem. */
static json_t *
make_delivery(struct fan_t8_call *call, const json_t *configuration, const json_t *body)
{
	struct fan_t8_order order = { .start_ms = 0 };
	json_int_t latency_s = 0, priority = 0;
	const char *name = NULL;
	size_t byte_count = 0;

	/* Whom it is for comes first: who may not send there learns nothing else. */
	if (!check_whom(call, configuration, body, &name, &order.to) ||
	    !fan_t8_bytes(body, "data", true, &order.base64, &byte_count, &call->problem) ||
	    !fan_t8_may_have_size(call, "data", byte_count))
		return NULL;
	order.group = strcmp(name, "externalGroupId") == 0;
	if (fan_t8_number(body, "maximumLatency", false, 0, INT64_MAX, &latency_s, &call->problem))
		order.until_ms = fan_t8_until_ms(latency_s);
	if (fan_t8_number(body, "priority", false, INT64_MIN, INT64_MAX, &priority, &call->problem))
		order.priority = priority < 0 ? 0 : priority > PRIORITY_MAX ? PRIORITY_MAX : (unsigned)priority;
	if (call->problem.status != 0 || !check_reliable(call, body, order.group))
		return NULL;
	order.notify = json_string_value(json_object_get(json_object_get(configuration, "body"), "notificationDestination"));
	return fan_t8_delivery_make(call, &fan_t8_nidd, fan_t8_pick(body, transfer_names), &order);
}

void
fan_t8_nidd_deliveries(struct fan_t8_call *call)
{
	char begins[FAN_T8_KEY_BYTES_MAX + 1];
	json_t *configuration = find_configuration(call);

	begin_key(begins, call, call->ids[1]);
	if (configuration == NULL)
		fan_t8_refuse(call);
	else
		fan_t8_deliveries_list(call, &fan_t8_nidd, begins);
	json_decref(configuration);
}

void
fan_t8_nidd_deliver(struct fan_t8_call *call)
{
	char begins[FAN_T8_KEY_BYTES_MAX + 1];
	json_t *configuration = find_configuration(call);

	begin_key(begins, call, call->ids[1]);
	fan_t8_delivery_create_once(call, &fan_t8_nidd, begins,
				    configuration != NULL ? make_delivery(call, configuration, call->body) : NULL);
	json_decref(configuration);
}

/* The key of the delivery that a call is about. False: its configuration is gone, or its id is none of ours. */
static bool
key_of(struct fan_t8_call *call, char key[FAN_T8_KEY_BYTES_MAX + 1], json_t **configuration)
{
	char begins[FAN_T8_KEY_BYTES_MAX + 1];

	*configuration = find_configuration(call);
	begin_key(begins, call, call->ids[1]);
	if (fan_t8_delivery_key(call, key, begins, call->ids[2], "delivery"))
		return true;
	json_decref(*configuration);
	fan_t8_refuse(call);
	return false;
}

void
fan_t8_nidd_delivery_show(struct fan_t8_call *call)
{
	char key[FAN_T8_KEY_BYTES_MAX + 1];
	json_t *configuration;

	if (!key_of(call, key, &configuration))
		return;
	fan_t8_delivery_show(call, &fan_t8_nidd, key);
	json_decref(configuration);
}

void
fan_t8_nidd_delivery_replace(struct fan_t8_call *call)
{
	char key[FAN_T8_KEY_BYTES_MAX + 1];
	json_t *configuration;

	if (!key_of(call, key, &configuration))
		return;
	fan_t8_delivery_replace(call, &fan_t8_nidd, key, make_delivery(call, configuration, call->body));
	json_decref(configuration);
}

void
fan_t8_nidd_delivery_change(struct fan_t8_call *call)
{
	static const char *const changeable[] = { "data",     "reliableDataService",    "maximumLatency",
						  "priority", "pdnEstablishmentOption", NULL };
	char key[FAN_T8_KEY_BYTES_MAX + 1];
	json_t *configuration, *patched;

	if (!key_of(call, key, &configuration))
		return;
	patched = fan_t8_delivery_patched(call, key, changeable, "delivery");
	fan_t8_delivery_replace(call, &fan_t8_nidd, key, patched != NULL ? make_delivery(call, configuration, patched) : NULL);
	json_decref(patched);
	json_decref(configuration);
}

void
fan_t8_nidd_delivery_delete(struct fan_t8_call *call)
{
	char key[FAN_T8_KEY_BYTES_MAX + 1];
	json_t *configuration;

	if (!key_of(call, key, &configuration))
		return;
	fan_t8_delivery_delete(call, &fan_t8_nidd, key, 204);
	json_decref(configuration);
}

void
fan_t8_nidd_results(struct fan_t8_call *call)
{
	char key[FAN_T8_KEY_BYTES_MAX + 1];
	json_t *configuration;

	if (!key_of(call, key, &configuration))
		return;
	fan_t8_notice_fetch(call, key);
	json_decref(configuration);
}

/* ---- The end of a configuration ------------------------------------------------------------------------------------------------------ */

static int
collect(void *user, const char *key, json_t *record)
{
	(void)record;
	(void)json_array_append_new(user, json_string(key));
	return 0;
}

void
fan_t8_nidd_delete(struct fan_t8_call *call)
{
	char key[FAN_T8_KEY_BYTES_MAX + 1], begins[FAN_T8_KEY_BYTES_MAX + 1];
	json_t *record = find_configuration(call), *keys = json_array();

	if (record == NULL) {
		fan_t8_refuse(call);
	} else {
		begin_key(begins, call, call->ids[1]);
		(void)fan_t8_records_each(call->t8->records, begins, collect, keys);
		for (size_t i = 0; i < json_array_size(keys); i++)
			fan_t8_delivery_forget(call->t8, json_string_value(json_array_get(keys, i)));
		configuration_key(key, call->sender->name, call->ids[1]);
		if (fan_t8_records_remove(call->t8->records, key) == 0)
			fan_t8_answer(call->request, 204, NULL, NULL);
		else {
			fan_t8_problem_set(&call->problem, 503, "NF_CONGESTION", NULL, "%s", fan_error_detail());
			fan_t8_refuse(call);
		}
	}
	json_decref(record);
	json_decref(keys);
}

static bool
is_old(const void *user, const json_t *record)
{
	(void)user;
	return is_over(record);
}

void
fan_t8_nidd_tidy(void *user)
{
	struct fan_t8 *t8 = user;

	fan_t8_records_tidy(t8->records, "conf/", is_old, NULL);
}
