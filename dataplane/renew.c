/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An engine failed a batch, and a PDU of it may have left the host: what it was protected under is spent. The batch takes fresh COUNTs, with all parts
 * of its message, and so do those behind it in the ring that have a UE in common, so that each UE sees COUNTs rise.
 */
#include "task.h"

/* The position of the first part of a message, of which none has left. */
static unsigned
first_part(struct fan_worker *worker, unsigned position)
{
	const struct fan_leg *leg = fan_work_at(worker, position)->leg;

	while (position > 0 && fan_work_at(worker, position)->plan != leg->plans.part &&
	       fan_work_at(worker, position - 1)->plan == fan_work_at(worker, position)->plan - 1)
		position--;
	return position;
}

/* The i-th UE of a batch becomes the kept-th, under another COUNT. */
static void
keep_ue(struct fan_work *work, unsigned kept, unsigned i, uint32_t count)
{
	work->batch.context[kept] = work->batch.context[i];
	work->batch.count[kept] = count;
	work->frame[kept] = work->frame[i];
	work->number[kept] = work->number[i];
	work->hop[kept] = work->hop[i];
}

/* A message that takes fresh COUNTs: so many parts of it lie in the ring from a position on, and so many are not begun. */
struct renewal {
	unsigned position, parts, to_begin;
};

/* To the i-th UE: COUNTs for all parts together or for none. True when it has them, and is the kept-th now. */
static bool
spend_fresh_counts(struct fan_worker *worker, const struct renewal *message, unsigned kept, unsigned i)
{
	struct fan_work *first = fan_work_at(worker, message->position);
	struct fan_context *context = first->batch.context[i];
	struct fan_task *task = first->task;
	const unsigned parts = message->parts + message->to_begin;
	uint32_t count;
	const struct fan_context_table *table = first->leg->table;
	const enum fan_drop drop = fan_count_spend(context, &count, &fan_count_rules[first->plan->kind], parts, 0,
						   fan_context_mark(table->marks, (uint32_t)(context - table->slots)));

	if (drop != FAN_DROP_NONE) {
		fan_worker_count_drop(worker, first->leg, context, drop, parts);
		if (message->to_begin > 0)
			fan_task_give_back(worker, task, i);
		fan_count_close_transactions(context, fan_leg_transactions(first->leg, message->to_begin));
		for (unsigned part = message->parts; part-- > 0;) {
			fan_work_keep_here(fan_work_at(worker, message->position + part), i);
			fan_work_give_back(worker, fan_work_at(worker, message->position + part), i);
			rte_pktmbuf_free(fan_work_at(worker, message->position + part)->frame[i]);
		}
		return false;
	}
	for (unsigned part = 0; part < message->parts; part++)
		keep_ue(fan_work_at(worker, message->position + part), kept, i, count + part);
	if (message->to_begin > 0) {
		task->slot[kept] = task->slot[i];
		task->hop[kept] = task->hop[i];
		task->count[kept] = count + message->parts;
	}
	return true;
}

/* Short messages keep their transactions and references: to a UE that has seen an exposed PDU this is the network's repetition (TS 24.011
 * 5.3.4). */
static void
renew_message(struct fan_worker *worker, unsigned position, unsigned parts)
{
	const struct fan_work *first = fan_work_at(worker, position);
	struct fan_task *task = first->task;
	const struct renewal message = { position, parts, fan_work_parts_to_begin(worker, position, parts) };
	const unsigned ue_count = first->batch.ue_count;
	unsigned kept = 0;

	for (unsigned i = 0; i < ue_count; i++)
		kept += spend_fresh_counts(worker, &message, kept, i);
	if (message.to_begin > 0) {
		task->slot_count = kept;
		task->spent_at = task->part;
	}
	for (unsigned part = 0; part < parts; part++) {
		struct fan_work *work = fan_work_at(worker, position + part);

		work->batch.ue_count = (uint16_t)kept;
		if (work->plan->head != FAN_HEAD_SMS)
			fan_plan_take_numbers(work->number, &work->batch, work->plan, 0, kept);
		work->pauses = worker->pauses;
		work->captured = false;
		fan_work_write_frames(worker, work);
		work->state = kept > 0 ? WORK_READY : WORK_FINISHED;
	}
}

/* COUNTs that a UE needs for the messages to be renewed that lie in the ring before `end`. */
static unsigned
fresh_counts(struct fan_worker *worker, const bool renewed[BATCHES_MAX], unsigned end, const struct fan_context *context)
{
	unsigned counts = 0;

	for (unsigned i = 0, parts; i < end; i += parts) {
		parts = fan_work_parts_in_a_row(worker, i);
		if (renewed[i] && fan_batch_has_ue(&fan_work_at(worker, i)->batch, context))
			counts += parts + fan_work_parts_to_begin(worker, i, parts);
	}
	return counts;
}

/* Whether all these messages find their fresh COUNTs covered by what is on the disk; asks for what is not. */
static bool
are_covered(struct fan_worker *worker, const bool renewed[BATCHES_MAX])
{
	bool covered = true;

	for (unsigned i = 0; i < worker->work_count; i++) {
		const struct fan_work *work = fan_work_at(worker, i);

		for (unsigned ue = 0; renewed[i] && work->leg->table->marks != NULL && ue < work->batch.ue_count; ue++) {
			const struct fan_context *context = work->batch.context[ue];
			const struct fan_context_table *table = work->leg->table;
			const uint32_t slot = (uint32_t)(context - table->slots);

			if (fan_count_covered(context, fresh_counts(worker, renewed, i + 1, context),
					      fan_context_mark(table->marks, slot)))
				continue;
			fan_worker_ask_for_mark(worker, table, slot, FAN_WAITS_WITH_BATCH);
			covered = false;
		}
	}
	return covered;
}

/* An exposed batch takes fresh COUNTs with all parts of its message, and so do those behind that have a UE in common with one that does.
 * Returns the position of its first part. */
static unsigned
choose_renewed(struct fan_worker *worker, bool renewed[BATCHES_MAX], unsigned exposed)
{
	const unsigned first = first_part(worker, exposed);

	for (unsigned i = first; i < worker->work_count; i++) {
		const struct fan_work *work = fan_work_at(worker, i);

		renewed[i] = i <= exposed;
		for (unsigned j = first; j < i && !renewed[i]; j++)
			renewed[i] = renewed[j] && fan_batches_share_ue(&fan_work_at(worker, j)->batch, &work->batch);
	}
	return first;
}

/* Those chosen are renewed where they are: the ring stays in the order of COUNTs, and each UE sees its messages and parts in order. They are
 * protected again; none has left. False: COUNTs are not covered yet, and nothing was done. */
static bool
renew(struct fan_worker *worker, unsigned exposed)
{
	bool renewed[BATCHES_MAX] = { false };
	const unsigned first = choose_renewed(worker, renewed, exposed);

	if (!are_covered(worker, renewed))
		return false;
	for (unsigned i = first, parts; i < worker->work_count; i += parts) {
		parts = fan_work_parts_in_a_row(worker, i);
		if (renewed[i])
			renew_message(worker, i, parts);
	}
	return true;
}

/* Once no engine has a batch. */
bool
fan_worker_renew_exposed(struct fan_worker *worker)
{
	const int exposed = fan_worker_first_exposed(worker);

	if (exposed < 0 || fan_worker_any_submitted(worker))
		return false;
	return renew(worker, (unsigned)exposed);
}

void
fan_worker_each_to_leave(struct fan_worker *worker,
			 void (*each)(void *user, const struct fan_context_table *table, uint32_t slot, uint32_t count),
			 void *user)
{
	const int exposed = fan_worker_first_exposed(worker);
	bool renewed[BATCHES_MAX] = { false };

	if (exposed >= 0 && !fan_worker_any_submitted(worker))
		(void)choose_renewed(worker, renewed, (unsigned)exposed);
	for (unsigned i = 0; i < worker->work_count; i++) {
		const struct fan_work *work = fan_work_at(worker, i);

		for (unsigned ue = work->sent; !renewed[i] && ue < work->batch.ue_count; ue++)
			each(user, work->leg->table, (uint32_t)(work->batch.context[ue] - work->leg->table->slots),
			     work->batch.count[ue]);
	}
}
