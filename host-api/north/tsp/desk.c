/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "desk.h"
#include "../../../dataplane/context/clock.h"

#include "../../control/caller.h"
#include "../../control/log.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	CALL_MS = 5000,     /* what serve may take for an answer */
	RECONNECT_MS = 500, /* between two attempts to reach serve */
	TURN_MS = 50,       /* the longest wait of the thread */
	LOOK_MS_MIN = 50,   /* between two looks at a message: doubled each time */
	LOOK_MS_MAX = 5000,
	NOTIFY_MS_MIN = 1000, /* between two attempts to notify: doubled each time */
	NOTIFY_MS_MAX = 300000,
	CANCEL_MS = 20,      /* between two looks at a message that was cancelled */
	CANCELLED_MS = 5000, /* ... in all */
	CLOSING_MS = 5000,
	FORGET_MS = 10000, /* between two times of forgetting */
	FORGET_MAX = 1000,
	CROWDED_MS = 60000, /* what a crowded book keeps at least */
	COMPLAIN_MS = 1000,
};

enum step {
	STEP_FREE,
	STEP_STARTED,    /* in the book, and to be sent once that is durable */
	STEP_SENDING,    /* asked: send */
	STEP_LOOKING,    /* asked: message.show of the old message */
	STEP_CANCELLING, /* asked: message.cancel of the old message */
	STEP_WAITING,    /* for wake_ms, then: message.show of the old message */
	STEP_ENDING,     /* asked: that */
	STEP_DONE,       /* to be answered once the book is durable */
};

struct errand {
	enum step step;
	struct fan_tsp_action *action;
	void *ticket;
	struct fan_book_record record; /* of the message that it makes */
	uint64_t old_message;
	int64_t wake_ms, until_ms;
	enum fan_tsp_status status;
	char why[FAN_TSP_WHY_BYTES];
};

/* A message that is followed until its SCS knows what became of it. */
struct watch {
	uint64_t number, message;
	int64_t next_ms;
	int wait_ms;
	uint8_t scs;
	bool ended; /* it is to be notified; else looked at */
	bool busy;  /* a question or a notification is on its way */
};

struct question {
	int id; /* 0: none */
	struct errand *errand;
	uint64_t number; /* of a watch, where there is no errand */
	int64_t until_ms;
};

struct waiting {
	struct fan_tsp_action *action;
	void *ticket;
};

struct delivered {
	uint64_t number;
	enum fan_desk_delivery delivery;
};

struct fan_desk {
	const struct fan_settings *settings; /* constant */
	const struct fan_desk_port *port;    /* constant */
	pthread_t thread;
	bool started;
	int bell; /* eventfd: something was put in */

	pthread_mutex_t lock;  /* of what stands up to the next blank line */
	struct waiting *queue; /* ring of settings->limits.queued */
	unsigned queue_first, queue_count;
	struct delivered delivered[FAN_DESK_NOTIFICATIONS_MAX];
	unsigned delivered_count;
	uint64_t arrived; /* bit i: of settings->scs[i] */
	bool closing;

	/* The thread's own. */
	struct fan_book *book;
	struct fan_caller caller;
	bool connected;
	bool takes_identity; /* serve's `send` knows this parameter */
	int64_t now_ms, connect_ms, scan_ms, forget_ms, complain_ms;
	struct errand errands[FAN_DESK_ERRANDS_MAX];
	struct question questions[FAN_DESK_QUESTIONS_MAX];
	unsigned question_count, notification_count;
	struct watch *watches;
	unsigned watch_count;
};

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- The queue: any thread ----------------------------------------------------------------------------------------------- */

static void
ring(const struct fan_desk *desk)
{
	const uint64_t one = 1;

	if (write(desk->bell, &one, sizeof(one)) != (ssize_t)sizeof(one))
		return; /* it rings already */
}

bool
fan_desk_submit(struct fan_desk *desk, struct fan_tsp_action *action, void *ticket)
{
	const unsigned room = (unsigned)desk->settings->limits.queued;
	bool taken;

	(void)pthread_mutex_lock(&desk->lock);
	taken = !desk->closing && desk->queue_count < room;
	if (taken)
		desk->queue[(desk->queue_first + desk->queue_count++) % room] = (struct waiting){ action, ticket };
	(void)pthread_mutex_unlock(&desk->lock);
	if (taken)
		ring(desk);
	return taken;
}

void
fan_desk_delivered(struct fan_desk *desk, uint64_t number, enum fan_desk_delivery delivery)
{
	(void)pthread_mutex_lock(&desk->lock);
	if (desk->delivered_count < FAN_DESK_NOTIFICATIONS_MAX)
		desk->delivered[desk->delivered_count++] = (struct delivered){ number, delivery };
	(void)pthread_mutex_unlock(&desk->lock);
	ring(desk);
}

void
fan_desk_arrived(struct fan_desk *desk, const struct fan_scs *scs)
{
	(void)pthread_mutex_lock(&desk->lock);
	desk->arrived |= UINT64_C(1) << (scs - desk->settings->scs);
	(void)pthread_mutex_unlock(&desk->lock);
	ring(desk);
}

static bool
take_waiting(struct fan_desk *desk, struct waiting *waiting)
{
	const unsigned room = (unsigned)desk->settings->limits.queued;
	bool any;

	(void)pthread_mutex_lock(&desk->lock);
	any = desk->queue_count > 0;
	if (any) {
		*waiting = desk->queue[desk->queue_first];
		desk->queue_first = (desk->queue_first + 1) % room;
		desk->queue_count--;
	}
	(void)pthread_mutex_unlock(&desk->lock);
	return any;
}

/* ---- Errands ------------------------------------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 3, 4)))
settle(struct errand *errand, enum fan_tsp_status status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(errand->why, sizeof(errand->why), format, arguments);
	va_end(arguments);
	errand->status = status;
	errand->step = STEP_DONE;
}

/* A disk that fails: the book's own words are for the log, not for the SCS. */
static void
settle_disk(struct errand *errand)
{
	fan_log(FAN_LOG_RECORD_FAILED, NULL, "%s", fan_error_detail());
	settle(errand, FAN_TSP_TEMPORARY_ERROR, "the state of this face cannot be written");
}

static bool
is_closing(struct fan_desk *desk)
{
	bool closing;

	(void)pthread_mutex_lock(&desk->lock);
	closing = desk->closing;
	(void)pthread_mutex_unlock(&desk->lock);
	return closing;
}

static struct errand *
free_errand(struct fan_desk *desk)
{
	for (unsigned i = 0; i < FAN_DESK_ERRANDS_MAX; i++)
		if (desk->errands[i].step == STEP_FREE)
			return &desk->errands[i];
	return NULL;
}

static bool
in_work(const struct fan_desk *desk)
{
	for (unsigned i = 0; i < FAN_DESK_ERRANDS_MAX; i++)
		if (desk->errands[i].step != STEP_FREE)
			return true;
	return false;
}

/* Whether another errand makes the message of that number. */
static bool
is_in_hand(const struct fan_desk *desk, const struct errand *own, uint32_t reference)
{
	for (unsigned i = 0; i < FAN_DESK_ERRANDS_MAX; i++) {
		const struct errand *other = &desk->errands[i];

		if (other != own && other->step != STEP_FREE && other->step != STEP_DONE &&
		    other->action->scs == own->action->scs && other->action->reference == reference &&
		    other->action->type != FAN_TSP_RECALL)
			return true;
	}
	return false;
}

static unsigned
watches_of(const struct fan_desk *desk, const struct fan_scs *scs)
{
	unsigned count = 0;

	for (unsigned i = 0; i < desk->watch_count; i++)
		count += desk->watches[i].scs == (uint8_t)(scs - desk->settings->scs);
	for (unsigned i = 0; i < FAN_DESK_ERRANDS_MAX; i++)
		count += desk->errands[i].step != STEP_FREE && desk->errands[i].action->scs == scs;
	return count;
}

static struct watch *
find_watch(struct fan_desk *desk, uint64_t number)
{
	for (unsigned i = 0; i < desk->watch_count; i++)
		if (desk->watches[i].number == number)
			return &desk->watches[i];
	return NULL;
}

static void
add_watch(struct fan_desk *desk, const struct fan_book_record *record)
{
	const struct fan_scs *scs = fan_settings_label(desk->settings, record->scs);

	if (scs == NULL || desk->watch_count == FAN_DESK_WATCHES_MAX || find_watch(desk, record->number) != NULL)
		return;
	desk->watches[desk->watch_count++] = (struct watch){
		.number = record->number,
		.message = record->message,
		.next_ms = desk->now_ms,
		.wait_ms = record->state == FAN_BOOK_ENDED ? NOTIFY_MS_MIN : LOOK_MS_MIN,
		.scs = (uint8_t)(scs - desk->settings->scs),
		.ended = record->state == FAN_BOOK_ENDED,
	};
}

static bool
take_record(void *user, const struct fan_book_record *record)
{
	if (record->state == FAN_BOOK_ACCEPTED || record->state == FAN_BOOK_ENDED)
		add_watch(user, record);
	return true;
}

/* After a write that failed: what the book has is what counts. */
static void
reload(struct fan_desk *desk)
{
	desk->watch_count = 0;
	if (fan_book_each(desk->book, take_record, desk) != 0)
		fan_log(FAN_LOG_RECORD_FAILED, NULL, "%s", fan_error_detail());
}

/* ---- Asking serve ---------------------------------------------------------------------------------------------------------- */

static void
lose(struct fan_desk *desk)
{
	fan_log(FAN_LOG_DAEMON_LOST, NULL, "serve: %s", fan_error_detail());
	fan_caller_close(&desk->caller);
	desk->connected = false;
	desk->connect_ms = desk->now_ms + RECONNECT_MS;
	for (unsigned i = 0; i < FAN_DESK_QUESTIONS_MAX; i++) {
		struct question *question = &desk->questions[i];
		struct watch *watch = question->id != 0 && question->errand == NULL ? find_watch(desk, question->number) : NULL;

		if (question->id != 0 && question->errand != NULL)
			settle(question->errand, FAN_TSP_TEMPORARY_ERROR, "fanfare serve has gone: ask again");
		if (watch != NULL)
			watch->busy = false;
		question->id = 0;
	}
	desk->question_count = 0;
}

/* Whether `send` of this serve takes a single UE: else it does not know the parameter, and says so. Nothing is sent, since no GID is empty. */
static int
learn(struct fan_desk *desk)
{
	static const char unknown[] = "identity: no such parameter";
	json_t *result = NULL;
	const int error = fan_caller_call(&desk->caller, &result, "send", json_pack("{s:s, s:s}", "identity", "0", "gid", ""),
					  -1, NULL, NULL);

	json_decref(result);
	if (error != 0 && desk->caller.code == 0)
		return error;
	desk->takes_identity = error == 0 || strncmp(fan_error_detail(), unknown, strlen(unknown)) != 0;
	return 0;
}

/* Whether serve can be asked; it is looked for at most every RECONNECT_MS. */
static bool
reach(struct fan_desk *desk)
{
	if (desk->connected || desk->now_ms < desk->connect_ms)
		return desk->connected;
	desk->connect_ms = desk->now_ms + RECONNECT_MS;
	if (fan_caller_open_within(&desk->caller, desk->settings->tsp.node.socket, CALL_MS) != 0)
		return false;
	desk->connected = true;
	if (learn(desk) != 0) {
		lose(desk);
		return false;
	}
	fan_log(FAN_LOG_DAEMON_BACK, NULL, "serve answers at %s", desk->settings->tsp.node.socket);
	return true;
}

/* Takes params. False: it could not be asked. */
static bool
ask(struct fan_desk *desk, struct errand *errand, uint64_t number, const char *method, json_t *params)
{
	for (unsigned i = 0; i < FAN_DESK_QUESTIONS_MAX; i++) {
		struct question *question = &desk->questions[i];
		int id;

		if (question->id != 0)
			continue;
		if (fan_caller_post(&desk->caller, &id, method, params) != 0)
			return false;
		*question = (struct question){
			.id = id + 1, .errand = errand, .number = number, .until_ms = desk->now_ms + CALL_MS
		};
		desk->question_count++;
		return true;
	}
	json_decref(params);
	return false;
}

static void
ask_of_message(struct fan_desk *desk, struct errand *errand, enum step step, const char *method)
{
	errand->step = step;
	if (!ask(desk, errand, 0, method, json_pack("{s:I}", "id", (json_int_t)errand->old_message)))
		settle(errand, FAN_TSP_TEMPORARY_ERROR, "fanfare serve cannot be asked now");
}

/* ---- A request begins -------------------------------------------------------------------------------------------------------- */

static void
fill_record(struct fan_book_record *record, const struct fan_tsp_action *action)
{
	*record = (struct fan_book_record){
		.state = FAN_BOOK_STARTED,
		.type = action->type,
		.reference = action->reference,
		.group = action->group,
		.msisdn = action->msisdn,
		.at_ms = fan_clock_ms(CLOCK_REALTIME),
	};
	(void)snprintf(record->scs, sizeof(record->scs), "%s", action->scs->label);
	(void)snprintf(record->target, sizeof(record->target), "%s", action->target);
	memcpy(record->digest, action->digest, sizeof(record->digest));
}

/* Writes down that a message will be made. One that was begun before goes on under its number, so that serve knows it again. */
static void
start(struct fan_desk *desk, struct errand *errand)
{
	if (errand->record.number == 0)
		fill_record(&errand->record, errand->action);
	errand->step = STEP_STARTED;
	if (fan_book_put(desk->book, &errand->record) != 0)
		settle_disk(errand);
}

/* A request that was begun and never finished: the same goes on, another puts it aside. */
static void
take_up(struct fan_desk *desk, struct errand *errand, const struct fan_book_record *begun, bool same)
{
	if (same)
		errand->record = *begun;
	else if (fan_book_erase(desk->book, begun) != 0)
		settle_disk(errand);
}

/* Whether the number was used before, which settles the errand unless it was never finished. */
static bool
is_known(struct fan_desk *desk, struct errand *errand)
{
	struct fan_book_record record;
	const struct fan_tsp_action *action = errand->action;
	const int error = fan_book_find(desk->book, &record, action->scs->label, action->reference);
	const bool same = error == 0 && memcmp(record.digest, action->digest, sizeof(record.digest)) == 0;

	if (error == FAN_E_NOT_FOUND)
		return false;
	if (error != 0)
		settle_disk(errand);
	else if (record.state == FAN_BOOK_STARTED)
		take_up(desk, errand, &record, same);
	else if (same)
		settle(errand, FAN_TSP_SUCCESS, "%s", "");
	else
		settle(errand, FAN_TSP_PERMANENT_ERROR, "Reference-Number %u was used for another request", action->reference);
	return errand->step == STEP_DONE;
}

/* Looks for the message that a recall or replacement means. */
static void
find_old(struct fan_desk *desk, struct errand *errand)
{
	const struct fan_tsp_action *action = errand->action;
	const uint32_t reference = action->has_old_reference ? action->old_reference : action->reference;
	const enum fan_tsp_status failed = action->type == FAN_TSP_RECALL ? FAN_TSP_RECALL_FAILED : FAN_TSP_REPLACE_FAILED;
	struct fan_book_record old;
	const int error = fan_book_find(desk->book, &old, action->scs->label, reference);

	if (error != 0 && error != FAN_E_NOT_FOUND)
		settle_disk(errand);
	else if (error != 0 || old.message == 0)
		settle(errand, failed, "no trigger of Reference-Number %u is known", reference);
	else {
		errand->old_message = old.message;
		ask_of_message(desk, errand, STEP_LOOKING, "message.show");
	}
}

static void
begin(struct fan_desk *desk, struct errand *errand)
{
	const struct fan_tsp_action *action = errand->action;

	if (action->type != FAN_TSP_RECALL && is_in_hand(desk, errand, action->reference))
		settle(errand, FAN_TSP_TEMPORARY_ERROR, "Reference-Number %u is being worked on", action->reference);
	else if (action->type != FAN_TSP_RECALL && is_known(desk, errand))
		return;
	else if (!reach(desk))
		settle(errand, FAN_TSP_TEMPORARY_ERROR, "fanfare serve is not there now");
	else if (action->type != FAN_TSP_RECALL && !action->group && !desk->takes_identity)
		settle(errand, FAN_TSP_UNAVAILABLE, "single UEs are not served by this version of fanfare serve");
	else if (action->type != FAN_TSP_RECALL && (watches_of(desk, action->scs) > action->scs->messages ||
						    desk->watch_count + FAN_DESK_ERRANDS_MAX > FAN_DESK_WATCHES_MAX))
		settle(errand, FAN_TSP_QUOTA_EXCEEDED, "%llu triggers of this SCS are not notified yet",
		       (unsigned long long)action->scs->messages);
	else if (action->type == FAN_TSP_TRIGGER)
		start(desk, errand);
	else
		find_old(desk, errand);
}

static void
take_requests(struct fan_desk *desk)
{
	const bool closing = is_closing(desk);
	struct errand *errand;
	struct waiting waiting;

	while ((errand = free_errand(desk)) != NULL && take_waiting(desk, &waiting)) {
		*errand = (struct errand){ .step = STEP_STARTED, .action = waiting.action, .ticket = waiting.ticket };
		if (closing)
			settle(errand, FAN_TSP_TEMPORARY_ERROR, "this face is being stopped");
		else
			begin(desk, errand);
	}
}

/* ---- What serve answers ------------------------------------------------------------------------------------------------------- */

/* What is wrong with the request is said in serve's words; what is wrong with serve is for this machine's log alone, and once a second. */
static void
refuse(struct fan_desk *desk, struct errand *errand, const json_t *error)
{
	const char *message = json_string_value(json_object_get(error, "message"));

	settle(errand, fan_tsp_status_of((int)json_integer_value(json_object_get(error, "code"))), "%s",
	       message != NULL ? message : "refused");
	if (errand->status != FAN_TSP_TEMPORARY_ERROR)
		return;
	if (desk->now_ms >= desk->complain_ms)
		fan_log(FAN_LOG_NOTE, NULL, "serve: %s", errand->why);
	desk->complain_ms = desk->now_ms + COMPLAIN_MS;
	settle(errand, FAN_TSP_TEMPORARY_ERROR, "fanfare serve cannot take it now");
}

static void
take_sent(struct fan_desk *desk, struct errand *errand, const json_t *result, const json_t *error)
{
	const json_int_t id = json_integer_value(json_object_get(result, "id"));

	if (error == NULL && id <= 0) {
		settle(errand, FAN_TSP_TEMPORARY_ERROR, "fanfare serve answers without an id");
		return;
	}
	if (error != NULL) {
		refuse(desk, errand, error);
		if (fan_book_erase(desk->book, &errand->record) != 0)
			settle_disk(errand);
		return;
	}
	errand->record.state = FAN_BOOK_ACCEPTED;
	errand->record.message = (uint64_t)id;
	errand->record.at_ms = fan_clock_ms(CLOCK_REALTIME);
	settle(errand, FAN_TSP_SUCCESS, "%s", "");
	if (fan_book_put(desk->book, &errand->record) != 0)
		settle_disk(errand);
}

/* The old message has ended, of itself or cancelled. */
static void
take_old_end(struct fan_desk *desk, struct errand *errand, const json_t *shown)
{
	const char *state = json_string_value(json_object_get(shown, "state"));
	const unsigned long long sent = fan_tsp_sent(shown);
	const bool cancelled = state != NULL && strcmp(state, "cancelled") == 0;

	if (sent > 0)
		settle(errand, FAN_TSP_ALREADY_SENT, "%llu PDUs of it had left%s", sent, cancelled ? ", and no more will" : "");
	else if (errand->action->type == FAN_TSP_REPLACE)
		start(desk, errand);
	else if (cancelled)
		settle(errand, FAN_TSP_SUCCESS, "%s", "");
	else
		settle(errand, FAN_TSP_RECALL_FAILED, "it had ended unsent: %s", state != NULL ? state : "unknown");
}

static void
take_looked(struct fan_desk *desk, struct errand *errand, const json_t *result, const json_t *error)
{
	const enum fan_tsp_status failed = errand->action->type == FAN_TSP_RECALL ? FAN_TSP_RECALL_FAILED
										  : FAN_TSP_REPLACE_FAILED;
	const unsigned long long sent = fan_tsp_sent(result);

	if (error != NULL) {
		refuse(desk, errand, error);
		if (errand->status == FAN_TSP_INVALID_TARGET)
			settle(errand, failed, "fanfare serve does not know that message any more");
	} else if (fan_tsp_has_ended(result)) {
		take_old_end(desk, errand, result);
	} else if (errand->action->type == FAN_TSP_REPLACE && sent > 0) {
		settle(errand, FAN_TSP_ALREADY_SENT, "%llu PDUs of it have left, and it goes on", sent);
	} else {
		errand->until_ms = desk->now_ms + CANCELLED_MS;
		ask_of_message(desk, errand, STEP_CANCELLING, "message.cancel");
	}
}

/* A message that had ended meanwhile cannot be cancelled: either way it is looked at again. */
static void
take_cancelled(struct fan_desk *desk, struct errand *errand, const json_t *error)
{
	if (error != NULL)
		refuse(desk, errand, error);
	if (error == NULL || errand->status == FAN_TSP_INVALID_TARGET) {
		errand->step = STEP_WAITING;
		errand->wake_ms = desk->now_ms;
	}
}

static void
take_ending(struct fan_desk *desk, struct errand *errand, const json_t *result, const json_t *error)
{
	if (error != NULL)
		refuse(desk, errand, error);
	else if (fan_tsp_has_ended(result))
		take_old_end(desk, errand, result);
	else if (desk->now_ms > errand->until_ms)
		settle(errand, FAN_TSP_TEMPORARY_ERROR, "it is being cancelled: ask again");
	else {
		errand->step = STEP_WAITING;
		errand->wake_ms = desk->now_ms + CANCEL_MS;
	}
}

static void
take_errand_answer(struct fan_desk *desk, struct errand *errand, const json_t *result, const json_t *error)
{
	switch (errand->step) {
	case STEP_SENDING:
		take_sent(desk, errand, result, error);
		break;
	case STEP_LOOKING:
		take_looked(desk, errand, result, error);
		break;
	case STEP_CANCELLING:
		take_cancelled(desk, errand, error);
		break;
	case STEP_ENDING:
		take_ending(desk, errand, result, error);
		break;
	case STEP_FREE:
	case STEP_STARTED:
	case STEP_WAITING:
	case STEP_DONE:
		break;
	}
}

static void
postpone(struct watch *watch, int64_t now_ms, int wait_ms_max)
{
	watch->next_ms = now_ms + watch->wait_ms;
	watch->wait_ms = watch->wait_ms < wait_ms_max / 2 ? 2 * watch->wait_ms : wait_ms_max;
}

/* In: shown, NULL: serve has forgotten the message, so that nothing is known of its end. */
static void
end_watch(struct fan_desk *desk, struct watch *watch, const json_t *shown)
{
	struct fan_book_record record;

	if (fan_book_read(desk->book, &record, watch->number) != 0) {
		fan_log(FAN_LOG_RECORD_FAILED, NULL, "%s", fan_error_detail());
		postpone(watch, desk->now_ms, LOOK_MS_MAX);
		return;
	}
	record.state = FAN_BOOK_ENDED;
	record.at_ms = fan_clock_ms(CLOCK_REALTIME);
	record.outcome = shown != NULL ? fan_tsp_outcome_of(shown) : FAN_TSP_UNCONFIRMED;
	(void)snprintf(record.totals, sizeof(record.totals), "state=unknown");
	if (shown != NULL)
		fan_tsp_totals_of(record.totals, shown);
	watch->ended = fan_book_put(desk->book, &record) == 0;
	watch->next_ms = desk->now_ms;
	watch->wait_ms = watch->ended ? NOTIFY_MS_MIN : LOOK_MS_MAX;
}

static void
take_watch_answer(struct fan_desk *desk, uint64_t number, const json_t *result, const json_t *error)
{
	struct watch *watch = find_watch(desk, number);
	const bool forgotten = json_integer_value(json_object_get(error, "code")) == FAN_CONTROL_FAILED + FAN_E_NOT_FOUND;

	if (watch == NULL)
		return;
	watch->busy = false;
	if (forgotten || (error == NULL && fan_tsp_has_ended(result)))
		end_watch(desk, watch, forgotten ? NULL : result);
	else
		postpone(watch, desk->now_ms, LOOK_MS_MAX);
}

static void
take_answer(struct fan_desk *desk, const json_t *object)
{
	const json_t *result = json_object_get(object, "result"), *error = json_object_get(object, "error");
	const json_int_t id = json_integer_value(json_object_get(object, "id")) + 1;

	for (unsigned i = 0; i < FAN_DESK_QUESTIONS_MAX; i++) {
		struct question *question = &desk->questions[i];
		const struct question asked = *question;

		if (asked.id == 0 || asked.id != id)
			continue;
		question->id = 0;
		desk->question_count--;
		if (asked.errand != NULL)
			take_errand_answer(desk, asked.errand, result, error);
		else
			take_watch_answer(desk, asked.number, result, error);
		return;
	}
}

static void
take_answers(struct fan_desk *desk, bool readable)
{
	while (desk->connected && (readable || fan_caller_pending(&desk->caller))) {
		json_t *object;

		readable = false;
		if (fan_caller_wait(&desk->caller, &object) != 0) {
			lose(desk);
			return;
		}
		take_answer(desk, object);
		json_decref(object);
	}
}

/* A daemon that is there and does not answer is as good as one that has gone. */
static void
give_up_on_serve(struct fan_desk *desk)
{
	for (unsigned i = 0; i < FAN_DESK_QUESTIONS_MAX; i++) {
		if (desk->questions[i].id == 0 || desk->questions[i].until_ms > desk->now_ms)
			continue;
		fan_error_record("no answer in %d ms", CALL_MS);
		lose(desk);
		return;
	}
}

/* ---- Notifications -------------------------------------------------------------------------------------------------------------- */

static void
close_watch(struct fan_desk *desk, struct watch *watch, const char *how)
{
	struct fan_book_record record;

	if (fan_book_read(desk->book, &record, watch->number) == 0) {
		record.state = FAN_BOOK_NOTIFIED;
		record.at_ms = fan_clock_ms(CLOCK_REALTIME);
		if (fan_book_put(desk->book, &record) != 0)
			return;
		fan_log(FAN_LOG_NOTE, NULL, "%s scs=%s reference=%u message=%llu outcome=%d %s", how, record.scs,
			record.reference, (unsigned long long)record.message, record.outcome, record.totals);
	}
	*watch = desk->watches[--desk->watch_count];
}

static void
take_delivered(struct fan_desk *desk, const struct delivered *delivered)
{
	struct watch *watch = find_watch(desk, delivered->number);

	desk->notification_count--;
	if (watch == NULL)
		return;
	watch->busy = false;
	if (delivered->delivery == FAN_DESK_AGAIN)
		postpone(watch, desk->now_ms, NOTIFY_MS_MAX);
	else
		close_watch(desk, watch, delivered->delivery == FAN_DESK_TAKEN ? "notified" : "notification refused");
}

static void
take_events(struct fan_desk *desk)
{
	struct delivered delivered[FAN_DESK_NOTIFICATIONS_MAX];
	unsigned count;
	uint64_t arrived;

	(void)pthread_mutex_lock(&desk->lock);
	count = desk->delivered_count;
	memcpy(delivered, desk->delivered, count * sizeof(delivered[0]));
	arrived = desk->arrived;
	desk->delivered_count = 0;
	desk->arrived = 0;
	(void)pthread_mutex_unlock(&desk->lock);
	for (unsigned i = 0; i < count; i++)
		take_delivered(desk, &delivered[i]);
	for (unsigned i = 0; arrived != 0 && i < desk->watch_count; i++) {
		struct watch *watch = &desk->watches[i];

		if (!watch->ended || (arrived >> watch->scs & 1) == 0)
			continue;
		watch->next_ms = desk->now_ms;
		watch->wait_ms = NOTIFY_MS_MIN;
	}
	if (arrived != 0)
		desk->scan_ms = desk->now_ms;
}

static void
notify(struct fan_desk *desk, struct watch *watch)
{
	struct fan_book_record record;

	if (desk->notification_count == FAN_DESK_NOTIFICATIONS_MAX)
		return;
	if (fan_book_read(desk->book, &record, watch->number) != 0) {
		fan_log(FAN_LOG_RECORD_FAILED, NULL, "%s", fan_error_detail());
		postpone(watch, desk->now_ms, NOTIFY_MS_MAX);
	} else if (fan_clock_ms(CLOCK_REALTIME) - record.at_ms > 1000 * (int64_t)desk->settings->limits.retention_s) {
		close_watch(desk, watch, "notification given up");
	} else if (desk->port->notify(desk->port->user, &record) == 0) {
		watch->busy = true;
		desk->notification_count++;
	} else {
		postpone(watch, desk->now_ms, NOTIFY_MS_MAX);
	}
}

static void
look(struct fan_desk *desk, struct watch *watch)
{
	/* So many questions are kept for errands. */
	if (desk->question_count >= FAN_DESK_QUESTIONS_MAX - FAN_DESK_ERRANDS_MAX || !reach(desk))
		return;
	watch->busy = ask(desk, NULL, watch->number, "message.show", json_pack("{s:I}", "id", (json_int_t)watch->message));
}

static void
scan_watches(struct fan_desk *desk)
{
	if (desk->now_ms < desk->scan_ms)
		return;
	desk->scan_ms = desk->now_ms + TURN_MS / 2;
	for (unsigned i = desk->watch_count; i-- > 0;) {
		struct watch *watch = &desk->watches[i];

		if (watch->busy || watch->next_ms > desk->now_ms)
			continue;
		if (watch->ended)
			notify(desk, watch);
		else
			look(desk, watch);
	}
}

/* ---- A turn ----------------------------------------------------------------------------------------------------------------------- */

static void
wake_errands(struct fan_desk *desk)
{
	for (unsigned i = 0; i < FAN_DESK_ERRANDS_MAX; i++) {
		struct errand *errand = &desk->errands[i];

		if (errand->step == STEP_WAITING && errand->wake_ms <= desk->now_ms)
			ask_of_message(desk, errand, STEP_ENDING, "message.show");
	}
}

static void
send(struct fan_desk *desk, struct errand *errand)
{
	char name[FAN_BOOK_NAME_BYTES];
	json_t *params;

	fan_book_name(desk->book, name, errand->record.number);
	params = fan_tsp_action_send(errand->action, desk->settings, name);
	errand->step = STEP_SENDING;
	if (params == NULL || !desk->connected || !ask(desk, errand, 0, "send", params))
		settle(errand, FAN_TSP_TEMPORARY_ERROR, "fanfare serve cannot be asked now");
}

static void
finish(struct fan_desk *desk, struct errand *errand)
{
	const struct fan_tsp_action *action = errand->action;

	if (errand->status == FAN_TSP_SUCCESS && errand->record.message != 0)
		add_watch(desk, &errand->record);
	if (errand->status == FAN_TSP_SUCCESS && (errand->record.message != 0 || action->type == FAN_TSP_RECALL))
		fan_log(FAN_LOG_NOTE, NULL, "%s scs=%s reference=%u message=%llu target=%s",
			action->type == FAN_TSP_RECALL ? "recalled" : "accepted", action->scs->label, action->reference,
			(unsigned long long)(errand->record.message != 0 ? errand->record.message : errand->old_message),
			action->target);
	desk->port->answer(desk->port->user, errand->ticket, action, errand->status, errand->why);
	fan_tsp_action_free(errand->action);
	*errand = (struct errand){ .step = STEP_FREE };
}

/* Makes durable what this turn has changed, and does what waited for that. */
static void
commit(struct fan_desk *desk)
{
	const bool good = fan_book_commit(desk->book) == 0;

	if (!good) {
		fan_log(FAN_LOG_RECORD_FAILED, NULL, "%s", fan_error_detail());
		reload(desk);
	}
	for (unsigned i = 0; i < FAN_DESK_ERRANDS_MAX; i++) {
		struct errand *errand = &desk->errands[i];

		if (!good && (errand->step == STEP_STARTED || (errand->step == STEP_DONE && errand->status == FAN_TSP_SUCCESS)))
			settle(errand, FAN_TSP_TEMPORARY_ERROR, "the state of this face cannot be written");
		if (errand->step == STEP_STARTED)
			send(desk, errand);
		if (errand->step == STEP_DONE)
			finish(desk, errand);
	}
}

static void
forget(struct fan_desk *desk)
{
	int64_t kept_ms = 1000 * (int64_t)desk->settings->limits.retention_s;
	int64_t before_ms;

	if (desk->now_ms < desk->forget_ms)
		return;
	/* Not what was begun just now, which its SCS may still ask for. */
	if (fan_book_is_crowded(desk->book))
		kept_ms = earlier(kept_ms, CROWDED_MS);
	before_ms = fan_clock_ms(CLOCK_REALTIME) - kept_ms;
	/* More at once when there is more to forget. */
	desk->forget_ms = desk->now_ms +
			  (fan_book_forget(desk->book, before_ms, FORGET_MAX) == FORGET_MAX ? TURN_MS : FORGET_MS);
}

static void
wait_for_something(struct fan_desk *desk, bool *readable)
{
	struct pollfd places[2] = { { .fd = desk->bell, .events = POLLIN },
				    { .fd = desk->connected ? desk->caller.socket : -1, .events = POLLIN } };
	uint64_t rings;

	(void)poll(places, 2, (int)earlier(TURN_MS, in_work(desk) ? CANCEL_MS : TURN_MS));
	*readable = places[1].revents != 0;
	if (places[0].revents != 0 && read(desk->bell, &rings, sizeof(rings)) != (ssize_t)sizeof(rings))
		*readable = places[1].revents != 0;
	desk->now_ms = fan_clock_ms(CLOCK_MONOTONIC);
}

static void *
run(void *user)
{
	struct fan_desk *desk = user;
	int64_t until_ms = 0;
	bool readable = false;

	(void)reach(desk);
	for (;;) {
		wait_for_something(desk, &readable);
		take_answers(desk, readable);
		give_up_on_serve(desk);
		take_events(desk);
		wake_errands(desk);
		take_requests(desk);
		forget(desk);
		scan_watches(desk);
		commit(desk);
		desk->port->tick(desk->port->user);
		if (!is_closing(desk))
			continue;
		/* Nothing is put into the queue any more, and each turn empties it as far as there is room in work. */
		until_ms = until_ms != 0 ? until_ms : desk->now_ms + CLOSING_MS;
		if (desk->now_ms > until_ms || !in_work(desk))
			return NULL;
	}
}

/* ---- Opening and closing ------------------------------------------------------------------------------------------------------------- */

int
fan_desk_open(struct fan_desk **opened, const struct fan_settings *settings, const struct fan_desk_port *port)
{
	struct fan_desk *desk = calloc(1, sizeof(*desk));
	int error;

	*opened = NULL;
	if (desk == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory");
	desk->settings = settings;
	desk->port = port;
	desk->caller.socket = -1;
	desk->now_ms = fan_clock_ms(CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&desk->lock, NULL);
	desk->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	desk->queue = calloc(settings->limits.queued, sizeof(*desk->queue));
	desk->watches = calloc(FAN_DESK_WATCHES_MAX, sizeof(*desk->watches));
	error = desk->bell < 0 || desk->queue == NULL || desk->watches == NULL
			? fan_fail(FAN_E_MEMORY, "no memory")
			: fan_book_open(&desk->book, settings->tsp.state, settings->limits.state_mb << 20);
	if (error == 0)
		error = fan_book_each(desk->book, take_record, desk);
	if (error == 0 && pthread_create(&desk->thread, NULL, run, desk) != 0)
		error = fan_fail(FAN_E_MEMORY, "no thread can be started");
	desk->started = error == 0;
	if (desk->started)
		(void)pthread_setname_np(desk->thread, "fan-desk");
	if (error == 0)
		*opened = desk;
	else
		fan_desk_close(desk);
	return error;
}

void
fan_desk_stop(struct fan_desk *desk)
{
	if (desk == NULL || !desk->started)
		return;
	(void)pthread_mutex_lock(&desk->lock);
	desk->closing = true;
	(void)pthread_mutex_unlock(&desk->lock);
	ring(desk);
	(void)pthread_join(desk->thread, NULL);
	desk->started = false;
}

void
fan_desk_close(struct fan_desk *desk)
{
	if (desk == NULL)
		return;
	fan_desk_stop(desk);
	fan_caller_close(&desk->caller);
	fan_book_close(desk->book);
	if (desk->bell >= 0)
		(void)close(desk->bell);
	(void)pthread_mutex_destroy(&desk->lock);
	for (unsigned i = 0; i < FAN_DESK_ERRANDS_MAX; i++)
		fan_tsp_action_free(desk->errands[i].action);
	free(desk->queue);
	free(desk->watches);
	free(desk);
}
