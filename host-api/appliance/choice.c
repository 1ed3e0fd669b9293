/* SPDX-License-Identifier: BSD-3-Clause */
#include "choice.h"

#include "registry.h"

#include <stdlib.h>
#include <string.h>

/* ---- From facts to a way ----------------------------------------------------------------------------------------------------- */

const char *
fan_way_name(enum fan_way way)
{
	static const char *const names[FAN_WAY_COUNT] = { [FAN_WAY_UNICAST] = "unicast",
							  [FAN_WAY_BROADCAST_LTE] = "broadcast-lte",
							  [FAN_WAY_BROADCAST_NR] = "broadcast-nr" };

	return (unsigned)way < FAN_WAY_COUNT ? names[way] : "unknown";
}

static int
compare_areas(const void *one, const void *other)
{
	const uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;

	return (a > b) - (a < b);
}

/* An area that is not known may be any: it is in none, and everywhere is enough only where the PLMN is right. */
static bool
is_in_area(const struct fan_way_facts *facts, const struct fan_policy *policy)
{
	const size_t count = policy->area_count[facts->radio];

	return memcmp(facts->plmn, policy->plmn, sizeof(facts->plmn)) == 0 &&
	       (count == 0 ||
		bsearch(&facts->area, policy->areas[facts->radio], count, sizeof(facts->area), compare_areas) != NULL);
}

enum fan_way
fan_way_choose(const struct fan_way_facts *facts, const struct fan_policy *policy, uint8_t available)
{
	if (facts->radio >= FAN_RADIO_COUNT || (policy->radios & available & 1U << facts->radio) == 0)
		return FAN_WAY_UNICAST;
	if (facts->broadcast_id != policy->broadcast_id || (!policy->open && !facts->key_held) || !is_in_area(facts, policy))
		return FAN_WAY_UNICAST;
	return fan_way_of_radio((enum fan_radio)facts->radio);
}

/* ---- Policies ------------------------------------------------------------------------------------------------------------------ */

static int
check_areas(const struct fan_policy *policy, enum fan_radio radio)
{
	const uint32_t most = radio == FAN_RADIO_LTE ? 0xffff : 0xffffff;
	const char *const name = radio == FAN_RADIO_LTE ? "LTE" : "NR";

	if (policy->area_count[radio] > FAN_POLICY_AREAS_MAX)
		return fan_fail(FAN_E_INVALID, "%u areas of %s: %d at most", policy->area_count[radio], name,
				FAN_POLICY_AREAS_MAX);
	for (unsigned i = 0; i < policy->area_count[radio]; i++)
		if (policy->areas[radio][i] == 0 || policy->areas[radio][i] > most ||
		    (i > 0 && policy->areas[radio][i] <= policy->areas[radio][i - 1]))
			return fan_fail(FAN_E_INVALID,
					"area %u of %s: tracking area codes from 1 to %u, each once, in ascending order",
					policy->areas[radio][i], name, most);
	return 0;
}

int
fan_policy_check(const struct fan_policy *policy)
{
	static const uint8_t none[sizeof(policy->plmn)];
	int error = 0;

	if (policy->radios == 0)
		return 0;
	if (policy->radios > FAN_RADIOS_ALL)
		return fan_fail(FAN_E_INVALID, "radios %#x: bits of FAN_RADIO_LTE and FAN_RADIO_NR", policy->radios);
	if (policy->broadcast_id < FAN_BROADCAST_ID_FIRST || policy->broadcast_id > FAN_BROADCAST_ID_LAST)
		return fan_fail(FAN_E_INVALID, "broadcast_id %u: an operator's identifier from %d to %d", policy->broadcast_id,
				FAN_BROADCAST_ID_FIRST, FAN_BROADCAST_ID_LAST);
	if (memcmp(policy->plmn, none, sizeof(none)) == 0)
		return fan_fail(FAN_E_INVALID, "a broadcast needs the plmn of its cells");
	if (policy->period_s > FAN_BROADCAST_PERIOD_S_MAX)
		return fan_fail(FAN_E_INVALID, "period_s %u: %d at most", policy->period_s, FAN_BROADCAST_PERIOD_S_MAX);
	if (policy->broadcasts == 0)
		return fan_fail(FAN_E_INVALID, "broadcasts 0: 1 or more, since one without an end outlasts every message");
	for (unsigned radio = 0; error == 0 && radio < FAN_RADIO_COUNT; radio++)
		error = check_areas(policy, (enum fan_radio)radio);
	return error;
}

/* ---- Members that go another way ------------------------------------------------------------------------------------------------ */

enum fan_radio
fan_radio_of_kind(enum fan_kind kind)
{
	switch (kind) {
	case FAN_KIND_EPS_NAS:
	case FAN_KIND_LTE_PDCP_12:
	case FAN_KIND_LTE_PDCP_18:
		return FAN_RADIO_LTE;
	case FAN_KIND_5GS_NAS:
	case FAN_KIND_NR_PDCP_12:
	case FAN_KIND_NR_PDCP_18:
		return FAN_RADIO_NR;
	default:
		return FAN_RADIO_COUNT;
	}
}

static enum fan_way
way_of(const struct fan_group *group, unsigned table, uint32_t slot)
{
	const struct fanfare *fanfare = group->fanfare;
	struct fan_way_facts facts = { .radio = (uint8_t)fan_radio_of_kind(
					       (enum fan_kind)fanfare->dataplane->tables[table].protection.kind),
				       .key_held = fan_keyring_is_proved(group, table, slot) };
	struct fan_ue_place place;

	if (group->policy == NULL || !fan_members_has(&group->members, (uint16_t)table, slot))
		return FAN_WAY_UNICAST;
	fan_whereabouts_get(&fanfare->whereabouts, &place, table, slot);
	memcpy(facts.plmn, place.plmn, sizeof(facts.plmn));
	facts.area = place.area;
	facts.broadcast_id = place.broadcast_id;
	return fan_way_choose(&facts, group->policy, FAN_RADIOS_ALL);
}

static void
forget_elsewhere_snapshot(struct fan_group *group)
{
	fan_snapshot_release(group->elsewhere_snapshot);
	group->elsewhere_snapshot = NULL;
}

/* Returns 0, or MEMORY. */
static int
put_elsewhere(struct fan_group *group, unsigned table, uint32_t slot)
{
	const enum fan_way way = way_of(group, table, slot);
	const bool is_elsewhere = fan_members_has(&group->elsewhere, (uint16_t)table, slot);

	if (way != FAN_WAY_UNICAST)
		return fan_members_add_range(&group->elsewhere, (uint16_t)table, (enum fan_profile)way, slot, 1);
	return is_elsewhere ? fan_members_remove(&group->elsewhere, (uint16_t)table, slot) : 0;
}

void
fan_choice_settle(struct fan_group *group, unsigned table, uint32_t slot)
{
	if (group->policy == NULL && group->elsewhere.set_count == 0)
		return;
	forget_elsewhere_snapshot(group);
	if (put_elsewhere(group, table, slot) != 0)
		fan_members_free(&group->elsewhere);
}

void
fan_choice_settle_everywhere(struct fanfare *fanfare, unsigned table, uint32_t slot)
{
	for (struct fan_group *group = fanfare->groups; group != NULL; group = group->next)
		if (group->policy != NULL && fan_members_has(&group->members, (uint16_t)table, slot))
			fan_choice_settle(group, table, slot);
}

/* Slots of one table that go one way, in ascending order. */
struct row {
	uint32_t slots[1024];
	size_t count;
};

static int
put_row(struct fan_group *group, uint16_t table, enum fan_way way, struct row *row)
{
	const int error = fan_members_add_many(&group->elsewhere, table, (enum fan_profile)way, row->slots, row->count);

	row->count = 0;
	return error;
}

/* In: a set of which no slot is elsewhere. */
static int
put_set(struct fan_group *group, const struct fan_member_set *set)
{
	static struct row rows[FAN_WAY_COUNT];
	roaring_uint32_iterator_t at;
	int error = 0;

	for (roaring_iterator_init(set->slots, &at); error == 0 && at.has_value; (void)roaring_uint32_iterator_advance(&at)) {
		const enum fan_way way = way_of(group, set->table, at.current_value);
		struct row *row = &rows[way];

		if (way == FAN_WAY_UNICAST)
			continue;
		row->slots[row->count++] = at.current_value;
		if (row->count == sizeof(row->slots) / sizeof(row->slots[0]))
			error = put_row(group, set->table, way, row);
	}
	for (unsigned way = 0; way < FAN_WAY_COUNT; way++) {
		const int failed = put_row(group, set->table, (enum fan_way)way, &rows[way]);

		error = error != 0 ? error : failed;
	}
	return error;
}

void
fan_choice_settle_group(struct fan_group *group)
{
	int error = 0;

	forget_elsewhere_snapshot(group);
	fan_members_free(&group->elsewhere);
	for (unsigned i = 0; group->policy != NULL && error == 0 && i < group->members.set_count; i++)
		error = put_set(group, &group->members.sets[i]);
	if (error != 0)
		fan_members_free(&group->elsewhere);
}

uint64_t
fan_group_way_size(const struct fan_group *group, enum fan_way way)
{
	uint64_t elsewhere = 0, of_way = 0;

	for (unsigned i = 0; i < group->elsewhere.set_count; i++) {
		const struct fan_member_set *set = &group->elsewhere.sets[i];
		const roaring_bitmap_t *gone = group->fanfare->removals[set->table].gone;
		const uint64_t size = roaring_bitmap_get_cardinality(set->slots) -
				      (gone != NULL ? roaring_bitmap_and_cardinality(set->slots, gone) : 0);

		elsewhere += size;
		of_way += set->profile == (unsigned)way ? size : 0;
	}
	return way == FAN_WAY_UNICAST ? fan_group_size(group) - elsewhere : of_way;
}

/* ---- Setting a policy --------------------------------------------------------------------------------------------------------- */

static int
take_over_policy(struct fan_group *group, const struct fan_policy *policy)
{
	struct fan_policy *own = malloc(sizeof(*own));
	int error = own == NULL ? fan_fail(FAN_E_MEMORY, "no memory for a policy") : 0;

	if (error == 0)
		error = fan_registry_put_policy(group->fanfare, group, policy);
	if (error != 0) {
		free(own);
		return error;
	}
	*own = *policy;
	free(group->policy);
	group->policy = own;
	return 0;
}

int
fan_group_policy_set(struct fan_group *group, const struct fan_policy *given)
{
	struct fan_policy policy;
	int error = fan_registry_may_change(group->fanfare, "fan_group_policy_set");

	if (error == 0)
		error = fan_struct_take(&policy, sizeof(policy), sizeof(policy), given, "fan_policy_init");
	if (error == 0)
		error = fan_policy_check(&policy);
	if (error == 0)
		error = take_over_policy(group, &policy);
	if (error == 0)
		fan_choice_settle_group(group);
	return error;
}

int
fan_group_policy(const struct fan_group *group, struct fan_policy *given)
{
	struct fan_policy policy;
	int error = fan_in_own_process(group->fanfare->process);

	if (error == 0)
		error = fan_struct_take(&policy, sizeof(policy), sizeof(policy), given, "fan_policy_init");
	if (error != 0)
		return error;
	fan_policy_init(&policy);
	if (group->policy != NULL)
		policy = *group->policy;
	fan_struct_give(given, &policy, sizeof(policy));
	return 0;
}
