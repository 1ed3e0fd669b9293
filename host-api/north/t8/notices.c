/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "notices.h"

#include "../../control/log.h"
#include "../fetch.h"
#include "results.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINES_MAX 8192 /* outcomes that are fetched at a time: half a megabyte */
#define ANSWER_BYTES_MAX 4096
#define HEAD_BYTES 4096   /* of a page, beside its elements */
#define ELEMENT_BYTES 128 /* of an element, beside an identity */

struct fan_t8_notice {
	struct fan_t8_delivery *delivery; /* NULL: it is gone */
	bool busy;
	int64_t next_ms;   /* when it is tried again */
	unsigned failures; /* in a row */
	int results;       /* what the daemon has written: a memfd; -1: none */
	char *lines;       /* owned; NULL: none are there */
	size_t lines_bytes, at;
	json_int_t next;     /* the place behind these; 0: no others come */
	unsigned page_lines; /* of the page that is being told */
	size_t page_at;      /* where the next one begins */
};

/* ---- What a page is made of ------------------------------------------------------------------------------------------------------ */

/* A file without a name for the daemon to write to. -1 with an error recorded. */
static int
make_file(void)
{
	const int file = memfd_create("fanfare-results", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (file < 0)
		(void)fan_fail(FAN_E_MEMORY, "no memory for results");
	return file;
}

/* The caller's; NULL: no memory. */
static char *
read_file(int file, size_t *byte_count)
{
	struct stat status;
	char *text = fstat(file, &status) == 0 ? malloc((size_t)status.st_size + 1) : NULL;
	ssize_t got = text != NULL ? pread(file, text, (size_t)status.st_size, 0) : -1;

	if (got < 0) {
		free(text);
		return NULL;
	}
	*byte_count = (size_t)got;
	return text;
}

static json_t *
results_params(const json_t *record, json_int_t from, unsigned limit)
{
	return json_pack("{s:O, s:I, s:i}", "id", json_object_get(record, "message"), "from", from, "limit", (int)limit);
}

/* ---- Being told ------------------------------------------------------------------------------------------------------------------- */

static void
settle(struct fan_t8_delivery *delivery)
{
	(void)json_object_set_new(delivery->record, "settled", json_true());
	/* What was sent is not shown any more than what has become of it. */
	if (fan_t8_delivery_keep(delivery) != 0)
		fan_log(FAN_LOG_RECORD_FAILED, NULL, "%s: %s", delivery->key, fan_error_detail());
}

/* The next try comes later and later, and not at the moment of others'. */
static void
put_off(struct fan_t8_notice *notice, unsigned after_s)
{
	const struct fan_t8 *t8 = notice->delivery->t8;
	const unsigned doublings = notice->failures < 20 ? notice->failures : 20;
	uint64_t wait_ms = t8->settings.callbacks.retry_ms << doublings;

	if (wait_ms > t8->settings.callbacks.retry_most_ms)
		wait_ms = t8->settings.callbacks.retry_most_ms;
	wait_ms = wait_ms / 2 + arc4random_uniform((uint32_t)(wait_ms / 2) + 1);
	if (after_s * 1000UL > wait_ms)
		wait_ms = after_s * 1000UL;
	notice->failures++;
	notice->next_ms = fan_face_now_ms(t8->face) + (int64_t)wait_ms;
}

static json_int_t
number_of(const json_t *record, const char *name)
{
	return json_integer_value(json_object_get(record, name));
}

/* All lines that are there have been told. */
static void
pass_lines_there(struct fan_t8_notice *notice)
{
	json_t *record = notice->delivery->record;

	(void)json_object_set_new(record, "told_from", json_integer(notice->next));
	(void)json_object_set_new(record, "told_lines", json_integer(0));
	if (notice->next == 0)
		(void)json_object_set_new(record, "settled", json_true());
}

/* The page has been told: where that leaves off is kept. */
static void
pass_page(struct fan_t8_notice *notice)
{
	json_t *record = notice->delivery->record;

	notice->at = notice->page_at;
	if (notice->at >= notice->lines_bytes)
		pass_lines_there(notice);
	else
		(void)json_object_set_new(record, "told_lines",
					  json_integer(number_of(record, "told_lines") + notice->page_lines));
}

static void
take_heard(void *user, const struct fan_fetch_answer *answer)
{
	struct fan_t8_notice *notice = user;
	struct fan_t8_delivery *delivery = notice->delivery;

	notice->busy = false;
	if (delivery == NULL) {
		fan_t8_notice_free(notice);
		return;
	}
	/* What a name stands for, or who may be called, may be right again before the day is over. */
	if (answer->refused && notice->failures == 0)
		fan_log(FAN_LOG_NOTE, NULL, "%s: is not told: %s", delivery->key, answer->why);
	if (answer->status < 200 || answer->status > 299) {
		delivery->t8->told.failed++;
		put_off(notice, answer->retry_after_s);
		return;
	}
	delivery->t8->told.heard++;
	notice->failures = 0;
	if (notice->lines == NULL) {
		settle(delivery);
		return;
	}
	pass_page(notice);
	/* A write to the disk for each page would hold up all others that this face serves. The last one counts at once: then the delivery goes. */
	delivery->told_more = true;
	if (json_is_true(json_object_get(delivery->record, "settled")) && fan_t8_delivery_keep(delivery) != 0)
		fan_log(FAN_LOG_RECORD_FAILED, NULL, "%s: %s", delivery->key, fan_error_detail());
	(void)fan_t8_notice_go_on(delivery);
}

static void
make_rule(struct fan_fetch_rule *rule, const char *hosts[FAN_T8_NAMES_MAX + 1], const struct fan_t8_settings *settings,
	  const struct fan_t8_sender *sender)
{
	unsigned count = 0;

	for (; count < sender->callbacks.count; count++)
		hosts[count] = sender->callbacks.at[count];
	hosts[count] = NULL;
	*rule = (struct fan_fetch_rule){ .hosts = hosts,
					 .loopback_allowed = settings->callbacks.plain_http,
					 .plain_http_allowed = settings->callbacks.plain_http };
}

static void
post(struct fan_t8 *t8, const struct fan_t8_sender *sender, const char *uri, const char *text, size_t text_bytes,
     void (*done)(void *user, const struct fan_fetch_answer *answer), void *user)
{
	const char *hosts[FAN_T8_NAMES_MAX + 1];
	struct fan_fetch_rule rule;
	const struct fan_fetch_request request = { .owner = sender->name,
						   .method = "POST",
						   .url = uri,
						   .rule = &rule,
						   .body = text,
						   .body_bytes = text_bytes,
						   .content_type = "application/json",
						   .time_limit_ms = (unsigned)t8->settings.callbacks.time_ms,
						   .answer_bytes_max = ANSWER_BYTES_MAX,
						   .ca_file = t8->settings.callbacks.ca_file };

	make_rule(&rule, hosts, &t8->settings, sender);
	fan_fetch(t8->fetcher, &request, done, user);
}

static void
say(struct fan_t8_notice *notice, const struct fan_t8_sender *sender, const char *text, size_t text_bytes)
{
	const struct fan_t8_delivery *delivery = notice->delivery;

	notice->busy = true;
	post(delivery->t8, sender, json_string_value(json_object_get(delivery->record, "notify")), text, text_bytes, take_heard,
	     notice);
}

/* ---- Pages ------------------------------------------------------------------------------------------------------------------------ */

/* Where the lines behind so many begin. */
static size_t
pass_lines(const struct fan_t8_notice *notice, unsigned count)
{
	const char *end = notice->lines;
	size_t at = 0;

	for (; count > 0 && end != NULL && at < notice->lines_bytes; count--) {
		end = memchr(notice->lines + at, '\n', notice->lines_bytes - at);
		at = end != NULL ? (size_t)(end - notice->lines) + 1 : notice->lines_bytes;
	}
	return at;
}

static void
take_results(void *user, const struct fan_face_answer *answer)
{
	struct fan_t8_notice *notice = user;
	const int file = notice->results;
	struct fan_t8_delivery *delivery = notice->delivery;

	notice->busy = false;
	if (delivery == NULL) {
		fan_t8_notice_free(notice);
		return;
	}
	notice->results = -1;
	if (answer->failure == FAN_FACE_DONE) {
		notice->lines = read_file(file, &notice->lines_bytes);
		notice->next = number_of(answer->result, "next");
		notice->at = pass_lines(notice, (unsigned)number_of(delivery->record, "told_lines"));
		/* UEs that were removed since have none: others may stand behind them. */
		if (notice->lines != NULL && notice->at >= notice->lines_bytes && notice->next != 0)
			pass_lines_there(notice);
	} else if (answer->failure == FAN_FACE_REFUSED && answer->code == FAN_CONTROL_FAILED + FAN_E_NOT_FOUND)
		settle(delivery);
	else
		put_off(notice, 0);
	(void)close(file);
}

static void
ask_for_lines(struct fan_t8_notice *notice)
{
	const struct fan_t8_delivery *delivery = notice->delivery;
	const json_int_t from = number_of(delivery->record, "told_from");

	free(notice->lines);
	notice->lines = NULL;
	notice->results = make_file();
	if (notice->results < 0) {
		put_off(notice, 0);
		return;
	}
	notice->busy = true;
	fan_face_call(delivery->t8->face, "message.results", results_params(delivery->record, from, LINES_MAX),
		      dup(notice->results), take_results, notice);
}

/* The next page of the lines that are there. Nothing in it is worth telling: it counts as told. */
static void
tell_page(struct fan_t8_notice *notice, const struct fan_t8_sender *sender)
{
	static char page[HEAD_BYTES + FAN_T8_PAGE_BYTES_MAX];
	const struct fan_t8_filter filter = { .failures = sender->outcomes == FAN_T8_OUTCOMES_FAILURES };
	struct fan_t8_delivery *delivery = notice->delivery;
	char uri[FAN_T8_URI_BYTES];
	size_t bytes;
	unsigned ues = 0;

	fan_t8_delivery_uri(delivery->t8, delivery->api, uri, delivery->key);
	bytes = (size_t)snprintf(page, sizeof(page), "{\"niddDownlinkDataTransfer\":\"%s\",\"gmdResults\":[", uri);
	notice->page_at = notice->at;
	fan_t8_results_write(page, sizeof(page) - 2, &bytes, &ues, notice->lines, notice->lines_bytes, &notice->page_at,
			     &notice->page_lines, FAN_T8_PAGE_UES_MAX, &filter);
	memcpy(page + bytes, "]}", 2);
	if (ues > 0) {
		say(notice, sender, page, bytes + 2);
		return;
	}
	pass_page(notice);
}

/* False: the last page was told. */
static bool
go_on_with_pages(struct fan_t8_notice *notice, const struct fan_t8_sender *sender)
{
	if (notice->lines != NULL && notice->at >= notice->lines_bytes && notice->next == 0)
		return false;
	if (notice->lines == NULL || notice->at >= notice->lines_bytes)
		ask_for_lines(notice);
	else
		tell_page(notice, sender);
	return true;
}

/* ---- Going on ------------------------------------------------------------------------------------------------------------------------ */

static struct fan_t8_notice *
notice_of(struct fan_t8_delivery *delivery)
{
	if (delivery->notice == NULL) {
		delivery->notice = calloc(1, sizeof(*delivery->notice));
		FAN_REQUIRE(delivery->notice != NULL);
		delivery->notice->delivery = delivery;
		delivery->notice->results = -1;
	}
	return delivery->notice;
}

static bool
is_over(const struct fan_t8_delivery *delivery)
{
	const int64_t ended_ms = json_integer_value(json_object_get(delivery->record, "ended_ms"));

	return fan_clock_ms(CLOCK_REALTIME) - ended_ms > (int64_t)delivery->t8->settings.callbacks.validity_s * 1000;
}

/* One notification says all. */
static void
tell_whole(struct fan_t8_notice *notice, const struct fan_t8_sender *sender, json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	if (text != NULL)
		say(notice, sender, text, strlen(text));
	else
		put_off(notice, 0);
	free(text);
}

bool
fan_t8_notice_go_on(struct fan_t8_delivery *delivery)
{
	const struct fan_t8_sender *sender =
		fan_t8_settings_sender(&delivery->t8->settings, json_string_value(json_object_get(delivery->record, "sender")));
	struct fan_t8_notice *notice;
	json_t *body;

	if (json_is_true(json_object_get(delivery->record, "settled")))
		return false;
	notice = notice_of(delivery);
	if (notice->busy || (fan_face_now_ms(delivery->t8->face) < notice->next_ms && !is_over(delivery)))
		return true;
	body = sender != NULL && !is_over(delivery) ? delivery->api->tell(delivery->t8, delivery->key, delivery->record) : NULL;
	if (body != NULL)
		tell_whole(notice, sender, body);
	else if (sender == NULL || is_over(delivery) || !go_on_with_pages(notice, sender)) {
		if (is_over(delivery)) {
			fan_log(FAN_LOG_CALLBACK_GIVEN_UP, json_pack("{s:s}", "delivery", delivery->key),
				"%s: its server has not heard of it in time", delivery->key);
			delivery->t8->told.given_up++;
		}
		settle(delivery);
		return false;
	}
	return true;
}

void
fan_t8_notice_free(struct fan_t8_notice *notice)
{
	if (notice == NULL)
		return;
	notice->delivery = NULL;
	if (notice->busy)
		return;
	free(notice->lines);
	if (notice->results >= 0)
		(void)close(notice->results);
	free(notice);
}

/* ---- Others -------------------------------------------------------------------------------------------------------------------------- */

bool
fan_t8_notice_may_call(struct fan_t8_call *call, const char *uri, const char *param)
{
	const char *hosts[FAN_T8_NAMES_MAX + 1];
	struct fan_fetch_rule rule;

	make_rule(&rule, hosts, &call->t8->settings, call->sender);
	return fan_fetch_check(uri, &rule) == 0 ||
	       fan_t8_problem_set(&call->problem, 403, "OPERATION_NOT_ALLOWED", param, "%s: %s", param, fan_error_detail());
}

static void
take_nothing(void *user, const struct fan_fetch_answer *answer)
{
	(void)user;
	(void)answer;
}

void
fan_t8_notice_test(struct fan_t8 *t8, const struct fan_t8_sender *sender, const char *uri, const char *self)
{
	json_t *body = json_pack("{s:s}", "subscription", self);
	char *text = json_dumps(body, JSON_COMPACT);

	if (text != NULL)
		post(t8, sender, uri, text, strlen(text), take_nothing, NULL);
	free(text);
	json_decref(body);
}

/* A page that is fetched. */
struct fetching {
	struct fan_http_request *request;
	int file;
	char status[64]; /* "": any */
};

static void
answer_page(const struct fetching *fetching, const json_t *result)
{
	static const struct fan_http_field fields[] = { { "Content-Type", "application/json" },
							{ "Cache-Control", "no-store" } };
	const struct fan_t8_filter filter = { .status = fetching->status[0] != '\0' ? fetching->status : NULL };
	size_t lines_bytes = 0, at = 0, bytes, room;
	unsigned ues = 0, taken;
	char *lines = read_file(fetching->file, &lines_bytes), *page;

	/* Each element is shorter than its line, written twice, and this. */
	room = HEAD_BYTES + 2 * lines_bytes + ELEMENT_BYTES * (size_t)number_of(result, "count");
	page = malloc(room);
	FAN_REQUIRE(page != NULL);
	bytes = (size_t)snprintf(page, room, "{\"next\":%lld,\"gmdResults\":[", (long long)number_of(result, "next"));
	if (lines != NULL)
		fan_t8_results_write(page, room - 2, &bytes, &ues, lines, lines_bytes, &at, &taken, UINT_MAX, &filter);
	memcpy(page + bytes, "]}", 2);
	fan_http_answer(fetching->request, 200, fields, 2, page, bytes + 2);
	free(page);
	free(lines);
}

static void
take_page(void *user, const struct fan_face_answer *answer)
{
	struct fetching *fetching = user;
	struct fan_t8_problem problem = { 0 };

	if (answer->failure == FAN_FACE_DONE) {
		answer_page(fetching, answer->result);
	} else {
		if (answer->failure == FAN_FACE_GONE)
			fan_t8_problem_set(&problem, 503, "NF_CONGESTION", NULL, "%s: try again", answer->why);
		else
			fan_t8_problem_set(&problem, answer->code == FAN_CONTROL_FAILED + FAN_E_NOT_FOUND ? 404 : 409, NULL,
					   NULL, "%s", answer->why);
		problem.retry_after_s = answer->failure == FAN_FACE_GONE ? 5 : 0;
		fan_t8_answer_problem(fetching->request, &problem);
	}
	(void)close(fetching->file);
	free(fetching);
}

static bool
read_after(struct fan_t8_call *call, json_int_t *after)
{
	const char *text = fan_http_argument(call->request, "after");
	char *end;

	*after = text != NULL ? (json_int_t)strtoll(text, &end, 10) : 0;
	return text == NULL || (*text >= '0' && *text <= '9' && *end == '\0' && *after >= 0) ||
	       fan_t8_problem_set(&call->problem, 400, "INVALID_QUERY_PARAM", "after",
				  "after: takes the `next` of the page before");
}

void
fan_t8_notice_fetch(struct fan_t8_call *call, const char *key)
{
	json_t *record = fan_t8_delivery_record(call->t8, key);
	const char *status = fan_http_argument(call->request, "status");
	struct fetching *fetching = NULL;
	json_int_t after = 0;

	if (record == NULL || json_object_get(record, "message") == NULL)
		fan_t8_problem_set(&call->problem, 404, "RESOURCE_NOT_FOUND", NULL,
				   "there is no such delivery, or nothing of it was sent");
	else if (read_after(call, &after))
		fetching = calloc(1, sizeof(*fetching));
	if (fetching == NULL) {
		fan_t8_problem_set(&call->problem, 503, "NF_CONGESTION", NULL, "no memory for results");
		fan_t8_refuse(call);
		json_decref(record);
		return;
	}
	fetching->request = call->request;
	fetching->file = make_file();
	(void)snprintf(fetching->status, sizeof(fetching->status), "%s", status != NULL ? status : "");
	fan_face_call(call->t8->face, "message.results", results_params(record, after, FAN_T8_PAGE_UES_MAX),
		      dup(fetching->file), take_page, fetching);
	json_decref(record);
}
