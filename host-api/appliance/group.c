/* SPDX-License-Identifier: BSD-3-Clause */
#include "admission.h"
#include "registry.h"

#include <stdlib.h>
#include <string.h>

/* How many groups have a lower GID. Out: *found, whether the next has this one. */
static size_t
position(const struct fanfare *fanfare, bool *found, const char *gid)
{
	size_t low = 0, high = fanfare->group_count;

	*found = false;
	while (low < high && !*found) {
		const size_t middle = low + (high - low) / 2;
		const int order = strcmp(fanfare->group_order[middle]->gid, gid);

		*found = order == 0;
		low = order < 0 ? middle + 1 : *found ? middle : low;
		high = order > 0 ? middle : high;
	}
	return low;
}

static int
reserve_group(struct fanfare *fanfare)
{
	const size_t room = fanfare->group_room == 0 ? 16 : 2 * fanfare->group_room;
	struct fan_group **order;

	if (fanfare->group_count < fanfare->group_room)
		return 0;
	order = realloc(fanfare->group_order, room * sizeof(struct fan_group *));
	if (order == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for %zu groups", room);
	fanfare->group_order = order;
	fanfare->group_room = room;
	return 0;
}

/* In: a group whose GID is taken by no other, and room for it. */
static void
enter(struct fanfare *fanfare, struct fan_group *group, size_t at)
{
	struct fan_group **const place = fanfare->group_order + at;

	memmove(place + 1, place, (fanfare->group_count - at) * sizeof(struct fan_group *));
	*place = group;
	fanfare->group_count++;
	group->fanfare = fanfare;
	group->next = fanfare->groups;
	group->link = &fanfare->groups;
	if (group->next != NULL)
		group->next->link = &group->next;
	fanfare->groups = group;
	fan_changes_note_keys(group);
	fan_changes_note_able(group);
}

int
fan_group_enter(struct fanfare *fanfare, struct fan_group **out, const char *gid)
{
	struct fan_group *group = calloc(1, sizeof(*group));
	bool found = false;
	size_t at = 0;
	int error = group == NULL ? fan_fail(FAN_E_MEMORY, "no memory for a group") : fan_gid_canonical(group->gid, gid);

	if (error == 0)
		at = position(fanfare, &found, group->gid);
	if (error == 0)
		error = found ? fan_fail(FAN_E_EXISTS, "group %s exists already", group->gid) : reserve_group(fanfare);
	if (error != 0) {
		free(group);
		return error;
	}
	enter(fanfare, group, at);
	*out = group;
	return 0;
}

int
fan_group_create(struct fanfare *fanfare, struct fan_group **out, const char *gid)
{
	struct fan_group *group;
	int error = fan_registry_may_change(fanfare, "fan_group_create");

	if (error == 0)
		error = fan_group_enter(fanfare, &group, gid);
	if (error != 0)
		return error;
	error = fan_registry_put_group(fanfare, group);
	if (error != 0)
		fan_group_forget(group);
	else
		*out = group;
	return error;
}

struct fan_group *
fan_group_find(struct fanfare *fanfare, const char *gid)
{
	char canonical[FAN_GID_BYTES_MAX + 1];
	bool found;
	size_t at;

	if (fan_in_own_process(fanfare->process) != 0 || fan_gid_canonical(canonical, gid) != 0)
		return NULL;
	at = position(fanfare, &found, canonical);
	if (!found)
		(void)fan_fail(FAN_E_NOT_FOUND, "no group is named %s", canonical);
	return found ? fanfare->group_order[at] : NULL;
}

struct fan_group *
fan_group_next(struct fanfare *fanfare, const char *gid)
{
	char canonical[FAN_GID_BYTES_MAX + 1];
	bool found;
	size_t at = 0;

	if (fan_in_own_process(fanfare->process) != 0 || (gid != NULL && fan_gid_canonical(canonical, gid) != 0))
		return NULL;
	if (gid != NULL) {
		at = position(fanfare, &found, canonical);
		at += found;
	}
	return at < fanfare->group_count ? fanfare->group_order[at] : NULL;
}

void
fan_group_forget(struct fan_group *group)
{
	struct fanfare *const fanfare = group->fanfare;
	bool found;
	const size_t at = position(fanfare, &found, group->gid);
	struct fan_group **const place = fanfare->group_order + at;

	memmove(place, place + 1, (--fanfare->group_count - at) * sizeof(struct fan_group *));
	fan_changes_note_deletion(fanfare);
	fan_removals_pass_over(group);
	*group->link = group->next;
	if (group->next != NULL)
		group->next->link = group->link;
	fan_keyring_forget(group);
	fan_members_free(&group->members);
	fan_members_free(&group->able);
	fan_members_free(&group->elsewhere);
	fan_snapshot_release(group->snapshot);
	fan_snapshot_release(group->elsewhere_snapshot);
	free(group->policy);
	free(group);
}

int
fan_group_delete(struct fan_group *group)
{
	int error = group == NULL ? 0 : fan_registry_may_change(group->fanfare, "fan_group_delete");

	if (group != NULL && error == 0)
		error = fan_registry_delete_group(group->fanfare, group);
	if (group != NULL && error == 0)
		fan_group_forget(group);
	return error;
}

const char *
fan_group_gid(const struct fan_group *group)
{
	return group->gid;
}

int
fan_group_add(struct fan_group *group, fan_context_id id, enum fan_profile profile)
{
	return fan_group_add_list(group, &id, 1, profile);
}

static void
forget_snapshot(struct fan_group *group)
{
	fan_snapshot_release(group->snapshot);
	group->snapshot = NULL;
}

/* In: a profile that it is about. */
static void
note_change(struct fan_group *group, enum fan_profile profile)
{
	forget_snapshot(group);
	if (fan_profile_is_key(profile))
		fan_changes_note_able(group);
}

/* Who has a profile: those of keys are apart from the others. */
static struct fan_members *
set_of(struct fan_group *group, enum fan_profile profile)
{
	return fan_profile_is_key(profile) ? &group->able : &group->members;
}

static void
replace(struct fan_members *former, const struct fan_members *members)
{
	fan_members_free(former);
	*former = *members;
}

/* Adds contexts of one table, in ascending order, by runs of consecutive slots. */
static int
add_runs(struct fan_members *members, const fan_context_id *ids, size_t id_count, enum fan_profile profile)
{
	const uint16_t table = (uint16_t)fan_context_table_index(ids[0]);
	int error = 0;

	for (size_t i = 0, end; error == 0 && i < id_count; i = end) {
		for (end = i + 1; end < id_count && (uint32_t)ids[end] == (uint32_t)ids[end - 1] + 1;)
			end++;
		error = fan_members_add_range(members, table, profile, (uint32_t)ids[i], end - i);
	}
	return error;
}

/* The members are changed in a copy, which takes their place once it is durable. */
static int
add_durably(struct fan_group *group, const fan_context_id *ids, size_t id_count, enum fan_profile profile)
{
	struct fan_members *const set = set_of(group, profile);
	struct fan_members members;
	struct fan_record_group_key record;
	const struct fan_registry_sets change = { .former = set, .next = &members };
	int error = fan_members_snapshot(&members, set);

	if (error == 0)
		error = add_runs(&members, ids, id_count, profile);
	if (error == 0)
		error = fan_registry_put_members(group, &change, 1, fan_keyring_on_joining(&record, group, profile),
						 fan_context_table_index(ids[0]), (uint32_t)ids[0],
						 (uint32_t)ids[id_count - 1]);
	explicit_bzero(&record, sizeof(record));
	if (error != 0) {
		fan_members_free(&members);
		return error;
	}
	fan_keyring_joined(group, &members, profile);
	replace(set, &members);
	note_change(group, profile);
	return 0;
}

static int
check_list(const struct fan_group *group, const fan_context_id *ids, size_t id_count)
{
	uint32_t slot;

	for (size_t i = 0; i < id_count; i++) {
		if (fan_context_find(group->fanfare, &slot, ids[i]) == NULL)
			return FAN_E_NOT_FOUND;
		if (i > 0 &&
		    (fan_context_table_index(ids[i]) != fan_context_table_index(ids[0]) || slot <= (uint32_t)ids[i - 1]))
			return fan_fail(FAN_E_INVALID,
					"members %zu and %zu of the list: of one table, in ascending order of slots", i - 1, i);
	}
	return id_count > 0 ? 0 : fan_fail(FAN_E_INVALID, "a list of no members");
}

int
fan_profile_check(enum fan_profile profile, const struct fan_context_table *table)
{
	return (unsigned)profile < FAN_PROFILE_COUNT && fan_profile_kind(profile) == (enum fan_kind)table->protection.kind
		       ? 0
		       : fan_fail(FAN_E_INVALID, "profile %s is not one of the context's kind",
				  (unsigned)profile < FAN_PROFILE_COUNT ? fan_profile_name(profile) : "(unknown)");
}

int
fan_group_add_list(struct fan_group *group, const fan_context_id *ids, size_t id_count, enum fan_profile profile)
{
	int error = fan_registry_may_change(group->fanfare, "fan_group_add_list");

	if (error == 0)
		error = check_list(group, ids, id_count);
	if (error == 0)
		error = fan_profile_check(profile, &group->fanfare->dataplane->tables[fan_context_table_index(ids[0])]);
	if (error == 0)
		error = fan_admission_check(group, ids, id_count);
	if (error != 0)
		return error;
	if (group->fanfare->store != NULL || (group->keys != NULL && fan_profile_is_key(profile))) {
		error = add_durably(group, ids, id_count, profile);
	} else {
		note_change(group, profile);
		error = add_runs(set_of(group, profile), ids, id_count, profile);
	}
	for (size_t i = 0; i < id_count && group->policy != NULL; i++)
		fan_choice_settle(group, fan_context_table_index(ids[i]), (uint32_t)ids[i]);
	return error;
}

int
fan_group_add_range(struct fan_group *group, fan_context_id first, size_t count, enum fan_profile profile)
{
	uint32_t from;
	int error = fan_registry_may_change(group->fanfare, "fan_group_add");
	fan_context_id *ids;

	if (error == 0 && fan_context_find_range(group->fanfare, &from, first, count) == NULL)
		error = FAN_E_NOT_FOUND;
	if (error != 0)
		return error;
	ids = malloc(count * sizeof(*ids));
	if (ids == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory to add %zu members at a time", count);
	for (size_t i = 0; i < count; i++)
		ids[i] = first + i;
	error = fan_group_add_list(group, ids, count, profile);
	free(ids);
	return error;
}

/* Out: a copy without a slot, which need not be there. */
static int
copy_without(struct fan_members *members, const struct fan_members *of, unsigned table, uint32_t slot)
{
	const int error = fan_members_snapshot(members, of);

	return error == 0 && fan_members_has(members, (uint16_t)table, slot)
		       ? fan_members_remove(members, (uint16_t)table, slot)
		       : error;
}

/* Who leaves is neither a member nor able, nor known to have the key, whose successor may be due: all in one write. */
static int
remove_durably(struct fan_group *group, unsigned table, uint32_t slot)
{
	static const struct fan_members none;
	const struct fan_members *const held = group->keys != NULL ? &group->keys->held : &none;
	struct fan_members members = none, able = none, holders = none;
	const struct fan_registry_sets changes[] = { { .former = &group->members, .next = &members },
						     { .former = &group->able, .next = &able },
						     { .former = held, .next = &holders, .mark = FAN_MEMBERS_HELD } };
	struct fan_record_group_key record;
	int error = copy_without(&members, &group->members, table, slot);

	if (error == 0)
		error = copy_without(&able, &group->able, table, slot);
	if (error == 0)
		error = copy_without(&holders, held, table, slot);
	if (error == 0)
		error = fan_registry_put_members(group, changes, 3, fan_keyring_on_leaving(&record, group, table, slot), table,
						 slot, slot);
	explicit_bzero(&record, sizeof(record));
	fan_members_free(&holders);
	if (error != 0) {
		fan_members_free(&members);
		fan_members_free(&able);
		return error;
	}
	fan_keyring_left(group, table, slot);
	replace(&group->members, &members);
	replace(&group->able, &able);
	note_change(group, FAN_PROFILE_EPS_NAS_KEY);
	return 0;
}

static int
remove_from_memory(struct fan_group *group, unsigned table, uint32_t slot)
{
	int error = 0;

	fan_keyring_left(group, table, slot);
	if (fan_members_has(&group->members, (uint16_t)table, slot))
		error = fan_members_remove(&group->members, (uint16_t)table, slot);
	if (error == 0 && fan_members_has(&group->able, (uint16_t)table, slot))
		error = fan_members_remove(&group->able, (uint16_t)table, slot);
	if (error == 0)
		note_change(group, FAN_PROFILE_EPS_NAS_KEY);
	return error;
}

int
fan_group_remove(struct fan_group *group, fan_context_id id)
{
	const unsigned table = fan_context_table_index(id);
	uint32_t slot;
	int error = fan_registry_may_change(group->fanfare, "fan_group_remove");

	if (error != 0)
		return error;
	if (fan_context_find(group->fanfare, &slot, id) == NULL)
		return FAN_E_NOT_FOUND;
	if (!fan_members_has(&group->members, (uint16_t)table, slot) && !fan_members_has(&group->able, (uint16_t)table, slot))
		return fan_fail(FAN_E_NOT_FOUND, "the context %#llx is no member of %s", (unsigned long long)id, group->gid);
	error = group->fanfare->store != NULL ? remove_durably(group, table, slot) : remove_from_memory(group, table, slot);
	fan_choice_settle(group, table, slot);
	return error;
}

/* From slot to slot, since `each` may change the group. */
void
fan_group_each(const struct fan_group *group, void (*each)(void *user, fan_context_id id, enum fan_profile profile), void *user)
{
	struct fanfare *const fanfare = group->fanfare;
	const bool nested = fanfare->in_callback;

	if (fan_in_own_process(fanfare->process) != 0)
		return;
	fanfare->in_callback = true;
	for (unsigned table = 0; table < fanfare->dataplane->table_count; table++)
		for (unsigned profile = 0; profile < FAN_PROFILE_COUNT; profile++)
			for (uint32_t slot = 0;
			     fan_members_next(fan_profile_is_key((enum fan_profile)profile) ? &group->able : &group->members,
					      &slot, (uint16_t)table, profile);
			     slot++)
				if (fan_context_present(&fanfare->dataplane->tables[table], slot))
					each(user, fan_context_name(fanfare, table, slot), profile);
	fanfare->in_callback = nested;
}

/* Members less those removed since: their slots are among the group's until they are freed. */
uint64_t
fan_group_size(const struct fan_group *group)
{
	uint64_t size = fan_members_count(&group->members);

	for (unsigned i = 0; group->fanfare->gone_count > 0 && i < group->members.set_count; i++) {
		const struct fan_member_set *set = &group->members.sets[i];
		const roaring_bitmap_t *gone = group->fanfare->removals[set->table].gone;

		size -= gone != NULL ? roaring_bitmap_and_cardinality(set->slots, gone) : 0;
	}
	return size;
}
