/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The method `metrics`: everything that a scrape or a page needs, in one answer. It is bounded by workers, engines, next hops and messages in
 * flight, whatever the number of UEs, and reading sets nothing back.
 */
#include "daemon.h"

#include <arpa/inet.h>
#include <string.h>

/* ---- Workers, engines -------------------------------------------------------------------------------------------------- */

/* Of every reason, also where nothing was counted: whoever watches knows from the start what there is. */
static json_t *
describe_drops(const uint64_t dropped[FAN_DROPS_MAX])
{
	json_t *drops = json_object();

	for (int i = 1; i < FAN_DROP_COUNT; i++)
		(void)json_object_set_new(drops, fan_drop_name((enum fan_drop)i), json_integer((json_int_t)dropped[i]));
	return drops;
}

static json_t *
describe_waits(const uint64_t waited_ns[FAN_WAIT_KINDS])
{
	json_t *waits = json_object();

	for (int i = 1; i < FAN_WAIT_KINDS; i++)
		(void)json_object_set_new(waits, fan_wait_name((enum fan_wait)i), json_integer((json_int_t)waited_ns[i]));
	return waits;
}

static json_t *
describe_engines(const struct fan_worker_metrics *worker, const struct fan_engine_share *shares, unsigned share_count)
{
	json_t *engines = json_object();

	for (unsigned i = 0; i < share_count; i++)
		(void)json_object_set_new(engines, shares[i].name,
					  json_pack("{s:I, s:I}", "pdus", (json_int_t)worker->engine_pdus[i], "cycles",
						    (json_int_t)worker->engine_cycles[i]));
	return engines;
}

static json_t *
describe_worker(const struct fan_worker_metrics *worker, unsigned index, json_t *engines)
{
	return json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:o, s:o, s:o}", "worker", (int)index, "created",
			 (json_int_t)worker->created, "sent", (json_int_t)worker->sent, "dropped", (json_int_t)worker->dropped,
			 "bytes_out", (json_int_t)worker->bytes_out, "busy_ns", (json_int_t)worker->busy_ns, "all_ns",
			 (json_int_t)worker->all_ns, "waits_for", fan_wait_name(worker->waits_for), "waits_ns",
			 (json_int_t)worker->waits_ns, "waited_ns", describe_waits(worker->waited_ns), "drops",
			 describe_drops(worker->dropped_for), "engines", engines);
}

static json_t *
describe_workers(const struct fanfare *fanfare)
{
	struct fan_engine_share shares[FAN_ENGINE_SHARES_MAX];
	unsigned share_count = fan_engine_shares(fanfare, shares, FAN_ENGINE_SHARES_MAX);
	struct fan_worker_metrics worker;
	json_t *workers = json_array();

	if (share_count > FAN_ENGINE_SHARES_MAX)
		share_count = FAN_ENGINE_SHARES_MAX;
	for (unsigned i = 0; fan_worker_metrics_read(fanfare, &worker, i); i++)
		(void)json_array_append_new(workers,
					    describe_worker(&worker, i, describe_engines(&worker, shares, share_count)));
	return workers;
}

/* ---- Messages, next hops ----------------------------------------------------------------------------------------------- */

static json_t *
describe_message(const struct fan_message_status *status)
{
	uint64_t dropped = 0;

	for (unsigned i = 1; i < FAN_DROP_COUNT; i++)
		dropped += status->result.dropped[i];
	return json_pack("{s:I, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I}", "id", (json_int_t)status->id, "gid", status->gid,
			 "state", fan_message_state_name(status->state), "priority", status->priority, "accepted_ms",
			 (json_int_t)status->accepted_ms, "ues", (json_int_t)status->result.ues, "created",
			 (json_int_t)status->result.created, "sent", (json_int_t)status->result.sent, "dropped",
			 (json_int_t)dropped);
}

static json_t *
describe_in_flight(struct fanfare *fanfare)
{
	fan_message_id ids[FAN_MESSAGES_IN_FLIGHT_MAX];
	const unsigned count = fan_messages_in_flight(fanfare, ids, FAN_MESSAGES_IN_FLIGHT_MAX);
	json_t *messages = json_array();

	for (unsigned i = 0; i < count && i < FAN_MESSAGES_IN_FLIGHT_MAX; i++) {
		struct fan_message_status status;

		fan_message_status_init(&status);
		if (fan_message_status(fanfare, &status, ids[i]) == 0)
			(void)json_array_append_new(messages, describe_message(&status));
	}
	return messages;
}

/* How many of them are in each state. */
static json_t *
describe_unfinished(const json_t *in_flight)
{
	static const enum fan_message_state states[] = { FAN_MESSAGE_ACCEPTED, FAN_MESSAGE_SENDING };
	json_t *unfinished = json_object();

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		const char *name = fan_message_state_name(states[i]);
		json_int_t count = 0;
		const json_t *message;
		size_t j;

		json_array_foreach(in_flight, j, message)
			count += strcmp(json_string_value(json_object_get(message, "state")), name) == 0;
		(void)json_object_set_new(unfinished, name, json_integer(count));
	}
	return unfinished;
}

static json_t *
describe_messages(struct fanfare *fanfare, const struct fan_metrics *metrics)
{
	json_t *ended = json_object(), *in_flight = describe_in_flight(fanfare);

	for (int i = FAN_MESSAGE_SENT; i < FAN_MESSAGE_STATES; i++)
		(void)json_object_set_new(ended, fan_message_state_name((enum fan_message_state)i),
					  json_integer((json_int_t)metrics->ended[i]));
	return json_pack("{s:I, s:I, s:o, s:o, s:o}", "accepted", (json_int_t)metrics->accepted, "oldest_ms",
			 (json_int_t)metrics->oldest_ms, "ended", ended, "unfinished", describe_unfinished(in_flight),
			 "in_flight", in_flight);
}

/* So many are told one by one, for an answer has its limit and so has whoever keeps a series for each; the others together. */
static json_t *
describe_next_hops(const struct fan_server *server, json_int_t *others)
{
	json_t *hops = json_array();
	struct fan_next_hop_pace pace;
	struct fan_next_hop hop;

	fan_next_hop_init(&hop);
	fan_next_hop_pace_init(&pace);
	*others = 0;
	for (unsigned i = 0; fan_next_hop_get(server->fanfare, &hop, i) == 0; i++) {
		const json_int_t sent = (json_int_t)fan_next_hop_sent(server->fanfare, i);
		char address[INET6_ADDRSTRLEN];

		if (i >= FAN_METRICS_HOPS_MAX) {
			*others += sent;
			continue;
		}
		inet_ntop(server->configuration.dataplane.ipv6 ? AF_INET6 : AF_INET, hop.address, address, sizeof(address));
		(void)fan_next_hop_pace(server->fanfare, &pace, i);
		(void)json_array_append_new(hops, json_pack("{s:s, s:I, s:I, s:I, s:b}", "address", address, "sent", sent,
							    "put_off", (json_int_t)pace.put_off, "waiting",
							    (json_int_t)pace.waiting, "stopped", pace.stopped));
	}
	return hops;
}

/* ---- Store, census ----------------------------------------------------------------------------------------------------- */

static json_t *
describe_store(const struct fan_metrics *metrics, const struct fan_health *health)
{
	const struct fan_store_commits *commits = &metrics->commits;
	json_t *within = json_array();

	for (unsigned i = 0; i < FAN_STORE_LATENCIES; i++)
		(void)json_array_append_new(within, json_pack("[I, I]", (json_int_t)metrics->latency_us[i],
							      (json_int_t)commits->within[i]));
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:o, s:I}", "failing", health->store_error != 0, "writes",
			 (json_int_t)commits->count, "failed", (json_int_t)commits->failed, "sum_ns",
			 (json_int_t)commits->sum_ns, "max_ns", (json_int_t)commits->max_ns, "within_us", within, "checkpoints",
			 (json_int_t)metrics->checkpoints);
}

static json_t *
describe_census(const struct fan_metrics *metrics)
{
	const struct fan_census_counts *counts = &metrics->census;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "contexts", (json_int_t)counts->contexts,
			 "window_three_quarters", (json_int_t)counts->window_three_quarters, "window_full",
			 (json_int_t)counts->window_full, "lease_low", (json_int_t)counts->lease_low, "lease_used",
			 (json_int_t)counts->lease_used, "unreachable", (json_int_t)counts->unreachable, "age_ms",
			 (json_int_t)metrics->census_age_ms, "took_ms", (json_int_t)metrics->census_took_ms);
}

/* ---- The method -------------------------------------------------------------------------------------------------------- */

static unsigned
count_clients(const struct fan_server *server)
{
	unsigned count = 0;

	for (unsigned i = 0; i < FAN_CONTROL_CLIENTS_MAX; i++)
		count += server->clients[i].socket >= 0;
	return count;
}

static json_t *
describe_keys(const struct fan_key_metrics *keys)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "groups", (json_int_t)keys->groups, "due", (json_int_t)keys->due,
			 "able", (json_int_t)keys->able, "held", (json_int_t)keys->held, "rotations",
			 (json_int_t)keys->rotations, "failures", (json_int_t)keys->failures);
}

static json_t *
describe_relays(const struct fan_relays *relays)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "sent", (json_int_t)relays->sent, "failed", (json_int_t)relays->failed,
			 "answers", (json_int_t)relays->answers, "refused", (json_int_t)relays->refused);
}

static json_t *
describe_appliance(struct fan_server *server)
{
	struct fan_metrics metrics;
	struct fan_health health;
	json_int_t others;
	json_t *hops = describe_next_hops(server, &others);

	fan_health_init(&health);
	(void)fan_health(server->fanfare, &health);
	fan_metrics_read(server->fanfare, &metrics);
	return json_pack("{s:I, s:I, s:I, s:I, s:b, s:I, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o}", "ues",
			 (json_int_t)metrics.contexts, "groups", (json_int_t)metrics.groups, "messages_in_flight",
			 (json_int_t)health.messages_in_flight, "tsc_hz", (json_int_t)fan_tsc_hz(), "link_up", metrics.link_up,
			 "lost", (json_int_t)metrics.lost, "workers", describe_workers(server->fanfare), "messages",
			 describe_messages(server->fanfare, &metrics), "next_hops", hops, "next_hop_count",
			 (json_int_t)metrics.next_hops, "other_next_hops_sent", others, "store",
			 describe_store(&metrics, &health), "census", describe_census(&metrics), "group_keys",
			 describe_keys(&metrics.keys), "broadcast", describe_relays(&server->relays));
}

int
fan_metrics_run(struct fan_request *request)
{
	struct fan_server *server = request->server;
	const int error = fan_request_params(request, NULL, NULL, 0);
	json_t *more;

	if (error != 0)
		return error;
	request->result = json_pack("{s:s, s:s, s:s, s:I, s:I, s:i, s:{s:I, s:I}}", "state",
				    fan_server_state_name(server->state), "program", fan_version(), "dpdk", fan_dpdk_version(),
				    "at_ms", (json_int_t)server->now_ms, "uptime_ms",
				    (json_int_t)(server->now_ms - server->started_ms), "clients", (int)count_clients(server),
				    "audit", "written", (json_int_t)server->audit.written, "lost",
				    (json_int_t)server->audit.lost);
	more = server->fanfare != NULL ? describe_appliance(server) : fan_server_describe_loading(server);
	(void)json_object_update(request->result, more);
	json_decref(more);
	return 0;
}
