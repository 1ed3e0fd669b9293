/* SPDX-License-Identifier: BSD-3-Clause */
/* What the daemon and its faces say: as fields to the journal, as a line of JSON, as plain text. */
#define _GNU_SOURCE
#include "../host-api/control/log.h"

#include "../dataplane/context/error.h"
#include "journal.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct fan_test_journal journal;

static void
set_up(void)
{
	fan_test_journal_open(&journal);
}

static void
tear_down(void)
{
	fan_log_close();
	fan_test_journal_close(&journal);
}

TestSuite(log, .init = set_up, .fini = tear_down);

/* Takes the next record. */
static void
take_record(void)
{
	cr_assert_gt(fan_test_journal_take(&journal, 0), 0, "nothing was said");
}

/* Whether the record has a field of that value. */
static bool
has(const char *name, const char *value)
{
	const char *found = fan_test_journal_field(&journal, name);

	return found != NULL && strcmp(found, value) == 0;
}

Test(log, the_journal_gets_fields_and_the_id)
{
	cr_assert_eq(fan_log_open("serve", "journal"), 0, "%s", fan_error_detail());
	fan_log(FAN_LOG_WORKER_STUCK, json_pack("{s:i}", "worker", 3), "worker %d stands still", 3);
	take_record();
	cr_assert(has("MESSAGE", "worker 3 stands still"));
	cr_assert(has("MESSAGE_ID", fan_log_event_id(FAN_LOG_WORKER_STUCK)));
	cr_assert(has("PRIORITY", "3"));
	cr_assert(has("SYSLOG_IDENTIFIER", "fanfare"));
	cr_assert(has("FANFARE_EVENT", "worker-stuck"));
	cr_assert(has("FANFARE_PROGRAM", "serve"));
	cr_assert(has("FANFARE_WORKER", "3"));
}

Test(log, a_face_has_a_name_of_its_own)
{
	cr_assert_eq(fan_log_open("t8", "journal"), 0);
	fan_log(FAN_LOG_READY, NULL, "serves");
	take_record();
	cr_assert(has("SYSLOG_IDENTIFIER", "fanfare-t8"));
}

Test(log, a_device_that_fails_is_an_event_in_whichever_thread)
{
	cr_assert_eq(fan_log_open("serve", "journal"), 0);
	fan_outage_say("card %s is out of service", "model");
	take_record();
	cr_assert(has("FANFARE_EVENT", "device-out"));
	cr_assert(has("MESSAGE", "card model is out of service"));
}

Test(log, what_controls_a_terminal_is_a_blank)
{
	cr_assert_eq(fan_log_open("serve", "journal"), 0);
	fan_log(FAN_LOG_NOTE, NULL, "a\x1b[2J\nfanfare serve: forged\x7f");
	take_record();
	cr_assert(has("MESSAGE", "a [2J fanfare serve: forged "));
}

/* What `say` writes to standard error. */
static const char *
written(void (*say)(void))
{
	static char text[4096];
	char file[128];
	const int before = dup(STDERR_FILENO);
	ssize_t bytes;
	int to;

	(void)snprintf(file, sizeof(file), "%s/said", journal.folder);
	to = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert(to >= 0 && before >= 0);
	(void)dup2(to, STDERR_FILENO);
	say();
	(void)fflush(stderr);
	(void)dup2(before, STDERR_FILENO);
	(void)close(before);
	bytes = pread(to, text, sizeof(text) - 1, 0);
	text[bytes > 0 ? bytes : 0] = '\0';
	(void)close(to);
	(void)unlink(file);
	return text;
}

static void
say_lines(void)
{
	cr_assert_eq(fan_log_open("web", "auto"), 0);
	fan_log(FAN_LOG_DAEMON_LOST, json_pack("{s:s}", "socket", "x"), "it has gone: \"%s\"", "x");
	fan_log(FAN_LOG_NOTE, NULL, "octets %s", "\xff");
}

Test(log, what_is_no_terminal_gets_lines_of_json)
{
	const char *text = written(say_lines);
	json_error_t wrong;
	json_t *line = json_loads(text, JSON_DISABLE_EOF_CHECK, &wrong);

	cr_assert_not_null(line, "%s", text);
	cr_assert_str_eq(json_string_value(json_object_get(line, "event")), "daemon-lost");
	cr_assert_str_eq(json_string_value(json_object_get(line, "event_id")), fan_log_event_id(FAN_LOG_DAEMON_LOST));
	cr_assert_str_eq(json_string_value(json_object_get(line, "program")), "web");
	cr_assert_str_eq(json_string_value(json_object_get(line, "message")), "it has gone: \"x\"");
	cr_assert_str_eq(json_string_value(json_object_get(line, "socket")), "x");
	cr_assert_not_null(json_object_get(line, "time"));
	cr_assert_not_null(strstr(text, "\"event\":\"note\""), "octets that are no UTF-8: %s", text);
	json_decref(line);
}

static void
say_plain(void)
{
	cr_assert_eq(fan_log_open("tsp", "plain"), 0);
	fan_log(FAN_LOG_READY, json_pack("{s:i}", "port", 1), "listens");
	fan_outage_say("card");
	fan_log_close();
	fan_outage_say("card");
}

Test(log, plain_text_is_as_other_commands_have_it)
{
	cr_assert_str_eq(written(say_plain), "fanfare tsp: listens\nfanfare tsp: card\nfanfare: card\n");
}

/* Standard error is the journal's, as systemd says: then fields go there, before there is a configuration, too. */
Test(log, standard_error_that_is_the_journal_is_known_for_it)
{
	char stream[64];
	struct stat own;

	cr_assert_eq(fstat(STDERR_FILENO, &own), 0);
	(void)snprintf(stream, sizeof(stream), "%lu:%lu", (unsigned long)own.st_dev, (unsigned long)own.st_ino);
	cr_assert_eq(setenv("JOURNAL_STREAM", stream, 1), 0);
	cr_assert_eq(fan_log_open("serve", "early"), 0);
	fan_log(FAN_LOG_CONFIGURATION_REFUSED, NULL, "line 3");
	take_record();
	cr_assert_eq(fan_log_open("serve", "auto"), 0);
	fan_log(FAN_LOG_LOADING, NULL, "reads");
	take_record();
	cr_assert(has("FANFARE_EVENT", "loading"));
}

Test(log, where_it_goes_is_checked)
{
	cr_assert_eq(fan_log_open("serve", "jornal"), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "auto, journal, lines or plain"));
	cr_assert_eq(setenv("FANFARE_JOURNAL", "/nobody/listens", 1), 0);
	cr_assert_eq(fan_log_open("serve", "journal"), FAN_E_IO);
}

Test(log, what_others_can_cause_is_said_once_in_a_while)
{
	struct fan_log_limit limit = { .next_ms = 0 };
	uint64_t held = 7;

	cr_assert(fan_log_may(&limit, &held, 1000));
	cr_assert_eq(held, 0);
	for (int64_t ms = 1001; ms < 1000 + FAN_LOG_LIMIT_MS; ms += 100)
		cr_assert_not(fan_log_may(&limit, &held, ms));
	cr_assert(fan_log_may(&limit, &held, 1000 + FAN_LOG_LIMIT_MS));
	cr_assert_eq(held, FAN_LOG_LIMIT_MS / 100);
}

Test(log, no_two_events_share_a_name_or_an_id)
{
	for (unsigned i = 0; i < FAN_LOG_EVENT_COUNT; i++) {
		cr_assert_eq(strlen(fan_log_event_id(i)), 32);
		for (unsigned j = 0; j < i; j++) {
			cr_assert_str_neq(fan_log_event_id(i), fan_log_event_id(j));
			cr_assert_str_neq(fan_log_event_name(i), fan_log_event_name(j));
		}
	}
}
