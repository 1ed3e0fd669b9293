/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A folder of its own for a store and its key, and a disk that fails or lies when it is told to, and that records what it is given:
 * pwrite(), writev() and fdatasync() of every test program are those of store_fixture.c, for LMDB too.
 *
 *	TestSuite(name, .init = fan_test_store_set_up, .fini = fan_test_store_tear_down);
 */
#ifndef FAN_TEST_STORE_FIXTURE_H
#define FAN_TEST_STORE_FIXTURE_H

#include "../host-api/fanfare.h"
#include "../host-api/store/store.h"
#include "batch.h"

#include <stddef.h>
#include <sys/types.h>

/* In a new folder under $TMPDIR; the directory of the store is not made, its key file is there. */
struct fan_test_store_paths {
	char top[64], directory[128], data[160], key[128];
	char making[144], unfinished[160]; /* folder and data file of a store that is not finished */
};

extern struct fan_test_store_paths fan_test_store;

#define FAN_TEST_KEK "kek-kek-kek-kek-kek-kek-kek-kek" /* with its closing zero, what is in the key file */

void fan_test_store_set_up(void);
void fan_test_store_tear_down(void);
/* Of an appliance that keeps its store there, made where there is none, and whose frames go to net_null. */
struct fan_options fan_test_store_options(void);
void fan_test_write_file(const char *path, const void *octets, size_t octet_count, mode_t mode);

/* A life of an appliance, in a child: it ends as `life` ends, or is killed. Fails the test when it ends otherwise. */
void fan_test_live(void (*life)(void));

/* From the write-th write or sync on (1 is the next), `times` of them fail with that errno; times 0: none does. */
void fan_test_disk_fail(unsigned write, unsigned times, int error);

/* ---- Steps: transactions that are whole or not ---- */

#define FAN_TEST_STEP_NONE UINT32_MAX

/* Puts the n-th step: a message, its outcome, the mark and the COUNTs of a block all say n. Returns the first error. */
int fan_test_step_put(struct fan_store *store, uint32_t n);
/* Returns the step that a store stands at, 0 before the first; STEP_NONE, with a line on stderr, when not all of one is there. */
uint32_t fan_test_step_of(struct fan_store *store);

/* ---- What a disk may have of the store's file after a power loss ---- */

/* Begins to record each write to the store's file, finished or not, and each sync of it; what is there now is durable. `before`, which may
 * be NULL, is called before each. */
void fan_test_record_begin(void (*before)(void));
/* Stops recording. The record stays until the next fan_test_record_begin(). */
void fan_test_record_end(void);
/* How many writes and syncs have returned. */
unsigned fan_test_record_count(void);
/* How many of the writes went through a descriptor that makes each durable before it returns. */
unsigned fan_test_record_durable_writes(void);
/* From here on fdatasync() returns 0 and does nothing. */
void fan_test_disk_lie(bool lies);
/* Leaves of the store's file what is there when the power goes after the first `point` writes and syncs have returned and the next is under
 * way, under the name that it had then. A file that was finished keeps its place. */
void fan_test_record_replay(unsigned point, struct fan_test_random *random);

#endif
