/* SPDX-License-Identifier: BSD-3-Clause */
#include "receipt.h"

#include <rte_ether.h>
#include <rte_ip.h>
#include <string.h>

#define UDP_BYTES 8
#define GTPU_BYTES 8
#define GTPU_G_PDU 255
#define GTPU_EXTENSION_FLAG 0x04
#define GTPU_OPTIONAL_FLAGS 0x07     /* any of E, S, PN brings all four optional octets (TS 29.281 5.1) */
#define EXTENSION_NR_RAN 0x84        /* TS 29.281 5.2.1 */
#define EXTENSION_MUST_BE_KNOWN 0x80 /* by the endpoint, which we are */
#define EXTENSIONS_MAX 4             /* a delivery status comes with one */

/* DL DATA DELIVERY STATUS: flags of its first two octets (TS 38.425 5.5.2.2). */
#define STATUS_PDU_TYPE 1
#define STATUS_DELIVERED 0x04
#define STATUS_LOST 0x01
#define STATUS_TRANSMITTED 0x08
#define STATUS_DATA_RATE 0x08
#define STATUS_RETRANSMITTED 0x04
#define STATUS_DELIVERED_AGAIN 0x02
#define STATUS_CAUSE 0x01

/* The datagram of a relay: RECEIPTS.md. */
#define RELAY_MAGIC 0x46414e52U
#define RELAY_VERSION 1
#define RELAY_HEADER_BYTES 16
#define RELAY_ENTRY_BYTES 13

struct octets {
	const uint8_t *at;
	size_t left;
};

/* NULL: so many are not left. */
static const uint8_t *
take(struct octets *octets, size_t count)
{
	const uint8_t *at = octets->at;

	if (count > octets->left)
		return NULL;
	octets->at += count;
	octets->left -= count;
	return at;
}

static uint16_t
load16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t
load24(const uint8_t *at)
{
	return (uint32_t)at[0] << 16 | load16(at + 1);
}

static uint32_t
load32(const uint8_t *at)
{
	return (uint32_t)load16(at) << 16 | load16(at + 2);
}

static uint64_t
load64(const uint8_t *at)
{
	return (uint64_t)load32(at) << 32 | load32(at + 4);
}

/* ---- Ethernet, IP, UDP ------------------------------------------------------------------------------------------------- */

/* A tag that names no VLAN gives a priority only; one is taken off by some ports, so that none need be there. */
static enum fan_refusal
read_ethernet(struct octets *frame, const struct fan_link *link)
{
	const uint8_t *header = take(frame, RTE_ETHER_HDR_LEN), *type;

	if (header == NULL)
		return FAN_REFUSAL_TRUNCATED;
	if (memcmp(header, link->ethernet, sizeof(link->ethernet)) != 0)
		return FAN_REFUSAL_NOT_OURS;
	type = header + 12;
	if (load16(type) == RTE_ETHER_TYPE_VLAN) {
		const uint8_t *tag = take(frame, sizeof(struct rte_vlan_hdr));
		unsigned vlan;

		if (tag == NULL)
			return FAN_REFUSAL_TRUNCATED;
		vlan = load16(tag) & 0xfff;
		if (vlan != 0 && vlan != (link->vlan_tag & 0xfff))
			return FAN_REFUSAL_NOT_OURS;
		type = tag + 2;
	}
	return load16(type) == (link->ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4) ? FAN_REFUSAL_NONE
											: FAN_REFUSAL_NOT_OURS;
}

/* Out: *packet, cut down to what the IP header carries: behind it stand octets that pad a frame; *sum, of the addresses, as they lie in
 * memory. */
static enum fan_refusal
read_ipv4(struct fan_receipt_frame *read, struct octets *packet, uint32_t *sum, const struct fan_link *link)
{
	const uint8_t *header = take(packet, sizeof(struct rte_ipv4_hdr));
	size_t header_bytes, total_bytes;

	if (header == NULL)
		return FAN_REFUSAL_TRUNCATED;
	header_bytes = (size_t)(header[0] & 0x0f) * 4;
	total_bytes = load16(header + 2);
	if (header[0] >> 4 != 4 || header_bytes < sizeof(struct rte_ipv4_hdr) || total_bytes < header_bytes)
		return FAN_REFUSAL_MALFORMED;
	if (total_bytes - sizeof(struct rte_ipv4_hdr) > packet->left)
		return FAN_REFUSAL_TRUNCATED;
	packet->left = total_bytes - sizeof(struct rte_ipv4_hdr);
	(void)take(packet, header_bytes - sizeof(struct rte_ipv4_hdr));
	if (rte_raw_cksum(header, header_bytes) != 0xffff)
		return FAN_REFUSAL_CHECKSUM;
	if (memcmp(header + 16, link->address, 4) != 0 || header[9] != IPPROTO_UDP)
		return FAN_REFUSAL_NOT_OURS;
	if ((load16(header + 6) & (RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) != 0)
		return FAN_REFUSAL_FRAGMENT;
	memset(read->sender, 0, sizeof(read->sender));
	memcpy(read->sender, header + 12, 4);
	*sum = rte_raw_cksum(header + 12, 8);
	return FAN_REFUSAL_NONE;
}

static enum fan_refusal
read_ipv6(struct fan_receipt_frame *read, struct octets *packet, uint32_t *sum, const struct fan_link *link)
{
	const uint8_t *header = take(packet, sizeof(struct rte_ipv6_hdr));

	if (header == NULL || load16(header + 4) > packet->left)
		return FAN_REFUSAL_TRUNCATED;
	packet->left = load16(header + 4);
	if (header[0] >> 4 != 6)
		return FAN_REFUSAL_MALFORMED;
	if (memcmp(header + 24, link->address, 16) != 0)
		return FAN_REFUSAL_NOT_OURS;
	/* Hop-by-hop options, routing, fragment, destination options (RFC 8200 4). */
	if (header[6] == 0 || header[6] == 43 || header[6] == 44 || header[6] == 60)
		return FAN_REFUSAL_FRAGMENT;
	if (header[6] != IPPROTO_UDP)
		return FAN_REFUSAL_NOT_OURS;
	memcpy(read->sender, header + 8, 16);
	*sum = rte_raw_cksum(header + 8, 32);
	return FAN_REFUSAL_NONE;
}

/* Out: *port, the destination's; *datagram is then what UDP carries. In: sum, of the addresses. */
static enum fan_refusal
read_udp(struct octets *datagram, uint16_t *port, uint32_t sum, bool ipv6)
{
	const size_t byte_count = datagram->left;
	const uint8_t *header = take(datagram, UDP_BYTES);

	if (header == NULL)
		return FAN_REFUSAL_TRUNCATED;
	if (load16(header + 4) != byte_count)
		return load16(header + 4) > byte_count ? FAN_REFUSAL_TRUNCATED : FAN_REFUSAL_MALFORMED;
	*port = load16(header + 2);
	if (load16(header + 6) == 0)
		return ipv6 ? FAN_REFUSAL_CHECKSUM : FAN_REFUSAL_NONE;
	sum += rte_cpu_to_be_16(IPPROTO_UDP) + (uint32_t)rte_cpu_to_be_16((uint16_t)byte_count);
	sum += rte_raw_cksum(header, byte_count);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return sum == 0xffff ? FAN_REFUSAL_NONE : FAN_REFUSAL_CHECKSUM;
}

/* ---- NR-U -------------------------------------------------------------------------------------------------------------- */

/* Out: *tunnel, the TEID; *extensions, what follows the header, and *type, of the first extension; 0: none. */
static enum fan_refusal
read_gtpu(struct octets *extensions, uint32_t *tunnel, uint8_t *type, struct octets datagram)
{
	const uint8_t *header = take(&datagram, GTPU_BYTES), *optional;

	if (header == NULL)
		return FAN_REFUSAL_TRUNCATED;
	if (header[0] >> 4 != 3) /* version 1, PT 1 */
		return FAN_REFUSAL_MALFORMED;
	if (load16(header + 2) != datagram.left)
		return load16(header + 2) > datagram.left ? FAN_REFUSAL_TRUNCATED : FAN_REFUSAL_MALFORMED;
	*tunnel = load32(header + 4);
	*type = 0;
	if (header[1] != GTPU_G_PDU || (header[0] & GTPU_OPTIONAL_FLAGS) == 0)
		return FAN_REFUSAL_NO_STATUS;
	optional = take(&datagram, 4);
	if (optional == NULL)
		return FAN_REFUSAL_TRUNCATED;
	if ((header[0] & GTPU_EXTENSION_FLAG) != 0)
		*type = optional[3];
	*extensions = datagram;
	return FAN_REFUSAL_NONE;
}

/* Takes one extension header, whose first octet counts its words of 4 octets, off a chain. Out: *type, of the next; *content. */
static enum fan_refusal
read_extension(struct octets *chain, struct octets *content, uint8_t *type)
{
	const size_t extension_bytes = chain->left > 0 ? (size_t)chain->at[0] * 4 : 4;
	const uint8_t *extension = take(chain, extension_bytes);

	if (extension == NULL)
		return FAN_REFUSAL_TRUNCATED;
	if (extension_bytes == 0)
		return FAN_REFUSAL_MALFORMED;
	*content = (struct octets){ .at = extension + 1, .left = extension_bytes - 2 };
	*type = extension[extension_bytes - 1];
	return FAN_REFUSAL_NONE;
}

/* Out: *container, the content of the one NR RAN container; empty when there is none. In: the chain, and the type of its first. */
static enum fan_refusal
read_chain(struct octets *container, struct octets chain, uint8_t type)
{
	enum fan_refusal refusal = FAN_REFUSAL_NONE;
	bool found = false;

	*container = (struct octets){ .left = 0 };
	for (unsigned i = 0; type != 0 && refusal == FAN_REFUSAL_NONE; i++) {
		const bool is_container = type == EXTENSION_NR_RAN;
		struct octets content;

		if (i == EXTENSIONS_MAX || (is_container ? found : (type & EXTENSION_MUST_BE_KNOWN) != 0))
			return FAN_REFUSAL_CHAIN;
		refusal = read_extension(&chain, &content, &type);
		if (refusal == FAN_REFUSAL_NONE && is_container) {
			*container = content;
			found = true;
		}
	}
	return refusal;
}

/*
 * Its fields stand in this order, those without a flag left out (TS 38.425 5.5.2.2): desired buffer size 4, desired data rate 4, number of
 * lost ranges 1 and 6 each, highest delivered SN 3, highest transmitted SN 3, cause 1, two SNs of retransmissions 3 each. What later
 * releases add stands behind them, under flags that are spare here and not to be looked at.
 *
 * The SN is the highest up to which all that the sending node RECEIVED was delivered (5.4.2.1). A packet that was lost before it is
 * reported once as a range, and the UE misses it: then the SN is no proof.
 */
static enum fan_refusal
read_status(uint32_t *sn, struct octets status)
{
	const uint8_t *flags = take(&status, 2), *lost = NULL, *delivered = NULL;
	size_t rest_bytes;

	if (flags == NULL || flags[0] >> 4 != STATUS_PDU_TYPE)
		return FAN_REFUSAL_NO_STATUS;
	if (take(&status, (flags[1] & STATUS_DATA_RATE) != 0 ? 8 : 4) == NULL)
		return FAN_REFUSAL_TRUNCATED;
	if ((flags[0] & STATUS_LOST) != 0) {
		lost = take(&status, 1);
		if (lost == NULL || take(&status, *lost * 6UL) == NULL)
			return FAN_REFUSAL_TRUNCATED;
	}
	if ((flags[0] & STATUS_DELIVERED) != 0) {
		delivered = take(&status, 3);
		if (delivered == NULL)
			return FAN_REFUSAL_TRUNCATED;
	}
	rest_bytes = ((flags[0] & STATUS_TRANSMITTED) != 0 ? 3U : 0) + ((flags[1] & STATUS_CAUSE) != 0 ? 1U : 0) +
		     ((flags[1] & STATUS_DELIVERED_AGAIN) != 0 ? 3U : 0) + ((flags[1] & STATUS_RETRANSMITTED) != 0 ? 3U : 0);
	if (take(&status, rest_bytes) == NULL)
		return FAN_REFUSAL_TRUNCATED;
	if (delivered == NULL)
		return FAN_REFUSAL_NO_STATUS;
	*sn = load24(delivered);
	return lost != NULL && *lost > 0 ? FAN_REFUSAL_LOSS : FAN_REFUSAL_NONE;
}

static enum fan_refusal
read_tunnel(struct fan_receipt_frame *read, struct octets datagram)
{
	struct octets chain, container;
	uint32_t tunnel, sn = 0;
	uint8_t type;
	enum fan_refusal refusal = read_gtpu(&chain, &tunnel, &type, datagram);

	if (refusal == FAN_REFUSAL_NONE)
		refusal = read_chain(&container, chain, type);
	if (refusal == FAN_REFUSAL_NONE)
		refusal = read_status(&sn, container);
	if (refusal != FAN_REFUSAL_NONE)
		return refusal;
	read->sequence = 0;
	read->count = 1;
	read->receipt[0] = (struct fan_receipt){ .way = FAN_RECEIPT_TUNNEL, .id = tunnel, .number = sn };
	return FAN_REFUSAL_NONE;
}

/* ---- Relays ------------------------------------------------------------------------------------------------------------ */

static enum fan_refusal
read_entry(struct fan_receipt *receipt, const uint8_t *entry)
{
	*receipt = (struct fan_receipt){ .way = entry[0], .id = load64(entry + 1), .number = load32(entry + 9) };
	return entry[0] > FAN_RECEIPT_TUNNEL && entry[0] < FAN_RECEIPT_WAYS ? FAN_REFUSAL_NONE : FAN_REFUSAL_MALFORMED;
}

static enum fan_refusal
read_relay(struct fan_receipt_frame *read, struct octets datagram)
{
	const uint8_t *header = take(&datagram, RELAY_HEADER_BYTES);
	enum fan_refusal refusal = FAN_REFUSAL_NONE;

	if (header == NULL)
		return FAN_REFUSAL_TRUNCATED;
	read->count = load16(header + 6);
	read->sequence = load64(header + 8);
	if (load32(header) != RELAY_MAGIC || header[4] != RELAY_VERSION)
		return FAN_REFUSAL_VERSION;
	if (header[5] != 0 || read->sequence == 0 || read->count == 0 || read->count > FAN_RECEIPTS_A_FRAME)
		return FAN_REFUSAL_MALFORMED;
	if (read->count * RELAY_ENTRY_BYTES != datagram.left)
		return read->count * RELAY_ENTRY_BYTES > datagram.left ? FAN_REFUSAL_TRUNCATED : FAN_REFUSAL_MALFORMED;
	for (unsigned i = 0; refusal == FAN_REFUSAL_NONE && i < read->count; i++)
		refusal = read_entry(&read->receipt[i], datagram.at + (size_t)i * RELAY_ENTRY_BYTES);
	return refusal;
}

enum fan_refusal
fan_receipt_read(struct fan_receipt_frame *read, const struct fan_link *link, uint16_t relay_port, const uint8_t *octets,
		 size_t octet_count)
{
	struct octets left = { .at = octets, .left = octet_count };
	uint32_t sum = 0;
	uint16_t port = 0;
	enum fan_refusal refusal = read_ethernet(&left, link);

	if (refusal == FAN_REFUSAL_NONE)
		refusal = link->ipv6 ? read_ipv6(read, &left, &sum, link) : read_ipv4(read, &left, &sum, link);
	if (refusal == FAN_REFUSAL_NONE)
		refusal = read_udp(&left, &port, sum, link->ipv6);
	if (refusal != FAN_REFUSAL_NONE)
		return refusal;
	if (port == FAN_PORT_GTPU)
		return read_tunnel(read, left);
	return port == relay_port ? read_relay(read, left) : FAN_REFUSAL_NOT_OURS;
}

const char *
fan_refusal_name(enum fan_refusal refusal)
{
	static const char *const names[] = { "none",
#define FAN_REFUSAL_TEXT(name, text, why) text,
					     FAN_REFUSAL_LIST(FAN_REFUSAL_TEXT)
#undef FAN_REFUSAL_TEXT
	};

	return (unsigned)refusal < FAN_REFUSAL_COUNT ? names[refusal] : "unknown";
}

_Static_assert(FAN_REFUSAL_COUNT <= FAN_REFUSALS_MAX, "every reason has a counter");
