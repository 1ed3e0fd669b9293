/* SPDX-License-Identifier: BSD-3-Clause */
#include "../dataplane/dataplane.h"
#include "../dataplane/eal.h"
#include "appliance_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct fan_dataplane *
open_dataplane(const struct fan_options *options)
{
	struct fan_dataplane *dataplane = NULL;

	cr_assert_eq(fan_dataplane_open(&dataplane, options), 0, "%s", fan_error_detail());
	return dataplane;
}

/* One table for each protection that the standards have, and room for all of them at once. */
Test(dataplane, has_one_table_for_each_protection, .timeout = 60)
{
	const struct fan_options options = { .struct_bytes = sizeof(struct fan_options), .egress = "net_null" };
	struct fan_dataplane *dataplane = open_dataplane(&options);
	unsigned tables = 0;

	for (unsigned round = 0; round < 2; round++)
		for (unsigned kind = 0; kind < FAN_KIND_COUNT; kind++)
			for (unsigned cipher = 0; cipher <= 3; cipher++)
				for (unsigned integrity = 0; integrity < 256; integrity++)
					for (unsigned bearer_id = 0; bearer_id < 16; bearer_id++) {
						const struct fan_protection protection = { (uint8_t)kind, (uint8_t)cipher,
											   (uint8_t)integrity,
											   (uint8_t)bearer_id };
						const bool nas = kind == FAN_KIND_EPS_NAS || kind == FAN_KIND_5GS_NAS;
						int table;

						if ((!nas && bearer_id != 0) || fan_protection_check(protection, true) != 0)
							continue;
						table = fan_dataplane_table(dataplane, protection);
						cr_assert_geq(table, 0, "%s", fan_error_detail());
						cr_assert_eq(memcmp(&dataplane->tables[table].protection, &protection,
								    sizeof(protection)),
							     0);
						if (round == 0)
							cr_assert_eq(table, (int)tables++, "a table of its own");
					}
	cr_assert_eq(tables, FAN_TABLES_MAX, "%u protections", tables);
	cr_assert_eq(dataplane->table_count, tables);
	cr_assert_eq(fan_dataplane_close(dataplane), 0);
}

Test(dataplane, next_hops_have_distinct_addresses_and_a_limit, .timeout = 60)
{
	for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
		const struct fan_options options = { .struct_bytes = sizeof(struct fan_options),
						     .egress = "net_null",
						     .ipv6 = ipv6 };
		struct fan_dataplane *dataplane = open_dataplane(&options);
		struct fan_next_hop hop = fan_test_hop(0, ipv6);

		cr_assert_eq(fan_dataplane_next_hop_add(dataplane, &hop), 0);
		cr_assert_eq(fan_dataplane_next_hop_add(dataplane, &hop), FAN_E_EXISTS);
		hop.ethernet[0] ^= 2;
		cr_assert_eq(fan_dataplane_next_hop_add(dataplane, &hop), FAN_E_EXISTS, "the address alone counts");
		hop.address[15] ^= 0x80; /* beyond an IPv4 address */
		cr_assert_eq(fan_dataplane_next_hop_add(dataplane, &hop), ipv6 ? 1 : FAN_E_EXISTS);
		hop.address[3] ^= 0x80;
		cr_assert_eq(fan_dataplane_next_hop_add(dataplane, &hop), ipv6 ? 2 : 1);
		dataplane->hop_count = FAN_NEXT_HOPS_MAX - 1;
		hop.address[2] ^= 0x80;
		cr_assert_eq(fan_dataplane_next_hop_add(dataplane, &hop), FAN_NEXT_HOPS_MAX - 1);
		hop.address[2] ^= 0x40;
		cr_assert_lt(fan_dataplane_next_hop_add(dataplane, &hop), 0);
		cr_assert_not_null(strstr(fan_error_detail(), "65536"), "%s", fan_error_detail());
		cr_assert_eq(fan_dataplane_close(dataplane), 0);
	}
	cr_assert_eq(fan_dataplane_close(NULL), 0);
}

static void
count_ended(void *user, const struct fan_result *result, const struct fan_outcome *outcome)
{
	(void)outcome;
	*(uint64_t *)user += result->sent;
}

/* A frame longer than the port carries is refused at the octet, before any COUNT is spent. */
Test(dataplane, frames_longer_than_the_port_carries_are_refused, .timeout = 60)
{
	const struct fan_options options = { .struct_bytes = sizeof(struct fan_options), .egress = "net_null" };
	struct fan_dataplane *dataplane = open_dataplane(&options);
	const struct fan_protection protection = { FAN_KIND_LTE_PDCP_12, 2, FAN_INTEGRITY_NONE, 0 };
	const struct fan_next_hop hop = fan_test_hop(0, false);
	const int table = fan_dataplane_table(dataplane, protection);
	const struct fan_ue ue = { .struct_bytes = sizeof(struct fan_ue),
				   .kind = FAN_KIND_LTE_PDCP_12,
				   .cipher = 2,
				   .integrity = FAN_INTEGRITY_NONE,
				   .count = 7,
				   .count_reserved = 9,
				   .teid = 1 };
	static uint8_t octets[200];
	struct fan_message message;
	uint64_t sent = 0;

	cr_assert_eq(fan_dataplane_next_hop_add(dataplane, &hop), 0);
	cr_assert_eq(fan_context_add(&dataplane->tables[table], &ue), 0, "%s", fan_error_detail());
	dataplane->egress.frame_bytes_max = 14 + 20 + 8 + 8 + 2 + 28 + 100;
	for (unsigned extra = 2; extra-- > 0;) {
		struct fan_members members = { .set_count = 0 };
		struct fan_snapshot *snapshot;
		struct fan_flight *in_flight;

		cr_assert_eq(fan_members_add_range(&members, (uint16_t)table, FAN_PROFILE_LTE_PDCP_12, 0, 1), 0);
		cr_assert_eq(fan_snapshot_make(&snapshot, &members), 0);
		fan_members_free(&members);
		fan_message_init(&message, octets, 100 + extra);
		cr_assert_eq(fan_dataplane_accept(dataplane, &in_flight, snapshot, &message, count_ended, &sent),
			     extra == 1 ? FAN_E_TOO_LONG : 0);
		fan_snapshot_release(snapshot);
		if (extra == 0)
			fan_dataplane_hand(dataplane, in_flight);
		if (extra == 1) {
			cr_assert_not_null(strstr(fan_error_detail(), "180"), "%s", fan_error_detail());
			cr_assert_eq(dataplane->tables[table].slots[0].count, 7);
			cr_assert_eq(dataplane->flights.count, 0);
		}
	}
	for (struct fan_flight *flight = NULL; flight == NULL;) {
		struct fan_result result;

		fan_dataplane_settle(dataplane);
		flight = fan_dataplane_take_settled(dataplane);
		if (flight == NULL)
			continue;
		fan_flight_result(flight, &result, FAN_PROFILE_COUNT);
		cr_assert(result.sent == 1 && result.bytes_out == 180);
		fan_flight_free(flight);
	}
	cr_assert_eq(dataplane->tables[table].slots[0].count, 8);
	cr_assert_null(fan_dataplane_take_settled(dataplane));
	cr_assert_eq(fan_dataplane_close(dataplane), 0);
}

/* Of named engines each must open: one that is asked for and missing is not made up for by the others. */
Test(dataplane, a_named_engine_that_does_not_open_is_an_error, .timeout = 60)
{
	const struct fan_options options = { .struct_bytes = sizeof(struct fan_options),
					     .egress = "net_null",
					     .engines = "reference,fpga" };
	struct fan_dataplane *dataplane = NULL;

	setenv("FANFARE_MODEL", "/nonexistent/model.so", 1);
	cr_assert_eq(fan_dataplane_open(&dataplane, &options), FAN_E_UNSUPPORTED, "%s", fan_error_detail());
	cr_assert_null(dataplane);
}

/* EAL starts once; the first caller's options decide. */
Test(dataplane, eal_starts_once, .timeout = 60)
{
	cr_assert_not(fan_eal_huge_pages(), "not before the start");
	cr_assert_eq(fan_eal_start(NULL, 2, NULL), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_eal_start("again", 1, NULL), 0);
	cr_assert_eq(fan_eal_start("again", 2, NULL), 0);
	cr_assert_eq(fan_eal_start("again", 3, NULL), FAN_E_UNSUPPORTED);
	cr_assert_not_null(strstr(fan_error_detail(), "3 workers"), "%s", fan_error_detail());
	(void)fan_eal_huge_pages();
}
