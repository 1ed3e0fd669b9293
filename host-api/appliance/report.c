/* SPDX-License-Identifier: BSD-3-Clause */
/* What an appliance says of messages, on their way or ended, and of itself. */
#include "handles.h"

#include <string.h>

const char *
fan_message_state_name(enum fan_message_state state)
{
	static const char *const names[FAN_MESSAGE_STATES] = {
		[FAN_MESSAGE_ACCEPTED] = "accepted",   [FAN_MESSAGE_SENDING] = "sending", [FAN_MESSAGE_SENT] = "sent",
		[FAN_MESSAGE_CANCELLED] = "cancelled", [FAN_MESSAGE_EXPIRED] = "expired",
	};

	return (unsigned)state < FAN_MESSAGE_STATES ? names[state] : "unknown";
}

int
fan_sync(struct fanfare *fanfare)
{
	const int error = fan_outside_callback(fanfare, "fan_sync");

	return error == 0 ? fan_journal_sync(fanfare) : error;
}

/* ---- Messages ------------------------------------------------------------------------------------------------------------------- */

static_assert(FAN_PROFILE_COUNT <= FAN_PROFILES_MAX, "a status has room for every profile");
static_assert(sizeof(struct fan_message_status) <= FAN_STRUCT_BYTES_MAX, "fan_struct_take() takes no longer struct");

static void
sum_profiles(struct fan_message_status *status, uint64_t ues)
{
	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++)
		fan_journal_add_result(&status->result, &status->profile[i]);
	status->result.ues = ues;
}

/* Those that went no other way went by unicast. */
static void
sum_ways(struct fan_message_status *status, const uint64_t way_ues[FAN_WAYS_MAX])
{
	memcpy(status->way_ues, way_ues, sizeof(status->way_ues));
	status->way_ues[FAN_WAY_UNICAST] = status->result.ues;
	for (unsigned way = FAN_WAY_UNICAST + 1; way < FAN_WAYS_MAX; way++)
		status->way_ues[FAN_WAY_UNICAST] -= way_ues[way];
}

static void
fill_from_entry(struct fan_message_status *status, const struct fanfare *fanfare, const struct fan_entry *entry)
{
	status->id = entry->flight->number;
	status->state = fan_journal_state(entry, false);
	status->durable = entry->durable;
	status->priority = entry->flight->priority;
	(void)snprintf(status->gid, sizeof(status->gid), "%s", entry->gid);
	(void)snprintf(status->identity, sizeof(status->identity), "%s", entry->recipient.identity);
	(void)snprintf(status->reference, sizeof(status->reference), "%s", entry->reference);
	status->byte_count = entry->byte_count;
	status->accepted_ms = entry->accepted_ms;
	status->expires_ms = entry->expires_ms;
	status->resumed = entry->resumed;
	status->in_doubt = entry->in_doubt;
	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++)
		fan_journal_result(entry, &status->profile[i], (enum fan_profile)i);
	sum_profiles(status, entry->ues);
	sum_ways(status, entry->way_ues);
	fan_read_wait(fanfare->dataplane, &status->waits_for, &status->waits_ns);
}

static int
fill_from_store(struct fan_message_status *status, struct fanfare *fanfare, fan_message_id id)
{
	struct fan_record *record = &fanfare->journal.record;
	const struct fan_record_outcome *outcome = &record->outcome;
	const struct fan_record_message *message = &record->message;
	int error;

	memset(record, 0, sizeof(*record));
	record->kind = FAN_RECORD_OUTCOME;
	record->outcome.id = id;
	error = fan_store_get(fanfare->store, record);
	if (error != 0)
		return error;
	status->id = id;
	status->state = (enum fan_message_state)outcome->state;
	status->durable = true;
	status->ended_ms = outcome->ended_ms;
	status->resumed = outcome->resumed;
	status->in_doubt = outcome->in_doubt;
	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++)
		status->profile[i] = outcome->profile[i];
	sum_profiles(status, outcome->ues);
	sum_ways(status, outcome->way_ues);
	memset(record, 0, sizeof(*record));
	record->kind = FAN_RECORD_MESSAGE;
	record->message.id = id;
	error = fan_store_get(fanfare->store, record);
	if (error != 0)
		return error;
	(void)snprintf(status->gid, sizeof(status->gid), "%s", message->gid);
	(void)snprintf(status->identity, sizeof(status->identity), "%s", message->recipient.identity);
	if (message->message.reference != NULL)
		(void)snprintf(status->reference, sizeof(status->reference), "%s", message->message.reference);
	status->priority = message->message.priority;
	status->byte_count = (uint32_t)message->message.byte_count;
	status->accepted_ms = message->accepted_ms;
	status->expires_ms = message->expires_ms;
	return 0;
}

static const struct fan_entry *
entry_of_id(const struct fanfare *fanfare, fan_message_id id)
{
	for (const struct fan_flight *flight = fanfare->dataplane->flights.first; flight != NULL; flight = flight->next)
		if (flight->number == id)
			return &fanfare->journal.entries[flight->place];
	return NULL;
}

static int
no_message(fan_message_id id)
{
	return fan_fail(FAN_E_NOT_FOUND, "no message %lu: it was never accepted, or its results are kept no more", id);
}

int
fan_journal_outcome(struct fanfare *fanfare, struct fan_record *record, fan_message_id id)
{
	int error;

	*record = (struct fan_record){ .kind = FAN_RECORD_OUTCOME, .outcome = { .id = id } };
	error = fanfare->store == NULL ? FAN_E_NOT_FOUND : fan_store_get(fanfare->store, record);
	return error == FAN_E_NOT_FOUND ? no_message(id) : error;
}

int
fan_message_status(struct fanfare *fanfare, struct fan_message_status *given, fan_message_id id)
{
	struct fan_message_status status;
	const struct fan_entry *entry;
	int error = fan_in_own_process(fanfare->process);

	if (error == 0)
		error = fan_struct_take(&status, sizeof(status), MESSAGE_STATUS_VERSION_2_BYTES, given,
					"fan_message_status_init");
	if (error != 0)
		return error;
	fan_message_status_init(&status);
	entry = entry_of_id(fanfare, id);
	if (entry != NULL)
		fill_from_entry(&status, fanfare, entry);
	else if (fanfare->store != NULL)
		error = fill_from_store(&status, fanfare, id);
	else
		error = FAN_E_NOT_FOUND;
	if (error == FAN_E_NOT_FOUND)
		return no_message(id);
	if (error == 0)
		fan_struct_give(given, &status, sizeof(status));
	return error;
}

int
fan_message_next(struct fanfare *fanfare, fan_message_id *id, fan_message_id from)
{
	struct fan_record record = { .kind = FAN_RECORD_OUTCOME, .outcome = { .id = from } };
	uint64_t next = UINT64_MAX;

	if (fan_in_own_process(fanfare->process) != 0)
		return 0;
	for (const struct fan_flight *flight = fanfare->dataplane->flights.first; flight != NULL; flight = flight->next)
		if (flight->number >= from && flight->number < next)
			next = flight->number;
	if (fanfare->store != NULL && fan_store_next(fanfare->store, &record) == 0 && record.outcome.id < next)
		next = record.outcome.id;
	if (next == UINT64_MAX)
		return 0;
	*id = next;
	return 1;
}

/* ---- Whom a message was not served to ------------------------------------------------------------------------------------------- */

static void
tell_unserved(const struct fanfare *fanfare, const struct fan_record_unserved *unserved,
	      void (*each)(void *user, fan_context_id id, uint32_t ue, enum fan_drop drop), void *user)
{
	const int index = fan_dataplane_find_table(fanfare->dataplane, &unserved->table);
	roaring_bitmap_t *slots = index < 0 ? NULL : fan_journal_bitmap(unserved);
	roaring_uint32_iterator_t at;

	if (slots == NULL)
		return;
	for (roaring_iterator_init(slots, &at); at.has_value; roaring_uint32_iterator_advance(&at)) {
		const struct fan_context_table *table = &fanfare->dataplane->tables[index];

		if (fan_context_present(table, at.current_value))
			each(user, fan_context_name(fanfare, (unsigned)index, at.current_value),
			     table->slots[at.current_value].ue, (enum fan_drop)unserved->reason);
	}
	roaring_bitmap_free(slots);
}

int
fan_message_not_served(struct fanfare *fanfare, fan_message_id id, enum fan_drop drop,
		       void (*each)(void *user, fan_context_id id, uint32_t ue, enum fan_drop drop), void *user)
{
	struct fan_record record;
	int error = fan_outside_callback(fanfare, "fan_message_not_served");

	if (error == 0)
		error = fan_journal_outcome(fanfare, &record, id);
	if (error != 0)
		return error;
	record = (struct fan_record){ .kind = FAN_RECORD_UNSERVED, .unserved = { .id = id, .reason = 1 } };
	fanfare->in_callback = true;
	while ((error = fan_store_next(fanfare->store, &record)) == 0 && record.unserved.id == id) {
		if (record.unserved.reason != FAN_DROP_NONE && record.unserved.reason < FAN_DROP_COUNT &&
		    (drop == FAN_DROP_NONE || record.unserved.reason == (unsigned)drop))
			tell_unserved(fanfare, &record.unserved, each, user);
		record.unserved.first_slot += FAN_UNSERVED_CONTEXTS;
	}
	fanfare->in_callback = false;
	return error == FAN_E_NOT_FOUND ? 0 : error;
}

/* ---- Health ---------------------------------------------------------------------------------------------------------------------- */

int
fan_health(const struct fanfare *fanfare, struct fan_health *given)
{
	struct fan_health health;
	int error = fan_in_own_process(fanfare->process);

	if (error == 0)
		error = fan_struct_take(&health, sizeof(health), sizeof(health), given, "fan_health_init");
	if (error != 0)
		return error;
	fan_health_init(&health);
	health.draining = fanfare->draining;
	health.store_error = fanfare->ledger.error;
	(void)snprintf(health.store_detail, sizeof(health.store_detail), "%s", fanfare->ledger.detail);
	for (unsigned i = 0; i < fanfare->dataplane->table_count; i++)
		health.ues += fanfare->dataplane->tables[i].present;
	for (const struct fan_group *group = fanfare->groups; group != NULL; group = group->next)
		health.groups++;
	health.messages_in_flight = fanfare->dataplane->flights.count;
	health.commits = fanfare->ledger.commits;
	health.checkpoints = fanfare->ledger.checkpoints;
	health.commit_ns_max = fanfare->ledger.commit_ns_max;
	fan_struct_give(given, &health, sizeof(health));
	return 0;
}
