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
 * serve_late(). A UE that waits so for one message waits for those of the same priority that come after it.
 *
 * Batches leave strictly in order, whatever engine finished them first: a UE that gets two parts of a message must see their
 * COUNTs rise (TS 24.301 4.4.3.2). The first part leaves once all are protected, so that no engine can cut a message.
 */
#include "worker.h"

#include "context/count.h"
#include "pdu/plan_write.h"

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

#define BATCHES_MAX 16        /* under way in one worker: enough for an engine with latency, few enough to stay in L2 */
#define TURN_BATCHES 8        /* a flight's fair turn; 512 UEs, some 50 us */
#define FETCHES 16            /* contexts on the way at a time: a core waits for about so many cache lines */
#define IDLE_TURNS_SPIN 2000  /* turns without work before the worker sleeps */
#define SLEEP_S 1             /* then it looks around, unless a message wakes it */
#define LATE_US 250           /* between two looks for tokens: a bucket holds what comes in 10 ms */
#define IDLE_TURNS_LATE 50000 /* turns without work before the worker sleeps between these looks */
#define HOPS_BYTES (FAN_NEXT_HOPS_MAX * sizeof(uint64_t))

enum work_state {
	WORK_READY,
	WORK_SUBMITTED,
	WORK_EXPOSED, /* failed, and a PDU may have left the host: waits for fresh COUNTs */
	WORK_FINISHED,
};

struct task;

/* A batch under way, with its frames. */
struct work {
	struct fan_batch batch; /* first: engines give the batch back and so the work */
	struct rte_mbuf *frame[FAN_BATCH_UES_MAX];
	struct task *task; /* NULL: all of it is accounted for, and the flight may have ended */
	struct fan_leg *leg;
	const struct fan_plan *plan;
	uint16_t sent;   /* leading frames that the port took */
	uint32_t bytes;  /* of the frames that it did not take yet */
	uint8_t state;   /* enum work_state */
	uint8_t engines; /* mask of those that take the leg's shapes and have not failed the batch */
	uint8_t engine;  /* that has it */
	bool captured;
	bool exposed;    /* its PDUs may have left the host */
	uint8_t doomed;  /* enum fan_drop: it is dropped once its engine gives it back; NONE: it is not */
	bool paced;      /* hop[] counts */
	uint32_t pauses; /* of the worker when it was begun: what it was written from may have changed in each */
	uint32_t number[FAN_BATCH_UES_MAX]; /* each UE's own (fan_plan_take_numbers()), for a replay */
	uint32_t *hop;                      /* whose tokens each has, FAN_NO_HOP: none; one of the worker's work_hops[] */
};
static_assert(FAN_ENGINES_MAX <= 8, "a mask of engines has a bit for each");
static_assert(offsetof(struct work, batch) == 0, "a batch pointer is a work pointer");

/* A flight as one worker sees it: all of its members, or (late) those that were put off. */
struct task {
	struct fan_flight *flight; /* NULL: free */
	struct fan_leg *leg;       /* being worked on */
	unsigned leg_at;
	struct fan_member_cursor cursor;
	uint32_t slot[FAN_BATCH_UES_MAX]; /* chosen; their contexts are on the way into the cache */
	unsigned slot_count;
	unsigned part;          /* next part for these slots */
	unsigned spent_at;      /* COUNTs were spent for this part and all behind it */
	unsigned engine_mask;   /* engines that take the leg's shapes ... */
	uint64_t failures_seen; /* ... as it was after so many failures */
	bool fetches_ahead;     /* the one that is likely to have them fetches contexts itself */
	unsigned under_way;     /* batches */
	bool exhausted;         /* every member has been taken */
	uint8_t broken; /* enum fan_drop: a part of the message to these members was given up, and so are those behind it */
	uint32_t count[FAN_BATCH_UES_MAX]; /* of part spent_at, per slot */
	bool paced;                        /* hop[] counts */
	uint32_t
		*hop; /* whose tokens each slot has, for all parts to come, FAN_NO_HOP: none; one of the worker's task_hops[] */
	uint32_t *put_off; /* of those chosen with these slots; the same */
	unsigned put_off_count;
	bool late;
	unsigned legs_left, hops_left; /* late: to be asked for tokens until the next look */
};

/* The worker's alone while its loop runs, but for what is said. */
struct fan_worker {
	struct fan_worker_config config;
	struct rte_ring *flights;                   /* the control thread puts, the worker takes */
	struct fan_engine *engine[FAN_ENGINES_MAX]; /* made by the control thread before the loop, freed after it */
	bool stop;                                  /* the control thread stores it, atomically */
	bool pause;                                 /* the same */
	bool paused;                                /* the worker's answer, stored atomically */
	uint32_t pauses;                            /* so many times it has answered */
	uint64_t call_at; /* the control thread stores it, atomically: batches that it waits for to have left */
	uint32_t asleep;  /* a futex: 1 from before it sleeps until it is woken; both threads, atomically */
	struct task task[FAN_FLIGHTS_MAX]; /* by the flight's place */
	uint64_t late_members;             /* of all flights, that are not done with */
	uint64_t late_tsc;                 /* when it last looked for tokens */
	unsigned late_first;               /* whose turn it was then */
	unsigned task_count;               /* tasks in use lie below this index */
	struct task *current;              /* whose turn it is ... */
	unsigned turn_left;                /* ... and for how many batches yet */
	uint64_t tsc_per_ms;
	uint64_t now_tsc;              /* when this turn of the loop began; the control thread reads it, atomically */
	uint64_t number_at;            /* of the flight whose turn it was last */
	uint64_t failures;             /* batches that an engine gave back unprotected */
	struct work work[BATCHES_MAX]; /* a ring: COUNTs were spent in this order */
	unsigned work_first, work_count;
	struct fan_worker_counters counters; /* any thread reads them, atomically */
	uint64_t *hop_sent;                  /* PDUs by next hop, FAN_NEXT_HOPS_MAX, demand-zero; the same */
	/* Of next hops with a rate alone: apart from what every batch touches. */
	struct task late[FAN_FLIGHTS_MAX]; /* as task[], for members that are put off */
	uint32_t work_hops[BATCHES_MAX][FAN_BATCH_UES_MAX];
	uint32_t task_hops[3][FAN_FLIGHTS_MAX][FAN_BATCH_UES_MAX]; /* of tasks, of late ones, and those that tasks put off */
};

/* Single writer: a plain read, a store that a reader on another core never sees torn. */
static inline void
add(uint64_t *counter, uint64_t by)
{
	__atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED);
}

static inline struct fan_tally *
tally_of(const struct fan_worker *worker, const struct fan_leg *leg)
{
	return &leg->tally[worker->config.index];
}

static inline struct work *
work_at(struct fan_worker *worker, unsigned position)
{
	return &worker->work[(worker->work_first + position) % BATCHES_MAX];
}

/* A member that was put off, or may have been, is done with. */
static void
end_late(struct fan_worker *worker, struct fan_leg *leg, const struct fan_context *context)
{
	if (worker->late_members > 0 && fan_late_ready(&leg->late) &&
	    fan_late_done(&leg->late, worker->config.index, (uint32_t)(context - leg->table->slots)))
		worker->late_members--;
}

/* `parts` of the message do not go to this UE. */
static void
count_drop(struct fan_worker *worker, struct fan_leg *leg, const struct fan_context *context, enum fan_drop drop,
	   unsigned parts)
{
	const size_t slot = (size_t)(context - leg->table->slots);

	add(&tally_of(worker, leg)->dropped[drop], parts);
	add(&worker->counters.dropped, parts);
	add(&worker->counters.dropped_for[drop], parts);
	/* Named once: with parts that fail one by one, by the first reason. */
	if (parts == leg->plans.part_count || fan_leg_reason(leg, slot) == FAN_DROP_NONE)
		fan_leg_not_served(leg, drop)[slot / 8] |= (uint8_t)(1U << slot % 8);
	end_late(worker, leg, context);
}

/* Why what is left of a flight is not to be sent: it was cancelled, or its time is over. NONE: it goes on. */
static inline enum fan_drop
stopped(const struct fan_worker *worker, const struct fan_flight *flight)
{
	const uint8_t stop = __atomic_load_n(&flight->stop, __ATOMIC_RELAXED);

	if (__builtin_expect(stop != FAN_DROP_NONE, 0))
		return (enum fan_drop)stop;
	if (__builtin_expect(fan_egress_gone(worker->config.egress), 0))
		return FAN_DROP_PORT;
	return worker->now_tsc < flight->deadline_tsc ? FAN_DROP_NONE : FAN_DROP_EXPIRED;
}

/* ---- accept, choose members ------------------------------------------------------------------------------------------- */

static void
choose_members(struct task *task)
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
static void
ask_engines(const struct fan_worker *worker, struct task *task)
{
	task->engine_mask = engines_for(worker, task->leg);
	task->fetches_ahead = first_fetches_ahead(worker, task->leg, task->engine_mask);
	task->failures_seen = worker->failures;
}

/* Goes on to the first leg from `leg_at` on in which this worker owns a member. */
static void
begin_leg(struct fan_worker *worker, struct task *task)
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
			ask_engines(worker, task);
			return;
		}
	}
	task->exhausted = true;
}

static bool
accept_flights(struct fan_worker *worker)
{
	const struct task *current = worker->current;
	void *taken;
	bool any = false;

	while (rte_ring_sc_dequeue(worker->flights, &taken) == 0) {
		struct fan_flight *flight = taken;
		struct task *task = &worker->task[flight->place], *late = &worker->late[flight->place];

		memset(task, 0, sizeof(*task));
		memset(late, 0, sizeof(*late));
		task->flight = late->flight = flight;
		late->late = true;
		task->hop = worker->task_hops[0][flight->place];
		late->hop = worker->task_hops[1][flight->place];
		task->put_off = worker->task_hops[2][flight->place];
		worker->task_count = RTE_MAX(worker->task_count, flight->place + 1U);
		begin_leg(worker, task);
		if (current->flight != NULL && flight->priority > current->flight->priority)
			worker->turn_left = 0;
		any = true;
	}
	return any;
}

/* Whether a flight that comes before another in a table has all of the other's chosen members behind it. */
static bool
has_passed(const struct task *earlier, const struct task *task)
{
	const uint32_t last = task->slot[task->slot_count - 1];

	for (unsigned i = earlier->leg_at; i < earlier->flight->leg_count; i++)
		if (earlier->flight->legs[i].table == task->leg->table && (i > earlier->leg_at || earlier->slot[0] <= last))
			return false;
	return true;
}

/* The control thread learns that a flight cannot go on without it. */
static void
call_control(const struct fan_worker *worker)
{
	if (worker->config.event_fd >= 0)
		(void)eventfd_write(worker->config.event_fd, 1);
}

/* A context's block needs a higher mark. In: FAN_WAITS_. */
static void
ask_for_mark(const struct fan_worker *worker, const struct fan_context_table *table, uint32_t slot, uint8_t why)
{
	uint8_t *waits = &table->waits[slot / FAN_BLOCK_CONTEXTS];

	if (__atomic_load_n(waits, __ATOMIC_RELAXED) >= why)
		return;
	__atomic_store_n(waits, why, __ATOMIC_RELAXED);
	call_control(worker);
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
is_covered(const struct fan_worker *worker, const struct task *task)
{
	const struct fan_context_table *table = task->leg->table;
	const uint32_t first = task->slot[0];

	if (table->marks == NULL || task->part > 0)
		return true;
	if (!fan_count_covered(&table->slots[first], task->leg->plans.part_count, fan_context_mark(table->marks, first))) {
		ask_for_mark(worker, table, first, FAN_WAITS);
		return false;
	}
	if (fan_flight_place(task->leg_at, first) < __atomic_load_n(&task->flight->limit, __ATOMIC_RELAXED))
		return true;
	if (task->under_way == 0 && tell_position(worker, task->flight, fan_flight_place(task->leg_at, first)))
		call_control(worker);
	return false;
}

/* Whether a task has something to begin, and no UE among it waits for a message accepted before: with members in common, flights of one
 * priority go through a table one behind the other, so that each UE sees their messages in the order of acceptance. */
static bool
may_begin(const struct fan_worker *worker, const struct task *task)
{
	if (task->flight == NULL || task->exhausted || (task->late && task->slot_count == 0))
		return false;
	if (task->late || stopped(worker, task->flight) != FAN_DROP_NONE)
		return true;
	if (!is_covered(worker, task))
		return false;
	for (uint64_t places = task->flight->follows; places != 0; places &= places - 1) {
		const struct task *earlier = &worker->task[__builtin_ctzll(places)];

		if (earlier->flight != NULL && !earlier->exhausted && earlier->flight->number < task->flight->number &&
		    stopped(worker, earlier->flight) == FAN_DROP_NONE && !has_passed(earlier, task))
			return false;
	}
	return true;
}

/* Whether a task comes before another: by priority, among equals in turn, in the order of acceptance behind the last. */
static bool
comes_before(const struct fan_worker *worker, const struct task *one, const struct task *other)
{
	if (one->flight->priority != other->flight->priority)
		return one->flight->priority > other->flight->priority;
	return one->flight->number - worker->number_at - 1 < other->flight->number - worker->number_at - 1;
}

/* The first of these tasks to begin, or `best` where that comes first. What is only to be reported needs neither port nor engine, and nothing is
 * before it. */
static struct task *
pick_of(const struct fan_worker *worker, struct task *tasks, struct task *best)
{
	for (unsigned i = 0; i < worker->task_count; i++) {
		struct task *task = &tasks[i];

		if (!may_begin(worker, task))
			continue;
		if (stopped(worker, task->flight) != FAN_DROP_NONE)
			return task;
		if (best == NULL || comes_before(worker, task, best))
			best = task;
	}
	return best;
}

/* The task whose turn it is. NULL: nothing to begin. Turns change between members, never between the parts of a message to them. Of a flight's two
 * tasks the late one goes first: it has no more than tokens are there for. */
static struct task *
pick_task(struct fan_worker *worker)
{
	struct task *current = worker->current, *best;

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

/* ---- pace ---------------------------------------------------------------------------------------------------------------- */

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
static void
give_back(const struct fan_worker *worker, struct task *task, unsigned i)
{
	if (task->paced && task->hop[i] != FAN_NO_HOP)
		fan_pace_give_back(&worker->config.paces->hops[task->hop[i]], tokens_of(task->leg, task->part), rte_rdtsc());
}

/* The same of one PDU that lies in the ring. */
static void
give_back_of(const struct fan_worker *worker, const struct work *work, unsigned i)
{
	const struct fan_tokens tokens = { 1, work->plan->frame_bytes_max };

	if (work->paced && work->hop[i] != FAN_NO_HOP)
		fan_pace_give_back(&worker->config.paces->hops[work->hop[i]], tokens, rte_rdtsc());
}

/* Whether an earlier message, which this one follows, was put off for a UE and is not done with. */
static bool
waits_for_earlier(const struct fan_worker *worker, const struct task *task, const struct fan_leg *leg, uint32_t slot)
{
	for (uint64_t places = task->flight->follows; places != 0; places &= places - 1) {
		const struct fan_flight *earlier = worker->task[__builtin_ctzll(places)].flight;

		if (earlier == NULL || earlier->number > task->flight->number || stopped(worker, earlier) != FAN_DROP_NONE)
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
take_tokens(const struct fan_worker *worker, const struct task *task, struct fan_tokens tokens, uint32_t *hop, uint32_t slot)
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
put_off(struct fan_worker *worker, struct task *task, uint32_t slot)
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
take_late(struct fan_worker *worker, struct task *task, uint32_t hop, uint32_t slot)
{
	fan_late_take(&task->leg->late, worker->config.index, hop, slot);
	__atomic_fetch_sub(&worker->config.paces->hops[hop].waiting, 1, __ATOMIC_RELAXED);
}

/* Of the members chosen, those stay that have tokens or need none; the others are put off, and their frames given back. Members of a late task
 * have theirs. */
static __attribute__((noinline)) void
keep_pace(struct fan_worker *worker, struct work *work, struct task *task)
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
take_back_put_off(struct fan_worker *worker, struct task *task, uint32_t slot)
{
	while (task->put_off_count > 0 && task->put_off[task->put_off_count - 1] > slot) {
		const uint32_t last = task->put_off[--task->put_off_count];

		take_late(worker, task, task->leg->table->slots[last].next_hop, last);
		end_late(worker, task->leg, &task->leg->table->slots[last]);
	}
}

/* Members put off come into a late task's batch in the order of their slots. */
static void
insert_late(struct task *task, uint32_t slot, uint32_t hop)
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
may_take_late(const struct fan_worker *worker, const struct task *task, struct fan_tokens tokens, uint32_t *hop, uint32_t slot,
	      bool stop)
{
	const struct fan_context_table *table = task->leg->table;

	*hop = FAN_NO_HOP;
	if (stop)
		return true;
	if (table->marks != NULL &&
	    !fan_count_covered(&table->slots[slot], tokens.pdus, fan_context_mark(table->marks, slot))) {
		ask_for_mark(worker, table, slot, FAN_WAITS);
		return false;
	}
	return !waits_for_earlier(worker, task, task->leg, slot) && take_tokens(worker, task, tokens, hop, slot);
}

/* Takes members of the task's leg that were put off, of one next hop after another, until the batch is full or each was asked. */
static void
choose_late_of_leg(struct fan_worker *worker, struct task *task, bool stop)
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
			insert_late(task, slot, hop);
		}
	}
}

/* The next members of a late task: of its legs, one after another, each next hop is asked once for each look. */
static void
choose_late(struct fan_worker *worker, struct task *task)
{
	const struct fan_flight *flight = task->flight;
	const bool stop = stopped(worker, flight) != FAN_DROP_NONE;

	task->part = 0;
	task->broken = FAN_DROP_NONE;
	task->slot_count = 0;
	task->paced = true;
	if (stop && task->legs_left == 0)
		task->legs_left = flight->leg_count;
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
		ask_engines(worker, task);
}

/* Looks for tokens for members that were put off: for urgent messages first, among equals for each flight first in turn. */
static void
serve_late(struct fan_worker *worker)
{
	if (worker->late_members == 0 || worker->now_tsc - worker->late_tsc < LATE_US * worker->tsc_per_ms / 1000)
		return;
	worker->late_tsc = worker->now_tsc;
	worker->late_first++;
	for (unsigned priority = FAN_PRIORITY_MAX + 1; priority-- > 0;)
		for (unsigned i = 0; i < worker->task_count; i++) {
			struct task *late = &worker->late[(worker->late_first + i) % worker->task_count];

			if (late->flight == NULL || late->flight->priority != priority)
				continue;
			late->legs_left = late->flight->leg_count;
			if (late->slot_count == 0)
				choose_late(worker, late);
		}
}

/* Whether a late task has something to do yet. A member in the middle of its message, of which a part was given up, has no bit any more. */
static bool
has_late(const struct fan_worker *worker, const struct task *task)
{
	const struct fan_flight *flight = task->flight;

	if (task->under_way > 0 || task->slot_count > 0)
		return true;
	for (unsigned i = 0; worker->late_members > 0 && i < flight->leg_count; i++)
		if (fan_late_ready(&flight->legs[i].late) && flight->legs[i].late.shares[worker->config.index].members > 0)
			return true;
	return false;
}

/* ---- spend COUNT, write ----------------------------------------------------------------------------------------------- */

static void
count_created(struct fan_worker *worker, const struct task *task)
{
	const uint64_t created = (uint64_t)task->slot_count * task->leg->plans.part_count;

	add(&tally_of(worker, task->leg)->created, created);
	add(&worker->counters.created, created);
}

/* CP transactions that some parts of a message open at a UE. */
static inline unsigned
transactions_of(const struct fan_leg *leg, unsigned parts)
{
	return leg->plans.part[0].head == FAN_HEAD_SMS ? parts : 0;
}

/* Those chosen from the i-th on are chosen again later: its block's mark is too low. In: how many before it were dropped. */
static __attribute__((noinline)) void
put_back(struct fan_worker *worker, struct task *task, unsigned i, unsigned dropped)
{
	ask_for_mark(worker, task->leg->table, task->slot[i], FAN_WAITS);
	for (unsigned last = task->slot_count; last-- > i;) {
		const uint32_t slot = task->slot[last], hop = task->leg->table->slots[slot].next_hop;

		give_back(worker, task, last - dropped);
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

/* A member chosen that gets no COUNTs, and that so many have got them before. */
static __attribute__((noinline)) void
drop_chosen(struct fan_worker *worker, struct task *task, const struct fan_context *context, enum fan_drop drop, unsigned kept)
{
	count_drop(worker, task->leg, context, drop, task->leg->plans.part_count);
	if (!task->paced)
		return;
	give_back(worker, task, kept);
	memmove(task->hop + kept, task->hop + kept + 1, (FAN_BATCH_UES_MAX - 1 - kept) * sizeof(task->hop[0]));
}

/* Spends the COUNTs of all parts for the members chosen, at once: whatever happens before the last part is begun, each UE has COUNTs for
 * all of them or for none. A UE that cannot have them leaves the chosen ones, and its frame is given back. */
static void
spend_counts(struct fan_worker *worker, struct work *work, struct task *task)
{
	struct fan_leg *leg = task->leg;
	/* Copies, which no store in the loop can change. */
	const struct fan_count_rule rule = fan_count_rules[leg->table->protection.kind];
	struct fan_context *const slots = leg->table->slots;
	const uint8_t *const marks = leg->table->marks;
	const unsigned parts = leg->plans.part_count, slot_count = task->slot_count;
	const unsigned transactions = transactions_of(leg, parts);
	struct fan_batch *batch = &work->batch;
	unsigned ue_count = 0;

	for (unsigned i = 0; i < slot_count; i++) {
		const uint32_t slot = task->slot[i];
		struct fan_context *context = &slots[slot];
		const enum fan_drop drop = fan_count_spend(context, &batch->count[ue_count], &rule, parts, transactions,
							   fan_context_mark(marks, slot));

		if (__builtin_expect(drop == FAN_COUNT_WAITS, 0)) {
			put_back(worker, task, i, i - ue_count);
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
take_spent_counts(struct work *work, const struct task *task)
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
write_some_frames(const struct fan_worker *worker, struct work *work, unsigned first, unsigned end)
{
	work->bytes += fan_plan_write_burst(&work->batch, work->frame, work->number, work->plan, worker->config.link,
					    worker->config.hops, first, end);
}

/* Octet for octet the same however often: a replay under the same COUNTs must be no other text. */
static void
write_frames(const struct fan_worker *worker, struct work *work)
{
	work->bytes = 0;
	write_some_frames(worker, work, 0, work->batch.ue_count);
}

/* For an engine that does not fetch the contexts of the next batch itself, they are fetched a few at a time while this one's frames
 * are written. */
static void
write_frames_and_fetch(const struct fan_worker *worker, struct work *work)
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
advance(struct fan_worker *worker, struct task *task)
{
	if (++task->part < task->leg->plans.part_count && task->slot_count > 0)
		return;
	if (task->late) {
		choose_late(worker, task);
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
refuse_members(struct fan_worker *worker, struct task *task, enum fan_drop drop)
{
	const unsigned parts = task->leg->plans.part_count - task->part;

	for (unsigned i = 0; i < task->slot_count; i++) {
		struct fan_context *context = &task->leg->table->slots[task->slot[i]];

		count_drop(worker, task->leg, context, drop, parts);
		give_back(worker, task, i);
		if (task->part > 0)
			fan_count_close_transactions(context, transactions_of(task->leg, parts));
	}
	if (task->part == 0)
		count_created(worker, task);
	task->slot_count = 0;
	advance(worker, task);
}

/* ---- give up ------------------------------------------------------------------------------------------------------------ */

/* The batch keeps its place in the ring, but its flight need not wait for that. */
static void
release(struct work *work)
{
	work->task->under_way--;
	work->task = NULL;
}

/* What has not left opened no transaction, if its identifier can be given again: else it counts, so that those that are open differ. */
static void
keep_here(const struct work *work, unsigned ue)
{
	if (work->plan->head == FAN_HEAD_SMS && !work->exposed &&
	    fan_plan_give_back_number(work->batch.context[ue], work->number[ue]))
		fan_count_close_transactions(work->batch.context[ue], 1);
}

/* What the port has not taken of a batch is reported instead of sent. */
static void
drop_batch(struct fan_worker *worker, struct work *work, enum fan_drop drop)
{
	const unsigned left = (unsigned)work->batch.ue_count - work->sent;

	for (unsigned i = 0; i < work->sent; i++)
		end_late(worker, work->leg, work->batch.context[i]);
	for (unsigned i = work->sent; i < work->batch.ue_count; i++) {
		count_drop(worker, work->leg, work->batch.context[i], drop, 1);
		give_back_of(worker, work, i);
		keep_here(work, i);
	}
	rte_pktmbuf_free_bulk(work->frame + work->sent, left);
	work->batch.ue_count = work->sent;
	work->state = WORK_FINISHED;
	release(work);
}

static bool
has_ue(const struct fan_batch *batch, const struct fan_context *context)
{
	for (unsigned i = 0; i < batch->ue_count; i++)
		if (batch->context[i] == context)
			return true;
	return false;
}

/* Whether two batches have a UE in common. Contexts of a batch lie in rising order. */
static bool
share_ue(const struct fan_batch *one, const struct fan_batch *other)
{
	for (unsigned i = 0, j = 0; i < one->ue_count && j < other->ue_count;) {
		if (one->context[i] == other->context[j])
			return true;
		if (one->context[i] < other->context[j])
			i++;
		else
			j++;
	}
	return false;
}

/* Whether a batch has a UE whose message has parts that are not begun. */
static bool
has_ue_in_the_middle(const struct fan_batch *batch, const struct task *task)
{
	for (unsigned i = 0; task->flight != NULL && task->part > 0 && i < task->slot_count; i++)
		if (has_ue(batch, &task->leg->table->slots[task->slot[i]]))
			return true;
	return false;
}

/* What the port has not taken of a batch is reported instead of sent, at once or when its engine gives it back; so are the parts of its
 * message that are not begun. */
static void
give_up(struct fan_worker *worker, struct work *work, enum fan_drop drop)
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
give_up_message(struct fan_worker *worker, const struct work *part, enum fan_drop drop)
{
	const struct fan_leg *leg = part->leg;
	const struct fan_batch batch = part->batch;

	for (unsigned i = worker->work_count; i-- > 0;) {
		struct work *work = work_at(worker, i);

		if (work->leg == leg && work->sent < work->batch.ue_count && share_ue(&batch, &work->batch))
			give_up(worker, work, drop);
	}
}

/* No further part of a message will be begun: the others, begun for the same members, are given up too. */
static void
give_up_begun_parts(struct fan_worker *worker, const struct task *task, enum fan_drop drop)
{
	for (unsigned i = worker->work_count; task->part > 0 && i-- > 0;) {
		struct work *work = work_at(worker, i);

		if (work->leg == task->leg && work->sent < work->batch.ue_count && has_ue_in_the_middle(&work->batch, task))
			give_up(worker, work, drop);
	}
}

/* ---- begin -------------------------------------------------------------------------------------------------------------- */

/* Places a batch of a task behind those under way, with a frame for each UE that it may go to. NULL: frames are short, none was taken. */
static struct work *
place_batch(struct fan_worker *worker, struct task *task)
{
	struct work *work = work_at(worker, worker->work_count);

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
begin_message(struct fan_worker *worker, struct work *work, struct task *task)
{
	task->put_off_count = 0;
	if (!task->late && has_pace(worker))
		keep_pace(worker, work, task);
	if (task->slot_count > 0)
		spend_counts(worker, work, task);
	work->batch.ue_count = (uint16_t)task->slot_count;
}

/* Whether all parts of a message find room in the ring: where marks bound what is spent, no UE has more COUNTs in it than the highest mark
 * covers, so that respend() can ask for as many. */
static bool
ring_has_room(const struct fan_worker *worker, const struct task *task)
{
	const unsigned parts = RTE_MIN(task->leg->plans.part_count, (unsigned)FAN_MARK_MAX);

	return task->leg->table->marks == NULL || task->part > 0 || worker->work_count + parts <= BATCHES_MAX;
}

/* Begins one batch. COUNT is spent only once everything else that the batch needs is there. */
static bool
begin_batch(struct fan_worker *worker)
{
	struct task *task = worker->work_count < BATCHES_MAX ? pick_task(worker) : NULL;
	struct work *work;
	enum fan_drop drop;
	bool fetches_ahead;

	if (task == NULL || !ring_has_room(worker, task))
		return false;
	if (task->failures_seen != worker->failures)
		ask_engines(worker, task);
	drop = task->part == 0 ? stopped(worker, task->flight) : (enum fan_drop)task->broken;
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
		write_frames(worker, work);
	else
		write_frames_and_fetch(worker, work);
	if (work->batch.ue_count > 0) {
		work->state = WORK_READY;
		task->under_way++;
		worker->work_count++;
		add(&worker->counters.begun, 1);
	}
	return true;
}

/* ---- protect ----------------------------------------------------------------------------------------------------------- */

/* True when an engine took it. */
static bool
submit(struct fan_worker *worker, struct work *work)
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
			add(&worker->counters.engine_cycles[i], rte_rdtsc() - begin);
			return true;
		}
	}
	return false;
}

/* Position of an exposed batch with none before it but finished ones; or -1. */
static int
first_exposed(struct fan_worker *worker)
{
	for (unsigned i = 0; i < worker->work_count; i++)
		if (work_at(worker, i)->state != WORK_FINISHED)
			return work_at(worker, i)->state == WORK_EXPOSED ? (int)i : -1;
	return -1;
}

static bool
submit_oldest(struct fan_worker *worker)
{
	bool any = false;

	/* Those behind an exposed batch may take fresh COUNTs with it: no engine gets them before. */
	if (first_exposed(worker) >= 0)
		return false;
	for (unsigned i = 0; i < worker->work_count; i++) {
		struct work *work = work_at(worker, i);

		if (work->state != WORK_READY)
			continue;
		if (!submit(worker, work))
			break;
		any = true;
	}
	return any;
}

/* An engine failed the batch: another one gets it. Untouched, it keeps its COUNTs and its place; else see respend(). */
static void
retry(struct fan_worker *worker, struct work *work)
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
	write_frames(worker, work);
}

static bool
any_submitted(struct fan_worker *worker)
{
	for (unsigned i = 0; i < worker->work_count; i++)
		if (work_at(worker, i)->state == WORK_SUBMITTED)
			return true;
	return false;
}

/* How many parts of one message lie in the ring from a position on. They have the same UEs, in the same order. */
static unsigned
parts_in_a_row(struct fan_worker *worker, unsigned position)
{
	const struct work *first = work_at(worker, position);
	unsigned parts = 1;

	while (position + parts < worker->work_count && work_at(worker, position + parts)->leg == first->leg &&
	       work_at(worker, position + parts)->plan == first->plan + parts)
		parts++;
	return parts;
}

/* How many parts are not begun of a message of which so many lie in the ring from a position on: it is in the middle when they are the last
 * in the ring, for nothing comes between the parts of a message. */
static unsigned
parts_to_begin(struct fan_worker *worker, unsigned position, unsigned parts)
{
	const struct task *task = work_at(worker, position)->task;
	const struct fan_leg *leg = work_at(worker, position)->leg;

	return position + parts == worker->work_count && task->leg == leg && task->part > 0 ? leg->plans.part_count - task->part
											    : 0;
}

/* The position of the first part of a message, of which none has left. */
static unsigned
first_part(struct fan_worker *worker, unsigned position)
{
	const struct fan_leg *leg = work_at(worker, position)->leg;

	while (position > 0 && work_at(worker, position)->plan != leg->plans.part &&
	       work_at(worker, position - 1)->plan == work_at(worker, position)->plan - 1)
		position--;
	return position;
}

/* The i-th UE of a batch becomes the kept-th, under another COUNT. */
static void
keep_ue(struct work *work, unsigned kept, unsigned i, uint32_t count)
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
	struct work *first = work_at(worker, message->position);
	struct fan_context *context = first->batch.context[i];
	struct task *task = first->task;
	const unsigned parts = message->parts + message->to_begin;
	uint32_t count;
	const struct fan_context_table *table = first->leg->table;
	const enum fan_drop drop = fan_count_spend(context, &count, &fan_count_rules[first->plan->kind], parts, 0,
						   fan_context_mark(table->marks, (uint32_t)(context - table->slots)));

	if (drop != FAN_DROP_NONE) {
		count_drop(worker, first->leg, context, drop, parts);
		if (message->to_begin > 0)
			give_back(worker, task, i);
		fan_count_close_transactions(context, transactions_of(first->leg, message->to_begin));
		for (unsigned part = message->parts; part-- > 0;) {
			keep_here(work_at(worker, message->position + part), i);
			give_back_of(worker, work_at(worker, message->position + part), i);
			rte_pktmbuf_free(work_at(worker, message->position + part)->frame[i]);
		}
		return false;
	}
	for (unsigned part = 0; part < message->parts; part++)
		keep_ue(work_at(worker, message->position + part), kept, i, count + part);
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
	const struct work *first = work_at(worker, position);
	struct task *task = first->task;
	const struct renewal message = { position, parts, parts_to_begin(worker, position, parts) };
	const unsigned ue_count = first->batch.ue_count;
	unsigned kept = 0;

	for (unsigned i = 0; i < ue_count; i++)
		kept += spend_fresh_counts(worker, &message, kept, i);
	if (message.to_begin > 0) {
		task->slot_count = kept;
		task->spent_at = task->part;
	}
	for (unsigned part = 0; part < parts; part++) {
		struct work *work = work_at(worker, position + part);

		work->batch.ue_count = (uint16_t)kept;
		if (work->plan->head != FAN_HEAD_SMS)
			fan_plan_take_numbers(work->number, &work->batch, work->plan, 0, kept);
		work->pauses = worker->pauses;
		work->captured = false;
		write_frames(worker, work);
		work->state = kept > 0 ? WORK_READY : WORK_FINISHED;
	}
}

/* COUNTs that a UE needs for the messages to be renewed that lie in the ring before `end`. */
static unsigned
fresh_counts(struct fan_worker *worker, const bool renewed[BATCHES_MAX], unsigned end, const struct fan_context *context)
{
	unsigned counts = 0;

	for (unsigned i = 0, parts; i < end; i += parts) {
		parts = parts_in_a_row(worker, i);
		if (renewed[i] && has_ue(&work_at(worker, i)->batch, context))
			counts += parts + parts_to_begin(worker, i, parts);
	}
	return counts;
}

/* Whether all these messages find their fresh COUNTs covered by what is on the disk; asks for what is not. */
static bool
are_covered(struct fan_worker *worker, const bool renewed[BATCHES_MAX])
{
	bool covered = true;

	for (unsigned i = 0; i < worker->work_count; i++) {
		const struct work *work = work_at(worker, i);

		for (unsigned ue = 0; renewed[i] && work->leg->table->marks != NULL && ue < work->batch.ue_count; ue++) {
			const struct fan_context *context = work->batch.context[ue];
			const struct fan_context_table *table = work->leg->table;
			const uint32_t slot = (uint32_t)(context - table->slots);

			if (fan_count_covered(context, fresh_counts(worker, renewed, i + 1, context),
					      fan_context_mark(table->marks, slot)))
				continue;
			ask_for_mark(worker, table, slot, FAN_WAITS_WITH_BATCH);
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
		const struct work *work = work_at(worker, i);

		renewed[i] = i <= exposed;
		for (unsigned j = first; j < i && !renewed[i]; j++)
			renewed[i] = renewed[j] && share_ue(&work_at(worker, j)->batch, &work->batch);
	}
	return first;
}

/* Those chosen are renewed where they are: the ring stays in the order of COUNTs, and each UE sees its messages and parts in order. They are
 * protected again; none has left. False: COUNTs are not covered yet, and nothing was done. */
static bool
respend(struct fan_worker *worker, unsigned exposed)
{
	bool renewed[BATCHES_MAX] = { false };
	const unsigned first = choose_renewed(worker, renewed, exposed);

	if (!are_covered(worker, renewed))
		return false;
	for (unsigned i = first, parts; i < worker->work_count; i += parts) {
		parts = parts_in_a_row(worker, i);
		if (renewed[i])
			renew_message(worker, i, parts);
	}
	return true;
}

/* Once no engine has a batch. */
static bool
respend_exposed(struct fan_worker *worker)
{
	const int exposed = first_exposed(worker);

	if (exposed < 0 || any_submitted(worker))
		return false;
	return respend(worker, (unsigned)exposed);
}

void
fan_worker_each_to_leave(struct fan_worker *worker,
			 void (*each)(void *user, const struct fan_context_table *table, uint32_t slot, uint32_t count),
			 void *user)
{
	const int exposed = first_exposed(worker);
	bool renewed[BATCHES_MAX] = { false };

	if (exposed >= 0 && !any_submitted(worker))
		(void)choose_renewed(worker, renewed, (unsigned)exposed);
	for (unsigned i = 0; i < worker->work_count; i++) {
		const struct work *work = work_at(worker, i);

		for (unsigned ue = work->sent; !renewed[i] && ue < work->batch.ue_count; ue++)
			each(user, work->leg->table, (uint32_t)(work->batch.context[ue] - work->leg->table->slots),
			     work->batch.count[ue]);
	}
}

static void
finish(struct fan_worker *worker, struct work *work)
{
	const struct fan_link *link = worker->config.link;

	work->exposed = work->exposed || work->batch.status == FAN_BATCH_EXPOSED;
	if (work->doomed != FAN_DROP_NONE) {
		drop_batch(worker, work, (enum fan_drop)work->doomed);
		return;
	}
	if (work->batch.status != FAN_BATCH_DONE) {
		retry(worker, work);
		return;
	}
	if (link->ipv6 || link->udp_checksum)
		for (unsigned i = 0; i < work->batch.ue_count; i++)
			fan_udp_checksum_fill(work->frame[i], link);
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
		add(&worker->counters.engine_cycles[i], rte_rdtsc() - begin);
		for (uint16_t j = 0; j < n; j++)
			finish(worker, (struct work *)batches[j]);
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
leave_at_pace(const struct fan_worker *worker, const struct work *work, const uint16_t *frame_octets, uint16_t taken)
{
	const uint64_t now_tsc = rte_rdtsc();
	const unsigned most = work->plan->frame_bytes_max;

	for (unsigned i = 0; i < taken; i++)
		if (work->hop[work->sent + i] != FAN_NO_HOP)
			fan_pace_leave(&worker->config.paces->hops[work->hop[work->sent + i]], most,
				       most - RTE_MIN(most, (unsigned)frame_octets[i]), now_tsc);
}

static __attribute__((noinline)) uint16_t
send_at_pace(const struct fan_worker *worker, const struct work *work, struct rte_mbuf **frames, uint16_t frame_count)
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
		add(&worker->hop_sent[hop], i - begin);
		hop = other;
		begin = i;
	}
	add(&worker->hop_sent[hop], first + count - begin);
}

/* Hands the batch's frames to the port; true when it took the last. Frames of a batch differ in length where ids do: a limit that fell
 * holds them all until it fits every UE's, as fan_send() asks. */
static bool
send_frames(struct fan_worker *worker, struct work *work)
{
	struct fan_egress *egress = worker->config.egress;
	struct fan_span *span = &work->task->flight->span[worker->config.index];
	struct fan_tally *tally = tally_of(worker, work->leg);
	struct rte_mbuf **frames = work->frame + work->sent;
	const uint16_t frame_count = (uint16_t)(work->batch.ue_count - work->sent);
	const struct fan_plans *plans = &work->leg->plans;
	/* The first part goes when all can. */
	const unsigned most = work->plan == plans->part ? plans->frame_bytes_max : work->plan->frame_bytes_max;
	const bool fits = most <= fan_egress_frame_bytes_max(egress);
	uint16_t n = 0;

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
		add(&tally->sent, n);
		add(&tally->bytes_out, bytes);
		add(&worker->counters.sent, n);
		add(&worker->counters.bytes_out, bytes);
		count_by_hop(worker, &work->batch, work->sent, n);
		work->sent = (uint16_t)(work->sent + n);
	}
	return n == frame_count;
}

/* In the order of emission, and before the port owns the frames. */
static void
capture(const struct fan_worker *worker, struct work *work)
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
	const struct work *head = work_at(worker, 0);
	const struct fan_leg *leg = head->leg;
	unsigned parts;

	/* The leg is there as long as the flight: an empty batch may be of one that has ended. */
	if (head->task == NULL || leg->plans.part_count == 1 || head->plan != leg->plans.part || head->sent > 0)
		return true;
	parts = parts_in_a_row(worker, 0);
	for (unsigned i = 0; i < parts; i++)
		if (work_at(worker, i)->state != WORK_FINISHED)
			return false;
	return parts_to_begin(worker, 0, parts) == 0;
}

/* The batch at the head of the ring has left: so has all of its flight before it, and with a last part these members are done. */
static void
tell_left(struct fan_worker *worker, const struct work *work)
{
	struct fan_flight *flight = work->task->flight;
	struct fan_leg *leg = work->leg;
	const struct fan_context *last;

	if (work->batch.ue_count == 0 || work->plan != &leg->plans.part[leg->plans.part_count - 1])
		return;
	for (unsigned i = 0; work->task->late && i < work->batch.ue_count; i++)
		end_late(worker, leg, work->batch.context[i]);
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
		struct work *work = work_at(worker, 0);
		const uint16_t sent = work->sent;

		if (work->state != WORK_FINISHED || !whole_message_finished(worker))
			return respend_exposed(worker) || any;
		capture(worker, work);
		if (work->sent < work->batch.ue_count && !send_frames(worker, work))
			return any || work->sent > sent;
		add(&worker->counters.engine_ues[work->engine], work->sent);
		if (work->task != NULL) {
			tell_left(worker, work);
			release(work);
		}
		worker->work_count--;
		add(&worker->counters.left, 1);
		if (__builtin_expect(worker->counters.left == __atomic_load_n(&worker->call_at, __ATOMIC_RELAXED), 0))
			call_control(worker);
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
		struct task *task = &worker->task[i];
		struct fan_flight *flight = task->flight;

		if (flight == NULL || !task->exhausted || task->under_way > 0 || has_late(worker, &worker->late[i]))
			continue;
		task->flight = worker->late[i].flight = NULL;
		(void)tell_position(worker, flight, UINT64_MAX);
		if (__atomic_fetch_sub(&flight->workers_left, 1, __ATOMIC_RELEASE) == 1)
			call_control(worker);
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
to_be_dropped(const struct fan_worker *worker, const struct work *first)
{
	const bool still = worker->now_tsc - worker->counters.waits_since_tsc > STILL_MS * worker->tsc_per_ms &&
			   worker->counters.waits_for != FAN_WAIT_NOTHING;
	bool begun;

	if (first->task == NULL)
		return FAN_DROP_NONE;
	begun = first->leg->plans.part_count > 1 && (first->plan != first->leg->plans.part || first->sent > 0);
	return still || !begun ? stopped(worker, first->task->flight) : FAN_DROP_NONE;
}

/* Lets go of what flights that were stopped have under way, wherever it waits; what an engine is at work on when it comes back. A message is
 * asked about once, for it may be stopped at any moment; its last part goes first, so that numbers can be given back. */
static bool
drop_stopped_batches(struct fan_worker *worker)
{
	enum fan_drop drop[BATCHES_MAX];
	bool any = false;

	for (unsigned i = 0, parts; i < worker->work_count; i += parts) {
		parts = parts_in_a_row(worker, i);
		drop[i] = to_be_dropped(worker, work_at(worker, i));
		for (unsigned part = 1; part < parts; part++)
			drop[i + part] = drop[i];
	}
	for (unsigned i = worker->work_count; i-- > 0;) {
		struct work *work = work_at(worker, i);

		if (drop[i] == FAN_DROP_NONE || work->sent == work->batch.ue_count || work->doomed != FAN_DROP_NONE)
			continue;
		give_up(worker, work, drop[i]);
		any = true;
	}
	return any;
}

/* ... and goes on with what they have not begun, which needs no room among the batches of others. */
static bool
refuse_task(struct fan_worker *worker, struct task *task)
{
	enum fan_drop drop = FAN_DROP_NONE;

	if (task->flight != NULL && !task->exhausted)
		drop = task->part == 0 ? stopped(worker, task->flight) : (enum fan_drop)task->broken;
	if (drop != FAN_DROP_NONE && task->late && task->slot_count == 0)
		choose_late(worker, task);
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
	serve_late(worker);
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
		submitted += work_at(worker, i)->state == WORK_SUBMITTED;
	while (submitted > 0)
		for (unsigned i = 0; i < worker->config.engines->count; i++)
			submitted -= worker->engine[i]->ops->poll_burst(worker->engine[i], batches, BATCHES_MAX);
}

static bool
all_finished(struct fan_worker *worker)
{
	for (unsigned i = 0; i < worker->work_count; i++)
		if (work_at(worker, i)->state != WORK_FINISHED)
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
	if (first_exposed(worker) >= 0 && !any_submitted(worker))
		return FAN_WAIT_STORE;
	if (!whole_message_finished(worker))
		return all_finished(worker) ? FAN_WAIT_FRAMES : FAN_WAIT_ENGINE;
	if (work_at(worker, 0)->state != WORK_FINISHED)
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
			add(&worker->counters.busy_cycles, rte_rdtsc() - worker->now_tsc);
			idle_turns = 0;
			note_wait(worker, FAN_WAIT_NOTHING);
		} else {
			const enum fan_wait wait = waits_for(worker);

			note_wait(worker, wait);
			rest(worker, ++idle_turns);
			if (wait != FAN_WAIT_NOTHING)
				add(&worker->counters.wait_cycles[wait], rte_rdtsc() - worker->now_tsc);
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
		struct work *work = work_at(worker, i);

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
