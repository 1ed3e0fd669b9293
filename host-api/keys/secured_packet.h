/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Secured packets of TS 31.115, command packets in the octets of ETSI TS 102 225: the standard's protection of what goes to an application on UICCs,
 * under keys that the cards' issuer has put there. Beside our own group PDU (group_pdu.h) it is the form for members whose device has no part for us,
 * but whose card has: by cell broadcast, one packet for all.
 *
 *	CPL 2   octets from CHL on                     CHL 1   octets from SPI to CC: 21
 *	SPI 2   16 00: CC, ciphered, taken when CNTR is above the card's; 12 00 not ciphered; no proof of receipt
 *	KIc 1   key set, AES in CBC mode               KID 1   key set, AES CMAC
 *	TAR 3   the application
 *	CNTR 5, PCNTR 1, CC 8, data, padding           ciphered, from an IV of zeros
 *
 * CC is CMAC over all but itself, cut at 8 octets. No proof of receipt is asked for: every card would send a short message.
 *
 * CNTR safety: under one pair of keys a CNTR is used once, ever, and one that is higher than the card's last: it is a COUNT that is reserved on stable
 * storage before it is spent (store/group_counter.h). Functions are of any thread and do not block.
 */
#ifndef FAN_KEYS_SECURED_PACKET_H
#define FAN_KEYS_SECURED_PACKET_H

#include "../../dataplane/context/error.h"
#include "aes.h"

enum {
	FAN_SECURED_HEADER_BYTES = 24, /* CPL to CC */
	FAN_SECURED_PACKET_BYTES_MAX = FAN_BROADCAST_BYTES_MAX,
	FAN_SECURED_DATA_BYTES_MAX = FAN_SECURED_PACKET_BYTES_MAX - FAN_SECURED_HEADER_BYTES - 15,
};

#define FAN_SECURED_COUNTER_MAX ((UINT64_C(1) << 40) - 1)

struct fan_secured_packet_keys {
	uint8_t key_set; /* 1..15: which keys of the card's these are */
	bool ciphers;
	uint8_t k_ic[FAN_AES_BYTES], k_id[FAN_AES_BYTES];
	uint8_t tar[3];
};

/* Out: the packet. In: counter, 1..FAN_SECURED_COUNTER_MAX, never used before with these keys; data of 1..FAN_SECURED_DATA_BYTES_MAX octets.
 * Returns the octets of the packet, or INVALID, MEMORY; packet[] is wiped then. */
int fan_secured_packet_write(uint8_t packet[FAN_SECURED_PACKET_BYTES_MAX], const struct fan_secured_packet_keys *keys,
			     uint64_t counter, const void *data, size_t data_bytes);

#endif
