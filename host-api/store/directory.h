/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The directory of a store: whose it is, which process has it, and whether it is where it was made.
 */
#ifndef FAN_DIRECTORY_H
#define FAN_DIRECTORY_H

#include "../../dataplane/context/error.h"

#include <stdbool.h>

#define FAN_DIRECTORY_BYTES 240 /* a path, its closing zero included */

/* Takes a directory of mode 0700 that is this user's, for this process alone. Out: *holder, whose closing gives it back, as the end of the
 * process does, however it ends. In: create, make it when it is not there. INVALID, NOT_FOUND, IO, BUSY (names who has it); *holder is
 * then -1. */
int fan_directory_hold(int *holder, const char *directory, bool create);
/* Makes the names of the files in it durable. IO. */
int fan_directory_sync(const char *directory);

/* Where a file may be used. It has no gaps. */
struct fan_place {
	uint8_t machine[16]; /* a hash of /etc/machine-id */
	uint64_t inode;
	int64_t born_ns; /* when that inode was created; 0: the file system does not tell */
};

/* IO. */
int fan_directory_place(struct fan_place *place, const char *file);

#endif
