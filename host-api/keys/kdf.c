/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "kdf.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
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

int
fan_hkdf(void *out, size_t out_bytes, enum fan_hkdf_mode mode, const void *key, size_t key_bytes, const void *info,
	 size_t info_bytes)
{
	static char digest[] = "SHA256";
	int how = mode == FAN_HKDF_WHOLE ? EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND : EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	uint8_t *own_key = OPENSSL_memdup(key, key_bytes), *own_info = OPENSSL_memdup(info, info_bytes);
	const OSSL_PARAM choice[] = { OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
				      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &how),
				      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, own_key, key_bytes),
				      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, own_info, info_bytes),
				      OSSL_PARAM_END };
	EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = hkdf == NULL ? NULL : EVP_KDF_CTX_new(hkdf);
	const bool good = own_key != NULL && own_info != NULL && context != NULL &&
			  EVP_KDF_derive(context, out, out_bytes, choice) == 1;

	EVP_KDF_CTX_free(context);
	EVP_KDF_free(hkdf);
	OPENSSL_clear_free(own_key, key_bytes);
	OPENSSL_free(own_info);
	return good ? 0 : fan_fail(FAN_E_MEMORY, "OpenSSL has no memory for HKDF, or no such algorithm");
}
