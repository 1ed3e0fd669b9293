/* SPDX-License-Identifier: BSD-3-Clause */
#include "dictionary.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define GKI_MAX 255
#define DURATION_MAX 65535

/* ---- Values ------------------------------------------------------------------------------------------------------------ */

static bool
is_printable(const union avp_value *value, size_t octets_max)
{
	for (size_t i = 0; i < value->os.len; i++)
		if (value->os.data[i] <= ' ' || value->os.data[i] > '~')
			return false;
	return value->os.len > 0 && value->os.len <= octets_max;
}

static int
check_group(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	return is_printable(value, FAN_KEYS_GID_BYTES - 1) ? 0 : fan_avp_refuse(why, "Group-Identifier takes a GID of ASCII");
}

static int
check_kek_name(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	return is_printable(value, FAN_KEYS_NAME_BYTES - 1) ? 0 : fan_avp_refuse(why, "KEK-Name takes 1 to 31 octets of ASCII");
}

static int
check_host(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	return is_printable(value, FAN_IDENTIFIER_BYTES - 1) ? 0 : fan_avp_refuse(why, "takes a Diameter identity");
}

static int
check_gki(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	return value->u32 <= GKI_MAX ? 0 : fan_avp_refuse(why, "Group-Key-Index takes 0 to 255");
}

static int
check_state(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	return value->i32 == FAN_KEYS_CURRENT || value->i32 == FAN_KEYS_PREVIOUS
		       ? 0
		       : fan_avp_refuse(why, "Group-Key-State takes 0 and 1");
}

static int
check_duration(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	return value->u32 >= 1 && value->u32 <= DURATION_MAX
		       ? 0
		       : fan_avp_refuse(why, "Group-Key-Duration takes 1 to 65535 minutes");
}

static int
check_start(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	return value->u64 < UINT64_C(1) << 40 ? 0 : fan_avp_refuse(why, "Group-Key-Start takes 5 octets of seconds");
}

static int
check_wrapped(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	return value->os.len > 0 && value->os.len <= FAN_KEYS_WRAPPED_BYTES
		       ? 0
		       : fan_avp_refuse(why, "Wrapped-Group-Key takes 1 to 400 octets");
}

static int
check_part(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	return value->u32 <= (FAN_KEYS_FIRST_PART | FAN_KEYS_LAST_PART)
		       ? 0
		       : fan_avp_refuse(why, "Group-Members-Part takes 0 to 3");
}

/* ---- AVPs --------------------------------------------------------------------------------------------------------------- */

/* The table that README.md shows. Ours have the M bit clear: an HSS or MME that does not know them goes on without. */
#define M FAN_AVP_M
#define OWN(avp) [(avp)-FAN_SHARED_AVPS]
#define OURS FAN_VENDOR_OURS

static const struct fan_avp_row avp_rows[FAN_KEYS_AVPS - FAN_SHARED_AVPS] = {
	OWN(FAN_AVP_USER_NAME) = { "User-Name", .known = true },
	OWN(FAN_AVP_USER_IDENTIFIER) = { "User-Identifier", 3102, FAN_VENDOR_3GPP, AVP_TYPE_GROUPED, .mandatory = M },
	OWN(FAN_AVP_SUBSCRIPTION_DATA) = { "Subscription-Data", 1400, FAN_VENDOR_3GPP, AVP_TYPE_GROUPED, .mandatory = M },
	OWN(FAN_AVP_ULR_FLAGS) = { "ULR-Flags", 1405, FAN_VENDOR_3GPP, AVP_TYPE_UNSIGNED32, .mandatory = M },
	OWN(FAN_AVP_ULA_FLAGS) = { "ULA-Flags", 1406, FAN_VENDOR_3GPP, AVP_TYPE_UNSIGNED32, .mandatory = M },
	OWN(FAN_AVP_VISITED_PLMN_ID) = { "Visited-PLMN-Id", 1407, FAN_VENDOR_3GPP, AVP_TYPE_OCTETSTRING, .mandatory = M },
	OWN(FAN_AVP_RAT_TYPE) = { "RAT-Type", 1032, FAN_VENDOR_3GPP, AVP_TYPE_INTEGER32, .mandatory = M },
	OWN(FAN_AVP_SERVING_NODE) = { "Serving-Node", 2401, FAN_VENDOR_3GPP, AVP_TYPE_GROUPED, .mandatory = M },
	OWN(FAN_AVP_MME_NAME) = { "MME-Name", 2402, FAN_VENDOR_3GPP, AVP_TYPE_OCTETSTRING, M, .check = check_host },
	OWN(FAN_AVP_MME_REALM) = { "MME-Realm", 2408, FAN_VENDOR_3GPP, AVP_TYPE_OCTETSTRING, 0, .check = check_host },
	OWN(FAN_AVP_GROUP_KEYS) = { "Group-Keys", 1, OURS, AVP_TYPE_GROUPED, .mandatory = 0 },
	OWN(FAN_AVP_GROUP_IDENTIFIER) = { "Group-Identifier", 2, OURS, AVP_TYPE_OCTETSTRING, 0, .check = check_group },
	OWN(FAN_AVP_GROUP_REVISION) = { "Group-Revision", 3, OURS, AVP_TYPE_UNSIGNED64, .mandatory = 0 },
	OWN(FAN_AVP_GROUP_KEY_SET) = { "Group-Key-Set", 4, OURS, AVP_TYPE_GROUPED, .mandatory = 0 },
	OWN(FAN_AVP_GROUP_KEY_INDEX) = { "Group-Key-Index", 5, OURS, AVP_TYPE_UNSIGNED32, 0, .check = check_gki },
	OWN(FAN_AVP_GROUP_KEY_STATE) = { "Group-Key-State", 6, OURS, AVP_TYPE_INTEGER32, 0, .check = check_state },
	OWN(FAN_AVP_GROUP_KEY_START) = { "Group-Key-Start", 7, OURS, AVP_TYPE_UNSIGNED64, 0, .check = check_start },
	OWN(FAN_AVP_GROUP_KEY_DURATION) = { "Group-Key-Duration", 8, OURS, AVP_TYPE_UNSIGNED32, 0, .check = check_duration },
	OWN(FAN_AVP_KEK_NAME) = { "KEK-Name", 9, OURS, AVP_TYPE_OCTETSTRING, 0, .check = check_kek_name },
	OWN(FAN_AVP_WRAPPED_GROUP_KEY) = { "Wrapped-Group-Key", 10, OURS, AVP_TYPE_OCTETSTRING, 0, .check = check_wrapped },
	OWN(FAN_AVP_GROUP_MEMBERS) = { "Group-Members", 11, OURS, AVP_TYPE_GROUPED, .mandatory = 0 },
	OWN(FAN_AVP_GROUP_MEMBERS_PART) = { "Group-Members-Part", 12, OURS, AVP_TYPE_UNSIGNED32, 0, .check = check_part },
	OWN(FAN_AVP_GROUP_LIST) = { "Group-List", 13, OURS, AVP_TYPE_GROUPED, .mandatory = 0 },
	OWN(FAN_AVP_GROUP_REQUEST) = { "Group-Request", 14, OURS, AVP_TYPE_GROUPED, .mandatory = 0 },
};

/* ---- Groups -------------------------------------------------------------------------------------------------------------- */

static const struct fan_avp_rule user_identifier[] = {
	{ FAN_AVP_USER_NAME, FAN_OPTIONAL },
	{ FAN_AVP_EXTERNAL_IDENTIFIER, FAN_OPTIONAL },
	{ FAN_AVP_TYPE_OF_EXTERNAL_IDENTIFIER, FAN_OPTIONAL },
	{ FAN_AVP_GROUP_IDENTIFIER, FAN_OPTIONAL },
};

static const struct fan_avp_rule subscription_data[] = {
	{ FAN_AVP_GROUP_KEYS, FAN_MANY },
	{ FAN_AVP_GROUP_IDENTIFIER, FAN_MANY },
};

static const struct fan_avp_rule serving_node[] = {
	{ FAN_AVP_MME_NAME, FAN_OPTIONAL },
	{ FAN_AVP_MME_REALM, FAN_OPTIONAL },
};

/* All keys of a group: those that are not in it are over. */
static const struct fan_avp_rule group_keys[] = {
	{ FAN_AVP_GROUP_IDENTIFIER, FAN_ONE },
	{ FAN_AVP_GROUP_REVISION, FAN_ONE },
	{ FAN_AVP_GROUP_KEY_SET, FAN_MANY },
};

static const struct fan_avp_rule group_key_set[] = {
	{ FAN_AVP_GROUP_KEY_INDEX, FAN_ONE },    { FAN_AVP_GROUP_KEY_STATE, FAN_ONE }, { FAN_AVP_GROUP_KEY_START, FAN_ONE },
	{ FAN_AVP_GROUP_KEY_DURATION, FAN_ONE }, { FAN_AVP_KEK_NAME, FAN_ONE },        { FAN_AVP_WRAPPED_GROUP_KEY, FAN_ONE },
};

static const struct fan_avp_rule group_members[] = {
	{ FAN_AVP_GROUP_IDENTIFIER, FAN_ONE },
	{ FAN_AVP_GROUP_REVISION, FAN_ONE },
	{ FAN_AVP_GROUP_MEMBERS_PART, FAN_ONE },
	{ FAN_AVP_USER_NAME, FAN_MANY },
};

static const struct fan_avp_rule group_list[] = { { FAN_AVP_GROUP_IDENTIFIER, FAN_MANY } };
static const struct fan_avp_rule group_request[] = { { FAN_AVP_GROUP_IDENTIFIER, FAN_OPTIONAL } };

/* ---- Commands ------------------------------------------------------------------------------------------------------------ */

#define EVERY_REQUEST                                                                                                          \
	{ FAN_AVP_SESSION_ID, FAN_HEAD }, { FAN_AVP_AUTH_APPLICATION_ID, FAN_OPTIONAL },                                       \
		{ FAN_AVP_AUTH_SESSION_STATE, FAN_ONE }, { FAN_AVP_ORIGIN_HOST, FAN_ONE }, { FAN_AVP_ORIGIN_REALM, FAN_ONE },  \
		{ FAN_AVP_DESTINATION_HOST, FAN_OPTIONAL }, { FAN_AVP_DESTINATION_REALM, FAN_ONE },                            \
		{ FAN_AVP_ORIGIN_STATE_ID, FAN_OPTIONAL }, { FAN_AVP_PROXY_INFO, FAN_MANY },                                   \
		{ FAN_AVP_ROUTE_RECORD, FAN_MANY },                                                                            \
	{                                                                                                                      \
		FAN_AVP_SUPPORTED_FEATURES, FAN_MANY                                                                           \
	}

#define EVERY_ANSWER                                                                                                           \
	{ FAN_AVP_SESSION_ID, FAN_HEAD }, { FAN_AVP_AUTH_APPLICATION_ID, FAN_OPTIONAL },                                       \
		{ FAN_AVP_AUTH_SESSION_STATE, FAN_OPTIONAL }, { FAN_AVP_RESULT_CODE, FAN_OPTIONAL },                           \
		{ FAN_AVP_EXPERIMENTAL_RESULT, FAN_OPTIONAL }, { FAN_AVP_ORIGIN_HOST, FAN_ONE },                               \
		{ FAN_AVP_ORIGIN_REALM, FAN_ONE }, { FAN_AVP_ORIGIN_STATE_ID, FAN_OPTIONAL },                                  \
		{ FAN_AVP_ERROR_MESSAGE, FAN_OPTIONAL }, { FAN_AVP_ERROR_REPORTING_HOST, FAN_OPTIONAL },                       \
		{ FAN_AVP_FAILED_AVP, FAN_MANY }, { FAN_AVP_PROXY_INFO, FAN_MANY },                                            \
	{                                                                                                                      \
		FAN_AVP_SUPPORTED_FEATURES, FAN_MANY                                                                           \
	}

static const struct fan_avp_rule update_location_request[] = {
	EVERY_REQUEST,
	{ FAN_AVP_USER_NAME, FAN_ONE },
	{ FAN_AVP_RAT_TYPE, FAN_ONE },
	{ FAN_AVP_ULR_FLAGS, FAN_ONE },
	{ FAN_AVP_VISITED_PLMN_ID, FAN_ONE },
};

static const struct fan_avp_rule update_location_answer[] = {
	EVERY_ANSWER,
	{ FAN_AVP_ULA_FLAGS, FAN_OPTIONAL },
	{ FAN_AVP_SUBSCRIPTION_DATA, FAN_OPTIONAL },
};

static const struct fan_avp_rule insert_subscriber_data_request[] = {
	EVERY_REQUEST,
	{ FAN_AVP_USER_NAME, FAN_ONE },
	{ FAN_AVP_SUBSCRIPTION_DATA, FAN_ONE },
};

static const struct fan_avp_rule subscriber_information_request[] = {
	EVERY_REQUEST,
	{ FAN_AVP_USER_IDENTIFIER, FAN_ONE },
};

static const struct fan_avp_rule subscriber_information_answer[] = {
	EVERY_ANSWER,
	{ FAN_AVP_USER_IDENTIFIER, FAN_OPTIONAL },
	{ FAN_AVP_SERVING_NODE, FAN_MANY },
};

static const struct fan_avp_rule configuration_information_request[] = {
	EVERY_REQUEST,
	{ FAN_AVP_USER_IDENTIFIER, FAN_ONE },
	{ FAN_AVP_GROUP_KEYS, FAN_OPTIONAL },
	{ FAN_AVP_GROUP_MEMBERS, FAN_OPTIONAL },
	{ FAN_AVP_GROUP_LIST, FAN_OPTIONAL },
};

static const struct fan_avp_rule reporting_information_request[] = {
	EVERY_REQUEST,
	{ FAN_AVP_USER_IDENTIFIER, FAN_OPTIONAL },
	{ FAN_AVP_SERVING_NODE, FAN_OPTIONAL },
	{ FAN_AVP_GROUP_IDENTIFIER, FAN_MANY },
	{ FAN_AVP_GROUP_REQUEST, FAN_OPTIONAL },
};

static const struct fan_avp_rule plain_answer[] = { EVERY_ANSWER };

#define RULES(request, answer)                                                                                                 \
	.request_rules = (request), .request_count = COUNT_OF(request), .answer_rules = (answer),                              \
	.answer_count = COUNT_OF(answer)

static const struct fan_command_row update_location = { FAN_UPDATE_LOCATION, "Update-Location-Request",
							"Update-Location-Answer",
							RULES(update_location_request, update_location_answer) };
static const struct fan_command_row insert_subscriber_data = { FAN_INSERT_SUBSCRIBER_DATA, "Insert-Subscriber-Data-Request",
							       "Insert-Subscriber-Data-Answer",
							       RULES(insert_subscriber_data_request, plain_answer) };
static const struct fan_command_row subscriber_information = {
	FAN_SUBSCRIBER_INFORMATION, "Subscriber-Information-Request", "Subscriber-Information-Answer",
	RULES(subscriber_information_request, subscriber_information_answer)
};
static const struct fan_command_row configuration_information = { FAN_CONFIGURATION_INFORMATION,
								  "Configuration-Information-Request",
								  "Configuration-Information-Answer",
								  RULES(configuration_information_request, plain_answer) };
static const struct fan_command_row reporting_information = { FAN_REPORTING_INFORMATION, "Reporting-Information-Request",
							      "Reporting-Information-Answer",
							      RULES(reporting_information_request, plain_answer) };

/* ---- The whole ------------------------------------------------------------------------------------------------------------ */

static bool
add_groups(void)
{
	static const struct {
		enum fan_keys_avp avp;
		const struct fan_avp_rule *rules;
		size_t count;
	} groups[] = {
		{ FAN_AVP_USER_IDENTIFIER, user_identifier, COUNT_OF(user_identifier) },
		{ FAN_AVP_SUBSCRIPTION_DATA, subscription_data, COUNT_OF(subscription_data) },
		{ FAN_AVP_SERVING_NODE, serving_node, COUNT_OF(serving_node) },
		{ FAN_AVP_GROUP_KEYS, group_keys, COUNT_OF(group_keys) },
		{ FAN_AVP_GROUP_KEY_SET, group_key_set, COUNT_OF(group_key_set) },
		{ FAN_AVP_GROUP_MEMBERS, group_members, COUNT_OF(group_members) },
		{ FAN_AVP_GROUP_LIST, group_list, COUNT_OF(group_list) },
		{ FAN_AVP_GROUP_REQUEST, group_request, COUNT_OF(group_request) },
	};
	bool good = true;

	for (unsigned i = 0; good && i < COUNT_OF(groups); i++)
		good = fan_dictionary_add_rules(fan_dictionary_avp(groups[i].avp), groups[i].rules, groups[i].count);
	return good;
}

bool
fan_keys_dictionary_fill(struct fan_keys_dictionary *dictionary, struct dict_object *vendor)
{
	struct dict_vendor_data ours = { FAN_VENDOR_OURS, (char[]){ "Documentation (RFC 5612)" } };

	/* A command of freeDiameter's dictionary is found by its code alone, whatever the application: T6a's CIR is S6t's. */
	return fd_dict_new(fd_g_config->cnf_dict, DICT_VENDOR, &ours, NULL, NULL) == 0 &&
	       fan_dictionary_add_application(&dictionary->s6a, vendor, FAN_S6A_APPLICATION, "S6a") &&
	       fan_dictionary_add_application(&dictionary->s6m, vendor, FAN_S6M_APPLICATION, "S6m") &&
	       fan_dictionary_add_application(&dictionary->s6t, vendor, FAN_S6T_APPLICATION, "S6t") &&
	       fan_dictionary_add_application(&dictionary->t6a, vendor, FAN_T6A_APPLICATION, "T6a") &&
	       fan_dictionary_add_avps(avp_rows, COUNT_OF(avp_rows)) && add_groups() &&
	       fan_dictionary_add_command(&dictionary->update_location, dictionary->s6a, &update_location) &&
	       fan_dictionary_add_command(&dictionary->insert_subscriber_data, dictionary->s6a, &insert_subscriber_data) &&
	       fan_dictionary_add_command(&dictionary->subscriber_information, dictionary->s6m, &subscriber_information) &&
	       fan_dictionary_add_command(&dictionary->configuration_information, dictionary->s6t,
					  &configuration_information) &&
	       fan_dictionary_add_command(&dictionary->reporting_information, dictionary->s6t, &reporting_information);
}
