/* SPDX-License-Identifier: BSD-3-Clause */
#include "registry.h"

#include <rte_cycles.h>
#include <string.h>
#include <sys/eventfd.h>

struct fan_outcome {
	const struct fanfare *fanfare;
	const struct fan_flight *flight;
	struct fan_result profile[FAN_PROFILE_COUNT];
	uint64_t way_ues[FAN_WAYS_MAX];
};

/* Takes contexts out that were removed, and whose slots are not free yet. */
static int
subtract_removed(struct fan_members *members, const struct fanfare *fanfare)
{
	int error = 0;

	for (unsigned i = 0; error == 0 && fanfare->gone_count > 0 && i < fanfare->dataplane->table_count; i++)
		if (fanfare->removals[i].gone != NULL)
			error = fan_members_subtract(members, (uint16_t)i, fanfare->removals[i].gone);
	return error;
}

/* The group's members as they are now, less those that were removed: copied once after each change, not for each message. */
static int
take_snapshot(struct fan_group *group)
{
	const struct fanfare *fanfare = group->fanfare;
	struct fan_members members;
	int error;

	if (group->snapshot != NULL && group->snapshot_removals == fanfare->removal_count)
		return 0;
	error = fan_members_snapshot(&members, &group->members);
	if (error != 0)
		return error;
	error = subtract_removed(&members, fanfare);
	fan_snapshot_release(group->snapshot);
	group->snapshot = NULL;
	if (error == 0)
		error = fan_snapshot_make(&group->snapshot, &members);
	group->snapshot_removals = fanfare->removal_count;
	fan_members_free(&members);
	return error;
}

/* A short message names its sender and the centre that it came through: a UE shows and answers them, so that no default may go on air. */
static int
check_sender(const struct fan_snapshot *snapshot, const struct fan_message *message)
{
	for (unsigned i = 0; i < snapshot->members.set_count; i++) {
		if (!fan_profile_is_sms((enum fan_profile)snapshot->members.sets[i].profile))
			continue;
		if (message->originator == NULL)
			return fan_fail(FAN_E_INVALID, "a short message needs an originator: digits, or up to 11 characters");
		if (message->service_centre == NULL)
			return fan_fail(FAN_E_INVALID, "a short message needs a service_centre: \"+\" and up to 20 digits");
	}
	return 0;
}

static int
accept_members(struct fanfare *fanfare, struct fan_flight **flight, struct fan_snapshot *snapshot,
	       const struct fan_message *message)
{
	const int error = check_sender(snapshot, message);

	return error != 0 ? error : fan_dataplane_accept(fanfare->dataplane, flight, snapshot, message, NULL, NULL);
}

/* Keys go to those able, in the form that the message has. */
static int
accept_keys(struct fanfare *fanfare, struct fan_flight **flight, const struct fan_group *group,
	    const struct fan_message *message)
{
	struct fan_members members;
	struct fan_snapshot *snapshot = NULL;
	int error = fan_keyring_choose(&members, group, message);

	if (error == 0)
		error = subtract_removed(&members, fanfare);
	if (error == 0 && members.set_count == 0)
		error = fan_fail(FAN_E_INVALID,
				 "group %s has no member that is able to take this form of a key, or all of them have it",
				 group->gid);
	if (error == 0)
		error = fan_snapshot_make(&snapshot, &members);
	if (error == 0)
		error = accept_members(fanfare, flight, snapshot, message);
	if (error == 0)
		fan_keyring_track(group, *flight, message);
	fan_snapshot_release(snapshot);
	fan_members_free(&members);
	return error;
}

int
fan_message_accept(struct fanfare *fanfare, struct fan_flight **flight, struct fan_group *group,
		   const struct fan_message *message)
{
	int error;

	if (message->group_keys && message->byte_count > 0 && group->able.set_count > 0)
		return accept_keys(fanfare, flight, group, message);
	error = take_snapshot(group);

	if (error == 0 && group->snapshot->members.set_count == 0)
		error = fan_fail(FAN_E_INVALID, "group %s has no member", group->gid);
	return error != 0 ? error : accept_members(fanfare, flight, group->snapshot, message);
}

int
fan_message_accept_one(struct fanfare *fanfare, struct fan_flight **flight, const struct fan_recipient *recipient,
		       const struct fan_message *message)
{
	const int table = fan_dataplane_find_table(fanfare->dataplane, &recipient->table);
	struct fan_members members = { .set_count = 0 };
	struct fan_snapshot *snapshot = NULL;
	int error = fan_members_add_range(&members, (uint16_t)table, (enum fan_profile)recipient->profile, recipient->slot, 1);

	if (error == 0)
		error = fan_snapshot_make(&snapshot, &members);
	if (error == 0)
		error = accept_members(fanfare, flight, snapshot, message);
	/* The flight has its own reference. */
	fan_snapshot_release(snapshot);
	fan_members_free(&members);
	return error;
}

/* A message that was cancelled before it was durable was never accepted: its reference is free. */
static bool
has_gone_unheard(const struct fanfare *fanfare, fan_message_id id)
{
	if (fanfare->store == NULL)
		return false;
	for (const struct fan_flight *flight = fanfare->dataplane->flights.first; flight != NULL; flight = flight->next)
		if (flight->number == id)
			return !fanfare->journal.entries[flight->place].durable && flight->stop != FAN_DROP_NONE;
	return false;
}

/* Out: *id, when a message has the reference. */
static int
check_reference(struct fanfare *fanfare, fan_message_id *id, const char *reference)
{
	const int error = fan_reference_check(reference);
	fan_message_id first;

	if (error != 0 || reference == NULL)
		return error;
	first = fan_references_find(&fanfare->references, reference);
	if (first == 0)
		return 0;
	if (has_gone_unheard(fanfare, first)) {
		fan_references_remove(&fanfare->references, reference, first);
		return 0;
	}
	if (id != NULL)
		*id = first;
	return fan_fail(FAN_E_EXISTS, "message %lu has the reference %s: nothing more was sent", first, reference);
}

/* The id that the next message will have. */
static fan_message_id
next_id(const struct fanfare *fanfare)
{
	return fanfare->dataplane->flights.accepted + 1;
}

/* Before the message is accepted, for that cannot be taken back when memory is short. */
static int
note_reference(struct fanfare *fanfare, const struct fan_message *message)
{
	return message->reference != NULL ? fan_references_add(&fanfare->references, message->reference, next_id(fanfare)) : 0;
}

/* Whom a message is for: a group, or, where that is NULL, one UE. */
struct addressee {
	struct fan_group *group;
	struct fan_recipient recipient;
};

static int
accept_for(struct fanfare *fanfare, struct fan_flight **flight, const struct addressee *to, const struct fan_message *message)
{
	return to->group != NULL ? fan_message_accept(fanfare, flight, to->group, message)
				 : fan_message_accept_one(fanfare, flight, &to->recipient, message);
}

/* In: a message whose reference is noted. */
static int
accept_noted(struct fanfare *fanfare, struct fan_flight **flight, const struct addressee *to, const struct fan_message *message)
{
	const fan_message_id id = next_id(fanfare);
	const int error = accept_for(fanfare, flight, to, message);

	if (error != 0 && message->reference != NULL)
		fan_references_remove(&fanfare->references, message->reference, id);
	return error;
}

/* In: message, taken over from the caller's, whose reference is free. Out: *flight, in the journal. */
static int
send_to(struct fanfare *fanfare, struct fan_flight **flight, const struct addressee *to, const struct fan_message *message)
{
	struct fan_entry entry;
	int error = fan_journal_prepare(&entry, fanfare, message);

	if (error != 0)
		return error;
	if (to->group != NULL)
		(void)snprintf(entry.gid, sizeof(entry.gid), "%s", to->group->gid);
	entry.recipient = to->recipient;
	error = note_reference(fanfare, message);
	if (error == 0)
		error = accept_noted(fanfare, flight, to, message);
	if (error == 0 && to->group != NULL)
		entry.airing = fan_airing_prepare(to->group, message, (*flight)->number);
	if (error == 0)
		fan_journal_add(fanfare, *flight, &entry);
	else
		fan_journal_drop(&entry);
	return error;
}

/* Out: *message, what the caller gave. As fan_send(). */
static int
take_message(struct fanfare *fanfare, fan_message_id *id, struct fan_message *message, const struct fan_message *given)
{
	int error = fan_in_own_process(fanfare->process);

	if (error == 0)
		error = fan_struct_take(message, sizeof(*message), MESSAGE_VERSION_2_BYTES, given, "fan_message_init");
	if (error == 0)
		error = check_reference(fanfare, id, message->reference);
	if (error == 0 && fanfare->draining)
		error = fan_fail(FAN_E_BUSY, "draining: no further message is accepted");
	return error;
}

int
fan_send(struct fanfare *fanfare, fan_message_id *id, struct fan_group *group, const struct fan_message *given, fan_done done,
	 void *user)
{
	const struct addressee to = { .group = group };
	struct fan_flight *flight;
	struct fan_message message;
	int error = take_message(fanfare, id, &message, given);

	if (error == 0)
		error = send_to(fanfare, &flight, &to, &message);
	if (error != 0)
		return error;
	flight->done = done;
	flight->user = user;
	if (!message.group_keys)
		fan_changes_note_message(group);
	if (id != NULL)
		*id = flight->number;
	return 0;
}

/* Out: *recipient. */
static int
read_recipient(const struct fanfare *fanfare, struct fan_recipient *recipient, fan_context_id context, enum fan_profile profile)
{
	const struct fan_context_table *table = fan_context_find(fanfare, &recipient->slot, context);
	struct fan_record record;
	int error = table == NULL ? FAN_E_NOT_FOUND : fan_profile_check(profile, table);

	if (error != 0)
		return error;
	recipient->table = table->protection;
	recipient->profile = (uint8_t)profile;
	if (fanfare->store == NULL)
		return 0;
	error = fan_registry_get_ue(fanfare, &record, fan_context_table_index(context), recipient->slot);
	if (error == 0)
		memcpy(recipient->identity, record.ue.identity, sizeof(recipient->identity));
	fan_registry_wipe(&record);
	return error;
}

int
fan_send_to_ue(struct fanfare *fanfare, fan_message_id *id, fan_context_id context, enum fan_profile profile,
	       const struct fan_message *given, fan_done done, void *user)
{
	struct addressee to = { .group = NULL };
	struct fan_flight *flight;
	struct fan_message message;
	int error = fan_registry_may_change(fanfare, "fan_send_to_ue");

	if (error == 0)
		error = take_message(fanfare, id, &message, given);
	if (error == 0)
		error = read_recipient(fanfare, &to.recipient, context, profile);
	if (error == 0)
		error = send_to(fanfare, &flight, &to, &message);
	if (error != 0)
		return error;
	flight->done = done;
	flight->user = user;
	if (id != NULL)
		*id = flight->number;
	return 0;
}

int
fan_message_find(const struct fanfare *fanfare, fan_message_id *id, const char *reference)
{
	const int error = fan_in_own_process(fanfare->process);

	if (error != 0)
		return error;
	*id = fan_references_find(&fanfare->references, reference);
	if (*id != 0 && !has_gone_unheard(fanfare, *id))
		return 0;
	return fan_fail(FAN_E_NOT_FOUND,
			"no message has the reference %.64s: it was never accepted, or its results are kept no more",
			reference);
}

struct fan_flight *
fan_flight_find(const struct fanfare *fanfare, fan_message_id id)
{
	if (fan_in_own_process(fanfare->process) != 0)
		return NULL;
	for (struct fan_flight *flight = fanfare->dataplane->flights.first; flight != NULL; flight = flight->next)
		if (flight->number == id && __atomic_load_n(&flight->workers_left, __ATOMIC_ACQUIRE) != 0)
			return flight;
	(void)fan_fail(FAN_E_NOT_FOUND, "no message %llu is in flight: it has ended, or was never accepted",
		       (unsigned long long)id);
	return NULL;
}

int
fan_message_cancel(struct fanfare *fanfare, fan_message_id id)
{
	struct fan_flight *flight = fan_flight_find(fanfare, id);

	if (flight == NULL)
		return FAN_E_NOT_FOUND;
	__atomic_store_n(&flight->stop, (uint8_t)FAN_DROP_CANCELLED, __ATOMIC_RELAXED);
	return fan_journal_cancel(fanfare);
}

const char *
fan_wait_name(enum fan_wait wait)
{
	static const char *const names[] = {
		[FAN_WAIT_NOTHING] = "nothing", [FAN_WAIT_PORT] = "port",     [FAN_WAIT_LINK] = "link",
		[FAN_WAIT_ENGINE] = "engine",   [FAN_WAIT_FRAMES] = "frames", [FAN_WAIT_STORE] = "store",
		[FAN_WAIT_PACE] = "pace",
	};

	return (unsigned)wait < sizeof(names) / sizeof(names[0]) ? names[wait] : "unknown";
}

void
fan_read_wait(const struct fan_dataplane *dataplane, enum fan_wait *waits_for, uint64_t *waits_ns)
{
	int64_t longest_tsc = 0;

	for (unsigned i = 0; i < dataplane->worker_count; i++) {
		struct fan_worker_counters counters;
		int64_t waits_tsc;

		fan_worker_counters_read(dataplane->worker[i], &counters);
		waits_tsc = (int64_t)(rte_rdtsc() - counters.waits_since_tsc);
		if (counters.waits_for == FAN_WAIT_NOTHING || waits_tsc < longest_tsc)
			continue;
		longest_tsc = waits_tsc;
		*waits_for = (enum fan_wait)counters.waits_for;
	}
	*waits_ns = (uint64_t)((double)longest_tsc * 1e9 / (double)rte_get_tsc_hz());
}

int
fan_message_progress(const struct fanfare *fanfare, struct fan_progress *progress, fan_message_id id)
{
	const struct fan_flight *flight = fan_flight_find(fanfare, id);
	struct fan_progress own;
	struct fan_result result;
	int error = flight == NULL ? FAN_E_NOT_FOUND
				   : fan_struct_take(&own, sizeof(own), sizeof(own), progress, "fan_progress_init");

	if (error != 0)
		return error;
	memset(&own, 0, sizeof(own));
	fan_flight_result(flight, &result, FAN_PROFILE_COUNT);
	own.ues = result.ues;
	own.created = result.created;
	own.sent = result.sent;
	for (unsigned i = 0; i < FAN_DROP_COUNT; i++)
		own.dropped += result.dropped[i];
	fan_read_wait(fanfare->dataplane, &own.waits_for, &own.waits_ns);
	fan_struct_give(progress, &own, sizeof(own));
	return 0;
}

/* ---- Outcomes ---------------------------------------------------------------------------------------------------------- */

/* In: way_ues, members that went other ways, of which the flight knows nothing. */
static void
call_back(struct fanfare *fanfare, const struct fan_flight *flight, const uint64_t way_ues[FAN_WAYS_MAX])
{
	struct fan_outcome outcome = { .fanfare = fanfare, .flight = flight };
	struct fan_result result;

	fan_flight_result(flight, &result, FAN_PROFILE_COUNT);
	memcpy(outcome.way_ues, way_ues, sizeof(outcome.way_ues));
	outcome.way_ues[FAN_WAY_UNICAST] = result.ues;
	for (unsigned way = 0; way < FAN_WAYS_MAX; way++)
		result.ues += way_ues[way];
	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++)
		fan_flight_result(flight, &outcome.profile[i], (enum fan_profile)i);
	fanfare->in_callback = true;
	if (flight->done != NULL)
		flight->done(flight->user, &result, &outcome);
	fanfare->in_callback = false;
}

int
fan_poll(struct fanfare *fanfare)
{
	struct fan_flight *flight;
	eventfd_t ended;
	bool told;
	int error = fan_outside_callback(fanfare, "fan_poll");

	if (error != 0)
		return error;
	(void)eventfd_read(fanfare->dataplane->event_fd, &ended);
	fan_receipts_poll(fanfare->receipts);
	fan_dataplane_paces_serve(fanfare->dataplane);
	fan_broadcasts_serve(fanfare);
	(void)fan_journal_sync(fanfare);
	fan_ledger_serve(fanfare);
	fan_dataplane_settle(fanfare->dataplane);
	told = fan_journal_end(fanfare);
	while (told && (flight = fan_dataplane_take_settled(fanfare->dataplane)) != NULL) {
		const struct fan_entry *entry = &fanfare->journal.entries[flight->place];
		uint64_t way_ues[FAN_WAYS_MAX];

		memcpy(way_ues, entry->way_ues, sizeof(way_ues));
		fanfare->messages_ended[fan_journal_state(entry, true)]++;
		fan_journal_remove(fanfare, flight);
		call_back(fanfare, flight, way_ues);
		fan_flight_free(flight);
	}
	fan_journal_serve(fanfare);
	fan_keyrings_serve(fanfare);
	fan_removals_settle(fanfare);
	fan_census_serve(fanfare);
	return (int)fanfare->dataplane->flights.count;
}

const struct fan_result *
fan_outcome_profile(const struct fan_outcome *outcome, enum fan_profile profile)
{
	static const struct fan_result none;

	return (unsigned)profile < FAN_PROFILE_COUNT ? &outcome->profile[profile] : &none;
}

uint64_t
fan_outcome_way(const struct fan_outcome *outcome, enum fan_way way)
{
	return (unsigned)way < FAN_WAY_COUNT ? outcome->way_ues[way] : 0;
}

/* 64 slots of a leg's bitmap for a reason, or for any. */
static uint64_t
not_served_word(const struct fan_leg *leg, enum fan_drop drop, size_t word)
{
	uint64_t bits = 0, of_reason;

	for (unsigned reason = 1; reason < FAN_DROP_COUNT; reason++) {
		if (drop != FAN_DROP_NONE && reason != (unsigned)drop)
			continue;
		memcpy(&of_reason, fan_leg_not_served(leg, (enum fan_drop)reason) + 8 * word, sizeof(of_reason));
		bits |= of_reason;
	}
	return bits;
}

/* A leg that dropped nothing for a reason has an empty bitmap, which is not looked at. */
static bool
leg_dropped(const struct fan_flight *flight, const struct fan_leg *leg, enum fan_drop drop)
{
	for (unsigned worker = 0; worker < flight->worker_count; worker++)
		for (unsigned reason = 1; reason < FAN_DROP_COUNT; reason++)
			if ((drop == FAN_DROP_NONE || reason == (unsigned)drop) && leg->tally[worker].dropped[reason] > 0)
				return true;
	return false;
}

uint64_t
fan_outcome_count(const struct fan_outcome *outcome, enum fan_drop drop)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < outcome->flight->leg_count; i++) {
		const struct fan_leg *leg = &outcome->flight->legs[i];

		for (size_t word = 0; leg_dropped(outcome->flight, leg, drop) && word < leg->reason_bytes / 8; word++)
			count += (unsigned)__builtin_popcountll(not_served_word(leg, drop, word));
	}
	return count;
}

void
fan_outcome_not_served(const struct fan_outcome *outcome, enum fan_drop drop,
		       void (*each)(void *user, fan_context_id id, uint32_t ue, enum fan_drop drop), void *user)
{
	for (unsigned i = 0; i < outcome->flight->leg_count; i++) {
		const struct fan_leg *leg = &outcome->flight->legs[i];

		for (size_t word = 0; leg_dropped(outcome->flight, leg, drop) && word < leg->reason_bytes / 8; word++)
			for (uint64_t bits = not_served_word(leg, drop, word); bits != 0; bits &= bits - 1) {
				const uint32_t slot = (uint32_t)(64 * word) + (uint32_t)__builtin_ctzll(bits);

				each(user, fan_context_name(outcome->fanfare, leg->table_index, slot),
				     leg->table->slots[slot].ue, fan_leg_reason(leg, slot));
			}
	}
}
