/* SPDX-License-Identifier: BSD-3-Clause */
/* `fanfare store`: what is done to a store that no daemon has open. */
#include "../store/store.h"
#include "client.h"
#include "commands.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

struct chosen {
	const char *directory, *key_file, *new_key_file;
};

#define AT(field) .offset = offsetof(struct chosen, field)

static const struct fan_option options[] = {
	{ .name = "directory", .value = "PATH", .help = "the store", .type = FAN_OPTION_FILE, AT(directory) },
	{ .name = "key-file", .value = "FILE", .help = "the key that opens it now", .type = FAN_OPTION_FILE, AT(key_file) },
	{ .name = "new-key-file",
	  .value = "FILE",
	  .help = "the key that opens it from then on",
	  .type = FAN_OPTION_FILE,
	  AT(new_key_file) },
};

static int
run_rotate(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen = { .directory = NULL };
	struct fan_store *store = NULL;
	struct fan_store_options opening = { .directory = NULL };
	char **operands;
	const int exit_code = fan_client_parse(command, &chosen, &operands, 0, 0, argc, argv);
	int error;

	if (exit_code != FAN_EXIT_OK)
		return exit_code < 0 ? FAN_EXIT_OK : exit_code;
	if (chosen.directory == NULL || chosen.key_file == NULL || chosen.new_key_file == NULL)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--directory, --key-file and --new-key-file: all are needed");
	opening.directory = chosen.directory;
	opening.key_file = chosen.key_file;
	error = fan_store_open(&store, &opening);
	if (error == 0)
		error = fan_store_rotate_key(store, chosen.new_key_file);
	fan_store_close(store);
	return error == 0 ? FAN_EXIT_OK : fan_command_fail(command, fan_command_exit_code(error), "%s", fan_error_detail());
}

static const struct fan_command rotate = {
	.name = "store rotate-key",
	.summary = "Puts a store under another key",
	.operands = "",
	.text = "The daemon must not run. A key is a file of 32 octets or 64 hex digits, mode 0600 or 0400. Copies of the store that were\n"
		"made before, and free pages in it, may still open by the former key.",
	.options = options,
	.option_count = COUNT_OF(options),
	.run = run_rotate,
};

static const struct fan_command *const subcommands[] = { &rotate, NULL };

const struct fan_command fan_command_store = {
	.name = "store",
	.summary = "Works on a store that no daemon has open",
	.operands = "",
	.subcommands = subcommands,
};
