/* SPDX-License-Identifier: BSD-3-Clause */
/* An MSK on its way: written, fanned out by the dataplane under each UE's own MUK, and opened by the UEs. */
#include "../host-api/keys/mbms.h"
#include "../ue/mbms.h"
#include "appliance_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

#define GROUP "mbms@example.org"
#define UES 200 /* more than three batches, the last of them not full */

static struct fan_test_side side;
static struct fan_test_appliance appliance;
static struct fan_group *group;
static uint8_t octets[FAN_MSK_BYTES_MAX];

static struct fan_msk
make_msk(void)
{
	struct fan_msk msk;

	fan_msk_init(&msk);
	memcpy(msk.domain, "\x00\xf1\x10", sizeof(msk.domain));
	msk.group = 7;
	msk.number = 1;
	msk.mtk_first = 1;
	msk.mtk_last = 1000;
	memcpy(msk.key, "an MSK of a test", sizeof(msk.key));
	msk.csb_id = 0xc0ffee01;
	msk.bm_sc = FAN_TEST_BM_SC;
	msk.bsf = FAN_TEST_BSF;
	return msk;
}

static struct fan_message
make_message(const struct fan_msk *msk)
{
	const int octet_count = fan_msk_write(octets, msk);
	struct fan_message message;

	cr_assert_gt(octet_count, 0, "%s", fan_error_detail());
	fan_test_message(&message, octets, (size_t)octet_count);
	message.group_keys = true;
	return message;
}

static void
subscribe(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_MBMS, 2, FAN_INTEGRITY_HMAC_SHA_1));
}

static void
open_run(const struct fan_options *options, unsigned ues)
{
	fan_test_side_open(&side, ues);
	fan_test_appliance_open(&appliance, &side, options);
	subscribe(ues);
	group = fan_test_group(&appliance, GROUP, 0, ues, FAN_PROFILE_MBMS_MSK);
}

static void
close_run(void)
{
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

static void
refused(int error, const char *word)
{
	cr_expect_eq(error, FAN_E_INVALID, "%s", word);
	cr_expect_not_null(strstr(fan_error_detail(), word), "%s: %s", word, fan_error_detail());
}

/* ---- Delivery ------------------------------------------------------------------------------------------------------------ */

Test(msk, reaches_every_ue_under_its_own_muk_and_at_its_own_address_and_port, .timeout = 60)
{
	static const struct fan_options rows[] = { { .engines = NULL },
						   { .engines = "reference" },
						   { .ipv6 = true },
						   { .udp_checksum = true, .vlan = 7, .dscp = 10 } };
	const struct fan_msk msk = make_msk();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_message message = make_message(&msk);

		open_run(&rows[i], UES);
		memcpy(message.source_ipv4, "\xc0\0\2\x63", rows[i].ipv6 ? 4 : 0);
		for (unsigned round = 0; round < 3; round++) {
			fan_test_send(&appliance, group, &message);
			cr_assert(appliance.result.sent == UES && appliance.result.created == UES, "row %zu", i);
			cr_assert_eq(appliance.profile[FAN_PROFILE_MBMS_MSK].sent, UES);
		}
		cr_assert_eq(side.verdicts[FAN_UE_ACCEPTED], 3 * UES);
		cr_assert_eq(side.differing, 0);
		for (unsigned ue = 0; ue < UES; ue++) {
			/* T is COUNT: three in a row, each under the last. */
			cr_assert_eq(side.subscribers[ue].complete, 3, "UE %u", ue);
			cr_assert_eq(side.subscribers[ue].last_count, FAN_TEST_FIRST_COUNT + 2, "UE %u", ue);
		}
		close_run();
	}
}

Test(msk, goes_out_by_two_workers, .timeout = 60)
{
	const struct fan_options options = { .workers = 2 };
	const struct fan_msk msk = make_msk();
	struct fan_message message = make_message(&msk);

	open_run(&options, 3000);
	fan_test_send(&appliance, group, &message);
	cr_assert(appliance.result.sent == 3000 && side.verdicts[FAN_UE_ACCEPTED] == 3000 && side.differing == 0);
	close_run();
}

/* The bench's engine, the judge and OpenSSL's writer give the same octets: what the frames carry is what host-api/keys would send to each. */
Test(msk, is_what_the_writer_of_one_message_writes, .timeout = 60)
{
	static const char *const engines[] = { NULL, "reference" };
	const struct fan_msk msk = make_msk();

	for (unsigned e = 0; e < 2; e++) {
		const struct fan_options options = { .engines = engines[e] };
		const struct fan_message message = make_message(&msk);
		struct fan_mikey *mikey;

		open_run(&options, 70);
		side.keep_bytes_max = 1 << 20;
		fan_test_send(&appliance, group, &message);
		cr_assert_eq(fan_mikey_open(&mikey), 0);
		for (size_t at = 0; at < side.kept_bytes;) {
			const uint8_t *const frame = side.kept + at + 4, *const sent = frame + 14 + 20 + 8;
			uint8_t wanted[FAN_MIKEY_BYTES_MAX];
			struct fan_mikey_message parsed;
			struct fan_mikey_msk own = { .id = 7U << 16 | 1, .mtk_first = 1, .mtk_last = 1000 };
			struct fan_mikey_user user = { .idi = { FAN_TEST_BM_SC, sizeof(FAN_TEST_BM_SC) - 1 } };
			const struct fan_test_subscriber *subscriber = &side.subscribers[frame[14 + 19]];
			uint32_t length;

			memcpy(&length, side.kept + at, sizeof(length));
			memcpy(own.key, msk.key, sizeof(own.key));
			memcpy(user.muk, subscriber->ue.k_enc, FAN_KEY_BYTES);
			memcpy(user.muk + FAN_KEY_BYTES, subscriber->ue.k_int, FAN_KEY_BYTES);
			user.idr = (struct fan_mikey_identity){ subscriber->b_tid, (uint16_t)strlen(subscriber->b_tid) };
			cr_assert_eq(fan_mikey_parse(&parsed, sent, length - 42), FAN_MIKEY_ACCEPTED);
			cr_assert_eq(parsed.head.counter, FAN_TEST_FIRST_COUNT);
			cr_assert_eq(fan_mikey_write_msk(mikey, wanted, &parsed.head, &own, &user), (int)length - 42);
			cr_assert_arr_eq(sent, wanted, length - 42);
			at += sizeof(length) + length;
		}
		fan_mikey_close(mikey);
		close_run();
	}
}

/* The UE of ue/mbms.h, which has joined the service, has the MSK then, and answers. */
Test(msk, gives_a_ue_that_has_joined_its_key_and_draws_its_answer, .timeout = 60)
{
	const uint8_t domain[3] = { 0x00, 0xf1, 0x10 };
	struct fan_msk msk = make_msk();
	struct fan_message message;
	struct fan_ue_mbms *ue;
	uint8_t muk[32], answer[FAN_UE_MBMS_ANSWER_BYTES_MAX];
	size_t answer_bytes;
	uint32_t length;

	msk.verify = true;
	message = make_message(&msk);
	open_run(NULL, 1);
	side.keep_bytes_max = 4096;
	fan_test_send(&appliance, group, &message);
	memcpy(&length, side.kept, sizeof(length));
	memcpy(muk, side.subscribers[0].ue.k_enc, FAN_KEY_BYTES);
	memcpy(muk + FAN_KEY_BYTES, side.subscribers[0].ue.k_int, FAN_KEY_BYTES);
	ue = fan_ue_mbms_open(muk, FAN_TEST_BM_SC, side.subscribers[0].b_tid);
	cr_assert(fan_ue_mbms_join(ue, domain, 7));
	cr_assert_eq(fan_ue_mbms_take(ue, answer, &answer_bytes, side.kept + 4 + 42, length - 42), FAN_UE_MBMS_ACCEPTED);
	cr_assert_gt(answer_bytes, 0);
	cr_assert_eq(fan_ue_mbms_take(ue, answer, &answer_bytes, side.kept + 4 + 42, length - 42), FAN_UE_MBMS_REPLAY);
	fan_ue_mbms_close(ue);
	close_run();
}

Test(msk, that_came_before_is_a_replay, .timeout = 60)
{
	const struct fan_msk msk = make_msk();
	const struct fan_message message = make_message(&msk);

	open_run(NULL, UES);
	side.keep_bytes_max = 1 << 20;
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(fan_test_side_replay(&side), 0);
	close_run();
}

/* T is leased as any COUNT is: where a lease ends nothing is sent, and none comes twice. */
Test(msk, that_has_no_t_left_is_not_sent, .timeout = 60)
{
	const struct fan_msk msk = make_msk();
	const struct fan_message message = make_message(&msk);
	struct fan_test_subscriber *subscriber;

	fan_test_side_open(&side, 1);
	fan_test_appliance_open(&appliance, &side, NULL);
	subscriber = fan_test_subscribe(&side, FAN_KIND_MBMS, 2, FAN_INTEGRITY_HMAC_SHA_1);
	subscriber->ue.count_reserved = FAN_TEST_FIRST_COUNT + 2;
	fan_test_provision(&appliance, subscriber);
	group = fan_test_group(&appliance, GROUP, 0, 1, FAN_PROFILE_MBMS_MSK);
	for (unsigned i = 0; i < 4; i++)
		fan_test_send(&appliance, group, &message);
	cr_expect_eq(subscriber->complete, 2);
	cr_expect_eq(appliance.result.dropped[FAN_DROP_RESERVATION], 1);
	cr_expect_eq(subscriber->last_count, FAN_TEST_FIRST_COUNT + 1);
	close_run();
}

/* A slot that is used again has the next UE's name. Slots are free once a thousand UEs have gone. */
Test(msk, for_a_ue_in_anothers_place_has_its_own_name, .timeout = 60)
{
	enum { GONE = 1100 };
	const struct fan_msk msk = make_msk();
	const struct fan_message message = make_message(&msk);
	const struct fan_test_subscriber *next;
	uint16_t unacknowledged;
	uint32_t next_count;

	fan_test_side_open(&side, GONE + 1);
	fan_test_appliance_open(&appliance, &side, NULL);
	subscribe(GONE);
	group = fan_test_group(&appliance, GROUP, 0, GONE, FAN_PROFILE_MBMS_MSK);
	for (unsigned i = 0; i < GONE; i++)
		cr_assert_eq(fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, side.subscribers[i].id), 0);
	(void)fan_poll(appliance.fanfare);
	subscribe(1);
	next = &side.subscribers[GONE];
	cr_assert_lt((uint32_t)next->id, GONE, "the slot is not used again");
	group = fan_test_group(&appliance, GROUP, GONE, 1, FAN_PROFILE_MBMS_MSK);
	fan_test_send(&appliance, group, &message);
	cr_assert(next->complete == 1 && side.complete == 1 && side.differing == 0);
	close_run();
}

/* A group may have a key of its own beside its service of MBMS: who takes MSKs has no part in that. */
Test(msk, member_of_a_group_that_has_a_key_takes_no_part_in_it, .timeout = 60)
{
	const struct fan_msk msk = make_msk();
	const struct fan_message message = make_message(&msk);
	struct fan_group_key_options options;
	struct fan_group_key_status status;

	open_run(NULL, 3);
	fan_group_key_options_init(&options);
	cr_assert_eq(fan_group_key_set(group, &options), 0, "%s", fan_error_detail());
	(void)fan_test_group(&appliance, GROUP, 2, 1, FAN_PROFILE_MBMS_MSK);
	cr_assert_eq(fan_group_remove(group, side.subscribers[1].id), 0);
	fan_test_run(&appliance, 0);
	fan_group_key_status_init(&status);
	cr_assert_eq(fan_group_key_status(group, &status), 0);
	cr_expect(status.able == 0 && status.rotations == 1 && !status.is_due, "able %lu, keys %lu", status.able,
		  status.rotations);
	fan_test_send(&appliance, group, &message);
	cr_expect(appliance.result.sent == 2 && side.differing == 0);
	close_run();
}

/* ---- Refusals ------------------------------------------------------------------------------------------------------------ */

Test(msk, that_is_no_mikey_message_or_not_marked_as_a_key_is_refused, .timeout = 60)
{
	const struct fan_msk msk = make_msk();
	struct fan_message message = make_message(&msk);
	const size_t whole = message.byte_count;
	uint8_t changed[FAN_MSK_BYTES_MAX + 1];

	open_run(NULL, 2);
	message.group_keys = false;
	refused(fan_send(appliance.fanfare, NULL, group, &message, NULL, NULL), "group " GROUP);
	refused(fan_send_to_ue(appliance.fanfare, NULL, side.subscribers[0].id, FAN_PROFILE_MBMS_MSK, &message, NULL, NULL),
		"keys of groups alone");
	message.group_keys = true;
	message.bytes = changed;
	for (size_t i = 0; i <= whole; i++) {
		memcpy(changed, octets, whole);
		changed[whole] = 0;
		message.byte_count = i < whole ? i : whole + 1;
		if (i > 0)
			refused(fan_send(appliance.fanfare, NULL, group, &message, NULL, NULL),
				i < 3 ? "this form of a key" : "fan_msk_write");
	}
	message.byte_count = whole;
	changed[whole - 1] = 1; /* of the MAC, which is the engine's */
	refused(fan_send(appliance.fanfare, NULL, group, &message, NULL, NULL), "fan_msk_write");
	close_run();
}

/* Every octet that is not the sender's own is looked at: the others are names, numbers and keys. */
Test(msk, with_a_wrong_octet_in_its_frame_is_refused, .timeout = 60)
{
	const struct fan_msk msk = make_msk();
	struct fan_message message = make_message(&msk);
	unsigned taken = 0;

	open_run(NULL, 1);
	for (size_t i = 0; i < message.byte_count; i++) {
		octets[i] ^= 0x40;
		taken += fan_send(appliance.fanfare, NULL, group, &message, NULL, NULL) == 0;
		octets[i] ^= 0x40;
		fan_test_run(&appliance, 0);
	}
	/* V and PRF, CSB-ID, domain, MSK ID, RAND, BM-SC, MSK and two MTK IDs. */
	cr_expect_eq(taken, 1 + 4 + 3 + 4 + 16 + sizeof(FAN_TEST_BM_SC) - 1 + 16 + 4);
	close_run();
}

Test(msk, for_b_tids_of_another_domain_is_refused, .timeout = 60)
{
	struct fan_msk msk = make_msk();
	struct fan_message message;

	open_run(NULL, 1);
	msk.bsf = "bsf.example.org";
	message = make_message(&msk);
	refused(fan_send(appliance.fanfare, NULL, group, &message, NULL, NULL),
		"those of the group's UEs end with @" FAN_TEST_BSF);
	close_run();
}

Test(msk, is_written_for_names_that_are_names_and_numbers_in_range)
{
	struct fan_msk msk = make_msk();

	msk.struct_bytes = 0;
	refused(fan_msk_write(octets, &msk), "fan_msk_init");
	msk = make_msk();
	msk.bm_sc = NULL;
	refused(fan_msk_write(octets, &msk), "BM-SC");
	msk.bm_sc = "two words";
	refused(fan_msk_write(octets, &msk), "BM-SC");
	msk = make_msk();
	msk.bsf = "";
	refused(fan_msk_write(octets, &msk), "B-TIDs");
	msk.bsf = "a@b";
	refused(fan_msk_write(octets, &msk), "B-TIDs");
}

Test(msk, ue_has_a_muk_a_b_tid_an_address_and_nothing_of_a_bearer, .timeout = 60)
{
	struct fan_test_subscriber *subscriber;
	struct fan_ue ue;
	fan_context_id id;

	fan_test_side_open(&side, 2);
	fan_test_appliance_open(&appliance, &side, NULL);
	subscriber = fan_test_subscribe(&side, FAN_KIND_MBMS, 2, FAN_INTEGRITY_HMAC_SHA_1);
	fan_test_provision(&appliance, subscriber);
	ue = fan_test_subscribe(&side, FAN_KIND_MBMS, 2, FAN_INTEGRITY_HMAC_SHA_1)->ue;
#define REFUSE(change, word)                                                                                                   \
	do {                                                                                                                   \
		const struct fan_ue good = ue;                                                                                 \
		change;                                                                                                        \
		refused(fan_ue_add(appliance.fanfare, &id, &ue), word);                                                        \
		ue = good;                                                                                                     \
	} while (0)
	REFUSE(ue.cipher = 1, "AES-CM-128");
	REFUSE(ue.integrity = 2, "HMAC-SHA-1");
	REFUSE(ue.integrity = FAN_INTEGRITY_NONE, "HMAC-SHA-1");
	REFUSE((memset(ue.k_enc, 0, 16), memset(ue.k_int, 0, 16)), "without a MUK");
	REFUSE(ue.b_tid = NULL, "B-TID");
	REFUSE(ue.b_tid = "0000000000000000000001==", "B-TID");
	REFUSE(ue.b_tid = "0000000000000000000001==@", "B-TID");
	REFUSE(ue.b_tid = "000000000000000000001==@" FAN_TEST_BSF, "B-TID");
	REFUSE(ue.b_tid = "000000000000000000000-==@" FAN_TEST_BSF, "B-TID");
	REFUSE(ue.b_tid = "0000000000000000000001==@a b", "B-TID");
	REFUSE(ue.b_tid = "0000000000000000000001==@other.example.org", "those of the other UEs end with");
	REFUSE(ue.ipv4[0] = 224, "unicast");
	REFUSE(ue.teid = 1, "tunnel");
	REFUSE(ue.bearer = 1, "bearer");
	cr_assert_eq(fan_ue_add(appliance.fanfare, &id, &ue), 0, "%s", fan_error_detail());
	cr_expect_eq(fan_ue_add(appliance.fanfare, &id, &ue), FAN_E_EXISTS, "a MUK is a key as any");
	close_run();
}

/* What another kind has for an algorithm, MIKEY's is not. */
Test(msk, algorithm_is_no_networks, .timeout = 60)
{
	struct fan_ue ue;
	fan_context_id id;

	fan_test_side_open(&side, 1);
	fan_test_appliance_open(&appliance, &side, NULL);
	ue = fan_test_subscribe(&side, FAN_KIND_EPS_NAS, 2, 2)->ue;
	ue.integrity = FAN_INTEGRITY_HMAC_SHA_1;
	refused(fan_ue_add(appliance.fanfare, &id, &ue), "unknown integrity algorithm 4");
	close_run();
}
