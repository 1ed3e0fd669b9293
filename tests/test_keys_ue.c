/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/keys/hierarchy.h"
#include "octets.h"
#include "residue.h"

#include <criterion/criterion.h>
#include <string.h>

static const uint8_t parent[] = "a key of the tests, of 32 octets";

static struct fan_ue
ue_of(enum fan_kind kind, uint8_t cipher, uint8_t integrity)
{
	struct fan_ue ue;

	fan_ue_init(&ue, kind);
	ue.cipher = cipher;
	ue.integrity = integrity;
	memset(ue.k_enc, 1, sizeof(ue.k_enc));
	memset(ue.k_int, 1, sizeof(ue.k_int));
	return ue;
}

/* Of KDF_keys.json: what a stack of others has under the same K_ASME, K_AMF, K_eNB and S-K_gNB. */
Test(keys_ue, has_the_keys_of_published_vectors)
{
	static const struct {
		enum fan_kind kind;
		enum fan_parent_key which;
		uint8_t cipher, integrity;
		const char *parent, *k_enc, *k_int;
	} cases[] = {
		{ FAN_KIND_EPS_NAS, FAN_PARENT_K_ASME, 0, 1, "d5ef4d8f33266902295d42f322a2f2cf11fb2ccc124c09b4d88d361597037990",
		  "e4cf7fecbad4b8c37db4a190e119225c", "b79408e243dd367dc8c6392295b3b451" },
		{ FAN_KIND_5GS_NAS, FAN_PARENT_K_AMF, 0, 2, "7d861852b42a86b596fe22c8f50b9b895a1e21716b61b8d122785e25bafc0d07",
		  "fc7e99b98b8c04201f4f9d81433b6b38", "a53ee884b98d366b0289231ec4191ed3" },
		{ FAN_KIND_LTE_PDCP_12, FAN_PARENT_K_ENB, 0, FAN_INTEGRITY_NONE,
		  "c4c7bc798ab94e3d354cd6608e79aa92f5569df46519507850051e36f018ca5f", "9c3c92e1ddc0c8c5706cbb8f955e8263",
		  "00000000000000000000000000000000" },
		{ FAN_KIND_NR_PDCP_18, FAN_PARENT_K_GNB, 2, FAN_INTEGRITY_NONE,
		  "45cbc3f8a81193fd5c5229300d59edf812e998a115ec4e0ce903ba89367e2628", "152052d3dfbc3f05869b7f920095be68",
		  "00000000000000000000000000000000" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fan_ue ue = ue_of(cases[i].kind, cases[i].cipher, cases[i].integrity);
		uint8_t key[32], wanted[16];

		(void)fan_test_octets(key, cases[i].parent, sizeof(key));
		cr_assert_eq(fan_ue_derive(&ue, cases[i].which, key), 0, "%s", fan_error_detail());
		(void)fan_test_octets(wanted, cases[i].k_enc, sizeof(wanted));
		cr_assert_arr_eq(ue.k_enc, wanted, sizeof(wanted), "case %zu", i);
		(void)fan_test_octets(wanted, cases[i].k_int, sizeof(wanted));
		cr_assert_arr_eq(ue.k_int, wanted, sizeof(wanted), "case %zu", i);
	}
}

static const struct {
	enum fan_kind kind;
	enum fan_parent_key which;
	enum fan_generation generation;
	enum fan_key_use enc;
} hang[] = {
	{ FAN_KIND_EPS_NAS, FAN_PARENT_K_ASME, FAN_GENERATION_EPS, FAN_USE_NAS_ENC },
	{ FAN_KIND_5GS_NAS, FAN_PARENT_K_AMF, FAN_GENERATION_5GS, FAN_USE_NAS_ENC },
	{ FAN_KIND_LTE_PDCP_12, FAN_PARENT_K_ENB, FAN_GENERATION_EPS, FAN_USE_UP_ENC },
	{ FAN_KIND_LTE_PDCP_18, FAN_PARENT_K_ENB, FAN_GENERATION_EPS, FAN_USE_UP_ENC },
	{ FAN_KIND_NR_PDCP_12, FAN_PARENT_K_ENB, FAN_GENERATION_EPS, FAN_USE_UP_ENC },
	{ FAN_KIND_NR_PDCP_18, FAN_PARENT_K_ENB, FAN_GENERATION_EPS, FAN_USE_UP_ENC },
	{ FAN_KIND_NR_PDCP_12, FAN_PARENT_K_GNB, FAN_GENERATION_5GS, FAN_USE_UP_ENC },
	{ FAN_KIND_NR_PDCP_18, FAN_PARENT_K_GNB, FAN_GENERATION_5GS, FAN_USE_UP_ENC },
};

static bool
hangs(enum fan_kind kind, enum fan_parent_key which)
{
	for (size_t i = 0; i < sizeof(hang) / sizeof(hang[0]); i++)
		if (hang[i].kind == kind && hang[i].which == which)
			return true;
	return false;
}

Test(keys_ue, each_kind_has_the_keys_of_its_use_and_generation)
{
	for (size_t i = 0; i < sizeof(hang) / sizeof(hang[0]); i++)
		for (uint8_t algorithm = 0; algorithm <= FAN_ALGORITHM_MAX; algorithm++) {
			struct fan_ue ue = ue_of(hang[i].kind, algorithm, FAN_ALGORITHM_MAX - algorithm);
			uint8_t wanted[16];

			cr_assert_eq(fan_ue_derive(&ue, hang[i].which, parent), 0, "%s", fan_error_detail());
			(void)fan_algorithm_key(wanted, 16, parent, hang[i].generation, hang[i].enc, algorithm);
			cr_assert_arr_eq(ue.k_enc, wanted, 16, "case %zu", i);
			(void)fan_algorithm_key(wanted, 16, parent, hang[i].generation, hang[i].enc + 1, ue.integrity);
			cr_assert_arr_eq(ue.k_int, wanted, 16, "case %zu", i);
		}
}

Test(keys_ue, no_integrity_has_no_key)
{
	static const uint8_t zero[FAN_KEY_BYTES];
	struct fan_ue ue = ue_of(FAN_KIND_LTE_PDCP_18, 2, FAN_INTEGRITY_NONE);

	cr_assert_eq(fan_ue_derive(&ue, FAN_PARENT_K_ENB, parent), 0);
	cr_assert_neq(memcmp(ue.k_enc, zero, sizeof(zero)), 0);
	cr_assert_arr_eq(ue.k_int, zero, sizeof(zero));
}

Test(keys_ue, refuses_another_kinds_parent_and_leaves_no_key)
{
	static const uint8_t zero[FAN_KEY_BYTES];

	for (unsigned kind = 0; kind <= FAN_KIND_COUNT; kind++)
		for (unsigned which = 0; which <= FAN_PARENT_K_GNB + 1; which++) {
			struct fan_ue ue = ue_of((enum fan_kind)kind, 2, 2);

			if (hangs((enum fan_kind)kind, (enum fan_parent_key)which))
				continue;
			cr_assert_eq(fan_ue_derive(&ue, (enum fan_parent_key)which, parent), FAN_E_INVALID, "%u %u", kind,
				     which);
			cr_assert_arr_eq(ue.k_enc, zero, sizeof(zero));
			cr_assert_arr_eq(ue.k_int, zero, sizeof(zero));
		}
}

Test(keys_ue, refuses_algorithms_that_there_are_not)
{
	static const uint8_t zero[FAN_KEY_BYTES];
	struct fan_ue cipher = ue_of(FAN_KIND_EPS_NAS, FAN_ALGORITHM_MAX + 1, 2),
		      integrity = ue_of(FAN_KIND_EPS_NAS, 2, FAN_ALGORITHM_MAX + 1);

	cr_assert_eq(fan_ue_derive(&cipher, FAN_PARENT_K_ASME, parent), FAN_E_INVALID);
	cr_assert_eq(fan_ue_derive(&integrity, FAN_PARENT_K_ASME, parent), FAN_E_INVALID);
	cr_assert_arr_eq(integrity.k_enc, zero, sizeof(zero));
	cr_assert_arr_eq(integrity.k_int, zero, sizeof(zero));
}

static struct fan_ue derived;

static void
derive(void *user)
{
	(void)user;
	derived = ue_of(FAN_KIND_5GS_NAS, 2, 2);
	cr_assert_eq(fan_ue_derive(&derived, FAN_PARENT_K_AMF, parent), 0);
}

Test(keys_ue, leaves_no_key_on_the_stack)
{
	cr_assert_not(fan_test_left_on_stack(derive, NULL, parent, 8));
	cr_assert_not(fan_test_left_on_stack(derive, NULL, derived.k_enc, 8));
	cr_assert_not(fan_test_left_on_stack(derive, NULL, derived.k_int, 8));
}
