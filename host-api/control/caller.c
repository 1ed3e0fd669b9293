/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "caller.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX (FAN_CONTROL_UNSENT_BYTES_MAX + 1)

static int
connect_to(const char *path, unsigned timeout_ms)
{
	const struct timeval limit = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int socket_fd;

	if (strlen(path) >= sizeof(name.sun_path))
		return fan_fail(FAN_E_INVALID, "%s: longer than the %zu octets of a socket's name", path,
				sizeof(name.sun_path) - 1);
	memcpy(name.sun_path, path, strlen(path) + 1);
	socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (socket_fd >= 0 && timeout_ms > 0) {
		(void)setsockopt(socket_fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		(void)setsockopt(socket_fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	}
	if (socket_fd >= 0 && connect(socket_fd, (const struct sockaddr *)&name, sizeof(name)) == 0)
		return socket_fd;
	(void)fan_fail(FAN_E_IO, "%s: %s: is `fanfare serve` running, and is this its [serve] socket?", path, strerror(errno));
	if (socket_fd >= 0)
		(void)close(socket_fd);
	return FAN_E_IO;
}

/* ---- Lines ------------------------------------------------------------------------------------------------------------- */

static int
gone(void)
{
	if (errno == EAGAIN)
		return fan_fail(FAN_E_IO, "the daemon does not answer");
	return fan_fail(FAN_E_IO, "the daemon has closed the connection");
}

static int
receive(struct fan_caller *caller)
{
	ssize_t got;

	if (caller->in_bytes == caller->in_room) {
		const size_t room = caller->in_room == 0 ? 65536 : 2 * caller->in_room;
		char *in = room <= 2 * (size_t)ANSWER_BYTES_MAX ? realloc(caller->in, room) : NULL;

		if (in == NULL)
			return fan_fail(FAN_E_MEMORY, "an answer is longer than memory, or %d octets", ANSWER_BYTES_MAX);
		caller->in = in;
		caller->in_room = room;
	}
	do
		got = recv(caller->socket, caller->in + caller->in_bytes, caller->in_room - caller->in_bytes, 0);
	while (got < 0 && errno == EINTR);
	if (got == 0)
		errno = 0;
	if (got <= 0)
		return gone();
	caller->in_bytes += (size_t)got;
	return 0;
}

/* The next object. NULL with an error recorded. */
static json_t *
next_object(struct fan_caller *caller)
{
	json_error_t wrong;
	json_t *object;
	char *end;

	while (caller->in_bytes == 0 || (end = memchr(caller->in, '\n', caller->in_bytes)) == NULL)
		if (receive(caller) != 0)
			return NULL;
	object = json_loadb(caller->in, (size_t)(end - caller->in), 0, &wrong);
	caller->in_bytes -= (size_t)(end + 1 - caller->in);
	memmove(caller->in, end + 1, caller->in_bytes);
	if (object == NULL)
		(void)fan_fail(FAN_E_IO, "what answers is no %s", FAN_CONTROL_PROTOCOL);
	return object;
}

static int
send_line(const struct fan_caller *caller, char *text, int descriptor)
{
	union {
		struct cmsghdr header; /* for its alignment */
		char octets[CMSG_SPACE(sizeof(int))];
	} control = { .octets = { 0 } };
	const size_t text_bytes = strlen(text);
	size_t sent = 0;

	text[text_bytes] = '\n'; /* in the place of its end */
	while (sent < text_bytes + 1) {
		struct iovec piece = { .iov_base = text + sent, .iov_len = text_bytes + 1 - sent };
		struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
		ssize_t n;

		if (sent == 0 && descriptor >= 0) {
			message.msg_control = &control;
			message.msg_controllen = sizeof(control);
			control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
							   .cmsg_level = SOL_SOCKET,
							   .cmsg_type = SCM_RIGHTS };
			memcpy(CMSG_DATA(&control.header), &descriptor, sizeof(descriptor));
		}
		n = sendmsg(caller->socket, &message, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return gone();
		sent += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Takes params. */
static int
send_request(struct fan_caller *caller, const char *method, json_t *params, int descriptor)
{
	json_t *request = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", caller->next_id, "method", method, "params",
				    params != NULL ? params : json_object());
	char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
	const size_t text_bytes = text != NULL ? strlen(text) : 0;
	int error;

	json_decref(request);
	if (text == NULL)
		return fan_fail(FAN_E_INVALID, "a text of the request is no UTF-8");
	error = text_bytes < FAN_CONTROL_LINE_BYTES_MAX
			? send_line(caller, text, descriptor)
			: fan_fail(FAN_E_INVALID, "the request has %zu octets, and a line at most %d", text_bytes,
				   FAN_CONTROL_LINE_BYTES_MAX);
	explicit_bzero(text, text_bytes);
	free(text);
	return error;
}

/* ---- Calls ------------------------------------------------------------------------------------------------------------- */

static int
take_error(struct fan_caller *caller, const json_t *error)
{
	const char *message = json_string_value(json_object_get(error, "message"));
	const json_int_t exit_code = json_integer_value(json_object_get(json_object_get(error, "data"), "exit"));

	caller->code = (int)json_integer_value(json_object_get(error, "code"));
	return fan_fail(exit_code == 2 ? FAN_E_INVALID : FAN_E_IO, "%s", message != NULL ? message : "an error without words");
}

int
fan_caller_call(struct fan_caller *caller, json_t **result, const char *method, json_t *params, int descriptor,
		void (*each)(void *user, const char *method, const json_t *params), void *user)
{
	int error = send_request(caller, method, params, descriptor);

	*result = NULL;
	caller->code = 0;
	while (error == 0) {
		json_t *object = next_object(caller);
		const char *notification = json_string_value(json_object_get(object, "method"));
		const json_t *wrong = json_object_get(object, "error");

		if (object == NULL)
			return FAN_E_IO;
		if (notification != NULL && each != NULL)
			each(user, notification, json_object_get(object, "params"));
		if (wrong != NULL)
			error = take_error(caller, wrong);
		else if (notification == NULL)
			*result = json_incref(json_object_get(object, "result"));
		json_decref(object);
		if (*result != NULL || error != 0)
			break;
	}
	caller->next_id++;
	return error;
}

int
fan_caller_post(struct fan_caller *caller, int *id, const char *method, json_t *params)
{
	const int error = send_request(caller, method, params, -1);

	*id = caller->next_id;
	if (error == 0)
		caller->next_id++;
	return error;
}

bool
fan_caller_pending(const struct fan_caller *caller)
{
	return caller->in_bytes > 0 && memchr(caller->in, '\n', caller->in_bytes) != NULL;
}

int
fan_caller_wait(struct fan_caller *caller, json_t **object)
{
	*object = next_object(caller);
	return *object != NULL ? 0 : FAN_E_IO;
}

static int
greet(struct fan_caller *caller)
{
	json_t *greeting = next_object(caller), *result = NULL;
	const json_t *params = json_object_get(greeting, "params");
	const char *protocol = json_string_value(json_object_get(params, "protocol"));
	const json_int_t version = json_integer_value(json_object_get(params, "version"));
	const char *program = json_string_value(json_object_get(params, "program"));
	int error = 0;

	if (greeting == NULL)
		return FAN_E_IO;
	/* One who is turned away is told why instead. */
	if (json_object_get(greeting, "error") != NULL)
		error = take_error(caller, json_object_get(greeting, "error"));
	else if (protocol == NULL || strcmp(protocol, FAN_CONTROL_PROTOCOL) != 0)
		error = fan_fail(FAN_E_IO, "what answers is no %s", FAN_CONTROL_PROTOCOL);
	else if (version != FAN_CONTROL_VERSION)
		error = fan_fail(FAN_E_UNSUPPORTED,
				 "the daemon (fanfare %s) speaks version %lld of %s, this program (fanfare %s) version %d",
				 program != NULL ? program : "unknown", (long long)version, FAN_CONTROL_PROTOCOL, fan_version(),
				 FAN_CONTROL_VERSION);
	json_decref(greeting);
	if (error == 0)
		error = fan_caller_call(caller, &result, "hello", json_pack("{s:i}", "version", FAN_CONTROL_VERSION), -1, NULL,
					NULL);
	json_decref(result);
	return error;
}

int
fan_caller_open_within(struct fan_caller *caller, const char *path, unsigned timeout_ms)
{
	const char *other = getenv(FAN_CONTROL_SOCKET_VARIABLE);
	int error;

	*caller = (struct fan_caller){ .socket = -1 };
	caller->socket = connect_to(path != NULL ? path : other != NULL ? other : FAN_CONTROL_SOCKET, timeout_ms);
	if (caller->socket < 0)
		return caller->socket;
	error = greet(caller);
	if (error != 0)
		fan_caller_close(caller);
	return error;
}

int
fan_caller_open(struct fan_caller *caller, const char *path)
{
	return fan_caller_open_within(caller, path, 0);
}

void
fan_caller_close(struct fan_caller *caller)
{
	if (caller->socket >= 0)
		(void)close(caller->socket);
	free(caller->in);
	*caller = (struct fan_caller){ .socket = -1 };
}
