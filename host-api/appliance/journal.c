/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "journal.h"
#include "../../dataplane/context/clock.h"
#include "registry.h"

#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_MS 50                      /* between two writes of positions */
#define LATE_KEPT_MS 1000               /* between two writes of who is put off, unless much has changed */
#define SWEPT_MS 1000                   /* between two looks at old results */
#define RETENTION_S (7U * 24 * 60 * 60) /* options.retention_s 0 */

static bool
is_time(uint64_t *last_tsc, uint64_t period_ms)
{
	const uint64_t now_tsc = rte_rdtsc();

	if (now_tsc - *last_tsc < period_ms * (rte_get_tsc_hz() / 1000))
		return false;
	*last_tsc = now_tsc;
	return true;
}

static struct fan_entry *
entry_of(struct fanfare *fanfare, const struct fan_flight *flight)
{
	return &fanfare->journal.entries[flight->place];
}

/* ---- Whom workers may have ---------------------------------------------------------------------------------------------------- */

/* Places of flights that wait for what comes of their broadcast, or for one before them that does: UEs get messages of one priority in order. */
static uint64_t
held_places(struct fanfare *fanfare)
{
	uint64_t held = 0;

	for (const struct fan_flight *flight = fanfare->dataplane->flights.first; flight != NULL; flight = flight->next)
		if (!flight->handed &&
		    (fan_airing_is_waiting(entry_of(fanfare, flight)->airing) || (flight->follows & held) != 0))
			held |= UINT64_C(1) << flight->place;
	return held;
}

static bool
is_held(uint64_t held, const struct fan_flight *flight)
{
	return (held >> flight->place & 1) != 0;
}

/* Whether a flight is to be made durable, or to be handed over. */
static bool
is_pending(struct fanfare *fanfare, uint64_t held, const struct fan_flight *flight)
{
	const struct fan_entry *entry = entry_of(fanfare, flight);

	return !flight->handed && flight->workers_left > 0 && entry->flight == flight &&
	       (!is_held(held, flight) || !entry->durable);
}

/* ---- Acceptance ---------------------------------------------------------------------------------------------------------------- */

static void
forget_octets(struct fan_entry *entry)
{
	if (entry->octets != NULL && entry->message.group_keys)
		explicit_bzero(entry->octets, entry->message.byte_count);
	free(entry->octets);
	entry->octets = NULL;
}

static void
forget_put_off(struct fan_entry *entry)
{
	for (unsigned i = 0; entry->put_off != NULL && i < entry->put_off_count; i++) {
		struct fan_put_off *leg = &entry->put_off[i];

		for (unsigned j = 0; j < leg->part_count; j++)
			if (leg->parts[j] != NULL)
				roaring_bitmap_free(leg->parts[j]);
		free(leg->parts);
		if (leg->resumed != NULL)
			roaring_bitmap_free(leg->resumed);
	}
	free(entry->put_off);
	entry->put_off = NULL;
}

/* Copies what the message points to. */
static int
copy_message(struct fan_entry *entry, const struct fan_message *message)
{
	const size_t originator_bytes = message->originator != NULL ? strlen(message->originator) + 1 : 0;
	const size_t centre_bytes = message->service_centre != NULL ? strlen(message->service_centre) + 1 : 0;
	uint8_t *at = malloc(message->byte_count + originator_bytes + centre_bytes);

	if (at == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for a message of %zu octets", message->byte_count);
	entry->octets = at;
	entry->message = *message;
	entry->message.bytes = at;
	entry->message.reference = NULL;
	at = mempcpy(at, message->bytes, message->byte_count);
	if (originator_bytes > 0) {
		entry->message.originator = (char *)at;
		at = mempcpy(at, message->originator, originator_bytes);
	}
	if (centre_bytes > 0) {
		entry->message.service_centre = (char *)at;
		(void)mempcpy(at, message->service_centre, centre_bytes);
	}
	return 0;
}

int
fan_journal_prepare(struct fan_entry *entry, const struct fanfare *fanfare, const struct fan_message *message)
{
	memset(entry, 0, sizeof(*entry));
	(void)snprintf(entry->reference, sizeof(entry->reference), "%s", message->reference != NULL ? message->reference : "");
	entry->accepted_ms = fan_clock_ms(CLOCK_REALTIME);
	entry->expires_ms = message->valid_for_ms != 0 ? entry->accepted_ms + message->valid_for_ms : 0;
	entry->byte_count = (uint32_t)message->byte_count;
	entry->served_kept = true;
	if (fanfare->store != NULL && message->byte_count > FAN_STORED_BYTES_MAX)
		return fan_fail(FAN_E_TOO_LONG, "a message of %zu octets: a store takes %d", message->byte_count,
				FAN_STORED_BYTES_MAX);
	if (fanfare->store != NULL && message->group_keys && message->byte_count > FAN_KEY_OCTETS_MAX)
		return fan_fail(FAN_E_TOO_LONG, "%zu octets of keys of groups: %d fit a NAS message", message->byte_count,
				FAN_KEY_OCTETS_MAX);
	return fanfare->store != NULL ? copy_message(entry, message) : 0;
}

void
fan_journal_drop(struct fan_entry *entry)
{
	forget_octets(entry);
	forget_put_off(entry);
	fan_airing_free(entry->airing);
	memset(entry, 0, sizeof(*entry));
}

/* ---- Results ------------------------------------------------------------------------------------------------------------------ */

void
fan_journal_add_result(struct fan_result *sum, const struct fan_result *result)
{
	sum->ues += result->ues;
	sum->created += result->created;
	sum->sent += result->sent;
	sum->bytes_out += result->bytes_out;
	for (unsigned i = 0; i < FAN_DROPS_MAX; i++)
		sum->dropped[i] += result->dropped[i];
	if (result->first_ns != 0 && (sum->first_ns == 0 || result->first_ns < sum->first_ns))
		sum->first_ns = result->first_ns;
	sum->last_ns = RTE_MAX(sum->last_ns, result->last_ns);
}

void
fan_journal_result(const struct fan_entry *entry, struct fan_result *result, enum fan_profile profile)
{
	const uint64_t ues = entry->before[profile].ues;

	fan_flight_result(entry->flight, result, profile);
	if (entry->resumed == 0)
		return;
	fan_journal_add_result(result, &entry->before[profile]);
	result->ues = ues;
}

static uint64_t
count_dropped(const struct fan_result *result)
{
	uint64_t dropped = 0;

	for (unsigned i = 0; i < FAN_DROPS_MAX; i++)
		dropped += result->dropped[i];
	return dropped;
}

enum fan_message_state
fan_journal_state(const struct fan_entry *entry, bool ended)
{
	struct fan_result result;

	fan_flight_result(entry->flight, &result, FAN_PROFILE_COUNT);
	if (!ended)
		return result.created > 0 || entry->resumed > 0 || (entry->airing != NULL && entry->airing->begun)
			       ? FAN_MESSAGE_SENDING
			       : FAN_MESSAGE_ACCEPTED;
	if (entry->flight->stop == FAN_DROP_CANCELLED)
		return FAN_MESSAGE_CANCELLED;
	return result.dropped[FAN_DROP_EXPIRED] > 0 ? FAN_MESSAGE_EXPIRED : FAN_MESSAGE_SENT;
}

/* ---- Places and positions --------------------------------------------------------------------------------------------------------- */

/* The place of the member that so many members stand before, counted from a place on; UINT64_MAX: there are fewer. */
static uint64_t
place_ahead(const struct fan_flight *flight, uint64_t place, uint64_t members)
{
	uint64_t from = (uint32_t)place;

	for (uint64_t i = place >> 32; i < flight->leg_count; i++, from = 0) {
		const struct fan_leg *leg = &flight->legs[i];
		const uint64_t first = RTE_MAX(from, leg->from);
		uint64_t before, left;
		uint32_t slot;

		if (first > UINT32_MAX)
			continue;
		before = first == 0 ? 0 : roaring_bitmap_rank(leg->slots, (uint32_t)first - 1);
		left = leg->ues - before;
		if (members < left && roaring_bitmap_select(leg->slots, (uint32_t)(before + members), &slot))
			return fan_flight_place((unsigned)i, slot);
		members -= left;
	}
	return UINT64_MAX;
}

/* How far workers are let beyond a position: each may be in the middle of a batch there. */
static uint64_t
limit_ahead(const struct fan_flight *flight, uint64_t position)
{
	return place_ahead(flight, position,
			   FAN_IN_DOUBT_MAX - FAN_LATE_IN_DOUBT_MAX - (uint64_t)FAN_BATCH_UES_MAX * flight->worker_count);
}

static_assert(FAN_LATE_IN_DOUBT_MAX / FAN_WORKERS_MAX / 4 > 17 * FAN_BATCH_UES_MAX, "room for a worker's ring, and a batch");

/* So many of those put off a worker is let take beyond those that the disk knows to be done with, or those that its ring had then. */
static uint64_t
late_share(const struct fan_flight *flight)
{
	return FAN_LATE_IN_DOUBT_MAX / flight->worker_count - FAN_LATE_IN_DOUBT_MAX / FAN_WORKERS_MAX / 4;
}

static void
limit_late(struct fan_flight *flight, const uint64_t taken[FAN_WORKERS_MAX])
{
	for (unsigned i = 0; i < flight->worker_count; i++)
		__atomic_store_n(&flight->span[i].late_limit, taken[i] + late_share(flight), __ATOMIC_RELAXED);
}

/* PDUs of the members from a place on, of no more than `most` of these. */
static uint64_t
pdus_behind(const struct fan_flight *flight, uint64_t place, uint64_t most)
{
	uint64_t pdus = 0, from = (uint32_t)place;

	for (uint64_t i = place >> 32; i < flight->leg_count; i++, from = 0) {
		const struct fan_leg *leg = &flight->legs[i];
		const uint64_t first = RTE_MAX(from, leg->from);
		uint64_t members;

		if (first > UINT32_MAX)
			continue;
		members = leg->ues - (first == 0 ? 0 : roaring_bitmap_rank(leg->slots, (uint32_t)first - 1));
		members = RTE_MIN(members, most);
		most -= members;
		pdus += members * leg->plans.part_count;
	}
	return pdus;
}

/* A place as every process understands it: the leg's name and the slot. */
static uint64_t
kept_position(const struct fan_flight *flight, uint64_t place)
{
	const uint64_t leg = place >> 32;

	if (leg >= flight->leg_count)
		return UINT64_MAX;
	return (uint64_t)fan_leg_name(flight->legs[leg].table->protection, flight->legs[leg].profile) << 32 | (uint32_t)place;
}

/* ---- Records -------------------------------------------------------------------------------------------------------------------- */

/* Of a message on its way, every PDU that is created here is sent or dropped: what is under way will be created again. */
static int
put_outcome(struct fanfare *fanfare, const struct fan_entry *entry, uint64_t position, bool ended)
{
	struct fan_record record = { .kind = FAN_RECORD_OUTCOME, .outcome = { .id = entry->flight->number } };
	struct fan_record_outcome *outcome = &record.outcome;

	/* One that was cancelled stays so. */
	outcome->state = (uint8_t)(entry->flight->stop == FAN_DROP_CANCELLED ? FAN_MESSAGE_CANCELLED
									     : fan_journal_state(entry, ended));
	outcome->position = kept_position(entry->flight, position);
	outcome->ended_ms = ended ? fan_clock_ms(CLOCK_REALTIME) : 0;
	outcome->resumed = entry->resumed;
	outcome->in_doubt = entry->in_doubt;
	outcome->ues = entry->ues;
	outcome->served_kept = entry->served_kept;
	memcpy(outcome->way_ues, entry->way_ues, sizeof(outcome->way_ues));
	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++) {
		fan_journal_result(entry, &outcome->profile[i], (enum fan_profile)i);
		outcome->profile[i].created = outcome->profile[i].sent + count_dropped(&outcome->profile[i]);
	}
	return fan_store_put(fanfare->store, &record);
}

/* Octets that are keys lie apart from the message, sealed. */
static int
put_key_octets(struct fan_store *store, const struct fan_entry *entry)
{
	struct fan_record record = { .kind = FAN_RECORD_KEY_OCTETS };
	int error;

	record.key_octets.id = entry->flight->number;
	record.key_octets.octet_count = (uint16_t)entry->message.byte_count;
	memcpy(record.key_octets.octets, entry->message.bytes, entry->message.byte_count);
	error = fan_store_put(store, &record);
	explicit_bzero(&record.key_octets, sizeof(record.key_octets));
	return error;
}

/* Nobody needs them once the message has ended. */
static int
forget_key_octets(struct fan_store *store, const struct fan_message *message, uint64_t id)
{
	struct fan_record record = { .kind = FAN_RECORD_KEY_OCTETS };
	int error;

	record.key_octets.id = id;
	error = message->group_keys ? fan_store_delete(store, &record) : 0;
	return error == FAN_E_NOT_FOUND ? 0 : error;
}

static int
put_message(struct fanfare *fanfare, const struct fan_entry *entry)
{
	struct fan_record record = { .kind = FAN_RECORD_MESSAGE,
				     .message = { .id = entry->flight->number,
						  .accepted_ms = entry->accepted_ms,
						  .expires_ms = entry->expires_ms,
						  .message = entry->message } };

	memcpy(record.message.gid, entry->gid, sizeof(record.message.gid));
	record.message.recipient = entry->recipient;
	if (entry->reference[0] != '\0')
		record.message.message.reference = entry->reference;
	if (entry->message.group_keys) {
		const int error = put_key_octets(fanfare->store, entry);

		if (error != 0)
			return error;
	}
	return fan_store_put(fanfare->store, &record);
}

/* Adds 64 slots, a bit each. In and out: *slots, NULL: none yet. False: there is no memory. */
static bool
add_word(roaring_bitmap_t **slots, uint64_t first, uint64_t bits)
{
	if (bits != 0 && *slots == NULL)
		*slots = roaring_bitmap_create();
	for (; bits != 0 && *slots != NULL; bits &= bits - 1)
		roaring_bitmap_add(*slots, (uint32_t)first + (uint32_t)__builtin_ctzll(bits));
	return bits == 0;
}

/* The members among 65,536 slots that a leg was not served to for a reason. NULL: none, or no memory, which `short_of` says. */
static roaring_bitmap_t *
read_unserved(const struct fan_leg *leg, enum fan_drop reason, uint32_t first_slot, bool *short_of)
{
	const uint8_t *octets = fan_leg_not_served(leg, reason);
	const size_t first = first_slot / 8, end = RTE_MIN(first + FAN_UNSERVED_CONTEXTS / 8, leg->reason_bytes);
	roaring_bitmap_t *slots = NULL;
	uint64_t bits;

	for (size_t at = first; at < end && !*short_of; at += sizeof(bits)) {
		memcpy(&bits, octets + at, sizeof(bits));
		*short_of = !add_word(&slots, 8 * at, bits);
	}
	return slots;
}

/* The members among 65,536 slots, below an end, that are put off and not done with. The same. */
static roaring_bitmap_t *
read_put_off(const struct fan_leg *leg, uint32_t first_slot, uint64_t end, bool *short_of)
{
	const uint64_t last = RTE_MIN(RTE_MIN(end, leg->late.slots), first_slot + (uint64_t)FAN_UNSERVED_CONTEXTS);
	roaring_bitmap_t *slots = NULL;

	for (uint64_t at = first_slot; at < last && !*short_of; at += 64) {
		const uint64_t before_end = last - at < 64 ? (UINT64_C(1) << (last - at)) - 1 : UINT64_MAX;

		*short_of = !add_word(&slots, at, fan_late_word(&leg->late, at) & before_end);
	}
	return slots;
}

/* A member that an earlier process could not serve, behind the position, may be served now. */
static int
forget_unserved(struct fan_store *store, const struct fan_record *record)
{
	const int error = fan_store_delete(store, record);

	return error == FAN_E_NOT_FOUND ? 0 : error;
}

/* The key of what became of a message for 65,536 slots. */
static struct fan_record
record_of(uint64_t id, const struct fan_leg *leg, enum fan_drop reason, uint32_t first_slot)
{
	return (struct fan_record){ .kind = FAN_RECORD_UNSERVED,
				    .unserved = { .id = id,
						  .table = leg->table->protection,
						  .profile = leg->profile,
						  .reason = (uint8_t)reason,
						  .first_slot = first_slot } };
}

static int
no_memory(uint64_t id)
{
	return fan_fail(FAN_E_MEMORY, "no memory for the results of message %lu", id);
}

/* In: record, a key. */
static int
put_slots(struct fan_store *store, struct fan_record *record, roaring_bitmap_t *slots)
{
	char *octets;
	int error;

	(void)roaring_bitmap_run_optimize(slots);
	record->unserved.bitmap_bytes = roaring_bitmap_portable_size_in_bytes(slots);
	octets = malloc(record->unserved.bitmap_bytes);
	if (octets == NULL)
		return no_memory(record->unserved.id);
	(void)roaring_bitmap_portable_serialize(slots, octets);
	record->unserved.bitmap = (uint8_t *)octets;
	error = fan_store_put(store, record);
	free(octets);
	return error;
}

static int
put_unserved(struct fanfare *fanfare, uint64_t id, const struct fan_leg *leg, enum fan_drop reason, uint32_t first_slot)
{
	struct fan_record record = record_of(id, leg, reason, first_slot);
	bool short_of = false;
	roaring_bitmap_t *slots = read_unserved(leg, reason, first_slot, &short_of);
	int error = short_of ? no_memory(id) : 0;

	if (error == 0)
		error = slots == NULL ? forget_unserved(fanfare->store, &record) : put_slots(fanfare->store, &record, slots);
	if (slots != NULL)
		roaring_bitmap_free(slots);
	return error;
}

static bool
leg_has_dropped(const struct fan_entry *entry, const struct fan_leg *leg, enum fan_drop reason)
{
	for (unsigned i = 0; i < entry->flight->worker_count; i++)
		if (__atomic_load_n(&leg->tally[i].dropped[reason], __ATOMIC_RELAXED) > 0)
			return true;
	return entry->resumed > 0;
}

/* Takes those out that a leg was not served to. */
static int
subtract_unserved(roaring_bitmap_t *slots, const struct fan_entry *entry, const struct fan_leg *leg, uint32_t first_slot)
{
	bool short_of = false;

	for (unsigned reason = 1; reason < FAN_DROP_COUNT; reason++) {
		roaring_bitmap_t *unserved = leg_has_dropped(entry, leg, (enum fan_drop)reason)
						     ? read_unserved(leg, (enum fan_drop)reason, first_slot, &short_of)
						     : NULL;

		if (unserved != NULL) {
			roaring_bitmap_andnot_inplace(slots, unserved);
			roaring_bitmap_free(unserved);
		}
	}
	return short_of ? no_memory(entry->flight->number) : 0;
}

/* Adds those that the disk has already. In: record, a key. */
static int
add_kept(roaring_bitmap_t *slots, struct fan_store *store, struct fan_record *record)
{
	const int error = fan_store_get(store, record);
	roaring_bitmap_t *kept = error == 0 ? fan_journal_bitmap(&record->unserved) : NULL;

	if (error != 0)
		return error == FAN_E_NOT_FOUND ? 0 : error;
	if (kept == NULL)
		return no_memory(record->unserved.id);
	roaring_bitmap_or_inplace(slots, kept);
	roaring_bitmap_free(kept);
	return 0;
}

/* Out: whom a leg was served to among 65,536 slots, of those below an end: who was in an earlier process is on the disk already. In: put_off, those
 * that are to be served yet, or NULL. */
static int
find_served(roaring_bitmap_t *served, const struct fan_entry *entry, unsigned leg_at, uint32_t first_slot, uint64_t end,
	    const roaring_bitmap_t *put_off)
{
	const struct fan_leg *leg = &entry->flight->legs[leg_at];
	const uint64_t last = RTE_MIN(end, first_slot + (uint64_t)FAN_UNSERVED_CONTEXTS);
	const roaring_bitmap_t *resumed = entry->put_off != NULL ? entry->put_off[leg_at].resumed : NULL;
	const uint64_t from = RTE_MAX((uint64_t)first_slot, leg->from);

	if (from < last)
		roaring_bitmap_add_range(served, from, last);
	roaring_bitmap_and_inplace(served, leg->slots);
	if (resumed != NULL) {
		roaring_bitmap_t *range = roaring_bitmap_from_range(first_slot, last, 1);

		if (range == NULL)
			return no_memory(entry->flight->number);
		roaring_bitmap_and_inplace(range, resumed);
		roaring_bitmap_or_inplace(served, range);
		roaring_bitmap_free(range);
	}
	if (put_off != NULL)
		roaring_bitmap_andnot_inplace(served, put_off);
	return subtract_unserved(served, entry, leg, first_slot);
}

static int
put_served(struct fanfare *fanfare, const struct fan_entry *entry, unsigned leg_at, uint32_t first_slot, uint64_t end,
	   const roaring_bitmap_t *put_off)
{
	const struct fan_leg *leg = &entry->flight->legs[leg_at];
	struct fan_record record = record_of(entry->flight->number, leg, FAN_DROP_NONE, first_slot);
	roaring_bitmap_t *served = roaring_bitmap_create();
	int error = served == NULL ? no_memory(entry->flight->number)
				   : find_served(served, entry, leg_at, first_slot, end, put_off);

	if (error == 0 && leg->from > first_slot)
		error = add_kept(served, fanfare->store, &record);
	if (error == 0 && !roaring_bitmap_is_empty(served))
		error = put_slots(fanfare->store, &record, served);
	if (served != NULL)
		roaring_bitmap_free(served);
	return error;
}

static int
put_put_off(struct fanfare *fanfare, const struct fan_entry *entry, const struct fan_leg *leg, uint32_t first_slot,
	    roaring_bitmap_t *put_off)
{
	struct fan_record record = record_of(entry->flight->number, leg, FAN_DROP_NONE, first_slot);

	record.unserved.reason = FAN_UNSERVED_PUT_OFF;
	return put_off != NULL ? put_slots(fanfare->store, &record, put_off) : forget_unserved(fanfare->store, &record);
}

/* Where it is noted whom the disk knows to be put off, of 65,536 slots. Out: *kept. */
static int
find_kept(struct fan_entry *entry, roaring_bitmap_t ***kept, unsigned leg_at, uint32_t first_slot)
{
	const struct fan_flight *flight = entry->flight;
	struct fan_put_off *leg;

	if (entry->put_off == NULL) {
		entry->put_off = calloc(flight->leg_count, sizeof(*entry->put_off));
		entry->put_off_count = flight->leg_count;
	}
	if (entry->put_off == NULL)
		return no_memory(flight->number);
	leg = &entry->put_off[leg_at];
	if (leg->parts == NULL) {
		leg->part_count = (unsigned)(flight->legs[leg_at].late.slots / FAN_UNSERVED_CONTEXTS + 1);
		leg->parts = calloc(leg->part_count, sizeof(roaring_bitmap_t *));
	}
	if (leg->parts == NULL)
		return no_memory(flight->number);
	*kept = &leg->parts[first_slot / FAN_UNSERVED_CONTEXTS];
	return 0;
}

static bool
are_equal(const roaring_bitmap_t *one, const roaring_bitmap_t *other)
{
	return one == NULL || other == NULL ? one == other : roaring_bitmap_equals(one, other);
}

/* Puts what became of the members among 65,536 slots, of those below an end, all together: of each it is told that it was served, or why not, or that
 * it is put off. Who is put off is read first: of who is not it is there to be read what became of it. */
static int
put_outcomes(struct fanfare *fanfare, const struct fan_entry *entry, unsigned leg_at, uint32_t first_slot, uint64_t end,
	     roaring_bitmap_t *put_off)
{
	const struct fan_leg *leg = &entry->flight->legs[leg_at];
	int error = 0;

	for (unsigned reason = 1; error == 0 && reason < FAN_DROP_COUNT; reason++)
		if (first_slot < 8 * leg->reason_bytes && leg_has_dropped(entry, leg, (enum fan_drop)reason))
			error = put_unserved(fanfare, entry->flight->number, leg, (enum fan_drop)reason, first_slot);
	if (error == 0 && entry->served_kept)
		error = put_served(fanfare, entry, leg_at, first_slot, end, put_off);
	return error;
}

/* The same of a leg in which members may be put off. In: must, whether they are to be put though nobody more or less is put off. */
static int
put_late_outcomes(struct fanfare *fanfare, struct fan_entry *entry, unsigned leg_at, uint32_t first_slot, uint64_t end,
		  bool must)
{
	const struct fan_leg *leg = &entry->flight->legs[leg_at];
	bool short_of = false;
	roaring_bitmap_t *put_off = read_put_off(leg, first_slot, end, &short_of), **kept;
	int error = short_of ? no_memory(entry->flight->number) : find_kept(entry, &kept, leg_at, first_slot);

	if (error == 0 && (must || !are_equal(put_off, *kept))) {
		error = put_outcomes(fanfare, entry, leg_at, first_slot, end, put_off);
		if (error == 0 && (put_off != NULL || *kept != NULL || entry->put_off_unsure))
			error = put_put_off(fanfare, entry, leg, first_slot, put_off);
		if (*kept != NULL)
			roaring_bitmap_free(*kept);
		*kept = put_off;
		put_off = NULL;
	}
	if (put_off != NULL)
		roaring_bitmap_free(put_off);
	return error;
}

/* Puts what became of a leg's members of slots from .. end - 1; and, if it is asked for, of those before that were put off. */
static int
put_leg(struct fanfare *fanfare, struct fan_entry *entry, unsigned leg_at, uint64_t from, uint64_t end, bool late)
{
	const struct fan_leg *leg = &entry->flight->legs[leg_at];
	const bool may_be_late = fan_late_ready(&leg->late);
	uint64_t at = may_be_late && late ? 0 : from;
	roaring_uint32_iterator_t member;
	int error = 0;

	roaring_iterator_init(leg->slots, &member);
	while (error == 0 && at < end && roaring_uint32_iterator_move_equalorlarger(&member, (uint32_t)at) &&
	       member.current_value < end) {
		const uint32_t first_slot = member.current_value / FAN_UNSERVED_CONTEXTS * FAN_UNSERVED_CONTEXTS;
		const bool must = from < end && first_slot + (uint64_t)FAN_UNSERVED_CONTEXTS > from;

		error = may_be_late ? put_late_outcomes(fanfare, entry, leg_at, first_slot, end, must || entry->put_off_unsure)
				    : put_outcomes(fanfare, entry, leg_at, first_slot, end, NULL);
		at = first_slot + (uint64_t)FAN_UNSERVED_CONTEXTS;
	}
	return error;
}

/* Puts what became of members from one place up to another. In: late, whether of those before too that were put off. */
static int
put_members(struct fanfare *fanfare, struct fan_entry *entry, uint64_t from, uint64_t end, bool late)
{
	int error = 0;

	for (unsigned i = late ? 0 : (unsigned)RTE_MIN(from >> 32, (uint64_t)entry->flight->leg_count);
	     error == 0 && i < entry->flight->leg_count && i <= end >> 32; i++) {
		const uint64_t last = i == end >> 32 ? (uint32_t)end : FAN_CONTEXT_SLOTS_MAX;

		error = put_leg(fanfare, entry, i, i < from >> 32 ? last : i == from >> 32 ? (uint32_t)from : 0, last, late);
	}
	return error;
}

/* ---- Acceptance on the disk -------------------------------------------------------------------------------------------------------- */

/* A message that was cancelled before it was durable has ended: nobody has it. */
static void
end_cancelled(struct fanfare *fanfare)
{
	const uint64_t held = held_places(fanfare);

	for (struct fan_flight *flight = fanfare->dataplane->flights.first; flight != NULL; flight = flight->next) {
		if (!is_pending(fanfare, held, flight) || flight->stop == FAN_DROP_NONE || entry_of(fanfare, flight)->durable)
			continue;
		for (unsigned i = 0; i < flight->leg_count; i++) {
			const struct fan_leg *leg = &flight->legs[i];

			leg->tally[0].created = leg->tally[0].dropped[FAN_DROP_CANCELLED] = leg->ues * leg->plans.part_count;
		}
		flight->workers_left = 0;
	}
}

/* Of one leg's members that were served a way. */
static int
put_way_of_leg(struct fanfare *fanfare, uint64_t id, const struct fan_member_set *set, enum fan_way way)
{
	struct fan_record record = { .kind = FAN_RECORD_UNSERVED, .unserved = { .id = id, .profile = set->profile } };
	int error = 0;

	record.unserved.table = fanfare->dataplane->tables[set->table].protection;
	record.unserved.reason = (uint8_t)(FAN_UNSERVED_WAYS + way);
	for (uint64_t first = 0; error == 0 && first <= roaring_bitmap_maximum(set->slots); first += FAN_UNSERVED_CONTEXTS) {
		roaring_bitmap_t *slots = roaring_bitmap_from_range(first, first + FAN_UNSERVED_CONTEXTS, 1);

		if (slots == NULL)
			return no_memory(id);
		roaring_bitmap_and_inplace(slots, set->slots);
		record.unserved.first_slot = (uint32_t)first;
		if (!roaring_bitmap_is_empty(slots))
			error = put_slots(fanfare->store, &record, slots);
		roaring_bitmap_free(slots);
	}
	return error;
}

static int
put_ways(struct fanfare *fanfare, const struct fan_entry *entry)
{
	int error = 0;

	for (unsigned way = 0; entry->airing != NULL && way < FAN_WAY_COUNT; way++) {
		const struct fan_members *served = &entry->airing->served[way];

		for (unsigned i = 0; error == 0 && i < served->set_count; i++)
			error = put_way_of_leg(fanfare, entry->flight->number, &served->sets[i], (enum fan_way)way);
	}
	return error;
}

static int
put_one_pending(struct fanfare *fanfare, const struct fan_flight *flight, bool held)
{
	const struct fan_entry *entry = entry_of(fanfare, flight);
	int error = held ? 0 : fan_ledger_claim(fanfare, flight);

	if (error == 0 && !entry->durable)
		error = put_message(fanfare, entry);
	if (error == 0)
		error = put_ways(fanfare, entry);
	return error == 0 ? put_outcome(fanfare, entry, 0, false) : error;
}

static int
put_pending(struct fanfare *fanfare)
{
	const uint64_t held = held_places(fanfare);
	int error = 0;

	for (struct fan_flight *flight = fanfare->dataplane->flights.first; error == 0 && flight != NULL; flight = flight->next)
		if (is_pending(fanfare, held, flight))
			error = put_one_pending(fanfare, flight, is_held(held, flight));
	return error == 0 ? fan_ledger_put_marks(fanfare) : error;
}

/* What is durable, or needs not be, and does not wait, goes to the workers. */
static void
hand_pending(struct fanfare *fanfare)
{
	const uint64_t held = held_places(fanfare);

	for (struct fan_flight *flight = fanfare->dataplane->flights.first; flight != NULL; flight = flight->next) {
		struct fan_entry *entry = entry_of(fanfare, flight);

		if (!is_pending(fanfare, held, flight))
			continue;
		entry->durable = fanfare->store != NULL;
		forget_octets(entry);
		if (is_held(held, flight))
			continue;
		if (fanfare->store != NULL) {
			flight->limit = limit_ahead(flight, 0);
			limit_late(flight, entry->put_off_taken);
		}
		fan_dataplane_hand(fanfare->dataplane, flight);
	}
}

void
fan_journal_add(struct fanfare *fanfare, struct fan_flight *flight, const struct fan_entry *entry)
{
	struct fan_entry *own = entry_of(fanfare, flight);
	struct fan_result result;

	*own = *entry;
	own->flight = flight;
	fan_flight_result(flight, &result, FAN_PROFILE_COUNT);
	own->ues = result.ues;
	if (fanfare->store == NULL)
		hand_pending(fanfare);
}

static bool
any_pending(struct fanfare *fanfare)
{
	const uint64_t held = held_places(fanfare);

	for (const struct fan_flight *flight = fanfare->dataplane->flights.first; flight != NULL; flight = flight->next)
		if (is_pending(fanfare, held, flight))
			return true;
	return false;
}

int
fan_journal_sync(struct fanfare *fanfare)
{
	int error;

	end_cancelled(fanfare);
	if (fanfare->store == NULL)
		hand_pending(fanfare);
	if (fanfare->store == NULL || !any_pending(fanfare))
		return 0;
	error = fan_ledger_begin(fanfare);
	if (error != 0)
		return error;
	error = put_pending(fanfare);
	error = fan_ledger_end(fanfare, error);
	if (error != 0) {
		fan_ledger_withdraw(fanfare);
		return error;
	}
	fan_ledger_publish(fanfare);
	hand_pending(fanfare);
	return 0;
}

/* ---- Positions, ends, retention ------------------------------------------------------------------------------------------------------ */

static uint64_t
count_put_off(const struct fan_flight *flight)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < flight->leg_count; i++)
		for (unsigned j = 0; fan_late_ready(&flight->legs[i].late) && j < flight->worker_count; j++)
			count += __atomic_load_n(&flight->legs[i].late.shares[j].members, __ATOMIC_ACQUIRE);
	return count;
}

/* Whether there are others put off than the disk knows of, and that for so long, or so many, that it is to know. In: whether it is the last time. */
static bool
is_late_due(const struct fan_entry *entry, const struct fan_advance *progress, bool last)
{
	const struct fan_flight *flight = entry->flight;
	bool changed = progress->left != entry->put_off_left || entry->put_off_unsure, soon = false;

	for (unsigned i = 0; i < flight->worker_count; i++) {
		const uint64_t taken = progress->taken[i] - entry->put_off_taken[i];

		changed = changed || taken > 0;
		soon = soon || taken > late_share(flight) / 2;
	}
	return changed && (last || soon || rte_rdtsc() - entry->put_off_tsc > LATE_KEPT_MS * (rte_get_tsc_hz() / 1000));
}

/* What is read first is no later than what is read behind it: of who was taken by then, and of who lies before the position, it is known by then
 * whether it is put off. */
static struct fan_advance
look_at(const struct fan_entry *entry, bool last)
{
	struct fan_advance progress = { .place = UINT64_MAX };

	if (entry->flight == NULL || !entry->durable || entry->flight->settled)
		return progress;
	for (unsigned i = 0; i < entry->flight->worker_count; i++)
		progress.taken[i] = __atomic_load_n(&entry->flight->span[i].late_taken, __ATOMIC_ACQUIRE);
	progress.left = count_put_off(entry->flight);
	progress.place = fan_flight_position(entry->flight);
	if (progress.place == UINT64_MAX)
		return progress;
	progress.moved = progress.place > entry->kept_place;
	progress.place = RTE_MAX(progress.place, entry->kept_place);
	progress.late = is_late_due(entry, &progress, last);
	return progress;
}

static int
put_progress(struct fanfare *fanfare, struct fan_entry *entry, const struct fan_advance *progress)
{
	const int error = put_members(fanfare, entry, entry->kept_place, progress->place, progress->late);

	return error != 0 ? error : put_outcome(fanfare, entry, progress->place, false);
}

/* It is durable: so much further may workers go. */
static void
keep_progress(struct fan_entry *entry, const struct fan_advance *progress)
{
	struct fan_flight *flight = entry->flight;

	entry->kept_place = progress->place;
	__atomic_store_n(&flight->limit, limit_ahead(flight, progress->place), __ATOMIC_RELAXED);
	if (!progress->late)
		return;
	entry->put_off_unsure = false;
	entry->put_off_left = progress->left;
	entry->put_off_tsc = rte_rdtsc();
	memcpy(entry->put_off_taken, progress->taken, sizeof(entry->put_off_taken));
	limit_late(flight, progress->taken);
}

/* In: last, whether nobody will ask again. */
static void
write_positions(struct fanfare *fanfare, bool last)
{
	struct fan_advance *progress = fanfare->journal.progress;
	bool any = false;
	int error;

	for (unsigned i = 0; i < FAN_FLIGHTS_MAX; i++) {
		progress[i] = look_at(&fanfare->journal.entries[i], last);
		any = any || progress[i].moved || progress[i].late;
	}
	error = any ? fan_ledger_begin(fanfare) : FAN_E_NOT_FOUND;
	if (error != 0)
		return;
	for (unsigned i = 0; error == 0 && i < FAN_FLIGHTS_MAX; i++)
		if (progress[i].moved || progress[i].late)
			error = put_progress(fanfare, &fanfare->journal.entries[i], &progress[i]);
	error = fan_ledger_end(fanfare, error);
	for (unsigned i = 0; i < FAN_FLIGHTS_MAX; i++) {
		struct fan_entry *entry = &fanfare->journal.entries[i];

		if ((progress[i].moved || progress[i].late) && error == 0)
			keep_progress(entry, &progress[i]);
		else if (progress[i].moved || progress[i].late)
			entry->put_off_unsure = true;
	}
}

int
fan_journal_cancel(struct fanfare *fanfare)
{
	int error = fanfare->store != NULL ? fan_ledger_begin(fanfare) : FAN_E_NOT_FOUND;

	if (error != 0)
		return fanfare->store != NULL ? error : 0;
	for (const struct fan_flight *flight = fanfare->dataplane->flights.first; error == 0 && flight != NULL;
	     flight = flight->next) {
		const struct fan_entry *entry = entry_of(fanfare, flight);

		if (entry->durable && flight->stop == FAN_DROP_CANCELLED && !flight->settled)
			error = put_outcome(fanfare, entry, entry->kept_place, false);
	}
	return fan_ledger_end(fanfare, error);
}

bool
fan_journal_end(struct fanfare *fanfare)
{
	bool any = false;
	int error = 0;

	if (fanfare->store == NULL)
		return true;
	for (const struct fan_flight *flight = fanfare->dataplane->flights.first; error == 0 && flight != NULL;
	     flight = flight->next) {
		struct fan_entry *entry = entry_of(fanfare, flight);

		if (!flight->settled || !entry->durable)
			continue;
		if (!any)
			error = fan_ledger_begin(fanfare);
		if (error != 0)
			return false;
		any = true;
		error = put_members(fanfare, entry, entry->kept_place, UINT64_MAX, true);
		if (error == 0)
			error = put_outcome(fanfare, entry, UINT64_MAX, true);
		if (error == 0)
			error = forget_key_octets(fanfare->store, &entry->message, flight->number);
	}
	if (any)
		error = fan_ledger_end(fanfare, error);
	for (struct fan_flight *flight = fanfare->dataplane->flights.first; error != 0 && flight != NULL; flight = flight->next)
		entry_of(fanfare, flight)->put_off_unsure = true;
	return error == 0;
}

void
fan_journal_remove(struct fanfare *fanfare, const struct fan_flight *flight)
{
	struct fan_entry *entry = entry_of(fanfare, flight);

	if (!entry->durable)
		fan_references_remove(&fanfare->references, entry->reference, flight->number);
	fan_journal_drop(entry);
}

/* By the wall clock and by what it would say had nobody set it since the store was opened: a result goes when both say that it is old. One that
 * lies further in the future than it would be kept was stamped by a clock that was wrong. It goes too, since none behind it goes before. */
static bool
is_kept(const struct fan_journal *journal, int64_t ended_ms)
{
	const int64_t wall_ms = fan_clock_ms(CLOCK_REALTIME), unset_ms = fan_clock_ms(CLOCK_MONOTONIC) + journal->wall_ahead_ms;
	const int64_t retention_ms = (int64_t)journal->retention_ms;

	return ended_ms + retention_ms >= RTE_MIN(wall_ms, unset_ms) && ended_ms - retention_ms <= RTE_MAX(wall_ms, unset_ms);
}

/* The oldest message whose results have been kept long enough; 0: none. The last of all stays, since ids go on from it after a restart. */
static uint64_t
oldest_to_forget(struct fanfare *fanfare)
{
	struct fan_record *record = &fanfare->journal.record;
	struct fan_record_outcome *outcome = &record->outcome;

	memset(record, 0, sizeof(*record));
	for (record->kind = FAN_RECORD_OUTCOME; fan_store_next(fanfare->store, record) == 0; outcome->id++) {
		const uint64_t id = outcome->id;

		if (outcome->ended_ms == 0)
			continue;
		if (is_kept(&fanfare->journal, outcome->ended_ms))
			return 0;
		outcome->id++;
		return fan_store_next(fanfare->store, record) == 0 ? id : 0;
	}
	return 0;
}

/* Deletes what the store has of a message. Out: *forgotten, its reference. */
static int
forget(struct fanfare *fanfare, struct fan_forgotten *forgotten, uint64_t id)
{
	struct fan_record record = { .kind = FAN_RECORD_MESSAGE, .message.id = id };
	int error = fan_store_get(fanfare->store, &record);
	const char *reference = error == 0 ? record.message.message.reference : NULL;

	forgotten->id = id;
	(void)snprintf(forgotten->reference, sizeof(forgotten->reference), "%s", reference != NULL ? reference : "");
	if (error == 0)
		error = fan_store_delete(fanfare->store, &record);
	record.kind = FAN_RECORD_OUTCOME;
	record.outcome.id = id;
	return error == 0 || error == FAN_E_NOT_FOUND ? fan_store_delete(fanfare->store, &record) : error;
}

/* A reference is free once its message is gone from the disk. */
static void
forget_old(struct fanfare *fanfare)
{
	struct fan_forgotten *forgotten = fanfare->journal.forgotten;
	uint64_t id = oldest_to_forget(fanfare);
	unsigned count = 0;
	int error = id == 0 ? FAN_E_NOT_FOUND : fan_ledger_begin(fanfare);

	if (error != 0)
		return;
	for (; error == 0 && id != 0 && count < FAN_FORGOTTEN_MAX; count++, id = oldest_to_forget(fanfare))
		error = forget(fanfare, &forgotten[count], id);
	error = fan_ledger_end(fanfare, error);
	for (unsigned i = 0; error == 0 && i < count; i++)
		fan_references_remove(&fanfare->references, forgotten[i].reference, forgotten[i].id);
}

void
fan_journal_serve(struct fanfare *fanfare)
{
	if (fanfare->store == NULL || fanfare->batching)
		return;
	if (is_time(&fanfare->journal.kept_tsc, KEPT_MS))
		write_positions(fanfare, false);
	if (is_time(&fanfare->journal.swept_tsc, SWEPT_MS))
		forget_old(fanfare);
}

void
fan_journal_close(struct fanfare *fanfare)
{
	if (fanfare->store == NULL)
		return;
	fan_dataplane_settle(fanfare->dataplane);
	if (fan_journal_end(fanfare))
		write_positions(fanfare, true);
}

/* ---- After a crash ----------------------------------------------------------------------------------------------------------------- */

/* Those on their way when the process ended, and the highest id that was ever given. */
struct unfinished {
	uint64_t ids[FAN_FLIGHTS_MAX], last;
	unsigned count;
};

static int
note_unfinished(void *user, const struct fan_record *record)
{
	struct unfinished *unfinished = user;

	unfinished->last = record->outcome.id;
	if (record->outcome.ended_ms != 0)
		return 0;
	if (unfinished->count == FAN_FLIGHTS_MAX)
		return fan_fail(FAN_E_IO, "store: more than %d messages are on their way", FAN_FLIGHTS_MAX);
	unfinished->ids[unfinished->count++] = record->outcome.id;
	return 0;
}

/* Takes over what is known of the message: results before, and whom it was not served to. */
static void
take_over(struct fanfare *fanfare, struct fan_flight *flight, const struct fan_record_outcome *outcome)
{
	struct fan_entry *entry = entry_of(fanfare, flight);
	const uint32_t name = (uint32_t)(outcome->position >> 32);
	unsigned leg = 0;

	fan_flight_begin_at(flight, name, (uint32_t)outcome->position);
	while (leg < flight->leg_count && fan_leg_name(flight->legs[leg].table->protection, flight->legs[leg].profile) < name)
		leg++;
	entry->kept_place = fan_flight_place(leg, leg < flight->leg_count && flight->legs[leg].from <= UINT32_MAX
							  ? flight->legs[leg].from
							  : 0);
	memcpy(entry->before, outcome->profile, sizeof(entry->before));
	entry->ues = outcome->ues;
	entry->served_kept = outcome->served_kept;
	memcpy(entry->way_ues, outcome->way_ues, sizeof(entry->way_ues));
	entry->resumed = outcome->resumed + 1;
	entry->in_doubt = outcome->in_doubt + pdus_behind(flight, entry->kept_place, FAN_IN_DOUBT_MAX);
	entry->durable = true;
}

/* Takes those out of *members that a record names, who were served by broadcast. */
static int
take_out_served(const struct fanfare *fanfare, struct fan_members *members, const struct fan_record_unserved *of)
{
	const int table = fan_dataplane_find_table(fanfare->dataplane, &of->table);
	roaring_bitmap_t *slots = fan_journal_bitmap(of);
	int error;

	if (slots == NULL)
		return no_memory(of->id);
	error = table >= 0 ? fan_members_subtract(members, (uint16_t)table, slots) : 0;
	roaring_bitmap_free(slots);
	return error;
}

/* It goes on to those alone that were not served by broadcast. */
static int
narrow_again(struct fanfare *fanfare, struct fan_flight *flight)
{
	struct fan_record record = { .kind = FAN_RECORD_UNSERVED, .unserved = { .id = flight->number } };
	struct fan_snapshot *snapshot = NULL;
	struct fan_members members;
	int error = fan_members_snapshot(&members, &flight->snapshot->members), found = 0;

	while (error == 0 && (found = fan_store_next(fanfare->store, &record)) == 0 && record.unserved.id == flight->number) {
		if (record.unserved.reason >= FAN_UNSERVED_WAYS && record.unserved.reason != FAN_UNSERVED_PUT_OFF)
			error = take_out_served(fanfare, &members, &record.unserved);
		record.unserved.first_slot += FAN_UNSERVED_CONTEXTS;
	}
	if (error == 0 && found != 0 && found != FAN_E_NOT_FOUND)
		error = found;
	if (error == 0)
		error = fan_snapshot_make(&snapshot, &members);
	if (error == 0)
		fan_flight_narrow(flight, snapshot);
	fan_snapshot_release(snapshot);
	fan_members_free(&members);
	return error;
}

static bool
went_other_ways(const struct fan_record_outcome *outcome)
{
	for (unsigned way = 0; way < FAN_WAYS_MAX; way++)
		if (outcome->way_ues[way] != 0)
			return true;
	return false;
}

static struct fan_leg *
leg_of(struct fan_flight *flight, const struct fan_record_unserved *unserved)
{
	for (unsigned i = 0; i < flight->leg_count; i++)
		if (flight->legs[i].profile == unserved->profile &&
		    memcmp(&flight->legs[i].table->protection, &unserved->table, sizeof(unserved->table)) == 0)
			return &flight->legs[i];
	return NULL;
}

roaring_bitmap_t *
fan_journal_bitmap(const struct fan_record_unserved *unserved)
{
	return roaring_bitmap_portable_deserialize_safe((const char *)unserved->bitmap, unserved->bitmap_bytes);
}

/* One whom it was put off for gets it yet, as if no process had ended. */
static int
put_off_again(struct fanfare *fanfare, struct fan_flight *flight, struct fan_leg *leg, uint32_t slot)
{
	for (unsigned drop = 1; drop < FAN_DROP_COUNT; drop++)
		fan_leg_not_served(leg, (enum fan_drop)drop)[slot / 8] &= (uint8_t) ~(1U << slot % 8);
	return fan_dataplane_put_off(fanfare->dataplane, flight, (unsigned)(leg - flight->legs), slot);
}

/* Notes who was put off when the process began. In: slots, taken over. */
static int
note_put_off(struct fan_entry *entry, unsigned leg_at, uint32_t first_slot, roaring_bitmap_t *slots)
{
	roaring_bitmap_t **resumed, **kept;
	const int error = find_kept(entry, &kept, leg_at, first_slot);

	if (error != 0) {
		roaring_bitmap_free(slots);
		return error;
	}
	*kept = slots;
	resumed = &entry->put_off[leg_at].resumed;
	if (*resumed != NULL)
		roaring_bitmap_or_inplace(*resumed, slots);
	else
		*resumed = roaring_bitmap_copy(slots);
	return *resumed != NULL ? 0 : no_memory(entry->flight->number);
}

/* The members among 65,536 slots that a message was put off for, and that are members still. */
static int
take_over_put_off(struct fanfare *fanfare, struct fan_flight *flight, struct fan_leg *leg, const struct fan_record_unserved *of)
{
	struct fan_entry *entry = entry_of(fanfare, flight);
	roaring_bitmap_t *slots = fan_journal_bitmap(of);
	roaring_uint32_iterator_t at;
	int error = 0;

	if (slots == NULL)
		return no_memory(of->id);
	roaring_bitmap_and_inplace(slots, leg->slots);
	for (roaring_iterator_init(slots, &at); error == 0 && at.has_value && at.current_value < leg->from;
	     roaring_uint32_iterator_advance(&at))
		error = put_off_again(fanfare, flight, leg, at.current_value);
	if (error == 0)
		return note_put_off(entry, (unsigned)(leg - flight->legs), of->first_slot, slots);
	roaring_bitmap_free(slots);
	return error;
}

/* Their PDUs may be repeats of what has left since it was written. */
static void
doubt_put_off(struct fan_entry *entry)
{
	uint64_t most = FAN_LATE_IN_DOUBT_MAX;

	for (unsigned i = 0; entry->put_off != NULL && i < entry->put_off_count; i++) {
		const roaring_bitmap_t *resumed = entry->put_off[i].resumed;
		const uint64_t members = resumed != NULL ? RTE_MIN(roaring_bitmap_get_cardinality(resumed), most) : 0;

		entry->in_doubt += members * entry->flight->legs[i].plans.part_count;
		most -= members;
	}
}

/* What became of those from the position on is found out anew. */
static int
take_over_reason(struct fan_leg *leg, const struct fan_record_unserved *of)
{
	roaring_bitmap_t *slots = fan_journal_bitmap(of);
	roaring_uint32_iterator_t at;

	if (slots == NULL)
		return no_memory(of->id);
	for (roaring_iterator_init(slots, &at); at.has_value && at.current_value < leg->from;
	     roaring_uint32_iterator_advance(&at))
		if (at.current_value / 8 < leg->reason_bytes)
			fan_leg_not_served(leg, (enum fan_drop)of->reason)[at.current_value / 8] |=
				(uint8_t)(1U << at.current_value % 8);
	roaring_bitmap_free(slots);
	return 0;
}

static int
take_over_unserved(struct fanfare *fanfare, struct fan_flight *flight)
{
	struct fan_record record = { .kind = FAN_RECORD_UNSERVED, .unserved = { .id = flight->number, .reason = 1 } };
	int error;

	while ((error = fan_store_next(fanfare->store, &record)) == 0 && record.unserved.id == flight->number) {
		const uint8_t reason = record.unserved.reason;
		struct fan_leg *leg = (reason != FAN_DROP_NONE && reason < FAN_DROP_COUNT) || reason == FAN_UNSERVED_PUT_OFF
					      ? leg_of(flight, &record.unserved)
					      : NULL;

		if (leg != NULL && record.unserved.reason == FAN_UNSERVED_PUT_OFF)
			error = take_over_put_off(fanfare, flight, leg, &record.unserved);
		else if (leg != NULL)
			error = take_over_reason(leg, &record.unserved);
		if (error != 0)
			return error;
		record.unserved.first_slot += FAN_UNSERVED_CONTEXTS;
	}
	doubt_put_off(entry_of(fanfare, flight));
	return error == FAN_E_NOT_FOUND ? 0 : error;
}

/* Nobody is left who could be sent the message, or it fits the port or the engines no more: it ends here. */
static int
end_unsent(struct fanfare *fanfare, struct fan_record *outcome, const struct fan_message *message)
{
	int error = fan_ledger_begin(fanfare);

	outcome->outcome.state = FAN_MESSAGE_CANCELLED;
	outcome->outcome.ended_ms = fan_clock_ms(CLOCK_REALTIME);
	outcome->outcome.resumed++;
	if (error == 0)
		error = fan_store_put(fanfare->store, outcome);
	if (error == 0)
		error = forget_key_octets(fanfare->store, message, outcome->outcome.id);
	return fan_ledger_end(fanfare, error);
}

/* A message that goes on. */
struct resumption {
	struct fan_record outcome, message, key_octets;
	struct fan_entry entry;
	struct fan_flight *flight;
};

/* Whether the UE is where it was: else what was to be protected for it cannot be any more. NOT_FOUND. */
static int
check_recipient(const struct fanfare *fanfare, const struct fan_recipient *recipient)
{
	const int index = fan_dataplane_find_table(fanfare->dataplane, &recipient->table);
	struct fan_record record;
	int error = index >= 0 && recipient->slot < fanfare->dataplane->tables[index].used &&
				    fan_context_present(&fanfare->dataplane->tables[index], recipient->slot)
			    ? 0
			    : FAN_E_NOT_FOUND;

	if (error != 0)
		return error;
	error = fan_registry_get_ue(fanfare, &record, (unsigned)index, recipient->slot);
	fan_registry_wipe(&record);
	if (error == 0 && strcmp(record.ue.identity, recipient->identity) != 0)
		error = FAN_E_NOT_FOUND;
	return error;
}

static int
accept_for(struct fanfare *fanfare, struct fan_flight **flight, const struct fan_entry *entry)
{
	struct fan_group *group = entry->gid[0] != '\0' ? fan_group_find(fanfare, entry->gid) : NULL;
	int error;

	if (group != NULL)
		return fan_message_accept(fanfare, flight, group, &entry->message);
	error = entry->gid[0] != '\0' ? FAN_E_NOT_FOUND : check_recipient(fanfare, &entry->recipient);
	return error != 0 ? error : fan_message_accept_one(fanfare, flight, &entry->recipient, &entry->message);
}

/* It is accepted anew, with what is left of its time: not more than it had at first, though the clock was set back. */
static int
accept_again(struct fanfare *fanfare, struct resumption *resumption)
{
	struct fan_record_message *message = &resumption->message.message;
	struct fan_entry *entry = &resumption->entry;
	const int64_t left_ms = RTE_MIN(message->expires_ms - fan_clock_ms(CLOCK_REALTIME),
					message->expires_ms - message->accepted_ms);
	int error;

	if (message->expires_ms != 0)
		message->message.valid_for_ms = left_ms < 1 ? 1 : left_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)left_ms;
	error = fan_journal_prepare(entry, fanfare, &message->message);
	if (error != 0)
		return error;
	memcpy(entry->gid, message->gid, sizeof(entry->gid));
	entry->recipient = message->recipient;
	entry->accepted_ms = message->accepted_ms;
	entry->expires_ms = message->expires_ms;
	error = accept_for(fanfare, &resumption->flight, entry);
	forget_octets(entry);
	if (error != 0)
		return error;
	/* A message cannot be valid for no time, and not a frame of it may go late. */
	if (message->expires_ms != 0 && left_ms < 1)
		resumption->flight->deadline_tsc = resumption->flight->begin_tsc;
	fan_journal_add(fanfare, resumption->flight, entry);
	return 0;
}

/* Reads a message, and before it its octets if they are keys: its texts are the store's until the next call. */
static int
get_message(struct fan_store *store, struct resumption *resumption, uint64_t id)
{
	struct fan_message *const message = &resumption->message.message.message;
	struct fan_record_key_octets *const octets = &resumption->key_octets.key_octets;
	int error;

	resumption->key_octets.kind = FAN_RECORD_KEY_OCTETS;
	octets->id = id;
	error = fan_store_get(store, &resumption->key_octets);
	if (error != 0 && error != FAN_E_NOT_FOUND)
		return error;
	resumption->message.kind = FAN_RECORD_MESSAGE;
	resumption->message.message.id = id;
	error = fan_store_get(store, &resumption->message);
	if (error != 0 || !message->group_keys)
		return error;
	message->bytes = octets->octets;
	return octets->octet_count == message->byte_count
		       ? 0
		       : fan_fail(FAN_E_IO, "store: message %lu has other octets of keys than it says", id);
}

static int
resume(struct fanfare *fanfare, struct resumption *resumption, uint64_t id)
{
	int error;

	memset(resumption, 0, sizeof(*resumption));
	resumption->outcome.kind = FAN_RECORD_OUTCOME;
	resumption->outcome.outcome.id = id;
	error = fan_store_get(fanfare->store, &resumption->outcome);
	if (error == 0)
		error = get_message(fanfare->store, resumption, id);
	if (error != 0)
		return error;
	fanfare->dataplane->flights.accepted = id - 1;
	error = accept_again(fanfare, resumption);
	if (error == FAN_E_NOT_FOUND || error == FAN_E_INVALID || error == FAN_E_TOO_LONG || error == FAN_E_UNSUPPORTED)
		return end_unsent(fanfare, &resumption->outcome, &resumption->message.message.message);
	if (error == 0 && went_other_ways(&resumption->outcome.outcome))
		error = narrow_again(fanfare, resumption->flight);
	if (error != 0)
		return error;
	take_over(fanfare, resumption->flight, &resumption->outcome.outcome);
	if (resumption->outcome.outcome.state == FAN_MESSAGE_CANCELLED)
		resumption->flight->stop = FAN_DROP_CANCELLED;
	return take_over_unserved(fanfare, resumption->flight);
}

/* Their marks have to cover what is left of them; then they go on. */
static int
hand_resumed(struct fanfare *fanfare)
{
	int error = fan_ledger_begin(fanfare);

	for (struct fan_flight *flight = fanfare->dataplane->flights.first; error == 0 && flight != NULL;
	     flight = flight->next) {
		error = fan_ledger_claim(fanfare, flight);
		if (error == 0)
			error = put_outcome(fanfare, entry_of(fanfare, flight), entry_of(fanfare, flight)->kept_place, false);
	}
	if (error == 0)
		error = fan_ledger_put_marks(fanfare);
	error = fan_ledger_end(fanfare, error);
	if (error != 0)
		return error;
	fan_ledger_publish(fanfare);
	for (struct fan_flight *flight = fanfare->dataplane->flights.first; flight != NULL; flight = flight->next) {
		flight->limit = limit_ahead(flight, entry_of(fanfare, flight)->kept_place);
		limit_late(flight, entry_of(fanfare, flight)->put_off_taken);
		fan_dataplane_hand(fanfare->dataplane, flight);
	}
	return 0;
}

static int
restore_reference(void *user, const struct fan_record *record)
{
	const struct fan_message *message = &record->message.message;

	return message->reference != NULL ? fan_references_add(user, message->reference, record->message.id) : 0;
}

static int
load(struct fanfare *fanfare)
{
	struct unfinished unfinished = { .count = 0 };
	struct resumption *resumption = malloc(sizeof(*resumption));
	int error = fan_store_each(fanfare->store, FAN_RECORD_OUTCOME, note_unfinished, &unfinished);

	if (resumption == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory to go on with messages");
	if (error == 0)
		error = fan_store_each(fanfare->store, FAN_RECORD_MESSAGE, restore_reference, &fanfare->references);
	for (unsigned i = 0; error == 0 && i < unfinished.count; i++)
		error = resume(fanfare, resumption, unfinished.ids[i]);
	explicit_bzero(resumption, sizeof(*resumption));
	free(resumption);
	fanfare->dataplane->flights.accepted = unfinished.last;
	return error == 0 && fanfare->dataplane->flights.count > 0 ? hand_resumed(fanfare) : error;
}

int
fan_journal_open(struct fanfare *fanfare, uint32_t retention_s)
{
	fanfare->journal.retention_ms = UINT64_C(1000) * (retention_s != 0 ? retention_s : RETENTION_S);
	fanfare->journal.wall_ahead_ms = fan_clock_ms(CLOCK_REALTIME) - fan_clock_ms(CLOCK_MONOTONIC);
	return fanfare->store != NULL ? load(fanfare) : 0;
}

void
fan_journal_free(struct fanfare *fanfare)
{
	for (unsigned i = 0; i < FAN_FLIGHTS_MAX; i++)
		fan_journal_drop(&fanfare->journal.entries[i]);
	fan_references_free(&fanfare->references);
}
