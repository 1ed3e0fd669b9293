/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pace: how fast PDUs go to a next hop. Each next hop that has a rate has two buckets, of PDUs and of octets, and a PDU takes tokens of both.
 *
 * A bucket is kept as a time, in ticks (a sixteenth of a TSC cycle): at `at` it would be full, if nothing were taken any more. To take a token
 * moves it on by what a token costs, and is refused where it would then lie further ahead than the bucket is deep (the virtual scheduling
 * algorithm of ITU-T I.371). So all workers share a bucket by one compare-and-swap: there is no share of a rate that a worker could leave
 * unused, and no error of division. Only workers that send to a next hop with a rate touch its line, at some 120 cycles a PDU
 * (bench_path hops=1000 paced=1000); others cost what they did.
 *
 * Tokens are taken before COUNT is spent, and are out until the frame is with the port: what is out cannot be filled up meanwhile. Thus what
 * bounds the taking of tokens bounds the frames handed to the port as well, however long they waited for an engine or a link in between. What
 * does not leave gives its tokens back.
 *
 * Of a rate of R a second and a depth of D, no more than D leave in any 10 ms, and no more than R + D - R/100 in any second. Unless it is
 * given, D is what 20 ms have: 1 % above R. One thing may be more than D by itself, the parts of a message to one UE: they leave together, when the
 * bucket is full, and are made good before the next.
 *
 * Some of a bucket's depth is kept for urgent messages: others may not take its last tokens. With no urgent message about, the others get
 * the whole rate.
 *
 * Who writes: C, the control thread, while workers pause; W, any worker, atomically.
 */
#ifndef FAN_PACE_H
#define FAN_PACE_H

#include "context/error.h"

#define FAN_NEXT_HOPS_MAX 65536 /* the context's index has 16 bits */
#define FAN_NO_HOP UINT32_MAX   /* no token of any was taken */
#define FAN_PACE_TICKS 16       /* of a TSC cycle: at 100 Gbit/s a frame costs some hundred */
#define FAN_PACE_WINDOW_MS 10   /* in which the depth bounds what leaves */

struct fan_bucket {
	double cost;             /* C ticks of a token; 0: there is no limit */
	uint64_t depth;          /* C ticks that `at` may be ahead of now */
	uint64_t depth_ordinary; /* C the same, for messages that are not urgent */
	uint64_t at;             /* W */
	uint64_t out;            /* W tokens that were taken for what has yet to leave */
};

/* Of one next hop. */
struct fan_pace {
	struct fan_bucket pdus, octets;
	bool stopped;                             /* C nothing goes */
	uint64_t pdus_left, octets_left;          /* W frames handed to the port while the next hop had a rate */
	uint64_t put_off;                         /* W members that found no token, ever */
	uint64_t waiting;                         /* W those that wait for one now */
	struct fan_next_hop_rate rate;            /* the control thread's alone: as it was set */
	uint64_t told_pdus_per_s, told_until_tsc; /* the same: the relay's word; 0: none */
	bool told, news;                          /* the same: it counts; and is not in force yet */
} __attribute__((aligned(64)));

/* Of all next hops. */
struct fan_paces {
	struct fan_pace *hops;   /* FAN_NEXT_HOPS_MAX, owned, demand-zero */
	uint8_t *paced;          /* C by next hop: it has a rate; owned */
	unsigned paced_count;    /* C */
	bool used;               /* some next hop has, or had, a rate: the control thread's alone */
	unsigned told_count;     /* relays' words that count: the control thread's alone */
	uint64_t told_until_tsc; /* the same: none of them is out of date before */
	bool news;               /* the same: some are not in force yet */
};

/* What a message takes at once. */
struct fan_tokens {
	unsigned pdus;
	uint64_t octets;
};

int fan_paces_make(struct fan_paces *paces);
/* Safe on a zeroed struct. */
void fan_paces_free(struct fan_paces *paces);

/* INVALID: names what of a rate cannot be, and its limit. */
int fan_pace_check(const struct fan_next_hop_rate *rate);

/* Brings into force what is to be: the rate that was set, or the relay's word where that is lower. The bucket begins empty, so that a change
 * never lets more leave than either rate does. In: the moment. Control thread, while workers pause. */
void fan_pace_enforce(struct fan_paces *paces, unsigned hop, uint64_t now_tsc);
/* The PDUs a second that are in force; 0: no limit. */
uint64_t fan_pace_pdus_per_s(const struct fan_pace *pace);

/* Takes tokens of both buckets, or none. Any worker. */
bool fan_pace_take(struct fan_pace *pace, struct fan_tokens tokens, bool urgent, uint64_t now_tsc);
/* What was taken for a PDU is back: it has left, and was shorter than what was taken for it by so many octets. Any worker. */
void fan_pace_leave(struct fan_pace *pace, unsigned octets, unsigned octets_spare, uint64_t now_tsc);
/* ... what was taken is given back: it will not leave. Any worker. */
void fan_pace_give_back(struct fan_pace *pace, struct fan_tokens tokens, uint64_t now_tsc);

/* Whether a message may take what is kept for urgent ones. */
static inline bool
fan_pace_is_urgent(uint8_t priority)
{
	return priority >= FAN_PRIORITY_URGENT;
}

#endif
