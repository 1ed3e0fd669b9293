/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who a request is from. Tokens and certificates are made by OpenSSL, some tokens by rhonabwy; the requests come over HTTP and TLS, and a face
 * answers each with what it found.
 */
#define _GNU_SOURCE
#include "../host-api/north/t8/authority.h"

#include "certificates.h"
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <rhonabwy.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REQUESTS_MAX 128
#define NOW_S 1900000000
#define SKEW_S 30

/* ---- Keys and tokens ------------------------------------------------------------------------------------------------------------- */

static EVP_PKEY *rsa, *short_rsa, *ec, *other_ec, *p384;

static char *
encode(const void *octets, size_t byte_count)
{
	char *text = malloc(4 * ((byte_count + 2) / 3) + 1);

	cr_assert_not_null(text);
	(void)EVP_EncodeBlock((unsigned char *)text, octets, (int)byte_count);
	for (char *at = text; *at != '\0'; at++)
		*at = (char)(*at == '+' ? '-' : *at == '/' ? '_' : *at);
	text[strcspn(text, "=")] = '\0';
	return text;
}

static char *
encode_number(EVP_PKEY *key, const char *name)
{
	BIGNUM *number = NULL;
	unsigned char octets[1024];
	char *text;
	int bytes;

	cr_assert_eq(EVP_PKEY_get_bn_param(key, name, &number), 1);
	bytes = BN_num_bytes(number);
	if (EVP_PKEY_is_a(key, "EC"))
		bytes = (EVP_PKEY_get_bits(key) + 7) / 8;
	cr_assert_eq(BN_bn2binpad(number, octets, bytes), bytes);
	text = encode(octets, (size_t)bytes);
	BN_free(number);
	return text;
}

/* In: more, of the key's object: ", \"kid\": \"one\"". */
static char *
write_jwk(EVP_PKEY *key, const char *more)
{
	const bool is_ec = EVP_PKEY_is_a(key, "EC");
	char *one = encode_number(key, is_ec ? OSSL_PKEY_PARAM_EC_PUB_X : OSSL_PKEY_PARAM_RSA_N);
	char *other = encode_number(key, is_ec ? OSSL_PKEY_PARAM_EC_PUB_Y : OSSL_PKEY_PARAM_RSA_E);
	char *text;

	if (is_ec)
		cr_assert_gt(asprintf(&text, "{\"kty\": \"EC\", \"crv\": \"P-%d\", \"x\": \"%s\", \"y\": \"%s\"%s}",
				      EVP_PKEY_get_bits(key), one, other, more),
			     0);
	else
		cr_assert_gt(asprintf(&text, "{\"kty\": \"RSA\", \"n\": \"%s\", \"e\": \"%s\"%s}", one, other, more), 0);
	free(one);
	free(other);
	return text;
}

/* r and s, as RFC 7518 3.4 has them. */
static size_t
make_raw(unsigned char *signature, size_t byte_count)
{
	const unsigned char *at = signature;
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)byte_count);

	cr_assert_not_null(pair);
	cr_assert_eq(BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, 32), 32);
	cr_assert_eq(BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + 32, 32), 32);
	ECDSA_SIG_free(pair);
	return 64;
}

static size_t
sign(unsigned char *signature, size_t room, EVP_PKEY *key, const char *text)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t bytes = room;

	cr_assert_eq(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
	cr_assert_eq(EVP_DigestSign(context, signature, &bytes, (const unsigned char *)text, strlen(text)), 1);
	EVP_MD_CTX_free(context);
	return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) == 256 ? make_raw(signature, bytes) : bytes;
}

/* "Bearer ..." by that key, whatever the header says. NULL: the signature is empty. */
static char *
make_token(const char *header, const char *claims, EVP_PKEY *key)
{
	unsigned char signature[1024];
	char *first = encode(header, strlen(header)), *second = encode(claims, strlen(claims)), *third, *text, *token;

	cr_assert_gt(asprintf(&text, "%s.%s", first, second), 0);
	third = encode(signature, key != NULL ? sign(signature, sizeof(signature), key, text) : 0);
	cr_assert_gt(asprintf(&token, "Bearer %s.%s", text, third), 0);
	free(first);
	free(second);
	free(third);
	free(text);
	return token;
}

/* By HMAC with that secret. */
static char *
make_hmac_token(const char *header, const char *claims, const char *secret, size_t secret_bytes)
{
	unsigned char signature[32];
	unsigned bytes = sizeof(signature);
	char *first = encode(header, strlen(header)), *second = encode(claims, strlen(claims)), *third, *text, *token;

	cr_assert_gt(asprintf(&text, "%s.%s", first, second), 0);
	cr_assert_not_null(
		HMAC(EVP_sha256(), secret, (int)secret_bytes, (const unsigned char *)text, strlen(text), signature, &bytes));
	third = encode(signature, bytes);
	cr_assert_gt(asprintf(&token, "Bearer %s.%s", text, third), 0);
	free(first);
	free(second);
	free(third);
	free(text);
	return token;
}

/* ---- The face ------------------------------------------------------------------------------------------------------------------ */

static char folder[] = "/tmp/fanfare-authority-XXXXXX", ca_file[64], server_file[64], server_key_file[64], keys_file[64];
static struct fan_face *face;
static struct fan_fetcher *fetcher;
static struct fan_http *plain, *tls;
static struct fan_t8_authority *authority;
static struct fan_test_certificate ca, other_ca;
static int64_t clock_s = NOW_S;
static char keys_text[16384]; /* at /keys of the plain server */
static unsigned keys_status = 200, keys_asked;

static int64_t
tell_time(void)
{
	return clock_s;
}

static void
answer_verdict(struct fan_http_request *request, const struct fan_t8_verdict *verdict)
{
	const struct fan_http_field fields[] = { { "WWW-Authenticate", verdict->challenge } };
	char text[512];

	cr_assert_eq(verdict->status == 0, verdict->sender != NULL);
	cr_assert_eq(verdict->status == 401 || verdict->status == 403, verdict->challenge[0] != '\0');
	cr_assert_eq(verdict->status == 503, verdict->retry_after_s > 0);
	(void)snprintf(text, sizeof(text), "%s%s", verdict->cause, verdict->sender != NULL ? verdict->sender->name : "");
	fan_http_answer(request, verdict->status == 0 ? 200 : verdict->status, fields, verdict->challenge[0] != '\0', text,
			strlen(text));
}

/* /API/SENDER */
static void
handle(void *user, struct fan_http_request *request)
{
	const char *path = fan_http_path(request);
	struct fan_t8_verdict verdict;
	char api[64];
	const char *sender;

	(void)user;
	if (strcmp(path, "/keys") == 0) {
		keys_asked++;
		fan_http_answer(request, keys_status, NULL, 0, keys_text, strlen(keys_text));
		return;
	}
	(void)snprintf(api, sizeof(api), "%.*s", (int)strcspn(path + 1, "/"), path + 1);
	sender = strchr(path + 1, '/');
	fan_t8_authorise(authority, &verdict, request, api, sender != NULL ? sender + 1 : NULL);
	answer_verdict(request, &verdict);
}

static struct fan_http *
open_server(bool has_tls)
{
	const struct fan_http_options options = { .address = "127.0.0.1",
						  .certificate_file = has_tls ? server_file : NULL,
						  .key_file = has_tls ? server_key_file : NULL,
						  .trust_file = has_tls ? ca_file : NULL,
						  .connections_max = 100,
						  .connections_of_address_max = 100,
						  .body_bytes_max = 1000,
						  .deadline_ms = 60000,
						  .handle = handle };
	struct fan_http *http;

	cr_assert_eq(fan_http_open(&http, face, &options), 0, "%s", fan_error_detail());
	return http;
}

static void
name_file(char path[64], const char *name)
{
	(void)snprintf(path, 64, "%s/%s", folder, name);
}

static void
make_keys(void)
{
	rsa = EVP_RSA_gen(2048);
	short_rsa = EVP_RSA_gen(1024);
	ec = EVP_EC_gen("P-256");
	other_ec = EVP_EC_gen("P-256");
	p384 = EVP_EC_gen("P-384");
	cr_assert(rsa != NULL && short_rsa != NULL && ec != NULL && other_ec != NULL && p384 != NULL);
}

static void
write_keys(const char *text)
{
	fan_test_write_file(keys_file, text, strlen(text), 0644);
}

/* A set of up to three keys, each with its name. */
static char *
write_set(EVP_PKEY *one, const char *one_more, EVP_PKEY *two, const char *two_more)
{
	char *first = write_jwk(one, one_more), *second = two != NULL ? write_jwk(two, two_more) : NULL, *text;

	cr_assert_gt(asprintf(&text, "{\"keys\": [%s%s%s]}", first, second != NULL ? ", " : "", second != NULL ? second : ""),
		     0);
	free(first);
	free(second);
	return text;
}

static void
set_up(void)
{
	const struct fan_face_options options = { .name = "test", .socket = "/nonexistent/control.sock" };
	const struct fan_test_certificate_order order = { .name = "CA", .is_authority = true };
	const struct fan_test_certificate_order server = { .name = "t8", .others = "IP:127.0.0.1", .purpose = "serverAuth" };
	struct fan_test_certificate own;

	cr_assert_not_null(mkdtemp(folder));
	name_file(ca_file, "ca");
	name_file(server_file, "server");
	name_file(server_key_file, "server-key");
	name_file(keys_file, "keys");
	make_keys();
	ca = fan_test_certificate_new(&order, NULL);
	other_ca = fan_test_certificate_new(&order, NULL);
	own = fan_test_certificate_new(&server, &ca);
	fan_test_certificate_write(&ca, ca_file, NULL);
	fan_test_certificate_write(&own, server_file, server_key_file);
	fan_test_certificate_free(&own);
	cr_assert_eq(fan_face_open(&face, &options), 0);
	cr_assert_eq(fan_fetcher_open(&fetcher, face), 0);
	plain = open_server(false);
}

static void
tear_down(void)
{
	fan_t8_authority_close(authority);
	fan_fetcher_close(fetcher);
	fan_http_close(plain);
	fan_http_close(tls);
	fan_face_close(face);
	fan_test_certificate_free(&ca);
	fan_test_certificate_free(&other_ca);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(short_rsa);
	EVP_PKEY_free(ec);
	EVP_PKEY_free(other_ec);
	EVP_PKEY_free(p384);
	(void)unlink(ca_file);
	(void)unlink(server_file);
	(void)unlink(server_key_file);
	(void)unlink(keys_file);
	cr_assert_eq(rmdir(folder), 0);
}

TestSuite(north_authority, .init = set_up, .fini = tear_down, .timeout = 120);

/* ---- Requests ------------------------------------------------------------------------------------------------------------------ */

struct asking {
	char *authorization; /* owned */
	char what[128];
	unsigned status;
	char text[512];
	void (*then)(void);
};

static struct asking askings[REQUESTS_MAX];
static unsigned asked, answered, until;

static void
take(void *user, const struct fan_fetch_answer *answer)
{
	struct asking *asking = user;

	asking->status = answer->status;
	(void)snprintf(asking->text, sizeof(asking->text), "%s%s", answer->body, answer->why);
	answered++;
	if (asking->then != NULL)
		asking->then();
	if (answered == (until != 0 ? until : asked))
		fan_face_stop(face);
}

/* In: authorization, which it takes; NULL: none; certificate, whose files are gone after the call. */
static struct asking *
ask_by(const char *path, char *authorization, const char *certificate_file, const char *key_file)
{
	static const char *const hosts[] = { "127.0.0.1", NULL };
	static const struct fan_fetch_rule rule = {
		.hosts = hosts, .loopback_allowed = true, .plain_http_allowed = true, .lanes_max = 2
	};
	const struct fan_http_field field = { "Authorization", authorization };
	struct asking *asking = &askings[asked++];
	struct fan_fetch_request request = { .method = "GET",
					     .rule = &rule,
					     .fields = &field,
					     .field_count = authorization != NULL,
					     .answer_bytes_max = 400,
					     .time_limit_ms = 60000,
					     .ca_file = ca_file,
					     .certificate_file = certificate_file,
					     .key_file = key_file };
	char url[128], owner[16];

	cr_assert_lt(asked, REQUESTS_MAX);
	(void)snprintf(url, sizeof(url), "%s://127.0.0.1:%u%s", tls != NULL ? "https" : "http",
		       fan_http_port(tls != NULL ? tls : plain), path);
	(void)snprintf(owner, sizeof(owner), "%u", asked / 32);
	(void)snprintf(asking->what, sizeof(asking->what), "%s", path);
	asking->authorization = authorization;
	request.url = url;
	request.owner = owner;
	fan_fetch(fetcher, &request, take, asking);
	return asking;
}

static struct asking *
ask(const char *path, char *authorization)
{
	return ask_by(path, authorization, NULL, NULL);
}

static void
run(void)
{
	cr_assert_eq(fan_face_run(face), 0);
	for (unsigned i = 0; i < asked; i++)
		free(askings[i].authorization);
}

static void
assert_found(const struct asking *asking, unsigned status, const char *text)
{
	cr_assert(asking->status == status && strcmp(asking->text, text) == 0, "%u %s (%s) and not %u %s", asking->status,
		  asking->text, asking->what, status, text);
}

/* ---- OAuth --------------------------------------------------------------------------------------------------------------------- */

static const struct fan_t8_identity identities[] = { { .name = "as1", .subject = "client-1" },
						     { .name = "as2", .subject = "client-2" },
						     { .name = "as3" } };
static struct fan_t8_issuer issuers[3];
static struct fan_t8_authority_options options = {
	.identities = identities, .identity_count = 3, .issuers = issuers, .skew_s = SKEW_S, .now_s = tell_time
};

static void
open_authority(void)
{
	cr_assert_eq(fan_t8_authority_open(&authority, face, fetcher, &options), 0, "%s", fan_error_detail());
}

/* Keys "e" (P-256) and "r" (RSA). */
static void
open_oauth(void)
{
	char *set = write_set(ec, ", \"kid\": \"e\", \"use\": \"sig\"", rsa, ", \"kid\": \"r\", \"alg\": \"RS256\"");

	write_keys(set);
	free(set);
	issuers[0] = (struct fan_t8_issuer){
		.profile = FAN_T8_OAUTH, .issuer = "https://issuer.test", .audience = "https://t8.test", .keys_file = keys_file
	};
	options.issuer_count = 1;
	open_authority();
}

#define HEADER "{\"alg\": \"ES256\", \"kid\": \"e\"}"
#define CLAIMS_BUT_TIMES "\"iss\": \"https://issuer.test\", \"aud\": \"https://t8.test\", \"client_id\": \"client-1\""
#define CLAIMS "{" CLAIMS_BUT_TIMES ", \"exp\": 1900000600}"

Test(north_authority, tokens_of_an_issuer_are_taken)
{
	static const char *const claims[] = {
		CLAIMS,
		"{\"iss\": \"https://issuer.test\", \"aud\": [\"https://other.test\", \"https://t8.test\"], \"sub\": \"client-1\","
		" \"exp\": 1900000600.5, \"nbf\": 1900000000, \"scope\": \"openid\"}",
		"{\"iss\": \"https://issuer.test\", \"aud\": \"https://t8.test\", \"client_id\": \"client-1\", \"sub\": \"client-2\","
		" \"exp\": 99999999999999}",
	};
	static const char *const headers[] = { HEADER, "{\"alg\": \"ES256\"}",
					       "{\"alg\": \"ES256\", \"kid\": \"e\", \"typ\": \"at+jwt\"}",
					       "{\"alg\": \"RS256\", \"kid\": \"r\", \"typ\": \"JWT\"}",
					       "{\"alg\": \"RS256\"}" };
	unsigned count;

	open_oauth();
	for (unsigned i = 0; i < 5; i++)
		for (unsigned k = 0; k < 3; k++)
			(void)ask("/3gpp-nidd/as1", make_token(headers[i], claims[k], i < 3 ? ec : rsa));
	count = asked;
	(void)ask("/3gpp-nidd", make_token(HEADER, CLAIMS, ec));
	(void)ask("/3gpp-nidd/as2", make_token(HEADER, CLAIMS, ec));
	(void)ask("/3gpp-nidd/as3", make_token(HEADER, CLAIMS, ec));
	(void)ask("/3gpp-nidd/", make_token(HEADER, CLAIMS, ec));
	run();
	for (unsigned i = 0; i <= count; i++)
		assert_found(&askings[i], 200, "as1");
	for (unsigned i = count + 1; i < asked; i++)
		assert_found(&askings[i], 403, "SCS_AS_ID");
}

static const struct refused_header {
	const char *header, *cause;
} refused_headers[] = {
	{ "{\"alg\": \"none\"}", "TOKEN_ALGORITHM" },
	{ "{\"alg\": \"NONE\", \"kid\": \"e\"}", "TOKEN_ALGORITHM" },
	{ "{\"alg\": null, \"kid\": \"e\"}", "TOKEN_ALGORITHM" },
	{ "{\"alg\": [\"ES256\"], \"kid\": \"e\"}", "TOKEN_ALGORITHM" },
	{ "{\"kid\": \"e\"}", "TOKEN_ALGORITHM" },
	{ "{\"alg\": \"es256\", \"kid\": \"e\"}", "TOKEN_ALGORITHM" },
	{ "{\"alg\": \"ES384\", \"kid\": \"e\"}", "TOKEN_ALGORITHM" },
	{ "{\"alg\": \"PS256\", \"kid\": \"r\"}", "TOKEN_ALGORITHM" },
	{ "{\"alg\": \"HS256\", \"kid\": \"e\"}", "TOKEN_ALGORITHM" },
	{ "{\"alg\": \"EdDSA\", \"kid\": \"e\"}", "TOKEN_ALGORITHM" },
	{ "{\"alg\": \"ES256\", \"kid\": \"f\"}", "TOKEN_KEY" },
	{ "{\"alg\": \"ES256\", \"kid\": \"\"}", "TOKEN_KEY" },
	{ "{\"alg\": \"ES256\", \"kid\": \"r\"}", "TOKEN_KEY" },
	{ "{\"alg\": \"RS256\", \"kid\": \"e\"}", "TOKEN_KEY" },
	{ "{\"alg\": \"RS256\", \"kid\": \"r\"}", "TOKEN_SIGNATURE" },
	{ "{\"alg\": \"ES256\", \"kid\": 1}", "TOKEN_HEADER" },
	{ "{\"alg\": \"ES256\", \"kid\": \"e\", \"typ\": \"logout+jwt\"}", "TOKEN_HEADER" },
	{ "{\"alg\": \"ES256\", \"kid\": \"e\", \"crit\": [\"x\"]}", "TOKEN_HEADER" },
	{ "{\"alg\": \"ES256\", \"kid\": \"e\", \"b64\": false}", "TOKEN_HEADER" },
	{ "{\"alg\": \"ES256\", \"kid\": \"e\", \"jku\": \"http://127.0.0.1:1/\"}", "TOKEN_HEADER" },
	{ "{\"alg\": \"ES256\", \"kid\": \"e\", \"x5u\": \"http://127.0.0.1:1/\"}", "TOKEN_HEADER" },
	{ "{\"alg\": \"ES256\", \"kid\": \"e\", \"x5c\": []}", "TOKEN_HEADER" },
	{ "{\"alg\": \"ES256\", \"kid\": \"e\", \"jwk\": {}}", "TOKEN_HEADER" },
	{ "{\"alg\": \"ES256\", \"alg\": \"none\", \"kid\": \"e\"}", "TOKEN_MALFORMED" },
	{ "{\"alg\": \"ES256\", \"kid\": \"e\"", "TOKEN_MALFORMED" },
	{ "[\"ES256\"]", "TOKEN_MALFORMED" },
	{ "null", "TOKEN_MALFORMED" },
};

/* What the header says decides nothing: the signature is right, and the algorithms are two. */
Test(north_authority, headers_are_not_believed)
{
	open_oauth();
	for (unsigned i = 0; i < sizeof(refused_headers) / sizeof(refused_headers[0]); i++)
		(void)ask("/3gpp-nidd/as1", make_token(refused_headers[i].header, CLAIMS, ec));
	run();
	for (unsigned i = 0; i < asked; i++)
		cr_assert(askings[i].status == 401 && strcmp(askings[i].text, refused_headers[i].cause) == 0, "%s: %u %s",
			  refused_headers[i].header, askings[i].status, askings[i].text);
}

/* Of two, one would have to be guessed. */
Test(north_authority, a_token_without_a_kid_is_for_one_key_alone)
{
	char *set = write_set(ec, ", \"kid\": \"e\"", other_ec, ", \"kid\": \"f\"");

	open_oauth();
	write_keys(set);
	free(set);
	(void)ask("/3gpp-nidd/as1", make_token("{\"alg\": \"ES256\"}", CLAIMS, ec));
	(void)ask("/3gpp-nidd/as1", make_token("{\"alg\": \"ES256\", \"kid\": \"f\"}", CLAIMS, other_ec));
	(void)ask("/3gpp-nidd/as1", make_token("{\"alg\": \"ES256\", \"kid\": \"f\"}", CLAIMS, ec));
	run();
	assert_found(&askings[0], 401, "TOKEN_KEY");
	assert_found(&askings[1], 200, "as1");
	assert_found(&askings[2], 401, "TOKEN_SIGNATURE");
}

static char *
change(char *token, size_t at, char to)
{
	token[at] = token[at] != to ? to : 'A';
	return token;
}

Test(north_authority, forged_tokens_are_refused)
{
	static const char es256[] = HEADER, hs256[] = "{\"alg\": \"HS256\", \"kid\": \"r\"}";
	char *key_text = write_jwk(rsa, ""), *pem = NULL, *token, *huge, *long_claims;
	BIO *memory = BIO_new(BIO_s_mem());
	long pem_bytes;
	unsigned count;

	open_oauth();
	cr_assert_eq(PEM_write_bio_PUBKEY(memory, rsa), 1);
	pem_bytes = BIO_get_mem_data(memory, &pem);
	(void)ask("/3gpp-nidd/as1", make_token(es256, CLAIMS, other_ec));
	token = make_token(es256, CLAIMS, ec);
	(void)ask("/3gpp-nidd/as1", change(token, strlen(token) - 10, 'B'));
	token = make_token(es256, CLAIMS, ec);
	(void)ask("/3gpp-nidd/as1", change(token, strlen("Bearer ") + strlen(HEADER) * 4 / 3 + 20, 'B'));
	token = make_token("{\"alg\": \"RS256\", \"kid\": \"r\"}", CLAIMS, rsa);
	(void)ask("/3gpp-nidd/as1", change(token, strlen(token) - 10, 'B'));
	(void)ask("/3gpp-nidd/as1", make_token(es256, CLAIMS, p384));
	count = asked;
	(void)ask("/3gpp-nidd/as1", make_hmac_token(hs256, CLAIMS, pem, (size_t)pem_bytes));
	(void)ask("/3gpp-nidd/as1", make_hmac_token(hs256, CLAIMS, key_text, strlen(key_text)));
	(void)ask("/3gpp-nidd/as1", make_hmac_token("{\"alg\": \"RS256\", \"kid\": \"r\"}", CLAIMS, pem, (size_t)pem_bytes));
	(void)ask("/3gpp-nidd/as1", make_token("{\"alg\": \"none\"}", CLAIMS, NULL));
	(void)ask("/3gpp-nidd/as1", make_token(es256, CLAIMS, NULL));
	(void)ask("/3gpp-nidd/as1", strdup("Bearer "));
	(void)ask("/3gpp-nidd/as1", strdup("Bearer x"));
	(void)ask("/3gpp-nidd/as1", strdup("Bearer .."));
	(void)ask("/3gpp-nidd/as1", strdup("Bearer a.b.c.d.e"));
	(void)ask("/3gpp-nidd/as1", strdup("Bearer {\"payload\":\"\"}"));
	(void)ask("/3gpp-nidd/as1", strdup("Basic Y2xpZW50LTE6"));
	(void)ask("/3gpp-nidd/as1", NULL);
	cr_assert_gt(asprintf(&long_claims, "{" CLAIMS_BUT_TIMES ", \"exp\": 1900000600, \"x\": \"%0*d\"}",
			      FAN_T8_TOKEN_BYTES_MAX, 0),
		     0);
	huge = make_token(es256, long_claims, ec);
	(void)ask("/3gpp-nidd/as1", huge);
	run();
	for (unsigned i = 0; i < count; i++)
		assert_found(&askings[i], 401, "TOKEN_SIGNATURE");
	assert_found(&askings[count], 401, "TOKEN_ALGORITHM");
	assert_found(&askings[count + 1], 401, "TOKEN_ALGORITHM");
	assert_found(&askings[count + 2], 401, "TOKEN_SIGNATURE");
	for (unsigned i = 3; i < 10; i++)
		assert_found(&askings[count + i], 401, "TOKEN_MALFORMED");
	assert_found(&askings[count + 10], 401, "AUTHORIZATION_UNKNOWN");
	assert_found(&askings[count + 11], 401, "NO_IDENTITY");
	assert_found(&askings[count + 12], 401, "TOKEN_TOO_LONG");
	free(long_claims);
	free(key_text);
	BIO_free(memory);
}

static const struct judged_claims {
	const char *claims;
	unsigned status;
	const char *text;
} judged_claims[] = {
	{ "{" CLAIMS_BUT_TIMES "}", 401, "TOKEN_CLAIMS" },
	{ "{" CLAIMS_BUT_TIMES ", \"exp\": \"1900000600\"}", 401, "TOKEN_CLAIMS" },
	{ "{" CLAIMS_BUT_TIMES ", \"exp\": null}", 401, "TOKEN_CLAIMS" },
	{ "{" CLAIMS_BUT_TIMES ", \"exp\": 1900000600, \"nbf\": true}", 401, "TOKEN_CLAIMS" },
	/* The skew is 30 s: the last moment that is in, and the first that is out. */
	{ "{" CLAIMS_BUT_TIMES ", \"exp\": 1899999971}", 200, "as1" },
	{ "{" CLAIMS_BUT_TIMES ", \"exp\": 1899999970}", 401, "TOKEN_EXPIRED" },
	{ "{" CLAIMS_BUT_TIMES ", \"exp\": 600}", 401, "TOKEN_EXPIRED" },
	{ "{" CLAIMS_BUT_TIMES ", \"exp\": -1e300}", 401, "TOKEN_EXPIRED" },
	{ "{" CLAIMS_BUT_TIMES ", \"exp\": 1e999}", 401, "TOKEN_MALFORMED" },
	{ "{" CLAIMS_BUT_TIMES ", \"exp\": 1900000600, \"nbf\": 1900000030}", 200, "as1" },
	{ "{" CLAIMS_BUT_TIMES ", \"exp\": 1900000600, \"nbf\": 1900000031}", 401, "TOKEN_NOT_YET_VALID" },
	{ "{\"iss\": \"https://other.test\", \"aud\": \"https://t8.test\", \"sub\": \"client-1\", \"exp\": 1900000600}", 401,
	  "TOKEN_ISSUER" },
	{ "{\"aud\": \"https://t8.test\", \"sub\": \"client-1\", \"exp\": 1900000600}", 401, "TOKEN_ISSUER" },
	{ "{\"iss\": [\"https://issuer.test\"], \"aud\": \"https://t8.test\", \"sub\": \"client-1\", \"exp\": 1900000600}", 401,
	  "TOKEN_ISSUER" },
	{ "{\"iss\": \"https://issuer.test\", \"aud\": \"https://t9.test\", \"sub\": \"client-1\", \"exp\": 1900000600}", 401,
	  "TOKEN_AUDIENCE" },
	{ "{\"iss\": \"https://issuer.test\", \"aud\": [], \"sub\": \"client-1\", \"exp\": 1900000600}", 401,
	  "TOKEN_AUDIENCE" },
	{ "{\"iss\": \"https://issuer.test\", \"aud\": [[\"https://t8.test\"], 7], \"sub\": \"client-1\", \"exp\": 1900000600}",
	  401, "TOKEN_AUDIENCE" },
	{ "{\"iss\": \"https://issuer.test\", \"sub\": \"client-1\", \"exp\": 1900000600}", 401, "TOKEN_AUDIENCE" },
	{ "{" CLAIMS_BUT_TIMES ", \"exp\": 600, \"exp\": 1900000600}", 401, "TOKEN_MALFORMED" },
	{ "{" CLAIMS_BUT_TIMES ", \"exp\": 1900000600", 401, "TOKEN_MALFORMED" },
	{ "[1900000600]", 401, "TOKEN_MALFORMED" },
	{ "{\"iss\": \"https://issuer.test\", \"aud\": \"https://t8.test\", \"sub\": \"client-9\", \"exp\": 1900000600}", 403,
	  "SENDER_UNKNOWN" },
	{ "{\"iss\": \"https://issuer.test\", \"aud\": \"https://t8.test\", \"exp\": 1900000600}", 403, "SENDER_UNKNOWN" },
	{ "{\"iss\": \"https://issuer.test\", \"aud\": \"https://t8.test\", \"sub\": \"client-1\\u0000\", \"exp\": 1900000600}",
	  401, "TOKEN_MALFORMED" },
	{ "{\"iss\": \"https://issuer.test\", \"aud\": \"https://t8.test\", \"client_id\": 1, \"sub\": \"client-1\", \"exp\": "
	  "1900000600}",
	  403, "SENDER_UNKNOWN" },
	{ "{\"iss\": \"https://issuer.test\", \"aud\": \"https://t8.test\", \"sub\": \"client-2\", \"exp\": 1900000600}", 403,
	  "SCS_AS_ID" },
};

Test(north_authority, claims_are_judged)
{
	open_oauth();
	for (unsigned i = 0; i < sizeof(judged_claims) / sizeof(judged_claims[0]); i++)
		(void)ask("/3gpp-nidd/as1", make_token(HEADER, judged_claims[i].claims, ec));
	run();
	for (unsigned i = 0; i < asked; i++)
		cr_assert(askings[i].status == judged_claims[i].status && strcmp(askings[i].text, judged_claims[i].text) == 0,
			  "%s: %u %s", judged_claims[i].claims, askings[i].status, askings[i].text);
}

/* Before the signature is verified, nothing of the claims is said. */
Test(north_authority, claims_of_a_forged_token_are_not_looked_at)
{
	open_oauth();
	for (unsigned i = 0; i < sizeof(judged_claims) / sizeof(judged_claims[0]); i++)
		(void)ask("/3gpp-nidd/as1", make_token(HEADER, judged_claims[i].claims, other_ec));
	run();
	for (unsigned i = 0; i < asked; i++)
		assert_found(&askings[i], 401, "TOKEN_SIGNATURE");
}

Test(north_authority, scopes_may_be_required)
{
	static const struct judged_claims scopes[] = {
		{ "{" CLAIMS_BUT_TIMES ", \"exp\": 1900000600, \"scope\": \"openid 3gpp-nidd\"}", 200, "as1" },
		{ "{" CLAIMS_BUT_TIMES ", \"exp\": 1900000600, \"scope\": \"3gpp-nidd\"}", 200, "as1" },
		{ "{" CLAIMS_BUT_TIMES ", \"exp\": 1900000600, \"scope\": \"3gpp-nidd-x x3gpp-nidd 3gpp\"}", 403,
		  "TOKEN_SCOPE" },
		{ "{" CLAIMS_BUT_TIMES ", \"exp\": 1900000600, \"scope\": [\"3gpp-nidd\"]}", 403, "TOKEN_SCOPE" },
		{ "{" CLAIMS_BUT_TIMES ", \"exp\": 1900000600, \"scope\": \"\"}", 403, "TOKEN_SCOPE" },
		{ "{" CLAIMS_BUT_TIMES ", \"exp\": 1900000600}", 403, "TOKEN_SCOPE" },
	};

	open_oauth();
	issuers[0].scope_required = true;
	for (unsigned i = 0; i < 6; i++)
		(void)ask("/3gpp-nidd/as1", make_token(HEADER, scopes[i].claims, ec));
	run();
	for (unsigned i = 0; i < 6; i++)
		assert_found(&askings[i], scopes[i].status, scopes[i].text);
}

/* rhonabwy makes what OpenSSL has made above. */
Test(north_authority, tokens_of_another_library_are_taken)
{
	static const int kinds[] = { R_KEY_TYPE_EC, R_KEY_TYPE_RSA };
	static const unsigned bits[] = { 256, 2048 };
	jwk_t *private_keys[2], *public_keys[2];
	jwks_t *set;
	char *text;

	cr_assert_eq(r_jwks_init(&set), RHN_OK);
	for (unsigned i = 0; i < 2; i++) {
		cr_assert(r_jwk_init(&private_keys[i]) == RHN_OK && r_jwk_init(&public_keys[i]) == RHN_OK);
		cr_assert_eq(r_jwk_generate_key_pair(private_keys[i], public_keys[i], kinds[i], bits[i], i == 0 ? "a" : "b"),
			     RHN_OK);
		cr_assert_eq(r_jwks_append_jwk(set, public_keys[i]), RHN_OK);
	}
	open_oauth();
	text = r_jwks_export_to_json_str(set, 0);
	write_keys(text);
	r_free(text);
	for (unsigned i = 0; i < 2; i++) {
		jws_t *jws;
		char *token, *authorization;

		cr_assert_eq(r_jws_init(&jws), RHN_OK);
		cr_assert_eq(r_jws_set_alg(jws, i == 0 ? R_JWA_ALG_ES256 : R_JWA_ALG_RS256), RHN_OK);
		cr_assert_eq(r_jws_set_payload(jws, (const unsigned char *)CLAIMS, strlen(CLAIMS)), RHN_OK);
		token = r_jws_serialize(jws, private_keys[i], 0);
		cr_assert_not_null(token);
		cr_assert_gt(asprintf(&authorization, "bearer  %s", token), 0);
		(void)ask("/3gpp-nidd/as1", authorization);
		r_free(token);
		r_jws_free(jws);
		r_jwk_free(private_keys[i]);
		r_jwk_free(public_keys[i]);
	}
	r_jwks_free(set);
	run();
	assert_found(&askings[0], 200, "as1");
	assert_found(&askings[1], 200, "as1");
}

/* ---- CAPIF --------------------------------------------------------------------------------------------------------------------- */

#define CAPIF(SCOPE) "{\"iss\": \"client-1\", \"exp\": 1900000600, \"scope\": \"" SCOPE "\"}"

static const struct judged_claims capif_claims[] = {
	{ CAPIF("3gpp#aef1:3gpp-nidd"), 200, "as1" },
	{ CAPIF("3gpp#aef1:3gpp-device-triggering,3gpp-nidd"), 200, "as1" },
	{ CAPIF("3gpp#aef2:other;aef1:other,3gpp-nidd,more"), 200, "as1" },
	{ CAPIF("3gpp#aef2:3gpp-nidd;aef1:other"), 403, "TOKEN_SCOPE" },
	{ CAPIF("3gpp#aef1:3gpp-device-triggering"), 403, "TOKEN_SCOPE" },
	{ CAPIF("3gpp#aef1:3gpp-nidd-not"), 403, "TOKEN_SCOPE" },
	{ CAPIF("3gpp#aef1"), 403, "TOKEN_SCOPE" },
	{ CAPIF("3gpp#3gpp-nidd"), 403, "TOKEN_SCOPE" },
	{ CAPIF("3gpp#:3gpp-nidd"), 403, "TOKEN_SCOPE" },
	{ CAPIF("3gpp#"), 403, "TOKEN_SCOPE" },
	{ CAPIF("3gpp#;;aef1:;:"), 403, "TOKEN_SCOPE" },
	{ CAPIF("aef1:3gpp-nidd"), 403, "TOKEN_SCOPE" },
	{ CAPIF(""), 403, "TOKEN_SCOPE" },
	{ "{\"iss\": \"client-1\", \"exp\": 1900000600}", 403, "TOKEN_SCOPE" },
	{ "{\"iss\": \"client-1\", \"scope\": \"3gpp#aef1:3gpp-nidd\"}", 401, "TOKEN_CLAIMS" },
	{ "{\"iss\": \"client-1\", \"exp\": 1899999970, \"scope\": \"3gpp#aef1:3gpp-nidd\"}", 401, "TOKEN_EXPIRED" },
	{ "{\"exp\": 1900000600, \"scope\": \"3gpp#aef1:3gpp-nidd\"}", 401, "TOKEN_ISSUER" },
	{ "{\"iss\": \"client-1\", \"aud\": \"x\", \"exp\": 1900000600, \"scope\": \"3gpp#aef1:3gpp-nidd\"}", 401,
	  "TOKEN_AUDIENCE" },
	{ "{\"iss\": \"client-9\", \"exp\": 1900000600, \"scope\": \"3gpp#aef1:3gpp-nidd\"}", 403, "SENDER_UNKNOWN" },
	{ "{\"iss\": \"client-9\", \"sub\": \"client-1\", \"exp\": 1900000600, \"scope\": \"3gpp#aef1:3gpp-nidd\"}", 403,
	  "SENDER_UNKNOWN" },
	{ "{\"iss\": \"client-2\", \"exp\": 1900000600, \"scope\": \"3gpp#aef1:3gpp-nidd\"}", 403, "SCS_AS_ID" },
};

static void
open_capif(const char *issuer, const char *aef)
{
	char *set = write_set(ec, "", NULL, NULL);

	write_keys(set);
	free(set);
	issuers[0] = (struct fan_t8_issuer){ .profile = FAN_T8_CAPIF, .issuer = issuer, .aef = aef, .keys_file = keys_file };
	options.issuer_count = 1;
	open_authority();
}

/* The key has no name, and the tokens name none. */
Test(north_authority, capif_tokens_are_judged)
{
	open_capif(NULL, "aef1");
	for (unsigned i = 0; i < sizeof(capif_claims) / sizeof(capif_claims[0]); i++)
		(void)ask("/3gpp-nidd/as1", make_token("{\"alg\": \"ES256\"}", capif_claims[i].claims, ec));
	run();
	for (unsigned i = 0; i < asked; i++)
		cr_assert(askings[i].status == capif_claims[i].status && strcmp(askings[i].text, capif_claims[i].text) == 0,
			  "%s: %u %s", capif_claims[i].claims, askings[i].status, askings[i].text);
}

Test(north_authority, capif_issuers_may_be_named)
{
	static const char named[] =
		"{\"iss\": \"ccf\", \"sub\": \"client-1\", \"exp\": 1900000600, \"scope\": \"3gpp#any:3gpp-nidd\"}";

	open_capif("ccf", NULL);
	(void)ask("/3gpp-nidd/as1", make_token("{\"alg\": \"ES256\"}", named, ec));
	(void)ask("/3gpp-nidd/as1", make_token("{\"alg\": \"ES256\"}", CAPIF("3gpp#any:3gpp-nidd"), ec));
	run();
	assert_found(&askings[0], 200, "as1");
	assert_found(&askings[1], 401, "TOKEN_ISSUER");
}

/* ---- Keys that change ---------------------------------------------------------------------------------------------------------- */

static void
ask_with_the_old_key(void)
{
	(void)ask("/3gpp-nidd/as1", make_token(HEADER, CLAIMS, ec));
}

static void
ask_with_both_keys(void)
{
	(void)ask("/3gpp-nidd/as1", make_token("{\"alg\": \"ES256\", \"kid\": \"new\"}", CLAIMS, other_ec));
	(void)ask("/3gpp-nidd/as1", make_token(HEADER, CLAIMS, ec));
}

static void
break_keys(void)
{
	write_keys("{\"keys\": [");
	ask("/3gpp-nidd/as1", make_token(HEADER, CLAIMS, ec))->then = ask_with_the_old_key;
}

static void
remove_keys(void)
{
	cr_assert_eq(unlink(keys_file), 0);
	(void)ask("/3gpp-nidd/as1", make_token(HEADER, CLAIMS, ec));
}

static void
change_keys(void)
{
	char *set = write_set(other_ec, ", \"kid\": \"new\"", NULL, NULL);

	write_keys(set);
	free(set);
	ask_with_both_keys();
}

Test(north_authority, keys_in_a_file_are_read_again)
{
	open_oauth();
	ask("/3gpp-nidd/as1", make_token(HEADER, CLAIMS, ec))->then = change_keys;
	until = 3;
	run();
	assert_found(&askings[0], 200, "as1");
	assert_found(&askings[1], 200, "as1");
	assert_found(&askings[2], 401, "TOKEN_KEY");
}

Test(north_authority, keys_stay_when_their_file_is_broken)
{
	open_oauth();
	ask("/3gpp-nidd/as1", make_token(HEADER, CLAIMS, ec))->then = break_keys;
	until = 3;
	run();
	for (unsigned i = 0; i < 3; i++)
		assert_found(&askings[i], 200, "as1");
}

Test(north_authority, keys_stay_when_their_file_is_gone)
{
	open_oauth();
	ask("/3gpp-nidd/as1", make_token(HEADER, CLAIMS, ec))->then = remove_keys;
	until = 2;
	run();
	assert_found(&askings[0], 200, "as1");
	assert_found(&askings[1], 200, "as1");
}

/* Keys are at the plain server, whose answer is what keys_text and keys_status say. */
static void
open_url(unsigned refetch_s, unsigned refresh_s)
{
	static const char *const hosts[] = { "127.0.0.1", NULL };
	static const struct fan_fetch_rule rule = { .hosts = hosts, .loopback_allowed = true, .plain_http_allowed = true };
	static char url[64];
	char *set = write_set(ec, ", \"kid\": \"e\"", NULL, NULL);

	(void)snprintf(keys_text, sizeof(keys_text), "%s", set);
	free(set);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/keys", fan_http_port(plain));
	issuers[0] = (struct fan_t8_issuer){ .profile = FAN_T8_OAUTH,
					     .issuer = "https://issuer.test",
					     .audience = "https://t8.test",
					     .keys_url = url,
					     .keys_rule = &rule };
	options.issuer_count = 1;
	options.refetch_s = refetch_s;
	options.refresh_s = refresh_s;
	open_authority();
}

static unsigned later; /* requests that were told to come again */

static void
ask_until_known(void)
{
	struct asking *before = &askings[asked - 1];

	later += before->status == 503;
	if (before->status == 200 || asked == REQUESTS_MAX - 1)
		fan_face_stop(face);
	else
		ask("/3gpp-nidd/as1", make_token("{\"alg\": \"ES256\", \"kid\": \"new\"}", CLAIMS, other_ec))->then =
			ask_until_known;
}

static unsigned ticks;

static void
tick(void *user)
{
	(void)user;
	if (++ticks == 1)
		(void)ask("/3gpp-nidd/as1", make_token(HEADER, CLAIMS, ec));
	if (ticks == 2) {
		char *set = write_set(other_ec, ", \"kid\": \"new\"", NULL, NULL);

		(void)snprintf(keys_text, sizeof(keys_text), "%s", set);
		free(set);
	}
	if (ticks == 12) /* more than the least time between two fetches has passed */
		ask("/3gpp-nidd/as1", make_token("{\"alg\": \"ES256\", \"kid\": \"new\"}", CLAIMS, other_ec))->then =
			ask_until_known;
}

/* The issuer has a new key: who comes with it is told to come again, and then it is known. */
Test(north_authority, keys_at_a_url_are_fetched_again_for_a_new_one)
{
	open_url(1, 0);
	fan_face_every(face, 100, tick, NULL);
	until = REQUESTS_MAX;
	run();
	assert_found(&askings[0], 200, "as1");
	assert_found(&askings[asked - 1], 200, "as1");
	cr_assert_geq(later, 1);
	cr_assert_eq(keys_asked, 2);
}

static void
flood(void *user)
{
	(void)user;
	if (++ticks != 3)
		return;
	for (unsigned i = 0; i < 40; i++)
		(void)ask("/3gpp-nidd/as1", make_token("{\"alg\": \"ES256\", \"kid\": \"never\"}", CLAIMS, other_ec));
	(void)ask("/3gpp-nidd/as1", make_token(HEADER, CLAIMS, ec));
	until = 41;
}

/* Whoever makes names up does not make us ask for each. */
Test(north_authority, unknown_keys_are_not_fetched_for_often)
{
	open_url(3600, 0);
	fan_face_every(face, 100, flood, NULL);
	until = REQUESTS_MAX;
	run();
	for (unsigned i = 0; i < 40; i++)
		assert_found(&askings[i], 401, "TOKEN_KEY");
	assert_found(&askings[40], 200, "as1");
	cr_assert_eq(keys_asked, 1);
}

static void
fail_fetches(void *user)
{
	(void)user;
	ticks++;
	if (ticks == 3)
		keys_status = 500;
	if (ticks == 14)
		(void)ask("/3gpp-nidd/as1", make_token(HEADER, CLAIMS, ec));
	if (ticks == 16)
		(void)snprintf(keys_text, sizeof(keys_text), "{\"keys\": []}");
	if (ticks == 16)
		keys_status = 200;
	if (ticks == 27)
		(void)ask("/3gpp-nidd/as1", make_token(HEADER, CLAIMS, ec));
	if (ticks == 29)
		(void)ask("/3gpp-nidd/as1", make_token(HEADER, CLAIMS, ec));
	until = 3;
}

/* They are old after a second, and what comes then is a failure, and then a set without keys. */
Test(north_authority, keys_stay_when_they_cannot_be_fetched)
{
	open_url(1, 1);
	until = REQUESTS_MAX;
	fan_face_every(face, 100, fail_fetches, NULL);
	run();
	for (unsigned i = 0; i < 3; i++)
		assert_found(&askings[i], 200, "as1");
	cr_assert_geq(keys_asked, 3);
}

/* The fetch that is under way outlives it. */
Test(north_authority, an_authority_may_be_closed_while_it_fetches)
{
	open_url(1, 1);
	fan_t8_authority_close(authority);
	open_oauth();
	(void)ask("/3gpp-nidd/as1", make_token(HEADER, CLAIMS, ec));
	run();
	assert_found(&askings[0], 200, "as1");
}

/* ---- Settings ------------------------------------------------------------------------------------------------------------------ */

#define LONG_KID                                                                                                               \
	"0123456789012345678901234567890123456789012345678901234567890123"                                                     \
	"0123456789012345678901234567890123456789012345678901234567890123"

static void
assert_keys_refused(char *set, const char *why)
{
	write_keys(set);
	issuers[0] = (struct fan_t8_issuer){ .profile = FAN_T8_CAPIF, .keys_file = keys_file };
	options.issuer_count = 1;
	cr_assert_eq(fan_t8_authority_open(&authority, face, fetcher, &options), FAN_E_INVALID, "%s", set);
	cr_assert_not_null(strstr(fan_error_detail(), why), "%s: %s", set, fan_error_detail());
	cr_assert_null(authority);
	free(set);
}

Test(north_authority, keys_that_are_no_good_are_refused)
{
	char *many, *at;

	assert_keys_refused(write_set(short_rsa, "", p384, ""), "has no key for RS256");
	assert_keys_refused(write_set(ec, ", \"use\": \"enc\"", rsa, ", \"alg\": \"RS512\""), "has no key for RS256");
	assert_keys_refused(strdup("{\"keys\": [{\"kty\": \"oct\", \"k\": \"AAAA\"}, 7, null, {\"kty\": \"RSA\"}]}"),
			    "has no key");
	assert_keys_refused(strdup("{\"keys\": [{\"kty\": \"EC\", \"crv\": \"P-256\", \"x\": \"AA\", \"y\": \"AA\"}]}"),
			    "has no key");
	/* As long as they should be, and not on the curve. */
	assert_keys_refused(strdup("{\"keys\": [{\"kty\": \"EC\", \"crv\": \"P-256\", \"x\": "
				   "\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\", \"y\": "
				   "\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\"}]}"),
			    "has no key");
	assert_keys_refused(write_set(ec, ", \"kid\": 1", rsa, ", \"kid\": \"" LONG_KID "\""), "has no key");
	assert_keys_refused(strdup("{\"keys\": {}}"), "takes an object with an array");
	assert_keys_refused(strdup("[]"), "takes an object with an array");
	assert_keys_refused(strdup("{\"keys\": [], \"keys\": []}"), "line 1");
	assert_keys_refused(strdup(""), "line 1");
	many = malloc(FAN_T8_KEYS_BYTES_MAX + 2);
	cr_assert_not_null(many);
	at = many + sprintf(many, "{\"keys\": [");
	for (unsigned i = 0; i < FAN_T8_KEYS_MAX + 1; i++)
		at += sprintf(at, "%s{}", i > 0 ? ", " : "");
	(void)sprintf(at, "]}");
	assert_keys_refused(many, "up to 32 keys");
	many = malloc(FAN_T8_KEYS_BYTES_MAX + 2);
	memset(many, ' ', FAN_T8_KEYS_BYTES_MAX + 1);
	many[FAN_T8_KEYS_BYTES_MAX + 1] = '\0';
	assert_keys_refused(many, "more than 65536 octets");
	issuers[0].keys_file = "/nonexistent";
	cr_assert_eq(fan_t8_authority_open(&authority, face, fetcher, &options), FAN_E_INVALID);
}

static void
assert_settings_refused(const struct fan_t8_identity *some, size_t count, const char *why)
{
	const struct fan_t8_authority_options own = { .identities = some, .identity_count = count };

	cr_assert_eq(fan_t8_authority_open(&authority, face, fetcher, &own), FAN_E_INVALID, "%s", why);
	cr_assert_not_null(strstr(fan_error_detail(), why), "%s: %s", why, fan_error_detail());
}

Test(north_authority, senders_are_told_apart)
{
	static const char *const bad[][2] = { { "abc", NULL },    { "san:dns:", NULL }, { "san:ip:1", NULL },
					      { "CN=as1", NULL }, { ":", NULL },        { "", NULL } };
	static const char *const long_one[] = { "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff0", NULL };
	static const char *const one[] = {
		"00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff", NULL
	};
	static const char *const same[] = { "san:dns:as.test",
					    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", NULL };
	const struct fan_t8_identity twice[] = { { .name = "a" }, { .name = "a" } };
	const struct fan_t8_identity subjects[] = { { .name = "a", .subject = "s" }, { .name = "b", .subject = "s" } };
	const struct fan_t8_identity certificates[] = { { .name = "a", .certificates = one },
							{ .name = "b", .certificates = same } };
	struct fan_t8_identity wrong = { .name = "a" };

	for (unsigned i = 0; i < 6; i++) {
		wrong.certificates = bad[i];
		assert_settings_refused(&wrong, 1, "takes 64 hexadecimal digits");
	}
	wrong.certificates = long_one;
	assert_settings_refused(&wrong, 1, "takes 64 hexadecimal digits");
	assert_settings_refused(twice, 2, "sender a: is there twice");
	assert_settings_refused(subjects, 2, "senders a and b: have one subject");
	assert_settings_refused(certificates, 2, "senders a and b: have one certificate");
}

Test(north_authority, issuers_are_checked)
{
	static const char *const hosts[] = { "issuer.test", NULL };
	const struct fan_fetch_rule rule = { .hosts = hosts };
	const struct fan_t8_issuer wrong[] = {
		{ .profile = FAN_T8_OAUTH, .issuer = "i", .keys_file = keys_file },
		{ .profile = FAN_T8_OAUTH, .audience = "a", .keys_file = keys_file },
		{ .profile = FAN_T8_CAPIF },
		{ .profile = FAN_T8_CAPIF, .keys_file = keys_file, .keys_url = "https://issuer.test/", .keys_rule = &rule },
		{ .profile = FAN_T8_CAPIF, .keys_url = "https://issuer.test/" },
		{ .profile = FAN_T8_CAPIF, .keys_url = "https://other.test/", .keys_rule = &rule },
		{ .profile = FAN_T8_CAPIF, .keys_url = "http://issuer.test/", .keys_rule = &rule },
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const struct fan_t8_authority_options own = { .issuers = &wrong[i], .issuer_count = 1 };

		cr_assert_eq(fan_t8_authority_open(&authority, face, fetcher, &own), FAN_E_INVALID, "%u", i);
		cr_assert_not_null(strstr(fan_error_detail(), "issuer "), "%u: %s", i, fan_error_detail());
	}
}

/* ---- Certificates -------------------------------------------------------------------------------------------------------------- */

static char fingerprint[65], other_fingerprint[65], self_fingerprint[65];
static const char *const first_pins[] = { fingerprint, "san:uri:urn:as:1", self_fingerprint, NULL };
static const char *const second_pins[] = { "san:dns:AS2.test", other_fingerprint, NULL };
static const struct fan_t8_identity pinned[] = { { .name = "as1", .certificates = first_pins, .subject = "client-1" },
						 { .name = "as2", .certificates = second_pins, .subject = "client-2" } };

/* In a file, until the request has been sent: libcurl reads it when it connects. */
static void
ask_with(const struct fan_test_certificate *certificate, const char *path, char *authorization)
{
	static char files[REQUESTS_MAX][2][64];
	char name[16];

	(void)snprintf(name, sizeof(name), "c%u", asked);
	name_file(files[asked][0], name);
	(void)snprintf(name, sizeof(name), "k%u", asked);
	name_file(files[asked][1], name);
	fan_test_certificate_write(certificate, files[asked][0], files[asked][1]);
	(void)ask_by(path, authorization, files[asked][0], files[asked][1]);
}

static void
remove_certificates(void)
{
	char path[64], name[16];

	for (unsigned i = 0; i < asked; i++) {
		(void)snprintf(name, sizeof(name), "c%u", i);
		name_file(path, name);
		(void)unlink(path);
		name[0] = 'k';
		name_file(path, name);
		(void)unlink(path);
	}
}

static void
append_to_trust(const struct fan_test_certificate *certificate)
{
	FILE *stream = fopen(ca_file, "ae");

	cr_assert_not_null(stream);
	cr_assert_eq(PEM_write_X509(stream, certificate->x509), 1);
	cr_assert_eq(fclose(stream), 0);
}

Test(north_authority, certificates_say_who_it_is)
{
	static const struct made {
		struct fan_test_certificate_order order;
		int by; /* 0: the CA; 1: another one; 2: itself; 3: the first certificate, which is no CA */
		const char *path;
		unsigned status;
		const char *text;
	} made[] = {
		{ { .name = "one", .purpose = "clientAuth" }, 0, "/3gpp-nidd/as1", 200, "as1" },
		{ { .name = "by URI", .others = "URI:urn:as:1" }, 0, "/3gpp-nidd/as1", 200, "as1" },
		{ { .name = "by name", .others = "IP:10.0.0.1,DNS:other.test,DNS:as2.TEST" }, 0, "/3gpp-nidd/as2", 200, "as2" },
		{ { .name = "itself, which is trusted" }, 2, "/3gpp-nidd/as1", 200, "as1" },
		{ { .name = "another's path", .others = "URI:urn:as:1" }, 0, "/3gpp-nidd/as2", 403, "SCS_AS_ID" },
		{ { .name = "two names", .others = "URI:urn:as:1,DNS:as2.test" }, 0, "/3gpp-nidd/as1", 403, "SENDER_UNKNOWN" },
		{ { .name = "as1", .others = "DNS:urn:as:1" }, 0, "/3gpp-nidd/as1", 403, "SENDER_UNKNOWN" },
		{ { .name = "as2", .others = "URI:as2.test" }, 0, "/3gpp-nidd/as2", 403, "SENDER_UNKNOWN" },
		{ { .name = "below", .others = "DNS:x.as2.test" }, 0, "/3gpp-nidd/as2", 403, "SENDER_UNKNOWN" },
		{ { .name = "all below", .others = "DNS:*.test" }, 0, "/3gpp-nidd/as2", 403, "SENDER_UNKNOWN" },
		{ { .name = "unknown" }, 0, "/3gpp-nidd/as1", 403, "SENDER_UNKNOWN" },
		{ { .name = "expired", .others = "URI:urn:as:1", .from_s = -7200, .to_s = -60 },
		  0,
		  "/3gpp-nidd/as1",
		  401,
		  "CERTIFICATE_EXPIRED" },
		{ { .name = "to come", .others = "URI:urn:as:1", .from_s = 3600, .to_s = 7200 },
		  0,
		  "/3gpp-nidd/as1",
		  401,
		  "CERTIFICATE_NOT_YET_VALID" },
		{ { .name = "server", .others = "URI:urn:as:1", .purpose = "serverAuth" },
		  0,
		  "/3gpp-nidd/as1",
		  401,
		  "CERTIFICATE_INVALID" },
		{ { .name = "of another CA", .others = "URI:urn:as:1" }, 1, "/3gpp-nidd/as1", 401, "CERTIFICATE_INVALID" },
		{ { .name = "itself", .others = "URI:urn:as:1" }, 2, "/3gpp-nidd/as1", 401, "CERTIFICATE_INVALID" },
		{ { .name = "of one that may not sign", .others = "URI:urn:as:1" },
		  3,
		  "/3gpp-nidd/as1",
		  401,
		  "CERTIFICATE_INVALID" },
		{ { .name = "with a fingerprint, and of another CA" }, 1, "/3gpp-nidd/as2", 401, "CERTIFICATE_INVALID" },
	};
	const unsigned count = sizeof(made) / sizeof(made[0]);
	struct fan_test_certificate own[sizeof(made) / sizeof(made[0])];

	for (unsigned i = 0; i < count; i++) {
		const struct fan_test_certificate *by[] = { &ca, &other_ca, NULL, &own[0] };

		own[i] = fan_test_certificate_new(&made[i].order, by[made[i].by]);
	}
	fan_test_certificate_fingerprint(fingerprint, &own[0]);
	fan_test_certificate_fingerprint(self_fingerprint, &own[3]);
	fan_test_certificate_fingerprint(other_fingerprint, &own[count - 1]);
	append_to_trust(&own[3]);
	tls = open_server(true);
	options.identities = pinned;
	options.identity_count = 2;
	open_authority();
	for (unsigned i = 0; i < count; i++)
		ask_with(&own[i], made[i].path, NULL);
	(void)ask("/3gpp-nidd/as1", NULL);
	run();
	remove_certificates();
	for (unsigned i = 0; i < count; i++) {
		cr_assert(askings[i].status == made[i].status && strcmp(askings[i].text, made[i].text) == 0, "%s: %u %s",
			  made[i].order.name, askings[i].status, askings[i].text);
		fan_test_certificate_free(&own[i]);
	}
	assert_found(&askings[count], 401, "NO_IDENTITY");
}

Test(north_authority, certificate_and_token_are_of_one_sender)
{
	static const struct fan_test_certificate_order order = { .name = "one", .others = "URI:urn:as:1" }, late = {
		.name = "late", .others = "URI:urn:as:1", .from_s = -7200, .to_s = -60
	};
	static const char claims[] =
		"{\"iss\": \"https://issuer.test\", \"aud\": \"https://t8.test\", \"sub\": \"client-2\", \"exp\": "
		"1900000600}";
	struct fan_test_certificate own = fan_test_certificate_new(&order, &ca), old = fan_test_certificate_new(&late, &ca);

	memset(fingerprint, '1', 64);
	memset(other_fingerprint, '2', 64);
	memset(self_fingerprint, '3', 64);
	options.identities = pinned;
	options.identity_count = 2;
	open_oauth();
	tls = open_server(true);
	ask_with(&own, "/3gpp-nidd/as1", make_token(HEADER, CLAIMS, ec));
	ask_with(&own, "/3gpp-nidd/as1", make_token(HEADER, claims, ec));
	ask_with(&own, "/3gpp-nidd/as2", make_token(HEADER, claims, ec));
	ask_with(&own, "/3gpp-nidd/as1", make_token(HEADER, CLAIMS, other_ec));
	ask_with(&old, "/3gpp-nidd/as1", make_token(HEADER, CLAIMS, ec));
	(void)ask("/3gpp-nidd/as1", make_token(HEADER, CLAIMS, ec));
	run();
	remove_certificates();
	assert_found(&askings[0], 200, "as1");
	assert_found(&askings[1], 403, "SENDERS_DIFFER");
	assert_found(&askings[2], 403, "SENDERS_DIFFER");
	assert_found(&askings[3], 401, "TOKEN_SIGNATURE");
	assert_found(&askings[4], 401, "CERTIFICATE_EXPIRED");
	assert_found(&askings[5], 200, "as1");
	fan_test_certificate_free(&own);
	fan_test_certificate_free(&old);
}
