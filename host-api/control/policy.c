/* SPDX-License-Identifier: BSD-3-Clause */
/* Methods of groups' policies: which ways their messages may take, and which subscriptions may be members. */
#include "../keys/plmn.h"
#include "daemon.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define AT(struct_name, field) offsetof(struct struct_name, field)

struct setting {
	const char *gid, *plmn;
	json_t *radios, *areas[FAN_RADIO_COUNT];
	int64_t broadcast_id, period_s, broadcasts;
	bool open;
};

static const char *const radio_names[FAN_RADIO_COUNT] = { "lte", "nr" };

static const struct fan_param set_params[] = {
	{ "gid", FAN_PARAM_TEXT, true, 1, 255, AT(setting, gid) },
	{ "radios", FAN_PARAM_LIST, true, 0, FAN_RADIO_COUNT, AT(setting, radios) },
	{ "plmn", FAN_PARAM_TEXT, false, 6, FAN_PLMN_TEXT_BYTES - 1, AT(setting, plmn) },
	{ "broadcast_id", FAN_PARAM_NUMBER, false, FAN_BROADCAST_ID_FIRST, FAN_BROADCAST_ID_LAST, AT(setting, broadcast_id) },
	{ "period_s", FAN_PARAM_NUMBER, false, 0, FAN_BROADCAST_PERIOD_S_MAX, AT(setting, period_s) },
	{ "broadcasts", FAN_PARAM_NUMBER, false, 1, UINT16_MAX, AT(setting, broadcasts) },
	{ "open", FAN_PARAM_BOOLEAN, false, 0, 0, AT(setting, open) },
	{ "lte_areas", FAN_PARAM_LIST, false, 0, FAN_POLICY_AREAS_MAX, AT(setting, areas[FAN_RADIO_LTE]) },
	{ "nr_areas", FAN_PARAM_LIST, false, 0, FAN_POLICY_AREAS_MAX, AT(setting, areas[FAN_RADIO_NR]) },
};

static int
take_radios(struct fan_policy *policy, const json_t *names)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name) {
		unsigned radio = 0;

		while (radio < FAN_RADIO_COUNT && strcmp(json_string_value(name), radio_names[radio]) != 0)
			radio++;
		if (radio == FAN_RADIO_COUNT)
			return fan_fail(FAN_E_INVALID, "radios: takes lte, nr, both or none");
		policy->radios |= (uint8_t)(1U << radio);
	}
	return 0;
}

static int
compare_areas(const void *one, const void *other)
{
	const uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;

	return (a > b) - (a < b);
}

/* In: texts of decimal numbers, in any order. */
static int
take_areas(struct fan_policy *policy, enum fan_radio radio, const json_t *texts)
{
	uint32_t *const areas = policy->areas[radio];
	const json_t *text;
	size_t i;

	json_array_foreach(texts, i, text) {
		char *end;
		const char *digits = json_string_value(text);
		const unsigned long area = strtoul(digits, &end, 10);

		if (digits[0] < '0' || digits[0] > '9' || *end != '\0' || strlen(digits) > 8)
			return fan_fail(FAN_E_INVALID, "%s_areas: takes tracking area codes as decimal numbers",
					radio_names[radio]);
		areas[i] = (uint32_t)area;
	}
	policy->area_count[radio] = (uint16_t)json_array_size(texts);
	qsort(areas, policy->area_count[radio], sizeof(*areas), compare_areas);
	return 0;
}

static int
fill_policy(struct fan_policy *policy, const struct setting *values)
{
	int error;

	fan_policy_init(policy);
	policy->open = values->open;
	policy->broadcast_id = (uint16_t)values->broadcast_id;
	policy->period_s = (uint32_t)values->period_s;
	policy->broadcasts = (uint16_t)values->broadcasts;
	if (values->plmn != NULL && !fan_plmn_parse(policy->plmn, values->plmn))
		return fan_fail(FAN_E_INVALID, "plmn: takes MCC-MNC, as 262-01");
	error = take_radios(policy, values->radios);
	for (unsigned radio = 0; error == 0 && radio < FAN_RADIO_COUNT; radio++)
		error = take_areas(policy, (enum fan_radio)radio, values->areas[radio]);
	return error;
}

static json_t *
list_areas(const struct fan_policy *policy, enum fan_radio radio)
{
	json_t *areas = json_array();

	for (unsigned i = 0; i < policy->area_count[radio]; i++)
		(void)json_array_append_new(areas, json_integer(policy->areas[radio][i]));
	return areas;
}

static json_t *
list_radios(const struct fan_policy *policy)
{
	json_t *radios = json_array();

	for (unsigned radio = 0; radio < FAN_RADIO_COUNT; radio++)
		if ((policy->radios >> radio & 1) != 0)
			(void)json_array_append_new(radios, json_string(radio_names[radio]));
	return radios;
}

static json_t *
list_ways(const struct fan_group *group)
{
	json_t *ways = json_object();

	for (unsigned way = 0; way < FAN_WAY_COUNT; way++)
		(void)json_object_set_new(ways, fan_way_name((enum fan_way)way),
					  json_integer((json_int_t)fan_group_way_size(group, (enum fan_way)way)));
	return ways;
}

/* With how many members have which way at the moment. */
static int
describe(json_t **result, const struct fan_group *group)
{
	struct fan_policy policy;
	char plmn[FAN_PLMN_TEXT_BYTES];
	int error;

	fan_policy_init(&policy);
	error = fan_group_policy(group, &policy);
	if (error != 0)
		return error;
	fan_plmn_format(plmn, policy.plmn);
	*result = json_pack("{s:s, s:o, s:o}", "gid", fan_group_gid(group), "radios", list_radios(&policy), "ways",
			    list_ways(group));
	if (policy.radios != 0)
		(void)json_object_update_new(*result,
					     json_pack("{s:s, s:i, s:I, s:i, s:b, s:o, s:o}", "plmn", plmn, "broadcast_id",
						       policy.broadcast_id, "period_s", (json_int_t)policy.period_s,
						       "broadcasts", policy.broadcasts, "open", policy.open, "lte_areas",
						       list_areas(&policy, FAN_RADIO_LTE), "nr_areas",
						       list_areas(&policy, FAN_RADIO_NR)));
	return 0;
}

static int
run_set(struct fan_request *request)
{
	struct setting values = { .broadcasts = 1 };
	struct fan_group *group;
	struct fan_policy policy;
	int error = fan_request_params(request, &values, set_params, COUNT_OF(set_params));

	if (error == 0)
		error = fill_policy(&policy, &values);
	group = fan_request_find_group(request, &error, values.gid);
	if (error == 0)
		error = fan_group_policy_set(group, &policy);
	return error == 0 ? describe(&request->result, group) : error;
}

static int
run_show(struct fan_request *request)
{
	int error;
	const struct fan_group *group = fan_request_group(request, &error);

	return error == 0 ? describe(&request->result, group) : error;
}

/* ---- Admission --------------------------------------------------------------------------------------------------------- */

struct admitting {
	const char *gid;
	int64_t all, any;
};

static const struct fan_param admission_params[] = {
	{ "gid", FAN_PARAM_TEXT, true, 1, 255, AT(admitting, gid) },
	{ "all", FAN_PARAM_NUMBER, false, 0, UINT32_MAX, AT(admitting, all) },
	{ "any", FAN_PARAM_NUMBER, false, 0, UINT32_MAX, AT(admitting, any) },
};

static int
describe_admission(json_t **result, const struct fan_group *group)
{
	struct fan_admission admission;
	int error;

	fan_admission_init(&admission);
	error = fan_group_admission(group, &admission);
	if (error == 0)
		*result = json_pack("{s:s, s:I, s:I, s:I}", "gid", fan_group_gid(group), "all", (json_int_t)admission.all,
				    "any", (json_int_t)admission.any, "members", (json_int_t)fan_group_size(group));
	return error;
}

static int
run_set_admission(struct fan_request *request)
{
	struct admitting values = { .gid = NULL };
	struct fan_admission admission;
	int error = fan_request_params(request, &values, admission_params, COUNT_OF(admission_params));
	struct fan_group *group = fan_request_find_group(request, &error, values.gid);

	fan_admission_init(&admission);
	admission.all = (uint32_t)values.all;
	admission.any = (uint32_t)values.any;
	if (error == 0)
		error = fan_group_admission_set(group, &admission);
	return error == 0 ? describe_admission(&request->result, group) : error;
}

static int
run_show_admission(struct fan_request *request)
{
	int error;
	const struct fan_group *group = fan_request_group(request, &error);

	return error == 0 ? describe_admission(&request->result, group) : error;
}

const struct fan_method fan_policy_methods[] = {
	{ "group.admission.set", FAN_ROLE_PROVISION, FAN_AFTER_BATCH, run_set_admission },
	{ "group.admission.show", FAN_ROLE_READ, FAN_LOADED, run_show_admission },
	{ "group.policy.set", FAN_ROLE_PROVISION, FAN_AFTER_BATCH, run_set },
	{ "group.policy.show", FAN_ROLE_READ, FAN_LOADED, run_show },
	{ .name = NULL },
};
