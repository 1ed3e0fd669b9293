/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/appliance/lease_ends.h"
#include "batch.h"

#include <criterion/criterion.h>
#include <string.h>

enum { SLOTS = 3000, TURNS = 20000 };

static struct fan_lease_ends ends;
static int64_t until_ms[2][SLOTS];
static bool told[2][SLOTS];

static uint32_t
slot_of(unsigned i)
{
	return i * 44000; /* over several steps */
}

static void
set(unsigned table, unsigned i, int64_t until)
{
	const struct fan_lease_end end = { .until_ms = until, .table = table * (FAN_TABLES_MAX - 1), .slot = slot_of(i) };

	if (until != 0)
		cr_assert_eq(fan_lease_ends_reserve(&ends, &end), 0);
	fan_lease_ends_set(&ends, &end);
	fan_lease_ends_set(&ends, &end);
	until_ms[table][i] = until;
	told[table][i] = false;
}

/* Against an array: at each time those whose end has come, each at least once, and no other, the earlier first; and before, each that is near. */
Test(lease_ends, come_in_order_whatever_was_changed)
{
	struct fan_test_random random = { 0 };
	struct fan_lease_end end;
	int64_t now = 1000;

	set(0, 1, 0);
	cr_assert_eq(ends.count, 0);
	for (unsigned turn = 0; turn < TURNS; turn++) {
		const unsigned table = fan_test_random_below(&random, 2), i = fan_test_random_below(&random, SLOTS);
		int64_t former = 0;

		set(table, i, turn % 4 == 0 ? 0 : now + 1 + fan_test_random_below(&random, 100000));
		cr_assert_eq(fan_lease_end(&ends, table * (FAN_TABLES_MAX - 1), slot_of(i)), until_ms[table][i]);
		if (turn % 10 != 0)
			continue;
		now += 100;
		while (fan_lease_ends_take(&ends, &end, now)) {
			int64_t *const wanted = &until_ms[end.table != 0][end.slot / 44000];

			if (end.until_ms > now) {
				cr_assert(end.until_ms == *wanted && end.until_ms - now <= FAN_LEASE_NEAR_MS);
				cr_assert_not(told[end.table != 0][end.slot / 44000], "told twice");
				told[end.table != 0][end.slot / 44000] = true;
				continue;
			}
			cr_assert(end.until_ms <= now && end.until_ms >= former && end.until_ms == *wanted);
			former = end.until_ms;
			fan_lease_ends_set(&ends, &(struct fan_lease_end){ .table = end.table, .slot = end.slot });
			*wanted = 0;
		}
		for (unsigned j = 0; j < SLOTS; j++)
			for (unsigned k = 0; k < 2; k++)
				cr_assert(until_ms[k][j] == 0 || until_ms[k][j] > now + (told[k][j] ? 0 : FAN_LEASE_NEAR_MS),
					  "one is missing");
	}
	now += 200000;
	while (fan_lease_ends_take(&ends, &end, now))
		until_ms[end.table != 0][end.slot / 44000] = 0;
	for (unsigned i = 0; i < SLOTS; i++)
		cr_assert(until_ms[0][i] == 0 && until_ms[1][i] == 0);
	cr_assert_eq(ends.count, 0);
	/* The clock may be set back, and an end that was taken out be set anew. */
	for (unsigned i = 0; i < 2; i++) {
		set(0, 1, now);
		cr_assert(fan_lease_ends_take(&ends, &end, now) && end.until_ms == now);
		cr_assert_not(fan_lease_ends_take(&ends, &end, now));
		cr_assert_eq(fan_lease_end(&ends, 0, slot_of(1)), now);
	}
	fan_lease_ends_free(&ends);
	cr_assert_eq(fan_lease_end(&ends, 0, 0), 0);
}
