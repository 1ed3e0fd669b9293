/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/keys/milenage.h"
#include "residue.h"
#include "vectors.h"

#include <criterion/criterion.h>
#include <string.h>

#define IS(octets, field)                                                                                                      \
	do {                                                                                                                   \
		uint8_t wanted[sizeof(octets)];                                                                                \
		cr_assert_eq(fan_vector_bytes(vector, wanted, field, sizeof(wanted)), sizeof(wanted));                         \
		cr_assert_arr_eq(octets, wanted, sizeof(wanted), "%s: %s", fan_vector_text(vector, "id"), field);              \
	} while (0)

Test(keys_milenage, yields_what_the_published_test_sets_have)
{
	struct fan_vectors vectors = fan_vectors_load("MILENAGE.json");

	for (size_t i = 0; i < vectors.count; i++) {
		const json_t *vector = fan_vector_at(&vectors, i);
		uint8_t op[16], rand[16], sqn[6], amf[2], mac_a[8], mac_s[8], ak_star[6];
		struct fan_milenage subscriber;
		struct fan_milenage_answer answer;

		(void)fan_vector_bytes(vector, subscriber.k, "k", 16);
		(void)fan_vector_bytes(vector, op, "op", 16);
		(void)fan_vector_bytes(vector, rand, "rand", 16);
		(void)fan_vector_bytes(vector, sqn, "sqn", 6);
		(void)fan_vector_bytes(vector, amf, "amf", 2);
		cr_assert_eq(fan_milenage_opc(&subscriber, op), 0);
		IS(subscriber.opc, "opc");
		cr_assert_eq(fan_milenage_f1(mac_a, mac_s, &subscriber, rand, sqn, amf), 0);
		IS(mac_a, "f1");
		IS(mac_s, "f1star");
		cr_assert_eq(fan_milenage_f2345(&answer, &subscriber, rand), 0);
		IS(answer.res, "f2_res");
		IS(answer.ck, "f3_ck");
		IS(answer.ik, "f4_ik");
		IS(answer.ak, "f5_ak");
		cr_assert_eq(fan_milenage_f5_star(ak_star, &subscriber, rand), 0);
		IS(ak_star, "f5star");
	}
	fan_vectors_free(&vectors);
}

static struct fan_milenage_answer answer;
static struct fan_milenage subscriber = { .k = "a key of 16 byte", .opc = "a constant of it" };

static void
answer_challenge(void *user)
{
	static const uint8_t rand[16] = "a challenge here", sqn[6], amf[2];
	uint8_t mac_a[8], mac_s[8];

	(void)user;
	cr_assert_eq(fan_milenage_f1(mac_a, mac_s, &subscriber, rand, sqn, amf), 0);
	cr_assert_eq(fan_milenage_f2345(&answer, &subscriber, rand), 0);
}

Test(keys_milenage, leaves_no_key_on_the_stack)
{
	cr_assert_not(fan_test_left_on_stack(answer_challenge, NULL, subscriber.k, 8));
	cr_assert_not(fan_test_left_on_stack(answer_challenge, NULL, subscriber.opc, 8));
	cr_assert_not(fan_test_left_on_stack(answer_challenge, NULL, answer.ck, 8));
	cr_assert_not(fan_test_left_on_stack(answer_challenge, NULL, answer.res, 8));
}
