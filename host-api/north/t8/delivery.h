/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A message that an application server has asked for. It is kept before the daemon is told of it, with a reference of its own by which the daemon knows
 * it again: whatever dies in between, it is sent once. Its record, as it is kept:
 *
 *	api, sender     of whom
 *	body            as it was asked for (no more than its API shows again)
 *	to, group       a GID, or the identity of one UE
 *	params          of `send`: payload, priority and so on
 *	reference       by which the daemon knows it
 *	state           new: the daemon is or was asked, no answer yet; waiting: until start_ms; sending; ended; withdrawn: it is cancelled and
 *	                forgotten once the daemon says what it knows, whatever it answers to what it was asked before
 *	former          the record that it takes the place of, until the daemon has taken it; if it does not, that one is there again
 *	accepted        its server was told that it is
 *	idempotency     where its Idempotency-Key is kept, if it has one (keys.h): one in doubt is asked for again then, not withdrawn
 *	message         the daemon's id
 *	start_ms, until_ms, ended_ms    since 1970 UTC; until_ms 0: no limit
 *	outcome         sent, cancelled, expired, unknown
 *	result          totals of the daemon (message.show)
 *	notify          whom to tell; told_from: the daemon's place up to which it has been told of UEs, told_lines: so many of those behind, too;
 *	                settled: nothing more is to be told
 */
#ifndef FAN_T8_DELIVERY_H
#define FAN_T8_DELIVERY_H

#include "t8.h"

struct fan_t8_delivery {
	struct fan_t8 *t8;
	const struct fan_t8_api *api;
	char key[FAN_T8_KEY_BYTES_MAX + 1];
	json_t *record;                   /* owned */
	struct fan_http_request *request; /* waits for the daemon's word; NULL: none does */
	bool busy;                        /* the daemon is asked about it */
	int64_t look_ms, look_pause_ms; /* when the daemon is asked how it stands, and how long after that it is asked again */
	uint64_t ues_charged, pdus_charged; /* so many were taken from the sender's account */
	json_t *replacement;          /* owned: the record that takes its place when nothing of it was sent; NULL: none does */
	bool stopped;                 /* the daemon was told to cancel it for that */
	struct fan_t8_notice *notice; /* owned: what is being told of it; NULL: nothing is */
	bool told_more;               /* than is kept: the next fan_t8_deliveries_keep() keeps it */
};

/* Whether the sender of a call may send to a UE or group. False: the call has a problem. In: the attribute's name; group. */
bool fan_t8_may_address(struct fan_t8_call *call, const char *name, const char *id, bool group);

/* Whether its octets are not more than the sender may send. False: the call has a problem. In: the attribute's name. */
bool fan_t8_may_have_size(struct fan_t8_call *call, const char *name, size_t byte_count);
/* Until when what is valid for so many seconds may be sent: 0 is at once, and more than a week is a week. Since 1970 UTC. */
int64_t fan_t8_until_ms(json_int_t seconds);

/* What a message is asked for with. */
struct fan_t8_order {
	const char *to; /* a GID, or the identity of one UE */
	bool group;
	const char *base64;         /* its octets */
	unsigned priority;          /* 0..7, more is more urgent */
	int64_t start_ms, until_ms; /* since 1970 UTC; 0: now, no limit */
	const char *notify;         /* whom to tell, as a URI */
};
/* A new record: the caller's. In: body, as it will be shown; the record takes it. More members of its params may be added. */
json_t *fan_t8_delivery_make(const struct fan_t8_call *call, const struct fan_t8_api *api, json_t *body,
			     const struct fan_t8_order *order);
/* Everything that is kept and not settled comes back. IO. */
int fan_t8_deliveries_load(struct fan_t8 *t8);
void fan_t8_deliveries_free(struct fan_t8 *t8);
/* Goes on with all of them: sends, looks, tells. Some times a second. */
void fan_t8_deliveries_tick(void *t8);
/* Keeps how far servers were told, of all deliveries in one write to the disk. Some times a second. */
void fan_t8_deliveries_keep(void *t8);
/* Forgets those that were settled long ago. Now and then. */
void fan_t8_deliveries_tidy(void *t8);

/* Whether the sender's account allows such a delivery now. False: the call has a problem. */
bool fan_t8_delivery_may(struct fan_t8_call *call, const json_t *record);
/* Keeps a delivery, tells the daemon, and answers the call with 201, or with what was wrong. Takes record, in which api, sender, body, to, group, params,
 * start_ms, until_ms and notify are set; lets go of the call. In: begins, what its key begins with; an id follows. */
void fan_t8_delivery_create(struct fan_t8_call *call, const struct fan_t8_api *api, const char *begins, json_t *record);
/* The same, unless the call repeats an earlier one (keys.h). In: record, NULL: the call has a problem, with which it is answered. */
void fan_t8_delivery_create_once(struct fan_t8_call *call, const struct fan_t8_api *api, const char *begins, json_t *record);
/* Cancels it and, when nothing of it was sent, sends another in its place: answers with 200, or 409. Takes record, as above; NULL: as above. */
void fan_t8_delivery_replace(struct fan_t8_call *call, const struct fan_t8_api *api, const char *key, json_t *record);
/* Cancels it, forgets it, and answers with `status`, 204 or 200 and how it is shown then. */
void fan_t8_delivery_delete(struct fan_t8_call *call, const struct fan_t8_api *api, const char *key, unsigned status);
/* Cancels and forgets, and answers nobody. */
void fan_t8_delivery_forget(struct fan_t8 *t8, const char *key);
/* Answers with how it is shown. */
void fan_t8_delivery_show(struct fan_t8_call *call, const struct fan_t8_api *api, const char *key);
/* Answers with those whose keys begin so and that have not ended. */
void fan_t8_deliveries_list(struct fan_t8_call *call, const struct fan_t8_api *api, const char *begins);
/* The key that begins so and ends with an id of the path. False: no id of ours looks so, and the call has a problem. */
bool fan_t8_delivery_key(struct fan_t8_call *call, char key[FAN_T8_KEY_BYTES_MAX + 1], const char *begins, const char *id,
			 const char *what);
/* Its body as a patch of these attributes makes it: the caller's; NULL: there is no such delivery, and the call has a problem. */
json_t *fan_t8_delivery_patched(struct fan_t8_call *call, const char *key, const char *const *names, const char *what);
/* Where it is found. */
void fan_t8_delivery_uri(const struct fan_t8 *t8, const struct fan_t8_api *api, char uri[FAN_T8_URI_BYTES], const char *key);
/* What is known of one: the caller's; NULL: there is none of that key. */
json_t *fan_t8_delivery_record(const struct fan_t8 *t8, const char *key);

/* Keeps the record as it is now. */
int fan_t8_delivery_keep(struct fan_t8_delivery *delivery);
/* Whether it has ended. */
bool fan_t8_has_ended(const json_t *record);
/* DeliveryStatus of a delivery as a whole. Static. */
const char *fan_t8_delivery_status(const json_t *record);

#endif
