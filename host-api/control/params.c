/* SPDX-License-Identifier: BSD-3-Clause */
#include "params.h"

#include <string.h>

#define SLIPS_MAX 2

/* ---- Near misses ------------------------------------------------------------------------------------------------------- */

/* Whether `text` becomes `name` by at most so many letters that are wrong, missing or too many. */
static bool
is_near(const char *text, const char *name, unsigned slips)
{
	while (*text != '\0' && *text == *name) {
		text++;
		name++;
	}
	if (*text == '\0' && *name == '\0')
		return true;
	if (slips == 0)
		return false;
	if (*text != '\0' && *name != '\0' && is_near(text + 1, name + 1, slips - 1))
		return true;
	return (*text != '\0' && is_near(text + 1, name, slips - 1)) || (*name != '\0' && is_near(text, name + 1, slips - 1));
}

const char *
fan_nearest_name(const char *text, const void *names, size_t stride)
{
	for (unsigned slips = 1; slips <= SLIPS_MAX && strlen(text) > slips; slips++) {
		const char *at = names, *name;

		for (;; at += stride) {
			memcpy(&name, at, sizeof(name));
			if (name == NULL)
				break;
			if (is_near(text, name, slips))
				return name;
		}
	}
	return NULL;
}

/* ---- Values ------------------------------------------------------------------------------------------------------------ */

static int
read_text(void *place, const struct fan_param *param, const json_t *value)
{
	const char *text = json_string_value(value);
	const json_int_t text_bytes = (json_int_t)json_string_length(value);

	if (text == NULL || text_bytes < param->minimum || text_bytes > param->maximum)
		return fan_fail(FAN_E_INVALID, "%s: takes a text of %lld to %lld octets", param->name,
				(long long)param->minimum, (long long)param->maximum);
	memcpy(place, &text, sizeof(text));
	return 0;
}

static int
read_number(void *place, const struct fan_param *param, const json_t *value)
{
	const int64_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < param->minimum || number > param->maximum)
		return fan_fail(FAN_E_INVALID, "%s: takes a whole number from %lld to %lld", param->name,
				(long long)param->minimum, (long long)param->maximum);
	memcpy(place, &number, sizeof(number));
	return 0;
}

static int
read_list(json_t **place, const struct fan_param *param, json_t *value)
{
	const json_int_t size = (json_int_t)json_array_size(value);
	bool texts = json_is_array(value);
	const json_t *element;
	size_t i;

	json_array_foreach(value, i, element)
		texts &= json_is_string(element);
	if (!texts || size < param->minimum || size > param->maximum)
		return fan_fail(FAN_E_INVALID, "%s: takes an array of %lld to %lld texts", param->name,
				(long long)param->minimum, (long long)param->maximum);
	*place = value;
	return 0;
}

static int
read_value(void *values, const struct fan_param *param, json_t *value)
{
	void *place = (char *)values + param->offset;
	const bool yes = json_is_true(value);

	switch (param->type) {
	case FAN_PARAM_TEXT:
		return read_text(place, param, value);
	case FAN_PARAM_NUMBER:
		return read_number(place, param, value);
	case FAN_PARAM_BOOLEAN:
		if (!json_is_boolean(value))
			return fan_fail(FAN_E_INVALID, "%s: takes true or false", param->name);
		memcpy(place, &yes, sizeof(yes));
		return 0;
	case FAN_PARAM_OBJECT:
		if (!json_is_object(value))
			return fan_fail(FAN_E_INVALID, "%s: takes an object", param->name);
		*(json_t **)place = value;
		return 0;
	case FAN_PARAM_LIST:
		return read_list(place, param, value);
	}
	return 0;
}

static int
refuse_unknown(const struct fan_param *table, size_t count, const char *name)
{
	const char *names[33] = { NULL };
	const char *nearest;

	for (size_t i = 0; i < count && i < 32; i++)
		names[i] = table[i].name;
	nearest = fan_nearest_name(name, names, sizeof(names[0]));
	if (nearest != NULL)
		return fan_fail(FAN_E_INVALID, "%.64s: no such parameter, did you mean %s?", name, nearest);
	return fan_fail(FAN_E_INVALID, "%.64s: no such parameter of this method", name);
}

static const struct fan_param *
find(const struct fan_param *table, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

int
fan_params_read(void *values, const struct fan_param *table, size_t count, const json_t *params)
{
	/* jansson walks an object by a pointer that may change it; this only reads. */
	json_t *object;
	const char *name;
	json_t *value;
	int error = 0;

	memcpy(&object, &params, sizeof(void *));
	if (params != NULL && !json_is_object(params))
		return fan_fail(FAN_E_INVALID, "params: takes an object of parameters by name");
	json_object_foreach(object, name, value) {
		const struct fan_param *param = find(table, count, name);

		if (error == 0)
			error = param == NULL ? refuse_unknown(table, count, name) : read_value(values, param, value);
	}
	for (size_t i = 0; error == 0 && i < count; i++)
		if (table[i].needed && json_object_get(params, table[i].name) == NULL)
			error = fan_fail(FAN_E_INVALID, "%s: is needed", table[i].name);
	return error;
}
