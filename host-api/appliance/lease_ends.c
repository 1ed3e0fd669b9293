/* SPDX-License-Identifier: BSD-3-Clause */
#include "lease_ends.h"

#include <string.h>

#define STEPS (FAN_CONTEXT_SLOTS_MAX / FAN_CONTEXT_STEP)

static int64_t *
find(const struct fan_lease_ends *ends, unsigned table, uint32_t slot)
{
	int64_t **const steps = ends->until_ms[table];
	int64_t *const step = steps != NULL ? steps[slot / FAN_CONTEXT_STEP] : NULL;

	return step != NULL ? &step[slot % FAN_CONTEXT_STEP] : NULL;
}

int64_t
fan_lease_end(const struct fan_lease_ends *ends, unsigned table, uint32_t slot)
{
	const int64_t *const until_ms = find(ends, table, slot);

	return until_ms != NULL ? llabs(*until_ms) : 0;
}

static bool
grow_heap(struct fan_lease_ends *ends)
{
	const size_t room = ends->room == 0 ? 64 : 2 * ends->room;
	struct fan_lease_end *heap = ends->count < ends->room ? ends->heap : realloc(ends->heap, room * sizeof(*heap));

	if (heap == NULL)
		return false;
	ends->room = ends->count < ends->room ? ends->room : room;
	ends->heap = heap;
	return true;
}

int
fan_lease_ends_reserve(struct fan_lease_ends *ends, const struct fan_lease_end *end)
{
	int64_t ***const steps = &ends->until_ms[end->table];
	const uint32_t step = end->slot / FAN_CONTEXT_STEP;

	if (*steps == NULL)
		*steps = calloc(STEPS, sizeof(**steps));
	if (*steps != NULL && (*steps)[step] == NULL)
		(*steps)[step] = calloc(FAN_CONTEXT_STEP, sizeof(***steps));
	if (*steps == NULL || (*steps)[step] == NULL || !grow_heap(ends))
		return fan_fail(FAN_E_MEMORY, "no memory for a lease that is bounded in time");
	return 0;
}

static int64_t
due_ms(const struct fan_lease_end *end)
{
	return end->told ? end->until_ms : end->until_ms - FAN_LEASE_NEAR_MS;
}

static void
push(struct fan_lease_ends *ends, const struct fan_lease_end *end)
{
	size_t at = ends->count++;

	for (; at > 0 && due_ms(&ends->heap[(at - 1) / 2]) > due_ms(end); at = (at - 1) / 2)
		ends->heap[at] = ends->heap[(at - 1) / 2];
	ends->heap[at] = *end;
}

/* Takes the first out of the heap. */
static void
pop(struct fan_lease_ends *ends)
{
	const struct fan_lease_end last = ends->heap[--ends->count];
	size_t at = 0;

	for (size_t next = 1; next < ends->count; next = 2 * at + 1) {
		if (next + 1 < ends->count && due_ms(&ends->heap[next + 1]) < due_ms(&ends->heap[next]))
			next++;
		if (due_ms(&ends->heap[next]) >= due_ms(&last))
			break;
		ends->heap[at] = ends->heap[next];
		at = next;
	}
	ends->heap[at] = last;
}

void
fan_lease_ends_set(struct fan_lease_ends *ends, const struct fan_lease_end *end)
{
	int64_t *const until_ms = find(ends, end->table, end->slot);

	if (until_ms == NULL || *until_ms == end->until_ms)
		return;
	*until_ms = end->until_ms;
	if (end->until_ms != 0)
		push(ends, end);
}

bool
fan_lease_ends_take(struct fan_lease_ends *ends, struct fan_lease_end *end, int64_t now_ms)
{
	while (ends->count > 0 && due_ms(&ends->heap[0]) <= now_ms) {
		int64_t *until_ms;

		*end = ends->heap[0];
		pop(ends);
		until_ms = find(ends, end->table, end->slot);
		if (*until_ms != end->until_ms)
			continue;
		if (end->told) {
			*until_ms = -end->until_ms;
			return true;
		}
		end->told = true;
		push(ends, end);
		if (end->until_ms > now_ms)
			return true;
	}
	return false;
}

void
fan_lease_ends_free(struct fan_lease_ends *ends)
{
	for (unsigned table = 0; table < FAN_TABLES_MAX; table++) {
		for (unsigned step = 0; ends->until_ms[table] != NULL && step < STEPS; step++)
			free(ends->until_ms[table][step]);
		free(ends->until_ms[table]);
	}
	free(ends->heap);
	memset(ends, 0, sizeof(*ends));
}
