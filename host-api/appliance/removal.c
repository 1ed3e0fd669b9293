/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UEs that go: out of service at once, wiped when no flight refers to them, their slots freed when many are.
 *
 * With a store a UE's record is deleted before it is told to be gone. Its groups' records of members still have its slot then; they are
 * written anew, durably, before the slot is given to another, who would else be a member after a crash. If the process ends before, the
 * next one finds a member without a UE and puts the record right (restart.c).
 */
#include "registry.h"

#include "../../dataplane/context/count.h"

/* Slots of removed contexts are freed when so many have come together, since every group is walked for it, so many groups in a call. */
#define WIPED_BEFORE_FREEING 1024
#define GROUPS_IN_A_CALL 64
#define RECORDS_IN_A_CALL 512 /* of members that are written anew; those of the last group may be more */

/* Whether there is room to note a removal. */
static bool
reserve_removal(struct fan_removals *removals)
{
	if (removals->gone == NULL)
		removals->gone = roaring_bitmap_create();
	if (removals->fresh == NULL)
		removals->fresh = roaring_bitmap_create();
	return removals->gone != NULL && removals->fresh != NULL &&
	       fan_slots_have_room(fan_slots_change_bytes_max(removals->gone) + fan_slots_change_bytes_max(removals->fresh));
}

static void
note_removal(struct fanfare *fanfare, unsigned table, uint32_t slot)
{
	roaring_bitmap_add(fanfare->removals[table].gone, slot);
	roaring_bitmap_add(fanfare->removals[table].fresh, slot);
	fanfare->gone_count++;
	fanfare->removal_count++;
	fan_keyrings_note_removal(fanfare, table, slot);
	fan_changes_note_removal(fanfare, table, slot);
	fan_receipts_leave(fanfare->receipts, table, slot);
	fan_context_release_keys(&fanfare->keys, &fanfare->dataplane->tables[table], slot);
	fan_lease_ends_set(&fanfare->lease_ends, &(struct fan_lease_end){ .table = table, .slot = slot });
	fan_registry_forget_place(fanfare, table, slot);
}

/* Takes a context out of service. Once every worker has begun another turn, none is in the middle of spending, and its COUNT stands still:
 * then its record is deleted, or, where that fails, it is back in service as it was. */
static int
retire(struct fanfare *fanfare, unsigned table_index, uint32_t slot)
{
	struct fan_context_table *table = &fanfare->dataplane->tables[table_index];
	const uint8_t flags = table->slots[slot].flags;
	int error;

	fan_context_retire(table, slot);
	fan_dataplane_pause(fanfare->dataplane);
	fan_dataplane_resume(fanfare->dataplane);
	error = fan_registry_delete_ue(fanfare, table_index, slot);
	if (error != 0)
		fan_context_recall(table, slot, flags);
	return error;
}

int
fan_ue_remove(struct fanfare *fanfare, uint32_t *next_count, uint16_t *unacknowledged, fan_context_id id)
{
	uint32_t slot;
	struct fan_context_table *table;
	const unsigned table_index = fan_context_table_index(id);
	int error = fan_outside_callback(fanfare, "fan_ue_remove");

	if (error == 0)
		error = fan_registry_may_change(fanfare, "fan_ue_remove");
	if (error != 0)
		return error;
	table = fan_context_find(fanfare, &slot, id);
	if (table == NULL)
		return FAN_E_NOT_FOUND;
	if (!reserve_removal(&fanfare->removals[table_index]))
		return fan_fail(FAN_E_MEMORY, "no memory to remove a UE: it stays in service");
	error = retire(fanfare, table_index, slot);
	if (error != 0)
		return error;
	*next_count = fan_count_next(&table->slots[slot]);
	*unacknowledged = fan_count_gap(&table->slots[slot]);
	note_removal(fanfare, table_index, slot);
	fan_removals_settle(fanfare);
	return 0;
}

static void
wipe_waiting(struct fanfare *fanfare, unsigned table)
{
	struct fan_removals *removals = &fanfare->removals[table];
	roaring_uint32_iterator_t at;

	if (removals->waiting == NULL)
		return;
	roaring_iterator_init(removals->waiting, &at);
	for (; at.has_value; roaring_uint32_iterator_advance(&at), fanfare->wiped_count++)
		fan_context_wipe(&fanfare->dataplane->tables[table], at.current_value);
	roaring_bitmap_free(removals->waiting);
	removals->waiting = NULL;
}

/* Those that were removed while others waited wait now, for the flights that have been accepted meanwhile. */
static void
begin_waiting(struct fanfare *fanfare)
{
	for (unsigned i = 0; i < fanfare->dataplane->table_count; i++) {
		fanfare->removals[i].waiting = fanfare->removals[i].fresh;
		fanfare->removals[i].fresh = NULL;
	}
	fanfare->waiting_for = fanfare->dataplane->flights.accepted;
}

/* Of those gone, all that no flight may refer to. False when memory is short. */
static bool
choose_leaving(struct fan_removals *removals)
{
	if (removals->gone == NULL)
		return true;
	removals->leaving = roaring_bitmap_copy(removals->gone);
	return removals->leaving != NULL &&
	       (removals->fresh == NULL || fan_slots_subtract(removals->leaving, removals->fresh)) &&
	       (removals->waiting == NULL || fan_slots_subtract(removals->leaving, removals->waiting));
}

static void
forget_leaving(struct fan_removals *removals)
{
	if (removals->leaving != NULL)
		roaring_bitmap_free(removals->leaving);
	removals->leaving = NULL;
}

static void
begin_leaving(struct fanfare *fanfare)
{
	bool room = true;

	for (unsigned i = 0; i < fanfare->dataplane->table_count; i++)
		room = room && choose_leaving(&fanfare->removals[i]);
	for (unsigned i = 0; i < fanfare->dataplane->table_count && !room; i++)
		forget_leaving(&fanfare->removals[i]);
	if (!room)
		return;
	fanfare->leaving = true;
	fanfare->leaving_from = fanfare->groups;
	fanfare->wiped_count = 0;
}

/* False when memory is short: some may still be members. */
static bool
leave_group(const struct fanfare *fanfare, struct fan_group *group)
{
	for (unsigned i = 0; i < fanfare->dataplane->table_count; i++)
		if (fanfare->removals[i].leaving != NULL &&
		    (fan_members_subtract(&group->members, (uint16_t)i, fanfare->removals[i].leaving) != 0 ||
		     fan_members_subtract(&group->able, (uint16_t)i, fanfare->removals[i].leaving) != 0 ||
		     fan_members_subtract(&group->elsewhere, (uint16_t)i, fanfare->removals[i].leaving) != 0 ||
		     !fan_keyring_free_slots(group, i, fanfare->removals[i].leaving)))
			return false;
	fan_snapshot_release(group->elsewhere_snapshot);
	group->elsewhere_snapshot = NULL;
	return true;
}

/* Frees the slots of a table that no group has any more. False when memory is short. */
static bool
end_leaving(struct fanfare *fanfare, unsigned table)
{
	struct fan_removals *removals = &fanfare->removals[table];
	roaring_uint32_iterator_t at;

	if (removals->leaving == NULL)
		return true;
	if (!fan_slots_subtract(removals->gone, removals->leaving))
		return false;
	roaring_iterator_init(removals->leaving, &at);
	for (; at.has_value; roaring_uint32_iterator_advance(&at), fanfare->gone_count--)
		fan_context_free(&fanfare->dataplane->tables[table], at.current_value);
	forget_leaving(removals);
	return true;
}

static int
clear_group(const struct fan_group *group, unsigned *put_count)
{
	const struct fanfare *fanfare = group->fanfare;
	int error = 0;

	for (unsigned table = 0; error == 0 && table < fanfare->dataplane->table_count; table++)
		if (fanfare->removals[table].leaving != NULL)
			error = fan_registry_clear_members(group, put_count, table, fanfare->removals[table].leaving);
	return error;
}

/* Writes the records of the groups of a step, in one transaction: they come first, since what memory has is what is looked at. Returns how
 * many groups there were, or an error. */
static int
clear_records(const struct fanfare *fanfare)
{
	unsigned group_count = 0, put_count = 0;
	int error = fanfare->store == NULL ? 0 : fan_store_begin(fanfare->store);

	if (fanfare->store == NULL)
		return GROUPS_IN_A_CALL;
	if (error != 0)
		return error;
	for (const struct fan_group *group = fanfare->leaving_from;
	     error == 0 && group != NULL && group_count < GROUPS_IN_A_CALL && put_count < RECORDS_IN_A_CALL;
	     group = group->next) {
		error = clear_group(group, &put_count);
		group_count++;
	}
	error = fan_store_end(fanfare->store, error);
	return error == 0 ? (int)group_count : error;
}

/* One step; where memory is short or the disk fails, the next call goes on from there. Groups that were made since have none of those
 * leaving. */
static void
leave(struct fanfare *fanfare)
{
	const int group_count = clear_records(fanfare);
	bool room = true;

	if (group_count < 0)
		return;
	for (int i = 0; i < group_count && fanfare->leaving_from != NULL; i++) {
		if (!leave_group(fanfare, fanfare->leaving_from))
			return;
		fanfare->leaving_from = fanfare->leaving_from->next;
	}
	for (unsigned i = 0; fanfare->leaving_from == NULL && i < fanfare->dataplane->table_count; i++)
		room = end_leaving(fanfare, i) && room;
	fanfare->leaving = fanfare->leaving_from != NULL || !room;
}

void
fan_removals_pass_over(const struct fan_group *group)
{
	if (group->fanfare->leaving_from == group)
		group->fanfare->leaving_from = group->next;
}

void
fan_removals_settle(struct fanfare *fanfare)
{
	const struct fan_flight *oldest = fanfare->dataplane->flights.first;
	const unsigned table_count = fanfare->dataplane->table_count;

	fan_lease_ends_settle(fanfare);
	if (fanfare->gone_count == 0 || fanfare->batching)
		return;
	/* Twice: those that come to wait now may need to wait for nothing. */
	for (unsigned turn = 0; turn < 2 && (oldest == NULL || oldest->number > fanfare->waiting_for); turn++) {
		for (unsigned i = 0; i < table_count; i++)
			wipe_waiting(fanfare, i);
		begin_waiting(fanfare);
	}
	if (!fanfare->leaving && fanfare->wiped_count >= WIPED_BEFORE_FREEING)
		begin_leaving(fanfare);
	if (fanfare->leaving)
		leave(fanfare);
}

void
fan_removals_free(struct fanfare *fanfare)
{
	for (unsigned i = 0; i < FAN_TABLES_MAX; i++) {
		roaring_bitmap_t *bitmaps[] = { fanfare->removals[i].gone, fanfare->removals[i].fresh,
						fanfare->removals[i].waiting, fanfare->removals[i].leaving };

		for (unsigned j = 0; j < sizeof(bitmaps) / sizeof(bitmaps[0]); j++)
			if (bitmaps[j] != NULL)
				roaring_bitmap_free(bitmaps[j]);
	}
}
