/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PDUs in service: plaintext at either end is seen in every shape, what is right passes, what is not does not, and which ones are judged
 * follows the lengths and nothing that can be known.
 */
#include "../dataplane/engine/reference/claim.h"
#include "../dataplane/engine/reference/reference.h"
#include "batch.h"

#include <criterion/criterion.h>
#include <string.h>

static const uint16_t lengths[] = { 1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 47, 48, 64, 160, 1480 };

#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))
#define ROWS (3 * (FAN_HEAD_BLOCKS_MAX + 1) * LENGTHS)

/* A PDU, right, and a claim to have made it. */
struct pdu {
	struct fan_shape shape;
	struct fan_context context;
	uint8_t message[FAN_PDU_BYTES_MAX + FAN_MESSAGE_SLACK_BYTES];
	uint8_t plaintext[FAN_PDU_BYTES_MAX];
	uint8_t head[FAN_PDU_BYTES_MAX]; /* and behind it octets of nobody */
	uint8_t clear[FAN_CLEAR_BYTES_MAX];
	uint8_t packet[2048], *text;
	struct fan_claim claim;
};

static void
make(struct pdu *pdu, struct fan_test_random *random, unsigned row, uint8_t cipher)
{
	unsigned head;

	pdu->shape = (struct fan_shape){ .cipher = cipher,
					 .integrity = 2,
					 .sequence = (uint8_t)(row % 3),
					 .head_blocks = (uint8_t)(row / 3 % (FAN_HEAD_BLOCKS_MAX + 1)),
					 .clear_bytes = 2,
					 .text_bytes = lengths[row / 3 / (FAN_HEAD_BLOCKS_MAX + 1)],
					 .message = pdu->message };
	head = fan_shape_head_bytes(&pdu->shape);
	fan_test_random_fill(random, (uint8_t *)&pdu->context, sizeof(pdu->context));
	fan_test_random_fill(random, pdu->message, sizeof(pdu->message));
	fan_test_random_fill(random, pdu->plaintext, head);
	memcpy(pdu->plaintext + head, pdu->message + head, pdu->shape.text_bytes - head);
	fan_test_random_fill(random, pdu->head, sizeof(pdu->head));
	memcpy(pdu->head, pdu->plaintext, head);
	fan_test_random_fill(random, pdu->clear, sizeof(pdu->clear));
	pdu->text = pdu->packet + 64;
	memcpy(pdu->text - 2, pdu->clear, 2);
	memcpy(pdu->text, pdu->plaintext, pdu->shape.text_bytes);
	fan_reference_protect(&pdu->shape, &pdu->context, 77, pdu->text);
	pdu->claim = (struct fan_claim){ .shape = &pdu->shape,
					 .context = &pdu->context,
					 .count = 77,
					 .clear = pdu->clear,
					 .head = pdu->head,
					 .text = pdu->text,
					 .mac = pdu->text - 2 - FAN_MAC_BYTES };
}

Test(claim, plaintext_at_either_end_is_seen)
{
	struct fan_test_random random = fan_test_random_from_environment();
	static struct pdu pdu;

	for (unsigned row = 0; row < ROWS; row++)
		for (uint8_t cipher = 0; cipher <= FAN_ALGORITHM_MAX; cipher++) {
			const unsigned bytes = lengths[row / 3 / (FAN_HEAD_BLOCKS_MAX + 1)];
			const unsigned end = bytes < 32 ? (bytes + 1) / 2 : 16;

			/* A short text may be what it was by chance: a longer one is not. */
			make(&pdu, &random, row, cipher);
			cr_assert(bytes < 15 || !fan_claim_is_plaintext(&pdu.claim), "row %u", row);
			memcpy(pdu.text, pdu.plaintext, end);
			cr_assert_eq(fan_claim_is_plaintext(&pdu.claim), cipher != 0, "row %u: the beginning", row);
			make(&pdu, &random, row, cipher);
			memcpy(pdu.text + bytes - end, pdu.plaintext + bytes - end, end);
			cr_assert_eq(fan_claim_is_plaintext(&pdu.claim), cipher != 0, "row %u: the end", row);
			/* All but an octet of both. */
			make(&pdu, &random, row, cipher);
			memcpy(pdu.text, pdu.plaintext, bytes);
			pdu.text[end - 1] ^= 1;
			pdu.text[bytes - 1] ^= 2;
			cr_assert_not(fan_claim_is_plaintext(&pdu.claim), "row %u", row);
		}
}

/* Every octet of text and MAC. */
Test(claim, what_differs_anywhere_is_not_right)
{
	struct fan_test_random random = fan_test_random_from_environment();
	static struct pdu pdu;

	for (unsigned row = 0; row < ROWS; row++) {
		unsigned end;
		int mac;

		make(&pdu, &random, row, 2);
		mac = pdu.shape.sequence == FAN_CIPHER_THEN_MAC ? -2 - FAN_MAC_BYTES : 0;
		end = pdu.shape.text_bytes + fan_shape_trailer_bytes(&pdu.shape);
		cr_assert(fan_claim_is_right(&pdu.claim), "row %u", row);
		for (int at = mac; at < (int)end; at += (int)(row % 7) + 1) {
			if (at < 0 && at >= -2)
				continue;
			pdu.text[at] ^= 0x20;
			cr_assert_not(fan_claim_is_right(&pdu.claim), "row %u, octet %d", row, at);
			pdu.text[at] ^= 0x20;
		}
		pdu.claim.count++;
		cr_assert_not(fan_claim_is_right(&pdu.claim), "of another COUNT");
	}
}

/* One in so many UEs as an octet is worth, wherever in its batch it stands. */
Test(claim, lengths_decide_how_many_are_judged)
{
	const struct fan_shape shapes[] = { { .text_bytes = 20 }, { .text_bytes = 1480 } };

	fan_sample_every(4);
	for (unsigned i = 0; i < 2; i++) {
		const unsigned average = 4 * (shapes[i].text_bytes + 32U), wanted = 1000;
		unsigned judged = 0, in_each_quarter[4] = { 0 };
		struct fan_sample sample;

		cr_assert_eq(fan_sample_init(&sample), 0);
		for (uint64_t ues = 0; ues < (uint64_t)average * wanted; ues += FAN_BATCH_UES_MAX) {
			const int ue = fan_sample_take(&sample, &shapes[i], FAN_BATCH_UES_MAX);

			cr_assert(ue >= -1 && ue < FAN_BATCH_UES_MAX);
			judged += ue >= 0;
			if (ue >= 0)
				in_each_quarter[ue / 16]++;
		}
		cr_assert(judged > wanted * 7 / 10 && judged < wanted * 13 / 10, "%u judged", judged);
		for (unsigned j = 0; j < 4; j++)
			cr_assert_geq(in_each_quarter[j], judged / 8);
	}
}

Test(claim, no_two_samples_are_alike)
{
	struct fan_sample one, other;

	cr_assert_eq(fan_sample_init(&one), 0);
	cr_assert_eq(fan_sample_init(&other), 0);
	cr_assert_neq(one.state, other.state);
}

Test(claim, a_test_has_one_of_each_batch_judged)
{
	static const struct fan_shape shape = { .text_bytes = 160 };
	struct fan_sample sample;

	fan_sample_every(0);
	cr_assert_eq(fan_sample_init(&sample), 0);
	for (unsigned i = 0; i < 100; i++)
		cr_assert_eq(fan_sample_take(&sample, &shape, 1), 0);
}
