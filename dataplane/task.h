/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What one worker has under way, for the files that share a worker's work and nobody else: worker.c (the life of a message), put_off.c (members that
 * wait for tokens of their next hop) and renew.c (batches that take fresh COUNTs). All of it runs on the worker's own thread, but for what says
 * otherwise.
 */
#ifndef FAN_TASK_H
#define FAN_TASK_H

#include "context/count.h"
#include "pdu/plan_write.h"
#include "worker.h"

#define BATCHES_MAX 16 /* under way in one worker: enough for an engine with latency, few enough to stay in L2 */
#define LATE_US 250    /* between two looks for tokens: a bucket holds what comes in 10 ms */

enum work_state {
	WORK_READY,
	WORK_SUBMITTED,
	WORK_EXPOSED, /* failed, and a PDU may have left the host: waits for fresh COUNTs */
	WORK_FINISHED,
};

struct fan_task;

/* A batch under way, with its frames. */
struct fan_work {
	struct fan_batch batch; /* first: engines give the batch back and so the work */
	struct rte_mbuf *frame[FAN_BATCH_UES_MAX];
	struct fan_task *task; /* NULL: all of it is accounted for, and the flight may have ended */
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
static_assert(offsetof(struct fan_work, batch) == 0, "a batch pointer is a work pointer");

/* A flight as one worker sees it: all of its members, or (late) those that were put off. */
struct fan_task {
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
	uint32_t *hop; /* whose tokens each slot has, for all parts to come, FAN_NO_HOP: none; of the worker's task_hops[] */
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
	struct fan_task task[FAN_FLIGHTS_MAX]; /* by the flight's place */
	uint64_t late_members;                 /* of all flights, that are not done with */
	uint64_t late_tsc;                     /* when it last looked for tokens */
	unsigned late_first;                   /* whose turn it was then */
	unsigned task_count;                   /* tasks in use lie below this index */
	struct fan_task *current;              /* whose turn it is ... */
	unsigned turn_left;                    /* ... and for how many batches yet */
	uint64_t tsc_per_ms;
	uint64_t now_tsc;                  /* when this turn of the loop began; the control thread reads it, atomically */
	uint64_t number_at;                /* of the flight whose turn it was last */
	uint64_t failures;                 /* batches that an engine gave back unprotected */
	struct fan_work work[BATCHES_MAX]; /* a ring: COUNTs were spent in this order */
	unsigned work_first, work_count;
	struct fan_worker_counters counters; /* any thread reads them, atomically */
	uint64_t *hop_sent;                  /* PDUs by next hop, FAN_NEXT_HOPS_MAX, demand-zero; the same */
	/* Of next hops with a rate alone: apart from what every batch touches. */
	struct fan_task late[FAN_FLIGHTS_MAX]; /* as task[], for members that are put off */
	uint32_t work_hops[BATCHES_MAX][FAN_BATCH_UES_MAX];
	uint32_t task_hops[3][FAN_FLIGHTS_MAX][FAN_BATCH_UES_MAX]; /* of tasks, of late ones, and those that tasks put off */
};

/* Single writer: a plain read, a store that a reader on another core never sees torn. */
static inline void
fan_counter_add(uint64_t *counter, uint64_t by)
{
	__atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED);
}

static inline struct fan_tally *
fan_worker_tally(const struct fan_worker *worker, const struct fan_leg *leg)
{
	return &leg->tally[worker->config.index];
}

static inline struct fan_work *
fan_work_at(struct fan_worker *worker, unsigned position)
{
	return &worker->work[(worker->work_first + position) % BATCHES_MAX];
}

/* A member that was put off, or may have been, is done with. */
static inline void
fan_worker_end_late(struct fan_worker *worker, struct fan_leg *leg, const struct fan_context *context)
{
	if (worker->late_members > 0 && fan_late_ready(&leg->late) &&
	    fan_late_done(&leg->late, worker->config.index, (uint32_t)(context - leg->table->slots)))
		worker->late_members--;
}

/* Why what is left of a flight is not to be sent: it was cancelled, or its time is over. NONE: it goes on. */
static inline enum fan_drop
fan_worker_stopped(const struct fan_worker *worker, const struct fan_flight *flight)
{
	const uint8_t stop = __atomic_load_n(&flight->stop, __ATOMIC_RELAXED);

	if (__builtin_expect(stop != FAN_DROP_NONE, 0))
		return (enum fan_drop)stop;
	if (__builtin_expect(fan_egress_gone(worker->config.egress), 0))
		return FAN_DROP_PORT;
	return worker->now_tsc < flight->deadline_tsc ? FAN_DROP_NONE : FAN_DROP_EXPIRED;
}

/* ---- The ring of batches ---------------------------------------------------------------------------------------------------- */

/* Position of an exposed batch with none before it but finished ones; or -1. */
static inline int
fan_worker_first_exposed(struct fan_worker *worker)
{
	for (unsigned i = 0; i < worker->work_count; i++)
		if (fan_work_at(worker, i)->state != WORK_FINISHED)
			return fan_work_at(worker, i)->state == WORK_EXPOSED ? (int)i : -1;
	return -1;
}

static inline bool
fan_worker_any_submitted(struct fan_worker *worker)
{
	for (unsigned i = 0; i < worker->work_count; i++)
		if (fan_work_at(worker, i)->state == WORK_SUBMITTED)
			return true;
	return false;
}

/* How many parts of one message lie in the ring from a position on. They have the same UEs, in the same order. */
static inline unsigned
fan_work_parts_in_a_row(struct fan_worker *worker, unsigned position)
{
	const struct fan_work *first = fan_work_at(worker, position);
	unsigned parts = 1;

	while (position + parts < worker->work_count && fan_work_at(worker, position + parts)->leg == first->leg &&
	       fan_work_at(worker, position + parts)->plan == first->plan + parts)
		parts++;
	return parts;
}

/* How many parts are not begun of a message of which so many lie in the ring from a position on: it is in the middle when they are the last
 * in the ring, for nothing comes between the parts of a message. */
static inline unsigned
fan_work_parts_to_begin(struct fan_worker *worker, unsigned position, unsigned parts)
{
	const struct fan_task *task = fan_work_at(worker, position)->task;
	const struct fan_leg *leg = fan_work_at(worker, position)->leg;

	return position + parts == worker->work_count && task->leg == leg && task->part > 0 ? leg->plans.part_count - task->part
											    : 0;
}

static inline bool
fan_batch_has_ue(const struct fan_batch *batch, const struct fan_context *context)
{
	for (unsigned i = 0; i < batch->ue_count; i++)
		if (batch->context[i] == context)
			return true;
	return false;
}

/* Whether two batches have a UE in common. Contexts of a batch lie in rising order. */
static inline bool
fan_batches_share_ue(const struct fan_batch *one, const struct fan_batch *other)
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

/* CP transactions that some parts of a message open at a UE. */
static inline unsigned
fan_leg_transactions(const struct fan_leg *leg, unsigned parts)
{
	return leg->plans.part[0].head == FAN_HEAD_SMS ? parts : 0;
}

/* ---- worker.c --------------------------------------------------------------------------------------------------------------- */

/* `parts` of the message do not go to this UE. */
void fan_worker_count_drop(struct fan_worker *worker, struct fan_leg *leg, const struct fan_context *context,
			   enum fan_drop drop, unsigned parts);
/* The control thread learns that a flight cannot go on without it. */
void fan_worker_call_control(const struct fan_worker *worker);
/* A context's block needs a higher mark. In: why, FAN_WAITS_. */
void fan_worker_ask_for_mark(const struct fan_worker *worker, const struct fan_context_table *table, uint32_t slot,
			     uint8_t why);
/* Which engines take a task's leg. Once per leg, and again after an engine has failed: it may be out of service. */
void fan_task_ask_engines(const struct fan_worker *worker, struct fan_task *task);
/* Writes all frames of a batch, octet for octet the same however often: a replay under the same COUNTs must be no other text. */
void fan_work_write_frames(const struct fan_worker *worker, struct fan_work *work);
/* What has not left opened no transaction, if its identifier can be given again: else it counts, so that those that are open differ. In: ue, of
 * the batch. */
void fan_work_keep_here(const struct fan_work *work, unsigned ue);

/* ---- put_off.c -------------------------------------------------------------------------------------------------------------- */

/* Of the members chosen, those stay that have tokens or need none; the others are put off, and their frames given back. Members of a late task
 * have theirs. */
void fan_task_keep_pace(struct fan_worker *worker, struct fan_work *work, struct fan_task *task);
/* The tokens of a chosen member for the parts from the task's on are given back; or those of one PDU that lies in the ring. In: i, of the members
 * chosen, or of the batch. */
void fan_task_give_back(const struct fan_worker *worker, struct fan_task *task, unsigned i);
void fan_work_give_back(const struct fan_worker *worker, const struct fan_work *work, unsigned i);
/* Those chosen from the i-th on are chosen again later: its block's mark is too low. In: how many before it were dropped. */
void fan_task_put_back(struct fan_worker *worker, struct fan_task *task, unsigned i, unsigned dropped);
/* The next members of a late task: of its legs, one after another, each next hop is asked once for each look. */
void fan_task_choose_late(struct fan_worker *worker, struct fan_task *task);
/* Looks for tokens for members that were put off: for urgent messages first, among equals for each flight first in turn. */
void fan_worker_serve_late(struct fan_worker *worker);
/* Whether a late task has something to do yet. */
bool fan_task_has_late(const struct fan_worker *worker, const struct fan_task *task);

/* ---- renew.c ---------------------------------------------------------------------------------------------------------------- */

/* The exposed batch at the head of the ring takes fresh COUNTs, with all parts of its message and all behind it that have a UE in common, once no
 * engine has a batch. False: there is none, or the COUNTs are not covered yet; nothing was done then. */
bool fan_worker_renew_exposed(struct fan_worker *worker);

#endif
