/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HTTP requests from a face to others: results to application servers, keys from token issuers. By libcurl, in the face's loop, without waiting. Whoever
 * names a target may want this host to speak to itself or to its neighbours on the link: the target must be in an allow-list, and the address that is
 * connected to is judged again, after the name was resolved and for each request, so that a name whose address changes gains nothing.
 *
 * Names are resolved in threads that libcurl makes, one for a name that is being looked up: Debian's libcurl has its threaded resolver, not c-ares. A
 * thread whose request has run out of time is left behind and ends when getaddrinfo(3) returns.
 *
 * A lane is an owner and a target (scheme, host, port). Each lane has transfers and a queue of its own, and there is room for all transfers of all lanes:
 * a target that is dead or slow holds up nobody but its owner's own requests to it.
 */
#ifndef FAN_NORTH_FETCH_H
#define FAN_NORTH_FETCH_H

#include "http.h"

#define FAN_FETCH_LANES_MAX 128       /* with a request under way or waiting; a request that would need one more fails */
#define FAN_FETCH_OWNER_LANES 8       /* of these for one owner, unless its rule says otherwise */
#define FAN_FETCH_LANE_TRANSFERS 2    /* of a lane at a time */
#define FAN_FETCH_LANE_WAITING_MAX 64 /* behind them; one more fails */
#define FAN_FETCH_LANE_BODY_BYTES_MAX                                                                                          \
	2097152 /* of the bodies of a lane's requests, so 256 MiB in all; a request that would add to it fails */
#define FAN_FETCH_OWNER_BYTES 64
#define FAN_FETCH_URL_BYTES_MAX 2048
#define FAN_FETCH_HEADER_BYTES_MAX 65536 /* of an answer; more ends it */
#define FAN_FETCH_MS 10000               /* the time limit, unless a request says otherwise */
#define FAN_FETCH_CONNECT_MS 5000        /* of it, for name, connection and TLS */
#define FAN_FETCH_STALL_S 5 /* a transfer that moves less than FAN_FETCH_STALL_RATE octets/s for so long has failed */
#define FAN_FETCH_STALL_RATE 16

struct fan_fetcher;

/* What an owner may speak to. Never, whatever it says: link-local, multicast, reserved and unspecified addresses; Teredo and 64:ff9b:1::/48, which hide an
 * IPv4 address. An IPv4 address inside an IPv6 address (mapped, compatible, translated, 64:ff9b::/96, 6to4) counts as that IPv4 address. */
struct fan_fetch_rule {
	/* Ended by NULL: "as.example.org"; "*.example.org": any name below it, not itself; "192.0.2.7", "2001:db8::7": that address, where the URL has it
	 * instead of a name. Capitals are small letters. */
	const char *const *hosts;
	const uint16_t *ports;   /* ended by 0; NULL: any */
	bool loopback_allowed;   /* 127.0.0.0/8, ::1 and this host's own addresses too */
	bool plain_http_allowed; /* http beside https, to loopback addresses alone, which must be allowed as well */
	unsigned lanes_max;      /* 0: FAN_FETCH_OWNER_LANES */
};

struct fan_fetch_request {
	const char *owner; /* whose lanes it uses: a sender's name, up to FAN_FETCH_OWNER_BYTES - 1 octets */
	const char *method;
	const char *url;
	const struct fan_fetch_rule *rule;
	const void *body; /* NULL: none */
	size_t body_bytes;
	const char *content_type;            /* of the body; NULL: none is said */
	const struct fan_http_field *fields; /* beside those that HTTP needs */
	size_t field_count;
	unsigned time_limit_ms;  /* from fan_fetch() to `done`, waiting included; 0: FAN_FETCH_MS */
	size_t answer_bytes_max; /* of its body; what is more is not read */
	const char *ca_file;     /* PEM; NULL: the system's, 5 ms of CPU for a new connection. It replaces them. */
	const char *certificate_file, *key_file; /* PEM, to be shown to the target; NULL: none */
};

struct fan_fetch_answer {
	unsigned status;  /* of HTTP, a redirection among them: none is followed; 0: there is no answer */
	const char *body; /* a zero follows */
	size_t body_bytes;
	bool cut;               /* the body had more than answer_bytes_max octets */
	unsigned retry_after_s; /* as the answer says; 0: it does not */
	bool refused;           /* without a status: the rule forbids it, and will the next time */
	const char *why;        /* without a status: one line, without the URL's path; "" with one */
};

/* Of the face, which outlives it. MEMORY, IO. */
int fan_fetcher_open(struct fan_fetcher **fetcher, struct fan_face *face);
/* When the loop has ended. Each request that is not answered is told that there is no answer. NULL is ignored. */
void fan_fetcher_close(struct fan_fetcher *fetcher);

/* Sends a request. Nothing of it is needed after the call. `done` is called once, from the loop, never from here; what it is told is there for that
 * long. TLS 1.2 or newer, certificates verified; HTTP/1.1; no proxy, cookie, password or compression. */
void fan_fetch(struct fan_fetcher *fetcher, const struct fan_fetch_request *request,
	       void (*done)(void *user, const struct fan_fetch_answer *answer), void *user);

/* Whether fan_fetch() would take such a URL, as far as can be told before its name is resolved. INVALID, with an error that names what is wrong. */
int fan_fetch_check(const char *url, const struct fan_fetch_rule *rule);

/* Transfers under way and requests that wait. */
unsigned fan_fetch_count(const struct fan_fetcher *fetcher);

#endif
