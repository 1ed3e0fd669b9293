/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PDUs in service that a device claims to have made, held against what is known of them. The same for cards and for crypto devices.
 *
 *	every PDU           neither end of its text is still plaintext
 *	one now and then    it is the one that the reference makes. Which one it is nobody outside can know
 *
 * Questions with known answers (question.h) show what a device can do, and a device that tells them from service answers them rightly
 * and lies elsewhere. It cannot do so here: what is judged is what leaves.
 *
 * The reference looks tables up by secret values (reference.h): of the PDUs that are judged, one in some 50,000, whoever watches this
 * CPU's caches may learn something.
 */
#ifndef FAN_CLAIM_H
#define FAN_CLAIM_H

#include "../engine.h"

#include <string.h>

/* A PDU, and what it was made from. Nothing is owned. */
struct fan_claim {
	const struct fan_shape *shape;
	const struct fan_context *context;
	uint32_t count;
	const uint8_t *clear; /* shape->clear_bytes */
	const uint8_t *head;  /* the private head, as it was: fan_shape_head_bytes() */
	const uint8_t *text;  /* as the device made it, and the MAC-I behind it where it is ciphered with it */
	const uint8_t *mac;   /* as the device made it; for FAN_CIPHER_THEN_MAC */
};

/* Octets at either end of a text that are looked at: 16; of a text that is shorter than both ends each half. */
static inline unsigned
fan_claim_end_bytes(const struct fan_shape *shape)
{
	return shape->text_bytes < 32 ? (shape->text_bytes + 1U) / 2 : 16;
}

/* Of ends, which nearly always differ in their first octets already: what memcmp() takes to be called is half of looking at them. */
static inline bool
fan_ends_equal(const uint8_t *a, const uint8_t *b, unsigned byte_count)
{
	if (byte_count >= 8)
		return memcmp(a, b, 8) == 0 && memcmp(a, b, byte_count) == 0;
	if (byte_count >= 4)
		return memcmp(a, b, 4) == 0 && memcmp(a, b, byte_count) == 0;
	return memcmp(a, b, byte_count) == 0;
}

/*
 * Whether the beginning or the end of the text is plaintext still. Never of a text that is not ciphered (EEA0). Ciphertext has the same
 * octets by chance, with a probability of 2^-8 for a text of two octets or one: whoever gets true asks fan_claim_is_right(). Any thread;
 * takes 6 cycles of a text in the cache.
 */
bool fan_claim_is_plaintext(const struct fan_claim *claim);
/* Whether text and MAC are those that the reference makes. Any thread; takes 1 us, or up to 35 us for the longest texts. */
bool fan_claim_is_right(const struct fan_claim *claim);

/* The next of a row of random numbers (splitmix64) that any state begins. */
uint64_t fan_random_next(uint64_t *state);

/* Which PDUs are judged. One thread's. */
struct fan_sample {
	uint64_t ues_left; /* before the next */
	uint64_t state;    /* of the random numbers */
};

/* With a number of the system's, which a device cannot work out from anything that it is shown. IO: there is none. */
int fan_sample_init(struct fan_sample *sample);
/* Chooses the next one, after one of that shape. */
void fan_sample_draw(struct fan_sample *sample, const struct fan_shape *shape);

/* A batch is claimed to be made. Returns the UE whose PDU is to be judged, or -1: none. */
static inline int
fan_sample_take(struct fan_sample *sample, const struct fan_shape *shape, unsigned ue_count)
{
	const uint64_t ue = sample->ues_left;

	if (ue >= ue_count) {
		sample->ues_left -= ue_count;
		return -1;
	}
	fan_sample_draw(sample, shape);
	return (int)ue;
}

/*
 * UEs between two that are judged, on average, for each octet of text that is judged; 256 unless a test says otherwise, so that of 160
 * octets one in 49,000 is, or in 770 full batches. 0: one of each batch. An octet costs the reference some 60 cycles (EEA2 with EIA2, and
 * fewer with the others), so that judging costs a quarter of a cycle a UE, whatever the lengths are.
 * Control thread, before engines are opened.
 */
#define FAN_SAMPLE_UES_PER_OCTET 256
void fan_sample_every(unsigned ues_per_octet);

#define FAN_SHAPE_NAME_BYTES 96
/* "EEA2 with EIA2, MAC over the ciphertext, 45 octets of text behind 3". */
void fan_shape_name(const struct fan_shape *shape, char name[FAN_SHAPE_NAME_BYTES]);

#endif
