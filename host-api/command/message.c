/* SPDX-License-Identifier: BSD-3-Clause */
/* `fanfare send` and `fanfare message`. */
#include "client.h"
#include "commands.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
/* In base64 it must fit into a line, with the rest of a request. */
#define MESSAGE_BYTES_MAX 48000
#define NOT_GIVEN UINT64_MAX

struct chosen {
	struct fan_client_options client;
	const char *text, *message, *reference, *coding, *originator, *service_centre, *sdu, *reason;
	uint64_t priority, valid_for_s, trigger, sdap, from, limit;
	bool wait, progress;
};

#define AT(field) .offset = offsetof(struct chosen, field)
#define NUMBER(from, to) .type = FAN_OPTION_NUMBER, .minimum = (from), .maximum = (to)

static const char *const message_columns[] = { "id", "state", "gid", "ues", "created", "sent", "dropped", NULL };

static int
parse(const struct fan_command *command, struct chosen *chosen, char ***operands, unsigned count, int argc, char **argv)
{
	*chosen = (struct chosen){ .trigger = NOT_GIVEN, .sdap = NOT_GIVEN, .limit = 100 };
	return fan_client_parse(command, chosen, operands, count, count, argc, argv);
}

static int
ended(int exit_code)
{
	return exit_code < 0 ? FAN_EXIT_OK : exit_code;
}

static int
fail(const struct fan_command *command, int error)
{
	return fan_command_fail(command, fan_command_exit_code(error), "%s", fan_error_detail());
}

/* ---- Waiting ----------------------------------------------------------------------------------------------------------- */

static void
print_progress(const json_t *status)
{
	(void)fprintf(stderr, "%s: %lld of %lld sent, %s\n", json_string_value(json_object_get(status, "state")),
		      (long long)json_integer_value(json_object_get(status, "sent")),
		      (long long)json_integer_value(json_object_get(status, "created")),
		      json_string_value(json_object_get(status, "waits_for")));
}

/* Waits for the end of a message. Out: *status, its last. */
static int
wait_for(struct fan_caller *caller, json_t **status, json_int_t id, bool progress)
{
	int error = fan_caller_call(caller, status, "message.watch", json_pack("{s:I}", "id", id), -1, NULL, NULL);

	while (error == 0 && !json_is_true(json_object_get(*status, "ended"))) {
		json_t *object;

		error = fan_caller_wait(caller, &object);
		if (error != 0)
			break;
		json_decref(*status);
		*status = json_incref(json_object_get(object, "params"));
		json_decref(object);
		if (progress)
			print_progress(*status);
	}
	return error;
}

/* A message of which something was dropped is no success. */
static int
show_end(const struct fan_command *command, const struct chosen *chosen, json_t *status)
{
	const bool whole = json_object_size(json_object_get(status, "dropped")) == 0;
	const int exit_code = fan_client_show(command, &chosen->client, status, NULL);

	return exit_code != FAN_EXIT_OK || whole ? exit_code : FAN_EXIT_FAILED;
}

/* ---- send -------------------------------------------------------------------------------------------------------------- */

static const char *
coding_choice(unsigned index)
{
	static const char *const names[] = { "auto", "gsm7", "ucs2", "8bit" };

	return index < COUNT_OF(names) ? names[index] : NULL;
}

static const char *
sdu_choice(unsigned index)
{
	static const char *const names[] = { "ip", "raw" };

	return index < COUNT_OF(names) ? names[index] : NULL;
}

static const struct fan_option send_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "text", .value = "STRING", .help = "the message as a text", .type = FAN_OPTION_TEXT, AT(text) },
	{ .name = "message",
	  .value = "FILE",
	  .help = "the message as octets; - is stdin",
	  .type = FAN_OPTION_FILE,
	  AT(message) },
	{ .name = "reference",
	  .value = "NAME",
	  .help = "your name for it: what is sent twice under one goes once",
	  .type = FAN_OPTION_TEXT,
	  AT(reference) },
	{ .name = "priority", .value = "0..7", .help = "a higher one goes first (0)", NUMBER(0, 7), AT(priority) },
	{ .name = "valid-for",
	  .value = "S",
	  .help = "seconds; what has not left by then is not sent (no limit)",
	  NUMBER(1, UINT32_MAX / 1000),
	  AT(valid_for_s) },
	{ .name = "coding",
	  .value = "NAME",
	  .help = "of short messages (auto)",
	  .type = FAN_OPTION_CHOICE,
	  .choice = coding_choice,
	  AT(coding) },
	{ .name = "originator",
	  .value = "NAME",
	  .help = "of short messages ([sms] originator)",
	  .type = FAN_OPTION_TEXT,
	  AT(originator) },
	{ .name = "service-centre",
	  .value = "NUMBER",
	  .help = "of short messages ([sms] service_centre)",
	  .type = FAN_OPTION_TEXT,
	  AT(service_centre) },
	{ .name = "trigger", .value = "PORT", .help = "short messages are device triggers", NUMBER(0, 65535), AT(trigger) },
	{ .name = "sdu",
	  .value = "ip|raw",
	  .help = "what bearers carry (ip)",
	  .type = FAN_OPTION_CHOICE,
	  .choice = sdu_choice,
	  AT(sdu) },
	{ .name = "sdap", .value = "QFI", .help = "NR bearers get an SDAP header", NUMBER(0, 63), AT(sdap) },
	{ .name = "wait",
	  .help = "wait for the end; exit code 1 if a member was not served",
	  .type = FAN_OPTION_FLAG,
	  AT(wait) },
	{ .name = "progress", .help = "wait, and say on stderr how far it is", .type = FAN_OPTION_FLAG, AT(progress) },
};

static int
refuse_file(const struct fan_command *command, const char *path)
{
	return fan_command_fail(command, FAN_EXIT_USAGE, "--message %s: %s", path,
				errno != 0 ? strerror(errno) : "empty, or longer than 48000 octets");
}

/* Puts the octets of a file into params. */
static int
put_file(const struct fan_command *command, json_t *params, const char *path)
{
	static uint8_t octets[MESSAGE_BYTES_MAX + 1];
	static char base64[MESSAGE_BYTES_MAX / 3 * 4 + 8];
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	size_t byte_count;

	if (file == NULL)
		return refuse_file(command, path);
	errno = 0;
	byte_count = fread(octets, 1, sizeof(octets), file);
	if (file != stdin)
		(void)fclose(file);
	if (byte_count == 0 || byte_count > MESSAGE_BYTES_MAX)
		return refuse_file(command, path);
	(void)EVP_EncodeBlock((unsigned char *)base64, octets, (int)byte_count);
	(void)json_object_set_new(params, "message", json_string(base64));
	return FAN_EXIT_OK;
}

static int
put_options(const struct fan_command *command, json_t *params, const struct chosen *chosen)
{
	json_t *options = json_pack("{s:s*, s:I, s:I, s:s*, s:s*, s:s*}", "reference", chosen->reference, "priority",
				    (json_int_t)chosen->priority, "valid_for_ms", 1000 * (json_int_t)chosen->valid_for_s,
				    "coding", chosen->coding, "originator", chosen->originator, "service_centre",
				    chosen->service_centre);

	if (options == NULL)
		return fan_command_fail(command, FAN_EXIT_USAGE, "an option's text is no UTF-8");
	(void)json_object_update(params, options);
	json_decref(options);
	if (chosen->trigger != NOT_GIVEN) {
		(void)json_object_set_new(params, "device_trigger", json_true());
		(void)json_object_set_new(params, "application_port", json_integer((json_int_t)chosen->trigger));
	}
	if (chosen->sdap != NOT_GIVEN)
		(void)json_object_set_new(params, "sdap_qfi", json_integer((json_int_t)chosen->sdap));
	if (chosen->sdu != NULL)
		(void)json_object_set_new(params, "raw", json_boolean(strcmp(chosen->sdu, "raw") == 0));
	return FAN_EXIT_OK;
}

/* Takes params. */
static int
send_and_wait(const struct fan_command *command, const struct chosen *chosen, json_t *params)
{
	struct fan_caller caller;
	json_t *result = NULL, *status = NULL;
	int error = fan_caller_open(&caller, chosen->client.socket);

	if (error != 0) {
		json_decref(params);
		return fail(command, error);
	}
	error = fan_caller_call(&caller, &result, "send", params, -1, NULL, NULL);
	if (error == 0)
		error = wait_for(&caller, &status, json_integer_value(json_object_get(result, "id")), chosen->progress);
	json_decref(result);
	fan_caller_close(&caller);
	if (error == 0)
		return show_end(command, chosen, status);
	json_decref(status);
	return fail(command, error);
}

static int
run_send(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen;
	char **operands;
	json_t *params;
	int exit_code = parse(command, &chosen, &operands, 1, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return ended(exit_code);
	if ((chosen.text != NULL) == (chosen.message != NULL))
		return fan_command_fail(command, FAN_EXIT_USAGE, "--text STRING or --message FILE: give one of the two");
	params = json_pack("{s:s, s:s*}", "gid", operands[0], "text", chosen.text);
	if (params == NULL)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--text: no UTF-8; --message FILE takes any octets");
	if (chosen.message != NULL)
		exit_code = put_file(command, params, chosen.message);
	if (exit_code == FAN_EXIT_OK)
		exit_code = put_options(command, params, &chosen);
	if (exit_code != FAN_EXIT_OK) {
		json_decref(params);
		return exit_code;
	}
	return chosen.wait || chosen.progress ? send_and_wait(command, &chosen, params)
					      : fan_client_run(command, &chosen.client, "send", params, -1, NULL);
}

const struct fan_command fan_command_send = {
	.name = "send",
	.summary = "Sends a message to every member of a group",
	.operands = "GID",
	.mixes = true,
	.text = "The answer is the message's id, as soon as it is sure to be sent.",
	.options = send_options,
	.option_count = COUNT_OF(send_options),
	.run = run_send,
};

/* ---- message ----------------------------------------------------------------------------------------------------------- */

static const struct fan_option client_options[] = { FAN_CLIENT_OPTIONS };

static int
read_id(const struct fan_command *command, uint64_t *id, const char *text)
{
	if (fan_command_number(id, text) && *id > 0 && *id <= INT64_MAX)
		return FAN_EXIT_OK;
	return fan_command_fail(command, FAN_EXIT_USAGE, "%s: takes the id of a message, as send answers it", text);
}

static int
ask(const struct fan_command *command, const char *method, int argc, char **argv)
{
	struct chosen chosen;
	char **operands;
	uint64_t id = 0;
	int exit_code = parse(command, &chosen, &operands, 1, argc, argv);

	if (exit_code == FAN_EXIT_OK)
		exit_code = read_id(command, &id, operands[0]);
	if (exit_code != FAN_EXIT_OK)
		return ended(exit_code);
	return fan_client_run(command, &chosen.client, method, json_pack("{s:I}", "id", (json_int_t)id), -1, NULL);
}

static int
run_show(const struct fan_command *command, int argc, char **argv)
{
	return ask(command, "message.show", argc, argv);
}

static int
run_cancel(const struct fan_command *command, int argc, char **argv)
{
	return ask(command, "message.cancel", argc, argv);
}

static int
run_watch(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen;
	struct fan_caller caller;
	char **operands;
	json_t *status = NULL;
	uint64_t id = 0;
	int error, exit_code = parse(command, &chosen, &operands, 1, argc, argv);

	if (exit_code == FAN_EXIT_OK)
		exit_code = read_id(command, &id, operands[0]);
	if (exit_code != FAN_EXIT_OK)
		return ended(exit_code);
	error = fan_caller_open(&caller, chosen.client.socket);
	if (error == 0) {
		error = wait_for(&caller, &status, (json_int_t)id, true);
		fan_caller_close(&caller);
	}
	if (error == 0)
		return show_end(command, &chosen, status);
	json_decref(status);
	return fail(command, error);
}

static int
run_find(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen;
	char **operands;
	json_t *params;
	const int exit_code = parse(command, &chosen, &operands, 1, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return ended(exit_code);
	params = json_pack("{s:s}", "reference", operands[0]);
	if (params == NULL)
		return fan_command_fail(command, FAN_EXIT_USAGE, "a reference is printable ASCII");
	return fan_client_run(command, &chosen.client, "message.find", params, -1, NULL);
}

#define BY_ID(command_name, command_summary, command_run)                                                                      \
	{                                                                                                                      \
		.name = (command_name), .summary = (command_summary), .operands = "ID", .mixes = true,                         \
		.options = client_options, .option_count = COUNT_OF(client_options), .run = (command_run)                      \
	}

static const struct fan_command show = BY_ID("message show", "Shows what has become of a message", run_show);
static const struct fan_command watch = BY_ID("message watch", "Follows a message to its end", run_watch);
static const struct fan_command cancel = BY_ID("message cancel", "Ends a message where it is", run_cancel);

static const struct fan_command find = {
	.name = "message find",
	.summary = "Shows the message that was sent with a reference",
	.operands = "REFERENCE",
	.mixes = true,
	.options = client_options,
	.option_count = COUNT_OF(client_options),
	.run = run_find,
};

static const struct fan_option list_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "from", .value = "ID", .help = "the lowest id (0)", NUMBER(0, INT64_MAX), AT(from) },
	{ .name = "limit", .value = "N", .help = "messages (100)", NUMBER(1, FAN_CONTROL_LIST_MAX), AT(limit) },
};

static int
run_list(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen;
	char **operands;
	const int exit_code = parse(command, &chosen, &operands, 0, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return ended(exit_code);
	return fan_client_run(command, &chosen.client, "message.list",
			      json_pack("{s:I, s:I}", "from", (json_int_t)chosen.from, "limit", (json_int_t)chosen.limit), -1,
			      message_columns);
}

static const struct fan_command list = {
	.name = "message list",
	.summary = "Lists messages that are on their way or kept",
	.operands = "",
	.options = list_options,
	.option_count = COUNT_OF(list_options),
	.run = run_list,
};

static const struct fan_option not_served_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "reason", .value = "NAME", .help = "unreachable, window ... (any)", .type = FAN_OPTION_TEXT, AT(reason) },
	{ .name = "from",
	  .value = "N",
	  .help = "UEs to pass over: `next` of the answer before (0)",
	  NUMBER(0, INT64_MAX),
	  AT(from) },
	{ .name = "limit", .value = "N", .help = "UEs (100)", NUMBER(1, FAN_CONTROL_LIST_MAX), AT(limit) },
};

static int
run_not_served(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen;
	char **operands;
	uint64_t id = 0;
	int exit_code = parse(command, &chosen, &operands, 1, argc, argv);

	if (exit_code == FAN_EXIT_OK)
		exit_code = read_id(command, &id, operands[0]);
	if (exit_code != FAN_EXIT_OK)
		return ended(exit_code);
	return fan_client_run(command, &chosen.client, "message.not_served",
			      json_pack("{s:I, s:I, s:I, s:s*}", "id", (json_int_t)id, "from", (json_int_t)chosen.from, "limit",
					(json_int_t)chosen.limit, "reason", chosen.reason),
			      -1, NULL);
}

static const struct fan_command not_served = {
	.name = "message not-served",
	.summary = "Lists members that a message did not reach, and why",
	.operands = "ID",
	.mixes = true,
	.options = not_served_options,
	.option_count = COUNT_OF(not_served_options),
	.run = run_not_served,
};

static const struct fan_command *const subcommands[] = { &list, &show, &find, &watch, &cancel, &not_served, NULL };

const struct fan_command fan_command_message = {
	.name = "message",
	.summary = "Lists, follows and cancels messages",
	.operands = "",
	.subcommands = subcommands,
};
