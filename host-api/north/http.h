/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HTTP/1.1 for faces, by libmicrohttpd, in the face's loop and thread. A request is handed over when all of it is there, and answered at once or
 * later. Clients are bounded in number, in octets, and in time: a connection has deadline_ms from its beginning, or from the end of its last
 * answer, to have the next request in and its answer out, however slowly it drips.
 */
#ifndef FAN_NORTH_HTTP_H
#define FAN_NORTH_HTTP_H

#include "face.h"

#define FAN_HTTP_HEADER_BYTES_MAX 32768 /* request line and headers */
#define FAN_HTTP_FIELDS_MAX 16          /* of an answer */

struct fan_http;
struct fan_http_request;

struct fan_http_options {
	const char *address;                     /* IPv4 or IPv6, numeric */
	uint16_t port;                           /* 0: any that is free */
	const char *certificate_file, *key_file; /* PEM; both NULL: no TLS */
	const char *trust_file; /* PEM, of CAs: clients may show a certificate of theirs; NULL: none is asked for */
	unsigned connections_max, connections_of_address_max;
	size_t body_bytes_max;
	unsigned deadline_ms;
	/* Called from the loop. It answers, or keeps the request and answers later. */
	void (*handle)(void *user, struct fan_http_request *request);
	void *user;
};

struct fan_http_field {
	const char *name, *value;
};

/* Opens the port. INVALID: address, certificate or key, or more connections than this process may have; IO: the port. */
int fan_http_open(struct fan_http **http, struct fan_face *face, const struct fan_http_options *options);
/* Closes port and connections; requests that are not answered are gone with it. NULL is ignored. */
void fan_http_close(struct fan_http *http);
/* Where it listens, in host order. */
uint16_t fan_http_port(const struct fan_http *http);
/* Connections now. */
unsigned fan_http_connections(const struct fan_http *http);
/* Answers of a status since the port was opened, those of this file to what is no request of the face among them. In: status, 100 to 599. */
uint64_t fan_http_answers(const struct fan_http *http, unsigned status);

/* When the first of a PEM file's certificates expires, in seconds since 1970 UTC. INVALID. */
int fan_http_read_expiry(int64_t *expiry_s, const char *file);

/* Of a request, until it is answered. Static or the request's. */
const char *fan_http_method(const struct fan_http_request *request);
/* As it was sent, percent signs and all, up to the question mark. */
const char *fan_http_path(const struct fan_http_request *request);
/* NULL: there is none of that name. */
const char *fan_http_header(const struct fan_http_request *request, const char *name);
/* Whether its Host is localhost or an address, or it has none, as HTTP/1.0, which no browser speaks. A page of anybody's, open in a browser here, has
 * a name of its own, which may stand for a loopback address from one moment to the next: it would read what is for this machine alone. */
bool fan_http_names_this_machine(const struct fan_http_request *request);
/* Of the query, as it was sent. NULL: there is none of that name. */
const char *fan_http_argument(const struct fan_http_request *request, const char *name);
/* Out: *byte_count. A zero follows. */
const char *fan_http_body(const struct fan_http_request *request, size_t *byte_count);
/* The gnutls_session_t; NULL without TLS. */
void *fan_http_session(const struct fan_http_request *request);

/* Answers, and lets go of the request. In: body, which is copied; NULL: none. */
void fan_http_answer(struct fan_http_request *request, unsigned status, const struct fan_http_field *fields, size_t field_count,
		     const void *body, size_t body_bytes);

/* A body without end, for server-sent events. `read` is called from the loop when the client takes more: it writes up to `room` octets and returns how
 * many; 0: none now, fan_http_wake() says when; -1: the end. `gone` is called once, last, when the client has left or has taken nothing for
 * FAN_HTTP_STALL_S. */
#define FAN_HTTP_STALL_S 30
struct fan_http_stream;
struct fan_http_stream *fan_http_stream(struct fan_http_request *request, unsigned status, const struct fan_http_field *fields,
					size_t field_count, ssize_t (*read)(void *user, char *buffer, size_t room),
					void (*gone)(void *user), void *user);
void fan_http_wake(struct fan_http_stream *stream);

#endif
