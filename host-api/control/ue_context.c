/* SPDX-License-Identifier: BSD-3-Clause */
#include "ue_context.h"

#include <string.h>

#define NAS_COUNT_MAX 0xffffff
#define ACCESS_NAMES                                                                                                           \
	{                                                                                                                      \
		"3GPP_ACCESS", "NON_3GPP_ACCESS"                                                                               \
	} /* AccessType of TS 29.571, in the order of the input BEARER */

/* Where an error is. */
struct reading {
	char *field;
	size_t field_bytes;
	json_t *columns; /* owned: what the columns of a row would say */
};

static int
refuse(struct reading *reading, const char *field, const char *rule)
{
	(void)snprintf(reading->field, reading->field_bytes, "%s", field);
	return fan_fail(FAN_E_INVALID, "%s", rule);
}

/* In: value, which goes to `columns` whatever comes of it. INVALID when the object beside ueContext says it too. */
static int
set(struct reading *reading, const char *name, json_t *value)
{
	if (json_object_get(reading->columns, name) != NULL) {
		json_decref(value);
		return refuse(reading, name, "ueContext says this: leave it out");
	}
	if (value == NULL || json_object_set_new(reading->columns, name, value) != 0)
		return fan_fail(FAN_E_MEMORY, "no memory for a UE");
	return 0;
}

/* ---- Who ---------------------------------------------------------------------------------------------------------------- */

/* An external identifier beside ueContext goes before a SUPI that is none of ours. */
static int
read_supi(struct reading *reading, const json_t *context)
{
	const char *supi = json_string_value(json_object_get(context, "supi"));
	const bool named = json_object_get(reading->columns, "identity") != NULL;

	if (json_is_true(json_object_get(context, "supiUnauthInd")))
		return refuse(reading, "supiUnauthInd",
			      "nobody has authenticated this UE: what is for its subscriber is not for it");
	if (supi != NULL && strncmp(supi, "imsi-", 5) == 0)
		return set(reading, "imsi", json_string(supi + 5));
	if (supi != NULL && strncmp(supi, "nai-", 4) == 0)
		return named ? 0 : set(reading, "identity", json_string(supi + 4));
	return named ? 0 : refuse(reading, "supi", "takes imsi-DIGITS or nai-LOCAL@DOMAIN, unless identity is given");
}

/* ---- Key ---------------------------------------------------------------------------------------------------------------- */

static char
lower(char digit)
{
	return (char)(digit >= 'A' && digit <= 'F' ? digit - 'A' + 'a' : digit);
}

static int
read_key(struct reading *reading, const json_t *context)
{
	const json_t *seaf = json_object_get(context, "seafData"), *key = json_object_get(seaf, "keyAmf");
	const char *type = json_string_value(json_object_get(key, "keyType"));
	const char *value = json_string_value(json_object_get(key, "keyVal"));
	char digits[2 * FAN_PARENT_KEY_BYTES + 1];
	int error;

	if (type == NULL || strcmp(type, "KAMF") != 0)
		return refuse(reading, "keyType",
			      "takes KAMF: a UE uses K'_AMF only once its new AMF has taken it into use, as K_AMF");
	if (json_is_true(json_object_get(seaf, "keyAmfChangeInd")) ||
	    json_is_true(json_object_get(seaf, "keyAmfHDerivationInd")))
		return refuse(reading, "seafData", "the key has changed, and the UE does not use the new one yet");
	if (value == NULL || strlen(value) != sizeof(digits) - 1)
		return refuse(reading, "keyVal", "takes the 64 hex digits of K_AMF");
	for (size_t i = 0; i < sizeof(digits); i++)
		digits[i] = lower(value[i]);
	error = set(reading, "k_amf", json_string(digits));
	explicit_bzero(digits, sizeof(digits));
	return error;
}

/* ---- Algorithms and COUNT --------------------------------------------------------------------------------------------------- */

/* "NEA2" is 2. */
static int
read_algorithm(struct reading *reading, const char *column, const json_t *mode, const char *name, const char *prefix)
{
	const char *value = json_string_value(json_object_get(mode, name));

	if (value == NULL || strlen(value) != 4 || strncmp(value, prefix, 3) != 0 || value[3] < '0' ||
	    value[3] > '0' + FAN_ALGORITHM_MAX) {
		(void)snprintf(reading->field, reading->field_bytes, "%s", name);
		return fan_fail(FAN_E_INVALID, "takes %s0 to %s%d", prefix, prefix, FAN_ALGORITHM_MAX);
	}
	return set(reading, column, json_integer(value[3] - '0'));
}

/* Sets *bearer to that of the MM context that is taken: the one that `bearer` beside ueContext names, else 3GPP access before the other. */
static const json_t *
choose_mm_context(const struct reading *reading, const json_t *context, int *bearer)
{
	static const char *const names[] = ACCESS_NAMES;
	const json_t *list = json_object_get(context, "mmContextList"), *wanted = json_object_get(reading->columns, "bearer");

	for (*bearer = 1; *bearer <= 2; ++*bearer) {
		for (size_t i = 0; i < json_array_size(list); i++) {
			const json_t *one = json_array_get(list, i);
			const char *access = json_string_value(json_object_get(one, "accessType"));

			if (access != NULL && strcmp(access, names[*bearer - 1]) == 0 &&
			    (wanted == NULL || json_integer_value(wanted) == *bearer))
				return one;
		}
	}
	return NULL;
}

static int
read_mm_context(struct reading *reading, const json_t *context)
{
	int bearer, error;
	const json_t *mm = choose_mm_context(reading, context, &bearer);
	const json_t *mode = json_object_get(mm, "nasSecurityMode"), *count = json_object_get(mm, "nasDownlinkCount");
	const json_t *ran = json_object_get(mm, "anN2ApId");

	if (mm == NULL)
		return refuse(reading, "mmContextList", "has no MM context of that access");
	error = read_algorithm(reading, "integrity", mode, "integrityAlgorithm", "NIA");
	if (error == 0)
		error = read_algorithm(reading, "cipher", mode, "cipheringAlgorithm", "NEA");
	if (error == 0 &&
	    (!json_is_integer(count) || json_integer_value(count) < 0 || json_integer_value(count) > NAS_COUNT_MAX))
		error = refuse(reading, "nasDownlinkCount", "takes the next downlink NAS COUNT, 0 to 16777215");
	/* What an AMF stores is the COUNT of its next message (TS 24.501 4.4.3.1), which is what a row's says. */
	if (error == 0)
		error = set(reading, "count", json_integer(json_integer_value(count)));
	if (error == 0 && json_object_get(reading->columns, "bearer") == NULL)
		error = set(reading, "bearer", json_integer(bearer));
	if (error == 0 && json_is_integer(ran) && json_object_get(reading->columns, "ran_ue_id") == NULL)
		error = set(reading, "ran_ue_id", json_integer(json_integer_value(ran)));
	return error;
}

int
fan_ue_context_read(struct fan_context_row *row, char *field, size_t field_bytes, const json_t *object)
{
	const json_t *context = json_object_get(object, "ueContext");
	struct reading reading = { .field = field, .field_bytes = field_bytes };
	json_t *own; /* jansson counts references in what it copies; the object's members stay as they are */
	int error = 0;

	memset(row, 0, sizeof(*row));
	field[0] = '\0';
	memcpy(&own, &object, sizeof(void *));
	reading.columns = json_copy(own);
	if (reading.columns == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for a UE");
	if (!json_is_object(context))
		error = refuse(&reading, "ueContext", "takes an object, UeContext of TS 29.518");
	(void)json_object_del(reading.columns, "ueContext");
	if (error == 0)
		error = read_supi(&reading, context);
	if (error == 0)
		error = read_key(&reading, context);
	if (error == 0)
		error = read_mm_context(&reading, context);
	if (error == 0)
		error = fan_context_object_read(row, field, field_bytes, reading.columns);
	json_decref(reading.columns);
	return error;
}
