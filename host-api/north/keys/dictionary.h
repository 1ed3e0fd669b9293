/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dictionary of group keys in freeDiameter: of S6a, S6m, S6t and T6a the commands and AVPs that bring keys from this node to the HSS and the MME,
 * and the AVPs of ours. It has both ends of each, so that the HSS and MME of the tests read by the same.
 *
 * Filled once, before any other thread is there; constant from then on.
 */
#ifndef FAN_NORTH_KEYS_DICTIONARY_H
#define FAN_NORTH_KEYS_DICTIONARY_H

#include "../diameter/dictionary.h"
#include "keys.h"

enum fan_keys_avp {
	/* Of other specifications. */
	FAN_AVP_USER_NAME = FAN_SHARED_AVPS,
	FAN_AVP_USER_IDENTIFIER,
	FAN_AVP_SUBSCRIPTION_DATA,
	FAN_AVP_ULR_FLAGS,
	FAN_AVP_ULA_FLAGS,
	FAN_AVP_VISITED_PLMN_ID,
	FAN_AVP_RAT_TYPE,
	FAN_AVP_SERVING_NODE,
	FAN_AVP_MME_NAME,
	FAN_AVP_MME_REALM,
	/* Ours. */
	FAN_AVP_GROUP_KEYS,
	FAN_AVP_GROUP_IDENTIFIER,
	FAN_AVP_GROUP_REVISION,
	FAN_AVP_GROUP_KEY_SET,
	FAN_AVP_GROUP_KEY_INDEX,
	FAN_AVP_GROUP_KEY_STATE,
	FAN_AVP_GROUP_KEY_START,
	FAN_AVP_GROUP_KEY_DURATION,
	FAN_AVP_KEK_NAME,
	FAN_AVP_WRAPPED_GROUP_KEY,
	FAN_AVP_GROUP_MEMBERS,
	FAN_AVP_GROUP_MEMBERS_PART,
	FAN_AVP_GROUP_LIST,
	FAN_AVP_GROUP_REQUEST,
	FAN_KEYS_AVPS
};

struct fan_keys_dictionary {
	struct dict_object *s6a, *s6m, *s6t, *t6a; /* applications */
	struct dict_object *update_location, *insert_subscriber_data, *subscriber_information, *configuration_information,
		*reporting_information; /* the requests */
};

/* Puts everything into freeDiameter's dictionary. In: vendor 3GPP, of fan_node_begin(). False: freeDiameter has said why in its log. */
bool fan_keys_dictionary_fill(struct fan_keys_dictionary *dictionary, struct dict_object *vendor);

#endif
