/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

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

/* These take the places of the C library's in this program, LMDB included. */
ssize_t
pwrite(int fd, const void *octets, size_t octet_count, off_t at)
{
	return fails() ? -1 : syscall(SYS_pwrite64, fd, octets, octet_count, at);
}

ssize_t
writev(int fd, const struct iovec *pieces, int piece_count)
{
	return fails() ? -1 : syscall(SYS_writev, fd, pieces, piece_count);
}

int
fdatasync(int fd)
{
	return fails() ? -1 : (int)syscall(SYS_fdatasync, fd);
}

/* ---- A store in a folder of its own ------------------------------------------------------------------------------------------ */

struct fan_test_store_paths fan_test_store;

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
	(void)snprintf(paths->key, sizeof(paths->key), "%s/kek", paths->top);
	fan_test_write_file(paths->key, FAN_TEST_KEK, sizeof(FAN_TEST_KEK), 0600);
}

static int
remove_one(const char *path, const struct stat *stat, int kind, struct FTW *at)
{
	(void)stat, (void)kind, (void)at;
	return remove(path);
}

void
fan_test_store_tear_down(void)
{
	(void)nftw(fan_test_store.top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
