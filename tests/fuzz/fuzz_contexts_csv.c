/* SPDX-License-Identifier: BSD-3-Clause */
/* Any octets as a contexts file: rows that are accepted must be written back as they were. */
#include "../../host-api/control/contexts_csv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

static void
read_back(const uint8_t *line, size_t line_bytes)
{
	struct fan_contexts_row row;
	char again[FAN_CONTEXTS_CSV_LINE_MAX], wrong[64];
	size_t again_bytes;

	if (!fan_contexts_csv_parse(&row, wrong, sizeof(wrong), (const char *)line, line_bytes))
		return;
	again_bytes = fan_contexts_csv_format(again, &row);
	if (again_bytes != line_bytes + 1 || memcmp(again, line, line_bytes) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
	struct fan_contexts_row row;
	uint64_t line_number = 0;
	char wrong[256];
	char *copy;
	FILE *file;

	read_back(data, data_bytes);
	if (data_bytes == 0)
		return 0;
	copy = malloc(data_bytes);
	if (copy == NULL)
		return 0;
	memcpy(copy, data, data_bytes);
	file = fmemopen(copy, data_bytes, "r");
	if (file == NULL)
		abort();
	while (fan_contexts_csv_read(file, &row, &line_number, wrong, sizeof(wrong)) > 0)
		continue;
	fclose(file);
	free(copy);
	return 0;
}
