/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UE contexts: one 64-byte cache line each, the same bytes for the CPU engines and the FPGA, in one table per protection.
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
};

/*
 * All integers are in host order (little endian, as the FPGA reads them); octet strings in network order.
 * Writers: the control thread fills a slot before any worker can see it (publication is the ring of flights), and later only `flags`
 * and
 * `count_reserved` and `awaited` (atomically). While a message is in flight the worker that owns the slot writes
 * count and the UE's sequence numbers.
 */
struct fan_context {
	uint8_t k_enc[FAN_KEY_BYTES]; /*  0 */
	uint8_t k_int[FAN_KEY_BYTES]; /* 16 */
	uint32_t count;               /* 32 next COUNT to be spent; see count.h, the only place that moves it */
	uint32_t count_reserved;      /* 36 first COUNT not covered by the reservation */
	uint32_t ue;                  /* 40 the provisioner's index of the UE */
	uint16_t next_hop;            /* 44 */
	uint8_t bearer_direction; /* 46 BEARER << 3 | DIRECTION << 2, as the fifth octet of an algorithm's IV (TS 33.401 B.1) */
	uint8_t flags;            /* 47 enum fan_context_flag */
	union {
		struct {
			uint32_t mme_ue_id_low; /* 48 MME-UE-S1AP-ID, or low 32 bits of AMF-UE-NGAP-ID */
			uint32_t ran_ue_id;     /* 52 eNB-UE-S1AP-ID or RAN-UE-NGAP-ID */
			uint8_t mme_ue_id_high; /* 56 bits 39..32 of AMF-UE-NGAP-ID */
			uint8_t bearer_id;      /* 57 EPS bearer identity, or PDU session identity */
			uint8_t transaction;    /* 58 next CP transaction identifier 0..6 (TS 24.007 11.2.3.1.3) */
			uint8_t rp_reference;   /* 59 next RP message reference (TS 24.011 8.2.3) */
		} nas;
		struct {
			uint32_t teid;   /* 48 */
			uint8_t ipv4[4]; /* 52 the UE's own address */
			uint32_t nru_sn; /* 56 next NR-U sequence number, 24 bits used */
		} drb;
	};
	uint16_t awaited; /* 60 low bits of the first COUNT that the UE is not known to have accepted */
	uint16_t spare;   /* 62 zero */
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
static_assert(offsetof(struct fan_context, awaited) == 60, "shared with the FPGA");

#define FAN_DIRECTION_DOWNLINK 1
/* Slots are owned by workers in turns of this many: 1,024 slots are 64 KiB, long enough to walk in order, short enough that few
 * UEs still spread over all workers. */
#define FAN_CONTEXT_STRIPE 1024

struct fan_context_table {
	struct fan_protection protection;
	struct fan_context *slots; /* demand-zero mapping of `capacity` slots, excluded from core dumps */
	uint32_t capacity;         /* slots mapped */
	uint32_t used;             /* slots 0 .. used-1 have been handed out at least once */
	uint32_t present;          /* contexts in the table */
	uint32_t free_first;       /* head of the list of freed slots, linked through `ue`; FAN_SLOT_NONE when empty */
};

#define FAN_SLOT_NONE UINT32_MAX
/* 8 GiB of address space a table. One UE is one slot, so a network of 134 M UEs under one protection fits. */
#define FAN_CONTEXT_SLOTS_MAX (1U << 27)

/* Maps room for `capacity` contexts; address space only until a slot is used. MEMORY says how much is needed. */
int fan_context_table_init(struct fan_context_table *table, struct fan_protection protection, size_t capacity);
/* Wipes every key and unmaps. Safe on a zeroed table. */
void fan_context_table_free(struct fan_context_table *table);

/* Checks the fields and fills a free slot. Returns the slot or an error (INVALID, MEMORY when full). Control thread. */
int64_t fan_context_add(struct fan_context_table *table, const struct fan_ue *ue);
/* Wipes a slot and gives it back for reuse; no worker may hold it any more. Control thread. */
void fan_context_remove(struct fan_context_table *table, uint32_t slot);
bool fan_context_present(const struct fan_context_table *table, uint32_t slot);

#endif
