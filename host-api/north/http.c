/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "http.h"

#include "../../dataplane/context/clock.h"
#include "../control/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_BYTES_MAX (1 << 20)
#define BACKLOG 1024
#define LOOK_MS 250
#define FULL_LOOK_MS 10     /* while every connection is taken, and others wait for one */
#define OWN_DESCRIPTORS 128 /* ports, records, the daemon, notifications */
#define STREAM_BLOCK 16384
#define STATUS_FIRST 100
#define STATUS_END 600
#define STREAM_KERNEL_BYTES 65536 /* that the kernel takes ahead of a client */

struct connection {
	struct connection *next, **link; /* of the list; what points to this one */
	struct MHD_Connection *connection;
	int socket;
	bool suspended;
	int64_t until_ms; /* when the next answer must be out; 0: never, it streams */
	bool answering;   /* a request is with the face, which answers in its own time */
	bool answered;    /* and this is on its way out */
};

struct fan_http {
	struct fan_face *face;
	struct fan_http_options options;
	struct MHD_Daemon *daemon;
	int epoll;
	struct connection *connections;
	unsigned connection_count;
	int64_t looked_ms; /* for connections that are to be closed */
	uint16_t port;
	uint64_t answers[STATUS_END - STATUS_FIRST];
};

struct fan_http_request {
	struct fan_http *http;
	struct MHD_Connection *connection;
	struct connection *bounds;
	const char *method, *path;
	char *body; /* owned */
	size_t body_bytes, body_room;
	unsigned refusal;              /* a status that is due before all has been read; 0: none */
	bool handed;                   /* to the face, which has not answered yet or has */
	struct MHD_Response *response; /* owned until it is queued */
	unsigned status;
};

struct fan_http_stream {
	struct fan_http *http;
	struct connection *bounds;
	ssize_t (*read)(void *user, char *buffer, size_t room);
	void (*gone)(void *user);
	void *user;
};

/* ---- What a request says ------------------------------------------------------------------------------------------------------- */

const char *
fan_http_method(const struct fan_http_request *request)
{
	return request->method;
}

const char *
fan_http_path(const struct fan_http_request *request)
{
	return request->path;
}

const char *
fan_http_header(const struct fan_http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

static bool
is_address(const char *host, size_t host_bytes)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t octets[16];

	if (host_bytes == 0 || host_bytes >= sizeof(text))
		return false;
	memcpy(text, host, host_bytes);
	text[host_bytes] = '\0';
	return inet_pton(AF_INET, text, octets) == 1 || inet_pton(AF_INET6, text, octets) == 1;
}

bool
fan_http_names_this_machine(const struct fan_http_request *request)
{
	const char *host = fan_http_header(request, "Host");

	if (host == NULL)
		return true;
	if (host[0] == '[')
		return is_address(host + 1, strcspn(host + 1, "]"));
	return is_address(host, strcspn(host, ":")) || (strcspn(host, ":") == 9 && strncasecmp(host, "localhost", 9) == 0);
}

const char *
fan_http_argument(const struct fan_http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *
fan_http_body(const struct fan_http_request *request, size_t *byte_count)
{
	*byte_count = request->body_bytes;
	return request->body != NULL ? request->body : "";
}

void *
fan_http_session(const struct fan_http_request *request)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	return info != NULL ? info->tls_session : NULL;
}

/* ---- Suspended connections --------------------------------------------------------------------------------------------------- */

static void
suspend(struct connection *bounds)
{
	bounds->suspended = true;
	MHD_suspend_connection(bounds->connection);
}

static void
resume(struct connection *bounds)
{
	if (!bounds->suspended)
		return;
	bounds->suspended = false;
	MHD_resume_connection(bounds->connection);
}

/* ---- Answers ------------------------------------------------------------------------------------------------------------------- */

/* A value with a line's end in it would be two headers: libmicrohttpd refuses it, and the field is left out. */
static void
add_fields(struct MHD_Response *response, const struct fan_http_field *fields, size_t field_count)
{
	for (size_t i = 0; i < field_count; i++)
		(void)MHD_add_response_header(response, fields[i].name, fields[i].value);
}

/* libmicrohttpd calls take_request() again, which hands the answer over. */
static void
send_answer(struct fan_http_request *request, unsigned status, struct MHD_Response *response)
{
	request->response = response;
	request->status = status;
	request->http->answers[status - STATUS_FIRST]++;
	request->bounds->answering = false;
	request->bounds->answered = true;
	request->bounds->until_ms = fan_face_now_ms(request->http->face) + request->http->options.deadline_ms;
	resume(request->bounds);
	fan_face_hurry(request->http->face);
}

void
fan_http_answer(struct fan_http_request *request, unsigned status, const struct fan_http_field *fields, size_t field_count,
		const void *body, size_t body_bytes)
{
	char *copy = malloc(body_bytes + 1);
	struct MHD_Response *response = NULL;

	if (copy != NULL && body_bytes > 0)
		memcpy(copy, body, body_bytes);
	if (copy != NULL)
		response = MHD_create_response_from_buffer(body_bytes, copy, MHD_RESPMEM_MUST_FREE);
	FAN_REQUIRE(response != NULL);
	add_fields(response, fields, field_count);
	send_answer(request, status, response);
}

/* ---- Streams ------------------------------------------------------------------------------------------------------------------- */

static ssize_t
read_stream(void *user, uint64_t at, char *buffer, size_t room)
{
	struct fan_http_stream *stream = user;
	const ssize_t got = stream->read(stream->user, buffer, room);

	(void)at;
	if (got < 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (got == 0)
		suspend(stream->bounds);
	return got;
}

/* What its client has not taken goes with the connection: the kernel would keep it, and offer it again for minutes, to one who does not read. */
static void
cut_off_hard(const struct connection *bounds)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(bounds->socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

/* The kernel would take for a client that does not read what megabytes hold, minutes of it, and call that taken. */
static void
bound_stream(const struct connection *bounds)
{
	const int buffer_bytes = STREAM_KERNEL_BYTES;
	const unsigned stall_ms = FAN_HTTP_STALL_S * 1000;

	(void)setsockopt(bounds->socket, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof(buffer_bytes));
	(void)setsockopt(bounds->socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &stall_ms, sizeof(stall_ms));
	cut_off_hard(bounds);
}

static void
free_stream(void *user)
{
	struct fan_http_stream *stream = user;

	stream->gone(stream->user);
	free(stream);
}

struct fan_http_stream *
fan_http_stream(struct fan_http_request *request, unsigned status, const struct fan_http_field *fields, size_t field_count,
		ssize_t (*read)(void *user, char *buffer, size_t room), void (*gone)(void *user), void *user)
{
	struct fan_http_stream *stream = malloc(sizeof(*stream));
	struct MHD_Response *response;

	FAN_REQUIRE(stream != NULL);
	*stream = (struct fan_http_stream){ request->http, request->bounds, read, gone, user };
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, stream, free_stream);
	FAN_REQUIRE(response != NULL);
	add_fields(response, fields, field_count);
	send_answer(request, status, response);
	/* Who stops reading is found by the kernel and, when its buffer is full, by libmicrohttpd: nothing moves on the connection for so long. */
	request->bounds->until_ms = 0;
	bound_stream(request->bounds);
	(void)MHD_set_connection_option(request->connection, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)FAN_HTTP_STALL_S);
	return stream;
}

void
fan_http_wake(struct fan_http_stream *stream)
{
	resume(stream->bounds);
	fan_face_hurry(stream->http->face);
}

/* ---- Requests ------------------------------------------------------------------------------------------------------------------ */

static struct connection *
bounds_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info->socket_context;
}

/* What may stand in a request once: of two, a proxy in front might go by the one and this face by the other. */
static const char *const single_fields[] = { "Authorization", "Content-Length",  "Content-Type",
					     "Host",          "Idempotency-Key", "Transfer-Encoding" };
#define SINGLE_FIELDS (sizeof(single_fields) / sizeof(single_fields[0]))

static enum MHD_Result
count_field(void *user, enum MHD_ValueKind kind, const char *name, const char *value)
{
	unsigned *counts = user;

	(void)kind;
	(void)value;
	for (size_t i = 0; i < SINGLE_FIELDS; i++)
		counts[i] += strcasecmp(name, single_fields[i]) == 0;
	return MHD_YES;
}

/* Whether it can be read in one way alone (RFC 9112, 6.3 and 11.2). */
static bool
is_unambiguous(struct MHD_Connection *connection, const char *length)
{
	const char *coding = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding");
	unsigned counts[SINGLE_FIELDS] = { 0 };

	(void)MHD_get_connection_values(connection, MHD_HEADER_KIND, count_field, counts);
	for (size_t i = 0; i < SINGLE_FIELDS; i++)
		if (counts[i] > 1)
			return false;
	return coding == NULL || (length == NULL && strcasecmp(coding, "chunked") == 0);
}

static struct fan_http_request *
new_request(struct fan_http *http, struct MHD_Connection *connection, const char *method, const char *path)
{
	struct fan_http_request *request = calloc(1, sizeof(*request));
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");

	if (request == NULL)
		return NULL;
	request->http = http;
	request->connection = connection;
	request->bounds = bounds_of(connection);
	request->method = method;
	request->path = path;
	if (length != NULL && strtoull(length, NULL, 10) > http->options.body_bytes_max)
		request->refusal = MHD_HTTP_CONTENT_TOO_LARGE;
	if (!is_unambiguous(connection, length))
		request->refusal = MHD_HTTP_BAD_REQUEST;
	return request;
}

static bool
take_body(struct fan_http_request *request, const char *octets, size_t byte_count)
{
	char *body;

	if (byte_count > request->http->options.body_bytes_max - request->body_bytes)
		request->refusal = MHD_HTTP_CONTENT_TOO_LARGE;
	if (request->refusal != 0)
		return true; /* what comes is passed over, until its end or the deadline */
	if (request->body_bytes + byte_count + 1 > request->body_room) {
		body = realloc(request->body, 2 * (request->body_bytes + byte_count + 1));
		if (body == NULL)
			return false;
		request->body = body;
		request->body_room = 2 * (request->body_bytes + byte_count + 1);
	}
	memcpy(request->body + request->body_bytes, octets, byte_count);
	request->body_bytes += byte_count;
	request->body[request->body_bytes] = '\0';
	return true;
}

static enum MHD_Result
queue(struct fan_http_request *request)
{
	struct MHD_Response *response = request->response;
	enum MHD_Result queued;

	request->response = NULL;
	queued = MHD_queue_response(request->connection, request->status, response);
	MHD_destroy_response(response);
	return queued;
}

static enum MHD_Result
refuse(struct fan_http_request *request)
{
	static const char too_large[] = "{\"title\":\"Content Too Large\",\"status\":413}\n";
	static const char ambiguous[] =
		"{\"title\":\"Bad Request\",\"status\":400,\"detail\":\"a header stands there twice, or the body has two lengths\"}\n";
	static const struct fan_http_field fields[] = { { "Content-Type", "application/problem+json" },
							{ "Connection", "close" } };
	const char *text = request->refusal == MHD_HTTP_BAD_REQUEST ? ambiguous : too_large;

	fan_http_answer(request, request->refusal, fields, 2, text, strlen(text));
	return queue(request);
}

static enum MHD_Result
hand_over(struct fan_http_request *request)
{
	request->handed = true;
	request->bounds->answering = true;
	request->http->options.handle(request->http->options.user, request);
	if (request->response != NULL)
		return queue(request);
	suspend(request->bounds);
	return MHD_YES;
}

/* libmicrohttpd's MHD_AccessHandlerCallback: with the headers, with each piece of the body, at its end, and once more when the request was
 * suspended. */
static enum MHD_Result
take_request(void *user, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
	     const char *octets, size_t *byte_count, void **context)
{
	struct fan_http_request *request = *context;

	(void)version;
	if (request == NULL) {
		request = new_request(user, connection, method, url);
		*context = request;
		if (request == NULL)
			return MHD_NO;
		return request->refusal != 0 ? refuse(request) : MHD_YES;
	}
	if (*byte_count > 0) {
		const size_t bytes = *byte_count;

		*byte_count = 0;
		return take_body(request, octets, bytes) ? MHD_YES : MHD_NO;
	}
	if (request->response != NULL)
		return queue(request);
	if (request->handed)
		return MHD_YES;
	return request->refusal != 0 ? refuse(request) : hand_over(request);
}

static void
end_request(void *user, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode why)
{
	struct fan_http_request *request = *context;

	(void)user;
	(void)connection;
	(void)why;
	if (request == NULL)
		return;
	request->bounds->answered = false;
	if (request->response != NULL)
		MHD_destroy_response(request->response);
	if (request->body != NULL)
		explicit_bzero(request->body, request->body_bytes);
	free(request->body);
	free(request);
	*context = NULL;
}

/* ---- Connections --------------------------------------------------------------------------------------------------------------- */

static void
insert(struct fan_http *http, struct connection *bounds)
{
	bounds->next = http->connections;
	bounds->link = &http->connections;
	if (bounds->next != NULL)
		bounds->next->link = &bounds->next;
	http->connections = bounds;
}

static void
notice(void *user, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode what)
{
	struct fan_http *http = user;
	struct connection *bounds = *context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		bounds = calloc(1, sizeof(*bounds));
		FAN_REQUIRE(bounds != NULL);
		bounds->connection = connection;
		bounds->socket = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		bounds->until_ms = fan_face_now_ms(http->face) + http->options.deadline_ms;
		insert(http, bounds);
		http->connection_count++;
		*context = bounds;
		return;
	}
	*bounds->link = bounds->next;
	if (bounds->next != NULL)
		bounds->next->link = bounds->link;
	http->connection_count--;
	free(bounds);
	*context = NULL;
}

/* Whether a client has left in the middle of a request. libmicrohttpd does not see an end that comes in one with the last octets. */
static bool
has_left(const struct connection *bounds)
{
	char octet;

	return !bounds->answering && !bounds->answered &&
	       recv(bounds->socket, &octet, sizeof(octet), MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* libmicrohttpd's own timeout begins anew with each octet: a client that drips would live for ever. */
static void
close_late(void *user)
{
	struct fan_http *http = user;
	const int64_t now_ms = fan_face_now_ms(http->face);
	const struct connection *bounds;

	http->looked_ms = now_ms;
	for (bounds = http->connections; bounds != NULL; bounds = bounds->next)
		if ((!bounds->answering && bounds->until_ms != 0 && now_ms > bounds->until_ms) || has_left(bounds)) {
			cut_off_hard(bounds);
			(void)shutdown(bounds->socket, SHUT_RDWR);
		}
}

static int
run_daemon(void *user)
{
	struct fan_http *http = user;
	MHD_UNSIGNED_LONG_LONG wait_ms;
	int most_ms = LOOK_MS;

	(void)MHD_run(http->daemon);
	if (http->connection_count >= http->options.connections_max) {
		most_ms = FULL_LOOK_MS;
		if (fan_face_now_ms(http->face) - http->looked_ms >= FULL_LOOK_MS)
			close_late(http);
	}
	if (MHD_get_timeout(http->daemon, &wait_ms) != MHD_YES)
		return most_ms == FULL_LOOK_MS ? most_ms : -1;
	return wait_ms < (unsigned)most_ms ? (int)wait_ms : most_ms;
}

static void
take_events(void *user, uint32_t events)
{
	const struct fan_http *http = user;

	(void)events;
	(void)MHD_run(http->daemon);
}

/* ---- Its life ------------------------------------------------------------------------------------------------------------------- */

/* A whole file, closed by a zero; NULL with an error recorded. */
static char *
read_pem(const char *file)
{
	FILE *stream = fopen(file, "re");
	struct stat status;
	char *text = NULL;

	if (stream == NULL || fstat(fileno(stream), &status) != 0)
		(void)fan_fail(FAN_E_INVALID, "%s: %s", file, strerror(errno));
	else if (!S_ISREG(status.st_mode) || status.st_size > PEM_BYTES_MAX)
		(void)fan_fail(FAN_E_INVALID, "%s: is no file of PEM, or has more than %d octets", file, PEM_BYTES_MAX);
	else
		text = calloc(1, (size_t)status.st_size + 1);
	if (text != NULL && fread(text, 1, (size_t)status.st_size, stream) != (size_t)status.st_size) {
		(void)fan_fail(FAN_E_INVALID, "%s: cannot be read", file);
		free(text);
		text = NULL;
	}
	if (stream != NULL)
		(void)fclose(stream);
	return text;
}

static void
free_secret(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
}

static int
open_listener(uint16_t *port, const struct fan_http_options *options)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(options->port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(options->port) };
	const bool is_six = inet_pton(AF_INET6, options->address, &six.sin6_addr) == 1;
	const int one = 1;
	socklen_t bytes = is_six ? sizeof(six) : sizeof(four);
	struct sockaddr *name = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four;
	int listener;

	if (!is_six && inet_pton(AF_INET, options->address, &four.sin_addr) != 1)
		return fan_fail(FAN_E_INVALID, "address %.64s: takes an IPv4 or IPv6 address", options->address);
	listener = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener >= 0)
		(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (listener < 0 || bind(listener, name, bytes) != 0 || listen(listener, BACKLOG) != 0 ||
	    getsockname(listener, name, &bytes) != 0) {
		(void)fan_fail(FAN_E_IO, "address %.64s port %u: %s", options->address, options->port, strerror(errno));
		if (listener >= 0)
			(void)close(listener);
		return FAN_E_IO;
	}
	*port = ntohs(is_six ? six.sin6_port : four.sin_port);
	return listener;
}

/* The path is taken apart by the face, octet by octet as it came: a %2F in it is no slash. */
static size_t
keep_escapes(void *user, struct MHD_Connection *connection, char *text)
{
	(void)user;
	(void)connection;
	return strlen(text);
}

static __attribute__((format(printf, 2, 0))) void
take_log(void *user, const char *format, va_list arguments)
{
	static struct fan_log_limit limit;
	char line[256];
	uint64_t held;

	(void)user;
	(void)vsnprintf(line, sizeof(line), format, arguments);
	if ((strcasestr(line, "TLS") != NULL || strcasestr(line, "handshake") != NULL) &&
	    fan_log_may(&limit, &held, fan_clock_ms(CLOCK_MONOTONIC)))
		fan_log(FAN_LOG_TLS_REFUSED, json_pack("{s:I}", "held", (json_int_t)held), "%.*s", (int)strcspn(line, "\n"),
			line);
}

static int
start_daemon(struct fan_http *http, int listener, char *certificate, char *key, char *trust)
{
	static char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
	const struct fan_http_options *options = &http->options;
	struct MHD_OptionItem items[20];
	unsigned count = 0;

	items[count++] = (struct MHD_OptionItem){ MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)take_log, http };
	items[count++] = (struct MHD_OptionItem){ MHD_OPTION_LISTEN_SOCKET, listener, NULL };
	items[count++] = (struct MHD_OptionItem){ MHD_OPTION_CONNECTION_LIMIT, options->connections_max, NULL };
	items[count++] = (struct MHD_OptionItem){ MHD_OPTION_PER_IP_CONNECTION_LIMIT, options->connections_of_address_max,
						  NULL };
	items[count++] = (struct MHD_OptionItem){ MHD_OPTION_CONNECTION_MEMORY_LIMIT, FAN_HTTP_HEADER_BYTES_MAX, NULL };
	items[count++] = (struct MHD_OptionItem){ MHD_OPTION_CONNECTION_TIMEOUT, options->deadline_ms / 1000 + 1, NULL };
	items[count++] = (struct MHD_OptionItem){ MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)end_request, http };
	items[count++] = (struct MHD_OptionItem){ MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)notice, http };
	items[count++] = (struct MHD_OptionItem){ MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, http };
	items[count++] = (struct MHD_OptionItem){ MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL };
	items[count++] = (struct MHD_OptionItem){ MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL };
	if (certificate != NULL) {
		items[count++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_CERT, 0, certificate };
		items[count++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_KEY, 0, key };
		items[count++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0, priorities };
	}
	if (trust != NULL)
		items[count++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_TRUST, 0, trust };
	items[count] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
	http->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
						(certificate != NULL ? MHD_USE_TLS : 0),
					0, NULL, NULL, take_request, http, MHD_OPTION_ARRAY, items, MHD_OPTION_END);
	return http->daemon != NULL
		       ? 0
		       : fan_fail(FAN_E_INVALID, "the port cannot be served: are certificate and key PEM, and of each other?");
}

static int
start(struct fan_http *http)
{
	const struct fan_http_options *options = &http->options;
	char *certificate = NULL, *key = NULL, *trust = NULL;
	int listener = open_listener(&http->port, options), error = listener < 0 ? listener : 0;

	if (error == 0 && options->certificate_file != NULL) {
		certificate = read_pem(options->certificate_file);
		key = certificate != NULL ? read_pem(options->key_file) : NULL;
		trust = key != NULL && options->trust_file != NULL ? read_pem(options->trust_file) : NULL;
		error = key == NULL || (options->trust_file != NULL && trust == NULL) ? FAN_E_INVALID : 0;
	}
	if (error == 0)
		error = start_daemon(http, listener, certificate, key, trust);
	if (error != 0 && listener >= 0 && http->daemon == NULL)
		(void)close(listener);
	free(certificate);
	free_secret(key);
	free(trust);
	return error;
}

/* Each connection is a descriptor; a face has some more. */
static int
check_descriptors(const struct fan_http_options *options)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= options->connections_max + OWN_DESCRIPTORS)
		return 0;
	return fan_fail(
		FAN_E_INVALID,
		"%u connections: this process may have %llu descriptors, of which it needs %d itself: LimitNOFILE= of its "
		"unit or ulimit -n raises that",
		options->connections_max, (unsigned long long)limit.rlim_cur, OWN_DESCRIPTORS);
}

int
fan_http_open(struct fan_http **out, struct fan_face *face, const struct fan_http_options *options)
{
	struct fan_http *http;
	int error = check_descriptors(options);

	*out = NULL;
	if (error != 0)
		return error;
	http = calloc(1, sizeof(*http));
	if (http == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for HTTP");
	http->face = face;
	http->options = *options;
	error = start(http);
	if (error == 0) {
		http->epoll = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
		error = fan_face_watch(face, http->epoll, EPOLLIN, take_events, http);
	}
	if (error != 0) {
		fan_http_close(http);
		return error;
	}
	fan_face_each_turn(face, run_daemon, http);
	fan_face_every(face, LOOK_MS, close_late, http);
	*out = http;
	return 0;
}

void
fan_http_close(struct fan_http *http)
{
	struct connection *bounds;

	if (http == NULL)
		return;
	/* libmicrohttpd does not stop while one is suspended. */
	for (bounds = http->connections; bounds != NULL; bounds = bounds->next)
		resume(bounds);
	if (http->daemon != NULL) {
		fan_face_unwatch(http->face, http->epoll);
		MHD_stop_daemon(http->daemon);
	}
	free(http);
}

uint16_t
fan_http_port(const struct fan_http *http)
{
	return http->port;
}

unsigned
fan_http_connections(const struct fan_http *http)
{
	return http->connection_count;
}

uint64_t
fan_http_answers(const struct fan_http *http, unsigned status)
{
	return http->answers[status - STATUS_FIRST];
}

int
fan_http_read_expiry(int64_t *expiry_s, const char *file)
{
	gnutls_x509_crt_t *certificates = NULL;
	gnutls_datum_t text = { NULL, 0 };
	unsigned count = 0;
	int failed = gnutls_load_file(file, &text);

	if (failed == 0)
		failed = gnutls_x509_crt_list_import2(&certificates, &count, &text, GNUTLS_X509_FMT_PEM, 0);
	*expiry_s = INT64_MAX;
	for (unsigned i = 0; i < count; i++) {
		const int64_t one_s = gnutls_x509_crt_get_expiration_time(certificates[i]);

		*expiry_s = one_s < *expiry_s ? one_s : *expiry_s;
		gnutls_x509_crt_deinit(certificates[i]);
	}
	gnutls_free(certificates);
	gnutls_free(text.data);
	return failed >= 0 && count > 0 ? 0 : fan_fail(FAN_E_INVALID, "%s: %s", file, gnutls_strerror(failed));
}
