/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "srtp.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 12
#define AUTH_KEY_BYTES 20
#define DERIVED_BYTES_MAX 96
#define INDEX_END ((uint64_t)1 << 48)

enum { LABEL_ENCR, LABEL_AUTH, LABEL_SALT };

struct fan_srtp {
	EVP_CIPHER_CTX *cipher;
	EVP_MAC_CTX *hmac;
	uint32_t ssrc;
	uint64_t index_next; /* lowest that was not used */
	uint8_t mki[FAN_SRTP_MKI_BYTES];
	uint8_t salt[FAN_SRTP_SALT_BYTES];
};

static void
store(uint8_t *at, uint64_t number, unsigned octet_count)
{
	for (unsigned i = 0; i < octet_count; i++)
		at[i] = (uint8_t)(number >> 8 * (octet_count - 1 - i));
}

/* With key derivation rate 0 the index is not part of it: the salt with the label in its octet 7, then 0000, starts the counter. */
bool
fan_srtp_derive(uint8_t *out, size_t octet_count, const uint8_t key[FAN_SRTP_KEY_BYTES],
		const uint8_t salt[FAN_SRTP_SALT_BYTES], uint8_t label)
{
	static const uint8_t zeros[DERIVED_BYTES_MAX];
	EVP_CIPHER_CTX *const context = EVP_CIPHER_CTX_new();
	uint8_t counter[16] = { 0 };
	int done;
	bool good;

	memcpy(counter, salt, FAN_SRTP_SALT_BYTES);
	counter[7] ^= label;
	good = context != NULL && octet_count <= sizeof(zeros) &&
	       EVP_EncryptInit_ex2(context, EVP_aes_128_ctr(), key, counter, NULL) == 1 &&
	       EVP_EncryptUpdate(context, out, &done, zeros, (int)octet_count) == 1;
	EVP_CIPHER_CTX_free(context);
	explicit_bzero(counter, sizeof(counter));
	return good;
}

static bool
begin_mac(struct fan_srtp *srtp, const uint8_t key[AUTH_KEY_BYTES])
{
	static char digest[] = "SHA1";
	const OSSL_PARAM choice[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_END };
	EVP_MAC *const hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	srtp->hmac = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);
	EVP_MAC_free(hmac);
	return srtp->hmac != NULL && EVP_MAC_init(srtp->hmac, key, AUTH_KEY_BYTES, choice) == 1;
}

/* Session keys go into OpenSSL's contexts and stay there. */
static bool
begin(struct fan_srtp *srtp, const struct fan_srtp_stream *stream)
{
	uint8_t encr[FAN_SRTP_KEY_BYTES], auth[AUTH_KEY_BYTES];
	bool good = fan_srtp_derive(encr, sizeof(encr), stream->key, stream->salt, LABEL_ENCR) &&
		    fan_srtp_derive(auth, sizeof(auth), stream->key, stream->salt, LABEL_AUTH) &&
		    fan_srtp_derive(srtp->salt, sizeof(srtp->salt), stream->key, stream->salt, LABEL_SALT);

	srtp->cipher = EVP_CIPHER_CTX_new();
	good = good && srtp->cipher != NULL && EVP_EncryptInit_ex2(srtp->cipher, EVP_aes_128_ctr(), encr, NULL, NULL) == 1 &&
	       begin_mac(srtp, auth);
	explicit_bzero(encr, sizeof(encr));
	explicit_bzero(auth, sizeof(auth));
	return good;
}

int
fan_srtp_open(struct fan_srtp **out, const struct fan_srtp_stream *stream)
{
	struct fan_srtp *const srtp = calloc(1, sizeof(*srtp));

	*out = NULL;
	if (srtp == NULL || !begin(srtp, stream)) {
		fan_srtp_close(srtp);
		return fan_fail(FAN_E_MEMORY, "OpenSSL has no memory for SRTP's AES and HMAC-SHA-1, or no such algorithms");
	}
	srtp->ssrc = stream->ssrc;
	memcpy(srtp->mki, stream->mki, sizeof(srtp->mki));
	*out = srtp;
	return 0;
}

void
fan_srtp_close(struct fan_srtp *srtp)
{
	if (srtp == NULL)
		return;
	EVP_CIPHER_CTX_free(srtp->cipher);
	EVP_MAC_CTX_free(srtp->hmac);
	explicit_bzero(srtp, sizeof(*srtp));
	free(srtp);
}

/* Octets in front of the payload (RFC 3550 5.1, 5.3.1), 0 when it is no RTP packet. */
static size_t
measure_header(const uint8_t *packet, size_t packet_bytes)
{
	size_t header_bytes = HEADER_BYTES;

	if (packet_bytes < HEADER_BYTES || packet[0] >> 6 != 2)
		return 0;
	header_bytes += 4 * (size_t)(packet[0] & 0xf);
	if ((packet[0] & 0x10) != 0) {
		if (header_bytes + 4 > packet_bytes)
			return 0;
		header_bytes += 4 + 4 * ((size_t)packet[header_bytes + 2] << 8 | packet[header_bytes + 3]);
	}
	return header_bytes <= packet_bytes ? header_bytes : 0;
}

/* The packet's index, when it is one that was not used: the next with these low 16 bits, at most 2^15 ahead. */
static bool
spend_index(struct fan_srtp *srtp, uint64_t *index, uint16_t sequence)
{
	const uint16_t ahead = (uint16_t)(sequence - (uint16_t)srtp->index_next);

	if (srtp->index_next == 0)
		*index = sequence;
	else if (ahead < 0x8000)
		*index = srtp->index_next + ahead;
	else
		return false;
	if (*index >= INDEX_END)
		return false;
	srtp->index_next = *index + 1;
	return true;
}

/* IV = salt 0000 xor SSRC at octets 4 to 7 xor index at octets 8 to 13 (RFC 3711 4.1.1). */
static bool
encipher(struct fan_srtp *srtp, uint8_t *payload, size_t payload_bytes, uint64_t index)
{
	uint8_t iv[16] = { 0 };
	int done;
	bool good;

	store(iv + 4, srtp->ssrc, 4);
	store(iv + 8, index, 6);
	for (unsigned i = 0; i < FAN_SRTP_SALT_BYTES; i++)
		iv[i] ^= srtp->salt[i];
	good = EVP_EncryptInit_ex2(srtp->cipher, NULL, NULL, iv, NULL) == 1 &&
	       EVP_EncryptUpdate(srtp->cipher, payload, &done, payload, (int)payload_bytes) == 1;
	explicit_bzero(iv, sizeof(iv));
	return good;
}

/* Over the packet and the roll-over counter (4.2); MKI and tag stand behind it (3.1). */
static bool
append_tag(struct fan_srtp *srtp, uint8_t *packet, size_t packet_bytes, uint64_t index)
{
	uint8_t roc[4], tag[AUTH_KEY_BYTES];

	store(roc, index >> 16, sizeof(roc));
	if (EVP_MAC_init(srtp->hmac, NULL, 0, NULL) != 1 || EVP_MAC_update(srtp->hmac, packet, packet_bytes) != 1 ||
	    EVP_MAC_update(srtp->hmac, roc, sizeof(roc)) != 1 || EVP_MAC_final(srtp->hmac, tag, NULL, sizeof(tag)) != 1)
		return false;
	memcpy(packet + packet_bytes, srtp->mki, sizeof(srtp->mki));
	memcpy(packet + packet_bytes + sizeof(srtp->mki), tag, FAN_SRTP_TAG_BYTES);
	return true;
}

int
fan_srtp_protect(struct fan_srtp *srtp, uint8_t *packet, size_t packet_bytes)
{
	const size_t header_bytes = measure_header(packet, packet_bytes);
	uint64_t index;

	if (header_bytes == 0 || packet_bytes > UINT16_MAX)
		return fan_fail(FAN_E_INVALID, "%zu octets are no RTP packet", packet_bytes);
	if (((uint32_t)packet[8] << 24 | (uint32_t)packet[9] << 16 | (uint32_t)packet[10] << 8 | packet[11]) != srtp->ssrc)
		return fan_fail(FAN_E_INVALID, "an RTP packet of another SSRC than %08x, which this stream has", srtp->ssrc);
	if (!spend_index(srtp, &index, (uint16_t)(packet[2] << 8 | packet[3])))
		return fan_fail(FAN_E_INVALID, "RTP sequence number %u does not follow the last one: its keystream may be used",
				packet[2] << 8 | packet[3]);
	if (!encipher(srtp, packet + header_bytes, packet_bytes - header_bytes, index) ||
	    !append_tag(srtp, packet, packet_bytes, index))
		return fan_fail(FAN_E_MEMORY, "OpenSSL could not protect an RTP packet");
	return (int)packet_bytes + FAN_SRTP_MORE_BYTES;
}
