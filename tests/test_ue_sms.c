/* SPDX-License-Identifier: BSD-3-Clause */
/* Short messages, laid down octet by octet. Packed septets were made by a packer that is not of this project's code. */
#include "../ue/sms.h"
#include "octets.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OA "0b912143658709f1" /* +12345678901 */
#define SCTS "52112190820000" /* 2025-11-12 09:28:00 UTC */

struct octets {
	uint8_t at[512];
	size_t count;
};

static void
append(struct octets *octets, const char *hex)
{
	octets->count += fan_test_octets(octets->at + octets->count, hex, sizeof(octets->at) - octets->count);
}

/* CP-DATA, TI 5, and RP-DATA, reference 0x77, from +10000000000, around a TPDU. */
static struct octets
lay_cp_data(const char *tpdu)
{
	struct octets cp = { .count = 0 };

	append(&cp, "590100"
		    "0177"
		    "07910100000000f0"
		    "00"
		    "00");
	cp.at[cp.count - 1] = (uint8_t)(strlen(tpdu) / 2);
	append(&cp, tpdu);
	cp.at[2] = (uint8_t)(cp.count - 3);
	return cp;
}

/* Parses an exact-size copy, so that a sanitizer sees a read past its end. */
static bool
parse(struct fan_ue_delivery *delivery, const struct octets *cp)
{
	static uint8_t text[FAN_UE_SMS_TEXT_MAX], kept[FAN_UE_SMS_TEXT_MAX];
	uint8_t *copy = malloc(cp->count ? cp->count : 1);
	bool good;

	memset(delivery, 0, sizeof(*delivery));
	memcpy(copy, cp->at, cp->count);
	good = fan_ue_sms_parse(delivery, text, copy, cp->count);
	if (good) {
		memcpy(kept, delivery->data, delivery->data_bytes);
		delivery->data = kept;
	}
	free(copy);
	return good;
}

static const struct accept {
	const char *name, *tpdu, *text;
	int port;
	uint16_t reference;
	uint8_t part, parts;
} accepts[] = {
	{ "7-bit", "04" OA "0000" SCTS "05e8329bfd06", "hello", -1, 0, 1, 1 },
	{ "7-bit, ten", "04" OA "0000" SCTS "0ae8329bfd4697d9ec37", "hellohello", -1, 0, 1, 1 },
	{ "7-bit, seven: seven unused bits", "04" OA "0000" SCTS "0741e19058341e01", "ABCDEFG", -1, 0, 1, 1 },
	{ "7-bit, eight in the same octets", "04" OA "0000" SCTS "0841e19058341e91", "ABCDEFGH", -1, 0, 1, 1 },
	{ "empty", "04" OA "0000" SCTS "00", "", -1, 0, 1, 1 },
	{ "at, pound, dollar", "04" OA "0000" SCTS "03808000", "@\xc2\xa3$", -1, 0, 1, 1 },
	{ "euro", "04" OA "0000" SCTS "029b32", "\xe2\x82\xac", -1, 0, 1, 1 },
	{ "extension table", "04" OA "0000" SCTS "121bd426b5e16d7a1bdf06b8796d281b05", "{}[~]|\\^\f", -1, 0, 1, 1 },
	{ "greek and accents", "04" OA "0000" SCTS "0610c94403de02", "\xce\x94\xce\xa6\xce\x93\xce\x9e\xc2\xbf\xc3\x84", -1, 0,
	  1, 1 },
	{ "class 1 of group 1111", "04" OA "00f1" SCTS "05e8329bfd06", "hello", -1, 0, 1, 1 },
	{ "class 0 of the general group", "04" OA "0010" SCTS "05e8329bfd06", "hello", -1, 0, 1, 1 },
	{ "8-bit", "04" OA "0004" SCTS "03ff0041", "\xff\0A", -1, 0, 1, 1 },
	{ "8-bit, class 1", "04" OA "00f5" SCTS "0141", "A", -1, 0, 1, 1 },
	{ "UCS-2", "04" OA "0008" SCTS "06004100e920ac", "A\xc3\xa9\xe2\x82\xac", -1, 0, 1, 1 },
	{ "UCS-2, surrogates", "04" OA "0008" SCTS "04d83dde00", "\xf0\x9f\x98\x80", -1, 0, 1, 1 },
	{ "UCS-2, last below and first above surrogates", "04" OA "0008" SCTS "04d7ffe000", "\xed\x9f\xbf\xee\x80\x80", -1, 0,
	  1, 1 },
	{ "concatenated, one fill bit", "44" OA "0000" SCTS "09050003420301d069", "hi", -1, 0x42, 1, 3 },
	{ "concatenated, 16-bit reference, no fill bit", "44" OA "0000" SCTS "0a06080412340201e834", "hi", -1, 0x1234, 1, 2 },
	{ "header and no text", "44" OA "0000" SCTS "0705000342030300", "", -1, 0x42, 3, 3 },
	{ "16-bit ports", "44" OA "4800" SCTS "0a0605040b84c0dee737", "go", 0x0b84, 0, 1, 1 },
	{ "8-bit ports", "44" OA "4804" SCTS "06040402f0f141", "A", 0xf0, 0, 1, 1 },
	{ "port and part", "44" OA "4804" SCTS "0d0b05040b840000000307020141", "A", 0x0b84, 7, 1, 2 },
	{ "unknown element", "44" OA "0004" SCTS "05032001aa41", "A", -1, 0, 1, 1 },
};

Test(ue_sms, accepts)
{
	struct fan_ue_delivery delivery;

	for (size_t i = 0; i < sizeof(accepts) / sizeof(accepts[0]); i++) {
		const struct accept *row = &accepts[i];
		struct octets cp = lay_cp_data(row->tpdu);
		size_t text_bytes;

		text_bytes = strcmp(row->name, "8-bit") == 0 ? 3 : strlen(row->text);
		cr_expect(parse(&delivery, &cp), "%s", row->name);
		cr_expect_eq(delivery.data_bytes, text_bytes, "%s: %u octets", row->name, delivery.data_bytes);
		cr_expect_eq(memcmp(delivery.data, row->text, text_bytes), 0, "%s", row->name);
		cr_expect_eq(delivery.application_port, row->port, "%s", row->name);
		cr_expect_eq(delivery.sms_reference, row->reference, "%s", row->name);
		cr_expect_eq(delivery.sms_part, row->part, "%s", row->name);
		cr_expect_eq(delivery.sms_parts, row->parts, "%s", row->name);
		cr_expect_eq(delivery.transaction, 5);
		cr_expect_eq(delivery.rp_reference, 0x77);
		cr_expect_eq(delivery.form, FAN_UE_SMS);
		cr_expect_str_eq(delivery.originator, "+12345678901");
	}
}

static const struct refuse {
	const char *name, *tpdu;
} refuses[] = {
	{ "no TPDU", "" },
	{ "SMS-STATUS-REPORT", "06" OA "0000" SCTS "05e8329bfd06" },
	{ "spare bit of the first octet", "14" OA "0000" SCTS "05e8329bfd06" },
	{ "21 digits", "04159121436587092143658709f1"
		       "0000" SCTS "05e8329bfd06" },
	{ "odd digits without filler", "040b91214365870921"
				       "0000" SCTS "05e8329bfd06" },
	{ "filler among the digits", "040b91214f658709f1"
				     "0000" SCTS "05e8329bfd06" },
	{ "type of address without its high bit", "040b112143658709f1"
						  "0000" SCTS "05e8329bfd06" },
	{ "alphanumeric length that no number of septets has", "040cd0c6b0db1c9603"
							       "0000" SCTS "05e8329bfd06" },
	{ "alphanumeric with unused bits set", "040dd0c6b0db1c9697f1"
					       "0000" SCTS "05e8329bfd06" },
	{ "alphanumeric with a lone escape", "0402d01b"
					     "0000" SCTS "05e8329bfd06" },
	{ "compressed", "04" OA "0020" SCTS "05e8329bfd06" },
	{ "alphabet 11", "04" OA "000c" SCTS "05e8329bfd06" },
	{ "class bits without class", "04" OA "0001" SCTS "05e8329bfd06" },
	{ "group 0100", "04" OA "0040" SCTS "05e8329bfd06" },
	{ "group 1111, bit 3", "04" OA "00f8" SCTS "05e8329bfd06" },
	{ "month 13", "04" OA "0000"
		      "52311190820000"
		      "05e8329bfd06" },
	{ "day 0", "04" OA "0000"
		   "52110090820000"
		   "05e8329bfd06" },
	{ "hour 24", "04" OA "0000"
		     "52112142820000"
		     "05e8329bfd06" },
	{ "minute 60", "04" OA "0000"
		       "52112190060000"
		       "05e8329bfd06" },
	{ "second 60", "04" OA "0000"
		       "52112190820600"
		       "05e8329bfd06" },
	{ "digit above nine", "04" OA "0000"
			      "52a12190820000"
			      "05e8329bfd06" },
	{ "time zone digit above nine", "04" OA "0000"
					"521121908200a0"
					"05e8329bfd06" },
	{ "UDL one octet short", "04" OA "0000" SCTS "04e8329bfd06" },
	{ "UDL one octet long", "04" OA "0000" SCTS "07e8329bfd06" },
	{ "unused bits set", "04" OA "0000" SCTS "05e8329bfd0e" },
	{ "reserved character after escape", "04" OA "0000" SCTS "021b18" },
	{ "escape at the end", "04" OA "0000" SCTS "02c10d" },
	{ "escape after escape", "04" OA "0000" SCTS "029b0d" },
	{ "UCS-2 of odd length", "04" OA "0008" SCTS "03004100" },
	{ "UCS-2, low surrogate first", "04" OA "0008" SCTS "04de000041" },
	{ "UCS-2, high surrogate last", "04" OA "0008" SCTS "02d83d" },
	{ "UCS-2, high surrogate before a letter", "04" OA "0008" SCTS "04d83d0041" },
	{ "8-bit UDL above the octets", "04" OA "0004" SCTS "0441ff00" },
	{ "8-bit UDL below the octets", "04" OA "0004" SCTS "02414243" },
	{ "fill bit set", "44" OA "0000" SCTS "09050003420301d169" },
	{ "header indicated, none there", "44" OA "0004" SCTS "00" },
	{ "header longer than user data", "44" OA "0004" SCTS "050a0003420301" },
	{ "header takes more septets than there are", "44" OA "0000" SCTS "06050003420301" },
	{ "element longer than header", "44" OA "0004" SCTS "06050004420301" },
	{ "element without length", "44" OA "0004" SCTS "020100" },
	{ "part 0", "44" OA "0004" SCTS "06050003420300" },
	{ "part above parts", "44" OA "0004" SCTS "06050003420304" },
	{ "no parts", "44" OA "0004" SCTS "06050003420000" },
	{ "short concatenation element", "44" OA "0004" SCTS "050400024203" },
	{ "16-bit concatenation of 8-bit length", "44" OA "0004" SCTS "06050803420301" },
	{ "two concatenation elements", "44" OA "0004" SCTS "0b0a00034203010003420301" },
	{ "port element of wrong length", "44" OA "0004" SCTS "060505030b8400" },
	{ "two port elements", "44" OA "0004" SCTS "09080402010204020102" },
};

Test(ue_sms, refuses)
{
	struct fan_ue_delivery delivery;

	for (size_t i = 0; i < sizeof(refuses) / sizeof(refuses[0]); i++) {
		struct octets cp = lay_cp_data(refuses[i].tpdu);

		cr_expect_not(parse(&delivery, &cp), "%s", refuses[i].name);
	}
}

static const struct {
	const char *name, *tpdu, *originator;
} originators[] = {
	{ "international", "04" OA "0000" SCTS "00", "+12345678901" },
	{ "unknown type, even digits",
	  "0404812143"
	  "0000" SCTS "00",
	  "1234" },
	{ "20 digits",
	  "04149121436587090921436587"
	  "0000" SCTS "00",
	  "+12345678909012345678" },
	{ "star and hash",
	  "04048021ba"
	  "0000" SCTS "00",
	  "12*#" },
	{ "alphanumeric",
	  "040dd0c6b0db1c969701"
	  "0000" SCTS "00",
	  "Fanfare" },
	{ "eleven letters",
	  "0414d041e19058341e9149e512"
	  "0000" SCTS "00",
	  "ABCDEFGHIJK" },
	{ "euro",
	  "0404d09b32"
	  "0000" SCTS "00",
	  "\xe2\x82\xac" },
	{ "empty",
	  "040080"
	  "0000" SCTS "00",
	  "" },
};

Test(ue_sms, originators)
{
	struct fan_ue_delivery delivery;

	for (size_t i = 0; i < sizeof(originators) / sizeof(originators[0]); i++) {
		struct octets cp = lay_cp_data(originators[i].tpdu);

		cr_expect(parse(&delivery, &cp), "%s", originators[i].name);
		cr_expect_str_eq(delivery.originator, originators[i].originator, "%s: %s", originators[i].name,
				 delivery.originator);
	}
}

/* Every septet of the default alphabet but the escape, in order. */
Test(ue_sms, whole_alphabet)
{
	static const char expected[] =
		"@\xc2\xa3$\xc2\xa5\xc3\xa8\xc3\xa9\xc3\xb9\xc3\xac\xc3\xb2\xc3\x87\n\xc3\x98\xc3\xb8\r\xc3\x85\xc3\xa5"
		"\xce\x94_\xce\xa6\xce\x93\xce\x9b\xce\xa9\xce\xa0\xce\xa8\xce\xa3\xce\x98\xce\x9e\xc3\x86\xc3\xa6\xc3\x9f\xc3\x89"
		" !\"#\xc2\xa4%&'()*+,-./0123456789:;<=>?\xc2\xa1"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"\xc3\x84\xc3\x96\xc3\x91\xc3\x9c\xc2\xa7\xc2\xbf"
		"abcdefghijklmnopqrstuvwxyz"
		"\xc3\xa4\xc3\xb6\xc3\xb1\xc3\xbc\xc3\xa0";
	struct fan_ue_delivery delivery;
	struct octets cp = lay_cp_data(
		"04" OA "0000" SCTS "7f"
		"8080604028180e888462c168381e90886442a9582e988c86d3f17c4021d18854329d5029d58ad572bd6031d98c56b3dd7039dd8ed7f3fd80"
		"41e19058341e9149e592d9743ea151e9945ab55eb159ed96dbf57ec161f1985c369fd169f59add76bfe171f99c5eb7dff179fd9edff7ff01");

	cr_assert(parse(&delivery, &cp));
	cr_expect_eq(delivery.data_bytes, sizeof(expected) - 1);
	cr_expect_eq(memcmp(delivery.data, expected, sizeof(expected) - 1), 0);
}

/* 160 septets, the longest text, and what no longer fits. */
Test(ue_sms, longest)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	struct fan_ue_delivery delivery;
	char tpdu[600];
	struct octets cp;

	snprintf(
		tpdu, sizeof(tpdu), "04%s0000%sa0%s", OA, SCTS,
		"41e19058341e9149e592d9743ea151e9945ab55eb1596d503824168d476452b964369d4f68543aa556ad576c561b140e8945e31199542e99"
		"4de7131a954ea955eb159bd506854362d1784426954b66d3f98446a5536ad57ac566b541e19058341e9149e592d9743ea151e9945ab55eb1"
		"596d503824168d476452b964369d4f68543aa556ad576c561b140e89");
	cp = lay_cp_data(tpdu);
	cr_assert(parse(&delivery, &cp));
	cr_assert_eq(delivery.data_bytes, 160);
	for (size_t i = 0; i < 160; i++)
		cr_expect_eq(delivery.data[i], letters[i % 26]);

	/* 141 octets of 8-bit data, 161 septets. */
	for (unsigned packed = 0; packed < 2; packed++) {
		size_t octets = 141, at = (size_t)snprintf(tpdu, sizeof(tpdu), "04%s%s%s%s", OA, packed ? "0000" : "0004", SCTS,
							   packed ? "a1" : "8d");

		memset(tpdu + at, '0', 2 * octets);
		tpdu[at + 2 * octets] = 0;
		cp = lay_cp_data(tpdu);
		cr_expect_not(parse(&delivery, &cp));
	}
}

/* What surrounds the TPDU: each row turns one octet of a good CP-DATA. */
static const struct {
	const char *name;
	size_t at;
	uint8_t value;
	bool good;
} frames[] = {
	{ "as it is", 0, 0x59, true },
	{ "TI 0", 0, 0x09, true },
	{ "TI 6", 0, 0x69, true },
	{ "TI 7", 0, 0x79, false },
	{ "TI flag of the other side", 0, 0xd9, false },
	{ "protocol discriminator 5", 0, 0x55, false },
	{ "CP-ACK", 1, 0x04, false },
	{ "CP length short", 2, 0x20, false },
	{ "CP length long", 2, 0x40, false },
	{ "RP-ACK", 3, 0x03, false },
	{ "RP reference 255", 4, 0xff, true },
	{ "no RP-OA", 5, 0, false },
	{ "RP-OA of its type alone", 5, 1, false },
	{ "RP-OA too long", 5, 12, false },
	{ "RP-OA type without its high bit", 6, 0x11, false },
	{ "RP-OA with a filler among its digits", 8, 0xf0, false },
	{ "RP-OA with twelve digits", 12, 0x00, true },
	{ "RP-DA there", 13, 1, false },
	{ "RP-UD short", 14, 20, false },
	{ "RP-UD long", 14, 60, false },
};

Test(ue_sms, around_the_tpdu)
{
	struct fan_ue_delivery delivery;

	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		struct octets cp = lay_cp_data("04" OA "0000" SCTS "05e8329bfd06");

		cp.at[frames[i].at] = frames[i].value;
		cr_expect_eq(parse(&delivery, &cp), frames[i].good, "%s", frames[i].name);
		if (frames[i].good) {
			cr_expect_eq(delivery.transaction, cp.at[0] >> 4);
			cr_expect_eq(delivery.rp_reference, cp.at[4]);
		}
	}
}

/* Every prefix of a good CP-DATA is refused, also with its length octets made to fit. */
Test(ue_sms, truncation)
{
	static const char *const tpdus[] = {
		"04" OA "0000" SCTS "0ae8329bfd4697d9ec37",
		"44" OA "4800" SCTS "0a0605040b84c0dee737",
		"04" OA "0008" SCTS "06004100e920ac",
	};
	struct fan_ue_delivery delivery;

	for (size_t i = 0; i < sizeof(tpdus) / sizeof(tpdus[0]); i++) {
		struct octets whole = lay_cp_data(tpdus[i]);

		cr_assert(parse(&delivery, &whole));
		for (size_t count = 0; count < whole.count; count++) {
			struct octets cut = whole;

			cut.count = count;
			cr_expect_not(parse(&delivery, &cut), "%zu octets", count);
			if (count < 15)
				continue;
			cut.at[2] = (uint8_t)(count - 3);
			cut.at[14] = (uint8_t)(count - 15);
			cr_expect_not(parse(&delivery, &cut), "%zu octets, lengths made to fit", count);
		}
	}
}

/* What no change of one octet shows: an octet between TPDU and the end of RP-DATA, a service centre of 22 digits. */
Test(ue_sms, rp_data_lengths)
{
	static const char tpdu[] = "04" OA "0000" SCTS "05e8329bfd06";
	struct octets after = lay_cp_data(tpdu), longer = { .count = 0 };
	struct fan_ue_delivery delivery;

	append(&after, "00");
	after.at[2]++;
	cr_expect_not(parse(&delivery, &after));
	append(&longer, "590100"
			"0177"
			"0c911111111111111111111111"
			"00"
			"00");
	longer.at[longer.count - 1] = sizeof(tpdu) / 2;
	append(&longer, tpdu);
	longer.at[2] = (uint8_t)(longer.count - 3);
	cr_expect_not(parse(&delivery, &longer));
	/* With 20 digits it is good. */
	longer.count = 0;
	append(&longer, "590100"
			"0177"
			"0b9111111111111111111111"
			"00"
			"00");
	longer.at[longer.count - 1] = sizeof(tpdu) / 2;
	append(&longer, tpdu);
	longer.at[2] = (uint8_t)(longer.count - 3);
	cr_expect(parse(&delivery, &longer));
}
