/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "records.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_BYTES ((size_t)16 << 30) /* of addresses, not of memory or disk */

struct fan_t8_records {
	MDB_env *environment;
	MDB_dbi database;
	int lock; /* held as long as this process lives */
	void (*changed)(void *user, const char *key, int64_t growth_bytes);
	void *user;
};

static int
fail(int code, const char *what)
{
	return fan_fail(FAN_E_IO, "T8's records: %s: %s", what, mdb_strerror(code));
}

/* LMDB would let two processes write in turn, and each would have its own idea of what is owed. */
static int
take_lock(struct fan_t8_records *records, const char *directory)
{
	char path[4096];

	if (mkdir(directory, 0700) != 0 && errno != EEXIST)
		return fan_fail(FAN_E_IO, "%s: %s", directory, strerror(errno));
	(void)snprintf(path, sizeof(path), "%s/owner", directory);
	records->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (records->lock < 0)
		return fan_fail(FAN_E_IO, "%s: %s", path, strerror(errno));
	return flock(records->lock, LOCK_EX | LOCK_NB) == 0
		       ? 0
		       : fan_fail(FAN_E_BUSY, "%s: another `fanfare t8` keeps its records there", directory);
}

static int
open_database(struct fan_t8_records *records)
{
	MDB_txn *transaction;
	int code = mdb_txn_begin(records->environment, NULL, 0, &transaction);

	if (code == 0) {
		code = mdb_dbi_open(transaction, NULL, 0, &records->database);
		if (code == 0)
			code = mdb_txn_commit(transaction);
		else
			mdb_txn_abort(transaction);
	}
	return code == 0 ? 0 : fail(code, "cannot be opened");
}

int
fan_t8_records_open(struct fan_t8_records **out, const char *directory)
{
	struct fan_t8_records *records = calloc(1, sizeof(*records));
	int code, error;

	*out = NULL;
	if (records == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for T8's records");
	records->lock = -1;
	error = take_lock(records, directory);
	if (error == 0) {
		code = mdb_env_create(&records->environment);
		if (code == 0)
			code = mdb_env_set_mapsize(records->environment, MAP_BYTES);
		if (code == 0)
			code = mdb_env_open(records->environment, directory, 0, 0600);
		error = code == 0 ? open_database(records) : fail(code, directory);
	}
	if (error != 0) {
		fan_t8_records_close(records);
		return error;
	}
	*out = records;
	return 0;
}

void
fan_t8_records_close(struct fan_t8_records *records)
{
	if (records == NULL)
		return;
	if (records->environment != NULL)
		mdb_env_close(records->environment);
	if (records->lock >= 0)
		(void)close(records->lock);
	free(records);
}

/* LMDB does not write to the key. */
static MDB_val
key_of(char room[FAN_T8_KEY_BYTES_MAX + 1], const char *key)
{
	(void)snprintf(room, FAN_T8_KEY_BYTES_MAX + 1, "%s", key);
	return (MDB_val){ strlen(room), room };
}

/* What a record is to be; NULL: it goes. Out: what it has more than before. */
struct change {
	const char *key;
	char *text;
	int64_t growth_bytes;
};

static int
make_change(const struct fan_t8_records *records, MDB_txn *transaction, struct change *change)
{
	char room[FAN_T8_KEY_BYTES_MAX + 1];
	MDB_val name = key_of(room, change->key), value = { 0, change->text }, former = { 0, NULL };
	int code;

	if (mdb_get(transaction, records->database, &name, &former) == 0)
		change->growth_bytes = -(int64_t)former.mv_size;
	if (change->text != NULL) {
		value.mv_size = strlen(change->text);
		change->growth_bytes += (int64_t)value.mv_size;
		return mdb_put(transaction, records->database, &name, &value, 0);
	}
	code = mdb_del(transaction, records->database, &name, NULL);
	return code == MDB_NOTFOUND ? 0 : code;
}

/* All of them in one write to the disk, or none. */
static int
make_changes(struct fan_t8_records *records, struct change *changes, unsigned count)
{
	MDB_txn *transaction;
	int code = mdb_txn_begin(records->environment, NULL, 0, &transaction);

	if (code != 0)
		return fail(code, "cannot be written");
	for (unsigned i = 0; code == 0 && i < count; i++)
		code = make_change(records, transaction, &changes[i]);
	if (code != 0) {
		mdb_txn_abort(transaction);
		return fail(code, "cannot be written");
	}
	code = mdb_txn_commit(transaction);
	if (code != 0)
		return fail(code, "cannot be written");
	for (unsigned i = 0; records->changed != NULL && i < count; i++)
		records->changed(records->user, changes[i].key, changes[i].growth_bytes);
	return 0;
}

int
fan_t8_records_put(struct fan_t8_records *records, const char *key, const json_t *object)
{
	const struct fan_t8_put put = { key, object };

	return fan_t8_records_put_all(records, &put, 1);
}

int
fan_t8_records_put_all(struct fan_t8_records *records, const struct fan_t8_put *puts, unsigned count)
{
	struct change changes[FAN_T8_PUTS_MAX] = { { NULL, NULL, 0 } };
	unsigned made = 0;
	int error;

	FAN_REQUIRE(count <= FAN_T8_PUTS_MAX);
	for (; made < count; made++) {
		changes[made] = (struct change){ puts[made].key, json_dumps(puts[made].object, JSON_COMPACT), 0 };
		if (changes[made].text == NULL)
			break;
	}
	error = made == count ? make_changes(records, changes, count) : fan_fail(FAN_E_MEMORY, "no memory for a record");
	while (made > 0)
		free(changes[--made].text);
	return error;
}

int
fan_t8_records_remove(struct fan_t8_records *records, const char *key)
{
	return make_changes(records, &(struct change){ key, NULL, 0 }, 1);
}

json_t *
fan_t8_records_get(const struct fan_t8_records *records, const char *key)
{
	char room[FAN_T8_KEY_BYTES_MAX + 1];
	MDB_val name = key_of(room, key), value;
	MDB_txn *transaction;
	json_t *object = NULL;

	if (mdb_txn_begin(records->environment, NULL, MDB_RDONLY, &transaction) != 0)
		return NULL;
	if (mdb_get(transaction, records->database, &name, &value) == 0)
		object = json_loadb(value.mv_data, value.mv_size, 0, NULL);
	mdb_txn_abort(transaction);
	return object;
}

static int
walk(MDB_cursor *cursor, const char *begins, int (*each)(void *user, const char *key, json_t *object), void *user)
{
	char room[FAN_T8_KEY_BYTES_MAX + 1], key[FAN_T8_KEY_BYTES_MAX + 1];
	const size_t begins_bytes = strlen(begins);
	MDB_val name = key_of(room, begins), value;
	int code = mdb_cursor_get(cursor, &name, &value, MDB_SET_RANGE), answer = 0;

	while (code == 0 && answer == 0 && name.mv_size >= begins_bytes && memcmp(name.mv_data, begins, begins_bytes) == 0) {
		json_t *object = json_loadb(value.mv_data, value.mv_size, 0, NULL);

		(void)snprintf(key, sizeof(key), "%.*s", (int)name.mv_size, (const char *)name.mv_data);
		if (object != NULL)
			answer = each(user, key, object);
		json_decref(object);
		code = mdb_cursor_get(cursor, &name, &value, MDB_NEXT);
	}
	return answer;
}

int
fan_t8_records_each(const struct fan_t8_records *records, const char *begins,
		    int (*each)(void *user, const char *key, json_t *object), void *user)
{
	MDB_txn *transaction;
	MDB_cursor *cursor;
	int answer = 0;

	if (mdb_txn_begin(records->environment, NULL, MDB_RDONLY, &transaction) != 0)
		return 0;
	if (mdb_cursor_open(transaction, records->database, &cursor) == 0) {
		answer = walk(cursor, begins, each, user);
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(transaction);
	return answer;
}

struct tidying {
	bool (*is_old)(const void *user, const json_t *object);
	const void *user;
	json_t *keys;
};

static int
collect_old(void *user, const char *key, json_t *object)
{
	const struct tidying *tidying = user;

	if (tidying->is_old(tidying->user, object))
		(void)json_array_append_new(tidying->keys, json_string(key));
	return 0;
}

void
fan_t8_records_tidy(struct fan_t8_records *records, const char *begins, bool (*is_old)(const void *user, const json_t *object),
		    const void *user)
{
	struct tidying tidying = { is_old, user, json_array() };
	struct change changes[FAN_T8_PUTS_MAX];
	unsigned count = 0;

	(void)fan_t8_records_each(records, begins, collect_old, &tidying);
	for (size_t i = 0; i < json_array_size(tidying.keys); i++) {
		changes[count++] = (struct change){ json_string_value(json_array_get(tidying.keys, i)), NULL, 0 };
		if (count < FAN_T8_PUTS_MAX && i + 1 < json_array_size(tidying.keys))
			continue;
		(void)make_changes(records, changes, count);
		count = 0;
	}
	json_decref(tidying.keys);
}

static void
tell_all(struct fan_t8_records *records, MDB_cursor *cursor)
{
	MDB_val name, value;
	char key[FAN_T8_KEY_BYTES_MAX + 1];

	for (int code = mdb_cursor_get(cursor, &name, &value, MDB_FIRST); code == 0;
	     code = mdb_cursor_get(cursor, &name, &value, MDB_NEXT)) {
		(void)snprintf(key, sizeof(key), "%.*s", (int)name.mv_size, (const char *)name.mv_data);
		records->changed(records->user, key, (int64_t)value.mv_size);
	}
}

void
fan_t8_records_watch(struct fan_t8_records *records, void (*changed)(void *user, const char *key, int64_t growth_bytes),
		     void *user)
{
	MDB_txn *transaction;
	MDB_cursor *cursor;

	records->changed = changed;
	records->user = user;
	if (mdb_txn_begin(records->environment, NULL, MDB_RDONLY, &transaction) != 0)
		return;
	if (mdb_cursor_open(transaction, records->database, &cursor) == 0) {
		tell_all(records, cursor);
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(transaction);
}
