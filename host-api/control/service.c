/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon.h"

#include <string.h>
#include <unistd.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define AT(struct_name, field) offsetof(struct struct_name, field)
#define EVENTS_A_TURN 256

/* ---- Status ------------------------------------------------------------------------------------------------------------ */

const char *
fan_server_state_name(enum fan_server_state state)
{
	static const char *const names[] = { "loading", "ready", "draining", "failed" };

	return names[state];
}

static json_t *
describe_health(const struct fan_health *health)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "ues", (json_int_t)health->ues, "groups", (json_int_t)health->groups,
			 "messages_in_flight", (json_int_t)health->messages_in_flight, "commits", (json_int_t)health->commits,
			 "checkpoints", (json_int_t)health->checkpoints, "commit_ns_max", (json_int_t)health->commit_ns_max);
}

json_t *
fan_server_describe_loading(const struct fan_server *server)
{
	return json_pack("{s:I, s:I}", "loaded", (json_int_t)__atomic_load_n(&server->loaded, __ATOMIC_RELAXED), "to_load",
			 (json_int_t)__atomic_load_n(&server->to_load, __ATOMIC_RELAXED));
}

static int
run_status(struct fan_request *request)
{
	const struct fan_server *server = request->server;
	struct fan_health health;
	json_t *more;
	int error = fan_request_params(request, NULL, NULL, 0);

	fan_health_init(&health);
	if (error == 0 && server->fanfare != NULL)
		error = fan_health(server->fanfare, &health);
	if (error != 0)
		return error;
	more = server->fanfare != NULL ? describe_health(&health) : fan_server_describe_loading(server);
	request->result = json_pack("{s:s, s:s*, s:s, s:i, s:I, s:s*}", "state", fan_server_state_name(server->state), "why",
				    server->state == FAN_SERVER_FAILED ? health.store_detail : NULL, "program", fan_version(),
				    "pid", (int)getpid(), "uptime_ms", (json_int_t)(server->now_ms - server->started_ms),
				    "store", server->configuration.store.directory);
	(void)json_object_update(request->result, more);
	json_decref(more);
	return 0;
}

/* What the worker that has waited longest waits for. */
static enum fan_wait
longest_wait(const struct fanfare *fanfare)
{
	enum fan_wait wait = FAN_WAIT_NOTHING;
	struct fan_worker_metrics worker;
	uint64_t longest_ns = 0;

	for (unsigned i = 0; fan_worker_metrics_read(fanfare, &worker, i); i++) {
		if (worker.waits_ns <= longest_ns)
			continue;
		longest_ns = worker.waits_ns;
		wait = worker.waits_for;
	}
	return wait;
}

static int
run_top(struct fan_request *request)
{
	const struct fan_server *server = request->server;
	struct fan_engine_share shares[FAN_ENGINE_SHARES_MAX];
	struct fan_totals totals;
	struct fan_health health;
	json_t *engines;
	unsigned share_count;
	const int error = fan_request_params(request, NULL, NULL, 0);

	if (error != 0)
		return error;
	engines = json_object();
	fan_health_init(&health);
	(void)fan_health(server->fanfare, &health);
	fan_totals_read(server->fanfare, &totals);
	share_count = fan_engine_shares(server->fanfare, shares, FAN_ENGINE_SHARES_MAX);
	for (unsigned i = 0; i < share_count && i < FAN_ENGINE_SHARES_MAX; i++)
		(void)json_object_set_new(engines, shares[i].name, json_integer((json_int_t)shares[i].pdus));
	request->result = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:o}", "at_ms",
				    (json_int_t)server->now_ms, "created", (json_int_t)totals.created, "sent",
				    (json_int_t)totals.sent, "dropped", (json_int_t)totals.dropped, "bytes_out",
				    (json_int_t)totals.bytes_out, "busy_cycles", (json_int_t)totals.busy_cycles,
				    "engine_cycles", (json_int_t)totals.engine_cycles, "tsc_hz", (json_int_t)fan_tsc_hz(),
				    "messages_in_flight", (json_int_t)health.messages_in_flight, "waits_for",
				    fan_wait_name(longest_wait(server->fanfare)), "engines", engines);
	return 0;
}

/* ---- Reload, stop ------------------------------------------------------------------------------------------------------ */

static void
list_key(void *user, const char *key)
{
	(void)json_array_append_new(user, json_string(key));
}

/* Next hops that the appliance has, and whose address the new file gives otherwise. */
static int
change_hops(struct fan_server *server, const struct fan_configuration *next)
{
	struct fan_next_hop hop;
	int error = 0;

	fan_next_hop_init(&hop);
	for (unsigned i = 0; error == 0 && fan_next_hop_get(server->fanfare, &hop, i) == 0; i++) {
		for (unsigned j = 0; error == 0 && j < next->hop_count; j++) {
			const struct fan_configured_hop *configured = &next->hops[j];

			if (memcmp(configured->address, hop.address, sizeof(hop.address)) != 0 ||
			    memcmp(configured->ethernet, hop.ethernet, sizeof(hop.ethernet)) == 0)
				continue;
			memcpy(hop.ethernet, configured->ethernet, sizeof(hop.ethernet));
			error = fan_next_hop_change(server->fanfare, i, &hop);
		}
	}
	return error;
}

/* What takes effect comes from the new one, all else stays what it is. */
static void
exchange(struct fan_configuration *now, struct fan_configuration *next)
{
	const struct fan_configuration before = *now;

	now->default_ethernet = next->default_ethernet;
	now->hops = next->hops;
	now->hop_count = next->hop_count;
	now->pacing = next->pacing;
	now->sms = next->sms;
	memcpy(now->role_texts, next->role_texts, sizeof(now->role_texts));
	memcpy(now->roles, next->roles, sizeof(now->roles));
	fan_access_keep(&next->access, &before.access);
	now->access = next->access;
	now->limits = next->limits;
	next->access = before.access;
	now->keks = next->keks;
	now->kek_count = next->kek_count;
	next->default_ethernet = before.default_ethernet;
	next->hops = before.hops;
	next->pacing = before.pacing;
	next->sms = before.sms;
	next->keks = before.keks;
	next->kek_count = before.kek_count;
	memcpy(next->role_texts, before.role_texts, sizeof(next->role_texts));
}

static int
reload(struct fan_server *server, json_t **restart)
{
	struct fan_configuration next;
	int error = server->configuration.file == NULL ? fan_fail(FAN_E_UNSUPPORTED, "there is no configuration file")
						       : fan_configuration_read(&next, server->configuration.file);

	if (server->configuration.file == NULL)
		return error;
	*restart = json_array();
	if (error == 0)
		error = change_hops(server, &next);
	if (error == 0)
		error = fan_hops_change_rates(server, &next);
	if (error == 0) {
		fan_configuration_restart_keys(&server->configuration, &next, list_key, *restart);
		exchange(&server->configuration, &next);
	}
	fan_configuration_free(&next);
	return error;
}

int
fan_server_reload(struct fan_server *server, json_t **restart)
{
	const bool stays = server->state != FAN_SERVER_DRAINING;
	int error;

	if (stays)
		fan_supervision_say(server, FAN_LIFE_RELOADING);
	error = reload(server, restart);
	if (error != 0)
		fan_log(FAN_LOG_CONFIGURATION_REFUSED, NULL, "reload: %s", fan_error_detail());
	else
		fan_log(FAN_LOG_RELOADED, json_pack("{s:I}", "restart", (json_int_t)json_array_size(*restart)),
			"the configuration was read again; %zu keys that have changed need a restart",
			json_array_size(*restart));
	if (stays)
		fan_supervision_say(server, FAN_LIFE_READY);
	return error;
}

static int
run_reload(struct fan_request *request)
{
	json_t *restart = NULL;
	int error = fan_request_params(request, NULL, NULL, 0);

	if (error == 0)
		error = fan_server_reload(request->server, &restart);
	request->result = json_pack("{s:o?}", "restart", restart);
	return error;
}

struct stopping {
	bool cancel;
};

static const struct fan_param stop_params[] = {
	{ "cancel", FAN_PARAM_BOOLEAN, false, 0, 0, AT(stopping, cancel) },
};

static int
run_stop(struct fan_request *request)
{
	struct stopping values = { false };
	const int error = fan_request_params(request, &values, stop_params, COUNT_OF(stop_params));

	if (error != 0)
		return error;
	fan_server_stop(request->server, values.cancel);
	request->result = json_pack("{s:s}", "state", fan_server_state_name(request->server->state));
	return 0;
}

/* ---- Events ------------------------------------------------------------------------------------------------------------- */

struct subscribing {
	bool events;
	int64_t from;
};

static const struct fan_param subscribe_params[] = {
	{ "events", FAN_PARAM_BOOLEAN, true, 0, 0, AT(subscribing, events) },
	{ "from", FAN_PARAM_NUMBER, false, 1, INT64_MAX, AT(subscribing, from) },
};

static int
run_subscribe(struct fan_request *request)
{
	struct subscribing values = { .from = 1 };
	const int error = fan_request_params(request, &values, subscribe_params, COUNT_OF(subscribe_params));

	if (error != 0)
		return error;
	request->client->events = values.events;
	request->client->event_next = (uint64_t)values.from;
	return 0;
}

static json_t *
describe_event(const struct fan_server *server, const struct fan_event *event)
{
	struct fan_ue_status status;

	fan_ue_status_init(&status);
	if (fan_ue_status(server->fanfare, &status, event->id) != 0)
		status.identity[0] = '\0';
	return json_pack("{s:I, s:s, s:s, s:I, s:I, s:I}", "number", (json_int_t)event->number, "kind",
			 fan_event_kind_name(event->kind), "identity", status.identity, "id", (json_int_t)event->id, "ue",
			 (json_int_t)event->ue, "value", (json_int_t)event->value);
}

/* As many as the client reads: one that does not is not cut off for what nobody has promised it by when. */
static void
tell(struct fan_server *server, struct fan_client *client)
{
	struct fan_event event;

	for (unsigned i = 0; i < EVENTS_A_TURN && client->out_bytes < FAN_CONTROL_UNSENT_BYTES_MAX / 2; i++) {
		if (fan_event_next(server->fanfare, &event, client->event_next) != 1)
			return;
		client->event_next = event.number + 1;
		fan_client_put(client, json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", "event", "params",
						 describe_event(server, &event)));
	}
}

void
fan_events_tell(struct fan_server *server)
{
	for (unsigned i = 0; i < FAN_CONTROL_CLIENTS_MAX; i++)
		if (server->clients[i].socket >= 0 && server->clients[i].events)
			tell(server, &server->clients[i]);
}

const struct fan_method fan_service_methods[] = {
	{ "status", FAN_ROLE_READ, FAN_ANY_TIME, run_status },
	{ "top", FAN_ROLE_READ, FAN_LOADED, run_top },
	{ "metrics", FAN_ROLE_READ, FAN_ANY_TIME, fan_metrics_run },
	{ "reload", FAN_ROLE_PROVISION, FAN_AFTER_BATCH, run_reload },
	{ "stop", FAN_ROLE_PROVISION, FAN_ANY_TIME, run_stop },
	{ "subscribe", FAN_ROLE_READ, FAN_LOADED, run_subscribe },
	{ .name = NULL },
};
