/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keys of groups over Diameter: their way to the HSS, which keeps them with subscriptions and gives them to MMEs (figure 1.a), and straight to the
 * MME (figure 1.b). No standard has AVPs for it: those of keys are ours, under the vendor number that RFC 5612 keeps for documentation; commands and
 * applications are 3GPP's. Numbers on one page; dictionary.c has the AVPs, README.md says where each was read.
 */
#ifndef FAN_NORTH_KEYS_H
#define FAN_NORTH_KEYS_H

#include "../../../dataplane/context/error.h"

#define FAN_VENDOR_OURS 32473U

#define FAN_S6A_APPLICATION 16777251U /* MME and HSS (TS 29.272) */
#define FAN_S6M_APPLICATION 16777310U /* this node asks the HSS (TS 29.336) */
#define FAN_S6T_APPLICATION 16777345U /* this node and the HSS, both ways (TS 29.336) */
#define FAN_T6A_APPLICATION 16777346U /* this node and the MME (TS 29.128) */

#define FAN_UPDATE_LOCATION 316U
#define FAN_INSERT_SUBSCRIBER_DATA 319U
#define FAN_SUBSCRIBER_INFORMATION 8388641U
#define FAN_CONFIGURATION_INFORMATION 8388718U
#define FAN_REPORTING_INFORMATION 8388719U

#define FAN_KEYS_GID_BYTES 256     /* a GID in canonical form, its closing zero included (fanfare.h) */
#define FAN_KEYS_NAME_BYTES 32     /* of a KEK, its closing zero included */
#define FAN_KEYS_WRAPPED_BYTES 400 /* of one wrapped entry (group_key.h) */
#define FAN_KEYS_SETS_MAX 2        /* that a group has at a time: the current key and the one before */
#define FAN_KEYS_PAGE_MAX 500      /* members that one request tells */
#define FAN_KEYS_NODES_MAX 64      /* serving nodes that one answer names */

/* Group-Key-State. */
enum fan_keys_state {
	FAN_KEYS_CURRENT = 0,
	FAN_KEYS_PREVIOUS = 1, /* members still take what was sent under it before */
};

/* Group-Members-Part: bits. */
enum {
	FAN_KEYS_FIRST_PART = 1,
	FAN_KEYS_LAST_PART = 2, /* who was named in no part of this revision is no member */
};

/* A key as it travels: wrapped, and what the HSS must know to let it go when it is over. */
struct fan_keys_set {
	uint8_t gki;
	enum fan_keys_state state;
	int64_t start_s;       /* since 1970 UTC */
	uint32_t duration_min; /* it is over at start_s + 60 * duration_min */
	char kek[FAN_KEYS_NAME_BYTES];
	uint16_t wrapped_bytes;
	uint8_t wrapped[FAN_KEYS_WRAPPED_BYTES];
};

#endif
