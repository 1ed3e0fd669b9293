/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that an engine with DMA may let its card reach as it lies: tables of contexts and pools of frames. Who makes such memory
 * announces it here, an engine asks for the region that an address lies in and has the card map it once; what was not announced is
 * copied. Announcing promises nothing but that the region is there until it is withdrawn, and says what a card may do with it.
 *
 * Threads: any; a lock inside. The number of the registry's state is read without it, so that an engine can ask per burst.
 */
#ifndef FAN_MEMORY_H
#define FAN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As many as there are tables (FAN_TABLES_MAX), and pieces of pools beside them. */
#define FAN_MEMORY_REGIONS_MAX 1024

/* A card that is broken, or another's, writes where it is let. */
enum fan_memory_access {
	FAN_MEMORY_READ,  /* it may only read: what lies there is the host's word, such as keys and COUNTs */
	FAN_MEMORY_WRITE, /* it may read and write: more than the other */
};

struct fan_memory_region {
	uint8_t *memory;
	size_t bytes;
	enum fan_memory_access access;
	uint64_t
		number; /* of this announcement; never given to another, so that memory gone and come back is not mistaken for the same */
};

/* Announces a region, which overlaps no other. One too many is not kept: it will be copied. */
void fan_memory_add(void *memory, size_t bytes, enum fan_memory_access access);
/* Withdraws the region that begins at `memory`, before it is unmapped and with no batch under way that refers to it. Ignored when it
 * is not there. */
void fan_memory_remove(const void *memory);
/* Out: the region that `address` lies in. False: in none. */
bool fan_memory_find(struct fan_memory_region *region, const void *address);
/* Changes when a region is withdrawn: mappings of those that are no longer there must be dropped before an address is looked up in
 * them again. */
uint64_t fan_memory_withdrawals(void);

/* Octets of memory that this process can be given without swapping: what the machine has, its cgroups, and its own limits (RLIMIT_AS,
 * RLIMIT_DATA) let it have, the least of them. For checks before allocating. */
size_t fan_memory_available_bytes(void);
/* Octets of address space that RLIMIT_AS leaves this process; SIZE_MAX without that limit. */
size_t fan_memory_address_bytes(void);
/* Octets that the limits of cgroups (both versions, every level that can be seen) leave; SIZE_MAX without any. Caches that the kernel
 * would give up count as free. In: the file of a process's cgroups ("/proc/self/cgroup"), and where they are mounted
 * ("/sys/fs/cgroup"). */
size_t fan_memory_cgroup_bytes(const char *membership, const char *mount);

#endif
