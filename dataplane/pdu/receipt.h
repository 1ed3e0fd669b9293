/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receipts: what a frame that came in says of PDUs that UEs have received, and of how fast more may come. Two forms: a delivery status of NR-U (TS 38.425 5.5.2.2) in
 * GTP-U, and the datagram of a relay (RECEIPTS.md). Every octet may be hostile. Nothing is kept from one frame to the next, and whether
 * there is such a UE is asked elsewhere.
 */
#ifndef FAN_RECEIPT_H
#define FAN_RECEIPT_H

#include "transport.h"

/* Entries of 13 octets behind IPv4, UDP and a header of 16 in a frame of 1,500 octets. */
#define FAN_RECEIPTS_A_FRAME 112
#define FAN_PORT_RECEIPT 36413 /* between S1AP's and what comes next: registered for nothing */

/* What the id of a receipt is. The numbers are those of the datagram; a tunnel is in none. */
enum fan_receipt_way {
	FAN_RECEIPT_TUNNEL,  /* the TEID of our end of the tunnel, from a delivery status: the number is an SN */
	FAN_RECEIPT_EPS_NAS, /* MME-UE-S1AP-ID; here and below the number is a COUNT */
	FAN_RECEIPT_5GS_NAS, /* AMF-UE-NGAP-ID */
	FAN_RECEIPT_BEARER,  /* the TEID that PDUs are sent to */
	FAN_RECEIPT_PACE,    /* none: PDUs a second that the sender takes; the number is for how many ms */
	FAN_RECEIPT_WAYS
};

struct fan_receipt {
	uint64_t id;
	uint32_t number;
	uint8_t way; /* enum fan_receipt_way */
};

struct fan_receipt_frame {
	uint8_t sender[16]; /* IPv4 in the first 4 octets, zeros behind it */
	uint64_t sequence;  /* of a relay's datagram, never 0; 0: a delivery status has none */
	unsigned count;     /* of receipts, 1 or more */
	struct fan_receipt receipt[FAN_RECEIPTS_A_FRAME];
};

/*
 * Out: *read, whole when FAN_REFUSAL_NONE is returned. In: link, whose addresses, VLAN and IP version a frame must have; relay_port, UDP,
 * another than GTP-U's; the octets from Ethernet on. Any thread; allocates nothing.
 */
enum fan_refusal fan_receipt_read(struct fan_receipt_frame *read, const struct fan_link *link, uint16_t relay_port,
				  const uint8_t *octets, size_t octet_count);

#endif
