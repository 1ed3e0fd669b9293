/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where each octet of a UE's header comes from: it is its template with octets of the UE's own put in, which plan_write.c does by
 * permuting registers. A header's source[]
 * says of each octet which one of the template's same half it is, or, with FAN_HEADER_OWN, which one of 64 others: the half line of the context
 * that is no key, and the next hop. Two places in them have another use there: `count` holds the clear prefix's number, and the
 * hop's `checksum` that of the frame.
 */
#ifndef FAN_HEADER_SOURCE_H
#define FAN_HEADER_SOURCE_H

#include "../context/context.h"
#include "transport.h"

#define FAN_HEADER_HALF 64
#define FAN_HEADER_OWN 64
#define FAN_CONTEXT_OCTET(field) (FAN_HEADER_OWN | (offsetof(struct fan_context, field) - offsetof(struct fan_context, count)))
#define FAN_HOP_OCTET(field) (FAN_HEADER_OWN | (32 + offsetof(struct fan_hop, field)))
static_assert(FAN_HEADER_BYTES_MAX == 2 * FAN_HEADER_HALF, "two permutations");
static_assert(offsetof(struct fan_context, count) == 32 && sizeof(struct fan_context) == 64, "the second half line");
static_assert(sizeof(struct fan_hop) == 32, "fits beside it");

/*
 * Sets header->source[]. In: a header whose template is whole, the kind of its PDUs and the octets of their clear prefix. Control
 * thread.
 */
void fan_header_trace(struct fan_header *header, enum fan_kind kind, unsigned clear_bytes, bool ipv6);

#endif
