/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests of a face to others, and whom it will not speak to. Servers and requests share one loop, so that whatever waited would be seen. Names
 * end in .test and are resolved here: getaddrinfo() below is libcurl's too.
 */
#define _GNU_SOURCE
#include "../host-api/north/fetch.h"

#include "certificates.h"
#include "store_fixture.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <gnutls/gnutls.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ANSWERS_MAX 256
#define ANSWER_BYTES_MAX 1000
#define SLOW_NAME_S 30

/* ---- Names --------------------------------------------------------------------------------------------------------------------- */

static const struct name {
	const char *name, *address;
} names[] = {
	{ "as.test", "127.0.0.1" },
	{ "six.test", "::1" },
	{ "loop.test", "127.0.0.1" },
	{ "loop9.test", "127.9.9.9" },
	{ "loop6.test", "::1" },
	{ "mapped.test", "::ffff:127.0.0.1" },
	{ "compatible.test", "::127.0.0.1" },
	{ "translated.test", "::ffff:0:127.0.0.1" },
	{ "nat64.test", "64:ff9b::7f00:1" },
	{ "nat64link.test", "64:ff9b::a9fe:a9fe" },
	{ "localnat64.test", "64:ff9b:1::1" },
	{ "6to4.test", "2002:7f00:1::" },
	{ "teredo.test", "2001:0:7f00:1::" },
	{ "link.test", "169.254.169.254" },
	{ "link6.test", "fe80::1" },
	{ "linkend.test", "febf::1" },
	{ "multicast.test", "224.0.0.1" },
	{ "multicast6.test", "ff02::1" },
	{ "none.test", "0.0.0.0" },
	{ "none6.test", "::" },
	{ "reserved.test", "240.0.0.1" },
	{ "all.test", "255.255.255.255" },
	{ "other.test", "198.51.100.1" },
	{ "other6.test", "2001:db8::1" },
	{ "slow.test", "127.0.0.1" },
};
static char own_address[INET6_ADDRSTRLEN]; /* of own.test */

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	const struct addrinfo numeric = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (strcmp(name, "slow.test") == 0)
		(void)sleep(SLOW_NAME_S);
	if (strcmp(name, "own.test") == 0)
		return real(own_address, service, &numeric, found);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i].name) == 0)
			return real(names[i].address, service, &numeric, found);
	(void)hints;
	return EAI_NONAME;
}

/* ---- Servers ------------------------------------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/fanfare-fetch-XXXXXX", ca_file[64], other_ca_file[64], server_file[64], server_key_file[64],
	    wrong_file[64], wrong_key_file[64], late_file[64], late_key_file[64], client_file[64], client_key_file[64];

static struct fan_face *face;
static struct fan_fetcher *fetcher;
static struct fan_http *plain, *tls, *wrong_name, *late;
static unsigned asked; /* requests that came */
static pid_t raw_server;
static uint16_t raw_port;

static ssize_t
read_on(void *user, char *buffer, size_t room)
{
	(void)user;
	memset(buffer, 'x', room);
	return (ssize_t)room;
}

static ssize_t
read_nothing(void *user, char *buffer, size_t room)
{
	(void)user;
	(void)buffer;
	(void)room;
	return 0;
}

static void
ignore(void *user)
{
	(void)user;
}

static void
answer_identity(struct fan_http_request *request)
{
	unsigned count = 0;
	void *session = fan_http_session(request);
	const char *text = session != NULL && gnutls_certificate_get_peers(session, &count) != NULL ? "shown" : "none";

	fan_http_answer(request, 200, NULL, 0, text, strlen(text));
}

static void
answer_echo(struct fan_http_request *request)
{
	static const char *const headers[] = { "Content-Type", "X-Test", "Expect", "Authorization", "User-Agent" };
	char text[ANSWER_BYTES_MAX];
	size_t body_bytes, at;
	const char *body = fan_http_body(request, &body_bytes);

	at = (size_t)snprintf(text, sizeof(text), "%s %.*s", fan_http_method(request), (int)body_bytes, body);
	for (unsigned i = 0; i < 5; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, " %s",
				       fan_http_header(request, headers[i]) != NULL ? fan_http_header(request, headers[i])
										    : "-");
	fan_http_answer(request, 200, NULL, 0, text, at);
}

static void
handle(void *user, struct fan_http_request *request)
{
	static const struct fan_http_field moved = { "Location", "/elsewhere" }, later = { "Retry-After", "17" };
	const char *path = fan_http_path(request);
	char body[ANSWER_BYTES_MAX + 1];

	(void)user;
	asked++;
	memset(body, 'b', sizeof(body));
	if (strcmp(path, "/moved") == 0)
		fan_http_answer(request, 307, &moved, 1, NULL, 0);
	else if (strcmp(path, "/busy") == 0)
		fan_http_answer(request, 503, &later, 1, NULL, 0);
	else if (strcmp(path, "/full") == 0)
		fan_http_answer(request, 200, NULL, 0, body, ANSWER_BYTES_MAX);
	else if (strcmp(path, "/over") == 0)
		fan_http_answer(request, 200, NULL, 0, body, ANSWER_BYTES_MAX + 1);
	else if (strcmp(path, "/endless") == 0)
		(void)fan_http_stream(request, 200, NULL, 0, read_on, ignore, NULL);
	else if (strcmp(path, "/stalled") == 0)
		(void)fan_http_stream(request, 200, NULL, 0, read_nothing, ignore, NULL);
	else if (strcmp(path, "/identity") == 0)
		answer_identity(request);
	else if (strcmp(path, "/never") != 0)
		answer_echo(request);
}

static struct fan_http *
open_server(const char *address, const char *certificate_file, const char *key_file)
{
	const struct fan_http_options options = { .address = address,
						  .certificate_file = certificate_file,
						  .key_file = key_file,
						  .trust_file = certificate_file != NULL ? ca_file : NULL,
						  .connections_max = 200,
						  .connections_of_address_max = 200,
						  .body_bytes_max = 2 * FAN_FETCH_LANE_BODY_BYTES_MAX,
						  .deadline_ms = 120000,
						  .handle = handle };
	struct fan_http *http;

	cr_assert_eq(fan_http_open(&http, face, &options), 0, "%s", fan_error_detail());
	return http;
}

/* Headers without end, to each who comes. */
static void
serve_headers(int listener)
{
	static const char begin[] = "HTTP/1.1 200 OK\r\n", line[] = "X-More: 0123456789012345678901234567890123456789\r\n";

	for (;;) {
		const int client = accept(listener, NULL, NULL);

		if (client < 0)
			_exit(1);
		if (send(client, begin, sizeof(begin) - 1, MSG_NOSIGNAL) > 0)
			while (send(client, line, sizeof(line) - 1, MSG_NOSIGNAL) > 0)
				;
		close(client);
	}
}

static void
open_raw_server(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(name);
	const int listener = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(bind(listener, (const struct sockaddr *)&name, bytes), 0);
	cr_assert_eq(listen(listener, 8), 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&name, &bytes), 0);
	raw_port = ntohs(name.sin_port);
	raw_server = fork();
	if (raw_server == 0)
		serve_headers(listener);
	close(listener);
}

static void
name_file(char path[64], const char *name)
{
	(void)snprintf(path, 64, "%s/%s", folder, name);
}

static void
write_certificates(void)
{
	const struct fan_test_certificate_order authority = { .name = "CA", .is_authority = true };
	const struct fan_test_certificate_order orders[] = {
		{ .name = "as", .others = "DNS:as.test,IP:127.0.0.1,DNS:loop.test", .purpose = "serverAuth" },
		{ .name = "elsewhere", .others = "DNS:elsewhere.test", .purpose = "serverAuth" },
		{ .name = "as", .others = "DNS:as.test", .purpose = "serverAuth", .from_s = -7200, .to_s = -3600 },
		{ .name = "face", .purpose = "clientAuth" },
	};
	static char *const files[][2] = { { server_file, server_key_file },
					  { wrong_file, wrong_key_file },
					  { late_file, late_key_file },
					  { client_file, client_key_file } };
	static const char *const file_names[][2] = { { "s", "sk" }, { "w", "wk" }, { "l", "lk" }, { "c", "ck" } };
	struct fan_test_certificate ca = fan_test_certificate_new(&authority, NULL),
				    other = fan_test_certificate_new(&authority, NULL);

	name_file(ca_file, "ca");
	name_file(other_ca_file, "other");
	fan_test_certificate_write(&ca, ca_file, NULL);
	fan_test_certificate_write(&other, other_ca_file, NULL);
	for (unsigned i = 0; i < 4; i++) {
		struct fan_test_certificate own = fan_test_certificate_new(&orders[i], &ca);

		name_file(files[i][0], file_names[i][0]);
		name_file(files[i][1], file_names[i][1]);
		fan_test_certificate_write(&own, files[i][0], files[i][1]);
		fan_test_certificate_free(&own);
	}
	fan_test_certificate_free(&ca);
	fan_test_certificate_free(&other);
}

static void
set_up(void)
{
	const struct fan_face_options options = { .name = "test", .socket = "/nonexistent/control.sock" };

	/* A proxy that nobody runs: whoever took it would fail. */
	(void)setenv("http_proxy", "http://127.0.0.1:1", 1);
	(void)setenv("https_proxy", "http://127.0.0.1:1", 1);
	(void)setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	cr_assert_not_null(mkdtemp(folder));
	write_certificates();
	open_raw_server();
	cr_assert_eq(fan_face_open(&face, &options), 0);
	plain = open_server("127.0.0.1", NULL, NULL);
	tls = open_server("127.0.0.1", server_file, server_key_file);
	wrong_name = open_server("127.0.0.1", wrong_file, wrong_key_file);
	late = open_server("127.0.0.1", late_file, late_key_file);
	cr_assert_eq(fan_fetcher_open(&fetcher, face), 0);
}

static void
tear_down(void)
{
	static const char *const files[] = { ca_file,        other_ca_file, server_file,   server_key_file, wrong_file,
					     wrong_key_file, late_file,     late_key_file, client_file,     client_key_file };

	fan_fetcher_close(fetcher);
	fan_http_close(plain);
	fan_http_close(tls);
	fan_http_close(wrong_name);
	fan_http_close(late);
	fan_face_close(face);
	(void)kill(raw_server, SIGKILL);
	(void)waitpid(raw_server, NULL, 0);
	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		cr_assert_eq(unlink(files[i]), 0, "%s", files[i]);
	cr_assert_eq(rmdir(folder), 0);
}

TestSuite(north_fetch, .init = set_up, .fini = tear_down, .timeout = 120);

/* ---- Requests ------------------------------------------------------------------------------------------------------------------ */

struct got {
	bool is;
	unsigned order, status, retry_after_s;
	char body[ANSWER_BYTES_MAX + 1];
	size_t body_bytes;
	bool cut, refused;
	char why[512];
	void (*then)(void);
};

static struct got answers[ANSWERS_MAX];
static unsigned sent, answered, until; /* the loop ends with so many answers */

static const char *const test_hosts[] = { "*.test", "127.0.0.1", "::1", NULL };
static const struct fan_fetch_rule to_loopback = { .hosts = test_hosts, .loopback_allowed = true, .plain_http_allowed = true };
static const struct fan_fetch_rule to_others = { .hosts = test_hosts };

static void
take(void *user, const struct fan_fetch_answer *answer)
{
	struct got *got = user;

	cr_assert_not(got->is);
	cr_assert_eq(strlen(answer->body), answer->body_bytes);
	cr_assert_eq(answer->status == 0, answer->why[0] != '\0');
	cr_assert_leq(answer->body_bytes, ANSWER_BYTES_MAX);
	got->is = true;
	got->order = answered++;
	got->status = answer->status;
	got->retry_after_s = answer->retry_after_s;
	got->cut = answer->cut;
	got->refused = answer->refused;
	got->body_bytes = answer->body_bytes;
	(void)snprintf(got->body, sizeof(got->body), "%s", answer->body);
	(void)snprintf(got->why, sizeof(got->why), "%s", answer->why);
	if (got->then != NULL)
		got->then();
	if (answered == until)
		fan_face_stop(face);
}

static struct got *
send_request(const struct fan_fetch_request *request)
{
	struct got *got = &answers[sent++];

	cr_assert_lt(sent, ANSWERS_MAX);
	fan_fetch(fetcher, request, take, got);
	cr_assert_not(got->is, "it is answered from within the call");
	return got;
}

static struct fan_fetch_request
get(const char *url, const struct fan_fetch_rule *rule)
{
	return (struct fan_fetch_request){ .owner = "one",
					   .method = "GET",
					   .url = url,
					   .rule = rule,
					   .ca_file = ca_file,
					   .time_limit_ms = 60000,
					   .answer_bytes_max = ANSWER_BYTES_MAX };
}

/* "http://as.test" to the plain server's port, or the TLS server's. */
static const char *
locate(const char *scheme, const char *host, const struct fan_http *server, const char *path)
{
	static char urls[ANSWERS_MAX][128];
	static unsigned next;

	(void)snprintf(urls[next], sizeof(urls[next]), "%s://%s:%u%s", scheme, host, fan_http_port(server), path);
	return urls[next++];
}

static void
run(void)
{
	until = until != 0 ? until : sent;
	cr_assert_eq(fan_face_run(face), 0);
	for (unsigned i = 0; i < sent; i++)
		cr_assert(answers[i].is || until != sent, "%u: no answer", i);
}

static void
assert_text(const struct got *got, unsigned status, const char *body)
{
	cr_assert_eq(got->status, status, "%u %s", got->status, got->why);
	cr_assert_str_eq(got->body, body);
}

static void
assert_none(const struct got *got, bool refused, const char *why)
{
	cr_assert_eq(got->status, 0, "%s: %u", why, got->status);
	cr_assert_not_null(strstr(got->why, why), "%s: %s", why, got->why);
	cr_assert_eq(got->refused, refused, "%s", got->why);
}

/* ---- What is sent, what comes ---------------------------------------------------------------------------------------------------- */

Test(north_fetch, requests_are_sent_as_asked)
{
	static const struct fan_http_field fields[] = { { "X-Test", "a value" } };
	struct fan_fetch_request post = get(locate("http", "as.test", plain, "/"), &to_loopback), empty = post, small = post;
	const struct got *gots[3];

	post.method = "PUT";
	post.body = "hello";
	post.body_bytes = 5;
	post.content_type = "application/json";
	post.fields = fields;
	post.field_count = 1;
	empty.method = "POST";
	gots[0] = send_request(&post);
	gots[1] = send_request(&empty);
	gots[2] = send_request(&small);
	run();
	assert_text(gots[0], 200, "PUT hello application/json a value - - fanfare/" FAN_VERSION);
	assert_text(gots[1], 200, "POST  - - - - fanfare/" FAN_VERSION);
	assert_text(gots[2], 200, "GET  - - - - fanfare/" FAN_VERSION);
	cr_assert_eq(fan_fetch_count(fetcher), 0);
}

Test(north_fetch, answers_are_bounded)
{
	const struct got *full, *over, *endless, *moved, *busy, *headers;
	struct fan_fetch_request request = get(locate("http", "as.test", plain, "/full"), &to_loopback);
	char url[64];

	full = send_request(&request);
	request.url = locate("http", "as.test", plain, "/over");
	over = send_request(&request);
	request.url = locate("http", "as.test", plain, "/endless");
	endless = send_request(&request);
	request.url = locate("http", "as.test", plain, "/moved");
	moved = send_request(&request);
	request.url = locate("http", "as.test", plain, "/busy");
	busy = send_request(&request);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", raw_port);
	request.url = url;
	headers = send_request(&request);
	run();
	cr_assert(full->status == 200 && full->body_bytes == ANSWER_BYTES_MAX && !full->cut, "%s", full->why);
	cr_assert(over->status == 200 && over->body_bytes == ANSWER_BYTES_MAX && over->cut, "%s", over->why);
	cr_assert(endless->status == 200 && endless->body_bytes == ANSWER_BYTES_MAX && endless->cut, "%s", endless->why);
	cr_assert_eq(moved->status, 307);
	cr_assert_eq(asked, 5, "a redirection is followed");
	cr_assert(busy->status == 503 && busy->retry_after_s == 17, "%u", busy->retry_after_s);
	assert_none(headers, false, "octets of headers");
}

/* A header's value with another line in it would be another header. */
Test(north_fetch, what_is_not_one_request_is_refused)
{
	static const struct fan_http_field two_lines[] = { { "X-Test", "a\r\nX-Other: b" } };
	struct fan_fetch_request request = get(locate("http", "as.test", plain, "/"), &to_loopback);
	const struct got *gots[4];

	request.fields = two_lines;
	request.field_count = 1;
	gots[0] = send_request(&request);
	request.field_count = 0;
	request.content_type = "text/plain\nX: y";
	gots[1] = send_request(&request);
	request.content_type = NULL;
	request.method = "GET / HTTP/1.1\r\n";
	gots[2] = send_request(&request);
	request.method = "HEAD";
	gots[3] = send_request(&request);
	run();
	assert_none(gots[0], true, "more than one line");
	assert_none(gots[1], true, "more than one line");
	assert_none(gots[2], true, "takes GET, DELETE");
	assert_none(gots[3], true, "takes GET, DELETE");
	cr_assert_eq(asked, 0);
}

/* ---- Whom it speaks to --------------------------------------------------------------------------------------------------------- */

static const struct refusal {
	const char *url, *why;
} refusals[] = {
	{ "https://user@as.test/", "no user or password" },
	{ "https://user:secret@as.test/", "no user or password" },
	{ "https://as.test@example.org/", "no user or password" },
	{ "ftp://as.test/", "scheme ftp: takes https" },
	{ "file:///etc/passwd", "takes https" },
	{ "gopher://as.test:70/", "takes https" },
	{ "as.test/", "URL: " },
	{ "//as.test/", "URL: " },
	{ "", "URL: " },
	{ "https://", "URL: " },
	{ "https://example.org/", "host example.org: is not among" },
	{ "https://test/", "host test: is not among" },
	{ "https://as.test.example.org/", "is not among" },
	{ "https://extratest/", "is not among" },
	{ "https://localhost/", "host localhost: is not among" },
	{ "https://localhost./", "none of them a final dot" },
	{ "https://as.test./", "none of them a final dot" },
	{ "https://%6cocalhost/", "host localhost: is not among" },
	{ "https://as.test%2f.example.org/", "URL: " },
	{ "https://as.te\303\237t/", "takes letters" },
	{ "https://192.0.2.1/", "host 192.0.2.1: is not among" },
	{ "https://2130706434/", "host 127.0.0.2: is not among" },
	{ "https://0x7f000002/", "host 127.0.0.2: is not among" },
	{ "https://0177.0.0.2/", "host 127.0.0.2: is not among" },
	{ "https://127.2/", "host 127.0.0.2: is not among" },
	{ "https://[::ffff:127.0.0.1]/", "is not among" },
	{ "https://[::2]/", "host ::2: is not among" },
	{ "https://[fe80::1%25lo]/", "link-local" },
	{ "https://[::1/", "URL: " },
	{ "https://as.test:0/", "URL: " },
	{ "https://as.test:65536/", "URL: " },
	{ "http://as.test/", "http is not allowed" },
	{ "https://as.test/a b", "URL: " },
	{ "https://as.test/\r\nX: y", "URL: " },
	/* What is allowed, and written otherwise, is what it is. */
	{ "https://2130706433/", "a loopback address" },
	{ "https://0x7f.1/", "a loopback address" },
	{ "https://[0:0:0:0:0:0:0:1]/", "a loopback address" },
};

Test(north_fetch, other_forms_of_an_address_are_that_address)
{
	struct fan_fetch_request request = get(NULL, &to_others);
	const size_t count = sizeof(refusals) / sizeof(refusals[0]);

	for (size_t i = 0; i < count; i++) {
		const bool is_loopback = strcmp(refusals[i].why, "a loopback address") == 0;

		request.url = refusals[i].url;
		(void)send_request(&request);
		cr_assert_eq(fan_fetch_check(refusals[i].url, &to_others), is_loopback ? 0 : FAN_E_INVALID, "%s",
			     refusals[i].url);
	}
	run();
	for (size_t i = 0; i < count; i++) {
		cr_assert_not_null(strstr(answers[i].why, refusals[i].why), "%s: %s", refusals[i].url, answers[i].why);
		cr_assert(answers[i].refused, "%s: %s", refusals[i].url, answers[i].why);
		cr_assert_null(strstr(answers[i].why, "secret"));
	}
}

Test(north_fetch, lists_have_names_and_addresses)
{
	static const char *const hosts[] = { "AS.example.org", "*.0.2.1", "192.0.2.7", "2001:DB8:0::7", "*.below.test", NULL };
	const struct fan_fetch_rule rule = { .hosts = hosts }, nobody = { .hosts = NULL };
	static const char *const allowed[] = { "https://as.EXAMPLE.org:8443/x?y#z", "https://192.0.2.7/", "https://3221225991/",
					       "https://[2001:db8::7]/", "HTTPS://a.b.below.test" };
	static const char *const refused[] = {
		"https://192.0.2.1/",   "https://[::ffff:192.0.2.7]/", "https://below.test/",
		"https://example.org/", "https://x.as.example.org/",   "http://as.example.org/"
	};

	for (unsigned i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		cr_assert_eq(fan_fetch_check(allowed[i], &rule), 0, "%s: %s", allowed[i], fan_error_detail());
		cr_assert_eq(fan_fetch_check(allowed[i], &nobody), FAN_E_INVALID, "%s", allowed[i]);
	}
	for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		cr_assert_eq(fan_fetch_check(refused[i], &rule), FAN_E_INVALID, "%s", refused[i]);
}

/* Not even a connection is made. */
Test(north_fetch, who_may_not_be_asked_is_not_connected_to)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(name);
	const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct fan_fetch_request request = get(NULL, &to_others);
	char url[64];

	cr_assert_eq(bind(listener, (const struct sockaddr *)&name, bytes), 0);
	cr_assert_eq(listen(listener, 8), 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&name, &bytes), 0);
	(void)snprintf(url, sizeof(url), "https://loop.test:%u/", ntohs(name.sin_port));
	request.url = url;
	(void)send_request(&request);
	run();
	assert_none(&answers[0], true, "a loopback address");
	cr_assert_eq(accept(listener, NULL, NULL), -1);
	close(listener);
}

Test(north_fetch, what_a_name_stands_for_is_judged)
{
	static const char *const loopback[] = { "loop.test",       "loop9.test",      "loop6.test", "mapped.test",
						"compatible.test", "translated.test", "nat64.test", "6to4.test" };
	static const char *const never[] = { "nat64link.test", "localnat64.test", "teredo.test",    "link.test",
					     "link6.test",     "linkend.test",    "multicast.test", "multicast6.test",
					     "none.test",      "none6.test",      "reserved.test",  "all.test" };
	struct fan_fetch_request request = get(NULL, &to_others);
	struct fan_fetch_rule many = to_others, even_loopback = to_loopback;
	const size_t loopbacks = sizeof(loopback) / sizeof(loopback[0]), nevers = sizeof(never) / sizeof(never[0]);

	many.lanes_max = even_loopback.lanes_max = FAN_FETCH_LANES_MAX;
	request.rule = &many;
	for (size_t i = 0; i < loopbacks; i++) {
		request.url = locate("https", loopback[i], tls, "/");
		(void)send_request(&request);
	}
	request.owner = "two";
	request.rule = &even_loopback;
	for (size_t i = 0; i < nevers; i++) {
		request.url = locate("https", never[i], tls, "/");
		(void)send_request(&request);
	}
	run();
	for (size_t i = 0; i < loopbacks; i++)
		assert_none(&answers[i], true, "a loopback address");
	for (size_t i = 0; i < nevers; i++)
		assert_none(&answers[loopbacks + i], true, "link-local, multicast, reserved");
	cr_assert_eq(asked, 0);
}

static bool
find_own_address(void)
{
	struct ifaddrs *interfaces;

	cr_assert_eq(getifaddrs(&interfaces), 0);
	for (const struct ifaddrs *i = interfaces; i != NULL && own_address[0] == '\0'; i = i->ifa_next) {
		const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)i->ifa_addr;

		if (four != NULL && four->sin_family == AF_INET && ntohl(four->sin_addr.s_addr) >> 24 != 127)
			(void)inet_ntop(AF_INET, &four->sin_addr, own_address, sizeof(own_address));
	}
	freeifaddrs(interfaces);
	return own_address[0] != '\0';
}

/* Needs a network interface with an IPv4 address beside the loopback. */
Test(north_fetch, own_addresses_are_as_loopback)
{
	struct fan_fetch_request request = get(locate("https", "own.test", tls, "/"), &to_others);

	if (!find_own_address())
		cr_skip_test("no interface but the loopback has an IPv4 address");
	(void)send_request(&request);
	run();
	assert_none(&answers[0], true, "an address of this host");
}

/* Nobody answers there, and nobody forbids it. */
Test(north_fetch, other_hosts_may_be_asked)
{
	struct fan_fetch_request request = get("https://other.test/", &to_others);

	request.time_limit_ms = 300;
	(void)send_request(&request);
	request.url = "https://other6.test/";
	(void)send_request(&request);
	run();
	for (unsigned i = 0; i < 2; i++)
		cr_assert(answers[i].status == 0 && !answers[i].refused, "%s", answers[i].why);
}

Test(north_fetch, ports_may_be_listed)
{
	uint16_t ports[] = { 0, 0 };
	struct fan_fetch_rule rule = to_loopback;
	struct fan_fetch_request request = get(locate("http", "as.test", plain, "/"), &rule);

	ports[0] = fan_http_port(plain);
	rule.ports = ports;
	(void)send_request(&request);
	request.url = locate("https", "as.test", tls, "/");
	(void)send_request(&request);
	run();
	cr_assert_eq(answers[0].status, 200, "%s", answers[0].why);
	assert_none(&answers[1], true, "is not among the ports");
}

static void
ask_over_the_same_connection(void)
{
	struct fan_fetch_request request = get(locate("https", "loop.test", tls, "/"), &to_others);

	request.owner = "two";
	(void)send_request(&request);
}

/* libcurl keeps the connection of the first, who may. */
Test(north_fetch, a_connection_of_one_who_may_serves_nobody_who_may_not)
{
	struct fan_fetch_request request = get(locate("https", "loop.test", tls, "/"), &to_loopback);

	send_request(&request)->then = ask_over_the_same_connection;
	until = 2;
	run();
	cr_assert_eq(answers[0].status, 200, "%s", answers[0].why);
	assert_none(&answers[1], true, "a loopback address");
	cr_assert_eq(asked, 1);
}

/* ---- TLS ----------------------------------------------------------------------------------------------------------------------- */

Test(north_fetch, certificates_are_verified)
{
	struct fan_fetch_request request = get(locate("https", "as.test", tls, "/identity"), &to_loopback);

	(void)send_request(&request);
	request.certificate_file = client_file;
	request.key_file = client_key_file;
	(void)send_request(&request);
	request.certificate_file = NULL;
	request.ca_file = other_ca_file;
	(void)send_request(&request);
	request.ca_file = NULL;
	(void)send_request(&request);
	request.ca_file = ca_file;
	request.url = locate("https", "as.test", wrong_name, "/");
	(void)send_request(&request);
	request.url = locate("https", "as.test", late, "/");
	(void)send_request(&request);
	request.url = locate("https", "as.test", plain, "/");
	(void)send_request(&request);
	run();
	assert_text(&answers[0], 200, "none");
	assert_text(&answers[1], 200, "shown");
	for (unsigned i = 2; i < 7; i++)
		cr_assert(answers[i].status == 0 && !answers[i].refused, "%u: %s", i, answers[i].why);
	cr_assert_eq(asked, 2);
}

/* ---- Time ---------------------------------------------------------------------------------------------------------------------- */

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

Test(north_fetch, who_does_not_answer_in_time_has_not_answered)
{
	struct fan_fetch_request request = get(locate("http", "as.test", plain, "/never"), &to_loopback);

	request.time_limit_ms = 300;
	(void)send_request(&request);
	run();
	assert_none(&answers[0], false, "http://as.test:");
	cr_assert_null(strstr(answers[0].why, "/never"), "%s", answers[0].why);
}

/* The limit of the request is a minute. */
Test(north_fetch, who_stops_moving_is_left)
{
	struct fan_fetch_request request = get(locate("http", "as.test", plain, "/stalled"), &to_loopback);
	const double begin_s = now_s();

	(void)send_request(&request);
	run();
	assert_none(&answers[0], false, "");
	cr_assert_lt(now_s() - begin_s, 45);
}

/* The loop goes on while a name is looked up, and nobody waits for a resolver that does not come back. */
Test(north_fetch, a_name_that_is_slow_holds_up_nobody)
{
	struct fan_fetch_request slow = get(locate("http", "slow.test", plain, "/"), &to_loopback),
				 other = get(locate("http", "as.test", plain, "/"), &to_loopback);
	const double begin_s = now_s();

	slow.time_limit_ms = 500;
	(void)send_request(&slow);
	(void)send_request(&other);
	run();
	assert_none(&answers[0], false, "http://slow.test:");
	cr_assert_eq(answers[1].status, 200, "%s", answers[1].why);
	cr_assert_lt(answers[1].order, answers[0].order);
	cr_assert_lt(now_s() - begin_s, SLOW_NAME_S - 10);
}

/* ---- Lanes --------------------------------------------------------------------------------------------------------------------- */

Test(north_fetch, a_dead_target_holds_up_its_own_requests_alone)
{
	struct fan_fetch_request dead = get(locate("http", "as.test", plain, "/never"), &to_loopback), alive = dead;
	const unsigned room = FAN_FETCH_LANE_WAITING_MAX;

	dead.time_limit_ms = 1500;
	for (unsigned i = 0; i < room; i++)
		(void)send_request(&dead);
	alive.owner = "two";
	alive.url = locate("http", "as.test", plain, "/");
	(void)send_request(&alive);
	alive.owner = "one";
	alive.url = locate("https", "as.test", tls, "/");
	(void)send_request(&alive);
	run();
	for (unsigned i = 0; i < 2; i++) {
		cr_assert_eq(answers[room + i].status, 200, "%s", answers[room + i].why);
		cr_assert_lt(answers[room + i].order, 2 + FAN_FETCH_LANE_TRANSFERS);
	}
	for (unsigned i = 0; i < room; i++)
		cr_assert(answers[i].status == 0 && !answers[i].refused, "%u: %s", i, answers[i].why);
	assert_none(&answers[room - 1], false, "was not sent in its time");
	cr_assert_eq(asked, 2 + FAN_FETCH_LANE_TRANSFERS);
}

Test(north_fetch, lanes_are_bounded)
{
	static char large[FAN_FETCH_LANE_BODY_BYTES_MAX / 2];
	struct fan_fetch_request request = get(locate("http", "as.test", plain, "/"), &to_loopback), big = request;
	const unsigned room = FAN_FETCH_LANE_WAITING_MAX;

	for (unsigned i = 0; i < room + 1; i++) /* none of them runs before the loop does */
		(void)send_request(&request);
	big.method = "POST";
	big.owner = "two";
	big.body = large;
	big.body_bytes = sizeof(large);
	for (unsigned i = 0; i < 3; i++)
		(void)send_request(&big);
	request.owner = "a name of sixty-four octets, which is one more than there is room.";
	(void)send_request(&request);
	run();
	for (unsigned i = 0; i < room; i++)
		cr_assert_eq(answers[i].status, 200, "%u: %s", i, answers[i].why);
	assert_none(&answers[room], false, "requests wait for this target");
	cr_assert(answers[room + 1].status == 200 && answers[room + 2].status == 200);
	assert_none(&answers[room + 3], false, "octets");
	assert_none(&answers[room + 4], true, "owner");
}

Test(north_fetch, targets_of_an_owner_are_bounded)
{
	struct fan_fetch_request request = get(NULL, &to_loopback);
	char host[32];

	for (unsigned i = 0; i < FAN_FETCH_OWNER_LANES + 1; i++) {
		(void)snprintf(host, sizeof(host), "n%u.test", i);
		request.url = locate("http", host, plain, "/");
		(void)send_request(&request);
	}
	request.url = locate("http", "n1.test", plain, "/");
	(void)send_request(&request);
	request.owner = "two";
	request.url = locate("http", "as.test", plain, "/");
	(void)send_request(&request);
	run();
	assert_none(&answers[FAN_FETCH_OWNER_LANES], false, "other targets of the same owner");
	assert_none(&answers[FAN_FETCH_OWNER_LANES + 1], false, "resolve");
	cr_assert_eq(answers[FAN_FETCH_OWNER_LANES + 2].status, 200, "%s", answers[FAN_FETCH_OWNER_LANES + 2].why);
}

/* ---- Its end ------------------------------------------------------------------------------------------------------------------- */

Test(north_fetch, who_waits_at_the_end_is_told)
{
	struct fan_fetch_request request = get(locate("http", "as.test", plain, "/never"), &to_loopback), other = request;

	for (unsigned i = 0; i < FAN_FETCH_LANE_TRANSFERS + 3; i++)
		(void)send_request(&request);
	other.owner = "two";
	other.url = locate("http", "as.test", plain, "/");
	until = 1;
	(void)send_request(&other);
	run();
	fan_fetcher_close(fetcher);
	fetcher = NULL;
	for (unsigned i = 0; i < FAN_FETCH_LANE_TRANSFERS + 3; i++)
		assert_none(&answers[i], false, "the face ends");
}
