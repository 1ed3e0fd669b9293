/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration of `fanfare serve`: one INI file, read by libinih. README.md beside this file describes every key. Secrets are in files
 * that it names, never in it.
 *
 * Not meant for more than one thread.
 */
#ifndef FAN_CONTROL_CONFIGURATION_H
#define FAN_CONTROL_CONFIGURATION_H

#include "access.h"
#include "protocol.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/types.h>

#define FAN_CONFIGURATION_LINE_BYTES_MAX 198
#define FAN_CONFIGURED_HOPS_MAX 4096 /* of a file */
#define FAN_EAL_ARGUMENTS_MAX 32
#define FAN_KEK_NAME_BYTES 32 /* its closing zero included */
#define FAN_KEKS_MAX 64

struct fan_configured_hop {
	uint8_t address[16]; /* as fan_next_hop.address */
	bool ipv6;
	uint8_t ethernet[6];
};

/* A key-encryption key that other nodes share: what it is called, and its file. */
struct fan_configured_kek {
	char name[FAN_KEK_NAME_BYTES];
	char *file; /* owned */
};

struct fan_configured_rate {
	uint8_t address[16];
	bool ipv6;
	uint64_t pdus_per_s, octets_per_s;
};

/* Texts are owned, and NULL where nothing was given and there is no default. */
struct fan_configuration {
	char *file;
	struct {
		char *socket, *program, *user, *group, *audit, *log;
		uint64_t socket_mode;
		bool sandbox;
	} serve;
	struct {
		char *egress, *engines, *card, *capture, *eal;
		uint64_t workers;
		bool ipv6, udp_checksum, receive_acknowledgements;
		uint64_t acknowledgement_port;
	} dataplane;
	struct {
		char *address, *ethernet;
		uint64_t vlan, vlan_priority, dscp, udp_source_port;
	} sender;
	char *default_ethernet;
	struct fan_configured_hop *hops; /* owned */
	unsigned hop_count;
	struct {
		uint64_t pdus_per_s, octets_per_s, depth_pdus, depth_octets,
			urgent_percent;            /* of next hops that are not listed */
		struct fan_configured_rate *rates; /* owned */
		unsigned rate_count;
	} pacing;
	struct {
		char *lte, *nr;
		uint64_t wait_ms;
	} broadcast;
	struct {
		char *directory, *key_file;
		bool create, adopt;
		uint64_t retention_s;
	} store;
	struct {
		char *originator, *service_centre;
	} sms;
	struct fan_configured_kek *keks; /* owned */
	unsigned kek_count;
	char *role_texts[FAN_ROLES];
	struct fan_principals roles[FAN_ROLES];
	struct fan_access access;
	struct {
		uint64_t import_bytes;
	} limits;
};

/* Reads a file. Out: *configuration, to be freed by fan_configuration_free() in any case. Errors name file, line, key and the rule: INVALID, IO
 * (the file cannot be read), MEMORY. */
int fan_configuration_read(struct fan_configuration *configuration, const char *file);
/* The same from an open stream; `file` is for errors. */
int fan_configuration_read_stream(struct fan_configuration *configuration, const char *file, FILE *stream);
/* Safe on a zeroed struct. */
void fan_configuration_free(struct fan_configuration *configuration);

/* The file of a key-encryption key; NULL: there is none of this name. */
const char *fan_configuration_kek(const struct fan_configuration *configuration, const char *name);

/* The rate that [pacing] gives a next hop. Out: *rate, whole. */
void fan_configuration_rate(const struct fan_configuration *configuration, struct fan_next_hop_rate *rate,
			    const uint8_t address[16]);

/* Prints what is in force, defaults included, as a file that would say the same. */
void fan_configuration_print(const struct fan_configuration *configuration, FILE *out);

/* What differs between two configurations and takes effect only with the next start: calls `each` with "section.key". */
void fan_configuration_restart_keys(const struct fan_configuration *now, const struct fan_configuration *next,
				    void (*each)(void *user, const char *key), void *user);

/* Makes fan_open()'s options of a configuration, which must stay. Out: eal[FAN_EAL_ARGUMENTS_MAX + 1], what options->eal points to; its texts lie
 * in *eal_texts, to be freed, as key_file is. INVALID: too many arguments, or a credential without systemd. */
struct fan_opening {
	struct fan_options options;
	const char *eal[FAN_EAL_ARGUMENTS_MAX + 1];
	char *eal_texts, *key_file; /* owned */
};
int fan_opening_make(struct fan_opening *opening, const struct fan_configuration *configuration);
void fan_opening_free(struct fan_opening *opening);

/* Whether a peer has a role: root and the user who runs this have all; others have those that name them. In: groups[group_count], of the
 * peer, the primary one among them. */
bool fan_configuration_permits(const struct fan_configuration *configuration, enum fan_role role, uid_t user,
			       const gid_t *groups, size_t group_count);

/* The octets of a MAC address like 02:00:00:00:00:01; false: it is none. */
bool fan_ethernet_parse(uint8_t ethernet[6], const char *text);
/* An IPv4 or IPv6 address as fan_next_hop has it; false: it is none. */
bool fan_address_parse(uint8_t address[16], bool *ipv6, const char *text);

/* ADDRESS:PORT, of IPv6 with brackets around the address. False: it is none. */
bool fan_endpoint_parse(struct sockaddr_storage *endpoint, socklen_t *endpoint_bytes, const char *text);

#endif
