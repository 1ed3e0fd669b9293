/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "settings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define AT(field) .offset = offsetof(struct fan_settings, field)
#define IN_SCS(field) .offset = offsetof(struct fan_scs, field)
#define NUMBER(from, to) FAN_SETTING_RANGE(from, to)

static const struct fan_setting settings_table[] = {
	FAN_DIAMETER_SETTINGS("tsp", struct fan_settings, tsp.node),
	{ "state", "tsp", AT(tsp.state), .standard = "/var/lib/fanfare-tsp" },
	{ "msisdn_domain", "tsp", FAN_SETTING_NAME, AT(tsp.msisdn_domain) },
	{ "requests_per_s", "limits", NUMBER(1, 100000), AT(limits.requests_per_s), .standard = "50" },
	{ "messages", "limits", NUMBER(1, 10000), AT(limits.messages), .standard = "1000" },
	{ "queued", "limits", NUMBER(1, 4096), AT(limits.queued), .standard = "256" },
	{ "payload_bytes", "limits", NUMBER(1, FAN_TSP_PAYLOAD_BYTES_MAX), AT(limits.payload_bytes), .standard = "1400" },
	{ "validity_s", "limits", NUMBER(1, 4294967), AT(limits.validity_s), .standard = "604800" },
	{ "retention_s", "limits", NUMBER(60, 31536000), AT(limits.retention_s), .standard = "86400" },
	{ "state_mb", "limits", NUMBER(1, 65536), AT(limits.state_mb), .standard = "256" },
	{ "host", "scs", FAN_SETTING_NAME, IN_SCS(host) },
	{ "realm", "scs", FAN_SETTING_NAME, IN_SCS(realm) },
	{ "identity", "scs", IN_SCS(identity) },
	{ "groups", "scs", IN_SCS(groups) },
	{ "ues", "scs", IN_SCS(ues) },
	{ "plain", "scs", .type = FAN_SETTING_FLAG, IN_SCS(plain), .standard = "no" },
	{ "requests_per_s", "scs", NUMBER(1, 100000), IN_SCS(requests_per_s) },
	{ "messages", "scs", NUMBER(1, 10000), IN_SCS(messages) },
	{ .key = NULL },
};

static const char *const names[] = { "tsp", "limits", NULL };
static const struct fan_sections sections = { .table = settings_table,
					      .names = names,
					      .peers = "scs",
					      .peers_at = offsetof(struct fan_settings, scs),
					      .count_at = offsetof(struct fan_settings, scs_count),
					      .peer_bytes = sizeof(struct fan_scs) };

static_assert(offsetof(struct fan_scs, label) == 0, "a peer begins with its label");

static int
finish_scs(struct fan_settings *settings, struct fan_scs *scs)
{
	if (scs->host == NULL)
		return fan_fail(FAN_E_INVALID, "%s: [scs %s] host: is needed: its Diameter identity", settings->file,
				scs->label);
	if (scs->realm == NULL && fan_diameter_realm(scs->host) == NULL)
		return fan_fail(FAN_E_INVALID, "%s: [scs %s] realm: is needed, since the host has no domain", settings->file,
				scs->label);
	for (const struct fan_scs *other = settings->scs; other < scs; other++)
		if (strcasecmp(other->host, scs->host) == 0)
			return fan_fail(FAN_E_INVALID, "%s: [scs %s] host: is that of [scs %s], too", settings->file,
					scs->label, other->label);
	if (scs->plain && settings->tsp.node.port == 0)
		return fan_fail(FAN_E_INVALID, "%s: [scs %s] plain: needs [tsp] port, which is 0", settings->file, scs->label);
	scs->requests_per_s = scs->requests_per_s != 0 ? scs->requests_per_s : settings->limits.requests_per_s;
	scs->messages = scs->messages != 0 ? scs->messages : settings->limits.messages;
	return fan_setting_default(&scs->realm, fan_diameter_realm(scs->host)) != 0 ||
			       fan_setting_default(&scs->identity, scs->host) != 0
		       ? FAN_E_MEMORY
		       : 0;
}

static int
finish(struct fan_settings *settings)
{
	int error = fan_diameter_settings_finish(&settings->tsp.node, settings->file, "tsp", "iwf.example.org");

	if (error == 0 && settings->scs_count == 0)
		error = fan_fail(FAN_E_INVALID, "%s: [scs NAME]: at least one is needed, with its host", settings->file);
	for (unsigned i = 0; error == 0 && i < settings->scs_count; i++)
		error = finish_scs(settings, &settings->scs[i]);
	return error;
}

int
fan_settings_read_stream(struct fan_settings *settings, const char *file, FILE *stream)
{
	int error;

	*settings = (struct fan_settings){ .file = strdup(file) };
	if (settings->file == NULL)
		return fan_fail(FAN_E_MEMORY, "%s: no memory", file);
	error = fan_sections_read(&sections, settings, settings->file, stream);
	return error != 0 ? error : finish(settings);
}

static int
read_stream(void *settings, const char *file, FILE *stream)
{
	return fan_settings_read_stream(settings, file, stream);
}

int
fan_settings_read(struct fan_settings *settings, const char *file)
{
	*settings = (struct fan_settings){ .file = NULL };
	return fan_sections_read_file(file, read_stream, settings);
}

void
fan_settings_free(struct fan_settings *settings)
{
	fan_sections_free(&sections, settings);
	free(settings->file);
	*settings = (struct fan_settings){ .file = NULL };
}

void
fan_settings_print(const struct fan_settings *settings, FILE *out)
{
	fan_sections_print(&sections, settings, out);
}

/* ---- Who may what ------------------------------------------------------------------------------------------------------ */

const struct fan_scs *
fan_settings_label(const struct fan_settings *settings, const char *label)
{
	for (unsigned i = 0; i < settings->scs_count; i++)
		if (strcmp(settings->scs[i].label, label) == 0)
			return &settings->scs[i];
	return NULL;
}
