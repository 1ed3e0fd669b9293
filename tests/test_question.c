/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Questions with known answers: that they are the same each time, cover what they say, and that nothing which a device may do wrongly
 * passes the judge.
 */
#include "../dataplane/engine/reference/question.h"
#include "../dataplane/engine/reference/reference.h"

#include <criterion/criterion.h>
#include <string.h>

static struct fan_question one, other;
static struct fan_context contexts[2][FAN_BATCH_UES_MAX];
static uint8_t packets[2][FAN_BATCH_UES_MAX][FAN_QUESTION_PACKET_BYTES];

#define SEED UINT64_C(0x46616e66617265)

static void
init_questions(void)
{
	fan_question_init(&one, contexts[0], packets[0]);
	fan_question_init(&other, contexts[1], packets[1]);
}

TestSuite(question, .init = init_questions);

static void
answer(struct fan_question *question)
{
	for (unsigned i = 0; i < question->batch.ue_count; i++)
		fan_reference_protect(&question->shape, question->batch.context[i], question->batch.count[i],
				      question->batch.text[i]);
}

/* Every combination of algorithms in every sequence. */
static bool
next_combination(uint8_t *cipher, uint8_t *integrity, uint8_t *sequence)
{
	if (++*integrity > (*sequence == FAN_CIPHER_ONLY ? 0 : FAN_ALGORITHM_MAX)) {
		*integrity = 0;
		if (++*cipher > FAN_ALGORITHM_MAX) {
			*cipher = 0;
			++*sequence;
		}
	}
	return *sequence <= FAN_CIPHER_ONLY;
}

Test(question, the_reference_answers_all_of_them_rightly, .timeout = 60)
{
	uint8_t cipher = 0, integrity = 0, sequence = FAN_CIPHER_THEN_MAC;
	char error[FAN_QUESTION_ERROR_BYTES];
	unsigned zero_macs = 0;

	do {
		for (unsigned number = 0; number < FAN_QUESTIONS; number++) {
			fan_question_make(&one, cipher, integrity, sequence, number, number % 3, SEED);
			cr_assert(fan_shape_check(&one.shape));
			answer(&one);
			for (unsigned i = 0; i < one.batch.ue_count; i++) {
				cr_assert_eq(fan_question_judge(&one, i, error), FAN_ANSWER_RIGHT, "%s", error);
				zero_macs += sequence == FAN_CIPHER_THEN_MAC && integrity != 0 &&
					     one.batch.text[i][-(int)one.shape.clear_bytes - FAN_MAC_BYTES] == 0;
			}
		}
	} while (next_combination(&cipher, &integrity, &sequence));
	cr_assert_geq(zero_macs, 3, "MACs that begin with a zero octet");
}

Test(question, the_same_numbers_make_the_same_question)
{
	fan_question_make(&one, 3, 3, FAN_MAC_THEN_CIPHER, 13, 5, SEED);
	fan_question_make(&other, 3, 3, FAN_MAC_THEN_CIPHER, 13, 5, SEED);
	cr_assert_eq(memcmp(one.packet, other.packet, sizeof(one.packet[0]) * one.batch.ue_count), 0);
	cr_assert_eq(memcmp(one.context, other.context, sizeof(one.context[0]) * one.batch.ue_count), 0);
	cr_assert_eq(memcmp(one.message, other.message, sizeof(one.message)), 0);
	fan_question_make(&other, 3, 3, FAN_MAC_THEN_CIPHER, 13, 6, SEED + 1);
	cr_assert_neq(memcmp(one.packet[0], other.packet[0], sizeof(one.packet[0])), 0);
	cr_assert_neq(one.batch.ue_count, other.batch.ue_count);
}

/* Of up to 64 variations no two have the same number of UEs: that is how a lane is known. */
Test(question, variations_are_told_apart_by_their_ues)
{
	bool seen[FAN_BATCH_UES_MAX + 1] = { false };

	for (unsigned i = 0; i < FAN_BATCH_UES_MAX; i++) {
		fan_question_make(&one, 2, 2, FAN_CIPHER_ONLY, 17, i, SEED);
		cr_assert(one.batch.ue_count >= 1 && one.batch.ue_count <= FAN_BATCH_UES_MAX);
		cr_assert_not(seen[one.batch.ue_count]);
		seen[one.batch.ue_count] = true;
	}
}

/* A cell of ZUC's LFSR as it is loaded: key octet, constant, IV octet (TS 35.222 3.5). */
static uint64_t
cell(const uint8_t *key, unsigned at, uint64_t constant, uint8_t iv)
{
	return (uint64_t)key[at] << 23 | constant << 8 | iv;
}

/* Whether the first clock of the initialisation (TS 35.222 3.2) makes 0: R1 and R2 are 0 then, and W is X0. */
static bool
lfsr_makes_zero(const uint8_t *key, uint32_t count, uint8_t bearer_direction)
{
	const uint64_t s0 = cell(key, 0, 0x44d7, (uint8_t)(count >> 24)), s4 = cell(key, 4, 0x5789, bearer_direction);
	const uint64_t s10 = cell(key, 10, 0x6bc4, (uint8_t)(count >> 8)), s13 = cell(key, 13, 0x3c4d, 0);
	const uint64_t s14 = cell(key, 14, 0x789a, 0), s15 = cell(key, 15, 0x47ac, 0);
	const uint32_t x0 = (uint32_t)(s15 >> 15 << 16 | (s14 & 0xffff));

	return ((s15 << 15) + (s13 << 17) + (s10 << 21) + (s4 << 20) + s0 * 257 + (x0 >> 1)) % 0x7fffffff == 0;
}

/* Every combination has all corners of the standards in it. */
Test(question, corners_are_among_them)
{
	uint8_t cipher = 0, integrity = 0, sequence = FAN_CIPHER_THEN_MAC;

	do {
		unsigned lfsr = 0, no_bits = 0, all_bits = 0, one_ue = 0, all_ues = 0, heads = 0;

		for (unsigned number = 0; number < FAN_QUESTIONS; number++) {
			fan_question_make(&one, cipher, integrity, sequence, number, 0, SEED);
			one_ue += one.batch.ue_count == 1;
			all_ues += one.batch.ue_count == FAN_BATCH_UES_MAX;
			heads |= 1U << one.shape.head_blocks;
			for (unsigned i = 0; i < one.batch.ue_count; i++) {
				const struct fan_context *context = one.batch.context[i];
				const uint32_t count = one.batch.count[i];

				lfsr += lfsr_makes_zero(context->k_enc, count, context->bearer_direction) &&
					lfsr_makes_zero(context->k_int, count, context->bearer_direction);
				no_bits += count == 0 && context->bearer_direction == 0;
				all_bits += count == UINT32_MAX && context->bearer_direction == 0xfc;
			}
		}
		cr_assert(lfsr > 0 && no_bits > 0 && all_bits > 0 && one_ue > 0 && all_ues > 0 && heads == 0xf);
	} while (next_combination(&cipher, &integrity, &sequence));
}

/* Under another seed nothing is as it was but the corners, and those who are no corner look as UEs in service do. */
Test(question, are_others_each_time, .timeout = 60)
{
	unsigned same = 0, ordinary = 0, other_lengths = 0;

	for (unsigned number = 0; number < FAN_QUESTIONS; number++) {
		fan_question_make(&one, 2, 2, FAN_CIPHER_THEN_MAC, number, 0, SEED);
		fan_question_make(&other, 2, 2, FAN_CIPHER_THEN_MAC, number, 0, SEED + 1);
		other_lengths += one.shape.text_bytes != other.shape.text_bytes;
		cr_assert_neq(memcmp(one.message, other.message, sizeof(one.message)), 0);
		for (unsigned i = 0; i < one.batch.ue_count; i++) {
			const struct fan_context *context = one.batch.context[i];
			const bool is_same = one.batch.count[i] == other.batch.count[i];

			same += is_same;
			ordinary += !is_same;
			cr_assert(number % 2 == 0 || !is_same || one.batch.count[i] < 1000, "a corner in question %u", number);
			cr_assert(context->ue < 1U << 23 && context->flags == FAN_CONTEXT_PRESENT && context->since == 0);
			cr_assert(is_same || context->count == one.batch.count[i] + 1);
		}
	}
	cr_assert_geq(same, 9, "the corners");
	cr_assert_gt(ordinary, 3 * same / 2);
	cr_assert_geq(other_lengths, 2);
}

/* Every octet of a packet, before, inside and behind the PDU. */
Test(question, no_octet_passes_that_differs)
{
	for (unsigned sequence = FAN_CIPHER_THEN_MAC; sequence <= FAN_CIPHER_ONLY; sequence++) {
		char error[FAN_QUESTION_ERROR_BYTES];
		unsigned wrong = 0, owned;

		fan_question_make(&one, 2, sequence == FAN_CIPHER_ONLY ? 0 : 2, (uint8_t)sequence, 7, 0, SEED);
		answer(&one);
		owned = (unsigned)one.shape.text_bytes + one.shape.clear_bytes +
			(sequence == FAN_CIPHER_ONLY ? 0U : FAN_MAC_BYTES);
		for (unsigned at = 0; at < FAN_QUESTION_PACKET_BYTES; at++) {
			enum fan_answer found;

			one.packet[3][at] ^= 0x40;
			found = fan_question_judge(&one, 3, error);
			cr_assert_neq(found, FAN_ANSWER_RIGHT, "octet %u", at);
			wrong += found == FAN_ANSWER_WRONG;
			one.packet[3][at] ^= 0x40;
		}
		cr_assert_eq(wrong, owned, "inside a PDU: %u octets, not %u", wrong, owned);
		cr_assert_eq(fan_question_judge(&one, 3, error), FAN_ANSWER_RIGHT, "%s", error);
	}
}

Test(question, the_error_names_what_was_asked_and_the_first_octet)
{
	char error[FAN_QUESTION_ERROR_BYTES];

	fan_question_make(&one, 3, 3, FAN_CIPHER_THEN_MAC, 11, 2, SEED);
	answer(&one);
	one.batch.text[4][9] ^= 1;
	one.batch.text[4][20] ^= 1;
	cr_assert_eq(fan_question_judge(&one, 4, error), FAN_ANSWER_WRONG);
	cr_assert_not_null(strstr(error, "EEA3 with EIA3, MAC over the ciphertext, 45 octets of text behind 3, question 11.2, "
					 "seed 0x0046616e66617265, UE 4 of 15: octet 9 of the text is 0x"),
			   "%s", error);
	one.batch.text[4][45] ^= 1;
	cr_assert_eq(fan_question_judge(&one, 4, error), FAN_ANSWER_BESIDE);
	cr_assert_not_null(strstr(error, "45 from the text's first"), "%s", error);
}

Test(question, a_device_is_asked_what_it_takes)
{
	cr_assert_eq(fan_questions_within(1500), FAN_QUESTIONS);
	cr_assert_eq(fan_questions_within(1482), FAN_QUESTIONS - 1);
	cr_assert_eq(fan_questions_within(1), 1);
}
