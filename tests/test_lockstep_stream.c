/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lockstep techniques for SNOW 3G and ZUC against published vectors and, octet by octet, against the reference engine.
 */
#include "../dataplane/engine/lockstep/lockstep.h"
#include "../dataplane/engine/lockstep/technique.h"
#include "../dataplane/engine/reference/reference.h"
#include "batch.h"
#include "vectors.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

struct under_test {
	const char *name;
	const struct fan_lockstep *technique;
	uint8_t algorithm;
	const char *cipher_vectors, *mac_vectors;
	unsigned cipher_vectors_min, mac_vectors_min; /* of whole octets that fit a PDU, bit lengths left out */
};

static const struct under_test all[] = {
	{ "SNOW 3G", &fan_lockstep_snow3g_avx512, 1, "EEA1.json", "EIA1.json", 5, 6 },
	{ "ZUC", &fan_lockstep_zuc_avx512, 3, "EEA3.json", "EIA3.json", 5, 5 },
};
#define ALL (sizeof(all) / sizeof(all[0]))

/* Null when this CPU cannot. The caller frees. */
static struct fan_lockstep_scratch *
open_technique(const struct fan_lockstep *technique)
{
	const size_t scratch_bytes = (technique->scratch_bytes + 63) & ~(size_t)63;
	struct fan_lockstep_scratch *scratch;

	if (!technique->runs()) {
		fprintf(stderr, "not on this CPU, which lacks %s\n", technique->instructions);
		return NULL;
	}
	scratch = aligned_alloc(64, scratch_bytes);
	cr_assert_not_null(scratch);
	memset(scratch, 0, scratch_bytes);
	technique->init(scratch);
	return scratch;
}

static struct fan_engine *
open_reference(void)
{
	struct fan_engine *engine;

	cr_assert_eq(fan_engine_reference.open(&engine, NULL), 0, "%s", fan_error_detail());
	return engine;
}

/* ---- Against the reference engine -------------------------------------------------------------------------------------------- */

/* Consumes `one`. Returns the UEs compared. */
static unsigned
protect_and_compare(const struct under_test *test, struct fan_lockstep_scratch *scratch, struct fan_engine *reference,
		    struct fan_test_batch *one)
{
	const unsigned ue_count = one->batch.ue_count;
	struct fan_test_batch other;
	struct fan_batch *judge = &other.batch;

	fan_test_batch_clone(&other, one);
	cr_assert(test->technique->takes(&one->shape));
	test->technique->protect(scratch, &one->batch);
	cr_assert(fan_test_engine_protect(reference, &judge, 1));
	cr_assert(fan_test_batch_guards_intact(one), "%s", test->name);
	cr_assert(fan_test_batch_equal(one, &other), "%s: sequence %u, clear %u, head %u, text %u, %u UEs", test->name,
		  one->shape.sequence, one->shape.clear_bytes, one->shape.head_blocks, one->shape.text_bytes, ue_count);
	fan_test_batch_free(&other);
	fan_test_batch_free(one);
	return ue_count;
}

#define RANDOM_BATCHES 360

/* All sequences; one of eight batches without cipher, one without MAC but its four zeros. At least 10^4 UEs per technique. */
Test(lockstep_stream, random_batches, .timeout = 120)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *reference = open_reference();

	for (unsigned t = 0; t < ALL; t++) {
		struct fan_lockstep_scratch *scratch = open_technique(all[t].technique);
		unsigned ues = 0;

		for (unsigned i = 0; scratch != NULL && i < RANDOM_BATCHES; i++) {
			const uint8_t sequence = (uint8_t)(i % 3), algorithm = all[t].algorithm;
			const uint8_t cipher = i % 8 == 6 && sequence != FAN_CIPHER_ONLY ? 0 : algorithm;
			const uint8_t integrity = i % 8 == 7 ? 0 : algorithm;
			struct fan_test_batch batch;

			fan_test_batch_make(&batch, &random, cipher,
					    sequence == FAN_CIPHER_ONLY ? FAN_INTEGRITY_NONE : integrity, sequence);
			ues += protect_and_compare(&all[t], scratch, reference, &batch);
		}
		cr_assert(scratch == NULL || ues >= 10000, "%u UEs", ues);
		free(scratch);
	}
	reference->ops->close(reference);
}

/* Both sequences with a MAC, prefixes and heads changing from one length to the next: every remainder of words, 64-bit blocks and
 * chunks of 64 octets meets every kind of end. */
Test(lockstep_stream, every_text_length, .timeout = 120)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *reference = open_reference();

	for (unsigned t = 0; t < ALL; t++) {
		struct fan_lockstep_scratch *scratch = open_technique(all[t].technique);

		for (unsigned i = 0; scratch != NULL && i < 2 * (FAN_PDU_BYTES_MAX - FAN_CLEAR_BYTES_MAX); i++) {
			struct fan_shape shape = fan_test_random_shape(&random, all[t].algorithm, all[t].algorithm,
								       (uint8_t)(i % 2));
			struct fan_test_batch batch;

			shape.text_bytes = (uint16_t)(1 + i / 2);
			fan_test_batch_make_as(&batch, &random, &shape, 1, true);
			protect_and_compare(&all[t], scratch, reference, &batch);
		}
		free(scratch);
	}
	reference->ops->close(reference);
}

/* Groups of 16, with 1 to 16 UEs in the last. */
Test(lockstep_stream, every_batch_size, .timeout = 120)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *reference = open_reference();

	for (unsigned t = 0; t < ALL; t++) {
		struct fan_lockstep_scratch *scratch = open_technique(all[t].technique);

		for (unsigned ue_count = 1; scratch != NULL && ue_count <= FAN_BATCH_UES_MAX; ue_count++) {
			struct fan_shape shape = fan_test_random_shape(&random, all[t].algorithm, all[t].algorithm,
								       (uint8_t)(ue_count % 3));
			struct fan_test_batch batch;

			shape.text_bytes = ue_count % 4 == 0 ? 700 : 50;
			fan_test_batch_make_as(&batch, &random, &shape, ue_count, true);
			protect_and_compare(&all[t], scratch, reference, &batch);
		}
		free(scratch);
	}
	reference->ops->close(reference);
}

/* ---- Published vectors ------------------------------------------------------------------------------------------------------- */

/* A batch in which one UE is the vector's and the others have random keys and COUNTs. */
struct vector_batch {
	uint8_t packet[FAN_BATCH_UES_MAX][64 + FAN_PDU_BYTES_MAX];
	uint8_t message[FAN_PDU_BYTES_MAX + FAN_MESSAGE_SLACK_BYTES];
	uint8_t expected[FAN_PDU_BYTES_MAX];
	struct fan_context context[FAN_BATCH_UES_MAX];
	struct fan_shape shape;
	struct fan_batch batch;
};

/* The vector's key goes to UE `place`. */
static void
make_vector_batch(struct vector_batch *test, struct fan_test_random *random, const json_t *vector, unsigned place)
{
	fan_test_random_fill(random, test->packet[0], sizeof(test->packet));
	fan_test_random_fill(random, (uint8_t *)test->context, sizeof(test->context));
	test->batch.shape = &test->shape;
	test->batch.ue_count = FAN_BATCH_UES_MAX;
	for (unsigned i = 0; i < FAN_BATCH_UES_MAX; i++) {
		test->context[i].bearer_direction &= 0xfc;
		test->batch.context[i] = &test->context[i];
		test->batch.count[i] = fan_test_random_count(random);
		test->batch.text[i] = test->packet[i] + 32;
	}
	cr_assert_eq(fan_vector_bytes(vector, test->context[place].k_enc, "key", FAN_KEY_BYTES), FAN_KEY_BYTES);
	memcpy(test->context[place].k_int, test->context[place].k_enc, FAN_KEY_BYTES);
}

/* False: not whole octets, none, or more than a PDU holds. */
static bool
load_vector(struct vector_batch *test, const json_t *vector, bool is_mac)
{
	const uint32_t bits = fan_vector_number(vector, "length_bits");
	const size_t text_bytes = bits / 8;

	if (bits % 8 != 0 || bits == 0 || bits > 8 * FAN_PDU_BYTES_MAX)
		return false;
	cr_assert_eq(fan_vector_bytes(vector, test->message, is_mac ? "message" : "plaintext", FAN_PDU_BYTES_MAX), text_bytes);
	cr_assert_eq(fan_vector_bytes(vector, test->expected, is_mac ? "mac" : "ciphertext", FAN_PDU_BYTES_MAX),
		     is_mac ? FAN_MAC_BYTES : text_bytes);
	test->shape.text_bytes = (uint16_t)text_bytes;
	test->shape.message = test->message;
	return true;
}

static unsigned
check_vectors(const struct under_test *subject, struct fan_lockstep_scratch *scratch, struct fan_test_random *random,
	      bool is_mac)
{
	struct fan_vectors vectors = fan_vectors_load(is_mac ? subject->mac_vectors : subject->cipher_vectors);
	static struct vector_batch test;
	unsigned checked = 0;

	for (size_t i = 0; i < vectors.count; i++) {
		const json_t *vector = fan_vector_at(&vectors, i);
		const unsigned place = fan_test_random_below(random, FAN_BATCH_UES_MAX);

		test.shape = (struct fan_shape){
			.cipher = is_mac ? 0 : subject->algorithm,
			.integrity = is_mac ? subject->algorithm : FAN_INTEGRITY_NONE,
			.sequence = is_mac ? FAN_CIPHER_THEN_MAC : FAN_CIPHER_ONLY,
		};
		if (!load_vector(&test, vector, is_mac))
			continue;
		make_vector_batch(&test, random, vector, place);
		test.context[place].bearer_direction = (uint8_t)(fan_vector_number(vector, "bearer") << 3 |
								 fan_vector_number(vector, "direction") << 2);
		test.batch.count[place] = fan_vector_number(vector, "count");
		subject->technique->protect(scratch, &test.batch);
		cr_assert_arr_eq(test.batch.text[place] - (is_mac ? FAN_MAC_BYTES : 0), test.expected,
				 is_mac ? (size_t)FAN_MAC_BYTES : test.shape.text_bytes, "%s, UE %u",
				 fan_vector_text(vector, "id"), place);
		checked++;
	}
	fan_vectors_free(&vectors);
	return checked;
}

Test(lockstep_stream, published_vectors)
{
	struct fan_test_random random = fan_test_random_from_environment();

	for (unsigned t = 0; t < ALL; t++) {
		struct fan_lockstep_scratch *scratch = open_technique(all[t].technique);

		if (scratch == NULL)
			continue;
		cr_assert_geq(check_vectors(&all[t], scratch, &random, false), all[t].cipher_vectors_min, "%s",
			      all[t].cipher_vectors);
		cr_assert_geq(check_vectors(&all[t], scratch, &random, true), all[t].mac_vectors_min, "%s", all[t].mac_vectors);
		free(scratch);
	}
}

/* Of the keystream vectors, ZUC's first alone has an IV that 128-EEA3 can make: all zeros. */
Test(lockstep_stream, published_keystream)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_lockstep_scratch *scratch = open_technique(&fan_lockstep_zuc_avx512);
	struct fan_vectors vectors = fan_vectors_load("keystream_snow3g_zuc.json");
	static struct vector_batch test;
	unsigned checked = 0;

	for (size_t i = 0; scratch != NULL && i < vectors.count; i++) {
		const json_t *vector = fan_vector_at(&vectors, i);

		if (strcmp(fan_vector_text(vector, "id"), "zuc-ks-ts1") != 0)
			continue;
		cr_assert_str_eq(fan_vector_text(vector, "iv"), "00000000000000000000000000000000");
		test.shape = (struct fan_shape){ .cipher = 3, .sequence = FAN_CIPHER_ONLY, .message = test.message };
		test.shape.text_bytes = (uint16_t)fan_vector_bytes(vector, test.expected, "keystream_first", FAN_PDU_BYTES_MAX);
		make_vector_batch(&test, &random, vector, 0);
		test.context[0].bearer_direction = 0;
		test.batch.count[0] = 0;
		fan_lockstep_zuc_avx512.protect(scratch, &test.batch);
		cr_assert_arr_eq(test.batch.text[0], test.expected, test.shape.text_bytes);
		checked++;
	}
	cr_assert(scratch == NULL || checked == 1);
	fan_vectors_free(&vectors);
	free(scratch);
}

/* The largest UE of all: keys, COUNTs and text whose octets are all 0 or all 1 drive ZUC's adder modulo 2^31 - 1 to its ends. */
Test(lockstep_stream, keys_and_counts_at_their_ends)
{
	struct fan_engine *reference = open_reference();
	struct fan_test_random random = fan_test_random_from_environment();

	for (unsigned t = 0; t < ALL; t++) {
		struct fan_lockstep_scratch *scratch = open_technique(all[t].technique);
		static struct vector_batch test, judge;
		struct fan_batch *judged = &judge.batch;

		if (scratch == NULL)
			continue;
		fan_test_random_fill(&random, test.packet[0], sizeof(test.packet));
		test.shape = (struct fan_shape){
			all[t].algorithm, all[t].algorithm, FAN_MAC_THEN_CIPHER, 3, 1, 1000, test.message, { 0 }
		};
		test.batch.ue_count = FAN_BATCH_UES_MAX;
		test.batch.shape = &test.shape;
		for (unsigned i = 0; i < FAN_BATCH_UES_MAX; i++) {
			memset(test.context[i].k_enc, i & 1 ? 0xff : 0, FAN_KEY_BYTES);
			memset(test.context[i].k_int, i & 2 ? 0xff : 0, FAN_KEY_BYTES);
			test.context[i].bearer_direction = i & 4 ? 0xfc : 0;
			test.batch.count[i] = i & 8 ? UINT32_MAX : 0;
			test.batch.context[i] = &test.context[i];
		}
		judge = test;
		judge.batch.shape = &judge.shape;
		for (unsigned i = 0; i < FAN_BATCH_UES_MAX; i++) {
			test.batch.text[i] = test.packet[i] + 32;
			judge.batch.text[i] = judge.packet[i] + 32;
		}
		all[t].technique->protect(scratch, &test.batch);
		cr_assert(fan_test_engine_protect(reference, &judged, 1));
		cr_assert_arr_eq(test.packet[0], judge.packet[0], sizeof(test.packet), "%s", all[t].name);
		free(scratch);
	}
	reference->ops->close(reference);
}

/* ---- The contract of engine.h ------------------------------------------------------------------------------------------------ */

Test(lockstep_stream, takes_its_own_algorithms_and_no_others)
{
	for (unsigned t = 0; t < ALL; t++) {
		const uint8_t own = all[t].algorithm, other = own == 1 ? 3 : 1;
		const struct fan_shape nas = { own, own, FAN_CIPHER_THEN_MAC, 1, 0, 160, NULL, { 0 } };
		const struct {
			bool taken;
			struct fan_shape shape;
		} rows[] = {
			{ true, nas },
			{ true, { own, own, FAN_MAC_THEN_CIPHER, 16, 3, 1484, NULL, { 0 } } },
			{ true, { own, FAN_INTEGRITY_NONE, FAN_CIPHER_ONLY, 0, 0, 1500, NULL, { 0 } } },
			{ true, { own, other, FAN_CIPHER_ONLY, 2, 0, 1, NULL, { 0 } } },
			{ true, { 0, own, FAN_CIPHER_THEN_MAC, 1, 0, 160, NULL, { 0 } } },
			{ true, { own, 0, FAN_CIPHER_THEN_MAC, 1, 0, 160, NULL, { 0 } } },
			{ false, { 0, 0, FAN_CIPHER_THEN_MAC, 1, 0, 160, NULL, { 0 } } },
			{ false, { 0, own, FAN_CIPHER_ONLY, 1, 0, 160, NULL, { 0 } } },
			{ false, { other, own, FAN_CIPHER_THEN_MAC, 1, 0, 160, NULL, { 0 } } },
			{ false, { own, other, FAN_CIPHER_THEN_MAC, 1, 0, 160, NULL, { 0 } } },
			{ false, { own, 2, FAN_CIPHER_THEN_MAC, 1, 0, 160, NULL, { 0 } } },
			{ false, { 2, own, FAN_CIPHER_THEN_MAC, 1, 0, 160, NULL, { 0 } } },
		};

		for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			cr_assert_eq(all[t].technique->takes(&rows[i].shape), rows[i].taken, "%s, row %u", all[t].name, i);
	}
}
