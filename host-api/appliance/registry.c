/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "registry.h"

#include "../store/seal.h"
#include "ledger.h"

#include <string.h>

/* Of records that are put between others. A page holds 23 UEs with an IMSI, and has 12 when it was split: with 9/5 of them, 21 or 22. */
#define SHARES 9
#define FIRST_SHARES 5

int
fan_registry_check_options(const struct fan_options *options)
{
	if (options->store != NULL && options->store_key_file == NULL)
		return fan_fail(FAN_E_INVALID, "store %s: options.store_key_file names the file of its key", options->store);
	if (options->store == NULL && (options->store_key_file != NULL || options->store_create || options->store_adopt))
		return fan_fail(FAN_E_INVALID, "options of a store, and no store: options.store names its directory");
	return 0;
}

int
fan_registry_open(struct fanfare *fanfare, const struct fan_options *options)
{
	const struct fan_store_options store_options = {
		.directory = options->store,
		.key_file = options->store_key_file,
		.create = options->store_create,
		.adopt = options->store_adopt,
	};
	int error;

	if (options->store == NULL)
		return 0;
	error = fan_fingerprints_prepare(&fanfare->keys);
	if (error == 0)
		error = fan_store_open(&fanfare->store, &store_options);
	return error == 0 ? fan_registry_load(fanfare, options) : error;
}

void
fan_registry_close(struct fanfare *fanfare)
{
	fan_store_close(fanfare->store);
	fanfare->store = NULL;
	fan_identities_free(&fanfare->identities);
	fan_lease_ends_free(&fanfare->lease_ends);
	fan_whereabouts_free(&fanfare->whereabouts);
	fan_additions_free(&fanfare->additions);
}

int
fan_registry_may_change(const struct fanfare *fanfare, const char *function)
{
	const int error = fan_in_own_process(fanfare->process);

	if (error == 0 && fanfare->batching)
		return fan_fail(FAN_E_BUSY, "%s() in a batch: fan_commit() or fan_abort() ends it first", function);
	return error;
}

/* ---- Additions ----------------------------------------------------------------------------------------------------------- */

static int
begin_additions(struct fanfare *fanfare)
{
	fanfare->additions.hops_before = fanfare->dataplane->hop_count;
	return fanfare->store != NULL ? fan_store_begin(fanfare->store) : 0;
}

void
fan_registry_forget_place(struct fanfare *fanfare, unsigned table, uint32_t slot)
{
	struct fan_ue_place nowhere;

	fan_ue_place_init(&nowhere);
	(void)fan_whereabouts_set(&fanfare->whereabouts, table, &fanfare->dataplane->tables[table], slot, &nowhere);
}

/* Takes a context out that no worker has seen. */
static void
drop_ue(struct fanfare *fanfare, unsigned table_index, uint32_t slot, const char *identity)
{
	struct fan_context_table *table = &fanfare->dataplane->tables[table_index];

	if (fanfare->store != NULL)
		fan_identities_remove(&fanfare->identities, fan_identity_entry(&fanfare->keys, identity, table_index, slot));
	fan_lease_ends_set(&fanfare->lease_ends, &(struct fan_lease_end){ .table = table_index, .slot = slot });
	fan_registry_forget_place(fanfare, table_index, slot);
	fan_receipts_leave(fanfare->receipts, table_index, slot);
	fan_context_release_keys(&fanfare->keys, table, slot);
	fan_context_remove(table, slot);
}

/* The last slot of a table first, so that freed slots are given out again in ascending order. */
static void
drop_additions(struct fanfare *fanfare)
{
	struct fan_additions *additions = &fanfare->additions;

	if (fanfare->store != NULL)
		fan_store_abort(fanfare->store);
	for (unsigned table = 0; table < fanfare->dataplane->table_count; table++)
		for (uint32_t slot = fan_additions_slots(additions, table); slot-- > 0;) {
			const struct fan_addition *const addition = fan_additions_find(additions, table, slot);

			if (addition != NULL)
				drop_ue(fanfare, table, slot, fan_addition_identity(additions, addition));
		}
	fanfare->dataplane->hop_count = additions->hops_before;
	fan_additions_free(additions);
}

/* As the keys of their records do. */
static int
compare_tables(const void *left, const void *right, void *tables)
{
	const struct fan_context_table *const of = tables;

	return memcmp(&of[*(const uint16_t *)left].protection, &of[*(const uint16_t *)right].protection,
		      sizeof(of->protection));
}

/* Calls `each` for runs of contexts that were added, in ascending order of their records' keys, until it answers an error. */
static int
each_run(struct fanfare *fanfare, int (*each)(struct fanfare *fanfare, unsigned table, uint32_t first, uint32_t count))
{
	const struct fan_dataplane *const dataplane = fanfare->dataplane;
	uint16_t order[FAN_TABLES_MAX];
	int error = 0;

	for (unsigned i = 0; i < dataplane->table_count; i++)
		order[i] = (uint16_t)i;
	qsort_r(order, dataplane->table_count, sizeof(order[0]), compare_tables, dataplane->tables);
	for (unsigned i = 0; i < dataplane->table_count; i++)
		for (uint32_t first = 0, end; error == 0 && fan_additions_run(&fanfare->additions, &first, &end, order[i]);
		     first = end)
			error = each(fanfare, order[i], first, end - first);
	return error;
}

/* Whether the store has a UE behind a run: 1, 0 or an error. */
static int
is_between(const struct fanfare *fanfare, unsigned table, uint32_t first, uint32_t count)
{
	struct fan_record record = { .kind = FAN_RECORD_UE };
	int error;

	record.ue.table = fanfare->dataplane->tables[table].protection;
	record.ue.slot = first + count;
	error = fan_store_next(fanfare->store, &record);
	fan_registry_wipe(&record);
	return error == FAN_E_NOT_FOUND ? 0 : error == 0 ? 1 : error;
}

static int
put_ue(struct fanfare *fanfare, unsigned table, uint32_t slot)
{
	struct fan_record record;
	int error = fan_registry_get_ue(fanfare, &record, table, slot);

	if (error == 0)
		error = fan_store_put(fanfare->store, &record);
	fan_registry_wipe(&record);
	return error;
}

/* Behind the last record of all they fill pages to the end. Between others they split pages in the middle, and leave the first half as it is:
 * those of the first shares are put there, and the others find room among them. */
static int
put_run(struct fanfare *fanfare, unsigned table, uint32_t first, uint32_t count)
{
	const int between = is_between(fanfare, table, first, count);
	int error = between < 0 ? between : 0;

	for (unsigned from = 0, end = between > 0 ? FIRST_SHARES : SHARES; error == 0 && from < SHARES;
	     from = end, end = SHARES)
		for (uint32_t i = 0; error == 0 && i < count; i++)
			if (i % SHARES >= from && i % SHARES < end)
				error = put_ue(fanfare, table, first + i);
	return error;
}

static int
note_run(struct fanfare *fanfare, unsigned table, uint32_t first, uint32_t count)
{
	fan_ledger_put_done(fanfare, table, first, count);
	return 0;
}

static int
write_additions(struct fanfare *fanfare)
{
	int error = each_run(fanfare, put_run);

	if (error == 0)
		error = each_run(fanfare, fan_ledger_put);
	error = fan_ledger_end(fanfare, error);
	return error == 0 ? each_run(fanfare, note_run) : error;
}

static int
commit_additions(struct fanfare *fanfare)
{
	const int error = fanfare->store != NULL ? write_additions(fanfare) : 0;

	if (error == 0)
		fan_additions_free(&fanfare->additions);
	return error;
}

int
fan_additions_begin(struct fanfare *fanfare)
{
	return fanfare->batching ? 0 : begin_additions(fanfare);
}

int
fan_additions_end(struct fanfare *fanfare, int error)
{
	if (fanfare->batching)
		return error;
	if (error == 0)
		error = commit_additions(fanfare);
	if (error != 0)
		drop_additions(fanfare);
	return error;
}

int
fan_begin(struct fanfare *fanfare)
{
	int error = fan_registry_may_change(fanfare, "fan_begin");

	if (error == 0)
		error = begin_additions(fanfare);
	fanfare->batching = fanfare->batching || error == 0;
	return error;
}

int
fan_commit(struct fanfare *fanfare)
{
	const int error = fan_in_own_process(fanfare->process);

	if (error != 0)
		return error;
	if (!fanfare->batching)
		return fan_fail(FAN_E_INVALID, "no batch has begun: fan_begin()");
	fanfare->batching = false;
	return fan_additions_end(fanfare, 0);
}

void
fan_abort(struct fanfare *fanfare)
{
	if (fan_in_own_process(fanfare->process) != 0 || !fanfare->batching)
		return;
	fanfare->batching = false;
	drop_additions(fanfare);
}

int
fan_store_rotate(struct fanfare *fanfare, const char *key_file)
{
	const int error = fan_registry_may_change(fanfare, "fan_store_rotate");

	if (error != 0)
		return error;
	if (fanfare->store == NULL || key_file == NULL)
		return fan_fail(FAN_E_INVALID, "no store is open, or no file of a key is named");
	return fan_store_rotate_key(fanfare->store, key_file);
}

/* ---- Next hops ------------------------------------------------------------------------------------------------------------ */

static int
put_hop(struct fanfare *fanfare, unsigned index, const struct fan_next_hop *next_hop)
{
	struct fan_record record = { .kind = FAN_RECORD_NEXT_HOP };

	record.next_hop.index = (uint16_t)index;
	memcpy(record.next_hop.ethernet, next_hop->ethernet, sizeof(record.next_hop.ethernet));
	memcpy(record.next_hop.address, next_hop->address, fanfare->dataplane->link.ipv6 ? 16 : 4);
	return fan_store_put(fanfare->store, &record);
}

int
fan_registry_add_hop(struct fanfare *fanfare, unsigned index, const struct fan_next_hop *next_hop)
{
	return fanfare->store == NULL ? 0 : put_hop(fanfare, index, next_hop);
}

int
fan_registry_change_hop(struct fanfare *fanfare, unsigned index, const struct fan_next_hop *next_hop)
{
	const int error = fanfare->store == NULL ? 0 : fan_store_begin(fanfare->store);

	if (fanfare->store == NULL || error != 0)
		return error;
	return fan_store_end(fanfare->store, put_hop(fanfare, index, next_hop));
}

/* ---- UEs ------------------------------------------------------------------------------------------------------------------- */

/* A store whose last commit failed is read again once a transaction could begin; else what was wrong is told. */
static int
get(struct fan_store *store, struct fan_record *record)
{
	const int error = fan_store_get(store, record);
	char line[FAN_ERROR_BYTES];

	if (error != FAN_E_IO)
		return error;
	snprintf(line, sizeof(line), "%s", fan_error_detail());
	if (fan_store_begin(store) != 0) {
		fan_error_record("%s", line);
		return error;
	}
	fan_store_abort(store);
	return fan_store_get(store, record);
}

/* The record of a UE that was added and is not in the store yet. In: record->table and slot, the rest of it zero. */
static void
compose(const struct fanfare *fanfare, struct fan_record_ue *record, unsigned table, const struct fan_addition *addition)
{
	const char *const identity = fan_addition_identity(&fanfare->additions, addition);
	const struct fan_context_table *const contexts = &fanfare->dataplane->tables[table];
	struct fan_ue_place place;

	memcpy(record->identity, identity, strlen(identity));
	record->capabilities = addition->capabilities;
	record->reachable = (contexts->slots[record->slot].flags & FAN_CONTEXT_UNREACHABLE) == 0;
	fan_context_tell(contexts, &record->ue, record->slot);
	if (contexts->names != NULL)
		fan_context_tell_b_tid(contexts, record->b_tid, record->slot);
	record->messages_before = fanfare->dataplane->flights.accepted;
	record->ue.emergency = addition->emergency;
	record->ue.uplink_teid = addition->uplink_teid;
	record->ue.lease_until_ms = fan_lease_end(&fanfare->lease_ends, table, record->slot);
	fan_whereabouts_get(&fanfare->whereabouts, &place, table, record->slot);
	memcpy(record->ue.plmn, place.plmn, sizeof(record->ue.plmn));
	record->ue.area = place.area;
	record->ue.broadcast_id = place.broadcast_id;
	/* The NR-U SN rises with COUNT (ledger.c). */
	if (fan_kind_is_bearer(record->ue.kind))
		record->ue.nru_sn = (record->ue.nru_sn - record->ue.count) & 0xffffff;
}

int
fan_registry_get_ue(const struct fanfare *fanfare, struct fan_record *record, unsigned table, uint32_t slot)
{
	const struct fan_addition *const addition = fan_additions_find(&fanfare->additions, table, slot);

	memset(record, 0, sizeof(*record));
	record->kind = FAN_RECORD_UE;
	record->ue.table = fanfare->dataplane->tables[table].protection;
	record->ue.slot = slot;
	if (addition == NULL)
		return get(fanfare->store, record);
	compose(fanfare, &record->ue, table, addition);
	return 0;
}

void
fan_registry_wipe(struct fan_record *record)
{
	explicit_bzero(record->ue.ue.k_enc, sizeof(record->ue.ue.k_enc));
	explicit_bzero(record->ue.ue.k_int, sizeof(record->ue.ue.k_int));
}

/* Whether a context is an identity's: 1, 0 or an error. */
static int
is_of(const struct fanfare *fanfare, uint64_t entry, const char *identity)
{
	struct fan_record record;
	const int error = fan_registry_get_ue(fanfare, &record, fan_identity_table(entry), fan_identity_slot(entry));

	fan_registry_wipe(&record);
	return error != 0 ? error : strcmp(record.ue.identity, identity) == 0;
}

/* The next context of an identity, behind *at. Out: *found. Returns 1, 0 at the end, or an error. */
static int
next_of(const struct fanfare *fanfare, uint64_t *found, size_t *at, const char *identity)
{
	const uint64_t sought = fan_identity_entry(&fanfare->keys, identity, 0, 0);
	int is = 0;

	while (is == 0 && (*found = fan_identities_next(&fanfare->identities, at, sought)) != 0)
		is = is_of(fanfare, *found, identity);
	return is;
}

unsigned
fan_ue_lookup(const struct fanfare *fanfare, fan_context_id *ids, unsigned id_max, const char *identity)
{
	unsigned count = 0;
	uint64_t found;
	size_t at = 0;
	int is = fan_in_own_process(fanfare->process);

	if (is != 0 || fanfare->store == NULL)
		return 0;
	while ((is = next_of(fanfare, &found, &at, identity)) > 0)
		if (count++ < id_max)
			ids[count - 1] = fan_context_name(fanfare, fan_identity_table(found), fan_identity_slot(found));
	return is < 0 ? 0 : count;
}

/* Whether a context that is there stands where another is to stand: the same kind and BEARER, and of NAS the same bearer identity. */
static bool
same_bearer(const struct fanfare *fanfare, uint64_t entry, const struct fan_ue *ue)
{
	const struct fan_context_table *table = &fanfare->dataplane->tables[fan_identity_table(entry)];

	return table->protection.kind == ue->kind &&
	       table->slots[fan_identity_slot(entry)].bearer_direction >> 3 == ue->bearer &&
	       (!fan_kind_is_nas(ue->kind) || table->protection.bearer_id == ue->bearer_id);
}

/* In: an identity that is not too long. */
static int
check_single(const struct fanfare *fanfare, const struct fan_ue *ue)
{
	uint64_t found;
	size_t at = 0;
	int is;

	while ((is = next_of(fanfare, &found, &at, ue->identity)) > 0)
		if (same_bearer(fanfare, found, ue))
			return fan_fail(
				FAN_E_EXISTS,
				"UE %s has a context of this kind with BEARER %u and bearer identity %u already: release it first",
				ue->identity, ue->bearer, fan_kind_is_nas(ue->kind) ? (unsigned)ue->bearer_id : 0);
	return is;
}

int
fan_registry_reserve_ue(struct fanfare *fanfare, const struct fan_ue *ue)
{
	int error;

	if (ue->lease_until_ms < 0)
		return fan_fail(FAN_E_INVALID, "lease_until_ms %ld: since 1970, or 0", ue->lease_until_ms);
	if (fanfare->store == NULL)
		return 0;
	if (ue->identity == NULL)
		return fan_fail(FAN_E_INVALID, "a UE without an identity: a store takes none; IMSI, or local@domain");
	if (strnlen(ue->identity, FAN_IDENTITY_BYTES) == FAN_IDENTITY_BYTES)
		return fan_fail(FAN_E_INVALID, "identity of a UE: at most %d octets", FAN_IDENTITY_BYTES - 1);
	error = check_single(fanfare, ue);
	return error == 0 ? fan_identities_reserve(&fanfare->identities, fan_identity_entry(&fanfare->keys, ue->identity, 0, 0))
			  : error;
}

/* Whether the store will take a UE that was added. */
static int
check_record(const struct fanfare *fanfare, unsigned table, uint32_t slot)
{
	struct fan_record record;
	int error = fan_registry_get_ue(fanfare, &record, table, slot);

	if (error == 0)
		error = fan_store_check(&record);
	fan_registry_wipe(&record);
	return error;
}

int
fan_registry_add_ue(struct fanfare *fanfare, unsigned table, uint32_t slot, const struct fan_ue *ue)
{
	struct fan_additions *additions = &fanfare->additions;
	const struct fan_lease_end end = { .until_ms = ue->lease_until_ms, .table = table, .slot = slot };
	int error = end.until_ms != 0 ? fan_lease_ends_reserve(&fanfare->lease_ends, &end) : 0;

	if (error == 0)
		error = fan_additions_put(additions, table, slot, ue);
	if (error != 0)
		return error;
	if (fanfare->store != NULL)
		error = check_record(fanfare, table, slot);
	if (error != 0) {
		fan_additions_take_back(additions, table, slot);
		return error;
	}
	if (fanfare->store != NULL)
		fan_identities_add(&fanfare->identities, fan_identity_entry(&fanfare->keys, ue->identity, table, slot));
	fan_lease_ends_set(&fanfare->lease_ends, &end);
	return 0;
}

/* Within a transaction. */
static int
change(struct fanfare *fanfare, unsigned table, uint32_t slot, const struct fan_registry_change *what)
{
	struct fan_record record;
	int error = fan_registry_get_ue(fanfare, &record, table, slot);

	if (error == 0) {
		what->change(&record.ue, what->value);
		error = fan_store_put(fanfare->store, &record);
	}
	fan_registry_wipe(&record);
	if (error == 0 && what->settled)
		error = fan_ledger_put(fanfare, table, slot, 1);
	return error;
}

int
fan_registry_change_ue(struct fanfare *fanfare, unsigned table, uint32_t slot, const struct fan_registry_change *what)
{
	int error = fanfare->store == NULL ? 0 : fan_store_begin(fanfare->store);

	if (fanfare->store == NULL || error != 0)
		return error;
	error = fan_store_end(fanfare->store, change(fanfare, table, slot, what));
	if (error == 0 && what->settled)
		fan_ledger_put_done(fanfare, table, slot, 1);
	return error;
}

int
fan_registry_delete_ue(struct fanfare *fanfare, unsigned table, uint32_t slot)
{
	struct fan_record record;
	int error = fanfare->store == NULL ? 0 : fan_store_begin(fanfare->store);

	if (fanfare->store == NULL || error != 0)
		return error;
	error = fan_registry_get_ue(fanfare, &record, table, slot);
	fan_registry_wipe(&record);
	if (error == 0)
		error = fan_store_delete(fanfare->store, &record);
	if (error == 0)
		error = fan_keyrings_put_removal(fanfare, table, slot);
	error = fan_store_end(fanfare->store, error);
	if (error == 0)
		fan_identities_remove(&fanfare->identities,
				      fan_identity_entry(&fanfare->keys, record.ue.identity, table, slot));
	return error;
}

/* ---- Groups ---------------------------------------------------------------------------------------------------------------- */

static struct fan_record
group_record(const struct fan_group *group)
{
	struct fan_record record = { .kind = FAN_RECORD_GROUP };

	static_assert(sizeof(record.group.gid) == sizeof(group->gid), "a record has room for every GID");
	memcpy(record.group.gid, group->gid, sizeof(group->gid));
	return record;
}

/* What outlives a group: Gki that its members take no second time. */
static struct fan_record
spent_record(const struct fan_group *group)
{
	struct fan_record record = { .kind = FAN_RECORD_SPENT_KEY };

	static_assert(sizeof(record.spent_key.gki_used) == sizeof(group->gki_used), "a record has room for every Gki");
	fan_seal_hash(record.spent_key.fingerprint, sizeof(record.spent_key.fingerprint), "fanfare GID 1", group->gid,
		      strlen(group->gid));
	memcpy(record.spent_key.gki_used, group->gki_used, sizeof(group->gki_used));
	return record;
}

/* Out: group->gki_used, as a former group of this GID has left it. */
static int
inherit_gkis(struct fan_store *store, struct fan_group *group)
{
	struct fan_record spent = spent_record(group);
	const int error = fan_store_get(store, &spent);

	if (error == 0)
		memcpy(group->gki_used, spent.spent_key.gki_used, sizeof(group->gki_used));
	return error == FAN_E_NOT_FOUND ? 0 : error;
}

static int
put_new_group(struct fan_store *store, const struct fan_group *group)
{
	struct fan_record record = group_record(group);

	memcpy(record.group.gki_used, group->gki_used, sizeof(group->gki_used));
	return fan_store_put(store, &record);
}

int
fan_registry_put_group(struct fanfare *fanfare, struct fan_group *group)
{
	int error = fanfare->store == NULL ? 0 : fan_store_begin(fanfare->store);

	if (fanfare->store == NULL || error != 0)
		return error;
	error = inherit_gkis(fanfare->store, group);
	return fan_store_end(fanfare->store, error == 0 ? put_new_group(fanfare->store, group) : error);
}

/* What is not given stays as it is in the record. */
static int
change_group(struct fanfare *fanfare, const struct fan_group *group, const struct fan_policy *policy,
	     const struct fan_admission *admission)
{
	struct fan_record record = group_record(group);
	int error = fanfare->store == NULL ? 0 : fan_store_begin(fanfare->store);

	if (fanfare->store == NULL || error != 0)
		return error;
	error = fan_store_get(fanfare->store, &record);
	if (policy != NULL)
		record.group.policy = *policy;
	if (admission != NULL) {
		record.group.needs_all = admission->all;
		record.group.needs_any = admission->any;
	}
	if (error == 0)
		error = fan_store_put(fanfare->store, &record);
	return fan_store_end(fanfare->store, error);
}

int
fan_registry_put_policy(struct fanfare *fanfare, const struct fan_group *group, const struct fan_policy *policy)
{
	return change_group(fanfare, group, policy, NULL);
}

int
fan_registry_put_admission(struct fanfare *fanfare, const struct fan_group *group, const struct fan_admission *admission)
{
	return change_group(fanfare, group, NULL, admission);
}

static int
bequeath_gkis(struct fan_store *store, const struct fan_group *group)
{
	static const uint8_t none[sizeof(group->gki_used)];
	const struct fan_record spent = spent_record(group);

	return memcmp(group->gki_used, none, sizeof(none)) != 0 ? fan_store_put(store, &spent) : 0;
}

static int
delete_group(struct fan_store *store, const struct fan_group *group)
{
	const struct fan_record record = group_record(group);

	return fan_store_delete(store, &record);
}

int
fan_registry_delete_group(struct fanfare *fanfare, const struct fan_group *group)
{
	int error = fanfare->store == NULL ? 0 : fan_store_begin(fanfare->store);

	if (fanfare->store == NULL || error != 0)
		return error;
	error = delete_group(fanfare->store, group);
	return fan_store_end(fanfare->store, error == 0 ? bequeath_gkis(fanfare->store, group) : error);
}

/* The key of members of a group, in slots from a multiple of FAN_MEMBERS_CONTEXTS on. */
static struct fan_record
window_record(const struct fan_group *group, unsigned table, unsigned profile, uint32_t slot)
{
	struct fan_record record = { .kind = FAN_RECORD_MEMBERS };

	memcpy(record.members.gid, group->gid, sizeof(group->gid));
	record.members.table = group->fanfare->dataplane->tables[table].protection;
	record.members.profile = (uint8_t)profile;
	record.members.first_slot = slot - slot % FAN_MEMBERS_CONTEXTS;
	return record;
}

int
fan_registry_put_window(struct fan_store *store, const struct fan_record *record)
{
	static const uint8_t none[sizeof(record->members.member)];
	int error;

	if (memcmp(record->members.member, none, sizeof(none)) != 0)
		return fan_store_put(store, record);
	error = fan_store_delete(store, record);
	return error == FAN_E_NOT_FOUND ? 0 : error;
}

/* Of slots first .. last and one profile. */
static int
put_profile(const struct fan_group *group, const struct fan_registry_sets *sets, unsigned table, unsigned profile,
	    uint32_t first, uint32_t last)
{
	struct fan_record record = window_record(group, table, profile | sets->mark, first);
	uint8_t *const member = record.members.member;
	uint8_t former[sizeof(record.members.member)];
	int error = 0;

	for (uint64_t slot = record.members.first_slot; error == 0 && slot <= last; slot += FAN_MEMBERS_CONTEXTS) {
		record.members.first_slot = (uint32_t)slot;
		fan_members_read(sets->next, member, (uint16_t)table, profile, (uint32_t)slot, FAN_MEMBERS_CONTEXTS);
		fan_members_read(sets->former, former, (uint16_t)table, profile, (uint32_t)slot, FAN_MEMBERS_CONTEXTS);
		if (memcmp(member, former, sizeof(former)) != 0)
			error = fan_registry_put_window(group->fanfare->store, &record);
	}
	return error;
}

static int
put_key(struct fan_store *store, const struct fan_record_group_key *key)
{
	struct fan_record record = { .kind = FAN_RECORD_GROUP_KEY };
	int error;

	record.group_key = *key;
	error = fan_store_put(store, &record);
	explicit_bzero(&record, sizeof(record));
	return error;
}

int
fan_registry_put_members(const struct fan_group *group, const struct fan_registry_sets *sets, unsigned set_count,
			 const struct fan_record_group_key *key, unsigned table, uint32_t first, uint32_t last)
{
	struct fan_store *const store = group->fanfare->store;
	int error = store == NULL ? 0 : fan_store_begin(store);

	if (store == NULL || error != 0)
		return error;
	for (unsigned i = 0; i < set_count; i++)
		for (unsigned profile = 0; error == 0 && profile < FAN_PROFILE_COUNT; profile++)
			error = put_profile(group, &sets[i], table, profile, first, last);
	if (error == 0 && key != NULL)
		error = put_key(store, key);
	return fan_store_end(store, error);
}

/* Of one profile. In/Out: *put_count, records that were written. In: mark, as of fan_registry_sets. */
static int
clear_profile(const struct fan_group *group, const struct fan_members *members, uint8_t mark, unsigned *put_count,
	      unsigned table, unsigned profile, const roaring_bitmap_t *leaving)
{
	uint8_t less[FAN_MEMBERS_CONTEXTS / 8];
	uint32_t slot = 0;
	int error = 0;

	while (error == 0 && fan_members_next_of(members, &slot, (uint16_t)table, profile, leaving)) {
		struct fan_record record = window_record(group, table, profile | mark, slot);
		const uint32_t first = record.members.first_slot;

		fan_members_read(members, record.members.member, (uint16_t)table, profile, first, FAN_MEMBERS_CONTEXTS);
		fan_slots_read(leaving, less, first, FAN_MEMBERS_CONTEXTS);
		for (size_t i = 0; i < sizeof(less); i++)
			record.members.member[i] &= (uint8_t)~less[i];
		error = fan_registry_put_window(group->fanfare->store, &record);
		slot = first + FAN_MEMBERS_CONTEXTS;
		++*put_count;
	}
	return error;
}

int
fan_registry_clear_members(const struct fan_group *group, unsigned *put_count, unsigned table, const roaring_bitmap_t *leaving)
{
	int error = 0;

	for (unsigned profile = 0; error == 0 && profile < FAN_PROFILE_COUNT; profile++)
		error = clear_profile(group, fan_profile_is_key((enum fan_profile)profile) ? &group->able : &group->members, 0,
				      put_count, table, profile, leaving);
	for (unsigned profile = 0; error == 0 && group->keys != NULL && profile < FAN_PROFILE_COUNT; profile++)
		error = clear_profile(group, &group->keys->held, FAN_MEMBERS_HELD, put_count, table, profile, leaving);
	return error;
}
