/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys of groups as the library keeps them: given out, proved by COUNT, renewed, taken away, and safe across crashes. */
#define _GNU_SOURCE
#include "../host-api/appliance/handles.h"
#include "../ue/group.h"
#include "appliance_fixture.h"
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define GID "flood@example.org"
#define UES 12 /* the first half of EPS, the others of 5GS */
#define HALF (UES / 2)
#define TEXT "Flood warning"

/* The run of one test. */
static struct fan_test_side side;
static struct fan_test_appliance appliance;
static struct fan_ue_groups *member[UES];
static struct fan_group *group;

static const struct fan_ue_group_home home = { .plmn = { 0x62, 0xf2, 0x10 }, .domain = "example.org" };

static void
done(int error)
{
	cr_assert_eq(error, 0, "%s", fan_error_detail());
}

static void
refused(int error, int wanted, const char *part)
{
	cr_assert_eq(error, wanted, "%d: %s", error, fan_error_detail());
	cr_assert_not_null(strstr(fan_error_detail(), part), "%s", fan_error_detail());
}

/* All are members by NIDD or CIoT data, and the first `able` of each network take keys too. */
static void
open_run(unsigned able)
{
	fan_test_side_open(&side, UES);
	side.keep_bytes_max = 1 << 20;
	fan_test_appliance_open(&appliance, &side, NULL);
	for (unsigned i = 0; i < UES; i++) {
		fan_test_provision(&appliance, fan_test_subscribe(&side, i < HALF ? FAN_KIND_EPS_NAS : FAN_KIND_5GS_NAS, 2, 2));
		member[i] = fan_ue_groups_open(&home);
		cr_assert_not_null(member[i]);
	}
	group = fan_test_group(&appliance, GID, 0, HALF, FAN_PROFILE_EPS_NAS_NIDD);
	(void)fan_test_group(&appliance, GID, HALF, HALF, FAN_PROFILE_5GS_NAS_CIOT);
	(void)fan_test_group(&appliance, GID, 0, able, FAN_PROFILE_EPS_NAS_KEY);
	(void)fan_test_group(&appliance, GID, HALF, able, FAN_PROFILE_5GS_NAS_KEY);
}

static void
close_run(void)
{
	for (unsigned i = 0; i < UES; i++)
		fan_ue_groups_close(member[i]);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

static struct fan_group_key_options
make_options(void)
{
	struct fan_group_key_options options;

	fan_group_key_options_init(&options);
	options.has_session = true;
	memcpy(options.service_id, "\xa1\xa2\xa3", 3);
	memcpy(options.plmn, "\x62\xf2\x10", 3);
	memcpy(options.key_group, "\xbe\xef", 2);
	return options;
}

static struct fan_group_key_status
status_of(const struct fan_group *of)
{
	struct fan_group_key_status status;

	fan_group_key_status_init(&status);
	done(fan_group_key_status(of, &status));
	return status;
}

/* What the announcement of the service tells members of 5GS. */
static struct fan_ue_group_announcement
announce(void)
{
	const struct fan_group_key_status status = status_of(group);
	struct fan_ue_group_announcement announcement = { .service_id = { 0xa1, 0xa2, 0xa3 },
							  .key_group = { 0xbe, 0xef },
							  .cipher = status.cipher,
							  .integrity = status.integrity,
							  .tag_bytes = status.tag_bytes,
							  .start_s = status.start_s,
							  .duration_min = status.duration_min };
	struct fan_group_gid gid;

	done(fan_group_gid_write(&gid, GID));
	memcpy(announcement.gid, gid.octets, gid.octet_count);
	announcement.gid_bytes = gid.octet_count;
	return announcement;
}

static void
take_keys(struct fan_ue_groups *of, bool eps, const struct fan_ue_delivery *delivery)
{
	struct fan_ue_group_announcement announcement;
	enum fan_ue_group_verdict verdict;

	if (eps) {
		verdict = fan_ue_groups_take(of, delivery->data, delivery->data_bytes, NULL);
	} else {
		announcement = announce();
		verdict = fan_ue_groups_take_session(of, delivery->data, delivery->data_bytes, &announcement);
	}
	cr_assert_eq(verdict, FAN_UE_GROUP_ACCEPTED, "%s", fan_ue_group_verdict_name(verdict));
}

/* Polls until nothing comes any more, and gives each UE's group side what came as keys. Out: which UEs these were, a bit each. */
static unsigned
hand_out(void)
{
	struct fan_ue_state before[UES];
	unsigned given = 0;
	const size_t from = side.kept_bytes;

	side.message = NULL;
	for (unsigned i = 0; i < side.subscriber_count; i++)
		before[i] = side.subscribers[i].state;
	/* The call in which a key is sent is not the one in which it leaves. */
	appliance.fanfare->keyrings_stirred = true;
	fan_test_run(&appliance, 0);
	fan_test_run(&appliance, 0);
	for (unsigned i = 0; i < side.subscriber_count; i++)
		side.subscribers[i].state = before[i];
	for (size_t at = from; at < side.kept_bytes;) {
		struct fan_ue_delivery delivery;
		uint32_t length;
		unsigned i;

		memcpy(&length, side.kept + at, sizeof(length));
		cr_assert_eq(fan_ue_receive(side.receiver, &delivery, side.kept + at + sizeof(length), length),
			     FAN_UE_ACCEPTED);
		i = (unsigned)((struct fan_test_subscriber *)(void *)((char *)delivery.state -
								      offsetof(struct fan_test_subscriber, state)) -
			       side.subscribers);
		if (delivery.form == FAN_UE_KEYS) {
			take_keys(member[i], i < HALF, &delivery);
			given |= 1U << i;
		}
		at += sizeof(length) + length;
	}
	return given;
}

/* The UEs of a mask acknowledge what they accepted last. */
static void
acknowledge(unsigned which)
{
	for (unsigned i = 0; i < UES; i++)
		if ((which >> i & 1) != 0)
			done(fan_ue_acknowledged(appliance.fanfare, side.subscribers[i].id, side.subscribers[i].last_count));
}

/* Which UEs are known to have the current key. */
static unsigned
holders(void)
{
	unsigned which = 0;

	for (unsigned i = 0; i < UES; i++)
		which |= (unsigned)fan_group_key_held(group, fan_context_table_index(side.subscribers[i].id),
						      (uint32_t)side.subscribers[i].id)
			 << i;
	return which;
}

/* Which UEs open a message that is sealed now. */
static unsigned
readers(void)
{
	uint8_t pdu[FAN_GROUP_PDU_BYTES_MAX];
	size_t pdu_bytes;
	unsigned which = 0;

	done(fan_group_seal(group, pdu, &pdu_bytes, TEXT, strlen(TEXT)));
	for (unsigned i = 0; i < UES; i++) {
		struct fan_ue_group_message message;

		if (fan_ue_groups_receive(member[i], &message, pdu, pdu_bytes, time(NULL)) != FAN_UE_GROUP_ACCEPTED)
			continue;
		cr_assert_arr_eq(message.payload, TEXT, strlen(TEXT));
		which |= 1U << i;
	}
	return which;
}

#define ALL ((1U << UES) - 1)

static void
begin(unsigned able)
{
	const struct fan_group_key_options options = make_options();

	open_run(able);
	done(fan_group_key_set(group, &options));
}

/* ---- Given out, proved --------------------------------------------------------------------------------------------------------- */

Test(keyring, one_group_of_both_networks_takes_its_key_in_each_form_and_opens_what_follows)
{
	begin(HALF);
	cr_assert_eq(holders(), 0);
	cr_assert_eq(hand_out(), ALL);
	cr_assert_eq(holders(), 0, "what was sent is not what was received");
	acknowledge(ALL);
	cr_assert_eq(holders(), ALL);
	cr_assert_eq(status_of(group).held, UES);
	cr_assert_eq(readers(), ALL);
	close_run();
}

Test(keyring, a_message_that_is_no_key_goes_to_members_and_not_to_those_able)
{
	struct fan_message message;

	open_run(2);
	fan_test_message(&message, TEXT, strlen(TEXT));
	fan_test_send(&appliance, group, &message);
	cr_expect_eq(appliance.result.ues, UES);
	cr_expect_eq(appliance.profile[FAN_PROFILE_EPS_NAS_NIDD].sent, HALF);
	cr_expect_eq(appliance.profile[FAN_PROFILE_EPS_NAS_KEY].ues, 0);
	close_run();
}

static void
count_without(void *user, fan_context_id id, bool able)
{
	unsigned *counts = user;

	(void)id;
	counts[able]++;
}

Test(keyring, who_is_not_able_is_sent_no_key_and_is_listed_as_without_it)
{
	unsigned counts[2] = { 0, 0 };

	begin(2);
	cr_assert_eq(hand_out(), 3U | 3U << HALF);
	acknowledge(1);
	fan_group_key_not_held(group, count_without, counts);
	cr_expect_eq(counts[true], 3);
	cr_expect_eq(counts[false], UES - 4);
	cr_expect_eq(readers(), 3U | 3U << HALF);
	cr_expect_eq(status_of(group).able, 4);
	cr_expect_eq(status_of(group).members, UES);
	close_run();
}

/* A UE may accept a message behind a key that it never got: that COUNT proves itself and no other. */
Test(keyring, only_the_count_of_the_key_itself_is_a_proof)
{
	struct fan_message message;
	uint32_t of_key[UES];

	begin(HALF);
	cr_assert_eq(hand_out(), ALL);
	for (unsigned i = 0; i < UES; i++)
		of_key[i] = side.subscribers[i].last_count;
	fan_test_message(&message, TEXT, strlen(TEXT));
	fan_test_send(&appliance, group, &message);
	acknowledge(ALL);
	cr_assert_eq(holders(), 0, "a later COUNT proved an earlier one");
	for (unsigned i = 0; i < UES; i++)
		cr_assert_eq(side.subscribers[i].last_count, of_key[i] + 1);
	/* It moves no window any more, and is a proof all the same. */
	done(fan_ue_acknowledged(appliance.fanfare, side.subscribers[3].id, of_key[3]));
	cr_assert_eq(holders(), 1U << 3);
	close_run();
}

Test(keyring, a_renewal_ends_the_proof_of_the_key_before)
{
	begin(HALF);
	(void)hand_out();
	acknowledge(ALL);
	done(fan_group_key_rotate(group));
	cr_assert_eq(holders(), 0);
	acknowledge(ALL);
	cr_assert_eq(holders(), 0, "the COUNT of the key before is none of this one");
	cr_assert_eq(hand_out(), ALL);
	acknowledge(ALL);
	cr_assert_eq(holders(), ALL);
	cr_assert_eq(status_of(group).gki, 1);
	cr_assert_eq(readers(), ALL);
	close_run();
}

Test(keyring, who_becomes_able_later_is_sent_the_key_and_nobody_else_again)
{
	begin(2);
	(void)hand_out();
	(void)fan_test_group(&appliance, GID, 2, 1, FAN_PROFILE_EPS_NAS_KEY);
	cr_assert_not(status_of(group).is_sent);
	cr_assert_eq(hand_out(), 1U << 2);
	(void)fan_test_group(&appliance, GID, 2, 1, FAN_PROFILE_EPS_NAS_KEY);
	cr_assert_eq(hand_out(), 0, "who was able before is sent nothing");
	acknowledge(1U << 2);
	cr_assert_eq(holders(), 1U << 2);
	close_run();
}

Test(keyring, resending_reaches_those_without_proof_alone)
{
	begin(HALF);
	(void)hand_out();
	acknowledge(ALL & ~5U);
	done(fan_group_key_resend(group));
	cr_assert_eq(hand_out(), 5U);
	cr_assert_gt(group->keys->proof_count, 0);
	acknowledge(5U);
	cr_assert_eq(holders(), ALL);
	(void)hand_out();
	cr_assert_eq(group->keys->proof_count, 0, "no COUNT is kept that nobody waits for");
	done(fan_group_key_resend(group));
	cr_assert_eq(hand_out(), 0);
	close_run();
}

/* ---- Taken away ------------------------------------------------------------------------------------------------------------------ */

Test(keyring, a_removed_member_cannot_read_the_next_message)
{
	begin(HALF);
	(void)hand_out();
	acknowledge(ALL);
	done(fan_group_remove(group, side.subscribers[1].id));
	cr_assert_eq(holders(), 0, "what they have is about to be replaced");
	cr_assert_eq(readers(), 0, "sealing renews first");
	cr_assert_eq(hand_out(), ALL & ~2U);
	cr_assert_eq(readers(), ALL & ~2U);
	close_run();
}

Test(keyring, several_removals_between_two_polls_are_one_renewal)
{
	begin(HALF);
	(void)hand_out();
	for (unsigned i = 0; i < 4; i++)
		done(fan_group_remove(group, side.subscribers[i].id));
	cr_assert_eq(hand_out(), ALL & ~0xfU);
	cr_assert_eq(status_of(group).rotations, 2);
	cr_assert_eq(status_of(group).able, UES - 4);
	close_run();
}

Test(keyring, a_context_that_is_removed_has_left_its_groups_keys)
{
	uint32_t next_count;
	uint16_t unacknowledged;

	begin(HALF);
	(void)hand_out();
	acknowledge(ALL);
	done(fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, side.subscribers[HALF].id));
	cr_assert_eq(hand_out(), ALL & ~(1U << HALF));
	cr_assert_eq(status_of(group).rotations, 2);
	cr_assert_eq(status_of(group).able, UES - 1);
	cr_assert_eq(readers(), ALL & ~(1U << HALF));
	close_run();
}

Test(keyring, a_member_that_was_never_able_makes_nothing_due)
{
	begin(2);
	(void)hand_out();
	done(fan_group_remove(group, side.subscribers[3].id));
	cr_assert_eq(hand_out(), 0);
	cr_assert_eq(status_of(group).rotations, 1);
	close_run();
}

Test(keyring, who_comes_back_has_to_prove_the_key_anew)
{
	struct fan_group_key_options options = make_options();

	open_run(HALF);
	options.rekey_on_removal = false;
	done(fan_group_key_set(group, &options));
	(void)hand_out();
	acknowledge(ALL);
	done(fan_group_remove(group, side.subscribers[0].id));
	done(fan_group_add(group, side.subscribers[0].id, FAN_PROFILE_EPS_NAS_KEY));
	cr_assert_eq(holders(), ALL & ~1U);
	acknowledge(1U);
	cr_assert_eq(holders(), ALL & ~1U, "the COUNT of before it left");
	cr_assert_eq(hand_out(), 1U);
	acknowledge(1U);
	cr_assert_eq(holders(), ALL);
	close_run();
}

/* The key before is taken from members that stay too, or who left could still speak to them. */
Test(keyring, members_of_eps_forget_the_key_that_a_removed_member_has)
{
	uint8_t pdu[FAN_GROUP_PDU_BYTES_MAX];
	struct fan_ue_group_message message;
	size_t pdu_bytes;

	begin(HALF);
	(void)hand_out();
	done(fan_group_seal(group, pdu, &pdu_bytes, TEXT, strlen(TEXT)));
	done(fan_group_remove(group, side.subscribers[1].id));
	(void)hand_out();
	cr_expect_eq(fan_ue_groups_receive(member[0], &message, pdu, pdu_bytes, time(NULL)), FAN_UE_GROUP_OLD_KEY);
	cr_expect_eq(fan_ue_groups_receive(member[1], &message, pdu, pdu_bytes, time(NULL)), FAN_UE_GROUP_ACCEPTED);
	close_run();
}

Test(keyring, removing_the_key_makes_members_of_eps_forget_it_and_seals_nothing_more)
{
	uint8_t pdu[FAN_GROUP_PDU_BYTES_MAX], after[FAN_GROUP_PDU_BYTES_MAX];
	struct fan_ue_group_message message;
	size_t pdu_bytes, after_bytes;

	begin(HALF);
	(void)hand_out();
	acknowledge(ALL);
	done(fan_group_seal(group, pdu, &pdu_bytes, TEXT, strlen(TEXT)));
	done(fan_group_key_remove(group));
	refused(fan_group_seal(group, after, &after_bytes, TEXT, strlen(TEXT)), FAN_E_NOT_FOUND, "no key");
	cr_assert_eq(holders(), 0);
	cr_assert_eq(hand_out(), (1U << HALF) - 1);
	cr_expect_eq(fan_ue_groups_receive(member[0], &message, pdu, pdu_bytes, time(NULL)), FAN_UE_GROUP_OLD_KEY);
	refused(fan_group_key_rotate(group), FAN_E_NOT_FOUND, "no key");
	close_run();
}

/* ---- Time -------------------------------------------------------------------------------------------------------------------------- */

Test(keyring, a_key_is_renewed_before_it_ends)
{
	struct fan_group_key_options options = make_options();

	open_run(HALF);
	options.duration_min = 60;
	options.overlap_s = 600;
	options.start_s = time(NULL) - 3239;
	done(fan_group_key_set(group, &options));
	cr_assert_eq(status_of(group).rotations, 1);
	options.start_s = time(NULL) - 3240;
	done(fan_group_key_set(group, &options));
	cr_assert(status_of(group).is_due);
	cr_assert_eq(hand_out(), ALL);
	cr_assert_eq(status_of(group).rotations, 3);
	cr_assert(status_of(group).has_previous);
	cr_assert_eq(status_of(group).previous_gki, 1);
	cr_assert_not(status_of(group).is_due);
	cr_assert_eq(readers(), ALL);
	close_run();
}

Test(keyring, at_the_end_of_an_overlap_members_of_eps_forget_the_key_before)
{
	struct fan_group_key_options options = make_options();
	uint8_t pdu[FAN_GROUP_PDU_BYTES_MAX];
	struct fan_ue_group_message message;
	size_t pdu_bytes;

	open_run(HALF);
	options.overlap_s = 3600;
	done(fan_group_key_set(group, &options));
	(void)hand_out();
	done(fan_group_seal(group, pdu, &pdu_bytes, TEXT, strlen(TEXT)));
	done(fan_group_key_rotate(group));
	cr_assert_eq(hand_out(), ALL);
	cr_assert(status_of(group).has_previous);
	cr_expect_eq(fan_ue_groups_receive(member[0], &message, pdu, pdu_bytes, time(NULL)), FAN_UE_GROUP_ACCEPTED);
	/* An hour is over. */
	group->keys->kept.previous_end_s = group->keys->kept.start_s + 1;
	while (status_of(group).has_previous)
		(void)hand_out();
	(void)hand_out();
	cr_assert_not(group->keys->kept.has_previous);
	cr_expect_eq(fan_ue_groups_receive(member[1], &message, pdu, pdu_bytes, time(NULL)), FAN_UE_GROUP_OLD_KEY);
	cr_expect_eq(fan_ue_groups_receive(member[HALF], &message, pdu, pdu_bytes, time(NULL)), FAN_UE_GROUP_ACCEPTED);
	cr_assert_eq(readers(), ALL);
	close_run();
}

Test(keyring, a_key_is_renewed_before_its_counts_end)
{
	begin(HALF);
	(void)hand_out();
	group->keys->next_count = UINT32_MAX - 65536;
	cr_assert_eq(readers(), ALL);
	cr_assert_eq(status_of(group).gki, 0);
	cr_assert_eq(readers(), 0);
	cr_assert_eq(status_of(group).gki, 1);
	cr_assert_eq(hand_out(), ALL);
	cr_assert_eq(readers(), ALL);
	close_run();
}

/* ---- Options ------------------------------------------------------------------------------------------------------------------------ */

static const uint8_t octets_of_key[64] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde";

static const struct {
	int error;
	const char *part;
	uint8_t cipher, integrity, tag_bytes;
	uint16_t duration_min;
	size_t master_bytes;
	bool imported, no_session;
	int gki;
} option_rows[] = {
	{ FAN_E_INVALID, "cipher 4", 4, 2, 8, 60, 0, false, false, -1 },
	{ FAN_E_INVALID, "integrity 0", 2, 0, 4, 60, 0, false, false, -1 },
	{ FAN_E_INVALID, "tag of 5", 2, 2, 5, 60, 0, false, false, -1 },
	{ FAN_E_INVALID, "yields 32 bits", 1, 1, 8, 60, 0, false, false, -1 },
	{ FAN_E_INVALID, "duration", 2, 2, 8, 0, 0, false, false, -1 },
	{ FAN_E_INVALID, "15 octets", 2, 2, 8, 60, 15, false, false, -1 },
	{ FAN_E_INVALID, "k_integ is not given", 2, 2, 8, 60, 0, false, false, 3 },
	{ FAN_E_UNSUPPORTED, "needs a store", 2, 2, 8, 60, 0, true, false, -1 },
	{ FAN_E_INVALID, "needs a session", 2, 2, 8, 60, 0, false, true, -1 },
};

Test(keyring, options_that_cannot_be_are_refused_and_leave_no_key)
{
	open_run(HALF);
	for (size_t i = 0; i < sizeof(option_rows) / sizeof(option_rows[0]); i++) {
		struct fan_group_key_options options = make_options();
		struct fan_group_key_status status;

		options.cipher = option_rows[i].cipher;
		options.integrity = option_rows[i].integrity;
		options.tag_bytes = option_rows[i].tag_bytes;
		options.duration_min = option_rows[i].duration_min;
		options.gki = option_rows[i].gki;
		options.has_session = !option_rows[i].no_session;
		if (option_rows[i].master_bytes > 0) {
			options.master = octets_of_key;
			options.master_bytes = option_rows[i].master_bytes;
		}
		if (option_rows[i].imported) {
			options.k_integ = octets_of_key;
			options.k_conf = octets_of_key + 1;
		}
		refused(fan_group_key_set(group, &options), option_rows[i].error, option_rows[i].part);
		fan_group_key_status_init(&status);
		cr_expect_eq(fan_group_key_status(group, &status), FAN_E_NOT_FOUND);
	}
	close_run();
}

static struct fan_key_metrics
read_metrics(void)
{
	struct fan_metrics metrics;

	fan_metrics_read(appliance.fanfare, &metrics);
	return metrics.keys;
}

Test(keyring, a_form_that_the_key_has_not_is_tried_again_and_told_until_it_has)
{
	struct fan_group_key_options options = make_options();

	open_run(0);
	options.has_session = false;
	done(fan_group_key_set(group, &options));
	(void)fan_test_group(&appliance, GID, 0, 1, FAN_PROFILE_EPS_NAS_KEY);
	(void)fan_test_group(&appliance, GID, HALF, 1, FAN_PROFILE_5GS_NAS_KEY);
	cr_assert_eq(hand_out(), 1U, "others get theirs");
	cr_assert_gt(status_of(group).failures, 0);
	cr_assert_not_null(strstr(status_of(group).failure, "no session"), "%s", status_of(group).failure);
	cr_assert_not(status_of(group).is_sent);
	cr_assert_eq(read_metrics().failures, status_of(group).failures);
	options.has_session = true;
	done(fan_group_key_set(group, &options));
	while (!status_of(group).is_sent)
		cr_assert_eq(hand_out() & ~(1U | 1U << HALF), 0);
	(void)hand_out();
	cr_assert_str_eq(status_of(group).failure, "");
	cr_assert_eq(readers(), 1U | 1U << HALF);
	close_run();
}

Test(keyring, figures_say_how_many_have_keys_and_who_holds_them)
{
	struct fan_key_metrics keys;

	begin(2);
	(void)hand_out();
	acknowledge(1);
	do {
		(void)hand_out();
		keys = read_metrics();
	} while (keys.held == 0);
	cr_expect_eq(keys.groups, 1);
	cr_expect_eq(keys.able, 4);
	cr_expect_eq(keys.held, 1);
	cr_expect_eq(keys.rotations, 1);
	cr_expect_eq(keys.due, 0);
	cr_expect_eq(keys.failures, 0);
	close_run();
}

/* Whoever knows the master key of one group must not have the keys of the next. */
Test(keyring, a_group_made_anew_under_the_same_master_key_has_other_keys)
{
	struct fan_group_key_options options = make_options();
	uint8_t pdu[FAN_GROUP_PDU_BYTES_MAX];
	struct fan_ue_group_message message;
	size_t pdu_bytes;

	open_run(HALF);
	options.master = octets_of_key;
	options.master_bytes = 32;
	done(fan_group_key_set(group, &options));
	(void)hand_out();
	done(fan_group_delete(group));
	group = fan_test_group(&appliance, GID, 0, HALF, FAN_PROFILE_EPS_NAS_KEY);
	done(fan_group_key_set(group, &options));
	cr_assert_eq(status_of(group).gki, 0, "without a store nobody knows of the group before");
	done(fan_group_seal(group, pdu, &pdu_bytes, TEXT, strlen(TEXT)));
	cr_expect_eq(fan_ue_groups_receive(member[0], &message, pdu, pdu_bytes, time(NULL)), FAN_UE_GROUP_BAD_MAC);
	close_run();
}

Test(keyring, in_signed_mode_members_take_what_the_sender_has_signed)
{
	struct fan_group_key_options options = make_options();

	open_run(HALF);
	options.signer = octets_of_key;
	for (unsigned i = HALF; i < UES; i++)
		done(fan_group_remove(group, side.subscribers[i].id));
	done(fan_group_key_set(group, &options));
	(void)hand_out();
	cr_assert_eq(readers(), (1U << HALF) - 1);
	cr_assert(status_of(group).is_signed);
	close_run();
}

Test(keyring, a_payload_that_is_too_long_spends_no_count)
{
	static const uint8_t payload[FAN_GROUP_PAYLOAD_BYTES_MAX + 1];
	uint8_t pdu[FAN_GROUP_PDU_BYTES_MAX];
	size_t pdu_bytes;

	begin(HALF);
	refused(fan_group_seal(group, pdu, &pdu_bytes, payload, sizeof(payload)), FAN_E_INVALID, "1301 octets");
	refused(fan_group_seal(group, pdu, &pdu_bytes, payload, 0), FAN_E_INVALID, "0 octets");
	cr_expect_eq(status_of(group).next_count, 0);
	done(fan_group_seal(group, pdu, &pdu_bytes, payload, sizeof(payload) - 1));
	cr_expect_eq(status_of(group).next_count, 1);
	close_run();
}

/* ---- With a store ------------------------------------------------------------------------------------------------------------------ */

TestSuite(keyring_kept, .init = fan_test_store_set_up, .fini = fan_test_store_tear_down);

/* What lives of one test tell each other. */
static struct {
	uint32_t count[UES];
	uint64_t next_count;
	uint8_t pdu[FAN_GROUP_PDU_BYTES_MAX];
	size_t pdu_bytes;
	int failed; /* a line of the test that found something wrong */
} * seen;
static struct fanfare *fanfare;
static fan_context_id ids[UES];

#define CHECK(is) check((is), __LINE__)

static void
check(bool is, int line)
{
	if (is)
		return;
	if (seen->failed == 0)
		seen->failed = line;
	fprintf(stderr, "line %d: %s\n", line, fan_error_detail());
}

static void
die(void)
{
	(void)kill(getpid(), SIGKILL);
}

static void
live(void (*life)(void))
{
	fan_test_live(life);
	cr_assert_eq(seen->failed, 0, "see line %d", seen->failed);
}

static void
share(void)
{
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(seen != MAP_FAILED);
	memset(seen, 0, sizeof(*seen));
}

static void
open_kept(void)
{
	const struct fan_options options = fan_test_store_options();

	CHECK(fan_open(&fanfare, &options) == 0);
	group = fan_group_find(fanfare, GID);
	for (unsigned i = 0; group != NULL && i < UES; i++) {
		char identity[FAN_IDENTITY_BYTES];

		(void)snprintf(identity, sizeof(identity), "26201%010u", i);
		(void)fan_ue_lookup(fanfare, &ids[i], 1, identity);
	}
}

/* Twelve UEs of EPS in a group, all able. */
static void
make_kept(void)
{
	const struct fan_next_hop hop = fan_test_hop(0, false);

	open_kept();
	CHECK(fan_next_hop_add(fanfare, &hop) == 0);
	CHECK(fan_group_create(fanfare, &group, GID) == 0);
	for (unsigned i = 0; i < UES; i++) {
		char identity[FAN_IDENTITY_BYTES];
		struct fan_ue ue;

		fan_ue_init(&ue, FAN_KIND_EPS_NAS);
		(void)snprintf(identity, sizeof(identity), "26201%010u", i);
		ue.identity = identity;
		ue.cipher = ue.integrity = 2;
		ue.count_reserved = 1U << 24;
		ue.bearer_id = 5;
		ue.mme_ue_id = 1 + i;
		memset(ue.k_enc, (int)(1 + i), sizeof(ue.k_enc));
		memset(ue.k_int, (int)(100 + i), sizeof(ue.k_int));
		CHECK(fan_ue_add(fanfare, &ids[i], &ue) == 0);
		CHECK(fan_group_add(group, ids[i], FAN_PROFILE_EPS_NAS_NIDD) == 0);
		CHECK(fan_group_add(group, ids[i], FAN_PROFILE_EPS_NAS_KEY) == 0);
	}
}

static void
set_kept(void)
{
	struct fan_group_key_options options;

	fan_group_key_options_init(&options);
	CHECK(fan_group_key_set(group, &options) == 0);
}

/* Polls until the key has left for all, and is known to have. */
static void
run_kept(void)
{
	while (fan_poll(fanfare) > 0 || (group->keys != NULL && group->keys->kept.to_send != 0))
		;
}

static uint32_t
next_count_of(unsigned i)
{
	uint32_t count = 0;

	CHECK(fan_ue_count(fanfare, &count, NULL, NULL, ids[i]) == 0);
	return count;
}

static unsigned
kept_holders(void)
{
	unsigned which = 0;

	for (unsigned i = 0; i < UES; i++)
		which |= (unsigned)fan_group_key_held(group, fan_context_table_index(ids[i]), (uint32_t)ids[i]) << i;
	return which;
}

static struct fan_group_key_status
kept_status(void)
{
	struct fan_group_key_status status;

	fan_group_key_status_init(&status);
	CHECK(fan_group_key_status(group, &status) == 0);
	return status;
}

static void
close_kept(void)
{
	CHECK(fan_close(fanfare) == 0);
}

static void
set_and_die(void)
{
	make_kept();
	set_kept();
	die();
}

static void
expect_to_be_sent(void)
{
	open_kept();
	CHECK(kept_status().gki == 0 && kept_status().rotations == 1);
	CHECK(!kept_status().is_sent);
	for (unsigned i = 0; i < UES; i++)
		CHECK(next_count_of(i) == 0);
	run_kept();
	CHECK(kept_status().is_sent);
	for (unsigned i = 0; i < UES; i++)
		CHECK(next_count_of(i) == 1);
	close_kept();
}

static void
expect_to_send_nothing(void)
{
	open_kept();
	CHECK(kept_status().is_sent);
	run_kept();
	for (unsigned i = 0; i < UES; i++)
		CHECK(next_count_of(i) == 1);
	close_kept();
}

Test(keyring_kept, a_key_that_was_made_and_not_sent_is_sent_after_a_crash_and_once)
{
	share();
	live(set_and_die);
	live(expect_to_be_sent);
	live(expect_to_send_nothing);
}

static void
prove_and_die(void)
{
	make_kept();
	set_kept();
	run_kept();
	for (unsigned i = 0; i < UES; i++)
		if (i != 3)
			CHECK(fan_ue_acknowledged(fanfare, ids[i], next_count_of(i) - 1) == 0);
	CHECK(kept_holders() == (ALL & ~8U));
	/* Proofs are written a moment later. */
	while (group->keys->fresh.set_count > 0)
		(void)fan_poll(fanfare);
	die();
}

static void
expect_proofs_and_rotate(void)
{
	open_kept();
	CHECK(kept_holders() == (ALL & ~8U));
	CHECK(kept_status().held == UES - 1);
	CHECK(fan_group_key_rotate(group) == 0);
	die();
}

static void
expect_none(void)
{
	open_kept();
	CHECK(kept_status().gki == 1 && kept_holders() == 0 && kept_status().held == 0);
	close_kept();
}

Test(keyring_kept, proofs_outlive_a_crash_and_not_the_key_that_they_are_of)
{
	share();
	live(prove_and_die);
	live(expect_proofs_and_rotate);
	live(expect_none);
}

static void
remove_and_die(void)
{
	make_kept();
	set_kept();
	run_kept();
	CHECK(fan_group_seal(group, seen->pdu, &seen->pdu_bytes, TEXT, strlen(TEXT)) == 0);
	CHECK(fan_group_remove(group, ids[0]) == 0);
	die();
}

static void
remove_context_and_die(void)
{
	uint32_t next_count;
	uint16_t unacknowledged;

	make_kept();
	set_kept();
	run_kept();
	CHECK(fan_group_seal(group, seen->pdu, &seen->pdu_bytes, TEXT, strlen(TEXT)) == 0);
	CHECK(fan_ue_remove(fanfare, &next_count, &unacknowledged, ids[0]) == 0);
	die();
}

static void
expect_another_key(void)
{
	uint8_t pdu[FAN_GROUP_PDU_BYTES_MAX];
	size_t pdu_bytes;

	open_kept();
	CHECK(kept_status().is_due);
	CHECK(fan_group_seal(group, pdu, &pdu_bytes, TEXT, strlen(TEXT)) == 0);
	CHECK(seen->pdu[5] == 0 && pdu[5] == 1);
	CHECK(kept_status().rotations == 2 && kept_status().able == UES - 1);
	close_kept();
}

Test(keyring_kept, a_renewal_that_a_removal_made_due_comes_after_a_crash)
{
	share();
	live(remove_and_die);
	live(expect_another_key);
}

Test(keyring_kept, so_does_one_that_the_removal_of_a_context_made_due)
{
	share();
	live(remove_context_and_die);
	live(expect_another_key);
}

static void
seal_and_die(void)
{
	open_kept();
	for (unsigned i = 0; i < 3; i++) {
		uint32_t count = 0;

		CHECK(fan_group_seal(group, seen->pdu, &seen->pdu_bytes, TEXT, strlen(TEXT)) == 0);
		for (unsigned j = 6; j < 10; j++)
			count = count << 8 | seen->pdu[j];
		CHECK(count >= seen->next_count);
		seen->next_count = (uint64_t)count + 1;
	}
	die();
}

Test(keyring_kept, no_count_of_a_groups_key_is_spent_twice_across_crashes)
{
	share();
	live(set_and_die);
	for (unsigned i = 0; i < 3; i++)
		live(seal_and_die);
	cr_assert_gt(seen->next_count, 256);
}

/* ---- Keys of other nodes, groups that are made anew -------------------------------------------------------------------------------------- */

static int
import_key(const char *k_integ, const char *k_conf, int gki)
{
	struct fan_group_key_options options;

	fan_group_key_options_init(&options);
	options.k_integ = (const uint8_t *)k_integ;
	options.k_conf = (const uint8_t *)k_conf;
	options.gki = gki;
	return fan_group_key_set(group, &options);
}

static void
import_keys(void)
{
	struct fan_group *other;

	make_kept();
	CHECK(import_key("0123456789abcdef", "fedcba9876543210", 9) == 0);
	CHECK(kept_status().gki == 9 && kept_status().is_imported && kept_status().renewal_s == 0);
	CHECK(fan_group_key_rotate(group) == FAN_E_INVALID);
	CHECK(import_key("aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", 9) == FAN_E_EXISTS);
	CHECK(import_key("0123456789abcdef", "cccccccccccccccc", 10) == FAN_E_EXISTS);
	CHECK(import_key("cccccccccccccccc", "fedcba9876543210", 10) == FAN_E_EXISTS);
	CHECK(kept_status().gki == 9);
	CHECK(import_key("aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", 10) == 0);
	CHECK(fan_group_seal(group, seen->pdu, &seen->pdu_bytes, TEXT, strlen(TEXT)) == 0);
	/* Another node is to make the next one: until then nothing is sealed. */
	CHECK(fan_group_remove(group, ids[0]) == 0);
	CHECK(fan_group_seal(group, seen->pdu, &seen->pdu_bytes, TEXT, strlen(TEXT)) == FAN_E_INVALID);
	do
		(void)fan_poll(fanfare);
	while (fanfare->key_metrics.due != 1);
	CHECK(kept_status().is_due && kept_status().gki == 10);
	CHECK(import_key("ffffffffffffffff", "gggggggggggggggg", 11) == 0);
	CHECK(fan_group_seal(group, seen->pdu, &seen->pdu_bytes, TEXT, strlen(TEXT)) == 0);
	CHECK(fan_group_delete(group) == 0);
	CHECK(fan_group_create(fanfare, &group, GID) == 0);
	CHECK(import_key("0123456789abcdef", "dddddddddddddddd", 12) == FAN_E_EXISTS);
	CHECK(import_key("eeeeeeeeeeeeeeee", "dddddddddddddddd", 10) == FAN_E_EXISTS);
	CHECK(fan_group_create(fanfare, &other, "other@example.org") == 0);
	group = other;
	CHECK(import_key("0123456789abcdef", "fedcba9876543210", 1) == FAN_E_EXISTS);
	close_kept();
}

Test(keyring_kept, a_key_of_another_node_goes_in_once_whatever_becomes_of_its_group)
{
	share();
	live(import_keys);
}

static void
make_group_anew(void)
{
	make_kept();
	set_kept();
	CHECK(fan_group_key_rotate(group) == 0);
	CHECK(fan_group_delete(group) == 0);
	die();
}

static void
expect_next_gki(void)
{
	open_kept();
	CHECK(group == NULL);
	CHECK(fan_group_create(fanfare, &group, GID) == 0);
	set_kept();
	CHECK(kept_status().gki == 2);
	close_kept();
}

/* Members that have keys of the group before take no other key under the same Gki. */
Test(keyring_kept, a_group_that_is_made_anew_goes_on_with_the_gki_of_the_one_before)
{
	share();
	live(make_group_anew);
	live(expect_next_gki);
}

/* ---- What the disk has ------------------------------------------------------------------------------------------------------------------ */

static void
leave_key_on_its_way(void)
{
	make_kept();
	CHECK(import_key("Gk_integ-in-clea", "Gk_conf-in-clear", 0) == 0);
	/* It is sent and durable, and has not ended. */
	for (unsigned i = 0; i < UES; i++)
		CHECK(fan_ue_reachable(fanfare, ids[i], true) == 0);
	(void)fan_poll(fanfare);
	CHECK(fan_sync(fanfare) == 0);
	die();
}

static bool
disk_has(const char *octets)
{
	static uint8_t data[8 << 20];
	FILE *file = fopen(fan_test_store.data, "r");
	size_t data_bytes = file != NULL ? fread(data, 1, sizeof(data), file) : 0;

	cr_assert(file != NULL && data_bytes > 0 && data_bytes < sizeof(data));
	(void)fclose(file);
	return memmem(data, data_bytes, octets, strlen(octets)) != NULL;
}

static void
expect_it_to_go_on(void)
{
	open_kept();
	run_kept();
	for (unsigned i = 0; i < UES; i++)
		CHECK(next_count_of(i) > 0);
	CHECK(fan_store_count(fanfare->store, FAN_RECORD_KEY_OCTETS) == 0);
	close_kept();
}

Test(keyring_kept, neither_a_key_nor_a_message_that_brings_it_lies_open_on_the_disk)
{
	share();
	live(leave_key_on_its_way);
	cr_assert(disk_has(GID));
	cr_assert_not(disk_has("Gk_integ-in-clea"));
	cr_assert_not(disk_has("Gk_conf-in-clear"));
	live(expect_it_to_go_on);
}
