/* SPDX-License-Identifier: BSD-3-Clause */
/* `fanfare group`. */
#include "client.h"
#include "commands.h"
#include "population.h"

#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

struct chosen {
	struct fan_client_options client;
	const char *profile, *file, *after, *radios, *plmn, *lte_areas, *nr_areas;
	uint64_t limit, broadcast_id, period_s, broadcasts;
	bool open;
	uint64_t all, any;
};

#define AT(field) .offset = offsetof(struct chosen, field)

static int
run_create(const struct fan_command *command, int argc, char **argv)
{
	return fan_client_by_gid(command, "group.create", argc, argv);
}

static int
run_delete(const struct fan_command *command, int argc, char **argv)
{
	return fan_client_by_gid(command, "group.delete", argc, argv);
}

static int
run_show(const struct fan_command *command, int argc, char **argv)
{
	return fan_client_by_gid(command, "group.show", argc, argv);
}

static const struct fan_command create = FAN_CLIENT_BY_GID("group create", "Makes a group without members", run_create);
static const struct fan_command deletion = FAN_CLIENT_BY_GID("group delete", "Deletes a group; its members stay", run_delete);
static const struct fan_command show = FAN_CLIENT_BY_GID("group show", "Shows how many members a group has", run_show);

/* ---- list -------------------------------------------------------------------------------------------------------------- */

static const struct fan_option list_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "after", .value = "GID", .help = "those behind this one", .type = FAN_OPTION_TEXT, AT(after) },
	{ .name = "limit",
	  .value = "N",
	  .help = "groups (100)",
	  .type = FAN_OPTION_NUMBER,
	  .minimum = 1,
	  .maximum = FAN_CONTROL_LIST_MAX,
	  AT(limit) },
};

static int
run_list(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen = { .limit = 100 };
	char **operands;
	json_t *params;
	const int exit_code = fan_client_parse(command, &chosen, &operands, 0, 0, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return exit_code < 0 ? FAN_EXIT_OK : exit_code;
	params = json_pack("{s:I, s:s*}", "limit", (json_int_t)chosen.limit, "after", chosen.after);
	return fan_client_run(command, &chosen.client, "group.list", params, -1, NULL);
}

static const struct fan_command list = {
	.name = "group list",
	.summary = "Lists groups in the order of their GIDs",
	.operands = "",
	.options = list_options,
	.option_count = COUNT_OF(list_options),
	.run = run_list,
};

/* ---- add, remove ------------------------------------------------------------------------------------------------------- */

static const struct fan_option member_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "file", .value = "FILE|-", .help = "identities, one a line", .type = FAN_OPTION_FILE, AT(file) },
	{ .name = "profile",
	  .value = "NAME",
	  .help = "how messages shall reach them (that of their import)",
	  .type = FAN_OPTION_CHOICE,
	  .choice = fan_population_profile_name,
	  AT(profile) },
};

static json_t *
list_identities(char **operands)
{
	json_t *identities = json_array();

	for (; *operands != NULL; operands++)
		(void)json_array_append_new(identities, json_string(*operands));
	return identities;
}

static int
change_members(const struct fan_command *command, const char *method, int argc, char **argv)
{
	struct chosen chosen = { .limit = 0 };
	char **operands;
	json_t *params;
	int descriptor = -1,
	    exit_code = fan_client_parse(command, &chosen, &operands, 1, FAN_CONTROL_IDENTITIES_MAX + 1, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return exit_code < 0 ? FAN_EXIT_OK : exit_code;
	if ((chosen.file != NULL) == (operands[1] != NULL))
		return fan_command_fail(command, FAN_EXIT_USAGE, "IDENTITY..., or --file FILE: give one of the two");
	if (chosen.file != NULL)
		exit_code = fan_client_file(command, &descriptor, chosen.file);
	if (exit_code != FAN_EXIT_OK)
		return exit_code;
	params = json_pack("{s:s, s:s*}", "gid", operands[0], "profile", chosen.profile);
	if (chosen.file == NULL)
		(void)json_object_set_new(params, "identities", list_identities(operands + 1));
	return fan_client_run(command, &chosen.client, method, params, descriptor, NULL);
}

static int
run_add(const struct fan_command *command, int argc, char **argv)
{
	return change_members(command, "group.add", argc, argv);
}

static int
run_remove(const struct fan_command *command, int argc, char **argv)
{
	return change_members(command, "group.remove", argc, argv);
}

#define OF_MEMBERS(command_name, command_summary, command_run)                                                                 \
	{                                                                                                                      \
		.name = (command_name), .summary = (command_summary), .operands = "GID [IDENTITY...]", .mixes = true,          \
		.options = member_options, .option_count = COUNT_OF(member_options), .run = (command_run)                      \
	}

static const struct fan_command add = OF_MEMBERS("group add", "Makes UEs members of a group", run_add);
static const struct fan_command removal = OF_MEMBERS("group remove", "Takes UEs out of a group", run_remove);

/* ---- policy ------------------------------------------------------------------------------------------------------------ */

static const struct fan_option policy_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "radios",
	  .value = "lte,nr",
	  .help = "broadcast there (by unicast alone)",
	  .type = FAN_OPTION_TEXT,
	  AT(radios) },
	{ .name = "plmn", .value = "MCC-MNC", .help = "of the cells", .type = FAN_OPTION_TEXT, AT(plmn) },
	{ .name = "broadcast-id",
	  .value = "N",
	  .help = "message identifier that members listen to",
	  .type = FAN_OPTION_NUMBER,
	  .minimum = FAN_BROADCAST_ID_FIRST,
	  .maximum = FAN_BROADCAST_ID_LAST,
	  AT(broadcast_id) },
	{ .name = "lte-areas",
	  .value = "TAC,...",
	  .help = "tracking areas of LTE (everywhere)",
	  .type = FAN_OPTION_TEXT,
	  AT(lte_areas) },
	{ .name = "nr-areas", .value = "TAC,...", .help = "of NR (everywhere)", .type = FAN_OPTION_TEXT, AT(nr_areas) },
	{ .name = "period",
	  .value = "SECONDS",
	  .help = "between two broadcasts of a message (0)",
	  .type = FAN_OPTION_NUMBER,
	  .maximum = FAN_BROADCAST_PERIOD_S_MAX,
	  AT(period_s) },
	{ .name = "broadcasts",
	  .value = "N",
	  .help = "of a message, as far as its validity reaches (1)",
	  .type = FAN_OPTION_NUMBER,
	  .minimum = 1,
	  .maximum = UINT16_MAX,
	  AT(broadcasts) },
	{ .name = "open",
	  .help = "without a group key: everybody can read it, and\nanybody with a transmitter imitate it",
	  .type = FAN_OPTION_FLAG,
	  AT(open) },
};

/* Texts with commas between them. */
static json_t *
split(const char *names)
{
	json_t *texts = json_array();

	while (names != NULL && *names != '\0') {
		const size_t bytes = strcspn(names, ",");

		(void)json_array_append_new(texts, json_stringn(names, bytes));
		names += bytes + (names[bytes] == ',');
	}
	return texts;
}

static json_t *
policy_params(const struct chosen *chosen, const char *gid)
{
	json_t *params = json_pack("{s:s, s:o, s:I, s:I, s:b, s:o, s:o, s:s*}", "gid", gid, "radios", split(chosen->radios),
				   "period_s", (json_int_t)chosen->period_s, "broadcasts", (json_int_t)chosen->broadcasts,
				   "open", chosen->open, "lte_areas", split(chosen->lte_areas), "nr_areas",
				   split(chosen->nr_areas), "plmn", chosen->plmn);

	if (chosen->broadcast_id != 0)
		(void)json_object_set_new(params, "broadcast_id", json_integer((json_int_t)chosen->broadcast_id));
	return params;
}

static int
run_policy(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen = { .broadcasts = 1 };
	char **operands;
	const int exit_code = fan_client_parse(command, &chosen, &operands, 2, 2, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return exit_code < 0 ? FAN_EXIT_OK : exit_code;
	if (strcmp(operands[0], "show") == 0)
		return fan_client_run(command, &chosen.client, "group.policy.show", json_pack("{s:s}", "gid", operands[1]), -1,
				      NULL);
	if (strcmp(operands[0], "set") != 0)
		return fan_command_fail(command, FAN_EXIT_USAGE, "%s: takes set or show", operands[0]);
	return fan_client_run(command, &chosen.client, "group.policy.set", policy_params(&chosen, operands[1]), -1, NULL);
}

static const char *
policy_operand(unsigned index)
{
	static const char *const names[] = { "set", "show" };

	return index < COUNT_OF(names) ? names[index] : NULL;
}

static const struct fan_command policy = {
	.name = "group policy",
	.summary = "Says which ways a group's messages may take, or shows it",
	.operands = "set|show GID",
	.mixes = true,
	.text = "A member is served by cell broadcast where it listens to the identifier, is in one of the areas, and is on the group's\n"
		"current key; all others are by unicast. 'fanfare ue place' says where a UE is. What is not given to 'set' is as in\n"
		"brackets, whatever it was before.",
	.options = policy_options,
	.option_count = COUNT_OF(policy_options),
	.operand = policy_operand,
	.run = run_policy,
};

/* ---- admission --------------------------------------------------------------------------------------------------------- */

#define CAPABILITIES(option_name, option_help, field)                                                                          \
	{                                                                                                                      \
		.name = (option_name), .value = "BITS", .help = (option_help), .type = FAN_OPTION_NUMBER,                      \
		.maximum = UINT32_MAX, AT(field)                                                                               \
	}

static const struct fan_option admission_options[] = {
	FAN_CLIENT_OPTIONS,
	CAPABILITIES("all", "capabilities of which a member has all (0)", all),
	CAPABILITIES("any", "... and of which it has one at the least (0)", any),
};

static int
run_admission(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen = { .limit = 0 };
	char **operands;
	const int exit_code = fan_client_parse(command, &chosen, &operands, 2, 2, argc, argv);
	json_t *params;

	if (exit_code != FAN_EXIT_OK)
		return exit_code < 0 ? FAN_EXIT_OK : exit_code;
	params = json_pack("{s:s}", "gid", operands[1]);
	if (strcmp(operands[0], "show") == 0)
		return fan_client_run(command, &chosen.client, "group.admission.show", params, -1, NULL);
	if (strcmp(operands[0], "set") == 0) {
		(void)json_object_set_new(params, "all", json_integer((json_int_t)chosen.all));
		(void)json_object_set_new(params, "any", json_integer((json_int_t)chosen.any));
		return fan_client_run(command, &chosen.client, "group.admission.set", params, -1, NULL);
	}
	json_decref(params);
	return fan_command_fail(command, FAN_EXIT_USAGE, "%s: takes set or show", operands[0]);
}

static const struct fan_command admission = {
	.name = "group admission",
	.summary = "Says which subscriptions may be members of a group, or shows it",
	.operands = "set|show GID",
	.mixes = true,
	.text = "By the capabilities of their contexts, 32 bits that the file of UEs gives: 'group add', and imports into the group,\n"
		"refuse who lacks them. Members that do not fit are taken out before.",
	.options = admission_options,
	.option_count = COUNT_OF(admission_options),
	.operand = policy_operand,
	.run = run_admission,
};

static const struct fan_command *const subcommands[] = { &create, &deletion, &add,       &removal, &show,
							 &list,   &policy,   &admission, NULL };

const struct fan_command fan_command_group = {
	.name = "group",
	.summary = "Makes groups, and changes their members",
	.operands = "",
	.subcommands = subcommands,
};
