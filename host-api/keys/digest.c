/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define MRK_TEXT_BYTES 48 /* 44 digits of base64 and a closing zero */
#define PARTS_MAX 6

struct part {
	const void *octets;
	size_t octet_count;
};

static struct part
text(const char *octets)
{
	return (struct part){ octets, strlen(octets) };
}

/* The hash of the parts with a colon between each two, in small hex digits. */
static bool
hash(char hex[FAN_DIGEST_HEX_BYTES], enum fan_digest_algorithm algorithm, const struct part *parts, unsigned part_count)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned digest_bytes = 0;
	EVP_MD_CTX *const context = EVP_MD_CTX_new();
	bool good = context != NULL &&
		    EVP_DigestInit_ex(context, algorithm == FAN_DIGEST_MD5 ? EVP_md5() : EVP_sha256(), NULL) == 1;

	for (unsigned i = 0; good && i < part_count; i++)
		good = (i == 0 || EVP_DigestUpdate(context, ":", 1) == 1) &&
		       EVP_DigestUpdate(context, parts[i].octets, parts[i].octet_count) == 1;
	good = good && EVP_DigestFinal_ex(context, digest, &digest_bytes) == 1;
	EVP_MD_CTX_free(context);
	for (unsigned i = 0; i < digest_bytes; i++) {
		hex[2 * i] = digits[digest[i] >> 4];
		hex[2 * i + 1] = digits[digest[i] & 0xf];
	}
	hex[2 * digest_bytes] = '\0';
	explicit_bzero(digest, sizeof(digest));
	return good;
}

static int
check_form(const struct fan_digest_request *request)
{
	const char *const texts[] = { request->method, request->uri,    request->username, request->realm,
				      request->nonce,  request->cnonce, request->nc,       request->qop };

	for (unsigned i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (texts[i] == NULL)
			return fan_fail(FAN_E_INVALID, "HTTP Digest: a part is missing");
	if (strcmp(request->qop, "auth") != 0 && strcmp(request->qop, "auth-int") != 0)
		return fan_fail(FAN_E_INVALID, "HTTP Digest: qop is \"auth\" or \"auth-int\"");
	if (strlen(request->nc) != 8 || strspn(request->nc, "0123456789abcdefABCDEF") != 8)
		return fan_fail(FAN_E_INVALID, "HTTP Digest: nc is 8 hex digits");
	return 0;
}

static bool
hash_a1(char hex[FAN_DIGEST_HEX_BYTES], const struct fan_digest_request *request, const char *password)
{
	const struct part parts[] = { text(request->username), text(request->realm), text(password) };

	return hash(hex, request->algorithm, parts, 3);
}

static bool
hash_a2(char hex[FAN_DIGEST_HEX_BYTES], const struct fan_digest_request *request)
{
	const bool with_body = strcmp(request->qop, "auth-int") == 0;
	const struct part whole_body = { request->body, request->body_bytes };
	char body[FAN_DIGEST_HEX_BYTES] = "";

	if (with_body && !hash(body, request->algorithm, &whole_body, 1))
		return false;
	const struct part parts[] = { text(request->method), text(request->uri), text(body) };

	return hash(hex, request->algorithm, parts, with_body ? 3 : 2);
}

int
fan_digest_response(char hex[FAN_DIGEST_HEX_BYTES], const struct fan_digest_request *request, const char *password)
{
	char a1[FAN_DIGEST_HEX_BYTES] = "", a2[FAN_DIGEST_HEX_BYTES] = "";
	int error = check_form(request);

	hex[0] = '\0';
	if (error != 0)
		return error;
	if (hash_a1(a1, request, password) && hash_a2(a2, request)) {
		const struct part parts[] = { text(a1),           text(request->nonce),
					      text(request->nc),  text(request->cnonce),
					      text(request->qop), text(a2) };

		if (!hash(hex, request->algorithm, parts, PARTS_MAX))
			hex[0] = '\0';
	}
	explicit_bzero(a1, sizeof(a1));
	return hex[0] != '\0' ? 0 : fan_fail(FAN_E_MEMORY, "OpenSSL could not compute HTTP Digest");
}

static int
check_names(const struct fan_digest_expected *expected, const struct fan_digest_request *request, uint32_t nc)
{
	if (strcmp(request->username, expected->b_tid) != 0 || strcmp(request->realm, expected->realm) != 0)
		return fan_fail(FAN_E_INVALID, "HTTP Digest: of another B-TID or realm");
	if (strcmp(request->nonce, expected->nonce) != 0)
		return fan_fail(FAN_E_INVALID, "HTTP Digest: the nonce is not the one that was sent");
	if (nc < expected->nc_next || nc == UINT32_MAX)
		return fan_fail(FAN_E_INVALID, "HTTP Digest: nc %08x came already", nc);
	return 0;
}

int
fan_digest_check(struct fan_digest_expected *expected, const struct fan_digest_request *request)
{
	char wanted[FAN_DIGEST_HEX_BYTES], password[MRK_TEXT_BYTES];
	uint32_t nc;
	int error = check_form(request);

	if (error != 0)
		return error;
	nc = (uint32_t)strtoul(request->nc, NULL, 16);
	error = check_names(expected, request, nc);
	if (error != 0)
		return error;
	(void)EVP_EncodeBlock((uint8_t *)password, expected->mrk, sizeof(expected->mrk));
	error = fan_digest_response(wanted, request, password);
	if (error == 0 && (request->response == NULL || strlen(request->response) != strlen(wanted) ||
			   CRYPTO_memcmp(request->response, wanted, strlen(wanted)) != 0))
		error = fan_fail(FAN_E_INVALID, "HTTP Digest: the response is not that of the MRK");
	if (error == 0)
		expected->nc_next = nc + 1;
	explicit_bzero(password, sizeof(password));
	explicit_bzero(wanted, sizeof(wanted));
	return error;
}
