/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport.h"

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <string.h>

#define TRANSPORT_BYTES_MAX 40 /* octets between UDP header and PDU */

struct writer {
	uint8_t octets[TRANSPORT_BYTES_MAX];
	size_t used;
};

static void
put(struct writer *writer, uint8_t octet)
{
	FAN_REQUIRE(writer->used < sizeof(writer->octets));
	writer->octets[writer->used++] = octet;
}

static void
put16(struct writer *writer, size_t value)
{
	put(writer, (uint8_t)(value >> 8));
	put(writer, (uint8_t)value);
}

/* APER length determinant, unconstrained (X.691 11.9): one octet below 128, two below 16,384. */
static size_t
length_bytes(size_t length)
{
	return length < 128 ? 1 : 2;
}

static void
put_length(struct writer *writer, size_t length)
{
	if (length < 128)
		put(writer, (uint8_t)length);
	else
		put16(writer, 0x8000 | length);
}

/* GTP-U G-PDU; with the NR RAN container's DL USER DATA (TS 38.425 5.5.2.1) when asked. Ids: TEID, NR-U SN. */
static void
put_gtpu(struct writer *writer, struct fan_header *header, bool nr, size_t pdu_bytes)
{
	const size_t extra = nr ? 12 : 0;

	put(writer, nr ? 0x34 : 0x30);
	put(writer, 0xff);
	put16(writer, extra + pdu_bytes);
	header->id_at[0] = (uint8_t)writer->used;
	header->id_bytes[0] = 4;
	put16(writer, 0);
	put16(writer, 0);
	if (!nr)
		return;
	put16(writer, 0); /* sequence number and N-PDU number: not used */
	put(writer, 0);
	put(writer, 0x84); /* next extension: NR RAN container */
	put(writer, 2);    /* of 8 octets */
	put16(writer, 0);  /* DL USER DATA, no flags */
	header->id_at[1] = (uint8_t)writer->used;
	header->id_bytes[1] = 3;
	put16(writer, 0);
	put(writer, 0);
	put(writer, 0);
	put(writer, 0); /* no further extension */
}

struct aper_message {
	uint8_t procedure;      /* id-downlinkNASTransport */
	uint8_t mme_id, ran_id; /* protocol IE ids */
	uint8_t nas_id;
	uint8_t mme_id_shift; /* where the length of the first id's value stands in its first octet */
};

static const struct aper_message s1ap = { .procedure = 11, .mme_id = 0, .ran_id = 8, .nas_id = 26, .mme_id_shift = 6 };
static const struct aper_message ngap = { .procedure = 4, .mme_id = 10, .ran_id = 85, .nas_id = 38, .mme_id_shift = 5 };

static void
put_id(struct writer *writer, struct fan_header *header, unsigned which, uint8_t ie, unsigned shift, uint8_t id_bytes)
{
	put16(writer, ie);
	put(writer, 0x00); /* criticality reject */
	put_length(writer, 1U + id_bytes);
	put(writer, (uint8_t)((id_bytes - 1U) << shift));
	header->id_at[which] = (uint8_t)writer->used;
	header->id_bytes[which] = id_bytes;
	for (unsigned i = 0; i < id_bytes; i++)
		put(writer, 0);
}

static void
put_aper(struct writer *writer, struct fan_header *header, const struct aper_message *message, size_t pdu_bytes,
	 const uint8_t *id_bytes)
{
	const size_t nas_bytes = length_bytes(pdu_bytes) + pdu_bytes;
	const size_t body_bytes = 3 + (5U + id_bytes[0]) + (5U + id_bytes[1]) + 3 + length_bytes(nas_bytes) + nas_bytes;

	put(writer, 0x00); /* initiatingMessage */
	put(writer, message->procedure);
	put(writer, 0x40); /* criticality ignore */
	put_length(writer, body_bytes);
	put(writer, 0);
	put16(writer, 3); /* three protocol IEs */
	put_id(writer, header, 0, message->mme_id, message->mme_id_shift, id_bytes[0]);
	put_id(writer, header, 1, message->ran_id, 6, id_bytes[1]);
	put16(writer, message->nas_id);
	put(writer, 0x00);
	put_length(writer, nas_bytes);
	put_length(writer, pdu_bytes);
}

static void
write_ip(struct fan_header *header, const struct fan_link *link, size_t udp_bytes)
{
	uint8_t *ip = header->octets + header->ip_at;

	if (link->ipv6) {
		struct rte_ipv6_hdr ipv6 = {
			.vtc_flow = rte_cpu_to_be_32(6U << 28 | (uint32_t)link->dscp << 22),
			.payload_len = rte_cpu_to_be_16((uint16_t)udp_bytes),
			.proto = IPPROTO_UDP,
			.hop_limits = 64,
		};

		memcpy(&ipv6.src_addr, link->address, sizeof(ipv6.src_addr));
		memcpy(ip, &ipv6, sizeof(ipv6));
	} else {
		struct rte_ipv4_hdr ipv4 = {
			.version_ihl = 0x45,
			.type_of_service = (uint8_t)(link->dscp << 2),
			.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(ipv4) + udp_bytes)),
			/* Not to be fragmented, so the identification may be 0 (RFC 6864 4.1). */
			.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG),
			.time_to_live = 64,
			.next_proto_id = IPPROTO_UDP,
		};

		memcpy(&ipv4.src_addr, link->address, sizeof(ipv4.src_addr));
		memcpy(ip, &ipv4, sizeof(ipv4));
		header->ipv4_sum = rte_raw_cksum(ip, sizeof(ipv4));
	}
}

static void
write_ethernet(struct fan_header *header, const struct fan_link *link, uint16_t ether_type)
{
	uint8_t *start = header->octets + FAN_HEADER_BYTES_MAX - header->byte_count;
	const uint16_t type = rte_cpu_to_be_16(ether_type);
	const uint16_t tag[2] = { rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN), rte_cpu_to_be_16(link->vlan_tag) };

	memcpy(start + 6, link->ethernet, sizeof(link->ethernet));
	if (link->vlan_tag != 0)
		memcpy(start + 12, tag, sizeof(tag));
	memcpy(start + fan_link_bytes(link) - sizeof(type), &type, sizeof(type));
}

static void
write_link(struct fan_header *header, const struct fan_link *link, uint16_t port, size_t udp_bytes)
{
	const struct rte_udp_hdr udp = {
		.src_port = rte_cpu_to_be_16(link->source_port != 0 ? link->source_port : port),
		.dst_port = rte_cpu_to_be_16(port),
		.dgram_len = rte_cpu_to_be_16((uint16_t)udp_bytes),
	};

	write_ethernet(header, link, link->ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	write_ip(header, link, udp_bytes);
	memcpy(header->octets + header->transport_at - sizeof(udp), &udp, sizeof(udp));
}

/* In: octets of the header, the PDU's prefix among them, and of the whole frame. */
static void
set_size(struct fan_header *header, size_t header_bytes, size_t frame_bytes)
{
	FAN_REQUIRE(header_bytes <= FAN_HEADER_BYTES_MAX);
	header->byte_count = (uint8_t)header_bytes;
	header->frame_bytes = (uint16_t)frame_bytes;
	header->fields = (struct fan_frame_fields){
		.data_off = (uint16_t)(FAN_TEXT_OFFSET - header_bytes),
		.refcnt = 1,
		.nb_segs = 1,
		.port = RTE_MBUF_PORT_INVALID,
		.pkt_len = header->frame_bytes,
		.data_len = header->frame_bytes,
	};
}

/* The PDU is the packet. */
static int
make_without_transport(struct fan_header *header, const struct fan_link *link, size_t pdu_bytes)
{
	set_size(header, fan_link_bytes(link), fan_link_bytes(link) + pdu_bytes);
	header->ip_at = FAN_HEADER_BYTES_MAX;
	header->transport_at = FAN_HEADER_BYTES_MAX;
	write_ethernet(header, link, RTE_ETHER_TYPE_IPV4);
	return 0;
}

int
fan_header_make(struct fan_header *header, const struct fan_link *link, enum fan_application application, size_t prefix_bytes,
		size_t pdu_bytes, const uint8_t *id_bytes)
{
	const size_t ip_bytes = link->ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	struct writer writer = { .used = 0 };
	size_t udp_bytes, header_bytes;
	uint16_t port = FAN_PORT_GTPU;

	memset(header, 0, sizeof(*header));
	if (application == FAN_NO_TRANSPORT)
		return make_without_transport(header, link, pdu_bytes);
	if (application == FAN_GTPU || application == FAN_GTPU_NR) {
		put_gtpu(&writer, header, application == FAN_GTPU_NR, pdu_bytes);
	} else if (application == FAN_PACKET) {
		port = FAN_PORT_MIKEY;
	} else {
		FAN_REQUIRE(id_bytes != NULL);
		port = application == FAN_S1AP ? FAN_PORT_S1AP : FAN_PORT_NGAP;
		put_aper(&writer, header, application == FAN_S1AP ? &s1ap : &ngap, pdu_bytes, id_bytes);
	}
	udp_bytes = sizeof(struct rte_udp_hdr) + writer.used + pdu_bytes;
	if (ip_bytes + udp_bytes > UINT16_MAX)
		return fan_fail(FAN_E_TOO_LONG, "a PDU of %zu octets does not fit one datagram", pdu_bytes);
	header_bytes = fan_link_bytes(link) + ip_bytes + sizeof(struct rte_udp_hdr) + writer.used + prefix_bytes;
	set_size(header, header_bytes, header_bytes - prefix_bytes + pdu_bytes);
	header->ip_at = (uint8_t)(FAN_HEADER_BYTES_MAX - header_bytes + fan_link_bytes(link));
	header->transport_at = (uint8_t)(header->ip_at + ip_bytes + sizeof(struct rte_udp_hdr));
	memcpy(header->octets + header->transport_at, writer.octets, writer.used);
	header->id_at[0] = (uint8_t)(header->id_at[0] + header->transport_at);
	header->id_at[1] = (uint8_t)(header->id_at[1] + header->transport_at);
	write_link(header, link, port, udp_bytes);
	return 0;
}

void
fan_hop_make(struct fan_hop *hop, const struct fan_next_hop *next_hop)
{
	memset(hop, 0, sizeof(*hop));
	memcpy(hop->ethernet, next_hop->ethernet, sizeof(hop->ethernet));
	memcpy(hop->address, next_hop->address, sizeof(hop->address));
	hop->address_sum = rte_raw_cksum(hop->address, 4);
}

void
fan_udp_checksum_fill(struct rte_mbuf *frame, const struct fan_link *link, bool ipv6)
{
	const size_t ip_bytes = ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	const void *ip = rte_pktmbuf_mtod_offset(frame, const void *, fan_link_bytes(link));
	struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(frame, struct rte_udp_hdr *, fan_link_bytes(link) + ip_bytes);

	udp->dgram_cksum = 0;
	udp->dgram_cksum = ipv6 ? rte_ipv6_udptcp_cksum(ip, udp) : rte_ipv4_udptcp_cksum(ip, udp);
}
