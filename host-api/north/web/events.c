/* SPDX-License-Identifier: BSD-3-Clause */
#include "events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is told, shared by those who have not read it to its end. */
struct telling {
	unsigned references;
	size_t byte_count;
	char octets[];
};

struct subscriber {
	struct fan_web_events *events;
	struct fan_http_stream *stream; /* NULL: the place is free */
	struct telling *telling;        /* being read; NULL: all has been */
	size_t at;
	const struct telling *last; /* was read; never looked into */
};

struct fan_web_events {
	struct subscriber subscribers[FAN_WEB_SUBSCRIBERS_MAX];
	unsigned subscriber_count;
	struct telling *newest; /* NULL: none yet */
};

struct fan_web_events *
fan_web_events_make(void)
{
	return calloc(1, sizeof(struct fan_web_events));
}

static void
let_go(struct telling *telling)
{
	if (telling != NULL && --telling->references == 0)
		free(telling);
}

void
fan_web_events_free(struct fan_web_events *events)
{
	if (events != NULL)
		let_go(events->newest);
	free(events);
}

/* The newest, unless it was read. */
static void
take_newest(struct subscriber *subscriber)
{
	struct telling *newest = subscriber->events->newest;

	if (newest == NULL || newest == subscriber->last)
		return;
	newest->references++;
	subscriber->telling = newest;
	subscriber->at = 0;
}

static ssize_t
read_some(void *user, char *buffer, size_t room)
{
	struct subscriber *subscriber = user;
	size_t left;

	if (subscriber->telling == NULL)
		take_newest(subscriber);
	if (subscriber->telling == NULL)
		return 0;
	left = subscriber->telling->byte_count - subscriber->at;
	room = room < left ? room : left;
	memcpy(buffer, subscriber->telling->octets + subscriber->at, room);
	subscriber->at += room;
	if (subscriber->at == subscriber->telling->byte_count) {
		subscriber->last = subscriber->telling == subscriber->events->newest ? subscriber->telling : NULL;
		let_go(subscriber->telling);
		subscriber->telling = NULL;
	}
	return (ssize_t)room;
}

static void
leave(void *user)
{
	struct subscriber *subscriber = user;

	let_go(subscriber->telling);
	subscriber->events->subscriber_count--;
	*subscriber = (struct subscriber){ .events = subscriber->events };
}

static void
refuse(struct fan_http_request *request)
{
	static const struct fan_http_field fields[] = { { "Content-Type", "text/plain; charset=utf-8" },
							{ "Retry-After", "10" } };
	char text[128];
	const int bytes = snprintf(text, sizeof(text), "%d pages are open, as many as there may be: try again later\n",
				   FAN_WEB_SUBSCRIBERS_MAX);

	fan_http_answer(request, 503, fields, 2, text, (size_t)bytes);
}

void
fan_web_events_subscribe(struct fan_web_events *events, struct fan_http_request *request)
{
	static const struct fan_http_field fields[] = { { "Content-Type", "text/event-stream" },
							{ "Cache-Control", "no-store" },
							{ "X-Content-Type-Options", "nosniff" } };
	struct subscriber *subscriber = events->subscribers;

	if (events->subscriber_count == FAN_WEB_SUBSCRIBERS_MAX) {
		refuse(request);
		return;
	}
	while (subscriber->stream != NULL)
		subscriber++;
	/* What was told before is old by now. */
	*subscriber = (struct subscriber){ .events = events, .last = events->newest };
	events->subscriber_count++;
	subscriber->stream = fan_http_stream(request, 200, fields, 3, read_some, leave, subscriber);
}

unsigned
fan_web_events_subscribers(const struct fan_web_events *events)
{
	return events->subscriber_count;
}

void
fan_web_events_tell(struct fan_web_events *events, const char *name, const char *line)
{
	const size_t room = strlen(name) + strlen(line) + 64;
	struct telling *telling = malloc(sizeof(*telling) + room);

	if (telling == NULL)
		return;
	telling->references = 1;
	telling->byte_count = (size_t)snprintf(telling->octets, room, "retry: 2000\nevent: %s\ndata: %s\n\n", name, line);
	/* Its place in memory may be that of one that was read. */
	for (unsigned i = 0; i < FAN_WEB_SUBSCRIBERS_MAX; i++)
		events->subscribers[i].last = NULL;
	let_go(events->newest);
	events->newest = telling;
	for (unsigned i = 0; i < FAN_WEB_SUBSCRIBERS_MAX; i++)
		if (events->subscribers[i].stream != NULL)
			fan_http_wake(events->subscribers[i].stream);
}
