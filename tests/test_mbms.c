/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "../host-api/keys/kdf.h"
#include "../host-api/keys/mbms.h"
#include "residue.h"
#include "vectors.h"

#include <criterion/criterion.h>
#include <string.h>

#define UES 3

static const char idi[] = "bmsc.mnc001.mcc001.pub.3gppnetwork.org";
static struct fan_mikey *mikey; /* the UEs' */
static struct fan_mbms_counter times;
static struct fan_mbms_options options;
static struct fan_mikey_user ues[UES];

static void
begin(void)
{
	static const char *const names[UES] = { "0000000000000000000000==@bsf.example", "1111111111111111111111==@bsf.example",
						"2222222222222222222222==@bsf.example" };

	cr_assert_eq(fan_mikey_open(&mikey), 0);
	times = (struct fan_mbms_counter){ 1, 1000 };
	options = (struct fan_mbms_options){ .domain = { 0x00, 0xf1, 0x10 },
					     .group = 7,
					     .number = 1,
					     .csb_id = 0xc0ffee01,
					     .idi = { idi, sizeof(idi) - 1 },
					     .times = &times };
	for (unsigned i = 0; i < UES; i++) {
		memset(ues[i].muk, (int)(i + 1), sizeof(ues[i].muk));
		ues[i].idi = options.idi;
		ues[i].idr = (struct fan_mikey_identity){ names[i], (uint16_t)strlen(names[i]) };
	}
}

static void
end(void)
{
	fan_mikey_close(mikey);
}

TestSuite(mbms, .init = begin, .fini = end);

static struct fan_mbms *
open_service(const struct fan_mbms_msk *msks, unsigned msk_count)
{
	struct fan_mbms *mbms;

	cr_assert_eq(fan_mbms_open(&mbms, &options, msks, msk_count), 0, "%s", fan_error_detail());
	return mbms;
}

static uint32_t
draw_msk(struct fan_mbms *mbms, uint16_t mtk_count)
{
	uint32_t msk_id;

	cr_assert_eq(fan_mbms_msk_draw(mbms, &msk_id, mtk_count), 0, "%s", fan_error_detail());
	return msk_id;
}

static struct fan_mikey_group
group(void)
{
	return (struct fan_mikey_group){ .domain = { 0x00, 0xf1, 0x10 }, .group = 7 };
}

/* Room for all that is asked of it in a test. */
static void
reserve_mtks(struct fan_mbms *mbms)
{
	struct fan_mbms_msk *msks;
	const unsigned count = fan_mbms_msks(mbms, &msks);

	for (unsigned i = 0; i < count; i++)
		cr_assert_eq(fan_mbms_counter_reserve(&msks[i].mtk, 1000), 0);
}

static enum fan_mikey_verdict
take_msk(struct fan_mikey_group *into, uint32_t *counter_next, const uint8_t *octets, int octet_count, unsigned ue)
{
	struct fan_mikey_message message;

	cr_assert_gt(octet_count, 0, "%s", fan_error_detail());
	cr_assert_eq(fan_mikey_parse(&message, octets, (size_t)octet_count), FAN_MIKEY_ACCEPTED);
	return fan_mikey_read_msk(mikey, into, counter_next, &message, &ues[ue]);
}

static enum fan_mikey_verdict
take_mtk(struct fan_mikey_mtk *mtk, struct fan_mikey_group *into, const uint8_t *octets, int octet_count)
{
	struct fan_mikey_message message;

	cr_assert_gt(octet_count, 0, "%s", fan_error_detail());
	cr_assert_eq(fan_mikey_parse(&message, octets, (size_t)octet_count), FAN_MIKEY_ACCEPTED);
	return fan_mikey_read_mtk(mikey, mtk, into, &message);
}

/* ---- UEs --------------------------------------------------------------------------------------------------------------- */

static void
derive_from_gba(uint8_t out[32], const json_t *vector, const char *label)
{
	uint8_t ks[32], rand[16], naf_id[128];
	const char *impi = fan_vector_text(vector, "impi");
	const size_t naf_id_bytes = fan_vector_bytes(vector, naf_id, "naf_id", sizeof(naf_id));
	const struct fan_kdf_parameter parameters[] = { { label, (uint16_t)strlen(label) },
							{ rand, sizeof(rand) },
							{ impi, (uint16_t)strlen(impi) },
							{ naf_id, (uint16_t)naf_id_bytes } };

	(void)fan_vector_bytes(vector, ks, "ks", sizeof(ks));
	(void)fan_vector_bytes(vector, rand, "rand", sizeof(rand));
	cr_assert_eq(fan_kdf(out, ks, sizeof(ks), 0x01, parameters, 4), 0);
}

Test(mbms, a_muk_and_an_mrk_come_from_gba_in_the_me_or_in_the_uicc)
{
	struct fan_vectors vectors = fan_vectors_load("GBA_AKMA_own.json");
	const json_t *gba = fan_vector_at(&vectors, 0), *of_mrk = fan_vector_at(&vectors, 1);
	uint8_t ks_naf[32], ks_int_naf[32], muk[32], mrk[32], wanted[32];

	derive_from_gba(ks_naf, gba, "gba-me");
	derive_from_gba(ks_int_naf, gba, "gba-u");
	(void)fan_vector_bytes(gba, wanted, "ks_naf", sizeof(wanted));
	cr_assert_arr_eq(ks_naf, wanted, sizeof(wanted));
	cr_assert_eq(fan_mbms_user_keys(muk, mrk, ks_naf, NULL), 0);
	cr_assert_arr_eq(muk, ks_naf, sizeof(muk));
	(void)fan_vector_bytes(of_mrk, wanted, "mrk", sizeof(wanted));
	cr_assert_arr_eq(mrk, wanted, sizeof(mrk));
	cr_assert_eq(fan_mbms_user_keys(muk, mrk, ks_naf, ks_int_naf), 0);
	(void)fan_vector_bytes(gba, wanted, "ks_int_naf", sizeof(wanted));
	cr_assert_arr_eq(muk, wanted, sizeof(muk));
	cr_assert_arr_eq(mrk, ks_naf, sizeof(mrk));
	fan_vectors_free(&vectors);
}

/* ---- Numbers ------------------------------------------------------------------------------------------------------------ */

Test(mbms, a_number_is_spent_once_and_only_when_it_is_reserved)
{
	struct fan_mbms_counter counter = { 5, 7 };
	uint32_t value = 99;

	cr_assert(fan_mbms_counter_spend(&counter, &value) == 0 && value == 5);
	cr_assert(fan_mbms_counter_spend(&counter, &value) == 0 && value == 6);
	cr_assert(fan_mbms_counter_spend(&counter, &value) == FAN_E_BUSY && value == 6 && counter.next == 7);
	cr_assert_eq(fan_mbms_counter_reserve(&counter, 6), FAN_E_INVALID);
	cr_assert_eq(fan_mbms_counter_reserve(&counter, 8), 0);
	cr_assert(fan_mbms_counter_spend(&counter, &value) == 0 && value == 7);
}

Test(mbms, without_a_reserved_time_no_msk_message_is_made)
{
	struct fan_mbms *mbms = open_service(NULL, 0);
	const uint32_t msk_id = draw_msk(mbms, 10);
	struct fan_mikey_head head;
	struct fan_mikey_template template;
	uint8_t octets[FAN_MIKEY_BYTES_MAX];

	times.next = times.reserved;
	cr_assert_eq(fan_mbms_msk_message(mbms, octets, &head, msk_id, &ues[0], false), FAN_E_BUSY);
	cr_assert_eq(fan_mbms_msk_template(mbms, &template, &head, msk_id, &ues[0].idr, false), FAN_E_BUSY);
	fan_mbms_close(mbms);
}

Test(mbms, each_msk_message_and_each_fan_out_has_a_time_and_a_rand_of_its_own)
{
	struct fan_mbms *mbms = open_service(NULL, 0);
	const uint32_t msk_id = draw_msk(mbms, 10);
	struct fan_mikey_head heads[4];
	struct fan_mikey_template template;
	uint8_t octets[FAN_MIKEY_BYTES_MAX];

	for (unsigned i = 0; i < 4; i += 2) {
		cr_assert_gt(fan_mbms_msk_message(mbms, octets, &heads[i], msk_id, &ues[0], false), 0);
		cr_assert_eq(fan_mbms_msk_template(mbms, &template, &heads[i + 1], msk_id, &ues[0].idr, true), 0);
	}
	for (unsigned i = 1; i < 4; i++) {
		cr_assert_eq(heads[i].counter, heads[i - 1].counter + 1);
		cr_assert_neq(memcmp(heads[i].rand, heads[i - 1].rand, sizeof(heads[i].rand)), 0);
	}
	fan_mbms_close(mbms);
}

/* ---- A service ---------------------------------------------------------------------------------------------------------- */

Test(mbms, uplink_keys_of_each_and_a_group_authenticated_together_are_refused_with_the_reason)
{
	struct fan_mbms *mbms;

	options.uplink = true;
	cr_assert_eq(fan_mbms_open(&mbms, &options, NULL, 0), FAN_E_UNSUPPORTED);
	cr_assert_not_null(strstr(fan_error_detail(), "uplink"));
	options.uplink = false;
	options.individual_keys = true;
	cr_assert_eq(fan_mbms_open(&mbms, &options, NULL, 0), FAN_E_UNSUPPORTED);
	cr_assert_not_null(strstr(fan_error_detail(), "one MTK for all"));
	options.individual_keys = false;
	options.authenticate_together = true;
	cr_assert_eq(fan_mbms_open(&mbms, &options, NULL, 0), FAN_E_UNSUPPORTED);
	cr_assert_not_null(strstr(fan_error_detail(), "authenticate"));
	cr_assert_null(mbms);
	options.authenticate_together = false;
	options.idi.byte_count = 0;
	cr_assert_eq(fan_mbms_open(&mbms, &options, NULL, 0), FAN_E_INVALID);
}

Test(mbms, one_msk_reaches_each_ue_under_its_own_muk_alone)
{
	struct fan_mbms *mbms = open_service(NULL, 0);
	const uint32_t msk_id = draw_msk(mbms, 10);
	struct fan_mbms_msk *msks;
	struct fan_mikey_head head;
	uint8_t octets[FAN_MIKEY_BYTES_MAX];

	cr_assert_eq(fan_mbms_msks(mbms, &msks), 1);
	for (unsigned i = 0; i < UES; i++) {
		struct fan_mikey_group held = group(), of_another = group();
		struct fan_mikey_user neighbour = ues[i];
		struct fan_mikey_message message;
		uint32_t counter_next = 0;
		const int octet_count = fan_mbms_msk_message(mbms, octets, &head, msk_id, &ues[i], false);

		cr_assert_eq(take_msk(&held, &counter_next, octets, octet_count, i), FAN_MIKEY_ACCEPTED);
		cr_assert_arr_eq(held.held[0].msk.key, msks[0].msk.key, FAN_MIKEY_KEY_BYTES);
		cr_assert(held.held[0].msk.mtk_first == 1 && held.held[0].msk.mtk_last == 10);
		memcpy(neighbour.muk, ues[(i + 1) % UES].muk, sizeof(neighbour.muk));
		cr_assert_eq(fan_mikey_parse(&message, octets, (size_t)octet_count), FAN_MIKEY_ACCEPTED);
		cr_assert_eq(fan_mikey_read_msk(mikey, &of_another, &counter_next, &message, &neighbour), FAN_MIKEY_WRONG_MAC);
	}
	fan_mbms_close(mbms);
}

Test(mbms, an_answer_verifies_the_msk_message_of_its_ue)
{
	struct fan_mbms *mbms = open_service(NULL, 0);
	const uint32_t msk_id = draw_msk(mbms, 10);
	struct fan_mikey_head head;
	uint8_t octets[FAN_MIKEY_BYTES_MAX];
	int octet_count;

	cr_assert_gt(fan_mbms_msk_message(mbms, octets, &head, msk_id, &ues[1], true), 0);
	cr_assert(head.verify);
	octet_count = fan_mikey_write_verification(mikey, octets, &head, &ues[1]);
	cr_assert_eq(fan_mbms_verified(mbms, &head, &ues[1], octets, (size_t)octet_count), FAN_MIKEY_ACCEPTED);
	cr_assert_eq(fan_mbms_verified(mbms, &head, &ues[2], octets, (size_t)octet_count), FAN_MIKEY_WRONG_NAME);
	cr_assert_eq(fan_mbms_verified(mbms, &head, &ues[1], octets, (size_t)octet_count - 1), FAN_MIKEY_MALFORMED);
	octets[octet_count - 1] ^= 1;
	cr_assert_eq(fan_mbms_verified(mbms, &head, &ues[1], octets, (size_t)octet_count), FAN_MIKEY_WRONG_MAC);
	fan_mbms_close(mbms);
}

Test(mbms, mtks_are_drawn_under_the_msk_in_use_until_its_interval_ends)
{
	struct fan_mbms *mbms = open_service(NULL, 0);
	const uint32_t first = draw_msk(mbms, 2), second = draw_msk(mbms, 2);
	struct fan_srtp_stream stream = { .ssrc = 1 };
	uint8_t octets[FAN_MIKEY_BYTES_MAX];

	cr_assert_eq(fan_mbms_mtk_draw(mbms, octets, &stream), FAN_E_NOT_FOUND, "no MSK is in use");
	cr_assert_eq(fan_mbms_msk_use(mbms, first), 0);
	cr_assert_eq(fan_mbms_mtk_draw(mbms, octets, &stream), FAN_E_BUSY, "no MTK ID is reserved");
	cr_assert_eq(memcmp(stream.key, (uint8_t[FAN_SRTP_KEY_BYTES]){ 0 }, sizeof(stream.key)), 0, "and no key is given");
	reserve_mtks(mbms);
	for (unsigned i = 1; i <= 2; i++) {
		struct fan_mikey_message message;
		const int octet_count = fan_mbms_mtk_draw(mbms, octets, &stream);

		cr_assert_gt(octet_count, 0);
		cr_assert_arr_eq(stream.mki, ((uint8_t[]){ 0, 7, 0, 1, 0, (uint8_t)i }), sizeof(stream.mki));
		cr_assert_eq(fan_mikey_parse(&message, octets, (size_t)octet_count), FAN_MIKEY_ACCEPTED);
		cr_assert(message.head.counter == i && message.mtk_id == i, "T is used once under an MSK");
	}
	cr_assert_eq(fan_mbms_mtk_draw(mbms, octets, &stream), FAN_E_INVALID);
	cr_assert_eq(fan_mbms_msk_use(mbms, second), 0);
	cr_assert_gt(fan_mbms_mtk_draw(mbms, octets, &stream), 0);
	cr_assert_arr_eq(stream.mki, ((uint8_t[]){ 0, 7, 0, 2, 0, 1 }), sizeof(stream.mki));
	cr_assert_eq(fan_mbms_msk_use(mbms, 0x00070003), FAN_E_NOT_FOUND);
	fan_mbms_close(mbms);
}

Test(mbms, members_find_the_streams_key_in_an_mtk_message_and_others_do_not)
{
	struct fan_mbms *mbms = open_service(NULL, 0);
	const uint32_t msk_id = draw_msk(mbms, 10);
	struct fan_mikey_group member = group(), stranger = group();
	struct fan_srtp_stream stream;
	struct fan_mikey_head head;
	struct fan_mikey_mtk mtk;
	uint8_t octets[FAN_MIKEY_BYTES_MAX];
	uint32_t counter_next = 0;
	int octet_count = fan_mbms_msk_message(mbms, octets, &head, msk_id, &ues[0], false);

	cr_assert_eq(take_msk(&member, &counter_next, octets, octet_count, 0), FAN_MIKEY_ACCEPTED);
	cr_assert_eq(fan_mbms_msk_use(mbms, msk_id), 0);
	reserve_mtks(mbms);
	octet_count = fan_mbms_mtk_draw(mbms, octets, &stream);
	cr_assert_eq(take_mtk(&mtk, &member, octets, octet_count), FAN_MIKEY_ACCEPTED);
	cr_assert(memcmp(mtk.key, stream.key, sizeof(mtk.key)) == 0 && memcmp(mtk.salt, stream.salt, sizeof(mtk.salt)) == 0);
	cr_assert_eq(take_mtk(&mtk, &stranger, octets, octet_count), FAN_MIKEY_UNKNOWN_MSK);
	stranger = member;
	stranger.held[0].msk.key[0] ^= 1;
	cr_assert_eq(take_mtk(&mtk, &stranger, octets, octet_count), FAN_MIKEY_WRONG_MAC);
	fan_mbms_close(mbms);
}

/* A member that was not sent the next MSK: the two that are left go on without it. */
Test(mbms, whoever_was_not_given_the_next_msk_reads_no_more)
{
	struct fan_mbms *mbms = open_service(NULL, 0);
	const uint32_t first = draw_msk(mbms, 10);
	struct fan_mikey_group held[UES];
	uint32_t counters[UES] = { 0 }, second;
	struct fan_mikey_head head;
	struct fan_srtp_stream stream;
	struct fan_mikey_mtk mtk;
	uint8_t octets[FAN_MIKEY_BYTES_MAX];
	int octet_count;

	for (unsigned i = 0; i < UES; i++) {
		held[i] = group();
		octet_count = fan_mbms_msk_message(mbms, octets, &head, first, &ues[i], false);
		cr_assert_eq(take_msk(&held[i], &counters[i], octets, octet_count, i), FAN_MIKEY_ACCEPTED);
	}
	second = draw_msk(mbms, 10);
	for (unsigned i = 0; i < UES - 1; i++) {
		octet_count = fan_mbms_msk_message(mbms, octets, &head, second, &ues[i], false);
		cr_assert_eq(take_msk(&held[i], &counters[i], octets, octet_count, i), FAN_MIKEY_ACCEPTED);
	}
	cr_assert_eq(fan_mbms_msk_use(mbms, second), 0);
	reserve_mtks(mbms);
	octet_count = fan_mbms_mtk_draw(mbms, octets, &stream);
	for (unsigned i = 0; i < UES; i++)
		cr_assert_eq(take_mtk(&mtk, &held[i], octets, octet_count),
			     i < UES - 1 ? FAN_MIKEY_ACCEPTED : FAN_MIKEY_UNKNOWN_MSK);
	fan_mbms_close(mbms);
}

Test(mbms, a_third_msk_waits_until_the_first_is_revoked_and_ues_then_have_room)
{
	struct fan_mbms *mbms = open_service(NULL, 0);
	const uint32_t first = draw_msk(mbms, 10), second = draw_msk(mbms, 10);
	const uint32_t before[] = { first, second, first };
	struct fan_mikey_group held = group();
	struct fan_mikey_head head;
	uint8_t octets[FAN_MIKEY_BYTES_MAX];
	uint32_t counter_next = 0, third;

	cr_assert_eq(fan_mbms_msk_use(mbms, first), 0);
	cr_assert_eq(fan_mbms_msk_draw(mbms, &third, 10), FAN_E_BUSY);
	cr_assert_eq(fan_mbms_msk_revoke(mbms, first), FAN_E_BUSY, "it is in use");
	cr_assert_eq(fan_mbms_msk_use(mbms, second), 0);
	cr_assert_eq(fan_mbms_msk_draw(mbms, &third, 10), FAN_E_BUSY);
	for (unsigned i = 0; i < 3; i++) {
		int octet_count;

		if (i == 2)
			cr_assert(fan_mbms_msk_revoke(mbms, first) == 0 && fan_mbms_msk_revoke(mbms, first) == 0);
		octet_count = fan_mbms_msk_message(mbms, octets, &head, before[i], &ues[0], false);
		cr_assert_eq(take_msk(&held, &counter_next, octets, octet_count, 0), FAN_MIKEY_ACCEPTED);
	}
	cr_assert_eq(fan_mbms_msk_use(mbms, first), FAN_E_INVALID, "it is revoked");
	third = draw_msk(mbms, 10);
	cr_assert_eq(third, second + 1);
	cr_assert_eq(take_msk(&held, &counter_next, octets, fan_mbms_msk_message(mbms, octets, &head, third, &ues[0], false),
			      0),
		     FAN_MIKEY_ACCEPTED);
	cr_assert_eq(fan_mbms_msk_message(mbms, octets, &head, first, &ues[0], false), FAN_E_NOT_FOUND);
	fan_mbms_close(mbms);
}

Test(mbms, an_msk_that_is_used_up_makes_room_for_the_next)
{
	struct fan_mbms *mbms = open_service(NULL, 0);
	const uint32_t first = draw_msk(mbms, 1), second = draw_msk(mbms, 1);
	struct fan_srtp_stream stream;
	uint8_t octets[FAN_MIKEY_BYTES_MAX];

	cr_assert_eq(fan_mbms_msk_use(mbms, first), 0);
	reserve_mtks(mbms);
	cr_assert_gt(fan_mbms_mtk_draw(mbms, octets, &stream), 0);
	(void)draw_msk(mbms, 1);
	cr_assert_eq(fan_mbms_mtk_draw(mbms, octets, &stream), FAN_E_NOT_FOUND, "the MSK that was in use is gone");
	cr_assert_eq(fan_mbms_msk_use(mbms, second), 0);
	cr_assert_gt(fan_mbms_mtk_draw(mbms, octets, &stream), 0);
	cr_assert_eq(stream.mki[3], 2);
	fan_mbms_close(mbms);
}

/* What a caller stored: the MSK, and how far numbers were reserved. */
Test(mbms, after_a_crash_no_time_and_no_mtk_id_comes_again)
{
	struct fan_mbms *mbms = open_service(NULL, 0);
	const uint32_t msk_id = draw_msk(mbms, 100);
	struct fan_mbms_msk *msks, stored;
	struct fan_srtp_stream stream;
	uint8_t octets[FAN_MIKEY_BYTES_MAX];

	cr_assert_eq(fan_mbms_msk_use(mbms, msk_id), 0);
	(void)fan_mbms_msks(mbms, &msks);
	cr_assert_eq(fan_mbms_counter_reserve(&msks[0].mtk, 17), 0);
	stored = msks[0];
	cr_assert_gt(fan_mbms_mtk_draw(mbms, octets, &stream), 0);
	cr_assert_gt(fan_mbms_mtk_draw(mbms, octets, &stream), 0);
	fan_mbms_close(mbms);

	stored.mtk.next = stored.mtk.reserved;
	options.number = 2;
	mbms = open_service(&stored, 1);
	cr_assert_eq(fan_mbms_msk_use(mbms, msk_id), 0);
	cr_assert_eq(fan_mbms_mtk_draw(mbms, octets, &stream), FAN_E_BUSY);
	reserve_mtks(mbms);
	cr_assert_gt(fan_mbms_mtk_draw(mbms, octets, &stream), 0);
	cr_assert_eq(stream.mki[5], 17);
	cr_assert_eq(draw_msk(mbms, 1), 0x00070002);
	fan_mbms_close(mbms);
}

Test(mbms, numbers_of_msks_end)
{
	struct fan_mbms *mbms;
	uint32_t msk_id;

	options.number = UINT16_MAX;
	mbms = open_service(NULL, 0);
	cr_assert_eq(draw_msk(mbms, 1), 0x0007ffff);
	cr_assert_eq(fan_mbms_msk_draw(mbms, &msk_id, 1), FAN_E_INVALID);
	cr_assert_eq(fan_mbms_msk_draw(mbms, &msk_id, 0), FAN_E_INVALID);
	fan_mbms_close(mbms);
}

static struct fan_mbms *on_stack_service;
static uint32_t on_stack_msk;

static void
send_on_this_stack(void *unused)
{
	static uint8_t octets[FAN_MIKEY_BYTES_MAX];
	static struct fan_mikey_head head;

	(void)unused;
	(void)fan_mbms_msk_message(on_stack_service, octets, &head, on_stack_msk, &ues[0], false);
}

static void
draw_on_this_stack(void *stream)
{
	static uint8_t octets[FAN_MIKEY_BYTES_MAX];

	(void)fan_mbms_mtk_draw(on_stack_service, octets, stream);
}

Test(mbms, no_key_stays_on_the_stack)
{
	static struct fan_srtp_stream stream;
	struct fan_mbms_msk *msks;

	on_stack_service = open_service(NULL, 0);
	on_stack_msk = draw_msk(on_stack_service, 10);
	(void)fan_mbms_msks(on_stack_service, &msks);
	cr_assert_eq(fan_mbms_msk_use(on_stack_service, on_stack_msk), 0);
	reserve_mtks(on_stack_service);
	cr_assert_not(fan_test_left_on_stack(send_on_this_stack, NULL, msks[0].msk.key, FAN_MIKEY_KEY_BYTES));
	cr_assert_not(fan_test_left_on_stack(send_on_this_stack, NULL, ues[0].muk, FAN_MIKEY_MUK_BYTES));
	cr_assert_not(fan_test_left_on_stack(draw_on_this_stack, &stream, stream.key, sizeof(stream.key)));
	fan_mbms_close(on_stack_service);
}
