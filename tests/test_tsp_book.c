/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/north/tsp/book.h"
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOOK_BYTES (1 << 24)

static char directory[96];

static void
set_up(void)
{
	fan_test_store_set_up();
	(void)snprintf(directory, sizeof(directory), "%s/book", fan_test_store.top);
}

TestSuite(tsp_book, .init = set_up, .fini = fan_test_store_tear_down);

static struct fan_book *
open_book(void)
{
	struct fan_book *book;

	cr_assert_eq(fan_book_open(&book, directory, BOOK_BYTES), 0, "%s", fan_error_detail());
	return book;
}

static struct fan_book_record
record_of(uint32_t reference)
{
	struct fan_book_record record = {
		.scs = "one", .reference = reference, .type = FAN_TSP_TRIGGER, .target = "a@b", .at_ms = 1000
	};

	record.digest[31] = 0xab;
	return record;
}

Test(tsp_book, what_is_put_is_read)
{
	struct fan_book *book = open_book();
	struct fan_book_record record = record_of(UINT32_MAX), read;

	record.state = FAN_BOOK_ENDED;
	record.type = FAN_TSP_REPLACE;
	record.group = record.msisdn = true;
	record.message = UINT64_C(1) << 40;
	record.at_ms = 1234567890123;
	record.outcome = FAN_TSP_EXPIRED;
	(void)snprintf(record.totals, sizeof(record.totals), "state=sent");
	cr_assert_eq(fan_book_put(book, &record), 0);
	cr_assert_eq(record.number, 1);
	cr_assert_eq(fan_book_commit(book), 0);
	fan_book_close(book);

	book = open_book();
	cr_assert_eq(fan_book_find(book, &read, "one", UINT32_MAX), 0, "%s", fan_error_detail());
	cr_assert_arr_eq(&read, &record, sizeof(read));
	cr_assert_eq(fan_book_find(book, &read, "two", UINT32_MAX), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_book_find(book, &read, "one", 0), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_book_read(book, &read, 2), FAN_E_NOT_FOUND);
	fan_book_close(book);
}

Test(tsp_book, what_is_not_committed_is_lost_and_what_is_outlives_a_kill)
{
	struct fan_book_record read;
	struct fan_book *book;
	const pid_t child = fork();
	int status;

	if (child == 0) {
		struct fan_book_record record = record_of(1), other = record_of(2);

		if (fan_book_open(&book, directory, BOOK_BYTES) != 0 || fan_book_put(book, &record) != 0 ||
		    fan_book_commit(book) != 0 || fan_book_put(book, &other) != 0)
			_exit(1);
		(void)kill(getpid(), SIGKILL);
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFSIGNALED(status));
	book = open_book();
	cr_assert_eq(fan_book_find(book, &read, "one", 1), 0);
	cr_assert_eq(fan_book_find(book, &read, "one", 2), FAN_E_NOT_FOUND);
	fan_book_close(book);
}

/* serve takes the same name for the same message: a number that comes again would swallow a trigger. */
Test(tsp_book, numbers_never_come_again)
{
	struct fan_book *book = open_book();
	struct fan_book_record record = record_of(1), other = record_of(2);
	char first[FAN_BOOK_NAME_BYTES], second[FAN_BOOK_NAME_BYTES];

	cr_assert_eq(fan_book_put(book, &record), 0);
	fan_book_name(book, first, record.number);
	cr_assert_eq(fan_book_erase(book, &record), 0);
	cr_assert_eq(fan_book_commit(book), 0);
	fan_book_close(book);
	book = open_book();
	cr_assert_eq(fan_book_put(book, &other), 0);
	cr_assert_eq(other.number, 2);
	fan_book_name(book, second, 1);
	cr_assert_str_eq(first, second, "the book has another name after it was opened again");
	fan_book_close(book);
	(void)snprintf(directory, sizeof(directory), "%s/other", fan_test_store.top);
	book = open_book();
	fan_book_name(book, second, 1);
	cr_assert_str_neq(first, second, "two books have one name");
	cr_assert_lt(strlen(second), 64, "longer than serve takes");
	fan_book_close(book);
}

static bool
count(void *user, const struct fan_book_record *record)
{
	unsigned *numbers = user;

	*numbers = *numbers * 10 + (unsigned)record->number;
	return true;
}

Test(tsp_book, the_old_is_forgotten_and_what_is_owed_is_not)
{
	struct fan_book *book = open_book();
	static const enum fan_book_state states[] = { FAN_BOOK_NOTIFIED, FAN_BOOK_ACCEPTED, FAN_BOOK_ENDED,
						      FAN_BOOK_STARTED,  FAN_BOOK_NOTIFIED, FAN_BOOK_NOTIFIED };
	unsigned numbers = 0;

	for (uint32_t i = 0; i < 6; i++) {
		struct fan_book_record record = record_of(i);

		record.state = states[i];
		record.at_ms = i < 5 ? 1000 : 2000;
		cr_assert_eq(fan_book_put(book, &record), 0);
	}
	cr_assert_eq(fan_book_commit(book), 0);
	cr_assert_eq(fan_book_forget(book, 1000, 100), 0);
	cr_assert_eq(fan_book_forget(book, 1001, 2), 2);
	cr_assert_eq(fan_book_forget(book, 1001, 2), 1);
	cr_assert_eq(fan_book_forget(book, 1001, 2), 0);
	cr_assert_eq(fan_book_each(book, count, &numbers), 0);
	cr_assert_eq(numbers, 236);
	fan_book_close(book);
}

Test(tsp_book, an_abort_keeps_nothing)
{
	struct fan_book *book = open_book();
	struct fan_book_record record = record_of(1), read;

	cr_assert_eq(fan_book_put(book, &record), 0);
	cr_assert_eq(fan_book_read(book, &read, 1), 0);
	fan_book_abort(book);
	cr_assert_eq(fan_book_read(book, &read, 1), FAN_E_NOT_FOUND);
	fan_book_close(book);
}

Test(tsp_book, one_that_is_full_says_so_and_goes_on)
{
	struct fan_book *book;
	struct fan_book_record record, read;
	int error = 0;
	uint32_t i;

	cr_assert_eq(fan_book_open(&book, directory, 1), 0);
	for (i = 1; error == 0 && i < 100000; i++) {
		record = record_of(i);
		error = fan_book_put(book, &record);
		if (error == 0)
			error = fan_book_commit(book);
	}
	cr_assert_eq(error, FAN_E_IO);
	cr_assert_not_null(strstr(fan_error_detail(), "state_mb"), "%s", fan_error_detail());
	fan_book_abort(book);
	cr_assert_eq(fan_book_read(book, &read, 1), 0, "%s", fan_error_detail());
	fan_book_close(book);
}

/* The largest records there can be, each written as often as it is in its life: the room for one is enough. */
Test(tsp_book, there_is_room_for_as_many_as_it_says)
{
	struct fan_book *book;
	uint32_t count;

	cr_assert_eq(fan_book_open(&book, directory, 1), 0);
	for (count = 0; !fan_book_is_crowded(book); count++) {
		struct fan_book_record record = record_of(count);

		memset(record.target, 'x', sizeof(record.target) - 1);
		memset(record.totals, 'x', sizeof(record.totals) - 1);
		for (int state = FAN_BOOK_STARTED; state <= FAN_BOOK_NOTIFIED; state++) {
			record.state = (enum fan_book_state)state;
			cr_assert_eq(fan_book_put(book, &record), 0, "record %u: %s", count, fan_error_detail());
			cr_assert_eq(fan_book_commit(book), 0, "record %u: %s", count, fan_error_detail());
		}
	}
	cr_assert_eq(count, (1 << 20) / FAN_BOOK_RECORD_BYTES + 1);
	cr_assert_eq(fan_book_forget(book, INT64_MAX, 1), 1);
	cr_assert_eq(fan_book_commit(book), 0, "%s", fan_error_detail());
	cr_assert_not(fan_book_is_crowded(book));
	fan_book_close(book);
}

Test(tsp_book, a_disk_that_fails)
{
	struct fan_book *book = open_book();
	struct fan_book_record record = record_of(1), read;

	fan_test_disk_fail(1, 1, EIO);
	cr_assert_eq(fan_book_put(book, &record), 0);
	cr_assert_eq(fan_book_commit(book), FAN_E_IO);
	cr_assert_eq(fan_book_find(book, &read, "one", 1), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_book_put(book, &record), 0);
	cr_assert_eq(fan_book_commit(book), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_book_find(book, &read, "one", 1), 0);
	fan_book_close(book);
}

Test(tsp_book, whose_it_is)
{
	struct fan_book *book = open_book(), *other;

	cr_assert_eq(fan_book_open(&other, directory, BOOK_BYTES), FAN_E_BUSY);
	cr_assert_null(other);
	fan_book_close(book);
	cr_assert_eq(chmod(directory, 0755), 0);
	cr_assert_eq(fan_book_open(&other, directory, BOOK_BYTES), FAN_E_INVALID);
	cr_assert_eq(chmod(directory, 0700), 0);
	cr_assert_eq(fan_book_open(&other, "/nosuch/place", BOOK_BYTES), FAN_E_IO);
}
