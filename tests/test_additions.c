/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/appliance/additions.h"

#include <criterion/criterion.h>
#include <string.h>

enum {
	UES = 20000,
	TABLES = 3,
	STRIDE = 7
}; /* UEs in every slot of table 0, every second of table 1, every third of table 2 */

static struct fan_additions additions;

static uint32_t
slot_of(unsigned i)
{
	return i * STRIDE % UES;
}

static void
put(unsigned i)
{
	char identity[FAN_IDENTITY_BYTES];
	struct fan_ue ue;

	(void)snprintf(identity, sizeof(identity), "%0*u@domain", (int)(i % 120), i);
	fan_ue_init(&ue, FAN_KIND_EPS_NAS);
	ue.identity = i % 11 == 0 ? NULL : identity;
	ue.capabilities = i;
	ue.uplink_teid = ~i;
	ue.emergency = i % 2 == 0;
	for (unsigned table = 0; table < TABLES; table++)
		if (slot_of(i) % (table + 1) == 0)
			cr_assert_eq(fan_additions_put(&additions, table, slot_of(i), &ue), 0);
}

static void
check(unsigned table, unsigned i)
{
	char identity[FAN_IDENTITY_BYTES] = "";
	const struct fan_addition *addition = fan_additions_find(&additions, table, slot_of(i));

	cr_assert_eq(addition != NULL, slot_of(i) % (table + 1) == 0, "table %u, slot %u", table, slot_of(i));
	if (addition == NULL)
		return;
	if (i % 11 != 0)
		(void)snprintf(identity, sizeof(identity), "%0*u@domain", (int)(i % 120), i);
	cr_assert_str_eq(fan_addition_identity(&additions, addition), identity);
	cr_assert(addition->capabilities == i && addition->uplink_teid == ~i && addition->emergency == (i % 2 == 0));
}

Test(additions, a_ue_is_found_where_it_was_added)
{
	cr_assert_null(fan_additions_find(&additions, 0, 0));
	cr_assert_eq(fan_additions_slots(&additions, 0), 0);
	for (unsigned i = 0; i < UES; i++)
		put(i);
	for (unsigned i = 0; i < UES; i++)
		for (unsigned table = 0; table < TABLES; table++)
			check(table, i);
	cr_assert_null(fan_additions_find(&additions, 0, UES));
	cr_assert_null(fan_additions_find(&additions, 0, FAN_CONTEXT_SLOTS_MAX - 1));
	cr_assert_null(fan_additions_find(&additions, TABLES, 0));
	cr_assert(fan_additions_slots(&additions, 0) >= UES && fan_additions_slots(&additions, TABLES) == 0);
	fan_additions_free(&additions);
	cr_assert_null(fan_additions_find(&additions, 0, 0));
}

Test(additions, runs_come_in_the_order_of_slots_and_hold_each_once)
{
	for (unsigned i = 0; i < UES; i++)
		put(i);
	for (unsigned table = 0; table < TABLES; table++) {
		uint32_t first = 0, end, passed = 0, count = 0;

		for (; fan_additions_run(&additions, &first, &end, table); first = passed = end) {
			cr_assert(first >= passed && end > first && end <= UES);
			for (uint32_t slot = passed; slot < end; slot++)
				cr_assert_eq(fan_additions_find(&additions, table, slot) != NULL, slot >= first);
			count += end - first;
		}
		cr_assert_eq(count, (UES + table) / (table + 1), "table %u", table);
	}
	fan_additions_free(&additions);
}

Test(additions, the_highest_slot_alone_is_a_run)
{
	struct fan_ue ue;
	uint32_t first = 0, end;

	fan_ue_init(&ue, FAN_KIND_EPS_NAS);
	cr_assert_not(fan_additions_run(&additions, &first, &end, FAN_TABLES_MAX - 1));
	cr_assert_eq(fan_additions_put(&additions, FAN_TABLES_MAX - 1, FAN_CONTEXT_SLOTS_MAX - 1, &ue), 0);
	cr_assert(fan_additions_run(&additions, &first, &end, FAN_TABLES_MAX - 1));
	cr_assert(first == FAN_CONTEXT_SLOTS_MAX - 1 && end == FAN_CONTEXT_SLOTS_MAX);
	cr_assert_geq(fan_additions_slots(&additions, FAN_TABLES_MAX - 1), FAN_CONTEXT_SLOTS_MAX);
	first = end;
	cr_assert_not(fan_additions_run(&additions, &first, &end, FAN_TABLES_MAX - 1));
	fan_additions_free(&additions);
}

Test(additions, one_that_is_taken_back_leaves_nothing)
{
	put(1);
	for (unsigned i = 0; i < 100000; i++) {
		put(2);
		for (unsigned table = TABLES; table-- > 0;)
			if (slot_of(2) % (table + 1) == 0)
				fan_additions_take_back(&additions, table, slot_of(2));
	}
	cr_assert_null(fan_additions_find(&additions, 0, slot_of(2)));
	check(0, 1);
	cr_assert_lt(additions.identity_room, 100000, "identities that were taken back stay");
	fan_additions_free(&additions);
}
