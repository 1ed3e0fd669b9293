/* SPDX-License-Identifier: BSD-3-Clause */
/* NAS COUNT and its limits, security headers, and the messages inside. */
#include "../ue/nas.h"
#include "../ue/sms.h"
#include "octets.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* Brute force of TS 24.301 4.4.3.1: the stored COUNT's overflow, one more when the received SN is below the stored SN. */
static int64_t
follow_rule(int64_t stored, uint8_t sn)
{
	int64_t overflow = stored >> 8;

	return (overflow + (sn < (stored & 0xff) ? 1 : 0)) << 8 | sn;
}

Test(ue_nas, estimate_is_the_rule)
{
	for (int64_t stored = 0; stored < 2000; stored++)
		for (unsigned sn = 0; sn < 256; sn++)
			cr_assert_eq(fan_ue_nas_estimate((uint64_t)stored + 1, (uint8_t)sn), follow_rule(stored, (uint8_t)sn));
	/* Nothing stored yet: COUNT 0 is to come. */
	for (unsigned sn = 0; sn < 255; sn++)
		cr_expect_eq(fan_ue_nas_estimate(0, (uint8_t)sn), sn);
	cr_expect_eq(fan_ue_nas_estimate(0, 255), -1);
}

/* A message of `sent` COUNT under EIA2 and EEA0, to a UE that expects `next`. */
static enum fan_ue_verdict
deliver(uint64_t next, uint32_t sent, bool five_g)
{
	static const uint8_t plain[] = { 0x52, 0x00, 0xeb, 0x00, 0x01, 'x' };
	struct fan_ue_subscriber subscriber = { .kind = five_g ? FAN_KIND_5GS_NAS : FAN_KIND_EPS_NAS,
						.integrity = 2,
						.k_int = { 1, 2, 3 } };
	struct fan_ue_cipher *cipher = fan_ue_cipher_open();
	struct fan_ue_cipher_use use = { subscriber.k_int, sent, five_g ? 1 : 0, 1 };
	uint8_t pdu[32] = { 0x27 }, buffer[32], *mac = pdu + 1;
	struct fan_ue_nas nas = { 0 };
	enum fan_ue_verdict verdict;

	if (five_g) {
		pdu[0] = 0x7e;
		pdu[1] = 0x02;
		mac = pdu + 2;
	}
	mac[4] = (uint8_t)sent;
	memcpy(mac + 5, plain, sizeof(plain));
	cr_assert(fan_ue_cipher_mac(cipher, mac, &use, 2, mac + 4, 8 * (1 + sizeof(plain))));
	verdict = fan_ue_nas_receive(cipher, &nas, buffer, &subscriber, next, pdu, (size_t)(mac - pdu) + 5 + sizeof(plain));
	if (verdict == FAN_UE_ACCEPTED || verdict == FAN_UE_REPLAY)
		cr_expect_eq(nas.count, sent);
	if (verdict == FAN_UE_ACCEPTED) {
		cr_expect_eq(nas.plain_bytes, sizeof(plain));
		cr_expect_eq(memcmp(nas.plain, plain, sizeof(plain)), 0);
	}
	fan_ue_cipher_close(cipher);
	return verdict;
}

/* Jumps from the last accepted COUNT. */
static const struct {
	int64_t jump;
	enum fan_ue_verdict verdict;
} jumps[] = {
	{ -257, FAN_UE_BAD_MAC }, /* its SN means the COUNT 256 later, and 256 before that one is as far as it is looked for */
	{ -256, FAN_UE_BAD_MAC },   { -255, FAN_UE_REPLAY }, { -1, FAN_UE_REPLAY },    { 0, FAN_UE_REPLAY },
	{ 1, FAN_UE_ACCEPTED },     { 2, FAN_UE_ACCEPTED },  { 254, FAN_UE_ACCEPTED }, { 255, FAN_UE_ACCEPTED },
	{ 256, FAN_UE_BAD_MAC },    { 257, FAN_UE_BAD_MAC }, { 511, FAN_UE_BAD_MAC },  { 512, FAN_UE_BAD_MAC },
	{ 100000, FAN_UE_BAD_MAC },
};

Test(ue_nas, jumps)
{
	static const int64_t stored[] = { 1000, 1023, 1024, 0xfe00, 0xfffe00, 300000 };

	for (size_t s = 0; s < sizeof(stored) / sizeof(stored[0]); s++)
		for (size_t j = 0; j < sizeof(jumps) / sizeof(jumps[0]); j++)
			for (unsigned five_g = 0; five_g < 2; five_g++) {
				int64_t sent = stored[s] + jumps[j].jump;
				enum fan_ue_verdict verdict;

				if (sent >= 1 << 24)
					continue;
				verdict = deliver((uint64_t)stored[s] + 1, (uint32_t)sent, five_g);
				cr_expect_eq(verdict, jumps[j].verdict, "%ld, jump %ld: %s", (long)stored[s],
					     (long)jumps[j].jump, fan_ue_verdict_name(verdict));
			}
}

/* Before anything was accepted the window is first_count .. first_count + 254. */
Test(ue_nas, first_message)
{
	cr_expect_eq(deliver(0, 0, false), FAN_UE_ACCEPTED);
	cr_expect_eq(deliver(0, 254, false), FAN_UE_ACCEPTED);
	cr_expect_eq(deliver(0, 255, false), FAN_UE_BAD_MAC);
	cr_expect_eq(deliver(0, 256, false), FAN_UE_BAD_MAC);
	cr_expect_eq(deliver(0x102, 0x102, false), FAN_UE_ACCEPTED);
	cr_expect_eq(deliver(0x102, 0x200, true), FAN_UE_ACCEPTED);
	cr_expect_eq(deliver(0x102, 0x201, true), FAN_UE_BAD_MAC);
	cr_expect_eq(deliver(0x102, 0x101, false), FAN_UE_REPLAY);
}

/* The COUNT does not come round under one key. */
Test(ue_nas, wrap)
{
	cr_expect_eq(deliver(0xffffff, 0xffffff, false), FAN_UE_ACCEPTED);
	cr_expect_eq(deliver(0x1000000, 0, false), FAN_UE_REPLAY);
	cr_expect_eq(deliver(0x1000000, 0xffffff, false), FAN_UE_REPLAY);
	cr_expect_eq(deliver(0xfffff0, 3, true), FAN_UE_REPLAY);
	cr_expect_eq(deliver(0x1000000, 0x1234, true), FAN_UE_BAD_MAC);
}

static const struct {
	const char *name;
	uint8_t pdu[9];
	size_t pdu_bytes;
	bool five_g;
	enum fan_ue_verdict verdict;
} headers[] = {
	/* under EIA0: the MAC is zero */
	{ "EPS, type 2", { 0x27, 0, 0, 0, 0, 7, 1 }, 7, false, FAN_UE_ACCEPTED },
	{ "EPS, MAC not zero", { 0x27, 0, 0, 1, 0, 7, 1 }, 7, false, FAN_UE_BAD_MAC },
	{ "EPS, type 1", { 0x17, 0, 0, 0, 0, 7, 1 }, 7, false, FAN_UE_MALFORMED_PDU },
	{ "EPS, type 4", { 0x47, 0, 0, 0, 0, 7, 1 }, 7, false, FAN_UE_MALFORMED_PDU },
	{ "EPS, plain", { 0x07, 0x62, 0, 0, 0, 7, 1 }, 7, false, FAN_UE_MALFORMED_PDU },
	{ "EPS, ESM discriminator", { 0x22, 0, 0, 0, 0, 7, 1 }, 7, false, FAN_UE_MALFORMED_PDU },
	{ "EPS, nothing after SN", { 0x27, 0, 0, 0, 0, 7 }, 6, false, FAN_UE_MALFORMED_PDU },
	{ "EPS, short MAC", { 0x27, 0, 0 }, 3, false, FAN_UE_MALFORMED_PDU },
	{ "EPS, empty", { 0 }, 0, false, FAN_UE_MALFORMED_PDU },
	{ "EPS, 5GS octets", { 0x7e, 2, 0, 0, 0, 0, 7, 1 }, 8, false, FAN_UE_MALFORMED_PDU },
	{ "5GS, type 2", { 0x7e, 2, 0, 0, 0, 0, 7, 1 }, 8, true, FAN_UE_ACCEPTED },
	{ "5GS, type 1", { 0x7e, 1, 0, 0, 0, 0, 7, 1 }, 8, true, FAN_UE_MALFORMED_PDU },
	{ "5GS, spare half octet", { 0x7e, 0x12, 0, 0, 0, 0, 7, 1 }, 8, true, FAN_UE_MALFORMED_PDU },
	{ "5GS, discriminator of 5GSM", { 0x2e, 2, 0, 0, 0, 0, 7, 1 }, 8, true, FAN_UE_MALFORMED_PDU },
	{ "5GS, nothing after SN", { 0x7e, 2, 0, 0, 0, 0, 7 }, 7, true, FAN_UE_MALFORMED_PDU },
	{ "5GS, EPS octets", { 0x27, 0, 0, 0, 0, 7, 1 }, 7, true, FAN_UE_MALFORMED_PDU },
	{ "5GS, header alone", { 0x7e }, 1, true, FAN_UE_MALFORMED_PDU },
};

Test(ue_nas, headers)
{
	struct fan_ue_cipher *cipher = fan_ue_cipher_open();
	uint8_t buffer[9];

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct fan_ue_subscriber subscriber = { .kind = headers[i].five_g ? FAN_KIND_5GS_NAS : FAN_KIND_EPS_NAS };
		struct fan_ue_nas nas;
		enum fan_ue_verdict verdict = fan_ue_nas_receive(cipher, &nas, buffer, &subscriber, 5, headers[i].pdu,
								 headers[i].pdu_bytes);

		cr_expect_eq(verdict, headers[i].verdict, "%s: %s", headers[i].name, fan_ue_verdict_name(verdict));
	}
	fan_ue_cipher_close(cipher);
}

/* Null integrity: the MAC says nothing, so a COUNT that the rule cannot tell is refused by the rule alone. */
Test(ue_nas, null_integrity)
{
	static const uint8_t pdu[] = { 0x27, 0, 0, 0, 0, 255, 1 };
	struct fan_ue_subscriber subscriber = { .kind = FAN_KIND_EPS_NAS };
	struct fan_ue_cipher *cipher = fan_ue_cipher_open();
	struct fan_ue_nas nas;
	uint8_t buffer[sizeof(pdu)];

	cr_expect_eq(fan_ue_nas_receive(cipher, &nas, buffer, &subscriber, 0, pdu, sizeof(pdu)), FAN_UE_BAD_MAC);
	cr_expect_eq(fan_ue_nas_receive(cipher, &nas, buffer, &subscriber, 256, pdu, sizeof(pdu)), FAN_UE_REPLAY);
	cr_expect_eq(fan_ue_nas_receive(cipher, &nas, buffer, &subscriber, 1, pdu, sizeof(pdu)), FAN_UE_ACCEPTED);
	fan_ue_cipher_close(cipher);
}

#define CP_DATA                                                                                                                \
	"59011d0177"                                                                                                           \
	"07910100000000f0"                                                                                                     \
	"0011"                                                                                                                 \
	"0404802143"                                                                                                           \
	"0004"                                                                                                                 \
	"52112190820000"                                                                                                       \
	"026162"
#define CP_BYTES "20"

static const struct content {
	const char *name, *hex;
	bool five_g;
	enum fan_ue_verdict verdict;
	enum fan_ue_form form;
	const char *data;
} contents[] = {
	{ "NIDD",
	  "5200eb0002"
	  "6869",
	  false, FAN_UE_ACCEPTED, FAN_UE_NIDD, "hi" },
	{ "NIDD, no data", "5200eb0000", false, FAN_UE_ACCEPTED, FAN_UE_NIDD, "" },
	{ "NIDD, bearer of another",
	  "6200eb0002"
	  "6869",
	  false, FAN_UE_WRONG_ADDRESS, FAN_UE_NIDD, "hi" },
	{ "NIDD, bearer 0",
	  "0200eb0002"
	  "6869",
	  false, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "NIDD, PTI 1",
	  "5201eb0002"
	  "6869",
	  false, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "NIDD, other ESM message",
	  "5200ec0002"
	  "6869",
	  false, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "NIDD, container long",
	  "5200eb0003"
	  "6869",
	  false, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "NIDD, octet after it",
	  "5200eb0001"
	  "6869",
	  false, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "NIDD, release assistance",
	  "5200eb0002"
	  "6869"
	  "f1",
	  false, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "SMS", "0762" CP_BYTES CP_DATA, false, FAN_UE_ACCEPTED, FAN_UE_SMS, "ab" },
	{ "SMS, container short", "07621f" CP_DATA, false, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "SMS, container long", "076221" CP_DATA, false, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "SMS, container of one octet", "07620159", false, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "SMS, octet after it", "0762" CP_BYTES CP_DATA "00", false, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "SMS, uplink", "0763" CP_BYTES CP_DATA, false, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "SMS, header type inside", "1762" CP_BYTES CP_DATA, false, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "SMS, bad inside",
	  "0762"
	  "03"
	  "590100",
	  false, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "5GS SMS", "7e00680200" CP_BYTES CP_DATA, true, FAN_UE_ACCEPTED, FAN_UE_SMS, "ab" },
	{ "5GS SMS with additional information", "7e00680200" CP_BYTES CP_DATA "240101", true, FAN_UE_ACCEPTED, FAN_UE_SMS,
	  "ab" },
	{ "5GS SMS with PDU session", "7e00680200" CP_BYTES CP_DATA "1205", true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "5GS SMS, container long", "7e0068020021" CP_DATA, true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "CIoT",
	  "7e0068080002"
	  "6869"
	  "1205",
	  true, FAN_UE_ACCEPTED, FAN_UE_CIOT, "hi" },
	{ "CIoT, all known IEs",
	  "7e0068080002"
	  "6869"
	  "1205"
	  "240101"
	  "5816"
	  "370121"
	  "3a0121",
	  true, FAN_UE_ACCEPTED, FAN_UE_CIOT, "hi" },
	{ "CIoT, session of another",
	  "7e0068080002"
	  "6869"
	  "1206",
	  true, FAN_UE_WRONG_ADDRESS, FAN_UE_CIOT, "hi" },
	{ "CIoT without PDU session",
	  "7e0068080002"
	  "6869",
	  true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "CIoT, PDU session 0",
	  "7e0068080002"
	  "6869"
	  "1200",
	  true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "CIoT, PDU session 16",
	  "7e0068080002"
	  "6869"
	  "1210",
	  true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "CIoT, PDU session twice",
	  "7e0068080002"
	  "6869"
	  "12051205",
	  true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "CIoT, PDU session cut",
	  "7e0068080002"
	  "6869"
	  "12",
	  true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "CIoT, cause cut",
	  "7e0068080002"
	  "6869"
	  "1205"
	  "58",
	  true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "CIoT, information cut",
	  "7e0068080002"
	  "6869"
	  "1205"
	  "240201",
	  true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "CIoT, unknown IE",
	  "7e0068080002"
	  "6869"
	  "1205"
	  "7b0101",
	  true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "container type 1",
	  "7e0068010002"
	  "6869"
	  "1205",
	  true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "spare half octet",
	  "7e0068180002"
	  "6869"
	  "1205",
	  true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "uplink",
	  "7e0067080002"
	  "6869"
	  "1205",
	  true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "protected again",
	  "7e0268080002"
	  "6869"
	  "1205",
	  true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "keys",
	  "07687f0002"
	  "6869",
	  false, FAN_UE_ACCEPTED, FAN_UE_KEYS, "hi" },
	{ "generic, type of location services",
	  "0768020002"
	  "6869",
	  false, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "keys, nothing in it", "07687f0000", false, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "keys, container long",
	  "07687f0003"
	  "6869",
	  false, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "keys, octet after it",
	  "07687f0001"
	  "6869",
	  false, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "5GS keys",
	  "7e006801000d"
	  "2e0500cb710006"
	  "736978206f63"
	  "1205",
	  true, FAN_UE_ACCEPTED, FAN_UE_KEYS, "six oc" },
	{ "5GS keys, too few for a container",
	  "7e006801000c"
	  "2e0500cb710005"
	  "736978206f"
	  "1205",
	  true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "5GS keys, session of another",
	  "7e006801000d"
	  "2e0600cb710006"
	  "736978206f63"
	  "1206",
	  true, FAN_UE_WRONG_ADDRESS, FAN_UE_KEYS, "six oc" },
	{ "5GS keys, two sessions",
	  "7e006801000d"
	  "2e0600cb710006"
	  "736978206f63"
	  "1205",
	  true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "5GS keys without PDU session",
	  "7e006801000d"
	  "2e0500cb710006"
	  "736978206f63",
	  true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "5GS keys, PTI 1",
	  "7e006801000d"
	  "2e0501cb710006"
	  "736978206f63"
	  "1205",
	  true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "5GS keys, other command",
	  "7e006801000d"
	  "2e0500cc710006"
	  "736978206f63"
	  "1205",
	  true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "5GS keys, other element",
	  "7e006801000d"
	  "2e0500cb720006"
	  "736978206f63"
	  "1205",
	  true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "5GS keys, octet after it",
	  "7e006801000e"
	  "2e0500cb710006"
	  "736978206f6374"
	  "1205",
	  true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "nothing, EPS", "", false, FAN_UE_MALFORMED_CONTENT, 0, NULL },
	{ "nothing, 5GS", "", true, FAN_UE_MALFORMED_CONTENT, 0, NULL },
};

/* Parses an exact-size copy of `count` octets of a row. */
static enum fan_ue_verdict
parse(struct fan_ue_delivery *delivery, char *data, const struct content *row, size_t count)
{
	struct fan_ue_subscriber subscriber = { .kind = row->five_g ? FAN_KIND_5GS_NAS : FAN_KIND_EPS_NAS, .bearer_id = 5 };
	uint8_t octets[256], text[FAN_UE_SMS_TEXT_MAX], *plain = malloc(count ? count : 1);
	enum fan_ue_verdict verdict;

	fan_test_octets(octets, row->hex, sizeof(octets));
	memcpy(plain, octets, count);
	memset(delivery, 0, sizeof(*delivery));
	verdict = fan_ue_nas_parse(delivery, text, &subscriber, plain, count);
	if (verdict == FAN_UE_ACCEPTED || verdict == FAN_UE_WRONG_ADDRESS) {
		memcpy(data, delivery->data, delivery->data_bytes);
		data[delivery->data_bytes] = 0;
	}
	free(plain);
	return verdict;
}

Test(ue_nas, contents)
{
	struct fan_ue_delivery delivery;
	char data[100];

	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		const struct content *row = &contents[i];
		enum fan_ue_verdict verdict = parse(&delivery, data, row, strlen(row->hex) / 2);

		cr_expect_eq(verdict, row->verdict, "%s: %s", row->name, fan_ue_verdict_name(verdict));
		if (!row->data)
			continue;
		cr_expect_eq(delivery.form, row->form, "%s", row->name);
		cr_expect_str_eq(data, row->data, "%s", row->name);
		if (row->form != FAN_UE_SMS)
			cr_expect_eq(delivery.bearer_id, verdict == FAN_UE_ACCEPTED ? 5 : 6, "%s", row->name);
	}
}

/* No prefix of a message is a message, but where an optional IE ends. */
Test(ue_nas, truncation)
{
	struct fan_ue_delivery delivery;
	char data[100];
	unsigned accepted = 0;

	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++)
		if (contents[i].verdict == FAN_UE_ACCEPTED)
			for (size_t count = 0; count < strlen(contents[i].hex) / 2; count++)
				accepted += parse(&delivery, data, &contents[i], count) == FAN_UE_ACCEPTED;
	/* "5GS SMS with additional information" without it; "CIoT, all known IEs" after session, 24, 58 and 37. */
	cr_expect_eq(accepted, 5);
}
