/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What stands outside and writes down what leaves: records the frames of an interface, plays the UE that each is for, and says of each frame
 * what that UE made of it. It lives in a process of its own, so that it sees what a sender that is killed has sent.
 *
 *	witness CONTEXTS SEEN IFACE PCAP    until SIGTERM; PCAP takes the frames
 *	witness CONTEXTS SEEN FILE          the same of a recorded capture
 *
 * SEEN takes one struct seen for each frame. Exit code 0; 1 when something cannot be done; 3 when the kernel had no room for some frames.
 */
#include "../../host-api/control/contexts_csv.h"
#include "../../ue/ue.h"

#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES (256 << 20)
#define TIMEOUT_MS 10
#define NO_UE UINT32_MAX
#define NO_SERIAL UINT32_MAX
#define SERIAL_DIGITS 6 /* a text is "m000123 " again and again */

/* Of one frame, in this machine's order of octets. */
struct seen {
	uint32_t ue;     /* row of CONTEXTS, 0 for the first; NO_UE */
	uint32_t count;  /* as the UE estimates it */
	uint32_t serial; /* of the message, by its text; NO_SERIAL */
	uint8_t verdict; /* enum fan_ue_verdict */
	uint8_t part, parts;
	uint8_t zero;
};

struct subscriber {
	struct fan_contexts_row row;
	struct fan_ue_state state;
};

struct witness {
	struct subscriber *subscribers; /* owned */
	uint32_t count, room;
	uint32_t *slots; /* owned: rows by hash of the address, open addressing */
	uint32_t slot_mask;
	struct fan_ue_receiver *receiver;
	FILE *seen;
	pcap_dumper_t *dump; /* NULL: none */
	uint32_t found;      /* the row behind the frame in hand */
	uint64_t frames;
};

static volatile sig_atomic_t stopped;

static void
stop(int number)
{
	(void)number;
	stopped = 1;
}

static int
fail(const char *what, const char *why)
{
	(void)fprintf(stderr, "witness: %s: %s\n", what, why);
	return 1;
}

/* ---- Subscribers --------------------------------------------------------------------------------------------------------- */

static bool
is_nas(const struct fan_contexts_row *row)
{
	return fan_profile_kind(row->profile) == FAN_KIND_EPS_NAS || fan_profile_kind(row->profile) == FAN_KIND_5GS_NAS;
}

static bool
is_at(const struct fan_contexts_row *row, const struct fan_ue_address *address)
{
	if (is_nas(row) != address->nas || memcmp(row->next_hop, address->next_hop, row->ipv6 ? 16 : 4) != 0)
		return false;
	return address->nas ? row->mme_ue_id == address->mme_ue_id && row->ran_ue_id == address->ran_ue_id
			    : row->teid == address->teid;
}

static uint32_t
hash(const uint8_t next_hop[16], uint64_t first, uint64_t second)
{
	uint64_t mixed = first * UINT64_C(0x9e3779b97f4a7c15) + second;

	for (unsigned i = 0; i < 4; i++)
		mixed = (mixed ^ next_hop[i]) * UINT64_C(0x100000001b3);
	return (uint32_t)(mixed >> 32);
}

/* The slot that holds the UE of an address, or the empty one where it belongs. */
static uint32_t *
find_slot(const struct witness *witness, const struct fan_ue_address *address)
{
	uint32_t at = address->nas ? hash(address->next_hop, address->mme_ue_id, address->ran_ue_id)
				   : hash(address->next_hop, address->teid, 0);

	at &= witness->slot_mask;
	while (witness->slots[at] != NO_UE && !is_at(&witness->subscribers[witness->slots[at]].row, address))
		at = (at + 1) & witness->slot_mask;
	return &witness->slots[at];
}

static bool
find_ue(void *user, struct fan_ue_subscriber *subscriber, struct fan_ue_state **state, const struct fan_ue_address *address)
{
	struct witness *witness = user;
	struct subscriber *found;

	witness->found = *find_slot(witness, address);
	if (witness->found == NO_UE)
		return false;
	found = &witness->subscribers[witness->found];
	*subscriber = (struct fan_ue_subscriber){ .kind = (uint8_t)fan_profile_kind(found->row.profile),
						  .cipher = found->row.cipher,
						  .integrity = found->row.integrity,
						  .bearer = found->row.bearer,
						  .first_count = found->row.count };
	memcpy(subscriber->k_enc, found->row.k_enc, sizeof(subscriber->k_enc));
	memcpy(subscriber->k_int, found->row.k_int, sizeof(subscriber->k_int));
	memcpy(subscriber->ipv4, found->row.ue_ip, sizeof(subscriber->ipv4));
	*state = &found->state;
	return true;
}

static bool
add(struct witness *witness, const struct fan_contexts_row *row)
{
	if (witness->count == witness->room) {
		const uint32_t room = witness->room == 0 ? 4096 : 2 * witness->room;
		struct subscriber *subscribers = realloc(witness->subscribers, room * sizeof(*subscribers));

		if (subscribers == NULL)
			return false;
		witness->subscribers = subscribers;
		witness->room = room;
	}
	witness->subscribers[witness->count++] = (struct subscriber){ .row = *row };
	return true;
}

static int
index_subscribers(struct witness *witness)
{
	uint32_t slots = 1024;

	while (slots < 2 * witness->count)
		slots *= 2;
	witness->slot_mask = slots - 1;
	witness->slots = malloc(slots * sizeof(*witness->slots));
	if (witness->slots == NULL)
		return fail("contexts", "no memory");
	memset(witness->slots, 0xff, slots * sizeof(*witness->slots));
	for (uint32_t i = 0; i < witness->count; i++) {
		const struct fan_contexts_row *row = &witness->subscribers[i].row;
		struct fan_ue_address address = {
			.nas = is_nas(row), .teid = row->teid, .mme_ue_id = row->mme_ue_id, .ran_ue_id = row->ran_ue_id
		};

		memcpy(address.next_hop, row->next_hop, sizeof(address.next_hop));
		*find_slot(witness, &address) = i;
	}
	return 0;
}

static int
read_contexts(struct witness *witness, const char *path)
{
	FILE *file = fopen(path, "re");
	struct fan_contexts_row row;
	uint64_t line_number = 0;
	char wrong[256];
	int got = 1;

	if (file == NULL)
		return fail(path, strerror(errno));
	while (got > 0) {
		got = fan_contexts_csv_read(file, &row, &line_number, wrong, sizeof(wrong));
		if (got > 0 && !add(witness, &row)) {
			(void)snprintf(wrong, sizeof(wrong), "no memory");
			got = -1;
		}
	}
	(void)fclose(file);
	return got < 0 ? fail(path, wrong) : index_subscribers(witness);
}

/* ---- Frames -------------------------------------------------------------------------------------------------------------- */

/* The number behind the first "m" of a text that six digits follow. */
static uint32_t
read_serial(const uint8_t *data, size_t data_bytes)
{
	for (size_t at = 0; at + SERIAL_DIGITS < data_bytes; at++) {
		uint32_t serial = 0;
		size_t digits = 0;

		while (data[at] == 'm' && digits < SERIAL_DIGITS && data[at + 1 + digits] >= '0' &&
		       data[at + 1 + digits] <= '9')
			serial = 10 * serial + data[at + 1 + digits++] - '0';
		if (digits == SERIAL_DIGITS)
			return serial;
	}
	return NO_SERIAL;
}

static void
take_frame(uint8_t *user, const struct pcap_pkthdr *header, const uint8_t *frame)
{
	struct witness *witness = (struct witness *)(void *)user;
	struct seen seen = { .ue = NO_UE, .serial = NO_SERIAL };
	struct fan_ue_delivery delivery;

	/* The kernel's own frames, none of which is IPv4. */
	if (header->caplen < 14 || frame[12] != 0x08 || frame[13] != 0x00)
		return;
	if (witness->dump != NULL)
		pcap_dump((uint8_t *)witness->dump, header, frame);
	witness->found = NO_UE;
	memset(&delivery, 0, sizeof(delivery));
	seen.verdict = (uint8_t)fan_ue_receive(witness->receiver, &delivery, frame, header->caplen);
	seen.ue = witness->found;
	seen.count = delivery.count;
	if (seen.verdict == FAN_UE_ACCEPTED) {
		seen.part = delivery.form == FAN_UE_SMS ? delivery.sms_part : 1;
		seen.parts = delivery.form == FAN_UE_SMS ? delivery.sms_parts : 1;
		seen.serial = read_serial(delivery.data, delivery.data_bytes);
	}
	(void)fwrite(&seen, sizeof(seen), 1, witness->seen);
	witness->frames++;
}

static pcap_t *
open_interface(const char *name)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *live = pcap_create(name, error);

	if (live == NULL) {
		(void)fail(name, error);
		return NULL;
	}
	(void)pcap_set_snaplen(live, 2048);
	(void)pcap_set_timeout(live, TIMEOUT_MS);
	(void)pcap_set_buffer_size(live, BUFFER_BYTES);
	if (pcap_activate(live) >= 0 && pcap_setdirection(live, PCAP_D_IN) == 0 && pcap_setnonblock(live, 1, error) == 0)
		return live;
	(void)fail(name, pcap_geterr(live));
	pcap_close(live);
	return NULL;
}

/* Until it is told to stop and nothing more comes. Returns the exit code. */
static int
record(struct witness *witness, pcap_t *live)
{
	struct pollfd waiting = { .fd = pcap_get_selectable_fd(live), .events = POLLIN };
	struct pcap_stat stat;
	int got = 0;

	puts("ready");
	(void)fflush(stdout);
	while (got >= 0 && (!stopped || got > 0)) {
		(void)poll(&waiting, 1, TIMEOUT_MS);
		got = pcap_dispatch(live, -1, take_frame, (uint8_t *)witness);
		(void)fflush(witness->seen);
	}
	if (got < 0 || pcap_stats(live, &stat) != 0)
		return fail("interface", pcap_geterr(live));
	printf("frames %" PRIu64 " lost %u\n", witness->frames, stat.ps_drop);
	return stat.ps_drop > 0 ? 3 : 0;
}

static int
record_interface(struct witness *witness, const char *name, const char *path)
{
	pcap_t *live = open_interface(name);
	int exit_code = 1;

	if (live == NULL)
		return 1;
	witness->dump = pcap_dump_open(live, path);
	exit_code = witness->dump == NULL ? fail(path, pcap_geterr(live)) : record(witness, live);
	if (witness->dump != NULL)
		pcap_dump_close(witness->dump);
	pcap_close(live);
	return exit_code;
}

static int
read_capture(struct witness *witness, const char *path)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *capture = pcap_open_offline(path, error);
	int got;

	if (capture == NULL)
		return fail(path, error);
	got = pcap_dispatch(capture, -1, take_frame, (uint8_t *)witness);
	if (got < 0)
		(void)fail(path, pcap_geterr(capture));
	pcap_close(capture);
	printf("frames %" PRIu64 " lost 0\n", witness->frames);
	return got < 0;
}

int
main(int argc, char **argv)
{
	static struct witness witness;
	const struct sigaction action = { .sa_handler = stop };
	int exit_code;

	if (argc != 4 && argc != 5)
		return fail("arguments", "CONTEXTS SEEN IFACE PCAP, or CONTEXTS SEEN FILE");
	(void)sigaction(SIGTERM, &action, NULL);
	exit_code = read_contexts(&witness, argv[1]);
	if (exit_code != 0)
		return exit_code;
	witness.receiver = fan_ue_receiver_open(find_ue, &witness);
	witness.seen = fopen(argv[2], "we");
	if (witness.receiver == NULL || witness.seen == NULL)
		return fail(argv[2], witness.receiver == NULL ? "no memory" : strerror(errno));
	exit_code = argc == 5 ? record_interface(&witness, argv[3], argv[4]) : read_capture(&witness, argv[3]);
	if (fclose(witness.seen) != 0)
		exit_code = fail(argv[2], strerror(errno));
	fan_ue_receiver_close(witness.receiver);
	free(witness.subscribers);
	free(witness.slots);
	return exit_code;
}
