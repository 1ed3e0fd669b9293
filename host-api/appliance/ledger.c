/* SPDX-License-Identifier: BSD-3-Clause */
#include "ledger.h"
#include "handles.h"

#include "../../dataplane/context/count.h"

#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#define AHEAD 4U            /* marks are raised to a multiple of it */
#define RESTING_MAX 1024    /* blocks of one transaction: 262,144 contexts, 2 MB; workers go on with others meanwhile */
#define SOON_BLOCKS 1024    /* they keep a worker busy for longer than a transaction takes */
#define LOOKED_AT_MAX 65536 /* blocks that the background looks at in a call */
#define BACKGROUND_MS 20    /* between two of its transactions */
#define FAILED_MS 2000      /* so long an error of the store is told at the least */
#define PROBE_MS 1000       /* between two tries of a store that fails */
#define IDLE_S 1            /* a block that no message has used for so long rests */
#define RECEIPTS_MAX 65536
#define EVENT_LEASE_LEFT 256
#define EVENT_COUNT_LEFT 65536

/* ---- Blocks ------------------------------------------------------------------------------------------------------------------ */

static size_t
blocks_bytes(const struct fan_ledger_table *table)
{
	return table->block_count * sizeof(*table->blocks);
}

/* What is known of a table's blocks, made with the first need of it. NULL: no memory. */
static struct fan_ledger_table *
table_of(struct fanfare *fanfare, unsigned index)
{
	const size_t contexts = fanfare->dataplane->tables[index].capacity;
	struct fan_ledger_table *table = &fanfare->ledger.tables[index];
	void *blocks;

	if (table->blocks != NULL)
		return table;
	table->block_count = (contexts + FAN_BLOCK_CONTEXTS - 1) / FAN_BLOCK_CONTEXTS;
	table->changed = calloc(table->block_count / FAN_MARKS_BLOCKS + 1, 1);
	blocks = mmap(NULL, blocks_bytes(table), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (blocks == MAP_FAILED || table->changed == NULL) {
		if (blocks != MAP_FAILED)
			munmap(blocks, blocks_bytes(table));
		free(table->changed);
		table->changed = NULL;
		(void)fan_fail(FAN_E_MEMORY, "no memory for the ledger of a table");
		return NULL;
	}
	table->blocks = blocks;
	return table;
}

static void
set_next(struct fan_ledger_table *table, uint32_t block, unsigned mark, unsigned claims)
{
	table->blocks[block].next = (uint8_t)mark;
	table->blocks[block].claims = (uint8_t)claims;
	table->changed[block / FAN_MARKS_BLOCKS] = 1;
}

/* The lowest mark that covers so many COUNTs, some messages ahead. */
static unsigned
mark_for(unsigned counts)
{
	const unsigned mark = (counts + AHEAD - 1) / AHEAD * AHEAD;

	return mark < FAN_MARK_MAX ? mark : FAN_MARK_MAX;
}

/* ---- Transactions -------------------------------------------------------------------------------------------------------------- */

int
fan_ledger_begin(struct fanfare *fanfare)
{
	return fanfare->batching ? fan_fail(FAN_E_BUSY, "a batch has begun: fan_commit() or fan_abort() ends it")
				 : fan_store_begin(fanfare->store);
}

/* A full disk may have room for a small write between two that it has none for: the error stays for some time. */
static void
note_commit(struct fan_ledger *ledger, int error)
{
	if (error != 0) {
		ledger->error = error;
		ledger->failed_tsc = rte_rdtsc();
		(void)snprintf(ledger->detail, sizeof(ledger->detail), "%s", fan_error_detail());
		return;
	}
	ledger->commits++;
	if (ledger->error != 0 && rte_rdtsc() - ledger->failed_tsc < FAILED_MS * (rte_get_tsc_hz() / 1000))
		return;
	ledger->error = 0;
	ledger->detail[0] = '\0';
}

static int
commit(struct fanfare *fanfare)
{
	struct fan_ledger *ledger = &fanfare->ledger;
	const uint64_t begin_tsc = rte_rdtsc();
	const int error = fan_store_commit(fanfare->store);
	const uint64_t commit_ns = (uint64_t)((double)(rte_rdtsc() - begin_tsc) * 1e9 / (double)rte_get_tsc_hz());

	ledger->commit_ns_max = RTE_MAX(ledger->commit_ns_max, commit_ns);
	note_commit(ledger, error);
	return error;
}

int
fan_ledger_end(struct fanfare *fanfare, int error)
{
	if (error == 0)
		return commit(fanfare);
	fan_store_abort(fanfare->store);
	return error;
}

int
fan_ledger_put_marks(struct fanfare *fanfare)
{
	struct fan_record record = { .kind = FAN_RECORD_MARKS };
	int error = 0;

	for (unsigned i = 0; i < fanfare->dataplane->table_count; i++) {
		const struct fan_ledger_table *table = &fanfare->ledger.tables[i];

		record.marks.table = fanfare->dataplane->tables[i].protection;
		for (size_t first = 0; error == 0 && first < table->block_count; first += FAN_MARKS_BLOCKS) {
			if (!table->changed[first / FAN_MARKS_BLOCKS])
				continue;
			record.marks.first_block = (uint32_t)first;
			for (size_t j = 0; j < FAN_MARKS_BLOCKS; j++)
				record.marks.mark[j] = first + j < table->block_count ? table->blocks[first + j].next : 0;
			error = fan_store_put(fanfare->store, &record);
		}
	}
	return error;
}

/* In: marks, NULL where no COUNT is spent. Of blocks that have changed, what the transaction has becomes what is kept, and workers see it; or the other way round. */
static void
settle(struct fan_ledger_table *table, uint8_t *marks, bool committed)
{
	for (size_t first = 0; first < table->block_count; first += FAN_MARKS_BLOCKS) {
		if (!table->changed[first / FAN_MARKS_BLOCKS])
			continue;
		table->changed[first / FAN_MARKS_BLOCKS] = 0;
		for (size_t block = first; block < first + FAN_MARKS_BLOCKS && block < table->block_count; block++) {
			struct fan_ledger_block *at = &table->blocks[block];
			uint8_t mark;

			if (committed) {
				at->kept = at->next;
				at->claimed = at->claims;
			}
			at->next = at->kept;
			at->claims = at->claimed;
			mark = at->turn | at->kept;
			/* stop_spending() takes the mark of one that is to rest. It comes back with the checkpoint: if that failed, nobody
			 * knows what the disk has. */
			if (!at->resting && marks != NULL && __atomic_load_n(&marks[block], __ATOMIC_RELAXED) != mark)
				__atomic_store_n(&marks[block], mark, __ATOMIC_RELEASE);
		}
	}
}

static void
settle_all(struct fanfare *fanfare, bool committed)
{
	for (unsigned i = 0; i < fanfare->dataplane->table_count; i++)
		if (fanfare->ledger.tables[i].blocks != NULL)
			settle(&fanfare->ledger.tables[i], fanfare->dataplane->tables[i].marks, committed);
}

void
fan_ledger_publish(struct fanfare *fanfare)
{
	settle_all(fanfare, true);
}

void
fan_ledger_withdraw(struct fanfare *fanfare)
{
	settle_all(fanfare, false);
}

/* ---- Messages ---------------------------------------------------------------------------------------------------------------- */

/* The block takes part in a message of so many parts. */
static void
claim_block(struct fan_ledger_table *table, uint32_t block, unsigned parts, uint8_t second)
{
	struct fan_ledger_block *at = &table->blocks[block];
	const unsigned claims = RTE_MIN(at->claims + parts, (unsigned)UINT8_MAX);

	set_next(table, block, RTE_MAX(at->next, mark_for(claims)), claims);
	at->used_at = second;
}

/* Whether a leg has members in a block that were put off. */
static bool
has_late(const struct fan_leg *leg, uint32_t block)
{
	return fan_late_ready(&leg->late) && fan_late_any(&leg->late, (uint64_t)block * FAN_BLOCK_CONTEXTS, FAN_BLOCK_CONTEXTS);
}

int
fan_ledger_claim(struct fanfare *fanfare, const struct fan_flight *flight)
{
	for (unsigned i = 0; i < flight->leg_count; i++) {
		const struct fan_leg *leg = &flight->legs[i];
		struct fan_ledger_table *table = table_of(fanfare, leg->table_index);
		roaring_uint32_iterator_t at;

		/* What spends no COUNT waits for no mark. */
		if (leg->table->marks == NULL)
			continue;
		if (table == NULL)
			return FAN_E_MEMORY;
		roaring_iterator_init(leg->slots, &at);
		while (at.has_value) {
			const uint32_t block = at.current_value / FAN_BLOCK_CONTEXTS;

			/* After a crash it goes to those from a slot on, and to those before that were put off. */
			if ((block + UINT64_C(1)) * FAN_BLOCK_CONTEXTS > leg->from || has_late(leg, block))
				claim_block(table, block, leg->plans.part_count, fanfare->ledger.second);
			(void)roaring_uint32_iterator_move_equalorlarger(&at, (block + 1) * FAN_BLOCK_CONTEXTS);
		}
	}
	return 0;
}

/* COUNTs that a leg may still take in a block. */
static unsigned
claims_of_leg(const struct fan_leg *leg, unsigned leg_at, uint64_t position, uint32_t block)
{
	const uint64_t first = (uint64_t)block * FAN_BLOCK_CONTEXTS, end = first + FAN_BLOCK_CONTEXTS;
	const bool passed = end <= leg->from || position >= fan_flight_place(leg_at, end),
		   done = passed && !has_late(leg, block);

	return !done && roaring_bitmap_range_cardinality(leg->slots, first, end) > 0 ? leg->plans.part_count : 0;
}

/* COUNTs that messages on their way may still take in a block. */
static unsigned
claims_in_flight(const struct fanfare *fanfare, unsigned table, uint32_t block)
{
	unsigned claims = 0;

	if (fanfare->closing)
		return 0;
	for (const struct fan_flight *flight = fanfare->dataplane->flights.first; flight != NULL; flight = flight->next) {
		const uint64_t position = fan_flight_position(flight);

		for (unsigned i = 0; flight->handed && i < flight->leg_count; i++)
			if (flight->legs[i].table_index == table)
				claims += claims_of_leg(&flight->legs[i], i, position, block);
	}
	return RTE_MIN(claims, (unsigned)UINT8_MAX);
}

/* ---- Events ------------------------------------------------------------------------------------------------------------------ */

void
fan_ledger_tell(struct fanfare *fanfare, enum fan_event_kind kind, unsigned table, uint32_t slot, uint32_t value)
{
	struct fan_ledger *ledger = &fanfare->ledger;

	if (ledger->events == NULL)
		ledger->events = calloc(FAN_LEDGER_EVENTS, sizeof(*ledger->events));
	if (ledger->events == NULL)
		return;
	ledger->events[ledger->event_count % FAN_LEDGER_EVENTS] = (struct fan_event){
		.number = ledger->event_count + 1,
		.kind = kind,
		.id = fan_context_name(fanfare, table, slot),
		.ue = fanfare->dataplane->tables[table].slots[slot].ue,
		.value = value
	};
	ledger->event_count++;
}

/* Which lines a context has crossed by what it spent since its last checkpoint: bits 1 << FAN_EVENT_. */
static unsigned
lines_crossed(const struct fan_context *context, enum fan_kind kind, uint8_t turn)
{
	const struct fan_count_rule *rule = &fan_count_rules[kind];
	const unsigned gap = fan_count_gap(context), limit = rule->gap_max / 4 * 3U;
	const uint64_t spent = fan_count_spent(context, turn), next = fan_count_next(context);
	unsigned crossed = 0;

	if (gap >= limit && gap < limit + spent)
		crossed |= 1U << FAN_EVENT_WINDOW;
	if (next + EVENT_COUNT_LEFT >= rule->end && next - spent + EVENT_COUNT_LEFT < rule->end)
		crossed |= 1U << FAN_EVENT_COUNT_END;
	if (next + EVENT_LEASE_LEFT >= context->count_reserved && next - spent + EVENT_LEASE_LEFT < context->count_reserved)
		crossed |= 1U << FAN_EVENT_LEASE_END;
	return crossed;
}

static void
add_events(struct fanfare *fanfare, unsigned index, uint32_t slot, unsigned crossed)
{
	const struct fan_context *context = &fanfare->dataplane->tables[index].slots[slot];

	if ((crossed & 1U << FAN_EVENT_WINDOW) != 0)
		fan_ledger_tell(fanfare, FAN_EVENT_WINDOW, index, slot, fan_count_gap(context));
	if ((crossed & 1U << FAN_EVENT_COUNT_END) != 0)
		fan_ledger_tell(fanfare, FAN_EVENT_COUNT_END, index, slot, fan_count_next(context));
	if ((crossed & 1U << FAN_EVENT_LEASE_END) != 0)
		fan_ledger_tell(fanfare, FAN_EVENT_LEASE_END, index, slot, context->count_reserved);
}

const char *
fan_event_kind_name(enum fan_event_kind kind)
{
	static const char *const names[FAN_EVENT_KINDS] = {
		[FAN_EVENT_WINDOW] = "window",
		[FAN_EVENT_COUNT_END] = "count-end",
		[FAN_EVENT_LEASE_END] = "lease-end",
		[FAN_EVENT_LEASE_TIME] = "lease-time",
	};

	return (unsigned)kind < FAN_EVENT_KINDS ? names[kind] : "unknown";
}

int
fan_event_next(const struct fanfare *fanfare, struct fan_event *event, uint64_t from)
{
	const struct fan_ledger *ledger = &fanfare->ledger;
	const uint64_t oldest = ledger->event_count > FAN_LEDGER_EVENTS ? ledger->event_count - FAN_LEDGER_EVENTS + 1 : 1;
	const uint64_t number = RTE_MAX(from, oldest);

	if (fan_in_own_process(fanfare->process) != 0 || number > ledger->event_count)
		return 0;
	*event = ledger->events[(number - 1) % FAN_LEDGER_EVENTS];
	return 1;
}

/* ---- Checkpoints ------------------------------------------------------------------------------------------------------------- */

/* C of one context. In: what it has left unacknowledged, which may be less than it shows yet. */
static void
write_entry(struct fan_record_checkpoint *checkpoint, const struct fan_context *context, bool nas, unsigned i,
	    uint16_t unacknowledged)
{
	checkpoint->count[i] = fan_count_next(context);
	checkpoint->unacknowledged[i] = nas && unacknowledged > UINT8_MAX ? UINT8_MAX : unacknowledged;
	checkpoint->transaction[i] = nas ? context->nas.transaction : 0;
	checkpoint->rp_reference[i] = nas ? context->nas.rp_reference : 0;
}

/* Puts C of a context with others of its block as they were. */
static int
put_entry(struct fanfare *fanfare, unsigned index, uint32_t slot, uint16_t unacknowledged)
{
	const struct fan_context_table *table = &fanfare->dataplane->tables[index];
	struct fan_record record = { .kind = FAN_RECORD_CHECKPOINT,
				     .checkpoint = { .table = table->protection, .block = slot / FAN_BLOCK_CONTEXTS } };
	int error = fan_store_get(fanfare->store, &record);

	if (error != 0 && error != FAN_E_NOT_FOUND)
		return error;
	write_entry(&record.checkpoint, &table->slots[slot], fan_kind_is_nas((enum fan_kind)table->protection.kind),
		    slot % FAN_BLOCK_CONTEXTS, unacknowledged);
	return fan_store_put(fanfare->store, &record);
}

static bool
is_of(const struct fan_ledger_held *held, const struct fan_ledger_place *place)
{
	return held->place.table == place->table && held->place.block == place->block;
}

/* C leaves out what is held of a block. */
static void
leave_out(struct fan_record_checkpoint *checkpoint, const struct fan_ledger *ledger, const struct fan_ledger_place *place)
{
	for (unsigned i = 0; i < ledger->held_count; i++) {
		const struct fan_ledger_held *held = &ledger->held[i];
		const unsigned at = held->slot % FAN_BLOCK_CONTEXTS;
		uint16_t *unacknowledged = &checkpoint->unacknowledged[at];

		if (!is_of(held, place))
			continue;
		checkpoint->count[at] -= held->counts;
		*unacknowledged = (uint16_t)(*unacknowledged - RTE_MIN(*unacknowledged, held->counts));
	}
}

/* Puts C of contexts first .. end - 1, which are all of one block, with others of it as they were. */
static int
put_entries(struct fanfare *fanfare, unsigned index, uint32_t first, uint32_t end)
{
	const struct fan_context_table *table = &fanfare->dataplane->tables[index];
	struct fan_record record = { .kind = FAN_RECORD_CHECKPOINT,
				     .checkpoint = { .table = table->protection, .block = first / FAN_BLOCK_CONTEXTS } };
	const bool nas = fan_kind_is_nas((enum fan_kind)table->protection.kind);
	int error = end - first == FAN_BLOCK_CONTEXTS ? 0 : fan_store_get(fanfare->store, &record);

	if (error != 0 && error != FAN_E_NOT_FOUND)
		return error;
	for (uint32_t slot = first; slot < end; slot++)
		write_entry(&record.checkpoint, &table->slots[slot], nas, slot % FAN_BLOCK_CONTEXTS,
			    fan_count_gap(&table->slots[slot]));
	leave_out(&record.checkpoint, &fanfare->ledger, &(struct fan_ledger_place){ (uint16_t)index, record.checkpoint.block });
	return fan_store_put(fanfare->store, &record);
}

int
fan_ledger_put(struct fanfare *fanfare, unsigned table, uint32_t first, uint32_t count)
{
	const uint64_t end = (uint64_t)first + count;
	int error = table_of(fanfare, table) == NULL ? FAN_E_MEMORY : 0;

	for (uint64_t from = first, to; error == 0 && from < end; from = to) {
		to = RTE_MIN((from / FAN_BLOCK_CONTEXTS + 1) * FAN_BLOCK_CONTEXTS, end);
		error = put_entries(fanfare, table, (uint32_t)from, (uint32_t)to);
	}
	return error;
}

void
fan_ledger_put_done(struct fanfare *fanfare, unsigned table, uint32_t first, uint32_t count)
{
	const struct fan_ledger_table *kept = &fanfare->ledger.tables[table];

	for (uint32_t slot = first; slot < first + count; slot++)
		fan_count_rest(&fanfare->dataplane->tables[table].slots[slot], kept->blocks[slot / FAN_BLOCK_CONTEXTS].turn);
}

/* Contexts of a block that have ever been there. */
static uint32_t
block_end(const struct fan_context_table *table, uint32_t block)
{
	return RTE_MIN((block + 1) * FAN_BLOCK_CONTEXTS, table->used);
}

static uint8_t
next_turn(uint8_t turn)
{
	return (uint8_t)(turn + FAN_MARK_NEXT_TURN);
}

/* Whether the checkpoint that ends a turn has contexts with something to tell, or some that have spent nothing for eight turns, so that what
 * they spent then would count in the next. Most have none, and need not be looked at again. */
static bool
has_news(const struct fan_context_table *table, uint32_t block, uint8_t turn)
{
	const enum fan_kind kind = (enum fan_kind)table->protection.kind;
	unsigned news = 0;

	for (uint32_t slot = block * FAN_BLOCK_CONTEXTS; slot < block_end(table, block); slot++)
		news |= lines_crossed(&table->slots[slot], kind, turn) |
			fan_count_of_turn(&table->slots[slot], next_turn(turn));
	return news != 0;
}

/* The block's C, and the mark that it needs from now on: it covers what is held, too, which is of messages on their way. */
static int
put_block(struct fanfare *fanfare, const struct fan_ledger_place *place)
{
	const struct fan_context_table *table = &fanfare->dataplane->tables[place->table];
	struct fan_ledger_table *kept = &fanfare->ledger.tables[place->table];
	struct fan_ledger_block *at = &kept->blocks[place->block];
	const unsigned claims = claims_in_flight(fanfare, place->table, place->block);
	const uint32_t first = place->block * FAN_BLOCK_CONTEXTS;

	set_next(kept, place->block, mark_for(claims), claims);
	at->news = has_news(table, place->block, at->turn);
	return put_entries(fanfare, place->table, first, block_end(table, place->block));
}

/* In: the turn that ends. */
static void
tell_news(struct fanfare *fanfare, const struct fan_ledger_place *place, uint8_t turn)
{
	const struct fan_context_table *table = &fanfare->dataplane->tables[place->table];
	const enum fan_kind kind = (enum fan_kind)table->protection.kind;

	for (uint32_t slot = place->block * FAN_BLOCK_CONTEXTS; slot < block_end(table, place->block); slot++) {
		struct fan_context *context = &table->slots[slot];

		if (fan_context_present(table, slot))
			add_events(fanfare, place->table, slot, lines_crossed(context, kind, turn));
		if (fan_count_of_turn(context, next_turn(turn)))
			fan_count_rest(context, next_turn(turn));
	}
}

/* What the checkpoint left out counts as spent in the turn that begins. */
static void
count_held(struct fanfare *fanfare, const struct fan_ledger_place *place, uint8_t turn)
{
	struct fan_context *slots = fanfare->dataplane->tables[place->table].slots;

	for (unsigned i = 0; i < fanfare->ledger.held_count; i++) {
		const struct fan_ledger_held *held = &fanfare->ledger.held[i];

		if (is_of(held, place))
			fan_count_hold_back(&slots[held->slot], held->counts, turn);
	}
}

/* The block's next turn begins: its checkpoint is on the disk. */
static void
begin_again(struct fanfare *fanfare, const struct fan_ledger_place *place)
{
	struct fan_ledger_block *at = &fanfare->ledger.tables[place->table].blocks[place->block];

	if (at->news)
		tell_news(fanfare, place, at->turn);
	at->turn = next_turn(at->turn);
	count_held(fanfare, place, at->turn);
	at->heard = false;
	__atomic_store_n(&fanfare->dataplane->tables[place->table].waits[place->block], 0, __ATOMIC_RELAXED);
	fanfare->ledger.checkpoints++;
}

static uint64_t
batches_of(const struct fan_dataplane *dataplane, unsigned worker, bool left)
{
	struct fan_worker_counters counters;

	fan_worker_counters_read(dataplane->worker[worker], &counters);
	return left ? counters.left : counters.begun;
}

/* Takes the marks of the blocks that are to rest, between two turns of every worker, which may hold more than one COUNT to a mark that it has
 * seen: none of their COUNTs moves after. */
static void
stop_spending(struct fanfare *fanfare)
{
	struct fan_ledger *ledger = &fanfare->ledger;

	if (ledger->stopped || ledger->resting_count == 0)
		return;
	fan_dataplane_pause(fanfare->dataplane);
	for (unsigned i = 0; i < ledger->resting_count; i++)
		__atomic_store_n(&fanfare->dataplane->tables[ledger->resting[i].table].marks[ledger->resting[i].block], 0,
				 __ATOMIC_RELEASE);
	fan_dataplane_resume(fanfare->dataplane);
	for (unsigned i = 0; i < fanfare->dataplane->running_count; i++) {
		ledger->begun[i] = batches_of(fanfare->dataplane, i, false);
		fan_worker_call_at(fanfare->dataplane->worker[i], ledger->begun[i]);
	}
	ledger->stopped = true;
}

/* Blocks with contexts that have ever been there, and a mark. */
static uint32_t
used_blocks(const struct fan_context_table *table)
{
	return table->marks == NULL ? 0 : (table->used + FAN_BLOCK_CONTEXTS - 1) / FAN_BLOCK_CONTEXTS;
}

/* The first block from one on that a worker waits for; block_count: none. */
static uint32_t
next_waiting(const struct fan_context_table *table, uint32_t block, uint32_t block_count)
{
	uint64_t eight;

	for (; block + 8 <= block_count; block += 8) {
		memcpy(&eight, &table->waits[block], sizeof(eight));
		if (eight != 0)
			break;
	}
	while (block < block_count && __atomic_load_n(&table->waits[block], __ATOMIC_RELAXED) == 0)
		block++;
	return block;
}

/* Whether all that was spent in them has left: it would be lost to a crash beside what their new marks cover, and a UE skip more than those. */
static bool
have_left(const struct fanfare *fanfare)
{
	const struct fan_ledger *ledger = &fanfare->ledger;

	if (!ledger->in_use || fanfare->closing)
		return true;
	for (unsigned i = 0; i < fanfare->dataplane->running_count; i++)
		if (batches_of(fanfare->dataplane, i, true) < ledger->begun[i])
			return false;
	return true;
}

/* A batch under way cannot leave before it has fresh COUNTs, and these may wait for this rest, in whatever block they are. */
static bool
leaving_waits(const struct fanfare *fanfare)
{
	for (unsigned i = 0; i < fanfare->dataplane->table_count; i++) {
		const struct fan_context_table *table = &fanfare->dataplane->tables[i];
		const uint32_t block_count = used_blocks(table);

		for (uint32_t block = next_waiting(table, 0, block_count); block < block_count;
		     block = next_waiting(table, block + 1, block_count))
			if (__atomic_load_n(&table->waits[block], __ATOMIC_RELAXED) == FAN_WAITS_WITH_BATCH)
				return true;
	}
	return false;
}

/* A place for another context that is held. NULL: no memory. */
static struct fan_ledger_held *
add_held(struct fan_ledger *ledger)
{
	const unsigned room = ledger->held_room * 2 + 1024;
	struct fan_ledger_held *held = ledger->held_count < ledger->held_room
					       ? ledger->held
					       : reallocarray(ledger->held, room, sizeof(*ledger->held));

	if (held == NULL)
		return NULL;
	if (ledger->held_count == ledger->held_room)
		ledger->held_room = room;
	ledger->held = held;
	return &held[ledger->held_count++];
}

/* Of fan_worker_each_to_leave(). What is not held counts as spent, as it must where a crash moves a context by no mark (fan_resume()). */
static void
hold(void *user, const struct fan_context_table *table, uint32_t slot, uint32_t count)
{
	struct fanfare *fanfare = user;
	struct fan_ledger *ledger = &fanfare->ledger;
	const struct fan_ledger_place place = { (uint16_t)(table - fanfare->dataplane->tables), slot / FAN_BLOCK_CONTEXTS };
	const struct fan_context *context = &table->slots[slot];
	const uint32_t counts = fan_count_next(context) - count;
	struct fan_ledger_held *held;

	if (!ledger->tables[place.table].blocks[place.block].resting || counts > FAN_MARK_MAX ||
	    __atomic_load_n(&context->flags, __ATOMIC_RELAXED) != FAN_CONTEXT_PRESENT ||
	    fan_count_gap(context) >= fan_count_rules[table->protection.kind].gap_max + counts)
		return;
	for (unsigned i = 0; i < ledger->held_count; i++)
		if (ledger->held[i].slot == slot && is_of(&ledger->held[i], &place))
			return;
	held = add_held(ledger);
	if (held != NULL)
		*held = (struct fan_ledger_held){ place, slot, counts };
}

/* Stops all workers, and finds what of the blocks that are to rest has yet to leave. */
static void
begin_to_hold(struct fanfare *fanfare)
{
	fan_dataplane_pause(fanfare->dataplane);
	for (unsigned i = 0; i < fanfare->dataplane->running_count; i++)
		fan_worker_each_to_leave(fanfare->dataplane->worker[i], hold, fanfare);
}

static void
end_to_hold(struct fanfare *fanfare)
{
	fanfare->ledger.held_count = 0;
	fan_dataplane_resume(fanfare->dataplane);
}

/* In: whether the transaction was committed. */
static void
end_rest(struct fanfare *fanfare, bool committed)
{
	struct fan_ledger *ledger = &fanfare->ledger;

	for (unsigned i = 0; i < ledger->resting_count; i++) {
		struct fan_ledger_table *table = &ledger->tables[ledger->resting[i].table];

		table->changed[ledger->resting[i].block / FAN_MARKS_BLOCKS] = 1;
		table->blocks[ledger->resting[i].block].resting = !committed;
		if (committed)
			begin_again(fanfare, &ledger->resting[i]);
	}
	if (!committed)
		return;
	ledger->resting_count = 0;
	ledger->stopped = false;
	ledger->in_use = false;
}

/* One transaction: all marks that have changed are put, and the blocks of `resting` come to rest, if all that was spent in them has left or
 * cannot leave before. When it fails they stay without a mark, and the next call tries again. */
static bool
write_ledger(struct fanfare *fanfare)
{
	const struct fan_ledger *ledger = &fanfare->ledger;
	int error = fan_ledger_begin(fanfare);
	bool rests, holds;

	if (error == 0)
		stop_spending(fanfare);
	rests = ledger->stopped && have_left(fanfare);
	holds = ledger->stopped && !rests && leaving_waits(fanfare);
	if (holds)
		begin_to_hold(fanfare);
	for (unsigned i = 0; error == 0 && (rests || holds) && i < ledger->resting_count; i++)
		error = put_block(fanfare, &ledger->resting[i]);
	if (error == 0)
		error = fan_ledger_put_marks(fanfare);
	error = fan_ledger_end(fanfare, error);
	if (rests || holds)
		end_rest(fanfare, error == 0);
	settle_all(fanfare, error == 0);
	if (holds)
		end_to_hold(fanfare);
	return error == 0;
}

/* False when no further block can rest in this transaction. */
static bool
let_rest(struct fanfare *fanfare, unsigned table, uint32_t block)
{
	struct fan_ledger *ledger = &fanfare->ledger;
	struct fan_ledger_block *at = &ledger->tables[table].blocks[block];

	if (at->resting)
		return true;
	if (ledger->stopped)
		return false;
	if (ledger->resting == NULL)
		ledger->resting = calloc(RESTING_MAX, sizeof(*ledger->resting));
	if (ledger->resting == NULL || ledger->resting_count == RESTING_MAX)
		return false;
	at->resting = true;
	ledger->in_use = ledger->in_use || claims_in_flight(fanfare, table, block) > 0;
	ledger->resting[ledger->resting_count++] = (struct fan_ledger_place){ (uint16_t)table, block };
	return true;
}

/* ---- Serving ------------------------------------------------------------------------------------------------------------------ */

/* The highest mark does not cover what messages on their way may still take. */
static bool
is_used_up(const struct fan_ledger_block *block)
{
	return block->kept == FAN_MARK_MAX && block->claims > FAN_MARK_MAX;
}

/* A worker waits for this block: it gets a higher mark, or comes to rest if it has the highest, and with it those behind that the same
 * worker will find used up. */
static void
serve_block(struct fanfare *fanfare, unsigned index, uint32_t block, uint32_t block_count)
{
	struct fan_ledger_table *table = &fanfare->ledger.tables[index];
	struct fan_ledger_block *at = &table->blocks[block];

	if (at->resting)
		return;
	if (at->kept < FAN_MARK_MAX) {
		__atomic_store_n(&fanfare->dataplane->tables[index].waits[block], 0, __ATOMIC_RELAXED);
		set_next(table, block, RTE_MIN(at->kept + AHEAD, (unsigned)FAN_MARK_MAX),
			 RTE_MAX(at->claims, at->kept + AHEAD));
		return;
	}
	if (!let_rest(fanfare, index, block))
		return;
	while (++block < block_count)
		if (is_used_up(&table->blocks[block]) && !let_rest(fanfare, index, block))
			return;
}

static void
serve_waiting(struct fanfare *fanfare)
{
	for (unsigned i = 0; i < fanfare->dataplane->table_count; i++) {
		const struct fan_context_table *table = &fanfare->dataplane->tables[i];
		const uint32_t block_count = used_blocks(table);

		for (uint32_t block = next_waiting(table, 0, block_count); block < block_count;
		     block = next_waiting(table, block + 1, block_count))
			if (table_of(fanfare, i) != NULL)
				serve_block(fanfare, i, block, block_count);
	}
}

static bool
any_changed(const struct fanfare *fanfare)
{
	for (unsigned i = 0; i < fanfare->dataplane->table_count; i++) {
		const struct fan_ledger_table *table = &fanfare->ledger.tables[i];

		for (size_t first = 0; first < table->block_count; first += FAN_MARKS_BLOCKS)
			if (table->changed[first / FAN_MARKS_BLOCKS])
				return true;
	}
	return false;
}

/* A store that failed is tried now and then, so that it is known when it does no more. */
static void
probe(struct fanfare *fanfare)
{
	struct fan_ledger *ledger = &fanfare->ledger;

	if (ledger->error == 0 || ledger->tables[0].blocks == NULL ||
	    rte_rdtsc() - ledger->probed_tsc < PROBE_MS * (rte_get_tsc_hz() / 1000))
		return;
	ledger->probed_tsc = rte_rdtsc();
	ledger->tables[0].changed[0] = 1;
}

/* The first block of a leg that a message on its way has still to come to; UINT32_MAX: none. */
static uint32_t
next_block(const struct fan_leg *leg, unsigned leg_at, uint64_t position)
{
	const uint64_t from = RTE_MAX(position, fan_flight_place(leg_at, leg->from));

	return leg->from > UINT32_MAX || from >> 32 > leg_at ? UINT32_MAX : (uint32_t)from / FAN_BLOCK_CONTEXTS;
}

/* A message would soon come to this block, and wait while it rests. */
static bool
is_wanted_soon(const struct fanfare *fanfare, unsigned table, uint32_t block)
{
	for (const struct fan_flight *flight = fanfare->dataplane->flights.first; flight != NULL; flight = flight->next) {
		const uint64_t position = fan_flight_position(flight);

		for (unsigned i = 0; flight->handed && i < flight->leg_count; i++) {
			const uint32_t next = next_block(&flight->legs[i], i, position);

			if (flight->legs[i].table_index == table &&
			    ((next <= block && block - next < SOON_BLOCKS) || has_late(&flight->legs[i], block)))
				return true;
		}
	}
	return false;
}

/* Whether a block is to rest now: it has the highest mark and is not wanted soon, or no message on its way uses it and none has for some time. */
static bool
may_rest(const struct fanfare *fanfare, unsigned index, uint32_t block)
{
	const struct fan_ledger_block *at = &fanfare->ledger.tables[index].blocks[block];

	if (at->kept == 0 && !at->heard)
		return false;
	if (at->kept == FAN_MARK_MAX)
		return !is_wanted_soon(fanfare, index, block);
	return (uint8_t)(fanfare->ledger.second - at->used_at) > IDLE_S && claims_in_flight(fanfare, index, block) == 0;
}

/* Looks at some blocks and goes on to the next table. */
static void
look_for_rest(struct fanfare *fanfare)
{
	struct fan_ledger *ledger = &fanfare->ledger;
	struct fan_ledger_place *at = &ledger->background;
	unsigned left = LOOKED_AT_MAX, tables = fanfare->dataplane->table_count;

	ledger->more = false;
	while (tables > 0 && left > 0) {
		const struct fan_context_table *table = &fanfare->dataplane->tables[at->table];

		for (; left > 0 && at->block * (uint64_t)FAN_BLOCK_CONTEXTS < table->used; left--, at->block++) {
			if (ledger->tables[at->table].blocks == NULL)
				break;
			if (!may_rest(fanfare, at->table, at->block) || let_rest(fanfare, at->table, at->block))
				continue;
			ledger->more = true;
			return;
		}
		if (left == 0)
			return;
		at->block = 0;
		at->table = (uint16_t)((at->table + 1U) % fanfare->dataplane->table_count);
		tables--;
	}
}

static int
put_receipt(struct fanfare *fanfare, const struct fan_ledger_receipt *receipt)
{
	uint32_t slot;
	const struct fan_context_table *table = fan_context_find(fanfare, &slot, receipt->id);
	const uint32_t next = table == NULL ? 0 : fan_count_next(&table->slots[slot]);

	return receipt->count >= next
		       ? 0
		       : put_entry(fanfare, fan_context_table_index(receipt->id), slot, (uint16_t)(next - 1 - receipt->count));
}

/* Acknowledgements that had to become durable first. */
static void
write_receipts(struct fanfare *fanfare)
{
	struct fan_ledger *ledger = &fanfare->ledger;
	int error = ledger->receipt_count > 0 ? fan_ledger_begin(fanfare) : FAN_E_NOT_FOUND;

	if (error != 0)
		return;
	for (size_t i = 0; error == 0 && i < ledger->receipt_count; i++)
		error = put_receipt(fanfare, &ledger->receipts[i]);
	error = fan_ledger_end(fanfare, error);
	for (size_t i = 0; error == 0 && i < ledger->receipt_count; i++) {
		uint32_t slot;
		const struct fan_context_table *table = fan_context_find(fanfare, &slot, ledger->receipts[i].id);

		if (table != NULL)
			(void)fan_count_acknowledge(&table->slots[slot], ledger->receipts[i].count);
	}
	if (error == 0)
		ledger->receipt_count = 0;
}

void
fan_ledger_serve(struct fanfare *fanfare)
{
	struct fan_ledger *ledger = &fanfare->ledger;
	const uint64_t now_tsc = rte_rdtsc();

	if (fanfare->store == NULL || fanfare->batching)
		return;
	ledger->second = (uint8_t)(now_tsc / rte_get_tsc_hz());
	write_receipts(fanfare);
	serve_waiting(fanfare);
	probe(fanfare);
	if (!ledger->stopped && (ledger->more || now_tsc - ledger->rested_tsc > BACKGROUND_MS * (rte_get_tsc_hz() / 1000))) {
		ledger->rested_tsc = now_tsc;
		look_for_rest(fanfare);
	}
	if (any_changed(fanfare) || ledger->resting_count > 0)
		(void)write_ledger(fanfare);
	/* There is more to do at once. */
	ledger->more = ledger->more && ledger->error == 0;
	if (ledger->more && !ledger->stopped)
		(void)eventfd_write(fanfare->dataplane->event_fd, 1);
}

/* ---- Acknowledgements ----------------------------------------------------------------------------------------------------------- */

static int
queue_receipt(struct fan_ledger *ledger, fan_context_id id, uint32_t count)
{
	if (ledger->receipts == NULL)
		ledger->receipts = calloc(RECEIPTS_MAX, sizeof(*ledger->receipts));
	if (ledger->receipts == NULL || ledger->receipt_count == RECEIPTS_MAX)
		return fan_fail(FAN_E_BUSY, "%d acknowledgements wait for the store: repeat it", RECEIPTS_MAX);
	ledger->receipts[ledger->receipt_count++] = (struct fan_ledger_receipt){ id, count };
	return 0;
}

int
fan_ledger_acknowledge(struct fanfare *fanfare, unsigned index, uint32_t slot, uint32_t count)
{
	const struct fan_context_table *table = &fanfare->dataplane->tables[index];
	struct fan_context *context = &table->slots[slot];
	const struct fan_ledger_table *kept;
	struct fan_ledger_block *block;
	int error;

	if (fanfare->store == NULL)
		return fan_count_acknowledge(context, count);
	kept = table_of(fanfare, index);
	if (kept == NULL)
		return FAN_E_MEMORY;
	block = &kept->blocks[slot / FAN_BLOCK_CONTEXTS];
	/* At its last checkpoint its window was used up, and for all that the disk says it still is. An older proof than the last opens none. */
	if (fan_count_spent(context, block->turn) == 0 && count < fan_count_next(context) &&
	    fan_count_next(context) - 1 - count < fan_count_gap(context) &&
	    fan_count_gap(context) >= fan_count_rules[table->protection.kind].gap_max)
		return queue_receipt(&fanfare->ledger, fan_context_name(fanfare, index, slot), count);
	error = fan_count_acknowledge(context, count);
	if (error == 0) {
		block->heard = true;
		block->used_at = fanfare->ledger.second;
	}
	return error;
}

/* ---- Loading ------------------------------------------------------------------------------------------------------------------ */

struct loading {
	struct fanfare *fanfare;
	uint64_t found; /* contexts with a checkpoint */
};

static int
load_marks(void *user, const struct fan_record *record)
{
	const struct loading *loading = user;
	const int index = fan_dataplane_find_table(loading->fanfare->dataplane, &record->marks.table);
	struct fan_ledger_table *table = index < 0 ? NULL : table_of(loading->fanfare, (unsigned)index);

	if (table == NULL)
		return index < 0 ? 0 : FAN_E_MEMORY;
	for (uint32_t i = 0; i < FAN_MARKS_BLOCKS && record->marks.first_block + i < table->block_count; i++) {
		struct fan_ledger_block *at = &table->blocks[record->marks.first_block + i];

		at->kept = at->next = at->claimed = at->claims = record->marks.mark[i];
	}
	table->changed[record->marks.first_block / FAN_MARKS_BLOCKS] = 1;
	return 0;
}

/* A context goes on: all that its mark covers counts as spent, but for one that has spent nothing since its checkpoint whatever the mark: until
 * it has another checkpoint it must be known by that (fan_ledger_acknowledge()). */
static void
resume(struct fan_context *context, enum fan_kind kind, const struct fan_record_checkpoint *checkpoint, unsigned i,
       uint8_t mark)
{
	struct fan_ue ue = { .kind = kind, .count_reserved = context->count_reserved };

	ue.unreachable = (context->flags & FAN_CONTEXT_UNREACHABLE) != 0;
	fan_resume(&ue, checkpoint, mark, i);
	fan_count_begin(context, &ue);
	context->since = fan_count_since(checkpoint->count[i], 0);
	if (fan_kind_is_nas(kind)) {
		context->nas.transaction = ue.transaction;
		context->nas.rp_reference = ue.rp_reference;
	} else if (fan_kind_is_bearer(kind)) {
		/* It rises with COUNT, and is stored as what it is ahead (registry.c). */
		context->drb.nru_sn = (context->drb.nru_sn + ue.count) & 0xffffff;
	}
}

static int
load_checkpoint(void *user, const struct fan_record *record)
{
	struct loading *loading = user;
	const struct fan_record_checkpoint *checkpoint = &record->checkpoint;
	const int index = fan_dataplane_find_table(loading->fanfare->dataplane, &checkpoint->table);
	const struct fan_context_table *table = index < 0 ? NULL : &loading->fanfare->dataplane->tables[index];
	struct fan_ledger_table *kept = index < 0 ? NULL : table_of(loading->fanfare, (unsigned)index);

	if (table == NULL || checkpoint->block >= kept->block_count)
		return 0;
	for (uint32_t slot = checkpoint->block * FAN_BLOCK_CONTEXTS; slot < block_end(table, checkpoint->block); slot++) {
		if (!fan_context_present(table, slot))
			continue;
		resume(&table->slots[slot], (enum fan_kind)table->protection.kind, checkpoint, slot % FAN_BLOCK_CONTEXTS,
		       kept->blocks[checkpoint->block].kept);
		loading->found++;
	}
	return 0;
}

int
fan_ledger_load(struct fanfare *fanfare)
{
	struct loading loading = { .fanfare = fanfare };
	uint64_t present = 0;
	int error = 0;

	for (unsigned i = 0; error == 0 && i < fanfare->dataplane->table_count; i++) {
		present += fanfare->dataplane->tables[i].present;
		error = table_of(fanfare, i) == NULL ? FAN_E_MEMORY : 0;
	}
	if (error == 0)
		error = fan_store_each(fanfare->store, FAN_RECORD_MARKS, load_marks, &loading);
	if (error == 0)
		error = fan_store_each(fanfare->store, FAN_RECORD_CHECKPOINT, load_checkpoint, &loading);
	if (error == 0 && loading.found != present)
		error = fan_fail(FAN_E_IO, "store: %lu of %lu UE contexts have no checkpoint: their COUNTs are not known",
				 present - loading.found, present);
	fan_ledger_publish(fanfare);
	return error;
}

void
fan_ledger_close(struct fanfare *fanfare)
{
	struct fan_ledger *ledger = &fanfare->ledger;

	if (fanfare->store == NULL)
		return;
	fanfare->closing = true;
	write_receipts(fanfare);
	for (unsigned i = 0; i < fanfare->dataplane->table_count; i++) {
		const struct fan_ledger_table *table = &ledger->tables[i];

		for (size_t block = 0; block < table->block_count; block++) {
			if (table->blocks[block].kept == 0 && !table->blocks[block].heard)
				continue;
			if (!let_rest(fanfare, i, (uint32_t)block) && !write_ledger(fanfare))
				return;
			(void)let_rest(fanfare, i, (uint32_t)block);
		}
	}
	(void)write_ledger(fanfare);
}

void
fan_ledger_free(struct fanfare *fanfare)
{
	struct fan_ledger *ledger = &fanfare->ledger;

	for (unsigned i = 0; i < FAN_TABLES_MAX; i++) {
		if (ledger->tables[i].blocks != NULL)
			munmap(ledger->tables[i].blocks, blocks_bytes(&ledger->tables[i]));
		free(ledger->tables[i].changed);
	}
	free(ledger->resting);
	free(ledger->receipts);
	free(ledger->held);
	free(ledger->events);
}
