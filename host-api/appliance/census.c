/* SPDX-License-Identifier: BSD-3-Clause */
#include "../../dataplane/context/clock.h"
#include "../../dataplane/context/count.h"
#include "handles.h"

#define STEP_SLOTS (1U << 15) /* 2 MiB of contexts, 0.1 ms; ten of them a second are 3 s for a million contexts */
#define STEP_MS 50            /* between two steps */
#define WALK_MS 1000          /* from the beginning of a walk to that of the next, at the least */
#define LEASE_LOW 256         /* as FAN_EVENT_LEASE_END */

static void
count_context(struct fan_census_counts *counts, const struct fan_context *context, enum fan_kind kind)
{
	const unsigned gap = fan_count_gap(context), gap_max = fan_count_rules[kind].gap_max;
	const uint32_t next = fan_count_next(context), reserved = __atomic_load_n(&context->count_reserved, __ATOMIC_RELAXED);

	counts->contexts++;
	counts->window_three_quarters += gap >= gap_max / 4 * 3;
	counts->window_full += gap >= gap_max;
	counts->lease_low += next + (uint64_t)LEASE_LOW > reserved;
	counts->lease_used += next >= reserved;
	counts->unreachable += (__atomic_load_n(&context->flags, __ATOMIC_RELAXED) & FAN_CONTEXT_UNREACHABLE) != 0;
}

/* Returns how many slots it has looked at. */
static uint32_t
walk_table(struct fan_census *census, const struct fan_context_table *table, uint32_t slots_max)
{
	const uint32_t left = table->used > census->slot ? table->used - census->slot : 0;
	const uint32_t count = left < slots_max ? left : slots_max;

	for (uint32_t slot = census->slot; slot < census->slot + count; slot++)
		if (fan_context_present(table, slot))
			count_context(&census->so_far, &table->slots[slot], (enum fan_kind)table->protection.kind);
	census->slot += count;
	if (census->slot >= table->used) {
		census->table++;
		census->slot = 0;
	}
	return count;
}

static void
begin(struct fan_census *census, int64_t now_ms)
{
	census->so_far = (struct fan_census_counts){ .contexts = 0 };
	census->table = 0;
	census->slot = 0;
	census->begun_ms = now_ms;
	census->walking = true;
}

static void
end(struct fan_census *census, int64_t now_ms)
{
	census->counts = census->so_far;
	census->ended_ms = now_ms;
	census->took_ms = now_ms - census->begun_ms;
	census->walking = false;
}

void
fan_census_serve(struct fanfare *fanfare)
{
	const struct fan_dataplane *dataplane = fanfare->dataplane;
	const int64_t now_ms = fan_clock_ms(CLOCK_MONOTONIC);
	struct fan_census *census = &fanfare->census;
	uint32_t left = STEP_SLOTS;

	if (now_ms - census->stepped_ms < STEP_MS || (!census->walking && now_ms - census->begun_ms < WALK_MS))
		return;
	census->stepped_ms = now_ms;
	if (!census->walking)
		begin(census, now_ms);
	while (left > 0 && census->table < dataplane->table_count)
		left -= walk_table(census, &dataplane->tables[census->table], left);
	if (census->table >= dataplane->table_count)
		end(census, now_ms);
}
