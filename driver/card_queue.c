/* SPDX-License-Identifier: BSD-3-Clause */
#include "card_queue.h"

#include "card_registers.h"

#include <rte_atomic.h>
#include <rte_cycles.h>
#include <string.h>

#define ENTRIES FAN_CARD_QUEUE_ENTRIES
#define COOKIE_SLOT_MASK 0xff
#define COOKIE_GENERATION 0x100
/* Registers are looked at no more often than this while a batch is awaited: a read of a card takes about a microsecond. */
#define LOOKS_PER_SECOND 1000

static_assert(ENTRIES <= COOKIE_SLOT_MASK, "a slot fits into its part of a cookie");

static bool
same_life(const struct fan_card_queue *queue)
{
	return queue->armed && queue->epoch == fan_card_epoch(queue->card);
}

static void
forget(struct fan_card_queue *queue)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		queue->slot[i].under_way = false;
	queue->under_way = 0;
	queue->armed = false;
}

/* Begins anew, with nothing under way. Nothing happens while the card is being reset, or when it is dead. */
static void
arm(struct fan_card_queue *queue)
{
	fan_card_lock(queue->card);
	if (fan_card_working(queue->card)) {
		memset(queue->descriptor_ring.memory, 0, queue->descriptor_ring.bytes);
		memset(queue->completion_ring.memory, 0, queue->completion_ring.bytes);
		memset(queue->serial_in, 0, sizeof(queue->serial_in));
		queue->tail = queue->rung = queue->taken = queue->head = 0;
		queue->serial = 1;
		queue->epoch = fan_card_epoch(queue->card);
		queue->armed = true;
		queue->interrupts = false;
		fan_register_queue_start(queue->transport, queue->index, FAN_CARD_QUEUE_ENTRIES_LOG2,
					 queue->descriptor_ring.iova, queue->completion_ring.iova);
	}
	fan_card_unlock(queue->card);
}

int
fan_card_queue_open(struct fan_card_queue *queue, struct fan_card *card)
{
	int error;

	memset(queue, 0, sizeof(*queue));
	error = fan_card_queue_claim(card, &queue->index, &queue->transport);
	if (error != 0)
		return error;
	error = fan_card_memory_alloc(card, &queue->descriptor_ring, ENTRIES * FAN_DESCRIPTOR_BYTES, FAN_MEMORY_READ);
	if (error == 0)
		error = fan_card_memory_alloc(card, &queue->completion_ring, ENTRIES * FAN_COMPLETION_BYTES, FAN_MEMORY_WRITE);
	if (error != 0) {
		fan_card_memory_free(card, &queue->descriptor_ring);
		fan_card_queue_release(card, queue->index);
		return error;
	}
	queue->card = card;
	queue->descriptors = (void *)queue->descriptor_ring.memory;
	queue->completions = (void *)queue->completion_ring.memory;
	for (unsigned i = 0; i < ENTRIES; i++)
		queue->slot[i].cookie = (uint16_t)i;
	arm(queue);
	return 0;
}

void
fan_card_queue_close(struct fan_card_queue *queue)
{
	if (queue->card == NULL)
		return;
	FAN_REQUIRE(queue->under_way == 0);
	fan_card_lock(queue->card);
	if (fan_card_working(queue->card))
		fan_register_queue_stop(queue->transport, queue->index);
	fan_card_unlock(queue->card);
	fan_card_memory_free(queue->card, &queue->descriptor_ring);
	fan_card_memory_free(queue->card, &queue->completion_ring);
	fan_card_queue_release(queue->card, queue->index);
	queue->card = NULL;
}

bool
fan_card_queue_ready(struct fan_card_queue *queue)
{
	fan_card_step(queue->card);
	if (!same_life(queue) && queue->under_way == 0)
		arm(queue);
	return same_life(queue) && fan_card_working(queue->card);
}

bool
fan_card_queue_slot(const struct fan_card_queue *queue, unsigned *slot)
{
	unsigned i = 0;

	while (i < ENTRIES && queue->slot[i].under_way)
		i++;
	*slot = i;
	return i < ENTRIES;
}

static void
begin_watch(struct fan_card_queue *queue)
{
	queue->watch = (struct fan_card_watch){ .begin_tsc = rte_rdtsc() };
	queue->watch.look_tsc = queue->watch.moved_tsc = queue->watch.begin_tsc;
}

/* An entry is free when a slot is: of the last ENTRIES descriptors at least one has ended then, so the card, which fetches them in
 * order, has fetched the one before them. */
void
fan_card_queue_post(struct fan_card_queue *queue, unsigned index, const struct fan_descriptor *descriptor)
{
	struct fan_card_slot *slot = &queue->slot[index];
	struct fan_descriptor *entry = &queue->descriptors[queue->tail % ENTRIES];

	slot->cookie = (uint16_t)(slot->cookie + COOKIE_GENERATION);
	slot->ue_count = descriptor->ue_count;
	slot->posted = queue->posts++;
	slot->under_way = true;
	*entry = *descriptor;
	entry->cookie = slot->cookie;
	queue->tail++;
	if (queue->under_way++ == 0) {
		queue->oldest = slot->posted;
		begin_watch(queue);
	}
}

void
fan_card_queue_doorbell(struct fan_card_queue *queue)
{
	if (queue->rung == queue->tail)
		return;
	fan_register_queue_doorbell(queue->transport, queue->index, queue->tail);
	queue->rung = queue->tail;
}

/* ---- Completions ----------------------------------------------------------------------------------------------------------- */

static uint32_t
serial_after(uint32_t serial)
{
	return serial == UINT32_MAX ? 1 : serial + 1;
}

/* `head` may be no less than the last, since the card only fetches; no less than the completions; no more than was posted. */
static bool
head_possible(const struct fan_card_queue *queue, uint16_t head)
{
	const uint16_t posted = (uint16_t)(queue->rung - queue->taken), fetched = (uint16_t)(head - queue->taken);
	const uint16_t before = (uint16_t)(queue->head - queue->taken);

	return fetched >= 1 && fetched >= before && fetched <= posted;
}

/* The serial number is right. */
static enum fan_card_fault
judge(const struct fan_card_queue *queue, const struct fan_completion *completion)
{
	const unsigned index = completion->cookie & COOKIE_SLOT_MASK;
	const struct fan_card_slot *slot;
	const bool nothing_done = completion->error >= FAN_CARD_ERROR_BAD_DESCRIPTOR &&
				  completion->error <= FAN_CARD_ERROR_BAD_ADDRESS;

	if (completion->reserved != 0)
		return FAN_CARD_FAULT_RESERVED;
	if (index >= ENTRIES)
		return FAN_CARD_FAULT_COOKIE;
	slot = &queue->slot[index];
	if (!slot->under_way || slot->cookie != completion->cookie)
		return FAN_CARD_FAULT_STALE;
	if (completion->error > FAN_CARD_ERROR_WRITE_PDU)
		return FAN_CARD_FAULT_ERROR;
	if (completion->bad_ues > slot->ue_count || (completion->bad_ues == 0) != (completion->error == FAN_CARD_ERROR_NONE) ||
	    (nothing_done && completion->bad_ues != slot->ue_count))
		return FAN_CARD_FAULT_BAD_UES;
	if (completion->first_bad > slot->ue_count - completion->bad_ues)
		return FAN_CARD_FAULT_FIRST_BAD;
	if (!head_possible(queue, completion->head))
		return FAN_CARD_FAULT_HEAD;
	return FAN_CARD_FAULT_NONE;
}

static void
release(struct fan_card_queue *queue, unsigned index)
{
	const bool was_oldest = queue->slot[index].posted == queue->oldest;
	uint32_t least = UINT32_MAX;

	queue->slot[index].under_way = false;
	queue->under_way--;
	if (!was_oldest || queue->under_way == 0)
		return;
	/* Orders of batches under way are close together, so that differences tell which is older. */
	for (unsigned i = 0; i < ENTRIES; i++)
		if (queue->slot[i].under_way && queue->slot[i].posted - queue->oldest < least)
			least = queue->slot[i].posted - queue->oldest;
	queue->oldest += least;
	begin_watch(queue);
}

/* What stands where the next completion must come. */
enum entry {
	ENTRY_OLD,  /* what stood there already */
	ENTRY_NEXT, /* the next completion */
	ENTRY_WRONG /* neither */
};

/* Out: *completion when it is the next: a copy, which the card cannot change any more. */
static enum entry
take(struct fan_card_queue *queue, struct fan_completion *completion)
{
	const struct fan_completion *entry = &queue->completions[queue->taken % ENTRIES];
	const uint32_t serial = __atomic_load_n(&entry->serial, __ATOMIC_ACQUIRE);

	if (serial == queue->serial_in[queue->taken % ENTRIES])
		return ENTRY_OLD;
	if (serial != queue->serial)
		return ENTRY_WRONG;
	rte_io_rmb();
	memcpy(completion, entry, sizeof(*completion));
	return ENTRY_NEXT;
}

static void
accept(struct fan_card_queue *queue, const struct fan_completion *completion)
{
	const unsigned index = completion->cookie & COOKIE_SLOT_MASK;

	queue->serial_in[queue->taken % ENTRIES] = queue->serial;
	queue->serial = serial_after(queue->serial);
	queue->taken++;
	queue->head = completion->head;
	fan_card_count_error(queue->card, completion->error);
	release(queue, index);
}

/* ---- The watch --------------------------------------------------------------------------------------------------------------- */

static uint64_t
ticks(unsigned ms)
{
	return rte_get_tsc_hz() / 1000 * ms;
}

/* Reads the card's clock: has it run, and how far, since the oldest batch was begun? */
static void
look_at_clock(struct fan_card_queue *queue, uint64_t now)
{
	struct fan_card_watch *watch = &queue->watch;
	const uint32_t clocks = fan_register_clocks_low(queue->transport);

	if (watch->looked && clocks == watch->clocks_seen)
		return;
	if (watch->looked)
		watch->clocks_passed += (uint32_t)(clocks - watch->clocks_seen);
	watch->looked = true;
	watch->clocks_seen = clocks;
	watch->moved_tsc = now;
	watch->polls_since_moved = 0;
}

static enum fan_card_fault
look(struct fan_card_queue *queue, uint64_t now)
{
	const struct fan_card_patience patience = fan_card_patience_get();
	struct fan_card_transport *transport = queue->transport;
	const struct fan_card_watch *watch = &queue->watch;

	if (fan_register_kind(transport) != FAN_CARD_KIND_VALUE)
		return FAN_CARD_FAULT_GONE;
	if (fan_register_queue_fault(transport, queue->index) != FAN_CARD_QUEUE_FAULT_NONE)
		return FAN_CARD_FAULT_QUEUE;
	look_at_clock(queue, now);
	if (watch->clocks_passed >= patience.stall_clocks && now - watch->begin_tsc >= ticks(patience.stall_ms) &&
	    watch->polls >= patience.polls)
		return FAN_CARD_FAULT_TIMEOUT;
	if (now - watch->moved_tsc >= ticks(patience.standstill_ms) && watch->polls_since_moved >= patience.polls)
		return FAN_CARD_FAULT_STANDSTILL;
	return FAN_CARD_FAULT_NONE;
}

static enum fan_card_fault
watch_over(struct fan_card_queue *queue)
{
	struct fan_card_watch *watch = &queue->watch;
	const uint64_t now = rte_rdtsc();

	watch->polls++;
	watch->polls_since_moved++;
	if (now - watch->look_tsc < rte_get_tsc_hz() / LOOKS_PER_SECOND)
		return FAN_CARD_FAULT_NONE;
	watch->look_tsc = now;
	return look(queue, now);
}

enum fan_card_event
fan_card_queue_poll(struct fan_card_queue *queue, unsigned *slot, struct fan_completion *completion)
{
	enum fan_card_fault fault;

	if (queue->under_way == 0)
		return FAN_CARD_NOTHING;
	fan_card_step(queue->card);
	if (!same_life(queue)) {
		forget(queue);
		return FAN_CARD_LOST;
	}
	if (!fan_card_working(queue->card))
		return FAN_CARD_NOTHING;
	switch (take(queue, completion)) {
	case ENTRY_OLD:
		queue->transport->ops->relax(queue->transport);
		fault = watch_over(queue);
		break;
	case ENTRY_NEXT:
		fault = judge(queue, completion);
		if (fault == FAN_CARD_FAULT_NONE) {
			*slot = completion->cookie & COOKIE_SLOT_MASK;
			accept(queue, completion);
			return FAN_CARD_COMPLETED;
		}
		break;
	default:
		fault = FAN_CARD_FAULT_SERIAL;
		break;
	}
	if (fault != FAN_CARD_FAULT_NONE)
		fan_card_fail(queue->card, queue->epoch, fault);
	return FAN_CARD_NOTHING;
}

int
fan_card_queue_wait(struct fan_card_queue *queue, unsigned timeout_us)
{
	struct fan_card_transport *transport = queue->transport;
	struct fan_completion completion;

	if (!queue->interrupts) {
		fan_card_lock(queue->card);
		fan_register_interrupt_enable(transport, queue->index);
		fan_card_unlock(queue->card);
		queue->interrupts = true;
	}
	/* A completion that comes between these two raises the interrupt again. */
	fan_register_interrupt_clear(transport, queue->index);
	if (take(queue, &completion) != ENTRY_OLD)
		return 1;
	return transport->ops->wait_irq(transport, queue->index, timeout_us);
}
