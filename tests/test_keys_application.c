/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/keys/application.h"
#include "residue.h"
#include "vectors.h"

#include <criterion/criterion.h>
#include <string.h>

/* No published vector of GBA is known. These are our own: they say that two implementations agree, this and a Python one, and prove no more. */
Test(keys_application, agrees_with_another_implementation_on_gba)
{
	struct fan_vectors vectors = fan_vectors_load("GBA_AKMA_own.json");
	const json_t *vector = fan_vector_at(&vectors, 0);
	uint8_t ck[16], ik[16], rand[16], protocol[FAN_UA_BYTES], naf_id[300], out[32], wanted[32];
	char impi[FAN_IMPI_BYTES], b_tid[FAN_B_TID_BYTES];
	struct fan_application naf;

	(void)fan_vector_bytes(vector, ck, "ck", 16);
	(void)fan_vector_bytes(vector, ik, "ik", 16);
	(void)fan_vector_bytes(vector, rand, "rand", 16);
	(void)fan_vector_bytes(vector, protocol, "ua_security_protocol_id", sizeof(protocol));
	cr_assert_eq(fan_gba_impi(impi, "001010123456789", 2), 0);
	cr_assert_str_eq(impi, fan_vector_text(vector, "impi"));
	cr_assert_eq(fan_gba_b_tid(b_tid, rand, "bsf.mnc001.mcc001.pub.3gppnetwork.org"), 0);
	cr_assert_str_eq(b_tid, fan_vector_text(vector, "b_tid"));
	cr_assert_eq(fan_application_name(&naf, fan_vector_text(vector, "naf_fqdn"), protocol), 0);
	cr_assert_eq(naf.byte_count, fan_vector_bytes(vector, naf_id, "naf_id", sizeof(naf_id)));
	cr_assert_arr_eq(naf.octets, naf_id, naf.byte_count);
	cr_assert_eq(fan_gba_key(out, ck, ik, FAN_GBA_NAF, rand, impi, &naf), 0);
	(void)fan_vector_bytes(vector, wanted, "ks_naf", sizeof(wanted));
	cr_assert_arr_eq(out, wanted, sizeof(wanted));
	cr_assert_eq(fan_gba_key(out, ck, ik, FAN_GBA_INT_NAF, rand, impi, &naf), 0);
	(void)fan_vector_bytes(vector, wanted, "ks_int_naf", sizeof(wanted));
	cr_assert_arr_eq(out, wanted, sizeof(wanted));
	fan_vectors_free(&vectors);
}

static const uint8_t key[] = "a key of the tests, of 32 octets", protocol[FAN_UA_BYTES] = { 1, 0, 0, 0, 1 };

static void
is_kdf(const uint8_t out[32], uint8_t fc, const char *first, const char *second)
{
	const struct fan_kdf_parameter parameters[] = { { first, (uint16_t)strlen(first) },
							{ second, (uint16_t)strlen(second) } };
	uint8_t wanted[32];

	cr_assert_eq(fan_kdf(wanted, key, 32, fc, parameters, 2), 0);
	cr_assert_arr_eq(out, wanted, 32);
}

Test(keys_application, derives_the_keys_of_akma)
{
	const struct fan_kdf_parameter af_id = { "af.example\1\0\0\0\1", 15 };
	struct fan_application af;
	uint8_t out[32], wanted[32];

	cr_assert_eq(fan_k_akma(out, key, "001010123456789"), 0);
	is_kdf(out, 0x80, "AKMA", "001010123456789");
	cr_assert_eq(fan_akma_a_tid(out, key, "001010123456789"), 0);
	is_kdf(out, 0x81, "A-TID", "001010123456789");
	cr_assert_eq(fan_application_name(&af, "af.example", protocol), 0);
	cr_assert_eq(fan_k_af(out, key, &af), 0);
	cr_assert_eq(fan_kdf(wanted, key, 32, 0x82, &af_id, 1), 0);
	cr_assert_arr_eq(out, wanted, 32);
}

Test(keys_application, an_mnc_of_three_digits_has_its_own)
{
	char impi[FAN_IMPI_BYTES];

	cr_assert_eq(fan_gba_impi(impi, "310410123456789", 3), 0);
	cr_assert_str_eq(impi, "310410123456789@ims.mnc410.mcc310.3gppnetwork.org");
}

Test(keys_application, refuses_names_that_cannot_be_and_leaves_no_key)
{
	static const char *const no_imsi[] = { "", "12345", "0010101234567890", "00101x", "001010123456789@x" };
	static const uint8_t zero[32];
	struct fan_application none = { .byte_count = 0 }, too_long = { .byte_count = FAN_FQDN_BYTES_MAX + FAN_UA_BYTES + 1 },
			       af;
	char fqdn[FAN_FQDN_BYTES_MAX + 2], impi[FAN_IMPI_BYTES], b_tid[FAN_B_TID_BYTES];
	uint8_t out[32];

	for (size_t i = 0; i < sizeof(no_imsi) / sizeof(no_imsi[0]); i++)
		cr_assert_eq(fan_gba_impi(impi, no_imsi[i], 2), FAN_E_INVALID, "%s", no_imsi[i]);
	cr_assert_eq(fan_gba_impi(impi, "001010", 4), FAN_E_INVALID);
	cr_assert_str_eq(impi, "");
	memset(fqdn, 'x', sizeof(fqdn) - 1);
	fqdn[sizeof(fqdn) - 1] = '\0';
	cr_assert_eq(fan_application_name(&af, fqdn, protocol), FAN_E_INVALID);
	cr_assert_eq(fan_application_name(&af, "", protocol), FAN_E_INVALID);
	cr_assert_eq(fan_gba_b_tid(b_tid, key, fqdn), FAN_E_INVALID);
	fqdn[sizeof(fqdn) - 2] = '\0';
	cr_assert_eq(fan_application_name(&af, fqdn, protocol), 0);
	cr_assert_eq(fan_gba_b_tid(b_tid, key, fqdn), 0);
	cr_assert_eq(strlen(b_tid), FAN_B_TID_BYTES - 1);
	memset(out, 1, sizeof(out));
	cr_assert_eq(fan_k_af(out, key, &none), FAN_E_INVALID);
	cr_assert_arr_eq(out, zero, sizeof(zero));
	memset(out, 1, sizeof(out));
	cr_assert_eq(fan_gba_key(out, key, key, FAN_GBA_NAF, key, "x", &too_long), FAN_E_INVALID);
	cr_assert_arr_eq(out, zero, sizeof(zero));
	cr_assert_eq(fan_gba_key(out, key, key, FAN_GBA_NAF, key, "", &af), FAN_E_INVALID);
	cr_assert_eq(fan_k_akma(out, key, ""), FAN_E_INVALID);
}

static uint8_t derived[32];

static void
derive(void *user)
{
	struct fan_application af;

	(void)user;
	cr_assert_eq(fan_application_name(&af, "af.example", protocol), 0);
	cr_assert_eq(fan_gba_key(derived, key, key + 16, FAN_GBA_NAF, key, "x", &af), 0);
}

Test(keys_application, leaves_no_key_on_the_stack)
{
	cr_assert_not(fan_test_left_on_stack(derive, NULL, key, 8));
	cr_assert_not(fan_test_left_on_stack(derive, NULL, derived, 8));
}
