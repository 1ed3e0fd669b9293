/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What carries a PDU to its next hop: Ethernet, IPv4 or IPv6, UDP, then GTP-U (TS 29.281; for NR with the NR RAN container of
 * TS 38.425) or an S1AP / NGAP DownlinkNASTransport in APER (TS 36.413 8.6.2, TS 38.413 8.6.2), one per datagram. Over SGi, Ethernet alone: the
 * PDU is the IPv4 packet, whichever version the link's own addresses have.
 *
 * Everything that is the same for all UEs of a plan stands in a header template; per UE only its ids, the next hop's addresses and
 * one checksum change. APER integers vary in length, so NAS plans have one template per pair of lengths.
 */
#ifndef FAN_TRANSPORT_H
#define FAN_TRANSPORT_H

#include "../context/error.h"

#include <rte_mbuf.h>

/* Longest: Ethernet 14, VLAN 4, IPv6 40, UDP 8, NGAP with 5 and 4 octets of ids 34, 5GS NAS header 7 = 107. Templates end where the text
 * begins and are copied whole, as two cache lines. */
#define FAN_HEADER_BYTES_MAX 128
/* Text begins at this offset of a packet buffer: behind the headroom, on a cache line. */
#define FAN_TEXT_OFFSET RTE_PKTMBUF_HEADROOM
_Static_assert(FAN_TEXT_OFFSET >= FAN_HEADER_BYTES_MAX, "headers are written into the headroom");

#define FAN_MME_ID_LENGTHS 5 /* 1..5 octets (AMF-UE-NGAP-ID); S1AP uses 1..4 */
#define FAN_RAN_ID_LENGTHS 4 /* 1..4 octets (RAN-UE-NGAP-ID); S1AP uses 1..3 */
#define FAN_S1AP_MME_ID_BYTES_MAX 4
#define FAN_S1AP_RAN_ID_BYTES_MAX 3
#define FAN_HEADERS_MAX (FAN_MME_ID_LENGTHS * FAN_RAN_ID_LENGTHS)

/* The egress link as the sender sees it. Immutable once plans exist. */
struct fan_link {
	bool ipv6;
	bool udp_checksum; /* over IPv4 too, where 0 means "none" (RFC 768); over IPv6 it is always filled in (RFC 8200 8.1) */
	uint16_t vlan_tag; /* IEEE 802.1Q: priority << 13 | VLAN; 0: no tag */
	uint16_t source_port; /* of UDP; 0: the application's */
	uint8_t dscp;
	uint8_t ethernet[6]; /* our address */
	uint8_t address[16]; /* our IPv4 (first 4 octets) or IPv6 address */
};

/* Octets of a frame before its IP header. */
static inline unsigned
fan_link_bytes(const struct fan_link *link)
{
	return link->vlan_tag != 0 ? 18 : 14;
}

/* A next hop, ready to be written. Workers read entries below the count that was published with a flight. */
struct fan_hop {
	uint8_t ethernet[6];
	uint8_t reserved[2];
	uint8_t address[16];
	uint32_t address_sum; /* ones' complement sum of the IPv4 address's halves, as they lie in memory */
	uint16_t checksum;    /* zero; in a register, a frame's own IPv4 header checksum takes its place (plan_write.c) */
	uint16_t reserved_end;
} __attribute__((aligned(32)));

/* What an mbuf of one frame says of it, as it stands in the mbuf from rearm_data on: two wide stores make a raw mbuf of the pool, whose
 * `next` is NULL already, a frame. */
struct fan_frame_fields {
	uint16_t data_off, refcnt, nb_segs, port;
	uint64_t ol_flags;
	uint32_t packet_type, pkt_len;
	uint16_t data_len, vlan_tci;
	uint32_t rss;
};
_Static_assert(offsetof(struct rte_mbuf, ol_flags) ==
		       offsetof(struct rte_mbuf, rearm_data) + offsetof(struct fan_frame_fields, ol_flags),
	       "copied as a whole");
_Static_assert(offsetof(struct rte_mbuf, pkt_len) ==
		       offsetof(struct rte_mbuf, rearm_data) + offsetof(struct fan_frame_fields, pkt_len),
	       "copied as a whole");
_Static_assert(offsetof(struct rte_mbuf, data_len) ==
		       offsetof(struct rte_mbuf, rearm_data) + offsetof(struct fan_frame_fields, data_len),
	       "copied as a whole");

/* Right-aligned: octets[FAN_HEADER_BYTES_MAX - byte_count] is the first octet of the frame. Offsets are into octets[]. */
struct fan_header {
	uint8_t octets[FAN_HEADER_BYTES_MAX] __attribute__((aligned(64)));
	uint8_t source[FAN_HEADER_BYTES_MAX]; /* where each octet of a UE's own header comes from; see header_source.h */
	struct fan_frame_fields fields;
	uint32_t ipv4_sum;    /* sum of the IPv4 header without destination and checksum */
	uint16_t frame_bytes; /* of the whole frame */
	uint8_t byte_count;
	uint8_t ip_at, transport_at; /* without transport neither is there, and both are FAN_HEADER_BYTES_MAX */
	uint8_t id_at[2];            /* GTP-U: TEID, NR-U SN; S1AP/NGAP: first octet of each id's value */
	uint8_t id_bytes[2];
};

/* FAN_PACKET: the PDU is the payload of the UDP datagram itself, whose destination is the UE's own. */
enum fan_application { FAN_GTPU, FAN_GTPU_NR, FAN_S1AP, FAN_NGAP, FAN_NO_TRANSPORT, FAN_PACKET };

/* Ethernet type and IP version differ with the link; UDP ports are the application's own on both sides, but for a source port of the link's. */
#define FAN_PORT_GTPU 2152
#define FAN_PORT_S1AP 36412
#define FAN_PORT_NGAP 38412

/*
 * Out: *header, complete but for what is written per UE; the last prefix_bytes octets stay zero for the PDU's own prefix.
 * In: pdu_bytes, the whole PDU from prefix to MAC-I; id_bytes, lengths of the two ids (S1AP, NGAP), else NULL.
 * TOO_LONG when the datagram would not fit 65,535 octets.
 */
int fan_header_make(struct fan_header *header, const struct fan_link *link, enum fan_application application,
		    size_t prefix_bytes, size_t pdu_bytes, const uint8_t *id_bytes);

/* Octets that an APER integer of this value takes: 1..5. */
static inline unsigned
fan_aper_bytes(uint64_t value)
{
	return 8 - (unsigned)__builtin_clzll(value | 1) / 8;
}

/* Out: *hop from a provisioned next hop. */
void fan_hop_make(struct fan_hop *hop, const struct fan_next_hop *next_hop);

/* Fills the outer UDP checksum of a finished frame, which has a transport over IPv4 or IPv6. */
void fan_udp_checksum_fill(struct rte_mbuf *frame, const struct fan_link *link, bool ipv6);

#endif
