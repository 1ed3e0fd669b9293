/* SPDX-License-Identifier: BSD-3-Clause */
#include "../dataplane/context/count.h"
#include "../dataplane/context/table.h"
#include "../dataplane/engine/reference/reference.h"
#include "../dataplane/pdu/plan_write.h"
#include "batch.h"
#include "octets.h"

#include <criterion/criterion.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <string.h>

#define BUFFER_BYTES (FAN_TEXT_OFFSET + 1700)

static const struct fan_link ipv4_link = { .ethernet = { 2, 0, 0, 0, 0, 9 }, .address = { 192, 0, 2, 1 } };
static const struct fan_link ipv6_link = { .ipv6 = true,
					   .ethernet = { 2, 0, 0, 0, 0, 9 },
					   .address = { 0x20, 1, 0x0d, 0xb8, [15] = 1 } };

/* One packet written by a plan and protected by the reference engine, without EAL. */
struct written {
	struct rte_mbuf frame;
	uint8_t buffer[BUFFER_BYTES] __attribute__((aligned(64)));
	struct fan_context context;
	const uint8_t *octets; /* the frame */
	size_t byte_count;
};

static struct fan_ue
make_ue(enum fan_kind kind, uint8_t cipher, uint8_t integrity)
{
	struct fan_ue ue = {
		.struct_bytes = sizeof(struct fan_ue),
		.kind = kind,
		.cipher = cipher,
		.integrity = integrity,
		.count = 0x102,
		.count_reserved = 1U << 24,
		.bearer = kind == FAN_KIND_5GS_NAS ? 1 : 0,
		.teid = 0x01020304,
		.ipv4 = { 10, 1, 2, 3 },
		.nru_sn = 0xabcdef,
		.mme_ue_id = 0x010203,
		.ran_ue_id = 0x0405,
		.bearer_id = 5,
		.transaction = 6,
		.rp_reference = 0xff,
	};

	for (uint8_t i = 0; i < FAN_KEY_BYTES; i++) {
		ue.k_enc[i] = i;
		ue.k_int[i] = (uint8_t)(0x10 + i);
	}
	return ue;
}

static struct fan_protection
protection_of(const struct fan_ue *ue)
{
	const bool nas = ue->kind == FAN_KIND_EPS_NAS || ue->kind == FAN_KIND_5GS_NAS;

	return (struct fan_protection){ (uint8_t)ue->kind, ue->cipher, ue->integrity, nas ? ue->bearer_id : 0 };
}

static int
make_plans(struct fan_plans *plans, const struct fan_message *message, enum fan_profile profile, const struct fan_ue *ue,
	   const struct fan_link *link)
{
	const struct fan_form form = { (uint8_t)profile, protection_of(ue), NULL };

	return fan_plans_make(plans, message, &form, 1, link);
}

static void
protect(struct fan_batch *batch)
{
	struct fan_engine *engine;
	struct fan_batch *finished = NULL;

	cr_assert_eq(fan_engine_reference.open(&engine, NULL), 0);
	cr_assert_eq(fan_engine_reference.submit_burst(engine, &batch, 1), 1);
	cr_assert_eq(fan_engine_reference.poll_burst(engine, &finished, 1), 1);
	cr_assert_eq(batch->status, FAN_BATCH_DONE);
	fan_engine_reference.close(engine);
}

/* Writes part `part` of a message to one UE; the plaintext stays when `clear`. */
static void
write_one(struct written *written, const struct fan_ue *ue, const struct fan_message *message, enum fan_profile profile,
	  const struct fan_link *link, unsigned part, bool clear)
{
	const struct fan_next_hop next_hop = { .struct_bytes = sizeof(struct fan_next_hop),
					       .ethernet = { 2, 1, 1, 1, 1, 1 },
					       .address = { 198, 51, 100, 7, [15] = 2 } };
	struct fan_context_table table;
	struct fan_batch batch = { .ue_count = 1 };
	struct rte_mbuf *frame = &written->frame;
	struct fan_plans plans;
	struct fan_hop hop;
	uint32_t numbers[1];

	memset(written, 0, sizeof(*written));
	fan_hop_make(&hop, &next_hop);
	cr_assert_eq(fan_context_table_init(&table, protection_of(ue), 1), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_context_add(&table, ue), 0, "%s", fan_error_detail());
	cr_assert_eq(make_plans(&plans, message, profile, ue, link), 0, "%s", fan_error_detail());
	cr_assert_lt(part, plans.part_count);
	batch.context[0] = &table.slots[0];
	cr_assert_eq(fan_count_spend(&table.slots[0], &batch.count[0], &fan_count_rules[ue->kind], 1, 0, FAN_UNMARKED),
		     FAN_DROP_NONE);
	written->frame.buf_addr = written->buffer;
	fan_plan_take_numbers(numbers, &batch, &plans.part[part], 0, 1);
	fan_plan_write_burst(&batch, &frame, numbers, &plans.part[part], link, &hop, 0, 1);
	if (clear)
		memcpy(batch.text[0] + 16 * plans.part[part].shape.head_blocks,
		       plans.part[part].text + 16 * plans.part[part].shape.head_blocks,
		       (size_t)RTE_MAX(plans.part[part].shape.text_bytes - 16 * plans.part[part].shape.head_blocks, 0));
	else
		protect(&batch);
	if ((link->ipv6 || link->udp_checksum) && ue->kind != FAN_KIND_SGI)
		fan_udp_checksum_fill(frame, link, link->ipv6);
	written->context = table.slots[0];
	written->octets = written->buffer + frame->data_off;
	written->byte_count = frame->pkt_len;
	fan_plans_free(&plans);
	fan_context_table_free(&table);
}

static void
expect_hex(const uint8_t *octets, size_t byte_count, const char *hex)
{
	static char text[2 * BUFFER_BYTES + 1];

	for (size_t i = 0; i < byte_count; i++)
		snprintf(text + 2 * i, 3, "%02x", octets[i]);
	cr_assert_str_eq(text, hex);
}

/* Whether the UDP datagram behind an IP header of `ip_bytes` adds up with its pseudo header (RFC 768, RFC 8200 8.1). */
static bool
udp_adds_up(const uint8_t *ip, size_t ip_bytes, size_t udp_bytes)
{
	const size_t address_bytes = ip_bytes == 40 ? 32 : 8;
	const uint8_t *addresses = ip + ip_bytes - address_bytes;
	const uint32_t pseudo = fan_test_internet_sum(addresses, address_bytes, 17 + (uint32_t)udp_bytes);

	return fan_test_internet_sum(ip + ip_bytes, udp_bytes, pseudo) == 0xffff;
}

/* The two whole examples were made by an independent program and read back by tshark and pycrate. */
Test(plan, s1ap_nidd_matches_the_published_example)
{
	const struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS, 2, 2);
	struct fan_message message;
	static struct written written;

	fan_message_init(&message, "hello", 5);
	write_one(&written, &ue, &message, FAN_PROFILE_EPS_NAS_NIDD, &ipv4_link, 0, false);
	expect_hex(written.octets + 42, written.byte_count - 42,
		   "000b4027000003000000048001020300080003400405001a00111027414691f0028411ab10f7186b47a133");
}

Test(plan, ngap_ciot_matches_the_published_example)
{
	struct fan_ue ue = make_ue(FAN_KIND_5GS_NAS, 2, 2);
	struct fan_message message;
	static struct written written;

	ue.mme_ue_id = 0x0102030405;
	ue.ran_ue_id = 0x060708;
	fan_message_init(&message, "hello", 5);
	write_one(&written, &ue, &message, FAN_PROFILE_5GS_NAS_CIOT, &ipv4_link, 0, false);
	expect_hex(written.octets + 42, written.byte_count - 42,
		   "0004402e000003000a0006800102030405005500048006070800260015147e0296855d170293206dfe9dff18ffc8115f4645");
}

/* Ethernet and the packet, which tshark finds right; sums by hand from RFC 791 and RFC 768. DSCP is the link's, source the appliance's. */
Test(plan, over_sgi_the_packet_is_the_frame)
{
	struct fan_ue ue = {
		.struct_bytes = sizeof(ue), .kind = FAN_KIND_SGI, .integrity = FAN_INTEGRITY_NONE, .ipv4 = { 10, 1, 2, 3 }
	};
	struct fan_link link = ipv4_link;
	struct fan_message message;
	static struct written written;

	link.dscp = 10;
	memcpy(link.address, "\xc6\x33\x64\x09", 4);
	memcpy(link.ethernet, "\2\2\2\2\2\2", 6);
	fan_message_init(&message, "hello", 5);
	message.raw = true; /* of bearers alone */
	message.destination_port = 5683;
	write_one(&written, &ue, &message, FAN_PROFILE_SGI_IP, &link, 0, false);
	cr_assert_eq(written.byte_count, 14 + 28 + 5);
	expect_hex(written.octets, 14, "0201010101010202020202020800");
	expect_hex(written.octets + 14, 10, "45280021000040004011");
	expect_hex(written.octets + 26, 8, "c63364090a010203");
	expect_hex(written.octets + 34, 6, "9c401633000d");
	expect_hex(written.octets + 42, 5, "68656c6c6f");
	cr_assert_eq(fan_test_internet_sum(written.octets + 14, 20, 0), 0xffff);
	cr_assert(udp_adds_up(written.octets + 14, 20, 13));
	cr_assert_eq(written.context.count, 0);

	/* A tag, and a link of IPv6, whose next hop has no address in such a frame: the source must be named. */
	link.ipv6 = true;
	link.vlan_tag = 5;
	memcpy(message.source_ipv4, "\xc0\0\2\7", 4);
	write_one(&written, &ue, &message, FAN_PROFILE_SGI_IP, &link, 0, false);
	cr_assert_eq(written.byte_count, 18 + 28 + 5);
	expect_hex(written.octets, 18, "020101010101020202020202810000050800");
	expect_hex(written.octets + 30, 8, "c00002070a010203");
	cr_assert_eq(fan_test_internet_sum(written.octets + 18, 20, 0), 0xffff);
	cr_assert(udp_adds_up(written.octets + 18, 20, 13));
}

Test(plan, over_sgi_1472_octets_fill_the_path_and_one_more_does_not)
{
	const struct fan_ue ue = { .struct_bytes = sizeof(ue), .kind = FAN_KIND_SGI, .integrity = FAN_INTEGRITY_NONE };
	static uint8_t octets[1473];
	struct fan_message message;
	struct fan_plans plans;
	struct fan_link link = ipv4_link;

	fan_message_init(&message, octets, 1472);
	cr_assert_eq(make_plans(&plans, &message, FAN_PROFILE_SGI_IP, &ue, &link), 0, "%s", fan_error_detail());
	cr_assert_eq(plans.frame_bytes_max, 1514);
	fan_plans_free(&plans);
	message.byte_count = 1473;
	cr_assert_eq(make_plans(&plans, &message, FAN_PROFILE_SGI_IP, &ue, &link), FAN_E_TOO_LONG);
	cr_assert_not_null(strstr(fan_error_detail(), "sgi-ip: 1472 at most"), "%s", fan_error_detail());
	message.byte_count = 5;
	link.ipv6 = true;
	cr_assert_eq(make_plans(&plans, &message, FAN_PROFILE_SGI_IP, &ue, &link), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "source_ipv4"), "%s", fan_error_detail());
}

Test(plan, ids_of_every_length_are_encoded_as_short_as_they_can_be)
{
	static const struct {
		enum fan_kind kind;
		uint64_t mme;
		uint32_t ran;
		const char *ids; /* both IEs, in hex */
	} rows[] = {
		{ FAN_KIND_EPS_NAS, 0, 0,
		  "000000020000"
		  "000800020000" },
		{ FAN_KIND_EPS_NAS, 0xff, 0xff,
		  "0000000200ff"
		  "0008000200ff" },
		{ FAN_KIND_EPS_NAS, 0x100, 0x100,
		  "00000003400100"
		  "00080003400100" },
		{ FAN_KIND_EPS_NAS, 0xffffff, 0xffffff,
		  "0000000480ffffff"
		  "0008000480ffffff" },
		{ FAN_KIND_EPS_NAS, 0xffffffff, 1,
		  "00000005c0ffffffff"
		  "000800020001" },
		{ FAN_KIND_5GS_NAS, 0, 0,
		  "000a00020000"
		  "005500020000" },
		{ FAN_KIND_5GS_NAS, 0x100, 0x10000,
		  "000a0003200100"
		  "0055000480010000" },
		{ FAN_KIND_5GS_NAS, 0xffffff, 0xff,
		  "000a000440ffffff"
		  "0055000200ff" },
		{ FAN_KIND_5GS_NAS, 0xffffffff, 0xffff,
		  "000a000560ffffffff"
		  "0055000340ffff" },
		{ FAN_KIND_5GS_NAS, 0xffffffffff, 0xffffffff,
		  "000a000680ffffffffff"
		  "00550005c0ffffffff" },
	};

	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		struct fan_ue ue = make_ue(rows[i].kind, 2, 2);
		struct fan_message message;
		static struct written written;

		ue.mme_ue_id = rows[i].mme;
		ue.ran_ue_id = rows[i].ran;
		fan_message_init(&message, "hello", 5);
		write_one(&written, &ue, &message,
			  rows[i].kind == FAN_KIND_EPS_NAS ? FAN_PROFILE_EPS_NAS_NIDD : FAN_PROFILE_5GS_NAS_CIOT, &ipv4_link, 0,
			  false);
		expect_hex(written.octets + 42 + 7, strlen(rows[i].ids) / 2, rows[i].ids);
		cr_assert_eq(written.octets[42 + 3], written.byte_count - 42 - 4, "row %zu: length of the message", i);
	}
}

Test(plan, long_nas_pdus_have_two_octet_lengths)
{
	const struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS, 0, 2);
	static uint8_t octets[1200];
	struct fan_message message;
	static struct written written;

	memset(octets, 0x5a, sizeof(octets));
	fan_message_init(&message, octets, sizeof(octets));
	write_one(&written, &ue, &message, FAN_PROFILE_EPS_NAS_NIDD, &ipv4_link, 0, false);
	/* 1,200 octets, ESM header 5, NAS header 6 = 1,211 = 0x4bb; the IE 2 more; the message 3 + 8 + 7 + 5 + 1,213 = 1,236. */
	expect_hex(written.octets + 42, 31, "000b4084d4000003000000048001020300080003400405001a0084bd84bb27");
}

Test(plan, the_ip_header_has_every_length_and_checksum_right)
{
	static const enum fan_profile profiles[] = { FAN_PROFILE_EPS_NAS_NIDD, FAN_PROFILE_NR_PDCP_18,
						     FAN_PROFILE_LTE_PDCP_12 };
	struct fan_link checked_link = ipv4_link;

	checked_link.udp_checksum = true;
	for (size_t i = 0; i < RTE_DIM(profiles); i++) {
		const bool lte = profiles[i] == FAN_PROFILE_LTE_PDCP_12;
		const struct fan_ue ue = make_ue(fan_profile_kind(profiles[i]), 2, lte ? FAN_INTEGRITY_NONE : 2);
		struct fan_message message;
		static struct written written;
		const struct rte_ipv4_hdr *ip;
		const struct rte_udp_hdr *udp;

		fan_message_init(&message, "odd", 3);
		write_one(&written, &ue, &message, profiles[i], &checked_link, 0, false);
		ip = (const void *)(written.octets + 14);
		udp = (const void *)(ip + 1);
		cr_assert_eq(rte_be_to_cpu_16(ip->total_length), written.byte_count - 14);
		cr_assert_eq(fan_test_internet_sum(written.octets + 14, 20, 0), 0xffff, "IPv4 header checksum");
		cr_assert_eq(rte_be_to_cpu_16(udp->dgram_len), written.byte_count - 34);
		cr_assert(udp_adds_up(written.octets + 14, 20, written.byte_count - 34), "UDP checksum");
		cr_assert_neq(udp->dgram_cksum, 0);
		expect_hex(written.octets, 14, "0201010101010200000000090800");
		expect_hex(written.octets + 30, 4, "c6336407");
	}
}

Test(plan, ipv6_has_its_udp_checksum)
{
	const struct fan_ue ue = make_ue(FAN_KIND_NR_PDCP_12, 2, 2);
	struct fan_message message;
	static struct written written;
	const struct rte_ipv6_hdr *ip;
	const struct rte_udp_hdr *udp;

	fan_message_init(&message, "hello", 5);
	write_one(&written, &ue, &message, FAN_PROFILE_NR_PDCP_12, &ipv6_link, 0, false);
	ip = (const void *)(written.octets + 14);
	udp = (const void *)(ip + 1);
	expect_hex(written.octets + 12, 6, "86dd60000000");
	cr_assert_eq(rte_be_to_cpu_16(ip->payload_len), written.byte_count - 54);
	cr_assert(udp_adds_up(written.octets + 14, 40, written.byte_count - 54));
	cr_assert_neq(udp->dgram_cksum, 0);
	cr_assert_eq(((const uint8_t *)&ip->dst_addr)[15], 2);
}

/* Without cipher the bearer's own packet can be read. */
Test(plan, a_bearer_carries_a_packet_to_the_ues_own_address)
{
	const struct fan_ue ue = make_ue(FAN_KIND_NR_PDCP_18, 0, FAN_INTEGRITY_NONE);

	for (size_t byte_count = 1; byte_count < 40; byte_count++) {
		uint8_t octets[40];
		struct fan_message message;
		static struct written written;
		const uint8_t *inner;
		const struct rte_ipv4_hdr *ip;
		const struct rte_udp_hdr *udp;

		for (size_t i = 0; i < byte_count; i++)
			octets[i] = (uint8_t)(byte_count * 7 + i * 13);
		fan_message_init(&message, octets, byte_count);
		write_one(&written, &ue, &message, FAN_PROFILE_NR_PDCP_18, &ipv4_link, 0, false);
		inner = written.octets + 42 + 8 + 12 + 3;
		ip = (const void *)inner;
		udp = (const void *)(ip + 1);
		cr_assert_eq(fan_test_internet_sum(inner, 20, 0), 0xffff);
		cr_assert(udp_adds_up(inner, 20, 8 + byte_count), "%zu octets", byte_count);
		cr_assert_neq(udp->dgram_cksum, 0);
		cr_assert_eq(memcmp(&ip->dst_addr, ue.ipv4, 4), 0);
		cr_assert_eq(memcmp(udp + 1, octets, byte_count), 0);
		cr_assert_eq(rte_be_to_cpu_16(ip->total_length), 28 + byte_count);
	}
}

/* Over all values of half an address both checksums go through all that they can be: carries, and the UDP checksum 0, sent as 0xffff. */
Test(plan, inner_checksums_are_right_for_every_address)
{
	struct fan_ue ue = make_ue(FAN_KIND_NR_PDCP_18, 0, FAN_INTEGRITY_NONE);
	static struct written written;
	struct fan_message message;
	unsigned ones = 0;

	fan_message_init(&message, "\xff\xf1", 2);
	memset(ue.ipv4, 250, 2); /* so much that sums pass 2^17 */
	for (unsigned low = 0; low <= 0xffff; low++) {
		const uint8_t *inner;
		const struct rte_udp_hdr *udp;

		ue.ipv4[2] = (uint8_t)(low >> 8);
		ue.ipv4[3] = (uint8_t)low;
		write_one(&written, &ue, &message, FAN_PROFILE_NR_PDCP_18, &ipv4_link, 0, false);
		inner = written.octets + 42 + 8 + 12 + 3;
		udp = (const void *)(inner + 20);
		cr_assert_eq(fan_test_internet_sum(inner, 20, 0), 0xffff, "address ..%u.%u", ue.ipv4[2], ue.ipv4[3]);
		cr_assert(udp_adds_up(inner, 20, 10), "address ..%u.%u", ue.ipv4[2], ue.ipv4[3]);
		cr_assert_neq(udp->dgram_cksum, 0, "address ..%u.%u", ue.ipv4[2], ue.ipv4[3]);
		ones += udp->dgram_cksum == 0xffff;
	}
	cr_assert_gt(ones, 0, "no address made the checksum 0");
}

Test(plan, gtpu_and_pdcp_headers)
{
	static const struct {
		enum fan_kind kind;
		enum fan_profile profile;
		uint8_t integrity;
		uint32_t count;
		int qfi;
		const char *hex; /* from GTP-U to the end of the clear prefix; the message is 4 raw octets */
	} rows[] = {
		{ FAN_KIND_LTE_PDCP_12, FAN_PROFILE_LTE_PDCP_12, FAN_INTEGRITY_NONE, 0xabc, -1,
		  "30ff000601020304"
		  "8abc" },
		{ FAN_KIND_LTE_PDCP_12, FAN_PROFILE_LTE_PDCP_12, FAN_INTEGRITY_NONE, 0x12fff, 9,
		  "30ff000601020304"
		  "8fff" },
		{ FAN_KIND_LTE_PDCP_18, FAN_PROFILE_LTE_PDCP_18, FAN_INTEGRITY_NONE, 0xffffff, -1,
		  "30ff000701020304"
		  "83ffff" },
		{ FAN_KIND_NR_PDCP_12, FAN_PROFILE_NR_PDCP_12, FAN_INTEGRITY_NONE, 0x102, -1,
		  "34ff0012010203040000008402"
		  "0000abcdef00"
		  "00"
		  "8102" },
		{ FAN_KIND_NR_PDCP_12, FAN_PROFILE_NR_PDCP_12, 2, 0x102, 63,
		  "34ff0017010203040000008402"
		  "0000abcdef00"
		  "00"
		  "81023f" },
		{ FAN_KIND_NR_PDCP_18, FAN_PROFILE_NR_PDCP_18, 2, 0x40001, 0,
		  "34ff0018010203040000008402"
		  "0000abcdef00"
		  "00"
		  "80000100" },
	};

	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		struct fan_ue ue = make_ue(rows[i].kind, 2, rows[i].integrity);
		struct fan_message message;
		static struct written written;

		ue.count = rows[i].count;
		ue.count_reserved = UINT32_MAX;
		fan_message_init(&message, "abcd", 4);
		message.raw = true;
		message.sdap_qfi = rows[i].qfi;
		write_one(&written, &ue, &message, rows[i].profile, &ipv4_link, 0, false);
		expect_hex(written.octets + 42, strlen(rows[i].hex) / 2, rows[i].hex);
		if (rows[i].kind >= FAN_KIND_NR_PDCP_12)
			cr_assert_eq(written.context.drb.nru_sn, 0xabcdf0);
	}
}

Test(plan, nru_sequence_numbers_wrap_at_24_bits)
{
	struct fan_ue ue = make_ue(FAN_KIND_NR_PDCP_12, 2, 2);
	struct fan_message message;
	static struct written written;

	ue.nru_sn = 0xffffff;
	fan_message_init(&message, "abcd", 4);
	write_one(&written, &ue, &message, FAN_PROFILE_NR_PDCP_12, &ipv4_link, 0, false);
	cr_assert_eq(written.context.drb.nru_sn, 0);
}

Test(plan, sms_has_the_ues_own_transaction_and_reference)
{
	static const struct {
		enum fan_kind kind;
		enum fan_profile profile;
		size_t cp_at; /* of CP-DATA in the plaintext */
	} rows[] = { { FAN_KIND_EPS_NAS, FAN_PROFILE_EPS_NAS_SMS, 3 }, { FAN_KIND_5GS_NAS, FAN_PROFILE_5GS_NAS_SMS, 6 } };

	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		const struct fan_ue ue = make_ue(rows[i].kind, 2, 2);
		struct fan_message message;
		static struct written written;
		const uint8_t *text = written.buffer + FAN_TEXT_OFFSET;

		fan_message_init(&message, "hello", 5);
		write_one(&written, &ue, &message, rows[i].profile, &ipv4_link, 0, true);
		cr_assert_eq(text[rows[i].cp_at], 0x69, "TI 6, flag 0, SMS");
		cr_assert_eq(text[rows[i].cp_at + 1], 0x01, "CP-DATA");
		cr_assert_eq(text[rows[i].cp_at + 4], 0xff, "RP message reference");
		cr_assert_eq(written.context.nas.transaction, 0, "6 is the last identifier");
		cr_assert_eq(written.context.nas.rp_reference, 0);
	}
}

#define FRAMES 8

/* What one way of writing a burst makes of it. */
struct burst {
	struct fan_batch batch;
	struct fan_context context[FRAMES];
	struct rte_mbuf mbuf[FRAMES], *frame[FRAMES];
	uint32_t number[FRAMES];
	uint8_t buffer[FRAMES][BUFFER_BYTES] __attribute__((aligned(64)));
	uint32_t bytes;
};

static void
make_burst(struct burst *burst, const struct fan_context *context, const uint32_t *count)
{
	memset(burst, 0, sizeof(*burst));
	memcpy(burst->context, context, sizeof(burst->context));
	memcpy(burst->batch.count, count, sizeof(*count) * FRAMES);
	burst->batch.ue_count = FRAMES;
	for (unsigned i = 0; i < FRAMES; i++) {
		burst->batch.context[i] = &burst->context[i];
		burst->frame[i] = &burst->mbuf[i];
		burst->mbuf[i].buf_addr = burst->buffer[i];
	}
}

static void
expect_same_frames(const struct burst *burst, const struct burst *other)
{
	cr_assert_eq(burst->bytes, other->bytes);
	cr_assert_eq(burst->batch.shape, other->batch.shape);
	cr_assert_arr_eq(burst->context, other->context, sizeof(burst->context));
	for (unsigned i = 0; i < FRAMES; i++) {
		const struct rte_mbuf *mbuf = &burst->mbuf[i];

		cr_assert_arr_eq(&mbuf->rearm_data, &other->mbuf[i].rearm_data, sizeof(struct fan_frame_fields));
		cr_assert_eq(burst->batch.text[i], burst->buffer[i] + FAN_TEXT_OFFSET);
		cr_assert_arr_eq(burst->buffer[i] + mbuf->data_off, other->buffer[i] + mbuf->data_off, mbuf->pkt_len,
				 "kind %u, frame %u", burst->batch.shape == NULL ? 0 : burst->batch.shape->sequence, i);
	}
}

/* Ids of all lengths that the kind's protocol has. */
static void
fill_contexts(struct fan_context *context, uint32_t *count, struct fan_test_random *random, enum fan_kind kind,
	      unsigned hop_count)
{
	for (unsigned i = 0; i < FRAMES; i++) {
		fan_test_random_fill(random, (uint8_t *)&context[i], sizeof(context[i]));
		context[i].next_hop = (uint16_t)fan_test_random_below(random, hop_count);
		count[i] = fan_test_random_count(random);
		if (!fan_kind_is_nas(kind))
			continue;
		context[i].nas.mme_ue_id_low >>= fan_test_random_below(random, 32);
		context[i].nas.ran_ue_id >>= fan_test_random_below(random, 32);
		context[i].nas.transaction %= 7;
		if (fan_test_random_below(random, 2) == 0 || kind == FAN_KIND_EPS_NAS)
			context[i].nas.mme_ue_id_high = 0;
		if (kind == FAN_KIND_EPS_NAS)
			context[i].nas.ran_ue_id &= 0xffffff;
	}
}

/* fan_plan_write_burst() is not fan_plan_write_burst_portable() on every CPU. */
Test(plan, every_way_of_writing_a_burst_writes_the_same)
{
	static const enum fan_profile profiles[] = { FAN_PROFILE_EPS_NAS_NIDD, FAN_PROFILE_EPS_NAS_SMS,
						     FAN_PROFILE_5GS_NAS_CIOT, FAN_PROFILE_5GS_NAS_SMS,
						     FAN_PROFILE_LTE_PDCP_12,  FAN_PROFILE_LTE_PDCP_18,
						     FAN_PROFILE_NR_PDCP_12,   FAN_PROFILE_NR_PDCP_18,
						     FAN_PROFILE_SGI_IP };
	static struct burst portable, chosen;
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_message message;
	struct fan_hop hops[3];

	fan_message_init(&message, "message", 7);
	memcpy(message.source_ipv4, "\xc0\0\2\7", 4);
	for (unsigned round = 0; round < 1800; round++) {
		const enum fan_profile profile = profiles[round % RTE_DIM(profiles)];
		const enum fan_kind kind = fan_profile_kind(profile);
		const struct fan_link *link = fan_test_random_below(&random, 2) == 0 ? &ipv4_link : &ipv6_link;
		const struct fan_ue ue = make_ue(kind, kind == FAN_KIND_SGI ? 0 : 2,
						 fan_kind_is_nas(kind) ? 2 : FAN_INTEGRITY_NONE);
		struct fan_context context[FRAMES];
		struct fan_plans plans;
		uint32_t count[FRAMES];

		for (unsigned i = 0; i < RTE_DIM(hops); i++) {
			struct fan_next_hop next_hop;

			fan_test_random_fill(&random, (uint8_t *)&next_hop, sizeof(next_hop));
			fan_hop_make(&hops[i], &next_hop);
		}
		message.sdap_qfi = (int)fan_test_random_below(&random, 3) - 1;
		message.raw = fan_test_random_below(&random, 2) == 0;
		cr_assert_eq(make_plans(&plans, &message, profile, &ue, link), 0, "%s", fan_error_detail());
		fill_contexts(context, count, &random, kind, RTE_DIM(hops));
		make_burst(&portable, context, count);
		make_burst(&chosen, context, count);
		fan_plan_take_numbers(portable.number, &portable.batch, plans.part, 0, FRAMES);
		fan_plan_take_numbers(chosen.number, &chosen.batch, plans.part, 0, FRAMES);
		portable.bytes = fan_plan_write_burst_portable(&portable.batch, portable.frame, portable.number, plans.part,
							       link, hops, 0, FRAMES);
		chosen.bytes = fan_plan_write_burst(&chosen.batch, chosen.frame, chosen.number, plans.part, link, hops, 0,
						    FRAMES);
		expect_same_frames(&chosen, &portable);
		fan_plans_free(&plans);
	}
}

Test(plan, messages_that_fit_no_format_are_refused)
{
	static const struct {
		enum fan_profile profile;
		bool raw;
		int qfi;
		size_t most; /* octets; one more is refused */
	} rows[] = {
		{ FAN_PROFILE_EPS_NAS_NIDD, false, -1, 1494 }, { FAN_PROFILE_5GS_NAS_CIOT, false, -1, 1491 },
		{ FAN_PROFILE_LTE_PDCP_12, false, -1, 1470 },  { FAN_PROFILE_LTE_PDCP_12, true, -1, 1498 },
		{ FAN_PROFILE_NR_PDCP_18, true, 5, 1496 },     { FAN_PROFILE_NR_PDCP_18, true, -1, 1497 },
	};
	static uint8_t octets[2000];

	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		const enum fan_kind kind = fan_profile_kind(rows[i].profile);
		const bool lte = kind == FAN_KIND_LTE_PDCP_12;
		const struct fan_ue ue = make_ue(kind, 2, lte ? FAN_INTEGRITY_NONE : 2);
		char limit[16];

		for (size_t extra = 0; extra <= 1; extra++) {
			struct fan_message message;
			struct fan_plans plans;
			int error;

			fan_message_init(&message, octets, rows[i].most + extra);
			message.raw = rows[i].raw;
			message.sdap_qfi = rows[i].qfi;
			error = make_plans(&plans, &message, rows[i].profile, &ue, &ipv4_link);
			cr_assert_eq(error, extra == 0 ? 0 : FAN_E_TOO_LONG, "row %zu, %zu octets: %s", i, rows[i].most + extra,
				     fan_error_detail());
			fan_plans_free(&plans);
		}
		snprintf(limit, sizeof(limit), "%zu at most", rows[i].most);
		cr_assert_not_null(strstr(fan_error_detail(), limit), "row %zu: %s", i, fan_error_detail());
		cr_assert_not_null(strstr(fan_error_detail(), fan_profile_name(rows[i].profile)));
	}
}

static int
try_message(const struct fan_message *message)
{
	const struct fan_ue ue = make_ue(FAN_KIND_NR_PDCP_12, 2, 2);
	struct fan_plans plans;
	const int error = make_plans(&plans, message, FAN_PROFILE_NR_PDCP_12, &ue, &ipv4_link);

	cr_assert_eq(plans.part_count, error == 0 ? 1 : 0);
	fan_plans_free(&plans);
	return error;
}

Test(plan, message_checks)
{
	struct fan_message message;

	fan_message_init(&message, "", 0);
	cr_assert_eq(try_message(&message), FAN_E_INVALID);
	fan_message_init(&message, "x", 1);
	cr_assert_eq(try_message(&message), 0);
	message.sdap_qfi = 64;
	cr_assert_eq(try_message(&message), FAN_E_INVALID);
	message.sdap_qfi = 63;
	cr_assert_eq(try_message(&message), 0);
	message.priority = 8;
	cr_assert_eq(try_message(&message), FAN_E_INVALID);
}

/* The plaintext of keys in each form: what goes before and behind the message's octets. */
Test(plan, keys_of_groups_have_the_octets_of_their_network)
{
	static const struct {
		enum fan_profile profile;
		const char *message, *text;
	} rows[] = {
		{ FAN_PROFILE_EPS_NAS_KEY, "10aabbcc", "07687f000410aabbcc" },
		{ FAN_PROFILE_5GS_NAS_KEY, "0508aabb", "7e006801000b2e0500cb7100040508aabb1205" },
	};

	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		const enum fan_kind kind = fan_profile_kind(rows[i].profile);
		struct fan_ue ue = make_ue(kind, 2, 2);
		uint8_t octets[64], wanted[64];
		struct fan_message message;
		struct fan_plans plans;

		ue.bearer_id = 5;
		fan_message_init(&message, octets, fan_test_octets(octets, rows[i].message, sizeof(octets)));
		message.group_keys = true;
		cr_assert_eq(make_plans(&plans, &message, rows[i].profile, &ue, &ipv4_link), 0, "%s", fan_error_detail());
		cr_assert_eq(plans.part[0].shape.text_bytes, fan_test_octets(wanted, rows[i].text, sizeof(wanted)));
		cr_expect_arr_eq(plans.part[0].text, wanted, plans.part[0].shape.text_bytes);
		cr_expect_eq(plans.part[0].shape.head_blocks, 0, "one text for all UEs of a batch");
		fan_plans_free(&plans);
	}
}

Test(plan, key_profiles_take_keys_of_their_form_and_nothing_else)
{
	static const struct {
		enum fan_profile profile;
		bool marked;
		uint8_t first;
		const char *word; /* NULL: it is taken */
	} rows[] = {
		{ FAN_PROFILE_EPS_NAS_KEY, true, 0x10, NULL },
		{ FAN_PROFILE_EPS_NAS_KEY, false, 0x10, "keys of groups alone" },
		{ FAN_PROFILE_EPS_NAS_KEY, true, 0x05, "version 1" }, /* a container of 5GS */
		{ FAN_PROFILE_EPS_NAS_KEY, true, 0x20, "version 1" },
		{ FAN_PROFILE_5GS_NAS_KEY, true, 0x05, NULL },
		{ FAN_PROFILE_5GS_NAS_KEY, false, 0x05, "keys of groups alone" },
		{ FAN_PROFILE_5GS_NAS_KEY, true, 0x10, "security information update" }, /* an entry */
		{ FAN_PROFILE_EPS_NAS_NIDD, true, 0x10, NULL },                         /* as user data */
		{ FAN_PROFILE_SGI_IP, true, 0x10, "in the clear" },
	};

	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		const struct fan_ue ue = make_ue(fan_profile_kind(rows[i].profile), 2, 2);
		const uint8_t octets[] = { rows[i].first, 7, 0x22 };
		struct fan_message message;
		struct fan_plans plans;

		fan_message_init(&message, octets, sizeof(octets));
		message.group_keys = rows[i].marked;
		cr_expect_eq(make_plans(&plans, &message, rows[i].profile, &ue, &ipv4_link),
			     rows[i].word == NULL ? 0 : FAN_E_INVALID, "row %zu", i);
		if (rows[i].word != NULL)
			cr_expect_not_null(strstr(fan_error_detail(), rows[i].word), "row %zu: %s", i, fan_error_detail());
		fan_plans_free(&plans);
	}
}

/* All forms of a message are encoded in one go: short messages once, and after a refusal nothing is left. */
Test(plan, one_message_in_several_forms)
{
	struct fan_form forms[] = {
		{ FAN_PROFILE_EPS_NAS_SMS, { FAN_KIND_EPS_NAS, 2, 2, 5 }, NULL },
		{ FAN_PROFILE_LTE_PDCP_12, { FAN_KIND_LTE_PDCP_12, 2, FAN_INTEGRITY_NONE, 0 }, NULL },
		{ FAN_PROFILE_5GS_NAS_SMS, { FAN_KIND_5GS_NAS, 2, 2, 1 }, NULL },
	};
	uint8_t text[1500];
	struct fan_message message;
	struct fan_plans plans[3];

	memset(text, 'a', sizeof(text));
	fan_message_init(&message, text, 300);
	cr_assert_eq(fan_plans_make(plans, &message, forms, 3, &ipv4_link), 0, "%s", fan_error_detail());
	cr_assert_eq(plans[0].part_count, 2);
	cr_assert_eq(plans[1].part_count, 1);
	cr_assert_eq(plans[2].part_count, 2);
	for (unsigned part = 0; part < 2; part++) { /* 3 octets before the CP-DATA over EPS, 6 over 5GS */
		const unsigned octets = plans[0].part[part].shape.text_bytes - 3U;

		cr_assert_eq(plans[2].part[part].shape.text_bytes, octets + 6);
		cr_assert_arr_eq(plans[0].part[part].text + 3, plans[2].part[part].text + 6, octets,
				 "part %u has another time stamp or reference", part);
	}
	for (unsigned i = 0; i < 3; i++)
		fan_plans_free(&plans[i]);
	message.byte_count = sizeof(text); /* fits as short messages, and as no packet */
	cr_assert_eq(fan_plans_make(plans, &message, forms, 3, &ipv4_link), FAN_E_TOO_LONG);
	for (unsigned i = 0; i < 3; i++)
		cr_assert(plans[i].part == NULL && plans[i].part_count == 0);
}
