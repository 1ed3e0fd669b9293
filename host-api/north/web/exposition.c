/* SPDX-License-Identifier: BSD-3-Clause */
#include "exposition.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define NS 1e-9
#define MS 1e-3

/* Where a metric's samples are found in an answer. Label sets are bounded by what the daemon tells of: workers, engines, reasons, states, and
 * 1,024 next hops. */
enum set {
	SET_ONE,            /* a member of an object */
	SET_MEMBERS,        /* each member of an object: its name is the label */
	SET_WORKERS,        /* a member of each worker */
	SET_WORKER_MEMBERS, /* each member of an object in each worker */
	SET_WORKER_ENGINES, /* a member of each engine in each worker */
	SET_NEXT_HOPS,      /* a member of each next hop, and the others together */
	SET_STATE,          /* 1 for the one that it is in */
	SET_BUILD,
	SET_WRITES, /* the histogram of the store */
};

struct fan_metric_row {
	const char *name;
	enum fan_metric_type type;
	enum set set;
	const char *object; /* of the answer, or of each worker; NULL: itself */
	const char *member;
	const char *label; /* of what is in sets of one label, besides the worker */
	double scale;      /* of a unit of the answer in units of the metric; 0: a whole number */
	const char *help;
};

static const struct fan_metric_row rows[] = {
	{ "fanfare_up", FAN_METRIC_GAUGE, SET_ONE, NULL, "up", NULL, 0,
	  "Whether the daemon has answered this scrape. All but fanfare_web_ metrics are left out when it has not." },
	{ "fanfare_build_info", FAN_METRIC_INFO, SET_BUILD, NULL, NULL, "version, dpdk", 0,
	  "Version of the daemon and of the DPDK that it runs on." },
	{ "fanfare_state", FAN_METRIC_GAUGE, SET_STATE, NULL, "state", "state", 0,
	  "1 for the state that the daemon is in. Failed: the store cannot be written, and nothing new is accepted." },
	{ "fanfare_uptime_seconds", FAN_METRIC_GAUGE, SET_ONE, NULL, "uptime_ms", NULL, MS, "Time since the daemon began." },
	{ "fanfare_control_clients", FAN_METRIC_GAUGE, SET_ONE, NULL, "clients", NULL, 0,
	  "Clients of the control socket, this one among them; 64 at most." },
	{ "fanfare_contexts", FAN_METRIC_GAUGE, SET_ONE, NULL, "ues", NULL, 0,
	  "Contexts of UEs in service; a UE has one for each kind and bearer." },
	{ "fanfare_groups", FAN_METRIC_GAUGE, SET_ONE, NULL, "groups", NULL, 0, "Groups." },
	{ "fanfare_next_hops", FAN_METRIC_GAUGE, SET_ONE, NULL, "next_hop_count", NULL, 0, "Next hops that are known." },
	{ "fanfare_link_up", FAN_METRIC_GAUGE, SET_ONE, NULL, "link_up", NULL, 0, "Whether the egress port's link is up." },
	{ "fanfare_messages_accepted_total", FAN_METRIC_COUNTER, SET_ONE, "messages", "accepted", NULL, 0,
	  "Messages accepted, over all restarts with the same store." },
	{ "fanfare_messages_ended_total", FAN_METRIC_COUNTER, SET_MEMBERS, "messages", "ended", "state", 0,
	  "Messages that have ended since the daemon began, by how." },
	{ "fanfare_messages_in_flight", FAN_METRIC_GAUGE, SET_MEMBERS, "messages", "unfinished", "state", 0,
	  "Messages on their way; 64 at most." },
	{ "fanfare_oldest_message_age_seconds", FAN_METRIC_GAUGE, SET_ONE, "messages", "oldest_ms", NULL, MS,
	  "Time since the oldest message on its way was accepted; 0 when there is none." },
	{ "fanfare_pdus_created_total", FAN_METRIC_COUNTER, SET_WORKERS, NULL, "created", NULL, 0,
	  "PDUs that were to be sent: members of groups times parts of messages." },
	{ "fanfare_pdus_sent_total", FAN_METRIC_COUNTER, SET_WORKERS, NULL, "sent", NULL, 0,
	  "PDUs that the egress port has taken." },
	{ "fanfare_sent_bytes_total", FAN_METRIC_COUNTER, SET_WORKERS, NULL, "bytes_out", NULL, 0,
	  "Octets of the frames that the egress port has taken, from Ethernet up." },
	{ "fanfare_pdus_dropped_total", FAN_METRIC_COUNTER, SET_WORKER_MEMBERS, "drops", NULL, "reason", 0,
	  "PDUs that were not sent, by the reason that the message's report has." },
	{ "fanfare_port_lost_frames_total", FAN_METRIC_COUNTER, SET_ONE, NULL, "lost", NULL, 0,
	  "Frames that the egress port says it has lost after it had taken them." },
	{ "fanfare_worker_busy_seconds_total", FAN_METRIC_COUNTER, SET_WORKERS, NULL, "busy_ns", NULL, NS,
	  "Time in turns of the worker's loop that did work. The CPU that top(1) shows is not it: workers poll." },
	{ "fanfare_worker_seconds_total", FAN_METRIC_COUNTER, SET_WORKERS, NULL, "all_ns", NULL, NS,
	  "Time since the worker began: what its busy time is to be divided by." },
	{ "fanfare_worker_wait_seconds_total", FAN_METRIC_COUNTER, SET_WORKER_MEMBERS, "waited_ns", NULL, "reason", NS,
	  "Time in which the worker had messages and could not go on, by what it waited for; port is back-pressure." },
	{ "fanfare_worker_waiting_seconds", FAN_METRIC_GAUGE, SET_WORKERS, NULL, "waits_ns", NULL, NS,
	  "How long the worker has waited now; 0 when it goes on or has nothing to do." },
	{ "fanfare_engine_pdus_total", FAN_METRIC_COUNTER, SET_WORKER_ENGINES, NULL, "pdus", "engine", 0,
	  "PDUs that left, by the engine that protected them." },
	{ "fanfare_engine_cycles_total", FAN_METRIC_COUNTER, SET_WORKER_ENGINES, NULL, "cycles", "engine", 0,
	  "Cycles of the worker's time-stamp counter inside the engine; divided by its PDUs, cycles per UE." },
	{ "fanfare_tsc_hertz", FAN_METRIC_GAUGE, SET_ONE, NULL, "tsc_hz", NULL, 0,
	  "Cycles of the time-stamp counter in a second." },
	{ "fanfare_next_hop_pdus_total", FAN_METRIC_COUNTER, SET_NEXT_HOPS, NULL, "sent", "next_hop", 0,
	  "PDUs that the egress port has taken for a next hop; other: all those behind the first 1,024." },
	{ "fanfare_next_hop_put_off_total", FAN_METRIC_COUNTER, SET_NEXT_HOPS, NULL, "put_off", "next_hop", 0,
	  "Members of messages that found their next hop without tokens, and went later." },
	{ "fanfare_next_hop_waiting_members", FAN_METRIC_GAUGE, SET_NEXT_HOPS, NULL, "waiting", "next_hop", 0,
	  "Members of messages that wait for their next hop's rate now: its back-pressure." },
	{ "fanfare_next_hop_stopped", FAN_METRIC_GAUGE, SET_NEXT_HOPS, NULL, "stopped", "next_hop", 0,
	  "Whether the next hop's relay has said stop." },
	{ "fanfare_window_three_quarters_contexts", FAN_METRIC_GAUGE, SET_ONE, "census", "window_three_quarters", NULL, 0,
	  "Contexts that have used three quarters of their window or more: 150 COUNTs of NAS without proof of reception." },
	{ "fanfare_window_full_contexts", FAN_METRIC_GAUGE, SET_ONE, "census", "window_full", NULL, 0,
	  "Contexts that have used all of their window: 200 COUNTs of NAS. Nothing is sent to them until they acknowledge." },
	{ "fanfare_lease_low_contexts", FAN_METRIC_GAUGE, SET_ONE, "census", "lease_low", NULL, 0,
	  "Contexts with fewer than 256 reserved COUNTs left." },
	{ "fanfare_lease_used_contexts", FAN_METRIC_GAUGE, SET_ONE, "census", "lease_used", NULL, 0,
	  "Contexts without a reserved COUNT. Nothing is sent to them until their lease is extended." },
	{ "fanfare_unreachable_contexts", FAN_METRIC_GAUGE, SET_ONE, "census", "unreachable", NULL, 0,
	  "Contexts that are marked unreachable." },
	{ "fanfare_census_age_seconds", FAN_METRIC_GAUGE, SET_ONE, "census", "age_ms", NULL, MS,
	  "Age of the five numbers above, which a walk through all contexts counts; left out before the first has ended." },
	{ "fanfare_census_walk_seconds", FAN_METRIC_GAUGE, SET_ONE, "census", "took_ms", NULL, MS, "How long that walk took." },
	{ "fanfare_store_write_seconds", FAN_METRIC_HISTOGRAM, SET_WRITES, "store", NULL, "le", 0,
	  "How long durable writes of the store took, those that failed among them." },
	{ "fanfare_store_longest_write_seconds", FAN_METRIC_GAUGE, SET_ONE, "store", "max_ns", NULL, NS,
	  "The longest of them since the daemon began." },
	{ "fanfare_store_failed_writes_total", FAN_METRIC_COUNTER, SET_ONE, "store", "failed", NULL, 0,
	  "Durable writes of the store that failed." },
	{ "fanfare_store_failing", FAN_METRIC_GAUGE, SET_ONE, "store", "failing", NULL, 0,
	  "Whether the store cannot be written now." },
	{ "fanfare_store_checkpoints_total", FAN_METRIC_COUNTER, SET_ONE, "store", "checkpoints", NULL, 0,
	  "Blocks of 256 contexts whose COUNTs were made durable as they are." },
	{ "fanfare_audit_records_total", FAN_METRIC_COUNTER, SET_ONE, "audit", "written", NULL, 0,
	  "Records of what clients changed, or asked to." },
	{ "fanfare_audit_lost_records_total", FAN_METRIC_COUNTER, SET_ONE, "audit", "lost", NULL, 0,
	  "Such records that nobody took at that moment." },
	{ "fanfare_web_connections", FAN_METRIC_GAUGE, SET_ONE, "web", "connections", NULL, 0,
	  "Connections to this face, this one among them." },
	{ "fanfare_web_subscribers", FAN_METRIC_GAUGE, SET_ONE, "web", "subscribers", NULL, 0,
	  "Pages that are open and told of what changes; 32 at most." },
	{ "fanfare_web_scrapes_total", FAN_METRIC_COUNTER, SET_ONE, "web", "scrapes", NULL, 0,
	  "Scrapes that this face has answered." },
	{ "fanfare_web_certificate_expiry_timestamp_seconds", FAN_METRIC_GAUGE, SET_ONE, "web", "certificate_s", NULL, 0,
	  "When the certificate of this face expires, in seconds since 1970 UTC; left out without TLS." },
};

/* ---- Formats ----------------------------------------------------------------------------------------------------------- */

enum fan_exposition
fan_exposition_choose(const char *accept)
{
	static const char wanted[] = "application/openmetrics-text";
	const char *at = accept != NULL ? strstr(accept, wanted) : NULL;
	const char *end = at != NULL ? at + strcspn(at, ",") : NULL;
	const char *weight = at != NULL ? strstr(at, "q=") : NULL;
	const bool refused = weight != NULL && weight < end && strtod(weight + 2, NULL) <= 0;

	return at != NULL && !refused ? FAN_EXPOSITION_OPENMETRICS : FAN_EXPOSITION_TEXT;
}

const char *
fan_exposition_content_type(enum fan_exposition format)
{
	return format == FAN_EXPOSITION_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
						    : "text/plain; version=0.0.4; charset=utf-8";
}

const char *
fan_metric_type_name(enum fan_metric_type type)
{
	static const char *const names[] = { "counter", "gauge", "histogram", "info" };

	return names[type];
}

struct writer {
	FILE *out;
	enum fan_exposition format;
	const struct fan_metric_row *row;
};

/* The name of a metric without what its type adds to it, where OpenMetrics has it so. */
static int
family_bytes(const struct writer *writer)
{
	const char *suffix = writer->row->type == FAN_METRIC_COUNTER ? "_total"
			     : writer->row->type == FAN_METRIC_INFO  ? "_info"
								     : "";
	const size_t name_bytes = strlen(writer->row->name);

	return (int)(writer->format == FAN_EXPOSITION_OPENMETRICS ? name_bytes - strlen(suffix) : name_bytes);
}

static bool
ends_with(const char *name, int name_bytes, const char *end)
{
	const size_t end_bytes = strlen(end);

	return (size_t)name_bytes > end_bytes && memcmp(name + (size_t)name_bytes - end_bytes, end, end_bytes) == 0;
}

static void
write_head(const struct writer *writer)
{
	static const char *const units[] = { "seconds", "bytes", "hertz", "contexts" };
	const struct fan_metric_row *row = writer->row;
	const bool open = writer->format == FAN_EXPOSITION_OPENMETRICS;
	const int bytes = family_bytes(writer);

	(void)fprintf(writer->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", bytes, row->name, row->help, bytes, row->name,
		      row->type == FAN_METRIC_INFO && !open ? "gauge" : fan_metric_type_name(row->type));
	for (size_t i = 0; open && i < COUNT_OF(units); i++)
		if (ends_with(row->name, bytes, units[i]) && row->name[bytes - (int)strlen(units[i]) - 1] == '_')
			(void)fprintf(writer->out, "# UNIT %.*s %s\n", bytes, row->name, units[i]);
}

/* Both formats: a backslash before a backslash, a double quote and a line's end. */
static void
write_label(FILE *out, char before, const char *name, const char *value)
{
	(void)fprintf(out, "%c%s=\"", before, name);
	for (; *value != '\0'; value++) {
		if (*value == '\n')
			(void)fputs("\\n", out);
		else if (*value == '"' || *value == '\\')
			(void)fprintf(out, "\\%c", *value);
		else
			(void)fputc(*value, out);
	}
	(void)fputc('"', out);
}

/* A value of the answer, if it is one. Those below zero are left out: they stand for none. */
static void
write_value(const struct writer *writer, const json_t *value)
{
	const json_int_t number = json_is_boolean(value) ? json_is_true(value) : json_integer_value(value);

	if (writer->row->scale != 0)
		(void)fprintf(writer->out, " %.15g\n", (double)number * writer->row->scale);
	else
		(void)fprintf(writer->out, " %" PRId64 "\n", (int64_t)number);
}

static bool
is_told(const json_t *value)
{
	return json_is_boolean(value) || (json_is_integer(value) && json_integer_value(value) >= 0);
}

/* In: one label or two; NULL: none. */
static void
write_sample(const struct writer *writer, const char *worker, const char *label, const json_t *value)
{
	if (!is_told(value))
		return;
	(void)fputs(writer->row->name, writer->out);
	if (worker != NULL)
		write_label(writer->out, '{', "worker", worker);
	if (label != NULL)
		write_label(writer->out, worker != NULL ? ',' : '{', writer->row->label, label);
	if (worker != NULL || label != NULL)
		(void)fputc('}', writer->out);
	write_value(writer, value);
}

/* ---- Sets -------------------------------------------------------------------------------------------------------------- */

static const json_t *
object_of(const struct writer *writer, const json_t *of)
{
	return writer->row->object != NULL ? json_object_get(of, writer->row->object) : of;
}

static void
write_one(const struct writer *writer, const json_t *metrics)
{
	write_sample(writer, NULL, NULL, json_object_get(object_of(writer, metrics), writer->row->member));
}

static void
write_members(const struct writer *writer, const json_t *metrics)
{
	json_t *object = json_object_get(object_of(writer, metrics), writer->row->member), *value;
	const char *name;

	json_object_foreach(object, name, value)
		write_sample(writer, NULL, name, value);
}

static void
write_of_worker(const struct writer *writer, const char *worker, json_t *object)
{
	const bool engines = writer->row->set == SET_WORKER_ENGINES;
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
		write_sample(writer, worker, name, engines ? json_object_get(value, writer->row->member) : value);
}

static void
write_workers(const struct writer *writer, const json_t *metrics)
{
	const json_t *workers = json_object_get(metrics, "workers"), *worker;
	size_t i;

	json_array_foreach(workers, i, worker) {
		char index[24];

		(void)snprintf(index, sizeof(index), "%" PRId64,
			       (int64_t)json_integer_value(json_object_get(worker, "worker")));
		if (writer->row->set == SET_WORKERS)
			write_sample(writer, index, NULL, json_object_get(worker, writer->row->member));
		else
			write_of_worker(writer, index,
					json_object_get(worker, writer->row->set == SET_WORKER_ENGINES ? "engines"
												       : writer->row->object));
	}
}

static void
write_next_hops(const struct writer *writer, const json_t *metrics)
{
	const json_t *hops = json_object_get(metrics, "next_hops"), *hop;
	size_t i;

	json_array_foreach(hops, i, hop) {
		const char *address = json_string_value(json_object_get(hop, "address"));

		if (address != NULL)
			write_sample(writer, NULL, address, json_object_get(hop, writer->row->member));
	}
	if (strcmp(writer->row->member, "sent") == 0 &&
	    (size_t)json_integer_value(json_object_get(metrics, "next_hop_count")) > json_array_size(hops))
		write_sample(writer, NULL, "other", json_object_get(metrics, "other_next_hops_sent"));
}

static void
write_state(const struct writer *writer, const json_t *metrics)
{
	static const char *const states[] = { "loading", "ready", "draining", "failed" };
	const char *state = json_string_value(json_object_get(metrics, writer->row->member));

	for (size_t i = 0; state != NULL && i < COUNT_OF(states); i++)
		(void)fprintf(writer->out, "%s{state=\"%s\"} %d\n", writer->row->name, states[i],
			      strcmp(state, states[i]) == 0);
}

static void
write_build(const struct writer *writer, const json_t *metrics)
{
	const char *version = json_string_value(json_object_get(metrics, "program"));
	const char *dpdk = json_string_value(json_object_get(metrics, "dpdk"));

	if (version == NULL || dpdk == NULL)
		return;
	(void)fputs(writer->row->name, writer->out);
	write_label(writer->out, '{', "version", version);
	write_label(writer->out, ',', "dpdk", dpdk);
	(void)fputs("} 1\n", writer->out);
}

/* Buckets of a histogram count what is in those before them too. */
static void
write_writes(const struct writer *writer, const json_t *metrics)
{
	const json_t *store = object_of(writer, metrics), *steps = json_object_get(store, "within_us"), *step;
	const json_int_t count = json_integer_value(json_object_get(store, "writes"));
	const char *name = writer->row->name;
	json_int_t within = 0;
	size_t i;

	if (!json_is_array(steps))
		return;
	json_array_foreach(steps, i, step) {
		within += json_integer_value(json_array_get(step, 1));
		(void)fprintf(writer->out, "%s_bucket{le=\"%g\"} %" PRId64 "\n", name,
			      (double)json_integer_value(json_array_get(step, 0)) * 1e-6, (int64_t)within);
	}
	(void)fprintf(writer->out, "%s_bucket{le=\"+Inf\"} %" PRId64 "\n%s_sum %.15g\n%s_count %" PRId64 "\n", name,
		      (int64_t)count, name, (double)json_integer_value(json_object_get(store, "sum_ns")) * NS, name,
		      (int64_t)count);
}

static void (*const writers[])(const struct writer *writer, const json_t *metrics) = {
	[SET_ONE] = write_one,
	[SET_MEMBERS] = write_members,
	[SET_WORKERS] = write_workers,
	[SET_WORKER_MEMBERS] = write_workers,
	[SET_WORKER_ENGINES] = write_workers,
	[SET_NEXT_HOPS] = write_next_hops,
	[SET_STATE] = write_state,
	[SET_BUILD] = write_build,
	[SET_WRITES] = write_writes,
};

char *
fan_exposition_write(size_t *byte_count, const json_t *metrics, enum fan_exposition format)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, byte_count);
	struct writer writer = { .out = out, .format = format };

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		writer.row = &rows[i];
		write_head(&writer);
		writers[rows[i].set](&writer, metrics);
	}
	if (format == FAN_EXPOSITION_OPENMETRICS)
		(void)fputs("# EOF\n", out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/* ---- The table --------------------------------------------------------------------------------------------------------- */

const struct fan_metric_row *
fan_exposition_metric(unsigned n)
{
	return n < COUNT_OF(rows) ? &rows[n] : NULL;
}

const char *
fan_metric_name(const struct fan_metric_row *row)
{
	return row->name;
}

const char *
fan_metric_help(const struct fan_metric_row *row)
{
	return row->help;
}

enum fan_metric_type
fan_metric_type(const struct fan_metric_row *row)
{
	return row->type;
}

const char *
fan_metric_labels(const struct fan_metric_row *row)
{
	switch (row->set) {
	case SET_WORKERS:
		return "worker";
	case SET_WORKER_MEMBERS:
		return "worker, reason";
	case SET_WORKER_ENGINES:
		return "worker, engine";
	default:
		return row->label != NULL ? row->label : "";
	}
}
