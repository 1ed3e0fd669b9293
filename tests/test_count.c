/* SPDX-License-Identifier: BSD-3-Clause */
#include "../dataplane/context/count.h"

#include <criterion/criterion.h>
#include <string.h>

#define NAS_END ((1U << 24) - 4096)
#define PDCP_END (UINT32_MAX - 4095)

/* Spends one COUNT; a drop must leave every octet of the context as it was, a success moves count by one and nothing else. */
static enum fan_drop
spend(struct fan_context *context, uint32_t *count, enum fan_kind kind)
{
	struct fan_context before = *context;
	const enum fan_drop drop = fan_count_spend(context, count, &fan_count_rules[kind], 1, 0, FAN_UNMARKED);

	if (drop == FAN_DROP_NONE) {
		cr_assert_eq(*count, before.count);
		before.count++;
	}
	cr_assert_eq(memcmp(&before, context, sizeof(before)), 0, "%s: the context changed otherwise", fan_drop_name(drop));
	return drop;
}

Test(count, every_rule_holds_at_its_edge)
{
	static const struct {
		enum fan_kind kind;
		uint32_t count, reserved;
		uint16_t gap;
		uint8_t flags;
		enum fan_drop drop;
	} rows[] = {
		{ FAN_KIND_EPS_NAS, 0, 1, 0, 1, FAN_DROP_NONE },
		{ FAN_KIND_EPS_NAS, 0, 0, 0, 1, FAN_DROP_RESERVATION },
		{ FAN_KIND_EPS_NAS, 7, 8, 0, 1, FAN_DROP_NONE },
		{ FAN_KIND_EPS_NAS, 8, 8, 0, 1, FAN_DROP_RESERVATION },
		{ FAN_KIND_EPS_NAS, 9, 8, 0, 1, FAN_DROP_RESERVATION },
		{ FAN_KIND_EPS_NAS, 7, 8, 199, 1, FAN_DROP_NONE },
		{ FAN_KIND_EPS_NAS, 7, 8, 200, 1, FAN_DROP_WINDOW },
		{ FAN_KIND_EPS_NAS, 7, 8, 65535, 1, FAN_DROP_WINDOW },
		{ FAN_KIND_5GS_NAS, 7, 8, 199, 1, FAN_DROP_NONE },
		{ FAN_KIND_5GS_NAS, 7, 8, 200, 1, FAN_DROP_WINDOW },
		{ FAN_KIND_LTE_PDCP_12, 7, 8, 1599, 1, FAN_DROP_NONE },
		{ FAN_KIND_LTE_PDCP_12, 7, 8, 1600, 1, FAN_DROP_WINDOW },
		{ FAN_KIND_NR_PDCP_12, 7, 8, 1599, 1, FAN_DROP_NONE },
		{ FAN_KIND_NR_PDCP_12, 7, 8, 1600, 1, FAN_DROP_WINDOW },
		{ FAN_KIND_LTE_PDCP_18, 7, 8, 59999, 1, FAN_DROP_NONE },
		{ FAN_KIND_LTE_PDCP_18, 7, 8, 60000, 1, FAN_DROP_WINDOW },
		{ FAN_KIND_NR_PDCP_18, 7, 8, 59999, 1, FAN_DROP_NONE },
		{ FAN_KIND_NR_PDCP_18, 7, 8, 60000, 1, FAN_DROP_WINDOW },
		{ FAN_KIND_EPS_NAS, NAS_END - 1, 1U << 24, 0, 1, FAN_DROP_NONE },
		{ FAN_KIND_EPS_NAS, NAS_END, 1U << 24, 0, 1, FAN_DROP_COUNT_END },
		{ FAN_KIND_5GS_NAS, NAS_END - 1, 1U << 24, 0, 1, FAN_DROP_NONE },
		{ FAN_KIND_5GS_NAS, NAS_END, 1U << 24, 0, 1, FAN_DROP_COUNT_END },
		{ FAN_KIND_LTE_PDCP_12, PDCP_END - 1, UINT32_MAX, 0, 1, FAN_DROP_NONE },
		{ FAN_KIND_LTE_PDCP_12, PDCP_END, UINT32_MAX, 0, 1, FAN_DROP_COUNT_END },
		{ FAN_KIND_LTE_PDCP_18, PDCP_END, UINT32_MAX, 0, 1, FAN_DROP_COUNT_END },
		{ FAN_KIND_NR_PDCP_12, PDCP_END - 1, UINT32_MAX, 0, 1, FAN_DROP_NONE },
		{ FAN_KIND_NR_PDCP_12, PDCP_END, UINT32_MAX, 0, 1, FAN_DROP_COUNT_END },
		{ FAN_KIND_NR_PDCP_18, PDCP_END - 1, UINT32_MAX, 0, 1, FAN_DROP_NONE },
		{ FAN_KIND_NR_PDCP_18, UINT32_MAX - 1, UINT32_MAX, 0, 1, FAN_DROP_COUNT_END },
		{ FAN_KIND_EPS_NAS, 7, 8, 0, 3, FAN_DROP_UNREACHABLE },
		/* The time of a lease is part of it. An unreachable UE needs neither. */
		{ FAN_KIND_EPS_NAS, 7, 8, 0, 1 | FAN_CONTEXT_LEASE_OVER, FAN_DROP_RESERVATION },
		{ FAN_KIND_EPS_NAS, 7, 8, 0, 3 | FAN_CONTEXT_LEASE_OVER, FAN_DROP_UNREACHABLE },
		{ FAN_KIND_EPS_NAS, 7, 8, 0, 1 | FAN_CONTEXT_REMOVED | FAN_CONTEXT_LEASE_OVER, FAN_DROP_REMOVED },
		{ FAN_KIND_EPS_NAS, 7, 8, 0, 0, FAN_DROP_REMOVED }, /* a slot without a context: it was taken out of service */
		/* An unreachable UE is reported as that, whatever else is wrong: it needs no new key and no lease. */
		{ FAN_KIND_EPS_NAS, NAS_END, NAS_END, 200, 3, FAN_DROP_UNREACHABLE },
		/* Nothing is spent without a reservation, whatever else is wrong. */
		{ FAN_KIND_EPS_NAS, NAS_END, NAS_END, 200, 1, FAN_DROP_RESERVATION },
		{ FAN_KIND_EPS_NAS, NAS_END, 1U << 24, 200, 1, FAN_DROP_COUNT_END },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_context context = {
			.count = rows[i].count,
			.count_reserved = rows[i].reserved,
			.awaited = (uint16_t)(rows[i].count - rows[i].gap),
			.flags = rows[i].flags,
		};
		uint32_t count = 0xdead;
		const enum fan_drop drop = spend(&context, &count, rows[i].kind);

		cr_assert_eq(drop, rows[i].drop, "row %zu: %s instead of %s", i, fan_drop_name(drop),
			     fan_drop_name(rows[i].drop));
	}
}

/* Over SGi nothing is ciphered: nothing is spent, nothing waits for the disk, and nothing but reachability, removal and time ends it. */
Test(count, over_sgi_none_is_spent_and_no_window_ends)
{
	struct fan_ue ue = { .struct_bytes = sizeof(ue), .kind = FAN_KIND_SGI };
	struct fan_context context = { .flags = FAN_CONTEXT_PRESENT };
	uint32_t count = 77;

	cr_assert_eq(fan_count_check(&ue), 0, "%s", fan_error_detail());
	fan_count_begin(&context, &ue);
	context.flags = FAN_CONTEXT_PRESENT;
	for (unsigned i = 0; i < 200000; i++) {
		cr_assert_eq(fan_count_spend(&context, &count, &fan_count_rules[FAN_KIND_SGI], 1 + i % 7, 0,
					     i % 2 ? 0 : FAN_UNMARKED),
			     FAN_DROP_NONE, "message %u", i);
		cr_assert(count == 0 && fan_count_next(&context) == 0 && fan_count_gap(&context) == 0);
	}
	cr_assert_eq(fan_count_acknowledge(&context, 0), FAN_E_INVALID);
	cr_assert_eq(fan_count_lease(&context, FAN_KIND_SGI, UINT32_MAX), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "counts nothing"), "%s", fan_error_detail());
	context.flags |= FAN_CONTEXT_UNREACHABLE;
	cr_assert_eq(spend(&context, &count, FAN_KIND_SGI), FAN_DROP_UNREACHABLE);
	context.flags = FAN_CONTEXT_PRESENT | FAN_CONTEXT_LEASE_OVER;
	cr_assert_eq(spend(&context, &count, FAN_KIND_SGI), FAN_DROP_RESERVATION);
	context.flags = FAN_CONTEXT_PRESENT | FAN_CONTEXT_REMOVED;
	cr_assert_eq(spend(&context, &count, FAN_KIND_SGI), FAN_DROP_REMOVED);
}

Test(count, over_sgi_there_is_none_to_begin_with)
{
	const struct fan_ue good = { .struct_bytes = sizeof(good), .kind = FAN_KIND_SGI, .count_reserved = 9 };
	struct fan_ue ue = good;

	cr_assert_eq(fan_count_check(&ue), 0);
	ue.count = 1;
	cr_assert_eq(fan_count_check(&ue), FAN_E_INVALID);
	ue = good;
	ue.unacknowledged = 1;
	cr_assert_eq(fan_count_check(&ue), FAN_E_INVALID);
	ue = good;
	ue.transactions_open = 1;
	cr_assert_eq(fan_count_check(&ue), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "sgi-ip"), "%s", fan_error_detail());
}

Test(count, rises_by_one_until_the_window_ends_and_again_after_proof)
{
	for (unsigned kind = 0; kind < FAN_KIND_SGI; kind++) {
		struct fan_context context = {
			.count = 0xfe, .awaited = 0xfe, .count_reserved = 1U << 24, .flags = FAN_CONTEXT_PRESENT
		};
		uint32_t expected = 0xfe, count;

		for (unsigned round = 0; round < 3; round++) {
			for (unsigned i = 0; i < fan_count_rules[kind].gap_max; i++) {
				cr_assert_eq(spend(&context, &count, (enum fan_kind)kind), FAN_DROP_NONE);
				cr_assert_eq(count, expected++);
			}
			for (unsigned i = 0; i < 3; i++)
				cr_assert_eq(spend(&context, &count, (enum fan_kind)kind), FAN_DROP_WINDOW);
			context.awaited = (uint16_t)context.count;
		}
	}
}

/* What a receiver can follow (TS 24.301 4.4.3.1, TS 36.323 5.1.2, TS 38.323 5.2.2.1) and what may have been skipped by a crash. */
Test(count, windows_stay_inside_what_a_receiver_follows)
{
	for (unsigned kind = 0; kind < FAN_KIND_SGI; kind++) {
		const struct fan_count_rule *rule = &fan_count_rules[kind];
		const bool nas = kind == FAN_KIND_EPS_NAS || kind == FAN_KIND_5GS_NAS;
		const uint32_t reach = nas ? 255 : (1U << (rule->sn_bits - 1)) - 1;

		cr_assert_leq(rule->gap_max, 65535);
		cr_assert_leq(rule->gap_max + (nas ? 54U : 0U), reach, "kind %u", kind);
		cr_assert_eq(rule->sn_bits, nas ? 8 : kind == FAN_KIND_LTE_PDCP_12 || kind == FAN_KIND_NR_PDCP_12 ? 12 : 18);
	}
}

Test(count, drops_have_names)
{
	cr_assert_str_eq(fan_drop_name(FAN_DROP_NONE), "none");
	cr_assert_str_eq(fan_drop_name(FAN_DROP_UNREACHABLE), "unreachable");
	cr_assert_str_eq(fan_drop_name(FAN_DROP_WINDOW), "window");
	cr_assert_str_eq(fan_drop_name(FAN_DROP_RESERVATION), "reservation");
	cr_assert_str_eq(fan_drop_name(FAN_DROP_COUNT_END), "count-end");
	cr_assert_str_eq(fan_drop_name(FAN_DROP_ENGINE), "engine");
	cr_assert_not_null(fan_drop_name(FAN_DROP_COUNT));
}

/* A message of several parts goes out whole or not at all: every rule looks at all its parts. */
Test(count, parts_fit_together_or_not_at_all)
{
	const struct fan_count_rule *rule = &fan_count_rules[FAN_KIND_EPS_NAS];
	static const struct {
		uint32_t count, reserved;
		uint16_t gap;
		unsigned parts;
		enum fan_drop drop;
	} rows[] = {
		{ 500, 503, 0, 3, FAN_DROP_NONE },
		{ 500, 503, 0, 4, FAN_DROP_RESERVATION },
		{ 500, 1000, 197, 3, FAN_DROP_NONE },
		{ 500, 1000, 198, 3, FAN_DROP_WINDOW },
		{ NAS_END - 3, 1U << 24, 0, 3, FAN_DROP_NONE },
		{ NAS_END - 3, 1U << 24, 0, 4, FAN_DROP_COUNT_END },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_context context = {
			.count = rows[i].count,
			.count_reserved = rows[i].reserved,
			.awaited = (uint16_t)(rows[i].count - rows[i].gap),
			.flags = FAN_CONTEXT_PRESENT,
		};
		uint32_t count;

		cr_assert_eq(fan_count_spend(&context, &count, rule, rows[i].parts, 0, FAN_UNMARKED), rows[i].drop, "row %zu",
			     i);
		if (rows[i].drop == FAN_DROP_NONE)
			cr_assert_eq(count, rows[i].count, "row %zu", i);
		cr_assert_eq(context.count, rows[i].count + (rows[i].drop == FAN_DROP_NONE ? rows[i].parts : 0), "row %zu", i);
	}
}

/* In each turn m of them, whatever was spent before; two turns are told apart unless they are eight apart. */
Test(count, spends_what_its_mark_covers_in_each_turn)
{
	const struct fan_count_rule *rule = &fan_count_rules[FAN_KIND_LTE_PDCP_18];
	struct fan_context context = { .count_reserved = 1000, .flags = FAN_CONTEXT_PRESENT };
	uint8_t turn = 0;
	uint32_t count;

	for (unsigned i = 0; i < 20; i++, turn += FAN_MARK_NEXT_TURN) {
		cr_assert_eq(fan_count_spend(&context, &count, rule, 1, 0, turn), FAN_COUNT_WAITS, "m is 0");
		for (unsigned j = 0; j < 4; j++) {
			cr_assert_eq(fan_count_spent(&context, turn), 3 * j);
			cr_assert_eq(fan_count_spend(&context, &count, rule, 3, 0, (uint8_t)(turn | (4 * j + 3))),
				     FAN_DROP_NONE);
		}
		cr_assert_not(fan_count_covered(&context, 5, turn | FAN_MARK_MAX));
		cr_assert_eq(fan_count_spend(&context, &count, rule, 5, 0, turn | FAN_MARK_MAX), FAN_COUNT_WAITS);
		cr_assert_eq(fan_count_spend(&context, &count, rule, 4, 0, turn | FAN_MARK_MAX), FAN_DROP_NONE);
		cr_assert_eq(context.count, 16 * (i + 1), "turn %u", i);
		cr_assert_eq(fan_count_spend(&context, &count, rule, 1, 0, turn | FAN_MARK_MAX), FAN_COUNT_WAITS);
	}
	turn -= FAN_MARK_NEXT_TURN;
	cr_assert_eq(fan_count_spent(&context, turn), 16);
	fan_count_rest(&context, turn);
	cr_assert_eq(fan_count_spent(&context, turn), 0);
}

/* A short message opens a transaction; what proves its COUNT, or one behind it, closes it. */
Test(count, seven_transactions_are_open_at_most)
{
	const struct fan_count_rule *rule = &fan_count_rules[FAN_KIND_5GS_NAS];
	struct fan_context context = { .count = 100, .count_reserved = 1000, .awaited = 100, .flags = FAN_CONTEXT_PRESENT };
	struct fan_context before;
	uint32_t count;

	cr_assert_eq(fan_count_spend(&context, &count, rule, 8, 8, FAN_UNMARKED), FAN_DROP_TRANSACTIONS);
	cr_assert_eq(fan_count_spend(&context, &count, rule, 5, 5, FAN_UNMARKED), FAN_DROP_NONE);
	before = context;
	cr_assert_eq(fan_count_spend(&context, &count, rule, 3, 3, FAN_UNMARKED), FAN_DROP_TRANSACTIONS);
	cr_assert_arr_eq(&context, &before, sizeof(context), "a refusal changes nothing");
	cr_assert_eq(fan_count_spend(&context, &count, rule, 2, 2, FAN_UNMARKED), FAN_DROP_NONE);
	cr_assert_eq(context.transactions_open, 7);
	cr_assert_eq(fan_count_spend(&context, &count, rule, 20, 0, FAN_UNMARKED),
		     FAN_DROP_NONE); /* COUNTs 107 to 126: no short messages */
	cr_assert_eq(count, 107);
	cr_assert_eq(fan_count_spend(&context, &count, rule, 1, 1, FAN_UNMARKED), FAN_DROP_TRANSACTIONS);
	cr_assert_eq(fan_count_acknowledge(&context, 122), 0); /* four COUNTs are left: so many are open at most */
	cr_assert_eq(fan_count_spend(&context, &count, rule, 4, 4, FAN_UNMARKED), FAN_DROP_TRANSACTIONS);
	cr_assert_eq(fan_count_spend(&context, &count, rule, 3, 3, FAN_UNMARKED), FAN_DROP_NONE);
	fan_count_acknowledge_all(&context);
	cr_assert_eq(fan_count_spend(&context, &count, rule, 1, 0, FAN_UNMARKED), FAN_DROP_NONE);
	cr_assert_eq(context.transactions_open, 0);
	cr_assert_eq(fan_count_spend(&context, &count, rule, 7, 7, FAN_UNMARKED), FAN_DROP_NONE);
	fan_count_close_transactions(&context, 2); /* they have not left */
	cr_assert_eq(fan_count_spend(&context, &count, rule, 2, 2, FAN_UNMARKED), FAN_DROP_NONE);
	cr_assert_eq(fan_count_spend(&context, &count, rule, 1, 1, FAN_UNMARKED), FAN_DROP_TRANSACTIONS);
	fan_count_close_transactions(&context, 8);
	cr_assert_eq(context.transactions_open, 0);
}

/* What the lender has opened is open here, and has COUNTs that are unacknowledged. */
Test(count, a_lease_begins_with_its_transactions)
{
	static const struct {
		uint16_t unacknowledged;
		uint8_t open;
		bool fits;
	} rows[] = { { 0, 0, true }, { 0, 1, false }, { 3, 3, true }, { 3, 4, false }, { 200, 7, true }, { 200, 8, false } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct fan_ue ue = { .kind = FAN_KIND_EPS_NAS,
					   .count = 1000,
					   .count_reserved = 2000,
					   .unacknowledged = rows[i].unacknowledged,
					   .transactions_open = rows[i].open };
		struct fan_context context = { .flags = FAN_CONTEXT_PRESENT };

		cr_assert_eq(fan_count_check(&ue), rows[i].fits ? 0 : FAN_E_INVALID, "row %zu", i);
		if (!rows[i].fits)
			cr_assert_not_null(strstr(fan_error_detail(), "CP transactions"), "row %zu: %s", i, fan_error_detail());
		fan_count_begin(&context, &ue);
		cr_assert_eq(context.transactions_open, rows[i].open);
	}
}

static struct fan_context
spent(uint32_t count, uint16_t unacknowledged)
{
	const struct fan_ue ue = { .struct_bytes = sizeof(struct fan_ue),
				   .count = count,
				   .count_reserved = count + 10,
				   .unacknowledged = unacknowledged };
	struct fan_context context = { .flags = FAN_CONTEXT_PRESENT };

	fan_count_begin(&context, &ue);
	return context;
}

Test(count, a_lease_begins_with_its_window)
{
	struct fan_context context = spent(70000, 200);
	uint32_t count;

	cr_assert_eq(fan_count_next(&context), 70000);
	cr_assert_eq(fan_count_gap(&context), 200);
	cr_assert_eq(fan_count_spend(&context, &count, &fan_count_rules[FAN_KIND_EPS_NAS], 1, 0, FAN_UNMARKED),
		     FAN_DROP_WINDOW);
	context = spent(70000, 199);
	cr_assert_eq(fan_count_spend(&context, &count, &fan_count_rules[FAN_KIND_EPS_NAS], 1, 0, FAN_UNMARKED), FAN_DROP_NONE);
	cr_assert_eq(count, 70000);
}

/* A late proof must not move the window back: COUNTs that were proved would be spent a second time of the window. */
Test(count, a_proof_moves_the_window_forward_only)
{
	struct fan_context context = spent(65600, 100);

	cr_assert_eq(fan_count_acknowledge(&context, 65600), FAN_E_INVALID, "not spent yet");
	cr_assert_not_null(strstr(fan_error_detail(), "65600"));
	cr_assert_eq(fan_count_acknowledge(&context, 65549), 0);
	cr_assert_eq(fan_count_gap(&context), 50);
	cr_assert_eq(fan_count_acknowledge(&context, 65529), 0, "an older proof is no error");
	cr_assert_eq(fan_count_gap(&context), 50, "the window moved back");
	cr_assert_eq(fan_count_acknowledge(&context, 13), 0, "nor one of long ago");
	cr_assert_eq(fan_count_gap(&context), 50);
	cr_assert_eq(fan_count_acknowledge(&context, 65599), 0);
	cr_assert_eq(fan_count_gap(&context), 0);
	context = spent(65600, 100);
	fan_count_acknowledge_all(&context);
	cr_assert_eq(fan_count_gap(&context), 0);
}

Test(count, a_lease_is_extended_and_never_shortened)
{
	struct fan_context context = spent(7, 0);

	cr_assert_eq(fan_count_lease(&context, FAN_KIND_EPS_NAS, 16), FAN_E_INVALID);
	cr_assert_eq(context.count_reserved, 17);
	cr_assert_eq(fan_count_lease(&context, FAN_KIND_EPS_NAS, 17), 0);
	cr_assert_eq(fan_count_lease(&context, FAN_KIND_EPS_NAS, 1U << 24), 0);
	cr_assert_eq(fan_count_lease(&context, FAN_KIND_5GS_NAS, (1U << 24) + 1), FAN_E_INVALID, "24 bits");
	cr_assert_eq(context.count_reserved, 1U << 24);
	cr_assert_eq(fan_count_lease(&context, FAN_KIND_NR_PDCP_12, UINT32_MAX), 0);
}

Test(count, what_a_lender_hands_over_is_checked)
{
	static const struct {
		struct fan_ue ue;
		bool taken;
	} rows[] = {
		{ { .kind = FAN_KIND_EPS_NAS, .count = 0, .count_reserved = 0 }, true },
		{ { .kind = FAN_KIND_EPS_NAS, .count = 5, .count_reserved = 4 }, false },
		{ { .kind = FAN_KIND_EPS_NAS, .count = 5, .count_reserved = 9, .unacknowledged = 5 }, true },
		{ { .kind = FAN_KIND_EPS_NAS, .count = 5, .count_reserved = 9, .unacknowledged = 6 }, false },
		{ { .kind = FAN_KIND_EPS_NAS, .count = 500, .count_reserved = 900, .unacknowledged = 200 }, true },
		{ { .kind = FAN_KIND_EPS_NAS, .count = 500, .count_reserved = 900, .unacknowledged = 201 }, false },
		{ { .kind = FAN_KIND_NR_PDCP_12, .count = 5000, .count_reserved = 9000, .unacknowledged = 1600 }, true },
		{ { .kind = FAN_KIND_NR_PDCP_12, .count = 5000, .count_reserved = 9000, .unacknowledged = 1601 }, false },
		{ { .kind = FAN_KIND_5GS_NAS, .count = (1U << 24) - 1, .count_reserved = 1U << 24 }, true },
		{ { .kind = FAN_KIND_5GS_NAS, .count = 1U << 24, .count_reserved = 1U << 24 }, false },
		{ { .kind = FAN_KIND_5GS_NAS, .count = 0, .count_reserved = (1U << 24) + 1 }, false },
		{ { .kind = FAN_KIND_NR_PDCP_18, .count = 1U << 24, .count_reserved = UINT32_MAX }, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(fan_count_check(&rows[i].ue), rows[i].taken ? 0 : FAN_E_INVALID, "row %zu", i);
}

/* The highest COUNT that was spent with an SN; one that was never spent has none. */
Test(count, an_sn_stands_for_the_highest_count_spent_with_it)
{
	static const struct {
		enum fan_kind kind;
		uint32_t next, sn;
		bool spent;
		uint32_t count;
	} rows[] = {
		{ FAN_KIND_NR_PDCP_12, 0, 0, false, 0 },
		{ FAN_KIND_NR_PDCP_12, 0, 4095, false, 0 },
		{ FAN_KIND_NR_PDCP_12, 1, 0, true, 0 },
		{ FAN_KIND_NR_PDCP_12, 1, 1, false, 0 },
		{ FAN_KIND_NR_PDCP_12, 4096, 4095, true, 4095 },
		{ FAN_KIND_NR_PDCP_12, 4096, 0, true, 0 },
		{ FAN_KIND_NR_PDCP_12, 4097, 0, true, 4096 },
		{ FAN_KIND_NR_PDCP_12, 10000, 10000 % 4096, true, 10000 - 4096 },
		{ FAN_KIND_NR_PDCP_12, 10000, 9999 % 4096, true, 9999 },
		{ FAN_KIND_NR_PDCP_12, 10000, 4096, false, 0 },
		{ FAN_KIND_NR_PDCP_12, 10000, UINT32_MAX, false, 0 },
		{ FAN_KIND_LTE_PDCP_18, 10000, 9999, true, 9999 },
		{ FAN_KIND_LTE_PDCP_18, 10000, 10000, false, 0 },
		{ FAN_KIND_NR_PDCP_18, 262144 + 5, 5, true, 5 },
		{ FAN_KIND_NR_PDCP_18, 262144 + 5, 4, true, 262148 },
		{ FAN_KIND_NR_PDCP_18, 262144 + 5, 262144, false, 0 },
		{ FAN_KIND_NR_PDCP_18, UINT32_MAX - 4095, 262143 - 4096, true, UINT32_MAX - 4096 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct fan_context context = { .count = rows[i].next };
		uint32_t count;

		cr_assert_eq(fan_count_of_sn(&context, &count, rows[i].kind, rows[i].sn), rows[i].spent, "row %zu", i);
		if (rows[i].spent)
			cr_assert_eq(count, rows[i].count, "row %zu: %u", i, count);
	}
}
