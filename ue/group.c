/* SPDX-License-Identifier: BSD-3-Clause */
#include "group.h"

#include "octets.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdlib.h>

enum {
	KEY_BYTES = 16,
	VERIFIER_BYTES = 32,
	SIGNATURE_BYTES = 64,
	TAG_BYTES = 8,
	SHORT_TAG_BYTES = 4,
	BEARER = 31,
	DOWNLINK = 1,
	HEADER_BYTES = 10,
	ENTRY_BYTES = 14, /* before the keys */
	ENTRIES_MAX = 2 * FAN_UE_GROUPS_MAX,
	DOMAIN_BYTES_MAX = 253,
};

struct group_key {
	bool held;
	uint8_t gki, cipher, integrity, tag_bytes;
	bool is_signed;
	uint32_t first_count;
	int64_t start_s, end_s;
	uint8_t k_integ[KEY_BYTES], k_conf[KEY_BYTES], verifier[VERIFIER_BYTES];
	/* What was accepted under it: the highest COUNT, and bit i for the COUNT i below that. */
	bool begun;
	uint32_t highest;
	uint64_t accepted;
};

struct group {
	uint8_t gid_bytes; /* 0: no group */
	uint8_t gid[255], tag[4];
	struct group_key key[2]; /* current, previous */
	uint8_t let_go[32];      /* bit Gki & 7 of octet Gki >> 3 */
};

struct fan_ue_groups {
	struct fan_ue_cipher *cipher;
	uint8_t plmn[3];
	char domain[DOMAIN_BYTES_MAX + 1];
	struct group group[FAN_UE_GROUPS_MAX];
};

/* One entry as it was read. */
struct entry {
	bool deletes;
	uint8_t gid_bytes;
	const uint8_t *gid;
	struct group_key key;
};

const char *
fan_ue_group_verdict_name(enum fan_ue_group_verdict verdict)
{
	static const char *const names[FAN_UE_GROUP_VERDICT_COUNT] = {
#define VERDICT_NAME(name, text) [FAN_UE_GROUP_##name] = text,
		FAN_UE_GROUP_VERDICT_LIST(VERDICT_NAME)
#undef VERDICT_NAME
	};

	return (unsigned)verdict < FAN_UE_GROUP_VERDICT_COUNT ? names[verdict] : "unknown verdict";
}

struct fan_ue_groups *
fan_ue_groups_open(const struct fan_ue_group_home *home)
{
	struct fan_ue_groups *groups = calloc(1, sizeof(*groups));

	if (!groups)
		return NULL;
	groups->cipher = fan_ue_cipher_open();
	if (!groups->cipher || (home->domain && strlen(home->domain) > DOMAIN_BYTES_MAX)) {
		fan_ue_groups_close(groups);
		return NULL;
	}
	memcpy(groups->plmn, home->plmn, sizeof(groups->plmn));
	if (home->domain)
		memcpy(groups->domain, home->domain, strlen(home->domain) + 1);
	return groups;
}

void
fan_ue_groups_close(struct fan_ue_groups *groups)
{
	if (!groups)
		return;
	fan_ue_cipher_close(groups->cipher);
	OPENSSL_cleanse(groups, sizeof(*groups));
	free(groups);
}

/* ---- Keys that it holds --------------------------------------------------------------------------------------------------------- */

static struct group *
find_group(struct fan_ue_groups *groups, const uint8_t *gid, size_t gid_bytes)
{
	for (unsigned i = 0; i < FAN_UE_GROUPS_MAX; i++)
		if (gid_bytes && groups->group[i].gid_bytes == gid_bytes && memcmp(groups->group[i].gid, gid, gid_bytes) == 0)
			return &groups->group[i];
	return NULL;
}

static struct group *
add_group(struct fan_ue_groups *groups, const uint8_t *gid, size_t gid_bytes)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	for (unsigned i = 0; i < FAN_UE_GROUPS_MAX; i++) {
		struct group *group = &groups->group[i];

		if (group->gid_bytes)
			continue;
		group->gid_bytes = (uint8_t)gid_bytes;
		memcpy(group->gid, gid, gid_bytes);
		SHA256(gid, gid_bytes, digest);
		memcpy(group->tag, digest, sizeof(group->tag));
		return group;
	}
	return NULL;
}

static bool
was_let_go(const struct group *group, uint8_t gki)
{
	return group->let_go[gki >> 3] >> (gki & 7) & 1;
}

static void
let_go(struct group *group, struct group_key *key)
{
	if (!key->held)
		return;
	group->let_go[key->gki >> 3] |= (uint8_t)(1U << (key->gki & 7));
	OPENSSL_cleanse(key, sizeof(*key));
}

static struct group_key *
find_key(struct group *group, uint8_t gki)
{
	for (unsigned i = 0; i < 2; i++)
		if (group->key[i].held && group->key[i].gki == gki)
			return &group->key[i];
	return NULL;
}

static bool
is_same_key(const struct group_key *a, const struct group_key *b)
{
	return a->cipher == b->cipher && a->integrity == b->integrity && a->tag_bytes == b->tag_bytes &&
	       a->is_signed == b->is_signed && CRYPTO_memcmp(a->k_integ, b->k_integ, KEY_BYTES) == 0 &&
	       CRYPTO_memcmp(a->k_conf, b->k_conf, KEY_BYTES) == 0 && memcmp(a->verifier, b->verifier, VERIFIER_BYTES) == 0;
}

/* A GID that a member may be in: of its PLMN or its domain. */
static bool
is_home(const struct fan_ue_groups *groups, const uint8_t *gid, size_t gid_bytes)
{
	const size_t domain_bytes = strlen(groups->domain);

	if (gid[0] == 1)
		return memcmp(gid + 5, groups->plmn, sizeof(groups->plmn)) == 0;
	return domain_bytes && gid_bytes > domain_bytes + 2 && gid[gid_bytes - domain_bytes - 1] == '@' &&
	       memcmp(gid + gid_bytes - domain_bytes, groups->domain, domain_bytes) == 0;
}

/* What taking an entry would answer. */
static enum fan_ue_group_verdict
judge(struct fan_ue_groups *groups, const struct entry *entry)
{
	struct group *group = find_group(groups, entry->gid, entry->gid_bytes);
	const struct group_key *held = group ? find_key(group, entry->key.gki) : NULL;

	if (!is_home(groups, entry->gid, entry->gid_bytes))
		return FAN_UE_GROUP_WRONG_DOMAIN;
	if (entry->deletes || !group)
		return FAN_UE_GROUP_ACCEPTED;
	if (held)
		return is_same_key(held, &entry->key) ? FAN_UE_GROUP_ACCEPTED : FAN_UE_GROUP_OTHER_KEY;
	return was_let_go(group, entry->key.gki) ? FAN_UE_GROUP_OLD_KEY : FAN_UE_GROUP_ACCEPTED;
}

static void
apply(struct fan_ue_groups *groups, const struct entry *entry)
{
	struct group *group = find_group(groups, entry->gid, entry->gid_bytes);
	struct group_key *held = group ? find_key(group, entry->key.gki) : NULL;

	if (entry->deletes && held)
		let_go(group, held);
	if (entry->deletes || held)
		return;
	if (!group)
		group = add_group(groups, entry->gid, entry->gid_bytes);
	if (!group)
		return;
	let_go(group, &group->key[1]);
	group->key[1] = group->key[0];
	group->key[0] = entry->key;
}

/* ---- Entries ---------------------------------------------------------------------------------------------------------------------- */

static bool
is_digit_or(unsigned digit, unsigned other)
{
	return digit <= 9 || digit == other;
}

static bool
is_gid(const uint8_t *gid, size_t gid_bytes)
{
	if (gid_bytes && gid[0] == 1)
		return gid_bytes >= 9 && gid_bytes <= 18 && is_digit_or(gid[5] & 0xf, 0) && is_digit_or(gid[5] >> 4, 0) &&
		       is_digit_or(gid[6] & 0xf, 0) && is_digit_or(gid[6] >> 4, 0xf) && is_digit_or(gid[7] & 0xf, 0) &&
		       is_digit_or(gid[7] >> 4, 0);
	return gid_bytes >= 4 && gid[0] == 2 && memchr(gid + 2, '@', gid_bytes - 3);
}

static bool
algorithms_are_good(const struct group_key *key)
{
	return key->cipher <= 3 && key->integrity >= 1 && key->integrity <= 3 &&
	       (key->tag_bytes == SHORT_TAG_BYTES || (key->tag_bytes == TAG_BYTES && key->integrity == 2));
}

static bool
unwrap(uint8_t *keys, const uint8_t *wrapped, size_t wrapped_bytes, const uint8_t *kek)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int written = 0;
	bool good;

	if (context)
		EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	good = context && EVP_DecryptInit_ex(context, EVP_aes_128_wrap(), NULL, kek, NULL) &&
	       EVP_DecryptUpdate(context, keys, &written, wrapped, (int)wrapped_bytes) > 0 &&
	       (size_t)written + 8 == wrapped_bytes;
	EVP_CIPHER_CTX_free(context);
	return good;
}

static bool
read_keys(struct group_key *key, struct fan_ue_octets *octets, const uint8_t *kek)
{
	size_t key_bytes = key->cipher ? 2 * KEY_BYTES : KEY_BYTES;
	const uint8_t *at = fan_ue_octets_take(octets, key_bytes + (kek ? 8 : 0));
	uint8_t keys[2 * KEY_BYTES] = { 0 };
	bool good = at;

	if (good && kek)
		good = unwrap(keys, at, key_bytes + 8, kek);
	else if (good)
		memcpy(keys, at, key_bytes);
	memcpy(key->k_integ, keys, KEY_BYTES);
	memcpy(key->k_conf, keys + KEY_BYTES, KEY_BYTES);
	OPENSSL_cleanse(keys, sizeof(keys));
	return good;
}

static bool
read_gid(struct entry *entry, struct fan_ue_octets *octets)
{
	int length = fan_ue_octets_next(octets);

	entry->gid = length > 0 ? fan_ue_octets_take(octets, (size_t)length) : NULL;
	entry->gid_bytes = (uint8_t)length;
	return entry->gid && is_gid(entry->gid, entry->gid_bytes);
}

static bool
read_deletion(struct entry *entry, const uint8_t *fixed, struct fan_ue_octets *octets)
{
	entry->deletes = true;
	for (unsigned i = 2; i < ENTRY_BYTES; i++)
		if (fixed[i])
			return false;
	return fixed[0] == 0x11 && read_gid(entry, octets);
}

static void
read_fixed(struct group_key *key, const uint8_t *fixed)
{
	key->held = true;
	key->gki = fixed[1];
	key->is_signed = fixed[0] & 2;
	key->tag_bytes = fixed[0] & 4 ? SHORT_TAG_BYTES : TAG_BYTES;
	key->cipher = fixed[2] >> 4;
	key->integrity = fixed[2] & 0xf;
	key->first_count = fan_ue_octets_load32(fixed + 3);
	key->start_s = (int64_t)fixed[7] << 32 | fan_ue_octets_load32(fixed + 8);
	key->end_s = key->start_s + 60 * (int64_t)fan_ue_octets_load16(fixed + 12);
}

static bool
read_entry(struct entry *entry, struct fan_ue_octets *octets, const uint8_t *kek)
{
	const uint8_t *fixed = fan_ue_octets_take(octets, ENTRY_BYTES), *verifier;
	struct group_key *key = &entry->key;

	memset(entry, 0, sizeof(*entry));
	if (!fixed || fixed[0] >> 4 != 1)
		return false;
	read_fixed(key, fixed);
	if (fixed[0] & 1)
		return read_deletion(entry, fixed, octets);
	if (!(fixed[0] & 8) != !kek || !algorithms_are_good(key) || key->end_s == key->start_s ||
	    !read_keys(key, octets, kek) || !read_gid(entry, octets))
		return false;
	if (!key->is_signed)
		return true;
	verifier = fan_ue_octets_take(octets, VERIFIER_BYTES);
	if (verifier)
		memcpy(key->verifier, verifier, VERIFIER_BYTES);
	return verifier;
}

static bool
has_room(struct fan_ue_groups *groups, const struct entry *entries, unsigned count)
{
	unsigned wanted = 0, free_groups = 0;

	for (unsigned i = 0; i < count; i++)
		wanted += !entries[i].deletes && !find_group(groups, entries[i].gid, entries[i].gid_bytes);
	for (unsigned i = 0; i < FAN_UE_GROUPS_MAX; i++)
		free_groups += !groups->group[i].gid_bytes;
	return wanted <= free_groups;
}

/* All entries are read and judged before the first counts. */
static enum fan_ue_group_verdict
take_all(struct fan_ue_groups *groups, const struct entry *entries, unsigned count)
{
	enum fan_ue_group_verdict verdict = FAN_UE_GROUP_ACCEPTED;

	for (unsigned i = 0; verdict == FAN_UE_GROUP_ACCEPTED && i < count; i++)
		verdict = judge(groups, &entries[i]);
	if (verdict == FAN_UE_GROUP_ACCEPTED && !has_room(groups, entries, count))
		verdict = FAN_UE_GROUP_FULL;
	for (unsigned i = 0; verdict == FAN_UE_GROUP_ACCEPTED && i < count; i++)
		apply(groups, &entries[i]);
	return verdict;
}

enum fan_ue_group_verdict
fan_ue_groups_take(struct fan_ue_groups *groups, const uint8_t *octets, size_t octet_count, const uint8_t *kek)
{
	struct fan_ue_octets left = { octets, octet_count };
	struct entry entries[ENTRIES_MAX];
	enum fan_ue_group_verdict verdict = FAN_UE_GROUP_MALFORMED;
	unsigned count = 0;
	bool good = octet_count;

	while (good && left.left) {
		good = count < ENTRIES_MAX && read_entry(&entries[count], &left, kek);
		count += good;
	}
	if (good)
		verdict = take_all(groups, entries, count);
	OPENSSL_cleanse(entries, sizeof(entries));
	return verdict;
}

/* ---- Received MBS container (TS 24.501 9.11.4.31) ---------------------------------------------------------------------------------- */

/* HKDF-SHA-256 (RFC 5869) with an empty salt, one block of it: Out: 16 octets. */
static void
derive(uint8_t out[KEY_BYTES], const uint8_t seed[KEY_BYTES], uint8_t purpose, const struct entry *entry)
{
	static const uint8_t salt[SHA256_DIGEST_LENGTH];
	static const char label[] = "fanfare group key 1";
	uint8_t extracted[SHA256_DIGEST_LENGTH], block[SHA256_DIGEST_LENGTH], info[sizeof(label) + 260], *at = info;

	memcpy(at, label, sizeof(label) - 1);
	at += sizeof(label) - 1;
	*at++ = purpose;
	*at++ = entry->gid_bytes;
	memcpy(at, entry->gid, entry->gid_bytes);
	at += entry->gid_bytes;
	*at++ = entry->key.gki;
	*at++ = 1; /* number of the block */
	HMAC(EVP_sha256(), salt, sizeof(salt), seed, KEY_BYTES, extracted, NULL);
	HMAC(EVP_sha256(), extracted, sizeof(extracted), info, (size_t)(at - info), block, NULL);
	memcpy(out, block, KEY_BYTES);
	OPENSSL_cleanse(extracted, sizeof(extracted));
	OPENSSL_cleanse(block, sizeof(block));
}

static void
make_entry(struct entry *entry, const uint8_t *seed, uint8_t gki, const struct fan_ue_group_announcement *announcement)
{
	struct group_key *key = &entry->key;

	memset(entry, 0, sizeof(*entry));
	entry->gid = announcement->gid;
	entry->gid_bytes = announcement->gid_bytes;
	key->held = true;
	key->gki = gki;
	key->cipher = announcement->cipher;
	key->integrity = announcement->integrity;
	key->tag_bytes = announcement->tag_bytes;
	key->first_count = announcement->first_count;
	key->start_s = announcement->start_s;
	key->end_s = key->start_s + 60 * (int64_t)announcement->duration_min;
	derive(key->k_integ, seed, 2, entry);
	derive(key->k_conf, seed, 3, entry);
}

/* Key set: 00 (no MTK), key domain 3, MSK ID 4, MSK 16. */
static enum fan_ue_group_verdict
read_key_set(struct entry *entry, struct fan_ue_octets *octets, const struct fan_ue_groups *groups,
	     const struct fan_ue_group_announcement *announcement)
{
	const uint8_t *set = fan_ue_octets_take(octets, 1 + 3 + 4 + KEY_BYTES);

	if (!set || set[0] != 0 || set[6] != 0)
		return FAN_UE_GROUP_MALFORMED;
	if (memcmp(set + 1, groups->plmn, 3) != 0)
		return FAN_UE_GROUP_WRONG_DOMAIN;
	if (memcmp(set + 4, announcement->key_group, 2) != 0)
		return FAN_UE_GROUP_WRONG_GROUP;
	make_entry(entry, set + 8, set[7], announcement);
	return algorithms_are_good(&entry->key) && is_gid(entry->gid, entry->gid_bytes) ? FAN_UE_GROUP_ACCEPTED
											: FAN_UE_GROUP_MALFORMED;
}

/* Security information update of one session, with a security container and nothing else; TMGI of 6 octets. */
static enum fan_ue_group_verdict
read_session(struct fan_ue_octets *octets, const struct fan_ue_groups *groups,
	     const struct fan_ue_group_announcement *announcement)
{
	const uint8_t *head = fan_ue_octets_take(octets, 9);

	if (!head || head[0] != 0x05 || head[1] != 0x08 || head[2] != 6)
		return FAN_UE_GROUP_MALFORMED;
	if (memcmp(head + 6, groups->plmn, 3) != 0)
		return FAN_UE_GROUP_WRONG_DOMAIN;
	return memcmp(head + 3, announcement->service_id, 3) != 0 ? FAN_UE_GROUP_WRONG_GROUP : FAN_UE_GROUP_ACCEPTED;
}

enum fan_ue_group_verdict
fan_ue_groups_take_session(struct fan_ue_groups *groups, const uint8_t *contents, size_t octet_count,
			   const struct fan_ue_group_announcement *announcement)
{
	struct fan_ue_octets octets = { contents, octet_count };
	enum fan_ue_group_verdict verdict = read_session(&octets, groups, announcement);
	struct entry entries[2];
	int count = verdict == FAN_UE_GROUP_ACCEPTED ? fan_ue_octets_next(&octets) : 0;

	if (verdict == FAN_UE_GROUP_ACCEPTED && (count < 1 || count > 2))
		verdict = FAN_UE_GROUP_MALFORMED;
	for (int i = 0; verdict == FAN_UE_GROUP_ACCEPTED && i < count; i++)
		verdict = read_key_set(&entries[i], &octets, groups, announcement);
	if (verdict == FAN_UE_GROUP_ACCEPTED && octets.left)
		verdict = FAN_UE_GROUP_MALFORMED;
	if (verdict == FAN_UE_GROUP_ACCEPTED)
		verdict = take_all(groups, entries, (unsigned)count);
	OPENSSL_cleanse(entries, sizeof(entries));
	return verdict;
}

/* ---- Messages --------------------------------------------------------------------------------------------------------------------- */

/* A message's pieces. */
struct pieces {
	struct group *group;
	struct group_key *key;
	uint32_t count;
	size_t covered_bytes; /* what the tag is over: header and payload */
	const uint8_t *pdu, *tag, *signature;
};

static enum fan_ue_group_verdict
find_pieces(struct fan_ue_groups *groups, struct pieces *pieces, const uint8_t *pdu, size_t pdu_bytes)
{
	if (pdu_bytes < HEADER_BYTES || pdu_bytes > FAN_UE_GROUP_PDU_BYTES_MAX || pdu[0] >> 4 != 1)
		return FAN_UE_GROUP_MALFORMED;
	for (unsigned i = 0; i < FAN_UE_GROUPS_MAX; i++)
		if (groups->group[i].gid_bytes && memcmp(groups->group[i].tag, pdu + 1, 4) == 0)
			pieces->group = &groups->group[i];
	if (!pieces->group)
		return FAN_UE_GROUP_WRONG_GROUP;
	pieces->key = find_key(pieces->group, pdu[5]);
	if (!pieces->key)
		return was_let_go(pieces->group, pdu[5]) ? FAN_UE_GROUP_OLD_KEY : FAN_UE_GROUP_UNKNOWN_KEY;
	pieces->pdu = pdu;
	pieces->count = fan_ue_octets_load32(pdu + 6);
	return FAN_UE_GROUP_ACCEPTED;
}

/* Tag and signature at the end, as the key says. */
static enum fan_ue_group_verdict
cut_end(struct pieces *pieces, size_t pdu_bytes)
{
	const struct group_key *key = pieces->key;
	const size_t end_bytes = key->tag_bytes + (key->is_signed ? SIGNATURE_BYTES : 0U);

	if ((pieces->pdu[0] & 0xf) != (key->cipher << 2 | key->integrity) || pdu_bytes < HEADER_BYTES + 1 + end_bytes)
		return FAN_UE_GROUP_MALFORMED;
	pieces->covered_bytes = pdu_bytes - end_bytes;
	pieces->tag = pieces->pdu + pieces->covered_bytes;
	pieces->signature = pieces->tag + key->tag_bytes;
	return FAN_UE_GROUP_ACCEPTED;
}

static bool
tag_matches(struct fan_ue_cipher *cipher, const struct pieces *pieces)
{
	const struct fan_ue_cipher_use use = { pieces->key->k_integ, pieces->count, BEARER, DOWNLINK };
	uint8_t tag[TAG_BYTES];
	bool good = pieces->key->tag_bytes == TAG_BYTES
			    ? fan_ue_cipher_long_mac(cipher, tag, &use, pieces->pdu, 8 * pieces->covered_bytes)
			    : fan_ue_cipher_mac(cipher, tag, &use, pieces->key->integrity, pieces->pdu,
						8 * pieces->covered_bytes);

	return good && CRYPTO_memcmp(tag, pieces->tag, pieces->key->tag_bytes) == 0;
}

static bool
signature_matches(const struct pieces *pieces)
{
	static const char label[] = "fanfare group message 1";
	const struct group *group = pieces->group;
	uint8_t text[sizeof(label) + 256 + FAN_UE_GROUP_PDU_BYTES_MAX], *at = text;
	EVP_PKEY *verifier = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pieces->key->verifier, VERIFIER_BYTES);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good;

	memcpy(at, label, sizeof(label) - 1);
	at += sizeof(label) - 1;
	*at++ = group->gid_bytes;
	memcpy(at, group->gid, group->gid_bytes);
	at += group->gid_bytes;
	memcpy(at, pieces->pdu, pieces->covered_bytes + pieces->key->tag_bytes);
	at += pieces->covered_bytes + pieces->key->tag_bytes;
	good = verifier && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, verifier) == 1 &&
	       EVP_DigestVerify(context, pieces->signature, SIGNATURE_BYTES, text, (size_t)(at - text)) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(verifier);
	return good;
}

static enum fan_ue_group_verdict
judge_count(const struct group_key *key, uint32_t count)
{
	if (count < key->first_count)
		return FAN_UE_GROUP_TOO_OLD;
	if (!key->begun || count > key->highest)
		return FAN_UE_GROUP_ACCEPTED;
	if (key->highest - count >= FAN_UE_GROUP_WINDOW)
		return FAN_UE_GROUP_TOO_OLD;
	return key->accepted >> (key->highest - count) & 1 ? FAN_UE_GROUP_REPLAY : FAN_UE_GROUP_ACCEPTED;
}

static void
accept_count(struct group_key *key, uint32_t count)
{
	if (!key->begun || count > key->highest) {
		const uint32_t ahead = key->begun ? count - key->highest : 0;

		key->accepted = ahead < FAN_UE_GROUP_WINDOW ? key->accepted << ahead : 0;
		key->highest = count;
		key->begun = true;
	}
	key->accepted |= UINT64_C(1) << (key->highest - count);
}

static enum fan_ue_group_verdict
verify(struct fan_ue_groups *groups, const struct pieces *pieces, int64_t now_s)
{
	const struct group_key *key = pieces->key;
	enum fan_ue_group_verdict verdict;

	if (now_s < key->start_s)
		return FAN_UE_GROUP_NOT_YET;
	if (now_s >= key->end_s)
		return FAN_UE_GROUP_EXPIRED;
	if (!tag_matches(groups->cipher, pieces))
		return FAN_UE_GROUP_BAD_MAC;
	verdict = judge_count(key, pieces->count);
	if (verdict != FAN_UE_GROUP_ACCEPTED)
		return verdict;
	return key->is_signed && !signature_matches(pieces) ? FAN_UE_GROUP_BAD_SIGNATURE : FAN_UE_GROUP_ACCEPTED;
}

enum fan_ue_group_verdict
fan_ue_groups_receive(struct fan_ue_groups *groups, struct fan_ue_group_message *message, const uint8_t *pdu, size_t pdu_bytes,
		      int64_t now_s)
{
	struct pieces pieces = { 0 };
	enum fan_ue_group_verdict verdict = find_pieces(groups, &pieces, pdu, pdu_bytes);
	struct fan_ue_cipher_use use;

	if (verdict == FAN_UE_GROUP_ACCEPTED)
		verdict = cut_end(&pieces, pdu_bytes);
	if (verdict == FAN_UE_GROUP_ACCEPTED)
		verdict = verify(groups, &pieces, now_s);
	if (verdict != FAN_UE_GROUP_ACCEPTED)
		return verdict;
	use = (struct fan_ue_cipher_use){ pieces.key->k_conf, pieces.count, BEARER, DOWNLINK };
	message->count = pieces.count;
	message->gki = pieces.key->gki;
	message->is_signed = pieces.key->is_signed;
	message->payload_bytes = pieces.covered_bytes - HEADER_BYTES;
	memcpy(message->payload, pdu + HEADER_BYTES, message->payload_bytes);
	if (!fan_ue_cipher_apply(groups->cipher, message->payload, &use, pieces.key->cipher, message->payload_bytes))
		return FAN_UE_GROUP_BAD_MAC;
	accept_count(pieces.key, pieces.count);
	return FAN_UE_GROUP_ACCEPTED;
}
