/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * COUNT: the one safety rule. A (key, COUNT, BEARER, DIRECTION) is used once, ever, and a UE is never pushed out of the window
 * in which it can still estimate COUNT from the few bits it is sent. COUNT is spent here and nowhere else.
 */
#ifndef FAN_COUNT_H
#define FAN_COUNT_H

#include "context.h"

struct fan_count_rule {
	uint32_t end;     /* first COUNT that is never spent under the same key */
	uint16_t gap_max; /* COUNTs that may be spent without proof of reception */
	uint8_t sn_bits;  /* what the UE is sent of COUNT */
};

/* One rule per enum fan_kind.
 *
 * NAS: COUNT has 24 bits and must not wrap; the MME or AMF needs time for a new key, so spending ends 4,096 short of it (TS 24.301
 * 4.4.3.5). A UE that receives 8 bits of SN follows a jump of at most 255; 200 leaves room for what a crash may skip.
 * PDCP: COUNT has 32 bits and does not wrap (TS 38.323 6.3.5). A receiver follows less than half of the SN space from the oldest
 * PDU that it misses: 2,047 of 12 bits, 131,071 of 18 bits (TS 36.323 5.1.2, TS 38.323 5.2.2.1).
 */
static const struct fan_count_rule fan_count_rules[FAN_KIND_COUNT] = {
	[FAN_KIND_EPS_NAS] = { .end = (1U << 24) - 4096, .gap_max = 200, .sn_bits = 8 },
	[FAN_KIND_5GS_NAS] = { .end = (1U << 24) - 4096, .gap_max = 200, .sn_bits = 8 },
	[FAN_KIND_LTE_PDCP_12] = { .end = UINT32_MAX - 4095, .gap_max = 1600, .sn_bits = 12 },
	[FAN_KIND_LTE_PDCP_18] = { .end = UINT32_MAX - 4095, .gap_max = 60000, .sn_bits = 18 },
	[FAN_KIND_NR_PDCP_12] = { .end = UINT32_MAX - 4095, .gap_max = 1600, .sn_bits = 12 },
	[FAN_KIND_NR_PDCP_18] = { .end = UINT32_MAX - 4095, .gap_max = 60000, .sn_bits = 18 },
};

/* COUNTs spent without proof of reception; the limits keep them below 2^16. */
static inline uint16_t
fan_count_gap(const struct fan_context *context)
{
	return (uint16_t)(context->count - __atomic_load_n(&context->awaited, __ATOMIC_RELAXED));
}

/*
 * Spends one COUNT of a context, if this one and those for the parts that follow fit: a message of several parts is sent to a UE
 * whole or not at all. In: parts_left, this one included, 1 or more. Out: *count, valid when FAN_DROP_NONE is returned; otherwise
 * nothing was spent. Thread: the worker that owns the slot. The reservation check stays on in every build.
 */
static inline enum fan_drop
fan_count_spend(struct fan_context *context, uint32_t *count, const struct fan_count_rule *rule, unsigned parts_left)
{
	const uint32_t next = context->count;
	const uint64_t end = (uint64_t)next + parts_left;
	const uint8_t flags = __atomic_load_n(&context->flags, __ATOMIC_RELAXED);

	if (__builtin_expect(flags != FAN_CONTEXT_PRESENT, 0))
		return FAN_DROP_UNREACHABLE;
	if (__builtin_expect(end > __atomic_load_n(&context->count_reserved, __ATOMIC_RELAXED), 0))
		return FAN_DROP_RESERVATION;
	if (__builtin_expect(end > rule->end, 0))
		return FAN_DROP_COUNT_END;
	if (__builtin_expect(fan_count_gap(context) + parts_left > rule->gap_max, 0))
		return FAN_DROP_WINDOW;
	context->count = next + 1;
	*count = next;
	return FAN_DROP_NONE;
}

#endif
