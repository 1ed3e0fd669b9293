/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "fetch.h"

#include "../control/log.h"
#include "target.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

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
	char origin[FAN_TARGET_ORIGIN_BYTES];
	char curl_error[CURL_ERROR_SIZE];
	char why[WHY_BYTES]; /* "": it has an answer */
	void (*done)(void *user, const struct fan_fetch_answer *answer);
	void *user;
};

TAILQ_HEAD(transfers, transfer);

struct lane {
	char owner[FAN_FETCH_OWNER_BYTES]; /* with an empty origin: the place is free */
	char origin[FAN_TARGET_ORIGIN_BYTES];
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

/* ---- libcurl's calls ----------------------------------------------------------------------------------------------------------- */

/* Records why, if not and if no other address may. */
static bool
may_connect(struct transfer *transfer, const struct sockaddr *address)
{
	static const char *const what[] = { "another host's", "a loopback address", "an address of this host",
					    "link-local, multicast, reserved, or hides an IPv4 address" };
	const enum fan_target_kind kind = fan_target_judge(address);
	const bool may = transfer->is_plain
				 ? kind == FAN_TARGET_LOOPBACK && transfer->loopback_allowed
				 : kind == FAN_TARGET_OTHER || (kind != FAN_TARGET_NEVER && transfer->loopback_allowed);

	transfer->is_connecting = transfer->is_connecting || may;
	transfer->refused = !transfer->is_connecting;
	if (transfer->refused)
		(void)snprintf(transfer->why, sizeof(transfer->why), SHOWN ": its address is %s: %s", transfer->origin,
			       what[kind],
			       transfer->is_plain ? "http goes to loopback alone, take https" : "no target may be there");
	return may;
}

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
		fan_log(FAN_LOG_NOTE, NULL, "%s", fan_error_detail());
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
	struct fan_target target;
	int error;

	transfer->refused = true;
	if (strlen(request->owner) >= FAN_FETCH_OWNER_BYTES)
		return fan_fail(FAN_E_INVALID, "an owner's name has more than %d octets", FAN_FETCH_OWNER_BYTES - 1);
	error = fan_target_parse(&target, request->url, request->rule);
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

int
fan_fetch_check(const char *url, const struct fan_fetch_rule *rule)
{
	struct fan_target target;
	const int error = fan_target_parse(&target, url, rule);

	curl_url_cleanup(target.url);
	return error;
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
