/* SPDX-License-Identifier: BSD-3-Clause */
/* Records of what clients change: each act leaves one, with what may be told and nothing else, and nobody is waited for. */
#define _GNU_SOURCE
#include "../host-api/control/daemon.h"
#include "journal.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct fan_audit audit;
static struct fan_test_journal journal;

static void
set_up(void)
{
	fan_test_journal_open(&journal);
	cr_assert_eq(fan_audit_open(&audit, "journal"), 0, "%s", fan_error_detail());
}

static void
tear_down(void)
{
	fan_audit_close(&audit);
	fan_test_journal_close(&journal);
}

TestSuite(audit, .init = set_up, .fini = tear_down);

static struct fan_audit_act
act_of(const char *method, const char *params)
{
	json_t *object = json_loads(params, 0, NULL);
	const struct fan_audit_act act = { .method = method, .user = 998, .subject = fan_audit_subject(object) };

	json_decref(object);
	return act;
}

/* Of the next record. */
static const char *
field(const char *name)
{
	(void)fan_test_journal_take(&journal, MSG_PEEK);
	return fan_test_journal_field(&journal, name);
}

static void
has(const char *name, const char *value)
{
	const char *found = field(name);

	cr_assert(found != NULL && strcmp(found, value) == 0, "%s: %s", name, found);
}

static void
next(void)
{
	(void)fan_test_journal_take(&journal, 0);
}

Test(audit, a_record_has_who_what_to_whom_and_the_outcome)
{
	struct fan_audit_act act =
		act_of("send",
		       "{\"gid\":\"flood@example.org\",\"priority\":3,\"text\":\"secret words\",\"message\":\"c2VjcmV0\"}");
	json_t *result = json_pack("{s:i, s:s}", "id", 7, "more", "secret");

	fan_audit_record(&audit, &act, "done", 0, result);
	json_decref(result);
	cr_assert_null(act.subject);
	has("MESSAGE", "user 998: send: done");
	has("MESSAGE_ID", "2153d0d154364bf9949b897c57701df6");
	has("PRIORITY", "6");
	has("SYSLOG_IDENTIFIER", "fanfare");
	has("FANFARE_EVENT", "send");
	has("FANFARE_USER", "998");
	has("FANFARE_GID", "flood@example.org");
	has("FANFARE_PRIORITY", "3");
	has("FANFARE_ID", "7");
	cr_assert_null(field("FANFARE_ERROR"));
	cr_assert_null(memmem(journal.record, (size_t)fan_test_journal_take(&journal, 0), "secret", 6));
	cr_assert(audit.written == 1 && audit.lost == 0);
}

Test(audit, what_was_refused_says_why_in_a_word)
{
	struct fan_audit_act act = act_of("group.delete", "{\"gid\":\"a@b.org\"}");

	fan_audit_record(&audit, &act, "refused", FAN_E_NOT_FOUND, NULL);
	has("FANFARE_OUTCOME", "refused");
	has("FANFARE_ERROR", fan_error_name(FAN_E_NOT_FOUND));
	has("PRIORITY", "5");
	next();
	act = act_of(NULL, "{}");
	fan_audit_record(&audit, &act, "done", 0, NULL);
	cr_assert_null(field("MESSAGE"));
}

/* No value can make a field of its own. */
Test(audit, values_with_lines_are_one_value)
{
	struct fan_audit_act act = act_of("group.create", "{\"gid\":\"a\\nFANFARE_USER=0\\n\"}");

	fan_audit_record(&audit, &act, "refused", FAN_E_INVALID, NULL);
	has("FANFARE_GID", "a\nFANFARE_USER=0\n");
	has("FANFARE_USER", "998");
}

/* Keys come in params of these names, and in objects. */
Test(audit, keys_are_in_no_record)
{
	struct fan_audit_act act =
		act_of("lease", "{\"context\":{\"k_enc\":\"00112233\"},\"k_int\":\"00112233\",\"identity\":\"001010000000001\","
				"\"count\":5,\"originator\":\"00112233\",\"gid\":{\"k_enc\":\"00112233\"}}");

	fan_audit_record(&audit, &act, "done", 0, NULL);
	has("FANFARE_IDENTITY", "001010000000001");
	cr_assert_null(memmem(journal.record, (size_t)fan_test_journal_take(&journal, 0), "00112233", 8));
}

Test(audit, a_reader_that_does_not_read_loses_records_and_keeps_nobody)
{
	for (unsigned i = 0; i < 10000; i++) {
		struct fan_audit_act act = act_of("stop", "{}");

		fan_audit_record(&audit, &act, "done", 0, NULL);
	}
	cr_assert(audit.lost > 0 && audit.written > 0 && audit.written + audit.lost == 10000);
}

/* Whoever adds a method that changes something gives it an id; those that look have none. */
Test(audit, every_method_that_changes_something_is_recorded)
{
	const struct fan_method *const lists[] = { fan_service_methods, fan_ue_methods, fan_group_methods,
						   fan_message_methods };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (const struct fan_method *method = lists[i]; method->name != NULL; method++)
			cr_assert_eq(fan_audit_id(method->name) != NULL,
				     method->role != FAN_ROLE_READ && method->role != FAN_ROLE_NONE, "%s", method->name);
}

Test(audit, where_records_go_is_checked)
{
	struct fan_audit other;

	cr_assert_eq(fan_audit_open(&other, "jornal"), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "takes auto, journal, lines or no"));
	cr_assert_eq(fan_audit_open(&other, "no"), 0);
	cr_assert(other.sink.journal < 0 && !other.sink.lines);
	cr_assert_eq(setenv("FANFARE_JOURNAL", "/nonexistent/journal", 1), 0);
	cr_assert_eq(fan_audit_open(&other, "journal"), FAN_E_IO);
}
