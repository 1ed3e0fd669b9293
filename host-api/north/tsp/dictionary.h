/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dictionary of Tsp (TS 29.368 6.4 to 6.6) in freeDiameter: its commands, AVPs, rules and checks of values, and the AVPs of other
 * specifications that it uses again. freeDiameter parses by it, so that what breaks a rule is answered before it reaches this program.
 *
 * Filled once, before any other thread is there; constant from then on.
 */
#ifndef FAN_NORTH_TSP_DICTIONARY_H
#define FAN_NORTH_TSP_DICTIONARY_H

#include <freeDiameter/freeDiameter-host.h>
#include <freeDiameter/libfdcore.h>
#include <stdbool.h>

enum fan_tsp_avp {
	/* Of the base protocol (RFC 6733), which freeDiameter knows. */
	FAN_AVP_SESSION_ID,
	FAN_AVP_AUTH_APPLICATION_ID,
	FAN_AVP_AUTH_SESSION_STATE,
	FAN_AVP_ORIGIN_HOST,
	FAN_AVP_ORIGIN_REALM,
	FAN_AVP_DESTINATION_HOST,
	FAN_AVP_DESTINATION_REALM,
	FAN_AVP_ORIGIN_STATE_ID,
	FAN_AVP_RESULT_CODE,
	FAN_AVP_EXPERIMENTAL_RESULT,
	FAN_AVP_ERROR_MESSAGE,
	FAN_AVP_ERROR_REPORTING_HOST,
	FAN_AVP_FAILED_AVP,
	FAN_AVP_PROXY_INFO,
	FAN_AVP_ROUTE_RECORD,
	FAN_AVP_REDIRECT_HOST,
	FAN_AVP_REDIRECT_HOST_USAGE,
	FAN_AVP_REDIRECT_MAX_CACHE_TIME,
	FAN_AVP_VENDOR_ID,
	/* Of Tsp. */
	FAN_AVP_DEVICE_ACTION,
	FAN_AVP_DEVICE_NOTIFICATION,
	FAN_AVP_TRIGGER_DATA,
	FAN_AVP_PAYLOAD,
	FAN_AVP_ACTION_TYPE,
	FAN_AVP_PRIORITY_INDICATION,
	FAN_AVP_REFERENCE_NUMBER,
	FAN_AVP_REQUEST_STATUS,
	FAN_AVP_DELIVERY_OUTCOME,
	FAN_AVP_APPLICATION_PORT_IDENTIFIER,
	FAN_AVP_OLD_REFERENCE_NUMBER,
	FAN_AVP_FEATURE_SUPPORTED_IN_FINAL_TARGET,
	/* Used again. */
	FAN_AVP_EXTERNAL_IDENTIFIER,
	FAN_AVP_TYPE_OF_EXTERNAL_IDENTIFIER,
	FAN_AVP_SCS_IDENTITY,
	FAN_AVP_MSISDN,
	FAN_AVP_VALIDITY_TIME,
	FAN_AVP_SUPPORTED_FEATURES,
	FAN_AVP_FEATURE_LIST_ID,
	FAN_AVP_FEATURE_LIST,
	FAN_AVP_MTC_ERROR_DIAGNOSTIC,
	FAN_AVP_SM_RP_UI,
	FAN_AVP_LOAD,
	FAN_AVP_LOAD_TYPE,
	FAN_AVP_LOAD_VALUE,
	FAN_AVP_SOURCE_ID,
	FAN_AVPS
};

struct fan_tsp_dictionary {
	struct dict_object *vendor, *application;
	struct dict_object *device_action, *device_notification; /* the requests */
	struct dict_object *avp[FAN_AVPS];
};

/* Puts everything into freeDiameter's dictionary. fd_core_initialize() has been called. False: freeDiameter has said why in its log. */
bool fan_tsp_dictionary_fill(struct fan_tsp_dictionary *dictionary);

#endif
