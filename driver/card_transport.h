/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What lies between the driver and a card: registers, memory that the card can reach, interrupts. One table of functions, so that
 * the driver above it is the same for a Verilated model in this process, for a simulator in another process, and for a card behind
 * PCIe (the table has the shape of what VFIO offers).
 *
 * What a card may do with memory is said where it is given (enum fan_memory_access), and the transport sees to it: a write to memory
 * that is only to be read reaches nothing, as one to a wild address. A simulation judges each access (card_ranges.h). Behind PCIe the
 * IOMMU does: VFIO_DMA_MAP_FLAG_READ alone for FAN_MEMORY_READ, and whole pages, so that nothing else may lie in them. A transport that
 * cannot (VFIO without an IOMMU) refuses dma_map with UNSUPPORTED; contexts are then copied, which does not stop such a card either, but
 * keeps the table's address from it.
 *
 * Threads: any; queues of one card are driven by several workers. A transport locks inside where it must.
 */
#ifndef FAN_CARD_TRANSPORT_H
#define FAN_CARD_TRANSPORT_H

#include "../dataplane/context/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded as first member of each transport's own struct. */
struct fan_card_transport {
	const struct fan_card_transport_ops *ops;
};

struct fan_card_transport_ops {
	const char *name; /* "model", "shm" */

	/* offset: octets, a multiple of 4, below FAN_CARD_BYTES. A card that is gone reads as all ones, and writes to it are lost:
	 * there is no error, as on PCIe. */
	uint32_t (*mmio_read32)(struct fan_card_transport *transport, uint32_t offset);
	void (*mmio_write32)(struct fan_card_transport *transport, uint32_t offset, uint32_t value);

	/* Memory that host and card share for as long as it is not freed: zeroed, aligned to 4,096, left out of core dumps. Out: its
	 * address here and the card's (iova). MEMORY. */
	int (*dma_alloc)(struct fan_card_transport *transport, void **memory, uint64_t *iova, size_t bytes,
			 enum fan_memory_access access);
	/* Wipes it. */
	void (*dma_free)(struct fan_card_transport *transport, void *memory, size_t bytes);

	/* Lets the card reach memory of the caller's; it stays the caller's. Out: iova of its first octet. UNSUPPORTED where the
	 * transport cannot: the caller then copies through memory of dma_alloc. */
	int (*dma_map)(struct fan_card_transport *transport, uint64_t *iova, void *memory, size_t bytes,
		       enum fan_memory_access access);
	void (*dma_unmap)(struct fan_card_transport *transport, uint64_t iova, size_t bytes);

	/* Waits for interrupt `vector` (a queue's number, or the number of queues for errors). 1: it came; 0: timeout; or an error. */
	int (*wait_irq)(struct fan_card_transport *transport, unsigned vector, unsigned timeout_us);

	/* The driver looked for completions in vain. A simulator in this process lets some clocks pass; others do nothing. */
	void (*relax)(struct fan_card_transport *transport);

	/* The card must not reach memory any more, whatever it is doing (bus mastering off). After it returns nothing is written. The
	 * last resort, behind a reset that does not end or when the card is left: what the card has asked the bus for may now never be
	 * answered, and its reset waits for that. */
	void (*isolate)(struct fan_card_transport *transport);

	/* NULL: a card, whose clock is its own. Else there is a simulator. Out: true, and seconds of processor time that it has spent;
	 * false where that is not known. */
	bool (*simulated_in)(struct fan_card_transport *transport, double *seconds);

	/* Every dma_alloc has been freed and every dma_map unmapped. */
	void (*close)(struct fan_card_transport *transport);
};

#endif
