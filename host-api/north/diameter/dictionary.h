/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * freeDiameter's dictionary: what every face of this process needs of it, and how a face adds its own AVPs, commands and rules by tables. freeDiameter
 * parses by it, so that what breaks a rule is answered before it reaches a face. AVPs have numbers here, by which messages are written and read (avp.h).
 *
 * Filled once, before any other thread is there; constant from then on. fd_core_initialize() has been called.
 */
#ifndef FAN_NORTH_DIAMETER_DICTIONARY_H
#define FAN_NORTH_DIAMETER_DICTIONARY_H

#include <freeDiameter/freeDiameter-host.h>
#include <freeDiameter/libfdcore.h>
#include <stdbool.h>

#define FAN_VENDOR_3GPP 10415U
#define FAN_AVPS_MAX 128
#define FAN_IDENTIFIER_BYTES 256 /* an External-Identifier, its closing zero included */

/* AVPs of every face; a face's own numbers begin with FAN_SHARED_AVPS. */
enum fan_shared_avp {
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
	FAN_AVP_EXPERIMENTAL_RESULT_CODE,
	FAN_AVP_ERROR_MESSAGE,
	FAN_AVP_ERROR_REPORTING_HOST,
	FAN_AVP_FAILED_AVP,
	FAN_AVP_PROXY_INFO,
	FAN_AVP_ROUTE_RECORD,
	FAN_AVP_REDIRECT_HOST,
	FAN_AVP_REDIRECT_HOST_USAGE,
	FAN_AVP_REDIRECT_MAX_CACHE_TIME,
	FAN_AVP_VENDOR_ID,
	/* TS 29.336, TS 29.229. */
	FAN_AVP_EXTERNAL_IDENTIFIER,
	FAN_AVP_TYPE_OF_EXTERNAL_IDENTIFIER,
	FAN_AVP_SUPPORTED_FEATURES,
	FAN_AVP_FEATURE_LIST_ID,
	FAN_AVP_FEATURE_LIST,
	FAN_SHARED_AVPS
};

/* M: the flag that is set on sending; what comes in may have it or not (RFC 6733 4.1 leaves that to the sender), and must have V as it is here. */
#define FAN_AVP_M AVP_FLAG_MANDATORY

struct fan_avp_row {
	const char *name;
	uint32_t code, vendor;
	enum dict_avp_basetype type;
	uint8_t mandatory;
	bool known;          /* freeDiameter has it by that name, and nothing else of the row is looked at */
	const char *derived; /* type of freeDiameter's own dictionary; NULL: none */
	int (*check)(void *, union avp_value *, char **);
};

/* freeDiameter answers DIAMETER_INVALID_AVP_VALUE, with the AVP in Failed-AVP, when a check returns this; with any other error it drops the
 * message without an answer. In: words, static. */
int fan_avp_refuse(char **why, const char *words);

/* Vendor 3GPP and the shared AVPs. Out: *vendor. False, as of every function below: freeDiameter has said why in its log. */
bool fan_dictionary_open(struct dict_object **vendor);
/* A face's own AVPs, numbered from FAN_SHARED_AVPS on. In: rows[count], the first of them FAN_SHARED_AVPS. */
bool fan_dictionary_add_avps(const struct fan_avp_row *rows, unsigned count);
struct dict_object *fan_dictionary_avp(unsigned which);
bool fan_dictionary_is(unsigned which, uint32_t code, uint32_t vendor);

/* What stands in a command or a group: { required }, [ optional ], *[ optional, any number ]. Other AVPs may stand beside them (*[ AVP ]). */
enum fan_multiplicity {
	FAN_HEAD, /* required, and first */
	FAN_ONE,
	FAN_OPTIONAL,
	FAN_MANY,
};

struct fan_avp_rule {
	unsigned avp;
	enum fan_multiplicity how;
};

bool fan_dictionary_add_rules(struct dict_object *parent, const struct fan_avp_rule *rules, size_t count);

struct fan_command_row {
	uint32_t code;
	const char *request, *answer; /* names */
	const struct fan_avp_rule *request_rules, *answer_rules;
	size_t request_count, answer_count;
};

/* Out: *request. */
bool fan_dictionary_add_command(struct dict_object **request, struct dict_object *application,
				const struct fan_command_row *row);
bool fan_dictionary_add_application(struct dict_object **application, struct dict_object *vendor, uint32_t number,
				    const char *name);

#endif
