/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ipsec-mb engine against the reference engine and published vectors, on every instruction set of the library that this CPU
 * has. This file stands between engine and library at three calls: it chooses the instruction set, breaks the library on
 * purpose, and looks at memory in the moment it is given back.
 */
#define _GNU_SOURCE
#include "../dataplane/engine/ipsec_mb/expand_aes128.h"
#include "../dataplane/engine/ipsec_mb/ipsec_mb.h"
#include "../dataplane/engine/reference/reference.h"
#include "../dataplane/engines.h"
#include "batch.h"
#include "vectors.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <intel-ipsec-mb.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Between engine and library ---------------------------------------------------------------------------------------- */

struct instruction_set {
	const char *name;
	void (*init)(IMB_MGR *library); /* NULL: the library's own choice */
	uint64_t flags;
	uint64_t needs; /* IMB_CPUFLAGS_... */
	IMB_ARCH arch;  /* what the library says it chose */
};

static const struct instruction_set instruction_sets[] = {
	{ "the library's choice", NULL, 0, 0, IMB_ARCH_NONE },
	{ "SSE", init_mb_mgr_sse, IMB_FLAG_SHANI_OFF | IMB_FLAG_GFNI_OFF, IMB_CPUFLAGS_SSE, IMB_ARCH_SSE },
	{ "SSE with GFNI", init_mb_mgr_sse, 0, IMB_CPUFLAGS_SSE_T3, IMB_ARCH_SSE },
#if IMB_VERSION_NUM < IMB_VERSION(2, 0, 0)
	{ "AVX, replaced by SSE", init_mb_mgr_avx, 0, IMB_CPUFLAGS_AVX, IMB_ARCH_AVX },
#endif
	{ "AVX2", init_mb_mgr_avx2, IMB_FLAG_GFNI_OFF, IMB_CPUFLAGS_AVX2, IMB_ARCH_AVX2 },
	{ "AVX2 with VAES", init_mb_mgr_avx2, 0, IMB_CPUFLAGS_AVX2_T2, IMB_ARCH_AVX2 },
	{ "AVX-512", init_mb_mgr_avx512, IMB_FLAG_GFNI_OFF, IMB_CPUFLAGS_AVX512, IMB_ARCH_AVX512 },
};

static const struct instruction_set *wanted = &instruction_sets[0];
static IMB_MGR *library;
static bool library_refuses;

/* Takes the place of the library's function of that name for the engine in this program. */
void
init_mb_mgr_auto(IMB_MGR *state, IMB_ARCH *arch)
{
	void (*real)(IMB_MGR *, IMB_ARCH *);

	library = state;
	if (wanted->init != NULL) {
		state->flags |= wanted->flags;
		wanted->init(state);
		*arch = wanted->arch;
	} else if (library_refuses) {
		*arch = IMB_ARCH_NONE;
	} else {
		*(void **)&real = dlsym(RTLD_NEXT, "init_mb_mgr_auto");
		real(state, arch);
	}
}

static const uint8_t *watched;
static size_t octets_left_behind, unmapped_bytes;

int
munmap(void *memory, size_t byte_count)
{
	if (memory == watched && watched != NULL) {
		unmapped_bytes = byte_count;
		for (size_t i = 0; i < byte_count; i++)
			octets_left_behind += watched[i] != 0;
	}
	return (int)syscall(SYS_munmap, memory, byte_count);
}

static struct fan_engine *
open_engine(const struct fan_engine_ops *ops)
{
	struct fan_engine *engine;

	cr_assert_eq(ops->open(&engine, NULL), 0, "%s: %s", ops->name, fan_error_detail());
	return engine;
}

/* ---- Key expansion ----------------------------------------------------------------------------------------------------- */

#define KEYS_MAX 50
#define ROOM (KEYS_MAX + FAN_EXPAND_STEP)

static void
compare_schedule(const char *technique, unsigned key_count, unsigned i, const uint8_t *key,
		 const struct fan_aes128_schedule *plain, const struct fan_cmac_schedule *cmac)
{
	struct fan_aes128_schedule expected, unused;
	uint8_t k1[16] __attribute__((aligned(16))), k2[16] __attribute__((aligned(16)));

	IMB_AES_KEYEXP_128(library, key, &expected, &unused);
	IMB_AES_CMAC_SUBKEY_GEN_128(library, &expected, k1, k2);
	cr_assert_arr_eq(plain, &expected, sizeof(expected), "%s: schedule, key %u of %u", technique, i, key_count);
	cr_assert_arr_eq(&cmac->aes, &expected, sizeof(expected), "%s: CMAC schedule, key %u of %u", technique, i, key_count);
	cr_assert_arr_eq(cmac->k1, k1, 16, "%s: K1, key %u of %u", technique, i, key_count);
	cr_assert_arr_eq(cmac->k2, k2, 16, "%s: K2, key %u of %u", technique, i, key_count);
}

static void
expand_and_compare(const struct fan_expand_aes128 *technique, struct fan_test_random *random, unsigned key_count)
{
	static struct fan_aes128_schedule plain[ROOM];
	static struct fan_cmac_schedule cmac[ROOM];
	static uint8_t octets[KEYS_MAX * 17], fill[sizeof(cmac)];
	const uint8_t *key[KEYS_MAX];
	unsigned written = (key_count + FAN_EXPAND_STEP - 1) / FAN_EXPAND_STEP * FAN_EXPAND_STEP;

	fan_test_random_fill(random, octets, sizeof(octets));
	memset(fill, 0xa5, sizeof(fill));
	memset(plain, 0xa5, sizeof(plain));
	memset(cmac, 0xa5, sizeof(cmac));
	/* Keys at all alignments; some repeat, some are all zeros or ones. */
	for (unsigned i = 0; i < key_count; i++) {
		key[i] = octets + 17 * (i % 7 == 6 ? i - 1 : i);
		if (i % 11 == 3)
			memset(octets + 17 * i, i % 2 == 0 ? 0 : 0xff, 16);
	}
	technique->schedules(plain, key, key_count);
	technique->cmac_schedules(cmac, key, key_count);
	for (unsigned i = 0; i < key_count; i++)
		compare_schedule(technique->name, key_count, i, key[i], &plain[i], &cmac[i]);
	cr_assert_arr_eq(plain + written, fill, (ROOM - written) * sizeof(plain[0]));
	cr_assert_arr_eq(cmac + written, fill, (ROOM - written) * sizeof(cmac[0]));
}

Test(expand_aes128, every_technique_equals_the_library)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine = open_engine(&fan_engine_ipsec_mb);
	unsigned ran = 0;

	for (const struct fan_expand_aes128 *const *technique = fan_expand_aes128_techniques; *technique != NULL; technique++) {
		if (!(*technique)->runs()) {
			fprintf(stderr, "not on this CPU: %s\n", (*technique)->name);
			continue;
		}
		ran++;
		for (unsigned key_count = 1; key_count <= KEYS_MAX; key_count++)
			expand_and_compare(*technique, &random, key_count);
	}
	cr_assert_geq(ran, 1);
	cr_assert_not_null(fan_expand_aes128_choose());
	engine->ops->close(engine);
}

/* FIPS 197 A.1 (first and last round key) and SP 800-38B D.1. */
Test(expand_aes128, published_example)
{
	static const uint8_t key[16] = { 0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
					 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c };
	static const uint8_t last[16] = { 0xd0, 0x14, 0xf9, 0xa8, 0xc9, 0xee, 0x25, 0x89,
					  0xe1, 0x3f, 0x0c, 0xc8, 0xb6, 0x63, 0x0c, 0xa6 };
	static const uint8_t k1[16] = { 0xfb, 0xee, 0xd6, 0x18, 0x35, 0x71, 0x33, 0x66,
					0x7c, 0x85, 0xe0, 0x8f, 0x72, 0x36, 0xa8, 0xde };
	static const uint8_t k2[16] = { 0xf7, 0xdd, 0xac, 0x30, 0x6a, 0xe2, 0x66, 0xcc,
					0xf9, 0x0b, 0xc1, 0x1e, 0xe4, 0x6d, 0x51, 0x3b };
	static struct fan_cmac_schedule out[FAN_EXPAND_STEP];
	const uint8_t *keys[] = { key };

	for (const struct fan_expand_aes128 *const *technique = fan_expand_aes128_techniques; *technique != NULL; technique++) {
		if (!(*technique)->runs())
			continue;
		(*technique)->cmac_schedules(out, keys, 1);
		cr_assert_arr_eq(out[0].aes.round_key[0], key, 16);
		cr_assert_arr_eq(out[0].aes.round_key[10], last, 16);
		cr_assert_arr_eq(out[0].k1, k1, 16);
		cr_assert_arr_eq(out[0].k2, k2, 16);
	}
}

/* ---- Against the reference engine -------------------------------------------------------------------------------------- */

/* Consumes `one`. */
static void
protect_and_compare(struct fan_engine *engine, struct fan_engine *reference, struct fan_test_batch *one)
{
	struct fan_test_batch other;
	struct fan_batch *mine = &one->batch, *judge = &other.batch;

	fan_test_batch_clone(&other, one);
	cr_assert(fan_test_engine_protect(engine, &mine, 1));
	cr_assert(fan_test_engine_protect(reference, &judge, 1));
	cr_assert(fan_test_batch_guards_intact(one), "instruction set: %s", wanted->name);
	cr_assert(fan_test_batch_equal(one, &other), "instruction set: %s", wanted->name);
	fan_test_batch_free(&other);
	fan_test_batch_free(one);
}

static void
compare_random_batches(struct fan_test_random *random, unsigned rounds)
{
	struct fan_engine *engine = open_engine(&fan_engine_ipsec_mb), *reference = open_engine(&fan_engine_reference);
	struct fan_test_batch batch;

	for (unsigned i = 0; i < rounds * 48; i++) {
		fan_test_batch_make(&batch, random, (uint8_t)(i / 12 % 4), (uint8_t)(i / 3 % 4), (uint8_t)(i % 3));
		protect_and_compare(engine, reference, &batch);
	}
	reference->ops->close(reference);
	engine->ops->close(engine);
}

Test(engine_ipsec_mb, random_batches_on_every_instruction_set, .timeout = 120)
{
	struct fan_test_random random = fan_test_random_from_environment();

	for (unsigned i = 0; i < sizeof(instruction_sets) / sizeof(instruction_sets[0]); i++) {
		wanted = &instruction_sets[i];
		if ((imb_get_feature_flags() & wanted->needs) != wanted->needs) {
			fprintf(stderr, "not on this CPU: %s\n", wanted->name);
			continue;
		}
		compare_random_batches(&random, wanted->init == NULL ? 8 : 2);
	}
}

/* Every length once, MAC by CBC and by CMAC jobs, whole last blocks and padded ones. */
Test(engine_ipsec_mb, every_text_length, .timeout = 120)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine = open_engine(&fan_engine_ipsec_mb), *reference = open_engine(&fan_engine_reference);
	struct fan_test_batch batch;

	for (unsigned text_bytes = 1; text_bytes < FAN_PDU_BYTES_MAX; text_bytes++) {
		for (uint8_t algorithm = 1; algorithm <= FAN_ALGORITHM_MAX; algorithm++) {
			struct fan_shape shape = fan_test_random_shape(&random, algorithm, algorithm, text_bytes % 2);

			shape.text_bytes = (uint16_t)text_bytes;
			shape.clear_bytes = 1;
			fan_test_batch_make_as(&batch, &random, &shape, 2, true);
			protect_and_compare(engine, reference, &batch);
		}
	}
	reference->ops->close(reference);
	engine->ops->close(engine);
}

Test(engine_ipsec_mb, every_batch_size)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine = open_engine(&fan_engine_ipsec_mb), *reference = open_engine(&fan_engine_reference);
	struct fan_test_batch batch;

	for (unsigned ue_count = 1; ue_count <= FAN_BATCH_UES_MAX; ue_count++) {
		for (uint8_t algorithm = 1; algorithm <= FAN_ALGORITHM_MAX; algorithm++) {
			struct fan_shape shape = fan_test_random_shape(&random, algorithm, algorithm, ue_count % 2);

			shape.text_bytes = ue_count % 3 == 0 ? 700 : 50;
			fan_test_batch_make_as(&batch, &random, &shape, ue_count, true);
			protect_and_compare(engine, reference, &batch);
		}
	}
	reference->ops->close(reference);
	engine->ops->close(engine);
}

/* One context many times in a batch, with COUNTs that differ: keys may repeat. */
Test(engine_ipsec_mb, contexts_may_repeat)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine = open_engine(&fan_engine_ipsec_mb), *reference = open_engine(&fan_engine_reference);
	struct fan_test_batch batch, other;
	struct fan_batch *mine = &batch.batch, *judge = &other.batch;

	for (uint8_t algorithm = 1; algorithm <= FAN_ALGORITHM_MAX; algorithm++) {
		fan_test_batch_make(&batch, &random, algorithm, algorithm, FAN_CIPHER_THEN_MAC);
		fan_test_batch_clone(&other, &batch);
		for (unsigned i = 0; i < batch.batch.ue_count; i++) {
			batch.batch.context[i] = batch.batch.context[i % 3 % batch.batch.ue_count];
			other.batch.context[i] = other.batch.context[i % 3 % batch.batch.ue_count];
		}
		cr_assert(fan_test_engine_protect(engine, &mine, 1));
		cr_assert(fan_test_engine_protect(reference, &judge, 1));
		cr_assert(fan_test_batch_equal(&batch, &other));
		fan_test_batch_free(&other);
		fan_test_batch_free(&batch);
	}
	reference->ops->close(reference);
	engine->ops->close(engine);
}

/* ---- Published vectors ------------------------------------------------------------------------------------------------- */

struct vector_pdu {
	uint8_t packet[64 + FAN_PDU_BYTES_MAX];
	uint8_t message[FAN_PDU_BYTES_MAX + FAN_MESSAGE_SLACK_BYTES];
	uint8_t expected[FAN_PDU_BYTES_MAX];
	struct fan_context context;
	struct fan_shape shape;
	struct fan_batch batch;
};

/* False: not whole octets, none, or more than a PDU holds. */
static bool
load_vector(struct vector_pdu *pdu, const json_t *vector, const char *message_field, const char *result_field,
	    size_t result_bytes)
{
	uint32_t bits = fan_vector_has(vector, "length_bits") ? fan_vector_number(vector, "length_bits") : 0;
	size_t message_bytes;

	if (bits % 8 != 0 || bits == 0 || bits > 8 * FAN_PDU_BYTES_MAX)
		return false;
	memset(pdu, 0, sizeof(*pdu));
	message_bytes = fan_vector_bytes(vector, pdu->message, message_field, FAN_PDU_BYTES_MAX);
	cr_assert_eq(message_bytes, bits / 8, "%s", fan_vector_text(vector, "id"));
	cr_assert_eq(fan_vector_bytes(vector, pdu->expected, result_field, FAN_PDU_BYTES_MAX),
		     result_bytes == 0 ? message_bytes : result_bytes);
	cr_assert_eq(fan_vector_bytes(vector, pdu->context.k_enc, "key", FAN_KEY_BYTES), FAN_KEY_BYTES);
	memcpy(pdu->context.k_int, pdu->context.k_enc, FAN_KEY_BYTES);
	pdu->context.bearer_direction = (uint8_t)(fan_vector_number(vector, "bearer") << 3 |
						  fan_vector_number(vector, "direction") << 2);
	pdu->shape.text_bytes = (uint16_t)message_bytes;
	pdu->shape.message = pdu->message;
	pdu->batch.shape = &pdu->shape;
	pdu->batch.ue_count = 1;
	pdu->batch.context[0] = &pdu->context;
	pdu->batch.count[0] = fan_vector_number(vector, "count");
	pdu->batch.text[0] = pdu->packet + 64;
	return true;
}

static unsigned
check_vectors(const char *file, uint8_t cipher, uint8_t integrity)
{
	struct fan_engine *engine = open_engine(&fan_engine_ipsec_mb);
	struct fan_vectors vectors = fan_vectors_load(file);
	static struct vector_pdu pdu;
	struct fan_batch *batch = &pdu.batch;
	unsigned checked = 0;

	for (size_t i = 0; i < vectors.count; i++) {
		const json_t *vector = fan_vector_at(&vectors, i);
		const uint8_t *result = integrity != 0 ? pdu.packet + 64 - FAN_MAC_BYTES : pdu.packet + 64;

		if (!load_vector(&pdu, vector, integrity != 0 ? "message" : "plaintext", integrity != 0 ? "mac" : "ciphertext",
				 integrity != 0 ? FAN_MAC_BYTES : 0))
			continue;
		pdu.shape.cipher = cipher;
		pdu.shape.integrity = integrity;
		pdu.shape.sequence = integrity != 0 ? FAN_CIPHER_THEN_MAC : FAN_CIPHER_ONLY;
		cr_assert(fan_test_engine_protect(engine, &batch, 1));
		cr_assert_arr_eq(result, pdu.expected, integrity != 0 ? FAN_MAC_BYTES : pdu.shape.text_bytes, "%s",
				 fan_vector_text(vector, "id"));
		checked++;
	}
	fan_vectors_free(&vectors);
	engine->ops->close(engine);
	return checked;
}

Test(engine_ipsec_mb, published_vectors)
{
	static const struct {
		const char *file;
		uint8_t cipher, integrity;
		unsigned at_least;
	} files[] = {
		{ "EEA1.json", 1, 0, 5 }, { "EEA2.json", 2, 0, 4 }, { "EEA3.json", 3, 0, 5 },
		{ "EIA1.json", 0, 1, 6 }, { "EIA2.json", 0, 2, 7 }, { "EIA3.json", 0, 3, 5 },
	};

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		cr_assert_geq(check_vectors(files[i].file, files[i].cipher, files[i].integrity), files[i].at_least, "%s",
			      files[i].file);
}

/* ---- The contract of engine.h ------------------------------------------------------------------------------------------ */

Test(engine_ipsec_mb, takes_every_standard_shape_and_no_other)
{
	const struct fan_shape nas = { 2, 2, FAN_CIPHER_THEN_MAC, 1, 0, 160, NULL, { 0 } };
	struct fan_engine *engine = open_engine(&fan_engine_ipsec_mb);
	struct fan_shape shape;

#define CHECK(taken, field, value)                                                                                             \
	do {                                                                                                                   \
		shape = nas;                                                                                                   \
		shape.field = (value);                                                                                         \
		cr_assert_eq(engine->ops->takes(engine, &shape), taken, #field " " #value);                                    \
	} while (0)
	for (uint8_t i = 0; i <= FAN_ALGORITHM_MAX; i++) {
		CHECK(true, cipher, i);
		CHECK(true, integrity, i);
	}
	CHECK(false, cipher, 4);
	CHECK(false, integrity, 4);
	CHECK(true, sequence, FAN_MAC_THEN_CIPHER);
	CHECK(false, sequence, 3);
	CHECK(true, clear_bytes, 16);
	CHECK(false, clear_bytes, 17);
	CHECK(true, head_blocks, 3);
	CHECK(false, head_blocks, 4);
	CHECK(false, text_bytes, 0);
	CHECK(true, text_bytes, 1);
	CHECK(true, text_bytes, 1499);
	CHECK(false, text_bytes, 1500);
#undef CHECK
	shape = nas;
	shape.sequence = FAN_CIPHER_ONLY;
	shape.integrity = FAN_INTEGRITY_NONE;
	cr_assert(engine->ops->takes(engine, &shape));
	engine->ops->close(engine);
}

/* A batch of a shape it does not take comes back as it was. */
Test(engine_ipsec_mb, foreign_shape_is_left_untouched)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine = open_engine(&fan_engine_ipsec_mb);
	struct fan_test_batch batch, before;
	struct fan_batch *in = &batch.batch, *out = NULL;

	fan_test_batch_make(&batch, &random, 2, 2, FAN_CIPHER_THEN_MAC);
	fan_test_batch_clone(&before, &batch);
	batch.shape.cipher = 4;
	cr_assert_eq(engine->ops->submit_burst(engine, &in, 1), 1);
	cr_assert_eq(engine->ops->poll_burst(engine, &out, 1), 1);
	cr_assert_eq(out, in);
	cr_assert_eq(in->status, FAN_BATCH_UNTOUCHED);
	cr_assert(fan_test_batch_equal(&batch, &before));
	fan_test_batch_free(&before);
	fan_test_batch_free(&batch);
	engine->ops->close(engine);
}

#define QUEUED (FAN_FINISHED_DEPTH + 8)

/* As many batches are taken as can be given back; they come back in the order in which they went in. */
Test(engine_ipsec_mb, full_queue_is_back_pressure)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine = open_engine(&fan_engine_ipsec_mb);
	static struct fan_test_batch batch[QUEUED];
	struct fan_batch *in[QUEUED], *out[QUEUED];
	unsigned back = 0;

	for (unsigned i = 0; i < QUEUED; i++) {
		fan_test_batch_make(&batch[i], &random, 2, 2, FAN_CIPHER_THEN_MAC);
		in[i] = &batch[i].batch;
	}
	cr_assert_eq(engine->ops->poll_burst(engine, out, QUEUED), 0);
	cr_assert_eq(engine->ops->submit_burst(engine, in, QUEUED), FAN_FINISHED_DEPTH);
	cr_assert_eq(engine->ops->submit_burst(engine, in + FAN_FINISHED_DEPTH, 8), 0);
	cr_assert_eq(batch[FAN_FINISHED_DEPTH].batch.status, FAN_BATCH_PENDING);
	back = engine->ops->poll_burst(engine, out, 3);
	cr_assert_eq(back, 3);
	cr_assert_eq(engine->ops->submit_burst(engine, in + FAN_FINISHED_DEPTH, 8), 3);
	back += engine->ops->poll_burst(engine, out + back, QUEUED);
	cr_assert_eq(back, FAN_FINISHED_DEPTH + 3);
	for (unsigned i = 0; i < back; i++)
		cr_assert(out[i] == in[i] && out[i]->status == FAN_BATCH_DONE, "batch %u", i);
	for (unsigned i = 0; i < QUEUED; i++)
		fan_test_batch_free(&batch[i]);
	engine->ops->close(engine);
}

/* ---- A library that fails ---------------------------------------------------------------------------------------------- */

static uint32_t
no_burst(IMB_MGR *state, const uint32_t job_count, IMB_JOB **jobs)
{
	(void)state;
	(void)job_count;
	(void)jobs;
	return 0;
}

static uint32_t
no_cipher_burst(IMB_MGR *state, IMB_JOB *jobs, const uint32_t job_count, const IMB_CIPHER_MODE cipher,
		const IMB_CIPHER_DIRECTION direction, const IMB_KEY_SIZE_BYTES key_size)
{
	(void)state;
	(void)jobs;
	(void)job_count;
	(void)cipher;
	(void)direction;
	(void)key_size;
	return 0;
}

static burst_fn_t real_submit_burst;
static submit_cipher_burst_t real_cipher_burst;
static unsigned bursts_before_failure;

/* Does all the work and then says that one job was not done. */
static uint32_t
one_job_lost(IMB_MGR *state, const uint32_t job_count, IMB_JOB **jobs)
{
	uint32_t done = real_submit_burst(state, job_count, jobs);

	if (done > 0)
		jobs[0]->status = IMB_STATUS_INTERNAL_ERROR;
	return done;
}

static uint32_t
late_cipher_failure(IMB_MGR *state, IMB_JOB *jobs, const uint32_t job_count, const IMB_CIPHER_MODE cipher,
		    const IMB_CIPHER_DIRECTION direction, const IMB_KEY_SIZE_BYTES key_size)
{
	uint32_t done = real_cipher_burst(state, jobs, job_count, cipher, direction, key_size);

	return bursts_before_failure-- > 0 ? done : 0;
}

enum breakage { NO_ROOM, ONE_JOB_LOST, NO_CIPHER, LATE_CIPHER_FAILURE };

static void
break_library(enum breakage breakage)
{
	real_submit_burst = library->submit_burst_nocheck;
	real_cipher_burst = library->submit_cipher_burst_nocheck;
	if (breakage == NO_ROOM)
		library->get_next_burst = no_burst;
	else if (breakage == ONE_JOB_LOST)
		library->submit_burst_nocheck = one_job_lost;
	else if (breakage == NO_CIPHER)
		library->submit_cipher_burst_nocheck = no_cipher_burst;
	else
		library->submit_cipher_burst_nocheck = late_cipher_failure;
	bursts_before_failure = 2;
}

/* The octets that another engine starts from: all that is neither tail nor MAC. */
static bool
heads_intact(const struct fan_test_batch *now, const struct fan_test_batch *before)
{
	unsigned head = 16U * now->shape.head_blocks;

	for (unsigned i = 0; i < now->batch.ue_count; i++) {
		if (memcmp(now->batch.text[i], before->batch.text[i],
			   head < now->shape.text_bytes ? head : now->shape.text_bytes) != 0)
			return false;
	}
	return true;
}

/* The failed batch must be fit for a replay by the reference engine, and the engine fit for the next batch. */
static void
fail_and_recover(struct fan_test_random *random, const struct fan_shape *shape, enum breakage breakage)
{
	struct fan_engine *engine = open_engine(&fan_engine_ipsec_mb), *reference = open_engine(&fan_engine_reference);
	struct fan_test_batch batch, before;
	struct fan_batch *in = &batch.batch, *judge = &before.batch, *out = NULL;
	static IMB_MGR healthy;

	memcpy(&healthy, library, offsetof(IMB_MGR, earliest_job));
	fan_test_batch_make_as(&batch, random, shape, FAN_BATCH_UES_MAX, true);
	fan_test_batch_clone(&before, &batch);
	break_library(breakage);
	cr_assert_eq(engine->ops->submit_burst(engine, &in, 1), 1);
	cr_assert_eq(engine->ops->poll_burst(engine, &out, 1), 1);
	cr_assert_eq(in->status, FAN_BATCH_UNTOUCHED, "breakage %u", breakage);
	cr_assert(heads_intact(&batch, &before), "breakage %u", breakage);
	cr_assert(fan_test_batch_guards_intact(&batch));
	cr_assert(fan_test_engine_protect(reference, &judge, 1));
	cr_assert(fan_test_engine_protect(reference, &in, 1));
	cr_assert(fan_test_batch_equal(&batch, &before), "replay after breakage %u", breakage);
	fan_test_batch_free(&before);
	fan_test_batch_free(&batch);

	memcpy(library, &healthy, offsetof(IMB_MGR, earliest_job));
	fan_test_batch_make_as(&batch, random, shape, FAN_BATCH_UES_MAX, true);
	protect_and_compare(engine, reference, &batch);
	reference->ops->close(reference);
	engine->ops->close(engine);
}

Test(engine_ipsec_mb, failed_jobs_leave_a_batch_that_can_be_replayed)
{
	static const struct {
		struct fan_shape shape;
		enum breakage breakage;
	} rows[] = {
		{ { 1, 2, FAN_CIPHER_THEN_MAC, 1, 2, 60, NULL, { 0 } }, NO_ROOM },
		{ { 0, 1, FAN_MAC_THEN_CIPHER, 2, 1, 60, NULL, { 0 } }, NO_ROOM },
		{ { 2, 2, FAN_CIPHER_THEN_MAC, 1, 3, 600, NULL, { 0 } }, NO_ROOM },
		{ { 1, 0, FAN_CIPHER_ONLY, 2, 3, 30, NULL, { 0 } }, ONE_JOB_LOST },
		{ { 2, 1, FAN_CIPHER_THEN_MAC, 1, 1, 100, NULL, { 0 } }, ONE_JOB_LOST },
		{ { 3, 2, FAN_CIPHER_THEN_MAC, 1, 1, 600, NULL, { 0 } }, ONE_JOB_LOST },
		{ { 2, 2, FAN_CIPHER_THEN_MAC, 1, 1, 100, NULL, { 0 } }, NO_CIPHER },
		{ { 0, 2, FAN_CIPHER_THEN_MAC, 1, 1, 100, NULL, { 0 } }, NO_CIPHER },
		{ { 2, 2, FAN_CIPHER_THEN_MAC, 1, 3, 160, NULL, { 0 } },
		  LATE_CIPHER_FAILURE }, /* the second group, after its ciphering */
		{ { 2, 2, FAN_MAC_THEN_CIPHER, 3, 3, 160, NULL, { 0 } }, LATE_CIPHER_FAILURE },
	};
	struct fan_test_random random = fan_test_random_from_environment();

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		fail_and_recover(&random, &rows[i].shape, rows[i].breakage);
}

/* ---- Life -------------------------------------------------------------------------------------------------------------- */

Test(engine_ipsec_mb, open_says_why_it_cannot)
{
	struct fan_engine *engine;

	library_refuses = true;
	cr_assert_eq(fan_engine_ipsec_mb.open(&engine, NULL), FAN_E_UNSUPPORTED);
	cr_assert_null(engine);
	cr_assert_not_null(strstr(fan_error_detail(), "ipsec-mb"));
	library_refuses = false;
	engine = open_engine(&fan_engine_ipsec_mb);
	engine->ops->close(engine);
}

Test(engine_ipsec_mb, found_by_name)
{
	struct fan_engine_choice choice;

	cr_assert_eq(fan_engine_find(&choice, "ipsec-mb"), 0);
	cr_assert_eq(choice.ops, &fan_engine_ipsec_mb);
	cr_assert_eq(fan_engine_find(&choice, "ipsec-mb:0"), FAN_E_INVALID, "it has no devices");
}

/* Keys, schedules, jobs and the library's own state are one mapping, all zero when it is given back. */
Test(engine_ipsec_mb, close_wipes)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct fan_engine *engine = open_engine(&fan_engine_ipsec_mb);
	struct fan_test_batch batch;
	struct fan_batch *in = &batch.batch;

	fan_test_batch_make(&batch, &random, 2, 2, FAN_CIPHER_THEN_MAC);
	cr_assert(fan_test_engine_protect(engine, &in, 1));
	fan_test_batch_free(&batch);
	watched = (const uint8_t *)engine;
	engine->ops->close(engine);
	cr_assert_geq(unmapped_bytes, imb_get_mb_mgr_size());
	cr_assert_eq(octets_left_behind, 0);
	fan_engine_ipsec_mb.close(NULL);
}

/* Whether the mapping that holds `address` has a flag ("dd": not in core dumps). */
static bool
mapping_has_flag(const void *address, const char *flag)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	unsigned long from, to;
	bool inside = false, has = false;
	char line[512];

	cr_assert_not_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = from <= (uintptr_t)address && (uintptr_t)address < to;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			has = strstr(line, flag) != NULL;
	}
	fclose(maps);
	return has;
}

Test(engine_ipsec_mb, key_material_stays_out_of_core_dumps)
{
	struct fan_engine *engine = open_engine(&fan_engine_ipsec_mb);

	cr_assert(mapping_has_flag(engine, " dd"));
	cr_assert(mapping_has_flag(library, " dd"));
	cr_assert(mapping_has_flag(library->aes_cmac_ooo, " dd"));
	cr_assert(mapping_has_flag(library->zuc_eia3_ooo, " dd"));
	cr_assert(!mapping_has_flag(&library, " dd"));
	engine->ops->close(engine);
}
