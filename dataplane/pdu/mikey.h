/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MIKEY message that brings an MSK (RFC 3830, RFC 4563, TS 33.246), as a sender gives it: complete but for what is each UE's own. There are zeros
 * for T, for the beginning of the B-TID and for the MAC, and the key data is in clear.
 *
 *	HDR 10   01 00 15 V0 CSB-ID 00 01        T 6      0B 02 zeros            IDr    01 00 LLLL zeros 24 @domain
 *	EXT 15   05 03 000B 00 03 domain         RAND 18  06 10 RAND             KEMAC  00 01 001A key data 01 zeros 20
 *	         01 04 MSK ID                    IDi      06 00 LLLL FQDN        key data 00 22 0010 MSK 02 first 02 last
 */
#ifndef FAN_PDU_MIKEY_H
#define FAN_PDU_MIKEY_H

#include "../engine/engine.h"

/* Out: *places. INVALID: it is no such message, or its B-TIDs do not end with `domain`, where that is not NULL. Any octets. Control thread. */
int fan_mikey_places_find(struct fan_mikey_places *places, const uint8_t *octets, size_t octet_count, const char *domain);

#endif
