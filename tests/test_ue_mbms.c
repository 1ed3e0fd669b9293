/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "../host-api/keys/mbms.h"
#include "../ue/mbms.h"
#include "vectors.h"

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <srtp2/srtp.h>
#include <string.h>

#define OCTETS_MAX FAN_MIKEY_BYTES_MAX
#define UES 3

static const char bm_sc[] = "bmsc.mnc001.mcc001.pub.3gppnetwork.org";
static const char b_tid[] = "I1U8vpY3qJ0hiuZNrke/NQ==@bsf.mnc001.mcc001.pub.3gppnetwork.org";
static const uint8_t domain[3] = { 0x00, 0xf1, 0x10 };
static uint8_t answer[FAN_UE_MBMS_ANSWER_BYTES_MAX];
static size_t answer_bytes;

/* What never was there is nothing that could be left of a message before. */
static enum fan_ue_mbms_verdict
take(struct fan_ue_mbms *ue, const uint8_t *octets, size_t octet_count)
{
	uint8_t *copy = malloc(octet_count + 1); /* ends where the message ends, for ASan */
	enum fan_ue_mbms_verdict verdict;

	memcpy(copy, octets, octet_count);
	verdict = fan_ue_mbms_take(ue, answer, &answer_bytes, copy, octet_count);
	free(copy);
	if (verdict != FAN_UE_MBMS_ACCEPTED)
		cr_assert_eq(answer_bytes, 0, "no error is answered");
	return verdict;
}

static struct fan_ue_mbms *
open_ue(const uint8_t muk[32], uint16_t group)
{
	struct fan_ue_mbms *ue = fan_ue_mbms_open(muk, bm_sc, b_tid);

	cr_assert(ue && fan_ue_mbms_join(ue, domain, group));
	return ue;
}

/* ---- Vectors ----------------------------------------------------------------------------------------------------------- */

static size_t
read_vector(uint8_t *octets, const char *id, const char *field)
{
	struct fan_vectors vectors = fan_vectors_load("MIKEY_MBMS.json");
	size_t octet_count = 0;

	for (size_t i = 0; i < vectors.count; i++)
		if (strcmp(fan_vector_text(fan_vector_at(&vectors, i), "id"), id) == 0)
			octet_count = fan_vector_bytes(fan_vector_at(&vectors, i), octets, field, OCTETS_MAX);
	cr_assert_gt(octet_count, 0, "%s", id);
	fan_vectors_free(&vectors);
	return octet_count;
}

Test(ue_mbms, takes_and_answers_the_messages_that_were_computed_elsewhere)
{
	uint8_t muk[OCTETS_MAX], octets[OCTETS_MAX], wanted[OCTETS_MAX], key[FAN_UE_MBMS_STREAM_KEY_BYTES];
	struct fan_ue_mbms *ue;
	size_t octet_count, wanted_bytes = read_vector(wanted, "mikey-mbms-msk-verification-own-1", "message");

	(void)read_vector(muk, "mikey-mbms-msk-own-1", "muk");
	ue = open_ue(muk, 1);
	octet_count = read_vector(octets, "mikey-mbms-msk-own-1", "message");
	cr_assert_eq(take(ue, octets, octet_count), FAN_UE_MBMS_ACCEPTED);
	cr_assert(answer_bytes == wanted_bytes && memcmp(answer, wanted, wanted_bytes) == 0);
	octet_count = read_vector(octets, "mikey-mbms-mtk-own-1", "message");
	cr_assert_eq(take(ue, octets, octet_count), FAN_UE_MBMS_ACCEPTED);
	cr_assert_eq(answer_bytes, 0);
	(void)read_vector(wanted, "mikey-mbms-mtk-own-1", "mtk");
	cr_assert(fan_ue_mbms_stream_key(ue, key, (const uint8_t[]){ 0, 1, 0, 1, 0, 1 }));
	cr_assert_arr_eq(key, wanted, 16);
	cr_assert_not(fan_ue_mbms_stream_key(ue, key, (const uint8_t[]){ 0, 1, 0, 1, 0, 2 }));
	cr_assert_not(fan_ue_mbms_stream_key(ue, key, (const uint8_t[]){ 0, 1, 0, 2, 0, 1 }));
	fan_ue_mbms_close(ue);
}

Test(ue_mbms, messages_of_cards_are_of_no_service_that_was_joined)
{
	static const char *const ids[] = { "mikey-mbms-mtk-gemalto",        "mikey-mbms-msk-gemalto-3g",
					   "mikey-mbms-msk-gemalto-2g",     "mikey-mbms-msk-eastcompeace-v",
					   "mikey-mbms-mtk-eastcompeace-1", "mikey-mbms-mtk-eastcompeace-2" };
	struct fan_ue_mbms *ue = open_ue((const uint8_t[32]){ 1 }, 1);
	uint8_t octets[OCTETS_MAX];

	for (unsigned i = 0; i < sizeof(ids) / sizeof(*ids); i++)
		cr_assert_eq(take(ue, octets, read_vector(octets, ids[i], "message")), FAN_UE_MBMS_NOT_JOINED, "%s", ids[i]);
	fan_ue_mbms_close(ue);
}

/* ---- From the BM-SC to the traffic -------------------------------------------------------------------------------------- */

struct network {
	struct fan_mbms *mbms;
	struct fan_mbms_counter times;
	struct fan_mikey_user user[UES];
	struct fan_ue_mbms *ue[UES];
	struct fan_mikey_head head;
	uint8_t octets[OCTETS_MAX];
};

static struct network *
open_network(void)
{
	static struct network network;
	struct fan_mbms_options options = { .domain = { 0x00, 0xf1, 0x10 },
					    .group = 1,
					    .number = 1,
					    .csb_id = 0xc0ffee01,
					    .idi = { bm_sc, sizeof(bm_sc) - 1 },
					    .times = &network.times };

	network.times = (struct fan_mbms_counter){ 1, 1000 };
	cr_assert_eq(fan_mbms_open(&network.mbms, &options, NULL, 0), 0);
	for (unsigned i = 0; i < UES; i++) {
		memset(network.user[i].muk, (int)i + 1, sizeof(network.user[i].muk));
		network.user[i].idr = (struct fan_mikey_identity){ b_tid, sizeof(b_tid) - 1 };
		network.ue[i] = open_ue(network.user[i].muk, 1);
	}
	return &network;
}

static void
close_network(struct network *network)
{
	for (unsigned i = 0; i < UES; i++)
		fan_ue_mbms_close(network->ue[i]);
	fan_mbms_close(network->mbms);
}

static uint32_t
draw_msk(struct network *network)
{
	struct fan_mbms_msk *msks;
	uint32_t msk_id;
	unsigned count;

	cr_assert_eq(fan_mbms_msk_draw(network->mbms, &msk_id, 10), 0, "%s", fan_error_detail());
	count = fan_mbms_msks(network->mbms, &msks);
	cr_assert_eq(fan_mbms_counter_reserve(&msks[count - 1].mtk, 100), 0);
	return msk_id;
}

static enum fan_ue_mbms_verdict
deliver(struct network *network, uint32_t msk_id, unsigned ue, bool verify)
{
	const int octet_count = fan_mbms_msk_message(network->mbms, network->octets, &network->head, msk_id, &network->user[ue],
						     verify);

	cr_assert_gt(octet_count, 0, "%s", fan_error_detail());
	return take(network->ue[ue], network->octets, (size_t)octet_count);
}

/* Whether libsrtp2, given the key that this UE has for the packet's MKI, opens it as what was sent. */
static bool
ue_opens(const struct fan_ue_mbms *ue, const uint8_t *packet, size_t packet_bytes, const char *wanted)
{
	uint8_t key[FAN_UE_MBMS_STREAM_KEY_BYTES], copy[256], mki[FAN_UE_MBMS_MKI_BYTES];
	srtp_master_key_t master = { key, mki, sizeof(mki) }, *masters[] = { &master };
	srtp_policy_t policy = { .ssrc = { ssrc_any_inbound, 0 }, .keys = masters, .num_master_keys = 1, .window_size = 128 };
	int copy_bytes = (int)packet_bytes;
	srtp_t session;
	bool good;

	memcpy(mki, packet + packet_bytes - FAN_SRTP_MORE_BYTES, sizeof(mki));
	if (!fan_ue_mbms_stream_key(ue, key, mki))
		return false;
	srtp_crypto_policy_set_rtp_default(&policy.rtp);
	srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
	cr_assert(srtp_init() == srtp_err_status_ok && srtp_create(&session, &policy) == srtp_err_status_ok);
	memcpy(copy, packet, packet_bytes);
	good = srtp_unprotect_mki(session, copy, &copy_bytes, 1) == srtp_err_status_ok &&
	       copy_bytes == 12 + (int)strlen(wanted) && memcmp(copy + 12, wanted, strlen(wanted)) == 0;
	(void)srtp_dealloc(session);
	(void)srtp_shutdown();
	return good;
}

/* Draws an MTK, tells all UEs, sends one packet under it. Out: packet[]. Returns its octets. */
static size_t
send_traffic(struct network *network, uint8_t *packet, const char *text)
{
	static const uint8_t header[12] = { 0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9 };
	struct fan_srtp_stream stream = { .ssrc = 9 };
	struct fan_srtp *srtp;
	const int octet_count = fan_mbms_mtk_draw(network->mbms, network->octets, &stream);
	int packet_bytes;

	cr_assert_gt(octet_count, 0, "%s", fan_error_detail());
	for (unsigned i = 0; i < UES; i++) {
		(void)take(network->ue[i], network->octets, (size_t)octet_count);
		cr_assert_eq(answer_bytes, 0);
	}
	cr_assert_eq(fan_srtp_open(&srtp, &stream), 0);
	memcpy(packet, header, sizeof(header));
	memcpy(packet + sizeof(header), text, strlen(text));
	packet_bytes = fan_srtp_protect(srtp, packet, sizeof(header) + strlen(text));
	cr_assert_gt(packet_bytes, 0);
	fan_srtp_close(srtp);
	return (size_t)packet_bytes;
}

Test(ue_mbms, a_member_opens_the_traffic_and_one_that_was_left_out_of_the_next_msk_does_not)
{
	struct network *network = open_network();
	const uint32_t first = draw_msk(network);
	uint8_t packet[256] __attribute__((aligned(4)));
	size_t packet_bytes;
	uint32_t second;

	for (unsigned i = 0; i < UES; i++)
		cr_assert_eq(deliver(network, first, i, false), FAN_UE_MBMS_ACCEPTED);
	cr_assert_eq(fan_mbms_msk_use(network->mbms, first), 0);
	packet_bytes = send_traffic(network, packet, "to all three");
	for (unsigned i = 0; i < UES; i++)
		cr_assert(ue_opens(network->ue[i], packet, packet_bytes, "to all three"), "UE %u", i);
	second = draw_msk(network);
	for (unsigned i = 0; i < UES - 1; i++)
		cr_assert_eq(deliver(network, second, i, false), FAN_UE_MBMS_ACCEPTED);
	cr_assert_eq(fan_mbms_msk_use(network->mbms, second), 0);
	packet_bytes = send_traffic(network, packet, "to two");
	for (unsigned i = 0; i < UES; i++)
		cr_assert_eq(ue_opens(network->ue[i], packet, packet_bytes, "to two"), i < UES - 1, "UE %u", i);
	close_network(network);
}

/* ---- Multicast sessions of 5GS -------------------------------------------------------------------------------------------- */

static const uint8_t tmgi[FAN_MBMS_TMGI_BYTES] = { 0xa1, 0xa2, 0xa3, 0x00, 0xf1, 0x10 };

static enum fan_ue_mbms_verdict
take_container(struct fan_ue_mbms *ue, const uint8_t *octets, size_t octet_count)
{
	uint8_t *copy = malloc(octet_count + 1);
	enum fan_ue_mbms_verdict verdict;

	memcpy(copy, octets, octet_count);
	verdict = fan_ue_mbms_take_container(ue, tmgi, copy, octet_count);
	free(copy);
	return verdict;
}

Test(ue_mbms, a_container_brings_the_msks_that_mtks_come_under)
{
	struct network *network = open_network();
	uint8_t container[FAN_MBMS_CONTAINER_BYTES_MAX], packet[256] __attribute__((aligned(4)));
	struct fan_mbms_msk *msks;
	uint32_t first, second;
	size_t packet_bytes;

	cr_assert_eq(fan_mbms_container_write(container, network->mbms, tmgi), FAN_E_NOT_FOUND);
	first = draw_msk(network);
	cr_assert_eq(fan_mbms_container_write(container, network->mbms, tmgi), 10 + 24);
	cr_assert_arr_eq(container, "\x05\x08\x06\xa1\xa2\xa3\x00\xf1\x10\x01\x00\x00\xf1\x10\x00\x01\x00\x01", 18);
	(void)fan_mbms_msks(network->mbms, &msks);
	cr_assert_arr_eq(container + 18, msks[0].msk.key, 16);
	for (unsigned i = 0; i < UES; i++)
		cr_assert_eq(take_container(network->ue[i], container, 34), FAN_UE_MBMS_ACCEPTED);
	cr_assert_eq(fan_mbms_msk_use(network->mbms, first), 0);
	packet_bytes = send_traffic(network, packet, "to all three");
	for (unsigned i = 0; i < UES; i++)
		cr_assert(ue_opens(network->ue[i], packet, packet_bytes, "to all three"), "UE %u", i);
	/* Both keys at a time; one that is left out has the first alone. */
	second = draw_msk(network);
	cr_assert_eq(fan_mbms_container_write(container, network->mbms, tmgi), FAN_MBMS_CONTAINER_BYTES_MAX);
	for (unsigned i = 0; i < UES - 1; i++)
		cr_assert_eq(take_container(network->ue[i], container, FAN_MBMS_CONTAINER_BYTES_MAX), FAN_UE_MBMS_ACCEPTED);
	cr_assert_eq(fan_mbms_msk_use(network->mbms, second), 0);
	packet_bytes = send_traffic(network, packet, "to two");
	for (unsigned i = 0; i < UES; i++)
		cr_assert_eq(ue_opens(network->ue[i], packet, packet_bytes, "to two"), i < UES - 1, "UE %u", i);
	/* A revoked one is not handed out again. */
	cr_assert_eq(fan_mbms_msk_revoke(network->mbms, first), 0);
	cr_assert_eq(fan_mbms_container_write(container, network->mbms, tmgi), 34);
	cr_assert_eq(container[17], (uint8_t)second);
	close_network(network);
}

Test(ue_mbms, a_container_that_comes_again_takes_no_mtk_twice)
{
	struct network *network = open_network();
	struct fan_srtp_stream stream = { .ssrc = 9 };
	uint8_t container[FAN_MBMS_CONTAINER_BYTES_MAX];
	const uint32_t msk_id = draw_msk(network);
	const size_t container_bytes = (size_t)fan_mbms_container_write(container, network->mbms, tmgi);
	size_t mtk_bytes;

	cr_assert_eq(take_container(network->ue[0], container, container_bytes), FAN_UE_MBMS_ACCEPTED);
	cr_assert_eq(fan_mbms_msk_use(network->mbms, msk_id), 0);
	mtk_bytes = (size_t)fan_mbms_mtk_draw(network->mbms, network->octets, &stream);
	cr_assert_eq(take(network->ue[0], network->octets, mtk_bytes), FAN_UE_MBMS_ACCEPTED);
	cr_assert_eq(take_container(network->ue[0], container, container_bytes), FAN_UE_MBMS_ACCEPTED);
	cr_assert_eq(take(network->ue[0], network->octets, mtk_bytes), FAN_UE_MBMS_REPLAY);
	close_network(network);
}

Test(ue_mbms, an_mtk_in_a_container_has_no_salt)
{
	static const uint8_t contents[] = "\x05\x08\x06\xa1\xa2\xa3\x00\xf1\x10\x01\x01\x00\xf1\x10\x00\x01\x00\x05"
					  "an MSK of tests\0\x00\x07"
					  "an MTK of tests";
	struct fan_ue_mbms *ue = open_ue((const uint8_t[32]){ 1 }, 1);
	uint8_t key[FAN_UE_MBMS_STREAM_KEY_BYTES], wanted[FAN_UE_MBMS_STREAM_KEY_BYTES] = "an MTK of tests";

	cr_assert_eq(take_container(ue, contents, sizeof(contents)), FAN_UE_MBMS_ACCEPTED);
	cr_assert(fan_ue_mbms_stream_key(ue, key, (const uint8_t[]){ 0, 1, 0, 5, 0, 7 }));
	cr_assert_arr_eq(key, wanted, sizeof(key));
	fan_ue_mbms_close(ue);
}

Test(ue_mbms, containers_that_are_refused_change_nothing)
{
	struct network *network = open_network();
	uint8_t container[FAN_MBMS_CONTAINER_BYTES_MAX + 1], other[FAN_MBMS_CONTAINER_BYTES_MAX + 1];
	uint8_t packet[256] __attribute__((aligned(4)));
	struct fan_ue_mbms *ue = network->ue[0];
	const uint32_t msk_id = draw_msk(network);
	const size_t octet_count = (size_t)fan_mbms_container_write(container, network->mbms, tmgi);
	static const struct {
		uint8_t at, value;
		enum fan_ue_mbms_verdict verdict;
	} wrong[] = {
		{ 0, 0x04, FAN_UE_MBMS_MALFORMED }, { 1, 0x09, FAN_UE_MBMS_MALFORMED }, { 2, 7, FAN_UE_MBMS_MALFORMED },
		{ 3, 0xa0, FAN_UE_MBMS_NOT_MINE },  { 9, 0, FAN_UE_MBMS_MALFORMED },    { 9, 2, FAN_UE_MBMS_MALFORMED },
		{ 9, 3, FAN_UE_MBMS_MALFORMED },    { 10, 2, FAN_UE_MBMS_MALFORMED },   { 10, 1, FAN_UE_MBMS_MALFORMED },
		{ 11, 1, FAN_UE_MBMS_NOT_JOINED },  { 15, 2, FAN_UE_MBMS_NOT_JOINED },
	};

	for (size_t cut = 0; cut < octet_count; cut++)
		cr_assert_eq(take_container(ue, container, cut), FAN_UE_MBMS_MALFORMED, "%zu octets", cut);
	container[octet_count] = 0;
	cr_assert_eq(take_container(ue, container, octet_count + 1), FAN_UE_MBMS_MALFORMED);
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		memcpy(other, container, sizeof(other));
		other[wrong[i].at] = wrong[i].value;
		cr_assert_eq(take_container(ue, other, octet_count), wrong[i].verdict, "row %u", i);
	}
	cr_assert_eq(fan_mbms_msk_use(network->mbms, msk_id), 0);
	cr_assert_not(ue_opens(ue, packet, send_traffic(network, packet, "nobody has it"), "nobody has it"));
	close_network(network);
}

Test(ue_mbms, an_answer_is_given_when_it_is_asked_for_and_verifies_the_message)
{
	struct network *network = open_network();
	const uint32_t msk_id = draw_msk(network);

	cr_assert_eq(deliver(network, msk_id, 0, false), FAN_UE_MBMS_ACCEPTED);
	cr_assert_eq(answer_bytes, 0);
	cr_assert_eq(deliver(network, msk_id, 0, true), FAN_UE_MBMS_ACCEPTED);
	cr_assert_eq(fan_mbms_verified(network->mbms, &network->head, &network->user[0], answer, answer_bytes),
		     FAN_MIKEY_ACCEPTED);
	cr_assert_eq(fan_mbms_verified(network->mbms, &network->head, &network->user[1], answer, answer_bytes),
		     FAN_MIKEY_WRONG_MAC);
	close_network(network);
}

Test(ue_mbms, refuses_a_third_msk_until_one_is_revoked)
{
	struct network *network = open_network();
	const uint32_t first = draw_msk(network), second = draw_msk(network);
	uint32_t third;

	cr_assert_eq(deliver(network, first, 0, false), FAN_UE_MBMS_ACCEPTED);
	cr_assert_eq(deliver(network, first, 1, false), FAN_UE_MBMS_ACCEPTED);
	cr_assert_eq(deliver(network, second, 0, false), FAN_UE_MBMS_ACCEPTED);
	cr_assert_eq(deliver(network, second, 1, false), FAN_UE_MBMS_ACCEPTED);
	cr_assert_eq(fan_mbms_msk_revoke(network->mbms, first), 0);
	cr_assert_eq(deliver(network, first, 0, false), FAN_UE_MBMS_ACCEPTED);
	third = draw_msk(network);
	cr_assert_eq(deliver(network, third, 0, false), FAN_UE_MBMS_ACCEPTED);
	cr_assert_eq(deliver(network, third, 1, false), FAN_UE_MBMS_FULL, "this UE was not told");
	close_network(network);
}

/* ---- Refusals ---------------------------------------------------------------------------------------------------------- */

static struct fan_mikey *mikey;
static const struct fan_mikey_user mine = { .muk = "a MUK of 32 octets for the tests",
					    .idi = { bm_sc, sizeof(bm_sc) - 1 },
					    .idr = { b_tid, sizeof(b_tid) - 1 } };
static const struct fan_mikey_msk msk = { .id = 0x00010001, .mtk_first = 10, .mtk_last = 20, .key = "an MSK of tests" };

static void
open_mikey(void)
{
	cr_assert_eq(fan_mikey_open(&mikey), 0);
}

static void
close_mikey(void)
{
	fan_mikey_close(mikey);
}

TestSuite(ue_mbms_refuses, .init = open_mikey, .fini = close_mikey);

static size_t
write_msk(uint8_t *octets, uint32_t t, uint32_t id)
{
	const struct fan_mikey_head head = { { 0x00, 0xf1, 0x10 }, 0xc0ffee01, t, true, "RAND of an MSK." };
	struct fan_mikey_msk which = msk;

	which.id = id;
	return (size_t)fan_mikey_write_msk(mikey, octets, &head, &which, &mine);
}

static size_t
write_mtk(uint8_t *octets, uint32_t t, uint16_t id)
{
	const struct fan_mikey_head head = { { 0x00, 0xf1, 0x10 }, 0xc0ffee01, t, false, { 0 } };
	const struct fan_mikey_mtk mtk = { .id = id, .key = "an MTK of tests" };

	return (size_t)fan_mikey_write_mtk(mikey, octets, &head, &msk, &mtk);
}

static struct fan_ue_mbms *
open_with_msk(void)
{
	struct fan_ue_mbms *ue = open_ue(mine.muk, 1);
	uint8_t octets[OCTETS_MAX];

	cr_assert_eq(take(ue, octets, write_msk(octets, 1, msk.id)), FAN_UE_MBMS_ACCEPTED);
	return ue;
}

static void
refuse_changes(uint8_t *octets, size_t octet_count)
{
	struct fan_ue_mbms *ue = open_with_msk();

	for (size_t i = 0; i < 8 * octet_count; i++) {
		octets[i / 8] ^= (uint8_t)(1 << i % 8);
		cr_assert_neq(take(ue, octets, octet_count), FAN_UE_MBMS_ACCEPTED, "bit %zu", i);
		octets[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t cut = 0; cut < octet_count; cut++)
		cr_assert_eq(take(ue, octets, cut), FAN_UE_MBMS_MALFORMED, "%zu octets", cut);
	octets[octet_count] = 0;
	cr_assert_eq(take(ue, octets, octet_count + 1), FAN_UE_MBMS_MALFORMED);
	cr_assert_eq(take(ue, octets, octet_count), FAN_UE_MBMS_ACCEPTED, "nothing refused changed the UE");
	fan_ue_mbms_close(ue);
}

Test(ue_mbms_refuses, what_is_changed_cut_or_longer)
{
	uint8_t octets[OCTETS_MAX + 1];

	refuse_changes(octets, write_msk(octets, 2, msk.id));
	refuse_changes(octets, write_mtk(octets, 1, 12));
}

Test(ue_mbms_refuses, replays_of_msk_messages)
{
	struct fan_ue_mbms *ue = open_ue(mine.muk, 1);
	uint8_t octets[OCTETS_MAX];

	cr_assert_eq(take(ue, octets, write_msk(octets, 5, msk.id)), FAN_UE_MBMS_ACCEPTED);
	cr_assert_eq(take(ue, octets, write_msk(octets, 5, msk.id)), FAN_UE_MBMS_REPLAY);
	cr_assert_eq(take(ue, octets, write_msk(octets, 4, msk.id + 1)), FAN_UE_MBMS_REPLAY);
	cr_assert_eq(take(ue, octets, write_msk(octets, 6, msk.id + 1)), FAN_UE_MBMS_ACCEPTED);
	cr_assert_eq(take(ue, octets, write_msk(octets, 7, msk.id + 2)), FAN_UE_MBMS_FULL);
	fan_ue_mbms_close(ue);
}

Test(ue_mbms_refuses, old_mtks_and_those_outside_the_interval)
{
	struct fan_ue_mbms *ue = open_with_msk();
	uint8_t octets[OCTETS_MAX];

	cr_assert_eq(take(ue, octets, write_mtk(octets, 1, 9)), FAN_UE_MBMS_OUTSIDE);
	cr_assert_eq(take(ue, octets, write_mtk(octets, 1, 21)), FAN_UE_MBMS_OUTSIDE);
	cr_assert_eq(take(ue, octets, write_mtk(octets, 7, 12)), FAN_UE_MBMS_ACCEPTED);
	cr_assert_eq(take(ue, octets, write_mtk(octets, 7, 12)), FAN_UE_MBMS_REPLAY);
	cr_assert_eq(take(ue, octets, write_mtk(octets, 6, 13)), FAN_UE_MBMS_REPLAY);
	cr_assert_eq(take(ue, octets, write_mtk(octets, 8, 12)), FAN_UE_MBMS_REPLAY);
	/* The MSK again, as a lost answer makes a BM-SC do: old messages stay old. */
	cr_assert_eq(take(ue, octets, write_msk(octets, 2, msk.id)), FAN_UE_MBMS_ACCEPTED);
	cr_assert_eq(take(ue, octets, write_mtk(octets, 7, 13)), FAN_UE_MBMS_REPLAY);
	cr_assert_eq(take(ue, octets, write_mtk(octets, 8, 20)), FAN_UE_MBMS_ACCEPTED);
	fan_ue_mbms_close(ue);
}

Test(ue_mbms_refuses, another_service_another_name_and_an_mtk_without_its_msk)
{
	struct fan_ue_mbms *ue = open_ue(mine.muk, 2), *other = fan_ue_mbms_open(mine.muk, bm_sc, "other@bsf.example");
	uint8_t octets[OCTETS_MAX];

	cr_assert_eq(take(ue, octets, write_msk(octets, 1, msk.id)), FAN_UE_MBMS_NOT_JOINED);
	cr_assert_eq(take(ue, octets, write_mtk(octets, 1, 12)), FAN_UE_MBMS_NOT_JOINED);
	cr_assert(fan_ue_mbms_join(ue, domain, 1) && fan_ue_mbms_join(other, domain, 1));
	cr_assert_eq(take(ue, octets, write_mtk(octets, 1, 12)), FAN_UE_MBMS_NO_MSK);
	cr_assert_eq(take(other, octets, write_msk(octets, 1, msk.id)), FAN_UE_MBMS_NOT_MINE);
	fan_ue_mbms_close(ue);
	fan_ue_mbms_close(other);
}

/* As whoever has the MSK could make it: V set, and the MAC right again. Label and P-function of RFC 3830 once more. */
static void
ask_for_an_answer(uint8_t *octets, size_t octet_count)
{
	uint8_t text[20 + 9] = { 0 }, auth[20];

	memcpy(text + 20, "\x2d\x22\xac\x75\xff\xc0\xff\xee\x01", 9);
	cr_assert(HMAC(EVP_sha1(), msk.key, sizeof(msk.key), text + 20, 9, text, NULL) &&
		  HMAC(EVP_sha1(), msk.key, sizeof(msk.key), text, sizeof(text), auth, NULL));
	octets[3] = 0x80;
	cr_assert(HMAC(EVP_sha1(), auth, sizeof(auth), octets, octet_count - 20, octets + octet_count - 20, NULL));
}

Test(ue_mbms_refuses, to_answer_an_mtk_message_whoever_asks)
{
	struct fan_ue_mbms *ue = open_with_msk();
	uint8_t octets[OCTETS_MAX];
	const size_t octet_count = write_mtk(octets, 1, 12);

	ask_for_an_answer(octets, octet_count);
	cr_assert_eq(take(ue, octets, octet_count), FAN_UE_MBMS_ACCEPTED, "the MAC is right");
	cr_assert_eq(answer_bytes, 0);
	fan_ue_mbms_close(ue);
}

Test(ue_mbms_refuses, names_that_are_too_long_and_a_ninth_service)
{
	char name[256];
	struct fan_ue_mbms *ue = fan_ue_mbms_open(mine.muk, bm_sc, b_tid);

	memset(name, 'x', sizeof(name) - 1);
	name[254] = '\0';
	cr_assert_null(fan_ue_mbms_open(mine.muk, name, b_tid));
	cr_assert_null(fan_ue_mbms_open(mine.muk, bm_sc, ""));
	for (uint16_t i = 0; i < FAN_UE_MBMS_SERVICES_MAX; i++)
		cr_assert(fan_ue_mbms_join(ue, domain, i));
	cr_assert_not(fan_ue_mbms_join(ue, domain, 99));
	fan_ue_mbms_close(ue);
}
