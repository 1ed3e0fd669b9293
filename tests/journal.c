/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "journal.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void
fan_test_journal_open(struct fan_test_journal *journal)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	(void)snprintf(journal->folder, sizeof(journal->folder), "/tmp/fanfare-journal.XXXXXX");
	cr_assert_not_null(mkdtemp(journal->folder));
	(void)snprintf(journal->path, sizeof(journal->path), "%s/journal", journal->folder);
	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", journal->path);
	journal->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(journal->socket, (const struct sockaddr *)&name, sizeof(name)), 0);
	cr_assert_eq(setenv("FANFARE_JOURNAL", journal->path, 1), 0);
}

void
fan_test_journal_close(struct fan_test_journal *journal)
{
	(void)close(journal->socket);
	(void)unlink(journal->path);
	(void)rmdir(journal->folder);
}

ssize_t
fan_test_journal_take(struct fan_test_journal *journal, int flags)
{
	journal->bytes = recv(journal->socket, journal->record, sizeof(journal->record), flags);
	return journal->bytes;
}

/* Each field is its name, a line's end, the value's length in 64 bits, the value, a line's end. */
const char *
fan_test_journal_field(const struct fan_test_journal *journal, const char *name)
{
	const char *record = journal->record;
	static char value[2048];

	for (ssize_t at = 0; at < journal->bytes;) {
		const size_t name_bytes = strcspn(record + at, "\n");
		uint64_t value_bytes;
		const bool found = strlen(name) == name_bytes && memcmp(record + at, name, name_bytes) == 0;

		memcpy(&value_bytes, record + at + name_bytes + 1, sizeof(value_bytes));
		cr_assert_lt(value_bytes, sizeof(value));
		memcpy(value, record + at + name_bytes + 9, value_bytes);
		value[value_bytes] = '\0';
		if (found)
			return value;
		at += (ssize_t)(name_bytes + 10 + value_bytes);
		cr_assert(at <= journal->bytes && record[at - 1] == '\n');
	}
	return NULL;
}
