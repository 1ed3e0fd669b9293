/* SPDX-License-Identifier: BSD-3-Clause */
/* For mkdtemp() and usleep(). */
#define _DEFAULT_SOURCE
/*
 * An appliance that keeps: a first life leases a UE, accepts a message and ends; a second one finds both in the store and goes on. For the
 * two to be one program, the second opens what the first has closed; kill -9 in between would change nothing.
 *
 *	cc kept_message.c $(pkg-config --cflags --libs fanfare) && ./a.out
 */
#include <fanfare.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/kept_message.XXXXXX", store[64], key_file[64];

static void
must(int error, const char *what)
{
	if (error >= 0)
		return;
	fprintf(stderr, "%s: %s: %s\n", what, fan_error_name(error), fan_error_detail());
	exit(EXIT_FAILURE);
}

static struct fanfare *
open_appliance(void)
{
	struct fan_options options;
	struct fanfare *fanfare;

	fan_options_init(&options);
	options.egress = "net_null";
	options.store = store;
	options.store_key_file = key_file;
	options.store_create = true;
	must(fan_open(&fanfare, &options), "fan_open");
	return fanfare;
}

/* What is provisioned is durable when the calls return; the message is when fan_sync() does. */
static fan_message_id
first_life(void)
{
	struct fanfare *fanfare = open_appliance();
	struct fan_next_hop relay;
	struct fan_ue ue;
	struct fan_group *valley;
	struct fan_message message;
	fan_context_id id;
	fan_message_id message_id;

	fan_next_hop_init(&relay);
	memcpy(relay.ethernet, (const uint8_t[]){ 2, 0, 0, 0, 0, 1 }, 6);
	memcpy(relay.address, (const uint8_t[]){ 198, 51, 100, 1 }, 4);
	must(fan_next_hop_add(fanfare, &relay), "fan_next_hop_add");
	fan_ue_init(&ue, FAN_KIND_EPS_NAS);
	ue.cipher = 2;
	ue.integrity = 2;
	memset(ue.k_enc, 0x11, sizeof(ue.k_enc));
	memset(ue.k_int, 0x22, sizeof(ue.k_int));
	ue.count_reserved = 1000;
	ue.bearer_id = 5;
	ue.identity = "001010000000001";
	must(fan_ue_add(fanfare, &id, &ue), "fan_ue_add");
	must(fan_group_create(fanfare, &valley, "valley@flood.example"), "fan_group_create");
	must(fan_group_add(valley, id, FAN_PROFILE_EPS_NAS_NIDD), "fan_group_add");
	fan_message_init(&message, "The river is rising.", 20);
	must(fan_send(fanfare, &message_id, valley, &message, NULL, NULL), "fan_send");
	must(fan_sync(fanfare), "fan_sync");
	must(fan_close(fanfare), "fan_close");
	return message_id;
}

static void
second_life(fan_message_id message_id)
{
	struct fanfare *fanfare = open_appliance();
	struct fan_message_status status;
	fan_context_id id;
	uint32_t next_count;
	int left;

	while ((left = fan_poll(fanfare)) > 0)
		usleep(1000);
	must(left, "fan_poll");
	fan_message_status_init(&status);
	must(fan_message_status(fanfare, &status, message_id), "fan_message_status");
	if (fan_ue_lookup(fanfare, &id, 1, "001010000000001") != 1) {
		fprintf(stderr, "the UE is not there\n");
		exit(EXIT_FAILURE);
	}
	must(fan_ue_count(fanfare, &next_count, NULL, NULL, id), "fan_ue_count");
	printf("message %lu to %s: %s, %lu of %lu sent; the UE's next COUNT is %u\n", (unsigned long)message_id, status.gid,
	       fan_message_state_name(status.state), (unsigned long)status.result.sent, (unsigned long)status.result.ues,
	       next_count);
	must(fan_close(fanfare), "fan_close");
}

int
main(void)
{
	FILE *file;

	if (mkdtemp(directory) == NULL) {
		perror(directory);
		return EXIT_FAILURE;
	}
	snprintf(store, sizeof(store), "%s/store", directory);
	snprintf(key_file, sizeof(key_file), "%s/key", directory);
	umask(077); /* the key is its owner's alone */
	file = fopen(key_file, "w");
	if (file == NULL || fputs("an example's key, not a secret!!", file) == EOF || fclose(file) != 0) {
		perror(key_file);
		return EXIT_FAILURE;
	}
	second_life(first_life());
	return EXIT_SUCCESS;
}
