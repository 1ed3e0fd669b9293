/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "settings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define IN_LIMITS(field) .offset = offsetof(struct fan_keys_settings, limits.field)
#define IN_PEER(field) .offset = offsetof(struct fan_keys_peer, field)
#define NUMBER(from, to) FAN_SETTING_RANGE(from, to)
#define FLAG .type = FAN_SETTING_FLAG

static const struct fan_setting settings_table[] = {
	FAN_DIAMETER_SETTINGS("keys", struct fan_keys_settings, node),
	{ "requests_per_s", "limits", NUMBER(1, 100000), IN_LIMITS(requests_per_s), .standard = "50" },
	{ "queued", "limits", NUMBER(1, 4096), IN_LIMITS(queued), .standard = "256" },
	{ "poll_ms", "limits", NUMBER(50, 60000), IN_LIMITS(poll_ms), .standard = "500" },
	{ "reconnect_s", "limits", NUMBER(1, 3600), IN_LIMITS(reconnect_s), .standard = "30" },
	{ "host", "peer", FAN_SETTING_NAME, IN_PEER(host) },
	{ "realm", "peer", FAN_SETTING_NAME, IN_PEER(realm) },
	{ "role", "peer", IN_PEER(role) },
	{ "groups", "peer", IN_PEER(groups) },
	{ "kek", "peer", IN_PEER(kek) },
	{ "connect", "peer", FAN_SETTING_ADDRESSES, IN_PEER(connect) },
	{ "connect_port", "peer", NUMBER(0, 65535), IN_PEER(connect_port) },
	{ "plain", "peer", FLAG, IN_PEER(plain), .standard = "no" },
	{ "keys", "peer", FLAG, IN_PEER(keys), .standard = "yes" },
	{ "members", "peer", FLAG, IN_PEER(members), .standard = "yes" },
	{ "triggers", "peer", IN_PEER(triggers) },
	{ "requests_per_s", "peer", NUMBER(1, 100000), IN_PEER(requests_per_s) },
	{ .key = NULL },
};

static const char *const names[] = { "keys", "limits", NULL };
static const struct fan_sections sections = { .table = settings_table,
					      .names = names,
					      .peers = "peer",
					      .peers_at = offsetof(struct fan_keys_settings, peers),
					      .count_at = offsetof(struct fan_keys_settings, peer_count),
					      .peer_bytes = sizeof(struct fan_keys_peer) };

static_assert(offsetof(struct fan_keys_peer, label) == 0, "a peer begins with its label");

bool
fan_keys_is_hss(const struct fan_keys_peer *peer)
{
	return strcmp(peer->role, "hss") == 0;
}

static const char *const trigger_names[] = { "first-message", "notice", "ask", NULL };

/* Bits of the words; -1: one is none. */
static int
read_triggers(const char *words)
{
	char *copy = strdup(words), *rest = copy, *word;
	int triggers = copy == NULL ? -1 : 0;

	while (triggers >= 0 && (word = strsep(&rest, ", \t")) != NULL) {
		unsigned i = 0;

		if (*word == '\0')
			continue;
		while (trigger_names[i] != NULL && strcmp(trigger_names[i], word) != 0)
			i++;
		triggers = trigger_names[i] != NULL ? triggers | 1 << i : -1;
	}
	free(copy);
	return triggers;
}

unsigned
fan_keys_triggers(const struct fan_keys_peer *peer)
{
	return fan_keys_is_hss(peer) || peer->triggers == NULL ? 0 : (unsigned)read_triggers(peer->triggers);
}

static int
refuse(const struct fan_keys_settings *settings, const struct fan_keys_peer *peer, const char *rule)
{
	return fan_fail(FAN_E_INVALID, "%s: [peer %s] %s", settings->file, peer->label, rule);
}

static const char *
check_role(const struct fan_keys_peer *peer)
{
	if (peer->role == NULL || (strcmp(peer->role, "hss") != 0 && strcmp(peer->role, "mme") != 0))
		return "role: takes hss or mme";
	if (fan_keys_is_hss(peer))
		return peer->triggers != NULL ? "triggers: are for an mme" : NULL;
	return peer->triggers == NULL || read_triggers(peer->triggers) <= 0
		       ? "triggers: takes first-message, notice and ask, blanks or commas between them"
		       : NULL;
}

static const char *
check_way(const struct fan_keys_settings *settings, const struct fan_keys_peer *peer)
{
	if ((peer->connect == NULL) != (peer->connect_port == 0))
		return "connect and connect_port: give both";
	if (peer->connect != NULL && strpbrk(peer->connect, ", \t") != NULL)
		return "connect: takes one address";
	return peer->plain && peer->connect == NULL && settings->node.port == 0 ? "plain: needs [keys] port, which is 0" : NULL;
}

static int
check_peer(const struct fan_keys_settings *settings, const struct fan_keys_peer *peer)
{
	const char *rule = NULL;

	if (peer->host == NULL)
		rule = "host: is needed: its Diameter identity";
	else if (peer->realm == NULL && fan_diameter_realm(peer->host) == NULL)
		rule = "realm: is needed, since the host has no domain";
	if (rule == NULL)
		rule = check_role(peer);
	if (rule == NULL && (peer->kek == NULL || strlen(peer->kek) >= FAN_KEYS_NAME_BYTES))
		rule = "kek: is needed: a name of [keks] of serve, up to 31 octets";
	if (rule == NULL)
		rule = check_way(settings, peer);
	return rule != NULL ? refuse(settings, peer, rule) : 0;
}

static int
finish_peer(struct fan_keys_settings *settings, struct fan_keys_peer *peer)
{
	int error = check_peer(settings, peer);

	for (const struct fan_keys_peer *other = settings->peers; error == 0 && other < peer; other++)
		if (strcasecmp(other->host, peer->host) == 0)
			error = fan_fail(FAN_E_INVALID, "%s: [peer %s] host: is that of [peer %s], too", settings->file,
					 peer->label, other->label);
	if (error != 0)
		return error;
	peer->requests_per_s = peer->requests_per_s != 0 ? peer->requests_per_s : settings->limits.requests_per_s;
	return fan_setting_default(&peer->realm, fan_diameter_realm(peer->host));
}

static int
finish(struct fan_keys_settings *settings)
{
	int error = fan_diameter_settings_finish(&settings->node, settings->file, "keys", "gateway.example.org");

	if (error == 0 && settings->peer_count == 0)
		error = fan_fail(FAN_E_INVALID, "%s: [peer NAME]: at least one is needed, with its host", settings->file);
	for (unsigned i = 0; error == 0 && i < settings->peer_count; i++)
		error = finish_peer(settings, &settings->peers[i]);
	return error;
}

int
fan_keys_settings_read_stream(struct fan_keys_settings *settings, const char *file, FILE *stream)
{
	int error;

	*settings = (struct fan_keys_settings){ .file = strdup(file) };
	if (settings->file == NULL)
		return fan_fail(FAN_E_MEMORY, "%s: no memory", file);
	error = fan_sections_read(&sections, settings, settings->file, stream);
	return error != 0 ? error : finish(settings);
}

static int
read_stream(void *settings, const char *file, FILE *stream)
{
	return fan_keys_settings_read_stream(settings, file, stream);
}

int
fan_keys_settings_read(struct fan_keys_settings *settings, const char *file)
{
	*settings = (struct fan_keys_settings){ .file = NULL };
	return fan_sections_read_file(file, read_stream, settings);
}

void
fan_keys_settings_free(struct fan_keys_settings *settings)
{
	fan_sections_free(&sections, settings);
	free(settings->file);
	*settings = (struct fan_keys_settings){ .file = NULL };
}

void
fan_keys_settings_print(const struct fan_keys_settings *settings, FILE *out)
{
	fan_sections_print(&sections, settings, out);
}
