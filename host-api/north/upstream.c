/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "upstream.h"

#include "../control/log.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define IN_BYTES_MAX (FAN_CONTROL_UNSENT_BYTES_MAX + FAN_CONTROL_LINE_BYTES_MAX)
#define RETRY_MS 500
#define HELLO_ID 0

struct call {
	int64_t id, until_ms;
	char *line; /* owned; NULL: it was sent */
	size_t line_bytes, sent;
	int descriptor;
	const char *failure;                                            /* static; NULL: none */
	void (*done)(void *user, const struct fan_face_answer *answer); /* NULL: it was told that it waits too long */
	void *user;
};

struct fan_upstream {
	struct fan_face *face;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int socket; /* -1: none */
	bool greeted;
	char *in; /* owned */
	size_t in_bytes, in_room;
	int64_t next_id, retry_ms;
	struct call **calls; /* owned, in the order of calling */
	unsigned count, room;
	unsigned told; /* of them, those that the daemon has and has not answered */
};

/* ---- Calls ------------------------------------------------------------------------------------------------------------------- */

static void
take_out(struct fan_upstream *upstream, const struct call *call)
{
	unsigned at = 0;

	while (upstream->calls[at] != call)
		at++;
	upstream->count--;
	memmove(&upstream->calls[at], &upstream->calls[at + 1], (upstream->count - at) * sizeof(struct call *));
}

static void
append(struct fan_upstream *upstream, struct call *call)
{
	if (upstream->count == upstream->room) {
		upstream->room = upstream->room * 2 + 64;
		upstream->calls = reallocarray(upstream->calls, upstream->room, sizeof(struct call *));
		FAN_REQUIRE(upstream->calls != NULL);
	}
	upstream->calls[upstream->count++] = call;
}

static void
free_call(struct fan_upstream *upstream, struct call *call)
{
	take_out(upstream, call);
	if (call->line != NULL)
		explicit_bzero(call->line, call->line_bytes);
	else
		upstream->told--;
	free(call->line);
	if (call->descriptor >= 0)
		(void)close(call->descriptor);
	free(call);
}

static void
end_call(struct fan_upstream *upstream, struct call *call, const struct fan_face_answer *answer)
{
	void (*const done)(void *user, const struct fan_face_answer *answer) = call->done;
	void *const user = call->user;

	free_call(upstream, call);
	if (done != NULL)
		done(user, answer);
}

static void
fail_call(struct fan_upstream *upstream, struct call *call, const char *why)
{
	const struct fan_face_answer answer = { .failure = FAN_FACE_GONE, .why = why };

	end_call(upstream, call, &answer);
}

/* A call's line, with an LF in the place of its end. NULL: no memory, or it is too long. Takes params. */
static char *
make_line(size_t *line_bytes, int64_t id, const char *method, json_t *params)
{
	json_t *request = json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id", (json_int_t)id, "method", method, "params",
				    params != NULL ? params : json_object());
	char *line = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);

	json_decref(request);
	*line_bytes = line == NULL ? 0 : strlen(line) + 1;
	if (*line_bytes > FAN_CONTROL_LINE_BYTES_MAX) {
		free(line);
		return NULL;
	}
	if (line != NULL)
		line[*line_bytes - 1] = '\n';
	return line;
}

void
fan_upstream_call(struct fan_upstream *upstream, const char *method, json_t *params, int descriptor,
		  void (*done)(void *user, const struct fan_face_answer *answer), void *user)
{
	struct call *call = calloc(1, sizeof(*call));

	FAN_REQUIRE(call != NULL);
	call->id = ++upstream->next_id;
	call->until_ms = fan_face_now_ms(upstream->face) + FAN_FACE_CALL_MS;
	call->descriptor = descriptor;
	call->done = done;
	call->user = user;
	call->line = make_line(&call->line_bytes, call->id, method, params);
	if (call->line == NULL) {
		upstream->told++;
		call->failure = "a request is longer than a line of the control socket may be";
	} else if (upstream->count >= FAN_FACE_CALLS_MAX)
		call->failure = "too many requests wait for the daemon";
	else if (upstream->socket < 0)
		call->failure = "`fanfare serve` does not answer";
	append(upstream, call);
	fan_face_hurry(upstream->face);
}

/* ---- The connection ------------------------------------------------------------------------------------------------------------ */

static void
disconnect(struct fan_upstream *upstream)
{
	if (upstream->socket < 0)
		return;
	if (upstream->greeted)
		fan_log(FAN_LOG_DAEMON_LOST, NULL, "%s: the daemon has gone", upstream->path);
	fan_face_unwatch(upstream->face, upstream->socket);
	(void)close(upstream->socket);
	upstream->socket = -1;
	upstream->greeted = false;
	upstream->in_bytes = 0;
	upstream->retry_ms = fan_face_now_ms(upstream->face) + RETRY_MS;
	/* They are told in the next turn. */
	for (unsigned i = 0; i < upstream->count; i++)
		upstream->calls[i]->failure = "`fanfare serve` has gone";
	fan_face_hurry(upstream->face);
}

static struct call *
find_call(const struct fan_upstream *upstream, int64_t id)
{
	for (unsigned i = 0; i < upstream->count; i++)
		if (upstream->calls[i]->id == id && upstream->calls[i]->line == NULL)
			return upstream->calls[i];
	return NULL;
}

static void
send_hello(struct fan_upstream *upstream)
{
	size_t line_bytes;
	char *line = make_line(&line_bytes, HELLO_ID, "hello", json_pack("{s:i}", "version", FAN_CONTROL_VERSION));

	if (line == NULL || send(upstream->socket, line, line_bytes, MSG_NOSIGNAL) != (ssize_t)line_bytes)
		disconnect(upstream);
	free(line);
}

static void
take_hello(struct fan_upstream *upstream, const json_t *object)
{
	const json_t *error = json_object_get(object, "error");

	if (error != NULL) {
		fan_log(FAN_LOG_NOTE, NULL, "%s: %s", upstream->path, json_string_value(json_object_get(error, "message")));
		disconnect(upstream);
		return;
	}
	upstream->greeted = true;
	fan_log(FAN_LOG_DAEMON_BACK, NULL, "%s: the daemon is there", upstream->path);
}

static void
take_answer(struct fan_upstream *upstream, struct call *call, const json_t *object)
{
	const json_t *error = json_object_get(object, "error");
	const char *why = json_string_value(json_object_get(error, "message"));
	const struct fan_face_answer answer = {
		.failure = error != NULL ? FAN_FACE_REFUSED : FAN_FACE_DONE,
		.result = json_object_get(object, "result"),
		.code = (int)json_integer_value(json_object_get(error, "code")),
		.why = why != NULL ? why : "the daemon says no reason",
	};

	end_call(upstream, call, &answer);
}

static void
take_object(struct fan_upstream *upstream, const json_t *object)
{
	const json_t *id = json_object_get(object, "id");
	const char *method = json_string_value(json_object_get(object, "method"));
	struct call *call;

	if (method != NULL && strcmp(method, "hello") == 0 && !upstream->greeted)
		send_hello(upstream);
	if (!json_is_integer(id))
		return;
	if (json_integer_value(id) == HELLO_ID && !upstream->greeted) {
		take_hello(upstream, object);
		return;
	}
	call = find_call(upstream, json_integer_value(id));
	if (call != NULL)
		take_answer(upstream, call, object);
}

/* False: what came is no line of this protocol. */
static bool
take_lines(struct fan_upstream *upstream)
{
	size_t start = 0;
	const char *end;

	while (upstream->socket >= 0 && (end = memchr(upstream->in + start, '\n', upstream->in_bytes - start)) != NULL) {
		json_t *object = json_loadb(upstream->in + start, (size_t)(end - upstream->in) - start, 0, NULL);

		if (object == NULL)
			return false;
		start = (size_t)(end - upstream->in) + 1;
		take_object(upstream, object);
		json_decref(object);
	}
	if (upstream->socket < 0)
		return true;
	upstream->in_bytes -= start;
	memmove(upstream->in, upstream->in + start, upstream->in_bytes);
	return upstream->in_bytes < IN_BYTES_MAX;
}

static bool
make_room(struct fan_upstream *upstream)
{
	char *in;

	if (upstream->in_bytes < upstream->in_room)
		return true;
	in = realloc(upstream->in, upstream->in_room * 2 + 65536);
	if (in == NULL)
		return false;
	upstream->in = in;
	upstream->in_room = upstream->in_room * 2 + 65536;
	return true;
}

static void
receive(void *user, uint32_t events)
{
	struct fan_upstream *upstream = user;
	ssize_t got;

	(void)events;
	if (!make_room(upstream))
		return;
	got = recv(upstream->socket, upstream->in + upstream->in_bytes, upstream->in_room - upstream->in_bytes, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got > 0) {
		upstream->in_bytes += (size_t)got;
		if (take_lines(upstream))
			return;
		fan_log(FAN_LOG_NOTE, NULL, "%s: what answers is no %s", upstream->path, FAN_CONTROL_PROTOCOL);
	}
	disconnect(upstream);
}

static void
connect_again(struct fan_upstream *upstream)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	memcpy(name.sun_path, upstream->path, sizeof(name.sun_path));
	upstream->retry_ms = fan_face_now_ms(upstream->face) + RETRY_MS;
	upstream->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (upstream->socket < 0)
		return;
	if (connect(upstream->socket, (const struct sockaddr *)&name, sizeof(name)) == 0 &&
	    fan_face_watch(upstream->face, upstream->socket, EPOLLIN, receive, upstream) == 0)
		return;
	(void)close(upstream->socket);
	upstream->socket = -1;
}

/* ---- Sending ----------------------------------------------------------------------------------------------------------------- */

/* False: the socket takes no more now. */
static bool
send_line(struct fan_upstream *upstream, struct call *call)
{
	union {
		struct cmsghdr header; /* for its alignment */
		char octets[CMSG_SPACE(sizeof(int))];
	} control = { .octets = { 0 } };
	struct iovec piece = { .iov_base = call->line + call->sent, .iov_len = call->line_bytes - call->sent };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
	ssize_t sent;

	if (call->sent == 0 && call->descriptor >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
						   .cmsg_level = SOL_SOCKET,
						   .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.header), &call->descriptor, sizeof(call->descriptor));
	}
	sent = sendmsg(upstream->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		disconnect(upstream);
	call->sent += sent > 0 ? (size_t)sent : 0;
	if (call->sent < call->line_bytes)
		return false;
	explicit_bzero(call->line, call->line_bytes);
	free(call->line);
	call->line = NULL;
	upstream->told++;
	return true;
}

static void
send_waiting(struct fan_upstream *upstream)
{
	for (unsigned i = 0; i < upstream->count; i++) {
		struct call *call = upstream->calls[i];

		if (call->line == NULL || call->failure != NULL)
			continue;
		if (upstream->told >= FAN_CONTROL_REQUESTS_MAX || !send_line(upstream, call))
			return;
	}
}

/* The next one that has failed, or waits too long; NULL: none. */
static struct call *
next_failed(const struct fan_upstream *upstream)
{
	const int64_t now_ms = fan_face_now_ms(upstream->face);

	for (unsigned i = 0; i < upstream->count; i++) {
		struct call *call = upstream->calls[i];

		if (call->failure != NULL || (call->done != NULL && now_ms > call->until_ms))
			return call;
	}
	return NULL;
}

/* One that the daemon has keeps its place until it is answered: the daemon counts it. So does one of which it has the beginning: the rest follows,
 * or the next one would be taken for that. */
static void
fail_late(struct call *call)
{
	const struct fan_face_answer answer = { .failure = FAN_FACE_GONE, .why = "`fanfare serve` has not answered in time" };
	void (*const done)(void *user, const struct fan_face_answer *answer) = call->done;

	call->done = NULL;
	done(call->user, &answer);
}

static int
turn(void *user)
{
	struct fan_upstream *upstream = user;
	struct call *call;

	if (upstream->socket < 0 && fan_face_now_ms(upstream->face) >= upstream->retry_ms)
		connect_again(upstream);
	if (upstream->greeted)
		send_waiting(upstream);
	while ((call = next_failed(upstream)) != NULL) {
		if (call->failure == NULL && (call->line == NULL || call->sent > 0))
			fail_late(call);
		else
			fail_call(upstream, call,
				  call->failure != NULL ? call->failure : "`fanfare serve` has not answered in time");
	}
	return upstream->socket < 0 ? RETRY_MS : -1;
}

/* ---- Its life ------------------------------------------------------------------------------------------------------------------ */

int
fan_upstream_open(struct fan_upstream **out, struct fan_face *face, const char *path)
{
	const char *variable = getenv(FAN_CONTROL_SOCKET_VARIABLE);
	struct fan_upstream *upstream = calloc(1, sizeof(*upstream));

	if (upstream == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for a face");
	if (path == NULL || path[0] == '\0')
		path = variable != NULL ? variable : FAN_CONTROL_SOCKET;
	upstream->face = face;
	upstream->socket = -1;
	if (strlen(path) >= sizeof(upstream->path)) {
		free(upstream);
		return fan_fail(FAN_E_INVALID, "%.64s...: longer than the %zu octets of a socket's name", path,
				sizeof(upstream->path) - 1);
	}
	(void)snprintf(upstream->path, sizeof(upstream->path), "%s", path);
	fan_face_each_turn(face, turn, upstream);
	connect_again(upstream);
	*out = upstream;
	return 0;
}

void
fan_upstream_close(struct fan_upstream *upstream)
{
	if (upstream == NULL)
		return;
	upstream->greeted = false; /* nobody has gone but this face */
	disconnect(upstream);
	while (upstream->count > 0)
		fail_call(upstream, upstream->calls[0], "this face ends");
	free(upstream->calls);
	if (upstream->in != NULL)
		explicit_bzero(upstream->in, upstream->in_room);
	free(upstream->in);
	free(upstream);
}

bool
fan_upstream_connected(const struct fan_upstream *upstream)
{
	return upstream->greeted;
}
