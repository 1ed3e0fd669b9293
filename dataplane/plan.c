/* SPDX-License-Identifier: BSD-3-Clause */
#include "plan.h"

#include "count.h"

#include <immintrin.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define NAS_EPS_PREFIX_BYTES 6 /* 27, MAC 4, SN (TS 24.301 9.1) */
#define NAS_5GS_PREFIX_BYTES 7 /* 7E, 02, MAC 4, SN (TS 24.501 9.1.1) */
#define IP_UDP_BYTES 28
#define DEFAULT_PORT 40000

void
fan_message_init(struct fan_message *message, const void *bytes, size_t byte_count)
{
	memset(message, 0, sizeof(*message));
	message->bytes = bytes;
	message->byte_count = byte_count;
	message->sdap_qfi = -1;
}

int
fan_message_check(const struct fan_message *message)
{
	if (message->bytes == NULL || message->byte_count == 0)
		return fan_fail(FAN_E_INVALID, "the message is empty: 1 octet at least");
	if (message->priority > 7)
		return fan_fail(FAN_E_INVALID, "priority %u: 0 to 7", message->priority);
	if ((unsigned)message->coding > FAN_CODING_8BIT)
		return fan_fail(FAN_E_INVALID, "unknown coding %d", (int)message->coding);
	if (message->sdap_qfi < -1 || message->sdap_qfi > 63)
		return fan_fail(FAN_E_INVALID, "SDAP QFI %d: 0 to 63, or -1 for none", message->sdap_qfi);
	return 0;
}

/* ---- Plaintext --------------------------------------------------------------------------------------------------------- */

/* Room for text_bytes of plaintext behind `clear_bytes` of clear prefix, or the refusal. */
static int
set_text_bytes(struct fan_plan *plan, size_t text_bytes, size_t message_bytes)
{
	const size_t overhead = text_bytes - message_bytes + plan->shape.clear_bytes;

	if (text_bytes + plan->shape.clear_bytes > FAN_PDU_BYTES_MAX)
		return fan_fail(FAN_E_TOO_LONG, "a message of %zu octets is too long for %s: %zu at most", message_bytes,
				fan_profile_name(plan->profile), FAN_PDU_BYTES_MAX - overhead);
	plan->shape.text_bytes = (uint16_t)text_bytes;
	return 0;
}

static uint8_t *
put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return at + 2;
}

/* ESM DATA TRANSPORT (TS 24.301 8.3.25). */
static int
encode_nidd(struct fan_plan *plan, const struct fan_message *message, uint8_t bearer_id)
{
	uint8_t *at = plan->text;
	const int error = set_text_bytes(plan, 5 + message->byte_count, message->byte_count);

	if (error != 0)
		return error;
	*at++ = (uint8_t)(bearer_id << 4 | 0x02);
	*at++ = 0x00; /* PTI: none assigned */
	*at++ = 0xeb;
	at = put16(at, message->byte_count);
	memcpy(at, message->bytes, message->byte_count);
	return 0;
}

/* DL NAS TRANSPORT with a CIoT user data container (TS 24.501 8.2.11, 9.11.3.39). */
static int
encode_ciot(struct fan_plan *plan, const struct fan_message *message, uint8_t bearer_id)
{
	uint8_t *at = plan->text;
	const int error = set_text_bytes(plan, 8 + message->byte_count, message->byte_count);

	if (error != 0)
		return error;
	*at++ = 0x7e;
	*at++ = 0x00;
	*at++ = 0x68;
	*at++ = 0x08;
	at = put16(at, message->byte_count);
	memcpy(at, message->bytes, message->byte_count);
	at += message->byte_count;
	*at++ = 0x12; /* PDU session identity */
	*at = bearer_id;
	return 0;
}

/* DOWNLINK NAS TRANSPORT (TS 24.301 8.2.12) or DL NAS TRANSPORT with an SMS payload container (TS 24.501 8.2.11). */
static int
encode_sms(struct fan_plan *plan, const struct fan_sms_part *part)
{
	uint8_t *at = plan->text;
	size_t lead_bytes;
	int error;

	if (plan->kind == FAN_EPS_NAS) {
		*at++ = 0x07;
		*at++ = 0x62;
		*at++ = part->byte_count;
	} else {
		*at++ = 0x7e;
		*at++ = 0x00;
		*at++ = 0x68;
		*at++ = 0x02;
		at = put16(at, part->byte_count);
	}
	lead_bytes = (size_t)(at - plan->text);
	error = set_text_bytes(plan, lead_bytes + part->byte_count, part->byte_count);
	if (error != 0)
		return error;
	memcpy(at, part->cp_data, part->byte_count);
	plan->head = FAN_HEAD_SMS;
	plan->shape.head_blocks = 1;
	plan->transaction_at = (uint8_t)(lead_bytes + FAN_CP_TRANSACTION_OFFSET);
	plan->reference_at = (uint8_t)(lead_bytes + FAN_RP_REFERENCE_OFFSET);
	static_assert(6 + FAN_RP_REFERENCE_OFFSET < 16, "transaction and reference lie in the first block");
	return 0;
}

/* An IPv4/UDP packet to the UE's own address; what depends on that address is left to write_ip_head(). */
static int
encode_ip(struct fan_plan *plan, const struct fan_message *message)
{
	static const uint8_t default_source[4] = { 192, 0, 2, 1 };
	const int error = set_text_bytes(plan, IP_UDP_BYTES + message->byte_count, message->byte_count);
	struct rte_ipv4_hdr ip = {
		.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16(plan->shape.text_bytes),
		.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_UDP,
	};
	const struct rte_udp_hdr udp = {
		.src_port = rte_cpu_to_be_16(message->source_port != 0 ? message->source_port : DEFAULT_PORT),
		.dst_port = rte_cpu_to_be_16(message->destination_port != 0 ? message->destination_port : DEFAULT_PORT),
		.dgram_len = rte_cpu_to_be_16((uint16_t)(sizeof(udp) + message->byte_count)),
	};
	uint32_t source;

	if (error != 0)
		return error;
	memcpy(&source, message->source_ipv4, sizeof(source));
	memcpy(&ip.src_addr, source != 0 ? message->source_ipv4 : default_source, sizeof(ip.src_addr));
	memcpy(plan->text, &ip, sizeof(ip));
	memcpy(plan->text + sizeof(ip), &udp, sizeof(udp));
	memcpy(plan->text + IP_UDP_BYTES, message->bytes, message->byte_count);
	plan->head = FAN_HEAD_IP;
	plan->shape.head_blocks = 2;
	static_assert(IP_UDP_BYTES <= 32, "the UE's own octets lie in two blocks");
	plan->ipv4_sum = rte_raw_cksum(&ip, sizeof(ip));
	/* Pseudo header (source, protocol, length), UDP header, data. */
	plan->udp_sum = (uint32_t)rte_raw_cksum(&ip.src_addr, sizeof(ip.src_addr)) + rte_cpu_to_be_16(IPPROTO_UDP) +
			udp.dgram_len + rte_raw_cksum(plan->text + sizeof(ip), sizeof(udp) + message->byte_count);
	return 0;
}

static int
encode_raw(struct fan_plan *plan, const struct fan_message *message)
{
	const int error = set_text_bytes(plan, message->byte_count, message->byte_count);

	if (error == 0)
		memcpy(plan->text, message->bytes, message->byte_count);
	return error;
}

/* ---- Prefix and headers ------------------------------------------------------------------------------------------------ */

static size_t
prefix_bytes(const struct fan_plan *plan)
{
	if (plan->kind == FAN_EPS_NAS)
		return NAS_EPS_PREFIX_BYTES;
	if (plan->kind == FAN_5GS_NAS)
		return NAS_5GS_PREFIX_BYTES;
	return plan->shape.clear_bytes;
}

static void
write_prefix(const struct fan_plan *plan, struct fan_header *header, int sdap_qfi)
{
	uint8_t *prefix = header->octets + FAN_HEADER_BYTES_MAX - prefix_bytes(plan);

	if (plan->kind == FAN_EPS_NAS) {
		prefix[0] = 0x27; /* integrity protected and ciphered, EMM */
	} else if (plan->kind == FAN_5GS_NAS) {
		prefix[0] = 0x7e;
		prefix[1] = 0x02;
	} else {
		prefix[0] = 0x80; /* D/C: data */
		if (plan->sdap_bytes != 0)
			header->octets[FAN_HEADER_BYTES_MAX - 1] = (uint8_t)sdap_qfi; /* RDI 0, RQI 0 */
	}
}

/* Octets of the SN that the UE is sent of COUNT. */
static unsigned
sn_octets(const struct fan_plan *plan)
{
	return (fan_count_rules[plan->kind].sn_bits + 7U) / 8;
}

/* ---- Sources ----------------------------------------------------------------------------------------------------------- */

/*
 * A UE's header is its template with octets of the UE's own put in, which permute_header() does in registers. A header's source[]
 * says of each octet which one of the template's same half it is, or, with OWN, which one of 64 others: the half line of the context
 * that is no key, and the next hop. Two places in them have another use there: `count` holds the clear prefix's number, and the
 * hop's `checksum` that of the frame.
 */
#define HALF 64
#define OWN 64
#define CONTEXT_OCTET(field) (OWN | (offsetof(struct fan_context, field) - offsetof(struct fan_context, count)))
#define HOP_OCTET(field) (OWN | (32 + offsetof(struct fan_hop, field)))
static_assert(FAN_HEADER_BYTES_MAX == 2 * HALF, "two permutations");
static_assert(offsetof(struct fan_context, count) == 32 && sizeof(struct fan_context) == 64, "the second half line");
static_assert(sizeof(struct fan_hop) == 32, "fits beside it");

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
		trace_number(source + at[0], id_bytes[0], CONTEXT_OCTET(drb.teid));
		trace_number(source + at[1], id_bytes[1], CONTEXT_OCTET(drb.nru_sn));
		return;
	}
	if (id_bytes[0] > low_bytes)
		source[at[0]] = CONTEXT_OCTET(nas.mme_ue_id_high);
	trace_number(source + at[0] + id_bytes[0] - low_bytes, low_bytes, CONTEXT_OCTET(nas.mme_ue_id_low));
	trace_number(source + at[1], id_bytes[1], CONTEXT_OCTET(nas.ran_ue_id));
}

static void
trace_sources(const struct fan_plan *plan, struct fan_header *header, bool ipv6)
{
	uint8_t *source = header->source, *ip = source + header->ip_at;

	for (unsigned i = 0; i < FAN_HEADER_BYTES_MAX; i++)
		source[i] = i % HALF;
	trace_octets(ip - RTE_ETHER_HDR_LEN, RTE_ETHER_ADDR_LEN, HOP_OCTET(ethernet));
	if (ipv6) {
		trace_octets(ip + offsetof(struct rte_ipv6_hdr, dst_addr), 16, HOP_OCTET(address));
	} else {
		trace_octets(ip + offsetof(struct rte_ipv4_hdr, hdr_checksum), 2, HOP_OCTET(checksum));
		trace_octets(ip + offsetof(struct rte_ipv4_hdr, dst_addr), 4, HOP_OCTET(address));
	}
	trace_ids(source, header, fan_kind_is_nas(plan->kind));
	trace_number(source + FAN_HEADER_BYTES_MAX - plan->shape.clear_bytes, sn_octets(plan), CONTEXT_OCTET(count));
}

static enum fan_application
application_of(enum fan_kind kind)
{
	switch (kind) {
	case FAN_EPS_NAS:
		return FAN_S1AP;
	case FAN_5GS_NAS:
		return FAN_NGAP;
	case FAN_NR_PDCP_12:
	case FAN_NR_PDCP_18:
		return FAN_GTPU_NR;
	default:
		return FAN_GTPU;
	}
}

static int
make_headers(struct fan_plan *plan, const struct fan_link *link, int sdap_qfi)
{
	const size_t prefix = prefix_bytes(plan);
	const size_t pdu_bytes = prefix + plan->shape.text_bytes + plan->trailer_bytes;
	const enum fan_application application = application_of(plan->kind);
	const bool nas = application == FAN_S1AP || application == FAN_NGAP;

	for (unsigned i = 0; i < (nas ? FAN_HEADERS_MAX : 1); i++) {
		const uint8_t id_bytes[2] = { (uint8_t)(1 + i / FAN_RAN_ID_LENGTHS), (uint8_t)(1 + i % FAN_RAN_ID_LENGTHS) };
		int error;

		if (application == FAN_S1AP &&
		    (id_bytes[0] > FAN_S1AP_MME_ID_BYTES_MAX || id_bytes[1] > FAN_S1AP_RAN_ID_BYTES_MAX))
			continue;
		error = fan_header_make(&plan->header[i], link, application, prefix, pdu_bytes, id_bytes);
		if (error != 0)
			return error;
		FAN_REQUIRE(!nas || plan->header[i].id_at[1] + sizeof(uint64_t) <= FAN_HEADER_BYTES_MAX);
		write_prefix(plan, &plan->header[i], sdap_qfi);
		trace_sources(plan, &plan->header[i], link->ipv6);
	}
	return 0;
}

void
fan_shape_init(struct fan_shape *shape, struct fan_protection protection)
{
	shape->cipher = protection.cipher;
	shape->integrity = protection.integrity;
	shape->sequence = FAN_MAC_THEN_CIPHER;
	if (fan_kind_is_nas(protection.kind))
		shape->sequence = FAN_CIPHER_THEN_MAC;
	else if (protection.integrity == FAN_INTEGRITY_NONE)
		shape->sequence = FAN_CIPHER_ONLY;
}

static void
init_shape(struct fan_plan *plan, struct fan_protection protection, const struct fan_message *message)
{
	struct fan_shape *shape = &plan->shape;
	const bool nr = plan->kind == FAN_NR_PDCP_12 || plan->kind == FAN_NR_PDCP_18;

	fan_shape_init(shape, protection);
	shape->message = plan->text;
	shape->clear_bytes = 1; /* NAS: the SN */
	if (shape->sequence == FAN_CIPHER_THEN_MAC)
		return;
	plan->trailer_bytes = shape->sequence == FAN_MAC_THEN_CIPHER ? FAN_MAC_BYTES : 0;
	plan->sdap_bytes = nr && message->sdap_qfi >= 0;
	shape->clear_bytes = (uint8_t)((fan_count_rules[plan->kind].sn_bits == 12 ? 2 : 3) + plan->sdap_bytes);
}

static int
encode(struct fan_plan *plan, const struct fan_message *message, const struct fan_sms_part *part, uint8_t bearer_id)
{
	switch (plan->profile) {
	case FAN_EPS_NAS_NIDD:
		return encode_nidd(plan, message, bearer_id);
	case FAN_5GS_NAS_CIOT:
		return encode_ciot(plan, message, bearer_id);
	case FAN_EPS_NAS_SMS:
	case FAN_5GS_NAS_SMS:
		return encode_sms(plan, part);
	default:
		return message->raw ? encode_raw(plan, message) : encode_ip(plan, message);
	}
}

static int
make_plan(struct fan_plan *plan, const struct fan_message *message, const struct fan_sms_part *part, enum fan_profile profile,
	  struct fan_protection protection, const struct fan_link *link)
{
	int error;

	plan->kind = protection.kind;
	plan->profile = (uint8_t)profile;
	init_shape(plan, protection, message);
	error = encode(plan, message, part, protection.bearer_id);
	if (error != 0)
		return error;
	memcpy(plan->head_octets, plan->text, 16U * plan->shape.head_blocks);
	return make_headers(plan, link, message->sdap_qfi);
}

int
fan_short_messages_encode(struct fan_sms *sms, const struct fan_message *message, enum fan_profile profile)
{
	const int error = fan_sms_encode(sms, message);
	char detail[256];

	if (error != FAN_E_TOO_LONG)
		return error;
	snprintf(detail, sizeof(detail), "%s", fan_error_detail());
	return fan_fail(FAN_E_TOO_LONG, "too long for %s: %s", fan_profile_name(profile), detail);
}

bool
fan_profile_is_sms(enum fan_profile profile)
{
	return profile == FAN_EPS_NAS_SMS || profile == FAN_5GS_NAS_SMS;
}

static int
make_parts(struct fan_plans *plans, const struct fan_message *message, enum fan_profile profile,
	   struct fan_protection protection, const struct fan_sms *sms, const struct fan_link *link)
{
	int error = 0;

	plans->part_count = sms != NULL ? sms->part_count : 1;
	if (plans->part_count > fan_count_rules[protection.kind].gap_max)
		return fan_fail(FAN_E_TOO_LONG,
				"too long for %s: %u short messages, a UE follows %u without an acknowledgement",
				fan_profile_name(profile), plans->part_count, fan_count_rules[protection.kind].gap_max);
	plans->part = aligned_alloc(alignof(struct fan_plan), plans->part_count * sizeof(*plans->part));
	if (plans->part == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for %u plans of %zu octets", plans->part_count, sizeof(*plans->part));
	memset(plans->part, 0, plans->part_count * sizeof(*plans->part));
	for (unsigned i = 0; error == 0 && i < plans->part_count; i++)
		error = make_plan(&plans->part[i], message, sms != NULL ? &sms->parts[i] : NULL, profile, protection, link);
	return error;
}

int
fan_plans_make(struct fan_plans *plans, const struct fan_message *message, enum fan_profile profile,
	       struct fan_protection protection, const struct fan_sms *sms, const struct fan_link *link)
{
	const bool is_sms = fan_profile_is_sms(profile);
	struct fan_sms own = { .part_count = 0 };
	int error = 0;

	FAN_REQUIRE(fan_profile_kind(profile) == protection.kind);
	memset(plans, 0, sizeof(*plans));
	if (is_sms && sms == NULL) {
		error = fan_short_messages_encode(&own, message, profile);
		sms = &own;
	}
	if (error == 0)
		error = make_parts(plans, message, profile, protection, is_sms ? sms : NULL, link);
	fan_sms_free(&own);
	if (error != 0)
		fan_plans_free(plans);
	return error;
}

void
fan_plans_free(struct fan_plans *plans)
{
	free(plans->part);
	memset(plans, 0, sizeof(*plans));
}

/* ---- Hot path, by stores ------------------------------------------------------------------------------------------------- */

#define INLINE __attribute__((always_inline)) static inline

/* Both halves added, and the carry: in the upper half of the sum with itself, the halves exchanged. */
INLINE uint16_t
fold_complement(uint32_t sum)
{
	return (uint16_t) ~((sum + (sum << 16 | sum >> 16)) >> 16);
}

static inline void
write_addresses(uint8_t *text, const struct fan_header *header, const struct fan_hop *hop, bool ipv6)
{
	uint8_t *octets = text - FAN_HEADER_BYTES_MAX;
	uint8_t *ip = octets + header->ip_at;
	uint16_t checksum;

	memcpy(octets, header->octets, FAN_HEADER_BYTES_MAX);
	memcpy(text - header->byte_count, hop->ethernet, sizeof(hop->ethernet));
	if (ipv6) {
		memcpy(ip + offsetof(struct rte_ipv6_hdr, dst_addr), hop->address, 16);
		return;
	}
	checksum = fold_complement(header->ipv4_sum + hop->address_sum);
	memcpy(ip + offsetof(struct rte_ipv4_hdr, hdr_checksum), &checksum, sizeof(checksum));
	memcpy(ip + offsetof(struct rte_ipv4_hdr, dst_addr), hop->address, 4);
}

static inline void
write_id(uint8_t *at, uint64_t id, unsigned id_bytes)
{
	for (unsigned i = id_bytes; i > 0; i--, id >>= 8)
		at[i - 1] = (uint8_t)id;
}

/* An id of 1..5 octets into a NAS header, with octets of the template behind it: one store instead of one per octet. The template has
 * zeros for the id, and at least eight octets from there to its end (make_headers()). */
static inline void
write_nas_id(uint8_t *octets, const struct fan_header *header, unsigned which, uint64_t id, unsigned id_bytes)
{
	const unsigned at = header->id_at[which];
	uint64_t word;

	memcpy(&word, header->octets + at, sizeof(word));
	word |= rte_cpu_to_be_64(id << (64 - 8 * id_bytes));
	memcpy(octets + at, &word, sizeof(word));
}

INLINE uint64_t
mme_ue_id(const struct fan_context *context)
{
	return (uint64_t)context->nas.mme_ue_id_high << 32 | context->nas.mme_ue_id_low;
}

/* The template for the lengths of this UE's ids. */
INLINE const struct fan_header *
nas_header(const struct fan_plan *plan, const struct fan_context *context)
{
	const unsigned mme_bytes = fan_aper_bytes(mme_ue_id(context)), ran_bytes = fan_aper_bytes(context->nas.ran_ue_id);

	return &plan->header[(mme_bytes - 1) * FAN_RAN_ID_LENGTHS + ran_bytes - 1];
}

static inline uint32_t
write_nas(uint8_t *text, struct rte_mbuf *frame, const struct fan_plan *plan, struct fan_context *context, uint32_t count,
	  const struct fan_link *link, const struct fan_hop *hops)
{
	const struct fan_header *header = nas_header(plan, context);
	uint8_t *octets = text - FAN_HEADER_BYTES_MAX;

	write_addresses(text, header, &hops[context->next_hop], link->ipv6);
	/* In this order: the first writes over the place of the second. */
	write_nas_id(octets, header, 0, mme_ue_id(context), header->id_bytes[0]);
	write_nas_id(octets, header, 1, context->nas.ran_ue_id, header->id_bytes[1]);
	text[-1] = (uint8_t)count;
	memcpy(&frame->rearm_data, &header->fields, sizeof(header->fields));
	return header->frame_bytes;
}

INLINE void
advance_nru_sn(struct fan_context *context)
{
	context->drb.nru_sn = (context->drb.nru_sn + 1) & 0xffffff;
}

static inline uint32_t
write_bearer(uint8_t *text, struct rte_mbuf *frame, const struct fan_plan *plan, struct fan_context *context, uint32_t count,
	     const struct fan_link *link, const struct fan_hop *hops)
{
	const struct fan_header *header = &plan->header[0];
	uint8_t *octets = text - FAN_HEADER_BYTES_MAX;
	uint8_t *prefix = text - plan->shape.clear_bytes;
	const uint32_t teid = rte_cpu_to_be_32(context->drb.teid);

	write_addresses(text, header, &hops[context->next_hop], link->ipv6);
	memcpy(octets + header->id_at[0], &teid, sizeof(teid));
	if (header->id_bytes[1] != 0) {
		write_id(octets + header->id_at[1], context->drb.nru_sn, 3);
		advance_nru_sn(context);
	}
	if (plan->kind == FAN_LTE_PDCP_12 || plan->kind == FAN_NR_PDCP_12) {
		prefix[0] = (uint8_t)(0x80 | (count >> 8 & 0x0f));
		prefix[1] = (uint8_t)count;
	} else {
		prefix[0] = (uint8_t)(0x80 | (count >> 16 & 0x03));
		prefix[1] = (uint8_t)(count >> 8);
		prefix[2] = (uint8_t)count;
	}
	memcpy(&frame->rearm_data, &header->fields, sizeof(header->fields));
	return header->frame_bytes;
}

INLINE void
write_sms_head(uint8_t *text, const struct fan_plan *plan, struct fan_context *context)
{
	memcpy(text, plan->head_octets, 16);
	text[plan->transaction_at] = (uint8_t)(plan->head_octets[plan->transaction_at] | context->nas.transaction << 4);
	text[plan->reference_at] = context->nas.rp_reference++;
	context->nas.transaction = context->nas.transaction == 6 ? 0 : (uint8_t)(context->nas.transaction + 1);
}

INLINE void
write_ip_head(uint8_t *text, const struct fan_plan *plan, const struct fan_context *context)
{
	uint16_t half[2], checksum;
	uint32_t address_sum;

	memcpy(half, context->drb.ipv4, sizeof(half));
	address_sum = (uint32_t)half[0] + half[1];
	memcpy(text, plan->head_octets, 32);
	checksum = fold_complement(plan->ipv4_sum + address_sum);
	memcpy(text + offsetof(struct rte_ipv4_hdr, hdr_checksum), &checksum, sizeof(checksum));
	memcpy(text + offsetof(struct rte_ipv4_hdr, dst_addr), context->drb.ipv4, 4);
	checksum = fold_complement(plan->udp_sum + address_sum);
	checksum = checksum == 0 ? 0xffff : checksum; /* 0 would mean "none" (RFC 768) */
	memcpy(text + sizeof(struct rte_ipv4_hdr) + offsetof(struct rte_udp_hdr, dgram_cksum), &checksum, sizeof(checksum));
}

INLINE void
write_private_head(uint8_t *text, const struct fan_plan *plan, struct fan_context *context, const unsigned head)
{
	if (head == FAN_HEAD_SMS)
		write_sms_head(text, plan, context);
	else if (head == FAN_HEAD_IP)
		write_ip_head(text, plan, context);
}

uint32_t
fan_plan_write_burst_portable(struct fan_batch *batch, struct rte_mbuf **frames, const struct fan_plan *plan,
			      const struct fan_link *link, const struct fan_hop *hops, unsigned first, unsigned end)
{
	const bool nas = fan_kind_is_nas(plan->kind);
	uint32_t bytes = 0;

	batch->shape = &plan->shape;
	for (unsigned i = first; i < end; i++) {
		struct fan_context *context = batch->context[i];
		uint8_t *text = (uint8_t *)frames[i]->buf_addr + FAN_TEXT_OFFSET;

		batch->text[i] = text;
		if (nas)
			bytes += write_nas(text, frames[i], plan, context, batch->count[i], link, hops);
		else
			bytes += write_bearer(text, frames[i], plan, context, batch->count[i], link, hops);
		write_private_head(text, plan, context, plan->head);
	}
	return bytes;
}

/* ---- Hot path, by permutation -------------------------------------------------------------------------------------------- */

/* DPDK compiles for an older CPU; only the functions that follow may use these. */
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,bmi,bmi2,lzcnt")))

TARGET INLINE void
permute_half(uint8_t *octets, const struct fan_header *header, unsigned at, __m512i own)
{
	const __m512i template = _mm512_load_si512(header->octets + at), source = _mm512_load_si512(header->source + at);

	_mm512_storeu_si512(octets, _mm512_permutex2var_epi8(template, source, own));
}

/* Reads, among the context's octets, fields that the control thread may be writing, and uses none of them. */
TARGET INLINE void
permute_header(uint8_t *octets, const struct fan_header *header, const struct fan_context *context, const struct fan_hop *hop,
	       uint32_t number)
{
	const __m256i context_half = _mm256_load_si256((const void *)&context->count);
	const uint16_t checksum = fold_complement(header->ipv4_sum + hop->address_sum);
	__m512i own = _mm512_inserti64x4(_mm512_castsi256_si512(context_half), _mm256_load_si256((const void *)hop), 1);

	own = _mm512_mask_set1_epi32(own, 1U << CONTEXT_OCTET(count) % OWN / 4, (int)number);
	own = _mm512_mask_set1_epi16(own, 1U << HOP_OCTET(checksum) % OWN / 2, (short)checksum);
	permute_half(octets, header, 0, own);
	permute_half(octets + HALF, header, HALF, own);
}

TARGET INLINE uint32_t
permute_burst(struct fan_batch *batch, struct rte_mbuf **frames, const struct fan_plan *plan, const struct fan_hop *hops,
	      unsigned first, unsigned end, const bool nas, const enum fan_head head)
{
	/* A bearer's number begins with D/C: data. */
	const uint32_t number_bits = (1U << fan_count_rules[plan->kind].sn_bits) - 1;
	const uint32_t number_start = nas ? 0 : 0x80U << 8 * (sn_octets(plan) - 1);
	uint32_t bytes = 0;

	for (unsigned i = first; i < end; i++) {
		struct fan_context *context = batch->context[i];
		const struct fan_header *header = nas ? nas_header(plan, context) : &plan->header[0];
		struct rte_mbuf *frame = frames[i];
		uint8_t *text = (uint8_t *)frame->buf_addr + FAN_TEXT_OFFSET;

		batch->text[i] = text;
		permute_header(text - FAN_HEADER_BYTES_MAX, header, context, &hops[context->next_hop],
			       number_start | (batch->count[i] & number_bits));
		memcpy(&frame->rearm_data, &header->fields, sizeof(header->fields));
		bytes += header->frame_bytes;
		if (!nas && header->id_bytes[1] != 0)
			advance_nru_sn(context);
		write_private_head(text, plan, context, head);
	}
	return bytes;
}

/* One copy for each constant `nas`. */
TARGET static uint32_t
write_burst_by_permutation(struct fan_batch *batch, struct rte_mbuf **frames, const struct fan_plan *plan,
			   const struct fan_hop *hops, unsigned first, unsigned end)
{
	batch->shape = &plan->shape;
	if (!fan_kind_is_nas(plan->kind))
		return permute_burst(batch, frames, plan, hops, first, end, false, plan->head);
	return plan->head == FAN_HEAD_NONE ? permute_burst(batch, frames, plan, hops, first, end, true, FAN_HEAD_NONE)
					   : permute_burst(batch, frames, plan, hops, first, end, true, FAN_HEAD_SMS);
}

uint32_t
fan_plan_write_burst(struct fan_batch *batch, struct rte_mbuf **frames, const struct fan_plan *plan,
		     const struct fan_link *link, const struct fan_hop *hops, unsigned first, unsigned end)
{
	/* CPUs that permute octets have all else of TARGET. */
	if (__builtin_cpu_supports("avx512vbmi"))
		return write_burst_by_permutation(batch, frames, plan, hops, first, end);
	return fan_plan_write_burst_portable(batch, frames, plan, link, hops, first, end);
}
