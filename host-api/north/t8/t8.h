/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the T8 face share. All of it is the face's one thread's.
 *
 *	t8.c           the face's life
 *	settings.c     its configuration
 *	routes.c       paths, methods, media types; who may
 *	authority.c    who a request is from
 *	nidd.c, trigger.c, mbs.c    the three APIs: what a body means, how a resource is shown
 *	delivery.c     a message on its way: accepted, sent, ended, cancelled, replaced; the same for all three
 *	keys.c         Idempotency-Key
 *	notices.c      what application servers are told, until they have heard it
 *	results.c      outcomes of UEs as JSON
 *	metrics.c      what Prometheus is told
 *	records.c      what is kept
 *	answer.c       answers, problems, attributes
 */
#ifndef FAN_T8_T8_H
#define FAN_T8_T8_H

#include "../../../dataplane/context/clock.h"
#include "../face.h"
#include "../http.h"
#include "answer.h"
#include "authority.h"
#include "records.h"
#include "settings.h"

#define FAN_T8_ID_BYTES 17 /* 16 hexadecimal digits and a zero */
#define FAN_T8_URI_BYTES 1024

struct fan_t8;
struct fan_t8_delivery;

/* What a sender has used up. */
struct fan_t8_account {
	double requests, ues, pdus; /* tokens: what is allowed now; of UEs and PDUs it may be less than 0 */
	int64_t filled_ms;
	unsigned in_flight;   /* deliveries that have not ended */
	int64_t stored_bytes; /* of its records: deliveries, configurations and keys */
};

/* What differs between the APIs. */
struct fan_t8_api {
	const char *name;      /* the keys of its deliveries begin so */
	bool fails_by_failure; /* status 500 is NiddDownlinkDataDeliveryFailure */
	/* The URI of a delivery behind api_root. */
	void (*locate)(char uri[FAN_T8_URI_BYTES], const char *key);
	/* How a delivery is shown: the caller's. */
	json_t *(*show)(const struct fan_t8 *t8, const char *key, const json_t *record);
	/* The notification of one that has ended, whose sender is in the settings; NULL: it is told page by page (gmdResults). The caller's. */
	json_t *(*tell)(const struct fan_t8 *t8, const char *key, const json_t *record);
};

extern const struct fan_t8_api fan_t8_nidd, fan_t8_trigger, fan_t8_mbs;

struct fan_t8 {
	struct fan_t8_settings settings;
	struct fan_face *face;           /* owned, as all below */
	struct fan_http *http, *metrics; /* for application servers; for Prometheus, NULL: nobody asks */
	struct fan_t8_records *records;
	struct fan_fetcher *fetcher;
	struct fan_t8_authority *authority;
	struct fan_t8_identity *identities;  /* of the senders, in their order */
	struct fan_t8_issuer issuer;         /* of tokens */
	struct fan_t8_delivery **deliveries; /* that have not ended, or of which something is to be told */
	unsigned delivery_count, delivery_room;
	struct fan_t8_account *accounts; /* by sender */
	struct {
		uint64_t heard, failed, given_up; /* notifications, by what came of them */
	} told;
	uint64_t scrapes;
	int64_t certificate_s, client_ca_s; /* when they expire, since 1970 UTC; -1: there are none */
};

/* A request on its way through routes.c. */
struct fan_t8_call {
	struct fan_t8 *t8;
	struct fan_http_request *request;
	const struct fan_t8_sender *sender;
	char ids[3][256]; /* of the path, unescaped */
	json_t *body;     /* an object; NULL: the method has none */
	struct fan_t8_problem problem;
};

struct fan_t8_account *fan_t8_account_of(struct fan_t8 *t8, const struct fan_t8_sender *sender);
/* 16 random hexadecimal digits. */
/* Whether a record may come to those that a call's sender has. False: the call has a problem. */
bool fan_t8_may_store(struct fan_t8_call *call, const json_t *record);
void fan_t8_make_id(char id[FAN_T8_ID_BYTES]);
/* api_root and a path: into uri. */
void fan_t8_make_uri(const struct fan_t8 *t8, char uri[FAN_T8_URI_BYTES], const char *path);

/* Answers a call with the problem that it has, and lets go of it; one that nobody waits for has no request. */
void fan_t8_refuse(struct fan_t8_call *call);

/* The call has a problem: there is none of what it names. In: "delivery" for example. */
void fan_t8_miss(struct fan_t8_call *call, const char *what);
#define FAN_T8_PATH_ID_BYTES_MAX 64 /* of an id of ours in a path; a longer one is none */

/* Every request comes here (fan_http_options.handle). */
void fan_t8_route(void *user, struct fan_http_request *request);

#endif
