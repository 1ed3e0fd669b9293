/* SPDX-License-Identifier: BSD-3-Clause */
/* What an appliance has counted, for those who watch it. Reading changes nothing, and costs the same for one UE as for all. */
#include "../../dataplane/context/clock.h"
#include "handles.h"

#include <rte_cycles.h>
#include <rte_version.h>
#include <string.h>

static uint64_t
to_ns(uint64_t cycles)
{
	return (uint64_t)((double)cycles * 1e9 / (double)rte_get_tsc_hz());
}

bool
fan_worker_metrics_read(const struct fanfare *fanfare, struct fan_worker_metrics *metrics, unsigned index)
{
	const uint64_t now_tsc = rte_rdtsc();
	struct fan_worker_counters counters;

	if (index >= fanfare->dataplane->worker_count)
		return false;
	fan_worker_counters_read(fanfare->dataplane->worker[index], &counters);
	*metrics = (struct fan_worker_metrics){ .created = counters.created,
						.sent = counters.sent,
						.dropped = counters.dropped,
						.bytes_out = counters.bytes_out,
						.busy_ns = to_ns(counters.busy_cycles),
						.waits_for = (enum fan_wait)counters.waits_for };
	if (counters.begin_tsc != 0 && now_tsc > counters.begin_tsc)
		metrics->all_ns = to_ns(now_tsc - counters.begin_tsc);
	if (counters.waits_for != FAN_WAIT_NOTHING && now_tsc > counters.waits_since_tsc)
		metrics->waits_ns = to_ns(now_tsc - counters.waits_since_tsc);
	for (unsigned i = 0; i < FAN_WAIT_KINDS; i++)
		metrics->waited_ns[i] = to_ns(counters.wait_cycles[i]);
	memcpy(metrics->dropped_for, counters.dropped_for, sizeof(counters.dropped_for));
	memcpy(metrics->engine_pdus, counters.engine_ues, sizeof(metrics->engine_pdus));
	memcpy(metrics->engine_cycles, counters.engine_cycles, sizeof(metrics->engine_cycles));
	return true;
}

uint64_t
fan_next_hop_sent(const struct fanfare *fanfare, unsigned index)
{
	uint64_t sent = 0;

	for (unsigned i = 0; index < fanfare->dataplane->hop_count && i < fanfare->dataplane->worker_count; i++)
		sent += fan_worker_hop_sent(fanfare->dataplane->worker[i], index);
	return sent;
}

unsigned
fan_messages_in_flight(const struct fanfare *fanfare, fan_message_id *ids, unsigned id_max)
{
	unsigned count = 0;

	for (const struct fan_flight *flight = fanfare->dataplane->flights.first; flight != NULL; flight = flight->next)
		if (count++ < id_max)
			ids[count - 1] = flight->number;
	return count;
}

static int64_t
age_of_oldest_ms(const struct fanfare *fanfare)
{
	const struct fan_flight *oldest = fanfare->dataplane->flights.first;
	const int64_t age_ms = oldest == NULL
				       ? 0
				       : fan_clock_ms(CLOCK_REALTIME) - fanfare->journal.entries[oldest->place].accepted_ms;

	return age_ms > 0 ? age_ms : 0;
}

static void
read_census(struct fan_metrics *metrics, const struct fan_census *census)
{
	metrics->census = census->counts;
	metrics->census_took_ms = census->took_ms;
	metrics->census_age_ms = census->ended_ms != 0 ? fan_clock_ms(CLOCK_MONOTONIC) - census->ended_ms : -1;
}

void
fan_metrics_read(const struct fanfare *fanfare, struct fan_metrics *metrics)
{
	const struct fan_dataplane *dataplane = fanfare->dataplane;

	*metrics = (struct fan_metrics){ .groups = fanfare->group_count,
					 .next_hops = dataplane->hop_count,
					 .lost = dataplane->losses.counted,
					 .link_up = fan_egress_up(&dataplane->egress),
					 .accepted = dataplane->flights.accepted,
					 .oldest_ms = age_of_oldest_ms(fanfare),
					 .checkpoints = fanfare->ledger.checkpoints,
					 .latency_us = fan_store_latency_us };
	for (unsigned i = 0; i < dataplane->table_count; i++)
		metrics->contexts += dataplane->tables[i].present;
	memcpy(metrics->ended, fanfare->messages_ended, sizeof(metrics->ended));
	if (fanfare->store != NULL)
		fan_store_commits(fanfare->store, &metrics->commits);
	read_census(metrics, &fanfare->census);
	metrics->keys = fanfare->key_metrics;
}

const char *
fan_dpdk_version(void)
{
	return rte_version();
}
