/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A folder of its own for a store and its key, and a disk that fails when it is told to: pwrite(), writev() and fdatasync() of every test
 * program are those of store_fixture.c, for LMDB too.
 *
 *	TestSuite(name, .init = fan_test_store_set_up, .fini = fan_test_store_tear_down);
 */
#ifndef FAN_TEST_STORE_FIXTURE_H
#define FAN_TEST_STORE_FIXTURE_H

#include <stddef.h>
#include <sys/types.h>

/* In a new folder under $TMPDIR; the directory of the store is not made, its key file is there. */
struct fan_test_store_paths {
	char top[64], directory[128], data[160], key[128];
};

extern struct fan_test_store_paths fan_test_store;

#define FAN_TEST_KEK "kek-kek-kek-kek-kek-kek-kek-kek" /* with its closing zero, what is in the key file */

void fan_test_store_set_up(void);
void fan_test_store_tear_down(void);
void fan_test_write_file(const char *path, const void *octets, size_t octet_count, mode_t mode);

/* From the write-th write or sync on (1 is the next), `times` of them fail with that errno; times 0: none does. */
void fan_test_disk_fail(unsigned write, unsigned times, int error);

#endif
