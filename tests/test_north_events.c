/* SPDX-License-Identifier: BSD-3-Clause */
/* Open pages that are told more than they read: what they get, and what that costs. HTTP is a fake, so that the test says who reads how much. */
#include "../host-api/north/web/events.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 100000 /* as much as a large daemon says */
#define READ_BYTES (2 * LINE_BYTES)

/* ---- HTTP -------------------------------------------------------------------------------------------------------------- */

struct fan_http_request {
	unsigned refused; /* with this status; 0: it was not */
	struct fan_http_stream {
		ssize_t (*read)(void *user, char *buffer, size_t room);
		void (*gone)(void *user);
		void *user;
		unsigned wakes;
	} stream;
};

void
fan_http_answer(struct fan_http_request *request, unsigned status, const struct fan_http_field *fields, size_t field_count,
		const void *body, size_t body_bytes)
{
	(void)body;
	cr_assert_gt(body_bytes, 0);
	cr_assert_eq(field_count, 2);
	cr_assert_str_eq((fields + 1)->name, "Retry-After");
	request->refused = status;
}

struct fan_http_stream *
fan_http_stream(struct fan_http_request *request, unsigned status, const struct fan_http_field *fields, size_t field_count,
		ssize_t (*read)(void *user, char *buffer, size_t room), void (*gone)(void *user), void *user)
{
	cr_assert(status == 200 && field_count > 0 && fields != NULL);
	cr_assert_str_eq(fields != NULL ? fields->value : "", "text/event-stream");
	request->stream = (struct fan_http_stream){ read, gone, user, 0 };
	return &request->stream;
}

void
fan_http_wake(struct fan_http_stream *stream)
{
	stream->wakes++;
}

/* ---- Pages ------------------------------------------------------------------------------------------------------------- */

static struct fan_web_events *events;
static struct fan_http_request pages[FAN_WEB_SUBSCRIBERS_MAX + 1];
static char got[READ_BYTES];

static void
set_up(void)
{
	events = fan_web_events_make();
	cr_assert_not_null(events);
}

static void
tear_down(void)
{
	for (unsigned i = 0; i < FAN_WEB_SUBSCRIBERS_MAX; i++)
		if (pages[i].stream.gone != NULL)
			pages[i].stream.gone(pages[i].stream.user);
	cr_assert_eq(fan_web_events_subscribers(events), 0);
	fan_web_events_free(events);
}

TestSuite(north_events, .init = set_up, .fini = tear_down);

static void
open_page(unsigned i)
{
	pages[i] = (struct fan_http_request){ .refused = 0 };
	fan_web_events_subscribe(events, &pages[i]);
}

static void
close_page(unsigned i)
{
	pages[i].stream.gone(pages[i].stream.user);
	pages[i].stream.gone = NULL;
}

/* Up to so many octets, into got. Returns how many there are now. */
static size_t
read_page(unsigned i, size_t most)
{
	size_t bytes = 0;
	ssize_t n = 1;

	while (bytes < most && n > 0) {
		n = pages[i].stream.read(pages[i].stream.user, got + bytes, most - bytes);
		bytes += n > 0 ? (size_t)n : 0;
	}
	cr_assert_geq(n, 0);
	got[bytes] = '\0';
	return bytes;
}

static void
reads(unsigned i, const char *text)
{
	(void)read_page(i, READ_BYTES - 1);
	cr_assert_str_eq(got, text);
}

static void
tell_long(unsigned number)
{
	static char line[LINE_BYTES + 1];

	memset(line, 'x', LINE_BYTES);
	(void)snprintf(line, sizeof(line), "%06u", number);
	line[6] = ' ';
	fan_web_events_tell(events, "metrics", line);
}

Test(north_events, pages_are_told_what_comes_after_they_are_open)
{
	fan_web_events_tell(events, "metrics", "{\"n\":0}");
	open_page(0);
	reads(0, "");
	fan_web_events_tell(events, "metrics", "{\"n\":1}");
	cr_assert_eq(pages[0].stream.wakes, 1);
	open_page(1);
	reads(0, "retry: 2000\nevent: metrics\ndata: {\"n\":1}\n\n");
	reads(0, "");
	reads(1, "");
	fan_web_events_tell(events, "away", "{}");
	reads(0, "retry: 2000\nevent: away\ndata: {}\n\n");
	reads(1, "retry: 2000\nevent: away\ndata: {}\n\n");
}

/* The rest of what it had begun, then the newest, and none of those between. */
Test(north_events, a_slow_page_misses_what_came_meanwhile)
{
	const char *newest;

	open_page(0);
	tell_long(1);
	cr_assert_eq(read_page(0, 1000), 1000);
	cr_assert_not_null(strstr(got, "data: 000001 "));
	for (unsigned i = 2; i < 50; i++)
		tell_long(i);
	cr_assert_geq(read_page(0, READ_BYTES - 1), LINE_BYTES - 1000);
	newest = strstr(got, "data: ");
	cr_assert_not_null(newest);
	cr_assert_eq(strncmp(newest, "data: 000049 ", 13), 0, "%.20s", newest);
	cr_assert_null(strstr(newest + 1, "data: "));
	(void)read_page(0, READ_BYTES - 1);
	reads(0, "");
}

/* Each holds the copy that it has begun, and all others are shared: 32 that stand still at different ones are the worst. */
Test(north_events, pages_that_do_not_read_are_bounded)
{
	const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
	size_t most;

	for (unsigned i = 0; i < FAN_WEB_SUBSCRIBERS_MAX; i++)
		open_page(i);
	for (unsigned i = 0; i < 1000; i++) {
		tell_long(i);
		if (i < FAN_WEB_SUBSCRIBERS_MAX)
			cr_assert_eq(read_page(i, 1), 1);
	}
	most = mallinfo2().uordblks + mallinfo2().hblkhd - before;
	cr_assert_lt(most, (FAN_WEB_SUBSCRIBERS_MAX + 4) * LINE_BYTES, "%zu octets", most);
	for (unsigned i = 0; i < FAN_WEB_SUBSCRIBERS_MAX; i++)
		close_page(i);
	most = mallinfo2().uordblks + mallinfo2().hblkhd - before;
	cr_assert_lt(most, 4 * LINE_BYTES, "%zu octets are left", most);
}

Test(north_events, the_33rd_page_is_refused_and_a_free_place_is_taken)
{
	for (unsigned i = 0; i < FAN_WEB_SUBSCRIBERS_MAX; i++)
		open_page(i);
	cr_assert_eq(fan_web_events_subscribers(events), FAN_WEB_SUBSCRIBERS_MAX);
	open_page(FAN_WEB_SUBSCRIBERS_MAX);
	cr_assert_eq(pages[FAN_WEB_SUBSCRIBERS_MAX].refused, 503);
	close_page(3);
	open_page(3);
	cr_assert_eq(pages[3].refused, 0);
	fan_web_events_tell(events, "metrics", "{}");
	reads(3, "retry: 2000\nevent: metrics\ndata: {}\n\n");
	reads(31, "retry: 2000\nevent: metrics\ndata: {}\n\n");
}
