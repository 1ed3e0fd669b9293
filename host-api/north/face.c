/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "face.h"

#include "../../dataplane/context/clock.h"
#include "../control/ini_file.h"
#include "../control/log.h"
#include "../control/notify.h"
#include "upstream.h"

#include <errno.h>
#include <grp.h>
#include <ini.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define TURN_EVENTS_MAX 64
#define WAIT_MS 1000

struct watch {
	int descriptor; /* -1: the place is free */
	uint32_t generation;
	void (*ready)(void *user, uint32_t events);
	void *user;
};

struct tick {
	unsigned period_ms;
	int64_t next_ms;
	void (*tick)(void *user);
	void *user;
};

struct each_turn {
	int (*turn)(void *user);
	void *user;
};

struct fan_face {
	struct fan_face_options options;
	int epoll, signals;
	bool ends, hurry;
	int64_t now_ms;
	struct watch watches[FAN_FACE_WATCHES_MAX];
	unsigned watch_end; /* places in use lie below it */
	struct tick ticks[FAN_FACE_TICKS_MAX];
	unsigned tick_count;
	struct each_turn turns[FAN_FACE_TICKS_MAX];
	unsigned turn_count;
	struct fan_upstream *upstream; /* owned */
	struct fan_notify notify;
};

/* ---- Descriptors, times ------------------------------------------------------------------------------------------------------ */

static struct watch *
find_watch(struct fan_face *face, int descriptor)
{
	for (unsigned i = 0; i < face->watch_end; i++)
		if (face->watches[i].descriptor == descriptor)
			return &face->watches[i];
	return NULL;
}

/* A place and its generation, so that an event of the one before is known for what it is. */
static uint64_t
name_watch(const struct fan_face *face, const struct watch *watch)
{
	return (uint64_t)watch->generation << 32 | (uint64_t)(watch - face->watches);
}

int
fan_face_watch(struct fan_face *face, int descriptor, uint32_t events, void (*ready)(void *user, uint32_t events), void *user)
{
	struct watch *watch = find_watch(face, -1);
	struct epoll_event event = { .events = events };

	if (watch == NULL && face->watch_end < FAN_FACE_WATCHES_MAX)
		watch = &face->watches[face->watch_end++];
	if (watch == NULL)
		return fan_fail(FAN_E_BUSY, "%d descriptors are watched already", FAN_FACE_WATCHES_MAX);
	*watch = (struct watch){ descriptor, watch->generation + 1, ready, user };
	event.data.u64 = name_watch(face, watch);
	if (epoll_ctl(face->epoll, EPOLL_CTL_ADD, descriptor, &event) == 0)
		return 0;
	watch->descriptor = -1;
	return fan_fail(FAN_E_IO, "a descriptor cannot be watched: %s", strerror(errno));
}

void
fan_face_rewatch(struct fan_face *face, int descriptor, uint32_t events)
{
	const struct watch *watch = find_watch(face, descriptor);
	struct epoll_event event = { .events = events };

	if (watch == NULL)
		return;
	event.data.u64 = name_watch(face, watch);
	(void)epoll_ctl(face->epoll, EPOLL_CTL_MOD, descriptor, &event);
}

void
fan_face_unwatch(struct fan_face *face, int descriptor)
{
	struct watch *watch = find_watch(face, descriptor);

	if (watch == NULL)
		return;
	(void)epoll_ctl(face->epoll, EPOLL_CTL_DEL, descriptor, NULL);
	watch->descriptor = -1;
	while (face->watch_end > 0 && face->watches[face->watch_end - 1].descriptor < 0)
		face->watch_end--;
}

void
fan_face_every(struct fan_face *face, unsigned period_ms, void (*tick)(void *user), void *user)
{
	FAN_REQUIRE(face->tick_count < FAN_FACE_TICKS_MAX);
	face->ticks[face->tick_count++] = (struct tick){ period_ms, face->now_ms + period_ms, tick, user };
}

void
fan_face_each_turn(struct fan_face *face, int (*turn)(void *user), void *user)
{
	FAN_REQUIRE(face->turn_count < FAN_FACE_TICKS_MAX);
	face->turns[face->turn_count++] = (struct each_turn){ turn, user };
}

void
fan_face_hurry(struct fan_face *face)
{
	face->hurry = true;
}

int64_t
fan_face_now_ms(const struct fan_face *face)
{
	return face->now_ms;
}

/* ---- The daemon -------------------------------------------------------------------------------------------------------------- */

void
fan_face_call(struct fan_face *face, const char *method, json_t *params, int descriptor,
	      void (*done)(void *user, const struct fan_face_answer *answer), void *user)
{
	fan_upstream_call(face->upstream, method, params, descriptor, done, user);
}

void
fan_face_hang_up(struct fan_face *face)
{
	fan_upstream_close(face->upstream);
	face->upstream = NULL;
}

bool
fan_face_connected(const struct fan_face *face)
{
	return face->upstream != NULL && fan_upstream_connected(face->upstream);
}

/* ---- Its life ---------------------------------------------------------------------------------------------------------------- */

static void
take_signals(void *user, uint32_t events)
{
	struct fan_face *face = user;
	struct signalfd_siginfo signal;

	(void)events;
	while (read(face->signals, &signal, sizeof(signal)) == sizeof(signal))
		face->ends = true;
}

static int
open_signals(struct fan_face *face)
{
	sigset_t signals;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	face->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (face->signals < 0)
		return fan_fail(FAN_E_IO, "signals cannot be received: %s", strerror(errno));
	return fan_face_watch(face, face->signals, EPOLLIN, take_signals, face);
}

/* What a login shell or an init script gives is often 1,024; the rest may be had for the asking. Where it may not, fan_http_open() says so. */
static void
take_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Tokens and certificates' keys live here: no core file of it. */
static void
harden(void)
{
	const struct rlimit no_core = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int
fan_face_open(struct fan_face **out, const struct fan_face_options *options)
{
	struct fan_face *face = calloc(1, sizeof(*face));
	int error = 0;

	*out = NULL;
	if (face == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for a face");
	harden();
	take_descriptors();
	face->options = *options;
	face->now_ms = fan_clock_ms(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < FAN_FACE_WATCHES_MAX; i++)
		face->watches[i].descriptor = -1;
	face->signals = -1;
	fan_notify_open(&face->notify);
	face->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (face->epoll < 0)
		error = fan_fail(FAN_E_IO, "an epoll descriptor: %s", strerror(errno));
	if (error == 0)
		error = open_signals(face);
	if (error == 0)
		error = fan_upstream_open(&face->upstream, face, options->socket);
	if (error != 0) {
		fan_face_close(face);
		return error;
	}
	*out = face;
	return 0;
}

void
fan_face_close(struct fan_face *face)
{
	if (face == NULL)
		return;
	fan_upstream_close(face->upstream);
	fan_notify_close(&face->notify);
	if (face->signals >= 0)
		(void)close(face->signals);
	if (face->epoll >= 0)
		(void)close(face->epoll);
	free(face);
}

int
fan_face_become(struct fan_face *face)
{
	const char *name = face->options.user;
	const struct passwd *user;

	if (name == NULL || name[0] == '\0' || geteuid() != 0)
		return 0;
	user = getpwnam(name);
	if (user == NULL)
		return fan_fail(FAN_E_NOT_FOUND, "user %s: there is none on this machine", name);
	if (initgroups(name, user->pw_gid) != 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) != 0 ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid) != 0)
		return fan_fail(FAN_E_IO, "user %s: %s", name, strerror(errno));
	return 0;
}

/* Ticks that are due. Returns the milliseconds to the next. */
static int
run_ticks(struct fan_face *face)
{
	int64_t wait_ms = WAIT_MS;

	for (unsigned i = 0; i < face->tick_count; i++) {
		struct tick *tick = &face->ticks[i];

		if (face->now_ms >= tick->next_ms) {
			tick->next_ms = face->now_ms + tick->period_ms;
			tick->tick(tick->user);
		}
		if (tick->next_ms - face->now_ms < wait_ms)
			wait_ms = tick->next_ms - face->now_ms;
	}
	return (int)wait_ms;
}

static void
turn(struct fan_face *face)
{
	struct epoll_event events[TURN_EVENTS_MAX];
	int wait_ms, count;

	face->hurry = false;
	wait_ms = run_ticks(face);
	for (unsigned i = 0; i < face->turn_count; i++) {
		const int most_ms = face->turns[i].turn(face->turns[i].user);

		if (most_ms >= 0 && most_ms < wait_ms)
			wait_ms = most_ms;
	}
	count = epoll_wait(face->epoll, events, TURN_EVENTS_MAX, face->hurry ? 0 : wait_ms);
	face->now_ms = fan_clock_ms(CLOCK_MONOTONIC);
	for (int i = 0; i < count; i++) {
		const struct watch watch = face->watches[events[i].data.u64 & UINT32_MAX];

		if (watch.descriptor >= 0 && watch.generation == events[i].data.u64 >> 32)
			watch.ready(watch.user, events[i].events);
	}
}

int
fan_face_run(struct fan_face *face)
{
	fan_notify_say(&face->notify, "READY=1");
	while (!face->ends) {
		turn(face);
		fan_notify_feed(&face->notify, face->now_ms);
	}
	fan_notify_say(&face->notify, "STOPPING=1");
	fan_log(FAN_LOG_STOPPED, NULL, "ends");
	return 0;
}

void
fan_face_stop(struct fan_face *face)
{
	face->ends = true;
}

/* ---- Files ------------------------------------------------------------------------------------------------------------------- */

struct reading {
	const char *file;
	FILE *stream;
	unsigned line;
	int error;
	int (*take)(void *user, const char *section, const char *key, const char *value);
	void *user;
};

static char *
read_line(char *line, int room, void *user)
{
	struct reading *reading = user;
	bool whole;

	if (reading->error != 0 || fan_ini_line(line, room, reading->stream, &reading->line, &whole) == NULL)
		return NULL;
	if (!whole)
		reading->error = fan_fail(FAN_E_INVALID, "%s: line %u: is longer than %d octets", reading->file, reading->line,
					  room - 2);
	return whole ? line : NULL;
}

static int
take_key(void *user, const char *section, const char *key, const char *value)
{
	struct reading *reading = user;
	char why[FAN_ERROR_BYTES];

	if (reading->error == 0 && strlen(section) > FAN_INI_SECTION_BYTES_MAX)
		reading->error = fan_fail(FAN_E_INVALID, "the name of a section has up to %d octets",
					  FAN_INI_SECTION_BYTES_MAX);
	else if (reading->error != 0)
		return 0;
	else
		reading->error = reading->take(reading->user, section, key, value[0] == ';' ? "" : value);
	if (reading->error == 0)
		return 1;
	(void)snprintf(why, sizeof(why), "%s", fan_error_detail());
	fan_error_record("%s: line %u: [%.64s] %.64s: %.256s", reading->file, reading->line, section, key, why);
	return 0;
}

int
fan_face_read_file(const char *file, int (*take)(void *user, const char *section, const char *key, const char *value),
		   void *user)
{
	struct reading reading = { .file = file, .stream = fopen(file, "re"), .take = take, .user = user };
	int line;

	if (reading.stream == NULL)
		return fan_fail(FAN_E_NOT_FOUND, "%s: %s", file, strerror(errno));
	line = ini_parse_stream(read_line, &reading, take_key, &reading);
	(void)fclose(reading.stream);
	if (reading.error != 0)
		return reading.error;
	return line == 0 ? 0
			 : fan_fail(FAN_E_INVALID, "%s: line %d: takes KEY = VALUE, [SECTION], or ; and a comment", file, line);
}
