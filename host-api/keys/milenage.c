/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "milenage.h"

#include <openssl/evp.h>
#include <string.h>

#define BLOCK FAN_MILENAGE_BYTES

/* AES-128 under a subscriber's key; NULL when OpenSSL has no memory. */
static EVP_CIPHER_CTX *
open_cipher(const struct fan_milenage *subscriber)
{
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();

	if (cipher != NULL && EVP_EncryptInit_ex(cipher, EVP_aes_128_ecb(), NULL, subscriber->k, NULL) == 1)
		return cipher;
	EVP_CIPHER_CTX_free(cipher);
	return NULL;
}

static bool
encipher(EVP_CIPHER_CTX *cipher, uint8_t out[BLOCK], const uint8_t in[BLOCK])
{
	int byte_count;

	return EVP_EncryptUpdate(cipher, out, &byte_count, in, BLOCK) == 1 && byte_count == BLOCK;
}

static void
mix(uint8_t out[BLOCK], const uint8_t with[BLOCK])
{
	for (unsigned i = 0; i < BLOCK; i++)
		out[i] ^= with[i];
}

/* TEMP of TS 35.206 4.1, from which all of them begin. */
static bool
make_temp(EVP_CIPHER_CTX *cipher, uint8_t temp[BLOCK], const struct fan_milenage *subscriber, const uint8_t rand[BLOCK])
{
	memcpy(temp, rand, BLOCK);
	mix(temp, subscriber->opc);
	return encipher(cipher, temp, temp);
}

/* OUT2 to OUT5: TEMP xor OPc, turned by so many octets, with a constant that has its one octet at the end. */
static bool
make_out(EVP_CIPHER_CTX *cipher, uint8_t out[BLOCK], const uint8_t temp[BLOCK], const struct fan_milenage *subscriber,
	 unsigned turned_octets, uint8_t constant)
{
	for (unsigned i = 0; i < BLOCK; i++) {
		const unsigned from = (i + turned_octets) % BLOCK;

		out[i] = temp[from] ^ subscriber->opc[from];
	}
	out[BLOCK - 1] ^= constant;
	if (!encipher(cipher, out, out))
		return false;
	mix(out, subscriber->opc);
	return true;
}

/* OUT1: TEMP xor what is authenticated, twice over, turned by 64 bits. */
static bool
make_out1(EVP_CIPHER_CTX *cipher, uint8_t out[BLOCK], const uint8_t temp[BLOCK], const struct fan_milenage *subscriber,
	  const uint8_t sqn[6], const uint8_t amf[2])
{
	uint8_t in[BLOCK];

	memcpy(in, sqn, 6);
	memcpy(in + 6, amf, 2);
	memcpy(in + 8, in, 8);
	for (unsigned i = 0; i < BLOCK; i++)
		out[i] = temp[i] ^ in[(i + 8) % BLOCK] ^ subscriber->opc[(i + 8) % BLOCK];
	if (!encipher(cipher, out, out))
		return false;
	mix(out, subscriber->opc);
	return true;
}

static int
finish(EVP_CIPHER_CTX *cipher, bool good)
{
	EVP_CIPHER_CTX_free(cipher);
	return good ? 0 : fan_fail(FAN_E_MEMORY, "OpenSSL has no memory for AES-128, or no such algorithm");
}

int
fan_milenage_opc(struct fan_milenage *subscriber, const uint8_t op[BLOCK])
{
	EVP_CIPHER_CTX *cipher = open_cipher(subscriber);
	const bool good = cipher != NULL && encipher(cipher, subscriber->opc, op);

	if (good)
		mix(subscriber->opc, op);
	else
		explicit_bzero(subscriber->opc, BLOCK);
	return finish(cipher, good);
}

int
fan_milenage_f1(uint8_t mac_a[8], uint8_t mac_s[8], const struct fan_milenage *subscriber, const uint8_t rand[BLOCK],
		const uint8_t sqn[6], const uint8_t amf[2])
{
	EVP_CIPHER_CTX *cipher = open_cipher(subscriber);
	uint8_t temp[BLOCK] = { 0 }, out[BLOCK] = { 0 };
	const bool good = cipher != NULL && make_temp(cipher, temp, subscriber, rand) &&
			  make_out1(cipher, out, temp, subscriber, sqn, amf);

	if (!good)
		memset(out, 0, sizeof(out));
	memcpy(mac_a, out, 8);
	memcpy(mac_s, out + 8, 8);
	explicit_bzero(temp, sizeof(temp));
	explicit_bzero(out, sizeof(out));
	return finish(cipher, good);
}

int
fan_milenage_f2345(struct fan_milenage_answer *answer, const struct fan_milenage *subscriber, const uint8_t rand[BLOCK])
{
	EVP_CIPHER_CTX *cipher = open_cipher(subscriber);
	uint8_t temp[BLOCK] = { 0 }, out[BLOCK] = { 0 };
	const bool good = cipher != NULL && make_temp(cipher, temp, subscriber, rand) &&
			  make_out(cipher, out, temp, subscriber, 0, 1) &&
			  make_out(cipher, answer->ck, temp, subscriber, 4, 2) &&
			  make_out(cipher, answer->ik, temp, subscriber, 8, 4);

	memcpy(answer->ak, out, 6);
	memcpy(answer->res, out + 8, 8);
	if (!good)
		explicit_bzero(answer, sizeof(*answer));
	explicit_bzero(temp, sizeof(temp));
	explicit_bzero(out, sizeof(out));
	return finish(cipher, good);
}

int
fan_milenage_f5_star(uint8_t ak[6], const struct fan_milenage *subscriber, const uint8_t rand[BLOCK])
{
	EVP_CIPHER_CTX *cipher = open_cipher(subscriber);
	uint8_t temp[BLOCK] = { 0 }, out[BLOCK] = { 0 };
	const bool good = cipher != NULL && make_temp(cipher, temp, subscriber, rand) &&
			  make_out(cipher, out, temp, subscriber, 12, 8);

	if (!good)
		memset(out, 0, sizeof(out));
	memcpy(ak, out, 6);
	explicit_bzero(temp, sizeof(temp));
	explicit_bzero(out, sizeof(out));
	return finish(cipher, good);
}
