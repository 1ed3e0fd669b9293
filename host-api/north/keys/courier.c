/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "courier.h"

#include "../../../dataplane/context/clock.h"
#include "../../control/caller.h"
#include "../../control/ini_file.h"
#include "../../control/log.h"

#include <poll.h>
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	CALL_MS = 5000,      /* what serve may take for an answer */
	RECONNECT_MS = 500,  /* between two attempts to reach serve */
	TURN_MS = 50,        /* the longest wait of the thread */
	AGAIN_MS_MIN = 1000, /* between two attempts to tell a peer: doubled each time */
	AGAIN_MS_MAX = 300000,
};

/* What one peer knows of one group. */
struct standing {
	uint64_t keys, members; /* the changes that it was told last; 0: none */
	uint64_t refused;       /* the change that it will never take; 0: none */
	bool wanted;            /* of an MME: something has made the keys go there */
	bool busy;              /* an errand is on its way */
	int wait_ms;
	int64_t next_ms;
};

struct group {
	char gid[FAN_KEYS_GID_BYTES]; /* first: the tree compares these */
	uint64_t keys, members;       /* changes */
	uint64_t asked;               /* the change of keys for which an HSS has said who serves members */
	bool has_keys, used;          /* ... and a message has gone to it since they changed */
	bool marked;                  /* met in this walk */
	bool asking;                  /* an HSS is being asked */
	int64_t ask_ms;
	struct standing standings[]; /* of each peer */
};

enum step {
	STEP_FREE,
	STEP_EXPORTING, /* serve wraps the keys */
	STEP_REPORTING, /* the peer is told them */
	STEP_READING,   /* serve names members */
	STEP_TELLING,   /* the peer is told them */
	STEP_LISTING,   /* the peer is told which groups there are */
	STEP_ASKING,    /* an HSS is asked who serves members */
};

struct errand {
	enum step step;
	uint32_t generation; /* of this place, so that a late answer is known by it */
	unsigned peer;
	struct group *group; /* NULL: of none */
	uint64_t change;     /* that is being told */
	json_int_t from;     /* where the next page begins; 0: at the first member */
	bool last;           /* it is the last page */
	bool stale;          /* the peer has come back since: what serve answers is not for it any more */
};

struct question {
	int id;                /* 0: none */
	struct errand *errand; /* NULL: which group has changed */
	int64_t until_ms;
};

enum event_kind { EVENT_ANSWER, EVENT_NOTICE, EVENT_REQUEST };

struct event {
	enum event_kind kind;
	unsigned peer;
	uint32_t result;
	uint64_t number, nodes;
	char gid[FAN_KEYS_GID_BYTES];
};

struct fan_courier {
	const struct fan_keys_settings *settings; /* constant */
	const struct fan_courier_port *port;      /* constant */
	pthread_t thread;
	bool started;
	int bell; /* eventfd: something was put in */

	pthread_mutex_t lock; /* of what stands up to the next blank line */
	struct event *events; /* ring of event_room */
	unsigned event_room, event_first, event_count;
	uint64_t arrived; /* bit i: of settings->peers[i] */
	bool closing;

	/* The thread's own. */
	struct fan_caller caller;
	bool connected, walking; /* a question for the next change is on its way */
	bool whole;              /* all groups are known */
	int64_t now_ms, connect_ms, walk_ms;
	json_int_t after, deleted; /* the last change that is known, and the last deletion */
	void *groups;              /* tsearch(3) by GID */
	struct group **order;      /* owned: the same, in any order */
	unsigned group_count;
	uint64_t listed; /* bit i: settings->peers[i] was told which groups there are */
	int64_t list_ms[FAN_DIAMETER_PEERS_MAX];
	struct errand errands[FAN_COURIER_ERRANDS_MAX];
	struct question questions[FAN_COURIER_ERRANDS_MAX + 1];
};

/* ---- From other threads ------------------------------------------------------------------------------------------------- */

static void
ring(const struct fan_courier *courier)
{
	const uint64_t one = 1;

	if (write(courier->bell, &one, sizeof(one)) != (ssize_t)sizeof(one))
		return; /* it rings already */
}

/* Room for the answers of all errands is kept. */
static bool
put_event(struct fan_courier *courier, const struct event *event)
{
	const unsigned kept = event->kind == EVENT_ANSWER ? 0 : FAN_COURIER_ERRANDS_MAX;
	bool taken;

	(void)pthread_mutex_lock(&courier->lock);
	taken = !courier->closing && courier->event_count + kept < courier->event_room;
	if (taken)
		courier->events[(courier->event_first + courier->event_count++) % courier->event_room] = *event;
	(void)pthread_mutex_unlock(&courier->lock);
	ring(courier);
	return taken;
}

void
fan_courier_answered(struct fan_courier *courier, uint64_t number, uint32_t result, uint64_t nodes)
{
	(void)put_event(courier, &(struct event){ .kind = EVENT_ANSWER, .number = number, .result = result, .nodes = nodes });
}

static bool
put_named(struct fan_courier *courier, enum event_kind kind, unsigned peer, const char *gid)
{
	struct event event = { .kind = kind, .peer = peer };

	(void)snprintf(event.gid, sizeof(event.gid), "%s", gid);
	return put_event(courier, &event);
}

bool
fan_courier_noticed(struct fan_courier *courier, unsigned mme, const char *gid)
{
	return put_named(courier, EVENT_NOTICE, mme, gid);
}

bool
fan_courier_requested(struct fan_courier *courier, unsigned peer, const char *gid)
{
	return put_named(courier, EVENT_REQUEST, peer, gid);
}

void
fan_courier_arrived(struct fan_courier *courier, unsigned peer)
{
	(void)pthread_mutex_lock(&courier->lock);
	courier->arrived |= UINT64_C(1) << peer;
	(void)pthread_mutex_unlock(&courier->lock);
	ring(courier);
}

static bool
take_event(struct fan_courier *courier, struct event *event)
{
	bool any;

	(void)pthread_mutex_lock(&courier->lock);
	any = courier->event_count > 0;
	if (any) {
		*event = courier->events[courier->event_first];
		courier->event_first = (courier->event_first + 1) % courier->event_room;
		courier->event_count--;
	}
	(void)pthread_mutex_unlock(&courier->lock);
	return any;
}

/* ---- Groups ---------------------------------------------------------------------------------------------------------------- */

static int
by_gid(const void *a, const void *b)
{
	return strcmp(a, b);
}

static struct group *
find_group(struct fan_courier *courier, const char *gid)
{
	struct group *const *found = tfind(gid, &courier->groups, by_gid);

	return found != NULL ? *found : NULL;
}

/* NULL: there is no room, or no memory; it is tried again with the group's next change. */
static struct group *
add_group(struct fan_courier *courier, const char *gid)
{
	struct group *group;

	if (courier->group_count == FAN_COURIER_GROUPS_MAX)
		return NULL;
	group = calloc(1, sizeof(*group) + courier->settings->peer_count * sizeof(group->standings[0]));
	if (group == NULL)
		return NULL;
	(void)snprintf(group->gid, sizeof(group->gid), "%s", gid);
	if (tsearch(group, &courier->groups, by_gid) == NULL) {
		free(group);
		return NULL;
	}
	courier->order[courier->group_count++] = group;
	return group;
}

static const struct fan_keys_peer *
peer_of(const struct fan_courier *courier, unsigned peer)
{
	return &courier->settings->peers[peer];
}

static bool
may_have(const struct fan_courier *courier, unsigned peer, const struct group *group)
{
	return fan_ini_matches(peer_of(courier, peer)->groups, group->gid);
}

/* The first message to a group, and its members' MMEs: what makes the keys go there without anybody's asking. */
static void
want_by_message(struct fan_courier *courier, struct group *group)
{
	for (unsigned i = 0; group->used && i < courier->settings->peer_count; i++)
		if ((fan_keys_triggers(peer_of(courier, i)) & FAN_TRIGGER_MESSAGE) != 0)
			group->standings[i].wanted = true;
}

static bool
was_told(const struct standing *standing)
{
	return standing->keys != 0 || standing->members != 0;
}

/* Nobody is told of it again: it has no keys, and all who had them know that. */
static bool
is_settled(const struct fan_courier *courier, const struct group *group)
{
	for (unsigned i = 0; i < courier->settings->peer_count; i++)
		if (group->standings[i].busy || was_told(&group->standings[i]))
			return false;
	return !group->has_keys && !group->asking;
}

static void
forget_settled(struct fan_courier *courier)
{
	for (unsigned i = courier->group_count; courier->whole && i-- > 0;) {
		struct group *group = courier->order[i];

		if (group->marked || !is_settled(courier, group))
			continue;
		(void)tdelete(group, &courier->groups, by_gid);
		courier->order[i] = courier->order[--courier->group_count];
		free(group);
	}
}

/* ---- Errands --------------------------------------------------------------------------------------------------------------- */

static struct errand *
begin_errand(struct fan_courier *courier, enum step step, unsigned peer, struct group *group, uint64_t change)
{
	for (unsigned i = 0; i < FAN_COURIER_ERRANDS_MAX; i++) {
		struct errand *errand = &courier->errands[i];

		if (errand->step != STEP_FREE)
			continue;
		*errand = (struct errand){
			.step = step, .generation = errand->generation + 1, .peer = peer, .group = group, .change = change
		};
		if (group != NULL && step != STEP_ASKING)
			group->standings[peer].busy = true;
		if (group != NULL && step == STEP_ASKING)
			group->asking = true;
		return errand;
	}
	return NULL;
}

static uint64_t
number_of(const struct fan_courier *courier, const struct errand *errand)
{
	return (uint64_t)errand->generation << 32 | (uint64_t)(errand - courier->errands);
}

static struct errand *
errand_of(struct fan_courier *courier, uint64_t number)
{
	const uint32_t place = (uint32_t)number;
	struct errand *errand = place < FAN_COURIER_ERRANDS_MAX ? &courier->errands[place] : NULL;

	return errand != NULL && errand->step != STEP_FREE && errand->generation == (uint32_t)(number >> 32) ? errand : NULL;
}

static void
end_errand(struct errand *errand)
{
	if (errand->group != NULL && errand->step == STEP_ASKING)
		errand->group->asking = false;
	else if (errand->group != NULL)
		errand->group->standings[errand->peer].busy = false;
	errand->step = STEP_FREE;
}

/* It is tried again later, and later still the next time. */
static void
put_off(struct fan_courier *courier, struct errand *errand)
{
	struct standing *standing;

	if (errand->step == STEP_LISTING) {
		courier->listed &= ~(UINT64_C(1) << errand->peer);
		courier->list_ms[errand->peer] = courier->now_ms + AGAIN_MS_MIN;
	}
	if (errand->group != NULL && errand->step == STEP_ASKING)
		errand->group->ask_ms = courier->now_ms + AGAIN_MS_MIN;
	else if (errand->group != NULL) {
		standing = &errand->group->standings[errand->peer];
		standing->wait_ms = standing->wait_ms == 0                 ? AGAIN_MS_MIN
				    : standing->wait_ms < AGAIN_MS_MAX / 2 ? 2 * standing->wait_ms
									   : AGAIN_MS_MAX;
		standing->next_ms = courier->now_ms + standing->wait_ms;
	}
	end_errand(errand);
}

/* ---- Asking serve ------------------------------------------------------------------------------------------------------------ */

static void
lose(struct fan_courier *courier)
{
	fan_log(FAN_LOG_DAEMON_LOST, NULL, "serve: %s", fan_error_detail());
	fan_caller_close(&courier->caller);
	courier->connected = courier->walking = false;
	courier->connect_ms = courier->now_ms + RECONNECT_MS;
	for (unsigned i = 0; i < FAN_COURIER_ERRANDS_MAX + 1; i++) {
		struct question *question = &courier->questions[i];

		if (question->id != 0 && question->errand != NULL)
			end_errand(question->errand);
		question->id = 0;
	}
}

/* Whether serve can be asked; it is looked for at most every RECONNECT_MS. */
static bool
reach(struct fan_courier *courier)
{
	if (courier->connected || courier->now_ms < courier->connect_ms)
		return courier->connected;
	courier->connect_ms = courier->now_ms + RECONNECT_MS;
	if (fan_caller_open_within(&courier->caller, courier->settings->node.socket, CALL_MS) != 0)
		return false;
	courier->connected = true;
	fan_log(FAN_LOG_DAEMON_BACK, NULL, "serve answers at %s", courier->settings->node.socket);
	return true;
}

/* Takes params. False: it could not be asked. */
static bool
ask(struct fan_courier *courier, struct errand *errand, const char *method, json_t *params)
{
	for (unsigned i = 0; i < FAN_COURIER_ERRANDS_MAX + 1; i++) {
		struct question *question = &courier->questions[i];
		int id;

		if (question->id != 0)
			continue;
		if (fan_caller_post(&courier->caller, &id, method, params) != 0)
			return false;
		*question = (struct question){ .id = id + 1, .errand = errand, .until_ms = courier->now_ms + CALL_MS };
		return true;
	}
	json_decref(params);
	return false;
}

static void
walk(struct fan_courier *courier)
{
	if (courier->walking || courier->now_ms < courier->walk_ms || !reach(courier))
		return;
	courier->walking = ask(courier, NULL, "group.key.next", json_pack("{s:I}", "after", courier->after));
	if (!courier->walking)
		lose(courier);
}

static void
ask_of_group(struct fan_courier *courier, struct errand *errand)
{
	json_t *params = errand->step == STEP_EXPORTING ? json_pack("{s:s, s:s}", "gid", errand->group->gid, "kek",
								    peer_of(courier, errand->peer)->kek)
							: json_pack("{s:s, s:I, s:i}", "gid", errand->group->gid, "from",
								    errand->from, "limit", FAN_KEYS_PAGE_MAX);

	if (!reach(courier)) {
		json_decref(params);
		end_errand(errand);
	} else if (!ask(courier, errand, errand->step == STEP_EXPORTING ? "group.key.export" : "group.key.members", params)) {
		put_off(courier, errand);
	}
}

/* ---- What is to be done --------------------------------------------------------------------------------------------------------- */

/* An HSS hears who the members are before it hears the keys: it must not give a new key to one that was removed. */
static enum step
due_of_hss(const struct fan_keys_peer *peer, const struct group *group, const struct standing *standing)
{
	if (!group->has_keys)
		return was_told(standing) ? STEP_EXPORTING : STEP_FREE;
	if (peer->members && standing->members != group->members)
		return STEP_READING;
	return peer->keys && standing->keys != group->keys ? STEP_EXPORTING : STEP_FREE;
}

static enum step
due_of(const struct fan_courier *courier, unsigned place, const struct group *group)
{
	const struct fan_keys_peer *peer = peer_of(courier, place);
	const struct standing *standing = &group->standings[place];

	if (standing->busy || standing->next_ms > courier->now_ms || !may_have(courier, place, group) ||
	    (standing->refused == group->keys && standing->refused != 0))
		return STEP_FREE;
	if (fan_keys_is_hss(peer))
		return due_of_hss(peer, group, standing);
	return standing->wanted && standing->keys != group->keys && (group->has_keys || standing->keys != 0) ? STEP_EXPORTING
													     : STEP_FREE;
}

static void
report(struct fan_courier *courier, struct errand *errand, const struct fan_keys_set *sets, unsigned set_count)
{
	const struct fan_keys_report whole = {
		.gid = errand->group->gid, .revision = errand->change, .sets = sets, .set_count = set_count
	};

	errand->step = STEP_REPORTING;
	if (courier->port->report(errand->peer, number_of(courier, errand), &whole) != 0)
		put_off(courier, errand);
}

static void
serve_standing(struct fan_courier *courier, unsigned place, struct group *group)
{
	const enum step step = due_of(courier, place, group);
	struct errand *errand;

	if (step == STEP_FREE || !courier->port->is_open(place))
		return;
	errand = begin_errand(courier, step, place, group, step == STEP_READING ? group->members : group->keys);
	if (errand != NULL && step == STEP_EXPORTING && !group->has_keys)
		report(courier, errand, NULL, 0);
	else if (errand != NULL)
		ask_of_group(courier, errand);
}

/* The third way to an MME: an HSS says which MMEs serve members. It is asked once for each change of keys. */
static void
ask_hss(struct fan_courier *courier, struct group *group)
{
	bool asks = false;

	for (unsigned i = 0; i < courier->settings->peer_count; i++)
		asks = asks || ((fan_keys_triggers(peer_of(courier, i)) & FAN_TRIGGER_ASK) != 0 && may_have(courier, i, group));
	if (!asks || !group->has_keys || group->asking || group->asked == group->keys || group->ask_ms > courier->now_ms)
		return;
	for (unsigned i = 0; i < courier->settings->peer_count; i++) {
		struct errand *errand;

		if (!fan_keys_is_hss(peer_of(courier, i)) || !may_have(courier, i, group) || !courier->port->is_open(i))
			continue;
		errand = begin_errand(courier, STEP_ASKING, i, group, group->keys);
		if (errand != NULL && courier->port->ask(i, number_of(courier, errand), group->gid) != 0)
			put_off(courier, errand);
		return;
	}
}

/* When an HSS has been told each group, it is told that there are no others. */
static void
list_groups(struct fan_courier *courier, unsigned place)
{
	const char **gids = calloc(courier->group_count + 1, sizeof(*gids));
	struct errand *errand = gids != NULL ? begin_errand(courier, STEP_LISTING, place, NULL, 0) : NULL;
	unsigned count = 0;

	for (unsigned i = 0; errand != NULL && i < courier->group_count; i++)
		if (courier->order[i]->has_keys && may_have(courier, place, courier->order[i]))
			gids[count++] = courier->order[i]->gid;
	if (errand != NULL) {
		courier->listed |= UINT64_C(1) << place;
		if (courier->port->list(place, number_of(courier, errand), gids, count) != 0)
			put_off(courier, errand);
	}
	free(gids);
}

static void
serve_peers(struct fan_courier *courier)
{
	for (unsigned i = 0; i < courier->settings->peer_count; i++) {
		bool behind = false;

		for (unsigned j = 0; j < courier->group_count; j++) {
			serve_standing(courier, i, courier->order[j]);
			behind = behind || courier->order[j]->standings[i].busy ||
				 due_of(courier, i, courier->order[j]) != STEP_FREE;
		}
		if (!behind && courier->whole && fan_keys_is_hss(peer_of(courier, i)) && (courier->listed >> i & 1) == 0 &&
		    courier->list_ms[i] <= courier->now_ms && courier->port->is_open(i))
			list_groups(courier, i);
	}
	for (unsigned j = 0; j < courier->group_count; j++)
		ask_hss(courier, courier->order[j]);
}

/* ---- What serve answers ---------------------------------------------------------------------------------------------------------- */

static json_int_t
integer_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

/* All that there is has been met: what was not is no more. */
static void
end_walk(struct fan_courier *courier)
{
	courier->walk_ms = courier->now_ms + (int64_t)courier->settings->limits.poll_ms;
	for (unsigned i = 0; i < courier->group_count; i++) {
		struct group *group = courier->order[i];

		if (group->marked || !group->has_keys)
			continue;
		group->has_keys = false;
		group->keys = (uint64_t)courier->deleted;
	}
	courier->whole = true;
}

static void
take_group(struct fan_courier *courier, const json_t *described)
{
	const char *gid = json_string_value(json_object_get(described, "gid"));
	struct group *group = gid != NULL ? find_group(courier, gid) : NULL;
	const bool has_keys = json_is_true(json_object_get(described, "has_key"));

	if (gid != NULL && group == NULL && has_keys)
		group = add_group(courier, gid);
	courier->after = integer_of(described, "change");
	if (group == NULL)
		return;
	group->keys = (uint64_t)integer_of(described, "key_change");
	group->members = (uint64_t)integer_of(described, "member_change");
	group->has_keys = has_keys;
	group->used = json_is_true(json_object_get(described, "used"));
	group->marked = true;
	want_by_message(courier, group);
}

/* A group that was deleted is in no answer: then all are looked at again, and the one that is not met is the one. */
static void
take_next(struct fan_courier *courier, const json_t *result)
{
	const json_t *described = json_object_get(result, "group");

	courier->walking = false;
	if (integer_of(result, "deleted") != courier->deleted) {
		courier->deleted = integer_of(result, "deleted");
		courier->after = 0;
		courier->whole = false;
		for (unsigned i = 0; i < courier->group_count; i++)
			courier->order[i]->marked = false;
	} else if (json_is_object(described)) {
		take_group(courier, described);
	} else {
		end_walk(courier);
	}
}

/* False: serve has written something else. */
static bool
read_set(struct fan_keys_set *set, const json_t *described, const char *kek)
{
	const char *state = json_string_value(json_object_get(described, "state"));
	const char *hex = json_string_value(json_object_get(described, "wrapped"));
	const size_t digits = hex != NULL ? strlen(hex) : 0;

	*set = (struct fan_keys_set){ .gki = (uint8_t)integer_of(described, "gki"),
				      .state = state != NULL && strcmp(state, "current") == 0 ? FAN_KEYS_CURRENT
											      : FAN_KEYS_PREVIOUS,
				      .start_s = integer_of(described, "start_s"),
				      .duration_min = (uint32_t)integer_of(described, "duration_min"),
				      .wrapped_bytes = (uint16_t)(digits / 2) };
	(void)snprintf(set->kek, sizeof(set->kek), "%s", kek);
	if (digits == 0 || digits % 2 != 0 || digits / 2 > sizeof(set->wrapped))
		return false;
	for (size_t i = 0; i < digits / 2; i++) {
		char octet[3] = { hex[2 * i], hex[2 * i + 1], '\0' }, *end;

		set->wrapped[i] = (uint8_t)strtoul(octet, &end, 16);
		if (*end != '\0')
			return false;
	}
	return true;
}

static void
take_export(struct fan_courier *courier, struct errand *errand, const json_t *result)
{
	const json_t *keys = json_object_get(result, "keys"), *described;
	struct fan_keys_set sets[FAN_KEYS_SETS_MAX];
	unsigned count = 0;
	size_t i;

	json_array_foreach(keys, i, described) {
		if (count == FAN_KEYS_SETS_MAX || !read_set(&sets[count], described, peer_of(courier, errand->peer)->kek)) {
			fan_log(FAN_LOG_NOTE, NULL, "serve writes a key that is none: group=%s", errand->group->gid);
			put_off(courier, errand);
			return;
		}
		count++;
	}
	report(courier, errand, sets, count);
}

static void
take_members(struct fan_courier *courier, struct errand *errand, const json_t *result)
{
	const json_t *identities = json_object_get(result, "identities");
	const json_int_t next = integer_of(result, "next");
	const unsigned part = (errand->from == 0 ? FAN_KEYS_FIRST_PART : 0U) | (next == 0 ? FAN_KEYS_LAST_PART : 0U);

	errand->step = STEP_TELLING;
	errand->from = next;
	errand->last = next == 0;
	if (courier->port->members(errand->peer, number_of(courier, errand), errand->group->gid, errand->change, part,
				   identities) != 0)
		put_off(courier, errand);
}

/* What is wrong is said once for each attempt, and those come ever more slowly. */
static void
take_refusal(struct fan_courier *courier, struct errand *errand, const json_t *error)
{
	const char *message = json_string_value(json_object_get(error, "message"));

	fan_log(FAN_LOG_NOTE, NULL, "serve: group=%s peer=%s: %s", errand->group->gid, peer_of(courier, errand->peer)->label,
		message != NULL ? message : "refused");
	put_off(courier, errand);
}

static void
take_answer(struct fan_courier *courier, const json_t *object)
{
	const json_t *result = json_object_get(object, "result"), *error = json_object_get(object, "error");
	const json_int_t id = integer_of(object, "id") + 1;

	for (unsigned i = 0; i < FAN_COURIER_ERRANDS_MAX + 1; i++) {
		struct question *question = &courier->questions[i];
		struct errand *errand = question->errand;

		if (question->id == 0 || question->id != id)
			continue;
		question->id = 0;
		if (errand == NULL && error == NULL) {
			take_next(courier, result);
		} else if (errand == NULL) {
			courier->walking = false;
			courier->walk_ms = courier->now_ms + AGAIN_MS_MIN;
		} else if (errand->stale) {
			end_errand(errand);
		} else if (error != NULL) {
			take_refusal(courier, errand, error);
		} else if (errand->step == STEP_EXPORTING) {
			take_export(courier, errand, result);
		} else {
			take_members(courier, errand, result);
		}
		return;
	}
}

static void
take_answers(struct fan_courier *courier, bool readable)
{
	while (courier->connected && (readable || fan_caller_pending(&courier->caller))) {
		json_t *object;

		readable = false;
		if (fan_caller_wait(&courier->caller, &object) != 0) {
			lose(courier);
			return;
		}
		take_answer(courier, object);
		json_decref(object);
	}
}

/* A daemon that is there and does not answer is as good as one that has gone. */
static void
give_up_on_serve(struct fan_courier *courier)
{
	for (unsigned i = 0; courier->connected && i < FAN_COURIER_ERRANDS_MAX + 1; i++) {
		if (courier->questions[i].id == 0 || courier->questions[i].until_ms > courier->now_ms)
			continue;
		fan_error_record("no answer in %d ms", CALL_MS);
		lose(courier);
	}
}

/* ---- What peers answer -------------------------------------------------------------------------------------------------------------- */

static void
take_nodes(struct fan_courier *courier, struct group *group, uint64_t nodes)
{
	for (unsigned i = 0; i < courier->settings->peer_count; i++)
		if ((nodes >> i & 1) != 0 && (fan_keys_triggers(peer_of(courier, i)) & FAN_TRIGGER_ASK) != 0)
			group->standings[i].wanted = true;
}

static void
take_done(struct fan_courier *courier, struct errand *errand, uint64_t nodes)
{
	struct group *group = errand->group;
	struct standing *standing;

	/* A listing is of no group. */
	if (group == NULL) {
		end_errand(errand);
		return;
	}
	standing = &group->standings[errand->peer];
	if (errand->step != STEP_ASKING) {
		standing->wait_ms = 0;
		standing->next_ms = 0;
	}
	switch (errand->step) {
	case STEP_REPORTING:
		standing->keys = group->has_keys ? errand->change : 0;
		standing->members = group->has_keys ? standing->members : 0;
		fan_log(FAN_LOG_NOTE, NULL, "%s has the keys of group=%s revision=%llu", peer_of(courier, errand->peer)->label,
			group->gid, (unsigned long long)errand->change);
		break;
	case STEP_TELLING:
		if (!errand->last) {
			errand->step = STEP_READING;
			ask_of_group(courier, errand);
			return;
		}
		standing->members = errand->change;
		break;
	case STEP_ASKING:
		group->asked = errand->change;
		take_nodes(courier, group, nodes);
		break;
	case STEP_FREE:
	case STEP_EXPORTING:
	case STEP_READING:
	case STEP_LISTING:
		break;
	}
	end_errand(errand);
}

/* 5xxx is the peer's last word on this change, but for one that has to be told members first. */
static void
take_failure(struct fan_courier *courier, struct errand *errand, uint32_t result)
{
	const bool permanent = result >= 5000 && result < 6000;

	fan_log(FAN_LOG_NOTE, NULL, "%s does not take it: group=%s result=%u", peer_of(courier, errand->peer)->label,
		errand->group != NULL ? errand->group->gid : "-", result);
	if (permanent && errand->group == NULL) {
		end_errand(errand);
		return;
	}
	if (permanent && errand->step == STEP_ASKING)
		errand->group->asked = errand->change;
	if (permanent && errand->step == STEP_REPORTING)
		errand->group->standings[errand->peer].refused = errand->change;
	put_off(courier, errand);
}

/* What a peer was being told it may have lost: late answers are nobody's, and what serve is asked is for nothing. */
static void
drop_errands(struct fan_courier *courier, unsigned peer)
{
	for (unsigned i = 0; i < FAN_COURIER_ERRANDS_MAX; i++) {
		struct errand *errand = &courier->errands[i];

		if (errand->step == STEP_FREE || errand->peer != peer)
			continue;
		if (errand->step == STEP_EXPORTING || errand->step == STEP_READING)
			errand->stale = true;
		else
			end_errand(errand);
	}
}

/* Everything that a peer knew, it knows no more. In: gid, "": all. */
static void
forget_standing(struct fan_courier *courier, unsigned peer, const char *gid)
{
	if (gid[0] == '\0')
		drop_errands(courier, peer);
	for (unsigned i = 0; i < courier->group_count; i++) {
		struct standing *standing = &courier->order[i]->standings[peer];

		if (gid[0] != '\0' && strcmp(gid, courier->order[i]->gid) != 0)
			continue;
		*standing = (struct standing){ .wanted = standing->wanted, .busy = standing->busy };
	}
	if (gid[0] == '\0')
		courier->listed &= ~(UINT64_C(1) << peer);
}

static void
take_notice(struct fan_courier *courier, const struct event *event)
{
	struct group *group = find_group(courier, event->gid);

	if (group != NULL && (fan_keys_triggers(peer_of(courier, event->peer)) & FAN_TRIGGER_NOTICE) != 0)
		group->standings[event->peer].wanted = true;
}

static void
take_events(struct fan_courier *courier)
{
	struct event event;
	uint64_t arrived;

	(void)pthread_mutex_lock(&courier->lock);
	arrived = courier->arrived;
	courier->arrived = 0;
	(void)pthread_mutex_unlock(&courier->lock);
	for (unsigned i = 0; i < courier->settings->peer_count; i++)
		if ((arrived >> i & 1) != 0)
			forget_standing(courier, i, "");
	while (take_event(courier, &event)) {
		struct errand *errand = event.kind == EVENT_ANSWER ? errand_of(courier, event.number) : NULL;

		if (event.kind == EVENT_NOTICE)
			take_notice(courier, &event);
		else if (event.kind == EVENT_REQUEST)
			forget_standing(courier, event.peer, event.gid);
		else if (errand != NULL && event.result == FAN_KEYS_DONE)
			take_done(courier, errand, event.nodes);
		else if (errand != NULL)
			take_failure(courier, errand, event.result);
	}
}

/* ---- The thread ----------------------------------------------------------------------------------------------------------------------- */

static bool
is_closing(struct fan_courier *courier)
{
	bool closing;

	(void)pthread_mutex_lock(&courier->lock);
	closing = courier->closing;
	(void)pthread_mutex_unlock(&courier->lock);
	return closing;
}

static void
wait_for_something(struct fan_courier *courier, bool *readable)
{
	struct pollfd places[2] = { { .fd = courier->bell, .events = POLLIN },
				    { .fd = courier->connected ? courier->caller.socket : -1, .events = POLLIN } };
	uint64_t rings;

	(void)poll(places, 2, TURN_MS);
	*readable = places[1].revents != 0;
	if (places[0].revents != 0 && read(courier->bell, &rings, sizeof(rings)) != (ssize_t)sizeof(rings))
		*readable = places[1].revents != 0;
	courier->now_ms = fan_clock_ms(CLOCK_MONOTONIC);
}

static void *
run(void *user)
{
	struct fan_courier *courier = user;
	bool readable = false;

	while (!is_closing(courier)) {
		wait_for_something(courier, &readable);
		take_answers(courier, readable);
		give_up_on_serve(courier);
		take_events(courier);
		walk(courier);
		serve_peers(courier);
		forget_settled(courier);
		courier->port->tick();
	}
	return NULL;
}

int
fan_courier_open(struct fan_courier **opened, const struct fan_keys_settings *settings, const struct fan_courier_port *port)
{
	struct fan_courier *courier = calloc(1, sizeof(*courier));
	int error;

	*opened = NULL;
	if (courier == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory");
	courier->settings = settings;
	courier->port = port;
	courier->caller.socket = -1;
	courier->now_ms = fan_clock_ms(CLOCK_MONOTONIC);
	courier->event_room = (unsigned)settings->limits.queued + FAN_COURIER_ERRANDS_MAX;
	(void)pthread_mutex_init(&courier->lock, NULL);
	courier->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	courier->events = calloc(courier->event_room, sizeof(*courier->events));
	courier->order = calloc(FAN_COURIER_GROUPS_MAX, sizeof(struct group *));
	error = courier->bell < 0 || courier->events == NULL || courier->order == NULL ? fan_fail(FAN_E_MEMORY, "no memory")
										       : 0;
	if (error == 0 && pthread_create(&courier->thread, NULL, run, courier) != 0)
		error = fan_fail(FAN_E_MEMORY, "no thread can be started");
	courier->started = error == 0;
	if (courier->started)
		(void)pthread_setname_np(courier->thread, "fan-courier");
	if (error == 0)
		*opened = courier;
	else
		fan_courier_close(courier);
	return error;
}

void
fan_courier_stop(struct fan_courier *courier)
{
	if (courier == NULL || !courier->started)
		return;
	(void)pthread_mutex_lock(&courier->lock);
	courier->closing = true;
	(void)pthread_mutex_unlock(&courier->lock);
	ring(courier);
	(void)pthread_join(courier->thread, NULL);
	courier->started = false;
}

void
fan_courier_close(struct fan_courier *courier)
{
	if (courier == NULL)
		return;
	fan_courier_stop(courier);
	fan_caller_close(&courier->caller);
	for (unsigned i = 0; i < courier->group_count; i++) {
		(void)tdelete(courier->order[i], &courier->groups, by_gid);
		free(courier->order[i]);
	}
	if (courier->bell >= 0)
		(void)close(courier->bell);
	(void)pthread_mutex_destroy(&courier->lock);
	free(courier->events);
	free(courier->order);
	free(courier);
}
