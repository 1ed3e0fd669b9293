/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "whereabouts.h"

#include "choice.h"

#include <string.h>
#include <sys/mman.h>

struct fan_whereabout {
	uint8_t plmn[3], area[3];
	uint16_t broadcast_id;
};

static_assert(sizeof(struct fan_whereabout) == 8, "10 M UEs take 80 MB");

#define AREA_MAX_16 0xffff
#define AREA_MAX_24 0xffffff

/* The 16 bits of EPS, or the 24 of 5GS; NR bearers may be either's. */
static uint32_t
area_max(enum fan_kind kind)
{
	return fan_radio_of_kind(kind) == FAN_RADIO_LTE ? AREA_MAX_16 : AREA_MAX_24;
}

int
fan_whereabouts_check(const struct fan_ue_place *place, enum fan_kind kind)
{
	static const uint8_t none[sizeof(place->plmn)];

	if (place->area > area_max(kind))
		return fan_fail(FAN_E_INVALID, "area %u: a tracking area code of %u at most", place->area, area_max(kind));
	if (place->area != 0 && memcmp(place->plmn, none, sizeof(none)) == 0)
		return fan_fail(FAN_E_INVALID, "area %u of no PLMN: give plmn too", place->area);
	if (place->broadcast_id != 0 &&
	    (place->broadcast_id < FAN_BROADCAST_ID_FIRST || place->broadcast_id > FAN_BROADCAST_ID_LAST))
		return fan_fail(FAN_E_INVALID, "broadcast_id %u: 0, or an operator's identifier from %d to %d",
				place->broadcast_id, FAN_BROADCAST_ID_FIRST, FAN_BROADCAST_ID_LAST);
	return 0;
}

/* Address space for all slots of a table; pages are taken as they are written to. */
static int
map_table(struct fan_whereabouts *whereabouts, unsigned index, const struct fan_context_table *table)
{
	const size_t bytes = table->capacity * sizeof(struct fan_whereabout);
	void *const map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		return fan_fail(FAN_E_MEMORY, "no memory to know where UEs are");
	whereabouts->tables[index] = map;
	whereabouts->bytes[index] = bytes;
	return 0;
}

int
fan_whereabouts_set(struct fan_whereabouts *whereabouts, unsigned index, const struct fan_context_table *table, uint32_t slot,
		    const struct fan_ue_place *place)
{
	struct fan_whereabout own = { .broadcast_id = place->broadcast_id };
	static const struct fan_whereabout none;
	int error = 0;

	memcpy(own.plmn, place->plmn, sizeof(own.plmn));
	for (unsigned i = 0; i < sizeof(own.area); i++)
		own.area[i] = (uint8_t)(place->area >> 8 * i);
	if (whereabouts->tables[index] == NULL && memcmp(&own, &none, sizeof(own)) != 0)
		error = map_table(whereabouts, index, table);
	if (error == 0 && whereabouts->tables[index] != NULL)
		whereabouts->tables[index][slot] = own;
	return error;
}

void
fan_whereabouts_get(const struct fan_whereabouts *whereabouts, struct fan_ue_place *place, unsigned index, uint32_t slot)
{
	const struct fan_whereabout *const table = whereabouts->tables[index];

	fan_ue_place_init(place);
	if (table == NULL)
		return;
	memcpy(place->plmn, table[slot].plmn, sizeof(place->plmn));
	for (unsigned i = 0; i < sizeof(table[slot].area); i++)
		place->area |= (uint32_t)table[slot].area[i] << 8 * i;
	place->broadcast_id = table[slot].broadcast_id;
}

void
fan_whereabouts_free(struct fan_whereabouts *whereabouts)
{
	for (unsigned i = 0; i < FAN_TABLES_MAX; i++)
		if (whereabouts->tables[i] != NULL)
			munmap(whereabouts->tables[i], whereabouts->bytes[i]);
	memset(whereabouts, 0, sizeof(*whereabouts));
}
