/* SPDX-License-Identifier: BSD-3-Clause */
#include "engines.h"

#include "../driver/engine_fpga.h"
#include "engine/cryptodev/cryptodev.h"
#include "engine/reference/reference.h"
#ifdef __x86_64__
#include "engine/ipsec_mb/ipsec_mb.h"
#include "engine/lockstep/lockstep.h"
#endif

#include <stdlib.h>
#include <string.h>

const struct fan_engine_ops *const fan_engines[] = {
#ifdef __x86_64__
	&fan_engine_lockstep,
	&fan_engine_ipsec_mb,
#endif
	&fan_engine_cryptodev,
	&fan_engine_fpga,
	&fan_engine_reference,
#ifdef __x86_64__
	&fan_engine_lockstep_vaes512,
	&fan_engine_lockstep_vaes256,
	&fan_engine_lockstep_aesni,
#endif
	NULL,
};

const struct fan_engine_choice fan_engine_judge = { &fan_engine_reference, "reference", NULL };

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
fan_engine_find(struct fan_engine_choice *choice, const char *name)
{
	const size_t engine_bytes = strcspn(name, ":");
	const char *device = name[engine_bytes] == ':' ? name + engine_bytes + 1 : NULL;
	char names[256];

	for (unsigned i = 0; fan_engines[i] != NULL; i++) {
		if (strlen(fan_engines[i]->name) != engine_bytes || memcmp(fan_engines[i]->name, name, engine_bytes) != 0)
			continue;
		if (device != NULL && (!fan_engines[i]->has_devices || device[0] == '\0'))
			return fan_fail(FAN_E_INVALID, "engine \"%s\": %s", name,
					device[0] == '\0' ? "a device's name stands behind the colon" : "it has no devices");
		*choice = (struct fan_engine_choice){ fan_engines[i], name, device };
		return 0;
	}
	list_names(names, sizeof(names));
	return fan_fail(FAN_E_NOT_FOUND, "no engine \"%s\" in this build; there are: %s, and auto", name, names);
}

int
fan_engine_open(struct fan_engine **engine, const struct fan_engine_choice *choice)
{
	return choice->ops->open(engine, choice->device);
}

static void
choose_automatic(struct fan_engine_list *list)
{
	list->automatic = true;
	for (unsigned i = 0; fan_engines[i] != NULL && list->count < FAN_ENGINES_MAX; i++)
		if (fan_engines[i]->automatic)
			list->choice[list->count++] = (struct fan_engine_choice){ fan_engines[i], fan_engines[i]->name, NULL };
}

static int
choose_named(struct fan_engine_list *list)
{
	char *rest = list->text, *name;
	int error = 0;

	while (error == 0 && (name = strsep(&rest, ",")) != NULL) {
		struct fan_engine_choice *choice = &list->choice[list->count];

		if (list->count == FAN_ENGINES_MAX)
			return fan_fail(FAN_E_INVALID, "too many engines: %d at most", FAN_ENGINES_MAX);
		error = fan_engine_find(choice, name);
		if (error == 0 && choice->ops == &fan_engine_fpga && choice->device == NULL)
			choice->device = list->card_text;
		list->count += error == 0;
	}
	return error;
}

int
fan_engine_list_make(struct fan_engine_list *list, const char *names, const char *card)
{
	int error = 0;

	memset(list, 0, sizeof(*list));
	if (strcmp(names, FAN_ENGINE_AUTO) == 0) {
		choose_automatic(list);
		return 0;
	}
	list->text = strdup(names);
	list->card_text = card != NULL ? strdup(card) : NULL;
	if (list->text == NULL || (card != NULL && list->card_text == NULL))
		error = fan_fail(FAN_E_MEMORY, "no memory for the names of engines");
	if (error == 0)
		error = choose_named(list);
	if (error != 0)
		fan_engine_list_free(list);
	return error;
}

void
fan_engine_list_free(struct fan_engine_list *list)
{
	free(list->text);
	free(list->card_text);
	memset(list, 0, sizeof(*list));
}
