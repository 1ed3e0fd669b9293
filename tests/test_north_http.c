/* SPDX-License-Identifier: BSD-3-Clause */
/* The HTTP of faces, served by a process of its own to clients that are well-behaved, slow, long-winded or many. */
#include "../host-api/north/http.h"
#include "certificates.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_MS 700
#define BODY_BYTES_MAX 1000
#define CONNECTIONS_MAX 4
#define ANSWER_BYTES 4096

static pid_t server;
static uint16_t port;

/* ---- The face ------------------------------------------------------------------------------------------------------------------ */

struct serving {
	struct fan_face *face;
	struct fan_http_request *late; /* answered with the next tick */
	struct fan_http_stream *stream;
	int events;
};

static ssize_t
read_event(void *user, char *buffer, size_t room)
{
	struct serving *serving = user;

	if (serving->events == 0)
		return 0;
	serving->events--;
	return snprintf(buffer, room, "data: hello\n\n");
}

static void
stream_gone(void *user)
{
	struct serving *serving = user;

	serving->stream = NULL;
}

static void
handle(void *user, struct fan_http_request *request)
{
	static const struct fan_http_field fields[] = { { "Content-Type", "text/plain" } };
	struct serving *serving = user;
	size_t bytes;
	const char *body = fan_http_body(request, &bytes);

	if (strcmp(fan_http_path(request), "/late") == 0)
		serving->late = request;
	else if (strcmp(fan_http_path(request), "/stream") == 0)
		serving->stream = fan_http_stream(request, 200, fields, 1, read_event, stream_gone, serving);
	else if (strcmp(fan_http_method(request), "POST") == 0)
		fan_http_answer(request, 200, fields, 1, body, bytes);
	else
		fan_http_answer(request, 200, fields, 1, fan_http_path(request), strlen(fan_http_path(request)));
}

static void
tick(void *user)
{
	struct serving *serving = user;

	if (serving->late != NULL)
		fan_http_answer(serving->late, 202, NULL, 0, "late", 4);
	serving->late = NULL;
	serving->events = 1;
	if (serving->stream != NULL)
		fan_http_wake(serving->stream);
}

static void
serve(int told, unsigned deadline_ms)
{
	const struct fan_face_options face = { .name = "test", .socket = "/nonexistent/control.sock" };
	struct serving serving = { .face = NULL };
	struct fan_http_options options = { .address = "127.0.0.1",
					    .connections_max = CONNECTIONS_MAX,
					    .connections_of_address_max = CONNECTIONS_MAX,
					    .body_bytes_max = BODY_BYTES_MAX,
					    .deadline_ms = deadline_ms,
					    .handle = handle,
					    .user = &serving };
	struct fan_http *http = NULL;
	uint16_t at;

	if (fan_face_open(&serving.face, &face) != 0 || fan_http_open(&http, serving.face, &options) != 0)
		_exit(1);
	at = fan_http_port(http);
	fan_face_every(serving.face, 50, tick, &serving);
	if (write(told, &at, sizeof(at)) != sizeof(at) || fan_face_run(serving.face) != 0)
		_exit(1);
	fan_http_close(http);
	fan_face_close(serving.face);
	_exit(0);
}

static void
begin(unsigned deadline_ms)
{
	int told[2];

	cr_assert_eq(pipe(told), 0);
	server = fork();
	if (server == 0)
		serve(told[1], deadline_ms);
	cr_assert_eq(read(told[0], &port, sizeof(port)), (ssize_t)sizeof(port));
	close(told[0]);
	close(told[1]);
}

static void
set_up(void)
{
	begin(DEADLINE_MS);
}

static void
set_up_patient(void)
{
	begin(3600 * 1000);
}

/* It ends in order, with whatever is connected. */
static void
tear_down(void)
{
	int status;

	cr_assert_eq(kill(server, SIGTERM), 0);
	cr_assert_eq(waitpid(server, &status, 0), server);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
}

TestSuite(north_http, .init = set_up, .fini = tear_down, .timeout = 60);
TestSuite(north_http_patient, .init = set_up_patient, .fini = tear_down, .timeout = 60);

/* ---- Clients ------------------------------------------------------------------------------------------------------------------- */

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int
connect_client(void)
{
	const struct sockaddr_in name = { .sin_family = AF_INET,
					  .sin_port = htons(port),
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const int client = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(connect(client, (const struct sockaddr *)&name, sizeof(name)), 0, "%s", strerror(errno));
	return client;
}

static void
say(int client, const char *text)
{
	(void)!send(client, text, strlen(text), MSG_NOSIGNAL);
}

/* Reads until `end` has come, the connection has ended, or some seconds have passed. */
static const char *
hear(int client, const char *end)
{
	static char answer[ANSWER_BYTES];
	struct pollfd poller = { .fd = client, .events = POLLIN };
	size_t bytes = 0;
	ssize_t got = 1;

	answer[0] = '\0';
	while (got > 0 && bytes < sizeof(answer) - 1 && (end == NULL || strstr(answer, end) == NULL) &&
	       poll(&poller, 1, 5000) == 1) {
		got = recv(client, answer + bytes, sizeof(answer) - 1 - bytes, 0);
		bytes += got > 0 ? (size_t)got : 0;
		answer[bytes] = '\0';
	}
	return answer;
}

static void
assert_answer(const char *request, const char *first, const char *end)
{
	const int client = connect_client();
	const char *answer;

	say(client, request);
	answer = hear(client, end);
	cr_assert_eq(strncmp(answer, first, strlen(first)), 0, "%s: %s", request, answer);
	cr_assert_not_null(strstr(answer, end), "%s: %s", request, answer);
	close(client);
}

Test(north_http, requests_are_answered)
{
	assert_answer("GET /a%2Fb?x=1 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200", "\r\n\r\n/a%2Fb");
	assert_answer("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 200", "\r\n\r\nhello");
	assert_answer("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
		      "HTTP/1.1 200", "\r\n\r\nhello");
	assert_answer("GET /late HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 202", "\r\n\r\nlate");
}

Test(north_http, one_connection_has_many_requests)
{
	const int client = connect_client();

	for (unsigned i = 0; i < 50; i++) {
		say(client, i % 2 == 0 ? "GET /one HTTP/1.1\r\nHost: x\r\n\r\n" : "GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
		cr_assert_not_null(strstr(hear(client, i % 2 == 0 ? "/one" : "late"), "HTTP/1.1 20"), "%u", i);
	}
	close(client);
}

Test(north_http, what_is_too_long_is_refused)
{
	static char long_header[FAN_HTTP_HEADER_BYTES_MAX + 1000], long_body[4 * BODY_BYTES_MAX];
	int client;

	assert_answer("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", "HTTP/1.1 413", "Content Too Large");
	assert_answer("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", "HTTP/1.1 4", "\r\n\r\n");
	(void)snprintf(long_body, sizeof(long_body),
		       "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n%01001d\r\n0\r\n\r\n", 0);
	assert_answer(long_body, "HTTP/1.1 413", "Content Too Large");
	(void)snprintf(long_header, sizeof(long_header), "GET / HTTP/1.1\r\nHost: x\r\nX: %0*d\r\n\r\n",
		       FAN_HTTP_HEADER_BYTES_MAX, 0);
	client = connect_client();
	say(client, long_header);
	cr_assert_null(strstr(hear(client, NULL), " 200 "));
	close(client);
}

Test(north_http, what_can_be_read_in_two_ways_is_refused)
{
	static const char *const twice[] = { "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
					     "Content-Length: 3\r\nContent-Length: 5\r\n",
					     "Content-Length: 3\r\ncontent-length: 3\r\n",
					     "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
					     "Transfer-Encoding: gzip, chunked\r\n",
					     "Transfer-Encoding: identity\r\n",
					     "Host: y\r\n",
					     "Content-Length: 3\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n" };
	char request[512];

	for (unsigned i = 0; i < sizeof(twice) / sizeof(twice[0]); i++) {
		(void)snprintf(request, sizeof(request), "POST / HTTP/1.1\r\nHost: x\r\n%s\r\nabc", twice[i]);
		assert_answer(request, "HTTP/1.1 400", "Bad Request");
	}
	assert_answer("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "HTTP/1.1 200",
		      "abc");
}

/* It keeps saying something, and would be heard for ever. */
Test(north_http, a_client_that_drips_is_closed)
{
	static const char *const begins[] = { "GET / HTTP/1.1\r\nHost: x\r\n",
					      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n", "" };

	for (unsigned i = 0; i < 3; i++) {
		const int client = connect_client();
		const double begin_s = now_s();
		struct pollfd poller = { .fd = client, .events = POLLIN };
		char octet;

		say(client, begins[i]);
		while (now_s() - begin_s < 20 && poll(&poller, 1, 100) == 0)
			say(client, "a");
		cr_assert_leq(recv(client, &octet, 1, 0), 0, "%u: it is answered", i);
		cr_assert_lt(now_s() - begin_s, 15, "%u: it is not closed", i);
		close(client);
	}
}

Test(north_http, a_stream_goes_on_beyond_the_deadline)
{
	const int client = connect_client();
	const double begin_s = now_s();

	say(client, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
	while (now_s() - begin_s < 3 * DEADLINE_MS / 1000.0)
		cr_assert_not_null(strstr(hear(client, "data: hello\n\n"), "data: hello"));
	close(client);
}

Test(north_http, one_more_than_the_limit_waits_for_a_place)
{
	int clients[CONNECTIONS_MAX + 1];
	struct pollfd poller;

	for (unsigned i = 0; i < CONNECTIONS_MAX + 1; i++) {
		clients[i] = connect_client();
		say(clients[i], "GET /one HTTP/1.1\r\nHost: x\r\n\r\n");
		if (i < CONNECTIONS_MAX)
			cr_assert_not_null(strstr(hear(clients[i], "/one"), " 200 "), "%u", i);
	}
	poller = (struct pollfd){ .fd = clients[CONNECTIONS_MAX], .events = POLLIN };
	cr_assert_eq(poll(&poller, 1, DEADLINE_MS / 3), 0, "it is answered beyond the limit");
	close(clients[0]);
	cr_assert_not_null(strstr(hear(clients[CONNECTIONS_MAX], "/one"), " 200 "));
	for (unsigned i = 1; i < CONNECTIONS_MAX + 1; i++)
		close(clients[i]);
}

/* ---- Certificates --------------------------------------------------------------------------------------------------------------- */

static void
append_file(FILE *out, const char *path)
{
	char text[4096];
	FILE *in = fopen(path, "r");
	const size_t bytes = in != NULL ? fread(text, 1, sizeof(text), in) : 0;

	cr_assert(bytes > 0 && bytes < sizeof(text) && fwrite(text, 1, bytes, out) == bytes);
	(void)fclose(in);
}

/* Of a chain, and of CAs, it is the first that matters. */
Test(north_http, more_connections_than_descriptors_are_refused)
{
	const struct rlimit few = { 500, 500 };
	const struct fan_face_options as = { .name = "test", .socket = "/nonexistent/control.sock" };
	struct fan_http_options options = { .address = "127.0.0.1", .connections_max = 500, .handle = handle };
	struct fan_http *http;
	struct fan_face *face;

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	cr_assert_eq(fan_face_open(&face, &as), 0);
	cr_assert_eq(fan_http_open(&http, face, &options), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "500 connections: this process may have 500 descriptors"), "%s",
			   fan_error_detail());
	options.connections_max = options.connections_of_address_max = 300;
	cr_assert_eq(fan_http_open(&http, face, &options), 0, "%s", fan_error_detail());
	fan_http_close(http);
	fan_face_close(face);
}

Test(north_http, a_file_expires_with_the_first_of_its_certificates)
{
	static const long ends_s[] = { 300000, 100000, 200000 };
	char chain[] = "/tmp/fanfare-chain-XXXXXX", one[] = "/tmp/fanfare-one-XXXXXX";
	FILE *out = fdopen(mkstemp(chain), "w");
	const int64_t now_s = (int64_t)time(NULL);
	int64_t expiry_s = 0;

	(void)close(mkstemp(one));
	for (size_t i = 0; i < sizeof(ends_s) / sizeof(ends_s[0]); i++) {
		const struct fan_test_certificate_order order = { .name = "as.test", .from_s = -10, .to_s = ends_s[i] };
		struct fan_test_certificate certificate = fan_test_certificate_new(&order, NULL);

		fan_test_certificate_write(&certificate, one, NULL);
		append_file(out, one);
		fan_test_certificate_free(&certificate);
	}
	(void)fclose(out);
	cr_assert_eq(fan_http_read_expiry(&expiry_s, chain), 0, "%s", fan_error_detail());
	cr_assert(expiry_s >= now_s + 100000 && expiry_s < now_s + 200000, "%ld", (long)(expiry_s - now_s));
	out = fopen(one, "w");
	fputs("no certificate\n", out);
	(void)fclose(out);
	cr_assert_eq(fan_http_read_expiry(&expiry_s, one), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), one), "%s", fan_error_detail());
	cr_assert_eq(fan_http_read_expiry(&expiry_s, "/nowhere.pem"), FAN_E_INVALID);
	unlink(chain);
	unlink(one);
}

/* The server stands still meanwhile, so that a line's beginning and the end of its connection come in one. */
Test(north_http_patient, who_leaves_in_the_middle_of_a_request_keeps_no_place)
{
	int client;

	cr_assert_eq(kill(server, SIGSTOP), 0);
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
		client = connect_client();
		say(client, "GET /half");
		close(client);
	}
	cr_assert_eq(kill(server, SIGCONT), 0);
	client = connect_client();
	say(client, "GET /whole HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_assert_not_null(strstr(hear(client, "/whole"), "/whole"));
	close(client);
}

Test(north_http_patient, who_has_said_all_and_still_listens_is_answered)
{
	const int client = connect_client();

	say(client, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_assert_eq(shutdown(client, SHUT_WR), 0);
	cr_assert_not_null(strstr(hear(client, "late"), "202 Accepted"));
	close(client);
}
