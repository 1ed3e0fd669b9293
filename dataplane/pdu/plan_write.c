/* SPDX-License-Identifier: BSD-3-Clause */
#include "plan_write.h"

#include "../context/count.h"
#include "header_source.h"

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

/* ---- A UE's own numbers -------------------------------------------------------------------------------------------------- */

static inline uint8_t
next_transaction(uint8_t transaction)
{
	return transaction == FAN_TRANSACTIONS_MAX - 1 ? 0 : (uint8_t)(transaction + 1);
}

/* Transaction in the low octet, reference in the next. */
static uint32_t
take_sms_number(struct fan_context *context)
{
	const uint32_t number = context->nas.transaction | (uint32_t)context->nas.rp_reference << 8;

	context->nas.rp_reference++;
	context->nas.transaction = next_transaction(context->nas.transaction);
	return number;
}

bool
fan_plan_give_back_number(struct fan_context *context, uint32_t number)
{
	const uint8_t transaction = (uint8_t)number;

	if (context->nas.transaction != next_transaction(transaction))
		return false;
	context->nas.transaction = transaction;
	context->nas.rp_reference = (uint8_t)(number >> 8);
	return true;
}

static uint32_t
take_nru_sn(struct fan_context *context)
{
	const uint32_t sn = context->drb.nru_sn;

	context->drb.nru_sn = (sn + 1) & 0xffffff;
	return sn;
}

void
fan_plan_take_numbers(uint32_t *numbers, const struct fan_batch *batch, const struct fan_plan *plan, unsigned first,
		      unsigned end)
{
	if (plan->head == FAN_HEAD_SMS)
		for (unsigned i = first; i < end; i++)
			numbers[i] = take_sms_number(batch->context[i]);
	else if (fan_plan_has_nru_sn(plan))
		for (unsigned i = first; i < end; i++)
			numbers[i] = take_nru_sn(batch->context[i]);
}

/* ---- By stores ----------------------------------------------------------------------------------------------------------- */

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
write_nas(uint8_t *text, struct rte_mbuf *frame, const struct fan_plan *plan, const struct fan_context *context, uint32_t count,
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

static inline uint32_t
write_bearer(uint8_t *text, struct rte_mbuf *frame, const struct fan_plan *plan, const struct fan_context *context,
	     uint32_t count, uint32_t number, const struct fan_link *link, const struct fan_hop *hops)
{
	const struct fan_header *header = &plan->header[0];
	uint8_t *octets = text - FAN_HEADER_BYTES_MAX;
	uint8_t *prefix = text - plan->shape.clear_bytes;
	const uint32_t teid = rte_cpu_to_be_32(context->drb.teid);

	write_addresses(text, header, &hops[context->next_hop], link->ipv6);
	memcpy(octets + header->id_at[0], &teid, sizeof(teid));
	if (header->id_bytes[1] != 0)
		write_id(octets + header->id_at[1], number, 3);
	if (plan->kind == FAN_KIND_LTE_PDCP_12 || plan->kind == FAN_KIND_NR_PDCP_12) {
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

/* The private head has all else that is the UE's own. */
static inline uint32_t
write_plain(uint8_t *text, struct rte_mbuf *frame, const struct fan_plan *plan, const struct fan_context *context,
	    const struct fan_hop *hops)
{
	const struct fan_header *header = &plan->header[0];

	memcpy(text - FAN_HEADER_BYTES_MAX, header->octets, FAN_HEADER_BYTES_MAX);
	memcpy(text - header->byte_count, hops[context->next_hop].ethernet, sizeof(hops->ethernet));
	memcpy(&frame->rearm_data, &header->fields, sizeof(header->fields));
	return header->frame_bytes;
}

/* A MIKEY message in a packet to the UE's own address: T, and what its B-TID begins with, stand in the message. */
static inline uint32_t
write_msk(uint8_t *text, struct rte_mbuf *frame, const struct fan_plan *plan, const struct fan_context *context, uint32_t count,
	  const struct fan_hop *hops)
{
	const struct fan_header *header = &plan->header[0];
	uint8_t *ip = text - FAN_HEADER_BYTES_MAX + header->ip_at, *udp = ip + sizeof(struct rte_ipv4_hdr);
	const rte_be16_t port = rte_cpu_to_be_16(context->packet.udp_port);
	const rte_be32_t counter = rte_cpu_to_be_32(count);
	uint16_t half[2], checksum;

	(void)write_plain(text, frame, plan, context, hops);
	memcpy(half, context->packet.ipv4, sizeof(half));
	checksum = fold_complement(header->ipv4_sum + half[0] + half[1]);
	memcpy(ip + offsetof(struct rte_ipv4_hdr, hdr_checksum), &checksum, sizeof(checksum));
	memcpy(ip + offsetof(struct rte_ipv4_hdr, dst_addr), context->packet.ipv4, 4);
	memcpy(udp + offsetof(struct rte_udp_hdr, dst_port), &port, sizeof(port));
	memcpy(text + plan->shape.mikey.counter_at, &counter, sizeof(counter));
	memcpy(text + plan->shape.mikey.name_at, plan->table->names[context - plan->table->slots], FAN_B_TID_NAME_BYTES);
	return header->frame_bytes;
}

INLINE void
write_sms_head(uint8_t *text, const struct fan_plan *plan, uint32_t number)
{
	memcpy(text, plan->head_octets, 16);
	text[plan->transaction_at] = (uint8_t)(plan->head_octets[plan->transaction_at] | (number & 0xff) << 4);
	text[plan->reference_at] = (uint8_t)(number >> 8);
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
write_private_head(uint8_t *text, const struct fan_plan *plan, const struct fan_context *context, uint32_t number,
		   const unsigned head)
{
	if (head == FAN_HEAD_SMS)
		write_sms_head(text, plan, number);
	else if (head == FAN_HEAD_IP)
		write_ip_head(text, plan, context);
}

uint32_t
fan_plan_write_burst_portable(struct fan_batch *batch, struct rte_mbuf **frames, const uint32_t *numbers,
			      const struct fan_plan *plan, const struct fan_link *link, const struct fan_hop *hops,
			      unsigned first, unsigned end)
{
	const bool nas = fan_kind_is_nas(plan->kind), numbered = plan->head == FAN_HEAD_SMS || fan_plan_has_nru_sn(plan);
	uint32_t bytes = 0;

	batch->shape = &plan->shape;
	for (unsigned i = first; i < end; i++) {
		const struct fan_context *context = batch->context[i];
		const uint32_t number = numbered ? numbers[i] : 0;
		uint8_t *text = (uint8_t *)frames[i]->buf_addr + FAN_TEXT_OFFSET;

		batch->text[i] = text;
		if (nas)
			bytes += write_nas(text, frames[i], plan, context, batch->count[i], link, hops);
		else if (fan_kind_is_plain(plan->kind))
			bytes += write_plain(text, frames[i], plan, context, hops);
		else if (plan->kind == FAN_KIND_MBMS)
			bytes += write_msk(text, frames[i], plan, context, batch->count[i], hops);
		else
			bytes += write_bearer(text, frames[i], plan, context, batch->count[i], number, link, hops);
		write_private_head(text, plan, context, number, plan->head);
	}
	return bytes;
}

/* ---- By permutation ------------------------------------------------------------------------------------------------------ */

#ifdef __x86_64__

/* DPDK compiles for an older CPU; only the functions that follow may use these. */
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,bmi,bmi2,lzcnt")))

TARGET INLINE void
permute_half(uint8_t *octets, const struct fan_header *header, unsigned at, __m512i own)
{
	const __m512i template = _mm512_load_si512(header->octets + at), source = _mm512_load_si512(header->source + at);

	_mm512_storeu_si512(octets, _mm512_permutex2var_epi8(template, source, own));
}

/* Reads, among the context's octets, fields that the control thread may be writing, and uses none of them. In: sn, what takes COUNT's
 * place; nru_sn, what takes the place of the context's where a header has one. */
TARGET INLINE void
permute_header(uint8_t *octets, const struct fan_header *header, const struct fan_context *context, const struct fan_hop *hop,
	       uint32_t sn, uint32_t nru_sn, const bool has_nru_sn)
{
	const __m256i context_half = _mm256_load_si256((const void *)&context->count);
	const uint16_t checksum = fold_complement(header->ipv4_sum + hop->address_sum);
	__m512i own = _mm512_inserti64x4(_mm512_castsi256_si512(context_half), _mm256_load_si256((const void *)hop), 1);

	own = _mm512_mask_set1_epi32(own, 1U << FAN_CONTEXT_OCTET(count) % FAN_HEADER_OWN / 4, (int)sn);
	if (has_nru_sn)
		own = _mm512_mask_set1_epi32(own, 1U << FAN_CONTEXT_OCTET(drb.nru_sn) % FAN_HEADER_OWN / 4, (int)nru_sn);
	own = _mm512_mask_set1_epi16(own, 1U << FAN_HOP_OCTET(checksum) % FAN_HEADER_OWN / 2, (short)checksum);
	permute_half(octets, header, 0, own);
	permute_half(octets + FAN_HEADER_HALF, header, FAN_HEADER_HALF, own);
}

TARGET INLINE uint32_t
permute_burst(struct fan_batch *batch, struct rte_mbuf **frames, const uint32_t *numbers, const struct fan_plan *plan,
	      const struct fan_hop *hops, unsigned first, unsigned end, const bool nas, const enum fan_head head)
{
	/* A bearer's number begins with D/C: data; a packet without one has no octet for it. */
	const uint32_t number_bits = (1U << fan_count_rules[plan->kind].sn_bits) - 1;
	const uint32_t number_start = nas ? 0 : 0x80U << 8 * fan_count_sn_bytes((enum fan_kind)plan->kind) >> 8;
	const bool has_nru_sn = !nas && fan_plan_has_nru_sn(plan), numbered = has_nru_sn || head == FAN_HEAD_SMS;
	uint32_t bytes = 0;

	for (unsigned i = first; i < end; i++) {
		const struct fan_context *context = batch->context[i];
		const uint32_t number = numbered ? numbers[i] : 0;
		const struct fan_header *header = nas ? nas_header(plan, context) : &plan->header[0];
		struct rte_mbuf *frame = frames[i];
		uint8_t *text = (uint8_t *)frame->buf_addr + FAN_TEXT_OFFSET;

		batch->text[i] = text;
		permute_header(text - FAN_HEADER_BYTES_MAX, header, context, &hops[context->next_hop],
			       number_start | (batch->count[i] & number_bits), number, has_nru_sn);
		memcpy(&frame->rearm_data, &header->fields, sizeof(header->fields));
		bytes += header->frame_bytes;
		write_private_head(text, plan, context, number, head);
	}
	return bytes;
}

/* One copy for each constant `nas`. */
TARGET static uint32_t
write_burst_by_permutation(struct fan_batch *batch, struct rte_mbuf **frames, const uint32_t *numbers,
			   const struct fan_plan *plan, const struct fan_hop *hops, unsigned first, unsigned end)
{
	batch->shape = &plan->shape;
	if (!fan_kind_is_nas(plan->kind))
		return permute_burst(batch, frames, numbers, plan, hops, first, end, false, plan->head);
	return plan->head == FAN_HEAD_NONE ? permute_burst(batch, frames, numbers, plan, hops, first, end, true, FAN_HEAD_NONE)
					   : permute_burst(batch, frames, numbers, plan, hops, first, end, true, FAN_HEAD_SMS);
}

#endif

uint32_t
fan_plan_write_burst(struct fan_batch *batch, struct rte_mbuf **frames, const uint32_t *numbers, const struct fan_plan *plan,
		     const struct fan_link *link, const struct fan_hop *hops, unsigned first, unsigned end)
{
#ifdef __x86_64__
	/* CPUs that permute octets have all else of TARGET. What an MSK takes is little beside its hashes. */
	if (__builtin_cpu_supports("avx512vbmi") && plan->kind != FAN_KIND_MBMS)
		return write_burst_by_permutation(batch, frames, numbers, plan, hops, first, end);
#endif
	return fan_plan_write_burst_portable(batch, frames, numbers, plan, link, hops, first, end);
}
