/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "diameter.h"

#include "../../../dataplane/context/clock.h"
#include "../../control/log.h"
#include "desk.h"
#include "dictionary.h"
#include "rate.h"

#include <arpa/inet.h>
#include <assert.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NO_STATE_MAINTAINED 1
#define NOTIFY_TIMEOUT_S 10
#define SECOND_NS UINT64_C(1000000000)
#define QUEUED_MAX 256        /* messages that were read from all connections and not looked at */
#define UNCHECKED_MAX 32      /* messages of one connection between two looks at that */
#define UNCHECKED_BYTES 65536 /* ... and octets */
#define HOLD_NS 5000000
#define HOLDS_MAX 2000 /* ten seconds: longer than that nobody is held up */
#define LINES_PER_S 20 /* of the log, that peers can cause */
#define PARKED_MAX 64
#define PARKED_NS (2 * SECOND_NS)
#define DIAMETER_HEADER_BYTES 20
#define AVP_HEADER_BYTES 8
#define AVP_HAS_VENDOR 0x80
#define SESSION_ID 263

/* An answer that waits for its peer. */
struct parked {
	struct msg *message; /* owned */
	uint64_t until_ns;
};

/* All of it is constant once the peers may come, but the rates, which the one dispatching thread has, and what the locks are for. */
static struct {
	const struct fan_settings *settings;
	struct fan_notify *notify; /* fed by the desk's thread */
	struct fan_tsp_dictionary dictionary;
	struct fan_desk *desk;
	struct fan_rate rates[FAN_TSP_SCS_MAX];
	bool initialised;
	atomic_bool started; /* freeDiameter knows who it is, and can send */
	atomic_bool stopping, broke;
	bool watched;
	pthread_t watcher;          /* of freeDiameter's end */
	pthread_mutex_t lines_lock; /* of lines */
	struct fan_rate lines;
	pthread_mutex_t
		parked_lock; /* of what stands below; freeDiameter may wait for its own queues under it, never for this */
	struct parked parked[PARKED_MAX];
	unsigned parked_count;
} self = { .lines_lock = PTHREAD_MUTEX_INITIALIZER, .parked_lock = PTHREAD_MUTEX_INITIALIZER };

/* Whether there is room in the log for a line that a peer has caused: one who sends nonsense must not fill the disk. */
static bool
may_log(void)
{
	bool may;

	(void)pthread_mutex_lock(&self.lines_lock);
	may = fan_rate_take(&self.lines, fan_clock_ns(CLOCK_MONOTONIC));
	(void)pthread_mutex_unlock(&self.lines_lock);
	return may;
}

static char *
words(const char *constant)
{
	char *text;

	memcpy(&text, &constant, sizeof(constant)); /* freeDiameter reads it alone */
	return text;
}

/* ---- Building messages -------------------------------------------------------------------------------------------------- */

/* NULL: no memory. */
static struct avp *
add(msg_or_avp *parent, enum fan_tsp_avp which, union avp_value *value)
{
	struct avp *avp = NULL;

	if (fd_msg_avp_new(self.dictionary.avp[which], 0, &avp) != 0)
		return NULL;
	if ((value == NULL || fd_msg_avp_setvalue(avp, value) == 0) && fd_msg_avp_add(parent, MSG_BRW_LAST_CHILD, avp) == 0)
		return avp;
	(void)fd_msg_free(avp);
	return NULL;
}

static bool
add_u32(msg_or_avp *parent, enum fan_tsp_avp which, uint32_t number)
{
	union avp_value value = { .u32 = number };

	return add(parent, which, &value) != NULL;
}

static bool
add_enumerated(msg_or_avp *parent, enum fan_tsp_avp which, int number)
{
	union avp_value value = { .i32 = number };

	return add(parent, which, &value) != NULL;
}

static bool
add_octets(msg_or_avp *parent, enum fan_tsp_avp which, const void *octets, size_t byte_count)
{
	union avp_value value = { .os.len = byte_count };

	memcpy(&value.os.data, &octets, sizeof(octets)); /* freeDiameter copies it */
	return add(parent, which, &value) != NULL;
}

static bool
add_text(msg_or_avp *parent, enum fan_tsp_avp which, const char *text)
{
	return add_octets(parent, which, text, strlen(text));
}

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
	return add_octets(parent, FAN_AVP_MSISDN, octets, (digit_count + 1) / 2);
}

/* Who was meant, as the SCS had said it. */
static bool
add_target(msg_or_avp *parent, const char *target, bool group, bool msisdn)
{
	if (target[0] == '\0')
		return true;
	if (msisdn)
		return add_msisdn(parent, target);
	return add_text(parent, FAN_AVP_EXTERNAL_IDENTIFIER, target) &&
	       (!group || add_u32(parent, FAN_AVP_TYPE_OF_EXTERNAL_IDENTIFIER, 1));
}

static bool
add_session_state(struct msg *message)
{
	return add_u32(message, FAN_AVP_AUTH_APPLICATION_ID, FAN_TSP_APPLICATION) &&
	       add_enumerated(message, FAN_AVP_AUTH_SESSION_STATE, NO_STATE_MAINTAINED);
}

/* ---- Answers ------------------------------------------------------------------------------------------------------------- */

/* Whether freeDiameter would send an answer: it drops those to a peer that is not in STATE_OPEN. */
static bool
can_go(struct msg *message)
{
	struct msg *request = NULL;
	struct peer_hdr *peer = NULL;
	DiamId_t source = NULL;
	size_t source_bytes = 0;

	return fd_msg_answ_getq(message, &request) == 0 && request != NULL &&
	       fd_msg_source_get(request, &source, &source_bytes) == 0 && source != NULL &&
	       fd_peer_getbyid(source, source_bytes, 0, &peer) == 0 && peer != NULL && fd_peer_get_state(peer) == STATE_OPEN;
}

/* Sends it, or lets go of it: the SCS asks again then. Takes message. */
static void
send_answer(struct msg *message)
{
	if (fd_msg_send(&message, NULL, NULL) != 0 && message != NULL)
		(void)fd_msg_free(message);
}

/*
 * A peer whose last connection broke must first answer three watchdogs (RFC 3539 3.4.1, STATE_REOPEN), and its requests are taken meanwhile:
 * their answers wait for it here. False: there is no room.
 */
static bool
park(struct msg *message)
{
	bool parked;

	(void)pthread_mutex_lock(&self.parked_lock);
	parked = self.parked_count < PARKED_MAX;
	if (parked)
		self.parked[self.parked_count++] = (struct parked){ message, fan_clock_ns(CLOCK_MONOTONIC) + PARKED_NS };
	(void)pthread_mutex_unlock(&self.parked_lock);
	return parked;
}

static void
send_parked(void)
{
	unsigned left = 0;

	(void)pthread_mutex_lock(&self.parked_lock);
	for (unsigned i = 0; i < self.parked_count; i++) {
		if (can_go(self.parked[i].message) || fan_clock_ns(CLOCK_MONOTONIC) > self.parked[i].until_ns)
			send_answer(self.parked[i].message);
		else
			self.parked[left++] = self.parked[i];
	}
	self.parked_count = left;
	(void)pthread_mutex_unlock(&self.parked_lock);
}

/* fan_desk_port's tick: the desk does the work, so a desk that stands still is a face that hangs. */
static void
tick(void *unused)
{
	(void)unused;
	send_parked();
	fan_notify_feed(self.notify, fan_clock_ms(CLOCK_MONOTONIC));
}

/* Takes *message, an answer that is made, or not. */
static void
send_or_drop(struct msg **message, bool good)
{
	if (good && !can_go(*message) && park(*message))
		return;
	if (good) {
		send_answer(*message);
		return;
	}
	fan_log(FAN_LOG_NOTE, NULL, "an answer could not be made: no memory");
	if (*message != NULL)
		(void)fd_msg_free(*message);
}

/* An answer of Diameter's own errors. Takes request. In: flags, MSGFL_ANSW_ERROR for those of 3xxx; failed, goes into Failed-AVP, NULL: none. */
static void
answer_error(struct msg *request, int flags, const char *code, const char *why, struct avp *failed)
{
	struct msg *message = request;
	bool good = fd_msg_new_answer_from_req(fd_g_config->cnf_dict, &message, flags) == 0;

	good = good && fd_msg_rescode_set(message, words(code), words(why), failed, 1) == 0 && add_session_state(message);
	send_or_drop(&message, good);
}

/* Whether the SCS sent Supported-Features: ours are then said, too. */
static bool
wants_features(struct msg *message)
{
	struct msg *request = NULL;
	struct avp *found = NULL;

	return fd_msg_answ_getq(message, &request) == 0 && request != NULL &&
	       fd_msg_search_avp(request, self.dictionary.avp[FAN_AVP_SUPPORTED_FEATURES], &found) == 0 && found != NULL;
}

static bool
add_features(struct msg *message)
{
	struct avp *features = wants_features(message) ? add(message, FAN_AVP_SUPPORTED_FEATURES, NULL) : NULL;

	if (features != NULL && (!add_u32(features, FAN_AVP_VENDOR_ID, FAN_TSP_VENDOR) ||
				 !add_u32(features, FAN_AVP_FEATURE_LIST_ID, FAN_TSP_FEATURE_LIST) ||
				 !add_u32(features, FAN_AVP_FEATURE_LIST, FAN_TSP_RECALL_REPLACE)))
		return false;
	return add_u32(message, FAN_AVP_FEATURE_SUPPORTED_IN_FINAL_TARGET, FAN_TSP_RECALL_REPLACE);
}

/* fan_desk_port's answer; also called where a request does not come to the desk. ticket: the request, which it takes. */
static void
answer(void *unused, void *ticket, const struct fan_tsp_action *action, enum fan_tsp_status status, const char *why)
{
	struct msg *message = ticket;
	struct avp *report;
	bool good = fd_msg_new_answer_from_req(fd_g_config->cnf_dict, &message, 0) == 0;

	(void)unused;
	good = good &&
	       fd_msg_rescode_set(message, words("DIAMETER_SUCCESS"), why[0] != '\0' ? words(why) : NULL, NULL, 1) == 0 &&
	       add_session_state(message);
	report = good ? add(message, FAN_AVP_DEVICE_NOTIFICATION, NULL) : NULL;
	good = report != NULL && add_target(report, action->target, action->group, action->msisdn) &&
	       add_text(report, FAN_AVP_SCS_IDENTITY, action->scs->identity) &&
	       add_u32(report, FAN_AVP_REFERENCE_NUMBER, action->reference) &&
	       add_enumerated(report, FAN_AVP_ACTION_TYPE, (int)action->type) &&
	       add_enumerated(report, FAN_AVP_REQUEST_STATUS, (int)status) && add_features(message);
	send_or_drop(&message, good);
}

/* ---- Requests ------------------------------------------------------------------------------------------------------------ */

/* The octets of an AVP of a message. False: it has none. */
static bool
find_octets(const uint8_t **octets, size_t *byte_count, struct msg *message, enum fan_tsp_avp which)
{
	struct avp *avp = NULL;
	struct avp_hdr *header = NULL;

	if (fd_msg_search_avp(message, self.dictionary.avp[which], &avp) != 0 || avp == NULL ||
	    fd_msg_avp_hdr(avp, &header) != 0 || header->avp_value == NULL)
		return false;
	*octets = header->avp_value->os.data;
	*byte_count = header->avp_value->os.len;
	return true;
}

/* Who sent a request: the peer, whose certificate was looked at, and Origin-Host must be its name. NULL: nobody who may. */
static const struct fan_scs *
identify(struct msg *message)
{
	const struct fan_scs *scs;
	DiamId_t peer = NULL;
	size_t peer_bytes = 0, origin_bytes = 0;
	const uint8_t *origin = NULL;

	if (fd_msg_source_get(message, &peer, &peer_bytes) != 0 || peer == NULL ||
	    !find_octets(&origin, &origin_bytes, message, FAN_AVP_ORIGIN_HOST))
		return NULL;
	scs = fan_settings_scs(self.settings, peer, peer_bytes);
	return scs != NULL && scs == fan_settings_scs(self.settings, (const char *)origin, origin_bytes) ? scs : NULL;
}

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

		if (good && header->avp_code == 3003 && header->avp_vendor == FAN_TSP_VENDOR && !inner)
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

	(void)fd_msg_avp_new(self.dictionary.avp[FAN_AVP_DEVICE_ACTION], 0, &missing);
	answer_error(request, 0, "DIAMETER_MISSING_AVP", "Device-Action is needed", missing);
}

/* freeDiameter's callback for Device-Action-Request: takes it, and lets the answer come when it comes. */
static int
on_device_action(struct msg **message, struct avp *unused, struct session *session, void *opaque, enum disp_action *action)
{
	const struct fan_scs *scs = identify(*message);
	struct msg *request = *message;
	struct avp *group = NULL;

	(void)unused;
	(void)session;
	(void)opaque;
	*message = NULL;
	*action = DISP_ACT_CONT;
	if (scs == NULL)
		answer_error(request, 0, "DIAMETER_AUTHORIZATION_REJECTED",
			     "Origin-Host is not the peer, or none of those who may ask", NULL);
	else if (fd_msg_search_avp(request, self.dictionary.avp[FAN_AVP_DEVICE_ACTION], &group) != 0 || group == NULL)
		answer_missing(request);
	else
		take_action(request, scs, group);
	return 0;
}

/* ---- Notifications -------------------------------------------------------------------------------------------------------- */

/* 0: there is none that can be read. */
static uint32_t
result_code(struct msg *message)
{
	struct avp *avp = NULL;
	struct avp_hdr *header = NULL;

	if (fd_msg_search_avp(message, self.dictionary.avp[FAN_AVP_RESULT_CODE], &avp) != 0 || avp == NULL ||
	    fd_msg_parse_dict(avp, fd_g_config->cnf_dict, NULL) != 0 || fd_msg_avp_hdr(avp, &header) != 0)
		return 0;
	return header->avp_value != NULL ? header->avp_value->u32 : 0;
}

/* A permanent failure is the SCS's last word only if it is its own: freeDiameter makes answers itself where a peer is not there (3002). */
static enum fan_desk_delivery
judge(uint32_t code)
{
	if (code >= 2000 && code < 3000)
		return FAN_DESK_TAKEN;
	return code >= 5000 && code < 6000 ? FAN_DESK_REFUSED : FAN_DESK_AGAIN;
}

/* A record's number travels through freeDiameter in place of a pointer. */
static void *
as_opaque(uint64_t number)
{
	void *opaque;

	static_assert(sizeof(opaque) == sizeof(number), "a number does not fit a pointer");
	memcpy(&opaque, &number, sizeof(opaque));
	return opaque;
}

static uint64_t
as_number(void *opaque)
{
	uint64_t number;

	memcpy(&number, &opaque, sizeof(number));
	return number;
}

static void
on_notification_answer(void *opaque, struct msg **message)
{
	fan_desk_delivered(self.desk, as_number(opaque), judge(result_code(*message)));
	(void)fd_msg_free(*message);
	*message = NULL;
}

static void
on_notification_late(void *opaque, DiamId_t peer, size_t peer_bytes, struct msg **message)
{
	(void)peer;
	(void)peer_bytes;
	fan_desk_delivered(self.desk, as_number(opaque), FAN_DESK_AGAIN);
	(void)fd_msg_free(*message);
	*message = NULL;
}

static bool
add_report(struct msg *message, const struct fan_scs *scs, const struct fan_book_record *record)
{
	struct avp *report = add(message, FAN_AVP_DEVICE_NOTIFICATION, NULL);

	return report != NULL && add_target(report, record->target, record->group, record->msisdn) &&
	       add_text(report, FAN_AVP_SCS_IDENTITY, scs->identity) &&
	       add_u32(report, FAN_AVP_REFERENCE_NUMBER, record->reference) &&
	       add_enumerated(report, FAN_AVP_ACTION_TYPE, FAN_TSP_REPORT) &&
	       add_enumerated(report, FAN_AVP_DELIVERY_OUTCOME, (int)record->outcome) &&
	       add_text(message, FAN_AVP_ERROR_MESSAGE, record->totals);
}

/* fan_desk_port's notify. */
static int
notify(void *unused, const struct fan_book_record *record)
{
	const struct fan_scs *scs = fan_settings_label(self.settings, record->scs);
	struct timespec until;
	struct msg *message = NULL;
	bool good;

	(void)unused;
	if (!atomic_load(&self.started))
		return fan_fail(FAN_E_BUSY, "freeDiameter has not started");
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += NOTIFY_TIMEOUT_S;
	good = scs != NULL && fd_msg_new(self.dictionary.device_notification, MSGFL_ALLOC_ETEID, &message) == 0 &&
	       fd_msg_new_session(message, NULL, 0) == 0 && add_session_state(message) && fd_msg_add_origin(message, 0) == 0 &&
	       add_text(message, FAN_AVP_DESTINATION_REALM, scs->realm) &&
	       add_text(message, FAN_AVP_DESTINATION_HOST, scs->host) && add_report(message, scs, record);
	if (good &&
	    fd_msg_send_timeout(&message, on_notification_answer, as_opaque(record->number), on_notification_late, &until) == 0)
		return 0;
	if (message != NULL)
		(void)fd_msg_free(message);
	return fan_fail(FAN_E_MEMORY, "no memory for a notification");
}

static const struct fan_desk_port port = { .answer = answer, .notify = notify, .tick = tick };

/* ---- Peers ----------------------------------------------------------------------------------------------------------------- */

/* Whether the certificate that a peer has shown, whose chain GnuTLS has checked, is for its name. */
static bool
is_certified(const struct peer_info *info)
{
	gnutls_x509_crt_t certificate;
	bool good;

	if (info->runtime.pir_cert_list == NULL || info->runtime.pir_cert_list_size == 0 ||
	    gnutls_x509_crt_init(&certificate) != 0)
		return false;
	good = gnutls_x509_crt_import(certificate, &info->runtime.pir_cert_list[0], GNUTLS_X509_FMT_DER) == 0 &&
	       gnutls_x509_crt_check_hostname(certificate, info->pi_diamid) != 0;
	gnutls_x509_crt_deinit(certificate);
	return good;
}

/* freeDiameter's callback: may this peer come? Each connection is asked anew, since a peer that goes is forgotten (PI_PRST_NONE). */
static int
validate_peer(struct peer_info *info, int *verdict, int (**unused)(struct peer_info *))
{
	const struct fan_scs *scs = fan_settings_scs(self.settings, info->pi_diamid, info->pi_diamidlen);
	const bool secured = info->runtime.pir_cert_list != NULL;
	const char *why = "";

	(void)unused;
	*verdict = -1;
	if (scs == NULL)
		why = "a peer is none of those who may come";
	else if (!secured && !scs->plain)
		why = "a peer comes without TLS, and has no plain = yes";
	else if (secured && !is_certified(info))
		why = "a peer shows a certificate that is for another";
	else
		*verdict = 1;
	if (*verdict < 0 && may_log())
		fan_log(FAN_LOG_PEER_REFUSED, NULL, "%s: %.*s", why, (int)info->pi_diamidlen, info->pi_diamid);
	info->config.pic_flags.sec = secured ? PI_SEC_DEFAULT : PI_SEC_NONE;
	info->config.pic_flags.persist = PI_PRST_NONE;
	return 0;
}

/* Whose connection a message came by, or a peer is; "unknown" for any other. */
static const char *
label_of(struct msg *message, const struct peer_hdr *peer)
{
	const struct fan_scs *scs = NULL;
	DiamId_t source = NULL;
	size_t source_bytes = 0;

	if (peer != NULL)
		scs = fan_settings_scs(self.settings, peer->info.pi_diamid, peer->info.pi_diamidlen);
	else if (message != NULL && fd_msg_source_get(message, &source, &source_bytes) == 0 && source != NULL)
		scs = fan_settings_scs(self.settings, source, source_bytes);
	return scs != NULL ? scs->label : "unknown";
}

static bool
is_worth_a_line(enum fd_hook_type type, const struct msg *message)
{
	return type == HOOK_PEER_CONNECT_SUCCESS || type == HOOK_PEER_CONNECT_FAILED || type == HOOK_MESSAGE_DROPPED ||
	       (type == HOOK_MESSAGE_PARSING_ERROR && message != NULL);
}

/* Without a hook of ours freeDiameter would log whole messages, payloads among them, where something is wrong with one. */
static void
on_event(enum fd_hook_type type, struct msg *message, struct peer_hdr *peer, void *other, struct fd_hook_permsgdata *unused,
	 void *opaque)
{
	const struct fan_scs *scs;

	(void)unused;
	(void)opaque;
	if (type == HOOK_PEER_CONNECT_SUCCESS && peer != NULL) {
		scs = fan_settings_scs(self.settings, peer->info.pi_diamid, peer->info.pi_diamidlen);
		if (scs != NULL)
			fan_desk_arrived(self.desk, scs);
	}
	if (!is_worth_a_line(type, message) || !may_log())
		return;
	if (type == HOOK_PEER_CONNECT_SUCCESS)
		fan_log(FAN_LOG_PEER_COME, NULL, "scs=%s has come", label_of(message, peer));
	else if (type == HOOK_MESSAGE_PARSING_ERROR)
		fan_log(FAN_LOG_NOTE, NULL, "scs=%s sends what breaks the dictionary", label_of(message, peer));
	else
		fan_log(FAN_LOG_NOTE, NULL, "scs=%s: %s: %.200s",
			label_of(type == HOOK_PEER_CONNECT_FAILED ? NULL : message, peer),
			type == HOOK_PEER_CONNECT_FAILED ? "no connection" : "a message did not go",
			other != NULL ? (const char *)other : "it has gone");
}

/* Messages that wait for the state machines of all peers. */
static unsigned
count_queued(void)
{
	unsigned count = 0;

	/* Who takes peers apart may hold this and wait for the thread that asks. */
	if (pthread_rwlock_tryrdlock(&fd_g_peers_rw) != 0)
		return 0;
	for (struct fd_list *at = fd_g_peers.next; at != &fd_g_peers; at = at->next) {
		const int state = fd_peer_get_state(at->o);
		int of_peer = 0;

		/* Others have no queue, which freeDiameter would complain of. */
		if ((state == STATE_OPEN || state == STATE_REOPEN || state == STATE_SUSPECT) &&
		    fd_stat_getstats(STAT_P_PSM, (struct peer_hdr *)at->o, &of_peer, NULL, NULL, NULL, NULL, NULL, NULL) == 0)
			count += of_peer > 0 ? (unsigned)of_peer : 0;
	}
	(void)pthread_rwlock_unlock(&fd_g_peers_rw);
	return count;
}

/*
 * A Session-Id with an octet of zero ends freeDiameter, and this face with it, for all its peers: there is a sign in the place of it, before it is
 * looked at. Lengths are the sender's words, which freeDiameter checks later.
 */
static void
mend_session(const struct fd_cnx_rcvdata *received)
{
	uint8_t *octets = received->buffer;
	uint32_t octet_count;

	for (size_t at = DIAMETER_HEADER_BYTES; at + AVP_HEADER_BYTES <= received->length; at += (octet_count + 3) / 4 * 4) {
		octet_count = (uint32_t)octets[at + 5] << 16 | (uint32_t)octets[at + 6] << 8 | octets[at + 7];
		if (octet_count < AVP_HEADER_BYTES || octet_count > received->length - at)
			return;
		if (memcmp(octets + at, (const uint8_t[]){ 0, 0, SESSION_ID >> 8, SESSION_ID & 255 }, 4) != 0 ||
		    (octets[at + 4] & AVP_HAS_VENDOR) != 0)
			continue;
		for (size_t i = at + AVP_HEADER_BYTES; i < at + octet_count; i++)
			octets[i] = octets[i] != 0 ? octets[i] : '?';
	}
}

/*
 * In the thread that reads a connection, behind each message. freeDiameter would read on and on, and keep in memory what its other threads have
 * not got to: a connection that sends faster is held up here, and TCP holds up the sender. 100,000 requests of 1,400 octets in a second
 * took 140 MB before.
 */
static void
hold_up(enum fd_hook_type type, struct msg *message, struct peer_hdr *peer, void *other, struct fd_hook_permsgdata *unused,
	void *opaque)
{
	static __thread unsigned messages;
	static __thread size_t octets;
	const struct fd_cnx_rcvdata *received = other;
	const struct timespec moment = { .tv_nsec = HOLD_NS };
	unsigned allowed;

	(void)type;
	(void)message;
	(void)peer;
	(void)unused;
	(void)opaque;
	mend_session(received);
	messages++;
	octets += received->length;
	if (messages < UNCHECKED_MAX && octets < UNCHECKED_BYTES)
		return;
	allowed = octets < UNCHECKED_BYTES ? QUEUED_MAX : QUEUED_MAX / 16;
	messages = 0;
	octets = 0;
	for (unsigned i = 0; i < HOLDS_MAX && count_queued() > allowed; i++)
		(void)nanosleep(&moment, NULL);
}

static bool
listen_to_events(void)
{
	static struct fd_hook_hdl *hooks, *data;

	return fd_hook_register(HOOK_MASK(HOOK_DATA_RECEIVED), hold_up, NULL, NULL, &data) == 0 &&
	       fd_hook_register(HOOK_MASK(HOOK_MESSAGE_RECEIVED, HOOK_MESSAGE_LOCAL, HOOK_MESSAGE_SENDING, HOOK_MESSAGE_SENT,
					  HOOK_MESSAGE_FAILOVER, HOOK_MESSAGE_PARSING_ERROR, HOOK_MESSAGE_PARSING_ERROR2,
					  HOOK_MESSAGE_ROUTING_ERROR, HOOK_MESSAGE_ROUTING_FORWARD, HOOK_MESSAGE_ROUTING_LOCAL,
					  HOOK_MESSAGE_DROPPED, HOOK_PEER_CONNECT_FAILED, HOOK_PEER_CONNECT_SUCCESS),
				on_event, NULL, NULL, &hooks) == 0;
}

/* ---- freeDiameter --------------------------------------------------------------------------------------------------------- */

/* Its errors alone, one line each, without those in which it tells by which functions an error came up ("ERROR: in ..."). */
static __attribute__((format(printf, 2, 0))) void
log_line(int level, const char *format, va_list arguments)
{
	char line[512];

	if (level < FD_LOG_ERROR)
		return;
	(void)vsnprintf(line, sizeof(line), format, arguments);
	if (strncmp(line, "ERROR: in '", strlen("ERROR: in '")) != 0 && strncmp(line, "TODO", strlen("TODO")) != 0 &&
	    strncmp(line, "Initiating", strlen("Initiating")) != 0 && may_log())
		fan_log(FAN_LOG_NOTE, NULL, "freeDiameter: %s", line);
}

/* freeDiameter's own ListenOn passes over loopback addresses, and would then listen everywhere. */
static int
listen_on(const char *addresses)
{
	char copy[FAN_SETTINGS_LINE_BYTES_MAX + 2], *rest = copy, *word;
	int answer = 0;

	(void)snprintf(copy, sizeof(copy), "%s", addresses != NULL ? addresses : "");
	while (answer == 0 && (word = strsep(&rest, ", \t")) != NULL) {
		struct sockaddr_in ipv4 = { .sin_family = AF_INET };
		struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6 };

		if (inet_pton(AF_INET, word, &ipv4.sin_addr) == 1)
			answer = fd_ep_add_merge(&fd_g_config->cnf_endpoints, (struct sockaddr *)&ipv4, sizeof(ipv4),
						 EP_FL_CONF | EP_ACCEPTALL);
		else if (inet_pton(AF_INET6, word, &ipv6.sin6_addr) == 1)
			answer = fd_ep_add_merge(&fd_g_config->cnf_endpoints, (struct sockaddr *)&ipv6, sizeof(ipv6),
						 EP_FL_CONF | EP_ACCEPTALL);
	}
	return answer == 0 ? 0 : fan_fail(FAN_E_IO, "[tsp] listen: freeDiameter does not take it: %s", strerror(answer));
}

/* freeDiameter reads a file; this one is in memory alone. The settings let no quote through. */
static void
write_configuration(FILE *file, const struct fan_settings *settings)
{
	(void)fprintf(file, "Identity = \"%s\";\nRealm = \"%s\";\nPort = %llu;\nSecPort = %llu;\n", settings->tsp.identity,
		      settings->tsp.realm, (unsigned long long)settings->tsp.port, (unsigned long long)settings->tsp.tls_port);
	/* NoRelay: what is not for this application and this host is refused, never passed on. */
	(void)fputs("No_SCTP;\nNoRelay;\nAppServThreads = 1;\nTwTimer = 30;\n", file);
	if (settings->tsp.tls_port == 0)
		return;
	(void)fprintf(
		file,
		"TLS_Cred = \"%s\", \"%s\";\nTLS_CA = \"%s\";\nTLS_Prio = \"SECURE128:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3\";\n",
		settings->tsp.certificate, settings->tsp.key, settings->tsp.authority);
	if (settings->tsp.revoked != NULL)
		(void)fprintf(file, "TLS_CRL = \"%s\";\n", settings->tsp.revoked);
}

static int
configure(const struct fan_settings *settings)
{
	const int descriptor = memfd_create("freeDiameter.conf", MFD_CLOEXEC);
	FILE *file = descriptor >= 0 ? fdopen(descriptor, "w") : NULL;
	char path[64];
	int error = file == NULL ? fan_fail(FAN_E_IO, "no file in memory: %s", strerror(errno)) : 0;

	if (error != 0)
		return error;
	write_configuration(file, settings);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
	if (fflush(file) != 0 || fd_core_parseconf(path) != 0)
		error = fan_fail(FAN_E_INVALID, "freeDiameter does not take what %s says; its own line is above",
				 settings->file);
	(void)fclose(file);
	return error != 0 ? error : listen_on(settings->tsp.listen);
}

static bool
offer_application(void)
{
	struct disp_when when = { .app = self.dictionary.application, .command = self.dictionary.device_action };

	return fd_disp_register(on_device_action, DISP_HOW_CC, &when, NULL, NULL) == 0 &&
	       fd_disp_app_support(self.dictionary.application, self.dictionary.vendor, 1, 0) == 0 &&
	       fd_peer_validate_register(validate_peer) == 0 && listen_to_events();
}

/* freeDiameter ends itself at what it takes for an error of its own. The process would go on, deaf: whoever supervises it starts it again. */
static void *
await_end(void *unused)
{
	(void)unused;
	(void)fd_core_wait_shutdown_complete();
	if (!atomic_load(&self.stopping)) {
		atomic_store(&self.broke, true);
		(void)kill(getpid(), SIGTERM);
	}
	return NULL;
}

bool
fan_diameter_broke(void)
{
	return atomic_load(&self.broke);
}

int
fan_diameter_open(const struct fan_settings *settings, struct fan_notify *notify)
{
	int error;

	self.settings = settings;
	self.notify = notify;
	for (unsigned i = 0; i < settings->scs_count; i++)
		fan_rate_init(&self.rates[i], settings->scs[i].requests_per_s, fan_clock_ns(CLOCK_MONOTONIC));
	fan_rate_init(&self.lines, LINES_PER_S, fan_clock_ns(CLOCK_MONOTONIC));
	(void)fd_log_handler_register(log_line);
	fd_g_debug_lvl = FD_LOG_ERROR;
	if (fd_core_initialize() != 0)
		return fan_fail(FAN_E_IO, "freeDiameter does not start; its own line is above");
	self.initialised = true;
	if (!fan_tsp_dictionary_fill(&self.dictionary))
		return fan_fail(FAN_E_IO, "freeDiameter does not take the dictionary; its own line is above");
	error = fan_desk_open(&self.desk, settings, &port);
	if (error == 0)
		error = configure(settings);
	if (error == 0 && !offer_application())
		error = fan_fail(FAN_E_IO, "freeDiameter does not take the application; its own line is above");
	if (error == 0 && (fd_core_start() != 0 || fd_core_waitstartcomplete() != 0))
		error = fan_fail(FAN_E_IO, "freeDiameter does not listen; its own line is above");
	self.watched = error == 0 && pthread_create(&self.watcher, NULL, await_end, NULL) == 0;
	atomic_store(&self.started, error == 0);
	return error;
}

void
fan_diameter_close(void)
{
	fan_desk_stop(self.desk);
	atomic_store(&self.started, false);
	atomic_store(&self.stopping, true);
	if (self.initialised)
		(void)fd_core_shutdown();
	if (self.watched)
		(void)pthread_join(self.watcher, NULL);
	else if (self.initialised)
		(void)fd_core_wait_shutdown_complete();
	fan_desk_close(self.desk);
	self.desk = NULL;
}
