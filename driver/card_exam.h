/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A card is asked what is known already, before it is believed: dataplane/engine/reference/question.h, by ordinary descriptors, in an
 * ordinary queue, for every combination of algorithms that its lanes compute.
 *
 * No descriptor names a lane: the card gives a batch to that one which has the least to do. So each question is asked as often at once as
 * the algorithm has lanes, every time with another number of UEs; the lanes' own counters say who answered what, and that every lane has
 * answered something. While other queues are at work (the questions from time to time) the counters say nothing, and the questions meet
 * lanes as everybody's batches do.
 *
 *	fan_card_exam_begin
 *	fan_card_exam_next	NULL, or a batch to be posted: then fan_card_exam_posted
 *	fan_card_exam_back	when it has come back, whatever its status
 *	fan_card_exam_step	judges one PDU; it never waits
 *
 * One thread, the engine's.
 */
#ifndef FAN_CARD_EXAM_H
#define FAN_CARD_EXAM_H

#include "../dataplane/engine/reference/question.h"
#include "card.h"

struct fan_card_exam {
	struct fan_card *card;
	struct fan_question *question; /* NULL: there is no exam here */
	unsigned question_max;
	struct fan_card_memory contexts; /* of the questions: the card reads them ... */
	struct fan_card_memory packets;  /* ... and writes into these as they lie */
	unsigned numbers;                /* questions of a course, whose PDUs the card takes */

	bool going;
	bool alone; /* nobody else has anything under way */
	uint32_t office, epoch;
	unsigned course, number; /* what is being asked */
	unsigned asked;          /* times at once */
	unsigned posted, back, judged, judged_ues;
	uint32_t lanes;   /* that may answer */
	uint32_t worked;  /* lanes that answered something */
	unsigned repeats; /* of the last question of a course, until every lane has */
	uint32_t ues_before[FAN_CARD_LANES_MAX], ues_after[FAN_CARD_LANES_MAX];
};

/* MEMORY. To be freed also when it fails. */
int fan_card_exam_init(struct fan_card_exam *exam, struct fan_card *card);
/* Nothing may be under way. Safe on a zeroed struct. */
void fan_card_exam_free(struct fan_card_exam *exam);

/* Begins, if it is time, or `now`, and nobody else asks. Returns whether an exam is going on. */
bool fan_card_exam_begin(struct fan_card_exam *exam, bool now);
struct fan_batch *fan_card_exam_next(struct fan_card_exam *exam);
void fan_card_exam_posted(struct fan_card_exam *exam);
void fan_card_exam_back(struct fan_card_exam *exam);
void fan_card_exam_step(struct fan_card_exam *exam);

#endif
