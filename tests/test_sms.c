/* SPDX-License-Identifier: BSD-3-Clause */
/* The decoder here is the test's own and works bit by bit: it shares neither code nor tables with the encoder. */
#include "../dataplane/pdu/sms.h"
#include "batch.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* 2026-01-02 03:04:05 UTC and its TP-SCTS */
#define MOMENT_S 1767323045
#define MOMENT_SCTS "62102030405000"

enum { TEXT_BYTES_MAX = 120000 };

static struct fan_test_random random_state;

static unsigned
random_below(unsigned limit)
{
	return fan_test_random_below(&random_state, limit);
}

static struct fan_message
message_of(const void *bytes, size_t byte_count)
{
	return (struct fan_message){ .bytes = bytes, .byte_count = byte_count, .timestamp_s = MOMENT_S, .sdap_qfi = -1 };
}

static void
to_hex(char *hex, const uint8_t *octets, size_t octet_count)
{
	hex[0] = '\0';
	for (size_t i = 0; i < octet_count; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned)octets[i]);
}

/* ---- Golden octets, derived by hand from the tables of the standards --------------------------------------------------- */

/* CP-DATA and RP-DATA header with the default service centre +10000000000; TP-OA "GroupMsg" */
#define CENTRE "07910100000000f0"
#define GROUP "0ed047f9bb0e6fcecf"

static const struct {
	const char *text;
	size_t byte_count;
	const char *originator, *service_centre;
	bool device_trigger;
	uint16_t application_port;
	const char *cp_data;
} goldens[] = {
	{ "hellohello", 10, NULL, NULL, false, 0,
	  "090129"
	  "0100" CENTRE "00"
	  "1d"
	  "04" GROUP "0000" MOMENT_SCTS "0a"
	  "e8329bfd4697d9ec37" },
	/* 7 octets of header end on a septet boundary: no fill bits, 8 septets and one */
	{ "A", 1, "+491234567", NULL, true, 0x1234,
	  "090126"
	  "0100" CENTRE "00"
	  "1a"
	  "44"
	  "099194214365f7"
	  "4800" MOMENT_SCTS "09"
	  "06050412340000"
	  "41" },
	/* U+0436, U+1F600 as D83D DE00 */
	{ "\xd0\xb6\xf0\x9f\x98\x80", 6, "12345", NULL, false, 0,
	  "090122"
	  "0100" CENTRE "00"
	  "16"
	  "04"
	  "05812143f5"
	  "0008" MOMENT_SCTS "06"
	  "0436d83dde00" },
	{ "\x00\xff\x80", 3, NULL, "+123", false, 0,
	  "09011f"
	  "0100"
	  "039121f3"
	  "00"
	  "17"
	  "04" GROUP "0004" MOMENT_SCTS "03"
	  "00ff80" },
	/* euro, [, @, u umlaut: 1B 65 1B 3C 00 7E */
	{ "\xe2\x82\xac[@\xc3\xbc", 7, NULL, NULL, false, 0,
	  "090126"
	  "0100" CENTRE "00"
	  "1a"
	  "04" GROUP "0000" MOMENT_SCTS "06"
	  "9bf28607f003" },
	/* 8-bit data with a port */
	{ "\xff", 1, "1", NULL, true, 0xffff,
	  "090122"
	  "0100" CENTRE "00"
	  "16"
	  "44"
	  "0181f1"
	  "4804" MOMENT_SCTS "08"
	  "060504ffff0000"
	  "ff" },
};

Test(sms, golden_octets)
{
	char hex[2 * FAN_CP_DATA_BYTES_MAX + 1];

	for (size_t i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++) {
		struct fan_message message = message_of(goldens[i].text, goldens[i].byte_count);
		struct fan_sms sms;

		message.originator = goldens[i].originator;
		message.service_centre = goldens[i].service_centre;
		message.device_trigger = goldens[i].device_trigger;
		message.application_port = goldens[i].application_port;
		cr_assert_eq(fan_sms_encode(&sms, &message), 0, "row %zu: %s", i, fan_error_detail());
		cr_assert_eq(sms.part_count, 1);
		to_hex(hex, sms.parts[0].cp_data, sms.parts[0].byte_count);
		cr_expect_str_eq(hex, goldens[i].cp_data, "row %zu: %s", i, hex);
		fan_sms_free(&sms);
		fan_sms_free(&sms);
	}
}

/* ---- Decoder ----------------------------------------------------------------------------------------------------------- */

/* TS 23.038 6.2.1 in the order of its rows, as UTF-8 */
static const char alphabet_text[] = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1b"
				    "ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
				    "abcdefghijklmnopqrstuvwxyzäöñüà";

static const struct {
	uint8_t septet;
	const char *text;
} extension_text[] = { { 0x0a, "\f" }, { 0x14, "^" }, { 0x28, "{" }, { 0x29, "}" }, { 0x2f, "\\" },
		       { 0x3c, "[" },  { 0x3d, "~" }, { 0x3e, "]" }, { 0x40, "|" }, { 0x65, "€" } };

struct decoded {
	uint8_t *bytes; /* text so far, as UTF-8 or octets */
	size_t byte_count;
	uint8_t first_octet, pid, dcs, scts[7];
	uint8_t originator[12];
	unsigned originator_bytes, udl, units;
	int reference, part_total, part_number; /* -1: no concatenation element */
	int destination_port, source_port;      /* -1: no port element */
};

/* The n-th character of a UTF-8 text, its length in *octets. */
static const char *
nth_character(const char *text, unsigned n, size_t *octets)
{
	for (;; n--) {
		*octets = 1;
		while ((text[*octets] & 0xc0) == 0x80)
			++*octets;
		if (n == 0)
			return text;
		text += *octets;
	}
}

static unsigned
bit_at(const uint8_t *octets, size_t bit)
{
	return ((unsigned)octets[bit / 8] >> bit % 8) & 1U;
}

static unsigned
septet_at(const uint8_t *octets, size_t first_bit)
{
	unsigned septet = 0;

	for (unsigned i = 0; i < 7; i++)
		septet |= bit_at(octets, first_bit + i) << i;
	return septet;
}

static void
add_text(struct decoded *decoded, const void *text, size_t byte_count)
{
	cr_assert_leq(decoded->byte_count + byte_count, TEXT_BYTES_MAX);
	memcpy(decoded->bytes + decoded->byte_count, text, byte_count);
	decoded->byte_count += byte_count;
}

static void
add_code_point(struct decoded *decoded, uint32_t c)
{
	uint8_t utf8[4];

	if (c < 0x80) {
		add_text(decoded, (const uint8_t[]){ (uint8_t)c }, 1);
		return;
	}
	utf8[0] = (uint8_t)(c < 0x800 ? 0xc0 | c >> 6 : c < 0x10000 ? 0xe0 | c >> 12 : 0xf0 | c >> 18);
	utf8[1] = (uint8_t)(0x80 | (c < 0x800 ? c & 63 : c < 0x10000 ? c >> 6 & 63 : c >> 12 & 63));
	utf8[2] = (uint8_t)(0x80 | (c < 0x10000 ? c & 63 : c >> 6 & 63));
	utf8[3] = (uint8_t)(0x80 | (c & 63));
	add_text(decoded, utf8, c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
}

static void
read_gsm7(struct decoded *decoded, const uint8_t *user_data, unsigned header_bytes)
{
	unsigned header_septets = (header_bytes * 8 + 6) / 7;
	size_t octets, end = 7 * (size_t)decoded->udl;
	const char *character;

	for (size_t bit = 8 * (size_t)header_bytes; bit < 7 * (size_t)header_septets; bit++)
		cr_assert_eq(bit_at(user_data, bit), 0, "a fill bit is set");
	for (size_t bit = end; bit % 8 != 0; bit++)
		cr_assert_eq(bit_at(user_data, bit), 0, "an unused bit is set");
	decoded->units = decoded->udl - header_septets;
	for (unsigned i = header_septets; i < decoded->udl; i++) {
		unsigned septet = septet_at(user_data, 7 * (size_t)i);

		if (septet != 0x1b) {
			character = nth_character(alphabet_text, septet, &octets);
			add_text(decoded, character, octets);
			continue;
		}
		cr_assert_lt(++i, decoded->udl, "an escape ends a part");
		septet = septet_at(user_data, 7 * (size_t)i);
		character = NULL;
		for (size_t j = 0; j < sizeof(extension_text) / sizeof(extension_text[0]); j++)
			if (extension_text[j].septet == septet)
				character = extension_text[j].text;
		cr_assert_not_null(character, "no extension %02x", septet);
		add_text(decoded, character, strlen(character));
	}
}

static void
read_ucs2(struct decoded *decoded, const uint8_t *at, unsigned byte_count)
{
	cr_assert_eq(byte_count % 2, 0);
	decoded->units = byte_count / 2;
	for (unsigned i = 0; i < byte_count; i += 2) {
		uint32_t c = (uint32_t)at[i] * 256 + at[i + 1];

		cr_assert(c < 0xdc00 || c > 0xdfff, "a part begins in the middle of a pair");
		if (c >= 0xd800 && c < 0xdc00) {
			uint32_t low;

			i += 2;
			cr_assert_lt(i, byte_count, "half a pair ends a part");
			low = (uint32_t)at[i] * 256 + at[i + 1];
			cr_assert(low >= 0xdc00 && low <= 0xdfff);
			c = 0x10000 + (c - 0xd800) * 1024 + (low - 0xdc00);
		}
		add_code_point(decoded, c);
	}
}

/* Returns octets of the header, length octet included. */
static unsigned
read_header(struct decoded *decoded, const uint8_t *user_data)
{
	unsigned end = 1U + user_data[0], at = 1;

	while (at < end) {
		const uint8_t *element = user_data + at;

		at += 2U + element[1];
		cr_assert_leq(at, end);
		if (element[0] == 0x00) {
			cr_assert_eq(element[1], 3);
			decoded->reference = element[2];
			decoded->part_total = element[3];
			decoded->part_number = element[4];
		} else {
			cr_assert_eq(element[0], 0x05);
			cr_assert_eq(element[1], 4);
			decoded->destination_port = element[2] * 256 + element[3];
			decoded->source_port = element[4] * 256 + element[5];
		}
	}
	return end;
}

static void
read_tpdu(struct decoded *decoded, const uint8_t *tpdu, unsigned tpdu_bytes)
{
	const uint8_t *at = tpdu;
	unsigned header_bytes = 0, user_data_bytes;

	decoded->first_octet = *at++;
	cr_assert_eq(decoded->first_octet & 0xbb, 0, "only TP-UDHI and TP-MMS may be set");
	decoded->originator_bytes = 2U + (at[0] + 1U) / 2;
	cr_assert_leq(decoded->originator_bytes, 12);
	memcpy(decoded->originator, at, decoded->originator_bytes);
	at += decoded->originator_bytes;
	decoded->pid = *at++;
	decoded->dcs = *at++;
	memcpy(decoded->scts, at, 7);
	at += 7;
	decoded->udl = *at++;
	user_data_bytes = decoded->dcs == 0 ? (decoded->udl * 7 + 7) / 8 : decoded->udl;
	cr_assert_leq(user_data_bytes, 140);
	cr_assert_eq((unsigned)(at - tpdu) + user_data_bytes, tpdu_bytes);
	decoded->reference = decoded->part_total = decoded->part_number = -1;
	decoded->destination_port = decoded->source_port = -1;
	if (decoded->first_octet & 0x40)
		header_bytes = read_header(decoded, at);
	if (decoded->dcs == 0) {
		read_gsm7(decoded, at, header_bytes);
	} else if (decoded->dcs == 8) {
		read_ucs2(decoded, at + header_bytes, user_data_bytes - header_bytes);
	} else {
		cr_assert_eq(decoded->dcs, 4);
		decoded->units = user_data_bytes - header_bytes;
		add_text(decoded, at + header_bytes, decoded->units);
	}
}

static void
read_part(struct decoded *decoded, const struct fan_sms_part *part)
{
	const uint8_t *cp = part->cp_data;
	unsigned tpdu_at = 5U + 1 + cp[5] + 1 + 1;

	cr_assert_eq(cp[FAN_CP_TRANSACTION_OFFSET], 0x09);
	cr_assert_eq(cp[1], 0x01);
	cr_assert_eq(cp[2] + 3U, part->byte_count);
	cr_assert_eq(cp[3], 0x01);
	cr_assert_eq(cp[FAN_RP_REFERENCE_OFFSET], 0);
	cr_assert_eq(cp[6], 0x91);
	cr_assert_eq(cp[tpdu_at - 2], 0, "RP-DA is empty");
	cr_assert_leq(cp[tpdu_at - 1], 233);
	cr_assert_eq(tpdu_at + cp[tpdu_at - 1], part->byte_count);
	read_tpdu(decoded, cp + tpdu_at, cp[tpdu_at - 1]);
}

static unsigned
capacity_units(enum fan_coding coding, bool concatenated, bool ports)
{
	/* From the tables of TS 23.040 9.2.3.24.1 and its arithmetic for two elements, not computed as the encoder does. */
	static const unsigned capacities[3][4] = { { 160, 152, 153, 146 }, { 70, 66, 67, 64 }, { 140, 133, 134, 128 } };
	unsigned row = coding == FAN_CODING_GSM7 ? 0 : coding == FAN_CODING_UCS2 ? 1 : 2;

	return capacities[row][2 * concatenated + ports];
}

/* Checks every part and the whole against the message that was encoded. Out: the last part in *decoded. */
static void
check_sms(struct decoded *decoded, const struct fan_sms *sms, const struct fan_message *message)
{
	bool concatenated = sms->part_count > 1;
	unsigned capacity = capacity_units(sms->coding, concatenated, message->device_trigger);
	uint8_t dcs = sms->coding == FAN_CODING_GSM7 ? 0 : sms->coding == FAN_CODING_UCS2 ? 8 : 4;
	int reference = -1;

	decoded->byte_count = 0;
	cr_assert(sms->part_count >= 1 && sms->part_count <= 255);
	for (unsigned i = 0; i < sms->part_count; i++) {
		bool last = i + 1 == sms->part_count;

		read_part(decoded, &sms->parts[i]);
		cr_assert_eq(decoded->first_octet, (concatenated || message->device_trigger ? 0x40 : 0) | (last ? 0x04 : 0));
		cr_assert_eq(decoded->dcs, dcs);
		cr_assert_eq(decoded->pid, message->device_trigger ? 0x48 : 0);
		cr_assert_eq(decoded->destination_port, message->device_trigger ? message->application_port : -1);
		cr_assert_eq(decoded->source_port, message->device_trigger ? 0 : -1);
		cr_assert_eq(decoded->part_total, concatenated ? (int)sms->part_count : -1);
		cr_assert_eq(decoded->part_number, concatenated ? (int)i + 1 : -1);
		cr_assert(i == 0 || decoded->reference == reference);
		reference = decoded->reference;
		cr_assert_leq(decoded->units, capacity);
		/* A pair that did not fit leaves one unit free. */
		cr_assert(last || decoded->units + (sms->coding != FAN_CODING_8BIT) >= capacity);
	}
	cr_assert_eq(decoded->byte_count, message->byte_count);
	cr_assert_eq(memcmp(decoded->bytes, message->bytes, message->byte_count), 0);
}

/* ---- Lengths ----------------------------------------------------------------------------------------------------------- */

static uint8_t text_buffer[TEXT_BYTES_MAX], decoded_buffer[TEXT_BYTES_MAX];

static size_t
repeat(size_t at, const char *character, size_t count)
{
	size_t octets = strlen(character);

	for (size_t i = 0; i < count; i++, at += octets) {
		cr_assert_leq(at + octets, TEXT_BYTES_MAX);
		memcpy(text_buffer + at, character, octets);
	}
	return at;
}

static const struct {
	const char *character;
	unsigned count;
	bool device_trigger;
	enum fan_coding coding; /* that AUTO must choose */
	unsigned parts;         /* 0: TOO_LONG */
	unsigned last_udl;
} lengths[] = {
	{ "a", 1, false, FAN_CODING_GSM7, 1, 1 },
	{ "a", 2, false, FAN_CODING_GSM7, 1, 2 },
	{ "a", 7, false, FAN_CODING_GSM7, 1, 7 },
	{ "a", 8, false, FAN_CODING_GSM7, 1, 8 },
	{ "a", 152, false, FAN_CODING_GSM7, 1, 152 },
	{ "a", 153, false, FAN_CODING_GSM7, 1, 153 },
	{ "a", 154, false, FAN_CODING_GSM7, 1, 154 },
	{ "a", 159, false, FAN_CODING_GSM7, 1, 159 },
	{ "a", 160, false, FAN_CODING_GSM7, 1, 160 },
	{ "a", 161, false, FAN_CODING_GSM7, 2, 7 + 8 },
	{ "a", 305, false, FAN_CODING_GSM7, 2, 7 + 152 },
	{ "a", 306, false, FAN_CODING_GSM7, 2, 160 },
	{ "a", 307, false, FAN_CODING_GSM7, 3, 7 + 1 },
	{ "a", 458, false, FAN_CODING_GSM7, 3, 159 },
	{ "a", 459, false, FAN_CODING_GSM7, 3, 160 },
	{ "a", 460, false, FAN_CODING_GSM7, 4, 8 },
	{ "a", 255 * 153 - 1, false, FAN_CODING_GSM7, 255, 159 },
	{ "a", 255 * 153, false, FAN_CODING_GSM7, 255, 160 },
	{ "a", 255 * 153 + 1, false, FAN_CODING_GSM7, 0, 0 },
	{ "Δ", 255 * 153, false, FAN_CODING_GSM7, 255, 160 },
	{ "Δ", 255 * 153 + 1, false, FAN_CODING_GSM7, 0, 0 },
	{ "a", 151, true, FAN_CODING_GSM7, 1, 159 },
	{ "a", 152, true, FAN_CODING_GSM7, 1, 160 },
	{ "a", 153, true, FAN_CODING_GSM7, 2, 14 + 7 },
	{ "a", 292, true, FAN_CODING_GSM7, 2, 160 },
	{ "a", 293, true, FAN_CODING_GSM7, 3, 15 },
	{ "a", 255 * 146, true, FAN_CODING_GSM7, 255, 160 },
	{ "a", 255 * 146 + 1, true, FAN_CODING_GSM7, 0, 0 },
	/* an escaped character is two septets: 76 of them in the 153 of a part */
	{ "€", 80, false, FAN_CODING_GSM7, 1, 160 },
	{ "€", 81, false, FAN_CODING_GSM7, 2, 7 + 10 },
	{ "€", 152, false, FAN_CODING_GSM7, 2, 159 },
	{ "€", 153, false, FAN_CODING_GSM7, 3, 9 },
	{ "€", 255 * 76, false, FAN_CODING_GSM7, 255, 159 },
	{ "€", 255 * 76 + 1, false, FAN_CODING_GSM7, 0, 0 },
	{ "{", 255 * 73, true, FAN_CODING_GSM7, 255, 160 },
	{ "{", 255 * 73 + 1, true, FAN_CODING_GSM7, 0, 0 },
	{ "ж", 1, false, FAN_CODING_UCS2, 1, 2 },
	{ "ж", 69, false, FAN_CODING_UCS2, 1, 138 },
	{ "ж", 70, false, FAN_CODING_UCS2, 1, 140 },
	{ "ж", 71, false, FAN_CODING_UCS2, 2, 6 + 8 },
	{ "ж", 134, false, FAN_CODING_UCS2, 2, 140 },
	{ "ж", 135, false, FAN_CODING_UCS2, 3, 8 },
	{ "ж", 255 * 67, false, FAN_CODING_UCS2, 255, 140 },
	{ "中", 255 * 67 + 1, false, FAN_CODING_UCS2, 0, 0 },
	{ "ж", 66, true, FAN_CODING_UCS2, 1, 139 },
	{ "ж", 67, true, FAN_CODING_UCS2, 2, 12 + 6 },
	{ "ж", 128, true, FAN_CODING_UCS2, 2, 140 },
	{ "ж", 129, true, FAN_CODING_UCS2, 3, 14 },
	/* a pair is two units: 33 of them in the 67 of a part */
	{ "😀", 35, false, FAN_CODING_UCS2, 1, 140 },
	{ "😀", 36, false, FAN_CODING_UCS2, 2, 6 + 12 },
	{ "😀", 66, false, FAN_CODING_UCS2, 2, 138 },
	{ "😀", 67, false, FAN_CODING_UCS2, 3, 10 },
	{ "😀", 255 * 33, false, FAN_CODING_UCS2, 255, 138 },
	{ "😀", 255 * 33 + 1, false, FAN_CODING_UCS2, 0, 0 },
	{ "\xff", 1, false, FAN_CODING_8BIT, 1, 1 },
	{ "\xff", 139, false, FAN_CODING_8BIT, 1, 139 },
	{ "\xff", 140, false, FAN_CODING_8BIT, 1, 140 },
	{ "\xff", 141, false, FAN_CODING_8BIT, 2, 6 + 7 },
	{ "\xff", 268, false, FAN_CODING_8BIT, 2, 140 },
	{ "\xff", 269, false, FAN_CODING_8BIT, 3, 7 },
	{ "\xff", 255 * 134, false, FAN_CODING_8BIT, 255, 140 },
	{ "\xff", 255 * 134 + 1, false, FAN_CODING_8BIT, 0, 0 },
	{ "\xff", 133, true, FAN_CODING_8BIT, 1, 140 },
	{ "\xff", 134, true, FAN_CODING_8BIT, 2, 12 + 6 },
	{ "\xff", 256, true, FAN_CODING_8BIT, 2, 140 },
	{ "\xff", 257, true, FAN_CODING_8BIT, 3, 13 },
	{ "a", 100000, false, FAN_CODING_GSM7, 0, 0 },
};

Test(sms, lengths_at_every_edge)
{
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct fan_message message = message_of(text_buffer, repeat(0, lengths[i].character, lengths[i].count));
		struct decoded decoded = { .bytes = decoded_buffer };
		struct fan_sms sms;
		int error;

		message.device_trigger = lengths[i].device_trigger;
		message.application_port = 9200;
		error = fan_sms_encode(&sms, &message);
		if (lengths[i].parts == 0) {
			cr_assert_eq(error, FAN_E_TOO_LONG, "row %zu", i);
			cr_assert_not_null(strstr(fan_error_detail(), "255"), "row %zu: %s", i, fan_error_detail());
			cr_assert_null(sms.parts);
			cr_assert_eq(sms.part_count, 0);
			continue;
		}
		cr_assert_eq(error, 0, "row %zu: %s", i, fan_error_detail());
		cr_assert_eq(sms.coding, lengths[i].coding, "row %zu", i);
		cr_assert_eq(sms.part_count, lengths[i].parts, "row %zu: %u parts", i, sms.part_count);
		check_sms(&decoded, &sms, &message);
		cr_assert_eq(decoded.udl, lengths[i].last_udl, "row %zu: %u", i, decoded.udl);
		fan_sms_free(&sms);
	}
}

Test(sms, too_long_names_count_and_limit)
{
	struct fan_message message = message_of(text_buffer, repeat(0, "a", 255 * 153 + 1));
	struct fan_sms sms;

	cr_assert_eq(fan_sms_encode(&sms, &message), FAN_E_TOO_LONG);
	cr_assert_str_eq(fan_error_detail(), "message takes 256 short messages of 153 septets in GSM 7-bit; the limit is 255");
}

static const struct {
	unsigned before;   /* characters before the pair */
	const char *plain; /* ... of one unit each */
	const char *pair;
	unsigned after;
	unsigned first_units; /* of the first part */
	unsigned parts;
} borders[] = {
	{ 158, "a", "€", 0, 160, 1 },   { 159, "a", "€", 0, 153, 2 },
	{ 151, "a", "€", 100, 153, 2 }, { 152, "a", "€", 100, 152, 2 },
	{ 153, "a", "€", 100, 153, 2 }, { 152, "a", "€", 152, 152, 3 }, /* one unit lost at the border makes a third part */
	{ 152, "a", "€", 151, 152, 2 }, { 68, "ж", "😀", 0, 70, 1 },
	{ 69, "ж", "😀", 0, 67, 2 },     { 65, "ж", "😀", 20, 67, 2 },
	{ 66, "ж", "😀", 20, 66, 2 },    { 67, "ж", "😀", 20, 67, 2 },
	{ 66, "ж", "😀", 65, 66, 2 },    { 66, "ж", "😀", 66, 66, 3 },
};

Test(sms, pairs_stay_together_at_part_borders)
{
	for (size_t i = 0; i < sizeof(borders) / sizeof(borders[0]); i++) {
		size_t byte_count = repeat(0, borders[i].plain, borders[i].before);
		struct fan_message message = message_of(text_buffer, 0);
		struct decoded decoded = { .bytes = decoded_buffer };
		struct fan_sms sms;

		byte_count = repeat(byte_count, borders[i].pair, 1);
		message.byte_count = repeat(byte_count, borders[i].plain, borders[i].after);
		cr_assert_eq(fan_sms_encode(&sms, &message), 0);
		cr_assert_eq(sms.part_count, borders[i].parts, "row %zu", i);
		check_sms(&decoded, &sms, &message);
		read_part(&decoded, &sms.parts[0]);
		cr_assert_eq(decoded.units, borders[i].first_units, "row %zu: %u", i, decoded.units);
		fan_sms_free(&sms);
	}
}

/* Header of 6 octets, one fill bit, then the text: "a", 0x61, from bit 49 on is C2; the next two from bit 56 on are E1 30. */
Test(sms, fill_bit_after_the_concatenation_element)
{
	struct fan_message message = message_of(text_buffer, repeat(0, "a", 161));
	struct fan_sms sms;
	char hex[2 * 9 + 1];

	setenv("SOURCE_DATE_EPOCH", "66", 1);
	cr_assert_eq(fan_sms_encode(&sms, &message), 0);
	cr_assert_eq(sms.part_count, 2);
	to_hex(hex, sms.parts[0].cp_data + sms.parts[0].byte_count - 141, 9);
	cr_assert_str_eq(hex, "a0"
			      "050003420201"
			      "c2e1");
	/* 15 septets are 14 octets */
	to_hex(hex, sms.parts[1].cp_data + sms.parts[1].byte_count - 15, 9);
	cr_assert_str_eq(hex, "0f"
			      "050003420202"
			      "c2e1");
	fan_sms_free(&sms);
}

/* ---- Coding ------------------------------------------------------------------------------------------------------------ */

#define AUTO FAN_CODING_AUTO
#define GSM7 FAN_CODING_GSM7
#define UCS2 FAN_CODING_UCS2
#define DATA FAN_CODING_8BIT

static const struct {
	const char *bytes;
	size_t byte_count;
	enum fan_coding asked, used; /* used AUTO: refused */
	const char *detail;
} codings[] = {
	{ "line\r\nline", 10, AUTO, GSM7, NULL },
	{ "@£Δß", 7, AUTO, GSM7, NULL },
	{ "`", 1, AUTO, UCS2, NULL },
	{ "ç", 2, AUTO, UCS2, NULL },
	{ "Ç", 2, AUTO, GSM7, NULL },
	{ "a\tb", 3, AUTO, UCS2, NULL },
	{ "a\0b", 3, AUTO, DATA, NULL },
	{ "\x1b", 1, AUTO, DATA, NULL },
	{ "\f", 1, AUTO, DATA, NULL },
	{ "\x7f", 1, AUTO, DATA, NULL },
	{ "\xc2\x80", 2, AUTO, DATA, NULL },
	{ "\xc2\x9f", 2, AUTO, DATA, NULL },
	{ "\xc2\xa0", 2, AUTO, UCS2, NULL },
	{ "\xef\xbf\xbf", 3, AUTO, UCS2, NULL },
	{ "\xf4\x8f\xbf\xbf", 4, AUTO, UCS2, NULL },
	{ "\xed\x9f\xbf", 3, AUTO, UCS2, NULL },
	{ "\xee\x80\x80", 3, AUTO, UCS2, NULL },
	/* not UTF-8: stray continuation, cut short, overlong, surrogate, beyond U+10FFFF, no such lead */
	{ "\x80", 1, AUTO, DATA, NULL },
	{ "\xc3", 1, AUTO, DATA, NULL },
	{ "\xc3(", 2, AUTO, DATA, NULL },
	{ "\xe2\x82", 2, AUTO, DATA, NULL },
	{ "\xe2\x82(", 3, AUTO, DATA, NULL },
	{ "\xf0\x9f\x98", 3, AUTO, DATA, NULL },
	{ "\xc0\x80", 2, AUTO, DATA, NULL },
	{ "\xc1\xbf", 2, AUTO, DATA, NULL },
	{ "\xe0\x9f\xbf", 3, AUTO, DATA, NULL },
	{ "\xf0\x8f\xbf\xbf", 4, AUTO, DATA, NULL },
	{ "\xed\xa0\x80", 3, AUTO, DATA, NULL },
	{ "\xed\xbf\xbf", 3, AUTO, DATA, NULL },
	{ "\xf4\x90\x80\x80", 4, AUTO, DATA, NULL },
	{ "\xf8\x88\x80\x80\x80", 5, AUTO, DATA, NULL },
	{ "\xff", 1, AUTO, DATA, NULL },
	{ "abc", 3, GSM7, GSM7, NULL },
	{ "\f", 1, GSM7, GSM7, NULL },
	{ "abc", 3, UCS2, UCS2, NULL },
	{ "a\0b", 3, UCS2, UCS2, NULL },
	{ "abc", 3, DATA, DATA, NULL },
	{ "ж", 2, DATA, DATA, NULL },
	{ "ab\xff", 3, GSM7, AUTO, "octet 2" },
	{ "ab\xff", 3, UCS2, AUTO, "octet 2" },
	{ "abc\xe2\x82", 5, UCS2, AUTO, "octet 3" },
	{ "a\xc3\xa4ж", 5, GSM7, AUTO, "U+0436 at octet 3" },
	{ "😀", 4, GSM7, AUTO, "U+1F600 at octet 0" },
	{ "ab\x1b", 3, GSM7, AUTO, "U+001B at octet 2" },
	{ "\0", 1, GSM7, AUTO, "U+0000 at octet 0" },
	{ "\xef\xbf\xbf", 3, GSM7, AUTO, "U+FFFF at octet 0" },
	{ "abc", 3, (enum fan_coding)4, AUTO, "coding 4" },
	{ "abc", 3, (enum fan_coding) - 1, AUTO, "coding -1" },
	{ "", 0, AUTO, AUTO, "empty" },
	{ NULL, 5, AUTO, AUTO, "empty" },
};

Test(sms, coding_chosen_or_refused)
{
	for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
		struct fan_message message = message_of(codings[i].bytes, codings[i].byte_count);
		struct decoded decoded = { .bytes = decoded_buffer };
		struct fan_sms sms;
		int error;

		message.coding = codings[i].asked;
		error = fan_sms_encode(&sms, &message);
		if (codings[i].used == AUTO) {
			cr_assert_eq(error, FAN_E_INVALID, "row %zu", i);
			cr_assert_not_null(strstr(fan_error_detail(), codings[i].detail), "row %zu: %s", i, fan_error_detail());
			cr_assert_null(sms.parts);
			continue;
		}
		cr_assert_eq(error, 0, "row %zu: %s", i, fan_error_detail());
		cr_assert_eq(sms.coding, codings[i].used, "row %zu: %d", i, (int)sms.coding);
		check_sms(&decoded, &sms, &message);
		fan_sms_free(&sms);
	}
}

Test(sms, whole_gsm_alphabet)
{
	struct decoded decoded = { .bytes = decoded_buffer };
	struct fan_message message;
	struct fan_sms sms;
	size_t byte_count = 0, octets;

	for (unsigned septet = 0; septet < 128; septet++) {
		const char *character = nth_character(alphabet_text, septet, &octets);

		if (septet == 0x1b)
			continue;
		memcpy(text_buffer + byte_count, character, octets);
		byte_count += octets;
	}
	for (size_t i = 0; i < sizeof(extension_text) / sizeof(extension_text[0]); i++)
		byte_count = repeat(byte_count, extension_text[i].text, 1);
	message = message_of(text_buffer, byte_count);
	message.coding = FAN_CODING_GSM7;
	cr_assert_eq(fan_sms_encode(&sms, &message), 0, "%s", fan_error_detail());
	cr_assert_eq(sms.part_count, 1);
	check_sms(&decoded, &sms, &message);
	cr_assert_eq(decoded.udl, 127 + 20);
	fan_sms_free(&sms);
}

/* ---- Addresses, time, reference ---------------------------------------------------------------------------------------- */

static const struct {
	const char *originator;
	const char *octets; /* NULL: refused */
} originators[] = {
	{ NULL, GROUP },
	{ "1", "0181f1" },
	{ "12", "028121" },
	{ "112", "038111f2" },
	{ "+1", "0191f1" },
	{ "+491234567890", "0c91942143658709" },
	{ "01234567890123456789", "148110325476981032547698" },
	{ "+01234567890123456789", "149110325476981032547698" },
	/* alphanumeric: useful semi-octets, ceil(7 n / 4) */
	{ "A", "02d041" },
	{ "AB", "04d04121" },
	{ "ABCDEFG", "0dd041e19058341e01" },
	{ "ABCDEFGH", "0ed041e19058341e91" },
	{ "12A", "06d0315910" },
	{ "hellohello", "12d0e8329bfd4697d9ec37" },
	{ "hellohelloo", "14d0e8329bfd4697d9ecf71b" },
	{ "@", "02d000" },
	{ "a b", "06d0619018" },
	/* A single euro sign is two septets, 1B 65 */
	{ "€", "04d09b32" },
	{ "€€€€€", "12d09bf2a6bc296fca9b32" },
	{ "", NULL },
	{ "+", NULL },
	{ "+12a", NULL },
	{ "++12", NULL },
	{ "+ 12", NULL },
	{ "012345678901234567890", NULL },
	{ "+012345678901234567890", NULL },
	{ "hellohelloooo", NULL },
	{ "€€€€€€", NULL },
	{ "€€€€€ab", NULL },
	{ "Жук", NULL },
	{ "a\nb", NULL },
	{ "a\rb", NULL },
	{ "a\fb", NULL },
	{ "\xff", NULL },
};

Test(sms, originators)
{
	struct decoded decoded = { .bytes = decoded_buffer };
	char hex[2 * 12 + 1];

	for (size_t i = 0; i < sizeof(originators) / sizeof(originators[0]); i++) {
		struct fan_message message = message_of("x", 1);
		struct fan_sms sms;
		int error;

		message.originator = originators[i].originator;
		error = fan_sms_encode(&sms, &message);
		if (originators[i].octets == NULL) {
			cr_expect_eq(error, FAN_E_INVALID, "row %zu", i);
			cr_expect_not_null(strstr(fan_error_detail(), "originator"));
			continue;
		}
		cr_assert_eq(error, 0, "row %zu: %s", i, fan_error_detail());
		check_sms(&decoded, &sms, &message);
		to_hex(hex, decoded.originator, decoded.originator_bytes);
		cr_expect_str_eq(hex, originators[i].octets, "row %zu: %s", i, hex);
		fan_sms_free(&sms);
	}
}

static const struct {
	const char *service_centre;
	const char *octets;
} service_centres[] = {
	{ NULL, CENTRE },
	{ "+1", "0291f1" },
	{ "+12", "029121" },
	{ "+491760000443", "0791947106004034" },
	{ "+01234567890123456789", "0b9110325476981032547698" },
	{ "+012345678901234567890", NULL },
	{ "", NULL },
	{ "+", NULL },
	{ "12", NULL },
	{ "+12a", NULL },
	{ "+1 2", NULL },
	{ "a", NULL },
};

Test(sms, service_centres)
{
	struct decoded decoded = { .bytes = decoded_buffer };
	char hex[2 * 12 + 1];

	for (size_t i = 0; i < sizeof(service_centres) / sizeof(service_centres[0]); i++) {
		struct fan_message message = message_of("x", 1);
		struct fan_sms sms;
		int error;

		message.service_centre = service_centres[i].service_centre;
		error = fan_sms_encode(&sms, &message);
		if (service_centres[i].octets == NULL) {
			cr_expect_eq(error, FAN_E_INVALID, "row %zu", i);
			cr_expect_not_null(strstr(fan_error_detail(), "service centre"));
			continue;
		}
		cr_assert_eq(error, 0, "row %zu: %s", i, fan_error_detail());
		check_sms(&decoded, &sms, &message);
		to_hex(hex, sms.parts[0].cp_data + 5, 1U + sms.parts[0].cp_data[5]);
		cr_expect_str_eq(hex, service_centres[i].octets, "row %zu: %s", i, hex);
		fan_sms_free(&sms);
	}
}

static const struct {
	const char *epoch; /* SOURCE_DATE_EPOCH; NULL: unset */
	int64_t timestamp_s;
	const char *scts; /* NULL: refused */
} moments[] = {
	{ NULL, MOMENT_S, MOMENT_SCTS },
	{ NULL, 1709251199, "42209232959500" }, /* 2024-02-29 23:59:59 */
	{ NULL, 4102444799, "99211332959500" }, /* the last second of 2099 */
	{ NULL, 4102444800, NULL },
	{ NULL, INT64_MAX, NULL },
	{ NULL, -1, NULL },
	{ NULL, INT64_MIN, NULL },
	{ "1767323045", 0, MOMENT_SCTS },
	{ "1", MOMENT_S, MOMENT_SCTS },
	{ "0", 0, "07101000000000" },
	{ "soon", 0, NULL },
	{ "12x", 0, NULL },
	{ "-5", 0, NULL },
	{ "99999999999999999999", 0, NULL },
};

Test(sms, timestamps)
{
	struct decoded decoded = { .bytes = decoded_buffer };
	char hex[2 * 7 + 1];

	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		struct fan_message message = message_of("x", 1);
		struct fan_sms sms;
		int error;

		unsetenv("SOURCE_DATE_EPOCH");
		if (moments[i].epoch != NULL)
			setenv("SOURCE_DATE_EPOCH", moments[i].epoch, 1);
		message.timestamp_s = moments[i].timestamp_s;
		error = fan_sms_encode(&sms, &message);
		if (moments[i].scts == NULL) {
			cr_expect_eq(error, FAN_E_INVALID, "row %zu", i);
			continue;
		}
		cr_assert_eq(error, 0, "row %zu: %s", i, fan_error_detail());
		check_sms(&decoded, &sms, &message);
		to_hex(hex, decoded.scts, 7);
		cr_expect_str_eq(hex, moments[i].scts, "row %zu: %s", i, hex);
		fan_sms_free(&sms);
	}
}

Test(sms, reference_counts_concatenated_messages)
{
	struct fan_message one = message_of("x", 1), two = message_of(text_buffer, repeat(0, "a", 200));
	struct decoded decoded = { .bytes = decoded_buffer };
	struct fan_sms sms;

	setenv("SOURCE_DATE_EPOCH", "1767323045", 1);
	for (int i = 0; i < 300; i++) {
		cr_assert_eq(fan_sms_encode(&sms, &one), 0);
		fan_sms_free(&sms);
		cr_assert_eq(fan_sms_encode(&sms, &two), 0);
		check_sms(&decoded, &sms, &two);
		cr_assert_eq(decoded.reference, (1767323045 + i) % 256);
		fan_sms_free(&sms);
	}
}

/* Processes that begin one after another do not begin alike. */
Test(sms, reference_differs_between_processes)
{
	struct fan_message two = message_of(text_buffer, repeat(0, "a", 200));
	bool seen[256] = { false };

	unsetenv("SOURCE_DATE_EPOCH");
	for (unsigned i = 0; i < 40; i++) {
		struct decoded decoded = { .bytes = decoded_buffer };
		struct fan_sms sms;
		int status;

		if (fork() == 0) {
			if (fan_sms_encode(&sms, &two) != 0)
				_exit(255);
			check_sms(&decoded, &sms, &two);
			_exit(decoded.reference);
		}
		cr_assert_gt(wait(&status), 0);
		cr_assert(WIFEXITED(status));
		cr_assert_not(seen[WEXITSTATUS(status)], "process %u: reference %d again", i, WEXITSTATUS(status));
		seen[WEXITSTATUS(status)] = true;
	}
}

Test(sms, reference_begins_where_it_is_told)
{
	struct fan_message two = message_of(text_buffer, repeat(0, "a", 200));
	struct decoded decoded = { .bytes = decoded_buffer };
	struct fan_sms sms;

	for (unsigned begin = 0; begin < 256; begin += 51)
		for (unsigned i = 0; i < 3; i++) {
			if (i == 0)
				fan_sms_reference_begin((uint8_t)begin);
			cr_assert_eq(fan_sms_encode(&sms, &two), 0);
			check_sms(&decoded, &sms, &two);
			cr_assert_eq(decoded.reference, (begin + i) % 256);
			fan_sms_free(&sms);
		}
}

/* A byte order mark is no character of a text; data keeps its octets, and a mark elsewhere is a character. */
Test(sms, byte_order_mark)
{
	static const struct {
		const char *text;
		size_t byte_count;
		enum fan_coding asked, coding; /* AUTO: refused */
		uint8_t mark_bytes;
		const char *units; /* TP-UD, hex */
	} rows[] = {
		{ "\xef\xbb\xbfhi", 5, FAN_CODING_AUTO, FAN_CODING_GSM7, 3, "e834" },
		{ "\xef\xbb\xbfhi", 5, FAN_CODING_GSM7, FAN_CODING_GSM7, 3, "e834" },
		{ "\xef\xbb\xbfhi", 5, FAN_CODING_UCS2, FAN_CODING_UCS2, 3, "00680069" },
		{ "\xef\xbb\xbfhi", 5, FAN_CODING_8BIT, FAN_CODING_8BIT, 0, "efbbbf6869" },
		{ "\xef\xbb\xbf\x01", 4, FAN_CODING_AUTO, FAN_CODING_8BIT, 0, "efbbbf01" },
		{ "\xef\xbb\xbf\xff", 4, FAN_CODING_AUTO, FAN_CODING_8BIT, 0, "efbbbfff" },
		{ "\xef\xbb\xbf", 3, FAN_CODING_AUTO, FAN_CODING_UCS2, 0, "feff" },
		{ "h\xef\xbb\xbf", 4, FAN_CODING_AUTO, FAN_CODING_UCS2, 0, "0068feff" },
		{ "\xef\xbb\xbf\xff", 4, FAN_CODING_UCS2, FAN_CODING_AUTO, 0, "at octet 3" },
		{ "\xef\xbb\xbf\xc5\x82", 5, FAN_CODING_GSM7, FAN_CODING_AUTO, 0, "at octet 3" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_message message = message_of(rows[i].text, rows[i].byte_count);
		struct fan_sms_coding chosen;
		struct fan_sms sms;
		char hex[64];
		const int error = (message.coding = rows[i].asked, fan_sms_encode(&sms, &message));

		cr_assert_eq(fan_sms_coding_choose(&chosen, &message), error, "row %zu", i);
		cr_assert_eq(error, rows[i].coding == FAN_CODING_AUTO ? FAN_E_INVALID : 0, "row %zu", i);
		if (error != 0) {
			cr_assert_not_null(strstr(fan_error_detail(), rows[i].units), "row %zu: %s", i, fan_error_detail());
			continue;
		}
		cr_assert_eq(sms.coding, rows[i].coding, "row %zu", i);
		cr_assert(chosen.coding == rows[i].coding && chosen.mark_bytes == rows[i].mark_bytes, "row %zu", i);
		to_hex(hex, sms.parts[0].cp_data + sms.parts[0].byte_count - strlen(rows[i].units) / 2,
		       strlen(rows[i].units) / 2);
		cr_assert_str_eq(hex, rows[i].units, "row %zu", i);
		fan_sms_free(&sms);
	}
}

/* What goes as data since it is no text is named with the octet for which it does. */
Test(sms, octets_that_are_no_text_are_named)
{
	static const struct {
		const char *text;
		size_t byte_count;
		bool utf8;
		size_t invalid_offset;
	} rows[] = {
		{ "all well", 8, true, 0 },      { "control\x01", 8, true, 0 },       { "Gr\xfc\xdf!", 5, false, 2 },
		{ "\xc3", 1, false, 0 },         { "caf\xc3\xa9 \xc3", 7, false, 6 }, { "\xef\xbb\xbfx\x80", 5, false, 4 },
		{ "\xed\xa0\x80", 3, false, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct fan_message message = message_of(rows[i].text, rows[i].byte_count);
		struct fan_sms_coding chosen;

		cr_assert_eq(fan_sms_coding_choose(&chosen, &message), 0, "row %zu", i);
		cr_assert(chosen.utf8 == rows[i].utf8 && chosen.invalid_offset == rows[i].invalid_offset, "row %zu: %zu", i,
			  chosen.invalid_offset);
		cr_assert(chosen.utf8 || chosen.coding == FAN_CODING_8BIT);
	}
}

/* The packing of the default has no septet to spare, which popular decoders would show as "@". */
Test(sms, default_originator_fills_its_octets)
{
	const struct fan_message message = message_of("x", 1);
	struct decoded decoded = { .bytes = decoded_buffer };
	struct fan_sms sms;
	const uint8_t *address;
	unsigned octets;

	cr_assert_eq(fan_sms_encode(&sms, &message), 0);
	check_sms(&decoded, &sms, &message);
	address = sms.parts[0].cp_data + 5 + 1 + sms.parts[0].cp_data[5] + 2 + 1;
	cr_assert_eq(address[1], 0xd0);
	octets = (address[0] + 1U) / 2;
	cr_assert_eq(octets * 8 / 7, address[0] * 4U / 7, "%u semi-octets", address[0]);
	fan_sms_free(&sms);
}

/* ---- Random messages --------------------------------------------------------------------------------------------------- */

static size_t
random_gsm7(size_t characters)
{
	size_t at = 0, octets;

	for (size_t i = 0; i < characters; i++) {
		unsigned septet = random_below(140);
		const char *character = septet < 128 ? nth_character(alphabet_text, septet, &octets)
						     : extension_text[random_below(10)].text;

		if (septet == 0x1b)
			character = "x";
		octets = septet < 128 && septet != 0x1b ? octets : strlen(character);
		memcpy(text_buffer + at, character, octets);
		at += octets;
	}
	return at;
}

static size_t
random_unicode(size_t characters)
{
	struct decoded text = { .bytes = text_buffer };

	for (size_t i = 0; i < characters; i++) {
		uint32_t c;

		do
			c = random_below(4) == 0 ? 0x10000 + random_below(0x100000) : random_below(0x10000);
		while (c >= 0xd800 && c < 0xe000);
		add_code_point(&text, c);
	}
	return text.byte_count;
}

static size_t
random_octets(size_t count)
{
	for (size_t i = 0; i < count; i++)
		text_buffer[i] = (uint8_t)fan_test_random_next(&random_state);
	return count;
}

Test(sms, random_messages_come_back)
{
	random_state = fan_test_random_from_environment();
	for (unsigned i = 0; i < 4000; i++) {
		static const enum fan_coding kinds[] = { FAN_CODING_GSM7, FAN_CODING_UCS2, FAN_CODING_8BIT };
		unsigned kind = i % 3;
		size_t size = 1 + random_below(i % 50 == 0 ? 8000 : 500);
		struct fan_message message = message_of(text_buffer, 0);
		struct decoded decoded = { .bytes = decoded_buffer };
		struct fan_sms sms;

		message.byte_count = kind == 0 ? random_gsm7(size) : kind == 1 ? random_unicode(size) : random_octets(size);
		message.coding = random_below(2) == 0 ? FAN_CODING_AUTO : kinds[kind];
		message.device_trigger = random_below(2) == 0;
		message.application_port = (uint16_t)fan_test_random_next(&random_state);
		cr_assert_eq(fan_sms_encode(&sms, &message), 0, "message %u: %s", i, fan_error_detail());
		check_sms(&decoded, &sms, &message);
		cr_assert(message.coding == FAN_CODING_AUTO || sms.coding == message.coding);
		fan_sms_free(&sms);
	}
}
