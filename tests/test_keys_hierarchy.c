/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/keys/hierarchy.h"
#include "octets.h"
#include "residue.h"
#include "vectors.h"

#include <criterion/criterion.h>
#include <string.h>

/* ---- Published vectors, through the function of each key --------------------------------------------------------------------- */

#define PARAMETERS_MAX 3

struct row {
	uint8_t key[32], parameter[PARAMETERS_MAX][64], out[32];
	size_t byte_count[PARAMETERS_MAX];
	char text[65]; /* the first parameter, closed by a zero */
};

static void
read_row(struct row *row, const json_t *vector)
{
	const json_t *list = json_object_get(vector, "params");

	memset(row, 0, sizeof(*row));
	cr_assert_eq(fan_vector_bytes(vector, row->key, "key", 32), 32);
	cr_assert_leq(json_array_size(list), PARAMETERS_MAX);
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *one = json_pack("{s:s, s:O}", "id", fan_vector_text(vector, "id"), "hex", json_array_get(list, i));

		row->byte_count[i] = fan_vector_bytes(one, row->parameter[i], "hex", sizeof(row->parameter[i]));
		json_decref(one);
	}
	memcpy(row->text, row->parameter[0], sizeof(row->parameter[0]));
}

static uint32_t
number(const struct row *row, unsigned at)
{
	uint32_t value = 0;

	for (size_t i = 0; i < row->byte_count[at]; i++)
		value = value << 8 | row->parameter[at][i];
	return value;
}

/* Under CK || IK. */
static int
derive_from_pair(struct row *row, uint8_t fc)
{
	const uint8_t *ck = row->key, *ik = row->key + 16;

	if (fc == 0x10)
		return fan_k_asme(row->out, ck, ik, row->parameter[0], row->parameter[1]);
	if (fc == 0x6a)
		return fan_k_ausf(row->out, ck, ik, row->text, row->parameter[1]);
	if (fc == 0x6b)
		return fan_res_star(row->out, ck, ik, row->text, row->parameter[1], row->parameter[2], row->byte_count[2]);
	cr_assert_eq(fc, 0x20);
	return fan_ck_ik_prime(row->out, row->out + 16, ck, ik, row->text, row->parameter[1]);
}

static int
derive(struct row *row, uint8_t fc)
{
	switch (fc) {
	case 0x11:
		return fan_k_enb(row->out, row->key, number(row, 0));
	case 0x12:
		return fan_eps_nh(row->out, row->key, row->parameter[0]);
	case 0x13:
		return fan_k_enb_star(row->out, row->key, (uint16_t)number(row, 0), number(row, 1));
	case 0x1c:
		return fan_s_k_enb(row->out, row->key, (uint16_t)number(row, 0));
	case 0x6c:
		return fan_k_seaf(row->out, row->key, row->text);
	case 0x6d:
		return fan_k_amf(row->out, row->key, row->text, row->parameter[1], (uint16_t)row->byte_count[1]);
	case 0x6e:
		return fan_k_gnb(row->out, row->key, number(row, 0), (enum fan_access)number(row, 1));
	case 0x15:
	case 0x69:
		return fan_algorithm_key(row->out, 32, row->key, (enum fan_generation)fc, (enum fan_key_use)number(row, 0),
					 (uint8_t)number(row, 1));
	default:
		return derive_from_pair(row, fc);
	}
}

Test(keys_hierarchy, yields_the_keys_of_the_published_vectors)
{
	struct fan_vectors vectors = fan_vectors_load("KDF_keys.json");
	unsigned derived = 0;

	for (size_t i = 0; i < vectors.count; i++) {
		const json_t *vector = fan_vector_at(&vectors, i);
		uint8_t fc, wanted[32];
		struct row row;
		size_t wanted_bytes;

		if (!fan_vector_has(vector, "fc"))
			continue;
		cr_assert_eq(fan_vector_bytes(vector, &fc, "fc", 1), 1);
		/* Its ARFCN-DL has two octets, and the standard's three (TS 33.501 A.11): the next test has that key. */
		if (fc == 0x70)
			continue;
		read_row(&row, vector);
		wanted_bytes = fan_vector_bytes(vector, wanted, "output", sizeof(wanted));
		cr_assert_eq(derive(&row, fc), 0, "%s: %s", fan_vector_text(vector, "id"), fan_error_detail());
		cr_assert_arr_eq(row.out, wanted, wanted_bytes, "%s", fan_vector_text(vector, "id"));
		derived++;
	}
	cr_assert_eq(derived, 25);
	fan_vectors_free(&vectors);
}

/* ---- What no vector has, against S as the standard lays it out ----------------------------------------------------------------- */

static const uint8_t key[] = "a key of the tests, of 32 octets", other[] = "another key there, of 32 octets.";

static void
is_kdf(const uint8_t out[32], const char *s_hex)
{
	uint8_t s[128], wanted[32];
	const size_t s_bytes = fan_test_octets(s, s_hex, sizeof(s));
	/* Read from its end, where the last length stands. */
	struct fan_kdf_parameter parameters[PARAMETERS_MAX];
	unsigned count = 0;
	size_t end = s_bytes;

	while (end > 1) {
		const size_t byte_count = (size_t)s[end - 2] << 8 | s[end - 1];

		cr_assert(count < PARAMETERS_MAX && byte_count + 3 <= end, "%s", s_hex);
		end -= byte_count + 2;
		parameters[PARAMETERS_MAX - ++count] = (struct fan_kdf_parameter){ s + end, (uint16_t)byte_count };
	}
	cr_assert_eq(fan_kdf(wanted, key, 32, s[0], parameters + PARAMETERS_MAX - count, count), 0);
	cr_assert_arr_eq(out, wanted, 32, "%s", s_hex);
}

Test(keys_hierarchy, lays_out_every_input_as_the_standard_does)
{
	static const char other_hex[] = "616e6f74686572206b65792074686572652c206f66203332206f63746574732e";
	uint8_t out[32];
	char s[160];

	cr_assert_eq(fan_k_enb(out, key, 0x01020304), 0);
	is_kdf(out, "11010203040004");
	cr_assert_eq(fan_eps_nh(out, key, other), 0);
	(void)snprintf(s, sizeof(s), "12%s0020", other_hex);
	is_kdf(out, s);
	cr_assert_eq(fan_k_enb_star(out, key, 503, 65535), 0);
	is_kdf(out, "1301f70002ffff0002");
	cr_assert_eq(fan_k_enb_star(out, key, 1, 65536), 0);
	is_kdf(out, "13000100020100000003");
	cr_assert_eq(fan_s_k_enb(out, key, 0xfffe), 0);
	is_kdf(out, "1cfffe0002");
	cr_assert_eq(fan_k_gnb(out, key, 0x00ffffff, FAN_ACCESS_NON_3GPP), 0);
	is_kdf(out, "6e00ffffff0004020001");
	cr_assert_eq(fan_5gs_nh(out, key, other), 0);
	(void)snprintf(s, sizeof(s), "6f%s0020", other_hex);
	is_kdf(out, s);
	cr_assert_eq(fan_k_ng_ran_star(out, key, 0x0020, 0x0231), 0);
	is_kdf(out, "70002000020002310003");
	cr_assert_eq(fan_k_ng_ran_star(out, key, 1007, 3279165), 0);
	is_kdf(out, "7003ef000232093d0003");
	cr_assert_eq(fan_k_amf(out, key, "00101", (const uint8_t *)"\1\2\3", 3), 0);
	is_kdf(out, "6d303031303100050102030003");
}

Test(keys_hierarchy, a_key_of_128_bits_is_the_end_of_one_of_256)
{
	uint8_t whole[32], half[16];

	for (unsigned use = FAN_USE_NAS_ENC; use <= FAN_USE_UP_INT; use++)
		for (uint8_t algorithm = 0; algorithm <= FAN_ALGORITHM_IDENTITY_MAX; algorithm++) {
			cr_assert_eq(fan_algorithm_key(whole, 32, key, FAN_GENERATION_5GS, use, algorithm), 0);
			cr_assert_eq(fan_algorithm_key(half, 16, key, FAN_GENERATION_5GS, use, algorithm), 0);
			cr_assert_arr_eq(half, whole + 16, 16);
			cr_assert_eq(fan_algorithm_key(half, 16, key, FAN_GENERATION_EPS, use, algorithm), 0);
			cr_assert_neq(memcmp(half, whole + 16, 16), 0, "the generations have keys of their own");
		}
}

/* ---- EAP-AKA' --------------------------------------------------------------------------------------------------------------------- */

/* RFC 5448 Appendix C, case 1. */
Test(keys_hierarchy, cuts_up_the_master_key_of_eap_aka_prime_as_the_rfc_does)
{
	uint8_t ck_prime[16], ik_prime[16], octets[64];
	struct fan_eap_keys keys;

	(void)fan_test_octets(ck_prime, "0093962d0dd84aa5684b045c9edffa04", 16);
	(void)fan_test_octets(ik_prime, "ccfc230ca74fcc96c0a5d61164f5a76c", 16);
	cr_assert_eq(fan_eap_keys(&keys, ck_prime, ik_prime, "0555444333222111"), 0);
	(void)fan_test_octets(octets, "766fa0a6c317174b812d52fbcd11a179", 64);
	cr_assert_arr_eq(keys.k_encr, octets, 16);
	(void)fan_test_octets(octets, "0842ea722ff6835bfa2032499fc3ec23c2f0e388b4f07543ffc677f1696d71ea", 64);
	cr_assert_arr_eq(keys.k_aut, octets, 32);
	(void)fan_test_octets(octets, "cf83aa8bc7e0aced892acc98e76a9b2095b558c7795c7094715cb3393aa7d17a", 64);
	cr_assert_arr_eq(keys.k_re, octets, 32);
	(void)fan_test_octets(octets,
			      "67c42d9aa56c1b79e295e3459fc3d187d42be0bf818d3070e362c5e967a4d544"
			      "e8ecfe19358ab3039aff03b7c930588c055babee58a02650b067ec4e9347c75a",
			      64);
	cr_assert_arr_eq(keys.msk, octets, 64);
	(void)fan_test_octets(octets,
			      "f861703cd775590e16c7679ea3874ada866311de290764d760cf76df647ea01c"
			      "313f69924bdd7650ca9bac141ea075c4ef9e8029c0e290cdbad5638b63bc23fb",
			      64);
	cr_assert_arr_eq(keys.emsk, octets, 64);
}

/* ---- Refusals --------------------------------------------------------------------------------------------------------------------- */

#define REFUSED(call, out)                                                                                                     \
	do {                                                                                                                   \
		memset(out, 1, sizeof(out));                                                                                   \
		cr_assert_eq(call, FAN_E_INVALID, #call);                                                                      \
		cr_assert(out[0] == 0 && memcmp(out, out + 1, sizeof(out) - 1) == 0, #call " leaves something");               \
	} while (0)

Test(keys_hierarchy, refuses_what_is_out_of_range_and_leaves_no_key)
{
	static char longest[1024 + 1], too_long[1025 + 1];
	uint8_t out[32], half[16], prime[16];

	memset(longest, 'x', 1024);
	memset(too_long, 'x', 1025);
	REFUSED(fan_k_enb_star(out, key, 504, 1), out);
	REFUSED(fan_k_enb_star(out, key, 1, 262144), out);
	REFUSED(fan_k_ng_ran_star(out, key, 1008, 1), out);
	REFUSED(fan_k_ng_ran_star(out, key, 1, 3279166), out);
	REFUSED(fan_k_gnb(out, key, 0, (enum fan_access)3), out);
	REFUSED(fan_k_gnb(out, key, 0, (enum fan_access)0), out);
	REFUSED(fan_k_seaf(out, key, ""), out);
	REFUSED(fan_k_seaf(out, key, too_long), out);
	REFUSED(fan_k_amf(out, key, "", key, 2), out);
	REFUSED(fan_k_ausf(out, key, key, "", key), out);
	REFUSED(fan_res_star(half, key, key, "5G:x", key, key, 3), half);
	REFUSED(fan_res_star(half, key, key, "5G:x", key, key, 17), half);
	REFUSED(fan_ck_ik_prime(half, prime, key, key, "", key), half);
	REFUSED(fan_algorithm_key(half, 16, key, FAN_GENERATION_EPS, (enum fan_key_use)0, 1), half);
	REFUSED(fan_algorithm_key(half, 16, key, FAN_GENERATION_EPS, (enum fan_key_use)7, 1), half);
	REFUSED(fan_algorithm_key(half, 16, key, (enum fan_generation)0x16, FAN_USE_UP_ENC, 1), half);
	REFUSED(fan_algorithm_key(half, 16, key, FAN_GENERATION_5GS, FAN_USE_UP_ENC, 16), half);
	cr_assert_eq(fan_algorithm_key(half, 15, key, FAN_GENERATION_5GS, FAN_USE_UP_ENC, 1), FAN_E_INVALID);
	cr_assert_eq(fan_k_seaf(out, key, longest), 0);
}

/* ---- Residue ---------------------------------------------------------------------------------------------------------------------- */

static uint8_t derived[32], half[16], ck_prime[16], ik_prime[16];
static struct fan_eap_keys eap_keys;

static void
derive_k_asme(void *user)
{
	(void)user;
	cr_assert_eq(fan_k_asme(derived, key, other, key, key), 0);
}

static void
derive_half(void *user)
{
	(void)user;
	cr_assert_eq(fan_algorithm_key(half, 16, key, FAN_GENERATION_EPS, FAN_USE_NAS_ENC, 2), 0);
}

static void
derive_res_star(void *user)
{
	(void)user;
	cr_assert_eq(fan_res_star(half, key, other, "5G:x", key, key, 8), 0);
}

static void
derive_primes(void *user)
{
	(void)user;
	cr_assert_eq(fan_ck_ik_prime(ck_prime, ik_prime, key, other, "WLAN", key), 0);
}

static void
derive_eap(void *user)
{
	(void)user;
	cr_assert_eq(fan_eap_keys(&eap_keys, ck_prime, ik_prime, "0555444333222111"), 0);
}

/* One call each: a later one would write over what an earlier one has left. */
Test(keys_hierarchy, leaves_no_key_on_the_stack)
{
	uint8_t whole[32];

	cr_assert_not(fan_test_left_on_stack(derive_k_asme, NULL, key, 8));
	cr_assert_not(fan_test_left_on_stack(derive_k_asme, NULL, other, 8));
	cr_assert_not(fan_test_left_on_stack(derive_k_asme, NULL, derived, 8));
	cr_assert_eq(fan_algorithm_key(whole, 32, key, FAN_GENERATION_EPS, FAN_USE_NAS_ENC, 2), 0);
	cr_assert_not(fan_test_left_on_stack(derive_half, NULL, whole, 8), "the half that was not asked for");
	cr_assert_not(fan_test_left_on_stack(derive_half, NULL, whole + 16, 8));
	cr_assert_not(fan_test_left_on_stack(derive_res_star, NULL, half, 8));
	cr_assert_not(fan_test_left_on_stack(derive_primes, NULL, ck_prime, 8));
	cr_assert_not(fan_test_left_on_stack(derive_primes, NULL, ik_prime, 8));
	cr_assert_not(fan_test_left_on_stack(derive_eap, NULL, ck_prime, 8));
	cr_assert_not(fan_test_left_on_stack(derive_eap, NULL, eap_keys.emsk, 8));
}
