/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A Device-Action (TS 29.368 6.4.2) once it is out of its AVPs: whether its SCS may ask for it, and the `send` of the control socket that
 * it becomes. Pure: no state, any thread.
 */
#ifndef FAN_NORTH_TSP_ACTION_H
#define FAN_NORTH_TSP_ACTION_H

#include "settings.h"

#include <jansson.h>

struct fan_tsp_action {
	const struct fan_scs *scs; /* who asks; of the settings */
	enum fan_tsp_action_type type;
	uint32_t reference;
	uint32_t old_reference; /* of a recall or replacement: which one is meant */
	bool has_old_reference;
	bool group;                          /* target is a GID */
	bool msisdn;                         /* target's digits came as an MSISDN */
	char target[FAN_TSP_TARGET_BYTES];   /* GID, external identifier or digits; "": none was given */
	char identity[FAN_TSP_TARGET_BYTES]; /* SCS-Identity; "": none was given */
	uint8_t *payload;                    /* owned; NULL: none */
	uint32_t payload_bytes;
	bool priority;
	uint16_t application_port;
	uint32_t validity_s;
	bool has_validity;
	uint8_t digest
		[FAN_TSP_DIGEST_BYTES]; /* of all that was asked: tells a repetition from another request of that number */
};

/* Wipes the payload. NULL: nothing. */
void fan_tsp_action_free(struct fan_tsp_action *action);

/*
 * Whether what stands in the request itself can be granted: its form, its SCS's rights, the limits. Out: why[FAN_TSP_WHY_BYTES], one line
 * without anything of the payload, "" for SUCCESS.
 */
enum fan_tsp_status fan_tsp_action_check(char *why, const struct fan_tsp_action *action, const struct fan_settings *settings);

/*
 * The parameters of `send` (host-api/control/README.md) for a trigger or replacement. In: reference, under which serve knows the message
 * again. NULL without memory. The caller's.
 */
json_t *fan_tsp_action_send(const struct fan_tsp_action *action, const struct fan_settings *settings, const char *reference);

/* The digits of an MSISDN AVP (TS 29.329 6.3.2: an E.164 number as TBCD, without leading type octet). Out: digits[16]. False: it is none. */
bool fan_tsp_msisdn_read(char *digits, const uint8_t *octets, size_t byte_count);

#endif
