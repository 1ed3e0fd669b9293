/* SPDX-License-Identifier: BSD-3-Clause */
/* What is left in memory, or would leave it. */
#ifndef FAN_TEST_RESIDUE_H
#define FAN_TEST_RESIDUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Calls it in a thread with a stack of its own. Returns whether these octets stand anywhere on that stack afterwards. */
bool fan_test_left_on_stack(void (*call)(void *user), void *user, const uint8_t *octets, size_t octet_count);

/* Out: what follows "VmFlags:" in /proc/self/smaps for the mapping that holds the address; "" when none does. */
void fan_test_vm_flags(char *flags, size_t flags_bytes, const void *address);

#endif
