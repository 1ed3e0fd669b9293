/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AES-128 (FIPS 197), the counter mode of 128-EEA2 (TS 33.401 B.1.3) and CMAC (SP 800-38B), octet by octet as the standards
 * write them. Portable C for the reference engine: it looks octets of the key up in a table and is therefore not constant time;
 * see reference.h.
 */
#ifndef FAN_AES128_H
#define FAN_AES128_H

#include <stddef.h>
#include <stdint.h>

#define FAN_AES128_BLOCK_BYTES 16
#define FAN_AES128_ROUNDS 10

/* FIPS 197 5.1.1; SNOW 3G's S_R is the same table (TS 35.216 3.3.1). */
extern const uint8_t fan_aes128_sbox[256];

struct fan_aes128 {
	uint8_t round_key[FAN_AES128_ROUNDS + 1][FAN_AES128_BLOCK_BYTES];
};

/* FIPS 197 5.2. The caller wipes *aes. */
void fan_aes128_expand(struct fan_aes128 *aes, const uint8_t key[16]);
/* FIPS 197 5.1. Out: block; may be the input. */
void fan_aes128_encrypt(const struct fan_aes128 *aes, uint8_t block[16], const uint8_t input[16]);

/* Counter mode whose low 64 bits count modulo 2^64, high half fixed (TS 33.401 B.1.3). Out: out[byte_count]; may be `in`. */
void fan_aes128_ctr(uint8_t *out, const uint8_t key[16], const uint8_t counter[16], const uint8_t *in, size_t byte_count);

/* CMAC over octets given in pieces. begin, any number of add, end; end wipes the state. */
struct fan_aes128_cmac {
	struct fan_aes128 aes;
	uint8_t chain[16];      /* C of SP 800-38B 6.2 step 6 */
	uint8_t pending[16];    /* octets not chained yet: the last block is treated differently */
	unsigned pending_bytes; /* 0..16 */
};

/* K1 and K2 of SP 800-38B 6.1. */
void fan_aes128_cmac_subkeys(uint8_t k1[16], uint8_t k2[16], const uint8_t key[16]);
void fan_aes128_cmac_begin(struct fan_aes128_cmac *cmac, const uint8_t key[16]);
void fan_aes128_cmac_add(struct fan_aes128_cmac *cmac, const uint8_t *bytes, size_t byte_count);
/* `last_bits` 0..7 further bits of message, the high ones of last_octet. */
void fan_aes128_cmac_end(struct fan_aes128_cmac *cmac, uint8_t mac[16], uint8_t last_octet, unsigned last_bits);

#endif
