/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any octets as a MIKEY message of MBMS, to the reader beside the BM-SC and to the UE's, which must agree on MSK messages. Bit 0 of the first
 * octet makes the MAC right, under keys that are known here, so that mutations reach what stands behind it.
 */
#include "../../host-api/keys/mikey.h"
#include "../../ue/mbms.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes);

static const struct fan_mikey_user user = { .muk = "a MUK of 32 octets for the tests" };
static const uint8_t msk[FAN_MIKEY_KEY_BYTES] = "an MSK of tests";

static struct fan_mikey *
the_mikey(void)
{
	static struct fan_mikey *mikey;

	if (mikey == NULL && fan_mikey_open(&mikey) != 0)
		abort();
	return mikey;
}

/* HMAC-SHA-1 of RFC 3830's P-function, once more. */
static void
derive_auth(uint8_t auth[20], const struct fan_mikey_message *message)
{
	const bool from_muk = message->kind != FAN_MIKEY_MTK;
	uint8_t text[20 + 25] = { 0 };
	uint8_t *const label = text + 20;
	const size_t label_bytes = from_muk ? 25 : 9;
	const uint8_t constant[] = { 0x2d, 0x22, 0xac, 0x75, 0xff };

	memcpy(label, constant, sizeof(constant));
	for (unsigned i = 0; i < 4; i++)
		label[5 + i] = (uint8_t)(message->head.csb_id >> (24 - 8 * i));
	memcpy(label + 9, message->head.rand, FAN_MIKEY_RAND_BYTES);
	(void)HMAC(EVP_sha1(), from_muk ? user.muk : msk, from_muk ? 32 : 16, label, label_bytes, text, NULL);
	(void)HMAC(EVP_sha1(), from_muk ? user.muk : msk, from_muk ? 32 : 16, text, 20 + label_bytes, auth, NULL);
}

static void
make_mac_right(uint8_t *octets, const struct fan_mikey_message *message)
{
	uint8_t auth[20];

	derive_auth(auth, message);
	(void)HMAC(EVP_sha1(), auth, sizeof(auth), octets, (size_t)message->octet_count - FAN_MIKEY_MAC_BYTES,
		   octets + message->octet_count - FAN_MIKEY_MAC_BYTES, NULL);
}

/* A UE that has the names of the message and joined its service; NULL for names that are no text. */
static struct fan_ue_mbms *
ue_for(const struct fan_mikey_message *message)
{
	char bm_sc[FAN_MIKEY_IDENTITY_BYTES_MAX + 1] = "", b_tid[FAN_MIKEY_IDENTITY_BYTES_MAX + 1] = "";
	struct fan_ue_mbms *ue;

	if (memchr(message->idi.text, 0, message->idi.byte_count) || memchr(message->idr.text, 0, message->idr.byte_count))
		return NULL;
	memcpy(bm_sc, message->idi.text, message->idi.byte_count);
	memcpy(b_tid, message->idr.text, message->idr.byte_count);
	ue = fan_ue_mbms_open(user.muk, bm_sc, b_tid);
	if (ue == NULL || !fan_ue_mbms_join(ue, message->head.domain, (uint16_t)(message->msk_id >> 16)))
		abort();
	return ue;
}

/* The first MSK message that a UE gets is accepted by both or by none; but T at its end, 2^32 - 1, is refused by one alone. */
static void
compare(const struct fan_mikey_message *message, enum fan_mikey_verdict verdict)
{
	struct fan_ue_mbms *ue = ue_for(message);
	uint8_t answer[FAN_UE_MBMS_ANSWER_BYTES_MAX];
	size_t answer_bytes;

	if (ue == NULL)
		return;
	if ((fan_ue_mbms_take(ue, answer, &answer_bytes, message->octets, message->octet_count) == FAN_UE_MBMS_ACCEPTED) !=
		    (verdict == FAN_MIKEY_ACCEPTED) &&
	    message->head.counter != UINT32_MAX)
		abort();
	fan_ue_mbms_close(ue);
}

/* Whatever is no message is refused by a UE, and not answered. */
static void
refuse(const uint8_t *octets, size_t octet_count)
{
	static struct fan_ue_mbms *ue;
	uint8_t answer[FAN_UE_MBMS_ANSWER_BYTES_MAX];
	size_t answer_bytes;

	if (ue == NULL)
		ue = fan_ue_mbms_open(user.muk, "bmsc", "b-tid");
	if (fan_ue_mbms_take(ue, answer, &answer_bytes, octets, octet_count) == FAN_UE_MBMS_ACCEPTED || answer_bytes > 0)
		abort();
}

/* Reads it as of the very group and pair of names that it has, so that nothing is refused for those. */
static void
read_message(const struct fan_mikey_message *message)
{
	struct fan_mikey_group group = { .group = (uint16_t)(message->msk_id >> 16), .held_count = 1 };
	struct fan_mikey_user known = user;
	struct fan_mikey_mtk mtk;
	uint32_t counter_next = 0;
	enum fan_mikey_verdict verdict;

	memcpy(group.domain, message->head.domain, sizeof(group.domain));
	group.held[0].msk = (struct fan_mikey_msk){ .id = message->msk_id, .mtk_last = UINT32_MAX };
	memcpy(group.held[0].msk.key, msk, sizeof(msk));
	known.idi = message->idi;
	known.idr = message->idr;
	if (message->kind == FAN_MIKEY_MSK) {
		verdict = fan_mikey_read_msk(the_mikey(), &group, &counter_next, message, &known);
		if ((verdict == FAN_MIKEY_ACCEPTED) != (counter_next == message->head.counter + 1 && counter_next != 0) &&
		    verdict != FAN_MIKEY_MALFORMED)
			abort();
		compare(message, verdict);
	} else if (message->kind == FAN_MIKEY_MTK) {
		verdict = fan_mikey_read_mtk(the_mikey(), &mtk, &group, message);
		if (verdict == FAN_MIKEY_ACCEPTED && mtk.id != message->mtk_id)
			abort();
	} else {
		(void)fan_mikey_read_verification(the_mikey(), &message->head, message, &known);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_bytes)
{
	struct fan_mikey_message message;
	uint8_t *octets;

	if (input_bytes < 2)
		return 0;
	/* Allocations of their own end where the octets do. */
	octets = malloc(input_bytes - 1);
	if (octets == NULL)
		return 0;
	memcpy(octets, input + 1, input_bytes - 1);
	if (fan_mikey_parse(&message, octets, input_bytes - 1) == FAN_MIKEY_ACCEPTED) {
		if (input[0] & 1)
			make_mac_right(octets, &message);
		read_message(&message);
	}
	refuse(octets, input_bytes - 1);
	free(octets);
	return 0;
}
