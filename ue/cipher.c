/* SPDX-License-Identifier: BSD-3-Clause */
#include "cipher.h"

#include "octets.h"
#include "snow3g.h"
#include "zuc.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#define BLOCK_BYTES 16
#define EIA2_PREFIX_BYTES 8

struct fan_ue_cipher {
	EVP_CIPHER *ctr_cipher, *cbc_cipher; /* fetched once: a fetch per frame costs more than the frame */
	EVP_CIPHER_CTX *ctr, *cbc;
	struct fan_ue_snow3g_tables snow3g;
	uint8_t blocks[EIA2_PREFIX_BYTES + FAN_UE_CIPHER_OCTETS_MAX + BLOCK_BYTES]; /* what CMAC chains over, padded */
};

struct fan_ue_cipher *
fan_ue_cipher_open(void)
{
	struct fan_ue_cipher *cipher = calloc(1, sizeof(*cipher));

	if (!cipher)
		return NULL;
	fan_ue_snow3g_tables_fill(&cipher->snow3g);
	cipher->ctr_cipher = EVP_CIPHER_fetch(NULL, "AES-128-CTR", NULL);
	cipher->cbc_cipher = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
	cipher->ctr = EVP_CIPHER_CTX_new();
	cipher->cbc = EVP_CIPHER_CTX_new();
	if (!cipher->ctr_cipher || !cipher->cbc_cipher || !cipher->ctr || !cipher->cbc)
		goto close;
	if (!EVP_EncryptInit_ex2(cipher->ctr, cipher->ctr_cipher, NULL, NULL, NULL) ||
	    !EVP_EncryptInit_ex2(cipher->cbc, cipher->cbc_cipher, NULL, NULL, NULL))
		goto close;
	return cipher;

close:
	fan_ue_cipher_close(cipher);
	return NULL;
}

void
fan_ue_cipher_close(struct fan_ue_cipher *cipher)
{
	if (!cipher)
		return;
	EVP_CIPHER_CTX_free(cipher->ctr);
	EVP_CIPHER_CTX_free(cipher->cbc);
	EVP_CIPHER_free(cipher->ctr_cipher);
	EVP_CIPHER_free(cipher->cbc_cipher);
	OPENSSL_cleanse(cipher, sizeof(*cipher));
	free(cipher);
}

/* COUNT, BEARER, DIRECTION and zeros: the first 8 octets of everything of TS 33.401 B.1 and of EIA2 (B.2.3). */
static void
write_prefix(uint8_t prefix[8], const struct fan_ue_cipher_use *use)
{
	fan_ue_octets_store32(prefix, use->count);
	fan_ue_octets_store32(prefix + 4, (uint32_t)use->bearer << 27 | (uint32_t)use->direction << 26);
}

/* The IV of EEA1 and EEA3: the prefix twice. */
static void
write_stream_iv(uint8_t iv[16], const struct fan_ue_cipher_use *use)
{
	write_prefix(iv, use);
	memcpy(iv + 8, iv, 8);
}

/* The IV of EIA1, where FRESH is BEARER || 0^27 (B.2.2), and of EIA3, which comes out the same (TS 35.221 4.3). */
static void
write_mac_iv(uint8_t iv[16], const struct fan_ue_cipher_use *use)
{
	uint32_t fresh = (uint32_t)use->bearer << 27;

	fan_ue_octets_store32(iv, use->count);
	fan_ue_octets_store32(iv + 4, fresh);
	fan_ue_octets_store32(iv + 8, use->count ^ (uint32_t)use->direction << 31);
	fan_ue_octets_store32(iv + 12, fresh ^ (uint32_t)use->direction << 15);
}

/* XORs one keystream word onto up to 4 octets. Returns how many it took. */
static inline size_t
apply_word(uint8_t *octets, uint32_t word, size_t left)
{
	uint8_t stream[4];

	if (left >= 4) {
		fan_ue_octets_store32(octets, fan_ue_octets_load32(octets) ^ word);
		return 4;
	}
	fan_ue_octets_store32(stream, word);
	for (size_t i = 0; i < left; i++)
		octets[i] ^= stream[i];
	return left;
}

static bool
apply_snow3g(struct fan_ue_cipher *cipher, uint8_t *octets, const struct fan_ue_cipher_use *use, size_t octet_count)
{
	struct fan_ue_snow3g snow;
	uint8_t iv[16];

	write_stream_iv(iv, use);
	fan_ue_snow3g_start(&snow, &cipher->snow3g, use->key, iv);
	for (size_t done = 0; done < octet_count;)
		done += apply_word(octets + done, fan_ue_snow3g_word(&snow), octet_count - done);
	return true;
}

static bool
apply_aes(struct fan_ue_cipher *cipher, uint8_t *octets, const struct fan_ue_cipher_use *use, size_t octet_count)
{
	uint8_t counter[BLOCK_BYTES] = { 0 };
	int written;

	write_prefix(counter, use);
	return EVP_EncryptInit_ex2(cipher->ctr, NULL, use->key, counter, NULL) &&
	       EVP_EncryptUpdate(cipher->ctr, octets, &written, octets, (int)octet_count);
}

static bool
apply_zuc(uint8_t *octets, const struct fan_ue_cipher_use *use, size_t octet_count)
{
	struct fan_ue_zuc zuc;
	uint8_t iv[16];

	write_stream_iv(iv, use);
	fan_ue_zuc_start(&zuc, use->key, iv);
	for (size_t done = 0; done < octet_count;)
		done += apply_word(octets + done, fan_ue_zuc_word(&zuc), octet_count - done);
	return true;
}

bool
fan_ue_cipher_apply(struct fan_ue_cipher *cipher, uint8_t *octets, const struct fan_ue_cipher_use *use, uint8_t algorithm,
		    size_t octet_count)
{
	if (octet_count > FAN_UE_CIPHER_OCTETS_MAX)
		return false;
	switch (algorithm) {
	case 0:
		return true;
	case 1:
		return apply_snow3g(cipher, octets, use, octet_count);
	case 2:
		return apply_aes(cipher, octets, use, octet_count);
	case 3:
		return apply_zuc(octets, use, octet_count);
	default:
		return false;
	}
}

/* The 32 bits of the message from octet `offset` on, zero after its last bit. */
static uint32_t
load_bits(const uint8_t *message, size_t message_bits, size_t offset)
{
	size_t left = message_bits - 8 * offset;
	uint32_t word = 0;

	if (left >= 32)
		return fan_ue_octets_load32(message + offset);
	for (size_t i = 0; 8 * i < left; i++)
		word |= (uint32_t)message[offset + i] << (24 - 8 * i);
	return word & ~(UINT32_MAX >> left);
}

/* v * x^4 in GF(2^64) of x^64 + x^4 + x^3 + x + 1: the 4 bits that leave come back as their product with 0x1b. */
static inline uint64_t
multiply_x4(uint64_t v)
{
	uint64_t out = v >> 60;

	return v << 4 ^ out ^ out << 1 ^ out << 3 ^ out << 4;
}

/* The 16 multiples of p by polynomials of degree below 4. */
static void
fill_multiples(uint64_t multiples[16], uint64_t p)
{
	multiples[0] = 0;
	multiples[1] = p;
	for (unsigned i = 2; i < 16; i += 2) {
		uint64_t half = multiples[i / 2];

		multiples[i] = half << 1 ^ (half >> 63 ? 0x1b : 0);
		multiples[i + 1] = multiples[i] ^ p;
	}
}

static uint64_t
multiply_field(const uint64_t multiples[16], uint64_t v)
{
	uint64_t product = 0;

	for (unsigned shift = 64; shift; shift -= 4)
		product = multiply_x4(product) ^ multiples[v >> (shift - 4) & 15];
	return product;
}

/* UIA2, function f9 (ETSI/SAGE document 1, 4): a polynomial over GF(2^64) evaluated at P, its length added, times Q, plus
 * OTP. */
static bool
mac_snow3g(struct fan_ue_cipher *cipher, uint8_t mac[4], const struct fan_ue_cipher_use *use, const uint8_t *message,
	   size_t message_bits)
{
	uint64_t multiples[16], value = 0;
	struct fan_ue_snow3g snow;
	uint32_t z[5];
	uint8_t iv[16];

	write_mac_iv(iv, use);
	fan_ue_snow3g_start(&snow, &cipher->snow3g, use->key, iv);
	for (unsigned i = 0; i < 5; i++)
		z[i] = fan_ue_snow3g_word(&snow);
	fill_multiples(multiples, (uint64_t)z[0] << 32 | z[1]);
	for (size_t offset = 0; 8 * offset < message_bits; offset += 8) {
		uint64_t block = (uint64_t)load_bits(message, message_bits, offset) << 32;

		if (8 * offset + 32 < message_bits)
			block |= load_bits(message, message_bits, offset + 4);
		value = multiply_field(multiples, value ^ block);
	}
	fill_multiples(multiples, (uint64_t)z[2] << 32 | z[3]);
	value = multiply_field(multiples, value ^ message_bits);
	fan_ue_octets_store32(mac, (uint32_t)(value >> 32) ^ z[4]);
	return true;
}

/* Doubling in GF(2^128), the subkey step of CMAC (NIST SP 800-38B 6.1). */
static void
double_block(uint8_t block[BLOCK_BYTES])
{
	uint8_t carry = 0;

	for (unsigned i = BLOCK_BYTES; i-- > 0;) {
		uint8_t next = block[i] >> 7;

		block[i] = (uint8_t)(block[i] << 1 | carry);
		carry = next;
	}
	if (carry)
		block[BLOCK_BYTES - 1] ^= 0x87;
}

static void
mix_block(uint8_t block[BLOCK_BYTES], const uint8_t mask[BLOCK_BYTES])
{
	for (unsigned i = 0; i < BLOCK_BYTES; i++)
		block[i] ^= mask[i];
}

/* Lays prefix and message into cipher->blocks, padded with a one and zeros unless they fill whole blocks. Returns the number of
 * octets; *whole tells which subkey applies. */
static size_t
lay_blocks(struct fan_ue_cipher *cipher, bool *whole, const struct fan_ue_cipher_use *use, const uint8_t *message,
	   size_t message_bits)
{
	size_t bytes = EIA2_PREFIX_BYTES + (message_bits + 7) / 8;
	size_t padded = (bytes + BLOCK_BYTES - 1) & ~(size_t)(BLOCK_BYTES - 1);
	uint8_t *blocks = cipher->blocks;
	unsigned used_bits = message_bits % 8; /* of the last octet; 0: all */

	write_prefix(blocks, use);
	if (message_bits)
		memcpy(blocks + EIA2_PREFIX_BYTES, message, bytes - EIA2_PREFIX_BYTES);
	memset(blocks + bytes, 0, padded - bytes);
	*whole = bytes == padded && !used_bits;
	if (used_bits)
		blocks[bytes - 1] = (uint8_t)((blocks[bytes - 1] & ~(0xffu >> used_bits)) | 0x80u >> used_bits);
	else if (!*whole)
		blocks[bytes] = 0x80;
	return padded;
}

/*
 * CMAC over OpenSSL's CBC: with a new key for each message of 160 octets this took 0.22 us where an EVP_MAC took 0.49 us.
 * Encrypting a zero block first gives L and leaves L as the chaining value, which is taken out again from the first block
 * instead of setting the IV once more.
 */
static bool
mac_aes(struct fan_ue_cipher *cipher, uint8_t *mac, size_t mac_bytes, const struct fan_ue_cipher_use *use,
	const uint8_t *message, size_t message_bits)
{
	static const uint8_t zero[BLOCK_BYTES];
	uint8_t l[BLOCK_BYTES], subkey[BLOCK_BYTES], *blocks = cipher->blocks;
	bool whole;
	size_t bytes = lay_blocks(cipher, &whole, use, message, message_bits);
	int written;

	if (!EVP_EncryptInit_ex2(cipher->cbc, NULL, use->key, zero, NULL) ||
	    !EVP_EncryptUpdate(cipher->cbc, l, &written, zero, BLOCK_BYTES))
		return false;
	memcpy(subkey, l, sizeof(subkey));
	double_block(subkey);
	if (!whole)
		double_block(subkey);
	mix_block(blocks + bytes - BLOCK_BYTES, subkey);
	mix_block(blocks, l);
	if (!EVP_EncryptUpdate(cipher->cbc, blocks, &written, blocks, (int)bytes))
		return false;
	memcpy(mac, blocks + bytes - BLOCK_BYTES, mac_bytes);
	return true;
}

/* 128-EIA3 (TS 35.221 4): T gathers the 32 keystream bits that begin at the place of each message bit that is one. */
static bool
mac_zuc(uint8_t mac[4], const struct fan_ue_cipher_use *use, const uint8_t *message, size_t message_bits)
{
	struct fan_ue_zuc zuc;
	uint64_t window;
	uint32_t t = 0, last;
	uint8_t iv[16];
	size_t bit = 0;

	write_mac_iv(iv, use);
	fan_ue_zuc_start(&zuc, use->key, iv);
	window = (uint64_t)fan_ue_zuc_word(&zuc) << 32;
	window |= fan_ue_zuc_word(&zuc);
	for (; bit + 32 <= message_bits; bit += 32) {
		uint32_t word = fan_ue_octets_load32(message + bit / 8);

		for (unsigned i = 0; i < 32; i++)
			t ^= (uint32_t)(window << i >> 32) & (0u - (word >> (31 - i) & 1));
		window = window << 32 | fan_ue_zuc_word(&zuc);
	}
	if (bit < message_bits) {
		uint32_t word = load_bits(message, message_bits, bit / 8);

		for (unsigned i = 0; i < message_bits - bit; i++)
			t ^= (uint32_t)(window << i >> 32) & (0u - (word >> (31 - i) & 1));
	}
	t ^= (uint32_t)(window << (message_bits - bit) >> 32); /* the place right after the last bit counts as a one */
	/* The last word of keystream: word ceil(length / 32) + 1, counted from 0. */
	last = bit < message_bits ? fan_ue_zuc_word(&zuc) : (uint32_t)window;
	fan_ue_octets_store32(mac, t ^ last);
	return true;
}

bool
fan_ue_cipher_mac(struct fan_ue_cipher *cipher, uint8_t mac[4], const struct fan_ue_cipher_use *use, uint8_t algorithm,
		  const uint8_t *message, size_t message_bits)
{
	if (message_bits > 8 * (size_t)FAN_UE_CIPHER_OCTETS_MAX)
		return false;
	switch (algorithm) {
	case 0:
		memset(mac, 0, 4);
		return true;
	case 1:
		return mac_snow3g(cipher, mac, use, message, message_bits);
	case 2:
		return mac_aes(cipher, mac, 4, use, message, message_bits);
	case 3:
		return mac_zuc(mac, use, message, message_bits);
	default:
		return false;
	}
}

bool
fan_ue_cipher_long_mac(struct fan_ue_cipher *cipher, uint8_t mac[8], const struct fan_ue_cipher_use *use,
		       const uint8_t *message, size_t message_bits)
{
	return message_bits <= 8 * (size_t)FAN_UE_CIPHER_OCTETS_MAX && mac_aes(cipher, mac, 8, use, message, message_bits);
}
