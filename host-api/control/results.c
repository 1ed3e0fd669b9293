/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What became of a message for each member, as lines into a file of the client's. It lies in memory alone, so that writing waits for nothing and
 * fills no disk.
 */
#define _GNU_SOURCE
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define AT(struct_name, field) offsetof(struct struct_name, field)

#define RESULTS_MAX 65536 /* of one request */
#define NAME_BYTES 32     /* more than a profile's or an outcome's name */
#define LINE_BYTES (FAN_IDENTITY_BYTES + 2 * NAME_BYTES)

struct results {
	fan_message_id id;
	uint64_t next, left;
	uint64_t count, removed, byte_count;
	struct fan_message_status status;
	bool checked;
};

/* Lines of a turn, until they are written. */
static char lines[FAN_JOB_LINES_A_TURN * LINE_BYTES];
static size_t line_bytes;

static void
put_text(const char *text, char end)
{
	const size_t text_bytes = strlen(text);

	memcpy(lines + line_bytes, text, text_bytes);
	lines[line_bytes + text_bytes] = end;
	line_bytes += text_bytes + 1;
}

static void
put_line(void *user, const struct fan_member_result *result)
{
	struct results *results = user;

	results->left--;
	if (result->identity[0] == '\0') {
		results->removed++;
		return;
	}
	results->count++;
	put_text(result->identity, ',');
	put_text(fan_profile_name(result->profile), ',');
	put_text(result->drop != FAN_DROP_NONE    ? fan_drop_name(result->drop)
		 : result->way != FAN_WAY_UNICAST ? fan_way_name(result->way)
						  : "sent",
		 '\n');
}

/* Only a file of memfd_create() can be sealed: those of a file system in memory, which may be the daemon's own, cannot. */
static int
check_file(int descriptor)
{
	const int seals = fcntl(descriptor, F_GET_SEALS);
	struct statfs system;

	if (seals < 0 || (seals & F_SEAL_SEAL) != 0 || fstatfs(descriptor, &system) != 0 || system.f_type != TMPFS_MAGIC)
		return fan_fail(FAN_E_INVALID,
				"the descriptor is not that of memfd_create() with MFD_ALLOW_SEALING: results are "
				"written to no other file, which might wait or fill a disk");
	if ((fcntl(descriptor, F_GETFL) & O_ACCMODE) != O_RDWR)
		return fan_fail(FAN_E_INVALID, "the descriptor is not open for writing");
	return 0;
}

static int
write_lines(int descriptor, struct results *results)
{
	for (size_t written = 0; written < line_bytes;) {
		const ssize_t n = pwrite(descriptor, lines + written, line_bytes - written, (off_t)results->byte_count);

		if (n <= 0)
			return fan_fail(FAN_E_IO, "the results cannot be written: %s", n < 0 ? strerror(errno) : "no room");
		written += (size_t)n;
		results->byte_count += (uint64_t)n;
	}
	return 0;
}

static int
write_slice(struct fan_job *job)
{
	struct results *results = job->own;
	const uint64_t most = results->left < FAN_JOB_LINES_A_TURN ? results->left : FAN_JOB_LINES_A_TURN;
	int error = results->checked ? 0 : check_file(fileno(job->file));

	results->checked = true;
	line_bytes = 0;
	if (error == 0)
		error = fan_message_results(job->server->fanfare, results->id, &results->next, most, put_line, results);
	if (error == 0)
		error = write_lines(fileno(job->file), results);
	job->line_number = results->count;
	if (error != 0)
		return error;
	return results->next != 0 && results->left > 0 ? FAN_LATER
						       : fan_message_read(job->server, &results->status, results->id);
}

static int
report_results(const struct fan_job *job, json_t *object)
{
	const struct results *results = job->own;
	json_t *own = json_pack("{s:I, s:I, s:I, s:I, s:o}", "count", (json_int_t)results->count, "removed",
				(json_int_t)results->removed, "bytes", (json_int_t)results->byte_count, "next",
				(json_int_t)results->next, "message", fan_message_describe(&results->status));

	/* What is said of files that are read. */
	(void)json_object_clear(object);
	return json_object_update_new(object, own);
}

static void
close_results(struct fan_job *job, bool good)
{
	(void)good;
	free(job->own);
}

static const struct fan_job_kind writing = {
	.name = "message.results", .end = write_slice, .report = report_results, .close = close_results
};

struct asking {
	int64_t id, from, limit;
};

static const struct fan_param results_params[] = {
	{ "id", FAN_PARAM_NUMBER, true, 1, INT64_MAX, AT(asking, id) },
	{ "from", FAN_PARAM_NUMBER, false, 0, INT64_MAX, AT(asking, from) },
	{ "limit", FAN_PARAM_NUMBER, false, 1, RESULTS_MAX, AT(asking, limit) },
};

static int
run_results(struct fan_request *request)
{
	struct asking values = { .limit = RESULTS_MAX };
	struct results *results;
	struct fan_job *job;
	int error = fan_request_params(request, &values, results_params, COUNT_OF(results_params));

	if (error != 0)
		return error;
	results = calloc(1, sizeof(*results));
	if (results == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for the results of a message");
	results->id = (fan_message_id)values.id;
	results->next = (uint64_t)values.from;
	results->left = (uint64_t)values.limit;
	error = fan_job_begin(request, &job, &writing, false);
	if (error != FAN_LATER) {
		free(results);
		return error;
	}
	job->own = results;
	/* There is nothing to be read from it. */
	job->at_end = true;
	return FAN_LATER;
}

const struct fan_method fan_result_methods[] = {
	{ "message.results", FAN_ROLE_READ, FAN_LOADED, run_results },
	{ .name = NULL },
};
