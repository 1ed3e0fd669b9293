/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Records are large, and a step has several. */
#pragma GCC diagnostic ignored "-Wframe-larger-than="

struct fan_test_store_paths fan_test_store;

/* ---- A disk that fails when it is told to ----------------------------------------------------------------------------------- */

static unsigned writes_left; /* until the first write or sync that fails; 0: none does */
static unsigned failures;    /* how many fail from then on */
static int failure;

static bool
fails(void)
{
	if (failures == 0)
		return false;
	if (writes_left > 0 && --writes_left > 0)
		return false;
	failures--;
	errno = failure;
	return true;
}

void
fan_test_disk_fail(unsigned write, unsigned times, int error)
{
	writes_left = write;
	failures = times;
	failure = error;
}

/* ---- What a disk may have after a power loss --------------------------------------------------------------------------------- */

#define SECTOR_BYTES 512 /* a disk writes one as a whole, or not */

/* A write, or a sync where octets is NULL. */
struct event {
	uint8_t *octets; /* owned */
	size_t octet_count, at;
	bool durable;     /* when it has returned */
	const char *name; /* of the file */
};

static struct {
	bool running, lies;
	void (*before)(void);
	uint8_t *first; /* the file at the begin; owned */
	size_t first_bytes;
	struct event *events; /* owned */
	unsigned count, room;
} record;

/* The name of the file, finished or not. */
static const char *
name_of_file(void)
{
	return access(fan_test_store.data, F_OK) == 0 ? fan_test_store.data : fan_test_store.unfinished;
}

static bool
is_recorded(int fd)
{
	struct stat file, data;

	return record.running && fstat(fd, &file) == 0 && stat(name_of_file(), &data) == 0 && file.st_ino == data.st_ino &&
	       file.st_dev == data.st_dev;
}

/* Takes what was written; octets NULL for a sync. */
static void
note(int fd, const void *octets, size_t octet_count, off_t at)
{
	struct event *event;

	if (record.count == record.room) {
		record.room = 2 * record.room + 256;
		record.events = reallocarray(record.events, record.room, sizeof(*record.events));
		cr_assert_not_null(record.events);
	}
	event = &record.events[record.count++];
	*event = (struct event){ .octet_count = octet_count, .at = (size_t)at, .name = name_of_file() };
	if (octets == NULL)
		return;
	event->octets = malloc(octet_count + 1);
	cr_assert_not_null(event->octets);
	memcpy(event->octets, octets, octet_count);
	event->durable = (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
}

static void
note_pieces(int fd, const struct iovec *pieces, int piece_count, off_t at)
{
	size_t octet_count = 0, filled = 0;
	uint8_t *octets;

	for (int i = 0; i < piece_count; i++)
		octet_count += pieces[i].iov_len;
	octets = malloc(octet_count + 1);
	cr_assert_not_null(octets);
	for (int i = 0; i < piece_count; filled += pieces[i++].iov_len)
		memcpy(octets + filled, pieces[i].iov_base, pieces[i].iov_len);
	note(fd, octets, octet_count, at);
	free(octets);
}

static void
forget_record(void)
{
	for (unsigned i = 0; i < record.count; i++)
		free(record.events[i].octets);
	free(record.events);
	free(record.first);
	memset(&record, 0, sizeof(record));
}

void
fan_test_record_begin(void (*before)(void))
{
	const int fd = open(fan_test_store.data, O_RDONLY);
	struct stat stat_now = { .st_size = 0 };

	forget_record();
	cr_assert(fd < 0 || fstat(fd, &stat_now) == 0);
	record.first_bytes = (size_t)stat_now.st_size;
	record.first = malloc(record.first_bytes + 1);
	cr_assert_not_null(record.first);
	cr_assert(fd < 0 || read(fd, record.first, record.first_bytes) == (ssize_t)record.first_bytes);
	if (fd >= 0)
		(void)close(fd);
	record.before = before;
	record.running = true;
}

void
fan_test_record_end(void)
{
	record.running = false;
}

unsigned
fan_test_record_count(void)
{
	return record.count;
}

unsigned
fan_test_record_durable_writes(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < record.count; i++)
		count += record.events[i].durable;
	return count;
}

void
fan_test_disk_lie(bool lies)
{
	record.lies = lies;
}

/* An image of the file. */
struct image {
	uint8_t *octets;
	size_t octet_count, room;
};

/* Puts some sectors of a write: bit i % 64 of chosen is for the i-th. */
static void
put_sectors(struct image *image, const struct event *event, uint64_t chosen)
{
	size_t from = 0;

	for (unsigned i = 0; from < event->octet_count; i++) {
		const size_t left = event->octet_count - from, sector = SECTOR_BYTES - (event->at + from) % SECTOR_BYTES;
		const size_t octet_count = left < sector ? left : sector, end = event->at + from + octet_count;

		if ((chosen >> i % 64 & 1) != 0) {
			memcpy(image->octets + event->at + from, event->octets + from, octet_count);
			image->octet_count = end > image->octet_count ? end : image->octet_count;
		}
		from += octet_count;
	}
}

/* All of a write, nothing, its first sectors, or any of them. */
static uint64_t
choose_sectors(struct fan_test_random *random)
{
	switch (fan_test_random_below(random, 4)) {
	case 0:
		return UINT64_MAX;
	case 1:
		return 0;
	case 2:
		return (UINT64_C(1) << fan_test_random_below(random, 16)) - 1;
	default:
		return fan_test_random_next(random);
	}
}

/*
 * Writes that lie over each other are put in their order: the kernel's cache has one content of a page, so that whenever it goes to the disk,
 * the disk has no older one after a newer. Which of them a sector shows is open all the same, since any of them may be left out.
 */
static void
make_image(struct image *image, unsigned point, struct fan_test_random *random)
{
	const unsigned kind = fan_test_random_below(random, 4); /* 0: all was written; 1: nothing was that need not be */
	unsigned synced = 0;
	size_t durable_bytes = record.first_bytes, end = durable_bytes;

	for (unsigned i = 0; i < point; i++)
		if (record.events[i].octets == NULL)
			synced = i;
	for (unsigned i = 0; i <= point && i < record.count; i++) {
		const struct event *const event = &record.events[i];
		const bool sure = i < synced || (event->durable && i < point);

		if (event->octets == NULL)
			continue;
		end = event->at + event->octet_count > end ? event->at + event->octet_count : end;
		put_sectors(image, event, sure || kind == 0 ? UINT64_MAX : kind == 1 ? 0 : choose_sectors(random));
		durable_bytes = sure && image->octet_count > durable_bytes ? image->octet_count : durable_bytes;
	}
	/* The length may be older than the content, and newer. */
	if (kind == 2)
		image->octet_count = durable_bytes + fan_test_random_below(random, (uint32_t)(end - durable_bytes) + 1);
	if (kind == 3 && fan_test_random_below(random, 2) == 0)
		image->octet_count = end;
}

/* Returns a descriptor of the file under the name that it had. */
static int
open_to_replay(unsigned point)
{
	const char *const name = record.events[point > 0 ? point - 1 : 0].name;

	if (name == fan_test_store.unfinished) {
		(void)unlink(fan_test_store.data);
		(void)mkdir(fan_test_store.making, 0700);
	}
	return open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
}

void
fan_test_record_replay(unsigned point, struct fan_test_random *random)
{
	struct image image = { .octet_count = record.first_bytes, .room = record.first_bytes };
	const int fd = open_to_replay(point);

	for (unsigned i = 0; i < record.count; i++)
		if (record.events[i].at + record.events[i].octet_count > image.room)
			image.room = record.events[i].at + record.events[i].octet_count;
	image.octets = calloc(1, image.room + 1);
	cr_assert(fd >= 0 && image.octets != NULL);
	memcpy(image.octets, record.first, record.first_bytes);
	make_image(&image, point, random);
	cr_assert_eq(write(fd, image.octets, image.octet_count), (ssize_t)image.octet_count);
	free(image.octets);
	(void)close(fd);
}

/* ---- In the place of the C library's functions, for LMDB too -------------------------------------------------------------------- */

ssize_t
pwrite(int fd, const void *octets, size_t octet_count, off_t at)
{
	const bool recorded = is_recorded(fd);
	ssize_t written;

	if (recorded && record.before != NULL)
		record.before();
	if (fails())
		return -1;
	written = syscall(SYS_pwrite64, fd, octets, octet_count, at);
	if (recorded && written > 0)
		note(fd, octets, (size_t)written, at);
	return written;
}

ssize_t
writev(int fd, const struct iovec *pieces, int piece_count)
{
	const bool recorded = is_recorded(fd);
	const off_t at = recorded ? lseek(fd, 0, SEEK_CUR) : 0;
	ssize_t written;

	if (recorded && record.before != NULL)
		record.before();
	if (fails())
		return -1;
	written = syscall(SYS_writev, fd, pieces, piece_count);
	if (recorded && written > 0)
		note_pieces(fd, pieces, piece_count, at);
	return written;
}

int
fdatasync(int fd)
{
	const bool recorded = is_recorded(fd);
	int answer;

	if (recorded && record.before != NULL)
		record.before();
	if (fails())
		return -1;
	if (recorded && record.lies)
		return 0;
	answer = (int)syscall(SYS_fdatasync, fd);
	if (recorded && answer == 0)
		note(fd, NULL, 0, 0);
	return answer;
}

/* ---- A store in a folder of its own ------------------------------------------------------------------------------------------ */

void
fan_test_write_file(const char *path, const void *octets, size_t octet_count, mode_t mode)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert(fd >= 0 && write(fd, octets, octet_count) == (ssize_t)octet_count);
	cr_assert_eq(fchmod(fd, mode), 0);
	(void)close(fd);
}

void
fan_test_store_set_up(void)
{
	const char *const temporary = getenv("TMPDIR");
	struct fan_test_store_paths *const paths = &fan_test_store;

	(void)snprintf(paths->top, sizeof(paths->top), "%.40s/store.XXXXXX", temporary != NULL ? temporary : "/tmp");
	cr_assert_not_null(mkdtemp(paths->top));
	(void)snprintf(paths->directory, sizeof(paths->directory), "%s/store", paths->top);
	(void)snprintf(paths->data, sizeof(paths->data), "%s/data.mdb", paths->directory);
	(void)snprintf(paths->making, sizeof(paths->making), "%s/new", paths->directory);
	(void)snprintf(paths->unfinished, sizeof(paths->unfinished), "%s/data.mdb", paths->making);
	(void)snprintf(paths->key, sizeof(paths->key), "%s/kek", paths->top);
	fan_test_write_file(paths->key, FAN_TEST_KEK, sizeof(FAN_TEST_KEK), 0600);
}

static int
remove_one(const char *path, const struct stat *stat, int kind, struct FTW *at)
{
	(void)stat, (void)kind, (void)at;
	return remove(path);
}

struct fan_options
fan_test_store_options(void)
{
	struct fan_options options;

	fan_options_init(&options);
	options.egress = "net_null";
	options.store = fan_test_store.directory;
	options.store_key_file = fan_test_store.key;
	options.store_create = true;
	return options;
}

void
fan_test_store_tear_down(void)
{
	(void)nftw(fan_test_store.top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- Steps --------------------------------------------------------------------------------------------------------------------- */

#define KEPT 50 /* messages; older ones are deleted */

static const struct fan_protection table = { .kind = FAN_KIND_EPS_NAS, .cipher = 2, .integrity = 2, .bearer_id = 5 };

static struct fan_record
message_of(uint32_t n)
{
	static uint8_t text[9000];
	struct fan_record message = { .kind = FAN_RECORD_MESSAGE, .message.id = UINT64_C(0x100000000) + n };

	(void)snprintf(message.message.gid, sizeof(message.message.gid), "valley@flood.example");
	fan_message_init(&message.message.message, text, 1 + n * 700 % sizeof(text));
	memset(text, 'x', sizeof(text));
	return message;
}

int
fan_test_step_put(struct fan_store *store, uint32_t n)
{
	const struct fan_record message = message_of(n), former = message_of(n - KEPT);
	struct fan_record outcome = { .kind = FAN_RECORD_OUTCOME, .outcome.position = n };
	struct fan_record marks = { .kind = FAN_RECORD_MARKS, .marks.table = table };
	struct fan_record checkpoint = { .kind = FAN_RECORD_CHECKPOINT, .checkpoint.table = table };
	int error = fan_store_put(store, &message);

	marks.marks.mark[5] = n % 16;
	for (unsigned i = 0; i < FAN_BLOCK_CONTEXTS; i++)
		checkpoint.checkpoint.count[i] = n;
	if (error == 0)
		error = fan_store_put(store, &outcome);
	if (error == 0)
		error = fan_store_put(store, &marks);
	if (error == 0)
		error = fan_store_put(store, &checkpoint);
	return error == 0 && n > KEPT ? fan_store_delete(store, &former) : error;
}

static uint32_t
not_whole(const char *what, uint32_t n)
{
	fprintf(stderr, "step %u: %s: %s\n", n, what, fan_error_detail());
	return FAN_TEST_STEP_NONE;
}

uint32_t
fan_test_step_of(struct fan_store *store)
{
	struct fan_record outcome = { .kind = FAN_RECORD_OUTCOME }, marks = { .kind = FAN_RECORD_MARKS, .marks.table = table };
	struct fan_record checkpoint = { .kind = FAN_RECORD_CHECKPOINT, .checkpoint.table = table };
	const int error = fan_store_get(store, &outcome);
	const uint32_t n = error == 0 ? (uint32_t)outcome.outcome.position : 0;

	if (error != 0)
		return error == FAN_E_NOT_FOUND ? 0 : not_whole("outcome", n);
	if (fan_store_get(store, &marks) != 0 || marks.marks.mark[5] != n % 16)
		return not_whole("mark", n);
	if (fan_store_get(store, &checkpoint) != 0)
		return not_whole("checkpoint", n);
	for (unsigned i = 0; i < FAN_BLOCK_CONTEXTS; i++)
		if (checkpoint.checkpoint.count[i] != n)
			return not_whole("COUNT", n);
	for (uint32_t i = n > KEPT + 10 ? n - KEPT - 10 : 1; i < n + 3; i++) {
		struct fan_record message = { .kind = FAN_RECORD_MESSAGE, .message.id = message_of(i).message.id };

		if (fan_store_get(store, &message) != (i <= n && i + KEPT > n ? 0 : FAN_E_NOT_FOUND))
			return not_whole("message", i);
	}
	return n;
}

/* ---- Lives --------------------------------------------------------------------------------------------------------------------------- */

void
fan_test_live(void (*life)(void))
{
	const pid_t child = fork();
	int status;

	cr_assert_geq(child, 0);
	if (child == 0) {
		life();
		_exit(0);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL), "a life ended with status %#x",
		  (unsigned)status);
}
