/* SPDX-License-Identifier: BSD-3-Clause */
#include "sms.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_ORIGINATOR "GroupMsg"
#define DEFAULT_SERVICE_CENTRE "+10000000000"

enum {
	CP_SMS_PROTOCOL = 0x09, /* TS 24.007 11.2.3.1.1 */
	CP_DATA = 0x01,         /* TS 24.011 8.1.3 */
	RP_DATA_TO_MS = 0x01,   /* TS 24.011 8.2.2 */

	TP_DELIVER = 0x00,
	TP_NO_MORE_MESSAGES = 0x04, /* TP-MMS: clear while further parts wait (TS 23.040 9.2.3.2) */
	TP_HAS_HEADER = 0x40,       /* TP-UDHI */
	TP_PID_DEFAULT = 0x00,
	TP_PID_DEVICE_TRIGGER = 0x48, /* TS 23.040 9.2.3.9 */
	TP_DCS_GSM7 = 0x00,           /* TS 23.038 4, no message class */
	TP_DCS_8BIT = 0x04,
	TP_DCS_UCS2 = 0x08,

	ADDRESS_INTERNATIONAL = 0x91, /* TS 23.040 9.1.2.5: type of number, ISDN numbering plan */
	ADDRESS_UNKNOWN = 0x81,
	ADDRESS_ALPHANUMERIC = 0xd0,

	IE_CONCATENATION = 0x00, /* 8-bit reference: 3 octets (TS 23.040 9.2.3.24.1) */
	IE_PORTS_16 = 0x05,      /* destination and originator: 4 octets (TS 23.040 9.2.3.24.4) */
	IE_CONCATENATION_BYTES = 2 + 3,
	IE_PORTS_16_BYTES = 2 + 4,

	GSM7_ESCAPE = 0x1b,
	MARK_BYTES = 3, /* a byte order mark in UTF-8 */
	/* A 2-octet character of UTF-8 can be one septet, and no coding does better: above this length nothing fits. */
	MESSAGE_BYTES_MAX = FAN_PARTS_MAX * 153 * 2,
	SCTS_BYTES = 7,
	SCTS_YEAR_MAX = 2099, /* TP-SCTS has two digits for the year */
};

static_assert(FAN_CP_DATA_BYTES_MAX <= UINT8_MAX, "part.byte_count is an octet");
static_assert(FAN_SMS_TPDU_BYTES_MAX <= 233, "TS 24.011 8.2.5.3");

/* GSM 7-bit default alphabet (TS 23.038 6.2.1): the code point of each septet. */
static const uint16_t gsm7_alphabet[128] = {
	'@',   0xa3, '$',   0xa5,  0xe8,  0xe9,  0xf9,  0xec,  0xf2,  0xc7,  '\n',  0xd8,   0xf8, '\r', 0xc5, 0xe5,
	0x394, '_',  0x3a6, 0x393, 0x39b, 0x3a9, 0x3a0, 0x3a8, 0x3a3, 0x398, 0x39e, 0xffff, 0xc6, 0xe6, 0xdf, 0xc9,
	' ',   '!',  '"',   '#',   0xa4,  '%',   '&',   '\'',  '(',   ')',   '*',   '+',    ',',  '-',  '.',  '/',
	'0',   '1',  '2',   '3',   '4',   '5',   '6',   '7',   '8',   '9',   ':',   ';',    '<',  '=',  '>',  '?',
	0xa1,  'A',  'B',   'C',   'D',   'E',   'F',   'G',   'H',   'I',   'J',   'K',    'L',  'M',  'N',  'O',
	'P',   'Q',  'R',   'S',   'T',   'U',   'V',   'W',   'X',   'Y',   'Z',   0xc4,   0xd6, 0xd1, 0xdc, 0xa7,
	0xbf,  'a',  'b',   'c',   'd',   'e',   'f',   'g',   'h',   'i',   'j',   'k',    'l',  'm',  'n',  'o',
	'p',   'q',  'r',   's',   't',   'u',   'v',   'w',   'x',   'y',   'z',   0xe4,   0xf6, 0xf1, 0xfc, 0xe0,
};

/* Extension table (TS 23.038 6.2.1.1): septets that follow an escape. */
static const struct {
	uint16_t code_point;
	uint8_t septet;
} gsm7_extension[] = {
	{ '\f', 0x0a }, { '^', 0x14 }, { '{', 0x28 }, { '}', 0x29 }, { '\\', 0x2f },
	{ '[', 0x3c },  { '~', 0x3d }, { ']', 0x3e }, { '|', 0x40 }, { 0x20ac, 0x65 },
};

/* What a message is as text. */
struct survey {
	bool utf8;             /* valid UTF-8 throughout */
	bool control;          /* has a control character other than LF, CR and TAB */
	bool gsm7;             /* every character is in the GSM 7-bit alphabet or its extension */
	size_t invalid_offset; /* when not utf8: octet where the first malformed sequence begins */
	size_t foreign_offset; /* when utf8 and not gsm7: octet where the first such character begins */
	uint32_t foreign;      /* ... and its code point */
};

/* A message in its coding, one unit per septet, octet or 16-bit unit; not yet packed. */
struct text {
	enum fan_coding coding;
	uint8_t unit_bytes; /* 2 for UCS-2 (big endian), else 1 */
	size_t unit_count;
	uint8_t *units; /* owned */
};

/* TP-OA or RP-OA with its length octet. */
struct address {
	uint8_t octets[FAN_SMS_ADDRESS_BYTES_MAX];
	uint8_t octet_count;
};

/* The octets of a part before TP-UDL, the same for all parts but for three that place() sets. */
struct prefix {
	uint8_t octets[FAN_CP_DATA_BYTES_MAX - FAN_SMS_USER_DATA_BYTES_MAX - 1];
	uint8_t octet_count;
	uint8_t tpdu_offset;
};

/* ---- Characters -------------------------------------------------------------------------------------------------------- */

/* Octets of the UTF-8 character at the front of bytes, 1..4, or 0 when malformed, overlong, a surrogate or above U+10FFFF. */
static unsigned
decode_utf8(uint32_t *code_point, const uint8_t *bytes, size_t byte_count)
{
	static const uint32_t smallest[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t lead = bytes[0];
	unsigned octets = lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf8 ? 4 : 0;
	uint32_t value = octets < 2 ? lead : lead & (0x7fU >> octets);

	if (octets == 0 || octets > byte_count)
		return 0;
	for (unsigned i = 1; i < octets; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (bytes[i] & 0x3f);
	}
	if (value < smallest[octets] || (value >= 0xd800 && value <= 0xdfff) || value > 0x10ffff)
		return 0;
	*code_point = value;
	return octets;
}

/* Septets of a character, 1 or 2, or 0 when the alphabet does not have it. */
static unsigned
encode_gsm7(uint8_t septets[2], uint32_t code_point)
{
	/* 0xffff stands at the place of the escape and is no character. */
	if (code_point >= 0xffff)
		return 0;
	if (code_point < 128 && gsm7_alphabet[code_point] == code_point) {
		septets[0] = (uint8_t)code_point;
		return 1;
	}
	for (unsigned i = 0; i < 128; i++) {
		if (gsm7_alphabet[i] == code_point) {
			septets[0] = (uint8_t)i;
			return 1;
		}
	}
	for (unsigned i = 0; i < sizeof(gsm7_extension) / sizeof(gsm7_extension[0]); i++) {
		if (gsm7_extension[i].code_point == code_point) {
			septets[0] = GSM7_ESCAPE;
			septets[1] = gsm7_extension[i].septet;
			return 2;
		}
	}
	return 0;
}

/* 16-bit units of a character, 1 or 2, big endian. */
static unsigned
encode_utf16(uint8_t octets[4], uint32_t code_point)
{
	if (code_point < 0x10000) {
		octets[0] = (uint8_t)(code_point >> 8);
		octets[1] = (uint8_t)code_point;
		return 1;
	}
	code_point -= 0x10000;
	octets[0] = (uint8_t)(0xd8 | code_point >> 18);
	octets[1] = (uint8_t)(code_point >> 10);
	octets[2] = (uint8_t)(0xdc | (code_point >> 8 & 0x03));
	octets[3] = (uint8_t)code_point;
	return 2;
}

static bool
is_control(uint32_t code_point)
{
	if (code_point == '\n' || code_point == '\r' || code_point == '\t')
		return false;
	return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
}

static void
survey_text(struct survey *survey, const uint8_t *bytes, size_t byte_count)
{
	uint8_t septets[2];
	uint32_t code_point;
	unsigned octets;

	*survey = (struct survey){ .utf8 = true, .gsm7 = true };
	for (size_t at = 0; at < byte_count; at += octets) {
		octets = decode_utf8(&code_point, bytes + at, byte_count - at);
		if (octets == 0) {
			survey->utf8 = false;
			survey->invalid_offset = at;
			return;
		}
		if (is_control(code_point))
			survey->control = true;
		if (survey->gsm7 && encode_gsm7(septets, code_point) == 0) {
			survey->gsm7 = false;
			survey->foreign = code_point;
			survey->foreign_offset = at;
		}
	}
}

/* ---- Text -------------------------------------------------------------------------------------------------------------- */

static const char *
coding_name(enum fan_coding coding)
{
	return coding == FAN_CODING_GSM7 ? "GSM 7-bit" : coding == FAN_CODING_UCS2 ? "UCS-2" : "8-bit";
}

static const char *
unit_name(enum fan_coding coding)
{
	return coding == FAN_CODING_GSM7 ? "septets" : coding == FAN_CODING_UCS2 ? "16-bit units" : "octets";
}

static bool
begins_with_mark(const struct fan_message *message)
{
	static const uint8_t mark[MARK_BYTES] = { 0xef, 0xbb, 0xbf };

	/* Alone it is no mark of anything. */
	return message->byte_count > sizeof(mark) && memcmp(message->bytes, mark, sizeof(mark)) == 0;
}

static int
refuse_octets(const struct fan_message *message)
{
	if (message->bytes == NULL || message->byte_count == 0)
		return fan_fail(FAN_E_INVALID, "empty message; a short message has 1 octet or more");
	if (message->byte_count > MESSAGE_BYTES_MAX)
		return fan_fail(FAN_E_TOO_LONG, "message of %zu octets; the limit, %d short messages, never holds more than %d",
				message->byte_count, FAN_PARTS_MAX, MESSAGE_BYTES_MAX);
	return 0;
}

int
fan_sms_coding_choose(struct fan_sms_coding *chosen, const struct fan_message *message)
{
	const int error = refuse_octets(message);
	struct survey survey;

	*chosen = (struct fan_sms_coding){ .coding = message->coding, .utf8 = true };
	if (error != 0 || chosen->coding == FAN_CODING_8BIT)
		return error;
	if (chosen->coding != FAN_CODING_AUTO && chosen->coding != FAN_CODING_GSM7 && chosen->coding != FAN_CODING_UCS2)
		return fan_fail(FAN_E_INVALID, "coding %d; there are %d..%d", (int)chosen->coding, FAN_CODING_AUTO,
				FAN_CODING_8BIT);
	chosen->mark_bytes = begins_with_mark(message) ? MARK_BYTES : 0;
	survey_text(&survey, message->bytes + chosen->mark_bytes, message->byte_count - chosen->mark_bytes);
	chosen->utf8 = survey.utf8;
	chosen->invalid_offset = survey.utf8 ? 0 : chosen->mark_bytes + survey.invalid_offset;
	if (chosen->coding == FAN_CODING_AUTO) {
		chosen->coding = !survey.utf8 || survey.control ? FAN_CODING_8BIT
				 : survey.gsm7                  ? FAN_CODING_GSM7
								: FAN_CODING_UCS2;
		if (chosen->coding == FAN_CODING_8BIT)
			chosen->mark_bytes = 0;
		return 0;
	}
	if (!survey.utf8)
		return fan_fail(FAN_E_INVALID, "message is not UTF-8 at octet %zu, so cannot be coded as %s; 8-bit data can",
				chosen->invalid_offset, coding_name(chosen->coding));
	if (chosen->coding == FAN_CODING_GSM7 && !survey.gsm7)
		return fan_fail(FAN_E_INVALID, "character U+%04" PRIX32 " at octet %zu is not in GSM 7-bit; UCS-2 has it",
				survey.foreign, chosen->mark_bytes + survey.foreign_offset);
	return 0;
}

/* The bytes must be valid for the coding. Returns units written: at most 2 per octet. */
static size_t
encode_units(uint8_t *units, enum fan_coding coding, const uint8_t *bytes, size_t byte_count)
{
	size_t unit_count = 0;
	uint32_t code_point = 0;

	if (coding == FAN_CODING_8BIT) {
		memcpy(units, bytes, byte_count);
		return byte_count;
	}
	for (size_t at = 0; at < byte_count;) {
		unsigned octets = decode_utf8(&code_point, bytes + at, byte_count - at);

		FAN_REQUIRE(octets > 0);
		if (coding == FAN_CODING_GSM7)
			unit_count += encode_gsm7(units + unit_count, code_point);
		else
			unit_count += encode_utf16(units + 2 * unit_count, code_point);
		at += octets;
	}
	return unit_count;
}

static int
encode_text(struct text *text, const struct fan_message *message)
{
	struct fan_sms_coding chosen;
	const int error = fan_sms_coding_choose(&chosen, message);

	*text = (struct text){ 0 };
	if (error != 0)
		return error;
	/* At most 2 septets per octet (an ASCII character of the extension table) and 2 octets of UCS-2 per octet (ASCII). */
	text->units = malloc(2 * message->byte_count);
	if (text->units == NULL)
		return fan_fail(FAN_E_MEMORY, "%zu octets to encode a short message", 2 * message->byte_count);
	text->coding = chosen.coding;
	text->unit_bytes = text->coding == FAN_CODING_UCS2 ? 2 : 1;
	text->unit_count = encode_units(text->units, text->coding, message->bytes + chosen.mark_bytes,
					message->byte_count - chosen.mark_bytes);
	return 0;
}

/* Whether a unit is the first of two that must stay together: escape and its septet, or a surrogate pair. */
static bool
leads_pair(const struct text *text, size_t unit)
{
	if (text->coding == FAN_CODING_GSM7)
		return text->units[unit] == GSM7_ESCAPE;
	return text->coding == FAN_CODING_UCS2 && (text->units[2 * unit] & 0xfc) == 0xd8;
}

/* Units of the part that begins at `from`. */
static size_t
part_units(const struct text *text, size_t from, size_t capacity_units)
{
	if (text->unit_count - from <= capacity_units)
		return text->unit_count - from;
	return leads_pair(text, from + capacity_units - 1) ? capacity_units - 1 : capacity_units;
}

/* Units that fit beside a header of header_bytes, its length octet included. */
static size_t
part_capacity_units(enum fan_coding coding, unsigned header_bytes)
{
	unsigned rest_bytes = FAN_SMS_USER_DATA_BYTES_MAX - header_bytes;

	/* Fill bits after the header are part of these bits: 7 of them never make a septet of their own. */
	if (coding == FAN_CODING_GSM7)
		return rest_bytes * 8 / 7;
	return coding == FAN_CODING_UCS2 ? rest_bytes / 2 : rest_bytes;
}

/* ---- Addresses and time ------------------------------------------------------------------------------------------------ */

/* ORs septets into zeroed octets, the first at bit 7 * first_septet (TS 23.038 6.1.2.1.1). Returns octets from the start. */
static unsigned
pack_septets(uint8_t *octets, unsigned first_septet, const uint8_t *septets, size_t septet_count)
{
	size_t bit = 7 * (size_t)first_septet;

	for (size_t i = 0; i < septet_count; i++, bit += 7) {
		unsigned shifted = (unsigned)septets[i] << bit % 8;

		octets[bit / 8] |= (uint8_t)shifted;
		if (shifted > 0xff)
			octets[bit / 8 + 1] |= (uint8_t)(shifted >> 8);
	}
	return (unsigned)((bit + 7) / 8);
}

/* Swapped BCD, filled with F. Returns octets. */
static unsigned
pack_digits(uint8_t *octets, const char *digits, size_t digit_count)
{
	for (size_t i = 0; i < digit_count; i++) {
		uint8_t digit = (uint8_t)(digits[i] - '0');

		if (i % 2 == 0)
			octets[i / 2] = 0xf0 | digit;
		else
			octets[i / 2] = (uint8_t)(digit << 4 | (octets[i / 2] & 0x0f));
	}
	return (unsigned)((digit_count + 1) / 2);
}

/* True when the text is digits and nothing else, one at least. */
static bool
all_digits(const char *text)
{
	size_t digit_count = strspn(text, "0123456789");

	return digit_count > 0 && text[digit_count] == '\0';
}

static int
alphanumeric_originator(struct address *address, const char *originator)
{
	/* 11 septets are at most 11 characters of 3 octets, and as text at most 2 septets an octet. */
	enum { TEXT_BYTES_MAX = 3 * FAN_SMS_ORIGINATOR_SEPTETS_MAX };
	uint8_t septets[2 * TEXT_BYTES_MAX];
	size_t septet_count, byte_count = strnlen(originator, TEXT_BYTES_MAX + 1);
	const uint8_t *bytes = (const uint8_t *)originator;
	struct survey survey;

	if (byte_count == 0 || byte_count > TEXT_BYTES_MAX)
		return fan_fail(FAN_E_INVALID, "originator is %s; it takes 1..%d characters of GSM 7-bit, or digits",
				byte_count == 0 ? "empty" : "too long", FAN_SMS_ORIGINATOR_SEPTETS_MAX);
	survey_text(&survey, bytes, byte_count);
	if (!survey.utf8)
		return fan_fail(FAN_E_INVALID, "originator is not UTF-8 at octet %zu", survey.invalid_offset);
	if (!survey.gsm7)
		return fan_fail(FAN_E_INVALID, "originator has character U+%04" PRIX32 " at octet %zu, not in GSM 7-bit",
				survey.foreign, survey.foreign_offset);
	if (survey.control || strpbrk(originator, "\r\n") != NULL)
		return fan_fail(FAN_E_INVALID, "originator has a control character");
	septet_count = encode_units(septets, FAN_CODING_GSM7, bytes, byte_count);
	if (septet_count > FAN_SMS_ORIGINATOR_SEPTETS_MAX)
		return fan_fail(FAN_E_INVALID, "originator takes %zu septets; at most %d fit TP-OA", septet_count,
				FAN_SMS_ORIGINATOR_SEPTETS_MAX);
	/* The length is that of the useful semi-octets (TS 23.040 9.1.2.5). */
	address->octets[0] = (uint8_t)((7 * septet_count + 3) / 4);
	address->octets[1] = ADDRESS_ALPHANUMERIC;
	address->octet_count = (uint8_t)(2 + pack_septets(address->octets + 2, 0, septets, septet_count));
	return 0;
}

static int
originator_address(struct address *address, const char *originator)
{
	bool plus = originator[0] == '+';
	const char *digits = originator + plus;
	size_t digit_count = strlen(digits);

	*address = (struct address){ 0 };
	if (!all_digits(digits)) {
		if (plus)
			return fan_fail(FAN_E_INVALID, "originator begins with + and is not a number: 1..%d digits may follow",
					FAN_SMS_ADDRESS_DIGITS_MAX);
		return alphanumeric_originator(address, originator);
	}
	if (digit_count > FAN_SMS_ADDRESS_DIGITS_MAX)
		return fan_fail(FAN_E_INVALID, "originator has %zu digits; at most %d fit TP-OA", digit_count,
				FAN_SMS_ADDRESS_DIGITS_MAX);
	address->octets[0] = (uint8_t)digit_count;
	address->octets[1] = plus ? ADDRESS_INTERNATIONAL : ADDRESS_UNKNOWN;
	address->octet_count = (uint8_t)(2 + pack_digits(address->octets + 2, digits, digit_count));
	return 0;
}

/* Unlike TP-OA, RP-OA counts the octets of type and digits (TS 24.011 8.2.5.1). */
static int
service_centre_address(struct address *address, const char *service_centre)
{
	size_t digit_count;

	*address = (struct address){ 0 };
	if (service_centre[0] != '+' || !all_digits(service_centre + 1))
		return fan_fail(FAN_E_INVALID, "service centre must be + and 1..%d digits", FAN_SMS_ADDRESS_DIGITS_MAX);
	digit_count = strlen(service_centre + 1);
	if (digit_count > FAN_SMS_ADDRESS_DIGITS_MAX)
		return fan_fail(FAN_E_INVALID, "service centre has %zu digits; at most %d fit RP-OA", digit_count,
				FAN_SMS_ADDRESS_DIGITS_MAX);
	address->octets[1] = ADDRESS_INTERNATIONAL;
	address->octets[0] = (uint8_t)(1 + pack_digits(address->octets + 2, service_centre + 1, digit_count));
	address->octet_count = (uint8_t)(1 + address->octets[0]);
	return 0;
}

/* Out: *now_s, from SOURCE_DATE_EPOCH when that is set. */
static int
current_time(int64_t *now_s)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	char *end;

	if (epoch == NULL || epoch[0] == '\0') {
		*now_s = time(NULL);
		return 0;
	}
	errno = 0;
	*now_s = strtoll(epoch, &end, 10);
	if (errno != 0 || end == epoch || *end != '\0' || *now_s < 0)
		return fan_fail(FAN_E_INVALID, "SOURCE_DATE_EPOCH is not a number of seconds since 1970");
	return 0;
}

static uint8_t
swapped_bcd(int value)
{
	return (uint8_t)(value % 10 << 4 | value / 10);
}

/* TP-SCTS in UTC: zone 0 (TS 23.040 9.2.3.11). */
static int
write_timestamp(uint8_t octets[SCTS_BYTES], int64_t timestamp_s)
{
	time_t seconds = timestamp_s;
	struct tm utc;

	if (timestamp_s < 0 || gmtime_r(&seconds, &utc) == NULL || utc.tm_year + 1900 > SCTS_YEAR_MAX)
		return fan_fail(FAN_E_INVALID, "timestamp %" PRId64 " s is outside 1970..%d", timestamp_s, SCTS_YEAR_MAX);
	octets[0] = swapped_bcd(utc.tm_year % 100);
	octets[1] = swapped_bcd(utc.tm_mon + 1);
	octets[2] = swapped_bcd(utc.tm_mday);
	octets[3] = swapped_bcd(utc.tm_hour);
	octets[4] = swapped_bcd(utc.tm_min);
	octets[5] = swapped_bcd(utc.tm_sec);
	octets[6] = 0;
	return 0;
}

/* ---- Parts ------------------------------------------------------------------------------------------------------------- */

static void
append(struct prefix *prefix, const uint8_t *octets, size_t octet_count)
{
	FAN_REQUIRE(prefix->octet_count + octet_count <= sizeof(prefix->octets));
	memcpy(prefix->octets + prefix->octet_count, octets, octet_count);
	prefix->octet_count = (uint8_t)(prefix->octet_count + octet_count);
}

static uint8_t
data_coding_scheme(enum fan_coding coding)
{
	return coding == FAN_CODING_GSM7 ? TP_DCS_GSM7 : coding == FAN_CODING_UCS2 ? TP_DCS_UCS2 : TP_DCS_8BIT;
}

static int
build_prefix(struct prefix *prefix, const struct fan_message *message, enum fan_coding coding, int64_t now_s)
{
	uint8_t pid_dcs_scts[2 + SCTS_BYTES] = { message->device_trigger ? TP_PID_DEVICE_TRIGGER : TP_PID_DEFAULT,
						 data_coding_scheme(coding) };
	const char *from = message->originator != NULL ? message->originator : DEFAULT_ORIGINATOR;
	const char *centre = message->service_centre != NULL ? message->service_centre : DEFAULT_SERVICE_CENTRE;
	struct address originator, service_centre;
	int error;

	*prefix = (struct prefix){ 0 };
	error = service_centre_address(&service_centre, centre);
	if (error != 0)
		return error;
	error = originator_address(&originator, from);
	if (error != 0)
		return error;
	error = write_timestamp(pid_dcs_scts + 2, message->timestamp_s != 0 ? message->timestamp_s : now_s);
	if (error != 0)
		return error;
	append(prefix, (const uint8_t[]){ CP_SMS_PROTOCOL, CP_DATA, 0, RP_DATA_TO_MS, 0 }, 5);
	append(prefix, service_centre.octets, service_centre.octet_count);
	append(prefix, (const uint8_t[]){ 0, 0 }, 2);
	prefix->tpdu_offset = prefix->octet_count;
	append(prefix, (const uint8_t[]){ TP_DELIVER }, 1);
	append(prefix, originator.octets, originator.octet_count);
	append(prefix, pid_dcs_scts, sizeof(pid_dcs_scts));
	return 0;
}

/* Octets of TP-UD before the text: length octet and elements, 0 when there is none. */
static unsigned
header_bytes(bool concatenated, bool ports)
{
	unsigned element_bytes = (concatenated ? IE_CONCATENATION_BYTES : 0U) + (ports ? IE_PORTS_16_BYTES : 0U);

	return element_bytes > 0 ? 1 + element_bytes : 0;
}

/* part_total 1: no concatenation element. Returns octets written. */
static unsigned
write_header(uint8_t *user_data, const struct fan_message *message, uint8_t reference, unsigned part_total,
	     unsigned part_number)
{
	unsigned total_bytes = header_bytes(part_total > 1, message->device_trigger);
	uint8_t *at = user_data;

	if (total_bytes == 0)
		return 0;
	*at++ = (uint8_t)(total_bytes - 1);
	if (part_total > 1) {
		*at++ = IE_CONCATENATION;
		*at++ = IE_CONCATENATION_BYTES - 2;
		*at++ = reference;
		*at++ = (uint8_t)part_total;
		*at++ = (uint8_t)part_number;
	}
	if (message->device_trigger) {
		*at++ = IE_PORTS_16;
		*at++ = IE_PORTS_16_BYTES - 2;
		*at++ = (uint8_t)(message->application_port >> 8);
		*at++ = (uint8_t)message->application_port;
		*at++ = 0;
		*at++ = 0;
	}
	return total_bytes;
}

/* Writes TP-UDL and the text behind the prefix, and the lengths in front. TP-UD already holds its header. */
static void
place(struct fan_sms_part *part, const struct prefix *prefix, unsigned udh_bytes, const struct text *text, size_t from,
      size_t unit_count)
{
	uint8_t *length = part->cp_data + prefix->octet_count;
	uint8_t *user_data = length + 1;
	unsigned user_data_bytes, part_bytes;

	memcpy(part->cp_data, prefix->octets, prefix->octet_count);
	if (text->coding == FAN_CODING_GSM7) {
		/* The text begins on a septet boundary: fill bits, zero, lie between (TS 23.040 9.2.3.24). */
		unsigned header_septets = (8 * udh_bytes + 6) / 7;

		user_data_bytes = pack_septets(user_data, header_septets, text->units + from, unit_count);
		*length = (uint8_t)(header_septets + unit_count);
	} else {
		memcpy(user_data + udh_bytes, text->units + from * text->unit_bytes, unit_count * text->unit_bytes);
		user_data_bytes = udh_bytes + (unsigned)unit_count * text->unit_bytes;
		*length = (uint8_t)user_data_bytes;
	}
	part_bytes = prefix->octet_count + 1U + user_data_bytes;
	part->byte_count = (uint8_t)part_bytes;
	part->cp_data[2] = (uint8_t)(part_bytes - 3);
	part->cp_data[prefix->tpdu_offset - 1] = (uint8_t)(part_bytes - prefix->tpdu_offset);
}

/* Out: *part_count and *capacity_units, of the whole message when it fits one part, of a concatenated one otherwise. */
static int
plan_parts(unsigned *part_count, size_t *capacity_units, const struct text *text, bool ports)
{
	size_t count = 0;

	*capacity_units = part_capacity_units(text->coding, header_bytes(false, ports));
	*part_count = 1;
	if (text->unit_count <= *capacity_units)
		return 0;
	*capacity_units = part_capacity_units(text->coding, header_bytes(true, ports));
	for (size_t at = 0; at < text->unit_count; at += part_units(text, at, *capacity_units))
		count++;
	if (count > FAN_PARTS_MAX)
		return fan_fail(FAN_E_TOO_LONG, "message takes %zu short messages of %zu %s in %s; the limit is %d", count,
				*capacity_units, unit_name(text->coding), coding_name(text->coding), FAN_PARTS_MAX);
	*part_count = (unsigned)count;
	return 0;
}

/* 0 until the first use; the bit above the octet keeps the start from being 0. */
static atomic_uint next_reference;

void
fan_sms_reference_begin(uint8_t reference)
{
	atomic_store(&next_reference, 0x100U | reference);
}

/* Where a process begins unless it was told: under SOURCE_DATE_EPOCH at its low octet. */
static uint8_t
first_reference(int64_t now_s)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	struct timespec now;

	if (epoch != NULL && epoch[0] != '\0')
		return (uint8_t)now_s;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint8_t)(now.tv_sec * 16 + now.tv_nsec / 62500000 + getpid());
}

static uint8_t
take_reference(int64_t now_s)
{
	unsigned unused = 0;

	if (atomic_load(&next_reference) == 0)
		atomic_compare_exchange_strong(&next_reference, &unused, 0x100U | first_reference(now_s));
	return (uint8_t)atomic_fetch_add(&next_reference, 1);
}

static void
write_parts(struct fan_sms *sms, const struct prefix *prefix, const struct text *text, const struct fan_message *message,
	    uint8_t reference, size_t capacity_units)
{
	size_t at = 0;

	for (unsigned i = 0; i < sms->part_count; i++) {
		struct fan_sms_part *part = &sms->parts[i];
		size_t unit_count = part_units(text, at, capacity_units);
		uint8_t *user_data = part->cp_data + prefix->octet_count + 1;
		unsigned udh_bytes = write_header(user_data, message, reference, sms->part_count, i + 1);

		place(part, prefix, udh_bytes, text, at, unit_count);
		part->cp_data[prefix->tpdu_offset] = (uint8_t)(TP_DELIVER | (udh_bytes > 0 ? TP_HAS_HEADER : 0) |
							       (i + 1 == sms->part_count ? TP_NO_MORE_MESSAGES : 0));
		at += unit_count;
	}
	FAN_REQUIRE(at == text->unit_count);
}

int
fan_sms_encode(struct fan_sms *sms, const struct fan_message *message)
{
	struct prefix prefix;
	struct text text;
	size_t capacity_units;
	unsigned part_count;
	int64_t now_s;
	int error;

	*sms = (struct fan_sms){ 0 };
	error = current_time(&now_s);
	if (error != 0)
		return error;
	error = encode_text(&text, message);
	if (error != 0)
		return error;
	error = build_prefix(&prefix, message, text.coding, now_s);
	if (error != 0)
		goto free_text;
	error = plan_parts(&part_count, &capacity_units, &text, message->device_trigger);
	if (error != 0)
		goto free_text;
	sms->parts = calloc(part_count, sizeof(*sms->parts));
	if (sms->parts == NULL) {
		error = fan_fail(FAN_E_MEMORY, "%zu octets for %u short messages", part_count * sizeof(*sms->parts),
				 part_count);
		goto free_text;
	}
	sms->coding = text.coding;
	sms->part_count = part_count;
	write_parts(sms, &prefix, &text, message, part_count > 1 ? take_reference(now_s) : 0, capacity_units);
free_text:
	free(text.units);
	return error;
}

void
fan_sms_free(struct fan_sms *sms)
{
	free(sms->parts);
	*sms = (struct fan_sms){ 0 };
}
