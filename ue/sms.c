/* SPDX-License-Identifier: BSD-3-Clause */
#include "sms.h"

#include "octets.h"

#include <assert.h>

#define CP_USER_DATA_BYTES_MAX 248 /* TS 24.011 8.1.4.1 */
#define TPDU_BYTES_MAX 233         /* TS 24.011 8.2.5.3: RP-User Data is at most 233 octets */
#define USER_DATA_BYTES_MAX 140
#define SEPTETS_MAX 160
#define ESCAPE 0x1b

static_assert(SEPTETS_MAX * 2 <= FAN_UE_SMS_TEXT_MAX, "a septet is at most two octets of UTF-8, an escaped pair three");
static_assert(USER_DATA_BYTES_MAX / 2 * 3 <= FAN_UE_SMS_TEXT_MAX, "a UCS-2 unit is at most three octets of UTF-8");
static_assert(sizeof(((struct fan_ue_delivery *)0)->originator) >= 11 * 2 + 1, "TP-OA is 11 septets or + and 20 digits");

/* GSM 7-bit default alphabet (TS 23.038 6.2.1), by Unicode code point. ESCAPE stands for itself. */
static const uint16_t default_alphabet[128] = {
	'@',   0xa3, '$',   0xa5,  0xe8,  0xe9,  0xf9,  0xec,  0xf2,  0xc7,  '\n',  0xd8,   0xf8, '\r', 0xc5, 0xe5,
	0x394, '_',  0x3a6, 0x393, 0x39b, 0x3a9, 0x3a0, 0x3a8, 0x3a3, 0x398, 0x39e, ESCAPE, 0xc6, 0xe6, 0xdf, 0xc9,
	' ',   '!',  '"',   '#',   0xa4,  '%',   '&',   '\'',  '(',   ')',   '*',   '+',    ',',  '-',  '.',  '/',
	'0',   '1',  '2',   '3',   '4',   '5',   '6',   '7',   '8',   '9',   ':',   ';',    '<',  '=',  '>',  '?',
	0xa1,  'A',  'B',   'C',   'D',   'E',   'F',   'G',   'H',   'I',   'J',   'K',    'L',  'M',  'N',  'O',
	'P',   'Q',  'R',   'S',   'T',   'U',   'V',   'W',   'X',   'Y',   'Z',   0xc4,   0xd6, 0xd1, 0xdc, 0xa7,
	0xbf,  'a',  'b',   'c',   'd',   'e',   'f',   'g',   'h',   'i',   'j',   'k',    'l',  'm',  'n',  'o',
	'p',   'q',  'r',   's',   't',   'u',   'v',   'w',   'x',   'y',   'z',   0xe4,   0xf6, 0xf1, 0xfc, 0xe0,
};

/* After the escape (TS 23.038 6.2.1.1); 0: reserved. */
static uint16_t
extended_character(unsigned septet)
{
	switch (septet) {
	case 0x0a:
		return '\f';
	case 0x14:
		return '^';
	case 0x28:
		return '{';
	case 0x29:
		return '}';
	case 0x2f:
		return '\\';
	case 0x3c:
		return '[';
	case 0x3d:
		return '~';
	case 0x3e:
		return ']';
	case 0x40:
		return '|';
	case 0x65:
		return 0x20ac;
	default:
		return 0;
	}
}

/* Writes one code point as UTF-8. Returns the number of octets, 1 to 4. */
static size_t
write_utf8(uint8_t *out, uint32_t point)
{
	if (point < 0x80) {
		out[0] = (uint8_t)point;
		return 1;
	}
	if (point < 0x800) {
		out[0] = (uint8_t)(0xc0 | point >> 6);
		out[1] = (uint8_t)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		out[0] = (uint8_t)(0xe0 | point >> 12);
		out[1] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (point & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | point >> 18);
	out[1] = (uint8_t)(0x80 | (point >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (point >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (point & 0x3f));
	return 4;
}

/* `count` bits, at most 8, from bit `at` on, where bit 0 is the lowest of octet 0 (TS 23.038 6.1.2.1.1). */
static unsigned
read_bits(const uint8_t *octets, size_t at, unsigned count)
{
	unsigned value = (unsigned)octets[at / 8] >> at % 8;

	if (at % 8 + count > 8)
		value |= (unsigned)octets[at / 8 + 1] << (8 - at % 8);
	return value & ((1u << count) - 1);
}

/* Septets first .. last-1 of packed text to UTF-8. Returns the octets written, or -1 for a reserved or lone escape. The
 * caller has checked that `octets` holds 7 * last bits. */
static int
decode_septets(uint8_t *out, const uint8_t *octets, size_t first, size_t last)
{
	size_t written = 0;

	for (size_t i = first; i < last; i++) {
		unsigned septet = read_bits(octets, 7 * i, 7);
		uint16_t point = default_alphabet[septet];

		if (septet == ESCAPE) {
			if (++i == last)
				return -1;
			point = extended_character(read_bits(octets, 7 * i, 7));
			if (!point)
				return -1;
		}
		written += write_utf8(out + written, point);
	}
	return (int)written;
}

/* True when all bits from `at` up to `end` are zero. */
static bool
bits_are_zero(const uint8_t *octets, size_t at, size_t end)
{
	for (; at < end; at++)
		if (read_bits(octets, at, 1))
			return false;
	return true;
}

/* UTF-16 in network order to UTF-8. Returns the octets written, or -1 for a surrogate that is not half of a pair. */
static int
decode_ucs2(uint8_t *out, struct fan_ue_octets octets)
{
	const uint8_t *unit;
	size_t written = 0;

	while ((unit = fan_ue_octets_take(&octets, 2)) != NULL) {
		uint32_t point = fan_ue_octets_load16(unit);

		if (point >= 0xdc00 && point <= 0xdfff)
			return -1;
		if (point >= 0xd800 && point <= 0xdbff) {
			const uint8_t *low = fan_ue_octets_take(&octets, 2);

			if (!low || (low[0] & 0xfc) != 0xdc)
				return -1;
			point = 0x10000 + ((point & 0x3ff) << 10) + (fan_ue_octets_load16(low) & 0x3ffu);
		}
		written += write_utf8(out + written, point);
	}
	return octets.left ? -1 : (int)written;
}

/* Semi-octets to digits: low half first. `digits` of them; when odd, the last high half must be the filler 1111. */
static bool
decode_digits(char *out, const uint8_t *octets, size_t digits)
{
	static const char symbols[] = "0123456789*#abc";

	for (size_t i = 0; i < digits; i++) {
		unsigned digit = (unsigned)octets[i / 2] >> 4 * (i % 2) & 0x0f;

		if (digit == 0x0f)
			return false;
		out[i] = symbols[digit];
	}
	out[digits] = '\0';
	return digits % 2 == 0 || octets[digits / 2] >> 4 == 0x0f;
}

/* TP-OA (TS 23.040 9.1.2.5): length in semi-octets without filler, type of address, value. */
static bool
parse_originator(char originator[24], struct fan_ue_octets *tpdu)
{
	int semi_octets = fan_ue_octets_next(tpdu), type = fan_ue_octets_next(tpdu);
	const uint8_t *value;
	size_t septets, plus;
	int written;

	if (semi_octets < 0 || semi_octets > 20 || type < 0x80)
		return false;
	value = fan_ue_octets_take(tpdu, ((size_t)semi_octets + 1) / 2);
	if (!value)
		return false;
	if ((type & 0x70) != 0x50) {
		plus = (type & 0x70) == 0x10; /* international */
		originator[0] = '+';
		return decode_digits(originator + plus, value, (size_t)semi_octets);
	}
	/* Alphanumeric: the semi-octets that hold n septets are ceil(7 n / 4). */
	septets = (size_t)semi_octets * 4 / 7;
	if ((7 * septets + 3) / 4 != (size_t)semi_octets ||
	    !bits_are_zero(value, 7 * septets, ((size_t)semi_octets + 1) / 2 * 8))
		return false;
	written = decode_septets((uint8_t *)originator, value, 0, septets);
	if (written < 0)
		return false;
	originator[written] = '\0';
	return true;
}

/* TP-SCTS (9.2.3.11): year, month, day, hour, minute, second as swapped decimal digits, then quarters of an hour with the
 * sign in bit 3. */
static bool
check_timestamp(const uint8_t scts[7])
{
	static const uint8_t lowest[6] = { 0, 1, 1, 0, 0, 0 }, highest[6] = { 99, 12, 31, 23, 59, 59 };

	for (unsigned i = 0; i < 6; i++) {
		unsigned tens = scts[i] & 0x0f, units = scts[i] >> 4;

		if (tens > 9 || units > 9 || 10 * tens + units < lowest[i] || 10 * tens + units > highest[i])
			return false;
	}
	return scts[6] >> 4 <= 9;
}

/* TP-DCS (TS 23.038 4): the general group, uncompressed, with or without class, and the group 1111. */
static bool
find_coding(enum fan_coding *coding, uint8_t dcs)
{
	static const enum fan_coding alphabets[4] = { FAN_CODING_GSM7, FAN_CODING_8BIT, FAN_CODING_UCS2, FAN_CODING_AUTO };

	if ((dcs & 0xf8) == 0xf0) {
		*coding = dcs & 0x04 ? FAN_CODING_8BIT : FAN_CODING_GSM7;
		return true;
	}
	/* Group 00, not compressed; class bits only when bit 4 says that they mean something; alphabet 11 is reserved. */
	*coding = alphabets[dcs >> 2 & 3];
	return (dcs & 0xe0) == 0 && ((dcs & 0x10) || (dcs & 0x03) == 0) && *coding != FAN_CODING_AUTO;
}

/* IEs 00 and 08 (TS 23.040 9.2.3.24.1, .8): reference of one or two octets, number of parts, this part. */
static bool
parse_concatenation(struct fan_ue_delivery *delivery, struct fan_ue_octets element, size_t reference_bytes)
{
	const uint8_t *at = element.at;

	if (element.left != reference_bytes + 2 || delivery->sms_parts)
		return false;
	delivery->sms_reference = reference_bytes == 1 ? at[0] : fan_ue_octets_load16(at);
	delivery->sms_parts = at[reference_bytes];
	delivery->sms_part = at[reference_bytes + 1];
	return delivery->sms_part >= 1 && delivery->sms_part <= delivery->sms_parts;
}

/* IEs 04 and 05 (9.2.3.24.3, .4): destination and originator port of one or two octets each. */
static bool
parse_port(struct fan_ue_delivery *delivery, struct fan_ue_octets element, size_t port_bytes)
{
	if (element.left != 2 * port_bytes || delivery->application_port >= 0)
		return false;
	delivery->application_port = port_bytes == 1 ? element.at[0] : fan_ue_octets_load16(element.at);
	return true;
}

static bool
parse_element(struct fan_ue_delivery *delivery, struct fan_ue_octets element, int identifier)
{
	switch (identifier) {
	case 0x00:
		return parse_concatenation(delivery, element, 1);
	case 0x08:
		return parse_concatenation(delivery, element, 2);
	case 0x04:
		return parse_port(delivery, element, 1);
	case 0x05:
		return parse_port(delivery, element, 2);
	default:
		return true;
	}
}

/* The elements of a user data header must fill it. */
static bool
parse_elements(struct fan_ue_delivery *delivery, struct fan_ue_octets header)
{
	while (header.left) {
		int identifier = fan_ue_octets_next(&header), bytes = fan_ue_octets_next(&header);
		struct fan_ue_octets element;

		if (bytes < 0 || !fan_ue_octets_cut(&element, &header, (size_t)bytes) ||
		    !parse_element(delivery, element, identifier))
			return false;
	}
	return true;
}

/* TP-UD in septets: the header and its fill bits take whole septets in front of the text (9.2.3.24). In: octets, all of TP-
 * UD. */
static bool
parse_septet_text(struct fan_ue_delivery *delivery, uint8_t *text, const uint8_t *octets, size_t septets, size_t header_bytes)
{
	size_t header_septets = (8 * header_bytes + 6) / 7, octet_count = (7 * septets + 7) / 8;
	int written;

	if (header_septets > septets || !bits_are_zero(octets, 8 * header_bytes, 7 * header_septets) ||
	    !bits_are_zero(octets, 7 * septets, 8 * octet_count))
		return false;
	written = decode_septets(text, octets, header_septets, septets);
	if (written < 0)
		return false;
	delivery->data = text;
	delivery->data_bytes = (uint16_t)written;
	return true;
}

static bool
parse_octet_text(struct fan_ue_delivery *delivery, uint8_t *text, struct fan_ue_octets octets, enum fan_coding coding)
{
	int written;

	if (coding == FAN_CODING_8BIT) {
		delivery->data = octets.at;
		delivery->data_bytes = (uint16_t)octets.left;
		return true;
	}
	written = decode_ucs2(text, octets);
	if (written < 0)
		return false;
	delivery->data = text;
	delivery->data_bytes = (uint16_t)written;
	return true;
}

/* TP-UDL and TP-UD. In: octets from TP-UDL to the end of the TPDU. */
static bool
parse_user_data(struct fan_ue_delivery *delivery, uint8_t *text, struct fan_ue_octets octets, enum fan_coding coding,
		bool has_header)
{
	int length = fan_ue_octets_next(&octets);
	struct fan_ue_octets user_data = octets, header = { NULL, 0 };
	size_t expected;
	bool packed = coding == FAN_CODING_GSM7;

	if (length < 0 || length > (packed ? SEPTETS_MAX : USER_DATA_BYTES_MAX))
		return false;
	expected = packed ? (7 * (size_t)length + 7) / 8 : (size_t)length;
	if (octets.left != expected)
		return false;
	if (has_header) {
		int header_bytes = fan_ue_octets_next(&octets);

		if (header_bytes < 0 || !fan_ue_octets_cut(&header, &octets, (size_t)header_bytes) ||
		    !parse_elements(delivery, header))
			return false;
	}
	if (packed)
		return parse_septet_text(delivery, text, user_data.at, (size_t)length, has_header ? header.left + 1 : 0);
	return parse_octet_text(delivery, text, octets, coding);
}

static bool
parse_deliver(struct fan_ue_delivery *delivery, uint8_t *text, struct fan_ue_octets tpdu)
{
	int first = fan_ue_octets_next(&tpdu);
	enum fan_coding coding;
	const uint8_t *middle;

	/* TP-MTI 00: SMS-DELIVER; bit 4 is spare. */
	if (first < 0 || (first & 0x13) || !parse_originator(delivery->originator, &tpdu))
		return false;
	middle = fan_ue_octets_take(&tpdu, 9); /* TP-PID, TP-DCS, TP-SCTS */
	if (!middle)
		return false;
	delivery->tp_pid = middle[0];
	delivery->tp_dcs = middle[1];
	if (!find_coding(&coding, middle[1]) || !check_timestamp(middle + 2))
		return false;
	if (!parse_user_data(delivery, text, tpdu, coding, first & 0x40))
		return false;
	if (!delivery->sms_parts)
		delivery->sms_part = delivery->sms_parts = 1;
	return true;
}

/* RP-Originator Address (TS 24.011 8.2.5.1): type of address and up to 20 digits, which fill their octets but for one
 * filler. */
static bool
check_service_centre(struct fan_ue_octets address)
{
	char digits[21];
	size_t count;

	if (address.left < 2 || address.left > 11 || address.at[0] < 0x80)
		return false;
	count = 2 * (address.left - 1);
	if (address.at[address.left - 1] >> 4 == 0x0f)
		count--;
	return decode_digits(digits, address.at + 1, count);
}

static bool
cut_counted(struct fan_ue_octets *piece, struct fan_ue_octets *octets)
{
	int bytes = fan_ue_octets_next(octets);

	return bytes >= 0 && fan_ue_octets_cut(piece, octets, (size_t)bytes);
}

/* RP-DATA, network to mobile station: MTI 001, reference, RP-OA, empty RP-DA, RP-UD. */
static bool
parse_rp_data(struct fan_ue_delivery *delivery, uint8_t *text, struct fan_ue_octets rpdu)
{
	const uint8_t *head = fan_ue_octets_take(&rpdu, 2);
	struct fan_ue_octets service_centre, tpdu;

	if (!head || head[0] != 0x01)
		return false;
	delivery->rp_reference = head[1];
	if (!cut_counted(&service_centre, &rpdu) || !check_service_centre(service_centre))
		return false;
	if (fan_ue_octets_next(&rpdu) != 0 || !cut_counted(&tpdu, &rpdu) || rpdu.left || tpdu.left > TPDU_BYTES_MAX)
		return false;
	return parse_deliver(delivery, text, tpdu);
}

bool
fan_ue_sms_parse(struct fan_ue_delivery *delivery, uint8_t text[FAN_UE_SMS_TEXT_MAX], const uint8_t *cp_data,
		 size_t cp_data_bytes)
{
	struct fan_ue_octets octets = { cp_data, cp_data_bytes }, rpdu;
	const uint8_t *head = fan_ue_octets_take(&octets, 2);

	delivery->form = FAN_UE_SMS;
	delivery->application_port = -1;
	delivery->sms_part = delivery->sms_parts = 0;
	/* PD 9, message type 1; TI flag 0: the network began the transaction. TI 7 is reserved (TS 24.007 11.2.3.1.3). */
	if (!head || (head[0] & 0x8f) != 0x09 || head[0] >> 4 == 7 || head[1] != 0x01)
		return false;
	delivery->transaction = head[0] >> 4;
	if (!cut_counted(&rpdu, &octets) || octets.left || rpdu.left > CP_USER_DATA_BYTES_MAX)
		return false;
	return parse_rp_data(delivery, text, rpdu);
}
