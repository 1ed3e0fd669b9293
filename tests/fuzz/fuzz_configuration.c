/* SPDX-License-Identifier: BSD-3-Clause */
/* Any octets as a configuration: one that is accepted must be printed so that it says the same. */
#include "../../host-api/control/configuration.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

static int
read_octets(struct fan_configuration *configuration, void *octets, size_t byte_count)
{
	FILE *stream = fmemopen(octets, byte_count, "r");
	int error;

	if (stream == NULL)
		abort();
	error = fan_configuration_read_stream(configuration, "fuzz", stream);
	(void)fclose(stream);
	return error;
}

static char *
print(const struct fan_configuration *configuration, size_t *text_bytes)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, text_bytes);

	if (out == NULL)
		abort();
	fan_configuration_print(configuration, out);
	(void)fclose(out);
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
	struct fan_configuration configuration, again;
	char *copy = malloc(data_bytes + 1), *first, *second;
	size_t first_bytes, second_bytes;
	int error;

	if (copy == NULL || data_bytes == 0) {
		free(copy);
		return 0;
	}
	memcpy(copy, data, data_bytes);
	error = read_octets(&configuration, copy, data_bytes);
	if (error == 0) {
		first = print(&configuration, &first_bytes);
		if (read_octets(&again, first, first_bytes) != 0)
			abort();
		second = print(&again, &second_bytes);
		if (first_bytes != second_bytes || memcmp(first, second, first_bytes) != 0)
			abort();
		fan_configuration_free(&again);
		free(first);
		free(second);
	}
	fan_configuration_free(&configuration);
	free(copy);
	return 0;
}
