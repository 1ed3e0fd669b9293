/* SPDX-License-Identifier: BSD-3-Clause */
#include "memory.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fan_memory_region regions[FAN_MEMORY_REGIONS_MAX]; /* in no order */
static unsigned region_count;
static uint64_t last_number;
static uint64_t withdrawals; /* atomic */

void
fan_memory_add(void *memory, size_t bytes)
{
	pthread_mutex_lock(&lock);
	if (region_count < FAN_MEMORY_REGIONS_MAX)
		regions[region_count++] = (struct fan_memory_region){ memory, bytes, ++last_number };
	pthread_mutex_unlock(&lock);
}

void
fan_memory_remove(const void *memory)
{
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < region_count; i++) {
		if (regions[i].memory != memory)
			continue;
		regions[i] = regions[--region_count];
		__atomic_fetch_add(&withdrawals, 1, __ATOMIC_RELEASE);
		break;
	}
	pthread_mutex_unlock(&lock);
}

bool
fan_memory_find(struct fan_memory_region *region, const void *address)
{
	bool found = false;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < region_count && !found; i++) {
		found = (uintptr_t)address - (uintptr_t)regions[i].memory < regions[i].bytes;
		if (found)
			*region = regions[i];
	}
	pthread_mutex_unlock(&lock);
	return found;
}

uint64_t
fan_memory_withdrawals(void)
{
	return __atomic_load_n(&withdrawals, __ATOMIC_ACQUIRE);
}

size_t
fan_memory_available_bytes(void)
{
	unsigned long long kib = 0;
	char line[128];
	FILE *meminfo = fopen("/proc/meminfo", "r");

	if (meminfo == NULL)
		return (size_t)sysconf(_SC_AVPHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
	while (fgets(line, sizeof(line), meminfo) != NULL)
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	fclose(meminfo);
	return (size_t)kib * 1024;
}
