/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What host and card both read and write in memory (hw/registers.rdl, as C structs), and how much of each there can be.
 */
#ifndef FAN_CARD_LAYOUT_H
#define FAN_CARD_LAYOUT_H

#include "../dataplane/context/context.h"
#include "../hw/registers.h"

#include <assert.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "what the card reads and writes is little endian");

#define FAN_DESCRIPTOR_PROTECT 1 /* operation */

struct fan_descriptor {
	uint64_t message, items, contexts; /* iova */
	uint32_t message_number;
	uint16_t cookie;
	uint16_t ue_count;
	uint16_t text_bytes;
	uint8_t clear_bytes;
	uint8_t head_blocks;
	uint8_t cipher;
	uint8_t integrity;
	uint8_t sequence; /* enum fan_sequence */
	uint8_t operation;
	uint64_t reserved_0, reserved_1, reserved_2;
};

struct fan_item {
	uint64_t pdu; /* iova */
	uint32_t count;
	uint32_t context_number;
	uint8_t clear[16];
	uint8_t head[]; /* blocks of 16 octets, then as many octets as fill the last FAN_ITEM_GRANULE_BYTES */
};

#define FAN_ITEM_GRANULE_BYTES 32
#define FAN_ITEM_BLOCK_BYTES 16

struct fan_completion {
	uint16_t cookie;
	uint8_t error; /* FAN_CARD_ERROR_... */
	uint8_t bad_ues;
	uint8_t first_bad;
	uint8_t reserved;
	uint16_t head;
	uint32_t clocks;
	uint32_t serial;
};

/* LAYOUT(struct fan_item, count, FAN_ITEM_COUNT) */
#define FAN_LAYOUT(type, member, name)                                                                                         \
	static_assert(offsetof(type, member) == name##_AT && sizeof(((type *)0)->member) == name##_BYTES, #name)

static_assert(sizeof(struct fan_descriptor) == FAN_DESCRIPTOR_BYTES, "descriptor");
FAN_LAYOUT(struct fan_descriptor, message, FAN_DESCRIPTOR_MESSAGE);
FAN_LAYOUT(struct fan_descriptor, items, FAN_DESCRIPTOR_ITEMS);
FAN_LAYOUT(struct fan_descriptor, contexts, FAN_DESCRIPTOR_CONTEXTS);
FAN_LAYOUT(struct fan_descriptor, message_number, FAN_DESCRIPTOR_MESSAGE_NUMBER);
FAN_LAYOUT(struct fan_descriptor, cookie, FAN_DESCRIPTOR_COOKIE);
FAN_LAYOUT(struct fan_descriptor, ue_count, FAN_DESCRIPTOR_UE_COUNT);
FAN_LAYOUT(struct fan_descriptor, text_bytes, FAN_DESCRIPTOR_TEXT_BYTES);
FAN_LAYOUT(struct fan_descriptor, clear_bytes, FAN_DESCRIPTOR_CLEAR_BYTES);
FAN_LAYOUT(struct fan_descriptor, head_blocks, FAN_DESCRIPTOR_HEAD_BLOCKS);
FAN_LAYOUT(struct fan_descriptor, cipher, FAN_DESCRIPTOR_CIPHER);
FAN_LAYOUT(struct fan_descriptor, integrity, FAN_DESCRIPTOR_INTEGRITY);
FAN_LAYOUT(struct fan_descriptor, sequence, FAN_DESCRIPTOR_SEQUENCE);
FAN_LAYOUT(struct fan_descriptor, operation, FAN_DESCRIPTOR_OPERATION);
FAN_LAYOUT(struct fan_descriptor, reserved_0, FAN_DESCRIPTOR_RESERVED_0);
FAN_LAYOUT(struct fan_descriptor, reserved_1, FAN_DESCRIPTOR_RESERVED_1);
FAN_LAYOUT(struct fan_descriptor, reserved_2, FAN_DESCRIPTOR_RESERVED_2);
static_assert(sizeof(struct fan_item) == FAN_ITEM_BYTES, "item");
FAN_LAYOUT(struct fan_item, pdu, FAN_ITEM_PDU);
FAN_LAYOUT(struct fan_item, count, FAN_ITEM_COUNT);
FAN_LAYOUT(struct fan_item, context_number, FAN_ITEM_CONTEXT_NUMBER);
FAN_LAYOUT(struct fan_item, clear, FAN_ITEM_CLEAR);
static_assert(sizeof(struct fan_completion) == FAN_COMPLETION_BYTES, "completion");
FAN_LAYOUT(struct fan_completion, cookie, FAN_COMPLETION_COOKIE);
FAN_LAYOUT(struct fan_completion, error, FAN_COMPLETION_ERROR);
FAN_LAYOUT(struct fan_completion, bad_ues, FAN_COMPLETION_BAD_UES);
FAN_LAYOUT(struct fan_completion, first_bad, FAN_COMPLETION_FIRST_BAD);
FAN_LAYOUT(struct fan_completion, reserved, FAN_COMPLETION_RESERVED);
FAN_LAYOUT(struct fan_completion, head, FAN_COMPLETION_HEAD);
FAN_LAYOUT(struct fan_completion, clocks, FAN_COMPLETION_CLOCKS);
FAN_LAYOUT(struct fan_completion, serial, FAN_COMPLETION_SERIAL);
static_assert(sizeof(struct fan_context) == FAN_CONTEXT_BYTES, "context");
FAN_LAYOUT(struct fan_context, k_enc, FAN_CONTEXT_K_ENC);
FAN_LAYOUT(struct fan_context, k_int, FAN_CONTEXT_K_INT);
FAN_LAYOUT(struct fan_context, bearer_direction, FAN_CONTEXT_BEARER_DIRECTION);

static_assert(FAN_CARD_LANE_BASE + FAN_CARD_LANES_MAX * FAN_CARD_LANE_STRIDE <= FAN_CARD_QUEUE_BASE, "lanes lie before queues");

#endif
