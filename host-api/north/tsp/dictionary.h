/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dictionary of Tsp (TS 29.368 6.4 to 6.6) in freeDiameter: its commands, AVPs, rules and checks of values, and the AVPs of other
 * specifications that it uses again. freeDiameter parses by it, so that what breaks a rule is answered before it reaches this program.
 *
 * Filled once, before any other thread is there; constant from then on.
 */
#ifndef FAN_NORTH_TSP_DICTIONARY_H
#define FAN_NORTH_TSP_DICTIONARY_H

#include "../diameter/dictionary.h"

enum fan_tsp_avp {
	FAN_AVP_DEVICE_ACTION = FAN_SHARED_AVPS,
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
	FAN_AVP_SCS_IDENTITY,
	FAN_AVP_MSISDN,
	FAN_AVP_VALIDITY_TIME,
	FAN_AVP_MTC_ERROR_DIAGNOSTIC,
	FAN_AVP_SM_RP_UI,
	FAN_AVP_LOAD,
	FAN_AVP_LOAD_TYPE,
	FAN_AVP_LOAD_VALUE,
	FAN_AVP_SOURCE_ID,
	FAN_TSP_AVPS
};

struct fan_tsp_dictionary {
	struct dict_object *application;
	struct dict_object *device_action, *device_notification; /* the requests */
};

/* Puts everything into freeDiameter's dictionary. In: vendor 3GPP, of fan_node_begin(). False: freeDiameter has said why in its log. */
bool fan_tsp_dictionary_fill(struct fan_tsp_dictionary *dictionary, struct dict_object *vendor);

#endif
