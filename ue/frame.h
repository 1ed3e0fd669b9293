/* SPDX-License-Identifier: BSD-3-Clause */
/* What carries a PDU: Ethernet II, IPv4 (RFC 791) or IPv6 (RFC 8200), UDP (RFC 768), GTP-U (TS 29.281) with the NR RAN
 * container (TS 38.425). Stricter than a host: no options, no fragments, no extension headers, no octet that nothing
 * accounts for. */
#ifndef FAN_UE_FRAME_H
#define FAN_UE_FRAME_H

#include "ue.h"

#define FAN_UE_PORT_GTPU 2152
#define FAN_UE_PORT_S1AP 36412
#define FAN_UE_PORT_NGAP 38412

struct fan_ue_datagram {
	uint8_t ethernet[6]; /* destination on the link */
	bool ipv6;
	uint8_t destination[16]; /* IPv4 in the first 4 octets */
	uint16_t destination_port;
	const uint8_t *payload;
	size_t payload_bytes;
	const uint8_t *packet; /* from the IP header to the end of the payload */
	size_t packet_bytes;
};

/* From Ethernet up. ACCEPTED, MALFORMED_FRAME or BAD_CHECKSUM. A UDP checksum of zero is none over IPv4 and wrong over IPv6. */
enum fan_ue_verdict fan_ue_frame_parse(struct fan_ue_datagram *datagram, const uint8_t *frame, size_t frame_bytes);

/* The packet that a bearer carries, or that comes over SGi: IPv4 and UDP that fill it exactly. ACCEPTED, MALFORMED_CONTENT or BAD_CHECKSUM; here a
 * zero UDP checksum is wrong, because the sender promises one. */
enum fan_ue_verdict fan_ue_frame_parse_inner(struct fan_ue_datagram *datagram, const uint8_t *packet, size_t packet_bytes);

struct fan_ue_tunnel {
	uint32_t teid;
	bool nr_container;
	uint32_t nru_sn;    /* 24 bits; with nr_container */
	const uint8_t *pdu; /* the T-PDU; may be empty */
	size_t pdu_bytes;
};

/* A G-PDU and its chain of extension headers. False: malformed, or a GTP-U message that is no G-PDU. */
bool fan_ue_frame_parse_tunnel(struct fan_ue_tunnel *tunnel, const uint8_t *gtpu, size_t gtpu_bytes);

#endif
