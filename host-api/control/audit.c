/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "audit.h"

#include "../../dataplane/context/error.h"

#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define PRIORITY_DONE 6
#define PRIORITY_REFUSED 5

/* Ids of what is recorded, for whoever looks for it: none is ever another's. */
static const struct {
	const char *method, *id;
} ids[] = {
	{ "send", "2153d0d154364bf9949b897c57701df6" },
	{ "message.cancel", "a69ad3e6123c4d42886cb9312d7d41c4" },
	{ "ue.import", "ace60c1b30ee4afea78973e7d5e8abe6" },
	{ "ue.remove", "ea09d659b7a4465ebfce2acbe9a202ef" },
	{ "ue.reachable", "42146f7681bf4c2cac9a1f8f727bffcc" },
	{ "lease", "8210e2370795491ca218f151c46d13cf" },
	{ "release", "a812c2d6dde24dfaa60dffa4723e76e4" },
	{ "ack", "4249197658ba4242b70d64fc7ea8a097" },
	{ "group.create", "52e574136a0345e884b21360a1dc3856" },
	{ "group.delete", "1d367eacca924a06af3030668249f716" },
	{ "group.add", "8792b5e2aa9b4d16b95925374f9006ca" },
	{ "group.remove", "110f6da332f240e3a4a55763e86297ab" },
	{ "group.key.set", "c8a9942e5475467c8be4eda4b44d1c0b" },
	{ "group.key.rotate", "56da591a62fc49dc9c558c2e38008177" },
	{ "group.key.send", "91a7e7b727674c0096bb975b4eff2b3c" },
	{ "group.key.remove", "9b2eb00b406f44758e401d66866579bd" },
	{ "group.key.seal", "182664bd16e947e2861201f8ea6016b7" },
	{ "reload", "45a0154440894f699fd5e063e912b633" },
	{ "stop", "23df941ad5e94f5298f47cb83593fde4" },
	{ "next_hop.rate", "c5a5ab2a20b445609e14507193040c70" },
	{ "ue.place", "de9496106e993f49da6991f8c34b3df2" },
	{ "group.policy.set", "72fb30b4a56029319c18284b252577d5" },
	{ "group.admission.set", "5d0cc1b0a6f34c2f8e5b1f0f5a8f7c21" },
	{ "group.key.msk", "c1f7e2a95d0b4c7b8f0a6f5be1d3a942" },
	{ "next_hop.relay", "c81e0a778d3c4ad3bfe0452156ee8443" },
	{ "group.key.export", "28b274657f0141f3a955af4b37a9aef2" },
};

const char *
fan_audit_id(const char *method)
{
	for (size_t i = 0; i < COUNT_OF(ids); i++)
		if (strcmp(ids[i].method, method) == 0)
			return ids[i].id;
	return NULL;
}

/* ---- Where records go -------------------------------------------------------------------------------------------------- */

int
fan_audit_open(struct fan_audit *audit, const char *where)
{
	*audit = (struct fan_audit){ .sink = { .journal = -1 } };
	if (strcmp(where, "auto") == 0 || strcmp(where, "journal") == 0 || strcmp(where, "lines") == 0)
		return fan_log_sink_open(&audit->sink, where);
	return strcmp(where, "no") == 0
		       ? 0
		       : fan_fail(FAN_E_INVALID, "[serve] audit = %.32s: takes auto, journal, lines or no", where);
}

void
fan_audit_close(struct fan_audit *audit)
{
	fan_log_sink_close(&audit->sink);
}

/* ---- Records ----------------------------------------------------------------------------------------------------------- */

/* Of params and results, what may be told. Anything else may be a key or a payload. */
static const char *const told[] = { "gid",         "id",          "identity",  "kind",        "bearer",       "profile",
				    "priority",    "sender",      "reference", "traceparent", "valid_for_ms", "reachable",
				    "cancel",      "added",       "removed",   "joined",      "skipped",      "acknowledged",
				    "error_count", "repeated",    "address",   "pdus_per_s",  "octets_per_s", "for_ms",
				    "gki",         "is_imported", "kek" };

static void
copy_told(json_t *to, const json_t *from)
{
	for (size_t i = 0; i < COUNT_OF(told); i++) {
		json_t *value = json_object_get(from, told[i]);

		if (json_is_string(value) || json_is_integer(value) || json_is_boolean(value))
			(void)json_object_set(to, told[i], value);
	}
}

json_t *
fan_audit_subject(const json_t *params)
{
	json_t *subject = json_object();

	copy_told(subject, params);
	return subject;
}

static json_t *
describe(const struct fan_audit_act *act, const char *outcome, int error, const json_t *result)
{
	json_t *record = json_pack("{s:s, s:I, s:s, s:s*}", "event", act->method, "user", (json_int_t)act->user, "outcome",
				   outcome, "error", error != 0 ? fan_error_name(error) : NULL);

	(void)json_object_update(record, act->subject);
	copy_told(record, result);
	return record;
}

void
fan_audit_record(struct fan_audit *audit, struct fan_audit_act *act, const char *outcome, int error, const json_t *result)
{
	const int priority = strcmp(outcome, "done") == 0 ? PRIORITY_DONE : PRIORITY_REFUSED;
	char text[160];
	json_t *record;
	bool written;

	if (act->method != NULL && (audit->sink.lines || audit->sink.journal >= 0)) {
		(void)snprintf(text, sizeof(text), "user %lld: %s: %s", (long long)act->user, act->method, outcome);
		record = describe(act, outcome, error, result);
		written = fan_log_sink_write(&audit->sink, "fanfare", fan_audit_id(act->method), priority, text, record);
		audit->written += written;
		audit->lost += !written;
		json_decref(record);
	}
	json_decref(act->subject);
	*act = (struct fan_audit_act){ .method = NULL };
}
