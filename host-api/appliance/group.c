/* SPDX-License-Identifier: BSD-3-Clause */
#include "handles.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

static int
compare_gids(const void *a, const void *b)
{
	return strcmp(a, b);
}

int
fan_group_create(struct fanfare *fanfare, struct fan_group **out, const char *gid)
{
	struct fan_group *group = calloc(1, sizeof(*group));
	struct fan_group **found;
	int error = group == NULL ? fan_fail(FAN_E_MEMORY, "no memory for a group") : fan_in_own_process(fanfare->process);

	if (error == 0)
		error = fan_gid_canonical(group->gid, gid);
	if (error != 0) {
		free(group);
		return error;
	}
	found = tsearch(group, &fanfare->group_tree, compare_gids);
	if (found == NULL || *found != group) {
		error = found == NULL ? fan_fail(FAN_E_MEMORY, "no memory for a group")
				      : fan_fail(FAN_E_EXISTS, "group %s exists already", group->gid);
		free(group);
		return error;
	}
	group->fanfare = fanfare;
	group->next = fanfare->groups;
	group->link = &fanfare->groups;
	if (group->next != NULL)
		group->next->link = &group->next;
	fanfare->groups = group;
	*out = group;
	return 0;
}

struct fan_group *
fan_group_find(struct fanfare *fanfare, const char *gid)
{
	char canonical[FAN_GID_BYTES_MAX + 1];
	struct fan_group **found;

	if (fan_in_own_process(fanfare->process) != 0 || fan_gid_canonical(canonical, gid) != 0)
		return NULL;
	found = tfind(canonical, &fanfare->group_tree, compare_gids);
	if (found == NULL)
		(void)fan_fail(FAN_E_NOT_FOUND, "no group is named %s", canonical);
	return found == NULL ? NULL : *found;
}

void
fan_group_delete(struct fan_group *group)
{
	if (group == NULL || fan_in_own_process(group->fanfare->process) != 0)
		return;
	tdelete(group, &group->fanfare->group_tree, compare_gids);
	fan_removals_pass_over(group);
	*group->link = group->next;
	if (group->next != NULL)
		group->next->link = group->link;
	fan_members_free(&group->members);
	fan_snapshot_release(group->snapshot);
	free(group);
}

const char *
fan_group_gid(const struct fan_group *group)
{
	return group->gid;
}

int
fan_group_add(struct fan_group *group, fan_context_id id, enum fan_profile profile)
{
	return fan_group_add_range(group, id, 1, profile);
}

static void
forget_snapshot(struct fan_group *group)
{
	fan_snapshot_release(group->snapshot);
	group->snapshot = NULL;
}

int
fan_group_add_range(struct fan_group *group, fan_context_id first, size_t count, enum fan_profile profile)
{
	uint32_t slot, from;
	const struct fan_context_table *table = fan_context_find_range(group->fanfare, &from, first, count);

	if (table == NULL)
		return FAN_E_NOT_FOUND;
	for (size_t i = 0; i < count; i++)
		if (fan_context_find(group->fanfare, &slot, first + i) == NULL)
			return FAN_E_NOT_FOUND;
	if ((unsigned)profile >= FAN_PROFILE_COUNT || fan_profile_kind(profile) != (enum fan_kind)table->protection.kind)
		return fan_fail(FAN_E_INVALID, "profile %s is not one of the context's kind",
				(unsigned)profile < FAN_PROFILE_COUNT ? fan_profile_name(profile) : "(unknown)");
	forget_snapshot(group);
	return fan_members_add_range(&group->members, (uint16_t)fan_context_table_index(first), profile, from, count);
}

int
fan_group_remove(struct fan_group *group, fan_context_id id)
{
	uint32_t slot;
	int error;

	if (fan_context_find(group->fanfare, &slot, id) == NULL)
		return FAN_E_NOT_FOUND;
	error = fan_members_remove(&group->members, (uint16_t)fan_context_table_index(id), slot);
	if (error == FAN_E_NOT_FOUND)
		return fan_fail(FAN_E_NOT_FOUND, "the context %#llx is no member of %s", (unsigned long long)id, group->gid);
	if (error == 0)
		forget_snapshot(group);
	return error;
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
