/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MILENAGE (TS 35.206): the functions f1 to f5* of 3GPP authentication, on OpenSSL's AES. Any thread; nothing blocks. What is derived is wiped
 * when it fails: MEMORY, when OpenSSL has none.
 */
#ifndef FAN_KEYS_MILENAGE_H
#define FAN_KEYS_MILENAGE_H

#include "../../dataplane/context/error.h"

#define FAN_MILENAGE_BYTES 16

/* A subscriber's key and the operator's constant as enciphered under it. */
struct fan_milenage {
	uint8_t k[FAN_MILENAGE_BYTES], opc[FAN_MILENAGE_BYTES];
};

struct fan_milenage_answer {
	uint8_t res[8], ck[FAN_MILENAGE_BYTES], ik[FAN_MILENAGE_BYTES], ak[6];
};

/* Out: subscriber->opc, from its key and the operator's OP. */
int fan_milenage_opc(struct fan_milenage *subscriber, const uint8_t op[FAN_MILENAGE_BYTES]);
/* f1 and f1*. Out: MAC-A and MAC-S. */
int fan_milenage_f1(uint8_t mac_a[8], uint8_t mac_s[8], const struct fan_milenage *subscriber,
		    const uint8_t rand[FAN_MILENAGE_BYTES], const uint8_t sqn[6], const uint8_t amf[2]);
/* f2, f3, f4 and f5. Out: *answer, the caller's to wipe. */
int fan_milenage_f2345(struct fan_milenage_answer *answer, const struct fan_milenage *subscriber,
		       const uint8_t rand[FAN_MILENAGE_BYTES]);
/* f5*. Out: AK of a resynchronisation. */
int fan_milenage_f5_star(uint8_t ak[6], const struct fan_milenage *subscriber, const uint8_t rand[FAN_MILENAGE_BYTES]);

#endif
