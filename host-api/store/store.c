/* SPDX-License-Identifier: BSD-3-Clause */
/* The store on LMDB: one directory with the files `data.mdb` and `holder`, and `new/data.mdb` while a store is made. */
#define _GNU_SOURCE
#include "store.h"
#include "../../dataplane/context/clock.h"
#include "directory.h"
#include "pages.h"
#include "record.h"
#include "seal.h"

#include <errno.h>
#include <lmdb.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The store's own records, in the main database beside the names of the others. */
#define FORMAT "format" /* FAN_STORE_VERSION, 4 octets, in clear */
#define KEY "key"       /* the data key, wrapped */
#define HEAD "head"     /* struct head, sealed */

#define META_BYTES 136 /* MDB_meta, behind a page's header */
#define PAGE_HEADER_BYTES 16
#define KEK_ID_BYTES 8

/* What a transaction leaves behind: with it no record can be lost, doubled or older than the others, and no transaction be taken for the
 * last that is not. */
struct head {
	uint64_t transaction; /* LMDB's number of it */
	struct fan_place place;
	struct fan_pages_tree trees[FAN_RECORD_KINDS];
};

static_assert(sizeof(struct head) == 40 + 16 * FAN_RECORD_KINDS, "a head is stored as it lies in memory, and has no gaps");

#define HEAD_BYTES (sizeof(struct head) + FAN_SEAL_BYTES)
/* Before version 5 there were nine databases, and a head of so many. */
#define FORMER_HEAD_BYTES offsetof(struct head, trees[FAN_RECORD_GROUP_KEY])
#define KEY_BYTES (KEK_ID_BYTES + FAN_SEAL_KEY_BYTES + FAN_SEAL_BYTES)

struct fan_store {
	char directory[FAN_DIRECTORY_BYTES], data[FAN_DIRECTORY_BYTES + 16];
	int holder_fd, data_fd;
	struct fan_seal *seal;
	struct head head; /* of the last transaction that was committed */
	MDB_env *env;
	MDB_dbi main, database[FAN_RECORD_KINDS];
	/* The transaction that has begun. */
	MDB_txn *transaction; /* NULL: none */
	MDB_cursor *cursor[FAN_RECORD_KINDS];
	struct head next;
	bool changed, spoilt; /* it has put something; something that it put failed */
	bool reading;         /* in a callback, or between fan_store_read_begin() and its end */
	/* What is read there. */
	MDB_txn *run; /* NULL: nothing */
	MDB_cursor *run_cursor[FAN_RECORD_KINDS];
	bool broken; /* a commit failed while its meta page was written: `meta` is what that page said before */
	bool older;  /* what is on the disk says a version before FAN_STORE_VERSION */
	uint8_t meta[META_BYTES];
	struct fan_store_commits commits;
	/* A record on its way. */
	uint8_t name[1 + FAN_RECORD_KEY_BYTES_MAX]; /* its kind and key: what its seal is told */
	uint8_t value[FAN_RECORD_FIELDS_BYTES_MAX + FAN_RECORD_SECRET_BYTES_MAX + FAN_SEAL_BYTES];
};

static int
io_failed(const struct fan_store *store, const char *what, int error)
{
	return fan_fail(FAN_E_IO, "%s: %s: %s", store->directory, what, strerror(error));
}

/* The error for what LMDB answered. */
static int
failed(const struct fan_store *store, const char *what, int answer)
{
	if (answer == MDB_MAP_FULL)
		return fan_fail(FAN_E_MEMORY, "%s: %s: the store has its %lu octets; remove what is not needed",
				store->directory, what, FAN_STORE_BYTES_MAX);
	if (answer == ENOMEM)
		return fan_fail(FAN_E_MEMORY, "%s: %s: no memory, or no %lu octets of address space (RLIMIT_AS)",
				store->directory, what, FAN_STORE_BYTES_MAX);
	if (answer > 0)
		return fan_fail(FAN_E_IO,
				"%s: %s: %s; nothing of the transaction is kept: make room or mend the disk, and begin again",
				store->directory, what, strerror(answer));
	return fan_fail(FAN_E_IO, "%s: %s: %s", store->directory, what, mdb_strerror(answer));
}

/* ---- The data key and the head ------------------------------------------------------------------------------------------------ */

static struct fan_sealed
sealed_key(const uint8_t *wrapped)
{
	return (struct fan_sealed){ .name = KEY, .name_bytes = sizeof(KEY) - 1, .clear = wrapped, .clear_bytes = KEK_ID_BYTES };
}

static struct fan_sealed
sealed_head(const uint8_t *head, size_t head_bytes)
{
	return (struct fan_sealed){ .name = HEAD, .name_bytes = sizeof(HEAD) - 1, .clear = head, .clear_bytes = head_bytes };
}

/* Out: a seal under the key of a file, and what tells that key from others. */
static int
open_kek(struct fan_seal **kek, uint8_t id[KEK_ID_BYTES], const char *key_file)
{
	uint8_t key[FAN_SEAL_KEY_BYTES];
	int error = fan_seal_key_read(key, key_file);

	*kek = NULL;
	if (error == 0) {
		fan_seal_hash(id, KEK_ID_BYTES, "fanfare store, key-encryption key", key, sizeof(key));
		error = fan_seal_open(kek, key);
	}
	explicit_bzero(key, sizeof(key));
	return error;
}

/* In: data_key. Out: the record KEY. */
static int
wrap(uint8_t wrapped[KEY_BYTES], const uint8_t data_key[FAN_SEAL_KEY_BYTES], const char *key_file)
{
	const struct fan_sealed sealed = sealed_key(wrapped);
	struct fan_seal *kek;
	int error = open_kek(&kek, wrapped, key_file);

	if (error == 0)
		error = fan_seal_write(kek, wrapped + KEK_ID_BYTES, &sealed, data_key, FAN_SEAL_KEY_BYTES);
	fan_seal_close(kek);
	return error;
}

/* Out: store->seal. In: the record KEY. */
static int
unwrap(struct fan_store *store, const uint8_t wrapped[KEY_BYTES], const char *key_file)
{
	const struct fan_sealed sealed = sealed_key(wrapped);
	uint8_t id[KEK_ID_BYTES], data_key[FAN_SEAL_KEY_BYTES];
	struct fan_seal *kek;
	int error = open_kek(&kek, id, key_file);

	if (error == 0 && memcmp(id, wrapped, sizeof(id)) != 0)
		error = fan_fail(FAN_E_INVALID,
				 "store %s: %s holds another key than the one that the store was last wrapped under",
				 store->directory, key_file);
	else if (error == 0 && !fan_seal_read(kek, data_key, &sealed, wrapped + KEK_ID_BYTES, sizeof(data_key)))
		error = fan_fail(FAN_E_IO, "%s: database main, key \"" KEY "\": the record is damaged", store->data);
	if (error == 0)
		error = fan_seal_open(&store->seal, data_key);
	explicit_bzero(data_key, sizeof(data_key));
	fan_seal_close(kek);
	return error;
}

/* Out: the head at the root of a meta page. False: it has none. */
static bool
read_head(const struct fan_store *store, const struct fan_pages *pages, unsigned meta, struct head *head)
{
	struct fan_sealed sealed;
	const uint8_t *value;
	size_t value_bytes;

	if (!fan_pages_find(pages, meta, HEAD, &value, &value_bytes) ||
	    (value_bytes != HEAD_BYTES && value_bytes != FORMER_HEAD_BYTES + FAN_SEAL_BYTES))
		return false;
	memset(head, 0, sizeof(*head));
	memcpy(head, value, value_bytes - FAN_SEAL_BYTES);
	sealed = sealed_head((const uint8_t *)head, value_bytes - FAN_SEAL_BYTES);
	return fan_seal_read(store->seal, NULL, &sealed, value + value_bytes - FAN_SEAL_BYTES, 0);
}

/* ---- What is there when a store is opened ------------------------------------------------------------------------------------- */

/* Both meta pages have an equal format record and data key, but for a rotation between them: the later speaks. */
static int
check_version(struct fan_store *store, const struct fan_pages *pages, unsigned meta)
{
	const uint8_t *value;
	size_t value_bytes;
	uint32_t version;

	if (!fan_pages_find(pages, meta, FORMAT, &value, &value_bytes) || value_bytes != sizeof(version))
		return fan_fail(FAN_E_IO, "%s: page %u is damaged: it leads to no record \"" FORMAT "\"", store->data, meta);
	memcpy(&version, value, sizeof(version));
	store->older = version < FAN_STORE_VERSION;
	if (version == 0 || version > FAN_STORE_VERSION)
		return fan_fail(FAN_E_UNSUPPORTED,
				"store %s has format version %u, this program has 1 to %d: use the program that wrote it",
				store->directory, version, FAN_STORE_VERSION);
	return 0;
}

static int
find_key(struct fan_store *store, const struct fan_pages *pages, unsigned meta, const char *key_file)
{
	const uint8_t *value;
	size_t value_bytes;

	if (store->seal != NULL)
		return 0;
	if (!fan_pages_find(pages, meta, KEY, &value, &value_bytes) || value_bytes != KEY_BYTES)
		return fan_fail(FAN_E_IO, "%s: page %u is damaged: it leads to no record \"" KEY "\"", store->data, meta);
	return unwrap(store, value, key_file);
}

/*
 * Out: store->head, and which meta page has it. Each page must say of itself what the head at its root says, and the two be of one transaction
 * and the next, so that no page can pass for older than it is.
 *
 * One thing may look otherwise. When the write of a meta page fails, LMDB gives it back the number that it had, two lower, with the new
 * roots, and if the process ends then, nobody knows whether that transaction was to be. All of it is on the disk: it is.
 */
static int
find_head(struct fan_store *store, const struct fan_pages *pages, unsigned *meta, bool *unnumbered)
{
	struct head head[2];
	bool blank[2];
	uint64_t former;

	for (unsigned i = 0; i < 2; i++) {
		blank[i] = fan_pages_blank(pages, i);
		head[i].transaction = 0;
		if (!blank[i] && !read_head(store, pages, i, &head[i]))
			return fan_fail(FAN_E_IO,
					"%s: page %u is damaged, or what it leads to: database main, key \"" HEAD "\"",
					store->data, i);
	}
	*meta = head[1].transaction > head[0].transaction;
	store->head = head[*meta];
	former = store->head.transaction > 2 ? store->head.transaction - 2 : 0;
	*unnumbered = fan_pages_transaction(pages, *meta) == former;
	for (unsigned i = 0; i < 2; i++)
		if ((blank[i] && store->head.transaction != 1) ||
		    (head[i].transaction + (i != *meta) != store->head.transaction) ||
		    (fan_pages_transaction(pages, i) != head[i].transaction && !(i == *meta && *unnumbered)))
			return fan_fail(FAN_E_IO, "%s: page %u is damaged: it is not of the transaction that it says",
					store->data, i);
	return 0;
}

static int
check_trees(const struct fan_store *store, const struct fan_pages *pages, unsigned meta, bool unnumbered)
{
	struct fan_pages_tree trees[FAN_RECORD_KINDS];
	uint64_t last_page;
	const int error = fan_pages_check(pages, meta, trees, &last_page);

	if (error != 0)
		return error;
	for (unsigned i = 0; i < FAN_RECORD_KINDS; i++)
		if (trees[i].entries != store->head.trees[i].entries || trees[i].sum != store->head.trees[i].sum)
			return fan_fail(
				FAN_E_IO,
				"%s: database %s is damaged: it has %lu records of %lu, or they are not those that were put last",
				store->data, fan_record_databases[i], trees[i].entries, store->head.trees[i].entries);
	if (unnumbered)
		return fan_pages_set_transaction(pages, meta, store->head.transaction, last_page);
	if (fan_pages_last(pages, meta) < last_page)
		return fan_fail(FAN_E_IO, "%s: page %u is damaged: there are more pages than it says", store->data, meta);
	return 0;
}

static int
check_place(struct fan_store *store, bool adopt)
{
	struct fan_place place;
	const int error = fan_directory_place(&place, store->data);

	if (error != 0 || memcmp(&place, &store->head.place, sizeof(place)) == 0)
		return error;
	if (!adopt)
		return fan_fail(
			FAN_E_UNSUPPORTED,
			"store %s is a copy, or was moved here from another machine or file system: it would spend COUNTs that the original has "
			"spent; if the original was closed before and is gone for good, adopt this one",
			store->directory);
	store->head.place = place;
	return 0;
}

/* Out: *fresh, whether nothing was ever committed. */
static int
check_file(struct fan_store *store, bool *fresh, const struct fan_store_options *options)
{
	struct fan_pages pages;
	unsigned meta;
	bool unnumbered;
	int error = fan_pages_open(&pages, store->data);

	*fresh = error == 0 && (pages.map == NULL || (fan_pages_blank(&pages, 0) && fan_pages_blank(&pages, 1)));
	if (error != 0)
		return error;
	if (!*fresh) {
		meta = fan_pages_transaction(&pages, 1) > fan_pages_transaction(&pages, 0);
		error = check_version(store, &pages, meta);
		if (error == 0)
			error = find_key(store, &pages, meta, options->key_file);
		if (error == 0)
			error = find_head(store, &pages, &meta, &unnumbered);
		if (error == 0)
			error = check_trees(store, &pages, meta, unnumbered);
		if (error == 0)
			error = check_place(store, options->adopt);
	}
	fan_pages_close(&pages);
	return error;
}

/* ---- LMDB ------------------------------------------------------------------------------------------------------------------ */

/* LMDB's own lock file is not used: the holder's lock keeps others out, and here no reader outlives the call that it serves. */
static int
open_env(struct fan_store *store, const char *directory)
{
	int answer = mdb_env_create(&store->env);

	if (answer == 0)
		answer = mdb_env_set_maxdbs(store->env, FAN_RECORD_KINDS);
	if (answer == 0)
		answer = mdb_env_set_mapsize(store->env, FAN_STORE_BYTES_MAX);
	if (answer == 0)
		answer = mdb_env_open(store->env, directory, MDB_NOLOCK | MDB_NOTLS, 0600);
	if (answer == 0)
		answer = mdb_env_get_fd(store->env, &store->data_fd);
	return answer == 0 ? 0 : failed(store, "data.mdb", answer);
}

static void
close_env(struct fan_store *store)
{
	if (store->env != NULL)
		mdb_env_close(store->env);
	store->env = NULL;
}

/* In: flags 0, or MDB_CREATE in a transaction that writes. */
static int
open_databases(struct fan_store *store, MDB_txn *transaction, unsigned flags)
{
	int answer = mdb_dbi_open(transaction, NULL, 0, &store->main);

	for (unsigned i = 0; answer == 0 && i < FAN_RECORD_KINDS; i++)
		answer = mdb_dbi_open(transaction, fan_record_databases[i], flags, &store->database[i]);
	return answer == 0 ? 0 : failed(store, "its databases", answer);
}

/* Of an older store settle() opens them. */
static int
reopen(struct fan_store *store)
{
	MDB_txn *transaction;
	int error = open_env(store, store->directory), answer;

	if (error != 0)
		return error;
	if (store->older)
		return 0;
	answer = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &transaction);
	if (answer != 0)
		return failed(store, "its databases", answer);
	error = open_databases(store, transaction, 0);
	(void)mdb_txn_commit(transaction);
	return error;
}

static int
put_own(struct fan_store *store, const char *name, void *value, size_t value_bytes)
{
	char octets[sizeof(FORMAT)];
	MDB_val key = { .mv_size = strlen(name), .mv_data = octets };
	MDB_val data = { .mv_size = value_bytes, .mv_data = value };
	int answer;

	memcpy(octets, name, strlen(name));
	answer = mdb_put(store->transaction, store->main, &key, &data, 0);
	store->changed = true;
	return answer == 0 ? 0 : failed(store, name, answer);
}

/* ---- Transactions ------------------------------------------------------------------------------------------------------------ */

static off_t
meta_at(const struct fan_store *store, uint64_t transaction)
{
	MDB_stat stat;

	(void)mdb_env_stat(store->env, &stat);
	return (off_t)((transaction & 1) * stat.ms_psize + PAGE_HEADER_BYTES);
}

static int
begin(struct fan_store *store)
{
	const int answer = mdb_txn_begin(store->env, NULL, 0, &store->transaction);

	if (answer != 0)
		return failed(store, "begin", answer);
	memset(store->cursor, 0, sizeof(store->cursor));
	store->next = store->head;
	store->changed = false;
	store->spoilt = false;
	return 0;
}

static void
drop(struct fan_store *store)
{
	if (store->transaction != NULL)
		mdb_txn_abort(store->transaction);
	store->transaction = NULL;
}

/* Puts the head of the transaction, whose number is LMDB's. */
static int
put_head(struct fan_store *store)
{
	uint8_t value[HEAD_BYTES];
	const struct fan_sealed sealed = sealed_head(value, sizeof(struct head));
	int error;

	store->next.transaction = mdb_txn_id(store->transaction);
	memcpy(value, &store->next, sizeof(store->next));
	error = fan_seal_write(store->seal, value + sizeof(store->next), &sealed, NULL, 0);
	return error == 0 ? put_own(store, HEAD, value, sizeof(value)) : error;
}

/*
 * LMDB writes the transaction's pages, syncs them, and then writes its meta page, synced. Before that nothing refers to the pages, and
 * failing costs nothing. When the meta page itself fails, nobody knows what the disk has of it: the store is broken until the page is
 * as it was before, and that is durable.
 */
static int
commit(struct fan_store *store)
{
	const off_t at = meta_at(store, store->next.transaction);
	MDB_txn *probe;
	int answer;

	if (pread(store->data_fd, store->meta, META_BYTES, at) != META_BYTES)
		return io_failed(store, "commit", errno);
	answer = mdb_txn_commit(store->transaction);
	store->transaction = NULL;
	if (answer == 0) {
		store->head = store->next;
		return 0;
	}
	store->broken = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &probe) != 0;
	if (!store->broken)
		mdb_txn_abort(probe);
	return failed(store, "commit", answer);
}

/* Takes back what a failed commit left of itself, and reads the file anew: LMDB gives an environment up whose meta page failed. */
static int
mend(struct fan_store *store)
{
	const struct fan_store_options options = { .directory = store->directory };
	bool fresh;
	int error;

	if (store->env != NULL) {
		const off_t at = meta_at(store, store->head.transaction + 1);

		if (pwrite(store->data_fd, store->meta, META_BYTES, at) != META_BYTES || fdatasync(store->data_fd) != 0)
			return io_failed(store, "a commit failed, and the disk still does", errno);
		close_env(store);
	}
	error = check_file(store, &fresh, &options);
	if (error == 0 && fresh)
		error = fan_fail(FAN_E_IO, "%s is gone", store->data);
	if (error == 0)
		error = reopen(store);
	if (error != 0)
		close_env(store);
	store->broken = error != 0;
	return error;
}

int
fan_store_begin(struct fan_store *store)
{
	if (store->transaction != NULL || store->reading)
		return fan_fail(FAN_E_BUSY, "store %s: a transaction has begun already, or its records are being read",
				store->directory);
	if (store->broken) {
		const int error = mend(store);

		if (error != 0)
			return error;
	}
	return begin(store);
}

/* BUSY, INVALID: no transaction, or it cannot go on. */
static int
check_transaction(const struct fan_store *store)
{
	if (store->reading)
		return fan_fail(FAN_E_BUSY, "store %s: its records are being read", store->directory);
	if (store->transaction == NULL)
		return fan_fail(FAN_E_INVALID, "store %s: no transaction has begun: fan_store_begin()", store->directory);
	if (store->spoilt)
		return fan_fail(FAN_E_IO, "store %s: an earlier call of this transaction failed: drop it and begin again",
				store->directory);
	return 0;
}

const uint32_t fan_store_latency_us[FAN_STORE_LATENCIES] = { 100,   250,   500,    1000,   2500,   5000,
							     10000, 25000, 100000, 250000, 500000, 1000000 };

static void
note_commit(struct fan_store_commits *commits, uint64_t took_ns, int error)
{
	commits->count++;
	commits->failed += error != 0;
	commits->sum_ns += took_ns;
	if (took_ns > commits->max_ns)
		commits->max_ns = took_ns;
	for (unsigned i = 0; i < FAN_STORE_LATENCIES; i++)
		if (took_ns <= (uint64_t)fan_store_latency_us[i] * 1000) {
			commits->within[i]++;
			return;
		}
}

void
fan_store_commits(const struct fan_store *store, struct fan_store_commits *commits)
{
	*commits = store->commits;
}

int
fan_store_commit(struct fan_store *store)
{
	const uint64_t begin_ns = fan_clock_ns(CLOCK_MONOTONIC);
	int error = check_transaction(store);

	if (error == 0 && store->changed)
		error = put_head(store);
	if (error == 0 && store->changed) {
		error = commit(store);
		note_commit(&store->commits, fan_clock_ns(CLOCK_MONOTONIC) - begin_ns, error);
	}
	if (!store->reading)
		drop(store);
	return error;
}

void
fan_store_abort(struct fan_store *store)
{
	if (!store->reading)
		drop(store);
}

int
fan_store_end(struct fan_store *store, int error)
{
	if (error == 0)
		return fan_store_commit(store);
	fan_store_abort(store);
	return error;
}

/* ---- Records ------------------------------------------------------------------------------------------------------------------ */

/* In: store->name, a kind and key. */
static int
damaged(const struct fan_store *store, enum fan_record_kind kind, size_t key_bytes)
{
	char text[2 * 48 + 1] = "";

	for (size_t i = 0; i < key_bytes && i < 48; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", store->name[1 + i]);
	return fan_fail(FAN_E_IO, "%s: database %s, key %s: the record is damaged", store->data, fan_record_databases[kind],
			text);
}

/* Out: store->name and the key in it. */
static MDB_val
name_record(struct fan_store *store, const struct fan_record *record)
{
	store->name[0] = (uint8_t)record->kind;
	return (MDB_val){ .mv_data = store->name + 1, .mv_size = fan_record_write_key(store->name + 1, record) };
}

/* In: store->name and record->kind. Out: the record that a value holds; strings and octets lie in store->value. */
static int
read_record(struct fan_store *store, struct fan_record *record, size_t key_bytes, const MDB_val *value)
{
	const size_t secret_bytes = fan_record_secret_bytes(record->kind), rest_bytes = secret_bytes + FAN_SEAL_BYTES;
	struct fan_sealed sealed = { .name = store->name, .name_bytes = 1 + key_bytes, .clear = store->value };

	if (value->mv_size < rest_bytes || value->mv_size > sizeof(store->value))
		return damaged(store, record->kind, key_bytes);
	memcpy(store->value, value->mv_data, value->mv_size);
	sealed.clear_bytes = value->mv_size - rest_bytes;
	if (!fan_seal_read(store->seal, secret_bytes > 0 ? fan_record_secret(record) : NULL, &sealed,
			   store->value + sealed.clear_bytes, secret_bytes))
		return damaged(store, record->kind, key_bytes);
	if (fan_record_read(record, store->name + 1, key_bytes, store->value, sealed.clear_bytes))
		return 0;
	if (secret_bytes > 0)
		explicit_bzero(fan_record_secret(record), secret_bytes);
	return damaged(store, record->kind, key_bytes);
}

/* Out: store->value, fields and seal. Returns its octets, or an error. */
static int64_t
write_value(struct fan_store *store, const struct fan_record *record, size_t key_bytes)
{
	const size_t secret_bytes = fan_record_secret_bytes(record->kind);
	struct fan_record *written;
	const struct fan_sealed sealed = { .name = store->name,
					   .name_bytes = 1 + key_bytes,
					   .clear = store->value,
					   .clear_bytes = fan_record_write_fields(store->value, record) };
	int error;

	memcpy(&written, &record, sizeof(void *));
	error = fan_seal_write(store->seal, store->value + sealed.clear_bytes, &sealed,
			       secret_bytes > 0 ? fan_record_secret(written) : NULL, secret_bytes);
	return error == 0 ? (int64_t)(sealed.clear_bytes + secret_bytes + FAN_SEAL_BYTES) : error;
}

static int
open_cursor(struct fan_store *store, enum fan_record_kind kind)
{
	return store->cursor[kind] != NULL ? 0
					   : mdb_cursor_open(store->transaction, store->database[kind], &store->cursor[kind]);
}

/* A record enters the sums of its database, or leaves them. */
static void
count(struct fan_store *store, enum fan_record_kind kind, const MDB_val *key, const MDB_val *value, bool enters)
{
	struct fan_pages_tree *const tree = &store->next.trees[kind];
	const uint64_t term = fan_pages_term(key->mv_data, key->mv_size, value->mv_data, value->mv_size);

	tree->entries += enters ? 1 : UINT64_MAX;
	tree->sum += enters ? term : -term;
	store->changed = true;
}

/* Puts behind the last record, which fills pages to their end; else in the place of the one that is there, or between others. */
static int
put_octets(struct fan_store *store, enum fan_record_kind kind, MDB_val *key, MDB_val *value)
{
	int answer = open_cursor(store, kind);

	if (answer == 0)
		answer = mdb_cursor_put(store->cursor[kind], key, value, MDB_APPEND);
	if (answer == MDB_KEYEXIST) {
		MDB_val former_key = *key, former;

		answer = mdb_cursor_get(store->cursor[kind], &former_key, &former, MDB_SET_KEY);
		if (answer == 0)
			count(store, kind, key, &former, false);
		if (answer == 0 || answer == MDB_NOTFOUND)
			answer = mdb_cursor_put(store->cursor[kind], key, value, 0);
	}
	if (answer == 0)
		count(store, kind, key, value, true);
	return answer;
}

int
fan_store_check(const struct fan_record *record)
{
	return fan_record_check(record);
}

int
fan_store_put(struct fan_store *store, const struct fan_record *record)
{
	int error = check_transaction(store), answer;
	MDB_val key, value;
	int64_t value_bytes;

	if (error == 0)
		error = fan_record_check(record);
	if (error != 0)
		return error;
	key = name_record(store, record);
	value_bytes = write_value(store, record, key.mv_size);
	if (value_bytes < 0)
		return (int)value_bytes;
	value = (MDB_val){ .mv_data = store->value, .mv_size = (size_t)value_bytes };
	answer = put_octets(store, record->kind, &key, &value);
	store->spoilt = answer != 0;
	return answer == 0 ? 0 : failed(store, fan_record_databases[record->kind], answer);
}

/* Deletes the first record whose key is, or begins with, these octets. */
static int
delete_octets(struct fan_store *store, enum fan_record_kind kind, const MDB_val *octets, bool begins)
{
	MDB_val key = *octets, value;
	int answer = open_cursor(store, kind);

	if (answer == 0)
		answer = mdb_cursor_get(store->cursor[kind], &key, &value, begins ? MDB_SET_RANGE : MDB_SET_KEY);
	if (answer == 0 && (key.mv_size < octets->mv_size || memcmp(key.mv_data, octets->mv_data, octets->mv_size) != 0))
		return MDB_NOTFOUND;
	if (answer != 0)
		return answer;
	count(store, kind, &key, &value, false);
	return mdb_cursor_del(store->cursor[kind], 0);
}

int
fan_store_delete(struct fan_store *store, const struct fan_record *record)
{
	int error = check_transaction(store), answer;
	MDB_val key;

	if (error == 0)
		error = fan_record_check_key(record);
	if (error != 0)
		return error;
	key = name_record(store, record);
	answer = delete_octets(store, record->kind, &key, false);
	if (answer == MDB_NOTFOUND)
		return fan_fail(FAN_E_NOT_FOUND, "store %s: database %s has no such record", store->directory,
				fan_record_databases[record->kind]);
	while (answer == 0 && record->kind == FAN_RECORD_GROUP)
		answer = delete_octets(store, FAN_RECORD_MEMBERS, &key, true);
	while (answer == 0 && record->kind == FAN_RECORD_MESSAGE)
		answer = delete_octets(store, FAN_RECORD_UNSERVED, &key, true);
	if ((answer == 0 || answer == MDB_NOTFOUND) && record->kind == FAN_RECORD_GROUP)
		answer = delete_octets(store, FAN_RECORD_GROUP_KEY, &key, false);
	if ((answer == 0 || answer == MDB_NOTFOUND) && record->kind == FAN_RECORD_MESSAGE)
		answer = delete_octets(store, FAN_RECORD_KEY_OCTETS, &key, false);
	store->spoilt = answer != 0 && answer != MDB_NOTFOUND;
	return store->spoilt ? failed(store, fan_record_databases[record->kind], answer) : 0;
}

/* Out: the transaction that has begun, or one for reading, which the caller ends by end_reading(). */
static int
begin_reading(struct fan_store *store, MDB_txn **transaction)
{
	int answer;

	*transaction = store->run != NULL ? store->run : store->transaction;
	if (store->broken)
		return fan_fail(FAN_E_IO, "store %s: a commit failed; fan_store_begin() mends it", store->directory);
	if (*transaction != NULL)
		return 0;
	answer = mdb_txn_begin(store->env, NULL, MDB_RDONLY, transaction);
	return answer == 0 ? 0 : failed(store, "reading", answer);
}

static void
end_reading(const struct fan_store *store, MDB_txn *transaction)
{
	if (transaction != store->transaction && transaction != store->run)
		mdb_txn_abort(transaction);
}

int
fan_store_read_begin(struct fan_store *store)
{
	MDB_txn *transaction;
	const int error = store->transaction != NULL || store->reading ? 0 : begin_reading(store, &transaction);

	if (error != 0 || store->transaction != NULL || store->reading)
		return error;
	store->run = transaction;
	store->reading = true;
	memset(store->run_cursor, 0, sizeof(store->run_cursor));
	return 0;
}

void
fan_store_read_end(struct fan_store *store)
{
	if (store->run == NULL)
		return;
	for (unsigned i = 0; i < FAN_RECORD_KINDS; i++)
		if (store->run_cursor[i] != NULL)
			mdb_cursor_close(store->run_cursor[i]);
	mdb_txn_abort(store->run);
	store->run = NULL;
	store->reading = false;
}

/* A cursor that stands near the key finds it without a search from the root. */
static int
find(struct fan_store *store, MDB_txn *transaction, enum fan_record_kind kind, MDB_val *key, MDB_val *value)
{
	MDB_cursor **cursor = &store->run_cursor[kind];
	int answer = 0;

	if (transaction != store->run)
		return mdb_get(transaction, store->database[kind], key, value);
	if (*cursor == NULL)
		answer = mdb_cursor_open(transaction, store->database[kind], cursor);
	return answer != 0 ? answer : mdb_cursor_get(*cursor, key, value, MDB_SET);
}

int
fan_store_get(struct fan_store *store, struct fan_record *record)
{
	MDB_txn *transaction;
	MDB_val key, value;
	int error = fan_record_check_key(record), answer;

	if (error == 0)
		error = begin_reading(store, &transaction);
	if (error != 0)
		return error;
	key = name_record(store, record);
	answer = find(store, transaction, record->kind, &key, &value);
	if (answer == 0)
		error = read_record(store, record, key.mv_size, &value);
	else if (answer == MDB_NOTFOUND)
		error = fan_fail(FAN_E_NOT_FOUND, "store %s: database %s has no such record", store->directory,
				 fan_record_databases[record->kind]);
	else
		error = failed(store, fan_record_databases[record->kind], answer);
	end_reading(store, transaction);
	return error;
}

/* In: a value and its key. Out: *record, whose kind is given. */
static int
take(struct fan_store *store, struct fan_record *record, const MDB_val *key, const MDB_val *value)
{
	if (key->mv_size > FAN_RECORD_KEY_BYTES_MAX)
		return damaged(store, record->kind, 0);
	store->name[0] = (uint8_t)record->kind;
	memcpy(store->name + 1, key->mv_data, key->mv_size);
	return read_record(store, record, key->mv_size, value);
}

int
fan_store_next(struct fan_store *store, struct fan_record *record)
{
	MDB_txn *transaction;
	MDB_cursor *cursor;
	MDB_val key, value;
	int error = fan_record_check_key(record), answer;

	if (error == 0)
		error = begin_reading(store, &transaction);
	if (error != 0)
		return error;
	key = name_record(store, record);
	answer = mdb_cursor_open(transaction, store->database[record->kind], &cursor);
	if (answer == 0) {
		answer = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
		if (answer == 0)
			error = take(store, record, &key, &value);
		mdb_cursor_close(cursor);
	}
	if (answer == MDB_NOTFOUND)
		error = fan_fail(FAN_E_NOT_FOUND, "store %s: database %s has no further record", store->directory,
				 fan_record_databases[record->kind]);
	else if (answer != 0)
		error = failed(store, fan_record_databases[record->kind], answer);
	end_reading(store, transaction);
	return error;
}

uint64_t
fan_store_count(const struct fan_store *store, enum fan_record_kind kind)
{
	return store->head.trees[kind].entries;
}

/* Gives one record to `each`. */
static int
give(struct fan_store *store, enum fan_record_kind kind, const MDB_val *key, const MDB_val *value,
     int (*each)(void *user, const struct fan_record *record), void *user)
{
	struct fan_record record = { .kind = kind };
	int error;

	error = take(store, &record, key, value);
	if (error == 0)
		error = each(user, &record);
	if (fan_record_secret_bytes(kind) > 0)
		explicit_bzero(fan_record_secret(&record), fan_record_secret_bytes(kind));
	return error;
}

int
fan_store_each(struct fan_store *store, enum fan_record_kind kind, int (*each)(void *user, const struct fan_record *record),
	       void *user)
{
	const bool was_reading = store->reading;
	MDB_txn *transaction;
	MDB_cursor *cursor;
	MDB_val key, value;
	int error, answer;

	if (kind >= FAN_RECORD_KINDS)
		return fan_fail(FAN_E_INVALID, "kind of record %u: 0 to %d", (unsigned)kind, FAN_RECORD_KINDS - 1);
	error = begin_reading(store, &transaction);
	if (error != 0)
		return error;
	store->reading = true;
	answer = mdb_cursor_open(transaction, store->database[kind], &cursor);
	while (answer == 0 && error == 0) {
		answer = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
		if (answer == 0)
			error = give(store, kind, &key, &value, each, user);
	}
	if (answer != 0 && answer != MDB_NOTFOUND)
		error = failed(store, fan_record_databases[kind], answer);
	mdb_cursor_close(cursor);
	store->reading = was_reading;
	end_reading(store, transaction);
	return error;
}

int
fan_store_rotate_key(struct fan_store *store, const char *key_file)
{
	uint8_t wrapped[KEY_BYTES];
	int error = fan_store_begin(store);

	if (error != 0)
		return error;
	error = wrap(wrapped, fan_seal_key(store->seal), key_file);
	if (error == 0)
		error = put_own(store, KEY, wrapped, sizeof(wrapped));
	return fan_store_end(store, error);
}

/* ---- Opening and closing -------------------------------------------------------------------------------------------------------- */

static int
put_version(struct fan_store *store)
{
	uint32_t version = FAN_STORE_VERSION;

	return put_own(store, FORMAT, &version, sizeof(version));
}

/* The first transaction: databases, format, data key, head. */
static int
fill(struct fan_store *store, uint8_t wrapped[KEY_BYTES])
{
	int error = begin(store);

	if (error == 0)
		error = open_databases(store, store->transaction, MDB_CREATE);
	if (error == 0)
		error = put_version(store);
	if (error == 0)
		error = put_own(store, KEY, wrapped, KEY_BYTES);
	return error == 0 ? fan_store_commit(store) : error;
}

/* LMDB does not sync what it begins a file with. So the file comes to its place when all of it is durable: a loss of power before that leaves
 * no store, and never one that looks damaged. */
static int
create(struct fan_store *store, const char *key_file)
{
	uint8_t key[FAN_SEAL_KEY_BYTES], wrapped[KEY_BYTES];
	char making[sizeof(store->directory) + 4], unfinished[sizeof(making) + 16];
	int error = fan_seal_key_draw(key);

	(void)snprintf(making, sizeof(making), "%s/new", store->directory);
	(void)snprintf(unfinished, sizeof(unfinished), "%s/data.mdb", making);
	if (error == 0)
		error = fan_seal_open(&store->seal, key);
	if (error == 0)
		error = wrap(wrapped, key, key_file);
	explicit_bzero(key, sizeof(key));
	if (error == 0 && ((mkdir(making, 0700) != 0 && errno != EEXIST) || (unlink(unfinished) != 0 && errno != ENOENT)))
		error = io_failed(store, "new/data.mdb", errno);
	if (error == 0)
		error = open_env(store, making);
	if (error == 0)
		error = fan_directory_place(&store->head.place, unfinished);
	if (error == 0)
		error = fill(store, wrapped);
	if (error == 0 && (rename(unfinished, store->data) != 0 || rmdir(making) != 0))
		error = io_failed(store, "data.mdb", errno);
	return error == 0 ? fan_directory_sync(store->directory) : error;
}

/* A store that was adopted, or is of an older version, says what it is now, durably, before it is used. An older one gets the databases that it
 * has not. */
static int
settle(struct fan_store *store)
{
	int error = begin(store);

	if (error == 0 && store->older)
		error = open_databases(store, store->transaction, MDB_CREATE);
	if (error == 0)
		error = put_version(store);
	return error == 0 ? fan_store_commit(store) : error;
}

static int
open_store(struct fan_store *store, const struct fan_store_options *options)
{
	bool fresh;
	int error = fan_directory_hold(&store->holder_fd, store->directory, options->create);

	if (error == 0)
		error = check_file(store, &fresh, options);
	if (error != 0)
		return error;
	if (fresh && !options->create)
		return fan_fail(FAN_E_NOT_FOUND, "there is no store in %s; have it created", store->directory);
	if (fresh)
		return create(store, options->key_file);
	error = reopen(store);
	return error == 0 && (options->adopt || store->older) ? settle(store) : error;
}

int
fan_store_open(struct fan_store **out, const struct fan_store_options *options)
{
	struct fan_store *store;
	int error;

	*out = NULL;
	if (strlen(options->directory) >= FAN_DIRECTORY_BYTES)
		return fan_fail(FAN_E_INVALID, "directory of the store: at most %d octets", FAN_DIRECTORY_BYTES - 1);
	store = calloc(1, sizeof(*store));
	if (store == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for a store");
	store->holder_fd = -1;
	(void)snprintf(store->directory, sizeof(store->directory), "%s", options->directory);
	(void)snprintf(store->data, sizeof(store->data), "%s/data.mdb", options->directory);
	error = open_store(store, options);
	if (error != 0) {
		fan_store_close(store);
		return error;
	}
	*out = store;
	return 0;
}

void
fan_store_close(struct fan_store *store)
{
	if (store == NULL)
		return;
	fan_store_read_end(store);
	drop(store);
	close_env(store);
	fan_seal_close(store->seal);
	if (store->holder_fd >= 0)
		(void)close(store->holder_fd);
	free(store);
}
