/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "mikey.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

/* ---- Octets of the messages: RFC 3830 6, RFC 4563 4 --------------------------------------------------------------------- */

enum payload {
	PAYLOAD_LAST = 0,
	PAYLOAD_KEMAC = 1,
	PAYLOAD_T = 5,
	PAYLOAD_ID = 6,
	PAYLOAD_V = 9,
	PAYLOAD_RAND = 11,
	PAYLOAD_EXT = 21,
};

enum {
	VERSION = 1,
	DATA_TYPE_PSK = 0,
	DATA_TYPE_PSK_VERIFICATION = 1,
	VERIFY = 0x80, /* PRF function 0, MIKEY-1, in the other bits */
	MAP_EMPTY = 1, /* RFC 4563 4.1 */
	EXT_KEY_ID = 3,
	KEY_ID_DOMAIN = 0,
	KEY_ID_MSK = 1,
	KEY_ID_MTK = 2,
	TS_COUNTER = 2,
	ID_NAI = 0,
	ENCR_AES_CM_128 = 1,
	MAC_HMAC_SHA_1_160 = 1,
	KEY_TEK = 2 << 4,
	KEY_TEK_SALT = 3 << 4,
	KV_NULL = 0,
	KV_INTERVAL = 2,
};

#define MSK_ID_BYTES 4
#define MTK_ID_BYTES 2
#define MTK_ID_BYTES_LONG 4 /* of cards for broadcast television; read, never written */
#define MSK_DATA_BYTES (4 + FAN_MIKEY_KEY_BYTES + 2 * (1 + MTK_ID_BYTES))
#define MTK_DATA_BYTES (4 + FAN_MIKEY_KEY_BYTES)
#define MTK_SALT_DATA_BYTES (MTK_DATA_BYTES + 2 + FAN_MIKEY_SALT_BYTES)
#define MSK_DATA_LONG_BYTES (MSK_DATA_BYTES + 2 * (MTK_ID_BYTES_LONG - MTK_ID_BYTES))
#define DATA_BYTES_MAX MTK_SALT_DATA_BYTES

static_assert(MSK_DATA_LONG_BYTES <= DATA_BYTES_MAX, "key data of every message fits");
static_assert(FAN_MIKEY_BYTES_MAX >= 57 + 2 * (4 + FAN_MIKEY_IDENTITY_BYTES_MAX) + DATA_BYTES_MAX, "a message fits");

/* What is written: an end that moves. Room is the caller's promise. */
struct pen {
	uint8_t *at;
};

static void
put(struct pen *pen, const void *octets, size_t octet_count)
{
	memcpy(pen->at, octets, octet_count);
	pen->at += octet_count;
}

static void
put_number(struct pen *pen, uint32_t number, unsigned octet_count)
{
	for (unsigned i = octet_count; i > 0; i--)
		*pen->at++ = (uint8_t)(number >> 8 * (i - 1));
}

static void
put_header(struct pen *pen, uint8_t data_type, enum payload next, const struct fan_mikey_head *head)
{
	put_number(pen, VERSION, 1);
	put_number(pen, data_type, 1);
	put_number(pen, next, 1);
	put_number(pen, data_type == DATA_TYPE_PSK && head->verify ? VERIFY : 0, 1);
	put_number(pen, head->csb_id, 4);
	put_number(pen, 0, 1); /* crypto sessions */
	put_number(pen, MAP_EMPTY, 1);
}

static void
put_key_ids(struct pen *pen, const struct fan_mikey_head *head, uint32_t msk_id, const struct fan_mikey_mtk *mtk)
{
	const unsigned mtk_bytes = mtk == NULL ? 0 : 2 + MTK_ID_BYTES;

	put_number(pen, PAYLOAD_T, 1);
	put_number(pen, EXT_KEY_ID, 1);
	put_number(pen, 2 + FAN_MIKEY_DOMAIN_BYTES + 2 + MSK_ID_BYTES + mtk_bytes, 2);
	put_number(pen, KEY_ID_DOMAIN, 1);
	put_number(pen, FAN_MIKEY_DOMAIN_BYTES, 1);
	put(pen, head->domain, FAN_MIKEY_DOMAIN_BYTES);
	put_number(pen, KEY_ID_MSK, 1);
	put_number(pen, MSK_ID_BYTES, 1);
	put_number(pen, msk_id, MSK_ID_BYTES);
	if (mtk == NULL)
		return;
	put_number(pen, KEY_ID_MTK, 1);
	put_number(pen, MTK_ID_BYTES, 1);
	put_number(pen, mtk->id, MTK_ID_BYTES);
}

static void
put_time(struct pen *pen, enum payload next, uint32_t counter)
{
	put_number(pen, next, 1);
	put_number(pen, TS_COUNTER, 1);
	put_number(pen, counter, 4);
}

static void
put_identity(struct pen *pen, enum payload next, const struct fan_mikey_identity *identity)
{
	put_number(pen, next, 1);
	put_number(pen, ID_NAI, 1);
	put_number(pen, identity->byte_count, 2);
	put(pen, identity->text, identity->byte_count);
}

/* KEMAC up to its key data; they, one octet more and the MAC follow. */
static void
put_kemac(struct pen *pen, uint16_t data_bytes)
{
	put_number(pen, PAYLOAD_LAST, 1);
	put_number(pen, ENCR_AES_CM_128, 1);
	put_number(pen, data_bytes, 2);
}

static void
put_msk_data(struct pen *pen, const struct fan_mikey_msk *msk)
{
	put_number(pen, PAYLOAD_LAST, 1);
	put_number(pen, KEY_TEK | KV_INTERVAL, 1);
	put_number(pen, FAN_MIKEY_KEY_BYTES, 2);
	put(pen, msk->key, FAN_MIKEY_KEY_BYTES);
	put_number(pen, MTK_ID_BYTES, 1);
	put_number(pen, msk->mtk_first, MTK_ID_BYTES);
	put_number(pen, MTK_ID_BYTES, 1);
	put_number(pen, msk->mtk_last, MTK_ID_BYTES);
}

static void
put_mtk_data(struct pen *pen, const struct fan_mikey_mtk *mtk)
{
	put_number(pen, PAYLOAD_LAST, 1);
	put_number(pen, (mtk->has_salt ? KEY_TEK_SALT : KEY_TEK) | KV_NULL, 1);
	put_number(pen, FAN_MIKEY_KEY_BYTES, 2);
	put(pen, mtk->key, FAN_MIKEY_KEY_BYTES);
	if (!mtk->has_salt)
		return;
	put_number(pen, FAN_MIKEY_SALT_BYTES, 2);
	put(pen, mtk->salt, FAN_MIKEY_SALT_BYTES);
}

/* ---- Reading: structure ------------------------------------------------------------------------------------------------ */

/* What is left to read. Once something does not fit, `good` stays false and what is taken is zeros. */
struct cursor {
	const uint8_t *at;
	size_t left;
	bool good;
};

static const uint8_t *
take(struct cursor *cursor, size_t octet_count)
{
	static const uint8_t nothing[UINT8_MAX + 1];
	const uint8_t *const taken = cursor->at;

	cursor->good = cursor->good && octet_count <= cursor->left;
	if (!cursor->good)
		return nothing;
	cursor->at += octet_count;
	cursor->left -= octet_count;
	return taken;
}

/* octet_count is at most 4. */
static uint32_t
take_number(struct cursor *cursor, size_t octet_count)
{
	const uint8_t *const octets = take(cursor, octet_count);
	uint32_t number = 0;

	for (size_t i = 0; i < octet_count; i++)
		number = number << 8 | octets[i];
	return number;
}

static void
expect(struct cursor *cursor, uint32_t number, size_t octet_count)
{
	cursor->good = (take_number(cursor, octet_count) == number) && cursor->good;
}

static struct cursor
take_part(struct cursor *cursor, size_t octet_count)
{
	const uint8_t *const octets = take(cursor, octet_count);

	return (struct cursor){ octets, cursor->good ? octet_count : 0, cursor->good };
}

static void
take_header(struct cursor *cursor, struct fan_mikey_message *message)
{
	uint32_t data_type, next, flags;

	expect(cursor, VERSION, 1);
	data_type = take_number(cursor, 1);
	next = take_number(cursor, 1);
	flags = take_number(cursor, 1);
	message->head.csb_id = take_number(cursor, 4);
	expect(cursor, 0, 1);
	expect(cursor, MAP_EMPTY, 1);
	message->head.verify = flags == VERIFY;
	if (data_type == DATA_TYPE_PSK_VERIFICATION) {
		message->kind = FAN_MIKEY_VERIFICATION;
		cursor->good = cursor->good && next == PAYLOAD_T && flags == 0;
		return;
	}
	cursor->good = cursor->good && data_type == DATA_TYPE_PSK && next == PAYLOAD_EXT && (flags & ~(uint32_t)VERIFY) == 0;
}

/* The ids in this order, each once: domain, MSK, and for an MTK message MTK. */
static void
take_key_ids(struct cursor *cursor, struct fan_mikey_message *message)
{
	struct cursor ids;
	size_t mtk_bytes;

	expect(cursor, PAYLOAD_T, 1);
	expect(cursor, EXT_KEY_ID, 1);
	ids = take_part(cursor, take_number(cursor, 2));
	expect(&ids, KEY_ID_DOMAIN << 8 | FAN_MIKEY_DOMAIN_BYTES, 2);
	memcpy(message->head.domain, take(&ids, FAN_MIKEY_DOMAIN_BYTES), FAN_MIKEY_DOMAIN_BYTES);
	expect(&ids, KEY_ID_MSK << 8 | MSK_ID_BYTES, 2);
	message->msk_id = take_number(&ids, MSK_ID_BYTES);
	message->kind = ids.left == 0 ? FAN_MIKEY_MSK : FAN_MIKEY_MTK;
	if (ids.left != 0) {
		expect(&ids, KEY_ID_MTK, 1);
		mtk_bytes = take_number(&ids, 1);
		ids.good = ids.good && (mtk_bytes == MTK_ID_BYTES || mtk_bytes == MTK_ID_BYTES_LONG);
		message->mtk_id = ids.good ? take_number(&ids, mtk_bytes) : 0;
	}
	cursor->good = cursor->good && ids.good && ids.left == 0;
}

static void
take_time(struct cursor *cursor, struct fan_mikey_message *message, enum payload next)
{
	expect(cursor, next, 1);
	expect(cursor, TS_COUNTER, 1);
	message->head.counter = take_number(cursor, 4);
}

static void
take_identity(struct cursor *cursor, struct fan_mikey_identity *identity, enum payload next)
{
	expect(cursor, next, 1);
	expect(cursor, ID_NAI, 1);
	identity->byte_count = (uint16_t)take_number(cursor, 2);
	cursor->good = cursor->good && identity->byte_count >= 1 && identity->byte_count <= FAN_MIKEY_IDENTITY_BYTES_MAX;
	identity->text = (const char *)take(cursor, identity->byte_count);
}

static void
take_rand_and_identities(struct cursor *cursor, struct fan_mikey_message *message)
{
	expect(cursor, PAYLOAD_ID, 1);
	expect(cursor, FAN_MIKEY_RAND_BYTES, 1);
	memcpy(message->head.rand, take(cursor, FAN_MIKEY_RAND_BYTES), FAN_MIKEY_RAND_BYTES);
	take_identity(cursor, &message->idi, PAYLOAD_ID);
	take_identity(cursor, &message->idr, PAYLOAD_KEMAC);
}

static bool
may_be_key_data(enum fan_mikey_kind kind, size_t octet_count)
{
	return kind == FAN_MIKEY_MSK ? octet_count == MSK_DATA_BYTES || octet_count == MSK_DATA_LONG_BYTES
				     : octet_count == MTK_DATA_BYTES || octet_count == MTK_SALT_DATA_BYTES;
}

static void
take_kemac(struct cursor *cursor, struct fan_mikey_message *message)
{
	expect(cursor, PAYLOAD_LAST, 1);
	expect(cursor, ENCR_AES_CM_128, 1);
	message->encrypted_bytes = (uint16_t)take_number(cursor, 2);
	cursor->good = cursor->good && may_be_key_data(message->kind, message->encrypted_bytes);
	message->encrypted = take(cursor, cursor->good ? message->encrypted_bytes : 0);
	expect(cursor, MAC_HMAC_SHA_1_160, 1);
	(void)take(cursor, FAN_MIKEY_MAC_BYTES);
}

static void
take_verification(struct cursor *cursor, struct fan_mikey_message *message)
{
	const bool named = cursor->left > 0 && cursor->at[0] == PAYLOAD_ID;

	take_time(cursor, message, named ? PAYLOAD_ID : PAYLOAD_V);
	if (named)
		take_identity(cursor, &message->idr, PAYLOAD_V);
	expect(cursor, PAYLOAD_LAST, 1);
	expect(cursor, MAC_HMAC_SHA_1_160, 1);
	(void)take(cursor, FAN_MIKEY_MAC_BYTES);
}

enum fan_mikey_verdict
fan_mikey_parse(struct fan_mikey_message *message, const uint8_t *octets, size_t octet_count)
{
	struct cursor cursor = { octets, octet_count, octet_count <= FAN_MIKEY_BYTES_MAX };

	*message = (struct fan_mikey_message){ .octets = octets, .octet_count = (uint16_t)octet_count };
	take_header(&cursor, message);
	if (message->kind == FAN_MIKEY_VERIFICATION) {
		take_verification(&cursor, message);
	} else {
		take_key_ids(&cursor, message);
		take_time(&cursor, message, message->kind == FAN_MIKEY_MSK ? PAYLOAD_RAND : PAYLOAD_KEMAC);
		if (message->kind == FAN_MIKEY_MSK)
			take_rand_and_identities(&cursor, message);
		take_kemac(&cursor, message);
	}
	return cursor.good && cursor.left == 0 ? FAN_MIKEY_ACCEPTED : FAN_MIKEY_MALFORMED;
}

const char *
fan_mikey_verdict_name(enum fan_mikey_verdict verdict)
{
	static const char *const names[] = {
		[FAN_MIKEY_ACCEPTED] = "accepted",
		[FAN_MIKEY_MALFORMED] = "malformed",
		[FAN_MIKEY_WRONG_NAME] = "wrong-name",
		[FAN_MIKEY_UNKNOWN_MSK] = "unknown-msk",
		[FAN_MIKEY_WRONG_MAC] = "wrong-mac",
		[FAN_MIKEY_REPLAY] = "replay",
		[FAN_MIKEY_OUT_OF_VALIDITY] = "out-of-validity",
		[FAN_MIKEY_THIRD_MSK] = "third-msk",
		[FAN_MIKEY_FAILED] = "failed",
	};

	return names[verdict];
}

/* ---- Keys of a message ------------------------------------------------------------------------------------------------- */

#define LABEL_BYTES_MAX (4 + 1 + 4 + FAN_MIKEY_RAND_BYTES)

struct fan_mikey {
	EVP_MAC_CTX *hmac;
	EVP_CIPHER_CTX *cipher;
	EVP_CIPHER *ctr;
};

struct message_keys {
	uint8_t encr[FAN_MIKEY_KEY_BYTES];
	uint8_t salt[FAN_MIKEY_SALT_BYTES];
	uint8_t auth[FAN_MIKEY_MAC_BYTES];
};

int
fan_mikey_open(struct fan_mikey **out)
{
	static char digest[] = "SHA1";
	const OSSL_PARAM choice[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_END };
	struct fan_mikey *mikey = calloc(1, sizeof(*mikey));
	EVP_MAC *const hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	*out = NULL;
	if (mikey != NULL && hmac != NULL) {
		mikey->hmac = EVP_MAC_CTX_new(hmac);
		mikey->cipher = EVP_CIPHER_CTX_new();
		mikey->ctr = EVP_CIPHER_fetch(NULL, "AES-128-CTR", NULL);
	}
	EVP_MAC_free(hmac);
	if (mikey == NULL || mikey->hmac == NULL || mikey->cipher == NULL || mikey->ctr == NULL ||
	    EVP_MAC_CTX_set_params(mikey->hmac, choice) != 1) {
		fan_mikey_close(mikey);
		return fan_fail(FAN_E_MEMORY, "OpenSSL has no memory for HMAC-SHA-1 and AES, or no such algorithms");
	}
	*out = mikey;
	return 0;
}

void
fan_mikey_close(struct fan_mikey *mikey)
{
	if (mikey == NULL)
		return;
	EVP_MAC_CTX_free(mikey->hmac);
	EVP_CIPHER_CTX_free(mikey->cipher);
	EVP_CIPHER_free(mikey->ctr);
	free(mikey);
}

/* HMAC of some spans under a key of any length; NULL: under the one before, which saves its two blocks. */
struct span {
	const void *octets;
	size_t octet_count;
};

static bool
hmac(struct fan_mikey *mikey, uint8_t mac[FAN_MIKEY_MAC_BYTES], const uint8_t *key, size_t key_bytes, const struct span *spans,
     unsigned span_count)
{
	bool good = EVP_MAC_init(mikey->hmac, key, key_bytes, NULL) == 1;

	for (unsigned i = 0; good && i < span_count; i++)
		good = EVP_MAC_update(mikey->hmac, spans[i].octets, spans[i].octet_count) == 1;
	return good && EVP_MAC_final(mikey->hmac, mac, NULL, FAN_MIKEY_MAC_BYTES) == 1;
}

/*
 * RFC 3830 4.1.2 where it is simplest: the key is one block of 256 bits or less, and what is asked for is no longer than one HMAC:
 * out = HMAC(key, A1 || label), A1 = HMAC(key, label).
 */
static bool
prf(struct fan_mikey *mikey, uint8_t *out, size_t out_bytes, const struct span *key, const uint8_t *label, size_t label_bytes)
{
	uint8_t first[FAN_MIKEY_MAC_BYTES], second[FAN_MIKEY_MAC_BYTES];
	const struct span once[] = { { label, label_bytes } }, twice[] = { { first, sizeof(first) }, { label, label_bytes } };
	const bool good = hmac(mikey, first, key->octets, key->octet_count, once, 1) && hmac(mikey, second, NULL, 0, twice, 2);

	if (good)
		memcpy(out, second, out_bytes);
	explicit_bzero(first, sizeof(first));
	explicit_bzero(second, sizeof(second));
	return good;
}

/* Constants of RFC 3830 4.1.4. */
static bool
derive(struct fan_mikey *mikey, struct message_keys *keys, const struct span *key, const struct fan_mikey_head *head,
       bool with_rand)
{
	enum { ENCR = 0x150533e1, SALT = 0x29b88916, AUTH = 0x2d22ac75 };
	const struct {
		uint32_t constant;
		uint8_t *out;
		size_t out_bytes;
	} wanted[] = {
		{ ENCR, keys->encr, sizeof(keys->encr) },
		{ SALT, keys->salt, sizeof(keys->salt) },
		{ AUTH, keys->auth, sizeof(keys->auth) },
	};
	static const struct span as_before;
	bool good = true;

	for (unsigned i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		uint8_t label[LABEL_BYTES_MAX];
		struct pen pen = { label };

		put_number(&pen, wanted[i].constant, 4);
		put_number(&pen, 0xff, 1); /* of no crypto session */
		put_number(&pen, head->csb_id, 4);
		if (with_rand)
			put(&pen, head->rand, FAN_MIKEY_RAND_BYTES);
		good = good && prf(mikey, wanted[i].out, wanted[i].out_bytes, i == 0 ? key : &as_before, label,
				   (size_t)(pen.at - label));
	}
	return good;
}

static bool
derive_from_muk(struct fan_mikey *mikey, struct message_keys *keys, const struct fan_mikey_user *user,
		const struct fan_mikey_head *head)
{
	return derive(mikey, keys, &(struct span){ user->muk, FAN_MIKEY_MUK_BYTES }, head, true);
}

static bool
derive_from_msk(struct fan_mikey *mikey, struct message_keys *keys, const struct fan_mikey_msk *msk,
		const struct fan_mikey_head *head)
{
	return derive(mikey, keys, &(struct span){ msk->key, FAN_MIKEY_KEY_BYTES }, head, false);
}

/* AES-CM (RFC 3830 4.2.3): IV = (salt xor (0000 || CSB-ID || T of 8 octets)) || 0000. Both ways. */
static bool
cipher(struct fan_mikey *mikey, uint8_t *out, const uint8_t *in, size_t octet_count, const struct message_keys *keys,
       const struct fan_mikey_head *head)
{
	uint8_t iv[16] = { 0 };
	struct pen pen = { iv + 2 };
	int done;
	bool good;

	put_number(&pen, head->csb_id, 4);
	put_number(&pen, 0, 4);
	put_number(&pen, head->counter, 4);
	for (unsigned i = 0; i < FAN_MIKEY_SALT_BYTES; i++)
		iv[i] ^= keys->salt[i];
	good = EVP_EncryptInit_ex2(mikey->cipher, mikey->ctr, keys->encr, iv, NULL) == 1 &&
	       EVP_EncryptUpdate(mikey->cipher, out, &done, in, (int)octet_count) == 1;
	explicit_bzero(iv, sizeof(iv));
	return good;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------------- */

/* Cards for broadcast television count MTKs in 32 bits; 3GPP has 16 (TS 24.501 9.11.4.31). */
static int
check_mtk_ids(uint32_t first, uint32_t last)
{
	if (first > UINT16_MAX || last > UINT16_MAX)
		return fan_fail(FAN_E_INVALID, "an MTK ID of %u: 0 to %d", first > last ? first : last, UINT16_MAX);
	return 0;
}

static int
check_user(const struct fan_mikey_user *user)
{
	const struct fan_mikey_identity *const both[] = { &user->idi, &user->idr };

	for (unsigned i = 0; i < 2; i++)
		if (both[i]->byte_count < 1 || both[i]->byte_count > FAN_MIKEY_IDENTITY_BYTES_MAX)
			return fan_fail(FAN_E_INVALID, "an identity of %u octets: a NAI has 1 to %d", both[i]->byte_count,
					FAN_MIKEY_IDENTITY_BYTES_MAX);
	return 0;
}

/* Ciphers the key data that stand in front of the pen, and ends the KEMAC behind them. Returns the octets of the message. */
static int
seal(struct fan_mikey *mikey, struct pen *pen, uint8_t *octets, size_t data_bytes, const struct message_keys *keys,
     const struct fan_mikey_head *head)
{
	uint8_t *const data = pen->at - data_bytes;
	bool good = cipher(mikey, data, data, data_bytes, keys, head);

	put_number(pen, MAC_HMAC_SHA_1_160, 1);
	good = good &&
	       hmac(mikey, pen->at, keys->auth, sizeof(keys->auth), &(struct span){ octets, (size_t)(pen->at - octets) }, 1);
	if (!good) {
		explicit_bzero(data, data_bytes);
		return fan_fail(FAN_E_MEMORY, "OpenSSL could not protect a MIKEY message");
	}
	return (int)(pen->at - octets) + FAN_MIKEY_MAC_BYTES;
}

int
fan_mikey_template(struct fan_mikey_template *out, const struct fan_mikey_head *head, const struct fan_mikey_msk *msk,
		   const struct fan_mikey_user *user)
{
	struct pen pen = { out->octets };
	int error = check_user(user);

	if (error == 0)
		error = check_mtk_ids(msk->mtk_first, msk->mtk_last);
	if (error != 0)
		return error;
	put_header(&pen, DATA_TYPE_PSK, PAYLOAD_EXT, head);
	put_key_ids(&pen, head, msk->id, NULL);
	put_time(&pen, PAYLOAD_RAND, head->counter);
	out->places.counter_at = (uint16_t)(pen.at - out->octets - 4);
	put_number(&pen, PAYLOAD_ID, 1);
	put_number(&pen, FAN_MIKEY_RAND_BYTES, 1);
	out->places.rand_at = (uint16_t)(pen.at - out->octets);
	put(&pen, head->rand, FAN_MIKEY_RAND_BYTES);
	put_identity(&pen, PAYLOAD_ID, &user->idi);
	put_identity(&pen, PAYLOAD_KEMAC, &user->idr);
	out->places.name_at = (uint16_t)(pen.at - out->octets - user->idr.byte_count);
	put_kemac(&pen, MSK_DATA_BYTES);
	out->places.secret_at = (uint16_t)(pen.at - out->octets);
	out->places.secret_bytes = MSK_DATA_BYTES;
	put_msk_data(&pen, msk);
	put_number(&pen, MAC_HMAC_SHA_1_160, 1);
	memset(pen.at, 0, FAN_MIKEY_MAC_BYTES);
	out->octet_count = (uint16_t)(pen.at - out->octets + FAN_MIKEY_MAC_BYTES);
	return 0;
}

int
fan_mikey_write_msk(struct fan_mikey *mikey, uint8_t *octets, const struct fan_mikey_head *head,
		    const struct fan_mikey_msk *msk, const struct fan_mikey_user *user)
{
	struct fan_mikey_template clear;
	struct message_keys keys;
	struct pen pen;
	int written = fan_mikey_template(&clear, head, msk, user);

	if (written != 0)
		return written;
	memcpy(octets, clear.octets, clear.octet_count);
	pen.at = octets + clear.places.secret_at + clear.places.secret_bytes;
	written = derive_from_muk(mikey, &keys, user, head)
			  ? seal(mikey, &pen, octets, clear.places.secret_bytes, &keys, head)
			  : fan_fail(FAN_E_MEMORY, "OpenSSL could not derive keys from a MUK");
	if (written < 0)
		explicit_bzero(octets, clear.octet_count);
	explicit_bzero(&keys, sizeof(keys));
	explicit_bzero(&clear, sizeof(clear));
	return written;
}

int
fan_mikey_write_mtk(struct fan_mikey *mikey, uint8_t *octets, const struct fan_mikey_head *head,
		    const struct fan_mikey_msk *msk, const struct fan_mikey_mtk *mtk)
{
	const uint16_t data_bytes = mtk->has_salt ? MTK_SALT_DATA_BYTES : MTK_DATA_BYTES;
	struct fan_mikey_head silent = *head;
	struct message_keys keys;
	struct pen pen = { octets };
	int written = check_mtk_ids(mtk->id, mtk->id);

	if (written != 0)
		return written;
	silent.verify = false; /* an MTK message is for all: nobody answers it */
	if (!derive_from_msk(mikey, &keys, msk, head))
		return fan_fail(FAN_E_MEMORY, "OpenSSL could not derive keys from an MSK");
	put_header(&pen, DATA_TYPE_PSK, PAYLOAD_EXT, &silent);
	put_key_ids(&pen, head, msk->id, mtk);
	put_time(&pen, PAYLOAD_KEMAC, head->counter);
	put_kemac(&pen, data_bytes);
	put_mtk_data(&pen, mtk);
	written = seal(mikey, &pen, octets, data_bytes, &keys, head);
	explicit_bzero(&keys, sizeof(keys));
	return written;
}

/* Over the message up to its MAC, then IDi, IDr and T (RFC 3830 5.2). */
static bool
verification_mac(struct fan_mikey *mikey, uint8_t mac[FAN_MIKEY_MAC_BYTES], const struct fan_mikey_head *head,
		 const struct fan_mikey_user *user, const struct span *message)
{
	const uint8_t t[] = { (uint8_t)(head->counter >> 24), (uint8_t)(head->counter >> 16), (uint8_t)(head->counter >> 8),
			      (uint8_t)head->counter };
	const struct span spans[] = {
		*message, { user->idi.text, user->idi.byte_count }, { user->idr.text, user->idr.byte_count }, { t, sizeof(t) }
	};
	struct message_keys keys;
	const bool good = derive_from_muk(mikey, &keys, user, head) &&
			  hmac(mikey, mac, keys.auth, sizeof(keys.auth), spans, sizeof(spans) / sizeof(*spans));

	explicit_bzero(&keys, sizeof(keys));
	return good;
}

int
fan_mikey_write_verification(struct fan_mikey *mikey, uint8_t *octets, const struct fan_mikey_head *head,
			     const struct fan_mikey_user *user)
{
	struct pen pen = { octets };
	const int error = check_user(user);

	if (error != 0)
		return error;
	put_header(&pen, DATA_TYPE_PSK_VERIFICATION, PAYLOAD_T, head);
	put_time(&pen, PAYLOAD_ID, head->counter);
	put_identity(&pen, PAYLOAD_V, &user->idr);
	put_number(&pen, PAYLOAD_LAST, 1);
	put_number(&pen, MAC_HMAC_SHA_1_160, 1);
	if (!verification_mac(mikey, pen.at, head, user, &(struct span){ octets, (size_t)(pen.at - octets) }))
		return fan_fail(FAN_E_MEMORY, "OpenSSL could not make a verification message");
	return (int)(pen.at - octets) + FAN_MIKEY_MAC_BYTES;
}

/* ---- Reading with keys ------------------------------------------------------------------------------------------------- */

static size_t
covered_bytes(const struct fan_mikey_message *message)
{
	return message->octet_count - (size_t)FAN_MIKEY_MAC_BYTES;
}

static enum fan_mikey_verdict
compare_mac(const struct fan_mikey_message *message, const uint8_t mac[FAN_MIKEY_MAC_BYTES])
{
	return CRYPTO_memcmp(message->octets + covered_bytes(message), mac, FAN_MIKEY_MAC_BYTES) == 0 ? FAN_MIKEY_ACCEPTED
												      : FAN_MIKEY_WRONG_MAC;
}

/* Out: data[], the key data, when the MAC is right. */
static enum fan_mikey_verdict
unseal(struct fan_mikey *mikey, uint8_t data[DATA_BYTES_MAX], const struct fan_mikey_message *message,
       const struct message_keys *keys)
{
	uint8_t mac[FAN_MIKEY_MAC_BYTES];
	enum fan_mikey_verdict verdict;

	if (!hmac(mikey, mac, keys->auth, sizeof(keys->auth), &(struct span){ message->octets, covered_bytes(message) }, 1))
		return FAN_MIKEY_FAILED;
	verdict = compare_mac(message, mac);
	if (verdict == FAN_MIKEY_ACCEPTED &&
	    !cipher(mikey, data, message->encrypted, message->encrypted_bytes, keys, &message->head))
		verdict = FAN_MIKEY_FAILED;
	return verdict;
}

static void
take_key(struct cursor *cursor, uint8_t key[FAN_MIKEY_KEY_BYTES], uint8_t type)
{
	expect(cursor, PAYLOAD_LAST, 1);
	expect(cursor, type, 1);
	expect(cursor, FAN_MIKEY_KEY_BYTES, 2);
	memcpy(key, take(cursor, FAN_MIKEY_KEY_BYTES), FAN_MIKEY_KEY_BYTES);
}

static bool
read_msk_data(struct fan_mikey_msk *msk, const uint8_t *data, size_t data_bytes)
{
	const uint8_t id_bytes = data_bytes == MSK_DATA_BYTES ? MTK_ID_BYTES : MTK_ID_BYTES_LONG;
	struct cursor cursor = { data, data_bytes, true };

	take_key(&cursor, msk->key, KEY_TEK | KV_INTERVAL);
	expect(&cursor, id_bytes, 1);
	msk->mtk_first = take_number(&cursor, id_bytes);
	expect(&cursor, id_bytes, 1);
	msk->mtk_last = take_number(&cursor, id_bytes);
	return cursor.good && cursor.left == 0;
}

static bool
read_mtk_data(struct fan_mikey_mtk *mtk, const uint8_t *data, size_t data_bytes)
{
	struct cursor cursor = { data, data_bytes, true };

	mtk->has_salt = data_bytes == MTK_SALT_DATA_BYTES;
	take_key(&cursor, mtk->key, mtk->has_salt ? KEY_TEK_SALT | KV_NULL : KEY_TEK | KV_NULL);
	if (mtk->has_salt) {
		expect(&cursor, FAN_MIKEY_SALT_BYTES, 2);
		memcpy(mtk->salt, take(&cursor, FAN_MIKEY_SALT_BYTES), FAN_MIKEY_SALT_BYTES);
	}
	return cursor.good && cursor.left == 0;
}

static bool
same_identity(const struct fan_mikey_identity *one, const struct fan_mikey_identity *other)
{
	return one->byte_count == other->byte_count && memcmp(one->text, other->text, one->byte_count) == 0;
}

static struct fan_mikey_held *
find_held(struct fan_mikey_group *group, uint32_t msk_id)
{
	for (unsigned i = 0; i < group->held_count; i++)
		if (group->held[i].msk.id == msk_id)
			return &group->held[i];
	return NULL;
}

static bool
is_used_no_more(const struct fan_mikey_held *held)
{
	return held->msk.mtk_first > held->msk.mtk_last || held->mtk_next > held->msk.mtk_last;
}

/* Where an MSK goes: where one of its id is, behind the last, or where one is that nothing is taken under any more. */
static struct fan_mikey_held *
place_for(struct fan_mikey_group *group, uint32_t msk_id)
{
	struct fan_mikey_held *const same = find_held(group, msk_id);

	if (same != NULL)
		return same;
	if (group->held_count < FAN_MIKEY_MSKS_MAX)
		return &group->held[group->held_count];
	for (unsigned i = 0; i < group->held_count; i++)
		if (is_used_no_more(&group->held[i]))
			return &group->held[i];
	return NULL;
}

/* The same key again keeps what was taken under it; another key under a known id begins anew. */
static void
hold(struct fan_mikey_group *group, struct fan_mikey_held *place, const struct fan_mikey_msk *msk)
{
	const bool known = place < group->held + group->held_count && place->msk.id == msk->id &&
			   CRYPTO_memcmp(place->msk.key, msk->key, FAN_MIKEY_KEY_BYTES) == 0;
	const uint64_t mtk_next = known && place->mtk_next > msk->mtk_first ? place->mtk_next : msk->mtk_first;

	if (place == group->held + group->held_count)
		group->held_count++;
	/* Field by field: a whole struct would leave a copy of the key on the stack. */
	place->msk = *msk;
	place->counter_next = known ? place->counter_next : 0;
	place->mtk_next = mtk_next;
}

static enum fan_mikey_verdict
open_msk(struct fan_mikey *mikey, struct fan_mikey_msk *msk, const struct fan_mikey_message *message,
	 const struct fan_mikey_user *user)
{
	uint8_t data[DATA_BYTES_MAX];
	struct message_keys keys;
	enum fan_mikey_verdict verdict = FAN_MIKEY_FAILED;

	if (derive_from_muk(mikey, &keys, user, &message->head))
		verdict = unseal(mikey, data, message, &keys);
	if (verdict == FAN_MIKEY_ACCEPTED && !read_msk_data(msk, data, message->encrypted_bytes))
		verdict = FAN_MIKEY_MALFORMED;
	explicit_bzero(data, sizeof(data));
	explicit_bzero(&keys, sizeof(keys));
	return verdict;
}

enum fan_mikey_verdict
fan_mikey_read_msk(struct fan_mikey *mikey, struct fan_mikey_group *group, uint32_t *counter_next,
		   const struct fan_mikey_message *message, const struct fan_mikey_user *user)
{
	struct fan_mikey_msk msk = { .id = message->msk_id };
	struct fan_mikey_held *place;
	enum fan_mikey_verdict verdict;

	if (message->kind != FAN_MIKEY_MSK)
		return FAN_MIKEY_MALFORMED;
	if (memcmp(message->head.domain, group->domain, sizeof(group->domain)) != 0 || message->msk_id >> 16 != group->group ||
	    !same_identity(&message->idi, &user->idi) || !same_identity(&message->idr, &user->idr))
		return FAN_MIKEY_WRONG_NAME;
	verdict = open_msk(mikey, &msk, message, user);
	if (verdict == FAN_MIKEY_ACCEPTED && (message->head.counter < *counter_next || message->head.counter == UINT32_MAX))
		verdict = FAN_MIKEY_REPLAY;
	place = place_for(group, msk.id);
	if (verdict == FAN_MIKEY_ACCEPTED && place == NULL)
		verdict = FAN_MIKEY_THIRD_MSK;
	if (verdict == FAN_MIKEY_ACCEPTED) {
		hold(group, place, &msk);
		*counter_next = message->head.counter + 1;
	}
	explicit_bzero(&msk, sizeof(msk));
	return verdict;
}

static enum fan_mikey_verdict
open_mtk(struct fan_mikey *mikey, struct fan_mikey_mtk *mtk, const struct fan_mikey_message *message,
	 const struct fan_mikey_msk *msk)
{
	uint8_t data[DATA_BYTES_MAX];
	struct message_keys keys;
	enum fan_mikey_verdict verdict = FAN_MIKEY_FAILED;

	if (derive_from_msk(mikey, &keys, msk, &message->head))
		verdict = unseal(mikey, data, message, &keys);
	if (verdict == FAN_MIKEY_ACCEPTED && !read_mtk_data(mtk, data, message->encrypted_bytes))
		verdict = FAN_MIKEY_MALFORMED;
	explicit_bzero(data, sizeof(data));
	explicit_bzero(&keys, sizeof(keys));
	return verdict;
}

/* What is left to say of a message whose MAC is right. */
static enum fan_mikey_verdict
judge_mtk(const struct fan_mikey_held *held, const struct fan_mikey_message *message)
{
	if (message->head.counter < held->counter_next || message->head.counter == UINT32_MAX)
		return FAN_MIKEY_REPLAY;
	if (message->mtk_id < held->msk.mtk_first || message->mtk_id > held->msk.mtk_last)
		return FAN_MIKEY_OUT_OF_VALIDITY;
	return message->mtk_id < held->mtk_next ? FAN_MIKEY_REPLAY : FAN_MIKEY_ACCEPTED;
}

enum fan_mikey_verdict
fan_mikey_read_mtk(struct fan_mikey *mikey, struct fan_mikey_mtk *mtk, struct fan_mikey_group *group,
		   const struct fan_mikey_message *message)
{
	struct fan_mikey_held *held;
	enum fan_mikey_verdict verdict;

	*mtk = (struct fan_mikey_mtk){ .id = message->mtk_id };
	if (message->kind != FAN_MIKEY_MTK)
		return FAN_MIKEY_MALFORMED;
	if (memcmp(message->head.domain, group->domain, sizeof(group->domain)) != 0 || message->msk_id >> 16 != group->group)
		return FAN_MIKEY_WRONG_NAME;
	held = find_held(group, message->msk_id);
	if (held == NULL)
		return FAN_MIKEY_UNKNOWN_MSK;
	verdict = open_mtk(mikey, mtk, message, &held->msk);
	if (verdict == FAN_MIKEY_ACCEPTED)
		verdict = judge_mtk(held, message);
	if (verdict == FAN_MIKEY_ACCEPTED) {
		held->counter_next = message->head.counter + 1;
		held->mtk_next = message->mtk_id + (uint64_t)1;
	} else {
		explicit_bzero(mtk, sizeof(*mtk));
	}
	return verdict;
}

enum fan_mikey_verdict
fan_mikey_read_verification(struct fan_mikey *mikey, const struct fan_mikey_head *head, const struct fan_mikey_message *message,
			    const struct fan_mikey_user *user)
{
	uint8_t mac[FAN_MIKEY_MAC_BYTES];
	enum fan_mikey_verdict verdict = FAN_MIKEY_FAILED;

	if (message->kind != FAN_MIKEY_VERIFICATION)
		return FAN_MIKEY_MALFORMED;
	if (message->head.csb_id != head->csb_id || message->head.counter != head->counter ||
	    (message->idr.text != NULL && !same_identity(&message->idr, &user->idr)))
		return FAN_MIKEY_WRONG_NAME;
	if (verification_mac(mikey, mac, head, user, &(struct span){ message->octets, covered_bytes(message) }))
		verdict = compare_mac(message, mac);
	explicit_bzero(mac, sizeof(mac));
	return verdict;
}

void
fan_mikey_forget(struct fan_mikey_group *group)
{
	explicit_bzero(group->held, sizeof(group->held));
	group->held_count = 0;
}
