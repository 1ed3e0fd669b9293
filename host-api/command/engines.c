/* SPDX-License-Identifier: BSD-3-Clause */
#include "../../dataplane/engine/engine.h"
#include "command.h"

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

/* An engine is there when it can be opened; what it lacks is in fan_error_detail() then. */
static bool
available(const struct fan_engine_ops *ops)
{
	struct fan_engine *engine;

	if (ops->open(&engine) != 0)
		return false;
	ops->close(engine);
	return true;
}

static void
print_table(void)
{
	for (size_t i = 0; fan_engines[i] != NULL; i++) {
		bool there = available(fan_engines[i]);

		printf("%-16s  %-9s  %s\n", fan_engines[i]->name, there ? "available" : "missing", fan_engines[i]->description);
		if (!there)
			printf("%-16s  %-9s  %s\n", "", "", fan_error_detail());
	}
}

static int
print_json(const struct fan_command *command)
{
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; fan_engines[i] != NULL; i++) {
		bool there = available(fan_engines[i]);

		failed |= json_array_append_new(array, json_pack("{s:s, s:s, s:b, s:s?}", "name", fan_engines[i]->name,
								 "description", fan_engines[i]->description, "available", there,
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
