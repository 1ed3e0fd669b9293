/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which way a member's messages go. fan_way_choose() says it from facts, policy and what is available, and knows nothing else; the rest of this
 * file keeps, of each group, the members that go another way than unicast (fan_group.elsewhere), and is called whenever a fact changes. Nothing
 * here is called while a message is sent.
 *
 * What a relay can do at the moment, and whether the group's key is valid, changes for all members at once: it is no matter of these sets, but of
 * who sends (broadcasts.h), who takes a set whose radio is not available for one of unicast. fan_way_choose() says the same (tests/test_choice.c).
 *
 * Thread: the control thread.
 */
#ifndef FAN_CHOICE_H
#define FAN_CHOICE_H

#include "../fanfare.h"

/* Of one member. */
struct fan_way_facts {
	uint8_t plmn[3], radio; /* enum fan_radio, of its context's kind; FAN_RADIO_COUNT: it has none that is known */
	uint16_t broadcast_id;
	bool key_held; /* it is on the group's current key */
	uint32_t area;
};

/* In: available, bits 1 << enum fan_radio. */
enum fan_way fan_way_choose(const struct fan_way_facts *facts, const struct fan_policy *policy, uint8_t available);

/* By whose cells UEs with a context of a kind are served; FAN_RADIO_COUNT: it tells nothing of that. */
enum fan_radio fan_radio_of_kind(enum fan_kind kind);
/* The way of a broadcast on a radio. */
static inline enum fan_way
fan_way_of_radio(enum fan_radio radio)
{
	return radio == FAN_RADIO_LTE ? FAN_WAY_BROADCAST_LTE : FAN_WAY_BROADCAST_NR;
}

#define FAN_RADIOS_ALL ((1U << FAN_RADIO_COUNT) - 1)

/* INVALID: names the field and its range. */
int fan_policy_check(const struct fan_policy *policy);

struct fan_group;
struct fanfare;

/* A fact of a member has changed, or it is new, or no member any more. When memory is short all members of the group go by unicast until
 * something else changes. */
void fan_choice_settle(struct fan_group *group, unsigned table, uint32_t slot);
/* The same in each group that a context is a member of. */
void fan_choice_settle_everywhere(struct fanfare *fanfare, unsigned table, uint32_t slot);
/* Of all members: the policy has changed, or the current key. */
void fan_choice_settle_group(struct fan_group *group);

#endif
