/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TUAK (TS 35.231): the functions f1 to f5* of 3GPP authentication on Keccak.
 *
 * OpenSSL has no bare Keccak-f[1600], and none is needed: TUAK fills 96 octets and puts the padding of SHAKE-256 behind them (1F at octet 96,
 * 80 at octet 135), so that its first iteration leaves the first 136 octets that SHAKE-256 yields, and each further iteration the next 136.
 *
 * Any thread; nothing blocks. What is derived is wiped when it fails: INVALID, or MEMORY, when OpenSSL has none.
 */
#ifndef FAN_KEYS_TUAK_H
#define FAN_KEYS_TUAK_H

#include "../../dataplane/context/error.h"

#define FAN_TUAK_ITERATIONS_MAX 255
#define FAN_TUAK_BYTES_MAX 32 /* of K, MAC, RES, CK, IK and TOP */

/* A subscriber, and what the operator has chosen. */
struct fan_tuak {
	uint8_t k[FAN_TUAK_BYTES_MAX], topc[FAN_TUAK_BYTES_MAX];
	uint8_t k_bytes;    /* 16, 32 */
	uint8_t mac_bytes;  /* 8, 16, 32 */
	uint8_t res_bytes;  /* 4, 8, 16, 32 */
	uint8_t ck_bytes;   /* 16, 32 */
	uint8_t ik_bytes;   /* 16, 32 */
	uint8_t iterations; /* of Keccak, 1..FAN_TUAK_ITERATIONS_MAX */
};

struct fan_tuak_answer {
	uint8_t res[FAN_TUAK_BYTES_MAX], ck[FAN_TUAK_BYTES_MAX], ik[FAN_TUAK_BYTES_MAX],
		ak[6]; /* as long as the subscriber's are; the rest is zero */
};

/* Out: subscriber->topc, from its key and the operator's TOP. */
int fan_tuak_topc(struct fan_tuak *subscriber, const uint8_t top[FAN_TUAK_BYTES_MAX]);
/* Out: mac[subscriber->mac_bytes], MAC-A by f1 and MAC-S by f1*. */
int fan_tuak_f1(uint8_t *mac, const struct fan_tuak *subscriber, const uint8_t rand[16], const uint8_t sqn[6],
		const uint8_t amf[2]);
int fan_tuak_f1_star(uint8_t *mac, const struct fan_tuak *subscriber, const uint8_t rand[16], const uint8_t sqn[6],
		     const uint8_t amf[2]);
/* f2, f3, f4 and f5. Out: *answer, the caller's to wipe. */
int fan_tuak_f2345(struct fan_tuak_answer *answer, const struct fan_tuak *subscriber, const uint8_t rand[16]);
/* f5*. Out: AK of a resynchronisation. */
int fan_tuak_f5_star(uint8_t ak[6], const struct fan_tuak *subscriber, const uint8_t rand[16]);

#endif
