/* SPDX-License-Identifier: BSD-3-Clause */
/* Which way a member's messages go: every combination of facts, policy and what is available, beside a table of rules written another way. */
#include "../host-api/appliance/choice.h"

#include <criterion/criterion.h>
#include <string.h>

static const uint8_t plmns[3][3] = { { 0, 0, 0 }, { 0x62, 0xf2, 0x10 }, { 0x62, 0xf2, 0x20 } };
static const uint32_t areas[4] = { 0, 7, 9, 0xfffe };
static const uint16_t ids[3] = { 0, 0xa001, 0xa002 };

/* One combination, digit by digit. */
struct combination {
	unsigned radio, plmn, area, id, held, radios, open, policy_id, listed, available;
};

static unsigned
digit(unsigned *number, unsigned base)
{
	const unsigned value = *number % base;

	*number /= base;
	return value;
}

#define COMBINATIONS (3 * 3 * 4 * 3 * 2 * 4 * 2 * 2 * 3 * 4)

static struct combination
combination_of(unsigned number)
{
	struct combination c;

	c.radio = digit(&number, 3);
	c.plmn = digit(&number, 3);
	c.area = digit(&number, 4);
	c.id = digit(&number, 3);
	c.held = digit(&number, 2);
	c.radios = digit(&number, 4);
	c.open = digit(&number, 2);
	c.policy_id = digit(&number, 2);
	c.listed = digit(&number, 3); /* areas of each radio: none, the first, the first two */
	c.available = digit(&number, 4);
	return c;
}

static struct fan_policy
policy_of(const struct combination *c)
{
	struct fan_policy policy;

	fan_policy_init(&policy);
	policy.radios = (uint8_t)c->radios;
	policy.open = c->open != 0;
	policy.broadcast_id = ids[1 + c->policy_id];
	memcpy(policy.plmn, plmns[1], sizeof(policy.plmn));
	for (unsigned radio = 0; radio < FAN_RADIO_COUNT; radio++) {
		policy.area_count[radio] = (uint16_t)c->listed;
		memcpy(policy.areas[radio], areas + 1, c->listed * sizeof(areas[0]));
	}
	return policy;
}

static enum fan_way
choose(const struct combination *c, unsigned available)
{
	const struct fan_policy policy = policy_of(c);
	struct fan_way_facts facts = {
		.radio = (uint8_t)c->radio, .broadcast_id = ids[c->id], .key_held = c->held != 0, .area = areas[c->area]
	};

	memcpy(facts.plmn, plmns[c->plmn], sizeof(facts.plmn));
	return fan_way_choose(&facts, &policy, (uint8_t)available);
}

/* What must be so for a broadcast, each by itself. */
static bool
may_hear(const struct combination *c)
{
	const bool has_radio = c->radio < 2 && ((c->radios & c->available) >> c->radio & 1) != 0;
	const bool listens = c->id == 1 + c->policy_id;
	const bool can_open = c->open == 1 || c->held == 1;
	const bool at_home = c->plmn == 1;
	const bool there = c->listed == 0 || (c->area >= 1 && c->area <= c->listed);

	return has_radio && listens && can_open && at_home && there;
}

Test(choice, every_combination_has_the_way_that_its_facts_allow)
{
	unsigned seen[FAN_WAY_COUNT] = { 0 };

	for (unsigned number = 0; number < COMBINATIONS; number++) {
		const struct combination c = combination_of(number);
		const enum fan_way way = choose(&c, c.available);
		const enum fan_way expected = !may_hear(&c)  ? FAN_WAY_UNICAST
					      : c.radio == 0 ? FAN_WAY_BROADCAST_LTE
							     : FAN_WAY_BROADCAST_NR;

		cr_assert_eq(way, expected, "combination %u: %s, not %s", number, fan_way_name(way), fan_way_name(expected));
		seen[way]++;
	}
	for (unsigned way = 0; way < FAN_WAY_COUNT; way++)
		cr_assert_gt(seen[way], 100, "%s: %u combinations", fan_way_name((enum fan_way)way), seen[way]);
}

/* Sets are kept as if all were available, and one whose radio is not is taken for unicast: that is the same. */
Test(choice, what_is_not_available_turns_its_way_into_unicast_and_no_other)
{
	for (unsigned number = 0; number < COMBINATIONS; number++) {
		const struct combination c = combination_of(number);
		const enum fan_way always = choose(&c, FAN_RADIOS_ALL);
		const bool available = c.radio < 2 && (c.available >> c.radio & 1) != 0;

		cr_assert_eq(choose(&c, c.available), available ? always : FAN_WAY_UNICAST, "combination %u", number);
	}
}

Test(choice, ways_have_names)
{
	cr_assert_str_eq(fan_way_name(FAN_WAY_UNICAST), "unicast");
	cr_assert_str_eq(fan_way_name(FAN_WAY_BROADCAST_LTE), "broadcast-lte");
	cr_assert_str_eq(fan_way_name(FAN_WAY_BROADCAST_NR), "broadcast-nr");
	cr_assert_str_eq(fan_way_name(FAN_WAY_COUNT), "unknown");
}

/* ---- Policies ---------------------------------------------------------------------------------------------------------------- */

static struct fan_policy
good_policy(void)
{
	const struct combination c = { .radios = 3, .listed = 2 };

	return policy_of(&c);
}

static void
refused(const struct fan_policy *policy, const char *part)
{
	cr_assert_eq(fan_policy_check(policy), FAN_E_INVALID, "%s: not refused", part);
	cr_assert_not_null(strstr(fan_error_detail(), part), "\"%s\" is not in: %s", part, fan_error_detail());
}

Test(choice, a_policy_that_no_broadcast_can_follow_is_refused)
{
	struct fan_policy policy = good_policy();

	cr_assert_eq(fan_policy_check(&policy), 0, "%s", fan_error_detail());
	policy.radios = 4;
	refused(&policy, "radios");
	policy = good_policy();
	policy.broadcast_id = 0x1112; /* a warning of an authority */
	refused(&policy, "broadcast_id");
	policy = good_policy();
	memset(policy.plmn, 0, sizeof(policy.plmn));
	refused(&policy, "plmn");
	policy = good_policy();
	policy.broadcasts = 0;
	refused(&policy, "broadcasts");
	policy = good_policy();
	policy.period_s = FAN_BROADCAST_PERIOD_S_MAX + 1;
	refused(&policy, "period_s");
	policy = good_policy();
	policy.areas[FAN_RADIO_LTE][1] = 0x10000;
	refused(&policy, "65536 of LTE");
	policy = good_policy();
	policy.areas[FAN_RADIO_NR][1] = 0x10000;
	cr_assert_eq(fan_policy_check(&policy), 0, "24 bits of NR: %s", fan_error_detail());
	policy.areas[FAN_RADIO_NR][1] = policy.areas[FAN_RADIO_NR][0];
	refused(&policy, "ascending");
	policy = good_policy();
	policy.area_count[FAN_RADIO_NR] = FAN_POLICY_AREAS_MAX + 1;
	refused(&policy, "257 areas");
	fan_policy_init(&policy);
	cr_assert_eq(fan_policy_check(&policy), 0, "none at all");
}
