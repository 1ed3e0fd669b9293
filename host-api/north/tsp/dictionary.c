/* SPDX-License-Identifier: BSD-3-Clause */
#include "dictionary.h"

#include "tsp.h"

#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define PORT_MAX 65535
#define MSISDN_OCTETS_MAX 8

/* ---- Values ------------------------------------------------------------------------------------------------------------ */

/* freeDiameter answers DIAMETER_INVALID_AVP_VALUE, with the AVP in Failed-AVP, when one of these returns EBADMSG; with any other error it
 * drops the message without an answer. */

static int
refuse(char **why, const char *words)
{
	memcpy(why, &words, sizeof(words)); /* it is only read */
	return EBADMSG;
}

static int
check_action_type(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	return value->i32 == FAN_TSP_TRIGGER || value->i32 == FAN_TSP_RECALL || value->i32 == FAN_TSP_REPLACE ||
			       value->i32 == FAN_TSP_REPORT || value->i32 == FAN_TSP_MO_SMS
		       ? 0
		       : refuse(why, "Action-Type takes 1 to 5");
}

static int
check_priority(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	return value->i32 == 0 || value->i32 == 1 ? 0 : refuse(why, "Priority-Indication takes 0 and 1");
}

static int
check_port(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	return value->u32 <= PORT_MAX ? 0 : refuse(why, "Application-Port-Identifier takes 0 to 65535");
}

static int
check_type_of_identifier(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	return value->u32 <= 1 ? 0 : refuse(why, "Type-Of-External-Identifier takes 0 (a UE) and 1 (a group)");
}

/* Octets of ASCII that can be seen, one @ among them. What serve makes of them is its own matter. */
static int
check_identifier(void *unused, union avp_value *value, char **why)
{
	unsigned ats = 0;

	(void)unused;
	for (size_t i = 0; i < value->os.len; i++) {
		if (value->os.data[i] <= ' ' || value->os.data[i] > '~')
			return refuse(why, "External-Identifier takes LOCAL@DOMAIN in ASCII");
		ats += value->os.data[i] == '@';
	}
	if (value->os.len >= FAN_TSP_TARGET_BYTES)
		return refuse(why, "External-Identifier takes up to 255 octets");
	return ats == 1 ? 0 : refuse(why, "External-Identifier takes LOCAL@DOMAIN");
}

static int
check_scs_identity(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	for (size_t i = 0; i < value->os.len; i++)
		if (value->os.data[i] <= ' ' || value->os.data[i] > '~')
			return refuse(why, "SCS-Identity takes ASCII here");
	return value->os.len < FAN_TSP_TARGET_BYTES ? 0 : refuse(why, "SCS-Identity takes up to 255 octets");
}

static int
check_msisdn(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	return value->os.len > 0 && value->os.len <= MSISDN_OCTETS_MAX ? 0 : refuse(why, "MSISDN takes 1 to 15 digits as TBCD");
}

/* ---- AVPs --------------------------------------------------------------------------------------------------------------- */

/* The table that README.md shows. M: the flag that is set on sending; what comes in may have it or not (RFC 6733 4.1 leaves that to the
 * sender), and must have V as it is here. */
#define M AVP_FLAG_MANDATORY
#define BASE .base = true

static const struct avp_row {
	const char *name;
	uint32_t code, vendor;
	enum dict_avp_basetype type;
	uint8_t mandatory;
	bool base;
	const char *derived; /* type of freeDiameter's own dictionary */
	int (*check)(void *, union avp_value *, char **);
} avp_rows[FAN_AVPS] = {
	[FAN_AVP_SESSION_ID] = { "Session-Id", BASE },
	[FAN_AVP_AUTH_APPLICATION_ID] = { "Auth-Application-Id", BASE },
	[FAN_AVP_AUTH_SESSION_STATE] = { "Auth-Session-State", BASE },
	[FAN_AVP_ORIGIN_HOST] = { "Origin-Host", BASE },
	[FAN_AVP_ORIGIN_REALM] = { "Origin-Realm", BASE },
	[FAN_AVP_DESTINATION_HOST] = { "Destination-Host", BASE },
	[FAN_AVP_DESTINATION_REALM] = { "Destination-Realm", BASE },
	[FAN_AVP_ORIGIN_STATE_ID] = { "Origin-State-Id", BASE },
	[FAN_AVP_RESULT_CODE] = { "Result-Code", BASE },
	[FAN_AVP_EXPERIMENTAL_RESULT] = { "Experimental-Result", BASE },
	[FAN_AVP_ERROR_MESSAGE] = { "Error-Message", BASE },
	[FAN_AVP_ERROR_REPORTING_HOST] = { "Error-Reporting-Host", BASE },
	[FAN_AVP_FAILED_AVP] = { "Failed-AVP", BASE },
	[FAN_AVP_PROXY_INFO] = { "Proxy-Info", BASE },
	[FAN_AVP_ROUTE_RECORD] = { "Route-Record", BASE },
	[FAN_AVP_REDIRECT_HOST] = { "Redirect-Host", BASE },
	[FAN_AVP_REDIRECT_HOST_USAGE] = { "Redirect-Host-Usage", BASE },
	[FAN_AVP_REDIRECT_MAX_CACHE_TIME] = { "Redirect-Max-Cache-Time", BASE },
	[FAN_AVP_VENDOR_ID] = { "Vendor-Id", BASE },
	[FAN_AVP_DEVICE_ACTION] = { "Device-Action", 3001, FAN_TSP_VENDOR, AVP_TYPE_GROUPED, .mandatory = M },
	[FAN_AVP_DEVICE_NOTIFICATION] = { "Device-Notification", 3002, FAN_TSP_VENDOR, AVP_TYPE_GROUPED, .mandatory = M },
	[FAN_AVP_TRIGGER_DATA] = { "Trigger-Data", 3003, FAN_TSP_VENDOR, AVP_TYPE_GROUPED, .mandatory = M },
	[FAN_AVP_PAYLOAD] = { "Payload", 3004, FAN_TSP_VENDOR, AVP_TYPE_OCTETSTRING, .mandatory = M },
	[FAN_AVP_ACTION_TYPE] = { "Action-Type", 3005, FAN_TSP_VENDOR, AVP_TYPE_INTEGER32, M, .check = check_action_type },
	[FAN_AVP_PRIORITY_INDICATION] = { "Priority-Indication", 3006, FAN_TSP_VENDOR, AVP_TYPE_INTEGER32, M,
					  .check = check_priority },
	[FAN_AVP_REFERENCE_NUMBER] = { "Reference-Number", 3007, FAN_TSP_VENDOR, AVP_TYPE_UNSIGNED32, .mandatory = M },
	[FAN_AVP_REQUEST_STATUS] = { "Request-Status", 3008, FAN_TSP_VENDOR, AVP_TYPE_INTEGER32, .mandatory = M },
	[FAN_AVP_DELIVERY_OUTCOME] = { "Delivery-Outcome", 3009, FAN_TSP_VENDOR, AVP_TYPE_INTEGER32, .mandatory = M },
	[FAN_AVP_APPLICATION_PORT_IDENTIFIER] = { "Application-Port-Identifier", 3010, FAN_TSP_VENDOR, AVP_TYPE_UNSIGNED32, M,
						  .check = check_port },
	[FAN_AVP_OLD_REFERENCE_NUMBER] = { "Old-Reference-Number", 3011, FAN_TSP_VENDOR, AVP_TYPE_UNSIGNED32, .mandatory = M },
	[FAN_AVP_FEATURE_SUPPORTED_IN_FINAL_TARGET] = { "Feature-Supported-In-Final-Target", 3012, FAN_TSP_VENDOR,
							AVP_TYPE_UNSIGNED32, .mandatory = 0 },
	[FAN_AVP_EXTERNAL_IDENTIFIER] = { "External-Identifier", 3111, FAN_TSP_VENDOR, AVP_TYPE_OCTETSTRING, M,
					  .check = check_identifier },
	[FAN_AVP_TYPE_OF_EXTERNAL_IDENTIFIER] = { "Type-Of-External-Identifier", 3168, FAN_TSP_VENDOR, AVP_TYPE_UNSIGNED32, 0,
						  .check = check_type_of_identifier },
	[FAN_AVP_SCS_IDENTITY] = { "SCS-Identity", 3104, FAN_TSP_VENDOR, AVP_TYPE_OCTETSTRING, M, .check = check_scs_identity },
	[FAN_AVP_MSISDN] = { "MSISDN", 701, FAN_TSP_VENDOR, AVP_TYPE_OCTETSTRING, M, .check = check_msisdn },
	[FAN_AVP_VALIDITY_TIME] = { "Validity-Time", 448, 0, AVP_TYPE_UNSIGNED32, .mandatory = M },
	[FAN_AVP_SUPPORTED_FEATURES] = { "Supported-Features", 628, FAN_TSP_VENDOR, AVP_TYPE_GROUPED, .mandatory = 0 },
	[FAN_AVP_FEATURE_LIST_ID] = { "Feature-List-ID", 629, FAN_TSP_VENDOR, AVP_TYPE_UNSIGNED32, .mandatory = 0 },
	[FAN_AVP_FEATURE_LIST] = { "Feature-List", 630, FAN_TSP_VENDOR, AVP_TYPE_UNSIGNED32, .mandatory = 0 },
	[FAN_AVP_MTC_ERROR_DIAGNOSTIC] = { "MTC-Error-Diagnostic", 3203, FAN_TSP_VENDOR, AVP_TYPE_UNSIGNED32, .mandatory = M },
	[FAN_AVP_SM_RP_UI] = { "SM-RP-UI", 3301, FAN_TSP_VENDOR, AVP_TYPE_OCTETSTRING, .mandatory = M },
	[FAN_AVP_LOAD] = { "Load", 650, 0, AVP_TYPE_GROUPED, .mandatory = 0 },
	[FAN_AVP_LOAD_TYPE] = { "Load-Type", 651, 0, AVP_TYPE_INTEGER32, .mandatory = 0 },
	[FAN_AVP_LOAD_VALUE] = { "Load-Value", 652, 0, AVP_TYPE_UNSIGNED64, .mandatory = 0 },
	[FAN_AVP_SOURCE_ID] = { "SourceID", 649, 0, AVP_TYPE_OCTETSTRING, 0, .derived = "DiameterIdentity" },
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
make_type(struct dict_object **type, const struct avp_row *row)
{
	struct dict_type_data data = { .type_base = row->type, .type_name = text(row->name), .type_check = row->check };

	*type = NULL;
	if (row->derived != NULL)
		return fd_dict_search(fd_g_config->cnf_dict, DICT_TYPE, TYPE_BY_NAME, row->derived, type, ENOENT) == 0;
	return row->check == NULL || fd_dict_new(fd_g_config->cnf_dict, DICT_TYPE, &data, NULL, type) == 0;
}

static bool
make_avp(struct dict_object **avp, const struct avp_row *row)
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

	if (row->base)
		return fd_dict_search(fd_g_config->cnf_dict, DICT_AVP, AVP_BY_NAME, row->name, avp, ENOENT) == 0;
	return make_type(&type, row) && fd_dict_new(fd_g_config->cnf_dict, DICT_AVP, &data, type, avp) == 0;
}

/* ---- Rules -------------------------------------------------------------------------------------------------------------- */

/* What stands in a command or a group: { required }, [ optional ], *[ optional, any number ]. Other AVPs may stand beside them (*[ AVP ]). */
enum multiplicity {
	HEAD, /* required, and first */
	ONE,
	OPTIONAL,
	MANY,
};

struct rule {
	enum fan_tsp_avp avp;
	enum multiplicity how;
};

static const struct rule device_action[] = {
	{ FAN_AVP_EXTERNAL_IDENTIFIER, OPTIONAL },
	{ FAN_AVP_TYPE_OF_EXTERNAL_IDENTIFIER, OPTIONAL }, /* ours: README.md */
	{ FAN_AVP_MSISDN, OPTIONAL },
	{ FAN_AVP_SCS_IDENTITY, OPTIONAL },
	{ FAN_AVP_REFERENCE_NUMBER, ONE },
	{ FAN_AVP_OLD_REFERENCE_NUMBER, OPTIONAL },
	{ FAN_AVP_ACTION_TYPE, ONE },
	{ FAN_AVP_TRIGGER_DATA, OPTIONAL },
	{ FAN_AVP_VALIDITY_TIME, OPTIONAL },
};

static const struct rule device_notification[] = {
	{ FAN_AVP_EXTERNAL_IDENTIFIER, OPTIONAL },
	{ FAN_AVP_TYPE_OF_EXTERNAL_IDENTIFIER, OPTIONAL },
	{ FAN_AVP_MSISDN, OPTIONAL },
	{ FAN_AVP_SCS_IDENTITY, OPTIONAL },
	{ FAN_AVP_REFERENCE_NUMBER, ONE },
	{ FAN_AVP_ACTION_TYPE, ONE },
	{ FAN_AVP_REQUEST_STATUS, OPTIONAL },
	{ FAN_AVP_MTC_ERROR_DIAGNOSTIC, OPTIONAL },
	{ FAN_AVP_DELIVERY_OUTCOME, OPTIONAL },
	{ FAN_AVP_SM_RP_UI, OPTIONAL },
	{ FAN_AVP_APPLICATION_PORT_IDENTIFIER, OPTIONAL },
};

static const struct rule trigger_data[] = {
	{ FAN_AVP_PAYLOAD, ONE },
	{ FAN_AVP_PRIORITY_INDICATION, OPTIONAL },
	{ FAN_AVP_APPLICATION_PORT_IDENTIFIER, OPTIONAL },
};

static const struct rule supported_features[] = {
	{ FAN_AVP_VENDOR_ID, ONE },
	{ FAN_AVP_FEATURE_LIST_ID, ONE },
	{ FAN_AVP_FEATURE_LIST, ONE },
};

static const struct rule load[] = {
	{ FAN_AVP_LOAD_TYPE, OPTIONAL },
	{ FAN_AVP_LOAD_VALUE, OPTIONAL },
	{ FAN_AVP_SOURCE_ID, OPTIONAL },
};

/* Clause 6.6.2. */
static const struct rule device_action_request[] = {
	{ FAN_AVP_SESSION_ID, HEAD },           { FAN_AVP_AUTH_APPLICATION_ID, ONE },  { FAN_AVP_AUTH_SESSION_STATE, ONE },
	{ FAN_AVP_ORIGIN_HOST, ONE },           { FAN_AVP_ORIGIN_REALM, ONE },         { FAN_AVP_DESTINATION_REALM, ONE },
	{ FAN_AVP_DESTINATION_HOST, OPTIONAL }, { FAN_AVP_ORIGIN_STATE_ID, OPTIONAL }, { FAN_AVP_DEVICE_ACTION, OPTIONAL },
	{ FAN_AVP_PROXY_INFO, MANY },           { FAN_AVP_ROUTE_RECORD, MANY },        { FAN_AVP_SUPPORTED_FEATURES, MANY },
};

/* Clause 6.6.3; Device-Notification is required there, and left out of the answers that freeDiameter makes of errors. */
static const struct rule device_action_answer[] = {
	{ FAN_AVP_SESSION_ID, HEAD },
	{ FAN_AVP_AUTH_APPLICATION_ID, OPTIONAL },
	{ FAN_AVP_AUTH_SESSION_STATE, OPTIONAL },
	{ FAN_AVP_ORIGIN_HOST, ONE },
	{ FAN_AVP_ORIGIN_REALM, ONE },
	{ FAN_AVP_RESULT_CODE, OPTIONAL },
	{ FAN_AVP_EXPERIMENTAL_RESULT, OPTIONAL },
	{ FAN_AVP_ERROR_MESSAGE, OPTIONAL },
	{ FAN_AVP_ERROR_REPORTING_HOST, OPTIONAL },
	{ FAN_AVP_FAILED_AVP, MANY },
	{ FAN_AVP_ORIGIN_STATE_ID, OPTIONAL },
	{ FAN_AVP_DEVICE_NOTIFICATION, OPTIONAL },
	{ FAN_AVP_REDIRECT_HOST, MANY },
	{ FAN_AVP_REDIRECT_HOST_USAGE, OPTIONAL },
	{ FAN_AVP_REDIRECT_MAX_CACHE_TIME, OPTIONAL },
	{ FAN_AVP_PROXY_INFO, MANY },
	{ FAN_AVP_SUPPORTED_FEATURES, MANY },
	{ FAN_AVP_FEATURE_SUPPORTED_IN_FINAL_TARGET, OPTIONAL },
	{ FAN_AVP_LOAD, MANY },
};

/* Clause 6.6.4. */
static const struct rule device_notification_request[] = {
	{ FAN_AVP_SESSION_ID, HEAD },      { FAN_AVP_AUTH_APPLICATION_ID, ONE },  { FAN_AVP_AUTH_SESSION_STATE, ONE },
	{ FAN_AVP_ORIGIN_HOST, ONE },      { FAN_AVP_ORIGIN_REALM, ONE },         { FAN_AVP_DESTINATION_REALM, ONE },
	{ FAN_AVP_DESTINATION_HOST, ONE }, { FAN_AVP_ORIGIN_STATE_ID, OPTIONAL }, { FAN_AVP_DEVICE_NOTIFICATION, OPTIONAL },
	{ FAN_AVP_PROXY_INFO, MANY },      { FAN_AVP_ROUTE_RECORD, MANY },
};

/* Clause 6.6.5. What an SCS forgets here does not make its answer wrong: Result-Code is all that is read. */
static const struct rule device_notification_answer[] = {
	{ FAN_AVP_SESSION_ID, HEAD },
	{ FAN_AVP_AUTH_APPLICATION_ID, OPTIONAL },
	{ FAN_AVP_AUTH_SESSION_STATE, OPTIONAL },
	{ FAN_AVP_ORIGIN_HOST, ONE },
	{ FAN_AVP_ORIGIN_REALM, ONE },
	{ FAN_AVP_RESULT_CODE, OPTIONAL },
	{ FAN_AVP_EXPERIMENTAL_RESULT, OPTIONAL },
	{ FAN_AVP_ORIGIN_STATE_ID, OPTIONAL },
	{ FAN_AVP_ERROR_MESSAGE, OPTIONAL },
	{ FAN_AVP_ERROR_REPORTING_HOST, OPTIONAL },
	{ FAN_AVP_REDIRECT_HOST, MANY },
	{ FAN_AVP_REDIRECT_HOST_USAGE, OPTIONAL },
	{ FAN_AVP_REDIRECT_MAX_CACHE_TIME, OPTIONAL },
	{ FAN_AVP_FAILED_AVP, MANY },
	{ FAN_AVP_PROXY_INFO, MANY },
};

static bool
add_rules(const struct fan_tsp_dictionary *dictionary, struct dict_object *parent, const struct rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const bool required = rules[i].how == HEAD || rules[i].how == ONE;
		struct dict_rule_data data = {
			.rule_avp = dictionary->avp[rules[i].avp],
			.rule_position = rules[i].how == HEAD ? RULE_FIXED_HEAD
					 : required           ? RULE_REQUIRED
							      : RULE_OPTIONAL,
			.rule_order = rules[i].how == HEAD ? 1 : 0,
			.rule_min = -1,
			.rule_max = rules[i].how == MANY ? -1 : 1,
		};

		if (fd_dict_new(fd_g_config->cnf_dict, DICT_RULE, &data, parent, NULL) != 0)
			return false;
	}
	return true;
}

/* ---- Commands ----------------------------------------------------------------------------------------------------------- */

static bool
make_command(struct dict_object **command, const struct fan_tsp_dictionary *dictionary, uint32_t code, const char *name,
	     uint8_t request)
{
	struct dict_cmd_data data = {
		.cmd_code = code,
		.cmd_name = text(name),
		.cmd_flag_mask = CMD_FLAG_REQUEST | CMD_FLAG_PROXIABLE,
		.cmd_flag_val = request | CMD_FLAG_PROXIABLE,
	};

	return fd_dict_new(fd_g_config->cnf_dict, DICT_COMMAND, &data, dictionary->application, command) == 0;
}

static bool
make_commands(struct fan_tsp_dictionary *dictionary)
{
	struct dict_object *action_answer, *notification_answer;

	return make_command(&dictionary->device_action, dictionary, FAN_TSP_DEVICE_ACTION, "Device-Action-Request",
			    CMD_FLAG_REQUEST) &&
	       make_command(&action_answer, dictionary, FAN_TSP_DEVICE_ACTION, "Device-Action-Answer", 0) &&
	       make_command(&dictionary->device_notification, dictionary, FAN_TSP_DEVICE_NOTIFICATION,
			    "Device-Notification-Request", CMD_FLAG_REQUEST) &&
	       make_command(&notification_answer, dictionary, FAN_TSP_DEVICE_NOTIFICATION, "Device-Notification-Answer", 0) &&
	       add_rules(dictionary, dictionary->device_action, device_action_request, COUNT_OF(device_action_request)) &&
	       add_rules(dictionary, action_answer, device_action_answer, COUNT_OF(device_action_answer)) &&
	       add_rules(dictionary, dictionary->device_notification, device_notification_request,
			 COUNT_OF(device_notification_request)) &&
	       add_rules(dictionary, notification_answer, device_notification_answer, COUNT_OF(device_notification_answer));
}

bool
fan_tsp_dictionary_fill(struct fan_tsp_dictionary *dictionary)
{
	struct dict_vendor_data vendor = { FAN_TSP_VENDOR, text("3GPP") };
	struct dict_application_data application = { FAN_TSP_APPLICATION, text("Tsp") };
	bool good = fd_dict_new(fd_g_config->cnf_dict, DICT_VENDOR, &vendor, NULL, &dictionary->vendor) == 0 &&
		    fd_dict_new(fd_g_config->cnf_dict, DICT_APPLICATION, &application, dictionary->vendor,
				&dictionary->application) == 0;

	for (unsigned i = 0; good && i < FAN_AVPS; i++)
		good = make_avp(&dictionary->avp[i], &avp_rows[i]);
	return good && make_commands(dictionary) &&
	       add_rules(dictionary, dictionary->avp[FAN_AVP_DEVICE_ACTION], device_action, COUNT_OF(device_action)) &&
	       add_rules(dictionary, dictionary->avp[FAN_AVP_DEVICE_NOTIFICATION], device_notification,
			 COUNT_OF(device_notification)) &&
	       add_rules(dictionary, dictionary->avp[FAN_AVP_TRIGGER_DATA], trigger_data, COUNT_OF(trigger_data)) &&
	       add_rules(dictionary, dictionary->avp[FAN_AVP_SUPPORTED_FEATURES], supported_features,
			 COUNT_OF(supported_features)) &&
	       add_rules(dictionary, dictionary->avp[FAN_AVP_LOAD], load, COUNT_OF(load));
}
