/* SPDX-License-Identifier: BSD-3-Clause */
/* What a program that is watched, or that runs in emulation, cannot be asked. */
#ifndef FAN_TEST_SANITIZERS_H
#define FAN_TEST_SANITIZERS_H

#include <stdbool.h>
#include <stdlib.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define FAN_TEST_UNDER_ASAN true
#else
#define FAN_TEST_UNDER_ASAN false
#endif

/* AddressSanitizer maps terabytes of its own: no limit of address space lets it live. QEMU's emulation keeps limits from the kernel. */
static inline bool
fan_test_space_can_be_limited(void)
{
	return !FAN_TEST_UNDER_ASAN && getenv("QEMU_LD_PREFIX") == NULL;
}

#endif
