/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the project's own programs ask of an appliance beyond fanfare.h: the engines of this build, what a message takes, progress while
 * it runs, the receiving end of a looped-back egress, and figures for the result table. Not installed.
 */
#ifndef FAN_APPLIANCE_H
#define FAN_APPLIANCE_H

#include "../../dataplane/context/figure.h"
#include "../fanfare.h"
#include "../store/commits.h"

#define FAN_ENGINE_SHARES_MAX 8 /* engines that can serve one run */

/* Name of an engine of this build, in the order of `fanfare engines`; NULL past the last. Static storage; any thread. */
const char *fan_engine_name(unsigned index);
/* What it is, in one line. */
const char *fan_engine_description(unsigned index);
/* Opens and closes it: 0, or an error whose detail says what this machine lacks. */
int fan_engine_probe(unsigned index);
/* 0 when every engine of a list, as fan_options.engines takes it, is one of this build; whether this machine has what it needs is found
 * out when it is opened. Else NOT_FOUND or INVALID. */
int fan_engine_list_check(const char *engines);

/* PDUs that a message takes in a profile under these algorithms, 1 or more; nothing is sent. Errors: as fan_send(). Any thread. */
int fan_message_parts(const struct fan_message *message, enum fan_profile profile, uint8_t cipher, uint8_t integrity,
		      bool ipv6);

/* How a message goes as short messages. */
struct fan_message_coding {
	enum fan_coding coding;   /* never AUTO */
	bool mark_left_out;       /* a byte order mark, which is no text */
	int64_t no_text_at_octet; /* it is no UTF-8 there, for which it goes as 8-bit data; -1: it is, or nobody asked */
};

/* Out: *coding. Errors: INVALID, TOO_LONG, as fan_send(). Any thread. */
int fan_message_coding_choose(struct fan_message_coding *coding, const struct fan_message *message);
/* The concatenation reference of this process's next short message of several parts; each such message takes one. Any thread. */
void fan_message_reference_begin(uint8_t reference);

/* Counters since fan_open(), summed over workers while they run; each is exact once nothing is in flight. */
struct fan_totals {
	uint64_t created, sent, dropped;
	uint64_t bytes_out;
	uint64_t busy_cycles;   /* TSC cycles that workers spent on turns of their loop that did work */
	uint64_t engine_cycles; /* of these, inside engines */
};

void fan_totals_read(const struct fanfare *fanfare, struct fan_totals *totals);

/* For how long the worker has begun no turn of its loop that has begun none for longest; one without work begins one each second. Out: *worker, its
 * number. */
uint64_t fan_workers_still_ns(const struct fanfare *fanfare, unsigned *worker);

/* ---- Metrics ----------------------------------------------------------------------------------------------------------- */

/* What one worker has counted since it began. Counters only rise, and reading changes none; each is of some moment during the call. */
struct fan_worker_metrics {
	uint64_t created, sent, dropped; /* PDUs */
	uint64_t bytes_out;
	uint64_t busy_ns, all_ns; /* at work, of all the time since its loop began */
	uint64_t dropped_for[FAN_DROPS_MAX];
	uint64_t engine_pdus[FAN_ENGINE_SHARES_MAX],
		engine_cycles[FAN_ENGINE_SHARES_MAX]; /* as fan_engine_shares() has engines */
	enum fan_wait waits_for;
	uint64_t waits_ns;                  /* since when */
	uint64_t waited_ns[FAN_WAIT_KINDS]; /* in all */
};

/* Contexts by what they have left. A NAS context's window has 200 COUNTs, of which three quarters are 150. */
struct fan_census_counts {
	uint64_t contexts;
	uint64_t window_three_quarters, window_full; /* a full one is among the former too */
	uint64_t lease_low, lease_used; /* fewer than 256 COUNTs of it are left; none is, and it is among the former too */
	uint64_t unreachable;
};

/* Of groups that have keys, all together, as they were some 100 ms ago at the most. */
struct fan_key_metrics {
	uint64_t groups, due;         /* that have keys; of them those whose next key is due and not made yet */
	uint64_t able, held;          /* members that take keys, and those of them known to have the current one */
	uint64_t rotations, failures; /* keys made, and attempts to make or send one that failed, since the process began */
};

struct fan_metrics {
	uint64_t contexts, groups, next_hops;
	uint64_t lost; /* frames that the port lost after it had taken them */
	bool link_up;
	uint64_t accepted; /* messages, those that were gone on with after a restart among them */
	uint64_t ended[FAN_MESSAGE_STATES];
	int64_t oldest_ms; /* since the oldest message that has not ended was accepted; 0: all have */
	uint64_t checkpoints;
	struct fan_store_commits commits;
	const uint32_t *latency_us; /* steps of commits.within */
	struct fan_census_counts
		census; /* of a walk that ended census_age_ms ago and took census_took_ms; -1: none has ended yet */
	int64_t census_age_ms, census_took_ms;
	struct fan_key_metrics keys;
};

/* These take no time per UE. Control thread. */
void fan_metrics_read(const struct fanfare *fanfare, struct fan_metrics *metrics);
/* False past the last worker. */
bool fan_worker_metrics_read(const struct fanfare *fanfare, struct fan_worker_metrics *metrics, unsigned index);
/* PDUs that the port has taken for a next hop. */
uint64_t fan_next_hop_sent(const struct fanfare *fanfare, unsigned index);
/* Out: ids[id_max], oldest first. Returns how many there are. */
unsigned fan_messages_in_flight(const struct fanfare *fanfare, fan_message_id *ids, unsigned id_max);
#define FAN_MESSAGES_IN_FLIGHT_MAX 64
/* "DPDK 22.11.9". Static storage. */
const char *fan_dpdk_version(void);

/* Frequency of the counter behind busy_cycles. */
uint64_t fan_tsc_hz(void);

/* Name of the engine that is asked first for a protection; "none" when no engine takes it. Valid until
 * fan_close(). */
const char *fan_engine_serving(const struct fanfare *fanfare, enum fan_kind kind, uint8_t cipher, uint8_t integrity);

/* What one engine of the list has done since fan_open(), all workers together. */
struct fan_engine_share {
	char name[64]; /* as it was asked for; a longer one is cut */
	uint64_t pdus; /* protected */
};

/* Out: shares[share_max], in the order of the list. Returns how many engines there are. Exact once nothing is in flight. */
unsigned fan_engine_shares(const struct fanfare *fanfare, struct fan_engine_share *shares, unsigned share_max);

/* Out: figures[figure_max] of all engines of the list. Returns how many. */
unsigned fan_engine_figures(const struct fanfare *fanfare, struct fan_figure *figures, unsigned figure_max);

/* True when frames come back to this process (egress net_ring): they must be taken with fan_loop_receive() or the workers wait. */
bool fan_loops_back(const struct fanfare *fanfare);

/* Hands up to frame_max frames that came back to `each`, which may read them only during the call. Returns how many. Never
 * blocks. With options.receive_acknowledgements fan_poll() takes them as well. Control thread. */
unsigned fan_loop_receive(struct fanfare *fanfare, void (*each)(void *user, const uint8_t *frame, size_t frame_bytes),
			  void *user, unsigned frame_max);

/* True when EAL runs on huge pages. */
bool fan_huge_pages(void);

#endif
