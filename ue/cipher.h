/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 128-EEA0..3 and 128-EIA0..3 (TS 33.401 Annex B; the NEA and NIA algorithms of TS 33.501 Annex D are the same functions). AES
 * is OpenSSL's; SNOW 3G, ZUC and the two MAC constructions over them are of this folder.
 */
#ifndef FAN_UE_CIPHER_H
#define FAN_UE_CIPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAN_UE_CIPHER_OCTETS_MAX 65536 /* of one call: no IP packet carries more */

/* OpenSSL contexts that are keyed anew for each frame, and the tables of SNOW 3G. One thread. */
struct fan_ue_cipher;

/* What makes one use of an algorithm unlike every other. */
struct fan_ue_cipher_use {
	const uint8_t *key; /* 16 octets */
	uint32_t count;
	uint8_t bearer;    /* 0..31 */
	uint8_t direction; /* 0 uplink, 1 downlink */
};

/* NULL when memory is short or OpenSSL has no AES. */
struct fan_ue_cipher *fan_ue_cipher_open(void);
/* Wipes keys and frees. NULL is ignored. */
void fan_ue_cipher_close(struct fan_ue_cipher *cipher);

/* Ciphers or deciphers in place. False: algorithm above 3, too many octets, or OpenSSL failed; the octets are then
 * undefined. */
bool fan_ue_cipher_apply(struct fan_ue_cipher *cipher, uint8_t *octets, const struct fan_ue_cipher_use *use, uint8_t algorithm,
			 size_t octet_count);

/* Out: mac, most significant octet first. In: the length in bits, so that the published test sets apply; bits after the last
 * one are ignored. False as above. */
bool fan_ue_cipher_mac(struct fan_ue_cipher *cipher, uint8_t mac[4], const struct fan_ue_cipher_use *use, uint8_t algorithm,
		       const uint8_t *message, size_t message_bits);

/* 128-EIA2 with a tag of 64 bits: CMAC over the same input, cut at 8 octets instead of 4. False as above. */
bool fan_ue_cipher_long_mac(struct fan_ue_cipher *cipher, uint8_t mac[8], const struct fan_ue_cipher_use *use,
			    const uint8_t *message, size_t message_bits);

#endif
