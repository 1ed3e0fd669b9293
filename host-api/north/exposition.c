/* SPDX-License-Identifier: BSD-3-Clause */
#include "exposition.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define NS 1e-9

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
	const bool engines = writer->row->set == FAN_SET_WORKER_ENGINES;
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
		if (writer->row->set == FAN_SET_WORKERS)
			write_sample(writer, index, NULL, json_object_get(worker, writer->row->member));
		else
			write_of_worker(writer, index,
					json_object_get(worker, writer->row->set == FAN_SET_WORKER_ENGINES
									? "engines"
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
	[FAN_SET_ONE] = write_one,
	[FAN_SET_MEMBERS] = write_members,
	[FAN_SET_WORKERS] = write_workers,
	[FAN_SET_WORKER_MEMBERS] = write_workers,
	[FAN_SET_WORKER_ENGINES] = write_workers,
	[FAN_SET_NEXT_HOPS] = write_next_hops,
	[FAN_SET_STATE] = write_state,
	[FAN_SET_BUILD] = write_build,
	[FAN_SET_WRITES] = write_writes,
};

char *
fan_exposition_write(size_t *byte_count, const struct fan_metric_row *rows, const json_t *metrics, enum fan_exposition format)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, byte_count);
	struct writer writer = { .out = out, .format = format };

	if (out == NULL)
		return NULL;
	for (const struct fan_metric_row *row = rows; row->name != NULL; row++) {
		writer.row = row;
		write_head(&writer);
		writers[row->set](&writer, metrics);
	}
	if (format == FAN_EXPOSITION_OPENMETRICS)
		(void)fputs("# EOF\n", out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

const char *
fan_metric_labels(const struct fan_metric_row *row)
{
	switch (row->set) {
	case FAN_SET_WORKERS:
		return "worker";
	case FAN_SET_WORKER_MEMBERS:
		return "worker, reason";
	case FAN_SET_WORKER_ENGINES:
		return "worker, engine";
	default:
		return row->label != NULL ? row->label : "";
	}
}

/* ---- Scrapes ----------------------------------------------------------------------------------------------------------- */

bool
fan_exposition_answer(struct fan_http_request *request, const struct fan_metric_row *rows, json_t *metrics,
		      const struct fan_http_field *more, size_t more_count)
{
	const enum fan_exposition format = fan_exposition_choose(fan_http_header(request, "Accept"));
	struct fan_http_field fields[2 + FAN_EXPOSITION_FIELDS_MAX] = { { "Content-Type", fan_exposition_content_type(format) },
									{ "Cache-Control", "no-store" } };
	size_t byte_count = 0;
	char *text = fan_exposition_write(&byte_count, rows, metrics, format);

	json_decref(metrics);
	FAN_REQUIRE(more_count <= FAN_EXPOSITION_FIELDS_MAX);
	for (size_t i = 0; i < more_count; i++)
		fields[2 + i] = more[i];
	if (text != NULL)
		fan_http_answer(request, 200, fields, 2 + more_count, text, byte_count);
	free(text);
	return text != NULL;
}
