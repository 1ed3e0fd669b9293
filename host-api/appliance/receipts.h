/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receipts applied: from (way, next hop, id), as a frame that came in has it (dataplane/pdu/receipt.h), to the context whose window moves.
 *
 * One word for each context stands in a hash table of parts, in open addressing, at most 7/8 of the places in use: 9 to 18 octets a
 * context, and 4 more of a bearer for the TEID of our end of its tunnel. A word holds enough of the hash to be moved without its context:
 * only what may be the one looked for is compared with the context itself.
 *
 * All of it is the control thread's. NULL in place of the receipts: nothing is received, and every call is ignored.
 */
#ifndef FAN_RECEIPTS_H
#define FAN_RECEIPTS_H

#include "../../dataplane/dataplane.h"

struct fanfare;
struct fan_receipts;

/* In: a dataplane, and the appliance whose ledger is told, NULL: none, which outlive it; port, UDP, of relays' datagrams, 0: the default. INVALID (GTP-U's port), UNSUPPORTED (the egress port
 * does not receive), MEMORY, IO (no random octets). */
int fan_receipts_open(struct fan_receipts **out, struct fan_dataplane *dataplane, struct fanfare *fanfare, uint16_t port);
void fan_receipts_close(struct fan_receipts *receipts);

/* A context that was added, or has moved: what comes in for it from its next hop reaches it. In: uplink_teid, of a bearer, as
 * fan_ue.uplink_teid. MEMORY: nothing does. Contexts that have the same next hop and id are told apart by nothing, and get none. */
int fan_receipts_enter(struct fan_receipts *receipts, unsigned table, uint32_t slot, uint32_t uplink_teid);
/* A context that is about to be removed, or to move: its fields are still those that it was entered with. Ignored when it was not. */
void fan_receipts_leave(struct fan_receipts *receipts, unsigned table, uint32_t slot);
/* A next hop has another address: another sender, whose sequence begins anew. */
void fan_receipts_change_hop(struct fan_receipts *receipts, unsigned hop);

/* A frame that came in. */
struct fan_receipt_octets {
	const uint8_t *octets;
	size_t octet_count;
};

/* Reads frames and applies what they say. */
void fan_receipts_take_burst(struct fan_receipts *receipts, const struct fan_receipt_octets *frames, unsigned frame_count);
/* Takes what the port has received, a bounded number of frames. */
void fan_receipts_poll(struct fan_receipts *receipts);

/* Out: *figures but for its struct_bytes. */
void fan_receipts_count(const struct fan_receipts *receipts, struct fan_receipt_figures *figures);

#endif
