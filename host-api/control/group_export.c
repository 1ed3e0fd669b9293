/* SPDX-License-Identifier: BSD-3-Clause */
#include "../appliance/export.h"
#include "daemon.h"

#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define AT(struct_name, field) offsetof(struct struct_name, field)

struct asking {
	const char *gid, *kek;
	int64_t after, limit;
};

static const struct fan_param next_params[] = {
	{ "after", FAN_PARAM_NUMBER, false, 0, INT64_MAX, AT(asking, after) },
};

/* ---- What has changed ---------------------------------------------------------------------------------------------------- */

static json_t *
describe(const struct fan_group *group, uint64_t number)
{
	const struct fan_group_changes *changes = fan_group_changes(group);

	return json_pack("{s:s, s:I, s:I, s:I, s:b, s:b}", "gid", fan_group_gid(group), "change", (json_int_t)number,
			 "key_change", (json_int_t)changes->keys, "member_change", (json_int_t)changes->able, "has_key",
			 fan_group_has_key(group), "used", changes->is_used);
}

static int
run_next(struct fan_request *request)
{
	struct asking values = { .after = 0 };
	const struct fanfare *fanfare = request->server->fanfare;
	const struct fan_group *group;
	uint64_t number = 0;
	const int error = fan_request_params(request, &values, next_params, COUNT_OF(next_params));

	if (error != 0)
		return error;
	group = fan_changes_next(fanfare, &number, (uint64_t)values.after);
	request->result = json_pack("{s:I}", "deleted", (json_int_t)fan_changes_deletion(fanfare));
	if (group != NULL)
		(void)json_object_set_new(request->result, "group", describe(group, number));
	return 0;
}

/* ---- Keys, wrapped ---------------------------------------------------------------------------------------------------------- */

static const struct fan_param export_params[] = {
	{ "gid", FAN_PARAM_TEXT, true, 1, 255, AT(asking, gid) },
	{ "kek", FAN_PARAM_TEXT, true, 1, FAN_KEK_NAME_BYTES - 1, AT(asking, kek) },
};

static json_t *
describe_key(const struct fan_exported_key *key)
{
	char wrapped[2 * FAN_GROUP_ENTRY_BYTES_MAX + 1] = "";

	for (unsigned i = 0; i < key->octet_count; i++)
		(void)snprintf(wrapped + 2 * (size_t)i, 3, "%02x", key->octets[i]);
	return json_pack("{s:i, s:s, s:I, s:i, s:s}", "gki", key->gki, "state", "current", "start_s", (json_int_t)key->start_s,
			 "duration_min", key->duration_min, "wrapped", wrapped);
}

static int
run_export(struct fan_request *request)
{
	struct asking values = { .gid = NULL };
	struct fan_exported_key key;
	struct fan_group *group;
	json_t *keys = json_array();
	int error = fan_request_params(request, &values, export_params, COUNT_OF(export_params));
	const char *file = error == 0 ? fan_configuration_kek(&request->server->configuration, values.kek) : NULL;

	if (error == 0 && file == NULL)
		error = fan_fail(FAN_E_INVALID, "kek %.31s: there is none of this name in [keks]", values.kek);
	group = fan_request_find_group(request, &error, values.gid);
	if (error == 0 && fan_group_has_key(group)) {
		error = fan_group_key_export(group, &key, file);
		if (error == 0)
			(void)json_array_append_new(keys, describe_key(&key));
	}
	request->result = json_pack("{s:o}", "keys", keys);
	return error;
}

/* ---- Who is able to take them ------------------------------------------------------------------------------------------------ */

static const struct fan_param members_params[] = {
	{ "gid", FAN_PARAM_TEXT, true, 1, 255, AT(asking, gid) },
	{ "from", FAN_PARAM_NUMBER, false, 0, INT64_MAX, AT(asking, after) },
	{ "limit", FAN_PARAM_NUMBER, false, 1, FAN_CONTROL_LIST_MAX, AT(asking, limit) },
};

static int
run_members(struct fan_request *request)
{
	struct asking values = { .limit = 100 };
	json_t *identities = json_array();
	fan_context_id id;
	int error = fan_request_params(request, &values, members_params, COUNT_OF(members_params));
	struct fan_group *group = fan_request_find_group(request, &error, values.gid);

	id = (fan_context_id)values.after;
	while (error == 0 && json_array_size(identities) < (size_t)values.limit && fan_group_able_next(group, &id)) {
		struct fan_ue_status status;

		fan_ue_status_init(&status);
		error = fan_ue_status(request->server->fanfare, &status, id);
		if (error == 0 && status.identity[0] != '\0')
			(void)json_array_append_new(identities, json_string(status.identity));
		id++;
	}
	if (error == 0 && !fan_group_able_next(group, &id))
		id = 0;
	request->result = json_pack("{s:o, s:I}", "identities", identities, "next", (json_int_t)id);
	return error;
}

const struct fan_method fan_group_export_methods[] = {
	{ "group.key.next", FAN_ROLE_EXPORT, FAN_LOADED, run_next },
	{ "group.key.export", FAN_ROLE_EXPORT, FAN_LOADED, run_export },
	{ "group.key.members", FAN_ROLE_EXPORT, FAN_LOADED, run_members },
	{ .name = NULL },
};
