/* SPDX-License-Identifier: BSD-3-Clause */
#include "../../dataplane/context/clock.h"
#include "daemon.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TOLD_EACH_MS 1000  /* the manager's line is anew so often at the most */
#define EXTENSION_MS 30000 /* more time to begin or end, while UEs are loaded or PDUs go out */
#define STILL_MS 2000      /* a worker that sleeps looks around each second */

/* ---- The line that `systemctl status` shows ---------------------------------------------------------------------------------- */

static void
describe(const struct fan_server *server, char *text, size_t text_bytes)
{
	struct fan_health health;

	fan_health_init(&health);
	if (server->fanfare == NULL || fan_health(server->fanfare, &health) != 0)
		(void)snprintf(text, text_bytes, "loading: %" PRIu64 " of %" PRIu64 " UEs",
			       __atomic_load_n(&server->loaded, __ATOMIC_RELAXED),
			       __atomic_load_n(&server->to_load, __ATOMIC_RELAXED));
	else if (server->state == FAN_SERVER_DRAINING)
		(void)snprintf(text, text_bytes, "draining: %u messages are on their way", (unsigned)health.messages_in_flight);
	else if (server->state == FAN_SERVER_FAILED)
		(void)snprintf(text, text_bytes, "failed, nothing new is accepted: %s", health.store_detail);
	else
		(void)snprintf(text, text_bytes, "ready: %" PRIu64 " UEs, %" PRIu64 " groups, %u messages on their way",
			       (uint64_t)health.ues, (uint64_t)health.groups, (unsigned)health.messages_in_flight);
	/* A file's name may have any octet in it. */
	for (char *at = text; (at = strchr(at, '\n')) != NULL;)
		*at = ' ';
}

/* What has been done so far of what the manager waits for. */
static uint64_t
work_done(const struct fan_server *server)
{
	struct fan_totals totals;

	if (server->fanfare == NULL)
		return __atomic_load_n(&server->loaded, __ATOMIC_RELAXED);
	fan_totals_read(server->fanfare, &totals);
	return totals.sent + totals.dropped;
}

static void
extend(struct fan_server *server)
{
	const uint64_t done = work_done(server);
	const bool waited_for = server->fanfare == NULL || server->state == FAN_SERVER_DRAINING;

	if (waited_for && done != server->supervision.done)
		fan_notify_say(&server->supervision.notify, "EXTEND_TIMEOUT_USEC=%d000", EXTENSION_MS);
	server->supervision.done = done;
}

static void
tell(struct fan_server *server)
{
	char text[sizeof(server->supervision.told)];

	server->supervision.told_ms = server->now_ms;
	extend(server);
	describe(server, text, sizeof(text));
	if (strcmp(text, server->supervision.told) == 0)
		return;
	memcpy(server->supervision.told, text, sizeof(text));
	fan_notify_say(&server->supervision.notify, "STATUS=%s", text);
}

/* ---- The watchdog ------------------------------------------------------------------------------------------------------------ */

/* That this is called shows that the loop turns, and with it the store, which has no thread of its own. */
static void
feed(struct fan_server *server)
{
	struct fan_supervision *supervision = &server->supervision;
	const int64_t half_ms = supervision->notify.watchdog_ms / 2, limit_ms = half_ms > STILL_MS ? half_ms : STILL_MS;
	unsigned worker;
	const int64_t still_ms = (int64_t)(fan_workers_still_ns(server->fanfare, &worker) / 1000000);

	if (still_ms < limit_ms)
		fan_notify_feed(&supervision->notify, server->now_ms);
	else if (!supervision->stuck)
		fan_log(FAN_LOG_WORKER_STUCK, json_pack("{s:i, s:I}", "worker", (int)worker, "still_ms", (json_int_t)still_ms),
			"worker %u has begun no turn of its loop for %" PRId64 " ms: the watchdog is not fed until it does",
			worker, still_ms);
	if (supervision->stuck && still_ms < limit_ms)
		fan_log(FAN_LOG_WORKER_GOES_ON, NULL, "all workers turn again: the watchdog is fed");
	supervision->stuck = still_ms >= limit_ms;
}

/* ---- Its calls --------------------------------------------------------------------------------------------------------------- */

void
fan_supervision_serve(struct fan_server *server)
{
	const struct fan_supervision *supervision = &server->supervision;

	if (supervision->notify.socket < 0)
		return;
	if (supervision->notify.watchdog_ms > 0 && server->fanfare != NULL)
		feed(server);
	if (supervision->told_ms == 0 || server->now_ms - supervision->told_ms >= TOLD_EACH_MS)
		tell(server);
}

void
fan_supervision_say(const struct fan_server *server, enum fan_life life)
{
	const struct fan_notify *notify = &server->supervision.notify;

	switch (life) {
	case FAN_LIFE_READY:
		fan_notify_say(notify, "READY=1");
		break;
	case FAN_LIFE_RELOADING:
		/* A manager of another protocol (Type=notify-reload) tells this reload from an earlier one by the time. */
		fan_notify_say(notify, "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "000", fan_clock_ms(CLOCK_MONOTONIC));
		break;
	case FAN_LIFE_STOPPING:
		fan_notify_say(notify, "STOPPING=1");
		break;
	}
}
