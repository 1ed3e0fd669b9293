/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "plan.h"

#include "../context/count.h"
#include "header_source.h"
#include "mikey.h"

#include <rte_ip.h>
#include <rte_udp.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define NAS_EPS_PREFIX_BYTES 6 /* 27, MAC 4, SN (TS 24.301 9.1) */
#define NAS_5GS_PREFIX_BYTES 7 /* 7E, 02, MAC 4, SN (TS 24.501 9.1.1) */
#define IP_UDP_BYTES 28
#define DEFAULT_PORT 40000
/* Longer than any format holds: 255 short messages of 153 characters, of at most 4 octets of UTF-8 each. Nothing overflows below it. */
#define MESSAGE_BYTES_MAX (FAN_PARTS_MAX * 153 * 4)

/* In: a profile that it is to go out in, for the refusal. */
static int
check(const struct fan_message *message, enum fan_profile profile)
{
	if (message->bytes == NULL || message->byte_count == 0)
		return fan_fail(FAN_E_INVALID, "the message is empty: 1 octet at least");
	if (message->byte_count > MESSAGE_BYTES_MAX)
		return fan_fail(FAN_E_TOO_LONG, "a message of %zu octets is too long for %s and every other: %d at most",
				message->byte_count, fan_profile_name(profile), MESSAGE_BYTES_MAX);
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

#define NO_SESSION (-1)

/* What four messages have in common: a lead, the length of the octets in two, the octets, and behind them, if there is one, the PDU session
 * identity. */
static int
encode_octets(struct fan_plan *plan, const struct fan_message *message, const uint8_t *lead, size_t lead_bytes, int session)
{
	uint8_t *at = plan->text;
	const size_t text_bytes = lead_bytes + 2 + message->byte_count + (session != NO_SESSION ? 2 : 0);
	const int error = set_text_bytes(plan, text_bytes, message->byte_count);

	if (error != 0)
		return error;
	memcpy(at, lead, lead_bytes);
	at = put16(at + lead_bytes, message->byte_count);
	memcpy(at, message->bytes, message->byte_count);
	at += message->byte_count;
	if (session != NO_SESSION) {
		*at++ = 0x12; /* PDU session identity */
		*at = (uint8_t)session;
	}
	return 0;
}

/* ESM DATA TRANSPORT (TS 24.301 8.3.25). */
static int
encode_nidd(struct fan_plan *plan, const struct fan_message *message, uint8_t bearer_id)
{
	const uint8_t lead[] = { (uint8_t)(bearer_id << 4 | 0x02), 0x00 /* PTI: none assigned */, 0xeb };

	return encode_octets(plan, message, lead, sizeof(lead), NO_SESSION);
}

/* DL NAS TRANSPORT with a CIoT user data container (TS 24.501 8.2.11, 9.11.3.39). */
static int
encode_ciot(struct fan_plan *plan, const struct fan_message *message, uint8_t bearer_id)
{
	static const uint8_t lead[] = { 0x7e, 0x00, 0x68, 0x08 };

	return encode_octets(plan, message, lead, sizeof(lead), bearer_id);
}

static int
check_marked(const struct fan_message *message, enum fan_profile profile)
{
	return message->group_keys
		       ? 0
		       : fan_fail(FAN_E_INVALID, "%s carries keys of groups alone, which the message is not marked to be",
				  fan_profile_name(profile));
}

/* Keys go to UEs as keys and in the form that they are for: text that a sender made would else be taken for keys. */
static int
check_keys(const struct fan_message *message, enum fan_profile profile)
{
	const bool eps = profile == FAN_PROFILE_EPS_NAS_KEY;
	const int error = check_marked(message, profile);

	if (error != 0)
		return error;
	/* Version 1 of an entry; MBS decision 5, security information update (TS 24.501 9.11.4.31). */
	if (eps ? message->bytes[0] >> 4 != 1 : (message->bytes[0] & 7) != 5)
		return fan_fail(FAN_E_INVALID, "%s carries %s", fan_profile_name(profile),
				eps ? "entries of group keys, version 1"
				    : "the contents of a Received MBS container, security information update");
	return 0;
}

/* DOWNLINK GENERIC NAS TRANSPORT (TS 24.301 8.2.31, 9.9.3.42 and .43), container type 7F: of those that are unused. */
static int
encode_eps_keys(struct fan_plan *plan, const struct fan_message *message)
{
	static const uint8_t lead[] = { 0x07, 0x68, 0x7f };

	return encode_octets(plan, message, lead, sizeof(lead), NO_SESSION);
}

/* DL NAS TRANSPORT with N1 SM information (TS 24.501 8.2.11): PDU SESSION MODIFICATION COMMAND (8.3.9) that the network begins, so that it has no
 * PTI, with a Received MBS container (9.11.4.31). The PDU session identity stands in it and behind it. */
static int
encode_5gs_keys(struct fan_plan *plan, const struct fan_message *message, uint8_t bearer_id)
{
	enum { SM_HEADER_BYTES = 4, IE_HEADER_BYTES = 3 };
	const size_t command_bytes = SM_HEADER_BYTES + IE_HEADER_BYTES + message->byte_count;
	uint8_t lead[] = { 0x7e, 0x00, 0x68, 0x01, 0, 0, 0x2e, bearer_id, 0x00 /* PTI: none assigned */,
			   0xcb, 0x71 /* Received MBS container */ };

	(void)put16(lead + 4, command_bytes);
	return encode_octets(plan, message, lead, sizeof(lead), bearer_id);
}

static int
encode_keys(struct fan_plan *plan, const struct fan_message *message, uint8_t bearer_id)
{
	const int error = check_keys(message, (enum fan_profile)plan->profile);

	if (error != 0)
		return error;
	return plan->kind == FAN_KIND_EPS_NAS ? encode_eps_keys(plan, message) : encode_5gs_keys(plan, message, bearer_id);
}

/* An MSK in a MIKEY message, in which T and B-TID are left to write_msk(). */
static int
encode_msk(struct fan_plan *plan, const struct fan_message *message, const struct fan_context_table *table)
{
	const char *const domain = table != NULL && table->domain[0] != '\0' ? table->domain : NULL;
	int error = check_marked(message, (enum fan_profile)plan->profile);

	if (error == 0)
		error = fan_mikey_places_find(&plan->shape.mikey, message->bytes, message->byte_count, domain);
	if (error == 0)
		error = set_text_bytes(plan, message->byte_count, message->byte_count);
	if (error != 0)
		return error;
	plan->table = table;
	memcpy(plan->text, message->bytes, message->byte_count);
	return 0;
}

/* DOWNLINK NAS TRANSPORT (TS 24.301 8.2.12) or DL NAS TRANSPORT with an SMS payload container (TS 24.501 8.2.11). */
static int
encode_sms(struct fan_plan *plan, const struct fan_sms_part *part)
{
	uint8_t *at = plan->text;
	size_t lead_bytes;
	int error;

	if (plan->kind == FAN_KIND_EPS_NAS) {
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

/* Whose packet it is. Out: the source address, 4 octets. The packet of a bearer comes from behind its gateway; over SGi it comes from this host. */
static int
choose_source(uint8_t source[4], const struct fan_plan *plan, const struct fan_message *message, const struct fan_link *link)
{
	static const uint8_t nowhere[4], behind_gateway[4] = { 192, 0, 2, 1 };
	const bool plain = !fan_kind_is_bearer(plan->kind), given = memcmp(message->source_ipv4, nowhere, sizeof(nowhere)) != 0;

	if (plain && !given && link->ipv6)
		return fan_fail(FAN_E_INVALID,
				"%s sends IPv4 packets, and the appliance has an IPv6 address alone: give source_ipv4",
				fan_profile_name(plan->profile));
	memcpy(source, given ? message->source_ipv4 : plain ? link->address : behind_gateway, 4);
	return 0;
}

/* An IPv4/UDP packet to the UE's own address; what depends on that address is left to write_ip_head(). */
static int
encode_ip(struct fan_plan *plan, const struct fan_message *message, const struct fan_link *link)
{
	int error = set_text_bytes(plan, IP_UDP_BYTES + message->byte_count, message->byte_count);
	struct rte_ipv4_hdr ip = {
		.version_ihl = 0x45,
		.type_of_service = (uint8_t)(fan_kind_is_plain(plan->kind) ? link->dscp << 2 : 0),
		.total_length = rte_cpu_to_be_16(plan->shape.text_bytes),
		/* Not to be fragmented, so the identification may be 0 (RFC 6864 4.1). */
		.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_UDP,
	};
	const struct rte_udp_hdr udp = {
		.src_port = rte_cpu_to_be_16(message->source_port != 0 ? message->source_port : DEFAULT_PORT),
		.dst_port = rte_cpu_to_be_16(message->destination_port != 0 ? message->destination_port : DEFAULT_PORT),
		.dgram_len = rte_cpu_to_be_16((uint16_t)(sizeof(udp) + message->byte_count)),
	};
	uint8_t source[4] = { 0 };

	if (error == 0)
		error = choose_source(source, plan, message, link);
	if (error != 0)
		return error;
	memcpy(&ip.src_addr, source, sizeof(ip.src_addr));
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
	if (plan->kind == FAN_KIND_EPS_NAS)
		return NAS_EPS_PREFIX_BYTES;
	if (plan->kind == FAN_KIND_5GS_NAS)
		return NAS_5GS_PREFIX_BYTES;
	return plan->shape.clear_bytes;
}

static void
write_prefix(const struct fan_plan *plan, struct fan_header *header, int sdap_qfi)
{
	uint8_t *prefix = header->octets + FAN_HEADER_BYTES_MAX - prefix_bytes(plan);

	if (plan->kind == FAN_KIND_EPS_NAS) {
		prefix[0] = 0x27; /* integrity protected and ciphered, EMM */
	} else if (plan->kind == FAN_KIND_5GS_NAS) {
		prefix[0] = 0x7e;
		prefix[1] = 0x02;
	} else if (fan_kind_is_bearer(plan->kind)) {
		prefix[0] = 0x80; /* D/C: data */
		if (plan->sdap_bytes != 0)
			header->octets[FAN_HEADER_BYTES_MAX - 1] = (uint8_t)sdap_qfi; /* RDI 0, RQI 0 */
	}
}

static enum fan_application
application_of(enum fan_kind kind)
{
	switch (kind) {
	case FAN_KIND_EPS_NAS:
		return FAN_S1AP;
	case FAN_KIND_5GS_NAS:
		return FAN_NGAP;
	case FAN_KIND_NR_PDCP_12:
	case FAN_KIND_NR_PDCP_18:
		return FAN_GTPU_NR;
	case FAN_KIND_SGI:
		return FAN_NO_TRANSPORT;
	case FAN_KIND_MBMS:
		return FAN_PACKET;
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
		if (plan->header[i].frame_bytes > plan->frame_bytes_max)
			plan->frame_bytes_max = plan->header[i].frame_bytes;
		write_prefix(plan, &plan->header[i], sdap_qfi);
		fan_header_trace(&plan->header[i], (enum fan_kind)plan->kind, plan->shape.clear_bytes, link->ipv6);
	}
	return 0;
}

/* As the header of a packet has them: from this host, and of IPv4, whatever the link's own addresses are. */
static int
make_packet_header(struct fan_plan *plan, const struct fan_message *message, const struct fan_link *link)
{
	struct fan_link own = *link;
	int error;

	own.ipv6 = false;
	error = choose_source(own.address, plan, message, link);
	return error != 0 ? error : make_headers(plan, &own, -1);
}

/* Where the places of a MIKEY message lie with identities that are short. */
static const struct fan_mikey_places usual_places = { 27, 33, 60, 100, 26 };

void
fan_shape_init(struct fan_shape *shape, struct fan_protection protection)
{
	shape->cipher = protection.cipher;
	shape->integrity = protection.integrity;
	shape->sequence = FAN_MAC_THEN_CIPHER;
	shape->mikey = usual_places;
	if (protection.kind == FAN_KIND_MBMS)
		shape->sequence = FAN_MIKEY;
	else if (fan_kind_is_nas(protection.kind))
		shape->sequence = FAN_CIPHER_THEN_MAC;
	else if (protection.integrity == FAN_INTEGRITY_NONE)
		shape->sequence = FAN_CIPHER_ONLY;
}

static void
init_shape(struct fan_plan *plan, struct fan_protection protection, const struct fan_message *message)
{
	struct fan_shape *shape = &plan->shape;
	const bool nr = plan->kind == FAN_KIND_NR_PDCP_12 || plan->kind == FAN_KIND_NR_PDCP_18;

	fan_shape_init(shape, protection);
	shape->message = plan->text;
	if (shape->sequence == FAN_MIKEY)
		return;
	shape->clear_bytes = 1; /* NAS: the SN */
	if (shape->sequence == FAN_CIPHER_THEN_MAC)
		return;
	plan->trailer_bytes = shape->sequence == FAN_MAC_THEN_CIPHER ? FAN_MAC_BYTES : 0;
	plan->sdap_bytes = nr && message->sdap_qfi >= 0;
	shape->clear_bytes = (uint8_t)(fan_count_sn_bytes((enum fan_kind)plan->kind) + plan->sdap_bytes);
}

static int
encode(struct fan_plan *plan, const struct fan_message *message, const struct fan_sms_part *part, const struct fan_form *form,
       const struct fan_link *link)
{
	const uint8_t bearer_id = form->protection.bearer_id;

	switch (plan->profile) {
	case FAN_PROFILE_EPS_NAS_NIDD:
		return encode_nidd(plan, message, bearer_id);
	case FAN_PROFILE_5GS_NAS_CIOT:
		return encode_ciot(plan, message, bearer_id);
	case FAN_PROFILE_EPS_NAS_KEY:
	case FAN_PROFILE_5GS_NAS_KEY:
		return encode_keys(plan, message, bearer_id);
	case FAN_PROFILE_EPS_NAS_SMS:
	case FAN_PROFILE_5GS_NAS_SMS:
		FAN_REQUIRE(part != NULL);
		return encode_sms(plan, part);
	case FAN_PROFILE_SGI_IP:
		return encode_ip(plan, message, link);
	case FAN_PROFILE_MBMS_MSK:
		return encode_msk(plan, message, form->table);
	default:
		return message->raw ? encode_raw(plan, message) : encode_ip(plan, message, link);
	}
}

static int
make_plan(struct fan_plan *plan, const struct fan_message *message, const struct fan_sms_part *part,
	  const struct fan_form *form, const struct fan_link *link)
{
	const enum fan_profile profile = (enum fan_profile)form->profile;
	int error;

	plan->kind = form->protection.kind;
	plan->profile = form->profile;
	plan->secret = message->group_keys;
	init_shape(plan, form->protection, message);
	if (message->group_keys && fan_kind_is_plain(plan->kind))
		return fan_fail(FAN_E_INVALID, "%s would carry keys of groups in the clear", fan_profile_name(profile));
	error = encode(plan, message, part, form, link);
	if (error != 0)
		return error;
	memcpy(plan->head_octets, plan->text, 16U * plan->shape.head_blocks);
	if (plan->kind == FAN_KIND_MBMS)
		return make_packet_header(plan, message, link);
	return make_headers(plan, link, message->sdap_qfi);
}

/* Once for all forms, so that every UE gets the same time stamp and concatenation reference. */
static int
encode_short_messages(struct fan_sms *sms, const struct fan_message *message, enum fan_profile profile)
{
	const int error = fan_sms_encode(sms, message);
	char detail[FAN_ERROR_BYTES];

	if (error != FAN_E_TOO_LONG)
		return error;
	snprintf(detail, sizeof(detail), "%s", fan_error_detail());
	return fan_fail(FAN_E_TOO_LONG, "too long for %s: %s", fan_profile_name(profile), detail);
}

static int
make_parts(struct fan_plans *plans, const struct fan_message *message, const struct fan_form *form, const struct fan_sms *sms,
	   const struct fan_link *link)
{
	const enum fan_profile profile = (enum fan_profile)form->profile;
	int error = 0;

	FAN_REQUIRE(fan_profile_kind(profile) == form->protection.kind);
	plans->part_count = sms != NULL ? sms->part_count : 1;
	if (plans->part_count > FAN_TRANSACTIONS_MAX)
		return fan_fail(FAN_E_TOO_LONG, "too long for %s: %u short messages, a UE takes %u without an acknowledgement",
				fan_profile_name(profile), plans->part_count, FAN_TRANSACTIONS_MAX);
	plans->part = aligned_alloc(alignof(struct fan_plan), plans->part_count * sizeof(*plans->part));
	if (plans->part == NULL)
		return fan_fail(FAN_E_MEMORY, "no memory for %u plans of %zu octets", plans->part_count, sizeof(*plans->part));
	memset(plans->part, 0, plans->part_count * sizeof(*plans->part));
	for (unsigned i = 0; error == 0 && i < plans->part_count; i++) {
		error = make_plan(&plans->part[i], message, sms != NULL ? &sms->parts[i] : NULL, form, link);
		if (plans->part[i].frame_bytes_max > plans->frame_bytes_max)
			plans->frame_bytes_max = plans->part[i].frame_bytes_max;
	}
	return error;
}

int
fan_plans_make(struct fan_plans *plans, const struct fan_message *message, const struct fan_form *forms, unsigned form_count,
	       const struct fan_link *link)
{
	struct fan_sms sms = { .part_count = 0 };
	int error = check(message, (enum fan_profile)forms[0].profile);

	memset(plans, 0, form_count * sizeof(*plans));
	for (unsigned i = 0; error == 0 && i < form_count; i++) {
		const bool is_sms = fan_profile_is_sms((enum fan_profile)forms[i].profile);

		if (is_sms && sms.part_count == 0)
			error = encode_short_messages(&sms, message, (enum fan_profile)forms[i].profile);
		if (error == 0)
			error = make_parts(&plans[i], message, &forms[i], is_sms ? &sms : NULL, link);
	}
	fan_sms_free(&sms);
	for (unsigned i = 0; error != 0 && i < form_count; i++)
		fan_plans_free(&plans[i]);
	return error;
}

void
fan_plans_free(struct fan_plans *plans)
{
	for (unsigned i = 0; plans->part != NULL && i < plans->part_count; i++)
		if (plans->part[i].secret)
			explicit_bzero(plans->part[i].text, sizeof(plans->part[i].text));
	free(plans->part);
	memset(plans, 0, sizeof(*plans));
}
