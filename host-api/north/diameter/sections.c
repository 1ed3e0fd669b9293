/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "sections.h"

#include "../../control/ini_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DETAIL_BYTES 384

/* ---- Values ------------------------------------------------------------------------------------------------------------ */

/* A name that a Diameter identity may have: letters, digits, hyphens and dots (RFC 6733 4.3.1). It goes into freeDiameter's file in quotes. */
static bool
is_name(const char *text)
{
	static const char *const characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";

	return strspn(text, characters) == strlen(text) && strlen(text) < FAN_DIAMETER_HOST_BYTES && text[0] != '.' &&
	       text[0] != '-' && strstr(text, "..") == NULL;
}

/* Whether every word of a list is an address. */
static bool
are_addresses(const char *list)
{
	char *copy = strdup(list), *rest = copy, *word;
	bool all = copy != NULL;
	uint8_t octets[16];

	while (all && (word = strsep(&rest, ", \t")) != NULL)
		all = *word == '\0' || inet_pton(AF_INET, word, octets) == 1 || inet_pton(AF_INET6, word, octets) == 1;
	free(copy);
	return all;
}

static int
check_text(const struct fan_setting *setting, const char *text)
{
	const size_t bytes_max = FAN_SECTION_LINE_BYTES_MAX - strlen(setting->key) - strlen(" = ");

	if (strlen(text) > bytes_max)
		return fan_fail(FAN_E_INVALID, "is longer than %zu octets", bytes_max);
	if (strpbrk(text, "\"\\") != NULL)
		return fan_fail(FAN_E_INVALID, "takes neither quotes nor backslashes");
	if (setting->type == FAN_SETTING_NAME && !is_name(text))
		return fan_fail(FAN_E_INVALID, "takes a name like scs1.example.org, of letters, digits, - and .");
	if (setting->type == FAN_SETTING_ADDRESSES && !are_addresses(text))
		return fan_fail(FAN_E_INVALID, "takes IPv4 and IPv6 addresses of this machine, blanks or commas between them");
	return 0;
}

/* An empty text is as if nothing were said. In: base, the struct that setting->offset is of. */
static int
set(void *base, const struct fan_setting *setting, const char *text)
{
	char *place = (char *)base + setting->offset;
	int error;

	if (*text == '\0')
		return 0;
	if (setting->type == FAN_SETTING_NUMBER)
		return fan_ini_number((uint64_t *)(void *)place, text, 10, setting->minimum, setting->maximum);
	if (setting->type == FAN_SETTING_FLAG)
		return fan_ini_flag((bool *)place, text);
	error = check_text(setting, text);
	return error != 0 ? error : fan_ini_text((char **)(void *)place, text);
}

/* Of one peer, or of all sections that stand there once. In: base, the struct that their offsets are of. */
static int
set_defaults(const struct fan_sections *sections, void *base, bool of_peer)
{
	int error = 0;

	for (const struct fan_setting *setting = sections->table; error == 0 && setting->key != NULL; setting++)
		if (setting->standard != NULL && (strcmp(setting->section, sections->peers) == 0) == of_peer)
			error = set(base, setting, setting->standard);
	return error;
}

/* ---- Peers -------------------------------------------------------------------------------------------------------------- */

static unsigned *
count_in(const struct fan_sections *sections, void *settings)
{
	return (unsigned *)(void *)((char *)settings + sections->count_at);
}

static void *
peer_at(const struct fan_sections *sections, void *settings, unsigned i)
{
	return (char *)settings + sections->peers_at + i * sections->peer_bytes;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------------- */

struct reading {
	const struct fan_sections *sections;
	void *settings;
	void *element; /* of the peer whose section is being read; NULL: of none */
	const char *file;
	FILE *stream;
	unsigned line;
	char section[FAN_SECTION_LINE_BYTES_MAX + 2]; /* whole; libinih's own is cut */
	bool given[FAN_SECTION_KEYS_MAX];             /* of a peer's, in the section that is being read */
	int error;                                    /* the first; what follows is passed over */
};

/* Puts file, line and key before what was recorded. */
static void
refuse(struct reading *reading, int error, const char *key)
{
	char rule[DETAIL_BYTES];

	(void)snprintf(rule, sizeof(rule), "%s", fan_error_detail());
	reading->error = error;
	fan_error_record("%s: line %u: [%.64s]%s%.64s: %s", reading->file, reading->line, reading->section,
			 key[0] != '\0' ? " " : "", key, rule);
}

/* The label of a peer's section; NULL: it is another. */
static const char *
label_of(const struct reading *reading)
{
	const char *peers = reading->sections->peers;
	const size_t peers_bytes = strlen(peers);

	return strncmp(reading->section, peers, peers_bytes) == 0 && reading->section[peers_bytes] == ' '
		       ? reading->section + peers_bytes + 1
		       : NULL;
}

/* A new element of a label that no other has. NULL: INVALID. */
static void *
add_peer(const struct fan_sections *sections, void *settings, const char *label)
{
	unsigned *count = count_in(sections, settings);
	char *element;

	for (unsigned i = 0; i < *count; i++) {
		if (strcmp(peer_at(sections, settings, i), label) != 0)
			continue;
		(void)fan_fail(FAN_E_INVALID, "is there twice");
		return NULL;
	}
	if (*count == FAN_DIAMETER_PEERS_MAX) {
		(void)fan_fail(FAN_E_INVALID, "more than %d sections [%s NAME]", FAN_DIAMETER_PEERS_MAX, sections->peers);
		return NULL;
	}
	element = peer_at(sections, settings, (*count)++);
	(void)snprintf(element, FAN_SECTION_LABEL_BYTES, "%s", label);
	return element;
}

static int
begin_peer(struct reading *reading, const char *label)
{
	const struct fan_sections *sections = reading->sections;

	if (fan_ini_label(label, FAN_SECTION_LABEL_BYTES - 1, sections->peers) != 0)
		return FAN_E_INVALID;
	reading->element = add_peer(sections, reading->settings, label);
	for (unsigned i = 0; sections->table[i].key != NULL; i++)
		if (strcmp(sections->table[i].section, sections->peers) == 0)
			reading->given[i] = false;
	return reading->element != NULL ? set_defaults(sections, reading->element, true) : FAN_E_INVALID;
}

/* "tsp, limits" */
static const char *
list_names(const struct reading *reading, char *list, size_t list_bytes)
{
	size_t at = 0;

	list[0] = '\0';
	for (unsigned i = 0; reading->sections->names[i] != NULL && at < list_bytes; i++)
		at += (size_t)snprintf(list + at, list_bytes - at, "%s%s", i > 0 ? ", " : "", reading->sections->names[i]);
	return list;
}

static void
begin_section(struct reading *reading, const char *line)
{
	char list[FAN_SECTION_LINE_BYTES_MAX];
	const char *label;

	(void)snprintf(reading->section, sizeof(reading->section), "%.*s", (int)strcspn(line + 1, "]\n"), line + 1);
	reading->element = NULL;
	label = label_of(reading);
	if (label != NULL) {
		if (begin_peer(reading, label) != 0)
			refuse(reading, FAN_E_INVALID, "");
		return;
	}
	for (unsigned i = 0; reading->sections->names[i] != NULL; i++)
		if (strcmp(reading->section, reading->sections->names[i]) == 0)
			return;
	(void)fan_fail(FAN_E_INVALID, "no such section; there are %s, and %s NAME for each peer",
		       list_names(reading, list, sizeof(list)), reading->sections->peers);
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
refuse_key(const struct fan_setting *table, const char *section, const char *key)
{
	const char *names[FAN_SECTION_KEYS_MAX + 1] = { NULL };
	unsigned count = 0;

	for (unsigned i = 0; table[i].key != NULL; i++)
		if (strcmp(table[i].section, section) == 0)
			names[count++] = table[i].key;
	return fan_ini_refuse_key(key, names, sizeof(names[0]));
}

static int
read_setting(struct reading *reading, const char *key, const char *value)
{
	const struct fan_setting *table = reading->sections->table;
	const char *section = reading->element != NULL ? reading->sections->peers : reading->section;

	for (unsigned i = 0; table[i].key != NULL; i++) {
		if (strcmp(table[i].section, section) != 0 || strcmp(table[i].key, key) != 0)
			continue;
		if (reading->given[i])
			return fan_fail(FAN_E_INVALID, "is given twice");
		reading->given[i] = true;
		return set(reading->element != NULL ? reading->element : reading->settings, &table[i], value);
	}
	if (section[0] == '\0')
		return fan_fail(FAN_E_INVALID, "a key before the first [section]");
	return refuse_key(table, section, key);
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

int
fan_sections_read(const struct fan_sections *sections, void *settings, const char *file, FILE *stream)
{
	struct reading reading = { .sections = sections, .settings = settings, .file = file, .stream = stream };
	int line;

	if (set_defaults(sections, settings, false) != 0)
		return fan_fail(FAN_E_MEMORY, "%s: no memory", file);
	line = ini_parse_stream(read_line, &reading, take, &reading);
	if (reading.error != 0)
		return reading.error;
	if (line != 0)
		return fan_fail(FAN_E_INVALID, "%s: line %d: takes KEY = VALUE, [SECTION], or ; and a comment", file, line);
	if (ferror(stream))
		return fan_fail(FAN_E_IO, "%s: cannot be read", file);
	return 0;
}

int
fan_sections_read_file(const char *file, int (*read)(void *settings, const char *file, FILE *stream), void *settings)
{
	FILE *stream = fopen(file, "re");
	int error;

	if (stream == NULL)
		return fan_fail(FAN_E_IO, "%s: %s", file, strerror(errno));
	error = read(settings, file, stream);
	(void)fclose(stream);
	return error;
}

int
fan_setting_default(char **place, const char *text)
{
	if (*place == NULL && text != NULL)
		*place = strdup(text);
	return *place != NULL ? 0 : fan_fail(FAN_E_MEMORY, "no memory");
}

const char *
fan_diameter_realm(const char *host)
{
	const char *dot = strchr(host, '.');

	return dot != NULL && dot[1] != '\0' ? dot + 1 : NULL;
}

bool
fan_diameter_host_is(const char *own, const char *host, size_t host_bytes)
{
	return strlen(own) == host_bytes && strncasecmp(own, host, host_bytes) == 0;
}

static int
check_tls(const struct fan_diameter_settings *settings, const char *file, const char *section)
{
	if (settings->port == 0 && settings->tls_port == 0)
		return fan_fail(FAN_E_INVALID, "%s: [%s] port and tls_port: one must not be 0", file, section);
	if (settings->tls_port != 0 && (settings->certificate == NULL || settings->key == NULL || settings->authority == NULL))
		return fan_fail(FAN_E_INVALID,
				"%s: [%s] certificate, key and authority: are needed for TLS (tls_port = 0 is without)", file,
				section);
	return 0;
}

int
fan_diameter_settings_finish(struct fan_diameter_settings *settings, const char *file, const char *section, const char *example)
{
	if (settings->identity == NULL)
		return fan_fail(FAN_E_INVALID, "%s: [%s] identity: is needed: this face's Diameter identity, %s for example",
				file, section, example);
	if (settings->realm == NULL && fan_diameter_realm(settings->identity) == NULL)
		return fan_fail(FAN_E_INVALID, "%s: [%s] realm: is needed, since identity has no domain", file, section);
	return fan_setting_default(&settings->realm, fan_diameter_realm(settings->identity)) != 0
		       ? FAN_E_MEMORY
		       : check_tls(settings, file, section);
}

/* In: base, the settings, or an element. */
static void
free_section(const struct fan_sections *sections, void *base, const char *section)
{
	for (const struct fan_setting *setting = sections->table; setting->key != NULL; setting++) {
		char *text;

		if (setting->type == FAN_SETTING_NUMBER || setting->type == FAN_SETTING_FLAG ||
		    strcmp(setting->section, section) != 0)
			continue;
		memcpy(&text, (char *)base + setting->offset, sizeof(text));
		free(text);
	}
}

void
fan_sections_free(const struct fan_sections *sections, void *settings)
{
	for (unsigned i = 0; sections->names[i] != NULL; i++)
		free_section(sections, settings, sections->names[i]);
	for (unsigned i = 0; i < *count_in(sections, settings); i++)
		free_section(sections, peer_at(sections, settings, i), sections->peers);
}

/* ---- What is in force -------------------------------------------------------------------------------------------------- */

static void
print_setting(const void *base, const struct fan_setting *setting, FILE *out)
{
	const char *place = (const char *)base + setting->offset;
	const char *text;
	uint64_t number;
	bool yes;

	(void)fprintf(out, "%s =", setting->key);
	if (setting->type == FAN_SETTING_NUMBER) {
		memcpy(&number, place, sizeof(number));
		(void)fprintf(out, " %llu", (unsigned long long)number);
	} else if (setting->type == FAN_SETTING_FLAG) {
		memcpy(&yes, place, sizeof(yes));
		(void)fprintf(out, " %s", yes ? "yes" : "no");
	} else {
		memcpy(&text, place, sizeof(text));
		if (text != NULL)
			(void)fprintf(out, " %s", text);
	}
	(void)fputc('\n', out);
}

/* Without its heading. */
static void
print_section(const struct fan_sections *sections, const void *base, const char *section, FILE *out)
{
	for (const struct fan_setting *setting = sections->table; setting->key != NULL; setting++)
		if (strcmp(setting->section, section) == 0)
			print_setting(base, setting, out);
}

void
fan_sections_print(const struct fan_sections *sections, const void *settings, FILE *out)
{
	const char *peers = (const char *)settings + sections->peers_at;
	unsigned count;

	memcpy(&count, (const char *)settings + sections->count_at, sizeof(count));
	for (unsigned i = 0; sections->names[i] != NULL; i++) {
		(void)fprintf(out, "%s[%s]\n", i > 0 ? "\n" : "", sections->names[i]);
		print_section(sections, settings, sections->names[i], out);
	}
	for (unsigned i = 0; i < count; i++, peers += sections->peer_bytes) {
		(void)fprintf(out, "\n[%s %s]\n", sections->peers, peers);
		print_section(sections, peers, sections->peers, out);
	}
}
