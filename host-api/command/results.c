/* SPDX-License-Identifier: BSD-3-Clause */
/* `fanfare message results`. */
#define _GNU_SOURCE
#include "client.h"
#include "commands.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct chosen {
	const char *socket;
};

static const struct fan_option options[] = {
	{ .name = "socket",
	  .value = "PATH",
	  .help = "the daemon's control socket ($FANFARE_SOCKET, else\n" FAN_CONTROL_SOCKET ")",
	  .type = FAN_OPTION_FILE,
	  .offset = offsetof(struct chosen, socket) },
};

/* From the beginning of a file to stdout. */
static int
print_lines(const struct fan_command *command, int file, json_int_t byte_count)
{
	static char octets[65536];

	for (json_int_t at = 0; at < byte_count;) {
		const size_t left = (size_t)(byte_count - at);
		const ssize_t n = pread(file, octets, left < sizeof(octets) ? left : sizeof(octets), at);

		if (n <= 0 || fwrite(octets, 1, (size_t)n, stdout) != (size_t)n)
			return fan_command_fail(command, FAN_EXIT_FAILED, "%s",
						errno != 0 ? strerror(errno) : "lines are missing");
		at += n;
	}
	return FAN_EXIT_OK;
}

/* One request, and the next as long as the answer names one. In/Out: *from, *removed. */
static int
print_some(const struct fan_command *command, struct fan_caller *caller, int file, json_int_t id, json_int_t *from,
	   json_int_t *removed)
{
	json_t *result = NULL;
	int exit_code;
	const int error = fan_caller_call(caller, &result, "message.results", json_pack("{s:I, s:I}", "id", id, "from", *from),
					  file, NULL, NULL);

	if (error != 0)
		return fan_command_fail(command, fan_command_exit_code(error), "%s", fan_error_detail());
	*from = json_integer_value(json_object_get(result, "next"));
	*removed += json_integer_value(json_object_get(result, "removed"));
	exit_code = print_lines(command, file, json_integer_value(json_object_get(result, "bytes")));
	json_decref(result);
	return exit_code;
}

static int
print_all(const struct fan_command *command, struct fan_caller *caller, json_int_t id)
{
	const int file = memfd_create("fanfare-results", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	json_int_t from = 0, removed = 0;
	int exit_code;

	if (file < 0)
		return fan_command_fail(command, FAN_EXIT_FAILED, "no memory for results: %s", strerror(errno));
	do
		exit_code = print_some(command, caller, file, id, &from, &removed);
	while (exit_code == FAN_EXIT_OK && from != 0);
	(void)close(file);
	if (exit_code == FAN_EXIT_OK && removed > 0)
		(void)fprintf(stderr, "%lld members are left out: their UEs were removed since\n", (long long)removed);
	return exit_code;
}

static int
run(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen = { NULL };
	struct fan_caller caller;
	char **operands;
	uint64_t id;
	int exit_code = fan_client_parse(command, &chosen, &operands, 1, 1, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return exit_code < 0 ? FAN_EXIT_OK : exit_code;
	exit_code = fan_client_read_id(command, &id, operands[0]);
	if (exit_code != FAN_EXIT_OK)
		return exit_code;
	if (fan_caller_open(&caller, chosen.socket) != 0)
		return fan_command_fail(command, FAN_EXIT_FAILED, "%s", fan_error_detail());
	exit_code = print_all(command, &caller, (json_int_t)id);
	fan_caller_close(&caller);
	return exit_code;
}

const struct fan_command fan_command_message_results = {
	.name = "message results",
	.summary = "Prints what became of a message for each member",
	.operands = "ID",
	.mixes = true,
	.text = "One line a member: its identity, its profile, and sent or why it was not. The message must\nhave ended.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
