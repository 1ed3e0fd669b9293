/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "references.h"

#include "../../dataplane/context/error.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

/* The text comes first, for what is sought is a text alone. */
struct referred {
	char reference[FAN_REFERENCE_BYTES];
	fan_message_id id;
};

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

int
fan_reference_check(const char *reference)
{
	const size_t bytes = reference != NULL ? strnlen(reference, FAN_REFERENCE_BYTES) : 1;
	bool printable = bytes > 0 && bytes < FAN_REFERENCE_BYTES;

	for (size_t i = 0; reference != NULL && printable && i < bytes; i++)
		printable = reference[i] >= ' ' && reference[i] <= '~';
	if (printable)
		return 0;
	return fan_fail(FAN_E_INVALID, "reference: takes 1 to %d octets of printable ASCII", FAN_REFERENCE_BYTES - 1);
}

static struct referred *
find(const struct fan_references *references, const char *reference)
{
	struct referred **found = tfind(reference, &references->tree, compare);

	return found != NULL ? *found : NULL;
}

int
fan_references_add(struct fan_references *references, const char *reference, fan_message_id id)
{
	struct referred *referred = calloc(1, sizeof(*referred));

	if (referred != NULL) {
		(void)snprintf(referred->reference, sizeof(referred->reference), "%s", reference);
		referred->id = id;
		if (tsearch(referred, &references->tree, compare) != NULL)
			return 0;
	}
	free(referred);
	return fan_fail(FAN_E_MEMORY, "no memory for the reference of a message");
}

fan_message_id
fan_references_find(const struct fan_references *references, const char *reference)
{
	const struct referred *referred = find(references, reference);

	return referred != NULL ? referred->id : 0;
}

void
fan_references_remove(struct fan_references *references, const char *reference, fan_message_id id)
{
	struct referred *referred = reference[0] != '\0' ? find(references, reference) : NULL;

	if (referred == NULL || referred->id != id)
		return;
	(void)tdelete(reference, &references->tree, compare);
	free(referred);
}

void
fan_references_free(struct fan_references *references)
{
	tdestroy(references->tree, free);
	references->tree = NULL;
}
