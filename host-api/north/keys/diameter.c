/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "diameter.h"

#include "../../../dataplane/context/clock.h"
#include "../../control/log.h"
#include "../diameter/rate.h"
#include "courier.h"
#include "message.h"

#define REQUEST_TIMEOUT_S 10

/* All of it is constant once the peers may come, but the rates, which the one dispatching thread has. */
static struct {
	const struct fan_keys_settings *settings;
	struct fan_notify *notify; /* fed by the courier's thread */
	struct fan_node_peer peers[FAN_DIAMETER_PEERS_MAX];
	struct fan_node_options options;
	struct fan_keys_dictionary dictionary;
	struct fan_courier *courier;
	struct fan_rate rates[FAN_DIAMETER_PEERS_MAX];
} self;

/* ---- What goes out ------------------------------------------------------------------------------------------------------- */

/* Bit i: of settings->peers[i], the MMEs that Serving-Node AVPs of a message name. One that the file does not have is nobody. */
static uint64_t
read_nodes(struct msg *message)
{
	uint64_t nodes = 0;

	for (struct avp *node = fan_avp_find(message, FAN_AVP_SERVING_NODE); node != NULL;
	     node = fan_avp_next(node, FAN_AVP_SERVING_NODE)) {
		const union avp_value *name = fan_avp_find_value(node, FAN_AVP_MME_NAME);
		const int place = name != NULL ? fan_node_peer_of((const char *)name->os.data, name->os.len) : -1;

		if (place >= 0 && !fan_keys_is_hss(&self.settings->peers[place]))
			nodes |= UINT64_C(1) << place;
	}
	return nodes;
}

/* What else stands in an answer counts only if all of it is in order. */
static void
on_answer(uint64_t number, struct msg *answer)
{
	const uint32_t result = answer != NULL ? fan_avp_result(answer) : 0;
	uint64_t nodes = 0;

	if (result == FAN_KEYS_DONE && fd_msg_parse_rules(answer, fd_g_config->cnf_dict, NULL) == 0)
		nodes = read_nodes(answer);
	fan_courier_answered(self.courier, number, result, nodes);
}

/* NULL: it cannot go. */
static struct msg *
begin_to(unsigned peer, struct dict_object *request, uint32_t application)
{
	const struct fan_keys_peer *to = &self.settings->peers[peer];

	return fan_node_request_begin(request, application, to->realm, to->host);
}

/* S6t's to an HSS, T6a's to an MME: one command of two applications. */
static struct msg *
begin_configuration(unsigned peer)
{
	return begin_to(peer, self.dictionary.configuration_information,
			fan_keys_is_hss(&self.settings->peers[peer]) ? FAN_S6T_APPLICATION : FAN_T6A_APPLICATION);
}

/* Takes message, if there is one that is good. */
static int
finish(struct msg *message, bool good, uint64_t number)
{
	if (message != NULL && good)
		return fan_node_send(message, REQUEST_TIMEOUT_S, on_answer, number);
	if (message != NULL)
		(void)fd_msg_free(message);
	return fan_fail(FAN_E_BUSY, "a request could not be made");
}

static int
send_report(unsigned peer, uint64_t number, const struct fan_keys_report *report)
{
	struct msg *message = begin_configuration(peer);

	return finish(message,
		      message != NULL && fan_keys_add_group(message, report->gid) &&
			      fan_keys_add_told(message, report->gid, report->revision, report->sets, report->set_count),
		      number);
}

static bool
add_members(struct msg *message, const char *gid, uint64_t revision, unsigned part, const json_t *identities)
{
	struct avp *members = fan_avp_add(message, FAN_AVP_GROUP_MEMBERS, NULL);
	bool good = members != NULL && fan_avp_add_text(members, FAN_AVP_GROUP_IDENTIFIER, gid) &&
		    fan_avp_add_u64(members, FAN_AVP_GROUP_REVISION, revision) &&
		    fan_avp_add_u32(members, FAN_AVP_GROUP_MEMBERS_PART, part);
	const json_t *identity;
	size_t i;

	json_array_foreach(identities, i, identity)
		good = good && json_is_string(identity) &&
		       fan_avp_add_text(members, FAN_AVP_USER_NAME, json_string_value(identity));
	return good;
}

static int
send_members(unsigned peer, uint64_t number, const char *gid, uint64_t revision, unsigned part, const json_t *identities)
{
	struct msg *message = begin_configuration(peer);

	return finish(message,
		      message != NULL && fan_keys_add_group(message, gid) &&
			      add_members(message, gid, revision, part, identities),
		      number);
}

static int
send_list(unsigned peer, uint64_t number, const char *const *gids, unsigned gid_count)
{
	struct msg *message = begin_configuration(peer);
	struct avp *list = NULL;

	if (message != NULL && fan_avp_add(message, FAN_AVP_USER_IDENTIFIER, NULL) != NULL)
		list = fan_avp_add(message, FAN_AVP_GROUP_LIST, NULL);
	for (unsigned i = 0; list != NULL && i < gid_count; i++)
		if (!fan_avp_add_text(list, FAN_AVP_GROUP_IDENTIFIER, gids[i]))
			list = NULL;
	return finish(message, list != NULL, number);
}

static int
send_question(unsigned peer, uint64_t number, const char *gid)
{
	struct msg *message = begin_to(peer, self.dictionary.subscriber_information, FAN_S6M_APPLICATION);

	return finish(message, message != NULL && fan_keys_add_group(message, gid), number);
}

/* The courier does the work, so one that stands still is a face that hangs. */
static void
tick(void)
{
	fan_node_turn();
	fan_notify_feed(self.notify, fan_clock_ms(CLOCK_MONOTONIC));
}

static const struct fan_courier_port port = { .is_open = fan_node_is_open,
					      .report = send_report,
					      .members = send_members,
					      .list = send_list,
					      .ask = send_question,
					      .tick = tick };

/* ---- What comes in: an HSS says something ------------------------------------------------------------------------------------ */

static void
refuse(struct msg *request, int flags, const char *code, const char *why, struct avp *failed)
{
	fan_node_refuse(request, FAN_S6T_APPLICATION, flags, code, why, failed);
}

/* A subscriber of some groups is served by an MME now. False: too much is waiting. */
static bool
take_notice(struct msg *request, uint64_t nodes)
{
	bool good = true;

	for (struct avp *avp = fan_avp_find(request, FAN_AVP_GROUP_IDENTIFIER); good && avp != NULL;
	     avp = fan_avp_next(avp, FAN_AVP_GROUP_IDENTIFIER)) {
		char gid[FAN_KEYS_GID_BYTES];

		if (!fan_avp_text(gid, sizeof(gid), fan_avp_value(avp)))
			continue;
		for (unsigned i = 0; good && i < self.settings->peer_count; i++)
			good = (nodes >> i & 1) == 0 || fan_courier_noticed(self.courier, i, gid);
	}
	return good;
}

/* It has lost what it was told. False: too much is waiting. */
static bool
take_request(unsigned sender, struct avp *group_request)
{
	char gid[FAN_KEYS_GID_BYTES] = "";

	(void)fan_avp_text(gid, sizeof(gid), fan_avp_find_value(group_request, FAN_AVP_GROUP_IDENTIFIER));
	return fan_courier_requested(self.courier, sender, gid);
}

static void
take_report(struct msg *request, unsigned sender)
{
	struct avp *group_request = fan_avp_find(request, FAN_AVP_GROUP_REQUEST);
	struct avp *node = fan_avp_find(request, FAN_AVP_SERVING_NODE);
	const uint64_t nodes = read_nodes(request);
	struct msg *answer;
	bool good;

	if (group_request == NULL && node == NULL)
		refuse(request, 0, "DIAMETER_MISSING_AVP", "Serving-Node or Group-Request is needed", NULL);
	else if (node != NULL && nodes == 0)
		refuse(request, 0, "DIAMETER_INVALID_AVP_VALUE", "this MME is none of those that may have keys", node);
	else if ((group_request != NULL && !take_request(sender, group_request)) || !take_notice(request, nodes))
		refuse(request, MSGFL_ANSW_ERROR, "DIAMETER_TOO_BUSY", "too many notices wait here", NULL);
	else {
		good = fan_node_answer_begin(&answer, request, 0, "DIAMETER_SUCCESS", NULL, NULL);
		fan_node_answer(answer, good && fan_avp_add_session_state(answer, FAN_S6T_APPLICATION));
	}
}

/* freeDiameter's callback for Reporting-Information-Request. */
static int
on_report(struct msg **message, struct avp *unused, struct session *session, void *opaque, enum disp_action *action)
{
	const int sender = fan_node_sender(*message);
	struct msg *request = *message;

	(void)unused;
	(void)session;
	(void)opaque;
	*message = NULL;
	*action = DISP_ACT_CONT;
	if (sender < 0 || !fan_keys_is_hss(&self.settings->peers[sender]))
		refuse(request, 0, "DIAMETER_AUTHORIZATION_REJECTED", "Origin-Host is not the peer, or no HSS", NULL);
	else if (!fan_rate_take(&self.rates[sender], fan_clock_ns(CLOCK_MONOTONIC)))
		refuse(request, MSGFL_ANSW_ERROR, "DIAMETER_TOO_BUSY", "more requests a second than this peer may make", NULL);
	else
		take_report(request, (unsigned)sender);
	return 0;
}

/* ---- Opening and closing ------------------------------------------------------------------------------------------------------ */

static void
arrived(unsigned peer)
{
	fan_courier_arrived(self.courier, peer);
}

static void
name_peers(const struct fan_keys_settings *settings)
{
	for (unsigned i = 0; i < settings->peer_count; i++) {
		const struct fan_keys_peer *peer = &settings->peers[i];

		self.peers[i] = (struct fan_node_peer){ .label = peer->label,
							.host = peer->host,
							.realm = peer->realm,
							.connect = peer->connect,
							.connect_port = (uint16_t)peer->connect_port,
							.plain = peer->plain };
		fan_rate_init(&self.rates[i], peer->requests_per_s, fan_clock_ns(CLOCK_MONOTONIC));
	}
	self.options = (struct fan_node_options){
		.file = settings->file,
		.section = "keys",
		.word = "peer",
		.settings = &settings->node,
		.peers = self.peers,
		.peer_count = settings->peer_count,
		.reconnect_s = (unsigned)settings->limits.reconnect_s,
		.arrived = arrived,
	};
}

/* The applications of what is sent are offered as well: a peer is sent only what both have. */
static int
offer(struct dict_object *vendor)
{
	const struct fan_keys_dictionary *dictionary = &self.dictionary;
	int error = fan_node_offer(dictionary->s6t, vendor, dictionary->reporting_information, on_report);

	if (error == 0)
		error = fan_node_offer(dictionary->s6m, vendor, NULL, NULL);
	return error != 0 ? error : fan_node_offer(dictionary->t6a, vendor, NULL, NULL);
}

int
fan_keys_open(const struct fan_keys_settings *settings, struct fan_notify *notify)
{
	struct dict_object *vendor;
	int error;

	self.settings = settings;
	self.notify = notify;
	name_peers(settings);
	error = fan_node_begin(&self.options, &vendor);
	if (error == 0 && !fan_keys_dictionary_fill(&self.dictionary, vendor))
		error = fan_fail(FAN_E_IO, "freeDiameter does not take the dictionary; its own line is above");
	if (error == 0)
		error = fan_courier_open(&self.courier, settings, &port);
	if (error == 0)
		error = offer(vendor);
	return error != 0 ? error : fan_node_listen();
}

void
fan_keys_close(void)
{
	fan_courier_stop(self.courier);
	fan_node_quiet();
	fan_node_end();
	fan_courier_close(self.courier);
	self.courier = NULL;
}
