/* SPDX-License-Identifier: BSD-3-Clause */
#include "additions.h"

#include <string.h>

#define BLOCK_SLOTS FAN_CONTEXT_STRIPE
#define BLOCKS_MIN 16
#define IDENTITY_ROOM_MIN 4096

static_assert(sizeof(struct fan_addition) == 24, "10 M UEs wait in 400 MB, their IMSIs included");
static_assert(IDENTITY_ROOM_MIN >= 2 * FAN_IDENTITY_BYTES, "room that is doubled is enough for one more");

static bool
reserve_block(struct fan_addition_blocks *blocks, uint32_t index)
{
	const uint32_t count = index < BLOCKS_MIN ? BLOCKS_MIN : 2 * index;

	if (index >= blocks->count) {
		struct fan_addition **block = realloc(blocks->block, count * sizeof(void *));

		if (block == NULL)
			return false;
		memset(block + blocks->count, 0, (count - blocks->count) * sizeof(void *));
		blocks->block = block;
		blocks->count = count;
	}
	if (blocks->block[index] == NULL)
		blocks->block[index] = calloc(BLOCK_SLOTS, sizeof(**blocks->block));
	return blocks->block[index] != NULL;
}

static bool
reserve_identity(struct fan_additions *additions)
{
	const size_t room = additions->identity_room == 0 ? IDENTITY_ROOM_MIN : 2 * additions->identity_room;
	char *identities;

	if (additions->identity_room - additions->identity_bytes >= FAN_IDENTITY_BYTES)
		return true;
	identities = realloc(additions->identities, room);
	if (identities == NULL)
		return false;
	additions->identities = identities;
	additions->identity_room = room;
	return true;
}

static struct fan_addition *
at(const struct fan_additions *additions, unsigned table, uint32_t slot)
{
	return &additions->tables[table].block[slot / BLOCK_SLOTS][slot % BLOCK_SLOTS];
}

int
fan_additions_put(struct fan_additions *additions, unsigned table, uint32_t slot, const struct fan_ue *ue)
{
	const char *const identity = ue->identity != NULL ? ue->identity : "";

	if (!reserve_block(&additions->tables[table], slot / BLOCK_SLOTS) || !reserve_identity(additions))
		return fan_fail(FAN_E_MEMORY, "no memory for what a batch adds: commit more often");
	*at(additions, table, slot) = (struct fan_addition){
		.identity = additions->identity_bytes,
		.capabilities = ue->capabilities,
		.uplink_teid = ue->uplink_teid,
		.added = true,
		.emergency = ue->emergency,
	};
	(void)snprintf(additions->identities + additions->identity_bytes, FAN_IDENTITY_BYTES, "%s", identity);
	additions->identity_bytes += strlen(additions->identities + additions->identity_bytes) + 1;
	return 0;
}

void
fan_additions_take_back(struct fan_additions *additions, unsigned table, uint32_t slot)
{
	struct fan_addition *const addition = at(additions, table, slot);

	additions->identity_bytes = addition->identity;
	addition->added = false;
}

const struct fan_addition *
fan_additions_find(const struct fan_additions *additions, unsigned table, uint32_t slot)
{
	const struct fan_addition_blocks *const blocks = &additions->tables[table];

	if (slot / BLOCK_SLOTS >= blocks->count || blocks->block[slot / BLOCK_SLOTS] == NULL)
		return NULL;
	return at(additions, table, slot)->added ? at(additions, table, slot) : NULL;
}

const char *
fan_addition_identity(const struct fan_additions *additions, const struct fan_addition *addition)
{
	return additions->identities + addition->identity;
}

uint32_t
fan_additions_slots(const struct fan_additions *additions, unsigned table)
{
	return additions->tables[table].count * BLOCK_SLOTS;
}

/* The first slot of a block from one on that was added, or that was not. BLOCK_SLOTS: there is none. */
static uint32_t
next_in_block(const struct fan_addition *block, uint32_t slot, bool added)
{
	while (slot < BLOCK_SLOTS && block[slot].added != added)
		slot++;
	return slot;
}

/* A run ends with its block: the next begins there. */
bool
fan_additions_run(const struct fan_additions *additions, uint32_t *first, uint32_t *end, unsigned table)
{
	const struct fan_addition_blocks *const blocks = &additions->tables[table];

	for (uint32_t index = *first / BLOCK_SLOTS; index < blocks->count; *first = ++index * BLOCK_SLOTS) {
		const struct fan_addition *const block = blocks->block[index];
		const uint32_t from = block != NULL ? next_in_block(block, *first % BLOCK_SLOTS, true) : BLOCK_SLOTS;

		if (from == BLOCK_SLOTS)
			continue;
		*first = index * BLOCK_SLOTS + from;
		*end = index * BLOCK_SLOTS + next_in_block(block, from, false);
		return true;
	}
	return false;
}

void
fan_additions_free(struct fan_additions *additions)
{
	for (unsigned table = 0; table < FAN_TABLES_MAX; table++) {
		for (uint32_t index = 0; index < additions->tables[table].count; index++)
			free(additions->tables[table].block[index]);
		free(additions->tables[table].block);
	}
	free(additions->identities);
	memset(additions, 0, sizeof(*additions));
}
