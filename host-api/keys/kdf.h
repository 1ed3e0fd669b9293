/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The key derivation function of 3GPP (TS 33.220 B.2): HMAC-SHA-256(key, S), where S = FC || P0 || L0 || P1 || L1 ... and each Li is the
 * length of Pi in two octets, most significant first. Every key of this folder's hierarchies is one call of it.
 */
#ifndef FAN_KEYS_KDF_H
#define FAN_KEYS_KDF_H

#include "../../dataplane/context/error.h"

#define FAN_KDF_BYTES 32 /* what it yields; a key of 128 bits is the LAST 16 octets of them (TS 33.401 A.1, TS 33.501 A.8) */

struct fan_kdf_parameter {
	const void *octets; /* NULL only for none */
	uint16_t byte_count;
};

/*
 * Out: out[], wiped when it fails; it may lie where the key does. In: a key of 1 octet or more; FC; the parameters P0, P1 ... in order.
 * Nothing of the key or of S is left behind. Any thread; does not block. INVALID for an empty key, MEMORY when OpenSSL has none.
 */
int fan_kdf(uint8_t out[FAN_KDF_BYTES], const void *key, size_t key_bytes, uint8_t fc,
	    const struct fan_kdf_parameter *parameters, unsigned count);

/*
 * HKDF with SHA-256 (RFC 5869), with an empty salt; or its second half alone, where the key is a pseudorandom one already. Out: out[], up to 255
 * times 32 octets; not touched when it fails. In: a key and an info of 1 octet or more. Nothing of the key is left behind. Any thread; does not block. MEMORY when
 * OpenSSL has none.
 */
enum fan_hkdf_mode { FAN_HKDF_WHOLE, FAN_HKDF_EXPAND };
int fan_hkdf(void *out, size_t out_bytes, enum fan_hkdf_mode mode, const void *key, size_t key_bytes, const void *info,
	     size_t info_bytes);

#endif
