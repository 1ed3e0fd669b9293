/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bulk protection alone, held against the algorithms of the reference engine message by message. No EAL, no port.
 */
#include "../dataplane/context/count.h"
#include "../dataplane/context/memory.h"
#include "../dataplane/engine/reference/reference.h"
#include "fake_card.h"
#include "residue.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define UES 150 /* more than two batches */
#define PACKET_BYTES 2048
#define TEXT_AT 64
#define FIRST_COUNT 0xfff0U

static struct fan_ue
make_ue(enum fan_kind kind, uint8_t cipher, uint8_t integrity, uint32_t index)
{
	struct fan_ue ue = {
		.struct_bytes = sizeof(struct fan_ue),
		.kind = kind,
		.cipher = cipher,
		.integrity = integrity,
		.emergency = integrity == 0,
		.count = FIRST_COUNT + index,
		.count_reserved = 1U << 24,
		.bearer = kind == FAN_KIND_EPS_NAS   ? 0
			  : kind == FAN_KIND_5GS_NAS ? 1
						     : (uint8_t)(index % 32),
		.ue = index,
	};

	for (unsigned i = 0; i < FAN_KEY_BYTES; i++) {
		ue.k_enc[i] = (uint8_t)(index * 13 + i * 7 + 1);
		ue.k_int[i] = (uint8_t)(index * 31 + i * 3 + 2);
	}
	return ue;
}

static void
fill(uint8_t *octets, size_t byte_count, unsigned seed)
{
	for (size_t i = 0; i < byte_count; i++)
		octets[i] = (uint8_t)(seed * 101 + i * 37 + (i >> 3));
}

/* What one packet must become: TS 24.301 4.4, TS 38.323 5.8 and 5.9, TS 36.323 5.6. */
static void
expect(uint8_t *packet, const struct fan_ue *ue, const struct fan_layout *layout, uint32_t count)
{
	const size_t own_bytes = layout->head_blocks * 16U < layout->text_bytes ? layout->head_blocks * 16U
										: layout->text_bytes;
	uint8_t *text = packet + TEXT_AT, *prefix = text - layout->clear_bytes;
	const bool nas = ue->kind == FAN_KIND_EPS_NAS || ue->kind == FAN_KIND_5GS_NAS,
		   has_mac = ue->integrity != FAN_INTEGRITY_NONE;
	size_t covered = layout->clear_bytes + (size_t)layout->text_bytes, ciphered = layout->text_bytes;
	uint32_t mac = 0;

	memcpy(text + own_bytes, layout->message + own_bytes, layout->text_bytes - own_bytes);
	if (has_mac && !nas) {
		mac = fan_reference_mac(ue->integrity, ue->k_int, count, ue->bearer, 1, prefix, covered * 8);
		for (unsigned i = 0; i < 4; i++)
			text[ciphered++] = (uint8_t)(mac >> (24 - 8 * i));
	}
	fan_reference_cipher(text, ue->cipher, ue->k_enc, count, ue->bearer, 1, text, ciphered * 8);
	if (nas) {
		mac = fan_reference_mac(ue->integrity, ue->k_int, count, ue->bearer, 1, prefix, covered * 8);
		for (unsigned i = 0; i < 4; i++)
			prefix[(int)i - 4] = (uint8_t)(mac >> (24 - 8 * i));
	}
}

struct bulk {
	struct fan_protector *protector;
	struct fan_ue ue[UES];
	fan_context_id id[UES]; /* 0 to UES - 1, the indexes of ue[]: none was removed */
	uint8_t packet[UES][PACKET_BYTES], expected[UES][PACKET_BYTES];
	uint8_t *text[UES];
	uint32_t count[UES];
	uint8_t drop[UES];
};

static struct bulk bulk;

static fan_context_id
add(struct fan_protector *protector, const struct fan_ue *ue)
{
	fan_context_id id = UINT64_MAX;

	cr_assert_eq(fan_protector_add(protector, &id, ue), 0, "%s", fan_error_detail());
	return id;
}

static int
add_error(struct fan_protector *protector, const struct fan_ue *ue)
{
	fan_context_id id;

	return fan_protector_add(protector, &id, ue);
}

static void
open_bulk(const char *engine, enum fan_kind kind, uint8_t cipher, uint8_t integrity)
{
	memset(&bulk, 0, sizeof(bulk));
	cr_assert_eq(fan_protector_open(&bulk.protector, engine, kind, cipher, integrity, UES), 0, "%s", fan_error_detail());
	for (unsigned i = 0; i < UES; i++) {
		bulk.ue[i] = make_ue(kind, cipher, integrity, i);
		cr_assert_eq(add(bulk.protector, &bulk.ue[i]), i);
		bulk.id[i] = (i * 7) % UES; /* not in order */
		bulk.text[i] = bulk.packet[i] + TEXT_AT;
	}
}

/* Protects for all and compares whole packets, guards included: nothing but text and MAC may have changed. */
static void
protect_and_compare(const struct fan_layout *layout, uint32_t counts_before)
{
	for (unsigned i = 0; i < UES; i++) {
		const struct fan_ue *ue = &bulk.ue[bulk.id[i]];
		const uint32_t count = fan_protector_count(bulk.protector, bulk.id[i]);

		cr_assert_eq(count, ue->count + counts_before);
		fill(bulk.packet[i], PACKET_BYTES, i);
		memcpy(bulk.expected[i], bulk.packet[i], PACKET_BYTES);
		expect(bulk.expected[i], ue, layout, count);
	}
	cr_assert_eq(fan_protect(bulk.protector, bulk.text, bulk.count, bulk.drop, layout, bulk.id, UES), UES, "%s",
		     fan_error_detail());
	for (unsigned i = 0; i < UES; i++) {
		cr_assert_eq(bulk.drop[i], FAN_DROP_NONE);
		cr_assert_eq(bulk.count[i], bulk.ue[bulk.id[i]].count + counts_before);
		cr_assert_eq(memcmp(bulk.packet[i], bulk.expected[i], PACKET_BYTES), 0,
			     "packet %u of kind %u, cipher %u, integrity %u", i, bulk.ue[0].kind, bulk.ue[0].cipher,
			     bulk.ue[0].integrity);
	}
}

static void
compare_protection(const char *engine, enum fan_kind kind, uint8_t cipher, uint8_t integrity)
{
	static const struct {
		uint8_t clear_bytes, head_blocks;
		uint16_t text_bytes;
	} rows[] = { { 1, 0, 1 }, { 3, 2, 33 }, { 2, 3, 20 }, { 0, 1, 130 }, { 16, 0, 257 } };
	uint8_t *message = malloc(1500);

	cr_assert_not_null(message);
	fill(message, 1500, 77);
	open_bulk(engine, kind, cipher, integrity);
	for (unsigned row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		const struct fan_layout layout = {
			.struct_bytes = sizeof(struct fan_layout),
			.clear_bytes = rows[row].clear_bytes,
			.head_blocks = rows[row].head_blocks,
			.text_bytes = rows[row].text_bytes,
			.message = message + 1500 - rows[row].text_bytes, /* ends where the memory does */
		};

		protect_and_compare(&layout, row);
	}
	fan_protector_close(bulk.protector);
	free(message);
}

Test(protector, agrees_with_the_reference_for_all_kinds_and_algorithms, .timeout = 120)
{
	static const uint8_t integrities[] = { 0, 1, 2, 3, FAN_INTEGRITY_NONE };
#ifdef __x86_64__
	static const char *const engines[] = { NULL, "ipsec-mb", "reference" };
#else
	static const char *const engines[] = { NULL, "reference", "reference" };
#endif

	for (unsigned kind = 0; kind < FAN_KIND_SGI; kind++)
		for (uint8_t cipher = 0; cipher <= FAN_ALGORITHM_MAX; cipher++)
			for (unsigned i = 0; i < 5; i++) {
				const bool lte = kind == FAN_KIND_LTE_PDCP_12 || kind == FAN_KIND_LTE_PDCP_18;

				/* Every algorithm with each engine for one kind of a sequence, AES for its twin. */
				if ((lte && i != 4) || (kind <= FAN_KIND_5GS_NAS && i == 4) || (kind % 2 != 0 && cipher != 2))
					continue;
				compare_protection(engines[(kind + i + cipher) % 3], (enum fan_kind)kind, cipher,
						   integrities[i]);
			}
}

Test(protector, longest_texts)
{
	static uint8_t message[FAN_PDU_BYTES_MAX];
	const struct fan_layout layouts[] = {
		{ .clear_bytes = 0, .text_bytes = 1500, .message = message },
		{ .clear_bytes = 16, .text_bytes = 1484, .message = message, .head_blocks = 3 },
	};

	fill(message, sizeof(message), 5);
	open_bulk(NULL, FAN_KIND_NR_PDCP_18, 2, 2);
	for (unsigned i = 0; i < 2; i++) {
		struct fan_layout layout = layouts[i];

		layout.struct_bytes = sizeof(layout);
		protect_and_compare(&layout, i);
	}
	fan_protector_close(bulk.protector);
}

/* Drops spend nothing, say why, and do not keep the others from being protected. */
Test(protector, counts_and_drops)
{
	static const uint8_t message[20] = "exactly twenty chars";
	const struct fan_layout layout = {
		.struct_bytes = sizeof(struct fan_layout), .clear_bytes = 1, .text_bytes = 20, .message = message
	};
	uint8_t untouched[PACKET_BYTES];
	struct fan_ue one_more;

	open_bulk(NULL, FAN_KIND_EPS_NAS, 2, 2);
	fan_protector_close(bulk.protector);
	cr_assert_eq(fan_protector_open(&bulk.protector, "reference", FAN_KIND_EPS_NAS, 2, 2, UES), 0);
	for (unsigned i = 0; i < UES; i++) {
		struct fan_ue ue = bulk.ue[i];

		bulk.id[i] = i;
		ue.count_reserved = i % 3 == 0 ? ue.count + 1 : 1U << 24;
		if (i == 70)
			ue.count = (1U << 24) - 4096;
		cr_assert_eq(add(bulk.protector, &ue), i);
	}
	cr_assert_eq(add_error(bulk.protector, &bulk.ue[0]), FAN_E_EXISTS);
	one_more = bulk.ue[0];
	one_more.k_enc[0] ^= 0x80;
	cr_assert_eq(add_error(bulk.protector, &one_more), FAN_E_EXISTS, "the MAC's key is one of those in use");
	one_more.k_int[0] ^= 0x80;
	for (unsigned i = 0; i < 2; i++) /* what was refused entered no key */
		cr_assert_eq(add_error(bulk.protector, &one_more), FAN_E_MEMORY);
	cr_assert_eq(fan_protect(bulk.protector, bulk.text, NULL, NULL, &layout, bulk.id, UES), UES - 1);
	memset(bulk.packet, 0x77, sizeof(bulk.packet));
	memset(untouched, 0x77, sizeof(untouched));
	cr_assert_eq(fan_protect(bulk.protector, bulk.text, bulk.count, bulk.drop, &layout, bulk.id, UES), UES - UES / 3 - 1);
	for (unsigned i = 0; i < UES; i++) {
		const uint8_t drop = i == 70 ? FAN_DROP_COUNT_END : i % 3 == 0 ? FAN_DROP_RESERVATION : FAN_DROP_NONE;

		cr_assert_eq(bulk.drop[i], drop, "UE %u: %s", i, fan_drop_name((enum fan_drop)bulk.drop[i]));
		if (drop == FAN_DROP_NONE)
			cr_assert_eq(bulk.count[i], bulk.ue[i].count + 1);
		else
			cr_assert_eq(memcmp(bulk.packet[i], untouched, PACKET_BYTES), 0, "a dropped packet was written to");
	}
	cr_assert_eq(fan_protector_count(bulk.protector, 0), bulk.ue[0].count + 1);
	cr_assert_eq(fan_protector_count(bulk.protector, 1), bulk.ue[1].count + 2);
	cr_assert_eq(fan_protector_count(bulk.protector, 70), (1U << 24) - 4096);
	/* The window: 200 without proof, then proof. */
	for (unsigned i = 2; i < 200; i++)
		cr_assert_eq(fan_protect(bulk.protector, bulk.text, NULL, bulk.drop, &layout, &bulk.id[1], 1), 1);
	cr_assert_eq(fan_protect(bulk.protector, bulk.text, NULL, bulk.drop, &layout, &bulk.id[1], 1), 0);
	cr_assert_eq(bulk.drop[0], FAN_DROP_WINDOW);
	cr_assert_eq(fan_protector_received(bulk.protector, 1), 0);
	cr_assert_eq(fan_protect(bulk.protector, bulk.text, bulk.count, bulk.drop, &layout, &bulk.id[1], 1), 1);
	cr_assert_eq(bulk.count[0], bulk.ue[1].count + 200);
	fan_protector_close(bulk.protector);
}

Test(protector, refusals_name_the_limit_and_spend_nothing)
{
	static const struct {
		enum fan_kind kind;
		uint8_t cipher, integrity;
		const char *engine;
		size_t contexts_max;
		int error;
	} opens[] = {
		{ FAN_KIND_COUNT, 2, 2, NULL, 1, FAN_E_INVALID },
		{ FAN_KIND_SGI, 0, FAN_INTEGRITY_NONE, NULL, 1, FAN_E_INVALID },
		{ (enum fan_kind)(256 + FAN_KIND_EPS_NAS), 2, 2, NULL, 1, FAN_E_INVALID },
		{ FAN_KIND_EPS_NAS, 4, 2, NULL, 1, FAN_E_INVALID },
		{ FAN_KIND_EPS_NAS, 2, FAN_INTEGRITY_NONE, NULL, 1, FAN_E_INVALID },
		{ FAN_KIND_LTE_PDCP_12, 2, 2, NULL, 1, FAN_E_INVALID },
		{ FAN_KIND_EPS_NAS, 2, 2, "none-such", 1, FAN_E_NOT_FOUND },
		{ FAN_KIND_EPS_NAS, 2, 2, NULL, 0, FAN_E_INVALID },
		{ FAN_KIND_EPS_NAS, 2, 2, NULL, SIZE_MAX, FAN_E_INVALID },
	};
	static uint8_t message[FAN_PDU_BYTES_MAX + 1];
	static const struct {
		struct fan_layout layout;
		const char *says;
	} layouts[] = {
		{ { .clear_bytes = 17, .text_bytes = 10, .message = message }, "16" },
		{ { .head_blocks = 4, .text_bytes = 10, .message = message }, "3" },
		{ { .text_bytes = 0, .message = message }, "1 to 1500" },
		{ { .text_bytes = 1501, .message = message }, "1500" },
		{ { .clear_bytes = 2, .text_bytes = 1499, .message = message }, "1498" },
	};
	const struct fan_layout good = {
		.struct_bytes = sizeof(struct fan_layout), .clear_bytes = 1, .text_bytes = 10, .message = message
	};
	struct fan_protector *protector = NULL;
	struct fan_ue emergency;

	for (size_t i = 0; i < sizeof(opens) / sizeof(opens[0]); i++) {
		cr_assert_eq(fan_protector_open(&protector, opens[i].engine, opens[i].kind, opens[i].cipher, opens[i].integrity,
						opens[i].contexts_max),
			     opens[i].error, "row %zu: %s", i, fan_error_detail());
		cr_assert_null(protector);
	}
	fan_protector_close(NULL);
	open_bulk(NULL, FAN_KIND_EPS_NAS, 2, 2);
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		struct fan_layout layout = layouts[i].layout;

		layout.struct_bytes = sizeof(layout);
		cr_assert_eq(fan_protect(bulk.protector, bulk.text, bulk.count, bulk.drop, &layout, bulk.id, UES),
			     FAN_E_INVALID, "row %zu", i);
		cr_assert_not_null(strstr(fan_error_detail(), layouts[i].says), "row %zu: %s", i, fan_error_detail());
	}
	bulk.id[UES - 1] = UES; /* the last of them does not exist */
	cr_assert_eq(fan_protect(bulk.protector, bulk.text, bulk.count, bulk.drop, &good, bulk.id, UES), FAN_E_INVALID);
	for (unsigned i = 0; i < UES; i++)
		cr_assert_eq(fan_protector_count(bulk.protector, i), bulk.ue[i].count, "a refused call spent a COUNT");
	cr_assert_eq(fan_protect(bulk.protector, bulk.text, bulk.count, bulk.drop, &good, bulk.id, 0), 0);
	cr_assert_lt(fan_protector_received(bulk.protector, UES), 0);
	fan_protector_close(bulk.protector);
	/* EIA0 only for UEs marked emergency. */
	cr_assert_eq(fan_protector_open(&protector, NULL, FAN_KIND_EPS_NAS, 2, 0, 2), 0, "%s", fan_error_detail());
	emergency = make_ue(FAN_KIND_EPS_NAS, 2, 0, 0);
	(void)add(protector, &emergency);
	emergency = make_ue(FAN_KIND_EPS_NAS, 2, 0, 1);
	emergency.emergency = false;
	cr_assert_eq(add_error(protector, &emergency), FAN_E_INVALID);
	fan_protector_close(protector);
}

/* What goes back to the lender: the next COUNT, and how many before it nobody acknowledged. */
Test(protector, contexts_are_lent_and_given_back)
{
	static uint8_t message[10];
	const struct fan_layout layout = {
		.struct_bytes = sizeof(struct fan_layout), .clear_bytes = 1, .text_bytes = sizeof(message), .message = message
	};
	struct fan_protector *protector;
	struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS, 2, 2, 0);
	static uint8_t packet[PACKET_BYTES];
	uint8_t *text = packet + TEXT_AT, drop;
	fan_context_id id, again;
	uint32_t next_count = 0;
	uint16_t unacknowledged = 0;
	uint64_t withdrawals;

	ue.unacknowledged = 3;
	ue.count_reserved = ue.count + 2;
	cr_assert_eq(fan_protector_open(&protector, NULL, FAN_KIND_EPS_NAS, 2, 2, 2), 0, "%s", fan_error_detail());
	id = add(protector, &ue);
	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(fan_protect(protector, &text, NULL, NULL, &layout, &id, 1), 1);
	cr_assert_eq(fan_protect(protector, &text, NULL, &drop, &layout, &id, 1), 0);
	cr_assert_eq(drop, FAN_DROP_RESERVATION);
	cr_assert_eq(fan_protector_lease(protector, id, ue.count_reserved - 1), FAN_E_INVALID, "never shorter");
	cr_assert_eq(fan_protector_lease(protector, id, ue.count_reserved + 1), 0);
	cr_assert_eq(fan_protector_lease(protector, id + 1, ue.count_reserved + 1), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_protect(protector, &text, NULL, NULL, &layout, &id, 1), 1);
	cr_assert_eq(fan_protector_remove(protector, &next_count, &unacknowledged, id + 1), FAN_E_NOT_FOUND);
	cr_assert_eq(fan_protector_remove(protector, &next_count, &unacknowledged, id), 0);
	cr_assert_eq(next_count, ue.count + 3);
	cr_assert_eq(unacknowledged, 3 + 3);
	cr_assert_eq(fan_protector_remove(protector, &next_count, &unacknowledged, id), FAN_E_NOT_FOUND, "it is gone");
	again = add(protector, &ue);
	cr_assert_eq((uint32_t)again, (uint32_t)id, "its slot is free again");
	cr_assert_neq(again, id, "its name is not");
	withdrawals = fan_memory_withdrawals();
	fan_protector_close(protector);
	cr_assert_neq(fan_memory_withdrawals(), withdrawals, "its contexts are still there");
}

struct addition {
	struct fan_protector *protector;
	struct fan_ue ue;
};

static void
add_one(void *user)
{
	const struct addition *addition = user;
	fan_context_id id;

	cr_assert_eq(fan_protector_add(addition->protector, &id, &addition->ue), 0, "%s", fan_error_detail());
}

Test(protector, keys_do_not_stay_on_the_stack)
{
	static struct addition addition;

	cr_assert_eq(fan_protector_open(&addition.protector, "reference", FAN_KIND_EPS_NAS, 2, 2, 2), 0);
	addition.ue = make_ue(FAN_KIND_EPS_NAS, 2, 2, 0);
	cr_assert_not(fan_test_left_on_stack(add_one, &addition, addition.ue.k_enc, FAN_KEY_BYTES), "K_enc");
	addition.ue = make_ue(FAN_KIND_EPS_NAS, 2, 2, 1);
	cr_assert_not(fan_test_left_on_stack(add_one, &addition, addition.ue.k_int, FAN_KEY_BYTES), "K_int");
	fan_protector_close(addition.protector);
}

/* A late call with the name of a UE that has gone touches nobody, though another UE has its slot: behind engines that fetch contexts
 * themselves, and others. */
static void
call_late(const char *engine)
{
	static uint8_t message[10];
	const struct fan_layout layout = {
		.struct_bytes = sizeof(struct fan_layout), .clear_bytes = 1, .text_bytes = sizeof(message), .message = message
	};
	fan_context_id gone[UES];
	uint32_t next_count;
	uint16_t unacknowledged;

	open_bulk(engine, FAN_KIND_EPS_NAS, 2, 2);
	for (unsigned i = 0; i < UES; i++) {
		gone[i] = i;
		cr_assert_eq(fan_protector_remove(bulk.protector, &next_count, &unacknowledged, gone[i]), 0);
		bulk.ue[i].unacknowledged = 5;
		bulk.id[i] = add(bulk.protector, &bulk.ue[i]);
	}
	for (unsigned i = 0; i < UES; i++) {
		for (unsigned j = 0; j < UES; j++)
			cr_assert_neq(gone[i], bulk.id[j], "a name was given twice");
		cr_assert_eq(fan_protector_lease(bulk.protector, gone[i], (1U << 24) - 1), FAN_E_NOT_FOUND);
		cr_assert_eq(fan_protector_received(bulk.protector, gone[i]), FAN_E_NOT_FOUND);
		cr_assert_eq(fan_protector_count(bulk.protector, gone[i]), 0);
		cr_assert_eq(fan_protector_remove(bulk.protector, &next_count, &unacknowledged, gone[i]), FAN_E_NOT_FOUND);
		cr_assert_eq(fan_protector_lease(bulk.protector, gone[i] | 1ULL << 63, 1U << 24), FAN_E_NOT_FOUND);
	}
	cr_assert_eq(fan_protect(bulk.protector, bulk.text, NULL, bulk.drop, &layout, gone, UES), 0);
	for (unsigned i = 0; i < UES; i++)
		cr_assert_eq(bulk.drop[i], FAN_DROP_REMOVED, "%s", fan_drop_name((enum fan_drop)bulk.drop[i]));
	gone[70] = bulk.id[70];
	cr_assert_eq(fan_protect(bulk.protector, bulk.text, bulk.count, bulk.drop, &layout, gone, UES), 1, "one is there");
	cr_assert_eq(bulk.drop[70], FAN_DROP_NONE);
	for (unsigned i = 0; i < UES; i++) {
		cr_assert_eq(fan_protector_remove(bulk.protector, &next_count, &unacknowledged, bulk.id[i]), 0);
		cr_assert_eq(next_count, bulk.ue[i].count + (i == 70), "UE %u", i);
		cr_assert_eq(unacknowledged, 5 + (i == 70), "UE %u", i);
	}
	fan_protector_close(bulk.protector);
}

Test(protector, a_name_is_never_given_to_another)
{
	call_late(NULL);
	call_late("reference");
}

/* Two protectors of one process, an appliance being the same: no key is in use twice. */
Test(protector, a_key_is_in_use_once_in_the_process)
{
	struct fan_protector *protectors[2];
	struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS, 2, 2, 0);
	uint32_t next_count;
	uint16_t unacknowledged;
	fan_context_id id;

	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(fan_protector_open(&protectors[i], "reference", FAN_KIND_EPS_NAS, 2, 2, 2), 0);
	id = add(protectors[0], &ue);
	cr_assert_eq(add_error(protectors[1], &ue), FAN_E_EXISTS);
	cr_assert_not_null(strstr(fan_error_detail(), "another"), "%s", fan_error_detail());
	cr_assert_eq(fan_protector_remove(protectors[0], &next_count, &unacknowledged, id), 0);
	(void)add(protectors[1], &ue);
	cr_assert_eq(add_error(protectors[0], &ue), FAN_E_EXISTS);
	fan_protector_close(protectors[1]);
	(void)add(protectors[0], &ue);
	fan_protector_close(protectors[0]);
}

Test(protector, a_child_of_the_process_opens_its_own, .timeout = 60)
{
	static uint8_t message[10];
	const struct fan_layout layout = {
		.struct_bytes = sizeof(struct fan_layout), .clear_bytes = 1, .text_bytes = sizeof(message), .message = message
	};
	int status;

	open_bulk("reference", FAN_KIND_EPS_NAS, 2, 2);
	if (fork() == 0) {
		struct fan_ue ue = make_ue(FAN_KIND_EPS_NAS, 2, 2, UES);
		uint32_t next_count;
		uint16_t unacknowledged;
		unsigned wrong = 0;

		wrong += add_error(bulk.protector, &ue) != FAN_E_NOT_FOUND;
		wrong += fan_protect(bulk.protector, bulk.text, NULL, bulk.drop, &layout, bulk.id, 1) != FAN_E_NOT_FOUND;
		wrong += fan_protector_lease(bulk.protector, 0, 1U << 24) != FAN_E_NOT_FOUND;
		wrong += fan_protector_received(bulk.protector, 0) != FAN_E_NOT_FOUND;
		wrong += strstr(fan_error_detail(), "parent") == NULL;
		wrong += fan_protector_remove(bulk.protector, &next_count, &unacknowledged, 0) != FAN_E_NOT_FOUND;
		fan_protector_close(bulk.protector);
		wrong += fan_protector_open(&bulk.protector, "reference", FAN_KIND_EPS_NAS, 2, 2, 1) != 0;
		wrong += add_error(bulk.protector, &bulk.ue[0]) != FAN_E_EXISTS; /* the parent spends under this key */
		wrong += add_error(bulk.protector, &ue) != 0;
		fan_protector_close(bulk.protector);
		_exit((int)wrong);
	}
	cr_assert_gt(wait(&status), 0);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", (unsigned)status);
	cr_assert_eq(fan_protect(bulk.protector, bulk.text, NULL, bulk.drop, &layout, bulk.id, UES), UES);
	fan_protector_close(bulk.protector);
}

/* Nothing is spent for what the engine has no algorithm for. */
Test(protector, a_layout_that_the_engine_does_not_take_is_refused)
{
	static const uint8_t message[20];
	const struct fan_layout layout = {
		.struct_bytes = sizeof(struct fan_layout), .clear_bytes = 1, .text_bytes = 20, .message = message
	};
	struct fan_protector *probe;

	if (fan_protector_open(&probe, "lockstep-aesni", FAN_KIND_EPS_NAS, 2, 2, 1) != 0)
		cr_skip_test("this CPU or build has no engine lockstep-aesni");
	fan_protector_close(probe);
	open_bulk("lockstep-aesni", FAN_KIND_EPS_NAS, 1, 2);
	cr_assert_eq(fan_protect(bulk.protector, bulk.text, bulk.count, bulk.drop, &layout, bulk.id, UES), FAN_E_UNSUPPORTED);
	cr_assert_not_null(strstr(fan_error_detail(), "lockstep-aesni"), "%s", fan_error_detail());
	for (unsigned i = 0; i < UES; i++)
		cr_assert_eq(fan_protector_count(bulk.protector, i), bulk.ue[i].count, "a refused call spent a COUNT");
	fan_protector_close(bulk.protector);
}

/* UEs of a batch that the engine failed are not counted as protected, and are named: behind a card that goes. */
Test(protector, ues_of_a_failed_batch_are_named, .timeout = 60)
{
	static const uint8_t message[20];
	const struct fan_layout layout = {
		.struct_bytes = sizeof(struct fan_layout), .clear_bytes = 1, .text_bytes = 20, .message = message
	};
	int64_t protected_ues;

	fan_fake_install(&(struct fan_fake_behaviour){ .kind = 0 });
	open_bulk("fpga", FAN_KIND_EPS_NAS, 2, 2);
	for (unsigned i = 0; i < UES; i++)
		bulk.id[i] = i;
	protected_ues = fan_protect(bulk.protector, bulk.text, bulk.count, bulk.drop, &layout, bulk.id, UES);
	cr_assert_eq(protected_ues, UES, "%" PRId64 " protected", protected_ues);
	fan_fake_trick(FAN_FAKE_UNPLUG, false);
	protected_ues = fan_protect(bulk.protector, bulk.text, bulk.count, bulk.drop, &layout, bulk.id, UES);
	cr_assert_eq(protected_ues, 0, "%" PRId64 " protected", protected_ues);
	for (unsigned i = 0; i < UES; i++)
		cr_assert_eq(bulk.drop[i], FAN_DROP_ENGINE, "UE %u: %u", i, bulk.drop[i]);
	fan_protector_close(bulk.protector);
}
