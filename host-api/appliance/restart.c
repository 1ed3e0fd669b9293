/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an appliance begins with: next hops, UEs and groups as the store has them. A UE keeps its slot, since bitmaps of members, marks and
 * checkpoints speak of slots.
 *
 * Records of members may name slots that hold no UE: a UE's own record is deleted when it is removed, and those of its groups only before
 * its slot is given to another (removal.c). Such slots are free from here on, so the records are put right before anything else happens.
 */
#define _GNU_SOURCE
#include "registry.h"

#include "ledger.h"

#include <stdlib.h>
#include <string.h>

#define RECORDS_IN_A_TRANSACTION 4096

/* A record of members that named slots without a UE. */
struct stale {
	struct fan_group *group;
	struct fan_protection table;
	uint32_t first_slot;
	uint8_t profile;
};

#define UES_A_REPORT 10000

struct restart {
	struct fanfare *fanfare;
	const struct fan_options *options; /* whom to tell how far it is */
	uint64_t ues, ue_count;            /* that are back, and of how many */
	unsigned table;                    /* that the last UE was in */
	struct stale *stale;               /* owned */
	size_t stale_count, stale_room;
};

static int
misfit(const char *what)
{
	return fan_fail(FAN_E_IO, "the store's records do not fit together: %s", what);
}

/* An address of 4 octets has zeros behind it in its record. */
static int
check_family(const struct fanfare *fanfare, const struct fan_record_next_hop *next_hop)
{
	static const uint8_t none[12];
	const bool ipv6 = memcmp(next_hop->address + 4, none, sizeof(none)) != 0;

	if (ipv6 == fanfare->dataplane->link.ipv6)
		return 0;
	return fan_fail(FAN_E_INVALID, "next hop %u in the store has an address of %s: options.ipv6 says otherwise",
			next_hop->index, ipv6 ? "IPv6" : "IPv4");
}

/* That no two have one address was seen when they were added. */
static int
restore_hop(void *user, const struct fan_record *record)
{
	struct fanfare *fanfare = ((const struct restart *)user)->fanfare;
	struct fan_dataplane *dataplane = fanfare->dataplane;
	struct fan_next_hop next_hop;
	const int error = check_family(fanfare, &record->next_hop);

	if (error != 0)
		return error;
	if (record->next_hop.index != dataplane->hop_count)
		return misfit("a next hop is missing");
	fan_next_hop_init(&next_hop);
	memcpy(next_hop.ethernet, record->next_hop.ethernet, sizeof(next_hop.ethernet));
	memcpy(next_hop.address, record->next_hop.address, sizeof(next_hop.address));
	fan_hop_make(&dataplane->hops[dataplane->hop_count++], &next_hop);
	return fan_next_hop_begin(fanfare, record->next_hop.index);
}

static int
restore_identity(struct fanfare *fanfare, unsigned table, const struct fan_record_ue *ue)
{
	const uint64_t entry = fan_identity_entry(&fanfare->keys, ue->identity, table, ue->slot);
	const int error = fan_identities_reserve(&fanfare->identities, entry);

	if (error == 0)
		fan_identities_add(&fanfare->identities, entry);
	return error;
}

static int
restore_lease_end(struct fanfare *fanfare, unsigned table, const struct fan_record_ue *ue)
{
	const struct fan_lease_end end = { .until_ms = ue->ue.lease_until_ms, .table = table, .slot = ue->slot };
	const int error = end.until_ms != 0 ? fan_lease_ends_reserve(&fanfare->lease_ends, &end) : 0;

	if (error == 0 && end.until_ms != 0)
		fan_lease_ends_set(&fanfare->lease_ends, &end);
	return error;
}

static int
restore_place(struct fanfare *fanfare, unsigned table, const struct fan_record_ue *ue)
{
	struct fan_ue_place place;

	fan_ue_place_init(&place);
	memcpy(place.plmn, ue->ue.plmn, sizeof(place.plmn));
	place.area = ue->ue.area;
	place.broadcast_id = ue->ue.broadcast_id;
	return fan_whereabouts_set(&fanfare->whereabouts, table, &fanfare->dataplane->tables[table], ue->slot, &place);
}

static int
restore_context(struct fanfare *fanfare, struct fan_context_table *table, const struct fan_record_ue *record)
{
	struct fan_ue ue = record->ue;
	int error;

	ue.b_tid = record->b_tid;
	error = fan_context_restore(table, &fanfare->keys, record->slot, &ue);
	explicit_bzero(&ue, sizeof(ue));
	return error;
}

/* UEs come table by table. */
static int
restore_ue(void *user, const struct fan_record *record)
{
	struct restart *restart = user;
	struct fanfare *fanfare = restart->fanfare;
	struct fan_dataplane *dataplane = fanfare->dataplane;
	int error = 0;

	if (restart->table >= dataplane->table_count ||
	    memcmp(&dataplane->tables[restart->table].protection, &record->ue.table, sizeof(record->ue.table)) != 0) {
		const int table = fan_dataplane_table(dataplane, record->ue.table);

		if (table < 0)
			return table;
		restart->table = (unsigned)table;
	}
	if (record->ue.ue.next_hop >= dataplane->hop_count)
		return misfit("a UE's next hop is missing");
	error = restore_context(fanfare, &dataplane->tables[restart->table], &record->ue);
	if (error == 0 && !record->ue.reachable)
		fan_context_flag(&dataplane->tables[restart->table].slots[record->ue.slot], FAN_CONTEXT_UNREACHABLE, true);
	if (error == 0)
		error = fan_receipts_enter(fanfare->receipts, restart->table, record->ue.slot, record->ue.ue.uplink_teid);
	if (error == 0)
		error = restore_identity(fanfare, restart->table, &record->ue);
	if (error == 0)
		error = restore_lease_end(fanfare, restart->table, &record->ue);
	if (error == 0)
		error = restore_place(fanfare, restart->table, &record->ue);
	if (error == 0 && ++restart->ues % UES_A_REPORT == 0 && restart->options->loading != NULL)
		restart->options->loading(restart->options->loading_user, restart->ues, restart->ue_count);
	return error;
}

static int
restore_group(void *user, const struct fan_record *record)
{
	struct fan_group *group;
	int error = fan_group_enter(((const struct restart *)user)->fanfare, &group, record->group.gid);

	if (error == 0)
		memcpy(group->gki_used, record->group.gki_used, sizeof(group->gki_used));
	if (error == 0) {
		group->needs_all = record->group.needs_all;
		group->needs_any = record->group.needs_any;
	}
	if (error != 0 || record->group.policy.radios == 0)
		return error;
	group->policy = malloc(sizeof(*group->policy));
	if (group->policy == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for the policy of %s", group->gid);
	*group->policy = record->group.policy;
	return 0;
}

static int
restore_key(void *user, const struct fan_record *record)
{
	struct fan_group *group = fan_group_find(((const struct restart *)user)->fanfare, record->group_key.gid);

	return group == NULL ? misfit("keys of a group that is missing") : fan_keyring_restore(group, &record->group_key);
}

static int
note_stale(struct restart *restart, struct fan_group *group, const struct fan_record_members *members)
{
	const size_t room = restart->stale_room == 0 ? 64 : 2 * restart->stale_room;
	struct stale *stale = restart->stale;

	if (restart->stale_count == restart->stale_room) {
		stale = realloc(stale, room * sizeof(*stale));
		if (stale == NULL)
			return fan_fail(FAN_E_MEMORY, "no memory to note %zu records of members", room);
		restart->stale = stale;
		restart->stale_room = room;
	}
	stale[restart->stale_count++] = (struct stale){
		.group = group, .table = members->table, .first_slot = members->first_slot, .profile = members->profile
	};
	return 0;
}

/* Out: slots[], those of a record's members from one on, as many as there is room for; *stale, whether a slot had no UE. Returns how many. */
static size_t
choose_members(uint32_t slots[FAN_MEMBERS_CONTEXTS / 8], bool *stale, const struct fan_record_members *members,
	       const struct fan_context_table *table, unsigned from)
{
	size_t count = 0;

	for (unsigned i = from; i < from + FAN_MEMBERS_CONTEXTS / 8; i++) {
		if ((members->member[i >> 3] & 1U << (i & 7)) == 0)
			continue;
		if (table != NULL && fan_context_present(table, members->first_slot + i))
			slots[count++] = members->first_slot + i;
		else
			*stale = true;
	}
	return count;
}

/* Which of a group's members a record has some of; NULL: the group is to have no such ones. */
static struct fan_members *
members_of(struct fan_group *group, uint8_t profile)
{
	if ((profile & FAN_MEMBERS_HELD) != 0)
		return group->keys != NULL ? &group->keys->held : NULL;
	return fan_profile_is_key((enum fan_profile)profile) ? &group->able : &group->members;
}

static int
restore_members(void *user, const struct fan_record *record)
{
	struct restart *restart = user;
	uint32_t slots[FAN_MEMBERS_CONTEXTS / 8];
	struct fan_group *group = fan_group_find(restart->fanfare, record->members.gid);
	const struct fan_dataplane *dataplane = restart->fanfare->dataplane;
	const int index = fan_dataplane_find_table(dataplane, &record->members.table);
	const struct fan_context_table *table = index < 0 ? NULL : &dataplane->tables[index];
	struct fan_members *members = group != NULL ? members_of(group, record->members.profile) : NULL;
	const uint8_t profile = record->members.profile & (uint8_t)~FAN_MEMBERS_HELD;
	int error = members == NULL ? misfit("members of a group or key that is missing") : 0;
	bool stale = false;

	for (unsigned from = 0; error == 0 && from < FAN_MEMBERS_CONTEXTS; from += FAN_MEMBERS_CONTEXTS / 8) {
		const size_t count = choose_members(slots, &stale, &record->members, table, from);

		error = fan_members_add_many(members, (uint16_t)index, (enum fan_profile)profile, slots, count);
	}
	return error == 0 && stale ? note_stale(restart, group, &record->members) : error;
}

/* Writes a record as memory has its members. */
static int
put_stale(const struct fanfare *fanfare, const struct stale *stale)
{
	struct fan_record record = { .kind = FAN_RECORD_MEMBERS };
	const int index = fan_dataplane_find_table(fanfare->dataplane, &stale->table);

	memcpy(record.members.gid, stale->group->gid, sizeof(stale->group->gid));
	record.members.table = stale->table;
	record.members.profile = stale->profile;
	record.members.first_slot = stale->first_slot;
	if (index >= 0)
		fan_members_read(members_of(stale->group, stale->profile), record.members.member, (uint16_t)index,
				 (enum fan_profile)(stale->profile & ~FAN_MEMBERS_HELD), stale->first_slot,
				 FAN_MEMBERS_CONTEXTS);
	return fan_registry_put_window(fanfare->store, &record);
}

static int
put_right(const struct restart *restart)
{
	struct fan_store *const store = restart->fanfare->store;
	int error = 0;

	for (size_t from = 0; error == 0 && from < restart->stale_count; from += RECORDS_IN_A_TRANSACTION) {
		error = fan_store_begin(store);
		for (size_t i = from; error == 0 && i < from + RECORDS_IN_A_TRANSACTION && i < restart->stale_count; i++)
			error = put_stale(restart->fanfare, &restart->stale[i]);
		error = fan_store_end(store, error);
	}
	return error;
}

int
fan_registry_load(struct fanfare *fanfare, const struct fan_options *options)
{
	struct restart restart = { .fanfare = fanfare, .options = options };
	struct fan_store *const store = fanfare->store;
	int error;

	restart.ue_count = fan_store_count(store, FAN_RECORD_UE);
	error = fan_store_each(store, FAN_RECORD_NEXT_HOP, restore_hop, &restart);

	if (error == 0)
		error = fan_store_each(store, FAN_RECORD_UE, restore_ue, &restart);
	if (error == 0)
		error = fan_store_each(store, FAN_RECORD_GROUP, restore_group, &restart);
	if (error == 0)
		error = fan_store_each(store, FAN_RECORD_GROUP_KEY, restore_key, &restart);
	if (error == 0)
		error = fan_store_each(store, FAN_RECORD_MEMBERS, restore_members, &restart);
	if (error == 0)
		error = put_right(&restart);
	free(restart.stale);
	for (struct fan_group *group = fanfare->groups; error == 0 && group != NULL; group = group->next)
		fan_choice_settle_group(group);
	if (error == 0)
		error = fan_ledger_load(fanfare);
	fan_lease_ends_settle(fanfare);
	return error;
}
