/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the store costs: import of UEs with the checkpoints of their blocks, opening, reading all of them, and the durable write of one
 * message to all of them (the message and the marks that cover it).
 *
 *	bench_store DIRECTORY [ues=1000000] [messages=100]     DIRECTORY must not be there, and is left behind
 */
#define _GNU_SOURCE
#include "../host-api/store/store.h"
#include "arguments.h"
#include "slices.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define UES_A_COMMIT 100000
#define NAME_BYTES 200

static const struct fan_protection table = { .kind = FAN_KIND_EPS_NAS, .cipher = 2, .integrity = 2, .bearer_id = 5 };
static struct fan_store_options options = { .create = true };
static struct fan_store *store;

static void
must(int error)
{
	if (error == 0)
		return;
	fprintf(stderr, "bench_store: %s\n", fan_error_detail());
	exit(1);
}

static void
put_ue(uint32_t i)
{
	struct fan_record record = { .kind = FAN_RECORD_UE };
	struct fan_ue *const ue = &record.ue.ue;

	record.ue.table = table;
	record.ue.slot = i;
	(void)snprintf(record.ue.identity, sizeof(record.ue.identity), "00101%010u", i);
	record.ue.reachable = true;
	fan_ue_init(ue, table.kind);
	ue->cipher = table.cipher;
	ue->integrity = table.integrity;
	memcpy(ue->k_enc, &i, sizeof(i));
	memcpy(ue->k_int + 4, &i, sizeof(i));
	ue->count_reserved = 1U << 20;
	ue->ue = i;
	ue->mme_ue_id = i;
	ue->ran_ue_id = i & 0xffffff;
	ue->bearer_id = table.bearer_id;
	must(fan_store_put(store, &record));
}

static void
put_checkpoint(uint32_t block)
{
	struct fan_record record = { .kind = FAN_RECORD_CHECKPOINT };

	record.checkpoint.table = table;
	record.checkpoint.block = block;
	must(fan_store_put(store, &record));
}

static void
import(uint32_t ues)
{
	for (uint32_t first = 0; first < ues; first += UES_A_COMMIT) {
		must(fan_store_begin(store));
		for (uint32_t i = first; i < ues && i < first + UES_A_COMMIT; i++) {
			put_ue(i);
			if (i % FAN_BLOCK_CONTEXTS == 0)
				put_checkpoint(i / FAN_BLOCK_CONTEXTS);
		}
		must(fan_store_commit(store));
	}
}

/* One message to all UEs: it, and all marks. */
static void
put_message(uint64_t id, uint32_t ues)
{
	static const uint8_t octets[118] = { 1 };
	struct fan_record record = { .kind = FAN_RECORD_MESSAGE };

	record.message.id = id;
	memcpy(record.message.gid, "valley@flood.example", 21);
	fan_message_init(&record.message.message, octets, sizeof(octets));
	must(fan_store_put(store, &record));
	record = (struct fan_record){ .kind = FAN_RECORD_MARKS };
	record.marks.table = table;
	memset(record.marks.mark, (int)(id % (FAN_MARK_MAX + 1)), sizeof(record.marks.mark));
	for (; (uint64_t)record.marks.first_block * FAN_BLOCK_CONTEXTS < ues; record.marks.first_block += FAN_MARKS_BLOCKS)
		must(fan_store_put(store, &record));
}

static void
messages(unsigned long count, uint32_t ues)
{
	for (uint64_t id = 1; id <= count; id++) {
		must(fan_store_begin(store));
		put_message(id, ues);
		must(fan_store_commit(store));
	}
}

static int
read_ue(void *user, const struct fan_record *record)
{
	*(uint64_t *)user += record->ue.ue.k_enc[0];
	return 0;
}

static void
measure(uint32_t ues, unsigned long message_count)
{
	char path[NAME_BYTES + 16];
	double begun_s = fan_slices_now_s();
	struct stat stat_now;
	uint64_t sum = 0;

	must(fan_store_open(&store, &options));
	import(ues);
	(void)snprintf(path, sizeof(path), "%s/data.mdb", options.directory);
	must(stat(path, &stat_now) == 0 ? 0 : FAN_E_IO);
	printf("import      %8.3f s, %.0f UEs/s, %.1f octets a UE\n", fan_slices_now_s() - begun_s,
	       ues / (fan_slices_now_s() - begun_s), (double)stat_now.st_size / ues);
	fan_store_close(store);
	begun_s = fan_slices_now_s();
	must(fan_store_open(&store, &options));
	printf("open        %8.3f s, every page checked\n", fan_slices_now_s() - begun_s);
	begun_s = fan_slices_now_s();
	must(fan_store_each(store, FAN_RECORD_UE, read_ue, &sum));
	printf("read        %8.3f s, %.0f UEs/s\n", fan_slices_now_s() - begun_s, ues / (fan_slices_now_s() - begun_s));
	begun_s = fan_slices_now_s();
	messages(message_count, ues);
	printf("message     %8.3f ms each to all UEs, durable\n", (fan_slices_now_s() - begun_s) * 1e3 / (double)message_count);
	fan_store_close(store);
}

int
main(int argc, char **argv)
{
	char key_file[NAME_BYTES + 8];
	unsigned long ues = 1000000, message_count = 100;
	int fd;

	for (int i = 2; i < argc; i++)
		if (!fan_argument_number(&ues, argv[i], "ues", 1, 100000000) &&
		    !fan_argument_number(&message_count, argv[i], "messages", 1, 1000000))
			argc = 0;
	if (argc < 2 || strlen(argv[1]) > NAME_BYTES) {
		fprintf(stderr, "usage: bench_store DIRECTORY [ues=N] [messages=N]\n");
		return 2;
	}
	options.directory = argv[1];
	(void)snprintf(key_file, sizeof(key_file), "%s.key", argv[1]);
	options.key_file = key_file;
	fd = open(key_file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	must(fd >= 0 && write(fd, "a key that keeps no secret at all", 32) == 32
		     ? 0
		     : fan_fail(FAN_E_IO, "%s cannot be written", key_file));
	(void)close(fd);
	measure((uint32_t)ues, message_count);
	return 0;
}
