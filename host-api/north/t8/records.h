/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the T8 face keeps: JSON objects by key, in an LMDB directory of its own (mode 0700). A put or a removal is durable when it returns. Keys are
 * texts whose parts are joined by slashes, so that a listing is in the order of keys.
 */
#ifndef FAN_T8_RECORDS_H
#define FAN_T8_RECORDS_H

#include "../../control/protocol.h"

#define FAN_T8_KEY_BYTES_MAX 400

struct fan_t8_records;

/* In: directory, made where there is none. BUSY: another process has it; IO. */
int fan_t8_records_open(struct fan_t8_records **records, const char *directory);
/* NULL is ignored. */
void fan_t8_records_close(struct fan_t8_records *records);

/* Calls `changed` for all that is kept, and from now on after each change: with the octets that a record has, or has more or less than before. */
void fan_t8_records_watch(struct fan_t8_records *records, void (*changed)(void *user, const char *key, int64_t growth_bytes),
			  void *user);

/* Keeps an object, which stays the caller's, in the place of what was kept under the key. IO: nothing has changed. */
int fan_t8_records_put(struct fan_t8_records *records, const char *key, const json_t *object);

struct fan_t8_put {
	const char *key;
	const json_t *object;
};
#define FAN_T8_PUTS_MAX 64
/* The same of up to FAN_T8_PUTS_MAX objects, in one write to the disk. */
int fan_t8_records_put_all(struct fan_t8_records *records, const struct fan_t8_put *puts, unsigned count);
/* Nothing under the key is fine. */
int fan_t8_records_remove(struct fan_t8_records *records, const char *key);
/* What is kept under a key: the caller's; NULL: nothing is. */
json_t *fan_t8_records_get(const struct fan_t8_records *records, const char *key);
/* Calls `each` for all keys that begin so, in their order, until it returns something else than 0, which is returned. The object is the face's;
 * `each` changes nothing that is kept. */
int fan_t8_records_each(const struct fan_t8_records *records, const char *begins,
			int (*each)(void *user, const char *key, json_t *object), void *user);
/* Removes those whose keys begin so and that are old, many in one write to the disk; what cannot be removed now stays. */
void fan_t8_records_tidy(struct fan_t8_records *records, const char *begins,
			 bool (*is_old)(const void *user, const json_t *object), const void *user);

#endif
