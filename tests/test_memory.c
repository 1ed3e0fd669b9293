/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "../dataplane/context/memory.h"
#include "../dataplane/context/table.h"
#include "../dataplane/eal.h"
#include "../dataplane/egress.h"
#include "sanitizers.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static bool
found(const void *address)
{
	struct fan_memory_region region;

	return fan_memory_find(&region, address);
}

Test(memory, an_address_is_found_in_its_region_alone)
{
	static uint8_t memory[300];
	struct fan_memory_region region;

	fan_memory_add(memory + 100, 100, FAN_MEMORY_READ);
	cr_assert_not(found(memory + 99));
	cr_assert_not(found(memory + 200));
	cr_assert(fan_memory_find(&region, memory + 199));
	cr_assert(region.memory == memory + 100 && region.bytes == 100 && region.access == FAN_MEMORY_READ);
	fan_memory_remove(memory + 100);
	cr_assert_not(found(memory + 100));
}

Test(memory, what_comes_back_has_another_number)
{
	static uint8_t memory[64];
	struct fan_memory_region first, second;
	const uint64_t withdrawals = fan_memory_withdrawals();

	fan_memory_add(memory, sizeof(memory), FAN_MEMORY_WRITE);
	cr_assert(fan_memory_find(&first, memory));
	cr_assert_eq(fan_memory_withdrawals(), withdrawals);
	fan_memory_remove(memory);
	cr_assert_neq(fan_memory_withdrawals(), withdrawals);
	fan_memory_remove(memory);
	fan_memory_add(memory, sizeof(memory), FAN_MEMORY_WRITE);
	cr_assert(fan_memory_find(&second, memory));
	cr_assert_neq(second.number, first.number);
	fan_memory_remove(memory);
}

Test(memory, one_region_too_many_is_not_kept)
{
	static uint8_t memory[FAN_MEMORY_REGIONS_MAX + 1];

	for (unsigned i = 0; i < sizeof(memory); i++)
		fan_memory_add(memory + i, 1, FAN_MEMORY_WRITE);
	cr_assert(found(memory + FAN_MEMORY_REGIONS_MAX - 1));
	cr_assert_not(found(memory + FAN_MEMORY_REGIONS_MAX));
	fan_memory_remove(memory);
	fan_memory_add(memory + FAN_MEMORY_REGIONS_MAX, 1, FAN_MEMORY_WRITE);
	cr_assert(found(memory + FAN_MEMORY_REGIONS_MAX));
	cr_assert_not(found(memory));
}

Test(memory, tables_and_frames_are_announced)
{
	const struct fan_protection protection = { FAN_KIND_EPS_NAS, 2, 2, 5 };
	struct fan_context_table table;
	struct fan_egress egress;
	struct fan_memory_region region;
	struct rte_mbuf *frame;
	const void *slots, *data;

	cr_assert_eq(fan_context_table_init(&table, protection, 1000), 0, "%s", fan_error_detail());
	slots = table.slots;
	cr_assert(found(table.slots) && found(table.slots + 999));
	cr_assert(fan_memory_find(&region, table.slots) && region.access == FAN_MEMORY_READ, "a card may write COUNTs");
	fan_context_table_free(&table);
	cr_assert_not(found(slots));
	cr_assert_eq(fan_eal_start("test_memory", 1, NULL), 0, "%s", fan_error_detail());
	cr_assert_eq(fan_egress_open(&egress, "net_null", 1, NULL), 0, "%s", fan_error_detail());
	frame = rte_pktmbuf_alloc(egress.frames);
	data = frame->buf_addr;
	cr_assert(found(data) && found((const uint8_t *)data + frame->buf_len - 1));
	cr_assert(fan_memory_find(&region, data) && region.access == FAN_MEMORY_WRITE);
	rte_pktmbuf_free(frame);
	cr_assert_eq(fan_egress_close(&egress), 0);
	cr_assert_not(found(data));
}

Test(memory, what_the_machine_can_give)
{
	cr_assert_gt(fan_memory_available_bytes(), 1UL << 20);
}

/* ---- What there is left -------------------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/fanfare-memory-XXXXXX";

static void
write_file(const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	for (char *slash = path + sizeof(folder); (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		(void)mkdir(path, 0700);
		*slash = '/';
	}
	file = fopen(path, "w");
	cr_assert_not_null(file, "%s", path);
	fputs(text, file);
	cr_assert_eq(fclose(file), 0);
}

static bool in_folder;

/* Takes the place of the C library's in this program: the cgroups of this process may be those in the folder. */
FILE *open_here(const char *path, const char *mode) __asm__("fopen");
FILE *
open_here(const char *path, const char *mode)
{
	static const char *const places[] = { "/proc/self/cgroup", "/sys/fs/cgroup" };
	FILE *(*real)(const char *, const char *);
	char other[512];

	*(void **)&real = dlsym(RTLD_NEXT, "fopen");
	for (unsigned i = 0; in_folder && i < 2; i++)
		if (strncmp(path, places[i], strlen(places[i])) == 0) {
			snprintf(other, sizeof(other), "%s/%s%s", folder, i == 0 ? "membership" : "", path + strlen(places[i]));
			return real(other, mode);
		}
	return real(path, mode);
}

static int
remove_one(const char *path, const struct stat *found, int kind, struct FTW *at)
{
	(void)found;
	(void)kind;
	(void)at;
	return remove(path);
}

static size_t
cgroup_bytes(const char *membership)
{
	char path[512];

	write_file("membership", membership);
	snprintf(path, sizeof(path), "%s/membership", folder);
	return fan_memory_cgroup_bytes(path, folder);
}

Test(memory, the_nearest_limit_of_the_cgroups_counts)
{
	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(cgroup_bytes("0::/a/b\n"), SIZE_MAX, "nothing is mounted");
	write_file("a/b/memory.max", "max\n");
	write_file("a/b/memory.current", "5000\n");
	cr_assert_eq(cgroup_bytes("0::/a/b\n"), SIZE_MAX, "no limit");
	write_file("a/memory.max", "10000\n");
	write_file("a/memory.current", "7000\n");
	cr_assert_eq(cgroup_bytes("0::/a/b\n"), 3000, "of the group above");
	write_file("a/memory.stat", "anon 1\nactive_file 9\ninactive_file 500\n");
	cr_assert_eq(cgroup_bytes("0::/a/b\n"), 3500, "caches are free");
	write_file("a/b/memory.max", "6000\n");
	cr_assert_eq(cgroup_bytes("0::/a/b\n"), 1000);
	write_file("a/b/memory.current", "6001\n");
	cr_assert_eq(cgroup_bytes("0::/a/b\n"), 0, "beyond it");
	cr_assert_eq(cgroup_bytes("0::/a/b/c/d\n"), 0, "groups of the host, that cannot be seen, below");
	cr_assert_eq(cgroup_bytes("0::/\n"), SIZE_MAX, "the root");
	write_file("memory.max", "77\n");
	write_file("memory.current", "7\n");
	cr_assert_eq(cgroup_bytes("0::/\n"), 70, "a container's root");
	write_file("memory/x/memory.limit_in_bytes", "100\n");
	write_file("memory/x/memory.usage_in_bytes", "90\n");
	write_file("memory/x/memory.stat", "inactive_file 1\ntotal_inactive_file 30\n");
	cr_assert_eq(cgroup_bytes("7:cpu:/x\n4:memory:/x/y\n"), 40, "version 1");
	cr_assert_eq(cgroup_bytes("4:memory:/x\n0::/\n"), 40, "both");
	cr_assert_eq(cgroup_bytes("7:cpu:/x\n"), SIZE_MAX);
	cr_assert_eq(cgroup_bytes("garbage\n:\n::\n"), SIZE_MAX);
	/* What counts for the process is all of it. */
	write_file("a/b/memory.max", "1000000\n");
	write_file("a/memory.max", "1000000\n");
	write_file("memory.max", "max\n");
	cr_assert_eq(cgroup_bytes("0::/a/b\n"), 1000000 - 7000 + 500);
	in_folder = true;
	cr_assert_eq(fan_memory_available_bytes(), 1000000 - 7000 + 500);
	in_folder = false;
	write_file("a/memory.stat", "inactive_file 7001\n");
	cr_assert_eq(cgroup_bytes("0::/a/b\n"), 1000000 - 6001, "a statistic of another moment: more caches than there is use");
	cr_assert_eq(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

Test(memory, limits_of_the_process_count)
{
	const size_t machine_bytes = fan_memory_available_bytes();
	struct rlimit limit;

	if (!fan_test_space_can_be_limited())
		cr_skip_test("no limit of memory can be set here");
	cr_assert_eq(fan_memory_address_bytes(), SIZE_MAX);
	cr_assert_eq(getrlimit(RLIMIT_DATA, &limit), 0);
	limit.rlim_cur = 64 << 20;
	cr_assert_eq(setrlimit(RLIMIT_DATA, &limit), 0);
	cr_assert_leq(fan_memory_available_bytes(), 64 << 20);
	limit.rlim_cur = RLIM_INFINITY;
	cr_assert_eq(setrlimit(RLIMIT_DATA, &limit), 0);
	cr_assert_gt(fan_memory_available_bytes(), machine_bytes / 2);
	cr_assert_eq(getrlimit(RLIMIT_AS, &limit), 0);
	limit.rlim_cur = 2UL << 30;
	cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
	cr_assert_lt(fan_memory_address_bytes(), 2UL << 30);
	cr_assert_gt(fan_memory_address_bytes(), 1UL << 30, "this program is small");
	cr_assert_lt(fan_memory_available_bytes(), 2UL << 30);
}
