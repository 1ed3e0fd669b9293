/* SPDX-License-Identifier: BSD-3-Clause */
#include "gid.h"

#include <string.h>

#define EXTERNAL_GROUP_PREFIX "extgroupid-" /* TS 29.571 5.2.2, ExternalGroupId */

enum {
	DOMAIN_LABEL_BYTES_MAX = 63, /* RFC 1035 2.3.4, as the limit of the domain: 253 without the closing dot */
	DOMAIN_BYTES_MAX = 253,
	SERVICE_IDENTIFIER_DIGITS = 8,
	LOCAL_IDENTIFIER_OCTETS_MAX = 10,
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex(char c)
{
	return is_digit(c) || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

static bool
is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static char
to_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static char
to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* What an NAI's user name may have between its dots (RFC 4282 2.1), without escapes and without characters beyond ASCII: two
 * spellings of one look must not make two groups. */
static bool
is_local_character(char c)
{
	return c != '\0' && (is_letter(c) || is_digit(c) || strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static int
check_local(const char *local, size_t local_bytes)
{
	if (local_bytes == 0)
		return fan_fail(FAN_E_INVALID, "group identity has no local part before @");
	for (size_t i = 0; i < local_bytes; i++) {
		bool inner = i > 0 && i + 1 < local_bytes;

		if (local[i] == '.' && (!inner || local[i - 1] == '.'))
			return fan_fail(FAN_E_INVALID, "local part of the group identity has an empty string beside a dot");
		if (local[i] != '.' && !is_local_character(local[i]))
			return fan_fail(FAN_E_INVALID, "local part of the group identity has octet 0x%02x, which an NAI cannot",
					(unsigned)(unsigned char)local[i]);
	}
	if (local_bytes >= strlen(EXTERNAL_GROUP_PREFIX) &&
	    memcmp(local, EXTERNAL_GROUP_PREFIX, strlen(EXTERNAL_GROUP_PREFIX)) == 0)
		return fan_fail(FAN_E_INVALID, "group identity has %s twice", EXTERNAL_GROUP_PREFIX);
	return 0;
}

static int
check_label(const char *label, size_t label_bytes)
{
	if (label_bytes == 0 || label_bytes > DOMAIN_LABEL_BYTES_MAX)
		return fan_fail(FAN_E_INVALID, "domain of the group identity has a label of %zu characters; it takes 1..%d",
				label_bytes, DOMAIN_LABEL_BYTES_MAX);
	for (size_t i = 0; i < label_bytes; i++) {
		if (!is_letter(label[i]) && !is_digit(label[i]) && label[i] != '-')
			return fan_fail(FAN_E_INVALID, "domain of the group identity has octet 0x%02x; it takes a-z 0-9 - .",
					(unsigned)(unsigned char)label[i]);
	}
	if (label[0] == '-' || label[label_bytes - 1] == '-')
		return fan_fail(FAN_E_INVALID, "domain of the group identity has a label that begins or ends with -");
	return 0;
}

static int
check_domain(const char *domain)
{
	size_t domain_bytes = strlen(domain), label_bytes;
	int error;

	if (domain_bytes == 0)
		return fan_fail(FAN_E_INVALID, "group identity has no domain behind @");
	if (strchr(domain, '@') != NULL)
		return fan_fail(FAN_E_INVALID, "group identity has more than one @");
	if (domain_bytes > DOMAIN_BYTES_MAX)
		return fan_fail(FAN_E_INVALID, "domain of the group identity has %zu characters; at most %d", domain_bytes,
				DOMAIN_BYTES_MAX);
	for (;;) {
		label_bytes = strcspn(domain, ".");
		error = check_label(domain, label_bytes);
		if (error != 0 || domain[label_bytes] == '\0')
			return error;
		domain += label_bytes + 1;
	}
}

static int
canonical_external(char *canonical, const char *gid, const char *at_sign)
{
	size_t local_bytes, domain_bytes = strlen(at_sign + 1);
	int error;

	if (strncmp(gid, EXTERNAL_GROUP_PREFIX, strlen(EXTERNAL_GROUP_PREFIX)) == 0)
		gid += strlen(EXTERNAL_GROUP_PREFIX);
	local_bytes = (size_t)(at_sign - gid);
	error = check_local(gid, local_bytes);
	if (error != 0)
		return error;
	error = check_domain(at_sign + 1);
	if (error != 0)
		return error;
	if (local_bytes + 1 + domain_bytes > FAN_GID_BYTES_MAX)
		return fan_fail(FAN_E_INVALID, "group identity has %zu characters; at most %d", local_bytes + 1 + domain_bytes,
				FAN_GID_BYTES_MAX);
	memcpy(canonical, gid, local_bytes + 1);
	for (size_t i = 0; i <= domain_bytes; i++)
		canonical[local_bytes + 1 + i] = to_lower(at_sign[1 + i]);
	return 0;
}

/* Characters of a kind at the front of text. */
static size_t
span(const char *text, bool (*is)(char c))
{
	size_t count = 0;

	while (is(text[count]))
		count++;
	return count;
}

/* SSSSSSSS-MCC-MNC-LL.. (TS 23.003 19.9) */
static int
canonical_imsi_group(char *canonical, const char *gid)
{
	const char *at = gid;
	size_t mnc_digits, local_digits, i;

	if (span(at, is_hex) != SERVICE_IDENTIFIER_DIGITS || at[SERVICE_IDENTIFIER_DIGITS] != '-')
		return fan_fail(FAN_E_INVALID, "group identity is neither local@domain nor %d hex digits and -",
				SERVICE_IDENTIFIER_DIGITS);
	at += SERVICE_IDENTIFIER_DIGITS + 1;
	if (span(at, is_digit) != 3 || at[3] != '-')
		return fan_fail(FAN_E_INVALID, "MCC of the IMSI-Group-Id must be 3 digits and -");
	at += 3 + 1;
	mnc_digits = span(at, is_digit);
	if (mnc_digits < 2 || mnc_digits > 3 || at[mnc_digits] != '-')
		return fan_fail(FAN_E_INVALID, "MNC of the IMSI-Group-Id must be 2 or 3 digits and -");
	at += mnc_digits + 1;
	local_digits = span(at, is_hex);
	if (at[local_digits] != '\0' || local_digits % 2 != 0 || local_digits < 2 ||
	    local_digits > 2 * LOCAL_IDENTIFIER_OCTETS_MAX)
		return fan_fail(FAN_E_INVALID, "local identifier of the IMSI-Group-Id must be 1..%d octets in hex",
				LOCAL_IDENTIFIER_OCTETS_MAX);
	for (i = 0; gid[i] != '\0'; i++)
		canonical[i] = to_upper(gid[i]);
	canonical[i] = '\0';
	return 0;
}

int
fan_gid_canonical(char *canonical, const char *gid)
{
	const char *at_sign;

	canonical[0] = '\0';
	if (gid == NULL || gid[0] == '\0')
		return fan_fail(FAN_E_INVALID, "group identity is empty");
	at_sign = strchr(gid, '@');
	return at_sign != NULL ? canonical_external(canonical, gid, at_sign) : canonical_imsi_group(canonical, gid);
}
