/* SPDX-License-Identifier: BSD-3-Clause */
#include "card_registers.h"

#include "../hw/registers.h"

#include <rte_atomic.h>

#define ALL_ONES UINT32_MAX
#define FIELD(value, name) ((value) >> name##_LSB & ((UINT32_C(1) << name##_BITS) - 1))
#define BIT(name) (UINT32_C(1) << name##_LSB)

static uint32_t
read32(struct fan_card_transport *transport, uint32_t offset)
{
	return transport->ops->mmio_read32(transport, offset);
}

static void
write32(struct fan_card_transport *transport, uint32_t offset, uint32_t value)
{
	transport->ops->mmio_write32(transport, offset, value);
}

/* The card keeps the upper half at the moment the lower one is read. */
static uint64_t
read64(struct fan_card_transport *transport, uint32_t low, uint32_t high)
{
	const uint32_t value = read32(transport, low);

	return (uint64_t)read32(transport, high) << 32 | value;
}

static uint32_t
lane_at(unsigned lane, uint32_t offset)
{
	return FAN_CARD_LANE_BASE + lane * FAN_CARD_LANE_STRIDE + offset;
}

static uint32_t
queue_at(unsigned queue, uint32_t offset)
{
	return FAN_CARD_QUEUE_BASE + queue * FAN_CARD_QUEUE_STRIDE + offset;
}

uint32_t
fan_register_kind(struct fan_card_transport *transport)
{
	return read32(transport, FAN_CARD_KIND);
}

void
fan_register_version(struct fan_card_transport *transport, unsigned *major, unsigned *minor)
{
	const uint32_t value = read32(transport, FAN_CARD_VERSION);

	*major = FIELD(value, FAN_CARD_VERSION_MAJOR);
	*minor = FIELD(value, FAN_CARD_VERSION_MINOR);
}

struct fan_register_build
fan_register_build(struct fan_card_transport *transport)
{
	const uint32_t value = read32(transport, FAN_CARD_BUILD);

	return (struct fan_register_build){
		.aes_lanes = FIELD(value, FAN_CARD_BUILD_AES_LANES),
		.snow3g_lanes = FIELD(value, FAN_CARD_BUILD_SNOW3G_LANES),
		.zuc_lanes = FIELD(value, FAN_CARD_BUILD_ZUC_LANES),
		.queues = FIELD(value, FAN_CARD_BUILD_QUEUES),
	};
}

void
fan_register_limits(struct fan_card_transport *transport, unsigned *pdu_bytes_max, unsigned *ues_max)
{
	const uint32_t value = read32(transport, FAN_CARD_LIMITS);

	*pdu_bytes_max = FIELD(value, FAN_CARD_LIMITS_PDU_BYTES_MAX);
	*ues_max = FIELD(value, FAN_CARD_LIMITS_UES_MAX);
}

void
fan_register_enable(struct fan_card_transport *transport)
{
	write32(transport, FAN_CARD_CONTROL, BIT(FAN_CARD_CONTROL_ENABLE));
}

void
fan_register_reset(struct fan_card_transport *transport)
{
	write32(transport, FAN_CARD_CONTROL, BIT(FAN_CARD_CONTROL_RESET));
}

void
fan_register_zeroise(struct fan_card_transport *transport)
{
	write32(transport, FAN_CARD_CONTROL, BIT(FAN_CARD_CONTROL_ZEROISE));
}

enum fan_register_pending
fan_register_pending(struct fan_card_transport *transport)
{
	const uint32_t control = read32(transport, FAN_CARD_CONTROL);
	uint32_t status;

	if (control == ALL_ONES)
		return FAN_REGISTER_GONE;
	if ((control & (BIT(FAN_CARD_CONTROL_RESET) | BIT(FAN_CARD_CONTROL_ZEROISE))) != 0)
		return FAN_REGISTER_PENDING;
	status = read32(transport, FAN_CARD_STATUS);
	if (status == ALL_ONES)
		return FAN_REGISTER_GONE;
	return (status & BIT(FAN_CARD_STATUS_READY)) != 0 ? FAN_REGISTER_DONE : FAN_REGISTER_PENDING;
}

uint32_t
fan_register_scratch(struct fan_card_transport *transport)
{
	return read32(transport, FAN_CARD_SCRATCH);
}

void
fan_register_scratch_write(struct fan_card_transport *transport, uint32_t value)
{
	write32(transport, FAN_CARD_SCRATCH, value);
}

uint32_t
fan_register_clocks_low(struct fan_card_transport *transport)
{
	return read32(transport, FAN_CARD_CLOCKS_LOW);
}

uint64_t
fan_register_clocks(struct fan_card_transport *transport)
{
	return read64(transport, FAN_CARD_CLOCKS_LOW, FAN_CARD_CLOCKS_HIGH);
}

uint64_t
fan_register_read_bytes(struct fan_card_transport *transport)
{
	return read64(transport, FAN_CARD_READ_BYTES_LOW, FAN_CARD_READ_BYTES_HIGH);
}

uint64_t
fan_register_written_bytes(struct fan_card_transport *transport)
{
	return read64(transport, FAN_CARD_WRITTEN_BYTES_LOW, FAN_CARD_WRITTEN_BYTES_HIGH);
}

uint32_t
fan_register_error_batches(struct fan_card_transport *transport)
{
	return read32(transport, FAN_CARD_ERROR_BATCHES);
}

uint32_t
fan_register_bus_errors(struct fan_card_transport *transport)
{
	return read32(transport, FAN_CARD_BUS_ERRORS);
}

uint64_t
fan_register_bus_error_address(struct fan_card_transport *transport)
{
	return read64(transport, FAN_CARD_BUS_ERROR_LOW, FAN_CARD_BUS_ERROR_HIGH);
}

unsigned
fan_register_lane_algorithm(struct fan_card_transport *transport, unsigned lane)
{
	return FIELD(read32(transport, lane_at(lane, FAN_CARD_LANE_KIND)), FAN_CARD_LANE_KIND_ALGORITHM);
}

uint32_t
fan_register_lane_ues(struct fan_card_transport *transport, unsigned lane)
{
	return read32(transport, lane_at(lane, FAN_CARD_LANE_UES));
}

uint64_t
fan_register_lane_cipher_busy(struct fan_card_transport *transport, unsigned lane)
{
	return read64(transport, lane_at(lane, FAN_CARD_LANE_CIPHER_BUSY_LOW), lane_at(lane, FAN_CARD_LANE_CIPHER_BUSY_HIGH));
}

uint64_t
fan_register_lane_mac_busy(struct fan_card_transport *transport, unsigned lane)
{
	return read64(transport, lane_at(lane, FAN_CARD_LANE_MAC_BUSY_LOW), lane_at(lane, FAN_CARD_LANE_MAC_BUSY_HIGH));
}

void
fan_register_queue_start(struct fan_card_transport *transport, unsigned queue, unsigned entries_log2, uint64_t descriptors,
			 uint64_t completions)
{
	fan_register_queue_stop(transport, queue);
	write32(transport, queue_at(queue, FAN_CARD_QUEUE_DESCRIPTORS_LOW), (uint32_t)descriptors);
	write32(transport, queue_at(queue, FAN_CARD_QUEUE_DESCRIPTORS_HIGH), (uint32_t)(descriptors >> 32));
	write32(transport, queue_at(queue, FAN_CARD_QUEUE_COMPLETIONS_LOW), (uint32_t)completions);
	write32(transport, queue_at(queue, FAN_CARD_QUEUE_COMPLETIONS_HIGH), (uint32_t)(completions >> 32));
	rte_io_wmb();
	write32(transport, queue_at(queue, FAN_CARD_QUEUE_CONTROL),
		BIT(FAN_CARD_QUEUE_CONTROL_ENABLE) | entries_log2 << FAN_CARD_QUEUE_CONTROL_ENTRIES_LOG2_LSB);
}

void
fan_register_queue_stop(struct fan_card_transport *transport, unsigned queue)
{
	write32(transport, queue_at(queue, FAN_CARD_QUEUE_CONTROL), 0);
}

void
fan_register_queue_doorbell(struct fan_card_transport *transport, unsigned queue, uint16_t tail)
{
	rte_io_wmb();
	write32(transport, queue_at(queue, FAN_CARD_QUEUE_TAIL), tail);
}

unsigned
fan_register_queue_fault(struct fan_card_transport *transport, unsigned queue)
{
	return FIELD(read32(transport, queue_at(queue, FAN_CARD_QUEUE_STATUS)), FAN_CARD_QUEUE_STATUS_FAULT);
}

void
fan_register_interrupt_enable(struct fan_card_transport *transport, unsigned queue)
{
	write32(transport, FAN_CARD_INTERRUPT_ENABLE, read32(transport, FAN_CARD_INTERRUPT_ENABLE) | UINT32_C(1) << queue);
}

void
fan_register_interrupt_clear(struct fan_card_transport *transport, unsigned queue)
{
	write32(transport, FAN_CARD_INTERRUPT_STATUS, UINT32_C(1) << queue);
}
