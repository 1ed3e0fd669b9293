/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "authority.h"

#include "issuer.h"

#include <ctype.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define FINGERPRINT_BYTES 32
#define SAN_BYTES 512
#define SANS_MAX 64
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

struct fan_t8_authority {
	struct fan_t8_authority_options options;
	struct pin *pins; /* owned */
	size_t pin_count;
	struct fan_t8_source *sources[FAN_T8_ISSUERS_MAX]; /* owned */
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

/* ---- Tokens: signature --------------------------------------------------------------------------------------------------------- */

struct token {
	const char *text;
	size_t bytes;
	jwa_alg algorithm;
	json_t *header, *claims; /* owned */
	const char *kid;         /* NULL: it has none */
};

static const char *
text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

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
is_key_meant(const struct fan_t8_keys *set, const struct fan_t8_key *key, const struct token *token)
{
	unsigned count = 0;

	if (key->algorithm != token->algorithm)
		return false;
	if (token->kid != NULL)
		return token->kid[0] != '\0' && strcmp(key->kid, token->kid) == 0;
	for (unsigned i = 0; i < set->count; i++)
		count += set->at[i].algorithm == token->algorithm;
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
verify_by_set(const struct fan_t8_keys *set, const struct token *token, bool *meant)
{
	for (unsigned i = 0; i < set->count; i++) {
		if (!is_key_meant(set, &set->at[i], token))
			continue;
		*meant = true;
		if (verify_by(token, set->at[i].jwk))
			return true;
	}
	return false;
}

/* The issuer whose key has signed it; NULL: the verdict is final. */
static const struct fan_t8_issuer *
verify_signature(const struct fan_t8_authority *authority, struct fan_t8_verdict *verdict, const struct token *token)
{
	bool meant = false, fetching = false;

	for (size_t i = 0; i < authority->source_count; i++)
		if (verify_by_set(fan_t8_source_keys(authority->sources[i]), token, &meant))
			return fan_t8_source_issuer(authority->sources[i]);
	if (meant) {
		(void)forged(verdict, "TOKEN_SIGNATURE", "the token's signature is not of the key that it names");
		return NULL;
	}
	for (size_t i = 0; i < authority->source_count; i++)
		fetching = fan_t8_source_fetch(authority->sources[i]) || fetching;
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
	authority->options = *options;
	error = open_identities(authority);
	if (error == 0 && options->issuer_count > FAN_T8_ISSUERS_MAX)
		error = fan_fail(FAN_E_INVALID, "there are more than %d issuers", FAN_T8_ISSUERS_MAX);
	for (size_t i = 0; i < options->issuer_count && error == 0; i++) {
		error = fan_t8_source_open(&authority->sources[i], face, fetcher, &options->issuers[i], options->refetch_s,
					   options->refresh_s);
		authority->source_count += error == 0;
	}
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
	for (size_t i = 0; i < authority->source_count; i++)
		fan_t8_source_close(authority->sources[i]);
	free(authority->pins);
	free(authority);
	r_global_close();
}
