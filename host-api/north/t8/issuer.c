/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "issuer.h"
#include "../../control/log.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <string.h>
#include <sys/stat.h>

#define KEYS_FETCH_MS 10000

/* While keys are fetched, the fetcher has it too. */
struct fan_t8_source {
	struct fan_face *face;
	struct fan_fetcher *fetcher;
	const struct fan_t8_issuer *issuer; /* NULL: it has been closed, and the fetch that is under way frees it */
	int64_t refetch_ms, refresh_ms;
	struct fan_t8_keys set;
	bool loaded, fetching, complained;
	struct timespec changed; /* of the file */
	off_t bytes;
	ino_t inode;
	int64_t loaded_ms, fetched_ms;
};

/* ---- Keys ---------------------------------------------------------------------------------------------------------------------- */

static void
clear_keys(struct fan_t8_keys *set)
{
	for (unsigned i = 0; i < set->count; i++)
		r_jwk_free(set->at[i].jwk);
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
add_key(struct fan_t8_keys *set, const json_t *from)
{
	struct fan_t8_key *key = &set->at[set->count];
	json_t *pared = pare_key(from, &key->algorithm);
	const char *kid = json_object_get(from, "kid") != NULL ? text_of(from, "kid") : "";

	key->jwk = NULL;
	if (pared == NULL || kid == NULL || strlen(kid) >= FAN_T8_KID_BYTES || r_jwk_init(&key->jwk) != RHN_OK ||
	    r_jwk_import_from_json_t(key->jwk, pared) != RHN_OK || !is_usable(key->jwk, key->algorithm)) {
		r_jwk_free(key->jwk);
	} else {
		memcpy(key->kid, kid, strlen(kid) + 1);
		set->count++;
	}
	json_decref(pared);
}

/* What is there stays unless all is well. */
static int
load_keys(struct fan_t8_source *source, const char *text, size_t byte_count, const char *from)
{
	json_error_t where;
	json_t *root = json_loadb(text, byte_count, JSON_REJECT_DUPLICATES, &where), *keys = json_object_get(root, "keys");
	struct fan_t8_keys set = { .count = 0 };
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

static const char *
name_of(const struct fan_t8_source *source)
{
	return source->issuer->issuer != NULL ? source->issuer->issuer : "CAPIF";
}

static void
complain(struct fan_t8_source *source, const char *what)
{
	if (!source->complained)
		fan_log(FAN_LOG_ISSUER_FAILED, NULL, "keys of %s: %s; %s", name_of(source), what,
			source->loaded ? "those that are there stay" : "there are none, and its tokens are refused");
	source->complained = true;
}

static void
be_content(struct fan_t8_source *source)
{
	if (source->complained)
		fan_log(FAN_LOG_ISSUER_BACK, NULL, "keys of %s: they are there", name_of(source));
	source->complained = false;
}

/* ---- Keys in a file ------------------------------------------------------------------------------------------------------------ */

static int
read_keys(struct fan_t8_source *source)
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
look_at_file(struct fan_t8_source *source)
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
	be_content(source);
	source->changed = now.st_mtim;
	source->bytes = now.st_size;
	source->inode = now.st_ino;
}

/* ---- Keys at a URL ------------------------------------------------------------------------------------------------------------- */

static void
free_source(struct fan_t8_source *source)
{
	clear_keys(&source->set);
	free(source);
}

static void
take_keys(void *user, const struct fan_fetch_answer *answer)
{
	struct fan_t8_source *source = user;
	char why[128];

	source->fetching = false;
	if (source->issuer == NULL) {
		free_source(source);
		return;
	}
	if (answer->status == 200 && !answer->cut) {
		if (load_keys(source, answer->body, answer->body_bytes, "the answer") == 0)
			be_content(source);
		else
			complain(source, fan_error_detail());
		return;
	}
	(void)snprintf(why, sizeof(why), "the answer is %u%s", answer->status, answer->cut ? ", and too long" : "");
	complain(source, answer->status == 0 ? answer->why : why);
}

/* Begins it, unless one is under way or was just begun. */
static void
fetch_keys(struct fan_t8_source *source)
{
	const struct fan_t8_issuer *issuer = source->issuer;
	const int64_t now_ms = fan_face_now_ms(source->face);
	const struct fan_fetch_request request = {
		.owner = "(keys)", /* no scsAsId has brackets, and so nobody shares its lanes */
		.method = "GET",
		.url = issuer->keys_url,
		.rule = issuer->keys_rule,
		.ca_file = issuer->ca_file,
		.time_limit_ms = KEYS_FETCH_MS,
		.answer_bytes_max = FAN_T8_KEYS_BYTES_MAX
	};

	if (source->fetching || (source->fetched_ms != 0 && now_ms - source->fetched_ms < source->refetch_ms))
		return;
	source->fetching = true;
	source->fetched_ms = now_ms;
	fan_fetch(source->fetcher, &request, take_keys, source);
}

bool
fan_t8_source_fetch(struct fan_t8_source *source)
{
	if (source->issuer->keys_url != NULL)
		fetch_keys(source);
	return source->fetching;
}

const struct fan_t8_keys *
fan_t8_source_keys(struct fan_t8_source *source)
{
	if (source->issuer->keys_file != NULL)
		look_at_file(source);
	else if (!source->loaded || fan_face_now_ms(source->face) - source->loaded_ms >= source->refresh_ms)
		fetch_keys(source);
	return &source->set;
}

const struct fan_t8_issuer *
fan_t8_source_issuer(const struct fan_t8_source *source)
{
	return source->issuer;
}

/* ---- Its life ------------------------------------------------------------------------------------------------------------------ */

static int
check_issuer(const struct fan_t8_issuer *issuer, bool has_fetcher)
{
	const char *name = issuer->issuer != NULL ? issuer->issuer : "CAPIF";
	char why[FAN_ERROR_BYTES];

	if (issuer->profile == FAN_T8_OAUTH && (issuer->issuer == NULL || issuer->audience == NULL))
		return fan_fail(FAN_E_INVALID, "issuer %.64s: OAuth needs an issuer and an audience", name);
	if ((issuer->keys_file == NULL) == (issuer->keys_url == NULL))
		return fan_fail(FAN_E_INVALID, "issuer %.64s: takes a file of keys or a URL of keys", name);
	if (issuer->keys_file != NULL)
		return 0;
	if (!has_fetcher || issuer->keys_rule == NULL)
		return fan_fail(FAN_E_INVALID, "issuer %.64s: a URL of keys needs a rule", name);
	if (fan_fetch_check(issuer->keys_url, issuer->keys_rule) == 0)
		return 0;
	(void)snprintf(why, sizeof(why), "%s", fan_error_detail());
	return fan_fail(FAN_E_INVALID, "issuer %.64s: keys: %.400s", name, why);
}

int
fan_t8_source_open(struct fan_t8_source **out, struct fan_face *face, struct fan_fetcher *fetcher,
		   const struct fan_t8_issuer *issuer, unsigned refetch_s, unsigned refresh_s)
{
	struct fan_t8_source *source;
	int error = check_issuer(issuer, fetcher != NULL);

	*out = NULL;
	if (error != 0)
		return error;
	source = calloc(1, sizeof(*source));
	if (source == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for keys");
	source->face = face;
	source->fetcher = fetcher;
	source->issuer = issuer;
	source->refetch_ms = 1000 * (int64_t)(refetch_s > 0 ? refetch_s : FAN_T8_REFETCH_S);
	source->refresh_ms = 1000 * (int64_t)(refresh_s > 0 ? refresh_s : FAN_T8_REFRESH_S);
	if (issuer->keys_file != NULL)
		error = read_keys(source);
	else
		fetch_keys(source);
	if (error != 0) {
		free_source(source);
		return error;
	}
	*out = source;
	return 0;
}

void
fan_t8_source_close(struct fan_t8_source *source)
{
	if (source == NULL)
		return;
	source->issuer = NULL;
	if (!source->fetching)
		free_source(source);
}
