/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "metrics.h"

#include "delivery.h"

#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define MS 1e-3
#define CONNECTIONS 16
#define BODY_BYTES_MAX 1024 /* of requests that need none */
#define DEADLINE_MS 15000

const struct fan_metric_row fan_t8_metrics[] = {
	{ "fanfare_t8_daemon_connected", FAN_METRIC_GAUGE, FAN_SET_ONE, NULL, "connected", NULL, 0,
	  "Whether `fanfare serve` is there. While it is not, requests that need it are answered by 503." },
	{ "fanfare_t8_connections", FAN_METRIC_GAUGE, FAN_SET_ONE, NULL, "connections", NULL, 0,
	  "Connections of application servers." },
	{ "fanfare_t8_requests_total", FAN_METRIC_COUNTER, FAN_SET_MEMBERS, NULL, "requests", "status", 0,
	  "Requests answered, by status. 429: over the limits of their sender." },
	{ "fanfare_t8_deliveries", FAN_METRIC_GAUGE, FAN_SET_ONE, NULL, "deliveries", NULL, 0,
	  "Deliveries and triggers that have not ended." },
	{ "fanfare_t8_callbacks_total", FAN_METRIC_COUNTER, FAN_SET_MEMBERS, "callbacks", "tries", "result", 0,
	  "Notifications by what came of them. Heard: the server took it; failed: it comes again later; given_up: it was not heard in time." },
	{ "fanfare_t8_callbacks_waiting", FAN_METRIC_GAUGE, FAN_SET_ONE, "callbacks", "waiting", NULL, 0,
	  "Deliveries that have ended and of which something is still to be told." },
	{ "fanfare_t8_callback_backlog_age_seconds", FAN_METRIC_GAUGE, FAN_SET_ONE, "callbacks", "backlog_ms", NULL, MS,
	  "Time since the first of those ended; 0 when there is none." },
	{ "fanfare_t8_certificate_expiry_timestamp_seconds", FAN_METRIC_GAUGE, FAN_SET_MEMBERS, NULL, "certificates", "file", 0,
	  "When the first certificate of certificate or client_ca expires, in seconds since 1970 UTC; left out without TLS." },
	{ "fanfare_t8_scrapes_total", FAN_METRIC_COUNTER, FAN_SET_ONE, NULL, "scrapes", NULL, 0,
	  "Scrapes that this face has answered." },
	{ .name = NULL },
};

/* Those that T8 has are told before there is one: a rate needs two samples. */
static json_t *
describe_requests(const struct fan_t8 *t8)
{
	static const unsigned usual[] = { 200, 201, 204, 400, 401, 403, 404, 405, 406, 409, 411, 413, 415, 429, 500, 503 };
	json_t *requests = json_object();
	size_t next = 0;

	for (unsigned status = 100; status < 600; status++) {
		const uint64_t count = fan_http_answers(t8->http, status);
		const bool is_usual = next < COUNT_OF(usual) && usual[next] == status;
		char name[16];

		next += is_usual;
		(void)snprintf(name, sizeof(name), "%u", status);
		if (is_usual || count > 0)
			(void)json_object_set_new(requests, name, json_integer((json_int_t)count));
	}
	return requests;
}

static json_t *
describe_callbacks(const struct fan_t8 *t8)
{
	const int64_t now_ms = fan_clock_ms(CLOCK_REALTIME);
	int64_t backlog_ms = 0;
	int waiting = 0;

	for (unsigned i = 0; i < t8->delivery_count; i++) {
		const json_t *record = t8->deliveries[i]->record;
		const int64_t age_ms = now_ms - json_integer_value(json_object_get(record, "ended_ms"));

		if (!fan_t8_has_ended(record) || json_is_true(json_object_get(record, "settled")))
			continue;
		waiting++;
		backlog_ms = age_ms > backlog_ms ? age_ms : backlog_ms;
	}
	return json_pack("{s:{s:I, s:I, s:I}, s:i, s:I}", "tries", "heard", (json_int_t)t8->told.heard, "failed",
			 (json_int_t)t8->told.failed, "given_up", (json_int_t)t8->told.given_up, "waiting", waiting,
			 "backlog_ms", (json_int_t)backlog_ms);
}

static int
count_deliveries(const struct fan_t8 *t8)
{
	int count = 0;

	for (unsigned i = 0; i < t8->delivery_count; i++)
		count += !fan_t8_has_ended(t8->deliveries[i]->record);
	return count;
}

json_t *
fan_t8_metrics_describe(const struct fan_t8 *t8)
{
	return json_pack("{s:b, s:i, s:o, s:i, s:o, s:{s:I, s:I}, s:I}", "connected", fan_face_connected(t8->face),
			 "connections", (int)fan_http_connections(t8->http), "requests", describe_requests(t8), "deliveries",
			 count_deliveries(t8), "callbacks", describe_callbacks(t8), "certificates", "certificate",
			 (json_int_t)t8->certificate_s, "client_ca", (json_int_t)t8->client_ca_s, "scrapes",
			 (json_int_t)t8->scrapes);
}

static void
say(struct fan_http_request *request, unsigned status, const char *text)
{
	static const struct fan_http_field fields[] = { { "Content-Type", "text/plain; charset=utf-8" },
							{ "Allow", "GET, HEAD" } };

	fan_http_answer(request, status, fields, status == 405 ? 2 : 1, text, strlen(text));
}

static void
scrape(struct fan_t8 *t8, struct fan_http_request *request)
{
	t8->scrapes++;
	if (!fan_exposition_answer(request, fan_t8_metrics, fan_t8_metrics_describe(t8), NULL, 0))
		say(request, 500, "no memory\n");
}

static void
handle(void *user, struct fan_http_request *request)
{
	const char *method = fan_http_method(request);

	if (!fan_http_names_this_machine(request))
		say(request, 403, "Host: names neither localhost nor an address, and this port is for this machine alone\n");
	else if (strcmp(fan_http_path(request), "/metrics") != 0)
		say(request, 404, "nothing is here but /metrics\n");
	else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		say(request, 405, "this port only shows: GET or HEAD\n");
	else
		scrape(user, request);
}

/* In: file, NULL: it has none, and there is nothing to tell. */
static int
read_expiry(int64_t *expiry_s, const char *file)
{
	*expiry_s = -1;
	return file == NULL ? 0 : fan_http_read_expiry(expiry_s, file);
}

int
fan_t8_metrics_open(struct fan_t8 *t8)
{
	const struct fan_http_options options = { .address = "127.0.0.1",
						  .port = (uint16_t)t8->settings.t8.metrics_port,
						  .connections_max = CONNECTIONS,
						  .connections_of_address_max = CONNECTIONS,
						  .body_bytes_max = BODY_BYTES_MAX,
						  .deadline_ms = DEADLINE_MS,
						  .handle = handle,
						  .user = t8 };
	int error;

	if (t8->settings.t8.metrics_port == 0)
		return 0;
	error = read_expiry(&t8->certificate_s, t8->settings.t8.certificate_file);
	if (error == 0)
		error = read_expiry(&t8->client_ca_s, t8->settings.t8.client_ca_file);
	return error == 0 ? fan_http_open(&t8->metrics, t8->face, &options) : error;
}
