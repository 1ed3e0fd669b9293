/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine on our card. A batch becomes one descriptor and as many work items; the message is handed over once and named by its
 * number afterwards; the card reads contexts and writes PDUs where they lie, if its transport can map memory and they lie in memory that
 * was announced (dataplane/context/memory.h), and else through copies in memory of the transport's.
 *
 * What a batch comes back as:
 *
 *	DONE       the card says that every PDU has been written, no mark stands where one should be (canary.h), neither end of a text is
 *	           plaintext, and if one of the PDUs was judged (claim.h) it was right
 *	UNTOUCHED  the card refused the descriptor: it says that it did nothing, so that no octet was made from these COUNTs. So does a
 *	           batch that was never handed over
 *	EXPOSED    the bus failed in the middle, or the card was reset with the batch under way, or what it said cannot be believed: PDUs
 *	           may have been made and written, and a card that is broken may have written them anywhere
 *
 * Whatever it comes back as, the packet's private head is gone unless it is DONE: whoever replays the batch writes its packets anew.
 *
 * A card that has not been proven (card_exam.h), because it was opened or reset just now, takes nothing; the instance that comes first
 * asks, in its queue, and the others wait. From time to time it is asked again, beside the traffic; if it had none for so long that this
 * is overdue, before it is given any.
 *
 * The card can write nothing but packets and completions: all that it is told lies in memory that it may only read.
 *
 * An instance takes a queue of the card when it is first given a batch: the control thread's, which is only asked, takes none.
 */
#include "engine_fpga.h"

#include "../dataplane/engine/reference/claim.h"
#include "canary.h"
#include "card_exam.h"
#include "card_figures.h"
#include "card_map.h"
#include "card_queue.h"

#include <rte_random.h>
#include <string.h>

#define PENDING_MAX FAN_CARD_QUEUE_ENTRIES
/* More than can be under way, so that there is always one to be replaced; and enough for the parts of several messages in turns. */
#define MESSAGES 32
#define MESSAGE_BYTES 1536
#define ITEMS_BYTES ((size_t)FAN_BATCH_UES_MAX * (FAN_ITEM_BYTES + FAN_HEAD_BLOCKS_MAX * FAN_ITEM_BLOCK_BYTES + 16))
/* A copied PDU: its text begins here, behind room for a MAC and a clear prefix. */
#define PDU_TEXT_AT 64
#define PDU_BYTES 1600
#define CONTEXTS_BYTES ((size_t)FAN_BATCH_UES_MAX * sizeof(struct fan_context))
#define PDUS_BYTES ((size_t)FAN_BATCH_UES_MAX * PDU_BYTES)

/* Looking for marks and plaintext takes 14 cycles a UE from cache, as many as putting marks. From memory 118 (160 octets), and 48 when it
 * has been asked for so many UEs before. */
#define FETCHED_AHEAD 8

static_assert(MESSAGES > PENDING_MAX, "a message that no batch under way uses");
static_assert(MESSAGE_BYTES >= FAN_PDU_BYTES_MAX && MESSAGE_BYTES % 64 == 0, "the card reads whole lines of 64");
static_assert((FAN_HEAD_BLOCKS_MAX * FAN_ITEM_BLOCK_BYTES + 16) % FAN_ITEM_GRANULE_BYTES == 0,
	      "three blocks fill two granules");
static_assert(ITEMS_BYTES % 64 == 0 && CONTEXTS_BYTES % 64 == 0, "aligned to 64");
static_assert(PDU_TEXT_AT >= FAN_CLEAR_BYTES_MAX + FAN_MAC_BYTES, "what stands before the text fits");
static_assert(PDU_TEXT_AT + FAN_PDU_BYTES_MAX + FAN_MAC_BYTES <= PDU_BYTES, "a PDU fits");
static_assert(PENDING_MAX <= FAN_FINISHED_DEPTH, "all that is under way can come back at once");
static_assert(sizeof(((struct fan_figure *)0)->name) == sizeof(((struct fan_card_figure *)0)->text), "names fit");
static_assert(FAN_CIPHER_THEN_MAC == 0 && FAN_MAC_THEN_CIPHER == 1 && FAN_CIPHER_ONLY == 2, "the card's numbers");

/* A message in memory that the card reads. Octets that were given a number keep it; the number is never given to others, since the card
 * may know it from the queue's last owner. */
struct message {
	uint32_t number;     /* 0: none is here, or it has none */
	uint32_t last_use;   /* for the choice of what is replaced */
	uint16_t text_bytes; /* 0: free */
	uint16_t users;      /* batches under way */
};

/* A batch under way; its index is its slot in the queue. */
struct pending {
	struct fan_batch *batch; /* NULL: free */
	struct message *message;
	bool contexts_copied, pdus_copied;
	bool question;   /* of the exam: nobody outside waits for it */
	bool distrusted; /* said to be done, and is not: the card may write it late, until its reset has ended */
	uint64_t canary; /* what its marks are made from */
};

struct fpga {
	struct fan_engine engine;
	struct fan_card *card;
	bool queue_open, queue_failed;
	struct fan_card_queue queue;
	struct fan_card_reach reach;
	struct fan_card_memory work;     /* items of each pending batch, then messages: the card reads them */
	struct fan_card_memory contexts; /* copies of each pending batch, made when first needed: the card reads them ... */
	struct fan_card_memory pdus;     /* ... and writes these */
	struct fan_finished finished;
	struct pending pending[PENDING_MAX];
	unsigned pending_count, distrusted_count;
	struct fan_card_exam exam;
	struct fan_sample sample;
	struct message message[MESSAGES];
	struct message *last_message;
	uint32_t message_uses;
};

static unsigned instances; /* open; R, W whoever opens and closes: atomic */

static struct fpga *
instance(struct fan_engine *engine)
{
	return (void *)engine;
}

/* What a lane must compute; -1 when no one lane can. 0: whatever it computes. */
static int
algorithm_of(const struct fan_shape *shape)
{
	const unsigned integrity = shape->sequence == FAN_CIPHER_ONLY ? 0 : shape->integrity;

	if (shape->cipher > FAN_ALGORITHM_MAX || integrity > FAN_ALGORITHM_MAX)
		return -1;
	if (shape->cipher != 0 && integrity != 0 && shape->cipher != integrity)
		return -1;
	return (int)(shape->cipher | integrity);
}

/* ---- Where things are in memory that the card reaches ---------------------------------------------------------------------- */

static size_t
items_at(unsigned slot)
{
	return slot * ITEMS_BYTES;
}

static size_t
message_at(const struct fpga *engine, const struct message *message)
{
	return PENDING_MAX * ITEMS_BYTES + (size_t)(message - engine->message) * MESSAGE_BYTES;
}

static size_t
contexts_at(unsigned slot)
{
	return slot * CONTEXTS_BYTES;
}

static size_t
pdu_at(unsigned slot, unsigned ue)
{
	return slot * PDUS_BYTES + (size_t)ue * PDU_BYTES + PDU_TEXT_AT;
}

static bool
have_memory(const struct fpga *engine, struct fan_card_memory *memory, size_t bytes, enum fan_memory_access access)
{
	return memory->memory != NULL || fan_card_memory_alloc(engine->card, memory, bytes, access) == 0;
}

/* ---- Messages ---------------------------------------------------------------------------------------------------------------- */

static bool
is(const struct fpga *engine, const struct message *message, const struct fan_shape *shape)
{
	return message->text_bytes == shape->text_bytes &&
	       memcmp(engine->work.memory + message_at(engine, message), shape->message, shape->text_bytes) == 0;
}

static struct message *
find_message(struct fpga *engine, const struct fan_shape *shape)
{
	if (engine->last_message != NULL && is(engine, engine->last_message, shape))
		return engine->last_message;
	for (unsigned i = 0; i < MESSAGES; i++)
		if (is(engine, &engine->message[i], shape))
			return &engine->message[i];
	return NULL;
}

/* Replaces the message whose last use is longest ago. Numbers end after 2^32: those who come later have none, and are read each time. */
static struct message *
put_message(struct fpga *engine, const struct fan_shape *shape)
{
	struct message *message = NULL;

	for (unsigned i = 0; i < MESSAGES; i++) {
		struct message *other = &engine->message[i];

		if (other->users == 0 && (message == NULL || (int32_t)(other->last_use - message->last_use) < 0))
			message = other;
	}
	FAN_REQUIRE(message != NULL);
	memcpy(engine->work.memory + message_at(engine, message), shape->message, shape->text_bytes);
	message->text_bytes = shape->text_bytes;
	message->number = fan_card_message_number(engine->card);
	return message;
}

static struct message *
use_message(struct fpga *engine, const struct fan_shape *shape)
{
	struct message *message = find_message(engine, shape);

	if (message == NULL)
		message = put_message(engine, shape);
	message->last_use = ++engine->message_uses;
	message->users++;
	return engine->last_message = message;
}

/* ---- Batches to the card ------------------------------------------------------------------------------------------------------- */

static unsigned
lead_bytes(const struct fan_shape *shape)
{
	return shape->sequence == FAN_CIPHER_THEN_MAC ? (unsigned)shape->clear_bytes + FAN_MAC_BYTES : 0;
}

/* Blocks that the head really has: a short text ends before the last. */
static unsigned
head_blocks(const struct fan_shape *shape)
{
	return (fan_shape_head_bytes(shape) + FAN_ITEM_BLOCK_BYTES - 1) / FAN_ITEM_BLOCK_BYTES;
}

static size_t
item_bytes(const struct fan_shape *shape)
{
	const size_t bytes = FAN_ITEM_BYTES + (size_t)head_blocks(shape) * FAN_ITEM_BLOCK_BYTES;

	return (bytes + FAN_ITEM_GRANULE_BYTES - 1) / FAN_ITEM_GRANULE_BYTES * FAN_ITEM_GRANULE_BYTES;
}

/* Where the card finds the batch. */
struct placement {
	uint64_t contexts; /* what context numbers count from */
	uint64_t context[FAN_BATCH_UES_MAX];
	uint64_t pdu[FAN_BATCH_UES_MAX];
};

/* Contexts where they lie: all of them, or none. */
static bool
place_contexts(struct fpga *engine, struct placement *placement, const struct fan_batch *batch)
{
	placement->contexts = UINT64_MAX;
	for (unsigned i = 0; i < batch->ue_count; i++) {
		if (!fan_card_reach_find(&engine->reach, &placement->context[i], batch->context[i], sizeof(struct fan_context),
					 FAN_MEMORY_READ) ||
		    placement->context[i] % sizeof(struct fan_context) != 0)
			return false;
		if (placement->context[i] < placement->contexts)
			placement->contexts = placement->context[i];
	}
	for (unsigned i = 0; i < batch->ue_count; i++)
		if ((placement->context[i] - placement->contexts) / sizeof(struct fan_context) > UINT32_MAX)
			return false;
	return true;
}

static bool
copy_contexts(struct fpga *engine, struct placement *placement, unsigned slot, const struct fan_batch *batch)
{
	if (!have_memory(engine, &engine->contexts, PENDING_MAX * CONTEXTS_BYTES, FAN_MEMORY_READ))
		return false;
	placement->contexts = engine->contexts.iova + contexts_at(slot);
	for (unsigned i = 0; i < batch->ue_count; i++) {
		const size_t at = contexts_at(slot) + i * sizeof(struct fan_context);

		memcpy(engine->contexts.memory + at, batch->context[i], sizeof(struct fan_context));
		placement->context[i] = engine->contexts.iova + at;
	}
	return true;
}

static bool
place_pdus(struct fpga *engine, struct placement *placement, const struct fan_batch *batch)
{
	const unsigned lead = lead_bytes(batch->shape),
		       all = lead + batch->shape->text_bytes + fan_shape_trailer_bytes(batch->shape);

	for (unsigned i = 0; i < batch->ue_count; i++) {
		if (!fan_card_reach_find(&engine->reach, &placement->pdu[i], batch->text[i] - lead, all, FAN_MEMORY_WRITE))
			return false;
		placement->pdu[i] += lead;
	}
	return true;
}

static bool
place_copied_pdus(struct fpga *engine, struct placement *placement, unsigned slot, const struct fan_batch *batch)
{
	if (!have_memory(engine, &engine->pdus, PENDING_MAX * PDUS_BYTES, FAN_MEMORY_WRITE))
		return false;
	for (unsigned i = 0; i < batch->ue_count; i++)
		placement->pdu[i] = engine->pdus.iova + pdu_at(slot, i);
	return true;
}

static bool
place(struct fpga *engine, struct placement *placement, unsigned slot, const struct fan_batch *batch)
{
	struct pending *pending = &engine->pending[slot];

	pending->contexts_copied = !place_contexts(engine, placement, batch);
	pending->pdus_copied = !place_pdus(engine, placement, batch);
	fan_card_count_copies(engine->card, pending->contexts_copied ? batch->ue_count : 0,
			      pending->pdus_copied ? batch->ue_count : 0);
	return (!pending->contexts_copied || copy_contexts(engine, placement, slot, batch)) &&
	       (!pending->pdus_copied || place_copied_pdus(engine, placement, slot, batch));
}

static void
write_item(uint8_t *octets, const struct fan_batch *batch, const struct placement *placement, unsigned ue)
{
	const struct fan_shape *shape = batch->shape;
	const unsigned clear_bytes = shape->clear_bytes, head = fan_shape_head_bytes(shape);
	struct fan_item *item = (void *)octets;

	item->pdu = placement->pdu[ue];
	item->count = batch->count[ue];
	item->context_number = (uint32_t)((placement->context[ue] - placement->contexts) / sizeof(struct fan_context));
	memset(item->clear, 0, sizeof(item->clear));
	memcpy(item->clear, batch->text[ue] - clear_bytes, clear_bytes);
	memcpy(item->head, batch->text[ue], head);
	memset(item->head + head, 0, item_bytes(shape) - FAN_ITEM_BYTES - head);
}

/* Where the card writes the PDU of a UE: in the packet, or in a copy. */
static uint8_t *
written_text(const struct fpga *engine, unsigned slot, unsigned ue)
{
	const struct pending *pending = &engine->pending[slot];

	return pending->pdus_copied ? engine->pdus.memory + pdu_at(slot, ue) : pending->batch->text[ue];
}

static void
put_marks(struct fpga *engine, unsigned slot)
{
	struct pending *pending = &engine->pending[slot];

	pending->canary = rte_rand();
	for (unsigned i = 0; i < pending->batch->ue_count; i++) {
		const struct fan_canary canary = fan_canary_make(pending->canary, i);

		fan_canary_put(&canary, pending->batch->shape, written_text(engine, slot, i));
	}
}

static void
post(struct fpga *engine, unsigned slot, const struct placement *placement)
{
	const struct pending *pending = &engine->pending[slot];
	const struct fan_batch *batch = pending->batch;
	const struct fan_shape *shape = batch->shape;
	const size_t bytes = item_bytes(shape);
	const struct fan_descriptor descriptor = {
		.message = engine->work.iova + message_at(engine, pending->message),
		.items = engine->work.iova + items_at(slot),
		.contexts = placement->contexts,
		.message_number = pending->message->number,
		.ue_count = batch->ue_count,
		.text_bytes = shape->text_bytes,
		.clear_bytes = shape->clear_bytes,
		.head_blocks = (uint8_t)head_blocks(shape),
		.cipher = shape->cipher,
		.integrity = shape->sequence == FAN_CIPHER_ONLY ? 0 : shape->integrity,
		.sequence = shape->sequence,
		.operation = FAN_DESCRIPTOR_PROTECT,
	};

	for (unsigned i = 0; i < batch->ue_count; i++)
		write_item(engine->work.memory + items_at(slot) + i * bytes, batch, placement, i);
	put_marks(engine, slot);
	fan_card_queue_post(&engine->queue, slot, &descriptor);
}

/* ---- Batches from the card ------------------------------------------------------------------------------------------------------ */

static void
give_back(struct fpga *engine, struct fan_batch *batch, enum fan_batch_status status)
{
	batch->status = (uint16_t)status;
	fan_finished_put(&engine->finished, batch);
}

static void
copy_pdus(const struct fpga *engine, unsigned slot)
{
	const struct fan_batch *batch = engine->pending[slot].batch;
	const struct fan_shape *shape = batch->shape;
	const unsigned lead = lead_bytes(shape);

	for (unsigned i = 0; i < batch->ue_count; i++) {
		const uint8_t *text = engine->pdus.memory + pdu_at(slot, i);

		memcpy(batch->text[i], text, shape->text_bytes + fan_shape_trailer_bytes(shape));
		/* The clear prefix stands in the packet already. */
		if (lead > 0)
			memcpy(batch->text[i] - lead, text - lead, FAN_MAC_BYTES);
	}
}

/* What the card says of a PDU that it has written. The work item still has what it was made from. */
static struct fan_claim
claim_of(const struct fpga *engine, unsigned slot, unsigned ue)
{
	const struct fan_batch *batch = engine->pending[slot].batch;
	const struct fan_shape *shape = batch->shape;
	const struct fan_item *item = (const void *)(engine->work.memory + items_at(slot) + ue * item_bytes(shape));
	const uint8_t *text = written_text(engine, slot, ue);

	return (struct fan_claim){
		.shape = shape,
		.context = batch->context[ue],
		.count = batch->count[ue],
		.clear = item->clear,
		.head = item->head,
		.text = text,
		.mac = text - lead_bytes(shape),
	};
}

/* Whether the PDU is as it should be, together with the clear prefix, which the card writes too. */
static bool
is_right(const struct fpga *engine, unsigned slot, unsigned ue)
{
	const struct fan_claim claim = claim_of(engine, slot, ue);
	const unsigned clear_bytes = claim.shape->clear_bytes;

	return memcmp(engine->pending[slot].batch->text[ue] - clear_bytes, claim.clear, clear_bytes) == 0 &&
	       fan_claim_is_right(&claim);
}

/* Of a PDU in which a mark stands, or whose text is plaintext, by chance, that is not said. */
static bool
all_written(const struct fpga *engine, unsigned slot)
{
	const struct pending *pending = &engine->pending[slot];
	const struct fan_shape *shape = pending->batch->shape;

	for (unsigned i = 0; i < pending->batch->ue_count; i++) {
		const struct fan_canary canary = fan_canary_make(pending->canary, i);
		const struct fan_claim claim = claim_of(engine, slot, i);

		if (i + FETCHED_AHEAD < pending->batch->ue_count)
			fan_canary_fetch(shape, written_text(engine, slot, i + FETCHED_AHEAD));
		if ((fan_canary_stands(&canary, shape, claim.text) || fan_claim_is_plaintext(&claim)) &&
		    !is_right(engine, slot, i))
			return false;
	}
	return true;
}

/* Whether the batch may be believed: of one now and then the PDU of a UE at random is judged. A wrong one takes the lanes along that may
 * have made it. */
static bool
is_believed(struct fpga *engine, unsigned slot)
{
	const struct fan_batch *batch = engine->pending[slot].batch;
	const int ue = fan_sample_take(&engine->sample, batch->shape, batch->ue_count);
	char shape[FAN_SHAPE_NAME_BYTES], why[FAN_SHAPE_NAME_BYTES + 64];

	if (ue < 0 || is_right(engine, slot, (unsigned)ue))
		return true;
	fan_shape_name(batch->shape, shape);
	snprintf(why, sizeof(why), "%s: the PDU of a UE in service is wrong", shape);
	fan_card_lanes_lose(engine->card, fan_card_lanes(engine->card, (unsigned)algorithm_of(batch->shape)), 0, why);
	return false;
}

/* What is to be thought of a batch that the card says is done and that was written. Lanes that have gone out of service since it was
 * posted may have made it. */
static enum fan_batch_status
judge(struct fpga *engine, unsigned slot, const struct fan_completion *completion)
{
	const struct pending *pending = &engine->pending[slot];

	if (pending->question)
		return FAN_BATCH_DONE;
	if (!fan_card_serves(engine->card, (unsigned)algorithm_of(pending->batch->shape)) || !is_believed(engine, slot))
		return FAN_BATCH_EXPOSED;
	fan_card_count_batch(engine->card, pending->batch->ue_count, completion->clocks);
	return FAN_BATCH_DONE;
}

static void
land(struct fpga *engine, unsigned slot, enum fan_batch_status status)
{
	struct pending *pending = &engine->pending[slot];
	struct fan_batch *batch = pending->batch;

	if (pending->pdus_copied && status == FAN_BATCH_DONE)
		copy_pdus(engine, slot);
	if (pending->contexts_copied)
		explicit_bzero(engine->contexts.memory + contexts_at(slot), batch->ue_count * sizeof(struct fan_context));
	pending->message->users--;
	pending->batch = NULL;
	engine->pending_count--;
	if (pending->question) {
		batch->status = (uint16_t)status;
		fan_card_exam_back(&engine->exam);
	} else {
		give_back(engine, batch, status);
	}
}

/* See the head of this file. */
static enum fan_batch_status
status_of(struct fpga *engine, unsigned slot, const struct fan_completion *completion)
{
	switch (completion->error) {
	case FAN_CARD_ERROR_NONE:
		return judge(engine, slot, completion);
	case FAN_CARD_ERROR_BAD_DESCRIPTOR:
	case FAN_CARD_ERROR_BAD_SHAPE:
	case FAN_CARD_ERROR_UNSUPPORTED:
	case FAN_CARD_ERROR_BAD_ADDRESS:
		return FAN_BATCH_UNTOUCHED;
	default:
		return FAN_BATCH_EXPOSED;
	}
}

static void
land_all(struct fpga *engine)
{
	for (unsigned i = 0; i < PENDING_MAX; i++)
		if (engine->pending[i].batch != NULL && !engine->pending[i].distrusted)
			land(engine, i, FAN_BATCH_EXPOSED);
}

/* Nobody may write to the packets before the card's reset has ended: neither may the worker. */
static void
distrust(struct fpga *engine, unsigned slot)
{
	engine->pending[slot].distrusted = true;
	engine->distrusted_count++;
	fan_card_fail(engine->card, engine->queue.epoch, FAN_CARD_FAULT_UNTOUCHED);
}

/* Gives back what was distrusted, once nothing of it can be written any more. */
static void
land_distrusted(struct fpga *engine)
{
	fan_card_step(engine->card);
	if (engine->queue.epoch == fan_card_epoch(engine->card))
		return;
	for (unsigned i = 0; i < PENDING_MAX; i++) {
		if (engine->pending[i].batch == NULL || !engine->pending[i].distrusted)
			continue;
		engine->distrusted_count--;
		land(engine, i, FAN_BATCH_EXPOSED);
	}
}

static void
land_completed(struct fpga *engine, unsigned slot, const struct fan_completion *completion)
{
	if (completion->error == FAN_CARD_ERROR_NONE && !all_written(engine, slot))
		distrust(engine, slot);
	else
		land(engine, slot, status_of(engine, slot, completion));
}

static void
poll_card(struct fpga *engine)
{
	struct fan_completion completion;
	enum fan_card_event event = FAN_CARD_COMPLETED;
	unsigned slot;

	while (engine->pending_count > 0 && event != FAN_CARD_NOTHING) {
		event = fan_card_queue_poll(&engine->queue, &slot, &completion);
		if (event == FAN_CARD_COMPLETED)
			land_completed(engine, slot, &completion);
		else if (event == FAN_CARD_LOST)
			land_all(engine);
	}
	if (engine->distrusted_count > 0)
		land_distrusted(engine);
}

/* ---- Submitting --------------------------------------------------------------------------------------------------------------- */

static bool
takes(const struct fan_engine *base, const struct fan_shape *shape)
{
	const struct fpga *engine = (const void *)base;
	const struct fan_card_build *build = fan_card_build_get(engine->card);
	const char *where = fan_card_where(engine->card);
	const int algorithm = algorithm_of(shape);

	if (fan_card_dead(engine->card)) {
		fan_error_record("fpga: card %s is out of service", where);
		return false;
	}
	if (!fan_shape_check(shape) || (unsigned)shape->text_bytes + shape->clear_bytes > build->pdu_bytes_max) {
		fan_error_record("fpga: card %s takes no such shape: %u octets of text behind a clear prefix of %u", where,
				 shape->text_bytes, shape->clear_bytes);
		return false;
	}
	if (algorithm < 0) {
		fan_error_record("fpga: a lane computes one algorithm, not cipher %u with integrity %u", shape->cipher,
				 shape->integrity);
		return false;
	}
	if (build->lanes_of[algorithm] == 0) {
		fan_error_record("fpga: card %s has no %s lane; build one with it, or name engine ipsec-mb too", where,
				 fan_card_algorithm_name((unsigned)algorithm));
		return false;
	}
	if (!fan_card_serves(engine->card, (unsigned)algorithm)) {
		fan_error_record("fpga: a lane of card %s that computes %s answered wrongly and is out of service", where,
				 fan_card_algorithm_name((unsigned)algorithm));
		return false;
	}
	return true;
}

/* Out: whether there is a queue now, with its memory. */
static int
open_queue(struct fpga *engine)
{
	int error = fan_card_memory_alloc(engine->card, &engine->work,
					  PENDING_MAX * ITEMS_BYTES + (size_t)MESSAGES * MESSAGE_BYTES, FAN_MEMORY_READ);

	if (error == 0)
		error = fan_card_exam_init(&engine->exam, engine->card);
	if (error == 0)
		error = fan_card_queue_open(&engine->queue, engine->card);
	engine->queue_open = error == 0;
	return error;
}

/* Claimed when the first batch comes. Afterwards it is there, or it never will be. */
static bool
have_queue(struct fpga *engine)
{
	if (!engine->queue_open && !engine->queue_failed)
		engine->queue_failed = open_queue(engine) != 0;
	return engine->queue_open;
}

static void
hand_over(struct fpga *engine, struct fan_batch *batch, unsigned slot, const struct placement *placement, bool question)
{
	struct pending *pending = &engine->pending[slot];

	batch->status = FAN_BATCH_PENDING;
	pending->batch = batch;
	pending->question = question;
	pending->distrusted = false;
	pending->message = use_message(engine, batch->shape);
	engine->pending_count++;
	post(engine, slot, placement);
}

/* Whether a batch was taken: handed over, or given back at once because nothing can come of it here. */
static bool
take(struct fpga *engine, struct fan_batch *batch)
{
	struct placement placement;
	unsigned slot;

	if (fan_finished_room(&engine->finished) <= engine->pending_count)
		return false;
	if (!takes(&engine->engine, batch->shape) || batch->ue_count == 0 || batch->ue_count > FAN_BATCH_UES_MAX ||
	    !have_queue(engine)) {
		give_back(engine, batch, FAN_BATCH_UNTOUCHED);
		return true;
	}
	if (engine->distrusted_count > 0 || !fan_card_queue_ready(&engine->queue) || !fan_card_trusted(engine->card) ||
	    !fan_card_queue_slot(&engine->queue, &slot))
		return false;
	if (!place(engine, &placement, slot, batch)) {
		give_back(engine, batch, FAN_BATCH_UNTOUCHED);
		return true;
	}
	hand_over(engine, batch, slot, &placement, false);
	return true;
}

/* ---- Questions ------------------------------------------------------------------------------------------------------------------- */

/* The exam's batch is in memory that the card reaches. */
static void
place_question(const struct fpga *engine, struct placement *placement, const struct fan_batch *batch)
{
	const struct fan_card_memory *contexts = &engine->exam.contexts, *packets = &engine->exam.packets;

	placement->contexts = contexts->iova;
	for (unsigned i = 0; i < batch->ue_count; i++) {
		placement->context[i] = contexts->iova + (uint64_t)((const uint8_t *)batch->context[i] - contexts->memory);
		placement->pdu[i] = packets->iova + (uint64_t)(batch->text[i] - packets->memory);
	}
}

static bool
post_question(struct fpga *engine, struct fan_batch *batch)
{
	struct placement placement = { .contexts = 0 };
	unsigned slot;

	if (engine->distrusted_count > 0 || !fan_card_queue_ready(&engine->queue) ||
	    !fan_card_queue_slot(&engine->queue, &slot))
		return false;
	engine->pending[slot].contexts_copied = engine->pending[slot].pdus_copied = false;
	place_question(engine, &placement, batch);
	hand_over(engine, batch, slot, &placement, true);
	return true;
}

/* A turn of the exam, if one is going on or it is time for one: some microseconds. */
static void
step_exam(struct fpga *engine)
{
	struct fan_batch *batch;

	if (!engine->exam.going && (!fan_card_proof_due(engine->card) || !fan_card_exam_begin(&engine->exam, false)))
		return;
	while ((batch = fan_card_exam_next(&engine->exam)) != NULL && post_question(engine, batch))
		fan_card_exam_posted(&engine->exam);
	fan_card_queue_doorbell(&engine->queue);
	fan_card_exam_step(&engine->exam);
}

static uint16_t
submit_burst(struct fan_engine *base, struct fan_batch *const *batches, uint16_t batch_count)
{
	struct fpga *engine = instance(base);
	uint16_t taken = 0;

	fan_card_reach_renew(&engine->reach);
	while (taken < batch_count && take(engine, batches[taken]))
		taken++;
	if (engine->queue_open) {
		fan_card_queue_doorbell(&engine->queue);
		/* Who only submits until something is taken must get through a proof, too. */
		if (taken == 0) {
			poll_card(engine);
			step_exam(engine);
		}
	}
	return taken;
}

static uint16_t
poll_burst(struct fan_engine *base, struct fan_batch **batches, uint16_t batch_max)
{
	struct fpga *engine = instance(base);

	poll_card(engine);
	if (engine->queue_open)
		step_exam(engine);
	return fan_finished_take_burst(&engine->finished, batches, batch_max);
}

/* ---- Figures --------------------------------------------------------------------------------------------------------------------- */

struct shown {
	struct fan_figure *figure;
	unsigned count, max;
	bool simulated;
};

static void
show(void *user, const struct fan_card_figure *figure)
{
	struct shown *shown = user;

	if (figure->text[0] == '\0' || shown->count == shown->max)
		return;
	shown->figure[shown->count] = (struct fan_figure){ .unit = figure->unit, .value = figure->value };
	shown->figure[shown->count].simulated = shown->simulated;
	memcpy(shown->figure[shown->count++].name, figure->text, sizeof(figure->text));
}

static unsigned
figures(const struct fan_engine *base, struct fan_figure *out, unsigned figure_max)
{
	struct fan_card *card = ((const struct fpga *)(const void *)base)->card;
	struct shown shown = { out, 0, figure_max, fan_card_simulated(card) };

	fan_card_figures_each(card, show, &shown);
	return shown.count;
}

/* ---- Life ------------------------------------------------------------------------------------------------------------------------ */

/* Questions may be under way, but nobody's batches. */
static void
close_queue(struct fpga *engine)
{
	while (engine->pending_count > 0)
		poll_card(engine);
	FAN_REQUIRE(engine->finished.count == 0);
	if (engine->queue_open)
		fan_card_queue_close(&engine->queue);
	engine->queue_open = false;
	fan_card_exam_free(&engine->exam);
	fan_card_memory_free(engine->card, &engine->work);
	memset(engine->message, 0, sizeof(engine->message));
	engine->last_message = NULL;
}

static void
end(struct fpga *engine)
{
	close_queue(engine);
	fan_card_memory_free(engine->card, &engine->contexts);
	fan_card_memory_free(engine->card, &engine->pdus);
	fan_card_close(engine->card);
	__atomic_fetch_sub(&instances, 1, __ATOMIC_RELAXED);
	explicit_bzero(engine, sizeof(*engine));
	free(engine);
}

static void
close_engine(struct fan_engine *base)
{
	end(instance(base));
}

/* Said when the engine is opened rather than when a worker's first batch comes: one queue for each instance but the control thread's. */
static int
check_queues(const struct fan_card *card)
{
	const unsigned queues = fan_card_build_get(card)->queue_count,
		       now = __atomic_add_fetch(&instances, 1, __ATOMIC_RELAXED);

	if (now <= queues + 1)
		return 0;
	__atomic_fetch_sub(&instances, 1, __ATOMIC_RELAXED);
	return fan_fail(FAN_E_UNSUPPORTED, "fpga: card %s has %u queues, one per worker: use fewer workers",
			fan_card_where(card), queues);
}

int
fan_engine_fpga_examine(struct fan_engine *base)
{
	struct fpga *engine = instance(base);
	struct fan_card *card = engine->card;
	const char *where = fan_card_where(card);
	int error = engine->queue_open ? 0 : open_queue(engine);

	if (error != 0)
		return error;
	if (fan_card_dead(card))
		return fan_fail(FAN_E_IO, "fpga: card %s is out of service", where);
	if (!fan_card_exam_begin(&engine->exam, true))
		return fan_fail(FAN_E_BUSY, "fpga: card %s is being asked by somebody else, or reset", where);
	while (engine->exam.going) {
		poll_card(engine);
		step_exam(engine);
	}
	if (fan_card_proven(card) && fan_card_lanes_in_service(card))
		return 0;
	return fan_fail(FAN_E_IO, "fpga: card %s does not answer known questions rightly", where);
}

/* One that fails is out of service, and the engine takes nothing: the next engine serves. Waits until the card is proven, asking it unless somebody else does. */
static int
prove(struct fpga *engine)
{
	struct fan_card *card = engine->card;
	int error = fan_card_proven(card) || fan_card_dead(card) ? 0 : open_queue(engine);

	/* Those who have all the queues ask. */
	if (error == FAN_E_UNSUPPORTED) {
		close_queue(engine);
		return 0;
	}
	while (error == 0 && !fan_card_proven(card) && !fan_card_dead(card)) {
		poll_card(engine);
		(void)fan_card_queue_ready(&engine->queue);
		step_exam(engine);
	}
	if (engine->queue_open && fan_card_dead(card))
		fan_outage_say("card %s is out of service: it does not answer known questions rightly", fan_card_where(card));
	close_queue(engine);
	return error;
}

static int
open_engine(struct fan_engine **out, const char *where)
{
	struct fpga *engine = calloc(1, sizeof(*engine));
	int error;

	if (engine == NULL)
		return fan_fail(FAN_E_MEMORY, "fpga: no memory for an engine");
	error = fan_card_open(&engine->card, where);
	if (error == 0)
		error = check_queues(engine->card);
	if (error != 0) {
		fan_card_close(engine->card);
		free(engine);
		return error;
	}
	engine->engine.ops = &fan_engine_fpga;
	fan_card_reach_init(&engine->reach, fan_card_maps_get(engine->card));
	error = fan_sample_init(&engine->sample);
	if (error == 0)
		error = prove(engine);
	if (error != 0) {
		end(engine);
		return error;
	}
	*out = &engine->engine;
	return 0;
}

const struct fan_engine_ops fan_engine_fpga = {
	.name = "fpga",
	.description = "the RTL of hw/ on a card, or its model; fpga:WHERE as --card takes it",
	.has_devices = true,
	.open = open_engine,
	.close = close_engine,
	.takes = takes,
	.submit_burst = submit_burst,
	.poll_burst = poll_burst,
	.figures = figures,
};
