/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "delivery.h"

#include "../../control/log.h"
#include "keys.h"
#include "notices.h"

#include <stdlib.h>
#include <string.h>

#define TRY_AGAIN_S 5
#define BUSY_S 1
#define RATE_WAIT_MAX_S 86400 /* a sender is told of no longer wait */
#define NO_BUFFER_MS 1000     /* what is valid for 0 s leaves at once, or not at all */
#define VALID_MAX_S 604800
#define LOOK_PAUSE_MIN_MS 50 /* between two looks at a message: doubled each time */
#define LOOK_PAUSE_MAX_MS 1000

/* ---- Records ------------------------------------------------------------------------------------------------------------------- */

static const char *
state_of(const json_t *record)
{
	return json_string_value(json_object_get(record, "state"));
}

static bool
is_in_state(const struct fan_t8_delivery *delivery, const char *state)
{
	return strcmp(state_of(delivery->record), state) == 0;
}

static int64_t
number_of(const json_t *record, const char *name)
{
	return json_integer_value(json_object_get(record, name));
}

static void
set_state(struct fan_t8_delivery *delivery, const char *state)
{
	(void)json_object_set_new(delivery->record, "state", json_string(state));
}

bool
fan_t8_has_ended(const json_t *record)
{
	return strcmp(state_of(record), "ended") == 0;
}

static const struct fan_t8_sender *
sender_of(const struct fan_t8_delivery *delivery)
{
	return fan_t8_settings_sender(&delivery->t8->settings, json_string_value(json_object_get(delivery->record, "sender")));
}

static struct fan_t8_account *
account_of(const struct fan_t8_delivery *delivery)
{
	const struct fan_t8_sender *sender = sender_of(delivery);

	return sender != NULL ? fan_t8_account_of(delivery->t8, sender) : NULL;
}

int
fan_t8_delivery_keep(struct fan_t8_delivery *delivery)
{
	const int error = fan_t8_records_put(delivery->t8->records, delivery->key, delivery->record);

	delivery->told_more = delivery->told_more && error != 0;
	return error;
}

static void
keep_or_say(struct fan_t8_delivery *delivery)
{
	if (fan_t8_delivery_keep(delivery) != 0)
		fan_log(FAN_LOG_RECORD_FAILED, NULL, "%s: %s", delivery->key, fan_error_detail());
}

/* ---- Those that are under way ---------------------------------------------------------------------------------------------------- */

static struct fan_t8_delivery *
find(const struct fan_t8 *t8, const char *key)
{
	for (unsigned i = 0; i < t8->delivery_count; i++)
		if (strcmp(t8->deliveries[i]->key, key) == 0)
			return t8->deliveries[i];
	return NULL;
}

/* Takes record. NULL: no memory. */
static struct fan_t8_delivery *
add(struct fan_t8 *t8, const struct fan_t8_api *api, const char *key, json_t *record)
{
	struct fan_t8_delivery *delivery = calloc(1, sizeof(*delivery));
	const unsigned room = t8->delivery_room * 2 + 64;
	struct fan_t8_account *account;

	FAN_REQUIRE(delivery != NULL);
	if (t8->delivery_count == t8->delivery_room) {
		t8->deliveries = reallocarray(t8->deliveries, room, sizeof(struct fan_t8_delivery *));
		FAN_REQUIRE(t8->deliveries != NULL);
		t8->delivery_room = room;
	}
	delivery->t8 = t8;
	delivery->api = api;
	delivery->record = record;
	(void)snprintf(delivery->key, sizeof(delivery->key), "%s", key);
	t8->deliveries[t8->delivery_count++] = delivery;
	account = account_of(delivery);
	if (account != NULL)
		account->in_flight += !fan_t8_has_ended(record);
	return delivery;
}

static void
free_delivery(struct fan_t8_delivery *delivery)
{
	fan_t8_notice_free(delivery->notice);
	json_decref(delivery->replacement);
	json_decref(delivery->record);
	free(delivery);
}

/* It is no longer looked at; what is kept stays. */
static void
drop(struct fan_t8_delivery *delivery)
{
	struct fan_t8 *t8 = delivery->t8;
	struct fan_t8_account *account = account_of(delivery);
	unsigned at = 0;

	if (account != NULL && !fan_t8_has_ended(delivery->record) && account->in_flight > 0)
		account->in_flight--;
	while (t8->deliveries[at] != delivery)
		at++;
	t8->deliveries[at] = t8->deliveries[--t8->delivery_count];
	free_delivery(delivery);
}

/* It is forgotten for good. */
static void
forget(struct fan_t8_delivery *delivery)
{
	fan_t8_key_forget(delivery->t8, delivery->record);
	if (fan_t8_records_remove(delivery->t8->records, delivery->key) != 0)
		fan_log(FAN_LOG_RECORD_FAILED, NULL, "%s: %s", delivery->key, fan_error_detail());
	drop(delivery);
}

/* ---- Answers --------------------------------------------------------------------------------------------------------------------- */

static void
answer_problem(struct fan_t8_delivery *delivery, const struct fan_t8_problem *problem)
{
	struct fan_http_request *request = delivery->request;

	delivery->request = NULL;
	if (request == NULL)
		return;
	if (delivery->api->fails_by_failure)
		fan_t8_answer_failure(request, problem);
	else
		fan_t8_answer_problem(request, problem);
}

void
fan_t8_delivery_uri(const struct fan_t8 *t8, const struct fan_t8_api *api, char uri[FAN_T8_URI_BYTES], const char *key)
{
	char path[FAN_T8_URI_BYTES];

	api->locate(path, key);
	fan_t8_make_uri(t8, uri, path);
}

static void
answer_shown(struct fan_t8_delivery *delivery, unsigned status)
{
	struct fan_http_request *request = delivery->request;
	json_t *shown = delivery->api->show(delivery->t8, delivery->key, delivery->record);
	char uri[FAN_T8_URI_BYTES];

	delivery->request = NULL;
	fan_t8_delivery_uri(delivery->t8, delivery->api, uri, delivery->key);
	if (status == 201)
		fan_t8_key_answered(delivery->t8, delivery->record, uri, shown);
	if (request != NULL)
		fan_t8_answer(request, status, json_incref(shown), status == 201 ? uri : NULL);
	json_decref(shown);
}

static void
say_try_again(struct fan_t8_problem *problem, const char *why)
{
	fan_t8_problem_set(problem, 503, "NF_CONGESTION", NULL, "%s: try again", why);
	problem->retry_after_s = TRY_AGAIN_S;
}

/* What the daemon refuses a message for. */
static void
translate(struct fan_t8_problem *problem, const struct fan_face_answer *answer)
{
	switch (answer->code - FAN_CONTROL_FAILED) {
	case FAN_E_NOT_FOUND:
		fan_t8_problem_set(problem, 404, "IDENTIFIER_NOT_FOUND", NULL, "%s", answer->why);
		return;
	case FAN_E_TOO_LONG:
		fan_t8_problem_set(problem, 403, "DATA_TOO_LARGE", NULL, "%s", answer->why);
		return;
	case FAN_E_BUSY:
	case FAN_E_IO:
	case FAN_E_MEMORY:
		say_try_again(problem, answer->why);
		return;
	default:
		break;
	}
	if (answer->code == FAN_CONTROL_DENIED)
		fan_t8_problem_set(problem, 500, "SYSTEM_FAILURE", NULL, "this face has not the role to send");
	else if (answer->code == FAN_CONTROL_FORBIDDEN)
		fan_t8_problem_set(problem, 403, "OPERATION_NOT_ALLOWED", NULL, "%s", answer->why);
	else
		fan_t8_problem_set(problem, 400, "INVALID_MSG_FORMAT", NULL, "%s", answer->why);
}

/* ---- Sending --------------------------------------------------------------------------------------------------------------------- */

static void
end(struct fan_t8_delivery *delivery, const char *outcome)
{
	struct fan_t8_account *account = account_of(delivery);

	if (account != NULL && account->in_flight > 0)
		account->in_flight--;
	(void)json_object_del(delivery->record, "former");
	set_state(delivery, "ended");
	(void)json_object_set_new(delivery->record, "outcome", json_string(outcome));
	(void)json_object_set_new(delivery->record, "ended_ms", json_integer(fan_clock_ms(CLOCK_REALTIME)));
	keep_or_say(delivery);
}

/* The daemon has it. A record that cannot be kept now says "new", and the daemon knows the reference. */
static void
note_sent(struct fan_t8_delivery *delivery, const json_t *result)
{
	(void)json_object_set(delivery->record, "message", json_object_get(result, "id"));
	(void)json_object_set_new(delivery->record, "accepted", json_true());
	(void)json_object_del(delivery->record, "former");
	set_state(delivery, "sending");
	keep_or_say(delivery);
	answer_shown(delivery, json_is_true(json_object_get(delivery->record, "replaces")) ? 200 : 201);
}

/* It may have been sent or not. Whoever has given it a key asks again, and it is sent for sure; else nothing of it shall stay. */
static void
note_doubt(struct fan_t8_delivery *delivery, const char *why)
{
	struct fan_t8_problem problem = { 0 };

	if (delivery->request != NULL && !(json_object_get(delivery->record, "idempotency") != NULL)) {
		set_state(delivery, "withdrawn");
		keep_or_say(delivery);
	}
	say_try_again(&problem, why);
	answer_problem(delivery, &problem);
}

/* Nothing of it stays but what it was to take the place of, if there was such. */
static void
give_up(struct fan_t8_delivery *delivery)
{
	json_t *former = json_incref(json_object_get(delivery->record, "former"));
	struct fan_t8_account *account = account_of(delivery);

	if (former == NULL) {
		forget(delivery);
		return;
	}
	json_decref(delivery->record);
	delivery->record = former;
	if (account != NULL && fan_t8_has_ended(former) && account->in_flight > 0)
		account->in_flight--;
	keep_or_say(delivery);
}

/* One that nobody waits for was accepted: that the daemon refuses it after all is its outcome. */
static void
note_refused(struct fan_t8_delivery *delivery, const struct fan_face_answer *answer)
{
	struct fan_t8_problem problem = { 0 };

	translate(&problem, answer);
	if (delivery->request != NULL) {
		answer_problem(delivery, &problem);
		give_up(delivery);
	} else if (problem.status != 503 && json_is_true(json_object_get(delivery->record, "accepted"))) {
		end(delivery, "unknown");
	} else if (problem.status != 503)
		give_up(delivery);
}

static void
take_sent(void *user, const struct fan_face_answer *answer)
{
	struct fan_t8_delivery *delivery = user;

	delivery->busy = false;
	if (is_in_state(delivery, "withdrawn"))
		return; /* meanwhile: what the daemon has of it is found by its reference, and cancelled */
	if (answer->failure == FAN_FACE_DONE)
		note_sent(delivery, answer->result);
	else if (answer->failure == FAN_FACE_GONE)
		note_doubt(delivery, answer->why);
	else
		note_refused(delivery, answer);
}

/* One whose time is over: only the daemon knows whether it had it before that. */
static void
take_late(void *user, const struct fan_face_answer *answer)
{
	struct fan_t8_delivery *delivery = user;

	delivery->busy = false;
	if (is_in_state(delivery, "withdrawn"))
		return;
	if (answer->failure == FAN_FACE_DONE)
		note_sent(delivery, answer->result);
	else if (answer->failure == FAN_FACE_REFUSED && answer->code == FAN_CONTROL_FAILED + FAN_E_NOT_FOUND)
		end(delivery, "expired");
}

static void
ask_by_reference(struct fan_t8_delivery *delivery, void (*take)(void *user, const struct fan_face_answer *answer))
{
	delivery->busy = true;
	fan_face_call(delivery->t8->face, "message.find",
		      json_pack("{s:O}", "reference", json_object_get(delivery->record, "reference")), -1, take, delivery);
}

static void
send_it(struct fan_t8_delivery *delivery)
{
	const int64_t until_ms = number_of(delivery->record, "until_ms"), left_ms = until_ms - fan_clock_ms(CLOCK_REALTIME);
	json_t *params;

	if (until_ms != 0 && left_ms <= 0 && delivery->request == NULL) {
		ask_by_reference(delivery, take_late);
		return;
	}
	params = json_copy(json_object_get(delivery->record, "params"));
	if (until_ms != 0)
		(void)json_object_set_new(params, "valid_for_ms", json_integer(left_ms > 1 ? left_ms : 1));
	(void)json_object_set(params, "reference", json_object_get(delivery->record, "reference"));
	(void)json_object_set(params, "sender", json_object_get(delivery->record, "sender"));
	(void)json_object_set(params, json_is_true(json_object_get(delivery->record, "group")) ? "gid" : "identity",
			      json_object_get(delivery->record, "to"));
	delivery->busy = true;
	fan_face_call(delivery->t8->face, "send", params, -1, take_sent, delivery);
}

/* ---- What the daemon says of a message --------------------------------------------------------------------------------------------- */

/* By how much more is known now than was charged. A daemon that was killed counts again what was under way: then it is less for a while. */
static double
rise(uint64_t *charged, uint64_t known)
{
	const uint64_t more = known > *charged ? known - *charged : 0;

	*charged += more;
	return (double)more;
}

/* What is known of a message's UEs and PDUs is taken of what its sender may send: its UEs once the daemon has counted them, each as one PDU
 * at the least; the PDUs of further parts as the daemon makes them. */
static void
charge(struct fan_t8_delivery *delivery, const json_t *result)
{
	struct fan_t8_account *account = account_of(delivery);
	const uint64_t ues = (uint64_t)number_of(result, "ues"), created = (uint64_t)number_of(result, "created");
	const uint64_t pdus = created > ues ? created : ues;

	if (account == NULL)
		return;
	account->ues -= rise(&delivery->ues_charged, ues);
	account->pdus -= rise(&delivery->pdus_charged, pdus);
}

/* UEs that were served by broadcast; 0 where the daemon does not say how UEs were served. */
static json_int_t
broadcast_ues(const json_t *result)
{
	const json_t *ways = json_object_get(result, "ways");

	return json_integer_value(json_object_get(ways, "broadcast-lte")) +
	       json_integer_value(json_object_get(ways, "broadcast-nr"));
}

static json_t *
totals_of(const json_t *result)
{
	json_t *totals = json_object();

	(void)json_object_set(totals, "ues", json_object_get(result, "ues"));
	(void)json_object_set(totals, "sent", json_object_get(result, "sent"));
	(void)json_object_set(totals, "dropped", json_object_get(result, "dropped"));
	(void)json_object_set(totals, "ways", json_object_get(result, "ways"));
	(void)json_object_set(totals, "in_doubt", json_object_get(result, "in_doubt"));
	return totals;
}

/* ---- Replacing --------------------------------------------------------------------------------------------------------------------- */

/* Another record takes the place of one of which nothing was sent, and has that one in it until the daemon has taken it over. Takes record. */
static void
supersede(struct fan_t8_delivery *delivery, json_t *record)
{
	const bool waits = strcmp(state_of(record), "waiting") == 0;
	struct fan_t8_account *account = account_of(delivery);
	struct fan_t8_problem problem = { 0 };
	json_t *former = delivery->record;

	if (!waits)
		(void)json_object_set(record, "former", former);
	delivery->record = record;
	if (fan_t8_delivery_keep(delivery) != 0) {
		delivery->record = former;
		json_decref(record);
		say_try_again(&problem, fan_error_detail());
		answer_problem(delivery, &problem);
		return;
	}
	if (account != NULL && fan_t8_has_ended(former))
		account->in_flight++;
	delivery->ues_charged = delivery->pdus_charged = 0;
	json_decref(former);
	if (waits)
		answer_shown(delivery, 200);
	else
		send_it(delivery);
}

/* Nothing takes its place. */
static void
keep_place(struct fan_t8_delivery *delivery, const struct fan_t8_problem *problem)
{
	json_decref(delivery->replacement);
	delivery->replacement = NULL;
	answer_problem(delivery, problem);
}

static void
keep_place_for_now(struct fan_t8_delivery *delivery, const char *why)
{
	struct fan_t8_problem problem = { 0 };

	say_try_again(&problem, why);
	keep_place(delivery, &problem);
}

/* When it has ended, take_look() sees whether anything of it was sent. */
static void
take_stopped(void *user, const struct fan_face_answer *answer)
{
	struct fan_t8_delivery *delivery = user;

	delivery->busy = false;
	delivery->stopped = true;
	if (answer->failure == FAN_FACE_GONE && delivery->replacement != NULL)
		keep_place_for_now(delivery, answer->why);
}

static void
make_place(struct fan_t8_delivery *delivery)
{
	delivery->busy = true;
	fan_face_call(delivery->t8->face, "message.cancel",
		      json_pack("{s:I}", "id", (json_int_t)number_of(delivery->record, "message")), -1, take_stopped, delivery);
}

/* ---- Looking --------------------------------------------------------------------------------------------------------------------- */

static void
note_ended(struct fan_t8_delivery *delivery, const json_t *result, const char *state)
{
	const bool is_known = result != NULL,
		   any_sent = json_integer_value(json_object_get(result, "sent")) + broadcast_ues(result) > 0;
	json_t *replacement = delivery->replacement;
	struct fan_t8_problem problem = { 0 };

	if (is_known)
		(void)json_object_set_new(delivery->record, "result", totals_of(result));
	end(delivery, state);
	if (replacement == NULL)
		return;
	if (is_known && !any_sent) {
		delivery->replacement = NULL;
		supersede(delivery, replacement);
		return;
	}
	fan_t8_problem_set(&problem, 409, NULL, NULL, "%s",
			   is_known ? "it had begun to be sent: it is cancelled, and the rest of it is not sent"
				    : "what has become of it is not known any more");
	keep_place(delivery, &problem);
}

static void
take_look(void *user, const struct fan_face_answer *answer)
{
	struct fan_t8_delivery *delivery = user;

	delivery->busy = false;
	if (answer->failure == FAN_FACE_DONE)
		charge(delivery, answer->result);
	if (is_in_state(delivery, "withdrawn"))
		return;
	if (answer->failure == FAN_FACE_DONE && json_is_true(json_object_get(answer->result, "ended")))
		note_ended(delivery, answer->result, json_string_value(json_object_get(answer->result, "state")));
	else if (answer->failure == FAN_FACE_REFUSED && answer->code == FAN_CONTROL_FAILED + FAN_E_NOT_FOUND)
		note_ended(delivery, NULL, "unknown");
	else if (answer->failure == FAN_FACE_GONE && delivery->replacement != NULL)
		keep_place_for_now(delivery, answer->why);
}

/* A message that takes long is looked at less often, unless a request waits for how it stands. */
static void
look(struct fan_t8_delivery *delivery)
{
	const int64_t now_ms = fan_face_now_ms(delivery->t8->face);

	if (now_ms < delivery->look_ms && delivery->replacement == NULL)
		return;
	delivery->look_pause_ms *= 2;
	if (delivery->look_pause_ms < LOOK_PAUSE_MIN_MS)
		delivery->look_pause_ms = LOOK_PAUSE_MIN_MS;
	if (delivery->look_pause_ms > LOOK_PAUSE_MAX_MS)
		delivery->look_pause_ms = LOOK_PAUSE_MAX_MS;
	delivery->look_ms = now_ms + delivery->look_pause_ms;
	delivery->busy = true;
	fan_face_call(delivery->t8->face, "message.show",
		      json_pack("{s:I}", "id", (json_int_t)number_of(delivery->record, "message")), -1, take_look, delivery);
}

/* ---- Withdrawing ------------------------------------------------------------------------------------------------------------------ */

static void
take_cancelled(void *user, const struct fan_face_answer *answer)
{
	struct fan_t8_delivery *delivery = user;

	delivery->busy = false;
	if (answer->failure != FAN_FACE_GONE)
		give_up(delivery);
}

/* What it has sent until then is its sender's to account for. */
static void
take_found(void *user, const struct fan_face_answer *answer)
{
	struct fan_t8_delivery *delivery = user;

	delivery->busy = false;
	if (answer->failure == FAN_FACE_DONE) {
		charge(delivery, answer->result);
		delivery->busy = true;
		fan_face_call(delivery->t8->face, "message.cancel",
			      json_pack("{s:O}", "id", json_object_get(answer->result, "id")), -1, take_cancelled, delivery);
	} else if (answer->failure == FAN_FACE_REFUSED)
		give_up(delivery);
}

/* ---- Going on ---------------------------------------------------------------------------------------------------------------------- */

/* May end the delivery's life. */
static void
go_on(struct fan_t8_delivery *delivery)
{
	if (delivery->busy)
		return;
	if (is_in_state(delivery, "waiting") && number_of(delivery->record, "start_ms") <= fan_clock_ms(CLOCK_REALTIME))
		set_state(delivery, "new");
	if (is_in_state(delivery, "new"))
		send_it(delivery);
	else if (is_in_state(delivery, "sending") && delivery->replacement != NULL && !delivery->stopped)
		make_place(delivery);
	else if (is_in_state(delivery, "sending"))
		look(delivery);
	else if (is_in_state(delivery, "withdrawn"))
		ask_by_reference(delivery, take_found);
	else if (is_in_state(delivery, "ended") && !fan_t8_notice_go_on(delivery))
		drop(delivery);
}

void
fan_t8_deliveries_tick(void *user)
{
	struct fan_t8 *t8 = user;

	for (unsigned i = t8->delivery_count; i-- > 0;)
		if (i < t8->delivery_count && (fan_face_connected(t8->face) || fan_t8_has_ended(t8->deliveries[i]->record)))
			go_on(t8->deliveries[i]);
}

static void
keep_all(struct fan_t8 *t8, struct fan_t8_delivery *const *deliveries, unsigned count)
{
	struct fan_t8_put puts[FAN_T8_PUTS_MAX];

	for (unsigned i = 0; i < count; i++)
		puts[i] = (struct fan_t8_put){ deliveries[i]->key, deliveries[i]->record };
	if (fan_t8_records_put_all(t8->records, puts, count) != 0) {
		fan_log(FAN_LOG_RECORD_FAILED, NULL, "how far servers were told: %s", fan_error_detail());
		return;
	}
	for (unsigned i = 0; i < count; i++)
		deliveries[i]->told_more = false;
}

void
fan_t8_deliveries_keep(void *user)
{
	struct fan_t8 *t8 = user;
	struct fan_t8_delivery *deliveries[FAN_T8_PUTS_MAX];
	unsigned count = 0;

	for (unsigned i = 0; i < t8->delivery_count; i++) {
		if (t8->deliveries[i]->told_more)
			deliveries[count++] = t8->deliveries[i];
		if (count == FAN_T8_PUTS_MAX || (count > 0 && i + 1 == t8->delivery_count)) {
			keep_all(t8, deliveries, count);
			count = 0;
		}
	}
}

/* ---- What a call wants -------------------------------------------------------------------------------------------------------------- */

/* local@domain (TS 23.682 4.6.2), or, of a UE, 5 to 15 digits. */
static bool
is_identity(const char *id, bool group)
{
	const char *at = strchr(id, '@');

	for (const char *sign = id; *sign != '\0'; sign++)
		if (*sign <= ' ' || *sign > '~')
			return false;
	if (at == NULL)
		return !group && strlen(id) >= 5 && strlen(id) <= 15 && strspn(id, "0123456789") == strlen(id);
	return at != id && at[1] != '\0' && strchr(at + 1, '@') == NULL;
}

bool
fan_t8_may_address(struct fan_t8_call *call, const char *name, const char *id, bool group)
{
	if (!fan_t8_names_have(group ? &call->sender->groups : &call->sender->ues, id))
		return fan_t8_problem_set(&call->problem, 401, "UNAUTHORIZED", name, "%s %.64s: this sender may not send there",
					  name, id);
	return is_identity(id, group) ||
	       fan_t8_problem_set(&call->problem, 404, "IDENTIFIER_NOT_FOUND", name, "%s: takes local@domain%s", name,
				  group ? "" : ", or 5 to 15 digits");
}

bool
fan_t8_may_have_size(struct fan_t8_call *call, const char *name, size_t byte_count)
{
	return byte_count <= call->sender->message_bytes ||
	       fan_t8_problem_set(&call->problem, 403, "DATA_TOO_LARGE", name, "%s: has %zu octets, the most is %lu", name,
				  byte_count, call->sender->message_bytes);
}

int64_t
fan_t8_until_ms(json_int_t seconds)
{
	return fan_clock_ms(CLOCK_REALTIME) +
	       (seconds == 0 ? NO_BUFFER_MS : (seconds < VALID_MAX_S ? seconds : VALID_MAX_S) * 1000);
}

/* Whether tokens are left of a rate, 0 being none. False: the call has a problem, which says when there will be. */
static bool
has_rate(struct fan_t8_call *call, double tokens, uint64_t per_s, const char *what)
{
	const uint64_t wait_s = per_s == 0 || tokens > 0 ? 0 : (uint64_t)-tokens / per_s;

	if (per_s == 0 || tokens > 0)
		return true;
	call->problem.retry_after_s = (unsigned)(wait_s < RATE_WAIT_MAX_S ? wait_s : RATE_WAIT_MAX_S) + BUSY_S;
	return fan_t8_problem_set(&call->problem, 429, "INSUFFICIENT_RESOURCES", NULL,
				  "%lu %s a second, the most of this sender", per_s, what);
}

bool
fan_t8_delivery_may(struct fan_t8_call *call, const json_t *record)
{
	const struct fan_t8_sender *sender = call->sender;
	const struct fan_t8_account *account = fan_t8_account_of(call->t8, sender);

	call->problem.retry_after_s = BUSY_S;
	if (sender->messages_in_flight != 0 && account->in_flight >= sender->messages_in_flight)
		return fan_t8_problem_set(&call->problem, 429, "INSUFFICIENT_RESOURCES", NULL,
					  "%lu messages are in flight, the most of this sender", sender->messages_in_flight);
	if (!has_rate(call, account->ues, sender->ues_per_s, "UEs") ||
	    !has_rate(call, account->pdus, sender->pdus_per_s, "PDUs"))
		return false;
	call->problem.retry_after_s = 0;
	return fan_t8_may_store(call, record);
}

/* The trace that a request belongs to (W3C Trace Context) goes on in the daemon's audit. One of another form is as if there were none. */
static void
add_trace(json_t *params, const struct fan_t8_call *call)
{
	static const char form[] = "00-________________________________-________________-__";
	const char *trace = call->request != NULL ? fan_http_header(call->request, "traceparent") : NULL;

	if (trace == NULL || strlen(trace) != sizeof(form) - 1)
		return;
	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == '_' ? strchr("0123456789abcdef", trace[i]) == NULL : trace[i] != form[i])
			return;
	(void)json_object_set_new(params, "traceparent", json_string(trace));
}

json_t *
fan_t8_delivery_make(const struct fan_t8_call *call, const struct fan_t8_api *api, json_t *body,
		     const struct fan_t8_order *order)
{
	json_t *params = json_pack("{s:s, s:i}", "message", order->base64, "priority", (int)order->priority);

	add_trace(params, call);
	return json_pack("{s:s, s:s, s:o, s:s, s:b, s:o, s:I, s:I, s:s}", "api", api->name, "sender", call->sender->name,
			 "body", body, "to", order->to, "group", order->group, "params", params, "start_ms",
			 (json_int_t)order->start_ms, "until_ms", (json_int_t)order->until_ms, "notify", order->notify);
}

static void
make_key(char key[FAN_T8_KEY_BYTES_MAX + 1], const char *begins, const char *id)
{
	(void)snprintf(key, FAN_T8_KEY_BYTES_MAX + 1, "%s%.64s", begins, id);
}

bool
fan_t8_delivery_key(struct fan_t8_call *call, char key[FAN_T8_KEY_BYTES_MAX + 1], const char *begins, const char *id,
		    const char *what)
{
	make_key(key, begins, id);
	if (strlen(id) > FAN_T8_PATH_ID_BYTES_MAX)
		fan_t8_miss(call, what);
	return call->problem.status == 0;
}

/* Its reference, and the state that it begins with. */
static void
prepare(json_t *record)
{
	const bool waits = number_of(record, "start_ms") > fan_clock_ms(CLOCK_REALTIME);
	char id[FAN_T8_ID_BYTES], reference[32];

	fan_t8_make_id(id);
	(void)snprintf(reference, sizeof(reference), "t8-%s", id);
	(void)json_object_set_new(record, "reference", json_string(reference));
	(void)json_object_set_new(record, "state", json_string(waits ? "waiting" : "new"));
	(void)json_object_set_new(record, "accepted", json_boolean(waits));
}

void
fan_t8_delivery_create(struct fan_t8_call *call, const struct fan_t8_api *api, const char *begins, json_t *record)
{
	char key[FAN_T8_KEY_BYTES_MAX + 1], id[FAN_T8_ID_BYTES];
	struct fan_t8_delivery *delivery;
	struct fan_t8_problem problem = { 0 };

	fan_t8_make_id(id);
	make_key(key, begins, id);
	prepare(record);
	if (!fan_t8_delivery_may(call, record)) {
		fan_t8_key_forget(call->t8, record);
		json_decref(record);
		fan_t8_refuse(call);
		return;
	}
	delivery = add(call->t8, api, key, record);
	delivery->request = call->request;
	if (fan_t8_delivery_keep(delivery) != 0) {
		say_try_again(&problem, fan_error_detail());
		answer_problem(delivery, &problem);
		forget(delivery);
		return;
	}
	if (is_in_state(delivery, "waiting"))
		answer_shown(delivery, 201);
	else
		send_it(delivery);
}

void
fan_t8_delivery_create_once(struct fan_t8_call *call, const struct fan_t8_api *api, const char *begins, json_t *record)
{
	if (record != NULL && fan_t8_key_claim(call, record)) {
		fan_t8_delivery_create(call, api, begins, record);
		return;
	}
	json_decref(record);
	fan_t8_refuse(call);
}

/* What is to be seen of a record: one that did not take the place of another is none, and that other is. NULL: nothing. */
static json_t *
visible(json_t *record)
{
	return strcmp(state_of(record), "withdrawn") == 0 ? json_object_get(record, "former") : record;
}

/* The delivery of a key, in memory; NULL: there is none, and the call is answered. */
static struct fan_t8_delivery *
find_or_refuse(struct fan_t8_call *call, const struct fan_t8_api *api, const char *key)
{
	struct fan_t8_delivery *delivery = find(call->t8, key);
	json_t *record = delivery == NULL ? fan_t8_records_get(call->t8->records, key) : NULL;

	if (record != NULL)
		delivery = add(call->t8, api, key, record);
	if (delivery != NULL && visible(delivery->record) != NULL)
		return delivery;
	fan_t8_miss(call, "resource");
	fan_t8_refuse(call);
	return NULL;
}

void
fan_t8_delivery_replace(struct fan_t8_call *call, const struct fan_t8_api *api, const char *key, json_t *record)
{
	struct fan_t8_delivery *delivery;

	if (record == NULL) {
		fan_t8_refuse(call);
		return;
	}
	delivery = find_or_refuse(call, api, key);
	if (delivery == NULL) {
		json_decref(record);
		return;
	}
	prepare(record);
	(void)json_object_set_new(record, "replaces", json_true());
	if ((!is_in_state(delivery, "waiting") && !is_in_state(delivery, "sending")) || delivery->replacement != NULL) {
		json_decref(record);
		fan_t8_problem_set(&call->problem, 409, NULL, NULL,
				   is_in_state(delivery, "ended") ? "it has ended" : "it is being handed over: try again");
		fan_t8_refuse(call);
		return;
	}
	delivery->request = call->request;
	if (is_in_state(delivery, "waiting")) {
		supersede(delivery, record);
		return;
	}
	delivery->stopped = false;
	delivery->replacement = record;
}

/* Whoever waits for it is told. It is forgotten once the daemon has cancelled it. */
static void
begin_to_withdraw(struct fan_t8_delivery *delivery)
{
	struct fan_t8_problem problem = { 0 };

	fan_t8_problem_set(&problem, 409, NULL, NULL, "it is deleted");
	keep_place(delivery, &problem);
	(void)json_object_del(delivery->record, "former");
	if (is_in_state(delivery, "ended") || is_in_state(delivery, "waiting")) {
		if (!delivery->busy) {
			forget(delivery);
			return;
		}
	}
	set_state(delivery, "withdrawn");
	keep_or_say(delivery);
}

void
fan_t8_delivery_delete(struct fan_t8_call *call, const struct fan_t8_api *api, const char *key, unsigned status)
{
	struct fan_t8_delivery *delivery = find_or_refuse(call, api, key);
	json_t *shown = NULL;

	if (delivery == NULL)
		return;
	if (!fan_t8_has_ended(delivery->record))
		(void)json_object_set_new(delivery->record, "outcome", json_string("cancelled"));
	if (status == 200)
		shown = api->show(call->t8, key, delivery->record);
	begin_to_withdraw(delivery);
	fan_t8_answer(call->request, status, shown, NULL);
}

void
fan_t8_delivery_forget(struct fan_t8 *t8, const char *key)
{
	struct fan_t8_delivery *delivery = find(t8, key);

	if (delivery != NULL)
		begin_to_withdraw(delivery);
	else if (fan_t8_records_remove(t8->records, key) != 0)
		fan_log(FAN_LOG_RECORD_FAILED, NULL, "%s: %s", key, fan_error_detail());
}

json_t *
fan_t8_delivery_record(const struct fan_t8 *t8, const char *key)
{
	const struct fan_t8_delivery *delivery = find(t8, key);
	json_t *record = delivery != NULL ? json_incref(delivery->record) : fan_t8_records_get(t8->records, key);
	json_t *seen = record != NULL ? json_incref(visible(record)) : NULL;

	json_decref(record);
	return seen;
}

void
fan_t8_delivery_show(struct fan_t8_call *call, const struct fan_t8_api *api, const char *key)
{
	json_t *record = fan_t8_delivery_record(call->t8, key);

	if (record == NULL) {
		fan_t8_miss(call, "resource");
		fan_t8_refuse(call);
		return;
	}
	fan_t8_answer(call->request, 200, api->show(call->t8, key, record), NULL);
	json_decref(record);
}

json_t *
fan_t8_delivery_patched(struct fan_t8_call *call, const char *key, const char *const *names, const char *what)
{
	json_t *record = fan_t8_delivery_record(call->t8, key);
	json_t *patched = record != NULL ? fan_t8_merge(json_object_get(record, "body"), call->body, names) : NULL;

	if (record == NULL)
		fan_t8_miss(call, what);
	json_decref(record);
	return patched;
}

struct listing {
	const struct fan_t8 *t8;
	const struct fan_t8_api *api;
	json_t *list;
};

static int
list_one(void *user, const char *key, json_t *record)
{
	const struct listing *listing = user;

	record = visible(record);
	if (record != NULL && !fan_t8_has_ended(record))
		(void)json_array_append_new(listing->list, listing->api->show(listing->t8, key, record));
	return 0;
}

void
fan_t8_deliveries_list(struct fan_t8_call *call, const struct fan_t8_api *api, const char *begins)
{
	struct listing listing = { call->t8, api, json_array() };

	(void)fan_t8_records_each(call->t8->records, begins, list_one, &listing);
	fan_t8_answer(call->request, 200, listing.list, NULL);
}

/* ---- How it stands ------------------------------------------------------------------------------------------------------------------ */

static json_int_t
dropped(const json_t *record, const char *reason)
{
	return json_integer_value(json_object_get(json_object_get(json_object_get(record, "result"), "dropped"), reason));
}

/* Of a whole group the worst that has befallen one of its UEs. */
const char *
fan_t8_delivery_status(const json_t *record)
{
	const json_t *result = json_object_get(record, "result");
	const json_int_t ues = json_integer_value(json_object_get(result, "ues"));
	const char *outcome = json_string_value(json_object_get(record, "outcome"));

	if (!fan_t8_has_ended(record))
		return strcmp(state_of(record), "sending") == 0 ? "SENDING" : "BUFFERING";
	if (outcome != NULL && strcmp(outcome, "expired") == 0)
		return "FAILURE_TIMEOUT";
	if (ues > 0 && json_integer_value(json_object_get(result, "sent")) + broadcast_ues(result) >= ues &&
	    json_object_size(json_object_get(result, "dropped")) == 0)
		return "SUCCESS_NEXT_HOP_UNACKNOWLEDGED";
	if (dropped(record, "port") > 0)
		return "FAILURE_NEXT_HOP";
	if (dropped(record, "expired") > 0)
		return "FAILURE_TIMEOUT";
	if (dropped(record, "unreachable") > 0 && json_object_size(json_object_get(result, "dropped")) == 1)
		return "FAILURE_TEMPORARILY_NOT_REACHABLE";
	return "FAILURE";
}

static const struct fan_t8_api *const apis[] = { &fan_t8_nidd, &fan_t8_trigger, &fan_t8_mbs };
#define API_COUNT (sizeof(apis) / sizeof(apis[0]))

/* ---- Coming back --------------------------------------------------------------------------------------------------------------------- */

struct loading {
	struct fan_t8 *t8;
	const struct fan_t8_api *api;
};

static int
load(void *user, const char *key, json_t *record)
{
	const struct loading *loading = user;

	if (json_string_value(json_object_get(record, "state")) != NULL && !json_is_true(json_object_get(record, "settled")))
		(void)add(loading->t8, loading->api, key, json_incref(record));
	return 0;
}

/* A key whose answer is not kept: its request was being carried out when this process died. Its delivery answers it, now or when the daemon has
 * said its word; without one, nothing of it has happened, and the key is free. */
static void
mend_key(struct fan_t8 *t8, const char *name)
{
	for (unsigned i = 0; i < t8->delivery_count; i++) {
		struct fan_t8_delivery *delivery = t8->deliveries[i];
		const char *own = json_string_value(json_object_get(delivery->record, "idempotency"));

		if (own == NULL || strcmp(own, name) != 0)
			continue;
		if (!is_in_state(delivery, "new") && !is_in_state(delivery, "withdrawn"))
			answer_shown(delivery, 201);
		return;
	}
	(void)fan_t8_records_remove(t8->records, name);
}

static void
mend_keys(struct fan_t8 *t8)
{
	json_t *names = fan_t8_keys_unanswered(t8);

	for (size_t i = 0; i < json_array_size(names); i++)
		mend_key(t8, json_string_value(json_array_get(names, i)));
	json_decref(names);
}

int
fan_t8_deliveries_load(struct fan_t8 *t8)
{
	for (size_t i = 0; i < API_COUNT; i++) {
		struct loading loading = { t8, apis[i] };
		char begins[32];

		(void)snprintf(begins, sizeof(begins), "%s/", apis[i]->name);
		(void)fan_t8_records_each(t8->records, begins, load, &loading);
	}
	mend_keys(t8);
	return 0;
}

static bool
is_old(const void *user, const json_t *record)
{
	const struct fan_t8 *t8 = user;

	return json_is_true(json_object_get(record, "settled")) &&
	       fan_clock_ms(CLOCK_REALTIME) - number_of(record, "ended_ms") > (int64_t)t8->settings.t8.retention_s * 1000;
}

void
fan_t8_deliveries_tidy(void *user)
{
	struct fan_t8 *t8 = user;

	for (size_t i = 0; i < API_COUNT; i++) {
		char begins[32];

		(void)snprintf(begins, sizeof(begins), "%s/", apis[i]->name);
		fan_t8_records_tidy(t8->records, begins, is_old, t8);
	}
}

void
fan_t8_deliveries_free(struct fan_t8 *t8)
{
	fan_t8_deliveries_keep(t8);
	for (unsigned i = 0; i < t8->delivery_count; i++)
		free_delivery(t8->deliveries[i]);
	free(t8->deliveries);
}
