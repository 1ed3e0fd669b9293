/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one thread of ours: it has the control connection to `fanfare serve`, and knows which peer has which keys. It hears from serve which groups
 * have changed, has their keys wrapped there for each peer, and hands them out until the peer has taken them. Keys lie here wrapped and for as long
 * as one request takes.
 *
 * Nothing of it outlives the process: after a start, or when a peer has come back, everything is told again, and each telling is whole, so that
 * one that comes twice changes nothing.
 *
 * At most LIMITS of everything: FAN_COURIER_GROUPS_MAX groups, FAN_COURIER_ERRANDS_MAX requests on their way, [limits] queued notices.
 */
#ifndef FAN_NORTH_KEYS_COURIER_H
#define FAN_NORTH_KEYS_COURIER_H

#include "settings.h"

#include <jansson.h>

#define FAN_COURIER_GROUPS_MAX 16384 /* with keys, at a time */
#define FAN_COURIER_ERRANDS_MAX 32   /* each has one question to serve, or one request to a peer, at a time */

#define FAN_KEYS_DONE 2001U /* DIAMETER_SUCCESS */

/* All keys of a group, as one peer is told them. */
struct fan_keys_report {
	const char *gid;
	uint64_t revision; /* rises with each change, also over restarts of serve */
	const struct fan_keys_set *sets;
	unsigned set_count; /* 0: the group has none any more, and no members either */
};

/* What the courier calls, in its thread, to send. 0: fan_courier_answered() will be called for that number, once; else it did not go. */
struct fan_courier_port {
	bool (*is_open)(unsigned peer);
	int (*report)(unsigned peer, uint64_t number, const struct fan_keys_report *report);
	/* Some members of a group: texts in an array. In: part, FAN_KEYS_FIRST_PART and FAN_KEYS_LAST_PART. */
	int (*members)(unsigned peer, uint64_t number, const char *gid, uint64_t revision, unsigned part,
		       const json_t *identities);
	/* The groups that have keys: others have none. */
	int (*list)(unsigned peer, uint64_t number, const char *const *gids, unsigned gid_count);
	/* Asks an HSS which MMEs serve members of a group. */
	int (*ask)(unsigned peer, uint64_t number, const char *gid);
	/* Each turn, every 50 ms at least. */
	void (*tick)(void);
};

struct fan_courier;

/* Starts the thread. settings and port stay the caller's and must outlive it. IO, MEMORY. serve need not be there. */
int fan_courier_open(struct fan_courier **courier, const struct fan_keys_settings *settings,
		     const struct fan_courier_port *port);

/* A peer has answered, or not in time. In: number, of the request; result, a Result-Code, 0: no answer; nodes, bit i: of settings->peers[i], which the
 * answer names. Any thread. */
void fan_courier_answered(struct fan_courier *courier, uint64_t number, uint32_t result, uint64_t nodes);
/* A peer has come (back): it is told everything. Any thread. */
void fan_courier_arrived(struct fan_courier *courier, unsigned peer);
/* An HSS says that an MME serves a member of a group. False: too much is waiting. Any thread. */
bool fan_courier_noticed(struct fan_courier *courier, unsigned mme, const char *gid);
/* A peer asks to be told a group again, "": all. False: too much is waiting. Any thread. */
bool fan_courier_requested(struct fan_courier *courier, unsigned peer, const char *gid);

/* Ends the thread: the port is not called any more. NULL: nothing. */
void fan_courier_stop(struct fan_courier *courier);
/* Stops it and frees it: nobody may call the functions above any more. NULL: nothing. */
void fan_courier_close(struct fan_courier *courier);

#endif
