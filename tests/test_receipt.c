/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is read out of a frame, and what is refused. Frames stand at the end of an allocation of their own, so that a sanitizer sees every
 * octet that is read behind them.
 */
#include "octets.h"
#include "receipt_frames.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const struct fan_test_path ipv4 = {
	.link = { .ethernet = { 2, 0, 0, 0, 0, 9 }, .address = { 192, 0, 2, 1 } },
	.sender = { 198, 51, 100, 7 },
};
static const struct fan_test_path ipv6 = {
	.link = { .ipv6 = true, .ethernet = { 2, 0, 0, 0, 0, 9 }, .address = { 0x20, 1, 0x0d, 0xb8, [15] = 1 } },
	.sender = { 0x20, 1, 0x0d, 0xb8, [15] = 7 },
};

static struct fan_receipt_frame seen;

static enum fan_refusal
read_octets(const struct fan_test_path *path, const uint8_t *octets, size_t octet_count)
{
	uint8_t *own = malloc(octet_count > 0 ? octet_count : 1);
	enum fan_refusal refusal;

	cr_assert_not_null(own);
	memcpy(own, octets, octet_count);
	refusal = fan_receipt_read(&seen, &path->link, FAN_PORT_RECEIPT, own, octet_count);
	free(own);
	return refusal;
}

static enum fan_refusal
read_payload(const struct fan_test_path *path, uint16_t port, const char *hex)
{
	static uint8_t frame[FAN_TEST_FRAME_BYTES], payload[1500];
	const size_t payload_bytes = fan_test_octets(payload, hex, sizeof(payload));

	return read_octets(path, frame, fan_test_datagram(frame, path, port, payload, payload_bytes));
}

Test(receipt, a_delivery_status_is_read)
{
	static const struct {
		const char *gtpu;
		enum fan_refusal refusal;
		uint32_t sn;
	} rows[] = {
		/* The smallest; with padding of a whole word more. */
		{ "34ff0010aabbccdd00000084 03140000000000001234 00 00", FAN_REFUSAL_NONE, 0x1234 },
		{ "34ff0014aabbccdd00000084 0414000000000000123400000000 00 00", FAN_REFUSAL_NONE, 0x1234 },
		{ "34ff0010aabbccdd00000084 03140000000000ffffff 00 00", FAN_REFUSAL_NONE, 0xffffff },
		/* S and PN beside E; a T-PDU behind it; the spare bit of the first octet set. */
		{ "37ff0010aabbccdd12345684 03140000000000001234 00 00", FAN_REFUSAL_NONE, 0x1234 },
		{ "34ff0012aabbccdd00000084 03140000000000001234 00 00 abcd", FAN_REFUSAL_NONE, 0x1234 },
		{ "3cff0010aabbccdd00000084 03140000000000001234 00 00", FAN_REFUSAL_NONE, 0x1234 },
		/* Every field, no range lost: buffer, rate, ranges, delivered, transmitted, cause, two of retransmissions. */
		{ "34ff0020aabbccdd00000084 07 1f0f 11111111 22222222 00 001234 333333 44 555555 666666 0000 00",
		  FAN_REFUSAL_NONE, 0x1234 },
		{ "34ff0024aabbccdd00000084 08 1f0f 11111111 22222222 01 000001000002 001234 333333 44 555555 666666 00",
		  FAN_REFUSAL_LOSS, 0 },
		/* The final frame; transmitted alone says nothing of delivery; flags of later releases. */
		{ "34ff0010aabbccdd00000084 03160000000000001234 00 00", FAN_REFUSAL_NONE, 0x1234 },
		{ "34ff0010aabbccdd00000084 03180000000000001234 00 00", FAN_REFUSAL_NO_STATUS, 0 },
		{ "34ff000caabbccdd00000084 02100000000000 00", FAN_REFUSAL_NO_STATUS, 0 },
		{ "34ff0010aabbccdd00000084 0314f000000000001234 00 00", FAN_REFUSAL_NONE, 0x1234 },
		/* Other NR-U PDUs: DL USER DATA, ASSISTANCE INFORMATION DATA. */
		{ "34ff0010aabbccdd00000084 03040000000000001234 00 00", FAN_REFUSAL_NO_STATUS, 0 },
		{ "34ff0010aabbccdd00000084 03240000000000001234 00 00", FAN_REFUSAL_NO_STATUS, 0 },
		/* What the flags promise is not there. */
		{ "34ff000caabbccdd00000084 02140000000000 00", FAN_REFUSAL_TRUNCATED, 0 },
		{ "34ff0008aabbccdd00000084 011400 00", FAN_REFUSAL_TRUNCATED, 0 },
		{ "34ff000caabbccdd00000084 02140800000000 00", FAN_REFUSAL_TRUNCATED, 0 },
		{ "34ff000caabbccdd00000084 02110000000000 00", FAN_REFUSAL_TRUNCATED, 0 },
		{ "34ff0010aabbccdd00000084 031500000000ff123456 00 00", FAN_REFUSAL_TRUNCATED, 0 },
		{ "34ff0010aabbccdd00000084 031c0000000000001234 00 00", FAN_REFUSAL_TRUNCATED, 0 },
		{ "34ff0010aabbccdd00000084 03140600000000001234 00 00", FAN_REFUSAL_TRUNCATED, 0 },
		{ "34ff0010aabbccdd00000084 03140100000000001234 00 00", FAN_REFUSAL_NONE, 0x1234 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char hex[512], *out = hex;

		for (const char *in = rows[i].gtpu; *in != '\0'; in++)
			if (*in != ' ')
				*out++ = *in;
		*out = '\0';
		cr_expect_eq(read_payload(&ipv4, FAN_PORT_GTPU, hex), rows[i].refusal, "row %zu", i);
		if (rows[i].refusal != FAN_REFUSAL_NONE)
			continue;
		cr_expect(seen.count == 1 && seen.sequence == 0 && seen.receipt[0].way == FAN_RECEIPT_TUNNEL);
		cr_expect(seen.receipt[0].id == 0xaabbccdd && seen.receipt[0].number == rows[i].sn, "row %zu", i);
		cr_expect_arr_eq(seen.sender, ipv4.sender, 16);
	}
}

Test(receipt, a_chain_of_extensions_ends)
{
	static const struct {
		const char *gtpu;
		enum fan_refusal refusal;
	} rows[] = {
		/* Others before and behind it, which need not be understood. */
		{ "34ff0014aabbccdd00000001"
		  "01aabb84"
		  "0314000000000000123400"
		  "00",
		  FAN_REFUSAL_NONE },
		{ "34ff0014aabbccdd00000084"
		  "0314000000000000123400"
		  "02"
		  "01aabb00",
		  FAN_REFUSAL_NONE },
		{ "34ff001caabbccdd00000001"
		  "01aabb02"
		  "01aabb03"
		  "01aabb84"
		  "0314000000000000123400"
		  "00",
		  FAN_REFUSAL_NONE },
		{ "34ff0020aabbccdd00000001"
		  "01aabb02"
		  "01aabb03"
		  "01aabb04"
		  "01aabb84"
		  "0314000000000000123400"
		  "00",
		  FAN_REFUSAL_CHAIN },
		/* One that must be (0x85, PDU session container; 0xc0, PDCP PDU number); a second container. */
		{ "34ff0014aabbccdd00000085"
		  "01aabb84"
		  "0314000000000000123400"
		  "00",
		  FAN_REFUSAL_CHAIN },
		{ "34ff0014aabbccdd000000c0"
		  "01aabb84"
		  "0314000000000000123400"
		  "00",
		  FAN_REFUSAL_CHAIN },
		{ "34ff001caabbccdd00000084"
		  "0314000000000000123400"
		  "84"
		  "0314000000000000123400"
		  "00",
		  FAN_REFUSAL_CHAIN },
		/* No length, one too long, a type and nothing behind it. */
		{ "34ff0010aabbccdd00000084"
		  "0014000000000000123400"
		  "00",
		  FAN_REFUSAL_MALFORMED },
		{ "34ff0010aabbccdd00000084"
		  "0414000000000000123400"
		  "00",
		  FAN_REFUSAL_TRUNCATED },
		{ "34ff0010aabbccdd00000084"
		  "ff14000000000000123400"
		  "00",
		  FAN_REFUSAL_TRUNCATED },
		{ "34ff0010aabbccdd00000084"
		  "0314000000000000123400"
		  "01",
		  FAN_REFUSAL_TRUNCATED },
		{ "34ff0004aabbccdd00000084", FAN_REFUSAL_TRUNCATED },
		/* None at all; the fourth optional octet counts with E alone. */
		{ "34ff0004aabbccdd00000000", FAN_REFUSAL_NO_STATUS },
		{ "32ff0010aabbccdd00000084"
		  "0314000000000000123400"
		  "00",
		  FAN_REFUSAL_NO_STATUS },
		{ "30ff0002aabbccdd"
		  "abcd",
		  FAN_REFUSAL_NO_STATUS },
		/* An echo request, an error indication, version 2, PT 0; lengths that are wrong; a header cut off. */
		{ "34010010aabbccdd00000084"
		  "0314000000000000123400"
		  "00",
		  FAN_REFUSAL_NO_STATUS },
		{ "341a0010aabbccdd00000084"
		  "0314000000000000123400"
		  "00",
		  FAN_REFUSAL_NO_STATUS },
		{ "54ff0010aabbccdd00000084"
		  "0314000000000000123400"
		  "00",
		  FAN_REFUSAL_MALFORMED },
		{ "24ff0010aabbccdd00000084"
		  "0314000000000000123400"
		  "00",
		  FAN_REFUSAL_MALFORMED },
		{ "34ff0011aabbccdd00000084"
		  "0314000000000000123400"
		  "00",
		  FAN_REFUSAL_TRUNCATED },
		{ "34ff000faabbccdd00000084"
		  "0314000000000000123400"
		  "00",
		  FAN_REFUSAL_MALFORMED },
		{ "34ff0002aabbccdd"
		  "0000",
		  FAN_REFUSAL_TRUNCATED },
		{ "34ff0002aabbcc", FAN_REFUSAL_TRUNCATED },
		{ "", FAN_REFUSAL_TRUNCATED },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(read_payload(&ipv4, FAN_PORT_GTPU, rows[i].gtpu), rows[i].refusal, "row %zu", i);
}

Test(receipt, a_relays_datagram_is_read)
{
	static const struct {
		const char *payload;
		enum fan_refusal refusal;
	} rows[] = {
		{ "46414e52"
		  "0100"
		  "0001"
		  "0000000000000001"
		  "01"
		  "00000000aabbccdd"
		  "00abcdef",
		  FAN_REFUSAL_NONE },
		{ "46414e53"
		  "0100"
		  "0001"
		  "0000000000000001"
		  "01"
		  "00000000aabbccdd"
		  "00abcdef",
		  FAN_REFUSAL_VERSION },
		{ "46414e52"
		  "0200"
		  "0001"
		  "0000000000000001"
		  "01"
		  "00000000aabbccdd"
		  "00abcdef",
		  FAN_REFUSAL_VERSION },
		{ "46414e52"
		  "0000"
		  "0001"
		  "0000000000000001"
		  "01"
		  "00000000aabbccdd"
		  "00abcdef",
		  FAN_REFUSAL_VERSION },
		{ "46414e52"
		  "0101"
		  "0001"
		  "0000000000000001"
		  "01"
		  "00000000aabbccdd"
		  "00abcdef",
		  FAN_REFUSAL_MALFORMED },
		/* No sequence, no entry; fewer and more than there are; octets behind them. */
		{ "46414e52"
		  "0100"
		  "0001"
		  "0000000000000000"
		  "01"
		  "00000000aabbccdd"
		  "00abcdef",
		  FAN_REFUSAL_MALFORMED },
		{ "46414e52"
		  "0100"
		  "0000"
		  "0000000000000001",
		  FAN_REFUSAL_MALFORMED },
		{ "46414e52"
		  "0100"
		  "0000"
		  "0000000000000001"
		  "01"
		  "00000000aabbccdd"
		  "00abcdef",
		  FAN_REFUSAL_MALFORMED },
		{ "46414e52"
		  "0100"
		  "0002"
		  "0000000000000001"
		  "01"
		  "00000000aabbccdd"
		  "00abcdef",
		  FAN_REFUSAL_TRUNCATED },
		{ "46414e52"
		  "0100"
		  "ffff"
		  "0000000000000001"
		  "01"
		  "00000000aabbccdd"
		  "00abcdef",
		  FAN_REFUSAL_MALFORMED },
		{ "46414e52"
		  "0100"
		  "0001"
		  "0000000000000001"
		  "01"
		  "00000000aabbccdd"
		  "00abcdef"
		  "00",
		  FAN_REFUSAL_MALFORMED },
		{ "46414e52"
		  "0100"
		  "0001"
		  "0000000000000001"
		  "01"
		  "00000000aabbccdd"
		  "00abcd",
		  FAN_REFUSAL_TRUNCATED },
		{ "46414e52"
		  "0100"
		  "0001"
		  "00000000000000",
		  FAN_REFUSAL_TRUNCATED },
		{ "", FAN_REFUSAL_TRUNCATED },
		/* A tunnel is acknowledged in itself; a kind that there is not. */
		{ "46414e52"
		  "0100"
		  "0001"
		  "0000000000000001"
		  "00"
		  "00000000aabbccdd"
		  "00abcdef",
		  FAN_REFUSAL_MALFORMED },
		{ "46414e52"
		  "0100"
		  "0001"
		  "0000000000000001"
		  "05"
		  "00000000aabbccdd"
		  "00abcdef",
		  FAN_REFUSAL_MALFORMED },
		{ "46414e52"
		  "0100"
		  "0001"
		  "0000000000000001"
		  "ff"
		  "00000000aabbccdd"
		  "00abcdef",
		  FAN_REFUSAL_MALFORMED },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(read_payload(&ipv4, FAN_PORT_RECEIPT, rows[i].payload), rows[i].refusal, "row %zu", i);
}

/* One entry too many does not fit the array, whatever the datagram holds. */
Test(receipt, a_datagram_is_full_of_entries)
{
	struct fan_receipt entries[FAN_RECEIPTS_A_FRAME + 1];
	uint8_t frame[FAN_TEST_FRAME_BYTES];

	for (unsigned i = 0; i <= FAN_RECEIPTS_A_FRAME; i++)
		entries[i] = (struct fan_receipt){ .way = (uint8_t)(1 + i % 4),
						   .id = UINT64_C(0x0123456789abcdef) * i,
						   .number = 0x01234567 * i };
	cr_assert_eq(read_octets(&ipv6, frame, fan_test_relay(frame, &ipv6, 77, entries, FAN_RECEIPTS_A_FRAME)), 0);
	cr_assert_eq(seen.sequence, 77);
	cr_assert_arr_eq(seen.sender, ipv6.sender, 16);
	cr_assert_eq(seen.count, FAN_RECEIPTS_A_FRAME);
	for (unsigned i = 0; i < FAN_RECEIPTS_A_FRAME; i++)
		cr_assert(seen.receipt[i].way == entries[i].way && seen.receipt[i].id == entries[i].id &&
				  seen.receipt[i].number == entries[i].number,
			  "entry %u", i);
	cr_assert_eq(read_octets(&ipv6, frame, fan_test_relay(frame, &ipv6, 77, entries, FAN_RECEIPTS_A_FRAME + 1)),
		     FAN_REFUSAL_MALFORMED);
}

/* Octets of a valid frame that are changed, and the frame's outermost lengths and checksums as they were. */
Test(receipt, what_carries_it_is_checked)
{
	static const struct {
		bool ipv6;
		uint8_t at;
		const char *octets;
		enum fan_refusal refusal;
	} rows[] = {
		{ false, 0, "020000000008", FAN_REFUSAL_NOT_OURS },
		{ false, 0, "ffffffffffff", FAN_REFUSAL_NOT_OURS },
		{ false, 12, "0806", FAN_REFUSAL_NOT_OURS },
		{ false, 12, "86dd", FAN_REFUSAL_NOT_OURS },
		{ true, 12, "0800", FAN_REFUSAL_NOT_OURS },
		{ false, 14, "65", FAN_REFUSAL_MALFORMED },
		{ false, 14, "44", FAN_REFUSAL_MALFORMED },
		{ false, 14, "40", FAN_REFUSAL_MALFORMED },
		{ false, 14, "4f", FAN_REFUSAL_MALFORMED }, /* more octets than the packet has */
		{ false, 16, "0013", FAN_REFUSAL_MALFORMED },
		{ false, 16, "0000", FAN_REFUSAL_MALFORMED },
		{ false, 16, "ffff", FAN_REFUSAL_TRUNCATED },
		{ false, 15, "01", FAN_REFUSAL_CHECKSUM },
		{ false, 24, "0000", FAN_REFUSAL_CHECKSUM },
		{ false, 38, "ffff", FAN_REFUSAL_TRUNCATED },
		{ false, 38, "0010", FAN_REFUSAL_MALFORMED },
		{ false, 38, "0000", FAN_REFUSAL_MALFORMED },
		{ false, 40, "ffff", FAN_REFUSAL_CHECKSUM },
		{ false, 40, "0000", FAN_REFUSAL_NONE }, /* no checksum (RFC 768) */
		{ true, 14, "40", FAN_REFUSAL_MALFORMED },
		{ true, 18, "ffff", FAN_REFUSAL_TRUNCATED },
		{ true, 18, "0007", FAN_REFUSAL_TRUNCATED },
		{ true, 20, "00", FAN_REFUSAL_FRAGMENT },
		{ true, 20, "2b", FAN_REFUSAL_FRAGMENT },
		{ true, 20, "2c", FAN_REFUSAL_FRAGMENT },
		{ true, 20, "3c", FAN_REFUSAL_FRAGMENT },
		{ true, 20, "06", FAN_REFUSAL_NOT_OURS },
		{ true, 22, "20010db9", FAN_REFUSAL_CHECKSUM },
		{ true, 38, "20010db9", FAN_REFUSAL_NOT_OURS },
		{ true, 60, "0000", FAN_REFUSAL_CHECKSUM }, /* IPv6 always has one (RFC 8200 8.1) */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct fan_test_path *path = rows[i].ipv6 ? &ipv6 : &ipv4;
		uint8_t frame[FAN_TEST_FRAME_BYTES];
		const size_t frame_bytes = fan_test_status(frame, path, 1, 2);

		cr_assert_eq(read_octets(path, frame, frame_bytes), FAN_REFUSAL_NONE, "row %zu", i);
		(void)fan_test_octets(frame + rows[i].at, rows[i].octets, 16);
		cr_expect_eq(read_octets(path, frame, frame_bytes), rows[i].refusal, "row %zu: %s", i,
			     fan_refusal_name(read_octets(path, frame, frame_bytes)));
	}
}

/* With the IPv4 checksum made right again. */
Test(receipt, fragments_and_other_protocols_are_not_ours)
{
	static const struct {
		uint8_t at;
		const char *octets;
		enum fan_refusal refusal;
	} rows[] = {
		{ 20, "4000", FAN_REFUSAL_NONE },     { 20, "0000", FAN_REFUSAL_NONE },
		{ 20, "2000", FAN_REFUSAL_FRAGMENT }, { 20, "0001", FAN_REFUSAL_FRAGMENT },
		{ 20, "1fff", FAN_REFUSAL_FRAGMENT }, { 23, "01", FAN_REFUSAL_NOT_OURS },
		{ 23, "84", FAN_REFUSAL_NOT_OURS },   { 30, "c0000202", FAN_REFUSAL_NOT_OURS },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t frame[FAN_TEST_FRAME_BYTES];
		const size_t frame_bytes = fan_test_status(frame, &ipv4, 1, 2);
		uint16_t sum;

		(void)fan_test_octets(frame + rows[i].at, rows[i].octets, 4);
		frame[24] = frame[25] = 0;
		sum = (uint16_t)(0xffff - fan_test_internet_sum(frame + 14, 20, 0));
		frame[24] = (uint8_t)(sum >> 8);
		frame[25] = (uint8_t)sum;
		cr_expect_eq(read_octets(&ipv4, frame, frame_bytes), rows[i].refusal, "row %zu", i);
	}
}

Test(receipt, a_tag_is_ours_or_none)
{
	static const struct {
		uint16_t ours, tag;
		enum fan_refusal refusal;
	} rows[] = {
		{ 0, 0, FAN_REFUSAL_NONE },
		{ 100, 0, FAN_REFUSAL_NONE },
		{ 100, 100, FAN_REFUSAL_NONE },
		{ 5 << 13 | 100, 100, FAN_REFUSAL_NONE },
		{ 100, 7 << 13 | 100, FAN_REFUSAL_NONE },
		{ 100, 5 << 13, FAN_REFUSAL_NONE },
		{ 100, 101, FAN_REFUSAL_NOT_OURS },
		{ 0, 100, FAN_REFUSAL_NOT_OURS },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_test_path path = ipv6;
		uint8_t frame[FAN_TEST_FRAME_BYTES];
		size_t frame_bytes;

		path.link.vlan_tag = rows[i].tag;
		frame_bytes = fan_test_status(frame, &path, 1, 2);
		path.link.vlan_tag = rows[i].ours;
		cr_expect_eq(read_octets(&path, frame, frame_bytes), rows[i].refusal, "row %zu", i);
	}
}

Test(receipt, ports_options_and_padding)
{
	struct fan_test_path path = ipv4;
	uint8_t frame[FAN_TEST_FRAME_BYTES] = { 0 };
	size_t frame_bytes;

	cr_assert_eq(read_payload(&ipv4, 2153, "34ff0010aabbccdd00000084031400000000000012340000"), FAN_REFUSAL_NOT_OURS);
	cr_assert_eq(read_payload(&ipv4, FAN_PORT_S1AP, "00"), FAN_REFUSAL_NOT_OURS);
	frame_bytes = fan_test_status(frame, &path, 1, 2);
	cr_assert_eq(read_octets(&path, frame, frame_bytes + 30), FAN_REFUSAL_NONE, "octets that pad the frame");
	path.ipv4_words = 15;
	frame_bytes = fan_test_status(frame, &path, 1, 2);
	cr_assert_eq(read_octets(&path, frame, frame_bytes), FAN_REFUSAL_NONE, "%s",
		     fan_refusal_name(read_octets(&path, frame, frame_bytes)));
	cr_assert(seen.receipt[0].id == 1 && seen.receipt[0].number == 2);
	frame[14] = 0x4e;
	cr_assert_neq(read_octets(&path, frame, frame_bytes), FAN_REFUSAL_NONE);
}

/* No beginning of a frame is taken for a whole one, and no bit of what checksums cover can turn over. */
Test(receipt, a_frame_is_whole_or_refused)
{
	const struct fan_receipt entries[3] = { { 5, 6, 1 }, { 7, 8, 2 }, { 9, 10, 3 } };
	const struct fan_test_path *paths[] = { &ipv4, &ipv6 };

	for (unsigned i = 0; i < 4; i++) {
		const struct fan_test_path *path = paths[i % 2];
		uint8_t frame[FAN_TEST_FRAME_BYTES];
		const size_t frame_bytes = i < 2 ? fan_test_status(frame, path, 1, 2)
						 : fan_test_relay(frame, path, 3, entries, 3);

		cr_assert_eq(read_octets(path, frame, frame_bytes), FAN_REFUSAL_NONE);
		for (size_t j = 0; j < frame_bytes; j++)
			cr_assert_neq(read_octets(path, frame, j), FAN_REFUSAL_NONE, "path %u: %zu of %zu octets", i, j,
				      frame_bytes);
		/* IPv6 leaves its first four octets and the hop limit uncovered. */
		for (size_t bit = 8 * (path->link.ipv6 ? 22 : 14); bit < 8 * frame_bytes; bit++) {
			frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
			cr_assert_neq(read_octets(path, frame, frame_bytes), FAN_REFUSAL_NONE, "path %u: bit %zu", i, bit);
			frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

Test(receipt, refusals_have_names)
{
	cr_assert_str_eq(fan_refusal_name(FAN_REFUSAL_NONE), "none");
	cr_assert_str_eq(fan_refusal_name(FAN_REFUSAL_NOT_OURS), "not-ours");
	cr_assert_str_eq(fan_refusal_name(FAN_REFUSAL_NEVER_SENT), "never-sent");
	cr_assert_str_eq(fan_refusal_name(FAN_REFUSAL_NOTHING_NEW), "nothing-new");
	cr_assert_str_eq(fan_refusal_name(FAN_REFUSAL_PACE), "pace");
	cr_assert_str_eq(fan_refusal_name(FAN_REFUSAL_COUNT), "unknown");
}
