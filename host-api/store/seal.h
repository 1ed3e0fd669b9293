/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Seals: AES-256-GCM (NIST SP 800-38D) over a record. Part of it may be secret; its name, its clear part and its secret part cannot be
 * changed, exchanged or cut without the seal telling.
 *
 * No nonce is used twice under one key. It is 8 random octets, drawn when the key is opened and after every 2^32 seals, and a number that
 * rises with each seal. A number kept on the disk would come back with a copy or a transaction that was dropped, whose pages may be on the
 * disk all the same; random octets do not. That two of a million openings draw the same has a chance of 3 in 10^8.
 *
 * The key lies in memory that core dumps leave out and that is wiped; OpenSSL's contexts, which hold its schedule, wipe theirs. One thread.
 */
#ifndef FAN_SEAL_H
#define FAN_SEAL_H

#include "../../dataplane/context/error.h"

#include <stdbool.h>

#define FAN_SEAL_KEY_BYTES 32
#define FAN_SEAL_NONCE_BYTES 12
#define FAN_SEAL_TAG_BYTES 16
#define FAN_SEAL_BYTES (FAN_SEAL_NONCE_BYTES + FAN_SEAL_TAG_BYTES) /* what a seal takes beside the secret */

struct fan_seal;

/* What is sealed, beside the secret. */
struct fan_sealed {
	const void *name, *clear;
	size_t name_bytes, clear_bytes;
};

/* Reads a key-encryption key. INVALID (mode, owner, length, digits), NOT_FOUND, IO; the key is then zero. */
int fan_seal_key_read(uint8_t key[FAN_SEAL_KEY_BYTES], const char *path);
/* Draws a key. IO. */
int fan_seal_key_draw(uint8_t key[FAN_SEAL_KEY_BYTES]);

/* Out: the first octets, at most 32, of SHA-256 over what it is a hash of and the octets. */
void fan_seal_hash(uint8_t *out, size_t out_bytes, const char *domain, const void *octets, size_t octet_count);

/* MEMORY. The key is copied. */
int fan_seal_open(struct fan_seal **out, const uint8_t key[FAN_SEAL_KEY_BYTES]);
/* Wipes. NULL is ignored. */
void fan_seal_close(struct fan_seal *seal);
/* The key inside, for wrapping it; the seal's. */
const uint8_t *fan_seal_key(const struct fan_seal *seal);

/* Out: secret_bytes + FAN_SEAL_BYTES octets: nonce, secret under the cipher, tag. IO (no random octets), MEMORY. */
int fan_seal_write(struct fan_seal *seal, uint8_t *out, const struct fan_sealed *sealed, const uint8_t *secret,
		   size_t secret_bytes);
/* Out: the secret. False, with the secret zero, when the seal is broken or of another key. */
bool fan_seal_read(struct fan_seal *seal, uint8_t *secret, const struct fan_sealed *sealed, const uint8_t *in,
		   size_t secret_bytes);

#endif
