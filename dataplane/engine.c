/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine.h"

#include <string.h>

const struct fan_engine_ops *const fan_engines[] = {
	&fan_engine_ipsec_mb,
	&fan_engine_reference,
	NULL,
};

/* As much of "one, other, third" as fits. */
static void
list_names(char *names, size_t names_bytes)
{
	size_t used = 0;

	names[0] = '\0';
	for (unsigned i = 0; fan_engines[i] != NULL && used < names_bytes; i++)
		used += (size_t)snprintf(names + used, names_bytes - used, "%s%s", i == 0 ? "" : ", ", fan_engines[i]->name);
}

int
fan_engine_find(const struct fan_engine_ops **ops, const char *name)
{
	char names[256];

	for (unsigned i = 0; fan_engines[i] != NULL; i++) {
		if (strcmp(fan_engines[i]->name, name) == 0) {
			*ops = fan_engines[i];
			return 0;
		}
	}
	list_names(names, sizeof(names));
	return fan_fail(FAN_E_NOT_FOUND, "no engine \"%s\" in this build; there are: %s", name, names);
}
