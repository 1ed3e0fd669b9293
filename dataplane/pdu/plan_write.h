/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A plan written into the packets of a batch: what a worker does for every UE before an engine protects it.
 */
#ifndef FAN_PLAN_WRITE_H
#define FAN_PLAN_WRITE_H

#include "plan.h"

/*
 * Takes the numbers that belong to each UE alone and moves its context's on: CP transaction identifier (TS 24.007 11.2.3.1.3) and RP
 * message reference of a short message, or NR-U sequence number. Out: numbers[i] for UEs first .. end-1; untouched when the plan has none.
 * Once for each PDU, beside its COUNT: written again with the same numbers, a batch is octet for octet the same. Thread: the worker
 * that owns the contexts.
 */
void fan_plan_take_numbers(uint32_t *numbers, const struct fan_batch *batch, const struct fan_plan *plan, unsigned first,
			   unsigned end);
/* Gives back the number of a short message that has not left. False, with nothing changed, when it is not the last that the context gave. */
bool fan_plan_give_back_number(struct fan_context *context, uint32_t number);

/*
 * Writes headers, clear prefixes and private heads into the packets of UEs first .. end-1 of a batch and sets batch->shape and
 * batch->text[]. In: batch->context[], batch->count[] and numbers[] as taken; one mbuf per UE, raw from its pool, with nothing but
 * FAN_TEXT_OFFSET of headroom needed. Returns the octets of these frames. Thread: the worker that owns the contexts.
 */
uint32_t fan_plan_write_burst(struct fan_batch *batch, struct rte_mbuf **frames, const uint32_t *numbers,
			      const struct fan_plan *plan, const struct fan_link *link, const struct fan_hop *hops,
			      unsigned first, unsigned end);

/* The same octets by stores alone: what fan_plan_write_burst() is where the CPU cannot permute (AVX-512 VBMI). */
uint32_t fan_plan_write_burst_portable(struct fan_batch *batch, struct rte_mbuf **frames, const uint32_t *numbers,
				       const struct fan_plan *plan, const struct fan_link *link, const struct fan_hop *hops,
				       unsigned first, unsigned end);

#endif
