/* SPDX-License-Identifier: BSD-3-Clause */
#include "question.h"

#include "claim.h"
#include "reference.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The text of a UE begins here, or up to 63 octets later. */
#define TEXT_AT 32

static_assert(TEXT_AT > FAN_CLEAR_BYTES_MAX + FAN_MAC_BYTES, "octets before a PDU that nobody may write");
static_assert(TEXT_AT + 63 + FAN_PDU_BYTES_MAX + FAN_MAC_BYTES + 64 <= FAN_QUESTION_PACKET_BYTES, "and behind it");

/* The whole of it is some 21,000 octets for each combination: 2 ms of the reference. What is between the ends of blocks and words has
 * no length of its own, but up to `more_bytes` more. */
static const struct {
	uint16_t text_bytes;
	uint8_t clear_bytes, head_blocks, ue_count, more_bytes;
} rows[FAN_QUESTIONS] = {
	{ 1, 1, 0, 1, 0 },   { 3, 2, 1, 17, 0 },    { 4, 1, 0, 3, 0 },     { 7, 0, 1, 2, 0 },     { 8, 3, 1, 5, 0 },
	{ 15, 1, 1, 4, 0 },  { 16, 1, 1, 6, 0 },    { 17, 2, 2, 7, 0 },    { 31, 16, 2, 9, 0 },   { 32, 3, 3, 8, 0 },
	{ 33, 1, 3, 11, 0 }, { 45, 3, 0, 13, 0 },   { 48, 1, 3, 12, 0 },   { 61, 3, 1, 64, 0 },   { 64, 1, 2, 10, 0 },
	{ 127, 5, 3, 5, 0 }, { 145, 1, 1, 33, 30 }, { 129, 3, 0, 4, 255 }, { 900, 1, 3, 2, 255 }, { 1480, 3, 2, 3, 0 },
};

enum keys { KEYS_RANDOM, KEYS_ZERO, KEYS_ONES, KEYS_LFSR };

/* COUNT, BEARER << 3 | DIRECTION << 2, and keys. The last one's LFSR, see the header: its key is found by solving the sum of TS 35.222
 * 3.2 for 0 in the first clock of the initialisation. With DIRECTION 0 the IVs of 128-EEA3 and 128-EIA3 are the same. */
static const struct {
	uint32_t count;
	uint8_t bearer_direction;
	uint8_t keys;
} corners[] = {
	{ 0x00000000, 0x00, KEYS_ZERO },   { 0xffffffff, 0xfc, KEYS_ONES },   { 0x00000000, 0xfc, KEYS_RANDOM },
	{ 0xffffffff, 0x00, KEYS_RANDOM }, { 0x7fffffff, 0x04, KEYS_RANDOM }, { 0x80000000, 0xf8, KEYS_RANDOM },
	{ 0x00ffffff, 0x84, KEYS_RANDOM }, { 0x01000000, 0x7c, KEYS_RANDOM }, { 0xb8d23430, 0x20, KEYS_LFSR },
};
static const uint8_t lfsr_key[FAN_KEY_BYTES] = { [0] = 0x2c, [10] = 0xdb, [15] = 0x38 };

#define CORNERS (sizeof(corners) / sizeof(corners[0]))
/* Of so many UEs in a row, in questions of even number, those that are no corner are ordinary. Questions of one UE begin at other places
 * in that row. */
#define UES_IN_A_ROW 13
#define BEGIN_STEP 5

static void
fill(uint8_t *octets, size_t byte_count, uint64_t *state)
{
	for (size_t at = 0; at < byte_count; at += sizeof(uint64_t)) {
		const uint64_t value = fan_random_next(state);

		memcpy(octets + at, &value, byte_count - at < sizeof(value) ? byte_count - at : sizeof(value));
	}
}

static unsigned
text_at(unsigned ue)
{
	return TEXT_AT + ue * 7 % 64;
}

/* As it is before anybody has answered. */
static void
fill_packet(uint8_t packet[FAN_QUESTION_PACKET_BYTES], uint64_t seed, unsigned ue)
{
	uint64_t state = seed ^ (ue + 1) * UINT64_C(0xd1342543de82ef95);

	fill(packet, FAN_QUESTION_PACKET_BYTES, &state);
}

/* As in service: a COUNT of any order of magnitude, which the context is past, out of a lease; addresses; downlink. */
static void
make_ordinary(struct fan_context *context, uint32_t *count, uint64_t *state)
{
	const uint64_t lease = fan_random_next(state);

	*count = (uint32_t)fan_random_next(state) >> lease % 32;
	*context = (struct fan_context){
		.count = *count + 1,
		.count_reserved = *count + 1 + (uint32_t)(lease >> 48),
		.ue = (uint32_t)fan_random_next(state) >> 9,
		.next_hop = fan_random_next(state) % 16,
		.bearer_direction = (fan_random_next(state) & 0xf8) | FAN_DIRECTION_DOWNLINK << 2,
		.flags = FAN_CONTEXT_PRESENT,
		.nas = { .mme_ue_id_low = (uint32_t)fan_random_next(state),
			 .ran_ue_id = (uint32_t)fan_random_next(state) >> 8,
			 .bearer_id = 5 },
		.awaited = (uint16_t)*count,
	};
}

static void
make_ue(struct fan_question *question, unsigned ue, uint64_t *state)
{
	struct fan_context *context = &question->context[ue];
	const unsigned corner = (ue + BEGIN_STEP * question->number) % UES_IN_A_ROW;
	enum keys keys = KEYS_RANDOM;

	make_ordinary(context, &question->batch.count[ue], state);
	if (question->number % 2 == 0 && corner < CORNERS) {
		question->batch.count[ue] = corners[corner].count;
		context->bearer_direction = corners[corner].bearer_direction;
		keys = corners[corner].keys;
	}
	fill(context->k_enc, FAN_KEY_BYTES, state);
	fill(context->k_int, FAN_KEY_BYTES, state);
	if (keys == KEYS_LFSR) {
		memcpy(context->k_enc, lfsr_key, FAN_KEY_BYTES);
		memcpy(context->k_int, lfsr_key, FAN_KEY_BYTES);
	} else if (keys != KEYS_RANDOM) {
		memset(context->k_enc, keys == KEYS_ONES ? 0xff : 0, FAN_KEY_BYTES);
		memset(context->k_int, keys == KEYS_ONES ? 0xff : 0, FAN_KEY_BYTES);
	}
	question->batch.context[ue] = context;
	question->batch.text[ue] = question->packet[ue] + text_at(ue);
	fill_packet(question->packet[ue], question->seed, ue);
}

void
fan_question_init(struct fan_question *question, struct fan_context context[FAN_BATCH_UES_MAX],
		  uint8_t packet[FAN_BATCH_UES_MAX][FAN_QUESTION_PACKET_BYTES])
{
	*question = (struct fan_question){ .context = context, .packet = packet };
}

void
fan_question_make(struct fan_question *question, uint8_t cipher, uint8_t integrity, uint8_t sequence, unsigned number,
		  unsigned variation, uint64_t seed)
{
	uint64_t state = seed;

	FAN_REQUIRE(number < FAN_QUESTIONS);
	question->number = number;
	question->variation = variation;
	question->seed = seed;
	question->shape = (struct fan_shape){
		.cipher = cipher,
		.integrity = integrity,
		.sequence = sequence,
		.clear_bytes = rows[number].clear_bytes,
		.head_blocks = rows[number].head_blocks,
		.text_bytes = (uint16_t)(rows[number].text_bytes + fan_random_next(&state) % (rows[number].more_bytes + 1U)),
		.message = question->message,
	};
	fill(question->message, sizeof(question->message), &state);
	question->batch = (struct fan_batch){
		.shape = &question->shape,
		.ue_count = (uint16_t)((rows[number].ue_count - 1U + variation) % FAN_BATCH_UES_MAX + 1),
	};
	for (unsigned i = 0; i < question->batch.ue_count; i++)
		make_ue(question, i, &state);
}

unsigned
fan_questions_within(unsigned pdu_bytes)
{
	unsigned count = 1;

	while (count < FAN_QUESTIONS &&
	       (unsigned)rows[count].clear_bytes + rows[count].text_bytes + rows[count].more_bytes <= pdu_bytes)
		count++;
	return count;
}

void
fan_question_name(const struct fan_question *question, char name[FAN_QUESTION_NAME_BYTES])
{
	char shape[FAN_SHAPE_NAME_BYTES];

	fan_shape_name(&question->shape, shape);
	snprintf(name, FAN_QUESTION_NAME_BYTES, "%s, question %u.%u, seed 0x%016" PRIx64, shape, question->number,
		 question->variation, question->seed);
}

/* Octet `at` of a packet: where that is, as seen from its PDU. */
static void
write_difference(const struct fan_question *question, unsigned ue, unsigned at, uint8_t right, bool inside,
		 char error[FAN_QUESTION_ERROR_BYTES])
{
	const int place = (int)at - (int)text_at(ue);
	const uint8_t wrong = question->packet[ue][at];
	char name[FAN_QUESTION_NAME_BYTES];

	fan_question_name(question, name);
	if (inside)
		snprintf(error, FAN_QUESTION_ERROR_BYTES, "%s, UE %u of %u: octet %d of the text is 0x%02x and must be 0x%02x",
			 name, ue, question->batch.ue_count, place, wrong, right);
	else
		snprintf(error, FAN_QUESTION_ERROR_BYTES,
			 "%s, UE %u of %u: an octet outside the PDU was written, %d from the text's first", name, ue,
			 question->batch.ue_count, place);
}

enum fan_answer
fan_question_judge(const struct fan_question *question, unsigned ue, char error[FAN_QUESTION_ERROR_BYTES])
{
	const struct fan_shape *shape = &question->shape;
	const unsigned text = text_at(ue);
	const unsigned begin = text - shape->clear_bytes - (shape->sequence == FAN_CIPHER_THEN_MAC ? FAN_MAC_BYTES : 0U);
	const unsigned end = text + shape->text_bytes + fan_shape_trailer_bytes(shape);
	const uint8_t *packet = question->packet[ue];
	uint8_t right[FAN_QUESTION_PACKET_BYTES];
	unsigned at = 0, wrong_at = FAN_QUESTION_PACKET_BYTES;

	fill_packet(right, question->seed, ue);
	fan_reference_protect(shape, &question->context[ue], question->batch.count[ue], right + text);
	if (memcmp(packet, right, sizeof(right)) == 0)
		return FAN_ANSWER_RIGHT;
	/* What was written beside a PDU is worse than what is wrong inside one, and named first. */
	for (; at < FAN_QUESTION_PACKET_BYTES; at++) {
		if (packet[at] == right[at])
			continue;
		if (at < begin || at >= end) {
			write_difference(question, ue, at, right[at], false, error);
			return FAN_ANSWER_BESIDE;
		}
		if (wrong_at == FAN_QUESTION_PACKET_BYTES)
			wrong_at = at;
	}
	write_difference(question, ue, wrong_at, right[wrong_at], true, error);
	return FAN_ANSWER_WRONG;
}
