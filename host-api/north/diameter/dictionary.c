/* SPDX-License-Identifier: BSD-3-Clause */
#include "dictionary.h"

#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define KNOWN .known = true

static struct dict_object *avps[FAN_AVPS_MAX];
static struct dict_avp_data datas[FAN_AVPS_MAX];

int
fan_avp_refuse(char **why, const char *words)
{
	memcpy(why, &words, sizeof(words)); /* it is only read */
	return EBADMSG;
}

static int
check_type_of_identifier(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	return value->u32 <= 1 ? 0 : fan_avp_refuse(why, "Type-Of-External-Identifier takes 0 (a UE) and 1 (a group)");
}

/* Octets of ASCII that can be seen, one @ among them. What serve makes of them is its own matter. */
static int
check_identifier(void *unused, union avp_value *value, char **why)
{
	unsigned ats = 0;

	(void)unused;
	for (size_t i = 0; i < value->os.len; i++) {
		if (value->os.data[i] <= ' ' || value->os.data[i] > '~')
			return fan_avp_refuse(why, "External-Identifier takes LOCAL@DOMAIN in ASCII");
		ats += value->os.data[i] == '@';
	}
	if (value->os.len >= FAN_IDENTIFIER_BYTES)
		return fan_avp_refuse(why, "External-Identifier takes up to 255 octets");
	return ats == 1 ? 0 : fan_avp_refuse(why, "External-Identifier takes LOCAL@DOMAIN");
}

static const struct fan_avp_row shared_rows[FAN_SHARED_AVPS] = {
	[FAN_AVP_SESSION_ID] = { "Session-Id", KNOWN },
	[FAN_AVP_AUTH_APPLICATION_ID] = { "Auth-Application-Id", KNOWN },
	[FAN_AVP_AUTH_SESSION_STATE] = { "Auth-Session-State", KNOWN },
	[FAN_AVP_ORIGIN_HOST] = { "Origin-Host", KNOWN },
	[FAN_AVP_ORIGIN_REALM] = { "Origin-Realm", KNOWN },
	[FAN_AVP_DESTINATION_HOST] = { "Destination-Host", KNOWN },
	[FAN_AVP_DESTINATION_REALM] = { "Destination-Realm", KNOWN },
	[FAN_AVP_ORIGIN_STATE_ID] = { "Origin-State-Id", KNOWN },
	[FAN_AVP_RESULT_CODE] = { "Result-Code", KNOWN },
	[FAN_AVP_EXPERIMENTAL_RESULT] = { "Experimental-Result", KNOWN },
	[FAN_AVP_EXPERIMENTAL_RESULT_CODE] = { "Experimental-Result-Code", KNOWN },
	[FAN_AVP_ERROR_MESSAGE] = { "Error-Message", KNOWN },
	[FAN_AVP_ERROR_REPORTING_HOST] = { "Error-Reporting-Host", KNOWN },
	[FAN_AVP_FAILED_AVP] = { "Failed-AVP", KNOWN },
	[FAN_AVP_PROXY_INFO] = { "Proxy-Info", KNOWN },
	[FAN_AVP_ROUTE_RECORD] = { "Route-Record", KNOWN },
	[FAN_AVP_REDIRECT_HOST] = { "Redirect-Host", KNOWN },
	[FAN_AVP_REDIRECT_HOST_USAGE] = { "Redirect-Host-Usage", KNOWN },
	[FAN_AVP_REDIRECT_MAX_CACHE_TIME] = { "Redirect-Max-Cache-Time", KNOWN },
	[FAN_AVP_VENDOR_ID] = { "Vendor-Id", KNOWN },
	[FAN_AVP_EXTERNAL_IDENTIFIER] = { "External-Identifier", 3111, FAN_VENDOR_3GPP, AVP_TYPE_OCTETSTRING, FAN_AVP_M,
					  .check = check_identifier },
	[FAN_AVP_TYPE_OF_EXTERNAL_IDENTIFIER] = { "Type-Of-External-Identifier", 3168, FAN_VENDOR_3GPP, AVP_TYPE_UNSIGNED32, 0,
						  .check = check_type_of_identifier },
	[FAN_AVP_SUPPORTED_FEATURES] = { "Supported-Features", 628, FAN_VENDOR_3GPP, AVP_TYPE_GROUPED, .mandatory = 0 },
	[FAN_AVP_FEATURE_LIST_ID] = { "Feature-List-ID", 629, FAN_VENDOR_3GPP, AVP_TYPE_UNSIGNED32, .mandatory = 0 },
	[FAN_AVP_FEATURE_LIST] = { "Feature-List", 630, FAN_VENDOR_3GPP, AVP_TYPE_UNSIGNED32, .mandatory = 0 },
};

static const struct fan_avp_rule supported_features[] = {
	{ FAN_AVP_VENDOR_ID, FAN_ONE },
	{ FAN_AVP_FEATURE_LIST_ID, FAN_ONE },
	{ FAN_AVP_FEATURE_LIST, FAN_ONE },
};

static char *
text(const char *constant)
{
	char *copy;

	memcpy(&copy, &constant, sizeof(constant)); /* freeDiameter copies it */
	return copy;
}

/* The type of an AVP whose values are checked, or that freeDiameter has a name for. NULL: a plain one. */
static bool
make_type(struct dict_object **type, const struct fan_avp_row *row)
{
	struct dict_type_data data = { .type_base = row->type, .type_name = text(row->name), .type_check = row->check };

	*type = NULL;
	if (row->derived != NULL)
		return fd_dict_search(fd_g_config->cnf_dict, DICT_TYPE, TYPE_BY_NAME, row->derived, type, ENOENT) == 0;
	return row->check == NULL || fd_dict_new(fd_g_config->cnf_dict, DICT_TYPE, &data, NULL, type) == 0;
}

static bool
make_avp(struct dict_object **avp, const struct fan_avp_row *row)
{
	const uint8_t vendor = row->vendor != 0 ? AVP_FLAG_VENDOR : 0;
	struct dict_avp_data data = {
		.avp_code = row->code,
		.avp_vendor = row->vendor,
		.avp_name = text(row->name),
		.avp_flag_mask = AVP_FLAG_VENDOR,
		.avp_flag_val = vendor | row->mandatory,
		.avp_basetype = row->type,
	};
	struct dict_object *type;

	if (row->known)
		return fd_dict_search(fd_g_config->cnf_dict, DICT_AVP, AVP_BY_NAME, row->name, avp, ENOENT) == 0;
	return make_type(&type, row) && fd_dict_new(fd_g_config->cnf_dict, DICT_AVP, &data, type, avp) == 0;
}

static bool
make_avps(unsigned first, const struct fan_avp_row *rows, unsigned count)
{
	bool good = first + count <= FAN_AVPS_MAX;

	for (unsigned i = 0; good && i < count; i++)
		good = make_avp(&avps[first + i], &rows[i]) && fd_dict_getval(avps[first + i], &datas[first + i]) == 0;
	return good;
}

bool
fan_dictionary_open(struct dict_object **vendor)
{
	struct dict_vendor_data data = { FAN_VENDOR_3GPP, text("3GPP") };

	return fd_dict_new(fd_g_config->cnf_dict, DICT_VENDOR, &data, NULL, vendor) == 0 &&
	       make_avps(0, shared_rows, FAN_SHARED_AVPS) &&
	       fan_dictionary_add_rules(avps[FAN_AVP_SUPPORTED_FEATURES], supported_features, COUNT_OF(supported_features));
}

bool
fan_dictionary_add_avps(const struct fan_avp_row *rows, unsigned count)
{
	return make_avps(FAN_SHARED_AVPS, rows, count);
}

struct dict_object *
fan_dictionary_avp(unsigned which)
{
	return avps[which];
}

bool
fan_dictionary_is(unsigned which, uint32_t code, uint32_t vendor)
{
	return datas[which].avp_code == code && datas[which].avp_vendor == vendor;
}

bool
fan_dictionary_add_rules(struct dict_object *parent, const struct fan_avp_rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const bool required = rules[i].how == FAN_HEAD || rules[i].how == FAN_ONE;
		struct dict_rule_data data = {
			.rule_avp = avps[rules[i].avp],
			.rule_position = rules[i].how == FAN_HEAD ? RULE_FIXED_HEAD
					 : required               ? RULE_REQUIRED
								  : RULE_OPTIONAL,
			.rule_order = rules[i].how == FAN_HEAD ? 1 : 0,
			.rule_min = -1,
			.rule_max = rules[i].how == FAN_MANY ? -1 : 1,
		};

		if (fd_dict_new(fd_g_config->cnf_dict, DICT_RULE, &data, parent, NULL) != 0)
			return false;
	}
	return true;
}

static bool
make_command(struct dict_object **command, struct dict_object *application, uint32_t code, const char *name, uint8_t request)
{
	struct dict_cmd_data data = {
		.cmd_code = code,
		.cmd_name = text(name),
		.cmd_flag_mask = CMD_FLAG_REQUEST | CMD_FLAG_PROXIABLE,
		.cmd_flag_val = request | CMD_FLAG_PROXIABLE,
	};

	return fd_dict_new(fd_g_config->cnf_dict, DICT_COMMAND, &data, application, command) == 0;
}

bool
fan_dictionary_add_command(struct dict_object **request, struct dict_object *application, const struct fan_command_row *row)
{
	struct dict_object *answer;

	return make_command(request, application, row->code, row->request, CMD_FLAG_REQUEST) &&
	       make_command(&answer, application, row->code, row->answer, 0) &&
	       fan_dictionary_add_rules(*request, row->request_rules, row->request_count) &&
	       fan_dictionary_add_rules(answer, row->answer_rules, row->answer_count);
}

bool
fan_dictionary_add_application(struct dict_object **application, struct dict_object *vendor, uint32_t number, const char *name)
{
	struct dict_application_data data = { number, text(name) };

	return fd_dict_new(fd_g_config->cnf_dict, DICT_APPLICATION, &data, vendor, application) == 0;
}
