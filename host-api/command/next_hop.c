/* SPDX-License-Identifier: BSD-3-Clause */
/* `fanfare next-hop`. */
#include "client.h"
#include "commands.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

struct chosen {
	struct fan_client_options client;
	uint64_t from, limit, pdus, octets, depth_pdus, depth_octets, urgent_percent, for_ms;
};

#define AT(field) .offset = offsetof(struct chosen, field)
#define NUMBER(least, most) .type = FAN_OPTION_NUMBER, .minimum = (least), .maximum = (most)
#define NOT_GIVEN UINT64_MAX

static const char *const columns[] = { "index",   "address",  "ethernet", "pdus_per_s", "octets_per_s", "in_force_pdus_per_s",
				       "stopped", "relay_ms", "pdus",     "put_off",    "waiting",      NULL };

static void
put_number(json_t *params, const char *name, uint64_t number)
{
	if (number != NOT_GIVEN)
		(void)json_object_set_new(params, name, json_integer((json_int_t)number));
}

/* Parses a command with so many operands. Returns an exit code, or -1 for help. */
static int
parse(const struct fan_command *command, struct chosen *chosen, char ***operands, unsigned count, int argc, char **argv)
{
	*chosen = (struct chosen){ .from = NOT_GIVEN,
				   .limit = NOT_GIVEN,
				   .pdus = NOT_GIVEN,
				   .octets = NOT_GIVEN,
				   .depth_pdus = NOT_GIVEN,
				   .depth_octets = NOT_GIVEN,
				   .urgent_percent = NOT_GIVEN,
				   .for_ms = NOT_GIVEN };
	return fan_client_parse(command, chosen, operands, count, count, argc, argv);
}

/* ---- list -------------------------------------------------------------------------------------------------------------- */

static const struct fan_option list_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "from", .value = "N", .help = "those from this index on (0)", NUMBER(0, UINT16_MAX), AT(from) },
	{ .name = "limit", .value = "N", .help = "next hops (100)", NUMBER(1, FAN_CONTROL_LIST_MAX), AT(limit) },
};

static int
run_list(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen;
	char **operands;
	json_t *params;
	const int exit_code = parse(command, &chosen, &operands, 0, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return exit_code < 0 ? FAN_EXIT_OK : exit_code;
	params = json_object();
	put_number(params, "from", chosen.from);
	put_number(params, "limit", chosen.limit);
	return fan_client_run(command, &chosen.client, "next_hop.list", params, -1, columns);
}

static const struct fan_command list = {
	.name = "next-hop list",
	.summary = "Lists next hops, their rates, and who waits for them",
	.operands = "",
	.text = "in_force_pdus_per_s is the lower one of the rate and of the relay's word; 0 is no limit, or stopped. waiting counts the\n"
		"members that have found no token, each for each message.",
	.options = list_options,
	.option_count = COUNT_OF(list_options),
	.run = run_list,
};

/* ---- rate, relay --------------------------------------------------------------------------------------------------------- */

static const struct fan_option rate_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "pdus", .value = "N", .help = "PDUs a second; 0 is no limit", NUMBER(0, FAN_RATE_PDUS_MAX), AT(pdus) },
	{ .name = "octets",
	  .value = "N",
	  .help = "octets of frames a second; 0 is no limit (0)",
	  NUMBER(0, FAN_RATE_OCTETS_MAX),
	  AT(octets) },
	{ .name = "depth-pdus",
	  .value = "N",
	  .help = "PDUs that may leave in any 10 ms; 0: what 20 ms have (0)",
	  NUMBER(0, UINT32_MAX),
	  AT(depth_pdus) },
	{ .name = "depth-octets",
	  .value = "N",
	  .help = "the same, of octets (0)",
	  NUMBER(0, UINT64_C(1) << 40),
	  AT(depth_octets) },
	{ .name = "urgent",
	  .value = "PERCENT",
	  .help = "of the depth, kept for messages of priority 4 and above (20)",
	  NUMBER(0, FAN_RATE_URGENT_MAX),
	  AT(urgent_percent) },
};

static int
run_rate(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen;
	char **operands;
	json_t *params;
	const int exit_code = parse(command, &chosen, &operands, 1, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return exit_code < 0 ? FAN_EXIT_OK : exit_code;
	if (chosen.pdus == NOT_GIVEN && chosen.octets == NOT_GIVEN)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--pdus N, --octets N: give one of the two, or both");
	params = json_pack("{s:s, s:I}", "address", operands[0], "pdus_per_s",
			   (json_int_t)(chosen.pdus != NOT_GIVEN ? chosen.pdus : 0));
	put_number(params, "octets_per_s", chosen.octets);
	put_number(params, "depth_pdus", chosen.depth_pdus);
	put_number(params, "depth_octets", chosen.depth_octets);
	put_number(params, "urgent_percent", chosen.urgent_percent);
	return fan_client_run(command, &chosen.client, "next_hop.rate", params, -1, NULL);
}

static const struct fan_command rate = {
	.name = "next-hop rate",
	.summary = "Sets the rate of a next hop, messages in flight or not",
	.operands = "ADDRESS",
	.mixes = true,
	.text = "It is the whole rate: what is not given has its default. It lasts until the daemon ends, or [pacing] of its file says\n"
		"otherwise for this next hop and is read again.",
	.options = rate_options,
	.option_count = COUNT_OF(rate_options),
	.run = run_rate,
};

static const struct fan_option relay_options[] = {
	FAN_CLIENT_OPTIONS,
	{ .name = "pdus",
	  .value = "N",
	  .help = "PDUs a second that it takes; 0: none",
	  NUMBER(0, FAN_RATE_PDUS_MAX),
	  AT(pdus) },
	{ .name = "for-ms",
	  .value = "N",
	  .help = "milliseconds, 60,000 at most; 0 takes the word back",
	  NUMBER(0, FAN_RELAY_MS_MAX),
	  AT(for_ms) },
};

static int
run_relay(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen;
	char **operands;
	const int exit_code = parse(command, &chosen, &operands, 1, argc, argv);

	if (exit_code != FAN_EXIT_OK)
		return exit_code < 0 ? FAN_EXIT_OK : exit_code;
	if (chosen.for_ms == NOT_GIVEN || (chosen.pdus == NOT_GIVEN && chosen.for_ms != 0))
		return fan_command_fail(command, FAN_EXIT_USAGE, "--pdus N and --for-ms N: give both, or --for-ms 0 alone");
	return fan_client_run(command, &chosen.client, "next_hop.relay",
			      json_pack("{s:s, s:I, s:I}", "address", operands[0], "pdus_per_s",
					(json_int_t)(chosen.pdus != NOT_GIVEN ? chosen.pdus : 0), "for_ms",
					(json_int_t)chosen.for_ms),
			      -1, NULL);
}

static const struct fan_command relay = {
	.name = "next-hop relay",
	.summary = "Hands on a relay's word: slower, or stop, for some time",
	.operands = "ADDRESS",
	.mixes = true,
	.text = "It counts beside the rate; the lower one is in force. A relay may say it itself: dataplane/pdu/RECEIPTS.md.",
	.options = relay_options,
	.option_count = COUNT_OF(relay_options),
	.run = run_relay,
};

static const struct fan_command *const subcommands[] = { &list, &rate, &relay, NULL };

const struct fan_command fan_command_next_hop = {
	.name = "next-hop",
	.summary = "Lists next hops, and sets how fast each gets PDUs",
	.operands = "",
	.subcommands = subcommands,
};
