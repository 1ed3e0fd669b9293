/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "uicc.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

/* The parts of a packet, as they lie. */
#define HEAD 10
#define COUNTED 6 /* CNTR and PCNTR */
#define SUM 8
#define PACKET_MAX (HEAD + COUNTED + SUM + FAN_UE_UICC_DATA_BYTES_MAX)

static enum fan_ue_uicc_verdict
read_head(const struct fan_ue_uicc *uicc, const uint8_t *packet, size_t packet_bytes)
{
	const unsigned algorithm = (unsigned)uicc->key_set << 4 | 2;

	if (packet_bytes < HEAD + COUNTED + SUM || packet_bytes > PACKET_MAX ||
	    (size_t)(packet[0] << 8 | packet[1]) != packet_bytes - 2 || packet[2] != HEAD - 3 + COUNTED + SUM)
		return FAN_UE_UICC_MALFORMED;
	/* Bits 1 and 2: cryptographic checksum; 3: ciphered; 4 and 5: the counter must be higher, or higher by one. */
	if ((packet[3] & 3) != 2 || (packet[3] & 0x10) == 0 || (uicc->ciphered && (packet[3] & 4) == 0))
		return FAN_UE_UICC_UNPROTECTED;
	if (packet[5] >> 4 != uicc->key_set || packet[6] >> 4 != uicc->key_set)
		return FAN_UE_UICC_OTHER_KEYS;
	if (((packet[3] & 4) != 0 && packet[5] != algorithm) || packet[6] != algorithm)
		return FAN_UE_UICC_UNPROTECTED;
	return memcmp(packet + 7, uicc->tar, 3) != 0 ? FAN_UE_UICC_OTHER_TAR : FAN_UE_UICC_ACCEPTED;
}

/* CBC, a block at a time. */
static bool
decipher(uint8_t *text, const uint8_t key[16], size_t text_bytes)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t before[16] = { 0 }, block[16];
	int got = 0;
	bool good = context && text_bytes % 16 == 0 && EVP_DecryptInit_ex(context, EVP_aes_128_ecb(), NULL, key, NULL) == 1;

	if (good)
		EVP_CIPHER_CTX_set_padding(context, 0);
	for (size_t at = 0; good && at < text_bytes; at += 16) {
		good = EVP_DecryptUpdate(context, block, &got, text + at, 16) == 1 && got == 16;
		for (unsigned i = 0; i < 16; i++) {
			const uint8_t ciphered = text[at + i];

			text[at + i] = block[i] ^ before[i];
			before[i] = ciphered;
		}
	}
	EVP_CIPHER_CTX_free(context);
	return good;
}

static bool
is_whole(const struct fan_ue_uicc *uicc, const uint8_t *packet, size_t packet_bytes)
{
	uint8_t text[PACKET_MAX], sum[16];
	size_t sum_bytes = 0;

	memcpy(text, packet, HEAD + COUNTED);
	memcpy(text + HEAD + COUNTED, packet + HEAD + COUNTED + SUM, packet_bytes - HEAD - COUNTED - SUM);
	return EVP_Q_mac(NULL, "CMAC", NULL, "AES-128-CBC", NULL, uicc->k_id, 16, text, packet_bytes - SUM, sum, sizeof(sum),
			 &sum_bytes) != NULL &&
	       CRYPTO_memcmp(sum, packet + HEAD + COUNTED, SUM) == 0;
}

/* In: a whole packet in clear. */
static enum fan_ue_uicc_verdict
take(struct fan_ue_uicc *uicc, uint8_t *data, size_t *data_bytes, const uint8_t *packet, size_t packet_bytes)
{
	const size_t bytes = packet_bytes - HEAD - COUNTED - SUM;
	const unsigned padding = packet[HEAD + 5];
	uint64_t counter = 0;

	for (unsigned i = 0; i < 5; i++)
		counter = counter << 8 | packet[HEAD + i];
	if (counter <= uicc->counter)
		return FAN_UE_UICC_REPLAY;
	if (padding > bytes || padding > 15)
		return FAN_UE_UICC_MALFORMED;
	*data_bytes = bytes - padding;
	memcpy(data, packet + HEAD + COUNTED + SUM, *data_bytes);
	uicc->counter = counter;
	return FAN_UE_UICC_ACCEPTED;
}

enum fan_ue_uicc_verdict
fan_ue_uicc_receive(struct fan_ue_uicc *uicc, uint8_t *data, size_t *data_bytes, const uint8_t *packet, size_t packet_bytes)
{
	uint8_t clear[PACKET_MAX];
	enum fan_ue_uicc_verdict verdict = read_head(uicc, packet, packet_bytes);

	if (verdict != FAN_UE_UICC_ACCEPTED)
		return verdict;
	memcpy(clear, packet, packet_bytes);
	if ((packet[3] & 4) != 0 && !decipher(clear + HEAD, uicc->k_ic, packet_bytes - HEAD))
		verdict = FAN_UE_UICC_MALFORMED;
	else if (!is_whole(uicc, clear, packet_bytes))
		verdict = FAN_UE_UICC_BAD_CHECK;
	else
		verdict = take(uicc, data, data_bytes, clear, packet_bytes);
	OPENSSL_cleanse(clear, sizeof(clear));
	return verdict;
}
