/* SPDX-License-Identifier: BSD-3-Clause */
#include "vectors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef FAN_SOURCE_DIR
#define FAN_SOURCE_DIR "."
#endif

static void give_up(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void
give_up(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "test vectors: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
	abort();
}

struct fan_vectors
fan_vectors_load(const char *file)
{
	struct fan_vectors vectors;
	json_error_t error;
	char path[1024];

	snprintf(path, sizeof(path), "%s/tests/vectors/%s", FAN_SOURCE_DIR, file);
	vectors.root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (vectors.root == NULL)
		give_up("%s:%d: %s", path, error.line, error.text);
	vectors.count = json_array_size(json_object_get(vectors.root, "vectors"));
	if (vectors.count == 0 || json_integer_value(json_object_get(vectors.root, "count")) != (json_int_t)vectors.count)
		give_up("%s: %zu vectors, which is none or not what its \"count\" says", path, vectors.count);
	return vectors;
}

void
fan_vectors_free(struct fan_vectors *vectors)
{
	json_decref(vectors->root);
	vectors->root = NULL;
	vectors->count = 0;
}

const json_t *
fan_vector_at(const struct fan_vectors *vectors, size_t at)
{
	const json_t *vector = json_array_get(json_object_get(vectors->root, "vectors"), at);

	if (vector == NULL)
		give_up("no vector %zu of %zu", at, vectors->count);
	return vector;
}

bool
fan_vector_has(const json_t *vector, const char *field)
{
	return json_object_get(vector, field) != NULL && !json_is_null(json_object_get(vector, field));
}

const char *
fan_vector_text(const json_t *vector, const char *field)
{
	const char *text = json_string_value(json_object_get(vector, field));

	if (text == NULL && strcmp(field, "id") == 0)
		give_up("a vector without id");
	if (text == NULL)
		give_up("%s: no text \"%s\"", fan_vector_text(vector, "id"), field);
	return text;
}

uint32_t
fan_vector_number(const json_t *vector, const char *field)
{
	const json_t *number = json_object_get(vector, field);
	const json_int_t value = json_integer_value(number);

	if (!json_is_integer(number) || value < 0 || value > UINT32_MAX)
		give_up("%s: no number \"%s\" of 32 bits", fan_vector_text(vector, "id"), field);
	return (uint32_t)value;
}

static int
hex_digit(char character)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = character == '\0' ? NULL : strchr(digits, character);

	return at == NULL ? -1 : (int)(at - digits);
}

size_t
fan_vector_bytes(const json_t *vector, uint8_t *bytes, const char *field, size_t byte_max)
{
	const char *hex = fan_vector_text(vector, field);
	const size_t byte_count = strlen(hex) / 2;

	if (strlen(hex) % 2 != 0 || byte_count > byte_max)
		give_up("%s: \"%s\" has %zu digits, room for %zu octets", fan_vector_text(vector, "id"), field, strlen(hex),
			byte_max);
	for (size_t i = 0; i < byte_count; i++) {
		const int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			give_up("%s: \"%s\" is not lower-case hex at octet %zu", fan_vector_text(vector, "id"), field, i);
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return byte_count;
}
