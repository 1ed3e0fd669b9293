/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/keys/tuak.h"
#include "residue.h"
#include "vectors.h"

#include <criterion/criterion.h>
#include <string.h>

struct challenge {
	uint8_t top[32], rand[16], sqn[6], amf[2];
};

/* How long its values are is how long the vector's are. */
static struct fan_tuak
read_subscriber(struct challenge *challenge, const json_t *vector)
{
	struct fan_tuak subscriber = { .iterations = (uint8_t)fan_vector_number(vector, "keccak_iterations") };
	uint8_t value[32];

	subscriber.k_bytes = (uint8_t)fan_vector_bytes(vector, subscriber.k, "k", 32);
	subscriber.mac_bytes = (uint8_t)fan_vector_bytes(vector, value, "f1", 32);
	subscriber.res_bytes = (uint8_t)fan_vector_bytes(vector, value, "f2_res", 32);
	subscriber.ck_bytes = (uint8_t)fan_vector_bytes(vector, value, "f3_ck", 32);
	subscriber.ik_bytes = (uint8_t)fan_vector_bytes(vector, value, "f4_ik", 32);
	cr_assert_eq(fan_vector_bytes(vector, challenge->top, "top", 32), 32);
	cr_assert_eq(fan_vector_bytes(vector, challenge->rand, "rand", 16), 16);
	cr_assert_eq(fan_vector_bytes(vector, challenge->sqn, "sqn", 6), 6);
	cr_assert_eq(fan_vector_bytes(vector, challenge->amf, "amf", 2), 2);
	return subscriber;
}

static void
is(const json_t *vector, const char *field, const uint8_t *octets)
{
	uint8_t wanted[32];
	const size_t octet_count = fan_vector_bytes(vector, wanted, field, sizeof(wanted));

	cr_assert_arr_eq(octets, wanted, octet_count, "%s: %s", fan_vector_text(vector, "id"), field);
}

Test(keys_tuak, yields_what_the_published_test_sets_have)
{
	struct fan_vectors vectors = fan_vectors_load("TUAK.json");

	for (size_t i = 0; i < vectors.count; i++) {
		const json_t *vector = fan_vector_at(&vectors, i);
		struct challenge challenge;
		struct fan_tuak subscriber = read_subscriber(&challenge, vector);
		struct fan_tuak_answer answer;
		uint8_t mac[32], ak_star[6];

		cr_assert_eq(fan_tuak_topc(&subscriber, challenge.top), 0);
		is(vector, "topc", subscriber.topc);
		cr_assert_eq(fan_tuak_f1(mac, &subscriber, challenge.rand, challenge.sqn, challenge.amf), 0);
		is(vector, "f1", mac);
		cr_assert_eq(fan_tuak_f1_star(mac, &subscriber, challenge.rand, challenge.sqn, challenge.amf), 0);
		is(vector, "f1star", mac);
		cr_assert_eq(fan_tuak_f2345(&answer, &subscriber, challenge.rand), 0);
		is(vector, "f2_res", answer.res);
		is(vector, "f3_ck", answer.ck);
		is(vector, "f4_ik", answer.ik);
		is(vector, "f5_ak", answer.ak);
		cr_assert_eq(fan_tuak_f5_star(ak_star, &subscriber, challenge.rand), 0);
		is(vector, "f5star", ak_star);
	}
	fan_vectors_free(&vectors);
}

static struct fan_tuak subscriber = {
	.k = "a key of the tests, of 32 octets",
	.topc = "an operator's constant, of 32 bi",
	.k_bytes = 32,
	.mac_bytes = 8,
	.res_bytes = 16,
	.ck_bytes = 32,
	.ik_bytes = 16,
	.iterations = 3,
};
static const uint8_t rand_of_tests[16] = "a challenge here", sqn[6] = { 1 }, amf[2] = { 2 };

Test(keys_tuak, refuses_lengths_that_it_does_not_have)
{
	static const struct {
		size_t at;
		uint8_t value;
	} cases[] = {
		{ offsetof(struct fan_tuak, k_bytes), 24 },   { offsetof(struct fan_tuak, k_bytes), 0 },
		{ offsetof(struct fan_tuak, mac_bytes), 4 },  { offsetof(struct fan_tuak, mac_bytes), 33 },
		{ offsetof(struct fan_tuak, res_bytes), 12 }, { offsetof(struct fan_tuak, ck_bytes), 8 },
		{ offsetof(struct fan_tuak, ik_bytes), 64 },  { offsetof(struct fan_tuak, iterations), 0 },
	};
	static const uint8_t zero[sizeof(struct fan_tuak_answer)];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fan_tuak wrong = subscriber;
		struct fan_tuak_answer answer;
		uint8_t mac[32];

		((uint8_t *)&wrong)[cases[i].at] = cases[i].value;
		memset(&answer, 1, sizeof(answer));
		cr_assert_eq(fan_tuak_f2345(&answer, &wrong, rand_of_tests), FAN_E_INVALID, "case %zu", i);
		cr_assert_arr_eq(&answer, zero, sizeof(zero));
		cr_assert_eq(fan_tuak_f1(mac, &wrong, rand_of_tests, sqn, amf), FAN_E_INVALID, "case %zu", i);
		cr_assert_eq(fan_tuak_f1_star(mac, &wrong, rand_of_tests, sqn, amf), FAN_E_INVALID, "case %zu", i);
		cr_assert_eq(fan_tuak_f5_star(mac, &wrong, rand_of_tests), FAN_E_INVALID, "case %zu", i);
		cr_assert_eq(fan_tuak_topc(&wrong, subscriber.topc), FAN_E_INVALID, "case %zu", i);
	}
}

static struct fan_tuak_answer answered;

static void
answer_challenge(void *user)
{
	(void)user;
	cr_assert_eq(fan_tuak_f2345(&answered, &subscriber, rand_of_tests), 0);
}

static void
reverse(uint8_t *out, const uint8_t *in, size_t octet_count)
{
	for (size_t i = 0; i < octet_count; i++)
		out[i] = in[octet_count - 1 - i];
}

Test(keys_tuak, leaves_no_key_on_the_stack)
{
	uint8_t backwards[8];

	cr_assert_not(fan_test_left_on_stack(answer_challenge, NULL, subscriber.k, 8));
	reverse(backwards, subscriber.k, 8);
	cr_assert_not(fan_test_left_on_stack(answer_challenge, NULL, backwards, 8));
	cr_assert_not(fan_test_left_on_stack(answer_challenge, NULL, answered.ck, 8));
	reverse(backwards, answered.ck, 8);
	cr_assert_not(fan_test_left_on_stack(answer_challenge, NULL, backwards, 8));
}
