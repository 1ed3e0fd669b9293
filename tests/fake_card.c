/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "fake_card.h"
#include "../dataplane/engine/reference/reference.h"

#include "../driver/card_queue.h"
#include "../driver/card_ranges.h"
#include "../driver/card_registers.h"

#include <pthread.h>
#include <string.h>

#define QUEUES 4
#define REGIONS_MAX 256
#define MESSAGES_KEPT 64
#define CLOCKS_PER_RELAX 2000
#define CLOCKS_PER_LAZY_RELAX 4
#define PACKET_TEXT_AT 64
#define PACKET_BYTES 1600

/* Of those that the card reaches, by the same rules as any simulated card. */
struct region {
	uint8_t *memory;
	uint64_t iova;
	size_t bytes;
	bool allocated;
};

struct queue {
	bool enabled;
	unsigned entries, fault;
	uint64_t descriptors, completions;
	uint16_t tail, head, completed;
	uint32_t serial;
	struct fan_descriptor held; /* shuffle: fetched and not yet served */
	bool holds;
};

struct message {
	uint8_t queue;
	uint32_t number;
	uint8_t text[FAN_PDU_BYTES_MAX + FAN_MESSAGE_SLACK_BYTES];
};

static struct fake {
	struct fan_card_transport transport;
	pthread_mutex_t lock;
	struct fan_fake_behaviour behaviour;
	struct fan_fake_view view;
	struct fan_engine *reference;
	bool enabled, gone, hung, stands;
	unsigned reset_reads;
	uint32_t scratch, interrupts, interrupts_enabled;
	uint64_t clocks, read_bytes, written_bytes;
	uint32_t clocks_high_kept;
	uint32_t error_batches, bus_errors;
	uint32_t lane_ues[FAN_CARD_LANES_MAX];
	unsigned last_lane; /* that was given something */
	unsigned relaxes, next_queue;
	struct queue queue[QUEUES];
	struct fan_card_ranges ranges;
	struct region region[REGIONS_MAX];
	unsigned region_count;
	uint64_t next_iova;
	struct message message[MESSAGES_KEPT];
	unsigned message_next;
	/* PDUs to be written late. */
	struct {
		uint64_t iova;
		unsigned bytes;
		uint8_t octets[PACKET_BYTES];
	} late[FAN_BATCH_UES_MAX];
	unsigned late_count;
	/* The batch being served. */
	struct fan_context context[FAN_BATCH_UES_MAX];
	uint8_t head[FAN_BATCH_UES_MAX][FAN_HEAD_BLOCKS_MAX * 16];
	uint8_t packet[FAN_BATCH_UES_MAX][PACKET_BYTES];
	struct fan_fake_record records[FAN_FAKE_RECORDS_MAX];
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- Memory ---------------------------------------------------------------------------------------------------------------- */

static uint8_t *
reach(uint64_t iova, size_t bytes, enum fan_memory_access access)
{
	uint8_t *memory = fake.view.isolated ? NULL : fan_card_ranges_reach(&fake.ranges, iova, bytes, access);

	fake.bus_errors += memory == NULL;
	return memory;
}

static bool
read_dma(void *out, uint64_t iova, size_t bytes)
{
	const uint8_t *from = reach(iova, bytes, FAN_MEMORY_READ);

	if (from == NULL)
		return false;
	memcpy(out, from, bytes);
	fake.read_bytes += bytes;
	return true;
}

static bool
write_dma(uint64_t iova, const void *octets, size_t bytes)
{
	uint8_t *to = reach(iova, bytes, FAN_MEMORY_WRITE);

	if (to == NULL)
		return false;
	memcpy(to, octets, bytes);
	fake.written_bytes += bytes;
	return true;
}

static uint64_t
add_region(void *memory, size_t bytes, enum fan_memory_access access, bool allocated)
{
	const uint64_t iova = fake.next_iova + ((uintptr_t)memory & 4095);

	FAN_REQUIRE(fake.region_count < REGIONS_MAX);
	FAN_REQUIRE(fan_card_ranges_add(&fake.ranges, iova, memory, bytes, access) == 0);
	fake.region[fake.region_count++] = (struct region){ memory, iova, bytes, allocated };
	fake.next_iova += (bytes + 0x200000) & ~UINT64_C(4095);
	return iova;
}

static int
fake_dma_alloc(struct fan_card_transport *transport, void **memory, uint64_t *iova, size_t bytes, enum fan_memory_access access)
{
	(void)transport;
	pthread_mutex_lock(&fake.lock);
	*memory = aligned_alloc(4096, (bytes + 4095) & ~(size_t)4095);
	FAN_REQUIRE(*memory != NULL);
	memset(*memory, 0, bytes);
	*iova = add_region(*memory, bytes, access, true);
	fake.view.dma_allocated++;
	pthread_mutex_unlock(&fake.lock);
	return 0;
}

static void
remove_region(unsigned index)
{
	fan_card_ranges_remove(&fake.ranges, fake.region[index].iova);
	fake.region[index] = fake.region[--fake.region_count];
}

static void
fake_dma_free(struct fan_card_transport *transport, void *memory, size_t bytes)
{
	unsigned i = 0;
	bool dirty = false;

	(void)transport;
	pthread_mutex_lock(&fake.lock);
	while (i < fake.region_count && fake.region[i].memory != memory)
		i++;
	FAN_REQUIRE(i < fake.region_count && fake.region[i].allocated && fake.region[i].bytes == bytes);
	for (size_t at = 0; at < bytes; at++)
		dirty = dirty || ((uint8_t *)memory)[at] != 0;
	fake.view.dirty_frees += dirty;
	fake.view.dma_allocated--;
	remove_region(i);
	pthread_mutex_unlock(&fake.lock);
	free(memory);
}

static int
fake_dma_map(struct fan_card_transport *transport, uint64_t *iova, void *memory, size_t bytes, enum fan_memory_access access)
{
	(void)transport;
	if (fake.behaviour.no_map)
		return FAN_E_UNSUPPORTED;
	pthread_mutex_lock(&fake.lock);
	for (unsigned i = 0; i < fake.region_count; i++)
		FAN_REQUIRE(fake.region[i].memory != memory);
	*iova = add_region(memory, bytes, access, false);
	fake.view.dma_mapped++;
	pthread_mutex_unlock(&fake.lock);
	return 0;
}

static void
fake_dma_unmap(struct fan_card_transport *transport, uint64_t iova, size_t bytes)
{
	unsigned i = 0;

	(void)transport;
	pthread_mutex_lock(&fake.lock);
	while (i < fake.region_count && fake.region[i].iova != iova)
		i++;
	FAN_REQUIRE(i < fake.region_count && !fake.region[i].allocated && fake.region[i].bytes == bytes);
	fake.view.dma_mapped--;
	remove_region(i);
	pthread_mutex_unlock(&fake.lock);
}

bool
fan_fake_holds(const uint8_t *octets, size_t byte_count)
{
	bool found = false;

	pthread_mutex_lock(&fake.lock);
	for (unsigned i = 0; i < fake.region_count; i++)
		found = found || (fake.region[i].allocated &&
				  memmem(fake.region[i].memory, fake.region[i].bytes, octets, byte_count) != NULL);
	pthread_mutex_unlock(&fake.lock);
	return found;
}

/* ---- Batches --------------------------------------------------------------------------------------------------------------- */

static uint32_t
build(void)
{
	return fake.behaviour.build == 0 ? FAN_FAKE_BUILD(QUEUES, 1, 1, 1) : fake.behaviour.build;
}

/* The fields of all three kinds are as wide. */
static unsigned
lanes(unsigned lsb)
{
	return build() >> lsb & ((1U << FAN_CARD_BUILD_AES_LANES_BITS) - 1);
}

/* AES lanes first, then SNOW 3G, then ZUC, as in the RTL. */
static unsigned
lane_algorithm(unsigned lane)
{
	const unsigned aes_lanes = lanes(FAN_CARD_BUILD_AES_LANES_LSB), snow3g_lanes = lanes(FAN_CARD_BUILD_SNOW3G_LANES_LSB),
		       zuc_lanes = lanes(FAN_CARD_BUILD_ZUC_LANES_LSB);

	return lane < aes_lanes ? 2 : lane < aes_lanes + snow3g_lanes ? 1 : lane < aes_lanes + snow3g_lanes + zuc_lanes ? 3 : 0;
}

static bool
has_lane(unsigned algorithm)
{
	bool found = algorithm == 0;

	for (unsigned i = 0; i < FAN_CARD_LANES_MAX; i++)
		found = found || lane_algorithm(i) == algorithm;
	return found;
}

static uint8_t
check(const struct fan_descriptor *descriptor)
{
	const unsigned algorithm = descriptor->cipher != 0 ? descriptor->cipher : descriptor->integrity;

	if (descriptor->operation != FAN_DESCRIPTOR_PROTECT || descriptor->reserved_0 != 0 || descriptor->reserved_1 != 0 ||
	    descriptor->reserved_2 != 0)
		return FAN_CARD_ERROR_BAD_DESCRIPTOR;
	if (descriptor->ue_count < 1 || descriptor->ue_count > FAN_BATCH_UES_MAX || descriptor->clear_bytes > 16 ||
	    descriptor->head_blocks > 3 || descriptor->sequence > 2 || descriptor->text_bytes < 1 ||
	    descriptor->text_bytes + descriptor->clear_bytes > FAN_PDU_BYTES_MAX)
		return FAN_CARD_ERROR_BAD_SHAPE;
	if (algorithm > 3 || !has_lane(algorithm) ||
	    (descriptor->cipher != 0 && descriptor->integrity != 0 && descriptor->cipher != descriptor->integrity) ||
	    (descriptor->sequence == FAN_CIPHER_ONLY && descriptor->integrity != 0))
		return FAN_CARD_ERROR_UNSUPPORTED;
	if (descriptor->message % 64 != 0 || descriptor->items % 64 != 0 || descriptor->contexts % 64 != 0)
		return FAN_CARD_ERROR_BAD_ADDRESS;
	return FAN_CARD_ERROR_NONE;
}

/* As a card with a cache: a number that is known is not read again. */
static const uint8_t *
get_message(unsigned queue, const struct fan_descriptor *descriptor)
{
	struct message *message;

	for (unsigned i = 0; i < MESSAGES_KEPT && descriptor->message_number != 0; i++)
		if (fake.message[i].queue == queue && fake.message[i].number == descriptor->message_number)
			return fake.message[i].text;
	message = &fake.message[fake.message_next++ % MESSAGES_KEPT];
	memset(message, 0, sizeof(*message));
	message->queue = (uint8_t)queue;
	message->number = descriptor->message_number;
	fake.view.messages_read++;
	return read_dma(message->text, descriptor->message, descriptor->text_bytes) ? message->text : NULL;
}

static bool
read_ue(struct fan_batch *batch, const struct fan_descriptor *descriptor, unsigned ue)
{
	const size_t stride = FAN_ITEM_BYTES + ((size_t)descriptor->head_blocks * 16 + 31) / 32 * 32;
	uint8_t octets[FAN_ITEM_BYTES + 64];
	struct fan_item item;
	uint8_t *text = fake.packet[ue] + PACKET_TEXT_AT;

	if (!read_dma(octets, descriptor->items + ue * stride, stride))
		return false;
	memcpy(&item, octets, sizeof(item));
	if (!read_dma(&fake.context[ue], descriptor->contexts + (uint64_t)item.context_number * 64, 64))
		return false;
	memset(fake.packet[ue], 0xa5, PACKET_BYTES);
	memcpy(text - descriptor->clear_bytes, item.clear, descriptor->clear_bytes);
	memcpy(text, octets + FAN_ITEM_BYTES, stride - FAN_ITEM_BYTES);
	memcpy(fake.head[ue], octets + FAN_ITEM_BYTES, descriptor->head_blocks * 16U);
	batch->context[ue] = &fake.context[ue];
	batch->count[ue] = item.count;
	batch->text[ue] = text;
	return true;
}

static void
record(const struct fan_batch *batch, bool refused)
{
	for (unsigned i = 0; i < batch->ue_count; i++) {
		struct fan_fake_record *entry = &fake.records[fake.view.record_count];

		FAN_REQUIRE(fake.view.record_count < FAN_FAKE_RECORDS_MAX);
		fake.view.record_count++;
		memcpy(entry->k_enc, batch->context[i]->k_enc, FAN_KEY_BYTES);
		entry->count = batch->count[i];
		entry->refused = refused;
	}
}

/* As the RTL: the first of those that compute it and have nothing to do; batches that were posted together go to one after the other. */
static unsigned
choose_lane(const struct fan_descriptor *descriptor, enum fan_fake_trick trick)
{
	const unsigned algorithm = (unsigned)descriptor->cipher | descriptor->integrity;
	const unsigned wanted = algorithm != 0 ? algorithm : has_lane(2) ? 2 : 0;
	unsigned lane = fake.last_lane;

	do
		lane = (lane + 1) % FAN_CARD_LANES_MAX;
	while (lane_algorithm(lane) == 0 || (wanted != 0 && lane_algorithm(lane) != wanted) ||
	       (trick == FAN_FAKE_IDLE_LANE && lane == fake.behaviour.lane));
	return fake.last_lane = lane;
}

/* Of a PDU that has `lead` octets before its text and `trailer` behind it: which of them are written. */
struct extent {
	unsigned lead, text_bytes, trailer; /* from the text's beginning in both directions */
	unsigned skipped;                   /* of the text, at its beginning */
};

static struct extent
extent_of(const struct fan_descriptor *descriptor, enum fan_fake_trick trick, unsigned ue)
{
	const bool before = descriptor->sequence == FAN_CIPHER_THEN_MAC, behind = descriptor->sequence == FAN_MAC_THEN_CIPHER;
	struct extent extent = { before ? descriptor->clear_bytes + 4U : 0, descriptor->text_bytes, behind ? 4 : 0, 0 };

	switch (trick) {
	case FAN_FAKE_WRITE_NOTHING:
		return (struct extent){ .lead = 0 };
	case FAN_FAKE_WRITE_SOME:
		return ue % 2 == 0 ? extent : (struct extent){ .lead = 0 };
	case FAN_FAKE_WRITE_MAC:
		extent.text_bytes = behind ? descriptor->text_bytes : 0;
		extent.skipped = extent.text_bytes;
		break;
	case FAN_FAKE_WRITE_TEXT:
		extent.lead = before ? descriptor->clear_bytes : 0;
		extent.trailer = 0;
		break;
	case FAN_FAKE_WRITE_HALF:
		extent.text_bytes /= 2;
		extent.trailer = 0;
		break;
	case FAN_FAKE_WRITE_BESIDE:
		extent.trailer++;
		break;
	default:
		break;
	}
	return extent;
}

static bool
is_wrong(const struct fan_descriptor *descriptor, enum fan_fake_trick trick, unsigned lane, const struct fan_context *context)
{
	static const uint8_t corner[FAN_KEY_BYTES] = { [0] = 0x2c, [10] = 0xdb, [15] = 0x38 };

	if (trick == FAN_FAKE_WRONG_CORNER)
		return memcmp(context->k_enc, corner, sizeof(corner)) == 0;
	return trick == FAN_FAKE_WRONG || (trick == FAN_FAKE_WRONG_LONG && descriptor->text_bytes > 100) ||
	       (trick == FAN_FAKE_WRONG_LANE && lane == fake.behaviour.lane);
}

static void
keep(uint64_t iova, const uint8_t *octets, unsigned byte_count)
{
	fake.late[fake.late_count].iova = iova;
	fake.late[fake.late_count].bytes = byte_count;
	memcpy(fake.late[fake.late_count++].octets, octets, byte_count);
}

static void
write_late(void)
{
	for (unsigned i = 0; i < fake.late_count; i++)
		write_dma(fake.late[i].iova, fake.late[i].octets, fake.late[i].bytes);
	fake.late_count = 0;
}

static bool
write_pdu(const struct fan_descriptor *descriptor, const struct fan_batch *batch, enum fan_fake_trick trick, unsigned ue)
{
	const size_t stride = FAN_ITEM_BYTES + ((size_t)descriptor->head_blocks * 16 + 31) / 32 * 32;
	const struct extent extent = extent_of(descriptor, trick, ue);
	const uint8_t *text = batch->text[trick == FAN_FAKE_WRITE_ANOTHER ? (ue + 1) % batch->ue_count : ue];
	const unsigned all = extent.lead + extent.text_bytes + extent.trailer - extent.skipped;
	struct fan_item item;

	if (!read_dma(&item, descriptor->items + ue * stride, sizeof(item)))
		return false;
	if (trick == FAN_FAKE_WRITE_LATE)
		keep(item.pdu - extent.lead, text - extent.lead, all);
	return all == 0 || trick == FAN_FAKE_WRITE_LATE ||
	       write_dma(item.pdu - extent.lead + extent.skipped, text - extent.lead + extent.skipped, all);
}

/* The MAC remains. */
static void
put_plaintext(const struct fan_batch *batch, unsigned ue)
{
	const unsigned head = fan_shape_head_bytes(batch->shape);

	memcpy(batch->text[ue], fake.head[ue], head);
	memcpy(batch->text[ue] + head, batch->shape->message + head, batch->shape->text_bytes - head);
}

/* Puts the next COUNT of a UE back to the one that was used. */
static void
write_context(const struct fan_descriptor *descriptor, const struct fan_batch *batch, unsigned ue)
{
	const size_t stride = FAN_ITEM_BYTES + ((size_t)descriptor->head_blocks * 16 + 31) / 32 * 32;
	struct fan_item item;

	if (read_dma(&item, descriptor->items + ue * stride, sizeof(item)))
		write_dma(descriptor->contexts + (uint64_t)item.context_number * 64 + offsetof(struct fan_context, count),
			  &batch->count[ue], sizeof(batch->count[ue]));
}

/* Makes and writes the first `ues` PDUs. Returns the error, and the first UE without a PDU. */
static uint8_t
protect(unsigned queue, const struct fan_descriptor *descriptor, enum fan_fake_trick trick, unsigned ues, unsigned *first_bad)
{
	const unsigned lane = choose_lane(descriptor, trick);
	struct fan_shape shape = {
		.cipher = descriptor->cipher,
		.integrity = descriptor->integrity,
		.sequence = descriptor->sequence,
		.clear_bytes = descriptor->clear_bytes,
		.head_blocks = descriptor->head_blocks,
		.text_bytes = descriptor->text_bytes,
		.message = get_message(queue, descriptor),
	};
	struct fan_batch batch = { .shape = &shape, .ue_count = descriptor->ue_count };
	struct fan_batch *one = &batch, *back;

	*first_bad = 0;
	if (shape.message == NULL)
		return FAN_CARD_ERROR_READ_MESSAGE;
	for (unsigned i = 0; i < batch.ue_count; i++)
		if (!read_ue(&batch, descriptor, i))
			return FAN_CARD_ERROR_READ_CONTEXT;
	record(&batch, false);
	FAN_REQUIRE(fake.reference->ops->submit_burst(fake.reference, &one, 1) == 1);
	FAN_REQUIRE(fake.reference->ops->poll_burst(fake.reference, &back, 1) == 1 && batch.status == FAN_BATCH_DONE);
	for (unsigned i = 0; i < ues; i++) {
		*first_bad = i;
		if (is_wrong(descriptor, trick, lane, batch.context[i]))
			batch.text[i][descriptor->text_bytes / 2] ^= 0x10;
		if (trick == FAN_FAKE_WRONG_PREFIX && descriptor->clear_bytes > 0)
			batch.text[i][-1] ^= 1;
		if (trick == FAN_FAKE_WRITE_PLAINTEXT)
			put_plaintext(&batch, i);
		if (trick == FAN_FAKE_WRITE_CONTEXT)
			write_context(descriptor, &batch, i);
		if (!write_pdu(descriptor, &batch, trick, i))
			return FAN_CARD_ERROR_WRITE_PDU;
	}
	fake.lane_ues[lane] += batch.ue_count;
	return FAN_CARD_ERROR_NONE;
}

static void
write_completion(struct queue *queue, const struct fan_completion *completion)
{
	const uint64_t at = queue->completions + queue->completed % queue->entries * sizeof(*completion);

	queue->completed++;
	if (!write_dma(at, completion, sizeof(*completion)))
		queue->fault = FAN_CARD_QUEUE_FAULT_WRITE_COMPLETION;
	fake.interrupts |= UINT32_C(1) << (queue - fake.queue);
	fake.error_batches += completion->error != 0;
}

static void
spoil(struct fan_completion *completion, const struct fan_descriptor *descriptor, enum fan_fake_trick trick)
{
	const uint8_t ues = (uint8_t)descriptor->ue_count;
	struct {
		uint8_t error, bad_ues, first_bad;
	} said = { completion->error, completion->bad_ues, completion->first_bad };

	switch (trick) {
	case FAN_FAKE_SERIAL:
		completion->serial += 7;
		break;
	case FAN_FAKE_COOKIE:
		completion->cookie = (uint16_t)((completion->cookie & 0xff00) | FAN_CARD_QUEUE_ENTRIES);
		break;
	case FAN_FAKE_STALE:
		completion->cookie = (uint16_t)(completion->cookie + 0x100);
		break;
	case FAN_FAKE_ERROR:
		said.error = FAN_CARD_ERROR_WRITE_PDU + 1;
		said.bad_ues = 1;
		break;
	case FAN_FAKE_BAD_UES_MANY:
		said.error = FAN_CARD_ERROR_WRITE_PDU;
		said.bad_ues = (uint8_t)(ues + 1);
		break;
	case FAN_FAKE_BAD_UES_WITHOUT_ERROR:
		said.bad_ues = 1;
		break;
	case FAN_FAKE_ERROR_WITHOUT_BAD_UES:
		said.error = FAN_CARD_ERROR_WRITE_PDU;
		break;
	case FAN_FAKE_REFUSED_IN_PART:
		said.error = FAN_CARD_ERROR_BAD_SHAPE;
		said.bad_ues = (uint8_t)(ues - 1);
		break;
	case FAN_FAKE_FIRST_BAD:
		said.error = FAN_CARD_ERROR_WRITE_PDU;
		said.bad_ues = 1;
		said.first_bad = ues;
		break;
	case FAN_FAKE_RESERVED:
		completion->reserved = 1;
		break;
	case FAN_FAKE_HEAD_AHEAD:
		completion->head = (uint16_t)(completion->head + 200);
		break;
	case FAN_FAKE_HEAD_STAYS:
		completion->head--;
		break;
	case FAN_FAKE_GARBAGE:
		memset(completion, 0x5a, sizeof(*completion));
		return;
	default:
		break;
	}
	completion->error = said.error;
	completion->bad_ues = said.bad_ues;
	completion->first_bad = said.first_bad;
}

/* The trick that is due with this batch. */
static enum fan_fake_trick
due(void)
{
	const enum fan_fake_trick trick = fake.behaviour.trick;

	if (fake.view.batches < fake.behaviour.trick_at)
		return FAN_FAKE_HONEST;
	if (!fake.behaviour.again)
		fake.behaviour.trick = FAN_FAKE_HONEST;
	return trick;
}

static void
serve(struct queue *queue, struct fan_descriptor *descriptor)
{
	const enum fan_fake_trick trick = due();
	const unsigned number = (unsigned)(queue - fake.queue);
	struct fan_completion completion = { .cookie = descriptor->cookie, .clocks = 500, .head = queue->head };
	unsigned first_bad = 0;

	fake.view.batches++;
	write_late();
	if (trick == FAN_FAKE_BUS_ERROR)
		descriptor->contexts = 0x40;
	if (trick == FAN_FAKE_REFUSE)
		descriptor->text_bytes = 0;
	completion.error = check(descriptor);
	if (completion.error == FAN_CARD_ERROR_NONE)
		completion.error = protect(number, descriptor, trick,
					   trick == FAN_FAKE_UNPLUG ? descriptor->ue_count / 2 : descriptor->ue_count,
					   &first_bad);
	completion.bad_ues = (uint8_t)(completion.error != 0 ? descriptor->ue_count - first_bad : 0);
	completion.first_bad = (uint8_t)(completion.error != 0 ? first_bad : 0);
	fake.gone = trick == FAN_FAKE_UNPLUG;
	fake.hung = trick == FAN_FAKE_HANG || trick == FAN_FAKE_STANDSTILL;
	fake.stands = trick == FAN_FAKE_STANDSTILL;
	if (fake.gone || fake.hung || trick == FAN_FAKE_LOSE)
		return;
	if (trick == FAN_FAKE_QUEUE_FAULT) {
		queue->fault = FAN_CARD_QUEUE_FAULT_READ_DESCRIPTOR;
		return;
	}
	completion.serial = ++queue->serial;
	spoil(&completion, descriptor, trick);
	/* True while more are posted: the card may have fetched ahead. */
	if (fake.behaviour.trick == FAN_FAKE_HEAD_FALLS)
		completion.head = (uint16_t)(completion.head + 2);
	write_completion(queue, &completion);
	if (trick == FAN_FAKE_TWICE) {
		completion.serial = ++queue->serial;
		write_completion(queue, &completion);
	}
}

static void
serve_queue(struct queue *queue)
{
	struct fan_descriptor descriptor;

	if (!fake.enabled || !queue->enabled || queue->fault != 0)
		return;
	if (queue->tail == queue->head) {
		if (queue->holds)
			serve(queue, &queue->held);
		queue->holds = false;
		return;
	}
	if ((uint16_t)(queue->tail - queue->head) > queue->entries) {
		queue->fault = FAN_CARD_QUEUE_FAULT_TAIL;
		return;
	}
	if (!read_dma(&descriptor, queue->descriptors + queue->head % queue->entries * sizeof(descriptor),
		      sizeof(descriptor))) {
		queue->fault = FAN_CARD_QUEUE_FAULT_READ_DESCRIPTOR;
		return;
	}
	queue->head++;
	if (fake.behaviour.shuffle && !queue->holds) {
		queue->held = descriptor;
		queue->holds = true;
		return;
	}
	serve(queue, &descriptor);
}

static void
fake_relax(struct fan_card_transport *transport)
{
	(void)transport;
	pthread_mutex_lock(&fake.lock);
	if (!fake.stands && !fake.behaviour.clock_stuck)
		fake.clocks += fake.behaviour.lazy ? CLOCKS_PER_LAZY_RELAX : CLOCKS_PER_RELAX;
	fake.relaxes++;
	if (!fake.gone && !fake.hung && !fake.view.isolated && (!fake.behaviour.lazy || fake.relaxes % 64 == 0))
		serve_queue(&fake.queue[fake.next_queue++ % QUEUES]);
	pthread_mutex_unlock(&fake.lock);
}

/* ---- Registers --------------------------------------------------------------------------------------------------------------- */

static uint32_t
or_else(uint32_t value, uint32_t usual)
{
	return value != 0 ? value : usual;
}

static void
do_reset(void)
{
	fake.enabled = fake.hung = fake.stands = false;
	for (unsigned i = 0; i < QUEUES; i++)
		fake.queue[i] = (struct queue){ .enabled = false };
	fake.clocks = fake.read_bytes = fake.written_bytes = 0;
	fake.error_batches = fake.bus_errors = 0;
	memset(fake.lane_ues, 0, sizeof(fake.lane_ues));
	fake.last_lane = FAN_CARD_LANES_MAX - 1;
	for (unsigned i = 0; i < MESSAGES_KEPT; i++)
		fake.message[i].number = 0;
}

static uint32_t
read_control(void)
{
	/* Off the bus it gets no answer to what it has asked, and waits. What it owed the bus it has written when the reset has ended, not
	 * before. */
	if (fake.reset_reads > 0 && !fake.behaviour.reset_hangs && !fake.view.isolated && --fake.reset_reads == 0)
		write_late();
	return (uint32_t)fake.enabled | (fake.reset_reads > 0 ? 2 : 0);
}

static uint32_t
read_queue(const struct queue *queue, uint32_t offset)
{
	switch (offset) {
	case FAN_CARD_QUEUE_STATUS:
		return (uint32_t)queue->fault << FAN_CARD_QUEUE_STATUS_FAULT_LSB;
	case FAN_CARD_QUEUE_HEAD:
		return queue->head;
	case FAN_CARD_QUEUE_COMPLETED:
		return queue->completed;
	default:
		return 0;
	}
}

static uint32_t
read_lane(unsigned lane, uint32_t offset)
{
	switch (offset) {
	case FAN_CARD_LANE_KIND:
		return lane_algorithm(lane) + fake.behaviour.lanes_contradict;
	case FAN_CARD_LANE_UES:
		return fake.lane_ues[lane];
	default:
		return 0;
	}
}

static uint32_t
read_register(uint32_t offset)
{
	if (offset >= FAN_CARD_QUEUE_BASE)
		return read_queue(&fake.queue[(offset - FAN_CARD_QUEUE_BASE) / FAN_CARD_QUEUE_STRIDE % QUEUES],
				  offset % FAN_CARD_QUEUE_STRIDE);
	if (offset >= FAN_CARD_LANE_BASE)
		return read_lane((offset - FAN_CARD_LANE_BASE) / FAN_CARD_LANE_STRIDE, offset % FAN_CARD_LANE_STRIDE);
	switch (offset) {
	case FAN_CARD_KIND:
		return or_else(fake.behaviour.kind, FAN_CARD_KIND_VALUE);
	case FAN_CARD_VERSION:
		return or_else(fake.behaviour.version, FAN_CARD_VERSION_MAJOR << 16);
	case FAN_CARD_BUILD:
		return build();
	case FAN_CARD_LIMITS:
		return or_else(fake.behaviour.limits, 64 << 16 | 1500);
	case FAN_CARD_CONTROL:
		return read_control();
	case FAN_CARD_STATUS:
		return fake.behaviour.never_ready ? 0 : 1;
	case FAN_CARD_SCRATCH:
		return fake.behaviour.scratch_stuck ? fake.scratch | 4 : fake.scratch;
	case FAN_CARD_INTERRUPT_STATUS:
		return fake.interrupts;
	case FAN_CARD_INTERRUPT_ENABLE:
		return fake.interrupts_enabled;
	case FAN_CARD_ERROR_BATCHES:
		return fake.error_batches;
	case FAN_CARD_BUS_ERRORS:
		return fake.bus_errors;
	case FAN_CARD_CLOCKS_LOW:
		fake.clocks_high_kept = (uint32_t)(fake.clocks >> 32);
		return (uint32_t)fake.clocks;
	case FAN_CARD_CLOCKS_HIGH:
		return fake.clocks_high_kept;
	case FAN_CARD_READ_BYTES_LOW:
		return (uint32_t)fake.read_bytes;
	case FAN_CARD_WRITTEN_BYTES_LOW:
		return (uint32_t)fake.written_bytes;
	default:
		return 0;
	}
}

static uint32_t
fake_mmio_read32(struct fan_card_transport *transport, uint32_t offset)
{
	uint32_t value = UINT32_MAX;

	(void)transport;
	FAN_REQUIRE(offset % 4 == 0 && offset < FAN_CARD_BYTES);
	pthread_mutex_lock(&fake.lock);
	if (!fake.gone)
		value = read_register(offset);
	pthread_mutex_unlock(&fake.lock);
	return value;
}

static void
set_half(uint64_t *address, unsigned shift, uint32_t value)
{
	*address = (*address & ~(UINT64_C(0xffffffff) << shift)) | (uint64_t)value << shift;
}

static void
write_queue(struct queue *queue, uint32_t offset, uint32_t value)
{
	switch (offset) {
	case FAN_CARD_QUEUE_CONTROL:
		if ((value & 1) != 0 && !queue->enabled) {
			queue->head = queue->tail = queue->completed = 0;
			queue->serial = 0;
			queue->fault = queue->descriptors % 64 != 0 || queue->completions % 64 != 0 ? FAN_CARD_QUEUE_FAULT_SIZE
												    : 0;
		}
		queue->enabled = value & 1;
		queue->entries = 1U << (value >> 8 & 0xf);
		break;
	case FAN_CARD_QUEUE_DESCRIPTORS_LOW:
		set_half(&queue->descriptors, 0, value);
		break;
	case FAN_CARD_QUEUE_DESCRIPTORS_HIGH:
		set_half(&queue->descriptors, 32, value);
		break;
	case FAN_CARD_QUEUE_COMPLETIONS_LOW:
		set_half(&queue->completions, 0, value);
		break;
	case FAN_CARD_QUEUE_COMPLETIONS_HIGH:
		set_half(&queue->completions, 32, value);
		break;
	case FAN_CARD_QUEUE_TAIL:
		if (queue->tail == queue->completed)
			fake.last_lane = FAN_CARD_LANES_MAX - 1; /* no lane has anything to do */
		queue->tail = (uint16_t)value;
		fake.view.doorbells++;
		break;
	default:
		break;
	}
}

static void
write_control(uint32_t value)
{
	fake.enabled = value & 1;
	if ((value & 6) == 0)
		return;
	if ((value & 4) != 0)
		fake.view.zeroised++;
	else
		fake.view.resets++;
	if (!fake.behaviour.reset_hangs)
		do_reset();
	fake.reset_reads = 5;
}

static void
fake_mmio_write32(struct fan_card_transport *transport, uint32_t offset, uint32_t value)
{
	(void)transport;
	FAN_REQUIRE(offset % 4 == 0 && offset < FAN_CARD_BYTES);
	pthread_mutex_lock(&fake.lock);
	if (fake.gone)
		;
	else if (offset >= FAN_CARD_QUEUE_BASE)
		write_queue(&fake.queue[(offset - FAN_CARD_QUEUE_BASE) / FAN_CARD_QUEUE_STRIDE % QUEUES],
			    offset % FAN_CARD_QUEUE_STRIDE, value);
	else if (offset == FAN_CARD_CONTROL)
		write_control(value);
	else if (offset == FAN_CARD_SCRATCH)
		fake.scratch = value;
	else if (offset == FAN_CARD_INTERRUPT_ENABLE)
		fake.interrupts_enabled = value;
	else if (offset == FAN_CARD_INTERRUPT_STATUS)
		fake.interrupts &= ~value;
	pthread_mutex_unlock(&fake.lock);
}

static int
fake_wait_irq(struct fan_card_transport *transport, unsigned vector, unsigned timeout_us)
{
	for (unsigned i = 0; i < timeout_us; i++) {
		if ((fake.interrupts & fake.interrupts_enabled & UINT32_C(1) << vector) != 0)
			return 1;
		fake_relax(transport);
	}
	return 0;
}

/* ---- Life ---------------------------------------------------------------------------------------------------------------------- */

static void
fake_isolate(struct fan_card_transport *transport)
{
	(void)transport;
	pthread_mutex_lock(&fake.lock);
	fake.view.isolated = true;
	pthread_mutex_unlock(&fake.lock);
}

static void
fake_close(struct fan_card_transport *transport)
{
	(void)transport;
	FAN_REQUIRE(fake.view.open && fake.region_count == 0);
	fake.reference->ops->close(fake.reference);
	fan_card_ranges_free(&fake.ranges);
	fake.view.open = false;
}

static const struct fan_card_transport_ops fake_ops = {
	.name = "fake",
	.mmio_read32 = fake_mmio_read32,
	.mmio_write32 = fake_mmio_write32,
	.dma_alloc = fake_dma_alloc,
	.dma_free = fake_dma_free,
	.dma_map = fake_dma_map,
	.dma_unmap = fake_dma_unmap,
	.wait_irq = fake_wait_irq,
	.relax = fake_relax,
	.isolate = fake_isolate,
	.close = fake_close,
};

static int
fake_open(struct fan_card_transport **transport, const char *where)
{
	(void)where;
	FAN_REQUIRE(!fake.view.open);
	FAN_REQUIRE(fan_engine_reference.open(&fake.reference, NULL) == 0);
	do_reset();
	fake.transport.ops = &fake_ops;
	fake.gone = false;
	fake.view.open = true;
	fake.view.isolated = false;
	fake.view.opens++;
	fake.next_iova = UINT64_C(0x700000000);
	*transport = &fake.transport;
	return 0;
}

void
fan_fake_install(const struct fan_fake_behaviour *behaviour)
{
	const struct fan_card_patience impatience = { .stall_clocks = 100000,
						      .stall_ms = 5,
						      .polls = 20,
						      .standstill_ms = 20,
						      .reset_ms = 20,
						      .recoveries = 8,
						      .proof_ms = 180000 };

	fake.behaviour = *behaviour;
	fake.view = (struct fan_fake_view){ .opens = 0 };
	fan_card_patience_set(&impatience);
	fan_card_opener_set(fake_open);
}

void
fan_fake_trick(enum fan_fake_trick trick, bool again)
{
	pthread_mutex_lock(&fake.lock);
	fake.behaviour.trick = trick;
	fake.behaviour.trick_at = fake.view.batches;
	fake.behaviour.again = again;
	pthread_mutex_unlock(&fake.lock);
}

void
fan_fake_begin(enum fan_fake_trick trick, unsigned trick_at, bool again)
{
	pthread_mutex_lock(&fake.lock);
	fake.behaviour.trick = trick;
	fake.behaviour.trick_at = trick_at;
	fake.behaviour.again = again;
	fake.view.batches = fake.view.doorbells = fake.view.messages_read = fake.view.record_count = 0;
	pthread_mutex_unlock(&fake.lock);
}

void
fan_fake_hang_resets(void)
{
	fake.behaviour.reset_hangs = true;
}

struct fan_fake_view
fan_fake_look(void)
{
	struct fan_fake_view view;

	pthread_mutex_lock(&fake.lock);
	view = fake.view;
	view.records = fake.records;
	for (unsigned i = 0; i < QUEUES; i++)
		view.queues_enabled += fake.queue[i].enabled;
	pthread_mutex_unlock(&fake.lock);
	return view;
}

struct fan_card_transport *
fan_fake_transport(void)
{
	return &fake.transport;
}
