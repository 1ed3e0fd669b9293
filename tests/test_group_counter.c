/* SPDX-License-Identifier: BSD-3-Clause */
/* COUNTs of group keys: each once, whatever ends the process and whatever the disk does. */
#include "../host-api/store/group_counter.h"
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define GID "valley@flood.example"

TestSuite(group_counter, .init = fan_test_store_set_up, .fini = fan_test_store_tear_down);

static struct fan_store *
open_store(void)
{
	const struct fan_store_options options = { .directory = fan_test_store.directory,
						   .key_file = fan_test_store.key,
						   .create = true };
	struct fan_store *store;

	cr_assert_eq(fan_store_open(&store, &options), 0, "%s", fan_error_detail());
	return store;
}

static void
change_group(struct fan_store *store, bool there)
{
	const struct fan_record record = { .kind = FAN_RECORD_GROUP, .group = { .gid = GID } };

	cr_assert_eq(fan_store_begin(store), 0);
	cr_assert_eq(there ? fan_store_put(store, &record) : fan_store_delete(store, &record), 0);
	cr_assert_eq(fan_store_commit(store), 0);
}

static struct fan_group_counter
open_counter(struct fan_store *store, uint8_t gki, uint32_t first)
{
	struct fan_group_counter counter;

	cr_assert_eq(fan_group_counter_open(&counter, store, GID, gki, first), 0, "%s", fan_error_detail());
	return counter;
}

Test(group_counter, counts_rise_from_the_first_across_reservations)
{
	struct fan_store *store = open_store();
	struct fan_group_counter counter;

	change_group(store, true);
	counter = open_counter(store, 7, 100);
	for (int64_t i = 0; i < 3 * FAN_GROUP_COUNTS; i++)
		cr_assert_eq(fan_group_counter_take(&counter), 100 + i, "%s", fan_error_detail());
	fan_store_close(store);
}

/* The process ends at any point: after each COUNT the store is opened by another, which knows only what is on the disk. */
Test(group_counter, no_count_comes_twice_whenever_the_process_ends)
{
	int64_t highest = -1;

	for (unsigned taken = 0; taken < 2 * FAN_GROUP_COUNTS; taken += 37) {
		struct fan_store *store = open_store();
		struct fan_group_counter counter;

		if (taken == 0)
			change_group(store, true);
		counter = open_counter(store, 7, 0);
		for (unsigned i = 0; i <= taken; i++) {
			const int64_t count = fan_group_counter_take(&counter);

			cr_assert_gt(count, highest);
			cr_assert_leq(count - highest, FAN_GROUP_COUNTS, "no more than a reservation is passed over");
			highest = count;
		}
		fan_store_close(store);
	}
}

Test(group_counter, none_is_given_while_the_disk_fails_and_none_twice_behind)
{
	struct fan_store *store = open_store();
	struct fan_group_counter counter;

	change_group(store, true);
	counter = open_counter(store, 7, 0);
	fan_test_disk_fail(1, 1000, ENOSPC);
	cr_expect_eq(fan_group_counter_take(&counter), FAN_E_IO);
	cr_expect_eq(fan_group_counter_take(&counter), FAN_E_IO);
	fan_test_disk_fail(1, 0, 0);
	cr_expect_eq(fan_group_counter_take(&counter), 0, "%s", fan_error_detail());
	cr_expect_eq(fan_group_counter_take(&counter), 1);
	fan_store_close(store);
}

Test(group_counter, next_key_begins_anew_and_the_one_before_never_comes_back)
{
	struct fan_store *store = open_store();
	struct fan_group_counter seven, eight, again;

	change_group(store, true);
	seven = open_counter(store, 7, 0);
	cr_assert_eq(fan_group_counter_take(&seven), 0);
	eight = open_counter(store, 8, 0);
	cr_assert_eq(fan_group_counter_take(&eight), 0);
	cr_expect_eq(fan_group_counter_open(&again, store, GID, 7, 0), FAN_E_EXISTS);
	for (unsigned i = 1; i < FAN_GROUP_COUNTS; i++)
		cr_assert_eq(fan_group_counter_take(&seven), i); /* what it has reserved is its own */
	cr_expect_eq(fan_group_counter_take(&seven), FAN_E_EXISTS);
	fan_store_close(store);
}

Test(group_counter, second_counter_of_a_group_stops_the_first_at_its_reservation)
{
	struct fan_store *store = open_store();
	struct fan_group_counter first, second;

	change_group(store, true);
	first = open_counter(store, 7, 0);
	cr_assert_eq(fan_group_counter_take(&first), 0);
	second = open_counter(store, 7, 0);
	cr_assert_eq(fan_group_counter_take(&second), FAN_GROUP_COUNTS);
	for (unsigned i = 1; i < FAN_GROUP_COUNTS; i++)
		cr_assert_eq(fan_group_counter_take(&first), i);
	cr_expect_eq(fan_group_counter_take(&first), FAN_E_BUSY);
	fan_store_close(store);
}

Test(group_counter, counts_end_at_2_to_the_32)
{
	struct fan_store *store = open_store();
	struct fan_group_counter counter;

	change_group(store, true);
	counter = open_counter(store, 7, UINT32_MAX - 1);
	cr_expect_eq(fan_group_counter_take(&counter), UINT32_MAX - 1);
	cr_expect_eq(fan_group_counter_take(&counter), UINT32_MAX);
	cr_expect_eq(fan_group_counter_take(&counter), FAN_E_INVALID);
	counter = open_counter(store, 7, 0);
	cr_expect_eq(fan_group_counter_take(&counter), FAN_E_INVALID);
	fan_store_close(store);
}

Test(group_counter, group_that_is_not_there_has_no_counts)
{
	struct fan_store *store = open_store();
	struct fan_group_counter counter;

	cr_expect_eq(fan_group_counter_open(&counter, store, GID, 7, 0), FAN_E_NOT_FOUND);
	change_group(store, true);
	counter = open_counter(store, 7, 0);
	change_group(store, false);
	cr_expect_eq(fan_group_counter_take(&counter), FAN_E_NOT_FOUND);
	fan_store_close(store);
}

Test(group_counter, none_is_reserved_within_anothers_transaction)
{
	struct fan_store *store = open_store();
	struct fan_group_counter counter;

	change_group(store, true);
	counter = open_counter(store, 7, 0);
	cr_assert_eq(fan_store_begin(store), 0);
	cr_expect_eq(fan_group_counter_take(&counter), FAN_E_BUSY);
	fan_store_abort(store);
	cr_expect_eq(fan_group_counter_take(&counter), 0);
	fan_store_close(store);
}
