/* SPDX-License-Identifier: BSD-3-Clause */
#include "handles.h"

#include "../../dataplane/context/count.h"
#include "../../dataplane/context/memory.h"

#include <string.h>

/* Room that a process needs beside its contexts: EAL, frames, plans. */
#define MEMORY_RESERVE_BYTES (256UL << 20)
/* Slots of removed contexts are freed when so many have come together, since every group is walked for it, so many groups in a call. */
#define WIPED_BEFORE_FREEING 1024
#define GROUPS_IN_A_CALL 64

/* ---- Names: table 12 bits, and the name within it ----------------------------------------------------------------------- */

static_assert(FAN_TABLES_MAX <= 1 << (64 - FAN_CONTEXT_NAME_BITS), "a name has room for a table's number");

fan_context_id
fan_context_name(const struct fanfare *fanfare, unsigned table, uint32_t slot)
{
	return (fan_context_id)table << FAN_CONTEXT_NAME_BITS | fan_context_name_of(&fanfare->dataplane->tables[table], slot);
}

unsigned
fan_context_table_index(fan_context_id id)
{
	return (unsigned)(id >> FAN_CONTEXT_NAME_BITS);
}

static fan_context_id
name_within_table(fan_context_id id)
{
	return id & ((UINT64_C(1) << FAN_CONTEXT_NAME_BITS) - 1);
}

struct fan_context_table *
fan_context_find(const struct fanfare *fanfare, uint32_t *slot, fan_context_id id)
{
	const unsigned table = fan_context_table_index(id);

	*slot = (uint32_t)id;
	if (fan_in_own_process(fanfare->process) != 0)
		return NULL;
	if (table >= fanfare->dataplane->table_count ||
	    !fan_context_named(&fanfare->dataplane->tables[table], name_within_table(id))) {
		(void)fan_fail(FAN_E_NOT_FOUND, "no UE context has the id %#llx", (unsigned long long)id);
		return NULL;
	}
	return &fanfare->dataplane->tables[table];
}

struct fan_context_table *
fan_context_find_range(const struct fanfare *fanfare, uint32_t *slot, fan_context_id first, size_t count)
{
	const unsigned table = fan_context_table_index(first);

	*slot = (uint32_t)first;
	if (fan_in_own_process(fanfare->process) != 0)
		return NULL;
	if (table >= fanfare->dataplane->table_count || count == 0 || *slot > fanfare->dataplane->tables[table].used ||
	    count > fanfare->dataplane->tables[table].used - *slot) {
		(void)fan_fail(FAN_E_NOT_FOUND, "no UE contexts have the ids %#llx and %zu further", (unsigned long long)first,
			       count);
		return NULL;
	}
	return &fanfare->dataplane->tables[table];
}

/* ---- Next hops --------------------------------------------------------------------------------------------------------- */

static int
take_next_hop(struct fan_next_hop *own, const struct fanfare *fanfare, const struct fan_next_hop *given)
{
	const int error = fan_in_own_process(fanfare->process);

	return error != 0 ? error : fan_struct_take(own, sizeof(*own), sizeof(*own), given, "fan_next_hop_init");
}

int
fan_next_hop_add(struct fanfare *fanfare, const struct fan_next_hop *given)
{
	struct fan_next_hop next_hop;
	const int error = take_next_hop(&next_hop, fanfare, given);

	return error != 0 ? error : fan_dataplane_next_hop_add(fanfare->dataplane, &next_hop);
}

int
fan_next_hop_change(struct fanfare *fanfare, unsigned index, const struct fan_next_hop *given)
{
	struct fan_next_hop next_hop;
	const int error = take_next_hop(&next_hop, fanfare, given);

	return error != 0 ? error : fan_dataplane_next_hop_change(fanfare->dataplane, index, &next_hop);
}

int
fan_next_hop_get(const struct fanfare *fanfare, struct fan_next_hop *next_hop, unsigned index)
{
	struct fan_next_hop own;
	int error = take_next_hop(&own, fanfare, next_hop);

	if (error == 0 && index >= fanfare->dataplane->hop_count)
		error = fan_fail(FAN_E_NOT_FOUND, "next hop %u: %u are known", index, fanfare->dataplane->hop_count);
	if (error != 0)
		return error;
	memcpy(next_hop->ethernet, fanfare->dataplane->hops[index].ethernet, sizeof(next_hop->ethernet));
	memcpy(next_hop->address, fanfare->dataplane->hops[index].address, sizeof(next_hop->address));
	return 0;
}

/* ---- UEs --------------------------------------------------------------------------------------------------------------- */

int
fan_ue_reserve(struct fanfare *fanfare, enum fan_kind kind, uint8_t cipher, uint8_t integrity, size_t contexts)
{
	const size_t needed = contexts * sizeof(struct fan_context) + MEMORY_RESERVE_BYTES;
	const size_t available = fan_memory_available_bytes();
	const struct fan_protection protection = {
		.kind = (uint8_t)kind,
		.cipher = cipher,
		.integrity = integrity,
		.bearer_id = fan_kind_is_nas(kind) ? 5 : 0,
	};
	int error = fan_in_own_process(fanfare->process);

	if (error == 0)
		error = (unsigned)kind < FAN_KIND_COUNT ? fan_protection_check(protection, true)
							: fan_fail(FAN_E_INVALID, "unknown kind of protection %d", (int)kind);
	if (error != 0)
		return error;
	if (contexts > FAN_CONTEXT_SLOTS_MAX)
		return fan_fail(FAN_E_INVALID, "%zu contexts of one protection: %u at most", contexts, FAN_CONTEXT_SLOTS_MAX);
	if (needed > available)
		return fan_fail(FAN_E_MEMORY, "%zu UE contexts need %zu MiB, %zu MiB are free: use fewer UEs", contexts,
				needed >> 20, available >> 20);
	return 0;
}

static int
check_place(const struct fanfare *fanfare, const struct fan_ue *ue)
{
	if (ue->next_hop >= fanfare->dataplane->hop_count)
		return fan_fail(FAN_E_INVALID, "next hop %u: %u are known", ue->next_hop, fanfare->dataplane->hop_count);
	if (!fan_kind_is_nas(ue->kind) && ue->teid == 0)
		return fan_fail(FAN_E_INVALID, "TEID 0 is reserved (TS 29.281 5.1)");
	return 0;
}

int
fan_ue_add(struct fanfare *fanfare, fan_context_id *id, const struct fan_ue *given)
{
	struct fan_protection protection;
	struct fan_ue ue;
	int64_t slot;
	int table = fan_in_own_process(fanfare->process);

	if (table == 0)
		table = fan_struct_take(&ue, sizeof(ue), UE_VERSION_1_BYTES, given, "fan_ue_init");
	if (table != 0)
		return table;
	protection = (struct fan_protection){ .kind = (uint8_t)ue.kind,
					      .cipher = ue.cipher,
					      .integrity = ue.integrity,
					      .bearer_id = fan_kind_is_nas(ue.kind) ? ue.bearer_id : 0 };
	table = fan_protection_check(protection, ue.emergency);
	if (table == 0)
		table = check_place(fanfare, &ue);
	if (table == 0)
		table = fan_dataplane_table(fanfare->dataplane, protection);
	if (table >= 0) {
		slot = fan_context_add_once(&fanfare->dataplane->tables[table], &fanfare->keys, &ue);
		if (slot >= 0)
			*id = fan_context_name(fanfare, (unsigned)table, (uint32_t)slot);
		table = slot < 0 ? (int)slot : 0;
	}
	explicit_bzero(&ue, sizeof(ue));
	return table;
}

int
fan_ue_lease(struct fanfare *fanfare, fan_context_id id, uint32_t count_reserved)
{
	uint32_t slot;
	struct fan_context_table *table = fan_context_find(fanfare, &slot, id);

	return table == NULL ? FAN_E_NOT_FOUND
			     : fan_count_lease(&table->slots[slot], (enum fan_kind)table->protection.kind, count_reserved);
}

int
fan_ue_count(const struct fanfare *fanfare, uint32_t *next_count, uint32_t *count_reserved, uint16_t *unacknowledged,
	     fan_context_id id)
{
	uint32_t slot;
	const struct fan_context_table *table = fan_context_find(fanfare, &slot, id);

	if (table == NULL)
		return FAN_E_NOT_FOUND;
	if (next_count != NULL)
		*next_count = fan_count_next(&table->slots[slot]);
	if (count_reserved != NULL)
		*count_reserved = table->slots[slot].count_reserved;
	if (unacknowledged != NULL)
		*unacknowledged = fan_count_gap(&table->slots[slot]);
	return 0;
}

int
fan_ue_move(struct fanfare *fanfare, fan_context_id id, const struct fan_ue *given)
{
	uint32_t slot;
	struct fan_context_table *table = fan_context_find(fanfare, &slot, id);
	struct fan_ue ue;
	int error = table == NULL ? FAN_E_NOT_FOUND
				  : fan_struct_take(&ue, sizeof(ue), UE_VERSION_1_BYTES, given, "fan_ue_init");

	if (error == 0 && ue.kind != (enum fan_kind)table->protection.kind)
		error = fan_fail(FAN_E_INVALID, "a UE of another kind than the context's");
	if (error == 0)
		error = check_place(fanfare, &ue);
	if (error == 0) {
		fan_dataplane_pause(fanfare->dataplane);
		error = fan_context_move(table, slot, &ue);
		fan_dataplane_resume(fanfare->dataplane);
	}
	explicit_bzero(&ue, sizeof(ue));
	return error;
}

int
fan_ue_reachable(struct fanfare *fanfare, fan_context_id id, bool reachable)
{
	uint32_t slot;
	struct fan_context_table *table = fan_context_find(fanfare, &slot, id);
	const uint8_t flags = FAN_CONTEXT_PRESENT | (reachable ? 0 : FAN_CONTEXT_UNREACHABLE);

	if (table == NULL)
		return FAN_E_NOT_FOUND;
	__atomic_store_n(&table->slots[slot].flags, flags, __ATOMIC_RELAXED);
	return 0;
}

int
fan_ue_acknowledged(struct fanfare *fanfare, fan_context_id id, uint32_t count)
{
	uint32_t slot;
	struct fan_context_table *table = fan_context_find(fanfare, &slot, id);

	return table == NULL ? FAN_E_NOT_FOUND : fan_count_acknowledge(&table->slots[slot], count);
}

int
fan_ue_received(struct fanfare *fanfare, fan_context_id first, size_t count)
{
	uint32_t slot;
	struct fan_context_table *table = fan_context_find_range(fanfare, &slot, first, count);

	if (table == NULL)
		return FAN_E_NOT_FOUND;
	if (fanfare->dataplane->flights.count > 0)
		return fan_fail(FAN_E_BUSY, "a message in flight may use the contexts: poll until none is");
	for (size_t i = 0; i < count; i++)
		if (fan_context_named(table, name_within_table(first) + i))
			fan_count_acknowledge_all(&table->slots[slot + i]);
	return 0;
}

void
fan_ue_each(struct fanfare *fanfare,
	    void (*each)(void *user, fan_context_id id, uint32_t ue, uint32_t next_count, uint16_t unacknowledged), void *user)
{
	const bool nested = fanfare->in_callback;
	const unsigned table_count = fanfare->dataplane->table_count;

	if (fan_in_own_process(fanfare->process) != 0)
		return;
	fanfare->in_callback = true;
	for (unsigned i = 0; i < table_count; i++) {
		const struct fan_context_table *table = &fanfare->dataplane->tables[i];
		const uint32_t used = table->used; /* `each` may add */

		for (uint32_t slot = 0; slot < used; slot++)
			if (fan_context_present(table, slot))
				each(user, fan_context_name(fanfare, i, slot), table->slots[slot].ue,
				     fan_count_next(&table->slots[slot]), fan_count_gap(&table->slots[slot]));
	}
	fanfare->in_callback = nested;
}

/* ---- Removal: out of service at once, wiped when no flight refers to it, its slot freed when many are ------------------- */

/* Both or none; false when memory is short. */
static bool
note_removal(struct fan_removals *removals, uint32_t slot)
{
	if (removals->gone == NULL)
		removals->gone = roaring_bitmap_create();
	if (removals->fresh == NULL)
		removals->fresh = roaring_bitmap_create();
	if (removals->gone == NULL || removals->fresh == NULL ||
	    !fan_slots_have_room(fan_slots_change_bytes_max(removals->gone) + fan_slots_change_bytes_max(removals->fresh)))
		return false;
	roaring_bitmap_add(removals->gone, slot);
	roaring_bitmap_add(removals->fresh, slot);
	return true;
}

int
fan_ue_remove(struct fanfare *fanfare, uint32_t *next_count, uint16_t *unacknowledged, fan_context_id id)
{
	uint32_t slot;
	struct fan_context_table *table;
	struct fan_removals *removals = &fanfare->removals[fan_context_table_index(id) % FAN_TABLES_MAX];
	int error = fan_outside_callback(fanfare, "fan_ue_remove");

	if (error != 0)
		return error;
	table = fan_context_find(fanfare, &slot, id);
	if (table == NULL)
		return FAN_E_NOT_FOUND;
	if (!note_removal(removals, slot))
		return fan_fail(FAN_E_MEMORY, "no memory to remove a UE: it stays in service");
	fanfare->gone_count++;
	fanfare->removal_count++;
	fan_context_release_keys(&fanfare->keys, table, slot);
	/* Once every worker has begun another turn, none is in the middle of spending. */
	fan_context_retire(table, slot);
	fan_dataplane_pause(fanfare->dataplane);
	fan_dataplane_resume(fanfare->dataplane);
	*next_count = fan_count_next(&table->slots[slot]);
	*unacknowledged = fan_count_gap(&table->slots[slot]);
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
		    fan_members_subtract(&group->members, (uint16_t)i, fanfare->removals[i].leaving) != 0)
			return false;
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

/* One step; where memory is short, the next call goes on from there. Groups that were made since have none of those leaving. */
static void
leave(struct fanfare *fanfare)
{
	bool room = true;

	for (unsigned i = 0; i < GROUPS_IN_A_CALL && fanfare->leaving_from != NULL; i++) {
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

	if (fanfare->gone_count == 0)
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
