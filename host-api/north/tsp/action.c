/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "action.h"

#include "../../control/ini_file.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MSISDN_DIGITS_MAX 15 /* E.164 6.1 */
#define URGENT_PRIORITY 6    /* of serve's 0 to 7: above what nobody marked, below what an operator may still put in front */
#define AT_ONCE_MS 1000      /* Validity-Time 0: not to be kept for later, and still time to leave */

void
fan_tsp_action_free(struct fan_tsp_action *action)
{
	if (action == NULL)
		return;
	if (action->payload != NULL)
		explicit_bzero(action->payload, action->payload_bytes);
	free(action->payload);
	free(action);
}

/* ---- Whether it may be --------------------------------------------------------------------------------------------------- */

static enum fan_tsp_status __attribute__((format(printf, 3, 4)))
refuse(char *why, enum fan_tsp_status status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(why, FAN_TSP_WHY_BYTES, format, arguments);
	va_end(arguments);
	return status;
}

static enum fan_tsp_status
check_target(char *why, const struct fan_tsp_action *action, const struct fan_settings *settings)
{
	if (action->target[0] == '\0')
		return refuse(why, FAN_TSP_INVALID_TARGET, "neither External-Identifier nor MSISDN");
	if (action->msisdn && settings->tsp.msisdn_domain == NULL)
		return refuse(why, FAN_TSP_INVALID_TARGET, "MSISDNs are not served here: name an External-Identifier");
	if (!fan_ini_matches(action->group ? action->scs->groups : action->scs->ues, action->target))
		return refuse(why, FAN_TSP_NOT_AUTHORISED, "this SCS may not address this %s", action->group ? "group" : "UE");
	return FAN_TSP_SUCCESS;
}

static enum fan_tsp_status
check_content(char *why, const struct fan_tsp_action *action, const struct fan_settings *settings)
{
	if (action->payload == NULL || action->payload_bytes == 0)
		return refuse(why, FAN_TSP_INVALID_PAYLOAD, "a trigger needs Trigger-Data with a Payload");
	if (action->payload_bytes > settings->limits.payload_bytes)
		return refuse(why, FAN_TSP_INVALID_PAYLOAD, "the Payload has %u octets, and the limit is %llu",
			      action->payload_bytes, (unsigned long long)settings->limits.payload_bytes);
	if (action->has_validity && action->validity_s > settings->limits.validity_s)
		return refuse(why, FAN_TSP_INVALID_PERIOD, "Validity-Time is %u s, and the limit %llu s", action->validity_s,
			      (unsigned long long)settings->limits.validity_s);
	return FAN_TSP_SUCCESS;
}

enum fan_tsp_status
fan_tsp_action_check(char *why, const struct fan_tsp_action *action, const struct fan_settings *settings)
{
	enum fan_tsp_status status = FAN_TSP_SUCCESS;

	why[0] = '\0';
	if (action->identity[0] != '\0' && strcmp(action->identity, action->scs->identity) != 0)
		return refuse(why, FAN_TSP_INVALID_SCS, "SCS-Identity is not that of this SCS");
	if (action->type == FAN_TSP_REPLACE && !action->has_old_reference)
		return refuse(why, FAN_TSP_REPLACE_FAILED, "a replacement needs Old-Reference-Number");
	if (action->type == FAN_TSP_REPLACE && action->old_reference == action->reference)
		return refuse(why, FAN_TSP_REPLACE_FAILED, "Reference-Number and Old-Reference-Number are the same");
	if (action->type == FAN_TSP_RECALL)
		return FAN_TSP_SUCCESS;
	status = check_target(why, action, settings);
	return status != FAN_TSP_SUCCESS ? status : check_content(why, action, settings);
}

/* ---- What it becomes ---------------------------------------------------------------------------------------------------- */

/* RFC 4648 4, which neither jansson nor the C library has. Out: text[4 * (byte_count + 2) / 3 + 1]. */
static void
write_base64(char *text, const uint8_t *octets, size_t byte_count)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < byte_count; i += 3, text += 4) {
		const size_t left = byte_count - i;
		const uint32_t three = (uint32_t)octets[i] << 16 | (left > 1 ? (uint32_t)octets[i + 1] << 8 : 0) |
				       (left > 2 ? octets[i + 2] : 0);

		text[0] = digits[three >> 18];
		text[1] = digits[three >> 12 & 63];
		text[2] = left > 1 ? digits[three >> 6 & 63] : '=';
		text[3] = left > 2 ? digits[three & 63] : '=';
	}
	*text = '\0';
}

static json_t *
base64(const uint8_t *octets, size_t byte_count)
{
	const size_t text_bytes = (byte_count + 2) / 3 * 4 + 1;
	char *text = malloc(text_bytes);
	json_t *string = NULL;

	if (text != NULL) {
		write_base64(text, octets, byte_count);
		string = json_string(text);
		explicit_bzero(text, text_bytes);
	}
	free(text);
	return string;
}

/* A UE that is named by its MSISDN is provisioned as DIGITS@msisdn_domain: serve takes bare digits for an IMSI. */
static json_t *
name_target(const struct fan_tsp_action *action, const struct fan_settings *settings)
{
	if (action->msisdn)
		return json_sprintf("%s@%s", action->target, settings->tsp.msisdn_domain);
	return json_string(action->target);
}

json_t *
fan_tsp_action_send(const struct fan_tsp_action *action, const struct fan_settings *settings, const char *reference)
{
	const json_int_t valid_for_ms = action->validity_s > 0 ? 1000 * (json_int_t)action->validity_s : AT_ONCE_MS;
	json_t *params = json_object();
	int wrong = json_object_set_new(params, action->group ? "gid" : "identity", name_target(action, settings));

	wrong |= json_object_set_new(params, "message", base64(action->payload, action->payload_bytes));
	wrong |= json_object_set_new(params, "coding", json_string("8bit"));
	wrong |= json_object_set_new(params, "device_trigger", json_true());
	wrong |= json_object_set_new(params, "application_port", json_integer(action->application_port));
	wrong |= json_object_set_new(params, "priority", json_integer(action->priority ? URGENT_PRIORITY : 0));
	if (action->has_validity)
		wrong |= json_object_set_new(params, "valid_for_ms", json_integer(valid_for_ms));
	wrong |= json_object_set_new(params, "reference", json_string(reference));
	wrong |= json_object_set_new(params, "sender", json_string(action->scs->identity));
	if (wrong == 0)
		return params;
	json_decref(params);
	return NULL;
}

bool
fan_tsp_msisdn_read(char *digits, const uint8_t *octets, size_t byte_count)
{
	size_t count = 0;

	for (size_t i = 0; i < 2 * byte_count; i++) {
		const uint8_t digit = i % 2 == 0 ? octets[i / 2] & 0xf : octets[i / 2] >> 4;

		if (digit == 0xf && i + 1 == 2 * byte_count)
			break;
		if (digit > 9 || count == MSISDN_DIGITS_MAX)
			return false;
		digits[count++] = (char)('0' + digit);
	}
	digits[count] = '\0';
	return count > 0;
}
