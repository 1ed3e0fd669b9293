/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration of `fanfare tsp`. README.md beside this file describes every key. What freeDiameter is to know is made from it (diameter.c), so that there is one file to write and one that is checked.
 *
 * Read once, by one thread; constant from then on, for every thread.
 */
#ifndef FAN_NORTH_TSP_SETTINGS_H
#define FAN_NORTH_TSP_SETTINGS_H

#include "../diameter/sections.h"
#include "tsp.h"

/* One server that may ask: a section [scs LABEL]. Texts are owned, NULL where nothing was given. */
struct fan_scs {
	char label[FAN_SECTION_LABEL_BYTES];
	char *host;     /* its Diameter identity: Origin-Host, name of the peer and of its certificate */
	char *realm;    /* by default what stands behind the host's first dot */
	char *identity; /* the SCS-Identity that it may give, by default its host */
	char *groups;   /* patterns of the GIDs that it may address, NULL: none */
	char *ues;      /* ... and of single UEs */
	bool plain;     /* it may come without TLS */
	uint64_t requests_per_s;
	uint64_t messages; /* not yet notified, at a time */
};

struct fan_settings {
	char *file;
	struct {
		struct fan_diameter_settings node;
		char *state, *msisdn_domain;
	} tsp;
	struct {
		uint64_t requests_per_s, messages; /* of an SCS that says nothing else */
		uint64_t queued, payload_bytes, validity_s, retention_s, state_mb;
	} limits;
	struct fan_scs scs[FAN_DIAMETER_PEERS_MAX];
	unsigned scs_count;
};

/* Reads a file. Out: *settings, to be freed by fan_settings_free() in any case. Errors name file, line, key and the rule: INVALID, IO (the file
 * cannot be read), MEMORY. */
int fan_settings_read(struct fan_settings *settings, const char *file);
/* The same from an open stream; `file` is for errors. */
int fan_settings_read_stream(struct fan_settings *settings, const char *file, FILE *stream);
/* Safe on a zeroed struct. */
void fan_settings_free(struct fan_settings *settings);

/* Prints what is in force, defaults included, as a file that would say the same. */
void fan_settings_print(const struct fan_settings *settings, FILE *out);

/* The SCS of that label; NULL: none. */
const struct fan_scs *fan_settings_label(const struct fan_settings *settings, const char *label);

#endif
