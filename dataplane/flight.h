/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A flight is one group message on its way, from fan_send() to its report. It has one leg for each table and profile among the
 * group's members. Every worker works through all legs of a flight, each on the slots it owns.
 *
 * Who writes: C, the control thread, before it hands the flight to the workers by their rings, which publish it, and not again; W, each
 * worker its own element, which the control thread reads once the flight has ended. The control thread frees a flight after the last
 * worker has let go of it.
 */
#ifndef FAN_FLIGHT_H
#define FAN_FLIGHT_H

#include "context/table.h"
#include "engine/calibration.h"
#include "key_counts.h"
#include "late.h"
#include "members.h"
#include "pdu/plan.h"

/* What became of a leg's PDUs, counted by one worker. created = sent + sum of dropped, once the flight has ended. */
struct fan_tally {
	uint64_t created, sent, bytes_out;
	uint64_t dropped[FAN_DROP_COUNT];
} __attribute__((aligned(64)));

struct fan_leg {
	struct fan_context_table *table; /* C */
	uint16_t table_index;            /* C */
	uint8_t profile;                 /* C enum fan_profile */
	struct fan_plans plans;          /* C owned */
	const roaring_bitmap_t *slots;   /* C members, of the flight's snapshot */
	uint64_t
		from; /* C first slot that is to be served: those before were, before a crash; beyond all of them: the leg is done */
	uint64_t ues;                        /* C */
	uint8_t preference[FAN_ENGINES_MAX]; /* C indices of the run's engines in the order in which they are asked */
	/* W A bitmap of slots for each reason (enum fan_drop, from 1 on): members that missed a part. By the slot's worker: a stripe is two
	 * cache lines of each, so that workers share none. Owned, by mmap(). */
	uint8_t *not_served;
	size_t reason_bytes;               /* C of one bitmap */
	struct fan_tally *tally;           /* W one per worker, owned; stored atomically, so that progress can be read */
	struct fan_late late;              /* W members that are put off; C makes it before a worker can need it */
	struct fan_key_counts *key_counts; /* C a reference, of a key of a group; W writes into it. NULL: nobody asks for it */
};

static_assert(FAN_CONTEXT_STRIPE % (8 * 64) == 0, "a stripe's bits are whole cache lines");

static inline uint8_t *
fan_leg_not_served(const struct fan_leg *leg, enum fan_drop drop)
{
	return leg->not_served + ((size_t)drop - 1) * leg->reason_bytes;
}

/* Why a member was not served; NONE: it was, or is no member. */
static inline enum fan_drop
fan_leg_reason(const struct fan_leg *leg, size_t slot)
{
	for (unsigned drop = 1; drop < FAN_DROP_COUNT; drop++)
		if ((fan_leg_not_served(leg, (enum fan_drop)drop)[slot / 8] >> slot % 8 & 1) != 0)
			return (enum fan_drop)drop;
	return FAN_DROP_NONE;
}

struct fan_span {
	uint64_t first_tsc, last_tsc; /* of this worker's first and last frame handed to the port; 0: none */
	/* Place of the first member that this worker may still have to do with; it only rises. Stored atomically: what became of those before
	 * is there to be read. UINT64_MAX: it is done. */
	uint64_t position;
	uint64_t late_taken; /* members that it took out of lists of those put off; it only rises, stored atomically */
	uint64_t late_limit; /* the control thread stores it, atomically: so many it may take; it only rises */
} __attribute__((aligned(64)));

/* A leg's name in every process, after which legs are ordered: protection and profile. */
static inline uint32_t
fan_leg_name(struct fan_protection protection, uint8_t profile)
{
	return (uint32_t)protection.kind << 16 | (uint32_t)protection.cipher << 12 | (protection.integrity & 0xfU) << 8 |
	       (uint32_t)protection.bearer_id << 4 | profile;
}

/* The place of a member in a flight: legs go one after another, by protection and profile, each in ascending order of slots. */
static inline uint64_t
fan_flight_place(unsigned leg, uint64_t slot)
{
	return (uint64_t)leg << 32 | slot;
}

#define FAN_FLIGHTS_MAX 64 /* messages in flight; one bound for the ring of flights, a worker's tasks and a mask of places */

struct fan_flight {
	struct fan_flight *next;       /* the control thread's list, its alone at any time */
	struct fan_snapshot *snapshot; /* the control thread's alone: a reference to the members that it began with */
	struct fan_leg *legs;          /* C */
	unsigned leg_count;            /* C */
	uint8_t priority;              /* C */
	uint8_t place;                 /* C 0 .. FAN_FLIGHTS_MAX - 1: no two in flight have the same */
	uint64_t number;               /* C of acceptance, 1 for the first */
	uint64_t
		follows; /* C places of those in flight that were accepted before, have its priority and share a member with it */
	uint64_t lost_before;  /* the control thread's alone: fan_losses.counted when it was accepted */
	uint64_t begin_tsc;    /* C */
	uint64_t deadline_tsc; /* C what is not on its way to the port by then does not go; UINT64_MAX: none */
	unsigned worker_count; /* C */
	uint64_t
		limit; /* the control thread stores it, atomically: place of the first member whose turn is not come, but for those of a batch that begins before it; it only rises */
	uint8_t stop;  /* the control thread stores it, atomically: enum fan_drop for all that has not left, 0: goes on */
	unsigned workers_left; /* every worker takes one off, atomically: release; the control thread reads: acquire */
	struct fan_span span[FAN_WORKERS_MAX]; /* W one per worker */
	bool handed;                           /* the control thread's alone: workers have it */
	bool settled;  /* the control thread's alone: it has ended, and what the port lost of it is counted */
	fan_done done; /* the control thread's alone */
	void *user;    /* the control thread's alone */
};

/* Makes a flight for a snapshot of members, and holds a reference to it. */
int fan_flight_make(struct fan_flight **flight, struct fan_snapshot *snapshot, struct fan_context_table *tables,
		    const struct fan_message *message, const struct fan_link *link, unsigned worker_count);
void fan_flight_free(struct fan_flight *flight);
/* Of a flight that no worker has: it begins at a leg of this name, or the next, and there at a slot. What was before counts as done. */
void fan_flight_begin_at(struct fan_flight *flight, uint32_t leg_name, uint32_t slot);
/* Of a flight that no worker has: it goes to these members alone, all of which are its own. Their snapshot takes the place of the one that it holds. */
void fan_flight_narrow(struct fan_flight *flight, struct fan_snapshot *snapshot);
/* Place of the first member that some worker may still have to do with, but for those before it that are put off (late.h); UINT64_MAX: all is done. */
uint64_t fan_flight_position(const struct fan_flight *flight);
/* Makes room for members that are put off, where there is none yet. MEMORY. In: no worker has the flight, or workers pause. */
int fan_flight_make_late(struct fan_flight *flight);
/* Longest frame of any leg, octets. */
size_t fan_flight_frame_bytes_max(const struct fan_flight *flight);

/* Counts frames that the port has lost after it took them: they were not sent. Which UEs' they were nobody can tell, nor how long they
 * were: their octets are taken for the average. In: losses that may be this flight's. Returns how many it has taken: no flight has lost
 * more than it sent. The flight has ended. */
uint64_t fan_flight_take_losses(struct fan_flight *flight, uint64_t losses);

/* Sums up, for profile FAN_PROFILE_COUNT over all. Exact once the flight has ended; before that each number is of some moment before. */
void fan_flight_result(const struct fan_flight *flight, struct fan_result *result, enum fan_profile profile);

/* The flights on their way, oldest first. The control thread's alone. */
struct fan_flights {
	struct fan_flight *first;
	unsigned count;    /* at most FAN_FLIGHTS_MAX */
	uint64_t accepted; /* in all */
};

/* Accepts a flight: gives it its place and number, and notes which of the others it follows. In: fewer than FAN_FLIGHTS_MAX are on their
 * way. */
void fan_flights_add(struct fan_flights *flights, struct fan_flight *flight);
/* The oldest flight that has ended and is not settled; NULL: none. */
struct fan_flight *fan_flights_ended(const struct fan_flights *flights);
/* Takes the oldest flight that is settled off the list; NULL: none. The caller frees it. */
struct fan_flight *fan_flights_take_settled(struct fan_flights *flights);

#endif
