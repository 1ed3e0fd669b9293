/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dataplane as a whole: EAL, context tables, next hops, the egress port and the workers. All calls come from the control
 * thread, which is the one that called fan_dataplane_open().
 */
#ifndef FAN_DATAPLANE_H
#define FAN_DATAPLANE_H

#include "engines.h"
#include "worker.h"

/* Every protection that fan_protection_check() lets pass: EPS NAS 4 x 4 x 11 EPS bearers, 5GS NAS 4 x 4 x 15 PDU sessions, LTE PDCP
 * 2 x 4, NR PDCP 2 x 4 x 5, SGi 1, MBMS 1. */
#define FAN_TABLES_MAX 466

/* What the port has lost after it took it. */
struct fan_losses {
	uint64_t counted; /* since it was opened */
	uint64_t untold;  /* of these, told to no message, and lost since the oldest on its way began */
};

/* The control thread's alone, but for what workers are given a pointer to (struct fan_worker_config, struct fan_flight). */
struct fan_dataplane {
	struct fan_context_table *tables; /* FAN_TABLES_MAX, made as they are needed */
	unsigned table_count;
	struct fan_hop *hops; /* FAN_NEXT_HOPS_MAX, demand-zero */
	unsigned hop_count;
	struct fan_paces paces;
	struct fan_link link;
	struct fan_egress egress;
	struct fan_worker *worker[FAN_WORKERS_MAX];
	unsigned lcore[FAN_WORKERS_MAX]; /* each worker's lcore id */
	unsigned worker_count, running_count;
	struct fan_engine_list engines;
	struct fan_engine *engine[FAN_ENGINES_MAX]; /* the control thread's own instances of these, to ask and to compare */
	struct fan_calibration *calibration; /* "auto": ranks the engines for each shape; else NULL, in the order given */
	struct fan_flights flights;
	struct fan_losses losses;
	int event_fd; /* an eventfd: a flight has ended, or a worker waits for the store; -1: none yet */
	bool marked;  /* every table has marks: set before there is one */
};

/* As fan_open(). */
int fan_dataplane_open(struct fan_dataplane **dataplane, const struct fan_options *options);
/* Stops the workers and frees everything; IO when a capture is incomplete. NULL is ignored. */
int fan_dataplane_close(struct fan_dataplane *dataplane);

/* Index of the table of a protection; -1: there is none. */
int fan_dataplane_find_table(const struct fan_dataplane *dataplane, const struct fan_protection *protection);
/* The same, made when it is new; or an error. */
int fan_dataplane_table(struct fan_dataplane *dataplane, struct fan_protection protection);
int fan_dataplane_next_hop_add(struct fan_dataplane *dataplane, const struct fan_next_hop *next_hop);

/* Name of the engine that is asked first for a shape; NULL when none takes it. Out: why[why_bytes], what the last one said that does not
 * take it, empty when none said anything; NULL: not wanted. The thread's error line stays as it was. */
const char *fan_dataplane_engine_for(const struct fan_dataplane *dataplane, char *why, size_t why_bytes,
				     const struct fan_shape *shape);

int fan_dataplane_next_hop_change(struct fan_dataplane *dataplane, unsigned index, const struct fan_next_hop *next_hop);
/* Whether fan_dataplane_next_hop_change() would. */
int fan_dataplane_next_hop_check(const struct fan_dataplane *dataplane, unsigned index, const struct fan_next_hop *next_hop);

/* As fan_next_hop_rate() and fan_next_hop_relay(). */
int fan_dataplane_rate(struct fan_dataplane *dataplane, unsigned index, const struct fan_next_hop_rate *rate);
int fan_dataplane_relay(struct fan_dataplane *dataplane, unsigned index, uint64_t pdus_per_s, uint32_t for_ms);
/* Brings relays' words into force, and forgets those whose time is over: at any number of them workers pause once. */
void fan_dataplane_paces_serve(struct fan_dataplane *dataplane);
/* Puts a member off that was put off in an earlier process: it lies before those that the flight begins with. In: a flight that no worker has; a
 * member that is not put off yet. MEMORY. */
int fan_dataplane_put_off(struct fan_dataplane *dataplane, struct fan_flight *flight, unsigned leg_at, uint32_t slot);
/* A context has moved here from another next hop: so do messages that were put off for it. While workers pause. */
void fan_dataplane_moved(struct fan_dataplane *dataplane, const struct fan_context_table *table, uint32_t slot, uint32_t from);

/* Stops the workers between two turns, or lets them go on: in between the control thread may change what they read. */
void fan_dataplane_pause(struct fan_dataplane *dataplane);
void fan_dataplane_resume(struct fan_dataplane *dataplane);

/* Encodes a message for a snapshot of members, and accepts it. Out: *flight, which no worker has yet. As fan_send(). */
int fan_dataplane_accept(struct fan_dataplane *dataplane, struct fan_flight **flight, struct fan_snapshot *snapshot,
			 const struct fan_message *message, fan_done done, void *user);

/* Hands a flight to every worker. Flights are handed over in the order in which they were accepted. */
void fan_dataplane_hand(struct fan_dataplane *dataplane, struct fan_flight *flight);

/* Settles the flights that have ended: counts what the port has lost of each. */
void fan_dataplane_settle(struct fan_dataplane *dataplane);
/* Takes the oldest flight that is settled off the list; NULL: none. The caller frees it. */
struct fan_flight *fan_dataplane_take_settled(struct fan_dataplane *dataplane);

#endif
