/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "fetch.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <ifaddrs.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST_BYTES 256
#define ORIGIN_BYTES (HOST_BYTES + 32)
#define WHY_BYTES 512
#define CONNECTION_LIFE_S 300L /* then a new one: addresses and certificates change */
#define IDLE_CONNECTIONS 64L
#define SHOWN "%.200s"
/* libcurl's own choice is the folder that this file is beside: 22 ms of CPU for each new connection instead of 5. */
#define SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt"

struct transfer {
	TAILQ_ENTRY(transfer) entry; /* of its lane's waiting, or of the fetcher's running or ended */
	struct fan_fetcher *fetcher;
	struct lane *lane; /* NULL: it was refused */
	CURL *easy;
	CURLU *url;
	struct curl_slist *fields;
	bool loopback_allowed, is_plain;
	int64_t until_ms;
	size_t request_bytes, answer_bytes_max, header_bytes;
	char *body; /* owned, of the answer */
	size_t body_bytes, body_room;
	bool cut, refused;
	bool is_connecting; /* to an address that it may */
	char origin[ORIGIN_BYTES];
	char curl_error[CURL_ERROR_SIZE];
	char why[WHY_BYTES]; /* "": it has an answer */
	void (*done)(void *user, const struct fan_fetch_answer *answer);
	void *user;
};

TAILQ_HEAD(transfers, transfer);

struct lane {
	char owner[FAN_FETCH_OWNER_BYTES]; /* with an empty origin: the place is free */
	char origin[ORIGIN_BYTES];
	unsigned running, waiting;
	size_t body_bytes;
	struct transfers queue;
};

struct watched {
	struct fan_fetcher *fetcher;
	curl_socket_t socket;
};

struct fan_fetcher {
	struct fan_face *face;
	CURLM *multi;
	int64_t timer_ms; /* when libcurl wants to be called; -1: never */
	int64_t until_ms; /* no request that waits runs out of time before it */
	struct lane lanes[FAN_FETCH_LANES_MAX];
	struct transfers running, ended;
	unsigned count;
};

/* ---- Addresses ----------------------------------------------------------------------------------------------------------------- */

enum address_kind {
	ADDRESS_OTHER, /* of another host, as far as it shows */
	ADDRESS_LOOPBACK,
	ADDRESS_OWN,
	ADDRESS_NEVER,
};

/* The IPv4 address that an IPv6 address stands for; NULL: none. */
static const uint8_t *
find_four(const uint8_t six[16])
{
	static const uint8_t none[12], mapped[12] = { [10] = 0xff, 0xff }, translated[12] = { [8] = 0xff, 0xff },
				       nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
	static const uint8_t loopback[16] = { [15] = 1 };

	if (memcmp(six, loopback, 16) == 0)
		return NULL;
	if (memcmp(six, none, 12) == 0 || memcmp(six, mapped, 12) == 0 || memcmp(six, translated, 12) == 0 ||
	    memcmp(six, nat64, 12) == 0)
		return six + 12;
	return six[0] == 0x20 && six[1] == 0x02 ? six + 2 : NULL; /* 6to4 */
}

static enum address_kind
judge_four(const uint8_t four[4])
{
	if (four[0] == 127)
		return ADDRESS_LOOPBACK;
	if (four[0] == 0 || four[0] >= 224 || (four[0] == 169 && four[1] == 254))
		return ADDRESS_NEVER;
	return ADDRESS_OTHER;
}

static enum address_kind
judge_six(const uint8_t six[16])
{
	static const uint8_t loopback[16] = { [15] = 1 }, teredo[4] = { 0x20, 0x01 },
			     local_nat64[6] = { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 };

	if (memcmp(six, loopback, 16) == 0)
		return ADDRESS_LOOPBACK;
	if (six[0] == 0xff || (six[0] == 0xfe && (six[1] & 0xc0) == 0x80) || memcmp(six, teredo, 4) == 0 ||
	    memcmp(six, local_nat64, 6) == 0)
		return ADDRESS_NEVER;
	return ADDRESS_OTHER;
}

/* Octets of an address and how many. An IPv4 address in an IPv6 address is that. */
static size_t
take_octets(const uint8_t **octets, const struct sockaddr *address)
{
	const uint8_t *six, *four;

	if (address->sa_family == AF_INET) {
		*octets = (const uint8_t *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
		return 4;
	}
	if (address->sa_family != AF_INET6)
		return 0;
	six = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr;
	four = find_four(six);
	*octets = four != NULL ? four : six;
	return four != NULL ? 4 : 16;
}

/* What cannot be told is taken for one. */
static bool
is_own(const uint8_t *octets, size_t octet_count)
{
	struct ifaddrs *interfaces = NULL;
	const uint8_t *of_interface;
	bool is = false;

	if (getifaddrs(&interfaces) != 0)
		return true;
	for (const struct ifaddrs *i = interfaces; i != NULL && !is; i = i->ifa_next)
		is = i->ifa_addr != NULL && take_octets(&of_interface, i->ifa_addr) == octet_count &&
		     memcmp(of_interface, octets, octet_count) == 0;
	freeifaddrs(interfaces);
	return is;
}

static enum address_kind
judge_address(const struct sockaddr *address)
{
	const uint8_t *octets = NULL;
	const size_t octet_count = take_octets(&octets, address);
	enum address_kind kind;

	if (octet_count == 0)
		return ADDRESS_NEVER;
	kind = octet_count == 4 ? judge_four(octets) : judge_six(octets);
	return kind == ADDRESS_OTHER && is_own(octets, octet_count) ? ADDRESS_OWN : kind;
}

/* Records why, if not and if no other address may. */
static bool
may_connect(struct transfer *transfer, const struct sockaddr *address)
{
	static const char *const what[] = { "another host's", "a loopback address", "an address of this host",
					    "link-local, multicast, reserved, or hides an IPv4 address" };
	const enum address_kind kind = judge_address(address);
	const bool may = transfer->is_plain ? kind == ADDRESS_LOOPBACK && transfer->loopback_allowed
					    : kind == ADDRESS_OTHER || (kind != ADDRESS_NEVER && transfer->loopback_allowed);

	transfer->is_connecting = transfer->is_connecting || may;
	transfer->refused = !transfer->is_connecting;
	if (transfer->refused)
		(void)snprintf(transfer->why, sizeof(transfer->why), SHOWN ": its address is %s: %s", transfer->origin,
			       what[kind],
			       transfer->is_plain ? "http goes to loopback alone, take https" : "no target may be there");
	return may;
}

/* ---- URLs ---------------------------------------------------------------------------------------------------------------------- */

struct target {
	CURLU *url; /* owned */
	char host[HOST_BYTES];
	char origin[ORIGIN_BYTES];
	unsigned port;
	bool is_plain;
};

/* An address in octets and how many they are; 0: it is a name. */
static size_t
parse_address(uint8_t octets[16], const char *host)
{
	if (inet_pton(AF_INET, host, octets) == 1)
		return 4;
	return inet_pton(AF_INET6, host, octets) == 1 ? 16 : 0;
}

static bool
matches(const char *allowed, const char *host)
{
	const size_t host_bytes = strlen(host), suffix_bytes = strlen(allowed) - (allowed[0] == '*');
	uint8_t octets[16], others[16];
	const size_t octet_count = parse_address(octets, host);

	if (octet_count > 0)
		return parse_address(others, allowed) == octet_count && memcmp(octets, others, octet_count) == 0;
	if (strncmp(allowed, "*.", 2) == 0)
		return host_bytes > suffix_bytes && strcasecmp(host + host_bytes - suffix_bytes, allowed + 1) == 0;
	return strcasecmp(allowed, host) == 0;
}

static bool
is_name(const char *host)
{
	const size_t bytes = strlen(host);

	return bytes > 0 && host[bytes - 1] != '.' &&
	       strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == bytes;
}

/* libcurl writes an IPv4 address in any of its forms (decimal, octal, hexadecimal, short) as four numbers. */
static int
take_host(struct target *target)
{
	char *host = NULL, *zone = NULL;
	size_t bytes;
	int error = 0;

	if (curl_url_get(target->url, CURLUPART_ZONEID, &zone, 0) == CURLUE_OK)
		error = fan_fail(FAN_E_INVALID, "URL: an address with a zone is link-local: no target may be there");
	curl_free(zone);
	if (error == 0 && (curl_url_get(target->url, CURLUPART_HOST, &host, 0) != CURLUE_OK || host == NULL))
		error = fan_fail(FAN_E_INVALID, "URL: has no host");
	bytes = host != NULL ? strlen(host) : 0;
	if (error == 0 && bytes > 2 && host[0] == '[') {
		(void)snprintf(target->host, sizeof(target->host), "%.*s", (int)(bytes - 2), host + 1);
		if (bytes - 2 >= sizeof(target->host) || parse_address((uint8_t[16]){ 0 }, target->host) != 16)
			error = fan_fail(FAN_E_INVALID, "URL: what is in brackets is no IPv6 address");
	} else if (error == 0 && host != NULL) {
		(void)snprintf(target->host, sizeof(target->host), "%s", host);
		if (bytes >= sizeof(target->host) || !is_name(target->host))
			error = fan_fail(FAN_E_INVALID,
					 "URL: the host takes letters, digits, '-', '.' and '_', none of them a final dot");
	}
	curl_free(host);
	return error;
}

static int
take_port(struct target *target)
{
	char *port = NULL;

	if (curl_url_get(target->url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
		target->port = (unsigned)strtoul(port, NULL, 10);
	curl_free(port);
	return target->port != 0 ? 0 : fan_fail(FAN_E_INVALID, "URL: the port takes 1 to 65535");
}

static int
take_scheme(struct target *target, const struct fan_fetch_rule *rule)
{
	char *scheme = NULL;
	int error = 0;

	if (curl_url_get(target->url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
		return fan_fail(FAN_E_INVALID, "URL: has no scheme: takes https");
	target->is_plain = strcmp(scheme, "http") == 0;
	if (!target->is_plain && strcmp(scheme, "https") != 0)
		error = fan_fail(FAN_E_INVALID, "URL: scheme %.16s: takes https", scheme);
	else if (target->is_plain && !(rule->plain_http_allowed && rule->loopback_allowed))
		error = fan_fail(FAN_E_INVALID, "URL: http is not allowed: takes https");
	curl_free(scheme);
	return error;
}

static int
check_allowed(const struct target *target, const struct fan_fetch_rule *rule)
{
	const char *const *host = rule->hosts;
	const uint16_t *port = rule->ports;

	while (host != NULL && *host != NULL && !matches(*host, target->host))
		host++;
	if (host == NULL || *host == NULL)
		return fan_fail(FAN_E_INVALID, "URL: host " SHOWN ": is not among the hosts that are allowed", target->host);
	while (port != NULL && *port != 0 && *port != target->port)
		port++;
	return port == NULL || *port != 0
		       ? 0
		       : fan_fail(FAN_E_INVALID, "URL: port %u: is not among the ports that are allowed", target->port);
}

/* Of the error, the URL's path and query are no part: they may hold a secret. Out: target->url, also after an error. */
static int
judge_url(struct target *target, const char *url, const struct fan_fetch_rule *rule)
{
	CURLUcode code;
	int error;

	*target = (struct target){ .url = curl_url() };
	FAN_REQUIRE(target->url != NULL);
	if (strlen(url) > FAN_FETCH_URL_BYTES_MAX)
		return fan_fail(FAN_E_INVALID, "URL: has more than %d octets", FAN_FETCH_URL_BYTES_MAX);
	code = curl_url_set(target->url, CURLUPART_URL, url, CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME);
	if (code == CURLUE_USER_NOT_ALLOWED)
		return fan_fail(FAN_E_INVALID, "URL: takes no user or password before the host");
	if (code != CURLUE_OK)
		return fan_fail(FAN_E_INVALID, "URL: %s", curl_url_strerror(code));
	error = take_scheme(target, rule);
	if (error == 0)
		error = take_host(target);
	if (error == 0)
		error = take_port(target);
	if (error != 0)
		return error;
	(void)snprintf(target->origin, sizeof(target->origin),
		       strchr(target->host, ':') != NULL ? "%s://[%s]:%u" : "%s://%s:%u", target->is_plain ? "http" : "https",
		       target->host, target->port);
	for (char *at = target->origin; *at != '\0'; at++)
		*at = (char)tolower((unsigned char)*at);
	return check_allowed(target, rule);
}

int
fan_fetch_check(const char *url, const struct fan_fetch_rule *rule)
{
	struct target target;
	const int error = judge_url(&target, url, rule);

	curl_url_cleanup(target.url);
	return error;
}

/* ---- libcurl's calls ----------------------------------------------------------------------------------------------------------- */

static curl_socket_t
open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *transfer = user;

	if (purpose != CURLSOCKTYPE_IPCXN || !may_connect(transfer, &address->addr))
		return CURL_SOCKET_BAD;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Before the request is sent, on a connection that may have been made for somebody else's. */
static int
judge_connection(void *user, char *peer, char *own, int peer_port, int own_port)
{
	struct transfer *transfer = user;
	struct sockaddr_in four = { .sin_family = AF_INET };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	bool may = false;

	(void)own;
	(void)peer_port;
	(void)own_port;
	if (inet_pton(AF_INET, peer, &four.sin_addr) == 1)
		may = may_connect(transfer, (const struct sockaddr *)&four);
	else if (inet_pton(AF_INET6, peer, &six.sin6_addr) == 1)
		may = may_connect(transfer, (const struct sockaddr *)&six);
	return may ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

static size_t
take_header(char *octets, size_t size, size_t count, void *user)
{
	struct transfer *transfer = user;

	(void)octets;
	transfer->header_bytes += size * count;
	if (transfer->header_bytes <= FAN_FETCH_HEADER_BYTES_MAX)
		return size * count;
	(void)snprintf(transfer->why, sizeof(transfer->why), SHOWN ": the answer has more than %d octets of headers",
		       transfer->origin, FAN_FETCH_HEADER_BYTES_MAX);
	return 0;
}

/* Room for so much more and a zero. */
static bool
grow_body(struct transfer *transfer, size_t byte_count)
{
	const size_t room = transfer->body_bytes + byte_count + 1;
	char *body;

	if (room <= transfer->body_room)
		return true;
	body = realloc(transfer->body, 2 * room);
	if (body == NULL)
		return false;
	transfer->body = body;
	transfer->body_room = 2 * room;
	return true;
}

/* Returning less than has come ends the transfer. */
static size_t
take_body(char *octets, size_t size, size_t count, void *user)
{
	struct transfer *transfer = user;
	const size_t room = transfer->answer_bytes_max - transfer->body_bytes;
	const size_t bytes = size * count < room ? size * count : room;

	if (!grow_body(transfer, bytes))
		return 0;
	memcpy(transfer->body + transfer->body_bytes, octets, bytes);
	transfer->body_bytes += bytes;
	transfer->body[transfer->body_bytes] = '\0';
	transfer->cut = bytes < size * count;
	return bytes;
}

static void
take_events(void *user, uint32_t events)
{
	const struct watched *watched = user;
	const int what = ((events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) | ((events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
			 ((events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
	int running;

	(void)curl_multi_socket_action(watched->fetcher->multi, watched->socket, what, &running);
}

static void
watch(struct fan_fetcher *fetcher, curl_socket_t socket, uint32_t events)
{
	struct watched *watched = calloc(1, sizeof(*watched));

	FAN_REQUIRE(watched != NULL);
	*watched = (struct watched){ fetcher, socket };
	/* Without it, the transfer runs out of time, and no other one is ended. */
	if (fan_face_watch(fetcher->face, socket, events, take_events, watched) != 0) {
		fan_face_log(fetcher->face, "%s", fan_error_detail());
		free(watched);
		return;
	}
	(void)curl_multi_assign(fetcher->multi, socket, watched);
}

static int
want_events(CURL *easy, curl_socket_t socket, int what, void *user, void *watched)
{
	struct fan_fetcher *fetcher = user;
	const uint32_t events = (what == CURL_POLL_IN || what == CURL_POLL_INOUT ? (uint32_t)EPOLLIN : 0) |
				(what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? (uint32_t)EPOLLOUT : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watched != NULL)
			fan_face_unwatch(fetcher->face, socket);
		free(watched);
	} else if (watched == NULL) {
		watch(fetcher, socket, events);
	} else {
		fan_face_rewatch(fetcher->face, socket, events);
	}
	return 0;
}

static int
want_timer(CURLM *multi, long wait_ms, void *user)
{
	struct fan_fetcher *fetcher = user;

	(void)multi;
	fetcher->timer_ms = wait_ms < 0 ? -1 : fan_face_now_ms(fetcher->face) + wait_ms;
	fan_face_hurry(fetcher->face);
	return 0;
}

/* ---- Transfers ----------------------------------------------------------------------------------------------------------------- */

static void
free_transfer(struct transfer *transfer)
{
	curl_easy_cleanup(transfer->easy);
	curl_url_cleanup(transfer->url);
	curl_slist_free_all(transfer->fields);
	free(transfer->body);
	free(transfer);
}

static void
add_line(struct transfer *transfer, const char *line)
{
	struct curl_slist *fields = curl_slist_append(transfer->fields, line);

	FAN_REQUIRE(fields != NULL);
	transfer->fields = fields;
}

static int
add_field(struct transfer *transfer, const char *name, const char *value)
{
	char *line = NULL;

	if (strpbrk(name, "\r\n") != NULL || strpbrk(value, "\r\n") != NULL)
		return fan_fail(FAN_E_INVALID, "a header has more than one line");
	FAN_REQUIRE(asprintf(&line, "%s: %s", name, value) >= 0);
	add_line(transfer, line);
	free(line);
	return 0;
}

static int
set_fields(struct transfer *transfer, const struct fan_fetch_request *request)
{
	int error = 0;

	add_line(transfer, "Expect:"); /* none: a body would wait for leave */
	if (request->content_type == NULL)
		add_line(transfer, "Content-Type:");
	else
		error = add_field(transfer, "Content-Type", request->content_type);
	for (size_t i = 0; i < request->field_count && error == 0; i++)
		error = add_field(transfer, request->fields[i].name, request->fields[i].value);
	return error;
}

static void
set_bounds(struct transfer *transfer)
{
	CURL *easy = transfer->easy;

	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* or the end of a transfer waits for its resolver's thread */
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)FAN_FETCH_CONNECT_MS);
	(void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)FAN_FETCH_STALL_RATE);
	(void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)FAN_FETCH_STALL_S);
	(void)curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, CONNECTION_LIFE_S);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, transfer->is_plain ? "http" : "https");
	(void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	(void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
	(void)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, judge_connection);
	(void)curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_error);
	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
}

static void
set_tls(struct transfer *transfer, const struct fan_fetch_request *request)
{
	CURL *easy = transfer->easy;
	const char *ca_file = request->ca_file;

	if (ca_file == NULL && access(SYSTEM_CA_FILE, R_OK) == 0)
		ca_file = SYSTEM_CA_FILE;
	(void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (ca_file != NULL) {
		(void)curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
		(void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* or the system's would be trusted beside it */
	}
	if (request->certificate_file != NULL) {
		(void)curl_easy_setopt(easy, CURLOPT_SSLCERT, request->certificate_file);
		(void)curl_easy_setopt(easy, CURLOPT_SSLKEY, request->key_file);
	}
}

static int
set_body(struct transfer *transfer, const struct fan_fetch_request *request)
{
	CURL *easy = transfer->easy;

	(void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->request_bytes);
	return curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body != NULL ? request->body : "") == CURLE_OK
		       ? 0
		       : fan_fail(FAN_E_MEMORY, "no memory for a request's body");
}

static int
set_request(struct transfer *transfer, const struct fan_fetch_request *request)
{
	static const char *const methods[] = { "GET", "DELETE", "POST", "PUT", "PATCH" };
	CURL *easy = transfer->easy;
	unsigned method = 0;
	int error = 0;

	while (method < 5 && strcmp(methods[method], request->method) != 0)
		method++;
	if (method == 5)
		return fan_fail(FAN_E_INVALID, "method %.16s: takes GET, DELETE, POST, PUT or PATCH", request->method);
	(void)curl_easy_setopt(easy, CURLOPT_CURLU, transfer->url);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "fanfare/" FAN_VERSION);
	if (request->body != NULL || method >= 2)
		error = set_body(transfer, request);
	(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, methods[method]);
	if (error == 0)
		error = set_fields(transfer, request);
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->fields);
	set_bounds(transfer);
	set_tls(transfer, request);
	return error;
}

/* ---- Lanes --------------------------------------------------------------------------------------------------------------------- */

static struct lane *
find_lane(struct fan_fetcher *fetcher, const char *owner, const char *origin, unsigned lanes_max)
{
	struct lane *free_lane = NULL;
	unsigned owned = 0;

	for (struct lane *lane = fetcher->lanes; lane < fetcher->lanes + FAN_FETCH_LANES_MAX; lane++) {
		if (lane->origin[0] == '\0') {
			free_lane = lane;
			continue;
		}
		if (strcmp(lane->owner, owner) != 0)
			continue;
		if (strcmp(lane->origin, origin) == 0)
			return lane;
		owned++;
	}
	if (owned >= lanes_max)
		(void)fan_fail(FAN_E_BUSY,
			       "requests to %u other targets of the same owner are under way, more are not allowed at a time",
			       owned);
	else if (free_lane == NULL)
		(void)fan_fail(FAN_E_BUSY, "requests to %d other targets are under way, more are not possible at a time",
			       FAN_FETCH_LANES_MAX);
	return owned < lanes_max ? free_lane : NULL;
}

static int
enter_lane(struct transfer *transfer, const struct fan_fetch_request *request)
{
	const unsigned lanes_max = request->rule->lanes_max > 0 ? request->rule->lanes_max : FAN_FETCH_OWNER_LANES;
	struct lane *lane = find_lane(transfer->fetcher, request->owner, transfer->origin, lanes_max);

	if (lane == NULL)
		return FAN_E_BUSY;
	if (lane->waiting >= FAN_FETCH_LANE_WAITING_MAX)
		return fan_fail(FAN_E_BUSY, "%d requests wait for this target already", FAN_FETCH_LANE_WAITING_MAX);
	if (transfer->request_bytes > FAN_FETCH_LANE_BODY_BYTES_MAX - lane->body_bytes)
		return fan_fail(FAN_E_BUSY, "the requests for this target would have more than %d octets",
				FAN_FETCH_LANE_BODY_BYTES_MAX);
	if (lane->origin[0] == '\0') {
		(void)snprintf(lane->owner, sizeof(lane->owner), "%s", request->owner);
		(void)snprintf(lane->origin, sizeof(lane->origin), "%s", transfer->origin);
		TAILQ_INIT(&lane->queue);
	}
	transfer->lane = lane;
	lane->waiting++;
	lane->body_bytes += transfer->request_bytes;
	TAILQ_INSERT_TAIL(&lane->queue, transfer, entry);
	return 0;
}

/* A request that neither waits nor runs any longer. */
static void
leave_lane(struct transfer *transfer)
{
	struct lane *lane = transfer->lane;

	if (lane == NULL)
		return;
	lane->body_bytes -= transfer->request_bytes;
	if (lane->running == 0 && lane->waiting == 0)
		lane->origin[0] = '\0';
	transfer->lane = NULL;
}

static void
end_waiting(struct transfer *transfer)
{
	TAILQ_REMOVE(&transfer->lane->queue, transfer, entry);
	transfer->lane->waiting--;
	leave_lane(transfer);
	TAILQ_INSERT_TAIL(&transfer->fetcher->ended, transfer, entry);
}

static void
start_transfer(struct transfer *transfer)
{
	struct fan_fetcher *fetcher = transfer->fetcher;
	struct lane *lane = transfer->lane;
	const int64_t left_ms = transfer->until_ms - fan_face_now_ms(fetcher->face);

	(void)curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, (long)(left_ms > 0 ? left_ms : 1));
	TAILQ_REMOVE(&lane->queue, transfer, entry);
	lane->waiting--;
	lane->running++;
	TAILQ_INSERT_TAIL(&fetcher->running, transfer, entry);
	FAN_REQUIRE(curl_multi_add_handle(fetcher->multi, transfer->easy) == CURLM_OK);
}

static void
start_waiting(struct fan_fetcher *fetcher)
{
	for (struct lane *lane = fetcher->lanes; lane < fetcher->lanes + FAN_FETCH_LANES_MAX; lane++)
		while (lane->origin[0] != '\0' && lane->running < FAN_FETCH_LANE_TRANSFERS && lane->waiting > 0)
			start_transfer(TAILQ_FIRST(&lane->queue));
}

static void
end_late(struct fan_fetcher *fetcher, struct lane *lane)
{
	struct transfer *transfer, *next;

	for (transfer = TAILQ_FIRST(&lane->queue); transfer != NULL; transfer = next) {
		next = TAILQ_NEXT(transfer, entry);
		if (transfer->until_ms <= fan_face_now_ms(fetcher->face)) {
			(void)snprintf(transfer->why, sizeof(transfer->why),
				       SHOWN ": it was not sent in its time: %u requests before it were slow", transfer->origin,
				       lane->running);
			end_waiting(transfer);
		} else if (transfer->until_ms < fetcher->until_ms) {
			fetcher->until_ms = transfer->until_ms;
		}
	}
}

static void
end_all_late(struct fan_fetcher *fetcher)
{
	if (fan_face_now_ms(fetcher->face) < fetcher->until_ms)
		return;
	fetcher->until_ms = INT64_MAX;
	for (struct lane *lane = fetcher->lanes; lane < fetcher->lanes + FAN_FETCH_LANES_MAX; lane++)
		if (lane->origin[0] != '\0')
			end_late(fetcher, lane);
}

/* ---- Ends ---------------------------------------------------------------------------------------------------------------------- */

/* What libcurl says may quote the other side. */
static void
explain(struct transfer *transfer, CURLcode code)
{
	const char *text = transfer->curl_error[0] != '\0' ? transfer->curl_error : curl_easy_strerror(code);

	(void)snprintf(transfer->why, sizeof(transfer->why), SHOWN ": " SHOWN, transfer->origin, text);
	for (char *at = transfer->why; *at != '\0'; at++)
		*at = *at >= ' ' && *at <= '~' ? *at : '?';
}

static void
end_running(struct transfer *transfer, CURLcode code)
{
	struct fan_fetcher *fetcher = transfer->fetcher;

	(void)curl_multi_remove_handle(fetcher->multi, transfer->easy);
	TAILQ_REMOVE(&fetcher->running, transfer, entry);
	transfer->lane->running--;
	leave_lane(transfer);
	TAILQ_INSERT_TAIL(&fetcher->ended, transfer, entry);
	if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && transfer->cut))
		transfer->why[0] = '\0'; /* one of its addresses may have been refused, and another one taken */
	else if (transfer->why[0] == '\0' || (transfer->is_connecting && transfer->header_bytes <= FAN_FETCH_HEADER_BYTES_MAX))
		explain(transfer, code);
}

static void
end_finished(struct fan_fetcher *fetcher)
{
	const CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
		const CURLcode code = message->data.result;
		char *transfer = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		end_running((struct transfer *)(void *)transfer, code);
	}
}

static void
tell(struct transfer *transfer)
{
	struct fan_fetch_answer answer = { .body = "", .why = transfer->why, .refused = transfer->refused };
	curl_off_t retry_after_s = 0;
	long status = 0;

	if (transfer->why[0] == '\0') {
		(void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
		(void)curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
		answer.status = (unsigned)status;
		answer.retry_after_s = retry_after_s < UINT32_MAX ? (unsigned)retry_after_s : UINT32_MAX;
		answer.cut = transfer->cut;
		answer.body = transfer->body != NULL ? transfer->body : "";
		answer.body_bytes = transfer->body_bytes;
	}
	transfer->fetcher->count--;
	transfer->done(transfer->user, &answer);
	free_transfer(transfer);
}

/* What `done` asks for that fails at once is told in the next turn. */
static void
tell_ended(struct fan_fetcher *fetcher)
{
	struct transfers ended = TAILQ_HEAD_INITIALIZER(ended);
	struct transfer *transfer;

	TAILQ_CONCAT(&ended, &fetcher->ended, entry);
	while ((transfer = TAILQ_FIRST(&ended)) != NULL) {
		TAILQ_REMOVE(&ended, transfer, entry);
		tell(transfer);
	}
}

/* libcurl does not ask again for a time that it has asked for: the timer stays until it asks for another one. */
static int
run_fetcher(void *user)
{
	struct fan_fetcher *fetcher = user;
	const int64_t now_ms = fan_face_now_ms(fetcher->face);
	int64_t next_ms;
	int running;

	if (fetcher->timer_ms >= 0 && now_ms >= fetcher->timer_ms)
		(void)curl_multi_socket_action(fetcher->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	end_finished(fetcher);
	end_all_late(fetcher);
	start_waiting(fetcher);
	tell_ended(fetcher);
	if (!TAILQ_EMPTY(&fetcher->ended))
		return 0;
	next_ms = fetcher->timer_ms >= 0 && fetcher->timer_ms < fetcher->until_ms ? fetcher->timer_ms : fetcher->until_ms;
	if (next_ms == INT64_MAX)
		return -1;
	return next_ms <= now_ms ? 0 : (int)(next_ms - now_ms < FAN_FETCH_MS ? next_ms - now_ms : FAN_FETCH_MS);
}

/* ---- Requests ------------------------------------------------------------------------------------------------------------------ */

static struct transfer *
new_transfer(struct fan_fetcher *fetcher, const struct fan_fetch_request *request)
{
	const unsigned limit_ms = request->time_limit_ms > 0 ? request->time_limit_ms : FAN_FETCH_MS;
	struct transfer *transfer = calloc(1, sizeof(*transfer));

	FAN_REQUIRE(transfer != NULL);
	transfer->easy = curl_easy_init();
	FAN_REQUIRE(transfer->easy != NULL);
	transfer->fetcher = fetcher;
	transfer->loopback_allowed = request->rule->loopback_allowed;
	transfer->until_ms = fan_face_now_ms(fetcher->face) + limit_ms;
	transfer->request_bytes = request->body != NULL ? request->body_bytes : 0;
	transfer->answer_bytes_max = request->answer_bytes_max;
	return transfer;
}

static int
prepare(struct transfer *transfer, const struct fan_fetch_request *request)
{
	struct target target;
	int error;

	transfer->refused = true;
	if (strlen(request->owner) >= FAN_FETCH_OWNER_BYTES)
		return fan_fail(FAN_E_INVALID, "an owner's name has more than %d octets", FAN_FETCH_OWNER_BYTES - 1);
	error = judge_url(&target, request->url, request->rule);
	transfer->url = target.url;
	transfer->is_plain = target.is_plain;
	(void)snprintf(transfer->origin, sizeof(transfer->origin), "%s", target.origin);
	if (error == 0)
		error = set_request(transfer, request);
	if (error != 0)
		return error;
	transfer->refused = false;
	return enter_lane(transfer, request);
}

void
fan_fetch(struct fan_fetcher *fetcher, const struct fan_fetch_request *request,
	  void (*done)(void *user, const struct fan_fetch_answer *answer), void *user)
{
	struct transfer *transfer = new_transfer(fetcher, request);

	transfer->done = done;
	transfer->user = user;
	fetcher->count++;
	if (prepare(transfer, request) != 0) {
		(void)snprintf(transfer->why, sizeof(transfer->why), "%s%s%s", transfer->origin,
			       transfer->origin[0] != '\0' ? ": " : "", fan_error_detail());
		TAILQ_INSERT_TAIL(&fetcher->ended, transfer, entry);
	} else if (transfer->until_ms < fetcher->until_ms) {
		fetcher->until_ms = transfer->until_ms;
	}
	fan_face_hurry(fetcher->face);
}

unsigned
fan_fetch_count(const struct fan_fetcher *fetcher)
{
	return fetcher->count;
}

/* ---- Its life ------------------------------------------------------------------------------------------------------------------ */

int
fan_fetcher_open(struct fan_fetcher **out, struct fan_face *face)
{
	struct fan_fetcher *fetcher = calloc(1, sizeof(*fetcher));

	*out = NULL;
	if (fetcher == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for HTTP requests");
	fetcher->face = face;
	fetcher->timer_ms = -1;
	fetcher->until_ms = INT64_MAX;
	TAILQ_INIT(&fetcher->running);
	TAILQ_INIT(&fetcher->ended);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		fetcher->multi = curl_multi_init();
	if (fetcher->multi == NULL) {
		free(fetcher);
		return fan_fail(FAN_E_IO, "libcurl does not start");
	}
	(void)curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, want_events);
	(void)curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
	(void)curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	(void)curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
	(void)curl_multi_setopt(fetcher->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS);
	fan_face_each_turn(face, run_fetcher, fetcher);
	*out = fetcher;
	return 0;
}

void
fan_fetcher_close(struct fan_fetcher *fetcher)
{
	struct transfer *transfer;

	if (fetcher == NULL)
		return;
	while ((transfer = TAILQ_FIRST(&fetcher->running)) != NULL) {
		end_running(transfer, CURLE_ABORTED_BY_CALLBACK);
		(void)snprintf(transfer->why, sizeof(transfer->why), SHOWN ": the face ends", transfer->origin);
	}
	for (struct lane *lane = fetcher->lanes; lane < fetcher->lanes + FAN_FETCH_LANES_MAX; lane++)
		while (lane->origin[0] != '\0' && lane->waiting > 0) {
			transfer = TAILQ_FIRST(&lane->queue);
			(void)snprintf(transfer->why, sizeof(transfer->why), SHOWN ": the face ends", transfer->origin);
			end_waiting(transfer);
		}
	while (!TAILQ_EMPTY(&fetcher->ended))
		tell_ended(fetcher);
	(void)curl_multi_cleanup(fetcher->multi);
	curl_global_cleanup();
	free(fetcher);
}
