/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "settings.h"

#include "../../control/ini_file.h"
#include "../../control/params.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DETAIL_BYTES 384
#define SCS_PREFIX "scs "

enum setting_type {
	SETTING_TEXT,
	SETTING_NAME, /* text, a Diameter identity or realm */
	SETTING_NUMBER,
	SETTING_FLAG,
	SETTING_ADDRESSES, /* text, checked */
};

struct setting {
	const char *key; /* first: fan_nearest_name() walks these */
	const char *section;
	enum setting_type type;
	uint64_t minimum, maximum;
	size_t offset; /* in struct fan_settings, or in struct fan_scs for section "scs" */
	const char *standard;
};

#define AT(field) .offset = offsetof(struct fan_settings, field)
#define IN_SCS(field) .offset = offsetof(struct fan_scs, field)
#define NUMBER(from, to) .type = SETTING_NUMBER, .minimum = (from), .maximum = (to)

static const struct setting settings_table[] = {
	{ "identity", "tsp", SETTING_NAME, AT(tsp.identity) },
	{ "realm", "tsp", SETTING_NAME, AT(tsp.realm) },
	{ "listen", "tsp", SETTING_ADDRESSES, AT(tsp.listen) },
	{ "port", "tsp", NUMBER(0, 65535), AT(tsp.port), .standard = "0" },
	{ "tls_port", "tsp", NUMBER(0, 65535), AT(tsp.tls_port), .standard = "5868" },
	{ "certificate", "tsp", AT(tsp.certificate) },
	{ "key", "tsp", AT(tsp.key) },
	{ "authority", "tsp", AT(tsp.authority) },
	{ "revoked", "tsp", AT(tsp.revoked) },
	{ "state", "tsp", AT(tsp.state), .standard = "/var/lib/fanfare-tsp" },
	{ "socket", "tsp", AT(tsp.socket), .standard = "/run/fanfare/control.sock" },
	{ "msisdn_domain", "tsp", SETTING_NAME, AT(tsp.msisdn_domain) },
	{ "user", "tsp", AT(tsp.user) },
	{ "log", "tsp", AT(tsp.log), .standard = "auto" },
	{ "requests_per_s", "limits", NUMBER(1, 100000), AT(limits.requests_per_s), .standard = "50" },
	{ "messages", "limits", NUMBER(1, 10000), AT(limits.messages), .standard = "1000" },
	{ "queued", "limits", NUMBER(1, 4096), AT(limits.queued), .standard = "256" },
	{ "payload_bytes", "limits", NUMBER(1, FAN_TSP_PAYLOAD_BYTES_MAX), AT(limits.payload_bytes), .standard = "1400" },
	{ "validity_s", "limits", NUMBER(1, 4294967), AT(limits.validity_s), .standard = "604800" },
	{ "retention_s", "limits", NUMBER(60, 31536000), AT(limits.retention_s), .standard = "86400" },
	{ "state_mb", "limits", NUMBER(1, 65536), AT(limits.state_mb), .standard = "256" },
	{ "host", "scs", SETTING_NAME, IN_SCS(host) },
	{ "realm", "scs", SETTING_NAME, IN_SCS(realm) },
	{ "identity", "scs", IN_SCS(identity) },
	{ "groups", "scs", IN_SCS(groups) },
	{ "ues", "scs", IN_SCS(ues) },
	{ "plain", "scs", .type = SETTING_FLAG, IN_SCS(plain), .standard = "no" },
	{ "requests_per_s", "scs", NUMBER(1, 100000), IN_SCS(requests_per_s) },
	{ "messages", "scs", NUMBER(1, 10000), IN_SCS(messages) },
	{ .key = NULL },
};

#define SETTING_COUNT (sizeof(settings_table) / sizeof(settings_table[0]) - 1)

/* ---- Values ------------------------------------------------------------------------------------------------------------ */

/* A name that a Diameter identity may have: letters, digits, hyphens and dots (RFC 6733 4.3.1). It goes into freeDiameter's file in quotes. */
static bool
is_name(const char *text)
{
	static const char *const characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";

	return strspn(text, characters) == strlen(text) && strlen(text) < FAN_TSP_HOST_BYTES && text[0] != '.' &&
	       text[0] != '-' && strstr(text, "..") == NULL;
}

/* Calls `each` with every word of a list, blanks or commas between them, until one answers false. */
static bool
every_word(const char *list, bool (*each)(const char *word, void *user), void *user)
{
	char *copy = strdup(list), *rest = copy, *word;
	bool all = copy != NULL;

	while (all && (word = strsep(&rest, ", \t")) != NULL)
		all = *word == '\0' || each(word, user);
	free(copy);
	return all;
}

static bool
is_address(const char *word, void *user)
{
	uint8_t octets[16];

	(void)user;
	return inet_pton(AF_INET, word, octets) == 1 || inet_pton(AF_INET6, word, octets) == 1;
}

static int
check_text(const struct setting *setting, const char *text)
{
	const size_t bytes_max = FAN_SETTINGS_LINE_BYTES_MAX - strlen(setting->key) - strlen(" = ");

	if (strlen(text) > bytes_max)
		return fan_fail(FAN_E_INVALID, "is longer than %zu octets", bytes_max);
	if (strpbrk(text, "\"\\") != NULL)
		return fan_fail(FAN_E_INVALID, "takes neither quotes nor backslashes");
	if (setting->type == SETTING_NAME && !is_name(text))
		return fan_fail(FAN_E_INVALID, "takes a name like scs1.example.org, of letters, digits, - and .");
	if (setting->type == SETTING_ADDRESSES && !every_word(text, is_address, NULL))
		return fan_fail(FAN_E_INVALID, "takes IPv4 and IPv6 addresses of this machine, blanks or commas between them");
	return 0;
}

/* An empty text is as if nothing were said. In: base, the struct that setting->offset is of. */
static int
set(void *base, const struct setting *setting, const char *text)
{
	char *place = (char *)base + setting->offset;
	int error;

	if (*text == '\0')
		return 0;
	if (setting->type == SETTING_NUMBER)
		return fan_ini_number((uint64_t *)(void *)place, text, 10, setting->minimum, setting->maximum);
	if (setting->type == SETTING_FLAG)
		return fan_ini_flag((bool *)place, text);
	error = check_text(setting, text);
	return error != 0 ? error : fan_ini_text((char **)(void *)place, text);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------------- */

struct reading {
	struct fan_settings *settings;
	FILE *stream;
	unsigned line;
	char section[FAN_SETTINGS_LINE_BYTES_MAX + 2]; /* whole; libinih's own is cut */
	bool given[SETTING_COUNT];                     /* of [scs ...], in the section that is being read */
	int error;                                     /* the first; what follows is passed over */
};

/* Puts file, line and key before what was recorded. */
static void
refuse(struct reading *reading, int error, const char *key)
{
	char rule[DETAIL_BYTES];

	(void)snprintf(rule, sizeof(rule), "%s", fan_error_detail());
	reading->error = error;
	fan_error_record("%s: line %u: [%.64s]%s%.64s: %s", reading->settings->file, reading->line, reading->section,
			 key[0] != '\0' ? " " : "", key, rule);
}

static bool
is_scs(const char *section)
{
	return strncmp(section, SCS_PREFIX, strlen(SCS_PREFIX)) == 0;
}

static int
begin_scs(struct reading *reading)
{
	static const char *const characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	struct fan_settings *settings = reading->settings;
	const char *label = reading->section + strlen(SCS_PREFIX);
	struct fan_scs *scs = &settings->scs[settings->scs_count];

	if (*label == '\0' || strlen(label) >= sizeof(scs->label) || strspn(label, characters) != strlen(label))
		return fan_fail(FAN_E_INVALID, "takes a name of 1 to %d letters, digits, -, _ and . behind scs",
				FAN_TSP_LABEL_BYTES - 1);
	if (fan_settings_label(settings, label) != NULL)
		return fan_fail(FAN_E_INVALID, "is there twice");
	if (settings->scs_count == FAN_TSP_SCS_MAX)
		return fan_fail(FAN_E_INVALID, "more than %d SCSs", FAN_TSP_SCS_MAX);
	(void)snprintf(scs->label, sizeof(scs->label), "%s", label);
	settings->scs_count++;
	for (unsigned i = 0; i < SETTING_COUNT; i++)
		if (strcmp(settings_table[i].section, "scs") == 0)
			reading->given[i] = false;
	return 0;
}

static void
begin_section(struct reading *reading, const char *line)
{
	(void)snprintf(reading->section, sizeof(reading->section), "%.*s", (int)strcspn(line + 1, "]\n"), line + 1);
	if (is_scs(reading->section)) {
		if (begin_scs(reading) != 0)
			refuse(reading, FAN_E_INVALID, "");
		return;
	}
	if (strcmp(reading->section, "tsp") == 0 || strcmp(reading->section, "limits") == 0)
		return;
	(void)fan_fail(FAN_E_INVALID, "no such section; there are tsp, limits, and scs NAME for each SCS");
	refuse(reading, FAN_E_INVALID, "");
}

/* libinih's ini_reader. */
static char *
read_line(char *line, int room, void *user)
{
	struct reading *reading = user;
	bool whole;

	if (reading->error != 0 || fan_ini_line(line, room, reading->stream, &reading->line, &whole) == NULL)
		return NULL;
	if (!whole) {
		(void)fan_fail(FAN_E_INVALID, "the line is longer than %d octets", room - 2);
		refuse(reading, FAN_E_INVALID, "");
		return NULL;
	}
	if (line[0] == '[')
		begin_section(reading, line);
	return line;
}

static int
refuse_key(const char *section, const char *key)
{
	const char *names[SETTING_COUNT + 1] = { NULL };
	unsigned count = 0;
	const char *nearest;

	for (unsigned i = 0; i < SETTING_COUNT; i++)
		if (strcmp(settings_table[i].section, section) == 0)
			names[count++] = settings_table[i].key;
	nearest = fan_nearest_name(key, names, sizeof(names[0]));
	if (nearest != NULL)
		return fan_fail(FAN_E_INVALID, "no such key, did you mean %s?", nearest);
	return fan_fail(FAN_E_INVALID, "no such key in this section");
}

static int
read_setting(struct reading *reading, const char *key, const char *value)
{
	const bool of_scs = is_scs(reading->section);
	const char *section = of_scs ? "scs" : reading->section;
	struct fan_settings *settings = reading->settings;

	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		if (strcmp(settings_table[i].section, section) != 0 || strcmp(settings_table[i].key, key) != 0)
			continue;
		if (reading->given[i])
			return fan_fail(FAN_E_INVALID, "is given twice");
		reading->given[i] = true;
		return set(of_scs ? (void *)&settings->scs[settings->scs_count - 1] : settings, &settings_table[i], value);
	}
	if (section[0] == '\0')
		return fan_fail(FAN_E_INVALID, "a key before the first [section]");
	return refuse_key(section, key);
}

/* libinih's ini_handler: 1 is good. */
static int
take(void *user, const char *section, const char *key, const char *value)
{
	struct reading *reading = user;
	int error;

	(void)section;
	if (reading->error != 0)
		return 0;
	/* A comment right behind the sign is a comment, too. */
	error = read_setting(reading, key, value[0] == ';' ? "" : value);
	if (error != 0)
		refuse(reading, error, key);
	return error == 0;
}

/* ---- The whole --------------------------------------------------------------------------------------------------------- */

static int
set_defaults(struct fan_settings *settings)
{
	int error = 0;

	for (unsigned i = 0; error == 0 && i < SETTING_COUNT; i++)
		if (settings_table[i].standard != NULL && strcmp(settings_table[i].section, "scs") != 0)
			error = set(settings, &settings_table[i], settings_table[i].standard);
	return error;
}

static int
default_text(char **place, const char *text)
{
	if (*place == NULL && text != NULL)
		*place = strdup(text);
	return *place != NULL ? 0 : fan_fail(FAN_E_MEMORY, "no memory");
}

/* What stands behind the first dot of a host's name; NULL: nothing. */
static const char *
realm_of(const char *host)
{
	const char *dot = strchr(host, '.');

	return dot != NULL && dot[1] != '\0' ? dot + 1 : NULL;
}

static int
finish_scs(struct fan_settings *settings, struct fan_scs *scs)
{
	if (scs->host == NULL)
		return fan_fail(FAN_E_INVALID, "%s: [scs %s] host: is needed: its Diameter identity", settings->file,
				scs->label);
	if (scs->realm == NULL && realm_of(scs->host) == NULL)
		return fan_fail(FAN_E_INVALID, "%s: [scs %s] realm: is needed, since the host has no domain", settings->file,
				scs->label);
	for (const struct fan_scs *other = settings->scs; other < scs; other++)
		if (strcasecmp(other->host, scs->host) == 0)
			return fan_fail(FAN_E_INVALID, "%s: [scs %s] host: is that of [scs %s], too", settings->file,
					scs->label, other->label);
	if (scs->plain && settings->tsp.port == 0)
		return fan_fail(FAN_E_INVALID, "%s: [scs %s] plain: needs [tsp] port, which is 0", settings->file, scs->label);
	scs->requests_per_s = scs->requests_per_s != 0 ? scs->requests_per_s : settings->limits.requests_per_s;
	scs->messages = scs->messages != 0 ? scs->messages : settings->limits.messages;
	return default_text(&scs->realm, realm_of(scs->host)) != 0 || default_text(&scs->identity, scs->host) != 0
		       ? FAN_E_MEMORY
		       : 0;
}

static int
check_tls(const struct fan_settings *settings)
{
	if (settings->tsp.port == 0 && settings->tsp.tls_port == 0)
		return fan_fail(FAN_E_INVALID, "%s: [tsp] port and tls_port: one must not be 0", settings->file);
	if (settings->tsp.tls_port != 0 &&
	    (settings->tsp.certificate == NULL || settings->tsp.key == NULL || settings->tsp.authority == NULL))
		return fan_fail(FAN_E_INVALID,
				"%s: [tsp] certificate, key and authority: are needed for TLS (tls_port = 0 is without)",
				settings->file);
	return 0;
}

/* What no line alone can break, and defaults that hang on other lines. */
static int
finish(struct fan_settings *settings)
{
	int error;

	if (settings->tsp.identity == NULL)
		return fan_fail(FAN_E_INVALID,
				"%s: [tsp] identity: is needed: this face's Diameter identity, iwf.example.org for example",
				settings->file);
	if (settings->tsp.realm == NULL && realm_of(settings->tsp.identity) == NULL)
		return fan_fail(FAN_E_INVALID, "%s: [tsp] realm: is needed, since identity has no domain", settings->file);
	error = default_text(&settings->tsp.realm, realm_of(settings->tsp.identity));
	if (error == 0)
		error = check_tls(settings);
	if (error == 0 && settings->scs_count == 0)
		error = fan_fail(FAN_E_INVALID, "%s: [scs NAME]: at least one is needed, with its host", settings->file);
	for (unsigned i = 0; error == 0 && i < settings->scs_count; i++)
		error = finish_scs(settings, &settings->scs[i]);
	return error;
}

int
fan_settings_read_stream(struct fan_settings *settings, const char *file, FILE *stream)
{
	struct reading reading = { .settings = settings, .stream = stream };
	int line;

	*settings = (struct fan_settings){ .file = strdup(file) };
	if (settings->file == NULL || set_defaults(settings) != 0)
		return fan_fail(FAN_E_MEMORY, "%s: no memory", file);
	line = ini_parse_stream(read_line, &reading, take, &reading);
	if (reading.error != 0)
		return reading.error;
	if (line != 0)
		return fan_fail(FAN_E_INVALID, "%s: line %d: takes KEY = VALUE, [SECTION], or ; and a comment", file, line);
	if (ferror(stream))
		return fan_fail(FAN_E_IO, "%s: cannot be read", file);
	return finish(settings);
}

int
fan_settings_read(struct fan_settings *settings, const char *file)
{
	FILE *stream = fopen(file, "re");
	int error;

	*settings = (struct fan_settings){ .file = NULL };
	if (stream == NULL)
		return fan_fail(FAN_E_IO, "%s: %s", file, strerror(errno));
	error = fan_settings_read_stream(settings, file, stream);
	(void)fclose(stream);
	return error;
}

static void
free_texts(void *base, bool of_scs)
{
	for (unsigned i = 0; i < SETTING_COUNT; i++) {
		const struct setting *setting = &settings_table[i];
		char *text;

		if (setting->type == SETTING_NUMBER || setting->type == SETTING_FLAG ||
		    (strcmp(setting->section, "scs") == 0) != of_scs)
			continue;
		memcpy(&text, (char *)base + setting->offset, sizeof(text));
		free(text);
	}
}

void
fan_settings_free(struct fan_settings *settings)
{
	free_texts(settings, false);
	for (unsigned i = 0; i < settings->scs_count; i++)
		free_texts(&settings->scs[i], true);
	free(settings->file);
	*settings = (struct fan_settings){ .file = NULL };
}

/* ---- What is in force -------------------------------------------------------------------------------------------------- */

static void
print_setting(const void *base, const struct setting *setting, FILE *out)
{
	const char *place = (const char *)base + setting->offset;
	const char *text;
	uint64_t number;
	bool yes;

	(void)fprintf(out, "%s =", setting->key);
	if (setting->type == SETTING_NUMBER) {
		memcpy(&number, place, sizeof(number));
		(void)fprintf(out, " %llu", (unsigned long long)number);
	} else if (setting->type == SETTING_FLAG) {
		memcpy(&yes, place, sizeof(yes));
		(void)fprintf(out, " %s", yes ? "yes" : "no");
	} else {
		memcpy(&text, place, sizeof(text));
		if (text != NULL)
			(void)fprintf(out, " %s", text);
	}
	(void)fputc('\n', out);
}

static void
print_section(const void *base, const char *section, FILE *out)
{
	for (unsigned i = 0; i < SETTING_COUNT; i++)
		if (strcmp(settings_table[i].section, section) == 0)
			print_setting(base, &settings_table[i], out);
}

void
fan_settings_print(const struct fan_settings *settings, FILE *out)
{
	(void)fputs("[tsp]\n", out);
	print_section(settings, "tsp", out);
	(void)fputs("\n[limits]\n", out);
	print_section(settings, "limits", out);
	for (unsigned i = 0; i < settings->scs_count; i++) {
		(void)fprintf(out, "\n[scs %s]\n", settings->scs[i].label);
		print_section(&settings->scs[i], "scs", out);
	}
}

/* ---- Who may what ------------------------------------------------------------------------------------------------------ */

const struct fan_scs *
fan_settings_scs(const struct fan_settings *settings, const char *host, size_t host_bytes)
{
	for (unsigned i = 0; i < settings->scs_count; i++) {
		const char *own = settings->scs[i].host;

		if (own != NULL && strlen(own) == host_bytes && strncasecmp(own, host, host_bytes) == 0)
			return &settings->scs[i];
	}
	return NULL;
}

const struct fan_scs *
fan_settings_label(const struct fan_settings *settings, const char *label)
{
	for (unsigned i = 0; i < settings->scs_count; i++)
		if (strcmp(settings->scs[i].label, label) == 0)
			return &settings->scs[i];
	return NULL;
}

struct wanted {
	const char *name;
	bool found;
};

static bool
look(const char *pattern, void *user)
{
	struct wanted *wanted = user;

	wanted->found |= fnmatch(pattern, wanted->name, FNM_NOESCAPE | FNM_CASEFOLD) == 0;
	return !wanted->found;
}

bool
fan_settings_matches(const char *patterns, const char *name)
{
	struct wanted wanted = { .name = name };

	if (patterns != NULL)
		(void)every_word(patterns, look, &wanted);
	return wanted.found;
}
