/* SPDX-License-Identifier: BSD-3-Clause */
#include "job.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES 65536

static void
close_job(struct fan_job *job, bool good)
{
	job->kind->close(job, good);
	fan_joins_free(&job->joins);
	if (job->file != NULL)
		(void)fclose(job->file);
	if (job->buffer != NULL)
		explicit_bzero(job->buffer, BUFFER_BYTES);
	free(job->buffer);
	json_decref(job->errors);
	fan_ticket_drop(job->server, &job->ticket);
	free(job);
}

static struct fan_job *
make_job(int descriptor)
{
	struct fan_job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	job->buffer = malloc(BUFFER_BYTES);
	job->errors = json_array();
	job->file = fdopen(descriptor, "r");
	if (job->buffer != NULL && job->errors != NULL && job->file != NULL &&
	    setvbuf(job->file, job->buffer, _IOFBF, BUFFER_BYTES) == 0)
		return job;
	if (job->file != NULL)
		(void)fclose(job->file);
	free(job->buffer);
	json_decref(job->errors);
	free(job);
	return NULL;
}

int
fan_job_begin(struct fan_request *request, struct fan_job **out, const struct fan_job_kind *kind, bool skip)
{
	struct fan_job *job;
	int descriptor;
	int error;

	if (request->server->state == FAN_SERVER_DRAINING)
		return fan_fail(FAN_E_BUSY, "draining: no further file is taken up");
	if (request->client->job != NULL)
		return FAN_WAIT;
	error = fan_request_descriptor(request, &descriptor);
	if (error != 0)
		return error;
	/* A path alone (O_PATH) has no position, and what is open for writing alone gives nothing. */
	if (lseek(descriptor, 0, SEEK_SET) != 0 || (fcntl(descriptor, F_GETFL) & O_ACCMODE) == O_WRONLY) {
		(void)close(descriptor);
		return fan_fail(FAN_E_INVALID, "the descriptor is not open for reading");
	}
	job = make_job(descriptor);
	if (job == NULL) {
		(void)close(descriptor);
		return fan_fail(FAN_E_MEMORY, "no memory for a file's work");
	}
	job->kind = kind;
	job->server = request->server;
	job->skip = skip;
	job->notified_ms = request->server->now_ms;
	job->ticket = fan_ticket_take(request);
	request->client->job = job;
	if (out != NULL)
		*out = job;
	return FAN_LATER;
}

void
fan_job_note(struct fan_job *job, uint64_t line_number, const char *field, const char *why)
{
	if (job->error_count++ < FAN_CONTROL_ERRORS_MAX)
		(void)json_array_append_new(job->errors, json_pack("{s:I, s:o, s:o}", "line", (json_int_t)line_number, "field",
								   fan_control_text(field), "why", fan_control_text(why)));
}

/* ---- Lines ------------------------------------------------------------------------------------------------------------- */

/* What read_line() returns beside the octets of a line. */
enum {
	LINE_NONE = -1,     /* the file ends */
	LINE_TOO_LONG = -2, /* its first octets were read, one more than there may be */
	LINE_REST = -3,     /* a piece, no longer than a line, of the rest of such a line */
};

/* One line without LF, or a piece of one. */
static long
read_line(struct fan_job *job, char line[FAN_CONTROL_FILE_LINE_BYTES_MAX + 1])
{
	const bool rest = job->in_long_line;
	long line_bytes = 0;
	int octet = EOF;

	while (line_bytes <= FAN_CONTROL_FILE_LINE_BYTES_MAX && (octet = getc_unlocked(job->file)) != EOF && octet != '\n')
		line[line_bytes++] = (char)octet;
	job->in_long_line = line_bytes > FAN_CONTROL_FILE_LINE_BYTES_MAX;
	job->octets += (uint64_t)line_bytes;
	if (rest)
		return LINE_REST;
	if (job->in_long_line)
		return LINE_TOO_LONG;
	if (octet == EOF && line_bytes == 0)
		return LINE_NONE;
	line[line_bytes] = '\0';
	return line_bytes;
}

static int
take_line(struct fan_job *job, char *line, long line_bytes)
{
	job->field[0] = '\0';
	if (line_bytes == LINE_TOO_LONG)
		return fan_fail(FAN_E_INVALID, "longer than %d octets", FAN_CONTROL_FILE_LINE_BYTES_MAX);
	if (line_bytes > 0 && line[line_bytes - 1] == '\r')
		return fan_fail(FAN_E_INVALID, "ends with CR LF: lines end with LF alone");
	return job->kind->line(job, line, (size_t)line_bytes);
}

/* Notes a line's error. 0 when the job goes on without that line, else the error. */
static int
pass_over(struct fan_job *job, int error)
{
	char why[FAN_ERROR_BYTES];

	(void)snprintf(why, sizeof(why), "%s", fan_error_detail());
	if (!job->fatal)
		fan_job_note(job, job->line_number, job->field, why);
	if (!job->fatal && job->skip)
		return 0;
	return fan_fail(error, "line %llu: %s%s%.300s", (unsigned long long)job->line_number, job->field,
			job->field[0] != '\0' ? ": " : "", why);
}

/* 0, or an error that ends the job. */
static int
take_lines(struct fan_job *job)
{
	static char line[FAN_CONTROL_FILE_LINE_BYTES_MAX + 1];
	const uint64_t end = job->octets + FAN_JOB_OCTETS_A_TURN;
	int error = 0;

	for (unsigned i = 0; error == 0 && i < FAN_JOB_LINES_A_TURN && job->octets < end; i++) {
		const long line_bytes = read_line(job, line);

		if (line_bytes == LINE_REST)
			continue;
		if (line_bytes == LINE_NONE) {
			job->at_end = true;
			break;
		}
		job->line_number++;
		error = take_line(job, line, line_bytes);
		if (error != 0)
			error = pass_over(job, error);
	}
	explicit_bzero(line, sizeof(line));
	if (error == 0 && ferror(job->file))
		error = fan_fail(FAN_E_IO, "the file cannot be read behind line %llu", (unsigned long long)job->line_number);
	return error;
}

/* ---- Turns ------------------------------------------------------------------------------------------------------------- */

static json_t *
make_report(const struct fan_job *job)
{
	json_t *report = json_pack("{s:I, s:O}", "error_count", (json_int_t)job->error_count, "errors", job->errors);

	if (report == NULL || job->kind->report(job, report) != 0) {
		json_decref(report);
		return NULL;
	}
	return report;
}

static void
notify(struct fan_job *job)
{
	if (job->server->now_ms - job->notified_ms < FAN_SERVER_PROGRESS_MS)
		return;
	job->notified_ms = job->server->now_ms;
	fan_ticket_notify(job->server, &job->ticket, "progress",
			  json_pack("{s:s, s:O?, s:I}", "method", job->kind->name, "id", job->ticket.id, "lines",
				    (json_int_t)job->line_number));
}

static void
finish(struct fan_client *client, int error)
{
	struct fan_job *job = client->job;
	json_t *report = error == 0 ? make_report(job) : NULL;

	if (error == 0 && report == NULL)
		error = fan_fail(FAN_E_MEMORY, "no memory for the answer");
	client->job = NULL;
	fan_ticket_answer(job->server, &job->ticket, error, report);
	close_job(job, error == 0);
}

static void
step(struct fan_client *client)
{
	struct fan_job *job = client->job;
	const bool ending = job->at_end;
	const int error = ending ? job->kind->end(job) : take_lines(job);

	if (error < 0 || (error == 0 && ending))
		finish(client, error);
	else
		notify(job);
}

void
fan_jobs_step(struct fan_server *server)
{
	for (unsigned i = 0; i < FAN_CONTROL_CLIENTS_MAX; i++)
		if (server->clients[i].job != NULL)
			step(&server->clients[i]);
}

bool
fan_jobs_running(const struct fan_server *server)
{
	for (unsigned i = 0; i < FAN_CONTROL_CLIENTS_MAX; i++)
		if (server->clients[i].job != NULL)
			return true;
	return false;
}

void
fan_job_abandon(struct fan_server *server, struct fan_client *client)
{
	(void)server;
	if (client->job != NULL)
		close_job(client->job, false);
	client->job = NULL;
}

void
fan_jobs_abandon(struct fan_server *server)
{
	for (unsigned i = 0; i < FAN_CONTROL_CLIENTS_MAX; i++)
		if (server->clients[i].job != NULL)
			finish(&server->clients[i],
			       fan_fail(FAN_E_BUSY, "draining: the file in work was given up, and nothing of it is kept"));
}
