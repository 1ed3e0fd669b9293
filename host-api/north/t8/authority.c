/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "authority.h"

#include <ctype.h>
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <rhonabwy.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#define FINGERPRINT_BYTES 32
#define SAN_BYTES 512
#define SANS_MAX 64
#define KEYS_FETCH_MS 10000
#define LATER_S 1

enum pin_kind {
	PIN_FINGERPRINT,
	PIN_DNS,
	PIN_URI,
};

/* What a certificate has when it is of that identity. */
struct pin {
	const struct fan_t8_identity *identity;
	enum pin_kind kind;
	uint8_t fingerprint[FINGERPRINT_BYTES];
	const char *name;
};

struct key {
	char *kid; /* owned; NULL: it has none */
	jwa_alg algorithm;
	jwk_t *jwk; /* owned */
};

struct key_set {
	struct key keys[FAN_T8_KEYS_MAX];
	unsigned count;
};

/* An issuer's keys. While they are fetched, the fetcher has it too. */
struct source {
	struct fan_face *face;
	const struct fan_t8_issuer *issuer; /* NULL: the authority has been closed, and the fetch that is under way frees it */
	struct key_set set;
	bool loaded, fetching;
	struct timespec changed; /* of the file */
	off_t bytes;
	ino_t inode;
	bool complained;
	int64_t loaded_ms, fetched_ms;
};

struct fan_t8_authority {
	struct fan_face *face;
	struct fan_fetcher *fetcher;
	struct fan_t8_authority_options options;
	struct pin *pins; /* owned */
	size_t pin_count;
	struct source *sources[FAN_T8_ISSUERS_MAX]; /* owned */
	size_t source_count;
};

/* ---- Verdicts ------------------------------------------------------------------------------------------------------------------ */

static void
challenge(struct fan_t8_verdict *verdict, const char *error)
{
	if (error == NULL)
		(void)snprintf(verdict->challenge, sizeof(verdict->challenge), "Bearer realm=\"t8\"");
	else
		(void)snprintf(verdict->challenge, sizeof(verdict->challenge),
			       "Bearer realm=\"t8\", error=\"%s\", error_description=\"%s\"", error, verdict->why);
}

static bool
deny(struct fan_t8_verdict *verdict, enum fan_t8_finding finding, const char *cause, const char *why)
{
	static const unsigned statuses[] = { 0, 401, 401, 403, 503 };

	*verdict = (struct fan_t8_verdict){ .finding = finding, .status = statuses[finding], .cause = cause, .why = why };
	if (finding == FAN_T8_NOBODY)
		challenge(verdict, NULL);
	else if (finding == FAN_T8_FORGED)
		challenge(verdict, "invalid_token");
	else if (finding == FAN_T8_FOREIGN)
		challenge(verdict, "insufficient_scope");
	else
		verdict->retry_after_s = LATER_S;
	return false;
}

static bool
forged(struct fan_t8_verdict *verdict, const char *cause, const char *why)
{
	return deny(verdict, FAN_T8_FORGED, cause, why);
}

/* ---- Certificates -------------------------------------------------------------------------------------------------------------- */

static bool
parse_fingerprint(uint8_t octets[FINGERPRINT_BYTES], const char *text)
{
	static const char digits[] = "0123456789abcdef";
	unsigned count = 0;

	memset(octets, 0, FINGERPRINT_BYTES);
	for (; *text != '\0'; text++) {
		const char *digit = strchr(digits, tolower((unsigned char)*text));

		if (*text == ':' && count > 0 && count % 2 == 0)
			continue;
		if (digit == NULL || count >= 2 * FINGERPRINT_BYTES)
			return false;
		octets[count / 2] = (uint8_t)(octets[count / 2] << 4 | (digit - digits));
		count++;
	}
	return count == 2 * FINGERPRINT_BYTES;
}

static int
parse_pin(struct pin *pin, const struct fan_t8_identity *identity, const char *text)
{
	*pin = (struct pin){ .identity = identity, .kind = PIN_FINGERPRINT };
	if (strncmp(text, "san:dns:", 8) == 0 || strncmp(text, "san:uri:", 8) == 0) {
		pin->kind = text[4] == 'd' ? PIN_DNS : PIN_URI;
		pin->name = text + 8;
		if (pin->name[0] != '\0' && strlen(pin->name) < SAN_BYTES)
			return 0;
	} else if (parse_fingerprint(pin->fingerprint, text)) {
		return 0;
	}
	return fan_fail(FAN_E_INVALID,
			"sender %.64s: certificate %.80s: takes 64 hexadecimal digits (SHA-256), san:dns:NAME or san:uri:URI",
			identity->name, text);
}

static bool
is_same_pin(const struct pin *one, const struct pin *other)
{
	if (one->kind != other->kind)
		return false;
	if (one->kind == PIN_FINGERPRINT)
		return memcmp(one->fingerprint, other->fingerprint, FINGERPRINT_BYTES) == 0;
	return one->kind == PIN_DNS ? strcasecmp(one->name, other->name) == 0 : strcmp(one->name, other->name) == 0;
}

/* Out: *found, which stays what it is if no identity is meant. False: two are. */
static bool
find_pin(const struct fan_t8_authority *authority, const struct fan_t8_identity **found, const struct pin *shown)
{
	for (size_t i = 0; i < authority->pin_count; i++) {
		if (!is_same_pin(&authority->pins[i], shown))
			continue;
		if (*found != NULL && *found != authority->pins[i].identity)
			return false;
		*found = authority->pins[i].identity;
	}
	return true;
}

static bool
find_names(const struct fan_t8_authority *authority, const struct fan_t8_identity **found, gnutls_x509_crt_t certificate)
{
	for (unsigned i = 0; i < SANS_MAX; i++) {
		char name[SAN_BYTES];
		size_t bytes = sizeof(name) - 1;
		unsigned type = 0;
		const int result = gnutls_x509_crt_get_subject_alt_name2(certificate, i, name, &bytes, &type, NULL);
		struct pin shown = { .kind = result == GNUTLS_SAN_DNSNAME ? PIN_DNS : PIN_URI, .name = name };

		if (result == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return true;
		if (result != GNUTLS_SAN_DNSNAME && result != GNUTLS_SAN_URI)
			continue;
		name[bytes] = '\0';
		if (strlen(name) == bytes && !find_pin(authority, found, &shown))
			return false;
	}
	return true;
}

static bool
find_certificate(const struct fan_t8_authority *authority, const struct fan_t8_identity **found, const gnutls_datum_t *octets)
{
	struct pin shown = { .kind = PIN_FINGERPRINT };
	size_t bytes = sizeof(shown.fingerprint);
	gnutls_x509_crt_t certificate;
	bool is_one = false;

	*found = NULL;
	if (gnutls_x509_crt_init(&certificate) != 0)
		return false;
	if (gnutls_x509_crt_import(certificate, octets, GNUTLS_X509_FMT_DER) == 0 &&
	    gnutls_fingerprint(GNUTLS_DIG_SHA256, octets, shown.fingerprint, &bytes) == 0)
		is_one = find_pin(authority, found, &shown) && find_names(authority, found, certificate);
	gnutls_x509_crt_deinit(certificate);
	return is_one;
}

static bool
verify_certificate(struct fan_t8_verdict *verdict, gnutls_session_t session)
{
	static char client[] = GNUTLS_KP_TLS_WWW_CLIENT;
	gnutls_typed_vdata_st purpose = { .type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)client };
	unsigned status = 0;

	if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) < 0)
		return forged(verdict, "CERTIFICATE_INVALID", "the certificate cannot be verified");
	if ((status & GNUTLS_CERT_SIGNER_NOT_FOUND) != 0)
		return forged(verdict, "CERTIFICATE_INVALID",
			      "the certificate is not signed by an authority that is trusted here");
	if ((status & GNUTLS_CERT_EXPIRED) != 0)
		return forged(verdict, "CERTIFICATE_EXPIRED", "the certificate has expired");
	if ((status & GNUTLS_CERT_NOT_ACTIVATED) != 0)
		return forged(verdict, "CERTIFICATE_NOT_YET_VALID", "the certificate is not valid yet");
	if ((status & GNUTLS_CERT_PURPOSE_MISMATCH) != 0)
		return forged(verdict, "CERTIFICATE_INVALID", "the certificate is not for TLS clients");
	return status == 0 ? true : forged(verdict, "CERTIFICATE_INVALID", "the certificate is not valid");
}

/* Out: *found, NULL: none is shown. False: the verdict is final. */
static bool
judge_certificate(const struct fan_t8_authority *authority, struct fan_t8_verdict *verdict,
		  const struct fan_t8_identity **found, gnutls_session_t session)
{
	unsigned count = 0;
	const gnutls_datum_t *chain = session != NULL ? gnutls_certificate_get_peers(session, &count) : NULL;

	*found = NULL;
	if (chain == NULL || count == 0)
		return true;
	if (!verify_certificate(verdict, session))
		return false;
	if (!find_certificate(authority, found, &chain[0]))
		return deny(verdict, FAN_T8_FOREIGN, "SENDER_UNKNOWN", "the certificate is of more than one sender");
	return *found != NULL ? true : deny(verdict, FAN_T8_FOREIGN, "SENDER_UNKNOWN", "the certificate is of no sender here");
}

/* ---- Keys ---------------------------------------------------------------------------------------------------------------------- */

static void
clear_keys(struct key_set *set)
{
	for (unsigned i = 0; i < set->count; i++) {
		free(set->keys[i].kid);
		r_jwk_free(set->keys[i].jwk);
	}
	set->count = 0;
}

static const char *
text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static bool
is_absent_or(const json_t *object, const char *name, const char *value)
{
	const json_t *member = json_object_get(object, name);

	return member == NULL || (json_is_string(member) && strcmp(json_string_value(member), value) == 0);
}

/* Of a key, what verifying needs and nothing else: no address of a certificate, no private part. */
static json_t *
pare_key(const json_t *key, jwa_alg *algorithm)
{
	const char *type = text_of(key, "kty");

	if (type == NULL || !is_absent_or(key, "use", "sig"))
		return NULL;
	if (strcmp(type, "RSA") == 0 && is_absent_or(key, "alg", "RS256")) {
		*algorithm = R_JWA_ALG_RS256;
		return json_pack("{s:s, s:s, s:s}", "kty", "RSA", "n", text_of(key, "n"), "e", text_of(key, "e"));
	}
	if (strcmp(type, "EC") == 0 && is_absent_or(key, "alg", "ES256") && json_object_get(key, "crv") != NULL &&
	    is_absent_or(key, "crv", "P-256")) {
		*algorithm = R_JWA_ALG_ES256;
		return json_pack("{s:s, s:s, s:s, s:s}", "kty", "EC", "crv", "P-256", "x", text_of(key, "x"), "y",
				 text_of(key, "y"));
	}
	return NULL;
}

/* GnuTLS has to be able to verify with it: rhonabwy looks at names and lengths alone. */
static bool
is_usable(jwk_t *jwk, jwa_alg algorithm)
{
	gnutls_pubkey_t key = r_jwk_export_to_gnutls_pubkey(jwk, R_FLAG_IGNORE_REMOTE);
	unsigned bits = 0;
	int kind;
	bool is;

	if (key == NULL)
		return false;
	kind = gnutls_pubkey_get_pk_algorithm(key, &bits);
	if (algorithm == R_JWA_ALG_ES256)
		is = kind == GNUTLS_PK_ECDSA && bits == 256;
	else
		is = kind == GNUTLS_PK_RSA && bits >= FAN_T8_RSA_BITS_MIN && bits <= FAN_T8_RSA_BITS_MAX;
	is = is && gnutls_pubkey_verify_params(key) == 0;
	gnutls_pubkey_deinit(key);
	return is;
}

/* Keys of other kinds are passed over. */
static void
add_key(struct key_set *set, const json_t *from)
{
	struct key *key = &set->keys[set->count];
	json_t *pared = pare_key(from, &key->algorithm);
	const char *kid = text_of(from, "kid");

	key->jwk = NULL;
	if (pared == NULL || r_jwk_init(&key->jwk) != RHN_OK || r_jwk_import_from_json_t(key->jwk, pared) != RHN_OK ||
	    !is_usable(key->jwk, key->algorithm)) {
		r_jwk_free(key->jwk);
	} else {
		key->kid = kid != NULL ? strdup(kid) : NULL;
		FAN_REQUIRE((kid == NULL) == (key->kid == NULL));
		set->count++;
	}
	json_decref(pared);
}

/* What is there stays unless all is well. */
static int
load_keys(struct source *source, const char *text, size_t byte_count, const char *from)
{
	json_error_t where;
	json_t *root = json_loadb(text, byte_count, JSON_REJECT_DUPLICATES, &where), *keys = json_object_get(root, "keys");
	struct key_set set = { .count = 0 };
	int error = 0;

	if (root == NULL)
		error = fan_fail(FAN_E_INVALID, "%s: line %d: %.100s", from, where.line, where.text);
	else if (!json_is_array(keys) || json_array_size(keys) > FAN_T8_KEYS_MAX)
		error = fan_fail(FAN_E_INVALID, "%s: takes an object with an array \"keys\" of up to %d keys", from,
				 FAN_T8_KEYS_MAX);
	for (size_t i = 0; error == 0 && i < json_array_size(keys); i++)
		add_key(&set, json_array_get(keys, i));
	json_decref(root);
	if (error == 0 && set.count == 0)
		error = fan_fail(FAN_E_INVALID, "%s: has no key for RS256 (RSA of %d to %d bits) or ES256 (P-256)", from,
				 FAN_T8_RSA_BITS_MIN, FAN_T8_RSA_BITS_MAX);
	if (error != 0) {
		clear_keys(&set);
		return error;
	}
	clear_keys(&source->set);
	source->set = set;
	source->loaded = true;
	source->loaded_ms = fan_face_now_ms(source->face);
	return 0;
}

static void
complain(struct source *source, const char *what)
{
	if (!source->complained)
		fan_face_log(source->face, "keys of %s: %s; %s",
			     source->issuer->issuer != NULL ? source->issuer->issuer : "CAPIF", what,
			     source->loaded ? "those that are there stay" : "there are none, and its tokens are refused");
	source->complained = true;
}

/* ---- Keys in a file ------------------------------------------------------------------------------------------------------------ */

static int
read_keys(struct source *source)
{
	const char *file = source->issuer->keys_file;
	FILE *stream = fopen(file, "re");
	char *text = malloc(FAN_T8_KEYS_BYTES_MAX + 1);
	size_t bytes;
	int error;

	if (stream == NULL || text == NULL) {
		error = fan_fail(FAN_E_INVALID, "%s: %s", file, strerror(errno));
	} else {
		bytes = fread(text, 1, FAN_T8_KEYS_BYTES_MAX + 1, stream);
		error = bytes > FAN_T8_KEYS_BYTES_MAX
				? fan_fail(FAN_E_INVALID, "%s: has more than %d octets", file, FAN_T8_KEYS_BYTES_MAX)
				: load_keys(source, text, bytes, file);
	}
	if (stream != NULL)
		(void)fclose(stream);
	free(text);
	return error;
}

/* A file that is being written is read until it is whole. */
static void
look_at_file(struct source *source)
{
	struct stat now;

	if (stat(source->issuer->keys_file, &now) != 0) {
		complain(source, strerror(errno));
		return;
	}
	if (now.st_mtim.tv_sec == source->changed.tv_sec && now.st_mtim.tv_nsec == source->changed.tv_nsec &&
	    now.st_size == source->bytes && now.st_ino == source->inode)
		return;
	if (read_keys(source) != 0) {
		complain(source, fan_error_detail());
		return;
	}
	source->complained = false;
	source->changed = now.st_mtim;
	source->bytes = now.st_size;
	source->inode = now.st_ino;
}

/* ---- Keys at a URL ------------------------------------------------------------------------------------------------------------- */

static void
free_source(struct source *source)
{
	clear_keys(&source->set);
	free(source);
}

static void
take_keys(void *user, const struct fan_fetch_answer *answer)
{
	struct source *source = user;
	char why[128];

	source->fetching = false;
	if (source->issuer == NULL) {
		free_source(source);
		return;
	}
	if (answer->status == 200 && !answer->cut) {
		if (load_keys(source, answer->body, answer->body_bytes, "the answer") == 0)
			source->complained = false;
		else
			complain(source, fan_error_detail());
		return;
	}
	(void)snprintf(why, sizeof(why), "the answer is %u%s", answer->status, answer->cut ? ", and too long" : "");
	complain(source, answer->status == 0 ? answer->why : why);
}

/* Begins it, unless one is under way or was just begun. */
static void
fetch_keys(const struct fan_t8_authority *authority, struct source *source)
{
	const struct fan_t8_issuer *issuer = source->issuer;
	const int64_t now_ms = fan_face_now_ms(authority->face);
	const unsigned refetch_s = authority->options.refetch_s > 0 ? authority->options.refetch_s : FAN_T8_REFETCH_S;
	const struct fan_fetch_request request = {
		.owner = "(keys)", /* no scsAsId has brackets, and so nobody shares its lanes */
		.method = "GET",
		.url = issuer->keys_url,
		.rule = issuer->keys_rule,
		.ca_file = issuer->ca_file,
		.time_limit_ms = KEYS_FETCH_MS,
		.answer_bytes_max = FAN_T8_KEYS_BYTES_MAX
	};

	if (source->fetching || (source->fetched_ms != 0 && now_ms - source->fetched_ms < (int64_t)refetch_s * 1000))
		return;
	source->fetching = true;
	source->fetched_ms = now_ms;
	fan_fetch(authority->fetcher, &request, take_keys, source);
}

static void
refresh_keys(const struct fan_t8_authority *authority, struct source *source)
{
	const unsigned refresh_s = authority->options.refresh_s > 0 ? authority->options.refresh_s : FAN_T8_REFRESH_S;

	if (source->issuer->keys_file != NULL)
		look_at_file(source);
	else if (!source->loaded || fan_face_now_ms(authority->face) - source->loaded_ms >= (int64_t)refresh_s * 1000)
		fetch_keys(authority, source);
}

/* ---- Tokens: signature --------------------------------------------------------------------------------------------------------- */

struct token {
	const char *text;
	size_t bytes;
	jwa_alg algorithm;
	json_t *header, *claims; /* owned */
	const char *kid;         /* NULL: it has none */
};

/* JSON of base64url without padding; NULL: it is not. */
static json_t *
decode(const char *text, size_t byte_count)
{
	gnutls_datum_t encoded, decoded = { NULL, 0 };
	char *standard = malloc(byte_count + 4);
	json_t *object = NULL;

	if (standard == NULL || byte_count % 4 == 1) {
		free(standard);
		return NULL;
	}
	for (size_t i = 0; i < byte_count; i++)
		standard[i] = (char)(text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
	memset(standard + byte_count, '=', 3);
	encoded = (gnutls_datum_t){ (unsigned char *)standard, (unsigned)((byte_count + 3) / 4 * 4) };
	if (gnutls_base64_decode2(&encoded, &decoded) == 0)
		object = json_loadb((const char *)decoded.data, decoded.size, JSON_REJECT_DUPLICATES, NULL);
	gnutls_free(decoded.data);
	free(standard);
	if (json_is_object(object))
		return object;
	json_decref(object);
	return NULL;
}

/* Three parts of base64url. Out: where the second and the third begin. */
static bool
split(const struct token *token, size_t *second, size_t *third)
{
	const char *dot = memchr(token->text, '.', token->bytes);
	const char *other;

	if (strspn(token->text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") != token->bytes ||
	    dot == NULL)
		return false;
	other = strchr(dot + 1, '.');
	if (other == NULL || strchr(other + 1, '.') != NULL || dot == token->text || other == dot + 1 || other[1] == '\0')
		return false;
	*second = (size_t)(dot + 1 - token->text);
	*third = (size_t)(other + 1 - token->text);
	return true;
}

static bool
is_type_known(const json_t *header)
{
	static const char *const types[] = { "JWT", "at+jwt", "application/at+jwt", "application/jwt" };
	const json_t *type = json_object_get(header, "typ");

	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]) && json_is_string(type); i++)
		if (strcasecmp(json_string_value(type), types[i]) == 0)
			return true;
	return type == NULL;
}

static bool
take_algorithm(struct token *token, struct fan_t8_verdict *verdict)
{
	const char *algorithm = text_of(token->header, "alg");

	if (algorithm != NULL && strcmp(algorithm, "RS256") == 0)
		token->algorithm = R_JWA_ALG_RS256;
	else if (algorithm != NULL && strcmp(algorithm, "ES256") == 0)
		token->algorithm = R_JWA_ALG_ES256;
	else
		return forged(verdict, "TOKEN_ALGORITHM", "the token's algorithm is neither RS256 nor ES256");
	return true;
}

static bool
take_header(struct token *token, struct fan_t8_verdict *verdict)
{
	static const char *const refused[] = { "crit", "jwk", "jku", "x5c", "x5u", "b64", "zip" };
	const json_t *kid;

	if (token->header == NULL)
		return forged(verdict, "TOKEN_MALFORMED", "the token's header is no JSON object, or has a name twice");
	if (!take_algorithm(token, verdict))
		return false;
	for (unsigned i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (json_object_get(token->header, refused[i]) != NULL)
			return forged(verdict, "TOKEN_HEADER",
				      "the token's header has one of crit, jwk, jku, x5c, x5u, b64, zip, which are not taken");
	kid = json_object_get(token->header, "kid");
	if (!is_type_known(token->header) || (kid != NULL && !json_is_string(kid)))
		return forged(verdict, "TOKEN_HEADER", "the token's header has a typ or kid that is not taken");
	token->kid = json_string_value(kid);
	return true;
}

/* A token without a kid is for a set with one key of its algorithm. */
static bool
is_key_meant(const struct key_set *set, const struct key *key, const struct token *token)
{
	unsigned count = 0;

	if (key->algorithm != token->algorithm)
		return false;
	if (token->kid != NULL)
		return key->kid != NULL && strcmp(key->kid, token->kid) == 0;
	for (unsigned i = 0; i < set->count; i++)
		count += set->keys[i].algorithm == token->algorithm;
	return count == 1;
}

/* The algorithm is ours, and rhonabwy has to see it so. */
static bool
verify_by(const struct token *token, jwk_t *jwk)
{
	jws_t *jws = NULL;
	bool is_valid = false;

	if (r_jws_init(&jws) != RHN_OK)
		return false;
	if (r_jws_advanced_compact_parsen(jws, token->text, token->bytes, R_PARSE_NONE, R_FLAG_IGNORE_REMOTE) == RHN_OK)
		is_valid = r_jws_get_alg(jws) == token->algorithm &&
			   r_jws_verify_signature(jws, jwk, R_FLAG_IGNORE_REMOTE) == RHN_OK;
	r_jws_free(jws);
	return is_valid;
}

/* Out: *meant, whether it has a key for it, valid or not. */
static bool
verify_by_set(const struct key_set *set, const struct token *token, bool *meant)
{
	for (unsigned i = 0; i < set->count; i++) {
		if (!is_key_meant(set, &set->keys[i], token))
			continue;
		*meant = true;
		if (verify_by(token, set->keys[i].jwk))
			return true;
	}
	return false;
}

/* The issuer whose key has signed it; NULL: the verdict is final. */
static const struct fan_t8_issuer *
verify_signature(const struct fan_t8_authority *authority, struct fan_t8_verdict *verdict, const struct token *token)
{
	bool meant = false, fetching = false;

	for (size_t i = 0; i < authority->source_count; i++) {
		struct source *source = authority->sources[i];

		refresh_keys(authority, source);
		if (verify_by_set(&source->set, token, &meant))
			return source->issuer;
	}
	if (meant) {
		(void)forged(verdict, "TOKEN_SIGNATURE", "the token's signature is not of the key that it names");
		return NULL;
	}
	for (size_t i = 0; i < authority->source_count; i++) {
		if (authority->sources[i]->issuer->keys_url != NULL)
			fetch_keys(authority, authority->sources[i]);
		fetching = fetching || authority->sources[i]->fetching;
	}
	if (fetching)
		(void)deny(verdict, FAN_T8_LATER, "KEYS_ARE_FETCHED",
			   "the keys that tokens are verified with are being fetched");
	else
		(void)forged(verdict, "TOKEN_KEY", "the token names no key of an issuer that is trusted here");
	return NULL;
}

/* ---- Tokens: claims ------------------------------------------------------------------------------------------------------------ */

static int64_t
now_s(const struct fan_t8_authority *authority)
{
	return authority->options.now_s != NULL ? authority->options.now_s() : (int64_t)time(NULL);
}

static bool
check_times(const struct fan_t8_authority *authority, struct fan_t8_verdict *verdict, const json_t *claims)
{
	const json_t *ends = json_object_get(claims, "exp"), *begins = json_object_get(claims, "nbf");
	const double at_s = (double)now_s(authority), skew_s = authority->options.skew_s;

	if (!json_is_number(ends) || (begins != NULL && !json_is_number(begins)))
		return forged(verdict, "TOKEN_CLAIMS", "the token has no exp, or an exp or nbf that is no number");
	if (at_s >= json_number_value(ends) + skew_s)
		return forged(verdict, "TOKEN_EXPIRED", "the token has expired");
	if (begins != NULL && at_s < json_number_value(begins) - skew_s)
		return forged(verdict, "TOKEN_NOT_YET_VALID", "the token is not valid yet");
	return true;
}

static bool
has_audience(const json_t *claims, const char *audience)
{
	const json_t *aud = json_object_get(claims, "aud");
	bool has = json_is_string(aud) && audience != NULL && strcmp(json_string_value(aud), audience) == 0;

	for (size_t i = 0; audience != NULL && !has && i < json_array_size(aud); i++)
		has = json_is_string(json_array_get(aud, i)) &&
		      strcmp(json_string_value(json_array_get(aud, i)), audience) == 0;
	return has;
}

static bool
check_issuer(struct fan_t8_verdict *verdict, const json_t *claims, const struct fan_t8_issuer *issuer)
{
	const char *iss = text_of(claims, "iss");
	const bool for_anybody = issuer->profile == FAN_T8_CAPIF && json_object_get(claims, "aud") == NULL;

	if (iss == NULL || (issuer->issuer != NULL && strcmp(iss, issuer->issuer) != 0))
		return forged(verdict, "TOKEN_ISSUER", "the token's iss is not the issuer whose key has signed it");
	return for_anybody || has_audience(claims, issuer->audience)
		       ? true
		       : forged(verdict, "TOKEN_AUDIENCE", "the token's aud does not name this service");
}

/* Whether a list of words, with a separator between each two, has that word. */
static bool
has_word(const char *list, size_t list_bytes, char separator, const char *word)
{
	const size_t word_bytes = strlen(word);

	while (list_bytes > 0) {
		const char *end = memchr(list, separator, list_bytes);
		const size_t bytes = end != NULL ? (size_t)(end - list) : list_bytes;

		if (bytes == word_bytes && memcmp(list, word, bytes) == 0)
			return true;
		list += end != NULL ? bytes + 1 : bytes;
		list_bytes -= end != NULL ? bytes + 1 : bytes;
	}
	return false;
}

/* "3gpp#aefId:apiName,apiName;aefId:apiName" */
static bool
has_capif_scope(const char *scope, const char *aef, const char *api)
{
	if (strncmp(scope, "3gpp#", 5) != 0)
		return false;
	for (scope += 5; *scope != '\0'; scope += strspn(scope, ";")) {
		const size_t bytes = strcspn(scope, ";");
		const char *colon = memchr(scope, ':', bytes);
		const size_t aef_bytes = colon != NULL ? (size_t)(colon - scope) : 0;

		if (colon != NULL && (aef == NULL || (aef_bytes == strlen(aef) && memcmp(scope, aef, aef_bytes) == 0)) &&
		    has_word(colon + 1, bytes - aef_bytes - 1, ',', api))
			return true;
		scope += bytes;
	}
	return false;
}

static bool
check_scope(struct fan_t8_verdict *verdict, const json_t *claims, const struct fan_t8_issuer *issuer, const char *api)
{
	const char *scope = text_of(claims, "scope");
	bool has;

	if (issuer->profile == FAN_T8_CAPIF)
		has = scope != NULL && has_capif_scope(scope, issuer->aef, api);
	else
		has = !issuer->scope_required || (scope != NULL && has_word(scope, strlen(scope), ' ', api));
	return has ? true : deny(verdict, FAN_T8_FOREIGN, "TOKEN_SCOPE", "the token's scope does not have this API");
}

static const struct fan_t8_identity *
find_subject(const struct fan_t8_authority *authority, const json_t *claims, const struct fan_t8_issuer *issuer)
{
	const char *name = json_object_get(claims, "client_id") != NULL ? "client_id" : "sub";
	const char *subject = text_of(claims, issuer->issuer != NULL ? name : "iss");

	for (size_t i = 0; i < authority->options.identity_count && subject != NULL; i++) {
		const struct fan_t8_identity *identity = &authority->options.identities[i];

		if (identity->subject != NULL && strcmp(identity->subject, subject) == 0)
			return identity;
	}
	return NULL;
}

static bool
judge_claims(const struct fan_t8_authority *authority, struct fan_t8_verdict *verdict, const struct fan_t8_identity **found,
	     const json_t *claims, const struct fan_t8_issuer *issuer, const char *api)
{
	if (claims == NULL)
		return forged(verdict, "TOKEN_MALFORMED", "the token's claims are no JSON object, or have a name twice");
	if (!check_issuer(verdict, claims, issuer) || !check_times(authority, verdict, claims) ||
	    !check_scope(verdict, claims, issuer, api))
		return false;
	*found = find_subject(authority, claims, issuer);
	return *found != NULL ? true : deny(verdict, FAN_T8_FOREIGN, "SENDER_UNKNOWN", "the token is of no sender here");
}

static bool
judge_parts(const struct fan_t8_authority *authority, struct fan_t8_verdict *verdict, const struct fan_t8_identity **found,
	    struct token *token, const char *api)
{
	const struct fan_t8_issuer *issuer;
	size_t second, third;

	if (!split(token, &second, &third))
		return forged(verdict, "TOKEN_MALFORMED", "the token is no JSON Web Signature in three parts");
	token->header = decode(token->text, second - 1);
	if (!take_header(token, verdict))
		return false;
	issuer = verify_signature(authority, verdict, token);
	if (issuer == NULL)
		return false;
	token->claims = decode(token->text + second, third - 1 - second);
	return judge_claims(authority, verdict, found, token->claims, issuer, api);
}

/* Out: *found, NULL: there is no token. False: the verdict is final. */
static bool
judge_token(const struct fan_t8_authority *authority, struct fan_t8_verdict *verdict, const struct fan_t8_identity **found,
	    const char *credentials, const char *api)
{
	struct token token = { .text = credentials };
	bool goes_on;

	*found = NULL;
	if (credentials == NULL)
		return true;
	if (strncasecmp(credentials, "Bearer ", 7) != 0)
		return deny(verdict, FAN_T8_NOBODY, "AUTHORIZATION_UNKNOWN", "Authorization takes Bearer and a token");
	token.text += 7 + strspn(credentials + 7, " ");
	token.bytes = strlen(token.text);
	if (token.bytes > FAN_T8_TOKEN_BYTES_MAX)
		return forged(verdict, "TOKEN_TOO_LONG", "the token has more than 8192 octets");
	goes_on = judge_parts(authority, verdict, found, &token, api);
	json_decref(token.header);
	json_decref(token.claims);
	return goes_on;
}

/* ---- Requests ------------------------------------------------------------------------------------------------------------------ */

void
fan_t8_authorise(struct fan_t8_authority *authority, struct fan_t8_verdict *verdict, const struct fan_http_request *request,
		 const char *api, const char *scs_as_id)
{
	const struct fan_t8_identity *of_certificate, *of_token, *sender;

	(void)deny(verdict, FAN_T8_NOBODY, "NO_IDENTITY", "the request has neither a client's certificate nor a token");
	if (!judge_certificate(authority, verdict, &of_certificate, fan_http_session(request)) ||
	    !judge_token(authority, verdict, &of_token, fan_http_header(request, "Authorization"), api))
		return;
	sender = of_certificate != NULL ? of_certificate : of_token;
	if (sender == NULL)
		return;
	if (of_certificate != NULL && of_token != NULL && of_certificate != of_token)
		(void)deny(verdict, FAN_T8_FOREIGN, "SENDERS_DIFFER", "certificate and token are of different senders");
	else if (scs_as_id != NULL && strcmp(scs_as_id, sender->name) != 0)
		(void)deny(verdict, FAN_T8_FOREIGN, "SCS_AS_ID", "the path's scsAsId is not the sender's");
	else
		*verdict = (struct fan_t8_verdict){ .finding = FAN_T8_MAY, .sender = sender, .cause = "", .why = "" };
}

/* ---- Its life ------------------------------------------------------------------------------------------------------------------ */

static int
check_identities(const struct fan_t8_authority_options *options)
{
	for (size_t i = 0; i < options->identity_count; i++)
		for (size_t k = 0; k < i; k++) {
			const struct fan_t8_identity *one = &options->identities[k], *other = &options->identities[i];

			if (strcmp(one->name, other->name) == 0)
				return fan_fail(FAN_E_INVALID, "sender %.64s: is there twice", one->name);
			if (one->subject != NULL && other->subject != NULL && strcmp(one->subject, other->subject) == 0)
				return fan_fail(FAN_E_INVALID, "senders %.64s and %.64s: have one subject", one->name,
						other->name);
		}
	return 0;
}

static int
add_pin(struct fan_t8_authority *authority, const struct fan_t8_identity *identity, const char *text)
{
	struct pin *pin = &authority->pins[authority->pin_count];
	const struct fan_t8_identity *found = NULL;

	if (parse_pin(pin, identity, text) != 0)
		return FAN_E_INVALID;
	(void)find_pin(authority, &found, pin);
	if (found != NULL && found != identity)
		return fan_fail(FAN_E_INVALID, "senders %.64s and %.64s: have one certificate: %.80s", found->name,
				identity->name, text);
	authority->pin_count++;
	return 0;
}

static int
open_identities(struct fan_t8_authority *authority)
{
	const struct fan_t8_authority_options *options = &authority->options;
	int error = check_identities(options);
	size_t count = 1;

	for (size_t i = 0; i < options->identity_count; i++)
		for (const char *const *text = options->identities[i].certificates; text != NULL && *text != NULL; text++)
			count++;
	authority->pins = calloc(count, sizeof(*authority->pins));
	if (authority->pins == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for %zu certificates", count);
	for (size_t i = 0; i < options->identity_count && error == 0; i++)
		for (const char *const *text = options->identities[i].certificates; error == 0 && text != NULL && *text != NULL;
		     text++)
			error = add_pin(authority, &options->identities[i], *text);
	return error;
}

static int
check_source(const struct fan_t8_authority *authority, const struct fan_t8_issuer *issuer)
{
	const char *name = issuer->issuer != NULL ? issuer->issuer : "CAPIF";
	char why[FAN_ERROR_BYTES];

	if (issuer->profile == FAN_T8_OAUTH && (issuer->issuer == NULL || issuer->audience == NULL))
		return fan_fail(FAN_E_INVALID, "issuer %.64s: OAuth needs an issuer and an audience", name);
	if ((issuer->keys_file == NULL) == (issuer->keys_url == NULL))
		return fan_fail(FAN_E_INVALID, "issuer %.64s: takes a file of keys or a URL of keys", name);
	if (issuer->keys_file != NULL)
		return 0;
	if (authority->fetcher == NULL || issuer->keys_rule == NULL)
		return fan_fail(FAN_E_INVALID, "issuer %.64s: a URL of keys needs a rule", name);
	if (fan_fetch_check(issuer->keys_url, issuer->keys_rule) == 0)
		return 0;
	(void)snprintf(why, sizeof(why), "%s", fan_error_detail());
	return fan_fail(FAN_E_INVALID, "issuer %.64s: keys: %.400s", name, why);
}

static int
open_source(struct fan_t8_authority *authority, const struct fan_t8_issuer *issuer)
{
	struct source *source;

	if (authority->source_count >= FAN_T8_ISSUERS_MAX)
		return fan_fail(FAN_E_INVALID, "there are more than %d issuers", FAN_T8_ISSUERS_MAX);
	if (check_source(authority, issuer) != 0)
		return FAN_E_INVALID;
	source = calloc(1, sizeof(*source));
	if (source == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for keys");
	source->face = authority->face;
	source->issuer = issuer;
	authority->sources[authority->source_count++] = source;
	if (issuer->keys_file != NULL)
		return read_keys(source);
	fetch_keys(authority, source);
	return 0;
}

int
fan_t8_authority_open(struct fan_t8_authority **out, struct fan_face *face, struct fan_fetcher *fetcher,
		      const struct fan_t8_authority_options *options)
{
	struct fan_t8_authority *authority = calloc(1, sizeof(*authority));
	int error;

	*out = NULL;
	if (authority == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for senders");
	(void)r_global_init();
	authority->face = face;
	authority->fetcher = fetcher;
	authority->options = *options;
	error = open_identities(authority);
	for (size_t i = 0; i < options->issuer_count && error == 0; i++)
		error = open_source(authority, &options->issuers[i]);
	if (error != 0) {
		fan_t8_authority_close(authority);
		return error;
	}
	*out = authority;
	return 0;
}

void
fan_t8_authority_close(struct fan_t8_authority *authority)
{
	if (authority == NULL)
		return;
	for (size_t i = 0; i < authority->source_count; i++) {
		authority->sources[i]->issuer = NULL;
		if (!authority->sources[i]->fetching)
			free_source(authority->sources[i]);
	}
	free(authority->pins);
	free(authority);
	r_global_close();
}
