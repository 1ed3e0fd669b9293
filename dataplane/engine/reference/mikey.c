/* SPDX-License-Identifier: BSD-3-Clause */
/* A MIKEY message under a UE's MUK (RFC 3830 with a pre-shared key; TS 33.246). */
#define _GNU_SOURCE
#include "aes128.h"
#include "hmac_sha1.h"
#include "reference.h"

#include <string.h>

#define MUK_BYTES (2 * FAN_KEY_BYTES)
#define SALT_BYTES 14
#define LABEL_BYTES (4 + 1 + 4 + FAN_MIKEY_RAND_BYTES)

static_assert(offsetof(struct fan_context, k_int) == offsetof(struct fan_context, k_enc) + FAN_KEY_BYTES,
	      "a MUK is one string of octets");

/* What is the UE's own lies in the packet already. */
static void
place_shared(const struct fan_shape *shape, uint8_t *text)
{
	uint8_t counter[4], name[FAN_B_TID_NAME_BYTES];

	memcpy(counter, text + shape->mikey.counter_at, sizeof(counter));
	memcpy(name, text + shape->mikey.name_at, sizeof(name));
	memcpy(text, shape->message, shape->text_bytes);
	memcpy(text + shape->mikey.counter_at, counter, sizeof(counter));
	memcpy(text + shape->mikey.name_at, name, sizeof(name));
}

/* RFC 3830 4.1.2 for an input key of one block of 256 bits and no more than 160 bits of output: P(MUK, label) = HMAC(MUK, A_1 || label), A_1 =
 * HMAC(MUK, label); label = constant || FF || CSB-ID || RAND (4.1.4). */
static void
derive(uint8_t key[FAN_SHA1_BYTES], const struct fan_shape *shape, const uint8_t muk[MUK_BYTES], const uint8_t *text,
       uint32_t constant)
{
	uint8_t label[LABEL_BYTES], a1[FAN_SHA1_BYTES];

	for (unsigned i = 0; i < 4; i++)
		label[i] = (uint8_t)(constant >> (24 - 8 * i));
	label[4] = 0xff;
	memcpy(label + 5, text + FAN_MIKEY_CSB_ID_AT, 4);
	memcpy(label + 9, text + shape->mikey.rand_at, FAN_MIKEY_RAND_BYTES);
	fan_hmac_sha1(a1, muk, MUK_BYTES, label, sizeof(label), NULL, 0);
	fan_hmac_sha1(key, muk, MUK_BYTES, a1, sizeof(a1), label, sizeof(label));
	explicit_bzero(a1, sizeof(a1));
}

/* AES-CM (4.2.3): IV = (salt XOR (0000 || CSB-ID || T)) || 0000, T of 64 bits. */
static void
cipher_secret(const struct fan_shape *shape, uint8_t *text, const uint8_t key[FAN_KEY_BYTES], const uint8_t salt[SALT_BYTES])
{
	uint8_t iv[16] = { 0 };

	memcpy(iv, salt, SALT_BYTES);
	for (unsigned i = 0; i < 4; i++) {
		iv[2 + i] ^= text[FAN_MIKEY_CSB_ID_AT + i];
		iv[10 + i] ^= text[shape->mikey.counter_at + i];
	}
	fan_aes128_ctr(text + shape->mikey.secret_at, key, iv, text + shape->mikey.secret_at, shape->mikey.secret_bytes);
	explicit_bzero(iv, sizeof(iv));
}

void
fan_reference_mikey(const struct fan_shape *shape, const struct fan_context *context, uint8_t *text)
{
	const size_t covered_bytes = shape->text_bytes - (size_t)FAN_MIKEY_MAC_BYTES;
	uint8_t muk[MUK_BYTES], encryption[FAN_SHA1_BYTES], salt[FAN_SHA1_BYTES], authentication[FAN_SHA1_BYTES];

	memcpy(muk, context->k_enc, FAN_KEY_BYTES);
	memcpy(muk + FAN_KEY_BYTES, context->k_int, FAN_KEY_BYTES);
	place_shared(shape, text);
	derive(encryption, shape, muk, text, 0x150533e1);
	derive(salt, shape, muk, text, 0x29b88916);
	derive(authentication, shape, muk, text, 0x2d22ac75);
	cipher_secret(shape, text, encryption, salt);
	fan_hmac_sha1(text + covered_bytes, authentication, sizeof(authentication), text, covered_bytes, NULL, 0);
	explicit_bzero(muk, sizeof(muk));
	explicit_bzero(encryption, sizeof(encryption));
	explicit_bzero(salt, sizeof(salt));
	explicit_bzero(authentication, sizeof(authentication));
}
