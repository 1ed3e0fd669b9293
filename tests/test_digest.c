/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/keys/digest.h"

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <string.h>

/* RFC 7616 3.9.1. */
static const struct fan_digest_request of_the_rfc = {
	.algorithm = FAN_DIGEST_MD5,
	.method = "GET",
	.uri = "/dir/index.html",
	.username = "Mufasa",
	.realm = "http-auth@example.org",
	.nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
	.cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
	.nc = "00000001",
	.qop = "auth",
};

Test(digest, computes_the_examples_of_rfc_7616_and_rfc_2617)
{
	const struct fan_digest_request of_rfc_2617 = { .method = "GET",
							.uri = "/dir/index.html",
							.username = "Mufasa",
							.realm = "testrealm@host.com",
							.nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093",
							.cnonce = "0a4f113b",
							.nc = "00000001",
							.qop = "auth" };
	struct fan_digest_request request = of_the_rfc;
	char hex[FAN_DIGEST_HEX_BYTES];

	cr_assert_eq(fan_digest_response(hex, &request, "Circle of Life"), 0);
	cr_assert_str_eq(hex, "8ca523f5e9506fed4657c9700eebdbec");
	request.algorithm = FAN_DIGEST_SHA256;
	cr_assert_eq(fan_digest_response(hex, &request, "Circle of Life"), 0);
	cr_assert_str_eq(hex, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
	cr_assert_eq(fan_digest_response(hex, &of_rfc_2617, "Circle Of Life"), 0);
	cr_assert_str_eq(hex, "6629fae49393a05397450978507c4ef1");
}

/* A UE that registers: MRK in base64 is its password. The response is Python's hashlib's over the rule of RFC 7616 3.4, with the body. */
static struct fan_digest_expected expected;
static struct fan_digest_request registration;

static void
begin(void)
{
	expected = (struct fan_digest_expected){ .b_tid = "I1U8vpY3qJ0hiuZNrke/NQ==@bsf.example",
						 .realm = "3GPP-bootstrapping@bmsc.example",
						 .nonce = "a nonce of ours",
						 .mrk = "an MRK of 32 octets for tests...",
						 .nc_next = 1 };
	registration = (struct fan_digest_request){ .method = "POST",
						    .uri = "/keymanagement?requesttype=register",
						    .username = expected.b_tid,
						    .realm = expected.realm,
						    .nonce = expected.nonce,
						    .cnonce = "a nonce of the UE",
						    .nc = "00000001",
						    .qop = "auth-int",
						    .body = "<service/>",
						    .body_bytes = 10,
						    .response = "570d95b600f42331e738950d3c71e5d5" };
}

TestSuite(digest_check, .init = begin);

static int
check(void)
{
	return fan_digest_check(&expected, &registration);
}

Test(digest_check, a_ue_with_its_mrk_is_taken_once_per_nc)
{
	cr_assert_eq(check(), 0, "%s", fan_error_detail());
	cr_assert_eq(expected.nc_next, 2);
	cr_assert_eq(check(), FAN_E_INVALID, "the same request again is a replay");
}

Test(digest_check, another_mrk_name_realm_nonce_method_uri_or_body_is_refused)
{
	const struct fan_digest_request right = registration;

	expected.mrk[31] ^= 1;
	cr_assert_eq(check(), FAN_E_INVALID);
	expected.mrk[31] ^= 1;
	registration.username = "somebody@bsf.example";
	cr_assert_eq(check(), FAN_E_INVALID);
	registration = right;
	registration.realm = "3GPP-bootstrapping@other.example";
	cr_assert_eq(check(), FAN_E_INVALID);
	registration = right;
	registration.nonce = "a nonce of ourt";
	cr_assert_eq(check(), FAN_E_INVALID);
	registration = right;
	registration.method = "GET";
	cr_assert_eq(check(), FAN_E_INVALID);
	registration = right;
	registration.uri = "/keymanagement?requesttype=deregister";
	cr_assert_eq(check(), FAN_E_INVALID);
	registration = right;
	registration.body = "<service>.";
	cr_assert_eq(check(), FAN_E_INVALID);
	registration = right;
	cr_assert_eq(check(), 0, "what was refused used up no nc");
}

/* The response of whoever has the MRK, to what the request says now. */
static void
sign(void)
{
	static char response[FAN_DIGEST_HEX_BYTES];
	char password[48];

	(void)EVP_EncodeBlock((uint8_t *)password, expected.mrk, sizeof(expected.mrk));
	cr_assert_eq(fan_digest_response(response, &registration, password), 0);
	registration.response = response;
}

Test(digest_check, a_right_response_to_another_nonce_realm_or_name_is_refused)
{
	const struct fan_digest_request right = registration;

	registration.nonce = "a nonce of yesterday";
	sign();
	cr_assert_eq(check(), FAN_E_INVALID);
	registration = right;
	registration.realm = "3GPP-bootstrapping@other.example";
	sign();
	cr_assert_eq(check(), FAN_E_INVALID);
	registration = right;
	registration.username = "somebody@bsf.example";
	sign();
	cr_assert_eq(check(), FAN_E_INVALID);
	registration = right;
	sign();
	cr_assert_eq(check(), 0);
}

Test(digest_check, what_is_missing_or_of_another_form_is_refused)
{
	const struct fan_digest_request right = registration;

	registration.response = NULL;
	cr_assert_eq(check(), FAN_E_INVALID);
	registration.response = "";
	cr_assert_eq(check(), FAN_E_INVALID);
	registration = right;
	registration.cnonce = NULL;
	cr_assert_eq(check(), FAN_E_INVALID);
	registration = right;
	registration.qop = "auth-conf";
	cr_assert_eq(check(), FAN_E_INVALID);
	registration = right;
	registration.nc = "1";
	cr_assert_eq(check(), FAN_E_INVALID);
	registration.nc = "0000000g";
	cr_assert_eq(check(), FAN_E_INVALID);
	registration.nc = "ffffffff";
	cr_assert_eq(check(), FAN_E_INVALID);
}

Test(digest_check, no_reason_names_the_response_or_the_mrk)
{
	registration.response = "0123456789abcdef0123456789abcdef";
	cr_assert_eq(check(), FAN_E_INVALID);
	cr_assert_null(strstr(fan_error_detail(), registration.response));
}
