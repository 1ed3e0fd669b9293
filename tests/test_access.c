/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/control/access.h"

#include <criterion/criterion.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define MONDAY 1
#define SATURDAY 6
#define SUNDAY 0

static struct fan_access access_rules;

static void
forget(void)
{
	fan_access_free(&access_rules);
}

TestSuite(access, .fini = forget);

static void
begin(const char *name)
{
	cr_assert_eq(fan_access_begin(&access_rules, name), 0, "%s", fan_error_detail());
}

static void
set(const char *key, const char *value)
{
	cr_assert_eq(fan_access_set(&access_rules, key, value), 0, "%s: %s", key, fan_error_detail());
}

static void
refuses(const char *key, const char *value, const char *why)
{
	cr_assert_eq(fan_access_set(&access_rules, key, value), FAN_E_INVALID, "%s = %s", key, value);
	cr_assert_not_null(strstr(fan_error_detail(), why), "%s = %s: %s", key, value, fan_error_detail());
}

/* ---- One question, of which each test changes what it is about ------------------------------------------------------------ */

static struct tm when;
static struct fan_access_question question;
static struct fan_access_rule *decided;

static void
ask_afresh(void)
{
	when = (struct tm){ .tm_wday = MONDAY, .tm_hour = 12 };
	question = (struct fan_access_question){
		.user = 4242, .gid = "flood@example.org", .octet_count = 100, .local = &when, .now_ns = 1000 * SECOND
	};
}

static void
may(void)
{
	cr_assert_eq(fan_access_judge(&access_rules, &decided, &question), 0, "%s", fan_error_detail());
}

static void
may_not(int error, const char *why)
{
	cr_assert_eq(fan_access_judge(&access_rules, &decided, &question), error);
	cr_assert_not_null(strstr(fan_error_detail(), why), "%s", fan_error_detail());
}

Test(access, without_a_rule_all_may_be_sent)
{
	ask_afresh();
	may();
	cr_assert_null(decided);
	fan_access_charge(decided, 0);
}

Test(access, with_one_nothing_else_may_be_sent)
{
	ask_afresh();
	begin("storm");
	set("groups", "storm@example.org, *@other.example");
	may_not(FAN_E_INVALID, "no rule of access lets user 4242 send to flood@example.org");
	question.gid = "storm@example.org";
	may();
	cr_assert_str_eq(decided->name, "storm");
	question.gid = "x@OTHER.example";
	may();
	question.gid = "x@other.example.org";
	may_not(FAN_E_INVALID, "no rule");
	question.gid = NULL;
	question.identity = "storm@example.org";
	may_not(FAN_E_INVALID, "send to storm@example.org");
}

Test(access, ues_are_named_for_themselves)
{
	ask_afresh();
	begin("ues");
	set("ues", "00101*");
	may_not(FAN_E_INVALID, "no rule");
	question.gid = NULL;
	question.identity = "001010000000001";
	may();
	question.identity = "901010000000001";
	may_not(FAN_E_INVALID, "no rule");
}

Test(access, the_first_rule_that_is_for_it_decides)
{
	ask_afresh();
	begin("short");
	set("groups", "flood@*");
	set("octets", "99");
	begin("long");
	set("groups", "*");
	may_not(FAN_E_TOO_LONG, "rule short of access: takes messages of up to 99 octets; this one has 100");
	question.octet_count = 99;
	may();
	question.gid = "other@example.org";
	question.octet_count = 100000;
	may();
	cr_assert_str_eq(decided->name, "long");
}

Test(access, senders_are_who_a_face_says)
{
	ask_afresh();
	begin("first");
	set("groups", "*");
	set("senders", "scs1, scs2*");
	may_not(FAN_E_INVALID, "no rule");
	question.sender = "scs2.example.org";
	may();
	question.sender = "scs3";
	may_not(FAN_E_INVALID, "user 4242 for scs3");
}

Test(access, users_are_of_this_machine)
{
	const gid_t groups[] = { 7, 0 };

	ask_afresh();
	begin("root");
	set("groups", "*");
	set("users", "root");
	may_not(FAN_E_INVALID, "no rule");
	question.user = 0;
	may();
	begin("group");
	set("groups", "*");
	set("users", "@root");
	question.user = 4242;
	may_not(FAN_E_INVALID, "no rule");
	question.groups = groups;
	question.group_count = 2;
	may();
	cr_assert_str_eq(decided->name, "group");
	refuses("users", "nobody-of-that-name", "is given twice");
	begin("none");
	refuses("users", "nobody-of-that-name", "no such user on this machine");
}

Test(access, priority_has_a_limit)
{
	ask_afresh();
	begin("calm");
	set("groups", "*");
	set("priority", "3");
	question.priority = 3;
	may();
	question.priority = 4;
	may_not(FAN_E_INVALID, "takes priorities up to 3");
}

static void
at(int day, int hour, int minute)
{
	when.tm_wday = day;
	when.tm_hour = hour;
	when.tm_min = minute;
}

Test(access, hours_begin_and_end)
{
	ask_afresh();
	begin("office");
	set("groups", "*");
	set("hours", "Mon-Fri 08:00-18:00, Sat 09:30-12:00");
	at(MONDAY, 8, 0);
	may();
	at(MONDAY, 7, 59);
	may_not(FAN_E_INVALID, "sends at Mon-Fri 08:00-18:00, Sat 09:30-12:00 alone; here it is Mon 07:59");
	at(MONDAY, 17, 59);
	may();
	at(MONDAY, 18, 0);
	may_not(FAN_E_INVALID, "Mon 18:00");
	at(SATURDAY, 9, 30);
	may();
	at(SATURDAY, 12, 0);
	may_not(FAN_E_INVALID, "Sat 12:00");
	at(SUNDAY, 10, 0);
	may_not(FAN_E_INVALID, "Sun 10:00");
}

Test(access, hours_go_over_midnight_and_days_over_the_week)
{
	ask_afresh();
	begin("night");
	set("groups", "*");
	set("hours", "Sat-Sun 22:00-06:00");
	at(SATURDAY, 22, 0);
	may();
	at(SATURDAY, 3, 0);
	may_not(FAN_E_INVALID, "Sat 03:00");
	at(SUNDAY, 5, 59);
	may();
	at(MONDAY, 5, 59);
	may();
	at(MONDAY, 6, 0);
	may_not(FAN_E_INVALID, "Mon 06:00");
	at(MONDAY, 23, 0);
	may_not(FAN_E_INVALID, "Mon 23:00");
}

Test(access, hours_of_every_day_end_at_midnight)
{
	ask_afresh();
	begin("late");
	set("groups", "*");
	set("hours", "20:00-24:00");
	at(SUNDAY, 23, 59);
	may();
	at(MONDAY, 0, 0);
	may_not(FAN_E_INVALID, "Mon 00:00");
}

Test(access, hours_that_are_none)
{
	static const char *const wrong[] = {
		"always",       "Mon",         "8:00-18:00",  "08:00",           "08:00-",           "08:00-08:00",
		"08:60-09:00",  "24:00-08:00", "08:00-24:01", "Mon-08:00-18:00", "Mon- 08:00-18:00", "Mon-Fri 08:00-18:00 x",
		"08:00-18:00,", "08:00 -18:00"
	};
	static const char many[] = "08:00-09:00,08:00-09:00,08:00-09:00,08:00-09:00,08:00-09:00,08:00-09:00,08:00-09:00,"
				   "08:00-09:00,08:00-09:00,08:00-09:00,08:00-09:00,08:00-09:00,08:00-09:00,";

	begin("wrong");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		access_rules.rules[0].given = 0;
		access_rules.rules[0].stretch_count = 0;
		refuses("hours", wrong[i], "takes stretches like Mon-Fri 08:00-18:00");
	}
	access_rules.rules[0].given = 0;
	access_rules.rules[0].stretch_count = 0;
	refuses("hours", many, "takes stretches");
}

Test(access, so_many_messages_in_a_period)
{
	ask_afresh();
	begin("slow");
	set("groups", "*");
	set("messages", "3");
	set("period_s", "60");
	for (unsigned i = 0; i < 3; i++) {
		may();
		fan_access_charge(decided, question.now_ns);
	}
	may_not(FAN_E_BUSY, "takes 3 messages in 60 s: try again in 20 s");
	question.now_ns += 20 * SECOND - 1;
	may_not(FAN_E_BUSY, "try again in 1 s");
	question.now_ns += 1;
	may();
	fan_access_charge(decided, question.now_ns);
	may_not(FAN_E_BUSY, "try again in 20 s");
	/* However long nothing was sent, no more than so many may be at once. */
	question.now_ns += 1000 * SECOND;
	for (unsigned i = 0; i < 3; i++) {
		may();
		fan_access_charge(decided, question.now_ns);
	}
	may_not(FAN_E_BUSY, "try again in 20 s");
}

Test(access, what_was_not_sent_is_not_counted)
{
	ask_afresh();
	begin("one");
	set("groups", "*");
	set("messages", "1");
	for (unsigned i = 0; i < 5; i++)
		may();
}

Test(access, another_file_does_not_wipe_what_was_sent)
{
	struct fan_access now;

	ask_afresh();
	begin("one");
	set("groups", "*");
	set("messages", "1");
	may();
	fan_access_charge(decided, question.now_ns);
	now = access_rules;
	access_rules = (struct fan_access){ .count = 0 };
	begin("new");
	set("groups", "other@*");
	begin("one");
	set("groups", "*");
	set("messages", "1");
	fan_access_keep(&access_rules, &now);
	fan_access_free(&now);
	may_not(FAN_E_BUSY, "rule one of access");
}

Test(access, names_and_keys_that_are_none)
{
	char name[4];

	cr_assert_eq(fan_access_begin(&access_rules, ""), FAN_E_INVALID);
	cr_assert_eq(fan_access_begin(&access_rules, "a b"), FAN_E_INVALID);
	cr_assert_eq(fan_access_begin(&access_rules, "a23456789012345678901234567890123"), FAN_E_INVALID);
	begin("a2345678901234567890123456789012");
	cr_assert_eq(fan_access_begin(&access_rules, "a2345678901234567890123456789012"), FAN_E_INVALID);
	refuses("group", "*", "did you mean groups?");
	refuses("xyzzy", "*", "no such key in this section");
	refuses("octets", "0", "1");
	refuses("priority", "8", "7");
	cr_assert_eq(fan_access_check(&access_rules), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "needs groups or ues"));
	for (unsigned i = 1; i < FAN_ACCESS_RULES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		begin(name);
	}
	cr_assert_eq(fan_access_begin(&access_rules, "one-more"), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "more than 64 rules"));
}
