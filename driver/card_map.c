/* SPDX-License-Identifier: BSD-3-Clause */
#include "card_map.h"

#include "../dataplane/context/error.h"

static bool
holds(const struct fan_card_mapping *mapping, const void *address)
{
	return (uintptr_t)address - (uintptr_t)mapping->region.memory < mapping->region.bytes;
}

static void
unmap(struct fan_card_maps *maps, const struct fan_card_mapping *mapping)
{
	maps->transport->ops->dma_unmap(maps->transport, mapping->iova, mapping->region.bytes);
}

void
fan_card_maps_init(struct fan_card_maps *maps, struct fan_card_transport *transport)
{
	*maps = (struct fan_card_maps){ .transport = transport };
	pthread_mutex_init(&maps->lock, NULL);
}

void
fan_card_maps_free(struct fan_card_maps *maps)
{
	while (maps->count > 0)
		unmap(maps, &maps->mapping[--maps->count]);
	pthread_mutex_destroy(&maps->lock);
}

/* Unmaps what is there no more. */
static void
heed_withdrawals(struct fan_card_maps *maps)
{
	const uint64_t withdrawals = fan_memory_withdrawals();
	struct fan_memory_region now;

	if (maps->withdrawals == withdrawals)
		return;
	for (unsigned i = maps->count; i-- > 0;) {
		struct fan_card_mapping *mapping = &maps->mapping[i];

		if (fan_memory_find(&now, mapping->region.memory) && now.number == mapping->region.number)
			continue;
		unmap(maps, mapping);
		*mapping = maps->mapping[--maps->count];
	}
	maps->withdrawals = withdrawals;
}

static bool
map(struct fan_card_maps *maps, struct fan_card_mapping *out, const void *address)
{
	struct fan_card_transport *transport = maps->transport;
	struct fan_card_mapping mapping;
	int error;

	if (maps->count == FAN_MEMORY_REGIONS_MAX || !fan_memory_find(&mapping.region, address))
		return false;
	error = transport->ops->dma_map == NULL ? FAN_E_UNSUPPORTED
						: transport->ops->dma_map(transport, &mapping.iova, mapping.region.memory,
									  mapping.region.bytes, mapping.region.access);
	if (error == FAN_E_UNSUPPORTED)
		__atomic_store_n(&maps->refused, true, __ATOMIC_RELAXED);
	if (error != 0)
		return false;
	*out = maps->mapping[maps->count++] = mapping;
	return true;
}

static bool
find_shared(struct fan_card_maps *maps, struct fan_card_mapping *out, const void *address)
{
	bool found = false;

	if (__atomic_load_n(&maps->refused, __ATOMIC_RELAXED))
		return false;
	pthread_mutex_lock(&maps->lock);
	heed_withdrawals(maps);
	for (unsigned i = 0; i < maps->count && !found; i++) {
		found = holds(&maps->mapping[i], address);
		if (found)
			*out = maps->mapping[i];
	}
	if (!found)
		found = map(maps, out, address);
	pthread_mutex_unlock(&maps->lock);
	return found;
}

void
fan_card_reach_init(struct fan_card_reach *reach, struct fan_card_maps *maps)
{
	*reach = (struct fan_card_reach){ .maps = maps, .withdrawals = fan_memory_withdrawals() };
}

void
fan_card_reach_renew(struct fan_card_reach *reach)
{
	const uint64_t withdrawals = fan_memory_withdrawals();

	if (reach->withdrawals == withdrawals)
		return;
	reach->withdrawals = withdrawals;
	reach->recent_count = 0;
}

static const struct fan_card_mapping *
find(struct fan_card_reach *reach, const void *address)
{
	struct fan_card_mapping *mapping;

	for (unsigned i = 0; i < reach->recent_count; i++)
		if (holds(&reach->recent[i], address))
			return &reach->recent[i];
	mapping = &reach->recent[reach->recent_count < FAN_CARD_REACH_RECENT ? reach->recent_count : reach->replace_at];
	if (!find_shared(reach->maps, mapping, address))
		return NULL;
	if (reach->recent_count < FAN_CARD_REACH_RECENT)
		reach->recent_count++;
	else
		reach->replace_at = (reach->replace_at + 1) % FAN_CARD_REACH_RECENT;
	return mapping;
}

bool
fan_card_reach_find(struct fan_card_reach *reach, uint64_t *iova, const void *address, size_t bytes,
		    enum fan_memory_access access)
{
	const struct fan_card_mapping *mapping = find(reach, address);
	uintptr_t offset;

	if (mapping == NULL || mapping->region.access < access)
		return false;
	offset = (uintptr_t)address - (uintptr_t)mapping->region.memory;
	*iova = mapping->iova + offset;
	return bytes <= mapping->region.bytes - offset;
}
