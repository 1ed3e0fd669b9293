/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The appliance as a program sees it (fanfare.h), from provisioning to what the UEs were given.
 */
#include "appliance_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GROUP "all@example.org"

static void
expect_all_accepted(const struct fan_test_side *side)
{
	cr_assert_gt(side->verdicts[FAN_UE_ACCEPTED], 0);
	for (unsigned i = 1; i < FAN_UE_VERDICT_COUNT; i++)
		cr_assert_eq(side->verdicts[i], 0, "%lu x %s", side->verdicts[i], fan_ue_verdict_name((enum fan_ue_verdict)i));
	cr_assert_eq(side->differing, 0, "%lu UEs were given something else", side->differing);
}

static void
expect_detail(const char *text)
{
	cr_assert_not_null(strstr(fan_error_detail(), text), "\"%s\" is not in: %s", text, fan_error_detail());
}

/* ---- Opening and closing -------------------------------------------------------------------------------------------------- */

Test(fanfare, errors_of_opening_name_what_is_wrong_and_leave_nothing_behind, .timeout = 60)
{
	static const struct {
		struct fan_options options;
		int error;
		const char *says;
	} rows[] = {
		{ { .engines = "warp-drive" }, FAN_E_NOT_FOUND, "warp-drive" },
		{ { .engines = "ipsec-mb,warp-drive" }, FAN_E_NOT_FOUND, "warp-drive" },
		{ { .engines = "" }, FAN_E_NOT_FOUND, "" },
		{ { .workers = FAN_WORKERS_MAX + 1 }, FAN_E_INVALID, "64" },
		{ { .workers = 4000000000 }, FAN_E_INVALID, "64" },
		{ { .egress = "eth7" }, FAN_E_NOT_FOUND, "eth7" },
		{ { .egress = "" }, FAN_E_NOT_FOUND, "" },
		{ { .egress = "af_packet:no-such-link" }, FAN_E_NOT_FOUND, "no-such-link" },
		{ { .egress = "net_nonsense0" }, FAN_E_IO, "net_nonsense0" },
		{ { .capture = "/nonexistent/capture.pcap" }, FAN_E_IO, "/nonexistent/capture.pcap" },
		{ { .workers = 3 }, FAN_E_UNSUPPORTED, "lcores" }, /* EAL was started for one */
	};
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_message message;
	struct fanfare *fanfare = NULL;

	fan_test_side_open(&side, 4);
	fan_test_message(&message, "hello", 5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_options options = rows[i].options;

		options.struct_bytes = sizeof(options);
		options.egress = options.egress != NULL ? options.egress : "net_null";
		cr_assert_eq(fan_open(&fanfare, &options), rows[i].error, "row %zu: %s", i, fan_error_detail());
		expect_detail(rows[i].says);
		cr_assert_null(fanfare);
	}
	cr_assert_eq(fan_close(NULL), 0);
	/* After all that, it works. */
	fan_test_appliance_open(&appliance, &side, NULL);
	fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_EPS_NAS, 2, 2));
	fan_test_send(&appliance, fan_test_group(&appliance, GROUP, 0, 1, FAN_PROFILE_EPS_NAS_NIDD), &message);
	expect_all_accepted(&side);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

Test(fanfare, eal_that_does_not_start_is_an_error, .timeout = 60)
{
	static const char *const unknown[] = { "--no-such-option-of-eal", NULL }, *const nonsense[] = { "--vdev=nonsense",
													NULL };
	struct fan_options options = { .struct_bytes = sizeof(struct fan_options), .egress = "net_null", .eal = unknown };
	struct fanfare *fanfare = NULL;

	cr_assert_eq(fan_open(&fanfare, &options), FAN_E_INVALID, "%s", fan_error_detail());
	expect_detail("--no-such-option-of-eal");
	cr_assert_null(fanfare);
	options.eal = nonsense;
	cr_assert_eq(fan_open(&fanfare, &options), FAN_E_IO, "%s", fan_error_detail());
	expect_detail("EAL does not start");
	options.eal = NULL;
	cr_assert_eq(fan_open(&fanfare, &options), FAN_E_IO, "%s", fan_error_detail());
	expect_detail("did not start before");
	cr_assert_null(fanfare);
}

Test(fanfare, opens_and_closes_again_and_again_in_one_process, .timeout = 60)
{
	static const char *const eal[] = { "--vdev=net_null7", NULL };
	static const struct fan_options rows[] = {
		{ .workers = 2, .eal = eal },
		{ .workers = 1 },
		{ .egress = "net_null" },
		{ .ipv6 = true },
		{ .workers = 2, .udp_checksum = true },
		{ .engines = "reference" },
		{ .engines = "reference,ipsec-mb", .egress = "net_ring" },
		{ .egress = "net_null7" }, /* made by EAL */
		{ .egress = "net_null7" },
		{ .workers = 2, .ipv6 = true, .engines = "ipsec-mb" },
	};
	struct fan_message message;

	fan_test_message(&message, "hello", 5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_test_side side;
		struct fan_test_appliance appliance;
		struct fanfare *second = NULL;
		struct fan_options again;

		fan_test_side_open(&side, 5);
		fan_test_appliance_open(&appliance, &side, &rows[i]);
		cr_assert_eq(fan_loops_back(appliance.fanfare),
			     rows[i].egress == NULL || strcmp(rows[i].egress, "net_ring") == 0);
		/* A second one in the same process is refused and does the first no harm. */
		again = rows[i];
		again.struct_bytes = sizeof(again);
		again.egress = "net_null";
		cr_assert_lt(fan_open(&second, &again), 0);
		cr_assert_null(second);
		for (unsigned j = 0; j < 5; j++)
			fan_test_provision(&appliance,
					   fan_test_subscribe(&side, j % 2 == 0 ? FAN_KIND_5GS_NAS : FAN_KIND_NR_PDCP_12, 2,
							      2));
		(void)fan_test_group(&appliance, GROUP, 0, 1, FAN_PROFILE_5GS_NAS_CIOT);
		(void)fan_test_group(&appliance, GROUP, 2, 1, FAN_PROFILE_5GS_NAS_SMS);
		fan_test_send(&appliance, fan_test_group(&appliance, GROUP, 1, 1, FAN_PROFILE_NR_PDCP_12), &message);
		cr_assert_eq(appliance.result.sent, 3);
		if (fan_loops_back(appliance.fanfare)) {
			cr_assert_eq(side.complete, 3);
			expect_all_accepted(&side);
		}
		fan_test_appliance_close(&appliance);
		fan_test_side_close(&side);
	}
}

/* Closed while messages are under way: it returns, and no callback runs. */
Test(fanfare, closes_in_the_middle_of_messages, .timeout = 60)
{
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_message message;
	struct fan_group *group;

	fan_test_message(&message, "hello", 5);
	for (unsigned round = 0; round < 3; round++) {
		fan_test_side_open(&side, 3000);
		fan_test_appliance_open(&appliance, &side, NULL);
		for (unsigned i = 0; i < 3000; i++)
			fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_NR_PDCP_18, 2, 2));
		group = fan_test_group(&appliance, GROUP, 0, 3000, FAN_PROFILE_NR_PDCP_18);
		for (unsigned i = 0; i < 3; i++)
			cr_assert_eq(fan_send(appliance.fanfare, NULL, group, &message, fan_test_done, &appliance), 0);
		fan_test_appliance_close(&appliance);
		cr_assert_eq(appliance.ended, 0);
		fan_test_side_close(&side);
	}
}

/* ---- Every format ---------------------------------------------------------------------------------------------------------- */

static enum fan_profile
profile_of(enum fan_kind kind, bool sms)
{
	switch (kind) {
	case FAN_KIND_EPS_NAS:
		return sms ? FAN_PROFILE_EPS_NAS_SMS : FAN_PROFILE_EPS_NAS_NIDD;
	case FAN_KIND_5GS_NAS:
		return sms ? FAN_PROFILE_5GS_NAS_SMS : FAN_PROFILE_5GS_NAS_CIOT;
	case FAN_KIND_LTE_PDCP_12:
		return FAN_PROFILE_LTE_PDCP_12;
	case FAN_KIND_LTE_PDCP_18:
		return FAN_PROFILE_LTE_PDCP_18;
	case FAN_KIND_NR_PDCP_12:
		return FAN_PROFILE_NR_PDCP_12;
	default:
		return FAN_PROFILE_NR_PDCP_18;
	}
}

/* Two UEs of every combination that the standards have. */
static void
provision_every_protection(struct fan_test_appliance *appliance)
{
	static const uint8_t integrities[] = { 0, 1, 2, 3, FAN_INTEGRITY_NONE };

	for (unsigned kind = 0; kind < FAN_KIND_SGI; kind++)
		for (unsigned cipher = 0; cipher <= FAN_ALGORITHM_MAX; cipher++)
			for (unsigned i = 0; i < 5; i++) {
				const bool lte = kind == FAN_KIND_LTE_PDCP_12 || kind == FAN_KIND_LTE_PDCP_18,
					   nas = kind <= FAN_KIND_5GS_NAS;

				if ((lte && i != 4) || (nas && i == 4))
					continue;
				for (unsigned j = 0; j < 2; j++)
					fan_test_provision(appliance, fan_test_subscribe(appliance->side, (enum fan_kind)kind,
											 (uint8_t)cipher, integrities[i]));
			}
}

static void
send_in_every_form(struct fan_test_appliance *appliance)
{
	static const struct {
		size_t byte_count;
		bool sms, raw;
		int qfi;
	} rows[] = {
		{ 1, false, false, -1 }, { 1, true, true, -1 },   { 37, false, false, 9 },    { 100, true, true, 0 },
		{ 3, false, true, 63 },  { 16, true, false, -1 }, { 1400, false, false, -1 }, { 1469, false, false, -1 },
	};
	struct fan_test_side *side = appliance->side;
	static char text[1500];
	struct fan_message message;
	struct fan_group *group = NULL;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i * 7 % 23);
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		const uint64_t complete = side->complete;

		for (unsigned i = 0; i < side->subscriber_count; i++)
			group = fan_test_group(appliance, GROUP, i, 1, profile_of(side->subscribers[i].ue.kind, rows[row].sms));
		cr_assert_eq(fan_group_size(group), side->subscriber_count, "a change of profile moves a member");
		fan_test_message(&message, text, rows[row].byte_count);
		message.raw = rows[row].raw;
		message.sdap_qfi = rows[row].qfi;
		fan_test_send(appliance, group, &message);
		expect_all_accepted(side);
		cr_assert_eq(side->complete, complete + side->subscriber_count, "row %zu", row);
		cr_assert_eq(appliance->result.sent, side->subscriber_count);
		cr_assert_eq(fan_test_side_replay(side), 0, "a replayed frame was not refused");
	}
}

Test(fanfare, every_profile_and_algorithm_is_delivered, .timeout = 120)
{
	static const struct fan_options rows[] = { { .engines = "ipsec-mb" },
						   { .engines = "reference", .ipv6 = true },
						   { .udp_checksum = true } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_test_side side;
		struct fan_test_appliance appliance;

		fan_test_side_open(&side, 160);
		side.keep_bytes_max = 4 << 20;
		fan_test_appliance_open(&appliance, &side, &rows[i]);
		provision_every_protection(&appliance);
		cr_assert_eq(side.subscriber_count, 160, "%u", side.subscriber_count);
		send_in_every_form(&appliance);
		fan_test_appliance_close(&appliance);
		fan_test_side_close(&side);
	}
}

/* Over SGi, among others: each UE its own packet, whatever stands before those of others, and more messages than any window has room for. */
Test(fanfare, packets_over_sgi_reach_each_ue_at_its_own_address, .timeout = 120)
{
	static const struct fan_options rows[] = { { .engines = "ipsec-mb" },
						   { .engines = "reference", .ipv6 = true },
						   { .udp_checksum = true, .vlan = 7, .dscp = 10 } };
	static const size_t lengths[] = { 1, 4, 5, 37, 1400, 1472 };
	static char text[1472];

	memset(text, 'p', sizeof(text));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_options options = rows[i];
		struct fan_test_side side;
		struct fan_test_appliance appliance;
		struct fan_group *group;
		struct fan_message message;

		options.struct_bytes = sizeof(options);
		fan_test_side_open(&side, 2200);
		fan_test_appliance_open(&appliance, &side, &options);
		for (unsigned ue = 0; ue < 2200; ue++)
			fan_test_provision(&appliance,
					   fan_test_subscribe(&side, ue % 100 != 0 ? FAN_KIND_SGI : FAN_KIND_LTE_PDCP_12, 0,
							      FAN_INTEGRITY_NONE));
		for (unsigned ue = 0; ue < 2200; ue++)
			group = fan_test_group(&appliance, GROUP, ue, 1,
					       ue % 100 != 0 ? FAN_PROFILE_SGI_IP : FAN_PROFILE_LTE_PDCP_12);
		for (unsigned round = 0; round < sizeof(lengths) / sizeof(lengths[0]); round++) {
			fan_test_message(&message, text, lengths[round]);
			memcpy(message.source_ipv4, "\xc0\0\2\x63", options.ipv6 ? 4 : 0);
			if (lengths[round] == 1472) {
				/* A bearer's PDU has two octets before the packet. */
				cr_assert_eq(fan_send(appliance.fanfare, NULL, group, &message, NULL, NULL), FAN_E_TOO_LONG);
				message.byte_count = 1470;
			}
			fan_test_send(&appliance, group, &message);
			cr_assert(appliance.result.sent == 2200 && appliance.result.created == 2200);
			cr_assert_eq(appliance.profile[FAN_PROFILE_SGI_IP].sent, 2178);
			for (unsigned ue = 0; ue < 2200; ue++)
				cr_assert_eq(side.subscribers[ue].complete, round + 1, "UE %u", ue);
		}
		expect_all_accepted(&side);
		fan_test_appliance_close(&appliance);
		fan_test_side_close(&side);
	}
}

Test(fanfare, over_sgi_no_window_ends_and_nothing_is_acknowledged, .timeout = 120)
{
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_ue_status status;
	struct fan_group *group;
	struct fan_message message;

	fan_test_side_open(&side, 1);
	fan_test_appliance_open(&appliance, &side, NULL);
	fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_SGI, 0, FAN_INTEGRITY_NONE));
	group = fan_test_group(&appliance, GROUP, 0, 1, FAN_PROFILE_SGI_IP);
	fan_test_message(&message, "hello", 5);
	for (unsigned i = 0; i < 300; i++)
		fan_test_send(&appliance, group, &message);
	cr_assert(side.subscribers[0].complete == 300 && appliance.result.sent == 1);
	fan_ue_status_init(&status);
	cr_assert_eq(fan_ue_status(appliance.fanfare, &status, side.subscribers[0].id), 0);
	cr_assert(status.kind == FAN_KIND_SGI && status.next_count == 0 && status.unacknowledged == 0 && !status.needs_resync);
	cr_assert_eq(fan_ue_acknowledged(appliance.fanfare, side.subscribers[0].id, 0), FAN_E_INVALID);
	cr_assert_eq(fan_ue_lease(appliance.fanfare, side.subscribers[0].id, 9), FAN_E_INVALID);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

/* A link of IPv6 has no address that such a packet could come from. */
Test(fanfare, over_sgi_a_packet_has_a_source, .timeout = 60)
{
	const struct fan_options options = { .struct_bytes = sizeof(options), .ipv6 = true };
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_group *group;
	struct fan_message message;

	fan_test_side_open(&side, 1);
	fan_test_appliance_open(&appliance, &side, &options);
	fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_SGI, 0, FAN_INTEGRITY_NONE));
	group = fan_test_group(&appliance, GROUP, 0, 1, FAN_PROFILE_SGI_IP);
	fan_test_message(&message, "hello", 5);
	cr_assert_eq(fan_send(appliance.fanfare, NULL, group, &message, NULL, NULL), FAN_E_INVALID);
	expect_detail("source_ipv4");
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

/* ---- Short messages --------------------------------------------------------------------------------------------------------- */

Test(fanfare, short_messages_in_parts_and_codings, .timeout = 60)
{
	static const struct {
		const char *text; /* repeated to `characters` of its characters */
		unsigned characters, octets, parts;
		enum fan_coding coding;
		uint8_t dcs_bits; /* bits 3..2 of TP-DCS: 0 GSM 7-bit, 4 8-bit, 8 UCS-2 (TS 23.038 4) */
		bool trigger;
	} rows[] = {
		{ "x", 1, 1, 1, FAN_CODING_AUTO, 0, false },        { "x", 160, 1, 1, FAN_CODING_AUTO, 0, false },
		{ "x", 161, 1, 2, FAN_CODING_GSM7, 0, false },      { "x", 306, 1, 2, FAN_CODING_AUTO, 0, false },
		{ "x", 307, 1, 3, FAN_CODING_AUTO, 0, false },      { "x", 459, 1, 3, FAN_CODING_AUTO, 0, false },
		{ "\u0416", 70, 2, 1, FAN_CODING_AUTO, 8, false },  { "\u0416", 71, 2, 2, FAN_CODING_AUTO, 8, false },
		{ "x", 201, 1, 3, FAN_CODING_UCS2, 8, false },      { "\x80", 140, 1, 1, FAN_CODING_AUTO, 4, false },
		{ "\x80", 141, 1, 2, FAN_CODING_AUTO, 4, false },   { "z", 268, 1, 2, FAN_CODING_8BIT, 4, false },
		{ "\x01\x02", 20, 2, 1, FAN_CODING_8BIT, 4, true }, { "x", 200, 1, 2, FAN_CODING_8BIT, 4, true },
	};
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_group *group;
	unsigned accepted = 0;

	fan_test_side_open(&side, 80);
	side.keep_bytes_max = 4 << 20;
	fan_test_appliance_open(&appliance, &side, NULL);
	for (unsigned i = 0; i < 80; i++)
		fan_test_provision(&appliance, fan_test_subscribe(&side, i < 40 ? FAN_KIND_EPS_NAS : FAN_KIND_5GS_NAS,
								  (uint8_t)(i % 4), (uint8_t)(1 + i % 3)));
	(void)fan_test_group(&appliance, GROUP, 0, 40, FAN_PROFILE_EPS_NAS_SMS);
	group = fan_test_group(&appliance, GROUP, 40, 40, FAN_PROFILE_5GS_NAS_SMS);
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		char text[1000];
		struct fan_message message;
		size_t byte_count = 0;

		for (unsigned i = 0; i < rows[row].characters; i++, byte_count += rows[row].octets)
			memcpy(text + byte_count, rows[row].text, rows[row].octets);
		fan_test_message(&message, text, byte_count);
		message.coding = rows[row].coding;
		message.originator = row % 2 == 0 ? "+491701234567" : "City";
		message.device_trigger = rows[row].trigger;
		message.application_port = 8080;
		side.complete = 0;
		fan_test_send(&appliance, group, &message);
		expect_all_accepted(&side);
		cr_assert(appliance.result.created == 80 * rows[row].parts && appliance.result.sent == 80 * rows[row].parts,
			  "row %zu: %lu PDUs", row, appliance.result.created);
		cr_assert_eq(appliance.result.ues, 80);
		cr_assert_eq(side.complete, 80, "row %zu", row);
		cr_assert(side.last.sms_part == rows[row].parts && side.last.sms_parts == rows[row].parts, "row %zu", row);
		cr_assert_eq(side.last.tp_dcs & 0x0c, rows[row].dcs_bits, "row %zu: TP-DCS %02x", row, side.last.tp_dcs);
		cr_assert_eq(side.last.tp_pid, rows[row].trigger ? 0x48 : 0x00);
		cr_assert_eq(side.last.application_port, rows[row].trigger ? 8080 : -1);
		cr_assert_str_eq(side.last.originator, message.originator);
		accepted += rows[row].parts;
		for (unsigned i = 0; i < 80; i++) {
			const struct fan_test_subscriber *subscriber = &side.subscribers[i];

			cr_assert_eq(subscriber->accepted, accepted);
			cr_assert_eq(subscriber->last_count, subscriber->ue.count + accepted - 1, "one COUNT a part");
			cr_assert_eq(subscriber->transaction, (subscriber->ue.transaction + accepted - 1) % 7);
			cr_assert_eq(subscriber->rp_reference, (uint8_t)(subscriber->ue.rp_reference + accepted - 1));
		}
		fan_test_acknowledge(&appliance);
	}
	side.message = NULL;
	cr_assert_eq(fan_test_side_replay(&side), 0, "a replayed frame was not refused");
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

/* One EPS NAS context and one COUNT, whether a message goes to it as NIDD or as SMS. */
Test(fanfare, nidd_and_sms_to_the_same_ues_in_turn_share_one_count, .timeout = 60)
{
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_message message;

	fan_test_side_open(&side, 100);
	side.keep_bytes_max = 8 << 20;
	fan_test_appliance_open(&appliance, &side, NULL);
	for (unsigned i = 0; i < 100; i++)
		fan_test_provision(&appliance, fan_test_subscribe(&side, i < 50 ? FAN_KIND_EPS_NAS : FAN_KIND_5GS_NAS, 2, 2));
	(void)fan_test_group(&appliance, "data@example.org", 0, 50, FAN_PROFILE_EPS_NAS_NIDD);
	(void)fan_test_group(&appliance, "data@example.org", 50, 50, FAN_PROFILE_5GS_NAS_CIOT);
	(void)fan_test_group(&appliance, "sms@example.org", 0, 50, FAN_PROFILE_EPS_NAS_SMS);
	(void)fan_test_group(&appliance, "sms@example.org", 50, 50, FAN_PROFILE_5GS_NAS_SMS);
	fan_test_message(&message, "in turn", 7);
	for (unsigned round = 0; round < 20; round++) {
		const char *gid = round % 3 == 1 && round < 17 ? "sms@example.org" : "data@example.org";

		fan_test_send(&appliance, fan_group_find(appliance.fanfare, gid), &message);
		for (unsigned i = 0; i < 100; i++)
			cr_assert_eq(side.subscribers[i].last_count, FAN_TEST_FIRST_COUNT + round);
	}
	/* And both in flight at once: each UE gets both, under two COUNTs. */
	side.message = &message;
	cr_assert_eq(fan_send(appliance.fanfare, NULL, fan_group_find(appliance.fanfare, "sms@example.org"), &message,
			      fan_test_done, &appliance),
		     0);
	cr_assert_eq(fan_send(appliance.fanfare, NULL, fan_group_find(appliance.fanfare, "data@example.org"), &message,
			      fan_test_done, &appliance),
		     0);
	fan_test_run(&appliance, 0);
	expect_all_accepted(&side);
	cr_assert_eq(side.complete, 22 * 100);
	for (unsigned i = 0; i < 100; i++)
		cr_assert_eq(side.subscribers[i].last_count, FAN_TEST_FIRST_COUNT + 21);
	cr_assert_eq(fan_test_side_replay(&side), 0, "a replayed frame was not refused");
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

/* ---- Groups ------------------------------------------------------------------------------------------------------------------ */

static void
expect_names_are_unique(struct fanfare *fanfare)
{
	static const char *const bad[] = {
		"", "nobody", "@example.org", "a@", "a b@example.org", "0000000G-262-01-0A", "00000001-26-01-0A", "a@-x.org"
	};
	struct fan_group *group, *other;

	cr_assert_eq(fan_group_create(fanfare, &group, "Flood@Example.ORG"), 0, "%s", fan_error_detail());
	cr_assert_str_eq(fan_group_gid(group), "Flood@example.org");
	cr_assert_eq(fan_group_create(fanfare, &other, "extgroupid-Flood@EXAMPLE.org"), FAN_E_EXISTS);
	expect_detail("Flood@example.org");
	cr_assert_eq(fan_group_create(fanfare, &other, "flood@example.org"), 0, "the local part keeps its case");
	cr_assert_eq(fan_group_find(fanfare, "extgroupid-Flood@example.ORG"), group);
	cr_assert_eq(fan_group_find(fanfare, "flood@EXAMPLE.org"), other);
	fan_group_delete(other);
	cr_assert_null(fan_group_find(fanfare, "flood@example.org"));
	cr_assert_eq(fan_group_create(fanfare, &other, "0000000a-262-01-0a0b"), 0, "%s", fan_error_detail());
	cr_assert_str_eq(fan_group_gid(other), "0000000A-262-01-0A0B");
	cr_assert_eq(fan_group_find(fanfare, "0000000A-262-01-0a0B"), other);
	cr_assert_eq(fan_group_create(fanfare, &group, "0000000A-262-01-0A0B"), FAN_E_EXISTS);
	cr_assert_eq(fan_group_create(fanfare, &group, "0000000A-262-001-0A0B"), 0, "another network: MNC of three digits");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_eq(fan_group_create(fanfare, &group, bad[i]), FAN_E_INVALID, "\"%s\"", bad[i]);
		cr_assert_null(fan_group_find(fanfare, bad[i]));
	}
	fan_group_delete(NULL);
}

/* The last that was made is the first of the list. */
Test(fanfare, groups_that_were_deleted_are_counted_no_more)
{
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_group *groups[3];
	struct fan_health health;
	static const char *const gids[] = { "a@b", "b@b", "c@b" };

	fan_test_side_open(&side, 1);
	fan_test_appliance_open(&appliance, &side, NULL);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(fan_group_create(appliance.fanfare, &groups[i], gids[i]), 0);
	for (unsigned i = 3; i-- > 1;) {
		cr_assert_eq(fan_group_delete(groups[i]), 0);
		fan_health_init(&health);
		cr_assert_eq(fan_health(appliance.fanfare, &health), 0);
		cr_expect_eq(health.groups, i);
	}
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

Test(fanfare, groups_have_unique_names_and_exact_members, .timeout = 60)
{
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_group *group, *crowd[40];
	struct fan_message message;

	fan_test_side_open(&side, 20);
	fan_test_appliance_open(&appliance, &side, NULL);
	for (unsigned i = 0; i < 20; i++) {
		struct fan_test_subscriber *subscriber = fan_test_subscribe(&side,
									    i < 10 ? FAN_KIND_EPS_NAS : FAN_KIND_NR_PDCP_12, 2,
									    2);

		subscriber->ue.bearer_id = 5; /* one table for all ten, so that ranges have no holes */
		fan_test_provision(&appliance, subscriber);
	}
	expect_names_are_unique(appliance.fanfare);
	cr_assert_eq(fan_group_create(appliance.fanfare, &group, GROUP), 0);
	cr_assert_eq(fan_group_size(group), 0);
	cr_assert_eq(fan_group_add_range(group, side.subscribers[0].id, 10, FAN_PROFILE_EPS_NAS_NIDD), 0, "%s",
		     fan_error_detail());
	cr_assert_eq(fan_group_add_range(group, side.subscribers[0].id, 10, FAN_PROFILE_EPS_NAS_NIDD), 0, "again");
	cr_assert_eq(fan_group_add(group, side.subscribers[3].id, FAN_PROFILE_EPS_NAS_SMS), 0, "moves");
	cr_assert_eq(fan_group_size(group), 10);
	cr_assert_eq(fan_group_add(group, side.subscribers[10].id, FAN_PROFILE_NR_PDCP_12), 0);
	cr_assert_eq(fan_group_size(group), 11);
	cr_assert_eq(fan_group_remove(group, side.subscribers[9].id), 0);
	cr_assert_eq(fan_group_remove(group, side.subscribers[9].id), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_group_remove(group, side.subscribers[11].id), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_group_remove(group, UINT64_MAX), FAN_E_NOT_FOUND);
	/* What is no context, or not of the profile's kind, does not get in. */
	cr_assert_eq(fan_group_add(group, side.subscribers[0].id, FAN_PROFILE_5GS_NAS_SMS), FAN_E_INVALID);
	expect_detail("5gs-nas-sms");
	cr_assert_eq(fan_group_add(group, side.subscribers[0].id, FAN_PROFILE_COUNT), FAN_E_INVALID);
	cr_assert_eq(fan_group_add(group, side.subscribers[0].id, (enum fan_profile) - 1), FAN_E_INVALID);
	cr_assert_eq(fan_group_add(group, side.subscribers[9].id + 1, FAN_PROFILE_EPS_NAS_NIDD), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_group_add(group, UINT64_MAX, FAN_PROFILE_EPS_NAS_NIDD), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_group_add_range(group, side.subscribers[0].id, 11, FAN_PROFILE_EPS_NAS_NIDD), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_group_add_range(group, side.subscribers[0].id, SIZE_MAX, FAN_PROFILE_EPS_NAS_NIDD), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_group_size(group), 10);
	fan_test_message(&message, "hello", 5);
	fan_test_send(&appliance, group, &message);
	expect_all_accepted(&side);
	cr_assert(appliance.result.ues == 10 && side.complete == 10);
	cr_assert(appliance.profile[FAN_PROFILE_EPS_NAS_NIDD].sent == 8 &&
		  appliance.profile[FAN_PROFILE_EPS_NAS_SMS].sent == 1 && appliance.profile[FAN_PROFILE_NR_PDCP_12].sent == 1 &&
		  appliance.profile[FAN_PROFILE_5GS_NAS_SMS].ues == 0);
	/* Who has left gets no further message. */
	cr_assert_eq(fan_group_remove(group, side.subscribers[3].id), 0);
	fan_test_send(&appliance, group, &message);
	cr_assert(appliance.result.ues == 9 && side.subscribers[3].accepted == 1);
	/* A UE in many groups gets each one's message. */
	for (unsigned i = 0; i < 40; i++) {
		char gid[32];

		snprintf(gid, sizeof(gid), "g%u@example.org", i);
		crowd[i] = fan_test_group(&appliance, gid, 4, 1,
					  i % 8 == 0 ? FAN_PROFILE_EPS_NAS_SMS : FAN_PROFILE_EPS_NAS_NIDD);
	}
	side.complete = 0;
	for (unsigned i = 0; i < 40; i++)
		cr_assert_eq(fan_send(appliance.fanfare, NULL, crowd[i], &message, fan_test_done, &appliance), 0);
	fan_test_run(&appliance, 0);
	expect_all_accepted(&side);
	cr_assert_eq(side.complete, 40);
	cr_assert_eq(side.subscribers[4].accepted, 42);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

/* A message under way keeps the members it began with, whatever becomes of the group; the next one has the new members. */
Test(fanfare, a_running_message_keeps_its_snapshot, .timeout = 60)
{
	const unsigned ues = 4000;
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_message message;
	struct fan_group *group;

	fan_test_side_open(&side, 2 * ues);
	fan_test_appliance_open(&appliance, &side, NULL);
	fan_test_message(&message, "hello", 5);
	side.message = &message;
	for (unsigned i = 0; i < ues; i++)
		fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_LTE_PDCP_12, 2, FAN_INTEGRITY_NONE));
	group = fan_test_group(&appliance, GROUP, 0, ues, FAN_PROFILE_LTE_PDCP_12);
	cr_assert_eq(fan_send(appliance.fanfare, NULL, group, &message, fan_test_done, &appliance), 0);
	/* The port holds 1,024 frames: the message cannot have ended. UEs come and go meanwhile. */
	for (unsigned i = 0; i < ues; i++) {
		fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_LTE_PDCP_12, 2, FAN_INTEGRITY_NONE));
		cr_assert_eq(fan_group_add(group, side.subscribers[ues + i].id, FAN_PROFILE_LTE_PDCP_12), 0);
		cr_assert_eq(fan_group_remove(group, side.subscribers[i].id), 0);
	}
	cr_assert_eq(fan_poll(appliance.fanfare), 1);
	cr_assert_eq(fan_send(appliance.fanfare, NULL, group, &message, fan_test_done, &appliance), 0);
	fan_group_delete(group);
	fan_test_run(&appliance, 1);
	fan_test_run(&appliance, 0);
	cr_assert_eq(appliance.ended, 2);
	expect_all_accepted(&side);
	for (unsigned i = 0; i < 2 * ues; i++)
		cr_assert_eq(side.subscribers[i].complete, 1, "UE %u", i);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

/* ---- What stops a message ------------------------------------------------------------------------------------------------- */

static void
expect_dropped(const struct fan_test_appliance *appliance, unsigned ues, unsigned sent, enum fan_drop drop)
{
	cr_assert_eq(appliance->result.ues, ues);
	cr_assert_eq(appliance->result.created, ues);
	cr_assert_eq(appliance->result.sent, sent, "%lu sent", appliance->result.sent);
	cr_assert_eq(appliance->result.dropped[drop], ues - sent);
	cr_assert_eq(appliance->not_served, ues - sent);
}

Test(fanfare, ues_that_cannot_be_served_are_named_with_the_reason, .timeout = 60)
{
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_message message;
	struct fan_group *group;
	struct fanfare *fanfare;

	fan_test_side_open(&side, 10);
	fan_test_appliance_open(&appliance, &side, NULL);
	fanfare = appliance.fanfare;
	fan_test_message(&message, "hello", 5);
	for (unsigned i = 0; i < 10; i++) {
		struct fan_test_subscriber *subscriber = fan_test_subscribe(&side,
									    i < 5 ? FAN_KIND_EPS_NAS : FAN_KIND_NR_PDCP_18, 2,
									    2);

		if (i == 1)
			subscriber->ue.count_reserved = FAN_TEST_FIRST_COUNT + 1;
		if (i == 2)
			subscriber->ue.count = (1U << 24) - 4096 - 1;
		if (i == 6)
			subscriber->ue.count_reserved = FAN_TEST_FIRST_COUNT;
		fan_test_provision(&appliance, subscriber);
	}
	(void)fan_test_group(&appliance, GROUP, 0, 5, FAN_PROFILE_EPS_NAS_NIDD);
	group = fan_test_group(&appliance, GROUP, 5, 5, FAN_PROFILE_NR_PDCP_18);
	cr_assert_eq(fan_ue_reachable(fanfare, side.subscribers[0].id, false), 0);
	cr_assert_eq(fan_ue_reachable(fanfare, side.subscribers[5].id, false), 0);
	fan_test_send(&appliance, group, &message);
	cr_assert(appliance.result.sent == 7 && appliance.result.dropped[FAN_DROP_UNREACHABLE] == 2 &&
		  appliance.result.dropped[FAN_DROP_RESERVATION] == 1);
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(appliance.result.sent, 5);
	cr_assert(appliance.profile[FAN_PROFILE_EPS_NAS_NIDD].sent == 2 &&
		  appliance.profile[FAN_PROFILE_EPS_NAS_NIDD].ues == 5);
	cr_assert(appliance.profile[FAN_PROFILE_EPS_NAS_NIDD].dropped[FAN_DROP_UNREACHABLE] == 1 &&
		  appliance.profile[FAN_PROFILE_EPS_NAS_NIDD].dropped[FAN_DROP_RESERVATION] == 1 &&
		  appliance.profile[FAN_PROFILE_EPS_NAS_NIDD].dropped[FAN_DROP_COUNT_END] == 1);
	cr_assert(appliance.profile[FAN_PROFILE_NR_PDCP_18].sent == 3 &&
		  appliance.profile[FAN_PROFILE_NR_PDCP_18].dropped[FAN_DROP_UNREACHABLE] == 1 &&
		  appliance.profile[FAN_PROFILE_NR_PDCP_18].dropped[FAN_DROP_RESERVATION] == 1);
	cr_assert_eq(appliance.not_served, 5);
	{
		static const uint8_t drops[10] = { FAN_DROP_UNREACHABLE,
						   FAN_DROP_RESERVATION,
						   FAN_DROP_COUNT_END,
						   0,
						   0,
						   FAN_DROP_UNREACHABLE,
						   FAN_DROP_RESERVATION,
						   0,
						   0,
						   0 };

		for (unsigned i = 0; i < 10; i++)
			cr_assert_eq(side.subscribers[i].drop, drops[i], "UE %u: %s", i,
				     fan_drop_name((enum fan_drop)side.subscribers[i].drop));
	}
	/* Back within reach, and with a longer lease: served, no COUNT was skipped. */
	cr_assert_eq(fan_ue_reachable(fanfare, side.subscribers[0].id, true), 0);
	cr_assert_eq(fan_ue_reachable(fanfare, side.subscribers[5].id, true), 0);
	cr_assert_eq(fan_ue_lease(fanfare, side.subscribers[1].id, FAN_TEST_FIRST_COUNT), FAN_E_INVALID,
		     "a lease is never shortened");
	cr_assert_eq(fan_ue_lease(fanfare, side.subscribers[1].id, (1U << 24) + 1), FAN_E_INVALID);
	cr_assert_eq(fan_ue_lease(fanfare, side.subscribers[1].id, FAN_TEST_FIRST_COUNT + 2), 0);
	cr_assert_eq(fan_ue_lease(fanfare, side.subscribers[6].id, UINT32_MAX), 0);
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(appliance.result.sent, 9);
	for (unsigned i = 0; i < 10; i++)
		if (i == 0 || i == 5 || i == 6)
			cr_assert_eq(side.subscribers[i].last_count, FAN_TEST_FIRST_COUNT);
	fan_test_send(&appliance, group, &message);
	cr_assert(appliance.result.sent == 8 && side.subscribers[1].drop == FAN_DROP_RESERVATION,
		  "the lease had one more COUNT");
	cr_assert_eq(side.subscribers[1].last_count, FAN_TEST_FIRST_COUNT + 1);
	expect_all_accepted(&side);
	cr_assert_eq(fan_ue_lease(fanfare, side.subscribers[9].id + 1, 5), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_ue_reachable(fanfare, UINT64_MAX, true), FAN_E_NOT_FOUND);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

Test(fanfare, the_window_ends_at_200_and_begins_anew_with_proof, .timeout = 60)
{
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_message message, parts;
	struct fan_group *group, *sms;
	static char text[161];

	fan_test_side_open(&side, 4);
	fan_test_appliance_open(&appliance, &side, NULL);
	fan_test_message(&message, "hello", 5);
	memset(text, 'a', sizeof(text));
	fan_test_message(&parts, text, sizeof(text));
	for (unsigned i = 0; i < 4; i++) {
		struct fan_test_subscriber *subscriber = fan_test_subscribe(&side, FAN_KIND_EPS_NAS, 2, 2);

		subscriber->ue.bearer_id = 5;
		fan_test_provision(&appliance, subscriber);
	}
	group = fan_test_group(&appliance, GROUP, 0, 4, FAN_PROFILE_EPS_NAS_NIDD);
	sms = fan_test_group(&appliance, "sms@example.org", 0, 4, FAN_PROFILE_EPS_NAS_SMS);
	for (unsigned i = 0; i < 199; i++)
		fan_test_send(&appliance, group, &message);
	expect_all_accepted(&side);
	cr_assert_eq(side.complete, 4 * 199);
	/* One COUNT is left: a message of two parts does not begin, and each UE is named once. */
	fan_test_send(&appliance, sms, &parts);
	cr_assert(appliance.result.ues == 4 && appliance.result.created == 8 && appliance.result.sent == 0 &&
		  appliance.result.dropped[FAN_DROP_WINDOW] == 8 && appliance.not_served == 4);
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(appliance.result.sent, 4);
	fan_test_send(&appliance, group, &message);
	expect_dropped(&appliance, 4, 0, FAN_DROP_WINDOW);
	/* Two received all of it; of the first, only a late proof of its first message comes, which frees one COUNT and no more. */
	cr_assert_eq(fan_ue_received(appliance.fanfare, side.subscribers[1].id, 2), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_ue_acknowledged(appliance.fanfare, side.subscribers[0].id, FAN_TEST_FIRST_COUNT), 0);
	cr_assert_eq(fan_ue_acknowledged(appliance.fanfare, side.subscribers[3].id, FAN_TEST_FIRST_COUNT + 200), FAN_E_INVALID);
	fan_test_send(&appliance, group, &message);
	expect_dropped(&appliance, 4, 3, FAN_DROP_WINDOW);
	fan_test_send(&appliance, group, &message);
	expect_dropped(&appliance, 4, 2, FAN_DROP_WINDOW);
	/* An older proof than the last takes nothing back. */
	cr_assert_eq(fan_ue_acknowledged(appliance.fanfare, side.subscribers[1].id, FAN_TEST_FIRST_COUNT), 0);
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(side.subscribers[i].last_count,
			     FAN_TEST_FIRST_COUNT + (i == 1 || i == 2 ? 201U
						     : i == 0         ? 200U
								      : 199U),
			     "UE %u", i);
	expect_all_accepted(&side);
	cr_assert_eq(fan_ue_received(appliance.fanfare, UINT64_MAX, 1), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_ue_received(appliance.fanfare, side.subscribers[1].id, 4), FAN_E_NOT_FOUND, "one behind the last");
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

Test(fanfare, removed_ues_give_their_count_back_and_leave_all_groups, .timeout = 60)
{
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_test_subscriber *subscriber;
	struct fan_message message;
	struct fan_group *group, *other;
	fan_context_id gone;
	uint32_t next_count = 0;
	uint16_t unacknowledged = 0;

	fan_test_side_open(&side, 2001);
	fan_test_appliance_open(&appliance, &side, NULL);
	fan_test_message(&message, "hello", 5);
	side.message = &message;
	for (unsigned i = 0; i < 2000; i++) {
		subscriber = fan_test_subscribe(&side, FAN_KIND_EPS_NAS, 2, 2);
		subscriber->ue.bearer_id = 5;
		fan_test_provision(&appliance, subscriber);
	}
	group = fan_test_group(&appliance, GROUP, 0, 2000, FAN_PROFILE_EPS_NAS_NIDD);
	other = fan_test_group(&appliance, "other@example.org", 0, 2000, FAN_PROFILE_EPS_NAS_SMS);
	cr_assert_eq(fan_send(appliance.fanfare, NULL, group, &message, fan_test_done, &appliance), 0);
	gone = side.subscribers[700].id;
	cr_assert_eq(fan_ue_received(appliance.fanfare, gone, 1), FAN_E_BUSY);
	fan_test_run(&appliance, 0);
	cr_assert_eq(side.complete, 2000);
	cr_assert_eq(fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, gone), 0, "%s", fan_error_detail());
	cr_assert_eq(next_count, FAN_TEST_FIRST_COUNT + 1);
	cr_assert_eq(unacknowledged, 1, "nobody said that the UE received it");
	cr_assert(fan_group_size(group) == 1999 && fan_group_size(other) == 1999);
	cr_assert_eq(fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, gone), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_group_add(group, gone, FAN_PROFILE_EPS_NAS_NIDD), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_ue_received(appliance.fanfare, side.subscribers[0].id, 2000), 0, "free slots are passed over");
	cr_assert_eq(fan_group_add_range(group, side.subscribers[0].id, 2000, FAN_PROFILE_EPS_NAS_NIDD), FAN_E_NOT_FOUND);
	fan_test_send(&appliance, group, &message);
	cr_assert_eq(appliance.result.sent, 1999);
	/* The next UE is in no group yet, whatever slot it has. */
	subscriber = fan_test_subscribe(&side, FAN_KIND_EPS_NAS, 2, 2);
	subscriber->ue.bearer_id = 5;
	fan_test_provision(&appliance, subscriber);
	fan_test_send(&appliance, group, &message);
	cr_assert(appliance.result.sent == 1999 && subscriber->accepted == 0);
	cr_assert_eq(fan_group_add(group, subscriber->id, FAN_PROFILE_EPS_NAS_NIDD), 0);
	fan_test_send(&appliance, group, &message);
	cr_assert(appliance.result.sent == 2000 && subscriber->complete == 1 && subscriber->last_count == FAN_TEST_FIRST_COUNT);
	cr_assert_eq(side.subscribers[700].accepted, 1);
	expect_all_accepted(&side);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

/* ---- Refusals ---------------------------------------------------------------------------------------------------------------- */

static void
expect_ues_are_refused(struct fan_test_appliance *appliance)
{
	static const struct {
		enum fan_kind kind;
		uint8_t cipher, integrity;
		bool emergency;
		const char *says;
	} rows[] = {
		{ FAN_KIND_EPS_NAS, 4, 2, false, "cipher" },
		{ FAN_KIND_EPS_NAS, 2, 4, false, "integrity" },
		{ FAN_KIND_EPS_NAS, 2, 0, false, "emergency" },
		{ FAN_KIND_NR_PDCP_12, 2, 0, false, "emergency" },
		{ FAN_KIND_5GS_NAS, 2, FAN_INTEGRITY_NONE, true, "none" },
		{ FAN_KIND_LTE_PDCP_18, 2, 2, true, "LTE" },
		{ FAN_KIND_COUNT, 2, 2, true, "kind" },
		{ FAN_KIND_SGI, 2, FAN_INTEGRITY_NONE, true, "sgi-ip" },
		{ (enum fan_kind)(256 + FAN_KIND_EPS_NAS), 2, 2, true, "" },
	};
	fan_context_id id;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_ue ue = appliance->side->subscribers[0].ue;

		ue.kind = rows[i].kind;
		ue.cipher = rows[i].cipher;
		ue.integrity = rows[i].integrity;
		ue.emergency = rows[i].emergency;
		ue.bearer = 0;
		ue.teid = 1;
		cr_assert_eq(fan_ue_add(appliance->fanfare, &id, &ue), FAN_E_INVALID, "row %zu is accepted", i);
		expect_detail(rows[i].says);
		cr_assert_eq(fan_ue_reserve(appliance->fanfare, rows[i].kind, rows[i].cipher, rows[i].integrity, 10),
			     rows[i].integrity == 0 ? 0 : FAN_E_INVALID, "row %zu", i);
	}
	{
		struct fan_ue ue = appliance->side->subscribers[1].ue;

		ue.teid = 0;
		cr_assert_eq(fan_ue_add(appliance->fanfare, &id, &ue), FAN_E_INVALID);
		expect_detail("TEID 0");
		ue.teid = 1;
		ue.next_hop = FAN_TEST_HOPS;
		cr_assert_eq(fan_ue_add(appliance->fanfare, &id, &ue), FAN_E_INVALID);
		expect_detail("next hop 3");
	}
	cr_assert_eq(fan_ue_reserve(appliance->fanfare, FAN_KIND_EPS_NAS, 2, 2, 1000), 0, "%s", fan_error_detail());
	cr_assert_lt(fan_ue_reserve(appliance->fanfare, FAN_KIND_EPS_NAS, 2, 2, SIZE_MAX / 2), 0);
	cr_assert_lt(fan_ue_reserve(appliance->fanfare, FAN_KIND_EPS_NAS, 2, 2, SIZE_MAX), 0);
}

/* A UE keeps seven CP transactions open: an eighth short message is not sent before one of the seven is proved, by any way there is. What is
 * no short message is not held up, and opens none. */
Test(fanfare, an_eighth_short_message_waits_for_an_acknowledgement, .timeout = 60)
{
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_group *nidd, *sms, *bearer;
	struct fan_message message, two_parts;
	char text[200];

	memset(text, 'a', sizeof(text));
	fan_test_side_open(&side, 3);
	fan_test_appliance_open(&appliance, &side, NULL);
	fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_EPS_NAS, 2, 2));
	fan_test_subscribe(&side, FAN_KIND_EPS_NAS, 2, 2)->ue.unacknowledged = 6;
	side.subscribers[1].ue.transactions_open = 6;
	fan_test_provision(&appliance, &side.subscribers[1]);
	fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_NR_PDCP_18, 2, 2));
	nidd = fan_test_group(&appliance, "nidd@example.org", 0, 1, FAN_PROFILE_EPS_NAS_NIDD);
	sms = fan_test_group(&appliance, "sms@example.org", 0, 1, FAN_PROFILE_EPS_NAS_SMS);
	bearer = fan_test_group(&appliance, "bearer@example.org", 2, 1, FAN_PROFILE_NR_PDCP_18);
	fan_test_message(&message, text, 1);
	fan_test_message(&two_parts, text, sizeof(text));
	for (unsigned i = 0; i < 20; i++)
		fan_test_send(&appliance, i % 2 == 0 ? nidd : bearer, &message);
	for (unsigned i = 0; i < 3; i++)
		fan_test_send(&appliance, sms, &two_parts);
	cr_assert(appliance.result.sent == 2 && appliance.not_served == 0);
	fan_test_send(&appliance, sms, &two_parts); /* 6 are open: whole or not at all */
	cr_assert(appliance.result.sent == 0 && appliance.result.dropped[FAN_DROP_TRANSACTIONS] == 2 &&
		  appliance.not_served == 1);
	fan_test_send(&appliance, sms, &message);
	cr_assert_eq(appliance.result.sent, 1);
	fan_test_send(&appliance, sms, &message);
	cr_assert_eq(appliance.result.dropped[FAN_DROP_TRANSACTIONS], 1);
	fan_test_send(&appliance, nidd, &message);
	cr_assert_eq(appliance.result.sent, 1);
	/* The second of the seven is proved, and so those before it: five stay open, with a COUNT of user data behind them. */
	cr_assert_eq(fan_ue_acknowledged(appliance.fanfare, side.subscribers[0].id, side.subscribers[0].last_count - 6), 0);
	fan_test_send(&appliance, sms, &message);
	cr_assert_eq(appliance.result.sent, 1);
	fan_test_send(&appliance, sms, &message);
	cr_assert_eq(appliance.result.dropped[FAN_DROP_TRANSACTIONS], 1);
	cr_assert_eq(fan_ue_received(appliance.fanfare, side.subscribers[0].id, 1), 0);
	for (unsigned i = 0; i < 7; i++) {
		fan_test_send(&appliance, sms, &message);
		cr_assert_eq(appliance.result.sent, 1);
	}
	fan_test_send(&appliance, sms, &message);
	cr_assert_eq(appliance.result.dropped[FAN_DROP_TRANSACTIONS], 1);
	/* What the lender has opened counts. */
	sms = fan_test_group(&appliance, "leased@example.org", 1, 1, FAN_PROFILE_EPS_NAS_SMS);
	fan_test_send(&appliance, sms, &message);
	cr_assert_eq(appliance.result.sent, 1);
	fan_test_send(&appliance, sms, &message);
	cr_assert_eq(appliance.result.dropped[FAN_DROP_TRANSACTIONS], 1);
	expect_all_accepted(&side);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

Test(fanfare, what_cannot_be_sent_is_refused_before_anything_is_spent, .timeout = 60)
{
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_message message;
	struct fan_group *nidd, *sms, *bearer, *empty;
	static char octets[FAN_PARTS_MAX * 153 + 1];
	uint32_t next_count;
	uint16_t unacknowledged;
	struct fan_next_hop hop = fan_test_hop(0, false);

	fan_test_side_open(&side, 3);
	fan_test_appliance_open(&appliance, &side, NULL);
	cr_assert_eq(fan_next_hop_add(appliance.fanfare, &hop), FAN_E_EXISTS);
	fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_EPS_NAS, 2, 2));
	fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_NR_PDCP_18, 2, 2));
	expect_ues_are_refused(&appliance);
	nidd = fan_test_group(&appliance, "nidd@example.org", 0, 1, FAN_PROFILE_EPS_NAS_NIDD);
	sms = fan_test_group(&appliance, "sms@example.org", 0, 1, FAN_PROFILE_EPS_NAS_SMS);
	bearer = fan_test_group(&appliance, "bearer@example.org", 1, 1, FAN_PROFILE_NR_PDCP_18);
	cr_assert_eq(fan_group_create(appliance.fanfare, &empty, "empty@example.org"), 0);
	memset(octets, 'a', sizeof(octets));

#define REFUSED(group, error, says)                                                                                            \
	do {                                                                                                                   \
		cr_assert_eq(fan_send(appliance.fanfare, NULL, group, &message, fan_test_done, &appliance), error, "%s",       \
			     fan_error_detail());                                                                              \
		expect_detail(says);                                                                                           \
	} while (0)

	fan_test_message(&message, octets, 5);
	REFUSED(empty, FAN_E_INVALID, "empty@example.org");
	fan_test_message(&message, octets, 0);
	REFUSED(nidd, FAN_E_INVALID, "empty");
	fan_test_message(&message, NULL, 5);
	REFUSED(nidd, FAN_E_INVALID, "");
	fan_test_message(&message, octets, 1495);
	REFUSED(nidd, FAN_E_TOO_LONG, "eps-nas-nidd");
	expect_detail("1494");
	fan_test_message(&message, octets, 1500);
	REFUSED(bearer, FAN_E_TOO_LONG, "nr-pdcp-18");
	fan_test_message(&message, octets, SIZE_MAX / 4);
	REFUSED(bearer, FAN_E_TOO_LONG, "nr-pdcp-18");
	fan_test_message(&message, octets, FAN_PARTS_MAX * 153 + 1);
	REFUSED(sms, FAN_E_TOO_LONG, "255");
	expect_detail("eps-nas-sms");
	fan_test_message(&message, octets, FAN_TRANSACTIONS_MAX * 153 + 1);
	REFUSED(sms, FAN_E_TOO_LONG, "eps-nas-sms: 8 short messages, a UE takes 7");
	fan_test_message(&message, octets, 5);
	message.priority = 8;
	REFUSED(nidd, FAN_E_INVALID, "priority 8");
	fan_test_message(&message, octets, 5);
	message.sdap_qfi = 64;
	REFUSED(bearer, FAN_E_INVALID, "QFI 64");
	fan_test_message(&message, octets, 5);
	message.coding = (enum fan_coding)9;
	REFUSED(sms, FAN_E_INVALID, "coding");
	fan_test_message(&message, "\u0416", 2);
	message.coding = FAN_CODING_GSM7;
	REFUSED(sms, FAN_E_INVALID, "");
	fan_test_message(&message, octets, 5);
	message.originator = "+49170abc";
	REFUSED(sms, FAN_E_INVALID, "originator");
	/* One profile of a group that cannot take it refuses it for all. */
	cr_assert_eq(fan_group_add(bearer, side.subscribers[0].id, FAN_PROFILE_EPS_NAS_NIDD), 0);
	fan_test_message(&message, octets, 1480);
	REFUSED(bearer, FAN_E_TOO_LONG, "nr-pdcp-18");
	cr_assert_eq(fan_poll(appliance.fanfare), 0);
	cr_assert_eq(appliance.ended, 0);
	for (unsigned i = 0; i < 2; i++) {
		cr_assert_eq(fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, side.subscribers[i].id), 0);
		cr_assert_eq(next_count, FAN_TEST_FIRST_COUNT, "a refused message spent a COUNT");
	}
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

/* Until a port that nobody empties is full. */
static void
wait_until_full(const struct fan_test_appliance *appliance)
{
	const double deadline = fan_test_now_s() + 30;
	struct fan_totals before, now;

	fan_totals_read(appliance->fanfare, &now);
	do {
		before = now;
		usleep(20000);
		fan_totals_read(appliance->fanfare, &now);
		cr_assert_lt(fan_test_now_s(), deadline);
	} while (now.sent == 0 || now.sent != before.sent);
}

/* An engine that has AES alone is named, and a UE has SNOW 3G: nothing is spent, and the others are still served. */
Test(fanfare, what_no_engine_takes_is_refused_before_anything_is_spent, .timeout = 60)
{
	const struct fan_options options = { .struct_bytes = sizeof(options),
					     .engines = "lockstep-aesni",
					     .egress = "net_ring" };
	struct fan_test_appliance appliance;
	struct fan_test_side side;
	struct fan_message message;
	struct fanfare *probe;
	uint32_t next_count;
	uint16_t unacknowledged;
	int error;

	error = fan_open(&probe, &options);
	if (error == FAN_E_UNSUPPORTED || error == FAN_E_NOT_FOUND)
		cr_skip_test("this CPU or build has no engine lockstep-aesni");
	cr_assert_eq(error, 0, "%s", fan_error_detail());
	cr_assert_eq(fan_close(probe), 0);
	fan_test_side_open(&side, 2);
	fan_test_appliance_open(&appliance, &side, &options);
	for (uint8_t i = 0; i < 2; i++)
		fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_5GS_NAS, 1 + i, 2));
	fan_message_init(&message, "abc", 3);
	side.message = &message;
	cr_assert_eq(fan_send(appliance.fanfare, NULL, fan_test_group(&appliance, "snow@test", 0, 1, FAN_PROFILE_5GS_NAS_CIOT),
			      &message, fan_test_done, &appliance),
		     FAN_E_UNSUPPORTED);
	expect_detail("cipher 1");
	fan_test_send(&appliance, fan_test_group(&appliance, "aes@test", 1, 1, FAN_PROFILE_5GS_NAS_CIOT), &message);
	cr_assert_eq(appliance.result.sent, 1);
	cr_assert_eq(fan_ue_remove(appliance.fanfare, &next_count, &unacknowledged, side.subscribers[0].id), 0);
	cr_assert_eq(next_count, side.subscribers[0].ue.count);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

Test(fanfare, the_65th_message_in_flight_is_refused, .timeout = 60)
{
	const unsigned ues = 2500;
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_message message, urgent;
	struct fan_group *group, *small;

	fan_test_side_open(&side, ues);
	fan_test_appliance_open(&appliance, &side, NULL);
	fan_test_message(&message, "hello", 5);
	side.message = &message;
	urgent = message;
	urgent.priority = 7;
	for (unsigned i = 0; i < ues; i++)
		fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_NR_PDCP_12, 2, FAN_INTEGRITY_NONE));
	group = fan_test_group(&appliance, GROUP, 0, ues, FAN_PROFILE_NR_PDCP_12);
	small = fan_test_group(&appliance, "small@example.org", 0, 3, FAN_PROFILE_NR_PDCP_12);
	/* The port holds 1,024 frames and nobody takes them. */
	for (unsigned round = 0; round < 2; round++) {
		cr_assert_eq(fan_send(appliance.fanfare, NULL, group, &message, fan_test_done, &appliance), 0);
		wait_until_full(&appliance);
		while (fan_poll(appliance.fanfare) < 64)
			cr_assert_eq(fan_send(appliance.fanfare, NULL, small, &message, fan_test_done, &appliance), 0, "%s",
				     fan_error_detail());
		cr_assert_eq(fan_send(appliance.fanfare, NULL, small, &urgent, fan_test_done, &appliance), FAN_E_BUSY);
		expect_detail("64");
		fan_test_run(&appliance, 0);
		cr_assert_eq(appliance.ended, 64 * (round + 1));
		cr_assert_eq(side.complete, (round + 1) * (ues + 63 * 3));
		cr_assert_eq(side.subscribers[1].complete, 64 * (round + 1));
	}
	expect_all_accepted(&side);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

/* ---- More workers ---------------------------------------------------------------------------------------------------------- */

Test(fanfare, several_workers_serve_many_ues_of_all_kinds, .timeout = 120)
{
	static const unsigned worker_counts[] = { 4, 2 };
	const unsigned ues = 12000;
	static char text[161];

	memset(text, 'b', sizeof(text));
	for (size_t row = 0; row < 2; row++) {
		const struct fan_options options = { .struct_bytes = sizeof(struct fan_options),
						     .workers = worker_counts[row],
						     .engines = "ipsec-mb,reference" };
		struct fan_test_side side;
		struct fan_test_appliance appliance;
		struct fan_group *group = NULL;
		struct fan_engine_share shares[2];
		struct fan_totals progress;
		struct fan_message message;

		fan_test_message(&message, text, sizeof(text));
		fan_test_side_open(&side, ues);
		fan_test_appliance_open(&appliance, &side, &options);
		for (unsigned i = 0; i < ues; i++) {
			const enum fan_kind kind = (enum fan_kind)(i * FAN_KIND_SGI / ues);
			const bool lte = kind == FAN_KIND_LTE_PDCP_12 || kind == FAN_KIND_LTE_PDCP_18;

			fan_test_provision(&appliance, fan_test_subscribe(&side, kind, 2, lte ? FAN_INTEGRITY_NONE : 2));
		}
		for (unsigned i = 0; i < ues; i += ues / FAN_KIND_SGI)
			group = fan_test_group(&appliance, GROUP, i, ues / FAN_KIND_SGI,
					       profile_of(side.subscribers[i].ue.kind, true));
		for (unsigned round = 1; round <= 2; round++) {
			fan_test_send(&appliance, group, &message);
			cr_assert_eq(appliance.result.sent, ues + ues / 3, "NAS UEs get two parts");
			cr_assert_eq(side.complete, round * ues);
			for (unsigned i = 0; i < ues; i++)
				cr_assert_eq(side.subscribers[i].complete, round, "UE %u", i);
		}
		expect_all_accepted(&side);
		fan_totals_read(appliance.fanfare, &progress);
		cr_assert_eq(fan_engine_shares(appliance.fanfare, shares, 2), 2);
		cr_assert_eq(shares[0].pdus + shares[1].pdus, progress.created);
		cr_assert(progress.created == 2 * appliance.result.sent && progress.sent == progress.created &&
			  progress.dropped == 0);
		cr_assert_eq(progress.bytes_out, side.frame_bytes);
		cr_assert(progress.busy_cycles > 0 && progress.engine_cycles > 0 &&
			  progress.engine_cycles <= progress.busy_cycles);
		fan_test_appliance_close(&appliance);
		fan_test_side_close(&side);
	}
}

Test(fanfare, a_drop_is_named_whichever_worker_it_was, .timeout = 60)
{
	const unsigned ues = 2000;
	const struct fan_options options = { .struct_bytes = sizeof(struct fan_options), .workers = 4 };
	struct fan_test_side side;
	struct fan_test_appliance appliance;
	struct fan_group *group;
	struct fan_message message;

	fan_test_message(&message, "hello", 5);
	fan_test_side_open(&side, ues);
	fan_test_appliance_open(&appliance, &side, &options);
	for (unsigned i = 0; i < ues; i++)
		fan_test_provision(&appliance, fan_test_subscribe(&side, FAN_KIND_NR_PDCP_18, 2, 2));
	group = fan_test_group(&appliance, GROUP, 0, ues, FAN_PROFILE_NR_PDCP_18);
	for (unsigned i = 0; i < ues; i += ues / 20) {
		cr_assert_eq(fan_ue_reachable(appliance.fanfare, side.subscribers[i].id, false), 0);
		fan_test_send(&appliance, group, &message);
		expect_dropped(&appliance, ues, ues - 1, FAN_DROP_UNREACHABLE);
		cr_assert_eq(side.subscribers[i].drop, FAN_DROP_UNREACHABLE);
		cr_assert_eq(fan_ue_reachable(appliance.fanfare, side.subscribers[i].id, true), 0);
	}
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

Test(fanfare, errors_have_names)
{
	static const char *const names[] = { "ok",     "invalid",   "memory", "unsupported", "too-long",
					     "exists", "not-found", "busy",   "io" };

	for (int i = 0; i < 9; i++) {
		const char *name = fan_error_name(-i);

		cr_assert_not_null(name);
		cr_assert_not_null(strchr("abcdefghijklmnopqrstuvwxyz", name[0]), "%s", name);
		cr_assert_null(strchr(name, ' '), "one word: %s", name);
		for (int j = 0; j < i; j++)
			cr_assert_str_neq(name, fan_error_name(-j));
	}
	cr_assert_str_eq(fan_error_name(0), names[0]);
	cr_assert_not_null(fan_error_name(-1000));
	cr_assert_not_null(fan_error_name(5));
}
