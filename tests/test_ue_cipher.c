/* SPDX-License-Identifier: BSD-3-Clause */
/* The algorithms of the UE side against the published test sets: SNOW 3G and ZUC keystreams, 128-EEA1..3, 128-EIA1..3, and the
 * data radio bearer PDUs of DPDK's PDCP test. */
#include "../ue/cipher.h"
#include "../ue/snow3g.h"
#include "../ue/zuc.h"
#include "vectors.h"

#include <criterion/criterion.h>
#include <string.h>

#define OCTETS_MAX 4096

/* Calls `each` for every vector of a file, whose number is known. */
static void
read_vectors(const char *file, size_t expected, void (*each)(const json_t *vector, const char *id))
{
	struct fan_vectors vectors = fan_vectors_load(file);

	cr_assert_eq(vectors.count, expected, "%s", file);
	for (size_t i = 0; i < vectors.count; i++)
		each(fan_vector_at(&vectors, i), fan_vector_text(fan_vector_at(&vectors, i), "id"));
	fan_vectors_free(&vectors);
}

static struct fan_ue_cipher_use
use_of(const json_t *vector, const uint8_t key[16])
{
	return (struct fan_ue_cipher_use){ key, fan_vector_number(vector, "count"),
					   (uint8_t)fan_vector_number(vector, "bearer"),
					   (uint8_t)fan_vector_number(vector, "direction") };
}

/* "128-EEA2" gives 2, "EIA0" 0. */
static uint8_t
algorithm_of(const json_t *vector, const char *key)
{
	const char *name = fan_vector_text(vector, key);

	return (uint8_t)(name[strlen(name) - 1] - '0');
}

struct generator {
	bool zuc;
	struct fan_ue_zuc zuc_state;
	struct fan_ue_snow3g snow;
};

static uint32_t
generate(struct generator *generator)
{
	return generator->zuc ? fan_ue_zuc_word(&generator->zuc_state) : fan_ue_snow3g_word(&generator->snow);
}

/* The SNOW 3G sets of TS 35.217 list k[0] and IV[0] first, where f8 and f9 take them last from CK and their IV strings. */
static void
reverse_words(uint8_t octets[16])
{
	uint8_t copy[16];

	memcpy(copy, octets, 16);
	for (unsigned i = 0; i < 16; i += 4)
		memcpy(octets + i, copy + 12 - i, 4);
}

static void
check_keystream(const json_t *vector, const char *id)
{
	static struct fan_ue_snow3g_tables tables;
	static uint8_t expected[OCTETS_MAX];
	uint8_t key[16], iv[16], far[4];
	size_t count, far_at = 0;
	struct generator generator = { .zuc = strncmp(fan_vector_text(vector, "alg"), "ZUC", 3) == 0 };
	uint32_t word = 0;

	cr_assert_eq(fan_vector_bytes(vector, key, "key", sizeof(key)), 16);
	cr_assert_eq(fan_vector_bytes(vector, iv, "iv", sizeof(iv)), 16);
	count = fan_vector_bytes(vector, expected, "keystream_first", sizeof(expected));
	fan_ue_snow3g_tables_fill(&tables);
	fan_ue_zuc_start(&generator.zuc_state, key, iv);
	reverse_words(key);
	reverse_words(iv);
	fan_ue_snow3g_start(&generator.snow, &tables, key, iv);
	if (fan_vector_has(vector, "keystream_word")) {
		cr_assert_eq(fan_vector_bytes(vector, far, "keystream_word", sizeof(far)), 4);
		far_at = fan_vector_number(vector, "keystream_word_at_byte");
	}
	for (size_t at = 0; at < count || at <= far_at; at += 4) {
		word = generate(&generator);
		for (size_t i = 0; i < 4 && at + i < count; i++)
			cr_expect_eq((uint8_t)(word >> (24 - 8 * i)), expected[at + i], "%s octet %zu", id, at + i);
	}
	if (far_at)
		cr_expect_eq(word, (uint32_t)far[0] << 24 | (uint32_t)far[1] << 16 | (uint32_t)far[2] << 8 | far[3], "%s far",
			     id);
}

Test(ue_cipher, keystreams)
{
	read_vectors("keystream_snow3g_zuc.json", 8, check_keystream);
}

static void
check_cipher(const json_t *vector, const char *id)
{
	static uint8_t octets[OCTETS_MAX], expected[OCTETS_MAX];
	uint8_t key[16];
	size_t bits = fan_vector_number(vector, "length_bits"),
	       count = fan_vector_bytes(vector, octets, "plaintext", sizeof(octets));
	struct fan_ue_cipher *cipher = fan_ue_cipher_open();
	struct fan_ue_cipher_use use;

	fan_vector_bytes(vector, key, "key", sizeof(key));
	use = use_of(vector, key);
	cr_assert_eq(fan_vector_bytes(vector, expected, "ciphertext", sizeof(expected)), count);
	cr_assert_eq((bits + 7) / 8, count, "%s", id);
	cr_assert(fan_ue_cipher_apply(cipher, octets, &use, algorithm_of(vector, "alg"), count));
	if (bits % 8) {
		octets[count - 1] &= (uint8_t)(0xff << (8 - bits % 8));
		expected[count - 1] &= (uint8_t)(0xff << (8 - bits % 8));
	}
	cr_expect_eq(memcmp(octets, expected, count), 0, "%s", id);
	fan_ue_cipher_close(cipher);
}

Test(ue_cipher, eea)
{
	read_vectors("EEA1.json", 16, check_cipher);
	read_vectors("EEA2.json", 11, check_cipher);
	read_vectors("EEA3.json", 10, check_cipher);
}

static void
check_mac(const json_t *vector, const char *id)
{
	static uint8_t message[OCTETS_MAX], expected[OCTETS_MAX];
	uint8_t key[16], mac[4];
	size_t bits = fan_vector_number(vector, "length_bits");
	struct fan_ue_cipher *cipher = fan_ue_cipher_open();
	struct fan_ue_cipher_use use;

	fan_vector_bytes(vector, key, "key", sizeof(key));
	use = use_of(vector, key);
	cr_assert_eq(fan_vector_bytes(vector, message, "message", sizeof(message)), (bits + 7) / 8, "%s", id);
	cr_assert_eq(fan_vector_bytes(vector, expected, "mac", sizeof(expected)), 4);
	cr_assert(fan_ue_cipher_mac(cipher, mac, &use, algorithm_of(vector, "alg"), message, bits));
	cr_expect_eq(memcmp(mac, expected, 4), 0, "%s", id);
	/* What follows the last bit must not matter. */
	if (bits % 8) {
		message[bits / 8] ^= (uint8_t)(0xff >> bits % 8);
		cr_assert(fan_ue_cipher_mac(cipher, mac, &use, algorithm_of(vector, "alg"), message, bits));
		cr_expect_eq(memcmp(mac, expected, 4), 0, "%s with other bits after its end", id);
	}
	/* The last bit itself must. */
	message[(bits - 1) / 8] ^= (uint8_t)(0x80 >> (bits - 1) % 8);
	cr_assert(fan_ue_cipher_mac(cipher, mac, &use, algorithm_of(vector, "alg"), message, bits));
	cr_expect_neq(memcmp(mac, expected, 4), 0, "%s with its last bit turned", id);
	fan_ue_cipher_close(cipher);
}

Test(ue_cipher, eia)
{
	read_vectors("EIA1.json", 11, check_mac);
	read_vectors("EIA2.json", 13, check_mac);
	read_vectors("EIA3.json", 10, check_mac);
}

static unsigned bearer_pdus;

/* A DRB PDU is header, then cipher(data and, with integrity, MAC-I over header and data). The vectors set reserved bits, so
 * they are worked by the algorithms alone; a receiver of ours refuses such headers. */
static void
check_bearer_pdu(const json_t *vector, const char *id)
{
	static uint8_t in[OCTETS_MAX], out[OCTETS_MAX];
	uint8_t k_enc[16] = { 0 }, k_int[16] = { 0 }, mac[4];
	size_t in_bytes = fan_vector_bytes(vector, in, "pdu_in", sizeof(in)),
	       out_bytes = fan_vector_bytes(vector, out, "pdu_out", sizeof(out));
	size_t header_bytes = fan_vector_number(vector, "sn_size") == 18 ? 3 : 2;
	bool authentic = fan_vector_has(vector, "integrity");
	struct fan_ue_cipher *cipher;
	struct fan_ue_cipher_use use;

	if (strncmp(fan_vector_text(vector, "plane"), "DRB", 3) != 0 ||
	    (fan_vector_number(vector, "sn_size") != 12 && header_bytes == 2))
		return;
	cipher = fan_ue_cipher_open();
	if (algorithm_of(vector, "cipher") != 0)
		fan_vector_bytes(vector, k_enc, "cipher_key", sizeof(k_enc));
	use = use_of(vector, k_enc);
	cr_assert_eq(out_bytes, in_bytes + (authentic ? 4 : 0), "%s", id);
	cr_assert(fan_ue_cipher_apply(cipher, out + header_bytes, &use, algorithm_of(vector, "cipher"),
				      out_bytes - header_bytes));
	cr_expect_eq(memcmp(out, in, in_bytes), 0, "%s", id);
	if (authentic) {
		if (algorithm_of(vector, "integrity") != 0)
			fan_vector_bytes(vector, k_int, "integrity_key", sizeof(k_int));
		use.key = k_int;
		cr_assert(fan_ue_cipher_mac(cipher, mac, &use, algorithm_of(vector, "integrity"), out, 8 * in_bytes));
		cr_expect_eq(memcmp(mac, out + in_bytes, 4), 0, "%s MAC-I", id);
	}
	bearer_pdus++;
	fan_ue_cipher_close(cipher);
}

Test(ue_cipher, bearer_pdus)
{
	read_vectors("PDCP_dpdk.json", 160, check_bearer_pdu);
	cr_expect_eq(bearer_pdus, 80);
}

/* One handle serves key after key and length after length; the AES contexts must not carry anything over. */
Test(ue_cipher, no_carry_over)
{
	static const uint8_t message[100] = { 1, 2, 3 };
	uint8_t first[4][4], again[4], key[16] = { 9 }, other[16] = { 7 }, octets[100], expected[4][100];
	struct fan_ue_cipher *cipher = fan_ue_cipher_open();
	struct fan_ue_cipher_use use = { key, 5, 3, 1 }, between = { other, 77, 4, 0 };

	for (unsigned round = 0; round < 3; round++) {
		for (uint8_t algorithm = 0; algorithm < 4; algorithm++) {
			cr_assert(fan_ue_cipher_mac(cipher, again, &between, algorithm, message, 8 * (round + 13)));
			memset(octets, 0, sizeof(octets));
			cr_assert(fan_ue_cipher_apply(cipher, octets, &between, algorithm, 33 + round));
			cr_assert(fan_ue_cipher_mac(cipher, again, &use, algorithm, message, 800));
			memset(octets, 0, sizeof(octets));
			cr_assert(fan_ue_cipher_apply(cipher, octets, &use, algorithm, 100));
			if (round == 0) {
				memcpy(first[algorithm], again, 4);
				memcpy(expected[algorithm], octets, 100);
			}
			cr_expect_eq(memcmp(first[algorithm], again, 4), 0);
			cr_expect_eq(memcmp(expected[algorithm], octets, 100), 0);
		}
	}
	fan_ue_cipher_close(cipher);
}

Test(ue_cipher, refusals)
{
	static uint8_t octets[FAN_UE_CIPHER_OCTETS_MAX + 1];
	uint8_t mac[4], key[16] = { 0 };
	struct fan_ue_cipher *cipher = fan_ue_cipher_open();
	struct fan_ue_cipher_use use = { key, 0, 0, 1 };

	for (uint8_t algorithm = 0; algorithm < 4; algorithm++) {
		cr_expect(fan_ue_cipher_apply(cipher, octets, &use, algorithm, FAN_UE_CIPHER_OCTETS_MAX));
		cr_expect(fan_ue_cipher_mac(cipher, mac, &use, algorithm, octets, 8 * (size_t)FAN_UE_CIPHER_OCTETS_MAX));
		cr_expect(fan_ue_cipher_apply(cipher, octets, &use, algorithm, 0));
		cr_expect_not(fan_ue_cipher_apply(cipher, octets, &use, algorithm, sizeof(octets)));
		cr_expect_not(fan_ue_cipher_mac(cipher, mac, &use, algorithm, octets, 8 * sizeof(octets)));
	}
	cr_expect_not(fan_ue_cipher_apply(cipher, octets, &use, 4, 1));
	cr_expect_not(fan_ue_cipher_mac(cipher, mac, &use, 4, octets, 8));
	fan_ue_cipher_close(cipher);
	fan_ue_cipher_close(NULL);
}
