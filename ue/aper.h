/* SPDX-License-Identifier: BSD-3-Clause */
/* DownlinkNASTransport of S1AP (TS 36.413) and NGAP (TS 38.413) in aligned PER (X.691), read by hand. */
#ifndef FAN_UE_APER_H
#define FAN_UE_APER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fan_ue_transport {
	uint64_t mme_ue_id; /* MME-UE-S1AP-ID or AMF-UE-NGAP-ID */
	uint32_t ran_ue_id; /* eNB-UE-S1AP-ID or RAN-UE-NGAP-ID */
	const uint8_t *pdu; /* the NAS PDU */
	size_t pdu_bytes;
};

/* The three mandatory IEs must stand in their order, once each; others between and after them are passed over. Encodings
 * that are not the shortest, and octets left over, are refused: canonical PER has one form. False: malformed or another
 * procedure. */
bool fan_ue_aper_parse(struct fan_ue_transport *transport, bool five_g, const uint8_t *octets, size_t octet_count);

#endif
