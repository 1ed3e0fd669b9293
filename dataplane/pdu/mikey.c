/* SPDX-License-Identifier: BSD-3-Clause */
#include "mikey.h"

#include <string.h>

#define SECRET_BYTES 26 /* 00 22 0010, MSK, 02 and an MTK ID twice */

/* What is left of the message. A failure is remembered, so that it is asked about once. */
struct reading {
	const uint8_t *octets, *at, *end;
	bool failed;
};

/* The place of so many octets, behind which it goes on. */
static uint16_t
pass(struct reading *reading, size_t octet_count)
{
	const uint16_t place = (uint16_t)(reading->at - reading->octets);

	reading->failed = reading->failed || octet_count > (size_t)(reading->end - reading->at);
	if (!reading->failed)
		reading->at += octet_count;
	return place;
}

static uint16_t
pass_these(struct reading *reading, const void *octets, size_t octet_count)
{
	const uint16_t place = pass(reading, octet_count);

	reading->failed = reading->failed || memcmp(reading->octets + place, octets, octet_count) != 0;
	return place;
}

/* What stands here is not the sender's. */
static uint16_t
pass_zeros(struct reading *reading, size_t octet_count)
{
	static const uint8_t zeros[FAN_B_TID_NAME_BYTES];

	static_assert(FAN_MIKEY_MAC_BYTES <= sizeof(zeros), "the longest");
	return pass_these(reading, zeros, octet_count);
}

/* In: what the payload begins with: the next one's type, and that it is a NAI. Returns the octets of that. */
static size_t
pass_identity_header(struct reading *reading, const char begin[2])
{
	const uint16_t length_at = (uint16_t)(pass_these(reading, begin, 2) + 2);

	(void)pass(reading, 2);
	return reading->failed ? 0 : (size_t)reading->octets[length_at] << 8 | reading->octets[length_at + 1];
}

static void
read_head(struct fan_mikey_places *places, struct reading *reading)
{
	(void)pass_these(reading, "\x01\x00\x15", 3);
	(void)pass(reading, 1); /* V and PRF function */
	(void)pass(reading, 4); /* CSB-ID */
	(void)pass_these(reading, "\x00\x01\x05\x03\x00\x0b\x00\x03", 8);
	(void)pass(reading, 3); /* Key Domain ID */
	(void)pass_these(reading, "\x01\x04", 2);
	(void)pass(reading, 4); /* MSK ID */
	(void)pass_these(reading, "\x0b\x02", 2);
	places->counter_at = pass_zeros(reading, 4);
	(void)pass_these(reading, "\x06\x10", 2);
	places->rand_at = pass(reading, FAN_MIKEY_RAND_BYTES);
}

/* Returns where the end of B-TIDs stands, and Out: *domain_bytes of it. */
static uint16_t
read_identities(struct fan_mikey_places *places, struct reading *reading, size_t *domain_bytes)
{
	size_t identity_bytes = pass_identity_header(reading, "\x06\x00");

	(void)pass(reading, identity_bytes);
	identity_bytes = pass_identity_header(reading, "\x01\x00");
	reading->failed = reading->failed || identity_bytes < FAN_B_TID_NAME_BYTES || identity_bytes > FAN_B_TID_BYTES_MAX;
	places->name_at = pass_zeros(reading, FAN_B_TID_NAME_BYTES);
	*domain_bytes = reading->failed ? 0 : identity_bytes - FAN_B_TID_NAME_BYTES;
	return pass(reading, *domain_bytes);
}

static void
read_kemac(struct fan_mikey_places *places, struct reading *reading)
{
	(void)pass_these(reading, "\x00\x01\x00\x1a", 4);
	places->secret_at = pass_these(reading, "\x00\x22\x00\x10", 4);
	places->secret_bytes = SECRET_BYTES;
	(void)pass(reading, 16); /* MSK */
	(void)pass_these(reading, "\x02", 1);
	(void)pass(reading, 2);
	(void)pass_these(reading, "\x02", 1);
	(void)pass(reading, 2);
	(void)pass_these(reading, "\x01", 1);
	(void)pass_zeros(reading, FAN_MIKEY_MAC_BYTES);
}

int
fan_mikey_places_find(struct fan_mikey_places *places, const uint8_t *octets, size_t octet_count, const char *domain)
{
	struct reading reading = { .octets = octets, .at = octets, .end = octets + octet_count };
	size_t domain_bytes;
	uint16_t domain_at;

	if (octet_count > FAN_MIKEY_TEXT_BYTES_MAX)
		return fan_fail(FAN_E_INVALID, "mbms-msk carries an MSK in a MIKEY message, not %zu octets", octet_count);
	read_head(places, &reading);
	domain_at = read_identities(places, &reading, &domain_bytes);
	read_kemac(places, &reading);
	if (reading.failed || reading.at != reading.end)
		return fan_fail(FAN_E_INVALID, "mbms-msk carries what fan_msk_write() makes: an MSK in a MIKEY message");
	if (domain != NULL && (domain_bytes != strlen(domain) || memcmp(octets + domain_at, domain, domain_bytes) != 0))
		return fan_fail(FAN_E_INVALID, "an MSK for B-TIDs of %.*s: those of the group's UEs end with %s",
				(int)domain_bytes, (const char *)octets + domain_at, domain);
	return 0;
}
