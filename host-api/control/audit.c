/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "audit.h"

#include "../../dataplane/context/error.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define JOURNAL "/run/systemd/journal/socket"
#define JOURNAL_VARIABLE "FANFARE_JOURNAL" /* of the environment: another socket, for tests */
#define RECORD_BYTES_MAX 4096              /* of a line, so that a pipe takes it whole or not at all (PIPE_BUF) */
#define PRIORITY_DONE 6
#define PRIORITY_REFUSED 5

/* Ids of what is recorded, for whoever looks for it: none is ever another's. */
static const struct {
	const char *method, *id;
} ids[] = {
	{ "send", "2153d0d154364bf9949b897c57701df6" },          { "message.cancel", "a69ad3e6123c4d42886cb9312d7d41c4" },
	{ "ue.import", "ace60c1b30ee4afea78973e7d5e8abe6" },     { "ue.remove", "ea09d659b7a4465ebfce2acbe9a202ef" },
	{ "ue.reachable", "42146f7681bf4c2cac9a1f8f727bffcc" },  { "lease", "8210e2370795491ca218f151c46d13cf" },
	{ "release", "a812c2d6dde24dfaa60dffa4723e76e4" },       { "ack", "4249197658ba4242b70d64fc7ea8a097" },
	{ "group.create", "52e574136a0345e884b21360a1dc3856" },  { "group.delete", "1d367eacca924a06af3030668249f716" },
	{ "group.add", "8792b5e2aa9b4d16b95925374f9006ca" },     { "group.remove", "110f6da332f240e3a4a55763e86297ab" },
	{ "reload", "45a0154440894f699fd5e063e912b633" },        { "stop", "23df941ad5e94f5298f47cb83593fde4" },
	{ "next_hop.rate", "c5a5ab2a20b445609e14507193040c70" }, { "next_hop.relay", "c81e0a778d3c4ad3bfe0452156ee8443" },
};

const char *
fan_audit_id(const char *method)
{
	for (size_t i = 0; i < COUNT_OF(ids); i++)
		if (strcmp(ids[i].method, method) == 0)
			return ids[i].id;
	return NULL;
}

/* ---- Where records go -------------------------------------------------------------------------------------------------- */

/* systemd says in $JOURNAL_STREAM which socket it has connected to the journal. */
static bool
is_journal(int descriptor)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat found;
	char own[64];

	if (stream == NULL || fstat(descriptor, &found) != 0)
		return false;
	(void)snprintf(own, sizeof(own), "%lu:%lu", (unsigned long)found.st_dev, (unsigned long)found.st_ino);
	return strcmp(stream, own) == 0;
}

static int
open_journal(struct fan_audit *audit)
{
	const char *path = getenv(JOURNAL_VARIABLE) != NULL ? getenv(JOURNAL_VARIABLE) : JOURNAL;
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	audit->journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (audit->journal >= 0 && connect(audit->journal, (const struct sockaddr *)&name, sizeof(name)) == 0)
		return 0;
	(void)fan_fail(FAN_E_IO, "[serve] audit = journal: %s: %s", path, strerror(errno));
	fan_audit_close(audit);
	return FAN_E_IO;
}

int
fan_audit_open(struct fan_audit *audit, const char *where)
{
	const bool automatic = strcmp(where, "auto") == 0;

	*audit = (struct fan_audit){ .journal = -1 };
	if (strcmp(where, "journal") == 0 || (automatic && is_journal(STDERR_FILENO)))
		return open_journal(audit);
	audit->lines = strcmp(where, "lines") == 0 || (automatic && isatty(STDERR_FILENO) != 1);
	if (audit->lines || automatic || strcmp(where, "no") == 0)
		return 0;
	return fan_fail(FAN_E_INVALID, "[serve] audit = %.32s: takes auto, journal, lines or no", where);
}

void
fan_audit_close(struct fan_audit *audit)
{
	if (audit->journal >= 0)
		(void)close(audit->journal);
	audit->journal = -1;
	audit->lines = false;
}

/* ---- Records ----------------------------------------------------------------------------------------------------------- */

/* Of params and results, what may be told. Anything else may be a key or a payload. */
static const char *const told[] = { "gid",      "id",        "identity",    "kind",         "bearer",       "profile",
				    "priority", "reference", "traceparent", "valid_for_ms", "reachable",    "cancel",
				    "added",    "removed",   "joined",      "skipped",      "acknowledged", "error_count",
				    "repeated", "address",   "pdus_per_s",  "octets_per_s", "for_ms" };

static void
copy_told(json_t *to, const json_t *from)
{
	for (size_t i = 0; i < COUNT_OF(told); i++) {
		json_t *value = json_object_get(from, told[i]);

		if (json_is_string(value) || json_is_integer(value) || json_is_boolean(value))
			(void)json_object_set(to, told[i], value);
	}
}

json_t *
fan_audit_subject(const json_t *params)
{
	json_t *subject = json_object();

	copy_told(subject, params);
	return subject;
}

/* Waits for nobody: a reader that is slow loses records, and the daemon no time. */
static bool
write_line(const json_t *record)
{
	struct pollfd ready = { .fd = STDERR_FILENO, .events = POLLOUT };
	char line[RECORD_BYTES_MAX];
	const size_t bytes = json_dumpb(record, line, sizeof(line) - 1, JSON_COMPACT);

	if (bytes == 0 || bytes > sizeof(line) - 1 || poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0)
		return false;
	line[bytes] = '\n';
	return write(STDERR_FILENO, line, bytes + 1) == (ssize_t)bytes + 1;
}

/* A field as the journal takes it whatever is in its value: the name, a line's end, 8 octets of length, the value, a line's end. */
static void
put_field(FILE *out, const char *prefix, const char *name, const char *value)
{
	const uint64_t bytes = strlen(value);

	(void)fputs(prefix, out);
	for (; *name != '\0'; name++)
		(void)fputc(toupper((unsigned char)*name), out);
	(void)fputc('\n', out);
	for (unsigned i = 0; i < 64; i += 8)
		(void)fputc((int)(bytes >> i & 0xff), out);
	(void)fwrite(value, 1, bytes, out);
	(void)fputc('\n', out);
}

static void
put_members(FILE *out, json_t *record)
{
	const char *name;
	json_t *value;

	json_object_foreach(record, name, value) {
		char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);

		if (strcmp(name, "time") != 0 && strcmp(name, "event_id") != 0)
			put_field(out, "FANFARE_", name, text != NULL ? text : json_string_value(value));
		free(text);
	}
}

static bool
write_journal(int journal, json_t *record, const char *id, bool refused)
{
	char *octets = NULL, message[160], priority[2] = { (char)('0' + (refused ? PRIORITY_REFUSED : PRIORITY_DONE)), '\0' };
	size_t bytes = 0;
	FILE *out = open_memstream(&octets, &bytes);
	bool sent;

	if (out == NULL)
		return false;
	(void)snprintf(message, sizeof(message), "user %lld: %s: %s",
		       (long long)json_integer_value(json_object_get(record, "user")),
		       json_string_value(json_object_get(record, "event")),
		       json_string_value(json_object_get(record, "outcome")));
	put_field(out, "", "MESSAGE", message);
	put_field(out, "", "MESSAGE_ID", id);
	put_field(out, "", "PRIORITY", priority);
	put_field(out, "", "SYSLOG_IDENTIFIER", "fanfare");
	put_members(out, record);
	sent = fclose(out) == 0 && send(journal, octets, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)bytes;
	free(octets);
	return sent;
}

static json_t *
describe(const struct fan_audit_act *act, const char *outcome, int error, const json_t *result)
{
	struct timespec now;
	struct tm parts;
	char second[32], moment[48];
	json_t *record;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &parts);
	(void)strftime(second, sizeof(second), "%Y-%m-%dT%H:%M:%S", &parts);
	(void)snprintf(moment, sizeof(moment), "%s.%03ldZ", second, now.tv_nsec / 1000000);
	record = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s*}", "time", moment, "event", act->method, "event_id",
			   fan_audit_id(act->method), "user", (json_int_t)act->user, "outcome", outcome, "error",
			   error != 0 ? fan_error_name(error) : NULL);
	(void)json_object_update(record, act->subject);
	copy_told(record, result);
	return record;
}

void
fan_audit_record(struct fan_audit *audit, struct fan_audit_act *act, const char *outcome, int error, const json_t *result)
{
	json_t *record = act->method != NULL && (audit->lines || audit->journal >= 0) ? describe(act, outcome, error, result)
										      : NULL;
	bool written;

	if (record != NULL) {
		written = audit->journal >= 0 ? write_journal(audit->journal, record, fan_audit_id(act->method),
							      strcmp(outcome, "done") != 0)
					      : write_line(record);
		audit->written += written;
		audit->lost += !written;
	}
	json_decref(record);
	json_decref(act->subject);
	*act = (struct fan_audit_act){ .method = NULL };
}
