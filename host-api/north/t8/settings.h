/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration of `fanfare t8`: one INI file; README.md beside this file describes every key. Secrets are in files that it names.
 */
#ifndef FAN_T8_SETTINGS_H
#define FAN_T8_SETTINGS_H

#include "../../control/protocol.h"

#include <stdio.h>

#define FAN_T8_SENDERS_MAX 256
#define FAN_T8_NAMES_MAX 64 /* elements of a list */

struct fan_t8_names {
	char *at[FAN_T8_NAMES_MAX + 1]; /* owned; NULL behind the last */
	unsigned count;
};

/* How much of its outcomes a sender is told by callbacks. */
enum fan_t8_outcomes {
	FAN_T8_OUTCOMES_ALL,
	FAN_T8_OUTCOMES_FAILURES,
	FAN_T8_OUTCOMES_SUMMARY, /* of a group one notification with the outcome of all; those of its UEs can be fetched */
};

/* An application server, by its scsAsId. Numbers: 0 is no limit. */
struct fan_t8_sender {
	char *name;
	struct fan_t8_names certificates; /* SHA-256 fingerprints, or san:dns:NAME, san:uri:URI */
	char *subject;                    /* of its tokens; NULL: it has none */
	struct fan_t8_names groups;       /* that it may address: GIDs, or *@DOMAIN, or * */
	struct fan_t8_names ues;          /* the same of single UEs */
	struct fan_t8_names callbacks;    /* hosts that it may be called back at, or *.DOMAIN */
	enum fan_t8_outcomes outcomes;
	uint64_t ues_per_s, pdus_per_s, requests_per_s, messages_in_flight, message_bytes, stored_bytes;
};

struct fan_t8_settings {
	char *file;
	struct {
		char *address, *api_root, *certificate_file, *key_file, *client_ca_file, *socket, *user, *state, *log;
		uint64_t port, metrics_port, retention_s; /* metrics_port 0: none */
	} t8;
	struct {
		uint64_t connections, connections_of_address, body_bytes, deadline_ms;
	} limits;
	struct {
		char *profile, *issuer, *audience, *aef, *keys, *ca_file; /* "capif" or "oauth"; keys: a file, or https:// */
		bool scope_required;
		uint64_t skew_s;
	} tokens;
	struct {
		bool plain_http; /* callbacks to http://, on loopback alone */
		char *ca_file;
		uint64_t validity_s, retry_ms, retry_most_ms, time_ms;
	} callbacks;
	struct fan_t8_sender *senders; /* owned */
	unsigned sender_count;
};

/* Reads a file, whatever becomes of which must be freed. INVALID names file, line, section and key, or what is missing; NOT_FOUND. */
int fan_t8_settings_read(struct fan_t8_settings *settings, const char *file);
void fan_t8_settings_free(struct fan_t8_settings *settings);
/* As a file that says the same. */
void fan_t8_settings_print(const struct fan_t8_settings *settings, FILE *out);

/* NULL: there is none of that name. */
const struct fan_t8_sender *fan_t8_settings_sender(const struct fan_t8_settings *settings, const char *name);
/* Whether a list has a name: itself, a *@DOMAIN or *.DOMAIN that ends it, or *. */
bool fan_t8_names_have(const struct fan_t8_names *names, const char *name);

#endif
