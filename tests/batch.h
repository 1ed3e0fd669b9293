/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random batches for the tests of engines: two engines get clones of one batch and must leave the same octets behind.
 *
 *	struct fan_test_random random = fan_test_random_from_environment();
 *	struct fan_test_batch one, other;
 *
 *	fan_test_batch_make(&one, &random, cipher, integrity, sequence);
 *	fan_test_batch_clone(&other, &one);
 *	... let each engine protect its own (fan_test_engine_protect) ...
 *	cr_assert(fan_test_batch_guards_intact(&one));
 *	cr_assert(fan_test_batch_equal(&one, &other));
 *	fan_test_batch_free(&other);
 *	fan_test_batch_free(&one);
 *
 * What engine.h forbids is made to hurt: contexts and message are read-only and end, with the message's slack, at a page that
 * cannot be read; so does the packet of the last UE. Every packet has at least FAN_TEST_GUARD_BYTES of random octets on both
 * sides (the last one in front only), and everything in it that the PDU does not own must keep its value.
 * context[]->count differs from batch.count[], the octets of `message` under the private head differ from every head, and the
 * text behind the head is random garbage before the engine has written it.
 */
#ifndef FAN_TEST_BATCH_H
#define FAN_TEST_BATCH_H

#include "../dataplane/engine/engine.h"

#define FAN_TEST_GUARD_BYTES 64

/* A deterministic generator; every random test prints its seed, and the environment's FAN_SEED replaces it. */
struct fan_test_random {
	uint64_t state;
};

struct fan_test_random fan_test_random_from_environment(void);
uint64_t fan_test_random_next(struct fan_test_random *random);
/* 0 .. limit - 1. */
uint32_t fan_test_random_below(struct fan_test_random *random, uint32_t limit);
void fan_test_random_fill(struct fan_test_random *random, uint8_t *bytes, size_t byte_count);
/* Half of them next to where an SN, an HFN or a 24-bit NAS COUNT rolls over, or at either end of 32 bits. */
uint32_t fan_test_random_count(struct fan_test_random *random);
/* 1 .. text_bytes_max, half of them at an edge: around multiples of 16 and 64 octets, and at both ends. */
uint16_t fan_test_random_text_bytes(struct fan_test_random *random, unsigned text_bytes_max);
/* Clear prefix, private head and length at random; message is NULL. */
struct fan_shape fan_test_random_shape(struct fan_test_random *random, uint8_t cipher, uint8_t integrity, uint8_t sequence);

struct fan_test_batch {
	struct fan_shape shape;
	struct fan_batch batch; /* hand &batch to an engine */
	/* The rest belongs to batch.c. */
	uint8_t *packets, *shared; /* mappings, each followed by a page that cannot be read */
	uint8_t *packets_before;   /* the packets as they were made */
	size_t packets_bytes, shared_bytes;
};

/* A batch of random shape with 1..64 UEs. Aborts when memory is short, as do the next two. */
void fan_test_batch_make(struct fan_test_batch *test, struct fan_test_random *random, uint8_t cipher, uint8_t integrity,
			 uint8_t sequence);
/* The same with everything but message taken from `shape`. `fenced` false: the last packet too has guard octets behind it, for
 * an engine that is known to read past the PDU. 64 texts start at all alignments 0..63 (a fenced one where its length puts
 * it). */
void fan_test_batch_make_as(struct fan_test_batch *test, struct fan_test_random *random, const struct fan_shape *shape,
			    unsigned ue_count, bool fenced);
/* A deep copy of `from` as it is now, every octet at the same alignment. */
void fan_test_batch_clone(struct fan_test_batch *test, const struct fan_test_batch *from);
void fan_test_batch_free(struct fan_test_batch *test);

/* Out: plaintext[shape.text_bytes], the UE's private head followed by the shared message; as the packets were made. */
void fan_test_batch_plaintext(const struct fan_test_batch *test, uint8_t *plaintext, unsigned ue);

/* Whether nothing was written but text and MACs. Says on stderr what was. */
bool fan_test_batch_guards_intact(const struct fan_test_batch *test);
/* Whether two clones hold the same octets, guards included. Says on stderr where they first differ, with both values. */
bool fan_test_batch_equal(const struct fan_test_batch *one, const struct fan_test_batch *other);

/* Submits batches and polls until the engine has given them all back. False, said on stderr, when one is lost, comes back twice
 * or is not FAN_BATCH_DONE. */
bool fan_test_engine_protect(struct fan_engine *engine, struct fan_batch *const *batches, unsigned batch_count);

#endif
