/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lockstep engine and every technique of it that this CPU has, against the reference engine and published vectors. This file
 * looks at memory in the moment it is given back, and hides instructions from the techniques.
 *
 * FAN_SLOW=1 makes 10^6 random UEs per technique instead of 10^5: some minutes.
 */
#define _GNU_SOURCE
#include "../dataplane/engine/lockstep/lockstep.h"
#include "../dataplane/engine/lockstep/technique.h"
#include "../dataplane/engine/reference/reference.h"
#include "../dataplane/engines.h"
#include "batch.h"
#include "vectors.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENGINES (FAN_LOCKSTEP_TECHNIQUES + 1)

/* In the order of fan_lockstep_techniques, and the one that chooses. */
static const struct fan_engine_ops *const engines[ENGINES] = {
	&fan_engine_lockstep_vaes512,
	&fan_engine_lockstep_vaes256,
	&fan_engine_lockstep_aesni,
	&fan_engine_lockstep,
};

static const uint8_t *watched;
static size_t octets_left_behind, unmapped_bytes;

/* Takes the place of the library's for the engine in this program. */
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

/* What can be compared on this CPU: engine[] of those that open, and the reference. */
struct contest {
	struct fan_engine *engine[ENGINES], *reference;
	unsigned engine_count;
};

static struct contest
open_contest(void)
{
	struct contest contest = { .reference = open_engine(&fan_engine_reference) };

	for (unsigned i = 0; i < FAN_LOCKSTEP_TECHNIQUES; i++) {
		if (fan_lockstep_techniques[i]->runs())
			contest.engine[contest.engine_count++] = open_engine(engines[i]);
		else
			fprintf(stderr, "not on this CPU: %s\n", engines[i]->name);
	}
	if (contest.engine_count == 0)
		cr_skip_test("this CPU has no AES instructions");
	return contest;
}

static void
close_contest(struct contest *contest)
{
	for (unsigned i = 0; i < contest->engine_count; i++)
		contest->engine[i]->ops->close(contest->engine[i]);
	contest->reference->ops->close(contest->reference);
}

/* ---- Against the reference engine -------------------------------------------------------------------------------------- */

/* Consumes `judge`. Returns its number of UEs. */
static unsigned
protect_and_compare(struct contest *contest, struct fan_test_batch *judge)
{
	const unsigned ue_count = judge->batch.ue_count;
	static struct fan_test_batch one[ENGINES];
	struct fan_batch *batch = &judge->batch;

	for (unsigned i = 0; i < contest->engine_count; i++)
		fan_test_batch_clone(&one[i], judge);
	cr_assert(fan_test_engine_protect(contest->reference, &batch, 1));
	for (unsigned i = 0; i < contest->engine_count; i++) {
		const char *name = contest->engine[i]->ops->name;

		batch = &one[i].batch;
		cr_assert(fan_test_engine_protect(contest->engine[i], &batch, 1), "%s", name);
		cr_assert(fan_test_batch_guards_intact(&one[i]), "%s", name);
		cr_assert(fan_test_batch_equal(&one[i], judge), "%s", name);
		fan_test_batch_free(&one[i]);
	}
	fan_test_batch_free(judge);
	return ue_count;
}

/* Random keys, COUNTs, lengths, clear prefixes, heads and batch sizes, the last packet against a page that cannot be touched. */
Test(engine_lockstep, random_batches, .timeout = 3600)
{
	const char *slow = getenv("FAN_SLOW");
	const unsigned ues_wanted = slow != NULL && strcmp(slow, "0") != 0 ? 1000000 : 70000;
	struct fan_test_random random = fan_test_random_from_environment();
	struct contest contest = open_contest();
	struct fan_test_batch batch;
	unsigned ues = 0;

	for (unsigned i = 0; ues < ues_wanted; i++) {
		const uint8_t sequence = (uint8_t)(i % 3);

		fan_test_batch_make(&batch, &random, 2, sequence == FAN_CIPHER_ONLY ? FAN_INTEGRITY_NONE : 2, sequence);
		ues += protect_and_compare(&contest, &batch);
	}
	close_contest(&contest);
}

/* Every length with every sequence; clear prefixes and heads in turns that do not keep step with it. */
Test(engine_lockstep, every_text_length, .timeout = 120)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct contest contest = open_contest();
	struct fan_test_batch batch;

	for (unsigned text_bytes = 1; text_bytes <= FAN_PDU_BYTES_MAX; text_bytes++) {
		for (uint8_t sequence = 0; sequence < 3; sequence++) {
			const unsigned room = FAN_PDU_BYTES_MAX - text_bytes, clear_bytes = (text_bytes + 5 * sequence) % 17;
			const struct fan_shape shape = {
				.cipher = 2,
				.integrity = 2,
				.sequence = sequence,
				.clear_bytes = (uint8_t)(clear_bytes < room ? clear_bytes : room),
				.head_blocks = (uint8_t)(text_bytes / 17 % 4),
				.text_bytes = (uint16_t)text_bytes,
			};

			fan_test_batch_make_as(&batch, &random, &shape, 1 + text_bytes % 3, true);
			protect_and_compare(&contest, &batch);
		}
	}
	close_contest(&contest);
}

/* Short PDUs, where first block, last block, head and MAC-I meet: everything with everything. */
Test(engine_lockstep, every_short_shape, .timeout = 120)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct contest contest = open_contest();
	struct fan_test_batch batch;

	for (unsigned i = 0; i < 3 * 17 * 4 * 34; i++) {
		const struct fan_shape shape = {
			.cipher = 2,
			.integrity = 2,
			.sequence = (uint8_t)(i % 3),
			.clear_bytes = (uint8_t)(i / 3 % 17),
			.head_blocks = (uint8_t)(i / (3 * 17) % 4),
			.text_bytes = (uint16_t)(1 + i / (3 * 17 * 4)),
		};

		fan_test_batch_make_as(&batch, &random, &shape, 1, true);
		protect_and_compare(&contest, &batch);
	}
	close_contest(&contest);
}

Test(engine_lockstep, every_batch_size)
{
	static const uint16_t text_bytes[] = { 20, 160, 700 };
	struct fan_test_random random = fan_test_random_from_environment();
	struct contest contest = open_contest();
	struct fan_test_batch batch;

	for (unsigned ue_count = 1; ue_count <= FAN_BATCH_UES_MAX; ue_count++) {
		for (uint8_t sequence = 0; sequence < 3; sequence++) {
			struct fan_shape shape = fan_test_random_shape(&random, 2, 2, sequence);

			shape.text_bytes = text_bytes[(ue_count + sequence) % 3];
			fan_test_batch_make_as(&batch, &random, &shape, ue_count, true);
			protect_and_compare(&contest, &batch);
		}
	}
	close_contest(&contest);
}

/* ---- Published vectors ------------------------------------------------------------------------------------------------- */

#define TEXT_OFFSET 64

struct vector_pdu {
	uint8_t packet[TEXT_OFFSET + FAN_PDU_BYTES_MAX + FAN_MAC_BYTES];
	uint8_t message[FAN_PDU_BYTES_MAX + FAN_MESSAGE_SLACK_BYTES];
	uint8_t expected[FAN_PDU_BYTES_MAX];
	struct fan_context context;
	struct fan_shape shape;
	struct fan_batch batch;
};

/* False: not whole octets, none, or more than a PDU holds beside a MAC-I. */
static bool
load_vector(struct vector_pdu *pdu, const json_t *vector, const char *message_field, const char *result_field)
{
	const uint32_t bits = fan_vector_number(vector, "length_bits");

	if (bits % 8 != 0 || bits == 0 || bits / 8 > FAN_PDU_BYTES_MAX - FAN_MAC_BYTES)
		return false;
	memset(pdu, 0, sizeof(*pdu));
	cr_assert_eq(fan_vector_bytes(vector, pdu->message, message_field, FAN_PDU_BYTES_MAX), bits / 8);
	cr_assert_gt(fan_vector_bytes(vector, pdu->expected, result_field, FAN_PDU_BYTES_MAX), 0);
	cr_assert_eq(fan_vector_bytes(vector, pdu->context.k_enc, "key", FAN_KEY_BYTES), FAN_KEY_BYTES);
	memcpy(pdu->context.k_int, pdu->context.k_enc, FAN_KEY_BYTES);
	pdu->context.bearer_direction = (uint8_t)(fan_vector_number(vector, "bearer") << 3 |
						  fan_vector_number(vector, "direction") << 2);
	pdu->shape = (struct fan_shape){ 2, 2, FAN_CIPHER_ONLY, 0, 0, (uint16_t)(bits / 8), pdu->message, { 0 } };
	pdu->batch.shape = &pdu->shape;
	pdu->batch.ue_count = 1;
	pdu->batch.context[0] = &pdu->context;
	pdu->batch.count[0] = fan_vector_number(vector, "count");
	pdu->batch.text[0] = pdu->packet + TEXT_OFFSET;
	return true;
}

static void
protect_vector(struct fan_engine *engine, struct vector_pdu *pdu)
{
	struct fan_batch *batch = &pdu->batch;

	pdu->batch.status = FAN_BATCH_PENDING;
	cr_assert(fan_test_engine_protect(engine, &batch, 1));
}

Test(engine_lockstep, published_cipher_vectors)
{
	struct contest contest = open_contest();
	struct fan_vectors vectors = fan_vectors_load("EEA2.json");
	static struct vector_pdu pdu;
	unsigned checked = 0;

	for (size_t i = 0; i < vectors.count; i++) {
		if (!load_vector(&pdu, fan_vector_at(&vectors, i), "plaintext", "ciphertext"))
			continue;
		for (unsigned k = 0; k < contest.engine_count; k++) {
			protect_vector(contest.engine[k], &pdu);
			cr_assert_arr_eq(pdu.packet + TEXT_OFFSET, pdu.expected, pdu.shape.text_bytes, "%s: %s",
					 contest.engine[k]->ops->name, fan_vector_text(fan_vector_at(&vectors, i), "id"));
		}
		checked++;
	}
	cr_assert_geq(checked, 4);
	fan_vectors_free(&vectors);
	close_contest(&contest);
}

/*
 * The vector's message becomes what the MAC is over: clear prefix and ciphertext for NAS, so the text has to be the one whose
 * ciphertext that is; clear prefix and plaintext for NR PDCP, where the MAC-I is then ciphered.
 */
static void
check_mac_vector(struct contest *contest, struct fan_engine *engine, const struct vector_pdu *vector, uint8_t sequence,
		 unsigned clear_bytes)
{
	static struct vector_pdu pdu;
	const unsigned text_bytes = vector->shape.text_bytes - clear_bytes;
	uint8_t *text = pdu.packet + TEXT_OFFSET, *mac = text - clear_bytes - FAN_MAC_BYTES, message[FAN_PDU_BYTES_MAX];

	pdu = *vector;
	memcpy(message, pdu.message, sizeof(message));
	memcpy(text - clear_bytes, message, clear_bytes);
	memmove(pdu.message, message + clear_bytes, text_bytes);
	memset(pdu.message + text_bytes, 0, FAN_MAC_BYTES);
	pdu.shape.message = pdu.message;
	pdu.batch.shape = &pdu.shape;
	pdu.batch.context[0] = &pdu.context;
	pdu.batch.text[0] = text;
	pdu.shape.text_bytes = (uint16_t)(text_bytes + FAN_MAC_BYTES);
	protect_vector(contest->reference, &pdu);
	if (sequence == FAN_CIPHER_THEN_MAC)
		memcpy(pdu.message, text, text_bytes);
	else
		for (unsigned i = 0; i < FAN_MAC_BYTES; i++)
			pdu.expected[i] ^= text[text_bytes + i];
	pdu.shape.sequence = sequence;
	pdu.shape.clear_bytes = (uint8_t)clear_bytes;
	pdu.shape.text_bytes = (uint16_t)text_bytes;
	protect_vector(engine, &pdu);
	if (sequence == FAN_CIPHER_THEN_MAC)
		cr_assert_arr_eq(text, message + clear_bytes, text_bytes);
	cr_assert_arr_eq(sequence == FAN_CIPHER_THEN_MAC ? mac : text + text_bytes, pdu.expected, FAN_MAC_BYTES,
			 "%s, sequence %u, clear prefix %u", engine->ops->name, sequence, clear_bytes);
}

Test(engine_lockstep, published_mac_vectors)
{
	struct contest contest = open_contest();
	struct fan_vectors vectors = fan_vectors_load("EIA2.json");
	static struct vector_pdu pdu;
	unsigned checked = 0;

	for (size_t i = 0; i < vectors.count; i++) {
		if (!load_vector(&pdu, fan_vector_at(&vectors, i), "message", "mac"))
			continue;
		for (unsigned k = 0; k < contest.engine_count * 6; k++)
			check_mac_vector(&contest, contest.engine[k / 6], &pdu,
					 k % 2 == 0 ? FAN_CIPHER_THEN_MAC : FAN_MAC_THEN_CIPHER, k / 2 % 3);
		checked++;
	}
	cr_assert_geq(checked, 7);
	fan_vectors_free(&vectors);
	close_contest(&contest);
}

/* ---- The contract of engine.h ------------------------------------------------------------------------------------------ */

Test(engine_lockstep, takes_aes_and_no_other)
{
	static const struct {
		struct fan_shape shape;
		bool taken;
	} rows[] = {
		{ { 2, 2, FAN_CIPHER_THEN_MAC, 1, 0, 160, NULL, { 0 } }, true },
		{ { 2, 2, FAN_MAC_THEN_CIPHER, 3, 3, 160, NULL, { 0 } }, true },
		{ { 2, FAN_INTEGRITY_NONE, FAN_CIPHER_ONLY, 2, 1, 160, NULL, { 0 } }, true },
		{ { 2, 2, FAN_CIPHER_THEN_MAC, FAN_CLEAR_BYTES_MAX, FAN_HEAD_BLOCKS_MAX, 1, NULL, { 0 } }, true },
		{ { 2, 2, FAN_CIPHER_THEN_MAC, 0, 0, FAN_PDU_BYTES_MAX, NULL, { 0 } }, true },
		{ { 0, 2, FAN_CIPHER_THEN_MAC, 1, 0, 160, NULL, { 0 } }, false },
		{ { 1, 2, FAN_CIPHER_THEN_MAC, 1, 0, 160, NULL, { 0 } }, false },
		{ { 3, 2, FAN_CIPHER_ONLY, 1, 0, 160, NULL, { 0 } }, false },
		{ { 2, 0, FAN_CIPHER_THEN_MAC, 1, 0, 160, NULL, { 0 } }, false },
		{ { 2, 1, FAN_MAC_THEN_CIPHER, 1, 0, 160, NULL, { 0 } }, false },
		{ { 2, 3, FAN_MAC_THEN_CIPHER, 1, 0, 160, NULL, { 0 } }, false },
		{ { 2, FAN_INTEGRITY_NONE, FAN_CIPHER_THEN_MAC, 1, 0, 160, NULL, { 0 } }, false },
		{ { 2, 2, 3, 1, 0, 160, NULL, { 0 } }, false },
		{ { 2, 2, FAN_CIPHER_THEN_MAC, FAN_CLEAR_BYTES_MAX + 1, 0, 160, NULL, { 0 } }, false },
		{ { 2, 2, FAN_CIPHER_THEN_MAC, 1, FAN_HEAD_BLOCKS_MAX + 1, 160, NULL, { 0 } }, false },
		{ { 2, 2, FAN_CIPHER_THEN_MAC, 1, 0, 0, NULL, { 0 } }, false },
		{ { 2, 2, FAN_CIPHER_THEN_MAC, 1, 0, FAN_PDU_BYTES_MAX, NULL, { 0 } }, false },
	};
	struct contest contest = open_contest();

	for (unsigned i = 0; i < contest.engine_count * sizeof(rows) / sizeof(rows[0]); i++) {
		struct fan_engine *engine = contest.engine[i % contest.engine_count];
		const unsigned row = i / contest.engine_count;

		cr_assert_eq(engine->ops->takes(engine, &rows[row].shape), rows[row].taken, "row %u", row);
	}
	close_contest(&contest);
}

/* A batch of a shape it does not take comes back as it was. */
Test(engine_lockstep, foreign_shape_is_left_untouched)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct contest contest = open_contest();

	for (unsigned i = 0; i < contest.engine_count; i++) {
		const struct fan_engine_ops *ops = contest.engine[i]->ops;
		struct fan_test_batch batch, before;
		struct fan_batch *in = &batch.batch, *out = NULL;

		fan_test_batch_make(&batch, &random, 2, 2, FAN_CIPHER_THEN_MAC);
		fan_test_batch_clone(&before, &batch);
		batch.shape.cipher = 3;
		cr_assert_eq(ops->submit_burst(contest.engine[i], &in, 1), 1);
		cr_assert_eq(ops->poll_burst(contest.engine[i], &out, 1), 1);
		cr_assert_eq(out, in);
		cr_assert_eq(in->status, FAN_BATCH_UNTOUCHED);
		cr_assert(fan_test_batch_equal(&batch, &before));
		fan_test_batch_free(&before);
		fan_test_batch_free(&batch);
	}
	close_contest(&contest);
}

#define QUEUED (FAN_FINISHED_DEPTH + 8)

/* As many batches are taken as can be given back; they come back in the order in which they went in. */
static void
fill_queue(struct fan_engine *engine, struct fan_test_random *random)
{
	static struct fan_test_batch batch[QUEUED];
	struct fan_batch *in[QUEUED], *out[QUEUED];
	unsigned back = 0;

	for (unsigned i = 0; i < QUEUED; i++) {
		fan_test_batch_make(&batch[i], random, 2, 2, FAN_CIPHER_THEN_MAC);
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
}

Test(engine_lockstep, full_queue_is_back_pressure)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct contest contest = open_contest();

	for (unsigned i = 0; i < contest.engine_count; i++)
		fill_queue(contest.engine[i], &random);
	close_contest(&contest);
}

#define BURST 8

/* Batches of one burst share an engine's memory: each must come out as if it had been alone, also when shapes differ. */
Test(engine_lockstep, bursts_of_mixed_shapes)
{
	struct fan_test_random random = fan_test_random_from_environment();
	struct contest contest = open_contest();

	for (unsigned i = 0; i < 40 * contest.engine_count; i++) {
		struct fan_engine *engine = contest.engine[i % contest.engine_count];
		static struct fan_test_batch one[BURST], judge[BURST];
		struct fan_batch *in[BURST], *judged[BURST];

		for (unsigned k = 0; k < BURST; k++) {
			fan_test_batch_make(&one[k], &random, 2, 2, (uint8_t)fan_test_random_below(&random, 3));
			fan_test_batch_clone(&judge[k], &one[k]);
			in[k] = &one[k].batch;
			judged[k] = &judge[k].batch;
		}
		cr_assert(fan_test_engine_protect(contest.reference, judged, BURST));
		cr_assert(fan_test_engine_protect(engine, in, BURST), "%s", engine->ops->name);
		for (unsigned k = 0; k < BURST; k++) {
			cr_assert(fan_test_batch_guards_intact(&one[k]), "%s", engine->ops->name);
			cr_assert(fan_test_batch_equal(&one[k], &judge[k]), "%s", engine->ops->name);
			fan_test_batch_free(&judge[k]);
			fan_test_batch_free(&one[k]);
		}
	}
	close_contest(&contest);
}

/* ---- Life -------------------------------------------------------------------------------------------------------------- */

/* Where __builtin_cpu_supports() looks, filled in before main(). */
struct cpu_model {
	unsigned vendor, type, subtype, features;
};
extern struct cpu_model __cpu_model;

#define SSE4_1 (1U << 7)
#define AVX2 (1U << 10)
#define AVX512F (1U << 15)
#define AES (1U << 18)

/* Octets mapped by the engine that `ops` opens. Everything that it was told is gone when it has closed. */
static size_t
open_work_close(const struct fan_engine_ops *ops)
{
	struct fan_test_random random = { 1 };
	struct fan_engine *engine = open_engine(ops);
	struct fan_test_batch batch;
	struct fan_batch *in = &batch.batch;

	for (uint8_t sequence = 0; sequence < 3; sequence++) {
		fan_test_batch_make(&batch, &random, 2, 2, sequence);
		cr_assert(fan_test_engine_protect(engine, &in, 1));
		fan_test_batch_free(&batch);
	}
	watched = (const uint8_t *)engine;
	engine->ops->close(engine);
	watched = NULL;
	cr_assert_eq(octets_left_behind, 0, "%s", ops->name);
	return unmapped_bytes;
}

static size_t kept_out_bytes;

int
madvise(void *memory, size_t byte_count, int advice)
{
	kept_out_bytes += advice == MADV_DONTDUMP ? byte_count : 0;
	return (int)syscall(SYS_madvise, memory, byte_count, advice);
}

/* All that an engine has, key schedules among it, is kept out of a core dump. */
Test(engine_lockstep, stays_out_of_core_dumps)
{
	struct fan_engine *engine = open_engine(&fan_engine_lockstep);

	watched = (const uint8_t *)engine;
	fan_engine_lockstep.close(engine);
	cr_assert(unmapped_bytes > 0 && kept_out_bytes == unmapped_bytes, "%zu of %zu octets", kept_out_bytes, unmapped_bytes);
}

Test(engine_lockstep, close_wipes)
{
	for (unsigned i = 0; i < FAN_LOCKSTEP_TECHNIQUES; i++) {
		if (fan_lockstep_techniques[i]->runs())
			cr_assert_gt(open_work_close(engines[i]), fan_lockstep_techniques[i]->scratch_bytes);
	}
	fan_engine_lockstep.close(NULL);
}

static size_t
stream_bytes(void)
{
	static const struct fan_lockstep *const streams[] = { &fan_lockstep_snow3g_avx512, &fan_lockstep_zuc_avx512 };
	size_t bytes = 0;

	for (unsigned i = 0; i < 2; i++)
		if (streams[i]->runs())
			bytes += (streams[i]->scratch_bytes + 63) & ~(size_t)63;
	return bytes;
}

/* Each row hides instructions; the engine takes the first technique that is left, and the others refuse with what is missing. */
Test(engine_lockstep, technique_fits_the_cpu)
{
	static const struct {
		unsigned hidden;
		bool runs[FAN_LOCKSTEP_TECHNIQUES];
	} rows[] = {
		{ 0, { true, true, true } },
		{ AVX512F, { false, true, true } },
		{ AVX512F | AVX2, { false, false, true } },
		{ AVX512F | AVX2 | SSE4_1, { false, false, false } },
		{ AVX512F | AES, { false, false, false } },
	};
	const unsigned features = __cpu_model.features;
	bool here[FAN_LOCKSTEP_TECHNIQUES];

	for (unsigned i = 0; i < FAN_LOCKSTEP_TECHNIQUES; i++)
		here[i] = fan_lockstep_techniques[i]->runs();
	for (unsigned row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		const struct fan_engine_ops *best = NULL;
		struct fan_engine *engine;

		__cpu_model.features = features & ~rows[row].hidden;
		for (unsigned i = FAN_LOCKSTEP_TECHNIQUES; i-- > 0;) {
			if (here[i] && rows[row].runs[i]) {
				best = engines[i];
				continue;
			}
			cr_assert_eq(engines[i]->open(&engine, NULL), FAN_E_UNSUPPORTED, "row %u: %s", row, engines[i]->name);
			cr_assert_null(engine);
			cr_assert_not_null(strstr(fan_error_detail(), engines[i]->name));
			cr_assert_not_null(strstr(fan_error_detail(), fan_lockstep_techniques[i]->instructions));
		}
		if (best != NULL) {
			/* Techniques differ in what they map; SNOW 3G and ZUC come on top where they run. */
			cr_assert_eq(open_work_close(&fan_engine_lockstep), open_work_close(best) + stream_bytes(), "row %u",
				     row);
		} else {
			cr_assert_eq(fan_engine_lockstep.open(&engine, NULL), FAN_E_UNSUPPORTED, "row %u", row);
			cr_assert_not_null(strstr(fan_error_detail(), "reference"));
		}
	}
	__cpu_model.features = features;
}

Test(engine_lockstep, found_by_name)
{
	static const char *const names[ENGINES] = { "lockstep-vaes512", "lockstep-vaes256", "lockstep-aesni", "lockstep" };
	struct fan_engine_choice choice;

	for (unsigned i = 0; i < ENGINES; i++) {
		cr_assert_eq(fan_engine_find(&choice, names[i]), 0, "%s", names[i]);
		cr_assert_eq(choice.ops, engines[i], "%s", names[i]);
	}
}
