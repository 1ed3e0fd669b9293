/* SPDX-License-Identifier: BSD-3-Clause */
/* What became of a message for each member, from the store: record by record, in the order of their keys. */
#include "registry.h"

#include <string.h>

/* A place among the members of a message: leg, reason and slot, from the top. */
enum { SLOT_BITS = 27, REASON_BITS = 5 };

#define SLOT_MASK ((UINT32_C(1) << SLOT_BITS) - 1)
#define LEG_NAME_MAX 0xfffff

static_assert(FAN_CONTEXT_SLOTS_MAX <= UINT64_C(1) << SLOT_BITS, "a place has room for a slot");
static_assert(FAN_UNSERVED_WAYS + FAN_WAY_COUNT <= 1 << REASON_BITS && FAN_DROP_COUNT <= FAN_UNSERVED_WAYS,
	      "a place has room for a reason, or a way");

static bool
is_way(unsigned reason)
{
	return reason >= FAN_UNSERVED_WAYS && reason < FAN_UNSERVED_WAYS + FAN_WAY_COUNT;
}

static uint64_t
place_of(const struct fan_record_unserved *unserved, uint32_t slot)
{
	return (uint64_t)fan_leg_name(unserved->table, unserved->profile) << 32 | (uint64_t)unserved->reason << SLOT_BITS |
	       slot;
}

/* Out: the key of the record that a place is in. INVALID: it is no place. */
static int
find_place(struct fan_record_unserved *unserved, uint64_t place)
{
	const uint32_t name = (uint32_t)(place >> 32), integrity = name >> 8 & 0xf;

	unserved->table = (struct fan_protection){ .kind = (uint8_t)(name >> 16),
						   .cipher = name >> 12 & 0xf,
						   .integrity = (uint8_t)(integrity == 0xf ? FAN_INTEGRITY_NONE : integrity),
						   .bearer_id = name >> 4 & 0xf };
	unserved->profile = name & 0xf;
	unserved->reason = (uint8_t)((uint32_t)place >> SLOT_BITS);
	unserved->first_slot = (uint32_t)place & SLOT_MASK & ~(uint32_t)(FAN_UNSERVED_CONTEXTS - 1);
	if (name <= LEG_NAME_MAX && unserved->profile < FAN_PROFILE_COUNT &&
	    (unserved->reason < FAN_DROP_COUNT || is_way(unserved->reason)))
		return 0;
	return fan_fail(FAN_E_INVALID, "place %lu: takes 0, or the `next` of the answer before", place);
}

struct walk {
	struct fanfare *fanfare;
	fan_message_id id;
	uint64_t next; /* the first place that is to be told of */
	size_t left;   /* members that may be told of */
	void (*each)(void *user, const struct fan_member_result *result);
	void *user;
};

/* Whether a slot has the UE that it had when the message was sent: 1, 0 or an error. Out: *record, whose keys are the caller's to wipe. */
static int
read_member(const struct walk *walk, struct fan_record *record, int table, uint32_t slot)
{
	const struct fan_dataplane *dataplane = walk->fanfare->dataplane;
	int error;

	if (table < 0 || slot >= dataplane->tables[table].used || !fan_context_present(&dataplane->tables[table], slot))
		return 0;
	error = fan_registry_get_ue(walk->fanfare, record, (unsigned)table, slot);
	return error != 0 ? error : record->ue.messages_before < walk->id;
}

static int
tell_member(const struct walk *walk, const struct fan_record_unserved *of, int table, uint32_t slot)
{
	struct fan_member_result result = { .identity = "",
					    .profile = (enum fan_profile)of->profile,
					    .drop = is_way(of->reason) ? FAN_DROP_NONE : (enum fan_drop)of->reason,
					    .way = is_way(of->reason) ? (enum fan_way)(of->reason - FAN_UNSERVED_WAYS)
								      : FAN_WAY_UNICAST };
	struct fan_record record;
	const int is = read_member(walk, &record, table, slot);

	if (is == 1) {
		result.identity = record.ue.identity;
		result.id = fan_context_name(walk->fanfare, (unsigned)table, slot);
		result.ue = record.ue.ue.ue;
	}
	if (is >= 0)
		walk->each(walk->user, &result);
	fan_registry_wipe(&record);
	return is < 0 ? is : 0;
}

/* Returns 0 when all of a record was told of, 1 when another member of it may not be, or an error. */
static int
tell_record(struct walk *walk, const struct fan_record_unserved *of)
{
	const int table = fan_dataplane_find_table(walk->fanfare->dataplane, &of->table);
	roaring_bitmap_t *slots = fan_journal_bitmap(of);
	roaring_uint32_iterator_t at;
	int stops = 0;

	if (slots == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for the results of message %lu", walk->id);
	roaring_iterator_init(slots, &at);
	if (place_of(of, of->first_slot) < walk->next)
		(void)roaring_uint32_iterator_move_equalorlarger(&at, (uint32_t)walk->next & SLOT_MASK);
	for (; stops == 0 && at.has_value; roaring_uint32_iterator_advance(&at)) {
		walk->next = place_of(of, at.current_value);
		stops = walk->left == 0 ? 1 : tell_member(walk, of, table, at.current_value);
		walk->left -= stops == 0;
	}
	roaring_bitmap_free(slots);
	return stops;
}

static int
check_ended(struct fanfare *fanfare, fan_message_id id)
{
	struct fan_record record;
	int error = fan_outside_callback(fanfare, "fan_message_results");

	if (error == 0)
		error = fan_journal_outcome(fanfare, &record, id);
	if (error != 0)
		return error;
	if (record.outcome.ended_ms == 0)
		return fan_fail(FAN_E_BUSY, "message %lu has not ended: its results are there when it has", id);
	if (!record.outcome.served_kept)
		return fan_fail(
			FAN_E_UNSUPPORTED,
			"message %lu was begun by a version that did not keep whom it was served to, but whom it was not: "
			"fan_message_not_served()",
			id);
	return 0;
}

/* Walks the records from the one that a place is in. As tell_record(). */
static int
tell_records(struct walk *walk)
{
	struct fan_record record = { .kind = FAN_RECORD_UNSERVED, .unserved = { .id = walk->id } };
	int stops = find_place(&record.unserved, walk->next);

	while (stops == 0) {
		const int error = fan_store_next(walk->fanfare->store, &record);

		if (error == FAN_E_NOT_FOUND || (error == 0 && record.unserved.id != walk->id))
			return 0;
		/* What is left of the latter is of a message that could not go on after a crash. */
		if (error != 0 || record.unserved.reason != FAN_UNSERVED_PUT_OFF)
			stops = error != 0 ? error : tell_record(walk, &record.unserved);
		record.unserved.first_slot += FAN_UNSERVED_CONTEXTS;
	}
	return stops;
}

int
fan_message_results(struct fanfare *fanfare, fan_message_id id, uint64_t *next, size_t limit,
		    void (*each)(void *user, const struct fan_member_result *result), void *user)
{
	struct walk walk = {
		.fanfare = fanfare,
		.id = id,
		.next = *next,
		.left = limit,
		.each = each,
		.user = user,
	};
	int stops = check_ended(fanfare, id);

	if (stops != 0)
		return stops;
	stops = fan_store_read_begin(fanfare->store);
	if (stops != 0)
		return stops;
	fanfare->in_callback = true;
	stops = tell_records(&walk);
	fanfare->in_callback = false;
	fan_store_read_end(fanfare->store);
	*next = stops == 1 ? walk.next : 0;
	return stops < 0 ? stops : 0;
}
