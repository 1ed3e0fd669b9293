/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `fanfare check`: the UE side as a tool. Every frame of a capture goes to the UE that its addresses name in the contexts file, as
 * `fanfare fanout --contexts --pcap` wrote them, or as anyone else did.
 */
#include "../control/contexts_csv.h"
#include "../fanout/reception.h"
#include "commands.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_BYTES_MAX (1 << 20)
#define FAILURES_SHOWN 5
#define SLOT_EMPTY UINT32_MAX

#define ETHERNET_TYPE_AT 12
#define VLAN_TAG_BYTES 4 /* IEEE 802.1Q, between the addresses and the type */
#define PORT_GTPU 2152
#define PORT_S1AP 36412
#define PORT_NGAP 38412
#define GTPU_G_PDU 255 /* TS 29.281 6.1: message type of user data */

struct chosen {
	const char *capture, *contexts, *message_file, *text, *sdu;
	bool any_sdap, json;
};

static const char *
sdu_choice(unsigned index)
{
	static const char *const names[] = { "ip", "raw" };

	return index < sizeof(names) / sizeof(names[0]) ? names[index] : NULL;
}

#define AT(field) .offset = offsetof(struct chosen, field)

static const struct fan_option options[] = {
	{ .name = "pcap", .value = "FILE", .help = "the capture, Ethernet; - is stdin", .type = FAN_OPTION_FILE, AT(capture) },
	{ .name = "contexts",
	  .value = "FILE",
	  .help = "the UEs with their keys, as --contexts of fanout writes them; - is stdin",
	  .type = FAN_OPTION_FILE,
	  AT(contexts) },
	{ .name = "message",
	  .value = "FILE",
	  .help = "what every UE must have received, any number of times; - is stdin",
	  .type = FAN_OPTION_FILE,
	  AT(message_file) },
	{ .name = "text", .value = "STRING", .help = "the same as a text", .type = FAN_OPTION_TEXT, AT(text) },
	{ .name = "sdu",
	  .value = "ip|raw",
	  .help = "what bearers carry (ip)",
	  .type = FAN_OPTION_CHOICE,
	  .choice = sdu_choice,
	  AT(sdu) },
	{ .name = "sdap", .help = "NR bearers have an SDAP header", .type = FAN_OPTION_FLAG, AT(any_sdap) },
	{ .name = "json", .help = "one JSON object on stdout", .type = FAN_OPTION_FLAG, AT(json) },
};

/* ---- UEs by address ---------------------------------------------------------------------------------------------------- */

struct check_ue {
	struct fan_contexts_row row;
	struct fan_ue_state state;
	uint64_t line_number;
	bool served;
};

struct check {
	const struct fan_command *command;
	struct check_ue *ues; /* owned */
	uint32_t ue_count, ue_room;
	uint32_t *slots; /* owned: index into ues by hash of the address, open addressing */
	uint32_t slot_mask;
	const struct chosen *chosen;
	bool compare; /* a message was given */
	struct fan_message message;
	struct fan_reception reception;
	struct check_ue *found; /* the UE behind the frame in hand */
	uint64_t frames, truncated, served;
	uint64_t others;                                                /* of the frames, that are for no UE */
	uint64_t verdicts[FAN_PROFILE_COUNT + 1][FAN_UE_VERDICT_COUNT]; /* last: frames of no known UE */
	uint64_t outcomes[FAN_RECEPTION_COUNT];
	unsigned failures_shown;
};

static struct fan_ue_address
row_address(const struct fan_contexts_row *row)
{
	struct fan_ue_address address = { .ipv6 = row->ipv6,
					  .nas = fan_kind_is_nas(fan_profile_kind(row->profile)),
					  .teid = row->teid,
					  .mme_ue_id = row->mme_ue_id,
					  .ran_ue_id = row->ran_ue_id };

	address.five_g = fan_profile_kind(row->profile) == FAN_KIND_5GS_NAS;
	if (fan_kind_is_plain(fan_profile_kind(row->profile))) {
		/* The file does not tell what its next hop's address on the link is, and the frame no other. */
		address = (struct fan_ue_address){ .plain = true };
		memcpy(address.ipv4, row->ue_ip, sizeof(address.ipv4));
		return address;
	}
	memcpy(address.next_hop, row->next_hop, sizeof(address.next_hop));
	return address;
}

/* FNV-1a over what names a UE. Captures are looked at by their owner; nothing is gained by making this collide. */
static uint32_t
hash_octets(uint32_t hash, const void *octets, size_t byte_count)
{
	const uint8_t *at = octets;

	for (size_t i = 0; i < byte_count; i++)
		hash = (hash ^ at[i]) * 0x01000193U;
	return hash;
}

static uint32_t
address_hash(const struct fan_ue_address *address)
{
	uint32_t hash = hash_octets(0x811c9dc5U, address->plain ? address->ipv4 : address->next_hop, address->ipv6 ? 16 : 4);

	if (!address->nas)
		return hash_octets(hash, &address->teid, sizeof(address->teid));
	hash = hash_octets(hash, &address->mme_ue_id, sizeof(address->mme_ue_id));
	return hash_octets(hash, &address->ran_ue_id, sizeof(address->ran_ue_id));
}

static bool
address_equal(const struct fan_ue_address *a, const struct fan_ue_address *b)
{
	if (a->plain || b->plain)
		return a->plain && b->plain && memcmp(a->ipv4, b->ipv4, sizeof(a->ipv4)) == 0;
	if (a->ipv6 != b->ipv6 || a->nas != b->nas || memcmp(a->next_hop, b->next_hop, a->ipv6 ? 16 : 4) != 0)
		return false;
	if (!a->nas)
		return a->teid == b->teid;
	return a->five_g == b->five_g && a->mme_ue_id == b->mme_ue_id && a->ran_ue_id == b->ran_ue_id;
}

/* The slot that holds an address, or the empty one where it belongs. */
static uint32_t *
find_slot(const struct check *check, const struct fan_ue_address *address)
{
	uint32_t slot = address_hash(address) & check->slot_mask;

	while (check->slots[slot] != SLOT_EMPTY) {
		struct fan_ue_address there = row_address(&check->ues[check->slots[slot]].row);

		if (address_equal(&there, address))
			break;
		slot = (slot + 1) & check->slot_mask;
	}
	return &check->slots[slot];
}

static bool
add_row(struct check *check, const struct fan_contexts_row *row, uint64_t line_number)
{
	if (check->ue_count == check->ue_room) {
		uint32_t room = check->ue_room == 0 ? 1024 : 2 * check->ue_room;
		struct check_ue *ues = realloc(check->ues, room * sizeof(*ues));

		if (ues == NULL)
			return false;
		check->ues = ues;
		check->ue_room = room;
	}
	check->ues[check->ue_count++] = (struct check_ue){ .row = *row, .line_number = line_number };
	return true;
}

/* Twice as many slots as UEs at the least. */
static int
index_rows(struct check *check)
{
	uint32_t slots = 16;

	while (slots < 2 * check->ue_count)
		slots *= 2;
	check->slot_mask = slots - 1;
	check->slots = malloc(slots * sizeof(*check->slots));
	if (check->slots == NULL)
		return fan_command_fail(check->command, FAN_EXIT_FAILED,
					"--contexts: %u UEs are too many for this machine's memory", check->ue_count);
	memset(check->slots, 0xff, slots * sizeof(*check->slots));
	for (uint32_t i = 0; i < check->ue_count; i++) {
		struct fan_ue_address address = row_address(&check->ues[i].row);
		uint32_t *slot = find_slot(check, &address);

		if (*slot != SLOT_EMPTY)
			return fan_command_fail(check->command, FAN_EXIT_USAGE,
						"--contexts %s: line %" PRIu64 ": %s: the same as on line %" PRIu64,
						check->chosen->contexts, check->ues[i].line_number,
						address.plain ? "ue_ip"
						: address.nas ? "next_hop and mme_ue_id, ran_ue_id"
							      : "next_hop and teid",
						check->ues[*slot].line_number);
		*slot = i;
	}
	return FAN_EXIT_OK;
}

static bool
is_stdin(const char *path)
{
	return path != NULL && strcmp(path, "-") == 0;
}

static int
read_contexts(struct check *check)
{
	const char *path = check->chosen->contexts;
	const bool piped = is_stdin(path);
	FILE *file = piped ? stdin : fopen(path, "re");
	struct fan_contexts_row row;
	uint64_t line_number = 0;
	char wrong[256];
	int got, exit_code = FAN_EXIT_OK;

	if (file == NULL)
		return fan_command_fail(check->command, FAN_EXIT_USAGE, "--contexts %s: %s", path, strerror(errno));
	while ((got = fan_contexts_csv_read(file, &row, &line_number, wrong, sizeof(wrong))) > 0) {
		if (row.profile == FAN_PROFILE_MBMS_MSK) {
			(void)snprintf(wrong, sizeof(wrong), "line %lu: mbms-msk, of which the file has no B-TIDs",
				       line_number);
			got = -1;
			break;
		}
		if (check->ue_count == UINT32_MAX / 4 || !add_row(check, &row, line_number)) {
			exit_code = fan_command_fail(check->command, FAN_EXIT_FAILED, "--contexts %s: no memory beyond %u UEs",
						     path, check->ue_count);
			break;
		}
	}
	if (got < 0)
		exit_code = fan_command_fail(check->command, FAN_EXIT_USAGE, "--contexts %s: %s", path, wrong);
	if (!piped)
		fclose(file);
	return exit_code == FAN_EXIT_OK ? index_rows(check) : exit_code;
}

/* ---- Frames ------------------------------------------------------------------------------------------------------------ */

static bool
find_ue(void *user, struct fan_ue_subscriber *subscriber, struct fan_ue_state **state, const struct fan_ue_address *address)
{
	struct check *check = user;
	uint32_t slot = *find_slot(check, address);
	const struct fan_contexts_row *row;

	if (slot == SLOT_EMPTY)
		return false;
	check->found = &check->ues[slot];
	row = &check->found->row;
	*subscriber = (struct fan_ue_subscriber){
		.kind = (uint8_t)fan_profile_kind(row->profile),
		.cipher = row->cipher,
		.integrity = row->integrity,
		.bearer = row->bearer,
		.sdap = check->chosen->any_sdap,
		.raw = strcmp(check->chosen->sdu, "raw") == 0,
		.first_count = row->count,
	};
	memcpy(subscriber->k_enc, row->k_enc, sizeof(subscriber->k_enc));
	memcpy(subscriber->k_int, row->k_int, sizeof(subscriber->k_int));
	memcpy(subscriber->ipv4, row->ue_ip, sizeof(subscriber->ipv4));
	*state = &check->found->state;
	return true;
}

/* Octet of an Ethernet frame, counted on from its type, behind a VLAN tag; 256 past its end. */
static unsigned
octet_at(const uint8_t *frame, size_t frame_bytes, size_t at)
{
	const bool tagged = frame_bytes > ETHERNET_TYPE_AT + 1 && frame[ETHERNET_TYPE_AT] == 0x81 &&
			    frame[ETHERNET_TYPE_AT + 1] == 0;

	at += ETHERNET_TYPE_AT + (tagged ? (size_t)VLAN_TAG_BYTES : 0);
	return at < frame_bytes ? frame[at] : 256;
}

/* Whether the IPv4 destination is the own address of a UE that is reached over SGi. */
static bool
is_for_an_address(const struct check *check, const uint8_t *frame, size_t frame_bytes)
{
	struct fan_ue_address address = { .plain = true };

	for (unsigned i = 0; i < sizeof(address.ipv4); i++)
		address.ipv4[i] = (uint8_t)octet_at(frame, frame_bytes, 2 + 16 + i);
	return *find_slot(check, &address) != SLOT_EMPTY;
}

/*
 * Whether a frame of a live link is for a UE at all: UDP to one of the ports of S1AP, NGAP and GTP-U (as ue.h has it), and in GTP-U user
 * data, or to a UE's own address over SGi. Everything else (ARP, TCP, echo requests, error indications, later fragments) is none of ours, however it looks.
 */
static bool
is_for_a_ue(const struct check *check, const uint8_t *frame, size_t frame_bytes)
{
	const unsigned type = octet_at(frame, frame_bytes, 0) << 8 | octet_at(frame, frame_bytes, 1);
	const bool ipv4 = type == 0x0800;
	const unsigned protocol = octet_at(frame, frame_bytes, 2 + (ipv4 ? 9 : 6));
	const unsigned fragment = ipv4 ? (octet_at(frame, frame_bytes, 2 + 6) << 8 | octet_at(frame, frame_bytes, 2 + 7)) &
						  0x1fff
				       : 0;
	const size_t udp_at = 2 + (ipv4 ? 4 * (octet_at(frame, frame_bytes, 2) & 0x0f) : 40);
	const unsigned port = octet_at(frame, frame_bytes, udp_at + 2) << 8 | octet_at(frame, frame_bytes, udp_at + 3);

	if ((!ipv4 && type != 0x86dd) || protocol != IPPROTO_UDP || fragment != 0)
		return false;
	if (port == PORT_GTPU)
		return octet_at(frame, frame_bytes, udp_at + 8 + 1) == GTPU_G_PDU;
	return port == PORT_S1AP || port == PORT_NGAP || (ipv4 && is_for_an_address(check, frame, frame_bytes));
}

static void
show_failure(struct check *check, const char *what)
{
	if (check->failures_shown++ >= FAILURES_SHOWN)
		return;
	if (check->found != NULL)
		fprintf(stderr, "frame %" PRIu64 ": %s (UE %" PRIu32 ", %s)\n", check->frames, what, check->found->row.ue,
			fan_profile_name(check->found->row.profile));
	else
		fprintf(stderr, "frame %" PRIu64 ": %s\n", check->frames, what);
}

static void
note_served(struct check *check, struct check_ue *ue)
{
	check->served += !ue->served;
	ue->served = true;
}

/* Any number of messages may follow each other: a finished one makes room for the next. */
static void
compare(struct check *check, struct check_ue *ue, const struct fan_ue_delivery *delivery)
{
	enum fan_reception_outcome outcome;

	/* QFI is a matter of the bearer's set-up, which the contexts file does not tell. */
	check->reception.sdap_qfi = delivery->sdap_qfi;
	outcome = fan_reception_take(&check->reception, delivery, ue->row.profile, -1);
	check->outcomes[outcome]++;
	if (outcome == FAN_RECEPTION_PART)
		return;
	if (outcome == FAN_RECEPTION_COMPLETE)
		note_served(check, ue);
	else
		show_failure(check, fan_reception_name(outcome));
	fan_reception_reset(&ue->state);
}

static void
take_frame(struct check *check, struct fan_ue_receiver *receiver, const uint8_t *frame, const struct pcap_pkthdr *header)
{
	struct fan_ue_delivery delivery;
	enum fan_ue_verdict verdict;

	check->frames++;
	if (!is_for_a_ue(check, frame, header->caplen)) {
		check->others++;
		return;
	}
	check->truncated += header->caplen < header->len;
	check->found = NULL;
	verdict = fan_ue_receive(receiver, &delivery, frame, header->caplen);
	check->verdicts[check->found == NULL ? FAN_PROFILE_COUNT : check->found->row.profile][verdict]++;
	if (verdict != FAN_UE_ACCEPTED || check->found == NULL)
		show_failure(check, fan_ue_verdict_name(verdict));
	else if (check->compare)
		compare(check, check->found, &delivery);
	else
		note_served(check, check->found);
}

static int
read_capture(struct check *check)
{
	char error[PCAP_ERRBUF_SIZE];
	struct fan_ue_receiver *receiver;
	struct pcap_pkthdr *header;
	const uint8_t *frame;
	pcap_t *capture = pcap_open_offline(check->chosen->capture, error);
	int got, exit_code = FAN_EXIT_OK;

	if (capture == NULL)
		return fan_command_fail(check->command, FAN_EXIT_USAGE, "--pcap %s: %s", check->chosen->capture, error);
	receiver = fan_ue_receiver_open(find_ue, check);
	if (pcap_datalink(capture) != DLT_EN10MB) {
		exit_code = fan_command_fail(check->command, FAN_EXIT_USAGE, "--pcap %s: not a capture of Ethernet frames",
					     check->chosen->capture);
	} else if (receiver == NULL) {
		exit_code = fan_command_fail(check->command, FAN_EXIT_FAILED, "no memory for the UE side's receiver");
	} else {
		while ((got = pcap_next_ex(capture, &header, &frame)) == 1)
			take_frame(check, receiver, frame, header);
		if (got != PCAP_ERROR_BREAK)
			exit_code = fan_command_fail(check->command, FAN_EXIT_USAGE, "--pcap %s: after frame %" PRIu64 ": %s",
						     check->chosen->capture, check->frames, pcap_geterr(capture));
	}
	if (receiver != NULL)
		fan_ue_receiver_close(receiver);
	pcap_close(capture);
	return exit_code;
}

/* ---- Result ------------------------------------------------------------------------------------------------------------ */

static uint64_t
accepted(const struct check *check)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++)
		sum += check->verdicts[i][FAN_UE_ACCEPTED];
	return sum;
}

/* Frames that broke off, wrong content, and messages of which parts are missing at the end. */
static uint64_t
faults(const struct check *check)
{
	uint64_t sum = check->frames - check->others - accepted(check);

	for (unsigned i = 0; i < FAN_RECEPTION_COUNT; i++)
		sum += i == FAN_RECEPTION_COMPLETE || i == FAN_RECEPTION_PART ? 0 : check->outcomes[i];
	for (uint32_t i = 0; i < check->ue_count; i++)
		sum += check->ues[i].state.received_parts > 0;
	return sum;
}

static const char *
row_name(unsigned profile)
{
	return profile == FAN_PROFILE_COUNT ? "unknown" : fan_profile_name((enum fan_profile)profile);
}

static void
print_table(const struct check *check)
{
	printf("%-14s %-20s %14s\n", "profile", "verdict", "frames");
	for (unsigned i = 0; i <= FAN_PROFILE_COUNT; i++) {
		for (unsigned j = 0; j < FAN_UE_VERDICT_COUNT; j++) {
			if (check->verdicts[i][j] > 0)
				printf("%-14s %-20s %14" PRIu64 "\n", row_name(i), fan_ue_verdict_name((enum fan_ue_verdict)j),
				       check->verdicts[i][j]);
		}
	}
	for (unsigned i = 0; i < FAN_RECEPTION_COUNT; i++) {
		if (check->outcomes[i] > 0)
			printf("%-14s %-20s %14" PRIu64 "\n", "message", fan_reception_name((enum fan_reception_outcome)i),
			       check->outcomes[i]);
	}
	if (check->others > 0)
		printf("%-14s %-20s %14" PRIu64 "\n", "other traffic", "not looked at", check->others);
	printf("%" PRIu64 " frames; %" PRIu64 " of %" PRIu32 " UEs %s; %" PRIu64 " at fault\n", check->frames, check->served,
	       check->ue_count, check->compare ? "have the whole message" : "were reached", faults(check));
}

static json_t *
verdicts_object(const struct check *check, unsigned profile)
{
	json_t *object = json_object();

	for (unsigned j = 0; j < FAN_UE_VERDICT_COUNT; j++) {
		if (check->verdicts[profile][j] > 0)
			json_object_set_new(object, fan_ue_verdict_name((enum fan_ue_verdict)j),
					    json_integer((json_int_t)check->verdicts[profile][j]));
	}
	return object;
}

static bool
print_json(const struct check *check)
{
	json_t *object = json_object(), *profiles = json_object(), *messages = json_object();
	bool good;

	for (unsigned i = 0; i <= FAN_PROFILE_COUNT; i++) {
		json_t *verdicts = verdicts_object(check, i);

		if (json_object_size(verdicts) > 0)
			json_object_set(profiles, row_name(i), verdicts);
		json_decref(verdicts);
	}
	for (unsigned i = 0; i < FAN_RECEPTION_COUNT; i++) {
		if (check->outcomes[i] > 0)
			json_object_set_new(messages, fan_reception_name((enum fan_reception_outcome)i),
					    json_integer((json_int_t)check->outcomes[i]));
	}
	json_object_set_new(object, "frames", json_integer((json_int_t)check->frames));
	json_object_set_new(object, "other_traffic", json_integer((json_int_t)check->others));
	json_object_set_new(object, "accepted", json_integer((json_int_t)accepted(check)));
	json_object_set_new(object, "faults", json_integer((json_int_t)faults(check)));
	json_object_set_new(object, "ues", json_integer((json_int_t)check->ue_count));
	json_object_set_new(object, "ues_served", json_integer((json_int_t)check->served));
	json_object_set_new(object, "profiles", profiles);
	json_object_set_new(object, "messages", messages);
	good = json_dumpf(object, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;
	json_decref(object);
	return good;
}

static int
report(const struct check *check)
{
	if (check->failures_shown > FAILURES_SHOWN)
		fprintf(stderr, "and %u more\n", check->failures_shown - FAILURES_SHOWN);
	if (!check->chosen->json)
		print_table(check);
	else if (!print_json(check))
		return fan_command_fail(check->command, FAN_EXIT_FAILED, "stdout: the result could not be written");
	if (check->truncated > 0)
		return fan_command_fail(check->command, FAN_EXIT_FAILED,
					"--pcap %s: %" PRIu64 " frames are cut short in the capture", check->chosen->capture,
					check->truncated);
	if (check->frames == check->others)
		return fan_command_fail(check->command, FAN_EXIT_FAILED, "--pcap %s: holds no frame%s", check->chosen->capture,
					check->others > 0 ? " for a UE, but other traffic alone" : "");
	if (faults(check) > 0)
		return fan_command_fail(check->command, FAN_EXIT_FAILED, "%" PRIu64 " frames or messages at fault",
					faults(check));
	return FAN_EXIT_OK;
}

/* ---- The command ------------------------------------------------------------------------------------------------------- */

static int
read_message(struct check *check, uint8_t **bytes)
{
	const struct chosen *chosen = check->chosen;
	size_t byte_count = 0;
	FILE *file;

	if (chosen->message_file != NULL && chosen->text != NULL)
		return fan_command_fail(check->command, FAN_EXIT_USAGE, "--message and --text: give one of the two");
	if (chosen->message_file == NULL && chosen->text == NULL)
		return FAN_EXIT_OK;
	*bytes = malloc(MESSAGE_BYTES_MAX);
	file = chosen->text != NULL ? NULL : is_stdin(chosen->message_file) ? stdin : fopen(chosen->message_file, "rbe");
	if (*bytes == NULL || (chosen->text == NULL && file == NULL))
		return fan_command_fail(check->command, FAN_EXIT_USAGE, "--message %s: %s",
					chosen->message_file == NULL ? "" : chosen->message_file, strerror(errno));
	if (file != NULL) {
		byte_count = fread(*bytes, 1, MESSAGE_BYTES_MAX, file);
		if (file != stdin)
			fclose(file);
	} else {
		byte_count = strnlen(chosen->text, MESSAGE_BYTES_MAX);
		memcpy(*bytes, chosen->text, byte_count);
	}
	if (byte_count == 0)
		return fan_command_fail(check->command, FAN_EXIT_USAGE,
					"the message to compare with is empty or cannot be read");
	fan_message_init(&check->message, *bytes, byte_count);
	check->message.raw = strcmp(chosen->sdu, "raw") == 0;
	check->compare = true;
	if (fan_reception_init(&check->reception, &check->message) != 0)
		return fan_command_fail(check->command, FAN_EXIT_FAILED, "%s", fan_error_detail());
	return FAN_EXIT_OK;
}

static int
run(const struct fan_command *command, int argc, char **argv)
{
	struct chosen chosen = { .sdu = "ip" };
	struct check check = { .command = command, .chosen = &chosen };
	uint8_t *bytes = NULL;
	int rest, exit_code;
	enum fan_parsed parsed = fan_command_parse(command, &chosen, &rest, argc, argv);

	if (parsed != FAN_PARSED)
		return parsed == FAN_PARSED_HELP ? FAN_EXIT_OK : FAN_EXIT_USAGE;
	if (chosen.capture == NULL || chosen.contexts == NULL)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--pcap and --contexts: both are needed");
	if (is_stdin(chosen.capture) + is_stdin(chosen.contexts) + is_stdin(chosen.message_file) > 1)
		return fan_command_fail(command, FAN_EXIT_USAGE, "--pcap, --contexts and --message: stdin can be one of them");
	exit_code = read_message(&check, &bytes);
	if (exit_code == FAN_EXIT_OK)
		exit_code = read_contexts(&check);
	if (exit_code == FAN_EXIT_OK)
		exit_code = read_capture(&check);
	if (exit_code == FAN_EXIT_OK)
		exit_code = report(&check);
	fan_reception_free(&check.reception);
	free(check.slots);
	free(check.ues);
	free(bytes);
	return exit_code;
}

const struct fan_command fan_command_check = {
	.name = "check",
	.summary = "Opens every frame of a capture as its UE would",
	.operands = "",
	.text = "Prints, per profile, what became of the frames; the first few that failed go to stderr with their number. Frames that\n"
		"are for no UE (anything but UDP to the ports of S1AP, NGAP and GTP-U, and GTP-U that is no user data) are counted\n"
		"apart as other traffic.\n\n"
		"Exit codes: 0 every frame for a UE was accepted and, where a message was given, held it; 1 some were not; 2 wrong options, or\n"
		"a contexts file or capture that cannot be read (its line and field are named).",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
