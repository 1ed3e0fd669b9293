/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Questions whose answers are known, for whoever protects PDUs for us: batches under keys of nobody, and a judge who has each answer
 * from the reference algorithms.
 *
 * A combination of algorithms and sequence has FAN_QUESTIONS questions, from 1 octet to 1,480: lengths on both sides of the ends of
 * blocks and words, private heads of 0 to 3 blocks, 1 to 64 UEs, packets at all alignments. Among their UEs are the corners of the
 * standards: both ends of COUNT, BEARER and DIRECTION, keys of zeros and of ones, and a key and COUNT with which the first cell that
 * ZUC's LFSR makes is 0, which TS 35.222 3.2 wants stored as 2^31 - 1. (The counter of 128-EEA2 cannot carry out of its last octet:
 * that takes 4,096 octets.)
 * All questions about all combinations take 18 ms of processor time to make and to judge.
 *
 * The same numbers make the same question on every machine: an answer that was wrong can be asked for again.
 */
#ifndef FAN_QUESTION_H
#define FAN_QUESTION_H

#include "../engine.h"

#define FAN_QUESTIONS 20
#define FAN_QUESTION_PACKET_BYTES 1664
#define FAN_QUESTION_UE UINT32_MAX /* nobody's index, in the contexts */

/* Some 110 KiB. Nothing in it is secret. It refers to itself: not to be moved while it is being answered. */
struct fan_question {
	struct fan_context context[FAN_BATCH_UES_MAX];
	uint8_t packet[FAN_BATCH_UES_MAX][FAN_QUESTION_PACKET_BYTES];
	uint8_t message[FAN_PDU_BYTES_MAX + FAN_MESSAGE_SLACK_BYTES];
	struct fan_shape shape;
	struct fan_batch batch; /* to be handed to an engine */
	uint64_t seed;
	unsigned number, variation;
};

/*
 * Out: *question. In: the algorithms, 0..FAN_ALGORITHM_MAX, and enum fan_sequence; number, 0..FAN_QUESTIONS-1, the short ones first;
 * variation, any: another makes other keys and texts, and, of up to 64 in a row, another number of UEs.
 */
void fan_question_make(struct fan_question *question, uint8_t cipher, uint8_t integrity, uint8_t sequence, unsigned number,
		       unsigned variation);

/* How many of them, from the first on, have PDUs of no more than so many octets, clear prefix and text. At least one. */
unsigned fan_questions_within(unsigned pdu_bytes);

#define FAN_QUESTION_ERROR_BYTES 224

enum fan_answer {
	FAN_ANSWER_RIGHT,
	FAN_ANSWER_WRONG,  /* the PDU is another */
	FAN_ANSWER_BESIDE, /* an octet was written that belongs to no PDU */
};

/* Judges the whole packet of one UE, before, inside and behind its PDU, once the batch has been given back as DONE. Out: error, when
 * it is not right: which question it was, and the first octet that differs. Takes 1 us, or up to some 100 us for the longest texts. */
enum fan_answer fan_question_judge(const struct fan_question *question, unsigned ue, char error[FAN_QUESTION_ERROR_BYTES]);

/* "EEA2 with EIA2, MAC over the ciphertext, 45 octets of text, question 7.0". Out: text[text_bytes]. */
void fan_question_name(const struct fan_question *question, char *text, size_t text_bytes);

#endif
