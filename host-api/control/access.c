/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "access.h"

#include "ini_file.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_S INT64_C(1000000000)
#define PERIOD_S_MAX 2678400
#define DAY_MINUTES 1440
#define EVERY_DAY 0x7f
#define TEXT_BYTES_MAX 160 /* with key and sign it fits a line of the file */

static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };

/* ---- Hours ------------------------------------------------------------------------------------------------------------- */

/* Three letters of a day. In/Out: *text, behind them. Returns 0..6, or -1. */
static int
read_day(const char **text)
{
	for (int day = 0; day < 7; day++) {
		if (strncasecmp(*text, days[day], 3) != 0)
			continue;
		*text += 3;
		return day;
	}
	return -1;
}

/* "Mon" or "Mon-Fri", which may go over the end of the week. In/Out: *text, behind it. */
static bool
read_days(uint8_t *set, const char **text)
{
	const int first = read_day(text);
	int last = first;

	if (first >= 0 && **text == '-') {
		(*text)++;
		last = read_day(text);
	}
	if (first < 0 || last < 0)
		return false;
	for (int day = first;; day = (day + 1) % 7) {
		*set |= (uint8_t)(1U << day);
		if (day == last)
			return true;
	}
}

static bool
is_digit(char character)
{
	return character >= '0' && character <= '9';
}

/* HH:MM, up to 24:00. In/Out: *text, behind it. */
static bool
read_time(uint16_t *minutes, const char **text)
{
	const char *at = *text;

	if (strnlen(at, 5) < 5 || !is_digit(at[0]) || !is_digit(at[1]) || at[2] != ':' || at[3] < '0' || at[3] > '5' ||
	    !is_digit(at[4]))
		return false;
	*minutes = (uint16_t)(60 * (10 * (at[0] - '0') + at[1] - '0') + 10 * (at[3] - '0') + at[4] - '0');
	*text += 5;
	return *minutes <= DAY_MINUTES;
}

/* "Mon-Fri 08:00-18:00", or the times alone for every day. */
static bool
read_stretch(struct fan_access_hours *hours, const char *text)
{
	*hours = (struct fan_access_hours){ .days = 0 };
	text += strspn(text, " \t");
	if (is_digit(*text))
		hours->days = EVERY_DAY;
	else if (!read_days(&hours->days, &text))
		return false;
	text += strspn(text, " \t");
	if (!read_time(&hours->from, &text) || *text++ != '-' || !read_time(&hours->to, &text))
		return false;
	return text[strspn(text, " \t")] == '\0' && hours->from < DAY_MINUTES && hours->from != hours->to;
}

static int
read_hours(struct fan_access_rule *rule, const char *text)
{
	char *copy = strdup(text), *rest = copy, *stretch;
	int error = copy == NULL ? fan_fail(FAN_E_MEMORY, "no memory") : 0;

	while (error == 0 && (stretch = strsep(&rest, ",")) != NULL) {
		if (rule->stretch_count == FAN_ACCESS_HOURS_MAX)
			error = fan_fail(FAN_E_INVALID, "more than %d stretches of time", FAN_ACCESS_HOURS_MAX);
		else if (!read_stretch(&rule->stretches[rule->stretch_count++], stretch))
			error = fan_fail(
				FAN_E_INVALID,
				"takes stretches like Mon-Fri 08:00-18:00, with commas between them; those without days are of every day");
	}
	free(copy);
	return error;
}

static bool
is_within(const struct fan_access_hours *hours, const struct tm *local)
{
	const unsigned minute = (unsigned)(60 * local->tm_hour + local->tm_min);
	const bool today = (hours->days >> local->tm_wday & 1) != 0;
	const bool yesterday = (hours->days >> (local->tm_wday + 6) % 7 & 1) != 0;

	if (hours->from < hours->to)
		return today && minute >= hours->from && minute < hours->to;
	return (today && minute >= hours->from) || (yesterday && minute < hours->to);
}

static bool
is_open(const struct fan_access_rule *rule, const struct tm *local)
{
	for (unsigned i = 0; i < rule->stretch_count; i++)
		if (is_within(&rule->stretches[i], local))
			return true;
	return rule->stretch_count == 0;
}

/* ---- Rules ------------------------------------------------------------------------------------------------------------- */

enum key_type { KEY_TEXT, KEY_NUMBER };

static const struct key {
	const char *name; /* first: fan_nearest_name() walks these */
	enum key_type type;
	size_t offset;
	uint64_t minimum, maximum;
} keys[] = {
	{ "users", KEY_TEXT, offsetof(struct fan_access_rule, users), 0, 0 },
	{ "senders", KEY_TEXT, offsetof(struct fan_access_rule, senders), 0, 0 },
	{ "groups", KEY_TEXT, offsetof(struct fan_access_rule, groups), 0, 0 },
	{ "ues", KEY_TEXT, offsetof(struct fan_access_rule, ues), 0, 0 },
	{ "hours", KEY_TEXT, offsetof(struct fan_access_rule, hours), 0, 0 },
	{ "octets", KEY_NUMBER, offsetof(struct fan_access_rule, octets), 1, 1 << 20 },
	{ "priority", KEY_NUMBER, offsetof(struct fan_access_rule, priority), 0, FAN_PRIORITY_MAX },
	{ "messages", KEY_NUMBER, offsetof(struct fan_access_rule, messages), 1, 1000000 },
	{ "period_s", KEY_NUMBER, offsetof(struct fan_access_rule, period_s), 1, PERIOD_S_MAX },
	{ .name = NULL },
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]) - 1)

static char **
text_at(struct fan_access_rule *rule, const struct key *key)
{
	return (char **)(void *)((char *)rule + key->offset);
}

int
fan_access_begin(struct fan_access *access, const char *name)
{
	struct fan_access_rule *rules;

	if (fan_ini_label(name, FAN_ACCESS_NAME_BYTES - 1, "access") != 0)
		return FAN_E_INVALID;
	for (unsigned i = 0; i < access->count; i++)
		if (strcmp(access->rules[i].name, name) == 0)
			return fan_fail(FAN_E_INVALID, "is there twice");
	if (access->count == FAN_ACCESS_RULES_MAX)
		return fan_fail(FAN_E_INVALID, "more than %d rules", FAN_ACCESS_RULES_MAX);
	rules = reallocarray(access->rules, access->count + 1, sizeof(*rules));
	if (rules == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory");
	access->rules = rules;
	rules[access->count] = (struct fan_access_rule){ .priority = FAN_PRIORITY_MAX, .period_s = 60 };
	(void)snprintf(rules[access->count].name, sizeof(rules[access->count].name), "%s", name);
	access->count++;
	return 0;
}

static int
set_text(struct fan_access_rule *rule, const struct key *key, const char *value)
{
	int error = strlen(value) > TEXT_BYTES_MAX ? fan_fail(FAN_E_INVALID, "is longer than %d octets", TEXT_BYTES_MAX) : 0;

	if (error == 0 && key->offset == offsetof(struct fan_access_rule, users))
		error = fan_principals_read(&rule->principals, value);
	if (error == 0 && key->offset == offsetof(struct fan_access_rule, hours))
		error = read_hours(rule, value);
	return error != 0 ? error : fan_ini_text(text_at(rule, key), value);
}

int
fan_access_set(struct fan_access *access, const char *name, const char *value)
{
	struct fan_access_rule *rule = &access->rules[access->count - 1];

	for (unsigned i = 0; i < KEY_COUNT; i++) {
		if (strcmp(keys[i].name, name) != 0)
			continue;
		if ((rule->given >> i & 1) != 0)
			return fan_fail(FAN_E_INVALID, "is given twice");
		rule->given |= 1U << i;
		if (*value == '\0')
			return 0;
		return keys[i].type == KEY_TEXT ? set_text(rule, &keys[i], value)
						: fan_ini_number((uint64_t *)(void *)((char *)rule + keys[i].offset), value, 10,
								 keys[i].minimum, keys[i].maximum);
	}
	return fan_ini_refuse_key(name, keys, sizeof(keys[0]));
}

int
fan_access_check(const struct fan_access *access)
{
	for (unsigned i = 0; i < access->count; i++)
		if (access->rules[i].groups == NULL && access->rules[i].ues == NULL)
			return fan_fail(FAN_E_INVALID, "[access %s]: needs groups or ues: whom messages may go to, * for all",
					access->rules[i].name);
	return 0;
}

void
fan_access_print(const struct fan_access *access, FILE *out)
{
	for (unsigned i = 0; i < access->count; i++) {
		const struct fan_access_rule *rule = &access->rules[i];

		(void)fprintf(out, "\n[access %s]\n", rule->name);
		for (unsigned k = 0; k < KEY_COUNT; k++) {
			const char *place = (const char *)rule + keys[k].offset;

			if (keys[k].type == KEY_TEXT && *(char *const *)(const void *)place != NULL)
				(void)fprintf(out, "%s = %s\n", keys[k].name, *(char *const *)(const void *)place);
			if (keys[k].type == KEY_NUMBER && *(const uint64_t *)(const void *)place != 0)
				(void)fprintf(out, "%s = %llu\n", keys[k].name,
					      (unsigned long long)*(const uint64_t *)(const void *)place);
		}
	}
}

void
fan_access_keep(struct fan_access *next, const struct fan_access *now)
{
	for (unsigned i = 0; i < next->count; i++)
		for (unsigned j = 0; j < now->count; j++)
			if (strcmp(next->rules[i].name, now->rules[j].name) == 0)
				next->rules[i].full_ns = now->rules[j].full_ns;
}

void
fan_access_free(struct fan_access *access)
{
	for (unsigned i = 0; i < access->count; i++)
		for (unsigned k = 0; k < KEY_COUNT; k++)
			if (keys[k].type == KEY_TEXT)
				free(*text_at(&access->rules[i], &keys[k]));
	free(access->rules);
	*access = (struct fan_access){ .count = 0 };
}

/* ---- Judging ----------------------------------------------------------------------------------------------------------- */

static bool
is_for(const struct fan_access_rule *rule, const struct fan_access_question *question)
{
	if (rule->users != NULL &&
	    !fan_principals_have(&rule->principals, question->user, question->groups, question->group_count))
		return false;
	if (rule->senders != NULL && !fan_ini_matches(rule->senders, question->sender))
		return false;
	return question->gid != NULL ? fan_ini_matches(rule->groups, question->gid)
				     : fan_ini_matches(rule->ues, question->identity);
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* What one message takes of the period; as much as the period has room for may be sent at once. */
static int64_t
step_ns(const struct fan_access_rule *rule)
{
	return (int64_t)(rule->period_s * (uint64_t)NS_PER_S / rule->messages);
}

/* For how long the rule has no room yet for one more; 0 or less: it has. */
static int64_t
wait_ns(const struct fan_access_rule *rule, int64_t now_ns)
{
	return rule->messages == 0 ? 0
				   : later(rule->full_ns, now_ns) + step_ns(rule) - now_ns - (int64_t)rule->period_s * NS_PER_S;
}

static int
judge_by(const struct fan_access_rule *rule, const struct fan_access_question *question)
{
	const int64_t wait = wait_ns(rule, question->now_ns);

	if (!is_open(rule, question->local))
		return fan_fail(FAN_E_INVALID, "rule %s of access: sends at %s alone; here it is %s %02d:%02d", rule->name,
				rule->hours, days[question->local->tm_wday], question->local->tm_hour, question->local->tm_min);
	if (question->priority > rule->priority)
		return fan_fail(FAN_E_INVALID, "rule %s of access: takes priorities up to %llu", rule->name,
				(unsigned long long)rule->priority);
	if (rule->octets != 0 && question->octet_count > rule->octets)
		return fan_fail(FAN_E_TOO_LONG, "rule %s of access: takes messages of up to %llu octets; this one has %zu",
				rule->name, (unsigned long long)rule->octets, question->octet_count);
	if (wait > 0)
		return fan_fail(FAN_E_BUSY, "rule %s of access: takes %llu messages in %llu s: try again in %lld s", rule->name,
				(unsigned long long)rule->messages, (unsigned long long)rule->period_s,
				(long long)((wait + NS_PER_S - 1) / NS_PER_S));
	return 0;
}

int
fan_access_judge(struct fan_access *access, struct fan_access_rule **rule, const struct fan_access_question *question)
{
	*rule = NULL;
	for (unsigned i = 0; i < access->count; i++) {
		if (!is_for(&access->rules[i], question))
			continue;
		*rule = &access->rules[i];
		return judge_by(*rule, question);
	}
	return access->count == 0 ? 0
				  : fan_fail(FAN_E_INVALID, "no rule of access lets user %lld%s%.64s send to %.200s",
					     (long long)question->user, question->sender != NULL ? " for " : "",
					     question->sender != NULL ? question->sender : "",
					     question->gid != NULL ? question->gid : question->identity);
}

void
fan_access_charge(struct fan_access_rule *rule, int64_t now_ns)
{
	if (rule != NULL && rule->messages != 0)
		rule->full_ns = later(rule->full_ns, now_ns) + step_ns(rule);
}
