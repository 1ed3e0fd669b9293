/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workers: one lcore each, run to completion. A worker owns a slice of every context table (stripes of FAN_CONTEXT_STRIPE slots in
 * turn), shares nothing on the hot path, takes no lock, allocates nothing and logs nothing.
 */
#ifndef FAN_WORKER_H
#define FAN_WORKER_H

#include "egress.h"
#include "engines.h"
#include "flight.h"
#include "pace.h"

/* Written by one worker, each with an atomic store; read by the control thread at any time, one by one: their sum may be of different
 * moments while the worker runs. */
struct fan_worker_counters {
	uint64_t created, sent, dropped, bytes_out;
	uint64_t begun, left; /* batches; they leave, or are given up, in the order in which they were begun */
	uint64_t busy_cycles; /* turns that did work */
	uint64_t engine_cycles[FAN_ENGINES_MAX]; /* of these, inside each engine that took or gave back a batch */
	uint64_t engine_ues[FAN_ENGINES_MAX];    /* PDUs that left, by the engine that protected them */
	uint64_t waits_for;                      /* enum fan_wait; NOTHING: it goes on, or has nothing to do */
	uint64_t waits_since_tsc;
	uint64_t begin_tsc;                   /* when its loop began; 0: it has not */
	uint64_t dropped_for[FAN_DROP_COUNT]; /* `dropped`, by enum fan_drop */
	uint64_t wait_cycles[FAN_WAIT_KINDS]; /* turns that did no work because of an enum fan_wait other than NOTHING */
} __attribute__((aligned(64)));

#define FAN_NEXT_HOPS_MAX 65536 /* the context's index has 16 bits */

struct fan_worker;

/* What a worker is given by the control thread; everything outlives it, and nothing changes but what is said. */
struct fan_worker_config {
	unsigned index, worker_count;
	const struct fan_engine_list *engines; /* a leg says in which order they are asked */
	struct fan_egress *egress;             /* the capture has a lock; queue `index` of the port is this worker's alone */
	const struct fan_link *link;
	const struct fan_hop *hops; /* the control thread appends, and changes while workers pause */
	struct fan_paces *paces;    /* rates of next hops, shared by all workers; NULL: none has one */
	int event_fd;               /* an eventfd, written to by the worker that is the last to let go of a flight; -1: none */
};

/* Opens the worker's own engine instances and its ring of flights. Control thread. */
int fan_worker_make(struct fan_worker **worker, const struct fan_worker_config *config);
/* Frees a worker whose loop has returned; frames still held go back to their pool. */
void fan_worker_free(struct fan_worker *worker);

/* Stops all workers between two turns of their loops, or lets them go on: what they read may be changed meanwhile. In: workers whose loops
 * run. Blocks for as long as a turn takes, some microseconds. Control thread. */
void fan_workers_pause(struct fan_worker *const *workers, unsigned worker_count);
void fan_workers_resume(struct fan_worker *const *workers, unsigned worker_count);

/* Tells of each PDU that lies in the worker's ring and is to leave under its COUNT, a UE's in the order of their COUNTs; not of those that wait
 * for fresh COUNTs. Control thread, while the worker pauses. */
void fan_worker_each_to_leave(struct fan_worker *worker,
			      void (*each)(void *user, const struct fan_context_table *table, uint32_t slot, uint32_t count),
			      void *user);

/* The loop; an lcore_function_t. Returns 0 after fan_worker_stop(). */
int fan_worker_run(void *worker);
void fan_worker_stop(struct fan_worker *worker);

/* Hands a flight over. Never fails while at most FAN_FLIGHTS_MAX are in flight. Control thread. */
void fan_worker_hand(struct fan_worker *worker, struct fan_flight *flight);

/* The worker writes to the event descriptor when so many batches have left, if they have not yet. Control thread. */
void fan_worker_call_at(struct fan_worker *worker, uint64_t left);

/* Any thread. */
void fan_worker_counters_read(const struct fan_worker *worker, struct fan_worker_counters *counters);
/* PDUs that the port has taken for a next hop. In: hop, below FAN_NEXT_HOPS_MAX. Any thread. */
uint64_t fan_worker_hop_sent(const struct fan_worker *worker, unsigned hop);

/* When the worker last began a turn of its loop, by the time-stamp counter. One without work does so each second. Control thread. */
uint64_t fan_worker_turned_tsc(const struct fan_worker *worker);

#endif
