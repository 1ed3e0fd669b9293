/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A flight is one group message on its way, from fan_send() to its report. It has one leg for each table and profile among the
 * group's members. Every worker works through all legs of a flight, each on the slots it owns.
 *
 * Who writes: the control thread makes a flight, hands it to every worker by a ring (which publishes it), and frees it after the last
 * worker has let go of it (workers_left reaches 0). In between workers write their own tally, span and entries of not_served, which
 * the control thread reads only once the flight has ended.
 */
#ifndef FAN_FLIGHT_H
#define FAN_FLIGHT_H

#include "context/table.h"
#include "engine/calibration.h"
#include "members.h"
#include "pdu/plan.h"

/* What became of a leg's PDUs, counted by one worker. created = sent + sum of dropped, once the flight has ended. */
struct fan_tally {
	uint64_t created, sent, bytes_out;
	uint64_t dropped[FAN_DROP_COUNT];
} __attribute__((aligned(64)));

struct fan_leg {
	struct fan_context_table *table;
	uint16_t table_index;
	uint8_t profile;         /* enum fan_profile */
	struct fan_plans plans;  /* owned */
	roaring_bitmap_t *slots; /* the snapshot of members, owned */
	uint64_t ues;
	uint8_t preference[FAN_ENGINES_MAX]; /* indices of the run's engines in the order in which they are asked */
	/* Per slot of the table as it was: enum fan_drop of a member that missed a part. Owned, by mmap(). */
	uint8_t *not_served;
	size_t slot_count;       /* of not_served */
	struct fan_tally *tally; /* one per worker, owned */
};

struct fan_span {
	uint64_t first_tsc, last_tsc; /* of this worker's first and last frame handed to the port; 0: none */
} __attribute__((aligned(64)));

struct fan_flight {
	struct fan_flight *next; /* control thread's list */
	struct fan_leg *legs;
	unsigned leg_count;
	uint8_t priority;
	uint64_t begin_tsc;
	unsigned worker_count;
	unsigned workers_left; /* atomic; release by workers, acquire by control */
	struct fan_span span[FAN_WORKERS_MAX];
	fan_done done;
	void *user;
};

/* Makes a flight for a snapshot of members; takes over the bitmaps of `snapshot`. On error the snapshot is freed too. */
int fan_flight_make(struct fan_flight **flight, struct fan_members *snapshot, struct fan_context_table *tables,
		    const struct fan_message *message, const struct fan_link *link, unsigned worker_count);
void fan_flight_free(struct fan_flight *flight);
/* Longest frame of any leg, octets. */
size_t fan_flight_frame_bytes_max(const struct fan_flight *flight);

/* Sums up, for profile FAN_PROFILE_COUNT over all. The flight has ended. */
void fan_flight_result(const struct fan_flight *flight, struct fan_result *result, enum fan_profile profile);

#endif
