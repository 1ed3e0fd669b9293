/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/cryptodev/cryptodev.h"

#include <stdlib.h>
#include <string.h>

const struct fan_engine_ops *const fan_engines[] = {
	&fan_engine_lockstep,
	&fan_engine_ipsec_mb,
	&fan_engine_cryptodev,
	&fan_engine_fpga,
	&fan_engine_reference,
	&fan_engine_lockstep_vaes512,
	&fan_engine_lockstep_vaes256,
	&fan_engine_lockstep_aesni,
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
	static const char device_prefix[] = "cryptodev:";
	char names[256];

	if (strncmp(name, device_prefix, sizeof(device_prefix) - 1) == 0)
		return fan_engine_cryptodev_name(ops, name + sizeof(device_prefix) - 1);
	for (unsigned i = 0; fan_engines[i] != NULL; i++) {
		if (strcmp(fan_engines[i]->name, name) == 0) {
			*ops = fan_engines[i];
			return 0;
		}
	}
	list_names(names, sizeof(names));
	return fan_fail(FAN_E_NOT_FOUND, "no engine \"%s\" in this build; there are: %s, and auto", name, names);
}

static int
find_automatic(const struct fan_engine_ops **ops)
{
	int count = 0;

	for (unsigned i = 0; fan_engines[i] != NULL && count < FAN_ENGINES_MAX; i++)
		if (fan_engines[i]->automatic)
			ops[count++] = fan_engines[i];
	return count;
}

int
fan_engine_list_find(const struct fan_engine_ops **ops, const char *names)
{
	char *copy, *rest, *name;
	int count = 0, error = 0;

	if (strcmp(names, FAN_ENGINE_AUTO) == 0)
		return find_automatic(ops);
	copy = rest = strdup(names);
	if (copy == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory");
	while (error == 0 && (name = strsep(&rest, ",")) != NULL) {
		if (count == FAN_ENGINES_MAX)
			error = fan_fail(FAN_E_INVALID, "too many engines: %d at most", FAN_ENGINES_MAX);
		else
			error = fan_engine_find(&ops[count++], name);
	}
	free(copy);
	return error != 0 ? error : count;
}
