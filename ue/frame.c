/* SPDX-License-Identifier: BSD-3-Clause */
#include "frame.h"

#include "octets.h"

#define ETHERNET_HEADER_BYTES 14
#define VLAN_TAG_BYTES 4
#define ETHERTYPE_VLAN 0x8100       /* IEEE 802.1Q: one tag, whatever VLAN */
#define ETHERNET_FRAME_BYTES_MIN 60 /* without the frame check sequence: shorter ones are padded on the wire */
#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define IPV4_HEADER_BYTES 20
#define IPV6_HEADER_BYTES 40
#define UDP_HEADER_BYTES 8
#define PROTOCOL_UDP 17

#define GTPU_VERSION_MASK 0xf8 /* version 1, PT 1, spare 0 */
#define GTPU_VERSION 0x30
#define GTPU_EXTENSION 0x04
#define GTPU_OPTIONAL_FIELDS 0x07 /* any of E, S, PN brings all four optional octets */
#define GTPU_G_PDU 255

enum parse { PARSED, MALFORMED, CHECKSUM_WRONG };

/* Adds octets as 16-bit words, an odd last one padded with zero (RFC 1071). 65,535 octets cannot overflow the sum. */
static uint32_t
add_words(uint32_t sum, const uint8_t *octets, size_t octet_count)
{
	size_t i = 0;

	for (; i + 2 <= octet_count; i += 2)
		sum += fan_ue_octets_load16(octets + i);
	return i < octet_count ? sum + (uint32_t)octets[i] * 256 : sum;
}

static bool
sums_to_ones(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* In: udp, all that the IP packet carries; pseudo, the sum of its addresses. */
static enum parse
parse_udp(struct fan_ue_datagram *datagram, struct fan_ue_octets udp, uint32_t pseudo, bool zero_allowed)
{
	const uint8_t *all = udp.at, *header;
	size_t udp_bytes = udp.left;

	header = fan_ue_octets_take(&udp, UDP_HEADER_BYTES);
	if (!header || fan_ue_octets_load16(header + 4) != udp_bytes)
		return MALFORMED;
	if (fan_ue_octets_load16(header + 6) == 0) {
		if (!zero_allowed)
			return CHECKSUM_WRONG;
	} else if (!sums_to_ones(add_words(pseudo + PROTOCOL_UDP + (uint32_t)udp_bytes, all, udp_bytes))) {
		return CHECKSUM_WRONG;
	}
	datagram->destination_port = fan_ue_octets_load16(header + 2);
	datagram->payload = udp.at;
	datagram->payload_bytes = udp.left;
	datagram->packet_bytes = (size_t)(udp.at + udp.left - datagram->packet);
	return PARSED;
}

/* Cuts *octets down to what the length field of the IP header says. Octets beyond it are Ethernet padding or an error. */
static bool
trim(struct fan_ue_octets *octets, size_t ip_bytes, bool padded)
{
	if (ip_bytes > octets->left || (ip_bytes < octets->left && !padded))
		return false;
	octets->left = ip_bytes;
	return true;
}

static enum parse
parse_ipv4(struct fan_ue_datagram *datagram, struct fan_ue_octets octets, bool padded, bool zero_allowed)
{
	const uint8_t *header = octets.at;

	datagram->packet = header;
	if (octets.left < IPV4_HEADER_BYTES || header[0] != 0x45 || !trim(&octets, fan_ue_octets_load16(header + 2), padded))
		return MALFORMED;
	if (!fan_ue_octets_take(&octets, IPV4_HEADER_BYTES))
		return MALFORMED;
	/* Only DF may be set among flags and fragment offset. */
	if ((fan_ue_octets_load16(header + 6) & 0xbfff) || header[8] == 0 || header[9] != PROTOCOL_UDP)
		return MALFORMED;
	if (!sums_to_ones(add_words(0, header, IPV4_HEADER_BYTES)))
		return CHECKSUM_WRONG;
	datagram->ipv6 = false;
	memset(datagram->destination, 0, sizeof(datagram->destination));
	memcpy(datagram->destination, header + 16, 4);
	return parse_udp(datagram, octets, add_words(0, header + 12, 8), zero_allowed);
}

static enum parse
parse_ipv6(struct fan_ue_datagram *datagram, struct fan_ue_octets octets, bool padded)
{
	const uint8_t *header = fan_ue_octets_take(&octets, IPV6_HEADER_BYTES);

	datagram->packet = header;
	if (!header || header[0] >> 4 != 6 || !trim(&octets, fan_ue_octets_load16(header + 4), padded))
		return MALFORMED;
	if (header[6] != PROTOCOL_UDP || header[7] == 0)
		return MALFORMED;
	datagram->ipv6 = true;
	memcpy(datagram->destination, header + 24, 16);
	return parse_udp(datagram, octets, add_words(0, header + 8, 32), false);
}

enum fan_ue_verdict
fan_ue_frame_parse(struct fan_ue_datagram *datagram, const uint8_t *frame, size_t frame_bytes)
{
	struct fan_ue_octets octets = { frame, frame_bytes };
	const uint8_t *header = fan_ue_octets_take(&octets, ETHERNET_HEADER_BYTES);
	bool padded = frame_bytes <= ETHERNET_FRAME_BYTES_MIN;
	enum parse parse = MALFORMED;
	const uint8_t *type = header ? header + 12 : NULL;

	if (header)
		memcpy(datagram->ethernet, header, sizeof(datagram->ethernet));
	if (type && fan_ue_octets_load16(type) == ETHERTYPE_VLAN)
		type = fan_ue_octets_take(&octets, VLAN_TAG_BYTES) ? type + VLAN_TAG_BYTES : NULL;
	if (type && fan_ue_octets_load16(type) == ETHERTYPE_IPV4)
		parse = parse_ipv4(datagram, octets, padded, true);
	else if (type && fan_ue_octets_load16(type) == ETHERTYPE_IPV6)
		parse = parse_ipv6(datagram, octets, padded);
	if (parse == CHECKSUM_WRONG)
		return FAN_UE_BAD_CHECKSUM;
	return parse == PARSED ? FAN_UE_ACCEPTED : FAN_UE_MALFORMED_FRAME;
}

enum fan_ue_verdict
fan_ue_frame_parse_inner(struct fan_ue_datagram *datagram, const uint8_t *packet, size_t packet_bytes)
{
	struct fan_ue_octets octets = { packet, packet_bytes };
	enum parse parse = parse_ipv4(datagram, octets, false, false);

	if (parse == CHECKSUM_WRONG)
		return FAN_UE_BAD_CHECKSUM;
	return parse == PARSED ? FAN_UE_ACCEPTED : FAN_UE_MALFORMED_CONTENT;
}

/* TS 38.425 5.5.2.1, DL USER DATA: what the flags announce must be there, and after it only padding up to the next 4n - 2. */
static bool
parse_nr_container(struct fan_ue_tunnel *tunnel, struct fan_ue_octets content)
{
	const uint8_t *fixed = fan_ue_octets_take(&content, 5);
	uint8_t flags;

	/* PDU type 0 and spare bits */
	if (!fixed || (fixed[0] & 0xf8) || (fixed[1] & 0xe0))
		return false;
	flags = fixed[0];
	if ((flags & 0x02) && !fan_ue_octets_take(&content, 3)) /* flush: DL discard NR PDCP PDU SN */
		return false;
	if (flags & 0x04) { /* discard blocks: their number, then start and size of each */
		int blocks = fan_ue_octets_next(&content);

		if (blocks < 0 || !fan_ue_octets_take(&content, 4 * (size_t)blocks))
			return false;
	}
	if ((fixed[1] & 0x08) && !fan_ue_octets_take(&content, 3)) /* report delivered: its NR PDCP PDU SN */
		return false;
	if (content.left > 3)
		return false;
	while (content.left)
		if (fan_ue_octets_next(&content) != 0)
			return false;
	tunnel->nr_container = true;
	tunnel->nru_sn = fan_ue_octets_load24(fixed + 2);
	return true;
}

/* One extension header of a type (TS 29.281 5.2.1). Types with the highest bit set must be understood by the endpoint; those
 * of a PDCP PDU number and of the other containers are, as far as to know that they do not matter here. */
static bool
parse_extension(struct fan_ue_tunnel *tunnel, struct fan_ue_octets content, int type)
{
	switch (type) {
	case 0x84:
		return !tunnel->nr_container && parse_nr_container(tunnel, content);
	case 0x81: /* RAN container */
	case 0x82: /* long PDCP PDU number */
	case 0x83: /* Xw RAN container */
	case 0x85: /* PDU session container */
	case 0xc0: /* PDCP PDU number */
		return true;
	default:
		return type < 0x80;
	}
}

static bool
parse_extensions(struct fan_ue_tunnel *tunnel, struct fan_ue_octets *gtpu, int type)
{
	while (type > 0) {
		int units = fan_ue_octets_next(gtpu);
		struct fan_ue_octets content;

		if (units < 1 || !fan_ue_octets_cut(&content, gtpu, 4 * (size_t)units - 2) ||
		    !parse_extension(tunnel, content, type))
			return false;
		type = fan_ue_octets_next(gtpu);
	}
	return type == 0;
}

bool
fan_ue_frame_parse_tunnel(struct fan_ue_tunnel *tunnel, const uint8_t *gtpu, size_t gtpu_bytes)
{
	struct fan_ue_octets octets = { gtpu, gtpu_bytes };
	const uint8_t *header = fan_ue_octets_take(&octets, 8);

	memset(tunnel, 0, sizeof(*tunnel));
	if (!header || (header[0] & GTPU_VERSION_MASK) != GTPU_VERSION || header[1] != GTPU_G_PDU ||
	    fan_ue_octets_load16(header + 2) != octets.left)
		return false;
	if (header[0] & GTPU_OPTIONAL_FIELDS) {
		const uint8_t *optional = fan_ue_octets_take(&octets, 4);

		/* The type of the next header counts only under E (TS 29.281 5.1). */
		if (!optional || ((header[0] & GTPU_EXTENSION) && !parse_extensions(tunnel, &octets, optional[3])))
			return false;
	}
	tunnel->teid = fan_ue_octets_load32(header + 4);
	tunnel->pdu = octets.at;
	tunnel->pdu_bytes = octets.left;
	return true;
}
