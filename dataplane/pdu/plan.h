/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Plans: one group message encoded once for one profile and protection. A plan holds the plaintext PDU (private head and shared
 * tail), the shape an engine needs, and the header templates; a worker writes it into the packets of a batch.
 * A message longer than one short message has a plan for every part.
 */
#ifndef FAN_PLAN_H
#define FAN_PLAN_H

#include "../context/table.h"
#include "../engine/engine.h"
#include "sms.h"
#include "transport.h"

/* What of the private head is the UE's own. */
enum fan_head {
	FAN_HEAD_NONE,
	FAN_HEAD_SMS, /* CP transaction identifier, RP message reference */
	FAN_HEAD_IP,  /* IPv4 destination, header checksum, UDP checksum: of a bearer's packet, or of one over SGi */
};

struct fan_plan {
	struct fan_shape shape;
	uint8_t kind;                                  /* enum fan_kind */
	uint8_t profile;                               /* enum fan_profile */
	uint8_t head;                                  /* enum fan_head */
	uint8_t transaction_at, reference_at;          /* FAN_HEAD_SMS: offsets into the text */
	uint8_t trailer_bytes;                         /* MAC-I behind the text */
	uint8_t sdap_bytes;                            /* of the clear prefix */
	bool secret;                                   /* the text holds keys: it is wiped */
	const struct fan_context_table *table;         /* mbms-msk: which has the names of its UEs */
	uint16_t frame_bytes_max;                      /* longest frame of any UE, from Ethernet up */
	uint8_t head_octets[FAN_HEAD_BLOCKS_MAX * 16]; /* template of the private head */
	uint32_t ipv4_sum, udp_sum;                    /* FAN_HEAD_IP: ones' complement sums without the destination address */
	struct fan_header header[FAN_HEADERS_MAX];     /* NAS: by lengths of the two ids; bearers: the first alone */
	uint8_t text[FAN_PDU_BYTES_MAX + FAN_MESSAGE_SLACK_BYTES];
};

/* Whether each PDU has an NR-U sequence number of its own (TS 38.425): bearers of NR. */
static inline bool
fan_plan_has_nru_sn(const struct fan_plan *plan)
{
	return plan->kind == FAN_KIND_NR_PDCP_12 || plan->kind == FAN_KIND_NR_PDCP_18;
}

/* The plans of one message for one profile and protection, one per part. */
struct fan_plans {
	struct fan_plan *part; /* owned */
	unsigned part_count;
	unsigned frame_bytes_max; /* of the longest part */
};

/* A form that a message takes: a profile and a protection of its kind. */
struct fan_form {
	uint8_t profile; /* enum fan_profile */
	struct fan_protection protection;
	const struct fan_context_table
		*table; /* whose contexts it goes to, of mbms-msk; there NULL only to know whether it can be encoded */
};

/*
 * Encodes a message in each form. Out: plans[form_count], one for each form; all zero on error. Errors: INVALID (names the field of the
 * message and its range), TOO_LONG (names the profile, the octets and the limit), MEMORY. Control thread.
 */
int fan_plans_make(struct fan_plans *plans, const struct fan_message *message, const struct fan_form *forms,
		   unsigned form_count, const struct fan_link *link);
void fan_plans_free(struct fan_plans *plans);

/* The part of a shape that follows from the protection alone: algorithms and sequence. */
void fan_shape_init(struct fan_shape *shape, struct fan_protection protection);

#endif
