/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of a group message, from a worker's side. One turn of fan_worker_run() is these steps in this order:
 *
 *   accept          take flights from the ring of flights                                   accept_flights()
 *   encode          was done once per profile by the control thread                        pdu/plan.c
 *   choose members  the next 64 slots of the snapshot that this worker owns                choose_members()
 *   spend COUNT     one per UE, or a drop with its reason                                  spend_counts()
 *   protect         headers and private heads are written, an engine gets the batch        submit_oldest(), poll_engines()
 *   emit            finished batches leave in the order in which COUNT was spent           emit()
 *   report          tallies per leg; the flight is let go after its last frame           report()
 *
 * A member whose next hop has no token is put off before any COUNT is spent for it, and the flight goes on with the others. What is put off is the
 * worker's second task for the flight (`late`), which takes its members out of lists by next hop, as tokens come, instead of the snapshot:
 * fan_worker_serve_late(). A UE that waits so for one message waits for those of the same priority that come after it.
 *
 * Batches leave strictly in order, whatever engine finished them first: a UE that gets two parts of a message must see their
 * COUNTs rise (TS 24.301 4.4.3.2). The first part leaves once all are protected, so that no engine can cut a message.
 */
#include "task.h"

#include <linux/futex.h>
#include <rte_cycles.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TURN_BATCHES 8        /* a flight's fair turn; 512 UEs, some 50 us */
#define FETCHES 16            /* contexts on the way at a time: a core waits for about so many cache lines */
#define IDLE_TURNS_SPIN 2000  /* turns without work before the worker sleeps */
#define SLEEP_S 1             /* then it looks around, unless a message wakes it */
#define IDLE_TURNS_LATE 50000 /* turns without work before the worker sleeps between these looks */
#define HOPS_BYTES (FAN_NEXT_HOPS_MAX * sizeof(uint64_t))

/* `parts` of the message do not go to this UE. */
void
fan_worker_count_drop(struct fan_worker *worker, struct fan_leg *leg, const struct fan_context *context, enum fan_drop drop,
		      unsigned parts)
{
	const size_t slot = (size_t)(context - leg->table->slots);

	fan_counter_add(&fan_worker_tally(worker, leg)->dropped[drop], parts);
	fan_counter_add(&worker->counters.dropped, parts);
	fan_counter_add(&worker->counters.dropped_for[drop], parts);
	/* Named once: with parts that fail one by one, by the first reason. */
	if (parts == leg->plans.part_count || fan_leg_reason(leg, slot) == FAN_DROP_NONE)
		fan_leg_not_served(leg, drop)[slot / 8] |= (uint8_t)(1U << slot % 8);
	fan_worker_end_late(worker, leg, context);
}

/* ---- accept, choose members ------------------------------------------------------------------------------------------- */

static void
choose_members(struct fan_task *task)
{
	task->part = 0;
	task->broken = FAN_DROP_NONE;
	task->paced = false;
	task->slot_count = fan_member_cursor_next_burst(&task->cursor, task->slot, FAN_BATCH_UES_MAX);
}

static unsigned
engines_for(const struct fan_worker *worker, const struct fan_leg *leg)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < worker->config.engines->count; i++) {
		bool takes = true;

		for (unsigned part = 0; part < leg->plans.part_count; part++)
			takes = takes && worker->engine[i]->ops->takes(worker->engine[i], &leg->plans.part[part].shape);
		mask |= (unsigned)takes << i;
	}
	return mask;
}

/* Whether the first engine of the leg's preference that takes it fetches contexts while it works. */
static bool
first_fetches_ahead(const struct fan_worker *worker, const struct fan_leg *leg, unsigned mask)
{
	for (unsigned k = 0; k < worker->config.engines->count; k++) {
		const unsigned i = leg->preference[k];

		if ((mask >> i & 1) != 0)
			return worker->engine[i]->fetches_ahead;
	}
	return false;
}

/* Once per leg, and again after an engine has failed: it may be out of service. */
void
fan_task_ask_engines(const struct fan_worker *worker, struct fan_task *task)
{
	task->engine_mask = engines_for(worker, task->leg);
	task->fetches_ahead = first_fetches_ahead(worker, task->leg, task->engine_mask);
	task->failures_seen = worker->failures;
}

/* Goes on to the first leg from `leg_at` on in which this worker owns a member. */
static void
begin_leg(struct fan_worker *worker, struct fan_task *task)
{
	task->slot_count = 0;
	for (; task->leg_at < task->flight->leg_count; task->leg_at++) {
		task->leg = &task->flight->legs[task->leg_at];
		if (task->leg->from > UINT32_MAX)
			continue;
		fan_member_cursor_init(&task->cursor, task->leg->slots, worker->config.index, worker->config.worker_count);
		if (task->leg->from > 0)
			fan_member_cursor_move(&task->cursor, (uint32_t)task->leg->from);
		choose_members(task);
		if (task->slot_count > 0) {
			fan_task_ask_engines(worker, task);
			return;
		}
	}
	task->exhausted = true;
}

static bool
accept_flights(struct fan_worker *worker)
{
	const struct fan_task *current = worker->current;
	void *taken;
	bool any = false;

	while (rte_ring_sc_dequeue(worker->flights, &taken) == 0) {
		struct fan_flight *flight = taken;
		struct fan_task *task = &worker->task[flight->place], *late = &worker->late[flight->place];

		memset(task, 0, sizeof(*task));
		memset(late, 0, sizeof(*late));
		task->flight = late->flight = flight;
		late->late = true;
		task->hop = worker->task_hops[0][flight->place];
		late->hop = worker->task_hops[1][flight->place];
		task->put_off = worker->task_hops[2][flight->place];
		worker->task_count = RTE_MAX(worker->task_count, flight->place + 1U);
		for (unsigned i = 0; i < flight->leg_count; i++)
			if (fan_late_ready(&flight->legs[i].late))
				worker->late_members += flight->legs[i].late.shares[worker->config.index].members;
		begin_leg(worker, task);
		if (current->flight != NULL && flight->priority > current->flight->priority)
			worker->turn_left = 0;
		any = true;
	}
	return any;
}

/* Whether a flight that comes before another in a table has all of the other's chosen members behind it. */
static bool
has_passed(const struct fan_task *earlier, const struct fan_task *task)
{
	const uint32_t last = task->slot[task->slot_count - 1];

	for (unsigned i = earlier->leg_at; i < earlier->flight->leg_count; i++)
		if (earlier->flight->legs[i].table == task->leg->table && (i > earlier->leg_at || earlier->slot[0] <= last))
			return false;
	return true;
}

void
fan_worker_call_control(const struct fan_worker *worker)
{
	if (worker->config.event_fd >= 0)
		(void)eventfd_write(worker->config.event_fd, 1);
}

/* A context's block needs a higher mark. In: FAN_WAITS_. */
void
fan_worker_ask_for_mark(const struct fan_worker *worker, const struct fan_context_table *table, uint32_t slot, uint8_t why)
{
	uint8_t *waits = &table->waits[slot / FAN_BLOCK_CONTEXTS];

	if (__atomic_load_n(waits, __ATOMIC_RELAXED) >= why)
		return;
	__atomic_store_n(waits, why, __ATOMIC_RELAXED);
	fan_worker_call_control(worker);
}

/* The first member that is still to be done lies at a place. True when that is news. */
static bool
tell_position(const struct fan_worker *worker, struct fan_flight *flight, uint64_t place)
{
	uint64_t *position = &flight->span[worker->config.index].position;

	if (place <= *position)
		return false;
	__atomic_store_n(position, place, __ATOMIC_RELEASE);
	return true;
}

/* Whether what is on the disk covers a task's next batch: its first member's COUNTs, and its place. The control thread sees to it that this is
 * so before the worker comes here, unless the disk is slow. The place of its last member does not count: between two members of a worker
 * others may have more than the limit is ahead, and then it would never rise so far. */
static bool
is_covered(const struct fan_worker *worker, const struct fan_task *task)
{
	const struct fan_context_table *table = task->leg->table;
	const uint32_t first = task->slot[0];

	if (table->marks == NULL || task->part > 0)
		return true;
	if (!fan_count_covered(&table->slots[first], task->leg->plans.part_count, fan_context_mark(table->marks, first))) {
		fan_worker_ask_for_mark(worker, table, first, FAN_WAITS);
		return false;
	}
	if (fan_flight_place(task->leg_at, first) < __atomic_load_n(&task->flight->limit, __ATOMIC_RELAXED))
		return true;
	if (task->under_way == 0 && tell_position(worker, task->flight, fan_flight_place(task->leg_at, first)))
		fan_worker_call_control(worker);
	return false;
}

/* Whether a task has something to begin, and no UE among it waits for a message accepted before: with members in common, flights of one
 * priority go through a table one behind the other, so that each UE sees their messages in the order of acceptance. */
static bool
may_begin(const struct fan_worker *worker, const struct fan_task *task)
{
	if (task->flight == NULL || task->exhausted || (task->late && task->slot_count == 0))
		return false;
	if (task->late || fan_worker_stopped(worker, task->flight) != FAN_DROP_NONE)
		return true;
	if (!is_covered(worker, task))
		return false;
	for (uint64_t places = task->flight->follows; places != 0; places &= places - 1) {
		const struct fan_task *earlier = &worker->task[__builtin_ctzll(places)];

		if (earlier->flight != NULL && !earlier->exhausted && earlier->flight->number < task->flight->number &&
		    fan_worker_stopped(worker, earlier->flight) == FAN_DROP_NONE && !has_passed(earlier, task))
			return false;
	}
	return true;
}

/* Whether a task comes before another: by priority, among equals in turn, in the order of acceptance behind the last. */
static bool
comes_before(const struct fan_worker *worker, const struct fan_task *one, const struct fan_task *other)
{
	if (one->flight->priority != other->flight->priority)
		return one->flight->priority > other->flight->priority;
	return one->flight->number - worker->number_at - 1 < other->flight->number - worker->number_at - 1;
}

/* The first of these tasks to begin, or `best` where that comes first. What is only to be reported needs neither port nor engine, and nothing is
 * before it. */
static struct fan_task *
pick_of(const struct fan_worker *worker, struct fan_task *tasks, struct fan_task *best)
{
	for (unsigned i = 0; i < worker->task_count; i++) {
		struct fan_task *task = &tasks[i];

		if (!may_begin(worker, task))
			continue;
		if (fan_worker_stopped(worker, task->flight) != FAN_DROP_NONE)
			return task;
		if (best == NULL || comes_before(worker, task, best))
			best = task;
	}
	return best;
}

/* The task whose turn it is. NULL: nothing to begin. Turns change between members, never between the parts of a message to them. Of a flight's two
 * tasks the late one goes first: it has no more than tokens are there for. */
static struct fan_task *
pick_task(struct fan_worker *worker)
{
	struct fan_task *current = worker->current, *best;

	if (current->flight != NULL && !current->exhausted && current->part > 0)
		return current;
	if (worker->turn_left > 0 && may_begin(worker, current))
		return current;
	best = worker->late_members > 0 ? pick_of(worker, worker->late, NULL) : NULL;
	best = pick_of(worker, worker->task, best);
	if (best != NULL) {
		worker->current = best;
		worker->number_at = best->flight->number;
		worker->turn_left = TURN_BATCHES;
	}
	return best;
}

/* ---- spend COUNT, write ----------------------------------------------------------------------------------------------- */

static void
count_created(struct fan_worker *worker, const struct fan_task *task)
{
	const uint64_t created = (uint64_t)task->slot_count * task->leg->plans.part_count;

	fan_counter_add(&fan_worker_tally(worker, task->leg)->created, created);
	fan_counter_add(&worker->counters.created, created);
}

/* A member chosen that gets no COUNTs, and that so many have got them before. */
static __attribute__((noinline)) void
drop_chosen(struct fan_worker *worker, struct fan_task *task, const struct fan_context *context, enum fan_drop drop,
	    unsigned kept)
{
	fan_worker_count_drop(worker, task->leg, context, drop, task->leg->plans.part_count);
	if (!task->paced)
		return;
	fan_task_give_back(worker, task, kept);
	memmove(task->hop + kept, task->hop + kept + 1, (FAN_BATCH_UES_MAX - 1 - kept) * sizeof(task->hop[0]));
}

/* Spends the COUNTs of all parts for the members chosen, at once: whatever happens before the last part is begun, each UE has COUNTs for
 * all of them or for none. A UE that cannot have them leaves the chosen ones, and its frame is given back. */
static void
spend_counts(struct fan_worker *worker, struct fan_work *work, struct fan_task *task)
{
	struct fan_leg *leg = task->leg;
	/* Copies, which no store in the loop can change. */
	const struct fan_count_rule rule = fan_count_rules[leg->table->protection.kind];
	struct fan_context *const slots = leg->table->slots;
	const uint8_t *const marks = leg->table->marks;
	const unsigned parts = leg->plans.part_count, slot_count = task->slot_count;
	const unsigned transactions = fan_leg_transactions(leg, parts);
	struct fan_batch *batch = &work->batch;
	unsigned ue_count = 0;

	for (unsigned i = 0; i < slot_count; i++) {
		const uint32_t slot = task->slot[i];
		struct fan_context *context = &slots[slot];
		const enum fan_drop drop = fan_count_spend(context, &batch->count[ue_count], &rule, parts, transactions,
							   fan_context_mark(marks, slot));

		if (__builtin_expect(drop == FAN_COUNT_WAITS, 0)) {
			fan_task_put_back(worker, task, i, i - ue_count);
			break;
		}
		batch->context[ue_count] = context;
		task->slot[ue_count] = slot;
		if (__builtin_expect(drop == FAN_DROP_NONE, 1))
			ue_count++;
		else
			drop_chosen(worker, task, context, drop, ue_count);
	}
	count_created(worker, task);
	rte_pktmbuf_free_bulk(work->frame + ue_count, slot_count - ue_count);
	if (parts > 1)
		memcpy(task->count, batch->count, ue_count * sizeof(task->count[0]));
	task->spent_at = 0;
	task->slot_count = ue_count;
	batch->ue_count = (uint16_t)ue_count;
}

/* A part after the first goes to the same members, each under the COUNT that was spent for it. */
static void
take_spent_counts(struct fan_work *work, const struct fan_task *task)
{
	struct fan_batch *batch = &work->batch;

	for (unsigned i = 0; i < task->slot_count; i++) {
		batch->context[i] = &task->leg->table->slots[task->slot[i]];
		batch->count[i] = task->count[i] + task->part - task->spent_at;
	}
	batch->ue_count = (uint16_t)task->slot_count;
}

/* Writes the frames of UEs first .. end-1. */
static void
write_some_frames(const struct fan_worker *worker, struct fan_work *work, unsigned first, unsigned end)
{
	work->bytes += fan_plan_write_burst(&work->batch, work->frame, work->number, work->plan, worker->config.link,
					    worker->config.hops, first, end);
}

/* Octet for octet the same however often: a replay under the same COUNTs must be no other text. */
void
fan_work_write_frames(const struct fan_worker *worker, struct fan_work *work)
{
	work->bytes = 0;
	write_some_frames(worker, work, 0, work->batch.ue_count);
}

/* For an engine that does not fetch the contexts of the next batch itself, they are fetched a few at a time while this one's frames
 * are written. */
static void
write_frames_and_fetch(const struct fan_worker *worker, struct fan_work *work)
{
	const unsigned ue_count = work->batch.ue_count;

	work->bytes = 0;
	for (unsigned first = 0; first < RTE_MAX(ue_count, work->batch.ahead.count); first += FETCHES) {
		fan_ahead_fetch(&work->batch.ahead, first, first + FETCHES);
		if (first < ue_count)
			write_some_frames(worker, work, first, RTE_MIN(first + FETCHES, ue_count));
	}
}

/* The part is spent for these members: their next part, or the next members. */
static void
advance(struct fan_worker *worker, struct fan_task *task)
{
	if (++task->part < task->leg->plans.part_count && task->slot_count > 0)
		return;
	if (task->late) {
		fan_task_choose_late(worker, task);
		return;
	}
	choose_members(task);
	if (task->slot_count == 0) {
		task->leg_at++;
		begin_leg(worker, task);
	}
}

/* The members chosen are reported instead of spending anything (more). */
static void
refuse_members(struct fan_worker *worker, struct fan_task *task, enum fan_drop drop)
{
	const unsigned parts = task->leg->plans.part_count - task->part;

	for (unsigned i = 0; i < task->slot_count; i++) {
		struct fan_context *context = &task->leg->table->slots[task->slot[i]];

		fan_worker_count_drop(worker, task->leg, context, drop, parts);
		fan_task_give_back(worker, task, i);
		if (task->part > 0)
			fan_count_close_transactions(context, fan_leg_transactions(task->leg, parts));
	}
	if (task->part == 0)
		count_created(worker, task);
	task->slot_count = 0;
	advance(worker, task);
}

/* ---- give up ------------------------------------------------------------------------------------------------------------ */

/* The batch keeps its place in the ring, but its flight need not wait for that. */
static void
release(struct fan_work *work)
{
	work->task->under_way--;
	work->task = NULL;
}

/* What has not left opened no transaction, if its identifier can be given again: else it counts, so that those that are open differ. */
void
fan_work_keep_here(const struct fan_work *work, unsigned ue)
{
	if (work->plan->head == FAN_HEAD_SMS && !work->exposed &&
	    fan_plan_give_back_number(work->batch.context[ue], work->number[ue]))
		fan_count_close_transactions(work->batch.context[ue], 1);
}

/* What the port has not taken of a batch is reported instead of sent. */
static void
drop_batch(struct fan_worker *worker, struct fan_work *work, enum fan_drop drop)
{
	const unsigned left = (unsigned)work->batch.ue_count - work->sent;

	for (unsigned i = 0; i < work->sent; i++)
		fan_worker_end_late(worker, work->leg, work->batch.context[i]);
	for (unsigned i = work->sent; i < work->batch.ue_count; i++) {
		fan_worker_count_drop(worker, work->leg, work->batch.context[i], drop, 1);
		fan_work_give_back(worker, work, i);
		fan_work_keep_here(work, i);
	}
	rte_pktmbuf_free_bulk(work->frame + work->sent, left);
	work->batch.ue_count = work->sent;
	work->state = WORK_FINISHED;
	release(work);
}

/* Whether a batch has a UE whose message has parts that are not begun. */
static bool
has_ue_in_the_middle(const struct fan_batch *batch, const struct fan_task *task)
{
	for (unsigned i = 0; task->flight != NULL && task->part > 0 && i < task->slot_count; i++)
		if (fan_batch_has_ue(batch, &task->leg->table->slots[task->slot[i]]))
			return true;
	return false;
}

/* What the port has not taken of a batch is reported instead of sent, at once or when its engine gives it back; so are the parts of its
 * message that are not begun. */
static void
give_up(struct fan_worker *worker, struct fan_work *work, enum fan_drop drop)
{
	if (has_ue_in_the_middle(&work->batch, work->task))
		work->task->broken = (uint8_t)drop;
	if (work->state == WORK_SUBMITTED)
		work->doomed = (uint8_t)drop;
	else
		drop_batch(worker, work, drop);
}

/* One part of a message is given up: so are the others to the same UEs, none of which has left (whole_message_finished()). From the last on,
 * so that numbers can be given back. */
static void
give_up_message(struct fan_worker *worker, const struct fan_work *part, enum fan_drop drop)
{
	const struct fan_leg *leg = part->leg;
	const struct fan_batch batch = part->batch;

	for (unsigned i = worker->work_count; i-- > 0;) {
		struct fan_work *work = fan_work_at(worker, i);

		if (work->leg == leg && work->sent < work->batch.ue_count && fan_batches_share_ue(&batch, &work->batch))
			give_up(worker, work, drop);
	}
}

/* No further part of a message will be begun: the others, begun for the same members, are given up too. */
static void
give_up_begun_parts(struct fan_worker *worker, const struct fan_task *task, enum fan_drop drop)
{
	for (unsigned i = worker->work_count; task->part > 0 && i-- > 0;) {
		struct fan_work *work = fan_work_at(worker, i);

		if (work->leg == task->leg && work->sent < work->batch.ue_count && has_ue_in_the_middle(&work->batch, task))
			give_up(worker, work, drop);
	}
}

/* ---- begin -------------------------------------------------------------------------------------------------------------- */

/* Places a batch of a task behind those under way, with a frame for each UE that it may go to. NULL: frames are short, none was taken. */
static struct fan_work *
place_batch(struct fan_worker *worker, struct fan_task *task)
{
	struct fan_work *work = fan_work_at(worker, worker->work_count);

	/* Raw: a plan writes all that a reset would (struct fan_frame_fields). */
	if (rte_mempool_get_bulk(worker->config.egress->frames, (void **)work->frame, task->slot_count) != 0)
		return NULL;
	work->task = task;
	work->leg = task->leg;
	work->plan = &task->leg->plans.part[task->part];
	work->sent = 0;
	work->engines = (uint8_t)task->engine_mask;
	work->captured = false;
	work->exposed = false;
	work->doomed = FAN_DROP_NONE;
	work->pauses = worker->pauses;
	work->hop = worker->work_hops[work - worker->work];
	return work;
}

/* Whether tokens are to be asked for: some next hop has a rate, or a UE may wait for an earlier message that was put off. */
static bool
has_pace(const struct fan_worker *worker)
{
	return worker->late_members > 0 || (worker->config.paces != NULL && worker->config.paces->paced_count > 0);
}

/* Chooses who is served now: members that are put off are out of it. Then their COUNTs are spent. */
static void
begin_message(struct fan_worker *worker, struct fan_work *work, struct fan_task *task)
{
	task->put_off_count = 0;
	if (!task->late && has_pace(worker))
		fan_task_keep_pace(worker, work, task);
	if (task->slot_count > 0)
		spend_counts(worker, work, task);
	work->batch.ue_count = (uint16_t)task->slot_count;
}

/* Whether all parts of a message find room in the ring: where marks bound what is spent, no UE has more COUNTs in it than the highest mark
 * covers, so that renew() can ask for as many. */
static bool
ring_has_room(const struct fan_worker *worker, const struct fan_task *task)
{
	const unsigned parts = RTE_MIN(task->leg->plans.part_count, (unsigned)FAN_MARK_MAX);

	return task->leg->table->marks == NULL || task->part > 0 || worker->work_count + parts <= BATCHES_MAX;
}

/* Begins one batch. COUNT is spent only once everything else that the batch needs is there. */
static bool
begin_batch(struct fan_worker *worker)
{
	struct fan_task *task = worker->work_count < BATCHES_MAX ? pick_task(worker) : NULL;
	struct fan_work *work;
	enum fan_drop drop;
	bool fetches_ahead;

	if (task == NULL || !ring_has_room(worker, task))
		return false;
	if (task->failures_seen != worker->failures)
		fan_task_ask_engines(worker, task);
	drop = task->part == 0 ? fan_worker_stopped(worker, task->flight) : (enum fan_drop)task->broken;
	if (drop == FAN_DROP_NONE && task->engine_mask == 0)
		drop = FAN_DROP_ENGINE;
	if (drop != FAN_DROP_NONE) {
		give_up_begun_parts(worker, task, drop);
		refuse_members(worker, task, drop);
		return true;
	}
	work = place_batch(worker, task);
	if (work == NULL)
		return false;
	if (task->part == 0)
		begin_message(worker, work, task);
	else
		take_spent_counts(work, task);
	work->paced = task->paced;
	if (task->paced)
		memcpy(work->hop, task->hop, task->slot_count * sizeof(work->hop[0]));
	fan_plan_take_numbers(work->number, &work->batch, work->plan, 0, work->batch.ue_count);
	fetches_ahead = task->fetches_ahead && work->batch.ue_count > 0;
	if (worker->turn_left > 0)
		worker->turn_left--;
	advance(worker, task);
	work->batch.ahead = (struct fan_ahead){ task->slot_count > 0 ? task->leg->table->slots : NULL, task->slot,
						task->slot_count };
	if (fetches_ahead)
		fan_work_write_frames(worker, work);
	else
		write_frames_and_fetch(worker, work);
	if (work->batch.ue_count > 0) {
		work->state = WORK_READY;
		task->under_way++;
		worker->work_count++;
		fan_counter_add(&worker->counters.begun, 1);
	}
	return true;
}

/* ---- protect ----------------------------------------------------------------------------------------------------------- */

/* True when an engine took it. */
static bool
submit(struct fan_worker *worker, struct fan_work *work)
{
	struct fan_batch *batch = &work->batch;
	const uint64_t begin = rte_rdtsc();

	for (unsigned k = 0; k < worker->config.engines->count; k++) {
		const unsigned i = work->leg->preference[k];

		if ((work->engines >> i & 1) == 0)
			continue;
		batch->status = FAN_BATCH_PENDING;
		if (worker->engine[i]->ops->submit_burst(worker->engine[i], &batch, 1) == 1) {
			work->engine = (uint8_t)i;
			work->state = WORK_SUBMITTED;
			fan_counter_add(&worker->counters.engine_cycles[i], rte_rdtsc() - begin);
			return true;
		}
	}
	return false;
}

static bool
submit_oldest(struct fan_worker *worker)
{
	bool any = false;

	/* Those behind an exposed batch may take fresh COUNTs with it: no engine gets them before. */
	if (fan_worker_first_exposed(worker) >= 0)
		return false;
	for (unsigned i = 0; i < worker->work_count; i++) {
		struct fan_work *work = fan_work_at(worker, i);

		if (work->state != WORK_READY)
			continue;
		if (!submit(worker, work))
			break;
		any = true;
	}
	return any;
}

/* An engine failed the batch: another one gets it. Untouched, it keeps its COUNTs and its place; else see renew(). */
static void
retry(struct fan_worker *worker, struct fan_work *work)
{
	work->engines = (uint8_t)(work->engines & ~(1U << work->engine));
	worker->failures++;
	work->state = WORK_READY;
	if (work->engines == 0) {
		give_up_message(worker, work, FAN_DROP_ENGINE);
		return;
	}
	/* What it was written from may have changed: then it would be another text under the same COUNTs. */
	if (work->batch.status == FAN_BATCH_EXPOSED || work->pauses != worker->pauses) {
		work->state = WORK_EXPOSED;
		return;
	}
	fan_work_write_frames(worker, work);
}

/* A packet to the UE itself always has its UDP checksum; over SGi it is the plan's business. */
static void
fill_checksums(const struct fan_link *link, const struct fan_work *work)
{
	const enum fan_kind kind = (enum fan_kind)work->plan->kind;
	const bool packet = kind == FAN_KIND_MBMS, ipv6 = link->ipv6 && !packet;

	if (fan_kind_is_plain(kind) || (!packet && !link->ipv6 && !link->udp_checksum))
		return;
	for (unsigned i = 0; i < work->batch.ue_count; i++)
		fan_udp_checksum_fill(work->frame[i], link, ipv6);
}

static void
finish(struct fan_worker *worker, struct fan_work *work)
{
	work->exposed = work->exposed || work->batch.status == FAN_BATCH_EXPOSED;
	if (work->doomed != FAN_DROP_NONE) {
		drop_batch(worker, work, (enum fan_drop)work->doomed);
		return;
	}
	if (work->batch.status != FAN_BATCH_DONE) {
		retry(worker, work);
		return;
	}
	fill_checksums(worker->config.link, work);
	work->state = WORK_FINISHED;
}

static bool
poll_engines(struct fan_worker *worker)
{
	struct fan_batch *batches[BATCHES_MAX];
	bool any = false;

	for (unsigned i = 0; i < worker->config.engines->count; i++) {
		const uint64_t begin = rte_rdtsc();
		const uint16_t n = worker->engine[i]->ops->poll_burst(worker->engine[i], batches, BATCHES_MAX);

		if (n == 0)
			continue;
		fan_counter_add(&worker->counters.engine_cycles[i], rte_rdtsc() - begin);
		for (uint16_t j = 0; j < n; j++)
			finish(worker, (struct fan_work *)batches[j]);
		any = true;
	}
	return any;
}

/* ---- emit, report ------------------------------------------------------------------------------------------------------ */

static uint32_t
frame_bytes(struct rte_mbuf *const *frames, unsigned frame_count)
{
	uint32_t bytes = 0;

	for (unsigned i = 0; i < frame_count; i++)
		bytes += frames[i]->pkt_len;
	return bytes;
}

/* In: how long the frames were that the port has taken, which it may have freed. */
static void
leave_at_pace(const struct fan_worker *worker, const struct fan_work *work, const uint16_t *frame_octets, uint16_t taken)
{
	const uint64_t now_tsc = rte_rdtsc();
	const unsigned most = work->plan->frame_bytes_max;

	for (unsigned i = 0; i < taken; i++)
		if (work->hop[work->sent + i] != FAN_NO_HOP)
			fan_pace_leave(&worker->config.paces->hops[work->hop[work->sent + i]], most,
				       most - RTE_MIN(most, (unsigned)frame_octets[i]), now_tsc);
}

static __attribute__((noinline)) uint16_t
send_at_pace(const struct fan_worker *worker, const struct fan_work *work, struct rte_mbuf **frames, uint16_t frame_count)
{
	uint16_t frame_octets[FAN_BATCH_UES_MAX], taken;

	for (unsigned i = 0; i < frame_count; i++)
		frame_octets[i] = (uint16_t)frames[i]->pkt_len;
	taken = fan_egress_send_burst(worker->config.egress, (uint16_t)worker->config.index, frames, frame_count);
	leave_at_pace(worker, work, frame_octets, taken);
	return taken;
}

/* Of UEs first .. first + count - 1 of a batch, whose contexts lie in the cache still. A run of one next hop is added at once: else each
 * addition would wait for the one before. */
static void
count_by_hop(const struct fan_worker *worker, const struct fan_batch *batch, unsigned first, unsigned count)
{
	unsigned hop = batch->context[first]->next_hop, begin = first;

	for (unsigned i = first + 1; i < first + count; i++) {
		const unsigned other = batch->context[i]->next_hop;

		if (other == hop)
			continue;
		fan_counter_add(&worker->hop_sent[hop], i - begin);
		hop = other;
		begin = i;
	}
	fan_counter_add(&worker->hop_sent[hop], first + count - begin);
}

/* Before the first frame leaves: its answer may come at once. */
static void
note_key_counts(const struct fan_work *work)
{
	const struct fan_leg *leg = work->leg;

	for (unsigned i = work->sent; leg->key_counts != NULL && i < work->batch.ue_count; i++)
		fan_key_counts_note(leg->key_counts, (size_t)(work->batch.context[i] - leg->table->slots),
				    work->batch.count[i]);
}

/* Hands the batch's frames to the port; true when it took the last. Frames of a batch differ in length where ids do: a limit that fell
 * holds them all until it fits every UE's, as fan_send() asks. */
static bool
send_frames(struct fan_worker *worker, struct fan_work *work)
{
	struct fan_egress *egress = worker->config.egress;
	struct fan_span *span = &work->task->flight->span[worker->config.index];
	struct fan_tally *tally = fan_worker_tally(worker, work->leg);
	struct rte_mbuf **frames = work->frame + work->sent;
	const uint16_t frame_count = (uint16_t)(work->batch.ue_count - work->sent);
	const struct fan_plans *plans = &work->leg->plans;
	/* The first part goes when all can. */
	const unsigned most = work->plan == plans->part ? plans->frame_bytes_max : work->plan->frame_bytes_max;
	const bool fits = most <= fan_egress_frame_bytes_max(egress);
	uint16_t n = 0;

	note_key_counts(work);
	if (fits && fan_egress_up(egress))
		n = work->paced ? send_at_pace(worker, work, frames, frame_count)
				: fan_egress_send_burst(egress, (uint16_t)worker->config.index, frames, frame_count);

	if (n > 0) {
		const uint32_t bytes_left = frame_bytes(frames + n, frame_count - n);
		const uint32_t bytes = work->bytes - bytes_left;

		span->last_tsc = rte_rdtsc();
		if (span->first_tsc == 0)
			span->first_tsc = span->last_tsc;
		work->bytes = bytes_left;
		fan_counter_add(&tally->sent, n);
		fan_counter_add(&tally->bytes_out, bytes);
		fan_counter_add(&worker->counters.sent, n);
		fan_counter_add(&worker->counters.bytes_out, bytes);
		count_by_hop(worker, &work->batch, work->sent, n);
		work->sent = (uint16_t)(work->sent + n);
	}
	return n == frame_count;
}

/* In the order of emission, and before the port owns the frames. */
static void
capture(const struct fan_worker *worker, struct fan_work *work)
{
	if (worker->config.egress->capture == NULL || work->captured)
		return;
	fan_egress_capture_burst(worker->config.egress, work->frame, work->batch.ue_count);
	work->captured = true;
}

/* Whether the batch at the head of the ring may go: a message of several parts begins to leave once an engine has protected all of them, so
 * that no engine's failure and no end of a lease can cut it. The parts lie one behind the other. */
static bool
whole_message_finished(struct fan_worker *worker)
{
	const struct fan_work *head = fan_work_at(worker, 0);
	const struct fan_leg *leg = head->leg;
	unsigned parts;

	/* The leg is there as long as the flight: an empty batch may be of one that has ended. */
	if (head->task == NULL || leg->plans.part_count == 1 || head->plan != leg->plans.part || head->sent > 0)
		return true;
	parts = fan_work_parts_in_a_row(worker, 0);
	for (unsigned i = 0; i < parts; i++)
		if (fan_work_at(worker, i)->state != WORK_FINISHED)
			return false;
	return fan_work_parts_to_begin(worker, 0, parts) == 0;
}

/* The batch at the head of the ring has left: so has all of its flight before it, and with a last part these members are done. */
static void
tell_left(struct fan_worker *worker, const struct fan_work *work)
{
	struct fan_flight *flight = work->task->flight;
	struct fan_leg *leg = work->leg;
	const struct fan_context *last;

	if (work->batch.ue_count == 0 || work->plan != &leg->plans.part[leg->plans.part_count - 1])
		return;
	for (unsigned i = 0; work->task->late && i < work->batch.ue_count; i++)
		fan_worker_end_late(worker, leg, work->batch.context[i]);
	if (work->task->late)
		return;
	last = work->batch.context[work->batch.ue_count - 1];
	tell_position(worker, flight,
		      fan_flight_place((unsigned)(leg - flight->legs), (uint64_t)(last - leg->table->slots) + 1));
}

static bool
emit(struct fan_worker *worker)
{
	bool any = false;

	while (worker->work_count > 0) {
		struct fan_work *work = fan_work_at(worker, 0);
		const uint16_t sent = work->sent;

		if (work->state != WORK_FINISHED || !whole_message_finished(worker))
			return fan_worker_renew_exposed(worker) || any;
		capture(worker, work);
		if (work->sent < work->batch.ue_count && !send_frames(worker, work))
			return any || work->sent > sent;
		fan_counter_add(&worker->counters.engine_ues[work->engine], work->sent);
		if (work->task != NULL) {
			tell_left(worker, work);
			release(work);
		}
		worker->work_count--;
		fan_counter_add(&worker->counters.left, 1);
		if (__builtin_expect(worker->counters.left == __atomic_load_n(&worker->call_at, __ATOMIC_RELAXED), 0))
			fan_worker_call_control(worker);
		/* An empty ring begins anew, in the work that lies in the cache. */
		worker->work_first = worker->work_count > 0 ? (worker->work_first + 1) % BATCHES_MAX : 0;
		any = true;
	}
	return any;
}

/* Lets go of flights whose last frame has left. */
static bool
report(struct fan_worker *worker)
{
	bool any = false;

	for (unsigned i = 0; i < worker->task_count; i++) {
		struct fan_task *task = &worker->task[i];
		struct fan_flight *flight = task->flight;

		if (flight == NULL || !task->exhausted || task->under_way > 0 || fan_task_has_late(worker, &worker->late[i]))
			continue;
		task->flight = worker->late[i].flight = NULL;
		(void)tell_position(worker, flight, UINT64_MAX);
		if (__atomic_fetch_sub(&flight->workers_left, 1, __ATOMIC_RELEASE) == 1)
			fan_worker_call_control(worker);
		any = true;
	}
	while (worker->task_count > 0 && worker->task[worker->task_count - 1].flight == NULL)
		worker->task_count--;
	return any;
}

#define STILL_MS 100 /* a port or engine that takes nothing for so long stands still */

/* Why the message whose first part in the ring lies at a position is to be let go of at this moment; NONE: it goes on. One of several parts
 * that has begun to leave is let go of only when nothing moves: UEs that have a part would wait for the others for ever. */
static enum fan_drop
to_be_dropped(const struct fan_worker *worker, const struct fan_work *first)
{
	const bool still = worker->now_tsc - worker->counters.waits_since_tsc > STILL_MS * worker->tsc_per_ms &&
			   worker->counters.waits_for != FAN_WAIT_NOTHING;
	bool begun;

	if (first->task == NULL)
		return FAN_DROP_NONE;
	begun = first->leg->plans.part_count > 1 && (first->plan != first->leg->plans.part || first->sent > 0);
	return still || !begun ? fan_worker_stopped(worker, first->task->flight) : FAN_DROP_NONE;
}

/* Lets go of what flights that were stopped have under way, wherever it waits; what an engine is at work on when it comes back. A message is
 * asked about once, for it may be stopped at any moment; its last part goes first, so that numbers can be given back. */
static bool
drop_stopped_batches(struct fan_worker *worker)
{
	enum fan_drop drop[BATCHES_MAX];
	bool any = false;

	for (unsigned i = 0, parts; i < worker->work_count; i += parts) {
		parts = fan_work_parts_in_a_row(worker, i);
		drop[i] = to_be_dropped(worker, fan_work_at(worker, i));
		for (unsigned part = 1; part < parts; part++)
			drop[i + part] = drop[i];
	}
	for (unsigned i = worker->work_count; i-- > 0;) {
		struct fan_work *work = fan_work_at(worker, i);

		if (drop[i] == FAN_DROP_NONE || work->sent == work->batch.ue_count || work->doomed != FAN_DROP_NONE)
			continue;
		give_up(worker, work, drop[i]);
		any = true;
	}
	return any;
}

/* ... and goes on with what they have not begun, which needs no room among the batches of others. */
static bool
refuse_task(struct fan_worker *worker, struct fan_task *task)
{
	enum fan_drop drop = FAN_DROP_NONE;

	if (task->flight != NULL && !task->exhausted)
		drop = task->part == 0 ? fan_worker_stopped(worker, task->flight) : (enum fan_drop)task->broken;
	if (drop != FAN_DROP_NONE && task->late && task->slot_count == 0)
		fan_task_choose_late(worker, task);
	if (drop == FAN_DROP_NONE || (task->late && task->slot_count == 0))
		return false;
	refuse_members(worker, task, drop);
	return true;
}

static bool
refuse_stopped(struct fan_worker *worker)
{
	bool any = false;

	for (unsigned i = 0; i < worker->task_count; i++) {
		any = refuse_task(worker, &worker->task[i]) || any;
		any = refuse_task(worker, &worker->late[i]) || any;
	}
	return any;
}

/* ---- The loop ---------------------------------------------------------------------------------------------------------- */

/* Between batches an engine may hold what it made of keys, which shall not outlive their UEs. Once for each idle time: 40 us. */
static void
wipe_engines(struct fan_worker *worker)
{
	for (unsigned i = 0; i < worker->config.engines->count; i++)
		if (worker->engine[i]->ops->wipe != NULL)
			worker->engine[i]->ops->wipe(worker->engine[i]);
}

/* Sleeps until wake(), or for so long. What the control thread has done before its wake() is seen either here or, by the kernel, as a
 * word that is no longer 1. */
static void
sleep_until_woken(struct fan_worker *worker, struct timespec most)
{
	__atomic_store_n(&worker->asleep, 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (rte_ring_empty(worker->flights) && !__atomic_load_n(&worker->stop, __ATOMIC_ACQUIRE) &&
	    !__atomic_load_n(&worker->pause, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &worker->asleep, FUTEX_WAIT_PRIVATE, 1, &most, NULL, 0);
	__atomic_store_n(&worker->asleep, 0, __ATOMIC_RELAXED);
}

/* Control thread. A worker that is awake costs no system call. */
static void
wake(struct fan_worker *worker)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&worker->asleep, __ATOMIC_SEQ_CST) != 0 &&
	    __atomic_exchange_n(&worker->asleep, 0, __ATOMIC_SEQ_CST) != 0)
		syscall(SYS_futex, &worker->asleep, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* A port or engine that makes us wait may need this very core: give it away soon. Without any message, sleep. */
static void
rest(struct fan_worker *worker, unsigned idle_turns)
{
	rte_pause();
	if (worker->task_count > 0) {
		if (idle_turns % 16 == 0)
			sched_yield();
		if (idle_turns >= IDLE_TURNS_LATE && worker->counters.waits_for == FAN_WAIT_PACE)
			sleep_until_woken(worker, (struct timespec){ .tv_nsec = LATE_US * 1000 });
	} else if (idle_turns >= IDLE_TURNS_SPIN) {
		if (idle_turns == IDLE_TURNS_SPIN)
			wipe_engines(worker);
		sleep_until_woken(worker, (struct timespec){ .tv_sec = SLEEP_S });
	}
}

static bool
turn(struct fan_worker *worker)
{
	bool any = accept_flights(worker);

	if (worker->task_count > 0)
		fan_egress_watch(worker->config.egress, worker->now_tsc);
	fan_worker_serve_late(worker);
	any = begin_batch(worker) || any;
	any = submit_oldest(worker) || any;
	any = (worker->work_count > 0 && poll_engines(worker)) || any;
	any = emit(worker) || any;
	any = report(worker) || any;
	if (!any && worker->task_count > 0) {
		any = drop_stopped_batches(worker);
		any = refuse_stopped(worker) || any;
	}
	return any;
}

/* Engines are closed with nothing in flight (engine.h), and frames freed after an engine has let go of them. */
static void
drain_engines(struct fan_worker *worker)
{
	struct fan_batch *batches[BATCHES_MAX];
	unsigned submitted = 0;

	for (unsigned i = 0; i < worker->work_count; i++)
		submitted += fan_work_at(worker, i)->state == WORK_SUBMITTED;
	while (submitted > 0)
		for (unsigned i = 0; i < worker->config.engines->count; i++)
			submitted -= worker->engine[i]->ops->poll_burst(worker->engine[i], batches, BATCHES_MAX);
}

static bool
all_finished(struct fan_worker *worker)
{
	for (unsigned i = 0; i < worker->work_count; i++)
		if (fan_work_at(worker, i)->state != WORK_FINISHED)
			return false;
	return true;
}

static bool
waits_for_store(const struct fan_worker *worker)
{
	for (unsigned i = 0; i < worker->task_count; i++)
		if (worker->task[i].flight != NULL && !worker->task[i].exhausted && !is_covered(worker, &worker->task[i]))
			return true;
	return false;
}

/* All that is left of its messages was put off. */
static bool
waits_for_pace(const struct fan_worker *worker)
{
	for (unsigned i = 0; i < worker->task_count; i++)
		if ((worker->task[i].flight != NULL && !worker->task[i].exhausted) || worker->late[i].slot_count > 0)
			return false;
	return worker->late_members > 0;
}

/* What keeps a worker from going on. */
static enum fan_wait
waits_for(struct fan_worker *worker)
{
	if (worker->task_count == 0)
		return FAN_WAIT_NOTHING;
	if (worker->work_count == 0)
		return waits_for_store(worker) ? FAN_WAIT_STORE : waits_for_pace(worker) ? FAN_WAIT_PACE : FAN_WAIT_FRAMES;
	if (fan_worker_first_exposed(worker) >= 0 && !fan_worker_any_submitted(worker))
		return FAN_WAIT_STORE;
	if (!whole_message_finished(worker))
		return all_finished(worker) ? FAN_WAIT_FRAMES : FAN_WAIT_ENGINE;
	if (fan_work_at(worker, 0)->state != WORK_FINISHED)
		return FAN_WAIT_ENGINE;
	return fan_egress_up(worker->config.egress) ? FAN_WAIT_PORT : FAN_WAIT_LINK;
}

static void
note_wait(struct fan_worker *worker, enum fan_wait wait)
{
	if (worker->counters.waits_for == (uint64_t)wait)
		return;
	__atomic_store_n(&worker->counters.waits_since_tsc, worker->now_tsc, __ATOMIC_RELAXED);
	__atomic_store_n(&worker->counters.waits_for, (uint64_t)wait, __ATOMIC_RELAXED);
}

/* The control thread changes what this worker reads. */
static void
stand(struct fan_worker *worker)
{
	__atomic_store_n(&worker->paused, true, __ATOMIC_RELEASE);
	while (__atomic_load_n(&worker->pause, __ATOMIC_ACQUIRE))
		sched_yield();
	worker->pauses++;
	__atomic_store_n(&worker->paused, false, __ATOMIC_RELEASE);
}

void
fan_workers_pause(struct fan_worker *const *workers, unsigned worker_count)
{
	for (unsigned i = 0; i < worker_count; i++)
		while (__atomic_load_n(&workers[i]->paused, __ATOMIC_ACQUIRE))
			sched_yield();
	for (unsigned i = 0; i < worker_count; i++) {
		__atomic_store_n(&workers[i]->pause, true, __ATOMIC_RELEASE);
		wake(workers[i]);
	}
	for (unsigned i = 0; i < worker_count; i++)
		while (!__atomic_load_n(&workers[i]->paused, __ATOMIC_ACQUIRE))
			sched_yield();
}

void
fan_workers_resume(struct fan_worker *const *workers, unsigned worker_count)
{
	for (unsigned i = 0; i < worker_count; i++)
		__atomic_store_n(&workers[i]->pause, false, __ATOMIC_RELEASE);
}

int
fan_worker_run(void *argument)
{
	struct fan_worker *worker = argument;
	unsigned idle_turns = 0;

	__atomic_store_n(&worker->counters.begin_tsc, rte_rdtsc(), __ATOMIC_RELAXED);
	while (!__atomic_load_n(&worker->stop, __ATOMIC_ACQUIRE)) {
		if (__builtin_expect(__atomic_load_n(&worker->pause, __ATOMIC_ACQUIRE), 0))
			stand(worker);
		__atomic_store_n(&worker->now_tsc, rte_rdtsc(), __ATOMIC_RELAXED);
		if (turn(worker)) {
			fan_counter_add(&worker->counters.busy_cycles, rte_rdtsc() - worker->now_tsc);
			idle_turns = 0;
			note_wait(worker, FAN_WAIT_NOTHING);
		} else {
			const enum fan_wait wait = waits_for(worker);

			note_wait(worker, wait);
			rest(worker, ++idle_turns);
			if (wait != FAN_WAIT_NOTHING)
				fan_counter_add(&worker->counters.wait_cycles[wait], rte_rdtsc() - worker->now_tsc);
		}
	}
	drain_engines(worker);
	return 0;
}

void
fan_worker_stop(struct fan_worker *worker)
{
	__atomic_store_n(&worker->stop, true, __ATOMIC_RELEASE);
	wake(worker);
}

void
fan_worker_hand(struct fan_worker *worker, struct fan_flight *flight)
{
	FAN_REQUIRE(rte_ring_sp_enqueue(worker->flights, flight) == 0);
	wake(worker);
}

void
fan_worker_call_at(struct fan_worker *worker, uint64_t left)
{
	__atomic_store_n(&worker->call_at, left, __ATOMIC_RELAXED);
}

uint64_t
fan_worker_turned_tsc(const struct fan_worker *worker)
{
	return __atomic_load_n(&worker->now_tsc, __ATOMIC_RELAXED);
}

static void
read_all(uint64_t *to, const uint64_t *from, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

uint64_t
fan_worker_hop_sent(const struct fan_worker *worker, unsigned hop)
{
	return __atomic_load_n(&worker->hop_sent[hop], __ATOMIC_RELAXED);
}

void
fan_worker_counters_read(const struct fan_worker *worker, struct fan_worker_counters *counters)
{
	const struct fan_worker_counters *from = &worker->counters;

	counters->begun = __atomic_load_n(&from->begun, __ATOMIC_ACQUIRE);
	counters->left = __atomic_load_n(&from->left, __ATOMIC_ACQUIRE);
	counters->created = __atomic_load_n(&from->created, __ATOMIC_RELAXED);
	counters->sent = __atomic_load_n(&from->sent, __ATOMIC_RELAXED);
	counters->dropped = __atomic_load_n(&from->dropped, __ATOMIC_RELAXED);
	counters->bytes_out = __atomic_load_n(&from->bytes_out, __ATOMIC_RELAXED);
	counters->busy_cycles = __atomic_load_n(&from->busy_cycles, __ATOMIC_RELAXED);
	read_all(counters->engine_cycles, from->engine_cycles, FAN_ENGINES_MAX);
	read_all(counters->engine_ues, from->engine_ues, FAN_ENGINES_MAX);
	read_all(counters->dropped_for, from->dropped_for, FAN_DROP_COUNT);
	read_all(counters->wait_cycles, from->wait_cycles, FAN_WAIT_KINDS);
	counters->begin_tsc = __atomic_load_n(&from->begin_tsc, __ATOMIC_RELAXED);
	counters->waits_for = __atomic_load_n(&from->waits_for, __ATOMIC_RELAXED);
	counters->waits_since_tsc = __atomic_load_n(&from->waits_since_tsc, __ATOMIC_RELAXED);
}

static uint64_t *
allocate_hops(void)
{
	void *hops = mmap(NULL, HOPS_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return hops != MAP_FAILED ? hops : NULL;
}

int
fan_worker_make(struct fan_worker **out, const struct fan_worker_config *config)
{
	static unsigned serial;
	struct fan_worker *worker = aligned_alloc(64, sizeof(*worker));
	char ring_name[RTE_RING_NAMESIZE];
	int error = 0;

	if (worker == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for worker %u", config->index);
	memset(worker, 0, sizeof(*worker));
	worker->config = *config;
	worker->current = worker->task;
	worker->hop_sent = allocate_hops();
	worker->tsc_per_ms = rte_get_tsc_hz() / 1000;
	worker->now_tsc = rte_rdtsc();
	snprintf(ring_name, sizeof(ring_name), "fan_flights_%u", serial++);
	worker->flights = rte_ring_create(ring_name, 2 * FAN_FLIGHTS_MAX, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (worker->hop_sent == NULL)
		error = fan_fail(FAN_E_MEMORY, "no memory for the next hops of worker %u", config->index);
	else if (worker->flights == NULL)
		error = fan_fail(FAN_E_MEMORY, "no memory for the ring of flights of worker %u", config->index);
	for (unsigned i = 0; error == 0 && i < config->engines->count; i++)
		error = fan_engine_open(&worker->engine[i], &config->engines->choice[i]);
	if (error != 0) {
		fan_worker_free(worker);
		return error;
	}
	*out = worker;
	return 0;
}

void
fan_worker_free(struct fan_worker *worker)
{
	if (worker == NULL)
		return;
	for (unsigned i = 0; i < worker->work_count; i++) {
		struct fan_work *work = fan_work_at(worker, i);

		rte_pktmbuf_free_bulk(work->frame + work->sent, (unsigned)work->batch.ue_count - work->sent);
	}
	for (unsigned i = 0; i < FAN_ENGINES_MAX; i++)
		if (worker->engine[i] != NULL)
			worker->engine[i]->ops->close(worker->engine[i]);
	rte_ring_free(worker->flights);
	if (worker->hop_sent != NULL)
		munmap(worker->hop_sent, HOPS_BYTES);
	explicit_bzero(worker, sizeof(*worker));
	free(worker);
}
