/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "book.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSION "1"
#define IDENTITY_BYTES 8
#define MEGABYTE (1 << 20)

struct fan_book {
	MDB_env *env;
	MDB_txn *changes; /* NULL: none since the last commit */
	MDB_dbi records, references, about;
	uint64_t records_max;
	uint64_t next;
	int holder; /* the directory, locked as long as this is open */
	char identity[2 * IDENTITY_BYTES + 1];
	char directory[256];
};

/* A key of `references`. */
struct reference_key {
	char scs[FAN_SECTION_LABEL_BYTES];
	uint8_t reference[4];
};

static int
fail(const struct fan_book *book, const char *what, int answer)
{
	if (answer == MDB_MAP_FULL)
		return fan_fail(FAN_E_IO, "%s: %s: it has grown to [limits] state_mb", book->directory, what);
	return fan_fail(FAN_E_IO, "%s: %s: %s", book->directory, what, mdb_strerror(answer));
}

/* Big endian, so that the keys' order is that of the numbers. */
static void
write_number(uint8_t octets[8], uint64_t number)
{
	for (unsigned i = 0; i < 8; i++)
		octets[i] = (uint8_t)(number >> (56 - 8 * i));
}

static uint64_t
read_number(const uint8_t *octets)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < 8; i++)
		number = number << 8 | octets[i];
	return number;
}

static void
write_reference(struct reference_key *key, const char *scs, uint32_t reference)
{
	memset(key, 0, sizeof(*key));
	(void)snprintf(key->scs, sizeof(key->scs), "%s", scs);
	for (unsigned i = 0; i < 4; i++)
		key->reference[i] = (uint8_t)(reference >> (24 - 8 * i));
}

/* ---- Records as texts --------------------------------------------------------------------------------------------------- */

static void
write_hex(char *text, const uint8_t *octets, size_t byte_count)
{
	for (size_t i = 0; i < byte_count; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", octets[i]);
}

static bool
read_hex(uint8_t *octets, size_t byte_count, const char *text)
{
	if (strlen(text) != 2 * byte_count || strspn(text, "0123456789abcdef") != 2 * byte_count)
		return false;
	for (size_t i = 0; i < byte_count; i++) {
		const char digits[3] = { text[2 * i], text[2 * i + 1], '\0' };

		octets[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return true;
}

static char *
write_record(const struct fan_book_record *record)
{
	char digest[2 * FAN_TSP_DIGEST_BYTES + 1];
	json_t *object;
	char *text;

	write_hex(digest, record->digest, FAN_TSP_DIGEST_BYTES);
	object = json_pack("{s:i, s:s, s:I, s:i, s:b, s:b, s:s, s:s, s:I, s:I, s:i, s:s}", "state", record->state, "scs",
			   record->scs, "reference", (json_int_t)record->reference, "type", record->type, "group",
			   record->group, "msisdn", record->msisdn, "target", record->target, "digest", digest, "message",
			   (json_int_t)record->message, "at_ms", (json_int_t)record->at_ms, "outcome", record->outcome,
			   "totals", record->totals);
	text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	return text;
}

static void
copy_text(char *place, size_t room, const char *text)
{
	(void)snprintf(place, room, "%s", text);
}

/* What is on a disk may be anything. */
static bool
read_record(struct fan_book_record *record, uint64_t number, const MDB_val *value)
{
	json_t *object = json_loadb(value->mv_data, value->mv_size, 0, NULL);
	const char *scs, *target, *digest, *totals;
	json_int_t reference, message, at_ms;
	int state, type, group, msisdn, outcome;
	bool good = json_unpack(object, "{s:i, s:s, s:I, s:i, s:b, s:b, s:s, s:s, s:I, s:I, s:i, s:s}", "state", &state, "scs",
				&scs, "reference", &reference, "type", &type, "group", &group, "msisdn", &msisdn, "target",
				&target, "digest", &digest, "message", &message, "at_ms", &at_ms, "outcome", &outcome, "totals",
				&totals) == 0;

	*record = (struct fan_book_record){ .number = number };
	good = good && state >= FAN_BOOK_STARTED && state <= FAN_BOOK_NOTIFIED && outcome >= FAN_TSP_DELIVERED &&
	       outcome <= FAN_TSP_UNCONFIRMED && (type == FAN_TSP_TRIGGER || type == FAN_TSP_REPLACE) && reference >= 0 &&
	       reference <= UINT32_MAX && message >= 0 && read_hex(record->digest, FAN_TSP_DIGEST_BYTES, digest);
	if (good) {
		record->state = (enum fan_book_state)state;
		record->type = (enum fan_tsp_action_type)type;
		record->outcome = (enum fan_tsp_outcome)outcome;
		record->reference = (uint32_t)reference;
		record->message = (uint64_t)message;
		record->at_ms = at_ms;
		record->group = group != 0;
		record->msisdn = msisdn != 0;
		copy_text(record->scs, sizeof(record->scs), scs);
		copy_text(record->target, sizeof(record->target), target);
		copy_text(record->totals, sizeof(record->totals), totals);
	}
	json_decref(object);
	return good;
}

/* ---- Transactions ------------------------------------------------------------------------------------------------------- */

static int
begin(struct fan_book *book)
{
	const int answer = book->changes != NULL ? 0 : mdb_txn_begin(book->env, NULL, 0, &book->changes);

	if (answer == 0)
		return 0;
	book->changes = NULL;
	return fail(book, "no transaction", answer);
}

void
fan_book_abort(struct fan_book *book)
{
	if (book->changes != NULL)
		mdb_txn_abort(book->changes);
	book->changes = NULL;
}

int
fan_book_commit(struct fan_book *book)
{
	MDB_txn *changes = book->changes;
	int answer;

	book->changes = NULL;
	if (changes == NULL)
		return 0;
	answer = mdb_txn_commit(changes);
	return answer == 0 ? 0 : fail(book, "not written", answer);
}

static int
get(struct fan_book *book, MDB_val *value, MDB_dbi database, const void *octets, size_t byte_count)
{
	MDB_val key = { .mv_size = byte_count };
	int answer = begin(book);

	if (answer != 0)
		return answer;
	memcpy(&key.mv_data, &octets, sizeof(octets)); /* LMDB reads it alone */
	answer = mdb_get(book->changes, database, &key, value);
	if (answer == MDB_NOTFOUND)
		return fan_fail(FAN_E_NOT_FOUND, "%s: no such record", book->directory);
	return answer == 0 ? 0 : fail(book, "not read", answer);
}

static int
put(struct fan_book *book, MDB_dbi database, const void *octets, size_t byte_count, const void *text, size_t text_bytes)
{
	MDB_val key = { .mv_size = byte_count }, value = { .mv_size = text_bytes };
	int answer = begin(book);

	if (answer != 0)
		return answer;
	memcpy(&key.mv_data, &octets, sizeof(octets));
	memcpy(&value.mv_data, &text, sizeof(text));
	answer = mdb_put(book->changes, database, &key, &value, 0);
	return answer == 0 ? 0 : fail(book, "not written", answer);
}

/* ---- Records ------------------------------------------------------------------------------------------------------------ */

int
fan_book_read(struct fan_book *book, struct fan_book_record *record, uint64_t number)
{
	uint8_t key[8];
	MDB_val value;
	int error;

	write_number(key, number);
	error = get(book, &value, book->records, key, sizeof(key));
	if (error == 0 && !read_record(record, number, &value))
		error = fan_fail(FAN_E_IO, "%s: record %llu cannot be read", book->directory, (unsigned long long)number);
	return error;
}

int
fan_book_find(struct fan_book *book, struct fan_book_record *record, const char *scs, uint32_t reference)
{
	struct reference_key key;
	MDB_val value;
	int error;

	write_reference(&key, scs, reference);
	error = get(book, &value, book->references, &key, sizeof(key));
	if (error != 0)
		return error;
	if (value.mv_size != 8)
		return fan_fail(FAN_E_IO, "%s: a reference cannot be read", book->directory);
	return fan_book_read(book, record, read_number(value.mv_data));
}

/* Numbers are given once, whatever is forgotten meanwhile: serve knows messages by them. */
static int
take_number(struct fan_book *book, uint64_t *number)
{
	uint8_t next[8];

	*number = book->next++;
	write_number(next, book->next);
	return put(book, book->about, "next", strlen("next"), next, sizeof(next));
}

int
fan_book_put(struct fan_book *book, struct fan_book_record *record)
{
	struct reference_key reference;
	uint8_t key[8];
	char *text;
	int error = record->number == 0 ? take_number(book, &record->number) : 0;

	if (error != 0)
		return error;
	text = write_record(record);
	if (text == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for a record");
	write_number(key, record->number);
	write_reference(&reference, record->scs, record->reference);
	error = put(book, book->records, key, sizeof(key), text, strlen(text));
	if (error == 0)
		error = put(book, book->references, &reference, sizeof(reference), key, sizeof(key));
	free(text);
	return error;
}

static int
erase(struct fan_book *book, MDB_dbi database, void *octets, size_t byte_count)
{
	MDB_val key = { .mv_size = byte_count, .mv_data = octets };
	const int answer = mdb_del(book->changes, database, &key, NULL);

	return answer == 0 || answer == MDB_NOTFOUND ? 0 : fail(book, "not erased", answer);
}

int
fan_book_erase(struct fan_book *book, const struct fan_book_record *record)
{
	struct reference_key reference;
	uint8_t key[8];
	int error = begin(book);

	write_number(key, record->number);
	write_reference(&reference, record->scs, record->reference);
	if (error == 0)
		error = erase(book, book->records, key, sizeof(key));
	return error != 0 ? error : erase(book, book->references, &reference, sizeof(reference));
}

int
fan_book_each(struct fan_book *book, bool (*each)(void *user, const struct fan_book_record *record), void *user)
{
	struct fan_book_record record;
	MDB_cursor *cursor = NULL;
	MDB_val key, value;
	int answer = begin(book);

	if (answer != 0)
		return answer;
	answer = mdb_cursor_open(book->changes, book->records, &cursor);
	while (answer == 0 && (answer = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
		if (key.mv_size == 8 && read_record(&record, read_number(key.mv_data), &value) && !each(user, &record))
			break;
	if (cursor != NULL)
		mdb_cursor_close(cursor);
	return answer == 0 || answer == MDB_NOTFOUND ? 0 : fail(book, "not read", answer);
}

struct forgetting {
	struct fan_book_record *found;
	unsigned count, most;
	int64_t before_ms;
};

/* Records lie in the order of their beginnings: the first that is too young, and may go by its state, ends the search. */
static bool
find_old(void *user, const struct fan_book_record *record)
{
	struct forgetting *forgetting = user;

	if (record->state == FAN_BOOK_ACCEPTED || record->state == FAN_BOOK_ENDED)
		return true;
	if (record->at_ms >= forgetting->before_ms)
		return false;
	forgetting->found[forgetting->count++] = *record;
	return forgetting->count < forgetting->most;
}

int
fan_book_forget(struct fan_book *book, int64_t before_ms, unsigned most)
{
	struct forgetting forgetting = { .found = calloc(most, sizeof(struct fan_book_record)),
					 .most = most,
					 .before_ms = before_ms };
	int error = forgetting.found == NULL ? fan_fail(FAN_E_MEMORY, "no memory") : fan_book_each(book, find_old, &forgetting);

	for (unsigned i = 0; error == 0 && i < forgetting.count; i++)
		error = fan_book_erase(book, &forgetting.found[i]);
	free(forgetting.found);
	return error != 0 ? error : (int)forgetting.count;
}

bool
fan_book_is_crowded(struct fan_book *book)
{
	MDB_stat found;

	return begin(book) == 0 && mdb_stat(book->changes, book->records, &found) == 0 && found.ms_entries > book->records_max;
}

void
fan_book_name(const struct fan_book *book, char *name, uint64_t number)
{
	(void)snprintf(name, FAN_BOOK_NAME_BYTES, "tsp-%s-%llx", book->identity, (unsigned long long)number);
}

/* ---- Opening ------------------------------------------------------------------------------------------------------------ */

static int
hold(struct fan_book *book)
{
	struct stat found;

	if (mkdir(book->directory, 0700) != 0 && errno != EEXIST)
		return fan_fail(FAN_E_IO, "%s: %s: [tsp] state names a directory that this user may make, or its own",
				book->directory, strerror(errno));
	book->holder = open(book->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (book->holder < 0 || fstat(book->holder, &found) != 0)
		return fan_fail(FAN_E_IO, "%s: %s", book->directory, strerror(errno));
	if (found.st_uid != geteuid() || (found.st_mode & 077) != 0)
		return fan_fail(FAN_E_INVALID, "%s: must belong to the user who runs this, with mode 0700", book->directory);
	if (flock(book->holder, LOCK_EX | LOCK_NB) != 0)
		return fan_fail(FAN_E_BUSY, "%s: another `fanfare tsp` has it: end that, or give this one another [tsp] state",
				book->directory);
	return 0;
}

static int
read_next(struct fan_book *book)
{
	MDB_val value;
	const int error = get(book, &value, book->about, "next", strlen("next"));

	book->next = error == 0 && value.mv_size == 8 ? read_number(value.mv_data) : 1;
	return error == FAN_E_NOT_FOUND ? 0 : error;
}

/* Version and identity, written once. */
static int
introduce(struct fan_book *book)
{
	uint8_t octets[IDENTITY_BYTES];
	MDB_val value;
	int error = get(book, &value, book->about, "version", strlen("version"));

	if (error == FAN_E_NOT_FOUND) {
		if (getrandom(octets, sizeof(octets), 0) != (ssize_t)sizeof(octets))
			return fan_fail(FAN_E_IO, "no random octets: %s", strerror(errno));
		write_hex(book->identity, octets, sizeof(octets));
		error = put(book, book->about, "version", strlen("version"), VERSION, strlen(VERSION));
		return error != 0
			       ? error
			       : put(book, book->about, "identity", strlen("identity"), book->identity, strlen(book->identity));
	}
	if (error == 0 && (value.mv_size != strlen(VERSION) || memcmp(value.mv_data, VERSION, value.mv_size) != 0))
		return fan_fail(FAN_E_UNSUPPORTED, "%s: is of another version of this program, which reads version %s",
				book->directory, VERSION);
	if (error == 0)
		error = get(book, &value, book->about, "identity", strlen("identity"));
	if (error == 0 && value.mv_size != 2 * IDENTITY_BYTES)
		error = fan_fail(FAN_E_IO, "%s: cannot be read", book->directory);
	if (error == 0)
		memcpy(book->identity, value.mv_data, value.mv_size);
	return error;
}

static int
open_databases(struct fan_book *book)
{
	int answer = mdb_dbi_open(book->changes, "records", MDB_CREATE, &book->records);

	if (answer == 0)
		answer = mdb_dbi_open(book->changes, "references", MDB_CREATE, &book->references);
	if (answer == 0)
		answer = mdb_dbi_open(book->changes, "about", MDB_CREATE, &book->about);
	return answer == 0 ? 0 : fail(book, "cannot be read", answer);
}

static int
open_environment(struct fan_book *book, uint64_t bytes_max)
{
	const uint64_t bytes = bytes_max > MEGABYTE ? bytes_max : MEGABYTE;
	int answer = mdb_env_create(&book->env);

	book->records_max = bytes / FAN_BOOK_RECORD_BYTES;
	if (answer == 0)
		answer = mdb_env_set_maxdbs(book->env, 3);
	if (answer == 0)
		answer = mdb_env_set_mapsize(book->env, bytes);
	/* The directory's lock keeps other processes away, and there is one thread. */
	if (answer == 0)
		answer = mdb_env_open(book->env, book->directory, MDB_NOLOCK, 0600);
	return answer == 0 ? 0 : fail(book, "cannot be opened", answer);
}

int
fan_book_open(struct fan_book **opened, const char *directory, uint64_t bytes_max)
{
	struct fan_book *book = calloc(1, sizeof(*book));
	int error;

	*opened = NULL;
	if (book == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory");
	book->holder = -1;
	(void)snprintf(book->directory, sizeof(book->directory), "%s", directory);
	error = hold(book);
	if (error == 0)
		error = open_environment(book, bytes_max);
	if (error == 0)
		error = begin(book);
	if (error == 0)
		error = open_databases(book);
	if (error == 0)
		error = introduce(book);
	if (error == 0)
		error = read_next(book);
	if (error == 0)
		error = fan_book_commit(book);
	if (error == 0)
		*opened = book;
	else
		fan_book_close(book);
	return error;
}

void
fan_book_close(struct fan_book *book)
{
	if (book == NULL)
		return;
	fan_book_abort(book);
	if (book->env != NULL)
		mdb_env_close(book->env);
	if (book->holder >= 0)
		(void)close(book->holder);
	free(book);
}
