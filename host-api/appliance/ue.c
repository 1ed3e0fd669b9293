/* SPDX-License-Identifier: BSD-3-Clause */
#include "../../dataplane/context/clock.h"
#include "registry.h"

#include "../../dataplane/context/count.h"
#include "../../dataplane/context/memory.h"

#include <rte_cycles.h>
#include <string.h>

/* Room that a process needs beside its contexts: EAL, frames, plans. */
#define MEMORY_RESERVE_BYTES (256UL << 20)

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

/* The index may have been another's, whose addition failed. */
int
fan_next_hop_begin(struct fanfare *fanfare, unsigned index)
{
	struct fan_next_hop_rate rate;

	fan_next_hop_rate_init(&rate);
	if (fanfare->first_rate != NULL)
		fanfare->first_rate(fanfare->first_rate_user, &rate, fanfare->dataplane->hops[index].address);
	else if (!fanfare->dataplane->paces.used)
		return 0;
	return fan_dataplane_rate(fanfare->dataplane, index, &rate);
}

int
fan_next_hop_add(struct fanfare *fanfare, const struct fan_next_hop *given)
{
	struct fan_next_hop next_hop;
	int index, error = take_next_hop(&next_hop, fanfare, given);

	if (error == 0)
		error = fan_additions_begin(fanfare);
	if (error != 0)
		return error;
	index = fan_dataplane_next_hop_add(fanfare->dataplane, &next_hop);
	error = index < 0 ? index : fan_next_hop_begin(fanfare, (unsigned)index);
	if (error == 0)
		error = fan_registry_add_hop(fanfare, (unsigned)index, &next_hop);
	if (index >= 0 && error != 0)
		fanfare->dataplane->hop_count = (unsigned)index;
	error = fan_additions_end(fanfare, error);
	return error != 0 ? error : index;
}

int
fan_next_hop_change(struct fanfare *fanfare, unsigned index, const struct fan_next_hop *given)
{
	struct fan_next_hop next_hop;
	int error = take_next_hop(&next_hop, fanfare, given);

	if (error == 0)
		error = fan_registry_may_change(fanfare, "fan_next_hop_change");
	if (error == 0)
		error = fan_dataplane_next_hop_check(fanfare->dataplane, index, &next_hop);
	if (error == 0)
		error = fan_registry_change_hop(fanfare, index, &next_hop);
	if (error == 0)
		error = fan_dataplane_next_hop_change(fanfare->dataplane, index, &next_hop);
	if (error == 0)
		fan_receipts_change_hop(fanfare->receipts, index);
	return error;
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

int
fan_next_hop_rate(struct fanfare *fanfare, unsigned index, const struct fan_next_hop_rate *given)
{
	struct fan_next_hop_rate rate;
	int error = fan_in_own_process(fanfare->process);

	if (error == 0)
		error = fan_struct_take(&rate, sizeof(rate), sizeof(rate), given, "fan_next_hop_rate_init");
	return error == 0 ? fan_dataplane_rate(fanfare->dataplane, index, &rate) : error;
}

int
fan_next_hop_rate_check(const struct fan_next_hop_rate *given)
{
	struct fan_next_hop_rate rate;
	const int error = fan_struct_take(&rate, sizeof(rate), sizeof(rate), given, "fan_next_hop_rate_init");

	return error == 0 ? fan_pace_check(&rate) : error;
}

int
fan_next_hop_relay(struct fanfare *fanfare, unsigned index, uint64_t pdus_per_s, uint32_t for_ms)
{
	int error = fan_in_own_process(fanfare->process);

	if (error == 0)
		error = fan_dataplane_relay(fanfare->dataplane, index, pdus_per_s, for_ms);
	if (error == 0)
		fan_dataplane_paces_serve(fanfare->dataplane);
	return error;
}

/* What remains of a relay's word, rounded up: 0 is none. */
static uint32_t
told_ms(const struct fan_pace *pace)
{
	const int64_t left_tsc = (int64_t)(pace->told_until_tsc - rte_rdtsc());

	return !pace->told || left_tsc <= 0 ? 0 : (uint32_t)((uint64_t)left_tsc / (rte_get_tsc_hz() / 1000)) + 1;
}

int
fan_next_hop_pace(const struct fanfare *fanfare, struct fan_next_hop_pace *pace, unsigned index)
{
	struct fan_next_hop_pace own;
	const struct fan_pace *from;
	int error = fan_in_own_process(fanfare->process);

	if (error == 0)
		error = fan_struct_take(&own, sizeof(own), sizeof(own), pace, "fan_next_hop_pace_init");
	if (error == 0 && index >= fanfare->dataplane->hop_count)
		error = fan_fail(FAN_E_NOT_FOUND, "next hop %u: %u are known", index, fanfare->dataplane->hop_count);
	if (error != 0)
		return error;
	memset(&own, 0, sizeof(own));
	from = &fanfare->dataplane->paces.hops[index];
	own.rate = from->rate;
	if (own.rate.struct_bytes == 0)
		fan_next_hop_rate_init(&own.rate);
	own.paced = fanfare->dataplane->paces.paced[index] != 0;
	own.pdus_per_s = fan_pace_pdus_per_s(from);
	own.stopped = from->stopped;
	own.relay_ms = told_ms(from);
	own.relay_pdus_per_s = own.relay_ms > 0 ? from->told_pdus_per_s : 0;
	own.pdus = __atomic_load_n(&from->pdus_left, __ATOMIC_RELAXED);
	own.octets = __atomic_load_n(&from->octets_left, __ATOMIC_RELAXED);
	own.put_off = __atomic_load_n(&from->put_off, __ATOMIC_RELAXED);
	own.waiting = __atomic_load_n(&from->waiting, __ATOMIC_RELAXED);
	fan_struct_give(pace, &own, sizeof(own));
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
	if (fan_kind_is_bearer(ue->kind) && ue->teid == 0)
		return fan_fail(FAN_E_INVALID, "TEID 0 is reserved (TS 29.281 5.1)");
	return 0;
}

void
fan_context_flag(struct fan_context *context, enum fan_context_flag flag, bool on)
{
	const unsigned others = context->flags & ~(unsigned)flag;

	__atomic_store_n(&context->flags, (uint8_t)(others | (on ? flag : 0U)), __ATOMIC_RELAXED);
}

static bool
is_over(int64_t lease_until_ms)
{
	return lease_until_ms != 0 && lease_until_ms <= fan_clock_ms(CLOCK_REALTIME);
}

static struct fan_ue_place
place_of(const struct fan_ue *ue)
{
	struct fan_ue_place place;

	fan_ue_place_init(&place);
	memcpy(place.plmn, ue->plmn, sizeof(place.plmn));
	place.area = ue->area;
	place.broadcast_id = ue->broadcast_id;
	return place;
}

/* Returns the slot, or an error with nothing of the UE left. In: within additions. */
static int64_t
add(struct fanfare *fanfare, unsigned table_index, const struct fan_ue *ue)
{
	struct fan_context_table *table = &fanfare->dataplane->tables[table_index];
	const int64_t slot = fan_context_add_once(table, &fanfare->keys, ue);
	const struct fan_ue_place place = place_of(ue);
	int error = slot < 0 ? (int)slot : fan_receipts_enter(fanfare->receipts, table_index, (uint32_t)slot, ue->uplink_teid);

	if (error == 0)
		error = fan_whereabouts_set(&fanfare->whereabouts, table_index, table, (uint32_t)slot, &place);
	if (error == 0)
		error = fan_registry_add_ue(fanfare, table_index, (uint32_t)slot, ue);
	if (slot >= 0 && error != 0) {
		fan_registry_forget_place(fanfare, table_index, (uint32_t)slot);
		fan_receipts_leave(fanfare->receipts, table_index, (uint32_t)slot);
		fan_context_release_keys(&fanfare->keys, table, (uint32_t)slot);
		fan_context_remove(table, (uint32_t)slot);
	}
	if (error != 0)
		return error;
	fan_context_flag(&table->slots[slot], FAN_CONTEXT_UNREACHABLE, ue->unreachable);
	fan_context_flag(&table->slots[slot], FAN_CONTEXT_LEASE_OVER, is_over(ue->lease_until_ms));
	return slot;
}

/* In: a UE whose fields are known to this library. */
static int
add_ue(struct fanfare *fanfare, fan_context_id *id, const struct fan_ue *ue)
{
	const struct fan_protection protection = { .kind = (uint8_t)ue->kind,
						   .cipher = ue->cipher,
						   .integrity = ue->integrity,
						   .bearer_id = fan_kind_is_nas(ue->kind) ? ue->bearer_id : 0 };
	const struct fan_ue_place place = place_of(ue);
	int64_t slot = -1;
	int table = fan_protection_check(protection, ue->emergency), error;

	if (table == 0)
		table = check_place(fanfare, ue);
	if (table == 0)
		table = fan_whereabouts_check(&place, ue->kind);
	if (table == 0)
		table = fan_dataplane_table(fanfare->dataplane, protection);
	if (table < 0)
		return table;
	error = fan_additions_begin(fanfare);
	if (error != 0)
		return error;
	error = fan_registry_reserve_ue(fanfare, ue);
	if (error == 0)
		slot = add(fanfare, (unsigned)table, ue);
	error = fan_additions_end(fanfare, error == 0 && slot < 0 ? (int)slot : error);
	if (error == 0)
		*id = fan_context_name(fanfare, (unsigned)table, (uint32_t)slot);
	return error;
}

int
fan_ue_add(struct fanfare *fanfare, fan_context_id *id, const struct fan_ue *given)
{
	struct fan_ue ue;
	int error = fan_in_own_process(fanfare->process);

	if (error == 0)
		error = fan_struct_take(&ue, sizeof(ue), UE_VERSION_1_BYTES, given, "fan_ue_init");
	if (error != 0)
		return error;
	error = add_ue(fanfare, id, &ue);
	explicit_bzero(&ue, sizeof(ue));
	return error;
}

/* ---- Changes: in the record first, then in memory ------------------------------------------------------------------------ */

/* The table of a context that may be changed; NULL with *error. Out: *slot. */
static struct fan_context_table *
find_to_change(const struct fanfare *fanfare, uint32_t *slot, int *error, fan_context_id id, const char *function)
{
	struct fan_context_table *table;

	*error = fan_registry_may_change(fanfare, function);
	table = *error == 0 ? fan_context_find(fanfare, slot, id) : NULL;
	if (*error == 0 && table == NULL)
		*error = FAN_E_NOT_FOUND;
	return table;
}

/* In: a context that is there. */
static int
change_record(struct fanfare *fanfare, fan_context_id id, void (*change)(struct fan_record_ue *record, const void *value),
	      const void *value)
{
	const struct fan_registry_change what = { .change = change, .value = value };

	return fan_registry_change_ue(fanfare, fan_context_table_index(id), (uint32_t)id, &what);
}

static void
change_lease(struct fan_record_ue *record, const void *value)
{
	record->ue.count_reserved = *(const uint32_t *)value;
}

int
fan_ue_lease(struct fanfare *fanfare, fan_context_id id, uint32_t count_reserved)
{
	uint32_t slot;
	int error;
	const struct fan_context_table *table = find_to_change(fanfare, &slot, &error, id, "fan_ue_lease");
	const enum fan_kind kind = table != NULL ? (enum fan_kind)table->protection.kind : FAN_KIND_COUNT;

	if (error == 0)
		error = fan_count_check_lease(&table->slots[slot], kind, count_reserved);
	if (error == 0)
		error = change_record(fanfare, id, change_lease, &count_reserved);
	return error == 0 ? fan_count_lease(&table->slots[slot], kind, count_reserved) : error;
}

static void
change_lease_end(struct fan_record_ue *record, const void *value)
{
	record->ue.lease_until_ms = *(const int64_t *)value;
}

int
fan_ue_lease_until(struct fanfare *fanfare, fan_context_id id, int64_t lease_until_ms)
{
	uint32_t slot;
	int error;
	const struct fan_context_table *table = find_to_change(fanfare, &slot, &error, id, "fan_ue_lease_until");
	const struct fan_lease_end end = { .until_ms = lease_until_ms,
					   .table = fan_context_table_index(id),
					   .slot = (uint32_t)id };

	if (error == 0 && lease_until_ms < 0)
		error = fan_fail(FAN_E_INVALID, "a lease until %ld: milliseconds since 1970, or 0 for no end", lease_until_ms);
	if (error == 0 && lease_until_ms != 0)
		error = fan_lease_ends_reserve(&fanfare->lease_ends, &end);
	if (error == 0)
		error = change_record(fanfare, id, change_lease_end, &lease_until_ms);
	if (error != 0)
		return error;
	fan_lease_ends_set(&fanfare->lease_ends, &end);
	fan_context_flag(&table->slots[slot], FAN_CONTEXT_LEASE_OVER, is_over(lease_until_ms));
	return 0;
}

void
fan_lease_ends_settle(struct fanfare *fanfare)
{
	struct fan_lease_end end;
	int64_t now;

	if (fanfare->lease_ends.count == 0)
		return;
	now = fan_clock_ms(CLOCK_REALTIME);
	while (fan_lease_ends_take(&fanfare->lease_ends, &end, now)) {
		const struct fan_context_table *table = &fanfare->dataplane->tables[end.table];

		if (!fan_context_present(table, end.slot))
			continue;
		if (end.until_ms > now)
			fan_ledger_tell(fanfare, FAN_EVENT_LEASE_TIME, end.table, end.slot,
					(uint32_t)((end.until_ms - now) / 1000));
		else
			fan_context_flag(&table->slots[end.slot], FAN_CONTEXT_LEASE_OVER, true);
	}
}

static void
change_place(struct fan_record_ue *record, const void *value)
{
	const struct fan_ue *const ue = value;

	record->ue.next_hop = ue->next_hop;
	if (fan_kind_is_nas(record->ue.kind)) {
		record->ue.mme_ue_id = ue->mme_ue_id;
		record->ue.ran_ue_id = ue->ran_ue_id;
	} else {
		record->ue.teid = ue->teid;
		record->ue.uplink_teid = ue->uplink_teid;
		memcpy(record->ue.ipv4, ue->ipv4, sizeof(record->ue.ipv4));
		record->ue.udp_port = ue->udp_port;
	}
}

static int
move(struct fanfare *fanfare, struct fan_context_table *table, fan_context_id id, const struct fan_ue *ue)
{
	uint32_t from;
	int entered;
	int error = ue->kind == (enum fan_kind)table->protection.kind
			    ? check_place(fanfare, ue)
			    : fan_fail(FAN_E_INVALID, "a UE of another kind than the context's");

	if (error == 0)
		error = fan_context_check_move(table, ue);
	if (error == 0)
		error = change_record(fanfare, id, change_place, ue);
	if (error != 0)
		return error;
	fan_receipts_leave(fanfare->receipts, fan_context_table_index(id), (uint32_t)id);
	from = table->slots[(uint32_t)id].next_hop;
	fan_dataplane_pause(fanfare->dataplane);
	error = fan_context_move(table, (uint32_t)id, ue);
	fan_dataplane_moved(fanfare->dataplane, table, (uint32_t)id, from);
	fan_dataplane_resume(fanfare->dataplane);
	entered = fan_receipts_enter(fanfare->receipts, fan_context_table_index(id), (uint32_t)id, ue->uplink_teid);
	return error != 0 ? error : entered;
}

int
fan_ue_move(struct fanfare *fanfare, fan_context_id id, const struct fan_ue *given)
{
	uint32_t slot;
	int error;
	struct fan_context_table *table = find_to_change(fanfare, &slot, &error, id, "fan_ue_move");
	struct fan_ue ue;

	if (error == 0)
		error = fan_struct_take(&ue, sizeof(ue), UE_VERSION_1_BYTES, given, "fan_ue_init");
	if (error != 0)
		return error;
	error = move(fanfare, table, id, &ue);
	explicit_bzero(&ue, sizeof(ue));
	return error;
}

static void
change_whereabouts(struct fan_record_ue *record, const void *value)
{
	const struct fan_ue_place *const place = value;

	memcpy(record->ue.plmn, place->plmn, sizeof(record->ue.plmn));
	record->ue.area = place->area;
	record->ue.broadcast_id = place->broadcast_id;
}

/* In memory first, where alone there may be no room. */
static int
place(struct fanfare *fanfare, const struct fan_context_table *table, fan_context_id id, const struct fan_ue_place *place)
{
	const unsigned index = fan_context_table_index(id);
	struct fan_ue_place former;
	int error = fan_whereabouts_check(place, (enum fan_kind)table->protection.kind);

	fan_whereabouts_get(&fanfare->whereabouts, &former, index, (uint32_t)id);
	if (error == 0)
		error = fan_whereabouts_set(&fanfare->whereabouts, index, table, (uint32_t)id, place);
	if (error != 0)
		return error;
	error = change_record(fanfare, id, change_whereabouts, place);
	if (error != 0)
		(void)fan_whereabouts_set(&fanfare->whereabouts, index, table, (uint32_t)id, &former);
	else
		fan_choice_settle_everywhere(fanfare, index, (uint32_t)id);
	return error;
}

int
fan_ue_place(struct fanfare *fanfare, fan_context_id id, const struct fan_ue_place *given)
{
	uint32_t slot;
	int error;
	const struct fan_context_table *table = find_to_change(fanfare, &slot, &error, id, "fan_ue_place");
	struct fan_ue_place own;

	if (error == 0)
		error = fan_struct_take(&own, sizeof(own), sizeof(own), given, "fan_ue_place_init");
	return error == 0 ? place(fanfare, table, id, &own) : error;
}

static void
change_reachable(struct fan_record_ue *record, const void *value)
{
	record->reachable = *(const bool *)value;
}

/* A UE that is unreachable in its record has spent nothing since: it is made so in memory first, and reachable in the record first. */
int
fan_ue_reachable(struct fanfare *fanfare, fan_context_id id, bool reachable)
{
	uint32_t slot;
	int error;
	const struct fan_registry_change what = { .change = change_reachable, .value = &reachable, .settled = true };
	const struct fan_context_table *table = find_to_change(fanfare, &slot, &error, id, "fan_ue_reachable");
	const bool is = error == 0 && (table->slots[slot].flags & FAN_CONTEXT_UNREACHABLE) == 0;

	/* One that is unreachable may be so because an earlier write failed. */
	if (error != 0 || (is == reachable && (reachable || fanfare->store == NULL)))
		return error;
	if (!reachable)
		fan_context_flag(&table->slots[slot], FAN_CONTEXT_UNREACHABLE, true);
	if (!reachable && fanfare->store != NULL) {
		fan_dataplane_pause(fanfare->dataplane);
		fan_dataplane_resume(fanfare->dataplane);
	}
	error = fan_registry_change_ue(fanfare, fan_context_table_index(id), slot, &what);
	/* When the write fails nobody knows what the disk has: the UE stays unreachable either way. */
	if (error == 0)
		fan_context_flag(&table->slots[slot], FAN_CONTEXT_UNREACHABLE, !reachable);
	return error;
}

/* ---- What is known of UEs -------------------------------------------------------------------------------------------------- */

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
fan_ue_acknowledged(struct fanfare *fanfare, fan_context_id id, uint32_t count)
{
	uint32_t slot;
	const struct fan_context_table *table = fan_context_find(fanfare, &slot, id);
	const int error = table == NULL ? FAN_E_NOT_FOUND
					: fan_ledger_acknowledge(fanfare, fan_context_table_index(id), slot, count);

	if (error == 0)
		fan_keyrings_prove(fanfare, fan_context_table_index(id), slot, count);
	return error;
}

int
fan_ue_received(struct fanfare *fanfare, fan_context_id first, size_t count)
{
	uint32_t slot;
	const struct fan_context_table *table = fan_context_find_range(fanfare, &slot, first, count);

	if (table == NULL)
		return FAN_E_NOT_FOUND;
	if (fanfare->store != NULL)
		return fan_fail(FAN_E_UNSUPPORTED,
				"with a store nobody knows what was sent before a crash: fan_ue_acknowledged() names it");
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

static uint32_t
count_groups(const struct fanfare *fanfare, unsigned table, uint32_t slot)
{
	uint32_t count = 0;

	for (const struct fan_group *group = fanfare->groups; group != NULL; group = group->next)
		count += fan_members_has(&group->members, (uint16_t)table, slot) ||
			 fan_members_has(&group->able, (uint16_t)table, slot);
	return count;
}

/* In: a context that is there. Out: what memory has of it. */
static void
describe(const struct fanfare *fanfare, struct fan_ue_status *status, unsigned table_index, uint32_t slot)
{
	const struct fan_context_table *table = &fanfare->dataplane->tables[table_index];
	const struct fan_context *context = &table->slots[slot];
	struct fan_ue_place place;

	memset(status, 0, sizeof(*status));
	fan_whereabouts_get(&fanfare->whereabouts, &place, table_index, slot);
	memcpy(status->plmn, place.plmn, sizeof(status->plmn));
	status->area = place.area;
	status->broadcast_id = place.broadcast_id;
	status->kind = (enum fan_kind)table->protection.kind;
	status->cipher = table->protection.cipher;
	status->integrity = table->protection.integrity;
	status->bearer = context->bearer_direction >> 3;
	status->reachable = (context->flags & FAN_CONTEXT_UNREACHABLE) == 0;
	status->next_hop = context->next_hop;
	status->ue = context->ue;
	status->next_count = fan_count_next(context);
	status->count_reserved = context->count_reserved;
	status->unacknowledged = fan_count_gap(context);
	status->unacknowledged_max = fan_count_rules[status->kind].gap_max;
	status->needs_resync = status->unacknowledged >= status->unacknowledged_max;
	status->lease_until_ms = fan_lease_end(&fanfare->lease_ends, table_index, slot);
	status->groups = count_groups(fanfare, table_index, slot);
}

int
fan_ue_status(const struct fanfare *fanfare, struct fan_ue_status *status, fan_context_id id)
{
	uint32_t slot;
	struct fan_ue_status own;
	struct fan_record record;
	const unsigned table = fan_context_table_index(id);
	const size_t status_bytes = status->struct_bytes;
	int error = fan_context_find(fanfare, &slot, id) == NULL
			    ? FAN_E_NOT_FOUND
			    : fan_struct_take(&own, sizeof(own), sizeof(own), status, "fan_ue_status_init");

	if (error != 0)
		return error;
	describe(fanfare, &own, table, slot);
	if (fanfare->store != NULL) {
		error = fan_registry_get_ue(fanfare, &record, table, slot);
		memcpy(own.identity, record.ue.identity, sizeof(own.identity));
		own.capabilities = record.ue.capabilities;
		fan_registry_wipe(&record);
	}
	if (error != 0)
		return error;
	own.struct_bytes = status_bytes;
	memcpy(status, &own, status_bytes < sizeof(own) ? status_bytes : sizeof(own));
	return 0;
}

/* The lowest name of a table that is `from` or higher. Names of one generation follow one another by slot; where none is left, the next
 * generation that a context has is looked for. False: there is none. */
static bool
next_name(const struct fan_context_table *table, fan_context_id *name, fan_context_id from)
{
	fan_context_id lowest = UINT64_MAX;

	for (uint32_t slot = (uint32_t)from; slot < table->used; slot++) {
		*name = fan_context_name_of(table, slot);
		if (*name >> 32 == from >> 32 && fan_context_present(table, slot))
			return true;
	}
	for (uint32_t slot = 0; table->generation != NULL && slot < table->used; slot++) {
		*name = fan_context_name_of(table, slot);
		if (*name >> 32 > from >> 32 && *name < lowest && fan_context_present(table, slot))
			lowest = *name;
	}
	*name = lowest;
	return lowest != UINT64_MAX;
}

int
fan_ue_next(const struct fanfare *fanfare, fan_context_id *id, fan_context_id from)
{
	const unsigned first = fan_context_table_index(from);

	if (fan_in_own_process(fanfare->process) != 0)
		return 0;
	for (unsigned i = first; i < fanfare->dataplane->table_count; i++) {
		fan_context_id name;

		if (next_name(&fanfare->dataplane->tables[i], &name, i == first ? name_within_table(from) : 0)) {
			*id = (fan_context_id)i << FAN_CONTEXT_NAME_BITS | name;
			return 1;
		}
	}
	return 0;
}
