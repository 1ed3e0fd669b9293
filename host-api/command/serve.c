/* SPDX-License-Identifier: BSD-3-Clause */
/* `fanfare serve`, and the commands that ask after the daemon itself. */
#include "../control/log.h"
#include "../control/server.h"
#include "client.h"
#include "commands.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* ---- serve ------------------------------------------------------------------------------------------------------------- */

struct serving {
	const char *config;
	bool check;
};

static const struct fan_option serve_options[] = {
	{ .name = "config",
	  .value = "FILE",
	  .help = "the configuration; fanfare.ini(5) and host-api/control/README.md describe it",
	  .type = FAN_OPTION_FILE,
	  .offset = offsetof(struct serving, config) },
	{ .name = "check",
	  .help = "only print the configuration that would be in force",
	  .type = FAN_OPTION_FLAG,
	  .offset = offsetof(struct serving, check) },
};

/* What a client says passes through JSON objects, keys among it. */
static void
wipe_and_free(void *octets)
{
	if (octets != NULL)
		explicit_bzero(octets, malloc_usable_size(octets));
	free(octets);
}

/* What makes an end of it stands in the log, where that is. */
static int
fail(int error, enum fan_log_event event)
{
	fan_log(event, NULL, "%s", fan_error_detail());
	return fan_command_exit_code(error);
}

static int
serve(struct fan_configuration *configuration)
{
	struct fan_server *server = NULL;
	int error = fan_log_open("serve", configuration->serve.log), closing;

	if (error != 0) {
		fan_configuration_free(configuration);
		return fail(error, FAN_LOG_CONFIGURATION_REFUSED);
	}
	json_set_alloc_funcs(malloc, wipe_and_free);
	fan_server_block_signals();
	error = fan_server_open(&server, configuration);
	if (error == 0)
		error = fan_server_run(server);
	closing = fan_server_close(server);
	if (error != 0 || closing != 0)
		return fail(error != 0 ? error : closing, FAN_LOG_START_FAILED);
	fan_log(FAN_LOG_STOPPED, NULL, "ended");
	return FAN_EXIT_OK;
}

static int
run_serve(const struct fan_command *command, int argc, char **argv)
{
	struct serving chosen = { .config = NULL };
	struct fan_configuration configuration;
	char **operands;
	const int exit_code = fan_client_parse(command, &chosen, &operands, 0, 0, argc, argv);
	int error;

	if (exit_code != FAN_EXIT_OK)
		return exit_code < 0 ? FAN_EXIT_OK : exit_code;
	if (chosen.config == NULL)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--config FILE: is needed");
	if (!chosen.check)
		(void)fan_log_open("serve", "early");
	error = fan_configuration_read(&configuration, chosen.config);
	if (error == 0 && configuration.store.directory == NULL) {
		fan_configuration_free(&configuration);
		return fan_command_fail(
			command, FAN_EXIT_USAGE,
			"%s: [store] directory: is needed, with key_file; UEs, groups and messages are kept there",
			chosen.config);
	}
	if (error == 0 && !chosen.check)
		return serve(&configuration);
	if (error == 0)
		fan_configuration_print(&configuration, stdout);
	fan_configuration_free(&configuration);
	/* The file was named on the command line. */
	if (error != 0 && !chosen.check)
		fan_log(FAN_LOG_CONFIGURATION_REFUSED, NULL, "%s", fan_error_detail());
	else if (error != 0)
		(void)fan_command_fail(command, FAN_EXIT_USAGE, "%s", fan_error_detail());
	return error == 0 ? FAN_EXIT_OK : FAN_EXIT_USAGE;
}

const struct fan_command fan_command_serve = {
	.name = "serve",
	.summary = "Runs an appliance that keeps UEs, groups and messages, behind a control socket",
	.operands = "",
	.text = "It stays in the foreground until SIGTERM, SIGINT or 'fanfare stop', and then sends what it has accepted; once more,\n"
		"and messages end where they are. SIGHUP reads the configuration again.\n\n"
		"Exit codes: 0 stopped; 1 it could not start or end; 2 wrong options or configuration.",
	.options = serve_options,
	.option_count = COUNT_OF(serve_options),
	.run = run_serve,
};

/* ---- status, reload, stop ---------------------------------------------------------------------------------------------- */

static const struct fan_option client_options[] = { FAN_CLIENT_OPTIONS };

/* A command without params. */
static int
ask(const struct fan_command *command, const char *method, int argc, char **argv)
{
	struct fan_client_options chosen = { .socket = NULL };
	char **operands;
	const int exit_code = fan_client_parse(command, &chosen, &operands, 0, 0, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return exit_code < 0 ? FAN_EXIT_OK : exit_code;
	return fan_client_run(command, &chosen, method, NULL, -1, NULL);
}

static int
run_status(const struct fan_command *command, int argc, char **argv)
{
	return ask(command, "status", argc, argv);
}

const struct fan_command fan_command_status = {
	.name = "status",
	.summary = "Asks the daemon whether it is loading, ready, draining or failed, and why",
	.operands = "",
	.options = client_options,
	.option_count = COUNT_OF(client_options),
	.run = run_status,
};

static int
run_reload(const struct fan_command *command, int argc, char **argv)
{
	return ask(command, "reload", argc, argv);
}

const struct fan_command fan_command_reload = {
	.name = "reload",
	.summary = "Lets the daemon read its configuration again; says which keys need a restart",
	.operands = "",
	.options = client_options,
	.option_count = COUNT_OF(client_options),
	.run = run_reload,
};

struct stopping {
	struct fan_client_options client;
	bool cancel;
};

static const struct fan_option stop_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "cancel",
	  .help = "messages end where they are",
	  .type = FAN_OPTION_FLAG,
	  .offset = offsetof(struct stopping, cancel) },
};

static int
run_stop(const struct fan_command *command, int argc, char **argv)
{
	struct stopping chosen = { .cancel = false };
	char **operands;
	const int exit_code = fan_client_parse(command, &chosen, &operands, 0, 0, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return exit_code < 0 ? FAN_EXIT_OK : exit_code;
	return fan_client_run(command, &chosen.client, "stop", json_pack("{s:b}", "cancel", chosen.cancel), -1, NULL);
}

const struct fan_command fan_command_stop = {
	.name = "stop",
	.summary = "Lets the daemon send what it has accepted, and end",
	.operands = "",
	.options = stop_options,
	.option_count = COUNT_OF(stop_options),
	.run = run_stop,
};

/* ---- top --------------------------------------------------------------------------------------------------------------- */

struct topping {
	struct fan_client_options client;
	uint64_t seconds, count;
};

static const struct fan_option top_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "interval",
	  .value = "S",
	  .help = "seconds between two lines (1)",
	  .type = FAN_OPTION_NUMBER,
	  .minimum = 1,
	  .maximum = 3600,
	  .offset = offsetof(struct topping, seconds) },
	{ .name = "count",
	  .value = "N",
	  .help = "lines, 0 for no end (0)",
	  .type = FAN_OPTION_NUMBER,
	  .maximum = UINT32_MAX,
	  .offset = offsetof(struct topping, count) },
};

static json_int_t
rise(const json_t *now, const json_t *before, const char *name)
{
	return json_integer_value(json_object_get(now, name)) - json_integer_value(json_object_get(before, name));
}

/* What happened between two answers. */
static json_t *
make_rates(const json_t *now, const json_t *before)
{
	const double seconds = (double)rise(now, before, "at_ms") / 1000;
	const double hz = (double)json_integer_value(json_object_get(now, "tsc_hz"));

	return json_pack("{s:f, s:f, s:f, s:f, s:I, s:s*}", "sent_per_s", (double)rise(now, before, "sent") / seconds,
			 "dropped_per_s", (double)rise(now, before, "dropped") / seconds, "gbit_per_s",
			 8e-9 * (double)rise(now, before, "bytes_out") / seconds, "busy_workers",
			 (double)rise(now, before, "busy_cycles") / hz / seconds, "messages_in_flight",
			 json_integer_value(json_object_get(now, "messages_in_flight")), "waits_for",
			 json_string_value(json_object_get(now, "waits_for")));
}

static void
print_rates(const json_t *rates, bool json)
{
	const char *waits_for = json_string_value(json_object_get(rates, "waits_for"));

	if (json) {
		(void)json_dumpf(rates, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		printf("%14.0f %14.0f %10.3f %8.2f %9lld  %s\n", json_real_value(json_object_get(rates, "sent_per_s")),
		       json_real_value(json_object_get(rates, "dropped_per_s")),
		       json_real_value(json_object_get(rates, "gbit_per_s")),
		       json_real_value(json_object_get(rates, "busy_workers")),
		       (long long)json_integer_value(json_object_get(rates, "messages_in_flight")),
		       waits_for != NULL ? waits_for : "-");
	}
	(void)fflush(stdout);
}

static int
run_top(const struct fan_command *command, int argc, char **argv)
{
	struct topping chosen = { .seconds = 1 };
	json_t *before = NULL, *now;
	char **operands;
	int exit_code = fan_client_parse(command, &chosen, &operands, 0, 0, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return exit_code < 0 ? FAN_EXIT_OK : exit_code;
	exit_code = fan_client_call(command, &chosen.client, &before, "top", NULL, -1);
	if (exit_code == FAN_EXIT_OK && !chosen.client.json)
		printf("%14s %14s %10s %8s %9s  %s\n", "sent/s", "dropped/s", "Gbit/s", "busy", "in flight", "waits for");
	for (uint64_t i = 0; exit_code == FAN_EXIT_OK && (chosen.count == 0 || i < chosen.count); i++) {
		json_t *rates;

		(void)sleep((unsigned)chosen.seconds);
		exit_code = fan_client_call(command, &chosen.client, &now, "top", NULL, -1);
		if (exit_code != FAN_EXIT_OK)
			break;
		rates = make_rates(now, before);
		print_rates(rates, chosen.client.json);
		json_decref(rates);
		json_decref(before);
		before = now;
	}
	json_decref(before);
	return exit_code;
}

const struct fan_command fan_command_top = {
	.name = "top",
	.summary = "Shows again and again what the daemon sends",
	.operands = "",
	.text = "busy is how many workers' worth of time the dataplane is at work; waits for, what keeps the worker from going on that\n"
		"has waited longest. --json prints one object a line. 'fanfare web' shows more.",
	.options = top_options,
	.option_count = COUNT_OF(top_options),
	.run = run_top,
};
