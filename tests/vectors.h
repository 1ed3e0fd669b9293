/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Published test vectors, tests/vectors/NAME.json: {"count": n, "vectors": [{"id": ..., octet strings in hex, numbers}, ...]}.
 *
 * A vector file that is missing or malformed aborts the test with a line that names file, vector and field: a test must never
 * pass because it had nothing to run.
 */
#ifndef FAN_TEST_VECTORS_H
#define FAN_TEST_VECTORS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fan_vectors {
	json_t *root;
	size_t count; /* as many as the file's own "count" says */
};

/* In: file name inside tests/vectors, as "EEA1.json". Release with fan_vectors_free(). */
struct fan_vectors fan_vectors_load(const char *file);
void fan_vectors_free(struct fan_vectors *vectors);

/* The vector at 0 .. count - 1; valid until fan_vectors_free(). */
const json_t *fan_vector_at(const struct fan_vectors *vectors, size_t at);
bool fan_vector_has(const json_t *vector, const char *field);
/* Text field, "id" among them. */
const char *fan_vector_text(const json_t *vector, const char *field);
/* Number field, 0 .. 2^32 - 1. */
uint32_t fan_vector_number(const json_t *vector, const char *field);
/* Hex field. Out: bytes[]. Returns how many, 0..byte_max. */
size_t fan_vector_bytes(const json_t *vector, uint8_t *bytes, const char *field, size_t byte_max);

#endif
