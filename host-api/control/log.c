/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "log.h"

#include "../../dataplane/context/error.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define JOURNAL "/run/systemd/journal/socket"
#define JOURNAL_VARIABLE "FANFARE_JOURNAL" /* of the environment: another socket, for tests */
#define RECORD_BYTES_MAX 4096              /* of a line, so that a pipe takes it whole or not at all (PIPE_BUF) */
#define TEXT_BYTES_MAX 1024

#define FAN_LOG_ROW(event, name, id, priority) { name, id, priority },
static const struct {
	const char *name, *id;
	int priority;
} events[] = { FAN_LOG_EVENTS(FAN_LOG_ROW) };
#undef FAN_LOG_ROW

static struct {
	const char *program;
	struct fan_log_sink sink; /* neither: plain */
} self = { .program = NULL, .sink = { .journal = -1 } };

const char *
fan_log_event_name(enum fan_log_event event)
{
	return events[event].name;
}

const char *
fan_log_event_id(enum fan_log_event event)
{
	return events[event].id;
}

/* ---- Where it goes ----------------------------------------------------------------------------------------------------- */

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
open_journal(struct fan_log_sink *sink)
{
	const char *path = getenv(JOURNAL_VARIABLE) != NULL ? getenv(JOURNAL_VARIABLE) : JOURNAL;
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	sink->journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sink->journal >= 0 && connect(sink->journal, (const struct sockaddr *)&name, sizeof(name)) == 0)
		return 0;
	(void)fan_fail(FAN_E_IO, "the journal: %s: %s", path, strerror(errno));
	fan_log_sink_close(sink);
	return FAN_E_IO;
}

int
fan_log_sink_open(struct fan_log_sink *sink, const char *where)
{
	const bool automatic = strcmp(where, "auto") == 0;

	*sink = (struct fan_log_sink){ .journal = -1 };
	if (strcmp(where, "journal") == 0 || (automatic && is_journal(STDERR_FILENO)))
		return open_journal(sink);
	sink->lines = strcmp(where, "lines") == 0 || (automatic && isatty(STDERR_FILENO) != 1);
	return 0;
}

void
fan_log_sink_close(struct fan_log_sink *sink)
{
	if (sink->journal >= 0)
		(void)close(sink->journal);
	*sink = (struct fan_log_sink){ .journal = -1 };
}

/* ---- Records ----------------------------------------------------------------------------------------------------------- */

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

		put_field(out, "FANFARE_", name, text != NULL ? text : json_string_value(value));
		free(text);
	}
}

static bool
write_journal(int journal, const char *identifier, const char *id, int priority, const char *text, json_t *record)
{
	char *octets = NULL, digit[2] = { (char)('0' + priority), '\0' };
	size_t bytes = 0;
	FILE *out = open_memstream(&octets, &bytes);
	bool sent;

	if (out == NULL)
		return false;
	put_field(out, "", "MESSAGE", text);
	put_field(out, "", "MESSAGE_ID", id);
	put_field(out, "", "PRIORITY", digit);
	put_field(out, "", "SYSLOG_IDENTIFIER", identifier);
	put_members(out, record);
	sent = fclose(out) == 0 && send(journal, octets, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)bytes;
	free(octets);
	return sent;
}

/* Its own members behind the time and the event's name and id. */
static json_t *
make_line(const char *id, json_t *record)
{
	struct timespec now;
	struct tm parts;
	char second[32], moment[48];
	json_t *line;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &parts);
	(void)strftime(second, sizeof(second), "%Y-%m-%dT%H:%M:%S", &parts);
	(void)snprintf(moment, sizeof(moment), "%s.%03ldZ", second, now.tv_nsec / 1000000);
	line = json_pack("{s:s, s:O, s:s}", "time", moment, "event", json_object_get(record, "event"), "event_id", id);
	(void)json_object_update(line, record);
	return line;
}

bool
fan_log_sink_write(const struct fan_log_sink *sink, const char *identifier, const char *id, int priority, const char *text,
		   json_t *record)
{
	json_t *line;
	bool written;

	if (sink->journal >= 0)
		return write_journal(sink->journal, identifier, id, priority, text, record);
	if (!sink->lines)
		return false;
	line = make_line(id, record);
	written = write_line(line);
	json_decref(line);
	return written;
}

/* ---- Events ------------------------------------------------------------------------------------------------------------ */

/* A part of the machine has failed, in whichever thread. */
static void
take_outage(const char *line)
{
	fan_log(FAN_LOG_DEVICE_OUT, NULL, "%s", line);
}

int
fan_log_open(const char *program, const char *where)
{
	const bool early = strcmp(where, "early") == 0;
	struct fan_log_sink sink;
	int error;

	if (!early && strcmp(where, "auto") != 0 && strcmp(where, "journal") != 0 && strcmp(where, "lines") != 0 &&
	    strcmp(where, "plain") != 0)
		return fan_fail(FAN_E_INVALID, "log = %.32s: takes auto, journal, lines or plain", where);
	error = fan_log_sink_open(&sink, early ? (is_journal(STDERR_FILENO) ? "journal" : "plain") : where);
	if (error != 0)
		return error;
	fan_log_sink_close(&self.sink);
	self.sink = sink;
	self.program = program;
	fan_outage_listen(take_outage);
	return 0;
}

void
fan_log_close(void)
{
	fan_outage_listen(NULL);
	fan_log_sink_close(&self.sink);
}

void
fan_log(enum fan_log_event event, json_t *fields, const char *format, ...)
{
	const char *program = self.program != NULL ? self.program : "";
	char text[TEXT_BYTES_MAX], identifier[64];
	va_list arguments;
	json_t *record;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	/* What a peer said may be in it: one line stays one. */
	for (char *at = text; *at != '\0'; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = ' ';
	if (self.sink.journal < 0 && !self.sink.lines) {
		(void)fprintf(stderr, "fanfare %s: %s\n", program, text);
		json_decref(fields);
		return;
	}
	(void)snprintf(identifier, sizeof(identifier), "fanfare%s%s", strcmp(program, "serve") == 0 ? "" : "-",
		       strcmp(program, "serve") == 0 ? "" : program);
	record = json_pack("{s:s, s:s, s:s}", "event", events[event].name, "program", program, "message", text);
	if (record == NULL) /* octets that are no UTF-8 */
		record = json_pack("{s:s, s:s}", "event", events[event].name, "program", program);
	(void)json_object_update(record, fields);
	(void)fan_log_sink_write(&self.sink, identifier, events[event].id, events[event].priority, text, record);
	json_decref(record);
	json_decref(fields);
}

bool
fan_log_may(struct fan_log_limit *limit, uint64_t *held, int64_t now_ms)
{
	if (now_ms < limit->next_ms) {
		limit->held++;
		return false;
	}
	*held = limit->held;
	*limit = (struct fan_log_limit){ .next_ms = now_ms + FAN_LOG_LIMIT_MS };
	return true;
}
