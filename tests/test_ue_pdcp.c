/* SPDX-License-Identifier: BSD-3-Clause */
/* COUNT of bearers against the clauses as they are written, and the limits of a jump; headers and SDAP. */
#include "../ue/pdcp.h"

#include <criterion/criterion.h>
#include <string.h>

/* TS 36.323 5.1.2.1.2 case by case, for a receiver to which nothing is missing. Out: *count. False: discarded. */
static bool
follow_lte_clause(int64_t *count, int64_t next, int64_t sn, unsigned sn_bits)
{
	int64_t space = (int64_t)1 << sn_bits, window = space / 2;
	int64_t next_sn = next % space, hfn = next / space, last = (next_sn + space - 1) % space;

	if (sn - last > window || (0 <= last - sn && last - sn < window))
		return false;
	if (next_sn - sn > window)
		hfn = hfn + 1;
	else if (sn - next_sn >= window)
		hfn = hfn - 1;
	*count = hfn * space + sn;
	return true;
}

Test(ue_pdcp, lte_estimate_is_the_clause)
{
	static const uint64_t nexts[] = { 0, 1, 2047, 2048, 2049, 4094, 4095, 4096, 4097, 0xfa557b26, 0x12345 };

	for (size_t i = 0; i < sizeof(nexts) / sizeof(nexts[0]); i++) {
		for (uint32_t sn = 0; sn < 4096; sn++) {
			int64_t count = -1;
			bool taken = follow_lte_clause(&count, (int64_t)nexts[i], sn, 12);

			cr_expect_eq(fan_ue_pdcp_estimate_lte(nexts[i], sn, 12), taken ? count : -1, "next %lu SN %u",
				     (unsigned long)nexts[i], sn);
		}
		for (uint32_t sn = 0; sn < 1u << 18; sn += 17) {
			int64_t count = -1;
			bool taken = follow_lte_clause(&count, (int64_t)nexts[i], sn, 18);

			cr_expect_eq(fan_ue_pdcp_estimate_lte(nexts[i], sn, 18), taken ? count : -1);
		}
	}
}

/* A jump from the next COUNT that is still told right, and the first one that is not. */
static const struct {
	unsigned sn_bits;
	uint64_t furthest;
} limits[] = { { 12, 2047 }, { 18, 131071 } };

Test(ue_pdcp, limits)
{
	static const uint64_t nexts[] = { 0, 1, 4095, 4096, 262143, 262144, 0x12345678 };

	for (size_t l = 0; l < 2; l++) {
		uint32_t mask = (1u << limits[l].sn_bits) - 1;
		unsigned sn_bits = limits[l].sn_bits;

		for (size_t i = 0; i < sizeof(nexts) / sizeof(nexts[0]); i++) {
			uint64_t next = nexts[i], far = next + limits[l].furthest;

			cr_expect_eq(fan_ue_pdcp_estimate_lte(next, (uint32_t)far & mask, sn_bits), (int64_t)far);
			cr_expect_eq(fan_ue_pdcp_estimate_nr(next, (uint32_t)far & mask, sn_bits), (int64_t)far);
			far++;
			cr_expect_eq(fan_ue_pdcp_estimate_lte(next, (uint32_t)far & mask, sn_bits), -1);
			cr_expect_eq(fan_ue_pdcp_estimate_nr(next, (uint32_t)far & mask, sn_bits), (int64_t)far - mask - 1);
		}
	}
}

/* TS 38.323: right for every COUNT from RX_DELIV - W to RX_DELIV + W - 1. */
Test(ue_pdcp, nr_estimate_in_both_directions)
{
	for (int64_t next = 3000; next < 13000; next += 7)
		for (int64_t count = next - 2048; count < next + 2048; count += 3)
			cr_assert_eq(fan_ue_pdcp_estimate_nr((uint64_t)next, (uint32_t)count & 0xfff, 12), count);
}

/* The last COUNT of all is told, the one after it is none. */
Test(ue_pdcp, end_of_count)
{
	cr_expect_eq(fan_ue_pdcp_estimate_lte(0xffffffff, 0xfff, 12), 0xffffffff);
	cr_expect_eq(fan_ue_pdcp_estimate_lte(0xffffffff, 0, 12), -1);
	cr_expect_eq(fan_ue_pdcp_estimate_lte((uint64_t)1 << 32, 0, 12), -1);
	cr_expect_eq(fan_ue_pdcp_estimate_nr(0xffffffff, 0xfff, 12), 0xffffffff);
	cr_expect_eq(fan_ue_pdcp_estimate_nr(0xffffffff, 0, 12), (int64_t)1 << 32);
	cr_expect_eq(fan_ue_pdcp_estimate_nr(0, 3000, 12), 3000 - 4096);
}

static const struct header_row {
	const char *name;
	uint8_t kind, integrity;
	bool sdap;
	uint8_t pdu[12];
	size_t pdu_bytes;
	enum fan_ue_verdict verdict;
	int16_t qfi;
	size_t data_bytes;
} header_rows[] = {
	{ "LTE 12", FAN_KIND_LTE_PDCP_12, FAN_INTEGRITY_NONE, false, { 0x80, 5, 1 }, 3, FAN_UE_ACCEPTED, -1, 1 },
	{ "LTE 12, control", FAN_KIND_LTE_PDCP_12, FAN_INTEGRITY_NONE, false, { 0x00, 5, 1 }, 3, FAN_UE_MALFORMED_PDU, 0, 0 },
	{ "LTE 12, reserved", FAN_KIND_LTE_PDCP_12, FAN_INTEGRITY_NONE, false, { 0x90, 5, 1 }, 3, FAN_UE_MALFORMED_PDU, 0, 0 },
	{ "LTE 12, no data", FAN_KIND_LTE_PDCP_12, FAN_INTEGRITY_NONE, false, { 0x80, 5 }, 2, FAN_UE_MALFORMED_PDU, 0, 0 },
	{ "LTE 12 knows no SDAP", FAN_KIND_LTE_PDCP_12, FAN_INTEGRITY_NONE, true, { 0x80, 5, 9 }, 3, FAN_UE_ACCEPTED, -1, 1 },
	{ "LTE 18", FAN_KIND_LTE_PDCP_18, FAN_INTEGRITY_NONE, false, { 0x80, 0, 5, 1, 2 }, 5, FAN_UE_ACCEPTED, -1, 2 },
	{ "LTE 18, reserved",
	  FAN_KIND_LTE_PDCP_18,
	  FAN_INTEGRITY_NONE,
	  false,
	  { 0x84, 0, 5, 1 },
	  4,
	  FAN_UE_MALFORMED_PDU,
	  0,
	  0 },
	{ "LTE 18, no data", FAN_KIND_LTE_PDCP_18, FAN_INTEGRITY_NONE, false, { 0x80, 0, 5 }, 3, FAN_UE_MALFORMED_PDU, 0, 0 },
	{ "NR 12", FAN_KIND_NR_PDCP_12, FAN_INTEGRITY_NONE, false, { 0x80, 5, 1, 2 }, 4, FAN_UE_ACCEPTED, -1, 2 },
	{ "NR 12, null MAC-I", FAN_KIND_NR_PDCP_12, 0, false, { 0x80, 5, 1 }, 7, FAN_UE_ACCEPTED, -1, 1 },
	{ "NR 12, null MAC-I not zero", FAN_KIND_NR_PDCP_12, 0, false, { 0x80, 5, 1, 0, 0, 0, 1 }, 7, FAN_UE_BAD_MAC, 0, 0 },
	{ "NR 12, MAC-I and no data", FAN_KIND_NR_PDCP_12, 0, false, { 0x80, 5 }, 6, FAN_UE_MALFORMED_PDU, 0, 0 },
	{ "NR 12, SDAP", FAN_KIND_NR_PDCP_12, FAN_INTEGRITY_NONE, true, { 0x80, 5, 0xc9, 2 }, 4, FAN_UE_ACCEPTED, 9, 1 },
	{ "NR 12, SDAP, no data",
	  FAN_KIND_NR_PDCP_12,
	  FAN_INTEGRITY_NONE,
	  true,
	  { 0x80, 5, 0xc9 },
	  3,
	  FAN_UE_MALFORMED_PDU,
	  0,
	  0 },
	{ "NR 12, old", FAN_KIND_NR_PDCP_12, FAN_INTEGRITY_NONE, false, { 0x80, 4, 1 }, 3, FAN_UE_REPLAY, 0, 0 },
	{ "NR 12, below zero", FAN_KIND_NR_PDCP_12, FAN_INTEGRITY_NONE, false, { 0x8f, 0, 1 }, 3, FAN_UE_REPLAY, 0, 0 },
	{ "NR 12, below zero, MAC-I", FAN_KIND_NR_PDCP_12, 0, false, { 0x8f, 0, 1 }, 7, FAN_UE_BAD_MAC, 0, 0 },
	{ "NR 18", FAN_KIND_NR_PDCP_18, FAN_INTEGRITY_NONE, false, { 0x80, 0, 5, 1, 2 }, 5, FAN_UE_ACCEPTED, -1, 2 },
	{ "NR 18, SDAP, null MAC-I", FAN_KIND_NR_PDCP_18, 0, true, { 0x80, 0, 6, 0x3f, 1, 2 }, 10, FAN_UE_ACCEPTED, 0x3f, 2 },
	{ "NR 18, lowest reserved", FAN_KIND_NR_PDCP_18, 0, false, { 0x84, 0, 5, 1 }, 8, FAN_UE_MALFORMED_PDU, 0, 0 },
	{ "NR 18, highest reserved", FAN_KIND_NR_PDCP_18, 0, false, { 0xc0, 0, 5, 1 }, 8, FAN_UE_MALFORMED_PDU, 0, 0 },
	{ "nothing", FAN_KIND_NR_PDCP_18, FAN_INTEGRITY_NONE, false, { 0 }, 0, FAN_UE_MALFORMED_PDU, 0, 0 },
};

Test(ue_pdcp, headers)
{
	struct fan_ue_cipher *cipher = fan_ue_cipher_open();
	uint8_t buffer[12];

	for (size_t i = 0; i < sizeof(header_rows) / sizeof(header_rows[0]); i++) {
		const struct header_row *row = &header_rows[i];
		struct fan_ue_subscriber subscriber = { .kind = row->kind, .integrity = row->integrity, .sdap = row->sdap };
		struct fan_ue_pdcp pdcp;
		enum fan_ue_verdict verdict = fan_ue_pdcp_receive(cipher, &pdcp, buffer, &subscriber, 5, row->pdu,
								  row->pdu_bytes);

		cr_expect_eq(verdict, row->verdict, "%s: %s", row->name, fan_ue_verdict_name(verdict));
		if (verdict != FAN_UE_ACCEPTED)
			continue;
		cr_expect_eq(pdcp.sdap_qfi, row->qfi, "%s", row->name);
		cr_expect_eq(pdcp.data_bytes, row->data_bytes, "%s", row->name);
		cr_expect_eq(pdcp.count,
			     row->pdu[row->kind == FAN_KIND_LTE_PDCP_18 || row->kind == FAN_KIND_NR_PDCP_18 ? 2 : 1]);
	}
	fan_ue_cipher_close(cipher);
}
