/* SPDX-License-Identifier: BSD-3-Clause */
/* CMAC (SP 800-38B) and CBC (SP 800-38A) of AES-128, by OpenSSL. Any thread. False: OpenSSL has no memory, or no such algorithm. */
#ifndef FAN_KEYS_AES_H
#define FAN_KEYS_AES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAN_AES_BYTES 16 /* of a key and of a block */

/* The whole CMAC over a prefix and what follows it. */
bool fan_aes_cmac(uint8_t mac[FAN_AES_BYTES], const uint8_t key[FAN_AES_BYTES], const void *prefix, size_t prefix_bytes,
		  const void *text, size_t text_bytes);
/* Ciphers whole blocks in place, from an IV of zeros. */
bool fan_aes_cbc(uint8_t *text, const uint8_t key[FAN_AES_BYTES], size_t text_bytes);

#endif
