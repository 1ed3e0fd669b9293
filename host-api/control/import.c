/* SPDX-License-Identifier: BSD-3-Clause */
#include "import.h"

#include "job.h"
#include "ue_context.h"

#include <stdlib.h>
#include <string.h>

struct import {
	enum fan_import_format format;
	bool committed;
	struct fan_context_columns columns;
};

/* Adds a row that was read; its keys are wiped. */
static int
add_row(struct fan_server *server, fan_context_id *id, struct fan_context_row *row)
{
	const int index = fan_hops_find(server, row->fixed.next_hop, row->fixed.ipv6);
	int error = index < 0 ? index : 0;

	if (error == 0) {
		row->ue.next_hop = (uint16_t)index;
		error = fan_ue_add(server->fanfare, id, &row->ue);
	}
	return error;
}

/* A line as JSON. */
static int
read_object(struct fan_job *job, struct fan_context_row *row, const char *line, size_t line_bytes)
{
	json_error_t wrong;
	json_t *object = json_loadb(line, line_bytes, JSON_REJECT_DUPLICATES, &wrong);
	int error;

	if (!json_is_object(object))
		error = fan_fail(FAN_E_INVALID, "no JSON object: at octet %d of the line", object == NULL ? wrong.position : 0);
	else if (((const struct import *)job->own)->format == FAN_IMPORT_UE_CONTEXT)
		error = fan_ue_context_read(row, job->field, sizeof(job->field), object);
	else
		error = fan_context_object_read(row, job->field, sizeof(job->field), object);
	json_decref(object);
	return error;
}

static int
take_row(struct fan_job *job, const char *line, size_t line_bytes)
{
	const struct import *import = job->own;
	struct fan_context_row row;
	fan_context_id id = 0;
	int error = import->format != FAN_IMPORT_CSV
			    ? read_object(job, &row, line, line_bytes)
			    : fan_context_row_read(&row, job->field, sizeof(job->field), &import->columns, line, line_bytes);

	if (error == 0) {
		job->field[0] = '\0';
		error = add_row(job->server, &id, &row);
		/* No line is to blame for these. */
		job->fatal = error == FAN_E_MEMORY || error == FAN_E_IO || error == FAN_E_BUSY;
	}
	if (error == 0 && row.gid[0] != '\0') {
		error = fan_joins_add(&job->joins, row.gid, id, row.fixed.profile);
		job->fatal = error != 0;
	}
	if (error == 0)
		job->taken++;
	fan_context_row_wipe(&row);
	return error;
}

static int
take_line(struct fan_job *job, char *line, size_t line_bytes)
{
	struct import *import = job->own;
	int error;

	if (import->format != FAN_IMPORT_CSV || job->line_number > 1)
		return take_row(job, line, line_bytes);
	error = fan_context_header_read(&import->columns, line, line_bytes);
	job->fatal = error != 0;
	return error;
}

static int
join_some(struct fan_job *job)
{
	const int left = fan_joins_step(&job->joins, job->server->fanfare, true);

	if (left >= 0)
		return left == 0 ? 0 : FAN_LATER;
	/* The UEs are there already; a group that refuses them is told of, and the others go on. */
	fan_job_note(job, 0, "group", fan_error_detail());
	return FAN_LATER;
}

static int
end(struct fan_job *job)
{
	struct import *import = job->own;
	int error;

	if (import->committed)
		return join_some(job);
	if (job->line_number == 0)
		return fan_fail(FAN_E_INVALID, "the file is empty");
	error = fan_commit(job->server->fanfare);
	job->server->batching = false;
	import->committed = error == 0;
	return error != 0 ? error : FAN_LATER;
}

static int
report(const struct fan_job *job, json_t *result)
{
	const uint64_t rows = job->line_number - (((const struct import *)job->own)->format == FAN_IMPORT_CSV);

	return json_object_set_new(result, "added", json_integer((json_int_t)job->taken)) |
	       json_object_set_new(result, "skipped", json_integer((json_int_t)(rows - job->taken))) |
	       json_object_set_new(result, "joined", json_integer((json_int_t)job->joins.joined));
}

static void
close_import(struct fan_job *job, bool good)
{
	struct import *import = job->own;

	(void)good;
	if (import == NULL)
		return;
	if (!import->committed)
		fan_abort(job->server->fanfare);
	job->server->batching = false;
	/* Next hops that the batch added are gone with it. */
	if (!import->committed)
		(void)fan_hops_learn(job->server);
	free(import);
}

static const struct fan_job_kind kind = {
	.name = "ue.import",
	.line = take_line,
	.end = end,
	.report = report,
	.close = close_import,
};

int
fan_import_begin(struct fan_request *request, enum fan_import_format format, bool skip)
{
	struct import *import = calloc(1, sizeof(*import));
	struct fan_job *job = NULL;
	int error = import == NULL ? fan_fail(FAN_E_MEMORY, "no memory for an import") : fan_begin(request->server->fanfare);
	const bool begun = error == 0;

	if (error == 0)
		error = fan_job_begin(request, &job, &kind, skip);
	if (job == NULL) {
		if (begun)
			fan_abort(request->server->fanfare);
		free(import);
		return error;
	}
	*import = (struct import){ .format = format };
	job->own = import;
	job->server->batching = true;
	return FAN_LATER;
}

int
fan_import_object(struct fan_server *server, fan_context_id *id, const json_t *object)
{
	struct fan_context_row row;
	char field[FAN_JOB_FIELD_BYTES], rule[FAN_ERROR_BYTES];
	enum fan_profile profile;
	int error = json_object_get(object, "ueContext") != NULL ? fan_ue_context_read(&row, field, sizeof(field), object)
								 : fan_context_object_read(&row, field, sizeof(field), object);

	if (error != 0) {
		(void)snprintf(rule, sizeof(rule), "%s", fan_error_detail());
		fan_error_record("context: %s%s%.400s", field, field[0] != '\0' ? ": " : "", rule);
	}
	if (error == 0)
		error = add_row(server, id, &row);
	profile = row.fixed.profile;
	fan_context_row_wipe(&row);
	if (error == 0 && row.gid[0] != '\0') {
		struct fan_joins joins = { .count = 0 };

		error = fan_joins_add(&joins, row.gid, *id, profile);
		if (error == 0)
			error = fan_joins_step(&joins, server->fanfare, true);
		fan_joins_free(&joins);
	}
	return error;
}
