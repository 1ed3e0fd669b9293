/* SPDX-License-Identifier: BSD-3-Clause */
/* A group key on its way: fanned out by the dataplane under each member's own NAS context, taken by the members, and used. */
#include "../host-api/keys/group_pdu.h"
#include "../ue/group.h"
#include "appliance_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

#define START 1800000000
#define UES 70 /* more than a batch */
#define TEXT "Flood warning"

static const struct fan_group_session session = { .service_id = { 0xa1, 0xa2, 0xa3 },
						  .plmn = { 0x62, 0xf2, 0x10 },
						  .key_group = { 0xbe, 0xef } };

/* The run of one test. */
static struct fan_test_side side;
static struct fan_test_appliance appliance;
static struct fan_ue_groups *member[UES];
static struct fan_group_key key;
static unsigned deliveries;

static void
open_run(enum fan_kind kind)
{
	const struct fan_ue_group_home home = { .plmn = { 0x62, 0xf2, 0x10 }, .domain = "example.org" };
	const uint8_t master[32] = { 1, 2, 3 };

	fan_test_side_open(&side, UES);
	side.keep_bytes_max = 1 << 20;
	fan_test_appliance_open(&appliance, &side, NULL);
	for (unsigned i = 0; i < UES; i++) {
		fan_test_provision(&appliance, fan_test_subscribe(&side, kind, (uint8_t)(i % 4), (uint8_t)(1 + i % 3)));
		member[i] = fan_ue_groups_open(&home);
		cr_assert_not_null(member[i]);
	}
	key = (struct fan_group_key){
		.gki = 7, .cipher = 2, .integrity = 2, .tag_bytes = FAN_GROUP_TAG_BYTES, .start_s = START, .duration_min = 60
	};
	cr_assert_eq(fan_group_gid_write(&key.gid, "flood@example.org"), 0);
	cr_assert_eq(fan_group_key_derive(&key, master, sizeof(master)), 0);
}

static void
close_run(void)
{
	for (unsigned i = 0; i < UES; i++)
		fan_ue_groups_close(member[i]);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

static struct fan_message
make_message(uint8_t *octets, enum fan_kind kind)
{
	const struct fan_group_entry entry = { .key = key };
	const int octet_count = kind == FAN_KIND_EPS_NAS ? fan_group_entry_write(octets, &entry, NULL)
							 : fan_group_session_write(octets, &session, &key);
	struct fan_message message;

	cr_assert_gt(octet_count, 0, "%s", fan_error_detail());
	fan_test_message(&message, octets, (size_t)octet_count);
	message.group_keys = true;
	return message;
}

static enum fan_ue_group_verdict
give(unsigned i, const struct fan_ue_delivery *delivery, enum fan_kind kind)
{
	struct fan_ue_group_announcement announcement = { .gid_bytes = key.gid.octet_count,
							  .service_id = { 0xa1, 0xa2, 0xa3 },
							  .key_group = { 0xbe, 0xef },
							  .cipher = key.cipher,
							  .integrity = key.integrity,
							  .tag_bytes = key.tag_bytes,
							  .start_s = key.start_s,
							  .duration_min = key.duration_min };

	memcpy(announcement.gid, key.gid.octets, key.gid.octet_count);
	if (kind == FAN_KIND_EPS_NAS)
		return fan_ue_groups_take(member[i], delivery->data, delivery->data_bytes, NULL);
	return fan_ue_groups_take_session(member[i], delivery->data, delivery->data_bytes, &announcement);
}

/* Opens every frame that came, as its UE does for the first time, and hands the UE what was in it. */
static void
take_deliveries(enum fan_kind kind, enum fan_ue_form form)
{
	const size_t end = side.kept_bytes;

	for (unsigned i = 0; i < side.subscriber_count; i++)
		side.subscribers[i].state = (struct fan_ue_state){ 0 };
	for (size_t at = 0; at < end;) {
		struct fan_ue_delivery delivery;
		uint32_t length;
		unsigned i;

		memcpy(&length, side.kept + at, sizeof(length));
		cr_assert_eq(fan_ue_receive(side.receiver, &delivery, side.kept + at + sizeof(length), length),
			     FAN_UE_ACCEPTED);
		i = (unsigned)((struct fan_test_subscriber *)(void *)((char *)delivery.state -
								      offsetof(struct fan_test_subscriber, state)) -
			       side.subscribers);
		cr_assert_eq(delivery.form, form);
		cr_assert_eq(give(i, &delivery, kind), FAN_UE_GROUP_ACCEPTED, "UE %u", i);
		deliveries++;
		at += sizeof(length) + length;
	}
}

static int64_t
take_count(void *user, const struct fan_group_key *of)
{
	int64_t *next = user;

	(void)of;
	return (*next)++;
}

/* What each UE says to a message under the key. */
static void
expect_members(unsigned first, unsigned count)
{
	int64_t next = 0;
	const struct fan_group_sending sending = { take_count, &next, NULL, START };
	struct fan_group_keys keys = { 0 };
	uint8_t pdu[FAN_GROUP_PDU_BYTES_MAX];
	int octet_count;

	cr_assert_eq(fan_group_keys_renew(&keys, &key, START, 0), 0);
	octet_count = fan_group_pdu_seal(pdu, &keys, &sending, TEXT, strlen(TEXT));
	cr_assert_gt(octet_count, 0, "%s", fan_error_detail());
	for (unsigned i = 0; i < UES; i++) {
		struct fan_ue_group_message message;
		const enum fan_ue_group_verdict verdict = fan_ue_groups_receive(member[i], &message, pdu, (size_t)octet_count,
										START);

		cr_expect_eq(verdict, i >= first && i < first + count ? FAN_UE_GROUP_ACCEPTED : FAN_UE_GROUP_WRONG_GROUP,
			     "UE %u: %s", i, fan_ue_group_verdict_name(verdict));
	}
}

static void
rekey(enum fan_kind kind, enum fan_profile profile, enum fan_ue_form form)
{
	uint8_t octets[FAN_GROUP_ENTRY_BYTES_MAX];
	struct fan_message message;
	struct fan_group *group;

	open_run(kind);
	/* The last four are not marked able: they are members under no profile for keys. */
	group = fan_test_group(&appliance, "keys@example.org", 0, UES - 4, profile);
	message = make_message(octets, kind);
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(appliance.result.sent, UES - 4);
	cr_assert_eq(appliance.profile[profile].sent, UES - 4);
	take_deliveries(kind, form);
	cr_assert_eq(deliveries, UES - 4);
	expect_members(0, UES - 4);
	close_run();
}

Test(keys_rekey, members_of_eps_take_the_dedicated_message_and_open_what_follows)
{
	rekey(FAN_KIND_EPS_NAS, FAN_PROFILE_EPS_NAS_KEY, FAN_UE_KEYS);
}

Test(keys_rekey, members_of_5gs_take_the_received_mbs_container_and_open_what_follows)
{
	rekey(FAN_KIND_5GS_NAS, FAN_PROFILE_5GS_NAS_KEY, FAN_UE_KEYS);
}

/* The forms that a modem of today hands to its application: the profiles that there were before. */
Test(keys_rekey, entries_as_user_data_need_no_profile_of_their_own)
{
	rekey(FAN_KIND_EPS_NAS, FAN_PROFILE_EPS_NAS_NIDD, FAN_UE_NIDD);
}

Test(keys_rekey, container_as_ciot_user_data_needs_no_profile_of_its_own)
{
	rekey(FAN_KIND_5GS_NAS, FAN_PROFILE_5GS_NAS_CIOT, FAN_UE_CIOT);
}

Test(keys_rekey, entries_reach_an_application_port_by_short_message)
{
	uint8_t octets[FAN_GROUP_ENTRY_BYTES_MAX];
	struct fan_message message;
	struct fan_group *group;

	open_run(FAN_KIND_EPS_NAS);
	group = fan_test_group(&appliance, "keys@example.org", 0, 3, FAN_PROFILE_EPS_NAS_SMS);
	message = make_message(octets, FAN_KIND_EPS_NAS);
	message.coding = FAN_CODING_8BIT;
	message.device_trigger = true;
	message.application_port = 16000;
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(appliance.result.sent, 3);
	cr_expect_eq(side.last.application_port, 16000);
	take_deliveries(FAN_KIND_EPS_NAS, FAN_UE_SMS);
	expect_members(0, 3);
	close_run();
}

/* Entries go to those of EPS and a container to those of 5GS: a new key of a group of both is two messages. */
Test(keys_rekey, in_a_group_of_both_networks_each_gets_its_own_octets)
{
	uint8_t octets[FAN_GROUP_ENTRY_BYTES_MAX];
	static const enum fan_kind kinds[] = { FAN_KIND_EPS_NAS, FAN_KIND_5GS_NAS };
	static const enum fan_profile profiles[] = { FAN_PROFILE_EPS_NAS_KEY, FAN_PROFILE_5GS_NAS_KEY };
	struct fan_message message;
	struct fan_group *group;

	open_run(FAN_KIND_EPS_NAS);
	group = fan_test_group(&appliance, "keys@example.org", 0, 1, FAN_PROFILE_EPS_NAS_KEY);
	message = make_message(octets, FAN_KIND_5GS_NAS);
	cr_expect_eq(fan_send(appliance.fanfare, NULL, group, &message, NULL, NULL), FAN_E_INVALID);
	cr_expect_not_null(strstr(fan_error_detail(), "this form of a key"), "%s", fan_error_detail());
	close_run();
	fan_test_side_open(&side, 2);
	fan_test_appliance_open(&appliance, &side, NULL);
	for (unsigned i = 0; i < 2; i++) {
		fan_test_provision(&appliance, fan_test_subscribe(&side, kinds[i], 2, 2));
		group = fan_test_group(&appliance, "keys@example.org", i, 1, profiles[i]);
	}
	for (unsigned i = 0; i < 2; i++) {
		message = make_message(octets, kinds[i]);
		fan_test_send(&appliance, group, &message);
		cr_expect_eq(appliance.result.ues, 1);
		cr_expect_eq(appliance.profile[profiles[i]].sent, 1);
	}
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

/* A sender's own text must not become a key, whatever its octets are. */
Test(keys_rekey, message_that_is_not_marked_as_keys_reaches_no_key_profile)
{
	uint8_t octets[FAN_GROUP_ENTRY_BYTES_MAX];
	struct fan_message message;
	struct fan_group *group;

	open_run(FAN_KIND_EPS_NAS);
	group = fan_test_group(&appliance, "keys@example.org", 0, 3, FAN_PROFILE_EPS_NAS_KEY);
	message = make_message(octets, FAN_KIND_EPS_NAS);
	message.group_keys = false;
	cr_expect_eq(fan_send(appliance.fanfare, NULL, group, &message, NULL, NULL), FAN_E_INVALID);
	close_run();
}
