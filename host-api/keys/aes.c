/* SPDX-License-Identifier: BSD-3-Clause */
#include "aes.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

bool
fan_aes_cmac(uint8_t mac[FAN_AES_BYTES], const uint8_t key[FAN_AES_BYTES], const void *prefix, size_t prefix_bytes,
	     const void *text, size_t text_bytes)
{
	static char aes[] = "AES-128-CBC";
	const OSSL_PARAM choice[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, aes, 0),
				      OSSL_PARAM_construct_end() };
	EVP_MAC *cmac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	EVP_MAC_CTX *context = cmac == NULL ? NULL : EVP_MAC_CTX_new(cmac);
	size_t mac_bytes = 0;
	const bool good = context != NULL && EVP_MAC_init(context, key, FAN_AES_BYTES, choice) == 1 &&
			  EVP_MAC_update(context, prefix, prefix_bytes) == 1 &&
			  EVP_MAC_update(context, text, text_bytes) == 1 &&
			  EVP_MAC_final(context, mac, &mac_bytes, FAN_AES_BYTES) == 1;

	EVP_MAC_CTX_free(context);
	EVP_MAC_free(cmac);
	return good;
}

bool
fan_aes_cbc(uint8_t *text, const uint8_t key[FAN_AES_BYTES], size_t text_bytes)
{
	static const uint8_t zeros[FAN_AES_BYTES];
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int written = 0;
	const bool good = cipher != NULL && context != NULL && EVP_EncryptInit_ex2(context, cipher, key, zeros, NULL) == 1 &&
			  EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
			  EVP_EncryptUpdate(context, text, &written, text, (int)text_bytes) == 1 &&
			  (size_t)written == text_bytes;

	EVP_CIPHER_CTX_free(context);
	EVP_CIPHER_free(cipher);
	return good;
}
