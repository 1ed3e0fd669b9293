/* SPDX-License-Identifier: BSD-3-Clause */
/* Security protected NAS messages of EPS (TS 24.301) and 5GS (TS 24.501), and the transport messages inside them. */
#ifndef FAN_UE_NAS_H
#define FAN_UE_NAS_H

#include "cipher.h"
#include "ue.h"

struct fan_ue_nas {
	uint32_t count;       /* the estimate, 24 bits */
	const uint8_t *plain; /* the deciphered message, in the caller's buffer */
	size_t plain_bytes;
};

/*
 * COUNT of a message with sequence number `sn`, where `next` is one above the largest accepted COUNT (TS 24.301 4.4.3.1):
 * overflow of the accepted COUNT, one more when `sn` is below its SN. So from next on 255 COUNTs can be told, and the SN of
 * the last accepted message means that message (next - 1; -1 when next is 0). TS 24.501 Rel-19 lets a UE take it for next +
 * 255 instead; a sender must not count on that, and this receiver does not. From 2^24 up: wrapped, never fresh.
 */
int64_t fan_ue_nas_estimate(uint64_t next, uint8_t sn);

/*
 * Takes header type 2 only, what a network sends once ciphering has begun. BEARER is 0 for EPS and 1, 3GPP access, for 5GS
 * whatever the subscriber says. In: buffer of at least pdu_bytes octets; the subscriber, of a NAS kind.
 * ACCEPTED, MALFORMED_PDU, BAD_MAC, or REPLAY when the MAC is right for a COUNT that was accepted or passed over within the
 * last 256.
 */
enum fan_ue_verdict fan_ue_nas_receive(struct fan_ue_cipher *cipher, struct fan_ue_nas *nas, uint8_t *buffer,
				       const struct fan_ue_subscriber *subscriber, uint64_t next, const uint8_t *pdu,
				       size_t pdu_bytes);

/* What the message says: ESM DATA TRANSPORT, DOWNLINK NAS TRANSPORT or DOWNLINK GENERIC NAS TRANSPORT (EPS), DL NAS TRANSPORT with
 * SMS, CIoT user data or a PDU SESSION MODIFICATION COMMAND (5GS). In: text, room of FAN_UE_SMS_TEXT_MAX octets. ACCEPTED, MALFORMED_CONTENT, or WRONG_ADDRESS for a bearer that is
 * not the subscriber's. */
enum fan_ue_verdict fan_ue_nas_parse(struct fan_ue_delivery *delivery, uint8_t *text,
				     const struct fan_ue_subscriber *subscriber, const uint8_t *plain, size_t plain_bytes);

#endif
