/* SPDX-License-Identifier: BSD-3-Clause */
/* The desk between a port and a daemon that are both this test's: what it asks, in which order, and what it answers when things break. */
#define _GNU_SOURCE
#include "../host-api/north/tsp/desk.h"

#include "../host-api/control/protocol.h"
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ANSWERS_MAX 128
#define LOG_MAX 512

static char state[96], socket_path[96], host[] = "scs1.example.org", groups[] = "*";

static struct fan_settings settings = {
	.tsp = { .node = { .socket = socket_path }, .state = state },
	.limits = { .queued = 4, .payload_bytes = 100, .validity_s = 100, .retention_s = 3600, .state_mb = 16 },
	.scs = { { .label = "one", .host = host, .identity = host, .groups = groups, .messages = 100 } },
	.scs_count = 1,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void
nap(void)
{
	const struct timespec time = { .tv_nsec = 2000000 };

	(void)nanosleep(&time, NULL);
}

/* ---- The daemon ---------------------------------------------------------------------------------------------------------- */

enum behaviour {
	GOOD,
	CLOSES_ON_SEND, /* before it answers */
	SILENT_ON_SEND,
	REFUSES, /* no such group */
	FORGETS, /* no such message */
	SILENT_ON_SHOW,
};

static struct {
	int listener, client;
	pthread_t thread;
	enum behaviour behaviour;
	char asked[LOG_MAX][96]; /* "send REFERENCE", "message.show 1" ... but for looks at messages that are on their way */
	unsigned asked_count;
	/* Its one message. */
	json_int_t id;
	bool ended, cancelled;
	unsigned sent, sent_when_cancelled;
} daemon_;

static void
note(const char *method, const char *detail)
{
	if (daemon_.asked_count < LOG_MAX)
		snprintf(daemon_.asked[daemon_.asked_count++], sizeof(daemon_.asked[0]), "%s%s%s", method,
			 *detail != '\0' ? " " : "", detail);
}

static json_t *
no(int code, const char *message)
{
	return json_pack("{s:o}", "error", fan_control_error(code, message, 1));
}

static json_t *
show(void)
{
	const char *word = daemon_.cancelled ? "cancelled" : daemon_.ended ? "sent" : "sending";
	const unsigned dropped = daemon_.cancelled ? 10 - daemon_.sent : 0;

	return json_pack("{s:{s:s, s:b, s:i, s:i, s:i, s:{s:i}}}", "result", "state", word, "ended", daemon_.ended, "ues", 10,
			 "created", 10, "sent", daemon_.sent, "dropped", "cancelled", dropped);
}

/* NULL: the connection is to be closed; json_null(): no answer. */
static json_t *
reply(const char *method, const json_t *params)
{
	const char *reference = json_string_value(json_object_get(params, "reference"));

	if (strcmp(method, "hello") == 0)
		return json_pack("{s:{s:i, s:[]}}", "result", "version", FAN_CONTROL_VERSION, "roles");
	if (strcmp(method, "send") == 0 && reference == NULL)
		return no(FAN_CONTROL_PARAMS, "identity: no such parameter of this method");
	if (strcmp(method, "send") == 0) {
		note(method, reference);
		if (daemon_.behaviour == CLOSES_ON_SEND)
			return NULL;
		if (daemon_.behaviour == SILENT_ON_SEND)
			return json_null();
		if (daemon_.behaviour == REFUSES)
			return no(FAN_CONTROL_FAILED + FAN_E_NOT_FOUND, "no such group");
		return json_pack("{s:{s:I}}", "result", "id", ++daemon_.id);
	}
	if (strcmp(method, "message.cancel") == 0) {
		note(method, "");
		daemon_.ended = daemon_.cancelled = true;
		daemon_.sent = daemon_.sent_when_cancelled;
		return json_pack("{s:{}}", "result");
	}
	if (daemon_.behaviour == SILENT_ON_SHOW)
		return json_null();
	return daemon_.behaviour == FORGETS ? no(FAN_CONTROL_FAILED + FAN_E_NOT_FOUND, "no such message") : show();
}

static bool
put_line(int client, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);
	bool good = dprintf(client, "%s\n", text) > 0;

	free(text);
	json_decref(object);
	return good;
}

static bool
serve_line(int client, const char *line)
{
	json_t *request = json_loads(line, 0, NULL), *answer;
	bool good = true;

	pthread_mutex_lock(&lock);
	answer = reply(json_string_value(json_object_get(request, "method")), json_object_get(request, "params"));
	pthread_mutex_unlock(&lock);
	if (json_is_object(answer)) {
		json_object_set(answer, "id", json_object_get(request, "id"));
		good = put_line(client, answer);
	}
	json_decref(request);
	return answer != NULL && good;
}

static void *
serve(void *unused)
{
	(void)unused;
	for (;;) {
		const int client = accept(daemon_.listener, NULL, NULL);
		FILE *in = client >= 0 ? fdopen(dup(client), "r") : NULL;
		char *line = NULL;
		size_t room = 0;

		if (in == NULL)
			return NULL;
		pthread_mutex_lock(&lock);
		daemon_.client = client;
		pthread_mutex_unlock(&lock);
		(void)put_line(client, json_pack("{s:s, s:{s:s, s:i, s:s}}", "method", "hello", "params", "protocol",
						 FAN_CONTROL_PROTOCOL, "version", FAN_CONTROL_VERSION, "program", "x"));
		while (getline(&line, &room, in) > 0 && serve_line(client, line))
			;
		free(line);
		fclose(in);
		close(client);
	}
}

static void
start_daemon(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", socket_path);
	(void)unlink(socket_path);
	daemon_.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(daemon_.listener, (struct sockaddr *)&name, sizeof(name)), 0);
	cr_assert_eq(listen(daemon_.listener, 5), 0);
	daemon_.client = -1;
	cr_assert_eq(pthread_create(&daemon_.thread, NULL, serve, NULL), 0);
}

static void
behave(enum behaviour behaviour)
{
	pthread_mutex_lock(&lock);
	daemon_.behaviour = behaviour;
	pthread_mutex_unlock(&lock);
}

static void
set_message(bool ended, unsigned sent, unsigned sent_when_cancelled)
{
	pthread_mutex_lock(&lock);
	daemon_.ended = ended;
	daemon_.cancelled = false;
	daemon_.sent = sent;
	daemon_.sent_when_cancelled = sent_when_cancelled;
	pthread_mutex_unlock(&lock);
}

/* How often something was asked. Out: last[96], the last time, NULL: nowhere. */
static unsigned
asked(char *last, const char *method)
{
	unsigned count = 0;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < daemon_.asked_count; i++) {
		if (strncmp(daemon_.asked[i], method, strlen(method)) != 0)
			continue;
		count++;
		if (last != NULL)
			memcpy(last, daemon_.asked[i], sizeof(daemon_.asked[i]));
	}
	pthread_mutex_unlock(&lock);
	return count;
}

/* ---- The port ------------------------------------------------------------------------------------------------------------- */

static struct {
	enum fan_tsp_status status[ANSWERS_MAX]; /* by ticket */
	bool answered[ANSWERS_MAX];
	struct fan_book_record notified[ANSWERS_MAX];
	unsigned notified_count;
	int notify_answer;
} port_;

static char tickets[ANSWERS_MAX]; /* their addresses */

static void
take_answer(void *user, void *ticket, const struct fan_tsp_action *action, enum fan_tsp_status status, const char *why)
{
	const ptrdiff_t place = (char *)ticket - tickets;

	(void)user;
	(void)why;
	(void)action;
	pthread_mutex_lock(&lock);
	cr_assert_not(port_.answered[place], "answered twice");
	port_.answered[place] = true;
	port_.status[place] = status;
	pthread_mutex_unlock(&lock);
}

static int
take_notification(void *user, const struct fan_book_record *record)
{
	int answer;

	(void)user;
	pthread_mutex_lock(&lock);
	answer = port_.notify_answer;
	if (port_.notified_count < ANSWERS_MAX)
		port_.notified[port_.notified_count++] = *record;
	pthread_mutex_unlock(&lock);
	return answer;
}

static void
tick(void *user)
{
	(void)user;
}

static const struct fan_desk_port port = { .answer = take_answer, .notify = take_notification, .tick = tick };

static struct fan_desk *desk;
static size_t next_ticket;

/* Submits a request. Returns its ticket, ANSWERS_MAX: it was not taken. digest: what else it says, in a number. */
static size_t
submit(enum fan_tsp_action_type type, uint32_t reference, uint32_t old_reference, uint8_t digest)
{
	struct fan_tsp_action *action = calloc(1, sizeof(*action));
	const size_t ticket = next_ticket++;

	action->scs = &settings.scs[0];
	action->type = type;
	action->reference = reference;
	action->old_reference = old_reference;
	action->has_old_reference = old_reference != 0;
	action->group = true;
	(void)snprintf(action->target, sizeof(action->target), "flood@example.org");
	action->payload = calloc(1, 8);
	action->payload_bytes = 8;
	action->digest[0] = digest;
	cr_assert_lt(ticket, ANSWERS_MAX);
	if (fan_desk_submit(desk, action, &tickets[ticket]))
		return ticket;
	fan_tsp_action_free(action);
	return ANSWERS_MAX;
}

/* Waits for an answer; -1: there was none in ten seconds. */
static int
wait_for(size_t ticket)
{
	for (unsigned i = 0; i < 5000; i++, nap()) {
		bool answered;

		pthread_mutex_lock(&lock);
		answered = port_.answered[ticket];
		pthread_mutex_unlock(&lock);
		if (answered)
			return (int)port_.status[ticket];
	}
	return -1;
}

static int
ask(enum fan_tsp_action_type type, uint32_t reference, uint32_t old_reference, uint8_t digest)
{
	return wait_for(submit(type, reference, old_reference, digest));
}

/* Waits until there were so many notifications; false: not in ten seconds. */
static bool
notified(unsigned count)
{
	for (unsigned i = 0; i < 5000; i++, nap()) {
		unsigned now;

		pthread_mutex_lock(&lock);
		now = port_.notified_count;
		pthread_mutex_unlock(&lock);
		if (now >= count)
			return true;
	}
	return false;
}

static void
open_desk(void)
{
	cr_assert_eq(fan_desk_open(&desk, &settings, &port), 0, "%s", fan_error_detail());
}

static void
set_up(void)
{
	fan_test_store_set_up();
	(void)signal(SIGPIPE, SIG_IGN); /* of the daemon that is played here */
	(void)snprintf(state, sizeof(state), "%s/state", fan_test_store.top);
	(void)snprintf(socket_path, sizeof(socket_path), "%s/socket", fan_test_store.top);
	start_daemon();
	open_desk();
}

static void
tear_down(void)
{
	fan_desk_close(desk);
	fan_test_store_tear_down();
}

TestSuite(tsp_desk, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- Triggers --------------------------------------------------------------------------------------------------------------- */

Test(tsp_desk, a_trigger_is_asked_once_and_its_end_is_told_once)
{
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 1, 0, 0), FAN_TSP_SUCCESS);
	for (unsigned i = 0; i < 100; i++)
		nap();
	cr_assert_eq(port_.notified_count, 0, "told before it has ended");
	set_message(true, 10, 0);
	cr_assert(notified(1));
	cr_assert_eq(port_.notified[0].reference, 1);
	cr_assert_eq(port_.notified[0].message, 1);
	cr_assert_eq(port_.notified[0].outcome, FAN_TSP_UNCONFIRMED);
	fan_desk_delivered(desk, port_.notified[0].number, FAN_DESK_TAKEN);
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 1, 0, 0), FAN_TSP_SUCCESS, "the same again");
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 1, 0, 9), FAN_TSP_PERMANENT_ERROR, "another of that number");
	cr_assert_eq(asked(NULL, "send"), 1);
	fan_desk_close(desk);
	open_desk();
	fan_desk_arrived(desk, &settings.scs[0]);
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 1, 0, 0), FAN_TSP_SUCCESS, "the same after a restart");
	cr_assert_eq(asked(NULL, "send"), 1);
	cr_assert_eq(port_.notified_count, 1, "told again");
}

Test(tsp_desk, what_serve_refuses_is_as_if_it_had_not_been)
{
	behave(REFUSES);
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 1, 0, 0), FAN_TSP_INVALID_TARGET);
	behave(GOOD);
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 1, 0, 9), FAN_TSP_SUCCESS);
}

Test(tsp_desk, an_answer_that_was_lost_is_asked_for_under_the_same_name)
{
	char first[96], second[96], third[96];

	behave(CLOSES_ON_SEND);
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 1, 0, 0), FAN_TSP_TEMPORARY_ERROR);
	cr_assert_eq(asked(first, "send"), 1);
	/* The face may have died, too. */
	fan_desk_close(desk);
	behave(GOOD);
	open_desk();
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 1, 0, 0), FAN_TSP_SUCCESS);
	cr_assert_eq(asked(second, "send"), 2);
	cr_assert_str_eq(first, second);
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 2, 0, 0), FAN_TSP_SUCCESS);
	(void)asked(third, "send");
	cr_assert_str_neq(first, third);
}

Test(tsp_desk, another_request_of_a_number_that_was_lost_gets_another_name)
{
	char first[96], second[96];

	behave(CLOSES_ON_SEND);
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 1, 0, 0), FAN_TSP_TEMPORARY_ERROR);
	(void)asked(first, "send");
	behave(GOOD);
	for (int status = FAN_TSP_TEMPORARY_ERROR; status == FAN_TSP_TEMPORARY_ERROR; nap())
		status = ask(FAN_TSP_TRIGGER, 1, 0, 9);
	cr_assert_eq(asked(second, "send"), 2);
	cr_assert_str_neq(first, second);
}

Test(tsp_desk, without_serve_it_says_so_at_once)
{
	fan_desk_close(desk);
	(void)unlink(socket_path);
	open_desk();
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 1, 0, 0), FAN_TSP_TEMPORARY_ERROR);
	cr_assert_eq(ask(FAN_TSP_RECALL, 1, 0, 0), FAN_TSP_TEMPORARY_ERROR);
}

Test(tsp_desk, it_takes_no_more_than_it_can_hold)
{
	size_t asked_for[FAN_DESK_ERRANDS_MAX + 8];
	unsigned taken = 0;

	behave(SILENT_ON_SEND);
	for (unsigned i = 0; i < FAN_DESK_ERRANDS_MAX + 8; i++) {
		asked_for[taken] = submit(FAN_TSP_TRIGGER, 1 + i, 0, 0);
		taken += asked_for[taken] != ANSWERS_MAX;
		for (unsigned j = 0; j < 5; j++)
			nap();
	}
	cr_assert_eq(taken, FAN_DESK_ERRANDS_MAX + settings.limits.queued, "%u", taken);
	cr_assert_eq(asked(NULL, "send"), FAN_DESK_ERRANDS_MAX);
	/* Each of them gets an answer once serve is given up. */
	for (unsigned i = 0; i < taken; i++)
		cr_assert_eq(wait_for(asked_for[i]), FAN_TSP_TEMPORARY_ERROR, "request %u", i);
}

Test(tsp_desk, an_scs_has_so_many_messages_and_no_more)
{
	settings.scs[0].messages = 2;
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 1, 0, 0), FAN_TSP_SUCCESS);
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 2, 0, 0), FAN_TSP_SUCCESS);
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 3, 0, 0), FAN_TSP_QUOTA_EXCEEDED);
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 2, 0, 0), FAN_TSP_SUCCESS, "a repetition needs no room");
	set_message(true, 10, 0);
	cr_assert(notified(2));
	fan_desk_delivered(desk, port_.notified[0].number, FAN_DESK_TAKEN);
	for (int status = FAN_TSP_QUOTA_EXCEEDED; status == FAN_TSP_QUOTA_EXCEEDED; nap())
		status = ask(FAN_TSP_TRIGGER, 3, 0, 0);
	cr_assert_eq(asked(NULL, "send"), 3);
}

Test(tsp_desk, closing_leaves_nobody_without_an_answer)
{
	const size_t ticket = submit(FAN_TSP_TRIGGER, 1, 0, 0);

	fan_desk_stop(desk);
	cr_assert(port_.answered[ticket]);
	cr_assert_eq(submit(FAN_TSP_TRIGGER, 2, 0, 0), ANSWERS_MAX, "taken by a desk that is closed");
}

Test(tsp_desk, what_cannot_be_written_is_not_called_accepted)
{
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 1, 0, 0), FAN_TSP_SUCCESS);
	fan_test_disk_fail(1, 1, ENOSPC);
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 2, 0, 0), FAN_TSP_TEMPORARY_ERROR);
	cr_assert_eq(asked(NULL, "send"), 1, "serve was asked for what is not written down");
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 2, 0, 0), FAN_TSP_SUCCESS);
	set_message(true, 10, 0);
	cr_assert(notified(2), "a message is not followed after the disk failed");
}

/* ---- Notifications ----------------------------------------------------------------------------------------------------------- */

Test(tsp_desk, a_notification_is_owed_until_it_is_taken)
{
	set_message(true, 10, 0);
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 1, 0, 0), FAN_TSP_SUCCESS);
	cr_assert(notified(1));
	fan_desk_delivered(desk, port_.notified[0].number, FAN_DESK_AGAIN);
	cr_assert(notified(2), "not tried again");
	/* Lost with the process, and owed by the next. */
	fan_desk_close(desk);
	open_desk();
	cr_assert(notified(3), "forgotten by a restart");
	fan_desk_delivered(desk, port_.notified[0].number, FAN_DESK_AGAIN);
	for (unsigned i = 0; i < 50; i++)
		nap();
	fan_desk_arrived(desk, &settings.scs[0]);
	cr_assert(notified(4), "not told when the SCS has come");
	fan_desk_delivered(desk, port_.notified[0].number, FAN_DESK_REFUSED);
	for (unsigned i = 0; i < 50; i++)
		nap();
	fan_desk_arrived(desk, &settings.scs[0]);
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 1, 0, 0), FAN_TSP_SUCCESS);
	cr_assert_eq(port_.notified_count, 4, "told after it was refused");
}

Test(tsp_desk, what_serve_has_forgotten_is_not_called_a_success)
{
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 1, 0, 0), FAN_TSP_SUCCESS);
	behave(FORGETS);
	cr_assert(notified(1));
	cr_assert_eq(port_.notified[0].outcome, FAN_TSP_UNCONFIRMED);
	cr_assert_str_eq(port_.notified[0].totals, "state=unknown");
}

Test(tsp_desk, a_message_is_followed_over_the_death_of_serve)
{
	behave(SILENT_ON_SHOW);
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 1, 0, 0), FAN_TSP_SUCCESS);
	/* Time to ask what became of it, which is not answered. */
	for (unsigned i = 0; i < 100; i++)
		nap();
	behave(GOOD);
	set_message(true, 10, 0);
	pthread_mutex_lock(&lock);
	(void)shutdown(daemon_.client, SHUT_RDWR);
	pthread_mutex_unlock(&lock);
	cr_assert(notified(1));
}

/* ---- Recall and replacement ----------------------------------------------------------------------------------------------------- */

Test(tsp_desk, recall)
{
	cr_assert_eq(ask(FAN_TSP_RECALL, 5, 1, 0), FAN_TSP_RECALL_FAILED, "of what was never there");
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 1, 0, 0), FAN_TSP_SUCCESS);
	cr_assert_eq(ask(FAN_TSP_RECALL, 5, 1, 0), FAN_TSP_SUCCESS);
	cr_assert_eq(asked(NULL, "message.cancel"), 1);
	cr_assert_eq(ask(FAN_TSP_RECALL, 1, 0, 0), FAN_TSP_SUCCESS, "once more, by its own number");
	cr_assert_eq(asked(NULL, "message.cancel"), 1);
}

Test(tsp_desk, recall_that_comes_too_late_is_no_success)
{
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 1, 0, 0), FAN_TSP_SUCCESS);
	set_message(false, 2, 3);
	cr_assert_eq(ask(FAN_TSP_RECALL, 1, 0, 0), FAN_TSP_ALREADY_SENT, "some had left, the rest was stopped");
	cr_assert_eq(asked(NULL, "message.cancel"), 1);
	set_message(true, 10, 0);
	cr_assert_eq(ask(FAN_TSP_RECALL, 1, 0, 0), FAN_TSP_ALREADY_SENT, "all have left");
	set_message(true, 0, 0);
	cr_assert_eq(ask(FAN_TSP_RECALL, 1, 0, 0), FAN_TSP_RECALL_FAILED, "it ended unsent, and of itself");
	behave(FORGETS);
	cr_assert_eq(ask(FAN_TSP_RECALL, 1, 0, 0), FAN_TSP_RECALL_FAILED, "nobody knows it any more");
}

Test(tsp_desk, replacement)
{
	cr_assert_eq(ask(FAN_TSP_TRIGGER, 1, 0, 0), FAN_TSP_SUCCESS);
	set_message(false, 1, 1);
	cr_assert_eq(ask(FAN_TSP_REPLACE, 2, 1, 0), FAN_TSP_ALREADY_SENT, "it has begun to be sent");
	cr_assert_eq(asked(NULL, "message.cancel"), 0, "and goes on");
	set_message(false, 0, 1);
	cr_assert_eq(ask(FAN_TSP_REPLACE, 2, 1, 0), FAN_TSP_ALREADY_SENT, "it began while it was cancelled");
	cr_assert_eq(asked(NULL, "send"), 1, "the new one is not sent then");
	set_message(false, 0, 0);
	cr_assert_eq(ask(FAN_TSP_REPLACE, 2, 1, 0), FAN_TSP_SUCCESS);
	cr_assert_eq(asked(NULL, "send"), 2);
	cr_assert_eq(ask(FAN_TSP_REPLACE, 2, 1, 0), FAN_TSP_SUCCESS, "the same again");
	cr_assert_eq(asked(NULL, "send"), 2);
	cr_assert_eq(ask(FAN_TSP_REPLACE, 3, 9, 0), FAN_TSP_REPLACE_FAILED, "of what was never there");
}
