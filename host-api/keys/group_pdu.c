/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "group_pdu.h"

#include "../../dataplane/engine/reference/reference.h"
#include "aes.h"

#include <openssl/evp.h>
#include <string.h>

enum { VERSION = 1, DOWNLINK = 1, EIA2_PREFIX_BYTES = 8 };

struct fan_group_signer {
	EVP_PKEY *pair;
	uint8_t verifier[FAN_GROUP_VERIFIER_BYTES];
};

/* ---- Signatures --------------------------------------------------------------------------------------------------------------- */

int
fan_group_signer_open(struct fan_group_signer **out, const uint8_t secret[32])
{
	struct fan_group_signer *signer = calloc(1, sizeof(*signer));
	size_t verifier_bytes = sizeof(signer->verifier);

	*out = NULL;
	if (signer != NULL)
		signer->pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, 32);
	if (signer == NULL || signer->pair == NULL ||
	    EVP_PKEY_get_raw_public_key(signer->pair, signer->verifier, &verifier_bytes) != 1) {
		fan_group_signer_close(signer);
		return fan_fail(FAN_E_MEMORY, "OpenSSL has no memory for Ed25519, or no such algorithm");
	}
	*out = signer;
	return 0;
}

void
fan_group_signer_close(struct fan_group_signer *signer)
{
	if (signer == NULL)
		return;
	EVP_PKEY_free(signer->pair);
	free(signer);
}

void
fan_group_signer_verifier(uint8_t verifier[FAN_GROUP_VERIFIER_BYTES], const struct fan_group_signer *signer)
{
	memcpy(verifier, signer->verifier, FAN_GROUP_VERIFIER_BYTES);
}

/* Signs the PDU so far, and the GID, of which it holds but a tag. */
static bool
sign(uint8_t *pdu, size_t pdu_bytes, const struct fan_group_signer *signer, const struct fan_group_gid *gid)
{
	static const char label[] = "fanfare group message 1";
	uint8_t text[sizeof(label) + FAN_GROUP_GID_OCTETS_MAX + FAN_GROUP_PDU_BYTES_MAX], *at = text;
	size_t signature_bytes = FAN_GROUP_SIGNATURE_BYTES;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good;

	memcpy(at, label, sizeof(label) - 1);
	at += sizeof(label) - 1;
	*at++ = gid->octet_count;
	memcpy(at, gid->octets, gid->octet_count);
	at += gid->octet_count;
	memcpy(at, pdu, pdu_bytes);
	at += pdu_bytes;
	good = context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, signer->pair) == 1 &&
	       EVP_DigestSign(context, pdu + pdu_bytes, &signature_bytes, text, (size_t)(at - text)) == 1;
	EVP_MD_CTX_free(context);
	return good;
}

/* ---- Cipher and tag: AES by OpenSSL, SNOW 3G and ZUC by the reference engine ---------------------------------------------------- */

/* COUNT, BEARER, DIRECTION, zeros (TS 33.401 B.1.3, B.2.3). */
static void
write_prefix(uint8_t prefix[EIA2_PREFIX_BYTES], uint32_t count)
{
	memset(prefix, 0, EIA2_PREFIX_BYTES);
	for (unsigned i = 0; i < 4; i++)
		prefix[i] = (uint8_t)(count >> (24 - 8 * i));
	prefix[4] = FAN_GROUP_BEARER << 3 | DOWNLINK << 2;
}

static bool
cipher_aes(uint8_t *text, const uint8_t key[FAN_KEY_BYTES], uint32_t count, size_t text_bytes)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-128-CTR", NULL);
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t counter[16] = { 0 };
	int written = 0;
	bool good;

	write_prefix(counter, count);
	good = cipher != NULL && context != NULL && EVP_EncryptInit_ex2(context, cipher, key, counter, NULL) == 1 &&
	       EVP_EncryptUpdate(context, text, &written, text, (int)text_bytes) == 1 && (size_t)written == text_bytes;
	EVP_CIPHER_CTX_free(context);
	EVP_CIPHER_free(cipher);
	return good;
}

static bool
cipher_payload(uint8_t *text, const struct fan_group_key *key, uint32_t count, size_t text_bytes)
{
	if (key->cipher == 0)
		return true;
	if (key->cipher == 2)
		return cipher_aes(text, key->k_conf, count, text_bytes);
	fan_reference_cipher(text, key->cipher, key->k_conf, count, FAN_GROUP_BEARER, DOWNLINK, text, 8 * text_bytes);
	return true;
}

/* Out: the first tag_bytes octets of CMAC, behind what it is over. */
static bool
tag_aes(uint8_t *pdu, size_t pdu_bytes, const struct fan_group_key *key, uint32_t count)
{
	uint8_t prefix[EIA2_PREFIX_BYTES], whole[FAN_AES_BYTES];

	write_prefix(prefix, count);
	if (!fan_aes_cmac(whole, key->k_integ, prefix, sizeof(prefix), pdu, pdu_bytes))
		return false;
	memcpy(pdu + pdu_bytes, whole, key->tag_bytes);
	return true;
}

static bool
tag_pdu(uint8_t *pdu, size_t pdu_bytes, const struct fan_group_key *key, uint32_t count)
{
	uint32_t mac;

	if (key->integrity == 2)
		return tag_aes(pdu, pdu_bytes, key, count);
	mac = fan_reference_mac(key->integrity, key->k_integ, count, FAN_GROUP_BEARER, DOWNLINK, pdu, 8 * pdu_bytes);
	for (unsigned i = 0; i < FAN_MAC_BYTES; i++)
		pdu[pdu_bytes + i] = (uint8_t)(mac >> (24 - 8 * i));
	return true;
}

/* ---- A PDU ------------------------------------------------------------------------------------------------------------------------ */

static bool
write_header(uint8_t *pdu, const struct fan_group_key *key, uint32_t count)
{
	uint8_t digest[32];

	if (EVP_Digest(key->gid.octets, key->gid.octet_count, digest, NULL, EVP_sha256(), NULL) != 1)
		return false;
	pdu[0] = (uint8_t)(VERSION << 4 | key->cipher << 2 | key->integrity);
	memcpy(pdu + 1, digest, 4);
	pdu[5] = key->gki;
	for (unsigned i = 0; i < 4; i++)
		pdu[6 + i] = (uint8_t)(count >> (24 - 8 * i));
	return true;
}

static int
check(const struct fan_group_keys *keys, const struct fan_group_sending *sending, size_t payload_bytes)
{
	const struct fan_group_key *const key = &keys->current;
	int error;

	if (!keys->has_current)
		return fan_fail(FAN_E_NOT_FOUND, "the group has no key: make one first");
	if (payload_bytes < 1 || payload_bytes > FAN_GROUP_PAYLOAD_BYTES_MAX)
		return fan_fail(FAN_E_INVALID, "%zu octets under a group key: 1 to %d", payload_bytes,
				FAN_GROUP_PAYLOAD_BYTES_MAX);
	error = fan_group_key_check(key);
	if (error != 0)
		return error;
	if (!fan_group_key_is_valid(key, sending->now_s))
		return fan_fail(FAN_E_INVALID, "the group's key %u is not valid now: renew it", key->gki);
	if (key->is_signed &&
	    (sending->signer == NULL || memcmp(sending->signer->verifier, key->verifier, FAN_GROUP_VERIFIER_BYTES) != 0))
		return fan_fail(FAN_E_INVALID, "the group takes what is signed by the key that it was given, and by no other");
	return 0;
}

/* Out: *count, which is spent from here on. */
static int
take_count(uint32_t *count, struct fan_group_keys *keys, const struct fan_group_sending *sending)
{
	const int64_t taken = sending->take(sending->user, &keys->current);

	if (taken < 0)
		return (int)taken;
	if (taken > UINT32_MAX)
		return fan_fail(FAN_E_INVALID, "COUNT of the group's key %u is at its end: renew it", keys->current.gki);
	if (taken < keys->current.first_count || (uint64_t)taken < keys->count_unsealed)
		return fan_fail(FAN_E_INVALID, "COUNT %u of the group's key %u was given out before, or is below its first",
				(unsigned)taken, keys->current.gki);
	keys->count_unsealed = (uint64_t)taken + 1;
	*count = (uint32_t)taken;
	return 0;
}

/* Returns the octets of the PDU, 0 when OpenSSL failed. */
static size_t
protect(uint8_t *pdu, const struct fan_group_key *key, const struct fan_group_signer *signer, uint32_t count,
	const void *payload, size_t payload_bytes)
{
	size_t pdu_bytes = FAN_GROUP_HEADER_BYTES + payload_bytes;

	memcpy(pdu + FAN_GROUP_HEADER_BYTES, payload, payload_bytes);
	if (!write_header(pdu, key, count) || !cipher_payload(pdu + FAN_GROUP_HEADER_BYTES, key, count, payload_bytes) ||
	    !tag_pdu(pdu, pdu_bytes, key, count))
		return 0;
	pdu_bytes += key->tag_bytes;
	if (!key->is_signed)
		return pdu_bytes;
	return sign(pdu, pdu_bytes, signer, &key->gid) ? pdu_bytes + FAN_GROUP_SIGNATURE_BYTES : 0;
}

int
fan_group_pdu_seal(uint8_t pdu[FAN_GROUP_PDU_BYTES_MAX], struct fan_group_keys *keys, const struct fan_group_sending *sending,
		   const void *payload, size_t payload_bytes)
{
	int error = check(keys, sending, payload_bytes);
	size_t pdu_bytes = 0;
	uint32_t count = 0;

	if (error == 0)
		error = take_count(&count, keys, sending);
	if (error == 0)
		pdu_bytes = protect(pdu, &keys->current, sending->signer, count, payload, payload_bytes);
	if (error == 0 && pdu_bytes == 0)
		error = fan_fail(FAN_E_MEMORY, "OpenSSL could not protect a group message; its COUNT is spent");
	if (error == 0)
		return (int)pdu_bytes;
	explicit_bzero(pdu, FAN_GROUP_PDU_BYTES_MAX);
	return error;
}
