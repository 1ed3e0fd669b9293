/* SPDX-License-Identifier: BSD-3-Clause */
#include "settings.h"
#include "../../control/ini_file.h"
#include "../face.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define AT(field) offsetof(struct fan_web_settings, field)
#define DEFAULT_ADDRESS "127.0.0.1"
#define DEFAULT_PORT 9464 /* of the OpenTelemetry exporter for Prometheus */
#define DEFAULT_CONNECTIONS 256
#define DEFAULT_CONNECTIONS_OF_ONE 64

enum type { TEXT, PORT, NUMBER };

static const struct key {
	const char *section, *name;
	enum type type;
	size_t at;
	unsigned long most;
} keys[] = {
	{ "web", "address", TEXT, AT(address), 0 },
	{ "web", "port", PORT, AT(port), UINT16_MAX },
	{ "web", "certificate", TEXT, AT(certificate), 0 },
	{ "web", "key", TEXT, AT(key), 0 },
	{ "web", "clients", TEXT, AT(clients), 0 },
	{ "web", "socket", TEXT, AT(socket), 0 },
	{ "web", "user", TEXT, AT(user), 0 },
	{ "web", "log", TEXT, AT(log), 0 },
	{ "limits", "connections", NUMBER, AT(connections), 1000 },
	{ "limits", "connections_of_one", NUMBER, AT(connections_of_one), 1000 },
};

struct reading {
	struct fan_web_settings *settings;
	bool given[COUNT_OF(keys)];
};

static int
take_value(struct fan_web_settings *settings, const struct key *key, const char *value)
{
	void *at = (char *)settings + key->at;
	uint64_t number = 0;
	int error;

	if (key->type == TEXT)
		return fan_ini_text(at, value);
	error = fan_ini_number(&number, value, 10, key->type == PORT ? 0 : 1, key->most);
	if (error == 0 && key->type == PORT)
		*(uint16_t *)at = (uint16_t)number;
	else if (error == 0)
		*(unsigned *)at = (unsigned)number;
	return error;
}

/* A key without a value is as if it were not there. */
static int
take(void *user, const char *section, const char *name, const char *value)
{
	struct reading *reading = user;

	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		if (strcmp(section, keys[i].section) != 0 || strcmp(name, keys[i].name) != 0)
			continue;
		if (reading->given[i])
			return fan_fail(FAN_E_EXISTS, "is given twice");
		reading->given[i] = true;
		return value[0] == '\0' ? 0 : take_value(reading->settings, &keys[i], value);
	}
	return fan_fail(FAN_E_INVALID,
			"no such key: [web] takes address, port, certificate, key, clients, socket, user and log, "
			"[limits] connections and connections_of_one");
}

static int
check(const struct fan_web_settings *settings, const char *file)
{
	if ((settings->certificate == NULL) != (settings->key == NULL))
		return fan_fail(FAN_E_INVALID, "%s: [web] certificate and key: give both, or none for no TLS", file);
	if (settings->clients != NULL && settings->certificate == NULL)
		return fan_fail(FAN_E_INVALID, "%s: [web] clients: needs TLS, by certificate and key", file);
	return 0;
}

int
fan_web_settings_read(struct fan_web_settings *settings, const char *file)
{
	struct reading reading = { .settings = settings };
	int error;

	*settings = (struct fan_web_settings){ .port = DEFAULT_PORT,
					       .connections = DEFAULT_CONNECTIONS,
					       .connections_of_one = DEFAULT_CONNECTIONS_OF_ONE };
	error = fan_ini_text(&settings->address, DEFAULT_ADDRESS);
	if (error == 0)
		error = fan_ini_text(&settings->log, "auto");
	if (error == 0)
		error = fan_face_read_file(file, take, &reading);
	if (error == 0)
		error = check(settings, file);
	if (error != 0)
		fan_web_settings_free(settings);
	return error;
}

void
fan_web_settings_free(struct fan_web_settings *settings)
{
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		void *at = (char *)settings + keys[i].at;

		if (keys[i].type == TEXT)
			free(*(char **)at);
	}
	*settings = (struct fan_web_settings){ .port = 0 };
}

void
fan_web_settings_print(const struct fan_web_settings *settings, FILE *out)
{
	const char *section = "";

	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		const void *at = (const char *)settings + keys[i].at;
		const char *text = keys[i].type == TEXT ? *(char *const *)at : NULL;

		if (strcmp(section, keys[i].section) != 0)
			(void)fprintf(out, "[%s]\n", keys[i].section);
		section = keys[i].section;
		if (keys[i].type == TEXT)
			(void)fprintf(out, "%s =%s%s\n", keys[i].name, text != NULL ? " " : "", text != NULL ? text : "");
		else
			(void)fprintf(out, "%s = %u\n", keys[i].name,
				      keys[i].type == PORT ? *(const uint16_t *)at : *(const unsigned *)at);
	}
}
