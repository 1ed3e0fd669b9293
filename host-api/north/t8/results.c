/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "results.h"

#include <string.h>

#define ELEMENT_BYTES_MAX 1024 /* an identity of up to 341 octets, each written as two at the most, and a status */

struct line {
	const char *identity, *outcome;
	size_t identity_bytes, outcome_bytes;
};

static bool
is(const char *text, size_t text_bytes, const char *other)
{
	return strlen(other) == text_bytes && memcmp(text, other, text_bytes) == 0;
}

/* The DeliveryStatus of an outcome, "sent", a way of broadcast, or a drop's name: never better than what happened. The cells have a broadcast, and no
 * UE has said that it heard it. Static. */
static const char *
status_of(const char *outcome, size_t outcome_bytes)
{
	static const struct {
		const char *outcome, *status;
	} known[] = {
		{ "sent", "SUCCESS_NEXT_HOP_UNACKNOWLEDGED" },
		{ "broadcast-lte", "SUCCESS_NEXT_HOP_UNACKNOWLEDGED" },
		{ "broadcast-nr", "SUCCESS_NEXT_HOP_UNACKNOWLEDGED" },
		{ "unreachable", "FAILURE_TEMPORARILY_NOT_REACHABLE" },
		{ "expired", "FAILURE_TIMEOUT" },
		{ "port", "FAILURE_NEXT_HOP" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (is(outcome, outcome_bytes, known[i].outcome))
			return known[i].status;
	return "FAILURE";
}

/* False: the line is not of this form. */
static bool
take_apart(struct line *line, const char *text, size_t text_bytes)
{
	const char *second = memrchr(text, ',', text_bytes);
	const char *first = second == NULL ? NULL : memrchr(text, ',', (size_t)(second - text));

	if (first == NULL)
		return false;
	*line = (struct line){ text, second + 1, (size_t)(first - text), text_bytes - (size_t)(second + 1 - text) };
	return line->identity_bytes > 0;
}

static char *
put(char *at, const char *text, size_t text_bytes)
{
	memcpy(at, text, text_bytes);
	return at + text_bytes;
}

/* An identity is printable ASCII: quotation marks and backslashes alone are written otherwise in JSON. */
static char *
put_identity(char *at, const struct line *line)
{
	for (size_t i = 0; i < line->identity_bytes; i++) {
		if (line->identity[i] == '"' || line->identity[i] == '\\')
			*at++ = '\\';
		*at++ = line->identity[i];
	}
	return at;
}

/* Digits are an MSISDN to an application server. */
static char *
put_element(char *at, const struct line *line, const char *status)
{
	static const char external[] = "{\"externalId\":\"", msisdn[] = "{\"msisdn\":\"", middle[] = "\",\"deliveryStatus\":\"";
	const bool is_external = memchr(line->identity, '@', line->identity_bytes) != NULL;

	at = is_external ? put(at, external, sizeof(external) - 1) : put(at, msisdn, sizeof(msisdn) - 1);
	at = put_identity(at, line);
	at = put(at, middle, sizeof(middle) - 1);
	at = put(at, status, strlen(status));
	return put(at, "\"}", 2);
}

static bool
passes(const char *status, const struct fan_t8_filter *filter)
{
	if (filter->failures && strncmp(status, "SUCCESS", strlen("SUCCESS")) == 0)
		return false;
	return filter->status == NULL || strcmp(filter->status, status) == 0;
}

void
fan_t8_results_write(char *out, size_t room, size_t *out_bytes, unsigned *ues, const char *lines, size_t lines_bytes,
		     size_t *at, unsigned *lines_taken, unsigned ues_max, const struct fan_t8_filter *filter)
{
	char *to = out + *out_bytes;

	*lines_taken = 0;
	while (*at < lines_bytes && *ues < ues_max && (size_t)(to - out) + ELEMENT_BYTES_MAX <= room) {
		const char *text = lines + *at, *end = memchr(text, '\n', lines_bytes - *at);
		const size_t text_bytes = end != NULL ? (size_t)(end - text) : lines_bytes - *at;
		const char *status;
		struct line line;

		*at += text_bytes + 1;
		(*lines_taken)++;
		if (!take_apart(&line, text, text_bytes) || line.identity_bytes > ELEMENT_BYTES_MAX / 3)
			continue;
		status = status_of(line.outcome, line.outcome_bytes);
		if (!passes(status, filter))
			continue;
		if ((*ues)++ > 0)
			*to++ = ',';
		to = put_element(to, &line, status);
	}
	*out_bytes = (size_t)(to - out);
}
