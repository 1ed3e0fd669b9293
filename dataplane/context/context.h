/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UE contexts: one 64-byte cache line each, the same bytes for the CPU engines and the FPGA. They lie in tables (table.h).
 *
 * Raw keys, not schedules: expanding an AES key in registers costs less than fetching 352 more octets per UE from memory, and
 * 10 M contexts then take 640 MB.
 */
#ifndef FAN_CONTEXT_H
#define FAN_CONTEXT_H

#include "profile.h"

#include <assert.h>

enum fan_context_flag {
	FAN_CONTEXT_PRESENT = 1,     /* the slot is in use */
	FAN_CONTEXT_UNREACHABLE = 2, /* skip, spend no COUNT */
	FAN_CONTEXT_REMOVED = 4,     /* out of service for ever; the slot waits until nothing in flight can refer to it */
	FAN_CONTEXT_LEASE_OVER = 8,  /* the time of its lease is over: spend no COUNT */
};

/*
 * All integers are in host order (little endian, as the FPGA reads them); octet strings in network order.
 *
 * Who writes: the control thread fills a slot before any worker can see it (the ring of flights publishes it) and wipes it when none
 * can any more. In between C is written by the control thread and W by the worker that owns the slot; where both read a field, it is
 * stored and loaded atomically. Engines and the card read keys and bearer_direction, and take COUNT from the batch.
 */
struct fan_context {
	uint8_t k_enc[FAN_KEY_BYTES]; /*  0 */
	uint8_t k_int[FAN_KEY_BYTES]; /* 16 */
	uint32_t count;               /* 32 W next COUNT to be spent; count.h alone moves it */
	uint32_t count_reserved;      /* 36 C first COUNT that is not leased to us */
	uint32_t ue;                  /* 40 the provisioner's index of the UE */
	uint16_t next_hop;            /* 44 */
	uint8_t bearer_direction; /* 46 BEARER << 3 | DIRECTION << 2, as the fifth octet of an algorithm's IV (TS 33.401 B.1) */
	uint8_t flags;            /* 47 C enum fan_context_flag */
	union {
		struct {
			uint32_t mme_ue_id_low; /* 48 MME-UE-S1AP-ID, or low 32 bits of AMF-UE-NGAP-ID */
			uint32_t ran_ue_id;     /* 52 eNB-UE-S1AP-ID or RAN-UE-NGAP-ID */
			uint8_t mme_ue_id_high; /* 56 bits 39..32 of AMF-UE-NGAP-ID */
			uint8_t bearer_id;      /* 57 EPS bearer identity, or PDU session identity */
			uint8_t transaction;    /* 58 W next CP transaction identifier 0..6 (TS 24.007 11.2.3.1.3) */
			uint8_t rp_reference;   /* 59 W next RP message reference (TS 24.011 8.2.3) */
		} nas;
		struct {
			uint32_t teid;   /* 48; of bearers, 0 otherwise */
			uint8_t ipv4[4]; /* 52 the UE's own address */
			uint32_t nru_sn; /* 56 W next NR-U sequence number, 24 bits used */
		} drb;
		struct {
			uint32_t none;
			uint8_t ipv4[4];   /* 52 the UE's own address, as in drb */
			uint16_t udp_port; /* 56 of MBMS */
			uint16_t unused;   /* 58 zero: a context has no octets that are nobody's */
		} packet;
	};
	uint16_t awaited;          /* 60 C low bits of the first COUNT that the UE is not known to have accepted */
	uint8_t transactions_open; /* 62 W CP transactions that the UE may still have open; count.h alone moves it */
	uint8_t since; /* 63 W where COUNT stood at the last checkpoint; count.h alone moves it, for C too while none can be spent */
} __attribute__((aligned(64)));

static_assert(sizeof(struct fan_context) == 64, "a context is one cache line");
static_assert(offsetof(struct fan_context, k_int) == 16, "shared with the FPGA");
static_assert(offsetof(struct fan_context, count) == 32, "shared with the FPGA");
static_assert(offsetof(struct fan_context, count_reserved) == 36, "shared with the FPGA");
static_assert(offsetof(struct fan_context, ue) == 40, "shared with the FPGA");
static_assert(offsetof(struct fan_context, next_hop) == 44, "shared with the FPGA");
static_assert(offsetof(struct fan_context, bearer_direction) == 46, "shared with the FPGA");
static_assert(offsetof(struct fan_context, flags) == 47, "shared with the FPGA");
static_assert(offsetof(struct fan_context, nas.mme_ue_id_low) == 48, "shared with the FPGA");
static_assert(offsetof(struct fan_context, drb.nru_sn) == 56, "shared with the FPGA");
static_assert(offsetof(struct fan_context, packet.ipv4) == offsetof(struct fan_context, drb.ipv4), "one address");
static_assert(offsetof(struct fan_context, awaited) == 60, "shared with the FPGA");
static_assert(offsetof(struct fan_context, since) == 63, "shared with the FPGA");

#define FAN_DIRECTION_DOWNLINK 1

#endif
