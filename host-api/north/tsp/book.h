/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What must outlive the process: which request became which message, and which notifications are owed. An LMDB environment of one directory
 * that belongs to one process; records are JSON, for `mdb_dump -p`. No payload is in it, only a digest.
 *
 * A record is STARTED before serve is asked, ACCEPTED before the SCS is told so, ENDED before it is notified and NOTIFIED when it has said
 * that it knows: whoever is killed between two of these goes on from the former. Changes are collected, and durable with fan_book_commit().
 *
 * One thread.
 */
#ifndef FAN_NORTH_TSP_BOOK_H
#define FAN_NORTH_TSP_BOOK_H

#include "../diameter/sections.h"
#include "tsp.h"
#include "verdict.h"

#define FAN_BOOK_NAME_BYTES 40 /* "tsp-", an identity of this book, "-", a number; its closing zero included */

enum fan_book_state {
	FAN_BOOK_STARTED,
	FAN_BOOK_ACCEPTED,
	FAN_BOOK_ENDED,
	FAN_BOOK_NOTIFIED,
};

struct fan_book_record {
	uint64_t number; /* of this record, from 1, rising */
	enum fan_book_state state;
	char scs[FAN_SECTION_LABEL_BYTES];
	uint32_t reference;
	enum fan_tsp_action_type type;
	bool group, msisdn;
	char target[FAN_TSP_TARGET_BYTES];
	uint8_t digest[FAN_TSP_DIGEST_BYTES];
	uint64_t message; /* serve's; 0: not known yet */
	int64_t at_ms;    /* of the last change of state, since 1970 UTC */
	enum fan_tsp_outcome outcome;
	char totals[FAN_TSP_TOTALS_BYTES];
};

struct fan_book;

/* Opens the book in a directory of mode 0700, which is made where there is none. In: bytes_max, what it may grow to. INVALID: the directory is
 * anybody's; BUSY: another process has it; IO. */
int fan_book_open(struct fan_book **book, const char *directory, uint64_t bytes_max);
/* What was not committed is lost. NULL: nothing. */
void fan_book_close(struct fan_book *book);

/* Reads a record, changes that are not committed included. NOT_FOUND, IO. */
int fan_book_read(struct fan_book *book, struct fan_book_record *record, uint64_t number);
/* ... that of an SCS's Reference-Number. */
int fan_book_find(struct fan_book *book, struct fan_book_record *record, const char *scs, uint32_t reference);

/* Puts a record; with number 0 it gets the next one. IO: the disk, or bytes_max is reached. */
int fan_book_put(struct fan_book *book, struct fan_book_record *record);
/* Erases a record. */
int fan_book_erase(struct fan_book *book, const struct fan_book_record *record);
/* Makes the changes durable. IO: none of them is kept. Does nothing without changes. */
int fan_book_commit(struct fan_book *book);
/* Forgets the changes since the last commit. */
void fan_book_abort(struct fan_book *book);

/* Calls `each` with every record in the order of their numbers, until it answers false. It must change nothing. IO. */
int fan_book_each(struct fan_book *book, bool (*each)(void *user, const struct fan_book_record *record), void *user);

/* Erases up to `most` records that are NOTIFIED, or STARTED and left so, since before a moment. Returns how many, or IO. */
int fan_book_forget(struct fan_book *book, int64_t before_ms, unsigned most);

#define FAN_BOOK_RECORD_BYTES 2048 /* room for one, what LMDB needs around it included */
/* Whether there are more records than bytes_max has room for: then what need not be kept is to be forgotten before its time. */
bool fan_book_is_crowded(struct fan_book *book);

/* Out: name[FAN_BOOK_NAME_BYTES], what serve is to know a record's message by: no two records of any two books have the same. */
void fan_book_name(const struct fan_book *book, char *name, uint64_t number);

#endif
