/* SPDX-License-Identifier: BSD-3-Clause */
/* `fanfare ue`, lease, release and ack. */
#include "client.h"
#include "commands.h"

#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* What any of them may be told. */
struct chosen {
	struct fan_client_options client;
	const char *format, *on_error, *group, *kind, *file, *plmn;
	uint64_t area, broadcast_id, from, limit, bearer, count_reserved, until_ms;
	bool needs_resync;
};

#define AT(field) .offset = offsetof(struct chosen, field)
#define NUMBER(from, to) .type = FAN_OPTION_NUMBER, .minimum = (from), .maximum = (to)
#define NOT_GIVEN UINT64_MAX

/* Sets a member unless it was not given. */
static void
put_number(json_t *params, const char *name, uint64_t number)
{
	if (number != NOT_GIVEN)
		(void)json_object_set_new(params, name, json_integer((json_int_t)number));
}

static void
put_text(json_t *params, const char *name, const char *text)
{
	if (text != NULL)
		(void)json_object_set_new(params, name, json_string(text));
}

static const char *const context_columns[] = { "identity",       "kind",      "bearer",       "next_count", "count_reserved",
					       "unacknowledged", "reachable", "needs_resync", "groups",     NULL };
static const char *const returned_columns[] = { "kind", "bearer", "next_count", "unacknowledged", NULL };

/* Parses a command with so many operands. In/Out: *chosen. Returns an exit code, or -1 for help. */
static int
parse(const struct fan_command *command, struct chosen *chosen, char ***operands, unsigned least, unsigned most, int argc,
      char **argv)
{
	*chosen = (struct chosen){ .from = NOT_GIVEN,
				   .limit = NOT_GIVEN,
				   .bearer = NOT_GIVEN,
				   .count_reserved = NOT_GIVEN,
				   .until_ms = NOT_GIVEN,
				   .area = NOT_GIVEN,
				   .broadcast_id = NOT_GIVEN };
	return fan_client_parse(command, chosen, operands, least, most, argc, argv);
}

static int
ended(int exit_code)
{
	return exit_code < 0 ? FAN_EXIT_OK : exit_code;
}

/* ---- ue import --------------------------------------------------------------------------------------------------------- */

static const char *
format_choice(unsigned index)
{
	static const char *const names[] = { "csv", "jsonl", "ue-context" };

	return index < COUNT_OF(names) ? names[index] : NULL;
}

static const char *
on_error_choice(unsigned index)
{
	static const char *const names[] = { "stop", "skip" };

	return index < COUNT_OF(names) ? names[index] : NULL;
}

static const struct fan_option import_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "format",
	  .value = "csv|jsonl|ue-context",
	  .help = "of the file (csv)",
	  .type = FAN_OPTION_CHOICE,
	  .choice = format_choice,
	  AT(format) },
	{ .name = "on-error",
	  .value = "stop|skip",
	  .help = "a bad line ends the import, and nothing of it is kept,\nor is passed over and reported (stop)",
	  .type = FAN_OPTION_CHOICE,
	  .choice = on_error_choice,
	  AT(on_error) },
};

static int
run_import(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen;
	char **operands;
	json_t *params;
	int descriptor, exit_code = parse(command, &chosen, &operands, 1, 1, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return ended(exit_code);
	exit_code = fan_client_file(command, &descriptor, operands[0]);
	if (exit_code != FAN_EXIT_OK)
		return exit_code;
	params = json_object();
	put_text(params, "format", chosen.format);
	put_text(params, "on_error", chosen.on_error);
	return fan_client_run(command, &chosen.client, "ue.import", params, descriptor, NULL);
}

static const struct fan_command import = {
	.name = "ue import",
	.summary = "Adds the UEs of a file, all or none",
	.operands = "FILE|-",
	.operand_is_file = true,
	.mixes = true,
	.text = "The file is what 'fanfare population' writes, with further columns where its header names them, or JSON lines with the\n"
		"same names. A context has its keys, or the one that they hang under: K_ASME, K_AMF, K_eNB or K_gNB. In a file of the\n"
		"format ue-context each line is a JSON object with the UeContext that an AMF hands over (TS 29.518), and beside it what\n"
		"that does not say. fanfare-ues(5) and host-api/control/README.md list the columns.",
	.options = import_options,
	.option_count = COUNT_OF(import_options),
	.run = run_import,
};

/* ---- ue show, list, remove, reachable ---------------------------------------------------------------------------------- */

static const struct fan_option client_options[] = { FAN_CLIENT_OPTIONS };

/* A method that takes an identity alone. */
static int
ask(const struct fan_command *command, const char *method, const char *const *columns, int argc, char **argv)
{
	struct chosen chosen;
	char **operands;
	const int exit_code = parse(command, &chosen, &operands, 1, 1, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return ended(exit_code);
	return fan_client_run(command, &chosen.client, method, json_pack("{s:s}", "identity", operands[0]), -1, columns);
}

static int
run_show(const struct fan_command *command, int argc, char **argv)
{
	return ask(command, "ue.show", context_columns, argc, argv);
}

static const struct fan_command show = {
	.name = "ue show",
	.summary = "Shows the contexts of a UE",
	.operands = "IDENTITY",
	.mixes = true,
	.options = client_options,
	.option_count = COUNT_OF(client_options),
	.run = run_show,
};

static const struct fan_option list_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "from", .value = "ID", .help = "what `next` of the list before says (0)", NUMBER(0, INT64_MAX), AT(from) },
	{ .name = "limit", .value = "N", .help = "contexts (100)", NUMBER(1, FAN_CONTROL_LIST_MAX), AT(limit) },
	{ .name = "group", .value = "GID", .help = "members of this group alone", .type = FAN_OPTION_TEXT, AT(group) },
	{ .name = "needs-resync", .help = "those whose window is used up alone", .type = FAN_OPTION_FLAG, AT(needs_resync) },
};

static int
run_list(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen;
	char **operands;
	json_t *params;
	const int exit_code = parse(command, &chosen, &operands, 0, 0, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return ended(exit_code);
	params = json_pack("{s:b}", "needs_resync", chosen.needs_resync);
	put_number(params, "from", chosen.from);
	put_number(params, "limit", chosen.limit);
	put_text(params, "group", chosen.group);
	return fan_client_run(command, &chosen.client, "ue.list", params, -1, context_columns);
}

static const struct fan_command list = {
	.name = "ue list",
	.summary = "Lists contexts",
	.operands = "",
	.options = list_options,
	.option_count = COUNT_OF(list_options),
	.run = run_list,
};

static int
run_remove(const struct fan_command *command, int argc, char **argv)
{
	return ask(command, "ue.remove", returned_columns, argc, argv);
}

static const struct fan_command removal = {
	.name = "ue remove",
	.summary = "Takes a UE out of service and forgets it",
	.operands = "IDENTITY",
	.mixes = true,
	.options = client_options,
	.option_count = COUNT_OF(client_options),
	.run = run_remove,
};

static int
run_reachable(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen;
	char **operands;
	const int exit_code = parse(command, &chosen, &operands, 2, 2, argc, argv);
	bool yes;

	if (exit_code != FAN_EXIT_OK)
		return ended(exit_code);
	yes = strcmp(operands[1], "yes") == 0;
	if (!yes && strcmp(operands[1], "no") != 0)
		return fan_command_fail(command, FAN_EXIT_USAGE, "%s: takes yes or no", operands[1]);
	return fan_client_run(command, &chosen.client, "ue.reachable",
			      json_pack("{s:s, s:b}", "identity", operands[0], "reachable", yes), -1, NULL);
}

static const struct fan_command reachable = {
	.name = "ue reachable",
	.summary = "Marks a UE reachable, or not: then it is skipped and spends no COUNT",
	.operands = "IDENTITY yes|no",
	.mixes = true,
	.options = client_options,
	.option_count = COUNT_OF(client_options),
	.run = run_reachable,
};

static const struct fan_option place_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "kind", .value = "KIND", .help = "of the context (all of the UE)", .type = FAN_OPTION_TEXT, AT(kind) },
	{ .name = "plmn",
	  .value = "MCC-MNC",
	  .help = "that serves it; an empty text: none that is known",
	  .type = FAN_OPTION_TEXT,
	  AT(plmn) },
	{ .name = "area", .value = "TAC", .help = "tracking area code; 0: not known", NUMBER(0, 0xffffff), AT(area) },
	{ .name = "broadcast-id",
	  .value = "N",
	  .help = "that it takes cell broadcast of; 0: none",
	  NUMBER(0, FAN_BROADCAST_ID_LAST),
	  AT(broadcast_id) },
};

static int
run_place(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen;
	char **operands;
	json_t *params;
	const int exit_code = parse(command, &chosen, &operands, 1, 1, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return ended(exit_code);
	params = json_pack("{s:s}", "identity", operands[0]);
	put_text(params, "kind", chosen.kind);
	put_text(params, "plmn", chosen.plmn);
	put_number(params, "area", chosen.area);
	put_number(params, "broadcast_id", chosen.broadcast_id);
	return fan_client_run(command, &chosen.client, "ue.place", params, -1, NULL);
}

static const struct fan_command place = {
	.name = "ue place",
	.summary = "Says where a UE is and what it listens to",
	.operands = "IDENTITY",
	.mixes = true,
	.text = "The way of its messages is chosen by that, in groups whose policy has cell broadcast. What is not given stays as it\n"
		"was, but for the area where another PLMN is given.",
	.options = place_options,
	.option_count = COUNT_OF(place_options),
	.run = run_place,
};

static const struct fan_command *const subcommands[] = { &import, &show, &list, &removal, &reachable, &place, NULL };

const struct fan_command fan_command_ue = {
	.name = "ue",
	.summary = "Adds, shows and removes UEs",
	.operands = "",
	.subcommands = subcommands,
};

/* ---- lease, release, ack ----------------------------------------------------------------------------------------------- */

static const struct fan_option lease_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "context",
	  .value = "FILE|-",
	  .help = "a context handed over: one JSON object",
	  .type = FAN_OPTION_FILE,
	  AT(file) },
	{ .name = "kind",
	  .value = "NAME",
	  .help = "which context of the UE, eps-nas for example",
	  .type = FAN_OPTION_TEXT,
	  AT(kind) },
	{ .name = "bearer", .value = "N", .help = "which bearer of that kind", NUMBER(0, 31), AT(bearer) },
	{ .name = "count-reserved",
	  .value = "COUNT",
	  .help = "the first COUNT that is not leased",
	  NUMBER(0, UINT32_MAX),
	  AT(count_reserved) },
	{ .name = "until-ms",
	  .value = "MS",
	  .help = "nothing is spent from then on, milliseconds since\n1970 UTC; 0: no such limit",
	  NUMBER(0, INT64_MAX),
	  AT(until_ms) },
};

static int
run_lease(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen;
	char **operands;
	json_t *params;
	int descriptor = -1, exit_code = parse(command, &chosen, &operands, 0, 1, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return ended(exit_code);
	if ((chosen.file != NULL) == (operands[0] != NULL))
		return fan_command_fail(command, FAN_EXIT_USAGE,
					"--context FILE hands a context over, IDENTITY extends a lease: give one of the two");
	if (chosen.file != NULL)
		exit_code = fan_client_file(command, &descriptor, chosen.file);
	if (exit_code != FAN_EXIT_OK)
		return exit_code;
	params = json_object();
	put_text(params, "identity", operands[0]);
	put_text(params, "kind", chosen.kind);
	put_number(params, "bearer", chosen.bearer);
	put_number(params, "count_reserved", chosen.count_reserved);
	put_number(params, "until_ms", chosen.until_ms);
	return fan_client_run(command, &chosen.client, "lease", params, descriptor, context_columns);
}

const struct fan_command fan_command_lease = {
	.name = "lease",
	.summary = "Hands a context over to the daemon, or extends its lease",
	.operands = "[IDENTITY]",
	.mixes = true,
	.options = lease_options,
	.option_count = COUNT_OF(lease_options),
	.run = run_lease,
};

static int
run_release(const struct fan_command *command, int argc, char **argv)
{
	return ask(command, "release", returned_columns, argc, argv);
}

const struct fan_command fan_command_release = {
	.name = "release",
	.summary = "Takes the contexts of a UE back, with the next COUNT of each",
	.operands = "IDENTITY",
	.mixes = true,
	.text = "After the answer the daemon spends no COUNT of them.",
	.options = client_options,
	.option_count = COUNT_OF(client_options),
	.run = run_release,
};

static const struct fan_option ack_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "file",
	  .value = "FILE|-",
	  .help = "many at once: lines of identity,kind,count",
	  .type = FAN_OPTION_FILE,
	  AT(file) },
	{ .name = "bearer", .value = "N", .help = "which bearer of that kind", NUMBER(0, 31), AT(bearer) },
};

/* Out: *params, of the one acknowledgement that operands name. */
static int
read_acknowledgement(const struct fan_command *command, json_t **params, char **operands, uint64_t bearer)
{
	uint64_t count;

	if (operands[0] == NULL || operands[1] == NULL || operands[2] == NULL)
		return fan_command_fail(command, FAN_EXIT_USAGE, "takes IDENTITY KIND COUNT, or --file FILE");
	if (!fan_command_number(&count, operands[2]) || count > UINT32_MAX)
		return fan_command_fail(command, FAN_EXIT_USAGE, "%s: takes a COUNT from 0 to %u", operands[2], UINT32_MAX);
	*params = json_pack("{s:s, s:s, s:I}", "identity", operands[0], "kind", operands[1], "count", (json_int_t)count);
	put_number(*params, "bearer", bearer);
	return FAN_EXIT_OK;
}

static int
run_ack(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen;
	char **operands;
	json_t *params = NULL;
	int descriptor = -1, exit_code = parse(command, &chosen, &operands, 0, 3, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return ended(exit_code);
	if (chosen.file != NULL && operands[0] != NULL)
		return fan_command_fail(command, FAN_EXIT_USAGE, "%s: nothing may be named beside --file", operands[0]);
	if (chosen.file != NULL)
		exit_code = fan_client_file(command, &descriptor, chosen.file);
	else
		exit_code = read_acknowledgement(command, &params, operands, chosen.bearer);
	return exit_code != FAN_EXIT_OK ? exit_code : fan_client_run(command, &chosen.client, "ack", params, descriptor, NULL);
}

const struct fan_command fan_command_ack = {
	.name = "ack",
	.summary = "Tells the daemon what UEs have received",
	.operands = "[IDENTITY KIND COUNT]",
	.mixes = true,
	.options = ack_options,
	.option_count = COUNT_OF(ack_options),
	.run = run_ack,
};
