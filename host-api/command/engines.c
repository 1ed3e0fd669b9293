/* SPDX-License-Identifier: BSD-3-Clause */
#include "../appliance/appliance.h"
#include "commands.h"

#include <jansson.h>

struct engines_options {
	bool json;
};

static const struct fan_option options[] = {
	{ .name = "json",
	  .help = "one JSON array on stdout",
	  .type = FAN_OPTION_FLAG,
	  .offset = offsetof(struct engines_options, json) },
};

static void
print_table(void)
{
	for (unsigned i = 0; fan_engine_name(i) != NULL; i++) {
		const bool there = fan_engine_probe(i) == 0;

		printf("%-16s  %-9s  %s\n", fan_engine_name(i), there ? "available" : "missing", fan_engine_description(i));
		if (!there)
			printf("%-16s  %-9s  %s\n", "", "", fan_error_detail());
	}
}

static int
print_json(const struct fan_command *command)
{
	json_t *array = json_array();
	int failed = 0;

	for (unsigned i = 0; fan_engine_name(i) != NULL; i++) {
		const bool there = fan_engine_probe(i) == 0;

		failed |= json_array_append_new(array, json_pack("{s:s, s:s, s:b, s:s?}", "name", fan_engine_name(i),
								 "description", fan_engine_description(i), "available", there,
								 "why", there ? NULL : fan_error_detail()));
	}
	failed |= json_dumpf(array, stdout, JSON_INDENT(2));
	json_decref(array);
	if (failed)
		return fan_command_fail(command, FAN_EXIT_FAILED, "memory: the JSON text could not be made");
	putchar('\n');
	return FAN_EXIT_OK;
}

static int
run(const struct fan_command *command, int argc, char **argv)
{
	struct engines_options chosen = { 0 };
	int rest;
	enum fan_parsed parsed = fan_command_parse(command, &chosen, &rest, argc, argv);

	if (parsed != FAN_PARSED)
		return parsed == FAN_PARSED_HELP ? FAN_EXIT_OK : FAN_EXIT_USAGE;
	if (chosen.json)
		return print_json(command);
	print_table();
	return FAN_EXIT_OK;
}

const struct fan_command fan_command_engines = {
	.name = "engines",
	.summary = "Lists the engines of this build and whether this CPU has what they need",
	.operands = "",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
