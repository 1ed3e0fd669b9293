/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "group_key.h"

#include "kdf.h"
#include "plmn.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

enum {
	GID_BINARY = 1,
	GID_TEXT = 2,
	LOCAL_BYTES_MAX = 10, /* TS 23.003 19.9 */
	BINARY_BYTES_MIN = 1 + 4 + 3 + 1,
	BINARY_BYTES_MAX = 1 + 4 + 3 + LOCAL_BYTES_MAX,
	ENTRY_VERSION = 1,
	ENTRY_FIXED_BYTES = 14, /* before the keys */
	WRAP_BYTES = 8,         /* more than what is wrapped (RFC 3394 2.2.1) */
};

/* Low half of an entry's first octet. */
enum {
	FLAG_DELETE = 1,
	FLAG_SIGNED = 2,
	FLAG_SHORT_TAG = 4,
	FLAG_WRAPPED = 8,
};

/* ---- GID -------------------------------------------------------------------------------------------------------------------- */

static int
hex_value(char digit)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *const at = digit == '\0' ? NULL : strchr(digits, digit);

	return at == NULL ? -1 : (int)(at - digits);
}

/* Upper-case hex, as the canonical form has it. Out: out[octet_count]. */
static bool
read_hex(uint8_t *out, const char *hex, size_t octet_count)
{
	for (size_t i = 0; i < octet_count; i++) {
		const int high = hex_value(hex[2 * i]), low = high < 0 ? -1 : hex_value(hex[2 * i + 1]);

		if (low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* MCC-MNC- into three octets. Returns how many characters it took, 0 when it is not that. */
static size_t
read_plmn(uint8_t plmn[3], const char *text)
{
	const size_t characters = fan_plmn_read(plmn, text);

	return characters > 0 && text[characters] == '-' ? characters + 1 : 0;
}

/* SSSSSSSS-MCC-MNC-LL.. */
static bool
write_binary(struct fan_group_gid *out, const char *gid)
{
	size_t plmn_characters, local_bytes;
	const char *local;

	out->octets[0] = GID_BINARY;
	if (!read_hex(out->octets + 1, gid, 4) || gid[8] != '-')
		return false;
	plmn_characters = read_plmn(out->octets + 5, gid + 9);
	if (plmn_characters == 0)
		return false;
	local = gid + 9 + plmn_characters;
	local_bytes = strlen(local) / 2;
	if (local_bytes < 1 || local_bytes > LOCAL_BYTES_MAX || strlen(local) % 2 != 0 ||
	    !read_hex(out->octets + 8, local, local_bytes))
		return false;
	out->octet_count = (uint8_t)(8 + local_bytes);
	return true;
}

static bool
is_text(const uint8_t *octets, size_t octet_count)
{
	for (size_t i = 0; i < octet_count; i++)
		if (octets[i] <= ' ' || octets[i] > '~')
			return false;
	return octet_count >= 3 && memchr(octets + 1, '@', octet_count - 2) != NULL;
}

int
fan_group_gid_write(struct fan_group_gid *out, const char *gid)
{
	const size_t characters = strlen(gid);

	memset(out, 0, sizeof(*out));
	if (strchr(gid, '@') == NULL) {
		if (write_binary(out, gid))
			return 0;
		memset(out, 0, sizeof(*out));
		return fan_fail(FAN_E_INVALID, "GID of a group key: SSSSSSSS-MCC-MNC-LL.. or local@domain, in canonical form");
	}
	if (characters > FAN_GROUP_GID_OCTETS_MAX - 1)
		return fan_fail(FAN_E_INVALID, "GID of a group key has %zu characters: %d at most, its length is one octet",
				characters, FAN_GROUP_GID_OCTETS_MAX - 1);
	if (!is_text((const uint8_t *)gid, characters))
		return fan_fail(FAN_E_INVALID, "GID of a group key: local@domain in printable characters");
	out->octets[0] = GID_TEXT;
	memcpy(out->octets + 1, gid, characters);
	out->octet_count = (uint8_t)(1 + characters);
	return 0;
}

static bool
is_plmn(const uint8_t plmn[3])
{
	const unsigned digits[] = { plmn[0] & 0xfU, plmn[0] >> 4, plmn[1] & 0xfU, plmn[2] & 0xfU, plmn[2] >> 4 };

	for (unsigned i = 0; i < sizeof(digits) / sizeof(*digits); i++)
		if (digits[i] > 9)
			return false;
	return plmn[1] >> 4 <= 9 || plmn[1] >> 4 == 0xf;
}

static bool
gid_is_valid(const struct fan_group_gid *gid)
{
	if (gid->octet_count == 0)
		return false;
	if (gid->octets[0] == GID_TEXT)
		return is_text(gid->octets + 1, gid->octet_count - 1U);
	return gid->octets[0] == GID_BINARY && gid->octet_count >= BINARY_BYTES_MIN && gid->octet_count <= BINARY_BYTES_MAX &&
	       is_plmn(gid->octets + 5);
}

int
fan_group_gid_read(char text[FAN_GROUP_GID_OCTETS_MAX + 1], const struct fan_group_gid *gid)
{
	const uint8_t *const octets = gid->octets;
	char plmn[FAN_PLMN_TEXT_BYTES];
	int at;

	text[0] = '\0';
	if (!gid_is_valid(gid))
		return fan_fail(FAN_E_INVALID, "GID of a group key: %u octets that are none", gid->octet_count);
	if (octets[0] == GID_TEXT) {
		memcpy(text, octets + 1, gid->octet_count - 1U);
		text[gid->octet_count - 1U] = '\0';
		return 0;
	}
	fan_plmn_write(plmn, octets + 5);
	at = sprintf(text, "%02X%02X%02X%02X-%s", octets[1], octets[2], octets[3], octets[4], plmn);
	text[at++] = '-';
	for (unsigned i = 8; i < gid->octet_count; i++)
		at += sprintf(text + at, "%02X", octets[i]);
	return 0;
}

bool
fan_group_gid_equal(const struct fan_group_gid *a, const struct fan_group_gid *b)
{
	return a->octet_count == b->octet_count && memcmp(a->octets, b->octets, a->octet_count) == 0;
}

/* ---- Derivation --------------------------------------------------------------------------------------------------------------- */

/* What a derived key is for; the first octet behind the label. */
enum purpose {
	PURPOSE_SEED = 1,
	PURPOSE_INTEGRITY = 2,
	PURPOSE_CONFIDENTIALITY = 3,
};

/* info = label, purpose, length of the GID, GID, Gki. Out: out[16]. */
static int
expand(uint8_t out[FAN_KEY_BYTES], const void *from, size_t from_bytes, const struct fan_group_key *key, enum purpose purpose)
{
	static const char label[] = "fanfare group key 1";
	uint8_t info[sizeof(label) + 2 + FAN_GROUP_GID_OCTETS_MAX + 1], *at = info;

	memcpy(at, label, sizeof(label) - 1);
	at += sizeof(label) - 1;
	*at++ = (uint8_t)purpose;
	*at++ = key->gid.octet_count;
	memcpy(at, key->gid.octets, key->gid.octet_count);
	at += key->gid.octet_count;
	*at++ = key->gki;
	return fan_hkdf(out, FAN_KEY_BYTES, FAN_HKDF_WHOLE, from, from_bytes, info, (size_t)(at - info));
}

static int
refuse_gid(const struct fan_group_gid *gid)
{
	return gid_is_valid(gid) ? 0 : fan_fail(FAN_E_INVALID, "GID of a group key: %u octets that are none", gid->octet_count);
}

static void
wipe_keys(struct fan_group_key *key)
{
	OPENSSL_cleanse(key->seed, sizeof(key->seed));
	OPENSSL_cleanse(key->k_integ, sizeof(key->k_integ));
	OPENSSL_cleanse(key->k_conf, sizeof(key->k_conf));
	key->has_seed = false;
}

int
fan_group_key_from_seed(struct fan_group_key *key, const uint8_t seed[FAN_GROUP_SEED_BYTES])
{
	int error = refuse_gid(&key->gid);

	if (error == 0)
		error = expand(key->k_integ, seed, FAN_GROUP_SEED_BYTES, key, PURPOSE_INTEGRITY);
	if (error == 0)
		error = expand(key->k_conf, seed, FAN_GROUP_SEED_BYTES, key, PURPOSE_CONFIDENTIALITY);
	if (error != 0) {
		wipe_keys(key);
		return error;
	}
	memmove(key->seed, seed, sizeof(key->seed));
	key->has_seed = true;
	return 0;
}

int
fan_group_key_derive(struct fan_group_key *key, const void *master, size_t master_bytes)
{
	uint8_t seed[FAN_GROUP_SEED_BYTES];
	int error = refuse_gid(&key->gid);

	static_assert(sizeof(seed) == FAN_KEY_BYTES, "one expansion makes either");
	if (error == 0 && master_bytes < FAN_GROUP_MASTER_BYTES_MIN)
		error = fan_fail(FAN_E_INVALID, "master key of %zu octets: %d at least", master_bytes,
				 FAN_GROUP_MASTER_BYTES_MIN);
	if (error == 0)
		error = expand(seed, master, master_bytes, key, PURPOSE_SEED);
	if (error == 0)
		error = fan_group_key_from_seed(key, seed);
	else
		wipe_keys(key);
	OPENSSL_cleanse(seed, sizeof(seed));
	return error;
}

static int
check_algorithms(const struct fan_group_key *key)
{
	if (key->cipher > FAN_ALGORITHM_MAX)
		return fan_fail(FAN_E_INVALID, "cipher %u of a group key: 0 to %d", key->cipher, FAN_ALGORITHM_MAX);
	if (key->integrity == 0 || key->integrity > FAN_ALGORITHM_MAX)
		return fan_fail(FAN_E_INVALID, "integrity %u of a group key: 1 to %d; group messages are always protected",
				key->integrity, FAN_ALGORITHM_MAX);
	if (key->tag_bytes != FAN_GROUP_TAG_BYTES && key->tag_bytes != FAN_MAC_BYTES)
		return fan_fail(FAN_E_INVALID, "tag of %u octets: %d, or %d", key->tag_bytes, FAN_GROUP_TAG_BYTES,
				FAN_MAC_BYTES);
	if (key->tag_bytes == FAN_GROUP_TAG_BYTES && key->integrity != 2)
		return fan_fail(FAN_E_INVALID,
				"128-EIA%u yields 32 bits and hides 32: a tag of 64 bits is of 128-EIA2 alone; take that, or "
				"tag_bytes %d",
				key->integrity, FAN_MAC_BYTES);
	return 0;
}

int
fan_group_key_check(const struct fan_group_key *key)
{
	int error = refuse_gid(&key->gid);

	if (error == 0)
		error = check_algorithms(key);
	if (error != 0)
		return error;
	if (key->duration_min == 0)
		return fan_fail(FAN_E_INVALID, "duration of a group key: 1 to %u minutes", UINT16_MAX);
	if (key->start_s < 0 || key->start_s > FAN_GROUP_START_MAX)
		return fan_fail(FAN_E_INVALID, "start of a group key: 0 to 2^40 - 1 seconds");
	if (key->cipher != 0 && CRYPTO_memcmp(key->k_conf, key->k_integ, FAN_KEY_BYTES) == 0)
		return fan_fail(FAN_E_INVALID, "Gk_conf and Gk_integ are one key: they must differ");
	return 0;
}

bool
fan_group_key_is_valid(const struct fan_group_key *key, int64_t now_s)
{
	return now_s >= key->start_s && now_s < key->start_s + 60 * (int64_t)key->duration_min;
}

void
fan_group_key_wipe(struct fan_group_key *key)
{
	OPENSSL_cleanse(key, sizeof(*key));
}

/* ---- Which key is in use -------------------------------------------------------------------------------------------------------- */

static bool
was_used(const struct fan_group_keys *keys, uint8_t gki)
{
	return (keys->used[gki >> 3] >> (gki & 7) & 1) != 0;
}

int
fan_group_keys_next_gki(const struct fan_group_keys *keys)
{
	const unsigned first = keys->has_current ? keys->current.gki + 1U : 0;

	for (unsigned i = 0; i < FAN_GROUP_GKI_COUNT; i++) {
		const uint8_t gki = (uint8_t)(first + i);

		if (!was_used(keys, gki))
			return gki;
	}
	return -1;
}

static void
end_current(struct fan_group_keys *keys, int64_t now_s, uint32_t overlap_s)
{
	const int64_t own_end = keys->current.start_s + 60 * (int64_t)keys->current.duration_min;

	keys->previous = keys->current;
	keys->has_previous = true;
	keys->previous_end_s = now_s + overlap_s < own_end ? now_s + overlap_s : own_end;
}

int
fan_group_keys_renew(struct fan_group_keys *keys, const struct fan_group_key *key, int64_t now_s, uint32_t overlap_s)
{
	const int error = fan_group_key_check(key);

	if (error != 0)
		return error;
	if (keys->has_current && !fan_group_gid_equal(&keys->current.gid, &key->gid))
		return fan_fail(FAN_E_INVALID, "the key is of another group");
	if (was_used(keys, key->gki))
		return fan_fail(FAN_E_EXISTS, "Gki %u was in use before: no key is ever used again", key->gki);
	if (keys->has_current)
		end_current(keys, now_s, overlap_s);
	keys->current = *key;
	keys->has_current = true;
	keys->count_unsealed = key->first_count;
	keys->used[key->gki >> 3] |= (uint8_t)(1U << (key->gki & 7));
	fan_group_keys_tidy(keys, now_s);
	return 0;
}

void
fan_group_keys_tidy(struct fan_group_keys *keys, int64_t now_s)
{
	if (keys->has_previous && now_s >= keys->previous_end_s) {
		fan_group_key_wipe(&keys->previous);
		keys->has_previous = false;
	}
}

enum fan_group_key_use
fan_group_keys_use(const struct fan_group_keys *keys, uint8_t gki, int64_t now_s)
{
	if (!was_used(keys, gki))
		return FAN_GROUP_KEY_UNKNOWN;
	if (keys->has_current && keys->current.gki == gki)
		return FAN_GROUP_KEY_CURRENT;
	if (keys->has_previous && keys->previous.gki == gki && now_s < keys->previous_end_s)
		return FAN_GROUP_KEY_PREVIOUS;
	return FAN_GROUP_KEY_OVER;
}

void
fan_group_keys_wipe(struct fan_group_keys *keys)
{
	OPENSSL_cleanse(keys, sizeof(*keys));
}

/* ---- AES key wrap (RFC 3394) ------------------------------------------------------------------------------------------------------ */

/* In: 16 or 32 octets to wrap, or WRAP_BYTES more to unwrap. False: OpenSSL failed, or what was wrapped does not come out. */
static bool
wrap(uint8_t *out, const uint8_t *in, size_t in_bytes, const uint8_t kek[FAN_GROUP_KEK_BYTES], bool wraps)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-128-WRAP", NULL);
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	const size_t out_bytes = wraps ? in_bytes + WRAP_BYTES : in_bytes - WRAP_BYTES;
	int written = 0, end = 0;
	bool good = cipher != NULL && context != NULL;

	if (good)
		EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	good = good && EVP_CipherInit_ex2(context, cipher, kek, NULL, wraps, NULL) == 1 &&
	       EVP_CipherUpdate(context, out, &written, in, (int)in_bytes) == 1 &&
	       EVP_CipherFinal_ex(context, out + written, &end) == 1 && (size_t)written + (size_t)end == out_bytes;
	EVP_CIPHER_CTX_free(context);
	EVP_CIPHER_free(cipher);
	return good;
}

int
fan_group_kek(uint8_t kek[FAN_GROUP_KEK_BYTES], enum fan_kind kind, const uint8_t key[32])
{
	static const uint8_t type = 0xf1, algorithm = 0;
	const struct fan_kdf_parameter parameters[] = { { &type, 1 }, { &algorithm, 1 } };
	uint8_t whole[FAN_KDF_BYTES];
	int error;

	if (!fan_kind_is_nas(kind))
		return fan_fail(FAN_E_INVALID, "a key that wraps group keys is of NAS: kind %d or %d", FAN_KIND_EPS_NAS,
				FAN_KIND_5GS_NAS);
	error = fan_kdf(whole, key, 32, kind == FAN_KIND_EPS_NAS ? 0x15 : 0x69, parameters, 2);
	memcpy(kek, whole + sizeof(whole) - FAN_GROUP_KEK_BYTES, FAN_GROUP_KEK_BYTES);
	explicit_bzero(whole, sizeof(whole));
	return error;
}

/* ---- Entries ------------------------------------------------------------------------------------------------------------------------ */

static uint8_t *
put(uint8_t *at, uint64_t value, unsigned octet_count)
{
	for (unsigned i = octet_count; i > 0; i--)
		*at++ = (uint8_t)(value >> 8 * (i - 1));
	return at;
}

static uint64_t
get(const uint8_t *at, unsigned octet_count)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < octet_count; i++)
		value = value << 8 | at[i];
	return value;
}

/* Gk_integ, and Gk_conf where messages are ciphered. Returns behind them, or NULL when wrapping failed. */
static uint8_t *
put_keys(uint8_t *at, const struct fan_group_key *key, const uint8_t *kek)
{
	const size_t key_bytes = FAN_KEY_BYTES * (key->cipher != 0 ? 2U : 1U);
	uint8_t keys[2 * FAN_KEY_BYTES];
	bool good = true;

	memcpy(keys, key->k_integ, FAN_KEY_BYTES);
	memcpy(keys + FAN_KEY_BYTES, key->k_conf, FAN_KEY_BYTES);
	if (kek == NULL)
		memcpy(at, keys, key_bytes);
	else
		good = wrap(at, keys, key_bytes, kek, true);
	OPENSSL_cleanse(keys, sizeof(keys));
	return good ? at + key_bytes + (kek != NULL ? WRAP_BYTES : 0) : NULL;
}

static uint8_t *
put_gid(uint8_t *at, const struct fan_group_gid *gid)
{
	*at++ = gid->octet_count;
	memcpy(at, gid->octets, gid->octet_count);
	return at + gid->octet_count;
}

static unsigned
flags_of(const struct fan_group_key *key, const uint8_t *kek)
{
	return (key->is_signed ? FLAG_SIGNED : 0U) | (key->tag_bytes == FAN_MAC_BYTES ? FLAG_SHORT_TAG : 0U) |
	       (kek != NULL ? FLAG_WRAPPED : 0U);
}

static int
write_deletion(uint8_t *out, const struct fan_group_key *key)
{
	const int error = refuse_gid(&key->gid);

	if (error != 0)
		return error;
	memset(out, 0, ENTRY_FIXED_BYTES);
	out[0] = ENTRY_VERSION << 4 | FLAG_DELETE;
	out[1] = key->gki;
	return (int)(put_gid(out + ENTRY_FIXED_BYTES, &key->gid) - out);
}

int
fan_group_entry_write(uint8_t out[FAN_GROUP_ENTRY_BYTES_MAX], const struct fan_group_entry *entry, const uint8_t *kek)
{
	const struct fan_group_key *const key = &entry->key;
	uint8_t *at = out;
	int error;

	if (entry->deletes)
		return write_deletion(out, key);
	error = fan_group_key_check(key);
	if (error != 0)
		return error;
	*at++ = (uint8_t)(ENTRY_VERSION << 4 | flags_of(key, kek));
	*at++ = key->gki;
	*at++ = (uint8_t)(key->cipher << 4 | key->integrity);
	at = put(at, key->first_count, 4);
	at = put(at, (uint64_t)key->start_s, 5);
	at = put(at, key->duration_min, 2);
	at = put_keys(at, key, kek);
	if (at == NULL) {
		OPENSSL_cleanse(out, FAN_GROUP_ENTRY_BYTES_MAX);
		return fan_fail(FAN_E_MEMORY, "OpenSSL could not wrap a group key");
	}
	at = put_gid(at, &key->gid);
	if (key->is_signed) {
		memcpy(at, key->verifier, FAN_GROUP_VERIFIER_BYTES);
		at += FAN_GROUP_VERIFIER_BYTES;
	}
	return (int)(at - out);
}

/* What is left to read. */
struct cursor {
	const uint8_t *at;
	size_t left;
};

/* The next octets, or NULL when fewer are left. */
static const uint8_t *
take(struct cursor *cursor, size_t octet_count)
{
	const uint8_t *const taken = cursor->at;

	if (octet_count > cursor->left)
		return NULL;
	cursor->at += octet_count;
	cursor->left -= octet_count;
	return taken;
}

static int
truncated(void)
{
	return fan_fail(FAN_E_INVALID, "a group key entry ends before its last octet");
}

static int
read_gid(struct fan_group_gid *gid, struct cursor *cursor)
{
	const uint8_t *const length = take(cursor, 1), *octets;

	memset(gid, 0, sizeof(*gid));
	if (length == NULL)
		return truncated();
	octets = take(cursor, *length);
	if (octets == NULL)
		return truncated();
	gid->octet_count = *length;
	memcpy(gid->octets, octets, *length);
	return refuse_gid(gid);
}

static int
read_keys(struct fan_group_key *key, struct cursor *cursor, const uint8_t *kek)
{
	const size_t key_bytes = FAN_KEY_BYTES * (key->cipher != 0 ? 2U : 1U);
	const uint8_t *const octets = take(cursor, key_bytes + (kek != NULL ? WRAP_BYTES : 0));
	uint8_t keys[2 * FAN_KEY_BYTES] = { 0 };

	if (octets == NULL)
		return truncated();
	if (kek == NULL)
		memcpy(keys, octets, key_bytes);
	else if (!wrap(keys, octets, key_bytes + WRAP_BYTES, kek, false))
		return fan_fail(FAN_E_INVALID, "the keys of an entry do not unwrap: another UE's, or changed");
	memcpy(key->k_integ, keys, FAN_KEY_BYTES);
	memcpy(key->k_conf, keys + FAN_KEY_BYTES, FAN_KEY_BYTES);
	OPENSSL_cleanse(keys, sizeof(keys));
	return 0;
}

/* The order to forget a key: all that it has no use for is 0. */
static int
read_deletion(struct fan_group_entry *entry, const uint8_t *fixed, struct cursor *cursor)
{
	static const uint8_t nothing[ENTRY_FIXED_BYTES - 2];

	if ((fixed[0] & 0xf) != FLAG_DELETE || memcmp(fixed + 2, nothing, sizeof(nothing)) != 0)
		return fan_fail(FAN_E_INVALID, "an entry that deletes a key has octets that must be 0");
	entry->deletes = true;
	return read_gid(&entry->key.gid, cursor);
}

static int
read_verifier(struct fan_group_key *key, struct cursor *cursor)
{
	const uint8_t *const verifier = key->is_signed ? take(cursor, FAN_GROUP_VERIFIER_BYTES) : NULL;

	if (!key->is_signed)
		return 0;
	if (verifier == NULL)
		return truncated();
	memcpy(key->verifier, verifier, FAN_GROUP_VERIFIER_BYTES);
	return 0;
}

static int
read_entry(struct fan_group_entry *entry, struct cursor *cursor, const uint8_t *kek)
{
	const uint8_t *const fixed = take(cursor, ENTRY_FIXED_BYTES);
	struct fan_group_key *const key = &entry->key;
	int error;

	memset(entry, 0, sizeof(*entry));
	if (fixed == NULL)
		return truncated();
	if (fixed[0] >> 4 != ENTRY_VERSION)
		return fan_fail(FAN_E_INVALID, "version %d of a group key entry: %d", fixed[0] >> 4, ENTRY_VERSION);
	key->gki = fixed[1];
	if ((fixed[0] & FLAG_DELETE) != 0)
		return read_deletion(entry, fixed, cursor);
	if (((fixed[0] & FLAG_WRAPPED) != 0) != (kek != NULL))
		return fan_fail(FAN_E_INVALID, kek != NULL ? "keys that must be wrapped lie open"
							   : "wrapped keys where there is nothing to unwrap them by");
	key->is_signed = (fixed[0] & FLAG_SIGNED) != 0;
	key->tag_bytes = (fixed[0] & FLAG_SHORT_TAG) != 0 ? FAN_MAC_BYTES : FAN_GROUP_TAG_BYTES;
	key->cipher = fixed[2] >> 4;
	key->integrity = fixed[2] & 0xf;
	key->first_count = (uint32_t)get(fixed + 3, 4);
	key->start_s = (int64_t)get(fixed + 7, 5);
	key->duration_min = (uint16_t)get(fixed + 12, 2);
	error = check_algorithms(key);
	if (error == 0)
		error = read_keys(key, cursor, kek);
	if (error == 0)
		error = read_gid(&key->gid, cursor);
	if (error == 0)
		error = read_verifier(key, cursor);
	return error == 0 ? fan_group_key_check(key) : error;
}

int
fan_group_entries_read(struct fan_group_entry *entries, unsigned entry_max, const uint8_t *octets, size_t octet_count,
		       const uint8_t *kek)
{
	struct cursor cursor = { octets, octet_count };
	unsigned count = 0;
	int error = octet_count == 0 ? fan_fail(FAN_E_INVALID, "there is no group key entry") : 0;

	while (error == 0 && cursor.left > 0) {
		if (count == entry_max)
			error = fan_fail(FAN_E_INVALID, "more than %u group key entries, or octets behind the last", entry_max);
		else
			error = read_entry(&entries[count++], &cursor, kek);
	}
	if (error != 0)
		OPENSSL_cleanse(entries, entry_max * sizeof(*entries));
	return error != 0 ? error : (int)count;
}

/* ---- Between nodes ------------------------------------------------------------------------------------------------------------------- */

/* The wrapped keys of an entry; 0: it is no entry with keys. */
static size_t
wrapped_bytes(const uint8_t *octets, size_t octet_count)
{
	size_t key_bytes;

	if (octet_count < ENTRY_FIXED_BYTES || (octets[0] & FLAG_DELETE) != 0)
		return 0;
	key_bytes = FAN_KEY_BYTES * (octets[2] >> 4 != 0 ? 2U : 1U) + WRAP_BYTES;
	return octet_count > ENTRY_FIXED_BYTES + key_bytes ? key_bytes : 0;
}

/* HKDF-SHA-256 of the shared KEK; info = label and the entry without its wrapped keys. */
static int
bind(uint8_t kek[FAN_GROUP_KEK_BYTES], const uint8_t *octets, size_t octet_count,
     const uint8_t shared[FAN_GROUP_SHARED_KEK_BYTES])
{
	static const char label[] = "fanfare group key transport 1";
	const size_t wrapped = wrapped_bytes(octets, octet_count), behind = ENTRY_FIXED_BYTES + wrapped;
	uint8_t info[sizeof(label) + FAN_GROUP_ENTRY_BYTES_MAX], *at = info;

	if (wrapped == 0 || octet_count > FAN_GROUP_ENTRY_BYTES_MAX)
		return fan_fail(FAN_E_INVALID, "no group key entry with wrapped keys");
	memcpy(at, label, sizeof(label) - 1);
	at += sizeof(label) - 1;
	memcpy(at, octets, ENTRY_FIXED_BYTES);
	at += ENTRY_FIXED_BYTES;
	memcpy(at, octets + behind, octet_count - behind);
	at += octet_count - behind;
	return fan_hkdf(kek, FAN_GROUP_KEK_BYTES, FAN_HKDF_WHOLE, shared, FAN_GROUP_SHARED_KEK_BYTES, info,
			(size_t)(at - info));
}

/* The entry is written twice: its other octets, which the KEK hangs on, are the same under any. */
int
fan_group_entry_wrap(uint8_t out[FAN_GROUP_ENTRY_BYTES_MAX], const struct fan_group_key *key,
		     const uint8_t kek[FAN_GROUP_SHARED_KEK_BYTES])
{
	struct fan_group_entry entry = { .key = *key };
	uint8_t bound[FAN_GROUP_KEK_BYTES] = { 0 };
	int octet_count = fan_group_entry_write(out, &entry, bound);

	if (octet_count > 0) {
		const int error = bind(bound, out, (size_t)octet_count, kek);

		octet_count = error != 0 ? error : fan_group_entry_write(out, &entry, bound);
	}
	OPENSSL_cleanse(bound, sizeof(bound));
	OPENSSL_cleanse(&entry, sizeof(entry));
	return octet_count;
}

int
fan_group_entry_unwrap(struct fan_group_key *key, const uint8_t *octets, size_t octet_count,
		       const uint8_t kek[FAN_GROUP_SHARED_KEK_BYTES])
{
	struct fan_group_entry entry = { .deletes = false };
	uint8_t bound[FAN_GROUP_KEK_BYTES];
	int error = bind(bound, octets, octet_count, kek);
	int count = 0;

	if (error == 0)
		count = fan_group_entries_read(&entry, 1, octets, octet_count, bound);
	OPENSSL_cleanse(bound, sizeof(bound));
	*key = entry.key;
	OPENSSL_cleanse(&entry, sizeof(entry));
	if (error == 0 && count != 1)
		error = count < 0 ? count : FAN_E_INVALID;
	if (error != 0)
		fan_group_key_wipe(key);
	return error;
}

int
fan_group_ie_write(uint8_t *out, const uint8_t *entries, size_t octet_count)
{
	if (octet_count < 1 || octet_count > FAN_GROUP_ENTRIES_BYTES_MAX)
		return fan_fail(FAN_E_INVALID, "%zu octets of group key entries: 1 to %d", octet_count,
				FAN_GROUP_ENTRIES_BYTES_MAX);
	memmove(out + 3, entries, octet_count);
	out[0] = 0x7e;
	put(out + 1, octet_count, 2);
	return (int)octet_count + 3;
}

/* ---- Received MBS container (TS 24.501 9.11.4.31) ------------------------------------------------------------------------------------ */

int
fan_group_session_read(struct fan_group_session *out, const char *text)
{
	const size_t characters = strlen(text);
	size_t plmn_characters = 0;

	if (characters > 7 && read_hex(out->service_id, text, sizeof(out->service_id)) && text[6] == '-')
		plmn_characters = read_plmn(out->plmn, text + 7);
	if (plmn_characters > 0 && characters == 7 + plmn_characters + 4 &&
	    read_hex(out->key_group, text + 7 + plmn_characters, sizeof(out->key_group)))
		return 0;
	return fan_fail(FAN_E_INVALID,
			"a session is SSSSSS-MCC-MNC-GGGG: service identifier of the TMGI, its PLMN, and first half of the "
			"MSK ID, in upper-case hex digits");
}

int
fan_group_session_write(uint8_t out[FAN_GROUP_SESSION_BYTES], const struct fan_group_session *session,
			const struct fan_group_key *key)
{
	uint8_t *at = out;

	if (!key->has_seed)
		return fan_fail(FAN_E_INVALID, "an imported group key has no seed, which is what 5GS hands out");
	*at++ = 5;      /* no rejection cause, no service area, decision 5: security information update */
	*at++ = 1 << 3; /* a security container; neither timers nor IP addresses */
	*at++ = sizeof(session->service_id) + sizeof(session->plmn);
	memcpy(at, session->service_id, sizeof(session->service_id));
	at += sizeof(session->service_id);
	memcpy(at, session->plmn, sizeof(session->plmn));
	at += sizeof(session->plmn);
	*at++ = 1; /* key set, */
	*at++ = 0; /* without MTK: */
	memcpy(at, session->plmn, sizeof(session->plmn));
	at += sizeof(session->plmn);
	memcpy(at, session->key_group, sizeof(session->key_group));
	at += sizeof(session->key_group);
	at = put(at, key->gki, 2);
	memcpy(at, key->seed, sizeof(key->seed));
	at += sizeof(key->seed);
	FAN_REQUIRE(at - out == FAN_GROUP_SESSION_BYTES);
	return FAN_GROUP_SESSION_BYTES;
}
