/* SPDX-License-Identifier: BSD-3-Clause */
#include "card_exam.h"

#include "../dataplane/context/error.h"

#include <rte_random.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So often the longest question is asked once more for a lane that had nothing to do: 16 batches at once of 2,000 clocks each leave none
 * out, unless it does not work. */
#define REPEATS_MAX 4

/* What one lane can compute: one algorithm, for cipher, MAC or both. */
static const struct course {
	bool cipher, mac;
	uint8_t sequence;
} courses[] = {
	{ true, true, FAN_CIPHER_THEN_MAC }, { true, false, FAN_CIPHER_THEN_MAC }, { false, true, FAN_CIPHER_THEN_MAC },
	{ true, true, FAN_MAC_THEN_CIPHER }, { true, false, FAN_MAC_THEN_CIPHER }, { false, true, FAN_MAC_THEN_CIPHER },
	{ true, false, FAN_CIPHER_ONLY },
};

#define COURSES ((unsigned)(sizeof(courses) / sizeof(courses[0])))
/* By algorithm; and what is neither ciphered nor protected, in each sequence. */
#define NULL_COURSE (COURSES * FAN_ALGORITHM_MAX)
#define ALL_COURSES (NULL_COURSE + FAN_CIPHER_ONLY + 1)

int
fan_card_exam_init(struct fan_card_exam *exam, struct fan_card *card)
{
	const struct fan_card_build *build = fan_card_build_get(card);
	const size_t contexts_bytes = FAN_BATCH_UES_MAX * sizeof(struct fan_context);
	const size_t packets_bytes = (size_t)FAN_BATCH_UES_MAX * FAN_QUESTION_PACKET_BYTES;
	int error;

	memset(exam, 0, sizeof(*exam));
	exam->card = card;
	for (unsigned i = 1; i <= FAN_ALGORITHM_MAX; i++)
		if (build->lanes_of[i] > exam->question_max)
			exam->question_max = build->lanes_of[i];
	exam->numbers = fan_questions_within(build->pdu_bytes_max);
	error = fan_card_memory_alloc(card, &exam->contexts, exam->question_max * contexts_bytes, FAN_MEMORY_READ);
	if (error == 0)
		error = fan_card_memory_alloc(card, &exam->packets, exam->question_max * packets_bytes, FAN_MEMORY_WRITE);
	if (error != 0)
		return error;
	exam->question = calloc(exam->question_max, sizeof(*exam->question));
	if (exam->question == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for %u questions to a card", exam->question_max);
	for (unsigned i = 0; i < exam->question_max; i++)
		fan_question_init(&exam->question[i], (void *)(exam->contexts.memory + i * contexts_bytes),
				  (void *)(exam->packets.memory + i * packets_bytes));
	return 0;
}

void
fan_card_exam_free(struct fan_card_exam *exam)
{
	if (exam->card == NULL)
		return;
	if (exam->going)
		fan_card_proof_end(exam->card, exam->office, exam->epoch, false);
	fan_card_memory_free(exam->card, &exam->contexts);
	fan_card_memory_free(exam->card, &exam->packets);
	free(exam->question);
	memset(exam, 0, sizeof(*exam));
}

/* ---- What is asked ------------------------------------------------------------------------------------------------------------- */

static unsigned
algorithm_of(unsigned course)
{
	return course < NULL_COURSE ? course / COURSES + 1 : 0;
}

static bool
last_number(const struct fan_card_exam *exam)
{
	return exam->number + 1 == exam->numbers;
}

/* Makes the question as often as it is asked. */
static void
make_questions(struct fan_card_exam *exam)
{
	const unsigned algorithm = algorithm_of(exam->course), lanes = (unsigned)__builtin_popcount(exam->lanes);
	const struct course *course = &courses[exam->course % COURSES];
	const unsigned sequence = algorithm == 0 ? exam->course - NULL_COURSE : course->sequence;

	exam->asked = lanes < exam->question_max ? lanes : exam->question_max;
	exam->posted = exam->back = exam->judged = exam->judged_ues = 0;
	for (unsigned i = 0; i < exam->asked; i++)
		fan_question_make(&exam->question[i], algorithm != 0 && course->cipher ? (uint8_t)algorithm : 0,
				  algorithm != 0 && course->mac ? (uint8_t)algorithm : 0, (uint8_t)sequence, exam->number,
				  i + exam->repeats * exam->asked, rte_rand());
}

static void
end(struct fan_card_exam *exam, bool complete)
{
	exam->going = false;
	fan_card_proof_end(exam->card, exam->office, exam->epoch, complete);
}

/* From `course` on the first one for which there are lanes in service; or the end. */
static void
begin_course(struct fan_card_exam *exam, unsigned course)
{
	while (course < ALL_COURSES && !fan_card_serves(exam->card, algorithm_of(course)))
		course++;
	exam->course = course;
	exam->number = exam->repeats = 0;
	exam->worked = 0;
	if (course == ALL_COURSES) {
		end(exam, true);
		return;
	}
	exam->lanes = fan_card_lanes(exam->card, algorithm_of(course));
	make_questions(exam);
}

bool
fan_card_exam_begin(struct fan_card_exam *exam, bool now)
{
	if (exam->going)
		return true;
	if (exam->question == NULL || (!now && !fan_card_proof_due(exam->card)) ||
	    !fan_card_proof_begin(exam->card, &exam->office, &exam->alone))
		return false;
	exam->epoch = fan_card_epoch(exam->card);
	exam->going = true;
	begin_course(exam, 0);
	return exam->going;
}

struct fan_batch *
fan_card_exam_next(struct fan_card_exam *exam)
{
	if (!exam->going || exam->posted == exam->asked)
		return NULL;
	if (exam->posted == 0 && exam->alone)
		fan_card_lane_ues_read(exam->card, exam->ues_before);
	return &exam->question[exam->posted].batch;
}

void
fan_card_exam_posted(struct fan_card_exam *exam)
{
	exam->posted++;
	fan_card_count_question(exam->card);
}

void
fan_card_exam_back(struct fan_card_exam *exam)
{
	exam->back++;
	if (exam->back == exam->asked && exam->alone)
		fan_card_lane_ues_read(exam->card, exam->ues_after);
}

/* ---- Who answered --------------------------------------------------------------------------------------------------------------- */

static uint32_t
ues_of(const struct fan_card_exam *exam, unsigned lane)
{
	return exam->ues_after[lane] - exam->ues_before[lane];
}

/* The lane that has had as many UEs as this question and no other: every question has another number of them. 0: not known. */
static uint32_t
who_answered(const struct fan_card_exam *exam, const struct fan_question *question)
{
	uint32_t who = 0;

	for (unsigned i = 0; i < FAN_CARD_LANES_MAX && exam->alone; i++)
		if ((exam->lanes >> i & 1) != 0 && ues_of(exam, i) == question->batch.ue_count)
			who |= UINT32_C(1) << i;
	if ((exam->lanes & (exam->lanes - 1)) == 0)
		return exam->lanes;
	return (who & (who - 1)) == 0 ? who : 0;
}

static void
fail(struct fan_card_exam *exam, const struct fan_question *question, const char *why)
{
	fan_card_lanes_lose(exam->card, exam->lanes, who_answered(exam, question), why);
}

/* ---- The answers ----------------------------------------------------------------------------------------------------------------- */

/* Every lane that the card may choose must have done something by the end of a course. Returns whether to ask once more. */
static bool
lanes_idle(struct fan_card_exam *exam)
{
	uint32_t idle;

	for (unsigned i = 0; i < FAN_CARD_LANES_MAX; i++)
		if ((exam->lanes >> i & 1) != 0 && ues_of(exam, i) > 0)
			exam->worked |= UINT32_C(1) << i;
	idle = exam->lanes & ~exam->worked;
	if (!exam->alone || algorithm_of(exam->course) == 0 || !last_number(exam) || idle == 0)
		return false;
	if (++exam->repeats <= REPEATS_MAX)
		return true;
	fan_card_lanes_lose(exam->card, exam->lanes, idle & -idle, "it was given no work, or does not count it");
	return false;
}

static void
next_question(struct fan_card_exam *exam)
{
	if (lanes_idle(exam)) {
		make_questions(exam);
	} else if (last_number(exam) || !fan_card_serves(exam->card, algorithm_of(exam->course))) {
		begin_course(exam, exam->course + 1);
	} else {
		exam->number++;
		make_questions(exam);
	}
}

/* Returns whether all is well with UE `judged_ues` of the question. */
static bool
judge(struct fan_card_exam *exam, const struct fan_question *question)
{
	char error[FAN_QUESTION_ERROR_BYTES], name[FAN_QUESTION_NAME_BYTES];

	if (question->batch.status != FAN_BATCH_DONE) {
		fan_question_name(question, name);
		snprintf(error, sizeof(error), "%s: no answer, but an error", name);
		fail(exam, question, error);
		return false;
	}
	switch (fan_question_judge(question, exam->judged_ues, error)) {
	case FAN_ANSWER_RIGHT:
		return true;
	case FAN_ANSWER_WRONG:
		fail(exam, question, error);
		return false;
	default:
		fan_card_lose(exam->card, FAN_CARD_FAULT_BESIDE, error);
		return false;
	}
}

void
fan_card_exam_step(struct fan_card_exam *exam)
{
	const struct fan_question *question = &exam->question[exam->judged];

	/* What was posted is waited for, whatever has become of the exam: the card writes into the questions. */
	if (!exam->going || exam->back < exam->posted)
		return;
	if (fan_card_epoch(exam->card) != exam->epoch || !fan_card_proof_keep(exam->card, exam->office)) {
		end(exam, false);
		return;
	}
	if (exam->posted < exam->asked)
		return;
	if (judge(exam, question) && ++exam->judged_ues < question->batch.ue_count)
		return;
	exam->judged_ues = 0;
	if (++exam->judged == exam->asked || !fan_card_serves(exam->card, algorithm_of(exam->course)))
		next_question(exam);
}
