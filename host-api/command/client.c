/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME_COLUMN 20
#define MOMENT_MS_MIN 1000000000000 /* in 2001; less is a time that something takes */
#define CELL_BYTES 160
#define COLUMNS_MAX 24

int
fan_client_parse(const struct fan_command *command, void *values, char ***operands, unsigned least, unsigned most, int argc,
		 char **argv)
{
	int rest;
	const enum fan_parsed parsed = fan_command_parse(command, values, &rest, argc, argv);
	const unsigned given = parsed == FAN_PARSED ? (unsigned)(argc - rest) : 0;

	if (parsed != FAN_PARSED)
		return parsed == FAN_PARSED_HELP ? -1 : FAN_EXIT_USAGE;
	*operands = argv + rest;
	if (given < least)
		return fan_command_fail(command, FAN_EXIT_USAGE, "takes %s: see 'fanfare %s --help'", command->operands,
					command->name);
	if (given > most)
		return fan_command_fail(command, FAN_EXIT_USAGE, "unexpected argument '%s': see 'fanfare %s --help'",
					argv[rest + (int)most], command->name);
	return FAN_EXIT_OK;
}

int
fan_client_read_id(const struct fan_command *command, uint64_t *id, const char *text)
{
	if (fan_command_number(id, text) && *id > 0 && *id <= INT64_MAX)
		return FAN_EXIT_OK;
	return fan_command_fail(command, FAN_EXIT_USAGE, "%s: takes the id of a message, as send answers it", text);
}

/* ---- Calls ------------------------------------------------------------------------------------------------------------- */

static int
fail(const struct fan_command *command, int error)
{
	return fan_command_fail(command, fan_command_exit_code(error), "%s", fan_error_detail());
}

/* How far a long file is, on a terminal alone. */
static void
show_progress(void *user, const char *method, const json_t *params)
{
	(void)user;
	if (strcmp(method, "progress") == 0 && isatty(STDERR_FILENO) == 1)
		(void)fprintf(stderr, "\r%lld lines ", (long long)json_integer_value(json_object_get(params, "lines")));
}

int
fan_client_call(const struct fan_command *command, const struct fan_client_options *options, json_t **result,
		const char *method, json_t *params, int descriptor)
{
	struct fan_caller caller;
	int error = fan_caller_open(&caller, options->socket);

	*result = NULL;
	if (error == 0) {
		error = fan_caller_call(&caller, result, method, params, descriptor, show_progress, NULL);
		fan_caller_close(&caller);
	} else {
		json_decref(params);
	}
	if (descriptor >= 0)
		(void)close(descriptor);
	return error != 0 ? fail(command, error) : FAN_EXIT_OK;
}

int
fan_client_run(const struct fan_command *command, const struct fan_client_options *options, const char *method, json_t *params,
	       int descriptor, const char *const *columns)
{
	json_t *result;
	const int exit_code = fan_client_call(command, options, &result, method, params, descriptor);

	return exit_code != FAN_EXIT_OK ? exit_code : fan_client_show(command, options, result, columns);
}

const struct fan_option fan_client_options_alone[2] = { FAN_CLIENT_OPTIONS };

int
fan_client_by_gid(const struct fan_command *command, const char *method, int argc, char **argv)
{
	struct fan_client_options options = { .socket = NULL };
	char **operands;
	const int exit_code = fan_client_parse(command, &options, &operands, 1, 1, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return exit_code < 0 ? FAN_EXIT_OK : exit_code;
	return fan_client_run(command, &options, method, json_pack("{s:s}", "gid", operands[0]), -1, NULL);
}

/* Into memory, for the daemon reads regular files alone; it is never on a disk. */
static int
copy_stdin(void)
{
	const int copy = memfd_create("fanfare-stdin", MFD_CLOEXEC);
	static char octets[65536];
	ssize_t n = 1;

	while (copy >= 0 && n > 0) {
		n = read(STDIN_FILENO, octets, sizeof(octets));
		if (n > 0 && write(copy, octets, (size_t)n) != n)
			n = -1;
	}
	explicit_bzero(octets, sizeof(octets));
	if (copy >= 0 && n == 0)
		return copy;
	if (copy >= 0)
		(void)close(copy);
	return -1;
}

int
fan_client_file(const struct fan_command *command, int *descriptor, const char *path)
{
	struct stat found;

	*descriptor = strcmp(path, "-") == 0 ? copy_stdin() : open(path, O_RDONLY | O_CLOEXEC);
	if (*descriptor < 0)
		return fan_command_fail(command, FAN_EXIT_USAGE, "%s: %s", path, strerror(errno));
	if (fstat(*descriptor, &found) == 0 && S_ISREG(found.st_mode))
		return FAN_EXIT_OK;
	(void)close(*descriptor);
	*descriptor = -1;
	return fan_command_fail(command, FAN_EXIT_USAGE, "%s: is no regular file; - is stdin", path);
}

/* ---- For people -------------------------------------------------------------------------------------------------------- */

/* Out: cell[CELL_BYTES], the members of an object in a line: "window 3, unreachable 2". */
static void
format_members(char *cell, json_t *object)
{
	const char *name;
	json_t *value;
	size_t at = 0;

	(void)snprintf(cell, CELL_BYTES, "-");
	json_object_foreach(object, name, value) {
		char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

		if (at < CELL_BYTES)
			at += (size_t)snprintf(cell + at, CELL_BYTES - at, "%s%s %s", at > 0 ? ", " : "", name,
					       text != NULL ? text : "");
		free(text);
	}
}

/* Whether a member is a moment, rather than so many milliseconds. */
static bool
is_moment(const char *name, const json_t *value)
{
	const size_t name_bytes = strlen(name);

	return name_bytes > 3 && strcmp(name + name_bytes - 3, "_ms") == 0 && json_integer_value(value) > MOMENT_MS_MIN;
}

static void
format_moment(char *cell, json_int_t ms)
{
	const time_t seconds = (time_t)(ms / 1000);
	char text[32] = "";
	struct tm parts;

	if (localtime_r(&seconds, &parts) != NULL)
		(void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
	(void)snprintf(cell, CELL_BYTES, "%s.%03d", text, (int)(ms % 1000));
}

/* Out: cell[CELL_BYTES], the value of a member in a line. */
static void
format_value(char *cell, const char *name, json_t *value)
{
	char *text;

	if (json_is_object(value)) {
		format_members(cell, value);
	} else if (json_is_integer(value) && is_moment(name, value)) {
		format_moment(cell, json_integer_value(value));
	} else if (json_is_string(value)) {
		(void)snprintf(cell, CELL_BYTES, "%s", json_string_value(value));
	} else if (json_is_boolean(value)) {
		(void)snprintf(cell, CELL_BYTES, "%s", json_is_true(value) ? "yes" : "no");
	} else {
		text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
		(void)snprintf(cell, CELL_BYTES, "%s", text != NULL ? text : "");
		free(text);
	}
}

static unsigned
widest(const json_t *rows, const char *column)
{
	size_t width = strlen(column), i;
	char cell[CELL_BYTES];
	const json_t *row;

	json_array_foreach(rows, i, row) {
		format_value(cell, column, json_object_get(row, column));
		if (strlen(cell) > width)
			width = strlen(cell);
	}
	return (unsigned)width;
}

static void
print_row(const json_t *row, const char *const *columns, const unsigned *widths)
{
	char cell[CELL_BYTES];

	for (unsigned c = 0; columns[c] != NULL; c++) {
		if (row != NULL)
			format_value(cell, columns[c], json_object_get(row, columns[c]));
		else
			(void)snprintf(cell, sizeof(cell), "%s", columns[c]);
		printf("%s%-*s", c == 0 ? "" : "  ", columns[c + 1] == NULL ? 0 : (int)widths[c], cell);
	}
	putchar('\n');
}

static void
print_table(const json_t *rows, const char *const *columns)
{
	const char *all[COLUMNS_MAX + 1] = { NULL };
	unsigned widths[COLUMNS_MAX] = { 0 }, count = 0;
	const char *name;
	json_t *value;
	size_t i;

	if (json_array_size(rows) == 0)
		return;
	if (columns == NULL) {
		json_object_foreach(json_array_get(rows, 0), name, value)
			if (count < COLUMNS_MAX)
				all[count++] = name;
		columns = all;
	}
	for (unsigned c = 0; c < COLUMNS_MAX && columns[c] != NULL; c++)
		widths[c] = widest(rows, columns[c]);
	print_row(NULL, columns, widths);
	for (i = 0; i < json_array_size(rows); i++)
		print_row(json_array_get(rows, i), columns, widths);
}

/* Whether a member is shown as a table: an array of objects, or an object of objects. */
static bool
is_table(json_t *value)
{
	return json_is_object(json_array_get(value, 0)) || json_is_object(json_object_iter_value(json_object_iter(value)));
}

/* An object of objects: its names are the first column. */
static void
print_named_rows(const char *title, json_t *object)
{
	json_t *rows = json_array();
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value) {
		json_t *row = json_pack("{s:s}", title, name);

		(void)json_object_update(row, value);
		(void)json_array_append_new(rows, row);
	}
	print_table(rows, NULL);
	json_decref(rows);
}

/* Members one a line, and tables below them. */
static void
print_object(json_t *object, const char *const *columns)
{
	char cell[CELL_BYTES];
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value) {
		if (is_table(value) || (json_is_array(value) && json_array_size(value) == 0) || json_is_null(value))
			continue;
		format_value(cell, name, value);
		printf("%-*s %s\n", NAME_COLUMN, name, cell);
	}
	json_object_foreach(object, name, value) {
		if (!is_table(value))
			continue;
		putchar('\n');
		if (json_is_object(value))
			print_named_rows(name, value);
		else
			print_table(value, strcmp(name, "errors") == 0 ? NULL : columns);
	}
}

int
fan_client_show(const struct fan_command *command, const struct fan_client_options *options, json_t *result,
		const char *const *columns)
{
	int failed = 0;

	if (options->json) {
		failed = json_dumpf(result, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_object(result, columns);
	}
	json_decref(result);
	return failed ? fan_command_fail(command, FAN_EXIT_FAILED, "stdout: the answer could not be written") : FAN_EXIT_OK;
}
