/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shows that an engine's branches and addresses do not depend on secrets, or that they do. Under valgrind, keys and plaintext are
 * marked undefined; what the engine derives from them is undefined too, and memcheck reports every branch and every address that an
 * undefined bit decides. COUNT, BEARER, DIRECTION, clear prefix, lengths, numbers of UEs and pointers are public.
 *
 *	valgrind constant_time ENGINE CODE CIPHER...		each of these ciphers with every integrity algorithm and alone
 *
 * CODE `sse` takes that code of Intel's library, anything else its AVX2 code; it has no meaning for other engines.
 *
 * Afterwards the packets are compared with those of the reference, so that an engine that did not do its work is not praised.
 * Nothing is declared public on the way: no engine branches on a MAC or on ciphertext either. Exit code 0: nothing was reported; 1: something
 * was, or a batch came out wrong; 2: the run shows nothing.
 */
#include "../../dataplane/engines.h"
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
