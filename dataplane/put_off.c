/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Members whose next hop has no token (pace.h) are put off before any COUNT is spent for them, and taken again when there is one: a worker's second
 * task for a flight, the late one, takes its members out of lists by next hop (late.h).
 */
#include "task.h"

#include <rte_cycles.h>
#include <string.h>

/* What a leg's message takes of a next hop's buckets, before it is known how long each frame is. */
static struct fan_tokens
tokens_of(const struct fan_leg *leg, unsigned first_part)
{
	struct fan_tokens tokens = { .pdus = leg->plans.part_count - first_part };

	for (unsigned part = first_part; part < leg->plans.part_count; part++)
		tokens.octets += leg->plans.part[part].frame_bytes_max;
	return tokens;
}

static inline bool
is_paced(const struct fan_worker *worker, uint32_t hop)
{
	return worker->config.paces != NULL && worker->config.paces->paced[hop] != 0;
}

/* The tokens of a chosen member for the parts from the task's on are given back. */
void
fan_task_give_back(const struct fan_worker *worker, struct fan_task *task, unsigned i)
{
	if (task->paced && task->hop[i] != FAN_NO_HOP)
		fan_pace_give_back(&worker->config.paces->hops[task->hop[i]], tokens_of(task->leg, task->part), rte_rdtsc());
}

/* The same of one PDU that lies in the ring. */
void
fan_work_give_back(const struct fan_worker *worker, const struct fan_work *work, unsigned i)
{
	const struct fan_tokens tokens = { 1, work->plan->frame_bytes_max };

	if (work->paced && work->hop[i] != FAN_NO_HOP)
		fan_pace_give_back(&worker->config.paces->hops[work->hop[i]], tokens, rte_rdtsc());
}

/* Whether an earlier message, which this one follows, was put off for a UE and is not done with. */
static bool
waits_for_earlier(const struct fan_worker *worker, const struct fan_task *task, const struct fan_leg *leg, uint32_t slot)
{
	for (uint64_t places = task->flight->follows; places != 0; places &= places - 1) {
		const struct fan_flight *earlier = worker->task[__builtin_ctzll(places)].flight;

		if (earlier == NULL || earlier->number > task->flight->number ||
		    fan_worker_stopped(worker, earlier) != FAN_DROP_NONE)
			continue;
		for (unsigned i = 0; i < earlier->leg_count; i++)
			if (earlier->legs[i].table == leg->table && fan_late_ready(&earlier->legs[i].late) &&
			    slot < earlier->legs[i].late.slots && fan_late_has(&earlier->legs[i].late, slot))
				return true;
	}
	return false;
}

/* Takes tokens for a member whose turn it is. Those that were put off before it go first, but for an urgent message. Out: *hop, whose they are. */
static bool
take_tokens(const struct fan_worker *worker, const struct fan_task *task, struct fan_tokens tokens, uint32_t *hop,
	    uint32_t slot)
{
	const uint32_t next_hop = task->leg->table->slots[slot].next_hop;
	const bool urgent = fan_pace_is_urgent(task->flight->priority);
	struct fan_pace *pace;

	*hop = FAN_NO_HOP;
	if (!is_paced(worker, next_hop))
		return true;
	pace = &worker->config.paces->hops[next_hop];
	if (!task->late && !urgent && __atomic_load_n(&pace->waiting, __ATOMIC_RELAXED) > 0)
		return false;
	if (!fan_pace_take(pace, tokens, urgent, worker->now_tsc))
		return false;
	*hop = next_hop;
	return true;
}

static void
put_off(struct fan_worker *worker, struct fan_task *task, uint32_t slot)
{
	const uint32_t hop = task->leg->table->slots[slot].next_hop;
	struct fan_pace *pace = &worker->config.paces->hops[hop];

	fan_late_put_off(&task->leg->late, worker->config.index, hop, slot);
	worker->late_members++;
	__atomic_fetch_add(&pace->waiting, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&pace->put_off, 1, __ATOMIC_RELAXED);
	task->put_off[task->put_off_count++] = slot;
}

/* A member leaves its list. */
static void
take_late(struct fan_worker *worker, struct fan_task *task, uint32_t hop, uint32_t slot)
{
	fan_late_take(&task->leg->late, worker->config.index, hop, slot);
	__atomic_fetch_sub(&worker->config.paces->hops[hop].waiting, 1, __ATOMIC_RELAXED);
}

/* Of the members chosen, those stay that have tokens or need none; the others are put off, and their frames given back. Members of a late task
 * have theirs. */
void
fan_task_keep_pace(struct fan_worker *worker, struct fan_work *work, struct fan_task *task)
{
	const struct fan_tokens tokens = tokens_of(task->leg, 0);
	unsigned kept = 0;

	for (unsigned i = 0; i < task->slot_count; i++) {
		const uint32_t slot = task->slot[i];

		if ((worker->late_members > 0 && waits_for_earlier(worker, task, task->leg, slot)) ||
		    !take_tokens(worker, task, tokens, &task->hop[kept], slot)) {
			put_off(worker, task, slot);
			continue;
		}
		task->slot[kept++] = slot;
	}
	task->paced = true;
	rte_pktmbuf_free_bulk(work->frame + kept, task->slot_count - kept);
	task->slot_count = kept;
}

/* Those put off behind a slot are not: they are chosen again with it. */
static void
take_back_put_off(struct fan_worker *worker, struct fan_task *task, uint32_t slot)
{
	while (task->put_off_count > 0 && task->put_off[task->put_off_count - 1] > slot) {
		const uint32_t last = task->put_off[--task->put_off_count];

		take_late(worker, task, task->leg->table->slots[last].next_hop, last);
		fan_worker_end_late(worker, task->leg, &task->leg->table->slots[last]);
	}
}

/* Those chosen from the i-th on are chosen again later: its block's mark is too low. In: how many before it were dropped. */
void
fan_task_put_back(struct fan_worker *worker, struct fan_task *task, unsigned i, unsigned dropped)
{
	fan_worker_ask_for_mark(worker, task->leg->table, task->slot[i], FAN_WAITS);
	for (unsigned last = task->slot_count; last-- > i;) {
		const uint32_t slot = task->slot[last], hop = task->leg->table->slots[slot].next_hop;

		fan_task_give_back(worker, task, last - dropped);
		if (!task->late)
			continue;
		fan_late_put_back(&task->leg->late, worker->config.index, hop, slot);
		__atomic_fetch_add(&worker->config.paces->hops[hop].waiting, 1, __ATOMIC_RELAXED);
	}
	if (!task->late) {
		take_back_put_off(worker, task, task->slot[i]);
		fan_member_cursor_move(&task->cursor, task->slot[i]);
	}
	task->slot_count = i;
}

/* Members put off come into a late task's batch in the order of their slots. */
static void
insert_late(struct fan_task *task, uint32_t slot, uint32_t hop)
{
	unsigned i = task->slot_count++;

	for (; i > 0 && task->slot[i - 1] > slot; i--) {
		task->slot[i] = task->slot[i - 1];
		task->hop[i] = task->hop[i - 1];
	}
	task->slot[i] = slot;
	task->hop[i] = hop;
}

/* Whether a member that was put off may be taken now. In: stop, whether it is only to be reported. */
static bool
may_take_late(const struct fan_worker *worker, const struct fan_task *task, struct fan_tokens tokens, uint32_t *hop,
	      uint32_t slot, bool stop)
{
	const struct fan_context_table *table = task->leg->table;

	*hop = FAN_NO_HOP;
	if (stop)
		return true;
	if (table->marks != NULL &&
	    !fan_count_covered(&table->slots[slot], tokens.pdus, fan_context_mark(table->marks, slot))) {
		fan_worker_ask_for_mark(worker, table, slot, FAN_WAITS);
		return false;
	}
	return !waits_for_earlier(worker, task, task->leg, slot) && take_tokens(worker, task, tokens, hop, slot);
}

/* Whether what a crash would have sent again lets a task take more of those put off; else the control thread is called, who makes durable which are
 * done with. */
static bool
may_take_more(const struct fan_worker *worker, const struct fan_task *task)
{
	const struct fan_span *span = &task->flight->span[worker->config.index];

	if (span->late_taken < __atomic_load_n(&span->late_limit, __ATOMIC_RELAXED))
		return true;
	fan_worker_call_control(worker);
	return false;
}

/* Takes members of the task's leg that were put off, of one next hop after another, until the batch is full or each was asked. */
static void
choose_late_of_leg(struct fan_worker *worker, struct fan_task *task, bool stop)
{
	struct fan_late *late = &task->leg->late;
	const struct fan_tokens tokens = tokens_of(task->leg, 0);
	const unsigned index = worker->config.index;

	while (task->hops_left > 0 && task->slot_count < FAN_BATCH_UES_MAX) {
		const uint32_t from = fan_late_next_hop(late, index);
		uint32_t slot, hop;

		task->hops_left--;
		while (from != FAN_NO_HOP && task->slot_count < FAN_BATCH_UES_MAX && fan_late_first(late, index, from, &slot) &&
		       may_take_late(worker, task, tokens, &hop, slot, stop)) {
			take_late(worker, task, from, slot);
			fan_counter_add(&task->flight->span[index].late_taken, 1);
			insert_late(task, slot, hop);
		}
	}
}

/* The next members of a late task: of its legs, one after another, each next hop is asked once for each look. */
void
fan_task_choose_late(struct fan_worker *worker, struct fan_task *task)
{
	const struct fan_flight *flight = task->flight;
	const bool stop = fan_worker_stopped(worker, flight) != FAN_DROP_NONE;

	task->part = 0;
	task->broken = FAN_DROP_NONE;
	task->slot_count = 0;
	task->paced = true;
	if (stop && task->legs_left == 0)
		task->legs_left = flight->leg_count;
	if (!stop && task->legs_left > 0 && !may_take_more(worker, task))
		task->legs_left = 0;
	while (task->legs_left > 0 && task->slot_count == 0) {
		struct fan_leg *leg = &flight->legs[task->leg_at % flight->leg_count];

		if (task->hops_left == 0) {
			leg = &flight->legs[++task->leg_at % flight->leg_count];
			task->hops_left = fan_late_ready(&leg->late) ? leg->late.shares[worker->config.index].hop_count : 0;
		}
		task->leg = leg;
		choose_late_of_leg(worker, task, stop);
		task->legs_left -= task->hops_left == 0;
	}
	if (task->slot_count > 0)
		fan_task_ask_engines(worker, task);
}

/* Looks for tokens for members that were put off: for urgent messages first, among equals for each flight first in turn. */
void
fan_worker_serve_late(struct fan_worker *worker)
{
	if (worker->late_members == 0 || worker->now_tsc - worker->late_tsc < LATE_US * worker->tsc_per_ms / 1000)
		return;
	worker->late_tsc = worker->now_tsc;
	worker->late_first++;
	for (unsigned priority = FAN_PRIORITY_MAX + 1; priority-- > 0;)
		for (unsigned i = 0; i < worker->task_count; i++) {
			struct fan_task *late = &worker->late[(worker->late_first + i) % worker->task_count];

			if (late->flight == NULL || late->flight->priority != priority)
				continue;
			late->legs_left = late->flight->leg_count;
			if (late->slot_count == 0)
				fan_task_choose_late(worker, late);
		}
}

/* Whether a late task has something to do yet. A member in the middle of its message, of which a part was given up, has no bit any more. */
bool
fan_task_has_late(const struct fan_worker *worker, const struct fan_task *task)
{
	const struct fan_flight *flight = task->flight;

	if (task->under_way > 0 || task->slot_count > 0)
		return true;
	for (unsigned i = 0; worker->late_members > 0 && i < flight->leg_count; i++)
		if (fan_late_ready(&flight->legs[i].late) && flight->legs[i].late.shares[worker->config.index].members > 0)
			return true;
	return false;
}
