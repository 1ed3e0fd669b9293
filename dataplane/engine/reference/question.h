/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Questions whose answers are known, for whoever protects PDUs for us: batches under keys of nobody, and a judge who has each answer
 * from the reference algorithms.
 *
 * A combination of algorithms and sequence has FAN_QUESTIONS questions, from 1 octet to 1,480: lengths on both sides of the ends of
 * blocks and words, private heads of 0 to 3 blocks, 1 to 64 UEs, packets at all alignments. Every second one has among its UEs the
 * corners of the standards: both ends of COUNT, BEARER and DIRECTION, keys of zeros and of ones, and a key and COUNT with which the first
 * cell that ZUC's LFSR makes is 0, which TS 35.222 3.2 wants stored as 2^31 - 1. (The counter of 128-EEA2 cannot carry out of its last
 * octet: that takes 4,096 octets.)
 * All questions about all combinations take 18 ms of processor time to make and to judge.
 *
 * Every other UE looks like one in service, and nothing but the corners is the same when a question is asked again under another seed. A
 * device that wants to can still guess: whoever is in service is judged, too (claim.h).
 *
 * The same numbers make the same question on every machine: an answer that was wrong can be asked for again.
 */
#ifndef FAN_QUESTION_H
#define FAN_QUESTION_H

#include "../engine.h"

#define FAN_QUESTIONS 20
#define FAN_QUESTION_PACKET_BYTES 1664

/* Nothing in it is secret. It refers to itself: not to be moved while it is being answered. */
struct fan_question {
	struct fan_context *context;                  /* [FAN_BATCH_UES_MAX]: who answers may read them ... */
	uint8_t (*packet)[FAN_QUESTION_PACKET_BYTES]; /* [FAN_BATCH_UES_MAX]: ... and write these */
	uint8_t message[FAN_PDU_BYTES_MAX + FAN_MESSAGE_SLACK_BYTES];
	struct fan_shape shape;
	struct fan_batch batch; /* to be handed to an engine */
	uint64_t seed;
	unsigned number, variation;
};

/* Out: *question, which refers to the caller's memory. */
void fan_question_init(struct fan_question *question, struct fan_context context[FAN_BATCH_UES_MAX],
		       uint8_t packet[FAN_BATCH_UES_MAX][FAN_QUESTION_PACKET_BYTES]);
/*
 * In/Out: *question. In: the algorithms, 0..FAN_ALGORITHM_MAX, and enum fan_sequence; number, 0..FAN_QUESTIONS-1, the short ones first;
 * variation, any: of up to 64 in a row, each makes another number of UEs; seed, any: another makes other keys and texts, and longer
 * ones of other lengths.
 */
void fan_question_make(struct fan_question *question, uint8_t cipher, uint8_t integrity, uint8_t sequence, unsigned number,
		       unsigned variation, uint64_t seed);

/* How many of them, from the first on, have PDUs of no more than so many octets, clear prefix and text. At least one. */
unsigned fan_questions_within(unsigned pdu_bytes);

#define FAN_QUESTION_ERROR_BYTES 256

enum fan_answer {
	FAN_ANSWER_RIGHT,
	FAN_ANSWER_WRONG,  /* the PDU is another */
	FAN_ANSWER_BESIDE, /* an octet was written that belongs to no PDU */
};

/* Judges the whole packet of one UE, before, inside and behind its PDU, once the batch has been given back as DONE. Out: error, when
 * it is not right: which question it was, and the first octet that differs. Takes 1 us, or up to some 100 us for the longest texts. */
enum fan_answer fan_question_judge(const struct fan_question *question, unsigned ue, char error[FAN_QUESTION_ERROR_BYTES]);

#define FAN_QUESTION_NAME_BYTES 160
/* "EEA2 with EIA2, MAC over the ciphertext, 45 octets of text behind 3, question 7.0, seed 0x0123456789abcdef". */
void fan_question_name(const struct fan_question *question, char name[FAN_QUESTION_NAME_BYTES]);

#endif
