/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/keys/kdf.h"
#include "residue.h"
#include "vectors.h"

#include <criterion/criterion.h>
#include <openssl/hmac.h>
#include <string.h>

#define PARAMETERS_MAX 4
#define PARAMETER_BYTES_MAX 64

struct parameters {
	struct fan_kdf_parameter list[PARAMETERS_MAX];
	uint8_t octets[PARAMETERS_MAX][PARAMETER_BYTES_MAX];
	unsigned count;
};

/* The array "params" of a vector holds hex without names: each is read as a field of an object of its own. */
static void
read_parameters(struct parameters *parameters, const json_t *vector)
{
	const json_t *list = json_object_get(vector, "params");

	parameters->count = (unsigned)json_array_size(list);
	cr_assert(parameters->count >= 1 && parameters->count <= PARAMETERS_MAX);
	for (unsigned i = 0; i < parameters->count; i++) {
		json_t *one = json_pack("{s:s, s:O}", "id", fan_vector_text(vector, "id"), "hex", json_array_get(list, i));

		parameters->list[i].octets = parameters->octets[i];
		parameters->list[i].byte_count = (uint16_t)fan_vector_bytes(one, parameters->octets[i], "hex",
									    PARAMETER_BYTES_MAX);
		json_decref(one);
	}
}

Test(keys_kdf, yields_the_keys_of_the_published_vectors)
{
	struct fan_vectors vectors = fan_vectors_load("KDF_keys.json");
	unsigned derived = 0;

	for (size_t i = 0; i < vectors.count; i++) {
		const json_t *vector = fan_vector_at(&vectors, i);
		struct parameters parameters;
		uint8_t key[64], fc, out[FAN_KDF_BYTES], wanted[FAN_KDF_BYTES];
		size_t key_bytes, wanted_bytes;

		if (!fan_vector_has(vector, "fc")) /* one of 27 is of HMAC alone, over a text that is no S */
			continue;
		key_bytes = fan_vector_bytes(vector, key, "key", sizeof(key));
		cr_assert_eq(fan_vector_bytes(vector, &fc, "fc", 1), 1);
		wanted_bytes = fan_vector_bytes(vector, wanted, "output", sizeof(wanted));
		read_parameters(&parameters, vector);
		cr_assert_eq(fan_kdf(out, key, key_bytes, fc, parameters.list, parameters.count), 0);
		/* RES* and the like are the last octets of it. */
		cr_assert_arr_eq(out + sizeof(out) - wanted_bytes, wanted, wanted_bytes, "%s", fan_vector_text(vector, "id"));
		derived++;
	}
	cr_assert_eq(derived, 26);
	fan_vectors_free(&vectors);
}

/* S laid out here by TS 33.220 B.2, under OpenSSL's own HMAC, for what no vector has: many parameters, empty ones, long ones, long keys. */
Test(keys_kdf, is_hmac_sha_256_over_fc_and_parameters_with_their_lengths)
{
	static uint8_t octets[1 << 16], s[3 * (1 << 16)];
	static const uint16_t lengths[][3] = { { 0, 0, 0 }, { 1, 255, 256 }, { 0, 65535, 1 }, { 7, 0, 300 } };
	uint8_t key[200], out[FAN_KDF_BYTES], wanted[FAN_KDF_BYTES];

	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(i * 37 + i / 251);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct fan_kdf_parameter parameters[3];
		size_t s_bytes = 0, key_bytes = i * 60 + 20;

		memset(key, (int)i + 1, sizeof(key));
		s[s_bytes++] = (uint8_t)(0x80 + i);
		for (unsigned p = 0; p < 3; p++) {
			parameters[p] = (struct fan_kdf_parameter){ octets + p, lengths[i][p] };
			memcpy(s + s_bytes, octets + p, lengths[i][p]);
			s_bytes += lengths[i][p];
			s[s_bytes++] = (uint8_t)(lengths[i][p] / 256);
			s[s_bytes++] = (uint8_t)(lengths[i][p] % 256);
		}
		cr_assert_eq(fan_kdf(out, key, key_bytes, s[0], parameters, 3), 0);
		cr_assert_not_null(HMAC(EVP_sha256(), key, (int)key_bytes, s, s_bytes, wanted, NULL));
		cr_assert_arr_eq(out, wanted, sizeof(out));
	}
}

Test(keys_kdf, takes_none_and_refuses_no_key)
{
	static const uint8_t zero[FAN_KDF_BYTES];
	uint8_t key[FAN_KDF_BYTES] = { 1 }, out[FAN_KDF_BYTES] = { 1 };

	cr_assert_eq(fan_kdf(out, key, 0, 0x10, NULL, 0), FAN_E_INVALID);
	cr_assert_arr_eq(out, zero, sizeof(zero));
	cr_assert_eq(fan_kdf(out, key, sizeof(key), 0x10, NULL, 0), 0);
	cr_assert_eq(fan_kdf(key, key, sizeof(key), 0x10, NULL, 0), 0);
	cr_assert_arr_eq(key, out, sizeof(out), "a key may be replaced by what is derived from it");
}

static uint8_t derived[FAN_KDF_BYTES];

static void
derive(void *key)
{
	const struct fan_kdf_parameter parameter = { "parameter", 9 };

	cr_assert_eq(fan_kdf(derived, key, 32, 0x10, &parameter, 1), 0);
}

Test(keys_kdf, leaves_neither_key_on_the_stack)
{
	uint8_t key[] = "a key of the tests, of 32 octets";

	cr_assert_not(fan_test_left_on_stack(derive, key, key, 8));
	cr_assert_not(fan_test_left_on_stack(derive, key, derived, 8));
}
