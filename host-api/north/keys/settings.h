/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration of `fanfare keys`. README.md beside this file describes every key.
 *
 * Read once, by one thread; constant from then on, for every thread.
 */
#ifndef FAN_NORTH_KEYS_SETTINGS_H
#define FAN_NORTH_KEYS_SETTINGS_H

#include "../diameter/sections.h"
#include "keys.h"

/* A node that keys go to: a section [peer LABEL]. Texts are owned, NULL where nothing was given. */
struct fan_keys_peer {
	char label[FAN_SECTION_LABEL_BYTES];
	char *host;    /* its Diameter identity: Origin-Host, name of the peer and of its certificate */
	char *realm;   /* by default what stands behind the host's first dot */
	char *role;    /* "hss" or "mme" */
	char *groups;  /* patterns of the GIDs whose keys it may have; NULL: none */
	char *kek;     /* the name by which serve has the key-encryption key that it shares with this node */
	char *connect; /* address to connect to; NULL: it comes by itself */
	uint64_t connect_port;
	bool plain;     /* it may come, and is gone to, without TLS */
	bool keys;      /* of an HSS: keys go there (figure 1.a) */
	bool members;   /* ... and who is in which group */
	char *triggers; /* of an MME: words of fan_keys_triggers */
	uint64_t requests_per_s;
};

/* What makes a group's keys go to an MME (figure 1.b): bits. */
enum {
	FAN_TRIGGER_MESSAGE = 1, /* the first message to the group under a key */
	FAN_TRIGGER_NOTICE = 2,  /* an HSS has said that it serves a member */
	FAN_TRIGGER_ASK = 4,     /* an HSS was asked who serves members */
};

struct fan_keys_settings {
	char *file;
	struct fan_diameter_settings node;
	struct {
		uint64_t requests_per_s; /* of a peer that says nothing else */
		uint64_t queued, poll_ms, reconnect_s;
	} limits;
	struct fan_keys_peer peers[FAN_DIAMETER_PEERS_MAX];
	unsigned peer_count;
};

/* Out: *settings, to be freed by fan_keys_settings_free() in any case. Errors name file, line, key and the rule: INVALID, IO (the file cannot be read),
 * MEMORY. */
int fan_keys_settings_read(struct fan_keys_settings *settings, const char *file);
/* The same from an open stream; `file` is for errors. */
int fan_keys_settings_read_stream(struct fan_keys_settings *settings, const char *file, FILE *stream);
/* Safe on a zeroed struct. */
void fan_keys_settings_free(struct fan_keys_settings *settings);
/* Prints what is in force, defaults included, as a file that would say the same. */
void fan_keys_settings_print(const struct fan_keys_settings *settings, FILE *out);

bool fan_keys_is_hss(const struct fan_keys_peer *peer);
/* Bits of what brings keys to an MME; 0 for an HSS. */
unsigned fan_keys_triggers(const struct fan_keys_peer *peer);

#endif
