/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An HSS that keeps keys of groups with subscriptions: it is told them by the gateway (S6t), gives them to MMEs with the subscription (S6a), tells MMEs
 * what changes, and answers who serves members (S6m).
 *
 *	subscriber IMSI        there is such a subscriber; others are unknown, unless they are members of a group
 *	show                   what it has
 *	notices on|off         whether it tells the gateway who serves members
 *	refuse CODE N          answers the next N of the gateway's requests so: DIAMETER_TOO_BUSY, for example
 *	silent N               does not answer the next N
 *	request [GID]          asks the gateway to be told again
 *	notice IMSI MME GID    tells the gateway of a serving node by hand
 */
#define _GNU_SOURCE
#include "station.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GATEWAY "gateway.example.org"
#define GROUPS_MAX 64
#define USERS_MAX 20000
#define NAME_BYTES 64

struct member {
	char imsi[NAME_BYTES];
	uint64_t revision;
};

struct group {
	struct fan_keys_told told;
	struct member *members; /* owned */
	unsigned member_count;
};

static struct {
	struct group groups[GROUPS_MAX];
	unsigned group_count;
	struct {
		char imsi[NAME_BYTES], mme[NAME_BYTES]; /* mme "": it is attached nowhere */
	} users[USERS_MAX];
	unsigned user_count;
	bool notices;
	char refusal[NAME_BYTES];
	unsigned refusals, silences;
} hss;

/* ---- What it has ----------------------------------------------------------------------------------------------------- */

static struct group *
find_group(const char *gid, bool add)
{
	struct group *group;

	for (unsigned i = 0; i < hss.group_count; i++)
		if (strcmp(hss.groups[i].told.gid, gid) == 0)
			return &hss.groups[i];
	if (!add || hss.group_count == GROUPS_MAX)
		return NULL;
	group = &hss.groups[hss.group_count++];
	*group = (struct group){ .members = NULL };
	(void)snprintf(group->told.gid, sizeof(group->told.gid), "%s", gid);
	return group;
}

/* -1: there is none. */
static int
find_user(const char *imsi)
{
	for (unsigned i = 0; i < hss.user_count; i++)
		if (strcmp(hss.users[i].imsi, imsi) == 0)
			return (int)i;
	return -1;
}

static int
add_user(const char *imsi)
{
	const int place = find_user(imsi);

	if (place >= 0 || hss.user_count == USERS_MAX)
		return place;
	(void)snprintf(hss.users[hss.user_count].imsi, NAME_BYTES, "%s", imsi);
	hss.users[hss.user_count].mme[0] = '\0';
	return (int)hss.user_count++;
}

static struct member *
find_member(const struct group *group, const char *imsi)
{
	for (unsigned i = 0; i < group->member_count; i++)
		if (strcmp(group->members[i].imsi, imsi) == 0)
			return &group->members[i];
	return NULL;
}

/* A key that is over is nobody's any more. */
static unsigned
valid_sets(struct fan_keys_set *sets, const struct fan_keys_told *told)
{
	unsigned count = 0;

	for (unsigned i = 0; i < told->set_count; i++)
		if (time(NULL) < told->sets[i].start_s + 60 * (int64_t)told->sets[i].duration_min)
			sets[count++] = told->sets[i];
	return count;
}

static bool
add_keys(msg_or_avp *parent, const struct fan_keys_told *told)
{
	struct fan_keys_set sets[FAN_KEYS_SETS_MAX];
	const unsigned count = valid_sets(sets, told);

	return fan_keys_add_told(parent, told->gid, told->revision, sets, count);
}

/* ---- To MMEs --------------------------------------------------------------------------------------------------------- */

/* In: told NULL, "no key of this group any more". */
static void
insert(unsigned user, const char *gid, const struct fan_keys_told *told)
{
	struct msg *request = station_request(station_dictionary()->insert_subscriber_data, FAN_S6A_APPLICATION,
					      hss.users[user].mme);
	struct avp *data;
	char what[64];

	(void)snprintf(what, sizeof(what), "insert %s", hss.users[user].imsi);
	data = request != NULL && fan_avp_add_text(request, FAN_AVP_USER_NAME, hss.users[user].imsi)
		       ? fan_avp_add(request, FAN_AVP_SUBSCRIPTION_DATA, NULL)
		       : NULL;
	if (data == NULL || !(told != NULL ? add_keys(data, told) : fan_keys_add_told(data, gid, 0, NULL, 0)) ||
	    (told != NULL && !fan_avp_add_text(data, FAN_AVP_GROUP_IDENTIFIER, gid)))
		station_say("hss: no memory");
	station_send(request, what);
}

static void
insert_for_members(const struct group *group, const struct fan_keys_told *told)
{
	for (unsigned i = 0; i < hss.user_count; i++)
		if (hss.users[i].mme[0] != '\0' && find_member(group, hss.users[i].imsi) != NULL)
			insert(i, group->told.gid, told);
}

/* ---- From the gateway ------------------------------------------------------------------------------------------------- */

/* Whether each key comes out of its wrapping, and is what stands beside it. */
static bool
is_good(const struct fan_keys_told *told)
{
	bool good = true;

	for (unsigned i = 0; good && i < told->set_count; i++) {
		const struct fan_keys_set *set = &told->sets[i];
		struct fan_group_key key;
		char gid[FAN_GROUP_GID_OCTETS_MAX + 1];

		good = fan_group_entry_unwrap(&key, set->wrapped, set->wrapped_bytes, station_kek()) == 0 &&
		       fan_group_gid_read(gid, &key.gid) == 0 && strcmp(gid, told->gid) == 0 && key.gki == set->gki &&
		       key.start_s == set->start_s && key.duration_min == set->duration_min;
		fan_group_key_wipe(&key);
	}
	return good;
}

static void
forget(struct group *group)
{
	insert_for_members(group, NULL);
	free(group->members);
	*group = hss.groups[--hss.group_count];
}

static bool
take_keys(struct avp *avp)
{
	struct fan_keys_told told;
	struct group *group;

	if (!fan_keys_read_told(&told, avp) || !is_good(&told)) {
		station_say("hss: keys refused");
		return false;
	}
	group = find_group(told.gid, true);
	station_say("hss: told %s revision %llu sets %u gki %d%s", told.gid, (unsigned long long)told.revision, told.set_count,
		    told.set_count > 0 ? told.sets[0].gki : -1,
		    told.revision < group->told.revision    ? " older"
		    : told.revision == group->told.revision ? " again"
							    : "");
	if (told.revision < group->told.revision)
		return true;
	group->told = told;
	if (told.set_count == 0)
		forget(group);
	else
		insert_for_members(group, &group->told);
	return true;
}

static void
take_member(struct group *group, const char *imsi, uint64_t revision)
{
	struct member *member = find_member(group, imsi);

	if (member == NULL) {
		struct member *members = realloc(group->members, (group->member_count + 1) * sizeof(*members));

		if (members == NULL)
			return;
		group->members = members;
		member = &members[group->member_count++];
		(void)snprintf(member->imsi, sizeof(member->imsi), "%s", imsi);
		(void)add_user(imsi);
	}
	member->revision = revision;
}

static void
drop_others(struct group *group, uint64_t revision)
{
	for (unsigned i = group->member_count; i-- > 0;) {
		const int user = group->members[i].revision != revision ? find_user(group->members[i].imsi) : -1;

		if (group->members[i].revision == revision)
			continue;
		station_say("hss: %s is no member of %s any more", group->members[i].imsi, group->told.gid);
		if (user >= 0 && hss.users[user].mme[0] != '\0')
			insert((unsigned)user, group->told.gid, NULL);
		group->members[i] = group->members[--group->member_count];
	}
}

static void
take_members(struct avp *avp)
{
	char gid[FAN_KEYS_GID_BYTES], imsi[NAME_BYTES];
	const uint64_t revision = fan_avp_find_value(avp, FAN_AVP_GROUP_REVISION)->u64;
	const uint32_t part = fan_avp_find_value(avp, FAN_AVP_GROUP_MEMBERS_PART)->u32;
	struct group *group;

	if (!fan_avp_text(gid, sizeof(gid), fan_avp_find_value(avp, FAN_AVP_GROUP_IDENTIFIER)))
		return;
	group = find_group(gid, true);
	for (struct avp *user = fan_avp_find(avp, FAN_AVP_USER_NAME); user != NULL;
	     user = fan_avp_next(user, FAN_AVP_USER_NAME))
		if (fan_avp_text(imsi, sizeof(imsi), fan_avp_value(user)))
			take_member(group, imsi, revision);
	if ((part & FAN_KEYS_LAST_PART) == 0)
		return;
	drop_others(group, revision);
	station_say("hss: members of %s: %u", gid, group->member_count);
}

static bool
is_listed(struct avp *list, const char *gid)
{
	for (struct avp *avp = fan_avp_find(list, FAN_AVP_GROUP_IDENTIFIER); avp != NULL;
	     avp = fan_avp_next(avp, FAN_AVP_GROUP_IDENTIFIER)) {
		const union avp_value *value = fan_avp_value(avp);

		if (strlen(gid) == value->os.len && memcmp(gid, value->os.data, value->os.len) == 0)
			return true;
	}
	return false;
}

static void
take_list(struct avp *list)
{
	for (unsigned i = hss.group_count; i-- > 0;) {
		if (is_listed(list, hss.groups[i].told.gid))
			continue;
		station_say("hss: forgets %s", hss.groups[i].told.gid);
		forget(&hss.groups[i]);
	}
	station_say("hss: listed, groups %u", hss.group_count);
}

static bool
take_configuration(struct msg *request)
{
	struct avp *keys = fan_avp_find(request, FAN_AVP_GROUP_KEYS);
	struct avp *members = fan_avp_find(request, FAN_AVP_GROUP_MEMBERS);
	struct avp *list = fan_avp_find(request, FAN_AVP_GROUP_LIST);

	if (members != NULL)
		take_members(members);
	if (list != NULL)
		take_list(list);
	return keys == NULL || take_keys(keys);
}

/* True: the test wants this request answered so, or not at all. */
static bool
plays(struct msg **message)
{
	if (hss.silences > 0) {
		hss.silences--;
		station_say("hss: silent");
		(void)fd_msg_free(*message);
		*message = NULL;
		return true;
	}
	if (hss.refusals == 0)
		return false;
	hss.refusals--;
	station_say("hss: answers %s", hss.refusal);
	(void)station_answer(message, FAN_S6T_APPLICATION, hss.refusal, NULL);
	return true;
}

static int
on_configuration(struct msg **message, struct avp *unused, struct session *session, void *opaque, enum disp_action *action)
{
	const int sender = fan_node_sender(*message);
	bool good;

	(void)unused;
	(void)session;
	(void)opaque;
	*action = DISP_ACT_CONT;
	if (sender != fan_node_peer_of(GATEWAY, strlen(GATEWAY)))
		return station_answer(message, FAN_S6T_APPLICATION, "DIAMETER_AUTHORIZATION_REJECTED", NULL);
	station_lock();
	if (plays(message)) {
		station_unlock();
		return 0;
	}
	good = take_configuration(*message);
	station_unlock();
	return station_answer(message, FAN_S6T_APPLICATION, good ? "DIAMETER_SUCCESS" : "DIAMETER_INVALID_AVP_VALUE", NULL);
}

/* ---- From MMEs ----------------------------------------------------------------------------------------------------------- */

static void
give_notice(const char *imsi, const char *mme, const char *only)
{
	struct msg *request = station_request(station_dictionary()->reporting_information, FAN_S6T_APPLICATION, GATEWAY);
	struct avp *user = request != NULL ? fan_avp_add(request, FAN_AVP_USER_IDENTIFIER, NULL) : NULL;
	struct avp *node = user != NULL ? fan_avp_add(request, FAN_AVP_SERVING_NODE, NULL) : NULL;
	bool good = node != NULL && fan_avp_add_text(user, FAN_AVP_USER_NAME, imsi) &&
		    fan_avp_add_text(node, FAN_AVP_MME_NAME, mme);

	for (unsigned i = 0; good && only == NULL && i < hss.group_count; i++)
		good = find_member(&hss.groups[i], imsi) == NULL ||
		       fan_avp_add_text(request, FAN_AVP_GROUP_IDENTIFIER, hss.groups[i].told.gid);
	if (good && only != NULL)
		good = fan_avp_add_text(request, FAN_AVP_GROUP_IDENTIFIER, only);
	station_send(good ? request : NULL, "notice");
}

static bool
add_subscription(struct msg *answer, const char *imsi)
{
	struct avp *data = fan_avp_add(answer, FAN_AVP_SUBSCRIPTION_DATA, NULL);
	bool good = data != NULL && fan_avp_add_u32(answer, FAN_AVP_ULA_FLAGS, 1);

	for (unsigned i = 0; good && i < hss.group_count; i++) {
		const struct group *group = &hss.groups[i];

		if (find_member(group, imsi) == NULL)
			continue;
		good = fan_avp_add_text(data, FAN_AVP_GROUP_IDENTIFIER, group->told.gid) &&
		       (group->told.set_count == 0 || add_keys(data, &group->told));
	}
	return good;
}

/* TS 29.272 7.4.3.1 */
static int
answer_unknown(struct msg **message)
{
	struct msg *answer = *message;
	struct avp *result;
	bool good = fd_msg_new_answer_from_req(fd_g_config->cnf_dict, &answer, 0) == 0 && fd_msg_add_origin(answer, 0) == 0 &&
		    fan_avp_add_session_state(answer, FAN_S6A_APPLICATION);

	*message = NULL;
	result = good ? fan_avp_add(answer, FAN_AVP_EXPERIMENTAL_RESULT, NULL) : NULL;
	fan_node_answer(answer, result != NULL && fan_avp_add_u32(result, FAN_AVP_VENDOR_ID, FAN_VENDOR_3GPP) &&
					fan_avp_add_u32(result, FAN_AVP_EXPERIMENTAL_RESULT_CODE, 5001));
	return 0;
}

static int
on_update_location(struct msg **message, struct avp *unused, struct session *session, void *opaque, enum disp_action *action)
{
	const int sender = fan_node_sender(*message);
	char imsi[NAME_BYTES];
	struct msg *answer;
	const union avp_value *origin = fan_avp_find_value(*message, FAN_AVP_ORIGIN_HOST);
	int user;
	bool good;

	(void)unused;
	(void)session;
	(void)opaque;
	*action = DISP_ACT_CONT;
	if (sender < 0 || !fan_avp_text(imsi, sizeof(imsi), fan_avp_find_value(*message, FAN_AVP_USER_NAME)))
		return station_answer(message, FAN_S6A_APPLICATION, "DIAMETER_AUTHORIZATION_REJECTED", NULL);
	station_lock();
	user = find_user(imsi);
	if (user >= 0)
		(void)fan_avp_text(hss.users[user].mme, NAME_BYTES, origin);
	station_say("hss: %s %s", imsi, user >= 0 ? "is attached" : "is unknown");
	if (user < 0) {
		station_unlock();
		return answer_unknown(message);
	}
	good = fan_node_answer_begin(&answer, *message, 0, "DIAMETER_SUCCESS", NULL, NULL) &&
	       fan_avp_add_session_state(answer, FAN_S6A_APPLICATION) && add_subscription(answer, imsi);
	*message = NULL;
	fan_node_answer(answer, good);
	if (hss.notices)
		give_notice(imsi, hss.users[user].mme, NULL);
	station_unlock();
	return 0;
}

/* ---- Who serves members ---------------------------------------------------------------------------------------------------- */

static bool
add_nodes(struct msg *answer, const struct group *group)
{
	bool good = true;

	for (unsigned i = 0; good && i < hss.user_count; i++) {
		bool named = hss.users[i].mme[0] == '\0' || find_member(group, hss.users[i].imsi) == NULL;
		struct avp *node;

		for (unsigned j = 0; !named && j < i; j++)
			named = strcmp(hss.users[j].mme, hss.users[i].mme) == 0 &&
				find_member(group, hss.users[j].imsi) != NULL;
		node = named ? NULL : fan_avp_add(answer, FAN_AVP_SERVING_NODE, NULL);
		good = named || (node != NULL && fan_avp_add_text(node, FAN_AVP_MME_NAME, hss.users[i].mme));
	}
	return good;
}

static int
on_subscriber_information(struct msg **message, struct avp *unused, struct session *session, void *opaque,
			  enum disp_action *action)
{
	char gid[FAN_KEYS_GID_BYTES];
	const struct group *group;
	struct msg *answer;
	bool good;

	(void)unused;
	(void)session;
	(void)opaque;
	*action = DISP_ACT_CONT;
	if (fan_node_sender(*message) != fan_node_peer_of(GATEWAY, strlen(GATEWAY)))
		return station_answer(message, FAN_S6M_APPLICATION, "DIAMETER_AUTHORIZATION_REJECTED", NULL);
	station_lock();
	group = fan_keys_read_group(gid, fan_avp_find(*message, FAN_AVP_USER_IDENTIFIER)) ? find_group(gid, false) : NULL;
	station_say("hss: asked for %s", group != NULL ? gid : "a group that is unknown");
	if (group == NULL) {
		station_unlock();
		return answer_unknown(message);
	}
	good = fan_node_answer_begin(&answer, *message, 0, "DIAMETER_SUCCESS", NULL, NULL) &&
	       fan_avp_add_session_state(answer, FAN_S6M_APPLICATION) && add_nodes(answer, group);
	*message = NULL;
	fan_node_answer(answer, good);
	station_unlock();
	return 0;
}

/* ---- Commands ------------------------------------------------------------------------------------------------------------------ */

static void
show(void)
{
	for (unsigned i = 0; i < hss.group_count; i++) {
		const struct group *group = &hss.groups[i];

		station_say("hss: group %s revision %llu sets %u gki %d members %u", group->told.gid,
			    (unsigned long long)group->told.revision, group->told.set_count,
			    group->told.set_count > 0 ? group->told.sets[0].gki : -1, group->member_count);
	}
	station_say("hss: shown");
}

static void
request_again(const char *gid)
{
	struct msg *request = station_request(station_dictionary()->reporting_information, FAN_S6T_APPLICATION, GATEWAY);
	struct avp *avp = request != NULL ? fan_avp_add(request, FAN_AVP_GROUP_REQUEST, NULL) : NULL;

	if (avp != NULL && gid[0] != '\0')
		(void)fan_avp_add_text(avp, FAN_AVP_GROUP_IDENTIFIER, gid);
	station_send(request, "request");
}

static bool
command(char *words[4])
{
	bool known = true;

	station_lock();
	if (strcmp(words[0], "subscriber") == 0) {
		(void)add_user(words[1]);
	} else if (strcmp(words[0], "show") == 0) {
		show();
	} else if (strcmp(words[0], "notices") == 0) {
		hss.notices = strcmp(words[1], "on") == 0;
	} else if (strcmp(words[0], "refuse") == 0) {
		(void)snprintf(hss.refusal, sizeof(hss.refusal), "%s", words[1]);
		hss.refusals = (unsigned)atoi(words[2]);
	} else if (strcmp(words[0], "silent") == 0) {
		hss.silences = (unsigned)atoi(words[1]);
	} else if (strcmp(words[0], "request") == 0) {
		request_again(words[1]);
	} else if (strcmp(words[0], "notice") == 0) {
		give_notice(words[1], words[2], words[3]);
	} else {
		known = false;
	}
	station_unlock();
	return known;
}

static int
offer(const struct fan_keys_dictionary *dictionary, struct dict_object *vendor)
{
	int error = fan_node_offer(dictionary->s6t, vendor, dictionary->configuration_information, on_configuration);

	if (error == 0)
		error = fan_node_offer(dictionary->s6a, vendor, dictionary->update_location, on_update_location);
	return error != 0
		       ? error
		       : fan_node_offer(dictionary->s6m, vendor, dictionary->subscriber_information, on_subscriber_information);
}

int
main(int argc, char **argv)
{
	static const struct station station = { .name = "hss", .offer = offer, .command = command };

	return station_main(&station, argc, argv);
}
