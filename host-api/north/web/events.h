/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who watches: open pages that are told of each new answer of the daemon by server-sent events. All share one copy of what is told. A page that
 * reads slowly misses what came meanwhile and gets the newest next; it holds one older copy at the most.
 */
#ifndef FAN_WEB_EVENTS_H
#define FAN_WEB_EVENTS_H

#include "../http.h"

#define FAN_WEB_SUBSCRIBERS_MAX 32

struct fan_web_events;

/* NULL: no memory. */
struct fan_web_events *fan_web_events_make(void);
/* Once no page is open. NULL is ignored. */
void fan_web_events_free(struct fan_web_events *events);

/* Takes a request over: an open page from now on, or, where there are as many as there may be, 503. */
void fan_web_events_subscribe(struct fan_web_events *events, struct fan_http_request *request);
unsigned fan_web_events_subscribers(const struct fan_web_events *events);

/* Tells all of them. In: name of the event, and what it says, one line. */
void fan_web_events_tell(struct fan_web_events *events, const char *name, const char *line);

#endif
