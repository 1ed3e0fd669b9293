/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Configuration files of the faces that speak Diameter: INI, read by libinih in the manner of `fanfare serve`'s. A face describes its keys in a
 * table. One kind of section stands in a file once for each peer, [scs LABEL] for example, and is read into one element of an array.
 *
 * Read once, by one thread; constant from then on, for every thread.
 */
#ifndef FAN_NORTH_DIAMETER_SECTIONS_H
#define FAN_NORTH_DIAMETER_SECTIONS_H

#include "../../../dataplane/context/error.h"

#include <stddef.h>
#include <stdio.h>

#define FAN_SECTION_LINE_BYTES_MAX 198 /* as of serve's configuration */
#define FAN_SECTION_LABEL_BYTES 32     /* what a file calls a peer, its closing zero included */
#define FAN_SECTION_KEYS_MAX 64        /* of a table */
#define FAN_DIAMETER_HOST_BYTES 192    /* a Diameter identity, its closing zero included: a line has no more */
#define FAN_DIAMETER_PEERS_MAX 64      /* of a configuration */

enum fan_setting_type {
	FAN_SETTING_TEXT,
	FAN_SETTING_NAME,      /* text, a Diameter identity or realm */
	FAN_SETTING_NUMBER,    /* uint64_t */
	FAN_SETTING_FLAG,      /* bool */
	FAN_SETTING_ADDRESSES, /* text, checked */
};

struct fan_setting {
	const char *key; /* first: fan_nearest_name() walks these */
	const char *section;
	enum fan_setting_type type;
	uint64_t minimum, maximum;
	size_t offset; /* in the face's settings, or in one element, for the section of peers */
	const char *standard;
};

#define FAN_SETTING_RANGE(from, to) .type = FAN_SETTING_NUMBER, .minimum = (from), .maximum = (to)

/* A face's file. */
struct fan_sections {
	const struct fan_setting *table; /* ended by a key NULL, up to FAN_SECTION_KEYS_MAX rows */
	const char *const *names;        /* of the sections that stand there once, ended by NULL */
	const char *peers;               /* of that which stands there for each peer */
	/* In the settings: an array of FAN_DIAMETER_PEERS_MAX elements, each of which begins with char label[FAN_SECTION_LABEL_BYTES], and an unsigned, how many
	 * of them the file has. */
	size_t peers_at, count_at;
	size_t peer_bytes; /* of an element */
};

/* What every face has in the section of its own name. Texts are owned, NULL where nothing was given. */
struct fan_diameter_settings {
	char *identity, *realm;  /* of this node; the realm is by default what stands behind the identity's first dot */
	char *listen;            /* addresses of this machine, blanks or commas between them; NULL: all */
	uint64_t port, tls_port; /* 0: none */
	char *certificate, *key, *authority, *revoked; /* PEM files */
	char *socket, *user, *log;
};

/* Rows of a table for `field`, a struct fan_diameter_settings of `whole`. */
#define FAN_DIAMETER_SETTINGS(name, whole, field)                                                                              \
	{ "identity", name, FAN_SETTING_NAME, .offset = offsetof(whole, field.identity) },                                     \
		{ "realm", name, FAN_SETTING_NAME, .offset = offsetof(whole, field.realm) },                                   \
		{ "listen", name, FAN_SETTING_ADDRESSES, .offset = offsetof(whole, field.listen) },                            \
		{ "port", name, FAN_SETTING_RANGE(0, 65535), .offset = offsetof(whole, field.port), .standard = "0" },         \
		{ "tls_port", name, FAN_SETTING_RANGE(0, 65535), .offset = offsetof(whole, field.tls_port),                    \
		  .standard = "5868" },                                                                                        \
		{ "certificate", name, .offset = offsetof(whole, field.certificate) },                                         \
		{ "key", name, .offset = offsetof(whole, field.key) },                                                         \
		{ "authority", name, .offset = offsetof(whole, field.authority) },                                             \
		{ "revoked", name, .offset = offsetof(whole, field.revoked) },                                                 \
		{ "socket", name, .offset = offsetof(whole, field.socket), .standard = "/run/fanfare/control.sock" },          \
		{ "user", name, .offset = offsetof(whole, field.user) },                                                       \
	{                                                                                                                      \
		"log", name, .offset = offsetof(whole, field.log), .standard = "auto"                                          \
	}

/* Reads a stream into *settings, zeroed but for what the face has put there. `file` is for errors, which name file, line, key and the rule: INVALID, IO,
 * MEMORY. */
int fan_sections_read(const struct fan_sections *sections, void *settings, const char *file, FILE *stream);
/* Opens a file and calls `read` with it. IO, or what `read` answers. */
int fan_sections_read_file(const char *file, int (*read)(void *settings, const char *file, FILE *stream), void *settings);

/* What no line alone can break, and the realm by default. In: section, the face's name; example, of an identity. INVALID, MEMORY. */
int fan_diameter_settings_finish(struct fan_diameter_settings *settings, const char *file, const char *section,
				 const char *example);
/* What stands behind the first dot of a host's name; NULL: nothing. */
const char *fan_diameter_realm(const char *host);
/* Whether a Diameter identity is that of a configured host, without regard to case. */
bool fan_diameter_host_is(const char *own, const char *host, size_t host_bytes);
/* A text by default. NULL changes nothing. INVALID: there is none at all; MEMORY. */
int fan_setting_default(char **place, const char *text);

/* Frees the texts of all sections, which are not to be looked at any more. */
void fan_sections_free(const struct fan_sections *sections, void *settings);
/* Prints what is in force, defaults included, as a file that would say the same. */
void fan_sections_print(const struct fan_sections *sections, const void *settings, FILE *out);

#endif
