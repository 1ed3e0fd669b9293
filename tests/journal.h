/* SPDX-License-Identifier: BSD-3-Clause */
/* systemd's journal as tests play it: a socket, and what is in the records that come. Whatever fails ends the test. */
#ifndef FAN_TEST_JOURNAL_H
#define FAN_TEST_JOURNAL_H

#include <sys/types.h>

struct fan_test_journal {
	char folder[32], path[64]; /* of the socket */
	int socket;
	char record[65536]; /* the one that was taken last */
	ssize_t bytes;
};

/* FANFARE_JOURNAL names it until it is closed. */
void fan_test_journal_open(struct fan_test_journal *journal);
void fan_test_journal_close(struct fan_test_journal *journal);
/* Takes the next record, or with MSG_PEEK looks at it. Returns its octets; below 0: none has come. */
ssize_t fan_test_journal_take(struct fan_test_journal *journal, int flags);
/* The value of a field of that record, until the next call; NULL: it has none. */
const char *fan_test_journal_field(const struct fan_test_journal *journal, const char *name);

#endif
