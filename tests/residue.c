/* SPDX-License-Identifier: BSD-3-Clause */
#define _GNU_SOURCE
#include "residue.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define STACK_BYTES (1UL << 20)
#define EXIT_BYTES 6144 /* of the stack's top, which the end of a thread writes over */

struct call {
	void (*function)(void *user);
	void *user;
};

static void *
run_call(void *user)
{
	const struct call *call = user;
	volatile uint8_t room[EXIT_BYTES];

	room[0] = 0;
	call->function(call->user);
	return room[0] == 0 ? NULL : call->user;
}

/* The stack of a thread that has ended: sanitizers may still think that some of it is out of bounds. */
__attribute__((no_sanitize_address, no_sanitize_thread)) static bool
holds(const uint8_t *memory, size_t memory_bytes, const uint8_t *octets, size_t octet_count)
{
	for (size_t at = 0; at + octet_count <= memory_bytes; at++) {
		size_t same = 0;

		while (same < octet_count && memory[at + same] == octets[same])
			same++;
		if (same == octet_count)
			return true;
	}
	return false;
}

bool
fan_test_left_on_stack(void (*function)(void *user), void *user, const uint8_t *octets, size_t octet_count)
{
	struct call call = { .function = function, .user = user };
	void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attributes;
	pthread_t thread;
	bool left;

	cr_assert(stack != MAP_FAILED);
	cr_assert_eq(pthread_attr_init(&attributes), 0);
	cr_assert_eq(pthread_attr_setstack(&attributes, stack, STACK_BYTES), 0);
	cr_assert_eq(pthread_create(&thread, &attributes, run_call, &call), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attributes);
	left = holds(stack, STACK_BYTES, octets, octet_count);
	munmap(stack, STACK_BYTES);
	return left;
}

void
fan_test_vm_flags(char *flags, size_t flags_bytes, const void *address)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	char line[512];
	bool inside = false;

	cr_assert_not_null(smaps);
	flags[0] = '\0';
	while (fgets(line, sizeof(line), smaps) != NULL) {
		unsigned long begin, end;

		if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
			inside = begin <= (uintptr_t)address && (uintptr_t)address < end;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(flags, flags_bytes, "%s", line + 8);
	}
	fclose(smaps);
}
