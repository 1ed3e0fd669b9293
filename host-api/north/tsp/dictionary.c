/* SPDX-License-Identifier: BSD-3-Clause */
#include "dictionary.h"

#include "tsp.h"

#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define PORT_MAX 65535
#define MSISDN_OCTETS_MAX 8

/* ---- Values ------------------------------------------------------------------------------------------------------------ */

static int
check_action_type(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	return value->i32 == FAN_TSP_TRIGGER || value->i32 == FAN_TSP_RECALL || value->i32 == FAN_TSP_REPLACE ||
			       value->i32 == FAN_TSP_REPORT || value->i32 == FAN_TSP_MO_SMS
		       ? 0
		       : fan_avp_refuse(why, "Action-Type takes 1 to 5");
}

static int
check_priority(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	return value->i32 == 0 || value->i32 == 1 ? 0 : fan_avp_refuse(why, "Priority-Indication takes 0 and 1");
}

static int
check_port(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	return value->u32 <= PORT_MAX ? 0 : fan_avp_refuse(why, "Application-Port-Identifier takes 0 to 65535");
}

static int
check_scs_identity(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	for (size_t i = 0; i < value->os.len; i++)
		if (value->os.data[i] <= ' ' || value->os.data[i] > '~')
			return fan_avp_refuse(why, "SCS-Identity takes ASCII here");
	return value->os.len < FAN_TSP_TARGET_BYTES ? 0 : fan_avp_refuse(why, "SCS-Identity takes up to 255 octets");
}

static int
check_msisdn(void *unused, union avp_value *value, char **why)
{
	(void)unused;
	return value->os.len > 0 && value->os.len <= MSISDN_OCTETS_MAX
		       ? 0
		       : fan_avp_refuse(why, "MSISDN takes 1 to 15 digits as TBCD");
}

/* ---- AVPs --------------------------------------------------------------------------------------------------------------- */

/* The table that README.md shows. */
#define M FAN_AVP_M
#define OWN(avp) [(avp)-FAN_SHARED_AVPS]

static const struct fan_avp_row avp_rows[FAN_TSP_AVPS - FAN_SHARED_AVPS] = {
	OWN(FAN_AVP_DEVICE_ACTION) = { "Device-Action", 3001, FAN_VENDOR_3GPP, AVP_TYPE_GROUPED, .mandatory = M },
	OWN(FAN_AVP_DEVICE_NOTIFICATION) = { "Device-Notification", 3002, FAN_VENDOR_3GPP, AVP_TYPE_GROUPED, .mandatory = M },
	OWN(FAN_AVP_TRIGGER_DATA) = { "Trigger-Data", 3003, FAN_VENDOR_3GPP, AVP_TYPE_GROUPED, .mandatory = M },
	OWN(FAN_AVP_PAYLOAD) = { "Payload", 3004, FAN_VENDOR_3GPP, AVP_TYPE_OCTETSTRING, .mandatory = M },
	OWN(FAN_AVP_ACTION_TYPE) = { "Action-Type", 3005, FAN_VENDOR_3GPP, AVP_TYPE_INTEGER32, M, .check = check_action_type },
	OWN(FAN_AVP_PRIORITY_INDICATION) = { "Priority-Indication", 3006, FAN_VENDOR_3GPP, AVP_TYPE_INTEGER32, M,
					     .check = check_priority },
	OWN(FAN_AVP_REFERENCE_NUMBER) = { "Reference-Number", 3007, FAN_VENDOR_3GPP, AVP_TYPE_UNSIGNED32, .mandatory = M },
	OWN(FAN_AVP_REQUEST_STATUS) = { "Request-Status", 3008, FAN_VENDOR_3GPP, AVP_TYPE_INTEGER32, .mandatory = M },
	OWN(FAN_AVP_DELIVERY_OUTCOME) = { "Delivery-Outcome", 3009, FAN_VENDOR_3GPP, AVP_TYPE_INTEGER32, .mandatory = M },
	OWN(FAN_AVP_APPLICATION_PORT_IDENTIFIER) = { "Application-Port-Identifier", 3010, FAN_VENDOR_3GPP, AVP_TYPE_UNSIGNED32,
						     M, .check = check_port },
	OWN(FAN_AVP_OLD_REFERENCE_NUMBER) = { "Old-Reference-Number", 3011, FAN_VENDOR_3GPP, AVP_TYPE_UNSIGNED32,
					      .mandatory = M },
	OWN(FAN_AVP_FEATURE_SUPPORTED_IN_FINAL_TARGET) = { "Feature-Supported-In-Final-Target", 3012, FAN_VENDOR_3GPP,
							   AVP_TYPE_UNSIGNED32, .mandatory = 0 },
	OWN(FAN_AVP_SCS_IDENTITY) = { "SCS-Identity", 3104, FAN_VENDOR_3GPP, AVP_TYPE_OCTETSTRING, M,
				      .check = check_scs_identity },
	OWN(FAN_AVP_MSISDN) = { "MSISDN", 701, FAN_VENDOR_3GPP, AVP_TYPE_OCTETSTRING, M, .check = check_msisdn },
	OWN(FAN_AVP_VALIDITY_TIME) = { "Validity-Time", 448, 0, AVP_TYPE_UNSIGNED32, .mandatory = M },
	OWN(FAN_AVP_MTC_ERROR_DIAGNOSTIC) = { "MTC-Error-Diagnostic", 3203, FAN_VENDOR_3GPP, AVP_TYPE_UNSIGNED32,
					      .mandatory = M },
	OWN(FAN_AVP_SM_RP_UI) = { "SM-RP-UI", 3301, FAN_VENDOR_3GPP, AVP_TYPE_OCTETSTRING, .mandatory = M },
	OWN(FAN_AVP_LOAD) = { "Load", 650, 0, AVP_TYPE_GROUPED, .mandatory = 0 },
	OWN(FAN_AVP_LOAD_TYPE) = { "Load-Type", 651, 0, AVP_TYPE_INTEGER32, .mandatory = 0 },
	OWN(FAN_AVP_LOAD_VALUE) = { "Load-Value", 652, 0, AVP_TYPE_UNSIGNED64, .mandatory = 0 },
	OWN(FAN_AVP_SOURCE_ID) = { "SourceID", 649, 0, AVP_TYPE_OCTETSTRING, 0, .derived = "DiameterIdentity" },
};

/* ---- Rules -------------------------------------------------------------------------------------------------------------- */

static const struct fan_avp_rule device_action[] = {
	{ FAN_AVP_EXTERNAL_IDENTIFIER, FAN_OPTIONAL },
	{ FAN_AVP_TYPE_OF_EXTERNAL_IDENTIFIER, FAN_OPTIONAL }, /* ours: README.md */
	{ FAN_AVP_MSISDN, FAN_OPTIONAL },
	{ FAN_AVP_SCS_IDENTITY, FAN_OPTIONAL },
	{ FAN_AVP_REFERENCE_NUMBER, FAN_ONE },
	{ FAN_AVP_OLD_REFERENCE_NUMBER, FAN_OPTIONAL },
	{ FAN_AVP_ACTION_TYPE, FAN_ONE },
	{ FAN_AVP_TRIGGER_DATA, FAN_OPTIONAL },
	{ FAN_AVP_VALIDITY_TIME, FAN_OPTIONAL },
};

static const struct fan_avp_rule device_notification[] = {
	{ FAN_AVP_EXTERNAL_IDENTIFIER, FAN_OPTIONAL },
	{ FAN_AVP_TYPE_OF_EXTERNAL_IDENTIFIER, FAN_OPTIONAL },
	{ FAN_AVP_MSISDN, FAN_OPTIONAL },
	{ FAN_AVP_SCS_IDENTITY, FAN_OPTIONAL },
	{ FAN_AVP_REFERENCE_NUMBER, FAN_ONE },
	{ FAN_AVP_ACTION_TYPE, FAN_ONE },
	{ FAN_AVP_REQUEST_STATUS, FAN_OPTIONAL },
	{ FAN_AVP_MTC_ERROR_DIAGNOSTIC, FAN_OPTIONAL },
	{ FAN_AVP_DELIVERY_OUTCOME, FAN_OPTIONAL },
	{ FAN_AVP_SM_RP_UI, FAN_OPTIONAL },
	{ FAN_AVP_APPLICATION_PORT_IDENTIFIER, FAN_OPTIONAL },
};

static const struct fan_avp_rule trigger_data[] = {
	{ FAN_AVP_PAYLOAD, FAN_ONE },
	{ FAN_AVP_PRIORITY_INDICATION, FAN_OPTIONAL },
	{ FAN_AVP_APPLICATION_PORT_IDENTIFIER, FAN_OPTIONAL },
};

static const struct fan_avp_rule load[] = {
	{ FAN_AVP_LOAD_TYPE, FAN_OPTIONAL },
	{ FAN_AVP_LOAD_VALUE, FAN_OPTIONAL },
	{ FAN_AVP_SOURCE_ID, FAN_OPTIONAL },
};

/* Clause 6.6.2. */
static const struct fan_avp_rule device_action_request[] = {
	{ FAN_AVP_SESSION_ID, FAN_HEAD },           { FAN_AVP_AUTH_APPLICATION_ID, FAN_ONE },
	{ FAN_AVP_AUTH_SESSION_STATE, FAN_ONE },    { FAN_AVP_ORIGIN_HOST, FAN_ONE },
	{ FAN_AVP_ORIGIN_REALM, FAN_ONE },          { FAN_AVP_DESTINATION_REALM, FAN_ONE },
	{ FAN_AVP_DESTINATION_HOST, FAN_OPTIONAL }, { FAN_AVP_ORIGIN_STATE_ID, FAN_OPTIONAL },
	{ FAN_AVP_DEVICE_ACTION, FAN_OPTIONAL },    { FAN_AVP_PROXY_INFO, FAN_MANY },
	{ FAN_AVP_ROUTE_RECORD, FAN_MANY },         { FAN_AVP_SUPPORTED_FEATURES, FAN_MANY },
};

/* Clause 6.6.3; Device-Notification is required there, and left out of the answers that freeDiameter makes of errors. */
static const struct fan_avp_rule device_action_answer[] = {
	{ FAN_AVP_SESSION_ID, FAN_HEAD },
	{ FAN_AVP_AUTH_APPLICATION_ID, FAN_OPTIONAL },
	{ FAN_AVP_AUTH_SESSION_STATE, FAN_OPTIONAL },
	{ FAN_AVP_ORIGIN_HOST, FAN_ONE },
	{ FAN_AVP_ORIGIN_REALM, FAN_ONE },
	{ FAN_AVP_RESULT_CODE, FAN_OPTIONAL },
	{ FAN_AVP_EXPERIMENTAL_RESULT, FAN_OPTIONAL },
	{ FAN_AVP_ERROR_MESSAGE, FAN_OPTIONAL },
	{ FAN_AVP_ERROR_REPORTING_HOST, FAN_OPTIONAL },
	{ FAN_AVP_FAILED_AVP, FAN_MANY },
	{ FAN_AVP_ORIGIN_STATE_ID, FAN_OPTIONAL },
	{ FAN_AVP_DEVICE_NOTIFICATION, FAN_OPTIONAL },
	{ FAN_AVP_REDIRECT_HOST, FAN_MANY },
	{ FAN_AVP_REDIRECT_HOST_USAGE, FAN_OPTIONAL },
	{ FAN_AVP_REDIRECT_MAX_CACHE_TIME, FAN_OPTIONAL },
	{ FAN_AVP_PROXY_INFO, FAN_MANY },
	{ FAN_AVP_SUPPORTED_FEATURES, FAN_MANY },
	{ FAN_AVP_FEATURE_SUPPORTED_IN_FINAL_TARGET, FAN_OPTIONAL },
	{ FAN_AVP_LOAD, FAN_MANY },
};

/* Clause 6.6.4. */
static const struct fan_avp_rule device_notification_request[] = {
	{ FAN_AVP_SESSION_ID, FAN_HEAD },
	{ FAN_AVP_AUTH_APPLICATION_ID, FAN_ONE },
	{ FAN_AVP_AUTH_SESSION_STATE, FAN_ONE },
	{ FAN_AVP_ORIGIN_HOST, FAN_ONE },
	{ FAN_AVP_ORIGIN_REALM, FAN_ONE },
	{ FAN_AVP_DESTINATION_REALM, FAN_ONE },
	{ FAN_AVP_DESTINATION_HOST, FAN_ONE },
	{ FAN_AVP_ORIGIN_STATE_ID, FAN_OPTIONAL },
	{ FAN_AVP_DEVICE_NOTIFICATION, FAN_OPTIONAL },
	{ FAN_AVP_PROXY_INFO, FAN_MANY },
	{ FAN_AVP_ROUTE_RECORD, FAN_MANY },
};

/* Clause 6.6.5. What an SCS forgets here does not make its answer wrong: Result-Code is all that is read. */
static const struct fan_avp_rule device_notification_answer[] = {
	{ FAN_AVP_SESSION_ID, FAN_HEAD },
	{ FAN_AVP_AUTH_APPLICATION_ID, FAN_OPTIONAL },
	{ FAN_AVP_AUTH_SESSION_STATE, FAN_OPTIONAL },
	{ FAN_AVP_ORIGIN_HOST, FAN_ONE },
	{ FAN_AVP_ORIGIN_REALM, FAN_ONE },
	{ FAN_AVP_RESULT_CODE, FAN_OPTIONAL },
	{ FAN_AVP_EXPERIMENTAL_RESULT, FAN_OPTIONAL },
	{ FAN_AVP_ORIGIN_STATE_ID, FAN_OPTIONAL },
	{ FAN_AVP_ERROR_MESSAGE, FAN_OPTIONAL },
	{ FAN_AVP_ERROR_REPORTING_HOST, FAN_OPTIONAL },
	{ FAN_AVP_REDIRECT_HOST, FAN_MANY },
	{ FAN_AVP_REDIRECT_HOST_USAGE, FAN_OPTIONAL },
	{ FAN_AVP_REDIRECT_MAX_CACHE_TIME, FAN_OPTIONAL },
	{ FAN_AVP_FAILED_AVP, FAN_MANY },
	{ FAN_AVP_PROXY_INFO, FAN_MANY },
};

/* ---- The whole ---------------------------------------------------------------------------------------------------------- */

#define RULES(request, answer)                                                                                                 \
	.request_rules = (request), .request_count = COUNT_OF(request), .answer_rules = (answer),                              \
	.answer_count = COUNT_OF(answer)

static const struct fan_command_row commands[] = {
	{ FAN_TSP_DEVICE_ACTION, "Device-Action-Request", "Device-Action-Answer",
	  RULES(device_action_request, device_action_answer) },
	{ FAN_TSP_DEVICE_NOTIFICATION, "Device-Notification-Request", "Device-Notification-Answer",
	  RULES(device_notification_request, device_notification_answer) },
};

static bool
add_group(unsigned which, const struct fan_avp_rule *rules, size_t count)
{
	return fan_dictionary_add_rules(fan_dictionary_avp(which), rules, count);
}

bool
fan_tsp_dictionary_fill(struct fan_tsp_dictionary *dictionary, struct dict_object *vendor)
{
	return fan_dictionary_add_application(&dictionary->application, vendor, FAN_TSP_APPLICATION, "Tsp") &&
	       fan_dictionary_add_avps(avp_rows, COUNT_OF(avp_rows)) &&
	       fan_dictionary_add_command(&dictionary->device_action, dictionary->application, &commands[0]) &&
	       fan_dictionary_add_command(&dictionary->device_notification, dictionary->application, &commands[1]) &&
	       add_group(FAN_AVP_DEVICE_ACTION, device_action, COUNT_OF(device_action)) &&
	       add_group(FAN_AVP_DEVICE_NOTIFICATION, device_notification, COUNT_OF(device_notification)) &&
	       add_group(FAN_AVP_TRIGGER_DATA, trigger_data, COUNT_OF(trigger_data)) &&
	       add_group(FAN_AVP_LOAD, load, COUNT_OF(load));
}
