/* SPDX-License-Identifier: BSD-3-Clause */
#include "count.h"

#define NAS_COUNTS (UINT32_C(1) << 24) /* TS 24.301 4.4.3.1: 16 bits of overflow, 8 of SN */

/*
 * NAS: COUNT has 24 bits and must not wrap; the MME or AMF needs time for a new key, so spending ends 4,096 short of it (TS 24.301
 * 4.4.3.5). A UE that receives 8 bits of SN follows a jump of at most 255; 200 leaves room for what a crash may skip.
 * PDCP: COUNT has 32 bits and does not wrap (TS 38.323 6.3.5). A receiver follows less than half of the SN space from the oldest
 * PDU that it misses: 2,047 of 12 bits, 131,071 of 18 bits (TS 36.323 5.1.2, TS 38.323 5.2.2.1).
 * SGi: nothing is ciphered, so that no keystream can come twice, and a UE estimates nothing: there is no COUNT to be spent. It stays 0, and with it
 * the gap, which no window ends. Packets are not to be fragmented, so that they need no number of their own either (RFC 6864 4.1).
 * MBMS: COUNT is T of MIKEY, which a UE is sent whole and takes when it is above its last: it follows any jump, and what ends the window is that no
 * more is noted (fan_count_gap()).
 */
const struct fan_count_rule fan_count_rules[FAN_KIND_COUNT] = {
	[FAN_KIND_EPS_NAS] = { .end = (1U << 24) - 4096, .gap_max = 200, .sn_bits = 8 },
	[FAN_KIND_5GS_NAS] = { .end = (1U << 24) - 4096, .gap_max = 200, .sn_bits = 8 },
	[FAN_KIND_LTE_PDCP_12] = { .end = UINT32_MAX - 4095, .gap_max = 1600, .sn_bits = 12 },
	[FAN_KIND_LTE_PDCP_18] = { .end = UINT32_MAX - 4095, .gap_max = 60000, .sn_bits = 18 },
	[FAN_KIND_NR_PDCP_12] = { .end = UINT32_MAX - 4095, .gap_max = 1600, .sn_bits = 12 },
	[FAN_KIND_NR_PDCP_18] = { .end = UINT32_MAX - 4095, .gap_max = 60000, .sn_bits = 18 },
	[FAN_KIND_SGI] = { .end = UINT32_MAX, .gap_max = UINT16_MAX, .uncounted = true },
	[FAN_KIND_MBMS] = { .end = UINT32_MAX - 4095, .gap_max = 60000, .sn_bits = 32 },
};

int
fan_count_check(const struct fan_ue *ue)
{
	const uint16_t gap_max = fan_count_rules[ue->kind].gap_max;

	if (fan_count_rules[ue->kind].uncounted && (ue->count != 0 || ue->unacknowledged != 0 || ue->transactions_open != 0))
		return fan_fail(FAN_E_INVALID,
				"COUNT %u, %u unacknowledged, %u CP transactions open: 0, for sgi-ip counts nothing", ue->count,
				ue->unacknowledged, ue->transactions_open);
	if (ue->unacknowledged > ue->count || ue->unacknowledged > gap_max)
		return fan_fail(FAN_E_INVALID, "%u COUNTs unacknowledged before COUNT %u: %u at most", ue->unacknowledged,
				ue->count, gap_max);
	if (ue->transactions_open > FAN_TRANSACTIONS_MAX || ue->transactions_open > ue->unacknowledged)
		return fan_fail(FAN_E_INVALID,
				"%u CP transactions open, %u COUNTs unacknowledged: %u at most, and a COUNT for each",
				ue->transactions_open, ue->unacknowledged, FAN_TRANSACTIONS_MAX);
	if (ue->count > ue->count_reserved)
		return fan_fail(FAN_E_INVALID, "COUNT %u lies beyond its reservation %u", ue->count, ue->count_reserved);
	if (fan_kind_is_nas(ue->kind) && (ue->count >= NAS_COUNTS || ue->count_reserved > NAS_COUNTS))
		return fan_fail(FAN_E_INVALID, "NAS COUNT %u, reserved %u: 24 bits", ue->count, ue->count_reserved);
	return 0;
}

void
fan_count_begin(struct fan_context *context, const struct fan_ue *ue)
{
	context->count = ue->count;
	context->count_reserved = fan_count_rules[ue->kind].uncounted ? UINT32_MAX : ue->count_reserved;
	context->awaited = (uint16_t)(ue->count - ue->unacknowledged);
	context->transactions_open = ue->transactions_open;
	fan_count_rest(context, 0);
}

int
fan_count_check_lease(const struct fan_context *context, enum fan_kind kind, uint32_t count_reserved)
{
	if (fan_count_rules[kind].uncounted)
		return fan_fail(FAN_E_INVALID,
				"a lease up to COUNT %u: sgi-ip counts nothing, and its lease has no end but in time",
				count_reserved);
	if (count_reserved < context->count_reserved)
		return fan_fail(FAN_E_INVALID, "a lease up to COUNT %u cannot be shortened to %u", context->count_reserved,
				count_reserved);
	if (fan_kind_is_nas(kind) && count_reserved > NAS_COUNTS)
		return fan_fail(FAN_E_INVALID, "NAS COUNT %u: 24 bits", count_reserved);
	return 0;
}

int
fan_count_lease(struct fan_context *context, enum fan_kind kind, uint32_t count_reserved)
{
	const int error = fan_count_check_lease(context, kind, count_reserved);

	if (error == 0)
		__atomic_store_n(&context->count_reserved, count_reserved, __ATOMIC_RELAXED);
	return error;
}

int
fan_count_acknowledge(struct fan_context *context, uint32_t count)
{
	const uint32_t next = fan_count_next(context);

	if (count >= next)
		return fan_fail(FAN_E_INVALID, "COUNT %u was not spent yet: the next one is %u", count, next);
	/* An older proof than the last one says nothing new. */
	if (next - 1 - count < (uint16_t)(next - context->awaited))
		__atomic_store_n(&context->awaited, (uint16_t)(count + 1), __ATOMIC_RELAXED);
	return 0;
}

bool
fan_count_of_sn(const struct fan_context *context, uint32_t *count, enum fan_kind kind, uint32_t sn)
{
	const uint32_t next = fan_count_next(context);
	const uint32_t sn_mask = (uint32_t)((UINT64_C(1) << fan_count_rules[kind].sn_bits) - 1);
	const uint32_t back = (next - 1 - sn) & sn_mask;

	*count = next - 1 - back;
	return sn <= sn_mask && back < next;
}

void
fan_count_acknowledge_all(struct fan_context *context)
{
	__atomic_store_n(&context->awaited, (uint16_t)fan_count_next(context), __ATOMIC_RELAXED);
}
