/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What open MME and AMF code does today: one UE at a time, through OpenSSL's EVP, a key set per UE. 128-EEA2 then 128-EIA2 over EPS NAS. The EVP
 * contexts and fetched algorithms are kept from UE to UE, which is kinder than such code often is. Whatever fails ends the program.
 */
#ifndef FAN_BENCH_ONE_AT_A_TIME_H
#define FAN_BENCH_ONE_AT_A_TIME_H

#include <stdint.h>

struct fan_one_ue {
	uint8_t k_enc[16], k_int[16];
	uint32_t count;
	uint8_t rest[28];
};

_Static_assert(sizeof(struct fan_one_ue) == 64, "as much memory per UE as the engines walk");

struct fan_one_at_a_time;

struct fan_one_at_a_time *fan_one_at_a_time_open(void);
void fan_one_at_a_time_close(struct fan_one_at_a_time *openssl);
/* Out: text[], with the sequence number in the octet before it and the MAC in the four before that. Spends a COUNT of the UE. */
void fan_one_at_a_time_protect(struct fan_one_at_a_time *openssl, uint8_t *text, struct fan_one_ue *ue, const uint8_t *message,
			       int text_bytes);

#endif
