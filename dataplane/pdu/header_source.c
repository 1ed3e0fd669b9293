/* SPDX-License-Identifier: BSD-3-Clause */
#include "header_source.h"

#include "../context/count.h"

#include <rte_ether.h>
#include <rte_ip.h>

/* Octets that lie in the order in which they are sent. */
static void
trace_octets(uint8_t *source, unsigned octet_count, unsigned own)
{
	for (unsigned i = 0; i < octet_count; i++)
		source[i] = (uint8_t)(own + i);
}

/* A number, whose lowest octet lies first and is sent last. */
static void
trace_number(uint8_t *source, unsigned octet_count, unsigned own)
{
	for (unsigned i = 0; i < octet_count; i++)
		source[i] = (uint8_t)(own + octet_count - 1 - i);
}

static void
trace_ids(uint8_t *source, const struct fan_header *header, bool nas)
{
	const uint8_t *at = header->id_at, *id_bytes = header->id_bytes;
	const unsigned low_bytes = id_bytes[0] < sizeof(uint32_t) ? id_bytes[0] : sizeof(uint32_t);

	if (!nas) {
		trace_number(source + at[0], id_bytes[0], FAN_CONTEXT_OCTET(drb.teid));
		trace_number(source + at[1], id_bytes[1], FAN_CONTEXT_OCTET(drb.nru_sn));
		return;
	}
	if (id_bytes[0] > low_bytes)
		source[at[0]] = FAN_CONTEXT_OCTET(nas.mme_ue_id_high);
	trace_number(source + at[0] + id_bytes[0] - low_bytes, low_bytes, FAN_CONTEXT_OCTET(nas.mme_ue_id_low));
	trace_number(source + at[1], id_bytes[1], FAN_CONTEXT_OCTET(nas.ran_ue_id));
}

void
fan_header_trace(struct fan_header *header, enum fan_kind kind, unsigned clear_bytes, bool ipv6)
{
	uint8_t *source = header->source, *ip = source + header->ip_at;

	for (unsigned i = 0; i < FAN_HEADER_BYTES_MAX; i++)
		source[i] = i % FAN_HEADER_HALF;
	trace_octets(source + FAN_HEADER_BYTES_MAX - header->byte_count, RTE_ETHER_ADDR_LEN, FAN_HOP_OCTET(ethernet));
	if (!fan_kind_is_nas(kind) && !fan_kind_is_bearer(kind))
		return;
	if (ipv6) {
		trace_octets(ip + offsetof(struct rte_ipv6_hdr, dst_addr), 16, FAN_HOP_OCTET(address));
	} else {
		trace_octets(ip + offsetof(struct rte_ipv4_hdr, hdr_checksum), 2, FAN_HOP_OCTET(checksum));
		trace_octets(ip + offsetof(struct rte_ipv4_hdr, dst_addr), 4, FAN_HOP_OCTET(address));
	}
	trace_ids(source, header, fan_kind_is_nas(kind));
	trace_number(source + FAN_HEADER_BYTES_MAX - clear_bytes, fan_count_sn_bytes(kind), FAN_CONTEXT_OCTET(count));
}
