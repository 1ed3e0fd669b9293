/* SPDX-License-Identifier: BSD-3-Clause */
#include "job.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define AT(struct_name, field) offsetof(struct struct_name, field)

struct by_gid {
	const char *gid;
};

static const struct fan_param gid_params[] = {
	{ "gid", FAN_PARAM_TEXT, true, 1, 255, AT(by_gid, gid) },
};

struct fan_group *
fan_request_find_group(const struct fan_request *request, int *error, const char *gid)
{
	struct fan_group *group = *error == 0 ? fan_group_find(request->server->fanfare, gid) : NULL;

	if (*error == 0 && group == NULL)
		*error = FAN_E_NOT_FOUND;
	return group;
}

struct fan_group *
fan_request_group(struct fan_request *request, int *error)
{
	struct by_gid values = { NULL };

	*error = fan_request_params(request, &values, gid_params, COUNT_OF(gid_params));
	return fan_request_find_group(request, error, values.gid);
}

static json_t *
describe(const struct fan_group *group)
{
	return json_pack("{s:s, s:I}", "gid", fan_group_gid(group), "members", (json_int_t)fan_group_size(group));
}

static int
run_create(struct fan_request *request)
{
	struct by_gid values = { NULL };
	struct fan_group *group;
	int error = fan_request_params(request, &values, gid_params, COUNT_OF(gid_params));

	if (error == 0)
		error = fan_group_create(request->server->fanfare, &group, values.gid);
	if (error == 0)
		request->result = describe(group);
	return error;
}

static int
run_delete(struct fan_request *request)
{
	int error;
	struct fan_group *group = fan_request_group(request, &error);

	if (error == 0)
		fan_group_delete(group);
	return error;
}

static int
run_show(struct fan_request *request)
{
	int error;
	const struct fan_group *group = fan_request_group(request, &error);

	if (error == 0)
		request->result = describe(group);
	return error;
}

struct listing {
	const char *after;
	int64_t limit;
};

static const struct fan_param list_params[] = {
	{ "after", FAN_PARAM_TEXT, false, 1, 255, AT(listing, after) },
	{ "limit", FAN_PARAM_NUMBER, false, 1, FAN_CONTROL_LIST_MAX, AT(listing, limit) },
};

static int
run_list(struct fan_request *request)
{
	struct listing values = { .limit = 100 };
	json_t *groups = json_array();
	const struct fan_group *group = NULL;
	const int error = fan_request_params(request, &values, list_params, COUNT_OF(list_params));

	if (error == 0)
		group = fan_group_next(request->server->fanfare, values.after);
	while (group != NULL && json_array_size(groups) < (size_t)values.limit) {
		(void)json_array_append_new(groups, describe(group));
		group = fan_group_next(request->server->fanfare, fan_group_gid(group));
	}
	request->result = json_pack("{s:o, s:b}", "groups", groups, "more", group != NULL);
	return error;
}

/* ---- Members ----------------------------------------------------------------------------------------------------------- */

struct membership {
	const char *gid, *profile;
	json_t *identities;
};

static const struct fan_param member_params[] = {
	{ "gid", FAN_PARAM_TEXT, true, 1, 255, AT(membership, gid) },
	{ "identities", FAN_PARAM_LIST, false, 1, FAN_CONTROL_IDENTITIES_MAX, AT(membership, identities) },
	{ "profile", FAN_PARAM_TEXT, false, 1, 32, AT(membership, profile) },
};

/* What a file of identities is for. */
struct listed {
	char *gid;
	int profile; /* -1: each its own */
	bool removes;
};

/* Whether a context is one of those meant: all of an identity are, or those of a profile's kind. */
static int
is_meant(struct fan_server *server, fan_context_id id, const char *profile)
{
	struct fan_ue_status status;
	int error;

	if (profile == NULL)
		return 1;
	fan_ue_status_init(&status);
	error = fan_ue_status(server->fanfare, &status, id);
	return error != 0 ? error : fan_profile_kind((enum fan_profile)fan_profile_find(profile)) == status.kind;
}

/* Notes the contexts of an identity. Returns how many, or an error. */
static int
collect(struct fan_server *server, struct fan_joins *joins, const struct membership *values, const char *identity)
{
	fan_context_id ids[FAN_CONTEXTS_OF_ONE_MAX];
	const int count = fan_contexts_find(server, ids, identity);
	int noted = 0, error = count < 0 ? count : 0;

	for (int i = 0; error == 0 && i < count; i++) {
		enum fan_profile profile = FAN_PROFILE_EPS_NAS_NIDD;
		const int meant = is_meant(server, ids[i], values->profile);

		error = meant < 0 ? meant : 0;
		if (meant != 1)
			continue;
		error = fan_context_profile(server, &profile, ids[i], values->profile);
		if (error == 0)
			error = fan_joins_add(joins, values->gid, ids[i], profile);
		noted++;
	}
	if (error == 0 && noted == 0)
		error = fan_fail(FAN_E_INVALID, "%.127s: has no context of the kind of %s", identity, values->profile);
	return error != 0 ? error : noted;
}

/* Takes those noted out of the group; who is no member is passed over. */
static int
part(struct fan_joins *joins, struct fanfare *fanfare, const char *gid)
{
	struct fan_group *group = fan_group_find(fanfare, gid);
	int error = group == NULL ? FAN_E_NOT_FOUND : 0;

	for (unsigned i = 0; error == 0 && i < FAN_JOB_LINES_A_TURN && joins->next < joins->count; i++) {
		error = fan_group_remove(group, joins->joins[joins->next++].id);
		joins->joined += error == 0;
		if (error == FAN_E_NOT_FOUND)
			error = 0;
	}
	return error != 0 ? error : joins->next < joins->count;
}

static int
take_identity(struct fan_job *job, char *line, size_t line_bytes)
{
	const struct listed *listed = job->own;
	const struct membership values = {
		.gid = listed->gid, .profile = listed->profile < 0 ? NULL : fan_profile_name((enum fan_profile)listed->profile)
	};
	const int noted = line_bytes == strlen(line) ? collect(job->server, &job->joins, &values, line)
						     : fan_fail(FAN_E_INVALID, "takes one identity a line");

	return noted < 0 ? noted : 0;
}

static int
end_listed(struct fan_job *job)
{
	const struct listed *listed = job->own;
	const int left = listed->removes ? part(&job->joins, job->server->fanfare, listed->gid)
					 : fan_joins_step(&job->joins, job->server->fanfare, false);

	return left == 1 ? FAN_LATER : left;
}

static int
report_listed(const struct fan_job *job, json_t *result)
{
	const struct listed *listed = job->own;

	return json_object_set_new(result, listed->removes ? "removed" : "added", json_integer((json_int_t)job->joins.joined));
}

static void
close_listed(struct fan_job *job, bool good)
{
	struct listed *listed = job->own;

	(void)good;
	free(listed->gid);
	free(listed);
}

static const struct fan_job_kind adding = {
	.name = "group.add", .line = take_identity, .end = end_listed, .report = report_listed, .close = close_listed
};
static const struct fan_job_kind removing = {
	.name = "group.remove", .line = take_identity, .end = end_listed, .report = report_listed, .close = close_listed
};

static int
begin_file(struct fan_request *request, const struct membership *values, bool removes)
{
	struct listed *listed = malloc(sizeof(*listed));
	struct fan_job *job;
	int error;

	if (listed == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory");
	*listed = (struct listed){ .gid = strdup(values->gid),
				   .profile = values->profile != NULL ? fan_profile_find(values->profile) : -1,
				   .removes = removes };
	error = listed->gid == NULL ? fan_fail(FAN_E_MEMORY, "no memory")
				    : fan_job_begin(request, &job, removes ? &removing : &adding, false);
	if (error == FAN_LATER) {
		job->own = listed;
		return FAN_LATER;
	}
	free(listed->gid);
	free(listed);
	return error;
}

static int
take_listed(struct fan_request *request, const struct membership *values, bool removes)
{
	struct fanfare *fanfare = request->server->fanfare;
	struct fan_joins joins = { .count = 0 };
	const json_t *identity;
	size_t i;
	int error = 0, left = 1;

	/* All are looked up before the first is changed. */
	json_array_foreach(values->identities, i, identity)
		if (error >= 0)
			error = collect(request->server, &joins, values, json_string_value(identity));
	if (error > 0)
		error = 0;
	while (error == 0 && left == 1) {
		left = removes ? part(&joins, fanfare, values->gid) : fan_joins_step(&joins, fanfare, false);
		error = left < 0 ? left : 0;
	}
	request->result = json_pack("{s:I}", removes ? "removed" : "added", (json_int_t)joins.joined);
	fan_joins_free(&joins);
	return error;
}

static int
change_members(struct fan_request *request, bool removes)
{
	struct membership values = { .gid = NULL };
	int error = fan_request_params(request, &values, member_params, COUNT_OF(member_params));

	if (error != 0)
		return error;
	if (fan_group_find(request->server->fanfare, values.gid) == NULL)
		return FAN_E_NOT_FOUND;
	if (values.profile != NULL && fan_profile_find(values.profile) < 0)
		return fan_fail(FAN_E_INVALID, "profile %.32s: there is none of this name", values.profile);
	return values.identities != NULL ? take_listed(request, &values, removes) : begin_file(request, &values, removes);
}

static int
run_add(struct fan_request *request)
{
	return change_members(request, false);
}

static int
run_remove(struct fan_request *request)
{
	return change_members(request, true);
}

const struct fan_method fan_group_methods[] = {
	{ "group.create", FAN_ROLE_PROVISION, FAN_AFTER_BATCH, run_create },
	{ "group.delete", FAN_ROLE_PROVISION, FAN_AFTER_BATCH, run_delete },
	{ "group.add", FAN_ROLE_PROVISION, FAN_AFTER_BATCH, run_add },
	{ "group.remove", FAN_ROLE_PROVISION, FAN_AFTER_BATCH, run_remove },
	{ "group.show", FAN_ROLE_READ, FAN_LOADED, run_show },
	{ "group.list", FAN_ROLE_READ, FAN_LOADED, run_list },
	{ .name = NULL },
};
