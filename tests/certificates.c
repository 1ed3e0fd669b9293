/* SPDX-License-Identifier: BSD-3-Clause */
#include "certificates.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

static void
require(bool done, const char *what)
{
	if (done)
		return;
	(void)fprintf(stderr, "certificates: %s failed\n", what);
	abort();
}

static void
add_extension(X509 *x509, X509 *issuer, int kind, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
	require(extension != NULL && X509_add_ext(x509, extension, -1) == 1, value);
	X509_EXTENSION_free(extension);
}

static void
set_serial(X509 *x509)
{
	unsigned char octets[8];
	BIGNUM *number;

	require(RAND_bytes(octets, sizeof(octets)) == 1, "RAND_bytes");
	octets[0] &= 0x7f;
	number = BN_bin2bn(octets, sizeof(octets), NULL);
	require(number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL, "a serial number");
	BN_free(number);
}

struct fan_test_certificate
fan_test_certificate_new(const struct fan_test_certificate_order *order, const struct fan_test_certificate *issuer)
{
	struct fan_test_certificate own = { X509_new(), EVP_EC_gen("P-256") };
	const bool whenever = order->from_s == 0 && order->to_s == 0;
	X509 *by = issuer != NULL ? issuer->x509 : own.x509;
	X509_NAME *name;

	require(own.x509 != NULL && own.key != NULL, "a key");
	name = X509_get_subject_name(own.x509);
	require(X509_set_version(own.x509, 2) == 1, "a version");
	set_serial(own.x509);
	(void)X509_gmtime_adj(X509_getm_notBefore(own.x509), whenever ? -3600 : order->from_s);
	(void)X509_gmtime_adj(X509_getm_notAfter(own.x509), whenever ? 3600 : order->to_s);
	require(X509_set_pubkey(own.x509, own.key) == 1, "a public key");
	require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)order->name, -1, -1, 0) == 1,
		order->name);
	require(X509_set_issuer_name(own.x509, X509_get_subject_name(by)) == 1, "an issuer");
	add_extension(own.x509, by, NID_basic_constraints, order->is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (order->is_authority)
		add_extension(own.x509, by, NID_key_usage, "critical,keyCertSign,cRLSign");
	if (order->others != NULL)
		add_extension(own.x509, by, NID_subject_alt_name, order->others);
	if (order->purpose != NULL)
		add_extension(own.x509, by, NID_ext_key_usage, order->purpose);
	require(X509_sign(own.x509, issuer != NULL ? issuer->key : own.key, EVP_sha256()) > 0, "a signature");
	return own;
}

void
fan_test_certificate_free(struct fan_test_certificate *certificate)
{
	X509_free(certificate->x509);
	EVP_PKEY_free(certificate->key);
	*certificate = (struct fan_test_certificate){ NULL, NULL };
}

void
fan_test_certificate_write(const struct fan_test_certificate *certificate, const char *certificate_file, const char *key_file)
{
	FILE *stream;

	if (certificate_file != NULL) {
		stream = fopen(certificate_file, "we");
		require(stream != NULL && PEM_write_X509(stream, certificate->x509) == 1 && fclose(stream) == 0,
			certificate_file);
	}
	if (key_file != NULL) {
		stream = fopen(key_file, "we");
		require(stream != NULL && PEM_write_PrivateKey(stream, certificate->key, NULL, NULL, 0, NULL, NULL) == 1 &&
				fclose(stream) == 0,
			key_file);
	}
}

void
fan_test_certificate_fingerprint(char text[65], const struct fan_test_certificate *certificate)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned bytes = 0;

	require(X509_digest(certificate->x509, EVP_sha256(), digest, &bytes) == 1 && bytes == 32, "a fingerprint");
	for (unsigned i = 0; i < bytes; i++)
		(void)snprintf(text + 2 * (size_t)i, 3, "%02x", digest[i]);
}
