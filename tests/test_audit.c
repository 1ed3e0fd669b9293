/* SPDX-License-Identifier: BSD-3-Clause */
/* Records of what clients change: each act leaves one, with what may be told and nothing else, and nobody is waited for. */
#define _GNU_SOURCE
#include "../host-api/control/daemon.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct fan_audit audit;
static int journal;
static char folder[] = "/tmp/fanfare-audit.XXXXXX", path[64];
static char record[65536];

/* The journal is a socket of the test's. */
static void
set_up(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	cr_assert_not_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/journal", folder);
	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(journal, (const struct sockaddr *)&name, sizeof(name)), 0);
	cr_assert_eq(setenv("FANFARE_JOURNAL", path, 1), 0);
	cr_assert_eq(fan_audit_open(&audit, "journal"), 0, "%s", fan_error_detail());
}

static void
tear_down(void)
{
	fan_audit_close(&audit);
	(void)close(journal);
	(void)unlink(path);
	(void)rmdir(folder);
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

/* The value of a field in the record, closed by a zero; NULL: it has none. */
static const char *
field(const char *name)
{
	static char value[1024];
	const ssize_t bytes = recv(journal, record, sizeof(record), MSG_PEEK);

	for (ssize_t at = 0; at < bytes;) {
		const size_t name_bytes = strcspn(record + at, "\n");
		uint64_t value_bytes;
		const bool found = strlen(name) == name_bytes && memcmp(record + at, name, name_bytes) == 0;

		memcpy(&value_bytes, record + at + name_bytes + 1, sizeof(value_bytes));
		cr_assert_lt(value_bytes, sizeof(value));
		memcpy(value, record + at + name_bytes + 9, value_bytes);
		value[value_bytes] = '\0';
		if (found)
			return value;
		at += (ssize_t)(name_bytes + 10 + value_bytes);
		cr_assert(at <= bytes && record[at - 1] == '\n');
	}
	return NULL;
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
	(void)recv(journal, record, sizeof(record), 0);
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
	cr_assert_null(memmem(record, (size_t)recv(journal, record, sizeof(record), 0), "secret", 6));
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
	cr_assert_null(memmem(record, (size_t)recv(journal, record, sizeof(record), 0), "00112233", 8));
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
