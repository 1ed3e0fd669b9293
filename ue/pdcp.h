/* SPDX-License-Identifier: BSD-3-Clause */
/* Data PDUs of data radio bearers: LTE PDCP (TS 36.323, RLC AM, 12 and 18-bit SN) and NR PDCP (TS 38.323, 12 and 18-bit SN,
 * with or without integrity, with or without an SDAP header, TS 37.324). */
#ifndef FAN_UE_PDCP_H
#define FAN_UE_PDCP_H

#include "cipher.h"
#include "ue.h"

struct fan_ue_pdcp {
	uint32_t count;      /* the estimate */
	int16_t sdap_qfi;    /* -1: none */
	const uint8_t *data; /* the SDU without SDAP header, in the caller's buffer */
	size_t data_bytes;
};

/* COUNT of an LTE PDU, where `next` is the COUNT above the last submitted one (up to 2^32); -1: TS 36.323 5.1.2.1.2 discards
 * it. */
int64_t fan_ue_pdcp_estimate_lte(uint64_t next, uint32_t sn, unsigned sn_bits);

/* RCVD_COUNT of TS 38.323 5.2.2.1 with RX_DELIV = `next`. Below zero or from 2^32 up: no COUNT is meant, the HFN would leave
 * its range. */
int64_t fan_ue_pdcp_estimate_nr(uint64_t next, uint32_t sn, unsigned sn_bits);

/*
 * In: buffer of at least pdu_bytes octets, to decipher in; the subscriber, of a PDCP kind; next as above.
 * ACCEPTED, MALFORMED_PDU, BAD_MAC or REPLAY. Without integrity nothing tells a wrong key, BEARER or HFN: the PDU is
 * accepted with garbage in it, which only the content shows.
 */
enum fan_ue_verdict fan_ue_pdcp_receive(struct fan_ue_cipher *cipher, struct fan_ue_pdcp *pdcp, uint8_t *buffer,
					const struct fan_ue_subscriber *subscriber, uint64_t next, const uint8_t *pdu,
					size_t pdu_bytes);

#endif
