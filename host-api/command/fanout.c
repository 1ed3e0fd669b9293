/* SPDX-License-Identifier: BSD-3-Clause */
#include "../fanout/fanout.h"

#include "commands.h"
#include "population.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define DEFAULT_TEXT "Fanfare test message. One text, one key per UE, no action needed."
/* Longer than any format holds: 255 short messages of 153 characters, 3 octets of UTF-8 each at the most. */
#define MESSAGE_FILE_BYTES_MAX (FAN_PARTS_MAX * 153 * 3)
#define NOT_GIVEN UINT64_MAX
#define REPEAT_MAX 100000
#define TIMESTAMP_MAX_S 4102444799 /* the last second of 2099: TP-SCTS has two digits for the year */
/* What a seed makes lies in the 30 years from 2000 on. */
#define SEED_TIME_FROM_S 946684800
#define SEED_TIME_SPAN_S 946684800

/* ---- Options ----------------------------------------------------------------------------------------------------------- */

struct chosen {
	uint64_t ues, seed, cipher, workers, repeat, sdap, trigger, priority, timestamp;
	const char *profiles, *integrity, *message_file, *text, *coding, *originator, *service_centre, *engines, *egress, *sdu;
	const char *capture, *contexts, *card, *source_address, *source_mac;
	uint64_t vlan, vlan_priority, dscp, source_port, valid_for_s;
	bool ipv6, udp_checksum, no_verify, assume_received, emergency, json, quiet;
};

static const char *
engine_choice(unsigned index)
{
	return index == 0 ? FAN_ENGINE_AUTO : fan_engine_name(index - 1);
}

/* In the order of enum fan_coding. */
static const char *
coding_choice(unsigned index)
{
	static const char *const names[] = { "auto", "gsm7", "ucs2", "8bit" };

	return index < sizeof(names) / sizeof(names[0]) ? names[index] : NULL;
}

static const char *
sdu_choice(unsigned index)
{
	static const char *const names[] = { "ip", "raw" };

	return index < sizeof(names) / sizeof(names[0]) ? names[index] : NULL;
}

static const char *
egress_choice(unsigned index)
{
	static const char *const names[] = { "net_ring", "net_null", "af_packet:", "tap" };

	return index < sizeof(names) / sizeof(names[0]) ? names[index] : NULL;
}

#define AT(field) .offset = offsetof(struct chosen, field)
#define NUMBER(from, to) .type = FAN_OPTION_NUMBER, .minimum = (from), .maximum = (to)

static const struct fan_option options[] = {
	{ .name = "ues",
	  .value = "N",
	  .help = "UEs of the synthetic population (1000000)",
	  NUMBER(1, FAN_POPULATION_UES_MAX),
	  AT(ues) },
	{ .name = "seed",
	  .value = "S",
	  .help = "seed of the population (1); when given, short messages take time stamp\nand reference from it too, and every frame of a "
		  "run is repeatable",
	  NUMBER(0, UINT64_MAX - 1),
	  AT(seed) },
	{ .name = "profile",
	  .value = "NAME[=WEIGHT],...",
	  .help = "profiles and their shares (equally all that Fanfare protects: not\nsgi-ip); one UE has one profile",
	  .type = FAN_OPTION_LIST,
	  .choice = fan_population_profile_name,
	  AT(profiles) },
	{ .name = "cipher",
	  .value = "0..3",
	  .help = "128-EEA/128-NEA number: 0 null, 1 SNOW 3G, 2 AES, 3 ZUC (2)",
	  NUMBER(0, 3),
	  AT(cipher) },
	{ .name = "integrity",
	  .value = "0..3|none",
	  .help = "128-EIA/128-NIA number (2); none for PDCP alone; LTE PDCP has none in\nany case; 0 needs --emergency",
	  .type = FAN_OPTION_CHOICE,
	  .choice = fan_population_integrity_name,
	  AT(integrity) },
	{ .name = "emergency", .help = "UEs in emergency calls: allows integrity 0", .type = FAN_OPTION_FLAG, AT(emergency) },
	{ .name = "message",
	  .value = "FILE",
	  .help = "the message, octet by octet; - is stdin",
	  .type = FAN_OPTION_FILE,
	  AT(message_file) },
	{ .name = "text", .value = "STRING", .help = "the message, in UTF-8 (a test text)", .type = FAN_OPTION_TEXT, AT(text) },
	{ .name = "coding",
	  .value = "NAME",
	  .help = "of short messages: auto, gsm7, ucs2 or 8bit (auto)",
	  .type = FAN_OPTION_CHOICE,
	  .choice = coding_choice,
	  AT(coding) },
	{ .name = "originator",
	  .value = "ADDRESS",
	  .help = "TP-OA of short messages: digits, + and digits, or up to 11\ncharacters (GroupMsg)",
	  .type = FAN_OPTION_TEXT,
	  AT(originator) },
	{ .name = "service-centre",
	  .value = "NUMBER",
	  .help = "RP-OA of short messages (+10000000000)",
	  .type = FAN_OPTION_TEXT,
	  AT(service_centre) },
	{ .name = "timestamp",
	  .value = "SECONDS",
	  .help = "TP-SCTS of short messages, since 1970 UTC (now, or what --seed makes;\nSOURCE_DATE_EPOCH stands for now)",
	  NUMBER(1, TIMESTAMP_MAX_S),
	  AT(timestamp) },
	{ .name = "trigger",
	  .value = "PORT",
	  .help = "short messages are device triggers to this application port",
	  NUMBER(0, 65535),
	  AT(trigger) },
	{ .name = "sdu",
	  .value = "ip|raw",
	  .help = "what bearers carry: an IPv4/UDP packet to the UE with the message in it,\nor its octets as they are (ip)",
	  .type = FAN_OPTION_CHOICE,
	  .choice = sdu_choice,
	  AT(sdu) },
	{ .name = "sdap", .value = "QFI", .help = "NR bearers have an SDAP header with this QFI", NUMBER(0, 63), AT(sdap) },
	{ .name = "priority", .value = "0..7", .help = "a higher one goes first (0)", NUMBER(0, 7), AT(priority) },
	{ .name = "valid-for",
	  .value = "SECONDS",
	  .help = "what has not left by then is reported as expired (no limit)",
	  NUMBER(1, UINT32_MAX / 1000),
	  AT(valid_for_s) },
	{ .name = "repeat", .value = "R", .help = "send the message so many times (1)", NUMBER(1, REPEAT_MAX), AT(repeat) },
	{ .name = "engine",
	  .value = "NAME[,NAME]",
	  .help = "engines in order of preference (see 'fanfare engines'); auto: the fastest for each profile, by trying (auto)",
	  .type = FAN_OPTION_LIST,
	  .choice = engine_choice,
	  AT(engines) },
	{ .name = "card",
	  .value = "WHERE",
	  .help = "of engine fpga: model in this process, with options behind commas (seed=N,\nstall=P,latency=CLOCKS,max-cycles=N,"
		  "trace-fst=FILE,trace-from=CLOCK,\ntrace-to=CLOCK), or shm:PATH of a simulator in another one (model)",
	  .type = FAN_OPTION_TEXT,
	  AT(card) },
	{ .name = "workers",
	  .value = "N",
	  .help = "worker cores besides the one of control (1)",
	  NUMBER(1, FAN_WORKERS_MAX),
	  AT(workers) },
	{ .name = "egress",
	  .value = "PORT",
	  .help = "net_ring (comes back to be verified), net_null, af_packet:IFACE, tap,\nor the name of any port given to EAL (net_ring)",
	  .type = FAN_OPTION_LIST,
	  .choice = egress_choice,
	  AT(egress) },
	{ .name = "ipv6", .help = "transport over IPv6", .type = FAN_OPTION_FLAG, AT(ipv6) },
	{ .name = "udp-checksum", .help = "outer UDP checksum over IPv4 too", .type = FAN_OPTION_FLAG, AT(udp_checksum) },
	{ .name = "source-address",
	  .value = "IP",
	  .help = "whom frames come from (203.0.113.1 or 2001:db8:ff00::1)",
	  .type = FAN_OPTION_TEXT,
	  AT(source_address) },
	{ .name = "source-mac",
	  .value = "MAC",
	  .help = "the Ethernet address they come from (the port's own)",
	  .type = FAN_OPTION_TEXT,
	  AT(source_mac) },
	{ .name = "vlan", .value = "ID", .help = "tag frames with this VLAN", NUMBER(1, 4094), AT(vlan) },
	{ .name = "vlan-priority", .value = "0..7", .help = "of the tag (0)", NUMBER(0, 7), AT(vlan_priority) },
	{ .name = "dscp", .value = "0..63", .help = "of the outer IP header (0)", NUMBER(0, 63), AT(dscp) },
	{ .name = "source-port",
	  .value = "PORT",
	  .help = "outer UDP source port (the destination's)",
	  NUMBER(1, 65535),
	  AT(source_port) },
	{ .name = "pcap",
	  .value = "FILE",
	  .help = "write every frame that is sent; - is stdout",
	  .type = FAN_OPTION_FILE,
	  AT(capture) },
	{ .name = "contexts",
	  .value = "FILE",
	  .help = "write the population with its keys as CSV; - is stdout",
	  .type = FAN_OPTION_FILE,
	  AT(contexts) },
	{ .name = "no-verify", .help = "no UE side: nothing is received and checked", .type = FAN_OPTION_FLAG, AT(no_verify) },
	{ .name = "assume-received",
	  .help = "without a UE side, take every message as received once it is sent\n(synthetic UEs only: lets --repeat go beyond the "
		  "7 short messages\nand 200 others that a UE follows without an acknowledgement)",
	  .type = FAN_OPTION_FLAG,
	  AT(assume_received) },
	{ .name = "json", .help = "one JSON object on stdout instead of the table", .type = FAN_OPTION_FLAG, AT(json) },
	{ .name = "quiet", .help = "no progress, no table", .type = FAN_OPTION_FLAG, AT(quiet) },
};

static int
choose_population(const struct fan_command *command, struct fan_fanout_request *request, const struct chosen *chosen)
{
	const struct fan_population_choice choice = {
		.ues = chosen->ues,
		.seed = chosen->seed != NOT_GIVEN ? chosen->seed : FAN_POPULATION_SEED,
		.cipher = chosen->cipher,
		.profiles = chosen->profiles,
		.integrity = chosen->integrity,
		.emergency = chosen->emergency,
		.ipv6 = chosen->ipv6,
	};

	return fan_population_choose(&request->population, command, &choice);
}

/* ---- Engines ----------------------------------------------------------------------------------------------------------- */

static int
check_engines(const struct fan_command *command, const char *list)
{
	if (fan_engine_list_check(list) != 0)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--engine %s: %s", list, fan_error_detail());
	return FAN_EXIT_OK;
}

/* ---- Message ----------------------------------------------------------------------------------------------------------- */

static int
read_message_file(uint8_t **bytes, size_t *byte_count, const struct fan_command *command, const char *path)
{
	const bool piped = strcmp(path, "-") == 0;
	FILE *file = piped ? stdin : fopen(path, "rbe");
	int exit_code = FAN_EXIT_OK;

	if (file == NULL)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--message %s: %s", path, strerror(errno));
	*bytes = malloc(MESSAGE_FILE_BYTES_MAX + 1);
	if (*bytes == NULL) {
		if (!piped)
			fclose(file);
		return fan_command_fail(command, FAN_EXIT_FAILED, "--message %s: no memory", path);
	}
	*byte_count = fread(*bytes, 1, MESSAGE_FILE_BYTES_MAX + 1, file);
	if (ferror(file))
		exit_code = fan_command_fail(command, FAN_EXIT_USAGE, "--message %s: %s", path, strerror(errno));
	else if (*byte_count == 0)
		exit_code = fan_command_fail(command, FAN_EXIT_USAGE, "--message %s: empty; a message has 1 octet or more",
					     path);
	else if (*byte_count > MESSAGE_FILE_BYTES_MAX)
		exit_code = fan_command_fail(command, FAN_EXIT_USAGE,
					     "--message %s: longer than %d octets, which no profile takes", path,
					     MESSAGE_FILE_BYTES_MAX);
	if (!piped)
		fclose(file);
	return exit_code;
}

/* What of a short message is not the caller's: under a seed that was asked for it comes from the seed, unless SOURCE_DATE_EPOCH says more. */
static void
set_sms_numbers(struct fan_message *message, const struct chosen *chosen)
{
	const bool seeded = chosen->seed != NOT_GIVEN && getenv("SOURCE_DATE_EPOCH") == NULL;

	if (seeded) {
		message->timestamp_s = SEED_TIME_FROM_S + (int64_t)(chosen->seed % SEED_TIME_SPAN_S);
		fan_message_reference_begin((uint8_t)chosen->seed);
	}
	if (chosen->timestamp != NOT_GIVEN)
		message->timestamp_s = (int64_t)chosen->timestamp;
}

/* A command line is text; octets come from files. */
static int
check_text(const struct fan_command *command, const char *text)
{
	struct fan_message message;
	struct fan_message_coding coding;

	fan_message_init(&message, text, strlen(text));
	if (fan_message_coding_choose(&coding, &message) == 0 && coding.no_text_at_octet >= 0)
		return fan_command_fail(command, FAN_EXIT_USAGE,
					"--text: not UTF-8 at octet %" PRId64
					"; --message takes any octets, from a file or stdin",
					coding.no_text_at_octet);
	return FAN_EXIT_OK;
}

static int
read_message_bytes(uint8_t **bytes, size_t *byte_count, const struct fan_command *command, const struct chosen *chosen)
{
	const char *text = chosen->text == NULL ? DEFAULT_TEXT : chosen->text;

	if (chosen->message_file != NULL && chosen->text != NULL)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--message and --text: give one of the two");
	if (chosen->message_file != NULL)
		return read_message_file(bytes, byte_count, command, chosen->message_file);
	if (*text == '\0')
		return fan_command_fail(command, FAN_EXIT_USAGE, "--text: empty; a message has 1 octet or more");
	if (check_text(command, text) != FAN_EXIT_OK)
		return FAN_EXIT_USAGE;
	*byte_count = strlen(text);
	*bytes = (uint8_t *)strdup(text);
	return *bytes != NULL ? FAN_EXIT_OK : fan_command_fail(command, FAN_EXIT_FAILED, "--text: no memory");
}

#define MSK_BYTES 16

/* Of mbms-msk the message is the MSK: drawn, where none is given. In/Out: *bytes, *byte_count. */
static int
make_msk(uint8_t **bytes, size_t *byte_count, const struct fan_command *command, const struct chosen *chosen)
{
	struct fan_msk msk;
	uint8_t *octets;
	int written;

	fan_msk_init(&msk);
	memcpy(msk.domain, "\x00\xf1\x10", sizeof(msk.domain)); /* the test network 001 01 */
	msk.group = msk.number = msk.mtk_first = 1;
	msk.mtk_last = UINT16_MAX;
	msk.bm_sc = FAN_POPULATION_BM_SC;
	msk.bsf = FAN_POPULATION_BSF;
	if (chosen->message_file == NULL && chosen->text == NULL)
		written = getrandom(msk.key, sizeof(msk.key), 0) == sizeof(msk.key) ? 0 : FAN_E_IO;
	else
		written = *byte_count == MSK_BYTES ? 0 : FAN_E_INVALID;
	if (written == FAN_E_INVALID)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--profile mbms-msk: the message is an MSK, of %d octets",
					MSK_BYTES);
	if ((chosen->message_file != NULL || chosen->text != NULL) && *bytes != NULL)
		memcpy(msk.key, *bytes, sizeof(msk.key));
	octets = malloc(FAN_MSK_BYTES_MAX);
	if (written == 0)
		written = octets == NULL ? FAN_E_MEMORY : fan_msk_write(octets, &msk);
	explicit_bzero(&msk, sizeof(msk));
	free(*bytes);
	*bytes = octets;
	*byte_count = written > 0 ? (size_t)written : 0;
	return written > 0 ? FAN_EXIT_OK : fan_command_fail(command, FAN_EXIT_FAILED, "no MSK could be made");
}

static void
set_message_options(struct fan_message *message, const struct chosen *chosen)
{
	for (unsigned i = 0; coding_choice(i) != NULL; i++) {
		if (strcmp(coding_choice(i), chosen->coding) == 0)
			message->coding = (enum fan_coding)i;
	}
	message->priority = (uint8_t)chosen->priority;
	message->valid_for_ms = (uint32_t)(1000 * chosen->valid_for_s);
	message->originator = chosen->originator != NULL ? chosen->originator : "GroupMsg";
	message->service_centre = chosen->service_centre != NULL ? chosen->service_centre : "+10000000000";
	message->device_trigger = chosen->trigger != NOT_GIVEN;
	message->application_port = message->device_trigger ? (uint16_t)chosen->trigger : 0;
	set_sms_numbers(message, chosen);
	message->raw = strcmp(chosen->sdu, "raw") == 0;
	message->sdap_qfi = chosen->sdap == NOT_GIVEN ? -1 : (int)chosen->sdap;
}

/* Frames of a synthetic population come from a documentation address unless another one is given. */
static int
set_source(const struct fan_command *command, struct fan_options *appliance, const struct chosen *chosen)
{
	const char *address = chosen->source_address != NULL ? chosen->source_address
			      : chosen->ipv6                 ? "2001:db8:ff00::1"
							     : "203.0.113.1";
	const char *mac = chosen->source_mac != NULL ? chosen->source_mac : "00:00:00:00:00:00";
	uint8_t *ethernet = appliance->source_ethernet;
	int end = 0;

	if (inet_pton(chosen->ipv6 ? AF_INET6 : AF_INET, address, appliance->source_address) != 1)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--source-address %s: no IPv%d address", address,
					chosen->ipv6 ? 6 : 4);
	if (sscanf(mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &ethernet[0], &ethernet[1], &ethernet[2], &ethernet[3],
		   &ethernet[4], &ethernet[5], &end) != 6 ||
	    mac[end] != '\0')
		return fan_command_fail(command, FAN_EXIT_USAGE, "--source-mac %s: six pairs of hex digits with : between",
					mac);
	if ((ethernet[0] & 1) != 0)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--source-mac %s: a group address cannot send", mac);
	if (chosen->vlan_priority != 0 && chosen->vlan == 0)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--vlan-priority: stands in a tag; give --vlan with it");
	return FAN_EXIT_OK;
}

/* Encodes the message for every profile of the run, for its limits and for the number of PDUs. */
static int
check_message(const struct fan_command *command, struct fan_fanout_request *request)
{
	const struct fan_population *population = &request->population;

	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++) {
		const enum fan_profile profile = (enum fan_profile)i;
		int parts;

		if (population->options.weight[i] == 0)
			continue;
		parts = fan_message_parts(&request->message, profile, fan_population_cipher(population, profile),
					  fan_population_integrity(population, profile), population->options.ipv6);
		if (parts < 0)
			return fan_command_fail(command, fan_command_exit_code(parts), "message: %s", fan_error_detail());
		request->parts[i] = (unsigned)parts;
	}
	if (request->parts[FAN_PROFILE_EPS_NAS_SMS] + request->parts[FAN_PROFILE_5GS_NAS_SMS] > 0)
		(void)fan_message_coding_choose(&request->coding, &request->message);
	return FAN_EXIT_OK;
}

static bool
takes_stdout(const char *path)
{
	return path != NULL && strcmp(path, FAN_OUTPUT_STDOUT) == 0;
}

static int
check_contradictions(const struct fan_command *command, const struct fan_fanout_request *request, const struct chosen *chosen)
{
	const uint32_t *weight = request->population.options.weight;

	if (chosen->sdap != NOT_GIVEN && weight[FAN_PROFILE_NR_PDCP_12] + weight[FAN_PROFILE_NR_PDCP_18] == 0)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--sdap: no NR bearer among the profiles");
	if (chosen->trigger != NOT_GIVEN && weight[FAN_PROFILE_EPS_NAS_SMS] + weight[FAN_PROFILE_5GS_NAS_SMS] == 0)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--trigger: no SMS profile among the profiles");
	if (chosen->assume_received && !chosen->no_verify &&
	    (chosen->egress == NULL || strcmp(chosen->egress, "net_ring") == 0))
		return fan_command_fail(
			command, FAN_EXIT_USAGE,
			"--assume-received: the UE side of this run proves reception; give --no-verify with it");
	if (takes_stdout(chosen->capture) + takes_stdout(chosen->contexts) + chosen->json > 1)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--pcap -, --contexts - and --json: stdout holds one of them");
	return FAN_EXIT_OK;
}

/* ---- The command ------------------------------------------------------------------------------------------------------- */

static void
ask_to_stop(int signal_number)
{
	fan_fanout_stop = signal_number;
}

/* Lets a run end in order; a second signal ends it at once. What is ignored (nohup, a shell's background) stays so. */
static void
catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	const struct sigaction action = { .sa_handler = ask_to_stop, .sa_flags = (int)SA_RESETHAND };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct sigaction before;

		if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
}

static int
print_result(const struct fan_command *command, const struct fan_fanout_request *request,
	     const struct fan_fanout_result *result, const struct chosen *chosen)
{
	if (chosen->json)
		return fan_fanout_print_json(stdout, request, result)
			       ? FAN_EXIT_OK
			       : fan_command_fail(command, FAN_EXIT_FAILED, "stdout: the result could not be written");
	if (!chosen->quiet)
		fan_fanout_print_table(takes_stdout(chosen->capture) || takes_stdout(chosen->contexts) ? stderr : stdout,
				       request, result);
	return FAN_EXIT_OK;
}

/* Says what went wrong and what the UE side found, each in a line. */
static int
run_and_judge(const struct fan_command *command, struct fan_fanout_result *result, const struct fan_fanout_request *request)
{
	const int error = fan_fanout_run(result, request);
	char line[160];
	int exit_code = FAN_EXIT_OK;

	if (error != 0)
		exit_code = fan_command_fail(command, fan_command_exit_code(error), "%s%s",
					     result->capture_failed ? "--pcap: " : "", fan_error_detail());
	if ((error == 0 || result->capture_failed) && !fan_fanout_judge(line, sizeof(line), result))
		exit_code = fan_command_fail(command, FAN_EXIT_FAILED, "%s", line);
	return exit_code;
}

/* Sends, and shows what came of it. */
static int
send_and_show(const struct fan_command *command, struct fan_fanout_result *result, const struct fan_fanout_request *request,
	      const struct chosen *chosen, struct fan_output *contexts, struct fan_output *capture)
{
	const int run_code = run_and_judge(command, result, request);
	int exit_code;

	if (result->passes < request->repeat)
		return run_code;
	exit_code = result->capture_failed ? FAN_EXIT_FAILED : fan_output_place(capture, command);
	if (exit_code == FAN_EXIT_OK)
		exit_code = fan_output_place(contexts, command);
	if (print_result(command, request, result, chosen) != FAN_EXIT_OK || exit_code != FAN_EXIT_OK)
		return FAN_EXIT_FAILED;
	return run_code;
}

/* Both files open, all checks passed: from here on things happen. */
static int
perform(const struct fan_command *command, struct fan_fanout_request *request, const struct chosen *chosen,
	struct fan_output *contexts, struct fan_output *capture)
{
	struct fan_fanout_result *result = calloc(1, sizeof(*result));
	int exit_code;

	if (result == NULL)
		return fan_command_fail(command, FAN_EXIT_FAILED, "no memory for the result");
	exit_code = fan_population_write(contexts, command, "--contexts", &request->population);
	if (exit_code == FAN_EXIT_OK) {
		request->appliance.capture = fan_output_target(capture);
		exit_code = send_and_show(command, result, request, chosen, contexts, capture);
	}
	free(result);
	return exit_code;
}

static int
perform_with_outputs(const struct fan_command *command, struct fan_fanout_request *request, const struct chosen *chosen)
{
	struct fan_output contexts = { 0 }, capture = { 0 };
	int exit_code = fan_output_open(&contexts, command, "contexts", chosen->contexts, true);

	if (exit_code == FAN_EXIT_OK)
		exit_code = fan_output_open(&capture, command, "pcap", chosen->capture, false);
	if (exit_code == FAN_EXIT_OK && fan_output_same(&contexts, &capture))
		exit_code = fan_command_fail(command, FAN_EXIT_USAGE, "--pcap %s and --contexts %s: both name one file",
					     chosen->capture, chosen->contexts);
	if (exit_code == FAN_EXIT_OK)
		exit_code = perform(command, request, chosen, &contexts, &capture);
	fan_output_close(&contexts);
	fan_output_close(&capture);
	return exit_code;
}

/* Checks in order, all before anything is touched: profiles and algorithms, engines, message, contradictions, memory. */
static int
prepare(const struct fan_command *command, struct fan_fanout_request *request, uint8_t **bytes, const struct chosen *chosen)
{
	size_t byte_count = 0;
	int error, exit_code = set_source(command, &request->appliance, chosen);

	if (exit_code == FAN_EXIT_OK)
		exit_code = choose_population(command, request, chosen);

	if (exit_code == FAN_EXIT_OK && chosen->engines != NULL)
		exit_code = check_engines(command, chosen->engines);
	if (exit_code == FAN_EXIT_OK)
		exit_code = read_message_bytes(bytes, &byte_count, command, chosen);
	if (exit_code == FAN_EXIT_OK && request->population.options.weight[FAN_PROFILE_MBMS_MSK] > 0)
		exit_code = make_msk(bytes, &byte_count, command, chosen);
	if (exit_code != FAN_EXIT_OK)
		return exit_code;
	fan_message_init(&request->message, *bytes, byte_count);
	set_message_options(&request->message, chosen);
	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++)
		request->message.group_keys = request->message.group_keys || (fan_profile_is_key((enum fan_profile)i) &&
									      request->population.options.weight[i] > 0);
	exit_code = check_contradictions(command, request, chosen);
	if (exit_code == FAN_EXIT_OK)
		exit_code = check_message(command, request);
	if (exit_code == FAN_EXIT_OK && (error = fan_fanout_memory_check(request)) != 0)
		exit_code = fan_command_fail(command, fan_command_exit_code(error), "--ues %s", fan_error_detail());
	return exit_code;
}

static int
run(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen = { .ues = 1000000,
				 .seed = NOT_GIVEN,
				 .timestamp = NOT_GIVEN,
				 .cipher = 2,
				 .integrity = "2",
				 .repeat = 1,
				 .workers = 1,
				 .sdap = NOT_GIVEN,
				 .trigger = NOT_GIVEN,
				 .coding = "auto",
				 .sdu = "ip" };
	struct fan_fanout_request request = { 0 };
	uint8_t *bytes = NULL;
	int rest, exit_code;
	enum fan_parsed parsed = fan_command_parse(command, &chosen, &rest, argc, argv);

	if (parsed != FAN_PARSED)
		return parsed == FAN_PARSED_HELP ? FAN_EXIT_OK : FAN_EXIT_USAGE;
	request.repeat = (uint32_t)chosen.repeat;
	request.verify = !chosen.no_verify;
	request.assume_received = chosen.assume_received;
	request.progress = !chosen.quiet;
	request.appliance = (struct fan_options){
		.struct_bytes = sizeof(struct fan_options),
		.engines = chosen.engines,
		.card = chosen.card,
		.workers = (unsigned)chosen.workers,
		.egress = chosen.egress != NULL ? chosen.egress : "net_ring",
		.ipv6 = chosen.ipv6,
		.udp_checksum = chosen.udp_checksum,
		.vlan = (uint16_t)chosen.vlan,
		.vlan_priority = (uint8_t)chosen.vlan_priority,
		.dscp = (uint8_t)chosen.dscp,
		.udp_source_port = (uint16_t)chosen.source_port,
		.eal = rest < argc ? (const char *const *)&argv[rest] : NULL,
	};
	catch_signals();
	exit_code = prepare(command, &request, &bytes, &chosen);
	if (exit_code == FAN_EXIT_OK)
		exit_code = perform_with_outputs(command, &request, &chosen);
	fan_population_free(&request.population);
	free(bytes);
	return exit_code;
}

const struct fan_command fan_command_fanout = {
	.name = "fanout",
	.summary = "Sends one message to a synthetic population and has a UE side check it",
	.operands = "[-- EAL...]",
	.text = "What stands after -- is handed to EAL. The table (or --json) counts, per profile, PDUs created, sent and dropped,\n"
		"and messages that the UE side verified. Files of --pcap and --contexts appear whole or not at all and keep the mode,\n"
		"owner and symbolic link of what they replace (other hard links keep the old content); --contexts is readable by its\n"
		"owner alone, since it holds keys. When one of them goes to stdout, the table goes to stderr.\n\n"
		"A byte order mark at the front of a message is left out of short messages of text. What is not UTF-8 goes as 8-bit data\n"
		"under --coding auto, and the result says so. A short message has 7 parts at most: a UE takes no more before it has\n"
		"acknowledged one.\n\n"
		"Exit codes: 0 every UE was served, and verified unless verification is off; 1 the run failed (EAL, memory, files,\n"
		"no engine that this CPU can run), UEs were not served, or the UE side found a fault; 2 wrong options or message.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.takes_rest = true,
	.run = run,
};
