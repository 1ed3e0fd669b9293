/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "tuak.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define IN_BYTES 96
#define RATE_BYTES 136 /* of SHAKE-256: what one iteration shows of the state */
#define OUT_BYTES 102  /* of it, that TUAK takes */

/* INSTANCE of TS 35.231 6: which function it is, and how long its values are. */
enum {
	INSTANCE_TOPC = 0x00,
	INSTANCE_F1 = 0x00,
	INSTANCE_F1_STAR = 0x80,
	INSTANCE_F2345 = 0x40,
	INSTANCE_F5_STAR = 0xc0,
	INSTANCE_CK_LONG = 0x04,
	INSTANCE_IK_LONG = 0x02,
	INSTANCE_K_LONG = 0x01,
};

/* TUAK numbers the octets of its values from the last. Returns where the next one goes. */
static uint8_t *
put(uint8_t *to, const void *octets, size_t octet_count)
{
	const uint8_t *from = octets;

	for (size_t i = 0; i < octet_count; i++)
		to[i] = from[octet_count - 1 - i];
	return to + octet_count;
}

/* Out: out[OUT_BYTES], what so many iterations leave. */
static bool
iterate(uint8_t out[OUT_BYTES], const uint8_t in[IN_BYTES], unsigned iterations)
{
	const size_t yield_bytes = (iterations - 1) * (size_t)RATE_BYTES + OUT_BYTES;
	uint8_t *yield = OPENSSL_malloc(yield_bytes);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	const bool good = yield != NULL && context != NULL && EVP_DigestInit_ex(context, EVP_shake256(), NULL) == 1 &&
			  EVP_DigestUpdate(context, in, IN_BYTES) == 1 && EVP_DigestFinalXOF(context, yield, yield_bytes) == 1;

	if (good)
		memcpy(out, yield + yield_bytes - OUT_BYTES, OUT_BYTES);
	EVP_MD_CTX_free(context);
	OPENSSL_clear_free(yield, yield_bytes);
	return good;
}

static bool
is_one_of(unsigned value, unsigned first, unsigned second, unsigned third, unsigned fourth)
{
	return value == first || value == second || value == third || value == fourth;
}

static int
check(const struct fan_tuak *subscriber)
{
	if (!is_one_of(subscriber->k_bytes, 16, 32, 32, 32))
		return fan_fail(FAN_E_INVALID, "K of %u octets: TUAK has 16 or 32", subscriber->k_bytes);
	if (!is_one_of(subscriber->mac_bytes, 8, 16, 32, 32))
		return fan_fail(FAN_E_INVALID, "MAC of %u octets: TUAK has 8, 16 or 32", subscriber->mac_bytes);
	if (!is_one_of(subscriber->res_bytes, 4, 8, 16, 32))
		return fan_fail(FAN_E_INVALID, "RES of %u octets: TUAK has 4, 8, 16 or 32", subscriber->res_bytes);
	if (!is_one_of(subscriber->ck_bytes, 16, 32, 32, 32) || !is_one_of(subscriber->ik_bytes, 16, 32, 32, 32))
		return fan_fail(FAN_E_INVALID, "CK of %u octets and IK of %u: TUAK has 16 or 32", subscriber->ck_bytes,
				subscriber->ik_bytes);
	if (subscriber->iterations == 0)
		return fan_fail(FAN_E_INVALID, "no iteration of Keccak: 1 to %d", FAN_TUAK_ITERATIONS_MAX);
	return 0;
}

/* Fills the state in and iterates. In: rand, sqn and amf NULL where the function does not take them. Out: out[OUT_BYTES], the caller's to wipe. */
static int
run(uint8_t out[OUT_BYTES], const struct fan_tuak *subscriber, const uint8_t top[FAN_TUAK_BYTES_MAX], unsigned instance,
    const uint8_t *rand, const uint8_t *sqn, const uint8_t *amf)
{
	static const uint8_t none[16];
	uint8_t in[IN_BYTES] = { 0 }, *to = in;
	const uint8_t number = (uint8_t)(instance | (subscriber->k_bytes == 32 ? INSTANCE_K_LONG : 0));
	int error = check(subscriber);

	memset(out, 0, OUT_BYTES);
	if (error != 0)
		return error;
	to = put(to, top, FAN_TUAK_BYTES_MAX);
	to = put(to, &number, sizeof(number));
	to = put(to, "TUAK1.0", 7);
	to = put(to, rand != NULL ? rand : none, 16);
	to = put(to, amf != NULL ? amf : none, 2);
	to = put(to, sqn != NULL ? sqn : none, 6);
	(void)put(to, subscriber->k, subscriber->k_bytes);
	if (!iterate(out, in, subscriber->iterations))
		error = fan_fail(FAN_E_MEMORY, "OpenSSL has no memory for SHAKE-256, or no such algorithm");
	explicit_bzero(in, sizeof(in));
	return error;
}

int
fan_tuak_topc(struct fan_tuak *subscriber, const uint8_t top[FAN_TUAK_BYTES_MAX])
{
	uint8_t out[OUT_BYTES];
	const int error = run(out, subscriber, top, INSTANCE_TOPC, NULL, NULL, NULL);

	(void)put(subscriber->topc, out, FAN_TUAK_BYTES_MAX);
	explicit_bzero(out, sizeof(out));
	return error;
}

static int
make_mac(uint8_t *mac, const struct fan_tuak *subscriber, unsigned instance, const uint8_t rand[16], const uint8_t sqn[6],
	 const uint8_t amf[2])
{
	/* 08, 10 and 20 say 64, 128 and 256 bits. */
	const unsigned number = instance | subscriber->mac_bytes;
	uint8_t out[OUT_BYTES];
	const int error = run(out, subscriber, subscriber->topc, number, rand, sqn, amf);

	(void)put(mac, out, subscriber->mac_bytes <= FAN_TUAK_BYTES_MAX ? subscriber->mac_bytes : 0);
	explicit_bzero(out, sizeof(out));
	return error;
}

int
fan_tuak_f1(uint8_t *mac, const struct fan_tuak *subscriber, const uint8_t rand[16], const uint8_t sqn[6], const uint8_t amf[2])
{
	return make_mac(mac, subscriber, INSTANCE_F1, rand, sqn, amf);
}

int
fan_tuak_f1_star(uint8_t *mac, const struct fan_tuak *subscriber, const uint8_t rand[16], const uint8_t sqn[6],
		 const uint8_t amf[2])
{
	return make_mac(mac, subscriber, INSTANCE_F1_STAR, rand, sqn, amf);
}

/* 00, 08, 10 and 20 say 32, 64, 128 and 256 bits of RES. */
static unsigned
instance_of_answer(const struct fan_tuak *subscriber)
{
	return INSTANCE_F2345 | (subscriber->res_bytes == 4 ? 0U : subscriber->res_bytes) |
	       (subscriber->ck_bytes == 32 ? INSTANCE_CK_LONG : 0U) | (subscriber->ik_bytes == 32 ? INSTANCE_IK_LONG : 0U);
}

int
fan_tuak_f2345(struct fan_tuak_answer *answer, const struct fan_tuak *subscriber, const uint8_t rand[16])
{
	uint8_t out[OUT_BYTES];
	const int error = run(out, subscriber, subscriber->topc, instance_of_answer(subscriber), rand, NULL, NULL);

	memset(answer, 0, sizeof(*answer));
	if (error != 0)
		return error;
	(void)put(answer->res, out, subscriber->res_bytes);
	(void)put(answer->ck, out + 32, subscriber->ck_bytes);
	(void)put(answer->ik, out + 64, subscriber->ik_bytes);
	(void)put(answer->ak, out + 96, sizeof(answer->ak));
	explicit_bzero(out, sizeof(out));
	return 0;
}

int
fan_tuak_f5_star(uint8_t ak[6], const struct fan_tuak *subscriber, const uint8_t rand[16])
{
	uint8_t out[OUT_BYTES];
	const int error = run(out, subscriber, subscriber->topc, INSTANCE_F5_STAR, rand, NULL, NULL);

	(void)put(ak, out + 96, 6);
	explicit_bzero(out, sizeof(out));
	return error;
}
