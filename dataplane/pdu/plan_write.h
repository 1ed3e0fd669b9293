/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A plan written into the packets of a batch: what a worker does for every UE before an engine protects it.
 */
#ifndef FAN_PLAN_WRITE_H
#define FAN_PLAN_WRITE_H

#include "plan.h"

/*
 * Writes headers, clear prefixes and private heads into the packets of UEs first .. end-1 of a batch and sets batch->shape and
 * batch->text[]. Of each context the sequence numbers that belong to the UE alone (transaction, RP reference, NR-U SN) move on.
 * In: batch->context[], batch->count[]; one mbuf per UE, raw from its pool, with nothing but FAN_TEXT_OFFSET of headroom needed.
 * Returns the octets of these frames. Thread: the worker that owns the contexts.
 */
uint32_t fan_plan_write_burst(struct fan_batch *batch, struct rte_mbuf **frames, const struct fan_plan *plan,
			      const struct fan_link *link, const struct fan_hop *hops, unsigned first, unsigned end);

/* The same octets by stores alone: what fan_plan_write_burst() is where the CPU cannot permute (AVX-512 VBMI). */
uint32_t fan_plan_write_burst_portable(struct fan_batch *batch, struct rte_mbuf **frames, const struct fan_plan *plan,
				       const struct fan_link *link, const struct fan_hop *hops, unsigned first, unsigned end);

#endif
