/* SPDX-License-Identifier: BSD-3-Clause */
#include "mbms.h"

#include "octets.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#define NAI_MAX 253
#define MUK_BYTES 32
#define MAC_BYTES 20
#define MSKS 2           /* of one service */
#define MTKS 2           /* of one MSK: streams change over from one to the next */
#define COVERED_MAX 1024 /* longer than any message is */

struct mtk {
	bool present;
	uint32_t id;
	uint8_t key_and_salt[FAN_UE_MBMS_STREAM_KEY_BYTES];
};

struct msk {
	bool present;
	uint32_t id, first, last; /* of MTK IDs */
	uint64_t t_next, id_next; /* lowest that is new */
	uint8_t key[16];
	struct mtk mtk[MTKS];
	unsigned newest;
};

struct service {
	uint8_t domain[3];
	uint16_t group;
	struct msk msk[MSKS];
};

struct name {
	uint8_t text[NAI_MAX];
	size_t length;
};

struct fan_ue_mbms {
	uint8_t muk[MUK_BYTES];
	struct name bm_sc, b_tid;
	uint64_t t_next; /* of MSK messages */
	unsigned service_count;
	struct service service[FAN_UE_MBMS_SERVICES_MAX];
};

/* ---- Payloads, one behind the other, each saying what the next is (RFC 3830 6.1) ---------------------------------------- */

struct message {
	char order[8]; /* a letter per payload, in the order of coming */
	size_t payloads;
	bool wants_answer;
	const uint8_t *csb_id, *domain, *msk_id, *t, *rand, *mac;
	struct fan_ue_octets mtk_id, id[2], encrypted, covered;
	unsigned ids;
};

/* { type, length, id } three times at most: 0 domain, 1 MSK, 2 MTK. */
static bool
take_key_id(struct message *message, struct fan_ue_octets *octets)
{
	const int type = fan_ue_octets_next(octets), length = fan_ue_octets_next(octets);
	const uint8_t *id = length < 0 ? NULL : fan_ue_octets_take(octets, (size_t)length);

	if (!id)
		return false;
	if (type == 0 && length == 3 && !message->domain)
		return (message->domain = id);
	if (type == 1 && length == 4 && message->domain && !message->msk_id)
		return (message->msk_id = id);
	if (type == 2 && (length == 2 || length == 4) && message->msk_id && !message->mtk_id.at) {
		message->mtk_id = (struct fan_ue_octets){ id, (size_t)length };
		return true;
	}
	return false;
}

static bool
take_extension(struct message *message, struct fan_ue_octets *octets)
{
	const int type = fan_ue_octets_next(octets);
	const uint8_t *length = fan_ue_octets_take(octets, 2);
	struct fan_ue_octets ids;

	if (type != 3 || !length || !fan_ue_octets_cut(&ids, octets, fan_ue_octets_load16(length)))
		return false;
	while (ids.left > 0)
		if (!take_key_id(message, &ids))
			return false;
	return message->msk_id;
}

static bool
take_name(struct message *message, struct fan_ue_octets *octets)
{
	const int type = fan_ue_octets_next(octets);
	const uint8_t *length = fan_ue_octets_take(octets, 2);

	return type == 0 && length && message->ids < 2 &&
	       fan_ue_octets_cut(&message->id[message->ids++], octets, fan_ue_octets_load16(length));
}

static bool
take_kemac(struct message *message, struct fan_ue_octets *octets)
{
	const int cipher = fan_ue_octets_next(octets);
	const uint8_t *length = fan_ue_octets_take(octets, 2);

	if (cipher != 1 || !length || !fan_ue_octets_cut(&message->encrypted, octets, fan_ue_octets_load16(length)))
		return false;
	return fan_ue_octets_next(octets) == 1 && (message->mac = fan_ue_octets_take(octets, MAC_BYTES));
}

/* What stands behind the next-payload octet. */
static bool
take_payload(struct message *message, struct fan_ue_octets *octets, int type)
{
	switch (type) {
	case 21:
		return take_extension(message, octets);
	case 5:
		return fan_ue_octets_next(octets) == 2 && (message->t = fan_ue_octets_take(octets, 4));
	case 11:
		return fan_ue_octets_next(octets) == 16 && (message->rand = fan_ue_octets_take(octets, 16));
	case 6:
		return take_name(message, octets);
	case 1:
		return take_kemac(message, octets);
	default:
		return false;
	}
}

static char
letter_of(int type)
{
	return type == 21 ? 'E' : type == 5 ? 'T' : type == 11 ? 'R' : type == 6 ? 'I' : 'K';
}

/* 01, data type 0, next, V and PRF 0, CSB-ID, no crypto session, map type 1. Returns the next payload, or -1. */
static int
take_header(struct message *message, struct fan_ue_octets *octets)
{
	const uint8_t *header = fan_ue_octets_take(octets, 10);

	if (!header || header[0] != 1 || header[1] != 0 || (header[3] & 0x7f) != 0 || header[8] != 0 || header[9] != 1)
		return -1;
	message->wants_answer = header[3] == 0x80;
	message->csb_id = header + 4;
	return header[2];
}

static bool
take_apart(struct message *message, const uint8_t *octets, size_t octet_count)
{
	struct fan_ue_octets left = { octets, octet_count };
	int type;

	*message = (struct message){ .payloads = 0 };
	if (octet_count > COVERED_MAX)
		return false;
	type = take_header(message, &left);
	while (type > 0 && message->payloads < sizeof(message->order) - 1) {
		const int next = fan_ue_octets_next(&left);

		if (next < 0 || !take_payload(message, &left, type))
			return false;
		message->order[message->payloads++] = letter_of(type);
		type = next;
	}
	message->covered = (struct fan_ue_octets){ octets, octet_count < MAC_BYTES ? 0 : octet_count - MAC_BYTES };
	return type == 0 && left.left == 0;
}

/* ---- Keys -------------------------------------------------------------------------------------------------------------- */

struct keys {
	uint8_t encipher[MAC_BYTES], salt[MAC_BYTES], authenticate[MAC_BYTES];
};

static bool
hmac(uint8_t out[MAC_BYTES], const uint8_t *key, size_t key_bytes, const uint8_t *octets, size_t octet_count)
{
	return HMAC(EVP_sha1(), key, (int)key_bytes, octets, octet_count, out, NULL);
}

/* P(s, label) of one block: HMAC(s, A1 || label), A1 = HMAC(s, label). */
static bool
expand(uint8_t out[MAC_BYTES], uint32_t constant, const struct message *message, const uint8_t *key, size_t key_bytes)
{
	uint8_t text[MAC_BYTES + 25];
	uint8_t *label = text + MAC_BYTES;
	const size_t label_bytes = message->rand ? 25 : 9;
	bool good;

	fan_ue_octets_store32(label, constant);
	label[4] = 0xff;
	memcpy(label + 5, message->csb_id, 4);
	if (message->rand)
		memcpy(label + 9, message->rand, 16);
	good = hmac(text, key, key_bytes, label, label_bytes) && hmac(out, key, key_bytes, text, MAC_BYTES + label_bytes);
	OPENSSL_cleanse(text, sizeof(text));
	return good;
}

static bool
expand_all(struct keys *keys, const struct message *message, const uint8_t *key, size_t key_bytes)
{
	return expand(keys->encipher, 0x150533e1, message, key, key_bytes) &&
	       expand(keys->salt, 0x29b88916, message, key, key_bytes) &&
	       expand(keys->authenticate, 0x2d22ac75, message, key, key_bytes);
}

static bool
mac_is_right(const struct keys *keys, const struct message *message)
{
	uint8_t mac[MAC_BYTES];

	return hmac(mac, keys->authenticate, MAC_BYTES, message->covered.at, message->covered.left) &&
	       CRYPTO_memcmp(mac, message->mac, MAC_BYTES) == 0;
}

static bool
decipher(uint8_t *plain, const struct keys *keys, const struct message *message)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t counter[16] = { 0 };
	int done;
	bool good;

	memcpy(counter, keys->salt, 14);
	for (unsigned i = 0; i < 4; i++) {
		counter[2 + i] ^= message->csb_id[i];
		counter[10 + i] ^= message->t[i];
	}
	good = context && EVP_DecryptInit_ex(context, EVP_aes_128_ctr(), NULL, keys->encipher, counter) == 1 &&
	       EVP_DecryptUpdate(context, plain, &done, message->encrypted.at, (int)message->encrypted.left) == 1;
	EVP_CIPHER_CTX_free(context);
	OPENSSL_cleanse(counter, sizeof(counter));
	return good;
}

/* Out: plain[encrypted.left], once the MAC is right. */
static enum fan_ue_mbms_verdict
open_kemac(uint8_t *plain, struct keys *keys, const struct message *message, const uint8_t *key, size_t key_bytes)
{
	if (!expand_all(keys, message, key, key_bytes) || !mac_is_right(keys, message))
		return FAN_UE_MBMS_BAD_MAC;
	return decipher(plain, keys, message) ? FAN_UE_MBMS_ACCEPTED : FAN_UE_MBMS_BAD_MAC;
}

/* ---- MSK messages ------------------------------------------------------------------------------------------------------ */

static struct service *
find_service(struct fan_ue_mbms *ue, const uint8_t *domain, uint16_t group)
{
	for (unsigned i = 0; i < ue->service_count; i++)
		if (ue->service[i].group == group && memcmp(ue->service[i].domain, domain, 3) == 0)
			return &ue->service[i];
	return NULL;
}

static bool
is_name(const struct name *name, const struct fan_ue_octets *octets)
{
	return octets->left == name->length && memcmp(octets->at, name->text, name->length) == 0;
}

static bool
is_over(const struct msk *msk)
{
	return msk->first > msk->last || msk->id_next > msk->last;
}

/* Its own place; a free one; one of an MSK that is over. */
static struct msk *
place_of(struct service *service, uint32_t id)
{
	for (unsigned i = 0; i < MSKS; i++)
		if (service->msk[i].present && service->msk[i].id == id)
			return &service->msk[i];
	for (unsigned i = 0; i < MSKS; i++)
		if (!service->msk[i].present || is_over(&service->msk[i]))
			return &service->msk[i];
	return NULL;
}

/* 00 | 22 | 0010 | MSK | length SEQl | length SEQu. */
static bool
read_msk(struct msk *msk, const uint8_t *plain, size_t plain_bytes)
{
	const size_t id_bytes = plain_bytes == 26 ? 2 : 4;

	if (memcmp(plain, "\x00\x22\x00\x10", 4) != 0 || plain[20] != id_bytes || plain[21 + id_bytes] != id_bytes)
		return false;
	memcpy(msk->key, plain + 4, sizeof(msk->key));
	msk->first = id_bytes == 2 ? fan_ue_octets_load16(plain + 21) : fan_ue_octets_load32(plain + 21);
	msk->last = id_bytes == 2 ? fan_ue_octets_load16(plain + 24) : fan_ue_octets_load32(plain + 26);
	return true;
}

static void
keep_msk(struct msk *place, const struct msk *msk)
{
	if (place->present && place->id == msk->id && CRYPTO_memcmp(place->key, msk->key, sizeof(msk->key)) == 0) {
		place->first = msk->first;
		place->last = msk->last;
	} else {
		*place = *msk;
		place->present = true;
	}
	if (place->id_next < place->first)
		place->id_next = place->first;
}

/* 01 01 05 00 CSB-ID 00 01 | 06 02 T | 09 00 LLLL IDr | 00 01 MAC over all before it, IDi, IDr and T. Returns its octets, 0 on failure. */
static size_t
write_answer(uint8_t *answer, const struct fan_ue_mbms *ue, const struct keys *keys, const struct message *message)
{
	uint8_t covered[FAN_UE_MBMS_ANSWER_BYTES_MAX + 2 * NAI_MAX + 4];
	const size_t mac_at = 22 + ue->b_tid.length;
	size_t end = mac_at;

	memcpy(answer, "\x01\x01\x05\x00____\x00\x01\x06\x02____\x09\x00", 18);
	memcpy(answer + 4, message->csb_id, 4);
	memcpy(answer + 12, message->t, 4);
	answer[18] = 0;
	answer[19] = (uint8_t)ue->b_tid.length;
	memcpy(answer + 20, ue->b_tid.text, ue->b_tid.length);
	answer[mac_at - 2] = 0;
	answer[mac_at - 1] = 1;
	memcpy(covered, answer, mac_at);
	memcpy(covered + end, ue->bm_sc.text, ue->bm_sc.length);
	end += ue->bm_sc.length;
	memcpy(covered + end, ue->b_tid.text, ue->b_tid.length);
	end += ue->b_tid.length;
	memcpy(covered + end, message->t, 4);
	return hmac(answer + mac_at, keys->authenticate, MAC_BYTES, covered, end + 4) ? mac_at + MAC_BYTES : 0;
}

static enum fan_ue_mbms_verdict
judge_msk(struct fan_ue_mbms *ue, struct service *service, const struct message *message, const struct msk *msk)
{
	const uint32_t t = fan_ue_octets_load32(message->t);
	struct msk *place;

	if (t < ue->t_next)
		return FAN_UE_MBMS_REPLAY;
	place = place_of(service, msk->id);
	if (!place)
		return FAN_UE_MBMS_FULL;
	keep_msk(place, msk);
	ue->t_next = (uint64_t)t + 1;
	return FAN_UE_MBMS_ACCEPTED;
}

static enum fan_ue_mbms_verdict
take_msk(struct fan_ue_mbms *ue, struct service *service, uint8_t *answer, size_t *answer_bytes, const struct message *message)
{
	struct msk msk = { .id = fan_ue_octets_load32(message->msk_id) };
	uint8_t plain[30];
	struct keys keys;
	enum fan_ue_mbms_verdict verdict;

	if (message->encrypted.left != 26 && message->encrypted.left != 30)
		return FAN_UE_MBMS_MALFORMED;
	if (!is_name(&ue->bm_sc, &message->id[0]) || !is_name(&ue->b_tid, &message->id[1]))
		return FAN_UE_MBMS_NOT_MINE;
	verdict = open_kemac(plain, &keys, message, ue->muk, sizeof(ue->muk));
	if (verdict == FAN_UE_MBMS_ACCEPTED && !read_msk(&msk, plain, message->encrypted.left))
		verdict = FAN_UE_MBMS_MALFORMED;
	if (verdict == FAN_UE_MBMS_ACCEPTED)
		verdict = judge_msk(ue, service, message, &msk);
	if (verdict == FAN_UE_MBMS_ACCEPTED && message->wants_answer)
		*answer_bytes = write_answer(answer, ue, &keys, message);
	OPENSSL_cleanse(plain, sizeof(plain));
	OPENSSL_cleanse(&keys, sizeof(keys));
	OPENSSL_cleanse(&msk, sizeof(msk));
	return verdict;
}

/* ---- MTK messages ------------------------------------------------------------------------------------------------------ */

/* 00 | 20 | 0010 | MTK, or 00 | 30 | 0010 | MTK | 000E | salt. */
static bool
read_mtk(struct mtk *mtk, const uint8_t *plain, size_t plain_bytes)
{
	const bool with_salt = plain_bytes == 36;

	if (memcmp(plain, with_salt ? "\x00\x30\x00\x10" : "\x00\x20\x00\x10", 4) != 0 ||
	    (with_salt && memcmp(plain + 20, "\x00\x0e", 2) != 0))
		return false;
	memcpy(mtk->key_and_salt, plain + 4, 16);
	if (with_salt)
		memcpy(mtk->key_and_salt + 16, plain + 22, 14);
	mtk->present = true;
	return true;
}

static enum fan_ue_mbms_verdict
judge_mtk(struct msk *msk, const struct message *message, const struct mtk *mtk)
{
	const uint32_t t = fan_ue_octets_load32(message->t);

	if (t < msk->t_next)
		return FAN_UE_MBMS_REPLAY;
	if (mtk->id < msk->first || mtk->id > msk->last)
		return FAN_UE_MBMS_OUTSIDE;
	if (mtk->id < msk->id_next)
		return FAN_UE_MBMS_REPLAY;
	msk->t_next = (uint64_t)t + 1;
	msk->id_next = (uint64_t)mtk->id + 1;
	msk->newest = (msk->newest + 1) % MTKS;
	msk->mtk[msk->newest] = *mtk;
	return FAN_UE_MBMS_ACCEPTED;
}

static enum fan_ue_mbms_verdict
take_mtk(struct service *service, const struct message *message)
{
	const uint32_t msk_id = fan_ue_octets_load32(message->msk_id);
	struct msk *msk = NULL;
	struct mtk mtk = { .id = message->mtk_id.left == 2 ? fan_ue_octets_load16(message->mtk_id.at)
							   : fan_ue_octets_load32(message->mtk_id.at) };
	uint8_t plain[36];
	struct keys keys;
	enum fan_ue_mbms_verdict verdict;

	if (message->encrypted.left != 20 && message->encrypted.left != 36)
		return FAN_UE_MBMS_MALFORMED;
	for (unsigned i = 0; i < MSKS; i++)
		if (service->msk[i].present && service->msk[i].id == msk_id)
			msk = &service->msk[i];
	if (!msk)
		return FAN_UE_MBMS_NO_MSK;
	verdict = open_kemac(plain, &keys, message, msk->key, sizeof(msk->key));
	if (verdict == FAN_UE_MBMS_ACCEPTED && !read_mtk(&mtk, plain, message->encrypted.left))
		verdict = FAN_UE_MBMS_MALFORMED;
	if (verdict == FAN_UE_MBMS_ACCEPTED)
		verdict = judge_mtk(msk, message, &mtk);
	OPENSSL_cleanse(plain, sizeof(plain));
	OPENSSL_cleanse(&keys, sizeof(keys));
	OPENSSL_cleanse(&mtk, sizeof(mtk));
	return verdict;
}

/* ---- Received MBS containers ------------------------------------------------------------------------------------------- */

#define SETS_MAX 2

struct key_set {
	struct service *service;
	struct msk msk;
	struct mtk mtk;
};

/* MTK indication 1, key domain 3, MSK ID 4, MSK 16; with 1 there, MTK ID 2, MTK 16. */
static enum fan_ue_mbms_verdict
read_key_set(struct key_set *set, struct fan_ue_mbms *ue, struct fan_ue_octets *octets)
{
	const uint8_t *msk = fan_ue_octets_take(octets, 24), *mtk = NULL;

	*set = (struct key_set){ .msk = { .first = 1, .last = UINT16_MAX } };
	if (!msk || msk[0] > 1)
		return FAN_UE_MBMS_MALFORMED;
	if (msk[0] == 1 && !(mtk = fan_ue_octets_take(octets, 18)))
		return FAN_UE_MBMS_MALFORMED;
	set->service = find_service(ue, msk + 1, fan_ue_octets_load16(msk + 4));
	if (!set->service)
		return FAN_UE_MBMS_NOT_JOINED;
	set->msk.id = fan_ue_octets_load32(msk + 4);
	memcpy(set->msk.key, msk + 8, sizeof(set->msk.key));
	if (mtk) {
		set->mtk.present = true;
		set->mtk.id = fan_ue_octets_load16(mtk);
		memcpy(set->mtk.key_and_salt, mtk + 2, 16);
	}
	return place_of(set->service, set->msk.id) ? FAN_UE_MBMS_ACCEPTED : FAN_UE_MBMS_FULL;
}

static void
keep_key_set(const struct key_set *set)
{
	struct msk *place = place_of(set->service, set->msk.id);

	if (!place)
		return;
	keep_msk(place, &set->msk);
	if (!set->mtk.present || set->mtk.id < place->id_next)
		return;
	place->id_next = (uint64_t)set->mtk.id + 1;
	place->newest = (place->newest + 1) % MTKS;
	place->mtk[place->newest] = set->mtk;
}

/* Whether the sets of one service need no more places than there are. */
static bool
fit(const struct key_set *sets, int count)
{
	return count < 2 || sets[0].service != sets[1].service || sets[0].msk.id == sets[1].msk.id ||
	       place_of(sets[0].service, sets[0].msk.id) != place_of(sets[1].service, sets[1].msk.id) ||
	       (!sets[0].service->msk[0].present && !sets[0].service->msk[1].present);
}

enum fan_ue_mbms_verdict
fan_ue_mbms_take_container(struct fan_ue_mbms *ue, const uint8_t *tmgi, const uint8_t *contents, size_t octet_count)
{
	struct fan_ue_octets octets = { contents, octet_count };
	const uint8_t *head = fan_ue_octets_take(&octets, 10);
	enum fan_ue_mbms_verdict verdict = FAN_UE_MBMS_ACCEPTED;
	struct key_set sets[SETS_MAX];

	if (!head || memcmp(head, "\x05\x08\x06", 3) != 0 || head[9] < 1 || head[9] > SETS_MAX)
		return FAN_UE_MBMS_MALFORMED;
	if (memcmp(head + 3, tmgi, 6) != 0)
		return FAN_UE_MBMS_NOT_MINE;
	for (int i = 0; i < head[9] && verdict == FAN_UE_MBMS_ACCEPTED; i++)
		verdict = read_key_set(&sets[i], ue, &octets);
	if (verdict == FAN_UE_MBMS_ACCEPTED && octets.left > 0)
		verdict = FAN_UE_MBMS_MALFORMED;
	if (verdict == FAN_UE_MBMS_ACCEPTED && !fit(sets, head[9]))
		verdict = FAN_UE_MBMS_FULL;
	for (int i = 0; i < head[9] && verdict == FAN_UE_MBMS_ACCEPTED; i++)
		keep_key_set(&sets[i]);
	OPENSSL_cleanse(sets, sizeof(sets));
	return verdict;
}

/* ---- The UE ------------------------------------------------------------------------------------------------------------ */

static bool
copy_name(struct name *name, const char *text)
{
	name->length = strlen(text);
	if (name->length < 1 || name->length > NAI_MAX)
		return false;
	memcpy(name->text, text, name->length);
	return true;
}

struct fan_ue_mbms *
fan_ue_mbms_open(const uint8_t muk[MUK_BYTES], const char *bm_sc, const char *b_tid)
{
	struct fan_ue_mbms *ue = calloc(1, sizeof(*ue));

	if (!ue || !copy_name(&ue->bm_sc, bm_sc) || !copy_name(&ue->b_tid, b_tid)) {
		free(ue);
		return NULL;
	}
	memcpy(ue->muk, muk, sizeof(ue->muk));
	return ue;
}

void
fan_ue_mbms_close(struct fan_ue_mbms *ue)
{
	if (!ue)
		return;
	OPENSSL_cleanse(ue, sizeof(*ue));
	free(ue);
}

bool
fan_ue_mbms_join(struct fan_ue_mbms *ue, const uint8_t domain[3], uint16_t group)
{
	struct service *service = &ue->service[ue->service_count];

	if (ue->service_count == FAN_UE_MBMS_SERVICES_MAX)
		return false;
	memcpy(service->domain, domain, sizeof(service->domain));
	service->group = group;
	ue->service_count++;
	return true;
}

/* Whether it has these payloads in this order; then it has what is looked at below. */
static bool
is_in_order(const struct message *message, const char *order)
{
	return strcmp(message->order, order) == 0 && message->domain && message->msk_id && message->t && message->mac;
}

enum fan_ue_mbms_verdict
fan_ue_mbms_take(struct fan_ue_mbms *ue, uint8_t *answer, size_t *answer_bytes, const uint8_t *octets, size_t octet_count)
{
	struct message message;
	struct service *service;
	bool of_mtk;

	*answer_bytes = 0;
	if (!take_apart(&message, octets, octet_count))
		return FAN_UE_MBMS_MALFORMED;
	of_mtk = is_in_order(&message, "ETK") && message.mtk_id.at;
	if (!of_mtk && (!is_in_order(&message, "ETRIIK") || message.mtk_id.at))
		return FAN_UE_MBMS_MALFORMED;
	service = find_service(ue, message.domain, fan_ue_octets_load16(message.msk_id));
	if (!service)
		return FAN_UE_MBMS_NOT_JOINED;
	return of_mtk ? take_mtk(service, &message) : take_msk(ue, service, answer, answer_bytes, &message);
}

#define OWN_NAME_BYTES 24 /* base64 of RAND, up to the @ */

/* In/Out: octets, the message that was taken apart. */
static void
clear_own(uint8_t *octets, const struct message *message, const uint8_t *plain)
{
	memset(octets + (message->t - octets), 0, 4);
	memset(octets + (message->id[1].at - octets), 0, OWN_NAME_BYTES);
	memcpy(octets + (message->encrypted.at - octets), plain, message->encrypted.left);
	memset(octets + (message->mac - octets), 0, MAC_BYTES);
}

static bool
is_text(const char *text, const struct fan_ue_octets *octets)
{
	return octets->left == strlen(text) && memcmp(octets->at, text, octets->left) == 0;
}

enum fan_ue_mbms_verdict
fan_ue_mbms_open_msk(uint8_t *octets, uint32_t *t, const struct fan_ue_mbms_name *name, uint64_t t_next, size_t octet_count)
{
	struct message message;
	struct keys keys;
	uint8_t plain[30];
	struct msk msk = { .present = false };
	enum fan_ue_mbms_verdict verdict;

	if (!take_apart(&message, octets, octet_count) || !is_in_order(&message, "ETRIIK") || message.mtk_id.at ||
	    (message.encrypted.left != 26 && message.encrypted.left != 30))
		return FAN_UE_MBMS_MALFORMED;
	if (!is_text(name->bm_sc, &message.id[0]) || !is_text(name->b_tid, &message.id[1]) ||
	    message.id[1].left < OWN_NAME_BYTES)
		return FAN_UE_MBMS_NOT_MINE;
	verdict = open_kemac(plain, &keys, &message, name->muk, MUK_BYTES);
	if (verdict == FAN_UE_MBMS_ACCEPTED && !read_msk(&msk, plain, message.encrypted.left))
		verdict = FAN_UE_MBMS_MALFORMED;
	*t = fan_ue_octets_load32(message.t);
	if (verdict == FAN_UE_MBMS_ACCEPTED && *t < t_next)
		verdict = FAN_UE_MBMS_REPLAY;
	if (verdict == FAN_UE_MBMS_ACCEPTED)
		clear_own(octets, &message, plain);
	OPENSSL_cleanse(plain, sizeof(plain));
	OPENSSL_cleanse(&keys, sizeof(keys));
	OPENSSL_cleanse(&msk, sizeof(msk));
	return verdict;
}

bool
fan_ue_mbms_stream_key(const struct fan_ue_mbms *ue, uint8_t key[FAN_UE_MBMS_STREAM_KEY_BYTES],
		       const uint8_t mki[FAN_UE_MBMS_MKI_BYTES])
{
	const uint32_t msk_id = fan_ue_octets_load32(mki), mtk_id = fan_ue_octets_load16(mki + 4);

	for (unsigned i = 0; i < ue->service_count * MSKS; i++) {
		const struct msk *msk = &ue->service[i / MSKS].msk[i % MSKS];

		for (unsigned j = 0; j < MTKS && msk->present && msk->id == msk_id; j++) {
			if (msk->mtk[j].present && msk->mtk[j].id == mtk_id) {
				memcpy(key, msk->mtk[j].key_and_salt, FAN_UE_MBMS_STREAM_KEY_BYTES);
				return true;
			}
		}
	}
	return false;
}
