/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "kdf.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <string.h>

/* Fetched once, since OpenSSL takes longer to find an algorithm than to compute it, and kept to the end of the process. */
static EVP_MAC *hmac;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void
fetch(void)
{
	hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
}

static bool
update(EVP_MAC_CTX *context, const struct fan_kdf_parameter *parameter)
{
	const uint8_t length[2] = { (uint8_t)(parameter->byte_count >> 8), (uint8_t)parameter->byte_count };

	return (parameter->byte_count == 0 || EVP_MAC_update(context, parameter->octets, parameter->byte_count) == 1) &&
	       EVP_MAC_update(context, length, sizeof(length)) == 1;
}

static bool
compute(uint8_t out[FAN_KDF_BYTES], EVP_MAC_CTX *context, uint8_t fc, const struct fan_kdf_parameter *parameters,
	unsigned count)
{
	bool good = EVP_MAC_update(context, &fc, sizeof(fc)) == 1;

	for (unsigned i = 0; good && i < count; i++)
		good = update(context, &parameters[i]);
	return good && EVP_MAC_final(context, out, NULL, FAN_KDF_BYTES) == 1;
}

int
fan_kdf(uint8_t out[FAN_KDF_BYTES], const void *key, size_t key_bytes, uint8_t fc, const struct fan_kdf_parameter *parameters,
	unsigned count)
{
	static char digest[] = "SHA256";
	const OSSL_PARAM choice[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_END };
	EVP_MAC_CTX *context;
	bool good;

	if (key_bytes == 0) {
		explicit_bzero(out, FAN_KDF_BYTES);
		return fan_fail(FAN_E_INVALID, "a key that others are derived from has no octets");
	}
	(void)pthread_once(&fetched, fetch);
	context = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);
	good = context != NULL && EVP_MAC_init(context, key, key_bytes, choice) == 1 &&
	       compute(out, context, fc, parameters, count);
	EVP_MAC_CTX_free(context);
	if (good)
		return 0;
	explicit_bzero(out, FAN_KDF_BYTES);
	return fan_fail(FAN_E_MEMORY, "OpenSSL has no memory for HMAC-SHA-256, or no such algorithm");
}
