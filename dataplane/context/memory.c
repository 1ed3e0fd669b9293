/* SPDX-License-Identifier: BSD-3-Clause */
#include "memory.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fan_memory_region regions[FAN_MEMORY_REGIONS_MAX]; /* in no order */
static unsigned region_count;
static uint64_t last_number;
static uint64_t withdrawals; /* atomic */

void
fan_memory_add(void *memory, size_t bytes, enum fan_memory_access access)
{
	pthread_mutex_lock(&lock);
	if (region_count < FAN_MEMORY_REGIONS_MAX)
		regions[region_count++] = (struct fan_memory_region){ memory, bytes, access, ++last_number };
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

/* ---- What there is left ------------------------------------------------------------------------------------------------ */

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The number behind `name` in a file of lines "NAME NUMBER" or, for an empty name, at its front. False: not there, or "max". */
static bool
read_number(uint64_t *number, const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	const size_t name_bytes = strlen(name);
	char line[160];
	bool found = false;

	if (file == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), file) != NULL)
		found = strncmp(line, name, name_bytes) == 0 && sscanf(line + name_bytes, " %" SCNu64, number) == 1;
	fclose(file);
	return found;
}

#define GROUP_PATH_BYTES 1024 /* a deeper group is passed over, and one above it counts */

/* The files in which one version of cgroups keeps a group's limit, use and, in memory.stat, caches to be given up. */
struct cgroup_files {
	const char *limit, *used, *cache;
};

/* What one group leaves; SIZE_MAX without a limit. */
static size_t
group_bytes(const char *directory, const struct cgroup_files *files)
{
	uint64_t limit, used, cache = 0;
	char path[GROUP_PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", directory, files->limit);
	if (!read_number(&limit, path, ""))
		return SIZE_MAX;
	snprintf(path, sizeof(path), "%s/%s", directory, files->used);
	if (!read_number(&used, path, ""))
		return SIZE_MAX;
	snprintf(path, sizeof(path), "%s/memory.stat", directory);
	(void)read_number(&cache, path, files->cache);
	used -= cache < used ? cache : used;
	return limit > used ? (size_t)(limit - used) : 0;
}

/* The least of a group and those above it. In a container the upper ones are not there to be seen, or the path is the host's. */
static size_t
groups_bytes(const char *mount, const char *group, const struct cgroup_files *files)
{
	char directory[GROUP_PATH_BYTES];
	const size_t mount_bytes = strlen(mount);
	size_t bytes;

	if ((size_t)snprintf(directory, sizeof(directory), "%s%s", mount, group) >= sizeof(directory))
		return SIZE_MAX;
	bytes = group_bytes(directory, files);
	for (char *slash; (slash = strrchr(directory + mount_bytes, '/')) != NULL;) {
		*slash = '\0';
		bytes = least(bytes, group_bytes(directory, files));
	}
	return bytes;
}

size_t
fan_memory_cgroup_bytes(const char *membership, const char *mount)
{
	static const struct cgroup_files first = { "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file" };
	static const struct cgroup_files second = { "memory.max", "memory.current", "inactive_file" };
	FILE *file = fopen(membership, "re");
	char line[GROUP_PATH_BYTES], memory_mount[GROUP_PATH_BYTES];
	size_t bytes = SIZE_MAX;

	if (file == NULL)
		return SIZE_MAX;
	snprintf(memory_mount, sizeof(memory_mount), "%s/memory", mount);
	while (fgets(line, sizeof(line), file) != NULL) {
		char *controllers = strchr(line, ':'), *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;

		if (group == NULL)
			continue;
		*group++ = '\0';
		group[strcspn(group, "\n")] = '\0';
		if (strcmp(line, "0:") == 0)
			bytes = least(bytes, groups_bytes(mount, group, &second));
		else if (strcmp(controllers, ":memory") == 0)
			bytes = least(bytes, groups_bytes(memory_mount, group, &first));
	}
	fclose(file);
	return bytes;
}

/* What a limit of this process leaves. In: the line of /proc/self/status that says how much is used. */
static size_t
limit_bytes(__rlimit_resource_t resource, const char *used_name)
{
	struct rlimit limit;
	uint64_t used_kib = 0;

	if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return SIZE_MAX;
	(void)read_number(&used_kib, "/proc/self/status", used_name);
	return limit.rlim_cur > used_kib * 1024 ? (size_t)limit.rlim_cur - used_kib * 1024 : 0;
}

size_t
fan_memory_address_bytes(void)
{
	return limit_bytes(RLIMIT_AS, "VmSize:");
}

size_t
fan_memory_available_bytes(void)
{
	uint64_t kib;
	size_t bytes;

	if (read_number(&kib, "/proc/meminfo", "MemAvailable:"))
		bytes = (size_t)kib * 1024;
	else
		bytes = (size_t)sysconf(_SC_AVPHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
	bytes = least(bytes, fan_memory_cgroup_bytes("/proc/self/cgroup", "/sys/fs/cgroup"));
	bytes = least(bytes, limit_bytes(RLIMIT_DATA, "VmData:"));
	return least(bytes, fan_memory_address_bytes());
}
