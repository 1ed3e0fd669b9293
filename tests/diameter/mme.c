/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An MME that takes keys of groups from the HSS with a subscription (S6a) or from the gateway (T6a), and puts those of a subscriber's groups into its NAS
 * messages. The subscriber's UE is here too: it takes the element by code of its own, as ue/group.h has it, and opens messages of the group.
 *
 *	attach IMSI            Update-Location, and what came with it
 *	accept IMSI            the element for ATTACH ACCEPT, which is ciphered; the UE takes it
 *	command IMSI K_ASME    the element for SECURITY MODE COMMAND, which is not: keys wrapped under the UE's own key; the UE takes it
 *	open IMSI PDU          the UE opens a message of a group
 *	show                   what it has
 */
#define _GNU_SOURCE
#include "station.h"

#include "../../ue/group.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HSS "hss.example.org"
#define GATEWAY "gateway.example.org"
#define GROUPS_MAX 64
#define USERS_MAX 64
#define NAME_BYTES 64
#define LIST_BYTES 1024

struct user {
	char imsi[NAME_BYTES];
	char groups[LIST_BYTES]; /* GIDs with blanks around each */
	struct fan_ue_groups *ue;
};

static struct {
	struct fan_keys_told groups[GROUPS_MAX];
	unsigned group_count;
	struct user users[USERS_MAX];
	unsigned user_count;
	char attaching[NAME_BYTES];
} mme;

/* ---- What it has --------------------------------------------------------------------------------------------------------- */

static struct fan_keys_told *
find_group(const char *gid)
{
	for (unsigned i = 0; i < mme.group_count; i++)
		if (strcmp(mme.groups[i].gid, gid) == 0)
			return &mme.groups[i];
	return NULL;
}

static struct user *
find_user(const char *imsi, bool add)
{
	static const struct fan_ue_group_home home = { .plmn = { 0, 0xf1, 0x10 }, .domain = "example.org" };
	struct user *user;

	for (unsigned i = 0; i < mme.user_count; i++)
		if (strcmp(mme.users[i].imsi, imsi) == 0)
			return &mme.users[i];
	if (!add || mme.user_count == USERS_MAX)
		return NULL;
	user = &mme.users[mme.user_count++];
	(void)snprintf(user->imsi, sizeof(user->imsi), "%s", imsi);
	(void)snprintf(user->groups, sizeof(user->groups), " ");
	user->ue = fan_ue_groups_open(&home);
	return user;
}

static bool
unwraps(const struct fan_keys_told *told)
{
	bool good = true;

	for (unsigned i = 0; good && i < told->set_count; i++) {
		struct fan_group_key key;

		good = fan_group_entry_unwrap(&key, told->sets[i].wrapped, told->sets[i].wrapped_bytes, station_kek()) == 0 &&
		       key.gki == told->sets[i].gki;
		fan_group_key_wipe(&key);
	}
	return good;
}

/* What the HSS says of a subscriber's keys is of that subscriber's group alone: another's stay. */
static bool
keep(const struct fan_keys_told *told, const char *from)
{
	struct fan_keys_told *known = find_group(told->gid);

	if (!unwraps(told)) {
		station_say("mme: keys refused");
		return false;
	}
	station_say("mme: %s has told %s sets %u gki %d", from, told->gid, told->set_count,
		    told->set_count > 0 ? told->sets[0].gki : -1);
	if (told->set_count == 0 && told->revision == 0)
		return true;
	if (known == NULL && mme.group_count < GROUPS_MAX)
		known = &mme.groups[mme.group_count++];
	if (known != NULL)
		*known = *told;
	return true;
}

static bool
is_in(const struct user *user, const char *gid)
{
	char mark[FAN_KEYS_GID_BYTES + 2];

	(void)snprintf(mark, sizeof(mark), " %s ", gid);
	return strstr(user->groups, mark) != NULL;
}

static void
join(struct user *user, const char *gid)
{
	const size_t at = strlen(user->groups);

	if (!is_in(user, gid) && at + strlen(gid) + 2 < sizeof(user->groups))
		(void)snprintf(user->groups + at, sizeof(user->groups) - at, "%s ", gid);
}

static void
leave(struct user *user, const char *gid)
{
	char mark[FAN_KEYS_GID_BYTES + 2], *at;

	(void)snprintf(mark, sizeof(mark), " %s ", gid);
	at = strstr(user->groups, mark);
	if (at != NULL)
		memmove(at, at + strlen(mark) - 1, strlen(at + strlen(mark) - 1) + 1);
}

/* Subscription-Data: the groups that a subscriber is in, and keys; a group without keys and without its name is one that it has left. */
static bool
take_subscription(struct user *user, struct avp *data)
{
	char gid[FAN_KEYS_GID_BYTES];
	bool good = true;

	for (struct avp *avp = fan_avp_first(data); good && avp != NULL; avp = fan_avp_behind(avp)) {
		struct fan_keys_told told;

		if (fan_avp_is(avp, FAN_AVP_GROUP_IDENTIFIER) && fan_avp_text(gid, sizeof(gid), fan_avp_value(avp)))
			join(user, gid);
		if (!fan_avp_is(avp, FAN_AVP_GROUP_KEYS))
			continue;
		good = fan_keys_read_told(&told, avp) && keep(&told, "hss");
		if (good && told.set_count == 0)
			leave(user, told.gid);
	}
	return good;
}

/* ---- From the HSS and the gateway --------------------------------------------------------------------------------------------- */

static void
on_location(uint64_t number, struct msg *answer)
{
	const uint32_t result = answer != NULL ? fan_avp_result(answer) : 0;
	struct avp *data = NULL;
	struct user *user;

	(void)number;
	station_lock();
	if (result == 2001 && fd_msg_parse_rules(answer, fd_g_config->cnf_dict, NULL) == 0)
		data = fan_avp_find(answer, FAN_AVP_SUBSCRIPTION_DATA);
	user = result == 2001 ? find_user(mme.attaching, true) : NULL;
	if (user != NULL && data != NULL)
		(void)take_subscription(user, data);
	station_say("mme: attach %s result %u groups%s", mme.attaching, result, user != NULL ? user->groups : "");
	station_unlock();
}

static int
on_insert(struct msg **message, struct avp *unused, struct session *session, void *opaque, enum disp_action *action)
{
	char imsi[NAME_BYTES];
	struct user *user = NULL;
	bool good;

	(void)unused;
	(void)session;
	(void)opaque;
	*action = DISP_ACT_CONT;
	if (fan_node_sender(*message) != fan_node_peer_of(HSS, strlen(HSS)))
		return station_answer(message, FAN_S6A_APPLICATION, "DIAMETER_AUTHORIZATION_REJECTED", NULL);
	station_lock();
	if (fan_avp_text(imsi, sizeof(imsi), fan_avp_find_value(*message, FAN_AVP_USER_NAME)))
		user = find_user(imsi, false);
	good = user != NULL && take_subscription(user, fan_avp_find(*message, FAN_AVP_SUBSCRIPTION_DATA));
	if (user != NULL)
		station_say("mme: inserted %s groups%s", imsi, user->groups);
	station_unlock();
	return station_answer(message, FAN_S6A_APPLICATION, good ? "DIAMETER_SUCCESS" : "DIAMETER_INVALID_AVP_VALUE", NULL);
}

static int
on_configuration(struct msg **message, struct avp *unused, struct session *session, void *opaque, enum disp_action *action)
{
	struct avp *avp = fan_avp_find(*message, FAN_AVP_GROUP_KEYS);
	struct fan_keys_told told;
	bool good;

	(void)unused;
	(void)session;
	(void)opaque;
	*action = DISP_ACT_CONT;
	if (fan_node_sender(*message) != fan_node_peer_of(GATEWAY, strlen(GATEWAY)))
		return station_answer(message, FAN_T6A_APPLICATION, "DIAMETER_AUTHORIZATION_REJECTED", NULL);
	station_lock();
	good = avp != NULL && fan_keys_read_told(&told, avp) && keep(&told, "gateway");
	station_unlock();
	return station_answer(message, FAN_T6A_APPLICATION, good ? "DIAMETER_SUCCESS" : "DIAMETER_INVALID_AVP_VALUE", NULL);
}

/* ---- Into NAS ---------------------------------------------------------------------------------------------------------------------- */

/* The current keys of a subscriber's groups as entries. Out: entries[FAN_GROUP_ENTRIES_BYTES_MAX]. In: kek NULL, or the UE's. */
static size_t
write_entries(uint8_t *entries, const struct user *user, const uint8_t *kek)
{
	size_t octet_count = 0;

	for (unsigned i = 0; i < mme.group_count; i++) {
		const struct fan_keys_told *told = &mme.groups[i];
		uint8_t octets[FAN_GROUP_ENTRY_BYTES_MAX];
		struct fan_group_entry entry = { .deletes = false };
		int written;

		if (!is_in(user, told->gid) || told->set_count == 0 || told->sets[0].state != FAN_KEYS_CURRENT ||
		    fan_group_entry_unwrap(&entry.key, told->sets[0].wrapped, told->sets[0].wrapped_bytes, station_kek()) != 0)
			continue;
		written = fan_group_entry_write(octets, &entry, kek);
		fan_group_key_wipe(&entry.key);
		if (written > 0 && octet_count + (size_t)written <= FAN_GROUP_ENTRIES_BYTES_MAX) {
			memcpy(entries + octet_count, octets, (size_t)written);
			octet_count += (size_t)written;
		}
	}
	return octet_count;
}

/* What an independent reader of the element is to make of it: the test prints it, and the UE takes what lies behind its head. */
static void
write_element(struct user *user, const char *which, const uint8_t *kek)
{
	uint8_t entries[FAN_GROUP_ENTRIES_BYTES_MAX], element[FAN_GROUP_ENTRIES_BYTES_MAX + 3];
	char hex[2 * sizeof(element) + 1] = "";
	const size_t octet_count = write_entries(entries, user, kek);
	const int element_bytes = octet_count > 0 ? fan_group_ie_write(element, entries, octet_count) : 0;
	enum fan_ue_group_verdict verdict;

	if (element_bytes <= 3) {
		station_say("mme: %s %s has no keys", which, user->imsi);
		return;
	}
	for (int i = 0; i < element_bytes; i++)
		(void)sprintf(hex + 2 * i, "%02x", element[i]);
	verdict = fan_ue_groups_take(user->ue, element + 3, (size_t)element_bytes - 3, kek);
	station_say("mme: %s %s element %s UE %s", which, user->imsi, hex, fan_ue_group_verdict_name(verdict));
}

static size_t
read_hex(uint8_t *octets, size_t octets_max, const char *hex)
{
	const size_t octet_count = strlen(hex) / 2;

	for (size_t i = 0; i < octet_count && i < octets_max; i++) {
		const char digits[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		octets[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return octet_count < octets_max ? octet_count : octets_max;
}

static void
open_message(struct user *user, const char *hex)
{
	static struct fan_ue_group_message message;
	uint8_t pdu[FAN_UE_GROUP_PDU_BYTES_MAX];
	const size_t octet_count = read_hex(pdu, sizeof(pdu), hex);
	const enum fan_ue_group_verdict verdict = fan_ue_groups_receive(user->ue, &message, pdu, octet_count, time(NULL));

	station_say("mme: UE %s: %s%s%.*s", user->imsi, fan_ue_group_verdict_name(verdict),
		    verdict == FAN_UE_GROUP_ACCEPTED ? ": " : "",
		    verdict == FAN_UE_GROUP_ACCEPTED ? (int)message.payload_bytes : 0, (const char *)message.payload);
}

/* ---- Commands ---------------------------------------------------------------------------------------------------------------------------- */

static void
attach(const char *imsi)
{
	static const uint8_t plmn[] = { 0, 0xf1, 0x10 };
	struct msg *request = station_request(station_dictionary()->update_location, FAN_S6A_APPLICATION, HSS);

	(void)snprintf(mme.attaching, sizeof(mme.attaching), "%s", imsi);
	if (request == NULL || !fan_avp_add_text(request, FAN_AVP_USER_NAME, imsi) ||
	    !fan_avp_add_enumerated(request, FAN_AVP_RAT_TYPE, 1004) || !fan_avp_add_u32(request, FAN_AVP_ULR_FLAGS, 34) ||
	    !fan_avp_add_octets(request, FAN_AVP_VISITED_PLMN_ID, plmn, sizeof(plmn)) ||
	    fan_node_send(request, 10, on_location, 0) != 0)
		station_say("mme: attach cannot go");
}

static void
show(void)
{
	for (unsigned i = 0; i < mme.group_count; i++)
		station_say("mme: group %s sets %u gki %d", mme.groups[i].gid, mme.groups[i].set_count,
			    mme.groups[i].set_count > 0 ? mme.groups[i].sets[0].gki : -1);
	station_say("mme: shown");
}

static bool
command_of_user(char *words[4])
{
	struct user *user = find_user(words[1], false);
	uint8_t k_asme[32] = { 0 }, kek[FAN_GROUP_KEK_BYTES];

	if (user == NULL) {
		station_say("mme: %s is not attached", words[1]);
	} else if (strcmp(words[0], "accept") == 0) {
		write_element(user, words[0], NULL);
	} else if (strcmp(words[0], "open") == 0) {
		open_message(user, words[2]);
	} else if (strcmp(words[0], "command") == 0) {
		(void)read_hex(k_asme, sizeof(k_asme), words[2]);
		if (fan_group_kek(kek, FAN_KIND_EPS_NAS, k_asme) == 0)
			write_element(user, words[0], kek);
	} else {
		return false;
	}
	return true;
}

static bool
command(char *words[4])
{
	bool known = true;

	station_lock();
	if (strcmp(words[0], "attach") == 0)
		attach(words[1]);
	else if (strcmp(words[0], "show") == 0)
		show();
	else
		known = command_of_user(words);
	station_unlock();
	return known;
}

static int
offer(const struct fan_keys_dictionary *dictionary, struct dict_object *vendor)
{
	const int error = fan_node_offer(dictionary->s6a, vendor, dictionary->insert_subscriber_data, on_insert);

	return error != 0 ? error
			  : fan_node_offer(dictionary->t6a, vendor, dictionary->configuration_information, on_configuration);
}

int
main(int argc, char **argv)
{
	static const struct station station = { .name = "mme", .offer = offer, .command = command };

	return station_main(&station, argc, argv);
}
