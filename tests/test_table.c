/* SPDX-License-Identifier: BSD-3-Clause */
#include "../dataplane/context/count.h"
#include "../dataplane/context/table.h"
#include "residue.h"
#include "sanitizers.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint8_t *watched;
static size_t octets_left_behind;

/* Takes the place of the library's in this program: looks at memory in the moment it is given back. */
int
munmap(void *memory, size_t byte_count)
{
	if (memory == watched && watched != NULL)
		for (size_t i = 0; i < 4096; i++)
			octets_left_behind += watched[i] != 0;
	return (int)syscall(SYS_munmap, memory, byte_count);
}

static struct fan_protection
protection(unsigned kind, unsigned cipher, unsigned integrity)
{
	const bool nas = kind == FAN_KIND_EPS_NAS || kind == FAN_KIND_5GS_NAS;

	return (struct fan_protection){ (uint8_t)kind, (uint8_t)cipher, (uint8_t)integrity, nas ? 5 : 0 };
}

static struct fan_ue
make_ue(enum fan_kind kind)
{
	struct fan_ue ue = {
		.struct_bytes = sizeof(struct fan_ue),
		.kind = kind,
		.cipher = 2,
		.integrity = kind == FAN_KIND_LTE_PDCP_12 || kind == FAN_KIND_LTE_PDCP_18 ? FAN_INTEGRITY_NONE : 2,
		.count = 0x010203,
		.count_reserved = 0x040506,
		.bearer = kind == FAN_KIND_EPS_NAS   ? 0
			  : kind == FAN_KIND_5GS_NAS ? 1
						     : 19,
		.next_hop = 0x0708,
		.ue = 0x090a0b0c,
		.teid = 0x0d0e0f10,
		.ipv4 = { 0x11, 0x12, 0x13, 0x14 },
		.nru_sn = 0x151617,
		.mme_ue_id = 0x18191a1b,
		.ran_ue_id = 0x1c1d1e,
		.bearer_id = 5,
		.transaction = 6,
		.rp_reference = 0xff,
	};

	memset(ue.k_enc, 0xee, sizeof(ue.k_enc));
	memset(ue.k_int, 0xdd, sizeof(ue.k_int));
	return ue;
}

static struct fan_context_table
make_table(const struct fan_ue *ue, size_t capacity)
{
	struct fan_context_table table;

	cr_assert_eq(fan_context_table_init(&table, protection(ue->kind, ue->cipher, ue->integrity), capacity), 0, "%s",
		     fan_error_detail());
	return table;
}

/* The card and the engines read these octets: offsets in hex, little-endian integers. */
Test(table, a_context_is_one_cache_line_laid_out_as_the_card_reads_it)
{
	static const struct {
		enum fan_kind kind;
		uint64_t mme_ue_id;
		const char *tail; /* octets 32..63 */
	} rows[] = {
		{ FAN_KIND_EPS_NAS, 0x18191a1b,
		  "03020100"
		  "06050400"
		  "0c0b0a09"
		  "0807"
		  "04"
		  "01"
		  "1b1a1918"
		  "1e1d1c00"
		  "00"
		  "05"
		  "06"
		  "ff"
		  "0302"
		  "0003" },
		{ FAN_KIND_5GS_NAS, 0xab18191a1b,
		  "03020100"
		  "06050400"
		  "0c0b0a09"
		  "0807"
		  "0c"
		  "01"
		  "1b1a1918"
		  "1e1d1c00"
		  "ab"
		  "05"
		  "06"
		  "ff"
		  "0302"
		  "0003" },
		{ FAN_KIND_NR_PDCP_18, 0,
		  "03020100"
		  "06050400"
		  "0c0b0a09"
		  "0807"
		  "9c"
		  "01"
		  "100f0e0d"
		  "11121314"
		  "17161500"
		  "0302"
		  "0003" },
	};

	cr_assert_eq(sizeof(struct fan_context), 64);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_ue ue = make_ue(rows[i].kind);
		struct fan_context_table table = make_table(&ue, 1);
		const uint8_t *octets;
		char hex[65];

		ue.mme_ue_id = rows[i].mme_ue_id;
		cr_assert_eq(fan_context_add(&table, &ue), 0, "%s", fan_error_detail());
		octets = (const uint8_t *)table.slots;
		cr_assert_eq((uintptr_t)octets % 64, 0);
		cr_assert(memcmp(octets, ue.k_enc, 16) == 0 && memcmp(octets + 16, ue.k_int, 16) == 0);
		for (unsigned j = 0; j < 32; j++)
			snprintf(hex + 2 * j, 3, "%02x", octets[32 + j]);
		cr_assert_str_eq(hex, rows[i].tail);
		fan_context_table_free(&table);
	}
}

Test(table, slots_are_reused_and_wiped)
{
	static const uint8_t zero[FAN_KEY_BYTES];
	struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS);
	struct fan_context_table table = make_table(&ue, 4);
	const struct fan_context *slots = table.slots;

	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(fan_context_add(&table, &ue), i);
	cr_assert_eq(fan_context_add(&table, &ue), FAN_E_MEMORY);
	cr_assert_not_null(strstr(fan_error_detail(), "4 contexts"), "%s", fan_error_detail());
	fan_context_remove(&table, 1);
	fan_context_remove(&table, 3);
	cr_assert_eq(table.present, 2);
	for (unsigned i = 1; i < 4; i += 2) {
		cr_assert_not(fan_context_present(&table, i));
		cr_assert(memcmp(slots[i].k_enc, zero, 16) == 0 && memcmp(slots[i].k_int, zero, 16) == 0,
			  "keys are left in slot %u", i);
		cr_assert(slots[i].count == 0 && slots[i].count_reserved == 0 && slots[i].flags == 0 && slots[i].awaited == 0);
		cr_assert(slots[i].nas.mme_ue_id_low == 0 && slots[i].nas.ran_ue_id == 0);
	}
	cr_assert(fan_context_present(&table, 0) && fan_context_present(&table, 2));
	cr_assert_not(fan_context_present(&table, 4));
	cr_assert_not(fan_context_present(&table, UINT32_MAX));
	/* Both come back, each once, and what stood there before does not shine through. */
	ue.ue = 77;
	ue.count = 5;
	{
		const int64_t a = fan_context_add(&table, &ue), b = fan_context_add(&table, &ue);

		cr_assert((a == 1 && b == 3) || (a == 3 && b == 1));
		cr_assert(slots[a].ue == 77 && slots[a].count == 5 && fan_count_gap(&slots[a]) == 0 &&
			  slots[a].flags == FAN_CONTEXT_PRESENT);
	}
	cr_assert_eq(fan_context_add(&table, &ue), FAN_E_MEMORY);
	cr_assert_eq(table.present, 4);
	fan_context_table_free(&table);
	fan_context_table_free(&table);
	cr_assert_null(table.slots);
}

/* Slots that hold nobody are given out, each once, the lowest of the last gap first, and those behind the last after them. */
Test(table, contexts_come_back_to_their_slots)
{
	static const uint32_t places[] = { 2, 3, 7, FAN_CONTEXT_STEP + 1 };
	struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS);
	struct fan_context_table table = make_table(&ue, 2 * FAN_CONTEXT_STEP);
	struct fan_fingerprints keys = { 0 };
	static bool used[2 * FAN_CONTEXT_STEP];

	ue.count = ue.count_reserved + 1; /* it is nobody's business here */
	for (unsigned i = 0; i < 4; i++) {
		ue.k_enc[0] = ue.k_int[0] = (uint8_t)i;
		cr_assert_eq(fan_context_restore(&table, &keys, places[i], &ue), 0, "%s", fan_error_detail());
		cr_assert(fan_context_present(&table, places[i]) && table.slots[places[i]].k_enc[0] == i);
		cr_assert_eq(fan_context_restore(&table, &keys, places[i] + 1, &ue), FAN_E_EXISTS, "its key is in use");
		used[places[i]] = true;
	}
	ue.k_enc[0] = ue.k_int[0] = 99;
	cr_assert_eq(fan_context_restore(&table, &keys, 7, &ue), FAN_E_INVALID, "taken, or passed");
	cr_assert_eq(fan_context_restore(&table, &keys, 2 * FAN_CONTEXT_STEP, &ue), FAN_E_INVALID, "beyond the last");
	ue.transaction = 7;
	cr_assert_eq(fan_context_restore(&table, &keys, FAN_CONTEXT_STEP + 9, &ue), FAN_E_INVALID, "fields are checked");
	ue.transaction = 0;
	cr_assert(table.present == 4 && table.used == FAN_CONTEXT_STEP + 2);
	cr_assert_eq(fan_context_add(&table, &ue), FAN_E_INVALID, "COUNT is checked where it is told");
	ue.count = 0;
	for (unsigned i = 4; i < 2 * FAN_CONTEXT_STEP; i++) {
		const int64_t slot = fan_context_add(&table, &ue);

		cr_assert(slot >= 0 && !used[slot], "%ld", slot);
		cr_assert(i > 4 || slot == 8);
		used[slot] = true;
	}
	cr_assert_eq(fan_context_add(&table, &ue), FAN_E_MEMORY);
	fan_context_table_free(&table);
	fan_fingerprints_free(&keys);
}

/* What a context tells makes the same context again. */
Test(table, a_context_over_sgi_has_an_address_and_nothing_else)
{
	static const struct {
		const char *says;
		size_t at;
		uint8_t bad; /* put into one octet */
	} rows[] = {
		{ "a key for sgi-ip", offsetof(struct fan_ue, k_enc) + 15, 1 },
		{ "a key for sgi-ip", offsetof(struct fan_ue, k_int), 0x80 },
		{ "COUNT 1", offsetof(struct fan_ue, count), 1 },
		{ "1 unacknowledged", offsetof(struct fan_ue, unacknowledged), 1 },
		{ "BEARER 3", offsetof(struct fan_ue, bearer), 3 },
		{ "NR-U SN 7", offsetof(struct fan_ue, nru_sn), 7 },
		{ "TEID 5,", offsetof(struct fan_ue, teid), 5 },
		{ "uplink TEID 6", offsetof(struct fan_ue, uplink_teid), 6 },
		{ "0.1.2.3: sgi-ip takes a unicast address", offsetof(struct fan_ue, ipv4), 0 },
		{ "127.1.2.3", offsetof(struct fan_ue, ipv4), 127 },
		{ "224.1.2.3", offsetof(struct fan_ue, ipv4), 224 },
		{ "255.1.2.3", offsetof(struct fan_ue, ipv4), 255 },
	};
	struct fan_ue good, told;
	struct fan_context_table table;

	fan_ue_init(&good, FAN_KIND_SGI);
	good.integrity = FAN_INTEGRITY_NONE;
	memcpy(good.ipv4, "\x0a\1\2\3", 4);
	table = make_table(&good, 4);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_ue ue = good;

		((uint8_t *)&ue)[rows[i].at] = rows[i].bad;
		cr_assert_eq(fan_context_add(&table, &ue), FAN_E_INVALID, "row %zu is accepted", i);
		cr_assert_not_null(strstr(fan_error_detail(), rows[i].says), "row %zu: %s", i, fan_error_detail());
		cr_assert(table.used == 0 && table.present == 0);
	}
	cr_assert_eq(fan_context_add(&table, &good), 0, "%s", fan_error_detail());
	good.ipv4[0] = 223;
	cr_assert_eq(fan_context_move(&table, 0, &good), 0, "%s", fan_error_detail());
	fan_context_tell(&table, &told, 0);
	cr_assert(told.ipv4[0] == 223 && told.count == 0 && told.unacknowledged == 0 && told.teid == 0);
	cr_assert_eq(fan_context_add(&table, &told), 1, "%s", fan_error_detail());
	cr_assert_eq(memcmp(&table.slots[0], &table.slots[1], sizeof(table.slots[0])), 0);
	good.ipv4[0] = 239;
	cr_assert_eq(fan_context_move(&table, 0, &good), FAN_E_INVALID);
	cr_assert_eq(table.slots[0].drb.ipv4[0], 223);
	fan_context_table_free(&table);
}

/* Keys that are none are no keys in use: many contexts have none. */
Test(table, contexts_over_sgi_do_not_share_a_key)
{
	struct fan_fingerprints keys = { .link = NULL };
	struct fan_context_table table;
	struct fan_ue ue;

	fan_ue_init(&ue, FAN_KIND_SGI);
	ue.integrity = FAN_INTEGRITY_NONE;
	memcpy(ue.ipv4, "\x0a\1\2\3", 4);
	table = make_table(&ue, 4);
	cr_assert_eq(fan_context_add_once(&table, &keys, &ue), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_context_add_once(&table, &keys, &ue), 1, "%s", fan_error_detail());
	fan_context_table_free(&table);
	fan_fingerprints_free(&keys);
}

Test(table, a_context_tells_what_it_was_added_with)
{
	for (unsigned kind = 0; kind < FAN_KIND_SGI; kind++) {
		struct fan_ue ue = make_ue(kind), told;
		struct fan_context_table table = make_table(&ue, 2);

		ue.unacknowledged = 3;
		ue.transactions_open = fan_kind_is_nas(kind) ? 2 : 0;
		ue.mme_ue_id |= kind == FAN_KIND_5GS_NAS ? UINT64_C(0xab) << 32 : 0;
		ue.next_hop = 700;
		ue.ue = 4711;
		memset(ue.k_int, 5, sizeof(ue.k_int));
		cr_assert_eq(fan_context_add(&table, &ue), 0, "%s", fan_error_detail());
		fan_context_tell(&table, &told, 0);
		cr_assert(told.struct_bytes == sizeof(told) && told.kind == ue.kind && told.cipher == ue.cipher &&
			  told.integrity == ue.integrity && told.unacknowledged == 3);
		cr_assert_eq(fan_context_add(&table, &told), 1, "%s", fan_error_detail());
		cr_assert_eq(memcmp(&table.slots[0], &table.slots[1], sizeof(table.slots[0])), 0, "kind %u", kind);
		fan_context_table_free(&table);
	}
}

Test(table, a_context_that_was_retired_is_recalled_as_it_was)
{
	struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS);
	struct fan_context_table table = make_table(&ue, 4);

	cr_assert_eq(fan_context_add(&table, &ue), 0);
	fan_context_retire(&table, 0);
	cr_assert(!fan_context_present(&table, 0) && table.present == 0);
	fan_context_recall(&table, 0, FAN_CONTEXT_PRESENT | FAN_CONTEXT_UNREACHABLE);
	cr_assert(fan_context_present(&table, 0) && table.present == 1);
	cr_assert_eq(table.slots[0].flags, FAN_CONTEXT_PRESENT | FAN_CONTEXT_UNREACHABLE);
	fan_context_table_free(&table);
}

/* Every field outside its range is refused by name, the value at the edge is taken. */
Test(table, fields_are_checked_against_their_ranges)
{
#define FIELD(kind, field, good, bad, name, limit)                                                                             \
	{                                                                                                                      \
		kind, offsetof(struct fan_ue, field), sizeof(((struct fan_ue *)0)->field), good, bad, name, limit              \
	}
	static const struct {
		enum fan_kind kind;
		size_t at, byte_count;
		uint64_t good, bad;
		const char *name, *limit; /* both stand in the refusal */
	} rows[] = {
		FIELD(FAN_KIND_NR_PDCP_12, bearer, 31, 32, "BEARER 32", "31"),
		FIELD(FAN_KIND_EPS_NAS, bearer, 0, 1, "BEARER 1", "always 0"),
		FIELD(FAN_KIND_5GS_NAS, bearer, 1, 0, "BEARER 0", "1 (3GPP access) or 2"),
		FIELD(FAN_KIND_5GS_NAS, bearer, 2, 3, "BEARER 3", "1 (3GPP access) or 2"),
		FIELD(FAN_KIND_EPS_NAS, mme_ue_id, 0xffffffff, 0x100000000, "MME-UE-S1AP-ID 4294967296", "4294967295"),
		FIELD(FAN_KIND_5GS_NAS, mme_ue_id, 0xffffffffff, 0x10000000000, "AMF-UE-NGAP-ID 1099511627776",
		      "1099511627775"),
		FIELD(FAN_KIND_EPS_NAS, ran_ue_id, 0xffffff, 0x1000000, "eNB-UE-S1AP-ID 16777216", "16777215"),
		FIELD(FAN_KIND_EPS_NAS, transaction, 6, 7, "transaction identifier 7", "6"),
		FIELD(FAN_KIND_EPS_NAS, count, 0x40506, 0x40507, "COUNT 263431", "263430"),
		FIELD(FAN_KIND_EPS_NAS, count_reserved, 0x1000000, 0x1000001, "16777217", "24 bits"),
		FIELD(FAN_KIND_5GS_NAS, count_reserved, 0x1000000, 0x1000001, "16777217", "24 bits"),
		FIELD(FAN_KIND_NR_PDCP_18, count_reserved, UINT32_MAX, 0x10202, "COUNT 66051", "66050"),
		FIELD(FAN_KIND_NR_PDCP_18, nru_sn, 0xffffff, 0x1000000, "NR-U SN 16777216", "24 bits"),
		FIELD(FAN_KIND_EPS_NAS, cipher, 2, 1, "another protection", ""),
		FIELD(FAN_KIND_EPS_NAS, integrity, 2, 3, "another protection", ""),
		FIELD(FAN_KIND_EPS_NAS, kind, FAN_KIND_EPS_NAS, FAN_KIND_5GS_NAS, "another protection", ""),
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_ue ue = make_ue(rows[i].kind);
		struct fan_context_table table = make_table(&ue, 1);

		memcpy((char *)&ue + rows[i].at, &rows[i].bad, rows[i].byte_count);
		cr_assert_eq(fan_context_add(&table, &ue), FAN_E_INVALID, "row %zu is accepted", i);
		cr_assert_not_null(strstr(fan_error_detail(), rows[i].name), "row %zu: %s", i, fan_error_detail());
		cr_assert_not_null(strstr(fan_error_detail(), rows[i].limit), "row %zu: %s", i, fan_error_detail());
		cr_assert(table.used == 0 && table.present == 0);
		memcpy((char *)&ue + rows[i].at, &rows[i].good, rows[i].byte_count);
		cr_assert_eq(fan_context_add(&table, &ue), 0, "row %zu: %s", i, fan_error_detail());
		fan_context_table_free(&table);
	}
}

static bool
standard_has(unsigned kind, unsigned cipher, unsigned integrity, bool emergency)
{
	if (kind >= FAN_KIND_COUNT || cipher > 3)
		return false;
	if (kind == FAN_KIND_SGI)
		return cipher == 0 && integrity == FAN_INTEGRITY_NONE;
	if (kind == FAN_KIND_MBMS)
		return cipher == 2 && integrity == FAN_INTEGRITY_HMAC_SHA_1;
	if (kind == FAN_KIND_LTE_PDCP_12 || kind == FAN_KIND_LTE_PDCP_18)
		return integrity == FAN_INTEGRITY_NONE;
	if (integrity == FAN_INTEGRITY_NONE)
		return kind == FAN_KIND_NR_PDCP_12 || kind == FAN_KIND_NR_PDCP_18;
	return integrity <= 3 && (integrity > 0 || emergency);
}

Test(table, every_combination_of_algorithms_is_judged)
{
	static const unsigned integrities[] = { 0, 1, 2, 3, 4, 17, 254, FAN_INTEGRITY_NONE };

	for (unsigned kind = 0; kind <= FAN_KIND_COUNT + 1; kind++)
		for (unsigned cipher = 0; cipher < 6; cipher++)
			for (unsigned i = 0; i < sizeof(integrities) / sizeof(integrities[0]); i++)
				for (unsigned emergency = 0; emergency < 2; emergency++) {
					const int error = fan_protection_check(protection(kind, cipher, integrities[i]),
									       emergency);
					const bool good = standard_has(kind, cipher, integrities[i], emergency);

					cr_assert_eq(error, good ? 0 : FAN_E_INVALID,
						     "kind %u, cipher %u, integrity %u, emergency %u", kind, cipher,
						     integrities[i], emergency);
				}
}

Test(table, refused_combinations_say_why)
{
	static const struct {
		unsigned kind, cipher, integrity, bearer_id;
		const char *says[2];
	} rows[] = {
		{ FAN_KIND_EPS_NAS, 2, 0, 5, { "EIA0", "emergency" } },
		{ FAN_KIND_NR_PDCP_12, 2, 0, 0, { "EIA0", "emergency" } },
		{ FAN_KIND_LTE_PDCP_12, 2, 2, 0, { "integrity 2", "LTE" } },
		{ FAN_KIND_5GS_NAS, 2, 255, 5, { "none", "NAS" } },
		{ FAN_KIND_EPS_NAS, 4, 2, 5, { "cipher", "4" } },
		{ FAN_KIND_EPS_NAS, 2, 4, 5, { "integrity", "4" } },
		{ FAN_KIND_COUNT, 2, 2, 0, { "kind", "7" } },
		{ FAN_KIND_SGI, 2, 255, 0, { "cipher 2", "sgi-ip" } },
		{ FAN_KIND_SGI, 0, 0, 0, { "integrity 0", "sgi-ip" } },
		{ FAN_KIND_EPS_NAS, 2, 2, 4, { "bearer identity 4", "5 to 15" } },
		{ FAN_KIND_EPS_NAS, 2, 2, 16, { "identity 16", "15" } },
		{ FAN_KIND_5GS_NAS, 2, 2, 0, { "session identity 0", "1 to 15" } },
		{ FAN_KIND_5GS_NAS, 2, 2, 16, { "identity 16", "15" } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct fan_protection asked = { (uint8_t)rows[i].kind, (uint8_t)rows[i].cipher,
						      (uint8_t)rows[i].integrity, (uint8_t)rows[i].bearer_id };

		cr_assert_eq(fan_protection_check(asked, false), FAN_E_INVALID, "row %zu", i);
		for (unsigned j = 0; j < 2; j++)
			cr_assert_not_null(strstr(fan_error_detail(), rows[i].says[j]), "row %zu: %s", i, fan_error_detail());
	}
}

Test(table, tables_stay_out_of_core_dumps)
{
	const struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS);
	struct fan_context_table table;
	struct rlimit locked;
	char flags[512];

	if (getenv("QEMU_LD_PREFIX") != NULL)
		cr_skip_test("QEMU's emulation keeps madvise() from the kernel");
	table = make_table(&ue, 100000);
	cr_assert_eq(fan_context_add(&table, &ue), 0);
	fan_test_vm_flags(flags, sizeof(flags), &table.slots[0]);
	cr_assert_not_null(strstr(flags, " dd"), "first page: %s", flags);
	cr_assert_not_null(strstr(flags, " wf"), "wiped in children: %s", flags);
	cr_assert_eq(getrlimit(RLIMIT_MEMLOCK, &locked), 0);
	if (locked.rlim_cur >= 2 * FAN_CONTEXT_STEP * sizeof(struct fan_context))
		cr_assert_not_null(strstr(flags, " lo"), "locked, since this process may: %s", flags);
	fan_test_vm_flags(flags, sizeof(flags), &table.slots[99999]);
	cr_assert_not_null(strstr(flags, " dd"), "last page: %s", flags);
	fan_context_table_free(&table);
}

/* A child of the host, made for whatever purpose, finds zeros. */
Test(table, keys_do_not_reach_children)
{
	const struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS);
	struct fan_context_table table = make_table(&ue, 100);
	int status;

	if (getenv("QEMU_LD_PREFIX") != NULL)
		cr_skip_test("QEMU's emulation keeps madvise() from the kernel");
	cr_assert_eq(fan_context_add(&table, &ue), 0);
	if (fork() == 0)
		_exit(memcmp(table.slots[0].k_enc, (const uint8_t[FAN_KEY_BYTES]){ 0 }, FAN_KEY_BYTES) != 0);
	cr_assert_gt(wait(&status), 0);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	cr_assert_eq(memcmp(table.slots[0].k_enc, ue.k_enc, FAN_KEY_BYTES), 0, "and here they are");
	fan_context_table_free(&table);
}

static void
set_limit(__rlimit_resource_t resource, rlim_t bytes)
{
	struct rlimit limit;

	cr_assert_eq(getrlimit(resource, &limit), 0);
	limit.rlim_cur = bytes;
	cr_assert_eq(setrlimit(resource, &limit), 0);
}

/* Address space does not suffice for the largest table: a smaller one serves, says what it is short of when it is full, and leaves room
 * for others. */
Test(table, fits_into_a_process_of_limited_address_space, .timeout = 60)
{
	const struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS);
	struct fan_context_table table, others[20];
	int64_t slot;

	if (!fan_test_space_can_be_limited())
		cr_skip_test("no limit of memory can be set here");
	set_limit(RLIMIT_AS, 512 << 20);
	table = make_table(&ue, FAN_CONTEXT_SLOTS_MAX);
	cr_assert(table.capacity >= FAN_CONTEXT_STEP && table.capacity < FAN_CONTEXT_SLOTS_MAX, "%u", table.capacity);
	for (unsigned i = 0; i < 20; i++)
		others[i] = make_table(&ue, FAN_CONTEXT_SLOTS_MAX);
	for (uint32_t i = 0; i < table.capacity; i++)
		cr_assert_eq(fan_context_add(&table, &ue), i, "%s", fan_error_detail());
	slot = fan_context_add(&table, &ue);
	cr_assert_eq(slot, FAN_E_MEMORY);
	cr_assert_not_null(strstr(fan_error_detail(), "ulimit -v"), "%s", fan_error_detail());
	/* What was freed is used again. */
	fan_context_remove(&table, 7);
	cr_assert_eq(fan_context_add(&table, &ue), 7);
	for (unsigned i = 0; i < 20; i++) {
		cr_assert_eq(fan_context_add(&others[i], &ue), 0);
		fan_context_table_free(&others[i]);
	}
	fan_context_table_free(&table);
}

/* As the control thread does for a table that workers know. */
static void
rename_slot(struct fan_context_table *table, uint32_t slot)
{
	fan_context_retire(table, slot);
	fan_context_wipe(table, slot);
	fan_context_free(table, slot);
}

/* What is not used is not counted as the process's memory, which stands for strict accounting by the kernel. */
Test(table, takes_memory_step_by_step)
{
	const struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS);
	struct fan_context_table table;
	int64_t slot = 0;

	if (!fan_test_space_can_be_limited())
		cr_skip_test("no limit of memory can be set here");
	set_limit(RLIMIT_DATA, 64 << 20);
	table = make_table(&ue, FAN_CONTEXT_SLOTS_MAX);
	cr_assert_eq(table.capacity, FAN_CONTEXT_SLOTS_MAX);
	cr_assert_eq(fan_context_add(&table, &ue), 0);
	rename_slot(&table, 0);
	cr_assert_eq(fan_context_generation(&table, 0), 1, "names are counted");
	for (uint32_t i = 0; i < (64 << 20) / sizeof(struct fan_context) && slot >= 0; i++)
		slot = fan_context_add(&table, &ue);
	cr_assert_eq(slot, FAN_E_MEMORY);
	cr_assert_not_null(strstr(fan_error_detail(), "ulimit -d"), "%s", fan_error_detail());
	cr_assert_geq(table.used, FAN_CONTEXT_STEP);
	rename_slot(&table, table.used - 1);
	cr_assert_eq(fan_context_generation(&table, table.used - 1), 1, "also in later steps");
	cr_assert_eq((uintptr_t)table.slots % (FAN_CONTEXT_STEP * sizeof(struct fan_context)), 0, "room for huge pages");
	fan_context_table_free(&table);
}

Test(table, keys_are_wiped_with_their_table)
{
	const struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS);
	struct fan_context_table table = make_table(&ue, 64);

	for (unsigned i = 0; i < 64; i++)
		cr_assert_eq(fan_context_add(&table, &ue), i);
	cr_assert_eq(fan_context_add(&table, &ue), FAN_E_MEMORY, "a table of one page is full");
	watched = (const uint8_t *)table.slots;
	cr_assert_neq(watched[0] | watched[1] | watched[2] | watched[3], 0);
	fan_context_table_free(&table);
	cr_assert_eq(octets_left_behind, 0, "%zu octets", octets_left_behind);
}

Test(table, tables_of_impossible_sizes_are_refused)
{
	struct fan_context_table table;

	cr_assert_eq(fan_context_table_init(&table, protection(FAN_KIND_EPS_NAS, 2, 2), 0), FAN_E_INVALID);
	cr_assert_eq(fan_context_table_init(&table, protection(FAN_KIND_EPS_NAS, 2, 2), (size_t)FAN_CONTEXT_SLOTS_MAX + 1),
		     FAN_E_INVALID);
	cr_assert_not_null(strstr(fan_error_detail(), "134217728"), "%s", fan_error_detail());
	/* Address space alone: a table of the largest size costs no memory until it is used. */
	cr_assert_eq(fan_context_table_init(&table, protection(FAN_KIND_EPS_NAS, 2, 2), FAN_CONTEXT_SLOTS_MAX), 0, "%s",
		     fan_error_detail());
	fan_context_table_free(&table);
}
