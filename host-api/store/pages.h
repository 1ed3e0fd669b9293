/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pages of LMDB's data file (format 1, of LMDB 0.9), read before LMDB reads them: LMDB trusts every octet of its file, and a flipped
 * one makes it crash, loop, or find another record.
 *
 * Its trees are checked from two roots down: that of the free pages and that of the databases by name. Every page says its own number, has the
 * shape of its kind, lies in the file and is reached once or free once; keys ascend, within pages and between them; a tree has the depth, the
 * pages and the entries that its root is told to have. What remains is whether a record is the right one: for each database the sum over all
 * of its records is taken, which the store compares with the one that it keeps sealed.
 *
 * There are two meta pages, of the last transaction and of the one before, each with a whole state of the store. fan_pages_find() reads the
 * records at the root of either.
 */
#ifndef FAN_PAGES_H
#define FAN_PAGES_H

#include "record.h"

struct fan_pages {
	uint8_t *map; /* of the whole file, for reading alone; NULL: it has no pages */
	size_t bytes;
	uint32_t page_bytes;
	int fd;
	char path[256];
};

/* What a database holds. */
struct fan_pages_tree {
	uint64_t entries;
	uint64_t sum; /* of fan_pages_term() over its records */
};

/* What a record adds to its database's sum: a hash of its key and of the tag that ends its value. */
uint64_t fan_pages_term(const void *key, size_t key_bytes, const void *value, size_t value_bytes);

/* Maps a data file; one that is not there, or has no octet yet, has map NULL. IO: the disk; or it has no two meta pages. */
int fan_pages_open(struct fan_pages *pages, const char *path);
void fan_pages_close(struct fan_pages *pages);

/* The transaction that a meta page (0 or 1) says it is of. */
uint64_t fan_pages_transaction(const struct fan_pages *pages, unsigned meta);
/* The last page that it says there is. */
uint64_t fan_pages_last(const struct fan_pages *pages, unsigned meta);
/* Whether a meta page has no root: nothing was committed to it yet. */
bool fan_pages_blank(const struct fan_pages *pages, unsigned meta);
/* Out: a record at the root of a meta page, in the map. False: there is none, or no such root. */
bool fan_pages_find(const struct fan_pages *pages, unsigned meta, const char *name, const uint8_t **value, size_t *value_bytes);

/* Checks everything under a meta page. Out: the trees by enum fan_record_kind, and the highest page that is in use or free. IO, naming the
 * page and its database. MEMORY. */
int fan_pages_check(const struct fan_pages *pages, unsigned meta, struct fan_pages_tree trees[FAN_RECORD_KINDS],
		    uint64_t *last_page);

/* Makes a meta page say that it is of `transaction`, and durable. LMDB gives the page of a transaction whose last write failed the number
 * of the one before it; who knows better sets it right. IO. */
int fan_pages_set_transaction(const struct fan_pages *pages, unsigned meta, uint64_t transaction, uint64_t last_page);

#endif
