/* SPDX-License-Identifier: BSD-3-Clause */
#include "../keys/plmn.h"
#include "import.h"
#include "job.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDENTITY(struct_name)                                                                                                  \
	{                                                                                                                      \
		"identity", FAN_PARAM_TEXT, true, 5, FAN_IDENTITY_BYTES - 1, offsetof(struct struct_name, identity)            \
	}
#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* ---- Finding ----------------------------------------------------------------------------------------------------------- */

int
fan_contexts_find(struct fan_server *server, fan_context_id *ids, const char *identity)
{
	const unsigned count = fan_ue_lookup(server->fanfare, ids, FAN_CONTEXTS_OF_ONE_MAX, identity);

	if (count == 0)
		return fan_fail(FAN_E_NOT_FOUND, "%.127s: no UE has this identity", identity);
	return (int)(count < FAN_CONTEXTS_OF_ONE_MAX ? count : FAN_CONTEXTS_OF_ONE_MAX);
}

int
fan_context_profile(struct fan_server *server, enum fan_profile *profile, fan_context_id id, const char *given)
{
	const int found = given != NULL ? fan_profile_find(given) : 0;
	struct fan_ue_status status;
	int error;

	if (found < 0)
		return fan_fail(FAN_E_INVALID, "%.32s: no such profile", given);
	*profile = (enum fan_profile)found;
	if (given != NULL)
		return 0;
	fan_ue_status_init(&status);
	error = fan_ue_status(server->fanfare, &status, id);
	for (int i = 0; error == 0 && i < FAN_PROFILE_COUNT; i++) {
		if ((status.capabilities >> i & 1) != 0 && fan_profile_kind((enum fan_profile)i) == status.kind) {
			*profile = (enum fan_profile)i;
			return 0;
		}
	}
	return error != 0
		       ? error
		       : fan_fail(FAN_E_INVALID, "%s: its capabilities name no profile of its kind: name one", status.identity);
}

/* The one context of an identity that kind and bearer choose. In: kind NULL, bearer -1: any. */
static int
find_one(struct fan_server *server, fan_context_id *id, const char *identity, const char *kind, int64_t bearer)
{
	fan_context_id ids[FAN_CONTEXTS_OF_ONE_MAX] = { 0 };
	const int count = fan_contexts_find(server, ids, identity);
	const int wanted = kind != NULL ? fan_kind_find(kind) : 0;
	unsigned found = 0;

	if (count < 0 || wanted < 0)
		return count < 0 ? count : FAN_E_INVALID;
	for (int i = 0; i < count; i++) {
		struct fan_ue_status status;
		int error;

		fan_ue_status_init(&status);
		error = fan_ue_status(server->fanfare, &status, ids[i]);
		if (error != 0)
			return error;
		if ((kind != NULL && status.kind != (enum fan_kind)wanted) || (bearer >= 0 && status.bearer != bearer))
			continue;
		*id = ids[i];
		found++;
	}
	if (found == 0)
		return fan_fail(FAN_E_NOT_FOUND, "%.127s: has no context of this kind and bearer", identity);
	return found == 1 ? 0 : fan_fail(FAN_E_INVALID, "%.127s: has %u such contexts: name kind and bearer", identity, found);
}

/* ---- Showing ----------------------------------------------------------------------------------------------------------- */

static json_t *
describe(const struct fan_ue_status *status, fan_context_id id)
{
	json_t *integrity = status->integrity == FAN_INTEGRITY_NONE ? json_string("none") : json_integer(status->integrity);
	json_t *object = json_pack("{s:s, s:I, s:s, s:i, s:i, s:o}", "identity", status->identity, "id", (json_int_t)id, "kind",
				   fan_kind_name(status->kind), "bearer", status->bearer, "cipher", status->cipher, "integrity",
				   integrity);
	json_t *rest = json_pack("{s:b, s:b, s:I, s:I, s:I, s:i, s:i, s:i, s:I, s:I, s:I}", "reachable", status->reachable,
				 "needs_resync", status->needs_resync, "ue", (json_int_t)status->ue, "next_count",
				 (json_int_t)status->next_count, "count_reserved", (json_int_t)status->count_reserved,
				 "unacknowledged", status->unacknowledged, "unacknowledged_max", status->unacknowledged_max,
				 "next_hop", status->next_hop, "lease_until_ms", (json_int_t)status->lease_until_ms, "groups",
				 (json_int_t)status->groups, "capabilities", (json_int_t)status->capabilities);

	char plmn[FAN_PLMN_TEXT_BYTES];

	(void)json_object_update(object, rest);
	json_decref(rest);
	fan_plmn_format(plmn, status->plmn);
	if (plmn[0] != '\0')
		(void)json_object_set_new(object, "plmn", json_string(plmn));
	if (status->area != 0)
		(void)json_object_set_new(object, "area", json_integer(status->area));
	if (status->broadcast_id != 0)
		(void)json_object_set_new(object, "broadcast_id", json_integer(status->broadcast_id));
	return object;
}

/* Appends what is known of a context. */
static int
append(json_t *array, const struct fan_server *server, fan_context_id id)
{
	struct fan_ue_status status;
	int error;

	fan_ue_status_init(&status);
	error = fan_ue_status(server->fanfare, &status, id);
	if (error == 0 && json_array_append_new(array, describe(&status, id)) != 0)
		error = fan_fail(FAN_E_MEMORY, "no memory for the answer");
	return error;
}

struct by_identity {
	const char *identity;
};

static const struct fan_param identity_params[] = { IDENTITY(by_identity) };

/* Out: ids of the identity that a request names. Returns how many, or an error. */
static int
read_identity(struct fan_request *request, fan_context_id *ids)
{
	struct by_identity values = { NULL };
	const int error = fan_request_params(request, &values, identity_params, COUNT_OF(identity_params));

	return error != 0 ? error : fan_contexts_find(request->server, ids, values.identity);
}

static int
run_show(struct fan_request *request)
{
	fan_context_id ids[FAN_CONTEXTS_OF_ONE_MAX] = { 0 };
	const int count = read_identity(request, ids);
	json_t *contexts = json_array();
	int error = count < 0 ? count : 0;

	for (int i = 0; error == 0 && i < count; i++)
		error = append(contexts, request->server, ids[i]);
	request->result = json_pack("{s:o}", "contexts", contexts);
	return error;
}

struct listing {
	int64_t from, limit;
	bool needs_resync;
	const char *group;
};

#define AT(struct_name, field) offsetof(struct struct_name, field)

static const struct fan_param list_params[] = {
	{ "from", FAN_PARAM_NUMBER, false, 0, INT64_MAX, AT(listing, from) },
	{ "limit", FAN_PARAM_NUMBER, false, 1, FAN_CONTROL_LIST_MAX, AT(listing, limit) },
	{ "needs_resync", FAN_PARAM_BOOLEAN, false, 0, 0, AT(listing, needs_resync) },
	{ "group", FAN_PARAM_TEXT, false, 1, 255, AT(listing, group) },
};

/* The members of a group from a name on, in ascending order: a group's are walked whole, since that is what the library offers. */
struct walk {
	fan_context_id ids[FAN_CONTROL_LIST_MAX + 1];
	size_t count, room;
	fan_context_id from;
};

static void
take_member(void *user, fan_context_id id, enum fan_profile profile)
{
	struct walk *walk = user;
	size_t at = walk->count;

	(void)profile;
	if (id < walk->from || (walk->count == walk->room && id > walk->ids[walk->count - 1]))
		return;
	while (at > 0 && walk->ids[at - 1] > id)
		at--;
	/* A member that is able to take keys comes twice. */
	if (at > 0 && walk->ids[at - 1] == id)
		return;
	if (walk->count < walk->room)
		walk->count++;
	memmove(&walk->ids[at + 1], &walk->ids[at], (walk->count - at - 1) * sizeof(walk->ids[0]));
	walk->ids[at] = id;
}

/* A long list without one that fits is walked on by the next request. */
#define LOOKED_AT_MAX 100000

static int
list_all(json_t *contexts, fan_context_id *next, const struct fan_server *server, const struct listing *listing)
{
	struct fan_ue_status status;
	fan_context_id id = 0;
	unsigned looked_at = 0;
	int error = 0;

	*next = (fan_context_id)listing->from;
	while (error == 0 && fan_ue_next(server->fanfare, &id, *next) == 1) {
		if (json_array_size(contexts) == (size_t)listing->limit || looked_at++ == LOOKED_AT_MAX)
			return 0;
		*next = id + 1;
		fan_ue_status_init(&status);
		error = fan_ue_status(server->fanfare, &status, id);
		if (error == 0 && (!listing->needs_resync || status.needs_resync))
			(void)json_array_append_new(contexts, describe(&status, id));
	}
	*next = 0;
	return error;
}

static int
list_group(json_t *contexts, fan_context_id *next, const struct fan_server *server, const struct listing *listing)
{
	static struct walk walk;
	const struct fan_group *group = fan_group_find(server->fanfare, listing->group);
	struct fan_ue_status status;
	int error = group == NULL ? FAN_E_NOT_FOUND : 0;

	walk.count = 0;
	walk.room = (size_t)listing->limit + 1;
	walk.from = (fan_context_id)listing->from;
	if (error == 0)
		fan_group_each(group, take_member, &walk);
	*next = walk.count == walk.room ? walk.ids[walk.count - 1] : 0;
	for (size_t i = 0; error == 0 && i < walk.count && i < (size_t)listing->limit; i++) {
		fan_ue_status_init(&status);
		error = fan_ue_status(server->fanfare, &status, walk.ids[i]);
		if (error == 0 && (!listing->needs_resync || status.needs_resync))
			(void)json_array_append_new(contexts, describe(&status, walk.ids[i]));
	}
	return error;
}

static int
run_list(struct fan_request *request)
{
	struct listing listing = { .limit = 100 };
	json_t *contexts = json_array();
	fan_context_id next = 0;
	int error = fan_request_params(request, &listing, list_params, COUNT_OF(list_params));

	if (error == 0 && listing.group != NULL)
		error = list_group(contexts, &next, request->server, &listing);
	else if (error == 0)
		error = list_all(contexts, &next, request->server, &listing);
	/* `next` is 0 at the end of the list. */
	request->result = json_pack("{s:o, s:I}", "contexts", contexts, "next", (json_int_t)next);
	return error;
}

/* ---- Importing --------------------------------------------------------------------------------------------------------- */

struct importing {
	const char *format, *on_error;
};

static const struct fan_param import_params[] = {
	{ "format", FAN_PARAM_TEXT, false, 1, 16, AT(importing, format) },
	{ "on_error", FAN_PARAM_TEXT, false, 1, 8, AT(importing, on_error) },
};

static const char *const import_formats[FAN_IMPORT_FORMAT_COUNT] = {
	[FAN_IMPORT_CSV] = "csv",
	[FAN_IMPORT_JSONL] = "jsonl",
	[FAN_IMPORT_UE_CONTEXT] = "ue-context",
};

static int
run_import(struct fan_request *request)
{
	struct importing values = { .format = "csv", .on_error = "stop" };
	const int error = fan_request_params(request, &values, import_params, COUNT_OF(import_params));
	const bool skip = strcmp(values.on_error, "skip") == 0;
	unsigned format = 0;

	if (error != 0)
		return error;
	while (format < FAN_IMPORT_FORMAT_COUNT && strcmp(values.format, import_formats[format]) != 0)
		format++;
	if (format == FAN_IMPORT_FORMAT_COUNT)
		return fan_fail(FAN_E_INVALID, "format: takes csv, jsonl or ue-context");
	if (!skip && strcmp(values.on_error, "stop") != 0)
		return fan_fail(FAN_E_INVALID, "on_error: takes stop or skip");
	return fan_import_begin(request, (enum fan_import_format)format, skip);
}

/* ---- Removing, reachability -------------------------------------------------------------------------------------------- */

/* Takes the contexts of an identity out of service, one after the other; what was given back before an error is in the result. */
static int
give_back(struct fan_request *request)
{
	fan_context_id ids[FAN_CONTEXTS_OF_ONE_MAX] = { 0 };
	const int count = read_identity(request, ids);
	json_t *contexts = json_array();
	int error = count < 0 ? count : 0;

	for (int i = 0; error == 0 && i < count; i++) {
		struct fan_ue_status status;
		uint32_t next_count = 0;
		uint16_t unacknowledged = 0;

		fan_ue_status_init(&status);
		error = fan_ue_status(request->server->fanfare, &status, ids[i]);
		if (error == 0)
			error = fan_ue_remove(request->server->fanfare, &next_count, &unacknowledged, ids[i]);
		if (error == 0)
			(void)json_array_append_new(contexts,
						    json_pack("{s:s, s:i, s:I, s:i}", "kind", fan_kind_name(status.kind),
							      "bearer", status.bearer, "next_count", (json_int_t)next_count,
							      "unacknowledged", unacknowledged));
	}
	request->result = json_pack("{s:o}", "contexts", contexts);
	return error;
}

struct reaching {
	const char *identity;
	bool reachable;
};

static const struct fan_param reachable_params[] = {
	IDENTITY(reaching),
	{ "reachable", FAN_PARAM_BOOLEAN, true, 0, 0, AT(reaching, reachable) },
};

static int
run_reachable(struct fan_request *request)
{
	struct reaching values = { .identity = NULL };
	fan_context_id ids[FAN_CONTEXTS_OF_ONE_MAX] = { 0 };
	int error = fan_request_params(request, &values, reachable_params, COUNT_OF(reachable_params));
	const int count = error != 0 ? 0 : fan_contexts_find(request->server, ids, values.identity);

	if (count < 0)
		error = count;
	for (int i = 0; error == 0 && i < count; i++)
		error = fan_ue_reachable(request->server->fanfare, ids[i], values.reachable);
	request->result = json_pack("{s:i}", "contexts", count);
	return error;
}

/* ---- Where they are ---------------------------------------------------------------------------------------------------- */

struct placing {
	const char *identity, *kind, *plmn;
	int64_t area, broadcast_id;
};

static const struct fan_param place_params[] = {
	IDENTITY(placing),
	{ "kind", FAN_PARAM_TEXT, false, 1, 16, AT(placing, kind) },
	{ "plmn", FAN_PARAM_TEXT, false, 0, FAN_PLMN_TEXT_BYTES - 1, AT(placing, plmn) },
	{ "area", FAN_PARAM_NUMBER, false, 0, 0xffffff, AT(placing, area) },
	{ "broadcast_id", FAN_PARAM_NUMBER, false, 0, FAN_BROADCAST_ID_LAST, AT(placing, broadcast_id) },
};

/* What is not given stays; an area is of its PLMN, and is forgotten with it. In/Out: *place. */
static int
change_place(struct fan_ue_place *place, const struct placing *values)
{
	if (values->plmn != NULL) {
		memset(place->plmn, 0, sizeof(place->plmn));
		place->area = 0;
	}
	if (values->plmn != NULL && values->plmn[0] != '\0' && !fan_plmn_parse(place->plmn, values->plmn))
		return fan_fail(FAN_E_INVALID, "plmn: takes MCC-MNC, as 262-01, or nothing where it is not known");
	if (values->area >= 0)
		place->area = (uint32_t)values->area;
	if (values->broadcast_id >= 0)
		place->broadcast_id = (uint16_t)values->broadcast_id;
	return 0;
}

/* Returns whether the context is of the kind that is meant, or an error. */
static int
place_one(struct fan_server *server, fan_context_id id, const struct placing *values)
{
	struct fan_ue_status status;
	struct fan_ue_place place;
	int error;

	fan_ue_status_init(&status);
	error = fan_ue_status(server->fanfare, &status, id);
	if (error != 0)
		return error;
	if (values->kind != NULL && (enum fan_kind)fan_kind_find(values->kind) != status.kind)
		return 0;
	fan_ue_place_init(&place);
	memcpy(place.plmn, status.plmn, sizeof(place.plmn));
	place.area = status.area;
	place.broadcast_id = status.broadcast_id;
	error = change_place(&place, values);
	if (error == 0)
		error = fan_ue_place(server->fanfare, id, &place);
	return error == 0 ? 1 : error;
}

static int
run_place(struct fan_request *request)
{
	struct placing values = { .area = -1, .broadcast_id = -1 };
	fan_context_id ids[FAN_CONTEXTS_OF_ONE_MAX] = { 0 };
	int error = fan_request_params(request, &values, place_params, COUNT_OF(place_params)), count = 0, placed = 0;

	if (error == 0 && values.kind != NULL && fan_kind_find(values.kind) < 0)
		error = FAN_E_INVALID;
	if (error == 0)
		count = fan_contexts_find(request->server, ids, values.identity);
	for (int i = 0; error == 0 && i < count; i++) {
		const int one = place_one(request->server, ids[i], &values);

		placed += one > 0;
		error = one < 0 ? one : 0;
	}
	if (error == 0 && count >= 0 && placed == 0)
		error = fan_fail(FAN_E_NOT_FOUND, "%.127s: has no context of this kind", values.identity);
	request->result = json_pack("{s:i}", "contexts", placed);
	return count < 0 ? count : error;
}

/* ---- Leases ------------------------------------------------------------------------------------------------------------ */

struct leasing {
	json_t *context;
	const char *identity, *kind;
	int64_t bearer, count_reserved, until_ms;
};

static const struct fan_param lease_params[] = {
	{ "context", FAN_PARAM_OBJECT, false, 0, 0, AT(leasing, context) },
	{ "identity", FAN_PARAM_TEXT, false, 5, FAN_IDENTITY_BYTES - 1, AT(leasing, identity) },
	{ "kind", FAN_PARAM_TEXT, false, 1, 16, AT(leasing, kind) },
	{ "bearer", FAN_PARAM_NUMBER, false, 0, 31, AT(leasing, bearer) },
	{ "count_reserved", FAN_PARAM_NUMBER, false, 0, UINT32_MAX, AT(leasing, count_reserved) },
	{ "until_ms", FAN_PARAM_NUMBER, false, 0, INT64_MAX, AT(leasing, until_ms) },
};

static int
extend(struct fan_server *server, fan_context_id *id, const struct leasing *values)
{
	int error;

	if (values->count_reserved < 0 && values->until_ms < 0)
		return fan_fail(FAN_E_INVALID, "a lease is extended by count_reserved, until_ms, or both: name one");
	error = find_one(server, id, values->identity, values->kind, values->bearer);
	if (error == 0 && values->count_reserved >= 0)
		error = fan_ue_lease(server->fanfare, *id, (uint32_t)values->count_reserved);
	if (error == 0 && values->until_ms >= 0)
		error = fan_ue_lease_until(server->fanfare, *id, values->until_ms);
	return error;
}

/* The context that came as a file. */
static int
add_from_file(struct fan_request *request, fan_context_id *id)
{
	static char text[FAN_CONTROL_FILE_LINE_BYTES_MAX];
	json_error_t wrong;
	json_t *object;
	ssize_t text_bytes;
	int descriptor;
	int error = fan_request_descriptor(request, &descriptor);

	if (error != 0)
		return error;
	text_bytes = pread(descriptor, text, sizeof(text), 0);
	(void)close(descriptor);
	if (text_bytes < 0 || text_bytes == sizeof(text))
		return fan_fail(FAN_E_INVALID, "the file cannot be read, or has more than %zu octets", sizeof(text) - 1);
	object = json_loadb(text, (size_t)text_bytes, JSON_REJECT_DUPLICATES, &wrong);
	explicit_bzero(text, sizeof(text));
	error = json_is_object(object)
			? fan_import_object(request->server, id, object)
			: fan_fail(FAN_E_INVALID, "the file is no JSON object: line %d, column %d", wrong.line, wrong.column);
	json_decref(object);
	return error;
}

static int
run_lease(struct fan_request *request)
{
	struct leasing values = { .bearer = -1, .count_reserved = -1, .until_ms = -1 };
	json_t *contexts = json_array();
	fan_context_id id = 0;
	int error = fan_request_params(request, &values, lease_params, COUNT_OF(lease_params));

	if (error == 0 && values.context != NULL && values.identity != NULL)
		error = fan_fail(FAN_E_INVALID, "context hands one over, identity extends one: give one of the two");
	else if (error == 0 && values.context != NULL)
		error = fan_import_object(request->server, &id, values.context);
	else if (error == 0 && values.identity != NULL)
		error = extend(request->server, &id, &values);
	else if (error == 0)
		error = add_from_file(request, &id);
	if (error == 0)
		error = append(contexts, request->server, id);
	request->result = json_pack("{s:o}", "contexts", contexts);
	return error;
}

/* ---- Acknowledgements -------------------------------------------------------------------------------------------------- */

struct acknowledgement {
	const char *identity, *kind;
	int64_t bearer, count;
};

static const struct fan_param ack_params[] = {
	{ "identity", FAN_PARAM_TEXT, false, 5, FAN_IDENTITY_BYTES - 1, AT(acknowledgement, identity) },
	{ "kind", FAN_PARAM_TEXT, false, 1, 16, AT(acknowledgement, kind) },
	{ "bearer", FAN_PARAM_NUMBER, false, 0, 31, AT(acknowledgement, bearer) },
	{ "count", FAN_PARAM_NUMBER, false, 0, UINT32_MAX, AT(acknowledgement, count) },
};

/* One "identity,kind,count" of a file. */
static int
take_acknowledgement(struct fan_job *job, char *line, size_t line_bytes)
{
	char *kind = strchr(line, ','), *count = kind != NULL ? strchr(kind + 1, ',') : NULL, *end = NULL;
	unsigned long long number = 0;
	fan_context_id id = 0;
	int error;

	if (count == NULL || strlen(line) != line_bytes)
		return fan_fail(FAN_E_INVALID, "takes identity,kind,count");
	*kind++ = '\0';
	*count++ = '\0';
	if (*count >= '0' && *count <= '9')
		number = strtoull(count, &end, 10);
	if (end == NULL || *end != '\0' || number > UINT32_MAX || strlen(count) > 10) {
		(void)snprintf(job->field, sizeof(job->field), "count");
		return fan_fail(FAN_E_INVALID, "takes a number from 0 to %u", UINT32_MAX);
	}
	error = find_one(job->server, &id, line, kind, -1);
	if (error == 0)
		error = fan_ue_acknowledged(job->server->fanfare, id, (uint32_t)number);
	job->taken += error == 0;
	return error;
}

static int
end_now(struct fan_job *job)
{
	(void)job;
	return 0;
}

static int
report_acknowledged(const struct fan_job *job, json_t *result)
{
	return json_object_set_new(result, "acknowledged", json_integer((json_int_t)job->taken));
}

static void
close_nothing(struct fan_job *job, bool good)
{
	(void)job;
	(void)good;
}

static const struct fan_job_kind acknowledging = {
	.name = "ack",
	.line = take_acknowledgement,
	.end = end_now,
	.report = report_acknowledged,
	.close = close_nothing,
};

static int
run_ack(struct fan_request *request)
{
	struct acknowledgement values = { .bearer = -1, .count = -1 };
	fan_context_id id = 0;
	int error = fan_request_params(request, &values, ack_params, COUNT_OF(ack_params));

	if (error != 0)
		return error;
	/* Each line is a proof of its own: a bad one keeps no other from counting. */
	if (request->params == NULL || json_object_size(request->params) == 0)
		return fan_job_begin(request, NULL, &acknowledging, true);
	if (values.identity == NULL || values.kind == NULL || values.count < 0)
		return fan_fail(FAN_E_INVALID, "takes identity, kind and count, or none of them and a file");
	error = find_one(request->server, &id, values.identity, values.kind, values.bearer);
	if (error == 0)
		error = fan_ue_acknowledged(request->server->fanfare, id, (uint32_t)values.count);
	request->result = json_pack("{s:i}", "acknowledged", 1);
	return error;
}

const struct fan_method fan_ue_methods[] = {
	{ "ue.import", FAN_ROLE_PROVISION, FAN_AFTER_JOBS, run_import },
	{ "ue.show", FAN_ROLE_READ, FAN_LOADED, run_show },
	{ "ue.list", FAN_ROLE_READ, FAN_LOADED, run_list },
	{ "ue.remove", FAN_ROLE_PROVISION, FAN_AFTER_BATCH, give_back },
	{ "ue.reachable", FAN_ROLE_PROVISION, FAN_AFTER_BATCH, run_reachable },
	{ "ue.place", FAN_ROLE_LEASE, FAN_AFTER_BATCH, run_place },
	{ "lease", FAN_ROLE_LEASE, FAN_AFTER_BATCH, run_lease },
	{ "release", FAN_ROLE_LEASE, FAN_AFTER_BATCH, give_back },
	{ "ack", FAN_ROLE_LEASE, FAN_AFTER_BATCH, run_ack },
	{ .name = NULL },
};
