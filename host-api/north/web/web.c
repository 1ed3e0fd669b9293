/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `fanfare web`: what the daemon does, for Prometheus and for people. It asks the daemon once for each scrape, and once a second while a page is
 * open; scrapes that come while it asks share the answer. It changes nothing, and holds nothing but the last answer.
 */
#include "../../control/log.h"
#include "../faces.h"
#include "../http.h"
#include "assets.h"
#include "events.h"
#include "metrics.h"
#include "settings.h"

#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define DEADLINE_MS 15000
#define BODY_BYTES_MAX 1024 /* of requests that need none */
#define EVENT_MS 1000
#define PATIENCE_MS 3000 /* a daemon that takes longer is told as away: Prometheus itself waits for 10 s */
#define FRESH_MS 100     /* an answer that old is still one of this scrape's time */

struct web {
	struct fan_web_settings settings;
	struct fan_face *face;
	struct fan_http *http;
	struct fan_web_events *events;
	json_t *metrics; /* the last answer; NULL: the daemon has not answered */
	int64_t metrics_ms;
	bool asking;
	int64_t asked_ms;
	bool due;                          /* pages are to be told of the answer */
	struct fan_http_request **scrapes; /* that wait for it; as many as there may be connections */
	unsigned scrape_count;
	json_int_t scrapes_answered;
	int64_t certificate_s; /* when it expires; -1: there is none */
};

/* ---- Answers ------------------------------------------------------------------------------------------------------------------- */

#define SAFE_FIELDS                                                                                                            \
	{ "X-Content-Type-Options", "nosniff" },                                                                               \
	{                                                                                                                      \
		"Referrer-Policy", "no-referrer"                                                                               \
	}

static void
say(struct fan_http_request *request, unsigned status, const char *text, const struct fan_http_field *more)
{
	struct fan_http_field fields[4] = { { "Content-Type", "text/plain; charset=utf-8" }, SAFE_FIELDS };
	size_t count = 3;

	if (more != NULL)
		fields[count++] = *more;
	fan_http_answer(request, status, fields, count, text, strlen(text));
}

static const struct asset {
	const char *path, *type;
	const char *begin, *end;
} assets[] = {
	{ "/", "text/html; charset=utf-8", fan_web_page_html, fan_web_page_html_end },
	{ "/page.css", "text/css; charset=utf-8", fan_web_page_css, fan_web_page_css_end },
	{ "/page.js", "text/javascript; charset=utf-8", fan_web_page_js, fan_web_page_js_end },
	{ "/uplot.js", "text/javascript; charset=utf-8", fan_web_uplot_js, fan_web_uplot_js_end },
	{ "/uplot.css", "text/css; charset=utf-8", fan_web_uplot_css, fan_web_uplot_css_end },
	{ "/uplot-licence.txt", "text/plain; charset=utf-8", fan_web_uplot_licence, fan_web_uplot_licence_end },
};

static void
answer_asset(struct fan_http_request *request, const struct asset *asset)
{
	const struct fan_http_field fields[] = {
		{ "Content-Type", asset->type },
		SAFE_FIELDS,
		{ "Cache-Control", "no-cache" },
		{ "Content-Security-Policy",
		  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
		  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'" },
	};

	fan_http_answer(request, 200, fields, COUNT_OF(fields), asset->begin, (size_t)(asset->end - asset->begin));
}

/* ---- The daemon ---------------------------------------------------------------------------------------------------------------- */

/* The last answer, with what is known here. The caller's. */
static json_t *
describe(struct web *web)
{
	json_t *all = web->metrics != NULL ? json_copy(web->metrics) : json_object();

	(void)json_object_set_new(all, "up", json_boolean(web->metrics != NULL));
	(void)json_object_set_new(all, "web",
				  json_pack("{s:i, s:i, s:I, s:I}", "connections", (int)fan_http_connections(web->http),
					    "subscribers", (int)fan_web_events_subscribers(web->events), "scrapes",
					    web->scrapes_answered, "certificate_s", (json_int_t)web->certificate_s));
	return all;
}

/* 200 also when the daemon is away: what is known of this face is told, and fanfare_up says the rest. */
static void
answer_scrape(struct web *web, struct fan_http_request *request)
{
	static const struct fan_http_field safe[] = { SAFE_FIELDS };

	web->scrapes_answered++;
	if (!fan_exposition_answer(request, fan_web_metrics, describe(web), safe, COUNT_OF(safe)))
		say(request, 500, "no memory\n", NULL);
}

static void
tell_pages(struct web *web)
{
	json_t *all = describe(web);
	char *line = json_dumps(all, JSON_COMPACT);

	if (line != NULL)
		fan_web_events_tell(web->events, "metrics", line);
	free(line);
	json_decref(all);
}

/* In: what the daemon has answered; NULL: nothing. */
static void
tell(struct web *web, json_t *metrics)
{
	json_decref(web->metrics);
	web->metrics = json_incref(metrics);
	web->metrics_ms = fan_face_now_ms(web->face);
	for (unsigned i = 0; i < web->scrape_count; i++)
		answer_scrape(web, web->scrapes[i]);
	web->scrape_count = 0;
	if (web->due)
		tell_pages(web);
	web->due = false;
}

static void
take_metrics(void *user, const struct fan_face_answer *answer)
{
	struct web *web = user;

	web->asking = false;
	if (web->http == NULL)
		return;
	if (answer->failure == FAN_FACE_REFUSED)
		fan_log(FAN_LOG_NOTE, NULL, "the daemon refuses to tell: %s", answer->why);
	tell(web, answer->failure == FAN_FACE_DONE ? answer->result : NULL);
}

static void
ask(struct web *web)
{
	if (web->asking)
		return;
	web->asking = true;
	web->asked_ms = fan_face_now_ms(web->face);
	fan_face_call(web->face, "metrics", NULL, -1, take_metrics, web);
}

static void
tick(void *user)
{
	struct web *web = user;

	web->due = web->due || fan_web_events_subscribers(web->events) > 0;
	if (web->asking && fan_face_now_ms(web->face) - web->asked_ms > PATIENCE_MS)
		tell(web, NULL);
	else if (web->due)
		ask(web);
}

/* ---- Requests ------------------------------------------------------------------------------------------------------------------ */

static bool
is_fresh(const struct web *web)
{
	return web->metrics != NULL && fan_face_now_ms(web->face) - web->metrics_ms < FRESH_MS;
}

static void
scrape(struct web *web, struct fan_http_request *request)
{
	if (is_fresh(web)) {
		answer_scrape(web, request);
		return;
	}
	if (web->scrape_count == web->settings.connections) {
		say(request, 503, "too many scrapes wait for the daemon\n", NULL);
		return;
	}
	web->scrapes[web->scrape_count++] = request;
	ask(web);
}

/* A page is told at once, unless the daemon was asked just now: then with the next tick. */
static void
subscribe(struct web *web, struct fan_http_request *request)
{
	fan_web_events_subscribe(web->events, request);
	if (is_fresh(web))
		return;
	web->due = true;
	ask(web);
}

/* Without [web] clients everyone who reaches the port may look. */
static bool
may_look(const struct web *web, const struct fan_http_request *request)
{
	gnutls_session_t session = fan_http_session(request);
	unsigned status = 1;

	if (web->settings.clients == NULL)
		return true;
	return session != NULL && gnutls_certificate_verify_peers2(session, &status) == 0 && status == 0;
}

/* With TLS no certificate has the name of a page of anybody's. */
static bool
is_for_this_machine_alone(const struct web *web)
{
	const char *address = web->settings.address;

	return web->settings.certificate == NULL && (strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0);
}

static void
handle(void *user, struct fan_http_request *request)
{
	static const struct fan_http_field allow = { "Allow", "GET, HEAD" };
	const char *method = fan_http_method(request), *path = fan_http_path(request);
	struct web *web = user;

	if (!may_look(web, request)) {
		say(request, 403, "a certificate of a client is needed, of a CA in [web] clients\n", NULL);
		return;
	}
	if (is_for_this_machine_alone(web) && !fan_http_names_this_machine(request)) {
		say(request, 403, "Host: names neither localhost nor an address, and this port is for this machine alone\n",
		    NULL);
		return;
	}
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		say(request, 405, "this face only shows: GET or HEAD\n", &allow);
		return;
	}
	for (size_t i = 0; i < COUNT_OF(assets); i++)
		if (strcmp(path, assets[i].path) == 0) {
			answer_asset(request, &assets[i]);
			return;
		}
	if (strcmp(path, "/metrics") == 0)
		scrape(web, request);
	else if (strcmp(path, "/events") == 0 && strcmp(method, "HEAD") == 0)
		say(request, 405, "events have no end: GET\n", &allow);
	else if (strcmp(path, "/events") == 0)
		subscribe(web, request);
	else
		say(request, 404, "nothing is here: / is the page, /metrics is for Prometheus\n", NULL);
}

/* ---- Its life ------------------------------------------------------------------------------------------------------------------- */

static int
open_http(struct web *web)
{
	const struct fan_web_settings *settings = &web->settings;
	const struct fan_http_options options = { .address = settings->address,
						  .port = settings->port,
						  .certificate_file = settings->certificate,
						  .key_file = settings->key,
						  .trust_file = settings->clients,
						  .connections_max = settings->connections,
						  .connections_of_address_max = settings->connections_of_one,
						  .body_bytes_max = BODY_BYTES_MAX,
						  .deadline_ms = DEADLINE_MS,
						  .handle = handle,
						  .user = web };
	const int error = settings->certificate != NULL ? fan_http_read_expiry(&web->certificate_s, settings->certificate) : 0;

	return error != 0 ? error : fan_http_open(&web->http, web->face, &options);
}

static int
open_web(struct web *web)
{
	const struct fan_face_options options = { .name = "web", .socket = web->settings.socket, .user = web->settings.user };
	int error = fan_face_open(&web->face, &options);

	web->certificate_s = -1;
	web->events = fan_web_events_make();
	web->scrapes = calloc(web->settings.connections, sizeof(struct fan_http_request *));
	if (error == 0 && (web->events == NULL || web->scrapes == NULL))
		error = fan_fail(FAN_E_MEMORY, "no memory for a page");
	if (error == 0)
		error = open_http(web);
	if (error == 0)
		fan_face_every(web->face, EVENT_MS, tick, web);
	return error;
}

static void
close_web(struct web *web)
{
	fan_http_close(web->http);
	web->http = NULL;
	fan_face_close(web->face);
	fan_web_events_free(web->events);
	json_decref(web->metrics);
	free(web->scrapes);
	fan_web_settings_free(&web->settings);
}

static int
run(struct web *web)
{
	int error = open_web(web);

	if (error == 0) {
		fan_log(FAN_LOG_READY, json_pack("{s:i}", "port", (int)fan_http_port(web->http)), "http%s://%s:%u/",
			web->settings.certificate != NULL ? "s" : "", web->settings.address, fan_http_port(web->http));
		error = fan_face_run(web->face);
	}
	if (error != 0)
		fan_log(FAN_LOG_START_FAILED, NULL, "%s", fan_error_detail());
	close_web(web);
	return error == 0 ? 0 : error == FAN_E_INVALID ? 2 : 1;
}

int
fan_web_main(const char *file, bool check)
{
	struct web web = { .asking = false };

	if (fan_log_open("web", check ? "plain" : "early") != 0 || fan_web_settings_read(&web.settings, file) != 0 ||
	    (!check && fan_log_open("web", web.settings.log) != 0)) {
		fan_log(FAN_LOG_CONFIGURATION_REFUSED, NULL, "%s", fan_error_detail());
		fan_web_settings_free(&web.settings);
		return 2;
	}
	if (!check)
		return run(&web);
	fan_web_settings_print(&web.settings, stdout);
	fan_web_settings_free(&web.settings);
	return 0;
}
