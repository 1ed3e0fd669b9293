/* SPDX-License-Identifier: BSD-3-Clause */
#include "claim.h"

#include "../../context/error.h"
#include "reference.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define TEXT_AT (FAN_CLEAR_BYTES_MAX + FAN_MAC_BYTES)
/* What a PDU costs the reference beside its text: octets that take as long. */
#define FIXED_OCTETS 32

static unsigned sample_every = FAN_SAMPLE_UES_PER_OCTET; /* W control, before engines are opened; R workers */

/* Whether text[at .. at + byte_count) is what it was: the private head up to `head`, then the message. */
static bool
stands(const struct fan_claim *claim, unsigned at, unsigned byte_count)
{
	const unsigned head = fan_shape_head_bytes(claim->shape);
	const unsigned private_bytes = at >= head ? 0 : head - at < byte_count ? head - at : byte_count;

	return fan_ends_equal(claim->text + at, claim->head + at, private_bytes) &&
	       fan_ends_equal(claim->text + at + private_bytes, claim->shape->message + at + private_bytes,
			      byte_count - private_bytes);
}

bool
fan_claim_is_plaintext(const struct fan_claim *claim)
{
	const unsigned end = fan_claim_end_bytes(claim->shape);

	return claim->shape->cipher != 0 && (stands(claim, 0, end) || stands(claim, claim->shape->text_bytes - end, end));
}

bool
fan_claim_is_right(const struct fan_claim *claim)
{
	const struct fan_shape *shape = claim->shape;
	uint8_t packet[TEXT_AT + FAN_PDU_BYTES_MAX + FAN_MAC_BYTES], *right = packet + TEXT_AT;

	memcpy(right - shape->clear_bytes, claim->clear, shape->clear_bytes);
	memcpy(right, claim->head, fan_shape_head_bytes(shape));
	fan_reference_protect(shape, claim->context, claim->count, right);
	return memcmp(claim->text, right, shape->text_bytes + fan_shape_trailer_bytes(shape)) == 0 &&
	       (shape->sequence != FAN_CIPHER_THEN_MAC ||
		memcmp(claim->mac, right - shape->clear_bytes - FAN_MAC_BYTES, FAN_MAC_BYTES) == 0);
}

uint64_t
fan_random_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

void
fan_sample_draw(struct fan_sample *sample, const struct fan_shape *shape)
{
	const uint64_t average = (uint64_t)sample_every * (shape->text_bytes + FIXED_OCTETS);

	sample->ues_left = fan_random_next(&sample->state) % (2 * average + 1);
}

int
fan_sample_init(struct fan_sample *sample)
{
	static const struct fan_shape first = { .text_bytes = 1 };

	if (getrandom(&sample->state, sizeof(sample->state), 0) != (ssize_t)sizeof(sample->state))
		return fan_fail(FAN_E_IO, "the system has no random numbers");
	fan_sample_draw(sample, &first);
	return 0;
}

void
fan_sample_every(unsigned ues_per_octet)
{
	sample_every = ues_per_octet;
}

void
fan_shape_name(const struct fan_shape *shape, char name[FAN_SHAPE_NAME_BYTES])
{
	static const char *const orders[] = { "MAC over the ciphertext", "MAC, then ciphered", "ciphered only" };

	snprintf(name, FAN_SHAPE_NAME_BYTES, "EEA%u with EIA%u, %s, %u octets of text behind %u", shape->cipher,
		 shape->sequence == FAN_CIPHER_ONLY ? 0U : shape->integrity, orders[shape->sequence], shape->text_bytes,
		 shape->clear_bytes);
}
