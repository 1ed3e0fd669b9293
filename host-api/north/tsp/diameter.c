/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "diameter.h"

#include "../../../dataplane/context/clock.h"
#include "../../control/log.h"
#include "../diameter/rate.h"
#include "desk.h"
#include "dictionary.h"

#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#define NOTIFY_TIMEOUT_S 10

/* All of it is constant once the peers may come, but the rates, which the one dispatching thread has. */
static struct {
	const struct fan_settings *settings;
	struct fan_notify *notify; /* fed by the desk's thread */
	struct fan_node_peer peers[FAN_DIAMETER_PEERS_MAX];
	struct fan_node_options options;
	struct fan_tsp_dictionary dictionary;
	struct fan_desk *desk;
	struct fan_rate rates[FAN_DIAMETER_PEERS_MAX];
} self;

/* ---- Building messages -------------------------------------------------------------------------------------------------- */

/* Back to TBCD. In: digits, at most 15. */
static bool
add_msisdn(msg_or_avp *parent, const char *digits)
{
	const size_t digit_count = strlen(digits);
	uint8_t octets[(FAN_TSP_TARGET_BYTES + 1) / 2] = { 0 };

	for (size_t i = 0; i < digit_count; i++)
		octets[i / 2] |= (uint8_t)((digits[i] - '0') << (i % 2 == 0 ? 0 : 4));
	if (digit_count % 2 != 0)
		octets[digit_count / 2] |= 0xf0;
	return fan_avp_add_octets(parent, FAN_AVP_MSISDN, octets, (digit_count + 1) / 2);
}

/* Who was meant, as the SCS had said it. */
static bool
add_target(msg_or_avp *parent, const char *target, bool group, bool msisdn)
{
	if (target[0] == '\0')
		return true;
	if (msisdn)
		return add_msisdn(parent, target);
	return fan_avp_add_text(parent, FAN_AVP_EXTERNAL_IDENTIFIER, target) &&
	       (!group || fan_avp_add_u32(parent, FAN_AVP_TYPE_OF_EXTERNAL_IDENTIFIER, 1));
}

/* ---- Answers ------------------------------------------------------------------------------------------------------------- */

/* fan_desk_port's tick: the desk does the work, so a desk that stands still is a face that hangs. */
static void
tick(void *unused)
{
	(void)unused;
	fan_node_turn();
	fan_notify_feed(self.notify, fan_clock_ms(CLOCK_MONOTONIC));
}

static void
answer_error(struct msg *request, int flags, const char *code, const char *why, struct avp *failed)
{
	fan_node_refuse(request, FAN_TSP_APPLICATION, flags, code, why, failed);
}

/* Whether the SCS sent Supported-Features: ours are then said, too. */
static bool
wants_features(struct msg *message)
{
	struct msg *request = NULL;

	return fd_msg_answ_getq(message, &request) == 0 && request != NULL &&
	       fan_avp_find(request, FAN_AVP_SUPPORTED_FEATURES) != NULL;
}

static bool
add_features(struct msg *message)
{
	struct avp *features = wants_features(message) ? fan_avp_add(message, FAN_AVP_SUPPORTED_FEATURES, NULL) : NULL;

	if (features != NULL && (!fan_avp_add_u32(features, FAN_AVP_VENDOR_ID, FAN_VENDOR_3GPP) ||
				 !fan_avp_add_u32(features, FAN_AVP_FEATURE_LIST_ID, FAN_TSP_FEATURE_LIST) ||
				 !fan_avp_add_u32(features, FAN_AVP_FEATURE_LIST, FAN_TSP_RECALL_REPLACE)))
		return false;
	return fan_avp_add_u32(message, FAN_AVP_FEATURE_SUPPORTED_IN_FINAL_TARGET, FAN_TSP_RECALL_REPLACE);
}

/* fan_desk_port's answer; also called where a request does not come to the desk. ticket: the request, which it takes. */
static void
answer(void *unused, void *ticket, const struct fan_tsp_action *action, enum fan_tsp_status status, const char *why)
{
	struct msg *message;
	struct avp *report;
	bool good = fan_node_answer_begin(&message, ticket, 0, "DIAMETER_SUCCESS", why[0] != '\0' ? why : NULL, NULL);

	(void)unused;
	good = good && fan_avp_add_session_state(message, FAN_TSP_APPLICATION);
	report = good ? fan_avp_add(message, FAN_AVP_DEVICE_NOTIFICATION, NULL) : NULL;
	good = report != NULL && add_target(report, action->target, action->group, action->msisdn) &&
	       fan_avp_add_text(report, FAN_AVP_SCS_IDENTITY, action->scs->identity) &&
	       fan_avp_add_u32(report, FAN_AVP_REFERENCE_NUMBER, action->reference) &&
	       fan_avp_add_enumerated(report, FAN_AVP_ACTION_TYPE, (int)action->type) &&
	       fan_avp_add_enumerated(report, FAN_AVP_REQUEST_STATUS, (int)status) && add_features(message);
	fan_node_answer(message, good);
}

/* ---- Requests ------------------------------------------------------------------------------------------------------------ */

/* Out: place[FAN_TSP_TARGET_BYTES]. The dictionary's checks have seen that it fits. */
static void
copy_text(char *place, const union avp_value *value)
{
	const size_t byte_count = value->os.len < FAN_TSP_TARGET_BYTES ? value->os.len : FAN_TSP_TARGET_BYTES - 1;

	memcpy(place, value->os.data, byte_count);
	place[byte_count] = '\0';
}

static bool
copy_payload(struct fan_tsp_action *action, const union avp_value *value)
{
	action->payload = malloc(value->os.len + 1);
	if (action->payload == NULL)
		return false;
	memcpy(action->payload, value->os.data, value->os.len);
	action->payload_bytes = (uint32_t)value->os.len;
	return true;
}

/* One AVP of Device-Action or Trigger-Data. False: its value is wrong. */
static bool
take_avp(struct fan_tsp_action *action, const struct avp_hdr *header)
{
	const union avp_value *value = header->avp_value;

	switch (header->avp_code) {
	case 3005:
		action->type = (enum fan_tsp_action_type)value->i32;
		return action->type == FAN_TSP_TRIGGER || action->type == FAN_TSP_RECALL || action->type == FAN_TSP_REPLACE;
	case 3007:
		action->reference = value->u32;
		break;
	case 3011:
		action->old_reference = value->u32;
		action->has_old_reference = true;
		break;
	case 3111:
		copy_text(action->target, value);
		action->msisdn = false;
		break;
	case 3168:
		action->group = value->u32 == 1;
		break;
	case 701:
		/* An external identifier beside it is the one that is taken. */
		action->msisdn = action->target[0] == '\0';
		return !action->msisdn || fan_tsp_msisdn_read(action->target, value->os.data, value->os.len);
	case 3104:
		copy_text(action->identity, value);
		break;
	case 3004:
		return action->payload != NULL || copy_payload(action, value);
	case 3006:
		action->priority = value->i32 == 1;
		break;
	case 3010:
		action->application_port = (uint16_t)value->u32;
		break;
	case 448:
		action->validity_s = value->u32;
		action->has_validity = true;
		break;
	default:
		break;
	}
	return true;
}

/* Reads a group and, one deeper, Trigger-Data. Out: *wrong, the AVP whose value is. */
static bool
take_group(struct fan_tsp_action *action, struct avp **wrong, struct avp *group, bool inner)
{
	struct avp *avp = NULL;

	if (fd_msg_browse(group, MSG_BRW_FIRST_CHILD, &avp, NULL) != 0)
		return true;
	while (avp != NULL) {
		struct avp_hdr *header = NULL;
		bool good = fd_msg_avp_hdr(avp, &header) == 0;

		if (good && header->avp_code == 3003 && header->avp_vendor == FAN_VENDOR_3GPP && !inner)
			good = take_group(action, wrong, avp, true);
		else if (good && header->avp_value != NULL)
			good = take_avp(action, header);
		if (!good && *wrong == NULL)
			*wrong = avp;
		if (!good || fd_msg_browse(avp, MSG_BRW_NEXT, &avp, NULL) != 0)
			return good;
	}
	return true;
}

/* Over all that was asked, so that a repetition is known by it. */
static bool
digest(struct fan_tsp_action *action)
{
	const uint32_t numbers[] = {
		(uint32_t)action->type, action->reference,  action->has_old_reference, action->old_reference,
		action->group,          action->msisdn,     action->priority,          action->application_port,
		action->has_validity,   action->validity_s, action->payload_bytes
	};
	gnutls_hash_hd_t hash;

	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) != 0)
		return false;
	(void)gnutls_hash(hash, numbers, sizeof(numbers));
	(void)gnutls_hash(hash, action->target, sizeof(action->target));
	(void)gnutls_hash(hash, action->payload, action->payload_bytes);
	gnutls_hash_deinit(hash, action->digest);
	return true;
}

/* An action that is whole goes to the desk; what is refused here is answered here. Takes both. */
static void
hand_over(struct fan_tsp_action *action, struct msg *request)
{
	char why[FAN_TSP_WHY_BYTES];
	enum fan_tsp_status status = fan_tsp_action_check(why, action, self.settings);

	if (status != FAN_TSP_SUCCESS)
		answer(NULL, request, action, status, why);
	else if (!digest(action))
		answer(NULL, request, action, FAN_TSP_TEMPORARY_ERROR, "no memory");
	else if (fan_desk_submit(self.desk, action, request))
		return;
	else
		answer_error(request, MSGFL_ANSW_ERROR, "DIAMETER_TOO_BUSY", "too many requests wait here", NULL);
	fan_tsp_action_free(action);
}

static void
take_action(struct msg *request, const struct fan_scs *scs, struct avp *group)
{
	struct fan_tsp_action *action = calloc(1, sizeof(*action));
	struct avp *wrong = NULL;

	if (action == NULL) {
		answer_error(request, MSGFL_ANSW_ERROR, "DIAMETER_TOO_BUSY", "no memory", NULL);
		return;
	}
	action->scs = scs;
	if (!take_group(action, &wrong, group, false)) {
		answer_error(request, 0, "DIAMETER_INVALID_AVP_VALUE", "this value is not for a request here", wrong);
		fan_tsp_action_free(action);
	} else if (!fan_rate_take(&self.rates[scs - self.settings->scs], fan_clock_ns(CLOCK_MONOTONIC))) {
		answer(NULL, request, action, FAN_TSP_RATE_EXCEEDED, "more requests a second than this SCS may make");
		fan_tsp_action_free(action);
	} else {
		hand_over(action, request);
	}
}

/* An AVP that is missing, for Failed-AVP (RFC 6733 7.1.5). */
static void
answer_missing(struct msg *request)
{
	struct avp *missing = NULL;

	(void)fd_msg_avp_new(fan_dictionary_avp(FAN_AVP_DEVICE_ACTION), 0, &missing);
	answer_error(request, 0, "DIAMETER_MISSING_AVP", "Device-Action is needed", missing);
}

/* freeDiameter's callback for Device-Action-Request: takes it, and lets the answer come when it comes. */
static int
on_device_action(struct msg **message, struct avp *unused, struct session *session, void *opaque, enum disp_action *action)
{
	const int sender = fan_node_sender(*message);
	struct msg *request = *message;
	struct avp *group;

	(void)unused;
	(void)session;
	(void)opaque;
	*message = NULL;
	*action = DISP_ACT_CONT;
	group = fan_avp_find(request, FAN_AVP_DEVICE_ACTION);
	if (sender < 0)
		answer_error(request, 0, "DIAMETER_AUTHORIZATION_REJECTED",
			     "Origin-Host is not the peer, or none of those who may ask", NULL);
	else if (group == NULL)
		answer_missing(request);
	else
		take_action(request, &self.settings->scs[sender], group);
	return 0;
}

/* ---- Notifications -------------------------------------------------------------------------------------------------------- */

/* A permanent failure is the SCS's last word only if it is its own: freeDiameter makes answers itself where a peer is not there (3002). */
static enum fan_desk_delivery
judge(uint32_t code)
{
	if (code >= 2000 && code < 3000)
		return FAN_DESK_TAKEN;
	return code >= 5000 && code < 6000 ? FAN_DESK_REFUSED : FAN_DESK_AGAIN;
}

static void
on_notification_answer(uint64_t number, struct msg *message)
{
	fan_desk_delivered(self.desk, number, message != NULL ? judge(fan_avp_result(message)) : FAN_DESK_AGAIN);
}

static bool
add_report(struct msg *message, const struct fan_scs *scs, const struct fan_book_record *record)
{
	struct avp *report = fan_avp_add(message, FAN_AVP_DEVICE_NOTIFICATION, NULL);

	return report != NULL && add_target(report, record->target, record->group, record->msisdn) &&
	       fan_avp_add_text(report, FAN_AVP_SCS_IDENTITY, scs->identity) &&
	       fan_avp_add_u32(report, FAN_AVP_REFERENCE_NUMBER, record->reference) &&
	       fan_avp_add_enumerated(report, FAN_AVP_ACTION_TYPE, FAN_TSP_REPORT) &&
	       fan_avp_add_enumerated(report, FAN_AVP_DELIVERY_OUTCOME, (int)record->outcome) &&
	       fan_avp_add_text(message, FAN_AVP_ERROR_MESSAGE, record->totals);
}

/* fan_desk_port's notify. */
static int
notify(void *unused, const struct fan_book_record *record)
{
	const struct fan_scs *scs = fan_settings_label(self.settings, record->scs);
	struct msg *message = NULL;

	(void)unused;
	if (scs != NULL)
		message = fan_node_request_begin(self.dictionary.device_notification, FAN_TSP_APPLICATION, scs->realm,
						 scs->host);
	if (message == NULL)
		return fan_fail(FAN_E_BUSY, "freeDiameter has not started");
	if (add_report(message, scs, record))
		return fan_node_send(message, NOTIFY_TIMEOUT_S, on_notification_answer, record->number);
	(void)fd_msg_free(message);
	return fan_fail(FAN_E_MEMORY, "no memory for a notification");
}

static const struct fan_desk_port port = { .answer = answer, .notify = notify, .tick = tick };

/* ---- Opening and closing -------------------------------------------------------------------------------------------------- */

static void
arrived(unsigned peer)
{
	fan_desk_arrived(self.desk, &self.settings->scs[peer]);
}

static void
name_peers(const struct fan_settings *settings)
{
	for (unsigned i = 0; i < settings->scs_count; i++) {
		const struct fan_scs *scs = &settings->scs[i];

		self.peers[i] = (struct fan_node_peer){
			.label = scs->label, .host = scs->host, .realm = scs->realm, .plain = scs->plain
		};
		fan_rate_init(&self.rates[i], scs->requests_per_s, fan_clock_ns(CLOCK_MONOTONIC));
	}
	self.options = (struct fan_node_options){
		.file = settings->file,
		.section = "tsp",
		.word = "scs",
		.settings = &settings->tsp.node,
		.peers = self.peers,
		.peer_count = settings->scs_count,
		.arrived = arrived,
	};
}

int
fan_diameter_open(const struct fan_settings *settings, struct fan_notify *notify)
{
	struct dict_object *vendor;
	int error;

	self.settings = settings;
	self.notify = notify;
	name_peers(settings);
	error = fan_node_begin(&self.options, &vendor);
	if (error == 0 && !fan_tsp_dictionary_fill(&self.dictionary, vendor))
		error = fan_fail(FAN_E_IO, "freeDiameter does not take the dictionary; its own line is above");
	if (error == 0)
		error = fan_desk_open(&self.desk, settings, &port);
	if (error == 0)
		error = fan_node_offer(self.dictionary.application, vendor, self.dictionary.device_action, on_device_action);
	return error != 0 ? error : fan_node_listen();
}

void
fan_diameter_close(void)
{
	fan_desk_stop(self.desk);
	fan_node_quiet();
	fan_node_end();
	fan_desk_close(self.desk);
	self.desk = NULL;
}
