/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Header templates, read back by the UE side, which shares no code with them.
 */
#include "../dataplane/pdu/transport.h"
#include "appliance_fixture.h"
#include "octets.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct fan_link ipv4_link = { .ethernet = { 2, 0, 0, 0, 0, 9 }, .address = { 192, 0, 2, 1 } };
static const struct fan_link ipv6_link = { .ipv6 = true,
					   .ethernet = { 2, 0, 0, 0, 0, 9 },
					   .address = { 0x20, 1, 0x0d, 0xb8, [15] = 1 } };

static struct fan_ue_address seen;
static bool was_asked;

static bool
find_nobody(void *user, struct fan_ue_subscriber *subscriber, struct fan_ue_state **state, const struct fan_ue_address *address)
{
	(void)user;
	(void)subscriber;
	(void)state;
	seen = *address;
	was_asked = true;
	return false;
}

static void
put_be(uint8_t *at, uint64_t value, unsigned byte_count)
{
	for (unsigned i = byte_count; i > 0; i--, value >>= 8)
		at[i - 1] = (uint8_t)value;
}

/* Completes a frame from a template as a worker does. Out: frame[]; returns its octets. */
static size_t
complete(uint8_t *frame, const struct fan_header *header, const struct fan_link *link, uint64_t first_id, uint32_t second_id)
{
	const struct fan_next_hop next_hop = fan_test_hop(1, link->ipv6);
	const size_t start = FAN_HEADER_BYTES_MAX - header->byte_count;
	uint8_t *ip = frame + header->ip_at - start;
	struct rte_mbuf mbuf = { .buf_addr = frame };
	struct fan_hop hop;

	memset(frame, 0x11, header->frame_bytes);
	memcpy(frame, header->octets + start, header->byte_count);
	fan_hop_make(&hop, &next_hop);
	memcpy(frame, hop.ethernet, 6);
	put_be(frame + header->id_at[0] - start, first_id, header->id_bytes[0]);
	put_be(frame + header->id_at[1] - start, second_id, header->id_bytes[1]);
	if (link->ipv6) {
		memcpy(ip + 24, hop.address, 16);
	} else {
		uint32_t sum = header->ipv4_sum + hop.address_sum;
		uint16_t checksum;

		memcpy(ip + 16, hop.address, 4);
		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		checksum = (uint16_t)~sum;
		memcpy(ip + 10, &checksum, 2);
	}
	if (link->ipv6)
		fan_udp_checksum_fill(&mbuf, link, link->ipv6);
	return header->frame_bytes;
}

static const enum fan_application applications[] = { FAN_GTPU, FAN_GTPU_NR, FAN_S1AP, FAN_NGAP };

/* Every application over both families, PDUs around the edges of APER lengths, ids of every length: the receiver finds the same ids. */
Test(transport, headers_are_read_back_by_the_ue_side)
{
	static const size_t pdu_sizes[] = { 10,  11,  95,  96,  97,  98,  99,  100, 110,  111,
					    112, 124, 125, 126, 127, 128, 129, 500, 1400, 1507 };
	struct fan_ue_receiver *receiver = fan_ue_receiver_open(find_nobody, NULL);
	struct fan_ue_delivery delivery;
	static uint8_t frame[2048];

	for (unsigned i = 0; i < 2 * 4 * RTE_DIM(pdu_sizes); i++) {
		const struct fan_link *link = i % 2 == 0 ? &ipv4_link : &ipv6_link;
		const enum fan_application application = applications[i / 2 % 4];
		const size_t pdu_bytes = pdu_sizes[i / 8];
		const bool nas = application == FAN_S1AP || application == FAN_NGAP;
		const unsigned mme_max = application == FAN_S1AP ? 4 : 5, ran_max = application == FAN_S1AP ? 3 : 4;

		for (unsigned ids = 0; ids < (nas ? mme_max * ran_max : 1); ids++) {
			const uint8_t id_bytes[2] = { (uint8_t)(1 + ids / ran_max), (uint8_t)(1 + ids % ran_max) };
			const uint64_t first_id = nas ? 0xa1b2c3d4e5ULL >> (8 * (5 - id_bytes[0])) : 0x81828384;
			const uint32_t second_id = nas ? 0xf6e7d8c9U >> (8 * (4 - id_bytes[1])) : 0x010203;
			struct fan_header header;
			size_t frame_bytes;

			cr_assert_eq(fan_header_make(&header, link, application, 7, pdu_bytes, nas ? id_bytes : NULL), 0);
			frame_bytes = complete(frame, &header, link, first_id, second_id);
			was_asked = false;
			cr_assert_eq(fan_ue_receive(receiver, &delivery, frame, frame_bytes), FAN_UE_UNKNOWN_UE,
				     "application %u, %zu octets, ids of %u and %u", application, pdu_bytes, id_bytes[0],
				     id_bytes[1]);
			cr_assert(was_asked && seen.ipv6 == link->ipv6 && seen.nas == nas);
			cr_assert_eq(seen.five_g, application == FAN_GTPU_NR || application == FAN_NGAP);
			cr_assert(nas ? seen.mme_ue_id == first_id && seen.ran_ue_id == second_id : seen.teid == first_id);
			cr_assert_eq(memcmp(seen.next_hop, fan_test_hop(1, link->ipv6).address, link->ipv6 ? 16 : 4), 0);
			cr_assert_eq(frame_bytes, header.byte_count - 7U + pdu_bytes);
			cr_assert_eq(memcmp(frame + 6, link->ethernet, 6), 0);
			if (!link->ipv6)
				cr_assert_eq(fan_test_internet_sum(frame + 14, 20, 0), 0xffff);
		}
	}
	fan_ue_receiver_close(receiver);
}

Test(transport, what_fits_no_datagram_is_refused)
{
	static const uint8_t id_bytes[2] = { 5, 4 };
	struct fan_header header;

	for (unsigned i = 0; i < 2; i++) {
		const struct fan_link *link = i == 0 ? &ipv4_link : &ipv6_link;
		const size_t most = 65535 - (i == 0 ? 20U : 40U) - 8 - 8;

		cr_assert_eq(fan_header_make(&header, link, FAN_GTPU, 2, most, NULL), 0);
		cr_assert_eq(fan_header_make(&header, link, FAN_GTPU, 2, most + 1, NULL), FAN_E_TOO_LONG);
		cr_assert_eq(fan_header_make(&header, link, FAN_NGAP, 7, 65535, id_bytes), FAN_E_TOO_LONG);
	}
	/* The longest header that there is. */
	cr_assert_eq(fan_header_make(&header, &ipv6_link, FAN_NGAP, 7, 1511, id_bytes), 0);
	cr_assert_leq(header.byte_count, FAN_HEADER_BYTES_MAX);
}

Test(transport, aper_integers_are_as_short_as_they_can_be)
{
	static const struct {
		uint64_t value;
		unsigned byte_count;
	} rows[] = {
		{ 0, 1 },        { 1, 1 },         { 0xff, 1 },       { 0x100, 2 },       { 0xffff, 2 },       { 0x10000, 3 },
		{ 0xffffff, 3 }, { 0x1000000, 4 }, { 0xffffffff, 4 }, { 0x100000000, 5 }, { 0xffffffffff, 5 },
	};

	for (size_t i = 0; i < RTE_DIM(rows); i++)
		cr_assert_eq(fan_aper_bytes(rows[i].value), rows[i].byte_count, "row %zu", i);
}

/* Odd and even lengths, and a datagram whose sum comes out as 0, which must be sent as 0xffff (RFC 768, RFC 8200 8.1). */
Test(transport, udp_checksums_add_up)
{
	for (unsigned i = 0; i < 2 * 300; i++) {
		const struct fan_link *link = i % 2 == 0 ? &ipv4_link : &ipv6_link;
		const size_t ip_bytes = link->ipv6 ? 40 : 20, address_bytes = link->ipv6 ? 32 : 8;
		struct fan_header header;
		static uint8_t frame[2048];
		struct rte_mbuf mbuf = { .buf_addr = frame };
		uint8_t *udp = frame + 14 + ip_bytes;
		size_t udp_bytes;
		uint32_t pseudo;

		cr_assert_eq(fan_header_make(&header, link, FAN_GTPU, 2, 4 + i / 2, NULL), 0);
		udp_bytes = complete(frame, &header, link, i * 0x1010101U, 0) - 14 - ip_bytes;
		pseudo = fan_test_internet_sum(frame + 14 + ip_bytes - address_bytes, address_bytes, 17 + (uint32_t)udp_bytes);
		fan_udp_checksum_fill(&mbuf, link, link->ipv6);
		cr_assert_eq(fan_test_internet_sum(udp, udp_bytes, pseudo), 0xffff, "%u", i);
		/* Make the rest of the datagram sum up to 0xffff: its complement is 0. */
		memset(udp + 6, 0, 2);
		memset(udp + 16, 0, 2);
		put_be(udp + 16, (uint16_t)~fan_test_internet_sum(udp, udp_bytes, pseudo), 2);
		fan_udp_checksum_fill(&mbuf, link, link->ipv6);
		cr_assert(udp[6] == 0xff && udp[7] == 0xff, "%u: %02x%02x", i, udp[6], udp[7]);
	}
}
