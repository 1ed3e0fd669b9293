/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one thread of ours: it has the control connection to `fanfare serve` and the book, and nobody else touches either. freeDiameter's
 * threads put requests into a bounded queue and get their answers by a port; the desk writes down, asks serve, follows each message to its
 * end, and hands out the notification until the SCS has taken it.
 *
 * A request is answered SUCCESS only when serve has made the message durable and the book knows it. While serve is away, requests are answered
 * with a temporary error at once, and what was accepted is followed again when it is back.
 *
 * At most LIMITS of everything: [limits] queued requests, FAN_DESK_ERRANDS_MAX in work, FAN_DESK_WATCHES_MAX messages not notified yet,
 * FAN_DESK_NOTIFICATIONS_MAX notifications on their way.
 */
#ifndef FAN_NORTH_TSP_DESK_H
#define FAN_NORTH_TSP_DESK_H

#include "action.h"
#include "book.h"

#define FAN_DESK_ERRANDS_MAX 32    /* each has one question to serve at a time, which takes 64 of a client */
#define FAN_DESK_QUESTIONS_MAX 48  /* those of errands and of messages that are followed */
#define FAN_DESK_WATCHES_MAX 16384 /* 48 octets each */
#define FAN_DESK_NOTIFICATIONS_MAX 32

/* What became of a notification. */
enum fan_desk_delivery {
	FAN_DESK_TAKEN,   /* the SCS has answered that it knows */
	FAN_DESK_REFUSED, /* ... that it will never take it */
	FAN_DESK_AGAIN,   /* it did not answer, or is not there */
};

/* What the desk calls, in its thread. */
struct fan_desk_port {
	void *user;
	/* Answers a request. Takes ticket, as fan_desk_submit() got it. why: one line for people, "" for none. */
	void (*answer)(void *user, void *ticket, const struct fan_tsp_action *action, enum fan_tsp_status status,
		       const char *why);
	/* Sends the notification of a message that has ended. 0: fan_desk_delivered() will be called, once; else it did not go. */
	int (*notify)(void *user, const struct fan_book_record *record);
	/* Each turn, every 50 ms at least. */
	void (*tick)(void *user);
};

struct fan_desk;

/* Opens the book and starts the thread. settings and port stay the caller's and must outlive it. BUSY, INVALID, IO, MEMORY. serve need not be there. */
int fan_desk_open(struct fan_desk **desk, const struct fan_settings *settings, const struct fan_desk_port *port);

/* Puts a request into the queue: action and ticket are the desk's then. False: it is full, or the desk is closing, and they are not. Any thread. */
bool fan_desk_submit(struct fan_desk *desk, struct fan_tsp_action *action, void *ticket);
/* Any thread. */
void fan_desk_delivered(struct fan_desk *desk, uint64_t number, enum fan_desk_delivery delivery);
/* An SCS has come (back): what is owed to it is sent at once. Any thread. */
void fan_desk_arrived(struct fan_desk *desk, const struct fan_scs *scs);

/* Answers what waits with a temporary error, lets what is in work come to its answer for some seconds, and ends the thread: the port is not
 * called any more. NULL: nothing. */
void fan_desk_stop(struct fan_desk *desk);
/* Stops it and frees it: nobody may call the functions above any more. NULL: nothing. */
void fan_desk_close(struct fan_desk *desk);

#endif
