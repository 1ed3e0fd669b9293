/* SPDX-License-Identifier: BSD-3-Clause */
/* Certificates for tests, by OpenSSL, so that GnuTLS is told by somebody else what is right. Whatever fails ends the test. */
#ifndef FAN_TEST_CERTIFICATES_H
#define FAN_TEST_CERTIFICATES_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

struct fan_test_certificate {
	X509 *x509;
	EVP_PKEY *key;
};

struct fan_test_certificate_order {
	const char *name;    /* CN */
	const char *others;  /* "DNS:as.test,URI:urn:as:1,IP:127.0.0.1"; NULL: none */
	const char *purpose; /* "clientAuth", "serverAuth"; NULL: none is said */
	bool is_authority;
	long from_s, to_s; /* from now; both 0: an hour ago, and in an hour */
};

/* On the curve P-256. In: issuer, NULL: it signs itself. */
struct fan_test_certificate fan_test_certificate_new(const struct fan_test_certificate_order *order,
						     const struct fan_test_certificate *issuer);
void fan_test_certificate_free(struct fan_test_certificate *certificate);
/* As PEM. A NULL is not written. */
void fan_test_certificate_write(const struct fan_test_certificate *certificate, const char *certificate_file,
				const char *key_file);
/* SHA-256 of the certificate in small hexadecimal, closed by a zero. */
void fan_test_certificate_fingerprint(char text[65], const struct fan_test_certificate *certificate);

#endif
