/* SPDX-License-Identifier: BSD-3-Clause */
#include "admission.h"

#include "registry.h"

#include <string.h>

static bool
demands(const struct fan_group *group)
{
	return group->needs_all != 0 || group->needs_any != 0;
}

static bool
fits(uint32_t capabilities, uint32_t all, uint32_t any)
{
	return (capabilities & all) == all && (any == 0 || (capabilities & any) != 0);
}

/* Out: what a context has, as the store has it, and whose it is. */
static int
read_context(const struct fanfare *fanfare, uint32_t *capabilities, char identity[FAN_IDENTITY_BYTES], unsigned table,
	     uint32_t slot)
{
	struct fan_record record;
	const int error = fan_registry_get_ue(fanfare, &record, table, slot);

	if (error != 0)
		return error;
	*capabilities = record.ue.capabilities;
	memcpy(identity, record.ue.identity, FAN_IDENTITY_BYTES);
	fan_registry_wipe(&record);
	return 0;
}

int
fan_admission_check(const struct fan_group *group, const fan_context_id *ids, size_t id_count)
{
	int error = 0;

	for (size_t i = 0; demands(group) && error == 0 && i < id_count; i++) {
		char identity[FAN_IDENTITY_BYTES];
		uint32_t capabilities = 0;

		error = read_context(group->fanfare, &capabilities, identity, fan_context_table_index(ids[i]),
				     (uint32_t)ids[i]);
		if (error == 0 && !fits(capabilities, group->needs_all, group->needs_any))
			error = fan_fail(
				FAN_E_INVALID,
				"%s may not be a member of %s: it has the capabilities %#x, of which that needs all of %#x and one of %#x",
				identity, group->gid, capabilities, group->needs_all, group->needs_any);
	}
	return error;
}

/* Members that would not fit. Out: identity, of the first. In/Out: *count. */
static int
count_misfits(const struct fan_group *group, const struct fan_members *members, const struct fan_admission *admission,
	      uint64_t *count, char identity[FAN_IDENTITY_BYTES])
{
	const struct fanfare *const fanfare = group->fanfare;
	int error = 0;

	for (unsigned i = 0; i < members->set_count; i++) {
		const struct fan_member_set *set = &members->sets[i];
		roaring_uint32_iterator_t at;

		for (roaring_iterator_init(set->slots, &at); error == 0 && at.has_value; roaring_uint32_iterator_advance(&at)) {
			char own[FAN_IDENTITY_BYTES];
			uint32_t capabilities = 0;

			if (!fan_context_present(&fanfare->dataplane->tables[set->table], at.current_value))
				continue;
			error = read_context(fanfare, &capabilities, own, set->table, at.current_value);
			if (error != 0 || fits(capabilities, admission->all, admission->any))
				continue;
			if ((*count)++ == 0)
				memcpy(identity, own, sizeof(own));
		}
	}
	return error;
}

/* Nobody is put out of a group by a rule: whoever sets it takes them out first. */
static int
check_members(const struct fan_group *group, const struct fan_admission *admission)
{
	char identity[FAN_IDENTITY_BYTES] = "";
	uint64_t count = 0;
	int error = count_misfits(group, &group->members, admission, &count, identity);

	if (error == 0)
		error = count_misfits(group, &group->able, admission, &count, identity);
	if (error == 0 && count > 0)
		error = fan_fail(FAN_E_INVALID, "%llu memberships of %s do not fit, that of %s the first: take them out before",
				 (unsigned long long)count, group->gid, identity);
	return error;
}

int
fan_group_admission_set(struct fan_group *group, const struct fan_admission *given)
{
	struct fan_admission admission;
	int error = fan_registry_may_change(group->fanfare, "fan_group_admission_set");

	if (error == 0)
		error = fan_struct_take(&admission, sizeof(admission), sizeof(admission), given, "fan_admission_init");
	if (error == 0 && group->fanfare->store == NULL)
		error = fan_fail(FAN_E_UNSUPPORTED,
				 "which subscriptions may be members needs a store, which keeps capabilities");
	if (error == 0)
		error = check_members(group, &admission);
	if (error == 0)
		error = fan_registry_put_admission(group->fanfare, group, &admission);
	if (error != 0)
		return error;
	group->needs_all = admission.all;
	group->needs_any = admission.any;
	return 0;
}

int
fan_group_admission(const struct fan_group *group, struct fan_admission *given)
{
	struct fan_admission admission;
	int error = fan_in_own_process(group->fanfare->process);

	if (error == 0)
		error = fan_struct_take(&admission, sizeof(admission), sizeof(admission), given, "fan_admission_init");
	if (error != 0)
		return error;
	admission.all = group->needs_all;
	admission.any = group->needs_any;
	fan_struct_give(given, &admission, sizeof(admission));
	return 0;
}
