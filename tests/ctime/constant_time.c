/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shows that an engine's branches and addresses do not depend on secrets, or that they do. Under valgrind, keys and plaintext are
 * marked undefined; what the engine derives from them is undefined too, and memcheck reports every branch and every address that an
 * undefined bit decides. COUNT, BEARER, DIRECTION, clear prefix, lengths, numbers of UEs and pointers are public.
 *
 *	valgrind constant_time ENGINE CODE CIPHER...		each of these ciphers with every integrity algorithm and alone
 *	valgrind constant_time mikey-burst CODE 0		MSK messages of MBMS; MUKs and the MSK are the secrets
 *
 * CODE `sse` takes that code of Intel's library, anything else its AVX2 code; it has no meaning for other engines.
 *
 * Afterwards the packets are compared with those of the reference, so that an engine that did not do its work is not praised.
 * Nothing is declared public on the way: no engine branches on a MAC or on ciphertext either. Exit code 0: nothing was reported; 1: something
 * was, or a batch came out wrong; 2: the run shows nothing.
 */
#include "../../dataplane/engine/ipsec_mb/mikey_burst.h"
#include "../../dataplane/engines.h"
#include "../../host-api/keys/mikey.h"
#include "../batch.h"

#include <intel-ipsec-mb.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

/* Octets of text: around blocks of 16 and chunks of 64, both sides of ipsec-mb's change of method at 576, and a full PDU. */
static const uint16_t text_bytes[] = { 1, 4, 15, 16, 17, 31, 63, 64, 65, 127, 160, 200, 570, 700, 1500 };
static const uint8_t clear_bytes[] = { 1, 2, 3, 0, 16 };
static const uint8_t ue_counts[] = { 64, 1, 16, 5, 33 };

#define LENGTHS (sizeof(text_bytes) / sizeof(text_bytes[0]))
#define CLEARS (sizeof(clear_bytes) / sizeof(clear_bytes[0]))
#define UE_COUNTS (sizeof(ue_counts) / sizeof(ue_counts[0]))
/* The reference is slow under valgrind: more octets than this, over all UEs, are not compared. */
#define COMPARED_BYTES_MAX 1100
/* An engine of so many reports is not tried further: each costs valgrind more than the batch does. */
#define REPORTS_MAX 1000

struct judge {
	struct fan_engine *engine, *reference;
	struct fan_test_random random;
	unsigned batches, compared, wrong;
	unsigned long reports;
};

static bool wants_sse;

/* Instead of the library's own, which takes the widest code that the CPU has. Valgrind knows no wider one than AVX2. */
void
init_mb_mgr_auto(IMB_MGR *library, IMB_ARCH *arch)
{
	if (wants_sse)
		init_mb_mgr_sse(library);
	else
		init_mb_mgr_avx2(library);
	*arch = wants_sse ? IMB_ARCH_SSE : IMB_ARCH_AVX2;
}

/* Of one batch: everything that only the UE and the network may know. */
static void
mark_secrets(const struct fan_test_batch *test)
{
	const struct fan_shape *shape = &test->shape;

	for (unsigned i = 0; i < test->batch.ue_count; i++) {
		VALGRIND_MAKE_MEM_UNDEFINED(test->batch.context[i]->k_enc, FAN_KEY_BYTES);
		VALGRIND_MAKE_MEM_UNDEFINED(test->batch.context[i]->k_int, FAN_KEY_BYTES);
		VALGRIND_MAKE_MEM_UNDEFINED(test->batch.text[i], fan_shape_head_bytes(shape));
	}
	VALGRIND_MAKE_MEM_UNDEFINED(shape->message, shape->text_bytes);
}

/* The packets are what anybody on the link sees; the rest is read by nobody but the test. */
static void
unmark(const struct fan_test_batch *test)
{
	VALGRIND_MAKE_MEM_DEFINED(test->packets, test->packets_bytes);
	VALGRIND_MAKE_MEM_DEFINED(test->shared, test->shared_bytes);
}

/* Whether the marks reach as far as the packets: an engine under which they vanish would seem constant time. */
static bool
carries_marks(const struct fan_test_batch *test)
{
	const struct fan_shape *shape = &test->shape;

	static uint8_t marks[FAN_PDU_BYTES_MAX];

	for (unsigned i = 0; i < test->batch.ue_count; i++) {
		if (VALGRIND_GET_VBITS(test->batch.text[i], marks, shape->text_bytes) != 1)
			return false;
		for (unsigned octet = 0; octet < shape->text_bytes; octet++)
			if (marks[octet] != 0xff)
				return false;
	}
	return true;
}

static void
judge_batch(struct judge *judge, const struct fan_shape *shape, unsigned ue_count)
{
	const bool compares = (unsigned)shape->text_bytes * ue_count <= COMPARED_BYTES_MAX;
	struct fan_test_batch test, expected;
	struct fan_batch *batch = &test.batch, *expected_batch = &expected.batch;
	unsigned long reports;

	fan_test_batch_make_as(&test, &judge->random, shape, ue_count, false);
	fan_test_batch_clone(&expected, &test);
	mark_secrets(&test);
	reports = VALGRIND_COUNT_ERRORS;
	judge->wrong += !fan_test_engine_protect(judge->engine, &batch, 1);
	judge->reports += VALGRIND_COUNT_ERRORS - reports;
	judge->wrong += !carries_marks(&test);
	unmark(&test);
	if (compares) {
		judge->compared++;
		judge->wrong += !fan_test_engine_protect(judge->reference, &expected_batch, 1) ||
				!fan_test_batch_equal(&test, &expected);
	}
	judge->batches++;
	fan_test_batch_free(&expected);
	fan_test_batch_free(&test);
}

static void
judge_algorithms(struct judge *judge, uint8_t cipher, uint8_t integrity, uint8_t sequence)
{
	static const uint8_t some_message[1];
	struct fan_shape shape = { .cipher = cipher, .integrity = integrity, .sequence = sequence, .message = some_message };

	for (unsigned i = 0; i < LENGTHS; i++) {
		for (uint8_t head_blocks = 0; head_blocks <= FAN_HEAD_BLOCKS_MAX; head_blocks++) {
			const unsigned turn = judge->batches;

			shape.text_bytes = text_bytes[i];
			shape.head_blocks = head_blocks;
			shape.clear_bytes = clear_bytes[turn % CLEARS];
			if (judge->reports <= REPORTS_MAX && judge->engine->ops->takes(judge->engine, &shape))
				judge_batch(judge, &shape, ue_counts[turn / CLEARS % UE_COUNTS]);
		}
	}
}

static void
judge_cipher(struct judge *judge, uint8_t cipher)
{
	for (uint8_t integrity = 0; integrity <= FAN_ALGORITHM_MAX; integrity++) {
		judge_algorithms(judge, cipher, integrity, FAN_CIPHER_THEN_MAC);
		judge_algorithms(judge, cipher, integrity, FAN_MAC_THEN_CIPHER);
	}
	judge_algorithms(judge, cipher, FAN_INTEGRITY_NONE, FAN_CIPHER_ONLY);
}

/* ---- MSK messages of MBMS ---------------------------------------------------------------------------------------------- */

#define MIKEY_UES 33 /* a whole tile, and one that is not full */

struct mikey_case {
	struct fan_mikey_head head;
	struct fan_mikey_msk msk;
	struct fan_mikey_user user;
	struct fan_mikey_template template;
	struct fan_context context[MIKEY_UES];
	struct fan_context *of[MIKEY_UES];
	uint8_t octets[MIKEY_UES][FAN_MIKEY_BYTES_MAX];
	uint8_t *out[MIKEY_UES];
};

static void
fill_mikey_case(struct mikey_case *test)
{
	static const char names[] = "AAAAAAAAAAAAAAAAAAAAAA==@bsf.example";

	test->head = (struct fan_mikey_head){ .csb_id = 1, .counter = 7, .rand = "RAND of an MSK." };
	test->msk = (struct fan_mikey_msk){ .id = 1, .mtk_last = 9, .key = "an MSK of tests" };
	test->user.idi = test->user.idr = (struct fan_mikey_identity){ names, sizeof(names) - 1 };
	for (unsigned i = 0; i < MIKEY_UES; i++) {
		memset(test->context[i].k_enc, (int)i + 1, FAN_KEY_BYTES);
		memset(test->context[i].k_int, (int)i + 1, FAN_KEY_BYTES);
		test->of[i] = &test->context[i];
		test->out[i] = test->octets[i];
	}
}

/* T and name, which are the template's own here. */
static void
place_own(struct mikey_case *test)
{
	const struct fan_mikey_places *const at = &test->template.places;

	for (unsigned i = 0; i < MIKEY_UES; i++) {
		memcpy(test->out[i] + at->counter_at, test->template.octets + at->counter_at, 4);
		memcpy(test->out[i] + at->name_at, test->template.octets + at->name_at, FAN_B_TID_NAME_BYTES);
	}
}

/* With the secrets marked. Whether the marks reached the ends of key data and MAC. */
static bool
run_marked(struct fan_mikey_burst *burst, struct mikey_case *test)
{
	struct fan_mikey_template *const clear = &test->template;
	const struct fan_shape shape = {
		.sequence = FAN_MIKEY, .text_bytes = clear->octet_count, .message = clear->octets, .mikey = clear->places
	};
	bool good;

	place_own(test);
	for (unsigned i = 0; i < MIKEY_UES; i++) {
		VALGRIND_MAKE_MEM_UNDEFINED(test->context[i].k_enc, FAN_KEY_BYTES);
		VALGRIND_MAKE_MEM_UNDEFINED(test->context[i].k_int, FAN_KEY_BYTES);
	}
	VALGRIND_MAKE_MEM_UNDEFINED(clear->octets + shape.mikey.secret_at, shape.mikey.secret_bytes);
	good = fan_mikey_burst_run(burst, test->out, &shape, test->of, MIKEY_UES);
	for (unsigned i = 0; i < MIKEY_UES; i++) {
		uint8_t marks[2];

		(void)VALGRIND_GET_VBITS(test->out[i] + shape.mikey.secret_at + shape.mikey.secret_bytes - 1, &marks[0], 1);
		(void)VALGRIND_GET_VBITS(test->out[i] + shape.text_bytes - 1, &marks[1], 1);
		good = good && marks[0] == 0xff && marks[1] == 0xff;
	}
	VALGRIND_MAKE_MEM_DEFINED(test, sizeof(*test));
	return good;
}

static int
judge_mikey_burst(void)
{
	static struct mikey_case test;
	struct fan_mikey_burst *burst;
	struct fan_mikey *mikey;
	unsigned long reports;
	unsigned wrong;

	fill_mikey_case(&test);
	if (fan_mikey_burst_open(&burst, NULL) != 0 || fan_mikey_open(&mikey) != 0 ||
	    fan_mikey_template(&test.template, &test.head, &test.msk, &test.user) != 0) {
		fprintf(stderr, "constant_time: %s\n", fan_error_detail());
		return 2;
	}
	reports = VALGRIND_COUNT_ERRORS;
	wrong = !run_marked(burst, &test);
	reports = VALGRIND_COUNT_ERRORS - reports;
	for (unsigned i = 0; i < MIKEY_UES; i++) {
		uint8_t wanted[FAN_MIKEY_BYTES_MAX];

		memcpy(test.user.muk, test.context[i].k_enc, FAN_KEY_BYTES);
		memcpy(test.user.muk + FAN_KEY_BYTES, test.context[i].k_int, FAN_KEY_BYTES);
		wrong += fan_mikey_write_msk(mikey, wanted, &test.head, &test.msk, &test.user) != test.template.octet_count ||
			 memcmp(wanted, test.out[i], test.template.octet_count) != 0;
	}
	printf("%-17s %4u batches, %u compared, %u wrong, %lu reports\n", "mikey-burst", 2U, 2U, wrong, reports);
	fan_mikey_burst_close(burst);
	fan_mikey_close(mikey);
	return wrong != 0 || reports != 0;
}

int
main(int argc, char **argv)
{
	struct judge judge = { .random = { 1 } };
	struct fan_engine_choice choice;

	if (!RUNNING_ON_VALGRIND || argc < 4) {
		fprintf(stderr,
			"usage: valgrind constant_time ENGINE CODE CIPHER...; without valgrind it would show nothing\n");
		return 2;
	}
	wants_sse = strcmp(argv[2], "sse") == 0;
	if (strcmp(argv[1], "mikey-burst") == 0)
		return judge_mikey_burst();
	if (fan_engine_find(&choice, argv[1]) != 0 || fan_engine_open(&judge.engine, &choice) != 0 ||
	    fan_engine_open(&judge.reference, &fan_engine_judge) != 0) {
		fprintf(stderr, "constant_time: %s\n", fan_error_detail());
		return 2;
	}
	for (int i = 3; i < argc; i++)
		judge_cipher(&judge, (uint8_t)strtoul(argv[i], NULL, 10));
	printf("%-17s %4u batches, %u compared, %u wrong, %lu reports\n", argv[1], judge.batches, judge.compared, judge.wrong,
	       judge.reports);
	judge.engine->ops->close(judge.engine);
	judge.reference->ops->close(judge.reference);
	if (judge.batches == 0 || judge.compared == 0)
		return 2;
	return judge.wrong != 0 || judge.reports != 0;
}
