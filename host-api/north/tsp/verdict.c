/* SPDX-License-Identifier: BSD-3-Clause */
#include "verdict.h"

#include "../../control/protocol.h"

#include <string.h>

/* ---- Requests ---------------------------------------------------------------------------------------------------------- */

enum fan_tsp_status
fan_tsp_status_of(int code)
{
	switch (code) {
	case FAN_CONTROL_FAILED + FAN_E_NOT_FOUND:
		return FAN_TSP_INVALID_TARGET;
	case FAN_CONTROL_FAILED + FAN_E_TOO_LONG:
		return FAN_TSP_INVALID_PAYLOAD;
	case FAN_CONTROL_FORBIDDEN:
		return FAN_TSP_NOT_AUTHORISED;
	case FAN_CONTROL_FAILED + FAN_E_UNSUPPORTED:
		return FAN_TSP_UNAVAILABLE;
	case FAN_CONTROL_FAILED + FAN_E_INVALID:
	case FAN_CONTROL_PARAMS:
		return FAN_TSP_PERMANENT_ERROR;
	default:
		/* Busy, loading, draining, a full disk, a role that is missing: not this request's fault. */
		return FAN_TSP_TEMPORARY_ERROR;
	}
}

/* ---- Endings ----------------------------------------------------------------------------------------------------------- */

/* How bad each reason is (fan_drop_name()); one that is not here is as bad as any. */
static const struct {
	const char *reason;
	enum fan_tsp_outcome outcome;
} reasons[] = {
	{ "unreachable", FAN_TSP_TEMPORARY },   { "window", FAN_TSP_TEMPORARY }, /* until the UE is resynchronised */
	{ "reservation", FAN_TSP_TEMPORARY },                                    /* until its lease is renewed */
	{ "count-end", FAN_TSP_TEMPORARY },                                      /* until it has a new key */
	{ "transactions", FAN_TSP_TEMPORARY },                                   /* until it has acknowledged */
	{ "engine", FAN_TSP_TEMPORARY },        { "port", FAN_TSP_TEMPORARY },        { "expired", FAN_TSP_EXPIRED },
	{ "cancelled", FAN_TSP_UNDELIVERABLE }, { "removed", FAN_TSP_UNDELIVERABLE },
};

static enum fan_tsp_outcome
outcome_of_reason(const char *reason)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (strcmp(reasons[i].reason, reason) == 0)
			return reasons[i].outcome;
	return FAN_TSP_UNDELIVERABLE;
}

static unsigned
badness(enum fan_tsp_outcome outcome)
{
	static const unsigned table[] = {
		[FAN_TSP_DELIVERED] = 0, [FAN_TSP_UNCONFIRMED] = 1,   [FAN_TSP_TEMPORARY] = 2,
		[FAN_TSP_EXPIRED] = 3,   [FAN_TSP_UNDELIVERABLE] = 4,
	};

	return table[outcome];
}

static uint64_t
number(const json_t *object, const char *name)
{
	const json_int_t value = json_integer_value(json_object_get(object, name));

	return value > 0 ? (uint64_t)value : 0;
}

bool
fan_tsp_has_ended(const json_t *shown)
{
	return json_is_true(json_object_get(shown, "ended"));
}

uint64_t
fan_tsp_sent(const json_t *shown)
{
	const json_t *ways = json_object_get(shown, "ways");

	return number(shown, "sent") + number(ways, "broadcast-lte") + number(ways, "broadcast-nr");
}

enum fan_tsp_outcome
fan_tsp_outcome_of(const json_t *shown)
{
	json_t *dropped = json_object_get(shown, "dropped");
	bool any = fan_tsp_sent(shown) > 0;
	enum fan_tsp_outcome worst = any ? FAN_TSP_UNCONFIRMED : FAN_TSP_UNDELIVERABLE;
	const char *reason;
	json_t *count;

	json_object_foreach(dropped, reason, count) {
		const enum fan_tsp_outcome outcome = outcome_of_reason(reason);

		if (json_integer_value(count) <= 0)
			continue;
		if (!any || badness(outcome) > badness(worst))
			worst = outcome;
		any = true;
	}
	return worst;
}

void
fan_tsp_totals_of(char *totals, const json_t *shown)
{
	const char *state = json_string_value(json_object_get(shown, "state"));
	json_t *dropped = json_object_get(shown, "dropped");
	uint64_t sum = 0;
	const char *reason;
	json_t *count;
	size_t at;

	json_object_foreach(dropped, reason, count)
		sum += number(dropped, reason);
	at = (size_t)snprintf(totals, FAN_TSP_TOTALS_BYTES, "state=%.32s ues=%llu created=%llu sent=%llu dropped=%llu",
			      state != NULL ? state : "unknown", (unsigned long long)number(shown, "ues"),
			      (unsigned long long)number(shown, "created"), (unsigned long long)number(shown, "sent"),
			      (unsigned long long)sum);
	json_object_foreach(dropped, reason, count)
		if (at < FAN_TSP_TOTALS_BYTES)
			at += (size_t)snprintf(totals + at, FAN_TSP_TOTALS_BYTES - at, " %.32s=%llu", reason,
					       (unsigned long long)json_integer_value(count));
}
