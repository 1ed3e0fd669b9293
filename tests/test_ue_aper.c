/* SPDX-License-Identifier: BSD-3-Clause */
/* DownlinkNASTransport of S1AP and NGAP: three captured messages, and messages written out by hand. */
#include "../ue/aper.h"
#include "octets.h"
#include "vectors.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OCTETS_MAX 1024

/* Parses an exact-size copy, so that a sanitizer sees a read past its end. Out: pdu, the NAS PDU. */
static bool
parse(struct fan_ue_transport *transport, uint8_t *pdu, bool five_g, const uint8_t *octets, size_t octet_count)
{
	uint8_t *copy = malloc(octet_count ? octet_count : 1);
	bool good;

	memcpy(copy, octets, octet_count);
	good = fan_ue_aper_parse(transport, five_g, copy, octet_count);
	if (good)
		memcpy(pdu, transport->pdu, transport->pdu_bytes);
	free(copy);
	return good;
}

Test(ue_aper, captures)
{
	static uint8_t octets[OCTETS_MAX], pdu[OCTETS_MAX], expected[OCTETS_MAX];
	struct fan_ue_transport transport;
	struct fan_vectors vectors = fan_vectors_load("S1AP_DownlinkNASTransport.json");

	cr_assert_eq(vectors.count, 3);
	for (size_t i = 0; i < vectors.count; i++) {
		const json_t *vector = fan_vector_at(&vectors, i);
		size_t count = fan_vector_bytes(vector, octets, "pdu", sizeof(octets));

		cr_assert(parse(&transport, pdu, false, octets, count), "capture %zu", i);
		cr_expect_eq(transport.mme_ue_id, 0xd3);
		cr_expect_eq(transport.ran_ue_id, 1);
		count = fan_vector_bytes(vector, expected, "nas_pdu", sizeof(expected));
		cr_expect_eq(transport.pdu_bytes, count);
		cr_expect_eq(memcmp(pdu, expected, count), 0);
	}
	fan_vectors_free(&vectors);
}

static const struct row {
	const char *name, *hex;
	bool five_g, good;
	uint64_t mme_ue_id;
	uint32_t ran_ue_id;
	const char *pdu;
} rows[] = {
	{ "S1AP",
	  "000b4015000003"
	  "0000000200d3"
	  "000800020001"
	  "001a00020127",
	  false, true, 0xd3, 1, "27" },
	{ "largest ids",
	  "000b401b000003"
	  "00000005c0ffffffff"
	  "0008000480ffffff"
	  "001a0003020102",
	  false, true, 0xffffffff, 0xffffff, "0102" },
	{ "ids zero",
	  "000b4015000003"
	  "000000020000"
	  "000800020000"
	  "001a00020127",
	  false, true, 0, 0, "27" },
	{ "other IEs between and after",
	  "000b4023000005"
	  "000000020001"
	  "000800020002"
	  "0029400403000000"
	  "001a00020127"
	  "006a40020000",
	  false, true, 1, 2, "27" },
	{ "empty NAS PDU",
	  "000b4014000003"
	  "000000020001"
	  "000800020002"
	  "001a000100",
	  false, true, 1, 2, "" },
	{ "NGAP",
	  "00044016000003"
	  "000a00020001"
	  "005500020002"
	  "00260003020102",
	  true, true, 1, 2, "0102" },
	{ "NGAP, largest ids",
	  "0004401d000003"
	  "000a000680ffffffffff"
	  "00550005c0ffffffff"
	  "00260003020102",
	  true, true, 0xffffffffff, 0xffffffff, "0102" },
	{ "NGAP, other IEs between",
	  "00044020000005"
	  "000a00020001"
	  "005500020002"
	  "0030000100"
	  "0053400100"
	  "0026000302"
	  "0102",
	  true, true, 1, 2, "0102" },
	{ "NGAP read as S1AP",
	  "00044016000003"
	  "000a00020001"
	  "005500020002"
	  "00260003020102",
	  false, false, 0, 0, NULL },
	{ "S1AP read as NGAP",
	  "000b4015000003"
	  "0000000200d3"
	  "000800020001"
	  "001a00020127",
	  true, false, 0, 0, NULL },
	{ "successful outcome",
	  "200b4015000003"
	  "0000000200d3"
	  "000800020001"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "criticality of the procedure",
	  "000b0015000003"
	  "0000000200d3"
	  "000800020001"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "uplink transport",
	  "000d4015000003"
	  "0000000200d3"
	  "000800020001"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "length short",
	  "000b4014000003"
	  "0000000200d3"
	  "000800020001"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "length long",
	  "000b4016000003"
	  "0000000200d3"
	  "000800020001"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "octet after the end",
	  "000b4015000003"
	  "0000000200d3"
	  "000800020001"
	  "001a00020127"
	  "00",
	  false, false, 0, 0, NULL },
	{ "octet after the IEs",
	  "000b4016000003"
	  "0000000200d3"
	  "000800020001"
	  "001a00020127"
	  "00",
	  false, false, 0, 0, NULL },
	{ "extension bit",
	  "000b4015800003"
	  "0000000200d3"
	  "000800020001"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "two IEs announced",
	  "000b4015000002"
	  "0000000200d3"
	  "000800020001"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "four IEs announced",
	  "000b4015000004"
	  "0000000200d3"
	  "000800020001"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "no NAS PDU",
	  "000b400f000002"
	  "0000000200d3"
	  "000800020001",
	  false, false, 0, 0, NULL },
	{ "order of IEs",
	  "000b4015000003"
	  "000800020001"
	  "0000000200d3"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "NAS PDU twice",
	  "000b401b000004"
	  "0000000200d3"
	  "000800020001"
	  "001a00020127"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "id twice",
	  "000b401b000004"
	  "0000000200d3"
	  "000800020001"
	  "000800020001"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "criticality of an id",
	  "000b4015000003"
	  "0000400200d3"
	  "000800020001"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "padding of a criticality",
	  "000b4015000003"
	  "0000010200d3"
	  "000800020001"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "criticality 3",
	  "000b401b000004"
	  "000000020001"
	  "000800020002"
	  "0029c0020000"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "padding of an id",
	  "000b4015000003"
	  "0000000201d3"
	  "000800020001"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "id with a leading zero",
	  "000b4016000003"
	  "00000003400001"
	  "000800020001"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "id longer than its IE",
	  "000b4015000003"
	  "0000000240d3"
	  "000800020001"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "id shorter than its IE",
	  "000b4016000003"
	  "00000003000101"
	  "000800020001"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "eNB id of four octets",
	  "000b4018000003"
	  "0000000200d3"
	  "00080005c001020304"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "AMF id of six octets",
	  "0004401b000003"
	  "000a0007a0010203040506"
	  "005500020002"
	  "00260003020102",
	  true, false, 0, 0, NULL },
	{ "AMF id sized as in S1AP",
	  "00044017000003"
	  "000a0003400102"
	  "005500020002"
	  "00260003020102",
	  true, false, 0, 0, NULL },
	{ "empty id",
	  "000b4013000003"
	  "00000000"
	  "000800020001"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "NAS PDU longer than its IE",
	  "000b4015000003"
	  "0000000200d3"
	  "000800020001"
	  "001a00020227",
	  false, false, 0, 0, NULL },
	{ "NAS PDU shorter than its IE",
	  "000b4016000003"
	  "0000000200d3"
	  "000800020001"
	  "001a0003012727",
	  false, false, 0, 0, NULL },
	{ "length in two octets below 128",
	  "000b408015000003"
	  "0000000200d3"
	  "000800020001"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "fragmented length",
	  "000b40c1000003"
	  "0000000200d3"
	  "000800020001"
	  "001a00020127",
	  false, false, 0, 0, NULL },
	{ "nothing", "", false, false, 0, 0, NULL },
};

Test(ue_aper, rows)
{
	static uint8_t octets[OCTETS_MAX], pdu[OCTETS_MAX], expected[OCTETS_MAX];
	struct fan_ue_transport transport;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		size_t count = fan_test_octets(octets, row->hex, sizeof(octets));

		cr_expect_eq(parse(&transport, pdu, row->five_g, octets, count), row->good, "%s", row->name);
		if (!row->good)
			continue;
		cr_expect_eq(transport.mme_ue_id, row->mme_ue_id, "%s", row->name);
		cr_expect_eq(transport.ran_ue_id, row->ran_ue_id, "%s", row->name);
		count = fan_test_octets(expected, row->pdu, sizeof(expected));
		cr_expect_eq(transport.pdu_bytes, count, "%s", row->name);
		cr_expect_eq(memcmp(pdu, expected, count), 0, "%s", row->name);
		/* No prefix is a message. */
		for (size_t cut = 0; cut < strlen(row->hex) / 2; cut++)
			cr_expect_not(parse(&transport, pdu, row->five_g, octets, cut), "%s, %zu octets", row->name, cut);
	}
}

/* Writes a length determinant of one or two octets. */
static size_t
put_length(uint8_t *at, size_t length)
{
	if (length < 128) {
		at[0] = (uint8_t)length;
		return 1;
	}
	at[0] = (uint8_t)(0x80 | length >> 8);
	at[1] = (uint8_t)length;
	return 2;
}

/* NAS PDUs around the places where one, two or all three lengths grow to two octets. */
Test(ue_aper, lengths)
{
	static uint8_t pdu[OCTETS_MAX];
	struct fan_ue_transport transport;

	for (size_t pdu_bytes = 1; pdu_bytes < 600; pdu_bytes++) {
		uint8_t inner[2], octets[OCTETS_MAX], body[OCTETS_MAX];
		size_t inner_bytes = put_length(inner, pdu_bytes), at, body_bytes;

		body_bytes = fan_test_octets(body,
					     "000003"
					     "0000000200d3"
					     "000800020001"
					     "001a00",
					     sizeof(body));
		body_bytes += put_length(body + body_bytes, inner_bytes + pdu_bytes);
		memcpy(body + body_bytes, inner, inner_bytes);
		body_bytes += inner_bytes;
		memset(body + body_bytes, 0x5a, pdu_bytes);
		body_bytes += pdu_bytes;
		at = fan_test_octets(octets, "000b40", sizeof(octets));
		at += put_length(octets + at, body_bytes);
		memcpy(octets + at, body, body_bytes);
		cr_expect(parse(&transport, pdu, false, octets, at + body_bytes), "%zu octets", pdu_bytes);
		cr_expect_eq(transport.pdu_bytes, pdu_bytes);
	}
}
