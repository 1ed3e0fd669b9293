/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages on their way by cell broadcast: an airing is a message's, until that has ended. While it waits for answers no worker has the flight,
 * which is one of all members; when they have come, or the time is over, the flight is narrowed to those that no cell has served, and goes on
 * as any other. So whatever ends the process before, all members are sent it by unicast.
 *
 *	fan_airing_prepare()     fan_send(): requests are written, and nothing has left
 *	fan_broadcasts_serve()   each fan_poll(): what is durable goes to the relays, again, and what is cancelled is taken off the air
 *	fan_broadcast_answer()   what they say
 *	fan_airing_is_waiting()  the journal hands no flight over that waits, and none behind it that shares a UE with it
 *
 * Thread: the control thread.
 */
#ifndef FAN_BROADCASTS_H
#define FAN_BROADCASTS_H

#include "../../dataplane/dataplane.h"
#include "../fanfare.h"

#define FAN_BROADCAST_REQUEST_BYTES_MAX 8192 /* 15 pages, and FAN_POLICY_AREAS_MAX areas of 6 octets */

struct fanfare;
struct fan_group;
struct fan_entry;

/* Of one radio. */
struct fan_air_request {
	uint8_t *start; /* owned */
	size_t start_bytes;
	uint64_t done[FAN_POLICY_AREAS_MAX / 64]; /* areas of the policy that it was completed in, a bit each */
};

struct fan_airing {
	struct fan_policy policy;
	uint16_t serial;
	struct fan_snapshot *away;                /* a reference: members by way, when it was sent */
	struct fan_members served[FAN_WAY_COUNT]; /* once it waits no more: by table and profile */
	struct fan_air_request radio[FAN_RADIO_COUNT];
	uint8_t waits_for, completed; /* bits 1 << enum fan_radio */
	bool begun, stopped;
	uint32_t wait_ms;              /* for answers: unicast, too, has to have its time */
	int64_t again_ms, deadline_ms; /* by the monotonic clock */
};

/* Of an appliance: options, and which relays are left alone. */
struct fan_broadcasts {
	void (*send)(void *user, enum fan_radio radio, const uint8_t *octets, size_t octet_count); /* NULL: no relay */
	void *user;
	uint8_t radios;
	uint32_t wait_ms;
	int64_t rests_until_ms[FAN_RADIO_COUNT]; /* by the monotonic clock */
};

/* Takes over what fan_open() was given. INVALID. */
int fan_broadcasts_open(struct fan_broadcasts *broadcasts, const struct fan_options *options);

/* The airing of a message, where some members are to be served by broadcast and all that it takes is there; else NULL: unicast. */
struct fan_airing *fan_airing_prepare(struct fan_group *group, const struct fan_message *message, fan_message_id id);
void fan_airing_free(struct fan_airing *airing);
/* NULL does not wait. */
bool fan_airing_is_waiting(const struct fan_airing *airing);

/* Sends, sends again, gives up, and takes off the air. */
void fan_broadcasts_serve(struct fanfare *fanfare);

#endif
