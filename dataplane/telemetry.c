/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry.h"

#include <ctype.h>
#include <limits.h>
#include <rte_telemetry.h>
#include <rte_version.h>
#include <stdlib.h>
#include <string.h>

/* Held by a telemetry thread while it reads, and by the control thread only to change `shown`. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct fan_dataplane *shown;

/* DPDK takes letters, digits, '_' and '/' in a name, and leaves out what has others. */
static void
put(struct rte_tel_data *answer, const char *name, uint64_t value)
{
	char key[RTE_TEL_MAX_STRING_LEN];

	(void)snprintf(key, sizeof(key), "%s", name);
	for (char *octet = key; *octet != '\0'; octet++)
		if (!isalnum((unsigned char)*octet))
			*octet = '_';
#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
	(void)rte_tel_data_add_dict_u64(answer, key, value);
#else
	(void)rte_tel_data_add_dict_uint(answer, key, value);
#endif
}

/* In: what, "pdus" for example. */
static void
put_of_engine(struct rte_tel_data *answer, const char *engine, const char *what, uint64_t value)
{
	char name[RTE_TEL_MAX_STRING_LEN];

	(void)snprintf(name, sizeof(name), "%.48s %s", engine, what);
	put(answer, name, value);
}

/* All workers together, or one. In: params, its index as text; NULL: all; the lock is held. False: there is none of it. */
static bool
sum_counters(struct fan_worker_counters *sum, const char *params)
{
	const unsigned long only = params != NULL && isdigit((unsigned char)params[0]) ? strtoul(params, NULL, 10) : ULONG_MAX;
	const bool all = params == NULL;
	bool any = false;

	memset(sum, 0, sizeof(*sum));
	for (unsigned i = 0; shown != NULL && i < shown->worker_count; i++) {
		struct fan_worker_counters counters;

		if (!all && i != only)
			continue;
		fan_worker_counters_read(shown->worker[i], &counters);
		sum->created += counters.created;
		sum->sent += counters.sent;
		sum->dropped += counters.dropped;
		sum->bytes_out += counters.bytes_out;
		sum->busy_cycles += counters.busy_cycles;
		for (unsigned j = 0; j < FAN_ENGINES_MAX; j++) {
			sum->engine_ues[j] += counters.engine_ues[j];
			sum->engine_cycles[j] += counters.engine_cycles[j];
		}
		for (unsigned j = 0; j < FAN_DROP_COUNT; j++)
			sum->dropped_for[j] += counters.dropped_for[j];
		any = true;
	}
	return any;
}

static bool
read_counters(struct fan_worker_counters *sum, const char *params)
{
	bool known;

	pthread_mutex_lock(&lock);
	known = sum_counters(sum, params);
	pthread_mutex_unlock(&lock);
	return known;
}

static void
put_pdus(struct rte_tel_data *answer, const struct fan_worker_counters *counters)
{
	put(answer, "created", counters->created);
	put(answer, "sent", counters->sent);
	put(answer, "dropped", counters->dropped);
	put(answer, "bytes_out", counters->bytes_out);
	put(answer, "busy_cycles", counters->busy_cycles);
}

static int
answer_pdus(const char *command, const char *params, struct rte_tel_data *answer)
{
	struct fan_worker_counters counters;

	(void)command;
	(void)params;
	rte_tel_data_start_dict(answer);
	if (read_counters(&counters, NULL))
		put_pdus(answer, &counters);
	return 0;
}

static int
answer_worker(const char *command, const char *params, struct rte_tel_data *answer)
{
	struct fan_worker_counters counters;

	(void)command;
	if (!read_counters(&counters, params != NULL ? params : ""))
		return -1;
	rte_tel_data_start_dict(answer);
	put_pdus(answer, &counters);
	return 0;
}

static int
answer_drops(const char *command, const char *params, struct rte_tel_data *answer)
{
	struct fan_worker_counters counters;
	bool known;

	(void)command;
	(void)params;
	known = read_counters(&counters, NULL);
	rte_tel_data_start_dict(answer);
	for (int i = 1; known && i < FAN_DROP_COUNT; i++)
		put(answer, fan_drop_name((enum fan_drop)i), counters.dropped_for[i]);
	return 0;
}

static int
answer_engines(const char *command, const char *params, struct rte_tel_data *answer)
{
	struct fan_worker_counters counters;
	bool known;

	(void)command;
	(void)params;
	rte_tel_data_start_dict(answer);
	pthread_mutex_lock(&lock);
	known = sum_counters(&counters, NULL);
	for (unsigned i = 0; known && i < shown->engines.count; i++) {
		put_of_engine(answer, shown->engines.choice[i].name, "pdus", counters.engine_ues[i]);
		put_of_engine(answer, shown->engines.choice[i].name, "cycles", counters.engine_cycles[i]);
	}
	pthread_mutex_unlock(&lock);
	return 0;
}

static void
register_commands(void)
{
	static bool registered;

	if (registered)
		return;
	registered = true;
	(void)rte_telemetry_register_cmd("/fanfare/pdus", answer_pdus, "PDUs of all workers. Takes no parameters");
	(void)rte_telemetry_register_cmd("/fanfare/worker", answer_worker, "PDUs of a worker. Parameters: int index");
	(void)rte_telemetry_register_cmd("/fanfare/drops", answer_drops, "PDUs dropped, by reason. Takes no parameters");
	(void)rte_telemetry_register_cmd("/fanfare/engines", answer_engines,
					 "PDUs and cycles of each engine. Takes no parameters");
}

void
fan_telemetry_show(const struct fan_dataplane *dataplane)
{
	register_commands();
	pthread_mutex_lock(&lock);
	shown = dataplane;
	pthread_mutex_unlock(&lock);
}

void
fan_telemetry_hide(void)
{
	pthread_mutex_lock(&lock);
	shown = NULL;
	pthread_mutex_unlock(&lock);
}
