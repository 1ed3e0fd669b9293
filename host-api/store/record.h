/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records as octets: a key, which sorts as its fields do; clear fields; and what is secret: keys. One list of fields
 * serves reading and writing. Numbers of a key are big endian, all others little endian.
 */
#ifndef FAN_RECORD_H
#define FAN_RECORD_H

#include "store.h"

#define FAN_RECORD_KEY_BYTES_MAX (FAN_GROUP_BYTES + 16)
#define FAN_RECORD_FIELDS_BYTES_MAX (FAN_STORED_BYTES_MAX + 1024)
#define FAN_RECORD_SECRET_BYTES_MAX FAN_KEY_OCTETS_MAX

/* "next_hop" ...: the database of a kind. */
extern const char *const fan_record_databases[FAN_RECORD_KINDS];

/* INVALID, naming the field and its range. */
int fan_record_check(const struct fan_record *record);
/* INVALID: the kind, or one of the key's fields. */
int fan_record_check_key(const struct fan_record *record);

/* Both return how many octets they wrote. In: a checked record. */
size_t fan_record_write_key(uint8_t key[FAN_RECORD_KEY_BYTES_MAX], const struct fan_record *record);
size_t fan_record_write_fields(uint8_t fields[FAN_RECORD_FIELDS_BYTES_MAX], const struct fan_record *record);
size_t fan_record_secret_bytes(enum fan_record_kind kind);
/* Where the secret lies in a record of a kind that has one. */
uint8_t *fan_record_secret(struct fan_record *record);

/* In: record->kind, and a secret that is left as it is. Out: the rest; strings and octets of a message lie in `fields`. False: they are not
 * such a record. */
bool fan_record_read(struct fan_record *record, const uint8_t *key, size_t key_bytes, uint8_t *fields, size_t fields_bytes);

#endif
