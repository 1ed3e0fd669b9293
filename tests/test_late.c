/* SPDX-License-Identifier: BSD-3-Clause */
#include "../dataplane/late.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define SLOTS 5000
#define WORKERS 2

static struct fan_late late;

static void
set_up(void)
{
	cr_assert_eq(fan_late_make(&late, SLOTS, WORKERS), 0, "%s", fan_error_detail());
}

static void
tear_down(void)
{
	fan_late_free(&late);
	fan_late_free(&late);
}

TestSuite(late, .init = set_up, .fini = tear_down);

static void
expect_first(uint32_t hop, int64_t slot)
{
	uint32_t first;
	const bool any = fan_late_first(&late, 0, hop, &first);

	cr_assert_eq(any ? (int64_t)first : -1, slot, "next hop %u", hop);
}

Test(late, members_of_a_next_hop_come_back_in_the_order_in_which_they_were_put_off)
{
	static const uint32_t slots[] = { 3, 900, 17, 4, 1000 };

	for (unsigned i = 0; i < 5; i++)
		fan_late_put_off(&late, 0, 9, slots[i]);
	for (unsigned i = 0; i < 5; i++) {
		expect_first(9, slots[i]);
		fan_late_take(&late, 0, 9, slots[i]);
		cr_assert(fan_late_has(&late, slots[i]), "taken, and not done with");
	}
	expect_first(9, -1);
	cr_assert(late.shares[0].waiting == 0 && late.shares[0].members == 5);
	cr_assert(fan_late_done(&late, 0, 900) && !fan_late_done(&late, 0, 900) && !fan_late_has(&late, 900));
	cr_assert_eq(late.shares[0].members, 4);
}

Test(late, what_is_put_back_is_the_first_again)
{
	for (uint32_t slot = 10; slot < 14; slot++)
		fan_late_put_off(&late, 0, 1, slot);
	fan_late_take(&late, 0, 1, 10);
	fan_late_take(&late, 0, 1, 11);
	fan_late_put_back(&late, 0, 1, 11);
	fan_late_put_back(&late, 0, 1, 10);
	for (uint32_t slot = 10; slot < 14; slot++) {
		expect_first(1, slot);
		fan_late_take(&late, 0, 1, slot);
	}
	fan_late_put_back(&late, 0, 1, 12);
	expect_first(1, 12);
}

Test(late, every_next_hop_has_its_turn_and_those_without_members_are_let_go_of)
{
	unsigned seen[3] = { 0 };

	for (uint32_t hop = 0; hop < 3; hop++)
		fan_late_put_off(&late, 0, hop * 30000, 100 + hop);
	for (unsigned i = 0; i < 9; i++)
		seen[fan_late_next_hop(&late, 0) / 30000]++;
	cr_assert(seen[0] == 3 && seen[1] == 3 && seen[2] == 3);
	fan_late_take(&late, 0, 30000, 101);
	for (unsigned i = 0; i < 8; i++)
		cr_assert_neq(fan_late_next_hop(&late, 0), 30000);
	cr_assert_eq(late.shares[0].hop_count, 2);
	fan_late_put_back(&late, 0, 30000, 101);
	cr_assert_eq(late.shares[0].hop_count, 3);
	for (uint32_t hop = 0; hop < 3; hop++)
		fan_late_take(&late, 0, hop * 30000, 100 + hop);
	cr_assert_eq(fan_late_next_hop(&late, 0), FAN_NO_HOP);
	cr_assert_eq(fan_late_next_hop(&late, 1), FAN_NO_HOP, "the other worker's");
}

Test(late, a_ue_that_moves_goes_with_the_members_of_its_new_next_hop)
{
	for (uint32_t slot = 20; slot < 23; slot++)
		fan_late_put_off(&late, 0, 5, slot);
	fan_late_put_off(&late, 1, 6, FAN_CONTEXT_STRIPE);
	cr_assert(fan_late_move(&late, 21, 5, 6));
	cr_assert(fan_late_move(&late, 20, 5, 6));
	cr_assert_not(fan_late_move(&late, 30, 5, 6), "was not put off");
	cr_assert_not(fan_late_move(&late, SLOTS + FAN_CONTEXT_STRIPE, 5, 6), "came after the message");
	expect_first(5, 22);
	expect_first(6, 21);
	fan_late_take(&late, 0, 6, 21);
	cr_assert_not(fan_late_move(&late, 21, 6, 5), "waits for its batch");
	expect_first(6, 20);
	cr_assert(fan_late_move(&late, FAN_CONTEXT_STRIPE, 6, 5), "of worker 1");
	cr_assert_eq(late.shares[1].list[5].first, FAN_CONTEXT_STRIPE + 1);
	/* The last of a list, and with it the list. */
	fan_late_take(&late, 0, 5, 22);
	fan_late_put_back(&late, 0, 5, 22);
	cr_assert(fan_late_move(&late, 22, 5, 6));
	expect_first(5, -1);
	fan_late_take(&late, 0, 6, 20);
	expect_first(6, 22);
}

Test(late, a_bit_stays_until_a_member_is_done_with)
{
	cr_assert_eq(fan_late_word(&late, 256), 0);
	fan_late_put_off(&late, 0, 1, 4999);
	fan_late_put_off(&late, 0, 1, 300);
	fan_late_put_off(&late, 0, 1, 301);
	cr_assert_eq(fan_late_word(&late, 256), UINT64_C(3) << 44);
	cr_assert_eq(fan_late_word(&late, 4992), UINT64_C(1) << 7);
	cr_assert(fan_late_any(&late, 256, 256) && !fan_late_any(&late, 0, 256) && !fan_late_any(&late, 512, 4096 + 256));
	cr_assert(fan_late_any(&late, 4864, 256), "at the end of what there is");
	fan_late_take(&late, 0, 1, 300);
	cr_assert_eq(fan_late_word(&late, 256), UINT64_C(3) << 44, "it has not left");
	(void)fan_late_done(&late, 0, 300);
	cr_assert_eq(fan_late_word(&late, 256), UINT64_C(1) << 45);
	(void)fan_late_done(&late, 0, 301);
	cr_assert(!fan_late_any(&late, 256, 256) && fan_late_any(&late, 4864, 256));
}
