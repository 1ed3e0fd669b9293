/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which context a receipt reaches and what it does there: first on tables alone, then through an appliance whose port gives frames back.
 */
#include "../dataplane/context/count.h"
#include "../host-api/appliance/handles.h"
#include "appliance_fixture.h"
#include "receipt_frames.h"
#include "sanitizers.h"

#include <criterion/criterion.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Tables alone ------------------------------------------------------------------------------------------------------ */

enum { EPS, FIVE_GS, LTE_12, NR_12, NR_18, TABLES };
static const enum fan_kind kinds[TABLES] = { FAN_KIND_EPS_NAS, FAN_KIND_5GS_NAS, FAN_KIND_LTE_PDCP_12, FAN_KIND_NR_PDCP_12,
					     FAN_KIND_NR_PDCP_18 };
#define HOPS 3

static struct fan_context_table tables[FAN_TABLES_MAX];
static struct fan_hop hops[FAN_NEXT_HOPS_MAX];
static struct fan_dataplane dataplane;
static struct fan_receipts *receipts;
static struct fan_receipt_figures figures;
static uint8_t frame[FAN_TEST_FRAME_BYTES];

static void
open_tables(bool ipv6)
{
	dataplane = (struct fan_dataplane){ .tables = tables, .table_count = TABLES, .hops = hops, .hop_count = HOPS };
	dataplane.egress.receive_queues = 1;
	dataplane.link = (struct fan_link){ .ipv6 = ipv6,
					    .ethernet = { 2, 0, 0, 0, 0, 9 },
					    .address = { 192, 0, 2, 1, [15] = 1 } };
	for (unsigned i = 0; i < HOPS; i++) {
		const struct fan_next_hop hop = fan_test_hop(i, ipv6);

		fan_hop_make(&hops[i], &hop);
	}
	for (unsigned i = 0; i < TABLES; i++) {
		const struct fan_protection protection = {
			.kind = (uint8_t)kinds[i],
			.cipher = 2,
			.integrity = fan_kind_is_nas(kinds[i]) ? 2 : FAN_INTEGRITY_NONE,
			.bearer_id = fan_kind_is_nas(kinds[i]) ? 5 : 0,
		};

		cr_assert_eq(fan_context_table_init(&tables[i], protection, 1U << 20), 0, "%s", fan_error_detail());
	}
	memset(&figures, 0, sizeof(figures));
	cr_assert_eq(fan_receipts_open(&receipts, &dataplane, NULL, 0), 0, "%s", fan_error_detail());
}

static void
close_tables(void)
{
	fan_receipts_close(receipts);
	for (unsigned i = 0; i < TABLES; i++)
		fan_context_table_free(&tables[i]);
}

/* A context of 1,000 COUNTs spent, the last 100 of them without proof. The id is the one that acknowledges it. */
static uint32_t
add(unsigned table, uint16_t hop, uint64_t id)
{
	const bool tunnel = kinds[table] >= FAN_KIND_NR_PDCP_12;
	const struct fan_ue ue = {
		.struct_bytes = sizeof(ue),
		.kind = kinds[table],
		.cipher = 2,
		.integrity = tables[table].protection.integrity,
		.count = 1000,
		.count_reserved = 10000,
		.unacknowledged = 100,
		.bearer = kinds[table] == FAN_KIND_5GS_NAS,
		.bearer_id = 5,
		.next_hop = hop,
		.teid = tunnel ? 99 : (uint32_t)id,
		.uplink_teid = tunnel ? (uint32_t)id : 0,
		.mme_ue_id = fan_kind_is_nas(kinds[table]) ? id : 0,
	};
	const int64_t slot = fan_context_add(&tables[table], &ue);

	cr_assert_geq(slot, 0, "%s", fan_error_detail());
	cr_assert_eq(fan_receipts_enter(receipts, table, (uint32_t)slot, ue.uplink_teid), 0, "%s", fan_error_detail());
	return (uint32_t)slot;
}

static void
drop(unsigned table, uint32_t slot)
{
	fan_receipts_leave(receipts, table, slot);
	fan_context_remove(&tables[table], slot);
}

static uint16_t
gap(unsigned table, uint32_t slot)
{
	return fan_count_gap(&tables[table].slots[slot]);
}

static struct fan_test_path
path_from(const uint8_t *address)
{
	struct fan_test_path path = { .link = dataplane.link };

	memcpy(path.sender, address, dataplane.link.ipv6 ? 16 : 4);
	return path;
}

/* Takes the frame; what became of its only receipt, or of itself. */
static enum fan_refusal
take(size_t frame_bytes)
{
	const struct fan_receipt_octets octets = { frame, frame_bytes };
	struct fan_receipt_figures before = figures;

	fan_receipts_take_burst(receipts, &octets, 1);
	fan_receipts_count(receipts, &figures);
	cr_assert_eq(figures.frames, before.frames + 1);
	for (unsigned i = 1; i < FAN_REFUSAL_COUNT; i++)
		if (figures.refused[i] != before.refused[i])
			return (enum fan_refusal)i;
	cr_assert_eq(figures.accepted + figures.paces, before.accepted + before.paces + 1, "neither accepted nor refused");
	return FAN_REFUSAL_NONE;
}

static enum fan_refusal
status(unsigned hop, uint32_t teid, uint32_t sn)
{
	const struct fan_test_path path = path_from(hops[hop].address);

	return take(fan_test_status(frame, &path, teid, sn));
}

static enum fan_refusal
relay(unsigned hop, uint64_t sequence, enum fan_receipt_way way, uint64_t id, uint32_t count)
{
	const struct fan_receipt entry = { .way = (uint8_t)way, .id = id, .number = count };
	const struct fan_test_path path = path_from(hops[hop].address);

	return take(fan_test_relay(frame, &path, sequence, &entry, 1));
}

/* Every frame is taken or refused once, and every receipt of those that were taken. */
static void
check_sums(void)
{
	uint64_t frames = 0, entries = 0;

	fan_receipts_count(receipts, &figures);
	for (unsigned i = 1; i < FAN_REFUSAL_COUNT; i++)
		if (i != FAN_REFUSAL_PACE)
			*(i < FAN_REFUSAL_UNKNOWN ? &frames : &entries) += figures.refused[i];
	cr_assert_leq(frames, figures.frames);
	cr_assert_eq(entries + figures.accepted, figures.acknowledgements);
	cr_assert_eq(figures.refused[FAN_REFUSAL_NONE], 0);
}

/* Of 100 unacknowledged COUNTs, 900 to 999. */
Test(receipts, a_proof_moves_the_window_and_nothing_else_does)
{
	static const struct {
		unsigned table, hop;
		uint64_t id;
		uint32_t number;
		enum fan_refusal refusal;
		uint16_t gap;
	} rows[] = {
		{ EPS, 1, 7, 999, FAN_REFUSAL_NONE, 0 },
		{ EPS, 1, 7, 900, FAN_REFUSAL_NONE, 99 },
		{ EPS, 1, 7, 899, FAN_REFUSAL_NOTHING_NEW, 100 },
		{ EPS, 1, 7, 0, FAN_REFUSAL_NOTHING_NEW, 100 },
		{ EPS, 1, 7, 1000, FAN_REFUSAL_NEVER_SENT, 100 },
		{ EPS, 1, 7, UINT32_MAX, FAN_REFUSAL_NEVER_SENT, 100 },
		{ EPS, 0, 7, 950, FAN_REFUSAL_UNKNOWN, 100 },
		{ EPS, 1, 8, 950, FAN_REFUSAL_UNKNOWN, 100 },
		{ EPS, 1, 7 | UINT64_C(1) << 40, 950, FAN_REFUSAL_UNKNOWN, 100 },
		{ EPS, 1, 7 | UINT64_C(1) << 63, 950, FAN_REFUSAL_UNKNOWN, 100 },
		{ FIVE_GS, 1, 7 | UINT64_C(1) << 39, 950, FAN_REFUSAL_NONE, 49 },
		{ FIVE_GS, 1, 7, 950, FAN_REFUSAL_UNKNOWN, 100 },
		{ LTE_12, 1, 7, 950, FAN_REFUSAL_NONE, 49 },
		{ LTE_12, 1, 99, 950, FAN_REFUSAL_UNKNOWN, 100 },
		{ LTE_12, 1, 7, 1000, FAN_REFUSAL_NEVER_SENT, 100 },
		{ NR_12, 1, 7, 950, FAN_REFUSAL_NONE, 49 },
		{ NR_12, 1, 7, 899, FAN_REFUSAL_NOTHING_NEW, 100 },
		{ NR_12, 1, 7, 1000, FAN_REFUSAL_NEVER_SENT, 100 },
		{ NR_12, 1, 7, 4095, FAN_REFUSAL_NEVER_SENT, 100 },
		{ NR_12, 1, 7, 4096 + 950, FAN_REFUSAL_NEVER_SENT, 100 },
		{ NR_12, 2, 7, 950, FAN_REFUSAL_UNKNOWN, 100 },
		{ NR_12, 1, 99, 950, FAN_REFUSAL_UNKNOWN, 100 },
		{ NR_18, 1, 7, 999, FAN_REFUSAL_NONE, 0 },
		{ NR_18, 1, 7, 1001, FAN_REFUSAL_NEVER_SENT, 100 },
	};
	static const enum fan_receipt_way ways[TABLES] = { FAN_RECEIPT_EPS_NAS, FAN_RECEIPT_5GS_NAS, FAN_RECEIPT_BEARER };

	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		const size_t row = i / 2;
		const unsigned table = rows[row].table;
		const uint64_t own_id = table == FIVE_GS ? 7 | UINT64_C(1) << 39 : 7;
		enum fan_refusal refusal;
		uint32_t slot;

		open_tables(i % 2 == 1);
		slot = add(table, 1, own_id);
		refusal = ways[table] != FAN_RECEIPT_TUNNEL
				  ? relay(rows[row].hop, 1, ways[table], rows[row].id, rows[row].number)
				  : status(rows[row].hop, (uint32_t)rows[row].id, rows[row].number);
		cr_expect_eq(refusal, rows[row].refusal, "row %zu: %s", row, fan_refusal_name(refusal));
		cr_expect_eq(gap(table, slot), rows[row].gap, "row %zu: %u", row, gap(table, slot));
		check_sums();
		close_tables();
	}
}

/* Of COUNTs 69,900 to 69,999: twelve bits, or eighteen. */
Test(receipts, an_sn_is_short_for_a_count)
{
	uint32_t slots[2];

	open_tables(false);
	slots[0] = add(NR_12, 0, 5);
	slots[1] = add(NR_18, 0, 6);
	for (unsigned i = 0; i < 2; i++) {
		tables[NR_12 + i].slots[slots[i]].count = 70000;
		tables[NR_12 + i].slots[slots[i]].awaited = (uint16_t)69900;
	}
	cr_expect_eq(status(0, 5, 69950 % 4096), FAN_REFUSAL_NONE);
	cr_expect_eq(gap(NR_12, slots[0]), 49);
	cr_expect_eq(status(0, 5, 70000 % 4096), FAN_REFUSAL_NOTHING_NEW, "the last PDU of 4,096 before");
	cr_expect_eq(status(0, 6, 69950 % 4096), FAN_REFUSAL_NOTHING_NEW);
	cr_expect_eq(status(0, 6, 69950), FAN_REFUSAL_NONE);
	cr_expect_eq(gap(NR_18, slots[1]), 49);
	close_tables();
}

/* A relay does not speak for a bearer that has a tunnel, nor a base station for one without, whatever the number. */
Test(receipts, each_way_reaches_its_own_kind)
{
	open_tables(false);
	(void)add(EPS, 0, 5);
	(void)add(LTE_12, 0, 6);
	(void)add(NR_12, 0, 8);
	for (unsigned way = FAN_RECEIPT_EPS_NAS; way < FAN_RECEIPT_PACE; way++)
		for (uint64_t id = 5; id <= 8; id++) {
			const bool right = (way == FAN_RECEIPT_EPS_NAS && id == 5) || (way == FAN_RECEIPT_BEARER && id == 6);

			cr_expect_eq(relay(0, 10 * way + id, (enum fan_receipt_way)way, id, 999),
				     right ? FAN_REFUSAL_NONE : FAN_REFUSAL_UNKNOWN, "way %u, id %lu", way, id);
		}
	cr_expect_eq(status(0, 5, 999), FAN_REFUSAL_UNKNOWN);
	cr_expect_eq(status(0, 6, 999), FAN_REFUSAL_UNKNOWN);
	cr_expect_eq(status(0, 99, 999), FAN_REFUSAL_UNKNOWN, "the TEID of the other direction");
	cr_expect_eq(status(0, 8, 999), FAN_REFUSAL_NONE);
	close_tables();
}

/* A relay says how fast it takes PDUs: for itself, for some time, by its latest datagram. */
Test(receipts, a_relays_word_on_its_pace_counts_for_its_own_next_hop)
{
	static const struct {
		uint64_t pdus_per_s;
		uint32_t for_ms;
		bool taken, told; /* it is taken; a word counts then */
	} rows[] = {
		{ 100, 1000, true, true },
		{ 0, FAN_RELAY_MS_MAX, true, true },
		{ 0, FAN_RELAY_MS_MAX + 1, false, true },
		{ FAN_RATE_PDUS_MAX + UINT64_C(1), 1000, false, true },
		{ UINT64_MAX, UINT32_MAX, false, true },
		{ 0, 0, true, false },
		{ FAN_RATE_PDUS_MAX, 1, true, true },
	};
	uint64_t taken = 0;

	open_tables(false);
	cr_assert_eq(fan_paces_make(&dataplane.paces), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)relay(1, 10 + i, FAN_RECEIPT_PACE, rows[i].pdus_per_s, rows[i].for_ms);
		taken += rows[i].taken;
		check_sums();
		cr_expect_eq(figures.paces, taken, "row %zu", i);
		cr_expect_eq(figures.refused[FAN_REFUSAL_PACE], i + 1 - taken, "row %zu", i);
		cr_expect_eq(dataplane.paces.hops[1].told, rows[i].told, "row %zu", i);
		cr_expect_eq(dataplane.paces.told_count, (unsigned)rows[i].told, "row %zu", i);
		if (rows[i].taken)
			cr_expect_eq(dataplane.paces.hops[1].told_pdus_per_s, rows[i].pdus_per_s);
	}
	/* One that comes late says nothing any more, and nobody speaks for another. */
	(void)relay(1, 10, FAN_RECEIPT_PACE, 7, 1000);
	cr_expect_eq(dataplane.paces.hops[1].told_pdus_per_s, FAN_RATE_PDUS_MAX);
	cr_expect(!dataplane.paces.hops[0].told && !dataplane.paces.hops[2].told);
	cr_expect_eq(figures.acknowledgements, 0);
	fan_paces_free(&dataplane.paces);
	close_tables();
}

Test(receipts, two_contexts_of_one_id_get_nothing)
{
	uint32_t first, second;

	open_tables(false);
	first = add(NR_12, 0, 5);
	second = add(NR_18, 0, 5);
	cr_expect_eq(status(0, 5, 950), FAN_REFUSAL_AMBIGUOUS);
	cr_expect(gap(NR_12, first) == 100 && gap(NR_18, second) == 100);
	drop(NR_12, first);
	cr_expect_eq(status(0, 5, 950), FAN_REFUSAL_NONE);
	cr_expect_eq(gap(NR_18, second), 49);
	drop(NR_18, second);
	cr_expect_eq(status(0, 5, 950), FAN_REFUSAL_UNKNOWN);
	/* Leaving twice, or without having been there, changes nothing. */
	fan_receipts_leave(receipts, NR_18, second);
	fan_receipts_leave(receipts, LTE_12, 40000);
	close_tables();
}

/* ---- Senders ----------------------------------------------------------------------------------------------------------- */

Test(receipts, a_sender_is_a_next_hop)
{
	const uint8_t stranger[16] = { 203, 0, 113, 77 };
	struct fan_test_path path;
	struct fan_next_hop other = fan_test_hop(9, false);

	open_tables(false);
	(void)add(NR_12, 0, 5);
	path = path_from(stranger);
	cr_assert_eq(take(fan_test_status(frame, &path, 5, 950)), FAN_REFUSAL_SENDER);
	/* One that is added later, and one that changes its address; octets behind an IPv4 address count for nothing. */
	hops[HOPS] = (struct fan_hop){ .address = { 203, 0, 113, 77, 1, 2, 3 } };
	dataplane.hop_count = HOPS + 1;
	cr_assert_eq(take(fan_test_status(frame, &path, 5, 950)), FAN_REFUSAL_UNKNOWN);
	(void)add(NR_12, HOPS, 5);
	cr_assert_eq(take(fan_test_status(frame, &path, 5, 950)), FAN_REFUSAL_NONE);
	fan_hop_make(&hops[HOPS], &other);
	fan_receipts_change_hop(receipts, HOPS);
	cr_assert_eq(take(fan_test_status(frame, &path, 5, 960)), FAN_REFUSAL_SENDER);
	cr_assert_eq(status(HOPS, 5, 960), FAN_REFUSAL_NONE);
	close_tables();
}

Test(receipts, every_next_hop_is_found)
{
	open_tables(true);
	for (unsigned i = 0; i < FAN_NEXT_HOPS_MAX; i++)
		hops[i] = (struct fan_hop){ .address = { 0x20, 1, 0x0d, 0xb8, [13] = (uint8_t)(i >> 16), (uint8_t)(i >> 8),
							 (uint8_t)i } };
	dataplane.hop_count = FAN_NEXT_HOPS_MAX;
	for (unsigned i = 0; i < FAN_NEXT_HOPS_MAX; i += 13) {
		const struct fan_test_path path = path_from(hops[i].address);

		(void)add(NR_12, (uint16_t)i, 5);
		cr_assert_eq(take(fan_test_status(frame, &path, 5, 950)), FAN_REFUSAL_NONE, "next hop %u", i);
	}
	close_tables();
}

Test(receipts, a_datagram_that_comes_late_or_twice_moves_nothing)
{
	uint32_t slot;

	open_tables(false);
	slot = add(EPS, 0, 5);
	cr_assert_eq(relay(0, 1000, FAN_RECEIPT_EPS_NAS, 5, 910), FAN_REFUSAL_NONE);
	cr_assert_eq(relay(0, 1000, FAN_RECEIPT_EPS_NAS, 5, 911), FAN_REFUSAL_REPEATED);
	cr_assert_eq(relay(0, 999, FAN_RECEIPT_EPS_NAS, 5, 911), FAN_REFUSAL_REPEATED);
	cr_assert_eq(gap(EPS, slot), 89);
	cr_assert_eq(relay(1, 1, FAN_RECEIPT_EPS_NAS, 5, 911), FAN_REFUSAL_UNKNOWN, "another sender has its own");
	cr_assert_eq(relay(0, UINT64_MAX, FAN_RECEIPT_EPS_NAS, 5, 911), FAN_REFUSAL_NONE);
	cr_assert_eq(relay(0, 1001, FAN_RECEIPT_EPS_NAS, 5, 912), FAN_REFUSAL_REPEATED);
	fan_receipts_change_hop(receipts, 0);
	cr_assert_eq(relay(0, 1, FAN_RECEIPT_EPS_NAS, 5, 912), FAN_REFUSAL_NONE);
	close_tables();
}

/* ---- Many -------------------------------------------------------------------------------------------------------------- */

static uint64_t random_state = 1;

static uint32_t
draw(uint32_t below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(random_state >> 33) % below;
}

/* Contexts come and go under few ids, so that many share one; a list that is searched from end to end says what must come out. */
Test(receipts, contexts_come_and_go, .timeout = 60)
{
	enum { AT_ONCE = 600, IDS = 400 };
	static struct {
		bool there;
		uint32_t id, slot;
		uint16_t hop;
	} list[AT_ONCE];

	open_tables(false);
	for (unsigned step = 0; step < 40000; step++) {
		const unsigned i = draw(AT_ONCE);
		const uint32_t id = 1 + draw(IDS), hop = draw(2);
		unsigned same = 0;

		if (list[i].there)
			drop(NR_12, list[i].slot);
		else
			list[i].slot = add(NR_12, list[i].hop = (uint16_t)draw(2), list[i].id = 1 + draw(IDS));
		list[i].there = !list[i].there;
		for (unsigned j = 0; j < AT_ONCE; j++)
			same += list[j].there && list[j].id == id && list[j].hop == hop;
		cr_assert_eq(status(hop, id, 1000),
			     same == 0   ? FAN_REFUSAL_UNKNOWN
			     : same == 1 ? FAN_REFUSAL_NEVER_SENT
					 : FAN_REFUSAL_AMBIGUOUS,
			     "step %u: %u of the id", step, same);
	}
	check_sums();
	close_tables();
}

/* Full datagrams, over the limits of every batch, while the table of words doubles several times. */
Test(receipts, every_context_is_found_among_many, .timeout = 30)
{
	enum { CONTEXTS = 300000 };
	static struct fan_receipt entries[FAN_RECEIPTS_A_FRAME];
	struct fan_receipt_octets burst = { .octets = frame };
	unsigned entry_count = 0;
	uint64_t sequence = 0;

	open_tables(false);
	for (uint32_t i = 0; i < CONTEXTS; i++) {
		cr_assert_eq(add(i % 2 == 0 ? EPS : LTE_12, 1, i / 2 * 251 + 1), i / 2);
		/* However full the table is, a search that finds nothing ends. */
		if (i < CONTEXTS / 4)
			cr_assert_eq(status(1, i + 1, 950), FAN_REFUSAL_UNKNOWN);
	}
	for (uint32_t i = 0; i < CONTEXTS; i++) {
		entries[entry_count++] = (struct fan_receipt){ .way = i % 2 == 0 ? FAN_RECEIPT_EPS_NAS : FAN_RECEIPT_BEARER,
							       .id = i / 2 * 251 + 1,
							       .number = 900 + i % 100 };
		if (entry_count == FAN_RECEIPTS_A_FRAME || i + 1 == CONTEXTS) {
			const struct fan_test_path path = path_from(hops[1].address);

			burst.octet_count = fan_test_relay(frame, &path, ++sequence, entries, entry_count);
			fan_receipts_take_burst(receipts, &burst, 1);
			entry_count = 0;
		}
	}
	check_sums();
	cr_assert_eq(figures.accepted, CONTEXTS);
	for (uint32_t i = 0; i < CONTEXTS; i++)
		cr_assert_eq(gap(i % 2 == 0 ? EPS : LTE_12, i / 2), 99 - i % 100, "context %u", i);
	close_tables();
}

/* What nobody provisioned costs nothing but its count. */
Test(receipts, a_flood_moves_nothing)
{
	static uint8_t frames[64][256];
	static struct fan_receipt_octets burst[64];
	uint32_t slot;

	open_tables(false);
	slot = add(NR_12, 0, 5);
	for (unsigned round = 0; round < 1000; round++) {
		for (unsigned i = 0; i < 64; i++) {
			const struct fan_test_path path = path_from(hops[draw(HOPS)].address);

			burst[i] = (struct fan_receipt_octets){ frames[i],
								fan_test_status(frame, &path, 6 + draw(1U << 20), draw(4096)) };
			memcpy(frames[i], frame, burst[i].octet_count);
			if (draw(2) == 0)
				frames[i][draw((uint32_t)burst[i].octet_count)] ^= 0x40;
		}
		fan_receipts_take_burst(receipts, burst, 64);
	}
	check_sums();
	cr_assert_eq(figures.frames, 64000);
	cr_assert_gt(figures.refused[FAN_REFUSAL_UNKNOWN], 30000);
	cr_assert_gt(figures.refused[FAN_REFUSAL_CHECKSUM], 10000);
	cr_assert_eq(gap(NR_12, slot), 100);
	cr_assert_eq(figures.accepted, 0);
	close_tables();
}

/* ---- Through an appliance ---------------------------------------------------------------------------------------------- */

static struct fan_receipt_figures
read_figures(const struct fanfare *fanfare)
{
	struct fan_receipt_figures now;

	fan_receipt_figures_init(&now);
	cr_assert_eq(fan_receipts(fanfare, &now), 0, "%s", fan_error_detail());
	return now;
}

static uint16_t
unacknowledged(const struct fanfare *fanfare, fan_context_id id)
{
	uint16_t count;

	cr_assert_eq(fan_ue_count(fanfare, NULL, NULL, &count, id), 0, "%s", fan_error_detail());
	return count;
}

/* Puts the frame into the ring behind the port, and has it received. */
static void
give_back(struct fanfare *fanfare, size_t frame_bytes)
{
	struct fan_egress *egress = &fanfare->dataplane->egress;
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(egress->frames);
	char *octets = mbuf != NULL ? rte_pktmbuf_append(mbuf, (uint16_t)frame_bytes) : NULL;

	cr_assert_not_null(octets);
	memcpy(octets, frame, frame_bytes);
	cr_assert_eq(fan_egress_send_burst(egress, 0, &mbuf, 1), 1);
	cr_assert_eq(fan_poll(fanfare), 0);
}

static void
send_some(struct fanfare *fanfare, struct fan_group *group, unsigned messages)
{
	struct fan_message message;

	fan_test_message(&message, "Stay indoors.", 13);
	for (unsigned i = 0; i < messages; i++)
		cr_assert_eq(fan_send(fanfare, NULL, group, &message, NULL, NULL), 0, "%s", fan_error_detail());
	while (fan_poll(fanfare) > 0)
		continue;
	/* What came back of these is nobody's. */
	cr_assert_eq(fan_poll(fanfare), 0);
}

static struct fan_test_path
path_to(const struct fanfare *fanfare, unsigned hop)
{
	const struct fan_next_hop next_hop = fan_test_hop(hop, fanfare->dataplane->link.ipv6);
	struct fan_test_path path = { .link = fanfare->dataplane->link };

	memcpy(path.sender, next_hop.address, path.link.ipv6 ? 16 : 4);
	return path;
}

static struct fan_group *
provision(struct fan_test_appliance *appliance, enum fan_kind kind, uint8_t integrity, enum fan_profile profile)
{
	const unsigned index = appliance->side->subscriber_count;
	struct fan_test_subscriber *subscriber = fan_test_subscribe(appliance->side, kind, 2, integrity);

	subscriber->ue.next_hop = 0;
	subscriber->ue.uplink_teid = kind >= FAN_KIND_NR_PDCP_12 ? 0x5000 + index : 0;
	fan_test_provision(appliance, subscriber);
	return fan_test_group(appliance, "valley@flood.example", index, 1, profile);
}

static void
check_end_to_end(bool ipv6)
{
	const struct fan_options options = { .receive_acknowledgements = true, .ipv6 = ipv6, .vlan = 7 };
	struct fan_test_appliance appliance;
	struct fan_test_side side;
	struct fan_receipt entries[3];
	struct fan_group *group;
	struct fan_test_path path;
	const struct fan_test_subscriber *ue;

	fan_test_side_open(&side, 4);
	fan_test_appliance_open(&appliance, &side, &options);
	(void)provision(&appliance, FAN_KIND_NR_PDCP_12, FAN_INTEGRITY_NONE, FAN_PROFILE_NR_PDCP_12);
	(void)provision(&appliance, FAN_KIND_LTE_PDCP_18, FAN_INTEGRITY_NONE, FAN_PROFILE_LTE_PDCP_18);
	(void)provision(&appliance, FAN_KIND_EPS_NAS, 2, FAN_PROFILE_EPS_NAS_NIDD);
	group = provision(&appliance, FAN_KIND_5GS_NAS, 2, FAN_PROFILE_5GS_NAS_CIOT);
	ue = side.subscribers;
	path = path_to(appliance.fanfare, 0);
	give_back(appliance.fanfare, fan_test_status(frame, &path, 0x5000, FAN_TEST_FIRST_COUNT + 1));
	cr_assert_eq(read_figures(appliance.fanfare).refused[FAN_REFUSAL_NEVER_SENT], 1);
	send_some(appliance.fanfare, group, 3);
	cr_assert_eq(read_figures(appliance.fanfare).refused[FAN_REFUSAL_NOT_OURS], 12, "our own frames are not for us");
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(unacknowledged(appliance.fanfare, ue[i].id), 3);
	give_back(appliance.fanfare, fan_test_status(frame, &path, 0x5000, FAN_TEST_FIRST_COUNT + 1));
	cr_assert_eq(unacknowledged(appliance.fanfare, ue[0].id), 1);
	entries[0] = (struct fan_receipt){ ue[1].ue.teid, FAN_TEST_FIRST_COUNT + 2, FAN_RECEIPT_BEARER };
	entries[1] = (struct fan_receipt){ ue[2].ue.mme_ue_id, FAN_TEST_FIRST_COUNT, FAN_RECEIPT_EPS_NAS };
	entries[2] = (struct fan_receipt){ ue[3].ue.mme_ue_id, FAN_TEST_FIRST_COUNT + 3, FAN_RECEIPT_5GS_NAS };
	give_back(appliance.fanfare, fan_test_relay(frame, &path, 1, entries, 3));
	cr_assert_eq(unacknowledged(appliance.fanfare, ue[1].id), 0);
	cr_assert_eq(unacknowledged(appliance.fanfare, ue[2].id), 2);
	cr_assert_eq(unacknowledged(appliance.fanfare, ue[3].id), 3, "it was not sent");
	cr_assert_eq(read_figures(appliance.fanfare).accepted, 3);
	cr_assert_eq(read_figures(appliance.fanfare).refused[FAN_REFUSAL_NEVER_SENT], 2);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

Test(receipts, what_is_acknowledged_over_ipv4_may_be_sent_again, .timeout = 60)
{
	check_end_to_end(false);
}

Test(receipts, what_is_acknowledged_over_ipv6_may_be_sent_again, .timeout = 60)
{
	check_end_to_end(true);
}

/* A UE that moves is acknowledged from its new place and from its old one no more; one that was removed from none. */
Test(receipts, a_ue_is_found_where_it_is, .timeout = 60)
{
	const struct fan_options options = { .receive_acknowledgements = true };
	struct fan_test_appliance appliance;
	struct fan_test_side side;
	struct fan_test_path old, new;
	struct fan_next_hop elsewhere = fan_test_hop(20, false);
	struct fan_group *group;
	struct fan_ue moved;
	fan_context_id id;
	uint32_t next_count;
	uint16_t left;

	fan_test_side_open(&side, 1);
	fan_test_appliance_open(&appliance, &side, &options);
	group = provision(&appliance, FAN_KIND_NR_PDCP_18, FAN_INTEGRITY_NONE, FAN_PROFILE_NR_PDCP_18);
	id = side.subscribers[0].id;
	old = path_to(appliance.fanfare, 0);
	new = path_to(appliance.fanfare, 1);
	send_some(appliance.fanfare, group, 5);
	moved = side.subscribers[0].ue;
	moved.next_hop = 1;
	moved.uplink_teid = 0x6000;
	cr_assert_eq(fan_ue_move(appliance.fanfare, id, &moved), 0, "%s", fan_error_detail());
	give_back(appliance.fanfare, fan_test_status(frame, &old, 0x5000, FAN_TEST_FIRST_COUNT));
	give_back(appliance.fanfare, fan_test_status(frame, &old, 0x6000, FAN_TEST_FIRST_COUNT));
	give_back(appliance.fanfare, fan_test_status(frame, &new, 0x5000, FAN_TEST_FIRST_COUNT));
	cr_assert_eq(read_figures(appliance.fanfare).refused[FAN_REFUSAL_UNKNOWN], 3);
	cr_assert_eq(unacknowledged(appliance.fanfare, id), 5);
	give_back(appliance.fanfare, fan_test_status(frame, &new, 0x6000, FAN_TEST_FIRST_COUNT));
	cr_assert_eq(unacknowledged(appliance.fanfare, id), 4);
	moved.kind = FAN_KIND_NR_PDCP_12;
	cr_assert_eq(fan_ue_move(appliance.fanfare, id, &moved), FAN_E_INVALID);
	/* The next hop has another address. */
	cr_assert_eq(fan_next_hop_change(appliance.fanfare, 1, &elsewhere), 0, "%s", fan_error_detail());
	give_back(appliance.fanfare, fan_test_status(frame, &new, 0x6000, FAN_TEST_FIRST_COUNT + 1));
	cr_assert_eq(read_figures(appliance.fanfare).refused[FAN_REFUSAL_SENDER], 1);
	memcpy(new.sender, elsewhere.address, 4);
	give_back(appliance.fanfare, fan_test_status(frame, &new, 0x6000, FAN_TEST_FIRST_COUNT + 1));
	cr_assert_eq(unacknowledged(appliance.fanfare, id), 3);
	cr_assert_eq(fan_ue_remove(appliance.fanfare, &next_count, &left, id), 0);
	cr_assert_eq(left, 3);
	give_back(appliance.fanfare, fan_test_status(frame, &new, 0x6000, FAN_TEST_FIRST_COUNT + 2));
	cr_assert_eq(read_figures(appliance.fanfare).refused[FAN_REFUSAL_UNKNOWN], 4);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

/* A UE that comes back to its old place is there once, and the place of one that was removed is free for another. */
Test(receipts, a_place_is_taken_again, .timeout = 60)
{
	const struct fan_options options = { .receive_acknowledgements = true };
	struct fan_test_appliance appliance;
	struct fan_test_side side;
	struct fan_test_path path;
	struct fan_ue moved;
	uint32_t next_count;
	uint16_t left;

	fan_test_side_open(&side, 2);
	fan_test_appliance_open(&appliance, &side, &options);
	send_some(appliance.fanfare, provision(&appliance, FAN_KIND_NR_PDCP_12, FAN_INTEGRITY_NONE, FAN_PROFILE_NR_PDCP_12), 3);
	path = path_to(appliance.fanfare, 0);
	moved = side.subscribers[0].ue;
	moved.next_hop = 1;
	cr_assert_eq(fan_ue_move(appliance.fanfare, side.subscribers[0].id, &moved), 0, "%s", fan_error_detail());
	moved.next_hop = 0;
	cr_assert_eq(fan_ue_move(appliance.fanfare, side.subscribers[0].id, &moved), 0, "%s", fan_error_detail());
	give_back(appliance.fanfare, fan_test_status(frame, &path, 0x5000, FAN_TEST_FIRST_COUNT));
	cr_assert_eq(unacknowledged(appliance.fanfare, side.subscribers[0].id), 2);
	cr_assert_eq(fan_ue_remove(appliance.fanfare, &next_count, &left, side.subscribers[0].id), 0);
	fan_test_subscribe(&side, FAN_KIND_NR_PDCP_12, 2, FAN_INTEGRITY_NONE)->ue.uplink_teid = 0x5000;
	side.subscribers[1].ue.next_hop = 0;
	side.subscribers[1].ue.unacknowledged = 3;
	fan_test_provision(&appliance, &side.subscribers[1]);
	give_back(appliance.fanfare, fan_test_status(frame, &path, 0x5000, FAN_TEST_FIRST_COUNT - 3));
	cr_assert_eq(unacknowledged(appliance.fanfare, side.subscribers[1].id), 2);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

/* Its window is used up, and nothing is sent, until the base station reports. */
Test(receipts, a_full_window_opens, .timeout = 60)
{
	const struct fan_options options = { .receive_acknowledgements = true };
	struct fan_test_appliance appliance;
	struct fan_test_side side;
	struct fan_test_path path;
	struct fan_group *group;
	fan_context_id id;

	fan_test_side_open(&side, 1);
	fan_test_appliance_open(&appliance, &side, &options);
	group = provision(&appliance, FAN_KIND_NR_PDCP_12, FAN_INTEGRITY_NONE, FAN_PROFILE_NR_PDCP_12);
	id = side.subscribers[0].id;
	path = path_to(appliance.fanfare, 0);
	for (unsigned i = 0; i < 41; i++)
		send_some(appliance.fanfare, group, 40);
	cr_assert_eq(unacknowledged(appliance.fanfare, id), 1600);
	give_back(appliance.fanfare, fan_test_status(frame, &path, 0x5000, FAN_TEST_FIRST_COUNT + 1599));
	cr_assert_eq(unacknowledged(appliance.fanfare, id), 0);
	send_some(appliance.fanfare, group, 40);
	cr_assert_eq(unacknowledged(appliance.fanfare, id), 40);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
}

/* A port that reads a file again and again: the same frame is refused before its SN was sent, and taken behind it. The driver forgets
 * handles of libpcap, which a search for leaks would lay at our door. */
Test(receipts, frames_of_a_file_are_received, .timeout = 60)
{
	static const struct fan_test_path path = { .link = { .ethernet = { 2, 0, 0, 0, 0, 9 }, .address = { 192, 0, 2, 1 } },
						   .sender = { 198, 51, 100, 7 } };
	char in[] = "/tmp/fan_receipts_XXXXXX", out[] = "/tmp/fan_receipts_XXXXXX", egress[128];
	struct fan_options options = { .egress = egress, .receive_acknowledgements = true };
	struct fan_test_appliance appliance;
	struct fan_test_side side;
	struct pcap_pkthdr header = { .caplen = 0 };
	pcap_t *format;
	pcap_dumper_t *dump;
	struct fan_group *group;

	if (FAN_TEST_UNDER_ASAN)
		cr_skip_test("net_pcap leaks memory, and AddressSanitizer looks for leaks");
	close(mkstemp(in));
	close(mkstemp(out));
	format = pcap_open_dead(DLT_EN10MB, 65535);
	dump = pcap_dump_open(format, in);
	cr_assert_not_null(dump);
	header.len = header.caplen = (bpf_u_int32)fan_test_status(frame, &path, 0x5000, FAN_TEST_FIRST_COUNT + 1);
	pcap_dump((u_char *)dump, &header, frame);
	pcap_dump_close(dump);
	pcap_close(format);
	snprintf(egress, sizeof(egress), "net_pcap0,rx_pcap=%s,tx_pcap=%s,infinite_rx=1", in, out);
	memcpy(options.source_address, path.link.address, 4);
	memcpy(options.source_ethernet, path.link.ethernet, 6);
	fan_test_side_open(&side, 1);
	fan_test_appliance_open(&appliance, &side, &options);
	group = provision(&appliance, FAN_KIND_NR_PDCP_12, FAN_INTEGRITY_NONE, FAN_PROFILE_NR_PDCP_12);
	cr_assert_eq(fan_poll(appliance.fanfare), 0);
	cr_assert_gt(read_figures(appliance.fanfare).refused[FAN_REFUSAL_NEVER_SENT], 0);
	cr_assert_eq(read_figures(appliance.fanfare).accepted, 0);
	send_some(appliance.fanfare, group, 3);
	cr_assert_eq(unacknowledged(appliance.fanfare, side.subscribers[0].id), 1);
	cr_assert_eq(read_figures(appliance.fanfare).accepted, 1);
	cr_assert_gt(read_figures(appliance.fanfare).refused[FAN_REFUSAL_NOTHING_NEW], 0);
	fan_test_appliance_close(&appliance);
	fan_test_side_close(&side);
	unlink(in);
	unlink(out);
}

Test(receipts, a_port_must_receive, .timeout = 60)
{
	struct fan_options options = { .struct_bytes = sizeof(options),
				       .egress = "net_null",
				       .receive_acknowledgements = true };
	struct fan_receipt_figures old = { .struct_bytes = 8 };
	struct fanfare *fanfare;

	cr_assert_eq(fan_open(&fanfare, &options), FAN_E_UNSUPPORTED);
	cr_assert_not_null(strstr(fan_error_detail(), "does not receive"), "%s", fan_error_detail());
	cr_assert_null(fanfare);
	options.egress = "net_ring";
	options.acknowledgement_port = 2152;
	cr_assert_eq(fan_open(&fanfare, &options), FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "2152"), "%s", fan_error_detail());
	options.receive_acknowledgements = false;
	cr_assert_eq(fan_open(&fanfare, &options), 0, "%s", fan_error_detail());
	cr_assert_eq(read_figures(fanfare).frames, 0);
	cr_assert_eq(fan_receipts(fanfare, &old), FAN_E_INVALID);
	cr_assert_eq(fan_close(fanfare), 0);
}
