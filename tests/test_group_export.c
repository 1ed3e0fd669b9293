/* SPDX-License-Identifier: BSD-3-Clause */
/* What other nodes are told of groups: what has changed, who is able, and keys that only they can open. */
#define _GNU_SOURCE
#include "../host-api/appliance/handles.h"
#include "appliance_fixture.h"
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#define GID "flood@example.org"
#define OTHER "fire@example.org"
#define UES 6

static struct fan_test_side side;
static struct fan_test_appliance appliance;
static struct fan_group *group;

TestSuite(group_export, .init = fan_test_store_set_up, .fini = fan_test_store_tear_down);

static void
done(int error)
{
	cr_assert_eq(error, 0, "%s", fan_error_detail());
}

static void
open_run(void)
{
	fan_test_side_open(&side, UES);
	fan_test_appliance_open(&appliance, &side, NULL);
	for (unsigned i = 0; i < UES; i++)
		fan_test_provision(&appliance,
				   fan_test_subscribe(&side, i < UES / 2 ? FAN_KIND_EPS_NAS : FAN_KIND_5GS_NAS, 2, 2));
	group = fan_test_group(&appliance, GID, 0, UES / 2, FAN_PROFILE_EPS_NAS_NIDD);
}

static void
close_run(void)
{
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

/* Walks all changes behind a number. Returns how many groups; out: *after, the last one's. */
static unsigned
walk(uint64_t *after)
{
	unsigned count = 0;
	uint64_t number = 0;

	while (fan_changes_next(appliance.fanfare, &number, *after) != NULL) {
		cr_assert_gt(number, *after);
		*after = number;
		cr_assert_lt(count++, 100U, "no end");
	}
	return count;
}

static const struct fan_group *
only_change(uint64_t *after)
{
	const struct fan_group *changed = fan_changes_next(appliance.fanfare, after, *after);
	uint64_t further = *after;

	cr_assert_not_null(changed);
	cr_assert_eq(walk(&further), 0, "one group has changed");
	return changed;
}

static void
set_key(void)
{
	struct fan_group_key_options options;

	fan_group_key_options_init(&options);
	done(fan_group_key_set(group, &options));
}

Test(group_export, each_change_is_told_once_and_in_order)
{
	struct fan_group *other;
	struct fan_message message;
	uint64_t after = 0, deletion;

	open_run();
	done(fan_group_create(appliance.fanfare, &other, OTHER));
	cr_expect_eq(walk(&after), 2);
	cr_expect_eq(walk(&after), 0, "nothing has changed");

	(void)fan_test_group(&appliance, GID, 0, 2, FAN_PROFILE_EPS_NAS_KEY);
	cr_expect_eq(only_change(&after), group, "who is able");
	cr_expect_eq(fan_group_changes(group)->able, after);
	set_key();
	cr_expect_eq(only_change(&after), group, "a key");
	cr_expect_eq(fan_group_changes(group)->keys, after);
	cr_expect_not(fan_group_changes(group)->is_used);
	(void)fan_test_group(&appliance, GID, 0, 1, FAN_PROFILE_EPS_NAS_NIDD);
	cr_expect_eq(walk(&after), 0, "how messages reach a member is nobody's else");

	fan_message_init(&message, "x", 1);
	done(fan_send(appliance.fanfare, NULL, group, &message, NULL, NULL));
	cr_expect_eq(only_change(&after), group, "the first message");
	cr_expect(fan_group_changes(group)->is_used);
	done(fan_send(appliance.fanfare, NULL, group, &message, NULL, NULL));
	cr_expect_eq(walk(&after), 0, "the second message");
	done(fan_group_key_rotate(group));
	cr_expect_eq(only_change(&after), group, "another key");
	cr_expect_not(fan_group_changes(group)->is_used, "no message has gone under it");

	deletion = fan_changes_deletion(appliance.fanfare);
	done(fan_group_delete(other));
	cr_expect_gt(fan_changes_deletion(appliance.fanfare), deletion);
	done(fan_drain(appliance.fanfare, false));
	while (fan_poll(appliance.fanfare) > 0)
		;
	close_run();
}

Test(group_export, a_ue_that_is_removed_changes_who_is_able)
{
	uint64_t after = 0;
	fan_context_id id = 0;
	unsigned able = 0;
	uint32_t next_count;
	uint16_t unacknowledged;

	open_run();
	(void)fan_test_group(&appliance, GID, 0, UES / 2, FAN_PROFILE_EPS_NAS_KEY);
	set_key();
	(void)walk(&after);
	for (; fan_group_able_next(group, &id); id++)
		able++;
	cr_expect_eq(able, UES / 2, "each once, the one whose name is 0 too");
	id = 0;
	cr_assert(fan_group_able_next(group, &id));
	done(fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, id));
	cr_expect_eq(fan_changes_next(appliance.fanfare, &after, after), group);
	able = 0;
	for (id = 0; fan_group_able_next(group, &id); id++)
		able++;
	cr_expect_eq(able, UES / 2 - 1);
	close_run();
}

Test(group_export, those_able_of_both_networks_are_told_each_once)
{
	fan_context_id id = 0, before = 0;
	unsigned able = 0;

	open_run();
	(void)fan_test_group(&appliance, GID, 1, 2, FAN_PROFILE_EPS_NAS_KEY);
	(void)fan_test_group(&appliance, GID, UES / 2, 3, FAN_PROFILE_5GS_NAS_KEY);
	for (; fan_group_able_next(group, &id); id++) {
		cr_expect(able == 0 || id > before);
		before = id;
		able++;
	}
	cr_expect_eq(able, 5);
	close_run();
}

Test(group_export, a_key_is_the_node_s_that_shares_the_kek)
{
	const uint8_t kek[FAN_GROUP_SHARED_KEK_BYTES] = { 3, 1, 4 }, other[FAN_GROUP_SHARED_KEK_BYTES] = { 2, 7 };
	char path[sizeof(fan_test_store.top) + 8];
	struct fan_exported_key exported;
	struct fan_group_key key;

	open_run();
	(void)snprintf(path, sizeof(path), "%s/node", fan_test_store.top);
	fan_test_write_file(path, kek, sizeof(kek), 0600);
	cr_expect_eq(fan_group_key_export(group, &exported, path), FAN_E_NOT_FOUND, "a group without a key");
	set_key();
	done(fan_group_key_export(group, &exported, path));
	done(fan_group_entry_unwrap(&key, exported.octets, exported.octet_count, kek));
	cr_expect_eq(exported.gki, key.gki);
	cr_expect_eq(exported.start_s, key.start_s);
	cr_expect_eq(exported.duration_min, key.duration_min);
	cr_expect_arr_eq(key.k_integ, group->keys->keys.current.k_integ, FAN_KEY_BYTES);
	cr_expect_arr_eq(key.k_conf, group->keys->keys.current.k_conf, FAN_KEY_BYTES);
	cr_expect_null(memmem(exported.octets, exported.octet_count, key.k_integ, FAN_KEY_BYTES), "a key lies open");
	cr_expect_eq(fan_group_entry_unwrap(&key, exported.octets, exported.octet_count, other), FAN_E_INVALID);

	fan_test_write_file(path, kek, sizeof(kek), 0644);
	cr_expect_eq(fan_group_key_export(group, &exported, path), FAN_E_INVALID, "anybody may read the KEK");
	(void)unlink(path);
	cr_expect_eq(fan_group_key_export(group, &exported, path), FAN_E_NOT_FOUND);
	close_run();
}
