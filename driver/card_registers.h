/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The card's registers by name and type. The only way from the driver to them; addresses are those of hw/registers.rdl.
 * Any thread; where only one may be inside, the card's lock (fan_card_lock) sees to it.
 *
 * A card that is gone reads as all ones: no register of a card that is there reads so but `scratch`.
 */
#ifndef FAN_CARD_REGISTERS_H
#define FAN_CARD_REGISTERS_H

#include "card_transport.h"

uint32_t fan_register_kind(struct fan_card_transport *transport);
/* Out: numbers. */
void fan_register_version(struct fan_card_transport *transport, unsigned *major, unsigned *minor);

struct fan_register_build {
	unsigned aes_lanes, snow3g_lanes, zuc_lanes, queues;
};

struct fan_register_build fan_register_build(struct fan_card_transport *transport);
void fan_register_limits(struct fan_card_transport *transport, unsigned *pdu_bytes_max, unsigned *ues_max);

enum fan_register_pending {
	FAN_REGISTER_DONE, /* neither reset nor zeroise is under way, and the card is ready */
	FAN_REGISTER_PENDING,
	FAN_REGISTER_GONE, /* reads as all ones */
};

void fan_register_enable(struct fan_card_transport *transport);
/* Both also take `enable` away. */
void fan_register_reset(struct fan_card_transport *transport);
void fan_register_zeroise(struct fan_card_transport *transport);
enum fan_register_pending fan_register_pending(struct fan_card_transport *transport);

uint32_t fan_register_scratch(struct fan_card_transport *transport);
void fan_register_scratch_write(struct fan_card_transport *transport, uint32_t value);

/* The lower half of the clocks since reset, for differences. */
uint32_t fan_register_clocks_low(struct fan_card_transport *transport);
/* The three counters of 64 bits: two reads each, which nobody may mix with his own: one thread at a time. */
uint64_t fan_register_clocks(struct fan_card_transport *transport);
uint64_t fan_register_read_bytes(struct fan_card_transport *transport);
uint64_t fan_register_written_bytes(struct fan_card_transport *transport);
uint32_t fan_register_error_batches(struct fan_card_transport *transport);
uint32_t fan_register_bus_errors(struct fan_card_transport *transport);
uint64_t fan_register_bus_error_address(struct fan_card_transport *transport);

unsigned fan_register_lane_algorithm(struct fan_card_transport *transport, unsigned lane);
uint32_t fan_register_lane_ues(struct fan_card_transport *transport, unsigned lane);
/* As the counters above. */
uint64_t fan_register_lane_cipher_busy(struct fan_card_transport *transport, unsigned lane);
uint64_t fan_register_lane_mac_busy(struct fan_card_transport *transport, unsigned lane);

/* The queue is disabled before it is set up anew. Addresses are iova. */
void fan_register_queue_start(struct fan_card_transport *transport, unsigned queue, unsigned entries_log2, uint64_t descriptors,
			      uint64_t completions);
void fan_register_queue_stop(struct fan_card_transport *transport, unsigned queue);
/* All that was written to memory before is there for the card when it hears the bell. */
void fan_register_queue_doorbell(struct fan_card_transport *transport, unsigned queue, uint16_t tail);
/* FAN_CARD_QUEUE_FAULT_... */
unsigned fan_register_queue_fault(struct fan_card_transport *transport, unsigned queue);

/* Allows a queue's interrupt; read-modify-write: one thread at a time. */
void fan_register_interrupt_enable(struct fan_card_transport *transport, unsigned queue);
void fan_register_interrupt_clear(struct fan_card_transport *transport, unsigned queue);

#endif
