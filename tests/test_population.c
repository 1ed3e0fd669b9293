/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/fanout/population.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fan_population_options
equal_options(uint32_t ues)
{
	struct fan_population_options options = { .ues = ues, .seed = 1, .cipher = 2, .integrity = 2 };

	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++)
		options.weight[i] = 1;
	return options;
}

static bool
is_nas(enum fan_kind kind)
{
	return kind == FAN_KIND_EPS_NAS || kind == FAN_KIND_5GS_NAS;
}

static struct fan_ue_address
address_of(const struct fan_population *population, const struct fan_population_ue *made)
{
	const enum fan_kind kind = made->ue.kind;
	struct fan_ue_address address = {
		.ipv6 = population->options.ipv6,
		.nas = is_nas(kind),
		.five_g = kind == FAN_KIND_5GS_NAS || kind == FAN_KIND_NR_PDCP_12 || kind == FAN_KIND_NR_PDCP_18,
		.teid = made->ue.teid,
		.mme_ue_id = made->ue.mme_ue_id,
		.ran_ue_id = made->ue.ran_ue_id,
	};
	struct fan_next_hop next_hop;

	fan_population_next_hop(population, &next_hop, made->ue.next_hop);
	if (kind == FAN_KIND_SGI || kind == FAN_KIND_MBMS) {
		address = (struct fan_ue_address){ .plain = true };
		memcpy(address.ipv4, made->ue.ipv4, sizeof(address.ipv4));
		memcpy(address.ethernet, next_hop.ethernet, sizeof(address.ethernet));
		return address;
	}
	memcpy(address.next_hop, next_hop.address, sizeof(address.next_hop));
	return address;
}

/* Every address leads back to its UE and to no other, whatever the size and the family. */
Test(population, addresses_lead_back)
{
	static const struct {
		uint32_t ues;
		bool ipv6;
		uint32_t step;
	} cases[] = {
		{ 1, false, 1 },
		{ 7, true, 1 },
		{ 20011, false, 1 },
		{ 3000000, true, 1 },
		{ 300000000, false, 977 },
		{ 300000000, true, 1009 },
		{ FAN_POPULATION_UES_MAX, false, 9973 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fan_population_options options = equal_options(cases[i].ues);
		struct fan_population population;

		options.ipv6 = cases[i].ipv6;
		cr_assert_eq(fan_population_init(&population, &options), 0);
		for (uint64_t index = 0; index < cases[i].ues; index += cases[i].step) {
			struct fan_population_ue made;
			struct fan_ue_address address;

			fan_population_ue(&population, &made, (uint32_t)index);
			address = address_of(&population, &made);
			cr_assert_eq(fan_population_find(&population, &address), (int64_t)index, "UE %llu of %u",
				     (unsigned long long)index, cases[i].ues);
			cr_assert(address.nas || address.plain || made.ue.teid != 0);
		}
		fan_population_free(&population);
	}
}

/* A bearer's UE has an address too, but packets do not come to it plain. */
static void
expect_not_found_over_sgi(const struct fan_population *population, const struct fan_population_ue *made)
{
	struct fan_ue_address address = { .plain = true };
	struct fan_next_hop next_hop;

	if (fan_kind_is_nas(made->ue.kind))
		return;
	fan_population_next_hop(population, &next_hop, made->ue.next_hop);
	memcpy(address.ipv4, made->ue.ipv4, sizeof(address.ipv4));
	memcpy(address.ethernet, next_hop.ethernet, sizeof(address.ethernet));
	cr_assert_eq(fan_population_find(population, &address), -1);
}

/* An address that is not in the population finds nothing: one past the end, other ids, other hops, other families. */
Test(population, foreign_addresses_find_nothing)
{
	struct fan_population_options options = equal_options(20000);
	struct fan_population population, larger;
	struct fan_population_ue made;
	struct fan_ue_address address, changed;
	int64_t found;

	cr_assert_eq(fan_population_init(&population, &options), 0);
	options.ues = 40000;
	cr_assert_eq(fan_population_init(&larger, &options), 0);
	for (uint32_t index = 20000; index < 40000; index++) {
		fan_population_ue(&larger, &made, index);
		address = address_of(&larger, &made);
		cr_assert_eq(fan_population_find(&population, &address), -1);
	}
	for (uint32_t index = 0; index < 20000; index++) {
		fan_population_ue(&population, &made, index);
		changed = address = address_of(&population, &made);
		if (address.plain) {
			changed.ethernet[5] ^= 1;
			cr_assert_eq(fan_population_find(&population, &changed), -1);
			changed = address;
			changed.ipv4[0] ^= 1;
			cr_assert_eq(fan_population_find(&population, &changed), -1);
			changed = address;
			changed.plain = false;
			cr_assert_eq(fan_population_find(&population, &changed), -1);
			continue;
		}
		expect_not_found_over_sgi(&population, &made);
		changed.ipv6 = true;
		cr_assert_eq(fan_population_find(&population, &changed), -1);
		changed = address;
		changed.next_hop[3] = 0;
		cr_assert_eq(fan_population_find(&population, &changed), -1);
		changed = address;
		changed.next_hop[3] = (uint8_t)(population.hop_count + 1);
		cr_assert_eq(fan_population_find(&population, &changed), -1);
		changed = address;
		changed.next_hop[0] ^= 1;
		cr_assert_eq(fan_population_find(&population, &changed), -1);
		changed = address;
		changed.next_hop[3] = (uint8_t)(made.ue.next_hop == 0 ? 2 : made.ue.next_hop);
		found = fan_population_find(&population, &changed);
		cr_assert(found == -1 ||
				  is_nas(fan_profile_kind(fan_population_profile(&population, (uint32_t)found))) == address.nas,
			  "UE %u is found by what it does not have: %lld", index, (long long)found);
		changed = address;
		changed.nas = !changed.nas;
		cr_assert_neq(fan_population_find(&population, &changed), (int64_t)index);
		if (address.nas) {
			changed = address;
			changed.ran_ue_id ^= 2;
			cr_assert_eq(fan_population_find(&population, &changed), -1);
			changed = address;
			changed.mme_ue_id = UINT64_MAX;
			cr_assert_eq(fan_population_find(&population, &changed), -1);
			changed = address;
			changed.five_g = !changed.five_g;
			cr_assert_eq(fan_population_find(&population, &changed), -1);
		}
	}
	fan_population_free(&population);
	fan_population_free(&larger);
}

/* A UE with a short id is not found by the long id that its turn would have had: each UE has one address. */
Test(population, each_ue_has_one_id)
{
	const uint64_t multiplier = 0xd1342543de82ef95ULL; /* as in population.c */
	struct fan_population_options options = equal_options(20000);
	struct fan_population population;
	unsigned forged = 0;

	cr_assert_eq(fan_population_init(&population, &options), 0);
	for (uint32_t index = 0; index < options.ues; index++) {
		struct fan_population_ue made;
		struct fan_ue_address address;

		fan_population_ue(&population, &made, index);
		if (made.ue.kind != FAN_KIND_EPS_NAS || made.ue.mme_ue_id >= 1U << 24)
			continue;
		address = address_of(&population, &made);
		address.mme_ue_id = (1U << 24) + 2 * (index / population.hop_count * multiplier % (1U << 30));
		cr_assert_eq(fan_population_find(&population, &address), -1);
		forged++;
	}
	cr_assert(forged > 1000);
	fan_population_free(&population);
}

static int
compare_ids(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	for (unsigned i = 0; i < 2; i++) {
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	}
	return 0;
}

static void
assert_unique(uint64_t (*ids)[2], size_t count, const char *what)
{
	qsort(ids, count, sizeof(ids[0]), compare_ids);
	for (size_t i = 1; i < count; i++)
		cr_assert(compare_ids(ids[i - 1], ids[i]) != 0, "%s %llu stands twice at next hop %llu", what,
			  (unsigned long long)ids[i][1], (unsigned long long)ids[i][0]);
}

static unsigned
octets_of(uint64_t id)
{
	unsigned octets = 1;

	while (octets < 8 && id >> (8 * octets) != 0)
		octets++;
	return octets;
}

/* Within one next hop no TEID, no MME/AMF id and no RAN id stands twice, EPS and 5GS together; all lengths occur, in range. */
Test(population, ids_are_unique_and_of_all_lengths)
{
	enum { UES = 400000 };
	struct fan_population_options options = equal_options(UES);
	struct fan_population population;
	uint64_t(*teids)[2] = malloc(UES * sizeof(*teids)), (*mme_ids)[2] = malloc(UES * sizeof(*mme_ids)),
	(*ran_ids)[2] = malloc(UES * sizeof(*ran_ids));
	size_t bearers = 0, nas = 0;
	unsigned mme_lengths[2][9] = { 0 }, ran_lengths[2][9] = { 0 };

	cr_assert_eq(fan_population_init(&population, &options), 0);
	for (uint32_t index = 0; index < UES; index++) {
		struct fan_population_ue made;
		const struct fan_ue *ue = &made.ue;
		unsigned five_g;

		fan_population_ue(&population, &made, index);
		if (ue->kind == FAN_KIND_SGI || ue->kind == FAN_KIND_MBMS)
			continue;
		if (!is_nas(ue->kind)) {
			teids[bearers][0] = ue->next_hop;
			teids[bearers++][1] = ue->teid;
			continue;
		}
		five_g = ue->kind == FAN_KIND_5GS_NAS;
		mme_ids[nas][0] = ran_ids[nas][0] = ue->next_hop;
		mme_ids[nas][1] = ue->mme_ue_id;
		ran_ids[nas++][1] = ue->ran_ue_id;
		mme_lengths[five_g][octets_of(ue->mme_ue_id)]++;
		ran_lengths[five_g][octets_of(ue->ran_ue_id)]++;
	}
	assert_unique(teids, bearers, "TEID");
	assert_unique(mme_ids, nas, "MME or AMF id");
	assert_unique(ran_ids, nas, "RAN id");
	for (unsigned octets = 1; octets <= 8; octets++) {
		cr_assert_eq(mme_lengths[0][octets] > 0, octets <= 4);
		cr_assert_eq(mme_lengths[1][octets] > 0, octets <= 5);
		cr_assert_eq(ran_lengths[0][octets] > 0, octets <= 3);
		cr_assert_eq(ran_lengths[1][octets] > 0, octets <= 4);
	}
	free(teids);
	free(mme_ids);
	free(ran_ids);
	fan_population_free(&population);
}

/* First COUNTs: never 0, far from the end, and of each kind a good share stands right before each edge of its SN. */
Test(population, first_counts_meet_the_edges)
{
	static const uint32_t sn_space[FAN_KIND_COUNT] = { 256, 256, 4096, 1 << 18, 4096, 1 << 18, 0, 1 << 18 };
	enum { UES = 200000 };
	struct fan_population_options options = equal_options(UES);
	struct fan_population population;
	unsigned all[FAN_KIND_COUNT] = { 0 }, at_wrap[FAN_KIND_COUNT] = { 0 }, at_middle[FAN_KIND_COUNT] = { 0 };
	unsigned at_carry[FAN_KIND_COUNT] = { 0 };

	cr_assert_eq(fan_population_init(&population, &options), 0);
	for (uint32_t index = 0; index < UES; index++) {
		struct fan_population_ue made;
		const struct fan_ue *ue = &made.ue;
		uint32_t space, left;
		bool nas;

		fan_population_ue(&population, &made, index);
		if (ue->kind == FAN_KIND_SGI)
			continue;
		nas = is_nas(ue->kind);
		space = sn_space[ue->kind];
		left = space - 1 - ue->count % space; /* messages until the one with the last SN */
		cr_assert(ue->count >= 1);
		cr_assert(ue->count <= (nas ? (1U << 24) - (1U << 20) + 1 : UINT32_MAX - (1U << 24) + 1));
		cr_assert_eq(ue->count_reserved, nas ? 1U << 24 : UINT32_MAX);
		all[ue->kind]++;
		at_wrap[ue->kind] += left < 3;
		at_middle[ue->kind] += ue->count % space < space / 2 && space / 2 - 1 - ue->count % space < 3;
		at_carry[ue->kind] += (ue->count / space) % 256 == 255 && left < 3;
	}
	for (unsigned kind = 0; kind < FAN_KIND_SGI; kind++) {
		cr_assert(at_wrap[kind] > all[kind] / 6, "kind %u: %u of %u before a wrap", kind, at_wrap[kind], all[kind]);
		cr_assert(at_middle[kind] > all[kind] / 20, "kind %u: %u of %u before the middle", kind, at_middle[kind],
			  all[kind]);
		cr_assert(at_carry[kind] > all[kind] / 40, "kind %u: %u of %u before a carry", kind, at_carry[kind], all[kind]);
	}
	fan_population_free(&population);
}

/* A UE is the same however often it is made, and another under another seed. */
Test(population, seed_decides)
{
	struct fan_population_options options = equal_options(1000);
	struct fan_population one, same, other;

	cr_assert_eq(fan_population_init(&one, &options), 0);
	cr_assert_eq(fan_population_init(&same, &options), 0);
	options.seed = 2;
	cr_assert_eq(fan_population_init(&other, &options), 0);
	for (uint32_t index = 0; index < 1000; index++) {
		struct fan_population_ue a, b, c;

		memset(&a, 0, sizeof(a));
		memset(&b, 0xff, sizeof(b));
		fan_population_ue(&one, &a, index);
		fan_population_ue(&same, &b, 999 - index);
		fan_population_ue(&same, &b, index);
		fan_population_ue(&other, &c, index);
		cr_assert_eq(a.profile, b.profile);
		if (a.profile == FAN_PROFILE_SGI_IP)
			continue;
		cr_assert_eq(memcmp(a.ue.k_enc, b.ue.k_enc, FAN_KEY_BYTES), 0);
		cr_assert_eq(memcmp(a.ue.k_int, b.ue.k_int, FAN_KEY_BYTES), 0);
		for (unsigned half = 0; half < 4; half++)
			cr_assert(memcmp(a.ue.k_enc + half / 2 * 8, a.ue.k_int + half % 2 * 8, 8) != 0);
		cr_assert(memcmp(a.ue.k_enc, c.ue.k_enc, FAN_KEY_BYTES) != 0);
		cr_assert_eq(a.ue.count, b.ue.count);
	}
	fan_population_free(&one);
	fan_population_free(&same);
	fan_population_free(&other);
}

/* Weights decide the shares, and counting by profile agrees with asking every UE. */
Test(population, weights_decide_shares)
{
	struct fan_population_options options = { .ues = 100003, .seed = 7, .cipher = 1, .integrity = 3 };
	struct fan_population population;
	uint32_t seen[FAN_PROFILE_COUNT] = { 0 }, sum = 0;

	options.weight[FAN_PROFILE_EPS_NAS_SMS] = 3;
	options.weight[FAN_PROFILE_NR_PDCP_18] = 2;
	options.weight[FAN_PROFILE_LTE_PDCP_12] = 95;
	cr_assert_eq(fan_population_init(&population, &options), 0);
	for (uint32_t index = 0; index < options.ues; index++) {
		enum fan_profile profile = fan_population_profile(&population, index);

		cr_assert_eq(fan_population_profile_index(&population, profile, seen[profile]), index);
		seen[profile]++;
	}
	for (unsigned i = 0; i < FAN_PROFILE_COUNT; i++) {
		cr_assert_eq(fan_population_profile_ues(&population, (enum fan_profile)i), seen[i]);
		sum += seen[i];
	}
	cr_assert_eq(sum, options.ues);
	cr_assert(seen[FAN_PROFILE_EPS_NAS_SMS] >= 3000 && seen[FAN_PROFILE_EPS_NAS_SMS] <= 3003);
	cr_assert(seen[FAN_PROFILE_LTE_PDCP_12] >= 95000 && seen[FAN_PROFILE_LTE_PDCP_12] <= 95003);
	cr_assert_eq(seen[FAN_PROFILE_5GS_NAS_CIOT], 0);
	fan_population_free(&population);
}

Test(population, fields_fit_their_kind)
{
	struct fan_population_options options = equal_options(50000);
	struct fan_population population;
	unsigned transactions = 0, bearers = 0, ebis = 0, psis = 0;

	cr_assert_eq(fan_population_init(&population, &options), 0);
	for (uint32_t index = 0; index < options.ues; index++) {
		struct fan_population_ue made;
		const struct fan_ue *ue = &made.ue;

		fan_population_ue(&population, &made, index);
		cr_assert_eq(ue->ue, index);
		cr_assert(ue->next_hop < population.hop_count);
		if (is_nas(ue->kind)) {
			cr_assert_eq(ue->bearer, ue->kind == FAN_KIND_5GS_NAS);
			cr_assert_eq(ue->integrity, 2);
			cr_assert(ue->transaction <= 6);
			transactions |= 1U << ue->transaction;
			ebis |= made.profile == FAN_PROFILE_EPS_NAS_NIDD ? 1U << ue->bearer_id : 0;
			psis |= made.profile == FAN_PROFILE_5GS_NAS_CIOT ? 1U << ue->bearer_id : 0;
			continue;
		}
		cr_assert_eq(((uint32_t)ue->ipv4[0] << 24 | (uint32_t)ue->ipv4[1] << 16 | (uint32_t)ue->ipv4[2] << 8 |
			      ue->ipv4[3]),
			     0x0a000001U + index);
		if (ue->kind == FAN_KIND_SGI) {
			static const uint8_t none[FAN_KEY_BYTES];

			cr_assert(ue->cipher == 0 && ue->integrity == FAN_INTEGRITY_NONE && ue->count == 0 && ue->teid == 0 &&
				  memcmp(ue->k_enc, none, sizeof(none)) == 0 && memcmp(ue->k_int, none, sizeof(none)) == 0);
			continue;
		}
		if (ue->kind == FAN_KIND_MBMS) {
			char b_tid[64];

			(void)snprintf(b_tid, sizeof(b_tid), "%022u==@" FAN_POPULATION_BSF, index);
			cr_assert(ue->cipher == 2 && ue->integrity == FAN_INTEGRITY_HMAC_SHA_1 && ue->teid == 0);
			cr_assert(ue->udp_port == FAN_PORT_MIKEY && strcmp(ue->b_tid, b_tid) == 0);
			continue;
		}
		cr_assert_eq(ue->integrity, ue->kind < FAN_KIND_NR_PDCP_12 ? FAN_INTEGRITY_NONE : 2);
		cr_assert(ue->bearer < 32 && ue->nru_sn <= 0xffffff);
		bearers |= 1U << ue->bearer;
	}
	cr_assert_eq(transactions, 0x7f);
	cr_assert_eq(bearers, UINT32_MAX);
	cr_assert_eq(ebis, 0xffe0);
	cr_assert_eq(psis, 0xfffe);
	fan_population_free(&population);
}

Test(population, imsi_is_of_the_test_network)
{
	char imsi[FAN_IMSI_DIGITS + 1];

	fan_population_imsi(imsi, 0);
	cr_assert_str_eq(imsi, "001010000000000");
	fan_population_imsi(imsi, FAN_POPULATION_UES_MAX - 1);
	cr_assert_str_eq(imsi, "001012147483647");
}

Test(population, next_hops_differ)
{
	struct fan_population_options options = equal_options(300000000);

	for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
		struct fan_population population;
		struct fan_next_hop before, now;

		options.ipv6 = ipv6;
		cr_assert_eq(fan_population_init(&population, &options), 0);
		cr_assert_eq(population.hop_count, 287);
		fan_population_next_hop(&population, &before, 0);
		for (uint32_t hop = 1; hop < population.hop_count; hop++) {
			fan_population_next_hop(&population, &now, hop);
			cr_assert(memcmp(before.address, now.address, 16) < 0);
			cr_assert(memcmp(before.ethernet, now.ethernet, 6) < 0);
			cr_assert_eq(now.ethernet[0], 0x02);
			before = now;
		}
		fan_population_free(&population);
	}
}

Test(population, refuses_what_the_standards_do_not_have)
{
	static const struct {
		const char *name;
		uint32_t ues;
		uint8_t cipher, integrity;
		bool emergency;
		enum fan_profile profile;
		uint32_t weight;
		bool good;
	} cases[] = {
		{ "no UE", 0, 2, 2, false, FAN_PROFILE_EPS_NAS_SMS, 1, false },
		{ "one UE", 1, 2, 2, false, FAN_PROFILE_EPS_NAS_SMS, 1, true },
		{ "too many", FAN_POPULATION_UES_MAX + 1, 2, 2, false, FAN_PROFILE_EPS_NAS_SMS, 1, false },
		{ "cipher 4", 9, 4, 2, false, FAN_PROFILE_EPS_NAS_SMS, 1, false },
		{ "integrity 4", 9, 2, 4, false, FAN_PROFILE_NR_PDCP_12, 1, false },
		{ "no weight", 9, 2, 2, false, FAN_PROFILE_EPS_NAS_SMS, 0, false },
		{ "weight too great", 9, 2, 2, false, FAN_PROFILE_EPS_NAS_SMS, FAN_POPULATION_WEIGHT_MAX + 1, false },
		{ "greatest weight", 9, 2, 2, false, FAN_PROFILE_EPS_NAS_SMS, FAN_POPULATION_WEIGHT_MAX, true },
		{ "NAS without integrity", 9, 2, FAN_INTEGRITY_NONE, false, FAN_PROFILE_5GS_NAS_CIOT, 1, false },
		{ "NR without integrity", 9, 2, FAN_INTEGRITY_NONE, false, FAN_PROFILE_NR_PDCP_18, 1, true },
		{ "NAS with EIA0", 9, 2, 0, false, FAN_PROFILE_EPS_NAS_NIDD, 1, false },
		{ "NAS with EIA0 in an emergency", 9, 2, 0, true, FAN_PROFILE_EPS_NAS_NIDD, 1, true },
		{ "NR with NIA0", 9, 2, 0, false, FAN_PROFILE_NR_PDCP_12, 1, false },
		{ "LTE, which takes no notice", 9, 2, 0, false, FAN_PROFILE_LTE_PDCP_12, 1, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fan_population_options options = { .ues = cases[i].ues,
							  .cipher = cases[i].cipher,
							  .integrity = cases[i].integrity,
							  .emergency = cases[i].emergency };
		struct fan_population population;
		int error;

		options.weight[cases[i].profile] = cases[i].weight;
		error = fan_population_init(&population, &options);
		cr_assert_eq(error, cases[i].good ? 0 : FAN_E_INVALID, "%s: %d", cases[i].name, error);
		fan_population_free(&population);
	}
}
