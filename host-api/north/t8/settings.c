/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "settings.h"

#include "../../control/ini_file.h"
#include "../face.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SENDER_PREFIX "sender "
#define NAME_BYTES_MAX (FAN_INI_SECTION_BYTES_MAX - sizeof(SENDER_PREFIX) + 1) /* of a sender */

enum type {
	TYPE_TEXT,
	TYPE_NUMBER,
	TYPE_FLAG,
	TYPE_NAMES,
	TYPE_OUTCOMES,
};

struct setting {
	const char *section, *key;
	enum type type;
	uint64_t minimum, maximum;
	size_t offset;
	const char *standard; /* NULL: none */
};

#define AT(field) .offset = offsetof(struct fan_t8_settings, field)
#define OF(field) .offset = offsetof(struct fan_t8_sender, field)
#define NUMBER(from, to) .type = TYPE_NUMBER, .minimum = (from), .maximum = (to)

static const struct setting settings_of_file[] = {
	{ "t8", "address", AT(t8.address), .standard = "127.0.0.1" },
	{ "t8", "port", NUMBER(0, 65535), AT(t8.port), .standard = "8443" },
	{ "t8", "metrics_port", NUMBER(0, 65535), AT(t8.metrics_port), .standard = "0" },
	{ "t8", "api_root", AT(t8.api_root) },
	{ "t8", "certificate", AT(t8.certificate_file) },
	{ "t8", "key", AT(t8.key_file) },
	{ "t8", "client_ca", AT(t8.client_ca_file) },
	{ "t8", "socket", AT(t8.socket) },
	{ "t8", "user", AT(t8.user) },
	{ "t8", "state", AT(t8.state), .standard = "/var/lib/fanfare-t8" },
	{ "t8", "log", AT(t8.log), .standard = "auto" },
	{ "t8", "retention_s", NUMBER(1, UINT32_MAX), AT(t8.retention_s), .standard = "604800" },
	{ "limits", "connections", NUMBER(1, 60000), AT(limits.connections), .standard = "1000" },
	{ "limits", "connections_of_address", NUMBER(1, 60000), AT(limits.connections_of_address), .standard = "100" },
	{ "limits", "body_bytes", NUMBER(1024, 1 << 24), AT(limits.body_bytes), .standard = "65536" },
	{ "limits", "deadline_ms", NUMBER(100, 600000), AT(limits.deadline_ms), .standard = "10000" },
	{ "tokens", "profile", AT(tokens.profile) },
	{ "tokens", "issuer", AT(tokens.issuer) },
	{ "tokens", "audience", AT(tokens.audience) },
	{ "tokens", "aef", AT(tokens.aef) },
	{ "tokens", "scope_required", .type = TYPE_FLAG, AT(tokens.scope_required), .standard = "no" },
	{ "tokens", "keys", AT(tokens.keys) },
	{ "tokens", "ca", AT(tokens.ca_file) },
	{ "tokens", "skew_s", NUMBER(0, 600), AT(tokens.skew_s), .standard = "30" },
	{ "callbacks", "plain_http", .type = TYPE_FLAG, AT(callbacks.plain_http), .standard = "no" },
	{ "callbacks", "ca", AT(callbacks.ca_file) },
	{ "callbacks", "validity_s", NUMBER(1, 604800), AT(callbacks.validity_s), .standard = "86400" },
	{ "callbacks", "retry_ms", NUMBER(10, 3600000), AT(callbacks.retry_ms), .standard = "1000" },
	{ "callbacks", "retry_most_ms", NUMBER(10, 3600000), AT(callbacks.retry_most_ms), .standard = "300000" },
	{ "callbacks", "time_ms", NUMBER(100, 600000), AT(callbacks.time_ms), .standard = "10000" },
	{ .key = NULL },
};

static const struct setting settings_of_sender[] = {
	{ "sender", "certificates", .type = TYPE_NAMES, OF(certificates) },
	{ "sender", "subject", OF(subject) },
	{ "sender", "groups", .type = TYPE_NAMES, OF(groups) },
	{ "sender", "ues", .type = TYPE_NAMES, OF(ues) },
	{ "sender", "callbacks", .type = TYPE_NAMES, OF(callbacks) },
	{ "sender", "outcomes", .type = TYPE_OUTCOMES, OF(outcomes), .standard = "all" },
	{ "sender", "ues_per_s", NUMBER(0, UINT32_MAX), OF(ues_per_s), .standard = "0" },
	{ "sender", "pdus_per_s", NUMBER(0, UINT32_MAX), OF(pdus_per_s), .standard = "0" },
	{ "sender", "requests_per_s", NUMBER(0, 100000), OF(requests_per_s), .standard = "100" },
	{ "sender", "messages_in_flight", NUMBER(0, 64), OF(messages_in_flight), .standard = "16" },
	{ "sender", "message_bytes", NUMBER(1, 1 << 16), OF(message_bytes), .standard = "1024" },
	{ "sender", "stored_bytes", NUMBER(0, UINT32_MAX), OF(stored_bytes), .standard = "67108864" },
	{ .key = NULL },
};

static const char *const outcomes_names[] = { "all", "failures", "summary" };

/* ---- Values ------------------------------------------------------------------------------------------------------------------- */

static int
read_names(struct fan_t8_names *names, const char *text)
{
	char *copy = strdup(text), *rest = copy, *name;
	int error = copy == NULL ? fan_fail(FAN_E_MEMORY, "no memory") : 0;

	while (error == 0 && (name = strsep(&rest, ", \t")) != NULL) {
		if (*name == '\0')
			continue;
		if (names->count == FAN_T8_NAMES_MAX)
			error = fan_fail(FAN_E_INVALID, "more than %d names", FAN_T8_NAMES_MAX);
		else
			error = fan_ini_text(&names->at[names->count++], name);
	}
	free(copy);
	return error;
}

static int
read_outcomes(enum fan_t8_outcomes *outcomes, const char *text)
{
	for (unsigned i = 0; i < 3; i++)
		if (strcmp(text, outcomes_names[i]) == 0) {
			*outcomes = (enum fan_t8_outcomes)i;
			return 0;
		}
	return fan_fail(FAN_E_INVALID, "takes all, failures or summary");
}

/* An empty text takes away what was there. */
static int
keep(char **place, const char *text)
{
	if (text[0] != '\0')
		return fan_ini_text(place, text);
	free(*place);
	*place = NULL;
	return 0;
}

static int
set(void *object, const struct setting *setting, const char *text)
{
	void *place = (char *)object + setting->offset;

	if (text[0] == '\0' && setting->type != TYPE_TEXT)
		return 0;
	switch (setting->type) {
	case TYPE_TEXT:
		return keep(place, text);
	case TYPE_NUMBER:
		return fan_ini_number(place, text, 10, setting->minimum, setting->maximum);
	case TYPE_NAMES:
		return read_names(place, text);
	case TYPE_OUTCOMES:
		return read_outcomes(place, text);
	case TYPE_FLAG:
		break;
	}
	return fan_ini_flag(place, text);
}

/* ---- Reading ------------------------------------------------------------------------------------------------------------------- */

static int
set_defaults(void *object, const struct setting *table)
{
	int error = 0;

	for (; error == 0 && table->key != NULL; table++)
		if (table->standard != NULL)
			error = set(object, table, table->standard);
	return error;
}

static int
set_key(void *object, const struct setting *table, const char *section, const char *key, const char *value)
{
	for (; table->key != NULL; table++)
		if (strcmp(table->section, section) == 0 && strcmp(table->key, key) == 0)
			return set(object, table, value);
	return fan_fail(FAN_E_INVALID, "no such key; README.md of the T8 face lists them");
}

/* The last one, or another. */
static struct fan_t8_sender *
sender_of(struct fan_t8_settings *settings, const char *name)
{
	struct fan_t8_sender *senders = settings->senders;
	const unsigned count = settings->sender_count;

	for (unsigned i = 0; i < count; i++)
		if (strcmp(senders[i].name, name) == 0)
			return &senders[i];
	if (name[0] == '\0' || strlen(name) > NAME_BYTES_MAX || strpbrk(name, "/ \t%") != NULL) {
		(void)fan_fail(FAN_E_INVALID, "a sender's name has 1 to %zu octets, and no blank, slash or percent sign",
			       NAME_BYTES_MAX);
		return NULL;
	}
	if (count == FAN_T8_SENDERS_MAX) {
		(void)fan_fail(FAN_E_INVALID, "more than %d senders", FAN_T8_SENDERS_MAX);
		return NULL;
	}
	senders = reallocarray(senders, count + 1, sizeof(*senders));
	if (senders == NULL)
		return NULL;
	settings->senders = senders;
	senders[count] = (struct fan_t8_sender){ .name = strdup(name) };
	if (senders[count].name == NULL || set_defaults(&senders[count], settings_of_sender) != 0)
		return NULL;
	settings->sender_count++;
	return &senders[count];
}

static int
take(void *user, const char *section, const char *key, const char *value)
{
	struct fan_t8_settings *settings = user;
	struct fan_t8_sender *sender;

	if (strncmp(section, SENDER_PREFIX, sizeof(SENDER_PREFIX) - 1) != 0)
		return set_key(settings, settings_of_file, section, key, value);
	sender = sender_of(settings, section + sizeof(SENDER_PREFIX) - 1);
	return sender == NULL ? FAN_E_INVALID : set_key(sender, settings_of_sender, "sender", key, value);
}

static bool
is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* What no line alone can break. */
static int
check(const struct fan_t8_settings *settings)
{
	const char *file = settings->file;

	if (settings->t8.api_root == NULL)
		return fan_fail(FAN_E_INVALID,
				"%s: [t8] api_root: is needed, https://scef.example.org for example: what Location begins with",
				file);
	if ((settings->t8.certificate_file == NULL) != (settings->t8.key_file == NULL))
		return fan_fail(FAN_E_INVALID, "%s: [t8] certificate and key: give both", file);
	if (settings->t8.certificate_file == NULL && !is_loopback(settings->t8.address))
		return fan_fail(FAN_E_INVALID, "%s: [t8] certificate: is needed; without TLS only a loopback address is served",
				file);
	if (settings->t8.client_ca_file != NULL && settings->t8.certificate_file == NULL)
		return fan_fail(FAN_E_INVALID, "%s: [t8] client_ca: needs certificate and key", file);
	if (settings->tokens.profile != NULL && strcmp(settings->tokens.profile, "capif") != 0 &&
	    strcmp(settings->tokens.profile, "oauth") != 0)
		return fan_fail(FAN_E_INVALID, "%s: [tokens] profile: takes capif or oauth", file);
	if (settings->tokens.profile != NULL && settings->tokens.keys == NULL)
		return fan_fail(FAN_E_INVALID, "%s: [tokens] keys: are needed with a profile", file);
	if (settings->tokens.profile != NULL && strcmp(settings->tokens.profile, "oauth") == 0 &&
	    (settings->tokens.issuer == NULL || settings->tokens.audience == NULL))
		return fan_fail(FAN_E_INVALID, "%s: [tokens] issuer and audience: are needed with oauth", file);
	if (settings->sender_count == 0)
		return fan_fail(FAN_E_INVALID, "%s: [sender NAME]: at least one is needed: nobody else is served", file);
	return 0;
}

int
fan_t8_settings_read(struct fan_t8_settings *settings, const char *file)
{
	int error;

	*settings = (struct fan_t8_settings){ .file = strdup(file) };
	error = settings->file == NULL ? fan_fail(FAN_E_MEMORY, "no memory") : set_defaults(settings, settings_of_file);
	if (error == 0)
		error = fan_face_read_file(file, take, settings);
	return error == 0 ? check(settings) : error;
}

/* ---- Freeing, printing ----------------------------------------------------------------------------------------------------------- */

static void
free_values(void *object, const struct setting *table)
{
	for (; table->key != NULL; table++) {
		void *place = (char *)object + table->offset;
		struct fan_t8_names *names = place;

		if (table->type == TYPE_TEXT)
			free(*(char **)place);
		for (unsigned i = 0; table->type == TYPE_NAMES && i < names->count; i++)
			free(names->at[i]);
	}
}

void
fan_t8_settings_free(struct fan_t8_settings *settings)
{
	for (unsigned i = 0; i < settings->sender_count; i++) {
		free_values(&settings->senders[i], settings_of_sender);
		free(settings->senders[i].name);
	}
	free(settings->senders);
	free_values(settings, settings_of_file);
	free(settings->file);
	*settings = (struct fan_t8_settings){ .file = NULL };
}

static void
print_value(const void *object, const struct setting *setting, FILE *out)
{
	const void *place = (const char *)object + setting->offset;
	const struct fan_t8_names *names = place;
	char *const *text = place;

	(void)fprintf(out, "%s =", setting->key);
	if (setting->type == TYPE_TEXT && *text != NULL)
		(void)fprintf(out, " %s", *text);
	else if (setting->type == TYPE_NUMBER)
		(void)fprintf(out, " %lu", *(const uint64_t *)place);
	else if (setting->type == TYPE_FLAG)
		(void)fprintf(out, " %s", *(const bool *)place ? "yes" : "no");
	else if (setting->type == TYPE_OUTCOMES)
		(void)fprintf(out, " %s", outcomes_names[*(const enum fan_t8_outcomes *)place]);
	for (unsigned i = 0; setting->type == TYPE_NAMES && i < names->count; i++)
		(void)fprintf(out, " %s", names->at[i]);
	(void)fputc('\n', out);
}

void
fan_t8_settings_print(const struct fan_t8_settings *settings, FILE *out)
{
	const char *section = "";

	for (const struct setting *setting = settings_of_file; setting->key != NULL; setting++) {
		if (strcmp(section, setting->section) != 0)
			(void)fprintf(out, "%s[%s]\n", section[0] == '\0' ? "" : "\n", setting->section);
		section = setting->section;
		print_value(settings, setting, out);
	}
	for (unsigned i = 0; i < settings->sender_count; i++) {
		(void)fprintf(out, "\n[sender %s]\n", settings->senders[i].name);
		for (const struct setting *setting = settings_of_sender; setting->key != NULL; setting++)
			print_value(&settings->senders[i], setting, out);
	}
}

/* ---- Looking --------------------------------------------------------------------------------------------------------------------- */

const struct fan_t8_sender *
fan_t8_settings_sender(const struct fan_t8_settings *settings, const char *name)
{
	for (unsigned i = 0; i < settings->sender_count; i++)
		if (strcmp(settings->senders[i].name, name) == 0)
			return &settings->senders[i];
	return NULL;
}

bool
fan_t8_names_have(const struct fan_t8_names *names, const char *name)
{
	const size_t name_bytes = strlen(name);

	for (unsigned i = 0; i < names->count; i++) {
		const char *at = names->at[i];
		const size_t tail_bytes = at[0] == '*' ? strlen(at + 1) : 0;

		if (strcmp(at, name) == 0 ||
		    (at[0] == '*' && name_bytes >= tail_bytes && strcmp(name + name_bytes - tail_bytes, at + 1) == 0))
			return true;
	}
	return false;
}
