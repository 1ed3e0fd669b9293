/* SPDX-License-Identifier: BSD-3-Clause */
#include "group_counter.h"

#include <string.h>

#define COUNTS (UINT64_C(1) << 32)

static bool
was_used(const struct fan_record_group *group, uint8_t gki)
{
	return (group->gki_used[gki >> 3] >> (gki & 7) & 1) != 0;
}

/* Out: *record, of the counter's group. EXISTS: its key was given up for another. */
static int
read_group(struct fan_record *record, const struct fan_group_counter *counter)
{
	int error;

	*record = (struct fan_record){ .kind = FAN_RECORD_GROUP };
	memcpy(record->group.gid, counter->gid, sizeof(counter->gid));
	error = fan_store_get(counter->store, record);
	if (error == 0 && was_used(&record->group, counter->gki) && record->group.gki != counter->gki)
		error = fan_fail(FAN_E_EXISTS, "Gki %u of %s was in use before the key %u: it is never used again",
				 counter->gki, counter->gid, record->group.gki);
	return error;
}

int
fan_group_counter_open(struct fan_group_counter *counter, struct fan_store *store, const char *gid, uint8_t gki, uint32_t first)
{
	struct fan_record record;
	int error;

	*counter = (struct fan_group_counter){ .store = store, .gki = gki, .next = first };
	if (strlen(gid) >= sizeof(counter->gid))
		return fan_fail(FAN_E_INVALID, "a GID of %zu octets: %zu at most", strlen(gid), sizeof(counter->gid) - 1);
	memcpy(counter->gid, gid, strlen(gid) + 1);
	error = read_group(&record, counter);
	if (error == 0 && was_used(&record.group, gki) && record.group.count_reserved > counter->next)
		counter->next = record.group.count_reserved;
	counter->reserved = counter->next;
	return error;
}

/* Makes it durable that COUNTs up to `reserved` may be spent. In a transaction, so that what it reads is what it writes over. */
static int
reserve(const struct fan_group_counter *counter, uint64_t reserved)
{
	struct fan_record record;
	int error = fan_store_begin(counter->store);

	if (error != 0)
		return error;
	error = read_group(&record, counter);
	if (error == 0 && was_used(&record.group, counter->gki) && record.group.count_reserved > counter->next)
		error = fan_fail(FAN_E_BUSY, "%s has another counter, which has given these COUNTs", counter->gid);
	record.group.gki = counter->gki;
	record.group.gki_used[counter->gki >> 3] |= (uint8_t)(1U << (counter->gki & 7));
	record.group.count_reserved = reserved;
	if (error == 0)
		error = fan_store_put(counter->store, &record);
	return fan_store_end(counter->store, error);
}

int64_t
fan_group_counter_take(struct fan_group_counter *counter)
{
	const uint64_t left = COUNTS - counter->next;
	uint64_t reserved;
	int error;

	if (counter->next < counter->reserved)
		return (int64_t)counter->next++;
	if (left == 0)
		return fan_fail(FAN_E_INVALID, "COUNTs of the key %u of %s are at their end: renew it", counter->gki,
				counter->gid);
	reserved = counter->next + (left < FAN_GROUP_COUNTS ? left : FAN_GROUP_COUNTS);
	error = reserve(counter, reserved);
	if (error != 0)
		return error;
	counter->reserved = reserved;
	return (int64_t)counter->next++;
}
