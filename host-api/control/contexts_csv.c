/* SPDX-License-Identifier: BSD-3-Clause */
#include "contexts_csv.h"

#include <arpa/inet.h>
#include <string.h>

#define DIRECTION_DOWNLINK 1

enum field {
	FIELD_UE,
	FIELD_IMSI,
	FIELD_PROFILE,
	FIELD_CIPHER,
	FIELD_INTEGRITY,
	FIELD_K_ENC,
	FIELD_K_INT,
	FIELD_COUNT,
	FIELD_BEARER,
	FIELD_DIRECTION,
	FIELD_TEID,
	FIELD_MME_UE_ID,
	FIELD_RAN_UE_ID,
	FIELD_NEXT_HOP,
	FIELD_UE_IP,
	FIELDS
};

static const char *const field_names[FIELDS] = { "ue",    "imsi",      "profile",   "cipher",   "integrity",
						 "k_enc", "k_int",     "count",     "bearer",   "direction",
						 "teid",  "mme_ue_id", "ran_ue_id", "next_hop", "ue_ip" };

static bool
is_lte_pdcp(enum fan_kind kind)
{
	return kind == FAN_KIND_LTE_PDCP_12 || kind == FAN_KIND_LTE_PDCP_18;
}

/* Fanfare protects nothing: no key, no COUNT, no tunnel. */
static bool
is_plain(const struct fan_contexts_row *row)
{
	return fan_kind_is_plain(fan_profile_kind(row->profile));
}

/* ---- Writing ----------------------------------------------------------------------------------------------------------- */

static char *
put_text(char *to, const char *text)
{
	size_t text_bytes = strlen(text);

	memcpy(to, text, text_bytes);
	return to + text_bytes;
}

static char *
put_number(char *to, uint64_t number)
{
	char digits[20];
	unsigned count = 0;

	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	while (count > 0)
		*to++ = digits[--count];
	return to;
}

static char *
put_key(char *to, const uint8_t key[FAN_KEY_BYTES])
{
	static const char hex[] = "0123456789abcdef";

	for (unsigned i = 0; i < FAN_KEY_BYTES; i++) {
		*to++ = hex[key[i] >> 4];
		*to++ = hex[key[i] & 15];
	}
	return to;
}

static char *
put_ipv4(char *to, const uint8_t address[4])
{
	for (unsigned i = 0; i < 4; i++) {
		if (i > 0)
			*to++ = '.';
		to = put_number(to, address[i]);
	}
	return to;
}

static char *
put_next_hop(char *to, const struct fan_contexts_row *row)
{
	char text[INET6_ADDRSTRLEN];

	if (!row->ipv6)
		return put_ipv4(to, row->next_hop);
	inet_ntop(AF_INET6, row->next_hop, text, sizeof(text));
	return put_text(to, text);
}

static char *
put_protection(char *to, const struct fan_contexts_row *row)
{
	to = put_number(to, row->cipher);
	*to++ = ',';
	if (row->integrity == FAN_INTEGRITY_NONE)
		to = put_text(to, "none");
	else
		to = put_number(to, row->integrity);
	*to++ = ',';
	if (!is_plain(row))
		to = put_key(to, row->k_enc);
	*to++ = ',';
	if (row->integrity != FAN_INTEGRITY_NONE)
		to = put_key(to, row->k_int);
	return to;
}

static char *
put_place(char *to, const struct fan_contexts_row *row, bool nas)
{
	if (fan_kind_is_bearer(fan_profile_kind(row->profile)))
		to = put_number(to, row->teid);
	*to++ = ',';
	if (nas)
		to = put_number(to, row->mme_ue_id);
	*to++ = ',';
	if (nas)
		to = put_number(to, row->ran_ue_id);
	*to++ = ',';
	to = put_next_hop(to, row);
	*to++ = ',';
	if (!nas)
		to = put_ipv4(to, row->ue_ip);
	return to;
}

size_t
fan_contexts_csv_format(char *line, const struct fan_contexts_row *row)
{
	char *to = put_number(line, row->ue);

	*to++ = ',';
	to = put_text(to, row->imsi);
	*to++ = ',';
	to = put_text(to, fan_profile_name(row->profile));
	*to++ = ',';
	to = put_protection(to, row);
	*to++ = ',';
	to = put_number(to, row->count);
	*to++ = ',';
	to = put_number(to, row->bearer);
	*to++ = ',';
	to = put_number(to, DIRECTION_DOWNLINK);
	*to++ = ',';
	to = put_place(to, row, fan_kind_is_nas(fan_profile_kind(row->profile)));
	*to++ = '\n';
	return (size_t)(to - line);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------------- */

/* A row while it is read: its fields, and where to complain. */
struct reading {
	const char *text[FIELDS];
	size_t byte_count[FIELDS];
	char *wrong;
	size_t wrong_bytes;
};

static bool
refuse(const struct reading *reading, enum field field, const char *rule)
{
	snprintf(reading->wrong, reading->wrong_bytes, "%s: %s", field_names[field], rule);
	return false;
}

static bool
split(struct reading *reading, const char *line, size_t line_bytes)
{
	unsigned fields = 1;
	const char *end = line + line_bytes;

	for (const char *at = line; at < end; at++)
		fields += *at == ',';
	if (fields != FIELDS) {
		snprintf(reading->wrong, reading->wrong_bytes, "%u fields: a row has %d", fields, FIELDS);
		return false;
	}
	for (unsigned i = 0; i < FIELDS; i++) {
		const char *comma = memchr(line, ',', (size_t)(end - line));

		reading->text[i] = line;
		reading->byte_count[i] = (size_t)((comma == NULL ? end : comma) - line);
		line = comma == NULL ? end : comma + 1;
	}
	return true;
}

static bool
get_number(const struct reading *reading, uint64_t *number, enum field field, uint64_t minimum, uint64_t maximum)
{
	const char *text = reading->text[field];
	size_t byte_count = reading->byte_count[field];
	uint64_t value = 0;
	char rule[96];

	snprintf(rule, sizeof(rule), "a decimal number from %llu to %llu, without leading zeros", (unsigned long long)minimum,
		 (unsigned long long)maximum);
	if (byte_count == 0 || byte_count > 18 || (byte_count > 1 && text[0] == '0'))
		return refuse(reading, field, rule);
	for (size_t i = 0; i < byte_count; i++) {
		if (text[i] < '0' || text[i] > '9')
			return refuse(reading, field, rule);
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	if (value < minimum || value > maximum)
		return refuse(reading, field, rule);
	*number = value;
	return true;
}

static int
hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool
get_key(const struct reading *reading, uint8_t key[FAN_KEY_BYTES], enum field field)
{
	const char *text = reading->text[field];

	if (reading->byte_count[field] != 2 * (size_t)FAN_KEY_BYTES)
		return refuse(reading, field, "a key is 32 lower-case hex digits");
	for (size_t i = 0; i < FAN_KEY_BYTES; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return refuse(reading, field, "a key is 32 lower-case hex digits");
		key[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool
get_empty(const struct reading *reading, enum field field, const char *rule)
{
	return reading->byte_count[field] == 0 || refuse(reading, field, rule);
}

/* An address of one family, in the form that inet_ntop() gives it. */
static bool
get_address(const struct reading *reading, int family, uint8_t *address, enum field field)
{
	char text[INET6_ADDRSTRLEN], canonical[INET6_ADDRSTRLEN];
	size_t byte_count = reading->byte_count[field];
	uint8_t octets[16];

	if (byte_count == 0 || byte_count >= sizeof(text) || memchr(reading->text[field], '\0', byte_count) != NULL)
		return false;
	memcpy(text, reading->text[field], byte_count);
	text[byte_count] = '\0';
	if (inet_pton(family, text, octets) != 1 || inet_ntop(family, octets, canonical, sizeof(canonical)) == NULL ||
	    strcmp(text, canonical) != 0)
		return false;
	memcpy(address, octets, family == AF_INET ? 4 : 16);
	return true;
}

static bool
get_imsi(const struct reading *reading, char imsi[16])
{
	const char *text = reading->text[FIELD_IMSI];
	size_t digits = reading->byte_count[FIELD_IMSI];

	if (digits < 6 || digits > 15)
		return refuse(reading, FIELD_IMSI, "6 to 15 digits");
	for (size_t i = 0; i < digits; i++) {
		if (text[i] < '0' || text[i] > '9')
			return refuse(reading, FIELD_IMSI, "6 to 15 digits");
	}
	memcpy(imsi, text, digits);
	imsi[digits] = '\0';
	return true;
}

static bool
get_profile(const struct reading *reading, enum fan_profile *profile)
{
	char name[32];
	size_t byte_count = reading->byte_count[FIELD_PROFILE];
	int found = FAN_E_NOT_FOUND;

	if (byte_count < sizeof(name) && memchr(reading->text[FIELD_PROFILE], '\0', byte_count) == NULL) {
		memcpy(name, reading->text[FIELD_PROFILE], byte_count);
		name[byte_count] = '\0';
		found = fan_profile_find(name);
	}
	if (found < 0)
		return refuse(reading, FIELD_PROFILE, "no such profile");
	*profile = (enum fan_profile)found;
	return true;
}

static bool
get_integrity(const struct reading *reading, uint8_t *integrity, enum fan_kind kind)
{
	uint64_t number;
	bool none = reading->byte_count[FIELD_INTEGRITY] == 4 && memcmp(reading->text[FIELD_INTEGRITY], "none", 4) == 0;

	if (kind == FAN_KIND_MBMS) {
		*integrity = FAN_INTEGRITY_HMAC_SHA_1;
		return get_number(reading, &number, FIELD_INTEGRITY, FAN_INTEGRITY_HMAC_SHA_1, FAN_INTEGRITY_HMAC_SHA_1);
	}
	if (!none && is_lte_pdcp(kind))
		return refuse(reading, FIELD_INTEGRITY, "none for LTE bearers");
	if (none && fan_kind_is_nas(kind))
		return refuse(reading, FIELD_INTEGRITY, "0 to 3 for NAS, which is never without");
	if (none) {
		*integrity = FAN_INTEGRITY_NONE;
		return true;
	}
	if (!get_number(reading, &number, FIELD_INTEGRITY, 0, FAN_ALGORITHM_MAX))
		return refuse(reading, FIELD_INTEGRITY, "0 to 3, or none");
	*integrity = (uint8_t)number;
	return true;
}

static bool
get_protection(const struct reading *reading, struct fan_contexts_row *row, enum fan_kind kind)
{
	uint64_t number;

	if (!get_number(reading, &number, FIELD_CIPHER, kind == FAN_KIND_MBMS ? 2 : 0,
			kind == FAN_KIND_MBMS ? 2 : FAN_ALGORITHM_MAX))
		return false;
	row->cipher = (uint8_t)number;
	if (!get_integrity(reading, &row->integrity, kind))
		return false;
	row->keyless = reading->byte_count[FIELD_K_ENC] == 0 && reading->byte_count[FIELD_K_INT] == 0;
	if (row->keyless)
		return true;
	if (!get_key(reading, row->k_enc, FIELD_K_ENC))
		return false;
	if (row->integrity == FAN_INTEGRITY_NONE)
		return get_empty(reading, FIELD_K_INT, "empty where integrity is none");
	return get_key(reading, row->k_int, FIELD_K_INT);
}

/* A key would be kept, and protect nothing. */
static bool
get_no_protection(const struct reading *reading, struct fan_contexts_row *row)
{
	uint64_t zero;

	row->integrity = FAN_INTEGRITY_NONE;
	return get_number(reading, &zero, FIELD_CIPHER, 0, 0) &&
	       ((reading->byte_count[FIELD_INTEGRITY] == 4 && memcmp(reading->text[FIELD_INTEGRITY], "none", 4) == 0) ||
		refuse(reading, FIELD_INTEGRITY, "none for sgi-ip")) &&
	       get_empty(reading, FIELD_K_ENC, "empty for sgi-ip, where Fanfare protects nothing") &&
	       get_empty(reading, FIELD_K_INT, "empty for sgi-ip, where Fanfare protects nothing") &&
	       get_number(reading, &zero, FIELD_COUNT, 0, 0) && get_number(reading, &zero, FIELD_BEARER, 0, 0) &&
	       get_number(reading, &zero, FIELD_DIRECTION, DIRECTION_DOWNLINK, DIRECTION_DOWNLINK);
}

static bool
get_counters(const struct reading *reading, struct fan_contexts_row *row, enum fan_kind kind)
{
	uint64_t count, bearer, direction;
	uint64_t bearer_first = kind == FAN_KIND_5GS_NAS ? 1 : 0; /* 1: 3GPP access, 2: non-3GPP (TS 33.501 6.4.2.2) */
	uint64_t bearer_last = kind == FAN_KIND_EPS_NAS || kind == FAN_KIND_MBMS ? 0 : kind == FAN_KIND_5GS_NAS ? 2 : 31;

	if (!get_number(reading, &count, FIELD_COUNT, 0, fan_kind_is_nas(kind) ? 0xffffff : UINT32_MAX) ||
	    !get_number(reading, &bearer, FIELD_BEARER, bearer_first, bearer_last) ||
	    !get_number(reading, &direction, FIELD_DIRECTION, DIRECTION_DOWNLINK, DIRECTION_DOWNLINK))
		return false;
	row->count = (uint32_t)count;
	row->bearer = (uint8_t)bearer;
	return true;
}

static bool
get_nas_place(const struct reading *reading, struct fan_contexts_row *row, bool five_g)
{
	uint64_t ran_ue_id;

	if (!get_empty(reading, FIELD_TEID, "empty for NAS") || !get_empty(reading, FIELD_UE_IP, "empty for NAS") ||
	    !get_number(reading, &row->mme_ue_id, FIELD_MME_UE_ID, 0, five_g ? (1ULL << 40) - 1 : UINT32_MAX) ||
	    !get_number(reading, &ran_ue_id, FIELD_RAN_UE_ID, 0, five_g ? UINT32_MAX : 0xffffff))
		return false;
	row->ran_ue_id = (uint32_t)ran_ue_id;
	return true;
}

static bool
get_bearer_place(const struct reading *reading, struct fan_contexts_row *row)
{
	uint64_t teid;

	if (!get_number(reading, &teid, FIELD_TEID, 1, UINT32_MAX) ||
	    !get_empty(reading, FIELD_MME_UE_ID, "empty for bearers") ||
	    !get_empty(reading, FIELD_RAN_UE_ID, "empty for bearers"))
		return false;
	row->teid = (uint32_t)teid;
	return get_address(reading, AF_INET, row->ue_ip, FIELD_UE_IP) || refuse(reading, FIELD_UE_IP, "an IPv4 address");
}

/* A host that an IPv4 packet can be meant for alone (RFC 6890). */
static bool
is_unicast(const uint8_t address[4])
{
	return address[0] != 0 && address[0] != 127 && address[0] < 224;
}

static bool
get_packet_place(const struct reading *reading, struct fan_contexts_row *row)
{
	static const char rule[] = "empty for sgi-ip and mbms-msk";

	if (!get_empty(reading, FIELD_TEID, rule) || !get_empty(reading, FIELD_MME_UE_ID, rule) ||
	    !get_empty(reading, FIELD_RAN_UE_ID, rule))
		return false;
	return (get_address(reading, AF_INET, row->ue_ip, FIELD_UE_IP) && is_unicast(row->ue_ip)) ||
	       refuse(reading, FIELD_UE_IP, "a unicast IPv4 address");
}

static bool
get_place(const struct reading *reading, struct fan_contexts_row *row, enum fan_kind kind)
{
	if (fan_kind_is_nas(kind))
		return get_nas_place(reading, row, kind == FAN_KIND_5GS_NAS);
	return fan_kind_is_bearer(kind) ? get_bearer_place(reading, row) : get_packet_place(reading, row);
}

static bool
get_next_hop(const struct reading *reading, struct fan_contexts_row *row)
{
	if (get_address(reading, AF_INET, row->next_hop, FIELD_NEXT_HOP))
		return true;
	row->ipv6 = true;
	return get_address(reading, AF_INET6, row->next_hop, FIELD_NEXT_HOP) ||
	       refuse(reading, FIELD_NEXT_HOP, "an IPv4 address, or an IPv6 address in its shortest form");
}

bool
fan_contexts_csv_parse_keyless(struct fan_contexts_row *row, char *wrong, size_t wrong_bytes, const char *line,
			       size_t line_bytes)
{
	struct reading reading = { .wrong = wrong, .wrong_bytes = wrong_bytes };
	enum fan_kind kind;
	uint64_t ue;

	memset(row, 0, sizeof(*row));
	if (!split(&reading, line, line_bytes) || !get_number(&reading, &ue, FIELD_UE, 0, UINT32_MAX) ||
	    !get_imsi(&reading, row->imsi) || !get_profile(&reading, &row->profile))
		return false;
	row->ue = (uint32_t)ue;
	kind = fan_profile_kind(row->profile);
	if (fan_kind_is_plain(kind) ? !get_no_protection(&reading, row)
				    : !get_protection(&reading, row, kind) || !get_counters(&reading, row, kind))
		return false;
	return get_place(&reading, row, kind) && get_next_hop(&reading, row);
}

bool
fan_contexts_csv_parse(struct fan_contexts_row *row, char *wrong, size_t wrong_bytes, const char *line, size_t line_bytes)
{
	const struct reading reading = { .wrong = wrong, .wrong_bytes = wrong_bytes };

	if (!fan_contexts_csv_parse_keyless(row, wrong, wrong_bytes, line, line_bytes))
		return false;
	return !row->keyless || refuse(&reading, FIELD_K_ENC, "a key is 32 lower-case hex digits");
}

/* One line without LF. Returns its octets, -1 at the end of the file, -2 when it is longer than any row. */
static long
read_line(FILE *file, char *line)
{
	long byte_count = 0;
	int octet;

	while ((octet = getc_unlocked(file)) != EOF && octet != '\n') {
		if (byte_count == FAN_CONTEXTS_CSV_LINE_MAX)
			return -2;
		line[byte_count++] = (char)octet;
	}
	return octet == EOF && byte_count == 0 ? -1 : byte_count;
}

/* Puts "line N: " before what is wrong. */
static int
refuse_line(uint64_t line_number, char *wrong, size_t wrong_bytes, const char *rule)
{
	char text[192];

	snprintf(text, sizeof(text), "%s", rule);
	snprintf(wrong, wrong_bytes, "line %llu: %s", (unsigned long long)line_number, text);
	return -1;
}

int
fan_contexts_csv_read(FILE *file, struct fan_contexts_row *row, uint64_t *line_number, char *wrong, size_t wrong_bytes)
{
	char line[FAN_CONTEXTS_CSV_LINE_MAX], rule[192];
	long line_bytes;

	if (*line_number == 0) {
		line_bytes = read_line(file, line);
		*line_number = 1;
		if (line_bytes != (long)strlen(FAN_CONTEXTS_CSV_HEADER) ||
		    memcmp(line, FAN_CONTEXTS_CSV_HEADER, strlen(FAN_CONTEXTS_CSV_HEADER)) != 0)
			return refuse_line(1, wrong, wrong_bytes, "the first line must be " FAN_CONTEXTS_CSV_HEADER);
	}
	line_bytes = read_line(file, line);
	if (ferror(file))
		return refuse_line(*line_number + 1, wrong, wrong_bytes, "the file cannot be read");
	if (line_bytes == -1)
		return *line_number > 1 ? 0 : refuse_line(1, wrong, wrong_bytes, "the file holds no row");
	++*line_number;
	if (line_bytes == -2)
		return refuse_line(*line_number, wrong, wrong_bytes, "longer than any row");
	if (line_bytes > 0 && line[line_bytes - 1] == '\r')
		return refuse_line(*line_number, wrong, wrong_bytes, "ends with CR LF: lines end with LF alone");
	if (!fan_contexts_csv_parse(row, rule, sizeof(rule), line, (size_t)line_bytes))
		return refuse_line(*line_number, wrong, wrong_bytes, rule);
	return 1;
}
