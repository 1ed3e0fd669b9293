/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parameters of a request: a method describes its own in a table and gets them in a struct. Nothing passes that the table does not know.
 */
#ifndef FAN_CONTROL_PARAMS_H
#define FAN_CONTROL_PARAMS_H

#include "protocol.h"

enum fan_param_type {
	FAN_PARAM_TEXT,    /* const char *, minimum..maximum octets, none of them zero; the request's own */
	FAN_PARAM_NUMBER,  /* int64_t, minimum..maximum */
	FAN_PARAM_BOOLEAN, /* bool */
	FAN_PARAM_OBJECT,  /* json_t *, an object; the request's own */
	FAN_PARAM_LIST,    /* json_t *, an array of minimum..maximum texts; the request's own */
};

struct fan_param {
	const char *name;
	enum fan_param_type type;
	bool needed;
	int64_t minimum, maximum;
	size_t offset; /* of the value in the method's struct */
};

/* Reads params into *values, which holds the defaults before. In: params, NULL: none. INVALID names the parameter and its rule, and the nearest
 * name for one that is unknown. */
int fan_params_read(void *values, const struct fan_param *table, size_t count, const json_t *params);

/* The candidate nearest to `text` of a list that ends with NULL, when near enough to be a slip; else NULL. In: stride, octets from one
 * name's pointer to the next. */
const char *fan_nearest_name(const char *text, const void *names, size_t stride);

#endif
